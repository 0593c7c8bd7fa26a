/* nodes.c - Faults of the nodes of a simulated cluster.
 *
 * What destroys copies is only done within the budget (budget.c); all else
 * whenever it is drawn.
 *
 * A node that starts while it sees nobody may found a cluster of its own, and
 * two clusters are two servers for every session. That is given up by the
 * protocol and not what is tested here: a node that starts again has no seed
 * but others, and as long as it is in no view it keeps its links to one member
 * that stays as it is, its beacon. */
#include <string.h>

#include "core/node_state.h"
#include "sim/run.h"

#define NOBODY CLUSTER_NODES_MAX
#define HOUR_MS INT64_C(3600000)
#define FLAPS_MAX 4
#define FLAP_MS_MAX 1500
#define BOOT_RETRY_MS 200
#define GO_ON_MS 5000
#define LEAVE_MS 60000
#define QUIET_US INT64_C(1500000) /* To notice a death in. */

static bool is_active(const struct run *run, unsigned node)
{
    const struct cluster *c = run->c;
    return cluster_is_up(c, node) &&
           hf_node_get_view(c->processes[node].node) != NULL;
}

static bool is_beacon(const struct run *run, unsigned node)
{
    for (unsigned i = 0; i < run->c->options.node_count; i++) {
        if (run->beacons[i] == node) {
            return true;
        }
    }
    return false;
}

bool nodes_need_link(const struct run *run, unsigned a, unsigned b)
{
    return run->beacons[a] == b || run->beacons[b] == a;
}

static unsigned beacon_find(const struct run *run)
{
    const struct cluster *c = run->c;
    const struct hf_view *newest = cluster_view(c);
    for (unsigned i = 0; newest != NULL && i < c->options.node_count; i++) {
        if (is_active(run, i) && !run->nodes[i].leaving &&
            c->processes[i].node->view->epoch == newest->epoch) {
            return i;
        }
    }
    return NOBODY;
}

/* All but itself. */
static void seeds_set(struct process *process)
{
    struct hf_node_config *config = &process->config;
    size_t kept = 0;
    for (size_t i = 0; i < config->seed_count; i++) {
        if (strcmp(config->seeds[i].host, config->self.host) != 0) {
            config->seeds[kept++] = config->seeds[i];
        }
    }
    config->seed_count = kept;
}

static void node_boot(struct run *run, unsigned node)
{
    run->nodes[node] = (struct node_fault){.flaps = run->nodes[node].flaps};
    seeds_set(&run->c->processes[node]);
    cluster_boot(run->c, node);
}

/* Starts it where it sees a cluster; later, when there is none to see. */
static void node_boot_safely(struct run *run, unsigned node)
{
    unsigned beacon = beacon_find(run);
    if (beacon == NOBODY) {
        run->nodes[node].back_us = run_until(run, BOOT_RETRY_MS);
        return;
    }
    run->beacons[node] = beacon;
    links_open(run, node, beacon);
    links_open(run, beacon, node);
    node_boot(run, node);
    if (run->nodes[node].flaps > 0) {
        run->nodes[node].back_us = run_until(run, FLAP_MS_MAX);
    }
}

static void beacons_step(struct run *run)
{
    for (unsigned i = 0; i < run->c->options.node_count; i++) {
        const struct process *process = &run->c->processes[i];
        if (!process->running || process->node->state != HF_STATE_STARTING) {
            run->beacons[i] = NOBODY;
        }
    }
}

/* Deaths. */

static bool link_is_well(const struct run *run, unsigned from, unsigned to)
{
    const struct link_fault *fault = &run->links[from][to];
    if (fault->cut || fault->slow) {
        return false;
    }
    for (unsigned i = 0; i < HF_CHANNEL_COUNT; i++) {
        const struct network_link *link = &run->c->network.links[from][to][i];
        if (fault->clogged[i] || !link->out.up || !link->in.up) {
            return false;
        }
    }
    return true;
}

/* Whether @other has a lease from @node that lasts a while: only then does it
 * know that it died before it agreed to anything new. */
static bool is_bound(const struct run *run, unsigned other, unsigned node)
{
    const struct hf_node *by = run->c->processes[other].node;
    const struct hf_peer_info *info = &run->c->processes[node].config.self;
    const struct hf_peer *peer =
        hf_node_peer_find(by, info->id, info->incarnation);
    return peer != NULL && peer->bound + HF_LEASE_MS / 2 >
                               process_now(&run->c->processes[other]);
}

/* Whether all others would see it at once if it died. */
static bool is_watched(const struct run *run, unsigned node)
{
    const struct cluster *c = run->c;
    for (unsigned i = 0; i < c->options.node_count; i++) {
        if (i != node && c->processes[i].running &&
            (c->processes[i].paused || !link_is_well(run, i, node) ||
             !link_is_well(run, node, i) || !is_bound(run, i, node))) {
            return false;
        }
    }
    return cluster_is_up(c, node);
}

static bool node_die(struct run *run, unsigned node, bool lose, int64_t ms_max)
{
    struct cluster *c = run->c;
    if (!c->processes[node].running) {
        return false;
    }
    bool proven = !lose && is_watched(run, node);
    if (is_beacon(run, node) || cluster_now_us(c) < run->quiet_until_us ||
        !budget_allows_death(run, node, proven)) {
        run->spared++;
        return false;
    }
    if (proven && !budget_allows_death(run, node, false)) {
        run->quiet_until_us = cluster_now_us(c) + QUIET_US;
    }
    unsigned flaps = run->nodes[node].flaps;
    run->nodes[node] = (struct node_fault){
        .kept_down = true,
        .host_lost = lose,
        .flaps = flaps,
        .back_us = hf_rng_chance(&run->rng, 1, 4) ? cluster_now_us(c)
                                                  : run_until(run, ms_max),
    };
    if (lose) {
        run->nodes[node].host_us = hf_rng_chance(&run->rng, 1, 2)
                                       ? run_until(run, ms_max)
                                       : run->nodes[node].back_us;
        cluster_lose(c, node);
    } else {
        cluster_kill(c, node);
    }
    return true;
}

static void deaths_draw(struct run *run)
{
    unsigned node = run_pick(run);
    if (run_draws(run, FAULT_CRASH)) {
        (void)node_die(run, node, false, run->plan.down_ms_max);
    }
    if (run_draws(run, FAULT_LOSE)) {
        (void)node_die(run, node, true, run->plan.down_ms_max);
    }
    if (run_draws(run, FAULT_FLAP) && node_die(run, node, false, FLAP_MS_MAX)) {
        run->nodes[node].flaps =
            1 + (unsigned)hf_rng_below(&run->rng, FLAPS_MAX);
    }
}

/* Leaving and coming. */

static unsigned staying_count(const struct run *run)
{
    unsigned count = 0;
    for (unsigned i = 0; i < run->c->options.node_count; i++) {
        count += is_active(run, i) && !run->nodes[i].leaving ? 1 : 0;
    }
    return count;
}

/* What its server would do (server/server.c). */
static void leaver_step(struct run *run, unsigned node)
{
    struct process *process = &run->c->processes[node];
    struct node_fault *fault = &run->nodes[node];
    if (!process->running || process->paused || !fault->leaving) {
        return;
    }
    struct hf_node_status status;
    hf_node_get_status(process->node, &status);
    if (status.state == HF_STATE_LEFT) {
        cluster_kill(run->c, node);
        *fault = (struct node_fault){.gone = true};
        return;
    }
    bool nothing =
        status.state == HF_STATE_STARTING || status.state == HF_STATE_OUT;
    if (!fault->told_to_go && (status.drained || nothing)) {
        fault->told_to_go = true;
        hf_node_leave(process->node);
    }
}

static void movers_draw(struct run *run)
{
    struct cluster *c = run->c;
    unsigned node = run_pick(run);
    if (run_draws(run, FAULT_LEAVE) && is_active(run, node) &&
        !run->nodes[node].leaving && !is_beacon(run, node) &&
        staying_count(run) > 1) {
        trace_add(&c->trace, cluster_now_us(c), "%u ! told to leave", node + 1);
        run->nodes[node].leaving = true;
        hf_node_drain(c->processes[node].node);
    }
    bool absent = !c->processes[node].running && !run->nodes[node].kept_down;
    if (run_draws(run, FAULT_JOIN) && absent) {
        node_boot_safely(run, node);
    }
}

/* Silence, time and memory. */

static void others_draw(struct run *run)
{
    struct cluster *c = run->c;
    unsigned node = run_pick(run);
    struct process *process = &c->processes[node];
    struct node_fault *fault = &run->nodes[node];
    if (run_draws(run, FAULT_PAUSE) && cluster_is_up(c, node) &&
        !is_beacon(run, node)) {
        cluster_pause(c, node);
        fault->back_us = run_until(run, run->plan.pause_ms_max);
    }
    if (run_draws(run, FAULT_WALL_JUMP)) {
        int64_t most_ms = HOUR_MS >> (2 * hf_rng_below(&run->rng, 8));
        int64_t jump_ms =
            (int64_t)hf_rng_below(&run->rng, 2 * (uint64_t)most_ms) - most_ms;
        process->clock.wall_ms += jump_ms;
        trace_add(&c->trace, cluster_now_us(c), "%u ! wall clock by %lld ms",
                  node + 1, (long long)jump_ms);
    }
    if (run_draws(run, FAULT_MEMORY) && process->running) {
        fault->memory_until_us = run_until(run, run->plan.away_ms_max / 4 + 1);
        failing_mem_fail_often(&process->failing, run->plan.memory_chance,
                               hf_rng_next(&run->rng));
    }
}

static void node_step(struct run *run, unsigned node)
{
    struct cluster *c = run->c;
    struct process *process = &c->processes[node];
    struct node_fault *fault = &run->nodes[node];
    int64_t now_us = cluster_now_us(c);
    if (fault->host_lost && now_us >= fault->host_us) {
        fault->host_lost = false;
        network_host_back(&c->network, node);
    }
    if (fault->memory_until_us != 0 && now_us >= fault->memory_until_us) {
        fault->memory_until_us = 0;
        failing_mem_fail_often(&process->failing, 0, 0);
    }
    if (now_us < fault->back_us) {
        return;
    }
    if (fault->kept_down) {
        node_boot_safely(run, node);
    } else if (process->running && process->paused) {
        cluster_resume(c, node);
    } else if (process->running && fault->flaps > 0) {
        fault->flaps--;
        (void)node_die(run, node, false, FLAP_MS_MAX);
    }
}

static void counters_check(struct run *run)
{
    struct cluster *c = run->c;
    for (unsigned i = 0; i < c->options.node_count && !c->failed; i++) {
        if (!c->processes[i].running) {
            continue;
        }
        const struct hf_node_counters *counters =
            hf_node_get_counters(c->processes[i].node);
        /* A side may take for lost what died elsewhere, after it was handed
         * over there, and an order to take over gives up whoever is absent,
         * though it may hand over later; whether it is gone is judged in the
         * end. */
        if (counters->partitions_lost > 0 && !plan_has_sides(&run->plan) &&
            run->takeovers == 0) {
            cluster_fail(c, "n%u says that it lost partitions", i + 1);
        }
        if (!plan_has_sides(&run->plan) && run->takeovers == 0 &&
            (counters->forks > 0 || counters->merges > 0)) {
            cluster_fail(c, "n%u says that two lineages met", i + 1);
        }
    }
}

void nodes_step(struct run *run)
{
    beacons_step(run);
    for (unsigned i = 0; i < run->c->options.node_count; i++) {
        node_step(run, i);
        leaver_step(run, i);
    }
    deaths_draw(run);
    movers_draw(run);
    if (cluster_now_us(run->c) >= run->quiet_until_us) {
        others_draw(run);
    }
    if (run_draws(run, FAULT_DELETES)) {
        workload_burst(&run->workload, WORKLOAD_DELETES, 300);
    }
    if (run_draws(run, FAULT_EXPIRIES)) {
        workload_burst(&run->workload, WORKLOAD_EXPIRIES, 300);
    }
    counters_check(run);
}

void nodes_slow_refills(struct run *run, bool slow)
{
    struct hf_node_config usual;
    hf_node_config_init(&usual);
    size_t rate = slow && run->plan.learn_bytes_per_second != 0
                      ? run->plan.learn_bytes_per_second
                      : usual.learn_bytes_per_second;
    for (unsigned i = 0; i < run->c->options.node_count; i++) {
        struct process *process = &run->c->processes[i];
        process->config.learn_bytes_per_second = rate;
        if (process->running) {
            process->node->config.learn_bytes_per_second = rate;
        }
    }
}

void nodes_init(struct run *run)
{
    struct cluster *c = run->c;
    for (unsigned i = 0; i < c->options.node_count; i++) {
        struct hf_node_config *config = &c->processes[i].config;
        run->beacons[i] = NOBODY;
        config->hold_ms = run->plan.hold_ms;
        config->touch_delay_ms = run->plan.touch_delay_ms;
        if (run->plan.small_queues) {
            config->held_bytes_max = 16384;
            config->stream_bytes_max = 8192;
            config->learn_bytes_max = 1024;
        }
    }
    for (unsigned i = 0; i < run->plan.booted; i++) {
        cluster_boot(c, i);
    }
}

/* Healing. */

/* Whether the cluster went on without the process that last ran there, on all
 * sides. */
static bool is_forgotten(const struct run *run, unsigned node)
{
    const struct cluster *c = run->c;
    hf_incarnation last = c->processes[node].config.self.incarnation;
    bool any = false;
    for (unsigned n = 0; n < c->options.node_count; n++) {
        const struct process *process = &c->processes[n];
        const struct hf_view *view =
            process->running ? hf_node_get_view(process->node) : NULL;
        any = any || view != NULL;
        for (uint8_t i = 0; view != NULL && i < view->member_count; i++) {
            if (view->members[i].incarnation == last) {
                return false;
            }
        }
    }
    return any;
}

static bool somebody_stays(const struct run *run)
{
    for (unsigned i = 0; i < run->c->options.node_count; i++) {
        if (run->c->processes[i].running && !run->nodes[i].leaving) {
            return true;
        }
    }
    return false;
}

static void leavers_finish(struct run *run)
{
    struct cluster *c = run->c;
    int64_t until_us = cluster_now_us(c) + LEAVE_MS * SCHEDULE_US_PER_MS;
    int64_t look_us = until_us - LEAVE_MS / 2 * SCHEDULE_US_PER_MS;
    bool any = true;
    while (any && !c->failed) {
        any = false;
        cluster_run(c, FAULT_STEP_MS);
        for (unsigned i = 0; i < c->options.node_count; i++) {
            leaver_step(run, i);
            any = any || run->nodes[i].leaving;
        }
        if (any && cluster_now_us(c) > look_us) {
            /* What an order brought may be a view that somebody had accepted
             * and that nobody is left of. */
            (void)operator_act(run);
            look_us = until_us;
        }
        if (any && cluster_now_us(c) > until_us) {
            cluster_fail(c, "a node never leaves");
        }
    }
}

void nodes_heal(struct run *run)
{
    struct cluster *c = run->c;
    for (unsigned i = 0; i < c->options.node_count; i++) {
        failing_mem_fail_often(&c->processes[i].failing, 0, 0);
        run->nodes[i].flaps = 0;
        if (plan_has_sides(&run->plan) && run->nodes[i].host_lost) {
            /* Or nobody ever knows that no other side is there. */
            run->nodes[i].host_lost = false;
            network_host_back(&c->network, i);
        }
        run->beacons[i] = NOBODY;
        if (c->processes[i].running && c->processes[i].paused) {
            cluster_resume(c, i);
        }
    }
    nodes_slow_refills(run, false);
    cluster_run(c, GO_ON_MS);
    bool stays = somebody_stays(run);
    for (unsigned i = 0; i < c->options.node_count && !c->failed; i++) {
        bool dead = run->nodes[i].kept_down;
        if (dead && (!stays || !is_forgotten(run, i) ||
                     hf_rng_chance(&run->rng, 1, 2))) {
            node_boot(run, i);
        }
    }
    if (!plan_has_sides(&run->plan)) {
        (void)operator_act(run);
    }
    leavers_finish(run);
    counters_check(run);
}
