/* invariants.h - What must hold in a cluster at every moment, and after rest.
 *
 * Checked after every turn of a node:
 *   - At most one node serves a partition. All partitions that clients use are
 *     looked at each time, and some others in turn. A node begins to serve only
 *     in a turn of its own, so it is enough to know who served last.
 *   - A node acknowledges writes only to partitions that it serves.
 *   - Two nodes never hold different views under one epoch.
 *   - The epoch of a node never goes back, nor do its promises.
 *   - Of a partition that is awaited there is no copy but its primary.
 *   - A node keeps to the contract of core/node.h.
 *   - What it tells of itself in heartbeats is what a count finds.
 *   - What a copy may answer is what is committed on the primary, it would end
 *     no session earlier, and knows every command that may come again. After
 *     each turn one of the watched partitions is looked at.
 *   - A node counts each commit of fewer copies than configured, no other, and
 *     each of a single copy, by what is seen of all nodes from outside.
 *   - What it sends to fill copies keeps to its rate; and nothing is added to
 *     what is on its way to a node where that has reached its bound.
 * Checked when a client is told that a write is done:
 *   - Every copy that is in sync has it, and so has every nominated learner.
 * Checked after the cluster has settled and nobody writes:
 *   - All copies of a partition are equal, and only owners hold any. */
#ifndef HF_TESTS_INVARIANTS_H
#define HF_TESTS_INVARIANTS_H

#include "core/view.h"
#include "support/network.h"

struct cluster;
struct process;

#define INVARIANTS_WATCHED_MAX 96

struct invariants_view {
    hf_epoch epoch;
    uint64_t hash;
};

/* What the right of a node to acknowledge hung on after its last turn. */
struct invariants_rights {
    hf_epoch epoch;
    hf_epoch promised;
    hf_member_set fresh;
    bool active; /* It keeps its epoch while it hands over. */
};

/* What was under way to a member to fill its copies, */
struct invariants_fill {
    uint64_t acked; /* when it had acknowledged so much. */
    size_t bytes;
};

/* What a node had counted after its last turn, or when it filled last. */
struct invariants_counts {
    uint64_t writes_degraded;
    uint64_t writes_alone;
    uint64_t fill_bytes;
    int64_t fill_rate; /* Bytes per second. */
    int64_t fill_left; /* Bytes it might send; negative: a debt. */
    hf_time fill_at;
    hf_time paced_at; /* When it last sent more than it may at any time. */
    hf_epoch fill_epoch;
    struct invariants_fill fills[NETWORK_NODES_MAX];
};

/* What a node committed in a turn that it has to count, and may. */
struct invariants_commits {
    uint64_t few_min;
    uint64_t few_max;
    uint64_t alone_min;
    uint64_t alone_max;
};

struct invariants {
    bool two_sides; /* A story has forks, each with servers of its own. */
    uint16_t watched[INVARIANTS_WATCHED_MAX];
    size_t watched_count;
    unsigned servers[INVARIANTS_WATCHED_MAX]; /* Who served it last, plus 1. */
    struct invariants_rights rights[NETWORK_NODES_MAX];
    /* How far each had committed the watched partitions then. */
    uint64_t committed[NETWORK_NODES_MAX][INVARIANTS_WATCHED_MAX];
    struct invariants_counts counts[NETWORK_NODES_MAX];
    uint16_t next; /* Of the partitions looked at in turn. */
    struct invariants_view *views;
    size_t view_count;
    size_t view_capacity;
    uint64_t checks;
};

void invariants_init(struct invariants *invariants);
void invariants_close(struct invariants *invariants);

/* Looks at the partition of @key from now on. */
void invariants_watch(struct invariants *invariants, struct hf_slice key);

void invariants_after_turn(struct cluster *c, struct process *process);

/* The write that made @key the string @value (NULL: that deleted it) was just
 * acknowledged, and nobody else has written @key since it began. Of a hash that
 * is the field f, of a sorted set the score of its only member, of a set or a
 * list what was added last. */
void invariants_after_ack(struct cluster *c, struct hf_slice key,
                          const char *value);

void invariants_after_rest(struct cluster *c);

/* invariants_counts.c */
/* @process, the primary of @p, committed what came after @since in this turn;
 * in the same view as before. */
void invariants_count_commits(const struct cluster *c,
                              const struct process *process, uint16_t p,
                              uint64_t since,
                              struct invariants_commits *commits);
/* After a turn in which it committed @commits; NULL: that is not known. */
void invariants_check_commits(struct cluster *c, const struct process *process,
                              const struct invariants_commits *commits);
void invariants_check_fill(struct cluster *c, const struct process *process);
/* A new process of @node begins to count. */
void invariants_forget_counts(struct invariants *invariants, unsigned node);

#endif
