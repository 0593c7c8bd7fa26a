/* peers.h - Who is out there: links, probes, heartbeats, leases, deaths.
 *
 * Part of the inside of a node (core/node_state.h). */
#ifndef HF_CORE_PEERS_H
#define HF_CORE_PEERS_H

#include "core/message.h"
#include "core/node.h"
#include "core/publish.h"
#include "core/view.h"

#define HF_PEERS_MAX 128
#define HF_TIME_PAST INT64_C(-1000000000)

struct hf_node;

/* A node we know of, whether a member or not. */
struct hf_peer {
    struct hf_peer_info info; /* Of the incarnation heard of last. */
    bool out_up[HF_CHANNEL_COUNT];
    bool in_up[HF_CHANNEL_COUNT];
    bool lost;          /* A link ended by the other side, none came since. */
    bool refused;       /* And a fresh connect was refused. */
    hf_time refused_at; /* Last, and also if there never was a link. */
    hf_time probed_at;
    hf_time met_at; /* In this incarnation, or in a view in another one. */
    hf_time echoed; /* Our sent_at it last gave back, since: it lived then. */
    hf_time heard;  /* On the control channel, or we dialled it. */
    hf_time view_sent_at;
    hf_time withheld_until; /* No echoes: a view without it is to come. */
    uint8_t member;         /* Index in our view, or HF_MEMBER_NONE. */
    bool has_beat;          /* `beat` is of this incarnation. */
    struct hf_heartbeat beat;
    /* What binds us, in any view: after an echo, to none without it so soon. */
    hf_time their_sent_at; /* Of its last heartbeat, to echo; 0: none. */
    hf_time beaten;        /* When that arrived. */
    hf_time given;         /* Arrival of the last one we echoed. */
    hf_time bound;         /* Our sent_at that it last echoed. */
    hf_time slow_until;    /* It was slow: no copy on it is filled before. */
    hf_time slow_pause;    /* How long that was. */
    struct hf_peer_news news;
};

enum hf_probe_kind { HF_PROBE_SEED, HF_PROBE_PEER };

struct hf_probe {
    uint64_t token;
    enum hf_probe_kind kind;
    uint32_t seed;
    hf_incarnation incarnation;
    hf_time sent_at;
};

#define HF_PROBES_MAX 256

struct hf_seed {
    hf_time probed_at;
    bool refused;
    bool accepted; /* Somebody is there. */
    bool self;
};

bool hf_node_address_equal(const char *host_a, uint16_t port_a,
                           const char *host_b, uint16_t port_b);
/* Whether the host of @info is an IP address. Where a name led to one process,
 * it may lead elsewhere for another: a refusal there is no proof against one
 * that we never had links with. */
bool hf_node_host_is_numeric(const struct hf_peer_info *info);
bool hf_node_is_own_address(const struct hf_node *node,
                            const struct hf_address *address);
struct hf_peer *hf_node_peer_by_id(const struct hf_node *node, hf_node_id id);
void hf_node_address_of(const struct hf_peer_info *info,
                        struct hf_address *address);
/* The member whose name and address @peer has, in whatever incarnation, or
 * HF_MEMBER_NONE. */
uint8_t hf_node_named(const struct hf_node *node, const struct hf_peer *peer);
/* Asks for a probe; its token. */
uint64_t hf_node_probe_start(struct hf_node *node, enum hf_probe_kind kind,
                             const struct hf_address *address);
void hf_node_probe_peer(struct hf_node *node, struct hf_peer *peer);
void hf_node_probed(struct hf_node *node, uint64_t token,
                    enum hf_probe_result result);
/* @peer runs under the name of a member, and gives back what we sent when that
 * one existed already: so it lives since, and the member does not, for a name
 * has one process at a time. A greeting alone proves nothing: it may be of a
 * process that died before. */
void hf_node_certify_replaced(struct hf_node *node, const struct hf_peer *peer);
/* The same of a member of the view that we are out of. */
bool hf_node_is_replaced(const struct hf_node *node,
                         const struct hf_peer *peer);
/* Dials members of a view that we are not in yet. */
void hf_node_peers_meet(struct hf_node *node, const struct hf_view *view);
/* The view changed: who of the peers is which member. */
void hf_node_peers_attach(struct hf_node *node);
void hf_node_peers_tick(struct hf_node *node);
void hf_node_link_changed(struct hf_node *node,
                          const struct hf_link_event *link);
struct hf_peer *hf_node_peer_find(const struct hf_node *node, hf_node_id id,
                                  hf_incarnation incarnation);
void hf_node_heard(struct hf_node *node, struct hf_peer *peer);
void hf_node_heartbeat(struct hf_node *node, struct hf_peer *peer,
                       const struct hf_heartbeat *beat);
/* What the last heartbeat of a member says, once it and we are in one epoch. */
void hf_node_take_beat(struct hf_node *node, struct hf_peer *peer);
void hf_node_send_heartbeats(struct hf_node *node);
/* Sends over the message's channel if its session is up. */
bool hf_node_send(struct hf_node *node, const struct hf_peer *peer,
                  const struct hf_message *message);
bool hf_node_send_member(struct hf_node *node, uint8_t member,
                         const struct hf_message *message);
/* The members whose lease we hold now. */
hf_member_set hf_node_lease(struct hf_node *node);
void hf_node_lease_changed(struct hf_node *node);
/* Members whose vote on what follows our view nobody ever gets: freshly dead,
 * or gone over to us from another lineage, which they do to a view that they
 * are not in. */
hf_member_set hf_node_voteless(const struct hf_node *node);
/* Whether it cannot have agreed to a view without us: it echoed us lately. */
bool hf_node_is_bound(const struct hf_node *node, uint8_t member);
/* Arrival of the last heartbeat of @member that we echoed. */
hf_time hf_node_given(const struct hf_node *node, uint8_t member);

#endif
