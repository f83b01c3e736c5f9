/* A stream into a file. */
#include "backend/stream/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

int stream_file_open(struct stream **out, struct io_loop *l, const char *path, struct error *err)
{
	struct fd_stream *f;
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

	if (fd < 0)
		return error_set(err, -errno, "console %s: %s", path, strerror(errno));
	f = calloc(1, sizeof(*f));
	if (!f)
		return error_set(err, -ENOMEM, "out of memory");
	fd_stream_init(f, l);
	fd_stream_attach(f, fd, false);
	*out = &f->stream;
	return 0;
}
