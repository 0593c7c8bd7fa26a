/* assert.h - Checks of our own reasoning, never compiled out.
 *
 * A failed HF_ASSERT is a bug in Holdfast: the process stops, because a
 * backup can replace a node but nobody can replace a wrong answer. Never use
 * it on anything a client, a peer or a file said. */
#ifndef HF_BASE_ASSERT_H
#define HF_BASE_ASSERT_H

#define HF_ASSERT(condition)                                                   \
    ((condition) ? (void)0 : hf_assert_failed(#condition, __FILE__, __LINE__))

/* Says what failed on stderr and aborts. */
_Noreturn void hf_assert_failed(const char *condition, const char *file,
                                int line);

#endif
