/* lineage_test.c - Who follows whom, and who gives way, in every pair of small
 * histories. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "core/lineage.h"

#define ROOT 1000
#define HISTORIES_MAX 512

static struct hf_view history[HISTORIES_MAX];
static size_t history_count;

static struct hf_view root_at(hf_epoch epoch)
{
    struct hf_view view = {.epoch = epoch, .cluster = ROOT, .founded_ms = 5};
    hf_lineage_fork(&view, ROOT, 0, 0);
    return view;
}

static struct hf_view fork_of(const struct hf_view *view, uint64_t id,
                              hf_epoch epoch)
{
    struct hf_view fork = *view;
    hf_lineage_fork(&fork, id, view->epoch, view->base);
    fork.epoch = epoch;
    return fork;
}

static enum hf_relation compare(const struct hf_view *a,
                                const struct hf_view *b, hf_epoch *forked)
{
    return hf_lineage_compare(a, a, b, forked);
}

/* All histories of up to three lineages over a few epochs. A lineage belongs
 * to one fork, so its number says where it was forked. */
static void make_histories(void)
{
    history_count = 0;
    for (hf_epoch e = 1; e <= 5; e++) {
        history[history_count++] = root_at(e);
    }
    size_t begin = 0;
    for (int depth = 0; depth < 2; depth++) {
        size_t end = history_count;
        for (size_t i = begin; i < end; i++) {
            for (uint64_t n = 1; n <= 2; n++) {
                for (hf_epoch more = 1; more <= 3; more += 2) {
                    uint64_t id = n * 7919 % 13 + 100 * (i + 1) +
                                  (n == 1 ? 50 : 0) + 100000 * n;
                    history[history_count++] =
                        fork_of(&history[i], id, history[i].epoch + more);
                }
            }
        }
        begin = end;
    }
    assert_true(history_count < HISTORIES_MAX);
}

static void nobody_goes_back_to_a_view_that_was_agreed_on_again(void **state)
{
    (void)state;
    hf_epoch forked;
    struct hf_view first = root_at(15);
    struct hf_view again = root_at(18);
    struct hf_view next = root_at(17);
    first.base = 14;
    again.base = 14;
    next.base = 15;
    assert_int_equal(compare(&first, &again, &forked), HF_RELATION_BEHIND);
    assert_int_equal(compare(&again, &first, &forked), HF_RELATION_AHEAD);
    assert_int_equal(compare(&first, &next, &forked), HF_RELATION_BEHIND);
    assert_int_equal(compare(&next, &again, &forked), HF_RELATION_AHEAD);
    assert_int_equal(compare(&again, &next, &forked), HF_RELATION_AHEAD);
    next.epoch = 19;
    assert_int_equal(compare(&again, &next, &forked), HF_RELATION_BEHIND);
}

static void of_each_pair_one_follows_or_gives_way(void **state)
{
    (void)state;
    static const enum hf_relation opposite[] = {
        [HF_RELATION_SAME] = HF_RELATION_SAME,
        [HF_RELATION_BEHIND] = HF_RELATION_AHEAD,
        [HF_RELATION_AHEAD] = HF_RELATION_BEHIND,
        [HF_RELATION_WINS] = HF_RELATION_LOSES,
        [HF_RELATION_LOSES] = HF_RELATION_WINS};
    make_histories();
    for (size_t i = 0; i < history_count; i++) {
        for (size_t j = 0; j < history_count; j++) {
            hf_epoch one, two;
            enum hf_relation relation = compare(&history[i], &history[j], &one);
            assert_int_equal(compare(&history[j], &history[i], &two),
                             opposite[relation]);
            if (relation >= HF_RELATION_WINS) {
                assert_int_equal(one, two);
                assert_true(one < history[i].epoch && one < history[j].epoch);
            }
        }
    }
}

/* Whichever two meet first, the same one is left at the end. */
static void who_goes_on_does_not_depend_on_who_meets_whom(void **state)
{
    (void)state;
    make_histories();
    for (size_t i = 0; i < history_count; i += 3) {
        for (size_t j = 0; j < history_count; j += 2) {
            for (size_t k = 0; k < history_count; k++) {
                hf_epoch forked;
                bool ij = compare(&history[i], &history[j], &forked) ==
                          HF_RELATION_LOSES;
                bool jk = compare(&history[j], &history[k], &forked) ==
                          HF_RELATION_LOSES;
                enum hf_relation ik =
                    compare(&history[i], &history[k], &forked);
                /* One that never went on may be behind either. */
                if (ij && jk) {
                    assert_true(ik != HF_RELATION_WINS);
                }
            }
        }
    }
}

static void who_did_not_go_on_follows_the_fork(void **state)
{
    (void)state;
    hf_epoch forked;
    struct hf_view left = root_at(4);
    struct hf_view at = root_at(5);
    struct hf_view fork = fork_of(&at, 7, 8);
    assert_int_equal(compare(&left, &fork, &forked), HF_RELATION_BEHIND);
    assert_int_equal(compare(&at, &fork, &forked), HF_RELATION_BEHIND);
    struct hf_view later = fork_of(&fork, 9, 20);
    assert_int_equal(compare(&at, &later, &forked), HF_RELATION_BEHIND);
}

static void who_went_on_is_not_drawn_into_a_fork(void **state)
{
    (void)state;
    hf_epoch forked;
    struct hf_view at = root_at(5);
    struct hf_view fork = fork_of(&at, 7, 8);
    struct hf_view on = root_at(6);
    assert_int_equal(compare(&on, &fork, &forked), HF_RELATION_WINS);
    assert_int_equal(forked, 5);
    /* It accepted a view that may be decided; or the fork's own, again. */
    on.base = 5;
    assert_int_equal(hf_lineage_compare(&at, &on, &fork, &forked),
                     HF_RELATION_WINS);
    fork = fork_of(&on, 7, 8);
    on.epoch = 10;
    assert_int_equal(hf_lineage_compare(&at, &on, &fork, &forked),
                     HF_RELATION_BEHIND);
}

/* Two agreed on one view, as 12 and, in a part that did not hear of that, as 8.
 * What was decided in 8 has an earlier epoch than what was forked from 12. */
static void who_went_on_in_a_view_agreed_on_again_is_not_drawn_in(void **state)
{
    (void)state;
    hf_epoch forked;
    struct hf_view one = root_at(8);
    struct hf_view again = root_at(12);
    struct hf_view on = root_at(9);
    one.base = 7;
    again.base = 7;
    on.base = 8;
    struct hf_view fork = fork_of(&again, 7, 13);
    assert_int_equal(compare(&one, &fork, &forked), HF_RELATION_BEHIND);
    assert_int_equal(compare(&fork, &one, &forked), HF_RELATION_AHEAD);
    assert_int_equal(compare(&on, &fork, &forked), HF_RELATION_WINS);
    assert_int_equal(forked,
                     7); /* Each has an epoch that is not the other's. */
    assert_int_equal(compare(&fork, &on, &forked), HF_RELATION_LOSES);
    assert_int_equal(forked, 7);
    on.epoch = 14;
    assert_int_equal(compare(&on, &fork, &forked), HF_RELATION_WINS);
    struct hf_view other = fork_of(&on, 20, 30);
    on.epoch = 9;
    struct hf_view third = fork_of(&on, 20, 30);
    assert_int_equal(compare(&other, &fork, &forked), HF_RELATION_LOSES);
    assert_int_equal(compare(&third, &fork, &forked), HF_RELATION_LOSES);
    assert_int_equal(forked, 7);
}

/* One entered its view again, under a later epoch than what it had accepted to
 * come after it. Then it forks there, by order. */
static void who_was_in_an_earlier_view_under_a_later_epoch_follows(void **state)
{
    (void)state;
    hf_epoch forked;
    struct hf_view again = root_at(12);
    struct hf_view accepted = root_at(9);
    again.base = 7;
    accepted.base = 8;
    struct hf_view fork = fork_of(&accepted, 7, 13);
    assert_int_equal(compare(&again, &fork, &forked), HF_RELATION_BEHIND);
    assert_int_equal(compare(&fork, &again, &forked), HF_RELATION_AHEAD);
    assert_int_equal(hf_lineage_compare(&again, &accepted, &fork, &forked),
                     HF_RELATION_BEHIND);
    fork.epoch = 11; /* Nobody goes back: the fork takes a later one first. */
    assert_int_equal(compare(&again, &fork, &forked), HF_RELATION_WINS);
    assert_int_equal(compare(&fork, &again, &forked), HF_RELATION_AHEAD);
    again.base = 8; /* Now it is what the fork began at, agreed on again. */
    assert_int_equal(compare(&fork, &again, &forked), HF_RELATION_LOSES);
}

static void of_two_forks_the_smaller_number_goes_on(void **state)
{
    (void)state;
    hf_epoch forked;
    struct hf_view early = root_at(3);
    struct hf_view late = root_at(5);
    struct hf_view a = fork_of(&early, 20, 30);
    struct hf_view b = fork_of(&late, 10, 9);
    assert_int_equal(compare(&a, &b, &forked), HF_RELATION_LOSES);
    assert_int_equal(forked, 3); /* From there on each wrote by itself. */
}

static void of_two_clusters_the_older_goes_on_as_a_whole(void **state)
{
    (void)state;
    hf_epoch forked = 1;
    struct hf_view old = root_at(3);
    struct hf_view new = root_at(9);
    new.cluster = ROOT - 1;
    new.founded_ms = 6;
    assert_int_equal(compare(&new, &old, &forked), HF_RELATION_LOSES);
    assert_int_equal(forked, 0);
    new.founded_ms = 5;
    assert_int_equal(compare(&new, &old, &forked), HF_RELATION_WINS);
    new.member_count = 9; /* Changes; so it must not matter. */
    assert_int_equal(compare(&new, &old, &forked), HF_RELATION_WINS);
}

static void a_long_list_of_lineages_forgets_its_oldest(void **state)
{
    (void)state;
    hf_epoch forked;
    struct hf_view view = root_at(1);
    struct hf_view before = view;
    for (uint64_t id = 1; id <= HF_LINEAGES_MAX + 4; id++) {
        before = view;
        view = fork_of(&view, id, view.epoch + 2);
    }
    assert_int_equal(view.lineage_count, HF_LINEAGES_MAX);
    assert_int_equal(hf_lineage_of(&view), HF_LINEAGES_MAX + 4);
    assert_int_equal(compare(&before, &view, &forked), HF_RELATION_BEHIND);
    before.epoch++;
    assert_int_equal(compare(&before, &view, &forked), HF_RELATION_WINS);
    struct hf_view root = root_at(99); /* Nothing in common is remembered. */
    enum hf_relation one = compare(&root, &view, &forked);
    enum hf_relation two = compare(&view, &root, &forked);
    assert_int_equal(forked, 0);
    assert_true((one == HF_RELATION_WINS && two == HF_RELATION_LOSES) ||
                (one == HF_RELATION_LOSES && two == HF_RELATION_WINS));
}

static void a_view_includes_what_it_came_from(void **state)
{
    (void)state;
    struct hf_view at = root_at(5);
    struct hf_view fork = fork_of(&at, 7, 9);
    assert_true(hf_lineage_includes(&fork, ROOT, 5));
    assert_false(hf_lineage_includes(&fork, ROOT, 6));
    assert_true(hf_lineage_includes(&fork, 7, 9));
    assert_false(hf_lineage_includes(&fork, 7, 10));
    assert_false(hf_lineage_includes(&fork, 8, 1));
    assert_false(hf_lineage_includes(&fork, 8, 9)); /* One of that epoch. */
    assert_int_equal(hf_lineage_of(&fork), 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_each_pair_one_follows_or_gives_way),
        cmocka_unit_test(nobody_goes_back_to_a_view_that_was_agreed_on_again),
        cmocka_unit_test(who_goes_on_does_not_depend_on_who_meets_whom),
        cmocka_unit_test(who_did_not_go_on_follows_the_fork),
        cmocka_unit_test(who_went_on_is_not_drawn_into_a_fork),
        cmocka_unit_test(who_went_on_in_a_view_agreed_on_again_is_not_drawn_in),
        cmocka_unit_test(
            who_was_in_an_earlier_view_under_a_later_epoch_follows),
        cmocka_unit_test(of_two_forks_the_smaller_number_goes_on),
        cmocka_unit_test(of_two_clusters_the_older_goes_on_as_a_whole),
        cmocka_unit_test(a_long_list_of_lineages_forgets_its_oldest),
        cmocka_unit_test(a_view_includes_what_it_came_from),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
