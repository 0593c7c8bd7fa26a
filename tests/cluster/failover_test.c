/* Nodes die, hang and are cut off; sessions stay. */
#include <stdio.h>
#include <string.h>

#include "support/story.h"

#define GAP_MS 100   /* Of a kill, in a network without load. */
#define HANG_MS 3000 /* Until a stopped node is replaced. */
#define HOLD_MS 400  /* The default. */
#define KEYS 40

static bool starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

/* The primary answers OK, then dies before anyone else reads the session. The
 * OK promised a backup copy, so the backup must now serve it; and a command
 * that arrives meanwhile is held, not refused. */
static void the_backup_serves_after_the_primary_dies(void **state)
{
    struct cluster *c = story_start(state, 3, 1);
    cluster_set(c, "cart:7", "2 apples");
    unsigned primary = cluster_primary_of(c, "cart:7");
    unsigned backup = cluster_backup_of(c, "cart:7");
    unsigned third = cluster_stranger_to(c, "cart:7");

    cluster_kill(c, primary);
    struct request *near = cluster_ask(c, backup, "GET", "cart:7", NULL);
    struct request *far = cluster_ask(c, third, "GET", "cart:7", NULL);
    cluster_run(c, GAP_MS);
    cluster_expect_answer(c, "2 apples", near);
    cluster_expect_answer(c, "2 apples", far);
    cluster_check(c, cluster_primary_of(c, "cart:7") == backup,
                  "the heir is not the first backup");

    cluster_settle_and_check(c);
    cluster_expect(c, "cart:7", "2 apples");
}

/* Everything that clients of the survivors ask in the gap is answered. */
static void commands_in_the_gap_are_held_and_answered(void **state)
{
    struct cluster *c = story_start(state, 3, 2);
    story_fill(c, KEYS);
    cluster_kill(c, 1);
    struct request *requests[2 * KEYS];
    for (unsigned i = 0; i < KEYS; i++) {
        char key[16];
        (void)snprintf(key, sizeof(key), "fill:%u", i);
        requests[2 * i] = cluster_ask(c, 0, "APPEND", key, "", NULL);
        requests[2 * i + 1] = cluster_ask(c, 2, "SET", key, "new", NULL);
        cluster_run(c, 1);
    }
    cluster_run(c, GAP_MS);
    for (unsigned i = 0; i < KEYS; i++) {
        cluster_check(c, requests[2 * i]->kind == HF_REPLY_INTEGER,
                      "a command in the gap was not answered");
        cluster_expect_answer(c, "OK", requests[2 * i + 1]);
    }
    cluster_settle_and_check(c);
}

/* Nobody can serve: say so after the hold, and never that there is no such
 * session, which a client would take for a logout. */
static void past_the_hold_the_answer_is_clusterdown_and_never_nil(void **state)
{
    struct cluster *c = story_start(state, 3, 3);
    story_fill(c, KEYS);
    cluster_isolate(c, 0);
    cluster_run(c, 1500); /* Any lease is over. */
    for (unsigned i = 0; i < KEYS; i++) {
        char key[16];
        (void)snprintf(key, sizeof(key), "fill:%u", i);
        int64_t asked_us = cluster_now_us(c);
        struct request *get = cluster_ask(c, 0, "GET", key, NULL);
        struct request *set = cluster_ask(c, 0, "SET", key, "bad", NULL);
        cluster_run(c, HOLD_MS / 2);
        cluster_expect_answer(c, "(waiting)", get);
        cluster_run(c, HOLD_MS);
        cluster_check(c,
                      starts_with(cluster_answer(get), "(error) CLUSTERDOWN "),
                      "no CLUSTERDOWN for a read");
        cluster_check(c,
                      starts_with(cluster_answer(set), "(error) CLUSTERDOWN "),
                      "no CLUSTERDOWN for a write");
        cluster_check(c, get->ended_us - asked_us <= 500000, "held too long");
    }
}

/* The two others go on without the one that was cut off; when it is back, it
 * has what they have. */
static void the_majority_goes_on_and_the_rest_comes_back(void **state)
{
    struct cluster *c = story_start(state, 3, 4);
    story_fill(c, KEYS);
    cluster_isolate(c, 2);
    cluster_run(c, HANG_MS);
    for (unsigned i = 0; i < KEYS; i++) {
        char key[16];
        (void)snprintf(key, sizeof(key), "fill:%u", i);
        cluster_expect_reply(c, "OK", i % 2, "SET", key, "after", NULL);
    }
    cluster_heal(c);
    cluster_settle_and_check(c);
    for (unsigned i = 0; i < KEYS; i++) {
        char key[16];
        (void)snprintf(key, sizeof(key), "fill:%u", i);
        cluster_expect(c, key, "after");
    }
}

/* One link of three fails, one way. Whoever goes on, nobody serves a stale
 * session, and after healing all is well. */
static void a_one_way_cut_does_no_harm(void **state)
{
    struct cluster *c = story_start(state, 3, 5);
    struct workload_options options;
    workload_options_init(&options);
    struct workload w;
    workload_start(&w, c, &options, 5);
    cluster_run(c, 500);
    cluster_cut_one_way(c, 0, 1);
    cluster_run(c, 8000);
    cluster_heal(c);
    workload_end(&w);
    workload_close(&w);
}

/* A node that hangs still has open connections. It is replaced all the same. */
static void a_node_that_hangs_is_replaced_within_three_seconds(void **state)
{
    struct cluster *c = story_start(state, 3, 6);
    cluster_set(c, "cart:7", "2 apples");
    unsigned primary = cluster_primary_of(c, "cart:7");
    unsigned third = cluster_stranger_to(c, "cart:7");
    cluster_pause(c, primary);
    cluster_run(c, HANG_MS - HOLD_MS);
    struct request *get = cluster_ask(c, third, "GET", "cart:7", NULL);
    cluster_run(c, HOLD_MS);
    cluster_expect_answer(c, "2 apples", get);
    cluster_expect_reply(c, "OK", third, "SET", "cart:7", "3 apples", NULL);

    cluster_resume(c, primary);
    cluster_settle_and_check(c);
    cluster_expect(c, "cart:7", "3 apples");
}

/* Stopped for @pause_ms while the session changes; clients had asked it before
 * and during its sleep. What it says after waking must not be old. */
static void wake_up(void **state, uint64_t seed, int64_t pause_ms)
{
    struct cluster *c = story_start(state, 3, seed);
    cluster_set(c, "cart:7", "old");
    unsigned primary = cluster_primary_of(c, "cart:7");
    unsigned third = cluster_stranger_to(c, "cart:7");
    cluster_pause(c, primary);
    struct request *early = cluster_ask(c, primary, "GET", "cart:7", NULL);
    cluster_run(c, pause_ms);
    cluster_expect_reply(c, "OK", third, "SET", "cart:7", "new", NULL);
    struct request *late = cluster_ask(c, primary, "GET", "cart:7", NULL);
    struct request *more = cluster_ask(c, primary, "GET", "cart:7", NULL);
    cluster_resume(c, primary);
    for (unsigned i = 0; i < 10; i++) {
        struct request *now = cluster_ask(c, primary, "GET", "cart:7", NULL);
        cluster_await(c, now, 2000);
        cluster_check(
            c,
            strcmp(cluster_answer(now), "new") == 0 ||
                starts_with(cluster_answer(now), "(error) CLUSTERDOWN "),
            "a node serves a stale session after its sleep");
    }
    struct request *all[] = {early, late, more};
    for (unsigned i = 0; i < HF_ARRAY_COUNT(all); i++) {
        cluster_await(c, all[i], 2000);
        const char *answer = cluster_answer(all[i]);
        bool fits = strcmp(answer, "new") == 0 ||
                    starts_with(answer, "(error) CLUSTERDOWN ") ||
                    (all[i] == early && strcmp(answer, "old") == 0);
        cluster_check(c, fits, "a queued command was answered wrongly");
    }
    cluster_settle_and_check(c);
    cluster_expect(c, "cart:7", "new");
}

static void a_node_that_wakes_up_never_serves_stale_sessions(void **state)
{
    for (uint64_t seed = 20; seed < 26; seed++) {
        wake_up(state, seed, 2600);
        wake_up(state, seed, 10000);
    }
}

/* Stops around the length at which a node is replaced, one after the other. */
static void stops_of_any_length_lose_nothing(void **state)
{
    struct cluster *c = story_start(state, 3, 7);
    struct workload_options options;
    workload_options_init(&options);
    struct workload w;
    workload_start(&w, c, &options, 7);
    for (unsigned i = 0; i < 30; i++) {
        cluster_pause(c, i % 3);
        cluster_run(c, 50 + 50 * (i % 30));
        cluster_resume(c, i % 3);
        cluster_run(c, 400);
    }
    workload_end(&w);
    workload_close(&w);
}

/* A copy lost with a node is made again elsewhere while clients write, and
 * none of what they write is lost on the way. */
static void copies_are_restored_while_writes_go_on(void **state)
{
    struct cluster *c = story_start(state, 4, 8);
    story_fill(c, 300);
    struct workload_options options;
    workload_options_init(&options);
    options.think_us_max = 2000;
    struct workload w;
    workload_start(&w, c, &options, 8);
    cluster_run(c, 500);
    cluster_kill(c, 1);
    cluster_settle(c, CLUSTER_SETTLE_MS); /* All copies are back. */
    cluster_kill(c, 3);
    cluster_settle(c, CLUSTER_SETTLE_MS);
    workload_end(&w);
    story_expect_filled(c, 300);
    workload_close(&w);
}

/* Right after a kill, @node serves all that was filled: as primary, for a read
 * is also answered by a copy, without the view that the dead one is left out
 * of. */
static void expect_served_soon(struct cluster *c, unsigned node)
{
    struct request *get = cluster_ask(c, node, "GET", "fill:0", NULL);
    struct request *sets[KEYS];
    for (unsigned i = 0; i < KEYS; i++) {
        char key[32], value[32];
        (void)snprintf(key, sizeof(key), "fill:%u", i);
        (void)snprintf(value, sizeof(value), "value %u", i);
        sets[i] = cluster_ask(c, node, "SET", key, value, NULL);
    }
    cluster_run(c, GAP_MS);
    cluster_expect_answer(c, "value 0", get);
    for (unsigned i = 0; i < KEYS; i++) {
        cluster_expect_answer(c, "OK", sets[i]);
    }
}

/* Three nodes become two, then one, whoever goes first; then they come back
 * and the one may go. */
static void kill_in_order(void **state, unsigned first, unsigned second)
{
    unsigned last = 3 - first - second;
    struct cluster *c = story_start(state, 3, 30 + 3 * first + second);
    story_fill(c, KEYS);
    cluster_kill(c, first);
    cluster_settle_and_check(c);
    story_expect_filled(c, KEYS);
    cluster_kill(c, second);
    expect_served_soon(c, last);
    cluster_settle_and_check(c);
    story_expect_filled(c, KEYS);

    cluster_restart(c, first);
    cluster_restart(c, second);
    cluster_settle_and_check(c);
    story_expect_filled(c, KEYS);
    cluster_kill(c, last);
    cluster_settle_and_check(c);
    story_expect_filled(c, KEYS);
}

static void three_become_one_in_every_order_of_kills(void **state)
{
    for (unsigned first = 0; first < 3; first++) {
        kill_in_order(state, first, (first + 1) % 3);
        kill_in_order(state, first, (first + 2) % 3);
    }
}

/* Two backups promise that two may die at once. */
static void two_of_five_die_at_once(void **state)
{
    struct cluster_options options;
    cluster_options_init(&options, 9);
    options.node_count = 5;
    options.backups = 2;
    struct cluster *c = story_start_with(state, &options);
    story_fill(c, KEYS);
    cluster_kill(c, 0);
    cluster_kill(c, 3);
    struct request *get = cluster_ask(c, 1, "GET", "fill:0", NULL);
    cluster_run(c, 2 * GAP_MS);
    cluster_expect_answer(c, "value 0", get);
    cluster_settle_and_check(c);
    story_expect_filled(c, KEYS);
}

/* Two nodes, either of which may be the one of lower rank. */
static void one_of_two_dies(void **state)
{
    for (unsigned victim = 0; victim < 2; victim++) {
        struct cluster *c = story_start(state, 2, 10 + victim);
        story_fill(c, KEYS);
        cluster_kill(c, victim);
        expect_served_soon(c, 1 - victim);
        story_expect_filled(c, KEYS);
    }
}

/* Kills under load: what was acknowledged stays, nobody is refused who did not
 * ask the dead node, and nobody waits long. */
static void kills_under_load_are_hardly_noticed(void **state)
{
    struct cluster *c = story_start(state, 5, 12);
    struct workload_options options;
    workload_options_init(&options);
    options.clients = 9;
    options.think_us_max = 1000;
    struct workload w;
    workload_start(&w, c, &options, 12);
    for (unsigned i = 0; i < 3; i++) {
        cluster_run(c, 300);
        cluster_kill(c, (2 * i + 1) % 5);
        cluster_settle(c, CLUSTER_SETTLE_MS);
    }
    workload_end(&w);
    cluster_check(c, w.down == 0, "a client of a survivor was refused");
    cluster_check(c, w.wait_us_max < GAP_MS * SCHEDULE_US_PER_MS,
                  "a client waited too long");
    workload_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(the_backup_serves_after_the_primary_dies),
        STORY(commands_in_the_gap_are_held_and_answered),
        STORY(past_the_hold_the_answer_is_clusterdown_and_never_nil),
        STORY(the_majority_goes_on_and_the_rest_comes_back),
        STORY(a_one_way_cut_does_no_harm),
        STORY(a_node_that_hangs_is_replaced_within_three_seconds),
        STORY(a_node_that_wakes_up_never_serves_stale_sessions),
        STORY(stops_of_any_length_lose_nothing),
        STORY(copies_are_restored_while_writes_go_on),
        STORY(three_become_one_in_every_order_of_kills),
        STORY(two_of_five_die_at_once),
        STORY(one_of_two_dies),
        STORY(kills_under_load_are_hardly_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
