/* transfers.c - RENAME and its like, when the keys are in different partitions.
 *
 * No write is about two partitions, so the node that was asked has it done in
 * steps, each an operation of its own that is carried out once
 * (core/operations.h):
 *
 *   RENAME old new                         COPY: without DROP
 *
 *     READ old --> WRITE new --> DROP old --- it did ----------> OK
 *       ^                          |
 *       +------ it had changed ----+--- too often ------> UNDO new, an error
 *       |
 *       +-- old is gone: at first, "no such key"; later on it was deleted
 *           meanwhile, and so UNDO new, "no such key"
 *
 * WRITE answers what it replaced, and UNDO puts that back. A session is dropped
 * only as what was read and is there under its new key for good, so at every
 * moment there is one of the two. When a step gets no answer the command ends
 * with that error: then there may be both.
 *
 * MSETNX looks at all keys at once and, when there is none, sets all at once.
 *
 * An answer may come while the node is in the middle of a commit, so it is only
 * noted; the next step begins at the end of hf_node_step. */
#include "core/transfers.h"

#include <string.h>

#include "base/assert.h"
#include "core/node_state.h"

/* How often a session may change while it is renamed. */
#define ROUNDS_MAX 16

static const char no_key_text[] = "ERR no such key";
static const char busy_text[] =
    "ERR the session changed again and again while it was renamed; nothing "
    "was renamed";
static const char taken_text[] =
    "ERR both sessions changed while one was renamed; there are both";
static const char damaged_text[] = "ERR the answer of a step is damaged";

/* Memory. */

static void count_held(struct hf_node *node, struct hf_transfer *transfer)
{
    size_t bytes = transfer->answer.capacity + transfer->value.capacity +
                   transfer->replaced.capacity + transfer->origin->size;
    node->answer_bytes = node->answer_bytes - transfer->held_bytes + bytes;
    transfer->held_bytes = bytes;
}

/* Others that wait may be too much; one alone is not. */
static bool others_hold_too_much(const struct hf_node *node,
                                 const struct hf_transfer *transfer)
{
    return node->answer_bytes - transfer->held_bytes >
           node->config.held_bytes_max;
}

static void transfer_free(struct hf_node *node, struct hf_transfer *transfer)
{
    hf_list_remove(&transfer->link);
    hf_buffer_close(&transfer->answer);
    hf_buffer_close(&transfer->value);
    hf_buffer_close(&transfer->replaced);
    node->answer_bytes -= transfer->held_bytes;
    hf_mem_free(node->mem, transfer->origin, transfer->origin->size);
    hf_mem_free(node->mem, transfer, sizeof(*transfer));
}

static struct hf_transfer *transfer_new(struct hf_node *node,
                                        const struct hf_command *command)
{
    struct hf_transfer *transfer = hf_mem_alloc(node->mem, sizeof(*transfer));
    struct hf_request *origin = hf_node_request_copy(node, command);
    if (transfer == NULL || origin == NULL) {
        if (transfer != NULL) {
            hf_mem_free(node->mem, transfer, sizeof(*transfer));
        }
        if (origin != NULL) {
            hf_mem_free(node->mem, origin, origin->size);
        }
        return NULL;
    }
    *transfer = (struct hf_transfer){.origin = origin};
    hf_buffer_init(&transfer->answer, node->mem);
    hf_buffer_init(&transfer->value, node->mem);
    hf_buffer_init(&transfer->replaced, node->mem);
    hf_list_push_back(&node->transfers, &transfer->link);
    count_held(node, transfer);
    return transfer;
}

/* Ends. */

static void finish(struct hf_node *node, struct hf_transfer *transfer,
                   const struct hf_reply *reply)
{
    hf_node_answer_client(node, transfer->client, transfer->tag, reply);
    transfer_free(node, transfer);
}

static void finish_error(struct hf_node *node, struct hf_transfer *transfer,
                         const char *text)
{
    struct hf_reply reply = hf_reply_error(text);
    finish(node, transfer, &reply);
}

static void finish_done(struct hf_node *node, struct hf_transfer *transfer,
                        bool done)
{
    struct hf_reply reply = transfer->kind == HF_TRANSFER_RENAME
                                ? hf_reply_ok()
                                : hf_reply_integer(done ? 1 : 0);
    finish(node, transfer, &reply);
}

/* Steps. */

static void note_error(struct hf_transfer *transfer, const char *text)
{
    struct hf_reply error = hf_reply_error(text);
    hf_buffer_clear(&transfer->answer);
    hf_reply_encode(&error, &transfer->answer);
    transfer->failed = true;
}

/* When nothing is waited for it goes on. */
static void settle(struct hf_node *node, struct hf_transfer *transfer)
{
    if (transfer->remaining == 0) {
        hf_list_remove(&transfer->link);
        hf_list_push_back(&node->transfers_ready, &transfer->link);
    }
}

static void submit(struct hf_node *node, struct hf_transfer *transfer,
                   struct hf_slice key, struct hf_slice arguments)
{
    const uint8_t step = (uint8_t)transfer->step;
    const struct hf_slice argv[] = {
        HF_SLICE_LITERAL("EXEC"), key, {&step, 1}, arguments};
    const struct hf_command command = {.row = hf_command_find(argv[0]),
                                       .argc = HF_ARRAY_COUNT(argv),
                                       .argv = argv};
    const char *why = NULL;
    struct hf_request *request = hf_node_request_new(
        node, &command, node->now + (hf_time)node->config.hold_ms, &why);
    if (request == NULL) {
        if (!transfer->failed) {
            note_error(transfer, why);
        }
        settle(node, transfer);
        return;
    }
    transfer->remaining++;
    request->transfer = transfer;
    request->partition = hf_partition_of_key(key);
    request->partition_end = (uint16_t)(request->partition + 1);
    hf_node_request_route(node, request);
}

static void step_begin(struct hf_transfer *transfer, enum hf_transfer_step step)
{
    transfer->step = step;
    hf_buffer_clear(&transfer->answer);
}

static void step_read(struct hf_node *node, struct hf_transfer *transfer)
{
    step_begin(transfer, HF_TRANSFER_READ);
    submit(node, transfer, transfer->origin->command.argv[1],
           (struct hf_slice){NULL, 0});
}

/* What READ answered. False: it makes no sense. */
static bool value_open(const struct hf_transfer *transfer,
                       struct hf_slice *state, int64_t *ttl_ms,
                       struct hf_slice *effects)
{
    struct hf_reader reader = hf_reader_of(hf_buffer_slice(&transfer->value));
    struct hf_token token;
    if (!hf_token_next(&reader, &token) || token.kind != HF_TOKEN_ARRAY ||
        token.count != 3 || !hf_token_next(&reader, &token) ||
        token.kind != HF_TOKEN_BULK) {
        return false;
    }
    *state = token.bytes;
    if (!hf_token_next(&reader, &token) || token.kind != HF_TOKEN_INTEGER) {
        return false;
    }
    *ttl_ms = token.integer;
    if (!hf_token_next(&reader, &token) || token.kind != HF_TOKEN_BULK) {
        return false;
    }
    *effects = token.bytes;
    return true;
}

/* Submits a step with packed arguments, which are freed. */
static void submit_packed(struct hf_node *node, struct hf_transfer *transfer,
                          struct hf_slice key, struct hf_buffer *packed)
{
    if (packed->failed) {
        note_error(transfer, hf_no_memory_text);
        settle(node, transfer);
    } else {
        submit(node, transfer, key, hf_buffer_slice(packed));
    }
    hf_buffer_close(packed);
}

/* What is left of a time to live that was known at @since. */
static int64_t time_left(const struct hf_node *node, int64_t ttl_ms,
                         hf_time since)
{
    if (ttl_ms <= 0) { /* HF_TTL_NONE, or what WRITE refuses. */
        return ttl_ms;
    }
    int64_t left = ttl_ms - (node->now - since);
    return left > 0 ? left : 1;
}

static enum hf_transfer_mode mode_of(enum hf_transfer_kind kind)
{
    switch (kind) {
    case HF_TRANSFER_COPY:
    case HF_TRANSFER_RENAMENX:
        return HF_TRANSFER_ONLY_NEW;
    case HF_TRANSFER_RENAME:
        return HF_TRANSFER_KEEP;
    default:
        return HF_TRANSFER_ANYWAY;
    }
}

static void step_write(struct hf_node *node, struct hf_transfer *transfer)
{
    struct hf_slice state;
    struct hf_slice effects;
    int64_t ttl_ms = 0;
    struct hf_slice mine = {transfer->version,
                            transfer->written ? sizeof(transfer->version) : 0};
    if (!value_open(transfer, &state, &ttl_ms, &effects)) {
        finish_error(node, transfer, damaged_text);
        return;
    }
    bool copies = transfer->kind == HF_TRANSFER_COPY ||
                  transfer->kind == HF_TRANSFER_COPY_REPLACE;
    struct hf_buffer packed;
    hf_buffer_init(&packed, node->mem);
    hf_transfer_put_write(&packed, mode_of(transfer->kind),
                          copies ? HF_NOTICE_COPY_TO : HF_NOTICE_COUNT, mine,
                          time_left(node, ttl_ms, transfer->read_at), effects);
    step_begin(transfer, HF_TRANSFER_WRITE);
    submit_packed(node, transfer, transfer->origin->command.argv[2], &packed);
}

static void step_drop(struct hf_node *node, struct hf_transfer *transfer)
{
    const struct hf_slice *argv = transfer->origin->command.argv;
    struct hf_slice state;
    struct hf_slice effects;
    int64_t ttl_ms;
    struct hf_buffer packed;
    hf_buffer_init(&packed, node->mem);
    if (!value_open(transfer, &state, &ttl_ms, &effects)) {
        finish_error(node, transfer, damaged_text);
        return;
    }
    hf_transfer_put_drop(&packed, state, argv[2]);
    step_begin(transfer, HF_TRANSFER_DROP);
    submit_packed(node, transfer, argv[1], &packed);
}

/* What WRITE answered of what it replaced: nothing, or a session. */
static void replaced_open(const struct hf_transfer *transfer, int64_t *ttl_ms,
                          struct hf_slice *effects)
{
    struct hf_reader reader =
        hf_reader_of(hf_buffer_slice(&transfer->replaced));
    struct hf_token token[4];
    *ttl_ms = HF_TTL_NONE;
    *effects = (struct hf_slice){NULL, 0};
    for (size_t i = 0; i < HF_ARRAY_COUNT(token); i++) {
        if (!hf_token_next(&reader, &token[i])) {
            return;
        }
    }
    if (token[2].kind == HF_TOKEN_INTEGER && token[3].kind == HF_TOKEN_BULK) {
        *ttl_ms = token[2].integer;
        *effects = token[3].bytes;
    }
}

/* Ends with the error @text, or NULL and that in `value`, and as if nothing had
 * been written. */
static void step_undo(struct hf_node *node, struct hf_transfer *transfer,
                      const char *text)
{
    struct hf_slice version = {transfer->version, sizeof(transfer->version)};
    struct hf_slice effects;
    int64_t ttl_ms;
    struct hf_buffer packed;
    if (!transfer->written) {
        finish_error(node, transfer, text);
        return;
    }
    transfer->end = text;
    replaced_open(transfer, &ttl_ms, &effects);
    hf_buffer_init(&packed, node->mem);
    hf_transfer_put_undo(&packed, version,
                         time_left(node, ttl_ms, transfer->replaced_at),
                         effects);
    step_begin(transfer, HF_TRANSFER_UNDO);
    submit_packed(node, transfer, transfer->origin->command.argv[2], &packed);
}

/* MSETNX: of all keys at once. */
static void step_look(struct hf_node *node, struct hf_transfer *transfer)
{
    const struct hf_command *command = &transfer->origin->command;
    step_begin(transfer, HF_TRANSFER_LOOK);
    transfer->remaining++; /* Not done before all are on their way. */
    for (uint32_t i = 1; i < command->argc; i += 2) {
        submit(node, transfer, command->argv[i], (struct hf_slice){NULL, 0});
    }
    transfer->remaining--;
    settle(node, transfer);
}

static void step_set(struct hf_node *node, struct hf_transfer *transfer)
{
    const struct hf_command *command = &transfer->origin->command;
    step_begin(transfer, HF_TRANSFER_WRITE);
    transfer->remaining++;
    for (uint32_t i = 1; i < command->argc; i += 2) {
        struct hf_buffer effects;
        struct hf_buffer packed;
        hf_buffer_init(&effects, node->mem);
        hf_buffer_init(&packed, node->mem);
        hf_effects_put(&effects, command->argv[i + 1], HF_TTL_NONE);
        hf_transfer_put_write(&packed, HF_TRANSFER_ANYWAY, HF_NOTICE_SET,
                              (struct hf_slice){NULL, 0}, HF_TTL_NONE,
                              hf_buffer_slice(&effects));
        packed.failed |= effects.failed;
        hf_buffer_close(&effects);
        submit_packed(node, transfer, command->argv[i], &packed);
    }
    transfer->remaining--;
    settle(node, transfer);
}

/* What follows an answer. */

static void after_read(struct hf_node *node, struct hf_transfer *transfer,
                       const struct hf_reply *reply)
{
    bool renames = transfer->kind == HF_TRANSFER_RENAME ||
                   transfer->kind == HF_TRANSFER_RENAMENX;
    if (reply->kind == HF_REPLY_NIL && renames) {
        step_undo(node, transfer, no_key_text);
    } else if (reply->kind == HF_REPLY_NIL) {
        finish_done(node, transfer, false);
    } else {
        hf_buffer_close(&transfer->value);
        transfer->value = transfer->answer;
        hf_buffer_init(&transfer->answer, node->mem);
        transfer->read_at = node->now;
        step_write(node, transfer);
    }
}

/* Takes over the answer to WRITE that was not one of a copy. False: it makes no
 * sense. */
static bool written_open(struct hf_node *node, struct hf_transfer *transfer,
                         const struct hf_reply *reply)
{
    struct hf_slice version = reply->bytes;
    if (reply->kind == HF_REPLY_NESTED) {
        struct hf_reader reader = hf_reader_of(reply->bytes);
        struct hf_token token;
        if (!hf_token_next(&reader, &token) || token.kind != HF_TOKEN_ARRAY ||
            !hf_token_next(&reader, &token) || token.kind != HF_TOKEN_BULK) {
            return false;
        }
        version = token.bytes;
    } else if (reply->kind != HF_REPLY_BULK) {
        return false;
    }
    if (version.size != sizeof(transfer->version)) {
        return false;
    }
    memcpy(transfer->version, version.data, version.size);
    transfer->written = true;
    if (reply->kind == HF_REPLY_NESTED) {
        hf_buffer_close(&transfer->replaced);
        transfer->replaced = transfer->answer;
        transfer->replaced_at = node->now;
        hf_buffer_init(&transfer->answer, node->mem);
    }
    return true;
}

static void after_write(struct hf_node *node, struct hf_transfer *transfer,
                        const struct hf_reply *reply)
{
    if (transfer->kind == HF_TRANSFER_MSETNX) {
        finish_done(node, transfer, true);
    } else if (reply->kind == HF_REPLY_NIL && transfer->written) {
        finish_error(node, transfer, taken_text);
    } else if (reply->kind == HF_REPLY_NIL) {
        finish_done(node, transfer, false);
    } else if (!written_open(node, transfer, reply)) {
        finish_error(node, transfer, damaged_text);
    } else if (transfer->kind == HF_TRANSFER_COPY ||
               transfer->kind == HF_TRANSFER_COPY_REPLACE) {
        finish_done(node, transfer, true);
    } else if (others_hold_too_much(node, transfer)) {
        step_undo(node, transfer, hf_many_answers_text);
    } else {
        step_drop(node, transfer);
    }
}

static void after_drop(struct hf_node *node, struct hf_transfer *transfer,
                       const struct hf_reply *reply)
{
    if (reply->kind == HF_REPLY_INTEGER && reply->integer == 1) {
        finish_done(node, transfer, true);
    } else if (++transfer->rounds < ROUNDS_MAX) {
        step_read(node, transfer);
    } else {
        step_undo(node, transfer, busy_text);
    }
}

/* A step ended in an error, which is in `answer`. What a READ or WRITE before
 * it left can be taken back; a DROP may have been carried out. */
static void after_error(struct hf_node *node, struct hf_transfer *transfer,
                        const struct hf_reply *error)
{
    if (!transfer->written || (transfer->step != HF_TRANSFER_READ &&
                               transfer->step != HF_TRANSFER_WRITE)) {
        finish(node, transfer, error);
        return;
    }
    hf_buffer_close(&transfer->value);
    transfer->value = transfer->answer;
    hf_buffer_init(&transfer->answer, node->mem);
    transfer->failed = false;
    step_undo(node, transfer, NULL);
}

static void after_undo(struct hf_node *node, struct hf_transfer *transfer)
{
    struct hf_reply error;
    if (transfer->end != NULL) {
        finish_error(node, transfer, transfer->end);
    } else if (hf_reply_decode(hf_buffer_slice(&transfer->value), &error)) {
        finish(node, transfer, &error);
    } else {
        finish_error(node, transfer, hf_no_memory_text);
    }
}

/* All that was asked for has been answered. */
static void go_on(struct hf_node *node, struct hf_transfer *transfer)
{
    struct hf_reply reply;
    if (transfer->answer.failed ||
        !hf_reply_decode(hf_buffer_slice(&transfer->answer), &reply)) {
        reply = hf_reply_error(hf_no_memory_text);
    }
    if (reply.kind == HF_REPLY_ERROR) {
        after_error(node, transfer, &reply);
        return;
    }
    switch (transfer->step) {
    case HF_TRANSFER_LOOK:
        if (transfer->found > 0) {
            finish_done(node, transfer, false);
        } else {
            step_set(node, transfer);
        }
        break;
    case HF_TRANSFER_READ:
        after_read(node, transfer, &reply);
        break;
    case HF_TRANSFER_WRITE:
        after_write(node, transfer, &reply);
        break;
    case HF_TRANSFER_DROP:
        after_drop(node, transfer, &reply);
        break;
    case HF_TRANSFER_UNDO:
        after_undo(node, transfer);
        break;
    }
}

void hf_node_transfer_answered(struct hf_node *node,
                               struct hf_transfer *transfer,
                               const struct hf_reply *reply)
{
    HF_ASSERT(transfer->remaining > 0);
    transfer->remaining--;
    settle(node, transfer);
    if (transfer->failed) {
        return; /* The first error is the answer. */
    }
    if (reply->kind == HF_REPLY_INTEGER) {
        transfer->found += reply->integer != 0 ? 1 : 0;
    }
    hf_buffer_clear(&transfer->answer);
    hf_reply_encode(reply, &transfer->answer);
    transfer->failed = reply->kind == HF_REPLY_ERROR;
    count_held(node, transfer);
    if (!transfer->failed && transfer->step == HF_TRANSFER_READ &&
        others_hold_too_much(node, transfer)) {
        note_error(transfer, hf_many_answers_text);
    }
}

void hf_node_transfers_run(struct hf_node *node)
{
    while (!hf_list_is_empty(&node->transfers_ready)) {
        struct hf_transfer *transfer = HF_CONTAINER_OF(
            node->transfers_ready.next, struct hf_transfer, link);
        hf_list_remove(&transfer->link);
        hf_list_push_back(&node->transfers, &transfer->link);
        go_on(node, transfer);
    }
}

bool hf_node_transfer(struct hf_node *node, uint64_t client, uint64_t tag,
                      const struct hf_command *command)
{
    struct hf_reply error;
    enum hf_transfer_kind kind = hf_transfer_kind(command, &error);
    if (kind == HF_TRANSFER_NONE) {
        return false;
    }
    if (kind == HF_TRANSFER_REFUSED) {
        hf_node_answer_client(node, client, tag, &error);
        return true;
    }
    struct hf_transfer *transfer = transfer_new(node, command);
    if (transfer == NULL) {
        hf_node_refuse_client(node, client, tag, hf_no_memory_text);
        return true;
    }
    if (others_hold_too_much(node, transfer)) {
        transfer_free(node, transfer);
        hf_node_refuse_client(node, client, tag, hf_many_answers_text);
        return true;
    }
    transfer->client = client;
    transfer->tag = tag;
    transfer->kind = kind;
    if (kind == HF_TRANSFER_MSETNX) {
        step_look(node, transfer);
    } else {
        step_read(node, transfer);
    }
    return true;
}

void hf_node_transfers_close(struct hf_node *node)
{
    while (!hf_list_is_empty(&node->transfers_ready)) {
        struct hf_list *link = node->transfers_ready.next;
        transfer_free(node, HF_CONTAINER_OF(link, struct hf_transfer, link));
    }
    while (!hf_list_is_empty(&node->transfers)) {
        transfer_free(node, HF_CONTAINER_OF(node->transfers.next,
                                            struct hf_transfer, link));
    }
}
