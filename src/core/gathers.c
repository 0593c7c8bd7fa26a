/* gathers.c - One answer made of several: MGET and DEL of many keys, and
 * commands over many partitions.
 *
 * Several keys are one request each, gathered in the order of the keys; so are
 * the partitions that FLUSHALL empties, each at most once. DBSIZE and SCAN are
 * one ranged request to each primary, stamped with the epoch; when the view
 * changes meanwhile they are begun anew, because only within one view do the
 * primaries cover every partition exactly once.
 *
 * SCAN's cursor is the next partition and, when one call does not cover a
 * whole partition, the hash position in it: partition << 33 | position, under
 * 2^53. It means the same on every node and in every view. KEYS and RANDOMKEY
 * are pages of SCAN, as many as it takes, one per tick. */
#include <string.h>

#include "base/assert.h"
#include "core/node_state.h"
#include "core/topology.h"
#include "holdfast/error.h"

/* What it holds beside the parts. */
static size_t beside_parts(const struct hf_gathering *gather)
{
    return gather->found.capacity +
           (gather->origin == NULL ? 0 : gather->origin->size);
}

/* How much memory the parts hold, and the room for them. */
static void gather_set_held(struct hf_node *node, struct hf_gathering *gather,
                            size_t bytes)
{
    bytes += beside_parts(gather);
    node->answer_bytes = node->answer_bytes - gather->held_bytes + bytes;
    gather->held_bytes = bytes;
}

static size_t room_for_parts(const struct hf_gathering *gather)
{
    return gather->parts == NULL ? 0
                                 : gather->part_count * sizeof(*gather->parts);
}

/* Other answers that wait may be too much; one alone is not. */
static bool others_hold_too_much(const struct hf_node *node,
                                 const struct hf_gathering *gather)
{
    return node->answer_bytes - gather->held_bytes >
           node->config.held_bytes_max;
}

static void gather_free(struct hf_node *node, struct hf_gathering *gather)
{
    hf_list_remove(&gather->link);
    hf_buffer_close(&gather->found);
    node->answer_bytes -= gather->held_bytes;
    for (uint32_t i = 0; gather->parts != NULL && i < gather->part_count; i++) {
        hf_buffer_close(&gather->parts[i]);
    }
    hf_mem_free(node->mem, gather->parts, room_for_parts(gather));
    hf_buffer_close(&gather->error);
    node->walks_waiting -= gather->goes_on ? 1 : 0;
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
    hf_mem_free(node->mem, gather->parts, room_for_parts(gather));
    gather->parts = NULL;
    gather->part_count = count;
    gather->remaining = count;
    gather->sum = 0;
    gather->bytes = 0;
    gather_set_held(node, gather, 0);
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
    gather_set_held(node, gather, room_for_parts(gather));
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
        .ranged = command->row->route == HF_ROUTE_EVERYWHERE ||
                  command->row->route == HF_ROUTE_SCAN};
    hf_buffer_init(&gather->error, node->mem);
    hf_buffer_init(&gather->found, node->mem);
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

static void gather_drop_parts(struct hf_node *node, struct hf_gathering *gather)
{
    for (uint32_t i = 0; i < gather->part_count; i++) {
        hf_buffer_close(&gather->parts[i]);
    }
    gather_set_held(node, gather, room_for_parts(gather));
}

static void gather_refuse(struct hf_node *node, struct hf_gathering *gather,
                          const char *why)
{
    struct hf_reply error = hf_reply_error(why);
    gather_fail(gather, &error);
    gather_drop_parts(node, gather);
}

/* A part has come. */
static void gather_keep(struct hf_node *node, struct hf_gathering *gather,
                        struct hf_buffer *part, const struct hf_reply *reply)
{
    hf_buffer_clear(part);
    hf_reply_encode(reply, part);
    gather->bytes += part->size;
    gather_set_held(node, gather,
                    gather->held_bytes - beside_parts(gather) + part->capacity);
    if (part->failed) {
        gather_refuse(node, gather, hf_no_memory_text);
    } else if (gather->bytes > HF_REPLY_BYTES_MAX) {
        gather_refuse(node, gather, HF_REPLY_TOO_LARGE);
    } else if (others_hold_too_much(node, gather)) {
        gather_refuse(node, gather, hf_many_answers_text);
    }
}

/* The parts are arrays of keys: appends those, and says how many. */
static uint32_t join_parts(const struct hf_gathering *gather,
                           struct hf_buffer *out)
{
    uint32_t keys = 0;
    for (uint32_t i = 0; i < gather->part_count; i++) {
        struct hf_reader reader =
            hf_reader_of(hf_buffer_slice(&gather->parts[i]));
        struct hf_token token;
        if (hf_token_next(&reader, &token) && token.kind == HF_TOKEN_ARRAY) {
            keys += token.count;
            hf_buffer_append_slice(
                out, hf_reader_bytes(&reader, hf_reader_left(&reader)));
        }
    }
    return keys;
}

/* SCAN: the keys behind the next cursor. */
static void join_pages(struct hf_node *node, const struct hf_gathering *gather,
                       struct hf_buffer *out)
{
    hf_buffer_clear(&node->tokens);
    uint32_t keys = join_parts(gather, &node->tokens);
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

/* Whether the page that came leaves something to be asked for. */
static bool walk_is_over(const struct hf_gathering *gather)
{
    if (gather->kind == HF_GATHER_EVERY) {
        return gather->walk_at == 0;
    }
    bool all_seen =
        gather->walk_wrapped &&
        (gather->walk_at == 0 || gather->walk_at >> 33 > gather->walk_from);
    return gather->found_count > 0 || all_seen;
}

/* Keeps the page of a walk that has come. False: that was the last one. */
static bool walk_on(struct hf_node *node, struct hf_gathering *gather)
{
    gather->found_count += join_parts(gather, &gather->found);
    gather_drop_parts(node, gather);
    gather->walk_at = gather->scan_next;
    bool over = walk_is_over(gather);
    gather->walk_wrapped |= gather->walk_at == 0;
    if (gather->found.failed) {
        gather_refuse(node, gather, hf_no_memory_text);
    } else if (gather->found.size > HF_REPLY_BYTES_MAX) {
        gather_refuse(node, gather, HF_REPLY_TOO_LARGE);
    } else if (others_hold_too_much(node, gather)) {
        gather_refuse(node, gather, hf_many_answers_text);
    }
    gather->goes_on = !over && !gather->failed;
    node->walks_waiting += gather->goes_on ? 1 : 0;
    return gather->goes_on;
}

/* Any one of the keys. */
static struct hf_reply pick_key(struct hf_node *node,
                                const struct hf_gathering *gather)
{
    struct hf_reader reader = hf_reader_of(hf_buffer_slice(&gather->found));
    struct hf_token token;
    uint64_t left = gather->found_count == 0
                        ? 0
                        : 1 + hf_rng_below(&node->rng, gather->found_count);
    struct hf_reply reply = hf_reply_nil();
    for (; left > 0 && hf_token_next(&reader, &token); left--) {
        reply = hf_reply_bulk(token.bytes);
    }
    return reply;
}

static void gather_finish(struct hf_node *node, struct hf_gathering *gather)
{
    if (gather->walks && !gather->failed && walk_on(node, gather)) {
        return;
    }
    struct hf_reply reply = hf_reply_ok();
    hf_buffer_clear(&node->scratch);
    if (gather->failed) {
        if (!hf_reply_decode(hf_buffer_slice(&gather->error), &reply)) {
            reply = hf_reply_error(hf_no_memory_text);
        }
    } else if (gather->kind == HF_GATHER_EVERY) {
        hf_reply_put_array(&node->scratch, gather->found_count);
        hf_buffer_append_slice(&node->scratch, hf_buffer_slice(&gather->found));
        reply = hf_reply_nested(&node->scratch);
    } else if (gather->kind == HF_GATHER_ANY) {
        reply = pick_key(node, gather);
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
        reply = hf_reply_error(hf_no_memory_text);
    }
    hf_node_answer_client(node, gather->client, gather->tag, &reply);
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
    if (scan_next >= HF_SESSIONS_END || HF_MUTATED(SCAN_SKIPS)) {
        partition++;
        scan_next = 0;
    }
    gather->scan_next =
        partition == HF_PARTITION_COUNT ? 0 : partition << 33 | scan_next;
}

void hf_node_gather_part(struct hf_node *node, struct hf_gathering *gather,
                         const struct hf_request *request,
                         const struct hf_reply *reply, uint64_t scan_next)
{
    if (reply->kind == HF_REPLY_ERROR) {
        gather_fail(gather, reply);
    } else if (gather->failed) {
        /* The answer is an error already: keep nothing. */
    } else if (gather->parts != NULL) {
        gather_keep(node, gather, &gather->parts[request->part], reply);
        page_position(gather, request, scan_next);
    } else if (reply->kind == HF_REPLY_INTEGER) {
        /* Another node may say any number: no sum of them is a reason to
         * stop. */
        gather->sum =
            (int64_t)((uint64_t)gather->sum + (uint64_t)reply->integer);
    }
    gather->remaining--;
    if (gather->remaining == 0) {
        gather_finish(node, gather);
    }
}

/* One client's command on several keys, or partitions: each on its own. */

static void submit_part(struct hf_node *node, struct hf_gathering *gather,
                        uint32_t part, uint16_t partition,
                        const struct hf_command *command)
{
    const char *why = NULL;
    struct hf_request *request =
        hf_node_request_new(node, command, gather->deadline, &why);
    if (request == NULL) {
        struct hf_reply error = hf_reply_error(why);
        struct hf_request nobody = {.part = part};
        hf_node_gather_part(node, gather, &nobody, &error, 0);
        return;
    }
    request->gather = gather;
    request->part = part;
    request->partition = partition;
    request->partition_end = (uint16_t)(partition + 1);
    hf_node_request_route(node, request);
}

static void submit_keys(struct hf_node *node, struct hf_gathering *gather,
                        uint32_t parts, const struct hf_command *command)
{
    uint32_t step = command->row->key_step;
    for (uint32_t i = 0; i < parts; i++) {
        struct hf_slice argv[1 + 2];
        HF_ASSERT(step < HF_ARRAY_COUNT(argv));
        argv[0] = command->argv[0];
        for (uint32_t k = 0; k < step; k++) {
            argv[1 + k] = command->argv[1 + i * step + k];
        }
        struct hf_command share = {
            .row = command->row, .argc = 1 + step, .argv = argv};
        submit_part(node, gather, i, hf_partition_of_key(argv[1]), &share);
    }
}

/* Whether a command is about @partition: of one that is about our own ones, in
 * a view. */
static bool is_about(const struct hf_node *node,
                     const struct hf_command *command, uint16_t partition)
{
    return (!command->own && !HF_MUTATED(ONLY_ITS_OWN)) ||
           hf_view_front_of(node->view, partition) == node->self;
}

static void submit_partitions(struct hf_node *node, struct hf_gathering *gather,
                              const struct hf_command *command)
{
    if (command->own && node->state != HF_STATE_ACTIVE) {
        struct hf_reply error = hf_reply_error(
            "CLUSTERDOWN this node is in no cluster: no sessions are its own");
        gather_fail(gather, &error);
    }
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        if (gather->failed || !is_about(node, command, p)) {
            gather->remaining--;
        } else {
            submit_part(node, gather, p, p, command);
        }
    }
}

void hf_node_scatter(struct hf_node *node, uint64_t client, uint64_t tag,
                     const struct hf_command *command)
{
    bool keys = command->row->route == HF_ROUTE_KEYS;
    uint32_t parts = keys ? (command->argc - 1) / command->row->key_step
                          : HF_PARTITION_COUNT;
    if (parts == 1 && command->row->gather == HF_GATHER_SUM) {
        hf_node_submit(node, client, tag, command);
        return;
    }
    struct hf_gathering *gather = gather_new(node, client, tag, command);
    const char *why = hf_no_memory_text;
    bool fits = gather != NULL && gather_set_parts(node, gather, parts) == 0;
    if (fits && gather->parts != NULL && others_hold_too_much(node, gather)) {
        why = hf_many_answers_text;
        fits = false;
    }
    if (!fits) {
        if (gather != NULL) {
            gather_free(node, gather);
        }
        hf_node_refuse_client(node, client, tag, why);
        return;
    }
    gather->remaining++; /* Not done before all parts are on their way. */
    if (keys) {
        submit_keys(node, gather, parts, command);
    } else {
        submit_partitions(node, gather, command);
    }
    gather->remaining--;
    if (gather->remaining == 0) {
        gather_finish(node, gather);
    }
}

/* Reads over many partitions. */

static uint64_t cluster_sessions(const struct hf_node *node)
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
    uint64_t sessions = cluster_sessions(node);
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
    if (gather->walks) {
        options.cursor = gather->walk_at;
    }
    uint64_t partition = options.cursor >> 33;
    uint64_t position = options.cursor & (((uint64_t)1 << 33) - 1);
    if (partition >= HF_PARTITION_COUNT || position >= HF_SESSIONS_END) {
        span->from = HF_PARTITION_COUNT; /* Not one of ours: at the end. */
        return true;
    }
    while (node->state == HF_STATE_ACTIVE && partition < HF_PARTITION_COUNT &&
           !is_about(node, command, (uint16_t)partition)) {
        partition++; /* Pages without any of ours are for nothing. */
        position = 0;
    }
    span->from = (uint16_t)partition;
    if (partition == HF_PARTITION_COUNT) {
        return true;
    }
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
                                  const struct hf_command *command,
                                  const struct span *span)
{
    hf_member_set set = 0;
    for (uint16_t p = span->from; p < span->end; p++) {
        if (is_about(node, command, p)) {
            set |= hf_member_set_of(node->view->acting[p].members[0]);
        }
    }
    return set;
}

static void submit_ranges(struct hf_node *node, struct hf_gathering *gather,
                          const struct hf_command *command,
                          const struct span *span)
{
    hf_member_set targets = primaries_of(node, command, span);
    uint32_t parts = hf_member_set_count(targets);
    if (gather_set_parts(node, gather, parts) != 0) {
        struct hf_reply error = hf_reply_error(hf_no_memory_text);
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
            hf_node_request_new(node, command, gather->deadline, &why);
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
        hf_node_request_route(node, request);
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

/* NULL: the client has its answer, an error. */
static struct hf_gathering *ranged_new(struct hf_node *node, uint64_t client,
                                       uint64_t tag,
                                       const struct hf_command *command)
{
    struct hf_gathering *gather = gather_new(node, client, tag, command);
    struct hf_request *origin =
        gather == NULL ? NULL : hf_node_request_copy(node, command);
    if (origin == NULL) {
        if (gather != NULL) {
            gather_free(node, gather);
        }
        hf_node_refuse_client(node, client, tag, hf_no_memory_text);
        return NULL;
    }
    gather->origin = origin;
    gather_set_held(node, gather, 0);
    if (others_hold_too_much(node, gather)) {
        gather_free(node, gather);
        hf_node_refuse_client(node, client, tag, hf_many_answers_text);
        return NULL;
    }
    return gather;
}

void hf_node_spread(struct hf_node *node, uint64_t client, uint64_t tag,
                    const struct hf_command *command)
{
    struct hf_gathering *gather = ranged_new(node, client, tag, command);
    if (gather != NULL) {
        spread(node, gather);
    }
}

void hf_node_walk(struct hf_node *node, uint64_t client, uint64_t tag,
                  const struct hf_command *command)
{
    bool every = command->row->gather == HF_GATHER_EVERY;
    const struct hf_slice argv[] = {
        HF_SLICE_LITERAL("SCAN"),
        HF_SLICE_LITERAL("0"),
        HF_SLICE_LITERAL("COUNT"),
        HF_SLICE_LITERAL("1000"), /* Visited: in a sparse database few. */
        HF_SLICE_LITERAL("MATCH"),
        every ? command->argv[1] : HF_SLICE_LITERAL("*"),
    };
    struct hf_command scan = {.row = hf_command_find(argv[0]),
                              .argc = HF_ARRAY_COUNT(argv),
                              .argv = argv,
                              .database = command->database,
                              .own = command->own};
    struct hf_gathering *gather = ranged_new(node, client, tag, &scan);
    if (gather == NULL) {
        return;
    }
    gather->walks = true;
    gather->kind = command->row->gather;
    if (!every) {
        gather->walk_from =
            (uint16_t)hf_rng_below(&node->rng, HF_PARTITION_COUNT);
        gather->walk_at = (uint64_t)gather->walk_from << 33 |
                          hf_rng_below(&node->rng, HF_SESSIONS_END);
    }
    spread(node, gather);
}

void hf_node_walks_tick(struct hf_node *node)
{
    struct hf_list *link = node->gathers.next;
    while (node->walks_waiting > 0 && link != &node->gathers) {
        struct hf_gathering *gather =
            HF_CONTAINER_OF(link, struct hf_gathering, link);
        link = link->next;
        if (gather->goes_on) {
            gather->goes_on = false;
            node->walks_waiting--;
            gather->deadline = node->now + (hf_time)node->config.hold_ms;
            spread(node, gather);
        }
    }
}

void hf_node_gathers_entered(struct hf_node *node)
{
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

void hf_node_gathers_tick(struct hf_node *node, const struct hf_reply *error)
{
    struct hf_list *link = node->gathers.next;
    while (link != &node->gathers) {
        struct hf_gathering *gather =
            HF_CONTAINER_OF(link, struct hf_gathering, link);
        link = link->next;
        if (gather->waits && gather->deadline <= node->now) {
            node->counters.refused++;
            gather_fail(gather, error);
            gather_finish(node, gather);
        }
    }
}

void hf_node_gathers_close(struct hf_node *node)
{
    while (!hf_list_is_empty(&node->gathers)) {
        gather_free(node, HF_CONTAINER_OF(node->gathers.next,
                                          struct hf_gathering, link));
    }
}
