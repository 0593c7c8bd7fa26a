#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/heap.h"
#include "base/rng.h"
#include "holdfast/error.h"

#define ITEM_COUNT 500

struct fixture {
    struct hf_mem mem;
    struct hf_heap heap;
    struct hf_heap_item items[ITEM_COUNT];
};

static void fixture_open(struct fixture *f)
{
    *f = (struct fixture){0};
    hf_mem_init_system(&f->mem);
    hf_heap_init(&f->heap, &f->mem);
}

static void fixture_close(struct fixture *f)
{
    hf_heap_close(&f->heap);
    assert_int_equal(f->mem.used_bytes, 0);
}

static void an_empty_heap_has_no_first_item(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f);
    assert_null(hf_heap_peek(&f.heap));
    assert_null(hf_heap_pop(&f.heap));
    fixture_close(&f);
}

static void items_come_out_by_key(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f);
    struct hf_rng rng;
    hf_rng_init(&rng, 1);
    for (size_t i = 0; i < ITEM_COUNT; i++) {
        int64_t key = (int64_t)hf_rng_below(&rng, 100) - 50;
        assert_int_equal(hf_heap_push(&f.heap, &f.items[i], key), 0);
    }
    int64_t last = INT64_MIN;
    for (size_t i = 0; i < ITEM_COUNT; i++) {
        struct hf_heap_item *item = hf_heap_pop(&f.heap);
        assert_non_null(item);
        assert_true(item->key >= last);
        assert_false(hf_heap_item_is_in(item));
        last = item->key;
    }
    assert_null(hf_heap_pop(&f.heap));
    fixture_close(&f);
}

static void equal_keys_come_out_in_the_order_they_went_in(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f);
    for (size_t i = 0; i < ITEM_COUNT; i++) {
        int64_t key = i % 3 == 0 ? 1 : 2;
        assert_int_equal(hf_heap_push(&f.heap, &f.items[i], key), 0);
    }
    struct hf_heap_item *previous = hf_heap_pop(&f.heap);
    for (size_t i = 1; i < ITEM_COUNT; i++) {
        struct hf_heap_item *item = hf_heap_pop(&f.heap);
        assert_true(item->key > previous->key ||
                    (item->key == previous->key && item > previous));
        previous = item;
    }
    fixture_close(&f);
}

static void an_item_can_be_removed_from_the_middle(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f);
    struct hf_rng rng;
    hf_rng_init(&rng, 2);
    for (size_t i = 0; i < ITEM_COUNT; i++) {
        int64_t key = (int64_t)hf_rng_below(&rng, 1000);
        assert_int_equal(hf_heap_push(&f.heap, &f.items[i], key), 0);
    }
    for (size_t i = 0; i < ITEM_COUNT; i += 2) {
        hf_heap_remove(&f.heap, &f.items[i]);
        hf_heap_remove(&f.heap, &f.items[i]); /* Twice is harmless. */
    }
    int64_t last = INT64_MIN;
    for (size_t i = 0; i < ITEM_COUNT / 2; i++) {
        struct hf_heap_item *item = hf_heap_pop(&f.heap);
        assert_non_null(item);
        assert_int_equal((item - f.items) % 2, 1);
        assert_true(item->key >= last);
        last = item->key;
    }
    assert_null(hf_heap_peek(&f.heap));
    fixture_close(&f);
}

static void *resize_refused(void *user, void *old, size_t old_size, size_t size)
{
    (void)user;
    (void)old;
    (void)old_size;
    (void)size;
    return NULL;
}

static void a_push_without_memory_changes_nothing(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f);
    f.mem.resize = resize_refused;
    assert_int_equal(hf_heap_push(&f.heap, &f.items[0], 1), HF_ENOMEM);
    assert_null(hf_heap_peek(&f.heap));
    assert_false(hf_heap_item_is_in(&f.items[0]));
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_heap_has_no_first_item),
        cmocka_unit_test(items_come_out_by_key),
        cmocka_unit_test(equal_keys_come_out_in_the_order_they_went_in),
        cmocka_unit_test(an_item_can_be_removed_from_the_middle),
        cmocka_unit_test(a_push_without_memory_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
