/* resp.h - The Redis serialisation protocol, versions 2 and 3, and inline
 * commands, as https://redis.io/docs/latest/develop/reference/protocol-spec/
 * describes them.
 *
 * The parser looks at the bytes that are there and either finds one whole
 * command, wants more, or refuses. Slices point into the input (arguments of
 * inline commands, which may be quoted, into a copy).
 *
 *   *2\r\n $3\r\nGET\r\n $4\r\ncart\r\n
 *   ^      ^             ^
 *   count  argument      `offset`: where the next look starts
 *
 * A command that comes in pieces is looked at once: after PARTIAL the parser
 * remembers how far it came, as offsets, so the input may have moved. What it
 * decides does not depend on how the bytes were cut, and it decides as early
 * as the bytes allow: an announced length over a limit is refused before the
 * first byte of what was announced. As in Redis, the two bytes of a line end
 * after a length or an argument are skipped, not compared. */
#ifndef HF_WIRE_RESP_H
#define HF_WIRE_RESP_H

#include "base/bytes.h"
#include "core/reply.h"

enum hf_resp_status {
    HF_RESP_OK,      /* A whole command (argc may be 0: an empty line). */
    HF_RESP_PARTIAL, /* More bytes are needed. */
    HF_RESP_ERROR,   /* Not RESP, or over a limit: answer and close. */
};

/* A line with a length ("*3", "$5") is never longer than this; Redis has room
 * for 64 KiB of digits there. */
#define HF_RESP_LENGTH_BYTES_MAX 64

struct hf_resp_limits {
    uint32_t argument_count_max;
    size_t bulk_bytes_max;    /* One argument. */
    size_t command_bytes_max; /* All of one command. */
    size_t inline_bytes_max;  /* One inline line. */
};

/* A parsed command. @argv has room for capacity slices and grows by @mem. */
struct hf_resp_command {
    struct hf_mem *mem;
    struct hf_slice *argv;
    uint32_t argc;
    uint32_t capacity;
    size_t consumed;        /* OK: bytes of input the command took. */
    size_t wanted;          /* PARTIAL: with less than that many bytes in all
                             * there is nothing new to find out. */
    const char *error_text; /* ERROR: "ERR Protocol error: ...", valid until
                             * the next call; NULL: out of memory. */
    /* Private from here on. */
    bool partial;          /* The last call wanted more. */
    uint32_t expected;     /* Arguments announced; 0: not known yet. */
    size_t offset;         /* All bytes before this one are dealt with. */
    size_t *starts;        /* Offset of each argument, as argv. */
    struct hf_buffer line; /* Inline arguments without their quotes. */
    char error_bytes[48];
};

void hf_resp_command_init(struct hf_resp_command *command, struct hf_mem *mem);
void hf_resp_command_close(struct hf_resp_command *command);

/* The command is not needed any more: gives back what only a large one takes.
 * The next call of hf_resp_parse does so, too, but may never come. */
void hf_resp_command_trim(struct hf_resp_command *command);

/* Parses the first command in @input and never reads beyond it. After PARTIAL
 * call again with the same bytes, which may lie elsewhere, and at least one
 * more; calling with less than `wanted` is harmless and useless. After OK or
 * ERROR the next call starts anew. The time for all calls of one command is
 * linear in its size, plus at most HF_RESP_LENGTH_BYTES_MAX for each call. */
enum hf_resp_status hf_resp_parse(struct hf_resp_command *command,
                                  struct hf_slice input,
                                  const struct hf_resp_limits *limits);

/* The same for nearly every command: one that is all there, within the limits,
 * with at most @argc_max arguments, and not inline. Finds its arguments, which
 * point into @input, and returns the bytes it takes. 0: hf_resp_parse knows
 * better. Nothing is remembered, so it does for commands that may not run yet.
 */
size_t hf_resp_parse_plain(struct hf_slice input,
                           const struct hf_resp_limits *limits,
                           struct hf_slice *argv, uint32_t argc_max,
                           uint32_t *argc);

/* Appends @reply as RESP of @version 2 or 3. Line ends inside of a status or
 * an error become spaces. When the tokens of a nested reply are not exactly
 * one value, nothing is appended and @out is marked failed: half a reply would
 * shift all later ones. */
void hf_resp_write(struct hf_buffer *out, const struct hf_reply *reply,
                   int version);

#endif
