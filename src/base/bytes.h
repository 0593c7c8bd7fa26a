/* bytes.h - Slices (borrowed bytes) and buffers (owned, growable bytes). */
#ifndef HF_BASE_BYTES_H
#define HF_BASE_BYTES_H

#include "base/mem.h"
#include "base/types.h"

/* Bytes that belong to somebody else. May hold zeros; @data may be NULL when
 * @size is 0. */
struct hf_slice {
    const uint8_t *data;
    size_t size;
};

#define HF_SLICE_LITERAL(text)                                                 \
    ((struct hf_slice){(const uint8_t *)(text), sizeof(text) - 1})

struct hf_slice hf_slice_text(const char *text);
bool hf_slice_equal(struct hf_slice a, struct hf_slice b);
/* Compares with @text, upper and lower case ASCII letters being the same. */
bool hf_slice_equal_nocase(struct hf_slice a, const char *text);

/* Reads a decimal integer as Redis does: optional '-', no leading zeros, no
 * spaces, within int64_t. False when it is none. */
HF_NODISCARD bool hf_slice_to_int64(struct hf_slice slice, int64_t *value);

/* Bytes we own. Appending may move them. A failed append leaves the buffer as
 * it was and marks it `failed`, so that a chain of appends needs one check. */
struct hf_buffer {
    struct hf_mem *mem;
    uint8_t *data;
    size_t size;
    size_t capacity;
    bool failed;
};

void hf_buffer_init(struct hf_buffer *buffer, struct hf_mem *mem);
void hf_buffer_close(struct hf_buffer *buffer);
/* Empties the buffer and forgets `failed`; keeps the memory. */
void hf_buffer_clear(struct hf_buffer *buffer);
/* Gives the memory back when more than @keep_bytes are held. */
void hf_buffer_trim(struct hf_buffer *buffer, size_t keep_bytes);
/* Room for @size more bytes; returns where to write them, or NULL (then
 * `failed` is set). Follow with hf_buffer_commit. */
uint8_t *hf_buffer_reserve(struct hf_buffer *buffer, size_t size);
void hf_buffer_commit(struct hf_buffer *buffer, size_t size);
/* Drops the first @size bytes, moving the rest to the front. */
void hf_buffer_consume(struct hf_buffer *buffer, size_t size);

void hf_buffer_append(struct hf_buffer *buffer, const void *data, size_t size);
void hf_buffer_append_slice(struct hf_buffer *buffer, struct hf_slice slice);
void hf_buffer_append_text(struct hf_buffer *buffer, const char *text);
void hf_buffer_append_int64(struct hf_buffer *buffer, int64_t value);
/* Appends formatted text of at most 1,023 bytes; longer text is cut. */
void hf_buffer_append_format(struct hf_buffer *buffer, const char *format, ...)
    HF_PRINTF(2, 3);

/* Little-endian integers, for everything that travels. */
void hf_buffer_put_u8(struct hf_buffer *buffer, uint8_t value);
void hf_buffer_put_u16(struct hf_buffer *buffer, uint16_t value);
void hf_buffer_put_u32(struct hf_buffer *buffer, uint32_t value);
void hf_buffer_put_u64(struct hf_buffer *buffer, uint64_t value);
/* A u32 length, then the bytes. */
void hf_buffer_put_slice(struct hf_buffer *buffer, struct hf_slice slice);

struct hf_slice hf_buffer_slice(const struct hf_buffer *buffer);

/* Reads what the put functions wrote. Reading past the end gives zeros and
 * marks the reader `failed`; check it once at the end. */
struct hf_reader {
    const uint8_t *data;
    size_t size;
    size_t offset;
    bool failed;
};

struct hf_reader hf_reader_of(struct hf_slice slice);
uint8_t hf_reader_u8(struct hf_reader *reader);
uint16_t hf_reader_u16(struct hf_reader *reader);
uint32_t hf_reader_u32(struct hf_reader *reader);
uint64_t hf_reader_u64(struct hf_reader *reader);
/* Borrows from what the reader reads. */
struct hf_slice hf_reader_slice(struct hf_reader *reader);
struct hf_slice hf_reader_bytes(struct hf_reader *reader, size_t size);
size_t hf_reader_left(const struct hf_reader *reader);

#endif
