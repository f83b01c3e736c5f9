# Reads and writes every model-specific register of the ranges in use, and some in none, with
# several values. The general-protection handler skips the instruction.
.include "flat.inc"

main:
	cli
	set_vector 13, skip_two
	movw	$ranges, %si
next_range:
	movl	(%si), %ecx
next_msr:
	rdmsr
	movw	$values, %di
1:	movl	(%di), %eax
	movl	4(%di), %edx
	wrmsr
	addw	$8, %di
	cmpw	$values_end, %di
	jb	1b
	incl	%ecx
	cmpl	4(%si), %ecx
	jne	next_msr
	addw	$8, %si
	cmpw	$ranges_end, %si
	jb	next_range
	end_run	2

skip_two:
	pushw	%bp
	movw	%sp, %bp
	addw	$2, 2(%bp)		# the length of RDMSR and WRMSR
	popw	%bp
	iretw

ranges:
	.long	0, 0x2000
	.long	0x40000000, 0x40000200
	.long	0x4b564d00, 0x4b564d20
	.long	0x7ffff000, 0x80000100
	.long	0xc0000000, 0xc0000400
	.long	0xc0010000, 0xc0011400
	.long	0xffffff00, 0x00000000
ranges_end:
values:
	.quad	0, -1, 0x5aa5c33c, 0x8000000000000001, 0x00000000fee00800
values_end:
