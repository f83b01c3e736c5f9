/* A compiler at work: a C file of some ten thousand lines, written before the clock starts,
 * compiled again and again by the tcc of the initramfs. The checksum is that of the object file. */
#include "bench.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define COMPILER "/usr/bin/tcc"
#define SOURCE	 "/tmp/bench.c"
#define OBJECT	 "/tmp/bench.o"

enum { FUNCTIONS = 360 };

/* One function and what belongs to it: 28 lines, of everything a compiler is for. */
static void write_function(FILE *f, unsigned i, uint64_t *seed)
{
	unsigned a = (unsigned)(bench_random(seed) % 1000),
		 b = (unsigned)(bench_random(seed) % 61 + 3);

	fprintf(f,
		"#define SCALE_%u(x) ((x) * %uu + LIMIT(x, %u))\n"
		"struct item_%u {\n\tint64_t key;\n\tconst char *name;\n\tstruct pair "
		"pair[%u];\n};\n"
		"static const uint32_t table_%u[] = {%u, 0x%x, %u, SCALE_%u(7u), sizeof(struct "
		"item_%u)};\n"
		"\n/* Function number %u: loops, switches and calls. */\n",
		i, a + 1, b, i, b % 7 + 2, i, a, a * 77, b, i, i, i);
	fprintf(f,
		"static uint64_t work_%u(struct item_%u *item, const char *text, unsigned n)\n{\n"
		"\tuint64_t sum = %uu ^ (uint64_t)item->key;\n\tunsigned j;\n\n"
		"\tfor (j = 0; j < n; j++) {\n\t\tswitch ((text[j] + j) %% %u) {\n"
		"\t\tcase 0:\n\t\t\tsum += table_%u[j %% 5] << (j & 7);\n\t\t\tbreak;\n"
		"\t\tcase 1:\n\t\t\titem->pair[j %% %u].left = (int)(sum >> 3);\n\t\t\tbreak;\n",
		i, i, a, b % 5 + 2, i, b % 7 + 2);
	fprintf(f,
		"\t\tdefault:\n\t\t\tsum = sum * 31 + SCALE_%u(j) - item->pair[0].right;\n\t\t}\n"
		"\t\tif (sum %% 3 == 0 && item->name && strlen(item->name) > j)\n"
		"\t\t\tsum ^= (uint64_t)(unsigned char)item->name[j] / (j + 1);\n\t}\n",
		i);
	if (i)
		fprintf(f,
			"\tif (n > %u)\n\t\tsum += work_%u((struct item_%u *)item, text + 1, n - "
			"1);\n",
			b, i - 1, i - 1);
	fprintf(f, "\treturn sum + (text[0] == '%c' ? sizeof(*item) : strlen(\"text %u\"));\n}\n\n",
		'a' + (int)(i % 26), a);
}

static bool prepare_compile(void)
{
	uint64_t seed = 2024;
	FILE *f;

	if (access(COMPILER, X_OK) < 0)
		return false;
	mkdir("/tmp", 0777);
	f = fopen(SOURCE, "w");
	if (!f)
		return false;
	fprintf(f, "#include <stdbool.h>\n#include <stdint.h>\n#include <stdio.h>\n"
		   "#include <stdlib.h>\n#include <string.h>\n\n"
		   "#define LIMIT(x, n) ((x) < (n) ? (x) : (n))\n\n"
		   "struct pair {\n\tint left, right;\n};\n\n");
	for (unsigned i = 0; i < FUNCTIONS; i++)
		write_function(f, i, &seed);
	fprintf(f,
		"int main(int argc, char **argv)\n{\n\tstatic struct item_%u item = {1, "
		"\"item\"};\n\n"
		"\tprintf(\"%%llu\\n\", (unsigned long long)work_%u(&item, argv[0], 9));\n"
		"\treturn argc > 9;\n}\n",
		FUNCTIONS - 1, FUNCTIONS - 1);
	return fclose(f) == 0;
}

static uint64_t file_sum(const char *path)
{
	static unsigned char buf[65536];
	uint64_t h = 14695981039346656037u;
	int fd = open(path, O_RDONLY);
	ssize_t n;

	while (fd >= 0 && (n = read(fd, buf, sizeof(buf))) > 0)
		for (ssize_t i = 0; i < n; i++)
			h = (h ^ buf[i]) * 1099511628211u;
	if (fd >= 0)
		close(fd);
	return h;
}

static uint64_t run_compile(unsigned rounds)
{
	char *argv[] = {COMPILER, "-c", "-o", OBJECT, SOURCE, NULL}, *envp[] = {NULL};

	while (rounds--) {
		int status = 1;
		pid_t child;

		unlink(OBJECT);
		child = fork();
		if (child == 0) {
			execve(COMPILER, argv, envp);
			_exit(1);
		}
		waitpid(child, &status, 0);
		if (status != 0)
			return 0;
	}
	return file_sum(OBJECT);
}

const struct workload compile_workloads[] = {
	{"compile", "compile", 3, run_compile, prepare_compile},
	{0},
};
