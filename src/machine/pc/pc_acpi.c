/*
 * ACPI tables of the `pc` machine, generated for what is there. ACPI 6.5, chapter 5: RSDP, XSDT
 * (and RSDT for old systems), FADT, FACS, MADT, HPET, MCFG (PCI Firmware 3.3), DSDT. Left out:
 * sleep states other than S5.
 */
#include <string.h>

#include "machine/pc/pc.h"
#include "machine/x86/acpi.h"

/* ---- DSDT */
static void uart_device(struct aml *a, const char *name, unsigned uid, uint16_t port, unsigned irq)
{
	size_t d = aml_device(a, name), r;

	aml_name(a, "_HID");
	aml_eisa_id(a, "PNP0501");
	aml_name_integer(a, "_UID", uid);
	aml_name(a, "_CRS");
	r = aml_resources(a);
	aml_res_io(a, port, 8);
	aml_res_irq(a, irq);
	aml_resources_end(a, r);
	aml_end(a, d);
}

static void simple_device(struct aml *a, const char *name, const char *hid, uint16_t port,
			  uint16_t port2, int irq)
{
	size_t d = aml_device(a, name), r;

	aml_name(a, "_HID");
	aml_eisa_id(a, hid);
	aml_name(a, "_CRS");
	r = aml_resources(a);
	if (port)
		aml_res_io(a, port, port2 ? 1 : 2);
	if (port2)
		aml_res_io(a, port2, 1);
	if (irq >= 0)
		aml_res_irq(a, (unsigned)irq);
	aml_resources_end(a, r);
	aml_end(a, d);
}

/* Pin p of device d is PIRQ (d + p) % 4; where that goes depends on the interrupt controllers. */
static void pci_routes(struct aml *a, const char *name, const uint8_t *pirq)
{
	enum { DEVICES = 32, PINS = 4 };
	size_t all, one;

	aml_name(a, name);
	all = aml_package(a, DEVICES * PINS);
	for (unsigned d = 0; d < DEVICES; d++) {
		for (unsigned pin = 0; pin < PINS; pin++) {
			one = aml_package(a, 4);
			aml_integer(a, d << 16 | 0xffff);
			aml_integer(a, pin);
			aml_integer(a, 0);
			aml_integer(a, pirq[(d + pin) % 4]);
			aml_end(a, one);
		}
	}
	aml_end(a, all);
}

/* The system said by _PIC which ones it uses: 0 the 8259s, 1 the APICs. */
static void pci_routing(struct aml *a)
{
	static const uint8_t pic[4] = {PC_IRQ_PIRQ_AC, PC_IRQ_PIRQ_BD, PC_IRQ_PIRQ_AC,
				       PC_IRQ_PIRQ_BD};
	static const uint8_t apic[4] = {PC_PIN_PIRQ, PC_PIN_PIRQ + 1, PC_PIN_PIRQ + 2,
					PC_PIN_PIRQ + 3};
	size_t method, test;

	aml_name_integer(a, "\\PICM", 0);
	method = aml_method(a, "\\_PIC", 1);
	aml_store_argument(a, "\\PICM");
	aml_end(a, method);
	pci_routes(a, "PRTP", pic);
	pci_routes(a, "PRTA", apic);
	method = aml_method(a, "_PRT", 0);
	test = aml_if(a, "\\PICM");
	aml_return(a, "PRTA");
	aml_end(a, test);
	aml_return(a, "PRTP");
	aml_end(a, method);
}

static void pci_root(struct machine *m, struct aml *a)
{
	size_t d = aml_device(a, "PCI0"), r;

	aml_name(a, "_HID");
	aml_eisa_id(a, "PNP0A03");
	aml_name_integer(a, "_UID", 0);
	aml_name_integer(a, "_BBN", 0);
	aml_name(a, "_CRS");
	r = aml_resources(a);
	aml_res_bus(a, 0, 0);
	aml_res_io(a, 0xcf8, 8);
	aml_res_io_window(a, 0, 0xcf7);
	aml_res_io_window(a, 0xd00, 0xffff);
	aml_res_memory_window(a, PC_VIDEO, PC_ROM - 1);
	aml_res_memory_window(a, (uint32_t)PC_PCI_HOLE, (uint32_t)PC_ECAM - 1);
	aml_res_memory_window(a, (uint32_t)(PC_ECAM + PC_ECAM_BYTES),
			      (uint32_t)PC_PCI_HOLE_END - 1);
	aml_resources_end(a, r);
	pci_routing(a);
	aml_end(a, d);
}

/* Memory that nobody may take: systems believe MCFG only if it lies in some such. */
static void motherboard(struct aml *a)
{
	size_t d = aml_device(a, "MBRD"), r;

	aml_name(a, "_HID");
	aml_eisa_id(a, "PNP0C02");
	aml_name(a, "_CRS");
	r = aml_resources(a);
	aml_res_memory(a, (uint32_t)PC_ECAM, (uint32_t)PC_ECAM_BYTES);
	aml_resources_end(a, r);
	aml_end(a, d);
}

static uint32_t build_dsdt(struct machine *m, struct acpi_tables *t)
{
	struct aml a = acpi_table_begin(t, "DSDT", 2);
	size_t s;

	acpi_s5(&a, ACPI_S5_TYPE);
	s = aml_scope(&a, "\\_SB_");
	pci_root(m, &a);
	motherboard(&a);
	simple_device(&a, "RTC_", "PNP0B00", 0x70, 0, PC_IRQ_RTC);
	simple_device(&a, "KBD_", "PNP0303", 0x60, 0x64, PC_IRQ_KEYBOARD);
	simple_device(&a, "MOU_", "PNP0F13", 0, 0, PC_IRQ_MOUSE);
	uart_device(&a, "COM1", 1, 0x3f8, PC_IRQ_COM1);
	uart_device(&a, "COM2", 2, 0x2f8, PC_IRQ_COM2);
	uart_device(&a, "COM3", 3, 0x3e8, PC_IRQ_COM1);
	uart_device(&a, "COM4", 4, 0x2e8, PC_IRQ_COM2);
	acpi_processors(&a, m);
	aml_end(&a, s);
	return acpi_table_end(t, &a, false);
}

/* ---- fixed tables */
static uint32_t build_facs(struct acpi_tables *t)
{
	uint8_t *p;

	t->at = align_up(t->at, 64);
	p = t->mem + t->at;
	memset(p, 0, 64);
	memcpy(p, "FACS", 4);
	store_le32(p + 4, 64);
	p[32] = 2;
	t->at += 64;
	return (uint32_t)(PC_ACPI + t->at - 64);
}

static void build_fadt(struct acpi_tables *t, uint32_t facs, uint32_t dsdt)
{
	enum {
		WBINVD = 1 << 0,
		PROC_C1 = 1 << 2,
		SLP_BUTTON = 1 << 5,
		TMR_EXT = 1 << 8,
		RESET = 1 << 10,
		BOOT_LEGACY = 1 << 0,
		BOOT_8042 = 1 << 1
	};
	struct aml a = acpi_table_begin(t, "FACP", 6);

	acpi_put(&a, facs, 4);
	acpi_put(&a, dsdt, 4);
	acpi_put(&a, 0, 1);
	acpi_put(&a, 1, 1); /* desktop */
	acpi_put(&a, PC_IRQ_SCI, 2);
	acpi_put(&a, 0, 4); /* no SMI command port: always in ACPI mode */
	acpi_put(&a, 0, 4); /* its values; S4BIOS, P-states */
	acpi_put(&a, PC_PORT_PM + ACPI_PM1_EVT, 4);
	acpi_put(&a, 0, 4);
	acpi_put(&a, PC_PORT_PM + ACPI_PM1_CNT, 4);
	acpi_put(&a, 0, 4);
	acpi_put(&a, 0, 4);
	acpi_put(&a, PC_PORT_PM + ACPI_PM_TMR, 4);
	acpi_put(&a, PC_PORT_PM + ACPI_GPE0, 4);
	acpi_put(&a, 0, 4);
	acpi_put(&a, 4, 1); /* block lengths: PM1 events, control, PM2, timer, GPE0, GPE1 */
	acpi_put(&a, 2, 1);
	acpi_put(&a, 0, 1);
	acpi_put(&a, 4, 1);
	acpi_put(&a, ACPI_GPE0_LEN, 1);
	acpi_put(&a, 0, 1);
	acpi_put(&a, 0, 1);
	acpi_put(&a, 0, 1);
	acpi_put(&a, 0xffff, 2); /* no C2, C3 */
	acpi_put(&a, 0xffff, 2);
	acpi_put(&a, 0, 4); /* flush size and stride */
	acpi_put(&a, 0, 2);
	acpi_put(&a, 0, 2); /* alarm: day, month */
	acpi_put(&a, MC146818_CENTURY, 1);
	acpi_put(&a, BOOT_LEGACY | BOOT_8042, 2);
	acpi_put(&a, 0, 1);
	acpi_put(&a, WBINVD | PROC_C1 | SLP_BUTTON | TMR_EXT | RESET, 4);
	acpi_put_port(&a, PC_PORT_RESET, 8, 1);
	acpi_put(&a, RESET_PORT_SYSTEM | RESET_PORT_CPU, 1);
	acpi_put(&a, 0, 3);
	acpi_put(&a, facs, 8);
	acpi_put(&a, dsdt, 8);
	acpi_put_port(&a, PC_PORT_PM + ACPI_PM1_EVT, 32, 2);
	acpi_put(&a, 0, 8), acpi_put(&a, 0, 4);
	acpi_put_port(&a, PC_PORT_PM + ACPI_PM1_CNT, 16, 2);
	acpi_put(&a, 0, 8), acpi_put(&a, 0, 4);
	acpi_put(&a, 0, 8), acpi_put(&a, 0, 4);
	acpi_put_port(&a, PC_PORT_PM + ACPI_PM_TMR, 32, 3);
	acpi_put_port(&a, PC_PORT_PM + ACPI_GPE0, 8 * ACPI_GPE0_LEN, 1);
	for (int i = 0; i < 3; i++) /* GPE1, sleep control, sleep status */
		acpi_put(&a, 0, 8), acpi_put(&a, 0, 4);
	acpi_put(&a, 0, 8); /* hypervisor vendor */
	acpi_table_end(t, &a, true);
}

static void build_madt(struct machine *m, struct acpi_tables *t)
{
	struct aml a = acpi_madt_begin(t, m, true);

	/* the SCI is level-triggered, active high */
	acpi_madt_override(&a, PC_IRQ_PIT, PC_PIN_PIT, 0);
	acpi_madt_override(&a, PC_IRQ_SCI, PC_IRQ_SCI, 0xd);
	acpi_table_end(t, &a, true);
}

static void build_hpet(struct machine *m, struct acpi_tables *t)
{
	struct aml a = acpi_table_begin(t, "HPET", 1);

	acpi_put(&a, hpet_io_ops.read(&pc_of(m)->hpet, 0, 4), 4);
	acpi_put(&a, 0, 1), acpi_put(&a, 64, 1), acpi_put(&a, 0, 1), acpi_put(&a, 0, 1);
	acpi_put(&a, HPET_BASE_DEFAULT, 8);
	acpi_put(&a, 0, 1);
	acpi_put(&a, 128, 2); /* smallest period, ticks */
	acpi_put(&a, 0, 1);
	acpi_table_end(t, &a, true);
}

static void build_mcfg(struct acpi_tables *t)
{
	struct aml a = acpi_table_begin(t, "MCFG", 1);

	acpi_put(&a, 0, 8);
	acpi_put(&a, PC_ECAM, 8);
	acpi_put(&a, 0, 2); /* segment */
	acpi_put(&a, 0, 1); /* first and last bus */
	acpi_put(&a, 0, 1);
	acpi_put(&a, 0, 4);
	acpi_table_end(t, &a, true);
}

void pc_acpi_build(struct machine *m)
{
	struct acpi_tables t = {.mem = m->ram + PC_ACPI, .at = ACPI_TABLES_FIRST};
	uint32_t facs = build_facs(&t), dsdt = build_dsdt(m, &t);

	build_fadt(&t, facs, dsdt);
	build_madt(m, &t);
	build_hpet(m, &t);
	build_mcfg(&t);
	acpi_finish(&t);
}
