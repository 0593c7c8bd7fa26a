/* links.c - Faults of the links of a simulated cluster.
 *
 * Each direction between two nodes is cut, slow or clogged until some time of
 * its own; faults that overlap last as long as the longer one. */
#include "sim/run.h"

#define SWIZZLE_STEP_MS 500
#define SLOW_BYTES_PER_MS_MAX 400
#define STICK_MS_MIN 5000 /* Until a copy is given up, and more. */

enum shape {
    SHAPE_ALONE,   /* One node sees nobody. */
    SHAPE_DEAF,    /* One node hears nobody, but is heard. */
    SHAPE_DUMB,    /* One node is heard by nobody, but hears. */
    SHAPE_HALVES,  /* Two groups. */
    SHAPE_BRIDGE,  /* Two groups, and one node that sees both. */
    SHAPE_RING,    /* Each sees its two neighbours. */
    SHAPE_ONE_WAY, /* Two groups; one of them hears the other. */
    SHAPE_THREE,   /* Three groups. */
    SHAPE_COUNT,   /* That are drawn; and where sides go on: */
    SHAPE_EQUAL,   /* Two groups of the same size, or nearly. */
};

static void cut(struct run *run, unsigned from, unsigned to, int64_t from_us,
                int64_t until_us)
{
    if (from == to || nodes_need_link(run, from, to)) {
        return;
    }
    struct link_fault *fault = &run->links[from][to];
    if (fault->cut_until_us == 0 || from_us < fault->cut_from_us) {
        fault->cut_from_us = from_us;
    }
    if (until_us > fault->cut_until_us) {
        fault->cut_until_us = until_us;
    }
}

static bool shape_cuts(enum shape shape, unsigned count, unsigned one,
                       const unsigned group[CLUSTER_NODES_MAX], unsigned from,
                       unsigned to)
{
    switch (shape) {
    case SHAPE_ALONE:
        return from == one || to == one;
    case SHAPE_DEAF:
        return to == one;
    case SHAPE_DUMB:
        return from == one;
    case SHAPE_EQUAL:
    case SHAPE_HALVES:
        return group[from] % 2 != group[to] % 2;
    case SHAPE_BRIDGE:
        return group[from] % 2 != group[to] % 2 && from != one && to != one;
    case SHAPE_RING:
        return (from + 1) % count != to && (to + 1) % count != from;
    case SHAPE_ONE_WAY:
        return group[from] % 2 < group[to] % 2;
    case SHAPE_THREE:
        return group[from] != group[to];
    case SHAPE_COUNT:
        break;
    }
    return false;
}

/* Two groups of those who run. */
static void groups_make_equal(struct run *run,
                              unsigned group[CLUSTER_NODES_MAX])
{
    unsigned count = run->c->options.node_count;
    unsigned nodes[CLUSTER_NODES_MAX];
    unsigned running = 0;
    for (unsigned i = 0; i < count; i++) {
        if (run->c->processes[i].running) {
            nodes[running++] = i;
        }
    }
    for (unsigned i = 0; i < running; i++) {
        unsigned k = i + (unsigned)hf_rng_below(&run->rng, running - i);
        unsigned node = nodes[k];
        nodes[k] = nodes[i];
        nodes[i] = node;
        group[node] = i % 2;
    }
}

static void split(struct run *run)
{
    static const char *const names[SHAPE_COUNT] = {
        "alone",  "deaf", "dumb",    "halves",
        "bridge", "ring", "one way", "three groups"};
    struct cluster *c = run->c;
    unsigned count = c->options.node_count;
    enum shape shape = (enum shape)hf_rng_below(&run->rng, SHAPE_COUNT);
    unsigned one = run_pick(run);
    unsigned group[CLUSTER_NODES_MAX];
    for (unsigned i = 0; i < count; i++) {
        group[i] = (unsigned)hf_rng_below(&run->rng, 3);
    }
    if (plan_has_sides(&run->plan) && hf_rng_chance(&run->rng, 1, 3)) {
        shape = SHAPE_EQUAL;
        groups_make_equal(run, group);
    }
    int64_t now_us = cluster_now_us(c);
    int64_t until_us = run_until(run, run->plan.away_ms_max);
    trace_add(&c->trace, now_us, "net: split, %s, for %d ms",
              shape == SHAPE_EQUAL ? "equal groups" : names[shape],
              (int)((until_us - now_us) / SCHEDULE_US_PER_MS));
    for (unsigned from = 0; from < count; from++) {
        for (unsigned to = 0; to < count; to++) {
            if (shape_cuts(shape, count, one, group, from, to)) {
                cut(run, from, to, now_us, until_us);
            }
        }
    }
}

/* A random set of links goes one by one, and comes back in another order. */
static void swizzle(struct run *run)
{
    unsigned count = run->c->options.node_count;
    int64_t at_us = cluster_now_us(run->c);
    int64_t all_us = at_us + SWIZZLE_STEP_MS * count * SCHEDULE_US_PER_MS;
    for (unsigned i = 0; i < count * count; i++) {
        unsigned from = (unsigned)hf_rng_below(&run->rng, count);
        unsigned to = (unsigned)hf_rng_below(&run->rng, count);
        if (hf_rng_chance(&run->rng, 1, 2)) {
            continue;
        }
        at_us +=
            1 + (int64_t)hf_rng_below(
                    &run->rng, SWIZZLE_STEP_MS * SCHEDULE_US_PER_MS / count);
        int64_t until_us =
            all_us +
            (int64_t)hf_rng_below(&run->rng, (uint64_t)run->plan.away_ms_max *
                                                 SCHEDULE_US_PER_MS);
        cut(run, from, to, at_us, until_us);
    }
}

static void new_faults(struct run *run)
{
    struct cluster *c = run->c;
    unsigned from = run_pick(run);
    unsigned to = run_pick(run);
    unsigned channel = (unsigned)hf_rng_below(&run->rng, HF_CHANNEL_COUNT);
    int64_t now_us = cluster_now_us(c);
    struct link_fault *fault = &run->links[from][to];
    if (run_draws(run, FAULT_CUT)) {
        cut(run, from, to, now_us, run_until(run, run->plan.away_ms_max));
    }
    if (run_draws(run, FAULT_SPLIT)) {
        split(run);
    }
    if (run_draws(run, FAULT_SWIZZLE)) {
        swizzle(run);
    }
    if (from == to || nodes_need_link(run, from, to)) {
        return;
    }
    if (run_draws(run, FAULT_CLOG)) {
        fault->clog_until_us[channel] =
            run_until(run, run->plan.away_ms_max / 2 + 1);
    }
    if (run_draws(run, FAULT_SLOW)) {
        fault->slow_until_us = run_until(run, run->plan.away_ms_max);
    }
    if (run_draws(run, FAULT_BREAK)) {
        network_break(&c->network, from, to, (enum hf_channel)channel);
    }
}

static void link_update(struct run *run, unsigned from, unsigned to)
{
    struct cluster *c = run->c;
    struct link_fault *fault = &run->links[from][to];
    int64_t now_us = cluster_now_us(c);
    bool is_cut = now_us >= fault->cut_from_us && now_us < fault->cut_until_us;
    if (is_cut != fault->cut) {
        fault->cut = is_cut;
        trace_add(&c->trace, now_us, "net: %s %u > %u",
                  is_cut ? "cut" : "uncut", from + 1, to + 1);
        network_cut(&c->network, from, to, is_cut);
    }
    if (!is_cut && now_us >= fault->cut_until_us) {
        fault->cut_until_us = 0;
    }
    bool slow = now_us < fault->slow_until_us;
    if (slow != fault->slow) {
        struct network_faults faults = run->plan.network;
        fault->slow = slow;
        faults.bytes_per_ms =
            slow ? 1 + (uint32_t)hf_rng_below(&run->rng, SLOW_BYTES_PER_MS_MAX)
                 : 0;
        trace_add(&c->trace, now_us, "net: %u > %u %u bytes/ms", from + 1,
                  to + 1, faults.bytes_per_ms);
        network_set_faults(&c->network, from, to, &faults);
    }
    for (unsigned i = 0; i < HF_CHANNEL_COUNT; i++) {
        bool clogged = now_us < fault->clog_until_us[i];
        if (clogged != fault->clogged[i]) {
            fault->clogged[i] = clogged;
            trace_add(&c->trace, now_us, "net: %s %u > %u, channel %u",
                      clogged ? "clogged" : "unclogged", from + 1, to + 1, i);
            network_clog(&c->network, from, to, (enum hf_channel)i, clogged);
        }
    }
}

static void links_update(struct run *run)
{
    unsigned count = run->c->options.node_count;
    for (unsigned from = 0; from < count; from++) {
        for (unsigned to = 0; to < count; to++) {
            if (from != to) {
                link_update(run, from, to);
            }
        }
    }
}

/* Drawn only in seeds that have any, so that others are what they were. */
static void stick(struct run *run)
{
    if (run->plan.stick_rate == 0 ||
        !hf_rng_chance(&run->rng, run->plan.stick_rate, 10000)) {
        return;
    }
    unsigned from = run_pick(run);
    unsigned to = run_pick(run);
    if (from != to && !nodes_need_link(run, from, to)) {
        run->links[from][to].clog_until_us[HF_CHANNEL_DATA] =
            STICK_MS_MIN * SCHEDULE_US_PER_MS +
            run_until(run, run->plan.stick_ms_max);
    }
}

void links_step(struct run *run)
{
    if (cluster_now_us(run->c) >= run->quiet_until_us) {
        new_faults(run);
        stick(run);
        links_update(run);
    }
}

/* The only running node in the newest view, if others must hear of it. */
static unsigned head_of(const struct run *run, const struct hf_view *newest)
{
    const struct cluster *c = run->c;
    unsigned head = CLUSTER_NODES_MAX;
    for (unsigned i = 0; i < c->options.node_count; i++) {
        const struct process *process = &c->processes[i];
        const struct hf_view *view =
            process->running ? hf_node_get_view(process->node) : NULL;
        if (view == NULL || view->epoch != newest->epoch) {
            continue;
        }
        if (head != CLUSTER_NODES_MAX) {
            return CLUSTER_NODES_MAX;
        }
        head = i;
    }
    return newest->member_count > 1 ? head : CLUSTER_NODES_MAX;
}

/* What it sent is lost, and all others hear each other again: they have to find
 * out what was decided. */
void links_behead(struct run *run)
{
    struct cluster *c = run->c;
    const struct hf_view *newest = cluster_view(c);
    if (newest == NULL || newest->epoch == run->first_known) {
        return;
    }
    unsigned head = head_of(run, newest);
    run->first_known = newest->epoch;
    if (head == CLUSTER_NODES_MAX ||
        !hf_rng_chance(&run->rng, run->plan.behead_percent, 100)) {
        return;
    }
    int64_t now_us = cluster_now_us(c);
    int64_t until_us = run_until(run, run->plan.away_ms_max);
    trace_add(&c->trace, now_us, "net: beheaded of %u for %d ms", head + 1,
              (int)((until_us - now_us) / SCHEDULE_US_PER_MS));
    unsigned count = c->options.node_count;
    for (unsigned i = 0; i < count * count; i++) {
        unsigned from = i / count;
        unsigned to = i % count;
        if (from == to) {
            continue;
        }
        if (from == head || to == head) {
            cut(run, from, to, now_us, until_us);
            link_update(run, from, to);
        } else {
            links_open(run, from, to);
        }
    }
}

void links_open(struct run *run, unsigned a, unsigned b)
{
    run->links[a][b] = (struct link_fault){
        .cut = run->links[a][b].cut,
        .slow = run->links[a][b].slow,
        .clogged = {run->links[a][b].clogged[0], run->links[a][b].clogged[1]}};
    link_update(run, a, b);
}

void links_heal(struct run *run)
{
    unsigned count = run->c->options.node_count;
    for (unsigned i = 0; i < count * count; i++) {
        if (i / count != i % count) {
            links_open(run, i / count, i % count);
        }
    }
}
