#include "support/wire_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "core/limits.h"

static void on_request(void *user, struct hf_connection *connection,
                       uint64_t tag, const struct hf_command *command)
{
    struct client *c = user;
    assert_in_range(c->count, 0, CLIENT_REQUESTS_MAX - 1);
    c->tags[c->count++] = tag;
    for (uint32_t i = 0; i < command->argc; i++) {
        hf_buffer_append_text(&c->asked, i == 0 ? "" : " ");
        hf_buffer_append_slice(&c->asked, command->argv[i]);
    }
    hf_buffer_append_text(&c->asked, "\n");
    if (c->at_once) {
        struct hf_reply reply = hf_reply_bulk(command->argv[command->argc - 1]);
        hf_connection_reply(connection, tag, &reply);
        hf_connection_resume(connection); /* Must not recurse. */
    }
}

static bool on_may_go_on(void *user)
{
    struct client *c = user;
    if (c->allowed == 0) {
        return false;
    }
    c->allowed--;
    return true;
}

static void on_expect(void *user, struct hf_command *commands, size_t count)
{
    struct client *c = user;
    for (size_t i = 0; i < count; i++) {
        hf_buffer_append_text(&c->expected, i == 0 ? "" : " ");
        hf_buffer_append_slice(&c->expected, commands[i].argc == 0
                                                 ? HF_SLICE_LITERAL("-")
                                                 : commands[i].argv[0]);
    }
    hf_buffer_append_text(&c->expected, "\n");
}

static void on_info(void *user, struct hf_slice section, bool cluster,
                    struct hf_buffer *out)
{
    (void)user;
    (void)cluster;
    hf_buffer_append_text(out, "# ");
    hf_buffer_append_slice(out, section);
    hf_buffer_append_text(out, "\r\n");
}

static void on_client_list(void *user, const struct hf_client_filter *filter,
                           struct hf_buffer *out)
{
    struct client *c = user;
    if (!hf_connection_fits(&c->connection, filter)) {
        return;
    }
    hf_connection_describe(&c->connection, out);
    hf_buffer_append_text(out, "\n");
}

/* There is another one, whose id is 7. */
static uint32_t on_client_kill(void *user,
                               const struct hf_client_filter *filter)
{
    (void)user;
    return filter->id == 7 ? 1 : 0;
}

static void on_status(void *user, struct hf_buffer *out)
{
    (void)user;
    hf_reply_put_map(out, 1);
    hf_reply_put_bulk(out, HF_SLICE_LITERAL("epoch"));
    hf_reply_put_integer(out, 3);
}

static bool on_listen(void *user)
{
    const struct client *c = user;
    return !c->unheard;
}

static void on_topology(void *user, struct hf_topology *topology)
{
    const struct client *c = user;
    *topology = c->topology;
}

static uint32_t on_keys_in_slot(void *user, uint16_t slot, uint32_t limit,
                                struct hf_buffer *tokens)
{
    (void)user;
    uint32_t count = slot % 4 < limit ? slot % 4 : limit;
    for (uint32_t i = 0; tokens != NULL && i < count; i++) {
        hf_reply_put_bulk(tokens, HF_SLICE_LITERAL("k"));
    }
    return count;
}

void client_open_with(struct client *c, struct hf_mem *mem)
{
    c->mem = mem;
    c->count = 0;
    c->at_once = false;
    c->allowed = SIZE_MAX;
    c->topology = (struct hf_topology){.self = HF_MEMBER_NONE};
    c->host = (struct hf_connection_host){
        .user = c,
        .request = on_request,
        .info = on_info,
        .client_list = on_client_list,
        .client_kill = on_client_kill,
        .status = on_status,
        .topology = on_topology,
        .keys_in_slot = on_keys_in_slot,
        .cluster_name = "holdfast",
        .sentinel_name = "",
        .manage = on_request,
        .expect = on_expect,
        .subscriptions = &c->subscriptions,
        .listen = on_listen,
        .may_go_on = on_may_go_on,
        .limits = {.argument_count_max = HF_ARGUMENT_COUNT_MAX,
                   .bulk_bytes_max = 100000,
                   .command_bytes_max = 1000000,
                   .inline_bytes_max = 65536},
        .output_bytes_soft = 1000000,
        .output_bytes_hard = 2000000,
    };
    c->unheard = false;
    hf_subscriptions_init(&c->subscriptions, c->mem);
    hf_connection_init(&c->connection, &c->host, c->mem, 42, "127.0.0.1:5000");
    hf_buffer_init(&c->asked, c->mem);
    hf_mem_init_system(&c->own);
    hf_buffer_init(&c->expected, &c->own);
}

void client_open(struct client *c)
{
    hf_mem_init_system(&c->system);
    client_open_with(c, &c->system);
}

void client_close(struct client *c)
{
    hf_connection_close(&c->connection);
    hf_subscriptions_close(&c->subscriptions);
    hf_buffer_close(&c->asked);
    hf_buffer_close(&c->expected);
    assert_int_equal(c->mem->used_bytes, 0);
}

void client_send(struct client *c, const char *text)
{
    hf_connection_receive(&c->connection, hf_slice_text(text));
}

static void assert_bytes(struct hf_slice bytes, const char *expected)
{
    char *text = malloc(bytes.size + 1);
    assert_non_null(text);
    if (bytes.size > 0) {
        memcpy(text, bytes.data, bytes.size);
    }
    text[bytes.size] = '\0';
    assert_string_equal(text, expected);
    free(text);
}

void client_expect(struct client *c, const char *expected)
{
    assert_bytes(hf_buffer_slice(&c->connection.output), expected);
    hf_buffer_consume(&c->connection.output, c->connection.output.size);
}

void client_expect_asked(struct client *c, const char *expected)
{
    assert_bytes(hf_buffer_slice(&c->asked), expected);
    hf_buffer_clear(&c->asked);
}

void client_answer(struct client *c, size_t index, const char *text)
{
    struct hf_reply reply = hf_reply_bulk(hf_slice_text(text));
    hf_connection_reply(&c->connection, c->tags[index], &reply);
}
