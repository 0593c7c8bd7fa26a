#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/hash.h"

/* Nodes of different builds must agree on who owns what, and read each
 * other's frames: these numbers may never change. */
static void hashes_are_those_of_xxh3(void **state)
{
    (void)state;
    assert_true(hf_hash(HF_SLICE_LITERAL("")) == 0x2d06800538d394c2u);
    assert_true(hf_hash(HF_SLICE_LITERAL("a")) == 0xe6c632b61e964e1fu);
    assert_true(hf_hash(HF_SLICE_LITERAL("abc")) == 0x78af5f94892f3950u);
}

static void no_bytes_hash_as_an_empty_text(void **state)
{
    (void)state;
    struct hf_slice none = {NULL, 0};
    assert_true(hf_hash(none) == hf_hash(HF_SLICE_LITERAL("")));
    assert_true(hf_hash_seeded(none, 5) ==
                hf_hash_seeded(HF_SLICE_LITERAL(""), 5));
}

static void a_seed_gives_another_hash(void **state)
{
    (void)state;
    struct hf_slice key = HF_SLICE_LITERAL("cart:7");
    assert_true(hf_hash_seeded(key, 0) == hf_hash(key));
    assert_true(hf_hash_seeded(key, 1) != hf_hash(key));
    assert_true(hf_hash_seeded(key, 1) != hf_hash_seeded(key, 2));
}

/* Whatever the length: XXH3 treats short, middle and long input apart. */
static void every_byte_counts_and_the_place_in_memory_does_not(void **state)
{
    (void)state;
    uint8_t bytes[602];
    uint8_t moved[603];
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)(i * 31);
    }
    for (size_t size = 1; size < 600; size++) {
        uint64_t hash = hf_hash((struct hf_slice){bytes, size});
        memcpy(moved + 1, bytes, size);
        assert_true(hf_hash((struct hf_slice){moved + 1, size}) == hash);
        assert_true(hf_hash((struct hf_slice){bytes, size + 1}) != hash);
        size_t changed = size * 7 / 13;
        bytes[changed] ^= 1;
        assert_true(hf_hash((struct hf_slice){bytes, size}) != hash);
        bytes[changed] ^= 1;
        bytes[size - 1] ^= 0x80;
        assert_true(hf_hash((struct hf_slice){bytes, size}) != hash);
        bytes[size - 1] ^= 0x80;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_are_those_of_xxh3),
        cmocka_unit_test(no_bytes_hash_as_an_empty_text),
        cmocka_unit_test(a_seed_gives_another_hash),
        cmocka_unit_test(every_byte_counts_and_the_place_in_memory_does_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
