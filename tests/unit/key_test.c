/* key_test.c - What clients call a key, and what it is called inside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "core/command.h"
#include "core/fences.h"
#include "core/key.h"
#include "core/placement.h"

static void expect(struct hf_slice got, struct hf_slice wanted)
{
    assert_true(hf_slice_equal(got, wanted));
}

static struct hf_slice inside(uint8_t database, struct hf_slice text,
                              uint8_t *place)
{
    struct hf_slice key = hf_key_encode(database, text, place);
    expect(hf_key_text(key), text);
    assert_int_equal(hf_key_database(key), database);
    return key;
}

static void most_keys_are_the_same_inside(void **state)
{
    (void)state;
    const struct hf_slice same[] = {{NULL, 0},
                                    HF_SLICE_LITERAL("sess:1"),
                                    HF_SLICE_LITERAL(" "),
                                    HF_SLICE_LITERAL("\xff\x00")};
    uint8_t place[16];
    for (size_t i = 0; i < HF_ARRAY_COUNT(same); i++) {
        assert_ptr_equal(inside(0, same[i], place).data, same[i].data);
    }
}

static void others_have_their_database_in_front(void **state)
{
    (void)state;
    uint8_t place[16];
    expect(inside(0, HF_SLICE_LITERAL("\x1f"), place),
           HF_SLICE_LITERAL("\0\x1f"));
    expect(inside(0, HF_SLICE_LITERAL("\0a"), place),
           HF_SLICE_LITERAL("\0\0a"));
    expect(inside(1, HF_SLICE_LITERAL("a"), place), HF_SLICE_LITERAL("\1a"));
    expect(inside(15, (struct hf_slice){NULL, 0}, place),
           HF_SLICE_LITERAL("\x0f"));
    expect(inside(HF_DATABASE_OWN, HF_SLICE_LITERAL("\1b"), place),
           HF_SLICE_LITERAL("\x10\1b"));
}

/* What no client can have made, but a peer may say. */
static void no_key_inside_is_out_of_range(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        uint8_t bytes[2] = {(uint8_t)byte, 'x'};
        struct hf_slice key = {bytes, sizeof(bytes)};
        assert_true(hf_key_database(key) <= HF_DATABASE_OWN);
        assert_in_range(hf_key_text(key).size, 1, 2);
    }
}

static void a_key_is_in_one_partition_in_every_database(void **state)
{
    (void)state;
    struct hf_slice text = HF_SLICE_LITERAL("{cart}:7");
    uint8_t place[16];
    for (uint8_t i = 0; i <= HF_DATABASE_OWN; i++) {
        assert_int_equal(hf_partition_of_key(inside(i, text, place)),
                         hf_slot_of_key(text) / HF_SLOTS_PER_PARTITION);
    }
}

static void a_fence_prefix_is_meant_in_every_database(void **state)
{
    (void)state;
    struct hf_fence_rules rules;
    hf_fence_rules_init(&rules);
    assert_true(hf_fence_rules_add(&rules, HF_SLICE_LITERAL("sess:")));
    uint8_t place[16];
    struct hf_slice key = inside(3, HF_SLICE_LITERAL("sess:1"), place);
    assert_true(hf_fence_rules_match(&rules, key));
    key = inside(3, HF_SLICE_LITERAL("other"), place);
    assert_false(hf_fence_rules_match(&rules, key));
}

struct fixture {
    struct hf_mem mem;
    struct hf_buffer arena;
    struct hf_slice argv[5];
    struct hf_command command;
};

static void command_make(struct fixture *f, const char *a, const char *b,
                         const char *c, const char *d, const char *e)
{
    const char *const words[] = {a, b, c, d, e};
    f->command = (struct hf_command){.argv = f->argv, .located = true};
    for (size_t i = 0; i < HF_ARRAY_COUNT(words) && words[i] != NULL; i++) {
        f->argv[i] = hf_slice_text(words[i]);
        f->command.argc++;
    }
    f->command.row = hf_command_find(f->argv[0]);
    assert_non_null(f->command.row);
}

static void fixture_open(struct fixture *f)
{
    hf_mem_init_system(&f->mem);
    hf_buffer_init(&f->arena, &f->mem);
}

static void keys_and_nothing_else_are_encoded(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f);
    command_make(&f, "MSET", "a", "b", "c", "d");
    assert_true(hf_command_encode_keys(&f.command, 2, &f.arena));
    assert_int_equal(f.command.database, 2);
    assert_false(f.command.located);
    expect(f.command.argv[0], HF_SLICE_LITERAL("MSET"));
    expect(f.command.argv[1], HF_SLICE_LITERAL("\2a"));
    expect(f.command.argv[2], HF_SLICE_LITERAL("b"));
    expect(f.command.argv[3], HF_SLICE_LITERAL("\2c"));
    expect(f.command.argv[4], HF_SLICE_LITERAL("d"));

    command_make(&f, "DEL", "a", "\1", NULL, NULL);
    assert_true(hf_command_encode_keys(&f.command, 0, &f.arena));
    expect(f.command.argv[1], HF_SLICE_LITERAL("a"));
    expect(f.command.argv[2], HF_SLICE_LITERAL("\0\1"));

    command_make(&f, "FLUSHDB", NULL, NULL, NULL, NULL);
    assert_true(hf_command_encode_keys(&f.command, 9, &f.arena));
    assert_ptr_equal(f.command.argv, f.argv);
    assert_int_equal(f.command.database, 9);
    hf_buffer_close(&f.arena);
}

static void database_0_needs_no_memory(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f);
    command_make(&f, "MGET", "a", "b", "", NULL);
    assert_true(hf_command_encode_keys(&f.command, 0, &f.arena));
    assert_ptr_equal(f.command.argv, f.argv);
    assert_true(f.command.located);
    assert_null(f.arena.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(most_keys_are_the_same_inside),
        cmocka_unit_test(others_have_their_database_in_front),
        cmocka_unit_test(no_key_inside_is_out_of_range),
        cmocka_unit_test(a_key_is_in_one_partition_in_every_database),
        cmocka_unit_test(a_fence_prefix_is_meant_in_every_database),
        cmocka_unit_test(keys_and_nothing_else_are_encoded),
        cmocka_unit_test(database_0_needs_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
