/* What the parts of the user-mode network share: user.c, user_forward.c, user_frames.c and
 * user_poll.c. */
#ifndef BACKEND_NET_USER_H
#define BACKEND_NET_USER_H

#include <slirp/libslirp.h>

#include "backend/net/net.h"

/* A frame for the guest that its card had no room for. */
struct user_kept {
	struct user_kept *next;
	size_t len;
	struct net_offload offload;
	uint8_t bytes[];
};

/* A descriptor of libslirp's, watched by libuv. */
struct user_watch {
	uv_poll_t uv; /* first: freed with it */
	int events;   /* what libuv watches for, SLIRP_POLL_* */
	int wanted;   /* what libslirp asked for last */
	int ready;    /* what is there since libslirp was told last */
};

struct user {
	struct net_network network;
	struct io_loop *loop;
	Slirp *slirp;
	struct in_addr guest; /* the first address DHCP gives out */
	unsigned mtu;
	unsigned card_features;
	uint8_t frame[NET_FRAME_MAX]; /* from the guest, in one piece */
	/* To the guest. */
	struct user_kept *kept, **kept_end;
	size_t kept_bytes;
	/* Polling. */
	struct user_watch **watch; /* by descriptor */
	int watches;
	int *asked; /* descriptors in the order libslirp named them */
	int asks, asks_max;
	uv_prepare_t *prepare;
	uv_check_t *check;
	uv_timer_t *timer;
	bool changed;	  /* libslirp may want other descriptors and timeouts now */
	bool ready;	  /* it is to be told of descriptors or that its time has come */
	uint64_t told_ns; /* when it was told the time last */
};

/* user_forward.c: all forward= options. 0 or -errno. */
int user_forward(struct user *u, const struct net_options *o, struct error *err);

/* user_frames.c */
void user_frames_init(struct user *u);
void user_frames_clear(struct user *u);
/* A frame of libslirp's, for the guest: its send_packet. */
ssize_t user_frame_out(const void *frame, size_t len, void *user);

/* user_poll.c. begin: 0 or -errno, before libslirp is made; attach: now it is there. */
int user_poll_begin(struct user *u, struct error *err);
void user_poll_end(struct user *u);
void user_poll_forget(int fd, void *user);
void user_poll_changed(void *user);
void *user_timer_new(SlirpTimerCb cb, void *cb_opaque, void *user);
void user_timer_free(void *timer, void *user);
void user_timer_mod(void *timer, int64_t due_ms, void *user);
int64_t user_clock(void *user);
/* Before libslirp gets a frame: its idea of the time may be old. */
void user_poll_time(struct user *u);

#endif
