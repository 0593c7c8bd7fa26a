/* manage.c - HOLDFAST commands that do something to this node. */
#include <stdio.h>

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
    for (size_t i = 0; i < HF_ARRAY_COUNT(rows); i++) {
        if (hf_slice_equal_nocase(command->argv[1], rows[i].name)) {
            rows[i].run(user, client, tag, command);
            return;
        }
    }
    answer_error(user, client, tag, "ERR unknown subcommand");
}
