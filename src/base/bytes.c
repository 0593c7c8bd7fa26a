#include "base/bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"

#define BUFFER_CAPACITY_MIN 64
#define FORMAT_BYTES_MAX 1024

struct hf_slice hf_slice_text(const char *text)
{
    return (struct hf_slice){(const uint8_t *)text, strlen(text)};
}

bool hf_slice_equal(struct hf_slice a, struct hf_slice b)
{
    return a.size == b.size &&
           (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

bool hf_slice_equal_nocase(struct hf_slice a, const char *text)
{
    for (size_t i = 0; i < a.size; i++) {
        if (text[i] == '\0' || lower(a.data[i]) != lower((uint8_t)text[i])) {
            return false;
        }
    }
    return text[a.size] == '\0';
}

bool hf_slice_to_int64(struct hf_slice slice, int64_t *value)
{
    size_t i = 0;
    bool negative = slice.size > 0 && slice.data[0] == '-';
    if (negative) {
        i = 1;
    }
    if (i == slice.size || slice.size - i > 19) {
        return false;
    }
    if (slice.data[i] == '0' && (slice.size - i > 1 || negative)) {
        return false;
    }
    uint64_t sum = 0;
    for (; i < slice.size; i++) {
        if (slice.data[i] < '0' || slice.data[i] > '9') {
            return false;
        }
        sum = sum * 10 + (uint64_t)(slice.data[i] - '0');
    }
    uint64_t limit = (uint64_t)INT64_MAX + (negative ? 1 : 0);
    if (sum > limit) {
        return false;
    }
    *value = negative ? (int64_t)(0 - sum) : (int64_t)sum;
    return true;
}

void hf_buffer_init(struct hf_buffer *buffer, struct hf_mem *mem)
{
    *buffer = (struct hf_buffer){.mem = mem};
}

void hf_buffer_close(struct hf_buffer *buffer)
{
    hf_mem_free(buffer->mem, buffer->data, buffer->capacity);
    *buffer = (struct hf_buffer){.mem = buffer->mem};
}

void hf_buffer_clear(struct hf_buffer *buffer)
{
    buffer->size = 0;
    buffer->failed = false;
}

void hf_buffer_trim(struct hf_buffer *buffer, size_t keep_bytes)
{
    if (buffer->size == 0 && buffer->capacity > keep_bytes) {
        hf_buffer_close(buffer);
    }
}

static HF_RARE uint8_t *buffer_grow(struct hf_buffer *buffer, size_t size)
{
    if (buffer->failed) {
        return NULL;
    }
    size_t need = buffer->size + size;
    size_t capacity = buffer->capacity < BUFFER_CAPACITY_MIN
                          ? BUFFER_CAPACITY_MIN
                          : buffer->capacity;
    while (capacity < need) {
        capacity *= 2;
    }
    uint8_t *data =
        hf_mem_resize(buffer->mem, buffer->data, buffer->capacity, capacity);
    if (data == NULL) {
        buffer->failed = true;
        return NULL;
    }
    buffer->data = data;
    buffer->capacity = capacity;
    return data + buffer->size;
}

uint8_t *hf_buffer_reserve(struct hf_buffer *buffer, size_t size)
{
    if (!buffer->failed && buffer->data != NULL &&
        buffer->capacity - buffer->size >= size) {
        return buffer->data + buffer->size;
    }
    return buffer_grow(buffer, size);
}

void hf_buffer_commit(struct hf_buffer *buffer, size_t size)
{
    HF_ASSERT(buffer->capacity - buffer->size >= size);
    buffer->size += size;
}

void hf_buffer_consume(struct hf_buffer *buffer, size_t size)
{
    HF_ASSERT(size <= buffer->size);
    if (size > 0 && size < buffer->size) {
        memmove(buffer->data, buffer->data + size, buffer->size - size);
    }
    buffer->size -= size;
}

void hf_buffer_append(struct hf_buffer *buffer, const void *data, size_t size)
{
    uint8_t *to = hf_buffer_reserve(buffer, size);
    if (to != NULL && size > 0) {
        memcpy(to, data, size);
        buffer->size += size;
    }
}

void hf_buffer_append_slice(struct hf_buffer *buffer, struct hf_slice slice)
{
    hf_buffer_append(buffer, slice.data, slice.size);
}

void hf_buffer_append_text(struct hf_buffer *buffer, const char *text)
{
    hf_buffer_append(buffer, text, strlen(text));
}

void hf_buffer_append_int64(struct hf_buffer *buffer, int64_t value)
{
    char digits[24];
    size_t at = sizeof(digits);
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (value < 0) {
        digits[--at] = '-';
    }
    hf_buffer_append(buffer, digits + at, sizeof(digits) - at);
}

void hf_buffer_append_format(struct hf_buffer *buffer, const char *format, ...)
{
    char text[FORMAT_BYTES_MAX];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    HF_ASSERT(length >= 0);
    size_t size = (size_t)length;
    hf_buffer_append(buffer, text,
                     size < sizeof(text) ? size : sizeof(text) - 1);
}

/* Written out, for compilers to make a single store of it. */
static void put_u32(uint8_t *to, uint32_t value)
{
    to[0] = (uint8_t)value;
    to[1] = (uint8_t)(value >> 8);
    to[2] = (uint8_t)(value >> 16);
    to[3] = (uint8_t)(value >> 24);
}

void hf_buffer_put_u8(struct hf_buffer *buffer, uint8_t value)
{
    uint8_t *to = hf_buffer_reserve(buffer, 1);
    if (to != NULL) {
        to[0] = value;
        buffer->size += 1;
    }
}

void hf_buffer_put_u16(struct hf_buffer *buffer, uint16_t value)
{
    uint8_t *to = hf_buffer_reserve(buffer, 2);
    if (to != NULL) {
        to[0] = (uint8_t)value;
        to[1] = (uint8_t)(value >> 8);
        buffer->size += 2;
    }
}

void hf_buffer_put_u32(struct hf_buffer *buffer, uint32_t value)
{
    uint8_t *to = hf_buffer_reserve(buffer, 4);
    if (to != NULL) {
        put_u32(to, value);
        buffer->size += 4;
    }
}

void hf_buffer_put_u64(struct hf_buffer *buffer, uint64_t value)
{
    uint8_t *to = hf_buffer_reserve(buffer, 8);
    if (to != NULL) {
        put_u32(to, (uint32_t)value);
        put_u32(to + 4, (uint32_t)(value >> 32));
        buffer->size += 8;
    }
}

void hf_buffer_put_slice(struct hf_buffer *buffer, struct hf_slice slice)
{
    HF_ASSERT(slice.size <= UINT32_MAX);
    hf_buffer_put_u32(buffer, (uint32_t)slice.size);
    hf_buffer_append_slice(buffer, slice);
}

struct hf_slice hf_buffer_slice(const struct hf_buffer *buffer)
{
    return (struct hf_slice){buffer->data, buffer->size};
}

struct hf_reader hf_reader_of(struct hf_slice slice)
{
    return (struct hf_reader){.data = slice.data, .size = slice.size};
}

static const uint8_t *reader_take(struct hf_reader *reader, size_t size)
{
    if (reader->failed || reader->size - reader->offset < size) {
        reader->failed = true;
        return NULL;
    }
    const uint8_t *from = reader->data + reader->offset;
    reader->offset += size;
    return from;
}

/* Written out, for compilers to make a single load of it. */
static uint32_t get_u32(const uint8_t *from)
{
    return (uint32_t)from[0] | (uint32_t)from[1] << 8 |
           (uint32_t)from[2] << 16 | (uint32_t)from[3] << 24;
}

uint8_t hf_reader_u8(struct hf_reader *reader)
{
    const uint8_t *from = reader_take(reader, 1);
    return from == NULL ? 0 : from[0];
}

uint16_t hf_reader_u16(struct hf_reader *reader)
{
    const uint8_t *from = reader_take(reader, 2);
    uint32_t value = from == NULL ? 0 : from[0] | (uint32_t)from[1] << 8;
    return (uint16_t)value;
}

uint32_t hf_reader_u32(struct hf_reader *reader)
{
    const uint8_t *from = reader_take(reader, 4);
    return from == NULL ? 0 : get_u32(from);
}

uint64_t hf_reader_u64(struct hf_reader *reader)
{
    const uint8_t *from = reader_take(reader, 8);
    return from == NULL
               ? 0
               : (uint64_t)get_u32(from) | (uint64_t)get_u32(from + 4) << 32;
}

struct hf_slice hf_reader_slice(struct hf_reader *reader)
{
    size_t size = hf_reader_u32(reader);
    return hf_reader_bytes(reader, size);
}

struct hf_slice hf_reader_bytes(struct hf_reader *reader, size_t size)
{
    const uint8_t *from = reader_take(reader, size);
    if (from == NULL) {
        return (struct hf_slice){NULL, 0};
    }
    return (struct hf_slice){from, size};
}

size_t hf_reader_left(const struct hf_reader *reader)
{
    return reader->size - reader->offset;
}
