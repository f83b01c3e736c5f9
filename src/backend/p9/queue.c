/*
 * The requests of a 9P share: threads that carry them out beside each other, for a call of the
 * host's file system may block; the I/O thread hands them in and hears of the answers. Reads and
 * writes of the page cache it does itself: handing them on takes longer. On a
 * synchronous loop the I/O thread itself carries them out, in order.
 *
 * A request is queued, then running, then finished. Tflush takes what is still queued off the
 * queue, with EINTR for an answer, and waits for what runs; never for another Tflush, or two could
 * wait for each other.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "backend/loop.h"
#include "backend/p9/share.h"

/* ---- lists; queue_lock held */

static void push(struct p9_request ***end, struct p9_request *r)
{
	r->next = NULL;
	**end = r;
	*end = &r->next;
}

static struct p9_request *pop(struct p9_share *s)
{
	struct p9_request *r = s->queued;

	s->queued = r->next;
	if (!s->queued)
		s->queued_end = &s->queued;
	r->next = s->running;
	s->running = r;
	return r;
}

static void unlink_running(struct p9_share *s, const struct p9_request *r)
{
	struct p9_request **at = &s->running;

	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
}

static void finish(struct p9_share *s, struct p9_request *r, size_t answer)
{
	r->answer = answer;
	push(&s->finished_end, r);
}

/* size[4] Rflush tag[2] */
static size_t answer_flush(struct p9_request *r)
{
	uint8_t buf[P9_HEADER];
	struct p9_out out = {.buf = buf, .room = sizeof(buf)};
	size_t done = 0;

	if (r->in_bytes < P9_HEADER)
		return 0;
	p9_put(&out, P9_HEADER, 4);
	p9_put(&out, P9_TFLUSH + 1, 1);
	p9_put(&out, r->tag, 2);
	for (unsigned i = 0; i < r->ins && done < sizeof(buf); i++) {
		size_t n = r->in[i].len < sizeof(buf) - done ? r->in[i].len : sizeof(buf) - done;

		memcpy(r->in[i].base, buf + done, n);
		done += n;
	}
	return P9_HEADER;
}

/* It ran: it and the flushes that waited for it are finished. */
static void ran(struct p9_share *s, struct p9_request *r, size_t answer)
{
	struct p9_request *w = r->waiting, *next;

	unlink_running(s, r);
	finish(s, r, answer);
	for (; w; w = next) {
		next = w->waiting;
		finish(s, w, answer_flush(w));
	}
}

/* ---- Tflush */

void p9_queue_begun(struct p9_share *s, struct p9_request *r, uint8_t type, uint16_t tag)
{
	pthread_mutex_lock(&s->queue_lock);
	r->type = type;
	r->tag = tag;
	pthread_mutex_unlock(&s->queue_lock);
}

static void drop_queued(struct p9_share *s, uint16_t tag)
{
	struct p9_request **at = &s->queued, *r;

	while ((r = *at)) {
		if (r->tag != tag) {
			at = &r->next;
			continue;
		}
		*at = r->next;
		if (!*at)
			s->queued_end = at;
		finish(s, r, p9_serve_error(r, tag, -EINTR));
	}
}

bool p9_queue_flush(struct p9_share *s, struct p9_request *r, uint16_t tag)
{
	struct p9_request *old;

	pthread_mutex_lock(&s->queue_lock);
	drop_queued(s, tag);
	for (old = s->running; old; old = old->next)
		if (old != r && old->tag == tag && old->type != P9_TFLUSH)
			break;
	if (old) {
		struct p9_request **end = &old->waiting;

		while (*end)
			end = &(*end)->waiting;
		*end = r;
		unlink_running(s, r);
	}
	pthread_mutex_unlock(&s->queue_lock);
	return old != NULL;
}

/* ---- carrying out */

/* On the I/O thread: tell the device. */
static void tell(void *opaque)
{
	struct p9_share *s = opaque;
	struct p9_request *r, *next;

	pthread_mutex_lock(&s->queue_lock);
	r = s->finished;
	s->finished = NULL;
	s->finished_end = &s->finished;
	pthread_mutex_unlock(&s->queue_lock);
	for (; r; r = next) {
		next = r->next; /* done may submit r again */
		r->done(r, r->answer);
		io_loop_end(s->loop);
	}
}

/* queue_lock held; not while carrying out. */
static void carry_out_one(struct p9_share *s, struct p9_scratch *scratch)
{
	struct p9_request *r = pop(s);
	size_t answer;

	pthread_mutex_unlock(&s->queue_lock);
	answer = p9_serve(s, scratch, r);
	pthread_mutex_lock(&s->queue_lock);
	if (answer != P9_LATER)
		ran(s, r, answer);
}

static void *thread(void *opaque)
{
	struct p9_share *s = opaque;
	struct worker k = io_loop_worker(s->loop);
	struct p9_scratch *scratch;

	pthread_mutex_lock(&s->queue_lock);
	scratch = s->scratch[++s->scratches];
	for (;;) {
		while (!s->queued && !s->stop)
			pthread_cond_wait(&s->queue_more, &s->queue_lock);
		if (!s->queued)
			break;
		carry_out_one(s, scratch);
		pthread_mutex_unlock(&s->queue_lock);
		worker_post(&k, &s->finish);
		pthread_mutex_lock(&s->queue_lock);
	}
	pthread_mutex_unlock(&s->queue_lock);
	return NULL;
}

static void turn(void *opaque)
{
	struct p9_share *s = opaque;

	pthread_mutex_lock(&s->queue_lock);
	while (s->queued)
		carry_out_one(s, s->scratch[0]);
	pthread_mutex_unlock(&s->queue_lock);
	tell(s);
}

/* Type and tag as they are now, the tag for Tflush; what is carried out is read again. */
static uint8_t peek(struct p9_request *r)
{
	uint8_t header[P9_HEADER];
	struct p9_in in = {.at = header, .end = header};
	uint8_t type;

	in.end += p9_gather(r->out, r->outs, 0, header, sizeof(header));
	p9_take32(&in);
	type = p9_take8(&in);
	r->tag = p9_take16(&in);
	r->type = 0;
	return type;
}

/* No Tflush asks for it meanwhile: that would come behind it. */
static bool answer_now(struct p9_share *s, struct p9_request *r)
{
	size_t answer = p9_serve_now(s, s->scratch[0], r);

	if (answer == P9_LATER)
		return false;
	pthread_mutex_lock(&s->queue_lock);
	finish(s, r, answer);
	pthread_mutex_unlock(&s->queue_lock);
	return true;
}

void p9_queue_submit(void *share, struct p9_request *r)
{
	struct p9_share *s = share;
	struct worker k = io_loop_worker(s->loop);
	uint8_t type = peek(r);

	r->waiting = NULL;
	io_loop_begin(s->loop);
	if (s->threads && (type == P9_TREAD || type == P9_TWRITE) && answer_now(s, r)) {
		worker_post(&k, &s->finish);
		return;
	}
	pthread_mutex_lock(&s->queue_lock);
	push(&s->queued_end, r);
	pthread_cond_signal(&s->queue_more);
	pthread_mutex_unlock(&s->queue_lock);
	if (!s->threads)
		worker_post(&k, &s->finish);
}

static int start_threads(struct p9_share *s, struct error *err)
{
	sigset_t all, before;
	int r = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the main program's */
	while (r == 0 && s->threads < P9_THREADS) {
		r = pthread_create(&s->thread[s->threads], NULL, thread, s);
		s->threads += r == 0;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r)
		return error_set(err, -r, "share %s: cannot start a thread: %s", s->dir,
				 strerror(r));
	return 0;
}

int p9_queue_start(struct p9_share *s, struct error *err)
{
	bool direct = !s->loop || io_loop_synchronous(s->loop);

	s->queued_end = &s->queued;
	s->finished_end = &s->finished;
	s->finish = (struct work){.run = direct ? turn : tell, .opaque = s};
	for (unsigned i = 0; i < (direct ? 1 : P9_THREADS + 1); i++) {
		s->scratch[i] = malloc(sizeof(struct p9_scratch));
		if (!s->scratch[i])
			return error_set(err, -ENOMEM, "share %s: out of memory", s->dir);
	}
	return direct ? 0 : start_threads(s, err);
}

void p9_queue_stop(struct p9_share *s)
{
	pthread_mutex_lock(&s->queue_lock);
	s->stop = true;
	pthread_cond_broadcast(&s->queue_more);
	pthread_mutex_unlock(&s->queue_lock);
	while (s->threads)
		pthread_join(s->thread[--s->threads], NULL);
	for (unsigned i = 0; i <= P9_THREADS; i++) {
		free(s->scratch[i]);
		s->scratch[i] = NULL;
	}
}
