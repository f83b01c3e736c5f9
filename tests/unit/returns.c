/*
 * Calls and returns in a loop, which an engine may take for one piece: what is on the stack decides
 * where a return goes, also where the stack is no plain memory, and whoever changed it in between.
 */
#include "sysbox.h"

enum { ROM = 0x100000, DEVICE = 0x110000, ROUNDS = 200, RUN_INSNS = 4000 };

static void begin(struct box *b)
{
	enter_long(b, 0);
	memset(b->cpu->gpr, 0, sizeof(b->cpu->gpr));
}

static void expect(const struct box *b, unsigned reg, uint64_t v)
{
	assert_int_equal(b->cpu->gpr[reg], v);
}

/* mov ecx, ROUNDS; again: mov esp, STACK; call f; inc eax; jmp next; f: ret; +20: inc edx; next:
 * dec ecx; jne again; jmp self */
#define BARE(stack)                                                                                \
	"\xb9\xc8\x00\x00\x00\xbc" stack                                                           \
	"\xe8\x04\x00\x00\x00\xff\xc0\xeb\x03\xc3\xff\xc2\xff\xc9\x75\xeb\xeb\xfe"

static uint64_t device_read(void *opaque, uint64_t off, unsigned bytes)
{
	(void)opaque, (void)off, (void)bytes;
	return CODE + 20;
}

static void device_write(void *opaque, uint64_t off, uint64_t v, unsigned bytes)
{
	(void)off, (void)v, (void)bytes;
	++*(unsigned *)opaque;
}

/* What a call stores there is lost. */
static void stack_in_rom(void **state)
{
	struct box *b = *state;
	uint8_t *rom = host_ram_map(PAGE_BYTES);

	store_le64(rom + PAGE_BYTES - 8, CODE + 20);
	space_map_ram(&b->space, ROM, PAGE_BYTES, rom, true);
	begin(b);
	RUN(b, BARE("\x00\x10\x10\x00"), RUN_INSNS);
	expect(b, X86_RAX, 0);
	expect(b, X86_RDX, ROUNDS);
	host_ram_unmap(rom, PAGE_BYTES);
}

static void stack_in_a_device(void **state)
{
	static const struct io_ops ops = {device_read, device_write, 8};
	struct box *b = *state;
	unsigned writes = 0;

	space_map_io(&b->space, "stack", DEVICE, PAGE_BYTES, &ops, &writes);
	begin(b);
	RUN(b, BARE("\x00\x08\x11\x00"), RUN_INSNS);
	expect(b, X86_RAX, 0);
	expect(b, X86_RDX, ROUNDS);
	assert_int_equal(writes, ROUNDS);
}

static void stack_in_memory(void **state)
{
	struct box *b = *state;

	begin(b);
	RUN(b, BARE("\x00\x60\x00\x00"), RUN_INSNS);
	expect(b, X86_RAX, ROUNDS);
	expect(b, X86_RDX, 0);
	assert_int_equal(ram64(b, STACK0 - 8), CODE + 15);
}

/* mov ecx, ROUNDS; lea rdx, [other]; mov esp, STACK0; lea rbx, [rsp-8]; again: call f; inc eax; jmp
 * next; f: mov [rbx], rdx; ret; other: inc esi; next: dec ecx; jne again; jmp self */
static void replaced(void **state)
{
	struct box *b = *state;

	begin(b);
	RUN(b,
	    "\xb9\xc8\x00\x00\x00\x48\x8d\x15\x17\x00\x00\x00\xbc\x00\x60\x00\x00\x48\x8d\x5c\x24"
	    "\xf8\xe8\x04\x00\x00\x00\xff\xc0\xeb\x06\x48\x89\x13\xc3\xff\xc6\xff\xc9\x75\xed\xeb"
	    "\xfe",
	    RUN_INSNS);
	expect(b, X86_RAX, 0);
	expect(b, X86_RSI, ROUNDS);
}

/* ... f: push rax; mov qword [rsp+16], 7; add qword [rsp+8], 2; pop rdi; ret: over the inc */
static void added_to(void **state)
{
	struct box *b = *state;

	begin(b);
	RUN(b,
	    "\xb9\xc8\x00\x00\x00\xbc\x00\x60\x00\x00\xe8\x04\x00\x00\x00\xff\xc0\xeb\x12\x50\x48"
	    "\xc7\x44\x24\x10\x07\x00\x00\x00\x48\x83\x44\x24\x08\x02\x5f\xc3\xff\xc9\x75\xe1\xeb"
	    "\xfe",
	    RUN_INSNS);
	expect(b, X86_RAX, 0);
	assert_int_equal(ram64(b, STACK0), 7);
}

/* ... f: push rax; call g; mov dword [rsp+4], 7; pop rdi; ret; g: add esi, 2; ret 0 */
#define NESTED                                                                                     \
	"\xb9\xc8\x00\x00\x00\xbc\x00\x60\x00\x00\xe8\x04\x00\x00\x00\xff\xc0\xeb\x16\x50\xe8"     \
	"\x0a\x00\x00\x00\xc7\x44\x24\x04\x07\x00\x00\x00\x5f\xc3\x83\xc6\x02\xc2\x00\x00\xff"     \
	"\xc9\x75\xdd\xeb\xfe"

static void nested(void **state)
{
	struct box *b = *state;

	begin(b);
	RUN(b, NESTED, RUN_INSNS);
	expect(b, X86_RAX, ROUNDS);
	expect(b, X86_RSI, 2 * ROUNDS);
	expect(b, X86_RDI, 7ull << 32 | (ROUNDS - 1));
	expect(b, X86_RSP, STACK0);
}

/* The same, stopped in the middle of a round. */
static void counted(void **state)
{
	struct box *b = *state;

	begin(b);
	RUN(b, NESTED, 2 + 12 * 150 + 5);
	expect(b, X86_RAX, 150);
	expect(b, X86_RSI, 302);
	expect(b, X86_RCX, 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SYSTEST(stack_in_rom), SYSTEST(stack_in_a_device), SYSTEST(stack_in_memory),
		SYSTEST(replaced),     SYSTEST(added_to),	   SYSTEST(nested),
		SYSTEST(counted),
	};

	if (!engine_choice())
		return TEST_SKIPPED;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
