/* Virtual-8086 mode: entering and leaving, IOPL-sensitive instructions, INT n with and without VME,
 * port access by the I/O permission map. SDM vol. 3, chapter 20. */
#include "lib.inc"

	/* VTRY "name", vector, error, "instruction": in virtual-8086 mode with u_flags and DS = 2000h,
	 * after `setup`. It ends by HLT, which is #GP there and for USER_OK must be what is raised. */
	.macro	VTRY name, vec, err, insn, setup
	TRY_BEGIN .Lend\@, .Lat\@
	push	0			/* gs, fs, ds, es */
	push	0
	push	0x2000
	push	0
	push	0			/* ss:sp */
	push	USTACK_TOP
	mov	eax, [u_flags]
	or	eax, 0x20000
	push	eax
	push	0
	push	offset .Lin\@
	mov	eax, 0x1234
	iretd
	.code16
.Lin\@:	\setup
.Lat\@:	\insn
.Lhlt\@: hlt
	.code32
.Lend\@:
	.if \vec == USER_OK
	mov	dword ptr [x_want_ip], offset .Lhlt\@
	TRY_END	"\name", 13, 0
	.else
	TRY_END	"\name", \vec, \err
	.endif
	.endm

	BITS16
main:	/* vectors of the 8086 program */
	mov	word ptr [0x21 * 4], offset v86_int
	mov	word ptr [0x21 * 4 + 2], 0
	mov	word ptr [0x22 * 4], offset v86_int
	mov	word ptr [0x22 * 4 + 2], 0
	ENTER_PM32

	/* IOPL 3: its own master, but for INT through the IDT */
	mov	dword ptr [u_flags], 0x3002
	VTRY	"nop", USER_OK, 0, "nop"
	CHK	"VM and RF in the frame", "[x_flags]", 0x33002
	CHK	"cs in the frame", "[x_code]", 0
	CHK	"sp in the frame", "[x_frame_sp]", USTACK_TOP
	VTRY	"cli, iopl 3", USER_OK, 0, "cli"
	VTRY	"sti, iopl 3", USER_OK, 0, "sti"
	mov	eax, [x_flags]
	and	eax, 0x200
	CHK	"IF is set", eax, 0x200
	VTRY	"pushf and popf, iopl 3", USER_OK, 0, "pushf; popf"
	VTRY	"iret, iopl 3", USER_OK, 0, "pushf; push 0; push offset 1f; iret; ud2; 1:"
	VTRY	"popf does not change IOPL", USER_OK, 0, "push 0x0002; popf"
	mov	eax, [x_flags]
	and	eax, 0x3000
	CHK	"IOPL stays 3", eax, 0x3000
	VTRY	"segment arithmetic", USER_OK, 0, "mov ax, 0x2000; mov es, ax; mov byte ptr es:[5], 0x5a; mov al, ds:[5]"
	CHK	"ds of 2000h is base 20000h", "[0x20005]", 0x5a
	movzx	eax, byte ptr [x_regs + 28]
	CHK	"read back", eax, 0x5a
	VTRY	"limit of 64 KiB", 13, 0, "mov eax, ds:[0xfffd]"
	VTRY	"int3 with a gate of DPL 0", 13, 3*8+2, "int3"
	VTRY	"int 21h with no gate", 13, 0x21*8+2, "int 0x21"
	VTRY	"ud2", 6, 0, "ud2"
	VTRY	"mov from cr0", 13, 0, "mov eax, cr0"
	VTRY	"lgdt", 13, 0, "lgdt [0]"
	VTRY	"lldt", 6, 0, "lldt ax"
	VTRY	"str", 6, 0, "str ax"
	VTRY	"lar", 6, 0, "lar ax, bx"
	VTRY	"arpl", 6, 0, ".byte 0x63, 0xc0"
	VTRY	"clts", 13, 0, "clts"
	VTRY	"smsw", USER_OK, 0, "smsw ax"
	VTRY	"far jump", USER_OK, 0, ".byte 0xea; .word 1f; .word 0; ud2; 1:"
	VTRY	"ports without a map", 13, 0, "in al, 0x80"
	mov	byte ptr [tss + 104 + 0x10], 0xfe
	VTRY	"port 80h by the map", USER_OK, 0, "in al, 0x80"
	VTRY	"port 81h", 13, 0, "in al, 0x81"
	VTRY	"word at 80h", 13, 0, "in ax, 0x80"
	mov	byte ptr [tss + 104 + 0x10], 0xff

	/* an INT by a gate of DPL 3 leaves for ring 0 */
	mov	byte ptr [IDT + 0x3d * 8 + 5], 0xee
	VTRY	"int with a gate", 0x3d, 0, "int 0x3d"
	/* the frame of an interrupt out of virtual-8086 mode: gs fs ds es ss esp eflags cs eip */
	mov	esi, [x_at]
	CHK	"es in the frame", "[esi + 20]", 0
	CHK	"ds in the frame", "[esi + 24]", 0x2000
	CHK	"fs in the frame", "[esi + 28]", 0
	CHK	"esp of the handler", esi, "STACK_TOP - 0x800 - 36"
	SET_GATE 0x3c, seg_handler, 0xee00
	VTRY	"data segments in the handler are null", USER_OK, 0, "int 0x3c"
	movzx	eax, word ptr [v_ds]
	CHK	"ds", eax, 0

	/* IOPL 0: traps */
	mov	dword ptr [u_flags], 2
	VTRY	"cli, iopl 0", 13, 0, "cli"
	VTRY	"sti, iopl 0", 13, 0, "sti"
	VTRY	"pushf, iopl 0", 13, 0, "pushf"
	VTRY	"popf, iopl 0", 13, 0, "popf"
	VTRY	"iret, iopl 0", 13, 0, "iret"
	VTRY	"int, iopl 0", 13, 0, "int 0x3d"
	VTRY	"int3, iopl 0", 13, 3*8+2, "int3"
	VTRY	"in, iopl 0", 13, 0, "in al, 0x80"

	/* VME: INT n through the program's own table where the redirection map says so */
	mov	eax, cr4
	or	eax, 1
	mov	cr4, eax
	/* the map is the 32 bytes below the I/O map: make room */
	mov	edi, offset vme_tss
	mov	esi, offset tss
	mov	ecx, 26
	rep	movsd
	mov	word ptr [vme_tss + 102], 104 + 32
	mov	edi, offset vme_tss + 104
	xor	eax, eax
	mov	ecx, 8
	rep	stosd
	mov	byte ptr [vme_tss + 104 + 4], 0x04	/* INT 22h goes to the monitor */
	mov	eax, offset vme_tss
	mov	[gdt_tss + 2], ax
	mov	byte ptr [gdt_tss + 5], 0x89
	mov	ax, SEL_TSS
	ltr	ax
	VTRY	"VME: int 21h, iopl 0", USER_OK, 0, "int 0x21"
	CHK	"reached the program's handler", "[v_count]", 1
	movzx	eax, word ptr [v_flags]
	and	eax, 0x3200
	CHK	"flags image: IOPL 3, IF is VIF", eax, 0x3000
	VTRY	"VME: int 22h, iopl 0", 13, 0, "int 0x22"
	VTRY	"VME: sti, iopl 0", USER_OK, 0, "sti"
	mov	eax, [x_flags]
	and	eax, 0x80200
	CHK	"sets VIF", eax, 0x80000
	VTRY	"VME: cli, iopl 0", USER_OK, 0, "sti; cli"
	mov	eax, [x_flags]
	and	eax, 0x80200
	CHK	"clears VIF", eax, 0
	VTRY	"VME: pushf, iopl 0", USER_OK, 0, "sti; pushf; pop ax"
	movzx	eax, word ptr [x_regs + 28]
	and	eax, 0x3200
	CHK	"shows VIF as IF and IOPL 3", eax, 0x3200
	VTRY	"VME: popf, iopl 0", USER_OK, 0, "push 0x202; popf"
	mov	eax, [x_flags]
	and	eax, 0x80200
	CHK	"popf sets VIF", eax, 0x80000
	VTRY	"VME: popfd, iopl 0", 13, 0, ".byte 0x66; popf"
	VTRY	"VME: popf of TF", 13, 0, "popf", "push 0x102"
	mov	dword ptr [u_flags], 0x100002		/* VIP */
	VTRY	"VME: sti with VIP", 13, 0, "sti"
	VTRY	"VME: popf of IF with VIP", 13, 0, "popf", "push 0x202"
	mov	dword ptr [u_flags], 0x3002
	VTRY	"VME: int 21h, iopl 3", USER_OK, 0, "int 0x21"
	CHK	"program's handler", "[v_count]", 2
	VTRY	"VME: int 22h, iopl 3, to the IDT", 13, 0x22*8+2, "int 0x22"
	FINISH

	.code16
v86_int: push	bp
	mov	bp, sp
	push	ax
	mov	ax, [bp + 6]
	mov	cs:[v_flags], ax
	inc	dword ptr cs:[v_count]
	pop	ax
	pop	bp
	iret

	.code32
seg_handler:
	push	eax
	mov	eax, ds
	mov	word ptr ss:[v_ds], ax
	pop	eax
	iretd

	.balign	4
v_count: .long	0
v_flags: .long	0
v_ds:	.long	0xffff
	.balign	8
vme_tss: .fill	104 + 32, 1, 0
	.byte	0xff
