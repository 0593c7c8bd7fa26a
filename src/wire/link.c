#include "wire/link.h"

#include <string.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/mutation.h"
#include "holdfast/error.h"
#include "wire/fields.h"

/* Where the fields of the header are. Magic, version, type, payload size and
 * checksum stay where they are in every version of the protocol, and so does
 * the version as the first byte of a HELLO: two versions must be able to read
 * that they differ. */
#define MAGIC_AT 0
#define VERSION_AT 4
#define TYPE_AT 5
#define ZEROS_AT 6 /* Two bytes. */
#define PAYLOAD_SIZE_AT 8
#define MORE_ZEROS_AT 12 /* Four bytes. */
#define SESSION_AT 16
#define SEQUENCE_AT 24
#define DESTINATION_AT 32
#define CHECKSUM_AT 40

#define MAGIC UINT32_C(0x54534648) /* "HFST" in the order of the bytes. */

/* Byte by byte and without loops, which compilers make one access of. */
static void write_u32(uint8_t *to, uint32_t value)
{
    to[0] = (uint8_t)value;
    to[1] = (uint8_t)(value >> 8);
    to[2] = (uint8_t)(value >> 16);
    to[3] = (uint8_t)(value >> 24);
}

static void write_u64(uint8_t *to, uint64_t value)
{
    write_u32(to, (uint32_t)value);
    write_u32(to + 4, (uint32_t)(value >> 32));
}

static uint32_t read_u32(const uint8_t *from)
{
    return (uint32_t)from[0] | (uint32_t)from[1] << 8 |
           (uint32_t)from[2] << 16 | (uint32_t)from[3] << 24;
}

static uint64_t read_u64(const uint8_t *from)
{
    return (uint64_t)read_u32(from) | (uint64_t)read_u32(from + 4) << 32;
}

/* The hash of the header seeds that of the payload: both are covered, and the
 * payload stays where it is. */
static uint64_t checksum_of(const uint8_t header[HF_FRAME_HEADER_BYTES],
                            struct hf_slice payload)
{
    uint8_t copy[HF_FRAME_HEADER_BYTES];
    memcpy(copy, header, sizeof(copy));
    write_u64(copy + CHECKSUM_AT, 0);
    uint64_t seed = hf_hash((struct hf_slice){copy, sizeof(copy)});
    return hf_hash_seeded(payload, seed);
}

static bool type_is_known(uint8_t type)
{
    return type >= HF_FRAME_HELLO && type <= HF_FRAME_MESSAGES;
}

static size_t payload_max(enum hf_frame_type type)
{
    return type == HF_FRAME_MESSAGES ? HF_FRAME_PAYLOAD_MAX
                                     : HF_HELLO_PAYLOAD_MAX;
}

int hf_frame_read_header(const uint8_t bytes[HF_FRAME_HEADER_BYTES],
                         struct hf_frame_header *header, const char **reason)
{
    uint8_t type = bytes[TYPE_AT];
    if (read_u32(bytes + MAGIC_AT) != MAGIC) {
        *reason = "not the protocol of Holdfast peers";
        return HF_EPROTO;
    }
    if (!type_is_known(type)) {
        *reason = "unknown type of frame";
        return HF_EPROTO;
    }
    header->type = (enum hf_frame_type)type;
    header->version = bytes[VERSION_AT];
    header->payload_size = read_u32(bytes + PAYLOAD_SIZE_AT);
    header->session = read_u64(bytes + SESSION_AT);
    header->sequence = read_u64(bytes + SEQUENCE_AT);
    header->destination = read_u64(bytes + DESTINATION_AT);
    header->checksum = read_u64(bytes + CHECKSUM_AT);
    if (header->payload_size > payload_max(header->type)) {
        *reason = "frame larger than its type may be";
        return HF_EPROTO;
    }
    if (header->version != HF_PROTOCOL_VERSION) {
        if (header->type == HF_FRAME_HELLO ||
            header->type == HF_FRAME_REFUSAL) {
            return 0; /* So that both sides can say why they part. */
        }
        *reason = "frame of another protocol version";
        return HF_EPROTO;
    }
    if (bytes[ZEROS_AT] != 0 || bytes[ZEROS_AT + 1] != 0 ||
        read_u32(bytes + MORE_ZEROS_AT) != 0) {
        *reason = "frame with unknown options";
        return HF_EPROTO;
    }
    return 0;
}

bool hf_frame_is_intact(const uint8_t bytes[HF_FRAME_HEADER_BYTES],
                        struct hf_slice payload)
{
    return read_u32(bytes + PAYLOAD_SIZE_AT) == payload.size &&
           (HF_MUTATED(ANY_CHECKSUM) ||
            read_u64(bytes + CHECKSUM_AT) == checksum_of(bytes, payload));
}

/* Fills the header at @start of @out for the payload that follows it to the
 * end of @out. A payload over its bound marks @out failed. */
static void seal(struct hf_buffer *out, size_t start,
                 const struct hf_frame_header *header)
{
    if (out->failed) {
        return;
    }
    HF_ASSERT(out->size >= start + HF_FRAME_HEADER_BYTES);
    uint8_t *bytes = out->data + start;
    struct hf_slice payload = {bytes + HF_FRAME_HEADER_BYTES,
                               out->size - start - HF_FRAME_HEADER_BYTES};
    if (payload.size > payload_max(header->type)) {
        out->failed = true;
        return;
    }
    memset(bytes, 0, HF_FRAME_HEADER_BYTES);
    write_u32(bytes + MAGIC_AT, MAGIC);
    bytes[VERSION_AT] = (uint8_t)header->version;
    bytes[TYPE_AT] = (uint8_t)header->type;
    write_u32(bytes + PAYLOAD_SIZE_AT, (uint32_t)payload.size);
    write_u64(bytes + SESSION_AT, header->session);
    write_u64(bytes + SEQUENCE_AT, header->sequence);
    write_u64(bytes + DESTINATION_AT, header->destination);
    write_u64(bytes + CHECKSUM_AT, checksum_of(bytes, payload));
}

/* Leaves room for a header; returns where it starts. */
static size_t begin(struct hf_buffer *out)
{
    size_t start = out->size;
    if (hf_buffer_reserve(out, HF_FRAME_HEADER_BYTES) != NULL) {
        hf_buffer_commit(out, HF_FRAME_HEADER_BYTES);
    }
    return start;
}

void hf_frame_write_hello(struct hf_buffer *out, enum hf_frame_type type,
                          const struct hf_hello *hello,
                          hf_incarnation destination)
{
    HF_ASSERT(type == HF_FRAME_HELLO || type == HF_FRAME_WELCOME);
    size_t start = begin(out);
    hf_buffer_put_u8(out, hello->version);
    hf_buffer_put_u8(out, (uint8_t)hello->channel);
    hf_buffer_put_u64(out, hello->session);
    hf_field_put_text(out, hello->cluster_name);
    hf_field_put_info(out, &hello->info);
    seal(out, start,
         &(struct hf_frame_header){.type = type,
                                   .version = hello->version,
                                   .session = hello->session,
                                   .destination = destination});
}

void hf_frame_write_refusal(struct hf_buffer *out, const char *reason)
{
    size_t size = strlen(reason);
    size_t start = begin(out);
    hf_buffer_append(out, reason,
                     size < HF_HELLO_PAYLOAD_MAX ? size : HF_HELLO_PAYLOAD_MAX);
    seal(out, start,
         &(struct hf_frame_header){.type = HF_FRAME_REFUSAL,
                                   .version = HF_PROTOCOL_VERSION});
}

void hf_frame_read_refusal(struct hf_slice payload, char *reason,
                           size_t reason_size)
{
    HF_ASSERT(reason_size > 0);
    size_t size = payload.size < reason_size ? payload.size : reason_size - 1;
    for (size_t i = 0; i < size; i++) {
        uint8_t byte = payload.data[i];
        reason[i] = (char)(byte < ' ' || byte == 127 ? '?' : byte);
    }
    reason[size] = '\0';
}

bool hf_frame_read_hello(struct hf_slice payload, struct hf_hello *hello)
{
    struct hf_reader reader = hf_reader_of(payload);
    memset(hello, 0, sizeof(*hello));
    hello->version = hf_reader_u8(&reader);
    if (reader.failed) {
        return false;
    }
    if (hello->version != HF_PROTOCOL_VERSION) {
        return true; /* What follows is not known; it will be refused. */
    }
    uint8_t channel = hf_reader_u8(&reader);
    if (channel >= HF_CHANNEL_COUNT) {
        return false;
    }
    hello->channel = (enum hf_channel)channel;
    hello->session = hf_reader_u64(&reader);
    return hf_field_read_text(&reader, hello->cluster_name,
                              sizeof(hello->cluster_name)) &&
           hf_field_read_info(&reader, &hello->info) &&
           hf_reader_left(&reader) == 0;
}

void hf_frame_begin(struct hf_buffer *frame)
{
    HF_ASSERT(frame->size == 0);
    begin(frame);
}

void hf_frame_seal(struct hf_buffer *frame, uint64_t session, uint64_t sequence,
                   hf_incarnation destination)
{
    seal(frame, 0,
         &(struct hf_frame_header){.type = HF_FRAME_MESSAGES,
                                   .version = HF_PROTOCOL_VERSION,
                                   .session = session,
                                   .sequence = sequence,
                                   .destination = destination});
}

/* A text under construction, cut at the end of its room. */
struct text {
    char *data;
    size_t room; /* Without the zero byte at the end. */
    size_t size;
};

static void text_add(struct text *text, const char *part)
{
    size_t size = strlen(part);
    if (size > text->room - text->size) {
        size = text->room - text->size;
    }
    memcpy(text->data + text->size, part, size);
    text->size += size;
    text->data[text->size] = '\0';
}

static void text_add_decimal(struct text *text, uint8_t value)
{
    char digits[4] = {0};
    size_t at = sizeof(digits) - 1;
    do {
        digits[--at] = (char)('0' + value % 10);
        value = (uint8_t)(value / 10);
    } while (value > 0);
    text_add(text, digits + at);
}

static void text_add_incarnation(struct text *text, hf_incarnation value)
{
    char digits[17] = {0};
    for (size_t i = 0; i < 16; i++) {
        digits[i] = "0123456789abcdef"[value >> (60 - 4 * i) & 15];
    }
    text_add(text, digits);
}

static void say_other_version(struct text *text, const struct hf_hello *ours,
                              const struct hf_hello *theirs)
{
    text_add(text, "a node of protocol version ");
    text_add_decimal(text, theirs->version);
    text_add(text, " cannot talk to node '");
    text_add(text, ours->info.name);
    text_add(text, "' of version ");
    text_add_decimal(text, ours->version);
}

static void say_other_cluster(struct text *text, const struct hf_hello *ours,
                              const struct hf_hello *theirs)
{
    text_add(text, "node '");
    text_add(text, theirs->info.name);
    text_add(text, "' belongs to cluster '");
    text_add(text, theirs->cluster_name);
    text_add(text, "', node '");
    text_add(text, ours->info.name);
    text_add(text, "' to cluster '");
    text_add(text, ours->cluster_name);
    text_add(text, "'");
}

static void say_same_node(struct text *text, const struct hf_hello *ours,
                          const struct hf_hello *theirs)
{
    if (theirs->info.incarnation == ours->info.incarnation) {
        text_add(text, "node '");
        text_add(text, ours->info.name);
        text_add(text, "' reached itself (incarnation ");
        text_add_incarnation(text, ours->info.incarnation);
        text_add(text, ")");
        return;
    }
    text_add(text, HF_REFUSAL_OUR_NAME "'");
    text_add(text, ours->info.name);
    text_add(text, "': incarnations ");
    text_add_incarnation(text, theirs->info.incarnation);
    text_add(text, " and ");
    text_add_incarnation(text, ours->info.incarnation);
}

static void say_other_destination(struct text *text,
                                  const struct hf_hello *ours,
                                  const struct hf_hello *theirs,
                                  hf_incarnation destination)
{
    text_add(text, "node '");
    text_add(text, theirs->info.name);
    text_add(text, "' looked for incarnation ");
    text_add_incarnation(text, destination);
    text_add(text, ", node '");
    text_add(text, ours->info.name);
    text_add(text, "' is ");
    text_add_incarnation(text, ours->info.incarnation);
}

const char *hf_hello_judge(const struct hf_hello *ours,
                           const struct hf_hello *theirs,
                           hf_incarnation destination, char *reason,
                           size_t reason_size)
{
    HF_ASSERT(reason_size > 0);
    struct text text = {.data = reason, .room = reason_size - 1};
    /* The version first: of another one, nothing else was read. */
    if (theirs->version != ours->version) {
        say_other_version(&text, ours, theirs);
        return reason;
    }
    if (!hf_field_text_is_sound(theirs->cluster_name,
                                sizeof(theirs->cluster_name)) ||
        !hf_field_info_is_sound(&theirs->info)) {
        text_add(&text, "a node introduced itself to node '");
        text_add(&text, ours->info.name);
        text_add(&text, "' with a malformed name, label, host or port");
        return reason;
    }
    if (strcmp(theirs->cluster_name, ours->cluster_name) != 0) {
        say_other_cluster(&text, ours, theirs);
        return reason;
    }
    if (theirs->info.id == ours->info.id) {
        say_same_node(&text, ours, theirs);
        return reason;
    }
    if (destination != 0 && destination != ours->info.incarnation) {
        say_other_destination(&text, ours, theirs, destination);
        return reason;
    }
    return NULL;
}

enum hf_link_verdict hf_link_judge(struct hf_link_receiver *receiver,
                                   const struct hf_frame_header *header)
{
    if (header->type != HF_FRAME_MESSAGES ||
        header->session != receiver->session ||
        header->destination != receiver->self || header->sequence == 0) {
        return HF_LINK_BROKEN;
    }
    if (header->sequence <= receiver->sequence) {
        return HF_MUTATED(REPEATED_FRAMES) ? HF_LINK_DELIVER : HF_LINK_REPEATED;
    }
    if (header->sequence != receiver->sequence + 1 &&
        !HF_MUTATED(LOST_FRAMES)) {
        return HF_LINK_BROKEN;
    }
    receiver->sequence = header->sequence;
    return HF_LINK_DELIVER;
}
