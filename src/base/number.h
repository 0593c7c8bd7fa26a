/* number.h - Numbers that are not whole, as text and back.
 *
 * What a client reads must be, digit for digit, what Redis 7.0 writes. */
#ifndef HF_BASE_NUMBER_H
#define HF_BASE_NUMBER_H

#include "base/bytes.h"

/* Longer text is no number. */
#define HF_NUMBER_TEXT_MAX 1024

/* Reads what strtod(3) reads in the C locale: also "inf" and hexadecimal
 * digits, but no spaces in front. False when it is none, not a number, or too
 * far from 0 or too near to it. */
HF_NODISCARD bool hf_slice_to_double(struct hf_slice slice, double *value);
/* The same, to more digits where the machine has them. */
HF_NODISCARD bool hf_slice_to_long_double(struct hf_slice slice,
                                          long double *value);

/* Whether it is neither infinite nor not a number. */
bool hf_long_double_is_finite(long double value);

/* The same as a bound of a range, where Redis takes more: spaces in front,
 * nothing at all for 0, and what is too far as infinite. */
HF_NODISCARD bool hf_slice_to_bound(struct hf_slice slice, double *value);

#define HF_DOUBLE_TEXT_BYTES 32

/* @value with the 17 digits that tell it from all others, "inf" or "-inf";
 * written to @text. */
struct hf_slice hf_double_text(double value,
                               char text[static HF_DOUBLE_TEXT_BYTES]);
/* Appends @value without an exponent, with at most 17 digits after the point
 * and no zeros at the end. */
void hf_buffer_append_long_double(struct hf_buffer *buffer, long double value);

#endif
