/* Random views, against the rules of proposal.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/rng.h"
#include "support/next_view.h"

static struct next_view f; /* Too large for a stack. */
static struct hf_rng rng;

static void choose_acting(struct hf_acting *acting)
{
    unsigned most = f.view.member_count < HF_COPIES_MAX ? f.view.member_count
                                                        : HF_COPIES_MAX;
    hf_member_set taken = 0;
    acting->count = (uint8_t)(1 + hf_rng_below(&rng, most));
    for (uint8_t i = 0; i < acting->count; i++) {
        uint8_t member;
        do {
            member = (uint8_t)hf_rng_below(&rng, f.view.member_count);
        } while ((taken & hf_member_set_of(member)) != 0);
        taken |= hf_member_set_of(member);
        acting->members[i] = member;
    }
}

/* Copies where chance puts them; some partitions as placement wants them. */
static void open_random_view(uint64_t seed, uint8_t members_max)
{
    hf_rng_init(&rng, seed);
    uint8_t members = (uint8_t)(1 + hf_rng_below(&rng, members_max));
    uint8_t backups = (uint8_t)hf_rng_below(&rng, 1 + HF_BACKUPS_MAX);
    next_view_open(&f, members, backups);
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        if (hf_rng_chance(&rng, 4, 5)) {
            choose_acting(&f.view.acting[p]);
        }
    }
    next_view_refresh(&f);
}

/* Of all sorts: copies that are there, twice the same, of whom left. */
static void nominate_at_random(void)
{
    for (unsigned i = 0; i < HF_NOMINATIONS_MAX; i++) {
        uint16_t few = (uint16_t)hf_rng_below(&rng, 60);
        uint16_t any = (uint16_t)hf_rng_below(&rng, HF_PARTITION_COUNT);
        bool crowd = hf_rng_chance(&rng, 1, 2);
        uint8_t member = (uint8_t)hf_rng_below(&rng, f.view.member_count);
        next_view_nominate(&f, crowd ? few : any, member);
    }
}

static hf_member_set choose_voters(void)
{
    hf_member_set all = hf_view_voters(&f.view);
    hf_member_set voters = 0;
    while (voters == 0) {
        voters = hf_rng_next(&rng) & all;
        if (hf_rng_chance(&rng, 1, 2)) {
            voters |= hf_rng_next(&rng) & all;
        }
    }
    return hf_rng_chance(&rng, 1, 4) ? all : voters;
}

/* Partitions all of whose copies were left behind, but which go on: what a
 * nominated learner has is all of it. */
static unsigned count_rescued(void)
{
    unsigned count = 0;
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        bool left = (hf_view_copies(&f.view, p) & f.live) == 0;
        bool goes_on = (hf_view_copies(&f.next, p) & ~f.next.absent) != 0;
        count += left && goes_on && !f.next.acting[p].empty ? 1 : 0;
    }
    return count;
}

/* Three changes in a row: silence, deaths, some that come back. */
static void random_views_are_changed_by_the_rules(void **state)
{
    (void)state;
    unsigned waited = 0, rescued = 0;
    for (uint64_t seed = 0; seed < 100; seed++) {
        open_random_view(seed, seed % 3 == 0 ? 16 : 6);
        for (unsigned round = 0; round < 3; round++) {
            if (seed % 2 == 0) {
                nominate_at_random();
            }
            hf_member_set voters = choose_voters();
            f.node.dead = hf_rng_next(&rng) & hf_view_all(&f.view) & ~voters;
            f.node.fresh = f.node.dead;
            for (uint8_t i = 0; i < f.view.member_count; i++) {
                if ((f.view.absent & ~f.node.dead & hf_member_set_of(i)) != 0 &&
                    hf_rng_chance(&rng, 1, 2)) {
                    next_view_come_back(&f, i);
                }
            }
            next_view_propose_without(&f, voters);
            next_view_expect_rules(&f);
            waited += f.next.absent != 0 ? 1 : 0;
            rescued += count_rescued();
            next_view_enter(&f);
        }
    }
    assert_true(waited > 50);
    assert_true(rescued > 50);
}

static void random_views_settle(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 60; seed++) {
        open_random_view(seed, seed % 3 == 0 ? 16 : 6);
        unsigned views = next_view_settle(&f);
        assert_true(f.node.settled_map);
        assert_true(views <= 3);
    }
}

/* Else views would be agreed on for ever, or data never move. */
static void moves_are_seen_if_and_only_if_there_are_any(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 60; seed++) {
        open_random_view(seed, 6);
        for (unsigned round = 0; round < 4; round++) {
            next_view_propose(&f, hf_view_all(&f.view));
            bool differs = false;
            for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
                const struct hf_acting *a = &f.next.acting[p];
                const struct hf_acting *b = &f.view.acting[p];
                differs = differs || a->count != b->count ||
                          memcmp(a->members, b->members, a->count) != 0;
            }
            assert_int_equal(hf_proposal_moves(&f.node), differs);
            f.view = f.next;
            f.view.epoch = NEXT_VIEW_EPOCH + round;
            next_view_refresh(&f);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_views_are_changed_by_the_rules),
        cmocka_unit_test(random_views_settle),
        cmocka_unit_test(moves_are_seen_if_and_only_if_there_are_any),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
