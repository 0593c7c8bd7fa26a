#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/reply.h"
#include "server/info.h"
#include "server/status.h"

struct fixture {
    struct hf_mem mem;
    struct hf_buffer out;
    struct hf_clients_stats clients;
    struct hf_node_status node;
    struct hf_node_counters counters;
    struct hf_turns turns;
    struct hf_peer_info self;
    struct hf_info info;
};

static struct fixture f;

static int set_up(void **state)
{
    (void)state;
    memset(&f, 0, sizeof(f));
    hf_mem_init_system(&f.mem);
    hf_buffer_init(&f.out, &f.mem);
    f.clients.connected = 3;
    f.clients.accepted = 9;
    f.counters.operations = 1234;
    f.node.state = HF_STATE_ACTIVE;
    f.node.epoch = (hf_epoch)7 << 32 | 99;
    f.node.member_count = 1;
    f.node.members[0].info = &f.self;
    f.node.members[0].alive = true;
    f.node.sessions = 44;
    f.node.databases[0] = 42;
    f.node.databases[15] = 2;
    f.node.fences = 5;
    f.node.local_fences = 3;
    f.node.local_fence_bytes = 300;
    f.node.fences_lifted_early = 4;
    f.counters.fences_lifted_early = 2;
    f.self.id = 5;
    f.self.client_port = 7379;
    f.self.peer_port = 17379;
    strcpy(f.self.name, "n1");
    strcpy(f.self.label, "rack");
    strcpy(f.self.host, "::1");
    f.info = (struct hf_info){
        .version = "1.2.3",
        .run_id = "0123456789012345678901234567890123456789",
        .port = 7379,
        .process_id = 77,
        .uptime_seconds = 90000,
        .clients_max = 100,
        .memory_bytes = 4096,
        .cpu_user_us = 1000001,
        .name = "n1",
        .incarnation = 0xab,
        .clients = &f.clients,
        .node = &f.node,
        .counters = &f.counters,
        .turns = &f.turns,
    };
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    hf_buffer_close(&f.out);
    assert_int_equal(f.mem.used_bytes, 0);
    return 0;
}

/* INFO as a text; valid until the next call. */
static const char *info_text(const char *section)
{
    hf_buffer_clear(&f.out);
    hf_info_write(&f.out, hf_slice_text(section), &f.info);
    hf_buffer_put_u8(&f.out, 0);
    assert_false(f.out.failed);
    return (const char *)f.out.data;
}

static void assert_line(const char *text, const char *line)
{
    char whole[256];
    snprintf(whole, sizeof(whole), "\r\n%s\r\n", line);
    if (strstr(text, whole) == NULL) {
        fail_msg("no line '%s' in:\n%s", line, text);
    }
}

static void all_sections_hold_what_drivers_read(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "redis_version:7.2.4",
        "redis_mode:standalone",
        "run_id:0123456789012345678901234567890123456789",
        "tcp_port:7379",
        "process_id:77",
        "uptime_in_seconds:90000",
        "uptime_in_days:1",
        "loading:0",
        "role:master",
        "connected_slaves:0",
        "connected_clients:3",
        "maxclients:100",
        "used_memory:4096",
        "total_connections_received:9",
        "total_commands_processed:1234",
        "used_cpu_user:1.000001",
        "cluster_enabled:0",
        "db0:keys=42,expires=0,avg_ttl=0",
        "db15:keys=2,expires=0,avg_ttl=0",
        "# Holdfast",
        "holdfast_version:1.2.3",
        "incarnation:00000000000000ab",
        "view:7",
        "state:active",
        "members:1",
        "fences:5",
        "local_fences:3",
        "local_fence_bytes:300",
        "fences_lifted_early:2",
        "under_replicated:0",
        "members_slow:0",
        "refill_partitions:3",
        "refill_sessions:4",
        "refill_bytes:5",
        "heartbeats:6",
        "suspicions:7",
        "slow_reported:8",
        "copies_demoted:9",
        "learners_put_off:10",
        "fills:11",
        "fills_resumed:12",
        "fill_bytes:13",
    };
    f.node.refill_partitions = 3;
    f.node.refill_sessions = 4;
    f.node.refill_bytes = 5;
    f.counters.heartbeats = 6;
    f.counters.suspicions = 7;
    f.counters.slow_reported = 8;
    f.counters.copies_demoted = 9;
    f.counters.learners_put_off = 10;
    f.counters.fills = 11;
    f.counters.fills_resumed = 12;
    f.counters.fill_bytes = 13;
    static const char *const names[] = {"", "all", "DEFAULT", "everything"};
    for (size_t i = 0; i < HF_ARRAY_COUNT(names); i++) {
        const char *text = info_text(names[i]);
        assert_memory_equal(text, "# Server\r\n", 10);
        for (size_t j = 0; j < HF_ARRAY_COUNT(lines); j++) {
            assert_line(text, lines[j]);
        }
        assert_null(strstr(text, "loading_eta_seconds"));
    }
}

static void count_turn(uint64_t took_ns)
{
    hf_turns_begin(&f.turns, 7);
    hf_turns_begin(&f.turns, 9); /* Has begun. */
    (void)hf_turns_end(&f.turns, 7 + took_ns);
    assert_false(hf_turns_end(&f.turns, UINT64_MAX)); /* Is over. */
}

static void info_counts_long_turns(void **state)
{
    static const char *const lines[] = {
        "loop_turns:3",        "loop_lag_max_us:25001", "loop_lag_over_1ms:2",
        "loop_lag_over_5ms:1", "loop_lag_over_25ms:1",  "loop_lag_over_100ms:0",
    };
    (void)state;
    count_turn(1000000);
    count_turn(25001000);
    count_turn(1000001);
    const char *text = info_text("holdfast");
    for (size_t i = 0; i < HF_ARRAY_COUNT(lines); i++) {
        assert_line(text, lines[i]);
    }
}

/* Not looked at after each turn: what it grew by counts as of the last. */
static void info_counts_turns_by_processor_time(void **state)
{
    static const char *const lines[] = {
        "loop_cpu_max_us:6000",
        "loop_cpu_over_5ms:1",
        "loop_cpu_over_10ms:0",
    };
    const uint64_t ms = 1000000;
    (void)state;
    memset(&f.turns, 0, sizeof(f.turns));
    hf_turns_begin(&f.turns, 1 * ms);
    assert_true(hf_turns_end(&f.turns, 2 * ms));
    hf_turns_cpu(&f.turns, 500 * ms); /* Used before the first turn. */
    hf_turns_begin(&f.turns, 2 * ms);
    assert_false(hf_turns_end(&f.turns, 3 * ms - 1));
    hf_turns_begin(&f.turns, 3 * ms);
    assert_true(hf_turns_end(&f.turns, 30 * ms)); /* It mostly waited. */
    hf_turns_cpu(&f.turns, 506 * ms);
    const char *text = info_text("holdfast");
    for (size_t i = 0; i < HF_ARRAY_COUNT(lines); i++) {
        assert_line(text, lines[i]);
    }
}

static void one_section_comes_alone(void **state)
{
    (void)state;
    assert_string_equal(info_text("cluster"),
                        "# Cluster\r\ncluster_enabled:0\r\n");
    assert_string_equal(info_text("KEYSPACE"),
                        "# Keyspace\r\ndb0:keys=42,expires=0,avg_ttl=0\r\n"
                        "db15:keys=2,expires=0,avg_ttl=0\r\n");
    assert_string_equal(info_text("nonsense"), "");
}

static void an_empty_keyspace_has_no_line(void **state)
{
    (void)state;
    memset(f.node.databases, 0, sizeof(f.node.databases));
    assert_string_equal(info_text("keyspace"), "# Keyspace\r\n");
}

static void the_cluster_port_says_that_there_is_a_cluster(void **state)
{
    (void)state;
    assert_line(info_text("cluster"), "cluster_enabled:0");
    assert_line(info_text("server"), "redis_mode:standalone");
    f.info.cluster = true;
    assert_line(info_text("cluster"), "cluster_enabled:1");
    assert_line(info_text("server"), "redis_mode:cluster");
}

static void a_node_in_no_view_says_loading(void **state)
{
    (void)state;
    static const enum hf_member_state states[] = {HF_STATE_STARTING,
                                                  HF_STATE_OUT};
    for (size_t i = 0; i < HF_ARRAY_COUNT(states); i++) {
        f.node.state = states[i];
        const char *text = info_text("persistence");
        assert_line(text, "loading:1");
        assert_line(text, "loading_eta_seconds:1");
    }
}

/* Finds "key value" among the tokens; the value is the token after it. */
static struct hf_token token_after(const char *key)
{
    struct hf_reader reader = hf_reader_of(hf_buffer_slice(&f.out));
    struct hf_token token;
    while (hf_token_next(&reader, &token)) {
        if (token.kind == HF_TOKEN_BULK &&
            hf_slice_equal(token.bytes, hf_slice_text(key)) &&
            hf_token_next(&reader, &token)) {
            return token;
        }
    }
    fail_msg("no key '%s'", key);
    return token;
}

static void assert_text(const char *key, const char *value)
{
    struct hf_token token = token_after(key);
    assert_int_equal(token.kind, HF_TOKEN_BULK);
    assert_true(hf_slice_equal(token.bytes, hf_slice_text(value)));
}

static void assert_number(const char *key, int64_t value)
{
    struct hf_token token = token_after(key);
    assert_int_equal(token.kind, HF_TOKEN_INTEGER);
    assert_int_equal(token.integer, value);
}

static void status_is_one_whole_reply(void **state)
{
    (void)state;
    struct hf_reply reply;
    f.node.settled = true;
    f.node.backups = 2;
    f.node.writes_degraded = 11;
    f.node.partitions_lost = 12;
    f.node.sessions_lost = 13;
    f.node.members[0].sessions = 40;
    f.node.members[0].primaries = 1024;
    f.node.members[0].filling = 6;
    f.node.refill_partitions = 7;
    f.node.refill_sessions = 8;
    f.node.refill_bytes = 9;
    hf_status_write(&f.out, &f.node, &f.self, 60);
    assert_false(f.out.failed);
    assert_true(hf_reply_decode(hf_buffer_slice(&f.out), &reply));
    assert_number("view", 7);
    assert_text("state", "active");
    assert_number("settled", 1);
    assert_number("sessions", 44);
    assert_number("partitions", 1024);
    assert_number("fences", 5);
    assert_number("fences_lifted_early", 4);
    assert_number("drain_timeout", 60);
    assert_number("backups", 2);
    assert_number("writes_degraded", 11);
    assert_number("partitions_lost", 12);
    assert_number("sessions_lost", 13);
    assert_int_equal(token_after("members").kind, HF_TOKEN_ARRAY);
    assert_int_equal(token_after("members").count, 1);
    assert_text("address", "[::1]:7379");
    assert_text("peer_address", "[::1]:17379");
    assert_text("label", "rack");
    assert_number("primaries", 1024);
    assert_number("filling", 6);
    assert_number("refill_partitions", 7);
    assert_number("refill_sessions", 8);
    assert_number("refill_bytes", 9);
    assert_number("self", 1);
}

/* A slow one still is alive. */
static void info_tells_how_many_are_slow(void **state)
{
    (void)state;
    assert_line(info_text("holdfast"), "members_slow:0");
    f.node.members[0].slow = true;
    assert_line(info_text("holdfast"), "members_slow:1");
}

static void assert_member_state(bool alive, bool leaving,
                                struct hf_slice wanted)
{
    struct hf_peer_info other = f.self;
    other.id++;
    f.node.members[0].alive = alive;
    f.node.members[0].leaving = leaving;
    f.node.members[0].info = &other;
    f.node.state = HF_STATE_STARTING;
    hf_status_write(&f.out, &f.node, &f.self, 60);
    assert_text("state", "starting"); /* The node's own comes first. */
    assert_number("self", 0);
    struct hf_token label = token_after("label");
    assert_true(hf_slice_equal(label.bytes, HF_SLICE_LITERAL("rack")));
    struct hf_reader rest = hf_reader_of(hf_buffer_slice(&f.out));
    rest.offset = (size_t)(label.bytes.data - f.out.data) + 4;
    struct hf_token token;
    assert_true(hf_token_next(&rest, &token)); /* "state" */
    assert_true(hf_token_next(&rest, &token));
    assert_true(hf_slice_equal(token.bytes, wanted));
}

static void status_tells_who_is_silent(void **state)
{
    (void)state;
    assert_member_state(false, true, HF_SLICE_LITERAL("silent"));
}

static void status_tells_who_is_leaving(void **state)
{
    (void)state;
    assert_member_state(true, true, HF_SLICE_LITERAL("leaving"));
}

static void status_tells_who_is_slow(void **state)
{
    (void)state;
    f.node.members[0].slow = true;
    assert_member_state(true, true, HF_SLICE_LITERAL("leaving"));
    hf_buffer_clear(&f.out);
    assert_member_state(true, false, HF_SLICE_LITERAL("slow"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(all_sections_hold_what_drivers_read),
        TEST(info_counts_long_turns),
        TEST(info_counts_turns_by_processor_time),
        TEST(one_section_comes_alone),
        TEST(an_empty_keyspace_has_no_line),
        TEST(the_cluster_port_says_that_there_is_a_cluster),
        TEST(a_node_in_no_view_says_loading),
        TEST(status_is_one_whole_reply),
        TEST(info_tells_how_many_are_slow),
        TEST(status_tells_who_is_silent),
        TEST(status_tells_who_is_leaving),
        TEST(status_tells_who_is_slow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
