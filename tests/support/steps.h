/* steps.h - Commands as a client would type them, with their answers.
 *
 *   "+OK" ":1" "$text" "nil" "-ERR text"   simple replies
 *   "[$a nil]" "{$field $value}"           nested ones
 *
 * A step also says whether the command has effects: what changes nothing must
 * not be replicated. "WAIT ms" lets time pass. In a command, '' is an empty
 * argument. Sessions whose keys begin with "sess:" leave fences. */
#ifndef HF_TESTS_STEPS_H
#define HF_TESTS_STEPS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/command.h"
#include "core/expiry.h"
#include "support/failing_mem.h"

#define STEPS_ARGUMENTS_MAX 32
#define STEPS_VALUE_BYTES_MAX 100
#define STEPS_NOW 5000000

enum { READS, WRITES };

struct step {
    const char *command;
    const char *reply;
    int effects;
};

struct steps {
    struct failing_mem failing;
    struct hf_expiry expiry;
    struct hf_sessions sessions;
    struct hf_buffer effects;
    struct hf_buffer scratch;
    struct hf_buffer tokens;
    struct hf_buffer text;
    struct hf_fence_rules fences;
    struct hf_rng rng;
    hf_time now;
};

/* Setup and teardown of a cmocka test; *state is the struct steps. */
int steps_open(void **state);
int steps_close(void **state);

/* Splits @line; returns how many arguments there are. */
uint32_t steps_split(const char *line, struct hf_slice *argv);

/* What an apply function works on, with nothing done yet. */
struct hf_apply steps_apply(struct steps *f);

/* Runs a command on one key, or everywhere, and applies its effects; the reply
 * is then in f->text, and in *@effects whether there were any. */
void steps_ask(struct steps *f, const char *line, int *effects);

/* Runs all, and fails at the first with another answer. */
void steps_run(struct steps *f, const struct step *steps, size_t count);

#define STEPS(name, ...)                                                       \
    static void name(void **state)                                             \
    {                                                                          \
        static const struct step steps[] = {__VA_ARGS__};                      \
        steps_run(*state, steps, HF_ARRAY_COUNT(steps));                       \
    }

#define STEPS_CASE(name)                                                       \
    cmocka_unit_test_setup_teardown(name, steps_open, steps_close)

#endif
