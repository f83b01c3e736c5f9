/*
 * How two engines are kept in step. The first engine runs the machine's own CPU, on the machine's
 * own RAM and devices. The second runs a shadow: a struct x86_cpu of its own on a copy of RAM.
 *
 * A slice is one run of the first engine. Whatever its CPU asks of the machine, port and device
 * accesses and struct x86_platform, goes through a tap and is written to the log with the answer.
 * Then the shadow runs the same number of instructions: its questions must be those of the log, in
 * order, and get the answers from there. Then both states and all pages written are compared.
 *
 * When they differ, both go back to the slice's start, where RAM is known from a second copy, and
 * run fewer instructions, both from the log, until the first that makes a difference is found.
 */
#ifndef ENGINE_LOCKSTEP_LOCKSTEP_PRIVATE_H
#define ENGINE_LOCKSTEP_LOCKSTEP_PRIVATE_H

#include "engine/engine.h"
#include "engine/lockstep/lockstep.h"
#include "host/host.h"
#include "mem/space.h"

/* ---- questions to the machine, and the log of them */

enum ask_kind {
	ASK_PORT_READ,
	ASK_PORT_WRITE,
	ASK_MMIO_READ,
	ASK_MMIO_WRITE,
	ASK_INTR_ACK,
	ASK_APIC_READ,
	ASK_APIC_WRITE,
	ASK_APIC_MSR_READ,
	ASK_APIC_MSR_WRITE,
	ASK_APIC_BASE_GET,
	ASK_APIC_BASE_SET,
	ASK_TPR_GET,
	ASK_TPR_SET,
	ASK_NOW,
	ASK_DEADLINE_GET,
	ASK_DEADLINE_SET,
	ASK_PV_MSR_READ,
	ASK_PV_MSR_WRITE,
};

/* Requests that change what a CPU does next, and that the machine makes. */
#define ASK_REQUESTS (X86_REQ_INTR | X86_REQ_NMI | X86_REQ_INIT | X86_REQ_SIPI)

struct ask {
	enum ask_kind kind;
	uint32_t where;	 /* region, MSR or APIC register */
	uint64_t offset; /* in the region */
	unsigned bytes;
	uint64_t value; /* told or answered */
	bool ok;	/* answered; of the MSR functions and apic_base_set */
	/* of the log only */
	uint64_t insns;	    /* when it was asked */
	uint32_t requests;  /* ASK_REQUESTS that the CPU could see before and still can after it */
	uint64_t apic_page; /* after it */
	bool flush;	    /* it asked for a TLB flush: the map may have changed */
	unsigned writes;    /* how many log_write entries belong to it */
};

/* RAM the machine wrote while it answered. */
struct log_write {
	uint64_t gpa;
	size_t len, at; /* at: in log.bytes */
};

struct log {
	struct ask *ask;
	struct log_write *write;
	uint8_t *bytes;
	size_t asks, asks_max, writes, writes_max, used, bytes_max;
	bool full; /* out of memory: a question is missing */
};

/* ---- one of the two */

enum { LOCKSTEP_FIRST, LOCKSTEP_SECOND };

enum { ASTRAY_TEXT = 256 };

/* cpu->platform while a side runs: the opaque word stays the machine's own. */
struct tap_platform {
	struct x86_platform platform; /* first: found through cpu->platform */
	struct engine_cpu *twins;
	unsigned which;
};

struct side {
	const struct engine *engine;
	struct engine_cpu *e;
	struct engine_cpu *fresh; /* made for a report, see report.c */
	struct x86_cpu *cpu;
	struct engine_group *group;
	struct tap_platform tap;
	/* the start of the slice */
	void *start;
	uint32_t start_requests;
	uint64_t start_random, start_apic_page;
	/* place in the log */
	size_t next_ask, next_write;
	char astray[ASTRAY_TEXT]; /* how its questions differ from the log's, or "" */
};

/* ---- what the CPUs share */

struct lockstep;

/* A device region as the CPUs see it. */
struct tap_region {
	struct lockstep *all;
	struct io_ops ops;
	const struct io_ops *real_ops;
	void *real_opaque;
	unsigned which, index;
	bool ports;
};

struct lockstep {
	unsigned cpus; /* that use this */
	struct space *real, *real_ports;
	struct space copy, copy_ports;		   /* of the shadows */
	uint8_t *start[SPACE_RAM_MAX];		   /* RAM at the start of the slice */
	struct tap_region tap[2][2][SPACE_IO_MAX]; /* [side][is ports][region] */
	struct engine_group *group;		   /* of the shadows */
	struct log log;
	struct engine_cpu *running; /* in a slice; NULL between slices */
	bool replaying;		    /* the first side, too, gets its answers from the log */
	struct ask *asking;	    /* the machine is answering; NULL while it is not */
};

/* The engine's object of one CPU: a pair of twins. */
struct engine_cpu {
	struct lockstep *all;
	struct side side[2];
	const struct x86_platform *real; /* the machine's own; in a slice */
	struct engine_config cfg;
	bool synced;
	uint64_t last_insns; /* of the last slice */
	/* ASK_REQUESTS that came while the first engine ran: kept from it until the slice ends,
	 * which is at its next block boundary. stop: the machine itself asked for that. */
	uint32_t held;
	bool stopped, stop;
	char *report;
};

/* ---- ask.c: the taps */
void tap_fill(struct tap_platform *tap, struct engine_cpu *twins, unsigned which,
	      const struct x86_platform *real);
/* Put the taps before the machine's device regions, and build the shadows' regions. 0 or -errno. */
int tap_regions(struct lockstep *all);
void tap_remove(struct lockstep *all);
/* Device regions of the shadows as those of the machine are now. */
void tap_follow(struct lockstep *all);
/* For struct space: the machine wrote RAM. */
void tap_wrote(void *lockstep, uint64_t gpa, size_t len);

/* ---- replay.c: the log */
void log_clear(struct log *l);
void log_free(struct log *l);
bool log_is_long(const struct log *l); /* time to end the slice */
/* Room for one more; NULL: out of memory. */
struct ask *log_add(struct log *l);
void log_add_write(struct log *l, uint64_t gpa, const void *bytes, size_t len);
/* Answer q from the log and let the side's CPU see what the first one saw. */
void replay_answer(struct engine_cpu *t, struct side *s, struct ask *q);
/* Run a side from where it stands, from the log. */
void replay_run(struct engine_cpu *t, struct side *s, uint64_t insns);

/* ---- mirror.c: RAM three times */
int mirror_create(struct lockstep *all, struct space *real, struct space *real_ports);
void mirror_destroy(struct lockstep *all);
/* Make both copies equal to the machine's RAM. */
void mirror_copy_all(struct lockstep *all);
/* The machine wrote this outside a slice. */
void mirror_wrote(struct lockstep *all, uint64_t gpa, size_t len);
/* Pages written since the last keep or restore: are both sides' equal? Take what is there as the
 * start of the next slice; go back to the start of this one. */
bool mirror_equal(struct lockstep *all);
void mirror_keep(struct lockstep *all);
void mirror_restore(struct lockstep *all);
void mirror_restore_copy(struct lockstep *all); /* the shadows' only */

/* ---- compare.c */
/* Everything about the two sides but RAM. */
bool twins_equal(struct engine_cpu *t);
/* And RAM. */
bool twins_agree(struct engine_cpu *t);
/* Fields of the state that are compared as they are: not the lazy flags. */
bool field_is_plain(const struct field *f);
/* Does this field differ? */
bool field_differs(const struct field *f, const struct x86_cpu *a, const struct x86_cpu *b);

/* ---- narrow.c */
void side_save(struct side *s);
void side_restore(struct side *s); /* all but RAM */
void twins_restore(struct engine_cpu *t);

/* Where the two part. */
struct parting {
	uint64_t insns; /* of the slice: after so many they differ, after one less they do not */
	bool repeats;	/* going back and running again gave the same difference */
	bool singly;	/* they differ too when every instruction is run by itself */
	uint64_t rip;	/* of that instruction, and of the first of its straight-line code */
	uint64_t block_rip;
	unsigned block_insns; /* from there up to and with it */
	uint64_t slice_insns;
	uint64_t start_insns; /* retired before the slice */
};
/* Leaves both sides behind the instruction, and in `before` (as field_save) the state they had in
 * front of it. insns: after so many from the start of the slice they differ. */
void narrow(struct engine_cpu *t, uint64_t insns, struct parting *p, void *before);

/* ---- report.c */
/* Write t->report. */
void report_write(struct engine_cpu *t, const struct parting *p, const void *before);

#endif
