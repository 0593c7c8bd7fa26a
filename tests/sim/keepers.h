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
 * Where both sides of a cut go on, a keeper may be on both, and one of them
 * wins. Then an answer is judged only while all that may have changed the
 * session since is known and in one order, as support/sides.h has it: each
 * change covers the one before it, and is covered by the question. After a
 * change of another side, or of unknown outcome, that is so again from a SET
 * on before which the cluster was settled (keepers_sides.c). So a session that
 * was touched on one side only is there after merging, for as long as was
 * promised; what was seen over there does not come back; and it is what was
 * written last. That it ends is judged where there is one side.
 *
 * Keepers have random numbers of their own. */
#ifndef HF_TESTS_SIM_KEEPERS_H
#define HF_TESTS_SIM_KEEPERS_H

#include "support/cluster.h"
#include "support/sides.h"

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
    struct sides_operation at;
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
    /* Where sides go on: */
    bool ordered;                /* All changes are, and the last of them, */
    bool gone;                   /* or that it was over after that, */
    struct sides_operation last; /* was here. */
    int64_t unordered_us;        /* The last change is older than that. */
    bool reads_last;             /* It asks no more but that. */
};

struct keepers {
    struct cluster *c;
    const struct sides *sides; /* NULL: there is one. */
    struct hf_rng rng;
    unsigned count;
    struct keeper list[KEEPERS_MAX];
    int64_t value_last;
    bool stopping;
    uint64_t judged; /* Answers that could have been wrong. */
};

/* @count of them begin at once, with lives of up to @ttl_ms_max. @sides: NULL
 * where no side of a cut goes on by itself. */
void keepers_start(struct keepers *keepers, struct cluster *c,
                   const struct sides *sides, unsigned count,
                   int64_t ttl_ms_max, uint64_t seed);
/* No new commands; waits for those under way. */
void keepers_stop(struct keepers *keepers);
/* Where sides went on, and all is one again: each session that must be there
 * is asked for once more, when what was promised is nearly over. */
void keepers_read_last(struct keepers *keepers);
void keepers_close(struct keepers *keepers);

/* What follows is of keepers.c and keepers_sides.c alone. */

/* Says what is wrong with the answer to @request. */
void keeper_fail(const struct keeper *keeper, const struct request *request,
                 const char *what);
enum keeper_fate {
    KEEPER_NEVER,   /* It was refused: nothing was done. */
    KEEPER_UNKNOWN, /* It may have been carried out, or may be later. */
    KEEPER_DONE,
};
/* What became of @request. An error has to be one that may be. */
enum keeper_fate keeper_fate(const struct keeper *keeper,
                             const struct request *request);
/* Whether the answer to a read or a touch says that there is no session. */
bool keeper_says_over(const struct request *request);
/* @question was carried out: its session lives for so long from then. */
void keeper_promise(struct keeper *keeper,
                    const struct keeper_question *question);
/* Judges the answer to @question, where sides go on. */
void keeper_judge_sides(struct keeper *keeper,
                        const struct keeper_question *question);
void keeper_ask(struct keeper *keeper, struct keeper_question *question,
                enum keeper_kind kind);
void keeper_plan(struct keeper *keeper, int64_t at_us);
/* Whether a SET would put changes in order again. */
bool keeper_may_order(const struct keeper *keeper);

#endif
