#include "wire/connection_sentinel.h"

#include "core/topology.h"
#include "wire/connection_topics.h"

#define ERROR_NO_SUCH_MASTER "ERR No such master with that name"
#define DOWN_AFTER_MS 1000 /* That is when others begin to look elsewhere. */
#define MASTER_FIELDS 20
#define OTHER_FIELDS 10

static struct hf_topology topology_of(const struct hf_connection *connection)
{
    struct hf_topology topology;
    connection->host->topology(connection->host->user, &topology);
    return topology;
}

/* Whether clients may be sent to @member from here. */
static bool is_offered(const struct hf_topology *topology, uint8_t member)
{
    hf_member_set bit = hf_member_set_of(member);
    return topology->serving && (topology->level & bit) != 0 &&
           (topology->view->leaving & bit) == 0;
}

/* The index of the node to talk to: this one if it can be. HF_MEMBER_NONE when
 * this node knows of none that serves. */
static uint8_t master_of(const struct hf_topology *topology)
{
    if (topology->view == NULL || !topology->serving) {
        return HF_MEMBER_NONE;
    }
    if (is_offered(topology, topology->self)) {
        return topology->self;
    }
    for (uint8_t i = 0; i < topology->view->member_count; i++) {
        if (is_offered(topology, i)) {
            return i;
        }
    }
    return topology->self; /* All leave: until then it serves. */
}

static uint32_t others_count(const struct hf_topology *topology, uint8_t not )
{
    uint32_t count = 0;
    for (uint8_t i = 0;
         topology->view != NULL && i < topology->view->member_count; i++) {
        count += i != not &&is_offered(topology, i) ? 1 : 0;
    }
    return count;
}

static bool name_is_known(const struct hf_connection *connection,
                          struct hf_slice name)
{
    const char *own = connection->host->sentinel_name;
    return own[0] == '\0' || hf_slice_equal(name, hf_slice_text(own));
}

static void put_text(struct hf_buffer *out, const char *field,
                     const char *value)
{
    hf_reply_put_bulk(out, hf_slice_text(field));
    hf_reply_put_bulk(out, hf_slice_text(value));
}

/* Sentinel writes all its numbers as texts. */
static void put_number(struct hf_connection *connection, const char *field,
                       uint64_t value)
{
    struct hf_buffer *out = &connection->tokens;
    connection->text.size = 0;
    hf_buffer_append_int64(&connection->text, (int64_t)value);
    hf_reply_put_bulk(out, hf_slice_text(field));
    hf_reply_put_bulk(out, hf_buffer_slice(&connection->text));
}

/* What masters, replicas and Sentinels have in common: OTHER_FIELDS. */
static void put_instance(struct hf_connection *connection,
                         const struct hf_peer_info *info, const char *name_text,
                         const char *flags)
{
    struct hf_buffer *out = &connection->tokens;
    char id[HF_TOPOLOGY_ID_DIGITS + 1];
    hf_topology_id(info, id);
    put_text(out, "name", name_text);
    put_text(out, "ip", info->host);
    put_number(connection, "port", info->client_port);
    put_text(out, "runid", id);
    put_text(out, "flags", flags);
    put_number(connection, "link-pending-commands", 0);
    put_number(connection, "last-ping-sent", 0);
    put_number(connection, "last-ok-ping-reply", 0);
    put_number(connection, "last-ping-reply", 0);
    put_number(connection, "down-after-milliseconds", DOWN_AFTER_MS);
}

static void put_master(struct hf_connection *connection,
                       const struct hf_topology *topology, uint8_t master,
                       struct hf_slice name)
{
    const struct hf_peer_info *info = &topology->view->members[master];
    struct hf_buffer *out = &connection->tokens;
    uint32_t replicas = others_count(topology, master);
    hf_reply_put_map(out, MASTER_FIELDS);
    hf_reply_put_bulk(out, HF_SLICE_LITERAL("name"));
    hf_reply_put_bulk(out, name);
    put_text(out, "ip", info->host);
    put_number(connection, "port", info->client_port);
    char id[HF_TOPOLOGY_ID_DIGITS + 1];
    hf_topology_id(info, id);
    put_text(out, "runid", id);
    put_text(out, "flags", "master");
    put_number(connection, "link-pending-commands", 0);
    put_number(connection, "link-refcount", 1);
    put_number(connection, "last-ping-sent", 0);
    put_number(connection, "last-ok-ping-reply", 0);
    put_number(connection, "last-ping-reply", 0);
    put_number(connection, "down-after-milliseconds", DOWN_AFTER_MS);
    put_number(connection, "info-refresh", 0);
    put_text(out, "role-reported", "master");
    put_number(connection, "role-reported-time", 0);
    put_number(connection, "config-epoch", topology->view->epoch >> 32);
    put_number(connection, "num-slaves", replicas);
    put_number(connection, "num-other-sentinels",
               others_count(topology, topology->self));
    put_number(connection, "quorum", 1);
    put_number(connection, "failover-timeout", DOWN_AFTER_MS);
    put_number(connection, "parallel-syncs", 1);
}

static struct hf_reply address_run(struct hf_connection *connection,
                                   const struct hf_command *command)
{
    struct hf_topology topology = topology_of(connection);
    uint8_t master = master_of(&topology);
    struct hf_buffer *out = &connection->tokens;
    if (master == HF_MEMBER_NONE ||
        !name_is_known(connection, command->argv[2])) {
        hf_reply_put_nil_array(out);
        return hf_reply_nested(out);
    }
    const struct hf_peer_info *info = &topology.view->members[master];
    hf_buffer_append_int64(&connection->text, info->client_port);
    hf_reply_put_array(out, 2);
    hf_reply_put_bulk(out, hf_slice_text(info->host));
    hf_reply_put_bulk(out, hf_buffer_slice(&connection->text));
    return hf_reply_nested(out);
}

/* Any name is right, but a list has to have some: ours, and the usual one. */
static struct hf_reply masters_run(struct hf_connection *connection,
                                   const struct hf_command *command)
{
    (void)command;
    const struct hf_connection_host *host = connection->host;
    struct hf_topology topology = topology_of(connection);
    uint8_t master = master_of(&topology);
    struct hf_slice usual = HF_SLICE_LITERAL(HF_SENTINEL_NAME_USUAL);
    struct hf_slice own = hf_slice_text(host->sentinel_name);
    struct hf_slice cluster = hf_slice_text(host->cluster_name);
    uint32_t count = own.size > 0 || hf_slice_equal(usual, cluster) ? 1 : 2;
    if (master == HF_MEMBER_NONE) {
        count = 0;
    }
    hf_reply_put_array(&connection->tokens, count);
    if (count > 0) {
        put_master(connection, &topology, master, own.size > 0 ? own : usual);
    }
    if (count > 1) {
        put_master(connection, &topology, master, cluster);
    }
    return hf_reply_nested(&connection->tokens);
}

static struct hf_reply master_run(struct hf_connection *connection,
                                  const struct hf_command *command)
{
    struct hf_topology topology = topology_of(connection);
    uint8_t master = master_of(&topology);
    if (master == HF_MEMBER_NONE ||
        !name_is_known(connection, command->argv[2])) {
        return hf_reply_error(ERROR_NO_SUCH_MASTER);
    }
    put_master(connection, &topology, master, command->argv[2]);
    return hf_reply_nested(&connection->tokens);
}

/* Everybody but @not, as Sentinels or as replicas of @master. */
static void put_others(struct hf_connection *connection,
                       const struct hf_topology *topology, uint8_t not,
                       const struct hf_peer_info *master)
{
    struct hf_buffer *out = &connection->tokens;
    hf_reply_put_array(out, others_count(topology, not ));
    for (uint8_t i = 0; i < topology->view->member_count; i++) {
        const struct hf_peer_info *info = &topology->view->members[i];
        if (i == not || !is_offered(topology, i)) {
            continue;
        }
        if (master == NULL) {
            hf_reply_put_map(out, OTHER_FIELDS);
            put_instance(connection, info, info->name, "sentinel");
            continue;
        }
        hf_reply_put_map(out, OTHER_FIELDS + 5);
        put_instance(connection, info, info->name, "slave");
        put_text(out, "master-link-status", "ok");
        put_text(out, "master-host", master->host);
        put_number(connection, "master-port", master->client_port);
        put_number(connection, "slave-priority", 100);
        put_number(connection, "slave-repl-offset", 0);
    }
}

static struct hf_reply others_run(struct hf_connection *connection,
                                  const struct hf_command *command,
                                  bool replicas)
{
    struct hf_topology topology = topology_of(connection);
    uint8_t master = master_of(&topology);
    if (master == HF_MEMBER_NONE ||
        !name_is_known(connection, command->argv[2])) {
        return hf_reply_error(ERROR_NO_SUCH_MASTER);
    }
    put_others(connection, &topology, replicas ? master : topology.self,
               replicas ? &topology.view->members[master] : NULL);
    return hf_reply_nested(&connection->tokens);
}

static struct hf_reply sentinels_run(struct hf_connection *connection,
                                     const struct hf_command *command)
{
    return others_run(connection, command, false);
}

static struct hf_reply replicas_run(struct hf_connection *connection,
                                    const struct hf_command *command)
{
    return others_run(connection, command, true);
}

static struct hf_reply ckquorum_run(struct hf_connection *connection,
                                    const struct hf_command *command)
{
    struct hf_topology topology = topology_of(connection);
    if (!name_is_known(connection, command->argv[2])) {
        return hf_reply_error(ERROR_NO_SUCH_MASTER);
    }
    if (master_of(&topology) == HF_MEMBER_NONE) {
        return hf_reply_error("NOQUORUM this node does not serve");
    }
    hf_buffer_append_format(
        &connection->text,
        "OK %u usable Sentinels. Quorum and failover authorization can be "
        "reached",
        (unsigned)others_count(&topology, topology.self) + 1);
    return (struct hf_reply){.kind = HF_REPLY_STATUS,
                             .bytes = hf_buffer_slice(&connection->text)};
}

static struct hf_reply myid_run(struct hf_connection *connection,
                                const struct hf_command *command)
{
    (void)command;
    struct hf_topology topology = topology_of(connection);
    char id[HF_TOPOLOGY_ID_DIGITS + 1];
    if (topology.view == NULL) {
        return hf_reply_error("CLUSTERDOWN this node is in no cluster");
    }
    hf_topology_id(&topology.view->members[topology.self], id);
    hf_reply_put_bulk(&connection->tokens, hf_slice_text(id));
    return hf_reply_nested(&connection->tokens);
}

struct hf_reply hf_connection_sentinel(struct hf_connection *connection,
                                       const struct hf_command *command)
{
    static const struct hf_subcommand rows[] = {
        {"CKQUORUM", " <master-name>", 3, ckquorum_run},
        {"GET-MASTER-ADDR-BY-NAME", " <master-name>", 3, address_run},
        {"MASTER", " <master-name>", 3, master_run},
        {"MASTERS", "", 2, masters_run},
        {"MYID", "", 2, myid_run},
        {"REPLICAS", " <master-name>", 3, replicas_run},
        {"SENTINELS", " <master-name>", 3, sentinels_run},
        {"SLAVES", " <master-name>", 3, replicas_run},
    };
    static const struct hf_subcommand_table table = {"SENTINEL", rows,
                                                     HF_ARRAY_COUNT(rows)};
    return hf_subcommand_run(connection, command, &table);
}
