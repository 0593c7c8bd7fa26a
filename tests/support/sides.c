#include "support/sides.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "core/node_state.h"
#include "support/cluster.h"

#define REPORT_OPERATIONS 14

void sides_init(struct sides *sides)
{
    *sides = (struct sides){.settled_us = -1};
}

void sides_close(struct sides *sides)
{
    free(sides->operations);
    sides->operations = NULL;
}

void sides_watch(struct sides *sides, struct cluster *c)
{
    for (unsigned i = 0; i < c->options.node_count; i++) {
        if (c->processes[i].running && c->processes[i].paused) {
            return;
        }
    }
    if (cluster_is_settled(c)) {
        sides->settled_us = cluster_now_us(c);
    }
}

/* The last view that anybody in the lineage of @newest is in. Of one view that
 * was agreed on twice the later epoch may be higher than that of what came
 * next (core/lineage.h). */
static const struct hf_view *newest_of(const struct cluster *c,
                                       const struct hf_view *newest)
{
    uint64_t id = hf_lineage_of(newest);
    for (unsigned i = 0; i < c->options.node_count; i++) {
        const struct hf_view *view =
            c->processes[i].running ? hf_node_get_view(c->processes[i].node)
                                    : NULL;
        if (view != NULL && hf_lineage_of(view) == id &&
            (view->base > newest->base ||
             (view->base == newest->base && view->epoch > newest->epoch))) {
            newest = view;
        }
    }
    return newest;
}

void sides_place(const struct sides *sides, const struct cluster *c,
                 unsigned node, bool ends, struct sides_place *place)
{
    const struct process *process = &c->processes[node];
    *place = (struct sides_place){.settled_us = sides->settled_us};
    const struct hf_view *view =
        process->running ? hf_node_get_view(process->node) : NULL;
    if (view == NULL || process->node->state != HF_STATE_ACTIVE) {
        return;
    }
    place->known = true;
    place->count = view->lineage_count;
    memcpy(place->lineages, view->lineages, sizeof(place->lineages));
    const struct hf_view *at = ends ? newest_of(c, view) : view;
    place->epoch = at->epoch;
    place->base = at->base;
}

void sides_add(struct sides *sides, const struct sides_operation *operation)
{
    if (sides->count == sides->capacity) {
        sides->capacity = 2 * sides->capacity + 256;
        sides->operations = realloc(
            sides->operations, sides->capacity * sizeof(*sides->operations));
        HF_ASSERT(sides->operations != NULL);
    }
    sides->operations[sides->count++] = *operation;
}

static uint64_t lineage_of(const struct sides_place *place)
{
    return place->count == 0 ? 0 : place->lineages[place->count - 1].id;
}

/* Whether who is at @place follows from @before. */
static bool follows(const struct sides_place *place,
                    const struct sides_place *before)
{
    for (unsigned i = 0; i < place->count; i++) {
        if (place->lineages[i].id != lineage_of(before)) {
            continue;
        }
        if (i + 1u == place->count) {
            return before->epoch <= place->epoch && before->base <= place->base;
        }
        const struct hf_lineage *next = &place->lineages[i + 1];
        return before->epoch <= next->forked && before->base <= next->base;
    }
    return false;
}

bool sides_is_placed(const struct sides_operation *o)
{
    return o->begin.known && o->end.known && follows(&o->end, &o->begin);
}

static bool is_acknowledged(const struct sides_operation *o)
{
    return o->operation.ended != MODEL_UNKNOWN;
}

static bool is_change(const struct sides_operation *o)
{
    return o->operation.kind == MODEL_WRITE ||
           o->operation.kind == MODEL_DELETE || o->operation.kind == MODEL_ADD;
}

bool sides_covers(const struct sides_operation *later,
                  const struct sides_operation *o)
{
    if (!is_acknowledged(o) || o->operation.ended >= later->operation.started) {
        return false;
    }
    if (later->last || o->operation.ended <= later->begin.settled_us) {
        return true;
    }
    return sides_is_placed(later) && sides_is_placed(o) &&
           follows(&later->begin, &o->end);
}

/* What was under way when the view changed may have been done in both, with one
 * answer: its primary of before may go on as a fork, and hand it over as a
 * change of its own. */
static bool is_twice(const struct sides_operation *o)
{
    return sides_is_placed(o) && o->begin.epoch != o->end.epoch;
}

/* Whether @other came after all that @o may have done. */
static bool undoes(const struct sides_operation *other,
                   const struct sides_operation *o)
{
    return sides_covers(other, o) &&
           (!is_twice(o) || other->last ||
            o->operation.ended <= other->begin.settled_us);
}

/* The operations of one key. */
struct history {
    const struct sides_operation **list;
    size_t count;
    bool guesses; /* With increments of unknown outcome values are not known. */
    /* Of the read that is judged: the changes that it surely came after. */
    const struct sides_operation **before;
    size_t before_count;
};

/* What deleted it, of what the judged read came after; or NULL. */
static const struct sides_operation *
deletion_of(const struct history *history, const struct sides_operation *change)
{
    if (change->operation.kind == MODEL_DELETE) {
        return change;
    }
    for (size_t i = 0; i < history->before_count; i++) {
        const struct sides_operation *later = history->before[i];
        if (later->operation.kind == MODEL_DELETE &&
            sides_covers(later, change)) {
            return later;
        }
    }
    return NULL;
}

/* Whether @change may come to nothing, as it was deleted: what was there
 * before, of @o, is back where a third side has changed that as well, for then
 * it is not deleted there, and of what was changed on two sides either may win.
 */
static bool is_back(const struct history *history,
                    const struct sides_operation *o,
                    const struct sides_operation *change)
{
    const struct sides_operation *deletion = deletion_of(history, change);
    if (deletion == NULL || deletion->operation.fenced) {
        return false;
    }
    for (size_t i = 0; i < history->count; i++) {
        const struct sides_operation *third = history->list[i];
        if (is_change(third) && third->operation.kind != MODEL_DELETE &&
            is_acknowledged(third) && third != o && !sides_covers(third, o) &&
            !sides_covers(o, third) && !sides_covers(third, deletion) &&
            !sides_covers(deletion, third)) {
            return true;
        }
    }
    return false;
}

/* Whether @read may still show what @o left; NULL: that nothing ever was.
 * @forgives: also when that is back. */
static bool may_show(const struct history *history,
                     const struct sides_operation *read,
                     const struct sides_operation *o, bool forgives)
{
    if (o != NULL && o->operation.started > read->operation.ended) {
        return false;
    }
    for (size_t i = 0; i < history->before_count; i++) {
        const struct sides_operation *other = history->before[i];
        if (o == NULL ? other->operation.kind != MODEL_DELETE
                      : other != o && undoes(other, o) &&
                            !(forgives && is_back(history, o, other))) {
            return false;
        }
    }
    return true;
}

/* Whether @o leaves what @read shows, as far as that can be told. */
static bool leaves(const struct sides_operation *o,
                   const struct sides_operation *read, bool guesses)
{
    const struct model_operation *operation = &o->operation;
    if (!is_change(o)) {
        return false;
    }
    if (read->operation.value == MODEL_NIL) {
        return operation->kind == MODEL_DELETE || o->fades;
    }
    if (operation->kind == MODEL_ADD) { /* The first time may leave anything. */
        return guesses || is_twice(o) || !sides_is_placed(o) ||
               operation->value == read->operation.value;
    }
    return operation->kind == MODEL_WRITE &&
           operation->value == read->operation.value;
}

/* Asked last, for it takes long. */
static bool shows_what_is_back(const struct history *history,
                               const struct sides_operation *read)
{
    for (size_t i = 0; i < history->count; i++) {
        const struct sides_operation *o = history->list[i];
        if (leaves(o, read, history->guesses) &&
            may_show(history, read, o, true)) {
            return true;
        }
    }
    return false;
}

static bool has_guesses(const struct history *history)
{
    for (size_t i = 0; i < history->count; i++) {
        const struct sides_operation *o = history->list[i];
        if (o->operation.kind == MODEL_ADD && !is_acknowledged(o)) {
            return true;
        }
    }
    return false;
}

static void find_before(struct history *history,
                        const struct sides_operation *read)
{
    history->before_count = 0;
    for (size_t i = 0; i < history->count; i++) {
        const struct sides_operation *o = history->list[i];
        if (is_change(o) && sides_covers(read, o)) {
            history->before[history->before_count++] = o;
        }
    }
}

static const char *read_judge(struct history *history,
                              const struct sides_operation *read)
{
    bool nil = read->operation.value == MODEL_NIL;
    bool known = nil;
    find_before(history, read);
    if (nil && may_show(history, read, NULL, false)) {
        return NULL;
    }
    for (size_t i = 0; i < history->count; i++) {
        const struct sides_operation *o = history->list[i];
        if (!nil && o->operation.kind == MODEL_DELETE && o->found &&
            o->operation.fenced && sides_covers(read, o)) {
            return "is back, though fenced and deleted";
        }
        if (leaves(o, read, history->guesses)) {
            known = true;
            if (may_show(history, read, o, false)) {
                return NULL;
            }
        }
    }
    if (!nil && shows_what_is_back(history, read)) {
        return NULL;
    }
    return !known ? "was never written"
           : nil  ? "is lost"
                  : "shows what was changed since";
}

static void report(const struct history *history,
                   const struct sides_operation *read, const char *what,
                   struct model_verdict *verdict)
{
    static const char *const kinds[] = {"read", "write",   "delete",
                                        "add",  "refused", "expire"};
    size_t used = (size_t)snprintf(verdict->text, sizeof(verdict->text),
                                   "with sides: %s", what);
    size_t at = 0;
    while (at < history->count && history->list[at] != read) {
        at++;
    }
    size_t from = at > REPORT_OPERATIONS ? at - REPORT_OPERATIONS : 0;
    for (size_t i = from; i <= at && i < history->count; i++) {
        const struct sides_operation *o = history->list[i];
        char value[24] = "nil";
        if (o->operation.value != MODEL_NIL) {
            (void)snprintf(value, sizeof(value), "%" PRId64,
                           o->operation.value);
        }
        if (used < sizeof(verdict->text)) {
            used += (size_t)snprintf(
                verdict->text + used, sizeof(verdict->text) - used,
                "\n  %s %s at n%u %" PRId64 "-%" PRId64 " us, lineage %04x e%u",
                kinds[o->operation.kind], value, o->operation.node + 1,
                o->operation.started,
                is_acknowledged(o) ? o->operation.ended : -1,
                (unsigned)(lineage_of(&o->end) >> 48),
                (unsigned)(o->end.epoch >> 32));
        }
    }
}

static bool key_judge(struct history *history, uint32_t key,
                      struct model_verdict *verdict)
{
    history->guesses = has_guesses(history);
    for (size_t i = 0; i < history->count; i++) {
        const struct sides_operation *o = history->list[i];
        if (o->operation.kind != MODEL_READ || !is_acknowledged(o)) {
            continue;
        }
        const char *what = read_judge(history, o);
        if (what != NULL) {
            verdict->linearizable = false;
            verdict->key = key;
            report(history, o, what, verdict);
            return false;
        }
    }
    return true;
}

/* By key, and then as they were added: as they ended. */
static int by_key(const void *left, const void *right)
{
    const struct sides_operation *a =
        *(const struct sides_operation *const *)left;
    const struct sides_operation *b =
        *(const struct sides_operation *const *)right;
    if (a->operation.key != b->operation.key) {
        return a->operation.key < b->operation.key ? -1 : 1;
    }
    return a < b ? -1 : a > b;
}

void sides_check(const struct sides *sides, struct model_verdict *verdict)
{
    *verdict = (struct model_verdict){.linearizable = true};
    if (sides->count == 0) {
        return;
    }
    const struct sides_operation **all = calloc(sides->count, sizeof(*all));
    const struct sides_operation **before =
        calloc(sides->count, sizeof(*before));
    HF_ASSERT(all != NULL && before != NULL);
    for (size_t i = 0; i < sides->count; i++) {
        all[i] = &sides->operations[i];
    }
    qsort(all, sides->count, sizeof(*all), by_key);
    bool fine = true;
    size_t to = 0;
    for (size_t from = 0; fine && from < sides->count; from = to) {
        uint32_t key = all[from]->operation.key;
        while (to < sides->count && all[to]->operation.key == key) {
            to++;
        }
        struct history history = {
            .list = all + from, .count = to - from, .before = before};
        fine = key_judge(&history, key, verdict);
    }
    free(before);
    free(all);
}
