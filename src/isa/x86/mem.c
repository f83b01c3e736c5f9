/*
 * Linear memory access: the slow path behind the inline TLB probe, and the TLB's filling. An access
 * is resolved to one or two pieces, each within a page, before any of it happens. SDM vol. 3, 4.6
 * (rights), 6.15 (#AC), 17.2.4 (data breakpoints), 11.6 (self-modifying code is seen at once).
 *
 * System-structure accesses (x86_sys_*) hit no data breakpoints and are never alignment-checked.
 */
#include "isa/x86/mmu.h"

#include <string.h>

#include "isa/x86/mode.h"

enum {
	MEM_SYSTEM = 1 << 8, /* internal flag: descriptor tables, TSS */
	MEM_ALIGNED = X86_MEM_ALIGN16 | X86_MEM_ALIGN32,
};

/* Part of an access, within one page. */
struct piece {
	uint64_t gpa;
	uint8_t *hva; /* NULL: device */
	unsigned bytes;
	bool rom;
};

struct access {
	struct piece piece[2];
	unsigned count;
};

/* ---- filling */

static bool checked_mode(const struct x86_cpu *cpu, enum x86_mmu_index mmu)
{
	return (cpu->mode & X86_MODE_BREAK) || ((cpu->mode & X86_MODE_AC) && mmu == X86_MMU_USER);
}

/* May a page of RAM have its write tag? Only once the dirty bits, the guest's and ours, are set. */
static bool write_ready(struct x86_cpu *cpu, const struct x86_walk *w, unsigned flags, bool write)
{
	if (!w->writable || !w->dirty)
		return false;
	if (!(flags & PAGE_DIRTY)) {
		if (!write)
			return false;
		space_ram_fill(cpu->space, w->gpa);
		space_page_flags_set(cpu->space, w->gpa, PAGE_DIRTY);
	}
	return true;
}

static bool is_apic_page(const struct x86_cpu *cpu, uint64_t gpa)
{
	return (gpa & ~PAGE_OFFSET_MASK) == cpu->apic_page && cpu->platform;
}

/* What lies at a page: sets the host address, or NULL, and the page's flags; returns X86_TLB_*
 * bits. */
static uint64_t page_find(struct x86_cpu *cpu, uint64_t gpa_page, uint8_t **hva, unsigned *flags)
{
	bool rom = false;

	*hva = NULL;
	*flags = 0;
	if (gpa_page == cpu->apic_page)
		return X86_TLB_IO;
	if (x86_ram_window(cpu, gpa_page)) {
		uint64_t at = gpa_page - cpu->ram.base;
		*hva = cpu->ram.hva + at;
		*flags = __atomic_load_n(&cpu->ram.flags[at >> PAGE_BITS], __ATOMIC_ACQUIRE);
		return 0;
	}
	*hva = space_ram_page(cpu->space, gpa_page, &rom);
	return !*hva ? X86_TLB_IO : rom ? X86_TLB_ROM : 0;
}

static uint64_t page_bits(const struct x86_walk *w)
{
	return (w->global ? X86_TLB_GLOBAL : 0) | (w->page_bytes > PAGE_BYTES ? X86_TLB_LARGE : 0);
}

static bool tlb_fill(struct x86_cpu *cpu, uint64_t page, bool write, enum x86_mmu_index mmu)
{
	struct x86_walk w;
	struct x86_tlb *t = &cpu->tlb[mmu];
	unsigned flags, i = x86_tlb_index(page);
	uint64_t slow = checked_mode(cpu, mmu) ? X86_TLB_SLOW : 0;
	uint8_t *hva;

	if (!x86_mmu_walk(cpu, page, write ? X86_WRITE : X86_READ, mmu, &w))
		return false;
	cpu->counter[COUNTER_TLB_FILLS]++;
	TRACE(cpu->trace, TRACE_TLB, "cpu %u: %#llx -> %#llx mmu %u%s", cpu->index,
	      (unsigned long long)page, (unsigned long long)w.gpa, (unsigned)mmu,
	      write ? " write" : "");
	uint64_t gpa = w.gpa & ~PAGE_OFFSET_MASK, kind = page_find(cpu, gpa, &hva, &flags);

	t->entry[i].gpa_global = gpa | kind | page_bits(&w);
	t->entry[i].addend = hva ? (uint64_t)(uintptr_t)hva - page : 0;
	if (kind & X86_TLB_IO)
		slow = X86_TLB_SLOW;
	t->entry[i].tag_read = page | slow;
	if (kind ? w.writable && w.dirty : write_ready(cpu, &w, flags, write))
		t->entry[i].tag_write = page | (kind || (flags & PAGE_CODE) ? X86_TLB_SLOW : slow);
	else
		t->entry[i].tag_write = X86_TLB_INVALID;
	if (!(t->entry[i].tag_write & PAGE_OFFSET_MASK))
		x86_tlb_note_write(cpu, gpa);
	x86_tlb_use(cpu, &cpu->tlb_used[mmu], i, page, &w);
	return true;
}

/* Have the entry of lin's page hold the wanted right; false: fault recorded. */
static bool tlb_get(struct x86_cpu *cpu, uint64_t lin, bool write, enum x86_mmu_index mmu)
{
	const struct x86_tlb *t = &cpu->tlb[mmu];
	unsigned i = x86_tlb_index(lin);
	uint64_t page = lin & ~PAGE_OFFSET_MASK;
	uint64_t tag = write ? t->entry[i].tag_write : t->entry[i].tag_read;

	if ((tag & ~X86_TLB_SLOW) == page) {
		/* A page that holds code no longer, or a mode that no longer checks: refill it as
		 * plain RAM. */
		if (!(tag & X86_TLB_SLOW) ||
		    (t->entry[i].gpa_global & (X86_TLB_IO | X86_TLB_ROM)) ||
		    checked_mode(cpu, mmu) ||
		    (write && (space_page_flags(cpu->space, t->entry[i].gpa_global) & PAGE_CODE)))
			return true;
	}
	return tlb_fill(cpu, page, write, mmu);
}

/* ---- resolving */

static bool address_fault(struct x86_cpu *cpu, unsigned flags)
{
	return x86_fault_raise_error(cpu, flags & X86_MEM_STACK ? X86_FAULT_SS : X86_FAULT_GP, 0);
}

/* What alignment checking asks for (SDM vol. 3, table 6-7); wider operands have their own rules. */
static unsigned natural_alignment(unsigned bytes)
{
	/* 14, 28, 94 and 108: the x87 environment and state */
	static const uint8_t align[109] = {
		[2] = 2,   [4] = 4,   [6] = 4,	[8] = 8,  [10] = 8, [14] = 2,
		[16] = 16, [32] = 16, [28] = 4, [94] = 2, [108] = 4};

	return bytes < ARRAY_LEN(align) && align[bytes] ? align[bytes] : 1;
}

/* Wrap or check the address, then alignment. Outside long mode addresses are 32 bits wide. In
 * compatibility mode they are too, but delivery to a 64-bit handler also comes here before the mode
 * changes, so there only what the caller made 32 bits wide is. */
static bool address_check(struct x86_cpu *cpu, uint64_t *lin, unsigned bytes,
			  enum x86_mmu_index mmu, unsigned flags)
{
	if (((flags & X86_MEM_ALIGN16) && (*lin & 15)) ||
	    ((flags & X86_MEM_ALIGN32) && (*lin & 31)))
		return x86_fault_raise_error(cpu, X86_FAULT_GP, 0);
	if (!(cpu->efer & X86_EFER_LMA))
		*lin &= 0xffffffff;
	else if (!x86_canonical(*lin) || !x86_canonical(*lin + bytes - 1))
		return address_fault(cpu, flags);
	if ((cpu->mode & X86_MODE_AC) && mmu == X86_MMU_USER && !(flags & X86_MEM_NOAC) &&
	    (*lin & (natural_alignment(bytes) - 1)))
		return x86_fault_raise_error(cpu, X86_FAULT_AC, 0);
	return true;
}

static bool piece_resolve(struct x86_cpu *cpu, uint64_t lin, unsigned bytes, bool write,
			  enum x86_mmu_index mmu, struct piece *p)
{
	const struct x86_tlb *t = &cpu->tlb[mmu];
	unsigned i = x86_tlb_index(lin);

	if (!tlb_get(cpu, lin, write, mmu)) {
		cpu->fault.cr2 = lin;
		return false;
	}
	uint64_t gpa = t->entry[i].gpa_global;
	p->gpa = (gpa & ~PAGE_OFFSET_MASK) | (lin & PAGE_OFFSET_MASK);
	p->hva = gpa & X86_TLB_IO ? NULL : (uint8_t *)(uintptr_t)(lin + t->entry[i].addend);
	p->bytes = bytes;
	p->rom = gpa & X86_TLB_ROM;
	return true;
}

static bool resolve(struct x86_cpu *cpu, uint64_t *at, unsigned bytes, bool write,
		    enum x86_mmu_index mmu, unsigned flags, struct access *a)
{
	if (!address_check(cpu, at, bytes, mmu, flags))
		return false;
	uint64_t lin = *at;
	unsigned room = (unsigned)(PAGE_BYTES - (lin & PAGE_OFFSET_MASK));
	unsigned first = bytes < room ? bytes : room;

	a->count = 1;
	if (!piece_resolve(cpu, lin, first, write, mmu, &a->piece[0]))
		return false;
	if (first == bytes)
		return true;
	lin += first;
	if (lin == 1ull << 32 && !(cpu->mode & X86_MODE_CODE64))
		lin = 0;
	a->count = 2;
	return piece_resolve(cpu, lin, bytes - first, write, mmu, &a->piece[1]);
}

/* ---- data breakpoints */

static void break_check(struct x86_cpu *cpu, uint64_t lin, unsigned bytes, bool write)
{
	static const uint8_t lens[4] = {1, 2, 8, 4};
	uint64_t dr7 = cpu->dr[7];

	for (unsigned i = 0; i < 4; i++) {
		unsigned rw = dr7 >> (16 + 4 * i) & 3, len = lens[dr7 >> (18 + 4 * i) & 3];
		uint64_t at = cpu->dr[i] & ~(uint64_t)(len - 1);
		if (!(dr7 >> (2 * i) & 3) || !(rw == 3 || (rw == 1 && write)))
			continue;
		if (at - lin < bytes || lin - at < len)
			cpu->pending_db |= 1ull << i;
	}
}

static void accessed(struct x86_cpu *cpu, uint64_t lin, unsigned bytes, bool write, unsigned flags)
{
	if (UNLIKELY(cpu->mode & X86_MODE_BREAK) && !(flags & MEM_SYSTEM))
		break_check(cpu, lin, bytes, write);
}

/* ---- moving bytes */

/* Naturally aligned words move by one access each, so that other CPUs never see half of one. */
static void ram_copy(void *to, const void *from, unsigned bytes, const void *ram)
{
	uint8_t *d = to;
	const uint8_t *s = from;
	uintptr_t at = (uintptr_t)ram;

	if (bytes == 1)
		*(volatile uint8_t *)d = *(const volatile uint8_t *)s;
	else if (bytes == 2 && !(at & 1))
		*(volatile u16_any *)d = *(const volatile u16_any *)s;
	else if (bytes == 4 && !(at & 3))
		*(volatile u32_any *)d = *(const volatile u32_any *)s;
	else if (!(bytes & 7) && !(at & 7))
		for (unsigned i = 0; i < bytes; i += 8)
			*(volatile u64_any *)(d + i) = *(const volatile u64_any *)(s + i);
	else
		memcpy(d, s, bytes);
}

/* The local APIC's registers are aligned dwords; narrower and wider accesses are made from them. */
static void apic_read(struct x86_cpu *cpu, uint32_t offset, uint8_t *to, unsigned bytes)
{
	while (bytes) {
		unsigned skip = offset & 3, n = 4 - skip < bytes ? 4 - skip : bytes;
		uint32_t v =
			cpu->platform->apic_read(cpu->platform->opaque, cpu, offset & ~(uint32_t)3);
		v >>= skip * 8;
		memcpy(to, &v, n);
		offset += n;
		to += n;
		bytes -= n;
	}
}

static void apic_write(struct x86_cpu *cpu, uint32_t offset, const uint8_t *from, unsigned bytes)
{
	while (bytes) {
		unsigned skip = offset & 3, n = 4 - skip < bytes ? 4 - skip : bytes;
		uint32_t v = 0;
		memcpy((uint8_t *)&v + skip, from, n);
		cpu->platform->apic_write(cpu->platform->opaque, cpu, offset & ~(uint32_t)3, v);
		offset += n;
		from += n;
		bytes -= n;
	}
}

static void device_read(struct x86_cpu *cpu, const struct piece *p, uint8_t *to)
{
	cpu->counter[COUNTER_MMIO_READS]++;
	if (is_apic_page(cpu, p->gpa)) {
		apic_read(cpu, (uint32_t)(p->gpa & PAGE_OFFSET_MASK), to, p->bytes);
		return;
	}
	for (unsigned done = 0, n; done < p->bytes; done += n) {
		n = p->bytes - done < 8 ? p->bytes - done : 8;
		uint64_t v = space_io_read(cpu->space, p->gpa + done, n);
		memcpy(to + done, &v, n);
	}
}

static void device_write(struct x86_cpu *cpu, const struct piece *p, const uint8_t *from)
{
	cpu->counter[COUNTER_MMIO_WRITES]++;
	if (is_apic_page(cpu, p->gpa)) {
		apic_write(cpu, (uint32_t)(p->gpa & PAGE_OFFSET_MASK), from, p->bytes);
		return;
	}
	for (unsigned done = 0, n; done < p->bytes; done += n) {
		uint64_t v = 0;
		n = p->bytes - done < 8 ? p->bytes - done : 8;
		memcpy(&v, from + done, n);
		space_io_write(cpu->space, p->gpa + done, v, n);
	}
}

/* Would this write change the block that is running? Then nothing is written and the instruction
 * runs again, alone. */
static bool hits_running_block(struct x86_cpu *cpu, const struct access *a)
{
	for (unsigned i = 0; i < a->count && !cpu->alone; i++) {
		const struct piece *p = &a->piece[i];
		if (p->hva && !p->rom && p->gpa < cpu->code_hi &&
		    p->gpa + p->bytes > cpu->code_lo &&
		    space_code_near(cpu->space, p->gpa, p->bytes)) {
			cpu->exit_code = X86_EXIT_RESTART;
			return true;
		}
	}
	return false;
}

/* Would this ask a device, from a block that may not begin here and goes on behind it? Under the
 * counted clock that instruction runs again, alone: then the time it is told is exact, and what it
 * makes the machine ask of the CPU is done right behind it, whatever blocks an engine makes. */
static bool asks_device(struct x86_cpu *cpu, const struct access *a)
{
	if (LIKELY(!cpu->devices_alone) || cpu->alone)
		return false;
	for (unsigned i = 0; i < a->count; i++) {
		if (!a->piece[i].hva) {
			cpu->exit_code = X86_EXIT_RESTART;
			return true;
		}
	}
	return false;
}

static bool must_restart(struct x86_cpu *cpu, const struct access *a)
{
	return hits_running_block(cpu, a) || asks_device(cpu, a);
}

/* Bytes of a page that holds code are in. */
static void stored(struct x86_cpu *cpu, uint64_t gpa, size_t len)
{
	if (!space_code_stored(cpu->space, gpa, len))
		return;
	cpu->counter[COUNTER_SELF_MODIFY]++;
	TRACE(cpu->trace, TRACE_SMC, "cpu %u: %#llx/%zu", cpu->index, (unsigned long long)gpa, len);
}

static void piece_write(struct x86_cpu *cpu, const struct piece *p, const uint8_t *from)
{
	if (!p->hva) {
		device_write(cpu, p, from);
		return;
	}
	if (p->rom)
		return;
	ram_copy(p->hva, from, p->bytes, p->hva);
	if (space_page_flags(cpu->space, p->gpa) & PAGE_CODE)
		stored(cpu, p->gpa, p->bytes);
}

/* Where bytes at lin are, if the TLB says that they are plain RAM: then there is nothing to check,
 * and nobody to be told. */
static uint8_t *plain(const struct x86_cpu *cpu, uint64_t lin, unsigned bytes, bool write,
		      enum x86_mmu_index mmu)
{
	const struct x86_tlb_entry *e = &cpu->tlb[mmu].entry[x86_tlb_index(lin)];
	uint64_t at = lin & PAGE_OFFSET_MASK;

	if ((write ? e->tag_write : e->tag_read) != lin - at || at + bytes > PAGE_BYTES)
		return NULL;
	return (uint8_t *)(uintptr_t)(lin + e->addend);
}

/* ---- the interface */

bool x86_mem_read(struct x86_cpu *cpu, uint64_t lin, void *buf, unsigned bytes,
		  enum x86_mmu_index mmu, unsigned flags)
{
	struct access a;
	uint8_t *to = buf, *from;

	from = flags & MEM_ALIGNED ? NULL : plain(cpu, lin, bytes, flags & X86_MEM_RMW, mmu);
	if (from) {
		ram_copy(to, from, bytes, from);
		return true;
	}
	if (!resolve(cpu, &lin, bytes, flags & X86_MEM_RMW, mmu, flags, &a) || asks_device(cpu, &a))
		return false;
	for (unsigned i = 0; i < a.count; i++) {
		const struct piece *p = &a.piece[i];
		if (p->hva)
			ram_copy(to, p->hva, p->bytes, p->hva);
		else
			device_read(cpu, p, to);
		to += p->bytes;
	}
	accessed(cpu, lin, bytes, false, flags);
	return true;
}

bool x86_mem_write(struct x86_cpu *cpu, uint64_t lin, const void *buf, unsigned bytes,
		   enum x86_mmu_index mmu, unsigned flags)
{
	struct access a;
	const uint8_t *from = buf;
	uint8_t *to = flags & MEM_ALIGNED ? NULL : plain(cpu, lin, bytes, true, mmu);

	if (to) {
		ram_copy(to, from, bytes, to);
		return true;
	}
	if (!resolve(cpu, &lin, bytes, true, mmu, flags, &a) || must_restart(cpu, &a))
		return false;
	for (unsigned i = 0; i < a.count; i++) {
		piece_write(cpu, &a.piece[i], from);
		from += a.piece[i].bytes;
	}
	accessed(cpu, lin, bytes, true, flags);
	return true;
}

bool x86_mem_check_write(struct x86_cpu *cpu, uint64_t lin, unsigned bytes, enum x86_mmu_index mmu,
			 unsigned flags)
{
	struct access a;

	return resolve(cpu, &lin, bytes, true, mmu, flags, &a) && !must_restart(cpu, &a);
}

void *x86_mem_atomic_ptr(struct x86_cpu *cpu, uint64_t lin, unsigned bytes, enum x86_mmu_index mmu,
			 unsigned flags, bool *slow)
{
	struct access a;

	*slow = false;
	if (!resolve(cpu, &lin, bytes, true, mmu, flags, &a) || hits_running_block(cpu, &a))
		return NULL;
	const struct piece *p = &a.piece[0];
	if (a.count > 1 || (lin & (bytes - 1)) || !p->hva || p->rom ||
	    (space_page_flags(cpu->space, p->gpa) & PAGE_CODE)) {
		*slow = true;
		return NULL;
	}
	accessed(cpu, lin, bytes, true, flags);
	return p->hva;
}

uint8_t *x86_mem_direct(struct x86_cpu *cpu, uint64_t lin, enum x86_access a,
			enum x86_mmu_index mmu, uint64_t *run)
{
	const struct x86_tlb *t = &cpu->tlb[mmu];
	unsigned i;
	struct x86_fault fault = cpu->fault;
	uint32_t exit_code = cpu->exit_code;
	bool write = a == X86_WRITE;
	uint8_t *hva;

	if (a == X86_EXEC)
		return NULL;
	hva = plain(cpu, lin, 1, write, mmu);
	if (hva) {
		*run = PAGE_BYTES - (lin & PAGE_OFFSET_MASK);
		return hva;
	}
	if (!(cpu->efer & X86_EFER_LMA))
		lin &= 0xffffffff;
	else if (!x86_canonical(lin))
		return NULL;
	i = x86_tlb_index(lin);
	if (!tlb_get(cpu, lin, write, mmu)) {
		cpu->fault = fault;
		cpu->exit_code = exit_code;
		return NULL;
	}
	if ((write ? t->entry[i].tag_write : t->entry[i].tag_read) != (lin & ~PAGE_OFFSET_MASK))
		return NULL;
	*run = PAGE_BYTES - (lin & PAGE_OFFSET_MASK);
	return (uint8_t *)(uintptr_t)(lin + t->entry[i].addend);
}

/* Implicit supervisor accesses obey SMAP whatever RFLAGS.AC says (SDM vol. 3, 4.6.1). */
static enum x86_mmu_index system_mmu(const struct x86_cpu *cpu)
{
	return cpu->cr4 & X86_CR4_SMAP ? X86_MMU_KERNEL_SMAP : X86_MMU_KERNEL;
}

uint8_t *x86_mem_direct_code(struct x86_cpu *cpu, uint64_t lin, enum x86_mmu_index mmu,
			     uint64_t *gpa)
{
	const struct x86_tlb *t = &cpu->tlb[mmu];
	uint64_t page;
	unsigned i;

	if (!(cpu->efer & X86_EFER_LMA))
		lin &= 0xffffffff;
	i = x86_tlb_index(lin);
	page = t->entry[i].gpa_global & ~PAGE_OFFSET_MASK;
	if (t->entry[i].tag_write != ((lin & ~PAGE_OFFSET_MASK) | X86_TLB_SLOW) ||
	    (t->entry[i].gpa_global & (X86_TLB_IO | X86_TLB_ROM)) || checked_mode(cpu, mmu) ||
	    (!cpu->alone && page < cpu->code_hi && page + PAGE_BYTES > cpu->code_lo))
		return NULL;
	*gpa = page | (lin & PAGE_OFFSET_MASK);
	return (uint8_t *)(uintptr_t)(lin + t->entry[i].addend);
}

void x86_mem_stored(struct x86_cpu *cpu, uint64_t gpa, size_t len)
{
	stored(cpu, gpa, len);
}

bool x86_sys_read(struct x86_cpu *cpu, uint64_t lin, void *buf, unsigned bytes)
{
	return x86_mem_read(cpu, lin, buf, bytes, system_mmu(cpu), X86_MEM_NOAC | MEM_SYSTEM);
}

bool x86_sys_write(struct x86_cpu *cpu, uint64_t lin, const void *buf, unsigned bytes)
{
	return x86_mem_write(cpu, lin, buf, bytes, system_mmu(cpu), X86_MEM_NOAC | MEM_SYSTEM);
}

bool x86_mmu_fetch_page(struct x86_cpu *cpu, uint64_t lin, uint64_t *gpa_page, const uint8_t **hva)
{
	bool user = x86_cpl(cpu) == 3, rom;
	struct x86_walk w;

	if (!(cpu->mode & X86_MODE_CODE64))
		lin &= 0xffffffff;
	else if (!x86_canonical(lin))
		return x86_fault_raise_error(cpu, X86_FAULT_GP, 0);
	struct x86_itlb *t = &cpu->itlb;
	unsigned i = x86_itlb_index(lin);
	uint64_t tag = (lin & ~PAGE_OFFSET_MASK) | user;

	if (t->tag[i] != tag) {
		if (!x86_mmu_walk(cpu, lin, X86_EXEC, user ? X86_MMU_USER : X86_MMU_KERNEL, &w))
			return false;
		cpu->counter[COUNTER_TLB_FILLS]++;
		t->tag[i] = tag;
		t->gpa[i] = (w.gpa & ~PAGE_OFFSET_MASK) | page_bits(&w);
		t->hva[i] = x86_ram_window(cpu, w.gpa)
				    ? cpu->ram.hva + ((w.gpa & ~PAGE_OFFSET_MASK) - cpu->ram.base)
				    : space_ram_page(cpu->space, w.gpa, &rom);
		x86_tlb_use(cpu, &cpu->itlb_used, i, lin, &w);
	}
	cpu->fetched[lin >> 18 & 63] |= 1ull << (lin >> 12 & 63);
	if ((t->gpa[i] & X86_TLB_LARGE) && !(lin >> 63))
		cpu->fetched_large = true;
	*gpa_page = t->gpa[i] & ~PAGE_OFFSET_MASK;
	*hva = t->hva[i];
	return true;
}
