#include "io/spares.h"

void hf_spares_lend(struct hf_spares *spares, struct hf_buffer *buffer)
{
    if (buffer->capacity == 0 && spares->count > 0) {
        *buffer = spares->buffers[--spares->count];
    }
}

void hf_spares_take_back(struct hf_spares *spares, struct hf_buffer *buffer)
{
    hf_buffer_clear(buffer);
    if (buffer->capacity == 0) {
        return;
    }
    if (buffer->capacity > HF_SPARE_BYTES || spares->count == HF_SPARES_MAX) {
        hf_buffer_close(buffer);
        return;
    }
    spares->buffers[spares->count++] = *buffer;
    hf_buffer_init(buffer, buffer->mem);
}

void hf_spares_close(struct hf_spares *spares)
{
    while (spares->count > 0) {
        hf_buffer_close(&spares->buffers[--spares->count]);
    }
}
