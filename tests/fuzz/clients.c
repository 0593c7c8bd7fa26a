#include "fuzz/clients.h"

#include <string.h>

#include "base/assert.h"
#include "core/notices.h"
#include "fuzz/replies.h"
#include "fuzz/scene.h"
#include "wire/publication.h"

#define OUTPUT_BYTES_SOFT 4096
#define OUTPUT_BYTES_HARD ((size_t)1 << 20)

/* Scripts. */

#define SCRIPT_WORDS_MAX 16

/* One command of a script; "!" gives the whole script up. */
static void line_run(struct hf_unit *unit, struct hf_slice line,
                     struct hf_reply *reply)
{
    struct hf_slice words[SCRIPT_WORDS_MAX];
    struct hf_command command = {.argv = words};
    while (line.size > 0 && command.argc < SCRIPT_WORDS_MAX) {
        const uint8_t *comma = memchr(line.data, ',', line.size);
        size_t size = comma == NULL ? line.size : (size_t)(comma - line.data);
        words[command.argc++] = (struct hf_slice){line.data, size};
        size += comma == NULL ? 0 : 1;
        line.data += size;
        line.size -= size;
    }
    if (command.argc == 0) {
        return;
    }
    if (hf_slice_equal(words[0], HF_SLICE_LITERAL("!"))) {
        hf_unit_fail(unit, "ERR the script gave up");
        return;
    }
    command.row = hf_command_find(words[0]);
    if (command.row != NULL) {
        hf_unit_call(unit, &command, reply);
    }
}

static void script_run(void *user, struct hf_unit *unit,
                       const struct hf_command *command, struct hf_reply *reply)
{
    (void)user;
    struct hf_slice text = command->argv[1];
    *reply = hf_reply_nil();
    while (text.size > 0) {
        const uint8_t *end = memchr(text.data, ';', text.size);
        size_t size = end == NULL ? text.size : (size_t)(end - text.data);
        line_run(unit, (struct hf_slice){text.data, size}, reply);
        size += end == NULL ? 0 : 1;
        text.data += size;
        text.size -= size;
    }
}

const struct hf_script_engine clients_engine = {.run = script_run};

/* What connections ask of the node. */

static struct hf_node *node_of(const struct scene_clients *clients)
{
    return clients->node->node;
}

static struct scene_client *client_of(struct hf_connection *connection)
{
    return HF_CONTAINER_OF(connection, struct scene_client, connection);
}

static void note_asked(struct hf_connection *connection, uint64_t tag)
{
    struct scene_client *client = client_of(connection);
    HF_ASSERT(client->asked_count < CLIENTS_ASKED_MAX);
    client->asked[client->asked_count++] = tag;
}

static void on_request(void *user, struct hf_connection *connection,
                       uint64_t tag, const struct hf_command *command)
{
    struct scene_clients *clients = user;
    struct hf_event event = {.type = HF_EVENT_REQUEST};
    event.request.client = connection->id;
    event.request.tag = tag;
    event.request.command = command;
    note_asked(connection, tag);
    scene_step(clients->node, &event);
}

static void config_set(struct scene_clients *clients,
                       struct hf_connection *connection, uint64_t tag,
                       const struct hf_command *command)
{
    struct hf_event event = {.type = HF_EVENT_NOTIFY};
    event.notify.client = connection->id;
    event.notify.tag = tag;
    if (hf_notice_flags_read(command->argv[command->argc - 1],
                             &event.notify.events)) {
        scene_step(clients->node, &event);
        return;
    }
    const struct hf_reply reply = hf_reply_error("ERR syntax error");
    clients_reply(clients, connection->id, tag, &reply);
}

/* CONFIG SET, SCRIPT, HOLDFAST TAKEOVER and DRAIN, which is answered when it
 * begins: a scene does not wait for the end. */
static void on_manage(void *user, struct hf_connection *connection,
                      uint64_t tag, const struct hf_command *command)
{
    struct scene_clients *clients = user;
    struct hf_reply reply = hf_reply_ok();
    note_asked(connection, tag);
    if (strcmp(command->row->name, "CONFIG") == 0) {
        config_set(clients, connection, tag, command);
        return;
    }
    if (hf_slice_equal_nocase(command->argv[1], "TAKEOVER")) {
        const char *why = hf_node_takeover(node_of(clients));
        reply = why == NULL ? reply : hf_reply_error(why);
    } else if (hf_slice_equal_nocase(command->argv[1], "DRAIN")) {
        hf_node_drain(node_of(clients));
    }
    clients_reply(clients, connection->id, tag, &reply);
}

static void on_info(void *user, struct hf_slice section, bool cluster,
                    struct hf_buffer *out)
{
    (void)user;
    hf_buffer_append_text(out, cluster ? "# cluster " : "# ");
    hf_buffer_append_slice(out, section);
    hf_buffer_append_text(out, "\r\n");
}

static void on_status(void *user, struct hf_buffer *out)
{
    const struct scene_clients *clients = user;
    struct hf_node_status status;
    hf_node_get_status(node_of(clients), &status);
    hf_reply_put_array(out, status.member_count);
    for (uint8_t i = 0; i < status.member_count; i++) {
        hf_reply_put_bulk(out, hf_slice_text(status.members[i].info->name));
    }
}

static void on_topology(void *user, struct hf_topology *topology)
{
    const struct scene_clients *clients = user;
    hf_node_get_topology(node_of(clients), topology);
}

static uint32_t on_keys_in_slot(void *user, uint16_t slot, uint32_t limit,
                                struct hf_buffer *tokens)
{
    const struct scene_clients *clients = user;
    return hf_node_keys_in_slot(node_of(clients), slot, limit, tokens);
}

static void on_client_list(void *user, const struct hf_client_filter *filter,
                           struct hf_buffer *out)
{
    const struct scene_clients *clients = user;
    for (unsigned i = 0; i < CLIENTS_COUNT; i++) {
        const struct scene_client *client = &clients->list[i];
        if (client->open && hf_connection_fits(&client->connection, filter)) {
            hf_connection_describe(&client->connection, out);
            hf_buffer_append_text(out, "\n");
        }
    }
}

static uint32_t on_client_kill(void *user,
                               const struct hf_client_filter *filter)
{
    struct scene_clients *clients = user;
    uint32_t count = 0;
    for (unsigned i = 0; i < CLIENTS_COUNT; i++) {
        struct scene_client *client = &clients->list[i];
        if (client->open && hf_connection_fits(&client->connection, filter)) {
            client->killed = true;
            count++;
        }
    }
    return count;
}

static void on_expect(void *user, struct hf_command *commands, size_t count)
{
    const struct scene_clients *clients = user;
    hf_node_expect(node_of(clients), commands, count);
}

static void listen(struct scene_clients *clients, bool listens)
{
    struct hf_event event = {.type = HF_EVENT_LISTEN};
    event.listens = listens;
    clients->listens = listens;
    clients->heard = false;
    scene_step(clients->node, &event);
}

static bool on_listen(void *user)
{
    struct scene_clients *clients = user;
    if (!clients->listens) {
        listen(clients, true);
    }
    return clients->heard;
}

static uint32_t on_events(void *user)
{
    const struct scene_clients *clients = user;
    return hf_node_get_events(node_of(clients));
}

/* What the node asks of connections. */

void clients_reply(struct scene_clients *clients, uint64_t id, uint64_t tag,
                   const struct hf_reply *reply)
{
    for (unsigned i = 0; i < CLIENTS_COUNT; i++) {
        struct scene_client *client = &clients->list[i];
        if (!client->open || client->connection.id != id) {
            continue;
        }
        size_t at = 0;
        while (at < client->asked_count && client->asked[at] != tag) {
            at++;
        }
        HF_ASSERT(at < client->asked_count); /* Else it is answered twice. */
        client->asked[at] = client->asked[--client->asked_count];
        hf_connection_reply(&client->connection, tag, reply);
        return;
    }
    HF_ASSERT(id <= clients->id_last); /* It went away. */
}

static bool deliver(void *user, struct hf_subscriber *subscriber,
                    struct hf_slice pattern)
{
    struct hf_connection *connection =
        HF_CONTAINER_OF(subscriber, struct hf_connection, subscriber);
    if (connection->closing || connection->broken) {
        return false;
    }
    struct hf_buffer tokens;
    hf_buffer_init(&tokens, connection->mem);
    hf_publication_put(user, pattern, &tokens);
    if (tokens.failed) {
        connection->broken = true;
    } else {
        struct hf_reply reply = hf_reply_nested(&tokens);
        hf_connection_push(connection, &reply);
    }
    hf_buffer_close(&tokens);
    return true;
}

void clients_subscribers(struct scene_clients *clients,
                         const struct hf_command *command,
                         struct hf_buffer *tokens)
{
    enum hf_tally_kind tally;
    if (!hf_tally_kind_of(command, &tally)) {
        return;
    }
    if (tally != HF_TALLY_SUM) {
        hf_subscriptions_answer(&clients->subscriptions, command, tally,
                                tokens);
        return;
    }
    struct hf_publication publication = hf_publication_of(command);
    hf_reply_put_integer(
        tokens,
        hf_subscriptions_publish(&clients->subscriptions, publication.kind,
                                 publication.channel, deliver, &publication));
}

void clients_listened(struct scene_clients *clients)
{
    if (!clients->listens) {
        return; /* It was told otherwise since. */
    }
    clients->heard = true;
    for (unsigned i = 0; i < CLIENTS_COUNT; i++) {
        if (clients->list[i].open) {
            hf_connection_listened(&clients->list[i].connection);
        }
    }
}

/* Coming and going. */

void clients_init(struct scene_clients *clients, struct scene_node *node)
{
    memset(clients, 0, sizeof(*clients));
    clients->node = node;
    clients->id_last = CLIENTS_ID_FIRST;
    clients->host = (struct hf_connection_host){
        .user = clients,
        .request = on_request,
        .info = on_info,
        .topology = on_topology,
        .keys_in_slot = on_keys_in_slot,
        .cluster_name = "holdfast",
        .sentinel_name = "",
        .client_list = on_client_list,
        .client_kill = on_client_kill,
        .status = on_status,
        .manage = on_manage,
        .expect = on_expect,
        .subscriptions = &clients->subscriptions,
        .listen = on_listen,
        .events = on_events,
        .limits = {.argument_count_max = 40,
                   .bulk_bytes_max = 2048,
                   .command_bytes_max = 4096,
                   .inline_bytes_max = 300},
        .output_bytes_soft = OUTPUT_BYTES_SOFT,
        .output_bytes_hard = OUTPUT_BYTES_HARD,
    };
    hf_subscriptions_init(&clients->subscriptions, &node->failing.mem);
}

static void client_open(struct scene_clients *clients, unsigned which)
{
    struct scene_client *client = &clients->list[which];
    *client = (struct scene_client){.open = true};
    hf_connection_init(&client->connection, &clients->host,
                       &clients->node->failing.mem, ++clients->id_last,
                       "127.0.0.1:1");
    client->connection.cluster = which == 1;
}

static void client_close(struct scene_client *client)
{
    if (client->open) {
        hf_connection_close(&client->connection);
        client->open = false;
    }
}

void clients_close(struct scene_clients *clients)
{
    for (unsigned i = 0; i < CLIENTS_COUNT; i++) {
        client_close(&clients->list[i]);
    }
    hf_subscriptions_close(&clients->subscriptions);
}

void clients_leave(struct scene_clients *clients, unsigned which)
{
    client_close(&clients->list[which]);
    clients_turn(clients);
}

void clients_deafen(struct scene_clients *clients, unsigned which, bool deaf)
{
    clients->list[which].deaf = deaf;
}

void clients_receive(struct scene_clients *clients, unsigned which,
                     struct hf_slice bytes)
{
    struct scene_client *client = &clients->list[which];
    if (!client->open) {
        client_open(clients, which);
    }
    if (hf_connection_wants_input(&client->connection)) {
        hf_connection_receive(&client->connection, bytes);
    }
    clients_turn(clients);
}

/* Between steps. */

static void client_turn(struct scene_client *client)
{
    struct hf_connection *connection = &client->connection;
    do {
        hf_connection_resume(connection);
        if (!client->deaf && !connection->broken) {
            replies_check(hf_buffer_slice(&connection->output));
            hf_buffer_consume(&connection->output, connection->output.size);
        }
    } while (hf_connection_can_resume(connection));
    if (client->killed || hf_connection_is_done(connection)) {
        client_close(client);
    }
}

void clients_turn(struct scene_clients *clients)
{
    if (node_of(clients) == NULL) {
        return;
    }
    for (unsigned i = 0; i < CLIENTS_COUNT; i++) {
        if (clients->list[i].open) {
            client_turn(&clients->list[i]);
        }
    }
    if (clients->heard && clients->subscriptions.topics.count == 0) {
        listen(clients, false);
    }
}

bool clients_finish(struct scene_clients *clients)
{
    for (unsigned i = 0; i < CLIENTS_COUNT; i++) {
        clients->list[i].deaf = false;
    }
    clients_turn(clients);
    for (unsigned i = 0; i < CLIENTS_COUNT; i++) {
        const struct scene_client *client = &clients->list[i];
        if (client->open && (hf_connection_awaits(&client->connection) ||
                             client->asked_count > 0 ||
                             !hf_connection_wants_input(&client->connection))) {
            return false;
        }
    }
    return true;
}
