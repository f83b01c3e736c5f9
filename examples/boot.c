/*
 * The smallest useful program on Doppel: boot a kernel, show its serial port, and say how it ended.
 *
 *	cc boot.c -o boot $(pkg-config --cflags --libs doppel)
 *	./boot bzImage [initrd [command line]]
 *
 * A machine is made from a configuration, started, and waited for. Everything it prints comes to a
 * callback on one of the machine's threads.
 */
#include <doppel/doppel.h>

#include <stdio.h>

/* Bytes the guest wrote to its first serial port. May be called from any of the machine's threads,
 * but never by two at a time. */
static void show(void *opaque, const uint8_t *bytes, size_t len)
{
	fwrite(bytes, 1, len, opaque);
	fflush(opaque);
}

int main(int argc, char **argv)
{
	struct doppel_config cfg;
	struct doppel_error err;
	struct doppel_result result;
	struct doppel_vm *vm;
	int status = 1;

	if (argc < 2) {
		fprintf(stderr, "usage: boot KERNEL [INITRD [COMMAND-LINE]]\n");
		return 2;
	}

	/* Whatever is not set keeps a sensible default: one CPU, 512 MiB, the best engine. */
	doppel_config_default(&cfg);
	cfg.kernel = argv[1];
	cfg.initrd = argc > 2 ? argv[2] : NULL;
	cfg.append = argc > 3 ? argv[3] : "console=ttyS0";
	cfg.console_output = show;
	cfg.opaque = stdout;

	/* Mistakes in the configuration are found here, each with one sentence for a person. */
	if (doppel_create(&vm, &cfg, &err) < 0) {
		fprintf(stderr, "boot: %s\n", err.text);
		return 1;
	}
	fprintf(stderr, "boot: engine %s\n", doppel_engine_name(vm));

	/* From here the machine runs on its own threads; this one waits for it to end. */
	if (doppel_start(vm, &err) < 0) {
		fprintf(stderr, "boot: %s\n", err.text);
	} else {
		doppel_wait(vm, -1, &result);
		if (result.end == DOPPEL_END_POWEROFF)
			status = 0;
		else if (result.end == DOPPEL_END_DEBUG_EXIT)
			fprintf(stderr, "boot: the guest said %u\n", result.code);
		else
			fprintf(stderr, "boot: %s\n", result.text);
	}

	doppel_destroy(vm);
	return status;
}
