/*
 * Host threads, mutexes and wake-up events on Linux, over POSIX threads. The objects live inside
 * the opaque words of host.h. Machine threads block all signals: those belong to the program that
 * uses the library, on its own threads.
 */
#define _GNU_SOURCE
#include "host/host.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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

struct event {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool signalled;
};

_Static_assert(sizeof(struct event) <= sizeof(struct host_event), "event fits");

static struct event *event_of(struct host_event *e)
{
	return (struct event *)e->opaque;
}

void host_event_init(struct host_event *e)
{
	struct event *ev = event_of(e);
	pthread_condattr_t attr;

	pthread_mutex_init(&ev->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&ev->cond, &attr);
	pthread_condattr_destroy(&attr);
	ev->signalled = false;
}

void host_event_destroy(struct host_event *e)
{
	pthread_cond_destroy(&event_of(e)->cond);
	pthread_mutex_destroy(&event_of(e)->lock);
}

void host_event_signal(struct host_event *e)
{
	struct event *ev = event_of(e);

	pthread_mutex_lock(&ev->lock);
	ev->signalled = true;
	pthread_cond_signal(&ev->cond);
	pthread_mutex_unlock(&ev->lock);
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
	struct event *ev = event_of(e);
	struct timespec until;
	bool bounded = deadline_after(timeout_ns, &until), got;

	pthread_mutex_lock(&ev->lock);
	while (!ev->signalled) {
		if (!bounded)
			pthread_cond_wait(&ev->cond, &ev->lock);
		else if (pthread_cond_timedwait(&ev->cond, &ev->lock, &until) == ETIMEDOUT)
			break;
	}
	got = ev->signalled;
	ev->signalled = false;
	pthread_mutex_unlock(&ev->lock);
	return got;
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
