/* expiry_clocks_test.c - Clocks that are wrong, jump, or run at different
 * speeds, and what that may do to the end of a session: nothing, but for
 * deadlines that are given as a date. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/story.h"

#define DAY_MS (INT64_C(24) * 3600 * 1000)
#define WALL_MS INT64_C(1700000000000)

static void set_wall(struct cluster *c, unsigned node, int64_t wall_ms)
{
    c->processes[node].clock.wall_ms = wall_ms;
}

/* The third day of one node is the first of another. */
static struct cluster *start_apart(void **state, uint64_t seed)
{
    struct cluster_options options;
    cluster_options_init(&options, seed);
    options.boot_none = true;
    struct cluster *c = story_create(state, &options);
    for (unsigned i = 0; i < 3; i++) {
        set_wall(c, i, WALL_MS + ((int64_t)i - 1) * 3 * DAY_MS);
        cluster_boot(c, i);
    }
    cluster_settle_and_check(c);
    return c;
}

static int64_t left_ms(struct cluster *c, unsigned node, const char *key)
{
    return strtoll(cluster_command(c, node, "PTTL", key, NULL), NULL, 10);
}

static bool is_about(int64_t value, int64_t wanted)
{
    return value > wanted - 100 && value < wanted + 100;
}

static void wall_clocks_may_differ_and_jump(void **state)
{
    struct cluster *c = start_apart(state, 31);
    char keys[3][16];
    for (unsigned i = 0; i < 3; i++) {
        cluster_key_on(c, i, keys[i]);
        cluster_expect_reply(c, "OK", (i + 1) % 3, "SET", keys[i], "x", "PX",
                             "3000", NULL);
    }
    int64_t set_us = cluster_now_us(c);
    for (unsigned round = 0; round < 20; round++) {
        for (unsigned i = 0; i < 3; i++) { /* Days ahead, and back. */
            set_wall(c, i, WALL_MS + (((int64_t)round + i) % 5 - 2) * DAY_MS);
        }
        cluster_run(c, 100);
        for (unsigned i = 0; i < 3 && round < 19; i++) {
            cluster_expect(c, keys[i], "x");
        }
        if (round == 10) { /* Its heir has yet another clock. */
            cluster_kill(c, 1);
        }
    }
    cluster_run(c, 3000 - (cluster_now_us(c) - set_us) / 1000 + 50);
    for (unsigned i = 0; i < 3; i++) {
        cluster_expect(c, keys[i], NULL);
    }
    cluster_settle_and_check(c);
}

/* The primary reads a date by its own clock, once. From then on only the time
 * left counts, whatever happens to that clock, and on every heir. */
static void a_date_becomes_time_left_once_at_the_primary(void **state)
{
    struct cluster *c = start_apart(state, 32);
    char key[16], date[32];
    cluster_key_on(c, 2, key); /* Three days ahead. */
    int64_t wall = process_wall_ms(&c->processes[2]);
    (void)snprintf(date, sizeof(date), "%lld", (long long)(wall + 60000));
    const char *const commands[][5] = {
        {"SET", key, "x", "PXAT", date},
        {"PEXPIREAT", key, date, NULL, NULL},
    };
    for (unsigned i = 0; i < 2; i++) {
        cluster_command(c, 0, commands[i][0], commands[i][1], commands[i][2],
                        commands[i][3], commands[i][4], NULL);
        cluster_check(c, is_about(left_ms(c, 1, key), 60000 - 60 * (int64_t)i),
                      "the primary's clock counts, not that of who is asked");
    }
    set_wall(c, 2, WALL_MS + 30 * DAY_MS);
    cluster_check(c, is_about(left_ms(c, 1, key), 60000),
                  "a jump ends nothing");
    cluster_expect(c, key, "x");
    set_wall(c, 2, WALL_MS - 30 * DAY_MS);
    cluster_check(c, is_about(left_ms(c, 1, key), 60000), "nor a jump back");
    cluster_kill(c, 2);
    cluster_settle_and_check(c);
    cluster_check(c, left_ms(c, 0, key) > 50000, "nor a failover");
    cluster_check(c, left_ms(c, 0, key) <= 60000, "which adds nothing");
    /* A date that is over by the primary's clock is over. */
    cluster_key_on(c, 0, key);
    cluster_set(c, key, "x");
    cluster_expect_reply(c, "1", 1, "EXPIREAT", key, "1000", NULL);
    cluster_expect(c, key, NULL);
}

/* What readers saw of sessions that end at about the same time. */
struct watch {
    unsigned keys;
    bool ended[32];
};

static void watch_key(unsigned i, char key[24])
{
    (void)snprintf(key, 24, "brief:%u", i);
}

/* Reads every key by way of some node; one that has ended must stay so. */
static void watch_read(struct cluster *c, struct watch *watch, unsigned turn)
{
    for (unsigned i = 0; i < watch->keys; i++) {
        char key[24];
        unsigned node = (turn + i) % 3;
        if (!cluster_is_up(c, node)) {
            node = cluster_first_up(c);
        }
        watch_key(i, key);
        const char *said = cluster_command(c, node, "GET", key, NULL);
        bool ended = strcmp(said, "(nil)") == 0;
        cluster_check(c, ended || strcmp(said, "x") == 0, "an answer");
        cluster_check(c, ended || !watch->ended[i],
                      "a session that a client saw as ended came back");
        watch->ended[i] = ended;
    }
}

/* @before_ms: the node is killed that long before the sessions end. The clock
 * of its heirs may run slower, so that by theirs there is time left. */
static void fail_over_at_the_end(void **state, int64_t before_ms, uint64_t seed)
{
    struct cluster_options options;
    cluster_options_init(&options, seed);
    options.boot_none = true;
    struct cluster *c = story_create(state, &options);
    unsigned victim = (unsigned)(seed % 3);
    for (unsigned i = 0; i < 3; i++) {
        c->processes[i].clock.drift_ppm = i == victim ? 10000 : -10000;
        cluster_boot(c, i);
    }
    cluster_settle_and_check(c);
    struct watch watch = {.keys = 24};
    int64_t set_us = cluster_now_us(c);
    for (unsigned i = 0; i < watch.keys; i++) {
        char key[24];
        watch_key(i, key);
        cluster_expect_reply(c, "OK", i % 3, "SET", key, "x", "PX", "3000",
                             NULL);
    }
    cluster_run(c, 2900 - (cluster_now_us(c) - set_us) / 1000);
    watch_read(c, &watch, 0);
    for (unsigned i = 0; i < watch.keys; i++) {
        cluster_check(c, !watch.ended[i], "a session ended early");
    }
    bool killed = false;
    for (unsigned turn = 0; turn < 60; turn++) {
        if (!killed &&
            (cluster_now_us(c) - set_us) / 1000 >= 3000 - before_ms) {
            cluster_kill(c, victim);
            killed = true;
        }
        watch_read(c, &watch, turn);
        cluster_run(c, 4);
    }
    cluster_check(c, killed, "nobody was killed");
    for (unsigned i = 0; i < watch.keys; i++) {
        cluster_check(c, watch.ended[i], "a session did not end");
    }
    cluster_settle_and_check(c);
}

static void what_ended_stays_so_when_the_primary_dies_then(void **state)
{
    for (int64_t before_ms = -40; before_ms <= 60; before_ms += 5) {
        fail_over_at_the_end(state, before_ms, (uint64_t)(100 + before_ms));
    }
}

/* A list without a session that has ended says so, too. The heirs' clocks are
 * slower, and by theirs the session would have half a second left. */
static void what_a_scan_left_out_stays_gone(void **state)
{
    struct cluster_options options;
    cluster_options_init(&options, 60);
    options.boot_none = true;
    struct cluster *c = story_create(state, &options);
    for (unsigned i = 0; i < 3; i++) {
        c->processes[i].clock.drift_ppm = i == 2 ? 10000 : -10000;
        cluster_boot(c, i);
    }
    cluster_settle_and_check(c);
    char key[16];
    cluster_key_on(c, 2, key);
    cluster_expect_reply(c, "OK", 0, "SET", key, "x", "PX", "30000", NULL);
    int64_t set_us = cluster_now_us(c);
    bool ended = false;
    while (!ended && (cluster_now_us(c) - set_us) / 1000 < 30000) {
        const char *said =
            cluster_command(c, 0, "SCAN", "0", "COUNT", "10000", NULL);
        ended = strstr(said, key) == NULL;
        if (!ended) { /* Ask in the moment between its end and its removal. */
            bool late = (cluster_now_us(c) - set_us) / 1000 > 29650;
            cluster_run(c, late ? 1 : 50);
        }
    }
    cluster_check(c, ended, "it ends by the clock of its primary");
    cluster_kill(c, 2);
    cluster_expect(c, key, NULL);
}

#define STREAM_BYTES 20000
#define VALUE_BYTES 2000

/* A key whose primary is @primary and backup @backup, other than @other. */
static void key_with(struct cluster *c, unsigned primary, unsigned backup,
                     const char *other, char key[16])
{
    unsigned number = 0;
    do {
        (void)snprintf(key, 16, "k:%u", number++);
    } while (cluster_primary_of(c, key) != primary ||
             cluster_backup_of(c, key) != backup || strcmp(key, other) == 0);
}

/* The stream to the backup is full, so the session's end cannot be told to it
 * now. Nor to a client, then: the heir's clock is slower, and by that the
 * session lives on. */
static void no_scan_says_what_the_copies_cannot_be_told(void **state)
{
    struct cluster_options options;
    cluster_options_init(&options, 61);
    options.boot_none = true;
    struct cluster *c = story_create(state, &options);
    for (unsigned i = 0; i < 3; i++) {
        c->processes[i].clock.drift_ppm = i == 2 ? 10000 : -10000;
        c->processes[i].config.stream_bytes_max = STREAM_BYTES;
        cluster_boot(c, i);
    }
    cluster_settle_and_check(c);
    char key[16], stuck[16], cursor[32], value[VALUE_BYTES + 1];
    key_with(c, 2, 1, "", key);
    key_with(c, 2, 1, key, stuck);
    memset(value, 'v', VALUE_BYTES);
    value[VALUE_BYTES] = '\0';
    uint64_t partition = hf_partition_of_key(hf_slice_text(key));
    (void)snprintf(cursor, sizeof(cursor), "%llu",
                   (unsigned long long)(partition << 33 | 1));
    cluster_expect_reply(c, "OK", 0, "SET", key, "x", "PX", "30000", NULL);
    cluster_run(c, 29500);
    cluster_clog(c, 2, 1, HF_CHANNEL_DATA);
    for (unsigned i = 0; i < 2 * STREAM_BYTES / VALUE_BYTES; i++) {
        cluster_forget(cluster_ask(c, 2, "SET", stuck, value, NULL));
    }
    cluster_run(c, 220); /* By the clock of n3 it is over, but not by n2's. */
    struct request *scan = cluster_ask(c, 2, "SCAN", cursor, NULL);
    cluster_run(c, 5);
    bool ended = strcmp(cluster_answer(scan), "(waiting)") != 0;
    cluster_kill(c, 2);
    cluster_check(
        c,
        !ended || strcmp(cluster_command(c, 0, "GET", key, NULL), "(nil)") == 0,
        "a session that a client saw as ended came back");
    cluster_run(c, 1000);
    cluster_expect(c, key, NULL);
}

/* All nodes stand still for longer than a session lives, as when their machine
 * sleeps, or only the primary does. */
static void a_pause_longer_than_a_life_ends_it(void **state)
{
    for (unsigned paused = 1; paused <= 3; paused += 2) {
        struct cluster *c = story_start(state, 3, 40 + paused);
        char brief[16];
        cluster_key_on(c, 2, brief);
        cluster_expect_reply(c, "OK", 0, "SET", brief, "x", "PX", "4000", NULL);
        cluster_expect_reply(c, "OK", 0, "SET", "long", "x", "PX", "60000",
                             NULL);
        int64_t set_us = cluster_now_us(c);
        for (unsigned i = 0; i < paused; i++) {
            cluster_pause(c, 2 - i);
        }
        cluster_run(c, 6000);
        if (paused == 1) {
            cluster_expect(c, brief, NULL);
        }
        for (unsigned i = 0; i < paused; i++) {
            cluster_resume(c, 2 - i);
        }
        cluster_settle_and_check(c);
        cluster_expect(c, brief, NULL);
        cluster_expect(c, "long", "x");
        int64_t gone_ms = (cluster_now_us(c) - set_us) / 1000;
        cluster_check(c, is_about(left_ms(c, 1, "long"), 60000 - gone_ms),
                      "the time that passed meanwhile counts");
    }
}

/* A copy that is filled late, or whose clock is fast, does not end a session
 * while its primary lives; and its primary ends it for all. */
static void copies_do_not_decide(void **state)
{
    struct cluster_options options;
    cluster_options_init(&options, 51);
    options.boot_none = true;
    struct cluster *c = story_create(state, &options);
    for (unsigned i = 0; i < 3; i++) {
        c->processes[i].clock.drift_ppm = i == 0 ? -10000 : 10000;
        cluster_boot(c, i);
    }
    cluster_settle_and_check(c);
    char key[16];
    cluster_key_on(c, 0, key);
    cluster_expect_reply(c, "OK", 1, "SET", key, "x", "PX", "20000", NULL);
    cluster_run(c, 20100); /* Over for the copy, not for the primary. */
    for (unsigned i = 0; i < 10; i++) {
        cluster_expect(c, key, "x");
        cluster_run(c, 5);
    }
    cluster_run(c, 200);
    cluster_expect(c, key, NULL);
    cluster_settle_and_check(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(wall_clocks_may_differ_and_jump),
        STORY(a_date_becomes_time_left_once_at_the_primary),
        STORY(what_ended_stays_so_when_the_primary_dies_then),
        STORY(what_a_scan_left_out_stays_gone),
        STORY(no_scan_says_what_the_copies_cannot_be_told),
        STORY(a_pause_longer_than_a_life_ends_it),
        STORY(copies_do_not_decide),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
