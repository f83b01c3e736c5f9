/*
 * Names for gdb: its interface for just-in-time compilers ("JIT Compilation Interface" in its
 * manual). gdb finds two symbols by their names, a list it reads and a function it stops at
 * whenever the list changes. They are one for the whole process and must be writable: the one place
 * where the monitor has state that no machine owns, with the lock that guards it. Each piece of
 * code is an ELF file in memory with one symbol. No unwind information: a backtrace ends there.
 */
#include "host/host.h"

#include <elf.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum jit_action { JIT_NOACTION, JIT_REGISTER, JIT_UNREGISTER };

struct jit_code_entry {
	struct jit_code_entry *next_entry, *prev_entry;
	const char *symfile_addr;
	uint64_t symfile_size;
};

struct jit_descriptor {
	uint32_t version, action_flag; /* action_flag: enum jit_action */
	struct jit_code_entry *relevant_entry, *first_entry;
};

void __jit_debug_register_code(void);
extern struct jit_descriptor __jit_debug_descriptor;

struct jit_descriptor __jit_debug_descriptor = {.version = 1};
static pthread_mutex_t gdb_lock = PTHREAD_MUTEX_INITIALIZER;

/* gdb has a breakpoint here; the call must be one. */
__attribute__((noinline)) void __jit_debug_register_code(void)
{
	__asm__ volatile("" ::: "memory");
}

enum { SECTION_NULL, SECTION_TEXT, SECTION_SYMTAB, SECTION_STRTAB, SECTIONS };

/* String table: section names, then the symbol's. */
static const char strings[] = "\0.text\0.symtab\0.strtab";

enum {
	AT_TEXT = 1,
	AT_SYMTAB = 7,
	AT_STRTAB = 15,
	AT_NAME = sizeof(strings),
	NAME_MAX_BYTES = 200
};

struct symfile {
	Elf64_Ehdr head;
	Elf64_Shdr section[SECTIONS];
	Elf64_Sym symbol[2];
	char strings[AT_NAME + NAME_MAX_BYTES];
};

struct entry {
	struct jit_code_entry gdb; /* first: gdb's pointer is ours */
	uintptr_t rx;
	struct symfile file;
};

static void fill_sections(struct symfile *f, uintptr_t rx, size_t bytes)
{
	f->section[SECTION_TEXT] = (Elf64_Shdr){.sh_name = AT_TEXT,
						.sh_type = SHT_NOBITS,
						.sh_flags = SHF_ALLOC | SHF_EXECINSTR,
						.sh_addr = rx,
						.sh_size = bytes,
						.sh_addralign = 1};
	f->section[SECTION_SYMTAB] = (Elf64_Shdr){.sh_name = AT_SYMTAB,
						  .sh_type = SHT_SYMTAB,
						  .sh_offset = offsetof(struct symfile, symbol),
						  .sh_size = sizeof(f->symbol),
						  .sh_link = SECTION_STRTAB,
						  .sh_info = 1, /* the first global symbol */
						  .sh_addralign = 8,
						  .sh_entsize = sizeof(Elf64_Sym)};
	f->section[SECTION_STRTAB] = (Elf64_Shdr){.sh_name = AT_STRTAB,
						  .sh_type = SHT_STRTAB,
						  .sh_offset = offsetof(struct symfile, strings),
						  .sh_size = sizeof(f->strings),
						  .sh_addralign = 1};
}

static void fill_file(struct symfile *f, uintptr_t rx, size_t bytes, const char *name)
{
	f->head = (Elf64_Ehdr){.e_type = ET_EXEC,
			       .e_machine = EM_X86_64,
			       .e_version = EV_CURRENT,
			       .e_shoff = offsetof(struct symfile, section),
			       .e_ehsize = sizeof(Elf64_Ehdr),
			       .e_shentsize = sizeof(Elf64_Shdr),
			       .e_shnum = SECTIONS,
			       .e_shstrndx = SECTION_STRTAB};
	memcpy(f->head.e_ident, ELFMAG, SELFMAG);
	f->head.e_ident[EI_CLASS] = ELFCLASS64;
	f->head.e_ident[EI_DATA] = ELFDATA2LSB;
	f->head.e_ident[EI_VERSION] = EV_CURRENT;
	fill_sections(f, rx, bytes);
	f->symbol[1] = (Elf64_Sym){.st_name = AT_NAME,
				   .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
				   .st_shndx = SECTION_TEXT,
				   .st_value = rx,
				   .st_size = bytes};
	memcpy(f->strings, strings, sizeof(strings));
	strncpy(f->strings + AT_NAME, name, NAME_MAX_BYTES - 1);
}

static void tell(enum jit_action action, struct jit_code_entry *e)
{
	__jit_debug_descriptor.action_flag = action;
	__jit_debug_descriptor.relevant_entry = e;
	__jit_debug_register_code();
	__jit_debug_descriptor.action_flag = JIT_NOACTION;
	__jit_debug_descriptor.relevant_entry = NULL;
}

int host_gdb_add(const void *rx, size_t bytes, const char *name)
{
	struct entry *e = calloc(1, sizeof(*e));

	if (!e)
		return -ENOMEM;
	e->rx = (uintptr_t)rx;
	fill_file(&e->file, e->rx, bytes, name);
	e->gdb.symfile_addr = (const char *)&e->file;
	e->gdb.symfile_size = sizeof(e->file);
	pthread_mutex_lock(&gdb_lock);
	e->gdb.next_entry = __jit_debug_descriptor.first_entry;
	if (e->gdb.next_entry)
		e->gdb.next_entry->prev_entry = &e->gdb;
	__jit_debug_descriptor.first_entry = &e->gdb;
	tell(JIT_REGISTER, &e->gdb);
	pthread_mutex_unlock(&gdb_lock);
	return 0;
}

static void drop(struct entry *e)
{
	if (e->gdb.prev_entry)
		e->gdb.prev_entry->next_entry = e->gdb.next_entry;
	else
		__jit_debug_descriptor.first_entry = e->gdb.next_entry;
	if (e->gdb.next_entry)
		e->gdb.next_entry->prev_entry = e->gdb.prev_entry;
	tell(JIT_UNREGISTER, &e->gdb);
	free(e);
}

void host_gdb_remove(const void *rx, size_t bytes)
{
	struct jit_code_entry *at, *next;

	pthread_mutex_lock(&gdb_lock);
	for (at = __jit_debug_descriptor.first_entry; at; at = next) {
		next = at->next_entry;
		if (((struct entry *)at)->rx - (uintptr_t)rx < bytes)
			drop((struct entry *)at);
	}
	pthread_mutex_unlock(&gdb_lock);
}
