/* spares.h - Buffers that are lent to who has something to put in them, so that
 * many idle clients keep no memory and busy ones need not allocate. */
#ifndef HF_IO_SPARES_H
#define HF_IO_SPARES_H

#include "base/bytes.h"

/* How many wait to be lent, and how large each is at most. */
#define HF_SPARES_MAX 128
#define HF_SPARE_BYTES ((size_t)32 << 10)

struct hf_spares {
    struct hf_buffer buffers[HF_SPARES_MAX];
    uint32_t count;
};

/* Gives @buffer memory if it has none and there is some. */
void hf_spares_lend(struct hf_spares *spares, struct hf_buffer *buffer);

/* Empties @buffer and takes its memory. */
void hf_spares_take_back(struct hf_spares *spares, struct hf_buffer *buffer);

/* Frees them. */
void hf_spares_close(struct hf_spares *spares);

#endif
