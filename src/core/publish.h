/* publish.h - Messages to subscribers on every node, and keyspace events.
 *
 * Who subscribed to what, each node knows of its own clients only (the owner
 * of the node does, see struct hf_outbox); the others know whether it has any.
 * What is published goes to all that have:
 *
 *   PUBLISH --> own subscribers
 *          \--> TELL to each node that listens --> its subscribers
 *                                               \-> TOLD: how many they were
 *
 * and is answered by the sum when all have told, or HF_TELL_WAIT_MS later. A
 * node that cannot be reached gets nothing, and nothing is repeated: that is
 * all that publish and subscribe ever promised.
 *
 * News. Whether a node listens, and which events the cluster publishes, is in
 * every heartbeat, under a number that rises with each change; heartbeats
 * return the number that was heard. A subscription and CONFIG SET are
 * confirmed when all nodes that are alive returned it, or HF_NEWS_WAIT_MS
 * later. Whoever is not known yet is told everything.
 *
 * Which events: a register. What was set last by the clocks of the nodes
 * counts, and what was set at run time before what nodes were started with. */
#ifndef HF_CORE_PUBLISH_H
#define HF_CORE_PUBLISH_H

#include "base/list.h"
#include "core/command.h"
#include "core/notices.h"
#include "core/tally.h"

struct hf_node;
struct hf_peer;
struct hf_heartbeat;
struct hf_tell;
struct hf_told;
struct hf_record;

/* Answers of others that are waited for at the same time: a power of two. */
#define HF_TELLINGS_MAX 65536
/* What waits to be sent to a node before messages to it are dropped. */
#define HF_TELL_QUEUE_BYTES_MAX ((size_t)16 << 20)

struct hf_telling;

/* Which events are published, and since when. */
struct hf_events_register {
    uint32_t flags;  /* enum hf_notice_flag. */
    uint64_t set_ms; /* Unix time; 0: a setting that nodes started with. */
};

/* Of a peer. */
struct hf_peer_news {
    bool listens;    /* It has subscribers, */
    uint64_t number; /* as of these news; 0: not heard of yet. */
    uint64_t known;  /* News of ours that it heard of. */
};

/* Of a node. */
struct hf_publishing {
    struct hf_events_register events;
    bool listens;                 /* Some client here has subscribed. */
    uint64_t news;                /* Rises with each change of these. */
    struct hf_list announcements; /* Who waits until others know. */
    struct hf_telling **tellings; /* HF_TELLINGS_MAX by number, or NULL. */
    uint64_t tell_first;          /* The oldest that may wait. */
    uint64_t tell_next;
    struct hf_buffer notices; /* Of the command that is carried out. */
    struct hf_buffer channel;
    struct hf_buffer answer;
};

/* To be called as the node is made and destroyed. */
void hf_node_publishing_init(struct hf_node *node);
void hf_node_publishing_close(struct hf_node *node);

/* News. */

/* Some client here has subscribed, or none any more: out->listened when the
 * others know. */
void hf_node_listen(struct hf_node *node, bool listens);
/* Sets which events are published, for the cluster, and answers OK. */
void hf_node_set_events(struct hf_node *node, uint64_t client, uint64_t tag,
                        uint32_t flags);
/* Fills in what heartbeats say of it. */
void hf_node_tell_news(const struct hf_node *node, struct hf_heartbeat *beat);
/* What @beat of @peer says. True when it asks for a heartbeat at once. */
bool hf_node_take_news(struct hf_node *node, struct hf_peer *peer,
                       const struct hf_heartbeat *beat);
void hf_node_publishing_tick(struct hf_node *node);
/* Of that, what news.c does. */
void hf_node_news_tick(struct hf_node *node);
void hf_node_announcements_close(struct hf_node *node);
/* Whether somebody waits for others, so that time matters. */
bool hf_node_publishing_waits(const struct hf_node *node);

/* Messages. */

/* A command of route SUBSCRIBERS: PUBLISH, PUBSUB with a word that is known. */
void hf_node_publish(struct hf_node *node, uint64_t client, uint64_t tag,
                     const struct hf_command *command);
void hf_node_tell_heard(struct hf_node *node, struct hf_peer *from,
                        const struct hf_tell *tell);
void hf_node_told(struct hf_node *node, const struct hf_peer *from,
                  const struct hf_told *told);

/* Events. */

/* Whether any are wanted: look before all else. */
static inline bool hf_publishing_is_on(const struct hf_publishing *publishing)
{
    return publishing->events.flags != 0;
}

/* Keeps for the next record what @apply says happened to @key, as far as it is
 * wanted; it created the session when there was none. Call it when there are
 * effects. */
void hf_node_note(struct hf_node *node, const struct hf_apply *apply,
                  struct hf_slice key);
/* The same, of one event. */
void hf_node_note_event(struct hf_node *node, enum hf_notice notice,
                        struct hf_slice key);
/* The same of @command when there are no effects: it may have looked for a
 * session that is not there. */
void hf_node_note_unchanged(struct hf_node *node, const struct hf_apply *apply,
                            const struct hf_command *command);
/* Publishes @notices, as a record kept them. */
void hf_node_publish_notices(struct hf_node *node, struct hf_slice notices);
/* Publishes what is kept for a record that is not made. */
void hf_node_publish_noted(struct hf_node *node);

#endif
