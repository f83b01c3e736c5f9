/*
 * Choosing a boot protocol by what the kernel file is. A compressed file of any format that unpack
 * knows is looked at unpacked. What no protocol takes is named as exactly as can be told.
 */
#include "machine/x86/boot.h"

#include <errno.h>
#include <string.h>

static const struct boot_protocol *const protocols[] = {
	&boot_protocol_linux,	  &boot_protocol_pvh,  &boot_protocol_multiboot2,
	&boot_protocol_multiboot, &boot_protocol_flat, NULL,
};

/* ELF e_machine of what people may have at hand. */
static const char *elf_machine_name(unsigned machine)
{
	static const struct {
		unsigned machine;
		const char *name;
	} names[] = {
		{2, "SPARC"},	    {4, "68000"},  {8, "MIPS"},	     {20, "PowerPC"},
		{21, "PowerPC64"},  {22, "S/390"}, {40, "ARM"},	     {42, "SuperH"},
		{43, "SPARC V9"},   {50, "IA-64"}, {183, "AArch64"}, {243, "RISC-V"},
		{258, "LoongArch"},
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (names[i].machine == machine)
			return names[i].name;
	return NULL;
}

static int refuse_elf(const struct boot_blob *k, struct error *err)
{
	unsigned machine = load_le16(k->bytes + 18);
	const char *name;

	if (k->bytes[5] == 2) /* big-endian */
		machine = (uint8_t)(machine >> 8) | (machine & 0xff) << 8;
	name = elf_machine_name(machine);
	if (name)
		return error_set(err, -ENOEXEC, "kernel %s: an ELF for %s, not x86", k->name, name);
	if (machine != ELF_EM_386 && machine != ELF_EM_X86_64)
		return error_set(err, -ENOEXEC, "kernel %s: an ELF for machine %u, not x86",
				 k->name, machine);
	if (!elf_open(&(struct elf){0}, k->bytes, k->len))
		return error_set(err, -ENOEXEC,
				 "kernel %s: an ELF, but truncated, damaged or not executable",
				 k->name);
	return error_set(err, -ENOEXEC,
			 "kernel %s: an ELF with neither a PVH note (Linux: CONFIG_PVH) nor a "
			 "Multiboot header; of Linux, a bzImage boots too",
			 k->name);
}

static int refuse(const struct boot_blob *k, struct error *err)
{
	if (k->len >= 20 && memcmp(k->bytes, "\177ELF", 4) == 0)
		return refuse_elf(k, err);
	if (k->len >= 0x40 && memcmp(k->bytes + 0x38, "ARM\x64", 4) == 0)
		return error_set(err, -ENOEXEC, "kernel %s: Linux for AArch64, not x86", k->name);
	return error_set(err, -ENOEXEC,
			 "kernel %s: not a bzImage, an ELF with a PVH note, a Multiboot kernel or "
			 "a boot sector",
			 k->name);
}

/* An ELF of another machine may hold what looks like a Multiboot header. */
static bool is_foreign(const struct boot_blob *k)
{
	return k->len >= 20 && memcmp(k->bytes, "\177ELF", 4) == 0 &&
	       (k->bytes[5] != 1 || (load_le16(k->bytes + 18) != ELF_EM_386 &&
				     load_le16(k->bytes + 18) != ELF_EM_X86_64));
}

static const struct boot_protocol *find_protocol(const struct boot_blob *k)
{
	if (is_foreign(k))
		return NULL;
	for (unsigned i = 0; protocols[i]; i++)
		if (protocols[i]->recognize(k))
			return protocols[i];
	return NULL;
}

/*
 * Unpack the kernel file into *out, to be freed by the caller. Its size is not known: the room
 * grows until it fits, or is larger than could be loaded. -ENOEXEC if it is not compressed.
 */
static int unpack_kernel(struct machine *m, const struct boot_config *b, struct boot_blob *out,
			 struct error *err)
{
	const struct boot_blob *k = &b->kernel;
	uint64_t room = align_up(k->len * 4ull, 1 << 20), max = m->cfg.memory_bytes;
	struct error why = {{0}};
	int r;

	for (;; room *= 2) {
		size_t len = room < max ? room : max;
		uint8_t *buf = b->alloc(len);
		if (!buf)
			return error_set(err, -ENOMEM, "out of memory unpacking kernel %s",
					 k->name);
		r = b->unpack(k->bytes, k->len, buf, &len, &why);
		if (!r) {
			*out = (struct boot_blob){buf, len, k->name};
			return 0;
		}
		b->free(buf);
		if (r != -ENOSPC)
			return error_set(err, r, "kernel %s: %s", k->name, why.text);
		if (room >= max)
			return error_set(err, -ENOMEM,
					 "memory: kernel %s unpacked does not fit %llu MiB",
					 k->name, (unsigned long long)(max >> 20));
	}
}

int x86_boot(struct machine *m, const struct boot_config *b, struct error *err)
{
	const struct boot_protocol *p = find_protocol(&b->kernel);
	struct boot_config unpacked = *b;
	int r;

	m->firmware(m);
	bios_build(m);
	if (p)
		return p->boot(m, b, err);
	r = unpack_kernel(m, b, &unpacked.kernel, err);
	if (r == -ENOEXEC)
		return refuse(&b->kernel, err);
	if (r)
		return r;
	p = find_protocol(&unpacked.kernel);
	r = p ? p->boot(m, &unpacked, err) : refuse(&unpacked.kernel, err);
	b->free((void *)(uintptr_t)unpacked.kernel.bytes);
	return r;
}
