# Reads and writes one word in every page from 1 MiB to 4 GiB: RAM, what is beyond it, and devices.
# What was written outside RAM must not be there; what is read back there is of no consequence.
.include "flat.inc"

.set TOP, 64 << 20			# the machine's memory: the test gives it this much

main:
	reach_4gib
	movl	$0x100000, %esi
1:	movl	%esi, %eax
	notl	%eax
	movl	%eax, 0xff8(%esi)
	movl	0xff8(%esi), %ebx
	cmpl	$TOP, %esi
	ja	2f
	je	2f
	cmpl	%eax, %ebx		# RAM holds what it is given
	jne	bad
	jmp	3f
2:	cmpl	$0xc0000000, %esi
	jae	3f
	cmpl	%eax, %ebx		# nothing is there
	je	bad
3:	movw	$0x1234, 0xfff(%esi)	# across the boundary; wraps at the end of the address space
	addl	$0x1000, %esi
	jnz	1b
	end_run	3
bad:	end_run	4
