/* Wiring of the `pc` machine: creation, interrupt routing, reset. */
#include "machine/pc/pc.h"

#include <errno.h>
#include <string.h>

#include "host/host.h"
#include "isa/x86/fault.h"

/* ISA interrupt n goes to the 8259s and to the I/O APIC; IRQ 0 to its pin 2. */
void pc_irq(void *opaque, unsigned n, int level)
{
	struct machine *m = opaque;

	i8259_irq(&pc_of(m)->pic, n, level);
	ioapic_irq(&m->ioapic, n == PC_IRQ_PIT ? PC_PIN_PIT : n, level);
}

/* Lines of the 8254 and the clock, which the HPET may stand in for. */
static void pc_irq_legacy(void *opaque, unsigned n, int level)
{
	struct machine *m = opaque;

	if (!hpet_legacy_active(&pc_of(m)->hpet))
		pc_irq(m, n, level);
}

static struct irq_line line(struct machine *m, unsigned n)
{
	return (struct irq_line){pc_irq, m, n};
}

/* The 8259s' output: LINT0 of the boot processor. */
static void pc_intr(void *opaque, unsigned n, int level)
{
	struct machine *m = opaque;

	lapic_lint(&m->lapic[0], 0, level);
}

static int pc_pic_ack(void *opaque)
{
	return i8259_ack(&((struct pc *)opaque)->pic);
}

static const struct i8042_ops keyboard_ops = {.reset = x86_reset_asked};

static void create_interrupts(struct machine *m)
{
	m->lapic_bus.pic_ack = pc_pic_ack;
	m->lapic_bus.pic_opaque = m;
	i8259_init(&pc_of(m)->pic, (struct irq_line){pc_intr, m, 0});
	pc_of(m)->pic.trace = m->cfg.trace;
}

static void create_uarts(struct machine *m)
{
	static const uint8_t irqs[4] = {PC_IRQ_COM1, PC_IRQ_COM2, PC_IRQ_COM1, PC_IRQ_COM2};

	for (int i = 0; i < 4; i++) {
		uart_init(&pc_of(m)->uart[i], line(m, irqs[i]), m->cfg.clock, m->cfg.timers,
			  m->cfg.serial[i]);
		pc_of(m)->uart[i].trace = m->cfg.trace;
	}
}

static void create_devices(struct machine *m)
{
	const struct clock *clock = m->cfg.clock;
	struct timerq *timers = m->cfg.timers;

	create_interrupts(m);
	create_uarts(m);
	i8254_init(&pc_of(m)->pit, (struct irq_line){pc_irq_legacy, m, PC_IRQ_PIT}, clock, timers);
	mc146818_init(&pc_of(m)->rtc, (struct irq_line){pc_irq_legacy, m, PC_IRQ_RTC}, clock,
		      timers);
	i8042_init(&pc_of(m)->keyboard, line(m, PC_IRQ_KEYBOARD), line(m, PC_IRQ_MOUSE),
		   &keyboard_ops, m);
	hpet_init(&pc_of(m)->hpet, (struct irq_line){ioapic_irq, &m->ioapic, 0},
		  line(m, PC_IRQ_PIT), line(m, PC_IRQ_RTC), clock, timers);
	acpi_pm_init(&pc_of(m)->pm, line(m, PC_IRQ_SCI), clock, timers, x86_poweroff_asked, m);
	pc_of(m)->pm.timer_32bit = true;
	reset_port_init(&pc_of(m)->reset_port, x86_reset_asked, m);
	pci_host_init(&pc_of(m)->pci_host, &pc_of(m)->pci_bus, &pc_of(m)->reset_port);
	debug_exit_init(&pc_of(m)->debug_exit, x86_debug_exit_asked, m);
	debug_console_init(&pc_of(m)->debug_console, m->cfg.debugcon);
	pc_of(m)->pit.trace = pc_of(m)->rtc.trace = pc_of(m)->keyboard.trace =
		pc_of(m)->hpet.trace = pc_of(m)->pm.trace = pc_of(m)->pci_host.trace =
			m->kvmclock.trace = m->cfg.trace;
}

static int map_ports(struct machine *m)
{
	const struct x86_mapping t[] = {
		{"i8259 master", 0x20, 2, &i8259_io_ops, &pc_of(m)->pic.chip[0]},
		{"i8254", 0x40, 4, &i8254_io_ops, &pc_of(m)->pit},
		{"i8042 data", 0x60, 1, &i8042_data_io_ops, &pc_of(m)->keyboard},
		{"port 61h", 0x61, 1, &i8254_port61_io_ops, &pc_of(m)->pit},
		{"i8042 command", 0x64, 1, &i8042_command_io_ops, &pc_of(m)->keyboard},
		{"mc146818", 0x70, 2, &mc146818_io_ops, &pc_of(m)->rtc},
		{"port 92h", 0x92, 1, &i8042_port92_io_ops, &pc_of(m)->keyboard},
		{"i8259 slave", 0xa0, 2, &i8259_io_ops, &pc_of(m)->pic.chip[1]},
		{"debug console", PC_PORT_DEBUG_CONSOLE, 1, &debug_console_io_ops,
		 &pc_of(m)->debug_console},
		{"debug exit", PC_PORT_DEBUG_EXIT, 4, &debug_exit_io_ops, &pc_of(m)->debug_exit},
		{"com4", 0x2e8, 8, &uart_io_ops, &pc_of(m)->uart[3]},
		{"com2", 0x2f8, 8, &uart_io_ops, &pc_of(m)->uart[1]},
		{"com3", 0x3e8, 8, &uart_io_ops, &pc_of(m)->uart[2]},
		{"com1", 0x3f8, 8, &uart_io_ops, &pc_of(m)->uart[0]},
		{"i8259 elcr", 0x4d0, 2, &i8259_elcr_io_ops, &pc_of(m)->pic},
		{"acpi pm", PC_PORT_PM, ACPI_PM_LEN, &acpi_pm_io_ops, &pc_of(m)->pm},
		{"pci host", 0xcf8, 8, &pci_host_io_ops, &pc_of(m)->pci_host},
	};

	return x86_map_all(&m->ports, t, ARRAY_LEN(t));
}

static int map_memory(struct machine *m)
{
	const struct x86_mapping t[] = {
		{"hpet", HPET_BASE_DEFAULT, HPET_LEN, &hpet_io_ops, &pc_of(m)->hpet},
		{"pci ecam", PC_ECAM, PC_ECAM_BYTES, &pci_ecam_io_ops, &pc_of(m)->pci_host},
	};
	int r = x86_machine_map(m);

	return r ? r : x86_map_all(&m->memory, t, ARRAY_LEN(t));
}

static void pc_destroy(struct machine *m)
{
	if (!m)
		return;
	x86_machine_clear(m);
	pc_pci_destroy(m);
	host_free(pc_of(m));
}

static void pc_firmware(struct machine *m)
{
	pc_pci_firmware(m);
	pc_acpi_build(m);
}

static void pc_handover(struct machine *m)
{
	acpi_pm_enable(&pc_of(m)->pm);
}

static int populate(struct machine *m, struct error *err)
{
	create_devices(m);
	if (map_memory(m) || map_ports(m))
		return error_set(err, -ENOSPC, "the machine's map is full");
	return pc_pci_create(m, err);
}

static int pc_create(struct machine **out, const struct machine_config *cfg, struct x86_cpu *cpus,
		     struct error *err)
{
	struct pc *pc = host_alloc(sizeof(*pc));
	struct machine *m;
	int r;

	if (!pc)
		return error_set(err, -ENOMEM, "out of memory for the machine");
	m = &pc->m;
	m->firmware = pc_firmware;
	m->handover = pc_handover;
	m->uarts = 4;
	r = x86_machine_init(m, cfg, cpus, err);
	if (!r)
		r = populate(m, err);
	if (r) {
		pc_destroy(m);
		return r;
	}
	*out = m;
	return 0;
}

/* ---- instances, for reset and inspection */
static const struct device_desc *pc_device(struct machine *m, unsigned k, void **state,
					   const char **name)
{
	const struct x86_part t[] = {
		{&ioapic_desc, &m->ioapic, "ioapic"},
		{&i8259_desc, &pc_of(m)->pic, "i8259"},
		{&i8254_desc, &pc_of(m)->pit, "i8254"},
		{&mc146818_desc, &pc_of(m)->rtc, "mc146818"},
		{&i8042_desc, &pc_of(m)->keyboard, "i8042"},
		{&uart_desc, &pc_of(m)->uart[0], "com1"},
		{&uart_desc, &pc_of(m)->uart[1], "com2"},
		{&uart_desc, &pc_of(m)->uart[2], "com3"},
		{&uart_desc, &pc_of(m)->uart[3], "com4"},
		{&hpet_desc, &pc_of(m)->hpet, "hpet"},
		{&acpi_pm_desc, &pc_of(m)->pm, "acpi-pm"},
		{&reset_port_desc, &pc_of(m)->reset_port, "reset-port"},
		{&pci_host_desc, &pc_of(m)->pci_host, "pci-host"},
		{&kvmclock_desc, &m->kvmclock, "kvmclock"},
		{&debug_exit_desc, &pc_of(m)->debug_exit, "debug-exit"},
		{&debug_console_desc, &pc_of(m)->debug_console, "debug-console"},
	};
	const struct device_desc *part = x86_machine_part(m, t, ARRAY_LEN(t), &k, state, name);

	return part ? part : pc_pci_device(m, k, state, name);
}

/* CMOS bytes that old systems look at for the size of memory. */
static void cmos_memory(struct machine *m)
{
	uint64_t ext_kib = (m->low_end - (1 << 20)) >> 10;
	uint64_t above16_64k = m->low_end > (16 << 20) ? (m->low_end - (16 << 20)) >> 16 : 0;

	if (ext_kib > 0xffff)
		ext_kib = 0xffff;
	if (above16_64k > 0xffff)
		above16_64k = 0xffff;
	mc146818_set(&pc_of(m)->rtc, 0x15, 0x80); /* 640 KiB of base memory */
	mc146818_set(&pc_of(m)->rtc, 0x16, 0x02);
	for (int i = 0; i < 2; i++) {
		mc146818_set(&pc_of(m)->rtc, 0x17 + (unsigned)i, (uint8_t)(ext_kib >> 8 * i));
		mc146818_set(&pc_of(m)->rtc, 0x30 + (unsigned)i, (uint8_t)(ext_kib >> 8 * i));
		mc146818_set(&pc_of(m)->rtc, 0x34 + (unsigned)i, (uint8_t)(above16_64k >> 8 * i));
	}
}

static void pc_reset(struct machine *m)
{
	x86_machine_reset(m, pc_device);
	cmos_memory(m);
}

static size_t pc_serial_input(struct machine *m, unsigned n, const uint8_t *bytes, size_t len)
{
	return n < 4 ? uart_input(&pc_of(m)->uart[n], bytes, len) : 0;
}

const struct machine_desc machine_pc = {
	.name = "pc",
	.text = "PC/AT with APICs, HPET, ACPI and PCI",
	.create = pc_create,
	.destroy = pc_destroy,
	.reset = pc_reset,
	.boot = x86_boot,
	.serial_input = pc_serial_input,
	.memory = x86_machine_memory,
	.device = pc_device,
};
