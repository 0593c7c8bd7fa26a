/* next_view.h - What core/proposal.c makes of a view, against its rules.
 *
 *   next_view_open(&n, 4, 1);          four members, one backup, all settled
 *   next_view_propose(&n, 0xe);        member 0 died
 *   next_view_expect_rules(&n);        every partition, by every rule
 *
 * The rules at the top of proposal.c are said here once more, in another way.
 * A member keeps its index as its identity until the view is entered. Failed
 * expectations fail the test. */
#ifndef HF_TESTS_SUPPORT_NEXT_VIEW_H
#define HF_TESTS_SUPPORT_NEXT_VIEW_H

#include "core/node_state.h"

#define NEXT_VIEW_NOW 50000
#define NEXT_VIEW_CLUSTER 4242
#define NEXT_VIEW_FOUNDED_MS 1700000000000
#define NEXT_VIEW_EPOCH ((hf_epoch)7 << 32)

/* Too large for a stack. */
struct next_view {
    struct hf_node node; /* Only what a proposal looks at. */
    struct hf_view view; /* The old one. */
    struct hf_owners targets[HF_PARTITION_COUNT];
    struct hf_peer peers[HF_PEERS_MAX];
    struct hf_member members[HF_MEMBERS_MAX];
    struct hf_nomination nominations[HF_NOMINATIONS_MAX];
    struct hf_view next;                               /* What was proposed, */
    struct hf_owners next_targets[HF_PARTITION_COUNT]; /* its targets, */
    uint8_t map[HF_MEMBERS_MAX]; /* where old members are in it, */
    hf_member_set live;          /* and which of those take part. */
};

/* Who the member or peer of this number is. */
struct hf_peer_info next_view_info(uint64_t number);

/* A view where every partition is where it should be. */
void next_view_open(struct next_view *n, uint8_t member_count, uint8_t backups);
/* Looks at view.acting again, which the test changed. */
void next_view_refresh(struct next_view *n);

void next_view_nominate(struct next_view *n, uint16_t partition,
                        uint8_t member);
/* Somebody who asks to join, all links up; the test may change that. */
struct hf_peer *next_view_add_peer(struct next_view *n,
                                   const struct hf_peer_info *info);
/* An absent member asks to be taken in again. */
void next_view_come_back(struct next_view *n, uint8_t member);

/* Proposes with @voters. Whoever else is not in node.dead is only silent. */
void next_view_propose_without(struct next_view *n, hf_member_set voters);
/* The same, when whoever is no voter is certified dead. */
void next_view_propose(struct next_view *n, hf_member_set voters);
/* Old members in what was proposed: their new indexes. */
hf_member_set next_view_moved(const struct next_view *n, hf_member_set set);
/* What was proposed keeps to the rules. */
void next_view_expect_rules(const struct next_view *n);

/* What was proposed is agreed on: it is the old view now. */
void next_view_enter(struct next_view *n);
/* Fills and enters one view after the other until nothing moves. Returns how
 * many. */
unsigned next_view_settle(struct next_view *n);

#endif
