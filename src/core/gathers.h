/* gathers.h - One answer made of several: see gathers.c. */
#ifndef HF_CORE_GATHERS_H
#define HF_CORE_GATHERS_H

#include "base/list.h"
#include "core/command.h"

struct hf_node;
struct hf_request;

/* Several requests that make one answer. */
struct hf_gathering {
    struct hf_list link; /* In node->gathers. */
    uint64_t client;
    uint64_t tag;
    hf_time deadline;
    uint32_t part_count;
    uint32_t remaining;
    enum hf_gather kind;
    bool ranged; /* Made anew at each view. */
    bool waits;  /* Ranged: for a view to be sent in. */
    bool scan;
    uint64_t scan_next; /* Cursor for the next call. */
    int64_t sum;
    size_t bytes;              /* Of all parts that came. */
    size_t held_bytes;         /* By them, as counted in node->answer_bytes. */
    bool failed;               /* `error` is the answer. */
    struct hf_buffer error;    /* Tokens. */
    struct hf_buffer *parts;   /* Tokens by part; ARRAY and scan. */
    struct hf_request *origin; /* Ranged: the arguments, to make it anew. */
    /* One page of several: KEYS, RANDOMKEY. */
    bool walks;
    bool goes_on;           /* The next tick asks for the next page, */
    uint64_t walk_at;       /* whose cursor this is. */
    uint16_t walk_from;     /* The partition where RANDOMKEY began; and */
    bool walk_wrapped;      /* it is past the end, and began anew. */
    struct hf_buffer found; /* Tokens of the keys of the pages before, */
    uint32_t found_count;   /* and how many they are. */
};

void hf_node_scatter(struct hf_node *node, uint64_t client, uint64_t tag,
                     const struct hf_command *command);
void hf_node_spread(struct hf_node *node, uint64_t client, uint64_t tag,
                    const struct hf_command *command);
/* KEYS and RANDOMKEY: pages of SCAN, one per tick, so that nothing else has to
 * wait for all of them. */
void hf_node_walk(struct hf_node *node, uint64_t client, uint64_t tag,
                  const struct hf_command *command);
/* Asks for the next pages. */
void hf_node_walks_tick(struct hf_node *node);
/* A part of a gathering ended; @request is what it was. */
void hf_node_gather_part(struct hf_node *node, struct hf_gathering *gather,
                         const struct hf_request *request,
                         const struct hf_reply *reply, uint64_t scan_next);
void hf_node_gathers_entered(struct hf_node *node);
/* Those that wait for a view too long are answered by @error. */
void hf_node_gathers_tick(struct hf_node *node, const struct hf_reply *error);
void hf_node_gathers_close(struct hf_node *node);

#endif
