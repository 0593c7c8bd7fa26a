/* replies.h - Whether bytes for a client are RESP.
 *
 * Whatever came from it, and whatever peers said: else the client would take
 * one answer for another. */
#ifndef HF_TESTS_FUZZ_REPLIES_H
#define HF_TESTS_FUZZ_REPLIES_H

#include "base/bytes.h"

/* All of @out is whole RESP values, of version 2 or 3. Aborts otherwise. */
void replies_check(struct hf_slice out);

#endif
