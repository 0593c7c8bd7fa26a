#include "base/number.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DOUBLE_BYTES_MAX 64
/* The largest number has 4,933 digits in front of the point. */
#define LONG_DOUBLE_BYTES_MAX 5120

/* For strtod, which wants text that ends with a zero. False: no number begins
 * like that. */
static bool to_text(struct hf_slice slice, char text[HF_NUMBER_TEXT_MAX + 1])
{
    if (slice.size == 0 || slice.size > HF_NUMBER_TEXT_MAX ||
        slice.data[0] == ' ' ||
        (slice.data[0] >= '\t' && slice.data[0] <= '\r')) {
        return false;
    }
    memcpy(text, slice.data, slice.size);
    text[slice.size] = '\0';
    return true;
}

bool hf_slice_to_double(struct hf_slice slice, double *value)
{
    char text[HF_NUMBER_TEXT_MAX + 1];
    if (!to_text(slice, text)) {
        return false;
    }
    char *end;
    errno = 0;
    *value = strtod(text, &end);
    bool too_far = errno == ERANGE && (isinf(*value) || *value == 0);
    return end == text + slice.size && !too_far && !isnan(*value);
}

bool hf_slice_to_long_double(struct hf_slice slice, long double *value)
{
    char text[HF_NUMBER_TEXT_MAX + 1];
    if (!to_text(slice, text)) {
        return false;
    }
    char *end;
    errno = 0;
    *value = strtold(text, &end);
    bool too_far = errno == ERANGE && (isinf(*value) || *value == 0);
    return end == text + slice.size && !too_far && !isnan(*value);
}

bool hf_double_is_nan(double value)
{
    return isnan(value);
}

bool hf_long_double_is_finite(long double value)
{
    return isfinite(value);
}

void hf_buffer_append_double(struct hf_buffer *buffer, double value)
{
    char text[DOUBLE_BYTES_MAX];
    int size = snprintf(text, sizeof(text), "%.17g", value);
    hf_buffer_append(buffer, text, (size_t)size);
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
