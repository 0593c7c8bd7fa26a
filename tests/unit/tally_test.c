#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/tally.h"

static struct hf_mem mem;
static struct hf_tally tally;
static struct hf_buffer buffer;

static int tally_open(const char *word)
{
    const struct hf_slice argv[] = {HF_SLICE_LITERAL("PUBSUB"),
                                    hf_slice_text(word)};
    const struct hf_command command = {
        .row = hf_command_find(argv[0]), .argc = 2, .argv = argv};
    hf_mem_init_system(&mem);
    hf_buffer_init(&buffer, &mem);
    return hf_tally_init(&tally, &mem, &command) ? 0 : -1;
}

static void tally_end(void)
{
    hf_tally_close(&tally);
    hf_buffer_close(&buffer);
    assert_int_equal(mem.used_bytes, 0);
}

/* What a node answers that has these channels, ended by NULL. */
static void add(const char *const *names)
{
    uint32_t count = 0;
    while (names[count] != NULL) {
        count++;
    }
    hf_buffer_clear(&buffer);
    hf_reply_put_array(&buffer, count);
    for (uint32_t i = 0; i < count; i++) {
        hf_reply_put_bulk(&buffer, hf_slice_text(names[i]));
    }
    const struct hf_reply reply = hf_reply_nested(&buffer);
    hf_tally_add(&tally, &reply);
}

static void add_three_nodes(void)
{
    add((const char *const[]){"b", "", "own", NULL});
    add((const char *const[]){NULL});
    add((const char *const[]){"a", "own", "b", "longer", NULL});
    add((const char *const[]){"", "own", NULL});
}

static void each_name_comes_once(void **state)
{
    (void)state;
    static const char *const wanted[] = {"a", "b", "own", "longer", ""};
    unsigned seen[HF_ARRAY_COUNT(wanted)] = {0};
    assert_int_equal(tally_open("channels"), 0);
    add_three_nodes();
    hf_buffer_clear(&buffer);
    struct hf_reply reply = hf_tally_reply(&tally, &buffer);
    assert_int_equal(reply.kind, HF_REPLY_NESTED);
    struct hf_reader reader = hf_reader_of(reply.bytes);
    struct hf_token token;
    assert_true(hf_token_next(&reader, &token));
    assert_int_equal(token.kind, HF_TOKEN_ARRAY);
    assert_int_equal(token.count, HF_ARRAY_COUNT(wanted));
    while (hf_token_next(&reader, &token)) {
        for (size_t i = 0; i < HF_ARRAY_COUNT(wanted); i++) {
            seen[i] +=
                hf_slice_equal(token.bytes, hf_slice_text(wanted[i])) ? 1 : 0;
        }
    }
    for (size_t i = 0; i < HF_ARRAY_COUNT(wanted); i++) {
        assert_int_equal(seen[i], 1);
    }
    tally_end();
}

static void different_names_are_counted(void **state)
{
    (void)state;
    assert_int_equal(tally_open("numpat"), 0);
    hf_buffer_clear(&buffer);
    assert_int_equal(hf_tally_reply(&tally, &buffer).integer, 0);
    add_three_nodes();
    hf_buffer_clear(&buffer);
    struct hf_reply reply = hf_tally_reply(&tally, &buffer);
    assert_int_equal(reply.kind, HF_REPLY_INTEGER);
    assert_int_equal(reply.integer, 5);
    tally_end();
}

/* Two nodes with the same ones, of all sizes of the table and its bounds. */
static void any_number_of_names_is_taken(void **state)
{
    (void)state;
    enum { MANY = 300 };
    static char texts[MANY][8];
    static const char *names[MANY + 1];
    for (unsigned count = 0; count <= MANY; count++) {
        assert_int_equal(tally_open("numpat"), 0);
        for (unsigned i = 0; i < count; i++) {
            (void)snprintf(texts[i], sizeof(texts[i]), "%u", i);
            names[i] = texts[i];
        }
        names[count] = NULL;
        add(names);
        add(names);
        hf_buffer_clear(&buffer);
        assert_int_equal(hf_tally_reply(&tally, &buffer).integer, count);
        tally_end();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_name_comes_once),
        cmocka_unit_test(different_names_are_counted),
        cmocka_unit_test(any_number_of_names_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
