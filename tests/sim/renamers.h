/* renamers.h - Clients that rename sessions which others change meanwhile.
 *
 * A few sessions are written, deleted and read by some clients, and renamed by
 * one each, every time to another key, which nobody else uses. Most of these
 * are in other partitions: then the node that was asked has it done in steps
 * (core/transfers.h), between which anything may happen.
 *
 * Nothing else writes the new keys, so in the end they tell what became of each
 * rename. One that was answered took away what the new key has: for the model
 * an operation that can only happen while the old key has that value. So a
 * change that is dropped with it, one that is there twice, and a session that
 * is nowhere, have no explanation. One that was refused left nothing.
 *
 * Not with FLUSHALL, nor with both sides of a cut going on. */
#ifndef HF_TESTS_SIM_RENAMERS_H
#define HF_TESTS_SIM_RENAMERS_H

#include "sim/asker.h"
#include "support/model.h"

#define RENAMED_SOURCES_MAX 3
#define RENAMED_WRITERS 2 /* Of each source. */
#define RENAMES_MAX 100

/* What one RENAME was answered. */
struct rename {
    uint32_t source;
    int64_t started_us;
    int64_t ended_us; /* MODEL_UNKNOWN: nobody knows. */
    bool done;        /* OK; */
    bool none;        /* or there was nothing to rename, */
    unsigned node;    /* else there was an error. */
};

struct renaming_client {
    struct asker asker;
    struct renamers *renamers;
    uint32_t source;
    bool renames;
    struct model_operation operation; /* Under way, */
    unsigned rename;                  /* or this one. */
};

struct renamers {
    struct cluster *c;
    struct hf_rng rng;
    struct model model;
    uint32_t sources;
    unsigned count;
    struct renaming_client list[RENAMED_SOURCES_MAX * (RENAMED_WRITERS + 1)];
    int64_t value_last;
    unsigned rename_count;
    struct rename renames[RENAMES_MAX];
    uint64_t done; /* RENAME that were answered OK. */
};

/* With @sources sessions; they begin at once, if any. */
void renamers_start(struct renamers *renamers, struct cluster *c,
                    uint32_t sources, int64_t think_us_max, uint64_t seed);
/* No new commands; waits for those under way. */
void renamers_stop(struct renamers *renamers);
/* After healing: looks what became of each, and fails the cluster unless one
 * server could have answered all that. */
void renamers_check(struct renamers *renamers);
void renamers_close(struct renamers *renamers);

#endif
