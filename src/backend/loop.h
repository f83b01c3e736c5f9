/*
 * The machine's I/O thread: a libuv loop that host ends of devices hang their descriptors and
 * timers on, and that carries out work devices post (device/worker.h).
 *
 * A synchronous loop (the counted clock) has no thread: io_loop_turn does what has been posted, at
 * the same instruction in each run. Host ends then do their work at once where they can, disks do.
 */
#ifndef BACKEND_LOOP_H
#define BACKEND_LOOP_H

#include <stdbool.h>
#include <uv.h>

#include "base/error.h"
#include "device/worker.h"

struct io_loop;

/* 0 or -errno. */
int io_loop_create(struct io_loop **out, bool synchronous, struct error *err);
/* Stopped first; all handles closed by their owners but the loop's own. NULL is fine. */
void io_loop_destroy(struct io_loop *l);
bool io_loop_synchronous(const struct io_loop *l);

/* Start the thread; stop ends and joins it, with what is posted carried out first. Both do nothing
 * to a synchronous loop. */
int io_loop_start(struct io_loop *l, struct error *err);
void io_loop_stop(struct io_loop *l);

/*
 * Lending: a CPU that kicks a disk and then sleeps until it has answered may as well do the I/O
 * thread's work itself, which saves waking that thread and being woken by it. What is posted as
 * prompt (device/worker.h) is lent to the thread that posted it if that thread slept after each of
 * its last kicks, with one request and nothing else under way; now and then it is not, to see
 * whether it still would sleep.
 *
 * lend: by a CPU's thread that holds no locks: carry out what has been lent to it. idle: the same
 * thread is about to sleep. A loop lends only after allow, which says that both will be called.
 */
void io_loop_lend_allow(struct io_loop *l);
void io_loop_lend(void *loop);
void io_loop_idle(struct io_loop *l);
/* This thread is not the I/O thread but does lent work in its place: it must not touch handles.
 * What that takes is handed over to the thread. */
bool io_loop_lending(struct io_loop *l);
void io_loop_hand_over(struct io_loop *l, struct work *w);

/*
 * Sharing: work that the I/O thread does a piece of at a time, and a CPU that would sleep may do a
 * piece of meanwhile. share offers it once, from any thread; whoever takes it offers it again if
 * there is more. unshare: withdraw an offer that nobody has taken. help: by a CPU's thread that
 * holds no locks: take one. Returns whether there was any.
 */
void io_loop_share(struct io_loop *l, struct work *w);
void io_loop_unshare(struct io_loop *l, struct work *w);
bool io_loop_help(struct io_loop *l);

/* For handles; use it only from creation to start, on the I/O thread, and after stop. */
uv_loop_t *io_loop_uv(struct io_loop *l);
struct worker io_loop_worker(struct io_loop *l);

/* Run fn on the I/O thread and wait for it. On a loop that does not run, and on the I/O thread
 * itself, it is called here and now. */
void io_loop_call(struct io_loop *l, void (*fn)(void *arg), void *arg);

/* Requests that a host end works on; on the I/O thread. What is begun is ended, on a loop that was
 * told to stop too: it goes on until then. */
void io_loop_begin(struct io_loop *l);
void io_loop_end(struct io_loop *l);
/* Wait until none is left and nothing is posted. From any thread but the I/O thread. */
void io_loop_settle(struct io_loop *l);

/* Bring the thread to a stand, and let it go on. Hold returns when no request is being worked on;
 * from then on nothing is carried out and no descriptor served, and what is posted waits, until
 * release or stop. Settle has nothing to wait for then. Both do nothing to a loop that has no
 * thread. From any thread but the I/O thread. */
void io_loop_hold(struct io_loop *l);
void io_loop_release(struct io_loop *l);

/* A synchronous loop: carry out what is posted and what descriptors are ready, until nothing is
 * posted and no request is being worked on. Returns whether there was anything. */
bool io_loop_turn(struct io_loop *l);

/* Close a handle that is, or begins, an object of malloc's; frees it when libuv has let go of it.
 * On the I/O thread, or with the loop not running. */
void io_loop_close(uv_handle_t *h);

#endif
