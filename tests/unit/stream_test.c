#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/rng.h"
#include "core/stream.h"
#include "holdfast/error.h"
#include "support/failing_mem.h"

#define MODEL_MAX 20000

/* What a stream should be: every record ever pushed, and how far things are. */
struct model {
    struct hf_record *records[MODEL_MAX]; /* By number; ours as well. */
    bool skips[MODEL_MAX];
    uint64_t next;
    uint64_t acked;
    uint64_t head;
    hf_time moved_at;
};

struct fixture {
    struct failing_mem failing;
    struct hf_mem *mem;
    struct hf_stream stream;
    struct hf_rng rng;
    struct model model;
};

static int open_fixture(void **state)
{
    static struct fixture f;
    memset(&f, 0, sizeof(f));
    failing_mem_init(&f.failing);
    f.mem = &f.failing.mem;
    f.model.next = 1;
    f.model.head = 1;
    hf_stream_init(&f.stream);
    hf_rng_init(&f.rng, 1);
    *state = &f;
    return 0;
}

static int close_fixture(void **state)
{
    struct fixture *f = *state;
    hf_stream_close(&f->stream, f->mem);
    for (uint64_t number = 1; number < f->model.next; number++) {
        assert_int_equal(f->model.records[number]->references, 1);
        hf_record_release(f->mem, f->model.records[number]);
    }
    failing_mem_close(&f->failing);
    return 0;
}

static void push(struct fixture *f, enum hf_record_kind kind, bool skip,
                 hf_time now)
{
    struct model *model = &f->model;
    uint8_t bytes[100] = {0};
    struct hf_record_view view = {
        .kind = kind,
        .version = {1, model->next},
        .effects = {bytes, hf_rng_below(&f->rng, sizeof(bytes))}};
    struct hf_record *record = hf_record_new(f->mem, &view);
    assert_non_null(record);
    assert_int_equal(hf_stream_reserve(&f->stream, f->mem, 1), 0);
    assert_true(hf_stream_next(&f->stream) == model->next);
    hf_stream_push(&f->stream, record, skip ? 0 : HF_SESSIONS_END, !skip, now);
    assert_int_equal(record->references, 2);
    if (model->acked + 1 == model->next) {
        model->moved_at = now;
    }
    model->skips[model->next] = skip;
    model->records[model->next++] = record;
}

static void push_write(struct fixture *f)
{
    push(f, HF_RECORD_WRITE, false, 0);
}

static void ack(struct fixture *f)
{
    struct hf_stream_entry *entry = hf_stream_ack_one(&f->stream);
    assert_ptr_equal(entry->record, f->model.records[++f->model.acked]);
}

/* Whether the model would let its head go. */
static bool may_drop(const struct model *model)
{
    if (model->head > model->acked) {
        return false;
    }
    const struct hf_record *record = model->records[model->head];
    return record->view.kind != HF_RECORD_WRITE || record->committed;
}

static void drop(struct fixture *f)
{
    struct model *model = &f->model;
    struct hf_stream_entry dropped = {0};
    bool expected = may_drop(model);
    assert_int_equal(hf_stream_drop_one(&f->stream, &dropped), expected);
    if (expected) {
        assert_ptr_equal(dropped.record, model->records[model->head]);
        hf_record_release(f->mem, dropped.record);
        model->head++;
    }
}

static void expect_model(const struct fixture *f)
{
    const struct model *model = &f->model;
    size_t bytes = 0;
    size_t learn_bytes = 0;
    for (uint64_t number = model->acked + 1; number < model->next; number++) {
        const struct hf_record *record = model->records[number];
        bytes += record->size;
        learn_bytes += record->view.kind != HF_RECORD_WRITE ? record->size : 0;
    }
    assert_int_equal(f->stream.bytes, bytes);
    assert_int_equal(f->stream.learn_bytes, learn_bytes);
    assert_true(hf_stream_next(&f->stream) == model->next);
    assert_true(f->stream.head == model->head);
    assert_true(f->stream.acked == model->acked);
    assert_true(f->stream.moved_at == model->moved_at);
    for (uint64_t number = model->head; number < model->next; number++) {
        const struct hf_stream_entry *entry = hf_stream_at(&f->stream, number);
        assert_ptr_equal(entry->record, model->records[number]);
        assert_int_equal(entry->below,
                         model->skips[number] ? 0 : HF_SESSIONS_END);
        assert_int_equal(entry->counted, !model->skips[number]);
    }
}

static void a_stream_begins_with_number_one(void **state)
{
    struct fixture *f = *state;
    struct hf_stream_entry dropped;
    assert_true(hf_stream_next(&f->stream) == 1);
    assert_false(hf_stream_drop_one(&f->stream, &dropped));
    push_write(f);
    push_write(f);
    assert_true(hf_stream_at(&f->stream, 1)->record == f->model.records[1]);
    assert_true(hf_stream_at(&f->stream, 2)->record == f->model.records[2]);
}

static void commit_some(struct model *model, struct hf_rng *rng)
{
    for (unsigned i = 0; i < 8 && model->head < model->next; i++) {
        uint64_t kept = model->next - model->head;
        uint64_t ahead = hf_rng_below(rng, kept < 12 ? kept : 12);
        model->records[model->head + ahead]->committed = true;
    }
}

/* Half of the time more comes than is acknowledged, so the ring must grow. */
static void random_step(struct fixture *f, unsigned round)
{
    struct model *model = &f->model;
    uint64_t dice = hf_rng_below(&f->rng, 100);
    uint64_t pushes = round / 1000 % 2 == 0 ? 45 : 15;
    if (dice < pushes) {
        bool write = hf_rng_chance(&f->rng, 2, 3);
        push(f, write ? HF_RECORD_WRITE : HF_RECORD_ENTRY,
             hf_rng_chance(&f->rng, 1, 4), (hf_time)round);
    } else if (dice < 65 && model->acked + 1 < model->next) {
        ack(f);
    } else if (dice < 80) {
        commit_some(model, &f->rng);
    } else {
        for (unsigned i = 0; i < 4; i++) {
            drop(f);
        }
    }
}

static void a_stream_does_as_a_dumb_one_does(void **state)
{
    struct fixture *f = *state;
    for (unsigned round = 0; round < 20000; round++) {
        random_step(f, round);
        if (round % 7 == 0) {
            expect_model(f);
        }
    }
    assert_true(f->stream.capacity > 64);
    assert_true(f->model.head > f->stream.capacity);
}

static void a_write_is_kept_until_it_is_acknowledged_and_committed(void **state)
{
    struct fixture *f = *state;
    struct hf_stream_entry dropped;
    push_write(f);
    push_write(f);

    f->model.records[1]->committed = true;
    assert_false(hf_stream_drop_one(&f->stream, &dropped));
    ack(f);
    ack(f);
    drop(f); /* The first, */
    assert_true(f->stream.head == 2);
    drop(f); /* but not the second. */
    assert_true(f->stream.head == 2);
    f->model.records[2]->committed = true;
    drop(f);
    assert_true(f->stream.head == 3);
    assert_int_equal(f->stream.count, 0);
}

static void what_fills_a_learner_is_dropped_when_acknowledged(void **state)
{
    struct fixture *f = *state;
    static const enum hf_record_kind kinds[] = {
        HF_RECORD_SKIP,   HF_RECORD_LEARN,  HF_RECORD_ENTRY,
        HF_RECORD_LEARNT, HF_RECORD_SYNCED, HF_RECORD_OPERATION,
        HF_RECORD_LEVEL};
    for (size_t i = 0; i < HF_ARRAY_COUNT(kinds); i++) {
        push(f, kinds[i], false, 0);
        assert_int_equal(f->stream.learn_bytes, f->stream.bytes);
        drop(f);
        assert_int_equal(f->stream.count, 1);
        ack(f);
        drop(f);
        assert_int_equal(f->stream.count, 0);
        assert_int_equal(f->stream.bytes, 0);
    }
}

/* A link broke: all after the last acknowledgement is there to be sent again,
 * in order. */
static void all_that_is_not_acknowledged_can_be_sent_again(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < 200; i++) {
        push_write(f);
    }
    for (unsigned i = 0; i < 70; i++) {
        ack(f);
        f->model.records[i + 1]->committed = true;
        drop(f);
    }
    f->stream.sent = 150;
    f->stream.sent = f->stream.acked;
    while (f->stream.sent + 1 < hf_stream_next(&f->stream)) {
        uint64_t number = ++f->stream.sent;
        assert_ptr_equal(hf_stream_at(&f->stream, number)->record,
                         f->model.records[number]);
    }
    assert_true(f->stream.sent == 200);
}

static void work_begins_when_a_record_meets_an_idle_stream(void **state)
{
    struct fixture *f = *state;
    push(f, HF_RECORD_WRITE, false, 100);
    push(f, HF_RECORD_WRITE, false, 200);
    assert_true(f->stream.moved_at == 100);
    ack(f);
    push(f, HF_RECORD_WRITE, false, 300);
    assert_true(f->stream.moved_at == 100); /* One is still on its way. */
    ack(f);
    ack(f);
    push(f, HF_RECORD_WRITE, false, 400); /* Kept ones do not matter. */
    assert_true(f->stream.moved_at == 400);
}

static void a_reserved_push_cannot_fail(void **state)
{
    struct fixture *f = *state;
    static const uint32_t counts[] = {1, 64, 65, 3, 500};
    for (size_t i = 0; i < HF_ARRAY_COUNT(counts); i++) {
        assert_int_equal(hf_stream_reserve(&f->stream, f->mem, counts[i]), 0);
        struct hf_stream_entry *entries = f->stream.entries;
        assert_true(f->stream.capacity - f->stream.count >= counts[i]);
        for (uint32_t k = 0; k < counts[i]; k++) {
            push_write(f);
        }
        assert_ptr_equal(f->stream.entries, entries);
    }
    expect_model(f);
}

static void a_reservation_without_memory_changes_nothing(void **state)
{
    struct fixture *f = *state;
    failing_mem_fail_nth(&f->failing, 1);
    assert_int_equal(hf_stream_reserve(&f->stream, f->mem, 1), HF_ENOMEM);
    for (unsigned i = 0; i < 64; i++) {
        push_write(f);
    }
    failing_mem_fail_nth(&f->failing, 1);
    assert_int_equal(hf_stream_reserve(&f->stream, f->mem, 1), HF_ENOMEM);
    expect_model(f);
    push_write(f);
    expect_model(f);
}

static void a_reset_stream_begins_anew(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < 100; i++) {
        push(f, i % 2 == 0 ? HF_RECORD_WRITE : HF_RECORD_ENTRY, false, 5);
    }
    for (unsigned i = 0; i < 40; i++) {
        ack(f);
    }
    f->stream.sent = 60;
    f->stream.told = 20;

    hf_stream_reset(&f->stream, f->mem);

    for (uint64_t number = 1; number <= 100; number++) {
        assert_int_equal(f->model.records[number]->references, 1);
        hf_record_release(f->mem, f->model.records[number]);
    }
    f->model.next = 1;
    f->model.acked = 0;
    f->model.moved_at = 0;
    assert_true(f->stream.sent == 0 && f->stream.told == 0);
    expect_model(f);
    push_write(f);
    expect_model(f);
}

int main(void)
{
#define CASE(name)                                                             \
    cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)
    const struct CMUnitTest tests[] = {
        CASE(a_stream_begins_with_number_one),
        CASE(a_stream_does_as_a_dumb_one_does),
        CASE(a_write_is_kept_until_it_is_acknowledged_and_committed),
        CASE(what_fills_a_learner_is_dropped_when_acknowledged),
        CASE(all_that_is_not_acknowledged_can_be_sent_again),
        CASE(work_begins_when_a_record_meets_an_idle_stream),
        CASE(a_reserved_push_cannot_fail),
        CASE(a_reservation_without_memory_changes_nothing),
        CASE(a_reset_stream_begins_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
