/* node_state.h - The inside of a node, shared by the files that make it up.
 *
 *   node.c        the dispatcher: one call per event
 *   status.c      what a node tells of itself
 *   peers.c       who is out there: links, heartbeats, leases
 *   deaths.c      who is lost: probes; who is proven dead
 *   suspicion.c   which members are of no use for now
 *   discovery.c   finding a cluster to join, or starting one
 *   agreement.c   agreeing on the next view: ballots, and what to propose
 *   fork.c        going on without a safe set: when, and by whose order
 *   follow.c      which views to follow; being out of all of them
 *   install.c     entering a view: what to keep, bringing all copies level
 *   writes.c      the primary: carrying out commands, commit
 *   waiting.c     commands that wait until the primary can serve
 *   answers.c     what it takes to answer, and the way to who asked
 *   copies.c      the copy: applying records, acknowledging
 *   reads.c       the copy: answering reads from its own memory
 *   refill.c      filling a learner until it can be a copy
 *   discard.c     freeing what is not to be kept, a little at a time
 *   slow.c        copies that do not keep up
 *   merge.c       handing over what a fork has when it gives way
 *   merge_take.c  taking that over
 *   touches.c     new times to live that copies need not hear of
 *   requests.c    the node a client asked: routing and holding
 *   gathers.c     one answer made of several
 *   transfers.c   commands on keys of several partitions, step by step
 *   topology.c    what clients of the cluster protocol are told
 *   losses.c      counting what was promised with too few copies, or lost
 *
 * Nothing here is for use outside of these files and their tests. */
#ifndef HF_CORE_NODE_STATE_H
#define HF_CORE_NODE_STATE_H

#include "base/list.h"
#include "base/mutation.h"
#include "base/rng.h"
#include "core/discard.h"
#include "core/expiry.h"
#include "core/gathers.h"
#include "core/knowledge.h"
#include "core/merge.h"
#include "core/node.h"
#include "core/operations.h"
#include "core/peers.h"
#include "core/placement.h"
#include "core/publish.h"
#include "core/record.h"
#include "core/share.h"
#include "core/stream.h"
#include "core/suspicion.h"
#include "core/timers.h"
#include "core/transfers.h"
#include "core/turn.h"
#include "core/visits.h"

#define HF_ASKED_PLACES 4096 /* A power of two. */
#define HF_NOMINATIONS_MAX (HF_PARTITION_COUNT * (1 + HF_BACKUPS_MAX))

/* A member of the current view, ourselves included. */
struct hf_member {
    struct hf_peer *peer; /* NULL: never met, or met in another incarnation. */
    hf_time given;        /* The peer's, when another process of its name */
    hf_time bound;        /* introduced itself. */
    hf_time heard;
    hf_time died_at;       /* When we learnt that it did. */
    hf_time unheard_since; /* It says it does not hear us; 0: it does. */
    hf_time unheard_at;    /* When it said so last. */
    hf_time late_since;    /* It gives back what we sent longer ago than a */
    hf_time late_at;       /* lease, the last time then; 0: it does not. */
    hf_time ahead_since; /* It went on elsewhere, and has yet to show where. */
    hf_time grant; /* Our sent_at it last echoed in this epoch: a lease. */
    bool ready;    /* It is in our epoch. */
    bool positions_known; /* It told us where its copies stand. */
    bool astray;          /* It is heard, but has not entered our view, */
    bool gone_over;       /* and never will: it hands over to it. */
    bool echoed;          /* We answered a heartbeat of it in this epoch. */
    bool slow; /* Alive, but its copies of our partitions stand still. */

    /* Records from us to it. */
    struct hf_stream stream;
    bool refill_wanted; /* There may be more to stream to it, */
    bool refill_later;  /* or will be when it is not put off any more. */
    int32_t learning;   /* The partition being streamed to it, or -1. */
    uint16_t fill_next[HF_FILL_NEXT_MAX]; /* Those that come next. */
    uint8_t fill_next_count;
    uint64_t learn_from;    /* Hash position the stream has reached. */
    size_t learn_window;    /* Bytes for filling that may be under way. */
    uint64_t learn_probe;   /* A record for filling, to see how long it */
    hf_time learn_probe_at; /* takes; 0: none. */
    hf_time untold_since;   /* It is not told of a commit; 0: it is. */

    /* Records from it to us. */
    hf_time pulled_at;  /* When we last asked for some, or it sent one then. */
    uint64_t in_number; /* Last one applied. */
    bool ack_due;
    struct hf_record_queue in_log; /* Applied, commit not heard of. */
};

/* How far a member's copy of a partition is, as its primary sees it. */
enum hf_copy_state {
    HF_COPY_NONE,      /* No copy, and none wanted. */
    HF_COPY_WANTED,    /* Should have one; stream not begun. */
    HF_COPY_LEARNING,  /* Stream under way. */
    HF_COPY_STREAMED,  /* All sent; it may still have far to go. */
    HF_COPY_LEARNT,    /* It caught up: counts for commit; not yet confirmed. */
    HF_COPY_NOMINATED, /* Confirmed: waits for a view to make it a copy. */
    HF_COPY_UNKNOWN,   /* A copy by the view, which has not reported yet. */
    HF_COPY_REPORTED,  /* It told where it stands. */
    HF_COPY_SYNCING,   /* Being brought level. */
    HF_COPY_FULL,      /* In sync. */
};

struct hf_copy {
    uint8_t member;
    enum hf_copy_state state;
    bool acting;               /* A full copy by the view. */
    bool kept_aside;           /* It has something to hand over first. */
    bool handed_over;          /* It did, in this view. */
    struct hf_version version; /* As reported at the start of the epoch. */
    uint64_t learnt;           /* The same. */
    uint64_t learnt_number;    /* Of the last LEARNT in the stream to it. */
    uint64_t learnt_at; /* Sequence when the stream to it was complete. */
    bool confirmed;     /* It has all that. */
};

/* A command from another node or from here that waits for this partition. */
struct hf_waiting {
    struct hf_list link;
    struct hf_operation_id operation;
    hf_time since;
    size_t size; /* Of this allocation, which holds the arguments. */
    struct hf_command command;
};

#define HF_PARTITION_LOOK_BYTES 256
/* What each command looks at comes first, within HF_PARTITION_LOOK_BYTES. */
struct hf_partition {
    struct hf_version version;  /* Of the last record applied. */
    struct hf_version base;     /* Of the record before the log's first. */
    struct hf_record_queue log; /* Records not known to be on all copies. */
    /* As a copy: its primary said in this epoch that all have what we have,
     * and tells us of what is `committed` since. */
    bool level;
    /* As primary: */
    bool primary;
    bool synced;  /* All copies confirmed our state in this epoch. */
    bool pulling; /* A copy is further on than we are. */
    bool awaited; /* Somebody else is to bring what it held: the view says so,
                   * or we know, `handed` it over, and have it not. */
    bool handed;
    uint8_t merges_pending;
    uint8_t copy_count;          /* Copies and learners, without ourselves. */
    uint64_t committed;          /* Sequence up to which all copies have it. */
    uint64_t last_delete;        /* Sequence of the last record that removed, */
    uint64_t last_taken;         /* or took over from another lineage. */
    hf_time touched_at;          /* Last write that a client asked for. */
    struct hf_list waiting;      /* struct hf_waiting, in order. */
    struct hf_sessions sessions; /* All but its counts. */

    uint64_t learnt; /* HF_SESSIONS_END: has everything; else 0. */
    struct hf_copy copies[HF_COPIES_MAX + 1 + HF_BACKUPS_MAX];
    size_t pulled_bytes; /* That came since we last asked for it. */
    struct hf_knowledge knowledge;
    struct hf_list waiting_link; /* In node->waiting_partitions. */
    struct hf_merge_out merge;
    struct hf_merge_in merges[HF_MERGES_IN_MAX];
    hf_time awaited_until; /* When `handed`: until then at least. */
    struct hf_merge_given given;
};

_Static_assert(offsetof(struct hf_partition, sessions.counts) <=
                   HF_PARTITION_LOOK_BYTES,
               "what each command looks at is near");

/* A read of many partitions of this node at once. */
struct hf_range {
    struct hf_list link;
    struct hf_operation_id operation;
    uint32_t pending; /* Records not committed. */
    uint32_t size;
    bool started; /* Until then it waits for all its partitions. */
    hf_time since;
    struct hf_forward forward; /* Arguments inside this allocation. */
    struct hf_reply reply;     /* Once started. */
    struct hf_buffer held;     /* What it borrows. */
    size_t held_bytes;         /* Of that, as counted in node->answer_bytes. */
    uint64_t scan_next;
};

enum hf_request_state {
    HF_REQUEST_HELD,  /* No primary to send it to. */
    HF_REQUEST_SENT,  /* Forwarded; no answer yet. */
    HF_REQUEST_LOCAL, /* With ourselves as primary. */
};

/* What a client asked of this node, or a part of it. */
struct hf_request {
    struct hf_list link; /* In node->requests, by number. */
    uint64_t number;
    uint64_t client;
    uint64_t tag;
    hf_time deadline;
    enum hf_request_state state;
    uint8_t target; /* Member it was sent to. */
    bool bounced;   /* Wait for the next view before it is sent again. */
    uint16_t place; /* Where it counts in node->asked. */
    bool ranged;    /* partition to partition_end, on `target` alone. */
    uint16_t partition;
    uint16_t partition_end;
    uint32_t scan_position;
    uint32_t scan_count;
    struct hf_gathering *gather; /* Both NULL: answers the client directly. */
    struct hf_transfer *transfer;
    uint32_t part;
    size_t size; /* Of this allocation, which holds the arguments. */
    struct hf_command command;
};

struct hf_ballot {
    bool active;
    bool accepting; /* Phase 2. */
    enum hf_fork fork;
    hf_epoch number;
    hf_member_set voters;
    hf_member_set excluded;
    hf_member_set dead; /* All voters were told so. */
    hf_member_set answered;
    hf_member_set fresh;
    hf_time started_at; /* Or got to its second half. */
    hf_time sent_at;
    hf_epoch accepted_ballot; /* Highest seen in promises. */
};

struct hf_node {
    struct hf_node_config config;
    struct hf_mem *mem;
    struct hf_rng rng;
    const struct hf_outbox *out; /* Only during a step. */
    hf_time now;
    int64_t wall_ms;
    hf_time started_at;
    hf_time stepped_at;
    hf_time awake_since; /* When we last stood still, until then. */
    hf_time ticked_at;
    struct hf_node_counters counters;
    uint64_t doubted_cluster; /* Perhaps lost; 0: none. */
    uint64_t doubted_sessions;
    hf_time degraded_said_at; /* A log line about writes_degraded. */

    /* Peers. */
    struct hf_peer *peers; /* HF_PEERS_MAX. */
    size_t peer_count;
    struct hf_seed seeds[HF_SEEDS_MAX];
    struct hf_probe probes[HF_PROBES_MAX];
    uint64_t probe_token;
    hf_time beat_at; /* When heartbeats are due. */

    /* The view. */
    enum hf_member_state state;
    enum hf_leaving leaving; /* What we were told. */
    struct hf_view *view;    /* Valid when it has an epoch. */
    struct hf_owners *targets;
    bool settled_map;
    uint8_t self;               /* Our index, or HF_MEMBER_NONE. */
    struct hf_member *members;  /* HF_MEMBERS_MAX. */
    struct hf_member *previous; /* Those of the view before, while entering. */
    hf_member_set dead;         /* Certified. */
    hf_member_set fresh;     /* Of those, observed under a lease of theirs. */
    hf_member_set suspected; /* As of the last tick, not dead. */
    hf_time installed_at;
    hf_member_set lease;  /* Members whose grant is valid, until: */
    hf_time lease_until;  /* the first of them ends. */
    bool lease_safe;      /* They and we are a safe set. */
    hf_member_set spoken; /* Sent data to since the last TURN_END. */
    hf_time tell_at;      /* When somebody is to be told of a commit. */

    /* Agreement. */
    hf_epoch promised;
    hf_time promised_at;            /* Or asked for that again. */
    hf_member_set promised_without; /* Whom that ballot leaves out. */
    hf_epoch highest_ballot;        /* Seen anywhere. */
    hf_epoch chosen_ballot;         /* The last of ours that nothing bound. */
    hf_epoch accepted_ballot;
    hf_epoch accepted_after;  /* The base of the view that it comes after. */
    struct hf_view *accepted; /* Of our lineage: others may have decided it. */
    struct hf_view *proposal;
    struct hf_view *best; /* Accepted view of the highest ballot promised. */
    struct hf_ballot ballot;
    struct hf_visits visits;   /* Which views we do not go back to. */
    hf_time need_since;        /* A change is needed since; 0: none. */
    hf_time unsafe_since;      /* Those we hear are no safe set since; or 0. */
    hf_time takeover_until;    /* An operator's order holds until then, */
    uint64_t takeover_lineage; /* and in this lineage. */
    struct hf_nomination *nominations; /* Heard in this epoch. */
    size_t nomination_count;           /* At most HF_NOMINATIONS_MAX. */

    /* Merging into another lineage. */
    struct hf_view *target;  /* The newest view of it. */
    hf_epoch forked;         /* Up to there both sides know the same. */
    bool merge_out;          /* We were out of our view when it began. */
    hf_time merge_heard;     /* Anything of a member of the target. */
    hf_time merge_moved;     /* Something was handed over, or a new target. */
    uint32_t merge_deferred; /* Partitions that are. */
    uint32_t merge_awaited;  /* Partitions that were `handed` over, */
    bool merge_given_up;     /* which an operator gives up. */
    uint32_t view_awaited;   /* Partitions that the view says are awaited. */
    hf_time deserted_since;  /* OUT, kept, nobody of it is heard; or 0. */
    /* Lineages that we waited for in vain, and those to which we did not give
     * way: several may be heard who do not hear each other. When there are
     * more, the first is forgotten. */
    struct hf_merge_vain vain[HF_REFUSALS_MAX];
    uint8_t vain_count;
    uint8_t refused_count;
    struct hf_refusal refused[HF_REFUSALS_MAX];
    hf_time conflicts_since; /* When conflicts_logged was last 0. */
    uint32_t conflicts_logged;
    hf_time merge_refused_at; /* When it was last logged. */

    /* Data. */
    struct hf_partition *partitions;                  /* HF_PARTITION_COUNT. */
    struct hf_sessions_totals shares[HF_SHARE_COUNT]; /* What these hold. */
    uint32_t taught; /* Partitions of ours with learners. */
    struct hf_expiry expiry;
    struct hf_operations operations;
    struct hf_buffer effects;
    struct hf_buffer scratch;
    struct hf_buffer tokens;
    hf_time fences_warned_at; /* Of too many fences. */
    bool expiry_waits;        /* More sessions are due right now. */
    bool sends_wait;          /* Streams have more than a turn may send, */
    size_t sent_bytes;        /* and this was sent in it. */
    uint32_t walks_waiting;   /* Gatherings whose next page is to be asked. */
    bool commit_blocked; /* Something may be ready to commit: look again. */
    uint32_t unsynced;   /* Partitions of ours that are not synced. */
    int64_t fill_bytes;  /* That may be sent now to fill copies; in debt < 0. */
    hf_time fill_at;     /* When that was counted. */
    uint8_t fill_turn;   /* Whom a tick begins with. */
    bool nominate_due;   /* Some copy of ours waits to be made full. */
    hf_time nominated_at;
    struct hf_list waiting_partitions;
    struct hf_list discarding; /* struct hf_discarded, while it is freed. */
    struct hf_list ranges;
    size_t waiting_bytes;
    size_t answer_bytes; /* Held by answers that wait for others. */

    struct hf_publishing publishing;
    /* Requests. */
    struct hf_list requests; /* By number. */
    struct hf_list gathers;
    struct hf_list transfers;         /* That wait for an answer; */
    struct hf_list transfers_ready;   /* those that go on in the end. */
    struct hf_request **request_ring; /* By number. */
    uint32_t request_capacity;
    uint64_t request_next;
    size_t request_bytes;
    uint32_t held_count;
    /* Requests in the table, by hash of their key; in the last two places those
     * on all keys, that write and that read. */
    uint32_t asked[HF_ASKED_PLACES + 2];
};

/* status.c */
/* Fills in what a heartbeat says of our own data. */
void hf_node_count_local(const struct hf_node *node, struct hf_heartbeat *beat);
/* To be called when it became, or is no longer, primary or synced. */
void hf_node_count_share(struct hf_node *node, uint16_t partition);
/* Whether a node in a view may serve what it is the primary of. */
bool hf_node_has_lease(const struct hf_node *node);

/* losses.c */
/* Partitions of which we find that every copy is gone. */
struct hf_node_losses {
    bool lost[HF_PARTITION_COUNT];
};

/* Counts the write of @sequence, with @effects, which commits, if it has fewer
 * copies than wanted. */
void hf_node_count_commit(struct hf_node *node, uint16_t partition,
                          uint64_t sequence, struct hf_slice effects);
/* Counts and logs @losses. @before is the view we come from, @members its
 * members: what they said last tells about how much they held. */
void hf_node_count_lost(struct hf_node *node,
                        const struct hf_node_losses *losses,
                        const struct hf_view *before,
                        const struct hf_member *members);
/* All others of our view died, and we have nothing: whether others went on
 * with what they had, the next view that we enter tells. */
void hf_node_doubt(struct hf_node *node);
/* It is entered: of another cluster, then all of ours is lost. */
void hf_node_doubt_ends(struct hf_node *node);

/* discovery.c */
void hf_node_peers_start(struct hf_node *node);
void hf_node_seed_is_self(struct hf_node *node,
                          const struct hf_address *address);
void hf_node_discover(struct hf_node *node);
bool hf_peer_has_links(const struct hf_peer *peer);
/* Whether we have to know that a peer without links is dead. */
bool hf_node_peer_matters(const struct hf_node *node,
                          const struct hf_peer *peer);
/* OUT: the name, or address, of somebody who may live and be in the cluster:
 * until that is known we start no other one. NULL: nobody, or not OUT. */
const char *hf_node_waits_for(const struct hf_node *node);
/* Nothing is lost by it: look for a cluster as if just started. */
void hf_node_start_over(struct hf_node *node);

/* fork.c */
/* Whether @rest may go on without being a safe set, given that @dead are
 * freshly certified dead. */
bool hf_node_may_fork(const struct hf_node *node, enum hf_fork fork,
                      hf_member_set dead, hf_member_set rest);
/* Notes whether @live are a safe set, and how long not. */
void hf_node_watch_safety(struct hf_node *node, hf_member_set live);
/* Whether that lasts, so that those who are missing may not come soon. */
bool hf_node_is_cut_off(const struct hf_node *node);
/* Whether an operator's order waits to be carried out. */
bool hf_node_takeover_due(const struct hf_node *node);
/* Fills in whether those we hear go on, when and why not. */
void hf_node_tell_safety(const struct hf_node *node,
                         struct hf_node_status *status);
/* What kind of fork it is time for, if any. */
enum hf_fork hf_node_fork_due(const struct hf_node *node, hf_member_set live);

/* agreement.c */
void hf_node_agreement_tick(struct hf_node *node);
/* Something happened that may call for a new view: look at once. */
void hf_node_consider_change(struct hf_node *node);
/* What we accepted as the one after @view: its ballot, or 0. @view may be ours,
 * or the same that was agreed on again. */
hf_epoch hf_node_accepted_after(const struct hf_node *node,
                                const struct hf_view *view);
/* Promises some later ballot, before anybody asks for one. */
void hf_node_grant_no_more(struct hf_node *node);
/* Enters our view again, under an epoch later than any that we heard of. */
void hf_node_renumber_view(struct hf_node *node);
void hf_node_prepared(struct hf_node *node, struct hf_peer *from,
                      const struct hf_prepare *prepare);
void hf_node_promised(struct hf_node *node, struct hf_peer *from,
                      const struct hf_promise *promise);
void hf_node_accept_asked(struct hf_node *node, struct hf_peer *from,
                          const struct hf_accept *accept);
void hf_node_accepted(struct hf_node *node, struct hf_peer *from,
                      const struct hf_accepted *accepted);
void hf_node_nominated(struct hf_node *node,
                       const struct hf_nominate *nominate);
void hf_node_form_cluster(struct hf_node *node);

/* proposal.c: what the next view should be, with @voters of this one. */
void hf_proposal_make(const struct hf_node *node, hf_member_set voters,
                      struct hf_view *view);
/* Whether a view that only moves ownership would change anything. */
bool hf_proposal_moves(const struct hf_node *node);
/* Whether somebody began to leave, which the view does not know. */
bool hf_proposal_leaves(const struct hf_node *node);
/* Whether all members want to leave; or the others are dead, we may not go on
 * without them, and for a while nobody was heard who joined them since. */
bool hf_proposal_nobody_stays(const struct hf_node *node);
/* Fills in who outside of the view we reach and could take in. */
void hf_proposal_guests(const struct hf_node *node, struct hf_heartbeat *beat);
/* Whether some partition has a copy on a member that does not keep up. */
bool hf_proposal_slow(const struct hf_node *node);
/* Whether any member is still filling a copy. */
bool hf_proposal_fills(const struct hf_node *node);
/* Members that are dead and take along what only they have. For a fork, whoever
 * died when it was not bound to us any more may have passed it on before, to
 * somebody whom we do not hear: it is not gone until its name asks to be taken
 * in anew. */
hf_member_set hf_proposal_gone(const struct hf_node *node);
/* Whether we know of somebody who may live and is not in our view, or not with
 * us any more: he may have what those had who are dead. Who starts has nothing;
 * whose end we saw long ago may have started again out of our reach. */
bool hf_proposal_knows_others(const struct hf_node *node);
/* The same, of all who are with us: who joined lately has met nobody else. */
bool hf_proposal_others_live(const struct hf_node *node);
/* Whether nobody is left who could bring what the view says is awaited. */
bool hf_proposal_ends_await(const struct hf_node *node);
/* Whether somebody waits to be taken in. */
bool hf_proposal_joins(const struct hf_node *node);

/* follow.c */
/* Tells a peer of our view, not too often. */
void hf_node_offer_view(struct hf_node *node, struct hf_peer *peer);
void hf_node_view_heard(struct hf_node *node, const struct hf_view *view);
/* The node is in no view any more but knows @view, and wants to join it. */
void hf_node_stay_out(struct hf_node *node, const struct hf_view *view);
/* Out, with copies that our view counts on, or that are to be handed over. */
bool hf_node_is_kept(const struct hf_node *node);
/* Out: it heard its lineage again, or it was to leave and is needed no more:
 * then it is LEFT. */
void hf_node_follow_tick(struct hf_node *node);
/* What others are told of our leaving: not READY before all is handed over. */
enum hf_leaving hf_node_told_leaving(const struct hf_node *node);

/* install.c */
void hf_node_install(struct hf_node *node, const struct hf_view *view);
/* Ends all roles, streams and waiting commands of the epoch. */
void hf_node_leave_epoch(struct hf_node *node);
void hf_node_member_ready(struct hf_node *node, uint8_t member);
void hf_node_send_positions(struct hf_node *node, uint8_t member);
void hf_node_positions(struct hf_node *node, uint8_t member,
                       const struct hf_positions *positions);
void hf_node_pulled(struct hf_node *node, uint8_t member,
                    const struct hf_pull *pull);
void hf_node_suffix(struct hf_node *node, uint8_t member,
                    const struct hf_record_view *record);
void hf_node_sync_partition(struct hf_node *node, uint16_t partition);
void hf_node_copy_synced(struct hf_node *node, uint16_t partition,
                         uint8_t member);
void hf_node_sync_tick(struct hf_node *node);

/* waiting.c */
/* Carries out a command, or lets it wait, as primary of @partition. */
void hf_node_execute(struct hf_node *node, uint16_t partition,
                     struct hf_operation_id operation,
                     const struct hf_command *command);
void hf_node_run_waiting(struct hf_node *node, uint16_t partition);
void hf_node_run_all_waiting(struct hf_node *node);
void hf_node_drop_waiting(struct hf_node *node, uint16_t partition);
void hf_node_waiting_tick(struct hf_node *node);

/* writes.c */
/* Carries out a command and answers it, or will. False: it has to wait, and
 * nothing happened. */
bool hf_node_try_execute(struct hf_node *node, uint16_t partition,
                         struct hf_operation_id operation,
                         const struct hf_command *command);
void hf_node_answer_error(struct hf_node *node,
                          struct hf_operation_id operation, const char *text);
/* What an apply function works on, for @partition; clears node->effects and
 * node->scratch. */
struct hf_apply hf_node_apply_context(struct hf_node *node, uint16_t partition);
bool hf_node_may_serve(struct hf_node *node, uint16_t partition);
/* The same for what no client asked for; also while it is awaited that another
 * lineage brings what the partition held. */
bool hf_node_may_write(struct hf_node *node, uint16_t partition);
/* The sequence of the write that an answer about @entry shows; NULL: that there
 * is nothing. */
uint64_t hf_node_shown(const struct hf_partition *partition,
                       const struct hf_session *entry);
/* Whether a write of @partition, which is served here, commits as soon as it
 * is carried out: there is no other copy, and nothing is under way. */
bool hf_node_writes_alone(const struct hf_node *node, uint16_t partition);
/* Carries out such a write on @apply->entry, which has not expired; the answer
 * is in @apply->reply. */
void hf_node_write_alone(struct hf_node *node, uint16_t partition,
                         struct hf_apply *apply,
                         const struct hf_command *command);
/* Whether there can be no later view in which others serve @partition: we have
 * promised none, and hold the leases that it takes to serve as one of its full
 * copies. */
bool hf_node_holds_leases(struct hf_node *node, uint16_t partition);
/* Notes what a record that was just applied removed. */
void hf_partition_note_delete(struct hf_partition *partition,
                              const struct hf_record_view *record,
                              uint32_t hash);
void hf_node_try_commit(struct hf_node *node, uint16_t partition);
void hf_node_expire_due(struct hf_node *node);
/* Answers whoever asked: a client of ours, or the node it came from. */
void hf_node_answer(struct hf_node *node, struct hf_operation_id operation,
                    const struct hf_reply *reply, uint64_t scan_next);
/* The same with an answer in tokens. */
void hf_node_answer_tokens(struct hf_node *node,
                           struct hf_operation_id operation,
                           struct hf_slice tokens);
void hf_node_forwarded(struct hf_node *node, uint8_t member,
                       const struct hf_forward *forward);
void hf_node_forget_operations(struct hf_node *node);
/* Whether its origin gave it up or was answered, or is gone. */
bool hf_node_is_over(const struct hf_node *node, struct hf_operation_id id);
/* Makes a record of node->effects on @key, on behalf of nobody. 0, HF_ENOMEM
 * or HF_EPROTO: the effects do not fit; then nothing changed. */
HF_NODISCARD int hf_node_write_session(struct hf_node *node, uint16_t partition,
                                       struct hf_slice key);
/* Whether every stream this partition's writes go to has room. */
bool hf_node_streams_have_room(const struct hf_node *node, uint16_t partition);

/* touches.c */
/* Whether node->effects on @key only move its deadline to what copies were told
 * already, or before that: then it is moved, and there is nothing to do. */
bool hf_node_touch(struct hf_node *node, uint16_t partition,
                   struct hf_slice key, uint32_t hash);
/* Adds a grace to node->effects if they are nothing but a time to live. What
 * was added: to be taken off our own deadline by hf_node_touch_end, once they
 * are applied. */
hf_time hf_node_touch_begin(struct hf_node *node);
void hf_node_touch_end(struct hf_node *node, uint16_t partition,
                       struct hf_slice key, uint32_t hash, hf_time grace);

/* ranges.c: reads over many partitions. */
void hf_node_execute_range(struct hf_node *node,
                           struct hf_operation_id operation,
                           const struct hf_forward *forward);
void hf_node_run_ranges(struct hf_node *node);
void hf_node_drop_ranges(struct hf_node *node);
void hf_node_range_committed(struct hf_node *node, struct hf_range *range);
/* writes.c: drops a session or fence whose time is over, by a write of its own,
 * which is to be committed. 0 or HF_ENOMEM. */
HF_NODISCARD int hf_node_expire_entry(struct hf_node *node, uint16_t partition,
                                      const struct hf_session *entry);
/* writes.c: expires a session whose time is over, on a partition that is served
 * and whose streams have room. 0 or HF_ENOMEM. */
HF_NODISCARD int hf_node_expire_key(struct hf_node *node, uint16_t partition,
                                    struct hf_slice key);
/* copies.c */
void hf_node_record(struct hf_node *node, uint8_t member,
                    const struct hf_record_message *message);
void hf_node_acked(struct hf_node *node, uint8_t member,
                   const struct hf_ack *ack);
void hf_node_committed(struct hf_node *node, uint8_t member,
                       const struct hf_committed *committed);
/* Acknowledges what was applied and tells what was committed. */
void hf_node_send_acks(struct hf_node *node);
/* Sends what the stream to @member has not sent yet, or as much of that as one
 * turn may: then ticks go on. */
void hf_node_stream_send(struct hf_node *node, uint8_t member);
/* The link to @member is new: send again what it did not acknowledge. */
void hf_node_stream_restart(struct hf_node *node, uint8_t member);
void hf_node_streams_tick(struct hf_node *node);
/* Applies a write of another node and appends it to the log. 0, HF_ENOMEM or
 * HF_EPROTO; then nothing changed. */
HF_NODISCARD int hf_node_apply_write(struct hf_node *node,
                                     const struct hf_record_view *write);
/* Drops what is committed up to @sequence from the log. */
void hf_node_log_trim(struct hf_node *node, struct hf_partition *partition,
                      uint64_t sequence);
/* The last record applied is now the one of @version. */
void hf_partition_advance(struct hf_partition *partition,
                          struct hf_version version);
/* Carries out what @write, a record or an entry, says; its key has @hash. 0,
 * HF_ENOMEM or HF_EPROTO; then nothing changed. */
HF_NODISCARD int hf_partition_apply(struct hf_node *node,
                                    const struct hf_record_view *write,
                                    uint32_t hash, hf_time now);
/* Whether @write is the next one, and of a key of @partition. */
bool hf_partition_accepts(const struct hf_partition *partition,
                          const struct hf_record_view *write);
/* Whether the log can take a copy at @from to where we are. */
bool hf_partition_reaches(const struct hf_partition *partition,
                          struct hf_version from);
void hf_node_partition_clear(struct hf_node *node, uint16_t partition);
/* Of the full copies that reported, the one that is furthest beyond us. */
struct hf_copy *hf_partition_ahead(struct hf_partition *partition);

/* reads.c */
/* Whether our copy of @partition is level, under the leases of serving. */
bool hf_node_copy_serves(struct hf_node *node, uint16_t partition);
/* Whether this copy's answer to @command, about the key of @hash, is what the
 * primary's would be. @asked: how many requests are counted in the place of the
 * key that do not matter, for one of them is this one. */
bool hf_node_copy_answers(struct hf_node *node, uint16_t partition,
                          const struct hf_command *command, uint32_t hash,
                          uint32_t asked);

/* refill.c */
void hf_node_refill(struct hf_node *node, uint8_t member);
/* @member acknowledged something: how much may be under way to it? */
void hf_node_refill_acked(struct hf_node *node, uint8_t member);
void hf_node_refill_tick(struct hf_node *node);
/* Tells everybody, until a view answers it, of all our nominations. */
void hf_node_nominate(struct hf_node *node);
/* @member has handed over all that it kept aside of @partition. */
void hf_node_refill_allowed(struct hf_node *node, uint16_t partition,
                            uint8_t member);
/* The LEARNT that was @number in the stream was acknowledged. */
void hf_node_learnt_confirmed(struct hf_node *node, uint16_t partition,
                              uint8_t member, uint64_t number);
void hf_node_nominate_learnt(struct hf_node *node, uint16_t partition);
struct hf_copy *hf_partition_copy(struct hf_partition *partition,
                                  uint8_t member);

/* slow.c: members that are alive but do not keep up. */
/* Whether no copies on @member are to be filled for now. */
bool hf_node_is_put_off(const struct hf_node *node, uint8_t member);
/* Fills @member later, from the start: a learner of ours stands in the way. */
void hf_node_put_off(struct hf_node *node, uint8_t member);
void hf_node_slow_tick(struct hf_node *node);
/* Members that some of our partitions cannot go on without. */
hf_member_set hf_node_slow_members(const struct hf_node *node);
hf_member_set hf_node_put_off_members(const struct hf_node *node);

/* itself.c: TIME and its like. */
void hf_node_answer_itself(struct hf_node *node, uint64_t client, uint64_t tag,
                           const struct hf_command *command);

/* requests.c */
void hf_node_request(struct hf_node *node, uint64_t client, uint64_t tag,
                     const struct hf_command *command);
void hf_node_request_done(struct hf_node *node, uint64_t number,
                          const struct hf_reply *reply, uint64_t scan_next);
void hf_node_bounced(struct hf_node *node, const struct hf_bounce *bounce);
/* Sends held requests that can be sent now, in order. */
void hf_node_route_held(struct hf_node *node);
/* The view changes: sends all anew, in order (core/operations.h). */
void hf_node_requests_reset(struct hf_node *node);
void hf_node_requests_entered(struct hf_node *node);
/* A link to or from @member is new: repeat what it may not have heard. */
void hf_node_requests_resend(struct hf_node *node, uint8_t member);
void hf_node_requests_tick(struct hf_node *node);
void hf_node_requests_close(struct hf_node *node);
uint64_t hf_node_requests_finished(const struct hf_node *node);
/* A request in the table, with a copy of @command. NULL: no memory, or too
 * much is held; *@why says which. */
struct hf_request *hf_node_request_new(struct hf_node *node,
                                       const struct hf_command *command,
                                       hf_time deadline, const char **why);
/* The same outside of the table. NULL: no memory. */
struct hf_request *hf_node_request_copy(struct hf_node *node,
                                        const struct hf_command *command);
/* Sends a held request if it can be. May answer and thereby free it. */
void hf_node_request_route(struct hf_node *node, struct hf_request *request);
/* One client's command on one key. */
void hf_node_submit(struct hf_node *node, uint64_t client, uint64_t tag,
                    const struct hf_command *command);
void hf_node_answer_client(struct hf_node *node, uint64_t client, uint64_t tag,
                           const struct hf_reply *reply);
void hf_node_refuse_client(struct hf_node *node, uint64_t client, uint64_t tag,
                           const char *text);
extern const char hf_no_memory_text[];
extern const char hf_many_answers_text[];

#endif
