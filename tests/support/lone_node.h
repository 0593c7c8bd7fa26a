/* lone_node.h - One node without a network, asked in plain text.
 *
 *   lone_node_open(&lone, &config, mem);
 *   lone_node_start(&lone);                     it is a cluster of its own now
 *   lone_node_ask(&lone, "SET k v")             "OK"
 *   lone_node_ask(&lone, "GET other")           "(nil)"
 *   lone_node_close(&lone);
 *
 * Time stands still between calls of lone_node_tick and lone_node_wait. Words
 * of a command are separated by one space each. */
#ifndef HF_TESTS_SUPPORT_LONE_NODE_H
#define HF_TESTS_SUPPORT_LONE_NODE_H

#include "core/node.h"

#define LONE_WORDS_MAX 16
#define LONE_ASKED_MAX 1024 /* Commands between two lone_node_forget. */
#define LONE_WALL_MS INT64_C(1700000000000)
#define LONE_START 5000 /* The time of a node that was just opened. */

struct lone_node {
    struct hf_node *node;
    hf_time now;
    struct hf_mem system;                     /* For the answers. */
    uint64_t asked;                           /* The last tag given. */
    uint64_t answered;                        /* How many answers came. */
    uint64_t order[LONE_ASKED_MAX];           /* Their tags. */
    struct hf_buffer answers[LONE_ASKED_MAX]; /* By tag; texts. */
    unsigned sent;                            /* Messages to peers. */
    /* Called with each of them; may be NULL. */
    void (*hear)(const struct hf_message *message);
    unsigned connected;
    unsigned probed;
    uint64_t probe; /* The last token. */
};

/* Fills in what a node needs to run: a name, an incarnation, a seed. */
void lone_node_config(struct hf_node_config *config);

/* Creates the node. Returns what hf_node_create returned. */
HF_NODISCARD int lone_node_open(struct lone_node *lone,
                                const struct hf_node_config *config,
                                struct hf_mem *mem);
void lone_node_close(struct lone_node *lone);

/* Feeds an event; time and date are filled in. */
void lone_node_step(struct lone_node *lone, struct hf_event *event);
/* Peer number @who has links with it, both ways; not heard of before. */
void lone_node_meet(struct lone_node *lone, unsigned who);
/* Says @message to it. */
void lone_node_tell(struct lone_node *lone, unsigned who,
                    const struct hf_message *message);
/* Time passes, all at once, then a tick. */
void lone_node_tick(struct lone_node *lone, hf_time ms);
/* The same with a tick whenever the node wants one. */
void lone_node_wait(struct lone_node *lone, hf_time ms);
/* Two ticks, and the node without seeds has made itself a cluster. */
void lone_node_start(struct lone_node *lone);

/* Asks without looking at the answer; returns its tag, from 1 on. */
uint64_t lone_node_send(struct lone_node *lone, const char *line);
/* The answer to @tag, or "(waiting)". Valid until lone_node_forget. */
const char *lone_node_answer(const struct lone_node *lone, uint64_t tag);
/* Both. */
const char *lone_node_ask(struct lone_node *lone, const char *line);
/* Forgets all questions and answers. None may be open. */
void lone_node_forget(struct lone_node *lone);

#endif
