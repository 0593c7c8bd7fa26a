#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "core/reply.h"

static int open_buffer(void **state)
{
    static struct hf_mem mem;
    static struct hf_buffer buffer;
    hf_mem_init_system(&mem);
    hf_buffer_init(&buffer, &mem);
    *state = &buffer;
    return 0;
}

static int close_buffer(void **state)
{
    struct hf_buffer *buffer = *state;
    hf_buffer_close(buffer);
    assert_int_equal(buffer->mem->used_bytes, 0);
    return 0;
}

static void assert_same_reply(const struct hf_reply *a,
                              const struct hf_reply *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->integer, b->integer);
    assert_true(hf_slice_equal(a->bytes, b->bytes));
}

static void every_simple_reply_survives_the_way(void **state)
{
    struct hf_buffer *buffer = *state;
    const struct hf_reply replies[] = {
        hf_reply_nil(),
        hf_reply_ok(),
        hf_reply_integer(INT64_MIN),
        hf_reply_integer(INT64_MAX),
        hf_reply_bulk((struct hf_slice){NULL, 0}),
        hf_reply_bulk(HF_SLICE_LITERAL("a\0b\r\n")),
        hf_reply_error("ERR syntax error"),
    };
    for (size_t i = 0; i < HF_ARRAY_COUNT(replies); i++) {
        struct hf_reply back;
        hf_buffer_clear(buffer);
        hf_reply_encode(&replies[i], buffer);
        assert_true(hf_reply_decode(hf_buffer_slice(buffer), &back));
        assert_same_reply(&replies[i], &back);
    }
}

/* [ {a: 7}, nil, nil array, set(b), =txt, [], +fine, -bad ] */
static void put_everything(struct hf_buffer *buffer)
{
    hf_reply_put_array(buffer, 8);
    hf_reply_put_map(buffer, 1);
    hf_reply_put_bulk(buffer, HF_SLICE_LITERAL("a"));
    hf_reply_put_integer(buffer, 7);
    hf_reply_put_nil(buffer);
    hf_reply_put_nil_array(buffer);
    hf_reply_put_set(buffer, 1);
    hf_reply_put_bulk(buffer, HF_SLICE_LITERAL("b"));
    hf_reply_put_verbatim(buffer, HF_SLICE_LITERAL("txt"));
    hf_reply_put_array(buffer, 0);
    hf_reply_put_status(buffer, HF_SLICE_LITERAL("fine"));
    hf_reply_put_error(buffer, HF_SLICE_LITERAL("bad"));
}

static void a_nested_reply_survives_the_way(void **state)
{
    struct hf_buffer *buffer = *state;
    put_everything(buffer);
    struct hf_reply back;
    assert_true(hf_reply_decode(hf_buffer_slice(buffer), &back));
    struct hf_reply sent = hf_reply_nested(buffer);
    assert_same_reply(&sent, &back);
}

static void tokens_come_back_in_order(void **state)
{
    struct hf_buffer *buffer = *state;
    put_everything(buffer);
    const enum hf_token_kind kinds[] = {
        HF_TOKEN_ARRAY,   HF_TOKEN_MAP,    HF_TOKEN_BULK,
        HF_TOKEN_INTEGER, HF_TOKEN_NIL,    HF_TOKEN_NIL_ARRAY,
        HF_TOKEN_SET,     HF_TOKEN_BULK,   HF_TOKEN_VERBATIM,
        HF_TOKEN_ARRAY,   HF_TOKEN_STATUS, HF_TOKEN_ERROR,
    };
    struct hf_reader reader = hf_reader_of(hf_buffer_slice(buffer));
    struct hf_token token;
    for (size_t i = 0; i < HF_ARRAY_COUNT(kinds); i++) {
        assert_true(hf_token_next(&reader, &token));
        assert_int_equal(token.kind, kinds[i]);
    }
    assert_true(hf_slice_equal(token.bytes, HF_SLICE_LITERAL("bad")));
    assert_false(hf_token_next(&reader, &token));
    assert_false(reader.failed);
}

static void tokens_cut_anywhere_are_refused(void **state)
{
    struct hf_buffer *buffer = *state;
    put_everything(buffer);
    for (size_t size = 0; size < buffer->size; size++) {
        uint8_t *cut = malloc(size + 1); /* Its own piece: overruns show. */
        assert_non_null(cut);
        memcpy(cut, buffer->data, size);
        struct hf_reply reply;
        uint8_t *exact = realloc(cut, size == 0 ? 1 : size);
        assert_false(hf_reply_decode((struct hf_slice){exact, size}, &reply));
        free(exact);
    }
}

static void bytes_after_the_value_are_refused(void **state)
{
    struct hf_buffer *buffer = *state;
    struct hf_reply reply;
    put_everything(buffer);
    hf_reply_put_nil(buffer);
    assert_false(hf_reply_decode(hf_buffer_slice(buffer), &reply));
}

static void an_unknown_token_is_refused(void **state)
{
    struct hf_buffer *buffer = *state;
    struct hf_reply reply;
    hf_buffer_put_u8(buffer, HF_TOKEN_PUSH + 1);
    assert_false(hf_reply_decode(hf_buffer_slice(buffer), &reply));
}

static void a_count_without_elements_is_refused(void **state)
{
    struct hf_buffer *buffer = *state;
    struct hf_reply reply;
    hf_reply_put_map(buffer, UINT32_MAX);
    hf_reply_put_nil(buffer);
    assert_false(hf_reply_decode(hf_buffer_slice(buffer), &reply));
}

static void depth_is_bounded(void **state)
{
    struct hf_buffer *buffer = *state;
    struct hf_reply reply;
    for (int i = 0; i < HF_REPLY_DEPTH_MAX; i++) {
        hf_reply_put_array(buffer, 1);
    }
    size_t deepest = buffer->size;
    hf_reply_put_nil(buffer);
    assert_true(hf_reply_decode(hf_buffer_slice(buffer), &reply));

    buffer->size = deepest;
    hf_reply_put_array(buffer, 1);
    hf_reply_put_nil(buffer);
    assert_false(hf_reply_decode(hf_buffer_slice(buffer), &reply));
}

static void an_empty_array_ends_a_branch(void **state)
{
    struct hf_buffer *buffer = *state;
    struct hf_reply reply;
    hf_reply_put_array(buffer, 2);
    hf_reply_put_array(buffer, 1);
    hf_reply_put_array(buffer, 0);
    hf_reply_put_map(buffer, 0);
    assert_true(hf_reply_decode(hf_buffer_slice(buffer), &reply));
    assert_int_equal(reply.kind, HF_REPLY_NESTED);
}

int main(void)
{
#define CASE(name)                                                             \
    cmocka_unit_test_setup_teardown(name, open_buffer, close_buffer)
    const struct CMUnitTest tests[] = {
        CASE(every_simple_reply_survives_the_way),
        CASE(a_nested_reply_survives_the_way),
        CASE(tokens_come_back_in_order),
        CASE(tokens_cut_anywhere_are_refused),
        CASE(bytes_after_the_value_are_refused),
        CASE(an_unknown_token_is_refused),
        CASE(a_count_without_elements_is_refused),
        CASE(depth_is_bounded),
        CASE(an_empty_array_ends_a_branch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
