/* visits_test.c - Up to where a node has been in each lineage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/visits.h"

static struct hf_view view_of(uint64_t lineage, hf_epoch base)
{
    struct hf_view view = {.epoch = base + 1, .base = base};
    hf_lineage_fork(&view, lineage, 0, 0);
    return view;
}

static void enter(struct hf_visits *visits, uint64_t lineage, hf_epoch base)
{
    const struct hf_view view = view_of(lineage, base);
    hf_visits_enter(visits, &view);
}

static void vote(struct hf_visits *visits, uint64_t lineage, hf_epoch base)
{
    const struct hf_view view = view_of(lineage, base);
    hf_visits_vote(visits, &view);
}

static bool is_past(const struct hf_visits *visits, uint64_t lineage,
                    hf_epoch base)
{
    const struct hf_view view = view_of(lineage, base);
    return hf_visits_passed(visits, &view);
}

static void each_lineage_counts_for_itself(void **state)
{
    (void)state;
    struct hf_visits visits = {.count = 0};
    assert_false(is_past(&visits, 7, 0));
    enter(&visits, 7, 20);
    enter(&visits, 9, 30);
    enter(&visits, 7, 10); /* As when it comes late. */
    assert_true(is_past(&visits, 7, 19));
    assert_false(is_past(&visits, 7, 20));
    assert_true(is_past(&visits, 9, 29));
    assert_false(is_past(&visits, 9, 30));
    assert_false(is_past(&visits, 8, 0));
}

static void who_voted_in_a_view_has_left_it_behind(void **state)
{
    (void)state;
    struct hf_visits visits = {.count = 0};
    enter(&visits, 7, 20);
    vote(&visits, 7, 20);
    assert_true(is_past(&visits, 7, 20));
    assert_false(is_past(&visits, 7, 21));
    struct hf_view again = view_of(7, 20); /* The same under a later epoch. */
    again.epoch = 1000;
    assert_true(hf_visits_passed(&visits, &again));
}

/* It gives way to later views there, and may be taken in by them, but votes in
 * none that it gave up, under any epoch; also after it was elsewhere. */
static void who_gave_up_its_vote_is_to_be_taken_in_anew(void **state)
{
    (void)state;
    struct hf_visits visits = {.count = 0};
    struct hf_peer_info self = {.id = 1, .incarnation = 5};
    struct hf_view view = view_of(7, 20);
    view.member_count = 1;
    view.members[0] = self;
    self.incarnation = 6; /* Another process of the name has no vote there. */
    hf_visits_give_up(&visits, &view, &self);
    assert_false(hf_visits_given_up(&visits, &view));
    self.incarnation = 5;
    view.absent = 1; /* Nor has who is absent. */
    hf_visits_give_up(&visits, &view, &self);
    assert_false(hf_visits_given_up(&visits, &view));
    view.absent = 0;
    hf_visits_give_up(&visits, &view, &self);
    enter(&visits, 9, 30);
    view.epoch = 1000;
    assert_true(hf_visits_given_up(&visits, &view));
    assert_false(hf_visits_passed(&visits, &view));
    view.base = 21;
    assert_false(hf_visits_given_up(&visits, &view));
}

/* Of many lineages the earliest is forgotten, but not that it was early. */
static void what_is_forgotten_was_early(void **state)
{
    (void)state;
    struct hf_visits visits = {.count = 0};
    for (uint64_t i = 0; i < 3 * HF_VISITS_MAX; i++) {
        vote(&visits, 1000 + i, 10 * i);
        for (uint64_t k = 0; k <= i; k++) {
            assert_true(is_past(&visits, 1000 + k, 10 * k));
        }
        assert_false(is_past(&visits, 1000 + i, 10 * i + 1));
        assert_false(is_past(&visits, 999, 10 * i + 1));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_lineage_counts_for_itself),
        cmocka_unit_test(who_voted_in_a_view_has_left_it_behind),
        cmocka_unit_test(who_gave_up_its_vote_is_to_be_taken_in_anew),
        cmocka_unit_test(what_is_forgotten_was_early),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
