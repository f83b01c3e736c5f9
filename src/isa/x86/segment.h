/*
 * Segmentation: loading segment registers, descriptor checks, linear addresses, far control
 * transfers, gates and hardware task switches. SDM vol. 3, chapters 3, 5, 6, 7.
 * Functions return false with cpu->fault set and nothing architectural changed.
 */
#ifndef ISA_X86_SEGMENT_H
#define ISA_X86_SEGMENT_H

#include "isa/x86/cpu.h"
#include "isa/x86/mmu.h"

/* A descriptor as it lies in the table (8 bytes), and decoded. */
struct x86_desc {
	uint32_t lo, hi;
};
uint64_t x86_desc_base(struct x86_desc d);
uint32_t x86_desc_limit(struct x86_desc d); /* expanded by G */
uint16_t x86_desc_attr(struct x86_desc d);

/* seg:off -> linear with limit, type and canonical checks for an access of bytes. Used by lifted
 * code when the mode is not flat. In 64-bit code only FS and GS have a base. */
bool x86_seg_linear(struct x86_cpu *cpu, enum x86_seg_index s, uint64_t off, unsigned bytes,
		    enum x86_access a, uint64_t *lin);

/* MOV/POP to a segment register (not CS), LDS.. and friends. Updates cpu->mode; SS sets no
 * shadow here (the lifter does). */
bool x86_seg_load(struct x86_cpu *cpu, enum x86_seg_index s, uint16_t sel);
/* Real and virtual-8086 mode load, no checks: base = sel * 16. */
void x86_seg_load_real(struct x86_cpu *cpu, enum x86_seg_index s, uint16_t sel);

bool x86_lldt(struct x86_cpu *cpu, uint16_t sel);
bool x86_ltr(struct x86_cpu *cpu, uint16_t sel);

/* LAR, LSL, VERR, VERW: return whether the selector is accessible (ZF); *ok false means a fault. */
bool x86_lar(struct x86_cpu *cpu, uint16_t sel, uint32_t *rights, bool *ok);
bool x86_lsl(struct x86_cpu *cpu, uint16_t sel, uint32_t *limit, bool *ok);
bool x86_verify(struct x86_cpu *cpu, uint16_t sel, bool write, bool *ok);

/* Far transfers. opsize in bytes (2, 4, 8); next_rip is the return address. On success CS:RIP, CPL
 * and the stack are changed and cpu->mode updated. */
bool x86_far_jump(struct x86_cpu *cpu, uint16_t sel, uint64_t off, unsigned opsize,
		  uint64_t next_rip);
bool x86_far_call(struct x86_cpu *cpu, uint16_t sel, uint64_t off, unsigned opsize,
		  uint64_t next_rip);
bool x86_far_ret(struct x86_cpu *cpu, unsigned opsize, unsigned pop_bytes);
bool x86_iret(struct x86_cpu *cpu, unsigned opsize, uint64_t next_rip);

/* After a transfer to an outer ring: data segments it may not use become null. */
void x86_segs_drop_inner(struct x86_cpu *cpu);

enum x86_task_reason { X86_TASK_JMP, X86_TASK_CALL, X86_TASK_IRET, X86_TASK_GATE };
/* Switch to the task of TSS selector sel. error: pushed on the new stack when has_error. A switch
 * that is refused changes nothing and records the fault; one that fails in the new task (its
 * segments do not load) records the fault with cpu->rip in the new task. */
enum x86_task_result { X86_TASK_DONE, X86_TASK_REFUSED, X86_TASK_FAULTED };
enum x86_task_result x86_task_enter(struct x86_cpu *cpu, uint16_t sel, enum x86_task_reason why,
				    uint64_t next_rip, bool has_error, uint32_t error);
/* The same for far transfers: a fault in the new task is delivered there. False: refused. */
bool x86_task_switch(struct x86_cpu *cpu, uint16_t sel, enum x86_task_reason why,
		     uint64_t next_rip, bool has_error, uint32_t error);

bool x86_syscall(struct x86_cpu *cpu, uint64_t next_rip);
bool x86_sysret(struct x86_cpu *cpu, unsigned opsize);
bool x86_sysenter(struct x86_cpu *cpu);
bool x86_sysexit(struct x86_cpu *cpu, unsigned opsize);

/* May the current privilege use ports [port, port+bytes)? False: #GP recorded. */
bool x86_io_allowed(struct x86_cpu *cpu, uint16_t port, unsigned bytes);

#endif
