/* requests.c - The node that a client asked.
 *
 *   HELD  --- a primary can be reached ---> SENT or LOCAL --- answer ---> gone
 *    ^                                        |
 *    +---- the view changed, or bounced ------+
 *
 *   any state --- the hold time is over ---> CLUSTERDOWN, gone
 *
 * Requests are numbered and kept in order, and are always sent in that order,
 * so that a client that sends several commands at once on one session sees
 * them carried out in order even through a failover. A repetition is
 * recognised where it was carried out (core/operations.h). */
#include <string.h>

#include "base/assert.h"
#include "core/node_state.h"
#include "holdfast/error.h"

#define RING_CAPACITY_MIN 256

static const char no_memory_text[] =
    "OOM command not allowed: this node is out of memory";
static const char too_many_text[] =
    "CLUSTERDOWN too many commands wait at this node";

/* The table. */

static struct hf_request *request_first(const struct hf_node *node)
{
    return HF_CONTAINER_OF(node->requests.next, struct hf_request, link);
}

uint64_t node_requests_finished(const struct hf_node *node)
{
    if (hf_list_is_empty(&node->requests)) {
        return node->request_next;
    }
    return request_first(node)->number;
}

static struct hf_request **request_place(const struct hf_node *node,
                                         uint64_t number)
{
    return &node->request_ring[number & (node->request_capacity - 1)];
}

static struct hf_request *request_find(const struct hf_node *node,
                                       uint64_t number)
{
    if (number < node_requests_finished(node) || number >= node->request_next) {
        return NULL;
    }
    return *request_place(node, number);
}

static int ring_grow(struct hf_node *node)
{
    uint32_t capacity = node->request_capacity == 0
                            ? RING_CAPACITY_MIN
                            : node->request_capacity * 2;
    struct hf_request **ring =
        hf_mem_alloc_zero(node->mem, capacity * sizeof(*ring));
    if (ring == NULL) {
        return HF_ENOMEM;
    }
    hf_mem_free(node->mem, node->request_ring,
                node->request_capacity * sizeof(*ring));
    node->request_ring = ring;
    node->request_capacity = capacity;
    for (struct hf_list *link = node->requests.next; link != &node->requests;
         link = link->next) {
        struct hf_request *request =
            HF_CONTAINER_OF(link, struct hf_request, link);
        *request_place(node, request->number) = request;
    }
    return 0;
}

static size_t request_size(const struct hf_command *command)
{
    size_t size =
        sizeof(struct hf_request) + command->argc * sizeof(struct hf_slice);
    for (uint32_t i = 0; i < command->argc; i++) {
        size += command->argv[i].size;
    }
    return size;
}

/* A request outside of the table, with a copy of @command. */
static struct hf_request *request_copy(struct hf_node *node,
                                       const struct hf_command *command)
{
    size_t size = request_size(command);
    struct hf_request *request = hf_mem_alloc(node->mem, size);
    if (request == NULL) {
        return NULL;
    }
    *request = (struct hf_request){.size = size, .state = HF_REQUEST_HELD};
    hf_list_init(&request->link);
    struct hf_slice *argv = (struct hf_slice *)(void *)(request + 1);
    uint8_t *bytes = (uint8_t *)(argv + command->argc);
    for (uint32_t i = 0; i < command->argc; i++) {
        argv[i] = (struct hf_slice){bytes, command->argv[i].size};
        if (argv[i].size > 0) {
            memcpy(bytes, command->argv[i].data, argv[i].size);
        }
        bytes += argv[i].size;
    }
    request->command = (struct hf_command){command->row, command->argc, argv};
    return request;
}

/* NULL: no memory, or too much is held; *@why says which. */
static struct hf_request *request_new(struct hf_node *node,
                                      const struct hf_command *command,
                                      hf_time deadline, const char **why)
{
    *why = too_many_text;
    if (node->request_bytes + request_size(command) >
        node->config.held_bytes_max) {
        return NULL;
    }
    *why = no_memory_text;
    uint64_t window = node->request_next - node_requests_finished(node);
    if (window >= node->request_capacity && ring_grow(node) != 0) {
        return NULL;
    }
    struct hf_request *request = request_copy(node, command);
    if (request == NULL) {
        return NULL;
    }
    request->number = node->request_next++;
    request->deadline = deadline;
    *request_place(node, request->number) = request;
    hf_list_push_back(&node->requests, &request->link);
    node->request_bytes += request->size;
    node->held_count++;
    return request;
}

static void request_set_state(struct hf_node *node, struct hf_request *request,
                              enum hf_request_state state)
{
    if (request->state == HF_REQUEST_HELD) {
        node->held_count--;
    }
    if (state == HF_REQUEST_HELD) {
        node->held_count++;
    }
    request->state = state;
}

static void request_free(struct hf_node *node, struct hf_request *request)
{
    if (request->state == HF_REQUEST_HELD) {
        node->held_count--;
    }
    *request_place(node, request->number) = NULL;
    hf_list_remove(&request->link);
    node->request_bytes -= request->size;
    hf_mem_free(node->mem, request, request->size);
}

static void answer_client(struct hf_node *node, uint64_t client, uint64_t tag,
                          const struct hf_reply *reply)
{
    node->out->reply(node->out->user, client, tag, reply);
}

static void refuse_client(struct hf_node *node, uint64_t client, uint64_t tag,
                          const char *text)
{
    struct hf_reply reply = hf_reply_error(text);
    node->counters.refused++;
    answer_client(node, client, tag, &reply);
}

/* Gathering. */

static void gather_free(struct hf_node *node, struct hf_gathering *gather)
{
    hf_list_remove(&gather->link);
    for (uint32_t i = 0; gather->parts != NULL && i < gather->part_count; i++) {
        hf_buffer_close(&gather->parts[i]);
    }
    hf_mem_free(node->mem, gather->parts,
                gather->part_count * sizeof(*gather->parts));
    hf_buffer_close(&gather->error);
    if (gather->origin != NULL) {
        hf_mem_free(node->mem, gather->origin, gather->origin->size);
    }
    hf_mem_free(node->mem, gather, sizeof(*gather));
}

static int gather_set_parts(struct hf_node *node, struct hf_gathering *gather,
                            uint32_t count)
{
    for (uint32_t i = 0; gather->parts != NULL && i < gather->part_count; i++) {
        hf_buffer_close(&gather->parts[i]);
    }
    hf_mem_free(node->mem, gather->parts,
                gather->part_count * sizeof(*gather->parts));
    gather->parts = NULL;
    gather->part_count = count;
    gather->remaining = count;
    gather->sum = 0;
    if (gather->kind != HF_GATHER_ARRAY && !gather->scan) {
        return 0;
    }
    gather->parts =
        hf_mem_alloc_zero(node->mem, count * sizeof(*gather->parts));
    if (gather->parts == NULL) {
        gather->part_count = 0;
        return HF_ENOMEM;
    }
    for (uint32_t i = 0; i < count; i++) {
        hf_buffer_init(&gather->parts[i], node->mem);
    }
    return 0;
}

static struct hf_gathering *gather_new(struct hf_node *node, uint64_t client,
                                       uint64_t tag,
                                       const struct hf_command *command)
{
    struct hf_gathering *gather = hf_mem_alloc(node->mem, sizeof(*gather));
    if (gather == NULL) {
        return NULL;
    }
    *gather = (struct hf_gathering){
        .client = client,
        .tag = tag,
        .deadline = node->now + (hf_time)node->config.hold_ms,
        .kind = command->row->gather,
        .scan = command->row->route == HF_ROUTE_SCAN,
        .ranged = command->row->route != HF_ROUTE_KEYS};
    hf_buffer_init(&gather->error, node->mem);
    hf_list_push_back(&node->gathers, &gather->link);
    return gather;
}

static void gather_fail(struct hf_gathering *gather,
                        const struct hf_reply *error)
{
    if (!gather->failed) {
        gather->failed = true;
        hf_reply_encode(error, &gather->error);
    }
}

/* SCAN: the parts are arrays of keys; joined, behind the next cursor. */
static void join_pages(struct hf_node *node, const struct hf_gathering *gather,
                       struct hf_buffer *out)
{
    uint32_t keys = 0;
    hf_buffer_clear(&node->tokens);
    for (uint32_t i = 0; i < gather->part_count; i++) {
        struct hf_reader reader =
            hf_reader_of(hf_buffer_slice(&gather->parts[i]));
        struct hf_token token;
        if (hf_token_next(&reader, &token) && token.kind == HF_TOKEN_ARRAY) {
            keys += token.count;
            hf_buffer_append_slice(
                &node->tokens,
                hf_reader_bytes(&reader, hf_reader_left(&reader)));
        }
    }
    struct hf_buffer cursor;
    hf_buffer_init(&cursor, node->mem);
    hf_buffer_append_int64(&cursor, (int64_t)gather->scan_next);
    hf_reply_put_array(out, 2);
    hf_reply_put_bulk(out, hf_buffer_slice(&cursor));
    hf_reply_put_array(out, keys);
    hf_buffer_append_slice(out, hf_buffer_slice(&node->tokens));
    out->failed = out->failed || cursor.failed || node->tokens.failed;
    hf_buffer_close(&cursor);
}

static void gather_finish(struct hf_node *node, struct hf_gathering *gather)
{
    struct hf_reply reply = hf_reply_ok();
    hf_buffer_clear(&node->scratch);
    if (gather->failed) {
        if (!hf_reply_decode(hf_buffer_slice(&gather->error), &reply)) {
            reply = hf_reply_error(no_memory_text);
        }
    } else if (gather->scan) {
        join_pages(node, gather, &node->scratch);
        reply = hf_reply_nested(&node->scratch);
    } else if (gather->kind == HF_GATHER_SUM) {
        reply = hf_reply_integer(gather->sum);
    } else if (gather->kind == HF_GATHER_ARRAY) {
        hf_reply_put_array(&node->scratch, gather->part_count);
        for (uint32_t i = 0; i < gather->part_count; i++) {
            hf_buffer_append_slice(&node->scratch,
                                   hf_buffer_slice(&gather->parts[i]));
        }
        reply = hf_reply_nested(&node->scratch);
    }
    if (node->scratch.failed) {
        reply = hf_reply_error(no_memory_text);
    }
    answer_client(node, gather->client, gather->tag, &reply);
    gather_free(node, gather);
}

/* A single partition's page: the next one starts in it, or after it. */
static void page_position(struct hf_gathering *gather,
                          const struct hf_request *request, uint64_t scan_next)
{
    bool single = request->partition_end == request->partition + 1;
    if (!gather->scan || !single) {
        return;
    }
    uint64_t partition = request->partition;
    if (scan_next >= HF_SESSIONS_END) {
        partition++;
        scan_next = 0;
    }
    gather->scan_next =
        partition == HF_PARTITION_COUNT ? 0 : partition << 33 | scan_next;
}

static void gather_part(struct hf_node *node, struct hf_gathering *gather,
                        const struct hf_request *request,
                        const struct hf_reply *reply, uint64_t scan_next)
{
    if (reply->kind == HF_REPLY_ERROR) {
        gather_fail(gather, reply);
    } else if (gather->parts != NULL) {
        struct hf_buffer *part = &gather->parts[request->part];
        hf_buffer_clear(part);
        hf_reply_encode(reply, part);
        if (part->failed) {
            struct hf_reply error = hf_reply_error(no_memory_text);
            gather_fail(gather, &error);
        }
        page_position(gather, request, scan_next);
    } else if (reply->kind == HF_REPLY_INTEGER) {
        gather->sum += reply->integer;
    }
    gather->remaining--;
    if (gather->remaining == 0) {
        gather_finish(node, gather);
    }
}

void node_request_done(struct hf_node *node, uint64_t number,
                       const struct hf_reply *reply, uint64_t scan_next)
{
    struct hf_request *request = request_find(node, number);
    if (request == NULL) {
        return; /* It was given up, or answered before. */
    }
    if (request->gather == NULL) {
        answer_client(node, request->client, request->tag, reply);
        request_free(node, request);
        return;
    }
    struct hf_gathering *gather = request->gather;
    struct hf_request part = *request;
    request_free(node, request);
    gather_part(node, gather, &part, reply, scan_next);
}

/* Routing. */

static void send_forward(struct hf_node *node, struct hf_request *request)
{
    struct hf_message message = {
        .type = HF_MESSAGE_FORWARD,
        .forward = {.epoch = node->view->epoch,
                    .number = request->number,
                    .ops_finished = node_requests_finished(node),
                    .partition = request->partition,
                    .partition_end = request->partition_end,
                    .scan_position = request->scan_position,
                    .scan_count = request->scan_count,
                    .command = request->command}};
    node_send_member(node, request->target, &message);
}

static bool can_send(const struct hf_node *node, uint8_t member)
{
    const struct hf_member *to = &node->members[member];
    return to->ready && to->peer != NULL && to->peer->out_up[HF_CHANNEL_DATA];
}

/* May answer, and thereby free, the request. */
static void route(struct hf_node *node, struct hf_request *request)
{
    if (node->state != HF_STATE_ACTIVE || request->bounced) {
        return;
    }
    uint8_t target = request->ranged
                         ? request->target
                         : node->view->acting[request->partition].members[0];
    struct hf_operation_id operation = {node->config.self.incarnation,
                                        request->number};
    if (target != node->self) {
        if (can_send(node, target)) {
            request->target = target;
            request_set_state(node, request, HF_REQUEST_SENT);
            send_forward(node, request);
        }
        return;
    }
    request_set_state(node, request, HF_REQUEST_LOCAL);
    if (!request->ranged) {
        node_execute(node, request->partition, operation, &request->command);
        return;
    }
    struct hf_forward forward = {.epoch = node->view->epoch,
                                 .number = request->number,
                                 .partition = request->partition,
                                 .partition_end = request->partition_end,
                                 .scan_position = request->scan_position,
                                 .scan_count = request->scan_count,
                                 .command = request->command};
    node_execute_range(node, operation, &forward);
}

void node_route_held(struct hf_node *node)
{
    if (node->held_count == 0) {
        return;
    }
    /* By number: routing one may end others, but never adds any. */
    uint64_t number = node_requests_finished(node);
    uint64_t end = node->request_next;
    for (; number < end && node->held_count > 0; number++) {
        struct hf_request *request = request_find(node, number);
        if (request != NULL && request->state == HF_REQUEST_HELD) {
            route(node, request);
        }
    }
}

void node_requests_resend(struct hf_node *node, uint8_t member)
{
    if (!can_send(node, member)) {
        return;
    }
    for (struct hf_list *link = node->requests.next; link != &node->requests;
         link = link->next) {
        struct hf_request *request =
            HF_CONTAINER_OF(link, struct hf_request, link);
        if (request->state == HF_REQUEST_SENT && request->target == member) {
            send_forward(node, request);
        }
    }
}

void node_bounced(struct hf_node *node, const struct hf_bounce *bounce)
{
    struct hf_request *request = request_find(node, bounce->number);
    if (request != NULL && request->state == HF_REQUEST_SENT) {
        request->bounced = true;
        request_set_state(node, request, HF_REQUEST_HELD);
    }
}

/* One client's command on one key. */

static bool is_answered_at_once(struct hf_node *node, uint16_t p,
                                const struct hf_command *command)
{
    /* A read that is served here and waits for nothing needs no request. */
    const struct hf_partition *partition = &node->partitions[p];
    if ((command->row->flags & HF_COMMAND_WRITE) != 0 ||
        !hf_list_is_empty(&partition->waiting) || node->held_count > 0 ||
        partition->committed != partition->version.sequence ||
        !node_may_serve(node, p)) {
        return false;
    }
    struct hf_slice key = command->argv[1];
    const struct hf_session *session =
        hf_sessions_find(&partition->sessions, key, hf_sessions_hash(key));
    return session == NULL || hf_session_deadline(session) > node->now;
}

static void answer_at_once(struct hf_node *node, uint64_t client, uint64_t tag,
                           uint16_t p, const struct hf_command *command)
{
    hf_buffer_clear(&node->effects);
    hf_buffer_clear(&node->scratch);
    struct hf_apply apply = {.sessions = &node->partitions[p].sessions,
                             .now = node->now,
                             .wall_ms = node->wall_ms,
                             .value_bytes_max = node->config.value_bytes_max,
                             .effects = &node->effects,
                             .scratch = &node->scratch,
                             .reply = hf_reply_nil()};
    command->row->apply(&apply, command);
    HF_ASSERT(node->effects.size == 0); /* It is a read. */
    if (node->scratch.failed) {
        apply.reply = hf_reply_error(no_memory_text);
    }
    answer_client(node, client, tag, &apply.reply);
}

static void submit(struct hf_node *node, uint64_t client, uint64_t tag,
                   const struct hf_command *command)
{
    uint16_t p = hf_partition_of_key(command->argv[1]);
    if (is_answered_at_once(node, p, command)) {
        answer_at_once(node, client, tag, p, command);
        return;
    }
    const char *why = NULL;
    struct hf_request *request = request_new(
        node, command, node->now + (hf_time)node->config.hold_ms, &why);
    if (request == NULL) {
        refuse_client(node, client, tag, why);
        return;
    }
    request->client = client;
    request->tag = tag;
    request->partition = p;
    request->partition_end = (uint16_t)(p + 1);
    route(node, request);
}

/* One client's command on several keys: each key on its own. */

static void submit_part(struct hf_node *node, struct hf_gathering *gather,
                        uint32_t part, const struct hf_command *command)
{
    const char *why = NULL;
    struct hf_request *request =
        request_new(node, command, gather->deadline, &why);
    if (request == NULL) {
        struct hf_reply error = hf_reply_error(why);
        struct hf_request nobody = {.part = part};
        gather_part(node, gather, &nobody, &error, 0);
        return;
    }
    request->gather = gather;
    request->part = part;
    request->partition = hf_partition_of_key(command->argv[1]);
    request->partition_end = (uint16_t)(request->partition + 1);
    route(node, request);
}

static void scatter(struct hf_node *node, uint64_t client, uint64_t tag,
                    const struct hf_command *command)
{
    uint32_t step = command->row->key_step;
    uint32_t parts = (command->argc - 1) / step;
    if (parts == 1 && command->row->gather == HF_GATHER_SUM) {
        submit(node, client, tag, command);
        return;
    }
    struct hf_gathering *gather = gather_new(node, client, tag, command);
    if (gather == NULL || gather_set_parts(node, gather, parts) != 0) {
        if (gather != NULL) {
            gather_free(node, gather);
        }
        refuse_client(node, client, tag, no_memory_text);
        return;
    }
    gather->remaining++; /* Not done before all parts are on their way. */
    for (uint32_t i = 0; i < parts; i++) {
        struct hf_slice argv[1 + 2];
        HF_ASSERT(step < HF_ARRAY_COUNT(argv));
        argv[0] = command->argv[0];
        for (uint32_t k = 0; k < step; k++) {
            argv[1 + k] = command->argv[1 + i * step + k];
        }
        struct hf_command share = {command->row, 1 + step, argv};
        submit_part(node, gather, i, &share);
    }
    gather->remaining--;
    if (gather->remaining == 0) {
        gather_finish(node, gather);
    }
}

/* Commands over many partitions. */

uint64_t node_cluster_sessions(const struct hf_node *node)
{
    uint64_t sum = 0;
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        if (node->partitions[p].primary) {
            sum += node->partitions[p].sessions.count;
        }
    }
    for (size_t i = 0; i < node->peer_count; i++) {
        const struct hf_peer *peer = &node->peers[i];
        if (peer->member != HF_MEMBER_NONE && peer->has_beat) {
            sum += peer->beat.sessions;
        }
    }
    return sum;
}

/* How many partitions one call of SCAN covers, for about `count` keys. */
static uint16_t scan_width(const struct hf_node *node, int64_t count,
                           uint16_t from)
{
    uint64_t sessions = node_cluster_sessions(node);
    uint64_t left = HF_PARTITION_COUNT - (uint64_t)from;
    uint64_t width =
        sessions == 0 ? left : (uint64_t)count * HF_PARTITION_COUNT / sessions;
    if (width < 1) {
        width = 1;
    }
    return (uint16_t)(width > left ? left : width);
}

struct span {
    uint16_t from;
    uint16_t end;
    uint32_t position;
    uint32_t count;
};

/* Which partitions the command covers. False: it is answered by @error. */
static bool find_span(const struct hf_node *node, struct hf_gathering *gather,
                      const struct hf_command *command, struct span *span,
                      struct hf_reply *error)
{
    *span = (struct span){0, HF_PARTITION_COUNT, 0, UINT32_MAX};
    gather->scan_next = 0;
    if (!gather->scan) {
        return true;
    }
    struct hf_scan_options options;
    if (!hf_scan_parse(command, &options, error)) {
        return false;
    }
    uint64_t partition = options.cursor >> 33;
    uint64_t position = options.cursor & (((uint64_t)1 << 33) - 1);
    if (partition >= HF_PARTITION_COUNT || position >= HF_SESSIONS_END) {
        span->from = HF_PARTITION_COUNT; /* Not one of ours: at the end. */
        return true;
    }
    span->from = (uint16_t)partition;
    uint16_t width =
        position > 0 ? 1 : scan_width(node, options.count, span->from);
    span->end = (uint16_t)(span->from + width);
    span->position = (uint32_t)position;
    span->count =
        options.count > UINT32_MAX ? UINT32_MAX : (uint32_t)options.count;
    gather->scan_next =
        span->end == HF_PARTITION_COUNT ? 0 : (uint64_t)span->end << 33;
    return true;
}

static hf_member_set primaries_of(const struct hf_node *node,
                                  const struct span *span)
{
    hf_member_set set = 0;
    for (uint16_t p = span->from; p < span->end; p++) {
        set |= hf_member_set_of(node->view->acting[p].members[0]);
    }
    return set;
}

static void submit_ranges(struct hf_node *node, struct hf_gathering *gather,
                          const struct hf_command *command,
                          const struct span *span)
{
    hf_member_set targets = primaries_of(node, span);
    uint32_t parts = hf_member_set_count(targets);
    if (gather_set_parts(node, gather, parts) != 0) {
        struct hf_reply error = hf_reply_error(no_memory_text);
        gather_fail(gather, &error);
        gather_finish(node, gather);
        return;
    }
    gather->remaining++; /* Not done before all parts are on their way. */
    for (uint32_t part = 0; targets != 0; part++) {
        uint8_t target = hf_member_set_first(targets);
        targets &= ~hf_member_set_of(target);
        const char *why = NULL;
        struct hf_request *request =
            request_new(node, command, gather->deadline, &why);
        if (request == NULL) {
            struct hf_reply error = hf_reply_error(why);
            gather_fail(gather, &error);
            gather->remaining--;
            continue;
        }
        request->gather = gather;
        request->part = part;
        request->ranged = true;
        request->target = target;
        request->partition = span->from;
        request->partition_end = span->end;
        request->scan_position = span->position;
        request->scan_count = span->count;
        route(node, request);
    }
    gather->remaining--;
    if (gather->remaining == 0) {
        gather_finish(node, gather);
    }
}

/* (Re)starts a gathering over partitions, by the view there is now. */
static void spread(struct hf_node *node, struct hf_gathering *gather)
{
    struct span span;
    struct hf_reply error;
    const struct hf_command *command = &gather->origin->command;
    if (!find_span(node, gather, command, &span, &error)) {
        gather_fail(gather, &error);
        gather_finish(node, gather);
        return;
    }
    gather->waits = node->state != HF_STATE_ACTIVE;
    if (!gather->waits) {
        submit_ranges(node, gather, command, &span);
    }
}

static void spread_new(struct hf_node *node, uint64_t client, uint64_t tag,
                       const struct hf_command *command)
{
    struct hf_gathering *gather = gather_new(node, client, tag, command);
    struct hf_request *origin =
        gather == NULL ? NULL : request_copy(node, command);
    if (origin == NULL) {
        if (gather != NULL) {
            gather_free(node, gather);
        }
        refuse_client(node, client, tag, no_memory_text);
        return;
    }
    gather->origin = origin;
    spread(node, gather);
}

void node_request(struct hf_node *node, uint64_t client, uint64_t tag,
                  const struct hf_command *command)
{
    node->counters.operations++;
    switch (command->row->route) {
    case HF_ROUTE_KEY:
        submit(node, client, tag, command);
        return;
    case HF_ROUTE_KEYS:
        scatter(node, client, tag, command);
        return;
    case HF_ROUTE_EVERYWHERE:
    case HF_ROUTE_SCAN:
        spread_new(node, client, tag, command);
        return;
    case HF_ROUTE_CONNECTION:
        break;
    }
    HF_ASSERT(!"a command of the connection came to the node");
}

/* View changes and time. */

void node_requests_reset(struct hf_node *node)
{
    struct hf_list *link = node->requests.next;
    while (link != &node->requests) {
        struct hf_request *request =
            HF_CONTAINER_OF(link, struct hf_request, link);
        link = link->next;
        request->bounced = false;
        if (request->ranged) {
            request->gather->waits = true;
            request_free(node, request);
        } else {
            request_set_state(node, request, HF_REQUEST_HELD);
        }
    }
}

void node_requests_entered(struct hf_node *node)
{
    node_route_held(node);
    struct hf_list *link = node->gathers.next;
    while (link != &node->gathers) {
        struct hf_gathering *gather =
            HF_CONTAINER_OF(link, struct hf_gathering, link);
        link = link->next;
        if (gather->waits) {
            spread(node, gather);
        }
    }
}

static const char *down_text(const struct hf_node *node)
{
    if (node->state == HF_STATE_STARTING) {
        return "CLUSTERDOWN this node has not found its cluster yet";
    }
    if (node->state == HF_STATE_OUT) {
        return "CLUSTERDOWN the cluster went on without this node, which is "
               "joining again";
    }
    return "CLUSTERDOWN no primary answered for this session within the hold "
           "time";
}

void node_requests_tick(struct hf_node *node)
{
    while (!hf_list_is_empty(&node->requests)) {
        struct hf_request *request = request_first(node);
        if (request->deadline > node->now) {
            break;
        }
        struct hf_reply reply = hf_reply_error(down_text(node));
        node->counters.refused++;
        node_request_done(node, request->number, &reply, 0);
    }
    struct hf_list *link = node->gathers.next;
    while (link != &node->gathers) {
        struct hf_gathering *gather =
            HF_CONTAINER_OF(link, struct hf_gathering, link);
        link = link->next;
        if (gather->waits && gather->deadline <= node->now) {
            struct hf_reply reply = hf_reply_error(down_text(node));
            node->counters.refused++;
            gather_fail(gather, &reply);
            gather_finish(node, gather);
        }
    }
}

void node_requests_close(struct hf_node *node)
{
    while (!hf_list_is_empty(&node->requests)) {
        request_free(node, request_first(node));
    }
    while (!hf_list_is_empty(&node->gathers)) {
        gather_free(node, HF_CONTAINER_OF(node->gathers.next,
                                          struct hf_gathering, link));
    }
    hf_mem_free(node->mem, node->request_ring,
                node->request_capacity * sizeof(*node->request_ring));
}
