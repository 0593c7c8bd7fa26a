#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/rng.h"
#include "holdfast/error.h"
#include "wire/link.h"

struct fixture {
    struct hf_mem mem;
    struct hf_buffer out;
    struct hf_hello ours;
    struct hf_hello theirs;
    char reason[512];
};

static void name_node(struct hf_peer_info *info, const char *name)
{
    memset(info->name, 0, sizeof(info->name));
    memcpy(info->name, name, strlen(name));
    info->id = hf_hash(hf_slice_text(name));
}

static struct hf_hello hello_of(const char *name, hf_incarnation incarnation)
{
    struct hf_hello hello = {
        .version = HF_PROTOCOL_VERSION,
        .channel = HF_CHANNEL_DATA,
        .session = UINT64_C(0x1122334455667788),
        .cluster_name = "shop",
        .info = {.incarnation = incarnation,
                 .peer_port = 7000,
                 .client_port = 6379,
                 .cluster_port = 6380,
                 .label = "rack-1",
                 .host = "10.0.0.1"},
    };
    name_node(&hello.info, name);
    return hello;
}

static int open_fixture(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    if (f == NULL) {
        return -1;
    }
    hf_mem_init_system(&f->mem);
    hf_buffer_init(&f->out, &f->mem);
    f->ours = hello_of("anna", 0xa1);
    f->theirs = hello_of("bert", 0xb2);
    *state = f;
    return 0;
}

static int close_fixture(void **state)
{
    struct fixture *f = *state;
    hf_buffer_close(&f->out);
    size_t used = f->mem.used_bytes;
    free(f);
    return used == 0 ? 0 : -1;
}

static struct hf_slice payload_of(const struct hf_buffer *frame)
{
    assert_true(frame->size >= HF_FRAME_HEADER_BYTES);
    return (struct hf_slice){frame->data + HF_FRAME_HEADER_BYTES,
                             frame->size - HF_FRAME_HEADER_BYTES};
}

static struct hf_frame_header read_header(const struct hf_buffer *frame)
{
    struct hf_frame_header header;
    const char *reason = NULL;
    assert_int_equal(hf_frame_read_header(frame->data, &header, &reason), 0);
    assert_null(reason);
    return header;
}

static void expect_bad_header(const struct hf_buffer *frame, const char *why)
{
    struct hf_frame_header header;
    const char *reason = NULL;
    assert_int_equal(hf_frame_read_header(frame->data, &header, &reason),
                     HF_EPROTO);
    assert_string_equal(reason, why);
}

static void write_messages(struct fixture *f, const char *text)
{
    hf_buffer_clear(&f->out);
    hf_frame_begin(&f->out);
    hf_buffer_append_text(&f->out, text);
    hf_frame_seal(&f->out, 11, 12, 13);
    assert_false(f->out.failed);
}

static void write_hello(struct fixture *f, const struct hf_hello *hello)
{
    hf_buffer_clear(&f->out);
    hf_frame_write_hello(&f->out, HF_FRAME_HELLO, hello, 99);
    assert_false(f->out.failed);
}

static void a_messages_frame_says_whose_it_is(void **state)
{
    struct fixture *f = *state;
    write_messages(f, "batch");
    struct hf_frame_header header = read_header(&f->out);
    assert_int_equal(header.type, HF_FRAME_MESSAGES);
    assert_int_equal(header.version, HF_PROTOCOL_VERSION);
    assert_int_equal(header.payload_size, 5);
    assert_int_equal(header.session, 11);
    assert_int_equal(header.sequence, 12);
    assert_int_equal(header.destination, 13);
    assert_memory_equal(payload_of(&f->out).data, "batch", 5);
    assert_true(hf_frame_is_intact(f->out.data, payload_of(&f->out)));
}

static void an_empty_frame_is_a_frame(void **state)
{
    struct fixture *f = *state;
    write_messages(f, "");
    assert_int_equal(read_header(&f->out).payload_size, 0);
    assert_true(hf_frame_is_intact(f->out.data, (struct hf_slice){NULL, 0}));
}

/* The first bytes are a promise to every other version. */
static void the_header_starts_with_these_bytes(void **state)
{
    struct fixture *f = *state;
    static const uint8_t start[] = {
        'H', 'F', 'S', 'T', HF_PROTOCOL_VERSION, 4, 0, 0, 5, 0, 0, 0};
    write_messages(f, "batch");
    assert_memory_equal(f->out.data, start, sizeof(start));
}

static void any_flipped_bit_is_noticed(void **state)
{
    struct fixture *f = *state;
    write_messages(f, "a batch of messages");
    for (size_t at = 0; at < f->out.size; at++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            f->out.data[at] ^= (uint8_t)(1U << bit);
            assert_false(hf_frame_is_intact(f->out.data, payload_of(&f->out)));
            f->out.data[at] ^= (uint8_t)(1U << bit);
        }
    }
    assert_true(hf_frame_is_intact(f->out.data, payload_of(&f->out)));
}

static void a_payload_of_another_size_is_noticed(void **state)
{
    struct fixture *f = *state;
    write_messages(f, "a batch of messages");
    struct hf_slice payload = payload_of(&f->out);
    payload.size--;
    assert_false(hf_frame_is_intact(f->out.data, payload));
}

static void foreign_bytes_are_not_a_frame(void **state)
{
    struct fixture *f = *state;
    hf_buffer_append_text(&f->out, "GET / HTTP/1.1\r\nHost: localhost\r\n"
                                   "Accept: */*\r\n\r\n        ");
    expect_bad_header(&f->out, "not the protocol of Holdfast peers");
}

static void unknown_types_of_frame_are_refused(void **state)
{
    struct fixture *f = *state;
    write_messages(f, "");
    for (int type = 0; type < 256; type++) {
        f->out.data[5] = (uint8_t)type;
        if (type >= HF_FRAME_HELLO && type <= HF_FRAME_MESSAGES) {
            read_header(&f->out);
        } else {
            expect_bad_header(&f->out, "unknown type of frame");
        }
    }
}

static void set_payload_size(struct fixture *f, size_t size)
{
    for (unsigned i = 0; i < 4; i++) {
        f->out.data[8 + i] = (uint8_t)(size >> (8 * i));
    }
}

static void every_type_bounds_its_payload(void **state)
{
    struct fixture *f = *state;
    write_messages(f, "");
    for (int type = HF_FRAME_HELLO; type <= HF_FRAME_MESSAGES; type++) {
        size_t most = type == HF_FRAME_MESSAGES ? HF_FRAME_PAYLOAD_MAX
                                                : HF_HELLO_PAYLOAD_MAX;
        f->out.data[5] = (uint8_t)type;
        set_payload_size(f, most);
        assert_int_equal(read_header(&f->out).payload_size, most);
        set_payload_size(f, most + 1);
        expect_bad_header(&f->out, "frame larger than its type may be");
        set_payload_size(f, UINT32_MAX);
        expect_bad_header(&f->out, "frame larger than its type may be");
    }
}

static void only_greetings_of_another_version_are_read(void **state)
{
    struct fixture *f = *state;
    write_messages(f, "");
    f->out.data[4] = HF_PROTOCOL_VERSION + 1;
    expect_bad_header(&f->out, "frame of another protocol version");
    f->out.data[5] = HF_FRAME_WELCOME;
    expect_bad_header(&f->out, "frame of another protocol version");
    f->out.data[5] = HF_FRAME_HELLO;
    assert_int_equal(read_header(&f->out).version, HF_PROTOCOL_VERSION + 1);
    f->out.data[5] = HF_FRAME_REFUSAL;
    assert_int_equal(read_header(&f->out).version, HF_PROTOCOL_VERSION + 1);
}

static void unknown_options_are_refused(void **state)
{
    struct fixture *f = *state;
    static const size_t places[] = {6, 7, 12, 13, 14, 15};
    for (size_t i = 0; i < HF_ARRAY_COUNT(places); i++) {
        write_messages(f, "");
        f->out.data[places[i]] = 1;
        expect_bad_header(&f->out, "frame with unknown options");
    }
}

static void a_frame_over_its_bound_is_not_sealed(void **state)
{
    struct fixture *f = *state;
    hf_frame_begin(&f->out);
    uint8_t *room = hf_buffer_reserve(&f->out, HF_FRAME_PAYLOAD_MAX + 1);
    assert_non_null(room);
    memset(room, 1, HF_FRAME_PAYLOAD_MAX + 1);
    hf_buffer_commit(&f->out, HF_FRAME_PAYLOAD_MAX);
    hf_frame_seal(&f->out, 1, 1, 1);
    assert_false(f->out.failed);
    assert_true(hf_frame_is_intact(f->out.data, payload_of(&f->out)));
    hf_buffer_commit(&f->out, 1);
    hf_frame_seal(&f->out, 1, 1, 1);
    assert_true(f->out.failed);
}

static void a_frame_without_memory_is_marked_failed(void **state)
{
    struct fixture *f = *state;
    f->out.failed = true;
    hf_frame_begin(&f->out);
    hf_frame_seal(&f->out, 1, 1, 1);
    hf_frame_write_hello(&f->out, HF_FRAME_HELLO, &f->ours, 0);
    hf_frame_write_refusal(&f->out, "no");
    assert_true(f->out.failed);
    assert_int_equal(f->out.size, 0);
}

static void expect_hello(const struct hf_hello *a, const struct hf_hello *b)
{
    assert_int_equal(a->version, b->version);
    assert_int_equal(a->channel, b->channel);
    assert_int_equal(a->session, b->session);
    assert_string_equal(a->cluster_name, b->cluster_name);
    assert_int_equal(a->info.id, b->info.id);
    assert_int_equal(a->info.incarnation, b->info.incarnation);
    assert_int_equal(a->info.peer_port, b->info.peer_port);
    assert_int_equal(a->info.client_port, b->info.client_port);
    assert_int_equal(a->info.cluster_port, b->info.cluster_port);
    assert_string_equal(a->info.name, b->info.name);
    assert_string_equal(a->info.label, b->info.label);
    assert_string_equal(a->info.host, b->info.host);
}

static void a_greeting_comes_back_as_it_was(void **state)
{
    struct fixture *f = *state;
    static const enum hf_frame_type types[] = {HF_FRAME_HELLO,
                                               HF_FRAME_WELCOME};
    struct hf_hello longest = f->ours;
    char name[HF_NAME_BYTES_MAX + 1] = {0};
    memset(name, 'n', HF_NAME_BYTES_MAX);
    name_node(&longest.info, name);
    memset(longest.info.label, 'l', HF_NAME_BYTES_MAX);
    memset(longest.info.host, 'h', HF_HOST_BYTES_MAX);
    memset(longest.cluster_name, 'c', HF_CLUSTER_NAME_BYTES_MAX);
    longest.channel = HF_CHANNEL_CONTROL;
    const struct hf_hello *hellos[] = {&f->ours, &longest};
    for (size_t i = 0; i < 4; i++) {
        hf_buffer_clear(&f->out);
        hf_frame_write_hello(&f->out, types[i % 2], hellos[i / 2], 77);
        struct hf_frame_header header = read_header(&f->out);
        assert_int_equal(header.type, types[i % 2]);
        assert_int_equal(header.session, hellos[i / 2]->session);
        assert_int_equal(header.sequence, 0);
        assert_int_equal(header.destination, 77);
        assert_true(hf_frame_is_intact(f->out.data, payload_of(&f->out)));
        struct hf_hello hello;
        assert_true(hf_frame_read_hello(payload_of(&f->out), &hello));
        expect_hello(&hello, hellos[i / 2]);
    }
}

static void a_frame_may_follow_others_in_the_buffer(void **state)
{
    struct fixture *f = *state;
    hf_frame_write_hello(&f->out, HF_FRAME_WELCOME, &f->ours, 5);
    size_t first = f->out.size;
    hf_frame_write_refusal(&f->out, "changed my mind");
    struct hf_buffer second = f->out;
    second.data += first;
    second.size -= first;
    assert_int_equal(read_header(&f->out).type, HF_FRAME_WELCOME);
    assert_int_equal(read_header(&second).type, HF_FRAME_REFUSAL);
    assert_true(hf_frame_is_intact(second.data, payload_of(&second)));
}

/* In a piece of memory of its own, for the address sanitizer. */
static bool read_hello_copy(struct hf_slice payload)
{
    uint8_t *copy = malloc(payload.size > 0 ? payload.size : 1);
    assert_non_null(copy);
    if (payload.size > 0) {
        memcpy(copy, payload.data, payload.size);
    }
    struct hf_hello hello;
    bool taken =
        hf_frame_read_hello((struct hf_slice){copy, payload.size}, &hello);
    free(copy);
    return taken;
}

static void a_greeting_cut_anywhere_is_malformed(void **state)
{
    struct fixture *f = *state;
    write_hello(f, &f->ours);
    struct hf_slice payload = payload_of(&f->out);
    assert_true(read_hello_copy(payload));
    while (payload.size > 0) {
        payload.size--;
        assert_false(read_hello_copy(payload));
    }
}

static void a_greeting_with_more_behind_it_is_malformed(void **state)
{
    struct fixture *f = *state;
    write_hello(f, &f->ours);
    hf_buffer_put_u8(&f->out, 0);
    assert_false(read_hello_copy(payload_of(&f->out)));
}

static void spoilt_greetings_never_do_harm(void **state)
{
    struct fixture *f = *state;
    struct hf_rng rng;
    hf_rng_init(&rng, 1);
    write_hello(f, &f->ours);
    for (size_t round = 0; round < 200; round++) {
        for (size_t at = HF_FRAME_HEADER_BYTES; at < f->out.size; at++) {
            uint8_t was = f->out.data[at];
            f->out.data[at] = (uint8_t)hf_rng_next(&rng);
            struct hf_hello hello;
            if (hf_frame_read_hello(payload_of(&f->out), &hello)) {
                hf_hello_judge(&f->theirs, &hello, 0, f->reason,
                               sizeof(f->reason));
            }
            f->out.data[at] = was;
        }
    }
}

static void expect_bad_hello(struct fixture *f, const struct hf_hello *hello)
{
    write_hello(f, hello);
    assert_false(read_hello_copy(payload_of(&f->out)));
}

static void a_greeting_with_a_field_out_of_range_is_malformed(void **state)
{
    struct fixture *f = *state;
    struct hf_hello hello = f->ours;
    hello.channel = HF_CHANNEL_COUNT;
    expect_bad_hello(f, &hello);
    hello = f->ours;
    hello.cluster_name[0] = '\n';
    expect_bad_hello(f, &hello);
    hello = f->ours;
    hello.info.id++;
    expect_bad_hello(f, &hello);
    hello = f->ours;
    hello.info.incarnation = 0;
    expect_bad_hello(f, &hello);
    hello = f->ours;
    hello.info.peer_port = 0;
    expect_bad_hello(f, &hello);
    hello = f->ours;
    hello.info.client_port = 0;
    expect_bad_hello(f, &hello);
    hello = f->ours;
    hello.info.host[2] = 127;
    expect_bad_hello(f, &hello);
    hello = f->ours;
    name_node(&hello.info, "");
    expect_bad_hello(f, &hello);
}

static const char *judge(struct fixture *f, hf_incarnation destination)
{
    memset(f->reason, 'x', sizeof(f->reason));
    return hf_hello_judge(&f->ours, &f->theirs, destination, f->reason,
                          sizeof(f->reason));
}

static void a_peer_of_our_cluster_is_welcome(void **state)
{
    struct fixture *f = *state;
    assert_null(judge(f, 0));
    assert_null(judge(f, f->ours.info.incarnation));
}

static void another_version_is_refused_politely(void **state)
{
    struct fixture *f = *state;
    f->theirs.version = 12;
    write_hello(f, &f->theirs);
    /* What a later version adds or changes behind its version byte. */
    memset(f->out.data + HF_FRAME_HEADER_BYTES + 1, 0xee,
           f->out.size - HF_FRAME_HEADER_BYTES - 1);
    assert_int_equal(read_header(&f->out).version, 12);
    assert_true(hf_frame_read_hello(payload_of(&f->out), &f->theirs));
    const char *why = judge(f, 1234);
    assert_string_equal(why, "a node of protocol version 12 cannot talk to "
                             "node 'anna' of version 4");

    hf_buffer_clear(&f->out);
    hf_frame_write_refusal(&f->out, why);
    assert_int_equal(read_header(&f->out).type, HF_FRAME_REFUSAL);
    char said[512];
    hf_frame_read_refusal(payload_of(&f->out), said, sizeof(said));
    assert_string_equal(said, why);
}

static void another_cluster_is_refused(void **state)
{
    struct fixture *f = *state;
    memcpy(f->theirs.cluster_name, "test", 5);
    assert_string_equal(judge(f, 0),
                        "node 'bert' belongs to cluster 'test', node 'anna' "
                        "to cluster 'shop'");
}

static void ourselves_are_refused(void **state)
{
    struct fixture *f = *state;
    f->theirs = f->ours;
    assert_string_equal(judge(f, 0), "node 'anna' reached itself (incarnation "
                                     "00000000000000a1)");
}

static void another_node_with_our_name_is_refused(void **state)
{
    struct fixture *f = *state;
    f->theirs = hello_of("anna", UINT64_C(0xfedcba9876543210));
    assert_string_equal(judge(f, 0),
                        "two nodes are called 'anna': incarnations "
                        "fedcba9876543210 and 00000000000000a1");
}

static void a_greeting_for_an_incarnation_before_us_is_refused(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(judge(f, 0xa0),
                        "node 'bert' looked for incarnation "
                        "00000000000000a0, node 'anna' is 00000000000000a1");
}

static void bad_texts_are_refused_without_being_repeated(void **state)
{
    struct fixture *f = *state;
    const char *why = "a node introduced itself to node 'anna' with a "
                      "malformed name, label, host or port";
    f->theirs.info.name[1] = '\33';
    assert_string_equal(judge(f, 0), why);
    f->theirs = hello_of("bert", 0xb2);
    f->theirs.cluster_name[0] = '\n';
    assert_string_equal(judge(f, 0), why);
    f->theirs = hello_of("bert", 0xb2);
    memset(f->theirs.info.label, 'x', sizeof(f->theirs.info.label));
    assert_string_equal(judge(f, 0), why);
    f->theirs = hello_of("bert", 0xb2);
    f->theirs.info.id++;
    assert_string_equal(judge(f, 0), why);
}

static void a_reason_is_cut_to_its_room(void **state)
{
    struct fixture *f = *state;
    char reason[12];
    f->theirs.version = HF_PROTOCOL_VERSION + 1;
    for (size_t size = 1; size <= sizeof(reason); size++) {
        memset(reason, 'x', sizeof(reason));
        assert_ptr_equal(hf_hello_judge(&f->ours, &f->theirs, 0, reason, size),
                         reason);
        assert_int_equal(strlen(reason), size - 1);
        assert_memory_equal(reason, "a node of pr", size - 1);
    }
}

static void a_refusal_is_bounded_and_safe_to_print(void **state)
{
    struct fixture *f = *state;
    char *text = malloc(HF_HELLO_PAYLOAD_MAX + 2);
    assert_non_null(text);
    memset(text, 'y', HF_HELLO_PAYLOAD_MAX + 1);
    text[HF_HELLO_PAYLOAD_MAX + 1] = '\0';
    hf_frame_write_refusal(&f->out, text);
    free(text);
    assert_int_equal(read_header(&f->out).payload_size, HF_HELLO_PAYLOAD_MAX);

    char said[8];
    hf_frame_read_refusal(payload_of(&f->out), said, sizeof(said));
    assert_string_equal(said, "yyyyyyy");
    hf_frame_read_refusal(HF_SLICE_LITERAL("a\nb\0c\177"), said, sizeof(said));
    assert_string_equal(said, "a?b?c?");
    hf_frame_read_refusal((struct hf_slice){NULL, 0}, said, sizeof(said));
    assert_string_equal(said, "");
}

static enum hf_link_verdict take(struct hf_link_receiver *receiver,
                                 uint64_t sequence)
{
    struct hf_frame_header header = {
        .type = HF_FRAME_MESSAGES,
        .version = HF_PROTOCOL_VERSION,
        .session = 11,
        .sequence = sequence,
        .destination = 13,
    };
    return hf_link_judge(receiver, &header);
}

static void frames_in_order_are_delivered(void **state)
{
    (void)state;
    struct hf_link_receiver receiver = {.session = 11, .self = 13};
    for (uint64_t sequence = 1; sequence < 100; sequence++) {
        assert_int_equal(take(&receiver, sequence), HF_LINK_DELIVER);
    }
}

static void a_repeated_frame_is_dropped(void **state)
{
    (void)state;
    struct hf_link_receiver receiver = {.session = 11, .self = 13};
    assert_int_equal(take(&receiver, 1), HF_LINK_DELIVER);
    assert_int_equal(take(&receiver, 2), HF_LINK_DELIVER);
    assert_int_equal(take(&receiver, 2), HF_LINK_REPEATED);
    assert_int_equal(take(&receiver, 1), HF_LINK_REPEATED);
    assert_int_equal(take(&receiver, 3), HF_LINK_DELIVER);
}

static void a_gap_breaks_the_session(void **state)
{
    (void)state;
    struct hf_link_receiver receiver = {.session = 11, .self = 13};
    assert_int_equal(take(&receiver, 2), HF_LINK_BROKEN);
    assert_int_equal(take(&receiver, 1), HF_LINK_DELIVER);
    assert_int_equal(take(&receiver, 3), HF_LINK_BROKEN);
    assert_int_equal(receiver.sequence, 1);
    assert_int_equal(take(&receiver, 0), HF_LINK_BROKEN);
    assert_int_equal(take(&receiver, UINT64_MAX), HF_LINK_BROKEN);
}

static void the_last_sequence_of_all_is_not_followed_by_a_first(void **state)
{
    (void)state;
    struct hf_link_receiver receiver = {
        .session = 11, .self = 13, .sequence = UINT64_MAX};
    assert_int_equal(take(&receiver, 0), HF_LINK_BROKEN);
    assert_int_equal(take(&receiver, 1), HF_LINK_REPEATED);
}

static void frames_of_others_break_the_session(void **state)
{
    (void)state;
    struct hf_link_receiver receiver = {.session = 11, .self = 13};
    const struct hf_frame_header good = {.type = HF_FRAME_MESSAGES,
                                         .session = 11,
                                         .sequence = 1,
                                         .destination = 13};
    struct hf_frame_header header = good;
    header.session = 12;
    assert_int_equal(hf_link_judge(&receiver, &header), HF_LINK_BROKEN);
    header = good;
    header.destination = 14;
    assert_int_equal(hf_link_judge(&receiver, &header), HF_LINK_BROKEN);
    header = good;
    header.destination = 0;
    assert_int_equal(hf_link_judge(&receiver, &header), HF_LINK_BROKEN);
    header = good;
    header.type = HF_FRAME_HELLO;
    assert_int_equal(hf_link_judge(&receiver, &header), HF_LINK_BROKEN);
    assert_int_equal(hf_link_judge(&receiver, &good), HF_LINK_DELIVER);
}

#define STORY(function)                                                        \
    cmocka_unit_test_setup_teardown(function, open_fixture, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(a_messages_frame_says_whose_it_is),
        STORY(an_empty_frame_is_a_frame),
        STORY(the_header_starts_with_these_bytes),
        STORY(any_flipped_bit_is_noticed),
        STORY(a_payload_of_another_size_is_noticed),
        STORY(foreign_bytes_are_not_a_frame),
        STORY(unknown_types_of_frame_are_refused),
        STORY(every_type_bounds_its_payload),
        STORY(only_greetings_of_another_version_are_read),
        STORY(unknown_options_are_refused),
        STORY(a_frame_over_its_bound_is_not_sealed),
        STORY(a_frame_without_memory_is_marked_failed),
        STORY(a_greeting_comes_back_as_it_was),
        STORY(a_frame_may_follow_others_in_the_buffer),
        STORY(a_greeting_cut_anywhere_is_malformed),
        STORY(a_greeting_with_more_behind_it_is_malformed),
        STORY(spoilt_greetings_never_do_harm),
        STORY(a_greeting_with_a_field_out_of_range_is_malformed),
        STORY(a_peer_of_our_cluster_is_welcome),
        STORY(another_version_is_refused_politely),
        STORY(another_cluster_is_refused),
        STORY(ourselves_are_refused),
        STORY(another_node_with_our_name_is_refused),
        STORY(a_greeting_for_an_incarnation_before_us_is_refused),
        STORY(bad_texts_are_refused_without_being_repeated),
        STORY(a_reason_is_cut_to_its_room),
        STORY(a_refusal_is_bounded_and_safe_to_print),
        cmocka_unit_test(frames_in_order_are_delivered),
        cmocka_unit_test(a_repeated_frame_is_dropped),
        cmocka_unit_test(a_gap_breaks_the_session),
        cmocka_unit_test(the_last_sequence_of_all_is_not_followed_by_a_first),
        cmocka_unit_test(frames_of_others_break_the_session),
    };
    return cmocka_run_group_tests_name("link", tests, NULL, NULL);
}
