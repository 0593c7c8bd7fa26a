/* packet.h - What travels between two simulated nodes. Only for network.c and
 * packet.c.
 *
 * A packet is sent along a path, arrives at a node's kernel, and waits in the
 * inbox of the node's process until its next turn. */
#ifndef HF_TESTS_PACKET_H
#define HF_TESTS_PACKET_H

#include "base/list.h"
#include "support/network.h"

enum packet_type {
    PACKET_HELLO,   /* From a dialler. */
    PACKET_WELCOME, /* Its answer. */
    PACKET_FRAME,   /* Messages. */
    PACKET_CLOSE,   /* The other end of a session closed or reset it. */
    PACKET_PROBE,   /* A connect that only wants to know. */
    PACKET_PROBED,  /* Its answer. */
};

struct packet {
    struct task task;
    struct hf_list member; /* Of all packets. */
    struct hf_list place;  /* In an inbox, or held by a clogged path. */
    struct network *network;
    enum packet_type type;
    unsigned from;
    unsigned to;
    enum hf_channel channel;
    bool by_dialler; /* Travels from the dialler of its session. */
    bool late;       /* Only arrives if its sender is dead. */
    uint64_t session;
    uint64_t token;              /* PROBE, PROBED. */
    enum hf_probe_result result; /* PROBED. */
    hf_incarnation origin;       /* Of the sender. */
    hf_incarnation destination;  /* 0: whoever is there. */
    size_t size;
    struct hf_peer_info info; /* HELLO, WELCOME; of others never set. */
    uint8_t bytes[];          /* FRAME. */
};

/* A packet of @link's session: from its dialler, or back to it. */
struct packet *packet_create(struct network_link *link, enum packet_type type,
                             bool by_dialler, uint64_t session);
/* A frame of @link's session, from its dialler. Copies @bytes. */
struct packet *packet_create_frame(struct network_link *link,
                                   struct hf_slice bytes);
void packet_destroy(struct packet *packet);

/* Takes over @packet: it arrives after a delay, or is lost. */
void packet_send(struct packet *packet);
/* The same, past all faults, at @at_us. */
void packet_send_at(struct packet *packet, int64_t at_us);

/* The session's link. */
struct network_link *packet_link(const struct packet *packet);

/* The other end closed @session: tells the dialler, or else the acceptor. */
void packet_send_close(struct network_link *link, bool by_dialler,
                       uint64_t session, hf_incarnation destination);

#endif
