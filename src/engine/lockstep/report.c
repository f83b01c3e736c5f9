/*
 * What a person needs who looks for the fault: the instruction, what differs after it, its block as
 * guest code and as IR before and after each pass, the second engine's host code, and both states.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "engine/lockstep/lockstep_private.h"
#include "ir/pass.h"
#include "isa/x86/lift.h"
#include "isa/x86/mmu.h"
#include "isa/x86/mode.h"

enum { REPORT_BYTES = 512 << 10, IR_TEXT_BYTES = 64 << 10, PAGES_SHOWN = 8, CODE_BYTES = 4096 };

struct text {
	char *buf;
	size_t used;
};

static void __attribute__((format(printf, 2, 3))) add(struct text *o, const char *fmt, ...)
{
	va_list ap;
	size_t room = REPORT_BYTES - o->used;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(o->buf + o->used, room, fmt, ap);
	va_end(ap);
	if (n > 0)
		o->used += (size_t)n < room ? (size_t)n : room - 1;
}

/* ---- states */

static const char *reg_name(const struct field *f, unsigned i, char *buf, size_t len)
{
	const struct ir_state_reg *r =
		ir_reg_at(&x86_isa, f->offset + i * f->elem_bytes, f->elem_bytes);

	if (r)
		snprintf(buf, len, "%s", r->name);
	else if (f->count > 1)
		snprintf(buf, len, "%s[%u]", f->name, i);
	else
		snprintf(buf, len, "%s", f->name);
	return buf;
}

/* A value as one hexadecimal number of the element's width. */
static const char *value_text(const struct field *f, unsigned i, const struct x86_cpu *cpu,
			      char *buf, size_t len)
{
	const uint8_t *p = (const uint8_t *)cpu + f->offset + i * f->elem_bytes;
	size_t at = 0;

	if (f->offset == offsetof(struct x86_cpu, rflags)) {
		snprintf(buf, len, "%016llx", (unsigned long long)x86_rflags_read(cpu));
		return buf;
	}
	for (uint32_t n = f->elem_bytes; n-- > 0 && at + 2 < len; at += 2)
		snprintf(buf + at, len - at, "%02x", p[n]);
	return buf;
}

static bool elem_differs(const struct field *f, unsigned i, const struct x86_cpu *a,
			 const struct x86_cpu *b)
{
	struct field one = *f;

	one.count = 1;
	one.offset += i * f->elem_bytes;
	return f->count == 1 ? field_differs(f, a, b) : field_differs(&one, a, b);
}

static void add_state(struct text *o, const struct engine_cpu *t)
{
	const struct side *a = &t->side[LOCKSTEP_FIRST], *b = &t->side[LOCKSTEP_SECOND];
	char name[32], x[80], y[80];

	add(o, "\nboth states (* differs)\n  %-16s %-16s %s\n", "", a->engine->name,
	    b->engine->name);
	for (const struct field *f = x86_cpu_fields; f->name; f++)
		for (unsigned i = 0; i < f->count; i++)
			add(o, "%c %-16s %s%s%s\n", elem_differs(f, i, a->cpu, b->cpu) ? '*' : ' ',
			    reg_name(f, i, name, sizeof(name)),
			    value_text(f, i, a->cpu, x, sizeof(x)),
			    f->elem_bytes > 16 ? "\n                   " : " ",
			    value_text(f, i, b->cpu, y, sizeof(y)));
}

static void add_values(struct text *o, const struct engine_cpu *t, const struct x86_cpu *before,
		       const struct field *f, unsigned i)
{
	const struct side *a = &t->side[LOCKSTEP_FIRST], *b = &t->side[LOCKSTEP_SECOND];
	char name[32], v[80];

	add(o, "  %-14s before     %s\n", reg_name(f, i, name, sizeof(name)),
	    value_text(f, i, before, v, sizeof(v)));
	add(o, "  %-14s 1 %-8s %s\n", "", a->engine->name, value_text(f, i, a->cpu, v, sizeof(v)));
	add(o, "  %-14s 2 %-8s %s\n", "", b->engine->name, value_text(f, i, b->cpu, v, sizeof(v)));
}

static void add_derived(struct text *o, const struct engine_cpu *t)
{
	const struct side *a = &t->side[LOCKSTEP_FIRST], *b = &t->side[LOCKSTEP_SECOND];
	uint32_t ra = a->cpu->request & ASK_REQUESTS, rb = b->cpu->request & ASK_REQUESTS;

	if (a->cpu->mode != b->cpu->mode)
		add(o, "  mode           1 %x, 2 %x\n", a->cpu->mode, b->cpu->mode);
	if (a->cpu->random_state != b->cpu->random_state)
		add(o, "  random numbers taken differ\n");
	if (ra != rb)
		add(o, "  requests still pending: 1 %#x, 2 %#x\n", ra, rb);
	for (unsigned i = 0; i < 2; i++)
		if (t->side[i].astray[0])
			add(o, "  %u %s asks the machine: %s\n", i + 1, t->side[i].engine->name,
			    t->side[i].astray);
	if (!a->astray[0] && !b->astray[0] && a->next_ask != b->next_ask)
		add(o, "  questions to the machine: 1 asked %zu, 2 asked %zu\n", a->next_ask,
		    b->next_ask);
}

/* 16 bytes around the first difference of a page. */
static void add_page(struct text *o, const struct engine_cpu *t, unsigned region, uint64_t page)
{
	const struct lockstep *all = t->all;
	const uint8_t *m[3] = {all->start[region] + page, all->real->ram[region].hva + page,
			       all->copy.ram[region].hva + page};
	static const char *const names[3] = {"start of slice", "1", "2"};
	unsigned at = 0, count = 0;

	while (m[1][at] == m[2][at])
		at++;
	for (unsigned i = at; i < PAGE_BYTES; i++)
		count += m[1][i] != m[2][i];
	at &= ~15u;
	add(o, "  memory %#llx, %u bytes of its page differ\n",
	    (unsigned long long)(all->real->ram[region].base + page + at), count);
	for (unsigned k = 0; k < 3; k++) {
		add(o, "  %14s", names[k]);
		for (unsigned i = 0; i < 16; i++)
			add(o, " %02x", m[k][at + i]);
		add(o, "\n");
	}
}

static void add_memory(struct text *o, const struct engine_cpu *t)
{
	const struct lockstep *all = t->all;
	unsigned shown = 0;

	for (unsigned r = 0; r < all->real->ram_count; r++)
		for (uint64_t at = 0; at < all->real->ram[r].len; at += PAGE_BYTES) {
			if (!((all->real->page_flags[r][at >> PAGE_BITS] |
			       all->copy.page_flags[r][at >> PAGE_BITS]) &
			      PAGE_DIRTY) ||
			    memcmp(all->real->ram[r].hva + at, all->copy.ram[r].hva + at,
				   PAGE_BYTES) == 0)
				continue;
			if (shown++ < PAGES_SHOWN)
				add_page(o, t, r, at);
		}
	if (shown > PAGES_SHOWN)
		add(o, "  and %u pages more\n", shown - PAGES_SHOWN);
}

static void add_differences(struct text *o, const struct engine_cpu *t,
			    const struct x86_cpu *before)
{
	const struct x86_cpu *a = t->side[LOCKSTEP_FIRST].cpu, *b = t->side[LOCKSTEP_SECOND].cpu;

	add(o, "\nwhat differs\n");
	for (const struct field *f = x86_cpu_fields; f->name; f++)
		for (unsigned i = 0; i < f->count; i++)
			if (elem_differs(f, i, a, b))
				add_values(o, t, before, f, i);
	add_derived(o, t);
	add_memory(o, t);
}

/* ---- the block */

static uint64_t linear(const struct x86_cpu *cpu, uint64_t rip)
{
	return cpu->mode & X86_MODE_CODE64 ? rip : (uint32_t)(cpu->seg[X86_CS].base + rip);
}

/* Code at rip, up to the end of its page or a little more; how much there is. */
static unsigned read_code(struct x86_cpu *cpu, uint64_t lin, uint8_t *buf)
{
	unsigned n = 0, max = (unsigned)(PAGE_BYTES - (lin & PAGE_OFFSET_MASK)) + X86_INSN_MAX;
	uint64_t gpa;

	while (n < max && n < CODE_BYTES && x86_mmu_probe(cpu, lin + n, &gpa) &&
	       space_read(cpu->space, gpa, buf + n, 1))
		n++;
	return n;
}

static void add_guest(struct text *o, const struct engine_cpu *t, const struct x86_cpu *cpu,
		      const struct parting *p, const uint8_t *code, unsigned avail)
{
	unsigned at = 0;

	add(o, "\nguest code from %#llx\n", (unsigned long long)p->block_rip);
	for (unsigned n = 0; n < p->block_insns && at < avail; n++) {
		struct x86_insn i;
		char text[128];

		if (x86_decode(t->cfg.decoder, code + at, avail - at, cpu->mode, cpu->cpuid, &i)) {
			add(o, "  %012llx: not an instruction\n",
			    (unsigned long long)(p->block_rip + at));
			return;
		}
		x86_insn_print(&i, p->block_rip + at, text, sizeof(text));
		add(o, "%c %012llx: ", p->block_rip + at == p->rip ? '>' : ' ',
		    (unsigned long long)(p->block_rip + at));
		for (unsigned k = 0; k < i.len; k++)
			add(o, "%02x", code[at + k]);
		for (unsigned k = i.len; k < 8; k++)
			add(o, "  ");
		add(o, " %s\n", text);
		at += i.len;
	}
}

static void add_ir(struct text *o, const char *when, const char *what, const struct ir_block *b,
		   char *was, char *now)
{
	ir_print(b, now, IR_TEXT_BYTES);
	if (strcmp(was, now) == 0) {
		add(o, "\nIR %s%s: no change\n", when, what);
		return;
	}
	add(o, "\nIR %s%s\n%s", when, what, now);
	memcpy(was, now, IR_TEXT_BYTES);
}

static void add_passes(struct text *o, const struct engine_cpu *t, const struct x86_cpu *cpu,
		       const struct parting *p, const uint8_t *code, unsigned avail)
{
	struct ir_insn *storage = host_alloc(IR_BLOCK_MAX * sizeof(*storage));
	char *was = host_alloc(IR_TEXT_BYTES), *now = host_alloc(IR_TEXT_BYTES);
	unsigned in_page = (unsigned)(PAGE_BYTES - (p->block_rip & PAGE_OFFSET_MASK));
	struct ir_block b;

	if (!storage || !was || !now)
		goto out;
	ir_block_init(&b, &x86_isa, storage, IR_BLOCK_MAX);
	if (x86_lift_block(t->cfg.decoder, code, avail < in_page ? avail : in_page, cpu->mode,
			   cpu->cpuid, p->block_insns, &b) == X86_DECODE_MORE)
		x86_lift_block(t->cfg.decoder, code, avail, cpu->mode, cpu->cpuid, 1, &b);
	if (b.overflow || b.count == 0)
		goto out;
	add_ir(o, "as lifted", "", &b, was, now);
	for (unsigned i = 0; ir_passes[i].name; i++) {
		if (t->cfg.disabled_passes >> i & 1)
			continue;
		ir_passes[i].run(&b);
		add_ir(o, "after ", ir_passes[i].name, &b, was, now);
	}
out:
	host_free(storage);
	host_free(was);
	host_free(now);
}

static void add_line(void *opaque, const char *line)
{
	add(opaque, "  %s\n", line);
}

/* ---- host code: from an engine made anew, told to dump that block and to translate at once */

static void add_host(struct text *o, struct engine_cpu *t, const struct parting *p, uint64_t lin)
{
	struct side *s = &t->side[LOCKSTEP_SECOND];
	struct engine_config cfg = t->cfg;
	struct engine_cpu *kept = s->e;

	if (!cfg.dump_host || !p->insns)
		return;
	cfg.pair[0] = cfg.pair[1] = NULL;
	cfg.hot_threshold = 1;
	cfg.dump = ENGINE_DUMP_GUEST | ENGINE_DUMP_HOST;
	cfg.has_dump_addr = true;
	cfg.dump_addr = lin;
	cfg.dump_line = add_line;
	cfg.dump_opaque = o;
	if (s->engine->cpu_create(&s->fresh, s->group, s->cpu, &cfg, NULL))
		return;
	add(o, "\nhost code of blocks with it, by %s made anew\n", s->engine->name);
	twins_restore(t);
	t->all->replaying = true;
	replay_run(t, &t->side[LOCKSTEP_FIRST], p->insns);
	s->e = s->fresh;
	replay_run(t, s, p->insns);
	s->e = kept;
	t->all->replaying = false;
	add(o, "  (so made, it %s)\n", twins_agree(t) ? "does not differ" : "differs as well");
}

static void add_code(struct text *o, struct engine_cpu *t, const struct parting *p,
		     struct x86_cpu *before)
{
	uint8_t *code = host_alloc(CODE_BYTES);
	unsigned avail;

	if (!code)
		return;
	avail = read_code(before, linear(before, p->block_rip), code);
	if (p->block_insns && avail) {
		add_guest(o, t, before, p, code, avail);
		add_passes(o, t, before, p, code, avail);
	}
	host_free(code);
}

static void add_head(struct text *o, const struct engine_cpu *t, const struct parting *p,
		     const struct x86_cpu *before)
{
	add(o, "%s and %s differ on CPU %u after instruction %llu, at %04x:%llx\n",
	    t->side[LOCKSTEP_FIRST].engine->name, t->side[LOCKSTEP_SECOND].engine->name,
	    before->index, (unsigned long long)(p->start_insns + p->insns), before->seg[X86_CS].sel,
	    (unsigned long long)before->rip);
	add(o, "instruction %llu of the %llu compared last; those before it agree\n",
	    (unsigned long long)p->insns, (unsigned long long)p->slice_insns);
	if (!p->repeats)
		add(o, "running them again made no difference: it comes from what an engine keeps "
		       "(blocks, links, TLB), somewhere in these instructions\n");
	else if (!p->insns)
		add(o, "it is in what is done between two instructions: interrupts, traps\n");
	else if (p->singly)
		add(o, "the same when each instruction is run by itself\n");
	else
		add(o, "no difference when each instruction is run by itself: it is in how they "
		       "are put together\n");
}

void report_write(struct engine_cpu *t, const struct parting *p, const void *state)
{
	struct text o = {host_alloc(REPORT_BYTES), 0};
	struct x86_cpu *before = host_ram_map(sizeof(*before));

	if (o.buf && before) {
		const struct x86_cpu *a = t->side[LOCKSTEP_FIRST].cpu;

		before->index = a->index;
		before->cpuid = a->cpuid;
		before->space = a->space;
		before->apic_page = a->apic_page;
		x86_tlb_init(before);
		field_restore(x86_cpu_fields, before, state);
		x86_mode_update(before);
		add_head(&o, t, p, before);
		add_differences(&o, t, before);
		add_code(&o, t, p, before);
		add_state(&o, t);
		add_host(&o, t, p, linear(before, p->rip));
	}
	host_ram_unmap(before, sizeof(*before));
	t->report = o.buf;
}
