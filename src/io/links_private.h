/* links_private.h - What the parts of io/links share.
 *
 *   links.c         create, send, flush, the timer, stop
 *   link_dial.c     addresses, attempts, when to dial again
 *   link_accept.c   the listener, strangers, judging a HELLO
 *   link_session.c  frames of one session, up and down
 *
 * A session (struct hf_link) lives in `sessions` until it is closed, then in
 * `closing` until NNG has let go of it. */
#ifndef HF_IO_LINKS_PRIVATE_H
#define HF_IO_LINKS_PRIVATE_H

#include "base/rng.h"
#include "io/links.h"
#include "io/pipe.h"
#include "io/probe.h"
#include "wire/link.h"
#include "wire/peer.h"

#define LINK_TICK_MS 50
#define LINK_HANGUP_MS 1000 /* For the dialler to close what it should. */
#define LINK_BATCH_MAX 8    /* Messages that are decoded ahead. */
#define LINK_QUIET_SOURCES 64
/* Strangers choose what some lines say: no more of those in a second. */
#define LINK_QUIET_LINES_MAX 20

/* The states of a session.
 *
 *   [dialled]  HELLO_SENT --- WELCOME ---> UP ---+--> CLOSED
 *                   +-- REFUSAL, deadline -------+
 *   [accepted] STRANGER --- good HELLO --> UP ---+
 *                   |  +-- garbage, deadline ----+
 *                   +-- bad HELLO --> REFUSED ---+
 *
 * Two addresses may lead to the same peer. Of two sessions of one dialler the
 * one with the larger number is the later one, and stays, whichever of the two
 * comes up first at either end. It is the dialler that closes the other: to the
 * acceptor that is SPARE from then on. */
enum hf_link_state {
    LINK_HELLO_SENT,
    LINK_STRANGER,
    LINK_REFUSED, /* The REFUSAL is on its way; they hang up. */
    LINK_UP,
    LINK_SPARE, /* Another took its place; they hang up. */
    LINK_CLOSED,
};

/* Why a session ends. */
enum hf_link_end {
    LINK_END_REMOTE, /* The other end closed or reset it. */
    LINK_END_LOCAL,  /* We found something wrong. */
};

struct hf_dial;

struct hf_link {
    struct hf_list link; /* In sessions or closing. */
    struct hf_list left; /* In links->left while it has more to take in. */
    struct hf_links *links;
    struct hf_pipe pipe;
    enum hf_link_state state;
    bool out;
    enum hf_channel channel;
    uint64_t session;
    struct hf_peer_info peer; /* Once UP. */
    hf_time deadline;         /* Of the handshake, or to hang up. */
    hf_time heard_at;
    bool watch_tried;
    bool doomed;         /* To be closed by the next poll; */
    const char *because; /* ... static text. */
    char remote[320];    /* "host:port" for logs. */
    /* Dialled. */
    struct hf_dial *dial;
    struct sockaddr_storage address;
    struct hf_pipe_frame *frame; /* Under construction, or NULL. */
    uint64_t sequence;
    hf_time spoke_at;
    /* Accepted. */
    struct hf_link_receiver receiver;
    bool begun;       /* The first frame of the input is sound, */
    size_t delivered; /* and so much of its payload was delivered. */
};

/* What one channel of an address is up to.
 *
 *   WAITING --time--> RESOLVING --> DIALLING --> HELD (has a session)
 *      ^                  |            |           |
 *      +------------------+------------+-----------+
 *   PARKED: another address leads to the same peer, which is up there.
 *   STOPPED: the address is our own. */
enum hf_dial_state {
    DIAL_WAITING,
    DIAL_RESOLVING,
    DIAL_DIALLING,
    DIAL_HELD,
    DIAL_PARKED,
    DIAL_STOPPED,
};

struct hf_attempt; /* One connect under way. */

struct hf_dial {
    struct hf_target *target;
    enum hf_channel channel;
    enum hf_dial_state state;
    unsigned failures;    /* Since the last session that was up. */
    bool was_up;          /* There was one: hurry to get it back. */
    size_t address_count; /* The name led to as many. */
    size_t next;          /* Which of them comes next. */
    hf_time next_at;      /* WAITING, PARKED. */
    hf_node_id alias_of;  /* PARKED. */
    struct hf_resolve *resolve;
    struct hf_attempt *attempt;
    struct hf_link *link;
};

struct hf_target {
    struct hf_list link;
    struct hf_links *links;
    struct hf_address address;
    char text[320];
    bool forgotten; /* To be removed by the next poll. */
    struct hf_dial dials[HF_CHANNEL_COUNT];
    bool reached; /* Then last_address is where a session was up. */
    struct sockaddr_storage last_address;
};

/* When something about a source was last worth a line. */
struct hf_quiet_source {
    uint64_t key;
    hf_time last;
};

struct hf_links {
    uv_loop_t *loop;
    struct hf_mem *mem;
    struct hf_log log;
    struct hf_links_handler handler;
    struct hf_inbox inbox;
    struct hf_rng rng;
    bool by_threads;
    uint32_t dialled;     /* Sessions, so far. */
    struct hf_hello ours; /* channel and session vary. */
    uint16_t port;
    nng_stream_listener *listener;
    struct hf_completion accepting;
    hf_time accept_at; /* Not under way: try again then. */
    uv_timer_t timer;
    hf_time ticked_at;
    struct hf_list sessions;
    struct hf_list closing;
    struct hf_list left;  /* Those that did not have time for all they heard. */
    uint64_t turn_end_ns; /* When that time is over; 0: it has not begun. */
    size_t strangers;
    struct hf_list targets;
    size_t target_count;
    struct hf_list attempts;
    struct hf_list probes;
    size_t probe_count;
    /* Out sessions that are up, for sending. */
    struct hf_link *out[HF_CHANNEL_COUNT][HF_LINK_TARGETS_MAX];
    size_t out_count[HF_CHANNEL_COUNT];
    bool noted; /* The next poll has to close, remove or dial something. */
    struct hf_message batch[LINK_BATCH_MAX]; /* Decoded, not delivered. */
    struct hf_peer_scratch scratch[LINK_BATCH_MAX];
    struct hf_quiet_source quiet[LINK_QUIET_SOURCES];
    hf_time quiet_since;  /* A second begins, ... */
    unsigned quiet_lines; /* ... and so many lines since. */
    bool stopping;
    bool inbox_closing;
    bool all_closed;
    void (*stopped)(void *user);
    void *stopped_user;
};

/* links.c */

/* Whether the same (@source, @reason) was not logged for @interval_ms; says so
 * once. The reason counts: who is refused for another one must find a line on
 * both sides. */
bool hf_links_may_log(struct hf_links *links, const char *source,
                      const char *reason, hf_time interval_ms);

/* link_session.c */

/* Makes a session of @stream, which is taken over. NULL when out of memory. */
struct hf_link *hf_link_create(struct hf_links *links, nng_stream *stream,
                               enum hf_link_state state);
/* Starts reading; closes the session when it cannot. */
void hf_link_listen(struct hf_link *link);
/* A frame for hf_frame_write_hello and its like; NULL: the session is doomed.
 */
struct hf_pipe_frame *hf_link_frame(struct hf_link *link);
/* Closes the session; when it was UP the handler hears of it, and when it was
 * dialled it is dialled again. Not from inside a node's step: doom it then. */
void hf_link_end(struct hf_link *link, enum hf_link_end end,
                 const char *because);
/* The same without an event and without dialling. */
void hf_link_close_quietly(struct hf_link *link);
/* To be ended by the next poll. */
void hf_link_doom(struct hf_link *link, const char *because);
/* The session is UP with link->peer: replaces an earlier one, tells. Or it is
 * itself replaced by a later one. */
void hf_link_went_up(struct hf_link *link);
/* Queues the frame under construction. */
void hf_link_seal(struct hf_link *link);
/* Starts a frame of messages unless there is one; false: out of memory, and
 * the session is doomed. */
bool hf_link_frame_ready(struct hf_link *link);
/* Handshakes that take too long, silence, idle frames. */
void hf_link_tick(struct hf_link *link, hf_time now);
/* Goes on with the input of a session that is not in links->left any more. */
void hf_link_take_in(struct hf_link *link);
/* Frees what NNG has let go of. */
void hf_links_release_closed(struct hf_links *links);

/* link_dial.c */

/* Dials whatever is due. */
void hf_links_dial_due(struct hf_links *links, hf_time now);
/* The session of @dial ended; @failed: it never came up. */
void hf_dial_ended(struct hf_dial *dial, bool failed);
/* A WELCOME or a REFUSAL came over a session we dialled. */
void hf_link_welcomed(struct hf_link *link,
                      const struct hf_frame_header *header,
                      struct hf_slice payload);
void hf_link_refused(struct hf_link *link, struct hf_slice payload);
/* A HELLO with this session number came in: it is our own. True when it was
 * one of ours; then that address is not dialled any more. */
bool hf_links_met_ourselves(struct hf_links *links, uint64_t session);
/* @peer has just reached us, so it can be reached: do not wait any longer. */
void hf_links_hurry(struct hf_links *links, const struct hf_peer_info *peer);
struct hf_target *hf_links_find_target(struct hf_links *links,
                                       const struct hf_address *address);
/* Removes targets that were forgotten, with what was dialled there. */
void hf_links_remove_forgotten(struct hf_links *links);
/* Ends all attempts and frees all targets; sessions are closed before. */
void hf_links_stop_dialling(struct hf_links *links);

/* link_accept.c */

/* Returns 0, HF_EINUSE, HF_EIO or HF_ENOMEM. */
HF_NODISCARD int hf_links_listen(struct hf_links *links, const char *bind,
                                 uint16_t port);
void hf_links_accept(struct hf_links *links);
/* A HELLO came over a session that was accepted. */
void hf_link_hello(struct hf_link *link, const struct hf_frame_header *header,
                   struct hf_slice payload);
/* A stranger sent what is no frame of ours. */
void hf_link_garbage(struct hf_link *link, const char *reason);

/* What the handler says of a peer that introduced itself. */
const char *hf_links_refuse(const struct hf_links *links,
                            const struct hf_peer_info *peer);

#endif
