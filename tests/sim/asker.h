/* asker.h - A client that asks one thing at a time, of any node.
 *
 * What it asks next, and what answers mean, its owner says by two functions. It
 * goes to another node when its own does not run, does not answer in time, and
 * now and then. Owners and their askers have random numbers of their own. */
#ifndef HF_TESTS_SIM_ASKER_H
#define HF_TESTS_SIM_ASKER_H

#include "support/cluster.h"

enum asker_outcome {
    ASKER_DONE,   /* Answered, and by no error. */
    ASKER_ERROR,  /* By an error, that may be right for this command. */
    ASKER_UNSURE, /* Nobody knows: no answer, or an error that any may get. */
    ASKER_NEVER,  /* Nobody heard it. */
};

struct asker {
    struct cluster *c;
    struct hf_rng *rng;
    struct task task;
    struct request *request;
    unsigned node;
    int64_t think_us_max; /* Before the next question. */
    bool hurry;           /* The next one comes at once. */
    bool stopping;
    /* Calls asker_send. */
    void (*ask)(struct asker *asker);
    /* What became of it. @request lives until this returns. */
    void (*heard)(struct asker *asker, const struct request *request,
                  enum asker_outcome outcome);
};

/* Begins soon. c, rng, think_us_max and the functions are set. */
void asker_start(struct asker *asker);
/* From ask() only. */
void asker_send(struct asker *asker, size_t argc, const struct hf_slice *argv);
/* Nothing new; whether the last one has ended. */
bool asker_stop(struct asker *asker);
void asker_close(struct asker *asker);

/* Reads @key by @node after all has healed, and fails the cluster where that
 * is no number and not nil. */
int64_t asker_read_last(struct cluster *c, unsigned node, const char *key);

#endif
