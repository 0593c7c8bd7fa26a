/* peer_fuzz.c - Any bytes from a peer, as a batch of messages.
 *
 * What decodes must have one encoding: the bytes it came from. A message that
 * is refused ends the batch, and nothing that was allocated is left. */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "holdfast/error.h"
#include "wire/peer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hf_mem mem;
    hf_mem_init_system(&mem);
    struct hf_peer_scratch scratch;
    hf_peer_scratch_init(&scratch, &mem);
    struct hf_buffer again;
    hf_buffer_init(&again, &mem);

    struct hf_reader reader = {.data = data, .size = size};
    struct hf_message message;
    int status = 1;
    while (status == 1) {
        status = hf_peer_decode(&reader, &scratch, &message);
        if (status == 1) {
            hf_peer_encode(&again, &message);
            HF_ASSERT(!again.failed);
            HF_ASSERT(again.size == reader.offset);
            HF_ASSERT(memcmp(again.data, data, again.size) == 0);
        }
    }
    HF_ASSERT(status == 0 || status == HF_EPROTO);
    HF_ASSERT(status != 0 || again.size == size);

    hf_buffer_close(&again);
    hf_peer_scratch_close(&scratch);
    HF_ASSERT(mem.used_bytes == 0);
    return 0;
}
