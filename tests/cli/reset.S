# Resets itself without end, by the reset port and by the keyboard controller in turn.
.include "flat.inc"

main:
	put_char 'r'
	movb	$6, %al
	movw	$0xcf9, %dx
	outb	%al, %dx
	movb	$0xfe, %al
	outb	%al, $0x64
1:	jmp	1b
