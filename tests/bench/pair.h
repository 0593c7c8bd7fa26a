/* pair.h - One or two nodes in one process, with clients, and nothing besides.
 *
 * Everything that a server does for a command but the sockets: bytes from a
 * client to the connection's parser, to the node, through frames between the
 * nodes (encoded, sealed, checked, decoded), and back to bytes for the client.
 * Each turn is one batch, as in src/server. Time is virtual and goes on by a
 * millisecond every PAIR_TURNS_PER_MS turns, so heartbeats cost what they cost
 * under load. Always does the same, so its instructions can be counted. */
#ifndef HF_BENCH_PAIR_H
#define HF_BENCH_PAIR_H

#include "base/pool.h"
#include "core/node.h"
#include "wire/connection.h"
#include "wire/link.h"
#include "wire/peer.h"

#define PAIR_NODES_MAX 2
#define PAIR_TURNS_PER_MS 10

struct pair;

struct pair_node {
    struct pair *pair;
    struct hf_pool pool;
    struct hf_mem mem;
    struct hf_node_config config;
    struct hf_node *node;
    struct hf_connection connection;
    bool dials_other; /* Was told to. */
    bool dials_itself;
    uint64_t probe; /* The token of one to be answered; 0: none. */
    bool linked;    /* Its sessions to the other are up. */
    struct hf_buffer frames[HF_CHANNEL_COUNT];
    uint64_t sequences[HF_CHANNEL_COUNT];
    struct hf_link_receiver receivers[HF_CHANNEL_COUNT];
    struct hf_peer_scratch scratch;
};

struct pair {
    unsigned count;
    hf_time now;
    uint64_t turns;
    struct hf_connection_host host[PAIR_NODES_MAX];
    struct pair_node nodes[PAIR_NODES_MAX];
};

/* Starts @count nodes with one backup and runs until they have settled. */
void pair_open(struct pair *pair, unsigned count);
void pair_close(struct pair *pair);

/* Gives the bytes of commands to the client of @node and runs turns until it
 * has @answer_bytes of answers, which are then forgotten. Aborts when it gets
 * other answers, by their length. */
void pair_ask(struct pair *pair, unsigned node, struct hf_slice commands,
              size_t answer_bytes);

/* Whether @node is the primary of @key. */
bool pair_is_primary(const struct pair *pair, unsigned node,
                     struct hf_slice key);

#endif
