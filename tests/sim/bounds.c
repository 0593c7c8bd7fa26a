/* bounds.c - Queues keep to their bounds, and slow copies to theirs.
 *
 * A copy that acknowledges nothing is given up, whatever is the matter with it.
 * That takes a view, so it is asked of a primary only while more than half of
 * the members, it and the owner of the copy among them, hear each other well
 * all the time: no cut, no stuck or slow control link, nor one on which bytes
 * of while it was slow have yet to pass, nobody stands still or lacks memory,
 * or has heard that others went on. Of the rest each may be in the way once,
 * one after the other: heard when a ballot begins, and then silent until it is
 * suspected and its leases are over.
 *
 * Who has promised acknowledges nothing until that ballot, or the next one, has
 * made a view. The first in the way may then be one who is heard all the time,
 * but answers later and later, which takes longest:
 *
 *   stuck      what was promised before all were well has led nowhere
 *   lease      all promise, just in time
 *   lease      what it was sent then is answered later than that,
 *   suspect    which is seen when the next answer comes; or it is silent
 *   lease      it stays so, and is suspected
 *   guard      the proposer gave it a grant until then,
 *   guard      and so did who hears it well until the ballot without it began
 */
#include "core/node_state.h"
#include "sim/run.h"

#define WATCH_AFTER_MS                                                         \
    1000 /* Without progress: from now on, are they well?                      \
          */
#define GIVEN_UP_MS 4000
#define BALLOT_MS                                                              \
    (HF_STUCK_MS + 3 * HF_LEASE_MS + HF_SUSPECT_MS + 2 * HF_GUARD_MS)
#define IN_THE_WAY_MS (HF_SUSPECT_MS + HF_GUARD_MS)

static void queues_check(struct run *run)
{
    struct cluster *c = run->c;
    for (unsigned i = 0; i < c->options.node_count && !c->failed; i++) {
        const struct hf_node *node = c->processes[i].node;
        if (!c->processes[i].running) {
            continue;
        }
        if (node->request_bytes > node->config.held_bytes_max) {
            cluster_fail(c, "n%u holds %zu bytes of requests", i + 1,
                         node->request_bytes);
        }
        if (node->waiting_bytes > node->config.held_bytes_max) {
            cluster_fail(c, "%zu bytes of commands wait on n%u",
                         node->waiting_bytes, i + 1);
        }
        if (node->answer_bytes >
            node->config.held_bytes_max + HF_REPLY_BYTES_MAX) {
            cluster_fail(c, "%zu bytes of answers wait on n%u",
                         node->answer_bytes, i + 1);
        }
    }
}

static bool node_is_well(const struct run *run, unsigned node)
{
    return node != CLUSTER_NODES_MAX && cluster_is_up(run->c, node) &&
           run->nodes[node].memory_until_us == 0;
}

/* Whether it has a vote for what comes after @view, for all it knows. */
static bool takes_part(const struct run *run, unsigned node,
                       const struct hf_view *view)
{
    const struct hf_node *member = run->c->processes[node].node;
    return member->state == HF_STATE_ACTIVE &&
           member->view->epoch <= view->epoch;
}

static bool path_is_well(const struct run *run, unsigned from, unsigned to)
{
    const struct link_fault *fault = &run->links[from][to];
    const struct network_path *path =
        &run->c->network.links[from][to][HF_CHANNEL_CONTROL].path;
    return !fault->cut && !fault->slow && !fault->clogged[HF_CHANNEL_CONTROL] &&
           path->free_us <= cluster_now_us(run->c);
}

/* Whether @primary and @copy are two of more than half of the members that all
 * hear each other. */
static bool majority_is_well(const struct run *run, unsigned primary,
                             unsigned copy)
{
    const struct hf_view *view = run->c->processes[primary].node->view;
    unsigned well[CLUSTER_NODES_MAX];
    unsigned count = 0;
    for (unsigned pass = 0; pass < 2; pass++) {
        for (uint8_t i = 0; i < view->member_count; i++) {
            unsigned node = cluster_node_of(run->c, view, i);
            bool first = node == primary || node == copy;
            bool fits = first == (pass == 0) && node_is_well(run, node) &&
                        takes_part(run, node, view);
            for (unsigned k = 0; fits && k < count; k++) {
                fits = path_is_well(run, node, well[k]) &&
                       path_is_well(run, well[k], node);
            }
            if (fits) {
                well[count++] = node;
            } else if (first && pass == 0) {
                return false;
            }
        }
    }
    return 2 * count > view->member_count;
}

/* Whether something that was sent to @member has to be acknowledged before
 * clients have their answers. */
static bool is_waited_for(const struct hf_node *node, uint8_t member)
{
    const struct hf_stream *stream = &node->members[member].stream;
    for (uint64_t n = stream->acked + 1; n < hf_stream_next(stream); n++) {
        const struct hf_stream_entry *entry = hf_stream_at(stream, n);
        if (entry->counted && !entry->record->committed) {
            return true;
        }
    }
    return false;
}

/* What a primary may wait at most, with so many members as there are. */
static int64_t wait_bound_ms(const struct hf_view *view,
                             const struct hf_node *copy)
{
    int64_t rest = (view->member_count - 1) / 2;
    bool votes = copy->promised > view->epoch;
    return (votes ? WATCH_AFTER_MS + BALLOT_MS : GIVEN_UP_MS) +
           (rest > 1 ? (rest - 1) * IN_THE_WAY_MS : 0);
}

static void stream_check(struct run *run, unsigned primary, uint8_t member)
{
    struct cluster *c = run->c;
    const struct hf_node *node = c->processes[primary].node;
    const struct hf_stream *stream = &node->members[member].stream;
    struct standstill *still = &run->standstills[primary][member];
    int64_t now_us = cluster_now_us(c);
    if (stream->acked + 1 >= hf_stream_next(stream) ||
        still->epoch != node->view->epoch || still->acked != stream->acked) {
        *still = (struct standstill){node->view->epoch, stream->acked, now_us};
        return;
    }
    int64_t watch_us = now_us - WATCH_AFTER_MS * SCHEDULE_US_PER_MS;
    if (still->since_us >= watch_us) {
        return;
    }
    unsigned copy = cluster_node_of(c, node->view, member);
    if (copy == CLUSTER_NODES_MAX || !majority_is_well(run, primary, copy) ||
        !is_waited_for(node, member)) {
        still->since_us = watch_us;
        return;
    }
    int64_t most_ms = wait_bound_ms(node->view, c->processes[copy].node);
    if (now_us - still->since_us > most_ms * SCHEDULE_US_PER_MS) {
        cluster_fail(c,
                     "n%u waits for n%u, which acknowledged nothing for %lld "
                     "ms",
                     primary + 1, copy + 1, (long long)most_ms);
    }
}

/* After a step. */
void bounds_check(struct run *run)
{
    struct cluster *c = run->c;
    queues_check(run);
    for (unsigned i = 0; i < c->options.node_count && !c->failed; i++) {
        const struct hf_node *node = c->processes[i].node;
        if (!c->processes[i].running || node->state != HF_STATE_ACTIVE) {
            continue;
        }
        for (uint8_t k = 0; k < node->view->member_count; k++) {
            stream_check(run, i, k);
        }
    }
}
