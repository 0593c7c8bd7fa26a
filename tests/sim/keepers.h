/* keepers.h - Clients that keep a session alive, and know how long it must be.
 *
 * Each keeper has a session that only it writes: it sets it with a time to
 * live, moves its end by touches (PEXPIRE, GETEX), lets it end, and asks for it
 * a little before and after. As nobody else changes it, right answers are known
 * without a search:
 *
 *   - It is not over before the time that was promised last, whoever is primary
 *     then (P33).
 *   - It is over when that time is, where all of that happened at one primary
 *     in one view. A failover may make its life longer.
 *   - Once it was over, only a SET brings it back (P12).
 *   - It is what was written last, or by a SET of unknown outcome.
 *   - A read that is sent right behind a SET, to the same node, shows it.
 *
 * Not with both sides of a cut going on. Keepers have random numbers of their
 * own. */
#ifndef HF_TESTS_SIM_KEEPERS_H
#define HF_TESTS_SIM_KEEPERS_H

#include "support/cluster.h"

#define KEEPERS_MAX 4
#define KEEPER_UNSURE_MAX 16

enum keeper_kind { KEEPER_SET, KEEPER_TOUCH, KEEPER_READ };

/* A command of a keeper. */
struct keeper_question {
    enum keeper_kind kind;
    struct request *request; /* NULL: none. */
    int64_t value;           /* SET. */
    hf_epoch begin;          /* The view whose primary served then, or 0. */
    hf_epoch end;            /* The newest one when it was answered. */
};

struct keeper {
    struct keepers *keepers;
    struct task task;
    char key[16];
    unsigned node; /* Whom it asks. */
    int64_t ttl_ms;
    struct keeper_question questions[2]; /* A SET, and a read behind it. */
    unsigned touches;                    /* Still to come. */
    bool over;                           /* It was seen so, or never set. */
    int64_t value;
    int64_t promised_us; /* It lives at least until then, */
    int64_t latest_us;   /* and at most until then, */
    hf_epoch exact;      /* while this is the view; 0: who knows. */
    int64_t doubt_us;    /* Until then what was not answered may happen. */
    int64_t unsure[KEEPER_UNSURE_MAX]; /* Values that it may write. */
    unsigned unsure_count;
};

struct keepers {
    struct cluster *c;
    struct hf_rng rng;
    unsigned count;
    struct keeper list[KEEPERS_MAX];
    int64_t value_last;
    bool stopping;
    uint64_t judged; /* Answers. */
};

/* @count of them begin at once, with lives of up to @ttl_ms_max. */
void keepers_start(struct keepers *keepers, struct cluster *c, unsigned count,
                   int64_t ttl_ms_max, uint64_t seed);
/* No new commands; waits for those under way. */
void keepers_stop(struct keepers *keepers);
void keepers_close(struct keepers *keepers);

#endif
