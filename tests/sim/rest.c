/* rest.c - What must hold of a cluster that is whole and where nothing happens.
 *
 * Faults hide what a node does without a reason: somebody might have died. So
 * some promises are looked at when all is healed: that what was carried out is
 * forgotten once nobody can ask for it again, and that a node which stood still
 * takes the silence for its own. */
#include <inttypes.h>

#include "core/node_state.h"
#include "sim/run.h"

#define FORGET_MS 1000
#define AFTER_MS 3000

/* Of those that @origin asked for. What it did not hear an answer of may come
 * again, and who is gone may come back. */
static void forgotten_check(struct cluster *c, const struct process *process,
                            const struct process *origin)
{
    const struct hf_node *node = process->node;
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        const struct hf_list *list = &node->operations.partitions[p];
        for (const struct hf_list *at = list->next; at != list; at = at->next) {
            const struct hf_operation_id id =
                HF_CONTAINER_OF(at, struct hf_operation, place)->id;
            if (id.origin == origin->config.self.incarnation &&
                id.number < hf_node_requests_finished(origin->node)) {
                cluster_fail(c,
                             "n%u still remembers operation %" PRIu64
                             " of n%u, which has its answer",
                             process->number + 1, id.number,
                             origin->number + 1);
                return;
            }
        }
    }
}

static void operations_check(struct run *run)
{
    struct cluster *c = run->c;
    unsigned count = c->options.node_count;
    cluster_run(c, FORGET_MS);
    for (unsigned i = 0; i < count * count && !c->failed; i++) {
        const struct process *process = &c->processes[i / count];
        const struct process *origin = &c->processes[i % count];
        if (process->running && origin->running) {
            forgotten_check(c, process, origin);
        }
    }
}

/* The first other node that runs and is not in the newest view. */
static unsigned left_out(const struct cluster *c, unsigned but)
{
    const struct hf_view *view = cluster_view(c);
    for (unsigned i = 0; i < c->options.node_count; i++) {
        const struct hf_peer_info *self = &c->processes[i].config.self;
        if (i != but && c->processes[i].running &&
            hf_view_find(view, self->id, self->incarnation) == HF_MEMBER_NONE) {
            return i;
        }
    }
    return CLUSTER_NODES_MAX;
}

/* The others may go on without it, but with all of them. */
static void pause_check(struct run *run)
{
    struct cluster *c = run->c;
    unsigned paused = run_pick(run);
    if (!c->processes[paused].running || cluster_up_count(c) < 2) {
        return;
    }
    cluster_pause(c, paused);
    cluster_run(c, run->plan.last_pause_ms);
    cluster_resume(c, paused);
    for (unsigned ms = 0; ms < AFTER_MS && !c->failed; ms++) {
        cluster_run(c, 1);
        unsigned out = left_out(c, paused);
        if (out != CLUSTER_NODES_MAX) {
            cluster_fail(c,
                         "n%u stood still for %" PRId64
                         " ms, and n%u was left out for it",
                         paused + 1, run->plan.last_pause_ms, out + 1);
        }
    }
    cluster_settle_and_check(c);
}

void rest_check(struct run *run)
{
    if (!run->c->failed) {
        operations_check(run);
    }
    if (!run->c->failed && run->plan.last_pause_ms != 0) {
        pause_check(run);
    }
}
