/* resp_fuzz.c - Any bytes from a client.
 *
 *   input: count, count sizes of pieces, the bytes of the client
 *
 * The highest bit of the count says that it is a client of the cluster port.
 * The bytes go to a connection three times: at once, in pieces of those sizes
 * (over and over), and one by one. How they are cut must not change anything:
 * not the commands the node sees, not the answers, not whether it closes. And
 * what goes to the client must be RESP, whatever came from it.
 *
 * The node behind the connection answers some commands at once, some later
 * and out of order. What it does depends on the commands alone, never on the
 * pieces. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "fuzz/replies.h"
#include "wire/connection.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SIZES_MAX 8

struct node {
    struct hf_mem mem;
    struct hf_connection_host host;
    struct hf_subscriptions subscriptions;
    struct hf_connection connection;
    struct hf_buffer asked;                    /* What the node saw. */
    struct hf_buffer output;                   /* What the client saw. */
    uint64_t later[HF_CONNECTION_PENDING_MAX]; /* Tags not answered yet. */
    size_t later_count;
};

/* Answers depend on the tag, so that a mixed up order is seen. */
static void hf_node_answer(struct node *node, uint64_t tag)
{
    struct hf_buffer bytes;
    hf_buffer_init(&bytes, &node->mem);
    struct hf_reply reply = hf_reply_integer((int64_t)tag);
    switch (tag % 5) {
    case 0:
        hf_buffer_append_format(&bytes, "ERR tag\r\n%d\n", (int)tag);
        reply.kind = HF_REPLY_ERROR;
        reply.bytes = hf_buffer_slice(&bytes);
        break;
    case 1:
        hf_buffer_append_format(&bytes, "\r\n%d\r\n", (int)tag);
        reply = hf_reply_bulk(hf_buffer_slice(&bytes));
        break;
    case 2:
        hf_reply_put_array(&bytes, 2);
        hf_reply_put_map(&bytes, 1);
        hf_reply_put_nil_array(&bytes);
        hf_reply_put_verbatim(&bytes, HF_SLICE_LITERAL("a\r\n"));
        hf_reply_put_set(&bytes, 1);
        hf_reply_put_integer(&bytes, (int64_t)tag);
        reply = hf_reply_nested(&bytes);
        break;
    case 3:
        reply = hf_reply_nil();
        break;
    default:
        break;
    }
    hf_connection_reply(&node->connection, tag, &reply);
    hf_connection_reply(&node->connection, tag, &reply); /* Is ignored. */
    hf_buffer_close(&bytes);
}

/* The last one first. */
static void node_answer_all(struct node *node)
{
    while (node->later_count > 0) {
        hf_node_answer(node, node->later[--node->later_count]);
    }
}

static void on_request(void *user, struct hf_connection *connection,
                       uint64_t tag, const struct hf_command *command)
{
    struct node *node = user;
    (void)connection;
    for (uint32_t i = 0; i < command->argc; i++) {
        hf_buffer_put_slice(&node->asked, command->argv[i]);
    }
    hf_buffer_append_text(&node->asked, "\n");
    switch (command->argv[0].size % 3) {
    case 0: /* GET, SET, DEL, TTL, EXISTS: later. */
        HF_ASSERT(node->later_count < HF_ARRAY_COUNT(node->later));
        node->later[node->later_count++] = tag;
        break;
    case 1: /* MGET, MSET: now, before the older ones. */
        hf_node_answer(node, tag);
        break;
    default: /* HGETALL, HDEL, ...: last of all those that wait. */
        node_answer_all(node);
        hf_node_answer(node, tag);
        break;
    }
    hf_connection_resume(&node->connection); /* Must do nothing in here. */
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
    struct node *node = user;
    if (hf_connection_fits(&node->connection, filter)) {
        hf_connection_describe(&node->connection, out);
        hf_buffer_append_text(out, "\n");
    }
}

static uint32_t on_client_kill(void *user,
                               const struct hf_client_filter *filter)
{
    (void)user;
    return filter->type == HF_CLIENTS_ALL ? 1 : 0;
}

static void on_status(void *user, struct hf_buffer *out)
{
    (void)user;
    hf_reply_put_map(out, 0);
}

/* Three nodes, the second of which cannot be told of; this is the first. */
static void on_topology(void *user, struct hf_topology *topology)
{
    static struct hf_view view;
    (void)user;
    view.member_count = 3;
    for (uint8_t i = 0; i < view.member_count; i++) {
        view.members[i].id = 1 + (uint64_t)i;
        view.members[i].client_port = 7379;
        view.members[i].cluster_port = i == 1 ? 0 : 7380;
        view.members[i].name[0] = (char)('a' + i);
        view.members[i].host[0] = 'h';
    }
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        view.acting[p].count = 1;
        view.acting[p].members[0] = (uint8_t)(p / 100 % 3);
    }
    *topology = (struct hf_topology){
        .view = &view, .alive = 7, .level = 7, .serving = true};
}

static uint32_t on_keys_in_slot(void *user, uint16_t slot, uint32_t limit,
                                struct hf_buffer *tokens)
{
    (void)user;
    (void)slot;
    if (tokens != NULL && limit > 0) {
        hf_reply_put_bulk(tokens, HF_SLICE_LITERAL("k"));
    }
    return limit > 0 ? 1 : 0;
}

static void node_open(struct node *node, bool cluster)
{
    memset(node, 0, sizeof(*node));
    hf_mem_init_system(&node->mem);
    node->host = (struct hf_connection_host){
        .user = node,
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
        .subscriptions = &node->subscriptions,
        .limits = {.argument_count_max = 40,
                   .bulk_bytes_max = 10000,
                   .command_bytes_max = 12000,
                   .inline_bytes_max = 300},
        .output_bytes_soft = 2000,
        .output_bytes_hard = SIZE_MAX,
    };
    hf_subscriptions_init(&node->subscriptions, &node->mem);
    hf_connection_init(&node->connection, &node->host, &node->mem, 1,
                       "127.0.0.1:1");
    node->connection.cluster = cluster;
    hf_buffer_init(&node->asked, &node->mem);
    hf_buffer_init(&node->output, &node->mem);
}

static void node_close(struct node *node)
{
    hf_connection_close(&node->connection);
    hf_subscriptions_close(&node->subscriptions);
    hf_buffer_close(&node->asked);
    hf_buffer_close(&node->output);
    HF_ASSERT(node->mem.used_bytes == 0);
}

static void hf_node_send(struct node *node)
{
    struct hf_buffer *output = &node->connection.output;
    hf_buffer_append_slice(&node->output, hf_buffer_slice(output));
    hf_buffer_consume(output, output->size);
}

static void node_receive(struct node *node, const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size); /* Ends where the piece ends. */
    HF_ASSERT(copy != NULL);
    memcpy(copy, data, size);
    hf_connection_receive(&node->connection, (struct hf_slice){copy, size});
    free(copy);
    while (!node->connection.closing && !node->connection.broken &&
           !hf_connection_wants_input(&node->connection)) {
        node_answer_all(node);
        hf_node_send(node);
        hf_connection_resume(&node->connection);
    }
    HF_ASSERT(!hf_connection_can_resume(&node->connection));
}

static void node_run(struct node *node, const uint8_t *data, size_t size,
                     const uint8_t *sizes, size_t sizes_count)
{
    size_t turn = 0;
    while (size > 0) {
        size_t piece = sizes_count == 0 ? size : sizes[turn % sizes_count];
        piece = piece == 0 ? 1 : piece;
        piece = piece < size ? piece : size;
        node_receive(node, data, piece);
        data += piece;
        size -= piece;
        turn++;
    }
    node_answer_all(node);
    hf_node_send(node);
    HF_ASSERT(hf_connection_is_done(&node->connection) ==
              (node->connection.closing || node->connection.broken));
}

static void nodes_compare(const struct node *a, const struct node *b)
{
    HF_ASSERT(
        hf_slice_equal(hf_buffer_slice(&a->asked), hf_buffer_slice(&b->asked)));
    HF_ASSERT(hf_slice_equal(hf_buffer_slice(&a->output),
                             hf_buffer_slice(&b->output)));
    HF_ASSERT(a->connection.closing == b->connection.closing);
    HF_ASSERT(a->connection.broken == b->connection.broken);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t one = 1;
    size_t sizes_count = size == 0 ? 0 : data[0] % 128 % (SIZES_MAX + 1);
    bool cluster = size > 0 && data[0] >= 128;
    if (size < 1 + sizes_count) {
        return 0;
    }
    const uint8_t *sizes = data + 1;
    data += 1 + sizes_count;
    size -= 1 + sizes_count;

    struct node whole;
    node_open(&whole, cluster);
    node_run(&whole, data, size, NULL, 0);
    replies_check(hf_buffer_slice(&whole.output));

    struct node pieces;
    node_open(&pieces, cluster);
    node_run(&pieces, data, size, sizes, sizes_count);
    nodes_compare(&whole, &pieces);
    node_close(&pieces);

    struct node bytes;
    node_open(&bytes, cluster);
    node_run(&bytes, data, size, &one, 1);
    nodes_compare(&whole, &bytes);
    node_close(&bytes);

    node_close(&whole);
    return 0;
}
