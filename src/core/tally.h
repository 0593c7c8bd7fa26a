/* tally.h - One answer of what the subscribers of several nodes answered.
 *
 *   PUBLISH, SPUBLISH   clients that got it: the sum
 *   PUBSUB CHANNELS, SHARDCHANNELS   names: each once
 *   PUBSUB NUMPAT       nodes answer the patterns: how many different ones
 *   PUBSUB NUMSUB, SHARDNUMSUB       of each channel asked for: the sum */
#ifndef HF_CORE_TALLY_H
#define HF_CORE_TALLY_H

#include "core/command.h"

enum hf_tally_kind {
    HF_TALLY_SUM,
    HF_TALLY_NAMES,
    HF_TALLY_DIFFERENT, /* As NAMES; how many. */
    HF_TALLY_COUNTS,
};

struct hf_tally {
    struct hf_mem *mem;
    enum hf_tally_kind kind;
    int64_t sum;
    /* NAMES, DIFFERENT: slices. COUNTS: the names asked for. */
    struct hf_buffer names;
    uint32_t count;    /* Of the names. */
    int64_t *counts;   /* COUNTS; by name. */
    const char *error; /* The answer then; NULL: none. */
};

/* What kind of answer a command of route SUBSCRIBERS wants. False: it is none
 * that there is; PUBSUB with a word that is not known. */
HF_NODISCARD bool hf_tally_kind_of(const struct hf_command *command,
                                   enum hf_tally_kind *kind);

/* Begins the answer of @command. False when there is no such command or no
 * memory; then there is nothing to close. */
HF_NODISCARD bool hf_tally_init(struct hf_tally *tally, struct hf_mem *mem,
                                const struct hf_command *command);
void hf_tally_close(struct hf_tally *tally);

/* Takes in what one node answered. What does not fit is ignored. */
void hf_tally_add(struct hf_tally *tally, const struct hf_reply *reply);

/* What it holds. */
size_t hf_tally_bytes(const struct hf_tally *tally);
/* The answer becomes @error, unless it is one already, and it holds nothing. */
void hf_tally_refuse(struct hf_tally *tally, const char *error);

/* The answer, borrowed from @tokens, which is empty. */
struct hf_reply hf_tally_reply(struct hf_tally *tally,
                               struct hf_buffer *tokens);

#endif
