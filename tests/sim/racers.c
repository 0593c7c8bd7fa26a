#include "sim/racers.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "support/transaction.h"

#define KEYS_MAX 3
#define KEY_BYTES 16
#define LINE_BYTES 64
#define STOP_MS 10000

static void key_name(uint32_t key, char name[KEY_BYTES])
{
    (void)snprintf(name, KEY_BYTES, "race:%" PRIu32, key);
}

static void add(struct racer *racer, enum model_kind kind, int64_t value,
                int64_t ended_us)
{
    const struct model_operation operation = {
        .key = racer->key,
        .kind = kind,
        .value = value,
        .started = racer->started_us,
        .ended = ended_us,
        .node = racer->asker.node,
    };
    model_add(&racer->racers->model, &operation);
}

/* Questions. */

static void ask_exec(struct racer *racer, const char *name)
{
    char line[LINE_BYTES];
    int64_t value = racer->value == MODEL_NIL ? 0 : racer->value;
    (void)snprintf(line, sizeof(line), "SET %s %" PRId64, name, value + 1);
    struct transaction transaction;
    transaction_begin(&transaction, name);
    transaction_watch(&transaction, name,
                      (struct hf_slice){racer->state, RACER_STATE_BYTES});
    transaction_add(&transaction, line);
    struct hf_slice argv[3];
    transaction_words(&transaction, argv);
    asker_send(&racer->asker, 3, argv);
    transaction_end(&transaction);
}

static void racer_ask(struct asker *asker)
{
    struct racer *racer = HF_CONTAINER_OF(asker, struct racer, asker);
    struct racers *racers = racer->racers;
    if (racer->step == RACER_WATCH) {
        racer->key = (uint32_t)hf_rng_below(&racers->rng, racers->keys);
        if (hf_rng_chance(&racers->rng, 1, 3)) {
            racer->step = RACER_INCR;
        }
    }
    char name[KEY_BYTES];
    key_name(racer->key, name);
    racer->started_us = racers->c->schedule.now_us;
    if (racer->step == RACER_EXEC) {
        ask_exec(racer, name);
        return;
    }
    const char *const words[] = {
        [RACER_WATCH] = "WATCH", [RACER_GET] = "GET", [RACER_INCR] = "INCR"};
    const struct hf_slice argv[] = {hf_slice_text(words[racer->step]),
                                    hf_slice_text(name)};
    asker_send(asker, 2, argv);
}

/* Answers. */

static void heard_state(struct racer *racer, const struct request *request)
{
    struct hf_slice text = hf_buffer_slice(&request->text);
    if (request->kind != HF_REPLY_NESTED ||
        text.size < RACER_STATE_BYTES + 2) { /* "[" state "]" */
        cluster_fail(racer->racers->c, "WATCH is answered by %s",
                     cluster_answer(request));
        return;
    }
    memcpy(racer->state, text.data + 1, RACER_STATE_BYTES);
}

static void heard_exec(struct racer *racer, const struct request *request)
{
    struct racers *racers = racer->racers;
    const char *text = cluster_answer(request);
    if (strcmp(text, "[OK]") == 0) {
        int64_t value = racer->value == MODEL_NIL ? 0 : racer->value;
        add(racer, MODEL_ADD, value + 1, request->ended_us);
        racers->won++;
    } else if (strcmp(text, "(nil)") == 0) {
        racers->lost++;
    } else {
        cluster_fail(racers->c, "EXEC is answered by %s", text);
    }
}

static void heard_done(struct racer *racer, const struct request *request)
{
    switch (racer->step) {
    case RACER_WATCH:
        heard_state(racer, request);
        break;
    case RACER_GET:
        racer->value = MODEL_NIL;
        if (request->kind != HF_REPLY_NIL) {
            racer->value = strtoll((const char *)request->text.data, NULL, 10);
        }
        add(racer, MODEL_READ, racer->value, request->ended_us);
        break;
    case RACER_EXEC:
        heard_exec(racer, request);
        break;
    case RACER_INCR:
        add(racer, MODEL_ADD, request->integer, request->ended_us);
        break;
    }
}

static void racer_heard(struct asker *asker, const struct request *request,
                        enum asker_outcome outcome)
{
    struct racer *racer = HF_CONTAINER_OF(asker, struct racer, asker);
    if (outcome == ASKER_ERROR) {
        cluster_fail(asker->c, "a racer was told: %s", cluster_answer(request));
        return;
    }
    bool writes = racer->step == RACER_EXEC || racer->step == RACER_INCR;
    if (outcome == ASKER_UNSURE && writes) {
        add(racer, MODEL_ADD, 0, MODEL_UNKNOWN);
    }
    if (outcome != ASKER_DONE) {
        racer->step = RACER_WATCH;
        return;
    }
    heard_done(racer, request);
    asker->hurry = !writes && hf_rng_chance(&racer->racers->rng, 1, 2);
    racer->step = writes                       ? RACER_WATCH
                  : racer->step == RACER_WATCH ? RACER_GET
                                               : RACER_EXEC;
}

/* From begin to end. */

void racers_start(struct racers *racers, struct cluster *c, unsigned count,
                  int64_t think_us_max, uint64_t seed)
{
    HF_ASSERT(count <= RACERS_MAX);
    *racers = (struct racers){.c = c, .count = count};
    hf_rng_init(&racers->rng, seed);
    model_init(&racers->model);
    racers->keys = 1 + (uint32_t)hf_rng_below(&racers->rng, KEYS_MAX);
    for (unsigned i = 0; i < count; i++) {
        struct racer *racer = &racers->list[i];
        racer->racers = racers;
        racer->asker = (struct asker){
            .c = c,
            .rng = &racers->rng,
            .think_us_max = think_us_max,
            .ask = racer_ask,
            .heard = racer_heard,
        };
        asker_start(&racer->asker);
    }
}

static bool are_idle(struct cluster *c, void *user)
{
    (void)c;
    struct racers *racers = user;
    bool idle = true;
    for (unsigned i = 0; i < racers->count; i++) {
        idle &= asker_stop(&racers->list[i].asker);
    }
    return idle;
}

void racers_stop(struct racers *racers)
{
    if (!cluster_wait(racers->c, STOP_MS, are_idle, racers)) {
        cluster_fail(racers->c, "a racer never ends");
    }
}

static void read_everywhere(struct racers *racers, uint32_t key)
{
    struct cluster *c = racers->c;
    char name[KEY_BYTES];
    key_name(key, name);
    for (unsigned i = 0; i < c->options.node_count && !c->failed; i++) {
        if (!cluster_is_up(c, i)) {
            continue;
        }
        struct racer reader = {
            .racers = racers, .key = key, .started_us = c->schedule.now_us};
        reader.asker.node = i;
        int64_t value = asker_read_last(c, i, name);
        add(&reader, MODEL_READ, value, c->schedule.now_us);
    }
}

void racers_check(struct racers *racers)
{
    struct cluster *c = racers->c;
    for (uint32_t key = 0; key < racers->keys && racers->count > 0; key++) {
        read_everywhere(racers, key);
    }
    struct model_verdict verdict;
    if (c->failed) {
        return;
    }
    model_check(&racers->model, &verdict);
    if (!verdict.linearizable) {
        char name[KEY_BYTES];
        key_name(verdict.key, name);
        cluster_fail(c, "%s: %s", name, verdict.text);
    }
}

void racers_close(struct racers *racers)
{
    for (unsigned i = 0; i < racers->count; i++) {
        asker_close(&racers->list[i].asker);
    }
    model_close(&racers->model);
    racers->count = 0;
}
