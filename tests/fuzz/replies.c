#include "fuzz/replies.h"

#include <string.h>

#include "base/assert.h"

/* The number after the sign at @offset; moves to the next line. */
static int64_t line_number(struct hf_slice out, size_t *offset)
{
    const uint8_t *start = out.data + *offset + 1;
    const uint8_t *end = memchr(start, '\r', out.size - *offset - 1);
    HF_ASSERT(end != NULL && end + 1 < out.data + out.size && end[1] == '\n');
    int64_t value = 0;
    HF_ASSERT(hf_slice_to_int64((struct hf_slice){start, (size_t)(end - start)},
                                &value));
    *offset = (size_t)(end - out.data) + 2;
    return value;
}

/* Skips a line that must have no control bytes of lines in it. */
static void line_skip(struct hf_slice out, size_t *offset)
{
    const uint8_t *end = memchr(out.data + *offset, '\n', out.size - *offset);
    HF_ASSERT(end != NULL && end > out.data + *offset && end[-1] == '\r');
    size_t size = (size_t)(end - 1 - (out.data + *offset));
    HF_ASSERT(memchr(out.data + *offset, '\r', size) == NULL);
    *offset += size + 2;
}

void replies_check(struct hf_slice out)
{
    size_t offset = 0;
    int64_t open = 0; /* Elements of arrays that are still to come. */
    while (offset < out.size) {
        open -= open > 0 ? 1 : 0;
        uint8_t sign = out.data[offset];
        if (sign == '+' || sign == '-' || sign == '_' || sign == ',') {
            line_skip(out, &offset);
            continue;
        }
        int64_t value = line_number(out, &offset);
        if (sign == '*' || sign == '~' || sign == '%' || sign == '>') {
            HF_ASSERT(value >= -1);
            open += value > 0 ? value * (sign == '%' ? 2 : 1) : 0;
        } else if ((sign == '$' && value >= 0) || sign == '=') {
            HF_ASSERT(value >= (sign == '=' ? 4 : 0));
            HF_ASSERT((uint64_t)value + 2 <= out.size - offset);
            offset += (size_t)value + 2;
            HF_ASSERT(memcmp(out.data + offset - 2, "\r\n", 2) == 0);
        } else {
            HF_ASSERT(sign == ':' || (sign == '$' && value == -1));
        }
    }
    HF_ASSERT(open == 0);
}
