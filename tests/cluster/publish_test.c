/* What subscribers are promised, on whichever node they are. */
#include <stdio.h>
#include <string.h>

#include "core/timers.h"
#include "support/story.h"

#define EVERYTHING (HF_NOTICES_KEYEVENT | HF_NOTICES_ALL)

static bool listened(struct cluster *c, void *user)
{
    const unsigned *node = user;
    return c->processes[*node].listened;
}

static bool notified(struct cluster *c, void *user)
{
    const unsigned *node = user;
    return c->processes[*node].notified;
}

static void subscribe(struct cluster *c, unsigned node)
{
    process_subscribe(&c->processes[node]);
    cluster_check(c, cluster_wait(c, 1000, listened, &node),
                  "a subscription is not confirmed");
}

static void set_events(struct cluster *c, unsigned node, uint32_t events)
{
    process_set_events(&c->processes[node], events);
    cluster_check(c, cluster_wait(c, 1000, notified, &node),
                  "events are not confirmed");
}

static void expect_told(const struct cluster *c, unsigned node,
                        const char *told)
{
    assert_string_equal(c->processes[node].told, told);
}

static uint32_t events_of(const struct cluster *c, unsigned node)
{
    return hf_node_get_events(c->processes[node].node);
}

/* A message published after the confirmation must arrive, so the confirmation
 * waits until every node sends messages here. */
static void a_subscription_is_confirmed_when_all_nodes_know(void **state)
{
    struct cluster *c = story_start(state, 3, 1);
    cluster_clog(c, 0, 1, HF_CHANNEL_CONTROL);
    process_subscribe(&c->processes[0]);
    cluster_run(c, 150);
    assert_false(c->processes[0].listened);
    cluster_unclog(c, 0, 1, HF_CHANNEL_CONTROL);
    cluster_run(c, 50);
    assert_true(c->processes[0].listened);
    cluster_expect_reply(c, "1", 1, "PUBLISH", "news", "one", NULL);
    cluster_expect_reply(c, "1", 2, "PUBLISH", "news", "two", NULL);
    expect_told(c, 0, "news=one news=two ");
}

/* But not for ever. */
static void
a_subscription_does_not_wait_long_for_who_does_not_hear(void **state)
{
    struct cluster *c = story_start(state, 3, 2);
    cluster_clog(c, 0, 1, HF_CHANNEL_CONTROL);
    process_subscribe(&c->processes[0]);
    cluster_run(c, HF_NEWS_WAIT_MS + 30);
    assert_true(c->processes[0].listened);
}

static void a_dead_node_holds_up_no_subscription(void **state)
{
    struct cluster *c = story_start(state, 3, 3);
    cluster_kill(c, 2);
    cluster_settle(c, 10000);
    process_subscribe(&c->processes[0]);
    cluster_run(c, 50);
    assert_true(c->processes[0].listened);
}

static void a_message_is_counted_on_all_nodes(void **state)
{
    struct cluster *c = story_start(state, 3, 4);
    subscribe(c, 0);
    subscribe(c, 1);
    cluster_expect_reply(c, "2", 0, "PUBLISH", "a", "1", NULL);
    cluster_expect_reply(c, "2", 2, "PUBLISH", "a", "2", NULL);
    subscribe(c, 2);
    cluster_expect_reply(c, "3", 2, "PUBLISH", "a", "3", NULL);
    expect_told(c, 0, "a=1 a=2 a=3 ");
    expect_told(c, 1, "a=1 a=2 a=3 ");
    expect_told(c, 2, "a=3 ");
}

/* Who cannot answer is not counted, and its message is not lost for that. */
static void a_publisher_waits_shortly_for_a_slow_node(void **state)
{
    struct cluster *c = story_start(state, 3, 5);
    subscribe(c, 1);
    subscribe(c, 2);
    cluster_clog(c, 1, 0, HF_CHANNEL_DATA);
    struct request *publish = cluster_ask(c, 0, "PUBLISH", "a", "1", NULL);
    cluster_run(c, HF_TELL_WAIT_MS - 50);
    cluster_expect_answer(c, "(waiting)", publish);
    cluster_run(c, 100);
    cluster_expect_answer(c, "1", publish);
    expect_told(c, 1, "a=1 ");
    expect_told(c, 2, "a=1 ");
    cluster_forget(publish);
}

static void a_publisher_does_not_wait_for_who_is_killed(void **state)
{
    struct cluster *c = story_start(state, 3, 6);
    subscribe(c, 1);
    cluster_pause(c, 1);
    struct request *publish = cluster_ask(c, 0, "PUBLISH", "a", "1", NULL);
    cluster_run(c, 20);
    cluster_kill(c, 1);
    cluster_run(c, 60);
    cluster_expect_answer(c, "0", publish);
    cluster_forget(publish);
}

/* Nobody is told of what may still be lost. */
static void an_event_comes_when_its_write_commits(void **state)
{
    struct cluster *c = story_start(state, 3, 7);
    unsigned primary = cluster_primary_of(c, "cart:7");
    unsigned backup = cluster_backup_of(c, "cart:7");
    set_events(c, backup, EVERYTHING);
    subscribe(c, backup);
    cluster_clog(c, backup, primary, HF_CHANNEL_DATA);
    struct request *set = cluster_ask(c, primary, "SET", "cart:7", "x", NULL);
    cluster_run(c, 200);
    expect_told(c, backup, "");
    cluster_unclog(c, backup, primary, HF_CHANNEL_DATA);
    cluster_await(c, set, 50);
    cluster_expect_answer(c, "OK", set);
    cluster_run(c, 50);
    expect_told(c, backup, "__keyevent@0__:set=cart:7 ");
    cluster_forget(set);
}

static void each_event_comes_once(void **state)
{
    struct cluster_options options;
    cluster_options_init(&options, 8);
    options.backups = 2;
    struct cluster *c = story_start_with(state, &options);
    set_events(c, 0, EVERYTHING);
    subscribe(c, 0);
    for (unsigned i = 0; i < 30; i++) {
        char key[16];
        (void)snprintf(key, sizeof(key), "k:%u", i);
        cluster_expect_reply(c, "OK", i % 3, "SET", key, "v", NULL);
        cluster_expect_reply(c, "1", (i + 1) % 3, "EXPIRE", key, "100", NULL);
        cluster_expect_reply(c, "1", (i + 2) % 3, "DEL", key, NULL);
    }
    cluster_run(c, 1000);
    assert_int_equal(c->processes[0].told_count, 90);
}

static void the_end_of_a_session_is_told_within_a_second(void **state)
{
    struct cluster *c = story_start(state, 3, 9);
    set_events(c, 0, EVERYTHING);
    subscribe(c, 1);
    cluster_expect_reply(c, "OK", 2, "SET", "k", "v", "PX", "300", NULL);
    cluster_run(c, 1300);
    expect_told(c, 1,
                "__keyevent@0__:set=k __keyevent@0__:expire=k "
                "__keyevent@0__:expired=k ");
}

static void what_was_set_last_counts_everywhere(void **state)
{
    struct cluster *c = story_start(state, 3, 10);
    set_events(c, 0, HF_NOTICES_KEYEVENT | HF_NOTICES_GENERIC);
    set_events(c, 1, HF_NOTICES_KEYSPACE | HF_NOTICES_HASH);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(events_of(c, i),
                         HF_NOTICES_KEYSPACE | HF_NOTICES_HASH);
    }
    set_events(c, 2, 0);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(events_of(c, i), 0);
    }
}

/* Also the node that was away when it was set, and one with a setting. */
static void a_node_that_joins_learns_the_events(void **state)
{
    struct cluster *c = story_start(state, 3, 11);
    cluster_kill(c, 2);
    cluster_settle(c, 10000);
    set_events(c, 0, HF_NOTICES_KEYEVENT | HF_NOTICES_GENERIC);
    c->processes[2].config.events = HF_NOTICES_EVERY;
    cluster_restart(c, 2);
    cluster_settle(c, 30000);
    assert_int_equal(events_of(c, 2), HF_NOTICES_KEYEVENT | HF_NOTICES_GENERIC);
    assert_int_equal(events_of(c, 0), HF_NOTICES_KEYEVENT | HF_NOTICES_GENERIC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(a_subscription_is_confirmed_when_all_nodes_know),
        STORY(a_subscription_does_not_wait_long_for_who_does_not_hear),
        STORY(a_dead_node_holds_up_no_subscription),
        STORY(a_message_is_counted_on_all_nodes),
        STORY(a_publisher_waits_shortly_for_a_slow_node),
        STORY(a_publisher_does_not_wait_for_who_is_killed),
        STORY(an_event_comes_when_its_write_commits),
        STORY(each_event_comes_once),
        STORY(the_end_of_a_session_is_told_within_a_second),
        STORY(what_was_set_last_counts_everywhere),
        STORY(a_node_that_joins_learns_the_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
