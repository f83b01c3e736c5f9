/* Networks other than libslirp's: two socket ends on one loop, a TAP interface where the host
 * allows one, and what is said where it does not. */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "backend/net/net.h"
#include "base/bits.h"
#include "device/net_offload.h"

enum { FRAME_BYTES = 70000 };

struct end {
	struct net_network *net;
	const char *flag;
	bool full, up;
	unsigned frames, links;
	size_t len;
	struct net_offload o;
	uint8_t bytes[FRAME_BYTES];
};

static const char *get(void *opaque, const char *key, unsigned index)
{
	const char *flag = ((struct end *)opaque)->flag;

	return flag && index == 0 && strcmp(flag, key) == 0 ? "" : NULL;
}

static bool receive(void *opaque, const struct io_piece *piece, unsigned pieces,
		    const struct net_offload *o)
{
	struct end *e = opaque;

	if (e->full)
		return false;
	e->len = 0;
	for (unsigned i = 0; i < pieces; i++) {
		assert_true(e->len + piece[i].len <= sizeof(e->bytes));
		memcpy(e->bytes + e->len, piece[i].base, piece[i].len);
		e->len += piece[i].len;
	}
	e->o = o ? *o : (struct net_offload){0};
	e->frames++;
	return true;
}

static void on_link(void *opaque, bool up)
{
	struct end *e = opaque;

	e->links++;
	e->up = up;
}

static int try_open(struct end *e, const struct net_backend *b, struct io_loop *loop,
		    const char *value, struct error *err)
{
	struct net_options o = {.value = value, .get = get, .opaque = e, .queues = 1};
	int r = b->open(&e->net, loop, &o, err);

	if (r == 0)
		e->net->card = (struct net_card){receive, on_link, e};
	return r;
}

static struct end *open_end(const struct net_backend *b, struct io_loop *loop, const char *value,
			    const char *flag)
{
	struct end *e = calloc(1, sizeof(*e));
	struct error err;

	e->flag = flag;
	if (try_open(e, b, loop, value, &err))
		fail_msg("%s", err.text);
	return e;
}

static void turn(struct io_loop *loop, unsigned times)
{
	const struct timespec ms = {.tv_nsec = 1000000};

	while (times--) {
		io_loop_turn(loop);
		nanosleep(&ms, NULL);
	}
}

static void send_frame(struct end *e, const void *frame, size_t len)
{
	struct io_piece p[2] = {{(void *)(uintptr_t)frame, 1},
				{(uint8_t *)(uintptr_t)frame + 1, len - 1}};

	e->net->send(e->net->opaque, 0, p, 2, NULL);
}

static struct io_loop *new_loop(void)
{
	struct io_loop *loop;
	struct error err;

	assert_int_equal(io_loop_create(&loop, true, &err), 0);
	return loop;
}

static void path_of(char *path, size_t len)
{
	const char *dir = getenv("TMPDIR");

	snprintf(path, len, "%s/doppel-net-%d", dir ? dir : "/tmp", (int)getpid());
}

/* ---- socket */

static void close_end(struct end *e, const struct net_backend *b)
{
	b->close(e->net);
	free(e);
}

static void sockets(void **state)
{
	struct io_loop *loop = new_loop();
	static uint8_t frame[65549];
	struct end *a, *b;
	char path[100];

	path_of(path, sizeof(path));
	a = open_end(&net_socket, loop, path, NULL); /* nobody there: it listens */
	assert_true(a->net->unplugged);
	send_frame(a, frame, 60); /* into the void */
	b = open_end(&net_socket, loop, path, NULL);
	assert_false(b->net->unplugged);
	turn(loop, 3);
	assert_true(a->up);
	assert_int_equal(b->frames, 0);
	for (size_t i = 0; i < sizeof(frame); i++)
		frame[i] = (uint8_t)(i * 5 + (i >> 7));
	for (size_t len = 14; len <= sizeof(frame); len += len < 100 ? 1 : 8191) {
		send_frame(a, frame, len);
		turn(loop, 2);
		assert_int_equal(b->len, len);
		assert_memory_equal(b->bytes, frame, len);
	}
	send_frame(b, frame, 77);
	turn(loop, 2);
	assert_int_equal(a->frames, 1);
	assert_int_equal(a->len, 77);
	close_end(b, &net_socket);
	turn(loop, 3);
	assert_false(a->up);
	/* The plug fits again. */
	b = open_end(&net_socket, loop, path, "connect");
	turn(loop, 3);
	assert_true(a->up);
	close_end(a, &net_socket);
	turn(loop, 3);
	assert_false(b->up);
	assert_int_equal(access(path, F_OK), -1);
	a = open_end(&net_socket, loop, path, "listen");
	turn(loop, 800); /* and looks for somebody now and then */
	assert_true(a->up);
	assert_true(b->up);
	close_end(a, &net_socket);
	close_end(b, &net_socket);
	io_loop_destroy(loop);
}

static void busy_card(void **state)
{
	struct io_loop *loop = new_loop();
	static uint8_t frame[1514];
	struct end *a, *b;
	char path[100];

	path_of(path, sizeof(path));
	a = open_end(&net_socket, loop, path, NULL);
	b = open_end(&net_socket, loop, path, NULL);
	turn(loop, 2);
	b->full = true;
	for (unsigned i = 0; i < 500; i++) {
		frame[20] = (uint8_t)i;
		send_frame(a, frame, sizeof(frame));
	}
	turn(loop, 10);
	assert_int_equal(b->frames, 0);
	b->full = false;
	b->net->resume(b->net->opaque);
	turn(loop, 10);
	assert_int_equal(b->frames, 500);
	assert_int_equal(b->bytes[20], (uint8_t)499);
	/* Without end nothing piles up without end, and what comes through is whole. */
	b->full = true;
	for (unsigned i = 0; i < 5000; i++)
		send_frame(a, frame, sizeof(frame));
	turn(loop, 10);
	b->full = false;
	b->net->resume(b->net->opaque);
	turn(loop, 50);
	assert_true(b->frames > 600 && b->frames < 5000);
	assert_int_equal(b->len, sizeof(frame));
	close_end(a, &net_socket);
	close_end(b, &net_socket);
	io_loop_destroy(loop);
}

/* What is no frame ends the connection, not the machine; a new one is welcome. */
static void nonsense(void **state)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	struct io_loop *loop = new_loop();
	static const uint8_t good[] = "\0\0\0\4abcd\0\0\0\2e", bad[] = "\377\377\377\377";
	struct end *a;
	char path[100];
	int fd;

	path_of(path, sizeof(path));
	snprintf(to.sun_path, sizeof(to.sun_path), "%s", path);
	a = open_end(&net_socket, loop, path, "listen");
	for (unsigned i = 1; i <= 2; i++) {
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
		assert_int_equal(write(fd, good, sizeof(good) - 1), sizeof(good) - 1);
		turn(loop, 3);
		assert_true(a->up);
		assert_int_equal(a->frames, i);
		assert_memory_equal(a->bytes, "abcd", 4);
		assert_int_equal(write(fd, "f", 1), 1); /* then two bytes were whole */
		turn(loop, 3);
		assert_int_equal(a->frames, i + 1);
		a->frames--;
		assert_int_equal(write(fd, bad, 4), 4);
		turn(loop, 3);
		assert_false(a->up);
		close(fd);
	}
	close_end(a, &net_socket);
	io_loop_destroy(loop);
}

static void socket_refusals(void **state)
{
	struct io_loop *loop = new_loop();
	struct end e = {.flag = "listen"}, *a;
	struct error err;
	char path[100];

	path_of(path, sizeof(path));
	a = open_end(&net_socket, loop, path, "listen");
	assert_int_equal(try_open(&e, &net_socket, loop, path, &err), -EADDRINUSE);
	assert_non_null(strstr(err.text, "somebody listens at"));
	close_end(a, &net_socket);
	assert_true(try_open(&e, &net_socket, loop, "", &err) < 0);
	assert_true(try_open(&e, &net_socket, loop, "/nowhere/at/all", &err) < 0);
	assert_non_null(strstr(err.text, "cannot listen at /nowhere/at/all"));
	/* A file that is no socket is left alone. */
	close(open(path, O_CREAT | O_WRONLY, 0600));
	assert_true(try_open(&e, &net_socket, loop, path, &err) < 0);
	assert_int_equal(access(path, F_OK), 0);
	unlink(path);
	io_loop_destroy(loop);
}

/* ---- TAP */

static void tap_refusals(void **state)
{
	struct io_loop *loop = new_loop();
	struct end e = {0};
	struct error err;

	assert_true(try_open(&e, &net_tap, loop, "", &err) < 0);
	assert_true(try_open(&e, &net_tap, loop, "a-name-that-is-too-long", &err) < 0);
	assert_true(try_open(&e, &net_tap, loop, "fd:x", &err) < 0);
	assert_non_null(strstr(err.text, "must be a number"));
	assert_true(try_open(&e, &net_tap, loop, "fd:0", &err) < 0);
	assert_non_null(strstr(err.text, "descriptor 0 is no TAP interface"));
	io_loop_destroy(loop);
}

/* What somebody with the permission hands in: "fd:N", or "" where there is none to be had. */
static void make_tap(char spec[16], short flags)
{
	struct ifreq r = {.ifr_name = "doppeltest0", .ifr_flags = (short)(IFF_TAP | flags)};
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	*spec = 0;
	if (fd >= 0 && ioctl(fd, TUNSETIFF, &r) == 0)
		snprintf(spec, 16, "fd:%d", fd);
	else if (fd >= 0)
		close(fd);
}

/* A frame goes out of the interface and one comes in: the kernel answers a router solicitation or
 * whatever it likes to say when the interface comes up. */
static void tap_frames(const char *spec)
{
	static const uint8_t frame[60] = "\377\377\377\377\377\377\2\0\0\0\0\1\x88\xb5";
	struct ifreq up = {.ifr_name = "doppeltest0"};
	struct io_loop *loop = new_loop();
	struct end e = {0};
	struct error err;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (try_open(&e, &net_tap, loop, spec, &err)) {
		assert_non_null(strstr(err.text, "net tap:"));
		close(fd);
		io_loop_destroy(loop);
		skip();
	}
	e.net->card_features(e.net->opaque, NET_TAKES_CSUM | NET_TAKES_TSO4);
	assert_int_equal(ioctl(fd, SIOCGIFFLAGS, &up), 0);
	up.ifr_flags |= IFF_UP;
	assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &up), 0);
	for (unsigned i = 0; i < 3000 && !e.frames; i++)
		turn(loop, 1);
	send_frame(&e, frame, sizeof(frame));
	assert_true(e.frames > 0 || access("/proc/net/if_inet6", F_OK) != 0);
	net_tap.close(e.net);
	close(fd);
	io_loop_destroy(loop);
}

static void tap(void **state)
{
	tap_frames("doppeltest0");
}

static void tap_handed_in(void **state)
{
	static const short flags[] = {IFF_NO_PI | IFF_VNET_HDR, IFF_NO_PI};
	struct io_loop *loop;
	struct end e = {0};
	struct error err;
	char spec[16];

	for (unsigned i = 0; i < ARRAY_LEN(flags); i++) {
		make_tap(spec, flags[i]);
		if (!*spec)
			skip();
		tap_frames(spec);
	}
	make_tap(spec, 0); /* with a header of its own before each frame */
	if (!*spec)
		skip();
	loop = new_loop();
	assert_int_equal(try_open(&e, &net_tap, loop, spec, &err), -EINVAL);
	assert_non_null(strstr(err.text, "without packet information"));
	close(atoi(spec + 3)); /* still ours */
	io_loop_destroy(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sockets),	 cmocka_unit_test(busy_card),
		cmocka_unit_test(nonsense),	 cmocka_unit_test(socket_refusals),
		cmocka_unit_test(tap_refusals),	 cmocka_unit_test(tap),
		cmocka_unit_test(tap_handed_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
