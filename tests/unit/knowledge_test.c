#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/knowledge.h"

#define END HF_SESSIONS_END

static void wrote(struct hf_knowledge *k, hf_epoch epoch, uint64_t from,
                  uint64_t to)
{
    for (uint64_t sequence = from; sequence <= to; sequence++) {
        hf_knowledge_advance(k, (struct hf_version){epoch, sequence});
    }
}

static bool has(const struct hf_knowledge *k, hf_epoch epoch, uint64_t sequence,
                hf_epoch forked)
{
    struct hf_version version = {epoch, sequence};
    return hf_knowledge_has(k, version, 7, forked);
}

static void what_is_in_the_log_was_seen(void **state)
{
    (void)state;
    struct hf_knowledge k = {0};
    wrote(&k, 3, 1, 10);
    wrote(&k, 5, 11, 20);
    assert_true(has(&k, 3, 10, 5));
    assert_true(has(&k, 5, 20, 5));
    assert_false(has(&k, 3, 11, 5)); /* Lost, or written on another side. */
    assert_false(has(&k, 5, 21, 5));
    assert_false(has(&k, 6, 1, 5));
    assert_false(has(&k, 4, 9, 3)); /* Of a side that forked at 3. */
    /* Of a view that only those entered who went on with the first lineage:
     * what came out of a merge is in later epochs, but not of that one. */
    assert_false(has(&k, 4, 9, 5));
}

/* What began later than they parted says nothing of before. */
static void who_started_empty_has_seen_nothing_of_before(void **state)
{
    (void)state;
    struct hf_knowledge k = {0};
    wrote(&k, 9, 1, 500);
    assert_false(has(&k, 3, 10, 5));
    assert_false(has(&k, 5, 1, 5));
}

/* Many epochs later it is still known what both had when they parted, but of
 * no epoch after that what it was. */
static void the_past_is_common_after_many_epochs(void **state)
{
    (void)state;
    struct hf_knowledge k = {0};
    uint64_t at = 0;
    for (hf_epoch epoch = 10; epoch < 300; epoch += 2) {
        uint64_t count = epoch == 20 || epoch == 22 ? 100 : 3;
        wrote(&k, epoch, at + 1, at + count);
        at += count;
    }
    assert_int_equal(k.own_count, HF_OWN_EPOCHS_MAX);
    assert_true(has(&k, 20, 50, 22));
    assert_true(has(&k, 18, 10, 22)); /* Not remembered by itself. */
    assert_true(has(&k, 22, 200, 22));
    assert_false(has(&k, 23, 50, 22)); /* Of the side that parted at 22. */
    assert_false(has(&k, 22, at + 1, 22));
    assert_true(has(&k, 298, at, 22));
    /* A version taken over says itself that it is of no common past. */
    assert_false(hf_knowledge_has(
        &k, hf_version_taken((struct hf_version){17, 10}), 7, 22));
}

static void what_was_handed_over_was_seen(void **state)
{
    (void)state;
    struct hf_knowledge ours = {0};
    struct hf_knowledge fork = {0};
    wrote(&ours, 3, 1, 10);
    wrote(&fork, 3, 1, 10);
    wrote(&ours, 5, 11, 12);
    wrote(&fork, 6, 11, 30);
    assert_true(hf_knowledge_join(&ours, &fork, 0, END, 3));
    assert_true(has(&ours, 6, 30, 3));
    assert_false(has(&ours, 6, 31, 3));
    assert_int_equal(ours.seen_count, 1); /* The rest is our own, too. */
    /* And by way of us by others. */
    struct hf_knowledge third = {0};
    assert_true(hf_knowledge_join(&third, &ours, 0, END, 0));
    assert_true(has(&third, 6, 30, 0));
    assert_true(has(&third, 5, 12, 0));
}

/* A copy of a side that parted at 3 is taken up, as it is, by those who went on
 * beside it. What they had written and lost is of an epoch before some that the
 * copy has, and yet was not seen by it. */
static void what_a_lineage_takes_up_is_not_its_own(void **state)
{
    (void)state;
    struct hf_knowledge k = {0};
    wrote(&k, 3, 1, 10);
    wrote(&k, 6, 11, 30);
    assert_true(hf_knowledge_adopt(&k, 3));
    assert_int_equal(k.own_count, 1);
    wrote(&k, 9, 31, 40);
    assert_true(has(&k, 3, 10, 7));
    assert_true(has(&k, 6, 30, 7));
    assert_false(has(&k, 6, 31, 7));
    assert_false(has(&k, 4, 12, 7)); /* Theirs, of before the third parted. */
    assert_true(has(&k, 9, 40, 7));

    struct hf_knowledge many = {0};
    for (hf_epoch epoch = 1; epoch <= HF_OWN_EPOCHS_MAX; epoch++) {
        wrote(&many, epoch, epoch, epoch);
    }
    assert_false(hf_knowledge_adopt(&many, 0)); /* And says so. */
    assert_int_equal(many.own_count, 0);
    assert_int_equal(many.seen_count, HF_SEEN_MAX);
    assert_true(has(&many, HF_OWN_EPOCHS_MAX, HF_OWN_EPOCHS_MAX, 0));
}

static void pieces_are_known_by_hash(void **state)
{
    (void)state;
    struct hf_knowledge ours = {0};
    struct hf_knowledge one = {0};
    struct hf_knowledge other = {0};
    struct hf_version version = {6, 4};
    wrote(&one, 6, 1, 4);
    wrote(&other, 6, 1, 5); /* Another copy, which had one record more. */
    assert_true(hf_knowledge_join(&ours, &one, 0, 100, 3));
    assert_true(hf_knowledge_has(&ours, version, 99, 3));
    assert_false(hf_knowledge_has(&ours, version, 100, 3));
    assert_true(hf_knowledge_join(&ours, &other, 100, END, 3));
    assert_true(hf_knowledge_has(&ours, version, 100, 3));
    version.sequence = 5;
    assert_false(hf_knowledge_has(&ours, version, 99, 3));
    /* A gap is not closed by what comes behind it. */
    struct hf_knowledge empty = {0};
    assert_true(hf_knowledge_join(&empty, &one, 100, END, 3));
    assert_int_equal(empty.seen_count, 0);
}

static void too_many_lineages_are_forgotten_and_that_is_told(void **state)
{
    (void)state;
    struct hf_knowledge ours = {0};
    for (hf_epoch epoch = 1; epoch <= HF_SEEN_MAX; epoch++) {
        struct hf_knowledge fork = {0};
        wrote(&fork, epoch, 1, 2);
        assert_true(hf_knowledge_join(&ours, &fork, 0, END, 0));
    }
    struct hf_knowledge fork = {0};
    wrote(&fork, 1000, 1, 2);
    assert_false(hf_knowledge_join(&ours, &fork, 0, END, 0));
    assert_true(has(&ours, 1000, 2, 0));
    assert_false(has(&ours, 1, 2, 0));
    assert_int_equal(ours.seen_count, HF_SEEN_MAX);
}

static void it_travels_as_it_is(void **state)
{
    (void)state;
    struct hf_mem mem;
    hf_mem_init_system(&mem);
    struct hf_buffer bytes;
    hf_buffer_init(&bytes, &mem);
    struct hf_knowledge k = {0};
    struct hf_knowledge fork = {0};
    wrote(&k, 3, 1, 10);
    wrote(&fork, 6, 1, 4);
    assert_true(hf_knowledge_join(&k, &fork, 0, 100, 0));
    hf_knowledge_put(&bytes, &k);
    struct hf_slice slice = hf_buffer_slice(&bytes);
    struct hf_reader reader = hf_reader_of(slice);
    struct hf_knowledge read;
    assert_true(hf_knowledge_read(&reader, &read));
    assert_int_equal(hf_reader_left(&reader), 0);
    assert_memory_equal(&read, &k, sizeof(k));
    for (size_t size = 0; size < slice.size; size++) {
        reader = hf_reader_of((struct hf_slice){slice.data, size});
        assert_false(hf_knowledge_read(&reader, &read));
    }
    hf_buffer_clear(&bytes);
    hf_buffer_put_u8(&bytes, HF_SEEN_MAX + 1);
    reader = hf_reader_of(hf_buffer_slice(&bytes));
    assert_false(hf_knowledge_read_seen(&reader, &k));
    assert_int_equal(k.seen_count, 1);
    hf_buffer_close(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_in_the_log_was_seen),
        cmocka_unit_test(who_started_empty_has_seen_nothing_of_before),
        cmocka_unit_test(the_past_is_common_after_many_epochs),
        cmocka_unit_test(what_was_handed_over_was_seen),
        cmocka_unit_test(what_a_lineage_takes_up_is_not_its_own),
        cmocka_unit_test(pieces_are_known_by_hash),
        cmocka_unit_test(too_many_lineages_are_forgotten_and_that_is_told),
        cmocka_unit_test(it_travels_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
