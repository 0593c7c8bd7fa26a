/* fork_test.c - Both sides of a cut go on, as the policy allows it, and become
 * one again: nothing that only one side changed is lost, what both changed is
 * counted, and all copies are equal. */
#include <stdio.h>
#include <string.h>

#include "core/node_state.h"
#include "support/story.h"

#define FORKED_MS 6000 /* Guard, delay, agreement, and some to spare. */
#define STOPPED_MS 4000
#define ALONE_MS 2300 /* Nobody waits for grants of who gave way. */
#define KEYS 120
#define WAIT_MS 20000

static struct cluster *start(void **state, unsigned nodes, uint64_t seed,
                             enum hf_partition_policy policy)
{
    struct cluster_options options;
    cluster_options_init(&options, seed);
    options.node_count = nodes;
    options.policy = policy;
    return story_start_with(state, &options);
}

/* Cuts those in @side off from all others. */
static void split(struct cluster *c, unsigned side)
{
    for (unsigned a = 0; a < c->options.node_count; a++) {
        for (unsigned b = 0; b < a; b++) {
            if (((side >> a) & 1) != ((side >> b) & 1)) {
                cluster_cut(c, a, b);
            }
        }
    }
}

static void go_apart(struct cluster *c, unsigned side)
{
    c->invariants.two_sides = true;
    split(c, side);
    cluster_run(c, FORKED_MS);
}

static void go_together(struct cluster *c)
{
    story_bring_together(c);
}

static void key_of(char *key, const char *kind, unsigned i)
{
    (void)snprintf(key, 24, "%s:%u", kind, i);
}

/* SET kind:0 ... by way of @node. Returns how many were refused. */
static unsigned fill(struct cluster *c, unsigned node, const char *kind,
                     const char *value)
{
    unsigned refused = 0;
    for (unsigned i = 0; i < KEYS; i++) {
        char key[24];
        key_of(key, kind, i);
        const char *answer = cluster_command(c, node, "SET", key, value, NULL);
        bool is_refused = strstr(answer, "CLUSTERDOWN") != NULL;
        cluster_check(c, is_refused || strcmp(answer, "OK") == 0,
                      "a write is neither done nor refused");
        refused += is_refused ? 1 : 0;
    }
    return refused;
}

static void remove_all(struct cluster *c, unsigned node, const char *kind)
{
    for (unsigned i = 0; i < KEYS; i++) {
        char key[24];
        key_of(key, kind, i);
        cluster_expect_reply(c, "1", node, "DEL", key, NULL);
    }
}

/* How many of kind:0 ... are @value (NULL: are not there), by any node. */
static unsigned count(struct cluster *c, const char *kind, const char *value)
{
    unsigned found = 0;
    for (unsigned i = 0; i < KEYS; i++) {
        char key[24];
        key_of(key, kind, i);
        const char *answer =
            cluster_command(c, i % c->options.node_count, "GET", key, NULL);
        found += strcmp(answer, value == NULL ? "(nil)" : value) == 0 ? 1 : 0;
    }
    return found;
}

static void expect_all(struct cluster *c, const char *kind, const char *value)
{
    char text[96];
    (void)snprintf(text, sizeof(text), "not all of %s are %s", kind,
                   value == NULL ? "gone" : value);
    cluster_check(c, count(c, kind, value) == KEYS, text);
}

static void expect_stopped(struct cluster *c, unsigned node)
{
    for (unsigned i = 0; i < 20; i++) {
        char key[24];
        key_of(key, "old", i);
        cluster_check(c,
                      strstr(cluster_command(c, node, "GET", key, NULL),
                             "CLUSTERDOWN") != NULL,
                      "a node that should have stopped answers");
    }
}

static uint64_t conflicts(const struct cluster *c)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < c->options.node_count; i++) {
        const struct process *process = &c->processes[i];
        if (process->running) {
            sum += hf_node_get_counters(process->node)->merge_conflicts;
        }
    }
    return sum;
}

static void fill_before(struct cluster *c)
{
    (void)fill(c, 0, "old", "old");
    (void)fill(c, 0, "gone0", "old");
    (void)fill(c, 0, "gone1", "old");
    (void)fill(c, 0, "both", "old");
    (void)fill(c, 0, "changed0", "old");
    (void)fill(c, 0, "changed1", "old");
}

static void change(struct cluster *c, unsigned node, unsigned side)
{
    char kind[16];
    const char *value = side == 0 ? "zero" : "one";
    key_of(kind, "only", side);
    cluster_check(c, fill(c, node, kind, value) == 0, "refused");
    (void)snprintf(kind, sizeof(kind), "changed%u", side);
    cluster_check(c, fill(c, node, kind, value) == 0, "refused");
    (void)snprintf(kind, sizeof(kind), "gone%u", side);
    remove_all(c, node, kind);
    cluster_check(c, fill(c, node, "both", value) == 0, "refused");
}

static void expect_merged(struct cluster *c)
{
    expect_all(c, "old", "old");
    expect_all(c, "gone0", NULL);
    expect_all(c, "gone1", NULL);
    expect_all(c, "changed0", "zero");
    expect_all(c, "changed1", "one");
    expect_all(c, "only:0", "zero");
    expect_all(c, "only:1", "one");
    cluster_check(c, count(c, "both", "zero") + count(c, "both", "one") == KEYS,
                  "of what both sides changed neither is there");
    cluster_check(c, conflicts(c) == KEYS, "conflicts are counted once each");
}

static void two_nodes_go_on_apart_and_become_one_again(void **state)
{
    for (uint64_t seed = 100; seed < 104; seed++) {
        struct cluster *c = start(state, 2, seed, HF_POLICY_HALF);
        fill_before(c);
        go_apart(c, 1);
        change(c, 0, 0);
        change(c, 1, 1);
        go_together(c);
        expect_merged(c);
    }
}

/* Sessions with both copies on one side are served there alone, and are not
 * said to be absent on the other. */
static void two_of_four_on_each_side_go_on(void **state)
{
    struct cluster *c = start(state, 4, 110, HF_POLICY_HALF);
    fill_before(c);
    go_apart(c, 0x5);
    for (unsigned node = 0; node < 4; node++) {
        for (unsigned i = 0; i < KEYS; i++) {
            char key[24];
            key_of(key, "old", i);
            const char *answer = cluster_command(c, node, "GET", key, NULL);
            cluster_check(c, strcmp(answer, "(nil)") != 0,
                          "unavailable is said to be absent");
        }
    }
    unsigned first = fill(c, 0, "changed0", "zero");
    unsigned second = fill(c, 1, "changed1", "one");
    cluster_check(
        c, first > 0 && first < KEYS / 2 && second > 0 && second < KEYS / 2,
        "some sessions, and not most, are unavailable");
    go_together(c);
    expect_all(c, "old", "old");
    cluster_check(c,
                  count(c, "changed0", "zero") >= KEYS - first &&
                      count(c, "changed1", "one") >= KEYS - second,
                  "acknowledged writes are lost");
    cluster_check(c, conflicts(c) == 0, "there was no conflict");
}

static void one_of_three_alone(void **state, enum hf_partition_policy policy)
{
    struct cluster *c = start(state, 3, 120 + policy, policy);
    fill_before(c);
    go_apart(c, 1);
    cluster_check(c, fill(c, 1, "changed1", "one") == 0,
                  "the two do not go on");
    if (policy == HF_POLICY_AVAILABLE) {
        unsigned refused = fill(c, 0, "changed0", "zero");
        cluster_check(c, refused < KEYS / 2, "the one does not go on");
        go_together(c);
        cluster_check(c, count(c, "changed0", "zero") >= KEYS - refused,
                      "acknowledged writes are lost");
    } else {
        expect_stopped(c, 0);
        go_together(c);
        expect_all(c, "changed0", "old");
    }
    expect_all(c, "changed1", "one");
    expect_all(c, "old", "old");
    cluster_check(c, conflicts(c) == 0, "there was no conflict");
}

static void one_of_three_goes_on_only_when_available(void **state)
{
    one_of_three_alone(state, HF_POLICY_HALF);
    one_of_three_alone(state, HF_POLICY_MAJORITY);
    one_of_three_alone(state, HF_POLICY_AVAILABLE);
}

static void a_hung_first_of_two_is_no_reason_to_stop(void **state)
{
    struct cluster *c = start(state, 2, 130, HF_POLICY_HALF);
    fill_before(c);
    unsigned first = cluster_node_of(c, cluster_view(c), 0);
    c->invariants.two_sides = true;
    cluster_pause(c, first);
    cluster_run(c, FORKED_MS);
    cluster_check(c, fill(c, 1 - first, "changed0", "zero") == 0,
                  "the second of two does not go on");
    cluster_resume(c, first);
    go_together(c);
    expect_all(c, "changed0", "zero");
    expect_all(c, "old", "old");
    cluster_check(c, conflicts(c) == 0, "the first one had gone nowhere");
}

static void with_majority_the_second_of_two_waits(void **state)
{
    struct cluster *c = start(state, 2, 131, HF_POLICY_MAJORITY);
    fill_before(c);
    unsigned first = cluster_node_of(c, cluster_view(c), 0);
    cluster_pause(c, first);
    cluster_run(c, FORKED_MS);
    expect_stopped(c, 1 - first);
    cluster_resume(c, first);
    cluster_settle_and_check(c);
    expect_all(c, "old", "old");
}

/* A short cut makes no fork. */
static void a_cut_that_heals_soon_makes_no_fork(void **state)
{
    struct cluster *c = start(state, 2, 132, HF_POLICY_HALF);
    fill_before(c);
    split(c, 1);
    cluster_run(c, 2500);
    cluster_heal(c);
    cluster_settle_and_check(c);
    for (unsigned i = 0; i < 2; i++) {
        cluster_check(c, hf_node_get_counters(c->processes[i].node)->forks == 0,
                      "there is a fork");
    }
    expect_all(c, "old", "old");
}

/* Each of three alone; then they meet one after the other. */
static void three_sides_become_one_in_any_order(void **state)
{
    for (unsigned last = 0; last < 3; last++) {
        struct cluster *c = start(state, 3, 140 + last, HF_POLICY_AVAILABLE);
        fill_before(c);
        c->invariants.two_sides = true;
        for (unsigned i = 0; i < 3; i++) {
            cluster_isolate(c, i);
        }
        cluster_run(c, FORKED_MS);
        unsigned refused[3];
        for (unsigned i = 0; i < 3; i++) {
            char kind[24];
            (void)snprintf(kind, sizeof(kind), "only%u", i);
            refused[i] = fill(c, i, kind, "new");
        }
        cluster_heal(c);
        split(c, 1u << last);
        cluster_run(c, FORKED_MS);
        go_together(c);
        expect_all(c, "old", "old");
        for (unsigned i = 0; i < 3; i++) {
            char kind[24];
            (void)snprintf(kind, sizeof(kind), "only%u", i);
            cluster_check(c, count(c, kind, "new") >= KEYS - refused[i],
                          "acknowledged writes are lost");
        }
    }
}

/* SET kind:0 ... by way of @node; @done says which were not refused. */
static void fill_some(struct cluster *c, unsigned node, const char *kind,
                      const char *value, bool done[KEYS])
{
    for (unsigned i = 0; i < KEYS; i++) {
        char key[24];
        key_of(key, kind, i);
        const char *answer = cluster_command(c, node, "SET", key, value, NULL);
        done[i] = strcmp(answer, "OK") == 0;
    }
}

/* The same again, or DEL when @value is NULL, for those that are @done. */
static void change_some(struct cluster *c, unsigned node, const char *kind,
                        const char *value, bool done[KEYS])
{
    unsigned some = 0;
    for (unsigned i = 0; i < KEYS; i++) {
        char key[24];
        key_of(key, kind, i);
        const char *answer =
            !done[i]        ? "CLUSTERDOWN"
            : value == NULL ? cluster_command(c, node, "DEL", key, NULL)
                            : cluster_command(c, node, "SET", key, value, NULL);
        done[i] = strstr(answer, "CLUSTERDOWN") == NULL;
        some += done[i] ? 1 : 0;
    }
    cluster_check(c, some > 0, "nothing could be changed");
}

static void expect_some(struct cluster *c, const char *kind, const char *value,
                        const bool done[KEYS])
{
    for (unsigned i = 0; i < KEYS; i++) {
        char key[24];
        key_of(key, kind, i);
        const char *answer =
            cluster_command(c, i % c->options.node_count, "GET", key, NULL);
        cluster_check(
            c, !done[i] || strcmp(answer, value == NULL ? "(nil)" : value) == 0,
            "what was before is back");
    }
}

/* Two of four are a fork for a while, then part again. One of them meets the
 * rest of the four, and brings what it knew then; what the other removed or
 * changed after they had parted holds, though it comes later. */
static void a_fork_of_a_fork_brings_back_nothing(void **state)
{
    for (unsigned round = 0; round < 6; round++) {
        struct cluster *c = start(state, 4, 190 + round, HF_POLICY_HALF);
        unsigned nodes[4];
        for (uint8_t i = 0; i < 4; i++) {
            nodes[i] = cluster_node_of(c, cluster_view(c), i);
        }
        unsigned partner = nodes[1 + round % 3];
        unsigned first = nodes[1 + (round + 1) % 3];
        unsigned later = nodes[1 + (round + 2) % 3];
        if (round >= 3) {
            unsigned swapped = first;
            first = later;
            later = swapped;
        }
        bool removed[KEYS];
        bool changed[KEYS];
        go_apart(c, 1u << nodes[0] | 1u << partner);
        fill_some(c, later, "gone", "before", removed);
        fill_some(c, later, "kept", "before", changed);
        cluster_cut(c, first, later);
        cluster_run(c, FORKED_MS);
        change_some(c, later, "gone", NULL, removed);
        change_some(c, later, "kept", "after", changed);
        cluster_heal(c);
        split(c, 1u << later);
        cluster_run(c, FORKED_MS);
        go_together(c);
        expect_some(c, "gone", NULL, removed);
        expect_some(c, "kept", "after", changed);
    }
}

static void what_expired_on_one_side_does_not_come_back(void **state)
{
    struct cluster *c = start(state, 2, 150, HF_POLICY_HALF);
    for (unsigned i = 0; i < KEYS; i++) {
        char key[24];
        key_of(key, "old", i);
        cluster_expect_reply(c, "OK", 0, "SET", key, "v", "PX", "8000", NULL);
    }
    go_apart(c, 1);
    cluster_expect_reply(c, "1", 1, "PEXPIRE", "old:0", "60000", NULL);
    cluster_run(c, 4000);
    go_together(c);
    cluster_expect(c, "old:0", "v"); /* It was in use over there. */
    cluster_check(c, count(c, "old", NULL) == KEYS - 1,
                  "an expired session is back");
}

/* Sets kind:0 ... to live for so long, or touches them. */
static void live_all(struct cluster *c, unsigned node, const char *kind,
                     const char *ms, bool touches)
{
    for (unsigned i = 0; i < KEYS; i++) {
        char key[24];
        key_of(key, kind, i);
        if (touches) {
            cluster_expect_reply(c, "1", node, "PEXPIRE", key, ms, NULL);
        } else {
            cluster_expect_reply(c, "OK", node, "SET", key, "v", "PX", ms,
                                 NULL);
        }
    }
}

/* The other side has it still, and would end it earlier. */
static void a_touch_on_either_side_counts_for_both(void **state)
{
    struct cluster *c = start(state, 2, 152, HF_POLICY_HALF);
    live_all(c, 0, "zero", "30000", false);
    live_all(c, 0, "one", "30000", false);
    go_apart(c, 1);
    live_all(c, 0, "zero", "60000", true);
    live_all(c, 1, "one", "60000", true);
    go_together(c);
    cluster_run(c, 30000);
    expect_all(c, "zero", "v");
    expect_all(c, "one", "v");
    cluster_run(c, 30000);
    expect_all(c, "zero", NULL);
    expect_all(c, "one", NULL);
}

/* Whoever logs out on either side is logged out, whatever the other did. */
static void a_logout_on_either_side_is_one_in_the_end(void **state)
{
    struct cluster *c = start(state, 2, 155, HF_POLICY_HALF);
    (void)fill(c, 0, "sess:a", "v");
    (void)fill(c, 0, "sess:b", "v");
    (void)fill(c, 0, "sess:c", "v");
    go_apart(c, 1);
    remove_all(c, 0, "sess:a");
    (void)fill(c, 1, "sess:a", "touched");
    (void)fill(c, 0, "sess:b", "touched");
    remove_all(c, 1, "sess:b");
    remove_all(c, 0, "sess:c");
    remove_all(c, 1, "sess:c");
    go_together(c);
    expect_all(c, "sess:a", NULL);
    expect_all(c, "sess:b", NULL);
    expect_all(c, "sess:c", NULL);
    cluster_check(c, conflicts(c) >= 2 * KEYS, "conflicts are not counted");
    cluster_expect_reply(c, "(nil)", 1, "SET", "sess:a:0", "late", NULL);
    cluster_expect_reply(c, "(nil)", 0, "SET", "sess:b:0", "late", NULL);
}

static bool is_merging(struct cluster *c, void *user)
{
    (void)user;
    for (unsigned i = 0; i < c->options.node_count; i++) {
        const struct process *process = &c->processes[i];
        if (process->running && process->node->state == HF_STATE_MERGING) {
            struct hf_node_status status;
            hf_node_get_status(process->node, &status);
            return status.merge_done > 40;
        }
    }
    return false;
}

static struct cluster *start_merging(void **state, unsigned nodes,
                                     unsigned side, uint64_t seed)
{
    struct cluster *c = start(state, nodes, seed, HF_POLICY_HALF);
    fill_before(c);
    go_apart(c, side);
    change(c, 0, 0);
    change(c, 1, 1);
    cluster_heal(c);
    cluster_check(c, cluster_wait(c, WAIT_MS, is_merging, NULL),
                  "nobody hands over");
    return c;
}

/* And each writes on before they meet again. */
static void a_cut_in_the_midst_of_merging_loses_nothing(void **state)
{
    for (uint64_t seed = 160; seed < 163; seed++) {
        struct cluster *c = start_merging(state, 2, 1, seed);
        go_apart(c, 1);
        cluster_check(c, fill(c, 0, "changed0", "again") == 0, "refused");
        cluster_check(c, fill(c, 1, "only:1", "again") == 0, "refused");
        go_together(c);
        expect_all(c, "old", "old");
        expect_all(c, "gone0", NULL);
        expect_all(c, "gone1", NULL);
        expect_all(c, "changed0", "again");
        expect_all(c, "changed1", "one");
        expect_all(c, "only:0", "zero");
        expect_all(c, "only:1", "again");
    }
}

/* One of each pair dies; its sessions have a copy on the other. */
static void nodes_may_die_while_they_merge(void **state)
{
    for (unsigned dead = 0; dead < 4; dead++) {
        struct cluster_options options;
        cluster_options_init(&options, 170 + dead);
        options.node_count = 4;
        options.backups = 2;
        struct cluster *c = story_start_with(state, &options);
        fill_before(c);
        go_apart(c, 0x5);
        change(c, 0, 0);
        change(c, 1, 1);
        cluster_heal(c);
        cluster_check(c, cluster_wait(c, WAIT_MS, is_merging, NULL),
                      "nobody hands over");
        cluster_kill(c, dead);
        cluster_run(c, 3000);
        cluster_boot(c, dead);
        go_together(c);
        expect_all(c, "old", "old");
        expect_all(c, "changed0", "zero");
        expect_all(c, "changed1", "one");
        expect_all(c, "only:0", "zero");
        expect_all(c, "only:1", "one");
    }
}

static void a_side_may_restart_before_they_meet(void **state)
{
    struct cluster *c = start(state, 2, 180, HF_POLICY_HALF);
    fill_before(c);
    go_apart(c, 1);
    change(c, 0, 0);
    cluster_restart(c, 1); /* It had all that is old, and nothing now. */
    cluster_run(c, FORKED_MS);
    go_together(c);
    expect_all(c, "old", "old");
    expect_all(c, "changed0", "zero");
}

/* Both sides fill what the other never had, and delete what it has. */
static void a_takeover_is_refused_where_there_is_no_need(void **state)
{
    struct cluster *c = start(state, 3, 190, HF_POLICY_HALF);
    for (unsigned i = 0; i < 3; i++) {
        cluster_check(c, hf_node_takeover(c->processes[i].node) != NULL,
                      "a node that serves is taken over");
    }
    cluster_settle_and_check(c);
}

/* Two of three are gone for all we know. What only they had is lost then; what
 * the one has is served, and merged when they come back. */
static void a_takeover_brings_a_minority_back(void **state)
{
    struct cluster *c = start(state, 3, 191, HF_POLICY_HALF);
    fill_before(c);
    c->invariants.two_sides = true;
    split(c, 1);
    cluster_run(c, STOPPED_MS);
    expect_stopped(c, 0);
    cluster_check(c, hf_node_takeover(c->processes[0].node) == NULL,
                  "a takeover is refused");
    cluster_run(c, STOPPED_MS);
    cluster_check(c, fill(c, 0, "only:0", "zero") == 0,
                  "it does not serve everything");
    const struct hf_node_counters *counters =
        hf_node_get_counters(c->processes[0].node);
    cluster_check(c, counters->partitions_lost > 0, "a loss is not counted");
    go_together(c);
    expect_all(c, "old", "old"); /* They were not dead. */
    expect_all(c, "only:0", "zero");
}

/* A takeover counted the two others as dead, and what only they had started
 * empty. They had merely lost each other as well, and did not go on: what they
 * bring back has to be taken, though they only follow. */
static void who_follows_a_takeover_brings_back_what_it_lacked(void **state)
{
    struct cluster *c = start(state, 3, 192, HF_POLICY_MAJORITY);
    fill_before(c);
    c->invariants.two_sides = true;
    split(c, 4);
    cluster_cut(c, 0, 1);
    cluster_run(c, STOPPED_MS);
    cluster_check(c, hf_node_takeover(c->processes[2].node) == NULL,
                  "a takeover is refused");
    cluster_run(c, STOPPED_MS);
    cluster_check(c, fill(c, 2, "only:0", "zero") == 0,
                  "it does not serve everything");
    cluster_check(c, fill(c, 2, "changed0", "zero") == 0,
                  "it does not serve everything");
    go_together(c);
    expect_all(c, "old", "old");
    expect_all(c, "only:0", "zero");
    expect_all(c, "changed0", "zero");
}

/* Whoever went on keeps a place for members that have the only copies of some
 * sessions. When these members are gone for good, only the operator knows. */
static void a_takeover_gives_up(void **state, unsigned nodes, unsigned side,
                                unsigned asked, uint64_t seed)
{
    struct cluster *c = start(state, nodes, seed, HF_POLICY_AVAILABLE);
    fill_before(c);
    go_apart(c, side);
    unsigned refused = fill(c, asked, "changed0", "zero");
    cluster_check(c, refused > 0 && refused < KEYS,
                  "some sessions, and not all, are unavailable");
    struct hf_node_status status;
    hf_node_get_status(c->processes[asked].node, &status);
    cluster_check(c, status.serving && status.partitions_unavailable > 0,
                  "the status does not say so");
    cluster_check(c, hf_node_takeover(c->processes[asked].node) == NULL,
                  "a takeover is refused");
    cluster_run(c, STOPPED_MS);
    cluster_check(c, fill(c, asked, "changed0", "zero") == 0,
                  "it does not serve everything");
    hf_node_get_status(c->processes[asked].node, &status);
    cluster_check(c, status.partitions_unavailable == 0, "nor does it say so");
    cluster_check(c, status.partitions_lost > 0, "a loss is not counted");
    cluster_check(c, hf_node_takeover(c->processes[asked].node) != NULL,
                  "a second takeover has no reason");
    go_together(c);
    expect_all(c, "old", "old"); /* They were not dead. */
    expect_all(c, "changed0", "zero");
}

static void a_takeover_gives_up_what_is_unavailable(void **state)
{
    for (uint64_t seed = 193; seed < 199; seed++) {
        a_takeover_gives_up(state, 3, 0x1, 0, seed);  /* In a fork, */
        a_takeover_gives_up(state, 5, 0x18, 0, seed); /* and in a majority. */
    }
}

/* The link is whole again only until @witness has seen that @dead is. */
static void see_dead(struct cluster *c, unsigned dead, unsigned witness)
{
    cluster_kill(c, dead);
    network_cut(&c->network, dead, witness, false);
    network_cut(&c->network, witness, dead, false);
    cluster_run(c, 2000);
    cluster_cut(c, dead, witness);
}

/* The third goes on as a fork. One after the other of the two others dies, and
 * between them the first comes back and is filled: all is there, but what the
 * fork knows of who has it is that they are dead. */
static void what_the_dead_passed_on_is_unavailable_not_absent(void **state)
{
    struct cluster *c = start(state, 3, 200, HF_POLICY_AVAILABLE);
    fill_before(c);
    go_apart(c, 0x4);
    see_dead(c, 0, 2);
    cluster_boot(c, 0);
    cluster_run(c, FORKED_MS);
    see_dead(c, 1, 2);
    unsigned refused = 0;
    for (unsigned i = 0; i < KEYS; i++) {
        char key[24];
        key_of(key, "old", i);
        const char *answer = cluster_command(c, 2, "GET", key, NULL);
        cluster_check(c, strcmp(answer, "(nil)") != 0,
                      "what others have passes for lost");
        refused += strstr(answer, "CLUSTERDOWN") != NULL ? 1 : 0;
    }
    cluster_check(c, refused > 0 && refused < KEYS,
                  "some sessions, and not all, are unavailable");
    cluster_boot(c, 1);
    go_together(c);
    expect_all(c, "old", "old");
}

static hf_epoch epoch_of(struct cluster *c, unsigned node)
{
    return c->processes[node].node->view->epoch;
}

/* Not a step longer than until @node enters another view. */
static bool enters(struct cluster *c, unsigned node)
{
    hf_epoch before = epoch_of(c, node);
    int64_t until_us = cluster_now_us(c) + WAIT_MS * 1000;
    while (epoch_of(c, node) == before && cluster_step(c, until_us)) {
    }
    return epoch_of(c, node) != before;
}

/* Three of six decide to go on, but only the first of them hears that it was
 * decided before it is cut off, and alone it may not go on. The other half
 * does, as a fork, and the two follow that. When they meet all give way to the
 * first: it has to go on with nobody of its view, for they left that for good.
 */
static void who_all_give_way_to_goes_on_alone(void **state)
{
    struct cluster *c = start(state, 6, 210, HF_POLICY_HALF);
    unsigned by_rank[6];
    for (uint8_t i = 0; i < 6; i++) {
        by_rank[i] = cluster_node_of(c, cluster_view(c), i);
    }
    unsigned first = 1U << by_rank[0];
    unsigned two = 1U << by_rank[1] | 1U << by_rank[2];
    fill_before(c);
    hf_epoch before = epoch_of(c, by_rank[0]);
    split(c, first | two);
    cluster_check(c, enters(c, by_rank[0]), "half with the first go on");
    cluster_check(c,
                  epoch_of(c, by_rank[1]) == before &&
                      epoch_of(c, by_rank[2]) == before,
                  "the first is the first to know");
    split(c, first);
    go_apart(c, first | two);
    cluster_check(c, c->processes[by_rank[3]].node->counters.forks == 1,
                  "the other half goes on as a fork");
    cluster_heal(c);
    go_apart(c, first);
    cluster_run(c, FORKED_MS);
    const struct hf_node *second = c->processes[by_rank[1]].node;
    cluster_check(c,
                  hf_lineage_of(second->view) !=
                      hf_lineage_of(c->processes[by_rank[0]].node->view),
                  "the two follow it");
    cluster_heal(c);
    cluster_settle(c, ALONE_MS);
    go_together(c);
    expect_all(c, "old", "old");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(two_nodes_go_on_apart_and_become_one_again),
        STORY(two_of_four_on_each_side_go_on),
        STORY(one_of_three_goes_on_only_when_available),
        STORY(a_hung_first_of_two_is_no_reason_to_stop),
        STORY(with_majority_the_second_of_two_waits),
        STORY(a_cut_that_heals_soon_makes_no_fork),
        STORY(three_sides_become_one_in_any_order),
        STORY(a_fork_of_a_fork_brings_back_nothing),
        STORY(what_expired_on_one_side_does_not_come_back),
        STORY(a_touch_on_either_side_counts_for_both),
        STORY(a_logout_on_either_side_is_one_in_the_end),
        STORY(a_cut_in_the_midst_of_merging_loses_nothing),
        STORY(nodes_may_die_while_they_merge),
        STORY(a_side_may_restart_before_they_meet),
        STORY(a_takeover_is_refused_where_there_is_no_need),
        STORY(a_takeover_brings_a_minority_back),
        STORY(a_takeover_gives_up_what_is_unavailable),
        STORY(who_follows_a_takeover_brings_back_what_it_lacked),
        STORY(what_the_dead_passed_on_is_unavailable_not_absent),
        STORY(who_all_give_way_to_goes_on_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
