/* All machine types; the first is the default. */
#include <string.h>

#include "machine/machine.h"
#include "machine/microvm/microvm.h"
#include "machine/pc/pc.h"

const struct machine_desc *const machine_registry[] = {
	&machine_pc,
	&machine_microvm,
	NULL,
};

const struct machine_desc *machine_find(const char *name)
{
	for (unsigned i = 0; machine_registry[i]; i++)
		if (strcmp(machine_registry[i]->name, name) == 0)
			return machine_registry[i];
	return NULL;
}
