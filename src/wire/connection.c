#include "wire/connection.h"

#include <string.h>

#include "base/assert.h"
#include "core/limits.h"
#include "wire/connection_cluster.h"
#include "wire/connection_commands.h"
#include "wire/connection_multi.h"
#include "wire/connection_pubsub.h"
#include "wire/connection_topics.h"

#define SLOT_CAPACITY_MIN 16
/* What an idle connection keeps, so that many of them are cheap. */
#define SLOT_CAPACITY_KEEP 64
#define INPUT_KEEP_BYTES 4096
#define REPLY_KEEP_BYTES 1024
/* Held answers whose turn has come are only then moved out of the way. */
#define HELD_GAPS_BYTES ((size_t)64 << 10)
/* How far we look ahead in what came, in commands and their arguments. */
#define AHEAD_MAX 16
#define AHEAD_ARGUMENTS_MAX 64

#define KEY_TEXT_OF(bytes) #bytes
#define KEY_TEXT(bytes) "ERR key is longer than " KEY_TEXT_OF(bytes) " bytes"
#define ERROR_KEY KEY_TEXT(HF_KEY_TEXT_BYTES_MAX)

/* Commands without an answer; the node holds copies of them. */
#define ASKED_BYTES_MAX ((size_t)16 << 20)

/* A command without an answer, or an answer that waits for older ones. */
struct hf_connection_slot {
    size_t at; /* Where in `held` the answer is, as RESP, and */
    size_t size;
    int version; /* Of the protocol when the command came. */
    bool muted;
    bool answered;
    size_t asked_bytes; /* Of the command. */
};

_Static_assert((HF_CONNECTION_PENDING_MAX & (HF_CONNECTION_PENDING_MAX - 1)) ==
                   0,
               "the ring doubles up to it");

void hf_connection_init(struct hf_connection *connection,
                        const struct hf_connection_host *host,
                        struct hf_mem *mem, uint64_t id, const char *address)
{
    *connection = (struct hf_connection){
        .host = host,
        .mem = mem,
        .id = id,
        .version = 2,
        .tag_first = 1,
        .tag_next = 1,
    };
    hf_buffer_init(&connection->input, mem);
    hf_buffer_init(&connection->output, mem);
    hf_buffer_init(&connection->held, mem);
    hf_buffer_init(&connection->tokens, mem);
    hf_buffer_init(&connection->text, mem);
    hf_buffer_init(&connection->keys, mem);
    hf_resp_command_init(&connection->parsed, mem);
    hf_subscriber_init(&connection->subscriber);
    size_t size = strlen(address);
    if (size >= sizeof(connection->address)) {
        size = sizeof(connection->address) - 1;
    }
    memcpy(connection->address, address, size);
}

static struct hf_connection_slot *slot_at(struct hf_connection *connection,
                                          uint64_t tag)
{
    return &connection->slots[tag & (connection->slot_capacity - 1)];
}

static void slots_free(struct hf_connection *connection)
{
    hf_mem_free(connection->mem, connection->slots,
                connection->slot_capacity * sizeof(connection->slots[0]));
    connection->slots = NULL;
    connection->slot_capacity = 0;
}

void hf_connection_close(struct hf_connection *connection)
{
    hf_connection_unsubscribe_all(connection);
    slots_free(connection);
    hf_connection_multi_reset(connection);
    hf_resp_command_close(&connection->parsed);
    hf_buffer_close(&connection->input);
    hf_buffer_close(&connection->output);
    hf_buffer_close(&connection->held);
    hf_buffer_close(&connection->tokens);
    hf_buffer_close(&connection->text);
    hf_buffer_close(&connection->keys);
}

static uint64_t pending_count(const struct hf_connection *connection)
{
    return connection->tag_next - connection->tag_first;
}

static size_t output_bytes(const struct hf_connection *connection)
{
    return connection->output.size + connection->held_bytes;
}

/* Whether a bound keeps us from taking one more command. */
static bool is_held_back(const struct hf_connection *connection)
{
    return pending_count(connection) >= HF_CONNECTION_PENDING_MAX ||
           connection->asked_bytes > ASKED_BYTES_MAX || connection->unheard ||
           (connection->alone && pending_count(connection) > 0) ||
           hf_connection_multi_runs(connection) ||
           output_bytes(connection) > connection->host->output_bytes_soft;
}

static bool takes_commands(const struct hf_connection *connection)
{
    return !connection->broken && !connection->closing &&
           !is_held_back(connection);
}

static size_t input_left(const struct hf_connection *connection)
{
    return connection->input.size - connection->input_offset;
}

static bool slots_grow(struct hf_connection *connection)
{
    uint32_t old_capacity = connection->slot_capacity;
    uint32_t capacity =
        old_capacity == 0 ? SLOT_CAPACITY_MIN : old_capacity * 2;
    struct hf_connection_slot *slots =
        hf_mem_alloc(connection->mem, capacity * sizeof(slots[0]));
    if (slots == NULL) {
        return false;
    }
    for (uint64_t tag = connection->tag_first; tag < connection->tag_next;
         tag++) {
        slots[tag & (capacity - 1)] = *slot_at(connection, tag);
    }
    slots_free(connection);
    connection->slots = slots;
    connection->slot_capacity = capacity;
    return true;
}

/* @muted: CLIENT REPLY wants no answers. */
static void answer_write(struct hf_buffer *out, const struct hf_reply *reply,
                         int version, bool muted)
{
    if (!muted) {
        hf_resp_write(out, reply, version);
    }
}

static bool is_muted(const struct hf_connection *connection)
{
    return connection->mute != HF_MUTE_NOT;
}

/* The slot of tag_next, which is then taken; NULL when out of memory. */
static struct hf_connection_slot *slot_push(struct hf_connection *connection)
{
    /* A command takes one, and one behind it for hf_connection_forgets. */
    HF_ASSERT(pending_count(connection) <= HF_CONNECTION_PENDING_MAX);
    if (pending_count(connection) == connection->slot_capacity &&
        !slots_grow(connection)) {
        connection->broken = true;
        return NULL;
    }
    struct hf_connection_slot *slot = slot_at(connection, connection->tag_next);
    connection->tag_next++;
    *slot = (struct hf_connection_slot){.version = connection->version,
                                        .muted = is_muted(connection)};
    return slot;
}

/* Moves the answers whose turn it is to the output. */
static void slots_flush(struct hf_connection *connection)
{
    while (pending_count(connection) > 0) {
        struct hf_connection_slot *slot =
            slot_at(connection, connection->tag_first);
        if (!slot->answered) {
            if (connection->held_bytes == 0) { /* Gaps keep no memory. */
                hf_buffer_clear(&connection->held);
            }
            return;
        }
        if (slot->size > 0) {
            hf_buffer_append(&connection->output,
                             connection->held.data + slot->at, slot->size);
            connection->held_bytes -= slot->size;
        }
        connection->asked_bytes -= slot->asked_bytes;
        connection->tag_first++;
    }
    hf_buffer_clear(&connection->held);
    if (connection->slot_capacity > SLOT_CAPACITY_KEEP) {
        slots_free(connection);
    }
}

/* A client that always waits for some answer must not make us keep the room of
 * those it got. */
static void held_compact(struct hf_connection *connection)
{
    struct hf_buffer dense;
    hf_buffer_init(&dense, connection->mem);
    for (uint64_t tag = connection->tag_first; tag < connection->tag_next;
         tag++) {
        struct hf_connection_slot *slot = slot_at(connection, tag);
        if (slot->size > 0) {
            hf_buffer_append(&dense, connection->held.data + slot->at,
                             slot->size);
            slot->at = dense.size - slot->size;
        }
    }
    hf_buffer_close(&connection->held);
    connection->held = dense;
}

static void slot_hold(struct hf_connection *connection,
                      struct hf_connection_slot *slot,
                      const struct hf_reply *reply)
{
    struct hf_buffer *held = &connection->held;
    if (held->size > 2 * connection->held_bytes + HELD_GAPS_BYTES) {
        held_compact(connection);
    }
    slot->at = held->size;
    answer_write(held, reply, slot->version, slot->muted);
    slot->size = held->size - slot->at;
    connection->held_bytes += slot->size;
    if (held->failed) {
        connection->broken = true;
    }
}

static void output_check(struct hf_connection *connection)
{
    if (connection->output.failed ||
        output_bytes(connection) > connection->host->output_bytes_hard) {
        connection->broken = true;
    }
}

/* Answers @tag, which has a slot without an answer. */
static void slot_answer(struct hf_connection *connection, uint64_t tag,
                        const struct hf_reply *reply)
{
    struct hf_connection_slot *slot = slot_at(connection, tag);
    slot->answered = true;
    if (tag == connection->tag_first) {
        answer_write(&connection->output, reply, slot->version, slot->muted);
        slots_flush(connection);
    } else {
        slot_hold(connection, slot, reply);
    }
    output_check(connection);
}

bool hf_connection_awaits(const struct hf_connection *connection)
{
    return pending_count(connection) > 0;
}

void hf_connection_reply(struct hf_connection *connection, uint64_t tag,
                         const struct hf_reply *reply)
{
    if (connection->broken) {
        return;
    }
    if ((tag & HF_CONNECTION_MULTI_TAG) != 0) {
        hf_connection_multi_reply(connection, tag, reply);
        return;
    }
    if (tag != 0 && tag == connection->tag_at_once) {
        connection->tag_at_once = 0;
        answer_write(&connection->output, reply, connection->version,
                     is_muted(connection));
        output_check(connection);
        return;
    }
    if (tag < connection->tag_first || tag >= connection->tag_next ||
        slot_at(connection, tag)->answered) {
        return;
    }
    slot_answer(connection, tag, reply);
}

uint64_t hf_connection_defer(struct hf_connection *connection)
{
    return slot_push(connection) == NULL ? 0 : connection->tag_next - 1;
}

/* Answers a command at once, behind those that came before it. */
static void answer(struct hf_connection *connection,
                   const struct hf_reply *reply)
{
    if (connection->tokens.failed || connection->text.failed) {
        connection->broken = true;
    } else if (pending_count(connection) == 0) {
        answer_write(&connection->output, reply, connection->version,
                     is_muted(connection));
        output_check(connection);
    } else if (slot_push(connection) != NULL) {
        slot_answer(connection, connection->tag_next - 1, reply);
    }
    hf_buffer_clear(&connection->tokens);
    hf_buffer_clear(&connection->text);
    hf_buffer_trim(&connection->tokens, REPLY_KEEP_BYTES);
    hf_buffer_trim(&connection->text, REPLY_KEEP_BYTES);
}

static size_t command_bytes(const struct hf_command *command)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < command->argc; i++) {
        bytes += command->argv[i].size;
    }
    return bytes;
}

/* Web pages can make a browser send a POST to us, with commands in its body.
 * Its first lines give it away, as Redis has found. */
static bool is_http(struct hf_slice name)
{
    return hf_slice_equal_nocase(name, "POST") ||
           hf_slice_equal_nocase(name, "Host:");
}

/* Gives @command to somebody who answers it, now or later. */
static void
command_hand_over(struct hf_connection *connection,
                  const struct hf_command *command,
                  void (*take)(void *user, struct hf_connection *connection,
                               uint64_t tag, const struct hf_command *command))
{
    uint64_t tag = connection->tag_next;
    if (pending_count(connection) == 0) {
        connection->tag_at_once = tag;
        take(connection->host->user, connection, tag, command);
        if (connection->tag_at_once == 0) { /* It has its answer. */
            connection->tag_first++;
            connection->tag_next++;
            return;
        }
        connection->tag_at_once = 0;
    }
    struct hf_connection_slot *slot = slot_push(connection);
    if (slot == NULL) {
        return;
    }
    slot->asked_bytes = command_bytes(command);
    connection->asked_bytes += slot->asked_bytes;
    if (pending_count(connection) > 1) {
        take(connection->host->user, connection, tag, command);
    }
}

/* A command for the node. */
static void command_ask(struct hf_connection *connection,
                        const struct hf_command *command)
{
    bool plain = command->row->key_last == 1 &&
                 hf_key_is_plain(connection->database, command->argv[1]);
    if (plain) {
        command_hand_over(connection, command, connection->host->request);
        return;
    }
    struct hf_command inner = *command;
    inner.own = connection->cluster;
    if (hf_command_encode_keys(&inner, connection->database,
                               &connection->keys)) {
        command_hand_over(connection, &inner, connection->host->request);
        /* It takes several steps: those behind it have to wait for the last. */
        connection->alone = command->row->route == HF_ROUTE_UNIT &&
                            !hf_command_is_of_one_partition(&inner);
    } else {
        connection->broken = true;
    }
    hf_buffer_trim(&connection->keys, REPLY_KEEP_BYTES);
}

/* Whether @command has to wait: it runs alone, and there are commands without
 * an answer, or nodes that do not know of subscribers here. It is looked at
 * again when that is over. */
static bool must_wait(struct hf_connection *connection,
                      const struct hf_command *command)
{
    const struct hf_command_row *row = command->row;
    if (row == NULL || (row->flags & HF_COMMAND_ALONE) == 0) {
        connection->alone = false;
        return false;
    }
    connection->alone = pending_count(connection) > 0;
    connection->unheard = !connection->alone &&
                          hf_command_arity_fits(row, command->argc) &&
                          hf_connection_waits_for_others(connection, command);
    return connection->alone || connection->unheard;
}

void hf_connection_listened(struct hf_connection *connection)
{
    connection->unheard = false;
}

/* A HELLO may wait for answers before its own; until that is out, the client
 * reads as before. */
int hf_connection_push_version(const struct hf_connection *connection)
{
    uint64_t first = connection->tag_first;
    return pending_count(connection) == 0
               ? connection->version
               : connection->slots[first & (connection->slot_capacity - 1)]
                     .version;
}

void hf_connection_push(struct hf_connection *connection,
                        const struct hf_reply *reply)
{
    hf_resp_write(&connection->output, reply,
                  hf_connection_push_version(connection));
    output_check(connection);
}

void hf_connection_push_bytes(struct hf_connection *connection,
                              struct hf_slice bytes)
{
    hf_buffer_append_slice(&connection->output, bytes);
    output_check(connection);
}

/* Why it cannot be run, if so. */
static bool command_is_refused(struct hf_connection *connection,
                               const struct hf_command *command,
                               struct hf_reply *reply)
{
    if (command->row == NULL) {
        connection->broken = is_http(command->argv[0]);
        *reply =
            hf_connection_unknown(connection, command->argc, command->argv);
    } else if (command->row->key_first > 1 &&
               hf_connection_answers_itself(connection, command, reply)) {
        /* OBJECT HELP and its like: not something to be queued. */
    } else if (!hf_command_arity_fits(command->row, command->argc)) {
        *reply = hf_connection_wrong_arity(connection, command->row);
    } else if (!hf_command_keys_fit(command)) {
        *reply = hf_reply_error(ERROR_KEY);
    } else if (connection->cluster &&
               hf_connection_cluster_refuses(connection, command, reply)) {
        /* It asks elsewhere, or not at all. */
    } else if (hf_connection_is_subscribed_away(connection, command)) {
        *reply = hf_connection_refuse_subscribed(connection, command);
    } else {
        return false;
    }
    hf_connection_multi_spoil(connection);
    return true;
}

/* Whether it may be about a transaction. */
static bool is_for_multi(const struct hf_connection *connection,
                         const struct hf_command *command)
{
    return connection->multi != NULL ||
           command->row->section == HF_SECTION_TRANSACTION;
}

/* What CLIENT REPLY and CLIENT TRACKING want after each command. */
static void command_ran(struct hf_connection *connection,
                        const struct hf_command *command, bool refused)
{
    struct hf_reply push;
    if (connection->tracking != HF_TRACKING_OFF && !connection->broken &&
        hf_connection_forgets(connection, command, refused, &push)) {
        answer(connection, &push);
    }
    if (connection->mute == HF_MUTE_NEXT) {
        connection->mute = HF_MUTE_THIS;
    } else if (connection->mute == HF_MUTE_THIS) {
        connection->mute = HF_MUTE_NOT;
    }
}

static void command_take(struct hf_connection *connection,
                         const struct hf_command *command)
{
    struct hf_reply reply;
    enum hf_multi_result multi = HF_MULTI_NOT_MINE;
    if (is_for_multi(connection, command)) {
        multi = hf_connection_multi(connection, command, &reply);
    }
    if (multi == HF_MULTI_TAKEN) {
        return;
    }
    if (multi == HF_MULTI_NOT_MINE) {
        if ((command->row->flags & HF_COMMAND_ALONE) != 0) {
            hf_connection_subscribe(connection, command);
            return;
        }
        if (command->row->route == HF_ROUTE_SUBSCRIBERS &&
            hf_connection_answers_pubsub(connection, command, &reply)) {
            answer(connection, &reply);
            return;
        }
        if (command->row->route != HF_ROUTE_CONNECTION) {
            command_ask(connection, command);
            return;
        }
        if (hf_connection_is_managed(command)) {
            command_hand_over(connection, command, connection->host->manage);
            return;
        }
        reply = hf_connection_run(connection, command);
    }
    answer(connection, &reply);
}

static void command_run(struct hf_connection *connection,
                        const struct hf_command *command)
{
    struct hf_reply reply;
    bool refused = command_is_refused(connection, command, &reply);
    if (refused) {
        answer(connection, &reply);
    } else {
        command_take(connection, command);
    }
    if (connection->mute != HF_MUTE_NOT ||
        connection->tracking != HF_TRACKING_OFF) {
        command_ran(connection, command, refused);
    }
}

bool hf_connection_may_go_on(const struct hf_connection *connection)
{
    const struct hf_connection_host *host = connection->host;
    return host->may_go_on == NULL || host->may_go_on(host->user);
}

/* Commands that came together, so that what one needs is fetched while those
 * before it run. */
struct ahead {
    size_t count;
    struct hf_command commands[AHEAD_MAX];
    size_t ends[AHEAD_MAX]; /* The byte behind each. */
    struct hf_slice argv[AHEAD_ARGUMENTS_MAX];
};

static void ahead_parse(struct ahead *ahead, struct hf_slice bytes,
                        const struct hf_resp_limits *limits)
{
    size_t offset = 0;
    uint32_t used = 0;
    ahead->count = 0;
    while (ahead->count < AHEAD_MAX) {
        struct hf_slice rest = {bytes.data + offset, bytes.size - offset};
        struct hf_slice *argv = ahead->argv + used;
        uint32_t argc = 0;
        size_t size = hf_resp_parse_plain(rest, limits, argv,
                                          AHEAD_ARGUMENTS_MAX - used, &argc);
        if (size == 0) {
            return;
        }
        offset += size;
        used += argc;
        ahead->commands[ahead->count] = (struct hf_command){
            .row = hf_command_find(argv[0]), .argc = argc, .argv = argv};
        ahead->ends[ahead->count++] = offset;
    }
}

/* There is one at least, and it may run. Returns how many bytes they took. */
static size_t ahead_run(struct hf_connection *connection, struct ahead *ahead)
{
    const struct hf_connection_host *host = connection->host;
    bool plain = connection->database == 0; /* Else keys are others inside. */
    if (ahead->count > 1 && plain && host->expect != NULL) {
        host->expect(host->user, ahead->commands, ahead->count);
    }
    size_t ran = 0;
    do {
        if (must_wait(connection, &ahead->commands[ran])) {
            break;
        }
        command_run(connection, &ahead->commands[ran++]);
    } while (ran < ahead->count && takes_commands(connection) &&
             hf_connection_may_go_on(connection));
    return ran == 0 ? 0 : ahead->ends[ran - 1];
}

/* Runs or refuses the command at the front of @bytes, whatever it is like.
 * Returns how many bytes it took; 0 also when it is not all there. */
static size_t input_run_one(struct hf_connection *connection,
                            struct hf_slice bytes)
{
    struct hf_resp_command *parsed = &connection->parsed;
    enum hf_resp_status status =
        hf_resp_parse(parsed, bytes, &connection->host->limits);
    if (status == HF_RESP_PARTIAL) {
        connection->input_wanted = parsed->wanted;
        return 0;
    }
    if (status == HF_RESP_OK) {
        struct hf_command command = {.argc = parsed->argc,
                                     .argv = parsed->argv};
        if (command.argc > 0) {
            command.row = hf_command_find(command.argv[0]);
            if (must_wait(connection, &command)) {
                return 0;
            }
            command_run(connection, &command);
        }
        hf_resp_command_trim(parsed);
        return parsed->consumed;
    }
    if (parsed->error_text == NULL) {
        connection->broken = true;
    } else {
        struct hf_reply reply = hf_reply_error(parsed->error_text);
        connection->closing = true;
        answer(connection, &reply);
    }
    return 0;
}

/* Runs the commands at the front of @bytes. Returns how many bytes they took;
 * those of a refused one stay. */
static size_t input_run(struct hf_connection *connection, struct hf_slice bytes)
{
    struct ahead ahead;
    size_t offset = 0;
    connection->receiving = true;
    connection->input_wanted = 0;
    while (offset < bytes.size && takes_commands(connection) &&
           hf_connection_may_go_on(connection)) {
        struct hf_slice rest = {bytes.data + offset, bytes.size - offset};
        size_t taken = 0;
        if (!connection->parsed.partial) {
            ahead_parse(&ahead, rest, &connection->host->limits);
            taken = ahead.count > 0 ? ahead_run(connection, &ahead) : 0;
        }
        if (taken == 0 && takes_commands(connection)) {
            taken = input_run_one(connection, rest);
        }
        if (taken == 0) {
            break;
        }
        offset += taken;
    }
    connection->receiving = false;
    return offset;
}

/* Runs what is in the input buffer, and gives back its memory when it is
 * empty or will not be looked at again. */
static void input_run_buffer(struct hf_connection *connection)
{
    struct hf_slice rest = {connection->input.data + connection->input_offset,
                            input_left(connection)};
    connection->input_offset += input_run(connection, rest);
    if (input_left(connection) == 0 || connection->closing ||
        connection->broken) {
        hf_buffer_clear(&connection->input);
        hf_buffer_trim(&connection->input, INPUT_KEEP_BYTES);
        connection->input_offset = 0;
    }
}

static void input_append(struct hf_connection *connection,
                         struct hf_slice bytes)
{
    hf_buffer_consume(&connection->input, connection->input_offset);
    connection->input_offset = 0;
    hf_buffer_append_slice(&connection->input, bytes);
    if (connection->input.failed) {
        connection->broken = true;
    }
}

void hf_connection_receive(struct hf_connection *connection,
                           struct hf_slice bytes)
{
    HF_ASSERT(!connection->receiving);
    if (connection->closing || connection->broken || bytes.size == 0) {
        return;
    }
    if (input_left(connection) > 0) {
        input_append(connection, bytes);
        hf_connection_resume(connection);
        return;
    }
    size_t taken = input_run(connection, bytes);
    if (taken < bytes.size && !connection->closing && !connection->broken) {
        struct hf_slice rest = {bytes.data + taken, bytes.size - taken};
        input_append(connection, rest);
    }
}

void hf_connection_batch_look(struct hf_connection_batch *batch)
{
    if (batch->count == 0) {
        return;
    }
    for (size_t i = 0; i < batch->count; i++) {
        struct hf_command *command = &batch->commands[i];
        struct hf_slice *argv = batch->argv[i];
        *command = (struct hf_command){.argc = 0};
        uint32_t argc = 0;
        size_t size = hf_resp_parse_plain(
            batch->bytes[i], &batch->connections[i]->host->limits, argv,
            HF_CONNECTION_BATCH_ARGUMENTS_MAX, &argc);
        if (size > 0 && size == batch->bytes[i].size) {
            *command = (struct hf_command){
                .row = hf_command_find(argv[0]), .argc = argc, .argv = argv};
        }
    }
    const struct hf_connection_host *host = batch->connections[0]->host;
    if (batch->count > 1 && host->expect != NULL) {
        host->expect(host->user, batch->commands, batch->count);
    }
}

/* It is a command only when nothing came before it. */
void hf_connection_batch_receive(const struct hf_connection_batch *batch,
                                 size_t index)
{
    struct hf_connection *connection = batch->connections[index];
    const struct hf_command *command = &batch->commands[index];
    HF_ASSERT(!connection->receiving);
    if (command->argc == 0 || input_left(connection) > 0 ||
        !takes_commands(connection) || !hf_connection_may_go_on(connection) ||
        must_wait(connection, command)) {
        hf_connection_receive(connection, batch->bytes[index]);
        return;
    }
    connection->receiving = true;
    connection->input_wanted = 0;
    command_run(connection, command);
    connection->receiving = false;
}

/* Whether there is a command, or part of one, that may be run. */
static bool can_run_input(const struct hf_connection *connection)
{
    return takes_commands(connection) && input_left(connection) > 0 &&
           input_left(connection) >= connection->input_wanted;
}

void hf_connection_resume(struct hf_connection *connection)
{
    if (!hf_connection_can_resume(connection)) {
        return;
    }
    connection->receiving = true;
    hf_connection_multi_go_on(connection);
    connection->receiving = false;
    if (can_run_input(connection)) {
        input_run_buffer(connection);
    }
}

bool hf_connection_can_resume(const struct hf_connection *connection)
{
    return !connection->receiving && (can_run_input(connection) ||
                                      hf_connection_multi_is_ready(connection));
}

bool hf_connection_wants_input(const struct hf_connection *connection)
{
    return takes_commands(connection);
}

bool hf_connection_is_done(const struct hf_connection *connection)
{
    return connection->broken ||
           (connection->closing && pending_count(connection) == 0 &&
            connection->output.size == 0);
}

bool hf_connection_is_quiet(const struct hf_connection *connection)
{
    return !connection->broken && pending_count(connection) == 0 &&
           connection->output.size == 0 && input_left(connection) == 0;
}
