/*
 * PCI on the `pc` machine: where functions sit, how their interrupts are routed, where their BARs
 * answer; and what firmware would do to them before it boots a system. Devices that the user asked
 * for take slots 2 to 31 in their order, each as function 0; pin INTA of slot n is PIRQ n % 4. Slot
 * 1 is a PIIX3's, if there are IDE disks.
 */
#include "machine/pc/pc.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "host/host.h"
#include "isa/x86/fault.h"

enum { SLOT_PIIX = 1, SLOT_FIRST = 2, SLOTS = 32, PIRQS = 4, PIIX_IDE_FUNCTION = 1 };

/* PIRQ n is pin 16 + n of the I/O APIC, and of the 8259s this input: */
static const uint8_t pirq_isa[PIRQS] = {PC_IRQ_PIRQ_AC, PC_IRQ_PIRQ_BD, PC_IRQ_PIRQ_AC,
					PC_IRQ_PIRQ_BD};

/* A line shared by several functions is up while one of them drives it. n: the slot. */
static void pc_pci_irq(void *opaque, unsigned n, int level)
{
	struct machine *m = opaque;
	struct pc_pci *p = &pc_of(m)->pci;
	unsigned pirq = n % PIRQS, isa = pirq_isa[pirq];
	uint32_t bit = 1u << n % SLOTS;
	bool shared = false;

	p->pirq[pirq] = level ? p->pirq[pirq] | bit : p->pirq[pirq] & ~bit;
	ioapic_irq(&m->ioapic, PC_PIN_PIRQ + pirq, p->pirq[pirq] != 0);
	for (unsigned i = 0; i < PIRQS; i++)
		shared |= pirq_isa[i] == isa && p->pirq[i];
	pc_irq(m, isa, shared);
}

static void pc_pci_message(void *opaque, uint64_t address, uint32_t data)
{
	struct machine *m = opaque;

	lapic_bus_msi(&m->lapic_bus, address, data);
}

/* ---- BARs */

static void bar_moved(void *opaque, struct pci_function *f, unsigned bar, uint64_t base,
		      bool enabled)
{
	struct machine *m = opaque;
	bool io = f->config[PCI_BAR0 + 4 * bar] & PCI_BAR_IO;
	struct io_region *r = pc_of(m)->pci.region[f->devfn][bar];

	if (!r || !space_io_place(io ? &m->ports : &m->memory, r, base, enabled))
		return;
	for (unsigned i = 0; i < m->cfg.cpus; i++)
		x86_request(&m->cpus[i], X86_REQ_FLUSH_TLB);
}

/* Regions of all BARs, answering nowhere yet. */
static int map_bars(struct machine *m, struct pci_function *f)
{
	struct pc_pci *p = &pc_of(m)->pci;

	for (unsigned i = 0; i < PCI_BARS; i++) {
		bool io = f->config[PCI_BAR0 + 4 * i] & PCI_BAR_IO;
		struct space *s = io ? &m->ports : &m->memory;

		if (!f->bar_bytes[i] || !f->bar_ops[i])
			continue;
		int r = space_map_io(s, p->name[f->devfn >> 3], 0, f->bar_bytes[i], f->bar_ops[i],
				     f->bar_opaque);
		if (r)
			return r;
		p->region[f->devfn][i] = &s->io[s->io_count - 1];
		space_io_place(s, p->region[f->devfn][i], 0, false);
	}
	f->bar_moved = bar_moved;
	f->machine = m;
	return 0;
}

/* ---- creation */

static struct pci_wiring wiring(struct machine *m)
{
	return (struct pci_wiring){&m->memory,	 m->cfg.lock,	&m->cfg.worker,
				   m->cfg.clock, m->cfg.timers, m->cfg.trace};
}

static int place(struct machine *m, struct pci_function *f, unsigned slot, const char *name)
{
	const struct pci_wiring w = wiring(m);

	f->irq = (struct irq_line){pc_pci_irq, m, slot};
	f->messages = (struct pci_messages){pc_pci_message, m};
	f->config[PCI_INTERRUPT_PIN] = 1;
	f->config[PCI_INTERRUPT_LINE] = pirq_isa[slot % PIRQS];
	snprintf(pc_of(m)->pci.name[slot], sizeof(pc_of(m)->pci.name[slot]), "%s", name);
	if (!pci_bus_add(&pc_of(m)->pci_bus, f, slot, 0))
		return -EBUSY;
	if (f->ops && f->ops->connect)
		f->ops->connect(f->opaque, &w);
	return map_bars(m, f);
}

static int create_one(struct machine *m, unsigned k, unsigned slot)
{
	const struct machine_device *d = &m->cfg.device[k];
	struct virtio_pci *v;

	if (d->kind == MACHINE_PCI)
		return place(m, d->pci, slot, d->name);
	v = &pc_of(m)->pci.virtio[k];
	virtio_connect(d->virtio, &m->memory, m->cfg.lock, &m->cfg.worker, m->cfg.trace);
	virtio_pci_init(v, d->virtio);
	return place(m, &v->pci, slot, d->name);
}

/* ---- IDE */

static int map_ide(struct machine *m, struct ide *ide)
{
	static const uint16_t command[IDE_CHANNELS] = {0x1f0, 0x170};
	static const uint16_t control[IDE_CHANNELS] = {0x3f6, 0x376};
	int r = 0;

	for (unsigned i = 0; r == 0 && i < IDE_CHANNELS; i++) {
		r = space_map_io(&m->ports, i ? "ide1" : "ide0", command[i], 8, &ide_command_io_ops,
				 &ide->channel[i]);
		if (r == 0)
			r = space_map_io(&m->ports, i ? "ide1 control" : "ide0 control", control[i],
					 1, &ide_control_io_ops, &ide->channel[i]);
	}
	return r ? r : map_bars(m, &ide->pci);
}

static int create_ide(struct machine *m)
{
	const struct pci_wiring w = wiring(m);
	struct pc_pci *p = &pc_of(m)->pci;
	struct pci_bus *bus = &pc_of(m)->pci_bus;

	p->ide = host_alloc(sizeof(*p->ide));
	if (!p->ide)
		return -ENOMEM;
	ide_init(p->ide, (struct irq_line){pc_irq, m, PC_IRQ_IDE},
		 (struct irq_line){pc_irq, m, PC_IRQ_IDE + 1}, &w);
	snprintf(p->name[SLOT_PIIX], sizeof(p->name[SLOT_PIIX]), "ide bus master");
	if (!pci_bus_add(bus, &p->ide->bridge, SLOT_PIIX, 0) ||
	    !pci_bus_add(bus, &p->ide->pci, SLOT_PIIX, PIIX_IDE_FUNCTION))
		return -EBUSY;
	return map_ide(m, p->ide);
}

static int create_ide_disks(struct machine *m, struct error *err)
{
	struct pc_pci *p = &pc_of(m)->pci;
	unsigned n = 0;

	for (unsigned k = 0; k < m->cfg.devices; k++) {
		const struct machine_device *d = &m->cfg.device[k];
		int r = 0;

		if (d->kind != MACHINE_IDE_DISK)
			continue;
		if (!p->ide)
			r = create_ide(m);
		if (r)
			return error_set(err, r, "%s: no room for an IDE controller", d->name);
		if (!ide_attach(p->ide, n++, d->disk))
			return error_set(err, -ENOSPC, "%s: no more than %d IDE disks", d->name,
					 IDE_CHANNELS * IDE_DRIVES);
	}
	return 0;
}

int pc_pci_create(struct machine *m, struct error *err)
{
	unsigned slot = SLOT_FIRST;
	int r = 0;

	if (!m->cfg.devices)
		return 0;
	pc_of(m)->pci.virtio = host_alloc(m->cfg.devices * sizeof(pc_of(m)->pci.virtio[0]));
	if (!pc_of(m)->pci.virtio)
		return error_set(err, -ENOMEM, "out of memory for devices");
	for (unsigned k = 0; r == 0 && k < m->cfg.devices; k++) {
		if (m->cfg.device[k].kind == MACHINE_IDE_DISK)
			continue;
		if (slot == SLOTS)
			return error_set(err, -ENOSPC, "%s: no more than %d PCI devices",
					 m->cfg.device[k].name, SLOTS - SLOT_FIRST);
		r = create_one(m, k, slot++);
		if (r)
			return error_set(err, r, "%s: no room on the PCI bus",
					 m->cfg.device[k].name);
	}
	return create_ide_disks(m, err);
}

void pc_pci_destroy(struct machine *m)
{
	host_free(pc_of(m)->pci.ide);
	host_free(pc_of(m)->pci.virtio);
}

/* ---- what firmware does: addresses for all BARs, decoding on */

/* Takes bytes, a power of two, at its own alignment; false if there is no room left. */
static bool assign(uint64_t *next, uint64_t end, uint64_t bytes, uint64_t *base)
{
	*base = align_up(*next, bytes);
	if (*base + bytes > end)
		return false;
	*next = *base + bytes;
	return true;
}

void pc_pci_firmware(struct machine *m)
{
	uint64_t memory = PC_PCI_BARS, ports = PC_PCI_PORTS, base;

	for (unsigned i = 1; i < PCI_FUNCTIONS; i++) {
		struct pci_function *f = pc_of(m)->pci_bus.function[i];
		bool all = true;

		for (unsigned bar = 0; f && bar < PCI_BARS; bar++) {
			bool io = f->config[PCI_BAR0 + 4 * bar] & PCI_BAR_IO;

			if (!f->bar_bytes[bar])
				continue;
			if (io ? assign(&ports, PC_PCI_PORTS_END, f->bar_bytes[bar], &base)
			       : assign(&memory, PC_PCI_HOLE_END, f->bar_bytes[bar], &base))
				pci_config_write(f, PCI_BAR0 + 4 * bar, (uint32_t)base, 4);
			else
				all = false;
		}
		if (f && all)
			pci_config_write(f, PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY, 2);
	}
	/* Lines that PCI functions share are level-triggered. */
	for (unsigned i = 0; i < PIRQS; i++) {
		unsigned port = pirq_isa[i] >> 3, bit = 1u << (pirq_isa[i] & 7);

		i8259_elcr_io_ops.write(&pc_of(m)->pic, port,
					i8259_elcr_io_ops.read(&pc_of(m)->pic, port, 1) | bit, 1);
	}
}

/* ---- instances */

static const struct device_desc *part_of_virtio(struct virtio_pci *v, const char *called,
						unsigned *k, void **state, const char **name)
{
	const struct x86_part t[] = {
		{&pci_function_desc, &v->pci, called},
		{&msix_desc, &v->msix, called},
		{&virtio_pci_desc, v, called},
	};

	return x86_virtio_part(v->device, t, ARRAY_LEN(t), k, state, name);
}

static const struct device_desc *part_of_pci(const struct machine_device *d, unsigned *k,
					     void **state, const char **name)
{
	const struct x86_part t[] = {
		{&pci_function_desc, d->pci, d->name},
		{d->pci->msix ? &msix_desc : NULL, d->pci->msix, d->name},
		{d->desc, d->state, d->name},
	};

	return x86_part(t, ARRAY_LEN(t), k, state, name);
}

static const struct device_desc *part_of_ide(struct ide *ide, unsigned *k, void **state,
					     const char **name)
{
	const struct x86_part t[] = {
		{&pci_function_desc, &ide->bridge, "ide"},
		{&pci_function_desc, &ide->pci, "ide"},
		{&ide_desc, ide, "ide"},
	};

	return x86_part(t, ARRAY_LEN(t), k, state, name);
}

const struct device_desc *pc_pci_device(struct machine *m, unsigned k, void **state,
					const char **name)
{
	struct ide *ide = pc_of(m)->pci.ide;
	const struct device_desc *part = ide ? part_of_ide(ide, &k, state, name) : NULL;

	for (unsigned i = 0; !part && i < m->cfg.devices; i++) {
		const struct machine_device *d = &m->cfg.device[i];

		if (d->kind == MACHINE_PCI)
			part = part_of_pci(d, &k, state, name);
		else if (d->kind != MACHINE_IDE_DISK)
			part = part_of_virtio(&pc_of(m)->pci.virtio[i], d->name, &k, state, name);
	}
	return part;
}
