/* clients.h - Connections of clients to a real node of a scene.
 *
 * Each node has two, as soon as somebody says something on them: one of the
 * plain port and one of the port for the cluster protocol. They are what the
 * server has (wire/connection.h), with the node's own memory, so that it can
 * run out there, too. Scripts are run by an engine whose language is nothing
 * but commands: "SET,k1,v;GET,k1".
 *
 * Checked in here: what a client is sent is RESP; the node answers no command
 * twice. clients_end: whoever waited has an answer. */
#ifndef HF_TESTS_FUZZ_CLIENTS_H
#define HF_TESTS_FUZZ_CLIENTS_H

#include "core/node.h"
#include "core/unit.h"
#include "wire/connection.h"

#define CLIENTS_COUNT 2 /* The second one is of the cluster port. */
#define CLIENTS_ASKED_MAX (HF_CONNECTION_PENDING_MAX + HF_PARTITION_COUNT + 1)
/* Above those of requests without a connection. */
#define CLIENTS_ID_FIRST 1000

struct scene_node;

struct scene_client {
    bool open;
    bool killed; /* By CLIENT KILL: closes when the command is through. */
    bool deaf;   /* Takes nothing of what it is sent. */
    struct hf_connection connection;
    uint64_t asked[CLIENTS_ASKED_MAX]; /* Tags without an answer. */
    size_t asked_count;
};

struct scene_clients {
    struct scene_node *node;
    struct hf_connection_host host;
    struct hf_subscriptions subscriptions;
    bool listens; /* The node was told that there are subscribers, */
    bool heard;   /* and the others know. */
    uint64_t id_last;
    struct scene_client list[CLIENTS_COUNT];
};

/* What runs scripts, for all nodes. */
extern const struct hf_script_engine clients_engine;

void clients_init(struct scene_clients *clients, struct scene_node *node);
/* Closes all connections: before the node's memory is looked at. */
void clients_close(struct scene_clients *clients);

/* Bytes of a client, which connects first if it has to. */
void clients_receive(struct scene_clients *clients, unsigned which,
                     struct hf_slice bytes);
/* A client takes no more of its answers, or does again. */
void clients_deafen(struct scene_clients *clients, unsigned which, bool deaf);
/* A client goes away. */
void clients_leave(struct scene_clients *clients, unsigned which);

/* What the server does between steps: commands that waited, answers. */
void clients_turn(struct scene_clients *clients);
/* Nobody is deaf, and nothing more comes. Whether all have their answers. */
bool clients_finish(struct scene_clients *clients);

/* Actions of the node. */
void clients_reply(struct scene_clients *clients, uint64_t id, uint64_t tag,
                   const struct hf_reply *reply);
void clients_subscribers(struct scene_clients *clients,
                         const struct hf_command *command,
                         struct hf_buffer *tokens);
void clients_listened(struct scene_clients *clients);

#endif
