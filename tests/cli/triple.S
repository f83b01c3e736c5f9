# Crashes: an undefined instruction with no interrupt table to answer it.
.include "flat.inc"

main:
	put_char 't'
	movl	$0x12345678, %ebx
	lidt	none
	ud2
none:
	.word	0
	.long	0
