/* The translator: compiles hot blocks of the IR to host code, leaves cold ones to the interpreter.
 */
#ifndef ENGINE_TRANSLATE_TRANSLATE_H
#define ENGINE_TRANSLATE_TRANSLATE_H

#include "engine/engine.h"

extern const struct engine engine_translate;

#endif
