/*
 * ACPI tables of x86 machines: the parts that all have, and what tables are built with. ACPI 6.5,
 * chapter 5. Private to machine/.
 */
#ifndef MACHINE_X86_ACPI_H
#define MACHINE_X86_ACPI_H

#include "machine/aml.h"
#include "machine/x86/x86.h"

/* Tables are written one after another from PC_ACPI on. */
struct acpi_tables {
	uint8_t *mem; /* of PC_ACPI */
	size_t at;    /* next free offset */
	uint32_t address[8];
	unsigned count;
};

enum { ACPI_TABLES_FIRST = 64 }; /* offset: before it lies the RSDP */

/* begin gives the buffer to append to; end closes the table and returns its address. listed: it
 * goes into the XSDT. */
struct aml acpi_table_begin(struct acpi_tables *t, const char *signature, uint8_t revision);
uint32_t acpi_table_end(struct acpi_tables *t, struct aml *a, bool listed);
/* The low bytes of v, at most 8. */
void acpi_put(struct aml *a, uint64_t v, unsigned bytes);
/* A generic address structure: system I/O. access: log2 of the width in bytes, plus 1. */
void acpi_put_port(struct aml *a, uint16_t port, uint8_t bits, uint8_t access);

/* Local APICs, the I/O APIC and the NMI pins; interrupt source overrides may follow. legacy: there
 * are 8259s, too. */
struct aml acpi_madt_begin(struct acpi_tables *t, const struct machine *m, bool legacy);
/* Interrupt of the ISA numbering at an I/O APIC pin; flags as in 5.2.12.5. */
void acpi_madt_override(struct aml *a, uint8_t irq, uint32_t pin, uint16_t flags);

/* For DSDTs: \_S5_, processor objects (inside \_SB_). */
void acpi_s5(struct aml *a, unsigned type);
void acpi_processors(struct aml *a, const struct machine *m);

/* RSDT, XSDT and RSDP of what has been listed. */
void acpi_finish(struct acpi_tables *t);

#endif
