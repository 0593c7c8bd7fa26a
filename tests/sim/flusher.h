/* flusher.h - A client that empties the whole cluster now and then.
 *
 * For the model FLUSHALL is a deletion of every key, each at a moment of its
 * own between question and answer, that leaves fences and makes none. */
#ifndef HF_TESTS_SIM_FLUSHER_H
#define HF_TESTS_SIM_FLUSHER_H

#include "support/workload.h"

struct flusher {
    struct workload *workload;
    struct task task;
    struct hf_rng rng;
    struct request *request;
    int64_t gap_ms_max;
    bool stopping;
};

/* Begins within @gap_ms_max, and again so long after each answer. 0: never. */
void flusher_start(struct flusher *flusher, struct workload *workload,
                   int64_t gap_ms_max, uint64_t seed);
/* No new one; waits for the one under way. */
void flusher_stop(struct flusher *flusher);
void flusher_close(struct flusher *flusher);

#endif
