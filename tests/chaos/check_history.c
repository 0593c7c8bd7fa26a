/* Judges a history that clients of real processes wrote down.
 *
 * A line per operation, of words, in any order; lines with # are remarks:
 *
 *     KEY KIND VALUE STARTED ENDED OUTCOME CLIENT NODE LIFETIME
 *
 * KEY is a number; KIND one of get, set, del, incr, expire; VALUE what was
 * read, written, counted to or given a lifetime, or nil; STARTED and ENDED are
 * microseconds of one clock; OUTCOME is ok, or else nobody knows whether it
 * took effect; CLIENT and NODE are numbers, NODE from 1; LIFETIME in
 * milliseconds, 0 but for expire. On a key that expires one client writes, and
 * gives each value its lifetime after the write was acknowledged, or not at
 * all.
 *
 * Every key is judged by tests/support/model.h. Prints counts in lines "name
 * number" and reports of keys that are wrong. Exit: 0 all could be one honest
 * server's answers, 1 not, 2 no such history. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/explain.h"
#include "support/model.h"

#define REPORTS_MAX 5
#define EARLY_US 10000   /* Clocks of milliseconds, read at different times. */
#define LATE_US 10000000 /* Time under way adds to a lifetime. */

struct totals {
    unsigned long operations;
    unsigned long acknowledged; /* SET, DEL, INCR, EXPIRE. */
    unsigned long reads;        /* Answered. */
    unsigned long unknown;
    unsigned long keys;
    unsigned long keys_wrong;
    struct explained explained;
};

static bool take_number(char **rest, int64_t *number)
{
    char *end;
    *number = strtoll(*rest, &end, 10);
    bool taken = end != *rest;
    *rest = end;
    return taken;
}

static bool take_word(char **rest, char *word, size_t size)
{
    while (**rest == ' ') {
        (*rest)++;
    }
    size_t length = strcspn(*rest, " \n");
    if (length == 0 || length >= size) {
        return false;
    }
    memcpy(word, *rest, length);
    word[length] = '\0';
    *rest += length;
    return true;
}

/* A lifetime given is a deletion of its value at its end. If it is not known
 * whether it was given, it is like a DEL of which nobody knows. */
static void make_expiry(struct model_operation *operation, int64_t lifetime_ms)
{
    operation->started += lifetime_ms * 1000 - EARLY_US;
    if (operation->ended == MODEL_UNKNOWN) {
        operation->kind = MODEL_DELETE;
    } else {
        operation->ended += lifetime_ms * 1000 + LATE_US;
    }
}

static bool parse_kind(const char *word, enum model_kind *kind)
{
    static const char *const names[] = {"get", "set", "del", "incr", "expire"};
    static const enum model_kind kinds[] = {
        MODEL_READ, MODEL_WRITE, MODEL_DELETE, MODEL_ADD, MODEL_EXPIRE,
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(word, names[i]) == 0) {
            *kind = kinds[i];
            return true;
        }
    }
    return false;
}

static bool parse(char *line, struct model_operation *operation)
{
    int64_t key, client, node, lifetime_ms;
    char kind[16];
    char value[32];
    char outcome[16];
    if (!take_number(&line, &key) || !take_word(&line, kind, sizeof(kind)) ||
        !parse_kind(kind, &operation->kind) ||
        !take_word(&line, value, sizeof(value)) ||
        !take_number(&line, &operation->started) ||
        !take_number(&line, &operation->ended) ||
        !take_word(&line, outcome, sizeof(outcome)) ||
        !take_number(&line, &client) || !take_number(&line, &node) ||
        !take_number(&line, &lifetime_ms) || key < 0 || key > UINT32_MAX ||
        node < 1 || node > UINT16_MAX ||
        operation->ended < operation->started || lifetime_ms < 0) {
        return false;
    }
    operation->key = (uint32_t)key;
    operation->node = (unsigned)node - 1;
    operation->value =
        strcmp(value, "nil") == 0 ? MODEL_NIL : strtoll(value, NULL, 10);
    if (strcmp(outcome, "ok") != 0) {
        operation->ended = MODEL_UNKNOWN;
    }
    if (operation->kind == MODEL_EXPIRE) {
        make_expiry(operation, lifetime_ms);
    }
    return true;
}

static void count(struct totals *totals,
                  const struct model_operation *operation)
{
    totals->operations++;
    if (operation->ended == MODEL_UNKNOWN) {
        totals->unknown++;
    } else if (operation->kind == MODEL_READ) {
        totals->reads++;
    } else {
        totals->acknowledged++;
    }
}

static bool load(const char *path, struct model *model, struct totals *totals)
{
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        perror(path);
        return false;
    }
    char line[256];
    size_t number = 0;
    bool good = true;
    while (good && fgets(line, sizeof(line), file) != NULL) {
        number++;
        if (line[0] == '#' || line[0] == '\n') {
            continue;
        }
        struct model_operation operation = {0};
        good = parse(line, &operation);
        if (good) {
            count(totals, &operation);
            model_add(model, &operation);
        } else {
            fprintf(stderr, "%s:%zu: not an operation: %s", path, number, line);
        }
    }
    good = good && ferror(file) == 0;
    (void)fclose(file);
    return good;
}

static int by_key_and_time(const void *left, const void *right)
{
    const struct model_operation *a = left;
    const struct model_operation *b = right;
    if (a->key != b->key) {
        return a->key < b->key ? -1 : 1;
    }
    return a->started < b->started ? -1 : a->started > b->started;
}

/* The first write that began after @after, NULL if there is none, or if its
 * outcome is unknown. */
static const struct model_operation *next_write(const struct model *of_key,
                                                int64_t after)
{
    for (size_t i = 0; i < of_key->count; i++) {
        const struct model_operation *next = &of_key->operations[i];
        if (next->kind == MODEL_WRITE && next->started > after) {
            return next->ended == MODEL_UNKNOWN ? NULL : next;
        }
    }
    return NULL;
}

static const struct model_operation *write_of(const struct model *of_key,
                                              int64_t value)
{
    for (size_t i = 0; i < of_key->count; i++) {
        const struct model_operation *write = &of_key->operations[i];
        if (write->kind == MODEL_WRITE && write->value == value) {
            return write;
        }
    }
    return NULL;
}

/* An expiry changes nothing once its value is overwritten. So it may as well
 * end then, or be left out, which leaves fewer orders to try. */
static void trim_expiries(const struct model *of_key)
{
    for (size_t i = 0; i < of_key->count; i++) {
        struct model_operation *expiry = &of_key->operations[i];
        if (expiry->kind != MODEL_EXPIRE) {
            continue;
        }
        const struct model_operation *write = write_of(of_key, expiry->value);
        const struct model_operation *next =
            write == NULL ? NULL : next_write(of_key, write->started);
        if (next != NULL && next->ended < expiry->started) {
            expiry->kind = MODEL_READ; /* Without an answer: says nothing. */
            expiry->ended = MODEL_UNKNOWN;
        } else if (next != NULL && next->ended < expiry->ended) {
            expiry->ended = next->ended;
        }
    }
}

static void judge_key(const struct model *of_key, struct totals *totals)
{
    trim_expiries(of_key);
    struct model_verdict verdict;
    totals->keys++;
    model_check(of_key, &verdict);
    if (verdict.linearizable) {
        return;
    }
    totals->keys_wrong++;
    explain(of_key->operations, of_key->count, &totals->explained);
    if (totals->keys_wrong <= REPORTS_MAX) {
        printf("# key %" PRIu32 " (times in ms): %s\n", verdict.key,
               verdict.text);
    }
}

static void judge(struct model *model, struct totals *totals)
{
    qsort(model->operations, model->count, sizeof(*model->operations),
          by_key_and_time);
    size_t first = 0;
    while (first < model->count) {
        struct model of_key = {.operations = &model->operations[first]};
        while (first < model->count &&
               model->operations[first].key == of_key.operations[0].key) {
            of_key.count++;
            first++;
        }
        judge_key(&of_key, totals);
    }
}

static void print(const struct totals *totals)
{
    const struct explained *explained = &totals->explained;
    printf("operations %lu\n", totals->operations);
    printf("acknowledged %lu\n", totals->acknowledged);
    printf("reads %lu\n", totals->reads);
    printf("unknown %lu\n", totals->unknown);
    printf("keys %lu\n", totals->keys);
    printf("wrong %lu\n", totals->keys_wrong);
    printf("lost %lu\n", explained->lost);
    printf("resurrected %lu\n", explained->resurrected);
    printf("stale %lu\n", explained->stale);
    printf("early %lu\n", explained->early);
    printf("late %lu\n", explained->late);
    printf("other %lu\n", explained->other);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: check_history FILE\n");
        return 2;
    }
    struct model model;
    struct totals totals = {0};
    model_init(&model);
    int code = 2;
    if (load(argv[1], &model, &totals) && totals.operations > 0) {
        judge(&model, &totals);
        print(&totals);
        code = totals.keys_wrong > 0 ? 1 : 0;
    } else {
        fprintf(stderr, "check_history: no history in %s\n", argv[1]);
    }
    model_close(&model);
    return code;
}
