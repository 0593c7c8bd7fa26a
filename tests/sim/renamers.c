#include "sim/renamers.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

#define KEY_BYTES 24
#define STOP_MS 10000

static void source_name(uint32_t source, char name[KEY_BYTES])
{
    (void)snprintf(name, KEY_BYTES, "from:%" PRIu32, source);
}

static void destination_name(unsigned rename, char name[KEY_BYTES])
{
    (void)snprintf(name, KEY_BYTES, "to:%u", rename);
}

/* Those who change the sessions. */

static void writer_ask(struct asker *asker)
{
    struct renaming_client *client =
        HF_CONTAINER_OF(asker, struct renaming_client, asker);
    struct renamers *renamers = client->renamers;
    struct model_operation *operation = &client->operation;
    *operation = (struct model_operation){
        .key = client->source,
        .kind = MODEL_WRITE,
        .started = asker->c->schedule.now_us,
        .ended = MODEL_UNKNOWN,
        .node = asker->node,
    };
    char name[KEY_BYTES];
    char value[KEY_BYTES];
    source_name(client->source, name);
    struct hf_slice argv[] = {
        hf_slice_text("SET"), hf_slice_text(name), {NULL, 0}};
    uint64_t draw = hf_rng_below(&renamers->rng, 8);
    if (draw == 0) {
        operation->kind = MODEL_DELETE;
        argv[0] = hf_slice_text("DEL");
    } else if (draw < 4) {
        operation->kind = MODEL_READ;
        argv[0] = hf_slice_text("GET");
    } else {
        operation->value = ++renamers->value_last;
        (void)snprintf(value, sizeof(value), "%" PRId64, operation->value);
        argv[2] = hf_slice_text(value);
    }
    asker_send(asker, operation->kind == MODEL_WRITE ? 3 : 2, argv);
}

static void writer_heard(struct asker *asker, const struct request *request,
                         enum asker_outcome outcome)
{
    struct renaming_client *client =
        HF_CONTAINER_OF(asker, struct renaming_client, asker);
    struct model_operation *operation = &client->operation;
    if (outcome == ASKER_ERROR) {
        cluster_fail(asker->c, "a client was told: %s",
                     cluster_answer(request));
    } else if (outcome == ASKER_DONE) {
        operation->ended = request->ended_us;
        if (operation->kind == MODEL_READ) {
            operation->value =
                request->kind == HF_REPLY_NIL
                    ? MODEL_NIL
                    : strtoll((const char *)request->text.data, NULL, 10);
        }
    }
    if (outcome != ASKER_NEVER) {
        model_add(&client->renamers->model, operation);
    }
}

/* Those who rename them. */

static void renamer_ask(struct asker *asker)
{
    struct renaming_client *client =
        HF_CONTAINER_OF(asker, struct renaming_client, asker);
    struct renamers *renamers = client->renamers;
    char old[KEY_BYTES];
    char new[KEY_BYTES];
    source_name(client->source, old);
    client->rename = renamers->rename_count;
    if (client->rename == RENAMES_MAX) {
        (void)asker_stop(asker);
        return;
    }
    renamers->rename_count++;
    renamers->renames[client->rename] = (struct rename){
        .source = client->source,
        .started_us = asker->c->schedule.now_us,
        .ended_us = MODEL_UNKNOWN,
        .node = asker->node,
    };
    destination_name(client->rename, new);
    const struct hf_slice argv[] = {hf_slice_text("RENAME"), hf_slice_text(old),
                                    hf_slice_text(new)};
    asker_send(asker, 3, argv);
}

static void renamer_heard(struct asker *asker, const struct request *request,
                          enum asker_outcome outcome)
{
    struct renaming_client *client =
        HF_CONTAINER_OF(asker, struct renaming_client, asker);
    struct rename *rename = &client->renamers->renames[client->rename];
    const char *text = cluster_answer(request);
    if (outcome == ASKER_DONE) {
        rename->done = true;
        client->renamers->done++;
    } else if (outcome == ASKER_ERROR) {
        rename->none = strcmp(text, "(error) ERR no such key") == 0;
        if (!rename->none && strstr(text, "; nothing was renamed") == NULL) {
            cluster_fail(asker->c, "RENAME is answered by %s", text);
        }
    }
    if (outcome == ASKER_DONE || outcome == ASKER_ERROR ||
        outcome == ASKER_NEVER) {
        rename->ended_us = asker->c->schedule.now_us;
    }
}

/* From begin to end. */

void renamers_start(struct renamers *renamers, struct cluster *c,
                    uint32_t sources, int64_t think_us_max, uint64_t seed)
{
    HF_ASSERT(sources <= RENAMED_SOURCES_MAX);
    *renamers = (struct renamers){.c = c, .sources = sources};
    hf_rng_init(&renamers->rng, seed);
    model_init(&renamers->model);
    renamers->count = sources * (RENAMED_WRITERS + 1);
    for (unsigned i = 0; i < renamers->count; i++) {
        struct renaming_client *client = &renamers->list[i];
        client->renamers = renamers;
        client->source = i % sources;
        client->renames = i < sources;
        client->asker = (struct asker){
            .c = c,
            .rng = &renamers->rng,
            .think_us_max = client->renames ? 4 * think_us_max : think_us_max,
            .ask = client->renames ? renamer_ask : writer_ask,
            .heard = client->renames ? renamer_heard : writer_heard,
        };
        asker_start(&client->asker);
    }
}

static bool are_idle(struct cluster *c, void *user)
{
    (void)c;
    struct renamers *renamers = user;
    bool idle = true;
    for (unsigned i = 0; i < renamers->count; i++) {
        idle &= asker_stop(&renamers->list[i].asker);
    }
    return idle;
}

void renamers_stop(struct renamers *renamers)
{
    if (!cluster_wait(renamers->c, STOP_MS, are_idle, renamers)) {
        cluster_fail(renamers->c, "a rename never ends");
    }
}

/* What every node says of @name in the end. */
static int64_t read_everywhere(struct cluster *c, const char *name)
{
    int64_t value = MODEL_NIL;
    bool first = true;
    for (unsigned i = 0; i < c->options.node_count && !c->failed; i++) {
        if (!cluster_is_up(c, i)) {
            continue;
        }
        int64_t here = asker_read_last(c, i, name);
        if (!first && here != value && !c->failed) {
            cluster_fail(c, "n%u reads something else of %s than others", i + 1,
                         name);
        }
        value = here;
        first = false;
    }
    return value;
}

/* What it did to its source, now that it is known what is under the new key. */
static void rename_judge(struct renamers *renamers, unsigned number)
{
    struct cluster *c = renamers->c;
    const struct rename *rename = &renamers->renames[number];
    char name[KEY_BYTES];
    destination_name(number, name);
    struct model_operation operation = {
        .key = rename->source,
        .kind = MODEL_TAKE,
        .value = read_everywhere(c, name),
        .started = rename->started_us,
        .ended = rename->ended_us,
        .node = rename->node,
    };
    bool there = operation.value != MODEL_NIL;
    bool known = rename->ended_us != MODEL_UNKNOWN;
    if (c->failed || (!there && !known)) {
        return; /* It did not come to dropping the old one. */
    }
    if (known && there != rename->done) {
        cluster_fail(c, "a session was %s, and %s is %s",
                     rename->done ? "renamed" : "not renamed", name,
                     there ? "there" : "not there");
        return;
    }
    if (rename->none) {
        operation.kind = MODEL_READ;
    } else if (!known) {
        operation.kind = MODEL_DELETE; /* Maybe. */
    } else if (!rename->done) {
        return;
    }
    model_add(&renamers->model, &operation);
}

void renamers_check(struct renamers *renamers)
{
    struct cluster *c = renamers->c;
    char name[KEY_BYTES];
    for (unsigned i = 0; i < renamers->rename_count && !c->failed; i++) {
        rename_judge(renamers, i);
    }
    for (uint32_t i = 0; i < renamers->sources && !c->failed; i++) {
        source_name(i, name);
        struct model_operation last = {
            .key = i, .kind = MODEL_READ, .started = c->schedule.now_us};
        last.value = read_everywhere(c, name);
        last.ended = c->schedule.now_us;
        model_add(&renamers->model, &last);
    }
    struct model_verdict verdict;
    if (c->failed) {
        return;
    }
    model_check(&renamers->model, &verdict);
    if (!verdict.linearizable) {
        source_name(verdict.key, name);
        cluster_fail(c, "%s: %s", name, verdict.text);
    }
}

void renamers_close(struct renamers *renamers)
{
    for (unsigned i = 0; i < renamers->count; i++) {
        asker_close(&renamers->list[i].asker);
    }
    model_close(&renamers->model);
    renamers->count = 0;
}
