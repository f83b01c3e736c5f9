/* Lockstep: two engines run the same CPU, and are compared as they go. */
#ifndef ENGINE_LOCKSTEP_LOCKSTEP_H
#define ENGINE_LOCKSTEP_LOCKSTEP_H

#include "engine/engine.h"

/* Wants engine_config.pair, one thread for all CPUs, and interrupts that come from the CPUs' own
 * accesses or between two calls of run(): the counted clock. */
extern const struct engine engine_lockstep;

#endif
