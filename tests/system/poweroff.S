/* ACPI power-off: sleep type 5 and SLP_EN to PM1a control; ports and value are this machine's, of
 * its FADT and _S5. After a reset by port CF9h on the way, which CMOS RAM outlives. */
#include "lib.inc"

	BITS16
main:	mov	al, 0x50
	out	0x70, al
	in	al, 0x71
	cmp	al, 0x5a
	je	again
	mov	al, 0x50
	out	0x70, al
	mov	al, 0x5a
	out	0x71, al
	mov	dx, 0xcf9
	mov	al, 2
	out	dx, al
	mov	al, 6
	out	dx, al
	mov	ecx, 0x1000000
1:	loopd	1b
	mov	eax, 3				/* no reset came */
	out	0xf4, eax
again:	mov	dx, 0x604
	mov	ax, 0x3400
	out	dx, ax
	mov	ecx, 0x1000000
1:	loopd	1b
	mov	eax, 4
	out	0xf4, eax
	hlt
