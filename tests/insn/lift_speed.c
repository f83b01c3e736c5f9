/*
 * How fast guest code becomes IR, and whether it becomes the same IR as before: lifts all blocks of
 * an ELF file's .text, one behind the other, and runs the passes on them. Not part of the test run.
 *
 * usage: lift-speed FILE [--mode 64|32|16] [--trace] [--separate] [--hash OUT] [--block ADDRESS]
 *                   [--rounds N]
 *
 * --hash writes a line for each block: its address and a hash of its printed IR; two such files say
 * whether a change of the lifter or a pass was seen. --block prints one block, before and after the
 * passes. --trace lifts traces (guessing at branches) instead of blocks. Blocks are folded while
 * they are built, or, with --separate, built again for it.
 */
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bits.h"
#include "ir/folder.h"
#include "ir/pass.h"
#include "isa/x86/lift.h"

enum { MAX_GUEST = 32, PATH_LEN = 8, TEXT_MAX = 1 << 18 };

static struct ir_insn storage[IR_BLOCK_MAX];
static struct ir_folder folder;
static char text[TEXT_MAX];

struct job {
	const uint8_t *code; /* whole pages */
	uint64_t addr, len;
	struct x86_decoder *decoder;
	struct x86_cpuid_model model;
	x86_mode_t mode;
	bool trace, separate;
	uint64_t blocks, insns, ops_before, ops_after;
};

static bool load_text(struct job *j, const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *file, *pages;
	const Elf64_Ehdr *eh;
	const Elf64_Shdr *sh;
	long size;

	if (!f)
		return false;
	fseek(f, 0, SEEK_END);
	size = ftell(f);
	rewind(f);
	file = malloc((size_t)size);
	if (!file || fread(file, 1, (size_t)size, f) != (size_t)size)
		return false;
	fclose(f);
	eh = (const Elf64_Ehdr *)file;
	sh = (const Elf64_Shdr *)(file + eh->e_shoff);
	for (unsigned i = 0; i < eh->e_shnum; i++) {
		const Elf64_Shdr *s = &sh[i];

		if (strcmp((char *)file + sh[eh->e_shstrndx].sh_offset + s->sh_name, ".text"))
			continue;
		j->addr = align_down(s->sh_addr, PAGE_BYTES);
		j->len = s->sh_addr + s->sh_size - j->addr;
		pages = calloc(1, align_up(j->len, PAGE_BYTES));
		memcpy(pages + (s->sh_addr - j->addr), file + s->sh_offset, s->sh_size);
		j->code = pages;
	}
	free(file);
	return j->code != NULL;
}

static void begin(struct job *j, struct ir_block *b)
{
	ir_block_init(b, &x86_isa, storage, IR_BLOCK_MAX);
	if (!j->separate)
		ir_block_fold(b, &folder, 0);
}

/* Where the block at `at` goes on, as far as it says: page offset, or 0xffff. Guesses by seed. */
static uint16_t guess_next(struct job *j, uint64_t at, unsigned seed)
{
	struct ir_block b;
	int64_t delta = -1;

	begin(j, &b);
	if (x86_lift_block(j->decoder, j->code + at,
			   (unsigned)(PAGE_BYTES - (at & PAGE_OFFSET_MASK)), j->mode, &j->model,
			   MAX_GUEST, &b) != X86_DECODE_OK)
		return 0xffff;
	for (uint32_t i = 0; i < b.count; i++)
		if (b.insn[i].op == IR_EXIT || (b.insn[i].op == IR_EXIT_IF && seed & 1))
			delta = b.insn[i].imm;
	delta += (int64_t)(at & PAGE_OFFSET_MASK);
	return (uint64_t)delta < PAGE_BYTES ? (uint16_t)delta : 0xffff;
}

static enum x86_decode_result lift(struct job *j, uint64_t at, struct ir_block *b)
{
	unsigned offset = (unsigned)(at & PAGE_OFFSET_MASK);
	int32_t path[PATH_LEN];
	struct x86_trace_page page = {.bytes = j->code + (at - offset)};
	struct x86_trace t = {.page = &page, .page_count = 1, .start = offset, .path = path};

	if (!j->trace) {
		begin(j, b);
		return x86_lift_block(j->decoder, j->code + at, (unsigned)PAGE_BYTES - offset,
				      j->mode, &j->model, MAX_GUEST, b);
	}
	for (uint64_t from = at; t.path_len < PATH_LEN; t.path_len++) {
		path[t.path_len] = guess_next(j, from, (unsigned)(at ^ at >> 5) + t.path_len);
		if (path[t.path_len] == 0xffff)
			break;
		from = at - offset + (uint64_t)path[t.path_len];
	}
	begin(j, b);
	return x86_lift_trace(j->decoder, &t, j->mode, &j->model, IR_BLOCK_GUEST_MAX, b);
}

static uint64_t hash_text(const char *s)
{
	uint64_t h = 14695981039346656037ull;

	for (; *s; s++)
		h = (h ^ (uint8_t)*s) * 0x100000001b3;
	return h;
}

static bool is_filling(const struct job *j, uint64_t at)
{
	return j->code[at] == 0xcc || j->code[at] == 0;
}

/* Every instruction, one behind the other. */
static void decode_all(struct job *j)
{
	struct x86_insn insn;

	for (uint64_t at = 0; at < j->len;) {
		if (is_filling(j, at)) {
			at++;
			continue;
		}
		x86_decode(j->decoder, j->code + at,
			   (unsigned)(PAGE_BYTES - (at & PAGE_OFFSET_MASK)), j->mode, &j->model,
			   &insn);
		at += insn.len ? insn.len : 1;
	}
}

static void lift_all(struct job *j, bool optimize, FILE *hash)
{
	struct ir_block b;

	j->blocks = j->insns = j->ops_before = j->ops_after = 0;
	for (uint64_t at = 0; at < j->len;) {
		if (is_filling(j, at)) {
			at++;
			continue;
		}
		if (lift(j, at, &b) != X86_DECODE_OK) {
			at = align_down(at, PAGE_BYTES) + PAGE_BYTES;
			continue;
		}
		j->blocks++;
		j->insns += b.guest_count;
		j->ops_before += b.count;
		if (optimize)
			ir_optimize(&b, 0);
		j->ops_after += b.count;
		if (hash) {
			ir_print(&b, text, sizeof(text));
			fprintf(hash, "%llx %016llx\n", (unsigned long long)(j->addr + at),
				(unsigned long long)hash_text(text));
		}
		at += b.guest_bytes ? b.guest_bytes : 1;
	}
}

static void print_block(struct job *j, uint64_t addr)
{
	struct ir_block b;

	if (addr - j->addr >= j->len || lift(j, addr - j->addr, &b) != X86_DECODE_OK)
		return;
	ir_print(&b, text, sizeof(text));
	printf("%s---\n", text);
	ir_optimize(&b, 0);
	ir_print(&b, text, sizeof(text));
	printf("%s", text);
}

static double cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* The best of all rounds: others may use the host. */
static void measure(struct job *j, unsigned rounds)
{
	static const char *const names[] = {"decode", "lift", "lift and passes"};
	double best[3] = {1e99, 1e99, 1e99};

	for (unsigned n = 0; n < 3 * rounds; n++) {
		double start = cpu_ns(), ns;

		if (n % 3 == 0)
			decode_all(j);
		else
			lift_all(j, n % 3 == 2, NULL);
		ns = cpu_ns() - start;
		best[n % 3] = ns < best[n % 3] ? ns : best[n % 3];
	}
	printf("%llu blocks, %.2f instructions, %.1f operations, after passes %.1f\n",
	       (unsigned long long)j->blocks, (double)j->insns / (double)j->blocks,
	       (double)j->ops_before / (double)j->blocks, (double)j->ops_after / (double)j->blocks);
	for (unsigned i = 0; i < 3; i++)
		printf("%-16s %6.0f ns a block, %4.0f ms\n", names[i], best[i] / (double)j->blocks,
		       best[i] / 1e6);
}

int main(int argc, char **argv)
{
	static struct job j;
	const char *hash = NULL;
	unsigned rounds = 5;
	uint64_t block = 0;

	j.mode = X86_MODE_CODE64 | X86_MODE_PE | X86_MODE_LONG;
	for (int i = 2; i < argc; i++) {
		const char *v = i + 1 < argc ? argv[i + 1] : "";

		if (!strcmp(argv[i], "--trace"))
			j.trace = true;
		else if (!strcmp(argv[i], "--separate"))
			j.separate = true;
		else if (!strcmp(argv[i], "--mode"))
			j.mode = v[0] == '3' ? X86_MODE_CODE32 | X86_MODE_STACK32 | X86_MODE_PE |
						       X86_MODE_FLAT
				 : v[0] == '1' ? 0
					       : j.mode;
		else if (!strcmp(argv[i], "--hash"))
			hash = v;
		else if (!strcmp(argv[i], "--block"))
			block = strtoull(v, NULL, 16);
		else if (!strcmp(argv[i], "--rounds"))
			rounds = (unsigned)atoi(v);
	}
	if (argc < 2 || !load_text(&j, argv[1])) {
		fprintf(stderr, "usage: lift-speed FILE [--mode 64|32|16] [--trace] [--hash OUT] "
				"[--block ADDRESS] [--rounds N]\n");
		return 2;
	}
	j.decoder = x86_decoder_create();
	memset(j.model.features, 0xff, sizeof(j.model.features));
	if (block) {
		print_block(&j, block);
		return 0;
	}
	if (hash) {
		FILE *f = fopen(hash, "w");

		if (!f)
			return 1;
		lift_all(&j, true, f);
		fclose(f);
		return 0;
	}
	measure(&j, rounds);
	x86_decoder_destroy(j.decoder);
	return 0;
}
