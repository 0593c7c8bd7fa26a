#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "core/node_state.h"
#include "holdfast/error.h"
#include "support/failing_mem.h"
#include "support/lone_node.h"

static const char starting_text[] =
    "(error) CLUSTERDOWN this node has not found its cluster yet";

struct fixture {
    struct failing_mem failing;
    struct hf_mem system;
    struct hf_node_config config;
    struct lone_node lone;
};

static struct fixture f; /* Too large for a stack. */

static void open_node(void)
{
    assert_int_equal(lone_node_open(&f.lone, &f.config, &f.failing.mem), 0);
}

static int open_fixture(void **state)
{
    (void)state;
    failing_mem_init(&f.failing);
    lone_node_config(&f.config);
    return 0;
}

/* A node that is a cluster of its own. */
static int open_lone(void **state)
{
    (void)open_fixture(state);
    open_node();
    lone_node_start(&f.lone);
    return 0;
}

static int close_fixture(void **state)
{
    (void)state;
    lone_node_close(&f.lone);
    failing_mem_close(&f.failing);
    return 0;
}

static void expect(const char *line, const char *answer)
{
    assert_string_equal(lone_node_ask(&f.lone, line), answer);
}

static struct hf_node_status status(void)
{
    struct hf_node_status result;
    hf_node_get_status(f.lone.node, &result);
    return result;
}

/* Life. */

static void a_config_out_of_bounds_is_refused(void **state)
{
    (void)state;
    struct hf_node *node = NULL;
    struct hf_node_config bad[4];
    for (size_t i = 0; i < HF_ARRAY_COUNT(bad); i++) {
        bad[i] = f.config;
    }
    bad[0].self.incarnation = 0;
    bad[1].self.name[0] = '\0';
    bad[2].backups = HF_BACKUPS_MAX + 1;
    bad[3].seed_count = HF_SEEDS_MAX + 1;
    for (size_t i = 0; i < HF_ARRAY_COUNT(bad); i++) {
        assert_int_equal(hf_node_create(&node, &bad[i], &f.failing.mem, 0),
                         HF_EINVAL);
        assert_null(node);
    }
}

static void a_node_is_created_whole_or_not_at_all(void **state)
{
    (void)state;
    struct hf_node *node = NULL;
    uint64_t nth = 0;
    int error;
    do {
        failing_mem_fail_nth(&f.failing, ++nth);
        error = hf_node_create(&node, &f.config, &f.failing.mem, 0);
        assert_int_equal(error, f.failing.failed ? HF_ENOMEM : 0);
        assert_int_equal(f.failing.piece_count > 0, error == 0);
    } while (error != 0);
    assert_true(nth > 10);
    hf_node_destroy(node);
    hf_node_destroy(NULL);
}

static void a_node_can_go_with_work_under_way(void **state)
{
    (void)state;
    open_node();
    lone_node_tick(&f.lone, 0);
    (void)lone_node_send(&f.lone, "SET k v");
    (void)lone_node_send(&f.lone, "MGET a b c");
    (void)lone_node_send(&f.lone, "MSET a 1 b 2");
    (void)lone_node_send(&f.lone, "DBSIZE");
    (void)lone_node_send(&f.lone, "SCAN 0");
    assert_int_equal(f.lone.answered, 0);
}

/* Finding a cluster, or starting one. */

static void a_cluster_is_started_when_nobody_called(void **state)
{
    (void)state;
    open_node();
    lone_node_wait(&f.lone, HF_LISTEN_MS - 1);
    assert_null(hf_node_get_view(f.lone.node));
    assert_int_equal(status().state, HF_STATE_STARTING);
    assert_int_equal(status().member_count, 0);

    lone_node_wait(&f.lone, HF_TICK_BUSY_MS);

    const struct hf_view *view = hf_node_get_view(f.lone.node);
    assert_non_null(view);
    assert_int_equal(view->member_count, 1);
    assert_true(view->members[0].incarnation == f.config.self.incarnation);
    assert_true(view->epoch != 0 && view->cluster != 0);
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        assert_true(hf_node_serves(f.lone.node, p, f.lone.now));
    }
}

static void add_seed(uint16_t port)
{
    struct hf_address *seed = &f.config.seeds[f.config.seed_count++];
    memcpy(seed->host, "host", 5);
    seed->port = port;
}

static void tell_probed(enum hf_probe_result result)
{
    struct hf_event event = {.type = HF_EVENT_PROBED};
    event.probed.token = f.lone.probe;
    event.probed.result = result;
    lone_node_step(&f.lone, &event);
}

static void a_seed_where_nobody_listens_is_not_waited_for(void **state)
{
    (void)state;
    add_seed(f.config.self.peer_port);
    add_seed(2);
    open_node();
    lone_node_tick(&f.lone, 0);
    assert_int_equal(f.lone.connected, 1); /* Not to itself. */
    assert_true(f.lone.probed >= 1);
    tell_probed(HF_PROBE_REFUSED);
    lone_node_wait(&f.lone, HF_LISTEN_MS + HF_TICK_BUSY_MS);
    assert_non_null(hf_node_get_view(f.lone.node));
}

static void a_silent_seed_is_waited_for(void **state)
{
    (void)state;
    add_seed(f.config.self.peer_port);
    add_seed(2);
    open_node();
    lone_node_tick(&f.lone, 0);
    while (f.lone.now < LONE_START + HF_DISCOVERY_MS - HF_TICK_BUSY_MS) {
        tell_probed(HF_PROBE_UNKNOWN);
        lone_node_wait(&f.lone, HF_TICK_BUSY_MS);
        assert_null(hf_node_get_view(f.lone.node));
    }
    assert_true(f.lone.probed > 10); /* And asked for again and again. */
    lone_node_wait(&f.lone, 2 * HF_TICK_BUSY_MS);
    assert_non_null(hf_node_get_view(f.lone.node));
}

/* Two nodes that wait for the same third must not become two clusters. */
static void who_is_no_seed_starts_no_cluster_alone(void **state)
{
    (void)state;
    add_seed(2);
    open_node();
    lone_node_tick(&f.lone, 0);
    tell_probed(HF_PROBE_REFUSED);
    lone_node_wait(&f.lone, 5 * HF_DISCOVERY_MS);
    assert_null(hf_node_get_view(f.lone.node));
    expect("GET k", "(waiting)");
    lone_node_wait(&f.lone, f.config.hold_ms);
    assert_string_equal(lone_node_answer(&f.lone, 1), starting_text);
}

/* Commands. */

static void strings_are_served(void **state)
{
    (void)state;
    expect("GET k", "(nil)");
    expect("SET k v", "OK");
    expect("GET k", "v");
    expect("SETNX k w", "0");
    expect("APPEND k w", "2");
    expect("GETSET k x", "vw");
    expect("EXISTS k", "1");
    expect("DEL k", "1");
    expect("DEL k", "0");
    expect("GET k", "(nil)");
    expect("INCRBY n 5", "5");
    expect("INCR n", "6");
    expect("INCR k", "1");
}

static void hashes_are_served(void **state)
{
    (void)state;
    expect("HSET h a 1 b 2", "2");
    expect("HGET h a", "1");
    expect("HMGET h a x b", "[1 (nil) 2]");
    expect("GET h", "(error) WRONGTYPE Operation against a key holding the "
                    "wrong kind of value");
    expect("HDEL h a b", "2");
    expect("EXISTS h", "0");
}

static void many_keys_are_one_command(void **state)
{
    (void)state;
    expect("MSET a 1 b 2 c 3 a 4", "OK");
    expect("MGET c b a x a", "[3 2 4 (nil) 4]");
    expect("EXISTS a a b x", "3");
    expect("DEL a x b a", "2");
    expect("MGET a b c", "[(nil) (nil) 3]");
    expect("DEL c", "1");
    expect("MGET c", "[(nil)]");
}

static void all_partitions_are_counted_and_cleared(void **state)
{
    (void)state;
    expect("DBSIZE", "0");
    for (unsigned i = 0; i < 200; i++) {
        char line[32];
        (void)snprintf(line, sizeof(line), "SET key:%u %u", i, i);
        expect(line, "OK");
    }
    expect("DBSIZE", "200");
    expect("FLUSHALL", "OK");
    expect("DBSIZE", "0");
    expect("GET key:7", "(nil)");
    expect("FLUSHALL sometimes", "(error) ERR syntax error");
}

/* One page of SCAN, noting the keys in it. Returns the next cursor. */
static unsigned long long scan_page(unsigned long long cursor,
                                    const char *options, unsigned seen[300])
{
    char line[64];
    (void)snprintf(line, sizeof(line), "SCAN %llu%s", cursor, options);
    const char *answer = lone_node_ask(&f.lone, line);
    unsigned long long next = 0;
    int used = 0;
    assert_int_equal(answer[0], '[');
    for (const char *at = answer + 1; *at >= '0' && *at <= '9'; at++) {
        next = next * 10 + (unsigned long long)(*at - '0');
        used = (int)(at - answer) + 1;
    }
    for (const char *at = answer + used; (at = strstr(at, "key:")) != NULL;) {
        unsigned number = 0;
        for (at += 4; *at >= '0' && *at <= '9'; at++) {
            number = number * 10 + (unsigned)(*at - '0');
        }
        assert_true(number < 300);
        seen[number]++;
    }
    return next;
}

static void a_scan_shows_every_key_once(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 300; i++) {
        char line[32];
        (void)snprintf(line, sizeof(line), "SET %skey:%u v",
                       i < 150 ? "{one}" : "", i);
        expect(line, "OK");
    }
    static const char *const options[] = {"", " COUNT 1", " COUNT 100000"};
    for (size_t i = 0; i < HF_ARRAY_COUNT(options); i++) {
        unsigned seen[300] = {0};
        unsigned long long cursor = 0;
        do {
            lone_node_forget(&f.lone);
            cursor = scan_page(cursor, options[i], seen);
            assert_true(cursor < 1ull << 53); /* Clients keep it as a double. */
        } while (cursor != 0);
        for (unsigned k = 0; k < 300; k++) {
            assert_int_equal(seen[k], 1);
        }
    }
}

static void a_scan_leaves_out_what_does_not_match(void **state)
{
    (void)state;
    expect("MSET key:1 v other:2 v", "OK");
    expect("HSET key:3 f v", "1");
    expect("SCAN 0 COUNT 5000 MATCH o*", "[0 [other:2]]");
    expect("SCAN 0 COUNT 5000 TYPE hash", "[0 [key:3]]");
    expect("SCAN 0 COUNT 0", "(error) ERR syntax error");
    expect("SCAN x", "(error) ERR invalid cursor");
}

static void a_cursor_of_nobody_is_the_end(void **state)
{
    (void)state;
    lone_node_close(&f.lone);
    hf_mem_init_system(&f.system);
    assert_int_equal(lone_node_open(&f.lone, &f.config, &f.system), 0);
    lone_node_start(&f.lone);
    expect("SET k v", "OK");
    expect("SCAN 9007199254740991", "[0 []]");
    expect("SCAN 18446744073709551615", "[0 []]");
}

/* Time to live. */

static void a_session_is_gone_at_its_deadline(void **state)
{
    (void)state;
    expect("SET k v PX 1000", "OK");
    expect("PTTL k", "1000");
    f.lone.now += 999;
    expect("GET k", "v");
    expect("PTTL k", "1");
    f.lone.now += 1; /* No tick in between. */
    expect("GET k", "(nil)");
    expect("PTTL k", "-2");
    expect("SETNX k w", "1");
    expect("PTTL k", "-1");
}

static void whoever_writes_finds_no_expired_session(void **state)
{
    (void)state;
    expect("SET k v PX 100", "OK");
    expect("HSET h f v", "1");
    expect("PEXPIRE h 100", "1");
    f.lone.now += 100;
    expect("APPEND k w", "1");
    expect("HSET h g v", "1");
    expect("HLEN h", "1");
    expect("DBSIZE", "2");
}

static void sessions_nobody_asks_for_expire_within_a_second(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 50; i++) {
        char line[40];
        (void)snprintf(line, sizeof(line), "SET key:%u v PX %u", i,
                       100 + i * 10);
        expect(line, "OK");
    }
    expect("SET stays v", "OK");
    expect("DBSIZE", "51");
    lone_node_wait(&f.lone, 600 + 1000);
    expect("DBSIZE", "1");
    assert_int_equal(hf_node_get_counters(f.lone.node)->expired, 50);
    expect("GET stays", "v");
}

static void many_sessions_at_once_expire_in_turns(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3 * HF_EXPIRY_VISITS_MAX; i++) {
        char line[40];
        (void)snprintf(line, sizeof(line), "SET key:%u v PX 100", i);
        expect(line, "OK");
        lone_node_forget(&f.lone);
    }
    lone_node_tick(&f.lone, 2000);
    uint64_t expired = hf_node_get_counters(f.lone.node)->expired;
    assert_in_range(expired, 1, HF_EXPIRY_VISITS_MAX);
    assert_true(hf_node_deadline(f.lone.node) == f.lone.now); /* At once. */
    lone_node_wait(&f.lone, 0);
    expect("DBSIZE", "0");
    assert_true(hf_node_deadline(f.lone.node) > f.lone.now);
}

/* Without a view. */

static void commands_are_held_then_refused(void **state)
{
    (void)state;
    static const char *const lines[] = {"GET k",  "SET k v", "MGET a b",
                                        "DBSIZE", "SCAN 0",  "DEL a b"};
    add_seed(2);
    open_node();
    lone_node_tick(&f.lone, 0);
    for (size_t i = 0; i < HF_ARRAY_COUNT(lines); i++) {
        expect(lines[i], "(waiting)");
    }
    lone_node_wait(&f.lone, f.config.hold_ms - 1);
    assert_int_equal(f.lone.answered, 0);
    lone_node_wait(&f.lone, 1 + HF_TICK_BUSY_MS);
    for (size_t i = 0; i < HF_ARRAY_COUNT(lines); i++) {
        assert_string_equal(lone_node_answer(&f.lone, i + 1), starting_text);
    }
    assert_int_equal(hf_node_get_counters(f.lone.node)->operations,
                     HF_ARRAY_COUNT(lines));
    assert_true(hf_node_get_counters(f.lone.node)->refused >=
                HF_ARRAY_COUNT(lines));
}

static void held_commands_are_carried_out_in_order(void **state)
{
    (void)state;
    f.config.hold_ms = 2000;
    open_node();
    lone_node_tick(&f.lone, 0);
    expect("SET k 1", "(waiting)");
    expect("APPEND k 2", "(waiting)");
    expect("GET k", "(waiting)");
    expect("SET k 3", "(waiting)");
    expect("MGET k x", "(waiting)");
    expect("DBSIZE", "(waiting)");

    lone_node_wait(&f.lone, HF_LISTEN_MS + HF_TICK_BUSY_MS);

    static const char *const answers[] = {"OK", "2",         "12",
                                          "OK", "[3 (nil)]", "1"};
    for (uint64_t tag = 1; tag <= HF_ARRAY_COUNT(answers); tag++) {
        assert_string_equal(lone_node_answer(&f.lone, tag), answers[tag - 1]);
        assert_int_equal(f.lone.order[tag - 1], tag);
    }
    expect("GET k", "3");
}

static void what_is_held_is_bounded(void **state)
{
    (void)state;
    f.config.held_bytes_max = 4096;
    add_seed(2);
    open_node();
    lone_node_tick(&f.lone, 0);
    for (unsigned i = 0; i < 100; i++) {
        (void)lone_node_send(&f.lone, "SET k v");
    }
    assert_in_range(f.lone.answered, 50, 99);
    assert_string_equal(
        lone_node_answer(&f.lone, 100),
        "(error) CLUSTERDOWN too many commands wait at this node");
    assert_string_equal(lone_node_answer(&f.lone, 1), "(waiting)");
    lone_node_wait(&f.lone, 2 * f.config.hold_ms);
    assert_int_equal(f.lone.answered, 100);
    expect("GET k", "(waiting)"); /* There is room again. */
}

static void commands_that_had_to_wait_are_counted(void **state)
{
    (void)state;
    f.config.hold_ms = 2000;
    open_node();
    lone_node_tick(&f.lone, 0);
    expect("SET k v", "(waiting)");
    expect("GET k", "(waiting)");
    lone_node_wait(&f.lone, HF_LISTEN_MS + HF_TICK_BUSY_MS);
    expect("GET k", "v");
    assert_int_equal(hf_node_get_counters(f.lone.node)->operations, 3);
    assert_int_equal(hf_node_get_counters(f.lone.node)->held, 2);
}

/* Others. */

static struct hf_peer_info other; /* Of another node, at rank 0. */
static struct hf_view view;

static void hear(const struct hf_message *message)
{
    struct hf_event event = {.type = HF_EVENT_MESSAGE};
    event.message.from = other.id;
    event.message.incarnation = other.incarnation;
    event.message.message = message;
    lone_node_step(&f.lone, &event);
}

static void hear_beat(enum hf_member_state beat_state, hf_epoch epoch)
{
    struct hf_message message = {.type = HF_MESSAGE_HEARTBEAT};
    message.heartbeat = (struct hf_heartbeat){.epoch = epoch,
                                              .sent_at = 1,
                                              .state = (uint8_t)beat_state,
                                              .cluster = 99};
    hear(&message);
}

static void hear_view(hf_epoch epoch, uint8_t member_count)
{
    memset(&view, 0, sizeof(view));
    view.epoch = epoch;
    view.cluster = 99;
    view.backups = 1;
    view.member_count = member_count;
    view.members[0] = other;
    view.members[1] = f.config.self;
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        view.acting[p].count = 1;
    }
    struct hf_message message = {.type = HF_MESSAGE_VIEW, .view = &view};
    hear(&message);
}

static void meet_other(void)
{
    other = (struct hf_peer_info){
        .id = 3, .incarnation = 33, .peer_port = 2, .name = "other"};
    memcpy(other.host, "host", 5);
    for (unsigned i = 0; i < 2 * HF_CHANNEL_COUNT; i++) {
        struct hf_event event = {.type = HF_EVENT_LINK};
        event.link = (struct hf_link_event){.peer = &other,
                                            .channel = (enum hf_channel)(i / 2),
                                            .out = i % 2 == 0,
                                            .up = true};
        lone_node_step(&f.lone, &event);
    }
}

static void messages_of_strangers_are_ignored(void **state)
{
    (void)state;
    other = (struct hf_peer_info){.id = 3, .incarnation = 33};
    hear_view((hf_epoch)900 << 32, 2);
    hear_beat(HF_STATE_ACTIVE, (hf_epoch)900 << 32);
    assert_int_equal(hf_node_get_view(f.lone.node)->member_count, 1);
    assert_int_equal(f.lone.sent, 0);
    expect("SET k v", "OK");
}

static void a_node_under_our_name_is_not_met(void **state)
{
    (void)state;
    struct hf_peer_info twin = f.config.self;
    twin.incarnation = 78;
    struct hf_event event = {.type = HF_EVENT_LINK};
    event.link = (struct hf_link_event){
        .peer = &twin, .channel = HF_CHANNEL_CONTROL, .out = true, .up = true};
    lone_node_step(&f.lone, &event);
    lone_node_wait(&f.lone, 1000);
    assert_int_equal(f.lone.sent, 0);
    assert_true(status().serving);
}

static void who_hears_of_a_cluster_waits_to_be_taken_in(void **state)
{
    (void)state;
    open_node();
    lone_node_tick(&f.lone, 0);
    meet_other();
    for (unsigned i = 0; i < 100; i++) {
        hear_beat(HF_STATE_ACTIVE, (hf_epoch)9 << 32);
        lone_node_wait(&f.lone, 100);
        assert_null(hf_node_get_view(f.lone.node));
    }
    hear_view((hf_epoch)9 << 32, 2);
    assert_int_equal(status().state, HF_STATE_ACTIVE);
    assert_int_equal(status().member_count, 2);
    assert_int_equal(status().partitions_primary, 0);
}

/* Of an earlier number can be what was decided after our view, without us. */
static void only_in_our_view_an_echo_makes_a_death_fresh(void **state)
{
    (void)state;
    open_node();
    lone_node_tick(&f.lone, 0);
    meet_other();
    hear_view((hf_epoch)9 << 32, 2);
    struct hf_message message = {.type = HF_MESSAGE_HEARTBEAT};
    message.heartbeat = (struct hf_heartbeat){.epoch = (hf_epoch)8 << 32,
                                              .echo = f.lone.now,
                                              .state = HF_STATE_ACTIVE,
                                              .cluster = 99};
    hear(&message);
    assert_false(hf_node_is_bound(f.lone.node, 0));
    message.heartbeat.epoch = (hf_epoch)9 << 32;
    hear(&message);
    assert_true(hf_node_is_bound(f.lone.node, 0));
}

static void commands_go_to_the_primary_when_it_is_ready(void **state)
{
    (void)state;
    open_node();
    lone_node_tick(&f.lone, 0);
    meet_other();
    hear_view((hf_epoch)9 << 32, 2);
    expect("GET k", "(waiting)");
    unsigned sent = f.lone.sent;
    hear_beat(HF_STATE_ACTIVE, (hf_epoch)9 << 32);
    assert_true(f.lone.sent > sent);
    struct hf_message message = {.type = HF_MESSAGE_RESULT};
    message.result = (struct hf_result){
        .number = 1, .reply = hf_reply_bulk(HF_SLICE_LITERAL("v"))};
    hear(&message);
    assert_string_equal(lone_node_answer(&f.lone, 1), "v");
    hear(&message); /* Twice is no matter. */
    assert_int_equal(f.lone.answered, 1);
}

static void commands_sent_to_another_node_are_counted(void **state)
{
    (void)state;
    open_node();
    lone_node_tick(&f.lone, 0);
    meet_other();
    hear_view((hf_epoch)9 << 32, 2);
    hear_beat(HF_STATE_ACTIVE, (hf_epoch)9 << 32);
    expect("GET k", "(waiting)");
    assert_int_equal(hf_node_get_counters(f.lone.node)->forwarded, 1);
}

static void refusals_say_what_is_wrong(void **state)
{
    (void)state;
    open_node();
    lone_node_tick(&f.lone, 0);
    meet_other();
    hear_view((hf_epoch)9 << 32, 2);
    expect("GET k", "(waiting)");
    lone_node_wait(&f.lone, f.config.hold_ms + HF_TICK_BUSY_MS);
    assert_string_equal(lone_node_answer(&f.lone, 1),
                        "(error) CLUSTERDOWN no primary serves this "
                        "session, and none did within the hold time");

    hear_view((hf_epoch)10 << 32, 1);
    assert_null(hf_node_get_view(f.lone.node));
    assert_int_equal(status().state, HF_STATE_OUT);
    expect("GET k", "(waiting)");
    hear_beat(HF_STATE_ACTIVE, (hf_epoch)10 << 32);
    lone_node_wait(&f.lone, f.config.hold_ms + HF_TICK_BUSY_MS);
    assert_string_equal(lone_node_answer(&f.lone, 2),
                        "(error) CLUSTERDOWN the cluster went on without this "
                        "node, which is joining again");
}

/* What is told. */

static void a_node_wants_a_tick_soon_when_busy_and_later_when_idle(void **state)
{
    (void)state;
    open_node();
    assert_true(hf_node_deadline(f.lone.node) == LONE_START);
    lone_node_tick(&f.lone, 0);
    assert_true(hf_node_deadline(f.lone.node) == LONE_START + HF_TICK_BUSY_MS);
    lone_node_wait(&f.lone, 1000);
    for (unsigned i = 0; i < 100; i++) {
        hf_time deadline = hf_node_deadline(f.lone.node);
        assert_in_range(deadline, f.lone.now, f.lone.now + HF_TICK_IDLE_MS);
        lone_node_tick(&f.lone, deadline - f.lone.now);
        expect("SET k v PX 50", "OK");
    }
    lone_node_tick(&f.lone, 0);
    assert_true(hf_node_deadline(f.lone.node) == f.lone.now + HF_TICK_IDLE_MS);
}

static void status_shows_a_lone_node(void **state)
{
    (void)state;
    expect("MSET a 1 b 2 c 3", "OK");
    struct hf_node_status s = status();
    assert_int_equal(s.state, HF_STATE_ACTIVE);
    assert_true(s.epoch == hf_node_get_view(f.lone.node)->epoch);
    assert_int_equal(s.member_count, 1);
    assert_string_equal(s.members[0].info->name, "lone");
    assert_true(s.members[0].alive);
    assert_int_equal(s.members[0].sessions, 3);
    assert_int_equal(s.members[0].primaries, HF_PARTITION_COUNT);
    assert_int_equal(s.sessions, 3);
    assert_int_equal(s.local_sessions, 3);
    assert_true(s.local_bytes > 0);
    assert_int_equal(s.under_replicated, 0);
    assert_int_equal(s.partitions_primary, HF_PARTITION_COUNT);
    assert_int_equal(s.partitions_backup, 0);
    assert_true(s.settled);
    assert_true(s.serving);

    expect("FLUSHALL", "OK");
    s = status();
    assert_int_equal(s.sessions, 0);
    assert_int_equal(s.local_bytes, 0);
}

static void counters_tell_what_happened(void **state)
{
    (void)state;
    const struct hf_node_counters *counters = hf_node_get_counters(f.lone.node);
    assert_int_equal(counters->views, 1);
    assert_int_equal(counters->partitions_lost, 0);
    expect("SET a 1", "OK");
    expect("SETNX a 2", "0");
    expect("GET a", "1");
    expect("MSET b 1 c 2", "OK");
    assert_int_equal(counters->operations, 4);
    assert_int_equal(counters->writes, 3); /* What changed nothing is none. */
    assert_int_equal(counters->writes_alone, 3);
    assert_int_equal(counters->writes_degraded, 3);
    assert_int_equal(status().writes_degraded, 3);
    assert_int_equal(status().backups, 1);
    assert_int_equal(counters->refused, 0);
    assert_int_equal(counters->operations_repeated, 0);
}

static void without_wanted_backups_no_write_is_alone(void **state)
{
    (void)state;
    f.config.backups = 0;
    open_node();
    lone_node_start(&f.lone);
    expect("SET a 1", "OK");
    assert_int_equal(hf_node_get_counters(f.lone.node)->writes, 1);
    assert_int_equal(hf_node_get_counters(f.lone.node)->writes_alone, 0);
    assert_int_equal(hf_node_get_counters(f.lone.node)->writes_degraded, 0);
}

/* It needs nobody's lease. */
static void a_lone_node_serves_again_after_a_pause(void **state)
{
    (void)state;
    expect("SET k v", "OK");
    f.lone.now += 3600 * 1000;
    expect("GET k", "v");
    lone_node_tick(&f.lone, 0);
    expect("SET k w", "OK");
    expect("GET k", "w");
    assert_int_equal(hf_node_get_counters(f.lone.node)->views, 1);
}

int main(void)
{
#define NEW(name)                                                              \
    cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)
#define LONE(name)                                                             \
    cmocka_unit_test_setup_teardown(name, open_lone, close_fixture)
    const struct CMUnitTest tests[] = {
        NEW(a_config_out_of_bounds_is_refused),
        NEW(a_node_is_created_whole_or_not_at_all),
        NEW(a_node_can_go_with_work_under_way),
        NEW(a_cluster_is_started_when_nobody_called),
        NEW(a_seed_where_nobody_listens_is_not_waited_for),
        NEW(a_silent_seed_is_waited_for),
        NEW(who_is_no_seed_starts_no_cluster_alone),
        LONE(strings_are_served),
        LONE(hashes_are_served),
        LONE(many_keys_are_one_command),
        LONE(all_partitions_are_counted_and_cleared),
        LONE(a_scan_shows_every_key_once),
        LONE(a_scan_leaves_out_what_does_not_match),
        LONE(a_cursor_of_nobody_is_the_end),
        LONE(a_session_is_gone_at_its_deadline),
        LONE(whoever_writes_finds_no_expired_session),
        LONE(sessions_nobody_asks_for_expire_within_a_second),
        LONE(many_sessions_at_once_expire_in_turns),
        NEW(commands_are_held_then_refused),
        NEW(held_commands_are_carried_out_in_order),
        NEW(what_is_held_is_bounded),
        NEW(commands_that_had_to_wait_are_counted),
        LONE(messages_of_strangers_are_ignored),
        LONE(a_node_under_our_name_is_not_met),
        NEW(who_hears_of_a_cluster_waits_to_be_taken_in),
        NEW(only_in_our_view_an_echo_makes_a_death_fresh),
        NEW(commands_go_to_the_primary_when_it_is_ready),
        NEW(commands_sent_to_another_node_are_counted),
        NEW(refusals_say_what_is_wrong),
        NEW(a_node_wants_a_tick_soon_when_busy_and_later_when_idle),
        LONE(status_shows_a_lone_node),
        LONE(counters_tell_what_happened),
        NEW(without_wanted_backups_no_write_is_alone),
        LONE(a_lone_node_serves_again_after_a_pause),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
