/*
 * Device models under random accesses: all of them, wired to each other as in a PC, with time
 * passing. Nothing may crash, hang or reach outside its state; the 8259s and the local APIC
 * must agree on whether an interrupt waits; state saved and restored must stay the same.
 */
#include <string.h>

#include "base/bits.h"
#include "device/acpi_pm.h"
#include "device/debug_port.h"
#include "device/hpet.h"
#include "device/i8042.h"
#include "device/i8254.h"
#include "device/i8259.h"
#include "device/ioapic.h"
#include "device/kvmclock.h"
#include "device/lapic.h"
#include "device/mc146818.h"
#include "device/pci/pci.h"
#include "device/uart16550.h"
#include "fuzz.h"

enum { CPUS = 3, RAM_BYTES = 8192, TIMERS_PER_STEP = 64 };

struct board {
	uint64_t now;
	struct clock clock;
	struct timerq timerq;
	struct space memory;
	struct lapic_bus bus;
	struct lapic lapic[CPUS];
	unsigned intr[CPUS];
	struct ioapic ioapic;
	struct i8259_pair i8259;
	struct i8254 i8254;
	struct mc146818 rtc;
	struct uart uart;
	struct i8042 i8042;
	struct hpet hpet;
	struct acpi_pm acpi;
	struct debug_exit debug_exit;
	struct debug_console debug_console;
	struct pci_bus pci;
	struct reset_port reset_port;
	struct pci_host host;
	struct pci_function function;
	struct kvmclock kvmclock;
	uint8_t ram[RAM_BYTES];
};

/* Every device with registers: where it lies in the board, and how far its offsets go. */
struct place {
	const struct device_desc *desc;
	const struct io_ops *ops;
	size_t state, opaque;
	uint64_t span;
};

#define AT(member) offsetof(struct board, member)

/* clang-format off */
static const struct place places[] = {
	{&ioapic_desc, &ioapic_io_ops, AT(ioapic), AT(ioapic), IOAPIC_LEN},
	{&i8259_desc, &i8259_io_ops, AT(i8259), AT(i8259.chip[0]), 2},
	{&i8259_desc, &i8259_io_ops, AT(i8259), AT(i8259.chip[1]), 2},
	{&i8259_desc, &i8259_elcr_io_ops, AT(i8259), AT(i8259), 2},
	{&i8254_desc, &i8254_io_ops, AT(i8254), AT(i8254), 4},
	{&i8254_desc, &i8254_port61_io_ops, AT(i8254), AT(i8254), 1},
	{&mc146818_desc, &mc146818_io_ops, AT(rtc), AT(rtc), 2},
	{&uart_desc, &uart_io_ops, AT(uart), AT(uart), 8},
	{&i8042_desc, &i8042_data_io_ops, AT(i8042), AT(i8042), 1},
	{&i8042_desc, &i8042_command_io_ops, AT(i8042), AT(i8042), 1},
	{&i8042_desc, &i8042_port92_io_ops, AT(i8042), AT(i8042), 1},
	{&hpet_desc, &hpet_io_ops, AT(hpet), AT(hpet), HPET_LEN},
	{&acpi_pm_desc, &acpi_pm_io_ops, AT(acpi), AT(acpi), ACPI_PM_LEN},
	{&acpi_pm_desc, &acpi_smi_io_ops, AT(acpi), AT(acpi), 2},
	{&debug_exit_desc, &debug_exit_io_ops, AT(debug_exit), AT(debug_exit), 4},
	{&debug_console_desc, &debug_console_io_ops, AT(debug_console), AT(debug_console), 1},
	{&pci_host_desc, &pci_host_io_ops, AT(host), AT(host), 8},
	{&reset_port_desc, &reset_port_io_ops, AT(reset_port), AT(reset_port), 1},
	{&lapic_desc, NULL, AT(lapic[0]), AT(lapic[0]), 0x1000},
	{&lapic_desc, NULL, AT(lapic[2]), AT(lapic[2]), 0x1000},
	{&kvmclock_desc, NULL, AT(kvmclock), AT(kvmclock), 0},
	{&pci_function_desc, NULL, AT(function), AT(function), 0},
};
/* clang-format on */

static uint64_t board_now(void *opaque)
{
	return ((struct board *)opaque)->now;
}

static void on_request(void *cpu, enum lapic_signal s, unsigned value)
{
	if (s == LAPIC_SIGNAL_INTR)
		*(unsigned *)cpu = value;
}

static const struct lapic_cpu_ops cpu_ops = {on_request};

/* Lines 0-15 go to both controllers, as on a PC. */
static void on_isa(void *opaque, unsigned n, int level)
{
	struct board *b = opaque;

	i8259_irq(&b->i8259, n, level);
	ioapic_irq(&b->ioapic, n ? n : 2, level);
}

static void on_sink(void *opaque, const uint8_t *bytes, size_t len)
{
}

static void on_call(void *opaque)
{
}

static void on_call_value(void *opaque, uint32_t value)
{
}

static void board_init(struct board *b)
{
	struct byte_sink sink = {on_sink, b};
	struct irq_line isa[16];

	memset(b, 0, sizeof(*b));
	for (unsigned i = 0; i < 16; i++)
		isa[i] = (struct irq_line){on_isa, b, i};
	b->clock = (struct clock){board_now, b, 1700000000123456789ull};
	b->timerq.clock = &b->clock;
	space_init(&b->memory, NULL, NULL, TRACE_MMIO);
	FUZZ_CHECK(!space_map_ram(&b->memory, 0, RAM_BYTES, b->ram, false), "no RAM");
	for (unsigned i = 0; i < CPUS; i++)
		lapic_init(&b->lapic[i], &b->bus, i, i == 0, &cpu_ops, &b->intr[i], &b->clock,
			   &b->timerq);
	lapic_virtual_wire(&b->lapic[0]);
	ioapic_init(&b->ioapic, CPUS, &b->bus);
	i8259_init(&b->i8259, (struct irq_line){lapic_lint, &b->lapic[0], 0});
	b->bus.eoi = ioapic_eoi;
	b->bus.eoi_opaque = &b->ioapic;
	b->bus.pic_ack = i8259_ack;
	b->bus.pic_opaque = &b->i8259;
	i8254_init(&b->i8254, isa[0], &b->clock, &b->timerq);
	mc146818_init(&b->rtc, isa[8], &b->clock, &b->timerq);
	uart_init(&b->uart, isa[4], &b->clock, &b->timerq, sink);
	i8042_init(&b->i8042, isa[1], isa[12], NULL, NULL);
	hpet_init(&b->hpet, (struct irq_line){ioapic_irq, &b->ioapic, 0}, isa[0], isa[8], &b->clock,
		  &b->timerq);
	acpi_pm_init(&b->acpi, isa[9], &b->clock, &b->timerq, on_call, b);
	debug_exit_init(&b->debug_exit, on_call_value, b);
	debug_console_init(&b->debug_console, sink);
	reset_port_init(&b->reset_port, on_call, b);
	pci_host_init(&b->host, &b->pci, &b->reset_port);
	pci_function_init(&b->function, 0x1af4, 0x1041, 0x020000, 1, NULL, NULL);
	b->function.irq = isa[10];
	pci_function_bar(&b->function, 0, 32, PCI_BAR_IO);
	pci_function_bar(&b->function, 2, 4096, PCI_BAR_MEM64);
	pci_function_bar(&b->function, 5, 1 << 20, 0);
	pci_bus_add(&b->pci, &b->function, 1, 0);
	kvmclock_init(&b->kvmclock, &b->memory, &b->clock);
}

/* ---- steps */

static void access_lapic(struct lapic *l, struct fuzz_input *in, bool write)
{
	unsigned how = (unsigned)fuzz_take(in, 1), msr = 0x800 + how;
	uint64_t v = 0;

	if (how == 0xff && write) {
		lapic_base_set(l, fuzz_take(in, 8));
	} else if (how == 0xfe && write) {
		lapic_base_set(l, LAPIC_BASE_DEFAULT | (fuzz_take(in, 1) & 3) << 10);
	} else if (how == 0xfd && write) {
		v = fuzz_take(in, 4);
		lapic_tsc_deadline_set(l, v, fuzz_take(in, 8));
	} else if (lapic_page(l) == ~0ull) {
		if (write)
			lapic_msr_write(l, msr & 0x83f, fuzz_take(in, 4 + (how & 4)));
		else if (lapic_msr_read(l, msr & 0x83f, &v))
			FUZZ_CHECK(msr == 0x830 || v >> 32 == 0 || (msr & 0x83f) == 0x830,
				   "msr %#x reads %#llx", msr, (unsigned long long)v);
	} else if (write) {
		lapic_write(l, how << 4 & 0xff0, (uint32_t)fuzz_take(in, 4));
	} else {
		lapic_read(l, how << 4 & 0xff0);
	}
}

static void access_device(struct board *b, struct fuzz_input *in, bool write)
{
	const struct place *p = &places[fuzz_take(in, 1) % ARRAY_LEN(places)];
	void *opaque = (char *)b + p->opaque;
	uint64_t offset, v;
	unsigned bytes = 1u << fuzz_take(in, 1) % 4;

	if (p->desc == &lapic_desc) {
		access_lapic(opaque, in, write);
		return;
	}
	if (!p->ops)
		return;
	offset = fuzz_take(in, p->span > 256 ? 2 : 1) % p->span;
	if (bytes > p->ops->max_bytes)
		bytes = p->ops->max_bytes;
	offset = offset / bytes * bytes;
	if (!write) {
		p->ops->read(opaque, offset, bytes);
		return;
	}
	v = fuzz_take(in, bytes);
	p->ops->write(opaque, offset, v, bytes);
}

/* Time passes: up to some deadlines, then a jump that leaves timers late. */
static void pass_time(struct board *b, struct fuzz_input *in)
{
	uint64_t end = b->now + (fuzz_take(in, 2) << fuzz_take(in, 1) % 32);

	for (unsigned i = 0; i < TIMERS_PER_STEP && timerq_next(&b->timerq) <= end; i++) {
		if (timerq_next(&b->timerq) > b->now)
			b->now = timerq_next(&b->timerq);
		timerq_run(&b->timerq, b->now);
	}
	b->now = end;
	timerq_run(&b->timerq, b->now);
}

/* What comes from outside the guest, and from its CPUs. */
static void outside(struct board *b, struct fuzz_input *in)
{
	uint8_t bytes[8];
	unsigned what = (unsigned)fuzz_take(in, 1), v = (unsigned)fuzz_take(in, 1);
	uint64_t value;

	switch (what % 12) {
	case 0:
		memset(bytes, (int)v, sizeof(bytes));
		uart_input(&b->uart, bytes, v % 9);
		break;
	case 1:
		i8042_key(&b->i8042, (uint8_t)v);
		break;
	case 2:
		i8042_mouse_move(&b->i8042, (int)v - 100, 50 - (int)v, v);
		break;
	case 3:
		acpi_pm_power_button(&b->acpi);
		break;
	case 4:
		acpi_pm_gpe(&b->acpi, v & 31);
		break;
	case 5:
		on_isa(b, v & 31, v >> 7);
		break;
	case 6:
		lapic_ack(&b->lapic[v % CPUS]);
		break;
	case 7:
		lapic_lint(&b->lapic[v % CPUS], v >> 4 & 3, v >> 7);
		break;
	case 8:
		value = fuzz_take(in, 4);
		lapic_bus_msi(&b->bus, 0xfee00000 | (value & 0xffffc), (uint32_t)value);
		break;
	case 9:
		pci_function_intx(&b->function, v & 1);
		break;
	case 10:
		kvmclock_msr_write(&b->kvmclock, v % 65, v & 128 ? 0x4b564d01 : 0x4b564d00,
				   fuzz_take(in, 2), b->now);
		break;
	case 11:
		lapic_cr8_set(&b->lapic[v % CPUS], v >> 4);
		break;
	}
}

static void save_and_restore(struct board *b, struct fuzz_input *in)
{
	static uint8_t buf[4096], buf2[4096];
	const struct place *p = &places[fuzz_take(in, 1) % ARRAY_LEN(places)];
	void *state = (char *)b + p->state;
	size_t n = field_size(p->desc->fields);

	FUZZ_CHECK(n <= sizeof(buf), "%s: %zu bytes of state", p->desc->name, n);
	field_save(p->desc->fields, state, buf);
	field_restore(p->desc->fields, state, buf);
	if (p->desc->after_restore)
		p->desc->after_restore(state);
	field_save(p->desc->fields, state, buf2);
	FUZZ_CHECK(!memcmp(buf, buf2, n), "%s: restoring changed the state", p->desc->name);
}

static void check_board(struct board *b)
{
	for (unsigned i = 0; i < CPUS; i++)
		FUZZ_CHECK(b->intr[i] == lapic_has_interrupt(&b->lapic[i]), "CPU %u was told %u", i,
			   b->intr[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct board b __attribute__((aligned(4096)));
	struct fuzz_input in = {data, data + len};

	board_init(&b);
	while (in.at < in.end) {
		unsigned op = (unsigned)fuzz_take(&in, 1);

		switch (op % 16) {
		case 0 ... 7:
			access_device(&b, &in, true);
			break;
		case 8 ... 11:
			access_device(&b, &in, false);
			break;
		case 12:
			pass_time(&b, &in);
			break;
		case 13:
		case 14:
			outside(&b, &in);
			break;
		case 15:
			if (op == 0xff) {
				const struct place *p =
					&places[fuzz_take(&in, 1) % ARRAY_LEN(places)];
				p->desc->reset((char *)&b + p->state);
			} else {
				save_and_restore(&b, &in);
			}
			break;
		}
		check_board(&b);
	}
	space_destroy(&b.memory);
	return 0;
}
