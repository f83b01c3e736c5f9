/* The pieces of an instruction that are more than a few bytes: see asm_put.h. */
#include "engine/translate/x64/asm_put.h"

void x64_put_opcode(struct x64_asm *a, struct x64_enc e, unsigned rxb, bool rex)
{
	static const uint8_t prefix[] = {0, 0x66, 0xf3, 0xf2};

	rxb |= (unsigned)e.w << 3;
	if (e.pp)
		x64_put8(a, prefix[e.pp]);
	if (rxb || rex)
		x64_put8(a, 0x40 | rxb);
	if (e.map)
		x64_put8(a, 0x0f);
	if (e.map > 1)
		x64_put8(a, e.map == 2 ? 0x38 : 0x3a);
	x64_put8(a, e.opcode);
}

void x64_put_modrm_r(struct x64_asm *a, unsigned reg, unsigned rm)
{
	x64_put8(a, 0xc0 | (reg & 7) << 3 | (rm & 7));
}

/* mod of ModRM; with RBP and R13 as base 0 means something else. */
static unsigned mod_of(struct x64_mem m)
{
	if (m.base == X64_NO_REG || (m.disp == 0 && (m.base & 7) != X64_RBP))
		return 0;
	return x64_fits8(m.disp) ? 1 : 2;
}

void x64_put_modrm_m(struct x64_asm *a, unsigned reg, struct x64_mem m)
{
	bool no_base = m.base == X64_NO_REG, no_index = m.index == X64_NO_REG;
	unsigned mod = mod_of(m);
	unsigned start = mod << 6 | (reg & 7) << 3;

	if (no_base || !no_index || (m.base & 7) == X64_RSP) {
		x64_put8(a, start | 4);
		x64_put8(a, (unsigned)m.scale << 6 | (no_index ? 4 : m.index & 7) << 3 |
				    (no_base ? 5 : m.base & 7));
	} else {
		x64_put8(a, start | (m.base & 7));
	}
	if (mod == 1)
		x64_put8(a, (uint8_t)m.disp);
	else if (mod == 2 || no_base)
		x64_put32(a, (uint32_t)m.disp);
}
