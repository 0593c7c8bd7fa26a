/* scene.h - A few real nodes among puppets, for messages that make no sense.
 *
 * Real nodes talk to each other through the real codec, packet by packet, as
 * the one who holds the strings wants it: in order or not, once or twice or
 * never. Puppets are peers without a node: what is sent in their name comes
 * from the strings alone. A puppet that is told to play along answers what it
 * is asked as a member would, so that a real node gets far. Clients ask by
 * commands as they are inside, or have connections (clients.h).
 *
 * Checked in here: whatever a node sends can be encoded and decoded and is then
 * the same; no request is answered twice; memory stays below a bound; a node
 * gives all of it back. scene_end: all requests were answered, and new ones
 * are, when links to puppets are down and there is memory. */
#ifndef HF_TESTS_FUZZ_SCENE_H
#define HF_TESTS_FUZZ_SCENE_H

#include "core/node_state.h"
#include "fuzz/clients.h"
#include "support/failing_mem.h"
#include "wire/peer.h"

#define SCENE_REAL_MAX 3
/* Real nodes, then puppets, then: the first puppet started anew, and one that
 * is no member of the first view. */
#define SCENE_PUPPET 3
#define SCENE_RESTARTED 6
#define SCENE_STRANGER 7
#define SCENE_PEOPLE 8
#define SCENE_PACKETS_MAX 64
#define SCENE_REQUESTS_MAX 1024

struct scene_packet {
    unsigned from; /* Of the people. */
    hf_incarnation incarnation;
    size_t size;
    uint8_t *bytes;
};

/* What was last sent to one of the people. */
struct scene_heard {
    hf_time sent_at;     /* Of a heartbeat. */
    uint64_t record;     /* Its number. */
    uint64_t forward;    /* Number of an operation. */
    hf_epoch ballot;     /* Of PREPARE and ACCEPT. */
    struct hf_pull pull; /* What it should send. */
};

struct scene_node {
    struct scene *scene;
    unsigned number;
    struct failing_mem failing;
    struct hf_node_config config;
    struct hf_node *node; /* NULL: there was no memory to create it. */
    struct scene_packet packets[SCENE_PACKETS_MAX];
    size_t packet_count;
    bool asked[SCENE_REQUESTS_MAX]; /* By tag: waits for an answer. */
    struct scene_heard heard[SCENE_PEOPLE];
    struct scene_clients clients;
};

struct scene {
    unsigned real_count;
    unsigned puppet_count;
    uint8_t obedient; /* Bits of people: puppets that play along. */
    hf_time now;
    int64_t wall_offset_ms;
    uint64_t tags;
    struct hf_peer_info people[SCENE_PEOPLE];
    struct scene_node nodes[SCENE_REAL_MAX];
    struct hf_mem mem;
    struct hf_peer_scratch scratch;
    struct hf_buffer bytes;
    struct hf_buffer again;
    struct hf_view view; /* The first one. */
};

/* Creates 1 to SCENE_REAL_MAX nodes, which know nobody, and up to three
 * puppets. */
struct scene *scene_open(unsigned real_count, unsigned puppet_count,
                         uint8_t backups, enum hf_partition_policy policy);
/* See above. */
void scene_end(struct scene *scene);
void scene_close(struct scene *scene);

/* All links come up, and real nodes and puppets are in one view. */
void scene_join(struct scene *scene);

struct scene_node *scene_node(struct scene *scene, unsigned number);
void scene_step(struct scene_node *node, struct hf_event *event);
/* A peer's session, if the node takes it. */
void scene_link(struct scene_node *node, unsigned who, enum hf_channel channel,
                bool out, bool up, bool abrupt);
/* Puts @message into the packets of @node. */
void scene_send(struct scene_node *node, unsigned from,
                const struct hf_message *message);
/* Delivers the packet at @index, and takes it away or not. Malformed ones
 * break the session, as wire/link.c does. */
void scene_deliver(struct scene_node *node, size_t index, bool keep);
void scene_drop(struct scene_node *node, size_t index);
/* Everything that is under way arrives and everybody ticks, @rounds times,
 * @ms apart. */
void scene_run(struct scene *scene, unsigned rounds, hf_time ms);
void scene_ask(struct scene_node *node, const struct hf_command *command);
/* kill -9 and start anew. */
void scene_restart(struct scene_node *node);

#endif
