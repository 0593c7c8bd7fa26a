/* Parts of a string, and numbers that are not whole. */
#include <string.h>

#include "base/number.h"
#include "core/commands.h"

#define TEXT_OFFSET "ERR offset is out of range"
#define TEXT_BIT_OFFSET "ERR bit offset is not an integer or out of range"
#define TEXT_BIT "ERR bit is not an integer or out of range"
#define TEXT_NOT_FLOAT "ERR value is not a valid float"
#define TEXT_FLOAT_RANGE "ERR increment would produce NaN or Infinity"

/* As in Redis, whatever we allow a value to be. */
#define BIT_OFFSET_MAX ((INT64_C(512) << 23) - 1)

/* The bytes of @session, which is a string or NULL. */
static struct hf_slice value_of(const struct hf_session *session)
{
    return session == NULL ? (struct hf_slice){NULL, 0}
                           : hf_session_value(session);
}

/* Counted from the end when it is negative. */
static int64_t clamp_start(int64_t index, int64_t size)
{
    index += index < 0 ? size : 0;
    return index < 0 ? 0 : index;
}

void hf_apply_getrange(struct hf_apply *apply, const struct hf_command *command)
{
    int64_t start;
    int64_t end;
    const struct hf_session *session;
    if (!hf_apply_integer(apply, command->argv[2], &start) ||
        !hf_apply_integer(apply, command->argv[3], &end) ||
        !hf_apply_typed(apply, HF_SESSION_STRING, &session)) {
        return;
    }
    struct hf_slice value = value_of(session);
    int64_t size = (int64_t)value.size;
    bool crossed = start < 0 && end < 0 && start > end;
    start = clamp_start(start, size);
    end = clamp_start(end, size);
    end = end >= size ? size - 1 : end;
    if (crossed || start > end || size == 0) {
        apply->reply = hf_reply_bulk(HF_SLICE_LITERAL(""));
        return;
    }
    apply->reply = hf_reply_bulk(
        (struct hf_slice){value.data + start, (size_t)(end - start) + 1});
}

/* The value in scratch, with zeros behind it up to @size bytes; false when
 * there is no memory. */
static bool copy_padded(struct hf_apply *apply, struct hf_slice value,
                        size_t size)
{
    static const uint8_t zeros[256];
    struct hf_buffer *scratch = apply->scratch;
    hf_buffer_append_slice(scratch, value);
    while (scratch->size < size && !scratch->failed) {
        size_t more = size - scratch->size;
        hf_buffer_append(scratch, zeros,
                         more < sizeof(zeros) ? more : sizeof(zeros));
    }
    apply->effects->failed |= scratch->failed;
    return !scratch->failed;
}

/* Effects of the value being what is in scratch, known as @notice; the time to
 * live stays. */
static void put_scratch(struct hf_apply *apply,
                        const struct hf_session *session, enum hf_notice notice)
{
    hf_apply_notice(apply, notice);
    hf_effects_put(apply->effects, hf_buffer_slice(apply->scratch),
                   hf_apply_time_left(apply, session));
}

void hf_apply_setrange(struct hf_apply *apply, const struct hf_command *command)
{
    int64_t offset;
    const struct hf_session *session;
    if (!hf_apply_integer(apply, command->argv[2], &offset)) {
        return;
    }
    if (offset < 0) {
        apply->reply = hf_reply_error(TEXT_OFFSET);
        return;
    }
    if (!hf_apply_typed(apply, HF_SESSION_STRING, &session)) {
        return;
    }
    struct hf_slice part = command->argv[3];
    struct hf_slice old = value_of(session);
    if (part.size == 0) {
        apply->reply = hf_reply_integer((int64_t)old.size);
        return;
    }
    uint64_t end = (uint64_t)offset + part.size;
    if (!hf_apply_size_fits(apply, (size_t)end)) {
        return;
    }
    size_t size = end > old.size ? (size_t)end : old.size;
    if (copy_padded(apply, old, size)) {
        memcpy(apply->scratch->data + offset, part.data, part.size);
        put_scratch(apply, session, HF_NOTICE_SETRANGE);
        apply->reply = hf_reply_integer((int64_t)size);
    }
}

/* False: the error is the reply. */
static bool bit_offset(struct hf_apply *apply, struct hf_slice argument,
                       int64_t *offset)
{
    if (!hf_slice_to_int64(argument, offset) || *offset < 0 ||
        *offset > BIT_OFFSET_MAX) {
        apply->reply = hf_reply_error(TEXT_BIT_OFFSET);
        return false;
    }
    return true;
}

static bool bit_at(struct hf_slice value, int64_t offset)
{
    size_t byte = (size_t)offset / 8;
    return byte < value.size && (value.data[byte] >> (7 - offset % 8) & 1) != 0;
}

void hf_apply_getbit(struct hf_apply *apply, const struct hf_command *command)
{
    int64_t offset;
    const struct hf_session *session;
    if (bit_offset(apply, command->argv[2], &offset) &&
        hf_apply_typed(apply, HF_SESSION_STRING, &session)) {
        bool bit = bit_at(value_of(session), offset);
        apply->reply = hf_reply_integer(bit ? 1 : 0);
    }
}

void hf_apply_setbit(struct hf_apply *apply, const struct hf_command *command)
{
    int64_t offset;
    int64_t bit;
    const struct hf_session *session;
    if (!bit_offset(apply, command->argv[2], &offset)) {
        return;
    }
    if (!hf_slice_to_int64(command->argv[3], &bit) || bit < 0 || bit > 1) {
        apply->reply = hf_reply_error(TEXT_BIT);
        return;
    }
    if (!hf_apply_typed(apply, HF_SESSION_STRING, &session)) {
        return;
    }
    struct hf_slice old = value_of(session);
    size_t byte = (size_t)offset / 8;
    bool was = bit_at(old, offset);
    bool grows = byte >= old.size;
    if (grows && !hf_apply_size_fits(apply, byte + 1)) {
        return;
    }
    apply->reply = hf_reply_integer(was ? 1 : 0);
    if ((grows || was != (bit == 1)) &&
        copy_padded(apply, old, grows ? byte + 1 : old.size)) {
        uint8_t mask = (uint8_t)(0x80U >> (offset % 8));
        uint8_t *at = apply->scratch->data + byte;
        *at = (uint8_t)(bit == 1 ? *at | mask : *at & ~mask);
        put_scratch(apply, session, HF_NOTICE_SETBIT);
    }
}

void hf_apply_incrbyfloat(struct hf_apply *apply,
                          const struct hf_command *command)
{
    const struct hf_session *session;
    if (!hf_apply_typed(apply, HF_SESSION_STRING, &session)) {
        return;
    }
    long double value = 0;
    long double more;
    if ((session != NULL &&
         !hf_slice_to_long_double(hf_session_value(session), &value)) ||
        !hf_slice_to_long_double(command->argv[2], &more)) {
        apply->reply = hf_reply_error(TEXT_NOT_FLOAT);
        return;
    }
    if (!hf_long_double_is_finite(value + more)) {
        apply->reply = hf_reply_error(TEXT_FLOAT_RANGE);
        return;
    }
    hf_buffer_append_long_double(apply->scratch, value + more);
    if (apply->scratch->failed) {
        apply->effects->failed = true;
        return;
    }
    put_scratch(apply, session, HF_NOTICE_INCRBYFLOAT);
    apply->reply = hf_reply_bulk(hf_buffer_slice(apply->scratch));
}
