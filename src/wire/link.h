/* link.h - Frames and sessions between two nodes, without the socket.
 *
 * Everything between peers is frames: a fixed header (magic, protocol version,
 * type, payload length, session, sequence, destination incarnation, checksum)
 * and a payload. The dialler sends HELLO and must get WELCOME (or REFUSAL)
 * before anything else; from then on it sends MESSAGES frames with sequence 1,
 * 2, 3 ..., each a batch of peer messages. The acceptor sends nothing more.
 *
 *   dialler                         acceptor
 *     HELLO    ------------------->   judge: cluster, version, who
 *     <-------------- WELCOME or REFUSAL(why), then close
 *     MESSAGES 1 ----------------->   deliver
 *     MESSAGES 2 ----------------->   deliver
 *     MESSAGES 4 ----------------->   gap: the session is broken, close
 *
 * A repeated sequence is dropped, a gap or a wrong checksum breaks the session:
 * what it delivers is in order, and the node repeats what was lost. */
#ifndef HF_WIRE_LINK_H
#define HF_WIRE_LINK_H

#include "base/bytes.h"
#include "core/message.h"
#include "core/view.h"

#define HF_PROTOCOL_VERSION 4
#define HF_FRAME_HEADER_BYTES 48
#define HF_FRAME_PAYLOAD_MAX ((size_t)64 << 20) /* MESSAGES. */
#define HF_HELLO_PAYLOAD_MAX ((size_t)4096)     /* All else. */
#define HF_CLUSTER_NAME_BYTES_MAX 64

enum hf_frame_type {
    HF_FRAME_HELLO = 1,
    HF_FRAME_WELCOME = 2,
    HF_FRAME_REFUSAL = 3,
    HF_FRAME_MESSAGES = 4,
};

struct hf_frame_header {
    enum hf_frame_type type;
    uint8_t version;
    uint32_t payload_size;
    uint64_t session;
    uint64_t sequence;
    hf_incarnation destination; /* 0 in a HELLO to an unknown peer. */
    uint64_t checksum; /* XXH3 of header (checksum as 0) and payload. */
};

/* How both sides introduce themselves. */
struct hf_hello {
    uint8_t version; /* HF_PROTOCOL_VERSION of the sender. */
    enum hf_channel channel;
    /* Chosen by the dialler, larger each time; WELCOME repeats it. */
    uint64_t session;
    char cluster_name[HF_CLUSTER_NAME_BYTES_MAX + 1];
    struct hf_peer_info info;
};

/* Reads a header. Returns 0, or HF_EPROTO with a static text in *@reason:
 * wrong magic, unknown type, payload over the bound of its type. A HELLO of
 * another version is read, so that it can be refused politely, and so is the
 * REFUSAL that another version answers. */
HF_NODISCARD int
hf_frame_read_header(const uint8_t bytes[HF_FRAME_HEADER_BYTES],
                     struct hf_frame_header *header, const char **reason);

/* Whether the payload is the one the header was made for. */
bool hf_frame_is_intact(const uint8_t bytes[HF_FRAME_HEADER_BYTES],
                        struct hf_slice payload);

/* Appends a whole HELLO or WELCOME frame, a REFUSAL frame with @reason. */
void hf_frame_write_hello(struct hf_buffer *out, enum hf_frame_type type,
                          const struct hf_hello *hello,
                          hf_incarnation destination);
void hf_frame_write_refusal(struct hf_buffer *out, const char *reason);

/* Reads the payload of HELLO or WELCOME; false when malformed. Of another
 * version only @hello->version is set, the rest is zero: judge refuses it. */
HF_NODISCARD bool hf_frame_read_hello(struct hf_slice payload,
                                      struct hf_hello *hello);

/* Copies the reason of a REFUSAL, which a stranger wrote, into @reason: cut to
 * @reason_size (more than 0), without what would garble a log. */
void hf_frame_read_refusal(struct hf_slice payload, char *reason,
                           size_t reason_size);

/* Starts a MESSAGES frame in the empty buffer @frame: leaves room for the
 * header. Then append messages by hf_peer_encode, then seal, then check
 * frame->failed: out of memory, or more than HF_FRAME_PAYLOAD_MAX. */
void hf_frame_begin(struct hf_buffer *frame);
void hf_frame_seal(struct hf_buffer *frame, uint64_t session, uint64_t sequence,
                   hf_incarnation destination);

/* How the reason begins when it is ourselves that are called like that. */
#define HF_REFUSAL_OUR_NAME "two nodes are called "

/* Whether we take a session from @theirs: NULL, or why not, in @reason (text
 * for both logs; cut to its size). Refused: another protocol version, another
 * cluster name, ourselves, a destination that is not us, bad texts. */
const char *hf_hello_judge(const struct hf_hello *ours,
                           const struct hf_hello *theirs,
                           hf_incarnation destination, char *reason,
                           size_t reason_size);

/* The receiving end of a session. */
struct hf_link_receiver {
    uint64_t session;
    uint64_t sequence; /* Of the last frame taken. */
    hf_incarnation self;
};

enum hf_link_verdict {
    HF_LINK_DELIVER,
    HF_LINK_REPEATED, /* Drop it, the session goes on. */
    HF_LINK_BROKEN,   /* Close the session. */
};

/* Judges a MESSAGES frame whose checksum was right. */
enum hf_link_verdict hf_link_judge(struct hf_link_receiver *receiver,
                                   const struct hf_frame_header *header);

#endif
