#include "core/reply.h"

#include <string.h>

#include "base/number.h"

struct hf_reply hf_reply_nil(void)
{
    return (struct hf_reply){.kind = HF_REPLY_NIL};
}

struct hf_reply hf_reply_ok(void)
{
    return (struct hf_reply){.kind = HF_REPLY_STATUS,
                             .bytes = HF_SLICE_LITERAL("OK")};
}

struct hf_reply hf_reply_integer(int64_t integer)
{
    return (struct hf_reply){.kind = HF_REPLY_INTEGER, .integer = integer};
}

struct hf_reply hf_reply_bulk(struct hf_slice bytes)
{
    return (struct hf_reply){.kind = HF_REPLY_BULK, .bytes = bytes};
}

struct hf_reply hf_reply_error(const char *text)
{
    return (struct hf_reply){.kind = HF_REPLY_ERROR,
                             .bytes = hf_slice_text(text)};
}

struct hf_reply hf_reply_nested(const struct hf_buffer *buffer)
{
    return (struct hf_reply){.kind = HF_REPLY_NESTED,
                             .bytes = hf_buffer_slice(buffer)};
}

static void put_kind(struct hf_buffer *buffer, enum hf_token_kind kind)
{
    hf_buffer_put_u8(buffer, (uint8_t)kind);
}

static void put_bytes(struct hf_buffer *buffer, enum hf_token_kind kind,
                      struct hf_slice bytes)
{
    put_kind(buffer, kind);
    hf_buffer_put_slice(buffer, bytes);
}

static void put_count(struct hf_buffer *buffer, enum hf_token_kind kind,
                      uint32_t count)
{
    put_kind(buffer, kind);
    hf_buffer_put_u32(buffer, count);
}

void hf_reply_put_nil(struct hf_buffer *buffer)
{
    put_kind(buffer, HF_TOKEN_NIL);
}

void hf_reply_put_nil_array(struct hf_buffer *buffer)
{
    put_kind(buffer, HF_TOKEN_NIL_ARRAY);
}

void hf_reply_put_status(struct hf_buffer *buffer, struct hf_slice text)
{
    put_bytes(buffer, HF_TOKEN_STATUS, text);
}

void hf_reply_put_error(struct hf_buffer *buffer, struct hf_slice text)
{
    put_bytes(buffer, HF_TOKEN_ERROR, text);
}

void hf_reply_put_integer(struct hf_buffer *buffer, int64_t integer)
{
    put_kind(buffer, HF_TOKEN_INTEGER);
    hf_buffer_put_u64(buffer, (uint64_t)integer);
}

void hf_reply_put_bulk(struct hf_buffer *buffer, struct hf_slice bytes)
{
    put_bytes(buffer, HF_TOKEN_BULK, bytes);
}

void hf_reply_put_verbatim(struct hf_buffer *buffer, struct hf_slice text)
{
    put_bytes(buffer, HF_TOKEN_VERBATIM, text);
}

void hf_reply_put_array(struct hf_buffer *buffer, uint32_t count)
{
    put_count(buffer, HF_TOKEN_ARRAY, count);
}

void hf_reply_put_map(struct hf_buffer *buffer, uint32_t count)
{
    put_count(buffer, HF_TOKEN_MAP, count);
}

void hf_reply_put_set(struct hf_buffer *buffer, uint32_t count)
{
    put_count(buffer, HF_TOKEN_SET, count);
}

void hf_reply_put_double(struct hf_buffer *buffer, double value)
{
    char text[HF_DOUBLE_TEXT_BYTES];
    put_bytes(buffer, HF_TOKEN_DOUBLE, hf_double_text(value, text));
}

void hf_reply_put_pairs(struct hf_buffer *buffer, uint32_t count)
{
    put_count(buffer, HF_TOKEN_PAIRS, count);
}

void hf_reply_put_pair(struct hf_buffer *buffer)
{
    put_kind(buffer, HF_TOKEN_PAIR);
}

void hf_reply_put_push(struct hf_buffer *buffer, uint32_t count)
{
    put_count(buffer, HF_TOKEN_PUSH, count);
}

void hf_reply_encode(const struct hf_reply *reply, struct hf_buffer *buffer)
{
    switch (reply->kind) {
    case HF_REPLY_NIL:
        hf_reply_put_nil(buffer);
        break;
    case HF_REPLY_STATUS:
        hf_reply_put_status(buffer, reply->bytes);
        break;
    case HF_REPLY_ERROR:
        hf_reply_put_error(buffer, reply->bytes);
        break;
    case HF_REPLY_INTEGER:
        hf_reply_put_integer(buffer, reply->integer);
        break;
    case HF_REPLY_BULK:
        hf_reply_put_bulk(buffer, reply->bytes);
        break;
    case HF_REPLY_NESTED:
        hf_buffer_append_slice(buffer, reply->bytes);
        break;
    }
}

bool hf_token_next(struct hf_reader *reader, struct hf_token *token)
{
    if (reader->failed || hf_reader_left(reader) == 0) {
        return false;
    }
    uint8_t kind = hf_reader_u8(reader);
    *token = (struct hf_token){.kind = (enum hf_token_kind)kind};
    switch (kind) {
    case HF_TOKEN_NIL:
    case HF_TOKEN_NIL_ARRAY:
        break;
    case HF_TOKEN_INTEGER:
        token->integer = (int64_t)hf_reader_u64(reader);
        break;
    case HF_TOKEN_STATUS:
    case HF_TOKEN_ERROR:
    case HF_TOKEN_BULK:
    case HF_TOKEN_VERBATIM:
    case HF_TOKEN_DOUBLE:
        token->bytes = hf_reader_slice(reader);
        break;
    case HF_TOKEN_ARRAY:
    case HF_TOKEN_MAP:
    case HF_TOKEN_SET:
    case HF_TOKEN_PAIRS:
    case HF_TOKEN_PUSH:
        token->count = hf_reader_u32(reader);
        break;
    case HF_TOKEN_PAIR:
        token->count = 2;
        break;
    default:
        reader->failed = true;
        break;
    }
    return !reader->failed;
}

uint64_t hf_token_elements(const struct hf_token *token)
{
    if (token->kind == HF_TOKEN_MAP) {
        return 2 * (uint64_t)token->count;
    }
    return token->count; /* 0 for everything that is not a container. */
}

/* Whether the tokens are one value and nothing after it. Runs in one pass with
 * a fixed stack: a peer decides neither depth nor time. */
static bool tokens_are_one_value(struct hf_slice tokens)
{
    uint64_t left[HF_REPLY_DEPTH_MAX + 1] = {1};
    size_t depth = 0;
    struct hf_reader reader = hf_reader_of(tokens);
    struct hf_token token;
    for (;;) {
        while (depth > 0 && left[depth] == 0) {
            depth--;
        }
        if (left[depth] == 0) {
            return hf_reader_left(&reader) == 0;
        }
        if (!hf_token_next(&reader, &token)) {
            return false;
        }
        left[depth]--;
        uint64_t elements = hf_token_elements(&token);
        if (elements > 0) {
            if (depth == HF_REPLY_DEPTH_MAX) {
                return false;
            }
            left[++depth] = elements;
        }
    }
}

bool hf_reply_decode(struct hf_slice tokens, struct hf_reply *reply)
{
    struct hf_reader reader = hf_reader_of(tokens);
    struct hf_token token;
    if (!hf_token_next(&reader, &token)) {
        return false;
    }
    if (hf_reader_left(&reader) > 0 || hf_token_elements(&token) > 0) {
        if (!tokens_are_one_value(tokens)) { /* Few answers are nested. */
            return false;
        }
    }
    *reply = (struct hf_reply){.integer = token.integer, .bytes = token.bytes};
    switch (token.kind) {
    case HF_TOKEN_NIL:
        reply->kind = HF_REPLY_NIL;
        break;
    case HF_TOKEN_STATUS:
        reply->kind = HF_REPLY_STATUS;
        break;
    case HF_TOKEN_ERROR:
        reply->kind = HF_REPLY_ERROR;
        break;
    case HF_TOKEN_INTEGER:
        reply->kind = HF_REPLY_INTEGER;
        break;
    case HF_TOKEN_BULK:
        reply->kind = HF_REPLY_BULK;
        break;
    case HF_TOKEN_NIL_ARRAY:
    case HF_TOKEN_VERBATIM:
    case HF_TOKEN_ARRAY:
    case HF_TOKEN_MAP:
    case HF_TOKEN_SET:
    case HF_TOKEN_DOUBLE:
    case HF_TOKEN_PAIRS:
    case HF_TOKEN_PAIR:
    case HF_TOKEN_PUSH:
        reply->kind = HF_REPLY_NESTED;
        reply->bytes = tokens;
        break;
    }
    return true;
}
