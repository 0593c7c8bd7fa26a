#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/pool.h"

#define PIECES 3000

static void what_was_freed_is_given_again(void **state)
{
    (void)state;
    struct hf_pool pool;
    struct hf_mem mem;
    hf_pool_init(&pool);
    hf_mem_init_pool(&mem, &pool);
    for (size_t size = 0; size <= HF_POOL_PIECE_MAX; size += 7) {
        void *piece = hf_mem_alloc(&mem, size);
        memset(piece, 1, size);
        hf_mem_free(&mem, piece, size);
        void *again = hf_mem_alloc(&mem, size);
        assert_ptr_equal(again, piece);
        memset(again, 2, size);
        hf_mem_free(&mem, again, size);
    }
    assert_int_equal(mem.used_bytes, 0);
    hf_pool_close(&pool);
}

/* Pieces of all sizes, the lists crossing with each resize. */
static void pieces_do_not_overlap(void **state)
{
    (void)state;
    struct hf_pool pool;
    struct hf_mem mem;
    static uint8_t *pieces[PIECES];
    static size_t sizes[PIECES];
    hf_pool_init(&pool);
    hf_mem_init_pool(&mem, &pool);
    for (size_t round = 0; round < 20; round++) {
        for (size_t i = 0; i < PIECES; i++) {
            size_t size = 1 + (i * 7919 + round * 104729) % 6000;
            if (round > 0) {
                size_t kept = size < sizes[i] ? size : sizes[i];
                if ((i + round) % 3 == 0) {
                    hf_mem_free(&mem, pieces[i], sizes[i]);
                    pieces[i] = hf_mem_alloc(&mem, size);
                } else {
                    pieces[i] = hf_mem_resize(&mem, pieces[i], sizes[i], size);
                    assert_int_equal(pieces[i][0], (uint8_t)(i + round - 1));
                    assert_int_equal(pieces[i][kept - 1],
                                     (uint8_t)(i + round - 1));
                }
            } else {
                pieces[i] = hf_mem_alloc(&mem, size);
            }
            sizes[i] = size;
            memset(pieces[i], (uint8_t)(i + round), size);
        }
    }
    for (size_t i = 0; i < PIECES; i++) {
        for (size_t at = 0; at < sizes[i]; at++) {
            assert_int_equal(pieces[i][at], (uint8_t)(i + 19));
        }
        hf_mem_free(&mem, pieces[i], sizes[i]);
    }
    assert_int_equal(mem.used_bytes, 0);
    hf_pool_close(&pool);
}

static void keeps_no_more_than_its_bounds(void **state)
{
    (void)state;
    struct hf_pool pool;
    struct hf_mem mem;
    static void *pieces[PIECES];
    hf_pool_init(&pool);
    hf_mem_init_pool(&mem, &pool);
    for (size_t size = 1; size <= HF_POOL_PIECE_MAX + 64; size += 16) {
        for (size_t i = 0; i < PIECES; i++) {
            pieces[i] = hf_mem_alloc(&mem, size);
        }
        size_t before = pool.bytes;
        for (size_t i = 0; i < PIECES; i++) {
            hf_mem_free(&mem, pieces[i], size);
            assert_true(pool.bytes <= HF_POOL_KEEP_BYTES);
        }
        assert_true(pool.bytes <= before + HF_POOL_SIZE_KEEP_BYTES);
    }
    hf_pool_close(&pool);
    assert_int_equal(pool.bytes, 0);
}

/* A process that takes @taken bytes and gives back @freed. Whether it ends as
 * it should. */
static bool survives(size_t taken, size_t freed, bool resized)
{
    pid_t pid = fork();
    if (pid == 0) {
        struct hf_pool pool;
        struct hf_mem mem;
        assert_non_null(freopen("/dev/null", "w", stderr));
        (void)signal(SIGABRT, SIG_DFL);
        hf_pool_init(&pool);
        hf_mem_init_pool(&mem, &pool);
        mem.used_bytes = 100000; /* Not what is to be found out. */
        void *piece = mem.resize(mem.user, NULL, 0, taken);
        if (resized) {
            (void)mem.resize(mem.user, piece, freed, taken + 100);
        } else {
            mem.release(mem.user, piece, freed);
        }
        _exit(0);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* It would be given to somebody who asks for more. */
static void a_wrong_size_is_found_out(void **state)
{
    (void)state;
    for (size_t size = 1; size <= HF_POOL_PIECE_MAX - 100; size += 333) {
        assert_true(survives(size, size, false));
        assert_true(survives(size, size, true));
        assert_false(survives(size, size + 64, false));
        assert_false(survives(size, size + 64, true));
        assert_false(size > 64 && survives(size, size - 64, false));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_freed_is_given_again),
        cmocka_unit_test(pieces_do_not_overlap),
        cmocka_unit_test(keeps_no_more_than_its_bounds),
        cmocka_unit_test(a_wrong_size_is_found_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
