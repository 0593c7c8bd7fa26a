#include "sim/run.h"

#include <string.h>

#include "core/node_state.h"

#define FORM_MS 60000
#define SETTLE_MS 60000
#define LAST_TTL_MS 4000
#define KEEPERS_SEED UINT64_C(0x6b656570)
#define FLUSHER_SEED UINT64_C(0x666c757368)
#define RACERS_SEED UINT64_C(0x72616365)
#define RENAMERS_SEED UINT64_C(0x72656e616d65)

unsigned run_pick(struct run *run)
{
    return (unsigned)hf_rng_below(&run->rng, run->c->options.node_count);
}

int64_t run_until(struct run *run, int64_t ms_max)
{
    return cluster_now_us(run->c) + 1 +
           (int64_t)hf_rng_below(&run->rng,
                                 (uint64_t)(ms_max * SCHEDULE_US_PER_MS));
}

bool run_draws(struct run *run, enum fault fault)
{
    uint32_t rate = run->plan.rates[fault];
    if (rate == 0 || !hf_rng_chance(&run->rng, rate, 10000)) {
        return false;
    }
    run->counts[fault]++;
    return true;
}

static void run_step(struct run *run)
{
    struct cluster *c = run->c;
    if (run->plan.behead_percent == 0) {
        cluster_run(c, FAULT_STEP_MS);
        return;
    }
    for (unsigned i = 0; i < FAULT_STEP_MS && !c->failed; i++) {
        cluster_run(c, 1);
        links_behead(run);
    }
}

static void run_safety(struct run *run)
{
    struct cluster *c = run->c;
    int64_t until_us = cluster_now_us(c) + run->plan.ms * SCHEDULE_US_PER_MS;
    network_set_faults_all(&c->network, &run->plan.network);
    while (!c->failed && cluster_now_us(c) < until_us) {
        nodes_step(run);
        links_step(run);
        operator_err(run);
        run_step(run);
        bounds_check(run);
        if (plan_has_sides(&run->plan)) {
            sides_watch(&run->workload.sides, c);
        }
    }
}

static void run_heal(struct run *run)
{
    struct cluster *c = run->c;
    run->plan.network =
        (struct network_faults){.delay_us = 100, .jitter_us = 100};
    c->options.faults = run->plan.network;
    links_heal(run);
    network_set_faults_all(&c->network, &run->plan.network);
    network_drain(&c->network);
    trace_add(&c->trace, cluster_now_us(c), "net: healed");
    nodes_heal(run);
}

static void answers_check(struct cluster *c)
{
    for (unsigned i = 0; i < c->options.node_count && !c->failed; i++) {
        if (!hf_list_is_empty(&c->processes[i].unanswered)) {
            cluster_fail(c, "n%u never answers a client", i + 1);
        }
    }
}

static void run_judge(struct run *run)
{
    struct cluster *c = run->c;
    keepers_read_last(&run->keepers);
    cluster_run(c, LAST_TTL_MS + run->plan.keeper_ttl_ms_max);
    answers_check(c);
    cluster_settle_and_check(c);
    workload_read_all(&run->workload);
    workload_check(&run->workload);
    racers_check(&run->racers);
    renamers_check(&run->renamers);
    rest_check(run);
    for (unsigned i = 0; i < c->options.node_count; i++) {
        if (c->processes[i].running) {
            cluster_kill(c, i); /* Complains of memory left behind. */
        }
    }
}

static bool is_settled(struct cluster *c, void *user)
{
    (void)user;
    return cluster_is_settled(c);
}

static void run_settle(struct run *run)
{
    if (!cluster_wait(run->c, SETTLE_MS, is_settled, NULL)) {
        int64_t ms = operator_act(run) ? SETTLE_MS : 0;
        cluster_settle(run->c, ms);
    }
}

static void sides_count(struct run *run)
{
    const struct cluster *c = run->c;
    for (unsigned i = 0; i < c->options.node_count; i++) {
        if (c->processes[i].running) {
            const struct hf_node_counters *counters =
                hf_node_get_counters(c->processes[i].node);
            run->forks += counters->forks;
            run->merges += counters->merges;
            run->conflicts += counters->merge_conflicts;
        }
    }
}

/* False when it is the progress that failed. */
static bool run_all(struct run *run)
{
    struct cluster *c = run->c;
    cluster_settle(c, FORM_MS);
    if (c->failed) {
        return false;
    }
    c->invariants.two_sides = plan_has_sides(&run->plan);
    workload_start(&run->workload, c, &run->plan.workload,
                   hf_rng_next(&run->rng));
    keepers_start(&run->keepers, c,
                  plan_has_sides(&run->plan) ? &run->workload.sides : NULL,
                  run->plan.keepers, run->plan.keeper_ttl_ms_max,
                  c->options.seed ^ KEEPERS_SEED);
    flusher_start(&run->flusher, &run->workload, run->plan.flush_gap_ms_max,
                  c->options.seed ^ FLUSHER_SEED);
    racers_start(&run->racers, c, run->plan.racers,
                 run->plan.asker_think_us_max, c->options.seed ^ RACERS_SEED);
    renamers_start(&run->renamers, c, run->plan.renamed,
                   run->plan.asker_think_us_max,
                   c->options.seed ^ RENAMERS_SEED);
    nodes_slow_refills(run, true);
    run_safety(run);
    if (c->failed) {
        return true;
    }
    run_heal(run);
    workload_stop(&run->workload);
    keepers_stop(&run->keepers);
    flusher_stop(&run->flusher);
    racers_stop(&run->racers);
    renamers_stop(&run->renamers);
    if (!c->failed) {
        run_settle(run);
    }
    if (c->failed) {
        return false;
    }
    c->invariants.two_sides = false;
    sides_count(run);
    run_judge(run);
    return true;
}

static enum hf_partition_policy cluster_policy(enum policy policy)
{
    return policy == POLICY_HALF        ? HF_POLICY_HALF
           : policy == POLICY_AVAILABLE ? HF_POLICY_AVAILABLE
                                        : HF_POLICY_MAJORITY;
}

static void outcome_count(const struct run *run, struct outcome *outcome)
{
    outcome->answered = run->workload.answered;
    outcome->acknowledged = run->workload.acknowledged;
    outcome->down = run->workload.down;
    memcpy(outcome->counts, run->counts, sizeof(outcome->counts));
    outcome->spared = run->spared;
    outcome->takeovers = run->takeovers;
    outcome->orders = run->orders;
    outcome->forks = run->forks;
    outcome->merges = run->merges;
    outcome->watched = run->racers.won;
    outcome->renames = run->renamers.done;
    outcome->kept = run->keepers.judged;
    outcome->conflicts = run->conflicts;
    outcome->virtual_ms = cluster_now_us(run->c) / SCHEDULE_US_PER_MS;
}

void seed_run(uint64_t seed, const struct options *options, bool trace,
              struct outcome *outcome)
{
    static struct run run; /* Large; one at a time. */
    memset(&run, 0, sizeof(run));
    plan_draw(&run.plan, options, seed);
    hf_rng_init(&run.rng, seed ^ UINT64_C(0x72756e));
    hf_rng_init(&run.errors, seed ^ UINT64_C(0x6572726f72));
    struct cluster_options cluster;
    cluster_options_init(&cluster, seed);
    cluster.policy = cluster_policy(run.plan.policy);
    cluster.node_count = run.plan.nodes;
    cluster.backups = run.plan.backups;
    cluster.drift_ppm = run.plan.drift_ppm;
    cluster.wall_skew_ms = run.plan.wall_skew_ms;
    cluster.memory_fails = run.plan.rates[FAULT_MEMORY] != 0;
    cluster.trace = trace;
    cluster.loud = trace && options->verbose;
    cluster.boot_none = true;
    run.c = cluster_create(&cluster);
    nodes_init(&run);
    *outcome =
        (struct outcome){.verdict = VERDICT_FINE, .policy = run.plan.policy};
    bool progress = run_all(&run);
    outcome->hash = run.c->trace.hash;
    outcome_count(&run, outcome);
    if (run.c->failed) {
        outcome->verdict = progress ? VERDICT_BROKEN : VERDICT_STUCK;
        memcpy(outcome->failure, run.c->failure, sizeof(outcome->failure));
    }
    if (run.workload.c != NULL) {
        keepers_close(&run.keepers);
        flusher_close(&run.flusher);
        racers_close(&run.racers);
        renamers_close(&run.renamers);
        workload_close(&run.workload);
    }
    cluster_destroy(run.c);
}
