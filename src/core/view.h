/* view.h - Who is in the cluster, and who holds what: the agreed list.
 *
 * A view is immutable once agreed. Members stand in rank order: the order in
 * which they joined; the lowest rank breaks ties and proposes changes. The
 * acting map says for every partition which members hold all acknowledged
 * writes, the primary first. It lags the target map of core/placement.h,
 * because data moves before ownership does. */
#ifndef HF_CORE_VIEW_H
#define HF_CORE_VIEW_H

#include "base/bytes.h"
#include "core/limits.h"
#include "core/placement.h"

/* A set of members of one view, by index. */
typedef uint64_t hf_member_set;

#define HF_MEMBER_NONE 255

/* What a node tells others about itself. Texts end with a zero byte. */
struct hf_peer_info {
    hf_node_id id; /* hf_hash of the name. */
    hf_incarnation incarnation;
    uint64_t started_ms;   /* Unix time at its start. */
    uint16_t peer_port;    /* Where peers connect. */
    uint16_t client_port;  /* Where clients connect, */
    uint16_t cluster_port; /* and those that speak the cluster protocol; 0:
                            * nowhere. */
    char name[HF_NAME_BYTES_MAX + 1];
    char label[HF_NAME_BYTES_MAX + 1]; /* Failure domain. */
    char host[HF_HOST_BYTES_MAX + 1];  /* For all of them. */
};

/* Members with a full copy, as indexes; the primary first. */
struct hf_acting {
    uint8_t count; /* 1 to HF_COPIES_MAX. */
    uint8_t members[HF_COPIES_MAX];
    bool empty; /* Every copy was lost: the primary starts with nothing. */
    /* Those who had it are dead, but may have passed it on to somebody who is
     * not in this view and may live: what the primary has, nothing or an older
     * copy, is served only when he has brought his, or is dead as well. */
    bool awaited;
};

/* Who goes on after a cut when the tie-break does not say. */
enum hf_partition_policy {
    HF_POLICY_HALF,      /* Exactly half of the members, as a fork. */
    HF_POLICY_MAJORITY,  /* Nobody. */
    HF_POLICY_AVAILABLE, /* Any side, as a fork. */
};

#define HF_LINEAGES_MAX 16

/* One of the lineages that a view came through (core/lineage.h). */
struct hf_lineage {
    uint64_t id;     /* Drawn when it was forked. */
    hf_epoch forked; /* Of the view it was forked from; 0: the first one. */
    hf_epoch base;   /* Of that view, too. */
};

struct hf_view {
    hf_epoch epoch;
    hf_epoch base;       /* The epoch this view was agreed in; 0: the first. */
    uint64_t founded_ms; /* Unix time at its first view. */
    uint64_t cluster;    /* Drawn when the first view was formed. */
    uint8_t backups;     /* Wanted copies besides the primary. */
    uint8_t policy;      /* enum hf_partition_policy, of the founder. */
    uint8_t member_count;
    uint8_t lineage_count;                       /* At least 1. */
    struct hf_lineage lineages[HF_LINEAGES_MAX]; /* The own one last. */
    /* Members that fell silent and may come back, kept because they hold the
     * only copies of some partition. They have no vote and own nothing else;
     * those partitions are served by nobody until they return, or are
     * certified dead: unavailable is not absent. */
    hf_member_set absent;
    /* Members on their way out: they keep their vote, and own nothing any more
     * once others have taken over. */
    hf_member_set leaving;
    struct hf_peer_info members[HF_MEMBERS_MAX]; /* By rank. */
    struct hf_acting acting[HF_PARTITION_COUNT];
};

/* The index of a member, or HF_MEMBER_NONE. */
uint8_t hf_view_find(const struct hf_view *view, hf_node_id id,
                     hf_incarnation incarnation);
/* The same by node id alone, whatever its incarnation. */
uint8_t hf_view_find_id(const struct hf_view *view, hf_node_id id);

/* All members. */
hf_member_set hf_view_all(const struct hf_view *view);
/* Those with a vote. */
hf_member_set hf_view_voters(const struct hf_view *view);
/* The members with a full copy of @partition. */
hf_member_set hf_view_copies(const struct hf_view *view, uint16_t partition);

/* Whether the members @rest may go on without the others, given that those in
 * @dead are freshly certified dead: more than half of the ones not dead, or
 * exactly half of them with the lowest rank among them. Two disjoint sets are
 * never both safe (design: "Safe set"). */
bool hf_view_is_safe(hf_member_set all, hf_member_set dead, hf_member_set rest);

/* Whether @rest is half of the members not in @dead, or more. */
bool hf_view_is_half(hf_member_set all, hf_member_set dead, hf_member_set rest);

/* The owners each partition should have, from the members alone: those that
 * are neither absent nor, as long as there are others, leaving. */
void hf_view_targets(const struct hf_view *view,
                     struct hf_owners targets[HF_PARTITION_COUNT]);

/* Whether the acting map holds exactly what @targets wants. */
bool hf_view_is_settled(const struct hf_view *view,
                        const struct hf_owners targets[HF_PARTITION_COUNT]);

unsigned hf_member_set_count(hf_member_set set);
/* The index of the lowest member; @set must not be empty. */
uint8_t hf_member_set_first(hf_member_set set);
static inline hf_member_set hf_member_set_of(uint8_t index)
{
    return (hf_member_set)1 << index;
}

#endif
