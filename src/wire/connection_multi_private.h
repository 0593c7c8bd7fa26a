/* connection_multi_private.h - What the files that carry out transactions
 * share; nobody else includes this. */
#ifndef HF_WIRE_CONNECTION_MULTI_PRIVATE_H
#define HF_WIRE_CONNECTION_MULTI_PRIVATE_H

#include "core/limits.h"
#include "wire/connection_multi.h"

/* What is under way. */
enum multi_state {
    MULTI_IDLE,
    MULTI_WATCHING, /* WATCH: states of the keys. */
    MULTI_CHECKING, /* EXEC: whether the watches hold. */
    MULTI_RUNNING,  /* A step of EXEC. */
};

/* A request to the node, and its answer. */
struct hf_multi_part {
    uint16_t partition;
    bool alone; /* Not a unit: one command, as it is. */
    bool answered;
    struct hf_slice key;     /* One of its keys. */
    struct hf_buffer packed; /* What it is asked. */
    struct hf_buffer tokens;
    struct hf_reader reader; /* Of the answers not taken yet. */
    struct hf_slice error;   /* Of all of them; data NULL: none. */
};

struct hf_multi {
    struct hf_mem *mem;
    size_t *held_total; /* host->multi_bytes; may be NULL. */
    size_t held_bytes;  /* Of it, by the answers kept here. */
    bool queueing;
    bool spoilt;   /* EXEC will refuse. */
    bool slotted;  /* For a client of the cluster protocol: */
    uint16_t slot; /* that of the first key. */
    uint32_t count;
    uint8_t database;       /* Of the next one. */
    struct hf_buffer queue; /* Packed commands. */
    uint32_t watch_count;
    struct hf_buffer watches; /* Packed: key, state. */
    struct hf_buffer asked;   /* WATCH: the keys. */

    enum multi_state state;
    uint64_t tag;       /* Of WATCH or EXEC. */
    size_t at;          /* In the queue: where the step under way begins, */
    size_t end;         /* and ends. */
    uint32_t remaining; /* Parts without an answer. */
    struct hf_multi_part *parts;
    uint32_t part_count;
    uint32_t part_capacity;
    size_t part_bytes;                         /* Of their answers. */
    bool opened;                               /* These are being read. */
    uint16_t part_numbers[HF_PARTITION_COUNT]; /* 1: the first part; 0: none. */
    struct hf_buffer arguments;                /* Of the command looked at. */
    struct hf_buffer share;   /* The same, on some of its keys. */
    struct hf_buffer answers; /* Tokens. */
    struct hf_buffer joined;  /* Tokens: one answer made of several. */
};

/* Of the connection itself: answered at its place. */
bool hf_multi_is_local(const struct hf_command *command);
/* Whether it is carried out in units: one, or for KEYS several. */
bool hf_multi_is_of_units(const struct hf_command *command);
/* The part about @partition, NULL when there is none. */
struct hf_multi_part *hf_multi_part_of(struct hf_multi *multi,
                                       uint16_t partition);

/* connection_multi_pack.c */
/* Puts the watches of each part in front of what it is asked; there is nothing
 * yet. */
void hf_multi_pack_watches(struct hf_multi *multi);
/* Appends @command, not one of the connection itself, to what the parts that it
 * is about are asked. */
void hf_multi_pack_command(struct hf_multi *multi,
                           const struct hf_command *command);

/* connection_multi_answers.c */
/* Reads what the node said to @part, which is a unit. */
void hf_multi_part_open(struct hf_multi *multi, struct hf_multi_part *part);
/* Appends the answer to @command, of the step that has ended. */
void hf_multi_answer_command(struct hf_connection *connection,
                             const struct hf_command *command);

#endif
