/* CLUSTER, and what else is different on the port of the cluster protocol. */
#include "wire/connection_cluster.h"

#include <string.h>

#include "core/topology.h"
#include "wire/connection_commands.h"
#include "wire/connection_multi.h"
#include "wire/connection_topics.h"

#define ERROR_DISABLED "ERR This instance has cluster support disabled"
#define ERROR_OUT "CLUSTERDOWN this node is in no cluster"
#define ERROR_MANAGED                                                          \
    "ERR nodes and slots are managed by Holdfast itself, see HOLDFAST STATUS"
#define ERROR_CROSSSLOT "CROSSSLOT Keys in request don't hash to the same slot"

/* Slots in a row that have the same front. */
struct range {
    uint16_t first;
    uint16_t last;
    uint8_t front;
};

/* The range that begins with @partition; false at the end. */
static bool range_at(const struct hf_view *view, uint16_t partition,
                     struct range *range)
{
    if (partition >= HF_PARTITION_COUNT) {
        return false;
    }
    uint16_t end = partition;
    range->front = hf_view_front_of(view, partition);
    while (end < HF_PARTITION_COUNT &&
           hf_view_front_of(view, end) == range->front) {
        end++;
    }
    range->first = (uint16_t)(partition * HF_SLOTS_PER_PARTITION);
    range->last = (uint16_t)(end * HF_SLOTS_PER_PARTITION - 1);
    return true;
}

static uint16_t range_next(const struct range *range)
{
    return (uint16_t)((range->last + 1) / HF_SLOTS_PER_PARTITION);
}

/* Those of @front alone, unless that is HF_MEMBER_NONE. */
static uint32_t range_count(const struct hf_view *view, uint8_t front)
{
    uint32_t count = 0;
    struct range range;
    for (uint16_t p = 0; range_at(view, p, &range); p = range_next(&range)) {
        count += front == HF_MEMBER_NONE || front == range.front ? 1 : 0;
    }
    return count;
}

/* Whether it is one of the nodes that clients of this protocol are told of. */
static bool is_told(const struct hf_view *view, uint8_t member)
{
    return hf_view_front(view, member) == member;
}

static uint32_t told_count(const struct hf_view *view)
{
    uint32_t count = 0;
    for (uint8_t i = 0; i < view->member_count; i++) {
        count += is_told(view, i) ? 1 : 0;
    }
    return count;
}

/* False: this node cannot say anything; there is an error in @reply. */
static bool topology_get(struct hf_connection *connection,
                         struct hf_topology *topology, struct hf_reply *reply)
{
    connection->host->topology(connection->host->user, topology);
    if (topology->view == NULL || told_count(topology->view) == 0) {
        *reply = hf_reply_error(ERROR_OUT);
        return false;
    }
    return true;
}

static void put_text(struct hf_buffer *out, const char *text)
{
    hf_reply_put_bulk(out, hf_slice_text(text));
}

static void put_id(struct hf_buffer *out, const struct hf_peer_info *info)
{
    char id[HF_TOPOLOGY_ID_DIGITS + 1];
    hf_topology_id(info, id);
    put_text(out, id);
}

static struct hf_reply slots_run(struct hf_connection *connection,
                                 const struct hf_command *command)
{
    (void)command;
    struct hf_topology topology;
    struct hf_reply reply;
    if (!topology_get(connection, &topology, &reply)) {
        return reply;
    }
    const struct hf_view *view = topology.view;
    struct hf_buffer *out = &connection->tokens;
    struct range range;
    hf_reply_put_array(out, range_count(view, HF_MEMBER_NONE));
    for (uint16_t p = 0; range_at(view, p, &range); p = range_next(&range)) {
        const struct hf_peer_info *info = &view->members[range.front];
        hf_reply_put_array(out, 3);
        hf_reply_put_integer(out, range.first);
        hf_reply_put_integer(out, range.last);
        hf_reply_put_array(out, 4);
        put_text(out, info->host);
        hf_reply_put_integer(out, info->cluster_port);
        put_id(out, info);
        hf_reply_put_array(out, 0);
    }
    return hf_reply_nested(out);
}

static void put_shard(struct hf_buffer *out, const struct hf_topology *topology,
                      uint8_t member)
{
    const struct hf_view *view = topology->view;
    const struct hf_peer_info *info = &view->members[member];
    bool alive = (topology->alive & hf_member_set_of(member)) != 0;
    struct range range;
    hf_reply_put_map(out, 2);
    put_text(out, "slots");
    hf_reply_put_array(out, 2 * range_count(view, member));
    for (uint16_t p = 0; range_at(view, p, &range); p = range_next(&range)) {
        if (range.front == member) {
            hf_reply_put_integer(out, range.first);
            hf_reply_put_integer(out, range.last);
        }
    }
    put_text(out, "nodes");
    hf_reply_put_array(out, 1);
    hf_reply_put_map(out, 7);
    put_text(out, "id");
    put_id(out, info);
    put_text(out, "port");
    hf_reply_put_integer(out, info->cluster_port);
    put_text(out, "ip");
    put_text(out, info->host);
    put_text(out, "endpoint");
    put_text(out, info->host);
    put_text(out, "role");
    put_text(out, "master");
    put_text(out, "replication-offset");
    hf_reply_put_integer(out, 0);
    put_text(out, "health");
    put_text(out, alive ? "online" : "fail");
}

static struct hf_reply shards_run(struct hf_connection *connection,
                                  const struct hf_command *command)
{
    (void)command;
    struct hf_topology topology;
    struct hf_reply reply;
    if (!topology_get(connection, &topology, &reply)) {
        return reply;
    }
    hf_reply_put_array(&connection->tokens, told_count(topology.view));
    for (uint8_t i = 0; i < topology.view->member_count; i++) {
        if (is_told(topology.view, i)) {
            put_shard(&connection->tokens, &topology, i);
        }
    }
    return hf_reply_nested(&connection->tokens);
}

/* id host:port@bus flags master ping pong epoch link range ... */
static void append_node(struct hf_buffer *out,
                        const struct hf_topology *topology, uint8_t member)
{
    const struct hf_view *view = topology->view;
    const struct hf_peer_info *info = &view->members[member];
    bool alive = (topology->alive & hf_member_set_of(member)) != 0;
    char id[HF_TOPOLOGY_ID_DIGITS + 1];
    struct range range;
    hf_topology_id(info, id);
    hf_buffer_append_format(
        out, "%s %s:%u@%u %smaster%s - 0 0 ", id, info->host,
        (unsigned)info->cluster_port, (unsigned)info->peer_port,
        member == topology->self ? "myself," : "", alive ? "" : ",fail?");
    hf_buffer_append_int64(out, (int64_t)(view->epoch >> 32));
    hf_buffer_append_text(out, alive ? " connected" : " disconnected");
    for (uint16_t p = 0; range_at(view, p, &range); p = range_next(&range)) {
        if (range.front == member) {
            hf_buffer_append_format(out, " %u-%u", (unsigned)range.first,
                                    (unsigned)range.last);
        }
    }
    hf_buffer_append_text(out, "\n");
}

static struct hf_reply nodes_run(struct hf_connection *connection,
                                 const struct hf_command *command)
{
    (void)command;
    struct hf_topology topology;
    struct hf_reply reply;
    if (!topology_get(connection, &topology, &reply)) {
        return reply;
    }
    for (uint8_t i = 0; i < topology.view->member_count; i++) {
        if (is_told(topology.view, i)) {
            append_node(&connection->text, &topology, i);
        }
    }
    return hf_connection_text_reply(connection);
}

static uint32_t masters_count(const struct hf_view *view)
{
    uint32_t count = 0;
    for (uint8_t i = 0; i < view->member_count; i++) {
        count += is_told(view, i) && range_count(view, i) > 0 ? 1 : 0;
    }
    return count;
}

static struct hf_reply info_run(struct hf_connection *connection,
                                const struct hf_command *command)
{
    (void)command;
    struct hf_topology topology;
    connection->host->topology(connection->host->user, &topology);
    const struct hf_view *view = topology.view;
    bool ok = view != NULL && told_count(view) > 0;
    unsigned slots = ok ? HF_SLOT_COUNT : 0;
    unsigned nodes = ok ? told_count(view) : 0;
    unsigned masters = ok ? masters_count(view) : 0;
    unsigned long long epoch = ok ? view->epoch >> 32 : 0;
    hf_buffer_append_format(&connection->text,
                            "cluster_enabled:1\r\n"
                            "cluster_state:%s\r\n"
                            "cluster_slots_assigned:%u\r\n"
                            "cluster_slots_ok:%u\r\n"
                            "cluster_slots_pfail:0\r\n"
                            "cluster_slots_fail:0\r\n",
                            ok ? "ok" : "fail", slots, slots);
    hf_buffer_append_format(&connection->text,
                            "cluster_known_nodes:%u\r\n"
                            "cluster_size:%u\r\n"
                            "cluster_current_epoch:%llu\r\n"
                            "cluster_my_epoch:%llu\r\n",
                            nodes, masters, epoch, epoch);
    return hf_connection_text_reply(connection);
}

static struct hf_reply myid_run(struct hf_connection *connection,
                                const struct hf_command *command)
{
    (void)command;
    struct hf_topology topology;
    struct hf_reply reply;
    if (!topology_get(connection, &topology, &reply)) {
        return reply;
    }
    put_id(&connection->tokens, &topology.view->members[topology.self]);
    return hf_reply_nested(&connection->tokens);
}

static struct hf_reply keyslot_run(struct hf_connection *connection,
                                   const struct hf_command *command)
{
    (void)connection;
    return hf_reply_integer(hf_slot_of_key(command->argv[2]));
}

static bool read_slot(struct hf_slice text, uint16_t *slot)
{
    int64_t number;
    if (!hf_slice_to_int64(text, &number) || number < 0 ||
        number >= HF_SLOT_COUNT) {
        return false;
    }
    *slot = (uint16_t)number;
    return true;
}

static struct hf_reply countkeysinslot_run(struct hf_connection *connection,
                                           const struct hf_command *command)
{
    const struct hf_connection_host *host = connection->host;
    uint16_t slot;
    if (!read_slot(command->argv[2], &slot)) {
        return hf_reply_error("ERR Invalid slot");
    }
    return hf_reply_integer(
        host->keys_in_slot(host->user, slot, UINT32_MAX, NULL));
}

static struct hf_reply getkeysinslot_run(struct hf_connection *connection,
                                         const struct hf_command *command)
{
    const struct hf_connection_host *host = connection->host;
    uint16_t slot;
    int64_t limit;
    if (!read_slot(command->argv[2], &slot) ||
        !hf_slice_to_int64(command->argv[3], &limit) || limit < 0) {
        return hf_reply_error("ERR Invalid slot or number of keys");
    }
    struct hf_buffer keys;
    hf_buffer_init(&keys, connection->mem);
    uint32_t count = host->keys_in_slot(
        host->user, slot, limit > UINT32_MAX ? UINT32_MAX : (uint32_t)limit,
        &keys);
    hf_reply_put_array(&connection->tokens, count);
    hf_buffer_append_slice(&connection->tokens, hf_buffer_slice(&keys));
    connection->tokens.failed |= keys.failed;
    hf_buffer_close(&keys);
    return hf_reply_nested(&connection->tokens);
}

/* There are no replicas in this protocol, nor links to be told of. */
static struct hf_reply none_run(struct hf_connection *connection,
                                const struct hf_command *command)
{
    (void)command;
    hf_reply_put_array(&connection->tokens, 0);
    return hf_reply_nested(&connection->tokens);
}

static struct hf_reply managed_run(struct hf_connection *connection,
                                   const struct hf_command *command)
{
    (void)connection;
    (void)command;
    return hf_reply_error(ERROR_MANAGED);
}

static const struct hf_subcommand rows[] = {
    {"ADDSLOTS", " <slot> ...", -3, managed_run},
    {"ADDSLOTSRANGE", " <from> <to> ...", -4, managed_run},
    {"COUNTKEYSINSLOT", " <slot>", 3, countkeysinslot_run},
    {"DELSLOTS", " <slot> ...", -3, managed_run},
    {"DELSLOTSRANGE", " <from> <to> ...", -4, managed_run},
    {"FAILOVER", " [FORCE|TAKEOVER]", -2, managed_run},
    {"FLUSHSLOTS", "", 2, managed_run},
    {"FORGET", " <node>", 3, managed_run},
    {"GETKEYSINSLOT", " <slot> <count>", 4, getkeysinslot_run},
    {"INFO", "", 2, info_run},
    {"KEYSLOT", " <key>", 3, keyslot_run},
    {"LINKS", "", 2, none_run},
    {"MEET", " <host> <port>", -4, managed_run},
    {"MYID", "", 2, myid_run},
    {"MYSHARDID", "", 2, myid_run},
    {"NODES", "", 2, nodes_run},
    {"REPLICAS", " <node>", 3, none_run},
    {"REPLICATE", " <node>", 3, managed_run},
    {"RESET", " [HARD|SOFT]", -2, managed_run},
    {"SETSLOT", " <slot> ...", -4, managed_run},
    {"SHARDS", "", 2, shards_run},
    {"SLAVES", " <node>", 3, none_run},
    {"SLOTS", "", 2, slots_run},
};

/* On the plain port: what Redis says without cluster mode. */
static struct hf_reply disabled_run(struct hf_connection *connection,
                                    const struct hf_command *command)
{
    static const struct hf_subcommand keyslot[] = {
        {"KEYSLOT", " <key>", 3, keyslot_run},
    };
    static const struct hf_subcommand_table table = {"CLUSTER", keyslot,
                                                     HF_ARRAY_COUNT(keyslot)};
    static const char *const others[] = {"BUMPEPOCH", "COUNT-FAILURE-REPORTS",
                                         "HELP", "SAVECONFIG",
                                         "SET-CONFIG-EPOCH"};
    struct hf_slice name = command->argv[1];
    bool known = false;
    for (size_t i = 0; i < HF_ARRAY_COUNT(rows); i++) {
        known = known || (rows[i].run != keyslot_run &&
                          hf_slice_equal_nocase(name, rows[i].name));
    }
    for (size_t i = 0; i < HF_ARRAY_COUNT(others); i++) {
        known = known || hf_slice_equal_nocase(name, others[i]);
    }
    return known ? hf_reply_error(ERROR_DISABLED)
                 : hf_subcommand_run(connection, command, &table);
}

struct hf_reply hf_connection_cluster(struct hf_connection *connection,
                                      const struct hf_command *command)
{
    static const struct hf_subcommand_table table = {"CLUSTER", rows,
                                                     HF_ARRAY_COUNT(rows)};
    return connection->cluster ? hf_subcommand_run(connection, command, &table)
                               : disabled_run(connection, command);
}

bool hf_connection_cluster_refuses(struct hf_connection *connection,
                                   const struct hf_command *command,
                                   struct hf_reply *reply)
{
    struct hf_key_places keys = hf_command_key_places(command);
    if (!connection->cluster || keys.first >= keys.end) {
        return false;
    }
    uint16_t slot = hf_slot_of_key(command->argv[keys.first]);
    for (uint32_t i = keys.first; i < keys.end; i += keys.step) {
        if (hf_slot_of_key(command->argv[i]) != slot) {
            *reply = hf_reply_error(ERROR_CROSSSLOT);
            return true;
        }
    }
    if (!hf_connection_multi_fits_slot(connection, slot)) {
        *reply = hf_reply_error(ERROR_CROSSSLOT);
        return true;
    }
    if (hf_connection_multi_queues(connection)) {
        return false; /* To be sent away now would cost the transaction. */
    }
    /* Who never asks may not know the node, and has no need to: phpredis before
     * August 2025 crashes when it is sent to one that it has not heard of. */
    if (!connection->asks) {
        return false;
    }
    struct hf_topology topology;
    connection->host->topology(connection->host->user, &topology);
    const struct hf_peer_info *front =
        hf_topology_redirect(&topology, slot / HF_SLOTS_PER_PARTITION);
    if (front == NULL) {
        return false;
    }
    struct hf_buffer *text = &connection->text;
    hf_buffer_append_format(text, "MOVED %u %s:%u", (unsigned)slot, front->host,
                            (unsigned)front->cluster_port);
    *reply = (struct hf_reply){.kind = HF_REPLY_ERROR,
                               .bytes = hf_buffer_slice(text)};
    return true;
}
