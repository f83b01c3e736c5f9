#include "engine/translate/background.h"

#include "host/host.h"

enum {
	JOBS = 16,
	PATIENCE_NS = 200000, /* how long to look for the next job before going to sleep */
};

/* Jobs are a ring; the counts only grow. [released, finished) are to be taken, [finished,
 * submitted) to be compiled. */
struct background {
	struct compiler *compiler;
	struct compile_job *job;
	struct { /* of each job: they are asked for more often than anything else */
		uint64_t gpa, gpa2;
		x86_mode_t mode;
	} key[JOBS];
	uint32_t submitted; /* written by the CPU's thread */
	uint32_t released;  /* the CPU's thread's own */
	uint32_t finished;  /* written by ours */
	uint32_t sleeping;  /* we are about to wait for `wake` */
	uint32_t quit;
	struct host_event wake;
	struct host_thread thread;
};

static struct compile_job *job_at(const struct background *b, uint32_t n)
{
	return &b->job[n % JOBS];
}

static bool has_work(const struct background *b)
{
	return __atomic_load_n(&b->submitted, __ATOMIC_SEQ_CST) != b->finished ||
	       __atomic_load_n(&b->quit, __ATOMIC_SEQ_CST);
}

/* To be woken costs the CPU's thread more than most jobs take, so look around for a while first. */
static void await_work(struct background *b)
{
	uint64_t began = host_time_ns();

	while (host_time_ns() - began < PATIENCE_NS)
		for (unsigned n = 0; n < 16; n++) {
			if (has_work(b))
				return;
			__builtin_ia32_pause();
		}
	__atomic_store_n(&b->sleeping, 1, __ATOMIC_SEQ_CST);
	while (!has_work(b))
		host_event_wait(&b->wake, UINT64_MAX);
	__atomic_store_n(&b->sleeping, 0, __ATOMIC_SEQ_CST);
}

static void work(void *opaque)
{
	struct background *b = opaque;

	for (;;) {
		await_work(b);
		if (__atomic_load_n(&b->quit, __ATOMIC_SEQ_CST))
			return;
		compile(b->compiler, job_at(b, b->finished));
		__atomic_store_n(&b->finished, b->finished + 1, __ATOMIC_RELEASE);
	}
}

static void wake(struct background *b)
{
	if (__atomic_load_n(&b->sleeping, __ATOMIC_SEQ_CST))
		host_event_signal(&b->wake);
}

struct background *background_create(struct compiler *c)
{
	struct background *b = host_alloc(sizeof(*b));

	if (!b)
		return NULL;
	b->compiler = c;
	b->job = host_ram_map(JOBS * sizeof(*b->job));
	host_event_init(&b->wake);
	if (b->job && !host_thread_start(&b->thread, "compiler", work, b))
		return b;
	if (b->job)
		host_ram_unmap(b->job, JOBS * sizeof(*b->job));
	host_event_destroy(&b->wake);
	host_free(b);
	return NULL;
}

void background_destroy(struct background *b)
{
	if (!b)
		return;
	__atomic_store_n(&b->quit, 1, __ATOMIC_SEQ_CST);
	wake(b);
	host_thread_join(&b->thread);
	host_ram_unmap(b->job, JOBS * sizeof(*b->job));
	host_event_destroy(&b->wake);
	host_free(b);
}

struct compile_job *background_job(struct background *b)
{
	return b->submitted - b->released < JOBS ? job_at(b, b->submitted) : NULL;
}

void background_submit(struct background *b)
{
	const struct compile_job *job = job_at(b, b->submitted);

	b->key[b->submitted % JOBS].gpa = job->gpa;
	b->key[b->submitted % JOBS].gpa2 = job->gpa2;
	b->key[b->submitted % JOBS].mode = job->mode;
	__atomic_store_n(&b->submitted, b->submitted + 1, __ATOMIC_SEQ_CST);
	wake(b);
}

bool background_has(const struct background *b, uint64_t gpa, uint64_t gpa2, x86_mode_t mode)
{
	for (uint32_t n = b->released; n != b->submitted; n++) {
		unsigned k = n % JOBS;

		if (b->key[k].gpa == gpa && b->key[k].gpa2 == gpa2 && b->key[k].mode == mode)
			return true;
	}
	return false;
}

struct compile_job *background_finished(struct background *b)
{
	if (b->released == b->submitted ||
	    b->released == __atomic_load_n(&b->finished, __ATOMIC_ACQUIRE))
		return NULL;
	return job_at(b, b->released);
}

void background_release(struct background *b)
{
	b->released++;
}
