/* The examples of FIPS 180-4's authors, and the border of a block, where the
 * length just fits or does not (values by sha1sum of coreutils). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "script/sha1.h"

static void expect(struct hf_slice bytes, const char *sum)
{
    char text[HF_SHA1_TEXT_BYTES + 1];
    hf_sha1_text(bytes, text);
    assert_string_equal(text, sum);
}

static void examples(void **state)
{
    (void)state;
    static uint8_t million[1000000];
    memset(million, 'a', sizeof(million));
    expect(HF_SLICE_LITERAL(""), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    expect(HF_SLICE_LITERAL("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
    expect(HF_SLICE_LITERAL(
               "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
           "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
    expect((struct hf_slice){million, sizeof(million)},
           "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
}

static void lengths_around_a_block(void **state)
{
    (void)state;
    static const char *const sums[] = {
        "31045e7bb077ff8d188a776b196b980388735dbb",
        "cef734ba81a024479e09eb5a75b6ddae62e6abf1",
        "901305367c259952f4e7af8323f480d59f81335b",
        "025ecbd5d70f8fb3c5457cd96bab13fda305dc59",
        "1fc8ec1c521db349501a72ad396e44bfade318c2",
        "af3526de3ee728ffd84f7381df8c29b09e3a088d",
        "06ced2e070e58c2c4ed9f2b8cb890f0c512ce60d",
        "5482c87d17cc9f29b9f5580d168a712708b8ea98",
        "ff5b5136336035a9f58c21d5da1e2a1d29c67943",
        "0ddc4e0cccd9a12850deb5abb0853a4425559fec",
        "bb2fa3ee7afb9f54c6dfb5d021f14b1ffe40c163",
        "78c741ddc482e4cdf8c474a0876347a0905b6233",
        "b6a70490805fc2410afe1e58313de63717fb5663",
        "40a5698504d8c2dbf707911450f557a30aad7b4c",
    };
    uint8_t bytes[130];
    memset(bytes, 'x', sizeof(bytes));
    for (size_t i = 0; i < HF_ARRAY_COUNT(sums); i++) {
        expect((struct hf_slice){bytes, 54 + i}, sums[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(examples),
        cmocka_unit_test(lengths_around_a_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
