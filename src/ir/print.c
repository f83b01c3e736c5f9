/* The printer: one operation per line in the form docs/ir.md gives. Prints whatever is there, also
 * a block that the verifier would refuse. */
#include "ir/text.h"

#include <stdarg.h>
#include <stdio.h>

#include "ir/vop.h"

struct out {
	char *buf;
	size_t len, pos;
};

__attribute__((format(printf, 2, 3))) static void put(struct out *o, const char *fmt, ...)
{
	size_t room = o->pos < o->len ? o->len - o->pos : 0;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(room ? o->buf + o->pos : NULL, room, fmt, ap);
	va_end(ap);
	if (n > 0)
		o->pos += (size_t)n;
}

static void print_ref(struct out *o, const struct ir_block *b, ir_ref r)
{
	if (r == IR_NONE)
		put(o, "_");
	else
		put(o, "%c%u", r < b->count && b->insn[r].type == IR_FLAGS ? 'f' : 'v', r);
}

static void print_suffix(struct out *o, const struct ir_insn *i)
{
	uint64_t vop = (uint64_t)i->imm & 0xffff;

	switch (ir_text_suffix((enum ir_op)i->op)) {
	case IR_SUFFIX_TYPE:
		put(o, ".%s", ir_type_name((enum ir_type)i->type));
		break;
	case IR_SUFFIX_IMM_TYPE:
		put(o, ".%s", ir_type_name((enum ir_type)i->imm));
		break;
	case IR_SUFFIX_KIND_TYPE:
		put(o, ".%s.%s", ir_flags_kind_name((enum ir_flags_kind)(i->imm >> 2)),
		    ir_type_name((enum ir_type)(IR_I8 + (i->imm & 3))));
		break;
	case IR_SUFFIX_COND:
		put(o, ".%s", ir_cond_name((enum ir_cond)i->imm));
		break;
	case IR_SUFFIX_VOP:
		put(o, ".%s", vop < VOP_COUNT ? vop_table[vop].name : "?");
		if (vop < VOP_COUNT && i->type != vop_table[vop].result)
			put(o, ".%s", ir_type_name((enum ir_type)i->type));
		break;
	default:
		break;
	}
}

static void print_state(struct out *o, const struct ir_block *b, const struct ir_insn *i)
{
	uint64_t offset = (uint64_t)i->imm;
	const struct ir_state_reg *r =
		b->isa ? ir_reg_at(b->isa, offset, ir_type_bytes((enum ir_type)i->type)) : NULL;

	if (!r)
		put(o, "@%llu", (unsigned long long)offset);
	else if (offset == r->offset)
		put(o, "%s", r->name);
	else
		put(o, "%s+%llu", r->name, (unsigned long long)(offset - r->offset));
}

static void print_imm(struct out *o, const struct ir_block *b, const struct ir_insn *i)
{
	switch (ir_text_imm((enum ir_op)i->op)) {
	case IR_IMM_CONST:
		put(o, (uint64_t)i->imm > 9 ? "0x%llx" : "%llu", (unsigned long long)i->imm);
		break;
	case IR_IMM_STATE:
		print_state(o, b, i);
		break;
	case IR_IMM_DELTA:
		put(o, "%+lld", (long long)i->imm);
		break;
	case IR_IMM_HELPER:
		put(o, "%s", ir_helper_of(i)->name);
		break;
	default:
		break;
	}
}

static void print_args(struct out *o, const struct ir_block *b, const struct ir_insn *i,
		       const char *sep)
{
	unsigned n = ir_ops[i->op].args;

	/* a vector operation has an argument, or its settings would follow nothing */
	while (n > (i->op == IR_VOP) && i->arg[n - 1] == IR_NONE)
		n--;
	for (unsigned k = 0; k < n; k++, sep = ", ") {
		put(o, "%s", sep);
		print_ref(o, b, i->arg[k]);
	}
}

static void print_operands(struct out *o, const struct ir_block *b, const struct ir_insn *i)
{
	bool imm_last = ir_text_imm_last((enum ir_op)i->op);
	bool imm_first = ir_text_imm((enum ir_op)i->op) != IR_IMM_NONE && !imm_last;

	if (imm_first) {
		put(o, " ");
		print_imm(o, b, i);
	}
	print_args(o, b, i, imm_first && i->op != IR_CALL ? ", " : " ");
	if (imm_last) {
		put(o, ", ");
		print_imm(o, b, i);
	} else if (i->op == IR_GUEST) {
		put(o, ", %u", i->aux);
	} else if (i->op == IR_VOP && (i->imm >> 16 || vop_table[i->imm & 0xffff].has_imm8)) {
		put(o, ", imm8=%u", (unsigned)(i->imm >> 16 & 0xff));
	} else if (ir_text_is_memory((enum ir_op)i->op)) {
		put(o, ", mmu=%u, flags=%u", i->mmu, i->aux);
	}
}

int ir_print(const struct ir_block *b, char *buf, size_t len)
{
	struct out o = {buf, len, 0};

	if (len)
		buf[0] = 0;
	for (uint32_t r = 0; r < b->count; r++) {
		const struct ir_insn *i = &b->insn[r];

		if (i->op >= IR_OP_COUNT) {
			put(&o, "?%u\n", i->op);
			continue;
		}
		if (ir_ops[i->op].result != IR_RESULT_NONE && i->type != IR_VOID) {
			print_ref(&o, b, (ir_ref)r);
			put(&o, " = ");
		}
		put(&o, "%s", ir_ops[i->op].name);
		print_suffix(&o, i);
		print_operands(&o, b, i);
		put(&o, "\n");
	}
	return (int)o.pos;
}
