/* glob.h - Patterns for keys, as SCAN MATCH takes them.
 *
 *   *       any bytes, also none       [abc] [a-z]  one of these bytes
 *   ?       any one byte               [^a]         any byte but these
 *   \x      x itself
 *
 * The last bracket may be missing; a backslash at the very end is itself.
 * Keys are bytes: no locale, no UTF-8. */
#ifndef HF_CORE_GLOB_H
#define HF_CORE_GLOB_H

#include "base/bytes.h"

/* Whether all of @text is what @pattern describes. Takes no memory and at most
 * pattern.size times text.size steps, whoever chose the pattern. */
bool hf_glob_matches(struct hf_slice pattern, struct hf_slice text);

#endif
