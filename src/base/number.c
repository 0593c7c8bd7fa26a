#include "base/number.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The largest number has 4,933 digits in front of the point. */
#define LONG_DOUBLE_BYTES_MAX 5120

/* For strtod, which wants text that ends with a zero. */
static bool to_text(struct hf_slice slice, char text[HF_NUMBER_TEXT_MAX + 1])
{
    if (slice.size > HF_NUMBER_TEXT_MAX) {
        return false;
    }
    if (slice.size > 0) {
        memcpy(text, slice.data, slice.size);
    }
    text[slice.size] = '\0';
    return true;
}

static bool begins_with_space(struct hf_slice slice)
{
    return slice.size > 0 && (slice.data[0] == ' ' ||
                              (slice.data[0] >= '\t' && slice.data[0] <= '\r'));
}

bool hf_slice_to_double(struct hf_slice slice, double *value)
{
    char text[HF_NUMBER_TEXT_MAX + 1];
    if (!to_text(slice, text) || begins_with_space(slice)) {
        return false;
    }
    char *end;
    errno = 0;
    *value = strtod(text, &end);
    bool too_far = errno == ERANGE && (isinf(*value) || *value == 0);
    return slice.size > 0 && end == text + slice.size && !too_far &&
           !isnan(*value);
}

bool hf_slice_to_bound(struct hf_slice slice, double *value)
{
    char text[HF_NUMBER_TEXT_MAX + 1];
    if (!to_text(slice, text)) {
        return false;
    }
    char *end;
    *value = strtod(text, &end);
    return end == text + slice.size && !isnan(*value);
}

bool hf_slice_to_long_double(struct hf_slice slice, long double *value)
{
    char text[HF_NUMBER_TEXT_MAX + 1];
    if (!to_text(slice, text) || begins_with_space(slice)) {
        return false;
    }
    char *end;
    errno = 0;
    *value = strtold(text, &end);
    bool too_far = errno == ERANGE && (isinf(*value) || *value == 0);
    return slice.size > 0 && end == text + slice.size && !too_far &&
           !isnan(*value);
}

bool hf_long_double_is_finite(long double value)
{
    return isfinite(value);
}

struct hf_slice hf_double_text(double value,
                               char text[static HF_DOUBLE_TEXT_BYTES])
{
    int size = snprintf(text, HF_DOUBLE_TEXT_BYTES, "%.17g", value);
    return (struct hf_slice){(const uint8_t *)text, (size_t)size};
}

void hf_buffer_append_long_double(struct hf_buffer *buffer, long double value)
{
    char text[LONG_DOUBLE_BYTES_MAX];
    int written = snprintf(text, sizeof(text), "%.17Lf", value);
    size_t size = (size_t)written;
    if (memchr(text, '.', size) != NULL) {
        while (text[size - 1] == '0') {
            size--;
        }
        size -= text[size - 1] == '.' ? 1 : 0;
    }
    if (size == 2 && memcmp(text, "-0", 2) == 0) {
        hf_buffer_append(buffer, "0", 1);
        return;
    }
    hf_buffer_append(buffer, text, size);
}
