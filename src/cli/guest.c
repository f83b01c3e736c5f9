/* The default guest: vmlinuz and initrd.img, built by `make guest`, looked for in three places. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/options.h"

/* GUEST_BUILD_DIR: guest/ in the source tree this was built from; set by the build. */

static char *join(const char *dir, const char *sub, const char *file)
{
	char *path;

	return asprintf(&path, "%s%s/%s", dir, sub, file) < 0 ? NULL : path;
}

static bool try_dir(const char *dir, const char *sub, char **kernel, char **initrd)
{
	if (!dir || !*dir)
		return false;
	*kernel = join(dir, sub, "vmlinuz");
	*initrd = join(dir, sub, "initrd.img");
	if (*kernel && *initrd && access(*kernel, R_OK) == 0 && access(*initrd, R_OK) == 0)
		return true;
	free(*kernel);
	free(*initrd);
	*kernel = *initrd = NULL;
	return false;
}

bool guest_find(char **kernel, char **initrd)
{
	const char *chosen = getenv("DOPPEL_GUEST_DIR"), *data = getenv("XDG_DATA_HOME");

	if (chosen && *chosen)
		return try_dir(chosen, "", kernel, initrd);
	if (try_dir(GUEST_BUILD_DIR, "", kernel, initrd))
		return true;
	if (data && *data)
		return try_dir(data, "/doppel", kernel, initrd);
	return try_dir(getenv("HOME"), "/.local/share/doppel", kernel, initrd);
}
