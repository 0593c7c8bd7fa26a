/* fork_random_test.c - Cuts of every shape, one after the other, where any
 * side goes on: what was acknowledged anywhere and touched by nobody else is
 * there in the end, and what was removed is gone.
 *
 * Every session is made once, or was there at first and is removed at most
 * once: so there is nothing that both sides changed, and nothing to lose.
 * FORK_SEEDS in the environment says how many seeds are run, from FORK_SEED
 * on. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "core/node_state.h"
#include "support/story.h"

#define OLD_KEYS 150
#define NEW_KEYS_MAX 1200
#define ROUNDS 8
#define SEEDS 12

struct run {
    struct cluster *c;
    struct hf_rng rng;
    bool removed[OLD_KEYS]; /* And that was acknowledged. */
    bool touched[OLD_KEYS];
    bool made[NEW_KEYS_MAX]; /* The same. */
    unsigned made_count;
};

static unsigned below(struct run *run, unsigned bound)
{
    return (unsigned)hf_rng_below(&run->rng, bound);
}

static void cut_into_groups(struct run *run)
{
    struct cluster *c = run->c;
    unsigned group[CLUSTER_NODES_MAX];
    unsigned groups = 1 + below(run, 3);
    for (unsigned i = 0; i < c->options.node_count; i++) {
        group[i] = below(run, groups);
    }
    cluster_heal(c);
    for (unsigned a = 0; a < c->options.node_count; a++) {
        for (unsigned b = 0; b < a; b++) {
            if (group[a] != group[b]) {
                cluster_cut(c, a, b);
            }
        }
    }
    if (below(run, 4) == 0) {
        cluster_pause(c, below(run, c->options.node_count));
    }
}

static unsigned somebody(struct run *run)
{
    unsigned node = below(run, run->c->options.node_count);
    while (!cluster_is_up(run->c, node)) {
        node = (node + 1) % run->c->options.node_count;
    }
    return node;
}

static void make_one(struct run *run)
{
    char key[24];
    if (run->made_count == NEW_KEYS_MAX) {
        return;
    }
    unsigned number = run->made_count++;
    (void)snprintf(key, sizeof(key), "new:%u", number);
    const char *answer =
        cluster_command(run->c, somebody(run), "SET", key, "v", NULL);
    run->made[number] = strcmp(answer, "OK") == 0;
}

static void remove_one(struct run *run)
{
    char key[24];
    unsigned number = below(run, OLD_KEYS);
    if (run->touched[number]) {
        return;
    }
    run->touched[number] = true;
    (void)snprintf(key, sizeof(key), "old:%u", number);
    const char *answer =
        cluster_command(run->c, somebody(run), "DEL", key, NULL);
    cluster_check(run->c, strcmp(answer, "0") != 0,
                  "what nobody removed is not there");
    run->removed[number] = strcmp(answer, "1") == 0;
}

static void work(struct run *run, int64_t ms)
{
    int64_t end = cluster_now_us(run->c) + ms * 1000;
    while (cluster_now_us(run->c) < end) {
        if (below(run, 4) == 0) {
            remove_one(run);
        } else {
            make_one(run);
        }
        cluster_run(run->c, 5 + below(run, 60));
    }
}

static void expect_all(struct run *run)
{
    char key[24];
    char text[80];
    for (unsigned i = 0; i < run->made_count; i++) {
        (void)snprintf(key, sizeof(key), "new:%u", i);
        const char *answer = cluster_command(
            run->c, i % run->c->options.node_count, "GET", key, NULL);
        (void)snprintf(text, sizeof(text), "%s was acknowledged and is lost",
                       key);
        cluster_check(run->c, !run->made[i] || strcmp(answer, "v") == 0, text);
    }
    for (unsigned i = 0; i < OLD_KEYS; i++) {
        (void)snprintf(key, sizeof(key), "old:%u", i);
        const char *answer = cluster_command(
            run->c, i % run->c->options.node_count, "GET", key, NULL);
        bool gone = strcmp(answer, "(nil)") == 0;
        (void)snprintf(text, sizeof(text), "%s was removed and is back", key);
        cluster_check(run->c, !run->removed[i] || gone, text);
        (void)snprintf(text, sizeof(text), "%s is lost", key);
        cluster_check(run->c, run->touched[i] || !gone, text);
    }
}

static void run_seed(void **state, uint64_t seed)
{
    struct run run = {0};
    hf_rng_init(&run.rng, seed);
    struct cluster_options options;
    cluster_options_init(&options, seed);
    options.loud = getenv("FORK_LOUD") != NULL;
    options.node_count = 2 + below(&run, 4);
    options.backups = 1 + below(&run, 2);
    options.policy = below(&run, 3) == 0 ? HF_POLICY_HALF : HF_POLICY_AVAILABLE;
    struct cluster *c = run.c = story_start_with(state, &options);
    for (unsigned i = 0; i < OLD_KEYS; i++) {
        char key[24];
        (void)snprintf(key, sizeof(key), "old:%u", i);
        cluster_expect_reply(c, "OK", 0, "SET", key, "v", NULL);
    }
    c->invariants.two_sides = true;
    for (unsigned i = 0; i < ROUNDS; i++) {
        cut_into_groups(&run);
        work(&run, 200 + below(&run, 7000));
        if (below(&run, 3) == 0) {
            cluster_heal(c);
            work(&run, below(&run, 4000));
        }
    }
    cluster_heal(c);
    cluster_settle(c, 2 * CLUSTER_SETTLE_MS);
    c->invariants.two_sides = false;
    cluster_settle_and_check(c);
    expect_all(&run);
}

static uint64_t number_of(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text == NULL ? otherwise : strtoull(text, NULL, 10);
}

static void nothing_that_one_side_changed_is_lost(void **state)
{
    uint64_t first = number_of("FORK_SEED", 1);
    uint64_t count = number_of("FORK_SEEDS", SEEDS);
    for (uint64_t seed = first; seed < first + count; seed++) {
        print_message("seed %llu\n", (unsigned long long)seed);
        run_seed(state, seed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(nothing_that_one_side_changed_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
