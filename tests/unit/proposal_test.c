#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/rng.h"
#include "core/node_state.h"

#define NOW 50000
#define CLUSTER 4242
#define EPOCH ((hf_epoch)7 << 32)

/* Of a node, only what a proposal looks at. */
struct fixture {
    struct hf_node node;
    struct hf_view view; /* The old one. */
    struct hf_owners targets[HF_PARTITION_COUNT];
    struct hf_peer peers[HF_PEERS_MAX];
    struct hf_nomination nominations[HF_NOMINATIONS_MAX];
    struct hf_view next;                               /* What was proposed, */
    struct hf_owners next_targets[HF_PARTITION_COUNT]; /* its targets, */
    uint8_t map[HF_MEMBERS_MAX]; /* where old members are in it, */
    hf_member_set live;          /* and which of those take part. */
    struct hf_rng rng;
};

static struct fixture f; /* Too large for a stack. */

static struct hf_peer_info info_of(uint64_t number)
{
    struct hf_peer_info info = {.id = 1000 + number * 7919,
                                .incarnation = 5000 + number};
    info.label[0] = (char)('a' + number % 26);
    info.name[0] = (char)('A' + number % 26);
    return info;
}

static void refresh_targets(void)
{
    hf_view_targets(&f.view, f.targets);
    f.node.settled_map = hf_view_is_settled(&f.view, f.targets);
}

/* A view where every partition is where it should be. */
static void open_view(uint8_t member_count, uint8_t backups)
{
    memset(&f, 0, sizeof(f));
    hf_rng_init(&f.rng, 1);
    f.node.view = &f.view;
    f.node.targets = f.targets;
    f.node.peers = f.peers;
    f.node.nominations = f.nominations;
    f.node.now = NOW;
    f.node.state = HF_STATE_ACTIVE;
    f.view = (struct hf_view){.epoch = EPOCH,
                              .base = EPOCH - 1,
                              .cluster = CLUSTER,
                              .backups = backups,
                              .member_count = member_count};
    for (uint8_t i = 0; i < member_count; i++) {
        f.view.members[i] = info_of(i);
    }
    hf_view_targets(&f.view, f.targets);
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        f.view.acting[p].count = f.targets[p].count;
        memcpy(f.view.acting[p].members, f.targets[p].members,
               f.targets[p].count);
    }
    refresh_targets();
    assert_true(f.node.settled_map);
}

static void nominate(uint16_t partition, uint8_t member)
{
    assert_true(f.node.nomination_count < HF_NOMINATIONS_MAX);
    f.nominations[f.node.nomination_count++] =
        (struct hf_nomination){partition, member};
}

/* Absent members that came back and ask to be taken in again. */
static hf_member_set back(void)
{
    hf_member_set set = 0;
    for (size_t i = 0; i < f.node.peer_count; i++) {
        if (f.peers[i].member != HF_MEMBER_NONE) {
            set |= f.view.absent & hf_member_set_of(f.peers[i].member);
        }
    }
    return set;
}

static void propose_without(hf_member_set voters)
{
    memset(&f.next, 0xee, sizeof(f.next)); /* What was there is no matter. */
    proposal_make(&f.node, voters, &f.next);
    hf_view_targets(&f.next, f.next_targets);
    f.live = voters | back();
    for (uint8_t i = 0; i < f.view.member_count; i++) {
        const struct hf_peer_info *info = &f.view.members[i];
        f.map[i] = hf_view_find(&f.next, info->id, info->incarnation);
    }
}

/* Whoever is no voter is certified dead. */
static void propose(hf_member_set voters)
{
    f.node.dead |= hf_view_all(&f.view) & ~voters;
    propose_without(voters);
}

static hf_member_set everybody(void)
{
    return hf_view_all(&f.view);
}

/* The old members of @set in the new view, by their new indexes. */
static hf_member_set moved(hf_member_set set)
{
    hf_member_set result = 0;
    for (uint8_t i = 0; i < f.view.member_count; i++) {
        if ((set & hf_member_set_of(i)) != 0 && f.map[i] != HF_MEMBER_NONE) {
            result |= hf_member_set_of(f.map[i]);
        }
    }
    return result;
}

static hf_member_set set_of_owners(const struct hf_owners *owners)
{
    hf_member_set set = 0;
    for (uint8_t i = 0; i < owners->count; i++) {
        set |= hf_member_set_of(owners->members[i]);
    }
    return set;
}

/* The nominated members of a partition, as far as they are heard: the first
 * HF_COPIES_MAX nominations. */
static hf_member_set nominees_of(uint16_t partition)
{
    hf_member_set set = 0;
    unsigned heard = 0;
    for (size_t i = 0; i < f.node.nomination_count; i++) {
        if (f.nominations[i].partition == partition &&
            heard++ < HF_COPIES_MAX) {
            set |= hf_member_set_of(f.nominations[i].member);
        }
    }
    return set;
}

/* The rules at the top of proposal.c, said in another way. */

static void expect_well_formed(const struct hf_acting *acting)
{
    assert_in_range(acting->count, 1, HF_COPIES_MAX);
    hf_member_set seen = 0;
    for (uint8_t i = 0; i < acting->count; i++) {
        assert_true(acting->members[i] < f.next.member_count);
        seen |= hf_member_set_of(acting->members[i]);
    }
    assert_int_equal(hf_member_set_count(seen), acting->count);
}

/* The primary lives, and stays or hands over to the wanted one. */
static void expect_moved(uint16_t p, hf_member_set stayed, uint8_t primary)
{
    const struct hf_acting *next = &f.next.acting[p];
    hf_member_set copies = hf_view_copies(&f.next, p);
    hf_member_set wanted = set_of_owners(&f.next_targets[p]);
    hf_member_set candidates = stayed | moved(nominees_of(p) & f.live);
    unsigned wanted_count = f.next_targets[p].count;
    assert_true((copies & ~candidates) == 0);
    if (hf_member_set_count(candidates) <= HF_COPIES_MAX) {
        assert_true((candidates & wanted & ~copies) == 0);
    }
    if (next->members[0] != primary) {
        assert_int_equal(next->members[0], f.next_targets[p].members[0]);
        assert_true((wanted & ~copies) == 0);
        assert_true((stayed & ~copies) == 0); /* Nobody dropped as well. */
        return;
    }
    assert_true(primary == f.next_targets[p].members[0] ||
                (wanted & ~candidates) != 0 ||
                hf_member_set_count(candidates) > HF_COPIES_MAX);
    hf_member_set dropped = candidates & ~copies;
    assert_true((dropped & wanted) == 0 ||
                hf_member_set_count(candidates) > HF_COPIES_MAX);
    if (dropped != 0) {
        assert_true(next->count >= wanted_count);
    }
    /* And what nobody wants is dropped, once it can be spared. */
    hf_member_set unwanted = copies & ~wanted & ~hf_member_set_of(primary);
    assert_true(unwanted == 0 || next->count <= wanted_count);
}

/* Nobody who takes part has a copy. */
static void expect_kept_or_lost(uint16_t p)
{
    const struct hf_acting *next = &f.next.acting[p];
    hf_member_set waits = moved(hf_view_copies(&f.view, p) & ~f.node.dead);
    if (waits != 0) {
        assert_true((waits & ~f.next.absent) == 0);
        assert_true(hf_view_copies(&f.next, p) == waits);
        return;
    }
    assert_int_equal(next->count, 1);
    assert_int_equal(next->members[0], f.next_targets[p].members[0]);
}

static void expect_rules(uint16_t p)
{
    const struct hf_acting *old = &f.view.acting[p];
    const struct hf_acting *next = &f.next.acting[p];
    hf_member_set stayed = moved(hf_view_copies(&f.view, p) & f.live);
    uint8_t target = f.next_targets[p].members[0];
    expect_well_formed(next);
    if (stayed == 0) {
        expect_kept_or_lost(p);
        return;
    }
    if ((f.live & hf_member_set_of(old->members[0])) == 0) {
        assert_true(hf_view_copies(&f.next, p) == stayed);
        if ((stayed & hf_member_set_of(target)) != 0) {
            assert_int_equal(next->members[0], target);
        }
        return;
    }
    expect_moved(p, stayed, f.map[old->members[0]]);
}

/* Members whose only fault is silence, with the last copies of something. */
static hf_member_set needed(void)
{
    hf_member_set set = 0;
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        hf_member_set copies = hf_view_copies(&f.view, p);
        set |= (copies & f.live) == 0 ? copies & ~f.node.dead : 0;
    }
    return set;
}

static void expect_members(void)
{
    uint8_t place = 0;
    hf_member_set stay = f.live | needed();
    for (uint8_t i = 0; i < f.view.member_count; i++) {
        if ((stay & hf_member_set_of(i)) == 0) {
            assert_int_equal(f.map[i], HF_MEMBER_NONE);
            continue;
        }
        assert_int_equal(f.map[i], place); /* In the order of rank. */
        assert_memory_equal(&f.next.members[place++], &f.view.members[i],
                            sizeof(f.view.members[i]));
    }
    assert_true(f.next.absent == moved(needed()));
    assert_true(f.next.member_count >= place);
}

static void expect_all_rules(void)
{
    assert_true(f.next.base == f.view.epoch);
    assert_true(f.next.cluster == CLUSTER);
    assert_int_equal(f.next.backups, f.view.backups);
    expect_members();
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        expect_rules(p);
    }
}

/* Rules one by one. */

static void without_a_reason_nothing_changes(void **state)
{
    (void)state;
    open_view(4, 1);
    propose(everybody());
    expect_all_rules();
    assert_int_equal(f.next.member_count, 4);
    assert_memory_equal(f.next.members, f.view.members,
                        4 * sizeof(f.view.members[0]));
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        assert_int_equal(f.next.acting[p].count, f.view.acting[p].count);
        assert_memory_equal(f.next.acting[p].members, f.view.acting[p].members,
                            f.view.acting[p].count);
    }
    assert_false(proposal_moves(&f.node));
}

static void members_that_left_move_the_others_up(void **state)
{
    (void)state;
    open_view(5, 1);
    propose(0x1a); /* 1, 3, 4. */
    expect_all_rules();
    assert_int_equal(f.next.member_count, 3);
    assert_true(f.next.members[0].id == f.view.members[1].id);
    assert_true(f.next.members[1].id == f.view.members[3].id);
    assert_true(f.next.members[2].id == f.view.members[4].id);
}

/* Placement makes the first backup the heir, so no data moves. */
static void the_heir_of_a_dead_primary_is_promoted(void **state)
{
    (void)state;
    open_view(4, 1);
    hf_member_set voters = 0xe;
    propose(voters);
    expect_all_rules();
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
    open_view(4, 3);
    propose(0xe);
    /* All three have copies: whoever placement wants is the primary. */
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        assert_int_equal(f.next.acting[p].count, 3);
        assert_int_equal(f.next.acting[p].members[0],
                         f.next_targets[p].members[0]);
    }
    expect_all_rules();
}

static void a_partition_without_a_copy_goes_to_its_owner(void **state)
{
    (void)state;
    open_view(3, 0);
    propose(0x3);
    expect_all_rules();
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
    open_view(member_count, backups);
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        f.view.acting[p] = (struct hf_acting){.count = 1};
    }
    refresh_targets();
}

static void a_nominated_learner_becomes_a_copy(void **state)
{
    (void)state;
    open_lone_copies(2, 1);
    assert_false(proposal_moves(&f.node));
    nominate(5, 1);
    assert_true(proposal_moves(&f.node));
    propose(everybody());
    expect_all_rules();
    assert_int_equal(f.next.acting[5].count, 2);
    assert_int_equal(f.next.acting[6].count, 1);
}

static void a_nominee_that_left_is_no_copy(void **state)
{
    (void)state;
    open_lone_copies(3, 1);
    nominate(5, 1);
    propose(0x5);
    expect_all_rules();
    assert_int_equal(f.next.acting[5].count, 1);
}

/* The new primary may need what the dead one's copies have: one at a time. */
static void a_promotion_takes_in_no_learner(void **state)
{
    (void)state;
    open_view(4, 1);
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        for (uint8_t i = 0; i < 4; i++) {
            nominate(p, i);
        }
    }
    propose(0xe);
    expect_all_rules();
}

static struct hf_peer *add_peer(const struct hf_peer_info *info)
{
    struct hf_peer *peer = &f.peers[f.node.peer_count++];
    *peer = (struct hf_peer){.info = *info,
                             .out_up = {true, true},
                             .in_up = {true, true},
                             .heard = NOW,
                             .member = HF_MEMBER_NONE,
                             .has_beat = true,
                             .beat = {.state = HF_STATE_STARTING}};
    return peer;
}

/* The member in another view than ours, as it is once it hears of ours. */
static void come_back(uint8_t member)
{
    struct hf_peer *peer = add_peer(&f.view.members[member]);
    peer->member = member;
    peer->beat.state = HF_STATE_OUT;
    peer->beat.cluster = CLUSTER;
    peer->beat.epoch = f.view.epoch;
}

/* What was proposed is agreed on. */
static void enter_next(void)
{
    f.next.epoch = f.view.epoch + 1;
    f.view = f.next;
    f.node.dead = 0;
    f.node.nomination_count = 0;
    f.node.peer_count = 0;
    refresh_targets();
}

/* Brings one view after the other until nothing moves. */
static unsigned settle(void)
{
    unsigned views = 0;
    while (!f.node.settled_map && views < 10) {
        f.node.nomination_count = 0;
        for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
            hf_member_set missing =
                set_of_owners(&f.targets[p]) & ~hf_view_copies(&f.view, p);
            while (missing != 0) {
                uint8_t member = hf_member_set_first(missing);
                nominate(p, member);
                missing &= ~hf_member_set_of(member);
            }
        }
        assert_true(proposal_moves(&f.node));
        propose(everybody());
        expect_all_rules();
        enter_next();
        views++;
    }
    assert_false(proposal_moves(&f.node));
    return views;
}

static void data_moves_to_where_it_is_wanted_in_two_views(void **state)
{
    (void)state;
    for (uint8_t backups = 0; backups <= HF_BACKUPS_MAX; backups++) {
        open_lone_copies(5, backups);
        unsigned views = settle();
        assert_true(f.node.settled_map);
        assert_int_equal(views, 2); /* Copies and primaries; then drops. */
    }
}

/* The only copy is silent but not known to be dead: nobody else may start the
 * partition empty. */
static void a_silent_last_copy_stays_as_absent(void **state)
{
    (void)state;
    open_view(3, 0);
    propose_without(0x3);
    expect_all_rules();
    assert_int_equal(f.next.member_count, 3);
    assert_true(f.next.absent == 0x4);
    enter_next();
    assert_true(f.node.settled_map || !proposal_moves(&f.node));
    assert_false(proposal_joins(&f.node));

    come_back(2);
    assert_true(proposal_joins(&f.node));
    propose_without(0x3);
    expect_all_rules();
    assert_true(f.next.absent == 0);
    assert_int_equal(f.next.member_count, 3);
}

static void what_only_the_dead_had_is_lost(void **state)
{
    (void)state;
    open_view(3, 0);
    propose_without(0x3);
    enter_next();
    f.node.dead = 0x4;
    propose_without(0x3);
    expect_all_rules();
    assert_int_equal(f.next.member_count, 2);
    assert_true(f.next.absent == 0);
}

static void a_silent_copy_that_is_not_the_last_is_left_out(void **state)
{
    (void)state;
    open_view(3, 1);
    propose_without(0x3);
    expect_all_rules();
    assert_int_equal(f.next.member_count, 2);
    assert_true(f.next.absent == 0);
}

static void an_absent_member_comes_back_to_a_full_view(void **state)
{
    (void)state;
    open_view(HF_MEMBERS_MAX, 0);
    propose_without(everybody() & ~hf_member_set_of(5));
    enter_next();
    assert_true(f.view.absent == hf_member_set_of(5));
    come_back(5);
    assert_true(proposal_joins(&f.node));
    propose_without(hf_view_voters(&f.view));
    expect_all_rules();
    assert_true(f.next.absent == 0);
}

/* Leaving. */

/* What the members in @set say in their heartbeats. */
static void hear_leaving(hf_member_set set)
{
    f.node.peer_count = 0;
    for (uint8_t i = 0; i < f.view.member_count; i++) {
        struct hf_peer *peer = add_peer(&f.view.members[i]);
        peer->member = i;
        peer->beat.state = HF_STATE_ACTIVE;
        peer->beat.leaving = (set & hf_member_set_of(i)) != 0;
    }
}

static void who_leaves_goes_when_others_have_everything(void **state)
{
    (void)state;
    open_view(4, 1);
    hear_leaving(0x2);
    assert_true(proposal_leaves(&f.node));
    propose_without(0xf);
    expect_all_rules();
    assert_true(f.next.leaving == 0x2);
    enter_next();
    assert_false(proposal_leaves(&f.node)); /* It still has copies. */
    assert_true(settle() >= 2);
    assert_true(proposal_leaves(&f.node));
    propose_without(0xf);

    assert_int_equal(f.next.member_count, 3);
    assert_true(f.next.leaving == 0);
    assert_true(f.next.absent == 0);
    assert_int_equal(hf_view_find_id(&f.next, f.view.members[1].id),
                     HF_MEMBER_NONE);
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        assert_int_equal(f.next.acting[p].count, 2);
    }
}

static void when_all_leave_nobody_goes(void **state)
{
    (void)state;
    open_view(2, 1);
    hear_leaving(0x3);
    assert_false(proposal_leaves(&f.node));
    propose_without(0x3);
    expect_all_rules();
    assert_int_equal(f.next.member_count, 2);
}

/* Random views. */

static void choose_acting(struct hf_acting *acting)
{
    unsigned most = f.view.member_count < HF_COPIES_MAX ? f.view.member_count
                                                        : HF_COPIES_MAX;
    hf_member_set taken = 0;
    acting->count = (uint8_t)(1 + hf_rng_below(&f.rng, most));
    for (uint8_t i = 0; i < acting->count; i++) {
        uint8_t member;
        do {
            member = (uint8_t)hf_rng_below(&f.rng, f.view.member_count);
        } while ((taken & hf_member_set_of(member)) != 0);
        taken |= hf_member_set_of(member);
        acting->members[i] = member;
    }
}

/* Copies where chance puts them; some partitions as placement wants them. */
static void open_random_view(uint64_t seed, uint8_t members_max)
{
    struct hf_rng rng;
    hf_rng_init(&rng, seed);
    open_view((uint8_t)(1 + hf_rng_below(&rng, members_max)),
              (uint8_t)hf_rng_below(&rng, 1 + HF_BACKUPS_MAX));
    f.rng = rng;
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        if (hf_rng_chance(&f.rng, 4, 5)) {
            choose_acting(&f.view.acting[p]);
        }
    }
    refresh_targets();
}

/* Of all sorts: copies that are there, twice the same, of whom left. */
static void nominate_at_random(void)
{
    for (unsigned i = 0; i < HF_NOMINATIONS_MAX; i++) {
        uint16_t few = (uint16_t)hf_rng_below(&f.rng, 60);
        uint16_t any = (uint16_t)hf_rng_below(&f.rng, HF_PARTITION_COUNT);
        nominate(hf_rng_chance(&f.rng, 1, 2) ? few : any,
                 (uint8_t)hf_rng_below(&f.rng, f.view.member_count));
    }
}

static hf_member_set choose_voters(void)
{
    hf_member_set all = hf_view_voters(&f.view);
    hf_member_set voters = 0;
    while (voters == 0) {
        voters = hf_rng_next(&f.rng) & all;
        if (hf_rng_chance(&f.rng, 1, 2)) {
            voters |= hf_rng_next(&f.rng) & all;
        }
    }
    return hf_rng_chance(&f.rng, 1, 4) ? all : voters;
}

/* Three changes in a row: silence, deaths, some that come back. */
static void random_views_are_changed_by_the_rules(void **state)
{
    (void)state;
    unsigned waited = 0;
    for (uint64_t seed = 0; seed < 100; seed++) {
        open_random_view(seed, seed % 3 == 0 ? 16 : 6);
        for (unsigned round = 0; round < 3; round++) {
            if (seed % 2 == 0) {
                nominate_at_random();
            }
            hf_member_set voters = choose_voters();
            f.node.dead = hf_rng_next(&f.rng) & everybody() & ~voters;
            for (uint8_t i = 0; i < f.view.member_count; i++) {
                if ((f.view.absent & ~f.node.dead & hf_member_set_of(i)) != 0 &&
                    hf_rng_chance(&f.rng, 1, 2)) {
                    come_back(i);
                }
            }
            propose_without(voters);
            expect_all_rules();
            waited += f.next.absent != 0 ? 1 : 0;
            enter_next();
        }
    }
    assert_true(waited > 50);
}

static void random_views_settle(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 60; seed++) {
        open_random_view(seed, seed % 3 == 0 ? 16 : 6);
        unsigned views = settle();
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
            propose(everybody());
            bool differs = false;
            for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
                const struct hf_acting *a = &f.next.acting[p];
                const struct hf_acting *b = &f.view.acting[p];
                differs = differs || a->count != b->count ||
                          memcmp(a->members, b->members, a->count) != 0;
            }
            assert_int_equal(proposal_moves(&f.node), differs);
            f.view = f.next;
            f.view.epoch = EPOCH + round;
            refresh_targets();
        }
    }
}

/* Joiners. */

static struct hf_peer *add_stranger(uint64_t number)
{
    struct hf_peer_info info = info_of(number);
    return add_peer(&info);
}

static void whoever_asks_to_join_is_appended(void **state)
{
    (void)state;
    open_view(2, 1);
    (void)add_stranger(10);
    struct hf_peer *out = add_stranger(11);
    out->beat.state = HF_STATE_OUT;
    out->beat.cluster = CLUSTER;
    out->beat.epoch = EPOCH - 5;
    assert_true(proposal_joins(&f.node));

    propose(everybody());

    expect_all_rules();
    assert_int_equal(f.next.member_count, 4);
    assert_true(f.next.members[2].incarnation == info_of(10).incarnation);
    assert_true(f.next.members[3].incarnation == info_of(11).incarnation);
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        assert_true((hf_view_copies(&f.next, p) & 0xc) == 0); /* No data. */
    }
}

static void expect_joins(bool expected)
{
    assert_int_equal(proposal_joins(&f.node), expected);
    propose(everybody());
    assert_int_equal(f.next.member_count, expected ? 3 : 2);
    f.node.peer_count = 0;
}

static void who_is_not_ready_to_join_is_left_out(void **state)
{
    (void)state;
    open_view(2, 1);
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
    add_stranger(10)->heard = NOW - 500;
    expect_joins(true);
    add_stranger(10)->heard = NOW - 501;
    expect_joins(false);
    struct hf_peer *ahead =
        add_stranger(10); /* It knows a later view of ours. */
    ahead->beat.cluster = CLUSTER;
    ahead->beat.epoch = EPOCH + 1;
    expect_joins(false);
    ahead = add_stranger(10); /* A later one of others is no matter. */
    ahead->beat.cluster = CLUSTER + 1;
    ahead->beat.epoch = EPOCH + 1;
    expect_joins(true);
}

static void members_do_not_join_again(void **state)
{
    (void)state;
    open_view(2, 1);
    struct hf_peer *peer = add_stranger(1);
    peer->member = 1;
    expect_joins(false);
}

/* The same name with a new incarnation, while the old one is in the view. */
static void a_restarted_member_joins_once_the_old_one_is_dead(void **state)
{
    (void)state;
    open_view(3, 1);
    struct hf_peer *peer = add_stranger(1);
    peer->info.incarnation = 99999;
    assert_false(proposal_joins(&f.node));

    f.node.dead = 0x2;
    assert_true(proposal_joins(&f.node));
    propose(0x7); /* The old one takes part nonetheless: it stays. */
    assert_int_equal(f.next.member_count, 3);
    propose(0x5);
    expect_all_rules();

    assert_int_equal(f.next.member_count, 3);
    assert_true(f.next.members[2].id == info_of(1).id);
    assert_true(f.next.members[2].incarnation == 99999);
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        /* What the old one held is gone with it, but for lost partitions. */
        bool lost = moved(hf_view_copies(&f.view, p)) == 0;
        assert_true((hf_view_copies(&f.next, p) & 0x4) == 0 || lost);
    }
}

static void a_full_view_takes_nobody_in(void **state)
{
    (void)state;
    open_view(HF_MEMBERS_MAX - 1, 1);
    for (uint64_t i = 0; i < 10; i++) {
        (void)add_stranger(100 + i);
    }
    propose(everybody());
    expect_all_rules();
    assert_int_equal(f.next.member_count, HF_MEMBERS_MAX);
    assert_true(f.next.members[HF_MEMBERS_MAX - 1].id == info_of(100).id);
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
        cmocka_unit_test(a_silent_last_copy_stays_as_absent),
        cmocka_unit_test(what_only_the_dead_had_is_lost),
        cmocka_unit_test(a_silent_copy_that_is_not_the_last_is_left_out),
        cmocka_unit_test(an_absent_member_comes_back_to_a_full_view),
        cmocka_unit_test(who_leaves_goes_when_others_have_everything),
        cmocka_unit_test(when_all_leave_nobody_goes),
        cmocka_unit_test(random_views_are_changed_by_the_rules),
        cmocka_unit_test(random_views_settle),
        cmocka_unit_test(moves_are_seen_if_and_only_if_there_are_any),
        cmocka_unit_test(whoever_asks_to_join_is_appended),
        cmocka_unit_test(who_is_not_ready_to_join_is_left_out),
        cmocka_unit_test(members_do_not_join_again),
        cmocka_unit_test(a_restarted_member_joins_once_the_old_one_is_dead),
        cmocka_unit_test(a_full_view_takes_nobody_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
