#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/next_view.h"

static struct next_view f; /* Too large for a stack. */

/* Rules one by one. */

static void without_a_reason_nothing_changes(void **state)
{
    (void)state;
    next_view_open(&f, 4, 1);
    next_view_propose(&f, hf_view_all(&f.view));
    next_view_expect_rules(&f);
    assert_int_equal(f.next.member_count, 4);
    assert_memory_equal(f.next.members, f.view.members,
                        4 * sizeof(f.view.members[0]));
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        assert_int_equal(f.next.acting[p].count, f.view.acting[p].count);
        assert_memory_equal(f.next.acting[p].members, f.view.acting[p].members,
                            f.view.acting[p].count);
    }
    assert_false(hf_proposal_moves(&f.node));
}

static void members_that_left_move_the_others_up(void **state)
{
    (void)state;
    next_view_open(&f, 5, 1);
    next_view_propose(&f, 0x1a); /* 1, 3, 4. */
    next_view_expect_rules(&f);
    assert_int_equal(f.next.member_count, 3);
    assert_true(f.next.members[0].id == f.view.members[1].id);
    assert_true(f.next.members[1].id == f.view.members[3].id);
    assert_true(f.next.members[2].id == f.view.members[4].id);
}

/* Placement makes the first backup the heir, so no data moves. */
static void the_heir_of_a_dead_primary_is_promoted(void **state)
{
    (void)state;
    next_view_open(&f, 4, 1);
    hf_member_set voters = 0xe;
    next_view_propose(&f, voters);
    next_view_expect_rules(&f);
    unsigned promoted = 0;
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        const struct hf_acting *old = &f.view.acting[p];
        if (old->members[0] == 0) {
            assert_int_equal(f.next.acting[p].count, 1);
            assert_int_equal(f.next.acting[p].members[0],
                             f.map[old->members[1]]);
            promoted++;
        }
    }
    assert_true(promoted > 0);
}

static void an_heir_that_is_wanted_goes_before_others(void **state)
{
    (void)state;
    next_view_open(&f, 4, 3);
    next_view_propose(&f, 0xe);
    /* All three have copies: whoever placement wants is the primary. */
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        assert_int_equal(f.next.acting[p].count, 3);
        assert_int_equal(f.next.acting[p].members[0],
                         f.next_targets[p].members[0]);
    }
    next_view_expect_rules(&f);
}

static void a_partition_without_a_copy_goes_to_its_owner(void **state)
{
    (void)state;
    next_view_open(&f, 3, 0);
    next_view_propose(&f, 0x3);
    next_view_expect_rules(&f);
    unsigned lost = 0;
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        lost += f.view.acting[p].members[0] == 2 ? 1 : 0;
        assert_int_equal(f.next.acting[p].count, 1);
    }
    assert_true(lost > 0);
}

/* Member 0 holds everything alone; the others were just taken in. */
static void open_lone_copies(uint8_t member_count, uint8_t backups)
{
    next_view_open(&f, member_count, backups);
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        f.view.acting[p] = (struct hf_acting){.count = 1};
    }
    next_view_refresh(&f);
}

static void a_nominated_learner_becomes_a_copy(void **state)
{
    (void)state;
    open_lone_copies(2, 1);
    assert_false(hf_proposal_moves(&f.node));
    next_view_nominate(&f, 5, 1);
    assert_true(hf_proposal_moves(&f.node));
    next_view_propose(&f, hf_view_all(&f.view));
    next_view_expect_rules(&f);
    assert_int_equal(f.next.acting[5].count, 2);
    assert_int_equal(f.next.acting[6].count, 1);
}

static void a_nominee_that_left_is_no_copy(void **state)
{
    (void)state;
    open_lone_copies(3, 1);
    next_view_nominate(&f, 5, 1);
    next_view_propose(&f, 0x5);
    next_view_expect_rules(&f);
    assert_int_equal(f.next.acting[5].count, 1);
}

/* The new primary may need what the dead one's copies have: one at a time. */
static void a_promotion_takes_in_no_learner(void **state)
{
    (void)state;
    next_view_open(&f, 4, 1);
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        for (uint8_t i = 0; i < 4; i++) {
            next_view_nominate(&f, p, i);
        }
    }
    next_view_propose(&f, 0xe);
    next_view_expect_rules(&f);
}

static void data_moves_to_where_it_is_wanted_in_two_views(void **state)
{
    (void)state;
    for (uint8_t backups = 0; backups <= HF_BACKUPS_MAX; backups++) {
        open_lone_copies(5, backups);
        unsigned views = next_view_settle(&f);
        assert_true(f.node.settled_map);
        assert_int_equal(views, 2); /* Copies and primaries; then drops. */
    }
}

/* @member says in its heartbeats that those of @slow are. */
static void report_slow(uint8_t member, hf_member_set slow)
{
    struct hf_peer *peer = next_view_add_peer(&f, &f.view.members[member]);
    peer->member = member;
    peer->beat.state = HF_STATE_ACTIVE;
    peer->beat.epoch = f.view.epoch;
    peer->beat.slow = slow;
}

static void a_slow_copy_is_dropped_where_it_is_in_the_way(void **state)
{
    (void)state;
    next_view_open(&f, 4, 1);
    assert_false(hf_proposal_slow(&f.node));
    f.members[1].slow = true; /* As we, member 0, found. */
    assert_true(hf_proposal_slow(&f.node));
    next_view_propose(&f, 0xf);
    assert_int_equal(f.next.member_count, 4);
    unsigned dropped = 0;
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        const struct hf_acting *old = &f.view.acting[p];
        bool drops = old->members[0] == 0 && old->members[1] == 1;
        assert_int_equal(f.next.acting[p].count, drops ? 1 : 2);
        assert_int_equal(f.next.acting[p].members[0], old->members[0]);
        assert_false(f.next.acting[p].empty);
        dropped += drops ? 1 : 0;
    }
    assert_true(dropped > 0);
}

static void a_primary_that_most_call_slow_is_replaced(void **state)
{
    (void)state;
    next_view_open(&f, 4, 1);
    report_slow(1, 0x8);
    report_slow(2, 0x8);
    report_slow(3, 0x7); /* It cannot reach anybody, so to it all are slow. */
    assert_true(hf_proposal_slow(&f.node));
    next_view_propose(&f, 0xf);
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        const struct hf_acting *old = &f.view.acting[p];
        const struct hf_acting *next = &f.next.acting[p];
        if (old->members[0] == 3) {
            assert_int_equal(next->count, 1);
            assert_int_equal(next->members[0], old->members[1]);
        } else if (old->members[0] == 0) {
            assert_int_equal(next->count, 2); /* It did not complain. */
        }
    }
}

static void the_last_copy_stays_however_slow_it_is(void **state)
{
    (void)state;
    next_view_open(&f, 4, 0);
    report_slow(1, 0x8);
    report_slow(2, 0x8);
    assert_false(hf_proposal_slow(&f.node));
    next_view_propose(&f, 0xf);
    next_view_expect_rules(&f);
}

static void a_slow_nominee_is_no_copy(void **state)
{
    (void)state;
    open_lone_copies(3, 1);
    next_view_nominate(&f, 5, 1);
    next_view_nominate(&f, 5, 2);
    f.members[1].slow = true;
    assert_true(hf_proposal_slow(&f.node));
    next_view_propose(&f, 0x7);
    assert_int_equal(f.next.acting[5].count, 2);
    assert_int_equal(f.next.acting[5].members[1], 2);
}

/* Nonsense, and what was said in another view, moves nothing. */
static void reports_that_make_no_sense_are_ignored(void **state)
{
    (void)state;
    next_view_open(&f, 4, 1);
    report_slow(1, ~(hf_member_set)0xf | 0x2); /* Itself, and nobody. */
    report_slow(2, 0xf);
    f.peers[1].beat.epoch--;
    report_slow(3, 0xf);
    f.peers[2].beat.state = HF_STATE_OUT;
    assert_false(hf_proposal_slow(&f.node));
    next_view_propose(&f, 0xf);
    next_view_expect_rules(&f);
}

/* A view in the middle of filling would begin it anew. */
static void moves_know_of_copies_that_are_being_filled(void **state)
{
    (void)state;
    static struct hf_partition partitions[HF_PARTITION_COUNT];
    next_view_open(&f, 3, 1);
    f.node.partitions = partitions;
    assert_false(hf_proposal_fills(&f.node));
    report_slow(2, 0);
    f.peers[0].beat.refill_partitions = 1;
    assert_true(hf_proposal_fills(&f.node));
    f.peers[0].beat.epoch--;
    assert_false(hf_proposal_fills(&f.node));
}

/* The only copy is silent but not known to be dead: nobody else may start the
 * partition empty. */
static void a_silent_last_copy_stays_as_absent(void **state)
{
    (void)state;
    next_view_open(&f, 3, 0);
    next_view_propose_without(&f, 0x3);
    next_view_expect_rules(&f);
    assert_int_equal(f.next.member_count, 3);
    assert_true(f.next.absent == 0x4);
    next_view_enter(&f);
    assert_true(f.node.settled_map || !hf_proposal_moves(&f.node));
    assert_false(hf_proposal_joins(&f.node));

    next_view_come_back(&f, 2);
    assert_true(hf_proposal_joins(&f.node));
    next_view_propose_without(&f, 0x3);
    next_view_expect_rules(&f);
    assert_true(f.next.absent == 0);
    assert_int_equal(f.next.member_count, 3);
}

static void what_only_the_dead_had_is_lost(void **state)
{
    (void)state;
    next_view_open(&f, 3, 0);
    next_view_propose_without(&f, 0x3);
    next_view_enter(&f);
    f.node.dead = 0x4;
    next_view_propose_without(&f, 0x3);
    next_view_expect_rules(&f);
    assert_int_equal(f.next.member_count, 2);
    assert_true(f.next.absent == 0);
}

/* In a fork: who died later may have passed it on to others before. */
static void what_the_dead_may_have_passed_on_is_not_lost(void **state)
{
    (void)state;
    next_view_open(&f, 3, 0);
    f.view.policy = HF_POLICY_AVAILABLE;
    f.view.lineage_count = 2;
    f.node.dead = 0x4;
    next_view_propose_without(&f, 0x3);
    assert_int_equal(f.next.member_count, 3);
    assert_true(f.next.absent == 0x4);
    f.node.fresh = 0x4;
    next_view_propose_without(&f, 0x3);
    next_view_expect_rules(&f);
    assert_int_equal(f.next.member_count, 2);
    assert_true(f.next.absent == 0);
}

/* Also where nobody forked that we know of, while somebody lives who is not
 * with us: a fork may have had it from the dead. */
static void what_others_may_have_from_the_dead_is_not_lost(void **state)
{
    (void)state;
    struct hf_peer_info other = next_view_info(10);
    next_view_open(&f, 3, 0);
    f.node.dead = 0x4;
    struct hf_peer *peer = next_view_add_peer(&f, &other);
    peer->beat.state = HF_STATE_OUT;
    next_view_propose_without(&f, 0x3);
    assert_true(f.next.absent == 0x4);
    peer->refused = true; /* Long ago: it may have been started again. */
    next_view_propose_without(&f, 0x3);
    assert_true(f.next.absent == 0x4);
    peer->refused_at = NEXT_VIEW_NOW;
    next_view_propose_without(&f, 0x3);
    assert_true(f.next.absent == 0);
    struct hf_peer *member = next_view_add_peer(&f, &f.view.members[1]);
    member->member = 1;
    member->beat.state = HF_STATE_ACTIVE;
    member->beat.epoch = NEXT_VIEW_EPOCH;
    member->beat.others = true; /* Whom we have never met. */
    f.members[1].peer = member;
    f.members[1].heard = NEXT_VIEW_NOW;
    next_view_propose_without(&f, 0x3);
    assert_true(f.next.absent == 0x4);
    member->beat.others = false;
    next_view_propose_without(&f, 0x3);
    assert_true(f.next.absent == 0);
    peer->refused = false;
    f.view.policy = HF_POLICY_MAJORITY;
    next_view_propose_without(&f, 0x3);
    assert_true(f.next.absent == 0);
}

/* They may have gone on apart: what they have differs. */
static void of_two_that_come_back_one_has_it(void **state)
{
    (void)state;
    next_view_open(&f, 4, 1);
    next_view_propose_without(&f, 0x3);
    next_view_enter(&f);
    assert_int_not_equal(f.view.absent, 0);
    next_view_come_back(&f, 2);
    next_view_come_back(&f, 3);
    next_view_propose(&f, 0x0);
    next_view_expect_rules(&f);
    unsigned waited = 0;
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        if ((hf_view_copies(&f.view, p) & ~f.view.absent) == 0) {
            waited++;
            assert_int_equal(f.next.acting[p].count, 1);
        }
    }
    assert_true(waited > 0);
}

static void a_silent_copy_that_is_not_the_last_is_left_out(void **state)
{
    (void)state;
    next_view_open(&f, 3, 1);
    next_view_propose_without(&f, 0x3);
    next_view_expect_rules(&f);
    assert_int_equal(f.next.member_count, 2);
    assert_true(f.next.absent == 0);
}

static void an_absent_member_comes_back_to_a_full_view(void **state)
{
    (void)state;
    next_view_open(&f, HF_MEMBERS_MAX, 0);
    next_view_propose_without(&f, hf_view_all(&f.view) & ~hf_member_set_of(5));
    next_view_enter(&f);
    assert_true(f.view.absent == hf_member_set_of(5));
    next_view_come_back(&f, 5);
    assert_true(hf_proposal_joins(&f.node));
    next_view_propose_without(&f, hf_view_voters(&f.view));
    next_view_expect_rules(&f);
    assert_true(f.next.absent == 0);
}

/* Leaving. */

/* What the members in @set say in their heartbeats; node 0 is ourselves. */
static void hear_leaving(hf_member_set set, enum hf_leaving leaving)
{
    f.node.peer_count = 0;
    f.node.leaving = (set & 1) != 0 ? leaving : HF_LEAVING_NO;
    for (uint8_t i = 1; i < f.view.member_count; i++) {
        struct hf_peer *peer = next_view_add_peer(&f, &f.view.members[i]);
        bool leaves = (set & hf_member_set_of(i)) != 0;
        peer->member = i;
        peer->beat.state = HF_STATE_ACTIVE;
        peer->beat.leaving = (uint8_t)(leaves ? leaving : HF_LEAVING_NO);
        f.members[i].peer = peer;
    }
}

/* @member says so, others take over, and it goes when it is ready to. */
static void leave_of_four(uint8_t member)
{
    hf_member_set set = hf_member_set_of(member);
    next_view_open(&f, 4, 1);
    hear_leaving(set, HF_LEAVING_READY); /* It may go, but not with data. */
    assert_true(hf_proposal_leaves(&f.node));
    next_view_propose_without(&f, 0xf);
    next_view_expect_rules(&f);
    assert_true(f.next.leaving == set);
    next_view_enter(&f);

    hear_leaving(set, HF_LEAVING_READY);
    assert_false(hf_proposal_leaves(&f.node)); /* It still has copies. */
    assert_true(next_view_settle(&f) >= 2);
    hear_leaving(set, HF_LEAVING_DRAIN);
    assert_false(hf_proposal_leaves(&f.node)); /* It still has clients. */
    next_view_propose_without(&f, 0xf);
    assert_int_equal(f.next.member_count, 4);

    hear_leaving(set, HF_LEAVING_READY);
    assert_true(hf_proposal_leaves(&f.node));
    next_view_propose_without(&f, 0xf);
    assert_int_equal(f.next.member_count, 3);
    assert_true(f.next.leaving == 0);
    assert_true(f.next.absent == 0);
    assert_int_equal(hf_view_find_id(&f.next, f.view.members[member].id),
                     HF_MEMBER_NONE);
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        assert_int_equal(f.next.acting[p].count, 2);
    }
}

static void who_leaves_goes_when_others_have_everything(void **state)
{
    (void)state;
    leave_of_four(1);
    leave_of_four(0); /* Ourselves. */
}

static void when_all_leave_nobody_goes(void **state)
{
    (void)state;
    next_view_open(&f, 2, 1);
    hear_leaving(0x3, HF_LEAVING_READY);
    assert_false(hf_proposal_leaves(&f.node));
    next_view_propose_without(&f, 0x3);
    next_view_expect_rules(&f);
    assert_int_equal(f.next.member_count, 2);
}

/* Joiners. */

static struct hf_peer *add_stranger(uint64_t number)
{
    struct hf_peer_info info = next_view_info(number);
    return next_view_add_peer(&f, &info);
}

static void whoever_asks_to_join_is_appended(void **state)
{
    (void)state;
    next_view_open(&f, 2, 1);
    (void)add_stranger(10);
    struct hf_peer *out = add_stranger(11);
    out->beat.state = HF_STATE_OUT;
    out->beat.cluster = NEXT_VIEW_CLUSTER;
    out->beat.epoch = NEXT_VIEW_EPOCH;
    out->beat.reach = hf_view_all(&f.view);
    assert_true(hf_proposal_joins(&f.node));

    next_view_propose(&f, hf_view_all(&f.view));

    next_view_expect_rules(&f);
    assert_int_equal(f.next.member_count, 4);
    assert_true(f.next.members[2].incarnation ==
                next_view_info(10).incarnation);
    assert_true(f.next.members[3].incarnation ==
                next_view_info(11).incarnation);
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        assert_true((hf_view_copies(&f.next, p) & 0xc) == 0); /* No data. */
    }
}

static void expect_joins(bool expected)
{
    assert_int_equal(hf_proposal_joins(&f.node), expected);
    next_view_propose(&f, hf_view_all(&f.view));
    assert_int_equal(f.next.member_count, expected ? 3 : 2);
    f.node.peer_count = 0;
}

/* Whoever was left out must reach everybody again, and be reached. */
static void who_does_not_reach_everybody_is_left_out(void **state)
{
    (void)state;
    next_view_open(&f, 2, 1);
    struct hf_peer *out = add_stranger(10);
    out->beat.state = HF_STATE_OUT;
    out->beat.cluster = NEXT_VIEW_CLUSTER;
    out->beat.epoch = NEXT_VIEW_EPOCH - 1;
    out->beat.reach = hf_view_all(&f.view);
    assert_false(hf_proposal_joins(&f.node)); /* Of members it knows of. */
    out->beat.epoch = NEXT_VIEW_EPOCH;
    out->beat.reach = 0x1;
    assert_false(hf_proposal_joins(&f.node));
    out->beat.reach = 0x3;
    assert_true(hf_proposal_joins(&f.node));

    struct hf_peer *other = next_view_add_peer(&f, &f.view.members[1]);
    other->member = 1;
    other->beat.state = HF_STATE_ACTIVE;
    f.members[1].heard = NEXT_VIEW_NOW;
    other->beat.epoch = NEXT_VIEW_EPOCH;
    assert_false(hf_proposal_joins(&f.node)); /* It does not list the guest. */
    other->beat.guest_count = 1;
    other->beat.guests[0] = out->info.incarnation;
    assert_true(hf_proposal_joins(&f.node));
}

static void who_is_not_ready_to_join_is_left_out(void **state)
{
    (void)state;
    next_view_open(&f, 2, 1);
    (void)add_stranger(10);
    expect_joins(true);
    for (unsigned channel = 0; channel < HF_CHANNEL_COUNT; channel++) {
        add_stranger(10)->out_up[channel] = false;
        expect_joins(false);
        add_stranger(10)->in_up[channel] = false;
        expect_joins(false);
    }
    add_stranger(10)->has_beat = false;
    expect_joins(false);
    add_stranger(10)->beat.state = HF_STATE_ACTIVE;
    expect_joins(false);
    add_stranger(10)->heard = NEXT_VIEW_NOW - 500;
    expect_joins(true);
    add_stranger(10)->heard = NEXT_VIEW_NOW - 501;
    expect_joins(false);
    struct hf_peer *ahead =
        add_stranger(10); /* It knows a later view of ours. */
    ahead->beat.cluster = NEXT_VIEW_CLUSTER;
    ahead->beat.epoch = NEXT_VIEW_EPOCH + 1;
    expect_joins(false);
    ahead = add_stranger(10); /* A later one of others is no matter. */
    ahead->beat.cluster = NEXT_VIEW_CLUSTER + 1;
    ahead->beat.epoch = NEXT_VIEW_EPOCH + 1;
    expect_joins(true);
}

static void members_do_not_join_again(void **state)
{
    (void)state;
    next_view_open(&f, 2, 1);
    struct hf_peer *peer = add_stranger(1);
    peer->member = 1;
    expect_joins(false);
}

/* The same name with a new incarnation, while the old one is in the view. */
static void a_restarted_member_joins_once_the_old_one_is_dead(void **state)
{
    (void)state;
    next_view_open(&f, 3, 1);
    struct hf_peer *peer = add_stranger(1);
    peer->info.incarnation = 99999;
    assert_false(hf_proposal_joins(&f.node));

    f.node.dead = 0x2;
    assert_true(hf_proposal_joins(&f.node));
    next_view_propose(&f,
                      0x7); /* The old one takes part nonetheless: it stays. */
    assert_int_equal(f.next.member_count, 3);
    next_view_propose(&f, 0x5);
    next_view_expect_rules(&f);

    assert_int_equal(f.next.member_count, 3);
    assert_true(f.next.members[2].id == next_view_info(1).id);
    assert_true(f.next.members[2].incarnation == 99999);
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        /* What the old one held is gone with it, but for lost partitions. */
        bool lost = next_view_moved(&f, hf_view_copies(&f.view, p)) == 0;
        assert_true((hf_view_copies(&f.next, p) & 0x4) == 0 || lost);
    }
}

static void a_full_view_takes_nobody_in(void **state)
{
    (void)state;
    next_view_open(&f, HF_MEMBERS_MAX - 1, 1);
    for (uint64_t i = 0; i < 10; i++) {
        (void)add_stranger(100 + i);
    }
    next_view_propose(&f, hf_view_all(&f.view));
    next_view_expect_rules(&f);
    assert_int_equal(f.next.member_count, HF_MEMBERS_MAX);
    assert_true(f.next.members[HF_MEMBERS_MAX - 1].id ==
                next_view_info(100).id);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_reason_nothing_changes),
        cmocka_unit_test(members_that_left_move_the_others_up),
        cmocka_unit_test(the_heir_of_a_dead_primary_is_promoted),
        cmocka_unit_test(an_heir_that_is_wanted_goes_before_others),
        cmocka_unit_test(a_partition_without_a_copy_goes_to_its_owner),
        cmocka_unit_test(a_nominated_learner_becomes_a_copy),
        cmocka_unit_test(a_nominee_that_left_is_no_copy),
        cmocka_unit_test(a_promotion_takes_in_no_learner),
        cmocka_unit_test(data_moves_to_where_it_is_wanted_in_two_views),
        cmocka_unit_test(a_slow_copy_is_dropped_where_it_is_in_the_way),
        cmocka_unit_test(a_primary_that_most_call_slow_is_replaced),
        cmocka_unit_test(the_last_copy_stays_however_slow_it_is),
        cmocka_unit_test(a_slow_nominee_is_no_copy),
        cmocka_unit_test(reports_that_make_no_sense_are_ignored),
        cmocka_unit_test(moves_know_of_copies_that_are_being_filled),
        cmocka_unit_test(a_silent_last_copy_stays_as_absent),
        cmocka_unit_test(what_only_the_dead_had_is_lost),
        cmocka_unit_test(what_the_dead_may_have_passed_on_is_not_lost),
        cmocka_unit_test(what_others_may_have_from_the_dead_is_not_lost),
        cmocka_unit_test(of_two_that_come_back_one_has_it),
        cmocka_unit_test(a_silent_copy_that_is_not_the_last_is_left_out),
        cmocka_unit_test(an_absent_member_comes_back_to_a_full_view),
        cmocka_unit_test(who_leaves_goes_when_others_have_everything),
        cmocka_unit_test(when_all_leave_nobody_goes),
        cmocka_unit_test(whoever_asks_to_join_is_appended),
        cmocka_unit_test(who_does_not_reach_everybody_is_left_out),
        cmocka_unit_test(who_is_not_ready_to_join_is_left_out),
        cmocka_unit_test(members_do_not_join_again),
        cmocka_unit_test(a_restarted_member_joins_once_the_old_one_is_dead),
        cmocka_unit_test(a_full_view_takes_nobody_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
