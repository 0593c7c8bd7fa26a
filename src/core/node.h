/* node.h - One Holdfast node as a pure state machine.
 *
 * A node does no I/O, reads no clock and starts no thread. You hand it events
 * (a message came, a client asked, time passed) and it calls back with actions
 * (send this, answer that). Same events, same actions: that is what lets the
 * simulator replay a whole cluster from one number.
 *
 * Links. A node sends to a peer over a session that it dialled itself ("out")
 * and hears from it over the session the peer dialled ("in"), per channel. A
 * session delivers messages in order or breaks; which of the last messages
 * arrived before it broke is not known. The owner of the node keeps dialling
 * every address it was told to, and reports sessions as they come and go. */
#ifndef HF_CORE_NODE_H
#define HF_CORE_NODE_H

#include "base/log.h"
#include "base/mem.h"
#include "core/command.h"
#include "core/message.h"
#include "core/sessions.h"
#include "core/unit.h"
#include "core/view.h"

struct hf_node;

struct hf_address {
    char host[HF_HOST_BYTES_MAX + 1];
    uint16_t port;
};

struct hf_node_config {
    struct hf_peer_info self; /* incarnation: drawn anew for each start. */
    struct hf_address seeds[HF_SEEDS_MAX];
    size_t seed_count;
    unsigned backups;                /* 0 to HF_BACKUPS_MAX. */
    enum hf_partition_policy policy; /* Of a cluster that this node starts. */
    uint32_t hold_ms;              /* How long a command waits for a primary. */
    uint32_t touch_delay_ms;       /* Copies may end a session that much later
                                    * than promised; then not every touch has
                                    * to be replicated. Up to 60,000. */
    uint64_t random_seed;          /* For jitter and the cluster's number. */
    size_t value_bytes_max;        /* Of one session. */
    size_t held_bytes_max;         /* Commands waiting here, all clients. */
    size_t stream_bytes_max;       /* Records not yet acknowledged, per peer. */
    size_t learn_bytes_max;        /* Of those, records for refilling a copy. */
    struct hf_fence_rules fences;  /* Which sessions leave one. */
    size_t learn_bytes_per_second; /* Sent for that in all, at most. */
    uint32_t events; /* Published unless others know better: notices.h. */
    const struct hf_script_engine *scripts; /* NULL: none. Borrowed. */
    struct hf_log log;
};

/* Fills in defaults for everything but self, seeds and log. */
void hf_node_config_init(struct hf_node_config *config);

enum hf_event_type {
    HF_EVENT_TICK,     /* Time passed. */
    HF_EVENT_REQUEST,  /* A client asked. */
    HF_EVENT_MESSAGE,  /* A peer said something. */
    HF_EVENT_LINK,     /* A session with a peer came up or went down. */
    HF_EVENT_PROBED,   /* The answer to a probe action. */
    HF_EVENT_SELF,     /* An address we were told to dial is our own. */
    HF_EVENT_LISTEN,   /* Clients have subscribed, or none has any more. */
    HF_EVENT_NOTIFY,   /* A client chose the keyspace events. */
    HF_EVENT_TURN_END, /* No more events for now: acknowledge in one go. */
};

enum hf_probe_result {
    HF_PROBE_CONNECTED, /* Somebody accepts connections there. */
    HF_PROBE_REFUSED,   /* A live kernel says that nobody does. */
    HF_PROBE_UNKNOWN,   /* Timeout, no route, no such name. */
};

struct hf_link_event {
    const struct hf_peer_info *peer; /* As it introduced itself. */
    enum hf_channel channel;
    bool out;    /* Our session for sending; else theirs. */
    bool up;     /* A session that replaces one reports up again. */
    bool abrupt; /* Down: the other side's end closed or reset it. */
};

struct hf_event {
    enum hf_event_type type;
    hf_time now;     /* Never earlier than in the call before. Read it after
                      * the event's bytes were received. */
    int64_t wall_ms; /* Unix time, only for EXPIREAT and its like. */
    union {
        struct {
            uint64_t client; /* Given back with the reply. */
            uint64_t tag;
            const struct hf_command *command; /* Route not CONNECTION. */
        } request;
        struct {
            hf_node_id from; /* As introduced by the session it came over. */
            hf_incarnation incarnation;
            const struct hf_message *message;
        } message;
        struct hf_link_event link;
        struct {
            uint64_t token; /* Of the probe action. */
            enum hf_probe_result result;
        } probed;
        const struct hf_address *self;
        bool listens;
        struct {
            uint64_t client; /* Is answered OK. */
            uint64_t tag;
            uint32_t events; /* enum hf_notice_flag. */
        } notify;
    };
};

/* Where actions go. Each is called during hf_node_step, in order; what it is
 * given is borrowed for that call. It must not call the node. */
struct hf_outbox {
    void *user;
    /* To be sent over the out session of the message's channel; dropped when
     * that is down or the peer is another incarnation. */
    void (*send)(void *user, hf_node_id to, hf_incarnation incarnation,
                 const struct hf_message *message);
    void (*reply)(void *user, uint64_t client, uint64_t tag,
                  const struct hf_reply *reply);
    /* Dial this peer address until told to forget it. Told at most once per
     * address between forgets. */
    void (*connect)(void *user, const struct hf_address *address);
    void (*forget)(void *user, const struct hf_address *address);
    /* Bytes waiting to be sent to @to over its data session. May be NULL. */
    size_t (*queued)(void *user, hf_node_id to);
    /* Carries out a command of route SUBSCRIBERS for our own clients and
     * appends the answer: for PUBLISH an integer, for PUBSUB an array, of
     * patterns for NUMPAT. NULL: nobody ever subscribes. */
    void (*subscribers)(void *user, const struct hf_command *command,
                        struct hf_buffer *tokens);
    /* All others know of what HF_EVENT_LISTEN said. May be NULL. */
    void (*listened)(void *user);
    /* Try one fresh TCP connect there, within 300 ms, and report PROBED. */
    void (*probe)(void *user, const struct hf_address *address, uint64_t token);
};

/* Returns 0 and the node in *@node, or HF_ENOMEM or HF_EINVAL (nothing to
 * destroy then). @config is copied. @mem must outlive the node. */
HF_NODISCARD int hf_node_create(struct hf_node **node,
                                const struct hf_node_config *config,
                                struct hf_mem *mem, hf_time now);
void hf_node_destroy(struct hf_node *node);

/* Whether to take a session with @peer, which just introduced itself: false
 * while another incarnation of that node is heard, so that its greeting comes
 * late. Ask before a LINK event reports it. */
bool hf_node_takes(const struct hf_node *node, const struct hf_peer_info *peer,
                   hf_time now);

/* Whether the name of @peer, which just introduced itself, is that of another
 * process, at another address, that is alive: this one, or one that we have
 * links with and heard of just now. A process that was started again has ended
 * the links of the one before, and mostly has its address. Such a session is
 * not to be taken either: it would pass for the end of the one that lives. */
bool hf_node_name_is_used(const struct hf_node *node,
                          const struct hf_peer_info *peer, hf_time now);

/* Feeds one event. @event and all it points to are borrowed. Cannot fail: a
 * node short of memory says so to the client that asked. */
void hf_node_step(struct hf_node *node, const struct hf_event *event,
                  const struct hf_outbox *out);

/* Tells that @commands are about to come as requests, HF_EXPECT_MAX at most:
 * more are not looked at. Changes nothing but how soon they are carried out:
 * where their keys are is noted in them, and what is there is on its way into
 * the caches of the processor. One that nobody knows has no row. */
#define HF_EXPECT_MAX 16
void hf_node_expect(const struct hf_node *node, struct hf_command *commands,
                    size_t count);
/* The same for @messages that were received, in this order. */
void hf_node_expect_messages(const struct hf_node *node,
                             struct hf_message *messages, size_t count);

/* Begins to leave: others take over all that this node holds; when they have,
 * status says that it is drained. It serves and forwards all the while. A node
 * with no others to take over stays as it is. Cannot be undone. */
void hf_node_drain(struct hf_node *node);

/* Goes on to leave: once it is drained, the cluster goes on without it, and
 * its state is HF_STATE_LEFT. Call when its clients have their answers. */
void hf_node_leave(struct hf_node *node);

/* An operator's order to go on without whoever is not heard, as a new lineage:
 * what only they have is lost. For a node that serves nothing because it and
 * those it hears are no safe set, or not all because members that are away
 * have the only copies. Returns NULL when that was begun, which takes a few
 * seconds, else why not. */
const char *hf_node_takeover(struct hf_node *node);
/* Why a takeover would be refused now, or NULL. */
const char *hf_node_takeover_refusal(const struct hf_node *node);

/* When the node next wants an HF_EVENT_TICK. */
hf_time hf_node_deadline(const struct hf_node *node);

/* What a person or a test may want to know. */

struct hf_member_status {
    const struct hf_peer_info *info;
    bool alive;   /* Heard of lately, and hears us. */
    bool absent;  /* Without a vote, kept for what only it has. */
    bool leaving; /* On its way out. */
    bool slow;    /* Its copies do not keep up, or did not lately. */
    uint64_t sessions;
    uint64_t bytes;
    uint32_t primaries; /* Partitions. */
    uint32_t backups;
    uint32_t filling; /* Copies it should have and has not yet. */
};

struct hf_node_status {
    enum hf_member_state state;
    hf_epoch epoch;   /* 0: no view. The view number is epoch >> 32. */
    uint64_t lineage; /* Of the view; 0 when it has none. */
    uint32_t forks;   /* That the view came through. */
    enum hf_partition_policy policy; /* Of the view, or our own. */
    uint32_t merge_done;             /* MERGING: partitions handed over, */
    uint32_t merge_all;              /* of so many. */
    uint8_t member_count;
    struct hf_member_status members[HF_MEMBERS_MAX];
    uint64_t sessions; /* Of all members that are heard, as last heard. */
    uint64_t databases[HF_DATABASE_COUNT]; /* The same, of each. */
    uint64_t under_replicated;             /* The same. */
    uint64_t fences;                       /* The same. */
    uint64_t fences_lifted_early; /* By its members since they started. */
    uint64_t writes_degraded; /* Counted by all members since their starts, */
    uint64_t partitions_lost; /* as in struct hf_node_counters. */
    uint64_t sessions_lost;
    uint8_t backups;         /* Wanted copies besides the primary. */
    uint64_t local_sessions; /* For which this node is primary. */
    uint64_t local_alone;    /* Of those, with fewer copies than they should. */
    uint64_t local_bytes;
    uint64_t local_fences;       /* For which this node is primary. */
    uint64_t local_fence_bytes;  /* Of all its copies; part of local_bytes. */
    uint64_t refill_partitions;  /* Sum of what members are `filling`, */
    uint64_t refill_sessions;    /* the sessions still to be sent, */
    uint64_t refill_bytes;       /* and their memory, as last heard. */
    uint32_t partitions_primary; /* Of this node. */
    uint32_t partitions_backup;
    bool settled; /* Every partition is where placement wants it, with all the
                   * copies the members allow, and serves. */
    bool serving; /* In a view, with a lease. */
    hf_time unsafe_ms;  /* Those it hears have been no safe set for so long;
                         * 0: they are. */
    hf_time fork_in_ms; /* Until the policy lets them go on by themselves; */
    bool fork_allowed;  /* if it does. */
    bool deciding;      /* It has promised itself to a next view. */
    uint32_t partitions_unavailable; /* Whose only copies are not heard. */
    const char *no_takeover;         /* Why one would be refused, or NULL. */
    bool drained;   /* It is leaving, and others hold all that it held. */
    bool abandoned; /* It is leaving, and nobody stays to take over. */
    bool kept;      /* Out of the view, with sessions that nobody else has: it
                     * comes back with them, or hands them over. */
    /* OUT: somebody who has to be heard, or proven dead, before this node
     * starts a cluster anew. Valid until the next step; else NULL. */
    const char *waits_for;
};

void hf_node_get_status(const struct hf_node *node,
                        struct hf_node_status *status);

/* Counters since the start; all only grow. */
struct hf_node_counters {
    uint64_t operations;      /* Commands taken from clients. */
    uint64_t forwarded;       /* Of those, sent to another node. */
    uint64_t copy_reads;      /* Of those, reads answered as a backup. */
    uint64_t held;            /* Of those, that had to wait for a primary. */
    uint64_t refused;         /* Answered with CLUSTERDOWN. */
    uint64_t writes;          /* Records this node made as primary. */
    uint64_t touches;         /* New times to live without a record. */
    uint64_t writes_degraded; /* Of the records, acknowledged with fewer copies
                               * than wanted. */
    uint64_t writes_alone;    /* Of those, with a single one. */
    uint64_t expired;         /* Sessions it expired. */
    uint64_t fences_lifted_early; /* There were too many (core/fences.h). */
    uint64_t views;               /* Views it entered. */
    uint64_t partitions_lost;     /* Partitions whose every copy was gone. */
    uint64_t sessions_lost;       /* With those: an estimate, by what the dead
                                   * said last. */
    uint64_t forks;               /* Lineages it began or entered. */
    uint64_t merges;              /* Times its lineage gave way to another. */
    uint64_t sessions_merged;     /* Taken over from another lineage. */
    uint64_t merges_forgotten; /* There was no room to remember all of one. */
    uint64_t merge_conflicts;  /* Changed on both sides; one of them lost. */
    uint64_t records_refused;  /* Records from peers that did not fit. */
    uint64_t operations_repeated; /* Retries recognised. */
    uint64_t heartbeats;          /* Received from members. */
    uint64_t suspicions;          /* Members that fell silent, not dead. */
    uint64_t slow_reported;       /* Members found alive but not keeping up. */
    uint64_t copies_demoted;      /* Copies of ours dropped because of that. */
    uint64_t learners_put_off;    /* Learners of ours that did not keep up. */
    uint64_t fills;               /* Copies of ours begun to be filled. */
    uint64_t fills_resumed;       /* Of those, where they had been before. */
    uint64_t fill_bytes;          /* Sent to fill them. */
    uint64_t messages_published;  /* Asked for by clients of this node. */
    uint64_t messages_dropped;    /* To a node that did not take them. */
    uint64_t events_published;    /* Of sessions this node is primary for. */
};

/* Which keyspace events are published: enum hf_notice_flag. */
uint32_t hf_node_get_events(const struct hf_node *node);

const struct hf_node_counters *hf_node_get_counters(const struct hf_node *node);

/* For tests and tools: the view (NULL: none), a partition's table, whether the
 * node would answer for @partition at @now, whether it is a full copy. */
const struct hf_view *hf_node_get_view(const struct hf_node *node);
const struct hf_sessions *hf_node_get_sessions(const struct hf_node *node,
                                               uint16_t partition);
bool hf_node_serves(const struct hf_node *node, uint16_t partition,
                    hf_time now);

#endif
