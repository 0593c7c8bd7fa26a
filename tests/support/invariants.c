#include "support/invariants.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/number.h"
#include "core/deque.h"
#include "core/lineage.h"
#include "core/members.h"
#include "core/node_state.h"
#include "support/cluster.h"

#define PARTITIONS_IN_TURN 8
#define DEADLINE_TOLERANCE_MS 1500
/* Time left counts from when a record arrives, and the simulator holds up
 * records for as long as it pauses a node or stops a link. Of what it leaves in
 * the end, only fences have deadlines. */
#define FENCE_TOLERANCE_MS 60000

void invariants_init(struct invariants *invariants)
{
    *invariants = (struct invariants){0};
    if (HF_PARTITION_COUNT <= INVARIANTS_WATCHED_MAX) {
        for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
            invariants->watched[invariants->watched_count++] = p;
        }
    }
}

void invariants_close(struct invariants *invariants)
{
    free(invariants->views);
    invariants->views = NULL;
}

void invariants_watch(struct invariants *invariants, struct hf_slice key)
{
    uint16_t partition = hf_partition_of_key(key);
    for (size_t i = 0; i < invariants->watched_count; i++) {
        if (invariants->watched[i] == partition) {
            return;
        }
    }
    if (invariants->watched_count < INVARIANTS_WATCHED_MAX) {
        invariants->watched[invariants->watched_count++] = partition;
    }
}

/* After every turn. */

static bool is_apart(const struct cluster *c, unsigned a, unsigned b)
{
    return c->invariants.two_sides &&
           hf_lineage_of(hf_node_get_view(c->processes[a].node)) !=
               hf_lineage_of(hf_node_get_view(c->processes[b].node));
}

static void check_servers(struct cluster *c, uint16_t partition)
{
    unsigned first = CLUSTER_NODES_MAX;
    for (unsigned i = 0; i < c->options.node_count; i++) {
        const struct process *process = &c->processes[i];
        if (!process->running ||
            !hf_node_serves(process->node, partition, process_now(process))) {
            continue;
        }
        if (first != CLUSTER_NODES_MAX && is_apart(c, first, i)) {
            continue;
        }
        if (first != CLUSTER_NODES_MAX) {
            cluster_fail(c, "n%u and n%u both serve partition %u", first + 1,
                         i + 1, partition);
            return;
        }
        first = i;
    }
}

/* Two views that differ in a single byte have different hashes. */
static uint64_t view_hash(const struct hf_view *view, struct hf_mem *mem)
{
    struct hf_buffer bytes;
    hf_buffer_init(&bytes, mem);
    const struct hf_message message = {.type = HF_MESSAGE_VIEW, .view = view};
    hf_peer_encode(&bytes, &message);
    HF_ASSERT(!bytes.failed);
    uint64_t hash = hf_hash(hf_buffer_slice(&bytes));
    hf_buffer_close(&bytes);
    return hash;
}

static void check_view(struct cluster *c, const struct hf_view *view,
                       unsigned node)
{
    struct invariants *invariants = &c->invariants;
    uint64_t hash = view_hash(view, &c->mem);
    for (size_t i = invariants->view_count; i-- > 0;) {
        if (invariants->views[i].epoch == view->epoch) {
            if (invariants->views[i].hash != hash) {
                cluster_fail(c, "n%u holds another view under epoch %" PRIu64,
                             node + 1, view->epoch >> 32);
            }
            return;
        }
    }
    if (invariants->view_count == invariants->view_capacity) {
        invariants->view_capacity = 2 * invariants->view_capacity + 64;
        invariants->views =
            realloc(invariants->views,
                    invariants->view_capacity * sizeof(*invariants->views));
        HF_ASSERT(invariants->views != NULL);
    }
    invariants->views[invariants->view_count++] =
        (struct invariants_view){view->epoch, hash};
}

static void check_epoch(struct cluster *c, struct process *process)
{
    if (process->node->promised < process->promised_max) {
        cluster_fail(c, "n%u accepts less than it promised",
                     process->number + 1);
        return;
    }
    process->promised_max = process->node->promised;
    const struct hf_view *view = hf_node_get_view(process->node);
    if (view == NULL || view->epoch == process->epoch_max) {
        return;
    }
    if (view->epoch < process->epoch_max) {
        cluster_fail(c, "n%u went back from epoch %" PRIu64 " to %" PRIu64,
                     process->number + 1, process->epoch_max >> 32,
                     view->epoch >> 32);
        return;
    }
    process->epoch_max = view->epoch;
    trace_mix_number(&c->trace, view->epoch);
    check_view(c, view, process->number);
}

/* The same for a watched partition, after a turn of @process. */
static void check_server(struct cluster *c, const struct process *process,
                         size_t watched)
{
    uint16_t partition = c->invariants.watched[watched];
    unsigned *server = &c->invariants.servers[watched];
    if (*server == process->number + 1 ||
        !hf_node_serves(process->node, partition, process_now(process))) {
        return;
    }
    if (*server != 0) {
        check_servers(c, partition);
    }
    *server = process->number + 1;
}

/* Its leases only get longer within a turn, unless it promises something or
 * enters a view, or somebody dies: then this turn is not judged. */
static void check_commit(struct cluster *c, const struct process *process,
                         uint16_t p, struct invariants_commit *last)
{
    const struct hf_node *node = process->node;
    const struct invariants_commit now = {
        .epoch = node->view->epoch,
        .promised = node->promised,
        .fresh = node->fresh,
        .committed = node->partitions[p].committed,
    };
    bool same = now.epoch == last->epoch && now.promised == last->promised &&
                now.fresh == last->fresh;
    if (same && node->partitions[p].primary &&
        now.committed > last->committed &&
        !hf_node_serves(node, p, process_now(process))) {
        cluster_fail(c,
                     "n%u acknowledges a write to partition %u, which it does "
                     "not serve",
                     process->number + 1, p);
    }
    *last = now;
}

void invariants_after_turn(struct cluster *c, struct process *process)
{
    struct invariants *invariants = &c->invariants;
    invariants->checks++;
    if (c->network.violation != NULL || process->violation != NULL) {
        cluster_fail(c, "n%u: %s", process->number + 1,
                     process->violation != NULL ? process->violation
                                                : c->network.violation);
        return;
    }
    check_epoch(c, process);
    for (size_t i = 0; i < invariants->watched_count; i++) {
        check_server(c, process, i);
        check_commit(c, process, invariants->watched[i],
                     &invariants->commits[process->number][i]);
    }
    bool all = invariants->watched_count == HF_PARTITION_COUNT;
    for (unsigned i = 0; !all && i < PARTITIONS_IN_TURN; i++) {
        check_servers(c, invariants->next);
        invariants->next =
            (uint16_t)((invariants->next + 1) % HF_PARTITION_COUNT);
    }
}

/* After an acknowledgement. */

/* What was written last to a session, as the workload uses them. */
static struct hf_slice last_value(const struct hf_session *session,
                                  char text[static HF_DOUBLE_TEXT_BYTES])
{
    struct hf_slice value = {NULL, 0};
    const struct hf_members *members;
    const struct hf_deque *list;
    switch (hf_session_type(session)) {
    case HF_SESSION_STRING:
        return hf_session_value(session);
    case HF_SESSION_HASH:
        (void)hf_session_field(session, HF_SLICE_LITERAL("f"), &value);
        return value;
    case HF_SESSION_SET:
        members = hf_session_members(session);
        return hf_members_at(members, members->count - 1);
    case HF_SESSION_SORTED_SET:
        members = hf_session_members(session);
        return hf_double_text(hf_members_score(members, 0), text);
    case HF_SESSION_LIST:
        list = hf_session_list(session);
        return hf_deque_at(list, list->count - 1);
    case HF_SESSION_FENCE:
        break;
    }
    return value;
}

static bool copy_has(const struct process *process, uint16_t partition,
                     struct hf_slice key, const char *value)
{
    const struct hf_sessions *sessions =
        hf_node_get_sessions(process->node, partition);
    const struct hf_session *session =
        sessions == NULL
            ? NULL
            : hf_sessions_find(sessions, key, hf_sessions_hash(key));
    if (session == NULL || value == NULL) {
        return (session == NULL) == (value == NULL);
    }
    char text[HF_DOUBLE_TEXT_BYTES];
    return hf_slice_equal(last_value(session, text), hf_slice_text(value));
}

void invariants_after_ack(struct cluster *c, struct hf_slice key,
                          const char *value)
{
    const struct hf_view *view = cluster_view(c);
    if (view == NULL) {
        cluster_fail(c, "a write is acknowledged and nobody is in a view");
        return;
    }
    uint16_t partition = hf_partition_of_key(key);
    const struct hf_acting *acting = &view->acting[partition];
    for (uint8_t i = 0; i < acting->count; i++) {
        unsigned node = cluster_node_of(c, view, acting->members[i]);
        if (node != CLUSTER_NODES_MAX &&
            !copy_has(&c->processes[node], partition, key, value)) {
            cluster_fail(
                c,
                "%.*s = %.20s is acknowledged, but the copy on n%u "
                "(%s of partition %u in view %" PRIu64 ") does not have it",
                (int)key.size, (const char *)key.data,
                value == NULL ? "nil" : value, node + 1,
                i == 0 ? "primary" : "backup", partition, view->epoch >> 32);
        }
    }
}

/* After rest. */

/* One copy compared with the primary's. */
struct comparison {
    struct cluster *c;
    const struct process *primary;
    const struct process *copy;
    const struct hf_sessions *sessions; /* The copy's. */
    uint16_t partition;
};

static void differs(const struct comparison *comparison,
                    const struct hf_session *session, const char *what)
{
    struct hf_slice key = hf_session_key(session);
    cluster_fail(comparison->c,
                 "partition %u: the copies of %.*s on n%u and n%u differ: %s",
                 comparison->partition, (int)key.size, (const char *)key.data,
                 comparison->primary->number + 1, comparison->copy->number + 1,
                 what);
}

static bool fields_equal(const struct hf_session *a, const struct hf_session *b)
{
    size_t cursor_a = 0;
    size_t cursor_b = 0;
    struct hf_slice field_a, field_b, value_a, value_b;
    while (hf_session_next_field(a, &cursor_a, &field_a, &value_a)) {
        if (!hf_session_next_field(b, &cursor_b, &field_b, &value_b) ||
            !hf_slice_equal(field_a, field_b) ||
            !hf_slice_equal(value_a, value_b)) {
            return false;
        }
    }
    return !hf_session_next_field(b, &cursor_b, &field_b, &value_b);
}

/* By their numbers: iteration must be the same on every copy, too. */
static bool members_equal(const struct hf_members *a,
                          const struct hf_members *b)
{
    bool equal = a->count == b->count;
    for (uint32_t i = 0; equal && i < a->count; i++) {
        equal =
            hf_slice_equal(hf_members_at(a, i), hf_members_at(b, i)) &&
            (!a->scored || hf_members_score(a, i) == hf_members_score(b, i));
    }
    return equal;
}

static bool elements_equal(const struct hf_deque *a, const struct hf_deque *b)
{
    bool equal = a->count == b->count;
    for (uint32_t i = 0; equal && i < a->count; i++) {
        equal = hf_slice_equal(hf_deque_at(a, i), hf_deque_at(b, i));
    }
    return equal;
}

/* Of the same type. */
static bool values_equal(const struct hf_session *a, const struct hf_session *b)
{
    switch (hf_session_type(a)) {
    case HF_SESSION_STRING:
        return hf_slice_equal(hf_session_value(a), hf_session_value(b));
    case HF_SESSION_HASH:
        return fields_equal(a, b);
    case HF_SESSION_SET:
    case HF_SESSION_SORTED_SET:
        return members_equal(hf_session_members(a), hf_session_members(b));
    case HF_SESSION_LIST:
        return elements_equal(hf_session_list(a), hf_session_list(b));
    case HF_SESSION_FENCE:
        break;
    }
    return true;
}

static bool deadlines_agree(const struct comparison *comparison,
                            const struct hf_session *a,
                            const struct hf_session *b)
{
    hf_time deadline_a = hf_session_deadline(a);
    hf_time deadline_b = hf_session_deadline(b);
    if (deadline_a == HF_NEVER || deadline_b == HF_NEVER) {
        return deadline_a == deadline_b;
    }
    int64_t apart = (deadline_a - process_now(comparison->primary)) -
                    (deadline_b - process_now(comparison->copy));
    int64_t tolerance_ms = hf_session_type(a) == HF_SESSION_FENCE
                               ? FENCE_TOLERANCE_MS
                               : DEADLINE_TOLERANCE_MS;
    return apart <= tolerance_ms && apart >= -tolerance_ms;
}

static void compare_session(void *user, const struct hf_session *a)
{
    const struct comparison *comparison = user;
    const struct hf_session *b = hf_sessions_find_entry(
        comparison->sessions, hf_session_key(a), hf_session_hash(a));
    struct hf_version version_a = hf_session_version(a);
    if (b == NULL) {
        differs(comparison, a, "missing");
        return;
    }
    struct hf_version version_b = hf_session_version(b);
    if (hf_session_type(a) != hf_session_type(b)) {
        differs(comparison, a, "type");
    } else if (!values_equal(a, b)) {
        differs(comparison, a, "value");
    } else if (version_a.epoch != version_b.epoch ||
               version_a.sequence != version_b.sequence) {
        differs(comparison, a, "version");
    } else if (!deadlines_agree(comparison, a, b)) {
        differs(comparison, a, "deadline");
    }
}

static size_t entries_count(const struct process *process, uint16_t partition)
{
    const struct hf_sessions *sessions =
        hf_node_get_sessions(process->node, partition);
    return sessions == NULL ? 0 : sessions->count + sessions->fences.count;
}

static bool acting_has(struct cluster *c, const struct hf_view *view,
                       uint16_t partition, unsigned node)
{
    const struct hf_acting *acting = &view->acting[partition];
    for (uint8_t i = 0; i < acting->count; i++) {
        if (cluster_node_of(c, view, acting->members[i]) == node) {
            return true;
        }
    }
    return false;
}

static void check_partition(struct cluster *c, const struct hf_view *view,
                            uint16_t partition)
{
    unsigned primary =
        cluster_node_of(c, view, view->acting[partition].members[0]);
    if (primary == CLUSTER_NODES_MAX) {
        cluster_fail(c, "the primary of partition %u is gone", partition);
        return;
    }
    const struct process *holder = &c->processes[primary];
    size_t count = entries_count(holder, partition);
    for (unsigned i = 0; i < c->options.node_count; i++) {
        const struct process *process = &c->processes[i];
        if (i == primary || !process->running) {
            continue;
        }
        bool owns = acting_has(c, view, partition, i);
        size_t held = entries_count(process, partition);
        if (held != (owns ? count : 0)) {
            cluster_fail(c,
                         "partition %u: n%u, %s, holds %zu sessions and "
                         "fences, the primary n%u holds %zu",
                         partition, i + 1, owns ? "a backup" : "no owner", held,
                         primary + 1, count);
            return;
        }
        if (owns && count > 0) {
            struct comparison comparison = {
                c, holder, process,
                hf_node_get_sessions(process->node, partition), partition};
            hf_sessions_scan(hf_node_get_sessions(holder->node, partition), 0,
                             UINT32_MAX, compare_session, &comparison);
        }
    }
}

void invariants_after_rest(struct cluster *c)
{
    const struct hf_view *view = cluster_view(c);
    if (view == NULL) {
        cluster_fail(c, "nobody is in a view");
        return;
    }
    for (unsigned p = 0; p < HF_PARTITION_COUNT && !c->failed; p++) {
        check_partition(c, view, (uint16_t)p);
    }
}
