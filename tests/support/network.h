/* network.h - Simulated links between the nodes of a simulated cluster.
 *
 * Stands in for src/io: it dials what a node wants dialled, reports sessions
 * as they come and go, makes one frame per peer, channel and turn with the real
 * codec, and carries its bytes to the other node's inbox, through faults drawn
 * from a seed.
 *
 *   node A: send, send, flush --> frame --> path A->B --> inbox of B --> take
 *                                           delay, loss, duplicate, reorder,
 *                                           corrupt, cut, clog
 *
 * Paths are one-way and per channel, so anything one-sided can be told. On the
 * data channel a lost or reordered frame is a gap, which breaks the session:
 * the receiver closes it, the sender hears of that and dials again. On the
 * control channel frames are just lost, repeated and reordered, which is more
 * than a real link does.
 *
 * A node's process is its incarnation: what arrives for another incarnation is
 * answered by a reset, as a kernel would. */
#ifndef HF_TESTS_NETWORK_H
#define HF_TESTS_NETWORK_H

#include "base/list.h"
#include "base/rng.h"
#include "core/node.h"
#include "support/schedule.h"
#include "support/trace.h"
#include "wire/link.h"
#include "wire/peer.h"

/* Every test makes room for all of them. Only tests/bench/growth.c is built
 * with more. */
#ifndef NETWORK_NODES_MAX
#define NETWORK_NODES_MAX 9
#endif
#define NETWORK_MESSAGE_TYPES 32

/* Of one path. Chances are out of 10,000 frames. */
struct network_faults {
    uint32_t loss;
    uint32_t duplicate;
    uint32_t reorder;
    uint32_t corrupt;
    uint32_t burst;      /* The path stalls for up to burst_us. */
    uint32_t late_hello; /* Of HELLOs: if its process is dead, it arrives again
                          * up to late_us_max later. */
    int64_t delay_us;    /* Fixed, */
    int64_t jitter_us;   /* plus up to that much. */
    int64_t burst_us;
    int64_t late_us_max;
    uint32_t bytes_per_ms; /* How much passes; 0: anything. */
};

/* What the network calls while network_take runs. */
struct network_host {
    void *user;
    /* Something waits in the inbox of @node. Called at any time. */
    void (*arrived)(void *user, unsigned node);
    void (*link)(void *user, unsigned node, const struct hf_link_event *event);
    void (*message)(void *user, unsigned node, hf_node_id from,
                    hf_incarnation incarnation,
                    const struct hf_message *message);
    void (*probed)(void *user, unsigned node, uint64_t token,
                   enum hf_probe_result result);
    /* Whether @node takes a session with a peer that greets like this. */
    bool (*takes)(void *user, unsigned node, const struct hf_peer_info *peer);
};

/* One way, one channel, from one node to another. */
struct network_path {
    struct network_faults faults;
    bool cut;     /* Everything is lost. */
    bool clogged; /* Everything waits. */
    struct hf_list held;
    int64_t arrival_us; /* Of the last packet that kept its place. */
    int64_t free_us;    /* When the last byte sent so far has passed. */
};

/* A session, at the end of its dialler. */
struct network_out {
    bool up;
    uint64_t attempt; /* Session being dialled; 0: none. */
    uint64_t session;
    uint64_t sequence;
    struct hf_peer_info peer;
    struct hf_buffer frame; /* Of this turn. */
    int64_t sent_us;
};

/* The same at the end of its acceptor. */
struct network_in {
    bool up;
    struct hf_link_receiver receiver;
    struct hf_peer_info peer;
    int64_t heard_us; /* When its last frame was taken. */
};

struct network_link {
    struct network *network;
    unsigned src; /* Who dials and sends. */
    unsigned dst;
    enum hf_channel channel;
    struct network_out out;
    struct network_in in;
    struct network_path path;
    struct task task; /* The next dial, or the next idle frame. */
    uint64_t frames;  /* Sent, with messages in them. */
    uint64_t messages[NETWORK_MESSAGE_TYPES]; /* Sent, by type, */
    uint64_t bytes[NETWORK_MESSAGE_TYPES];    /* without frame headers. */
};

struct network_node {
    bool running;
    bool paused;
    bool lost; /* Its host is gone: nobody answers for it, not even no. */
    struct hf_peer_info info;
    bool wanted[NETWORK_NODES_MAX]; /* Told to dial. */
    int64_t
        silent_us; /* Before that no session to it is silent for too long. */
    struct hf_list inbox;
};

struct network {
    struct schedule *schedule;
    struct trace *trace;
    struct network_host host;
    struct hf_mem mem;
    struct hf_rng rng;
    struct hf_peer_scratch scratch;
    struct hf_list packets; /* All there are. */
    unsigned node_count;
    uint64_t session_last;
    int64_t redial_us_max; /* How long a broken session may stay down. */
    const char *violation; /* A promise of core/node.h that a node broke. */
    uint64_t broken;       /* Sessions closed for a gap or a bad checksum. */
    uint64_t delivered;    /* Messages. */
    struct network_node nodes[NETWORK_NODES_MAX];
    struct network_link links[NETWORK_NODES_MAX][NETWORK_NODES_MAX]
                             [HF_CHANNEL_COUNT];
};

void network_init(struct network *network, unsigned node_count,
                  struct schedule *schedule, struct trace *trace,
                  const struct network_host *host, uint64_t seed);
void network_close(struct network *network);

/* Who lives at an address, before and after it runs. */
void network_node_place(struct network *network, unsigned node,
                        const struct hf_peer_info *info);

/* A process starts or ends. It ends without a word; its kernel resets what
 * was open. */
void network_node_up(struct network *network, unsigned node,
                     const struct hf_peer_info *info);
void network_node_down(struct network *network, unsigned node);
/* It ends together with its host: nothing resets what was open or refuses
 * connections, until a process runs there again, or the host is back. */
void network_node_lose(struct network *network, unsigned node);
void network_host_back(struct network *network, unsigned node);
/* A process stops or goes on. Its kernel still accepts connections. */
void network_node_pause(struct network *network, unsigned node, bool paused);

/* What the outbox of a node asks for. */
void network_send(struct network *network, unsigned src, hf_node_id to,
                  hf_incarnation incarnation, const struct hf_message *message);
void network_connect(struct network *network, unsigned src,
                     const struct hf_address *address);
void network_forget(struct network *network, unsigned src,
                    const struct hf_address *address);
void network_probe(struct network *network, unsigned src,
                   const struct hf_address *address, uint64_t token);
/* The end of a turn: sends the frames. */
void network_flush(struct network *network, unsigned src);

/* Hands the oldest packet in the inbox to the host; false when it is empty. */
bool network_take(struct network *network, unsigned node);

/* Faults. Paths of both channels, in one direction. */
void network_set_faults(struct network *network, unsigned src, unsigned dst,
                        const struct network_faults *faults);
void network_set_faults_all(struct network *network,
                            const struct network_faults *faults);
/* What waits in a path that let few bytes through arrives at once, in order:
 * else what is sent after it waits behind it, also when anything may pass. */
void network_drain(struct network *network);
void network_cut(struct network *network, unsigned src, unsigned dst, bool cut);
/* Holds back, or lets go in order, what travels on one channel. */
void network_clog(struct network *network, unsigned src, unsigned dst,
                  enum hf_channel channel, bool clogged);
/* Closes a session as a failing link would. */
void network_break(struct network *network, unsigned src, unsigned dst,
                   enum hf_channel channel);

struct network_link *network_link_of(struct network *network, unsigned src,
                                     unsigned dst, enum hf_channel channel);

#endif
