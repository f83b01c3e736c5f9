/* The 9P server against clients that want out of the folder, and ones that send nonsense. */
#define _GNU_SOURCE
#include "test.h"

#include <pthread.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "p9_rig.h"

enum { RDONLY = 0, WRONLY = 1, RDWR = 2, TRUNC = 01000 };

static const char *const bad_names[] = {"",	".",	     "..",	  "/",
					"/etc", "../secret", "sub/inner", "sub/"};
enum { BAD_NAMES = sizeof(bad_names) / sizeof(bad_names[0]) };

static void test_names(void **state)
{
	struct rig *g = rig_new(false);
	char longest[NAME_MAX + 2];

	memset(longest, 'x', sizeof(longest));
	longest[NAME_MAX + 1] = 0;
	assert_int_equal(rig_walk(g, RIG_ROOT, 2, "hello"), 0);
	for (unsigned i = 0; i < BAD_NAMES; i++) {
		const char *n = bad_names[i];

		assert_int_equal(rig_create(g, RIG_ROOT, n, RDWR, 0644), EINVAL);
		assert_int_equal(rig_mkdir(g, RIG_ROOT, n), EINVAL);
		assert_int_equal(rig_mknod(g, RIG_ROOT, n, S_IFREG), EINVAL);
		assert_int_equal(rig_symlink(g, RIG_ROOT, n, "x"), EINVAL);
		assert_int_equal(rig_link(g, RIG_ROOT, 2, n), EINVAL);
		assert_int_equal(rig_rename(g, 2, RIG_ROOT, n), EINVAL);
		assert_int_equal(rig_renameat(g, RIG_ROOT, n, RIG_ROOT, "x"), EINVAL);
		assert_int_equal(rig_renameat(g, RIG_ROOT, "hello", RIG_ROOT, n), EINVAL);
		assert_int_equal(rig_unlink(g, RIG_ROOT, n, 0), EINVAL);
	}
	assert_int_equal(rig_mkdir(g, RIG_ROOT, longest), ENAMETOOLONG);
	rig_begin(g, P9_TMKDIR);
	p9_put(&g->out, RIG_ROOT, 4);
	p9_put_string(&g->out, "nul\0name", 8);
	p9_put(&g->out, 0755, 4);
	p9_put(&g->out, 0, 4);
	assert_int_equal(rig_send(g), EINVAL);
	/* A step of a walk may be "..", nothing else of these. */
	for (unsigned i = 0; i < BAD_NAMES; i++) {
		if (strcmp(bad_names[i], "..") == 0)
			continue;
		rig_begin(g, P9_TWALK);
		p9_put(&g->out, RIG_ROOT, 4);
		p9_put(&g->out, 9, 4);
		p9_put(&g->out, 1, 2);
		rig_string(g, bad_names[i]);
		assert_int_equal(rig_send(g), EINVAL);
	}
	assert_string_equal(rig_contents(g, "../secret"), "out of reach");
	rig_free(g);
}

static void test_dotdot_ends_at_the_root(void **state)
{
	struct rig *g = rig_new(false);
	struct p9_qid root = {0}, q = {0};
	uint32_t mode;
	uint64_t size;

	assert_int_equal(rig_getattr(g, RIG_ROOT, &root, &mode, &size), 0);
	assert_int_equal(rig_walk(g, RIG_ROOT, 2, "../../../.."), 0);
	assert_int_equal(rig_getattr(g, 2, &q, &mode, &size), 0);
	assert_int_equal(q.path, root.path);
	assert_int_equal(rig_walk(g, RIG_ROOT, 3, "../secret"), ENOENT);
	assert_int_equal(rig_walk(g, RIG_ROOT, 3, "sub/../../secret"), ENOENT);
	/* The root's own ".." tells nothing of what is above. */
	assert_int_equal(rig_open(g, 2, RDONLY), 0);
	rig_begin(g, P9_TREADDIR);
	p9_put(&g->out, 2, 4);
	p9_put(&g->out, 0, 8);
	p9_put(&g->out, 8192, 4);
	assert_int_equal(rig_send(g), 0);
	p9_take32(&g->in);
	while (g->in.at < g->in.end) {
		char name[NAME_MAX + 1];
		uint64_t path;

		p9_take8(&g->in);
		p9_take32(&g->in);
		path = p9_take64(&g->in);
		p9_take64(&g->in);
		p9_take8(&g->in);
		assert_int_equal(p9_take_string(&g->in, name, sizeof(name)), 0);
		if (strcmp(name, "..") == 0)
			assert_int_equal(path, root.path);
	}
	rig_free(g);
}

/* A folder that was moved away while the client stands in it: ".." does not lead to where it is. */
static void test_dotdot_of_a_folder_moved_out(void **state)
{
	struct rig *g = rig_new(false);

	assert_int_equal(rig_walk(g, RIG_ROOT, 2, "sub"), 0);
	assert_int_equal(rename(rig_path(g, "sub"), rig_path(g, "../sub")), 0);
	assert_int_equal(rig_walk(g, 2, 3, ".."), ESTALE);
	assert_int_equal(rig_walk(g, 2, 3, "../secret"), ESTALE);
	rig_free(g);
}

static void check_link(struct rig *g, const char *name)
{
	char through[64];

	assert_int_equal(rig_walk(g, RIG_ROOT, 2, name), 0);
	assert_int_equal(rig_open(g, 2, RDONLY), ELOOP);
	assert_int_equal(rig_open(g, 2, WRONLY | TRUNC), ELOOP);
	assert_int_equal(rig_setattr(g, 2, (struct rig_attr){.valid = 8, .size = 0}), EINVAL);
	assert_int_equal(rig_setattr(g, 2, (struct rig_attr){.valid = 1, .mode = 0777}),
			 EOPNOTSUPP);
	assert_int_equal(rig_xattrwalk(g, 2, 3, "user.x"), -EOPNOTSUPP);
	assert_int_equal(rig_create(g, RIG_ROOT, name, RDWR, 0644), ELOOP);
	assert_int_equal(rig_create(g, RIG_ROOT, name, RDWR | TRUNC, 0644), ELOOP);
	snprintf(through, sizeof(through), "%s/x", name);
	assert_int_equal(rig_walk(g, RIG_ROOT, 3, through), ENOENT); /* ends at the link */
	assert_int_equal(rig_walk(g, 2, 3, "x"), ENOTDIR);
	assert_int_equal(rig_mkdir(g, 2, "x"), ENOTDIR);
	assert_int_equal(rig_unlink(g, 2, "x", 0), ENOTDIR);
	assert_int_equal(rig_clunk(g, 2), 0);
}

static void test_symbolic_links_are_not_followed(void **state)
{
	struct rig *g = rig_new(false);

	assert_int_equal(rig_symlink(g, RIG_ROOT, "passwd", "/etc/passwd"), 0);
	assert_int_equal(rig_symlink(g, RIG_ROOT, "up", "../secret"), 0);
	assert_int_equal(rig_symlink(g, RIG_ROOT, "dir", "/etc"), 0);
	assert_int_equal(rig_symlink(g, RIG_ROOT, "parent", ".."), 0);
	assert_int_equal(rig_symlink(g, RIG_ROOT, "magic", "/proc/self/root"), 0);
	check_link(g, "passwd");
	check_link(g, "up");
	check_link(g, "dir");
	check_link(g, "parent");
	check_link(g, "magic");
	/* Times of the link, not of what it points to. */
	assert_int_equal(rig_walk(g, RIG_ROOT, 2, "up"), 0);
	assert_int_equal(rig_setattr(g, 2, (struct rig_attr){.valid = 0x120, .mtime = 1}), 0);
	struct stat st;
	assert_int_equal(stat(rig_path(g, "../secret"), &st), 0);
	assert_int_not_equal(st.st_mtime, 1);
	assert_int_equal(rig_link(g, RIG_ROOT, 2, "hard"), 0);
	assert_int_equal(lstat(rig_path(g, "hard"), &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	/* Removing and renaming over take the link, not what is behind it. */
	assert_int_equal(rig_renameat(g, RIG_ROOT, "hello", RIG_ROOT, "up"), 0);
	assert_int_equal(rig_unlink(g, RIG_ROOT, "passwd", 0), 0);
	assert_string_equal(rig_contents(g, "../secret"), "out of reach");
	rig_free(g);
}

/* /proc itself shared: its magic links lead anywhere, for those who follow. */
static void test_proc(void **state)
{
	struct rig *g = rig_new(false);
	struct p9_share *mine = g->share;
	struct error err;
	static const char *const links[] = {"self/root", "self/cwd", "self/exe", "self/fd/0"};

	if (p9_share_create(&g->share, NULL, "/proc", false, &err)) {
		g->share = mine;
		rig_free(g);
		skip();
	}
	assert_int_equal(rig_version(g, RIG_MSIZE, "9P2000.L"), 0);
	assert_int_equal(rig_attach(g, RIG_ROOT), 0);
	for (unsigned i = 0; i < 4; i++) {
		char name[32], deeper[64];

		snprintf(name, sizeof(name), "%d/%s", getpid(), links[i] + 5);
		snprintf(deeper, sizeof(deeper), "%s/etc", name);
		assert_int_equal(rig_walk(g, RIG_ROOT, 3, deeper), ENOENT);
		if (rig_walk(g, RIG_ROOT, 2, name))
			continue;
		assert_int_equal(rig_open(g, 2, RDONLY), ELOOP);
		assert_int_equal(rig_walk(g, 2, 3, "etc"), ENOTDIR);
		assert_int_equal(rig_clunk(g, 2), 0);
	}
	p9_share_destroy(g->share);
	g->share = mine;
	rig_free(g);
}

/* Between walk and open the host, or the guest by another fid, puts a link where the file was. */
static void test_replaced_between_walk_and_open(void **state)
{
	struct rig *g = rig_new(false);

	assert_int_equal(rig_walk(g, RIG_ROOT, 2, "hello"), 0);
	assert_int_equal(rig_walk(g, RIG_ROOT, 3, "sub"), 0);
	assert_int_equal(rig_unlink(g, RIG_ROOT, "hello", 0), 0);
	assert_int_equal(rig_symlink(g, RIG_ROOT, "hello", "../secret"), 0);
	assert_int_equal(rig_open(g, 2, RDONLY), 0); /* the file that was */
	assert_int_equal(rig_read(g, 2, 0, 100), 11);
	assert_memory_equal(g->in.at, "hello, host", 11);
	assert_int_equal(rename(rig_path(g, "sub"), rig_path(g, "moved")), 0);
	assert_int_equal(symlink("..", rig_path(g, "sub")), 0);
	assert_int_equal(rig_walk(g, 3, 4, "secret"), ENOENT);
	assert_int_equal(rig_walk(g, 3, 4, "inner"), 0);
	assert_int_equal(rig_create(g, 3, "made", RDWR, 0644), 0);
	assert_true(rig_exists(g, "moved/made"));
	assert_int_equal(rig_walk(g, RIG_ROOT, 5, "sub/secret"), ENOENT);
	assert_string_equal(rig_contents(g, "../secret"), "out of reach");
	rig_free(g);
}

struct race {
	struct rig *g;
	bool stop;
};

static void *swap(void *opaque)
{
	struct race *r = opaque;
	char dir[256], link[256];

	snprintf(dir, sizeof(dir), "%s/race", r->g->folder);
	snprintf(link, sizeof(link), "%s/race-link", r->g->folder);
	while (!__atomic_load_n(&r->stop, __ATOMIC_RELAXED))
		renameat2(AT_FDCWD, dir, AT_FDCWD, link, RENAME_EXCHANGE);
	return NULL;
}

/* A folder and a link that change places all the time: nothing outside is ever found through it. */
static void test_race(void **state)
{
	struct rig *g = rig_new(false);
	struct race r = {g, false};
	unsigned inside = 0, turned_down = 0;
	pthread_t t;

	assert_int_equal(mkdir(rig_path(g, "race"), 0755), 0);
	assert_int_equal(symlink("..", rig_path(g, "race-link")), 0);
	rig_file(g, "race/secret", "decoy");
	assert_int_equal(pthread_create(&t, NULL, swap, &r), 0);
	for (unsigned i = 0; i < 3000 || !inside || !turned_down; i++) {
		int e = rig_walk(g, RIG_ROOT, 2, "race/secret");

		assert_true(i < 1000000);
		if (e) {
			turned_down++;
			continue;
		}
		assert_int_equal(rig_open(g, 2, RDWR), 0);
		assert_int_equal(rig_read(g, 2, 0, 100), 5);
		assert_memory_equal(g->in.at, "decoy", 5);
		assert_int_equal(rig_clunk(g, 2), 0);
		inside++;
	}
	__atomic_store_n(&r.stop, true, __ATOMIC_RELAXED);
	pthread_join(t, NULL);
	assert_string_equal(rig_contents(g, "../secret"), "out of reach");
	rig_free(g);
}

static void bind_socket(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	close(fd);
}

/* Opening one could wait for ever, or set off what a device does when opened. */
static void test_special_files_are_not_opened(void **state)
{
	struct rig *g = rig_new(false);
	static const char *const names[] = {"fifo", "socket", "null"};

	assert_int_equal(mkfifo(rig_path(g, "fifo"), 0666), 0);
	bind_socket(rig_path(g, "socket"));
	for (unsigned i = 0; i < 3; i++) {
		if (i == 2 && mknod(rig_path(g, "null"), S_IFCHR | 0666, 0x103) < 0)
			continue; /* takes root */
		assert_int_equal(rig_walk(g, RIG_ROOT, 2, names[i]), 0);
		assert_int_equal(rig_open(g, 2, RDONLY), ENXIO);
		assert_int_equal(rig_open(g, 2, WRONLY), ENXIO);
		assert_int_equal(rig_setattr(g, 2, (struct rig_attr){.valid = 8}), EINVAL);
		assert_int_equal(rig_walk(g, RIG_ROOT, 3, ""), 0);
		assert_int_equal(rig_create(g, 3, names[i], RDWR, 0644), ENXIO);
		assert_int_equal(rig_clunk(g, 3), 0);
		assert_int_equal(rig_clunk(g, 2), 0);
	}
	rig_free(g);
}

/* ---- nonsense */

/* Every message of the right type, cut off everywhere, with the size field right and wrong. */
static void test_cut_off(void **state)
{
	struct rig *g = rig_new(false);
	uint8_t whole[64];

	for (unsigned type = 0; type < 256; type++)
		for (size_t len = 0; len < 40; len++) {
			struct p9_out size = {.buf = g->message, .room = 4};

			if (type == P9_TVERSION)
				continue;
			memset(whole, 0, sizeof(whole));
			rig_begin(g, (uint8_t)type);
			p9_put_bytes(&g->out, whole, len);
			p9_put(&size, g->out.len, 4);
			rig_send_raw(g, RIG_MSIZE);
			size.len = 0;
			p9_put(&size, g->out.len + 1, 4); /* more than there is */
			assert_int_equal(rig_send_raw(g, RIG_MSIZE), EINVAL);
			size.len = 0;
			p9_put(&size, len % 7, 4); /* less than a header */
			assert_int_equal(rig_send_raw(g, RIG_MSIZE), EINVAL);
		}
	for (size_t len = 0; len < 7; len++) {
		rig_begin(g, P9_TCLUNK);
		g->out.len = len;
		assert_int_equal(rig_send_raw(g, RIG_MSIZE), EINVAL);
	}
	rig_free(g);
}

/* No room for the answer. */
static void test_small_answers(void **state)
{
	struct rig *g = rig_new(false);

	for (size_t room = 0; room < 40; room++) {
		struct p9_out size = {.buf = g->message, .room = 4};

		rig_begin(g, P9_TGETATTR);
		p9_put(&g->out, RIG_ROOT, 4);
		p9_put(&g->out, ~0ull, 8);
		p9_put(&size, g->out.len, 4);
		assert_int_equal(rig_send_raw(g, room), room < P9_ERROR_BYTES ? -1 : EMSGSIZE);
	}
	assert_int_equal(rig_walk(g, RIG_ROOT, 2, "hello"), 0);
	assert_int_equal(rig_open(g, 2, RDONLY), 0);
	for (size_t room = 0; room < 40; room++) {
		struct p9_out size = {.buf = g->message, .room = 4};
		size_t fits = room < P9_READ_HEADER ? 0 : room - P9_READ_HEADER;

		rig_begin(g, P9_TREAD);
		p9_put(&g->out, 2, 4);
		p9_put(&g->out, 0, 8);
		p9_put(&g->out, 0xffffffff, 4);
		p9_put(&size, g->out.len, 4);
		assert_int_equal(rig_send_raw(g, room), room < P9_READ_HEADER ? -1 : 0);
		if (room >= P9_READ_HEADER)
			assert_int_equal(p9_take32(&g->in), fits < 11 ? fits : 11);
	}
	rig_free(g);
}

static void test_huge_counts(void **state)
{
	struct rig *g = rig_new(false);

	assert_int_equal(rig_walk(g, RIG_ROOT, 2, "hello"), 0);
	assert_int_equal(rig_open(g, 2, RDWR), 0);
	rig_begin(g, P9_TWRITE);
	p9_put(&g->out, 2, 4);
	p9_put(&g->out, 0, 8);
	p9_put(&g->out, 0xffffffff, 4);
	p9_put_bytes(&g->out, "x", 1);
	assert_int_equal(rig_send(g), EINVAL);
	rig_begin(g, P9_TWRITE);
	p9_put(&g->out, 2, 4);
	p9_put(&g->out, 0, 8);
	p9_put(&g->out, 2, 4);
	p9_put_bytes(&g->out, "x", 1);
	assert_int_equal(rig_send(g), EINVAL);
	assert_string_equal(rig_contents(g, "hello"), "hello, host");
	rig_begin(g, P9_TWALK);
	p9_put(&g->out, RIG_ROOT, 4);
	p9_put(&g->out, 3, 4);
	p9_put(&g->out, 17, 2);
	for (unsigned i = 0; i < 17; i++)
		rig_string(g, "..");
	assert_int_equal(rig_send(g), EINVAL);
	rig_begin(g, P9_TMKDIR);
	p9_put(&g->out, RIG_ROOT, 4);
	p9_put(&g->out, 0xffff, 2);
	p9_put_bytes(&g->out, "abc", 3);
	assert_int_equal(rig_send(g), EINVAL);
	/* Longer than msize, or than any message but Twrite may be. */
	rig_begin(g, P9_TCLUNK);
	p9_put(&g->out, 2, 4);
	g->out.len = 20 << 10;
	assert_int_equal(rig_send(g), EMSGSIZE);
	rig_begin(g, P9_TWRITE);
	g->out.len = RIG_MSIZE + 1;
	assert_int_equal(rig_send(g), EMSGSIZE);
	rig_free(g);
}

/* Descriptors and fids are bounded, and the share goes on when they are used up. */
static void test_bounds(void **state)
{
	struct rig *g = malloc(sizeof(*g));
	struct rlimit old, few;
	uint32_t n;
	int e = 0;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	few = old;
	few.rlim_cur = 256;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	rig_folder(g);
	rig_share(g, false);
	for (n = 0; n < 1000 && e == 0; n++)
		e = rig_walk(g, RIG_ROOT, 10 + n, "hello");
	assert_int_equal(e, ENFILE);
	assert_in_range(n, 20, 100);
	assert_int_equal(rig_clunk(g, 10), 0);
	assert_int_equal(rig_walk(g, RIG_ROOT, 10, "hello"), 0);
	assert_int_equal(rig_open(g, 10, RDONLY), ENFILE);
	/* Fids of one node take no descriptors, but are counted, too. */
	for (n = 0, e = 0; n < 100000 && e == 0; n++)
		e = rig_walk(g, RIG_ROOT, 10000 + n, "");
	assert_int_equal(e, ENFILE);
	assert_in_range(n, 60000, 70000);
	assert_int_equal(rig_version(g, RIG_MSIZE, "9P2000.L"), 0);
	assert_int_equal(rig_attach(g, RIG_ROOT), 0);
	assert_int_equal(rig_walk(g, RIG_ROOT, 10, "hello"), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	rig_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_dotdot_ends_at_the_root),
		cmocka_unit_test(test_dotdot_of_a_folder_moved_out),
		cmocka_unit_test(test_symbolic_links_are_not_followed),
		cmocka_unit_test(test_proc),
		cmocka_unit_test(test_replaced_between_walk_and_open),
		cmocka_unit_test(test_race),
		cmocka_unit_test(test_special_files_are_not_opened),
		cmocka_unit_test(test_cut_off),
		cmocka_unit_test(test_small_answers),
		cmocka_unit_test(test_huge_counts),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
