/* unit_test.c - Several commands as one write: all of it everywhere, or none,
 * once, through whatever happens to primaries, copies and links. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/node_state.h"
#include "support/story.h"
#include "support/transaction.h"

#define A "{t}a"
#define B "{t}b"
#define SLOW_RATE 40000 /* Bytes per second. */
#define CROWD 300
#define VALUE_BYTES 2000

static const char *const set_both[] = {"SET " A " 1", "SET " B " 1", NULL};
static const char *const count_both[] = {"INCR " A, "INCR " B, "GET " A, NULL};

static void expect_exec(struct cluster *c, const char *wanted, unsigned node,
                        const char *const *lines)
{
    struct request *request = transaction_send(c, node, A, lines);
    (void)cluster_await(c, request, CLUSTER_COMMAND_MS);
    cluster_expect_answer(c, wanted, request);
    cluster_forget(request);
}

static void commands_see_those_before_them(void **state)
{
    struct cluster *c = story_start(state, 3, 1);
    static const char *const lines[] = {"SET " A " x",
                                        "GET " A,
                                        "HSET " B " f 1 g 2",
                                        "DEL " A,
                                        "EXISTS " A " " B,
                                        "HGETALL " B,
                                        "LPOP " A,
                                        NULL};
    static const char *const fails[] = {"SET " A " x", "INCR " A,
                                        "HGET " A " f", "SET " B " y", NULL};
    (void)lines;
    expect_exec(c,
                "[OK (error) ERR value is not an integer or out of range "
                "(error) WRONGTYPE Operation against a key holding the wrong "
                "kind of value OK]",
                0, fails);
    cluster_expect(c, A, "x");
    cluster_expect(c, B, "y");
    static const char *const many[] = {"MSET " A " 1 " B " 2",
                                       "MGET " A " " B " {t}c",
                                       "DEL " A " {t}c",
                                       "EXISTS " A " " B,
                                       "RENAME " B " " A,
                                       "GET " A,
                                       NULL};
    expect_exec(c, "[OK [1 2 (nil)] 1 1 OK 2]", 1, many);
    cluster_expect(c, A, "2");
    cluster_expect(c, B, NULL);
    cluster_settle_and_check(c);
}

static void a_key_of_another_partition_is_refused(void **state)
{
    struct cluster *c = story_start(state, 2, 2);
    static const char *const lines[] = {"SET " A " 1", "SET other 2", NULL};
    expect_exec(
        c, "[OK (error) CROSSSLOT Keys in request don't hash to the same slot]",
        0, lines);
    cluster_expect(c, "other", NULL);
}

/* One record: a copy has all of it or nothing, whenever the primary dies. */
static void a_unit_is_whole_on_every_copy(void **state)
{
    struct cluster *c = story_start(state, 3, 3);
    for (unsigned i = 0; i < 2; i++) {
        unsigned primary = cluster_primary_of(c, A);
        unsigned other = cluster_stranger_to(c, A);
        uint64_t writes =
            hf_node_get_counters(c->processes[primary].node)->writes;
        expect_exec(c, "[OK OK]", other, set_both);
        cluster_check(
            c,
            hf_node_get_counters(c->processes[primary].node)->writes ==
                writes + 1,
            "a unit is not one record");
        cluster_restart(c, primary);
        cluster_settle_and_check(c);
        cluster_expect(c, A, "1");
        cluster_expect(c, B, "1");
    }
}

/* Nobody sees a part of it before all copies have it, and nobody a part. */
static void readers_of_any_key_wait_for_the_unit(void **state)
{
    struct cluster *c = story_start(state, 3, 4);
    cluster_set(c, A, "old");
    unsigned primary = cluster_primary_of(c, A);
    unsigned backup = cluster_backup_of(c, A);
    static const char *const lines[] = {"DEL " A, "SET " B " new", NULL};
    cluster_clog(c, primary, backup, HF_CHANNEL_DATA);
    struct request *unit = transaction_send(c, primary, A, lines);
    cluster_run(c, 5);
    struct request *get_a = cluster_ask(c, primary, "GET", A, NULL);
    struct request *get_b = cluster_ask(c, primary, "GET", B, NULL);
    cluster_run(c, 5);
    cluster_expect_answer(c, "(waiting)", unit);
    cluster_expect_answer(c, "(waiting)", get_a);
    cluster_expect_answer(c, "(waiting)", get_b);
    cluster_unclog(c, primary, backup, HF_CHANNEL_DATA);
    cluster_run(c, 20);
    cluster_expect_answer(c, "[1 OK]", unit);
    cluster_expect_answer(c, "(nil)", get_a);
    cluster_expect_answer(c, "new", get_b);
}

/* Its answer was lost with the link: asked again it is not carried out again,
 * by the same primary or by its heir. */
static void a_unit_is_carried_out_once(void **state)
{
    struct cluster *c = story_start(state, 3, 5);
    unsigned primary = cluster_primary_of(c, A);
    unsigned other = cluster_stranger_to(c, A);
    cluster_clog(c, primary, other, HF_CHANNEL_DATA);
    struct request *unit = transaction_send(c, other, A, count_both);
    cluster_run(c, 20);
    cluster_expect_answer(c, "(waiting)", unit);
    cluster_kill(c, primary);
    (void)cluster_await(c, unit, CLUSTER_COMMAND_MS);
    cluster_expect_answer(c, "[1 1 1]", unit);
    cluster_settle_and_check(c);
    cluster_expect(c, A, "1");
    cluster_expect(c, B, "1");
}

/* While a node is filled, units have keys on both sides of where that is: of
 * those that it does not have yet it must get nothing. */
static void a_unit_on_both_sides_of_a_refill_is_whole(void **state)
{
    struct cluster_options options;
    cluster_options_init(&options, 6);
    options.node_count = 3;
    options.boot_none = true;
    struct cluster *c = story_create(state, &options);
    for (unsigned i = 0; i < 3; i++) {
        c->processes[i].config.learn_bytes_per_second = SLOW_RATE;
    }
    cluster_boot_first(c, 2);
    char value[VALUE_BYTES + 1];
    memset(value, 'v', VALUE_BYTES);
    value[VALUE_BYTES] = '\0';
    for (unsigned i = 0; i < CROWD; i++) {
        char key[32];
        (void)snprintf(key, sizeof(key), "{t}fill%u", i);
        cluster_set(c, key, value);
    }
    cluster_kill(c, 1);
    cluster_run(c, 100);
    cluster_boot(c, 2);
    unsigned whole = 0;
    for (unsigned i = 0; i < 2000 && !cluster_is_settled(c); i++) {
        char lines[4][40];
        const char *unit[5] = {lines[0], lines[1], lines[2], lines[3], NULL};
        for (unsigned k = 0; k < 2; k++) {
            unsigned number = (i * 7 + k * 151) % CROWD;
            (void)snprintf(lines[2 * k], sizeof(lines[0]),
                           "HINCRBY {t}count%u f 1", number);
            (void)snprintf(lines[2 * k + 1], sizeof(lines[0]),
                           "PEXPIRE {t}fill%u %u", number, 900000 - 10 * i);
        }
        struct request *request = transaction_send(c, 0, A, unit);
        (void)cluster_await(c, request, CLUSTER_COMMAND_MS);
        whole += strncmp(cluster_answer(request), "[", 1) == 0 ? 1 : 0;
        cluster_forget(request);
        cluster_run(c, 10);
    }
    cluster_check(c, whole > 20, "too few units came while it was filled");
    cluster_settle_and_check(c);
}

/* "SET @key", or what comes before it, and a value of LARGE_BYTES. */
#define LARGE_BYTES ((size_t)12 << 20)

static char *large_set(const char *before)
{
    size_t size = strlen(before);
    char *line = malloc(size + LARGE_BYTES + 1);
    assert_non_null(line);
    memcpy(line, before, size);
    memset(line + size, 'l', LARGE_BYTES);
    line[size + LARGE_BYTES] = '\0';
    return line;
}

static void expect_length(struct cluster *c, const char *wanted,
                          const char *key)
{
    struct request *request = cluster_ask(c, 0, "STRLEN", key, NULL);
    (void)cluster_await(c, request, CLUSTER_COMMAND_MS);
    cluster_expect_answer(c, wanted, request);
    cluster_forget(request);
}

/* What it changes and what it answers are one record, up to the bounds of
 * both. */
static void a_large_unit_is_whole_or_nothing(void **state)
{
    struct cluster *c = story_start(state, 3, 20);
    char *a = large_set("SET " A " ");
    char *b = large_set("SET " B " ");
    const char *const fits[] = {a, b, "GET " A, "GET " B, NULL};
    const char *const not_fits[] = {"SET {t}c 1", "GET " A, "GET " A, "GET " A,
                                    NULL};
    const char *const joined[] = {"SET {t}d 1", "MGET " A " " B " " A, NULL};
    struct request *request = transaction_send(c, 1, A, fits);
    (void)cluster_await(c, request, CLUSTER_COMMAND_MS);
    cluster_check(c, request->text.size > 2 * LARGE_BYTES, "not answered");
    cluster_forget(request);
    expect_length(c, "12582912", A);
    expect_exec(c, "(error) ERR the answer would be larger than 32 MiB", 2,
                not_fits);
    cluster_expect(c, "{t}c", NULL);
    expect_exec(c, "[OK (error) ERR the answer would be larger than 32 MiB]", 2,
                joined);
    cluster_expect(c, "{t}d", "1");
    free(a);
    free(b);
    cluster_settle_and_check(c);
    cluster_kill(c, cluster_primary_of(c, A));
    cluster_settle(c, CLUSTER_SETTLE_MS);
    unsigned asked = cluster_primary_of(c, A);
    request = cluster_ask(c, asked, "STRLEN", B, NULL);
    (void)cluster_await(c, request, CLUSTER_COMMAND_MS);
    cluster_expect_answer(c, "12582912", request);
    cluster_forget(request);
}

/* States of keys, as WATCH notes them. */
static void watch(struct cluster *c, unsigned node, const char *key,
                  struct transaction *transaction)
{
    struct request *request = cluster_ask(c, node, "WATCH", key, NULL);
    (void)cluster_await(c, request, CLUSTER_COMMAND_MS);
    cluster_check(c, request->kind == HF_REPLY_NESTED, "WATCH gives no array");
    struct hf_slice text = hf_buffer_slice(&request->text);
    cluster_check(c, text.size > 2, "WATCH says nothing");
    /* "[" state "]" */
    transaction_watch(transaction, key, (struct hf_slice){text.data + 1, 32});
    cluster_forget(request);
}

static void expect_watched(struct cluster *c, const char *wanted, unsigned node,
                           struct transaction *transaction)
{
    struct request *request = transaction_ask(transaction, c, node);
    (void)cluster_await(c, request, CLUSTER_COMMAND_MS);
    cluster_expect_answer(c, wanted, request);
    cluster_forget(request);
    transaction_end(transaction);
}

/* Each of these between WATCH and EXEC is a change. NULL: nothing is. */
static void what_happened_to_a_watched_key_is_seen(void **state)
{
    struct cluster *c = story_start(state, 3, 7);
    static const struct {
        const char *before; /* What is there. */
        const char *between[2];
    } cases[] = {
        {"v", {NULL}},
        {NULL, {NULL}},
        {"v", {"SET " A " v"}},
        {"v", {"DEL " A}},
        {"v", {"DEL " A, "SET " A " v"}},
        {"v", {"PEXPIRE " A " 60000"}},
        {"v", {"PEXPIRE " A " 100000", "PEXPIRE " A " 100001"}},
        {"v", {"FLUSHALL"}},
        {NULL, {"SET " A " v"}},
        {NULL, {"SET " A " v", "DEL " A}},
        {NULL, {"FLUSHALL"}},
    };
    for (size_t i = 0; i < HF_ARRAY_COUNT(cases); i++) {
        struct transaction transaction;
        transaction_begin(&transaction, A);
        transaction_add(&transaction, "SET " B " done");
        cluster_expect_reply(c, "OK", 0, "FLUSHALL", NULL);
        if (cases[i].before != NULL) {
            cluster_expect_reply(c, "OK", 0, "SET", A, cases[i].before, "PX",
                                 "100000", NULL);
        }
        watch(c, 1, A, &transaction);
        for (size_t k = 0; k < 2 && cases[i].between[k] != NULL; k++) {
            struct transaction other;
            if (strcmp(cases[i].between[k], "FLUSHALL") == 0) {
                cluster_expect_reply(c, "OK", 2, "FLUSHALL", NULL);
                continue;
            }
            transaction_begin(&other, A);
            transaction_add(&other, cases[i].between[k]);
            struct request *request = transaction_ask(&other, c, 2);
            (void)cluster_await(c, request, CLUSTER_COMMAND_MS);
            cluster_forget(request);
            transaction_end(&other);
        }
        bool same = i < 2;
        bool flushed_nothing = i == HF_ARRAY_COUNT(cases) - 1;
        (void)flushed_nothing;
        expect_watched(c, same || flushed_nothing ? "[OK]" : "(nil)", 0,
                       &transaction);
        cluster_expect(c, B, same || flushed_nothing ? "done" : NULL);
    }
}

/* A time to live that its copies need not hear of is a change, too. */
static void a_touch_of_a_watched_key_is_seen(void **state)
{
    struct cluster *c = story_start(state, 3, 8);
    struct transaction transaction;
    unsigned primary = cluster_primary_of(c, A);
    const struct hf_node_counters *counters =
        hf_node_get_counters(c->processes[primary].node);
    cluster_expect_reply(c, "OK", 0, "SET", A, "v", "PX", "100000", NULL);
    cluster_expect_reply(c, "1", 0, "PEXPIRE", A, "100000", NULL);
    transaction_begin(&transaction, A);
    transaction_add(&transaction, "SET " B " done");
    watch(c, 0, A, &transaction);
    uint64_t touches = counters->touches;
    cluster_run(c, 10);
    cluster_expect_reply(c, "1", 0, "PEXPIRE", A, "100000", NULL);
    cluster_check(c, counters->touches == touches + 1, "it was no touch");
    expect_watched(c, "(nil)", 1, &transaction);
}

/* Also when what happened is only known to a primary that has died since. */
static void no_change_of_a_watched_key_is_missed_by_an_heir(void **state)
{
    static const char *const changes[] = {"SET " A " w", "DEL " A,
                                          "PEXPIRE " A " 100000"};
    struct cluster *c = NULL;
    for (size_t i = 0; i < HF_ARRAY_COUNT(changes); i++) {
        struct transaction transaction;
        if (c != NULL) {
            story_end(state);
        }
        c = story_start(state, 3, 9 + i);
        cluster_expect_reply(c, "OK", 0, "SET", A, "v", "PX", "100000", NULL);
        cluster_expect_reply(c, "1", 0, "PEXPIRE", A, "100000", NULL);
        transaction_begin(&transaction, A);
        transaction_add(&transaction, "SET " B " done");
        watch(c, 0, A, &transaction);
        const char *const lines[] = {changes[i], NULL};
        struct request *request = transaction_send(c, 0, A, lines);
        (void)cluster_await(c, request, CLUSTER_COMMAND_MS);
        cluster_forget(request);
        cluster_kill(c, cluster_primary_of(c, A));
        cluster_settle(c, CLUSTER_SETTLE_MS);
        expect_watched(c, "(nil)", cluster_first_up(c), &transaction);
    }
}

static void an_expired_key_is_a_change_and_is_gone_for_units(void **state)
{
    struct cluster *c = story_start(state, 3, 12);
    struct transaction transaction;
    cluster_expect_reply(c, "OK", 0, "SET", A, "v", "PX", "50", NULL);
    transaction_begin(&transaction, A);
    transaction_add(&transaction, "SET " B " done");
    watch(c, 0, A, &transaction);
    cluster_run(c, 60);
    expect_watched(c, "(nil)", 1, &transaction);

    cluster_expect_reply(c, "OK", 0, "SET", A, "7", "PX", "50", NULL);
    cluster_run(c, 60);
    expect_exec(c, "[1 1 1]", 2, count_both);
    cluster_settle_and_check(c);
    cluster_expect(c, A, "1");
}

/* A unit leaves fences, and makes no session where one stands. */
static void fences_hold_inside_of_units(void **state)
{
    struct cluster_options options;
    cluster_options_init(&options, 13);
    struct cluster *c = story_start_with(state, &options);
    static const char *const login[] = {"SET sess:{f}1 v", "SET sess:{f}2 v",
                                        NULL};
    static const char *const logout[] = {
        "DEL sess:{f}1 sess:{f}2", "SET sess:{f}1 late", "GET sess:{f}1", NULL};
    static const char *const late[] = {"SET {f}other v", "SET sess:{f}2 late",
                                       NULL};
    const char *key = "sess:{f}1";
    struct request *request = transaction_send(c, 0, key, login);
    (void)cluster_await(c, request, CLUSTER_COMMAND_MS);
    cluster_expect_answer(c, "[OK OK]", request);
    cluster_forget(request);
    request = transaction_send(c, 1, key, logout);
    (void)cluster_await(c, request, CLUSTER_COMMAND_MS);
    cluster_expect_answer(c, "[2 (nil) (nil)]", request);
    cluster_forget(request);
    cluster_kill(c, cluster_primary_of(c, key));
    cluster_settle_and_check(c);
    request = transaction_send(c, cluster_first_up(c), key, late);
    (void)cluster_await(c, request, CLUSTER_COMMAND_MS);
    cluster_expect_answer(c, "[OK (nil)]", request);
    cluster_forget(request);
    cluster_expect(c, "sess:{f}2", NULL);
}

/* A copy without memory refuses it as a whole, and gets it again. */
static void a_copy_without_memory_has_nothing_of_it(void **state)
{
    struct cluster_options options;
    cluster_options_init(&options, 14);
    options.memory_fails = true;
    struct cluster *c = story_start_with(state, &options);
    unsigned primary = cluster_primary_of(c, A);
    unsigned backup = cluster_backup_of(c, A);
    expect_exec(c, "[OK OK]", primary, set_both);
    for (unsigned nth = 1; nth < 12; nth++) {
        failing_mem_fail_nth(&c->processes[backup].failing, nth);
        struct request *unit = transaction_send(c, primary, A, count_both);
        (void)cluster_await(c, unit, CLUSTER_COMMAND_MS);
        cluster_forget(unit);
        failing_mem_fail_nth(&c->processes[backup].failing, 0);
    }
    cluster_settle_and_check(c);
    cluster_expect(c, A, "12");
    cluster_expect(c, B, "12");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(commands_see_those_before_them),
        STORY(a_key_of_another_partition_is_refused),
        STORY(a_unit_is_whole_on_every_copy),
        STORY(readers_of_any_key_wait_for_the_unit),
        STORY(a_unit_is_carried_out_once),
        STORY(a_unit_on_both_sides_of_a_refill_is_whole),
        STORY(a_large_unit_is_whole_or_nothing),
        STORY(what_happened_to_a_watched_key_is_seen),
        STORY(a_touch_of_a_watched_key_is_seen),
        STORY(no_change_of_a_watched_key_is_missed_by_an_heir),
        STORY(an_expired_key_is_a_change_and_is_gone_for_units),
        STORY(fences_hold_inside_of_units),
        STORY(a_copy_without_memory_has_nothing_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
