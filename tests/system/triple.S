/* A triple fault ends the machine with a report of the CPU's state: no IDT, then an exception. */
#include "lib.inc"

	BITS16
main:	ENTER_LONG
	mov	word ptr [idtr], 0
	lidt	[idtr]
	mov	r15, 0x123456789abcdef0
	ud2
	FINISH
