/*
 * The words of --stress: legal choices made badly on purpose, to find bugs in engines. "hot=N" sets
 * when code counts as hot, "random-regs=SEED" what the random choices start from.
 */
#include "vm/vm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int set_one_insn(struct vm_config *c, uint64_t value)
{
	c->max_block_insns = 1;
	return 0;
}

static int set_hot(struct vm_config *c, uint64_t value)
{
	if (value == 0 || value > INT32_MAX)
		return -ERANGE;
	c->hot_threshold = (unsigned)value;
	return 0;
}

static int set_seed(struct vm_config *c, uint64_t value)
{
	c->stress_seed = value;
	return 0;
}

enum value { VALUE_NONE, VALUE_MAY, VALUE_MUST };

static const struct {
	const char *name, *text;
	enum value takes;
	uint32_t bit;
	int (*set)(struct vm_config *c, uint64_t value); /* or NULL */
	uint64_t value;					 /* where none was given */
} words[] = {
	{"one-insn", "blocks of one instruction", VALUE_NONE, 0, set_one_insn, 0},
	{"tiny-cache", "code memory that is full again and again", VALUE_NONE,
	 ENGINE_STRESS_TINY_CACHE, NULL, 0},
	{"no-chain", "blocks never jump to each other", VALUE_NONE, ENGINE_STRESS_NO_CHAIN, NULL,
	 0},
	{"random-regs", "host registers chosen at random; =SEED", VALUE_MAY,
	 ENGINE_STRESS_RANDOM_REGS, set_seed, 1},
	{"no-trace", "blocks never grow into traces", VALUE_NONE, ENGINE_STRESS_NO_TRACE, NULL, 0},
	{"hot", "translate a block at its N-th execution: hot=N", VALUE_MUST, 0, set_hot, 0},
	{"translate-all", "interpret nothing that can be translated: hot=1", VALUE_NONE, 0, set_hot,
	 1},
};

const char *vm_stress_name(unsigned index, const char **text)
{
	if (index >= ARRAY_LEN(words))
		return NULL;
	*text = words[index].text;
	return words[index].name;
}

static bool parse_value(const char *text, uint64_t *out)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*out = strtoull(text, &end, 0);
	return *end == 0 && errno == 0;
}

int vm_stress_set(struct vm_config *c, const char *name, const char *value, struct error *err)
{
	unsigned i = 0;
	uint64_t v;

	while (i < ARRAY_LEN(words) && strcmp(words[i].name, name) != 0)
		i++;
	if (i == ARRAY_LEN(words))
		return -ENOENT;
	if (value && words[i].takes == VALUE_NONE)
		return error_set(err, -EINVAL, "stress: %s takes no value", name);
	if (!value && words[i].takes == VALUE_MUST)
		return error_set(err, -EINVAL, "stress: %s needs a number: %s=1", name, name);
	v = words[i].value;
	if (value && !parse_value(value, &v))
		return error_set(err, -EINVAL, "stress: %s=%s: not a number", name, value);
	if (words[i].set && words[i].set(c, v) < 0)
		return error_set(err, -EINVAL, "stress: %s=%s: must be 1 to %d", name, value,
				 INT32_MAX);
	c->stress |= words[i].bit;
	return 0;
}
