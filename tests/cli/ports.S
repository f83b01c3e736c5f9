# Reads every port and writes it in every width and with several values, but for those whose
# purpose is to end or reset the machine; then says so. The debug console is left out as well.
.include "flat.inc"

main:
	cli
	xorw	%si, %si		# index of the value
next_value:
	xorl	%edx, %edx
next_port:
	movw	$harmful, %di
1:	movw	(%di), %ax
	cmpw	%ax, %dx		# below the range: no other holds it
	jb	touch
	cmpw	2(%di), %dx
	jbe	skip
	addw	$4, %di
	cmpw	$harmful_end, %di
	jb	1b
touch:
	inb	%dx, %al
	inw	%dx, %ax
	inl	%dx, %eax
	movl	values(%si), %eax
	outb	%al, %dx
	outw	%ax, %dx
	outl	%eax, %dx
skip:
	incl	%edx
	cmpl	$0x10000, %edx
	jb	next_port
	addw	$4, %si
	cmpw	$(values_end - values), %si
	jb	next_value
	end_run	1

# First and last port; four bytes may be written at the ports before a harmful one.
harmful:
	.word	0x61, 0x64		# keyboard controller: reset
	.word	0x8f, 0x92		# fast A20 gate and INIT
	.word	0xe6, 0xf7		# debug console and exit
	.word	0x3f5, 0x3f8		# what is shown on the console
	.word	0x5fd, 0x60f		# power management: off
	.word	0xcf6, 0xcf9		# reset
harmful_end:
values:
	.long	0, 0xffffffff, 0x5aa5c33c, 0x80000000
values_end:
