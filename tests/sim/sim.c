/* sim.c - Random clusters from a seed, until one breaks a promise.
 *
 *   sim [--seed S] [--seeds N] [--seeds-file FILE] [--nodes N] [--ms M]
 *       [--verbose]
 *
 * A seed decides everything: the size of the cluster, the number of backups,
 * the faults of its network, when which node is killed, restarted or stopped,
 * what clients ask. First faults, for M virtual milliseconds; a node is killed
 * or stopped only when the cluster has settled since the last time, so that no
 * acknowledged write may ever be lost. Then everything is healed and started
 * again, and the cluster must settle in bounded time with all copies equal,
 * and with answers that one honest server could have given (support/model.h).
 * Every tenth seed runs twice and must do the same twice.
 *
 * Exit codes: 0 all held; 1 a promise was broken; 2 the cluster made no
 * progress; 3 two runs of a seed differed; 64 bad usage. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/cluster.h"
#include "support/workload.h"

#define SETTLE_MS 60000
#define FAULT_STEP_MS 20
#define RUN_TWICE_EVERY 10

enum verdict {
    VERDICT_FINE = 0,
    VERDICT_BROKEN = 1,
    VERDICT_STUCK = 2,
    VERDICT_RANDOM = 3,
    VERDICT_USAGE = 64,
};

struct options {
    uint64_t seed;
    uint64_t seeds;
    const char *seeds_file;
    unsigned nodes; /* 0: drawn. */
    int64_t ms;
    bool verbose;
};

/* Which faults a seed uses, and how much of each. */
struct plan {
    unsigned nodes;
    unsigned backups;
    int64_t ms;
    int64_t drift_ppm;
    struct network_faults faults;
    uint32_t breaks; /* Of 10,000 steps: a session breaks. */
    uint32_t clogs;  /* A path is clogged for a while. */
    uint32_t kills;  /* A node is killed, to be started again. */
    uint32_t pauses; /* A node is stopped, to go on again. */
    int64_t down_ms_max;
    int64_t pause_ms_max;
    struct workload_options workload;
};

struct outcome {
    enum verdict verdict;
    uint64_t hash;
    uint64_t answered;
    uint64_t acknowledged;
    uint64_t faults; /* Kills, pauses, breaks and clogs. */
    int64_t virtual_ms;
    char failure[CLUSTER_FAILURE_BYTES];
};

struct run {
    struct cluster *c;
    struct plan plan;
    struct hf_rng rng;
    struct workload workload;
    uint64_t faults;
    unsigned victim; /* Down or stopped; CLUSTER_NODES_MAX: nobody. */
    int64_t victim_back_us;
    unsigned clog_from;
    unsigned clog_to;
    enum hf_channel clog_channel;
    int64_t clog_end_us; /* 0: none. */
};

/* For the handler of SIGABRT only. */
static char replay_line[256];

static void on_abort(int number)
{
    (void)number;
    (void)!write(STDERR_FILENO, replay_line, strlen(replay_line));
    _exit(VERDICT_BROKEN);
}

static uint32_t maybe(struct hf_rng *rng, uint32_t most)
{
    return hf_rng_chance(rng, 1, 2) ? (uint32_t)hf_rng_below(rng, most) + 1 : 0;
}

static void plan_draw(struct plan *plan, const struct options *options,
                      uint64_t seed)
{
    struct hf_rng rng;
    hf_rng_init(&rng, seed ^ UINT64_C(0x706c616e));
    *plan = (struct plan){
        .nodes = 2 + (unsigned)hf_rng_below(&rng, 4),
        .backups = 1 + (unsigned)hf_rng_below(&rng, 2),
        .ms = options->ms,
        .drift_ppm = hf_rng_chance(&rng, 1, 2) ? 10000 : 0,
        .faults = {.delay_us = 50 + (int64_t)hf_rng_below(&rng, 2000),
                   .jitter_us = (int64_t)hf_rng_below(&rng, 3000)},
        .down_ms_max = 1 + (int64_t)hf_rng_below(&rng, 4000),
        .pause_ms_max = 1 + (int64_t)hf_rng_below(&rng, 6000),
    };
    if (options->nodes != 0) {
        plan->nodes = options->nodes;
    }
    plan->faults.loss = maybe(&rng, 100);
    plan->faults.duplicate = maybe(&rng, 300);
    plan->faults.reorder = maybe(&rng, 100);
    plan->faults.corrupt = maybe(&rng, 20);
    plan->faults.burst = maybe(&rng, 50);
    plan->faults.burst_us = 1 + (int64_t)hf_rng_below(&rng, 100000);
    plan->breaks = maybe(&rng, 200);
    plan->clogs = maybe(&rng, 100);
    plan->kills = maybe(&rng, 1000);
    plan->pauses = maybe(&rng, 500);
    workload_options_init(&plan->workload);
    plan->workload.clients = 2 + (unsigned)hf_rng_below(&rng, 7);
    plan->workload.hot_keys = 1 + (unsigned)hf_rng_below(&rng, 4);
    plan->workload.cold_keys = 10 + (unsigned)hf_rng_below(&rng, 100);
    plan->workload.think_us_max = 5000 + (int64_t)hf_rng_below(&rng, 60000);
}

/* Faults while clients work. */

static void victim_fall(struct run *run, bool kill)
{
    struct cluster *c = run->c;
    unsigned node = (unsigned)hf_rng_below(&run->rng, c->options.node_count);
    int64_t away_ms = (int64_t)hf_rng_below(
        &run->rng,
        (uint64_t)(kill ? run->plan.down_ms_max : run->plan.pause_ms_max));
    run->faults++;
    run->victim = node;
    run->victim_back_us = cluster_now_us(c) + away_ms * SCHEDULE_US_PER_MS;
    if (kill) {
        cluster_kill(c, node);
    } else {
        cluster_pause(c, node);
    }
}

static void victim_rise(struct run *run)
{
    struct cluster *c = run->c;
    unsigned node = run->victim;
    run->victim = CLUSTER_NODES_MAX;
    if (!c->processes[node].running) {
        cluster_boot(c, node);
    } else if (c->processes[node].paused) {
        cluster_resume(c, node);
    }
}

static void step_victim(struct run *run)
{
    if (run->victim != CLUSTER_NODES_MAX) {
        if (cluster_now_us(run->c) >= run->victim_back_us) {
            victim_rise(run);
        }
        return;
    }
    bool kill = hf_rng_chance(&run->rng, run->plan.kills, 10000);
    bool pause = hf_rng_chance(&run->rng, run->plan.pauses, 10000);
    if ((kill || pause) && cluster_is_settled(run->c) &&
        cluster_up_count(run->c) == run->c->options.node_count) {
        victim_fall(run, kill);
    }
}

static unsigned other_node(struct run *run, unsigned node)
{
    unsigned count = run->c->options.node_count;
    return (node + 1 + (unsigned)hf_rng_below(&run->rng, count - 1)) % count;
}

static void step_links(struct run *run)
{
    struct cluster *c = run->c;
    if (run->clog_end_us != 0 && cluster_now_us(c) >= run->clog_end_us) {
        cluster_unclog(c, run->clog_from, run->clog_to, run->clog_channel);
        run->clog_end_us = 0;
    }
    unsigned from = (unsigned)hf_rng_below(&run->rng, c->options.node_count);
    unsigned to = other_node(run, from);
    enum hf_channel channel =
        hf_rng_chance(&run->rng, 1, 2) ? HF_CHANNEL_DATA : HF_CHANNEL_CONTROL;
    if (hf_rng_chance(&run->rng, run->plan.breaks, 10000)) {
        run->faults++;
        network_break(&c->network, from, to, channel);
    }
    if (run->clog_end_us == 0 &&
        hf_rng_chance(&run->rng, run->plan.clogs, 10000)) {
        run->faults++;
        run->clog_from = from;
        run->clog_to = to;
        run->clog_channel = channel;
        run->clog_end_us =
            cluster_now_us(c) + (int64_t)hf_rng_below(&run->rng, 500000) + 1;
        cluster_clog(c, from, to, channel);
    }
}

static void run_faults(struct run *run)
{
    int64_t until_us =
        cluster_now_us(run->c) + run->plan.ms * SCHEDULE_US_PER_MS;
    while (!run->c->failed && cluster_now_us(run->c) < until_us) {
        step_victim(run);
        step_links(run);
        cluster_run(run->c, FAULT_STEP_MS);
    }
}

/* Everybody is well again: what must hold now? Returns false when the cluster
 * does not come to rest. */
static bool run_healed(struct run *run)
{
    struct cluster *c = run->c;
    if (run->clog_end_us != 0) {
        cluster_unclog(c, run->clog_from, run->clog_to, run->clog_channel);
    }
    if (run->victim != CLUSTER_NODES_MAX) {
        victim_rise(run);
    }
    c->options.faults =
        (struct network_faults){.delay_us = 100, .jitter_us = 100};
    cluster_heal(c);
    workload_stop(&run->workload);
    if (c->failed) {
        return true;
    }
    cluster_settle(c, SETTLE_MS);
    if (c->failed) {
        return false;
    }
    cluster_settle_and_check(c);
    workload_read_all(&run->workload);
    workload_check(&run->workload);
    for (unsigned i = 0; i < c->options.node_count && !c->failed; i++) {
        if (hf_node_get_counters(c->processes[i].node)->partitions_lost > 0) {
            cluster_fail(c, "n%u says that it lost partitions", i + 1);
        }
    }
    for (unsigned i = 0; i < c->options.node_count; i++) {
        cluster_kill(c, i); /* Complains of memory left behind. */
    }
    return true;
}

static void seed_run(uint64_t seed, const struct options *options, bool trace,
                     struct outcome *outcome)
{
    struct run run = {.victim = CLUSTER_NODES_MAX};
    plan_draw(&run.plan, options, seed);
    hf_rng_init(&run.rng, seed ^ UINT64_C(0x72756e));
    struct cluster_options cluster;
    cluster_options_init(&cluster, seed);
    cluster.node_count = run.plan.nodes;
    cluster.backups = run.plan.backups;
    cluster.drift_ppm = run.plan.drift_ppm;
    cluster.trace = trace;
    cluster.loud = options->verbose;
    run.c = cluster_create(&cluster);
    *outcome = (struct outcome){.verdict = VERDICT_FINE};
    cluster_settle(run.c, SETTLE_MS);
    bool stuck = run.c->failed;
    network_set_faults_all(&run.c->network, &run.plan.faults);
    workload_start(&run.workload, run.c, &run.plan.workload,
                   hf_rng_next(&run.rng));
    if (!stuck) {
        run_faults(&run);
        stuck = !run_healed(&run);
    }
    outcome->hash = run.c->trace.hash;
    outcome->answered = run.workload.answered;
    outcome->acknowledged = run.workload.acknowledged;
    outcome->faults = run.faults;
    outcome->virtual_ms = cluster_now_us(run.c) / SCHEDULE_US_PER_MS;
    if (run.c->failed) {
        outcome->verdict = stuck ? VERDICT_STUCK : VERDICT_BROKEN;
        memcpy(outcome->failure, run.c->failure, sizeof(outcome->failure));
    }
    workload_close(&run.workload);
    cluster_destroy(run.c);
}

static void print_failure(uint64_t seed, const struct options *options,
                          const struct outcome *outcome)
{
    struct plan plan;
    plan_draw(&plan, options, seed);
    (void)fflush(stdout);
    (void)fprintf(stderr,
                  "sim: seed %" PRIu64 ": %u nodes, %u backups, of 10,000: "
                  "loss %u, duplicates %u, reordered %u, corrupt %u, bursts "
                  "%u, breaks %u, clogs %u, kills %u, pauses %u\n"
                  "sim: seed %" PRIu64 " failed: %s\n%s",
                  seed, plan.nodes, plan.backups, plan.faults.loss,
                  plan.faults.duplicate, plan.faults.reorder,
                  plan.faults.corrupt, plan.faults.burst, plan.breaks,
                  plan.clogs, plan.kills, plan.pauses, seed, outcome->failure,
                  replay_line);
}

static enum verdict seed_judge(uint64_t seed, const struct options *options,
                               struct outcome *outcome)
{
    (void)snprintf(replay_line, sizeof(replay_line),
                   "replay: sim --seed %" PRIu64 " --ms %" PRId64
                   "%s%.0u --verbose\n",
                   seed, options->ms, options->nodes != 0 ? " --nodes " : "",
                   options->nodes);
    seed_run(seed, options, options->verbose, outcome);
    if (outcome->verdict != VERDICT_FINE) {
        if (!options->verbose) {
            struct outcome again; /* The same again, with a trace. */
            seed_run(seed, options, true, &again);
        }
        print_failure(seed, options, outcome);
        return outcome->verdict;
    }
    if (seed % RUN_TWICE_EVERY == 0) {
        struct outcome again;
        seed_run(seed, options, options->verbose, &again);
        if (again.hash != outcome->hash) {
            (void)snprintf(outcome->failure, sizeof(outcome->failure),
                           "two runs differ");
            print_failure(seed, options, outcome);
            return VERDICT_RANDOM;
        }
    }
    return VERDICT_FINE;
}

/* The command line. */

static int usage(void)
{
    (void)fprintf(stderr,
                  "usage: sim [--seed S] [--seeds N] [--seeds-file "
                  "FILE] [--nodes 2..%d] [--ms M] [--verbose]\n",
                  CLUSTER_NODES_MAX);
    return VERDICT_USAGE;
}

static bool number_read(const char *text, uint64_t *number)
{
    char *end;
    errno = 0;
    *number = strtoull(text, &end, 10);
    return errno == 0 && end != text && *end == '\0';
}

static bool options_read(struct options *options, int argc, char **argv)
{
    *options = (struct options){.seed = 1, .seeds = 1, .ms = 15000};
    for (int i = 1; i < argc; i++) {
        uint64_t number = 0;
        if (strcmp(argv[i], "--verbose") == 0) {
            options->verbose = true;
            continue;
        }
        if (i + 1 == argc) {
            return false;
        }
        const char *name = argv[i++];
        if (strcmp(name, "--seeds-file") == 0) {
            options->seeds_file = argv[i];
            continue;
        }
        if (!number_read(argv[i], &number)) {
            return false;
        }
        if (strcmp(name, "--seed") == 0) {
            options->seed = number;
        } else if (strcmp(name, "--seeds") == 0) {
            options->seeds = number;
        } else if (strcmp(name, "--ms") == 0 && number <= INT32_MAX) {
            options->ms = (int64_t)number;
        } else if (strcmp(name, "--nodes") == 0 && number >= 2 &&
                   number <= CLUSTER_NODES_MAX) {
            options->nodes = (unsigned)number;
        } else {
            return false;
        }
    }
    return true;
}

struct totals {
    uint64_t seeds;
    uint64_t answered;
    uint64_t acknowledged;
    uint64_t faults;
    int64_t virtual_ms;
};

static enum verdict seed_count(uint64_t seed, const struct options *options,
                               struct totals *totals)
{
    struct outcome outcome;
    enum verdict verdict = seed_judge(seed, options, &outcome);
    totals->seeds++;
    totals->answered += outcome.answered;
    totals->acknowledged += outcome.acknowledged;
    totals->faults += outcome.faults;
    totals->virtual_ms += outcome.virtual_ms;
    return verdict;
}

/* One seed a line; '#' begins a comment. */
static enum verdict file_run(const struct options *options,
                             struct totals *totals)
{
    FILE *file = fopen(options->seeds_file, "r");
    if (file == NULL) {
        (void)fprintf(stderr, "sim: cannot read %s\n", options->seeds_file);
        return VERDICT_USAGE;
    }
    enum verdict verdict = VERDICT_FINE;
    char line[200];
    while (verdict == VERDICT_FINE && fgets(line, sizeof(line), file)) {
        uint64_t seed;
        line[strcspn(line, "# \t\n")] = '\0';
        if (line[0] == '\0') {
            continue;
        }
        if (!number_read(line, &seed)) {
            (void)fprintf(stderr, "sim: %s: not a seed: %s\n",
                          options->seeds_file, line);
            verdict = VERDICT_USAGE;
            break;
        }
        verdict = seed_count(seed, options, totals);
    }
    (void)fclose(file);
    return verdict;
}

int main(int argc, char **argv)
{
    struct options options;
    if (!options_read(&options, argc, argv)) {
        return usage();
    }
    (void)signal(SIGABRT, on_abort);
    (void)printf("sim: seeds %" PRIu64 " to %" PRIu64 ", %" PRId64
                 " ms of faults each, nodes %s\n",
                 options.seed, options.seed + options.seeds - 1, options.ms,
                 options.nodes == 0 ? "drawn" : "given");
    (void)fflush(stdout);
    struct totals totals = {0};
    enum verdict verdict = VERDICT_FINE;
    if (options.seeds_file != NULL) {
        verdict = file_run(&options, &totals);
    }
    for (uint64_t i = 0; i < options.seeds && verdict == VERDICT_FINE; i++) {
        verdict = seed_count(options.seed + i, &options, &totals);
    }
    (void)printf(
        "sim: %" PRIu64 " seeds, %" PRId64 " virtual seconds, %" PRIu64
        " faults, %" PRIu64 " answers, %" PRIu64 " acknowledged writes: %s\n",
        totals.seeds, totals.virtual_ms / 1000, totals.faults, totals.answered,
        totals.acknowledged, verdict == VERDICT_FINE ? "all held" : "FAILED");
    return (int)verdict;
}
