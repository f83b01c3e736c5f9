/*
 * ACPI tables of the `microvm` machine: hardware-reduced (ACPI 6.5, 4.1), so RSDP, XSDT, FADT, MADT
 * and DSDT only. Virtio slots are LNRO0005, as Linux knows them.
 */
#include <stdio.h>

#include "machine/microvm/microvm.h"
#include "machine/x86/acpi.h"

static void com1(struct aml *a)
{
	size_t d = aml_device(a, "COM1"), r;

	aml_name(a, "_HID");
	aml_eisa_id(a, "PNP0501");
	aml_name_integer(a, "_UID", 1);
	aml_name(a, "_CRS");
	r = aml_resources(a);
	aml_res_io(a, PC_PORT_COM1, 8);
	aml_res_interrupt(a, MICROVM_PIN_COM1, false);
	aml_resources_end(a, r);
	aml_end(a, d);
}

static void virtio_slot(struct aml *a, unsigned slot)
{
	char name[8];
	size_t d, r;

	snprintf(name, sizeof(name), "VR%02u", slot % MICROVM_SLOTS);
	d = aml_device(a, name);
	aml_name(a, "_HID");
	aml_string(a, "LNRO0005");
	aml_name_integer(a, "_UID", slot);
	aml_name_integer(a, "_CCA", 1); /* sees what CPUs have written */
	aml_name(a, "_CRS");
	r = aml_resources(a);
	aml_res_memory(a, (uint32_t)MICROVM_VIRTIO + slot * MICROVM_VIRTIO_STRIDE,
		       MICROVM_VIRTIO_STRIDE);
	aml_res_interrupt(a, microvm_pin(slot), true);
	aml_resources_end(a, r);
	aml_end(a, d);
}

static uint32_t build_dsdt(struct machine *m, struct acpi_tables *t)
{
	struct aml a = acpi_table_begin(t, "DSDT", 2);
	size_t s;

	acpi_s5(&a, ACPI_SLEEP_S5);
	s = aml_scope(&a, "\\_SB_");
	com1(&a);
	for (unsigned i = 0; i < m->cfg.devices; i++)
		virtio_slot(&a, i);
	acpi_processors(&a, m);
	aml_end(&a, s);
	return acpi_table_end(t, &a, false);
}

static void build_fadt(struct acpi_tables *t, uint32_t dsdt)
{
	enum {
		WBINVD = 1 << 0,
		PROC_C1 = 1 << 2,
		POWER_BUTTON = 1 << 4,
		SLEEP_BUTTON = 1 << 5,
		RESET = 1 << 10,
		HW_REDUCED = 1 << 20,
		BOOT_NO_VGA = 1 << 2,
		BOOT_NO_CMOS = 1 << 5
	};
	struct aml a = acpi_table_begin(t, "FACP", 6);

	acpi_put(&a, 0, 4); /* no FACS */
	acpi_put(&a, dsdt, 4);
	acpi_put(&a, 0, 1);
	acpi_put(&a, 0, 1);	    /* no profile */
	for (int i = 0; i < 7; i++) /* interrupt, ports, lengths, latencies, alarm: no such */
		acpi_put(&a, 0, 8);
	acpi_put(&a, 0, 7);
	acpi_put(&a, BOOT_NO_VGA | BOOT_NO_CMOS, 2);
	acpi_put(&a, 0, 1);
	acpi_put(&a, WBINVD | PROC_C1 | POWER_BUTTON | SLEEP_BUTTON | RESET | HW_REDUCED, 4);
	acpi_put_port(&a, PC_PORT_RESET, 8, 1);
	acpi_put(&a, RESET_PORT_SYSTEM | RESET_PORT_CPU, 1);
	acpi_put(&a, 0, 3);
	acpi_put(&a, 0, 8);
	acpi_put(&a, dsdt, 8);
	for (int i = 0; i < 8; i++) /* PM1 events and control, PM2, timer, GPE blocks */
		acpi_put(&a, 0, 8), acpi_put(&a, 0, 4);
	acpi_put_port(&a, MICROVM_PORT_SLEEP + ACPI_SLEEP_CONTROL, 8, 1);
	acpi_put_port(&a, MICROVM_PORT_SLEEP + ACPI_SLEEP_STATUS, 8, 1);
	acpi_put(&a, 0, 8); /* hypervisor vendor */
	acpi_table_end(t, &a, true);
}

void microvm_acpi_build(struct machine *m)
{
	struct acpi_tables t = {.mem = m->ram + PC_ACPI, .at = ACPI_TABLES_FIRST};
	struct aml a;

	build_fadt(&t, build_dsdt(m, &t));
	a = acpi_madt_begin(&t, m, false);
	acpi_table_end(&t, &a, true);
	acpi_finish(&t);
}
