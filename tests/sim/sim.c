/* sim.c - Random clusters from a seed, until one breaks a promise.
 *
 *   sim [--seed S] [--seeds N] [--seeds-file FILE] [--nodes N] [--ms M]
 *       [--policy P] [--behead] [--keep-going] [--verbose]
 *
 * A seed decides everything: the size of the cluster, the number of backups,
 * which faults there are and when, what clients ask (plan.h, run.h). Faults
 * last for M virtual milliseconds. P is majority, takeover, half or available
 * (plan.h); without, each seed draws it, and those of a file have majority
 * unless the word is after the seed. Every tenth seed runs twice and must do
 * the same twice. With --behead each seed has cuts that hit who is the first
 * to know a view; else some draw them, and none where sides go on.
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

#include "sim/run.h"

#ifdef HF_MUTATIONS
#include "sim/mutations.h"
#endif

#define RUN_TWICE_EVERY 10

/* For the handler of SIGABRT only. */
static char replay_line[256];

static void on_abort(int number)
{
    (void)number;
    (void)!write(STDERR_FILENO, replay_line, strlen(replay_line));
    _exit(VERDICT_BROKEN);
}

static void replay_set(uint64_t seed, const struct options *options)
{
    struct plan plan;
    plan_draw(&plan, options, seed);
    char nodes[32] = "";
    if (options->nodes != 0) {
        (void)snprintf(nodes, sizeof(nodes), " --nodes %u", options->nodes);
    }
    bool mutated = options->mutation != NULL;
    (void)snprintf(replay_line, sizeof(replay_line),
                   "replay: %s --seed %" PRIu64 " --ms %" PRId64
                   "%s --policy %s%s%s%s --verbose\n",
                   options->program, seed, options->ms, nodes,
                   policy_name(plan.policy), options->behead ? " --behead" : "",
                   mutated ? " --mutate " : "",
                   mutated ? options->mutation : "");
}

static void print_failure(uint64_t seed, const struct options *options,
                          const struct outcome *outcome)
{
    struct plan plan;
    plan_draw(&plan, options, seed);
    (void)fflush(stdout);
    (void)fprintf(stderr, "sim: seed %" PRIu64 ": ", seed);
    plan_print(&plan, stderr);
    (void)fprintf(stderr, "sim: seed %" PRIu64 " failed: %s\n%s", seed,
                  outcome->failure, replay_line);
}

static enum verdict seed_judge(uint64_t seed, const struct options *options,
                               struct outcome *outcome)
{
    replay_set(seed, options);
    seed_run(seed, options, options->verbose, outcome);
    if (outcome->verdict != VERDICT_FINE) {
        if (!options->verbose && !options->keep_going) {
            struct outcome again; /* The same again, with a trace. */
            seed_run(seed, options, true, &again);
        }
        print_failure(seed, options, outcome);
        return outcome->verdict;
    }
    if (seed % RUN_TWICE_EVERY == 0) {
        struct outcome again;
        seed_run(seed, options, false, &again);
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
                  "usage: sim [--seed S] [--seeds N] [--seeds-file FILE] "
                  "[--nodes 2..%d] [--ms M]\n"
                  "           [--policy majority|takeover|half|available] "
                  "[--behead]\n"
                  "           [--keep-going] [--verbose]\n",
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

static bool option_read_number(struct options *options, const char *name,
                               const char *text)
{
    uint64_t number = 0;
    if (!number_read(text, &number)) {
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
    return true;
}

static bool options_read(struct options *options, int argc, char **argv)
{
    const char *slash = strrchr(argv[0], '/');
    *options = (struct options){
        .program = slash == NULL ? argv[0] : slash + 1,
        .seed = 1,
        .seeds = 1,
        .ms = 20000,
        .policy = POLICY_COUNT,
    };
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i];
        if (strcmp(name, "--verbose") == 0) {
            options->verbose = true;
        } else if (strcmp(name, "--behead") == 0) {
            options->behead = true;
        } else if (strcmp(name, "--keep-going") == 0) {
            options->keep_going = true;
        } else if (++i == argc) {
            return false;
        } else if (strcmp(name, "--seeds-file") == 0) {
            options->seeds_file = argv[i];
        } else if (strcmp(name, "--policy") == 0) {
            if (!policy_read(argv[i], &options->policy)) {
                return false;
            }
#ifdef HF_MUTATIONS
        } else if (strcmp(name, "--mutate") == 0) {
            if (!mutation_choose(argv[i])) {
                return false;
            }
            options->mutation = argv[i];
#endif
        } else if (!option_read_number(options, name, argv[i])) {
            return false;
        }
    }
    return true;
}

/* Many seeds. */

struct totals {
    uint64_t seeds;
    uint64_t failed;
    uint64_t answered;
    uint64_t acknowledged;
    uint64_t down;
    uint64_t counts[FAULT_COUNT];
    uint64_t spared;
    uint64_t policies[POLICY_COUNT];
    uint64_t forks;
    uint64_t merges;
    uint64_t conflicts;
    uint64_t takeovers;
    uint64_t orders;
    uint64_t watched;
    uint64_t renames;
    uint64_t kept;
    int64_t virtual_ms;
    enum verdict first; /* Of the first that failed. */
};

/* Whether to go on. */
static bool seed_count(uint64_t seed, const struct options *options,
                       struct totals *totals)
{
    struct outcome outcome;
    enum verdict verdict = seed_judge(seed, options, &outcome);
    totals->seeds++;
    totals->answered += outcome.answered;
    totals->acknowledged += outcome.acknowledged;
    totals->down += outcome.down;
    totals->spared += outcome.spared;
    totals->policies[outcome.policy]++;
    totals->forks += outcome.forks;
    totals->merges += outcome.merges;
    totals->conflicts += outcome.conflicts;
    totals->takeovers += outcome.takeovers;
    totals->orders += outcome.orders;
    totals->watched += outcome.watched;
    totals->renames += outcome.renames;
    totals->kept += outcome.kept;
    totals->virtual_ms += outcome.virtual_ms;
    for (unsigned i = 0; i < FAULT_COUNT; i++) {
        totals->counts[i] += outcome.counts[i];
    }
    if (verdict != VERDICT_FINE) {
        totals->failed++;
        totals->first = totals->first == VERDICT_FINE ? verdict : totals->first;
    }
    return verdict == VERDICT_FINE || options->keep_going;
}

/* One seed a line, maybe a policy, and then --behead; '#' begins a comment. */
static bool file_run(const struct options *options, struct totals *totals)
{
    FILE *file = fopen(options->seeds_file, "r");
    if (file == NULL) {
        (void)fprintf(stderr, "sim: cannot read %s\n", options->seeds_file);
        totals->first = VERDICT_USAGE;
        return false;
    }
    bool go_on = true;
    char line[200];
    while (go_on && fgets(line, sizeof(line), file)) {
        uint64_t seed;
        char policy[16] = "majority";
        char more[16] = "";
        struct options own = *options;
        line[strcspn(line, "#\n")] = '\0';
        (void)sscanf(line, "%*s %15s %15s", policy, more);
        own.behead = options->behead || strcmp(more, "--behead") == 0;
        line[strcspn(line, " \t")] = '\0';
        if (line[0] == '\0') {
            continue;
        }
        if (!number_read(line, &seed) || !policy_read(policy, &own.policy) ||
            (more[0] != '\0' && strcmp(more, "--behead") != 0)) {
            (void)fprintf(stderr, "sim: %s: not a seed: %s\n",
                          options->seeds_file, line);
            totals->first = VERDICT_USAGE;
            go_on = false;
            break;
        }
        go_on = seed_count(seed, &own, totals);
    }
    (void)fclose(file);
    return go_on;
}

static void print_totals(const struct totals *totals)
{
    uint64_t faults = 0;
    (void)printf("sim: faults:");
    for (unsigned i = 0; i < FAULT_COUNT; i++) {
        faults += totals->counts[i];
        (void)printf(" %s %" PRIu64, fault_name((enum fault)i),
                     totals->counts[i]);
    }
    (void)printf("; deaths spared %" PRIu64 "\n", totals->spared);
    (void)printf("sim: seeds by policy:");
    for (unsigned i = 0; i < POLICY_COUNT; i++) {
        (void)printf(" %s %" PRIu64, policy_name((enum policy)i),
                     totals->policies[i]);
    }
    (void)printf("; forks %" PRIu64 ", merges %" PRIu64 ", conflicts %" PRIu64
                 ", takeovers %" PRIu64 ", refused %" PRIu64
                 "; transactions with WATCH %" PRIu64 ", renames %" PRIu64
                 ", answers to keepers %" PRIu64 "\n",
                 totals->forks, totals->merges, totals->conflicts,
                 totals->takeovers, totals->orders, totals->watched,
                 totals->renames, totals->kept);
    (void)printf("sim: %" PRIu64 " seeds, %" PRId64 " virtual seconds, %" PRIu64
                 " faults, %" PRIu64 " answers, %" PRIu64 " refused, %" PRIu64
                 " acknowledged writes checked, %" PRIu64 " failed: %s\n",
                 totals->seeds, totals->virtual_ms / 1000, faults,
                 totals->answered, totals->down, totals->acknowledged,
                 totals->failed,
                 totals->first == VERDICT_FINE ? "all held" : "FAILED");
}

int main(int argc, char **argv)
{
    struct options options;
#ifdef HF_MUTATIONS
    if (argc == 2 && strcmp(argv[1], "--list-mutations") == 0) {
        mutations_print();
        return VERDICT_FINE;
    }
#endif
    if (!options_read(&options, argc, argv)) {
        return usage();
    }
    (void)signal(SIGABRT, on_abort);
    char nodes[16] = "drawn";
    if (options.nodes != 0) {
        (void)snprintf(nodes, sizeof(nodes), "%u", options.nodes);
    }
    (void)printf("sim: commit %s, %d partitions, seeds %" PRIu64 " to %" PRIu64
                 ", %" PRId64 " ms of faults, nodes %s, policy %s\n",
                 sim_commit, HF_PARTITION_COUNT, options.seed,
                 options.seed + options.seeds - 1, options.ms, nodes,
                 options.policy == POLICY_COUNT ? "drawn"
                                                : policy_name(options.policy));
    (void)fflush(stdout);
    struct totals totals = {.first = VERDICT_FINE};
    bool go_on = options.seeds_file == NULL || file_run(&options, &totals);
    for (uint64_t i = 0; i < options.seeds && go_on; i++) {
        go_on = seed_count(options.seed + i, &options, &totals);
    }
    print_totals(&totals);
    return (int)totals.first;
}
