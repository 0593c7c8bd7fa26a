#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/hash.h"
#include "base/rng.h"
#include "core/placement.h"
#include "support/placement_stats.h"

#define SIZE_LAST 32 /* The largest cluster whose balance is promised. */
#define ROUNDS 100

static struct placement_stats stats[HF_MEMBERS_MAX];
static struct hf_owners table[HF_PARTITION_COUNT];
static struct hf_owners other[HF_PARTITION_COUNT];

static uint16_t slot(const char *key)
{
    return hf_slot_of_key(hf_slice_text(key));
}

static void make_members(struct hf_placement_member *members, size_t count,
                         size_t labels, struct hf_rng *rng)
{
    for (size_t m = 0; m < count; m++) {
        members[m] = (struct hf_placement_member){hf_rng_next(rng), m % labels};
    }
}

static void keys_have_the_slots_of_redis_cluster(void **state)
{
    (void)state;
    assert_int_equal(slot("123456789"), 0x31C3 % HF_SLOT_COUNT);
    assert_int_equal(slot("foo"), 12182);
    assert_int_equal(slot("{user1000}.following"), 3443);
    assert_int_equal(slot("{user1000}.followers"), 3443);
    assert_int_equal(slot(""), 0);
}

/* CRC16/XMODEM, bit by bit. */
static uint16_t crc16_slowly(const uint8_t *bytes, size_t size)
{
    uint32_t crc = 0;
    for (size_t i = 0; i < 8 * size; i++) {
        uint32_t bit = (uint32_t)bytes[i / 8] >> (7 - i % 8) & 1;
        crc = crc << 1 ^ ((crc >> 15 ^ bit) != 0 ? 0x1021 : 0);
        crc &= 0xffff;
    }
    return (uint16_t)crc;
}

static void slots_are_checksums_of_keys_of_any_length(void **state)
{
    (void)state;
    struct hf_rng rng;
    uint8_t key[40];
    hf_rng_init(&rng, 1);
    for (size_t round = 0; round < 100 * sizeof(key); round++) {
        size_t size = 1 + round % sizeof(key);
        for (size_t i = 0; i < size; i++) {
            key[i] = (uint8_t)hf_rng_below(&rng, 256);
            key[i] ^= key[i] == '{' ? 1 : 0; /* No tag. */
        }
        assert_int_equal(hf_slot_of_key((struct hf_slice){key, size}),
                         crc16_slowly(key, size) % HF_SLOT_COUNT);
    }
}

static void only_the_first_tag_that_is_not_empty_counts(void **state)
{
    (void)state;
    assert_int_equal(slot("foo{bar}{zap}"), slot("bar"));
    assert_int_equal(slot("foo{{bar}}zap"), slot("{bar"));
    assert_int_equal(slot("}foo{bar}"), slot("bar"));
    assert_int_equal(slot("{bar}"), slot("bar"));
    assert_int_not_equal(slot("foo{}{bar}"), slot("bar"));
    assert_int_not_equal(slot("foo{}{bar}"), slot(""));
    assert_int_not_equal(slot("foo{bar"), slot("bar"));
    assert_int_not_equal(slot("foo{bar"), slot("foo"));
    assert_int_not_equal(slot("foo{"), slot("foo"));
}

static void keys_may_hold_zeros(void **state)
{
    (void)state;
    struct hf_slice tagged = HF_SLICE_LITERAL("a\0{b\0c}\0d");
    struct hf_slice tag = HF_SLICE_LITERAL("b\0c");
    assert_int_equal(hf_slot_of_key(tagged), hf_slot_of_key(tag));
    assert_int_not_equal(hf_slot_of_key(tag), slot("b"));
}

static void a_partition_is_sixteen_neighbouring_slots(void **state)
{
    (void)state;
    assert_int_equal(hf_partition_of_key(HF_SLICE_LITERAL("foo")), 12182 / 16);
    assert_int_equal(hf_partition_of_key((struct hf_slice){NULL, 0}), 0);
}

static void a_single_node_owns_everything(void **state)
{
    (void)state;
    struct hf_placement_member alone = {7, 1};
    hf_placement_compute(&alone, 1, HF_BACKUPS_MAX, table);
    for (size_t p = 0; p < HF_PARTITION_COUNT; p++) {
        assert_int_equal(table[p].count, 1);
        assert_int_equal(table[p].members[0], 0);
    }
}

static void owners_are_different_nodes_and_as_many_as_there_can_be(void **state)
{
    (void)state;
    struct hf_rng rng;
    hf_rng_init(&rng, 2);
    for (size_t size = 1; size <= HF_MEMBERS_MAX; size++) {
        struct hf_placement_member members[HF_MEMBERS_MAX];
        make_members(members, size, 1, &rng);
        for (unsigned backups = 0; backups <= HF_BACKUPS_MAX; backups++) {
            hf_placement_compute(members, size, backups, table);
            size_t expected = size < 1 + backups ? size : 1 + backups;
            for (size_t p = 0; p < HF_PARTITION_COUNT; p++) {
                uint64_t seen = 0;
                assert_int_equal(table[p].count, expected);
                for (size_t i = 0; i < expected; i++) {
                    assert_true(table[p].members[i] < size);
                    seen |= (uint64_t)1 << table[p].members[i];
                }
                assert_int_equal(__builtin_popcountll(seen), expected);
            }
        }
    }
}

static void the_order_of_the_members_does_not_matter(void **state)
{
    (void)state;
    struct hf_rng rng;
    hf_rng_init(&rng, 3);
    for (size_t size = 2; size <= HF_MEMBERS_MAX; size += 7) {
        struct hf_placement_member members[HF_MEMBERS_MAX];
        struct hf_placement_member shuffled[HF_MEMBERS_MAX];
        make_members(members, size, 1 + size / 3, &rng);
        memcpy(shuffled, members, sizeof(members[0]) * size);
        for (size_t left = size; left > 1; left--) {
            size_t chosen = hf_rng_below(&rng, left);
            struct hf_placement_member member = shuffled[chosen];
            shuffled[chosen] = shuffled[left - 1];
            shuffled[left - 1] = member;
        }
        hf_placement_compute(members, size, 2, table);
        hf_placement_compute(shuffled, size, 2, other);
        for (size_t p = 0; p < HF_PARTITION_COUNT; p++) {
            for (size_t i = 0; i < table[p].count; i++) {
                assert_true(members[table[p].members[i]].id ==
                            shuffled[other[p].members[i]].id);
            }
        }
    }
}

/* Nodes of different versions must agree on the table: a change of it is a
 * change of the protocol. */
static void the_table_is_the_same_in_every_version(void **state)
{
    (void)state;
    struct hf_placement_member members[5];
    struct hf_rng rng;
    hf_rng_init(&rng, 4);
    make_members(members, 5, 3, &rng);
    hf_placement_compute(members, 5, 2, table);
    struct hf_slice bytes = {(const uint8_t *)table, sizeof(table)};
    assert_int_equal(hf_hash(bytes), 0x8eb3e1a218bb145c);
}

static int collect(void **state)
{
    (void)state;
    placement_stats_collect(stats, SIZE_LAST, 1, ROUNDS, 1);
    return 0;
}

static void the_most_loaded_node_is_at_most_a_tenth_above_the_mean(void **state)
{
    (void)state;
    for (size_t size = 3; size <= SIZE_LAST; size++) {
        uint64_t primaries = placement_stats_permille(stats[size].primaries_max,
                                                      HF_PARTITION_COUNT, size);
        uint64_t copies = placement_stats_permille(
            stats[size].copies_max, 2 * HF_PARTITION_COUNT, size);
        assert_in_range(primaries, 1000, 1100);
        assert_in_range(copies, 1000, 1100);
    }
}

static void little_more_moves_than_has_to_when_a_node_joins(void **state)
{
    (void)state;
    for (size_t size = 3; size <= SIZE_LAST; size++) {
        assert_true(stats[size].join_due > 0);
        assert_in_range(stats[size].join_moved * 1000 / stats[size].join_due,
                        900, 1150);
    }
}

static void little_more_moves_than_has_to_when_a_node_leaves(void **state)
{
    (void)state;
    for (size_t size = 3; size <= SIZE_LAST; size++) {
        assert_true(stats[size].leave_due > 0);
        assert_in_range(stats[size].leave_moved * 1000 / stats[size].leave_due,
                        1000, 1150);
    }
}

static void the_heir_of_a_dead_primary_is_its_first_backup(void **state)
{
    (void)state;
    for (size_t size = 3; size <= SIZE_LAST; size++) {
        assert_true(stats[size].heirs > 0);
        assert_in_range(stats[size].heirs_were_backup * 1000 /
                            stats[size].heirs,
                        970, 1000);
    }
}

static size_t count_labels(const struct hf_owners *owners,
                           const struct hf_placement_member *members)
{
    size_t count = 0;
    for (size_t i = 0; i < owners->count; i++) {
        size_t first = 0;
        while (members[owners->members[first]].label !=
               members[owners->members[i]].label) {
            first++;
        }
        count += first == i;
    }
    return count;
}

static void copies_are_on_as_many_labels_as_there_are(void **state)
{
    (void)state;
    struct hf_rng rng;
    hf_rng_init(&rng, 5);
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct hf_placement_member members[HF_MEMBERS_MAX];
        size_t size = 2 + hf_rng_below(&rng, 20);
        size_t labels = 2 + hf_rng_below(&rng, size - 1);
        make_members(members, size, labels, &rng);
        for (size_t m = labels; m < size; m++) {
            members[m].label = hf_rng_below(&rng, labels); /* Uneven. */
        }
        unsigned backups = 1 + (unsigned)hf_rng_below(&rng, HF_BACKUPS_MAX);
        hf_placement_compute(members, size, backups, table);
        for (size_t p = 0; p < HF_PARTITION_COUNT; p++) {
            size_t most = labels < table[p].count ? labels : table[p].count;
            assert_int_equal(count_labels(&table[p], members), most);
        }
    }
}

/* Three nodes of one label and seven of another. Each label holds a copy of
 * everything, so its own nodes share that evenly; primaries are shared by all
 * ten. */
static void two_uneven_labels_are_each_balanced(void **state)
{
    (void)state;
    struct hf_rng rng;
    hf_rng_init(&rng, 6);
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct hf_placement_member members[10];
        uint64_t primaries[10] = {0};
        uint64_t copies[10] = {0};
        make_members(members, 10, 10, &rng);
        for (size_t m = 0; m < 10; m++) {
            members[m].label = m < 3 ? 'a' : 'b';
        }
        hf_placement_compute(members, 10, 1, table);
        for (size_t p = 0; p < HF_PARTITION_COUNT; p++) {
            primaries[table[p].members[0]]++;
            copies[table[p].members[0]]++;
            copies[table[p].members[1]]++;
        }
        for (size_t m = 0; m < 10; m++) {
            assert_in_range(
                placement_stats_permille(primaries[m], HF_PARTITION_COUNT, 10),
                700, 1100);
            assert_in_range(placement_stats_permille(
                                copies[m], HF_PARTITION_COUNT, m < 3 ? 3 : 7),
                            700, 1100);
        }
    }
}

static void a_lone_node_of_its_label_gets_a_copy_of_everything(void **state)
{
    (void)state;
    struct hf_placement_member members[9];
    struct hf_rng rng;
    hf_rng_init(&rng, 7);
    make_members(members, 9, 1, &rng);
    members[4].label = 99;
    hf_placement_compute(members, 9, 1, table);
    uint64_t primaries = 0;
    for (size_t p = 0; p < HF_PARTITION_COUNT; p++) {
        assert_int_equal(count_labels(&table[p], members), 2);
        primaries += table[p].members[0] == 4;
    }
    assert_in_range(primaries, 1, HF_PARTITION_COUNT / 9 * 11 / 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_have_the_slots_of_redis_cluster),
        cmocka_unit_test(slots_are_checksums_of_keys_of_any_length),
        cmocka_unit_test(only_the_first_tag_that_is_not_empty_counts),
        cmocka_unit_test(keys_may_hold_zeros),
        cmocka_unit_test(a_partition_is_sixteen_neighbouring_slots),
        cmocka_unit_test(a_single_node_owns_everything),
        cmocka_unit_test(
            owners_are_different_nodes_and_as_many_as_there_can_be),
        cmocka_unit_test(the_order_of_the_members_does_not_matter),
        cmocka_unit_test(the_table_is_the_same_in_every_version),
        cmocka_unit_test(
            the_most_loaded_node_is_at_most_a_tenth_above_the_mean),
        cmocka_unit_test(little_more_moves_than_has_to_when_a_node_joins),
        cmocka_unit_test(little_more_moves_than_has_to_when_a_node_leaves),
        cmocka_unit_test(the_heir_of_a_dead_primary_is_its_first_backup),
        cmocka_unit_test(copies_are_on_as_many_labels_as_there_are),
        cmocka_unit_test(two_uneven_labels_are_each_balanced),
        cmocka_unit_test(a_lone_node_of_its_label_gets_a_copy_of_everything),
    };
    return cmocka_run_group_tests(tests, collect, NULL);
}
