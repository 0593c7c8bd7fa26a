/* structures_random_test.c - Sets, sorted sets and lists against the simplest
 * thing that does the same, with random sequences of effects, some of which do
 * not fit, and with memory that runs out.
 *
 * After each sequence the session is what the model says, or, when it was
 * refused, what it was before, to the last byte and in the same order. What
 * hand-off sends makes an equal one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "core/deque.h"
#include "core/effects.h"
#include "core/expiry.h"
#include "core/members.h"
#include "core/sessions.h"
#include "holdfast/error.h"
#include "support/failing_mem.h"

#define KEY HF_SLICE_LITERAL("k")
#define NAMES 400
#define ELEMENTS_MAX 2000
#define SEQUENCE_MAX 6

struct element {
    unsigned name;
    double score;
};

/* Members by number, or elements from the left. */
struct model {
    size_t count;
    struct element elements[ELEMENTS_MAX];
};

struct fixture {
    struct failing_mem failing;
    struct hf_mem other_mem;
    struct hf_expiry expiry;
    struct hf_sessions sessions;
    struct hf_sessions copy; /* Made by what hand-off sends. */
    struct hf_buffer effects;
    struct hf_rng rng;
    enum hf_session_type type;
    unsigned names; /* Of those there are, so many are used. */
    uint64_t sequence;
    struct model model;
    struct model next;
};

static struct hf_slice name_of(unsigned number)
{
    static char text[6000];
    int size = snprintf(text, sizeof(text), "%u", number);
    size_t wanted = (size_t)size;
    if (number % 7 == 0) {
        wanted += number % 50;
    } else if (number % 97 == 1) {
        wanted += 5000; /* More than a page. */
    }
    memset(text + size, 'x', wanted - (size_t)size);
    return number == 0 ? HF_SLICE_LITERAL("")
                       : (struct hf_slice){(uint8_t *)text, wanted};
}

static void fixture_open(struct fixture *f, enum hf_session_type type,
                         unsigned names, uint64_t seed)
{
    failing_mem_init(&f->failing);
    hf_mem_init_system(&f->other_mem);
    assert_int_equal(hf_expiry_init(&f->expiry, &f->other_mem), 0);
    hf_sessions_init(&f->sessions, &f->failing.mem, &f->expiry, 1);
    hf_sessions_init(&f->copy, &f->other_mem, &f->expiry, 2);
    hf_buffer_init(&f->effects, &f->other_mem);
    hf_rng_init(&f->rng, seed);
    f->type = type;
    f->names = names;
    f->sequence = 0;
    f->model.count = 0;
}

static void fixture_close(struct fixture *f)
{
    hf_sessions_clear(&f->sessions);
    hf_sessions_clear(&f->copy);
    hf_expiry_close(&f->expiry);
    hf_buffer_close(&f->effects);
    assert_int_equal(f->other_mem.used_bytes, 0);
    failing_mem_close(&f->failing);
}

/* ---- The model ---------------------------------------------------------- */

static size_t model_find(const struct model *model, unsigned name)
{
    size_t i = 0;
    while (i < model->count && model->elements[i].name != name) {
        i++;
    }
    return i;
}

static void model_insert(struct model *model, size_t at, struct element element)
{
    memmove(model->elements + at + 1, model->elements + at,
            (model->count - at) * sizeof(element));
    model->elements[at] = element;
    model->count++;
}

static void model_erase(struct model *model, size_t at)
{
    model->count--;
    memmove(model->elements + at, model->elements + at + 1,
            (model->count - at) * sizeof(model->elements[0]));
}

static double random_score(struct fixture *f)
{
    static const double scores[] = {0, 1, -1, 0.5, 1e300, -1e-300};
    return hf_rng_chance(&f->rng, 1, 2)
               ? scores[hf_rng_below(&f->rng, HF_ARRAY_COUNT(scores))]
               : (double)hf_rng_below(&f->rng, 1000);
}

/* One effect on members, in effects and in the next model. False when it does
 * not fit. */
static bool change_members(struct fixture *f, bool grow)
{
    struct model *next = &f->next;
    bool scored = f->type == HF_SESSION_SORTED_SET;
    unsigned name = (unsigned)hf_rng_below(&f->rng, f->names);
    size_t at = model_find(next, name);
    if (hf_rng_chance(&f->rng, grow ? 3 : 1, 4)) {
        struct element element = {name, scored ? random_score(f) : 0};
        if (scored) {
            hf_effects_score(&f->effects, name_of(name), element.score);
        } else {
            hf_effects_member(&f->effects, name_of(name));
        }
        if (at < next->count) {
            next->elements[at].score = element.score;
        } else {
            next->elements[next->count++] = element;
        }
        return true;
    }
    if (at == next->count && next->count > 0 &&
        !hf_rng_chance(&f->rng, 1, 20)) {
        at = hf_rng_below(&f->rng, next->count);
        name = next->elements[at].name;
    }
    if (scored) {
        hf_effects_unscore(&f->effects, name_of(name));
    } else {
        hf_effects_unmember(&f->effects, name_of(name));
    }
    if (at == next->count) {
        return false;
    }
    next->elements[at] = next->elements[--next->count];
    return true;
}

static bool change_push(struct fixture *f)
{
    bool left = hf_rng_chance(&f->rng, 1, 2);
    struct element element = {(unsigned)hf_rng_below(&f->rng, f->names), 0};
    hf_effects_push(&f->effects, left, name_of(element.name));
    model_insert(&f->next, left ? 0 : f->next.count, element);
    return true;
}

static bool change_pop(struct fixture *f)
{
    struct model *next = &f->next;
    bool left = hf_rng_chance(&f->rng, 1, 2);
    size_t most = hf_rng_chance(&f->rng, 1, 50) ? next->count + 2 : 4;
    uint32_t count = 1 + (uint32_t)hf_rng_below(&f->rng, most);
    hf_effects_pop(&f->effects, left, count);
    if (count > next->count) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        model_erase(next, left ? 0 : next->count - 1);
    }
    return true;
}

static bool change_item(struct fixture *f)
{
    uint32_t at = (uint32_t)hf_rng_below(&f->rng, f->next.count + 1);
    unsigned name = (unsigned)hf_rng_below(&f->rng, f->names);
    hf_effects_item(&f->effects, at, name_of(name));
    if (at == f->next.count) {
        return false;
    }
    f->next.elements[at].name = name;
    return true;
}

static bool change_unitem(struct fixture *f)
{
    struct model *next = &f->next;
    bool left = hf_rng_chance(&f->rng, 1, 2);
    unsigned name = (unsigned)hf_rng_below(&f->rng, f->names);
    if (next->count > 0) {
        name = next->elements[hf_rng_below(&f->rng, next->count)].name;
    }
    uint32_t count = 1 + (uint32_t)hf_rng_below(&f->rng, 2);
    hf_effects_unitem(&f->effects, left, count, name_of(name));
    for (uint32_t found = 0; found < count; found++) {
        size_t at = next->count;
        for (size_t i = 0; i < next->count; i++) {
            if (next->elements[i].name == name &&
                (!left || at == next->count)) {
                at = i;
            }
        }
        if (at == next->count) {
            return false;
        }
        model_erase(next, at);
    }
    return true;
}

static bool change_list(struct fixture *f, bool grow)
{
    if (hf_rng_chance(&f->rng, grow ? 3 : 1, 4)) {
        return change_push(f);
    }
    switch (hf_rng_below(&f->rng, 4)) {
    case 0:
        return change_item(f);
    case 1:
        return change_unitem(f);
    default:
        return change_pop(f);
    }
}

/* ---- Comparing ---------------------------------------------------------- */

static void check_ranking(const struct hf_members *members)
{
    struct hf_ranking_place place = hf_ranking_at(&members->ranking, 0);
    struct hf_slice before = {NULL, 0};
    double last = 0;
    uint32_t rank = 0;
    double score;
    struct hf_item *item;
    while ((item = hf_ranking_item(place, &score)) != NULL) {
        struct hf_slice member = hf_ranking_member(item);
        uint32_t number;
        assert_true(hf_members_find(members, member, &number));
        assert_true(hf_members_score(members, number) == score);
        assert_int_equal(hf_members_rank(members, number), rank);
        assert_ptr_equal(
            hf_ranking_item(hf_ranking_at(&members->ranking, rank), &score),
            item);
        if (rank > 0 && last == score) {
            size_t common =
                before.size < member.size ? before.size : member.size;
            int order =
                common == 0 ? 0 : memcmp(before.data, member.data, common);
            assert_true(order < 0 || (order == 0 && before.size < member.size));
        } else {
            assert_true(rank == 0 || last < score);
        }
        before = member;
        last = score;
        rank++;
        hf_ranking_next(&place);
    }
    assert_int_equal(rank, members->count);
    place = hf_ranking_at(&members->ranking, members->count - 1);
    for (; rank > 0; rank--) {
        assert_non_null(hf_ranking_item(place, &score));
        hf_ranking_previous(&place);
    }
    assert_null(hf_ranking_item(place, &score));
}

static void check_members(const struct hf_members *members,
                          const struct model *model)
{
    assert_int_equal(members->count, model->count);
    for (uint32_t i = 0; i < members->count; i++) {
        struct hf_slice name = name_of(model->elements[i].name);
        uint32_t number;
        assert_true(hf_slice_equal(hf_members_at(members, i), name));
        assert_true(hf_members_find(members, name, &number));
        assert_int_equal(number, i);
        assert_true(!members->scored ||
                    hf_members_score(members, i) == model->elements[i].score);
    }
    if (members->scored) {
        check_ranking(members);
    }
}

static void check_session(const struct fixture *f,
                          const struct hf_sessions *sessions)
{
    const struct hf_session *session =
        hf_sessions_find(sessions, KEY, hf_sessions_hash(KEY));
    const struct model *model = &f->model;
    assert_int_equal(session == NULL, model->count == 0);
    if (session == NULL) {
        return;
    }
    size_t each = f->type == HF_SESSION_SORTED_SET ? 16 : 8;
    size_t bytes = each * model->count;
    for (size_t i = 0; i < model->count; i++) {
        bytes += name_of(model->elements[i].name).size;
    }
    assert_int_equal(hf_session_value_bytes(session), bytes);
    assert_int_equal(hf_session_type(session), f->type);
    if (f->type != HF_SESSION_LIST) {
        check_members(hf_session_members(session), model);
        return;
    }
    const struct hf_deque *list = hf_session_list(session);
    assert_int_equal(list->count, model->count);
    for (uint32_t i = 0; i < list->count; i++) {
        assert_true(hf_slice_equal(hf_deque_at(list, i),
                                   name_of(model->elements[i].name)));
    }
}

static void check_copy(struct fixture *f)
{
    const struct hf_session *session =
        hf_sessions_find(&f->sessions, KEY, hf_sessions_hash(KEY));
    if (session != NULL) {
        hf_buffer_clear(&f->effects);
        hf_effects_of_session(&f->effects, session, 0);
        struct hf_version version = {1, f->sequence};
        assert_int_equal(hf_sessions_apply(&f->copy, KEY, hf_sessions_hash(KEY),
                                           version,
                                           hf_buffer_slice(&f->effects), 0),
                         0);
        check_session(f, &f->copy);
    }
}

/* ---- Sequences ---------------------------------------------------------- */

static void change(struct fixture *f, bool grow)
{
    hf_buffer_clear(&f->effects);
    f->next = f->model;
    bool fits = true;
    uint64_t count = 1 + hf_rng_below(&f->rng, SEQUENCE_MAX);
    for (uint64_t i = 0; fits && i < count; i++) {
        fits = f->type == HF_SESSION_LIST ? change_list(f, grow)
                                          : change_members(f, grow);
    }
    f->failing.failed = false;
    struct hf_version version = {1, ++f->sequence};
    int error = hf_sessions_apply(&f->sessions, KEY, hf_sessions_hash(KEY),
                                  version, hf_buffer_slice(&f->effects), 0);
    if (error == 0) {
        assert_true(fits);
        f->model = f->next;
    } else {
        assert_int_equal(error, f->failing.failed && error == HF_ENOMEM
                                    ? HF_ENOMEM
                                    : HF_EPROTO);
        assert_true(error == HF_ENOMEM || !fits);
    }
    assert_int_equal(f->sessions.bytes, f->failing.mem.used_bytes);
}

static void run(enum hf_session_type type, unsigned names, unsigned changes,
                uint32_t chance, uint64_t seed)
{
    struct fixture *f = malloc(sizeof(*f));
    assert_non_null(f);
    fixture_open(f, type, names, seed);
    failing_mem_fail_often(&f->failing, chance, seed);
    for (unsigned i = 0; i < changes; i++) {
        bool grow = (i / 300) % 2 == 0 && f->model.count < ELEMENTS_MAX / 2;
        change(f, grow);
        if (i % 8 == 0 || i + 1 == changes) {
            check_session(f, &f->sessions);
            check_copy(f);
        }
    }
    fixture_close(f);
    free(f);
}

static void run_all(unsigned names, unsigned changes, uint32_t chance)
{
    for (uint64_t seed = 1; seed <= 4; seed++) {
        run(HF_SESSION_SET, names, changes, chance, seed);
        run(HF_SESSION_SORTED_SET, names, changes, chance, seed);
        run(HF_SESSION_LIST, names, changes, chance, seed);
    }
}

static void small_ones_are_as_the_model_says(void **state)
{
    (void)state;
    run_all(8, 1500, 0);
}

static void large_ones_are_as_the_model_says(void **state)
{
    (void)state;
    run_all(NAMES, 1500, 0);
}

static void without_memory_all_stays_as_it_was(void **state)
{
    (void)state;
    run_all(8, 1000, 1000);
    run_all(NAMES, 1500, 1500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_ones_are_as_the_model_says),
        cmocka_unit_test(large_ones_are_as_the_model_says),
        cmocka_unit_test(without_memory_all_stays_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
