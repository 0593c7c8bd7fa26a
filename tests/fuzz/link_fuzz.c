/* link_fuzz.c - Any bytes on a peer's socket, as frames.
 *
 *   input: room for a reason, whether checksums matter, the bytes
 *
 * Frames are cut, judged and delivered as src/io does. Checksums are believed
 * when the input says so, because no fuzzer finds them. Version 0 stands for
 * ours, so that inputs survive a new version. What is read of an
 * introduction can be written and read again; texts for logs are one line that
 * ends in its room. */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/hash.h"
#include "holdfast/error.h"
#include "wire/link.h"
#include "wire/peer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SESSION 0x0101010101010101u
#define INCARNATION 77
#define REASON_MAX 256
#define VERSION_AT 4 /* In a header; of a HELLO it is the first byte. */

struct world {
    struct hf_mem mem;
    struct hf_peer_scratch scratch;
    struct hf_buffer again;
    struct hf_hello ours;
    struct hf_link_receiver receiver;
    char *reason; /* Ends exactly where its room does. */
    size_t reason_size;
};

static void world_open(struct world *w, size_t reason_size)
{
    memset(w, 0, sizeof(*w));
    hf_mem_init_system(&w->mem);
    hf_peer_scratch_init(&w->scratch, &w->mem);
    hf_buffer_init(&w->again, &w->mem);
    w->ours.version = HF_PROTOCOL_VERSION;
    memcpy(w->ours.cluster_name, "holdfast", 9);
    struct hf_peer_info *info = &w->ours.info;
    info->incarnation = INCARNATION;
    info->peer_port = 17379;
    info->client_port = 7379;
    memcpy(info->name, "n1", 3);
    memcpy(info->host, "h1", 3);
    info->id = hf_hash(hf_slice_text(info->name));
    w->receiver =
        (struct hf_link_receiver){.session = SESSION, .self = INCARNATION};
    w->reason_size = reason_size;
    w->reason = malloc(reason_size);
    HF_ASSERT(w->reason != NULL);
}

static void world_close(struct world *w)
{
    free(w->reason);
    hf_buffer_close(&w->again);
    hf_peer_scratch_close(&w->scratch);
    HF_ASSERT(w->mem.used_bytes == 0);
}

static void reason_check(const struct world *w)
{
    size_t size = strnlen(w->reason, w->reason_size);
    HF_ASSERT(size < w->reason_size);
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = (unsigned char)w->reason[i];
        HF_ASSERT(byte >= ' ' && byte != 127);
    }
}

static void hello_run(struct world *w, const struct hf_frame_header *header,
                      struct hf_slice payload)
{
    struct hf_hello hello;
    struct hf_hello again;
    if (!hf_frame_read_hello(payload, &hello)) {
        return;
    }
    memset(w->reason, 'x', w->reason_size);
    const char *why = hf_hello_judge(&w->ours, &hello, header->destination,
                                     w->reason, w->reason_size);
    HF_ASSERT(why == NULL || why == w->reason);
    if (why != NULL) {
        reason_check(w);
    }
    if (hello.version != HF_PROTOCOL_VERSION) {
        return;
    }
    hf_buffer_clear(&w->again);
    hf_frame_write_hello(&w->again, header->type, &hello, header->destination);
    HF_ASSERT(!w->again.failed);
    struct hf_slice written = {w->again.data + HF_FRAME_HEADER_BYTES,
                               w->again.size - HF_FRAME_HEADER_BYTES};
    HF_ASSERT(hf_frame_is_intact(w->again.data, written));
    HF_ASSERT(hf_frame_read_hello(written, &again));
    HF_ASSERT(memcmp(&hello.info, &again.info, sizeof(again.info)) == 0);
    HF_ASSERT(strcmp(hello.cluster_name, again.cluster_name) == 0);
    HF_ASSERT(hello.channel == again.channel && hello.session == again.session);
}

/* Whether the session goes on. */
static bool messages_run(struct world *w, const struct hf_frame_header *header,
                         struct hf_slice payload)
{
    enum hf_link_verdict verdict = hf_link_judge(&w->receiver, header);
    if (verdict != HF_LINK_DELIVER) {
        return verdict == HF_LINK_REPEATED;
    }
    struct hf_reader reader = hf_reader_of(payload);
    struct hf_message message;
    int status;
    while ((status = hf_peer_decode(&reader, &w->scratch, &message)) == 1) {
        HF_ASSERT(reader.offset <= payload.size);
    }
    return status == 0;
}

static bool frame_run(struct world *w, const struct hf_frame_header *header,
                      struct hf_slice payload)
{
    switch (header->type) {
    case HF_FRAME_HELLO:
    case HF_FRAME_WELCOME:
        hello_run(w, header, payload);
        return true;
    case HF_FRAME_REFUSAL:
        memset(w->reason, 'x', w->reason_size);
        hf_frame_read_refusal(payload, w->reason, w->reason_size);
        reason_check(w);
        return true;
    case HF_FRAME_MESSAGES:
        return messages_run(w, header, payload);
    }
    HF_ASSERT(header->type == HF_FRAME_HELLO); /* No such type. */
    return false;
}

static void version_fill(uint8_t *byte)
{
    *byte = *byte == 0 ? HF_PROTOCOL_VERSION : *byte;
}

static void frames_run(struct world *w, bool believes, uint8_t *data,
                       size_t size)
{
    size_t offset = 0;
    bool goes_on = true;
    while (goes_on && size - offset >= HF_FRAME_HEADER_BYTES) {
        uint8_t *bytes = data + offset;
        struct hf_frame_header header;
        const char *reason = NULL;
        version_fill(bytes + VERSION_AT);
        int rv = hf_frame_read_header(bytes, &header, &reason);
        HF_ASSERT(rv == 0 || (rv == HF_EPROTO && reason != NULL));
        offset += HF_FRAME_HEADER_BYTES;
        if (rv != 0 || header.payload_size > size - offset) {
            return;
        }
        struct hf_slice payload = {data + offset, header.payload_size};
        if (payload.size > 0 && header.type != HF_FRAME_MESSAGES) {
            version_fill(data + offset);
        }
        offset += payload.size;
        goes_on = (hf_frame_is_intact(bytes, payload) || believes) &&
                  frame_run(w, &header, payload);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    struct world w;
    world_open(&w, 1 + (size_t)data[0] % REASON_MAX);
    bool believes = (data[1] & 1) != 0;
    size -= 2;
    uint8_t *copy = malloc(size == 0 ? 1 : size);
    HF_ASSERT(copy != NULL);
    memcpy(copy, data + 2, size);
    frames_run(&w, believes, copy, size);
    free(copy);
    world_close(&w);
    return 0;
}
