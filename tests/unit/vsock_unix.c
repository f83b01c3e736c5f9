/* The host's ends of a guest's sockets, with a fake guest on one side and real Unix sockets on the
 * other. */
#define _GNU_SOURCE
#include "test.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "../device/fake_virtio.h"
#include "backend/loop.h"
#include "backend/vsock_unix.h"
#include "device/virtio/vsock_private.h"

enum { RX = QUEUE_RX, TX = QUEUE_TX };
enum { REQUEST = 1, RESPONSE, RST, SHUTDOWN, RW, HDR = 44, ROOM = 4096 };

static struct virtio_vsock v;
static struct fake_virtio f;
static struct io_loop *loop;
static struct vsock_unix *host;
static char dir[64], path[80];

static int begin(void **state)
{
	struct error err;

	strcpy(dir, "/tmp/doppel-vsock-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/v", dir);
	assert_int_equal(io_loop_create(&loop, true, &err), 0);
	assert_int_equal(vsock_unix_create(&host, loop, path, &err), 0);
	virtio_vsock_init(&v, "vsock0", 7, vsock_unix_host(host));
	vsock_unix_device(host, &v);
	fake_virtio_connect(&f, &v.device);
	fake_virtio_start(&f, VIRTIO_F_EVENT_IDX | VIRTIO_VSOCK_F_SEQPACKET, 16);
	return 0;
}

static int end(void **state)
{
	vsock_unix_destroy(host);
	io_loop_destroy(loop);
	fake_virtio_free(&f);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(rmdir(dir), 0);
	return 0;
}

/* Let the host's end do what there is to do. */
static void turn(void)
{
	for (unsigned i = 0; i < 8; i++) {
		io_loop_turn(loop);
		fake_virtio_run(&f);
	}
}

static int dial(const char *line)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(send(fd, line, strlen(line), MSG_NOSIGNAL), strlen(line));
	turn();
	return fd;
}

static void tx_type(uint16_t type, uint16_t op, uint32_t from, uint32_t to, const char *bytes,
		    uint32_t flags)
{
	uint8_t *h = fake_virtio_data(&f, TX, 0);
	uint32_t len = bytes ? (uint32_t)strlen(bytes) : 0, id;

	memset(h, 0, HDR);
	h[0] = 7;
	h[8] = 2;
	store_le32(h + 16, from);
	store_le32(h + 20, to);
	store_le32(h + 24, len);
	store_le16(h + 28, type);
	store_le16(h + 30, op);
	store_le32(h + 32, flags);
	store_le32(h + 36, 1 << 20);
	if (len)
		memcpy(h + HDR, bytes, len);
	fake_virtio_add(&f, TX, 0, HDR + len, 0);
	assert_true(fake_used(&f.queue[TX], &id, &len));
	turn();
}

static void tx(uint16_t op, uint32_t from, uint32_t to, const char *bytes, uint32_t flags)
{
	tx_type(TYPE_STREAM, op, from, to, bytes, flags);
}

/* What the guest gets next: the operation, 0 for nothing. */
static unsigned rx(const uint8_t **h)
{
	static bool offered;
	uint32_t id, len;

	if (h == NULL) {
		offered = false;
		return 0;
	}
	*h = fake_virtio_data(&f, RX, 0);
	if (!offered)
		fake_virtio_add(&f, RX, 0, ROOM, FAKE_WRITE);
	turn();
	offered = !fake_used(&f.queue[RX], &id, &len);
	return offered ? 0 : load_le16(*h + 30);
}

static bool closed(int fd)
{
	char c;
	ssize_t n = recv(fd, &c, 1, 0);

	return n == 0 || (n < 0 && errno == ECONNRESET);
}

static void expect_text(int fd, const char *text)
{
	char got[64] = "";

	assert_int_equal(recv(fd, got, sizeof(got) - 1, 0), strlen(text));
	assert_string_equal(got, text);
}

/* A connection of a program of the host with port 5 of the guest. */
static int opened(const char *line, uint32_t *port)
{
	int fd = dial(line);
	const uint8_t *h;
	char ok[32];

	assert_int_equal(rx(&h), REQUEST);
	assert_int_equal(load_le32(h + 20), 5);
	*port = load_le32(h + 16);
	tx(RESPONSE, 5, *port, NULL, 0);
	snprintf(ok, sizeof(ok), "OK %u\n", *port);
	expect_text(fd, ok);
	return fd;
}

static void host_connects(void **state)
{
	const uint8_t *h;
	uint32_t port;
	int fd;

	rx(NULL);
	fd = opened("CONNECT 5\nearly", &port); /* what follows the line belongs to the guest */
	assert_int_equal(rx(&h), RW);
	assert_memory_equal(h + HDR, "early", 5);
	tx(RW, 5, port, "reply", 0);
	expect_text(fd, "reply");
	shutdown(fd, SHUT_WR);
	assert_int_equal(rx(&h), SHUTDOWN);
	assert_int_equal(load_le32(h + 32), 2);
	tx(RW, 5, port, "last", 0);
	expect_text(fd, "last");
	tx(SHUTDOWN, 5, port, NULL, 3);
	assert_true(closed(fd));
	assert_int_equal(rx(&h), RST);
	close(fd);
}

static void line_in_parts(void **state)
{
	const uint8_t *h;
	int fd;

	rx(NULL);
	fd = dial("CONN");
	assert_int_equal(rx(&h), 0);
	assert_int_equal(send(fd, "ECT 5", 5, 0), 5);
	assert_int_equal(rx(&h), 0);
	assert_int_equal(send(fd, "\n", 1, 0), 1);
	assert_int_equal(rx(&h), REQUEST);
	tx(RST, 5, load_le32(h + 16), NULL, 0);
	assert_true(closed(fd)); /* nobody listens, no OK */
	close(fd);
}

static void nonsense(void **state)
{
	static const char *const lines[] = {"CONNECT\n",
					    "CONNECT x\n",
					    "CONNECT 5x\n",
					    "\n",
					    "connect 5\n",
					    "CONNECT -1\n",
					    "CONNECT 4294967295\n",
					    "CONNECT 99999999999999999999999\n",
					    "CONNECT 5 and so on and so on and so on"};
	const uint8_t *h;

	rx(NULL);
	for (unsigned i = 0; i < ARRAY_LEN(lines); i++) {
		int fd = dial(lines[i]);

		assert_true(closed(fd));
		close(fd);
	}
	close(dial("CONN")); /* gone in the middle of the line */
	assert_int_equal(rx(&h), 0);
}

static void host_hangs_up(void **state)
{
	const uint8_t *h;
	uint32_t port;
	int fd;

	rx(NULL);
	fd = opened("CONNECT 5\n", &port);
	assert_int_equal(send(fd, "bye", 3, 0), 3);
	close(fd);
	assert_int_equal(rx(&h), RW); /* what it sent comes first */
	assert_memory_equal(h + HDR, "bye", 3);
	assert_int_equal(rx(&h), SHUTDOWN);
	assert_int_equal(load_le32(h + 32), 3);
	tx(RW, 5, port, "to nobody", 0);
	tx(RST, 5, port, NULL, 0);
	/* and before the guest has answered */
	fd = dial("CONNECT 5\n");
	assert_int_equal(rx(&h), REQUEST);
	close(fd);
	tx(RESPONSE, 5, load_le32(h + 16), NULL, 0);
	assert_int_equal(rx(&h), SHUTDOWN);
	/* half, then whole, while the guest still sends */
	fd = opened("CONNECT 5\n", &port);
	shutdown(fd, SHUT_WR);
	assert_int_equal(rx(&h), SHUTDOWN);
	close(fd);
	tx(RW, 5, port, "x", 0);
	assert_int_equal(rx(&h), SHUTDOWN);
	assert_int_equal(load_le32(h + 32), 3);
}

static void guest_connects(void **state)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int listener = socket(AF_UNIX, SOCK_STREAM, 0), fd;
	const uint8_t *h;

	rx(NULL);
	tx(REQUEST, 100, 52, NULL, 0);
	assert_int_equal(rx(&h), RST);
	snprintf(a.sun_path, sizeof(a.sun_path), "%s_52", path);
	assert_int_equal(bind(listener, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(listener, 4), 0);
	tx(REQUEST, 100, 52, NULL, 0);
	assert_int_equal(rx(&h), RESPONSE);
	fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
	tx(RW, 100, 52, "question", 0);
	expect_text(fd, "question");
	tx(SHUTDOWN, 100, 52, NULL, 2);
	assert_true(closed(fd)); /* only its half */
	assert_int_equal(send(fd, "answer", 6, 0), 6);
	assert_int_equal(rx(&h), RW);
	assert_memory_equal(h + HDR, "answer", 6);
	close(fd);
	assert_int_equal(rx(&h), SHUTDOWN);
	close(listener);
	unlink(a.sun_path);
}

static int listen_at(int type, struct sockaddr_un *a)
{
	int fd = socket(AF_UNIX, type, 0);

	*a = (struct sockaddr_un){.sun_family = AF_UNIX};
	snprintf(a->sun_path, sizeof(a->sun_path), "%s_52", path);
	assert_int_equal(bind(fd, (struct sockaddr *)a, sizeof(*a)), 0);
	assert_int_equal(listen(fd, 4), 0);
	return fd;
}

static void message(uint16_t op, const char *bytes, uint32_t flags)
{
	tx_type(TYPE_SEQPACKET, op, 100, 52, bytes, flags);
}

/* The guest's next message, whose first bytes are so; its length. */
static size_t next_message(const char *begins)
{
	const uint8_t *h;
	size_t bytes = 0;

	do {
		unsigned op = rx(&h);

		if (op == OP_CREDIT_UPDATE)
			continue;
		assert_int_equal(op, OP_RW);
		if (!bytes)
			assert_memory_equal(h + HDR, begins, strlen(begins));
		bytes += load_le32(h + HDR_LEN);
	} while (!(load_le32(h + HDR_FLAGS) & SEQ_EOM) || load_le16(h + HDR_OP) != OP_RW);
	return bytes;
}

/* A seqpacket socket of the guest is one of the host's: what is sent at once comes at once. */
static void guest_sends_messages(void **state)
{
	enum { LARGE = 100000 };
	static char large[LARGE];
	struct sockaddr_un a;
	const uint8_t *h;
	int listener = listen_at(SOCK_STREAM, &a), fd;

	rx(NULL);
	message(OP_REQUEST, NULL, 0); /* who listens there takes streams */
	assert_int_equal(rx(&h), RST);
	close(listener);
	unlink(a.sun_path);
	listener = listen_at(SOCK_SEQPACKET, &a);
	message(OP_REQUEST, NULL, 0);
	assert_int_equal(rx(&h), RESPONSE);
	fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
	message(OP_RW, "first", SEQ_EOM);
	message(OP_RW, "second", 0);
	message(OP_RW, " half", SEQ_EOM);
	expect_text(fd, "first");
	expect_text(fd, "second half");
	for (unsigned i = 0; i < 100; i++) /* more than the socket takes */
		message(OP_RW, "and on", SEQ_EOM);
	for (unsigned i = 0; i < 100; i++, turn())
		expect_text(fd, "and on");
	memset(large, 'l', sizeof(large));
	assert_int_equal(send(fd, "short", 5, 0), 5);
	assert_int_equal(send(fd, large, LARGE, 0), LARGE);
	assert_int_equal(send(fd, "", 0, 0), 0);
	assert_int_equal(send(fd, "after", 5, 0), 5);
	assert_int_equal(next_message("short"), 5);
	assert_int_equal(next_message("llll"), LARGE);
	assert_int_equal(next_message("after"), 5);
	shutdown(fd, SHUT_WR);
	do
		turn();
	while (rx(&h) == OP_CREDIT_UPDATE);
	assert_int_equal(load_le16(h + HDR_OP), SHUTDOWN);
	message(OP_RW, "last", SEQ_EOM);
	expect_text(fd, "last");
	close(fd);
	close(listener);
	unlink(a.sun_path);
}

/* More than the sockets and buffers on the way hold, in both directions. */
static void much(void **state)
{
	enum { BLOCKS = 300, BLOCK = 3000 };
	static char block[BLOCK + 1], got[BLOCK];
	size_t sent = 0, received = 0;
	const uint8_t *h;
	uint32_t port;
	int fd;

	rx(NULL);
	fd = opened("CONNECT 5\n", &port);
	memset(block, 'd', BLOCK);
	while (received < BLOCKS * BLOCK) {
		ssize_t n = sent < BLOCKS * BLOCK ? send(fd, block, BLOCK, MSG_NOSIGNAL) : 0;

		sent += n > 0 ? (size_t)n : 0;
		if (rx(&h) == RW)
			received += load_le32(h + 24);
		assert_true(received <= sent);
	}
	assert_int_equal(received, sent);
	for (unsigned i = 0; i < VSOCK_RING_BYTES / BLOCK; i++)
		tx(RW, 5, port, block, 0); /* its credit, before the host reads */
	for (received = 0; received < VSOCK_RING_BYTES / BLOCK * BLOCK; turn()) {
		ssize_t n = recv(fd, got, sizeof(got), 0);

		assert_true(n > 0);
		received += (size_t)n;
	}
	close(fd);
}

/* Connections in all states when the machine ends, and when its driver does. */
static void ends(void **state)
{
	const uint8_t *h;
	uint32_t port;
	int fd[4];

	rx(NULL);
	fd[0] = dial("CONNE");
	fd[1] = opened("CONNECT 5\n", &port);
	virtio_status_write(&v.device, 0);
	turn();
	assert_true(closed(fd[1]));
	fake_virtio_start(&f, 0, 16);
	rx(NULL);
	fd[2] = opened("CONNECT 5\n", &port);
	fd[3] = dial("CONNECT 6\n");
	assert_int_equal(rx(&h), REQUEST);
	for (unsigned i = 0; i < 4; i++)
		close(fd[i]);
}

static void path_is_taken(void **state)
{
	struct vsock_unix *u;
	struct error err;
	char file[100];

	assert_int_equal(vsock_unix_create(&u, loop, path, &err), -EADDRINUSE);
	snprintf(file, sizeof(file), "%s/file", dir);
	fclose(fopen(file, "w"));
	assert_int_equal(vsock_unix_create(&u, loop, file, &err), -EEXIST);
	unlink(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(host_connects, begin, end),
		cmocka_unit_test_setup_teardown(line_in_parts, begin, end),
		cmocka_unit_test_setup_teardown(nonsense, begin, end),
		cmocka_unit_test_setup_teardown(host_hangs_up, begin, end),
		cmocka_unit_test_setup_teardown(guest_connects, begin, end),
		cmocka_unit_test_setup_teardown(guest_sends_messages, begin, end),
		cmocka_unit_test_setup_teardown(much, begin, end),
		cmocka_unit_test_setup_teardown(ends, begin, end),
		cmocka_unit_test_setup_teardown(path_is_taken, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
