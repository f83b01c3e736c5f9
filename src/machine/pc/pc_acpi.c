/*
 * ACPI tables of the `pc` machine, generated for what is there. ACPI 6.5, chapter 5: RSDP, XSDT
 * (and RSDT for old systems), FADT, FACS, MADT, HPET, MCFG (PCI Firmware 3.3), DSDT. Left out: sleep states other than S5.
 */
#include <string.h>

#include "machine/aml.h"
#include "machine/pc/pc.h"

/* Tables are written one after another from PC_ACPI on. */
struct tables {
	uint8_t *mem; /* of PC_ACPI */
	size_t at;    /* next free offset */
	uint32_t address[8];
	unsigned count;
};

enum { HEADER_BYTES = 36 };

static uint8_t checksum(const uint8_t *p, size_t len)
{
	uint8_t sum = 0;

	while (len--)
		sum = (uint8_t)(sum + *p++);
	return (uint8_t)-sum;
}

static struct aml table_begin(struct tables *t, const char *signature, uint8_t revision)
{
	uint8_t h[HEADER_BYTES] = {0};
	struct aml a;

	t->at = align_up(t->at, 16);
	a = (struct aml){.bytes = t->mem + t->at, .cap = PC_ACPI_END - PC_ACPI - t->at};
	memcpy(h, signature, 4);
	h[8] = revision;
	memcpy(h + 10, "DOPPEL", 6);
	memcpy(h + 16, "DOPPELPC", 8);
	store_le32(h + 24, 1);
	memcpy(h + 28, "DOPL", 4);
	store_le32(h + 32, 1);
	aml_bytes(&a, h, sizeof(h));
	return a;
}

/* Close the table; returns its address. listed: it goes into the XSDT. */
static uint32_t table_end(struct tables *t, struct aml *a, bool listed)
{
	uint32_t address = (uint32_t)(PC_ACPI + t->at);

	store_le32(a->bytes + 4, (uint32_t)a->len);
	a->bytes[9] = checksum(a->bytes, a->len);
	t->at += a->len;
	if (listed)
		t->address[t->count++] = address;
	return address;
}

static void put(struct aml *a, uint64_t v, unsigned bytes)
{
	aml_bytes(a, &v, bytes);
}

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

/* INTA-D of device d goes to I/O APIC pin 16 + (d + pin) % 4. */
static void pci_routing(struct aml *a)
{
	enum { DEVICES = 32, PINS = 4 };
	size_t all, one;

	aml_name(a, "_PRT");
	all = aml_package(a, DEVICES * PINS);
	for (unsigned d = 0; d < DEVICES; d++) {
		for (unsigned pin = 0; pin < PINS; pin++) {
			one = aml_package(a, 4);
			aml_integer(a, d << 16 | 0xffff);
			aml_integer(a, pin);
			aml_integer(a, 0);
			aml_integer(a, 16 + (d + pin) % 4);
			aml_end(a, one);
		}
	}
	aml_end(a, all);
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

static uint32_t build_dsdt(struct machine *m, struct tables *t)
{
	struct aml a = table_begin(t, "DSDT", 2);
	size_t s;

	aml_name(&a, "\\_S5_");
	s = aml_package(&a, 4);
	aml_integer(&a, ACPI_S5_TYPE);
	aml_integer(&a, ACPI_S5_TYPE);
	aml_integer(&a, 0);
	aml_integer(&a, 0);
	aml_end(&a, s);
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
	for (unsigned i = 0; i < m->cfg.cpus; i++) {
		char name[5] = {'C', (char)('0' + i / 100), (char)('0' + i / 10 % 10),
				(char)('0' + i % 10), 0};
		size_t d = aml_device(&a, name);
		aml_name(&a, "_HID");
		aml_string(&a, "ACPI0007");
		aml_name_integer(&a, "_UID", i);
		aml_end(&a, d);
	}
	aml_end(&a, s);
	return table_end(t, &a, false);
}

/* ---- fixed tables */
static uint32_t build_facs(struct tables *t)
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

/* Generic address structure: system I/O. */
static void gas_io(struct aml *a, uint16_t port, uint8_t bits, uint8_t access)
{
	put(a, 1, 1);
	put(a, bits, 1);
	put(a, 0, 1);
	put(a, access, 1);
	put(a, port, 8);
}

static void build_fadt(struct tables *t, uint32_t facs, uint32_t dsdt)
{
	enum { WBINVD = 1 << 0, PROC_C1 = 1 << 2, SLP_BUTTON = 1 << 5, TMR_EXT = 1 << 8,
	       RESET = 1 << 10, BOOT_LEGACY = 1 << 0, BOOT_8042 = 1 << 1 };
	struct aml a = table_begin(t, "FACP", 6);

	put(&a, facs, 4);
	put(&a, dsdt, 4);
	put(&a, 0, 1);
	put(&a, 1, 1); /* desktop */
	put(&a, PC_IRQ_SCI, 2);
	put(&a, 0, 4); /* no SMI command port: always in ACPI mode */
	put(&a, 0, 4); /* its values; S4BIOS, P-states */
	put(&a, PC_PORT_PM + ACPI_PM1_EVT, 4);
	put(&a, 0, 4);
	put(&a, PC_PORT_PM + ACPI_PM1_CNT, 4);
	put(&a, 0, 4);
	put(&a, 0, 4);
	put(&a, PC_PORT_PM + ACPI_PM_TMR, 4);
	put(&a, PC_PORT_PM + ACPI_GPE0, 4);
	put(&a, 0, 4);
	put(&a, 4, 1); /* block lengths: PM1 events, control, PM2, timer, GPE0, GPE1 */
	put(&a, 2, 1);
	put(&a, 0, 1);
	put(&a, 4, 1);
	put(&a, ACPI_GPE0_LEN, 1);
	put(&a, 0, 1);
	put(&a, 0, 1);
	put(&a, 0, 1);
	put(&a, 0xffff, 2); /* no C2, C3 */
	put(&a, 0xffff, 2);
	put(&a, 0, 4); /* flush size and stride */
	put(&a, 0, 2);
	put(&a, 0, 2); /* alarm: day, month */
	put(&a, MC146818_CENTURY, 1);
	put(&a, BOOT_LEGACY | BOOT_8042, 2);
	put(&a, 0, 1);
	put(&a, WBINVD | PROC_C1 | SLP_BUTTON | TMR_EXT | RESET, 4);
	gas_io(&a, PC_PORT_RESET, 8, 1);
	put(&a, RESET_PORT_SYSTEM | RESET_PORT_CPU, 1);
	put(&a, 0, 3);
	put(&a, facs, 8);
	put(&a, dsdt, 8);
	gas_io(&a, PC_PORT_PM + ACPI_PM1_EVT, 32, 2);
	put(&a, 0, 8), put(&a, 0, 4);
	gas_io(&a, PC_PORT_PM + ACPI_PM1_CNT, 16, 2);
	put(&a, 0, 8), put(&a, 0, 4);
	put(&a, 0, 8), put(&a, 0, 4);
	gas_io(&a, PC_PORT_PM + ACPI_PM_TMR, 32, 3);
	gas_io(&a, PC_PORT_PM + ACPI_GPE0, 8 * ACPI_GPE0_LEN, 1);
	for (int i = 0; i < 3; i++) /* GPE1, sleep control, sleep status */
		put(&a, 0, 8), put(&a, 0, 4);
	put(&a, 0, 8); /* hypervisor vendor */
	table_end(t, &a, true);
}

static void build_madt(struct machine *m, struct tables *t)
{
	struct aml a = table_begin(t, "APIC", 5);

	put(&a, LAPIC_BASE_DEFAULT, 4);
	put(&a, 1, 4); /* 8259s are there too */
	for (unsigned i = 0; i < m->cfg.cpus; i++) {
		put(&a, 0, 1), put(&a, 8, 1), put(&a, i, 1), put(&a, i, 1), put(&a, 1, 4);
	}
	put(&a, 1, 1), put(&a, 12, 1), put(&a, 0, 1), put(&a, 0, 1);
	put(&a, IOAPIC_BASE_DEFAULT, 4);
	put(&a, 0, 4);
	/* IRQ 0 is on pin 2; the SCI is level-triggered, active high */
	put(&a, 2, 1), put(&a, 10, 1), put(&a, 0, 1), put(&a, PC_IRQ_PIT, 1);
	put(&a, PC_PIN_PIT, 4), put(&a, 0, 2);
	put(&a, 2, 1), put(&a, 10, 1), put(&a, 0, 1), put(&a, PC_IRQ_SCI, 1);
	put(&a, PC_IRQ_SCI, 4), put(&a, 0xd, 2);
	/* LINT1 of every CPU is NMI */
	put(&a, 4, 1), put(&a, 6, 1), put(&a, 0xff, 1), put(&a, 0, 2), put(&a, 1, 1);
	table_end(t, &a, true);
}

static void build_hpet(struct machine *m, struct tables *t)
{
	struct aml a = table_begin(t, "HPET", 1);

	put(&a, hpet_io_ops.read(&pc_of(m)->hpet, 0, 4), 4);
	put(&a, 0, 1), put(&a, 64, 1), put(&a, 0, 1), put(&a, 0, 1);
	put(&a, HPET_BASE_DEFAULT, 8);
	put(&a, 0, 1);
	put(&a, 128, 2); /* smallest period, ticks */
	put(&a, 0, 1);
	table_end(t, &a, true);
}

static void build_mcfg(struct tables *t)
{
	struct aml a = table_begin(t, "MCFG", 1);

	put(&a, 0, 8);
	put(&a, PC_ECAM, 8);
	put(&a, 0, 2); /* segment */
	put(&a, 0, 1); /* first and last bus */
	put(&a, 0, 1);
	put(&a, 0, 4);
	table_end(t, &a, true);
}

static void build_rsdp(struct tables *t, uint32_t rsdt, uint32_t xsdt)
{
	uint8_t *p = t->mem;

	memset(p, 0, 36);
	memcpy(p, "RSD PTR ", 8);
	memcpy(p + 9, "DOPPEL", 6);
	p[15] = 2;
	store_le32(p + 16, rsdt);
	store_le32(p + 20, 36);
	store_le64(p + 24, xsdt);
	p[8] = checksum(p, 20);
	p[32] = checksum(p, 36);
}

uint64_t pc_acpi_build(struct machine *m)
{
	struct tables t = {.mem = m->ram + PC_ACPI, .at = 64};
	uint32_t facs, dsdt, rsdt, xsdt;
	unsigned listed;
	struct aml a;

	facs = build_facs(&t);
	dsdt = build_dsdt(m, &t);
	build_fadt(&t, facs, dsdt);
	build_madt(m, &t);
	build_hpet(m, &t);
	build_mcfg(&t);
	listed = t.count;
	a = table_begin(&t, "RSDT", 1);
	for (unsigned i = 0; i < listed; i++)
		put(&a, t.address[i], 4);
	rsdt = table_end(&t, &a, false);
	a = table_begin(&t, "XSDT", 1);
	for (unsigned i = 0; i < listed; i++)
		put(&a, t.address[i], 8);
	xsdt = table_end(&t, &a, false);
	build_rsdp(&t, rsdt, xsdt);
	return PC_ACPI;
}
