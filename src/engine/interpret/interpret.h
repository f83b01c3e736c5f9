/* The interpreter: carries out lifted blocks one operation at a time. */
#ifndef ENGINE_INTERPRET_INTERPRET_H
#define ENGINE_INTERPRET_INTERPRET_H

#include "engine/engine.h"

extern const struct engine engine_interpret;

#endif
