/* transfers.h - RENAME, RENAMENX, COPY and MSETNX of keys in different
 * partitions: see transfers.c. */
#ifndef HF_CORE_TRANSFERS_H
#define HF_CORE_TRANSFERS_H

#include "base/list.h"
#include "core/command.h"

struct hf_node;
struct hf_request;
struct hf_unit;

/* What the node that was asked has each primary do, one operation each. It
 * travels as a command of four arguments: EXEC, the key, the step, and what
 * the step takes, packed. */
enum hf_transfer_step {
    /* Is there anything? -> 1, also for a fence; or 0. */
    HF_TRANSFER_LOOK = 'l',
    /* What is there? -> state, time left, effects that make it; or nil. */
    HF_TRANSFER_READ = 'r',
    /* Put it there: mode, notice, version, time left, effects -> the version
     * it has now; nil when something else is there that is not to be
     * replaced. If it is to be kept what was there, unless that was of
     * `version`: an array of the version and, of a session, time left and
     * effects that make it. */
    HF_TRANSFER_WRITE = 'w',
    /* Drop it, as a client would: state, new key -> 1; or 0 when it is not in
     * that state any more. */
    HF_TRANSFER_DROP = 'd',
    /* Take back what WRITE wrote: version; time left and effects of what was
     * there before, or none -> 1; or 0 when it is not of that version any
     * more. */
    HF_TRANSFER_UNDO = 'u',
};

/* How WRITE puts it there. */
enum hf_transfer_mode {
    HF_TRANSFER_ANYWAY,
    HF_TRANSFER_ONLY_NEW, /* Nothing else is replaced. */
    HF_TRANSFER_KEEP,     /* What is replaced is answered. */
};

/* Appends what the steps take. */
void hf_transfer_put_write(struct hf_buffer *out, enum hf_transfer_mode mode,
                           enum hf_notice notice, struct hf_slice version,
                           int64_t ttl_ms, struct hf_slice effects);
void hf_transfer_put_drop(struct hf_buffer *out, struct hf_slice state,
                          struct hf_slice new_key);
void hf_transfer_put_undo(struct hf_buffer *out, struct hf_slice version,
                          int64_t ttl_ms, struct hf_slice effects);

/* Carries out a step, as the only command of @unit. */
void hf_transfer_run(struct hf_unit *unit, const struct hf_command *command,
                     struct hf_reply *reply);

/* What a command on several partitions wants. */
enum hf_transfer_kind {
    HF_TRANSFER_NONE, /* None of them: it has to be one unit. */
    HF_TRANSFER_REFUSED,
    HF_TRANSFER_RENAME,
    HF_TRANSFER_RENAMENX,
    HF_TRANSFER_COPY,
    HF_TRANSFER_COPY_REPLACE,
    HF_TRANSFER_MSETNX,
};
/* REFUSED: *error is the answer. */
enum hf_transfer_kind hf_transfer_kind(const struct hf_command *command,
                                       struct hf_reply *error);

/* The bytes of a version, as WRITE answers them. */
#define HF_TRANSFER_VERSION_BYTES 16

/* One such command, at the node that was asked. */
struct hf_transfer {
    struct hf_list link; /* In node->transfers, or transfers_ready. */
    uint64_t client;
    uint64_t tag;
    enum hf_transfer_kind kind;
    enum hf_transfer_step step; /* Under way. */
    uint32_t rounds;            /* Begun, after the first. */
    uint32_t remaining;         /* Requests of the step without an answer. */
    uint32_t found;             /* LOOK: of so many keys. */
    hf_time read_at;
    bool written; /* The destination is ours: */
    uint8_t version[HF_TRANSFER_VERSION_BYTES];
    struct hf_buffer replaced; /* Tokens: WRITE's answer with what was there */
    hf_time replaced_at;       /* before, then. */
    const char *end;           /* UNDO: the error to end with; NULL: it is in
                                * `value`, as tokens. */
    struct hf_buffer answer;   /* Tokens: of the step; or the first error, */
    bool failed;               /* then. */
    struct hf_buffer value;    /* Tokens: what READ answered. */
    size_t held_bytes;         /* As counted in node->answer_bytes. */
    struct hf_request *origin; /* The arguments. */
};

/* Begins a command on keys of several partitions. False: it is none of those
 * above, and nothing happened. */
bool hf_node_transfer(struct hf_node *node, uint64_t client, uint64_t tag,
                      const struct hf_command *command);
/* A step was answered. Only notes it: the node may be in the middle of
 * something. */
void hf_node_transfer_answered(struct hf_node *node,
                               struct hf_transfer *transfer,
                               const struct hf_reply *reply);
/* Goes on with those that were answered. */
void hf_node_transfers_run(struct hf_node *node);
void hf_node_transfers_close(struct hf_node *node);

#endif
