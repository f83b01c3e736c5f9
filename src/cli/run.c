/* doppel run: boot a machine and be its console until it ends. */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/console.h"
#include "cli/options.h"
#include "cli/terminal.h"

/* What a serial console shell needs from the default guest's kernel. Left to itself that tests its
 * ciphers at each boot, a quarter of it. */
#define DEFAULT_APPEND "console=ttyS0 quiet cryptomgr.notests"

struct run {
	struct run_options o;
	struct console console;
	struct doppel_vm *vm;
	int wake_fd;
	struct doppel_result result;
	struct doppel_balloon balloon; /* for --stats */
};

void cli_run_help(FILE *out)
{
	fprintf(out, "usage: doppel run [OPTION]...\n\n"
		     "Boots a machine. Its first serial port is this terminal; Ctrl-A x quits,\n"
		     "Ctrl-A h lists the keys.\n\noptions:\n");
	run_options_help(out);
	fprintf(out, "\nexit status:\n"
		     "  0  the guest powered off\n"
		     "  2  the command line is wrong\n"
		     "  4  what it asks for cannot be had: files, configuration, host\n"
		     "  6  the guest crashed\n"
		     "  8  stopped by Ctrl-A x or a signal\n"
		     "  10 the engines of lockstep=A,B differ\n"
		     "  odd: the guest wrote CODE to the debug-exit port: CODE * 2 + 1\n");
}

static void on_console(void *opaque, const uint8_t *bytes, size_t len)
{
	console_output(&((struct run *)opaque)->console, bytes, len);
}

static void on_debug(void *opaque, const uint8_t *bytes, size_t len)
{
	terminal_text((const char *)bytes, len);
}

static void on_log(void *opaque, const char *line)
{
	flockfile(stderr); /* lines of several CPUs do not mix */
	terminal_text(line, strlen(line));
	terminal_text("\n", 1);
	funlockfile(stderr);
}

/* A disk is there to be booted from, but that takes firmware. */
static bool wants_disk_boot(const struct run_options *o)
{
	for (unsigned i = 0; i < o->devices; i++)
		if (strcmp(o->device[i].kind, "disk") == 0)
			return true;
	return false;
}

/* Images and arguments not given are those of the default guest. */
static int find_guest(struct run_options *o)
{
	char *kernel, *initrd;

	if (o->kernel)
		return 0;
	if (wants_disk_boot(o))
		return cli_fail(CLI_EXIT_CONFIG,
				"there is no firmware yet that boots from a disk: name the kernel "
				"to boot with --kernel, and its --initrd and --append root=...");
	if (!guest_find(&kernel, &initrd))
		return cli_fail(CLI_EXIT_CONFIG,
				"no --kernel was given and the default guest is not there: run "
				"\"make guest\" to build it, or set DOPPEL_GUEST_DIR to a "
				"directory with vmlinuz and initrd.img");
	o->kernel = kernel;
	if (o->initrd)
		free(initrd);
	else
		o->initrd = initrd;
	if (!o->append)
		o->append = strdup(DEFAULT_APPEND);
	return 0;
}

static int check_numbers(const struct run_options *o)
{
	if (o->memory_given && o->memory_bytes == 0)
		return cli_fail(CLI_EXIT_CONFIG, "memory: 0 is too little to boot anything");
	if (o->cpus_given && o->cpus == 0)
		return cli_fail(CLI_EXIT_CONFIG, "cpus: 0 is out of range: 1 to 64");
	return 0;
}

static int open_serial(struct run *r)
{
	r->console.out_fd = -1;
	if (r->o.serial == SERIAL_STDIO)
		r->console.out_fd = STDOUT_FILENO;
	if (r->o.serial != SERIAL_FILE)
		return 0;
	r->console.out_fd = open(r->o.serial_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (r->console.out_fd < 0)
		return cli_fail(CLI_EXIT_CONFIG, "serial %s: %s", r->o.serial_path,
				strerror(errno));
	return 0;
}

static int create(struct run *r)
{
	struct doppel_config cfg;
	struct doppel_error err;
	const struct run_options *o = &r->o;

	doppel_config_default(&cfg);
	cfg.machine = o->machine;
	cfg.engine = o->engine;
	cfg.cpu = o->cpu;
	cfg.host_cpu = o->host_cpu;
	cfg.cpus = o->cpus;
	cfg.memory_bytes = o->memory_bytes;
	cfg.clock = o->clock;
	cfg.kernel = o->kernel;
	cfg.initrd = o->initrd;
	cfg.append = o->append;
	cfg.trace = o->trace;
	cfg.dump = o->dump;
	cfg.disable_passes = o->no_pass;
	cfg.stress = o->stress;
	cfg.code_cache_bytes = o->code_cache_bytes;
	cfg.perf_map = o->perf_map;
	cfg.gdb_jit = o->gdb_jit;
	cfg.device = o->device;
	cfg.devices = o->devices;
	cfg.console_output = on_console;
	cfg.debug_output = on_debug;
	cfg.log_line = on_log;
	cfg.opaque = r;
	if (doppel_create(&r->vm, &cfg, &err) < 0)
		return cli_fail(CLI_EXIT_CONFIG, "%s", err.text);
	r->console.vm = r->vm;
	return 0;
}

/* Never silent about the engine: running under another one costs another price. */
static void say_engine(const struct run *r)
{
	struct doppel_engine_info e;
	bool asked = r->o.engine && strcmp(r->o.engine, "auto") != 0;

	if (r->o.quiet)
		return;
	for (unsigned i = 0; doppel_engine_info(i, &e); i++)
		if (strcmp(e.name, doppel_engine_name(r->vm)) == 0)
			fprintf(stderr, "doppel: engine %s: %s\n", e.name,
				asked ? "as asked" : e.why);
}

static void *wait_thread(void *opaque)
{
	struct run *r = opaque;

	doppel_wait(r->vm, -1, &r->result);
	terminal_wake();
	return NULL;
}

static int start_waiting(struct run *r, pthread_t *t)
{
	sigset_t all, before;
	int e;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the main thread's */
	e = pthread_create(t, NULL, wait_thread, r);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return e ? cli_fail(CLI_EXIT_CONFIG, "cannot start a thread: %s", strerror(e)) : 0;
}

static void tell_size(struct run *r)
{
	unsigned columns, rows;

	if (terminal_size(&columns, &rows))
		doppel_console_resize(r->vm, columns, rows);
}

/* False: a signal to end, or the machine's own end. */
static bool take_event(struct run *r)
{
	switch (terminal_event()) {
	case TERMINAL_END:
		return false;
	case TERMINAL_RESIZED:
		tell_size(r);
		break;
	case TERMINAL_NONE:
		break;
	}
	return true;
}

/* What --stats prints of the guest's memory is the guest's to say while it lives: on its way off it
 * takes the balloon out of use. A counted machine is not asked, its runs would not repeat. */
static bool asks_balloon(struct run *r)
{
	struct doppel_balloon b;

	if (!r->o.stats || r->o.clock != DOPPEL_CLOCK_REAL || doppel_balloon_info(r->vm, &b) < 0)
		return false;
	if (b.total_bytes != UINT64_MAX)
		r->balloon = b;
	return true;
}

/* Be the console until the machine ends or the user ends it. */
static void attend(struct run *r)
{
	struct console *c = &r->console;

	for (;;) {
		struct pollfd p[2] = {{r->wake_fd, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
		bool full = c->held_len > 0;

		if (!c->in_open || full)
			p[1].fd = -1;
		if (poll(p, 2, full ? 10 : asks_balloon(r) ? 1000 : -1) < 0 && errno != EINTR)
			break;
		if (p[0].revents && !take_event(r))
			break;
		if (full)
			console_flush(c);
		if (p[1].revents && !console_input(c))
			break;
	}
	atomic_store(&c->quitting, true);
	doppel_stop(r->vm); /* does nothing to a machine that has ended */
}

/* One counter: its sum, then what each CPU has of it. */
static void print_counter(const struct run *r, unsigned index, const struct doppel_counter *sum)
{
	struct doppel_counter c;

	fprintf(stderr, "%-24s %15llu  %s", sum->name, (unsigned long long)sum->value, sum->text);
	for (unsigned cpu = 0; r->o.cpus > 1 && doppel_counter(r->vm, cpu, index, &c); cpu++)
		fprintf(stderr, "%s%llu", cpu ? " " : ": ", (unsigned long long)c.value);
	fputc('\n', stderr);
}

static void print_bytes(const char *name, uint64_t bytes, const char *text)
{
	if (bytes != UINT64_MAX) /* the guest never said */
		fprintf(stderr, "%-24s %15llu  %s, bytes\n", name, (unsigned long long)bytes, text);
}

static void print_balloon(const struct run *r)
{
	struct doppel_balloon b, now;

	if (doppel_balloon_info(r->vm, &now) < 0)
		return;
	b = r->balloon.total_bytes ? r->balloon : now;
	print_bytes("balloon_target", b.target_bytes, "memory the guest is to be left with");
	print_bytes("balloon_actual", b.actual_bytes, "memory less what the balloon holds");
	print_bytes("balloon_reported", now.reported_bytes,
		    "free memory given back to the host, in all");
	print_bytes("guest_total", b.total_bytes, "the guest's memory by its own account");
	print_bytes("guest_free", b.free_bytes, "not used, as the guest last said");
	print_bytes("guest_available", b.available_bytes, "could be had without swapping");
	print_bytes("guest_cache", b.cache_bytes, "the guest's page cache");
}

static void print_stats(const struct run *r, double seconds)
{
	struct doppel_counter c;
	uint64_t insns = 0;

	for (unsigned i = 0; doppel_counter(r->vm, UINT_MAX, i, &c); i++) {
		print_counter(r, i, &c);
		if (i == 0)
			insns = c.value;
	}
	fprintf(stderr, "%-24s %15llu  virtual time, ns\n", "time",
		(unsigned long long)doppel_time_ns(r->vm));
	if (r->o.clock == DOPPEL_CLOCK_COUNTED) /* what two runs of the same inputs agree in */
		fprintf(stderr, "%-24s %15llx  hash of memory at the end\n", "memory_hash",
			(unsigned long long)doppel_memory_hash(r->vm));
	print_balloon(r);
	fprintf(stderr, "%-24s %15.3f  host time, s\n", "host_time", seconds);
	fprintf(stderr, "%-24s %15.2f  million guest instructions a second\n", "mips",
		seconds > 0 ? (double)insns / seconds / 1e6 : 0.0);
}

static int report(struct run *r)
{
	int error = atomic_load(&r->console.write_error);

	if (error)
		return cli_fail(CLI_EXIT_CONFIG, "serial %s: cannot write: %s",
				r->o.serial == SERIAL_FILE ? r->o.serial_path : "stdio",
				strerror(error));
	switch (r->result.end) {
	case DOPPEL_END_POWEROFF:
		return CLI_EXIT_OK;
	case DOPPEL_END_DEBUG_EXIT:
		return cli_exit_debug(r->result.code);
	case DOPPEL_END_CRASH:
		fprintf(stderr, "doppel: the guest crashed: %s", r->result.text);
		return CLI_EXIT_CRASH;
	case DOPPEL_END_DIFFER:
		fprintf(stderr, "doppel: lockstep: %s\n", r->result.text);
		return CLI_EXIT_DIFFER;
	case DOPPEL_END_STOPPED:
	case DOPPEL_END_NONE:
		break;
	}
	return CLI_EXIT_KILLED;
}

/* A file as input is there before the machine starts, so that counted runs repeat. */
static void read_ahead(struct console *c)
{
	struct stat st;

	if (fstat(STDIN_FILENO, &st) < 0 || !S_ISREG(st.st_mode))
		return;
	while (c->in_open && c->held_len == 0)
		console_input(c);
}

static double now_seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int run_machine(struct run *r)
{
	struct doppel_error err;
	pthread_t waiter;
	double begin;
	int status;

	r->wake_fd = terminal_watch_signals();
	if (r->wake_fd < 0)
		return cli_fail(CLI_EXIT_CONFIG, "cannot make a pipe: %s", strerror(errno));
	say_engine(r);
	if (r->o.serial == SERIAL_STDIO) {
		r->console.in_open = true;
		r->console.escapes = terminal_raw();
		read_ahead(&r->console);
	}
	tell_size(r);
	begin = now_seconds();
	if (doppel_start(r->vm, &err) < 0)
		return cli_fail(CLI_EXIT_CONFIG, "%s", err.text);
	status = start_waiting(r, &waiter);
	if (status == 0) {
		attend(r);
		pthread_join(waiter, NULL);
		terminal_restore();
		if (r->o.stats)
			print_stats(r, now_seconds() - begin);
		status = report(r);
	}
	terminal_restore();
	return status;
}

int cli_run(int argc, char **argv)
{
	struct run *r = calloc(1, sizeof(*r));
	int status;

	if (!r)
		return cli_fail(CLI_EXIT_CONFIG, "out of memory");
	status = run_options_parse(&r->o, argc, argv);
	if (status == 0 && r->o.help) {
		cli_run_help(stdout);
		run_options_clear(&r->o);
		free(r);
		return CLI_EXIT_OK;
	}
	if (status == 0)
		status = check_numbers(&r->o);
	if (status == 0)
		status = find_guest(&r->o);
	if (status == 0)
		status = open_serial(r);
	if (status == 0)
		status = create(r);
	if (status == 0)
		status = run_machine(r);
	doppel_destroy(r->vm);
	if (r->o.serial == SERIAL_FILE && r->console.out_fd >= 0)
		close(r->console.out_fd);
	run_options_clear(&r->o);
	free(r);
	return status;
}
