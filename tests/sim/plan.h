/* plan.h - What a seed does to a cluster: drawn once, at its start.
 *
 * Swarm testing: each seed has a random half of the faults, each at a rate of
 * its own, so that none hides another and each is at times the only one. Rates
 * are chances out of 10,000 steps of FAULT_STEP_MS. */
#ifndef HF_TESTS_SIM_PLAN_H
#define HF_TESTS_SIM_PLAN_H

#include <stdio.h>

#include "sim/keepers.h"
#include "sim/racers.h"
#include "sim/renamers.h"
#include "support/cluster.h"
#include "support/workload.h"

#define FAULT_STEP_MS 20

/* What a side of a split does that is not a safe set. It decides what answers
 * are right: where it stops, those of one honest server (support/model.h), else
 * what support/sides.h says. */
enum policy {
    POLICY_MAJORITY,  /* It stops. */
    POLICY_TAKEOVER,  /* The same; and nodes die where the rest has to stop, so
                       * that in the end an operator has to order it on. */
    POLICY_HALF,      /* Half of the nodes go on. */
    POLICY_AVAILABLE, /* All do. */
    POLICY_COUNT,
};

enum verdict {
    VERDICT_FINE = 0,
    VERDICT_BROKEN = 1, /* A promise. */
    VERDICT_STUCK = 2,  /* No progress. */
    VERDICT_RANDOM = 3, /* Two runs of a seed differed. */
    VERDICT_USAGE = 64,
};

struct options {
    const char *program; /* For the line that replays a seed. */
    uint64_t seed;
    uint64_t seeds;
    const char *seeds_file;
    const char *mutation; /* What is broken on purpose, or NULL. */
    unsigned nodes;       /* 0: drawn. */
    enum policy policy;   /* POLICY_COUNT: drawn. */
    int64_t ms;
    bool behead; /* In seeds that did not draw it, too. */
    bool verbose;
    bool keep_going; /* After a seed that failed. */
};

/* The faults that are drawn step by step. */
enum fault {
    FAULT_CUT,       /* One way between two nodes. */
    FAULT_SPLIT,     /* Partitions of all shapes (links.c). */
    FAULT_SWIZZLE,   /* Links cut one by one, back in random order. */
    FAULT_CLOG,      /* All is held and comes in one go. */
    FAULT_SLOW,      /* Few bytes pass per millisecond. */
    FAULT_BREAK,     /* A session breaks. */
    FAULT_PAUSE,     /* A process stops and goes on. */
    FAULT_CRASH,     /* It ends, its kernel lives. */
    FAULT_LOSE,      /* It ends, its host as well. */
    FAULT_FLAP,      /* It ends and is restarted, several times. */
    FAULT_LEAVE,     /* A node drains and leaves. */
    FAULT_JOIN,      /* One that never ran, or left, comes. */
    FAULT_WALL_JUMP, /* Its wall clock. */
    FAULT_MEMORY,    /* Allocations of a node fail now and then. */
    FAULT_DELETES,   /* Bursts of clients. */
    FAULT_EXPIRIES,
    FAULT_COUNT,
};

struct plan {
    enum policy policy;
    unsigned nodes;  /* That ever run. */
    unsigned booted; /* That run from the start. */
    unsigned backups;
    int64_t ms;
    int64_t drift_ppm;
    int64_t wall_skew_ms;
    struct network_faults network; /* Of all paths, all the time. */
    uint32_t rates[FAULT_COUNT];   /* 0: not in this seed. */
    int64_t away_ms_max; /* A cut, a clog, a slow link lasts that long. */
    int64_t down_ms_max; /* A node that died stays so. */
    int64_t pause_ms_max;
    uint32_t memory_chance; /* Of 10,000 allocations. */
    uint32_t hold_ms;
    bool small_queues; /* Bounds of nodes that a little load reaches. */
    struct workload_options workload;
    unsigned keepers; /* Clients that keep a session alive, */
    int64_t keeper_ttl_ms_max;
    uint32_t touch_delay_ms;  /* which copies hear of so much later. */
    int64_t flush_gap_ms_max; /* Between two FLUSHALL; 0: none. */
    uint32_t order_rate; /* Of 10,000 steps: a takeover that is not needed. */
    unsigned racers;     /* Clients that use WATCH. */
    uint32_t renamed;    /* Sessions that are renamed all the time. */
    int64_t asker_think_us_max;    /* Of both. */
    size_t learn_bytes_per_second; /* 0: the default. */
    uint32_t behead_percent; /* Of new views: who knows it first is cut off. */
    uint32_t stick_rate;   /* Of 10,000 steps: a data link holds everything, */
    int64_t stick_ms_max;  /* for 5 s and up to so much longer. */
    int64_t last_pause_ms; /* Of one node after healing; 0: none. */
};

void plan_draw(struct plan *plan, const struct options *options, uint64_t seed);

/* In one line, for people. */
void plan_print(const struct plan *plan, FILE *file);

/* Whether several sides may go on. */
bool plan_has_sides(const struct plan *plan);

const char *fault_name(enum fault fault);
const char *policy_name(enum policy policy);
/* POLICY_COUNT for "drawn"; false when @name is none. */
bool policy_read(const char *name, enum policy *policy);

#endif
