/* ACPI machine language, as much of it as the generated tables need. ACPI 6.5, chapter 20. */
#ifndef MACHINE_AML_H
#define MACHINE_AML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An output buffer; past its end nothing is written and overflow is set. */
struct aml {
	uint8_t *bytes;
	size_t len, cap;
	bool overflow;
};

void aml_bytes(struct aml *a, const void *bytes, size_t len);
void aml_byte(struct aml *a, uint8_t v);
/* A name path such as "_SB_.PCI0" or "\\_S5_": segments of exactly four characters. */
void aml_path(struct aml *a, const char *path);
void aml_integer(struct aml *a, uint64_t v);
void aml_string(struct aml *a, const char *s);
/* Name(path, integer) and the opening of Name(path, ...). */
void aml_name_integer(struct aml *a, const char *path, uint64_t v);
void aml_name(struct aml *a, const char *path);
/* _HID and the like: "PNP0A03" as a compressed EISA id. */
void aml_eisa_id(struct aml *a, const char *id);

/* Constructs with a length: begin returns a mark for aml_end. */
size_t aml_scope(struct aml *a, const char *path);
size_t aml_device(struct aml *a, const char *path);
/* Method(name, arguments); aml_if: If (the integer called name). */
size_t aml_method(struct aml *a, const char *name, unsigned arguments);
size_t aml_if(struct aml *a, const char *name);
size_t aml_package(struct aml *a, uint8_t elements);
/* A resource template buffer; the descriptors follow as bytes, the end tag is added by the end. */
size_t aml_resources(struct aml *a);
void aml_resources_end(struct aml *a, size_t mark);
void aml_end(struct aml *a, size_t mark);

/* Return(name); Store(first argument of the method, name). */
void aml_return(struct aml *a, const char *name);
void aml_store_argument(struct aml *a, const char *name);

/* Resource descriptors (ACPI 6.5, 6.4). */
void aml_res_io(struct aml *a, uint16_t base, uint8_t len);
void aml_res_irq(struct aml *a, unsigned irq);
/* The same for any interrupt source, of 5.2.13 numbering. */
void aml_res_interrupt(struct aml *a, uint32_t gsi, bool level);
/* Memory at a fixed place, read and write. */
void aml_res_memory(struct aml *a, uint32_t base, uint32_t bytes);
void aml_res_bus(struct aml *a, uint16_t first, uint16_t last);
void aml_res_io_window(struct aml *a, uint16_t first, uint16_t last);
void aml_res_memory_window(struct aml *a, uint32_t first, uint32_t last);

#endif
