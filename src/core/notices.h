/* notices.h - What happened to a session, as subscribers are told: the
 * keyspace events of Redis.
 *
 * An apply function that changes something says so by hf_apply_notice, in the
 * order of Redis: HDEL of the last field is HF_NOTICE_HDEL, then
 * HF_NOTICE_DEL. The node publishes what its flags want when the record
 * commits. */
#ifndef HF_CORE_NOTICES_H
#define HF_CORE_NOTICES_H

#include "base/bytes.h"

/* What notify-keyspace-events asks for. */
enum hf_notice_flag {
    HF_NOTICES_KEYSPACE = 1 << 0, /* K: by __keyspace@N__:key */
    HF_NOTICES_KEYEVENT = 1 << 1, /* E: by __keyevent@N__:name */
    HF_NOTICES_GENERIC = 1 << 2,  /* g */
    HF_NOTICES_STRING = 1 << 3,   /* $ */
    HF_NOTICES_LIST = 1 << 4,     /* l */
    HF_NOTICES_SET = 1 << 5,      /* s */
    HF_NOTICES_HASH = 1 << 6,     /* h */
    HF_NOTICES_ZSET = 1 << 7,     /* z */
    HF_NOTICES_EXPIRED = 1 << 8,  /* x */
    HF_NOTICES_EVICTED = 1 << 9,  /* e: never happens here, */
    HF_NOTICES_STREAM = 1 << 10,  /* t: nor this, */
    HF_NOTICES_MODULE = 1 << 11,  /* d: nor this. */
    HF_NOTICES_MISS = 1 << 12,    /* m */
    HF_NOTICES_NEW = 1 << 13,     /* n */
    HF_NOTICES_ALL = 0xffc,       /* A: from g to d. */
    HF_NOTICES_EVERY = 0x3fff,
};

/* X(name of the constant, its class, as subscribers see it) */
#define HF_NOTICES(X)                                                          \
    X(APPEND, STRING, "append")                                                \
    X(COPY_TO, GENERIC, "copy_to")                                             \
    X(DEL, GENERIC, "del")                                                     \
    X(EXPIRE, GENERIC, "expire")                                               \
    X(EXPIRED, EXPIRED, "expired")                                             \
    X(HDEL, HASH, "hdel")                                                      \
    X(HINCRBY, HASH, "hincrby")                                                \
    X(HINCRBYFLOAT, HASH, "hincrbyfloat")                                      \
    X(HSET, HASH, "hset")                                                      \
    X(INCRBY, STRING, "incrby")                                                \
    X(INCRBYFLOAT, STRING, "incrbyfloat")                                      \
    X(KEYMISS, MISS, "keymiss")                                                \
    X(LINSERT, LIST, "linsert")                                                \
    X(LPOP, LIST, "lpop")                                                      \
    X(LPUSH, LIST, "lpush")                                                    \
    X(LREM, LIST, "lrem")                                                      \
    X(LSET, LIST, "lset")                                                      \
    X(LTRIM, LIST, "ltrim")                                                    \
    X(NEW, NEW, "new")                                                         \
    X(PERSIST, GENERIC, "persist")                                             \
    X(RENAME_FROM, GENERIC, "rename_from")                                     \
    X(RENAME_TO, GENERIC, "rename_to")                                         \
    X(RESTORE, GENERIC, "restore")                                             \
    X(RPOP, LIST, "rpop")                                                      \
    X(RPUSH, LIST, "rpush")                                                    \
    X(SADD, SET, "sadd")                                                       \
    X(SET, STRING, "set")                                                      \
    X(SETBIT, STRING, "setbit")                                                \
    X(SETRANGE, STRING, "setrange")                                            \
    X(SPOP, SET, "spop")                                                       \
    X(SREM, SET, "srem")                                                       \
    X(ZADD, ZSET, "zadd")                                                      \
    X(ZINCR, ZSET, "zincr")                                                    \
    X(ZPOPMAX, ZSET, "zpopmax")                                                \
    X(ZPOPMIN, ZSET, "zpopmin")                                                \
    X(ZREM, ZSET, "zrem")                                                      \
    X(ZREMRANGEBYLEX, ZSET, "zremrangebylex")                                  \
    X(ZREMRANGEBYRANK, ZSET, "zremrangebyrank")                                \
    X(ZREMRANGEBYSCORE, ZSET, "zremrangebyscore")

enum hf_notice {
#define HF_NOTICE_CONSTANT(name, of, text) HF_NOTICE_##name,
    HF_NOTICES(HF_NOTICE_CONSTANT)
#undef HF_NOTICE_CONSTANT
        HF_NOTICE_COUNT,
};

/* As in channels: "hset". */
struct hf_slice hf_notice_name(enum hf_notice notice);
/* Its class, one enum hf_notice_flag. */
uint32_t hf_notice_class(enum hf_notice notice);

/* Whether @flags want @notice on some channel. */
bool hf_notice_is_wanted(enum hf_notice notice, uint32_t flags);

/* Reads the letters of notify-keyspace-events. False when one is unknown. */
HF_NODISCARD bool hf_notice_flags_read(struct hf_slice letters,
                                       uint32_t *flags);
/* Appends them in the order in which Redis shows them. */
void hf_notice_flags_write(struct hf_buffer *out, uint32_t flags);

#endif
