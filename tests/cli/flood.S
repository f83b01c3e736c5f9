# Writes to the serial port as fast as it can, for ever, with interrupts off.
.include "flat.inc"

main:
	cli
1:	put_char 'f'
	jmp	1b
