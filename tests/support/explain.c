#include "support/explain.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

struct history {
    struct model_operation *list;
    size_t count;
};

static bool is_removal(const struct model_operation *o)
{
    return o->kind == MODEL_DELETE || o->kind == MODEL_EXPIRE;
}

/* The write of @value, or NULL. */
static const struct model_operation *write_of(const struct history *h,
                                              int64_t value)
{
    for (size_t i = 0; i < h->count; i++) {
        if (h->list[i].kind == MODEL_WRITE && h->list[i].value == value) {
            return &h->list[i];
        }
    }
    return NULL;
}

static const struct model_operation *expiry_of(const struct history *h,
                                               int64_t value)
{
    for (size_t i = 0; i < h->count; i++) {
        if (h->list[i].kind == MODEL_EXPIRE && h->list[i].value == value) {
            return &h->list[i];
        }
    }
    return NULL;
}

/* Writes that were seen count as acknowledged from then on. */
static void settle_unknown(struct history *h)
{
    for (size_t i = 0; i < h->count; i++) {
        struct model_operation *write = &h->list[i];
        if (write->kind != MODEL_WRITE || write->ended != MODEL_UNKNOWN) {
            continue;
        }
        for (size_t j = 0; j < h->count; j++) {
            const struct model_operation *read = &h->list[j];
            if (read->kind == MODEL_READ && read->value == write->value &&
                read->ended < write->ended) {
                write->ended = read->ended;
            }
        }
    }
}

/* Strings. */

/* Whether the expiry of @write, or of what came after it, may have been before
 * @read ended. */
static bool may_be_expired(const struct history *h,
                           const struct model_operation *write,
                           const struct model_operation *read)
{
    for (size_t i = 0; i < h->count; i++) {
        const struct model_operation *o = &h->list[i];
        if (o->kind == MODEL_EXPIRE && o->started <= read->ended &&
            o->ended >= write->started) {
            const struct model_operation *expired = write_of(h, o->value);
            if (expired != NULL && expired->ended >= write->started) {
                return true;
            }
        }
    }
    return false;
}

/* The time after which no DEL can have had an effect that @read shows. */
static int64_t last_deletion(const struct history *h,
                             const struct model_operation *read)
{
    int64_t last = INT64_MIN;
    for (size_t i = 0; i < h->count; i++) {
        const struct model_operation *o = &h->list[i];
        if (o->kind == MODEL_DELETE && o->started <= read->ended &&
            o->ended > last) {
            last = o->ended;
        }
    }
    return last;
}

/* Whether @read, which shows @source or nothing, should have shown @change or
 * what came after it. */
static bool is_missing(const struct history *h,
                       const struct model_operation *change,
                       const struct model_operation *read,
                       const struct model_operation *source)
{
    if (change->kind == MODEL_READ || change == source ||
        change->ended >= read->started) {
        return false;
    }
    if (source == NULL) {
        return change->kind == MODEL_WRITE && !may_be_expired(h, change, read);
    }
    return change->kind != MODEL_EXPIRE || change->value == read->value;
}

/* The last change that @read does not show and should, or the count. */
static size_t missing_in(const struct history *h,
                         const struct model_operation *read,
                         const struct model_operation *source)
{
    /* Changes that began earlier than this were covered by something. */
    int64_t since = source == NULL ? last_deletion(h, read) : source->ended;
    size_t i = h->count;
    while (i > 0 && h->list[i - 1].started > since) {
        i--;
        if (is_missing(h, &h->list[i], read, source)) {
            return i;
        }
    }
    return h->count;
}

/* The begin of the first removal after @change ended. */
static int64_t next_removal(const struct history *h,
                            const struct model_operation *change)
{
    int64_t next = MODEL_UNKNOWN;
    for (size_t i = 0; i < h->count; i++) {
        const struct model_operation *o = &h->list[i];
        if (is_removal(o) && o->started > change->ended && o->started < next) {
            next = o->started;
        }
    }
    return next;
}

static bool is_seen_after(const struct history *h,
                          const struct model_operation *change,
                          const struct model_operation *read)
{
    bool write = change->kind == MODEL_WRITE;
    int64_t until = write ? MODEL_UNKNOWN : next_removal(h, change);
    for (size_t i = 0; i < h->count; i++) {
        const struct model_operation *later = &h->list[i];
        if (later->kind == MODEL_READ && later->ended > read->ended &&
            later->ended < until &&
            later->value == (write ? change->value : MODEL_NIL)) {
            return true;
        }
    }
    return false;
}

static void explain_read(const struct history *h,
                         const struct model_operation *read, bool *lost,
                         struct explained *sum)
{
    const struct model_operation *source = NULL;
    if (read->value != MODEL_NIL) {
        source = write_of(h, read->value);
        if (source == NULL || source->started > read->ended) {
            sum->other++;
            return;
        }
    }
    size_t at = missing_in(h, read, source);
    if (at == h->count) {
        return;
    }
    const struct model_operation *change = &h->list[at];
    const struct model_operation *expiry = expiry_of(h, change->value);
    if (change->kind == MODEL_EXPIRE) {
        sum->late++;
    } else if (is_seen_after(h, change, read)) {
        sum->stale++;
    } else if (!lost[at]) {
        lost[at] = true;
        sum->lost++;
        sum->resurrected += change->kind == MODEL_DELETE;
        sum->early += read->value == MODEL_NIL && expiry != NULL &&
                      expiry->started > read->ended;
    }
}

static void explain_string(const struct history *h, struct explained *sum)
{
    bool *lost = calloc(h->count, sizeof(*lost));
    HF_ASSERT(lost != NULL);
    for (size_t i = 0; i < h->count; i++) {
        if (h->list[i].kind == MODEL_READ &&
            h->list[i].ended != MODEL_UNKNOWN) {
            explain_read(h, &h->list[i], lost, sum);
        }
    }
    free(lost);
}

/* Counters. */

static int64_t number_of(const struct model_operation *o)
{
    return o->value == MODEL_NIL ? 0 : o->value;
}

/* What the operation that began last showed. */
static int64_t final_number(const struct history *h)
{
    const struct model_operation *last = NULL;
    for (size_t i = 0; i < h->count; i++) {
        const struct model_operation *o = &h->list[i];
        if (o->ended != MODEL_UNKNOWN &&
            (last == NULL || o->started > last->started)) {
            last = o;
        }
    }
    return last == NULL ? 0 : number_of(last);
}

/* Whether the increment at @at is gone: the counter ended below it, or was
 * counted to the same number again. Of two with one number only one is. */
static bool is_increment_lost(const struct history *h, size_t at, int64_t final)
{
    const struct model_operation *add = &h->list[at];
    if (add->value > final) {
        return true;
    }
    for (size_t i = 0; i < h->count; i++) {
        const struct model_operation *o = &h->list[i];
        if (i != at && o->kind == MODEL_ADD && o->ended != MODEL_UNKNOWN &&
            o->value == add->value &&
            (o->started > add->started ||
             (o->started == add->started && i > at))) {
            return true;
        }
    }
    return false;
}

/* Whether @read shows less than an increment that is not lost. */
static bool is_stale_number(const struct history *h,
                            const struct model_operation *read,
                            const bool *lost)
{
    for (size_t i = 0; i < h->count; i++) {
        const struct model_operation *add = &h->list[i];
        if (add->kind == MODEL_ADD && !lost[i] && add->ended < read->started &&
            add->value > number_of(read)) {
            return true;
        }
    }
    return false;
}

static void explain_counter(const struct history *h, struct explained *sum)
{
    bool *lost = calloc(h->count, sizeof(*lost));
    HF_ASSERT(lost != NULL);
    int64_t final = final_number(h);
    for (size_t i = 0; i < h->count; i++) {
        const struct model_operation *o = &h->list[i];
        lost[i] = o->kind == MODEL_ADD && o->ended != MODEL_UNKNOWN &&
                  is_increment_lost(h, i, final);
        sum->lost += lost[i];
    }
    for (size_t i = 0; i < h->count; i++) {
        const struct model_operation *o = &h->list[i];
        sum->stale += o->kind == MODEL_READ && o->ended != MODEL_UNKNOWN &&
                      is_stale_number(h, o, lost);
    }
    free(lost);
}

void explain(const struct model_operation *operations, size_t count,
             struct explained *sum)
{
    struct history h = {.count = count};
    h.list = malloc((count + 1) * sizeof(*h.list));
    HF_ASSERT(h.list != NULL);
    memcpy(h.list, operations, count * sizeof(*h.list));
    bool counter = false;
    for (size_t i = 0; i < count; i++) {
        counter = counter || h.list[i].kind == MODEL_ADD;
    }
    struct explained found = {0};
    if (counter) {
        explain_counter(&h, &found);
    } else {
        settle_unknown(&h);
        explain_string(&h, &found);
    }
    free(h.list);
    sum->lost += found.lost;
    sum->resurrected += found.resurrected;
    sum->stale += found.stale;
    sum->early += found.early;
    sum->late += found.late;
    bool nothing = found.lost + found.stale + found.late + found.other == 0;
    sum->other += nothing ? 1 : found.other;
}
