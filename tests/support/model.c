#include "support/model.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

#define REPORT_OPERATIONS 12
#define MODEL_STATES_MAX ((size_t)1 << 21)

/* Values that nobody reads. */
#define VALUE_FENCED (INT64_MIN + 1) /* Deleted for good; reads as nil. */
#define VALUE_UNREAD (INT64_MIN + 2) /* Of a write of unknown outcome. */

/* What may be true at some moment. */
struct state {
    uint64_t done; /* Overlapping operations, by slot, that took effect. */
    int64_t value;
    uint32_t loose;   /* Of those of unknown outcome, how many took effect; */
    uint32_t flushed; /* and of flushes. */
};

/* A set of states, for the search: a list and a hash table of places in it. Of
 * states that differ in nothing but `loose` the table knows the one with the
 * least: whatever the others can become, it can. */
struct states {
    struct state *list;
    size_t count;
    size_t capacity;
    uint32_t *table; /* Index in the list plus one. */
    size_t table_size;
};

struct moment {
    int64_t time;
    bool end;
    const struct model_operation *operation;
};

/* The judgement of one key. */
struct search {
    struct model_operation *operations;
    size_t count;
    const struct model_operation *open[MODEL_OVERLAP_MAX];
    unsigned slots;             /* Of these, that were ever in use. */
    enum model_kind loose_kind; /* Of operations of unknown outcome. */
    uint32_t loose;             /* Begun so far, */
    uint32_t flushes;           /* and of flushes. */
    int64_t time;
    int64_t unread_from; /* When the first such write to a fenced key began. */
    struct states now;
    struct states next;
    struct states seen;
};

void model_init(struct model *model)
{
    *model = (struct model){0};
}

void model_close(struct model *model)
{
    free(model->operations);
    model_init(model);
}

static void *grown(void *list, size_t *capacity, size_t item_size)
{
    *capacity = 2 * *capacity + 64;
    list = realloc(list, *capacity * item_size);
    HF_ASSERT(list != NULL);
    return list;
}

void model_add(struct model *model, const struct model_operation *operation)
{
    if (model->count == model->capacity) {
        model->operations =
            grown(model->operations, &model->capacity, sizeof(*operation));
    }
    model->operations[model->count++] = *operation;
}

/* Sets of states. */

static void states_clear(struct states *states)
{
    states->count = 0;
    if (states->table != NULL) {
        memset(states->table, 0, states->table_size * sizeof(uint32_t));
    }
}

static void states_close(struct states *states)
{
    free(states->list);
    free(states->table);
}

static bool state_equal(const struct state *a, const struct state *b)
{
    return a->done == b->done && a->value == b->value &&
           a->flushed == b->flushed;
}

static size_t state_hash(const struct state *state)
{
    uint64_t hash = state->done * UINT64_C(0x9e3779b97f4a7c15);
    hash = (hash ^ (hash >> 29) ^ (uint64_t)state->value ^ state->flushed) *
           UINT64_C(0xbf58476d1ce4e5b9);
    return (size_t)(hash ^ (hash >> 31));
}

/* Where @state is, or where it belongs. */
static uint32_t *states_place(const struct states *states,
                              const struct state *state)
{
    size_t at = state_hash(state) & (states->table_size - 1);
    while (states->table[at] != 0 &&
           !state_equal(&states->list[states->table[at] - 1], state)) {
        at = (at + 1) & (states->table_size - 1);
    }
    return &states->table[at];
}

static void states_enlarge(struct states *states)
{
    states->list = grown(states->list, &states->capacity, sizeof(struct state));
    free(states->table);
    states->table_size = 64;
    while (states->table_size < 2 * states->capacity) {
        states->table_size *= 2;
    }
    states->table = calloc(states->table_size, sizeof(uint32_t));
    HF_ASSERT(states->table != NULL);
    for (size_t i = 0; i < states->count; i++) {
        *states_place(states, &states->list[i]) = (uint32_t)(i + 1);
    }
}

/* Adds @state unless it is there already, or a better one. A worse one stays in
 * the list, so that the list can be walked while it grows. */
static void states_add(struct states *states, const struct state *state)
{
    if (states->count == states->capacity) {
        states_enlarge(states);
    }
    uint32_t *place = states_place(states, state);
    if (*place != 0 && states->list[*place - 1].loose <= state->loose) {
        return;
    }
    HF_ASSERT(states->count < MODEL_STATES_MAX);
    states->list[states->count++] = *state;
    *place = (uint32_t)states->count;
}

/* The search. */

static int64_t added(int64_t value)
{
    return value == MODEL_NIL ? 1 : value + 1;
}

static int64_t deleted(int64_t value, bool fenced)
{
    return fenced && value != MODEL_NIL ? VALUE_FENCED : MODEL_NIL;
}

static int64_t flushed(int64_t value)
{
    return value == VALUE_FENCED ? value : MODEL_NIL;
}

/* Whether it changes nothing. */
static bool is_look(const struct model_operation *operation)
{
    return operation->kind == MODEL_READ || operation->kind == MODEL_REFUSED;
}

/* Whether what @look was told is so when the key is @value. */
static bool look_fits(const struct model_operation *look, int64_t value)
{
    if (look->kind == MODEL_REFUSED) {
        return value == VALUE_FENCED;
    }
    return look->value == (value == VALUE_FENCED ? MODEL_NIL : value);
}

/* Does @operation to @state if it gives the answer that was seen. */
static bool state_apply(struct state *state,
                        const struct model_operation *operation)
{
    switch (operation->kind) {
    case MODEL_READ:
    case MODEL_REFUSED:
        return look_fits(operation, state->value);
    case MODEL_WRITE:
        if (state->value == VALUE_FENCED) {
            return false;
        }
        state->value = operation->value;
        return true;
    case MODEL_DELETE:
        state->value = operation->flush
                           ? flushed(state->value)
                           : deleted(state->value, operation->fenced);
        return true;
    case MODEL_ADD:
        state->value = added(state->value);
        return state->value == operation->value;
    case MODEL_EXPIRE:
        if (state->value == operation->value) {
            state->value = MODEL_NIL;
        }
        return true;
    case MODEL_TAKE:
        if (state->value != operation->value) {
            return false;
        }
        state->value = deleted(state->value, operation->fenced);
        return true;
    }
    return false;
}

/* Whether @operation would leave @state as it is, now and at its end. A value
 * that is about to expire was there before, and does not come again. */
static bool changes_nothing(const struct model_operation *operation,
                            const struct state *state)
{
    if (operation->kind == MODEL_EXPIRE) {
        return operation->value != state->value;
    }
    return is_look(operation) && look_fits(operation, state->value);
}

/* Adds @state to what was seen. Open looks at its value take effect at once:
 * they change nothing, and later they might not fit. */
static void search_visit(struct search *search, struct state state)
{
    for (unsigned slot = 0; slot < search->slots; slot++) {
        const struct model_operation *open = search->open[slot];
        if (open != NULL && changes_nothing(open, &state)) {
            state.done |= UINT64_C(1) << slot;
        }
    }
    states_add(&search->seen, &state);
}

/* Everything that one more step from @from can lead to. */
static void search_extend(struct search *search, const struct state *from)
{
    for (unsigned slot = 0; slot < search->slots; slot++) {
        const struct model_operation *open = search->open[slot];
        struct state to = *from;
        if (open != NULL && !is_look(open) && !(from->done >> slot & 1) &&
            state_apply(&to, open)) {
            to.done |= UINT64_C(1) << slot;
            search_visit(search, to);
        }
    }
    struct state to = *from;
    if (from->loose < search->loose) {
        to.loose++;
        to.value = search->loose_kind == MODEL_ADD
                       ? added(to.value)
                       : deleted(to.value, search->operations[0].fenced);
        search_visit(search, to);
    }
    to = *from;
    if (from->flushed < search->flushes && flushed(to.value) != to.value) {
        to.flushed++;
        to.value = MODEL_NIL;
        search_visit(search, to);
    }
    to = *from;
    if (from->value == MODEL_NIL && search->time >= search->unread_from) {
        to.value = VALUE_UNREAD;
        search_visit(search, to);
    }
}

/* The operation in @slot ends: keeps what is possible now. */
static bool search_end(struct search *search, unsigned slot)
{
    uint64_t bit = UINT64_C(1) << slot;
    states_clear(&search->next);
    states_clear(&search->seen);
    for (size_t i = 0; i < search->now.count; i++) {
        search_visit(search, search->now.list[i]);
    }
    for (size_t i = 0; i < search->seen.count; i++) {
        struct state state = search->seen.list[i];
        if (state.done & bit) {
            state.done &= ~bit;
            states_add(&search->next, &state);
        } else {
            search_extend(search, &state);
        }
    }
    struct states swapped = search->now;
    search->now = search->next;
    search->next = swapped;
    search->open[slot] = NULL;
    return search->now.count > 0;
}

static void search_begin(struct search *search,
                         const struct model_operation *operation)
{
    if (operation->ended == MODEL_UNKNOWN && operation->flush) {
        search->flushes++;
        return;
    }
    if (operation->ended == MODEL_UNKNOWN) {
        search->loose_kind = operation->kind;
        search->loose++;
        return;
    }
    unsigned slot = 0;
    while (search->open[slot] != NULL) {
        slot++;
        HF_ASSERT(slot < MODEL_OVERLAP_MAX);
    }
    search->open[slot] = operation;
    search->slots = slot < search->slots ? search->slots : slot + 1;
}

static unsigned search_slot(const struct search *search,
                            const struct model_operation *operation)
{
    unsigned slot = 0;
    while (search->open[slot] != operation) {
        slot++;
        HF_ASSERT(slot < MODEL_OVERLAP_MAX);
    }
    return slot;
}

static int moment_compare(const struct moment *a, const struct moment *b)
{
    if (a->time != b->time) {
        return a->time < b->time ? -1 : 1;
    }
    if (a->end != b->end) {
        return a->end ? 1 : -1; /* Begins first: equal times overlap. */
    }
    return a->operation < b->operation ? -1 : a->operation > b->operation;
}

/* In order. Operations are by when they began, so each moment is near to where
 * it belongs, and to shift those after it is less work than to sort them. */
static size_t moment_add(struct moment *moments, size_t count,
                         const struct moment *moment)
{
    size_t at = count;
    while (at > 0 && moment_compare(&moments[at - 1], moment) > 0) {
        moments[at] = moments[at - 1];
        at--;
    }
    moments[at] = *moment;
    return count + 1;
}

/* The operation that cannot have ended as it did, or NULL. */
static const struct model_operation *search_run(struct search *search)
{
    size_t count = 0;
    struct moment *moments = calloc(2 * search->count + 1, sizeof(*moments));
    HF_ASSERT(moments != NULL);
    for (size_t i = 0; i < search->count; i++) {
        const struct model_operation *operation = &search->operations[i];
        const struct moment begin = {operation->started, false, operation};
        const struct moment end = {operation->ended, true, operation};
        count = moment_add(moments, count, &begin);
        if (operation->ended != MODEL_UNKNOWN) {
            count = moment_add(moments, count, &end);
        }
    }
    const struct model_operation *culprit = NULL;
    const struct state first = {.value = MODEL_NIL};
    states_add(&search->now, &first);
    for (size_t i = 0; i < count && culprit == NULL; i++) {
        const struct model_operation *operation = moments[i].operation;
        search->time = moments[i].time;
        if (!moments[i].end) {
            search_begin(search, operation);
        } else if (!search_end(search, search_slot(search, operation))) {
            culprit = operation;
        }
    }
    free(moments);
    return culprit;
}

/* Unknown outcomes. */

/* The end of the first read of what @write wrote, MODEL_UNKNOWN if none. */
static int64_t first_sight(const struct search *search,
                           const struct model_operation *write)
{
    int64_t ended = MODEL_UNKNOWN;
    for (size_t i = 0; i < search->count; i++) {
        const struct model_operation *read = &search->operations[i];
        bool sees = read->kind == MODEL_READ || read->kind == MODEL_TAKE;
        if (sees && read->value == write->value && read->ended < ended) {
            ended = read->ended;
        }
    }
    /* Seen before it began: the search will find that out. */
    return ended < write->started ? write->started : ended;
}

static void search_prepare(struct search *search)
{
    for (size_t i = 0; i < search->count; i++) {
        struct model_operation *operation = &search->operations[i];
        if (operation->kind == MODEL_WRITE &&
            operation->ended == MODEL_UNKNOWN) {
            operation->ended = first_sight(search, operation);
        }
    }
    size_t kept = 0;
    search->unread_from = MODEL_UNKNOWN;
    for (size_t i = 0; i < search->count; i++) {
        const struct model_operation *operation = &search->operations[i];
        if (operation->ended != MODEL_UNKNOWN ||
            operation->kind == MODEL_DELETE || operation->kind == MODEL_ADD) {
            search->operations[kept++] = *operation;
        } else if (operation->fenced && operation->kind == MODEL_WRITE &&
                   operation->started < search->unread_from) {
            search->unread_from = operation->started;
        }
    }
    search->count = kept;
}

/* The report. */

static size_t report_line(char *text, size_t size,
                          const struct model_operation *operation,
                          const struct model_operation *culprit)
{
    static const char *const names[] = {
        "read", "write", "delete", "add", "refused write", "expire", "take"};
    char value[32] = "nil";
    if (operation->value != MODEL_NIL) {
        (void)snprintf(value, sizeof(value), "%" PRId64, operation->value);
    }
    char ended[32] = "?";
    if (operation->ended != MODEL_UNKNOWN) {
        (void)snprintf(ended, sizeof(ended), "%.3f",
                       (double)operation->ended / 1000);
    }
    int used =
        snprintf(text, size, "\n%s %10.3f - %10s  n%u %s %s",
                 operation == culprit ? "->" : "  ",
                 (double)operation->started / 1000, ended, operation->node + 1,
                 operation->flush ? "flush" : names[operation->kind], value);
    return used < 0 || (size_t)used >= size ? size : (size_t)used;
}

static int operation_compare(const void *left, const void *right)
{
    const struct model_operation *a = left;
    const struct model_operation *b = right;
    if (a->key != b->key) {
        return a->key < b->key ? -1 : 1;
    }
    return a->started < b->started ? -1 : a->started > b->started;
}

static void report(struct model_verdict *verdict, const struct search *search,
                   const struct model_operation *culprit)
{
    verdict->linearizable = false;
    verdict->key = culprit->key;
    size_t at = (size_t)(culprit - search->operations);
    size_t first = at < REPORT_OPERATIONS ? 0 : at - REPORT_OPERATIONS;
    size_t last = at + 3 < search->count ? at + 3 : search->count;
    size_t size = sizeof(verdict->text);
    size_t used = (size_t)snprintf(verdict->text, size,
                                   "no order explains these operations:");
    for (size_t i = first; i < last && used < size; i++) {
        used += report_line(verdict->text + used, size - used,
                            &search->operations[i], culprit);
    }
}

static void key_check(struct model_operation *operations, size_t count,
                      struct model_verdict *verdict)
{
    struct search *search = calloc(1, sizeof(*search));
    HF_ASSERT(search != NULL);
    search->operations = operations;
    search->count = count;
    search_prepare(search);
    const struct model_operation *culprit = search_run(search);
    if (culprit != NULL) {
        report(verdict, search, culprit);
    }
    states_close(&search->now);
    states_close(&search->next);
    states_close(&search->seen);
    free(search);
}

void model_check(const struct model *model, struct model_verdict *verdict)
{
    *verdict = (struct model_verdict){.linearizable = true};
    if (model->count == 0) {
        return;
    }
    struct model_operation *sorted = malloc(model->count * sizeof(*sorted));
    HF_ASSERT(sorted != NULL);
    memcpy(sorted, model->operations, model->count * sizeof(*sorted));
    qsort(sorted, model->count, sizeof(*sorted), operation_compare);
    size_t first = 0;
    while (first < model->count && verdict->linearizable) {
        size_t last = first + 1;
        while (last < model->count && sorted[last].key == sorted[first].key) {
            last++;
        }
        key_check(&sorted[first], last - first, verdict);
        first = last;
    }
    free(sorted);
}
