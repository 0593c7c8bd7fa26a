#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "support/failing_mem.h"

static void used_bytes_are_those_asked_for_and_not_freed(void **state)
{
    (void)state;
    struct hf_mem mem;
    hf_mem_init_system(&mem);
    assert_int_equal(mem.used_bytes, 0);

    void *a = hf_mem_alloc(&mem, 100);
    void *b = hf_mem_alloc_zero(&mem, 7);
    assert_int_equal(mem.used_bytes, 107);
    a = hf_mem_resize(&mem, a, 100, 5000);
    assert_int_equal(mem.used_bytes, 5007);
    a = hf_mem_resize(&mem, a, 5000, 30);
    assert_int_equal(mem.used_bytes, 37);
    hf_mem_free(&mem, b, 7);
    assert_int_equal(mem.used_bytes, 30);
    hf_mem_free(&mem, a, 30);
    assert_int_equal(mem.used_bytes, 0);
}

static void freeing_nothing_is_harmless(void **state)
{
    (void)state;
    struct hf_mem mem;
    hf_mem_init_system(&mem);
    hf_mem_free(&mem, NULL, 0);
    hf_mem_free(&mem, NULL, 1000);
    assert_int_equal(mem.used_bytes, 0);
}

static void a_zeroed_piece_is_zero_all_over(void **state)
{
    (void)state;
    struct failing_mem failing; /* Fills new pieces with something else. */
    failing_mem_init(&failing);
    static const uint8_t zeros[1000];

    uint8_t *piece = hf_mem_alloc_zero(&failing.mem, sizeof(zeros));
    assert_memory_equal(piece, zeros, sizeof(zeros));

    hf_mem_free(&failing.mem, piece, sizeof(zeros));
    failing_mem_close(&failing);
}

static void a_resized_piece_keeps_its_bytes(void **state)
{
    (void)state;
    struct failing_mem failing;
    failing_mem_init(&failing);

    char *piece = hf_mem_alloc(&failing.mem, 6);
    memcpy(piece, "sturdy", 6);
    piece = hf_mem_resize(&failing.mem, piece, 6, 600);
    assert_memory_equal(piece, "sturdy", 6);
    piece = hf_mem_resize(&failing.mem, piece, 600, 3);
    assert_memory_equal(piece, "stu", 3);

    hf_mem_free(&failing.mem, piece, 3);
    failing_mem_close(&failing);
}

static void without_memory_nothing_changes(void **state)
{
    (void)state;
    struct failing_mem failing;
    failing_mem_init(&failing);
    char *piece = hf_mem_alloc(&failing.mem, 4);
    memcpy(piece, "kept", 4);

    failing_mem_fail_from(&failing, 1);
    assert_null(hf_mem_alloc(&failing.mem, 10));
    assert_null(hf_mem_alloc_zero(&failing.mem, 10));
    assert_null(hf_mem_resize(&failing.mem, piece, 4, 400));

    assert_int_equal(failing.mem.used_bytes, 4);
    assert_memory_equal(piece, "kept", 4);
    hf_mem_free(&failing.mem, piece, 4);
    failing_mem_close(&failing);
}

static void an_empty_piece_is_a_piece(void **state)
{
    (void)state;
    struct hf_mem mem;
    hf_mem_init_system(&mem);

    void *piece = hf_mem_alloc(&mem, 0);
    void *zeroed = hf_mem_alloc_zero(&mem, 0);
    assert_non_null(piece);
    assert_non_null(zeroed);
    assert_int_equal(mem.used_bytes, 0);
    piece = hf_mem_resize(&mem, piece, 0, 20);
    assert_int_equal(mem.used_bytes, 20);
    piece = hf_mem_resize(&mem, piece, 20, 0);
    assert_non_null(piece);

    hf_mem_free(&mem, piece, 0);
    hf_mem_free(&mem, zeroed, 0);
    assert_int_equal(mem.used_bytes, 0);
}

/* An allocator that notes the sizes it is told. */
struct noted {
    size_t given;    /* Size of the one piece there is. */
    bool size_wrong; /* Somebody named another size for it. */
};

static void *noted_resize(void *user, void *old, size_t old_size, size_t size)
{
    struct noted *noted = user;
    noted->size_wrong |= old_size != noted->given;
    noted->given = size;
    return realloc(old, size);
}

static void noted_release(void *user, void *piece, size_t size)
{
    struct noted *noted = user;
    noted->size_wrong |= size != noted->given;
    noted->given = 0;
    free(piece);
}

static void the_allocator_hears_the_sizes_that_it_gave(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 64, 0, 5000, 1};
    struct noted noted = {0};
    struct hf_mem mem = {
        .resize = noted_resize, .release = noted_release, .user = &noted};

    void *piece = NULL;
    size_t size = 0;
    for (size_t i = 0; i < HF_ARRAY_COUNT(sizes); i++) {
        piece = hf_mem_resize(&mem, piece, size, sizes[i]);
        assert_non_null(piece);
        assert_true(noted.given > 0);
        size = sizes[i];
    }
    hf_mem_free(&mem, piece, size);
    piece = hf_mem_alloc(&mem, 0);
    hf_mem_free(&mem, piece, 0);

    assert_false(noted.size_wrong);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(used_bytes_are_those_asked_for_and_not_freed),
        cmocka_unit_test(freeing_nothing_is_harmless),
        cmocka_unit_test(a_zeroed_piece_is_zero_all_over),
        cmocka_unit_test(a_resized_piece_keeps_its_bytes),
        cmocka_unit_test(without_memory_nothing_changes),
        cmocka_unit_test(an_empty_piece_is_a_piece),
        cmocka_unit_test(the_allocator_hears_the_sizes_that_it_gave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
