#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "core/view.h"

#define PARTITION 17

static struct hf_view view; /* Too large for a stack. */

static void view_of(uint8_t member_count, uint8_t backups)
{
    memset(&view, 0, sizeof(view));
    view.epoch = 1;
    view.backups = backups;
    view.member_count = member_count;
    for (uint8_t i = 0; i < member_count; i++) {
        view.members[i].id = UINT64_C(1000) + i;
        view.members[i].incarnation = UINT64_C(2000) + i;
        view.members[i].name[0] = (char)('A' + i);
        view.members[i].label[0] = (char)('A' + i);
    }
}

/* Members. */

static void a_member_is_found_by_id_and_incarnation(void **state)
{
    (void)state;
    view_of(3, 1);
    assert_int_equal(hf_view_find(&view, 1000, 2000), 0);
    assert_int_equal(hf_view_find(&view, 1002, 2002), 2);
    assert_int_equal(hf_view_find(&view, 1002, 2001), HF_MEMBER_NONE);
    assert_int_equal(hf_view_find(&view, 1003, 2003), HF_MEMBER_NONE);
    assert_int_equal(hf_view_find_id(&view, 1002), 2);
    assert_int_equal(hf_view_find_id(&view, 1003), HF_MEMBER_NONE);
}

static void an_empty_view_has_no_members(void **state)
{
    (void)state;
    view_of(0, 1);
    assert_int_equal(hf_view_find_id(&view, 0), HF_MEMBER_NONE);
    assert_true(hf_view_all(&view) == 0);
}

static void all_members_are_the_lowest_bits(void **state)
{
    (void)state;
    view_of(1, 1);
    assert_true(hf_view_all(&view) == 1);
    view_of(5, 1);
    assert_true(hf_view_all(&view) == 0x1f);
    view.member_count = HF_MEMBERS_MAX;
    assert_true(hf_view_all(&view) == UINT64_MAX);
}

static void absent_members_have_no_vote(void **state)
{
    (void)state;
    view_of(4, 1);
    assert_true(hf_view_voters(&view) == 0xf);
    view.absent = 0x5;
    view.leaving = 0x8; /* They keep theirs. */
    assert_true(hf_view_voters(&view) == 0xa);
    assert_true(hf_view_all(&view) == 0xf);
}

static void sets_count_their_members(void **state)
{
    (void)state;
    assert_int_equal(hf_member_set_count(0), 0);
    assert_int_equal(hf_member_set_count(0x8000000000000005), 3);
    assert_int_equal(hf_member_set_first(0x8000000000000000), 63);
    assert_int_equal(hf_member_set_first(6), 1);
    assert_true(hf_member_set_of(63) == 0x8000000000000000);
}

static void copies_are_the_acting_members(void **state)
{
    (void)state;
    view_of(64, 1);
    view.acting[PARTITION] =
        (struct hf_acting){.count = 3, .members = {63, 0, 5}};
    view.acting[PARTITION + 1] = (struct hf_acting){.count = 1, .members = {2}};
    assert_true(hf_view_copies(&view, PARTITION) == 0x8000000000000021);
    assert_true(hf_view_copies(&view, PARTITION + 1) == 4);
}

/* Safe sets. */

/* For all members, all that may be dead, and all two groups of the rest that
 * do not overlap. */
static void two_disjoint_sets_are_never_both_safe(void **state)
{
    (void)state;
    for (unsigned count = 1; count <= 6; count++) {
        hf_member_set all = hf_member_set_of((uint8_t)count) - 1;
        for (hf_member_set one = 1; one <= all; one++) {
            for (hf_member_set two = 1; two <= all; two++) {
                for (hf_member_set dead = 0; dead <= all; dead++) {
                    bool outside = (dead & (one | two)) == 0;
                    if (outside && (one & two) == 0) {
                        assert_false(hf_view_is_safe(all, dead, one) &&
                                     hf_view_is_safe(all, dead, two));
                    }
                }
            }
        }
    }
}

/* Of two halves that do not see each other one may always go on. */
static void of_a_set_and_all_others_exactly_one_is_safe(void **state)
{
    (void)state;
    for (unsigned count = 1; count <= 6; count++) {
        hf_member_set all = hf_member_set_of((uint8_t)count) - 1;
        for (hf_member_set dead = 0; dead < all; dead++) {
            hf_member_set live = all & ~dead;
            for (hf_member_set one = 0; one <= all; one++) {
                if ((one & dead) == 0) {
                    assert_true(hf_view_is_safe(all, dead, one) !=
                                hf_view_is_safe(all, dead, live & ~one));
                }
            }
        }
    }
}

static void a_set_with_more_members_is_not_less_safe(void **state)
{
    (void)state;
    hf_member_set all = 0x3f;
    for (hf_member_set dead = 0; dead <= all; dead++) {
        for (hf_member_set one = 0; one <= all; one++) {
            for (uint8_t i = 0; i < 6; i++) {
                hf_member_set more = one | hf_member_set_of(i);
                if ((more & dead) == 0 && hf_view_is_safe(all, dead, one)) {
                    assert_true(hf_view_is_safe(all, dead, more));
                }
            }
        }
    }
}

static void the_dead_and_strangers_make_no_safe_set(void **state)
{
    (void)state;
    assert_false(hf_view_is_safe(0x7, 0x4, 0x7));
    assert_false(hf_view_is_safe(0x7, 0, 0xf));
    assert_false(hf_view_is_safe(0x7, 0, 0));
    assert_false(hf_view_is_safe(0x7, 0x7, 0));
    assert_false(hf_view_is_safe(0, 0, 0));
    assert_true(hf_view_is_safe(0x7, 0x8, 0x3)); /* 3 is no member. */
}

static void half_is_safe_with_the_lowest_rank_that_is_not_dead(void **state)
{
    (void)state;
    assert_true(hf_view_is_safe(0xf, 0, 0x9));
    assert_false(hf_view_is_safe(0xf, 0, 0x6));
    assert_true(hf_view_is_safe(0x1f, 0x1, 0x6));
    assert_false(hf_view_is_safe(0x1f, 0x1, 0x18));
    assert_true(hf_view_is_safe(0x3, 0, 0x1));
    assert_false(hf_view_is_safe(0x3, 0, 0x2));
    assert_true(hf_view_is_safe(UINT64_MAX, 0, 0xffffffff));
    assert_false(hf_view_is_safe(UINT64_MAX, 0, 0xffffffff00000000));
}

/* Kills members one by one, in every order; after each there is a new view of
 * those that are left. Returns the number of orders. */
static unsigned kill_in_every_order(uint8_t count)
{
    if (count == 1) {
        return 1;
    }
    unsigned orders = 0;
    hf_member_set all = hf_member_set_of(count) - 1;
    for (uint8_t killed = 0; killed < count; killed++) {
        hf_member_set dead = hf_member_set_of(killed);
        assert_true(hf_view_is_safe(all, dead, all & ~dead));
        orders += kill_in_every_order((uint8_t)(count - 1));
    }
    return orders;
}

static void kills_in_any_order_leave_a_safe_set(void **state)
{
    (void)state;
    assert_int_equal(kill_in_every_order(3), 6);
    assert_int_equal(kill_in_every_order(5), 120);
}

/* All but one are killed before there is a new view. */
static void who_survives_kills_at_once_is_a_safe_set(void **state)
{
    (void)state;
    for (uint8_t count = 1; count <= 6; count++) {
        hf_member_set all = hf_member_set_of(count) - 1;
        for (hf_member_set dead = 0; dead < all; dead++) {
            assert_true(hf_view_is_safe(all, dead, all & ~dead));
        }
    }
}

/* Targets. */

static struct hf_owners targets[HF_PARTITION_COUNT];

static void make_settled(void)
{
    hf_view_targets(&view, targets);
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        struct hf_acting *acting = &view.acting[p];
        acting->count = targets[p].count;
        memcpy(acting->members, targets[p].members, targets[p].count);
    }
}

static void every_partition_has_a_primary_and_its_backups(void **state)
{
    (void)state;
    for (uint8_t backups = 0; backups <= HF_BACKUPS_MAX; backups++) {
        for (uint8_t count = 1; count <= 5; count++) {
            view_of(count, backups);
            hf_view_targets(&view, targets);
            uint8_t wanted = (uint8_t)(backups + 1);
            wanted = wanted < count ? wanted : count;
            for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
                assert_int_equal(targets[p].count, wanted);
            }
        }
    }
}

static void copies_go_to_other_labels(void **state)
{
    (void)state;
    view_of(4, 1);
    memcpy(view.members[1].label, view.members[0].label, HF_NAME_BYTES_MAX);
    memcpy(view.members[3].label, view.members[2].label, HF_NAME_BYTES_MAX);
    hf_view_targets(&view, targets);
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        assert_int_not_equal(targets[p].members[0] / 2,
                             targets[p].members[1] / 2);
    }
}

static hf_member_set owners_of_anything(void)
{
    hf_member_set set = 0;
    hf_view_targets(&view, targets);
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        for (uint8_t i = 0; i < targets[p].count; i++) {
            set |= hf_member_set_of(targets[p].members[i]);
        }
    }
    return set;
}

static void who_is_absent_or_leaving_should_own_nothing(void **state)
{
    (void)state;
    view_of(5, 1);
    assert_true(owners_of_anything() == 0x1f);
    view.absent = 0x2;
    assert_true(owners_of_anything() == 0x1d);
    view.leaving = 0x11;
    assert_true(owners_of_anything() == 0xc);
    view.leaving = 0x1d; /* All that have a vote: somebody must own it. */
    assert_true(owners_of_anything() == 0x1d);
}

/* Their places in the view change no bid. */
static void targets_are_those_of_a_view_without_the_absent(void **state)
{
    (void)state;
    static struct hf_owners fewer[HF_PARTITION_COUNT];
    view_of(5, 2);
    view.absent = 0x2;
    hf_view_targets(&view, targets);
    view_of(5, 2);
    memmove(&view.members[1], &view.members[2], 3 * sizeof(view.members[0]));
    view.member_count = 4;
    hf_view_targets(&view, fewer);
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        assert_int_equal(targets[p].count, fewer[p].count);
        for (uint8_t i = 0; i < targets[p].count; i++) {
            uint8_t member = fewer[p].members[i];
            assert_int_equal(targets[p].members[i],
                             member == 0 ? 0 : member + 1);
        }
    }
}

static void a_view_with_what_targets_want_is_settled(void **state)
{
    (void)state;
    view_of(4, 2);
    make_settled();
    assert_true(hf_view_is_settled(&view, targets));

    /* The order of the backups is all the same. */
    struct hf_acting *acting = &view.acting[HF_PARTITION_COUNT - 1];
    uint8_t backup = acting->members[1];
    acting->members[1] = acting->members[2];
    acting->members[2] = backup;
    assert_true(hf_view_is_settled(&view, targets));
}

static void any_other_copy_or_primary_is_not_settled(void **state)
{
    (void)state;
    view_of(4, 2);
    make_settled();
    struct hf_acting *acting = &view.acting[HF_PARTITION_COUNT - 1];
    struct hf_acting settled = *acting;
    uint8_t other = (uint8_t)(6 - settled.members[0] - settled.members[1] -
                              settled.members[2]);

    acting->count = 2;
    assert_false(hf_view_is_settled(&view, targets));
    *acting = settled;
    acting->members[acting->count++] = other;
    assert_false(hf_view_is_settled(&view, targets));
    *acting = settled;
    acting->members[2] = other;
    assert_false(hf_view_is_settled(&view, targets));
    *acting = settled;
    acting->members[0] = settled.members[1];
    acting->members[1] = settled.members[0];
    assert_false(hf_view_is_settled(&view, targets));
    *acting = settled;
    assert_true(hf_view_is_settled(&view, targets));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_member_is_found_by_id_and_incarnation),
        cmocka_unit_test(an_empty_view_has_no_members),
        cmocka_unit_test(all_members_are_the_lowest_bits),
        cmocka_unit_test(absent_members_have_no_vote),
        cmocka_unit_test(sets_count_their_members),
        cmocka_unit_test(copies_are_the_acting_members),
        cmocka_unit_test(two_disjoint_sets_are_never_both_safe),
        cmocka_unit_test(of_a_set_and_all_others_exactly_one_is_safe),
        cmocka_unit_test(a_set_with_more_members_is_not_less_safe),
        cmocka_unit_test(the_dead_and_strangers_make_no_safe_set),
        cmocka_unit_test(half_is_safe_with_the_lowest_rank_that_is_not_dead),
        cmocka_unit_test(kills_in_any_order_leave_a_safe_set),
        cmocka_unit_test(who_survives_kills_at_once_is_a_safe_set),
        cmocka_unit_test(every_partition_has_a_primary_and_its_backups),
        cmocka_unit_test(copies_go_to_other_labels),
        cmocka_unit_test(who_is_absent_or_leaving_should_own_nothing),
        cmocka_unit_test(targets_are_those_of_a_view_without_the_absent),
        cmocka_unit_test(a_view_with_what_targets_want_is_settled),
        cmocka_unit_test(any_other_copy_or_primary_is_not_settled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
