# Does nothing, for ever, with interrupts off: on CPU 0 and, by INIT and SIPI, on all others.
.include "flat.inc"

.set APIC_ICR, 0xfee00300
.set ALL_BUT_ME, 3 << 18
.set ASSERT, 1 << 14
.set INIT, 5 << 8
.set STARTUP, 6 << 8

main:
	reach_4gib
	movl	$(ALL_BUT_ME | ASSERT | INIT), %eax
	movl	$APIC_ICR, %edi
	movl	%eax, (%edi)
	movl	$(ALL_BUT_ME | ASSERT | STARTUP | 0x8), (%edi)	# at 0800:0000
	put_char 's'
1:	jmp	1b

	.org	0x8000 - 0x7c00
	cli
1:	jmp	1b
