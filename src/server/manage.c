/* manage.c - HOLDFAST commands that do something to this node, CONFIG SET,
 * SCRIPT. */
#include <stdio.h>
#include <string.h>

#include "io/resolve.h"
#include "server/server_private.h"

#define TEXT_BYTES_MAX 512

typedef void run_function(struct hf_server *server, uint64_t client,
                          uint64_t tag, const struct hf_command *command);

static void answer_error(struct hf_server *server, uint64_t client,
                         uint64_t tag, const char *text)
{
    const struct hf_reply reply = hf_reply_error(text);
    hf_clients_reply(server->clients, client, tag, &reply);
}

static bool name_is(const char *name, struct hf_slice wanted)
{
    return hf_slice_equal(hf_slice_text(name), wanted);
}

/* Another node is not asked on behalf of a client: the connection to it would
 * have to last as long as its drain. */
static void answer_elsewhere(struct hf_server *server, uint64_t client,
                             uint64_t tag, struct hf_slice name)
{
    const struct hf_node_status *status = &server->status;
    char text[TEXT_BYTES_MAX];
    hf_node_get_status(server->node, &server->status);
    for (size_t i = 0; i < status->member_count; i++) {
        const struct hf_peer_info *info = status->members[i].info;
        char address[HF_HOST_BYTES_MAX + 16];
        if (!name_is(info->name, name)) {
            continue;
        }
        hf_host_port_text(info->host, info->client_port, address,
                          sizeof(address));
        snprintf(text, sizeof(text),
                 "ERR this is node '%s': ask node '%s' itself, at %s",
                 server->self.name, info->name, address);
        answer_error(server, client, tag, text);
        return;
    }
    answer_error(server, client, tag, "ERR there is no member of that name");
}

/* DRAIN [node]: answered when it has left. */
static void drain_run(struct hf_server *server, uint64_t client, uint64_t tag,
                      const struct hf_command *command)
{
    if (command->argc > 3) {
        answer_error(server, client, tag,
                     "ERR wrong number of arguments for 'holdfast|drain' "
                     "command");
    } else if (command->argc == 3 &&
               !name_is(server->self.name, command->argv[2])) {
        answer_elsewhere(server, client, tag, command->argv[2]);
    } else {
        hf_server_drain_for(server, client, tag);
    }
}

/* TAKEOVER: answered when it was begun. */
static void takeover_run(struct hf_server *server, uint64_t client,
                         uint64_t tag, const struct hf_command *command)
{
    (void)command;
    const char *why = hf_node_takeover(server->node);
    if (why == NULL) {
        const struct hf_reply ok = hf_reply_ok();
        hf_clients_reply(server->clients, client, tag, &ok);
        return;
    }
    char text[TEXT_BYTES_MAX];
    snprintf(text, sizeof(text), "ERR no takeover: %s", why);
    answer_error(server, client, tag, text);
}

/* CONFIG SET notify-keyspace-events, which the connection has looked at. When
 * it is there twice, the last one counts. Answered when others know. */
static void config_run(struct hf_server *server, uint64_t client, uint64_t tag,
                       const struct hf_command *command)
{
    struct hf_event event = {.type = HF_EVENT_NOTIFY};
    event.notify.client = client;
    event.notify.tag = tag;
    for (uint32_t i = 2; i + 1 < command->argc; i += 2) {
        if (hf_slice_equal_nocase(command->argv[i], "notify-keyspace-events") &&
            !hf_notice_flags_read(command->argv[i + 1], &event.notify.events)) {
            answer_error(server, client, tag, "ERR syntax error");
            return;
        }
    }
    hf_server_step(server, &event);
}

void hf_server_manage(void *user, uint64_t client, uint64_t tag,
                      const struct hf_command *command)
{
    static const struct {
        const char *name;
        run_function *run;
    } rows[] = {
        {"DRAIN", drain_run},
        {"TAKEOVER", takeover_run},
    };
    if (strcmp(command->row->name, "CONFIG") == 0) {
        config_run(user, client, tag, command);
        return;
    }
    if (strcmp(command->row->name, "SCRIPT") == 0) {
        hf_server_script(user, client, tag, command);
        return;
    }
    for (size_t i = 0; i < HF_ARRAY_COUNT(rows); i++) {
        if (hf_slice_equal_nocase(command->argv[1], rows[i].name)) {
            rows[i].run(user, client, tag, command);
            return;
        }
    }
    answer_error(user, client, tag, "ERR unknown subcommand");
}
