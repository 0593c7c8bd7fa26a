/* links.h - The sessions with other nodes, on NNG streams.
 *
 * We dial every address we know, twice: a control session and a data session.
 * What we dialled we only send on; what peers dialled to us we only listen to.
 * So each direction between two nodes stands on its own, and nobody has to
 * agree on who dials whom.
 *
 *   our dialler   HELLO -->  <-- WELCOME   MESSAGES --> --> -->   [out]
 *   our listener  HELLO <--  --> WELCOME   MESSAGES <-- <-- <--   [in]
 *
 * Only WELCOME counts as connected. A session that breaks is dialled again at
 * once, then after 50 and 100 ms, then every 300 to 500 ms. A session on which
 * nothing was heard for HF_LINK_SILENCE_MS is closed hard, and so are those to
 * the same peer: what TCP would still repeat by then comes too late.
 *
 * What was sent during one turn of the loop goes to a peer in one frame per
 * channel. Everything here runs on the loop thread, which also reads and writes
 * itself what need not wait; NNG's threads only reach the inbox. The handler's
 * functions are called from the loop, from hf_links_poll or from hf_links_run,
 * never from the functions that a node's outbox needs: connect, forget, probe
 * and send only take note.
 *
 * What strangers can cost us is bounded: so many sessions without a HELLO, so
 * long, and so small a HELLO; see the constants below. */
#ifndef HF_IO_LINKS_H
#define HF_IO_LINKS_H

#include <uv.h>

#include "core/node.h"

#define HF_LINK_SILENCE_MS 2000         /* Then a session is closed. */
#define HF_LINK_IDLE_MS 500             /* Then an empty frame is sent. */
#define HF_LINK_DIAL_MS 2000            /* For a TCP connect. */
#define HF_LINK_WELCOME_MS 1000         /* From HELLO to its answer. */
#define HF_LINK_HELLO_MS 3000           /* For a stranger to say HELLO. */
#define HF_LINK_STRANGERS_MAX 64        /* Sessions without a HELLO. */
#define HF_LINK_FRAME_BYTES (256 << 10) /* Then a new frame is begun. */
/* What peers say may take so long in one turn of the loop, in microseconds: a
 * frame holds thousands of messages, and every peer may send one. The rest
 * waits for the next turn, and is not counted as silence. */
#define HF_LINKS_TURN_US 1500
/* Queued for one session; over it the session is closed. */
#define HF_LINK_QUEUE_BYTES_MAX ((size_t)256 << 20)
#define HF_LINK_TARGETS_MAX 256 /* Addresses dialled. */
#define HF_LINK_PROBES_MAX 64   /* Probes under way; more are unknown. */

struct hf_links;

struct hf_links_handler {
    void *user;
    /* A session came up or went down. Borrowed for the call. */
    void (*link)(void *user, const struct hf_link_event *event);
    /* A peer said something. Borrowed for the call. */
    void (*message)(void *user, hf_node_id from, hf_incarnation incarnation,
                    const struct hf_message *message);
    /* The same peer says all of @messages now, one after the other: who likes
     * may look ahead, and note things in them. May be NULL. */
    void (*expect)(void *user, struct hf_message *messages, size_t count);
    void (*probed)(void *user, uint64_t token, enum hf_probe_result result);
    /* NULL, or why not to take a session with a peer that introduced itself,
     * which it is told. May be NULL: every one is taken. */
    const char *(*refuses)(void *user, const struct hf_peer_info *peer);
    /* A node refused us with @reason. May be NULL. */
    void (*refused)(void *user, const char *reason);
    /* An address that is dialled leads to this node itself. May be NULL. */
    void (*self)(void *user, const struct hf_address *address);
};

struct hf_links_config {
    const char *bind;         /* Host or literal to listen on. */
    uint16_t port;            /* 0: chosen by the kernel. */
    const char *cluster_name; /* At most HF_CLUSTER_NAME_BYTES_MAX bytes. */
    uint64_t random_seed;     /* For session numbers and jitter. */
    /* Receive by NNG's threads, as where a descriptor cannot be found. */
    bool by_threads;
    struct hf_log log;
};

/* Listens, but takes no session yet. Returns 0, HF_EINUSE when the port is
 * taken, HF_EIO when it cannot be listened on otherwise, HF_ENOMEM. @config is
 * copied, but for @handler->user all must outlive the links. */
HF_NODISCARD int hf_links_create(struct hf_links **links, uv_loop_t *loop,
                                 struct hf_mem *mem,
                                 const struct hf_links_config *config,
                                 const struct hf_links_handler *handler);

/* The port listened on. */
uint16_t hf_links_port(const struct hf_links *links);

/* Takes sessions from now on, as @self (copied). Call once, before the
 * functions below. */
void hf_links_start(struct hf_links *links, const struct hf_peer_info *self);

/* Keeps dialling @address until told to forget it. Twice is harmless. */
void hf_links_connect(struct hf_links *links, const struct hf_address *address);
/* Stops dialling and closes what was dialled there, with a down event. */
void hf_links_forget(struct hf_links *links, const struct hf_address *address);
/* Tries a fresh connect; `probed` tells how it went. */
void hf_links_probe(struct hf_links *links, const struct hf_address *address,
                    uint64_t token);

/* Adds @message to the frame under construction for that incarnation of @to;
 * dropped when there is no session of the message's channel to it. One that is
 * too large for any frame, or too much that waits, ends the session. */
void hf_links_send(struct hf_links *links, hf_node_id to,
                   hf_incarnation incarnation,
                   const struct hf_message *message);

/* Bytes that wait to be handed to the kernel for @to on the data channel, with
 * those of the frame under construction; 0 when there is no session. */
size_t hf_links_queued(const struct hf_links *links, hf_node_id to);

/* Takes in what NNG's threads have finished, and closes what has to be. */
void hf_links_poll(struct hf_links *links);

/* Goes on with what was left in the turn before, in the order in which it came;
 * call it once in each turn. True: there is more, so do not wait for anything
 * before the next turn. */
bool hf_links_run(struct hf_links *links);

/* Sends what was added since the last time. */
void hf_links_flush(struct hf_links *links);

/* Out sessions that are up, for INFO. */
size_t hf_links_count(const struct hf_links *links);

/* Closes everything, without events; @stopped is called from the loop when no
 * thread can call back any more. First the listener, so that who notices finds
 * the port closed. */
void hf_links_stop(struct hf_links *links, void (*stopped)(void *user),
                   void *user);

/* Frees the links, after `stopped`. */
void hf_links_destroy(struct hf_links *links);

#endif
