/* Loading boot images; see files.h. Pipes and devices are refused: their size is not known. */
#include "backend/files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bits.h"
#include "host/host.h"

enum {
	HELP_BYTES = 1 << 20, /* half a file that is worth a second thread */
	ALIGN = 4096,
};

static int check(const struct stat *st, const char *what, const char *path, uint64_t max,
		 struct error *err)
{
	if (S_ISDIR(st->st_mode))
		return error_set(err, -EISDIR, "%s %s: is a directory", what, path);
	if (!S_ISREG(st->st_mode))
		return error_set(err, -EINVAL, "%s %s: not a regular file", what, path);
	if (st->st_size == 0)
		return error_set(err, -ENODATA, "%s %s: the file is empty", what, path);
	if ((uint64_t)st->st_size > max)
		return error_set(err, -EFBIG,
				 "%s %s: %llu KiB do not fit the machine's %llu KiB of memory",
				 what, path, (unsigned long long)st->st_size >> 10,
				 (unsigned long long)max >> 10);
	return 0;
}

/* What one of two threads reads. */
struct part {
	int fd;
	uint8_t *bytes; /* of the file */
	size_t at, end;
	int error; /* of errno; -1: the file is shorter */
};

static void read_part(void *opaque)
{
	struct part *p = opaque;

	host_ram_fill(p->bytes + p->at, p->end - p->at);
	while (p->at < p->end && !p->error) {
		ssize_t n = pread(p->fd, p->bytes + p->at, p->end - p->at, (off_t)p->at);

		if (n > 0)
			p->at += (size_t)n;
		else if (n == 0)
			p->error = -1;
		else if (errno != EINTR)
			p->error = errno;
	}
}

static void read_parts(struct part *first, struct part *second)
{
	struct host_thread helper;
	bool helped = first->end >= HELP_BYTES && host_cpu_count() > 1 &&
		      !host_thread_start(&helper, "read", read_part, second);

	read_part(first);
	if (helped)
		host_thread_join(&helper);
	else
		read_part(second);
}

static int read_all(int fd, struct file_image *f, const char *what, const char *path,
		    struct error *err)
{
	size_t half = align_down(f->len / 2, ALIGN);
	struct part first = {fd, f->bytes, 0, half, 0}, second = {fd, f->bytes, half, f->len, 0};
	int error;

	read_parts(&first, &second);
	error = first.error ? first.error : second.error;
	if (error < 0)
		return error_set(err, -EIO, "%s %s: became shorter while it was read", what, path);
	if (error)
		return error_set(err, -error, "%s %s: cannot read: %s", what, path,
				 strerror(error));
	return 0;
}

int file_load(struct file_image *out, const char *what, const char *path, uint64_t max,
	      struct error *err)
{
	struct stat st;
	/* O_NONBLOCK: opening a FIFO must not hang; regular files ignore it. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int r;

	*out = (struct file_image){NULL, 0};
	if (fd < 0)
		return error_set(err, -errno, "%s %s: %s", what, path,
				 errno == ENOENT ? "no such file" : strerror(errno));
	if (fstat(fd, &st) < 0)
		r = error_set(err, -errno, "%s %s: %s", what, path, strerror(errno));
	else
		r = check(&st, what, path, max, err);
	if (r == 0) {
		out->len = (size_t)st.st_size;
		out->bytes = host_alloc(out->len);
		r = out->bytes ? read_all(fd, out, what, path, err)
			       : error_set(err, -ENOMEM, "%s %s: out of memory", what, path);
	}
	close(fd);
	if (r)
		file_unload(out);
	return r;
}

void file_unload(struct file_image *f)
{
	host_free(f->bytes);
	*f = (struct file_image){NULL, 0};
}
