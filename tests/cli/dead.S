# Halts with interrupts off: nothing but an NMI or a reset can wake it.
.include "flat.inc"

main:
	put_char 'h'
	cli
1:	hlt
	jmp	1b
