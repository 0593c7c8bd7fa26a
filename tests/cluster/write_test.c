/* What a client is promised of a write, and of a read after it. */
#include <stdio.h>

#include "support/story.h"

#define KEYS 100

/* Whoever a client is connected to, it can do everything there. */
static void any_node_takes_any_command_for_any_key(void **state)
{
    struct cluster *c = story_start(state, 3, 1);
    for (unsigned i = 0; i < 30; i++) {
        char key[16];
        (void)snprintf(key, sizeof(key), "any:%u", i);
        cluster_expect_reply(c, "OK", i % 3, "SET", key, "one", NULL);
        cluster_expect(c, key, "one");
        cluster_expect_reply(c, "1", (i + 1) % 3, "DEL", key, NULL);
        cluster_expect(c, key, NULL);
    }
}

/* OK promises copies. While one backup cannot get the write, there is no OK;
 * as soon as it has it, there is. */
static void ok_comes_only_after_every_backup_has_the_write(void **state)
{
    struct cluster_options options;
    cluster_options_init(&options, 2);
    options.backups = 2;
    struct cluster *c = story_start_with(state, &options);
    unsigned primary = cluster_primary_of(c, "cart:7");
    unsigned backup = cluster_backup_of(c, "cart:7");

    cluster_clog(c, primary, backup, HF_CHANNEL_DATA);
    struct request *set =
        cluster_ask(c, primary, "SET", "cart:7", "2 apples", NULL);
    cluster_run(c, 200);
    cluster_expect_answer(c, "(waiting)", set);

    cluster_unclog(c, primary, backup, HF_CHANNEL_DATA);
    cluster_await(c, set, 50);
    cluster_expect_answer(c, "OK", set);
    invariants_after_ack(c, hf_slice_text("cart:7"), "2 apples");
}

/* A backup that has the write but could not say so may as well not have it. */
static void ok_comes_only_after_the_backup_said_so(void **state)
{
    struct cluster *c = story_start(state, 3, 3);
    unsigned primary = cluster_primary_of(c, "cart:7");
    unsigned backup = cluster_backup_of(c, "cart:7");

    cluster_clog(c, backup, primary, HF_CHANNEL_DATA);
    struct request *set =
        cluster_ask(c, primary, "SET", "cart:7", "2 apples", NULL);
    cluster_run(c, 200);
    cluster_expect_answer(c, "(waiting)", set);

    cluster_unclog(c, backup, primary, HF_CHANNEL_DATA);
    cluster_await(c, set, 50);
    cluster_expect_answer(c, "OK", set);
}

/* A value that may still vanish must not be shown; the old one might already
 * be overwritten. So a read waits for the write it meets. */
static void a_read_waits_for_a_write_in_flight_on_its_key(void **state)
{
    struct cluster *c = story_start(state, 3, 4);
    cluster_set(c, "{cart}:7", "1 apple");
    cluster_set(c, "{cart}:8", "1 pear");
    unsigned primary = cluster_primary_of(c, "{cart}:7");
    unsigned backup = cluster_backup_of(c, "{cart}:7");
    unsigned third = cluster_stranger_to(c, "{cart}:7");

    cluster_clog(c, backup, primary, HF_CHANNEL_DATA);
    struct request *set =
        cluster_ask(c, primary, "SET", "{cart}:7", "2 apples", NULL);
    cluster_run(c, 1);
    struct request *near = cluster_ask(c, primary, "GET", "{cart}:7", NULL);
    struct request *far = cluster_ask(c, third, "GET", "{cart}:7", NULL);
    struct request *other = cluster_ask(c, primary, "GET", "{cart}:8", NULL);
    cluster_run(c, 100);
    cluster_expect_answer(c, "(waiting)", set);
    cluster_expect_answer(c, "(waiting)", near);
    cluster_expect_answer(c, "(waiting)", far);
    cluster_expect_answer(c, "1 pear", other);

    cluster_unclog(c, backup, primary, HF_CHANNEL_DATA);
    cluster_run(c, 50);
    cluster_expect_answer(c, "OK", set);
    cluster_expect_answer(c, "2 apples", near);
    cluster_expect_answer(c, "2 apples", far);
}

/* Clients of all nodes meet on few keys; the model knows what each of them may
 * see. */
static void a_read_is_never_older_than_an_acknowledged_write(void **state)
{
    struct cluster *c = story_start(state, 3, 5);
    struct workload_options options;
    workload_options_init(&options);
    options.clients = 9;
    options.hot_keys = 2;
    options.cold_keys = 4;
    options.think_us_max = 500;
    struct workload w;
    workload_start(&w, c, &options, 5);
    cluster_run(c, 2000);
    workload_stop(&w);
    workload_read_all(&w);
    workload_check(&w);
    cluster_check(c, w.answered > 5000, "too few answers to mean anything");
    cluster_check(c, w.down == 0 && w.lost == 0, "somebody was refused");
    cluster_settle_and_check(c);
    workload_close(&w);
}

static void ask_many(struct cluster *c, unsigned node,
                     struct request *requests[KEYS])
{
    for (unsigned i = 0; i < KEYS; i++) {
        char key[24];
        (void)snprintf(key, sizeof(key), "{many}:%u", i);
        requests[i] = cluster_ask(c, node, "SET", key, "x", NULL);
    }
}

/* A hundred writes that are ready in one turn are one message to the backup,
 * which says once that it has them all. */
static void writes_of_one_turn_travel_in_one_frame(void **state)
{
    struct cluster *c = story_start(state, 3, 6);
    unsigned primary = cluster_primary_of(c, "{many}");
    unsigned backup = cluster_backup_of(c, "{many}");
    struct network_link *there =
        network_link_of(&c->network, primary, backup, HF_CHANNEL_DATA);
    struct network_link *back =
        network_link_of(&c->network, backup, primary, HF_CHANNEL_DATA);
    cluster_clog(c, backup, primary, HF_CHANNEL_DATA);
    uint64_t frames = there->frames;
    uint64_t records = there->messages[HF_MESSAGE_RECORD];
    uint64_t acks = back->messages[HF_MESSAGE_ACK];

    struct request *requests[KEYS];
    ask_many(c, primary, requests);
    cluster_run(c, 20);

    cluster_check(c, there->messages[HF_MESSAGE_RECORD] - records == KEYS,
                  "not one record for each write");
    cluster_check(c, there->frames - frames == 1, "more than one frame");
    cluster_check(c, back->messages[HF_MESSAGE_ACK] - acks == 1,
                  "more than one acknowledgement");
    cluster_expect_answer(c, "(waiting)", requests[0]);
    cluster_unclog(c, backup, primary, HF_CHANNEL_DATA);
    cluster_run(c, 20);
    for (unsigned i = 0; i < KEYS; i++) {
        cluster_expect_answer(c, "OK", requests[i]);
    }
}

/* The same on the way from a node that is not the primary. */
static void forwards_of_one_turn_travel_in_one_frame(void **state)
{
    struct cluster *c = story_start(state, 3, 7);
    unsigned primary = cluster_primary_of(c, "{many}");
    unsigned third = cluster_stranger_to(c, "{many}");
    struct network_link *there =
        network_link_of(&c->network, third, primary, HF_CHANNEL_DATA);
    cluster_clog(c, primary, third, HF_CHANNEL_DATA);
    uint64_t frames = there->frames;
    uint64_t forwards = there->messages[HF_MESSAGE_FORWARD];

    struct request *requests[KEYS];
    ask_many(c, third, requests);
    cluster_run(c, 5);

    cluster_check(c, there->messages[HF_MESSAGE_FORWARD] - forwards == KEYS,
                  "not one forward for each write");
    cluster_check(c, there->frames - frames == 1, "more than one frame");
    cluster_unclog(c, primary, third, HF_CHANNEL_DATA);
    cluster_run(c, 20);
    for (unsigned i = 0; i < KEYS; i++) {
        cluster_expect_answer(c, "OK", requests[i]);
    }
}

/* The link breaks with a hundred writes on their way. Nobody knows which of
 * them arrived; all must, once. */
static void a_broken_link_in_mid_stream_loses_nothing(void **state)
{
    struct cluster *c = story_start(state, 3, 8);
    c->network.redial_us_max = 100000; /* Well within the hold. */
    unsigned primary = cluster_primary_of(c, "{many}");
    unsigned backup = cluster_backup_of(c, "{many}");
    struct request *requests[KEYS];
    ask_many(c, primary, requests);
    struct request *counts[20];
    for (unsigned i = 0; i < 20; i++) {
        if (i % 5 == 0) {
            network_break(&c->network, primary, backup, HF_CHANNEL_DATA);
            network_break(&c->network, backup, primary, HF_CHANNEL_DATA);
        }
        counts[i] = cluster_ask(c, primary, "INCR", "{many}:count", NULL);
        cluster_run(c, 1);
    }
    cluster_run(c, 2000);
    for (unsigned i = 0; i < KEYS; i++) {
        cluster_expect_answer(c, "OK", requests[i]);
    }
    for (unsigned i = 0; i < 20; i++) {
        char wanted[8];
        (void)snprintf(wanted, sizeof(wanted), "%u", i + 1);
        cluster_expect_answer(c, wanted, counts[i]);
    }
    cluster_expect(c, "{many}:count", "20");
    cluster_settle_and_check(c);
}

/* Links that lose, repeat, reorder and garble frames and break now and then:
 * every increment that was acknowledged counts, and counts once. */
static void flaky_links(void **state, uint64_t seed,
                        const struct network_faults *faults)
{
    struct cluster *c = story_start(state, 3, seed);
    network_set_faults_all(&c->network, faults);
    struct workload_options options;
    workload_options_init(&options);
    options.clients = 8;
    options.hot_keys = 2;
    options.cold_keys = 20;
    options.counters = 6;
    options.think_us_max = 5000;
    options.only_writes = true;
    struct workload w;
    workload_start(&w, c, &options, seed);
    cluster_run(c, 10000);
    cluster_check(c, c->network.broken > 3, "the links were not flaky");
    cluster_heal(c);
    workload_end(&w);
    cluster_check(c, w.acknowledged > 500, "too few writes to mean anything");
    workload_close(&w);
}

static void lost_frames_lose_no_write_and_repeat_none(void **state)
{
    const struct network_faults faults = {
        .loss = 100, .delay_us = 200, .jitter_us = 500};
    flaky_links(state, 9, &faults);
}

static void repeated_and_reordered_frames_repeat_no_write(void **state)
{
    const struct network_faults faults = {
        .duplicate = 2000, .reorder = 100, .delay_us = 200, .jitter_us = 3000};
    flaky_links(state, 10, &faults);
}

static void garbled_frames_are_noticed(void **state)
{
    const struct network_faults faults = {
        .corrupt = 50, .delay_us = 200, .jitter_us = 500};
    flaky_links(state, 11, &faults);
}

/* DBSIZE and SCAN are reads, too: what they count and list is there to stay. */
static void counting_and_listing_wait_for_writes_in_flight(void **state)
{
    struct cluster *c = story_start(state, 3, 14);
    unsigned primary = cluster_primary_of(c, "cart:7");
    unsigned backup = cluster_backup_of(c, "cart:7");
    unsigned third = cluster_stranger_to(c, "cart:7");

    cluster_clog(c, backup, primary, HF_CHANNEL_DATA);
    struct request *set = cluster_ask(c, primary, "SET", "cart:7", "x", NULL);
    cluster_run(c, 1);
    struct request *size = cluster_ask(c, third, "DBSIZE", NULL);
    struct request *scan =
        cluster_ask(c, third, "SCAN", "0", "COUNT", "10000", NULL);
    cluster_run(c, 200);
    cluster_expect_answer(c, "(waiting)", set);
    cluster_expect_answer(c, "(waiting)", size);
    cluster_expect_answer(c, "(waiting)", scan);

    cluster_unclog(c, backup, primary, HF_CHANNEL_DATA);
    cluster_await(c, size, 50);
    cluster_await(c, scan, 50);
    cluster_expect_answer(c, "OK", set);
    cluster_expect_answer(c, "1", size);
    cluster_expect_answer(c, "[0 [cart:7]]", scan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(counting_and_listing_wait_for_writes_in_flight),
        STORY(any_node_takes_any_command_for_any_key),
        STORY(ok_comes_only_after_every_backup_has_the_write),
        STORY(ok_comes_only_after_the_backup_said_so),
        STORY(a_read_waits_for_a_write_in_flight_on_its_key),
        STORY(a_read_is_never_older_than_an_acknowledged_write),
        STORY(writes_of_one_turn_travel_in_one_frame),
        STORY(forwards_of_one_turn_travel_in_one_frame),
        STORY(a_broken_link_in_mid_stream_loses_nothing),
        STORY(lost_frames_lose_no_write_and_repeat_none),
        STORY(repeated_and_reordered_frames_repeat_no_write),
        STORY(garbled_frames_are_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
