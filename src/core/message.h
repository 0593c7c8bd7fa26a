/* message.h - What nodes say to each other.
 *
 * Control messages may be lost, repeated and reordered: each is sent again by
 * a timer until it is no longer needed. Data messages arrive in order within a
 * link session; when a session breaks, the node repeats what matters (see
 * core/stream.h and core/ops.h). wire/peer.c turns these structs into bytes
 * and back; all slices and pointers in them are borrowed. */
#ifndef HF_CORE_MESSAGE_H
#define HF_CORE_MESSAGE_H

#include "base/bytes.h"
#include "core/command.h"
#include "core/limits.h"
#include "core/sessions.h"
#include "core/view.h"

enum hf_channel {
    HF_CHANNEL_CONTROL, /* Heartbeats, views: bulk never delays them. */
    HF_CHANNEL_DATA,    /* Replication, forwarding, hand-off. */
};
#define HF_CHANNEL_COUNT 2

enum hf_message_type {
    /* Control. */
    HF_MESSAGE_HEARTBEAT = 1,
    HF_MESSAGE_PREPARE = 2,
    HF_MESSAGE_PROMISE = 3,
    HF_MESSAGE_ACCEPT = 4,
    HF_MESSAGE_ACCEPTED = 5,
    HF_MESSAGE_VIEW = 6,
    HF_MESSAGE_NOMINATE = 7,
    /* Data. */
    HF_MESSAGE_FORWARD = 16,
    HF_MESSAGE_RESULT = 17,
    HF_MESSAGE_BOUNCE = 18,
    HF_MESSAGE_RECORD = 19,
    HF_MESSAGE_ACK = 20,
    HF_MESSAGE_COMMITTED = 21,
    HF_MESSAGE_POSITIONS = 22,
    HF_MESSAGE_PULL = 23,
    HF_MESSAGE_SUFFIX = 24,
    HF_MESSAGE_MERGE = 25,
    HF_MESSAGE_MERGED = 26,
    HF_MESSAGE_TELL = 27,
    HF_MESSAGE_TOLD = 28,
};

enum hf_member_state {
    HF_STATE_STARTING, /* In no view: looking for a cluster to join. */
    HF_STATE_ACTIVE,   /* In a view. */
    HF_STATE_OUT,      /* Was in a view that went on without it; rejoins. */
    HF_STATE_LEFT,     /* Left on purpose; does not come back. */
    HF_STATE_MERGING,  /* Its lineage gives way to another: hands over what it
                        * has, then is OUT. */
};

#define HF_GUESTS_MAX 4 /* More wait until these are in. */

enum hf_leaving {
    HF_LEAVING_NO,
    HF_LEAVING_DRAIN, /* Wants others to take over what it holds. */
    HF_LEAVING_READY, /* And may be left out once it holds nothing. */
};

#define HF_REFUSALS_MAX 4 /* Of more lineages only the last ones are told. */

/* Views of @lineage with a base before @before are past for somebody, who gives
 * way to none of them (core/visits.h). */
struct hf_refusal {
    uint64_t lineage;
    hf_epoch before;
};

/* What a node says of itself ten times a second. */
struct hf_heartbeat {
    hf_epoch epoch;   /* Of its view; 0 when it has none. */
    hf_time sent_at;  /* Sender's clock. */
    hf_time echo;     /* Receiver's sent_at, given back: that is the grant of a
                       * lease from then on. 0: no grant. */
    uint8_t state;    /* enum hf_member_state. */
    uint64_t cluster; /* Of its view; 0 when it has none. */
    uint64_t lineage; /* The same. */
    hf_epoch follows; /* MERGING: the view that it hands over to; OUT, STARTING:
                       * it enters none before this; ACTIVE: 0. */
    hf_member_set reach;       /* Members it hears, in the view of epoch, */
    hf_member_set suspects;    /* and those it suspects for what it sees. */
    uint64_t ops_finished;     /* All its operations below this number ended. */
    uint64_t sessions;         /* For which it is primary. */
    uint64_t under_replicated; /* Of those, with too few copies. */
    uint64_t bytes;            /* Session memory of all its copies. */
    uint64_t fences;           /* For which it is primary. */
    uint64_t fences_lifted;    /* Early, since it started. */
    /* Counted since its start, for `holdfast status`. */
    uint64_t writes_degraded; /* With fewer copies than wanted. */
    uint64_t partitions_lost;
    uint64_t sessions_lost;     /* With those. */
    hf_member_set slow;         /* Copies of its partitions that acknowledge
                                 * nothing: to be dropped from them. */
    hf_member_set put_off;      /* Members it fills no copies of for a while,
                                 * because they were slow. */
    uint64_t refill_partitions; /* Copies it is the one to fill, */
    uint64_t refill_sessions;   /* the sessions in them, */
    uint64_t refill_bytes;      /* and their memory. */
    uint64_t databases[HF_DATABASE_COUNT]; /* `sessions`, of each. */
    uint8_t leaving;                       /* enum hf_leaving. */
    bool others; /* It knows of somebody who may live outside of its view. */
    /* core/publish.h: */
    bool listens;           /* Its clients have subscribed to something. */
    uint64_t news;          /* The number of this and of the events, */
    uint64_t news_heard;    /* and that of the receiver's, as last heard. */
    uint32_t events;        /* Published by the cluster (core/notices.h), */
    uint64_t events_set_ms; /* and when that was set. */
    /* Nodes outside of the view that it has links with both ways: only whom
     * all members reach is taken in. */
    uint8_t guest_count;
    hf_incarnation guests[HF_GUESTS_MAX];
    /* ACTIVE: what it does not give way to; of one lineage each. */
    uint8_t refusal_count;
    struct hf_refusal refusals[HF_REFUSALS_MAX];
};

/* Whether a ballot may succeed though its voters are no safe set. */
enum hf_fork {
    HF_FORK_NO,
    HF_FORK_POLICY,   /* When the policy of the view allows it. */
    HF_FORK_TAKEOVER, /* By order of an operator. */
};

struct hf_prepare {
    hf_epoch ballot;
    hf_epoch base;          /* The view to be replaced. */
    hf_member_set excluded; /* Of the base view, to be left out. */
    hf_member_set dead;     /* Of those, certified dead. */
    uint8_t fork;           /* enum hf_fork. */
};

struct hf_promise {
    hf_epoch ballot;
    hf_epoch base;
    hf_member_set fresh;            /* Deaths this member certifies freshly. */
    hf_epoch accepted_ballot;       /* 0: nothing accepted. */
    const struct hf_view *accepted; /* NULL unless accepted_ballot. */
};

struct hf_accept {
    hf_epoch ballot;
    hf_epoch base;
    const struct hf_view *view;
};

struct hf_accepted {
    hf_epoch ballot;
    hf_epoch base;
};

/* A learner that has everything and without which the sender, the primary,
 * acknowledges nothing any more: it may become a full copy. */
struct hf_nomination {
    uint16_t partition;
    uint8_t member; /* Index in the view of epoch. */
};

struct hf_nominate {
    hf_epoch epoch;
    size_t count;
    const struct hf_nomination *nominations;
};

/* Who asked: unique over the life of the cluster. number 0: nobody. */
struct hf_operation_id {
    hf_incarnation origin;
    uint64_t number;
};

struct hf_forward {
    hf_epoch epoch;
    uint64_t number;        /* Of the operation at its origin. */
    uint64_t ops_finished;  /* As in the heartbeat. */
    uint16_t partition;     /* SCAN, EVERYWHERE: the first one. */
    uint16_t partition_end; /* One past the last; partition + 1 for keys. */
    uint32_t scan_position; /* SCAN: hash to start at in a single partition. */
    uint32_t scan_count;    /* SCAN: how many, in a single partition. */
    struct hf_command command;
    struct hf_slice unknown; /* What the command is called when its row is NULL:
                              * a newer node sent one that we do not have. */
};

struct hf_result {
    uint64_t number;
    uint64_t scan_next; /* SCAN of a single partition: where to go on. */
    struct hf_reply reply;
};

/* The receiver of a FORWARD is not who serves it in its view. */
struct hf_bounce {
    hf_epoch epoch; /* Of who bounced. */
    uint64_t number;
};

enum hf_record_kind {
    HF_RECORD_WRITE = 1,  /* Effects of a command on one key. */
    HF_RECORD_SKIP = 2,   /* To a learner: a write to a key that it will get
                           * with the stream; only the position moves. */
    HF_RECORD_LEARN = 3,  /* To a learner: forget the partition, start at this
                           * version. */
    HF_RECORD_ENTRY = 4,  /* To a learner: one session as it is now. */
    HF_RECORD_LEARNT = 5, /* To a learner: that was all. */
    HF_RECORD_SYNCED = 6, /* To a copy: up to this version all is committed. */
    HF_RECORD_OPERATION = 7, /* To a learner: an operation that was carried
                              * out, so that its retry is recognised. */
    HF_RECORD_LEVEL = 8,     /* To a copy that lagged: now you are at this
                              * version. */
    HF_RECORD_PAIRED = 9,    /* A WRITE to the only copy whose acknowledgement
                              * it waits for. */
};

/* One step of a replication stream. */
struct hf_record_view {
    enum hf_record_kind kind;
    uint16_t partition;
    struct hf_version version; /* ENTRY: the version of the session. */
    struct hf_operation_id operation;
    struct hf_slice key;
    struct hf_slice effects;
    struct hf_slice reply; /* Tokens, for the retry of the operation. */
    uint32_t hash; /* Of the key, where it was computed already; else 0. */
};

struct hf_record_message {
    hf_epoch epoch;
    uint64_t number; /* In the stream from this sender in this epoch, from 1. */
    struct hf_record_view record;
};

/* All records up to @number of the receiver's stream to the sender are
 * applied, in @epoch. number 0: "I am in this epoch, go on". */
struct hf_ack {
    hf_epoch epoch;
    uint64_t number;
};

/* All records up to @number of this stream are on every copy they went to. */
struct hf_committed {
    hf_epoch epoch;
    uint64_t number;
};

/* Where a copy stands at the start of an epoch. */
struct hf_position {
    uint16_t partition;
    struct hf_version version; /* Of the last record it has. */
    uint64_t learnt;           /* HF_SESSIONS_END: it has everything. 0: none
                                * of it, but what it has to hand over first;
                                * it is not to be filled until then. */
};

struct hf_positions {
    hf_epoch epoch;
    bool last; /* All positions that concern the receiver were sent. */
    size_t count;
    const struct hf_position *positions;
};

/* "Send me the records of @partition after @sequence": a new primary to a copy
 * that is further on. */
struct hf_pull {
    hf_epoch epoch;
    uint16_t partition;
    uint64_t sequence;
};

/* One record for whoever pulled. */
struct hf_suffix {
    hf_epoch epoch;
    struct hf_record_view record;
};

/* A session that the sender's lineage has. */
struct hf_merge_entry {
    struct hf_slice key;
    struct hf_version version;
    struct hf_slice effects; /* What makes it; empty: the receiver knew it. */
};

/* What a lineage that gives way has of a partition, by hash from @from to
 * before @to. from == to: how far did others get with it, and what is known
 * there? */
struct hf_merge {
    hf_epoch epoch;   /* Of the receiver's view. */
    uint64_t lineage; /* The sender's, */
    hf_epoch held;    /* and its view, in which it had a full copy. */
    hf_epoch forked;  /* Up to there both lineages know the same. */
    uint16_t partition;
    uint64_t from;
    uint64_t to;
    struct hf_slice knowledge; /* Of the sender (core/knowledge.h). */
    size_t count;
    const struct hf_merge_entry *entries; /* In the order of their hashes. */
};

/* All up to @to has been taken over and is on every copy. */
struct hf_merged {
    hf_epoch epoch;
    uint64_t lineage;
    hf_epoch held;
    uint16_t partition;
    uint64_t to;
    struct hf_slice knowledge; /* Of the sender, of all of the partition. */
};

/* Something for the subscribers of the receiver's clients. */
struct hf_tell {
    uint64_t number;           /* Of the answer; 0: none is wanted. */
    struct hf_command command; /* Of route SUBSCRIBERS. */
};

struct hf_told {
    uint64_t number;
    struct hf_reply reply;
};

struct hf_message {
    enum hf_message_type type;
    union {
        struct hf_heartbeat heartbeat;
        struct hf_prepare prepare;
        struct hf_promise promise;
        struct hf_accept accept;
        struct hf_accepted accepted;
        const struct hf_view *view;
        struct hf_nominate nominate;
        struct hf_forward forward;
        struct hf_result result;
        struct hf_bounce bounce;
        struct hf_record_message record;
        struct hf_ack ack;
        struct hf_committed committed;
        struct hf_positions positions;
        struct hf_pull pull;
        struct hf_suffix suffix;
        struct hf_merge merge;
        struct hf_merged merged;
        struct hf_tell tell;
        struct hf_told told;
    };
};

/* "heartbeat", for logs. */
const char *hf_message_name(enum hf_message_type type);
enum hf_channel hf_message_channel(enum hf_message_type type);

#endif
