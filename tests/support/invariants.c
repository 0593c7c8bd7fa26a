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
#include "support/totals.h"

#define PARTITIONS_IN_TURN 8
#define TOTALS_EVERY (HF_PARTITION_COUNT / 64 + 1) /* A walk over all. */
#define DEADLINE_TOLERANCE_MS 1500
/* Time left counts from when a record arrives, and the simulator holds up
 * records for as long as it pauses a node or stops a link. Of what it leaves in
 * the end, only fences have deadlines. */
#define FENCE_TOLERANCE_MS 60000
#define CLOCK_TICKS_MS 3

static void watch(struct invariants *invariants, uint16_t partition)
{
    size_t at = invariants->watched_count++;
    invariants->watched[at] = partition;
    for (unsigned i = 0; i < NETWORK_NODES_MAX; i++) {
        invariants->committed[i][at] = UINT64_MAX; /* Not looked at yet. */
    }
}

void invariants_init(struct invariants *invariants)
{
    *invariants = (struct invariants){0};
    if (HF_PARTITION_COUNT <= INVARIANTS_WATCHED_MAX) {
        for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
            watch(invariants, p);
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
        watch(invariants, partition);
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

/* Of a partition that is awaited the primary answers nobody, but a copy would,
 * as of any other. So there is none, and learners have to wait. */
static void check_awaited(struct cluster *c, const struct process *process,
                          const struct hf_view *view)
{
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        const struct hf_partition *partition = &process->node->partitions[p];
        bool awaited = view->acting[p].awaited ||
                       (partition->primary && partition->awaited);
        if (awaited && view->acting[p].count > 1) {
            cluster_fail(c, "partition %u is awaited, and has copies", p);
            return;
        }
    }
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
    check_awaited(c, process, view);
}

/* What happens after each turn for each watched partition, so what changes
 * seldom is looked at once. */

/* The same for a watched partition of @process, which is its primary. */
static void check_server(struct cluster *c, const struct process *process,
                         size_t watched, hf_time now)
{
    uint16_t partition = c->invariants.watched[watched];
    unsigned *server = &c->invariants.servers[watched];
    if (!hf_node_serves(process->node, partition, now)) {
        return;
    }
    if (*server != 0) {
        check_servers(c, partition);
    }
    *server = process->number + 1;
}

/* Whether nothing changed since the last turn of @process that its right to
 * acknowledge hangs on, but leases. These only get longer within a turn, unless
 * it promises something, gives way or enters a view, or somebody dies. */
static bool rights_are_the_same(struct invariants *invariants,
                                const struct process *process)
{
    const struct hf_node *node = process->node;
    struct invariants_rights *last = &invariants->rights[process->number];
    const struct invariants_rights now = {
        .epoch = node->view->epoch,
        .promised = node->promised,
        .fresh = node->fresh,
        .active = node->state == HF_STATE_ACTIVE,
    };
    bool same = now.epoch == last->epoch && now.promised == last->promised &&
                now.fresh == last->fresh && now.active == last->active;
    *last = now;
    return same;
}

/* @process committed more of a watched partition, of which it is the primary,
 * than @since, and that was all in this turn. */
static void check_commits(struct cluster *c, const struct process *process,
                          uint16_t p, uint64_t since,
                          struct invariants_commits *commits)
{
    if (!hf_node_serves(process->node, p, process_now(process))) {
        cluster_fail(c,
                     "n%u acknowledges a write to partition %u, which it does "
                     "not serve",
                     process->number + 1, p);
    }
    invariants_count_commits(c, process, p, since, commits);
}

static void check_watched(struct cluster *c, const struct process *process)
{
    struct invariants *invariants = &c->invariants;
    const struct hf_partition *partitions = process->node->partitions;
    uint64_t *committed = invariants->committed[process->number];
    bool same = rights_are_the_same(invariants, process);
    struct invariants_commits commits = {0};
    hf_time now = process_now(process);
    size_t count = invariants->watched_count;
    for (size_t i = 0; i < count; i++) {
        uint16_t p = invariants->watched[i];
        const struct hf_partition *partition = &partitions[p];
        if (!partition->primary) {
            committed[i] = partition->committed;
            continue;
        }
        uint64_t before = committed[i];
        committed[i] = partition->committed;
        if (invariants->servers[i] != process->number + 1) {
            check_server(c, process, i, now);
        }
        if (same && partition->committed > before) {
            check_commits(c, process, p, before, &commits);
        }
    }
    invariants_check_commits(c, process, same ? &commits : NULL);
    invariants_check_fill(c, process);
}

/* What copies answer. */

static bool sessions_equal(const struct hf_session *a,
                           const struct hf_session *b);

/* A copy that may answer reads, and the primary that serves meanwhile. */
struct answerer {
    struct cluster *c;
    const struct process *copy;
    const struct process *primary;
    uint16_t partition;
    bool nominee;  /* A learner that any view may make a copy. */
    uint32_t both; /* Entries on the primary that the copy has, too. */
};

static void answers_differ(const struct answerer *answerer, struct hf_slice key,
                           const char *what)
{
    cluster_fail(answerer->c,
                 "partition %u: n%u may answer for %.*s, but %s "
                 "n%u, the primary",
                 answerer->partition, answerer->copy->number + 1, (int)key.size,
                 (const char *)key.data, what, answerer->primary->number + 1);
}

static bool is_committed(const struct process *process, uint16_t p,
                         const struct hf_session *entry)
{
    const struct hf_partition *partition = &process->node->partitions[p];
    return hf_node_shown(partition, entry) <= partition->committed;
}

/* Whether a read of what is @entry there, or of nothing, is answered there, or
 * may be by the next view. */
static bool is_shown(const struct answerer *answerer,
                     const struct hf_session *entry)
{
    if (answerer->nominee) {
        return true;
    }
    const struct hf_node *node = answerer->copy->node;
    bool ends = entry != NULL && hf_session_type(entry) != HF_SESSION_FENCE &&
                hf_session_deadline(entry) <=
                    node->now + (hf_time)node->config.touch_delay_ms;
    return !ends && is_committed(answerer->copy, answerer->partition, entry);
}

/* Whether clients were promised more than the copy was told. Only where the
 * primary says that copies were told more than it promised: else it may have
 * heard of the end later than the copy did, and so count on more. Clocks of
 * both run at speeds of their own since the world began. */
static bool ends_early(const struct answerer *answerer,
                       const struct hf_session *own,
                       const struct hf_session *copied)
{
    const struct cluster *c = answerer->c;
    hf_time deadline = hf_session_deadline(own);
    hf_time told = hf_session_deadline_told(copied);
    if (deadline == HF_NEVER || told == HF_NEVER ||
        deadline == hf_session_deadline_told(own)) {
        return (deadline == HF_NEVER) != (told == HF_NEVER);
    }
    int64_t tolerance_ms =
        CLOCK_TICKS_MS + 2 * c->options.drift_ppm *
                             (c->schedule.now_us / SCHEDULE_US_PER_MS) /
                             INT64_C(1000000);
    return told - process_now(answerer->copy) + tolerance_ms <
           deadline - process_now(answerer->primary);
}

static const struct hf_session *entry_on(const struct process *process,
                                         uint16_t p,
                                         const struct hf_session *entry)
{
    return hf_sessions_find_entry(hf_node_get_sessions(process->node, p),
                                  hf_session_key(entry),
                                  hf_session_hash(entry));
}

/* What is committed on the primary, and @own there. */
static void check_own(void *user, const struct hf_session *own)
{
    struct answerer *answerer = user;
    uint16_t p = answerer->partition;
    const struct hf_session *copied = entry_on(answerer->copy, p, own);
    answerer->both += copied != NULL ? 1 : 0;
    if (!is_committed(answerer->primary, p, own) ||
        !is_shown(answerer, copied)) {
        return;
    }
    if (copied == NULL || !sessions_equal(own, copied)) {
        answers_differ(answerer, hf_session_key(own),
                       "something else is committed on");
    } else if (ends_early(answerer, own, copied)) {
        answers_differ(answerer, hf_session_key(own),
                       "it would end it earlier than");
    }
}

/* What the copy has, and the primary has not. */
static void check_copied(void *user, const struct hf_session *copied)
{
    const struct answerer *answerer = user;
    uint16_t p = answerer->partition;
    if (is_shown(answerer, copied) &&
        entry_on(answerer->primary, p, copied) == NULL &&
        is_committed(answerer->primary, p, NULL)) {
        answers_differ(answerer, hf_session_key(copied),
                       "it was removed, and that is committed, on");
    }
}

/* Commands that may still come again must be known to whoever may become
 * primary. */
static void check_operations(const struct answerer *answerer)
{
    struct cluster *c = answerer->c;
    uint16_t p = answerer->partition;
    const struct hf_node *primary = answerer->primary->node;
    const struct hf_list *list = &primary->operations.partitions[p];
    for (const struct hf_list *at = list->next; at != list; at = at->next) {
        const struct hf_operation *operation =
            HF_CONTAINER_OF(at, struct hf_operation, place);
        if (operation->local ||
            operation->sequence > primary->partitions[p].committed ||
            hf_operations_find(&answerer->copy->node->operations,
                               operation->id) != NULL) {
            continue;
        }
        for (unsigned i = 0; i < c->options.node_count; i++) {
            const struct process *origin = &c->processes[i];
            if (origin->running &&
                origin->config.self.incarnation == operation->id.origin &&
                operation->id.number >=
                    hf_node_requests_finished(origin->node)) {
                cluster_fail(c,
                             "partition %u: n%u may ask %" PRIu64
                             " again, which n%u carried out and the copy on "
                             "n%u does not know",
                             p, i + 1, operation->id.number,
                             answerer->primary->number + 1,
                             answerer->copy->number + 1);
            }
        }
    }
}

static void answerer_check(struct answerer *answerer)
{
    uint16_t p = answerer->partition;
    const struct hf_sessions *copied =
        hf_node_get_sessions(answerer->copy->node, p);
    hf_sessions_scan(hf_node_get_sessions(answerer->primary->node, p), 0,
                     UINT32_MAX, check_own, answerer);
    if (copied->table.count != answerer->both) {
        hf_sessions_scan(copied, 0, UINT32_MAX, check_copied, answerer);
    }
    check_operations(answerer);
}

/* @process has a copy in sync. */
static void check_copy(struct cluster *c, const struct process *process,
                       uint16_t p)
{
    for (unsigned i = 0; i < c->options.node_count; i++) {
        const struct process *other = &c->processes[i];
        if (other != process && other->running &&
            other->node->partitions[p].primary &&
            hf_node_serves(other->node, p, process_now(other))) {
            answerer_check(&(struct answerer){c, process, other, p, false, 0});
        }
    }
}

/* @process is the primary. */
static void check_learners(struct cluster *c, const struct process *process,
                           uint16_t p)
{
    const struct hf_node *node = process->node;
    const struct hf_partition *partition = &node->partitions[p];
    for (uint8_t i = 0; i < partition->copy_count; i++) {
        unsigned learner =
            cluster_node_of(c, node->view, partition->copies[i].member);
        if (partition->copies[i].state == HF_COPY_NOMINATED &&
            learner != CLUSTER_NODES_MAX) {
            const struct process *copy = &c->processes[learner];
            const struct hf_view *view = hf_node_get_view(copy->node);
            if (view != NULL && view->epoch == node->view->epoch) {
                answerer_check(
                    &(struct answerer){c, copy, process, p, true, 0});
            }
        }
    }
}

/* One of the watched partitions, and one of those with nominees; after each
 * turn another. */
static void check_answers(struct cluster *c, const struct process *process)
{
    const struct invariants *invariants = &c->invariants;
    if (invariants->watched_count == 0 || invariants->two_sides) {
        return;
    }
    struct hf_node *node = process->node;
    size_t next = invariants->checks % invariants->watched_count;
    uint16_t p = invariants->watched[next];
    if (node->nomination_count > 0) {
        size_t nominated = invariants->checks % node->nomination_count;
        uint16_t learnt = node->nominations[nominated].partition;
        if (hf_node_serves(node, learnt, process_now(process))) {
            check_learners(c, process, learnt);
        }
    }
    if (node->partitions[p].level && hf_node_copy_serves(node, p)) {
        check_copy(c, process, p);
    }
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
    check_watched(c, process);
    check_answers(c, process);
    if (invariants->checks % TOTALS_EVERY == 0) {
        totals_check(c, process);
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

/* A learner that was nominated may be made a copy by any view from now on, and
 * may then be the only one. */
static void check_nominees(struct cluster *c, const struct hf_view *view,
                           struct hf_slice key, const char *value)
{
    uint16_t p = hf_partition_of_key(key);
    unsigned primary = cluster_node_of(c, view, view->acting[p].members[0]);
    if (primary == CLUSTER_NODES_MAX) {
        return;
    }
    const struct hf_node *node = c->processes[primary].node;
    const struct hf_view *own = hf_node_get_view(node);
    const struct hf_partition *partition = &node->partitions[p];
    if (own == NULL || own->epoch != view->epoch) {
        return;
    }
    for (uint8_t i = 0; i < partition->copy_count; i++) {
        const struct hf_copy *copy = &partition->copies[i];
        unsigned learner = cluster_node_of(c, view, copy->member);
        if (copy->state == HF_COPY_NOMINATED && learner != CLUSTER_NODES_MAX &&
            !copy_has(&c->processes[learner], p, key, value)) {
            cluster_fail(c,
                         "%.*s = %.20s is acknowledged, but n%u, which is "
                         "nominated for partition %u, does not have it",
                         (int)key.size, (const char *)key.data,
                         value == NULL ? "nil" : value, learner + 1, p);
        }
    }
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
    check_nominees(c, view, key, value);
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

static bool sessions_equal(const struct hf_session *a,
                           const struct hf_session *b)
{
    struct hf_version version_a = hf_session_version(a);
    struct hf_version version_b = hf_session_version(b);
    return hf_session_type(a) == hf_session_type(b) &&
           version_a.epoch == version_b.epoch &&
           version_a.sequence == version_b.sequence && values_equal(a, b);
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
