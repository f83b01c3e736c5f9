/* Power-on and every reset after it: devices and CPUs to their reset state, images into memory. */
#include "vm/vm.h"

#include "backend/unpack.h"
#include "isa/x86/fault.h"

static struct boot_blob blob(const struct file_image *f, const char *name)
{
	return (struct boot_blob){f->bytes, f->len, name};
}

/* What was asked of the CPUs before the reset must not reach the new system; what is the engine's
 * and the vm's own stays. */
static void drop_requests(struct doppel_vm *vm)
{
	for (unsigned i = 0; i < vm->cfg.cpus; i++)
		atomic_fetch_and(&vm->x86[i].request,
				 ~(uint32_t)(X86_REQ_INTR | X86_REQ_NMI | X86_REQ_INIT |
					     X86_REQ_SIPI | X86_REQ_RESET));
}

/* The loader writes memory past the engine's back: drop cached code and translations. */
static void forget_code(struct doppel_vm *vm)
{
	struct space *s = vm->cfg.machine->memory(vm->machine);

	for (unsigned i = 0; i < s->ram_count; i++)
		space_code_written(s, s->ram[i].base, s->ram[i].len);
	for (unsigned i = 0; i < vm->cfg.cpus; i++)
		x86_request(&vm->x86[i], X86_REQ_FLUSH_TLB);
}

int vm_boot(struct doppel_vm *vm, struct error *err)
{
	const struct boot_config b = {
		.kernel = blob(&vm->kernel, vm->cfg.kernel),
		.initrd = blob(&vm->initrd, vm->cfg.initrd),
		.cmdline = vm->cfg.append ? vm->cfg.append : "",
		.unpack = unpack,
		.unpack_pieces = unpack_pieces,
		.alloc = host_alloc,
		.free = host_free,
	};
	int r;

	io_loop_settle(vm->io); /* no request may write to memory after this */
	host_mutex_lock(&vm->lock);
	drop_requests(vm);
	vm->cfg.machine->reset(vm->machine);
	r = vm->cfg.machine->boot(vm->machine, &b, err);
	forget_code(vm);
	host_mutex_unlock(&vm->lock);
	return r;
}
