/* topology_test.c - What clients of the cluster protocol and of Sentinel are
 * told: core/topology.h, CLUSTER, SENTINEL, MOVED. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "core/placement.h"
#include "core/topology.h"
#include "support/wire_client.h"

#define QUARTER (HF_PARTITION_COUNT / 4)
#define QUARTER_SLOTS (HF_SLOT_COUNT / 4)
#define CROSSSLOT "-CROSSSLOT Keys in request don't hash to the same slot\r\n"
#define OUT "-CLUSTERDOWN this node is in no cluster\r\n"
#define NO_MASTER "-ERR No such master with that name\r\n"

static struct hf_view view; /* Too large for a stack. */
static struct client c;

/* Four members; each is the primary of a quarter, in order. */
static int set_up(void **state)
{
    (void)state;
    memset(&view, 0, sizeof(view));
    view.epoch = (hf_epoch)9 << 32;
    view.member_count = 4;
    for (uint8_t i = 0; i < 4; i++) {
        struct hf_peer_info *info = &view.members[i];
        info->id = UINT64_C(0x1000) + i;
        info->incarnation = 1;
        info->peer_port = (uint16_t)(17001 + i);
        info->client_port = (uint16_t)(7001 + i);
        info->cluster_port = (uint16_t)(8001 + i);
        info->name[0] = (char)('a' + i);
        memcpy(info->host, "10.0.0.1", sizeof("10.0.0.1"));
        info->host[7] = (char)('1' + i);
    }
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        view.acting[p].count = 2;
        view.acting[p].members[0] = (uint8_t)(p / QUARTER);
        view.acting[p].members[1] = (uint8_t)((p / QUARTER + 1) % 4);
    }
    client_open(&c);
    c.topology = (struct hf_topology){
        .view = &view, .alive = 0xf, .level = 0xf, .serving = true};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    client_close(&c);
    return 0;
}

static void exchange(const char *sent, const char *expected)
{
    client_send(&c, sent);
    client_expect(&c, expected);
}

/* A key of each quarter. */
static const char *const keys[] = {"k2", "k3", "k0", "k1"};

static uint16_t slot_of(const char *key)
{
    return hf_slot_of_key(hf_slice_text(key));
}

/* Fronts. */

static void a_member_that_can_is_its_own_front(void **state)
{
    (void)state;
    for (uint8_t i = 0; i < 4; i++) {
        assert_int_equal(hf_view_front(&view, i), i);
    }
    assert_int_equal(hf_view_front_of(&view, QUARTER), 1);
}

static void another_stands_in_for_one_without_a_port(void **state)
{
    (void)state;
    view.members[0].cluster_port = 0;
    view.members[2].cluster_port = 0;
    assert_int_equal(hf_view_front(&view, 0), 1);
    assert_int_equal(hf_view_front(&view, 1), 1);
    assert_int_equal(hf_view_front(&view, 2), 1);
    assert_int_equal(hf_view_front(&view, 3), 3);
}

static void another_stands_in_for_one_that_is_absent(void **state)
{
    (void)state;
    view.absent = hf_member_set_of(0) | hf_member_set_of(3);
    assert_int_equal(hf_view_front(&view, 0), 1);
    assert_int_equal(hf_view_front(&view, 3), 1);
    view.members[1].cluster_port = 0;
    view.members[2].cluster_port = 0;
    assert_int_equal(hf_view_front(&view, 2), HF_MEMBER_NONE);
}

static void one_that_leaves_stands_in_only_if_nobody_stays(void **state)
{
    (void)state;
    view.members[3].cluster_port = 0;
    view.leaving = hf_member_set_of(0) | hf_member_set_of(1);
    assert_int_equal(hf_view_front(&view, 0), 0); /* For itself it does. */
    assert_int_equal(hf_view_front(&view, 3), 2);
    view.leaving |= hf_member_set_of(2);
    assert_int_equal(hf_view_front(&view, 3), 2);
    view.members[2].cluster_port = 0;
    assert_int_equal(hf_view_front(&view, 2), 1);
}

static void ids_are_forty_digits_and_those_of_the_name(void **state)
{
    (void)state;
    char ids[2][HF_TOPOLOGY_ID_DIGITS + 1];
    hf_topology_id(&view.members[0], ids[0]);
    view.members[0].incarnation = 77;
    view.members[0].client_port = 1;
    hf_topology_id(&view.members[0], ids[1]);
    assert_string_equal(ids[0], ids[1]);
    assert_int_equal(strlen(ids[0]), 40);
    assert_int_equal(strspn(ids[0], "0123456789abcdef"), 40);
    hf_topology_id(&view.members[1], ids[1]);
    assert_string_not_equal(ids[0], ids[1]);
    assert_memory_not_equal(ids[0] + 16, ids[1] + 16, 24);
}

/* MOVED. */

/* A client of the cluster protocol that has asked what it is told. */
static void be_of_cluster(void)
{
    c.connection.cluster = true;
    exchange("CLUSTER KEYSLOT foo\r\n", ":12182\r\n");
}

static void a_client_learns_who_has_its_key(void **state)
{
    (void)state;
    be_of_cluster();
    for (uint8_t i = 1; i < 4; i++) {
        char sent[64], moved[64];
        assert_int_equal(slot_of(keys[i]) / QUARTER_SLOTS, i);
        snprintf(sent, sizeof(sent), "GET %s\r\n", keys[i]);
        snprintf(moved, sizeof(moved), "-MOVED %u 10.0.0.%u:800%u\r\n",
                 (unsigned)slot_of(keys[i]), i + 1u, i + 1u);
        exchange(sent, moved);
    }
    client_expect_asked(&c, "");
    client_send(&c, "GET k2\r\n");
    client_expect_asked(&c, "GET k2\n");
    client_answer(&c, 0, "x");
    client_expect(&c, "$1\r\nx\r\n");
}

static void assert_is_served(const char *sent, const char *asked)
{
    client_send(&c, sent);
    client_expect_asked(&c, asked);
    client_answer(&c, c.count - 1, "x");
    client_expect(&c, "$1\r\nx\r\n");
}

static void who_asks_about_no_node_is_sent_to_none(void **state)
{
    (void)state;
    c.connection.cluster = true;
    exchange("PING\r\n", "+PONG\r\n");
    assert_is_served("GET k3\r\n", "GET k3\n");
    be_of_cluster();
    exchange("GET k3\r\n", "-MOVED 4576 10.0.0.2:8002\r\n");
}

static void a_key_of_one_who_is_not_heard_or_behind_is_forwarded(void **state)
{
    (void)state;
    be_of_cluster();
    c.topology.level = 0x5; /* Not the second. */
    assert_is_served("GET k3\r\n", "GET k3\n");
    c.topology.alive = 0x5;
    assert_is_served("GET k3\r\n", "GET k3\n");
    exchange("GET k0\r\n", "-MOVED 8579 10.0.0.3:8003\r\n");
    view.members[2].cluster_port = 0; /* We are its front. */
    assert_is_served("GET k0\r\n", "GET k0\n");
    c.topology = (struct hf_topology){.self = HF_MEMBER_NONE};
    assert_is_served("GET k1\r\n", "GET k1\n");
}

static void the_plain_port_sends_nobody_away(void **state)
{
    (void)state;
    assert_is_served("GET k1\r\n", "GET k1\n");
    assert_is_served("MGET foo b\r\n", "MGET foo b\n");
    exchange("SELECT 3\r\n", "+OK\r\n");
}

static void a_command_has_keys_of_one_slot(void **state)
{
    (void)state;
    be_of_cluster();
    exchange("MGET bar b\r\n", CROSSSLOT);
    exchange("MSET bar b b b\r\n", CROSSSLOT);
    exchange("EXISTS k1 k2 k1\r\n", CROSSSLOT);
    assert_is_served("MGET {k2}1 k2 {k2}2\r\n", "MGET {k2}1 k2 {k2}2\n");
    assert_is_served("MSET {k2}1 foo k2 b\r\n", "MSET {k2}1 foo k2 b\n");
}

static void a_transaction_has_keys_of_one_slot(void **state)
{
    (void)state;
    be_of_cluster();
    exchange("MULTI\r\n", "+OK\r\n");
    exchange("SET k2 x\r\n", "+QUEUED\r\n");
    exchange("SET {k2}1 x\r\n", "+QUEUED\r\n");
    exchange("SET k3 x\r\n", CROSSSLOT);
    exchange("EXEC\r\n", "-EXECABORT Transaction discarded because of previous "
                         "errors.\r\n");
    exchange("MULTI\r\n", "+OK\r\n");
    exchange("SET k3 x\r\n", "+QUEUED\r\n"); /* Not sent away. */
    exchange("DISCARD\r\n", "+OK\r\n");
    exchange("GET k3\r\n", "-MOVED 4576 10.0.0.2:8002\r\n");
}

static void a_script_has_keys_of_one_slot(void **state)
{
    (void)state;
    be_of_cluster();
    exchange("EVAL x 2 k2 k3\r\n", CROSSSLOT);
    exchange("EVAL x 1 k3 a\r\n", "-MOVED 4576 10.0.0.2:8002\r\n");
}

static void there_is_one_database(void **state)
{
    (void)state;
    be_of_cluster();
    exchange("SELECT 0\r\n", "+OK\r\n");
    exchange("SELECT 1\r\n", "-ERR SELECT is not allowed in cluster mode\r\n");
    exchange("SELECT 16\r\n", "-ERR DB index is out of range\r\n");
    assert_int_equal(c.connection.database, 0);
}

/* It is refused at its place in EXEC, so what follows is of database 0. */
static void a_transaction_is_of_the_one_database(void **state)
{
    static const char asked[] = "EXEC k2 ";
    (void)state;
    be_of_cluster();
    hf_buffer_clear(&c.asked);
    exchange("MULTI\r\n", "+OK\r\n");
    exchange("SELECT 3\r\n", "+QUEUED\r\n");
    exchange("SET k2 x\r\n", "+QUEUED\r\n");
    client_send(&c, "EXEC\r\n");
    assert_true(c.asked.size > sizeof(asked));
    assert_memory_equal(c.asked.data, asked, sizeof(asked) - 1);
    struct hf_buffer tokens;
    hf_buffer_init(&tokens, &c.own);
    hf_reply_put_array(&tokens, 1);
    hf_reply_put_status(&tokens, HF_SLICE_LITERAL("OK"));
    struct hf_reply reply = hf_reply_nested(&tokens);
    hf_connection_reply(&c.connection, c.tags[c.count - 1], &reply);
    hf_connection_resume(&c.connection);
    hf_buffer_close(&tokens);
    client_expect(&c, "*2\r\n-ERR SELECT is not allowed in cluster mode\r\n"
                      "+OK\r\n");
    assert_int_equal(c.connection.database, 0);
}

/* CLUSTER. */

static void id_of(uint8_t member, char *id)
{
    hf_topology_id(&view.members[member], id);
}

/* "*3 :first :last *4 host port id *0" for each. */
static void expect_slots(const uint8_t *fronts, const unsigned *ends,
                         size_t count)
{
    char text[4096];
    size_t size = 0;
    unsigned first = 0;
    size += (size_t)snprintf(text, sizeof(text), "*%zu\r\n", count);
    for (size_t i = 0; i < count; i++) {
        char id[HF_TOPOLOGY_ID_DIGITS + 1];
        id_of(fronts[i], id);
        size += (size_t)snprintf(
            text + size, sizeof(text) - size,
            "*3\r\n:%u\r\n:%u\r\n*4\r\n$8\r\n10.0.0.%u\r\n:%u\r\n$40\r\n%s\r\n"
            "*0\r\n",
            first, ends[i], fronts[i] + 1u, 8001u + fronts[i], id);
        first = ends[i] + 1;
    }
    exchange("CLUSTER SLOTS\r\n", text);
}

static void slots_are_ranges_without_holes(void **state)
{
    (void)state;
    be_of_cluster();
    expect_slots((uint8_t[]){0, 1, 2, 3},
                 (unsigned[]){4095, 8191, 12287, 16383}, 4);
    view.members[2].cluster_port = 0; /* The first stands in. */
    expect_slots((uint8_t[]){0, 1, 0, 3},
                 (unsigned[]){4095, 8191, 12287, 16383}, 4);
    view.members[1].cluster_port = 0; /* And neighbours are one range. */
    expect_slots((uint8_t[]){0, 3}, (unsigned[]){12287, 16383}, 2);
}

/* Whoever is asked, and whoever that one hears. */
static void all_nodes_of_a_view_tell_the_same_slots(void **state)
{
    (void)state;
    be_of_cluster();
    for (uint8_t self = 0; self < 4; self++) {
        c.topology.self = self;
        c.topology.alive = hf_member_set_of(self);
        c.topology.level = hf_member_set_of(self);
        expect_slots((uint8_t[]){0, 1, 2, 3},
                     (unsigned[]){4095, 8191, 12287, 16383}, 4);
    }
}

static void nodes_are_one_line_each(void **state)
{
    (void)state;
    be_of_cluster();
    c.topology.self = 1;
    c.topology.alive = 0x7;
    view.members[0].cluster_port = 0; /* It is not told of. */
    char ids[4][HF_TOPOLOGY_ID_DIGITS + 1];
    char lines[1024], text[1100];
    for (uint8_t i = 0; i < 4; i++) {
        id_of(i, ids[i]);
    }
    snprintf(lines, sizeof(lines),
             "%s 10.0.0.2:8002@17002 myself,master - 0 0 9 connected 0-8191\n"
             "%s 10.0.0.3:8003@17003 master - 0 0 9 connected 8192-12287\n"
             "%s 10.0.0.4:8004@17004 master,fail? - 0 0 9 disconnected "
             "12288-16383\n",
             ids[1], ids[2], ids[3]);
    snprintf(text, sizeof(text), "$%zu\r\n%s\r\n", strlen(lines), lines);
    exchange("CLUSTER NODES\r\n", text);
    snprintf(text, sizeof(text), "$40\r\n%s\r\n", ids[1]);
    exchange("CLUSTER MYID\r\n", text);
}

static void shards_say_the_same_as_slots(void **state)
{
    (void)state;
    be_of_cluster();
    view.member_count = 2;
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        view.acting[p].members[0] = p < QUARTER || p >= 3 * QUARTER ? 0 : 1;
    }
    c.topology.alive = 0x1;
    char text[1024];
    char ids[2][HF_TOPOLOGY_ID_DIGITS + 1];
    id_of(0, ids[0]);
    id_of(1, ids[1]);
#define SHARD                                                                  \
    "$5\r\nnodes\r\n*1\r\n*14\r\n$2\r\nid\r\n$40\r\n%s\r\n$4\r\nport\r\n"      \
    ":%u\r\n$2\r\nip\r\n$8\r\n%s\r\n$8\r\nendpoint\r\n$8\r\n%s\r\n"            \
    "$4\r\nrole\r\n$6\r\nmaster\r\n$18\r\nreplication-offset\r\n:0\r\n"        \
    "$6\r\nhealth\r\n%s\r\n"
    snprintf(text, sizeof(text),
             "*2\r\n*4\r\n$5\r\nslots\r\n*4\r\n:0\r\n:4095\r\n:12288\r\n"
             ":16383\r\n" SHARD
             "*4\r\n$5\r\nslots\r\n*2\r\n:4096\r\n:12287\r\n" SHARD,
             ids[0], 8001u, "10.0.0.1", "10.0.0.1", "$6\r\nonline", ids[1],
             8002u, "10.0.0.2", "10.0.0.2", "$4\r\nfail");
    exchange("CLUSTER SHARDS\r\n", text);
}

static void tells_of_slots_and_keys(void **state)
{
    (void)state;
    be_of_cluster();
    exchange("CLUSTER KEYSLOT foo\r\n", ":12182\r\n");
    exchange("CLUSTER COUNTKEYSINSLOT 3\r\n", ":3\r\n");
    exchange("CLUSTER COUNTKEYSINSLOT 16384\r\n", "-ERR Invalid slot\r\n");
    exchange("CLUSTER COUNTKEYSINSLOT -1\r\n", "-ERR Invalid slot\r\n");
    exchange("CLUSTER GETKEYSINSLOT 3 2\r\n", "*2\r\n$1\r\nk\r\n$1\r\nk\r\n");
    exchange("CLUSTER GETKEYSINSLOT 3 -1\r\n",
             "-ERR Invalid slot or number of keys\r\n");
    exchange("CLUSTER REPLICAS x\r\n", "*0\r\n");
    exchange("CLUSTER MEET 10.0.0.9 7000\r\n",
             "-ERR nodes and slots are managed by Holdfast itself, see "
             "HOLDFAST STATUS\r\n");
    exchange("CLUSTER nope\r\n",
             "-ERR unknown subcommand 'nope'. Try CLUSTER HELP.\r\n");
    exchange("READONLY\r\n", "+OK\r\n");
    exchange("READWRITE\r\n", "+OK\r\n");
    exchange("ASKING\r\n", "+OK\r\n");
    exchange("COMMAND GETKEYS MSET a 1 b 2\r\n",
             "*2\r\n$1\r\na\r\n$1\r\nb\r\n");
    exchange("COMMAND GETKEYS PING\r\n",
             "-ERR The command has no key arguments\r\n");
    exchange("COMMAND GETKEYS nope\r\n", "-ERR Invalid command specified\r\n");
    exchange("COMMAND GETKEYS GET\r\n",
             "-ERR Invalid number of arguments specified for command\r\n");
}

static void a_node_in_no_view_has_nothing_to_tell(void **state)
{
    (void)state;
    be_of_cluster();
    c.topology = (struct hf_topology){.self = HF_MEMBER_NONE};
    exchange("CLUSTER SLOTS\r\n", OUT);
    exchange("CLUSTER SHARDS\r\n", OUT);
    exchange("CLUSTER NODES\r\n", OUT);
    exchange("CLUSTER MYID\r\n", OUT);
    client_send(&c, "CLUSTER INFO\r\n");
    hf_buffer_append(&c.connection.output, "", 1);
    assert_non_null(strstr((char *)c.connection.output.data,
                           "cluster_state:fail\r\ncluster_slots_assigned:0"));
    hf_buffer_clear(&c.connection.output);
}

static void info_says_that_all_slots_are_assigned(void **state)
{
    (void)state;
    be_of_cluster();
    view.members[3].cluster_port = 0;
    exchange("CLUSTER INFO\r\n",
             "$220\r\ncluster_enabled:1\r\ncluster_state:ok\r\n"
             "cluster_slots_assigned:16384\r\ncluster_slots_ok:16384\r\n"
             "cluster_slots_pfail:0\r\ncluster_slots_fail:0\r\n"
             "cluster_known_nodes:3\r\ncluster_size:3\r\n"
             "cluster_current_epoch:9\r\ncluster_my_epoch:9\r\n\r\n");
}

/* SENTINEL. */

static void expect_master(const char *name, unsigned number)
{
    char sent[128], text[128];
    snprintf(sent, sizeof(sent), "SENTINEL get-master-addr-by-name %s\r\n",
             name);
    snprintf(text, sizeof(text), "*2\r\n$8\r\n10.0.0.%u\r\n$4\r\n%u\r\n",
             number, 7000 + number);
    exchange(sent, number == 0 ? "*-1\r\n" : text);
}

static void the_master_is_the_node_asked_if_it_can_be(void **state)
{
    (void)state;
    expect_master("any", 1);
    c.topology.self = 2;
    expect_master("any", 3);
    view.leaving = hf_member_set_of(2);
    expect_master("any", 1);
    c.topology.level = 0x6;
    expect_master("any", 2);
    view.leaving = 0xf;
    expect_master("any", 3);
    c.topology.serving = false;
    expect_master("any", 0);
    exchange("SENTINEL MASTERS\r\n", "*0\r\n");
    exchange("SENTINEL MASTER any\r\n", NO_MASTER);
    exchange("SENTINEL ckquorum any\r\n",
             "-NOQUORUM this node does not serve\r\n");
}

static void another_name_than_that_of_the_setting_is_unknown(void **state)
{
    (void)state;
    c.host.sentinel_name = "shop";
    expect_master("shop", 1);
    expect_master("mymaster", 0);
    exchange("SENTINEL MASTER mymaster\r\n", NO_MASTER);
    exchange("SENTINEL SENTINELS mymaster\r\n", NO_MASTER);
    exchange("SENTINEL REPLICAS mymaster\r\n", NO_MASTER);
    exchange("SENTINEL CKQUORUM mymaster\r\n", NO_MASTER);
    exchange("SENTINEL CKQUORUM shop\r\n",
             "+OK 4 usable Sentinels. Quorum and failover authorization can be "
             "reached\r\n");
}

/* Whether the answer holds @text so many times. */
static void expect_times(const char *sent, const char *text, int times)
{
    client_send(&c, sent);
    hf_buffer_append(&c.connection.output, "", 1);
    const char *at = (const char *)c.connection.output.data;
    int found = 0;
    for (; (at = strstr(at, text)) != NULL; at++) {
        found++;
    }
    assert_int_equal(found, times);
    hf_buffer_clear(&c.connection.output);
}

static void lists_have_the_others_that_live(void **state)
{
    (void)state;
    c.topology.level = 0x7;
    expect_times("SENTINEL sentinels x\r\n", "$2\r\nip\r\n", 2);
    expect_times("SENTINEL sentinels x\r\n", "10.0.0.1", 0);
    expect_times("SENTINEL sentinels x\r\n", "$8\r\nsentinel\r\n", 2);
    expect_times("SENTINEL replicas x\r\n", "$5\r\nslave\r\n", 2);
    expect_times("SENTINEL slaves x\r\n", "$8\r\n10.0.0.3\r\n", 1);
    expect_times("SENTINEL masters\r\n", "$5\r\nflags\r\n$6\r\nmaster\r\n", 2);
    expect_times("SENTINEL masters\r\n", "$4\r\nname\r\n$8\r\nmymaster\r\n", 1);
    expect_times("SENTINEL masters\r\n", "$4\r\nname\r\n$8\r\nholdfast\r\n", 1);
    expect_times("SENTINEL master x\r\n", "$4\r\nname\r\n$1\r\nx\r\n", 1);
    expect_times("SENTINEL master x\r\n", "num-other-sentinels\r\n$1\r\n2", 1);
    c.host.sentinel_name = "shop";
    expect_times("SENTINEL masters\r\n", "$4\r\nname\r\n$4\r\nshop\r\n", 1);
    expect_times("SENTINEL masters\r\n", "$4\r\nname\r\n", 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_member_that_can_is_its_own_front),
        TEST(another_stands_in_for_one_without_a_port),
        TEST(another_stands_in_for_one_that_is_absent),
        TEST(one_that_leaves_stands_in_only_if_nobody_stays),
        TEST(ids_are_forty_digits_and_those_of_the_name),
        TEST(a_client_learns_who_has_its_key),
        TEST(who_asks_about_no_node_is_sent_to_none),
        TEST(a_key_of_one_who_is_not_heard_or_behind_is_forwarded),
        TEST(the_plain_port_sends_nobody_away),
        TEST(a_command_has_keys_of_one_slot),
        TEST(a_transaction_has_keys_of_one_slot),
        TEST(a_script_has_keys_of_one_slot),
        TEST(there_is_one_database),
        TEST(a_transaction_is_of_the_one_database),
        TEST(slots_are_ranges_without_holes),
        TEST(all_nodes_of_a_view_tell_the_same_slots),
        TEST(nodes_are_one_line_each),
        TEST(shards_say_the_same_as_slots),
        TEST(tells_of_slots_and_keys),
        TEST(a_node_in_no_view_has_nothing_to_tell),
        TEST(info_says_that_all_slots_are_assigned),
        TEST(the_master_is_the_node_asked_if_it_can_be),
        TEST(another_name_than_that_of_the_setting_is_unknown),
        TEST(lists_have_the_others_that_live),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
