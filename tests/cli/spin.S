# Does nothing, for ever, with interrupts off: on CPU 0 and, by INIT and SIPI, on all others.
.include "flat.inc"

.set APIC_ICR, 0xfee00300
.set ALL_BUT_ME, 3 << 18
.set ASSERT, 1 << 14
.set INIT, 5 << 8
.set STARTUP, 6 << 8

main:
	cli
	lgdt	gdt_pointer
	movl	%cr0, %eax		# 4 GiB data segment, then back to real mode
	orl	$1, %eax
	movl	%eax, %cr0
	movw	$8, %bx
	movw	%bx, %ds
	andl	$~1, %eax
	movl	%eax, %cr0
	movl	$(ALL_BUT_ME | ASSERT | INIT), %eax
	movl	$APIC_ICR, %edi
	movl	%eax, (%edi)
	movl	$(ALL_BUT_ME | ASSERT | STARTUP | 0x8), (%edi)	# at 0800:0000
	put_char 's'
1:	jmp	1b

	.org	0x8000 - 0x7c00
	cli
1:	jmp	1b

	.align	8
gdt:	.quad	0
	.quad	0x00cf93000000ffff
gdt_pointer:
	.word	. - gdt - 1
	.long	gdt
