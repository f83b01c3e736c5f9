/*
 * The 9P server under random messages, most of them nearly right: a few fids, names that are there and
 * names that must not work, random numbers. What is beside the shared folder must stay as it is, no
 * answer may be longer than its room, and no descriptor may stay.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backend/p9/p9.h"
#include "backend/p9/wire.h"
#include "base/bits.h"
#include "fuzz.h"

enum { STEPS_MAX = 200, ROOM = 8192 };

struct field_kinds {
	uint8_t type;
	const char *fields; /* f fid, n name, s string, 1 2 4 8 numbers, d data */
};

static const struct field_kinds messages[] = {
	{P9_TSTATFS, "f"},	 {P9_TLOPEN, "f4"},	  {P9_TLCREATE, "fn444"},
	{P9_TSYMLINK, "fns4"},	 {P9_TMKNOD, "fn4444"},	  {P9_TRENAME, "ffn"},
	{P9_TREADLINK, "f"},	 {P9_TGETATTR, "f8"},	  {P9_TSETATTR, "f444488888"},
	{P9_TXATTRWALK, "ffs"},	 {P9_TXATTRCREATE, "fs84"}, {P9_TREADDIR, "f84"},
	{P9_TFSYNC, "f4"},	 {P9_TLOCK, "f14884s"},	  {P9_TGETLOCK, "f1884s"},
	{P9_TLINK, "ffn"},	 {P9_TMKDIR, "fn44"},	  {P9_TRENAMEAT, "fnfn"},
	{P9_TUNLINKAT, "fn4"},	 {P9_TATTACH, "fxss4"},	  {P9_TFLUSH, "2"},
	{P9_TWALK, "ffw"},	 {P9_TREAD, "f84"},	  {P9_TWRITE, "f8d"},
	{P9_TCLUNK, "f"},	 {P9_TREMOVE, "f"},
};

static const char *const names[] = {"a",  "b",	  "dir",   "link", "..",  ".",
				    "",	  "../s", "/etc",  "fifo", "new", "user.x",
				    "up", "x",	  "user.", "security.capability"};

static void take_string(struct p9_out *out, struct fuzz_input *in)
{
	const char *s = names[fuzz_take(in, 1) % ARRAY_LEN(names)];

	p9_put_string(out, s, strlen(s));
}

/* Mostly small; sometimes anything. */
static uint64_t take_number(struct fuzz_input *in, unsigned bytes)
{
	unsigned how = (unsigned)fuzz_take(in, 1);

	if (how < 160)
		return how % 16;
	return how < 220 ? 1ull << how % 64 : fuzz_take(in, bytes);
}

static void put_field(struct p9_out *out, struct fuzz_input *in, char kind)
{
	unsigned n;

	switch (kind) {
	case 'f':
		p9_put(out, fuzz_take(in, 1) % 8, 4);
		break;
	case 'x':
		p9_put(out, P9_NOFID, 4);
		break;
	case 'n':
	case 's':
		take_string(out, in);
		break;
	case 'w':
		n = (unsigned)fuzz_take(in, 1) % 5;
		p9_put(out, n, 2);
		while (n--)
			take_string(out, in);
		break;
	case 'd':
		n = (unsigned)fuzz_take(in, 1) % 16;
		p9_put(out, n + (fuzz_take(in, 1) == 0), 4);
		while (n--)
			p9_put(out, fuzz_take(in, 1), 1);
		break;
	default:
		p9_put(out, take_number(in, (unsigned)(kind - '0')), (unsigned)(kind - '0'));
	}
}

static void step(struct p9_share *s, struct fuzz_input *in)
{
	static uint8_t message[1 << 12], answer[ROOM + 16];
	const struct field_kinds *k = &messages[fuzz_take(in, 1) % ARRAY_LEN(messages)];
	struct p9_out out = {.buf = message, .room = sizeof(message)}, size = {.buf = message,
									       .room = 4};
	unsigned how = (unsigned)fuzz_take(in, 1);
	struct io_piece pieces[2] = {{message, 0}, {answer, how < 32 ? how : ROOM}};
	struct p9_request r = {.out = &pieces[0], .outs = 1, .in = &pieces[1], .ins = 1};
	size_t len;

	p9_put(&out, 0, 4);
	p9_put(&out, how == 255 ? fuzz_take(in, 1) : k->type, 1);
	p9_put(&out, 1, 2);
	for (const char *f = k->fields; *f; f++)
		put_field(&out, in, *f);
	if (how == 254)
		out.len = fuzz_take(in, 1) % out.len;
	p9_put(&size, how == 253 ? fuzz_take(in, 4) : out.len, 4);
	pieces[0].len = r.out_bytes = out.len;
	r.in_bytes = pieces[1].len;
	memset(answer, 0xee, sizeof(answer));
	len = p9_share_answer(s, &r);
	FUZZ_CHECK(len <= r.in_bytes, "answer of %zu bytes in %zu", len, r.in_bytes);
	for (size_t i = r.in_bytes; i < sizeof(answer); i++)
		FUZZ_CHECK(answer[i] == 0xee, "byte %zu beyond the room", i);
	FUZZ_CHECK(!len || load_le32(answer) == len, "says %u, is %zu", load_le32(answer), len);
}

static int open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *f)
{
	return remove(path);
}

static void write_file(const char *top, const char *name, const char *text)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", top, name);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0644);
	FUZZ_CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text), "%s", path);
	close(fd);
}

static void check_secret(const char *top)
{
	char path[128], text[32] = "";
	unsigned entries = 0;
	struct stat st;
	DIR *d;
	int fd;

	snprintf(path, sizeof(path), "%s/s", top);
	fd = open(path, O_RDONLY);
	FUZZ_CHECK(fd >= 0 && read(fd, text, sizeof(text)) == 6 && !strcmp(text, "secret"),
		   "the file outside is \"%s\"", text);
	FUZZ_CHECK(fstat(fd, &st) == 0 && st.st_nlink == 1 && (st.st_mode & 0777) == 0600 &&
			   st.st_mtime > 1000000,
		   "the file outside was changed");
	close(fd);
	d = opendir(top);
	while (readdir(d))
		entries++;
	closedir(d);
	FUZZ_CHECK(entries == 4, "%u entries outside", entries);
}

static void session(struct p9_share *s)
{
	static const uint8_t version[] = "\x15\0\0\0\x64\xff\xff\0\x20\0\0\x08\0" "9P2000.L",
			     attach[] = "\x17\0\0\0\x68\1\0\0\0\0\0\xff\xff\xff\xff\0\0\0\0\0\0\0";
	uint8_t answer[64];
	struct io_piece in = {answer, sizeof(answer)}, out = {(void *)(uintptr_t)version, 21};
	struct p9_request r = {
		.out = &out, .outs = 1, .out_bytes = 21, .in = &in, .ins = 1, .in_bytes = 64};

	FUZZ_CHECK(p9_share_answer(s, &r) == 21 && answer[4] == P9_TVERSION + 1, "no session");
	out = (struct io_piece){(void *)(uintptr_t)attach, 23};
	r.out_bytes = 23;
	FUZZ_CHECK(p9_share_answer(s, &r) == 20, "not attached");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct fuzz_input in = {data, data + len};
	char top[] = "/tmp/doppel-fuzz-XXXXXX", path[64], target[128];
	int before = open_fds();
	struct p9_share *s;
	struct error err;

	FUZZ_CHECK(mkdtemp(top), "no folder");
	snprintf(path, sizeof(path), "%s/dir", top);
	FUZZ_CHECK(mkdir(path, 0755) == 0, "no folder");
	write_file(top, "s", "secret");
	snprintf(target, sizeof(target), "%s/s", top);
	chmod(target, 0600);
	write_file(path, "a", "contents");
	snprintf(target, sizeof(target), "%s/link", path);
	FUZZ_CHECK(symlink("../s", target) == 0, "no link");
	snprintf(target, sizeof(target), "%s/up", path);
	FUZZ_CHECK(symlink("..", target) == 0, "no link");
	snprintf(target, sizeof(target), "%s/fifo", path);
	FUZZ_CHECK(mkfifo(target, 0600) == 0, "no fifo");
	FUZZ_CHECK(p9_share_create(&s, NULL, path, false, &err) == 0, "%s", err.text);
	session(s);
	for (unsigned i = 0; i < STEPS_MAX && in.at < in.end; i++)
		step(s, &in);
	check_secret(top);
	p9_share_destroy(s);
	FUZZ_CHECK(open_fds() == before, "%d descriptors, were %d", open_fds(), before);
	chmod(path, 0700);
	nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return 0;
}
