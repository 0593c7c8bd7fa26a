#include "support/next_view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

struct hf_peer_info next_view_info(uint64_t number)
{
    struct hf_peer_info info = {.id = 1000 + number * 7919,
                                .incarnation = 5000 + number};
    info.label[0] = (char)('a' + number % 26);
    info.name[0] = (char)('A' + number % 26);
    return info;
}

void next_view_refresh(struct next_view *n)
{
    hf_view_targets(&n->view, n->targets);
    n->node.settled_map = hf_view_is_settled(&n->view, n->targets);
}

void next_view_open(struct next_view *n, uint8_t member_count, uint8_t backups)
{
    memset(n, 0, sizeof(*n));
    n->node.view = &n->view;
    n->node.targets = n->targets;
    n->node.peers = n->peers;
    n->node.members = n->members;
    n->node.nominations = n->nominations;
    n->node.now = NEXT_VIEW_NOW;
    n->node.state = HF_STATE_ACTIVE;
    n->view = (struct hf_view){.epoch = NEXT_VIEW_EPOCH,
                               .base = NEXT_VIEW_EPOCH - 1,
                               .founded_ms = NEXT_VIEW_FOUNDED_MS,
                               .cluster = NEXT_VIEW_CLUSTER,
                               .lineage_count = 1,
                               .lineages = {{.id = NEXT_VIEW_CLUSTER}},
                               .backups = backups,
                               .member_count = member_count};
    for (uint8_t i = 0; i < member_count; i++) {
        n->view.members[i] = next_view_info(i);
    }
    hf_view_targets(&n->view, n->targets);
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        n->view.acting[p].count = n->targets[p].count;
        memcpy(n->view.acting[p].members, n->targets[p].members,
               n->targets[p].count);
    }
    next_view_refresh(n);
    assert_true(n->node.settled_map);
}

void next_view_nominate(struct next_view *n, uint16_t partition, uint8_t member)
{
    assert_true(n->node.nomination_count < HF_NOMINATIONS_MAX);
    n->nominations[n->node.nomination_count++] =
        (struct hf_nomination){partition, member};
}

/* Absent members that came back and ask to be taken in again. */
static hf_member_set back(const struct next_view *n)
{
    hf_member_set set = 0;
    for (size_t i = 0; i < n->node.peer_count; i++) {
        if (n->peers[i].member != HF_MEMBER_NONE) {
            set |= n->view.absent & hf_member_set_of(n->peers[i].member);
        }
    }
    return set;
}

void next_view_propose_without(struct next_view *n, hf_member_set voters)
{
    memset(&n->next, 0xee, sizeof(n->next)); /* What was there is no matter. */
    hf_proposal_make(&n->node, voters, &n->next);
    hf_view_targets(&n->next, n->next_targets);
    n->live = voters | back(n);
    for (uint8_t i = 0; i < n->view.member_count; i++) {
        const struct hf_peer_info *info = &n->view.members[i];
        n->map[i] = hf_view_find(&n->next, info->id, info->incarnation);
    }
}

void next_view_propose(struct next_view *n, hf_member_set voters)
{
    n->node.dead |= hf_view_all(&n->view) & ~voters;
    n->node.fresh = n->node.dead;
    next_view_propose_without(n, voters);
}

hf_member_set next_view_moved(const struct next_view *n, hf_member_set set)
{
    hf_member_set result = 0;
    for (uint8_t i = 0; i < n->view.member_count; i++) {
        if ((set & hf_member_set_of(i)) != 0 && n->map[i] != HF_MEMBER_NONE) {
            result |= hf_member_set_of(n->map[i]);
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
static hf_member_set nominees_of(const struct next_view *n, uint16_t partition)
{
    hf_member_set set = 0;
    unsigned heard = 0;
    for (size_t i = 0; i < n->node.nomination_count; i++) {
        if (n->nominations[i].partition == partition &&
            heard++ < HF_COPIES_MAX) {
            set |= hf_member_set_of(n->nominations[i].member);
        }
    }
    return set;
}

/* The rules at the top of proposal.c, said in another way. */

static void expect_well_formed(const struct next_view *n,
                               const struct hf_acting *acting)
{
    assert_in_range(acting->count, 1, HF_COPIES_MAX);
    hf_member_set seen = 0;
    for (uint8_t i = 0; i < acting->count; i++) {
        assert_true(acting->members[i] < n->next.member_count);
        seen |= hf_member_set_of(acting->members[i]);
    }
    assert_int_equal(hf_member_set_count(seen), acting->count);
}

/* The primary lives, and stays or hands over to the wanted one. */
static void expect_moved(const struct next_view *n, uint16_t p,
                         hf_member_set stayed, uint8_t primary)
{
    const struct hf_acting *next = &n->next.acting[p];
    hf_member_set copies = hf_view_copies(&n->next, p);
    hf_member_set wanted = set_of_owners(&n->next_targets[p]);
    hf_member_set candidates =
        stayed | next_view_moved(n, nominees_of(n, p) & n->live);
    unsigned wanted_count = n->next_targets[p].count;
    assert_true((copies & ~candidates) == 0);
    if (hf_member_set_count(candidates) <= HF_COPIES_MAX) {
        assert_true((candidates & wanted & ~copies) == 0);
    }
    if (next->members[0] != primary) {
        assert_int_equal(next->members[0], n->next_targets[p].members[0]);
        assert_true((wanted & ~copies) == 0);
        assert_true((stayed & ~copies) == 0); /* Nobody dropped as well. */
        return;
    }
    assert_true(primary == n->next_targets[p].members[0] ||
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

static bool was_away(const struct next_view *n, uint16_t p)
{
    uint8_t primary = n->view.acting[p].members[0];
    return (n->view.absent & hf_member_set_of(primary)) != 0;
}

/* All of @set are copies, or one, if they may differ since nobody kept them
 * level. */
static void expect_all_or_one(const struct next_view *n, uint16_t p,
                              hf_member_set set)
{
    hf_member_set copies = hf_view_copies(&n->next, p);
    assert_true((copies & ~set) == 0);
    assert_int_equal(hf_member_set_count(copies),
                     was_away(n, p) ? 1 : hf_member_set_count(set));
}

/* Nobody who takes part has a copy, but for nominated learners. */
static void expect_learnt_kept_or_lost(const struct next_view *n, uint16_t p)
{
    const struct hf_acting *next = &n->next.acting[p];
    hf_member_set learnt = next_view_moved(n, nominees_of(n, p) & n->live);
    if (learnt != 0) {
        expect_all_or_one(n, p, learnt);
        assert_false(next->empty);
        return;
    }
    hf_member_set waits =
        next_view_moved(n, hf_view_copies(&n->view, p) & ~n->node.dead);
    if (waits != 0) {
        assert_true((waits & ~n->next.absent) == 0);
        assert_true(hf_view_copies(&n->next, p) == waits);
        assert_false(next->empty);
        return;
    }
    assert_true(next->empty);
    assert_int_equal(next->count, 1);
    assert_int_equal(next->members[0], n->next_targets[p].members[0]);
}

static void expect_rules(const struct next_view *n, uint16_t p)
{
    const struct hf_acting *old = &n->view.acting[p];
    const struct hf_acting *next = &n->next.acting[p];
    hf_member_set stayed =
        next_view_moved(n, hf_view_copies(&n->view, p) & n->live);
    uint8_t target = n->next_targets[p].members[0];
    expect_well_formed(n, next);
    if (stayed == 0) {
        expect_learnt_kept_or_lost(n, p);
        return;
    }
    assert_false(next->empty);
    if (was_away(n, p)) {
        expect_all_or_one(n, p, stayed);
        return;
    }
    if ((n->live & hf_member_set_of(old->members[0])) == 0) {
        assert_true(hf_view_copies(&n->next, p) == stayed);
        if ((stayed & hf_member_set_of(target)) != 0) {
            assert_int_equal(next->members[0], target);
        }
        return;
    }
    expect_moved(n, p, stayed, n->map[old->members[0]]);
}

/* Members whose only fault is silence, with the last copies of something. */
static hf_member_set needed(const struct next_view *n)
{
    hf_member_set set = 0;
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        hf_member_set copies = hf_view_copies(&n->view, p);
        hf_member_set others = (copies | nominees_of(n, p)) & n->live;
        set |= others == 0 ? copies & ~n->node.dead : 0;
    }
    return set;
}

static void expect_members(const struct next_view *n)
{
    uint8_t place = 0;
    hf_member_set stay = n->live | needed(n);
    for (uint8_t i = 0; i < n->view.member_count; i++) {
        if ((stay & hf_member_set_of(i)) == 0) {
            assert_int_equal(n->map[i], HF_MEMBER_NONE);
            continue;
        }
        assert_int_equal(n->map[i], place); /* In the order of rank. */
        assert_memory_equal(&n->next.members[place++], &n->view.members[i],
                            sizeof(n->view.members[i]));
    }
    assert_true(n->next.absent == next_view_moved(n, needed(n)));
    assert_true(n->next.member_count >= place);
}

void next_view_expect_rules(const struct next_view *n)
{
    assert_true(n->next.base == n->view.epoch);
    assert_true(n->next.cluster == NEXT_VIEW_CLUSTER);
    assert_true(n->next.founded_ms == NEXT_VIEW_FOUNDED_MS);
    assert_int_equal(n->next.backups, n->view.backups);
    expect_members(n);
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        expect_rules(n, p);
    }
}

struct hf_peer *next_view_add_peer(struct next_view *n,
                                   const struct hf_peer_info *info)
{
    struct hf_peer *peer = &n->peers[n->node.peer_count++];
    *peer = (struct hf_peer){.info = *info,
                             .out_up = {true, true},
                             .in_up = {true, true},
                             .heard = NEXT_VIEW_NOW,
                             .bound = NEXT_VIEW_NOW,
                             .member = HF_MEMBER_NONE,
                             .has_beat = true,
                             .beat = {.state = HF_STATE_STARTING}};
    return peer;
}

void next_view_come_back(struct next_view *n, uint8_t member)
{
    struct hf_peer *peer = next_view_add_peer(n, &n->view.members[member]);
    peer->member = member;
    peer->beat.state = HF_STATE_OUT;
    peer->beat.cluster = NEXT_VIEW_CLUSTER;
    peer->beat.epoch = n->view.epoch;
    peer->beat.reach = hf_view_all(&n->view);
}

void next_view_enter(struct next_view *n)
{
    n->next.epoch = n->view.epoch + 1;
    n->view = n->next;
    n->node.dead = 0;
    n->node.nomination_count = 0;
    n->node.peer_count = 0;
    memset(n->members, 0, sizeof(n->members));
    next_view_refresh(n);
}

unsigned next_view_settle(struct next_view *n)
{
    unsigned views = 0;
    while (!n->node.settled_map && views < 10) {
        n->node.nomination_count = 0;
        for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
            hf_member_set missing =
                set_of_owners(&n->targets[p]) & ~hf_view_copies(&n->view, p);
            while (missing != 0) {
                uint8_t member = hf_member_set_first(missing);
                next_view_nominate(n, p, member);
                missing &= ~hf_member_set_of(member);
            }
        }
        assert_true(hf_proposal_moves(&n->node));
        next_view_propose(n, hf_view_all(&n->view));
        next_view_expect_rules(n);
        next_view_enter(n);
        views++;
    }
    assert_false(hf_proposal_moves(&n->node));
    return views;
}
