/*
 * The native side. A signal handler is the way in and out: sigreturn loads all registers, flags,
 * x87 and SSE state and the code segment of the case, and the fault that ends the block delivers
 * them back, together with the kernel's trapno, error code and CR2. 32-bit code runs through
 * Linux's 32-bit user segment. All of this happens in the one thread of the process.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/ucontext.h>
#include <unistd.h>
#include <asm/ldt.h>
#include <asm/prctl.h>

#include "oracle.h"

/* Where XSAVE puts the upper halves of the YMM registers (its standard format) */
enum { XSTATE_YMM = 576, YMM_BYTES = 256, XSTATE_AVX = 4 };
enum { FXSAVE_BYTES = 512, XSTATE_BV = 512, XSTATE_X87_SSE = 3, TICK_US = 20000, TICKS_MAX = 3 };

/* As FXSAVE64 lays it out (SDM vol. 1, table 10-2) */
struct fx {
	uint16_t fcw, fsw;
	uint8_t ftag, reserved;
	uint16_t fop;
	uint64_t fip, fdp;
	uint32_t mxcsr, mxcsr_mask;
	struct {
		uint64_t mant;
		uint16_t sexp;
		uint8_t pad[6];
	} st[8];
	uint64_t xmm[16][2];
	uint8_t rest[96];
};

static const int reg_of[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
			       REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
			       REG_R12, REG_R13, REG_R14, REG_R15};

/* A signal handler has no argument of ours: the one place with state of its own. */
static struct {
	uint8_t *code; /* writable view of the code pages */
	const struct oracle_case *c;
	struct oracle_state *end;
	bool inside;
	bool avx;
	unsigned ticks; /* since this case began */
	gregset_t home;
	uint8_t home_fx[FXSAVE_BYTES];
	uint64_t home_bv;
	uint8_t home_ymm[YMM_BYTES];
} native;

/* A block may leave AC and NT set, and the handler begins with them. */
static inline __attribute__((always_inline)) void clear_flags(void)
{
	__asm__ volatile("lea -128(%%rsp), %%rsp\n\tpushfq\n\tandq $~0x244000, (%%rsp)\n\tpopfq\n\t"
			 "lea 128(%%rsp), %%rsp" ::
				 : "memory", "cc");
}

/* DS and ES mean nothing to 64-bit code and stay as they are over a sigreturn. */
static void load_data_segments(uint16_t sel)
{
	__asm__ volatile("mov %0, %%ds\n\tmov %0, %%es" ::"r"((uint32_t)sel));
}

static void load_case(gregset_t g, uint8_t *fxp)
{
	const struct oracle_state *s = &native.c->start;
	struct fx f = {.fcw = s->fcw,
		       .fsw = s->fsw,
		       .ftag = s->ftag,
		       .fop = s->fop,
		       .fip = s->fip,
		       .fdp = s->fdp,
		       .mxcsr = s->mxcsr};
	uint16_t data = native.c->code16 ? SEL_DATA16 : SEL_USER_DATA;
	uint64_t bv;

	for (int i = 0; i < 16; i++)
		g[reg_of[i]] = (greg_t)s->gpr[i];
	g[REG_RIP] = (greg_t)case_pc(native.c);
	g[REG_EFL] = (greg_t)s->rflags;
	g[REG_CSGSFS] = (greg_t)((uint64_t)data << 48 | (native.c->code64   ? SEL_USER64
							 : native.c->code16 ? SEL_CODE16
									    : SEL_USER32));
	load_data_segments(data);
	for (int i = 0; i < 8; i++) {
		f.st[i].mant = s->st[i].mant;
		f.st[i].sexp = s->st[i].sexp;
	}
	for (int i = 0; i < 16; i++)
		memcpy(f.xmm[i], s->vec[i], 16);
	memcpy(fxp, &f, offsetof(struct fx, mxcsr_mask));
	memcpy(fxp + offsetof(struct fx, st), f.st, sizeof(f.st) + sizeof(f.xmm));
	memcpy(&bv, fxp + XSTATE_BV, 8);
	bv |= XSTATE_X87_SSE;
	if (native.avx)
		bv |= XSTATE_AVX;
	for (int i = 0; native.avx && i < 16; i++)
		memcpy(fxp + XSTATE_YMM + 16 * i, s->vec[i] + 2, 16);
	memcpy(fxp + XSTATE_BV, &bv, 8);
}

static void save_case(const gregset_t g, const uint8_t *fxp, int sig)
{
	struct oracle_state *s = native.end;
	uint64_t bv;
	struct fx f;

	memcpy(&f, fxp, sizeof(f));
	for (int i = 0; i < 16; i++)
		s->gpr[i] = (uint64_t)g[reg_of[i]];
	s->rip = (uint64_t)g[REG_RIP];
	s->rflags = (uint64_t)g[REG_EFL];
	s->fcw = f.fcw;
	s->fsw = f.fsw;
	s->fop = f.fop;
	s->ftag = f.ftag;
	s->fip = f.fip;
	s->fdp = f.fdp;
	s->mxcsr = f.mxcsr;
	for (int i = 0; i < 8; i++) {
		s->st[i].mant = f.st[i].mant;
		s->st[i].sexp = f.st[i].sexp;
	}
	memcpy(&bv, fxp + XSTATE_BV, 8);
	for (int i = 0; i < 16; i++) {
		memcpy(s->vec[i], f.xmm[i], 16);
		memset(s->vec[i] + 2, 0, 16);
		if (native.avx && (bv & XSTATE_AVX))
			memcpy(s->vec[i] + 2, fxp + XSTATE_YMM + 16 * i, 16);
	}
	s->vector = sig == SIGALRM ? END_ENDLESS : (int)g[REG_TRAPNO];
	s->error = (uint32_t)g[REG_ERR];
	s->cr2 = (uint64_t)g[REG_CR2];
}

static void swap_context(int sig, ucontext_t *uc)
{
	uint8_t *fxp = (uint8_t *)uc->uc_mcontext.fpregs;

	if (sig == SIGUSR1) {
		memcpy(native.home, uc->uc_mcontext.gregs, sizeof(gregset_t));
		memcpy(native.home_fx, fxp, FXSAVE_BYTES);
		memcpy(&native.home_bv, fxp + XSTATE_BV, 8);
		if (native.avx)
			memcpy(native.home_ymm, fxp + XSTATE_YMM, YMM_BYTES);
		load_case(uc->uc_mcontext.gregs, fxp);
		native.inside = true;
		native.ticks = 0;
		return;
	}
	if (!native.inside) {
		if (sig == SIGALRM)
			return;
		signal(sig, SIG_DFL); /* our own crash */
		return;
	}
	if (sig == SIGALRM && native.ticks++ < TICKS_MAX)
		return;
	save_case(uc->uc_mcontext.gregs, fxp, sig);
	native.inside = false;
	memcpy(uc->uc_mcontext.gregs, native.home, sizeof(gregset_t));
	memcpy(fxp, native.home_fx, FXSAVE_BYTES);
	memcpy(fxp + XSTATE_BV, &native.home_bv, 8);
	if (native.avx)
		memcpy(fxp + XSTATE_YMM, native.home_ymm, YMM_BYTES);
}

/* AC may be set until clear_flags has run: nothing may come before it. */
__attribute__((no_sanitize("address", "undefined"))) static void handler(int sig, siginfo_t *info,
									 void *uc)
{
	clear_flags();
	swap_context(sig, uc);
}

static bool map_code(void)
{
	int fd = memfd_create("oracle", 0);

	if (fd < 0 || ftruncate(fd, CODE_BYTES) != 0)
		return false;
	native.code = mmap(NULL, CODE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (native.code == MAP_FAILED)
		return false;
	memset(native.code, CODE_FILL, CODE_BYTES);
	return mmap((void *)(uintptr_t)CODE_BASE, CODE_BYTES, PROT_READ | PROT_EXEC,
		    MAP_SHARED | MAP_FIXED_NOREPLACE | MAP_POPULATE, fd,
		    0) == (void *)(uintptr_t)CODE_BASE;
}

static bool map_data(void)
{
	uint8_t *p = (uint8_t *)(uintptr_t)DATA_BASE;

	if (mmap(p, DATA_BYTES, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_POPULATE, -1, 0) != p)
		return false;
	return munmap((void *)(uintptr_t)DATA_HOLE, 0x1000) == 0;
}

static bool map_segment(unsigned n, uint32_t base, unsigned contents)
{
	struct user_desc d = {
		.entry_number = n, .base_addr = base, .limit = 0xffff, .contents = contents};

	return syscall(SYS_modify_ldt, 1, &d, sizeof(d)) == 0;
}

bool native_has_avx(void)
{
	return __builtin_cpu_supports("avx");
}

bool native_setup(const char **why)
{
	static const int sigs[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGALRM, SIGUSR1};
	struct sigaction sa = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK};
	static uint8_t stack[256 << 10];
	stack_t ss = {.ss_sp = stack, .ss_size = sizeof(stack)};
	struct itimerval tick = {{0, TICK_US}, {0, TICK_US}};

	*why = "the fixed addresses cannot be mapped";
	if (!map_code() || !map_data())
		return false;
	*why = "GS cannot be given a base";
	if (syscall(SYS_arch_prctl, ARCH_SET_GS, (unsigned long)GS_BASE) != 0)
		return false;
	*why = "no LDT";
	if (!map_segment(0, CODE_BASE, 2) || !map_segment(1, DATA_BASE, 0))
		return false;
	*why = "no signal handlers";
	if (sigaltstack(&ss, NULL) != 0)
		return false;
	native.avx = native_has_avx();
	sigfillset(&sa.sa_mask);
	for (size_t i = 0; i < sizeof(sigs) / sizeof(sigs[0]); i++)
		if (sigaction(sigs[i], &sa, NULL) != 0)
			return false;
	return setitimer(ITIMER_REAL, &tick, NULL) == 0;
}

void native_run(const struct oracle_case *c, const uint8_t data[DATA_BYTES], struct outcome *out)
{
	if (memcmp((void *)(uintptr_t)DATA_READONLY, data + 0x4000, 0x1000) != 0) {
		mprotect((void *)(uintptr_t)DATA_READONLY, 0x1000, PROT_READ | PROT_WRITE);
		memcpy((void *)(uintptr_t)DATA_READONLY, data + 0x4000, 0x1000);
		mprotect((void *)(uintptr_t)DATA_READONLY, 0x1000, PROT_READ);
	}
	memcpy((void *)(uintptr_t)DATA_BASE, data, 0x4000);
	memcpy((void *)(uintptr_t)DATA_ISLAND, data + 0x6000, 0x1000);
	memcpy(native.code + (c->code_at - CODE_BASE), c->bytes, c->len);
	native.c = c;
	native.end = &out->end;
	raise(SIGUSR1);
	memset(native.code + (c->code_at - CODE_BASE), CODE_FILL, c->len);
	memcpy(out->data, (void *)(uintptr_t)DATA_BASE, 0x5000);
	memcpy(out->data + 0x5000, data + 0x5000, 0x1000);
	memcpy(out->data + 0x6000, (void *)(uintptr_t)DATA_ISLAND, 0x1000);
}
