/*
 * The host file of an image: see file.h. Locks are those of open file descriptions, on single bytes
 * that stand for what a user does with the image; they are the bytes QEMU uses, so that its tools
 * and machines and ours keep out of each other's way.
 */
#define _GNU_SOURCE
#include "backend/block/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/bits.h"
#include "host/host.h"

_Static_assert(sizeof(struct io_piece) == sizeof(struct iovec) &&
		       offsetof(struct io_piece, len) == offsetof(struct iovec, iov_len),
	       "the same thing");

/* A read lock on USES + n: I do n. On KEEPS + n: nobody else may. */
enum { BYTE_USES = 100, BYTE_KEEPS = 200, DO_READ = 0, DO_WRITE = 1, DO_RESIZE = 3 };

static int lock_byte(int fd, int command, short type, off_t at)
{
	struct flock l = {.l_type = type, .l_whence = SEEK_SET, .l_start = at, .l_len = 1};

	if (fcntl(fd, command, &l) < 0)
		return -errno;
	return command == F_OFD_GETLK && l.l_type != F_UNLCK ? -EAGAIN : 0;
}

/* Readers keep others from writing; a writer keeps others from writing, too, and by what it does
 * collides with every reader. */
static int lock_file(int fd, bool write)
{
	static const int keeps[] = {DO_WRITE, DO_RESIZE};
	static const int uses[] = {DO_READ, DO_WRITE, DO_RESIZE};
	unsigned used = write ? 3 : 1;
	int r = 0;

	for (unsigned i = 0; r == 0 && i < used; i++)
		r = lock_byte(fd, F_OFD_SETLK, F_RDLCK, BYTE_USES + uses[i]);
	for (unsigned i = 0; r == 0 && i < ARRAY_LEN(keeps); i++)
		r = lock_byte(fd, F_OFD_SETLK, F_RDLCK, BYTE_KEEPS + keeps[i]);
	for (unsigned i = 0; r == 0 && i < used; i++)
		r = lock_byte(fd, F_OFD_GETLK, F_WRLCK, BYTE_KEEPS + uses[i]);
	for (unsigned i = 0; r == 0 && i < ARRAY_LEN(keeps); i++)
		r = lock_byte(fd, F_OFD_GETLK, F_WRLCK, BYTE_USES + keeps[i]);
	/* A file system without locks is no reason not to run. */
	return r == -EAGAIN || r == -EACCES ? -EBUSY : 0;
}

static int examine(struct image_file *f, struct error *err)
{
	struct stat st;
	uint64_t bytes;
	int never = 0;

	if (fstat(f->fd, &st) < 0)
		return error_set(err, -errno, "disk %s: %s", f->path, strerror(errno));
	if (S_ISDIR(st.st_mode))
		return error_set(err, -EISDIR, "disk %s: is a directory", f->path);
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return error_set(err, -EINVAL, "disk %s: neither a regular file nor a block device",
				 f->path);
	f->block_device = S_ISBLK(st.st_mode);
	/* Such a device can be opened for writing all the same; only the writes would fail. */
	if (f->block_device && !f->readonly && ioctl(f->fd, BLKROGET, &never) == 0 && never)
		return error_set(err, -EROFS, "disk %s: the device is read-only; see readonly",
				 f->path);
	f->bytes = (uint64_t)st.st_size;
	if (f->block_device && ioctl(f->fd, BLKGETSIZE64, &bytes) == 0)
		f->bytes = bytes;
	f->dev = st.st_dev;
	f->ino = st.st_ino;
	return 0;
}

static int flags_of(enum image_file_how how)
{
	/* O_NONBLOCK: opening a FIFO must not hang; it means nothing to what is taken. */
	int flags = O_CLOEXEC | O_NONBLOCK | O_NOCTTY;

	return flags | (how == IMAGE_FILE_READ	? O_RDONLY
			: how == IMAGE_FILE_NEW ? O_RDWR | O_CREAT
						: O_RDWR);
}

int image_file_lock(struct image_file *f, struct error *err)
{
	int r = lock_file(f->fd, !f->readonly);

	return r ? error_set(err, r, "disk %s: in use by another process", f->path) : 0;
}

static const char *why(int error, enum image_file_how how)
{
	if (error == EACCES && how == IMAGE_FILE_WRITE)
		return "no permission to write; see readonly and overlay";
	return error == ENOENT ? "no such file" : strerror(error);
}

int image_file_open(struct image_file **out, const char *path, enum image_file_how how,
		    struct error *err)
{
	struct image_file *f = calloc(1, sizeof(*f));
	int r;

	*out = NULL;
	if (!f || !(f->path = strdup(path))) {
		free(f);
		return error_set(err, -ENOMEM, "out of memory");
	}
	f->readonly = how == IMAGE_FILE_READ;
	f->fd = open(path, flags_of(how), 0666);
	if (f->fd < 0)
		r = error_set(err, -errno, "disk %s: %s", path, why(errno, how));
	else
		r = examine(f, err);
	if (r == 0 && how == IMAGE_FILE_NEW)
		r = image_file_lock(f, err);
	if (r == 0 && how == IMAGE_FILE_NEW && !f->block_device) {
		if (ftruncate(f->fd, 0) < 0)
			r = error_set(err, -errno, "disk %s: %s", path, strerror(errno));
		f->bytes = 0;
	}
	if (r) {
		image_file_close(f);
		return r;
	}
	*out = f;
	return 0;
}

int image_file_temporary(struct image_file **out, struct error *err)
{
	struct image_file *f = calloc(1, sizeof(*f));
	const char *dir = getenv("TMPDIR");
	char name[PATH_MAX];

	*out = NULL;
	dir = dir && *dir ? dir : "/tmp";
	if (!f || !(f->path = strdup("(overlay)"))) {
		free(f);
		return error_set(err, -ENOMEM, "out of memory");
	}
	f->unsafe = f->temporary = true;
	f->fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (f->fd < 0) { /* not every file system can */
		snprintf(name, sizeof(name), "%s/doppel-XXXXXX", dir);
		f->fd = mkostemp(name, O_CLOEXEC);
		if (f->fd >= 0)
			unlink(name);
	}
	if (f->fd < 0) {
		int e = errno;

		image_file_close(f);
		return error_set(err, -e, "overlay: no temporary file in %s: %s", dir, strerror(e));
	}
	*out = f;
	return 0;
}

void image_file_close(struct image_file *f)
{
	if (!f)
		return;
	if (f->fd >= 0)
		close(f->fd);
	free(f->path);
	free(f);
}

/* ---- pieces */

unsigned image_pieces_cut(struct io_piece *out, const struct io_piece *piece, unsigned pieces,
			  uint64_t skip, uint64_t bytes)
{
	unsigned n = 0;

	for (unsigned i = 0; i < pieces && bytes; i++) {
		uint64_t len = piece[i].len;

		if (skip >= len) {
			skip -= len;
			continue;
		}
		len -= skip;
		len = len < bytes ? len : bytes;
		out[n++] = (struct io_piece){(char *)piece[i].base + skip, (size_t)len};
		bytes -= len;
		skip = 0;
	}
	return n;
}

void image_pieces_zero(const struct io_piece *piece, unsigned pieces, uint64_t skip, uint64_t bytes)
{
	for (unsigned i = 0; i < pieces && bytes; i++) {
		struct io_piece p;

		if (image_pieces_cut(&p, &piece[i], 1, skip, bytes)) {
			memset(p.base, 0, p.len);
			bytes -= p.len;
			skip = 0;
		} else {
			skip -= piece[i].len;
		}
	}
}

void image_pieces_fill(const struct io_piece *piece, unsigned pieces, uint64_t skip,
		       const uint8_t *from, uint64_t bytes)
{
	for (unsigned i = 0; i < pieces && bytes; i++) {
		struct io_piece p;

		if (image_pieces_cut(&p, &piece[i], 1, skip, bytes)) {
			memcpy(p.base, from, p.len);
			from += p.len;
			bytes -= p.len;
			skip = 0;
		} else {
			skip -= piece[i].len;
		}
	}
}

static uint64_t pieces_bytes(const struct io_piece *piece, unsigned pieces)
{
	uint64_t bytes = 0;

	for (unsigned i = 0; i < pieces; i++)
		bytes += piece[i].len;
	return bytes;
}

/* ---- reading and writing */

/* One system call's worth from byte `done` of the pieces on. */
static ssize_t transfer(struct image_file *f, bool write, uint64_t at, const struct io_piece *piece,
			unsigned pieces, uint64_t done)
{
	struct io_piece part[64];
	const struct io_piece *p = piece;
	unsigned n = pieces;

	if (done || pieces > IOV_MAX) {
		while (pieces && done >= piece->len) {
			done -= piece->len;
			piece++;
			pieces--;
		}
		n = pieces < ARRAY_LEN(part) ? pieces : ARRAY_LEN(part);
		n = image_pieces_cut(part, piece, n, done, UINT64_MAX);
		p = part;
	}
	return write ? pwritev(f->fd, (const struct iovec *)p, (int)n, (off_t)at)
		     : preadv(f->fd, (const struct iovec *)p, (int)n, (off_t)at);
}

static int transfer_all(struct image_file *f, bool write, uint64_t at, const struct io_piece *piece,
			unsigned pieces)
{
	uint64_t bytes = pieces_bytes(piece, pieces), done = 0;

	if (at > INT64_MAX || bytes > INT64_MAX - at)
		return -EFBIG;
	while (done < bytes) {
		ssize_t n = transfer(f, write, at + done, piece, pieces, done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0 && write)
			return -ENOSPC;
		if (n == 0) {
			image_pieces_zero(piece, pieces, done, bytes - done);
			return 0;
		}
		done += (uint64_t)n;
	}
	return 0;
}

int image_file_readv(struct image_file *f, uint64_t at, const struct io_piece *piece,
		     unsigned pieces)
{
	return transfer_all(f, false, at, piece, pieces);
}

int image_file_writev(struct image_file *f, uint64_t at, const struct io_piece *piece,
		      unsigned pieces)
{
	return transfer_all(f, true, at, piece, pieces);
}

int image_file_read(struct image_file *f, uint64_t at, void *buf, uint64_t bytes)
{
	struct io_piece p = {buf, (size_t)bytes};

	return transfer_all(f, false, at, &p, 1);
}

int image_file_write(struct image_file *f, uint64_t at, const void *buf, uint64_t bytes)
{
	struct io_piece p = {(void *)buf, (size_t)bytes};

	return transfer_all(f, true, at, &p, 1);
}

int image_file_sync(struct image_file *f)
{
	return f->unsafe || fdatasync(f->fd) == 0 ? 0 : -errno;
}

/* ---- without waiting */

enum { WRITE_SLOW_NS = 2000000, WRITE_PENALTY = 4, WRITE_PENALTY_NS_MAX = 50000000 };

int64_t image_file_read_now(struct image_file *f, uint64_t at, const struct io_piece *piece,
			    unsigned pieces)
{
	ssize_t n;

	if (__atomic_load_n(&f->no_nowait, __ATOMIC_RELAXED))
		return -EAGAIN;
	n = preadv2(f->fd, (const struct iovec *)piece, (int)pieces, (off_t)at, RWF_NOWAIT);
	if (n >= 0)
		return n;
	if (errno == EOPNOTSUPP || errno == EINVAL || errno == ENOSYS)
		__atomic_store_n(&f->no_nowait, true, __ATOMIC_RELAXED);
	return -EAGAIN; /* a real error will be met again */
}

/* How often this thread has waited for something, and not only for its turn on the CPU; 0 if the
 * host cannot tell. */
static long thread_waits(void)
{
	struct rusage u;

	return getrusage(RUSAGE_THREAD, &u) < 0 ? 0 : u.ru_nvcsw;
}

/* Short for what was only a commit of the journal. */
static uint64_t write_penalty(uint64_t took_ns)
{
	uint64_t ns = WRITE_PENALTY * took_ns;

	return ns < WRITE_PENALTY_NS_MAX ? ns : WRITE_PENALTY_NS_MAX;
}

int64_t image_file_write_now(struct image_file *f, uint64_t at, const struct io_piece *piece,
			     unsigned pieces)
{
	uint64_t begin = host_time_ns(), end;
	long waits = thread_waits();
	ssize_t n;

	if (begin < __atomic_load_n(&f->slow_until_ns, __ATOMIC_RELAXED))
		return -EAGAIN;
	n = pwritev(f->fd, (const struct iovec *)piece, (int)pieces, (off_t)at);
	if (n < 0)
		n = errno == EINTR ? -EAGAIN : -errno;
	/* The page cache takes microseconds, unless the host is short of clean pages. */
	end = host_time_ns();
	if (end - begin > WRITE_SLOW_NS && thread_waits() != waits)
		__atomic_store_n(&f->slow_until_ns, end + write_penalty(end - begin),
				 __ATOMIC_RELAXED);
	return n;
}

/* ---- holes and sizes */

static int device_zero(struct image_file *f, uint64_t at, uint64_t bytes)
{
	uint64_t range[2] = {at, bytes};

	return ioctl(f->fd, BLKZEROOUT, range) < 0 ? -ENOTSUP : 0;
}

static int allocate(struct image_file *f, int mode, uint64_t at, uint64_t bytes)
{
	int r;

	do
		r = fallocate(f->fd, mode, (off_t)at, (off_t)bytes);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

static bool unsupported(int r)
{
	return r == -EOPNOTSUPP || r == -ENOSYS || r == -ENODEV || r == -EINVAL || r == -ENOTTY;
}

int image_file_zero(struct image_file *f, uint64_t at, uint64_t bytes, bool hole)
{
	int r = -EOPNOTSUPP;

	if (f->block_device)
		return device_zero(f, at, bytes);
	if (hole && !f->no_punch) {
		r = allocate(f, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, bytes);
		f->no_punch |= unsupported(r);
	}
	if (unsupported(r) && !f->no_zero) {
		r = allocate(f, FALLOC_FL_ZERO_RANGE, at, bytes);
		f->no_zero |= unsupported(r);
	}
	return unsupported(r) ? -ENOTSUP : r;
}

void image_file_discard(struct image_file *f, uint64_t at, uint64_t bytes)
{
	uint64_t range[2] = {at, bytes};

	if (f->no_punch)
		return;
	if (f->block_device)
		f->no_punch = ioctl(f->fd, BLKDISCARD, range) < 0;
	else
		image_file_zero(f, at, bytes, true);
}

int image_file_resize(struct image_file *f, uint64_t bytes)
{
	if (bytes > INT64_MAX)
		return -EFBIG;
	if (f->block_device)
		return bytes <= f->bytes ? 0 : -ENOSPC;
	if (ftruncate(f->fd, (off_t)bytes) < 0)
		return -errno;
	f->bytes = bytes;
	return 0;
}

bool image_file_is_hole(struct image_file *f, uint64_t at, uint64_t *bytes)
{
	off_t data = lseek(f->fd, (off_t)at, SEEK_DATA), hole;

	if (data < 0)
		return errno == ENXIO; /* nothing from here on; other errors: take it as data */
	if ((uint64_t)data > at) {
		if ((uint64_t)data - at < *bytes)
			*bytes = (uint64_t)data - at;
		return true;
	}
	hole = lseek(f->fd, (off_t)at, SEEK_HOLE);
	if (hole > (off_t)at && (uint64_t)hole - at < *bytes)
		*bytes = (uint64_t)hole - at;
	return false;
}

uint64_t image_file_space(struct image_file *f)
{
	struct stat st;

	return fstat(f->fd, &st) < 0 ? 0 : (uint64_t)st.st_blocks * 512;
}
