/* micro.c - What single operations cost, for a tool that counts instructions.
 *
 * Each benchmark is a function bench_<name>, called once by way of a table,
 * that does OPERATIONS operations; what it needs is made ready before.
 * budgets.py runs this program under callgrind, which counts only inside of
 * these functions. Without arguments it runs all and prints "<name>
 * <operations>"; seeds are fixed. */
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/rng.h"
#include "bench/pair.h"
#include "core/effects.h"
#include "core/expiry.h"
#include "core/sessions.h"

#define OPERATIONS 2048
#define BATCH 16
#define SESSIONS 4096
#define VALUE_BYTES 1024
#define KEY_BYTES 13
#define KEY_FORMAT "sess:%08u"
#define MEMBERS_FEW 1000
#define MEMBERS_MANY 100000
#define NOW 5000
#define TTL_MS 3600000
#define VERSION ((struct hf_version){2, 5})
/* "$1024\r\n", the value, "\r\n". */
#define GET_ANSWER_BYTES (VALUE_BYTES + 9)
#define SET_ANSWER_BYTES 5    /* "+OK\r\n" */
#define EXPIRE_ANSWER_BYTES 4 /* ":1\r\n" */

enum { ALONE, PRIMARY, BACKUP, KEY_SETS };

struct commands {
    struct hf_buffer bytes;
    size_t ends[OPERATIONS + 1]; /* Of command i: ends[i] to ends[i + 1]. */
};

struct micro {
    struct hf_mem mem;
    struct hf_rng rng;
    char keys[SESSIONS][KEY_BYTES + 1];
    uint32_t order[OPERATIONS]; /* Sessions, drawn. */
    uint8_t value[VALUE_BYTES];
    struct hf_expiry expiry;
    struct hf_sessions full;  /* All SESSIONS. */
    struct hf_sessions fresh; /* Empty at first. */
    struct hf_sessions types; /* Sets and sorted sets. */
    struct hf_buffer effects;
    struct hf_buffer out;
    struct hf_peer_scratch scratch;
    struct hf_resp_command parsed;
    struct hf_resp_limits limits;
    uint64_t seen; /* Keeps results from being thrown away. */
    struct pair alone;
    struct pair both;
    /* GET, SET and EXPIRE of keys that the first of two nodes is the primary
     * of, or the backup of; of any for a node alone. */
    struct commands get[KEY_SETS];
    struct commands set[KEY_SETS];
    struct commands expire[KEY_SETS];
};

static struct hf_slice key_of(const struct micro *m, uint32_t session)
{
    return (struct hf_slice){(const uint8_t *)m->keys[session], KEY_BYTES};
}

static struct hf_slice value_of(const struct micro *m)
{
    return (struct hf_slice){m->value, VALUE_BYTES};
}

/* The parser and the writer. */

static void parse(struct micro *m, const struct commands *commands)
{
    struct hf_slice rest = hf_buffer_slice(&commands->bytes);
    for (unsigned i = 0; i < OPERATIONS; i++) {
        HF_ASSERT(hf_resp_parse(&m->parsed, rest, &m->limits) == HF_RESP_OK);
        rest.data += m->parsed.consumed;
        rest.size -= m->parsed.consumed;
        m->seen += m->parsed.argc;
    }
}

static void bench_parse_get(struct micro *m)
{
    parse(m, &m->get[ALONE]);
}

static void bench_parse_set(struct micro *m)
{
    parse(m, &m->set[ALONE]);
}

static void bench_write_bulk(struct micro *m)
{
    struct hf_reply reply = {.kind = HF_REPLY_BULK, .bytes = value_of(m)};
    for (unsigned i = 0; i < OPERATIONS; i++) {
        if (i % BATCH == 0) {
            hf_buffer_clear(&m->out);
        }
        hf_resp_write(&m->out, &reply, 2);
    }
}

/* The table of a partition. */

static void session_apply(struct micro *m, struct hf_sessions *sessions,
                          uint32_t session)
{
    struct hf_slice key = key_of(m, session);
    HF_ASSERT(hf_sessions_apply(sessions, key, hf_sessions_hash(key), VERSION,
                                hf_buffer_slice(&m->effects), NOW) == 0);
}

static void session_put(struct micro *m, struct hf_sessions *sessions,
                        uint32_t session)
{
    hf_buffer_clear(&m->effects);
    hf_effects_put(&m->effects, value_of(m), TTL_MS);
    session_apply(m, sessions, session);
}

static void bench_sessions_get(struct micro *m)
{
    for (unsigned i = 0; i < OPERATIONS; i++) {
        struct hf_slice key = key_of(m, m->order[i]);
        struct hf_session *found =
            hf_sessions_find(&m->full, key, hf_sessions_hash(key));
        HF_ASSERT(found != NULL);
        m->seen += hf_session_value(found).size;
    }
}

static void bench_sessions_set(struct micro *m)
{
    for (unsigned i = 0; i < OPERATIONS; i++) {
        session_put(m, &m->full, m->order[i]);
    }
}

static void bench_sessions_expire(struct micro *m)
{
    for (unsigned i = 0; i < OPERATIONS; i++) {
        hf_buffer_clear(&m->effects);
        hf_effects_expire(&m->effects, TTL_MS + i);
        session_apply(m, &m->full, m->order[i]);
    }
}

static void bench_sessions_insert(struct micro *m)
{
    for (uint32_t i = 0; i < OPERATIONS; i++) {
        session_put(m, &m->fresh, i);
    }
}

static void bench_sessions_delete(struct micro *m)
{
    for (uint32_t i = 0; i < OPERATIONS; i++) {
        hf_buffer_clear(&m->effects);
        hf_effects_delete(&m->effects);
        session_apply(m, &m->fresh, i);
    }
    HF_ASSERT(m->fresh.count == 0);
}

static void on_visit(void *user, const struct hf_session *session)
{
    struct micro *m = user;
    m->seen += hf_session_key(session).size;
}

/* An operation is one session seen; ten at a time, as SCAN by default. */
static void bench_sessions_scan(struct micro *m)
{
    uint64_t seen = m->seen;
    for (uint64_t position = 0;
         position != HF_SESSIONS_END &&
         m->seen - seen < (uint64_t)OPERATIONS * KEY_BYTES;) {
        position = hf_sessions_scan(&m->full, position, 10, on_visit, m);
    }
}

/* Sets and sorted sets: how much dearer is one member more or less when there
 * are a hundred times as many? */

static void member_effect(struct micro *m, uint32_t member, bool scored,
                          bool add)
{
    char text[KEY_BYTES + 1];
    (void)snprintf(text, sizeof(text), KEY_FORMAT, member);
    struct hf_slice name = {(const uint8_t *)text, KEY_BYTES};
    if (scored && add) {
        hf_effects_score(&m->effects, name, (double)(member * 7919U % 100003U));
    } else if (scored) {
        hf_effects_unscore(&m->effects, name);
    } else if (add) {
        hf_effects_member(&m->effects, name);
    } else {
        hf_effects_unmember(&m->effects, name);
    }
}

static void types_apply(struct micro *m, const char *key)
{
    struct hf_slice name = hf_slice_text(key);
    HF_ASSERT(hf_sessions_apply(&m->types, name, hf_sessions_hash(name),
                                VERSION, hf_buffer_slice(&m->effects),
                                NOW) == 0);
}

static void types_fill(struct micro *m, const char *key, bool scored,
                       uint32_t count)
{
    hf_buffer_clear(&m->effects);
    for (uint32_t i = 0; i < count; i++) {
        member_effect(m, i, scored, true);
    }
    types_apply(m, key);
}

/* Adds a member and takes it out again, all over the order. */
static void members_change(struct micro *m, const char *key, bool scored)
{
    for (uint32_t i = 0; i < OPERATIONS; i++) {
        hf_buffer_clear(&m->effects);
        member_effect(m, MEMBERS_MANY + i / 2, scored, i % 2 == 0);
        types_apply(m, key);
    }
}

static void bench_set_of_1000(struct micro *m)
{
    members_change(m, "set:few", false);
}

static void bench_set_of_100000(struct micro *m)
{
    members_change(m, "set:many", false);
}

static void bench_sorted_of_1000(struct micro *m)
{
    members_change(m, "sorted:few", true);
}

static void bench_sorted_of_100000(struct micro *m)
{
    members_change(m, "sorted:many", true);
}

static void types_prepare(struct micro *m)
{
    hf_sessions_init(&m->types, &m->mem, &m->expiry, 0);
    types_fill(m, "set:few", false, MEMBERS_FEW);
    types_fill(m, "set:many", false, MEMBERS_MANY);
    types_fill(m, "sorted:few", true, MEMBERS_FEW);
    types_fill(m, "sorted:many", true, MEMBERS_MANY);
    hf_buffer_close(&m->effects);
}

/* Frames between nodes. */

static void frame_take(struct micro *m)
{
    struct hf_frame_header header;
    const char *reason;
    struct hf_slice payload = {m->out.data + HF_FRAME_HEADER_BYTES,
                               m->out.size - HF_FRAME_HEADER_BYTES};
    HF_ASSERT(hf_frame_read_header(m->out.data, &header, &reason) == 0);
    HF_ASSERT(hf_frame_is_intact(m->out.data, payload));
    struct hf_reader reader = hf_reader_of(payload);
    struct hf_message message;
    while (hf_peer_decode(&reader, &m->scratch, &message) == 1) {
        m->seen += (uint64_t)message.type;
    }
    HF_ASSERT(!reader.failed);
}

static void frame_make(struct micro *m, const struct hf_message *message)
{
    hf_buffer_clear(&m->out);
    hf_frame_begin(&m->out);
    for (unsigned i = 0; i < BATCH; i++) {
        hf_peer_encode(&m->out, message);
    }
    hf_frame_seal(&m->out, 1, 1, 77);
    HF_ASSERT(!m->out.failed);
}

/* Borrows m->effects. */
static struct hf_message record_of(struct micro *m)
{
    struct hf_message message = {.type = HF_MESSAGE_RECORD};
    message.record = (struct hf_record_message){
        .epoch = 1,
        .number = 1,
        .record = {.kind = HF_RECORD_WRITE,
                   .partition = 7,
                   .version = VERSION,
                   .key = key_of(m, 0),
                   .effects = hf_buffer_slice(&m->effects)},
    };
    return message;
}

static void effects_fill(struct micro *m)
{
    hf_buffer_clear(&m->effects);
    hf_effects_put(&m->effects, value_of(m), TTL_MS);
}

static void bench_encode_record(struct micro *m)
{
    effects_fill(m);
    struct hf_message message = record_of(m);
    for (unsigned i = 0; i < OPERATIONS / BATCH; i++) {
        frame_make(m, &message);
    }
}

static void bench_decode_record(struct micro *m)
{
    /* The frame is the last that was encoded. */
    for (unsigned i = 0; i < OPERATIONS / BATCH; i++) {
        frame_take(m);
    }
}

static void bench_encode_ack(struct micro *m)
{
    struct hf_message message = {.type = HF_MESSAGE_ACK};
    message.ack = (struct hf_ack){.epoch = 1, .number = 5};
    for (unsigned i = 0; i < OPERATIONS / BATCH; i++) {
        frame_make(m, &message);
    }
}

static void bench_decode_ack(struct micro *m)
{
    for (unsigned i = 0; i < OPERATIONS / BATCH; i++) {
        frame_take(m);
    }
}

/* Whole commands, from bytes to bytes. */

static void ask(struct pair *pair, const struct commands *commands,
                unsigned batch, size_t answer_bytes)
{
    for (unsigned i = 0; i < OPERATIONS; i += batch) {
        struct hf_slice bytes = {commands->bytes.data + commands->ends[i],
                                 commands->ends[i + batch] - commands->ends[i]};
        pair_ask(pair, 0, bytes, batch * answer_bytes);
    }
}

/* What a node answers to a command of a client at it: the name says whether
 * the node is alone, or of two the primary or the backup of the keys; then
 * whether BATCH commands come at once or each has a turn of its own. */
#define BENCH_ASK(name, pair, keys, command, batch, answer_bytes)              \
    static void bench_##name(struct micro *m)                                  \
    {                                                                          \
        ask(&m->pair, &m->command[keys], batch, answer_bytes);                 \
    }

BENCH_ASK(alone_get, alone, ALONE, get, BATCH, GET_ANSWER_BYTES)
BENCH_ASK(alone_set, alone, ALONE, set, BATCH, SET_ANSWER_BYTES)
BENCH_ASK(alone_expire, alone, ALONE, expire, BATCH, EXPIRE_ANSWER_BYTES)
BENCH_ASK(alone_get_single, alone, ALONE, get, 1, GET_ANSWER_BYTES)
BENCH_ASK(alone_set_single, alone, ALONE, set, 1, SET_ANSWER_BYTES)
BENCH_ASK(primary_get, both, PRIMARY, get, BATCH, GET_ANSWER_BYTES)
BENCH_ASK(primary_set, both, PRIMARY, set, BATCH, SET_ANSWER_BYTES)
BENCH_ASK(primary_set_single, both, PRIMARY, set, 1, SET_ANSWER_BYTES)
BENCH_ASK(primary_expire, both, PRIMARY, expire, BATCH, EXPIRE_ANSWER_BYTES)
BENCH_ASK(backup_get, both, BACKUP, get, BATCH, GET_ANSWER_BYTES)
BENCH_ASK(backup_set, both, BACKUP, set, BATCH, SET_ANSWER_BYTES)
BENCH_ASK(backup_set_single, both, BACKUP, set, 1, SET_ANSWER_BYTES)

/* Preparation. */

static void commands_start(struct micro *m, struct commands *commands,
                           unsigned index)
{
    if (index == 0) {
        hf_buffer_init(&commands->bytes, &m->mem);
    }
    commands->ends[index] = commands->bytes.size;
}

static void commands_add(struct micro *m, int keys, unsigned index,
                         uint32_t session)
{
    struct commands *get = &m->get[keys];
    struct commands *set = &m->set[keys];
    struct commands *expire = &m->expire[keys];
    commands_start(m, get, index);
    commands_start(m, set, index);
    commands_start(m, expire, index);
    hf_buffer_append_format(&get->bytes, "*2\r\n$3\r\nGET\r\n$13\r\n%s\r\n",
                            m->keys[session]);
    hf_buffer_append_format(&set->bytes,
                            "*5\r\n$3\r\nSET\r\n$13\r\n%s\r\n$1024\r\n",
                            m->keys[session]);
    hf_buffer_append(&set->bytes, m->value, VALUE_BYTES);
    hf_buffer_append_text(&set->bytes, "\r\n$2\r\nEX\r\n$4\r\n3600\r\n");
    hf_buffer_append_format(&expire->bytes,
                            "*3\r\n$6\r\nEXPIRE\r\n$13\r\n%s\r\n$4\r\n3600\r\n",
                            m->keys[session]);
    get->ends[index + 1] = get->bytes.size;
    set->ends[index + 1] = set->bytes.size;
    expire->ends[index + 1] = expire->bytes.size;
}

static void commands_prepare(struct micro *m)
{
    unsigned counts[KEY_SETS] = {0};
    for (unsigned i = 0; i < OPERATIONS; i++) {
        commands_add(m, ALONE, i, m->order[i]);
    }
    while (counts[PRIMARY] < OPERATIONS || counts[BACKUP] < OPERATIONS) {
        uint32_t session = (uint32_t)hf_rng_below(&m->rng, SESSIONS);
        bool ours = pair_is_primary(&m->both, 0, key_of(m, session));
        int keys = ours ? PRIMARY : BACKUP;
        if (counts[keys] < OPERATIONS) {
            commands_add(m, keys, counts[keys]++, session);
        }
    }
}

/* Writes all sessions, so that no measured SET is the first one. */
static void fill(struct micro *m, struct pair *pair)
{
    struct hf_buffer bytes;
    hf_buffer_init(&bytes, &m->mem);
    for (uint32_t i = 0; i < SESSIONS; i++) {
        hf_buffer_clear(&bytes);
        hf_buffer_append_format(
            &bytes, "*5\r\n$3\r\nSET\r\n$13\r\n%s\r\n$1024\r\n", m->keys[i]);
        hf_buffer_append(&bytes, m->value, VALUE_BYTES);
        hf_buffer_append_text(&bytes, "\r\n$2\r\nEX\r\n$4\r\n3600\r\n");
        pair_ask(pair, 0, hf_buffer_slice(&bytes), SET_ANSWER_BYTES);
    }
    hf_buffer_close(&bytes);
}

static void micro_open(struct micro *m)
{
    hf_mem_init_system(&m->mem);
    hf_rng_init(&m->rng, 1);
    memset(m->value, 'v', VALUE_BYTES);
    for (uint32_t i = 0; i < SESSIONS; i++) {
        (void)snprintf(m->keys[i], sizeof(m->keys[i]), KEY_FORMAT, i);
    }
    for (uint32_t i = 0; i < OPERATIONS; i++) {
        m->order[i] = (uint32_t)hf_rng_below(&m->rng, SESSIONS);
    }
    HF_ASSERT(hf_expiry_init(&m->expiry, &m->mem) == 0);
    hf_sessions_init(&m->full, &m->mem, &m->expiry, 1);
    hf_sessions_init(&m->fresh, &m->mem, &m->expiry, 2);
    hf_buffer_init(&m->effects, &m->mem);
    hf_buffer_init(&m->out, &m->mem);
    hf_peer_scratch_init(&m->scratch, &m->mem);
    hf_resp_command_init(&m->parsed, &m->mem);
    for (uint32_t i = 0; i < SESSIONS; i++) {
        session_put(m, &m->full, i);
    }
    pair_open(&m->alone, 1);
    pair_open(&m->both, 2);
    m->limits = m->alone.host[0].limits;
    types_prepare(m);
    commands_prepare(m);
    fill(m, &m->alone);
    fill(m, &m->both);
}

static void micro_close(struct micro *m)
{
    for (int keys = 0; keys < KEY_SETS; keys++) {
        hf_buffer_close(&m->get[keys].bytes);
        hf_buffer_close(&m->set[keys].bytes);
        hf_buffer_close(&m->expire[keys].bytes);
    }
    pair_close(&m->alone);
    pair_close(&m->both);
    hf_sessions_clear(&m->full);
    hf_sessions_clear(&m->fresh);
    hf_sessions_clear(&m->types);
    hf_expiry_close(&m->expiry);
    hf_buffer_close(&m->effects);
    hf_buffer_close(&m->out);
    hf_peer_scratch_close(&m->scratch);
    hf_resp_command_close(&m->parsed);
    HF_ASSERT(m->mem.used_bytes == 0);
}

struct row {
    const char *name;
    void (*run)(struct micro *m);
};

#define ROW(name)                                                              \
    {                                                                          \
#name, bench_##name                                                    \
    }

/* In this order: what decodes takes the frame that was encoded before it. */
static const struct row rows[] = {
    ROW(parse_get),         ROW(parse_set),        ROW(write_bulk),
    ROW(sessions_get),      ROW(sessions_set),     ROW(sessions_expire),
    ROW(sessions_insert),   ROW(sessions_delete),  ROW(sessions_scan),
    ROW(encode_record),     ROW(decode_record),    ROW(encode_ack),
    ROW(decode_ack),        ROW(alone_get),        ROW(alone_set),
    ROW(alone_expire),      ROW(alone_get_single), ROW(alone_set_single),
    ROW(primary_get),       ROW(primary_set),      ROW(primary_set_single),
    ROW(primary_expire),    ROW(backup_get),       ROW(backup_set),
    ROW(backup_set_single), ROW(set_of_1000),      ROW(set_of_100000),
    ROW(sorted_of_1000),    ROW(sorted_of_100000),
};

int main(void)
{
    static struct micro m;
    micro_open(&m);
    for (size_t i = 0; i < HF_ARRAY_COUNT(rows); i++) {
        rows[i].run(&m);
        printf("%s %u\n", rows[i].name, OPERATIONS);
    }
    micro_close(&m);
    return m.seen == 0; /* Not optimised away. */
}
