#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/rng.h"
#include "support/failing_mem.h"

/* Slices. */

static void slices_are_equal_when_their_bytes_are(void **state)
{
    (void)state;
    struct hf_slice none = {NULL, 0};
    struct hf_slice abc = HF_SLICE_LITERAL("abc");
    assert_true(hf_slice_equal(abc, hf_slice_text("abc")));
    assert_false(hf_slice_equal(abc, HF_SLICE_LITERAL("abd")));
    assert_false(hf_slice_equal(abc, HF_SLICE_LITERAL("ab")));
    assert_true(hf_slice_equal(none, HF_SLICE_LITERAL("")));
    assert_false(hf_slice_equal(none, abc));
    assert_true(
        hf_slice_equal(HF_SLICE_LITERAL("a\0b"), HF_SLICE_LITERAL("a\0b")));
    assert_false(
        hf_slice_equal(HF_SLICE_LITERAL("a\0b"), HF_SLICE_LITERAL("a\0c")));
}

static uint8_t lower(unsigned c)
{
    const char *upper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    const char *at = c == 0 ? NULL : strchr(upper, (int)c);
    return at == NULL ? (uint8_t)c : (uint8_t)('a' + (at - upper));
}

static void only_letters_have_two_cases(void **state)
{
    (void)state;
    for (unsigned a = 0; a < 256; a++) {
        for (unsigned b = 1; b < 256; b++) {
            uint8_t byte = (uint8_t)a;
            char text[] = {(char)b, '\0'};
            assert_int_equal(
                hf_slice_equal_nocase((struct hf_slice){&byte, 1}, text),
                lower(a) == lower(b));
        }
    }
}

static void a_text_in_any_case_is_compared_to_its_end(void **state)
{
    (void)state;
    assert_true(hf_slice_equal_nocase(HF_SLICE_LITERAL("gEtEx"), "GETEX"));
    assert_false(hf_slice_equal_nocase(HF_SLICE_LITERAL("get"), "GETEX"));
    assert_false(hf_slice_equal_nocase(HF_SLICE_LITERAL("getex"), "GET"));
    assert_false(hf_slice_equal_nocase(HF_SLICE_LITERAL("get\0"), "GET"));
    assert_true(hf_slice_equal_nocase(HF_SLICE_LITERAL(""), ""));
    assert_false(hf_slice_equal_nocase(HF_SLICE_LITERAL(""), "x"));
}

/* Integers as text. */

static bool parse(const char *text, int64_t *value)
{
    return hf_slice_to_int64(hf_slice_text(text), value);
}

static void integers_are_read_to_their_limits(void **state)
{
    (void)state;
    int64_t value;
    assert_true(parse("0", &value) && value == 0);
    assert_true(parse("-1", &value) && value == -1);
    assert_true(parse("9223372036854775807", &value) && value == INT64_MAX);
    assert_true(parse("-9223372036854775808", &value) && value == INT64_MIN);
}

static void what_redis_does_not_call_an_integer_is_none(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "-",
        "-0",
        "00",
        "01",
        "-01",
        "+1",
        " 1",
        "1 ",
        "1.0",
        "1e3",
        "0x1",
        "--1",
        "1-",
        "9223372036854775808",
        "-9223372036854775809",
        "9999999999999999999",
        "-9999999999999999999",
        "18446744073709551616",
        "100000000000000000000000",
    };
    int64_t value = 77;
    for (size_t i = 0; i < HF_ARRAY_COUNT(texts); i++) {
        assert_false(parse(texts[i], &value));
    }
    struct hf_slice with_zero = HF_SLICE_LITERAL("12\0");
    assert_false(hf_slice_to_int64(with_zero, &value));
    assert_false(hf_slice_to_int64((struct hf_slice){NULL, 0}, &value));
    assert_int_equal(value, 77);
}

/* What the library's own parser says, for texts in the one form allowed. */
static bool dumb_parse(const char *text, int64_t *value)
{
    const char *digits = text[0] == '-' ? text + 1 : text;
    bool zero = strcmp(text, "0") == 0;
    if (strspn(digits, "0123456789") != strlen(digits) ||
        (!zero && (digits[0] == '0' || digits[0] == '\0'))) {
        return false;
    }
    errno = 0;
    *value = strtoll(text, NULL, 10);
    return errno == 0;
}

static void random_texts_are_read_as_a_dumb_parser_reads_them(void **state)
{
    (void)state;
    static const char alphabet[] = "0123456789999000-- a";
    struct hf_rng rng;
    hf_rng_init(&rng, 1);
    unsigned valid = 0;
    for (unsigned round = 0; round < 200000; round++) {
        char text[24];
        bool digits_only = hf_rng_chance(&rng, 1, 2);
        size_t length = hf_rng_below(&rng, 22);
        for (size_t i = 0; i < length; i++) {
            size_t letters = digits_only ? 10 : sizeof(alphabet) - 1;
            text[i] = alphabet[hf_rng_below(&rng, letters)];
        }
        text[length] = '\0';
        int64_t expected = 0;
        int64_t value = 0;
        bool is_integer = dumb_parse(text, &expected);
        assert_int_equal(parse(text, &value), is_integer);
        assert_true(value == expected || !is_integer);
        valid += is_integer ? 1 : 0;
    }
    assert_true(valid > 10000);
}

static int64_t random_int64(struct hf_rng *rng)
{
    return (int64_t)(hf_rng_next(rng) >> hf_rng_below(rng, 64));
}

static void integers_are_written_as_printf_writes_them(void **state)
{
    (void)state;
    struct hf_mem mem;
    struct hf_buffer buffer;
    struct hf_rng rng;
    hf_mem_init_system(&mem);
    hf_buffer_init(&buffer, &mem);
    hf_rng_init(&rng, 2);
    for (unsigned round = 0; round < 20000; round++) {
        int64_t value = round == 0   ? INT64_MIN
                        : round == 1 ? INT64_MAX
                        : round == 2 ? 0
                                     : random_int64(&rng);
        value = round > 2 && round % 2 == 0 ? -value : value;
        char text[24];
        (void)snprintf(text, sizeof(text), "%" PRId64, value);
        hf_buffer_clear(&buffer);
        hf_buffer_append_int64(&buffer, value);
        int64_t again = 0;
        assert_true(
            hf_slice_equal(hf_buffer_slice(&buffer), hf_slice_text(text)));
        assert_true(hf_slice_to_int64(hf_buffer_slice(&buffer), &again));
        assert_true(again == value);
    }
    hf_buffer_close(&buffer);
    assert_int_equal(mem.used_bytes, 0);
}

/* Buffers. */

struct fixture {
    struct failing_mem failing;
    struct hf_buffer buffer;
    struct hf_rng rng;
    uint8_t model[1 << 16]; /* What the buffer should hold. */
    size_t model_size;
};

static int open_fixture(void **state)
{
    static struct fixture f;
    memset(&f, 0, sizeof(f));
    failing_mem_init(&f.failing);
    hf_buffer_init(&f.buffer, &f.failing.mem);
    hf_rng_init(&f.rng, 5);
    *state = &f;
    return 0;
}

static int close_fixture(void **state)
{
    struct fixture *f = *state;
    hf_buffer_close(&f->buffer);
    failing_mem_close(&f->failing);
    return 0;
}

static void expect_model(const struct fixture *f)
{
    assert_int_equal(f->buffer.size, f->model_size);
    if (f->model_size > 0) {
        assert_memory_equal(f->buffer.data, f->model, f->model_size);
    }
    assert_true(f->buffer.size <= f->buffer.capacity);
    assert_int_equal(f->failing.mem.used_bytes, f->buffer.capacity);
}

static void append_random(struct fixture *f)
{
    uint8_t bytes[300];
    size_t size = hf_rng_below(&f->rng, sizeof(bytes));
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)hf_rng_next(&f->rng);
    }
    if (f->model_size + size > sizeof(f->model)) {
        return;
    }
    if (hf_rng_chance(&f->rng, 1, 2)) {
        hf_buffer_append(&f->buffer, bytes, size);
    } else {
        uint8_t *to = hf_buffer_reserve(&f->buffer, size + 10);
        assert_non_null(to);
        memcpy(to, bytes, size);
        hf_buffer_commit(&f->buffer, size);
    }
    memcpy(f->model + f->model_size, bytes, size);
    f->model_size += size;
}

static void consume_random(struct fixture *f)
{
    size_t size = hf_rng_below(&f->rng, f->model_size + 1);
    hf_buffer_consume(&f->buffer, size);
    f->model_size -= size;
    memmove(f->model, f->model + size, f->model_size);
}

static void a_buffer_does_as_a_dumb_one_does(void **state)
{
    struct fixture *f = *state;
    for (unsigned round = 0; round < 20000; round++) {
        uint64_t dice = hf_rng_below(&f->rng, 100);
        if (dice < 80) {
            append_random(f);
        } else if (dice < 95) {
            consume_random(f);
        } else if (dice < 98) {
            hf_buffer_trim(&f->buffer, hf_rng_below(&f->rng, 2000));
        } else {
            hf_buffer_clear(&f->buffer);
            f->model_size = 0;
        }
        expect_model(f);
    }
}

static void a_buffer_fails_as_a_whole_until_it_is_cleared(void **state)
{
    struct fixture *f = *state;
    hf_buffer_append_text(&f->buffer, "before");
    uint8_t big[1000] = {0};

    failing_mem_fail_nth(&f->failing, 1);
    hf_buffer_append(&f->buffer, big, sizeof(big));
    assert_true(f->buffer.failed);
    /* There is room for this, but a chain with a gap is worth nothing. */
    hf_buffer_append_text(&f->buffer, "x");
    hf_buffer_append_int64(&f->buffer, 1);
    hf_buffer_append_format(&f->buffer, "%d", 1);
    hf_buffer_put_u8(&f->buffer, 1);
    hf_buffer_put_slice(&f->buffer, HF_SLICE_LITERAL("y"));
    assert_null(hf_buffer_reserve(&f->buffer, 1));
    assert_true(hf_slice_equal(hf_buffer_slice(&f->buffer),
                               HF_SLICE_LITERAL("before")));

    hf_buffer_clear(&f->buffer);
    hf_buffer_append_text(&f->buffer, "after");
    assert_false(f->buffer.failed);
    assert_true(
        hf_slice_equal(hf_buffer_slice(&f->buffer), HF_SLICE_LITERAL("after")));
}

static void only_an_empty_large_buffer_gives_memory_back(void **state)
{
    struct fixture *f = *state;
    uint8_t big[5000] = {0};
    hf_buffer_append(&f->buffer, big, sizeof(big));
    size_t capacity = f->buffer.capacity;

    hf_buffer_trim(&f->buffer, 100);
    assert_int_equal(f->buffer.size, sizeof(big));
    hf_buffer_clear(&f->buffer);
    hf_buffer_trim(&f->buffer, capacity);
    assert_int_equal(f->buffer.capacity, capacity);
    hf_buffer_trim(&f->buffer, capacity - 1);
    assert_int_equal(f->failing.mem.used_bytes, 0);

    hf_buffer_append_text(&f->buffer, "still usable");
    assert_int_equal(f->buffer.size, 12);
}

static void appending_nothing_changes_nothing(void **state)
{
    struct fixture *f = *state;
    hf_buffer_append(&f->buffer, NULL, 0);
    hf_buffer_append_slice(&f->buffer, (struct hf_slice){NULL, 0});
    hf_buffer_append_text(&f->buffer, "");
    assert_int_equal(f->buffer.size, 0);
    assert_false(f->buffer.failed);
}

static void formatted_text_is_cut_when_it_is_long(void **state)
{
    struct fixture *f = *state;
    char text[2000];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';

    hf_buffer_append_format(&f->buffer, "%s=%d;", "a", -3);
    assert_true(
        hf_slice_equal(hf_buffer_slice(&f->buffer), HF_SLICE_LITERAL("a=-3;")));
    hf_buffer_append_format(&f->buffer, "%s", text);
    assert_int_equal(f->buffer.size, 5 + 1023);
    hf_buffer_clear(&f->buffer);
    hf_buffer_append_format(&f->buffer, "%.1023s", text);
    assert_int_equal(f->buffer.size, 1023);
}

/* What travels. */

static void integers_travel_with_the_lowest_byte_first(void **state)
{
    struct fixture *f = *state;
    static const uint8_t expected[] = {
        0x01, 0x03, 0x02, 0x07, 0x06, 0x05, 0x04, 0x0f, 0x0e, 0x0d, 0x0c,
        0x0b, 0x0a, 0x09, 0x08, 0x02, 0x00, 0x00, 0x00, 'h',  'i',
    };
    hf_buffer_put_u8(&f->buffer, 0x01);
    hf_buffer_put_u16(&f->buffer, 0x0203);
    hf_buffer_put_u32(&f->buffer, 0x04050607);
    hf_buffer_put_u64(&f->buffer, 0x08090a0b0c0d0e0f);
    hf_buffer_put_slice(&f->buffer, HF_SLICE_LITERAL("hi"));
    assert_int_equal(f->buffer.size, sizeof(expected));
    assert_memory_equal(f->buffer.data, expected, sizeof(expected));
}

/* Something that travels; kind 8, 16, 32, 64, or 0: a slice. */
struct thing {
    unsigned kind;
    uint64_t value;
    uint8_t bytes[40];
    struct hf_slice slice;
};

static void thing_choose(struct thing *thing, struct hf_rng *rng)
{
    static const unsigned kinds[] = {8, 16, 32, 64, 0};
    thing->kind = kinds[hf_rng_below(rng, HF_ARRAY_COUNT(kinds))];
    thing->value = hf_rng_next(rng);
    memset(thing->bytes, (int)(thing->value & 255), sizeof(thing->bytes));
    thing->slice = (struct hf_slice){
        thing->bytes, hf_rng_below(rng, sizeof(thing->bytes) + 1)};
}

static void thing_put(const struct thing *thing, struct hf_buffer *buffer)
{
    switch (thing->kind) {
    case 8:
        hf_buffer_put_u8(buffer, (uint8_t)thing->value);
        break;
    case 16:
        hf_buffer_put_u16(buffer, (uint16_t)thing->value);
        break;
    case 32:
        hf_buffer_put_u32(buffer, (uint32_t)thing->value);
        break;
    case 64:
        hf_buffer_put_u64(buffer, thing->value);
        break;
    default:
        hf_buffer_put_slice(buffer, thing->slice);
        break;
    }
}

static void thing_expect(const struct thing *thing, struct hf_reader *reader)
{
    switch (thing->kind) {
    case 8:
        assert_true(hf_reader_u8(reader) == (uint8_t)thing->value);
        break;
    case 16:
        assert_true(hf_reader_u16(reader) == (uint16_t)thing->value);
        break;
    case 32:
        assert_true(hf_reader_u32(reader) == (uint32_t)thing->value);
        break;
    case 64:
        assert_true(hf_reader_u64(reader) == thing->value);
        break;
    default:
        assert_true(hf_slice_equal(hf_reader_slice(reader), thing->slice));
        break;
    }
}

static void what_was_put_is_read_again(void **state)
{
    struct fixture *f = *state;
    struct thing thing;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct hf_rng rng;
        hf_buffer_clear(&f->buffer);
        hf_rng_init(&rng, seed);
        for (unsigned i = 0; i < 50; i++) {
            thing_choose(&thing, &rng);
            thing_put(&thing, &f->buffer);
        }
        struct hf_reader reader = hf_reader_of(hf_buffer_slice(&f->buffer));
        hf_rng_init(&rng, seed);
        for (unsigned i = 0; i < 50; i++) {
            thing_choose(&thing, &rng);
            thing_expect(&thing, &reader);
        }
        assert_false(reader.failed);
        assert_int_equal(hf_reader_left(&reader), 0);
    }
}

static struct hf_reader reader_of_copy(const uint8_t *bytes, size_t size,
                                       uint8_t **copy)
{
    *copy = malloc(size == 0 ? 1 : size); /* A sanitizer guards its end. */
    assert_non_null(*copy);
    memcpy(*copy, bytes, size);
    return hf_reader_of((struct hf_slice){*copy, size});
}

static void reading_past_the_end_gives_zeros_for_ever(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7, 8};
    for (size_t size = 0; size < sizeof(bytes); size++) {
        uint8_t *copy;
        struct hf_reader reader = reader_of_copy(bytes, size, &copy);
        assert_true(hf_reader_u64(&reader) == 0);
        assert_true(reader.failed);
        assert_int_equal(hf_reader_u8(&reader), 0); /* Though there is one. */
        assert_int_equal(hf_reader_u16(&reader), 0);
        assert_int_equal(hf_reader_u32(&reader), 0);
        assert_int_equal(hf_reader_slice(&reader).size, 0);
        assert_int_equal(hf_reader_bytes(&reader, 0).size, 0);
        assert_int_equal(hf_reader_left(&reader), size);
        free(copy);
    }
}

static void a_slice_longer_than_what_is_left_is_refused(void **state)
{
    (void)state;
    static const uint8_t too_long[] = {4, 0, 0, 0, 'a', 'b', 'c'};
    static const uint8_t huge[] = {255, 255, 255, 255, 'a'};
    uint8_t *copy;

    struct hf_reader reader = reader_of_copy(too_long, sizeof(too_long), &copy);
    assert_null(hf_reader_slice(&reader).data);
    assert_true(reader.failed);
    free(copy);

    reader = reader_of_copy(huge, sizeof(huge), &copy);
    assert_null(hf_reader_slice(&reader).data);
    assert_true(reader.failed);
    free(copy);

    reader = reader_of_copy(too_long, sizeof(too_long), &copy);
    assert_int_equal(hf_reader_u8(&reader), 4);
    assert_null(hf_reader_bytes(&reader, SIZE_MAX).data);
    assert_true(reader.failed);
    free(copy);
}

static void slices_that_were_read_borrow_from_the_source(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {2, 0, 0, 0, 'a', 'b', 'c'};
    struct hf_reader reader =
        hf_reader_of((struct hf_slice){bytes, sizeof(bytes)});
    assert_ptr_equal(hf_reader_slice(&reader).data, bytes + 4);
    assert_int_equal(hf_reader_left(&reader), 1);
    assert_ptr_equal(hf_reader_bytes(&reader, 1).data, bytes + 6);
    assert_int_equal(hf_reader_left(&reader), 0);
    assert_false(reader.failed);
}

int main(void)
{
#define CASE(name)                                                             \
    cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slices_are_equal_when_their_bytes_are),
        cmocka_unit_test(only_letters_have_two_cases),
        cmocka_unit_test(a_text_in_any_case_is_compared_to_its_end),
        cmocka_unit_test(integers_are_read_to_their_limits),
        cmocka_unit_test(what_redis_does_not_call_an_integer_is_none),
        cmocka_unit_test(random_texts_are_read_as_a_dumb_parser_reads_them),
        cmocka_unit_test(integers_are_written_as_printf_writes_them),
        CASE(a_buffer_does_as_a_dumb_one_does),
        CASE(a_buffer_fails_as_a_whole_until_it_is_cleared),
        CASE(only_an_empty_large_buffer_gives_memory_back),
        CASE(appending_nothing_changes_nothing),
        CASE(formatted_text_is_cut_when_it_is_long),
        CASE(integers_travel_with_the_lowest_byte_first),
        CASE(what_was_put_is_read_again),
        CASE(reading_past_the_end_gives_zeros_for_ever),
        CASE(a_slice_longer_than_what_is_left_is_refused),
        CASE(slices_that_were_read_borrow_from_the_source),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
