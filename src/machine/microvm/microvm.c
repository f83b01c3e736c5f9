/* Wiring of the `microvm` machine: creation, interrupt routing, reset. */
#include "machine/microvm/microvm.h"

#include <errno.h>

#include "base/bits.h"
#include "host/host.h"

/* A pin that slots share is up while one of them drives it. */
static void virtio_irq(void *opaque, unsigned slot, int level)
{
	struct microvm *v = opaque;
	unsigned pin = microvm_pin(slot);
	bool up = false;

	v->driving = level ? v->driving | 1u << slot : v->driving & ~(1u << slot);
	for (unsigned i = slot % MICROVM_PINS_VIRTIO; i < MICROVM_SLOTS; i += MICROVM_PINS_VIRTIO)
		up |= v->driving >> i & 1;
	ioapic_irq(&v->m.ioapic, pin, up);
}

static void create_devices(struct microvm *v)
{
	struct machine *m = &v->m;

	uart_init(&v->uart, (struct irq_line){ioapic_irq, &m->ioapic, MICROVM_PIN_COM1},
		  m->cfg.clock, m->cfg.timers, m->cfg.serial[0]);
	v->uart.trace = m->cfg.trace;
	acpi_sleep_init(&v->sleep, x86_poweroff_asked, m);
	reset_port_init(&v->reset_port, x86_reset_asked, m);
	debug_exit_init(&v->debug_exit, x86_debug_exit_asked, m);
	debug_console_init(&v->debug_console, m->cfg.debugcon);
}

static int map_ports(struct microvm *v)
{
	const struct x86_mapping t[] = {
		{"debug console", PC_PORT_DEBUG_CONSOLE, 1, &debug_console_io_ops,
		 &v->debug_console},
		{"debug exit", PC_PORT_DEBUG_EXIT, 4, &debug_exit_io_ops, &v->debug_exit},
		{"com1", PC_PORT_COM1, 8, &uart_io_ops, &v->uart},
		{"acpi sleep", MICROVM_PORT_SLEEP, ACPI_SLEEP_LEN, &acpi_sleep_io_ops, &v->sleep},
		{"reset port", PC_PORT_RESET, 1, &reset_port_io_ops, &v->reset_port},
	};

	return x86_map_all(&v->m.ports, t, ARRAY_LEN(t));
}

static int create_virtio(struct microvm *v, struct error *err)
{
	struct machine *m = &v->m;

	if (m->cfg.devices > MICROVM_SLOTS)
		return error_set(err, -ENOSPC, "machine microvm: more than %d devices",
				 MICROVM_SLOTS);
	for (unsigned i = 0; i < m->cfg.devices; i++) {
		const struct machine_device *d = &m->cfg.device[i];

		if (d->kind != MACHINE_VIRTIO)
			return error_set(err, -EINVAL,
					 "%s: machine microvm has no PCI bus, only virtio devices",
					 d->name);
		virtio_connect(d->virtio, &m->memory, m->cfg.lock, &m->cfg.worker, m->cfg.trace);
		virtio_mmio_init(&v->slot[i], d->virtio, (struct irq_line){virtio_irq, v, i});
		if (space_map_io(&m->memory, d->name, MICROVM_VIRTIO + i * MICROVM_VIRTIO_STRIDE,
				 VIRTIO_MMIO_BYTES, &virtio_mmio_io_ops, &v->slot[i]))
			return error_set(err, -ENOSPC, "the machine's map is full");
	}
	return 0;
}

static void microvm_destroy(struct machine *m)
{
	if (!m)
		return;
	x86_machine_clear(m);
	host_free(microvm_of(m));
}

static int populate(struct microvm *v, struct error *err)
{
	create_devices(v);
	if (x86_machine_map(&v->m) || map_ports(v))
		return error_set(err, -ENOSPC, "the machine's map is full");
	return create_virtio(v, err);
}

static int microvm_create(struct machine **out, const struct machine_config *cfg,
			  struct x86_cpu *cpus, struct error *err)
{
	struct microvm *v = host_alloc(sizeof(*v));
	int r;

	if (!v)
		return error_set(err, -ENOMEM, "out of memory for the machine");
	v->m.firmware = microvm_acpi_build;
	v->m.uarts = 1;
	r = x86_machine_init(&v->m, cfg, cpus, err);
	if (!r)
		r = populate(v, err);
	if (r) {
		microvm_destroy(&v->m);
		return r;
	}
	*out = &v->m;
	return 0;
}

/* ---- instances, for reset and inspection */

static const struct device_desc *microvm_device(struct machine *m, unsigned k, void **state,
						const char **name)
{
	struct microvm *v = microvm_of(m);
	const struct x86_part t[] = {
		{&ioapic_desc, &m->ioapic, "ioapic"},
		{&uart_desc, &v->uart, "com1"},
		{&acpi_sleep_desc, &v->sleep, "acpi-sleep"},
		{&reset_port_desc, &v->reset_port, "reset-port"},
		{&kvmclock_desc, &m->kvmclock, "kvmclock"},
		{&debug_exit_desc, &v->debug_exit, "debug-exit"},
		{&debug_console_desc, &v->debug_console, "debug-console"},
	};
	const struct device_desc *part = x86_machine_part(m, t, ARRAY_LEN(t), &k, state, name);

	for (unsigned i = 0; !part && i < m->cfg.devices; i++) {
		const struct x86_part mmio = {&virtio_mmio_desc, &v->slot[i],
					      m->cfg.device[i].name};

		part = x86_virtio_part(v->slot[i].device, &mmio, 1, &k, state, name);
	}
	return part;
}

static void microvm_reset(struct machine *m)
{
	x86_machine_reset(m, microvm_device);
}

static size_t microvm_serial_input(struct machine *m, unsigned n, const uint8_t *bytes, size_t len)
{
	return n == 0 ? uart_input(&microvm_of(m)->uart, bytes, len) : 0;
}

const struct machine_desc machine_microvm = {
	.name = "microvm",
	.text = "CPUs, memory, a serial port and virtio devices, and no more",
	.create = microvm_create,
	.destroy = microvm_destroy,
	.reset = microvm_reset,
	.boot = x86_boot,
	.serial_input = microvm_serial_input,
	.memory = x86_machine_memory,
	.device = microvm_device,
};
