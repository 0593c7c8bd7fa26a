#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "holdfast/error.h"
#include "support/expect_message.h"
#include "support/messages.h"
#include "wire/peer.h"

/* Encodings longer than this are cut and spoilt at some places only. */
#define EVERY_BYTE_MAX ((size_t)4096)
#define PLACES 300

struct fixture {
    struct messages *messages;
    struct hf_mem mem;
    struct hf_peer_scratch scratch;
    struct hf_buffer out;
    struct hf_buffer again;
};

static int open_fixture(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    if (f == NULL) {
        return -1;
    }
    f->messages = messages_create();
    hf_mem_init_system(&f->mem);
    hf_peer_scratch_init(&f->scratch, &f->mem);
    hf_buffer_init(&f->out, &f->mem);
    hf_buffer_init(&f->again, &f->mem);
    *state = f;
    return f->messages == NULL ? -1 : 0;
}

static int close_fixture(void **state)
{
    struct fixture *f = *state;
    messages_destroy(f->messages);
    hf_peer_scratch_close(&f->scratch);
    hf_buffer_close(&f->out);
    hf_buffer_close(&f->again);
    size_t used = f->mem.used_bytes;
    free(f);
    return used == 0 ? 0 : -1;
}

static void encode(struct fixture *f, const struct hf_message *message)
{
    hf_buffer_clear(&f->out);
    hf_peer_encode(&f->out, message);
    assert_false(f->out.failed);
}

/* Decodes a copy of exactly that size, so that the address sanitizer sees a
 * read past the end. What decodes has one encoding: the one it came from. */
static int decode_strictly(struct fixture *f, const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);
    assert_non_null(copy);
    if (size > 0) {
        memcpy(copy, data, size);
    }
    struct hf_reader reader = {.data = copy, .size = size};
    hf_buffer_clear(&f->again);
    struct hf_message message;
    int status = 1;
    while (status == 1) {
        status = hf_peer_decode(&reader, &f->scratch, &message);
        if (status == 1) {
            hf_peer_encode(&f->again, &message);
            assert_int_equal(f->again.size, reader.offset);
            assert_memory_equal(f->again.data, copy, reader.offset);
        }
    }
    free(copy);
    return status;
}

static int decode_changed(struct fixture *f, size_t at, uint8_t value)
{
    assert_in_range(at, 0, f->out.size - 1);
    f->out.data[at] = value;
    return decode_strictly(f, f->out.data, f->out.size);
}

static int encode_and_decode(struct fixture *f,
                             const struct hf_message *message)
{
    encode(f, message);
    return decode_strictly(f, f->out.data, f->out.size);
}

static const struct hf_message *sample(struct fixture *f,
                                       enum hf_message_type type)
{
    for (size_t i = 0; i < f->messages->count; i++) {
        if (f->messages->items[i].type == type) {
            return &f->messages->items[i];
        }
    }
    fail_msg("no sample of type %d", (int)type);
    return NULL;
}

static void every_message_comes_back_as_it_was(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < f->messages->count; i++) {
        encode(f, &f->messages->items[i]);
        struct hf_reader reader = hf_reader_of(hf_buffer_slice(&f->out));
        struct hf_message message;
        memset(&message, 0xa5, sizeof(message)); /* As on a stack. */
        assert_int_equal(hf_peer_decode(&reader, &f->scratch, &message), 1);
        if (message.type == HF_MESSAGE_RECORD) {
            assert_int_equal(message.record.record.hash, 0);
        }
        messages_expect_equal(&message, &f->messages->items[i]);
        assert_int_equal(hf_reader_left(&reader), 0);
        assert_int_equal(hf_peer_decode(&reader, &f->scratch, &message), 0);
    }
}

static void there_is_a_sample_of_every_type(void **state)
{
    struct fixture *f = *state;
    for (int type = 0; type < 256; type++) {
        enum hf_message_type t = (enum hf_message_type)type;
        if (strcmp(hf_message_name(t), "unknown") != 0) {
            assert_non_null(sample(f, t));
        }
    }
}

static void messages_follow_each_other_in_one_batch(void **state)
{
    struct fixture *f = *state;
    hf_buffer_clear(&f->out);
    for (size_t i = 0; i < f->messages->count; i++) {
        hf_peer_encode(&f->out, &f->messages->items[i]);
    }
    struct hf_reader reader = hf_reader_of(hf_buffer_slice(&f->out));
    struct hf_message message;
    for (size_t i = 0; i < f->messages->count; i++) {
        assert_int_equal(hf_peer_decode(&reader, &f->scratch, &message), 1);
        messages_expect_equal(&message, &f->messages->items[i]);
    }
    assert_int_equal(hf_peer_decode(&reader, &f->scratch, &message), 0);
}

/* The bytes are a promise to nodes of other builds. */
static void an_ack_has_these_bytes(void **state)
{
    struct fixture *f = *state;
    static const uint8_t bytes[] = {20,   8,    7,    6,    5,    4,
                                    3,    2,    1,    0x18, 0x17, 0x16,
                                    0x15, 0x14, 0x13, 0x12, 0x11};
    encode(f, &(struct hf_message){
                  .type = HF_MESSAGE_ACK,
                  .ack = {UINT64_C(0x0102030405060708),
                          UINT64_C(0x1112131415161718)},
              });
    assert_int_equal(f->out.size, sizeof(bytes));
    assert_memory_equal(f->out.data, bytes, sizeof(bytes));
}

static size_t stride_of(size_t size)
{
    return size <= EVERY_BYTE_MAX ? 1 : size / PLACES;
}

static void a_message_cut_anywhere_is_refused(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < f->messages->count; i++) {
        encode(f, &f->messages->items[i]);
        size_t whole = f->out.size;
        for (size_t size = 1; size < whole; size += stride_of(whole)) {
            assert_int_equal(decode_strictly(f, f->out.data, size), HF_EPROTO);
            assert_int_equal(f->again.size, 0);
        }
        assert_int_equal(decode_strictly(f, f->out.data, whole - 1), HF_EPROTO);
        assert_int_equal(decode_strictly(f, f->out.data, 0), 0);
    }
}

static void a_spoilt_byte_never_does_harm(void **state)
{
    struct fixture *f = *state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct hf_rng rng;
        hf_rng_init(&rng, seed);
        for (size_t i = 0; i < f->messages->count; i++) {
            encode(f, &f->messages->items[i]);
            size_t stride = stride_of(f->out.size);
            for (size_t at = 0; at < f->out.size; at += stride) {
                uint8_t was = f->out.data[at];
                uint8_t flip = (uint8_t)(1 + hf_rng_below(&rng, 255));
                int status = decode_changed(f, at, was ^ flip);
                assert_true(status == 0 || status == HF_EPROTO);
                f->out.data[at] = was;
            }
        }
    }
}

static void random_bytes_never_do_harm(void **state)
{
    struct fixture *f = *state;
    struct hf_rng rng;
    hf_rng_init(&rng, 4);
    for (int i = 0; i < 20000; i++) {
        uint8_t bytes[96];
        size_t size = hf_rng_below(&rng, sizeof(bytes) + 1);
        for (size_t j = 0; j < size; j++) {
            bytes[j] =
                (uint8_t)(hf_rng_chance(&rng, 1, 2) ? hf_rng_below(&rng, 26)
                                                    : hf_rng_next(&rng));
        }
        int status = decode_strictly(f, bytes, size);
        assert_true(status == 0 || status == HF_EPROTO);
    }
}

static void after_a_malformed_message_nothing_is_read(void **state)
{
    struct fixture *f = *state;
    struct hf_message message = *sample(f, HF_MESSAGE_HEARTBEAT);
    message.heartbeat.state = HF_STATE_MERGING + 1;
    encode(f, &message);
    hf_peer_encode(&f->out, sample(f, HF_MESSAGE_ACK));
    struct hf_reader reader = hf_reader_of(hf_buffer_slice(&f->out));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(hf_peer_decode(&reader, &f->scratch, &message),
                         HF_EPROTO);
    }
}

static void an_unknown_type_is_refused(void **state)
{
    struct fixture *f = *state;
    for (int type = 0; type < 256; type++) {
        if (strcmp(hf_message_name((enum hf_message_type)type), "unknown") !=
            0) {
            continue;
        }
        uint8_t bytes[64] = {(uint8_t)type};
        assert_int_equal(decode_strictly(f, bytes, sizeof(bytes)), HF_EPROTO);
    }
}

static void an_unknown_state_in_a_heartbeat_is_refused(void **state)
{
    struct fixture *f = *state;
    struct hf_message message = *sample(f, HF_MESSAGE_HEARTBEAT);
    message.heartbeat.state = HF_STATE_MERGING;
    assert_int_equal(encode_and_decode(f, &message), 0);
    message.heartbeat.state = HF_STATE_MERGING + 1;
    assert_int_equal(encode_and_decode(f, &message), HF_EPROTO);
}

static void an_unknown_kind_of_fork_is_refused(void **state)
{
    struct fixture *f = *state;
    struct hf_message message = *sample(f, HF_MESSAGE_PREPARE);
    message.prepare.fork = HF_FORK_TAKEOVER + 1;
    assert_int_equal(encode_and_decode(f, &message), HF_EPROTO);
}

static void a_merge_out_of_range_is_refused(void **state)
{
    struct fixture *f = *state;
    struct hf_message message = *sample(f, HF_MESSAGE_MERGE);
    message.merge.to = HF_SESSIONS_END + 1;
    assert_int_equal(encode_and_decode(f, &message), HF_EPROTO);
    message.merge.to = 4;
    message.merge.from = 5;
    assert_int_equal(encode_and_decode(f, &message), HF_EPROTO);
    message.merge.from = 4;
    assert_int_equal(encode_and_decode(f, &message), 0);
    message = *sample(f, HF_MESSAGE_MERGED);
    message.merged.to = HF_SESSIONS_END + 1;
    assert_int_equal(encode_and_decode(f, &message), HF_EPROTO);
}

static void a_partition_past_the_last_is_refused(void **state)
{
    struct fixture *f = *state;
    struct hf_message message = *sample(f, HF_MESSAGE_RECORD);
    message.record.record.partition = HF_PARTITION_COUNT;
    assert_int_equal(encode_and_decode(f, &message), HF_EPROTO);

    message = *sample(f, HF_MESSAGE_SUFFIX);
    message.suffix.record.partition = UINT16_MAX;
    assert_int_equal(encode_and_decode(f, &message), HF_EPROTO);

    message = *sample(f, HF_MESSAGE_PULL);
    message.pull.partition = HF_PARTITION_COUNT;
    assert_int_equal(encode_and_decode(f, &message), HF_EPROTO);

    struct hf_position position = {.partition = HF_PARTITION_COUNT};
    message.type = HF_MESSAGE_POSITIONS;
    message.positions = (struct hf_positions){1, true, 1, &position};
    assert_int_equal(encode_and_decode(f, &message), HF_EPROTO);

    struct hf_nomination nomination = {.partition = HF_PARTITION_COUNT};
    message.type = HF_MESSAGE_NOMINATE;
    message.nominate = (struct hf_nominate){1, 1, &nomination};
    assert_int_equal(encode_and_decode(f, &message), HF_EPROTO);
}

static void a_position_past_the_end_is_refused(void **state)
{
    struct fixture *f = *state;
    struct hf_position position = {.learnt = HF_SESSIONS_END};
    struct hf_message message = {.type = HF_MESSAGE_POSITIONS,
                                 .positions = {1, false, 1, &position}};
    assert_int_equal(encode_and_decode(f, &message), 0);
    position.learnt++;
    assert_int_equal(encode_and_decode(f, &message), HF_EPROTO);
}

static void a_nominated_index_past_the_last_is_refused(void **state)
{
    struct fixture *f = *state;
    struct hf_nomination nomination = {.member = HF_MEMBERS_MAX - 1};
    struct hf_message message = {.type = HF_MESSAGE_NOMINATE,
                                 .nominate = {1, 1, &nomination}};
    assert_int_equal(encode_and_decode(f, &message), 0);
    nomination.member++;
    assert_int_equal(encode_and_decode(f, &message), HF_EPROTO);
}

static void a_count_past_the_bytes_left_allocates_nothing(void **state)
{
    struct fixture *f = *state;
    static const struct {
        enum hf_message_type type;
        size_t count_at;
    } cases[] = {{HF_MESSAGE_NOMINATE, 9}, {HF_MESSAGE_POSITIONS, 10}};
    static const uint32_t counts[] = {UINT32_MAX, 0xffff0000, 256};
    for (size_t i = 0; i < HF_ARRAY_COUNT(cases); i++) {
        for (size_t j = 0; j < HF_ARRAY_COUNT(counts); j++) {
            size_t used = f->mem.used_bytes;
            uint8_t bytes[64] = {(uint8_t)cases[i].type};
            for (size_t k = 0; k < 4; k++) {
                bytes[cases[i].count_at + k] = (uint8_t)(counts[j] >> (8 * k));
            }
            assert_int_equal(decode_strictly(f, bytes, sizeof(bytes)),
                             HF_EPROTO);
            assert_true(f->mem.used_bytes <= used + 1024);
        }
    }
}

static void a_flag_is_0_or_1(void **state)
{
    struct fixture *f = *state;
    size_t last_at = 1 + 8;
    encode(f, sample(f, HF_MESSAGE_POSITIONS));
    assert_int_equal(decode_changed(f, last_at, 0), 0);
    assert_int_equal(decode_changed(f, last_at, 1), 0);
    assert_int_equal(decode_changed(f, last_at, 2), HF_EPROTO);
}

static void a_forward_needs_a_range_of_partitions(void **state)
{
    struct fixture *f = *state;
    struct hf_slice dbsize = HF_SLICE_LITERAL("DBSIZE");
    struct hf_message message = {
        .type = HF_MESSAGE_FORWARD,
        .forward = {.partition = 3,
                    .partition_end = 9,
                    .command = {.row = hf_command_find(dbsize),
                                .argc = 1,
                                .argv = &dbsize}},
    };
    assert_int_equal(encode_and_decode(f, &message), 0);
    message.forward.partition_end = 3;
    assert_int_equal(encode_and_decode(f, &message), HF_EPROTO);
    message.forward.partition_end = 2;
    assert_int_equal(encode_and_decode(f, &message), HF_EPROTO);
    message.forward.partition_end = HF_PARTITION_COUNT + 1;
    assert_int_equal(encode_and_decode(f, &message), HF_EPROTO);
    message.forward.partition = HF_PARTITION_COUNT;
    assert_int_equal(encode_and_decode(f, &message), HF_EPROTO);
}

static struct hf_message forward_of(const struct hf_slice *argv, uint32_t argc)
{
    return (struct hf_message){
        .type = HF_MESSAGE_FORWARD,
        .forward = {.partition = 3,
                    .partition_end = 4,
                    .command = {.row = hf_command_find(argv[0]),
                                .argc = argc,
                                .argv = argv}},
    };
}

static void a_key_in_two_partitions_is_refused(void **state)
{
    struct fixture *f = *state;
    struct hf_slice argv[] = {HF_SLICE_LITERAL("GET"), HF_SLICE_LITERAL("k")};
    struct hf_message message = forward_of(argv, 2);
    assert_int_equal(encode_and_decode(f, &message), 0);
    message.forward.partition_end = 5;
    assert_int_equal(encode_and_decode(f, &message), HF_EPROTO);
}

static void a_forward_of_wrong_arity_is_refused(void **state)
{
    struct fixture *f = *state;
    struct hf_slice argv[] = {HF_SLICE_LITERAL("MSET"), HF_SLICE_LITERAL("k"),
                              HF_SLICE_LITERAL("v"), HF_SLICE_LITERAL("k2")};
    for (uint32_t argc = 0; argc <= 4; argc++) {
        struct hf_message message = forward_of(argv, argc);
        assert_int_equal(encode_and_decode(f, &message),
                         argc == 3 ? 0 : HF_EPROTO);
    }
}

static void a_forward_of_a_connection_command_is_refused(void **state)
{
    struct fixture *f = *state;
    struct hf_slice argv[] = {HF_SLICE_LITERAL("PING")};
    struct hf_message message = forward_of(argv, 1);
    assert_int_equal(encode_and_decode(f, &message), HF_EPROTO);
}

/* For the node to say so: the link is needed for other commands. */
static void an_unknown_command_is_handed_on(void **state)
{
    struct fixture *f = *state;
    struct hf_slice argv[] = {HF_SLICE_LITERAL("get"), HF_SLICE_LITERAL("k")};
    struct hf_message message = forward_of(argv, 2);
    size_t name_at = 1 + 8 + 8 + 8 + 2 + 2 + 4 + 4 + 4;
    encode(f, &message);
    assert_memory_equal(f->out.data + name_at, "GET", 3);
    assert_int_equal(decode_changed(f, name_at, 'g'), HF_EPROTO);
    assert_int_equal(decode_changed(f, name_at, 'X'), 0);
    assert_int_equal(decode_changed(f, name_at, 'G'), 0);

    static const uint8_t name[65] = "LATER";
    message.forward.command.row = NULL;
    message.forward.unknown = (struct hf_slice){name, sizeof(name) - 1};
    assert_int_equal(encode_and_decode(f, &message), 0);
    message.forward.unknown.size++;
    assert_int_equal(encode_and_decode(f, &message), HF_EPROTO);
    message.forward.unknown.size = 0;
    assert_int_equal(encode_and_decode(f, &message), HF_EPROTO);
    message.forward.unknown.size = 1;
    message.forward.command.argc = 0;
    assert_int_equal(encode_and_decode(f, &message), HF_EPROTO);
}

static void a_key_over_its_bound_is_refused(void **state)
{
    struct fixture *f = *state;
    static const uint8_t bytes[HF_KEY_BYTES_MAX + 1];
    struct hf_slice long_key = {bytes, sizeof(bytes)};
    struct hf_message message = *sample(f, HF_MESSAGE_RECORD);
    message.record.record.key = long_key;
    assert_int_equal(encode_and_decode(f, &message), HF_EPROTO);

    struct hf_slice get[] = {HF_SLICE_LITERAL("GET"), long_key};
    message = forward_of(get, 2);
    assert_int_equal(encode_and_decode(f, &message), HF_EPROTO);

    struct hf_slice del[] = {HF_SLICE_LITERAL("DEL"), HF_SLICE_LITERAL("k"),
                             long_key};
    message = forward_of(del, 3);
    assert_int_equal(encode_and_decode(f, &message), HF_EPROTO);

    struct hf_slice set[] = {HF_SLICE_LITERAL("SET"), HF_SLICE_LITERAL("k"),
                             long_key};
    message = forward_of(set, 3);
    assert_int_equal(encode_and_decode(f, &message), 0);
}

static void an_unknown_kind_of_record_is_refused(void **state)
{
    struct fixture *f = *state;
    size_t kind_at = 1 + 8 + 8;
    encode(f, sample(f, HF_MESSAGE_RECORD));
    for (int kind = 0; kind < 256; kind++) {
        bool known = kind >= HF_RECORD_WRITE && kind <= HF_RECORD_PAIRED;
        assert_int_equal(decode_changed(f, kind_at, (uint8_t)kind),
                         known ? 0 : HF_EPROTO);
    }
}

static void a_reply_that_is_not_one_value_is_refused(void **state)
{
    struct fixture *f = *state;
    static const uint8_t two[] = {HF_TOKEN_NIL, HF_TOKEN_NIL};
    static const uint8_t none[] = {99};
    struct hf_message result = {.type = HF_MESSAGE_RESULT};
    struct hf_message record = *sample(f, HF_MESSAGE_RECORD);
    const struct hf_slice replies[] = {{two, 1}, {two, 2}, {none, 1}};
    for (size_t i = 0; i < HF_ARRAY_COUNT(replies); i++) {
        result.result.reply =
            (struct hf_reply){.kind = HF_REPLY_NESTED, .bytes = replies[i]};
        record.record.record.reply = replies[i];
        int expected = i == 0 ? 0 : HF_EPROTO;
        assert_int_equal(encode_and_decode(f, &result), expected);
        assert_int_equal(encode_and_decode(f, &record), expected);
    }
    result.result.reply = (struct hf_reply){.kind = HF_REPLY_NESTED};
    assert_int_equal(encode_and_decode(f, &result), HF_EPROTO);
}

static void a_message_with_a_malformed_view_is_refused(void **state)
{
    struct fixture *f = *state;
    struct hf_view view = f->messages->middle;
    struct hf_message messages[] = {
        {.type = HF_MESSAGE_VIEW, .view = &view},
        {.type = HF_MESSAGE_ACCEPT, .accept = {1, 2, &view}},
        {.type = HF_MESSAGE_PROMISE, .promise = {1, 2, 3, 4, &view}},
    };
    for (size_t i = 0; i < HF_ARRAY_COUNT(messages); i++) {
        view.members[1].peer_port = 7001;
        assert_int_equal(encode_and_decode(f, &messages[i]), 0);
        view.members[1].peer_port = 0;
        assert_int_equal(encode_and_decode(f, &messages[i]), HF_EPROTO);
    }
}

static void *refuse(void *user, void *old, size_t old_size, size_t size)
{
    (void)user;
    (void)old;
    (void)old_size;
    (void)size;
    return NULL;
}

static void without_memory_decode_says_so_and_recovers(void **state)
{
    struct fixture *f = *state;
    static const enum hf_message_type types[] = {
        HF_MESSAGE_VIEW,      HF_MESSAGE_ACCEPT,  HF_MESSAGE_NOMINATE,
        HF_MESSAGE_POSITIONS, HF_MESSAGE_FORWARD,
    };
    struct hf_mem none = {.resize = refuse};
    for (size_t i = 0; i < HF_ARRAY_COUNT(types); i++) {
        struct hf_peer_scratch scratch;
        hf_peer_scratch_init(&scratch, &none);
        encode(f, sample(f, types[i]));
        struct hf_reader reader = hf_reader_of(hf_buffer_slice(&f->out));
        struct hf_message message;
        assert_int_equal(hf_peer_decode(&reader, &scratch, &message),
                         HF_ENOMEM);
        scratch.mem = &f->mem;
        reader = hf_reader_of(hf_buffer_slice(&f->out));
        assert_int_equal(hf_peer_decode(&reader, &scratch, &message), 1);
        hf_peer_scratch_close(&scratch);
        hf_peer_scratch_close(&scratch);
    }
}

static void without_memory_encode_leaves_no_half_message(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < f->messages->count; i++) {
        hf_buffer_close(&f->out);
        hf_peer_encode(&f->out, sample(f, HF_MESSAGE_ACK));
        size_t before = f->out.size;
        struct hf_mem none = f->mem;
        none.resize = refuse;
        f->out.mem = &none;
        do {
            before = f->out.size;
            hf_peer_encode(&f->out, &f->messages->items[i]);
        } while (!f->out.failed);
        assert_int_equal(f->out.size, before);
        f->out.mem = &f->mem;
    }
}

#define STORY(function)                                                        \
    cmocka_unit_test_setup_teardown(function, open_fixture, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(every_message_comes_back_as_it_was),
        STORY(there_is_a_sample_of_every_type),
        STORY(messages_follow_each_other_in_one_batch),
        STORY(an_ack_has_these_bytes),
        STORY(a_message_cut_anywhere_is_refused),
        STORY(a_spoilt_byte_never_does_harm),
        STORY(random_bytes_never_do_harm),
        STORY(after_a_malformed_message_nothing_is_read),
        STORY(an_unknown_type_is_refused),
        STORY(an_unknown_state_in_a_heartbeat_is_refused),
        STORY(an_unknown_kind_of_fork_is_refused),
        STORY(a_merge_out_of_range_is_refused),
        STORY(a_partition_past_the_last_is_refused),
        STORY(a_position_past_the_end_is_refused),
        STORY(a_nominated_index_past_the_last_is_refused),
        STORY(a_count_past_the_bytes_left_allocates_nothing),
        STORY(a_flag_is_0_or_1),
        STORY(a_forward_needs_a_range_of_partitions),
        STORY(a_key_in_two_partitions_is_refused),
        STORY(a_forward_of_wrong_arity_is_refused),
        STORY(a_forward_of_a_connection_command_is_refused),
        STORY(an_unknown_command_is_handed_on),
        STORY(a_key_over_its_bound_is_refused),
        STORY(an_unknown_kind_of_record_is_refused),
        STORY(a_reply_that_is_not_one_value_is_refused),
        STORY(a_message_with_a_malformed_view_is_refused),
        STORY(without_memory_decode_says_so_and_recovers),
        STORY(without_memory_encode_leaves_no_half_message),
    };
    return cmocka_run_group_tests_name("peer", tests, NULL, NULL);
}
