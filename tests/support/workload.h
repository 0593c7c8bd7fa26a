/* workload.h - Clients that never rest and remember every answer.
 *
 * Each client asks one thing at a time of some node. Every written value is
 * unique. All operations go to the model (support/model.h), and each
 * acknowledged write is looked for on all its copies at once. Keys are, in
 * order of their numbers:
 *   hot       few, where clients meet: written, read, deleted
 *   cold      many, whose loss nobody would paper over; the same
 *   counters  incremented and read
 *   once      written once and read at the end, so that nothing but the
 *             protocol keeps them
 *   fleeting  written with a short time to live. For the model that is a
 *             deletion at any time from then on; so one that expires too early
 *             is noticed, and one that comes back.
 *   trios     three sessions each, of one partition, that units write, delete
 *             and read together: for the model one value. Where both sides of
 *             a cut go on there are none, for merging may tear them.
 * Types take turns: of the hot, cold and once, every other key is a string and
 * the rest are hashes, sets, sorted sets and lists; counters are strings,
 * sorted sets and lists. Every fourth of the hot and cold ones is fenced
 * (core/fences.h), for longer than any run: once deleted, it is not used again.
 *
 * Where both sides of a cut go on (options.sides), support/sides.h judges in
 * place of the model, and copies are looked at only in the end.
 *
 * The only error a client may see is CLUSTERDOWN, and OOM where allocations
 * are made to fail. */
#ifndef HF_TESTS_WORKLOAD_H
#define HF_TESTS_WORKLOAD_H

#include "support/cluster.h"
#include "support/model.h"
#include "support/sides.h"

#define WORKLOAD_CLIENTS_MAX 16

struct workload_options {
    unsigned clients;
    unsigned hot_keys;
    unsigned cold_keys;
    unsigned counters;
    bool crowded; /* All cold keys are in one partition. */
    bool units;   /* Half of the writes to these are half of a unit. */
    unsigned once_keys;
    unsigned fleeting_keys;
    unsigned trio_keys;
    int64_t ttl_ms_max;   /* Of fleeting ones. */
    int64_t think_us_max; /* Between an answer and the next question. */
    int64_t patience_ms;  /* Then a client gives up waiting. */
    bool only_writes;     /* And increments. */
    bool sides; /* Both sides of a cut may go on: judged by sides.h. */
};

/* What clients do for a while instead of their usual mix, without a pause. */
enum workload_burst {
    WORKLOAD_USUAL,
    WORKLOAD_DELETES,
    WORKLOAD_EXPIRIES,
};

struct workload;

struct workload_client {
    struct workload *workload;
    struct task task;
    unsigned node; /* Whom it asks. */
    struct request *request;
    struct model_operation operation;
    struct sides_place begin; /* Of that, */
    int64_t ttl_ms;           /* Of that operation; 0: none. */
};

#define WORKLOAD_KEY_BYTES_MAX 24

/* A key, and what is known about writes to it. */
struct workload_key {
    char name[WORKLOAD_KEY_BYTES_MAX]; /* Empty until it is asked for. */
    unsigned under_way;
    int64_t started_us; /* When the last one began. */
    int64_t ended_us;   /* When the last answer came. */
    int64_t doubt_us;   /* Until then an unanswered one may still happen. */
};

struct workload {
    struct cluster *c;
    struct workload_options options;
    struct hf_rng rng;
    struct model model; /* Or: */
    struct sides sides;
    struct sides_place flush_begin; /* Of the FLUSHALL under way. */
    struct workload_client clients[WORKLOAD_CLIENTS_MAX];
    struct workload_key *keys;
    int64_t value_last;
    uint32_t once_written;
    enum workload_burst burst;
    int64_t burst_end_us;
    bool stopping;
    uint64_t acknowledged; /* Writes. */
    uint64_t answered;     /* Operations. */
    uint64_t refused;      /* Of those, writes where there was a fence. */
    uint64_t down;         /* CLUSTERDOWN. */
    uint64_t lost;         /* The connection broke, or the client gave up. */
    int64_t wait_us_max;   /* Of an answered operation. */
};

void workload_options_init(struct workload_options *options);

/* Clients begin at once. */
void workload_start(struct workload *workload, struct cluster *c,
                    const struct workload_options *options, uint64_t seed);
/* From now on for @ms clients do only that. */
void workload_burst(struct workload *workload, enum workload_burst burst,
                    int64_t ms);
/* For who asks for FLUSHALL beside the clients: it is about to, and it was
 * answered by @request; @done: with success, else nobody knows. */
void workload_flush_begins(struct workload *workload, unsigned node);
void workload_flush_ends(struct workload *workload,
                         const struct request *request, bool done);
/* No new operations; waits for those under way. */
void workload_stop(struct workload *workload);
/* Reads every key from every running node, for the model to judge. */
void workload_read_all(struct workload *workload);
/* Fails the cluster unless everything that was answered is linearizable, or
 * what may be with sides. */
void workload_check(struct workload *workload);
/* What most stories end with: stops it, and when the cluster has settled, reads
 * all and checks it. */
void workload_end(struct workload *workload);
void workload_close(struct workload *workload);

#endif
