/*
 * SSE4.2 string comparison and CRC32. SDM vol. 2, 4.1 (imm8 control byte; bit 7 is ignored).
 * An instruction gives both a result and flags; they are separate operations here.
 */
#include "ir/vop_asm.h"

struct str_result {
	uint32_t index;
	uint32_t flags;
	vop_v mask;
};

static uint32_t pack_flags(bool cf, bool zf, bool sf, bool of)
{
	return (uint32_t)(cf * VOP_CF | zf * VOP_ZF | sf * VOP_SF | of * VOP_OF);
}

#define PCMPISTRI_CASE(n)                                                                          \
	case n:                                                                                    \
		__asm__("pcmpistri %7, %6, %5"                                                     \
			: "=c"(r.index), "=@ccc"(cf), "=@ccz"(zf), "=@ccs"(sf), "=@cco"(of)        \
			: "x"(x), "x"(y), "i"(n));                                                 \
		break;

static struct str_result pcmpistri(vop_v x, vop_v y, unsigned imm8)
{
	struct str_result r = {0};
	bool cf = false, zf = false, sf = false, of = false;

	switch (imm8 & 0x7f) {
		VOP_IMM_128(PCMPISTRI_CASE)
	}
	r.flags = pack_flags(cf, zf, sf, of);
	return r;
}

#define PCMPISTRM_CASE(n)                                                                          \
	case n:                                                                                    \
		__asm__("pcmpistrm %3, %2, %1" : "=Yz"(r) : "x"(x), "x"(y), "i"(n) : "cc");        \
		break;

static vop_v pcmpistrm(vop_v x, vop_v y, unsigned imm8)
{
	vop_v r = {0};

	switch (imm8 & 0x7f) {
		VOP_IMM_128(PCMPISTRM_CASE)
	}
	return r;
}

#define PCMPESTRI_CASE(n)                                                                          \
	case n:                                                                                    \
		__asm__("pcmpestri %9, %6, %5"                                                     \
			: "=c"(r.index), "=@ccc"(cf), "=@ccz"(zf), "=@ccs"(sf), "=@cco"(of)        \
			: "x"(x), "x"(y), "a"(len_x), "d"(len_y), "i"(n));                         \
		break;

static struct str_result pcmpestri(vop_v x, vop_v y, uint64_t lens, unsigned imm8)
{
	struct str_result r = {0};
	int len_x = (int8_t)lens, len_y = (int8_t)(lens >> 8);
	bool cf = false, zf = false, sf = false, of = false;

	switch (imm8 & 0x7f) {
		VOP_IMM_128(PCMPESTRI_CASE)
	}
	r.flags = pack_flags(cf, zf, sf, of);
	return r;
}

#define PCMPESTRM_CASE(n)                                                                          \
	case n:                                                                                    \
		__asm__("pcmpestrm %5, %2, %1"                                                     \
			: "=Yz"(r)                                                                 \
			: "x"(x), "x"(y), "a"(len_x), "d"(len_y), "i"(n)                           \
			: "cc");                                                                   \
		break;

static vop_v pcmpestrm(vop_v x, vop_v y, uint64_t lens, unsigned imm8)
{
	int len_x = (int8_t)lens, len_y = (int8_t)(lens >> 8);
	vop_v r = {0};

	switch (imm8 & 0x7f) {
		VOP_IMM_128(PCMPESTRM_CASE)
	}
	return r;
}

static uint8_t saturate_len(uint64_t len)
{
	int64_t n = (int64_t)len;

	return (uint8_t)(n > 127 ? 127 : n < -127 ? -127 : n);
}

void vop_pcmpestr_lens(VOP_ARGS)
{
	d->u64[0] = (uint64_t)(saturate_len(a->u64[0]) | saturate_len(b->u64[0]) << 8);
}

void vop_pcmpistri(VOP_ARGS)
{
	d->u32[0] = pcmpistri(vop_load(a), vop_load(b), imm8).index;
}

void vop_pcmpistr_flags(VOP_ARGS)
{
	d->u64[0] = pcmpistri(vop_load(a), vop_load(b), imm8).flags;
}

void vop_pcmpistrm(VOP_ARGS)
{
	vop_store(d, pcmpistrm(vop_load(a), vop_load(b), imm8));
}

void vop_pcmpestri(VOP_ARGS)
{
	d->u32[0] = pcmpestri(vop_load(a), vop_load(b), c->u64[0], imm8).index;
}

void vop_pcmpestr_flags(VOP_ARGS)
{
	d->u64[0] = pcmpestri(vop_load(a), vop_load(b), c->u64[0], imm8).flags;
}

void vop_pcmpestrm(VOP_ARGS)
{
	vop_store(d, pcmpestrm(vop_load(a), vop_load(b), c->u64[0], imm8));
}

#define VOP_CRC32(name, insn, member)                                                              \
	void name(VOP_ARGS)                                                                        \
	{                                                                                          \
		uint64_t crc = a->u32[0];                                                          \
		__asm__(insn : "+r"(crc) : "r"(b->member[0]));                                     \
		d->u32[0] = (uint32_t)crc;                                                         \
	}

VOP_CRC32(vop_crc32_8, "crc32b %1, %k0", u8)
VOP_CRC32(vop_crc32_16, "crc32w %1, %k0", u16)
VOP_CRC32(vop_crc32_32, "crc32l %1, %k0", u32)
VOP_CRC32(vop_crc32_64, "crc32q %1, %q0", u64)
