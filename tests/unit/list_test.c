#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/list.h"
#include "base/rng.h"

#define ITEM_COUNT 20

struct item {
    unsigned number;
    struct hf_list link;
};

/* The list holds just these items, in this order, both ways round. */
static void expect_items(const struct hf_list *list, const unsigned *numbers,
                         size_t count)
{
    assert_int_equal(hf_list_is_empty(list), count == 0);
    const struct hf_list *link = list->next;
    for (size_t i = 0; i < count; i++) {
        const struct item *item = HF_CONTAINER_OF(link, struct item, link);
        assert_ptr_not_equal(link, list);
        assert_int_equal(item->number, numbers[i]);
        assert_ptr_equal(link->next->previous, link);
        link = link->next;
    }
    assert_ptr_equal(link, list);
    assert_ptr_equal(list->next->previous, list);
}

static void a_new_list_is_empty(void **state)
{
    (void)state;
    struct hf_list list;
    hf_list_init(&list);
    expect_items(&list, NULL, 0);
}

static void items_stand_in_the_order_they_came(void **state)
{
    (void)state;
    struct hf_list list;
    struct item items[3] = {{.number = 5}, {.number = 6}, {.number = 7}};
    hf_list_init(&list);
    for (size_t i = 0; i < 3; i++) {
        hf_list_push_back(&list, &items[i].link);
    }
    expect_items(&list, (const unsigned[]){5, 6, 7}, 3);
}

static void removing_twice_is_harmless(void **state)
{
    (void)state;
    struct hf_list list;
    struct item items[2] = {{.number = 1}, {.number = 2}};
    hf_list_init(&list);
    hf_list_push_back(&list, &items[0].link);
    hf_list_push_back(&list, &items[1].link);

    hf_list_remove(&items[0].link);
    assert_true(hf_list_is_empty(&items[0].link));
    hf_list_remove(&items[0].link);

    expect_items(&list, (const unsigned[]){2}, 1);
}

static void a_list_does_as_a_dumb_one_does(void **state)
{
    (void)state;
    struct hf_list list;
    struct item items[ITEM_COUNT];
    unsigned order[ITEM_COUNT];
    size_t count = 0;
    struct hf_rng rng;
    hf_rng_init(&rng, 1);
    hf_list_init(&list);
    for (unsigned i = 0; i < ITEM_COUNT; i++) {
        items[i].number = i;
        hf_list_init(&items[i].link);
    }
    for (unsigned round = 0; round < 5000; round++) {
        unsigned number = (unsigned)hf_rng_below(&rng, ITEM_COUNT);
        size_t at = 0;
        while (at < count && order[at] != number) {
            at++;
        }
        if (at == count) {
            hf_list_push_back(&list, &items[number].link);
            order[count++] = number;
        } else {
            hf_list_remove(&items[number].link);
            count--;
            for (; at < count; at++) {
                order[at] = order[at + 1];
            }
        }
        expect_items(&list, order, count);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_list_is_empty),
        cmocka_unit_test(items_stand_in_the_order_they_came),
        cmocka_unit_test(removing_twice_is_harmless),
        cmocka_unit_test(a_list_does_as_a_dumb_one_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
