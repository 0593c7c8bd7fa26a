/* run.h - One seed: a cluster, its clients, its faults, and the judgement.
 *
 *   form    the cluster settles
 *   safety  faults of the plan (links.c, nodes.c) while clients work; nothing
 *           that was acknowledged may ever be lost, whatever overlaps
 *   heal    cuts are lifted, processes go on, loss stops; nodes that died may
 *           stay dead if the cluster went on without them
 *   live    in bounded virtual time there is one view, everybody has an
 *           answer, every partition has its copies
 *   rest    in some seeds a node stands still: it accuses nobody
 *   judge   copies are equal byte for byte, and one honest server could have
 *           given all the answers; or, where sides of a split go on, nothing
 *           that only one of them changed is lost (support/sides.h)
 *
 * Where those who are left may not go on by themselves, an operator orders a
 * takeover (operator.c). */
#ifndef HF_TESTS_SIM_RUN_H
#define HF_TESTS_SIM_RUN_H

#include "sim/flusher.h"
#include "sim/plan.h"

/* What it was built from, as `git describe` names it (commit.cmake). */
extern const char sim_commit[];

/* A fault of the links between two nodes, in one direction. */
struct link_fault {
    int64_t cut_from_us; /* A cut may begin later than now. */
    int64_t cut_until_us;
    int64_t slow_until_us;
    int64_t clog_until_us[HF_CHANNEL_COUNT];
    bool cut;
    bool slow;
    bool clogged[HF_CHANNEL_COUNT];
};

/* What a node suffers now. */
struct node_fault {
    int64_t back_us; /* When it goes on or starts again. */
    bool kept_down;  /* Not running until back_us, */
    bool host_lost;  /* with its host, until: */
    int64_t host_us;
    unsigned flaps;          /* Restarts still to come. */
    bool leaving;            /* Told to drain, */
    bool told_to_go;         /* and to leave. */
    bool gone;               /* Left; may join again. */
    int64_t memory_until_us; /* 0: its memory is fine. */
};

/* A stream on which nothing is acknowledged. */
struct standstill {
    hf_epoch epoch;
    uint64_t acked;
    int64_t since_us; /* Since when it should not. */
};

struct run {
    struct cluster *c;
    struct plan plan;
    struct hf_rng rng;
    struct workload workload;
    struct keepers keepers;
    struct flusher flusher;
    struct racers racers;
    struct renamers renamers;
    struct link_fault links[CLUSTER_NODES_MAX][CLUSTER_NODES_MAX];
    struct node_fault nodes[CLUSTER_NODES_MAX];
    struct standstill standstills[CLUSTER_NODES_MAX][CLUSTER_NODES_MAX];
    unsigned beacons[CLUSTER_NODES_MAX]; /* See nodes.c. */
    int64_t quiet_until_us;       /* A death is being noticed: nothing new. */
    uint64_t counts[FAULT_COUNT]; /* Faults injected. */
    uint64_t spared; /* Deaths not injected: they would have broken more than
                      * was promised to hold. */
    uint64_t takeovers;
    struct hf_rng errors; /* Of the operator. */
    uint64_t orders;      /* That were not needed. */
    hf_epoch first_known; /* The last view that links_behead looked at. */
    uint64_t forks;       /* As counted by those who run in the end. */
    uint64_t merges;
    uint64_t conflicts;
};

struct outcome {
    enum verdict verdict;
    uint64_t hash;
    uint64_t answered;
    uint64_t acknowledged;
    uint64_t down; /* Operations refused with CLUSTERDOWN. */
    uint64_t counts[FAULT_COUNT];
    uint64_t spared;
    enum policy policy;
    uint64_t forks; /* As counted by those who run in the end. */
    uint64_t merges;
    uint64_t conflicts;
    uint64_t takeovers;
    uint64_t orders;
    uint64_t watched; /* EXEC with a WATCH that were carried out. */
    uint64_t renames;
    uint64_t kept; /* Answers that keepers judged. */
    int64_t virtual_ms;
    char failure[CLUSTER_FAILURE_BYTES];
};

/* Runs one seed. @trace: keep a trace and print its end on failure. */
void seed_run(uint64_t seed, const struct options *options, bool trace,
              struct outcome *outcome);

/* links.c: faults of links. */
void links_step(struct run *run);
void links_heal(struct run *run);
/* Cuts off who is the only one to know the newest view; after each turn. */
void links_behead(struct run *run);
/* Ends all faults from @a to @b. */
void links_open(struct run *run, unsigned a, unsigned b);

/* nodes.c: faults of nodes. */
void nodes_init(struct run *run);
void nodes_step(struct run *run);
/* Whether copies are filled as slowly as the plan says. */
void nodes_slow_refills(struct run *run, bool slow);
/* All that run go on; those that died start again unless the cluster does
 * without them; those that leave finish. */
void nodes_heal(struct run *run);
/* Whether links between these two must stay: one of them just starts, and the
 * other is how it knows that there is a cluster. */
bool nodes_need_link(const struct run *run, unsigned a, unsigned b);

/* bounds.c: what must hold at all times of queues, and of who waits. */
void bounds_check(struct run *run);

/* rest.c: what must hold of a cluster where nothing happens. */
void rest_check(struct run *run);

/* budget.c: whether @node may die now, by what the copies of all partitions
 * are at this moment, and so that the rest is a safe set. @proven: the rest
 * will have proof of its death, from its kernel and in time. */
bool budget_allows_death(const struct run *run, unsigned node, bool proven);

/* operator.c: orders a takeover if, seen from outside, those who run are no
 * safe set of the newest view, and waits for what comes of it. Whether it was
 * ordered. */
bool operator_act(struct run *run);
/* Orders one now and then where it is not needed. */
void operator_err(struct run *run);

/* True by the chance of @fault in this step; counts it. */
bool run_draws(struct run *run, enum fault fault);
/* A time from now, 1 to @ms_max milliseconds ahead. */
int64_t run_until(struct run *run, int64_t ms_max);
unsigned run_pick(struct run *run);

#endif
