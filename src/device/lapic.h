/*
 * Local APIC, one per CPU: xAPIC and x2APIC register sets, timer, IPIs, local vectors. SDM vol. 3,
 * chapter 11 ("Advanced programmable interrupt controller").
 *
 * Everything runs under the machine lock. The chip does not know the CPU: it calls struct
 * lapic_cpu_ops, and the machine calls lapic_ack when the CPU takes an interrupt.
 * Left out: SMI delivery (the machine has no SMM), thermal/performance/CMCI sources (their vector
 * registers exist), extended cluster arbitration (lowest priority picks the lowest PPR).
 */
#ifndef DEVICE_LAPIC_H
#define DEVICE_LAPIC_H

#include "device/device.h"

#define LAPIC_TIMER_HZ	   1000000000ull
#define LAPIC_BASE_DEFAULT 0xfee00000ull
#define LAPIC_PAGE_BYTES   0x1000u

enum { LAPIC_MAX = 64 };

/* IA32_APIC_BASE (MSR 0x1b) */
#define LAPIC_BASE_BSP	  (1ull << 8)
#define LAPIC_BASE_X2APIC (1ull << 10)
#define LAPIC_BASE_ENABLE (1ull << 11)

/* Delivery modes (LVT, ICR, I/O APIC entries, MSI) */
enum lapic_mode {
	LAPIC_FIXED = 0,
	LAPIC_LOWEST = 1,
	LAPIC_SMI = 2,
	LAPIC_NMI = 4,
	LAPIC_INIT = 5,
	LAPIC_SIPI = 6,
	LAPIC_EXTINT = 7,
};

/* Register offsets in the xAPIC page; x2APIC MSR = 0x800 + offset / 16. */
enum {
	LAPIC_ID = 0x20,
	LAPIC_VERSION = 0x30,
	LAPIC_TPR = 0x80,
	LAPIC_APR = 0x90,
	LAPIC_PPR = 0xa0,
	LAPIC_EOI = 0xb0,
	LAPIC_LDR = 0xd0,
	LAPIC_DFR = 0xe0,
	LAPIC_SVR = 0xf0,
	LAPIC_ISR = 0x100,
	LAPIC_TMR = 0x180,
	LAPIC_IRR = 0x200,
	LAPIC_ESR = 0x280,
	LAPIC_LVT_CMCI = 0x2f0,
	LAPIC_ICR_LOW = 0x300,
	LAPIC_ICR_HIGH = 0x310,
	LAPIC_LVT_TIMER = 0x320,
	LAPIC_LVT_THERMAL = 0x330,
	LAPIC_LVT_PERF = 0x340,
	LAPIC_LVT_LINT0 = 0x350,
	LAPIC_LVT_LINT1 = 0x360,
	LAPIC_LVT_ERROR = 0x370,
	LAPIC_TIMER_INITIAL = 0x380,
	LAPIC_TIMER_CURRENT = 0x390,
	LAPIC_TIMER_DIVIDE = 0x3e0,
	LAPIC_SELF_IPI = 0x3f0, /* x2APIC only */
};

enum lapic_signal {
	LAPIC_SIGNAL_INTR, /* value: 1 an interrupt can be taken, 0 none */
	LAPIC_SIGNAL_NMI,
	LAPIC_SIGNAL_INIT, /* the chip has already put itself into its INIT state */
	LAPIC_SIGNAL_SIPI, /* value: start page vector */
};

/* What the chip tells its CPU. INTR is reported on each change of level only. */
struct lapic_cpu_ops {
	void (*request)(void *cpu, enum lapic_signal s, unsigned value);
};

struct lapic;

/* All local APICs of a machine, and the way to the other interrupt controllers. */
struct lapic_bus {
	struct lapic *lapic[LAPIC_MAX];
	unsigned count;
	/* End of a level-triggered interrupt, broadcast to the I/O APICs; may be NULL. */
	void (*eoi)(void *opaque, unsigned vector);
	void *eoi_opaque;
	/* INTA cycle to the 8259s for an ExtINT: returns the vector. NULL: none, reads as -1. */
	int (*pic_ack)(void *opaque);
	void *pic_opaque;
};

enum { LAPIC_LVT_COUNT = 7 }; /* CMCI, timer, thermal, perf, LINT0, LINT1, error */

struct lapic {
	/* state */
	uint64_t base;	   /* IA32_APIC_BASE */
	uint32_t id;	   /* initial ID; in x2APIC mode the ID */
	uint32_t xapic_id; /* ID register as the guest may have written it, bits 31-24 */
	uint32_t tpr, ldr, dfr, svr, esr, esr_new;
	uint32_t isr[8], irr[8], tmr[8];
	uint32_t lvt[LAPIC_LVT_COUNT];
	uint64_t icr;
	uint32_t timer_initial, timer_count, timer_divide;
	uint64_t timer_start_ns; /* when timer_count began to count down */
	uint64_t timer_due_ns;	 /* TIMER_NEVER when not running */
	uint64_t tsc_deadline;	 /* as the guest wrote it; 0 = disarmed */
	uint8_t lint[2];	 /* pin levels */
	uint8_t extint;		 /* an ExtINT message waits to be acknowledged */
	uint8_t intr;		 /* level last reported to the CPU */
	uint8_t boot;		 /* 1: this is the boot processor */
	/* wiring */
	struct lapic_bus *bus;
	const struct lapic_cpu_ops *cpu_ops;
	void *cpu;
	const struct clock *clock;
	struct timerq *timerq;
	struct timer timer;
	const struct trace *trace; /* may be set after init */
};

extern const struct device_desc lapic_desc;

/* Reset state; joins the bus (up to LAPIC_MAX). id: initial APIC ID; boot: the boot processor. */
void lapic_init(struct lapic *l, struct lapic_bus *bus, uint32_t id, bool boot,
		const struct lapic_cpu_ops *ops, void *cpu, const struct clock *clock,
		struct timerq *timerq);
void lapic_reset(struct lapic *l);
/* INIT: as reset, but the ID and IA32_APIC_BASE are kept. */
void lapic_init_signal(struct lapic *l);
/* What firmware leaves behind on the boot processor: enabled, LINT0 ExtINT, LINT1 NMI. */
void lapic_virtual_wire(struct lapic *l);

/* xAPIC page, 32-bit registers at 16-byte steps; other offsets read 0. Only to be called while the
 * APIC is enabled and not in x2APIC mode. */
uint32_t lapic_read(struct lapic *l, uint32_t offset);
void lapic_write(struct lapic *l, uint32_t offset, uint32_t value);
/* x2APIC MSRs 0x800-0x8ff. false: #GP (also whenever not in x2APIC mode). */
bool lapic_msr_read(struct lapic *l, uint32_t msr, uint64_t *value);
bool lapic_msr_write(struct lapic *l, uint32_t msr, uint64_t value);
/* IA32_APIC_BASE; set returns false for reserved bits or an illegal transition (SDM 11.12.5). */
uint64_t lapic_base_get(const struct lapic *l);
bool lapic_base_set(struct lapic *l, uint64_t value);
/* Physical address of the register page, or ~0 when disabled or in x2APIC mode. */
uint64_t lapic_page(const struct lapic *l);
/* CR8: bits 7-4 of TPR. */
unsigned lapic_cr8_get(const struct lapic *l);
void lapic_cr8_set(struct lapic *l, unsigned value);
/* IA32_TSC_DEADLINE. tsc_offset: guest TSC = virtual ns + tsc_offset. Ignored unless the LVT
 * selects that mode. */
uint64_t lapic_tsc_deadline_get(const struct lapic *l);
void lapic_tsc_deadline_set(struct lapic *l, uint64_t tsc, uint64_t tsc_offset);

/* True if lapic_ack would give a vector. */
bool lapic_has_interrupt(const struct lapic *l);
/* The CPU takes an interrupt: the vector, moved from IRR to ISR (an ExtINT: from the 8259s), or -1
 * if nothing is waiting. */
int lapic_ack(struct lapic *l);
/* LINT pins; usable as struct irq_line with n = 0, 1. LINT0 is where the 8259s' output goes. */
void lapic_lint(void *lapic, unsigned n, int level);

/*
 * Send an interrupt message. dest: APIC ID or logical set, 32 bits (UINT32_MAX: everyone).
 * Returns true if some APIC accepted it. lapic_bus_deliver8 is the same for the 8-bit destinations
 * of I/O APICs and xAPIC ICRs, where 0xff is everyone.
 */
bool lapic_bus_deliver(struct lapic_bus *bus, uint32_t dest, bool logical, enum lapic_mode mode,
		       unsigned vector, bool level);
bool lapic_bus_deliver8(struct lapic_bus *bus, uint8_t dest, bool logical, enum lapic_mode mode,
			unsigned vector, bool level);
/* A message signalled interrupt: address 0xfeexxxxx and data as a PCI device writes them. */
bool lapic_bus_msi(struct lapic_bus *bus, uint64_t address, uint32_t data);

#endif
