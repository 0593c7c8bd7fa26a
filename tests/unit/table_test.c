#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "core/effects.h"
#include "core/sessions.h"
#include "support/failing_mem.h"

#define TABLES 64
#define FEW 300
#define MANY 2000

struct fixture {
    struct failing_mem failing;
    struct hf_sessions sessions[TABLES];
    struct hf_buffer effects;
};

static struct fixture f;

static int open_fixture(void **state)
{
    (void)state;
    failing_mem_init(&f.failing);
    for (uint16_t i = 0; i < TABLES; i++) {
        hf_sessions_init(&f.sessions[i], &f.failing.mem, NULL, i);
    }
    hf_buffer_init(&f.effects, &f.failing.mem);
    hf_effects_put(&f.effects, HF_SLICE_LITERAL("v"), HF_TTL_NONE);
    return 0;
}

static int close_fixture(void **state)
{
    (void)state;
    for (unsigned i = 0; i < TABLES; i++) {
        hf_sessions_clear(&f.sessions[i]);
    }
    hf_buffer_close(&f.effects);
    failing_mem_close(&f.failing);
    return 0;
}

/* One more in each. How many of them grew for it. */
static unsigned put_everywhere(unsigned number)
{
    unsigned grew = 0;
    for (unsigned i = 0; i < TABLES; i++) {
        char text[24];
        (void)snprintf(text, sizeof(text), "key %u of %u", number, i);
        struct hf_slice key = hf_slice_text(text);
        uint32_t moves = f.sessions[i].table.moves;
        assert_int_equal(hf_sessions_apply(&f.sessions[i], key,
                                           hf_sessions_hash(key),
                                           (struct hf_version){1, 1},
                                           hf_buffer_slice(&f.effects), 0),
                         0);
        grew += f.sessions[i].table.moves != moves ? 1 : 0;
    }
    return grew;
}

/* Partitions fill evenly, and to make a table larger takes a while: when they
 * all have a few in a hundred more, only some of them may do that. */
static void tables_that_fill_evenly_do_not_grow_together(void **state)
{
    (void)state;
    unsigned grew = 0;
    unsigned next = FEW;
    for (unsigned number = 0; number < MANY; number++) {
        grew += put_everywhere(number);
        if (number == next) {
            assert_true(number == FEW || grew < TABLES / 2);
            next += next / 30;
            grew = 0;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            tables_that_fill_evenly_do_not_grow_together, open_fixture,
            close_fixture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
