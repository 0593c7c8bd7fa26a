#include "script/library.h"

#include <string.h>

#include "base/assert.h"
#include "base/list.h"
#include "core/key.h"
#include "holdfast/error.h"
#include "script/sha1.h"

#define FLUSHES_BYTES_MAX 24
#define ARGUMENTS_NEAR 16
/* There are no more than about 60 tickets for each. A power of two. */
#define BUCKETS 1024
#define KEY_PREFIX "\x10{scripts}"
#define TEXT(macro) #macro
#define TEXT_OF(macro) TEXT(macro)

static const char no_memory_text[] =
    "OOM command not allowed: this node is out of memory";
static const char too_many_text[] =
    "CLUSTERDOWN too many commands wait at this node";

/* What is done where scripts are stored. KEYS: flushes, loaded, seen. */

static const char look_script[] = "return {redis.call('get', KEYS[1]) or '', "
                                  "redis.call('hget', KEYS[2], ARGV[1]) or "
                                  "redis.call('hget', KEYS[3], ARGV[1])}";
static const char load_script[] =
    "redis.call('hset', KEYS[2], ARGV[1], ARGV[2]) return ARGV[1]";
static const char see_script[] =
    "local added = redis.pcall('hset', KEYS[3], ARGV[1], ARGV[2]) "
    "if type(added) == 'table' or "
    "redis.call('hlen', KEYS[3]) > " TEXT_OF(
        HF_SCRIPT_KEPT_MAX) " then "
                            "redis.call('del', KEYS[3]) "
                            "redis.call('hset', KEYS[3], ARGV[1], ARGV[2]) end";
static const char flush_script[] = "redis.call('del', KEYS[2]) "
                                   "redis.call('del', KEYS[3]) "
                                   "redis.call('incr', KEYS[1]) "
                                   "return redis.status_reply('OK')";
static const char exists_script[] =
    "local answer = {} for i, sum in ipairs(ARGV) do sum = string.lower(sum) "
    "local known = redis.call('hexists', KEYS[2], sum) == 1 or "
    "redis.call('hexists', KEYS[3], sum) == 1 "
    "answer[i] = known and 1 or 0 end return answer";

/* Who asked what. */
struct asked {
    uint64_t client; /* HF_LIBRARY_CLIENT: nobody. */
    uint64_t tag;
    struct hf_command command;
};

/* A command that was taken and cannot be done at once, or a request of our
 * own, which nobody waits for. */
struct ticket {
    struct hf_list link;      /* In library->tickets, or answered. */
    struct hf_list by_client; /* In library->by_client, if it is the first of
                               * its client, else behind that one. */
    struct hf_list behind;    /* Of the first: the others, in order. */
    struct hf_list by_number; /* In library->by_number, when it has one: */
    uint64_t number;          /* tag of the request to the node. */
    struct hf_buffer answer;  /* Tokens. */
    size_t size;              /* Of this allocation, with the arguments. */
    struct asked asked;
};

struct hf_library {
    struct hf_library_host host;
    struct hf_lua *lua;
    struct hf_mem *mem;
    struct hf_list tickets;
    struct hf_list answered; /* Those with an answer, in the order of these. */
    struct hf_list by_client[BUCKETS];
    struct hf_list by_number[BUCKETS];
    size_t bytes; /* Of tickets. */
    uint64_t number_next;
    bool running;
    hf_time now;
    int64_t wall_ms;
    bool looking;      /* A look of nobody's is under way. */
    hf_time looked_at; /* Begin of the last one that ended. */
    char flushes[FLUSHES_BYTES_MAX];
    size_t flushes_size;
    const struct hf_command_row *eval; /* Rows. */
    const struct hf_command_row *eval_ro;
};

int hf_library_create(struct hf_library **created,
                      const struct hf_library_host *host, struct hf_lua *lua,
                      struct hf_mem *mem)
{
    struct hf_library *library = hf_mem_alloc_zero(mem, sizeof(*library));
    if (library == NULL) {
        return HF_ENOMEM;
    }
    library->host = *host;
    library->lua = lua;
    library->mem = mem;
    library->number_next = 1;
    library->looked_at = -HF_LIBRARY_WAIT_MS - 1;
    library->eval = hf_command_find(HF_SLICE_LITERAL("EVAL"));
    library->eval_ro = hf_command_find(HF_SLICE_LITERAL("EVAL_RO"));
    HF_ASSERT(library->eval != NULL);
    HF_ASSERT(library->eval_ro != NULL);
    hf_list_init(&library->tickets);
    hf_list_init(&library->answered);
    for (size_t i = 0; i < BUCKETS; i++) {
        hf_list_init(&library->by_client[i]);
        hf_list_init(&library->by_number[i]);
    }
    *created = library;
    return 0;
}

/* Tickets. */

/* Numbers of clients and of requests differ in their low bits. */
static struct hf_list *bucket_of(struct hf_list *buckets, uint64_t number)
{
    return &buckets[(number ^ number >> 20) & (BUCKETS - 1)];
}

/* The first ticket of @client; NULL: it has none. */
static struct ticket *first_of(struct hf_library *library, uint64_t client)
{
    const struct hf_list *bucket = bucket_of(library->by_client, client);
    for (struct hf_list *at = bucket->next; at != bucket; at = at->next) {
        struct ticket *ticket = HF_CONTAINER_OF(at, struct ticket, by_client);
        if (ticket->asked.client == client) {
            return ticket;
        }
    }
    return NULL;
}

/* Behind those of its client. What is asked for nobody has no order. */
static void queue_push(struct hf_library *library, struct ticket *ticket)
{
    uint64_t client = ticket->asked.client;
    hf_list_init(&ticket->by_client);
    hf_list_init(&ticket->behind);
    if (client != HF_LIBRARY_CLIENT) {
        struct ticket *first = first_of(library, client);
        hf_list_push_back(first == NULL ? bucket_of(library->by_client, client)
                                        : &first->behind,
                          &ticket->by_client);
    }
}

/* Whoever is behind it becomes the first. */
static void queue_remove(struct hf_library *library, struct ticket *ticket)
{
    struct hf_list *behind = &ticket->behind;
    hf_list_remove(&ticket->by_client);
    if (hf_list_is_empty(behind)) {
        return;
    }
    struct ticket *next =
        HF_CONTAINER_OF(behind->next, struct ticket, by_client);
    hf_list_remove(&next->by_client);
    if (!hf_list_is_empty(behind)) { /* It takes the others over. */
        next->behind = *behind;
        next->behind.next->previous = &next->behind;
        next->behind.previous->next = &next->behind;
    }
    hf_list_push_back(bucket_of(library->by_client, next->asked.client),
                      &next->by_client);
}

static void ticket_free(struct hf_library *library, struct ticket *ticket)
{
    library->bytes -= ticket->size;
    queue_remove(library, ticket);
    hf_list_remove(&ticket->by_number);
    hf_list_remove(&ticket->link);
    hf_buffer_close(&ticket->answer);
    hf_mem_free(library->mem, ticket, ticket->size);
}

void hf_library_destroy(struct hf_library *library)
{
    if (library == NULL) {
        return;
    }
    struct hf_list *lists[] = {&library->tickets, &library->answered};
    for (size_t i = 0; i < HF_ARRAY_COUNT(lists); i++) {
        while (!hf_list_is_empty(lists[i])) {
            ticket_free(library,
                        HF_CONTAINER_OF(lists[i]->next, struct ticket, link));
        }
    }
    hf_mem_free(library->mem, library, sizeof(*library));
}

static void answer(const struct hf_library *library, const struct asked *asked,
                   const struct hf_reply *reply)
{
    if (asked->client != HF_LIBRARY_CLIENT) {
        library->host.reply(library->host.user, asked->client, asked->tag,
                            reply);
    }
}

/* Refuses the command when there is no room, and returns NULL then. */
static struct ticket *ticket_new(struct hf_library *library,
                                 const struct asked *asked)
{
    size_t size = sizeof(struct ticket) + hf_command_copy_size(&asked->command);
    bool fits = library->bytes + size <= HF_LIBRARY_BYTES_MAX;
    struct ticket *ticket = fits ? hf_mem_alloc(library->mem, size) : NULL;
    if (ticket == NULL) {
        struct hf_reply reply =
            hf_reply_error(fits ? no_memory_text : too_many_text);
        answer(library, asked, &reply);
        return NULL;
    }
    *ticket = (struct ticket){.size = size, .asked = *asked};
    ticket->asked.command = hf_command_copy(&asked->command, ticket + 1);
    hf_buffer_init(&ticket->answer, library->mem);
    hf_list_push_back(&library->tickets, &ticket->link);
    hf_list_init(&ticket->by_number);
    queue_push(library, ticket);
    library->bytes += size;
    return ticket;
}

/* Runs @script where scripts are stored, with @arguments as ARGV; the answer
 * comes to @ticket. Those are not kept. */
static void ask(struct hf_library *library, struct ticket *ticket,
                const char *script, const struct hf_slice *arguments,
                uint32_t count)
{
    static const char *const keys[] = {KEY_PREFIX "flushes",
                                       KEY_PREFIX "loaded", KEY_PREFIX "seen"};
    uint32_t argc = 3 + HF_ARRAY_COUNT(keys) + count;
    struct hf_slice *argv = hf_mem_alloc(library->mem, argc * sizeof(argv[0]));
    ticket->number = library->number_next++;
    hf_list_push_back(bucket_of(library->by_number, ticket->number),
                      &ticket->by_number);
    if (argv == NULL) {
        struct hf_reply reply = hf_reply_error(no_memory_text);
        hf_library_answer(library, ticket->number, &reply);
        return;
    }
    argv[0] = HF_SLICE_LITERAL("EVAL");
    argv[1] = hf_slice_text(script);
    argv[2] = HF_SLICE_LITERAL("3");
    for (uint32_t i = 0; i < HF_ARRAY_COUNT(keys); i++) {
        argv[3 + i] = hf_slice_text(keys[i]);
    }
    for (uint32_t i = 0; i < count; i++) {
        argv[3 + HF_ARRAY_COUNT(keys) + i] = arguments[i];
    }
    struct hf_command command = {
        .row = library->eval, .argc = argc, .argv = argv};
    library->host.request(library->host.user, HF_LIBRARY_CLIENT, ticket->number,
                          &command);
    hf_mem_free(library->mem, argv, argc * sizeof(argv[0]));
}

/* Sums are known in lower case. */
static void lower(char *sum, struct hf_slice text)
{
    HF_ASSERT(text.size == HF_SHA1_TEXT_BYTES);
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        sum[i] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    }
}

/* What is stored. */

/* A request of our own: @name tells which. */
static struct ticket *own_ticket(struct hf_library *library, const char *name)
{
    const struct hf_slice argv[] = {hf_slice_text(name)};
    const struct asked asked = {.client = HF_LIBRARY_CLIENT,
                                .command = {.argc = 1, .argv = argv}};
    return ticket_new(library, &asked);
}

/* Whoever asks another node for this script shall find it. */
static void see(struct hf_library *library, const char *sum,
                struct hf_slice body)
{
    const struct hf_slice arguments[] = {hf_slice_text(sum), body};
    struct ticket *ticket = own_ticket(library, "see");
    if (ticket != NULL) {
        ask(library, ticket, see_script, arguments, 2);
    }
}

static void look_for_flushes(struct hf_library *library)
{
    const struct hf_slice none = {NULL, 0};
    struct ticket *ticket =
        library->looking ? NULL : own_ticket(library, "look");
    if (ticket != NULL) {
        library->looking = true;
        ask(library, ticket, look_script, &none, 1);
    }
}

/* What a look found. @body: of the script that was looked for, if it is
 * stored. False: there is no answer but an error, which is *@reply. */
static bool read_look(struct hf_library *library, struct hf_slice tokens,
                      struct hf_slice *body, struct hf_reply *reply)
{
    struct hf_reader reader = hf_reader_of(tokens);
    struct hf_token array;
    struct hf_token flushes;
    struct hf_token text;
    *body = (struct hf_slice){NULL, 0};
    library->looked_at = library->now;
    if (!hf_token_next(&reader, &array) || array.kind != HF_TOKEN_ARRAY ||
        array.count < 1 || !hf_token_next(&reader, &flushes) ||
        flushes.kind != HF_TOKEN_BULK ||
        flushes.bytes.size > FLUSHES_BYTES_MAX) {
        if (!hf_reply_decode(tokens, reply) || reply->kind != HF_REPLY_ERROR) {
            *reply = hf_reply_error(no_memory_text);
        }
        return false;
    }
    if (array.count > 1 && hf_token_next(&reader, &text) &&
        text.kind == HF_TOKEN_BULK) {
        *body = text.bytes;
    }
    const struct hf_slice known = {(const uint8_t *)library->flushes,
                                   library->flushes_size};
    if (!hf_slice_equal(known, flushes.bytes)) {
        hf_lua_forget(library->lua);
        library->flushes_size = flushes.bytes.size;
        if (flushes.bytes.size > 0) {
            memcpy(library->flushes, flushes.bytes.data, flushes.bytes.size);
        }
    }
    return true;
}

/* Commands of clients. */

/* With the text of the script, for the node or, without keys, here. */
static void evaluate(struct hf_library *library, const struct asked *asked,
                     struct hf_slice body)
{
    struct hf_slice near[ARGUMENTS_NEAR];
    struct hf_slice *argv = near;
    const size_t size = asked->command.argc * sizeof(argv[0]);
    struct hf_reply reply = hf_reply_error(no_memory_text);
    uint32_t keys = 0;
    if (asked->command.argc > ARGUMENTS_NEAR) {
        argv = hf_mem_alloc(library->mem, size);
    }
    if (argv == NULL) {
        answer(library, asked, &reply);
        return;
    }
    bool writes = (asked->command.row->flags & HF_COMMAND_WRITE) != 0;
    struct hf_command command = asked->command;
    command.row = writes ? library->eval : library->eval_ro;
    command.argv = argv;
    memcpy(argv, asked->command.argv, size);
    argv[0] = hf_slice_text(command.row->name);
    argv[1] = body;
    if (!hf_lua_key_count(&command, &keys, &reply)) {
        answer(library, asked, &reply);
    } else if (keys > 0) {
        library->host.request(library->host.user, asked->client, asked->tag,
                              &command);
    } else {
        const struct hf_lua_world world = {.wall_ms = library->wall_ms};
        (void)hf_lua_run(library->lua, &world, &command, &reply);
        answer(library, asked, &reply);
    }
    if (argv != near) {
        hf_mem_free(library->mem, argv, size);
    }
}

static bool name_is(const struct asked *asked, const char *name)
{
    return strcmp(asked->command.row->name, name) == 0;
}

static bool is_evalsha(const struct asked *asked)
{
    return name_is(asked, "EVALSHA") || name_is(asked, "EVALSHA_RO");
}

static void answer_no_script(const struct hf_library *library,
                             const struct asked *asked)
{
    const struct hf_reply reply =
        hf_reply_error("NOSCRIPT No matching script. Please use EVAL.");
    answer(library, asked, &reply);
}

static void eval_run(struct hf_library *library, const struct asked *asked)
{
    char sum[HF_SHA1_TEXT_BYTES + 1];
    struct hf_slice body = asked->command.argv[1];
    struct hf_slice known;
    struct hf_reply reply;
    hf_sha1_text(body, sum);
    if (!hf_lua_find(library->lua, hf_slice_text(sum), &known)) {
        if (!hf_lua_compiles(library->lua, body, &reply)) {
            answer(library, asked, &reply);
            return;
        }
        see(library, sum, body);
    }
    evaluate(library, asked, body);
}

/* Tries without asking anybody. */
static bool evalsha_run(struct hf_library *library, const struct asked *asked)
{
    struct hf_slice body;
    struct hf_reply reply;
    uint32_t keys;
    if (!hf_lua_key_count(&asked->command, &keys, &reply)) {
        answer(library, asked, &reply);
        return true;
    }
    if (asked->command.argv[1].size != HF_SHA1_TEXT_BYTES) {
        answer_no_script(library, asked);
        return true;
    }
    hf_time age = library->now - library->looked_at;
    if (!hf_lua_find(library->lua, asked->command.argv[1], &body) ||
        age > HF_LIBRARY_WAIT_MS) {
        return false;
    }
    evaluate(library, asked, body);
    if (age > HF_LIBRARY_ASK_MS) {
        look_for_flushes(library);
    }
    return true;
}

/* False: it has to ask where scripts are stored. */
static bool run_at_once(struct hf_library *library, const struct asked *asked)
{
    if (name_is(asked, "SCRIPT")) {
        return false;
    }
    if (is_evalsha(asked)) {
        return evalsha_run(library, asked);
    }
    if (asked->command.row->route == HF_ROUTE_SCRIPT) {
        eval_run(library, asked);
    } else {
        library->host.request(library->host.user, asked->client, asked->tag,
                              &asked->command);
    }
    return true;
}

/* Asks there; true: no need to, it has its answer. */
static bool begin(struct hf_library *library, struct ticket *ticket)
{
    const struct asked *asked = &ticket->asked;
    const struct hf_slice *argv = asked->command.argv;
    if (is_evalsha(asked)) {
        char sum[HF_SHA1_TEXT_BYTES];
        lower(sum, argv[1]);
        const struct hf_slice wanted = {(const uint8_t *)sum, sizeof(sum)};
        ask(library, ticket, look_script, &wanted, 1);
    } else if (hf_slice_equal_nocase(argv[1], "LOAD")) {
        char sum[HF_SHA1_TEXT_BYTES + 1];
        struct hf_reply reply;
        if (!hf_lua_compiles(library->lua, argv[2], &reply)) {
            answer(library, asked, &reply);
            return true;
        }
        hf_sha1_text(argv[2], sum);
        const struct hf_slice arguments[] = {hf_slice_text(sum), argv[2]};
        ask(library, ticket, load_script, arguments, 2);
    } else if (hf_slice_equal_nocase(argv[1], "EXISTS")) {
        ask(library, ticket, exists_script, argv + 2, asked->command.argc - 2);
    } else {
        HF_ASSERT(hf_slice_equal_nocase(argv[1], "FLUSH"));
        hf_lua_forget(library->lua);
        ask(library, ticket, flush_script, NULL, 0);
    }
    return false;
}

/* What was asked for is there. */
static void evalsha_end(struct hf_library *library, struct ticket *ticket)
{
    const struct asked *asked = &ticket->asked;
    struct hf_slice body;
    struct hf_slice found;
    struct hf_reply reply;
    bool looked =
        read_look(library, hf_buffer_slice(&ticket->answer), &body, &reply);
    if (looked && body.data != NULL &&
        !hf_lua_compiles(library->lua, body, &reply)) {
        answer(library, asked, &reply);
    } else if (hf_lua_find(library->lua, asked->command.argv[1], &found)) {
        evaluate(library, asked, found);
    } else if (looked) {
        answer_no_script(library, asked);
    } else {
        answer(library, asked, &reply);
    }
}

static void own_end(struct hf_library *library, const struct ticket *ticket)
{
    struct hf_slice body;
    struct hf_reply reply;
    if (hf_slice_equal(ticket->asked.command.argv[0],
                       HF_SLICE_LITERAL("look"))) {
        library->looking = false;
        (void)read_look(library, hf_buffer_slice(&ticket->answer), &body,
                        &reply);
    }
}

static void end(struct hf_library *library, struct ticket *ticket)
{
    struct hf_reply reply;
    if (ticket->asked.client == HF_LIBRARY_CLIENT) {
        own_end(library, ticket);
    } else if (is_evalsha(&ticket->asked)) {
        evalsha_end(library, ticket);
    } else {
        if (ticket->answer.failed ||
            !hf_reply_decode(hf_buffer_slice(&ticket->answer), &reply)) {
            reply = hf_reply_error(no_memory_text);
        }
        answer(library, &ticket->asked, &reply);
    }
}

/* Those of a client that waited for one of it, up to one that has to wait for
 * an answer itself. */
static void begin_next(struct hf_library *library, uint64_t client)
{
    struct ticket *ticket = first_of(library, client);
    while (ticket != NULL && ticket->number == 0 &&
           (run_at_once(library, &ticket->asked) || begin(library, ticket))) {
        ticket_free(library, ticket);
        ticket = first_of(library, client);
    }
}

bool hf_library_wants(struct hf_library *library, uint64_t client,
                      const struct hf_command *command)
{
    return command->row->route == HF_ROUTE_SCRIPT ||
           (library->bytes > 0 && first_of(library, client) != NULL);
}

void hf_library_take(struct hf_library *library, uint64_t client, uint64_t tag,
                     const struct hf_command *command, hf_time now,
                     int64_t wall_ms)
{
    const struct asked asked = {client, tag, *command};
    library->now = now;
    library->wall_ms = wall_ms;
    bool waits = first_of(library, client) != NULL;
    if (!waits && run_at_once(library, &asked)) {
        return;
    }
    struct ticket *ticket = ticket_new(library, &asked);
    if (ticket != NULL && !waits && begin(library, ticket)) {
        ticket_free(library, ticket);
    }
    hf_library_run(library, now, wall_ms);
}

void hf_library_answer(struct hf_library *library, uint64_t tag,
                       const struct hf_reply *reply)
{
    const struct hf_list *bucket = bucket_of(library->by_number, tag);
    for (struct hf_list *at = bucket->next; at != bucket; at = at->next) {
        struct ticket *ticket = HF_CONTAINER_OF(at, struct ticket, by_number);
        if (ticket->number == tag) {
            hf_reply_encode(reply, &ticket->answer);
            hf_list_remove(&ticket->by_number);
            hf_list_remove(&ticket->link);
            hf_list_push_back(&library->answered, &ticket->link);
            return;
        }
    }
}

void hf_library_run(struct hf_library *library, hf_time now, int64_t wall_ms)
{
    if (library->running) {
        return;
    }
    library->running = true;
    library->now = now;
    library->wall_ms = wall_ms;
    while (!hf_list_is_empty(&library->answered)) {
        struct ticket *ticket =
            HF_CONTAINER_OF(library->answered.next, struct ticket, link);
        uint64_t client = ticket->asked.client;
        end(library, ticket);
        ticket_free(library, ticket);
        if (client != HF_LIBRARY_CLIENT) {
            begin_next(library, client);
        }
    }
    library->running = false;
}
