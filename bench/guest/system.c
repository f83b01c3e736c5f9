/* The kernel's work: system calls, context switches, processes, page faults. */
#include "bench.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static uint64_t run_syscall(unsigned rounds)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < rounds; i++)
		sum += (uint64_t)(syscall(SYS_getpid) > 0);
	return sum;
}

/* One byte to a child and back. */
static uint64_t run_pipe(unsigned rounds)
{
	int to[2], from[2];
	uint64_t sum = 0;
	char c = 1;
	pid_t child;

	if (pipe(to) < 0 || pipe(from) < 0 || (child = fork()) < 0)
		return 0;
	if (child == 0) {
		close(to[1]);
		while (read(to[0], &c, 1) == 1 && write(from[1], &c, 1) == 1)
			;
		_exit(0);
	}
	for (unsigned i = 0; i < rounds; i++)
		if (write(to[1], &c, 1) == 1 && read(from[0], &c, 1) == 1)
			sum++;
	close(to[1]);
	waitpid(child, NULL, 0);
	close(to[0]);
	close(from[0]);
	close(from[1]);
	return sum;
}

static uint64_t run_fork(unsigned rounds)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < rounds; i++) {
		int status = 0;
		pid_t child = fork();

		if (child == 0)
			_exit((int)(i & 63));
		waitpid(child, &status, 0);
		sum += (uint64_t)WEXITSTATUS(status);
	}
	return sum;
}

static uint64_t run_exec(unsigned rounds)
{
	char *argv[] = {"bench", "--nothing", NULL}, *envp[] = {NULL};
	uint64_t sum = 0;

	for (unsigned i = 0; i < rounds; i++) {
		int status = 1;
		pid_t child = fork();

		if (child == 0) {
			execve("/init", argv, envp);
			execve("/proc/self/exe", argv, envp); /* not in a guest */
			_exit(1);
		}
		waitpid(child, &status, 0);
		sum += (uint64_t)(status == 0);
	}
	return sum;
}

/* Fresh pages: each touch is a page fault and a cleared page. */
static uint64_t run_pages(unsigned rounds)
{
	enum { BYTES = 1024 * 4096 };
	uint64_t sum = 0;

	while (rounds--) {
		unsigned char *p = mmap(NULL, BYTES, PROT_READ | PROT_WRITE,
					MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED)
			return 0;
		for (size_t i = 0; i < BYTES; i += 4096)
			sum += ++p[i];
		munmap(p, BYTES);
	}
	return sum;
}

const struct workload system_workloads[] = {
	{"system", "syscall", 400000, run_syscall, NULL},
	{"system", "pipe", 3000, run_pipe, NULL},
	{"system", "fork", 400, run_fork, NULL},
	{"system", "exec", 150, run_exec, NULL},
	{"system", "pages", 15, run_pages, NULL},
	{0},
};
