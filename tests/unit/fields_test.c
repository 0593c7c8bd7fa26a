#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "support/messages.h"
#include "wire/fields.h"

/* Where things are in an encoded view: epoch, base, cluster and when it was
 * founded go before. */
#define BACKUPS_AT 32
#define POLICY_AT 33
#define LINEAGES_AT 34
#define COUNT_AT (35 + 3 * 24) /* Behind three lineages. */
#define EMPTY 0x80             /* In the count of copies; */
#define AWAITED 0x40           /* and this. */

struct fixture {
    struct hf_mem mem;
    struct hf_buffer out;
    struct hf_view view; /* Three members, two copies; for spoiling. */
    struct hf_view good; /* The same. */
    struct hf_view read;
};

static int open_fixture(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    if (f == NULL) {
        return -1;
    }
    hf_mem_init_system(&f->mem);
    hf_buffer_init(&f->out, &f->mem);
    messages_fill_view(&f->good, 3, 2, false);
    f->view = f->good;
    *state = f;
    return 0;
}

static int close_fixture(void **state)
{
    struct fixture *f = *state;
    hf_buffer_close(&f->out);
    size_t used = f->mem.used_bytes;
    free(f);
    return used == 0 ? 0 : -1;
}

static void encode_view(struct fixture *f, const struct hf_view *view)
{
    hf_buffer_clear(&f->out);
    hf_field_put_view(&f->out, view);
    assert_false(f->out.failed);
}

/* From a copy of exactly that size, for the address sanitizer. */
static bool decode_view(struct fixture *f, size_t size)
{
    uint8_t *copy = malloc(size + 1);
    assert_non_null(copy);
    memcpy(copy + 1, f->out.data, size); /* On no boundary. */
    struct hf_reader reader = {.data = copy + 1, .size = size};
    bool taken = hf_field_read_view(&reader, &f->read);
    assert_true(!taken || hf_reader_left(&reader) == 0);
    free(copy);
    return taken;
}

/* Whether f->view may come from a peer; restores it. */
static bool view_is_taken(struct fixture *f)
{
    encode_view(f, &f->view);
    f->view = f->good;
    return decode_view(f, f->out.size);
}

static bool view_is_taken_with(struct fixture *f, size_t at, uint8_t value)
{
    encode_view(f, &f->good);
    f->out.data[at] = value;
    return decode_view(f, f->out.size);
}

/* Views are kept and compared as memory: a shorter text must not leave bytes
 * of a longer one behind. */
static void a_view_comes_back_as_the_same_memory(void **state)
{
    struct fixture *f = *state;
    memset(&f->read, 0xee, sizeof(f->read));
    messages_fill_view(&f->view, HF_MEMBERS_MAX, HF_COPIES_MAX, true);
    encode_view(f, &f->view);
    assert_true(decode_view(f, f->out.size));
    assert_memory_equal(&f->read, &f->view, sizeof(f->view));
    messages_fill_view(&f->view, 1, 1, false);
    encode_view(f, &f->view);
    assert_true(decode_view(f, f->out.size));
    assert_memory_equal(&f->read, &f->view, sizeof(f->view));
}

static void a_view_cut_anywhere_is_refused(void **state)
{
    struct fixture *f = *state;
    encode_view(f, &f->good);
    for (size_t size = 0; size < f->out.size; size++) {
        assert_false(decode_view(f, size));
    }
    assert_true(decode_view(f, f->out.size));
}

static void a_view_has_a_policy_and_lineages(void **state)
{
    struct fixture *f = *state;
    assert_true(view_is_taken_with(f, POLICY_AT, HF_POLICY_AVAILABLE));
    assert_false(view_is_taken_with(f, POLICY_AT, HF_POLICY_AVAILABLE + 1));
    assert_false(view_is_taken_with(f, LINEAGES_AT, 0));
    assert_false(view_is_taken_with(f, LINEAGES_AT, HF_LINEAGES_MAX + 1));
    assert_true(view_is_taken_with(f, LINEAGES_AT, 3));
}

static void the_number_of_members_is_bounded(void **state)
{
    struct fixture *f = *state;
    static const uint8_t bad[] = {0, 1, 2, 4, HF_MEMBERS_MAX + 1, 255};
    for (size_t i = 0; i < sizeof(bad); i++) {
        assert_false(view_is_taken_with(f, COUNT_AT, bad[i]));
    }
    assert_true(view_is_taken_with(f, COUNT_AT, 3));
}

/* 65 members that are all sound, so that only their number is wrong. */
static void one_member_too_many_is_refused(void **state)
{
    struct fixture *f = *state;
    messages_fill_view(&f->view, HF_MEMBERS_MAX, 1, false);
    hf_buffer_put_u64(&f->out, f->view.epoch);
    hf_buffer_put_u64(&f->out, f->view.base);
    hf_buffer_put_u64(&f->out, f->view.cluster);
    hf_buffer_put_u64(&f->out, f->view.founded_ms);
    hf_buffer_put_u8(&f->out, f->view.backups);
    hf_buffer_put_u8(&f->out, HF_MEMBERS_MAX + 1);
    hf_buffer_put_u64(&f->out, f->view.absent);
    hf_buffer_put_u64(&f->out, f->view.leaving);
    for (size_t i = 0; i < HF_MEMBERS_MAX; i++) {
        hf_field_put_info(&f->out, &f->view.members[i]);
    }
    struct hf_peer_info extra = f->view.members[0];
    memcpy(extra.name, "extra", 6);
    extra.id = hf_hash(hf_slice_text(extra.name));
    hf_field_put_info(&f->out, &extra);
    for (size_t i = 0; i < HF_PARTITION_COUNT; i++) {
        hf_buffer_put_u16(&f->out, 1); /* A count of 1 and index 0. */
    }
    assert_false(decode_view(f, f->out.size));
}

static void the_number_of_backups_is_bounded(void **state)
{
    struct fixture *f = *state;
    assert_true(view_is_taken_with(f, BACKUPS_AT, 0));
    assert_true(view_is_taken_with(f, BACKUPS_AT, HF_BACKUPS_MAX));
    assert_false(view_is_taken_with(f, BACKUPS_AT, HF_BACKUPS_MAX + 1));
    assert_false(view_is_taken_with(f, BACKUPS_AT, 255));
}

static void the_number_of_copies_is_bounded(void **state)
{
    struct fixture *f = *state;
    encode_view(f, &f->good);
    size_t last = f->out.size - 3; /* A count and two indexes. */
    assert_true(view_is_taken_with(f, last, 2));
    assert_false(view_is_taken_with(f, last, 0));
    assert_false(view_is_taken_with(f, last, 3));
    assert_false(view_is_taken_with(f, last, HF_COPIES_MAX + 1));

    messages_fill_view(&f->view, 9, HF_COPIES_MAX, false);
    encode_view(f, &f->view);
    assert_true(decode_view(f, f->out.size));
    last = f->out.size - HF_COPIES_MAX - 1;
    f->out.data[last] = HF_COPIES_MAX + 1;
    for (uint8_t i = 0; i <= HF_COPIES_MAX; i++) {
        if (i == HF_COPIES_MAX) {
            hf_buffer_put_u8(&f->out, i);
        } else {
            f->out.data[last + 1 + i] = i;
        }
    }
    assert_false(decode_view(f, f->out.size));
}

/* Said by the highest bit of the count, which does not lift its bounds. */
static void a_lost_partition_is_said_to_be_empty(void **state)
{
    struct fixture *f = *state;
    encode_view(f, &f->good);
    size_t last = f->out.size - 3; /* A count and two indexes. */
    assert_true(view_is_taken_with(f, last, EMPTY | 2));
    assert_true(f->read.acting[HF_PARTITION_COUNT - 1].empty);
    assert_int_equal(f->read.acting[HF_PARTITION_COUNT - 1].count, 2);
    assert_true(view_is_taken_with(f, last, 2));
    assert_false(f->read.acting[HF_PARTITION_COUNT - 1].empty);
    assert_false(view_is_taken_with(f, last, EMPTY));
    assert_false(view_is_taken_with(f, last, EMPTY | 3));
    assert_false(view_is_taken_with(f, last, EMPTY | (HF_COPIES_MAX + 1)));
    assert_true(view_is_taken_with(f, last, AWAITED | 2));
    assert_false(f->read.acting[HF_PARTITION_COUNT - 1].empty);
    assert_true(f->read.acting[HF_PARTITION_COUNT - 1].awaited);
    assert_false(view_is_taken_with(f, last, AWAITED | 3));
    assert_false(view_is_taken_with(f, last, 0x20 | 2));
}

static void a_copy_is_a_member(void **state)
{
    struct fixture *f = *state;
    f->view.acting[500].members[1] = 3;
    assert_false(view_is_taken(f));
    f->view.acting[500].members[1] = 64; /* Shifting by that is undefined. */
    assert_false(view_is_taken(f));
    f->view.acting[500].members[0] = 255;
    assert_false(view_is_taken(f));
    assert_true(view_is_taken(f));
}

static void a_copy_counts_once(void **state)
{
    struct fixture *f = *state;
    f->view.acting[1023].members[1] = f->view.acting[1023].members[0];
    assert_false(view_is_taken(f));
}

static void a_partition_without_a_copy_is_refused(void **state)
{
    struct fixture *f = *state;
    f->view.acting[0].count = 0;
    assert_false(view_is_taken(f));
}

static void a_member_is_there_once(void **state)
{
    struct fixture *f = *state;
    f->view.members[2] = f->view.members[0];
    assert_false(view_is_taken(f));
    f->view.members[2] = f->view.members[0];
    f->view.members[2].incarnation++;
    assert_false(view_is_taken(f));
}

static void rename_member(struct hf_peer_info *info, const char *name)
{
    memset(info->name, 0, sizeof(info->name));
    memcpy(info->name, name, strlen(name));
    info->id = hf_hash(hf_slice_text(info->name));
}

static void a_member_has_a_name_and_its_id(void **state)
{
    struct fixture *f = *state;
    f->view.members[1].id++;
    assert_false(view_is_taken(f));
    rename_member(&f->view.members[1], "");
    assert_false(view_is_taken(f));
    rename_member(&f->view.members[1], "two\nlines");
    assert_false(view_is_taken(f));
    rename_member(&f->view.members[1], "d\303\251j\303\240");
    assert_true(view_is_taken(f));
}

static void a_member_has_an_incarnation_and_ports(void **state)
{
    struct fixture *f = *state;
    f->view.members[1].incarnation = 0;
    assert_false(view_is_taken(f));
    f->view.members[1].peer_port = 0;
    assert_false(view_is_taken(f));
    f->view.members[1].client_port = 0;
    assert_false(view_is_taken(f));
}

static void a_member_has_texts_fit_for_a_log(void **state)
{
    struct fixture *f = *state;
    f->view.members[1].label[0] = '\t';
    assert_false(view_is_taken(f));
    f->view.members[1].host[3] = 127;
    assert_false(view_is_taken(f));
    memset(f->view.members[1].label, 0, sizeof(f->view.members[1].label));
    assert_true(view_is_taken(f));
}

static void a_text_fits_and_holds_no_zero_byte(void **state)
{
    (void)state;
    const struct {
        struct hf_slice bytes;
        bool fits;
    } cases[] = {
        {HF_SLICE_LITERAL("\0"), true},
        {HF_SLICE_LITERAL("\7seven b"), true},
        {HF_SLICE_LITERAL("\7seven"), false},
        {HF_SLICE_LITERAL("\10eight by"), false},
        {HF_SLICE_LITERAL("\3a\0b"), false},
        {HF_SLICE_LITERAL("\3ab\0"), false},
        {HF_SLICE_LITERAL("\3a\33b"), false},
        {HF_SLICE_LITERAL(""), false},
    };
    char text[8];
    for (size_t i = 0; i < HF_ARRAY_COUNT(cases); i++) {
        struct hf_reader reader = hf_reader_of(cases[i].bytes);
        assert_int_equal(hf_field_read_text(&reader, text, sizeof(text)),
                         cases[i].fits);
    }
    memset(text, 'x', sizeof(text));
    assert_false(hf_field_text_is_sound(text, sizeof(text)));
}

#define STORY(function)                                                        \
    cmocka_unit_test_setup_teardown(function, open_fixture, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(a_view_comes_back_as_the_same_memory),
        STORY(a_view_cut_anywhere_is_refused),
        STORY(a_view_has_a_policy_and_lineages),
        STORY(the_number_of_members_is_bounded),
        STORY(one_member_too_many_is_refused),
        STORY(the_number_of_backups_is_bounded),
        STORY(the_number_of_copies_is_bounded),
        STORY(a_lost_partition_is_said_to_be_empty),
        STORY(a_copy_is_a_member),
        STORY(a_copy_counts_once),
        STORY(a_partition_without_a_copy_is_refused),
        STORY(a_member_is_there_once),
        STORY(a_member_has_a_name_and_its_id),
        STORY(a_member_has_an_incarnation_and_ports),
        STORY(a_member_has_texts_fit_for_a_log),
        cmocka_unit_test(a_text_fits_and_holds_no_zero_byte),
    };
    return cmocka_run_group_tests_name("fields", tests, NULL, NULL);
}
