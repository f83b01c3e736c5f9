/*
 * Host threads, mutexes and wake-up events on Linux, over POSIX threads and futexes. The objects
 * live inside the opaque words of host.h. Machine threads block all signals: those belong to the
 * program that uses the library, on its own threads.
 */
#define _GNU_SOURCE
#include "host/host.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

_Static_assert(sizeof(pthread_mutex_t) <= sizeof(struct host_mutex), "mutex fits");

static pthread_mutex_t *mutex_of(struct host_mutex *m)
{
	return (pthread_mutex_t *)m->opaque;
}

void host_mutex_init(struct host_mutex *m)
{
	pthread_mutex_init(mutex_of(m), NULL);
}

void host_mutex_destroy(struct host_mutex *m)
{
	pthread_mutex_destroy(mutex_of(m));
}

void host_mutex_lock(struct host_mutex *m)
{
	pthread_mutex_lock(mutex_of(m));
}

void host_mutex_unlock(struct host_mutex *m)
{
	pthread_mutex_unlock(mutex_of(m));
}

/* A futex(2): signalling where nobody waits asks nothing of the kernel, and who is woken need not
 * wait for a lock that the signaller still has. */
enum { EVENT_NONE, EVENT_SIGNALLED, EVENT_AWAITED };

static uint32_t *event_of(struct host_event *e)
{
	return (uint32_t *)e->opaque;
}

static int futex(uint32_t *at, int op, uint32_t value, const struct timespec *until)
{
	return (int)syscall(SYS_futex, at, op | FUTEX_PRIVATE_FLAG, value, until, NULL,
			    FUTEX_BITSET_MATCH_ANY);
}

/* False: it was something else, now in *was. */
static bool event_change(uint32_t *ev, uint32_t *was, uint32_t to)
{
	return __atomic_compare_exchange_n(ev, was, to, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

void host_event_init(struct host_event *e)
{
	*event_of(e) = EVENT_NONE;
}

void host_event_destroy(struct host_event *e)
{
	(void)e;
}

void host_event_signal(struct host_event *e)
{
	if (__atomic_exchange_n(event_of(e), EVENT_SIGNALLED, __ATOMIC_SEQ_CST) == EVENT_AWAITED)
		futex(event_of(e), FUTEX_WAKE, INT_MAX, NULL);
}

/* Far deadlines become "for ever": they do not fit a timespec sum, and nobody outlives them. */
static bool deadline_after(uint64_t timeout_ns, struct timespec *ts)
{
	if (timeout_ns >= (uint64_t)INT64_MAX)
		return false;
	clock_gettime(CLOCK_MONOTONIC, ts);
	ts->tv_sec += (time_t)(timeout_ns / 1000000000u);
	ts->tv_nsec += (long)(timeout_ns % 1000000000u);
	if (ts->tv_nsec >= 1000000000) {
		ts->tv_nsec -= 1000000000;
		ts->tv_sec++;
	}
	return true;
}

bool host_event_wait(struct host_event *e, uint64_t timeout_ns)
{
	uint32_t *ev = event_of(e);
	struct timespec until;
	bool bounded = deadline_after(timeout_ns, &until), late = false;

	for (;;) {
		uint32_t was = EVENT_SIGNALLED;

		if (event_change(ev, &was, EVENT_NONE))
			return true;
		if (late) /* it stays awaited, which costs the next signal a call */
			return false;
		if (was == EVENT_NONE && !event_change(ev, &was, EVENT_AWAITED))
			continue;
		late = futex(ev, FUTEX_WAIT_BITSET, EVENT_AWAITED, bounded ? &until : NULL) < 0 &&
		       errno == ETIMEDOUT;
	}
}

struct thread {
	pthread_t id;
};

_Static_assert(sizeof(struct thread) <= sizeof(struct host_thread), "thread fits");

struct start {
	void (*fn)(void *);
	void *arg;
};

static void *thread_main(void *opaque)
{
	struct start s = *(struct start *)opaque;

	free(opaque);
	s.fn(s.arg);
	return NULL;
}

int host_thread_start(struct host_thread *t, const char *name, void (*fn)(void *), void *arg)
{
	struct thread *th = (struct thread *)t->opaque;
	struct start *s = malloc(sizeof(*s));
	sigset_t all, before;
	char short_name[16] = "";

	if (!s)
		return -ENOMEM;
	*s = (struct start){fn, arg};
	sigfillset(&all);
	/* A fault of the thread itself must still reach its handler, which restores the terminal.
	 */
	sigdelset(&all, SIGSEGV);
	sigdelset(&all, SIGBUS);
	sigdelset(&all, SIGFPE);
	sigdelset(&all, SIGILL);
	sigdelset(&all, SIGABRT);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int r = pthread_create(&th->id, NULL, thread_main, s);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r) {
		free(s);
		return -r;
	}
	strncpy(short_name, name, sizeof(short_name) - 1);
	pthread_setname_np(th->id, short_name);
	return 0;
}

void host_thread_join(struct host_thread *t)
{
	pthread_join(((struct thread *)t->opaque)->id, NULL);
}

unsigned host_cpu_count(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) ? 1 : (unsigned)CPU_COUNT(&set);
}

void host_yield(void)
{
	sched_yield();
}

void host_relax(void)
{
	__builtin_ia32_pause();
}
