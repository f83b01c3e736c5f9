/*
 * The x86 decoder and lifter on any bytes in any mode: lengths are in bounds, the printer is
 * content, and what is lifted passes the IR verifier, before and after optimization.
 */
#include <string.h>

#include "fuzz.h"
#include "ir/ir.h"
#include "ir/pass.h"
#include "isa/x86/decode.h"
#include "isa/x86/lift.h"
#include "isa/x86/regs.h"

/* The combinations of code size and operating mode that can occur. */
static const x86_mode_t modes[] = {
	0,
	X86_MODE_PE | X86_MODE_VM | X86_MODE_CPL,
	X86_MODE_PE,
	X86_MODE_PE | X86_MODE_CODE32,
	X86_MODE_PE | X86_MODE_CODE32 | X86_MODE_STACK32 | X86_MODE_FLAT,
	X86_MODE_PE | X86_MODE_LONG | X86_MODE_CODE32 | X86_MODE_STACK32 | X86_MODE_CPL,
	X86_MODE_PE | X86_MODE_LONG | X86_MODE_CODE64,
	X86_MODE_PE | X86_MODE_LONG | X86_MODE_CODE64 | X86_MODE_CPL,
};

/* Bits that may come with any of them. */
#define MODE_EXTRA                                                                                 \
	(X86_MODE_TF | X86_MODE_BREAK | X86_MODE_FPU_TRAP | X86_MODE_MMX_UD | X86_MODE_SSE_UD |    \
	 X86_MODE_AVX_UD | X86_MODE_SSE_UNMASKED | X86_MODE_AC | X86_MODE_SHADOW |                 \
	 X86_MODE_X87_PENDING | X86_MODE_RF)

static void decode_one(const struct x86_decoder *d, const uint8_t *bytes, unsigned avail,
		       x86_mode_t mode, const struct x86_cpuid_model *model)
{
	struct x86_insn insn;
	char text[128];

	memset(&insn, 0, sizeof(insn));
	if (x86_decode(d, bytes, avail, mode, model, &insn) != X86_DECODE_OK)
		return;
	FUZZ_CHECK(insn.len >= 1 && insn.len <= X86_INSN_MAX && insn.len <= avail,
		   "length %u of %u", insn.len, avail);
	FUZZ_CHECK(insn.row && insn.op_count <= X86_OPND_MAX, "row or operands");
	x86_insn_print(&insn, 0x1000, text, sizeof(text));
	x86_insn_print(&insn, 0x1000, text, 3);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct x86_decoder *decoder;
	static struct ir_insn storage[IR_BLOCK_MAX];
	static struct x86_cpuid_model all;
	struct fuzz_input in = {data, data + len};
	x86_mode_t mode = modes[fuzz_take(&in, 1) % 8];
	unsigned extra = (unsigned)fuzz_take(&in, 1);
	struct ir_block b;
	char msg[256];

	if (!decoder) {
		decoder = x86_decoder_create();
		memset(all.features, 0xff, sizeof(all.features));
	}
	if (extra & 1)
		mode |= (x86_mode_t)fuzz_take(&in, 3) & MODE_EXTRA;
	while (in.at < in.end) {
		unsigned avail = (unsigned)(in.end - in.at);

		decode_one(decoder, in.at, avail < 20 ? avail : 20, mode, &all);
		ir_block_init(&b, &x86_isa, storage, IR_BLOCK_MAX);
		if (x86_lift_block(decoder, in.at, avail, mode, &all, 1 + (extra >> 1 & 31), &b) ==
			    X86_DECODE_OK &&
		    !b.overflow) {
			FUZZ_CHECK(!ir_verify(&b, msg, sizeof(msg)), "lifted: %s", msg);
			ir_optimize(&b, 0);
			FUZZ_CHECK(!ir_verify(&b, msg, sizeof(msg)), "optimized: %s", msg);
		}
		in.at += 1 + fuzz_take(&in, 1) % 16;
	}
	return 0;
}
