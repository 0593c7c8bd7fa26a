#include "wire/connection_multi_private.h"

#include <string.h>

#include "base/assert.h"
#include "core/key.h"
#include "core/placement.h"
#include "core/transaction.h"
#include "wire/connection_commands.h"
#include "wire/connection_pubsub.h"

/* More keys are refused; and more bytes of them, each with its state. */
#define WATCHES_MAX 65536
#define WATCHES_BYTES_MAX ((size_t)8 << 20)
#define WATCH_BYTES 64 /* Of a state, with what is around it; or more. */

static const char abort_text[] =
    "EXECABORT Transaction discarded because of previous errors.";
static const char large_text[] =
    "ERR the transaction is larger than 25 MiB: it cannot be carried out";
static void buffers_init(struct hf_multi *multi)
{
    struct hf_buffer *buffers[] = {
        &multi->queue, &multi->watches, &multi->asked, &multi->arguments,
        &multi->share, &multi->answers, &multi->joined};
    for (size_t i = 0; i < HF_ARRAY_COUNT(buffers); i++) {
        hf_buffer_init(buffers[i], multi->mem);
    }
}

/* The answers kept here, as those of all connections are counted. */
static void set_held(struct hf_multi *multi, size_t bytes)
{
    if (multi->held_total != NULL) {
        *multi->held_total = *multi->held_total - multi->held_bytes + bytes;
    }
    multi->held_bytes = bytes;
}

static void parts_clear(struct hf_multi *multi)
{
    for (uint32_t i = 0; i < multi->part_count; i++) {
        multi->part_numbers[multi->parts[i].partition] = 0;
        hf_buffer_close(&multi->parts[i].packed);
        hf_buffer_close(&multi->parts[i].tokens);
    }
    multi->part_count = 0;
    multi->part_bytes = 0;
    set_held(multi, multi->answers.capacity);
}

static struct hf_multi *multi_of(struct hf_connection *connection)
{
    if (connection->multi != NULL) {
        return connection->multi;
    }
    struct hf_multi *multi = hf_mem_alloc(connection->mem, sizeof(*multi));
    if (multi == NULL) {
        connection->broken = true;
        return NULL;
    }
    *multi = (struct hf_multi){.mem = connection->mem,
                               .held_total = connection->host->multi_bytes};
    buffers_init(multi);
    connection->multi = multi;
    return multi;
}

void hf_connection_multi_reset(struct hf_connection *connection)
{
    struct hf_multi *multi = connection->multi;
    if (multi == NULL) {
        return;
    }
    parts_clear(multi);
    hf_mem_free(multi->mem, multi->parts,
                multi->part_capacity * sizeof(*multi->parts));
    hf_buffer_close(&multi->queue);
    hf_buffer_close(&multi->watches);
    hf_buffer_close(&multi->asked);
    hf_buffer_close(&multi->arguments);
    hf_buffer_close(&multi->share);
    hf_buffer_close(&multi->answers);
    hf_buffer_close(&multi->joined);
    set_held(multi, 0);
    hf_mem_free(connection->mem, multi, sizeof(*multi));
    connection->multi = NULL;
}

bool hf_connection_multi_runs(const struct hf_connection *connection)
{
    return connection->multi != NULL && connection->multi->state != MULTI_IDLE;
}

bool hf_connection_multi_queues(const struct hf_connection *connection)
{
    return connection->multi != NULL && connection->multi->queueing;
}

bool hf_connection_multi_fits_slot(struct hf_connection *connection,
                                   uint16_t slot)
{
    struct hf_multi *multi = connection->multi;
    if (!hf_connection_multi_queues(connection)) {
        return true;
    }
    if (!multi->slotted) {
        multi->slotted = true;
        multi->slot = slot;
    }
    return multi->slot == slot;
}

void hf_connection_multi_spoil(struct hf_connection *connection)
{
    if (connection->multi != NULL && connection->multi->queueing) {
        connection->multi->spoilt = true;
    }
}

static void finish(struct hf_connection *connection,
                   const struct hf_reply *reply)
{
    uint64_t tag = connection->multi->tag;
    connection->multi->state = MULTI_IDLE;
    hf_connection_reply(connection, tag, reply);
}

/* EXEC ended: the answer is out before what it may borrow from is freed. */
static void finish_exec(struct hf_connection *connection,
                        const struct hf_reply *reply)
{
    finish(connection, reply);
    hf_connection_multi_reset(connection);
}

static void finish_nil(struct hf_connection *connection)
{
    struct hf_multi *multi = connection->multi;
    hf_buffer_clear(&multi->answers);
    hf_reply_put_nil_array(&multi->answers);
    struct hf_reply reply = hf_reply_nested(&multi->answers);
    connection->broken |= multi->answers.failed;
    finish_exec(connection, &reply);
}

/* Packed commands. */

/* The command at *@at of the queue, borrowing from it and from arguments; *@at
 * is then behind it. False: no memory. */
static bool command_at(struct hf_multi *multi, size_t *at,
                       struct hf_command *command)
{
    struct hf_reader reader = hf_reader_of(hf_buffer_slice(&multi->queue));
    reader.offset = *at;
    bool found = hf_transaction_next(&reader, &multi->arguments, command);
    HF_ASSERT(!reader.failed);
    *at = reader.offset;
    return found;
}

bool hf_multi_is_local(const struct hf_command *command)
{
    return command->row->route == HF_ROUTE_CONNECTION;
}

/* Whether it is carried out in units: one, or for KEYS several. */
bool hf_multi_is_of_units(const struct hf_command *command)
{
    return hf_command_fits_unit(command) &&
           (command->row->route == HF_ROUTE_KEYS ||
            hf_command_is_of_one_partition(command));
}

/* Parts. */

struct hf_multi_part *hf_multi_part_of(struct hf_multi *multi,
                                       uint16_t partition)
{
    uint16_t number = multi->part_numbers[partition];
    return number == 0 ? NULL : &multi->parts[number - 1];
}

static bool part_add(struct hf_multi *multi, uint16_t partition, bool alone)
{
    if (hf_multi_part_of(multi, partition) != NULL) {
        return true;
    }
    if (multi->part_count == multi->part_capacity) {
        uint32_t capacity =
            multi->part_capacity == 0 ? 4 : 2 * multi->part_capacity;
        struct hf_multi_part *parts = hf_mem_resize(
            multi->mem, multi->parts, multi->part_capacity * sizeof(*parts),
            capacity * sizeof(*parts));
        if (parts == NULL) {
            return false;
        }
        multi->parts = parts;
        multi->part_capacity = capacity;
    }
    struct hf_multi_part *part = &multi->parts[multi->part_count++];
    *part = (struct hf_multi_part){.partition = partition, .alone = alone};
    hf_buffer_init(&part->packed, multi->mem);
    hf_buffer_init(&part->tokens, multi->mem);
    multi->part_numbers[partition] = (uint16_t)multi->part_count;
    return true;
}

static bool parts_add_command(struct hf_multi *multi,
                              const struct hf_command *command)
{
    struct hf_slice key;
    if (command->row->route != HF_ROUTE_KEYS) {
        return part_add(multi, hf_command_partition(command), false);
    }
    for (uint32_t i = 0; hf_command_key(command, i, &key); i++) {
        if (!part_add(multi, hf_partition_of_key(key), false)) {
            return false;
        }
    }
    return true;
}

static void ask(struct hf_connection *connection, uint32_t index,
                const struct hf_command *command)
{
    struct hf_command inner = *command;
    inner.own = connection->cluster;
    connection->host->request(connection->host->user, connection,
                              HF_CONNECTION_MULTI_TAG | index, &inner);
}

static void part_send(struct hf_connection *connection, uint32_t index)
{
    struct hf_multi_part *part = &connection->multi->parts[index];
    struct hf_slice argv[] = {HF_SLICE_LITERAL("EXEC"), part->key,
                              hf_buffer_slice(&part->packed)};
    struct hf_command packed = {
        .row = hf_command_find(argv[0]), .argc = 3, .argv = argv};
    if (part->packed.failed) {
        connection->broken = true;
        return;
    }
    ask(connection, index, &packed);
    hf_buffer_close(&connection->multi->parts[index].packed);
}

/* Asks all parts, of which there may be none, with @commands or the watches
 * alone. In one pass over either, however many parts there are. */
static void parts_send(struct hf_connection *connection, bool commands)
{
    struct hf_multi *multi = connection->multi;
    multi->remaining = multi->part_count;
    hf_multi_pack_watches(multi);
    struct hf_command command;
    for (size_t at = multi->at; commands && at < multi->end;) {
        if (!command_at(multi, &at, &command)) {
            connection->broken = true;
            return;
        }
        if (!hf_multi_is_local(&command)) {
            hf_multi_pack_command(multi, &command);
        }
    }
    for (uint32_t i = 0; i < multi->part_count && !connection->broken; i++) {
        part_send(connection, i);
    }
}

static bool is_nil_array(const struct hf_multi_part *part)
{
    struct hf_reader reader = hf_reader_of(hf_buffer_slice(&part->tokens));
    struct hf_token token;
    return hf_token_next(&reader, &token) && token.kind == HF_TOKEN_NIL_ARRAY;
}

/* Whether all of EXEC is one unit, so that a nil array of it is the answer. */
static bool is_one_unit(const struct hf_multi *multi)
{
    return multi->at == 0 && multi->end == multi->queue.size &&
           multi->part_count == 1 && !multi->parts[0].alone;
}

static void parts_open(struct hf_multi *multi)
{
    for (uint32_t i = 0; i < multi->part_count && !multi->opened; i++) {
        if (!multi->parts[i].alone) {
            hf_multi_part_open(multi, &multi->parts[i]);
        }
    }
    multi->opened = true;
}

/* Writes the answers of the step, whose commands of the connection itself are
 * run here. False: there was not time for all, or the transaction has ended. */
static bool step_answer(struct hf_connection *connection)
{
    struct hf_multi *multi = connection->multi;
    struct hf_command command;
    size_t before = multi->answers.capacity;
    if (!multi->opened && is_one_unit(multi) &&
        is_nil_array(&multi->parts[0])) {
        finish_nil(connection);
        return false;
    }
    parts_open(multi);
    while (multi->at < multi->end && !connection->broken &&
           multi->answers.size <= HF_REPLY_BYTES_MAX) {
        if (!hf_connection_may_go_on(connection)) {
            set_held(multi,
                     multi->held_bytes + multi->answers.capacity - before);
            return false;
        }
        connection->broken |= !command_at(multi, &multi->at, &command);
        if (!connection->broken) {
            hf_multi_answer_command(connection, &command);
        }
    }
    multi->opened = false;
    return true;
}

/* Whether there may be another. */
static bool step_end(struct hf_connection *connection)
{
    struct hf_multi *multi = connection->multi;
    parts_clear(multi);
    if (multi->answers.size > HF_REPLY_BYTES_MAX) {
        struct hf_reply reply = hf_reply_error(HF_REPLY_TOO_LARGE);
        finish_exec(connection, &reply);
        return false;
    }
    if (multi->answers.failed || connection->broken) {
        connection->broken = true;
    }
    return !connection->broken;
}

/* Steps. */

static void exec_end(struct hf_connection *connection)
{
    struct hf_multi *multi = connection->multi;
    hf_buffer_clear(&multi->joined);
    hf_reply_put_array(&multi->joined, multi->count);
    hf_buffer_append_slice(&multi->joined, hf_buffer_slice(&multi->answers));
    connection->broken |= multi->joined.failed;
    struct hf_reply reply = hf_reply_nested(&multi->joined);
    finish_exec(connection, &reply);
}

/* Finds the end of the step that begins at multi->at, and its parts. False: no
 * memory. */
static bool step_find(struct hf_multi *multi, struct hf_command *alone)
{
    alone->row = NULL;
    multi->end = multi->at;
    for (size_t at = multi->at; at < multi->queue.size; multi->end = at) {
        struct hf_command command;
        if (!command_at(multi, &at, &command)) {
            return false;
        }
        if (hf_multi_is_local(&command)) {
            continue;
        }
        if (hf_multi_is_of_units(&command)) {
            if (!parts_add_command(multi, &command)) {
                return false;
            }
            continue;
        }
        if (multi->part_count == 0) { /* It is a step of its own. */
            *alone = command;
            multi->end = at;
            return part_add(multi, 0, true);
        }
        return true;
    }
    return true;
}

static void step_begin(struct hf_connection *connection)
{
    struct hf_multi *multi = connection->multi;
    struct hf_command alone;
    multi->state = MULTI_RUNNING;
    if (!step_find(multi, &alone)) {
        connection->broken = true;
    } else if (multi->at == multi->queue.size) {
        exec_end(connection);
    } else if (alone.row != NULL) {
        multi->remaining = 1;
        ask(connection, 0, &alone);
    } else {
        parts_send(connection, true);
    }
}

/* Whether it takes a look at the watches first: unless the one unit has them
 * all. */
static bool needs_check(struct hf_multi *multi, bool *failed)
{
    struct hf_command alone;
    if (multi->watch_count == 0) {
        return false;
    }
    *failed = !step_find(multi, &alone);
    bool one = !*failed && is_one_unit(multi);
    uint16_t p = multi->part_count > 0 ? multi->parts[0].partition : 0;
    struct hf_reader reader = hf_reader_of(hf_buffer_slice(&multi->watches));
    while (hf_reader_left(&reader) > 0) {
        one = one && hf_partition_of_key(hf_reader_slice(&reader)) == p;
        (void)hf_reader_slice(&reader);
    }
    parts_clear(multi);
    return !one;
}

static void exec_begin(struct hf_connection *connection)
{
    struct hf_multi *multi = connection->multi;
    bool failed = false;
    multi->queueing = false;
    multi->at = 0;
    if (!needs_check(multi, &failed)) {
        step_begin(connection);
        return;
    }
    multi->state = MULTI_CHECKING;
    struct hf_reader reader = hf_reader_of(hf_buffer_slice(&multi->watches));
    while (!failed && hf_reader_left(&reader) > 0) {
        uint16_t p = hf_partition_of_key(hf_reader_slice(&reader));
        (void)hf_reader_slice(&reader);
        failed = !part_add(multi, p, false);
    }
    if (failed) {
        connection->broken = true;
        return;
    }
    parts_send(connection, false);
}

/* All watched partitions have said whether theirs hold. */
static void check_end(struct hf_connection *connection)
{
    struct hf_multi *multi = connection->multi;
    for (uint32_t i = 0; i < multi->part_count; i++) {
        struct hf_reply reply;
        if (is_nil_array(&multi->parts[i])) {
            finish_nil(connection);
            return;
        }
        if (!hf_reply_decode(hf_buffer_slice(&multi->parts[i].tokens),
                             &reply) ||
            reply.kind == HF_REPLY_ERROR) {
            finish_exec(connection, &reply);
            return;
        }
    }
    parts_clear(multi);
    step_begin(connection);
}

/* The states of what WATCH asked about. */
static void watch_end(struct hf_connection *connection)
{
    struct hf_multi *multi = connection->multi;
    struct hf_reader states =
        hf_reader_of(hf_buffer_slice(&multi->parts[0].tokens));
    struct hf_reader keys = hf_reader_of(hf_buffer_slice(&multi->asked));
    struct hf_token token = {.kind = HF_TOKEN_NIL};
    struct hf_reply reply = hf_reply_ok();
    if (!hf_token_next(&states, &token) || token.kind != HF_TOKEN_ARRAY) {
        if (!hf_reply_decode(hf_buffer_slice(&multi->parts[0].tokens),
                             &reply)) {
            reply = hf_reply_error("ERR the keys could not be watched");
        }
        finish(connection, &reply);
        parts_clear(multi);
        return;
    }
    while (hf_reader_left(&keys) > 0 && hf_token_next(&states, &token)) {
        hf_transaction_watch(&multi->watches, hf_reader_slice(&keys),
                             token.bytes);
        multi->watch_count++;
    }
    connection->broken |= multi->watches.failed;
    finish(connection, &reply);
    parts_clear(multi);
}

bool hf_connection_multi_is_ready(const struct hf_connection *connection)
{
    return !connection->broken && hf_connection_multi_runs(connection) &&
           connection->multi->remaining == 0;
}

void hf_connection_multi_go_on(struct hf_connection *connection)
{
    while (hf_connection_multi_is_ready(connection)) {
        switch (connection->multi->state) {
        case MULTI_WATCHING:
            watch_end(connection);
            break;
        case MULTI_CHECKING:
            check_end(connection);
            break;
        default:
            if (!step_answer(connection)) {
                return;
            }
            if (step_end(connection)) {
                step_begin(connection);
            }
            break;
        }
    }
}

/* Why an answer of @bytes is not kept; NULL: it is. */
static const char *refuse_answer(const struct hf_multi *multi, size_t bytes)
{
    if (multi->answers.size + multi->part_bytes + bytes > HF_REPLY_BYTES_MAX) {
        return HF_REPLY_TOO_LARGE;
    }
    if (multi->held_total != NULL && *multi->held_total - multi->held_bytes >
                                         HF_CONNECTION_MULTI_BYTES_MAX) {
        return "CLUSTERDOWN too many answers to transactions wait at this node";
    }
    return NULL;
}

/* Keeps the answer to @part, or an error in its place. */
static void part_answer(struct hf_multi *multi, struct hf_multi_part *part,
                        const struct hf_reply *reply)
{
    const char *refused = refuse_answer(multi, reply->bytes.size);
    struct hf_reply error = hf_reply_error(refused == NULL ? "" : refused);
    hf_reply_encode(refused == NULL ? reply : &error, &part->tokens);
    multi->part_bytes += part->tokens.size;
    set_held(multi, multi->held_bytes + part->tokens.capacity);
}

void hf_connection_multi_reply(struct hf_connection *connection, uint64_t tag,
                               const struct hf_reply *reply)
{
    struct hf_multi *multi = connection->multi;
    uint64_t index = tag & ~HF_CONNECTION_MULTI_TAG;
    if (multi == NULL || multi->state == MULTI_IDLE || multi->remaining == 0 ||
        index >= multi->part_count || multi->parts[index].answered) {
        return;
    }
    struct hf_multi_part *part = &multi->parts[index];
    part->answered = true;
    part_answer(multi, part, reply);
    if (part->tokens.failed) {
        connection->broken = true;
        return;
    }
    multi->remaining--;
}

/* The commands. */

static enum hf_multi_result multi_run(struct hf_connection *connection,
                                      struct hf_reply *reply)
{
    struct hf_multi *multi = multi_of(connection);
    *reply = hf_reply_ok();
    if (multi != NULL && multi->queueing) {
        *reply = hf_reply_error("ERR MULTI calls can not be nested");
    } else if (multi != NULL) {
        multi->queueing = true;
        multi->database = connection->database;
    }
    return HF_MULTI_REPLY;
}

static enum hf_multi_result exec_run(struct hf_connection *connection,
                                     struct hf_reply *reply)
{
    struct hf_multi *multi = connection->multi;
    if (multi == NULL || !multi->queueing) {
        *reply = hf_reply_error("ERR EXEC without MULTI");
        return HF_MULTI_REPLY;
    }
    if (multi->spoilt) {
        *reply = hf_reply_error(abort_text);
        hf_connection_multi_reset(connection);
        return HF_MULTI_REPLY;
    }
    multi->tag = hf_connection_defer(connection);
    if (multi->tag != 0) {
        exec_begin(connection);
        hf_connection_multi_go_on(connection);
    }
    return HF_MULTI_TAKEN;
}

/* An error when that would be too much. */
static struct hf_reply refuse_watch(const struct hf_multi *multi,
                                    const struct hf_command *command)
{
    size_t bytes = multi->watches.size;
    for (uint32_t i = 1; i < command->argc; i++) {
        bytes += command->argv[i].size + WATCH_BYTES;
    }
    if (multi->watch_count + command->argc - 1 > WATCHES_MAX) {
        return hf_reply_error("ERR more than 65536 keys would be watched");
    }
    if (bytes > WATCHES_BYTES_MAX) {
        return hf_reply_error(
            "ERR the watched keys would take more than 8 MiB");
    }
    return hf_reply_ok();
}

static enum hf_multi_result watch_run(struct hf_connection *connection,
                                      const struct hf_command *command,
                                      struct hf_reply *reply)
{
    struct hf_multi *multi = multi_of(connection);
    *reply = hf_reply_error("ERR no memory");
    if (multi == NULL) {
        return HF_MULTI_REPLY;
    }
    if (multi->queueing) {
        *reply = hf_reply_error("ERR WATCH inside MULTI is not allowed");
        return HF_MULTI_REPLY;
    }
    *reply = refuse_watch(multi, command);
    if (reply->kind == HF_REPLY_ERROR) {
        return HF_MULTI_REPLY;
    }
    struct hf_command inner = *command;
    if (!hf_command_encode_keys(&inner, connection->database,
                                &connection->keys)) {
        connection->broken = true;
        return HF_MULTI_TAKEN;
    }
    hf_buffer_clear(&multi->asked);
    for (uint32_t i = 1; i < inner.argc; i++) {
        hf_buffer_put_slice(&multi->asked, inner.argv[i]);
    }
    multi->tag = hf_connection_defer(connection);
    if (multi->tag == 0 || multi->asked.failed || !part_add(multi, 0, true)) {
        connection->broken = true;
        return HF_MULTI_TAKEN;
    }
    multi->state = MULTI_WATCHING;
    multi->remaining = 1;
    ask(connection, 0, &inner);
    hf_connection_multi_go_on(connection);
    return HF_MULTI_TAKEN;
}

/* SELECT counts for what is queued after it. */
static void queue_select(struct hf_multi *multi, bool cluster,
                         const struct hf_command *command)
{
    int64_t index;
    if (!cluster && strcmp(command->row->name, "SELECT") == 0 &&
        hf_slice_to_int64(command->argv[1], &index) && index >= 0 &&
        index < HF_DATABASE_COUNT) {
        multi->database = (uint8_t)index;
    }
}

static enum hf_multi_result queue_run(struct hf_connection *connection,
                                      const struct hf_command *command,
                                      struct hf_reply *reply)
{
    struct hf_multi *multi = connection->multi;
    size_t before = multi->queue.size;
    *reply = (struct hf_reply){.kind = HF_REPLY_STATUS,
                               .bytes = HF_SLICE_LITERAL("QUEUED")};
    if (hf_connection_is_managed(command) ||
        (command->row->flags & HF_COMMAND_ALONE) != 0) {
        *reply = hf_reply_error("ERR Command not allowed inside a transaction");
        multi->spoilt = true;
        return HF_MULTI_REPLY;
    }
    if (command->row->route == HF_ROUTE_SUBSCRIBERS &&
        hf_connection_answers_pubsub(connection, command, reply)) {
        multi->spoilt = true; /* PUBSUB with a word that there is not. */
        return HF_MULTI_REPLY;
    }
    struct hf_command inner = *command;
    bool encoded =
        hf_multi_is_local(command) ||
        hf_command_encode_keys(&inner, multi->database, &connection->keys);
    if (!multi->spoilt && encoded) {
        hf_transaction_command(&multi->queue, &inner);
        multi->count++;
        queue_select(multi, connection->cluster, command);
    }
    if (multi->queue.failed || !encoded) {
        connection->broken = true;
    } else if (multi->queue.size > HF_TRANSACTION_BYTES_MAX) {
        multi->queue.size = before;
        multi->spoilt = true;
        *reply = hf_reply_error(large_text);
    }
    return HF_MULTI_REPLY;
}

enum hf_multi_result hf_connection_multi(struct hf_connection *connection,
                                         const struct hf_command *command,
                                         struct hf_reply *reply)
{
    const char *name = command->row->name;
    bool queueing = connection->multi != NULL && connection->multi->queueing;
    if (strcmp(name, "EXEC") == 0) {
        if (command->argc == 1) {
            return exec_run(connection, reply);
        }
        hf_connection_multi_spoil(connection);
        *reply = hf_connection_wrong_arity(connection, command->row);
        return HF_MULTI_REPLY;
    }
    if (strcmp(name, "MULTI") == 0) {
        return multi_run(connection, reply);
    }
    if (strcmp(name, "WATCH") == 0) {
        return watch_run(connection, command, reply);
    }
    if (strcmp(name, "DISCARD") == 0) {
        *reply = queueing ? hf_reply_ok()
                          : hf_reply_error("ERR DISCARD without MULTI");
        if (queueing) {
            hf_connection_multi_reset(connection);
        }
        return HF_MULTI_REPLY;
    }
    if (strcmp(name, "RESET") == 0 || strcmp(name, "QUIT") == 0) {
        hf_connection_multi_reset(connection);
        return HF_MULTI_NOT_MINE;
    }
    if (queueing) {
        return queue_run(connection, command, reply);
    }
    if (strcmp(name, "UNWATCH") == 0) {
        hf_connection_multi_reset(connection);
        *reply = hf_reply_ok();
        return HF_MULTI_REPLY;
    }
    return HF_MULTI_NOT_MINE;
}
