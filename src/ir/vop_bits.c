/* Bit gathering and scattering on 64-bit integers, as PDEP and PEXT do it. SDM vol. 2. */
#include "ir/vop_impl.h"

/* The low bits of a, one after the other, to where b has ones. */
void vop_pdep_soft(union ir_vec *d, const union ir_vec *a, const union ir_vec *b,
		   const union ir_vec *c, unsigned imm8)
{
	uint64_t v = a->u64[0], r = 0;

	for (uint64_t m = b->u64[0]; m; m &= m - 1, v >>= 1)
		r |= v & 1 ? m & -m : 0;
	d->u64[0] = r;
}

/* The bits of a where b has ones, together at the low end. */
void vop_pext_soft(union ir_vec *d, const union ir_vec *a, const union ir_vec *b,
		   const union ir_vec *c, unsigned imm8)
{
	uint64_t v = a->u64[0], r = 0, to = 1;

	for (uint64_t m = b->u64[0]; m; m &= m - 1, to <<= 1)
		r |= v & m & -m ? to : 0;
	d->u64[0] = r;
}

void vop_pdep(union ir_vec *d, const union ir_vec *a, const union ir_vec *b, const union ir_vec *c,
	      unsigned imm8)
{
	uint64_t r;

	__asm__("pdepq %2, %1, %0" : "=r"(r) : "r"((uint64_t)a->u64[0]), "r"((uint64_t)b->u64[0]));
	d->u64[0] = r;
}

void vop_pext(union ir_vec *d, const union ir_vec *a, const union ir_vec *b, const union ir_vec *c,
	      unsigned imm8)
{
	uint64_t r;

	__asm__("pextq %2, %1, %0" : "=r"(r) : "r"((uint64_t)a->u64[0]), "r"((uint64_t)b->u64[0]));
	d->u64[0] = r;
}
