/*
 * Host ends of struct stream (device/stream.h): a file, a pseudo-terminal, a Unix socket that
 * others connect to. Made before the loop runs; freed after it has stopped.
 */
#ifndef BACKEND_STREAM_STREAM_H
#define BACKEND_STREAM_STREAM_H

#include <stdbool.h>
#include <stddef.h>

#include "backend/loop.h"
#include "base/error.h"
#include "device/stream.h"

struct fd_stream;

/* A file that gets all bytes; created, or emptied if it is there. Nothing is read from it. */
int stream_file_open(struct stream **out, struct io_loop *l, const char *path, struct error *err);
/* A new pseudo-terminal; *name: the path of its terminal end, good as long as the stream. link, if
 * not NULL, becomes a symbolic link to it, removed at the end. */
int stream_pty_open(struct stream **out, struct io_loop *l, const char *link, const char **name,
		    struct error *err);
/* Listen at path; one connection at a time, the next is accepted when it ends. A socket file that
 * nobody listens at any more is replaced, any other file is an error; removed at the end. */
int stream_socket_open(struct stream **out, struct io_loop *l, const char *path, struct error *err);
void stream_close(struct stream *s);

/* Listen at a Unix socket, close-on-exec and non-blocking: the descriptor, or -errno. what: the
 * option's name, for the message. */
int unix_listen(const char *what, const char *path, struct error *err);

/* ---- fd_stream.c: what the three are made of. */
struct fd_stream {
	struct stream stream;
	struct io_loop *loop;
	bool socket;	   /* fd is one */
	int fd;		   /* non-blocking; -1: nobody there */
	uv_poll_t *poll;   /* of fd; NULL if fd cannot be polled (a file) */
	uint8_t buf[4096]; /* read and not yet taken by the client */
	size_t head, used;
	bool stopped;	   /* the client has no room */
	bool want_write;   /* the client waits for writable */
	struct work offer; /* offers again what the client had no room for */
	/* The other end is gone: fd is closed already. May be NULL. */
	void (*gone)(struct fd_stream *f);
	void (*destroy)(struct fd_stream *f);
};
void fd_stream_init(struct fd_stream *f, struct io_loop *l);
/* Go on with this descriptor, which it owns then. 0 or -errno. */
int fd_stream_attach(struct fd_stream *f, int fd, bool can_poll);
void fd_stream_detach(struct fd_stream *f);

#endif
