#include "support/workload.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "support/transaction.h"

#define ELEMENT "x"                /* Of lists that count. */
#define DOUBT_US INT64_C(60000000) /* Longer than any pause. */
#define VALUE_BYTES_MAX 300
#define KEY_BYTES_MAX WORKLOAD_KEY_BYTES_MAX
#define RETRY_US INT64_C(20000)
#define WORDS_MAX 6
#define UNIT_KEYS 20
#define TTL_MS_MIN 20
#define BURST_THINK_US 4000
#define DRIFT_PERCENT 2 /* What clocks of two nodes may differ by. */

static void client_run(struct task *task);

/* Keys. */

enum key_class {
    KEY_HOT,
    KEY_COLD,
    KEY_COUNTER,
    KEY_ONCE,
    KEY_FLEETING,
    KEY_TRIO
};
#define KEY_CLASSES 6
#define TRIO 3

static uint32_t class_size(const struct workload_options *options,
                           enum key_class class)
{
    const uint32_t sizes[KEY_CLASSES] = {
        options->hot_keys,      options->cold_keys,
        options->counters,      options->once_keys,
        options->fleeting_keys, options->sides ? 0 : options->trio_keys};
    return sizes[class];
}

/* The number of the first key of a class. */
static uint32_t class_first(const struct workload *workload,
                            enum key_class class)
{
    uint32_t first = 0;
    for (unsigned i = 0; i < class; i++) {
        first += class_size(&workload->options, (enum key_class)i);
    }
    return first;
}

static uint32_t key_count(const struct workload *workload)
{
    return class_first(workload, KEY_TRIO) +
           class_size(&workload->options, KEY_TRIO);
}

static enum key_class key_class_of(const struct workload *workload,
                                   uint32_t key)
{
    unsigned class = KEY_TRIO;
    while (class > 0 && key < class_first(workload, (enum key_class) class)) {
        class --;
    }
    return (enum key_class) class;
}

static bool key_is_counter(const struct workload *workload, uint32_t key)
{
    return key_class_of(workload, key) == KEY_COUNTER;
}

/* Every type is used as something that has one value, or as a counter:
 *
 *             write        read         increment       read
 *   string    SET          GET          INCR            GET
 *   hash      HSET f       HGET f
 *   set       SADD         SMEMBERS: the last one was added last
 *   sorted    ZADD         ZSCORE       ZINCRBY 1       ZSCORE
 *   list      RPUSH        LINDEX -1    RPUSH           LLEN */
static enum hf_session_type key_type(const struct workload *workload,
                                     uint32_t key)
{
    enum key_class class = key_class_of(workload, key);
    if (class == KEY_COUNTER) {
        static const enum hf_session_type types[] = {
            HF_SESSION_STRING, HF_SESSION_SORTED_SET, HF_SESSION_LIST};
        return types[key % HF_ARRAY_COUNT(types)];
    }
    if (class == KEY_FLEETING || class == KEY_TRIO || key % 2 == 0) {
        return HF_SESSION_STRING;
    }
    static const enum hf_session_type types[] = {
        HF_SESSION_HASH, HF_SESSION_SET, HF_SESSION_SORTED_SET,
        HF_SESSION_LIST};
    return types[key / 2 % HF_ARRAY_COUNT(types)];
}

static bool key_is_fenced(const struct workload *workload, uint32_t key)
{
    return key_class_of(workload, key) <= KEY_COLD && key % 4 == 2;
}

static const char *key_name(struct workload *workload, uint32_t key)
{
    char *name = workload->keys[key].name;
    if (name[0] != '\0') {
        return name;
    }
    if (key_class_of(workload, key) == KEY_TRIO) {
        (void)snprintf(name, KEY_BYTES_MAX, "{trio%" PRIu32 "}a", key);
        return name;
    }
    const char *kind = key_is_counter(workload, key) ? "count"
                       : key_is_fenced(workload, key)
                           ? "sess"
                           : hf_session_type_name(key_type(workload, key));
    bool tagged =
        workload->options.crowded && key_class_of(workload, key) == KEY_COLD;
    (void)snprintf(name, KEY_BYTES_MAX, "%s:%s%" PRIu32, kind,
                   tagged ? "{crowd}" : "", key);
    return name;
}

/* A class to ask about now; one that has keys. */
static enum key_class class_pick(struct workload *workload)
{
    static const enum key_class usual[] = {
        KEY_COLD, KEY_COLD, KEY_COLD,    KEY_COLD,     KEY_HOT, KEY_HOT,
        KEY_HOT,  KEY_ONCE, KEY_COUNTER, KEY_FLEETING, KEY_TRIO};
    const struct workload_options *options = &workload->options;
    uint64_t draw = hf_rng_below(&workload->rng, HF_ARRAY_COUNT(usual));
    enum key_class class = usual[draw];
    if (workload->burst == WORKLOAD_EXPIRIES) {
        class = KEY_FLEETING;
    } else if (workload->burst == WORKLOAD_DELETES) {
        class = draw % 2 == 0 ? KEY_COLD : KEY_HOT;
    }
    if (class == KEY_ONCE && workload->once_written >= options->once_keys) {
        class = KEY_COLD;
    }
    for (unsigned i = 0; class_size(options, class) == 0; i++) {
        HF_ASSERT(i < KEY_CLASSES);
        class = (enum key_class)((class + 1) % KEY_CLASSES);
        if (class == KEY_ONCE) {
            class = KEY_FLEETING;
        }
    }
    return class;
}

static uint32_t key_pick(struct workload *workload)
{
    enum key_class class = class_pick(workload);
    uint32_t first = class_first(workload, class);
    if (class == KEY_ONCE) {
        return first + workload->once_written++;
    }
    return first + (uint32_t)hf_rng_below(
                       &workload->rng, class_size(&workload->options, class));
}

void workload_options_init(struct workload_options *options)
{
    *options = (struct workload_options){
        .clients = 6,
        .hot_keys = 4,
        .cold_keys = 60,
        .counters = 3,
        .once_keys = 0,
        .fleeting_keys = 0,
        .trio_keys = 3,
        .ttl_ms_max = 2000,
        .think_us_max = 30000,
        .patience_ms = 3000,
    };
}

void workload_start(struct workload *workload, struct cluster *c,
                    const struct workload_options *options, uint64_t seed)
{
    HF_ASSERT(options->clients <= WORKLOAD_CLIENTS_MAX);
    *workload = (struct workload){.c = c, .options = *options};
    hf_rng_init(&workload->rng, seed);
    model_init(&workload->model);
    sides_init(&workload->sides);
    workload->keys = calloc(key_count(workload), sizeof(*workload->keys));
    HF_ASSERT(workload->keys != NULL);
    for (unsigned i = 0; i < options->clients; i++) {
        struct workload_client *client = &workload->clients[i];
        client->workload = workload;
        client->node = i % c->options.node_count;
        client->task.run = client_run;
        schedule_at(&c->schedule, &client->task,
                    c->schedule.now_us + (int64_t)i);
    }
}

void workload_close(struct workload *workload)
{
    for (unsigned i = 0; i < workload->options.clients; i++) {
        struct workload_client *client = &workload->clients[i];
        schedule_cancel(&workload->c->schedule, &client->task);
        if (client->request != NULL) {
            client->request->done = NULL;
            cluster_forget(client->request);
            client->request = NULL;
        }
    }
    model_close(&workload->model);
    sides_close(&workload->sides);
    free(workload->keys);
    workload->keys = NULL;
}

/* Answers. */

static bool operation_is_write(const struct model_operation *operation)
{
    return operation->kind != MODEL_READ && operation->kind != MODEL_REFUSED;
}

/* All three of a trio, as its unit read them: they must be one value. */
static int64_t value_of_trio(struct workload *workload,
                             const struct request *request)
{
    const char *text = (const char *)request->text.data + 1;
    if (strncmp(text, "(nil)", 5) == 0) {
        if (strcmp(text, "(nil) (nil) (nil)]") != 0) {
            cluster_fail(workload->c, "a unit was torn: [%s", text);
        }
        return MODEL_NIL;
    }
    int64_t values[TRIO];
    for (unsigned i = 0; i < TRIO; i++) {
        char *end;
        values[i] = strtoll(text, &end, 10);
        if (end == text || values[i] != values[0]) {
            cluster_fail(workload->c, "a unit was torn: %s",
                         (const char *)request->text.data);
            break;
        }
        text = end + 1;
    }
    return values[0];
}

/* The last number in the answer; nil when there is none. */
static int64_t value_read(const struct request *request)
{
    if (request->kind == HF_REPLY_NIL ||
        (request->kind == HF_REPLY_INTEGER && request->integer == 0)) {
        return MODEL_NIL; /* LLEN says 0. */
    }
    const char *text = (const char *)request->text.data;
    const char *last = NULL;
    while (*text != '\0') {
        text += strcspn(text, "0123456789");
        last = *text != '\0' ? text : last;
        text += strspn(text, "0123456789");
    }
    return last == NULL ? MODEL_NIL : strtoll(last, NULL, 10);
}

/* Looks for the write just acknowledged on every copy, if nobody else can have
 * changed the key meanwhile. */
static void acknowledged(struct workload *workload,
                         const struct model_operation *operation,
                         const struct request *request)
{
    const struct workload_key *key = &workload->keys[operation->key];
    workload->acknowledged++;
    if (workload->options.sides ||
        key_class_of(workload, operation->key) >= KEY_FLEETING ||
        key->under_way > 0 || key->started_us != operation->started ||
        key->ended_us >= operation->started ||
        key->doubt_us > workload->c->schedule.now_us) {
        return;
    }
    char text[VALUE_BYTES_MAX + 1];
    const char *value = NULL;
    enum hf_session_type type = key_type(workload, operation->key);
    bool number =
        (operation->kind == MODEL_ADD && type != HF_SESSION_LIST) ||
        (operation->kind == MODEL_WRITE && request->kind == HF_REPLY_NESTED);
    if (number) { /* Of a write: a unit. */
        (void)snprintf(text, sizeof(text), "%" PRId64, operation->value);
        value = text;
    } else if (operation->kind == MODEL_WRITE) {
        struct hf_slice written =
            request->argv[type == HF_SESSION_HASH ? 3 : 2];
        HF_ASSERT(written.size < sizeof(text));
        memcpy(text, written.data, written.size);
        text[written.size] = '\0';
        value = text;
    } else if (operation->kind == MODEL_ADD) {
        value = ELEMENT;
    }
    invariants_after_ack(workload->c, request->argv[1], value);
}

static void answer_judge(struct workload *workload,
                         struct model_operation *operation,
                         const struct request *request)
{
    if (request->outcome == REQUEST_ANSWERED &&
        request->kind != HF_REPLY_ERROR) {
        operation->ended = request->ended_us;
        workload->answered++;
        int64_t wait_us = request->ended_us - request->started_us;
        workload->wait_us_max =
            wait_us > workload->wait_us_max ? wait_us : workload->wait_us_max;
        if (operation->kind == MODEL_READ) {
            bool unit = request->kind == HF_REPLY_NESTED &&
                        key_class_of(workload, operation->key) == KEY_TRIO;
            operation->value =
                unit ? value_of_trio(workload, request) : value_read(request);
        } else if (operation->kind == MODEL_ADD) {
            operation->value = request->kind == HF_REPLY_INTEGER
                                   ? request->integer
                                   : value_read(request); /* ZINCRBY. */
        } else if (operation->kind == MODEL_WRITE && operation->fenced &&
                   request->kind == HF_REPLY_NIL) {
            operation->kind = MODEL_REFUSED;
            workload->refused++;
        }
        return;
    }
    operation->ended = MODEL_UNKNOWN;
    if (request->outcome == REQUEST_ANSWERED) {
        workload->down++;
        const char *text = cluster_answer(request);
        bool memory = workload->c->options.memory_fails &&
                      strncmp(text, "(error) OOM ", 12) == 0;
        if (!memory && strncmp(text, "(error) CLUSTERDOWN ", 20) != 0) {
            cluster_fail(workload->c, "a client was told: %s", text);
        }
    } else {
        workload->lost++;
    }
}

/* Told to the model, or to who judges sides, when it has ended. */
static void history_add(struct workload *workload, struct sides_operation *done)
{
    if (!workload->options.sides) {
        model_add(&workload->model, &done->operation);
        return;
    }
    if (!done->last) {
        sides_place(&workload->sides, workload->c, done->operation.node, true,
                    &done->end);
    }
    sides_add(&workload->sides, done);
}

static void operation_end(struct workload_client *client,
                          struct request *request)
{
    struct workload *workload = client->workload;
    struct model_operation *operation = &client->operation;
    struct workload_key *key = &workload->keys[operation->key];
    if (operation_is_write(operation)) {
        key->under_way--;
    }
    if (request->outcome == REQUEST_REFUSED) {
        return; /* It never was. */
    }
    answer_judge(workload, operation, request);
    if (operation_is_write(operation)) {
        if (operation->ended == MODEL_UNKNOWN) {
            key->doubt_us = workload->c->schedule.now_us + DOUBT_US;
        } else {
            acknowledged(workload, operation, request);
        }
        key->ended_us = workload->c->schedule.now_us;
    }
    struct sides_operation done = {
        .operation = *operation,
        .begin = client->begin,
        .found = request->kind == HF_REPLY_INTEGER && request->integer > 0,
        .fades = client->ttl_ms != 0,
    };
    history_add(workload, &done);
    if (client->ttl_ms != 0 && !workload->options.sides) {
        struct model_operation expiry = *operation;
        expiry.kind = MODEL_DELETE;
        expiry.started +=
            client->ttl_ms * SCHEDULE_US_PER_MS * (100 - DRIFT_PERCENT) / 100;
        expiry.started -= SCHEDULE_US_PER_MS; /* Clocks tick in those. */
        expiry.ended = MODEL_UNKNOWN;
        model_add(&workload->model, &expiry);
    }
}

static void client_plan(struct workload_client *client, int64_t wait_us)
{
    struct schedule *schedule = &client->workload->c->schedule;
    schedule_at(schedule, &client->task, schedule->now_us + wait_us);
}

static void on_done(void *user, struct request *request)
{
    struct workload_client *client = user;
    operation_end(client, request);
    /* Freed by the next client_run: the caller still looks at it. */
    bool hurry = client->workload->burst != WORKLOAD_USUAL;
    int64_t think_us = (int64_t)hf_rng_below(
        &client->workload->rng,
        hurry ? BURST_THINK_US
              : (uint64_t)client->workload->options.think_us_max + 1);
    client_plan(client,
                request->outcome == REQUEST_REFUSED ? RETRY_US : think_us);
}

/* Questions. */

static void client_choose_node(struct workload_client *client)
{
    struct workload *workload = client->workload;
    const struct cluster *c = workload->c;
    if (c->processes[client->node].running &&
        !hf_rng_chance(&workload->rng, 1, 20)) {
        return;
    }
    client->node =
        (unsigned)hf_rng_below(&workload->rng, c->options.node_count);
}

static enum model_kind kind_pick(struct workload *workload, uint32_t key)
{
    uint64_t draw = hf_rng_below(&workload->rng, 20);
    enum key_class class = key_class_of(workload, key);
    if (class == KEY_ONCE) {
        return MODEL_WRITE;
    }
    if (workload->burst == WORKLOAD_DELETES && class != KEY_COUNTER) {
        return draw < 14 ? MODEL_DELETE : MODEL_WRITE;
    }
    if (draw < 9 && !workload->options.only_writes) {
        return MODEL_READ;
    }
    if (key_is_counter(workload, key)) {
        return MODEL_ADD;
    }
    return draw < 12 && class != KEY_FLEETING ? MODEL_DELETE : MODEL_WRITE;
}

/* A command on a key of @type, and what follows the key; "$" is the value. */
static const char *question(enum hf_session_type type, enum model_kind kind,
                            bool counter)
{
    if (kind == MODEL_DELETE || kind == MODEL_EXPIRE) { /* Never picked. */
        return "DEL";
    }
    bool read = kind == MODEL_READ;
    switch (type) {
    case HF_SESSION_HASH:
        return read ? "HGET f" : "HSET f $";
    case HF_SESSION_SET:
        return read ? "SMEMBERS" : "SADD $";
    case HF_SESSION_SORTED_SET:
        return read ? "ZSCORE m" : counter ? "ZINCRBY 1 m" : "ZADD $ m";
    case HF_SESSION_LIST:
        return read ? (counter ? "LLEN" : "LINDEX -1")
                    : (counter ? "RPUSH " ELEMENT : "RPUSH $");
    case HF_SESSION_STRING:
    case HF_SESSION_FENCE:
        break;
    }
    return read ? "GET" : counter ? "INCR" : "SET $";
}

static size_t operation_words(struct workload *workload,
                              const struct model_operation *operation,
                              const char *name, char *value,
                              struct hf_slice argv[WORDS_MAX])
{
    const char *text =
        question(key_type(workload, operation->key), operation->kind,
                 key_is_counter(workload, operation->key));
    size_t argc = 0;
    while (*text != '\0') {
        size_t size = strcspn(text, " ");
        argv[argc++] = *text == '$'
                           ? hf_slice_text(value)
                           : (struct hf_slice){(const uint8_t *)text, size};
        if (argc == 1) {
            argv[argc++] = hf_slice_text(name);
        }
        text += size + (text[size] == ' ' ? 1 : 0);
    }
    return argc;
}

/* A time to live for a fleeting key: the words that say so. */
static size_t ttl_words(struct workload_client *client, size_t argc, char *text,
                        struct hf_slice argv[WORDS_MAX])
{
    struct workload *workload = client->workload;
    const struct model_operation *operation = &client->operation;
    client->ttl_ms = 0;
    if (operation->kind != MODEL_WRITE ||
        key_class_of(workload, operation->key) != KEY_FLEETING) {
        return argc;
    }
    client->ttl_ms = TTL_MS_MIN + (int64_t)hf_rng_below(
                                      &workload->rng,
                                      (uint64_t)workload->options.ttl_ms_max);
    (void)snprintf(text, KEY_BYTES_MAX, "%" PRId64, client->ttl_ms);
    argv[argc++] = hf_slice_text("PX");
    argv[argc++] = hf_slice_text(text);
    return argc;
}

static void burst_ends(struct workload *workload)
{
    if (workload->burst != WORKLOAD_USUAL &&
        workload->c->schedule.now_us >= workload->burst_end_us) {
        workload->burst = WORKLOAD_USUAL;
    }
}

/* What is done to all three of a trio at once; reads, as often, of one. */
static struct request *trio_ask(struct workload *workload, unsigned node,
                                const struct model_operation *operation,
                                const char *name)
{
    char keys[TRIO][KEY_BYTES_MAX];
    char lines[TRIO][VALUE_BYTES_MAX];
    uint64_t only = hf_rng_below(&workload->rng, 2 * TRIO);
    struct transaction transaction;
    transaction_begin(&transaction, name);
    for (unsigned i = 0; i < TRIO; i++) {
        (void)snprintf(keys[i], KEY_BYTES_MAX, "%.*s%c", (int)strlen(name) - 1,
                       name, (char)('a' + i));
        if (operation->kind == MODEL_WRITE) {
            (void)snprintf(lines[i], VALUE_BYTES_MAX, "SET %s %" PRId64,
                           keys[i], operation->value);
        } else {
            (void)snprintf(lines[i], VALUE_BYTES_MAX, "%s %s",
                           operation->kind == MODEL_READ ? "GET" : "DEL",
                           keys[i]);
        }
        transaction_add(&transaction, lines[i]);
    }
    struct hf_slice argv[3];
    transaction_words(&transaction, argv);
    size_t argc = 3;
    if (operation->kind == MODEL_READ && only < TRIO) {
        argv[0] = hf_slice_text("GET");
        argv[1] = hf_slice_text(keys[only]);
        argc = 2;
    }
    struct request *request = cluster_ask_argv(workload->c, node, argc, argv);
    transaction_end(&transaction);
    return request;
}

/* Whether a write to a string in the crowd is to be half of a unit. */
static bool unit_pick(struct workload *workload,
                      const struct model_operation *operation)
{
    return workload->options.units && operation->kind == MODEL_WRITE &&
           key_class_of(workload, operation->key) == KEY_COLD &&
           key_type(workload, operation->key) == HF_SESSION_STRING &&
           !operation->fenced && hf_rng_chance(&workload->rng, 1, 2);
}

static struct request *request_send(struct workload_client *client,
                                    const char *name, char *value)
{
    struct workload *workload = client->workload;
    const struct model_operation *operation = &client->operation;
    struct hf_slice argv[WORDS_MAX];
    char ttl[KEY_BYTES_MAX];
    if (key_class_of(workload, operation->key) == KEY_TRIO) {
        client->ttl_ms = 0;
        return trio_ask(workload, client->node, operation, name);
    }
    size_t argc = operation_words(workload, operation, name, value, argv);
    argc = ttl_words(client, argc, ttl, argv);
    if (unit_pick(workload, operation)) {
        return transaction_send_pair(
            workload->c, client->node, name, operation->value,
            (unsigned)hf_rng_below(&workload->rng, UNIT_KEYS));
    }
    return cluster_ask_argv(workload->c, client->node, argc, argv);
}

static void client_ask(struct workload_client *client)
{
    struct workload *workload = client->workload;
    struct cluster *c = workload->c;
    burst_ends(workload);
    client_choose_node(client);
    struct model_operation *operation = &client->operation;
    *operation = (struct model_operation){
        .key = key_pick(workload),
        .started = c->schedule.now_us,
        .ended = MODEL_UNKNOWN,
        .node = client->node,
    };
    sides_place(&workload->sides, c, client->node, false, &client->begin);
    operation->kind = kind_pick(workload, operation->key);
    operation->fenced = key_is_fenced(workload, operation->key);
    const char *name = key_name(workload, operation->key);
    char value[VALUE_BYTES_MAX] = "";
    if (operation->kind == MODEL_WRITE) {
        operation->value = ++workload->value_last;
        int padding = (int)hf_rng_below(&workload->rng, 250);
        bool score =
            key_type(workload, operation->key) == HF_SESSION_SORTED_SET;
        int size = snprintf(value, sizeof(value), "%" PRId64, operation->value);
        memset(value + size, ' ', score ? 0 : (size_t)padding + 1);
    }
    if (operation_is_write(operation)) {
        workload->keys[operation->key].under_way++;
        workload->keys[operation->key].started_us = operation->started;
    }
    struct request *request = request_send(client, name, value);
    client->request = request;
    if (request->outcome != REQUEST_WAITING) {
        on_done(client, request);
        return;
    }
    request->user = client;
    request->done = on_done;
    client_plan(client, workload->options.patience_ms * SCHEDULE_US_PER_MS);
}

static void client_run(struct task *task)
{
    struct workload_client *client =
        HF_CONTAINER_OF(task, struct workload_client, task);
    struct request *request = client->request;
    if (request != NULL) {
        client->request = NULL;
        if (request->outcome == REQUEST_WAITING) {
            operation_end(client, request); /* Gives up. */
            client->node =
                (client->node + 1) % client->workload->c->options.node_count;
        }
        request->done = NULL;
        cluster_forget(request);
    }
    if (!client->workload->stopping) {
        client_ask(client);
    }
}

static bool is_idle(struct cluster *c, void *user)
{
    (void)c;
    const struct workload *workload = user;
    for (unsigned i = 0; i < workload->options.clients; i++) {
        if (workload->clients[i].request != NULL) {
            return false;
        }
    }
    return true;
}

void workload_burst(struct workload *workload, enum workload_burst burst,
                    int64_t ms)
{
    workload->burst = burst;
    workload->burst_end_us =
        workload->c->schedule.now_us + ms * SCHEDULE_US_PER_MS;
}

void workload_stop(struct workload *workload)
{
    workload->stopping = true;
    if (!cluster_wait(workload->c, 2 * workload->options.patience_ms, is_idle,
                      workload)) {
        cluster_fail(workload->c, "a client never ends");
    }
}

/* All keys at once. */

void workload_flush_begins(struct workload *workload, unsigned node)
{
    sides_place(&workload->sides, workload->c, node, false,
                &workload->flush_begin);
    for (uint32_t key = 0; key < key_count(workload); key++) {
        workload->keys[key].under_way++;
        workload->keys[key].started_us = workload->c->schedule.now_us;
    }
}

void workload_flush_ends(struct workload *workload,
                         const struct request *request, bool done)
{
    int64_t now_us = workload->c->schedule.now_us;
    for (uint32_t number = 0; number < key_count(workload); number++) {
        struct workload_key *key = &workload->keys[number];
        key->under_way--;
        if (request->outcome == REQUEST_REFUSED) {
            continue; /* It never was. */
        }
        struct sides_operation flush = {.begin = workload->flush_begin};
        flush.operation = (struct model_operation){
            .key = number,
            .kind = MODEL_DELETE,
            .flush = true,
            .started = request->started_us,
            .ended = done ? request->ended_us : MODEL_UNKNOWN,
            .fenced = key_is_fenced(workload, number),
            .node = request->node,
        };
        history_add(workload, &flush);
        bool alone = key->under_way == 0 && key->doubt_us <= now_us &&
                     key->started_us == request->started_us &&
                     key->ended_us < request->started_us;
        if (done && alone && !workload->options.sides) {
            invariants_after_ack(
                workload->c, hf_slice_text(key_name(workload, number)), NULL);
        }
        key->ended_us = now_us;
        key->doubt_us = done ? key->doubt_us : now_us + DOUBT_US;
    }
}

/* The end. */

static void read_key(struct workload *workload, uint32_t key, unsigned node)
{
    struct cluster *c = workload->c;
    const char *name = key_name(workload, key);
    struct model_operation operation = {
        .key = key,
        .kind = MODEL_READ,
        .fenced = key_is_fenced(workload, key),
        .started = c->schedule.now_us,
        .node = node,
    };
    struct hf_slice argv[WORDS_MAX];
    size_t argc = operation_words(workload, &operation, name, NULL, argv);
    bool trio = key_class_of(workload, key) == KEY_TRIO;
    struct request *request = trio ? trio_ask(workload, node, &operation, name)
                                   : cluster_ask_argv(c, node, argc, argv);
    if (!cluster_await(c, request, CLUSTER_COMMAND_MS)) {
        cluster_fail(c, "n%u does not answer a read of %s", node + 1, name);
        return;
    }
    answer_judge(workload, &operation, request);
    cluster_forget(request);
    if (operation.ended == MODEL_UNKNOWN) {
        cluster_fail(c, "n%u refuses a read of %s after healing", node + 1,
                     name);
        return;
    }
    struct sides_operation last = {.operation = operation, .last = true};
    history_add(workload, &last);
}

void workload_read_all(struct workload *workload)
{
    for (uint32_t key = 0; key < key_count(workload); key++) {
        for (unsigned i = 0; i < workload->c->options.node_count; i++) {
            if (cluster_is_up(workload->c, i) && !workload->c->failed) {
                read_key(workload, key, i);
            }
        }
    }
}

void workload_check(struct workload *workload)
{
    if (workload->c->failed) {
        return;
    }
    struct model_verdict verdict;
    if (workload->options.sides) {
        sides_check(&workload->sides, &verdict);
    } else {
        model_check(&workload->model, &verdict);
    }
    if (!verdict.linearizable) {
        cluster_fail(workload->c, "%s: %s", key_name(workload, verdict.key),
                     verdict.text);
    }
}

void workload_end(struct workload *workload)
{
    workload_stop(workload);
    cluster_settle_and_check(workload->c);
    workload_read_all(workload);
    workload_check(workload);
}
