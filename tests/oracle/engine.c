/* What is asked of an engine beside running: to choose badly (the words of --stress, as `doppel
 * run` takes them), and to show the host code it makes. */
#include <stdio.h>

#include "oracle.h"
#include "vm/vm.h"

bool oracle_stress(const char *list, struct engine_config *cfg)
{
	struct vm_config words = {.hot_threshold = cfg->hot_threshold};
	struct error err;

	if (vm_stress_words(list, &words, &err) < 0) {
		fprintf(stderr, "oracle: %s\n", err.text);
		return false;
	}
	cfg->stress = words.stress;
	cfg->stress_seed = words.stress_seed;
	cfg->hot_threshold = words.hot_threshold;
	cfg->max_block_insns = words.max_block_insns;
	return true;
}

static void print_line(void *opaque, const char *line)
{
	if (line[0] == ';' || line[0] == ' ') /* not the head of each block */
		fprintf(opaque, "%s\n", line);
}

void machine_print_host(const struct engine *how, const struct engine_config *with,
			const struct oracle_case *c, const uint8_t data[DATA_BYTES], FILE *f)
{
	struct engine_config cfg = *with;
	struct outcome *out = host_alloc(sizeof(*out));
	struct machine *m;

	cfg.dump = ENGINE_DUMP_HOST;
	cfg.has_dump_addr = true;
	cfg.dump_addr = c->code_at;
	cfg.dump_line = print_line;
	cfg.dump_host = vm_dump_host;
	cfg.dump_opaque = f;
	m = machine_create(how, &cfg);
	machine_run(m, c, data, out);
	machine_destroy(m);
	host_free(out);
}
