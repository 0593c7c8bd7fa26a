/* reply.h - What a command answers, independent of any protocol version.
 *
 * The common replies are one struct with borrowed bytes, so that a GET copies
 * its value once, into the client's output. Anything nested is a sequence of
 * tokens in a buffer:
 *
 *   array 2            written by hf_reply_put_array(buffer, 2)
 *     bulk "a"         hf_reply_put_bulk(buffer, ...)
 *     map 1            hf_reply_put_map(buffer, 1)
 *       bulk "k"
 *       integer 7
 *
 * Tokens also are how a reply travels between nodes and waits for its turn. */
#ifndef HF_CORE_REPLY_H
#define HF_CORE_REPLY_H

#include "base/bytes.h"

enum hf_reply_kind {
    HF_REPLY_NIL,
    HF_REPLY_STATUS,  /* bytes: "OK", without the '+'. */
    HF_REPLY_ERROR,   /* bytes: "ERR text", without the '-'. */
    HF_REPLY_INTEGER, /* integer. */
    HF_REPLY_BULK,    /* bytes. */
    HF_REPLY_NESTED,  /* bytes: tokens, one complete value. */
};

struct hf_reply {
    enum hf_reply_kind kind;
    int64_t integer;
    struct hf_slice bytes; /* Borrowed; whoever hands it on says how long. */
};

enum hf_token_kind {
    HF_TOKEN_NIL,
    HF_TOKEN_NIL_ARRAY, /* RESP2 "*-1", RESP3 "_". */
    HF_TOKEN_STATUS,
    HF_TOKEN_ERROR,
    HF_TOKEN_INTEGER,
    HF_TOKEN_BULK,
    HF_TOKEN_VERBATIM, /* RESP3 "=txt:", RESP2 bulk. */
    HF_TOKEN_ARRAY,    /* count elements follow. */
    HF_TOKEN_MAP,      /* count pairs follow; RESP2: an array of 2 * count. */
    HF_TOKEN_SET,      /* count elements; RESP2: an array. */
    HF_TOKEN_DOUBLE,   /* RESP3 ",1.5", RESP2 bulk. */
    HF_TOKEN_PAIRS,    /* count PAIRs follow; RESP2: an array of 2 * count. */
    HF_TOKEN_PAIR,     /* Two elements follow; RESP3: an array, RESP2: just
                        * those. Only in PAIRS. */
    HF_TOKEN_PUSH,     /* count elements; RESP3 ">": no answer to a command;
                        * RESP2: an array. */
};

/* An answer larger than this is an error instead: it would not fit a frame
 * between nodes, nor what is kept for a client that reads slowly. */
#define HF_REPLY_BYTES_MAX ((size_t)32 << 20)
#define HF_REPLY_TOO_LARGE "ERR the answer would be larger than 32 MiB"

/* Nesting deeper than this is refused by hf_reply_decode. */
#define HF_REPLY_DEPTH_MAX 8

struct hf_token {
    enum hf_token_kind kind;
    int64_t integer;       /* INTEGER. */
    uint32_t count;        /* ARRAY, MAP, SET, PUSH, PAIRS. */
    struct hf_slice bytes; /* STATUS, ERROR, BULK, VERBATIM, DOUBLE: borrowed.
                            */
};

struct hf_reply hf_reply_nil(void);
struct hf_reply hf_reply_ok(void);
struct hf_reply hf_reply_integer(int64_t integer);
struct hf_reply hf_reply_bulk(struct hf_slice bytes);
/* @text: static text with its code, "ERR syntax error". */
struct hf_reply hf_reply_error(const char *text);
/* The tokens of one complete value in @buffer, borrowed from it. */
struct hf_reply hf_reply_nested(const struct hf_buffer *buffer);

void hf_reply_put_nil(struct hf_buffer *buffer);
void hf_reply_put_nil_array(struct hf_buffer *buffer);
void hf_reply_put_status(struct hf_buffer *buffer, struct hf_slice text);
void hf_reply_put_error(struct hf_buffer *buffer, struct hf_slice text);
void hf_reply_put_integer(struct hf_buffer *buffer, int64_t integer);
void hf_reply_put_bulk(struct hf_buffer *buffer, struct hf_slice bytes);
void hf_reply_put_verbatim(struct hf_buffer *buffer, struct hf_slice text);
void hf_reply_put_array(struct hf_buffer *buffer, uint32_t count);
void hf_reply_put_map(struct hf_buffer *buffer, uint32_t count);
void hf_reply_put_set(struct hf_buffer *buffer, uint32_t count);
void hf_reply_put_double(struct hf_buffer *buffer, double value);
/* @count pairs follow, each begun by hf_reply_put_pair. */
void hf_reply_put_pairs(struct hf_buffer *buffer, uint32_t count);
void hf_reply_put_pair(struct hf_buffer *buffer);
void hf_reply_put_push(struct hf_buffer *buffer, uint32_t count);

/* Appends any reply as tokens. */
void hf_reply_encode(const struct hf_reply *reply, struct hf_buffer *buffer);

/* Reads one complete value that fills @tokens exactly. Bytes of @reply borrow
 * from @tokens. False when @tokens is malformed (it may come from a peer). */
HF_NODISCARD bool hf_reply_decode(struct hf_slice tokens,
                                  struct hf_reply *reply);

/* How many values @token says come next, as its own elements. */
uint64_t hf_token_elements(const struct hf_token *token);

/* Reads the next token; false at the end or when malformed. */
HF_NODISCARD bool hf_token_next(struct hf_reader *reader,
                                struct hf_token *token);

#endif
