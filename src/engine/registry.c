/* All engines, in the order `auto` tries them. */
#include <string.h>

#include "engine/engine.h"
#include "engine/interpret/interpret.h"
#include "engine/lockstep/lockstep.h"
#include "engine/translate/translate.h"

const struct engine *const engine_registry[] = {
	&engine_translate,
	&engine_interpret,
	&engine_lockstep, /* last: never the best */
	NULL,
};

const struct engine *engine_find(const char *name)
{
	for (unsigned i = 0; engine_registry[i]; i++)
		if (strcmp(engine_registry[i]->name, name) == 0)
			return engine_registry[i];
	return NULL;
}
