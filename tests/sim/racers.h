/* racers.h - Clients that change a session only if nobody else did meanwhile.
 *
 * They all count up the same few sessions, some by INCR, the others as a shop
 * would that has no such command: WATCH, GET, and EXEC with a SET of one more.
 * Where EXEC is carried out, it was one increment of what had been read: for
 * the model it is the same as INCR. Where it is not, it never was. So a change
 * that WATCH did not see is an increment that was lost.
 *
 * Not with FLUSHALL, nor with both sides of a cut going on. */
#ifndef HF_TESTS_SIM_RACERS_H
#define HF_TESTS_SIM_RACERS_H

#include "sim/asker.h"
#include "support/model.h"

#define RACERS_MAX 6
#define RACER_STATE_BYTES 32

enum racer_step { RACER_WATCH, RACER_GET, RACER_EXEC, RACER_INCR };

struct racer {
    struct asker asker;
    struct racers *racers;
    uint32_t key;
    enum racer_step step; /* Under way, or next. */
    int64_t started_us;
    int64_t value; /* Read after WATCH. */
    uint8_t state[RACER_STATE_BYTES];
};

struct racers {
    struct cluster *c;
    struct hf_rng rng;
    struct model model;
    unsigned count;
    uint32_t keys;
    struct racer list[RACERS_MAX];
    uint64_t won;  /* EXEC that were carried out, */
    uint64_t lost; /* and those that were not. */
};

/* @count of them begin at once, if any. */
void racers_start(struct racers *racers, struct cluster *c, unsigned count,
                  int64_t think_us_max, uint64_t seed);
/* No new commands; waits for those under way. */
void racers_stop(struct racers *racers);
/* After healing: reads what they counted everywhere, and fails the cluster
 * unless all answers are those of one server. */
void racers_check(struct racers *racers);
void racers_close(struct racers *racers);

#endif
