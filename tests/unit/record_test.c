#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/rng.h"
#include "core/record.h"
#include "holdfast/error.h"
#include "support/failing_mem.h"

struct fixture {
    struct failing_mem failing;
    struct hf_mem *mem;
};

static int open_fixture(void **state)
{
    static struct fixture f;
    failing_mem_init(&f.failing);
    f.mem = &f.failing.mem;
    *state = &f;
    return 0;
}

static int close_fixture(void **state)
{
    struct fixture *f = *state;
    failing_mem_close(&f->failing);
    return 0;
}

static struct hf_record *record_of(struct fixture *f, uint64_t sequence)
{
    struct hf_record_view view = {.kind = HF_RECORD_WRITE,
                                  .partition = 9,
                                  .version = {4, sequence},
                                  .key = HF_SLICE_LITERAL("key")};
    struct hf_record *record = hf_record_new(f->mem, &view);
    assert_non_null(record);
    return record;
}

/* Records. */

static void a_record_has_bytes_of_its_own(void **state)
{
    struct fixture *f = *state;
    char key[] = "cart:7";
    char effects[] = "put";
    char reply[] = "OK";
    struct hf_record_view view = {.kind = HF_RECORD_ENTRY,
                                  .partition = 1023,
                                  .version = {7, 8},
                                  .operation = {11, 12},
                                  .key = hf_slice_text(key),
                                  .effects = hf_slice_text(effects),
                                  .reply = hf_slice_text(reply)};
    struct hf_record *record = hf_record_new(f->mem, &view);
    assert_non_null(record);
    memset(key, 'x', sizeof(key) - 1);
    memset(effects, 'x', sizeof(effects) - 1);
    memset(reply, 'x', sizeof(reply) - 1);

    const struct hf_record_view *held = &record->view;
    assert_int_equal(held->kind, HF_RECORD_ENTRY);
    assert_int_equal(held->partition, 1023);
    assert_true(held->version.epoch == 7 && held->version.sequence == 8);
    assert_true(held->operation.origin == 11 && held->operation.number == 12);
    assert_true(hf_slice_equal(held->key, HF_SLICE_LITERAL("cart:7")));
    assert_true(hf_slice_equal(held->effects, HF_SLICE_LITERAL("put")));
    assert_true(hf_slice_equal(held->reply, HF_SLICE_LITERAL("OK")));
    assert_int_equal(record->size, f->mem->used_bytes);
    hf_record_release(f->mem, record);
}

static void a_new_record_waits_for_nobody(void **state)
{
    struct fixture *f = *state;
    struct hf_record *record = record_of(f, 1);
    assert_int_equal(record->references, 1);
    assert_int_equal(record->pending, 0);
    assert_false(record->committed);
    assert_null(record->waiters);
    assert_int_equal(record->view.effects.size, 0);
    hf_record_release(f->mem, record);
}

static void a_record_lives_until_its_last_reference(void **state)
{
    struct fixture *f = *state;
    struct hf_record *record = record_of(f, 1);
    for (unsigned i = 0; i < 5; i++) {
        assert_ptr_equal(hf_record_share(record), record);
    }
    for (unsigned i = 0; i < 5; i++) {
        hf_record_release(f->mem, record);
        assert_int_equal(f->failing.piece_count, 1);
    }
    hf_record_release(f->mem, record);
    assert_int_equal(f->failing.piece_count, 0);
}

static void a_record_without_memory_is_none(void **state)
{
    struct fixture *f = *state;
    struct hf_record_view view = {.kind = HF_RECORD_WRITE};
    failing_mem_fail_nth(&f->failing, 1);
    assert_null(hf_record_new(f->mem, &view));
}

/* Waiters. */

static void wait_on(struct fixture *f, struct hf_record *record,
                    uint64_t number, const char *reply)
{
    struct hf_operation_id operation = {77, number};
    assert_int_equal(
        hf_record_wait(f->mem, record, operation, hf_slice_text(reply)), 0);
}

static void waiters_stand_in_the_order_they_came(void **state)
{
    struct fixture *f = *state;
    struct hf_record *record = record_of(f, 1);
    char reply[] = "a";
    for (uint64_t number = 1; number <= 4; number++) {
        wait_on(f, record, number, reply);
        reply[0]++; /* They have bytes of their own. */
    }
    const struct hf_waiter *waiter = record->waiters;
    for (uint64_t number = 1; number <= 4; number++) {
        assert_non_null(waiter);
        assert_true(waiter->operation.origin == 77);
        assert_true(waiter->operation.number == number);
        assert_int_equal(waiter->reply.size, 1);
        assert_int_equal(waiter->reply.data[0], 'a' + number - 1);
        waiter = waiter->next;
    }
    assert_null(waiter);
    hf_record_release(f->mem, record); /* And the waiters with it. */
}

static void after_waiters_were_dropped_others_may_wait(void **state)
{
    struct fixture *f = *state;
    struct hf_record *record = record_of(f, 1);
    wait_on(f, record, 1, "one");
    wait_on(f, record, 2, "two");

    hf_record_drop_waiters(f->mem, record);
    assert_null(record->waiters);
    assert_int_equal(f->failing.piece_count, 1);
    wait_on(f, record, 3, "");

    assert_true(record->waiters->operation.number == 3);
    assert_null(record->waiters->next);
    hf_record_release(f->mem, record);
}

static void a_waiter_without_memory_is_not_added(void **state)
{
    struct fixture *f = *state;
    struct hf_record *record = record_of(f, 1);
    wait_on(f, record, 1, "one");

    failing_mem_fail_nth(&f->failing, 1);
    assert_int_equal(hf_record_wait(f->mem, record,
                                    (struct hf_operation_id){77, 2},
                                    HF_SLICE_LITERAL("two")),
                     HF_ENOMEM);
    wait_on(f, record, 3, "three");

    assert_true(record->waiters->operation.number == 1);
    assert_true(record->waiters->next->operation.number == 3);
    assert_null(record->waiters->next->next);
    hf_record_release(f->mem, record);
}

/* Queues. */

static void push(struct fixture *f, struct hf_record_queue *queue,
                 uint64_t sequence)
{
    assert_int_equal(
        hf_record_queue_push(queue, f->mem, record_of(f, sequence)), 0);
}

static void a_queue_does_as_a_dumb_one_does(void **state)
{
    struct fixture *f = *state;
    struct hf_record_queue queue = {0};
    struct hf_rng rng;
    hf_rng_init(&rng, 1);
    uint64_t first = 0; /* The queue holds first to next - 1. */
    uint64_t next = 0;
    for (unsigned round = 0; round < 20000; round++) {
        bool growing = round / 500 % 2 == 0;
        if (first == next || hf_rng_chance(&rng, growing ? 7 : 3, 10)) {
            push(f, &queue, next++);
        } else {
            struct hf_record *record = hf_record_queue_pop(&queue);
            assert_true(record->view.version.sequence == first);
            assert_int_equal(record->references, 1);
            hf_record_release(f->mem, record);
            first++;
        }
        assert_int_equal(queue.count, next - first);
        if (queue.count > 0) {
            uint32_t index = (uint32_t)hf_rng_below(&rng, queue.count);
            struct hf_record *record = hf_record_queue_at(&queue, index);
            assert_true(record->view.version.sequence == first + index);
        }
    }
    assert_true(queue.capacity >= 64);      /* It did grow, */
    assert_true(next > queue.capacity * 2); /* and went round. */
    hf_record_queue_close(&queue, f->mem);
}

static void a_reserved_push_cannot_fail(void **state)
{
    struct fixture *f = *state;
    struct hf_record_queue queue = {0};
    for (uint64_t sequence = 0; sequence < 100; sequence++) {
        struct hf_record *record = record_of(f, sequence);
        assert_int_equal(hf_record_queue_reserve(&queue, f->mem), 0);
        failing_mem_fail_from(&f->failing, 1);
        assert_int_equal(hf_record_queue_push(&queue, f->mem, record), 0);
        failing_mem_fail_nth(&f->failing, 0);
    }
    hf_record_queue_close(&queue, f->mem);
}

static void a_push_without_memory_changes_nothing(void **state)
{
    struct fixture *f = *state;
    struct hf_record_queue queue = {0};
    unsigned failures = 0;
    for (uint64_t sequence = 0; sequence < 100; sequence++) {
        struct hf_record *record = record_of(f, sequence);
        failing_mem_fail_nth(&f->failing, 1);
        int error = hf_record_queue_push(&queue, f->mem, record);
        failing_mem_fail_nth(&f->failing, 0);
        if (error != 0) {
            assert_int_equal(error, HF_ENOMEM);
            assert_int_equal(queue.count, sequence);
            failures++; /* The record is still ours. */
            assert_int_equal(hf_record_queue_push(&queue, f->mem, record), 0);
        }
    }
    assert_true(failures > 1);
    for (uint32_t i = 0; i < queue.count; i++) {
        assert_true(hf_record_queue_at(&queue, i)->view.version.sequence == i);
    }
    hf_record_queue_close(&queue, f->mem);
}

static void a_closed_queue_is_empty_and_usable(void **state)
{
    struct fixture *f = *state;
    struct hf_record_queue queue = {0};
    struct hf_record *shared = record_of(f, 0);
    assert_int_equal(
        hf_record_queue_push(&queue, f->mem, hf_record_share(shared)), 0);
    push(f, &queue, 1);

    hf_record_queue_close(&queue, f->mem);
    assert_int_equal(f->failing.piece_count, 1); /* What is shared. */
    assert_int_equal(shared->references, 1);
    assert_int_equal(queue.count, 0);
    push(f, &queue, 2);
    assert_true(hf_record_queue_at(&queue, 0)->view.version.sequence == 2);

    hf_record_queue_close(&queue, f->mem);
    hf_record_queue_close(&queue, f->mem); /* Twice is harmless. */
    hf_record_release(f->mem, shared);
}

int main(void)
{
#define CASE(name)                                                             \
    cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)
    const struct CMUnitTest tests[] = {
        CASE(a_record_has_bytes_of_its_own),
        CASE(a_new_record_waits_for_nobody),
        CASE(a_record_lives_until_its_last_reference),
        CASE(a_record_without_memory_is_none),
        CASE(waiters_stand_in_the_order_they_came),
        CASE(after_waiters_were_dropped_others_may_wait),
        CASE(a_waiter_without_memory_is_not_added),
        CASE(a_queue_does_as_a_dumb_one_does),
        CASE(a_reserved_push_cannot_fail),
        CASE(a_push_without_memory_changes_nothing),
        CASE(a_closed_queue_is_empty_and_usable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
