/* transfer_test.c - RENAME and its like with keys of different partitions: a
 * session is never lost, whoever dies, and is there twice at worst. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/node_state.h"
#include "core/placement.h"
#include "support/story.h"

#define OLD "old"
#define STEPS 14 /* A RENAME has ended after so many turns, of 1 ms. */

static uint16_t partition_of(const char *key)
{
    return hf_partition_of_key(hf_slice_text(key));
}

/* A key of another partition than OLD, with this primary. */
static const char *key_at(const struct cluster *c, unsigned primary)
{
    static char key[32];
    for (unsigned i = 0;; i++) {
        (void)snprintf(key, sizeof(key), "new:%u", i);
        if (cluster_primary_of(c, key) == primary &&
            partition_of(key) != partition_of(OLD)) {
            return key;
        }
    }
}

static void expect(struct cluster *c, const char *wanted,
                   struct request *request)
{
    (void)cluster_await(c, request, CLUSTER_COMMAND_MS);
    cluster_expect_answer(c, wanted, request);
    cluster_forget(request);
}

static void every_answer_is_that_of_redis(void **state)
{
    struct cluster *c = story_start(state, 3, 1);
    for (unsigned i = 0; i < 3; i++) {
        const char *key = key_at(c, (cluster_primary_of(c, OLD) + 1) % 3);
        expect(c, "(error) ERR no such key",
               cluster_ask(c, i, "RENAME", OLD, key, NULL));
        expect(c, "(error) ERR no such key",
               cluster_ask(c, i, "RENAMENX", OLD, key, NULL));
        expect(c, "0", cluster_ask(c, i, "COPY", OLD, key, NULL));
        cluster_set(c, OLD, "1");
        expect(c, "OK", cluster_ask(c, i, "RENAME", OLD, key, NULL));
        cluster_expect(c, OLD, NULL);
        cluster_expect(c, key, "1");
        cluster_set(c, OLD, "2");
        expect(c, "0", cluster_ask(c, i, "RENAMENX", OLD, key, NULL));
        expect(c, "0", cluster_ask(c, i, "COPY", OLD, key, NULL));
        cluster_expect(c, key, "1");
        expect(c, "1", cluster_ask(c, i, "COPY", OLD, key, "REPLACE", NULL));
        cluster_expect(c, key, "2");
        cluster_expect(c, OLD, "2");
        expect(c, "1", cluster_ask(c, i, "DEL", key, NULL));
        expect(c, "1", cluster_ask(c, i, "RENAMENX", OLD, key, NULL));
        expect(c, "0", cluster_ask(c, i, "MSETNX", OLD, "3", key, "3", NULL));
        cluster_expect(c, OLD, NULL);
        expect(c, "1", cluster_ask(c, i, "DEL", key, NULL));
        expect(c, "1", cluster_ask(c, i, "MSETNX", OLD, "4", key, "5", NULL));
        cluster_expect(c, OLD, "4");
        cluster_expect(c, key, "5");
        expect(c, "2", cluster_ask(c, i, "DEL", OLD, key, NULL));
    }
    cluster_settle_and_check(c);
}

static void every_type_goes_with_its_time_to_live(void **state)
{
    struct cluster *c = story_start(state, 3, 2);
    const char *key = key_at(c, (cluster_primary_of(c, OLD) + 1) % 3);
    expect(c, "2", cluster_ask(c, 0, "HSET", OLD, "a", "1", "b", "2", NULL));
    expect(c, "1", cluster_ask(c, 0, "PEXPIRE", OLD, "90000", NULL));
    expect(c, "OK", cluster_ask(c, 1, "RENAME", OLD, key, NULL));
    expect(c, "[a 1 b 2]", cluster_ask(c, 2, "HGETALL", key, NULL));
    struct request *ttl = cluster_ask(c, 2, "PTTL", key, NULL);
    (void)cluster_await(c, ttl, CLUSTER_COMMAND_MS);
    long left = strtol(cluster_answer(ttl), NULL, 10);
    cluster_check(c, left > 89000 && left <= 90000, "another time to live");
    cluster_forget(ttl);
    expect(c, "2", cluster_ask(c, 0, "RPUSH", OLD, "x", "y", NULL));
    expect(c, "OK", cluster_ask(c, 1, "RENAME", OLD, key, NULL));
    expect(c, "[x y]", cluster_ask(c, 2, "LRANGE", key, "0", "-1", NULL));
    expect(c, "-1", cluster_ask(c, 2, "PTTL", key, NULL));
    expect(c, "1", cluster_ask(c, 0, "SADD", OLD, "m", NULL));
    expect(c, "OK", cluster_ask(c, 1, "RENAME", OLD, key, NULL));
    expect(c, "[m]", cluster_ask(c, 2, "SMEMBERS", key, NULL));
    expect(c, "1", cluster_ask(c, 0, "ZADD", OLD, "1.5", "z", NULL));
    expect(c, "OK", cluster_ask(c, 1, "RENAME", OLD, key, NULL));
    expect(c, "1.5", cluster_ask(c, 2, "ZSCORE", key, "z", NULL));
    cluster_expect(c, OLD, NULL);
    cluster_settle_and_check(c);
}

/* Whether @key holds "v"; anything else but nothing is wrong. */
static bool holds(struct cluster *c, const char *key)
{
    struct request *get =
        cluster_ask(c, cluster_primary_of(c, key), "GET", key, NULL);
    (void)cluster_await(c, get, CLUSTER_COMMAND_MS);
    bool there = strcmp(cluster_answer(get), "v") == 0;
    cluster_check(c, there || strcmp(cluster_answer(get), "(nil)") == 0,
                  "a session is not what it was");
    cluster_forget(get);
    return there;
}

/* The node of each role dies after each number of turns. */
static void one_is_left(void **state, int role)
{
    for (unsigned step = 0; step < STEPS; step++) {
        struct cluster *c = story_start(state, 3, 100 + step);
        unsigned source = cluster_primary_of(c, OLD);
        unsigned destination = (source + 1) % 3;
        unsigned asked = 3 - source - destination;
        unsigned victims[] = {source, destination, asked};
        const char *key = key_at(c, destination);
        cluster_set(c, OLD, "v");
        struct request *rename =
            cluster_ask(c, asked, "RENAME", OLD, key, NULL);
        cluster_run(c, step);
        cluster_kill(c, victims[role]);
        if (role < 2) {
            (void)cluster_await(c, rename, CLUSTER_COMMAND_MS);
            cluster_expect_answer(c, "OK", rename);
        }
        cluster_settle_and_check(c);
        bool at_old = holds(c, OLD);
        bool at_new = holds(c, key);
        cluster_check(c, at_old || at_new, "a session was lost");
        cluster_check(c, role == 2 || !at_old, "it is there twice");
        cluster_forget(rename);
        story_end(state);
    }
}

static void the_primary_of_the_old_key_dies(void **state)
{
    one_is_left(state, 0);
}

static void the_primary_of_the_new_key_dies(void **state)
{
    one_is_left(state, 1);
}

static void the_node_that_was_asked_dies(void **state)
{
    one_is_left(state, 2);
}

/* A command on OLD and @key, asked at the third node, that has read OLD and
 * cannot reach the primary of @key yet. */
static struct request *begin(struct cluster *c, const char *name,
                             const char **key)
{
    unsigned source = cluster_primary_of(c, OLD);
    unsigned destination = (source + 1) % 3;
    unsigned asked = 3 - source - destination;
    *key = key_at(c, destination);
    cluster_clog(c, asked, destination, HF_CHANNEL_DATA);
    struct request *request = cluster_ask(c, asked, name, OLD, *key, NULL);
    cluster_run(c, 20);
    cluster_expect_answer(c, "(waiting)", request);
    return request;
}

static void go_on(struct cluster *c, const char *key)
{
    unsigned destination = cluster_primary_of(c, key);
    unsigned source = cluster_primary_of(c, OLD);
    cluster_unclog(c, 3 - source - destination, destination, HF_CHANNEL_DATA);
}

/* What is written while it is renamed goes with it. */
static void a_change_meanwhile_is_not_lost(void **state)
{
    static const char *const names[] = {"RENAME", "RENAMENX"};
    static const char *const answers[] = {"OK", "1"};
    for (unsigned i = 0; i < 2; i++) {
        struct cluster *c = story_start(state, 3, 200 + i);
        const char *key;
        cluster_set(c, OLD, "v");
        struct request *rename = begin(c, names[i], &key);
        expect(c, "2",
               cluster_ask(c, cluster_primary_of(c, OLD), "APPEND", OLD, "w",
                           NULL));
        go_on(c, key);
        expect(c, answers[i], rename);
        cluster_expect(c, key, "vw");
        cluster_expect(c, OLD, NULL);
        cluster_settle_and_check(c);
        story_end(state);
    }
}

/* Who logs out meanwhile is logged out, under both keys. */
static void a_logout_meanwhile_counts(void **state)
{
    struct cluster *c = story_start(state, 3, 300);
    const char *key;
    cluster_set(c, OLD, "v");
    struct request *rename = begin(c, "RENAME", &key);
    expect(c, "1",
           cluster_ask(c, cluster_primary_of(c, OLD), "DEL", OLD, NULL));
    go_on(c, key);
    expect(c, "(error) ERR no such key", rename);
    cluster_expect(c, OLD, NULL);
    cluster_expect(c, key, NULL);
    cluster_settle_and_check(c);
}

/* A session of each type, with a time to live, and what there is of it. */
static void put_before(struct cluster *c, const char *key, unsigned type)
{
    if (type == 0) {
        cluster_set(c, key, "before");
    } else {
        expect(c, "2",
               cluster_ask(c, 0, "ZADD", key, "1", "a", "2", "b", NULL));
    }
    expect(c, "1", cluster_ask(c, 0, "PEXPIRE", key, "90000", NULL));
}

static void expect_before(struct cluster *c, const char *key, unsigned type)
{
    if (type == 0) {
        cluster_expect(c, key, "before");
    } else {
        expect(c, "[[a 1] [b 2]]",
               cluster_ask(c, 0, "ZRANGE", key, "0", "-1", "WITHSCORES", NULL));
    }
    struct request *left = cluster_ask(c, 0, "PTTL", key, NULL);
    (void)cluster_await(c, left, CLUSTER_COMMAND_MS);
    long ms = strtol(cluster_answer(left), NULL, 10);
    assert_in_range(ms, 50000, 90000);
    cluster_forget(left);
}

/* Nothing was renamed, so nothing was replaced. */
static void what_was_under_the_new_key_comes_back(void **state)
{
    for (unsigned type = 0; type < 2; type++) {
        struct cluster *c = story_start(state, 3, 310 + type);
        const char *key = key_at(c, (cluster_primary_of(c, OLD) + 1) % 3);
        put_before(c, key, type);
        cluster_set(c, OLD, "v");
        struct request *rename = begin(c, "RENAME", &key);
        expect(c, "1",
               cluster_ask(c, cluster_primary_of(c, OLD), "DEL", OLD, NULL));
        go_on(c, key);
        expect(c, "(error) ERR no such key", rename);
        cluster_expect(c, OLD, NULL);
        expect_before(c, key, type);
        cluster_settle_and_check(c);
        expect_before(c, key, type); /* On all copies. */
        story_end(state);
    }
}

/* The first time it could go, the second time it is too large. */
static void what_cannot_be_read_again_leaves_all_as_it_was(void **state)
{
    enum { LARGE = 13 << 20 };
    struct cluster_options options;
    cluster_options_init(&options, 330);
    options.boot_none = true;
    struct cluster *c = story_create(state, &options);
    for (unsigned i = 0; i < 3; i++) {
        c->processes[i].config.value_bytes_max = 3 * (size_t)LARGE;
        cluster_boot(c, i);
    }
    cluster_settle(c, CLUSTER_SETTLE_MS);
    const char *key = key_at(c, (cluster_primary_of(c, OLD) + 1) % 3);
    char *large = malloc(LARGE + 1);
    assert_non_null(large);
    memset(large, 'l', LARGE);
    large[LARGE] = '\0';
    put_before(c, key, 0);
    expect(c, "1", cluster_ask(c, 0, "HSET", OLD, "f", "v", NULL));
    struct request *rename = begin(c, "RENAME", &key);
    for (unsigned i = 0; i < 2; i++) {
        expect(c, "1",
               cluster_ask(c, cluster_primary_of(c, OLD), "HSET", OLD,
                           i == 0 ? "a" : "b", large, NULL));
    }
    free(large);
    go_on(c, key);
    expect(c,
           "(error) ERR the session is larger than 25 MiB: it cannot go to "
           "another partition",
           rename);
    expect(c, "3", cluster_ask(c, 0, "HLEN", OLD, NULL));
    expect_before(c, key, 0);
    cluster_settle_and_check(c);
}

/* Each time it is to be dropped it is another one. */
static void a_session_that_changes_all_the_time_stays(void **state)
{
    for (unsigned type = 0; type < 3; type++) {
        struct cluster *c = story_start(state, 3, 320 + type);
        unsigned source = cluster_primary_of(c, OLD);
        const char *key = key_at(c, (source + 1) % 3);
        if (type < 2) {
            put_before(c, key, type);
        }
        cluster_set(c, OLD, "1");
        struct request *rename =
            cluster_ask(c, (source + 2) % 3, "RENAME", OLD, key, NULL);
        unsigned changes = 1;
        for (; strcmp(cluster_answer(rename), "(waiting)") == 0; changes++) {
            cluster_check(c, changes < 2000, "it goes on for ever");
            cluster_forget(cluster_ask(c, source, "INCR", OLD, NULL));
            cluster_run(c, 1);
        }
        cluster_expect_answer(c,
                              "(error) ERR the session changed again and again "
                              "while it was renamed; nothing was renamed",
                              rename);
        cluster_forget(rename);
        char value[16];
        (void)snprintf(value, sizeof(value), "%u", changes);
        cluster_expect(c, OLD, value);
        if (type < 2) {
            expect_before(c, key, type);
        } else {
            cluster_expect(c, key, NULL);
        }
        cluster_settle_and_check(c);
        story_end(state);
    }
}

/* Nobody comes back under a key that was logged out, and the old key of a
 * session is as one that was deleted. */
static void fences_hold_on_both_sides(void **state)
{
    struct cluster_options options;
    cluster_options_init(&options, 400);
    options.node_count = 3;
    options.boot_none = true;
    struct cluster *c = story_create(state, &options);
    for (unsigned i = 0; i < 3; i++) {
        struct hf_fence_rules *fences = &c->processes[i].config.fences;
        assert_true(hf_fence_rules_add(fences, HF_SLICE_LITERAL("old")));
        assert_true(hf_fence_rules_add(fences, HF_SLICE_LITERAL("new:")));
        cluster_boot(c, i);
    }
    cluster_settle(c, CLUSTER_SETTLE_MS);
    const char *key = key_at(c, (cluster_primary_of(c, OLD) + 1) % 3);
    cluster_set(c, OLD, "v");
    cluster_set(c, key, "gone");
    expect(c, "1", cluster_ask(c, 0, "DEL", key, NULL));
    static const char *const names[] = {"RENAME", "RENAMENX", "COPY"};
    for (unsigned i = 0; i < 3; i++) {
        expect(c, "(error) ERR the session was deleted",
               cluster_ask(c, i, names[i], OLD, key, NULL));
        cluster_expect(c, OLD, "v");
        cluster_expect(c, key, NULL);
    }
    expect(c, "0", cluster_ask(c, 0, "MSETNX", "other", "1", key, "1", NULL));
    expect(c, "OK", cluster_ask(c, 1, "RENAME", OLD, "xyz", NULL));
    expect(c, "(nil)", cluster_ask(c, 2, "SET", OLD, "back", NULL));
    cluster_expect(c, OLD, NULL);
    cluster_expect(c, "xyz", "v");
    cluster_settle_and_check(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(every_answer_is_that_of_redis),
        STORY(every_type_goes_with_its_time_to_live),
        STORY(the_primary_of_the_old_key_dies),
        STORY(the_primary_of_the_new_key_dies),
        STORY(the_node_that_was_asked_dies),
        STORY(a_change_meanwhile_is_not_lost),
        STORY(a_logout_meanwhile_counts),
        STORY(what_was_under_the_new_key_comes_back),
        STORY(what_cannot_be_read_again_leaves_all_as_it_was),
        STORY(a_session_that_changes_all_the_time_stays),
        STORY(fences_hold_on_both_sides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
