/* What others can cost the links, and what they say about it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/links_world.h"

static void closes_who_announces_too_much(void **state)
{
    struct world *w = *state;
    struct raw raw;
    size_t used_bytes = w->mem.used_bytes;
    raw_connect(w, &raw, &w->a);
    hf_frame_begin(&raw.out); /* MESSAGES before any HELLO. */
    assert_non_null(hf_buffer_reserve(&raw.out, BIG_BYTES));
    memset(raw.out.data + raw.out.size, 0, BIG_BYTES);
    hf_buffer_commit(&raw.out, BIG_BYTES);
    hf_frame_seal(&raw.out, 1, 1, w->a.info.incarnation);
    raw.out.size = HF_FRAME_HEADER_BYTES;
    raw_send(&raw);
    WAIT_UNTIL(w, raw.closed);
    raw_release(w, &raw);
    let_pass(w, 50);
    assert_true(w->mem.used_bytes < used_bytes + BIG_BYTES / 2);
}

static void closes_who_goes_silent(void **state)
{
    struct world *w = *state;
    struct raw stranger;
    struct raw peer;
    raw_connect(w, &stranger, &w->a); /* Never says a word. */
    raw_connect(w, &peer, &w->a);     /* Says only HELLO. */
    raw_say_hello(&peer);
    WAIT_UNTIL(w, w->a.ups == 1);
    WAIT_UNTIL(w, peer.closed && stranger.closed);
    assert_int_equal(w->a.downs, 1);
    assert_int_equal(w->a.abrupt_downs, 0);
    raw_release(w, &stranger);
    raw_release(w, &peer);
}

static void a_flood_of_strangers_keeps_no_peer_out(void **state)
{
    struct world *w = *state;
    enum { COUNT = HF_LINK_STRANGERS_MAX + 16 };
    static struct raw raw[COUNT];
    size_t closed = 0;
    for (size_t i = 0; i < COUNT; i++) {
        raw_connect(w, &raw[i], &w->a);
    }
    link_both(w);
    for (size_t i = 0; i < COUNT; i++) {
        closed += raw[i].closed ? 1 : 0;
    }
    assert_in_range(closed, 16, 24);
    for (size_t i = 0; i < COUNT; i++) {
        raw_release(w, &raw[i]);
    }
}

/* An acceptor that welcomes and then never reads. */
static struct raw *lazy;

static void lazy_on_connection(uv_stream_t *listener, int status)
{
    assert_int_equal(status, 0);
    struct raw *raw = &lazy[lazy[0].connected ? 1 : 0];
    if (raw->connected) {
        return; /* It dials again; let it wait. */
    }
    uv_accept(listener, (uv_stream_t *)&raw->tcp);
    raw->connected = true;
    uv_read_start((uv_stream_t *)&raw->tcp, raw_on_alloc, raw_on_read);
}

static void lazy_welcome(struct raw *raw, const struct hf_peer_info *info,
                         hf_incarnation destination)
{
    struct hf_hello hello;
    struct hf_slice payload = {raw->in + HF_FRAME_HEADER_BYTES,
                               raw->bytes_in - HF_FRAME_HEADER_BYTES};
    uv_read_stop((uv_stream_t *)&raw->tcp);
    assert_true(hf_frame_read_hello(payload, &hello));
    hello.info = *info;
    hf_frame_write_hello(&raw->out, HF_FRAME_WELCOME, &hello, destination);
    raw_send(raw);
}

static void closes_a_session_with_too_much_waiting(void **state)
{
    struct world *w = *state;
    static struct raw listener;
    struct raw accepted[2];
    struct sockaddr_in bound = {.sin_family = AF_INET};
    int bound_size = sizeof(bound);
    struct end peer = w->b;

    lazy = accepted;
    raw_init(w, &listener);
    raw_init(w, &accepted[0]);
    raw_init(w, &accepted[1]);
    uv_ip4_addr("127.0.0.1", 0, &bound);
    uv_tcp_bind(&listener.tcp, (struct sockaddr *)&bound, 0);
    assert_int_equal(
        uv_listen((uv_stream_t *)&listener.tcp, 8, lazy_on_connection), 0);
    uv_tcp_getsockname(&listener.tcp, (struct sockaddr *)&bound, &bound_size);
    peer.info.peer_port = ntohs(bound.sin_port);
    connect_to(&w->a, &peer);
    WAIT_UNTIL(w, accepted[0].bytes_in > HF_FRAME_HEADER_BYTES &&
                      accepted[1].bytes_in > HF_FRAME_HEADER_BYTES);
    lazy_welcome(&accepted[0], &peer.info, w->a.info.incarnation);
    lazy_welcome(&accepted[1], &peer.info, w->a.info.incarnation);
    WAIT_UNTIL(w, w->a.ups == 2);

    size_t most = HF_LINK_QUEUE_BYTES_MAX / BIG_BYTES + 16;
    size_t used_bytes = w->mem.used_bytes;
    assert_int_equal(w->a.warnings, 0);
    for (size_t i = 0; i < 4 * most; i++) {
        send_big(&w->a, &peer); /* In a single turn. */
    }
    /* A frame's memory is up to twice its size. */
    assert_true(w->mem.used_bytes - used_bytes < 2 * most * BIG_BYTES);
    WAIT_UNTIL(w, w->a.downs > 0);
    assert_int_equal(w->a.warnings, 1); /* It says why. */
    assert_non_null(strstr(w->a.last_warning, "data session to 'b'"));
    assert_non_null(strstr(w->a.last_warning, "bytes"));
    assert_int_equal(hf_links_queued(w->a.links, peer.info.id), 0);
    assert_int_equal(w->a.up[HF_CHANNEL_DATA][1], 0);
    assert_int_equal(w->a.up[HF_CHANNEL_CONTROL][1], 1);
    raw_release(w, &listener);
    raw_release(w, &accepted[0]);
    raw_release(w, &accepted[1]);
}

/* A frame of 20,000 messages, each of which takes a while: others get their
 * turn in between, and what is said on the control channel does not wait. */
static void a_turn_takes_in_what_it_has_time_for(void **state)
{
    struct world *w = *state;
    enum { ACKS = 20000, ACK_US = 20 };
    struct hf_message beat = {.type = HF_MESSAGE_HEARTBEAT};
    link_both(w);
    w->b.ack_ns = ACK_US * 1000;
    w->acks_most = 0;
    for (uint64_t i = 1; i <= ACKS; i++) {
        send_ack(&w->a, &w->b, i);
    }
    WAIT_UNTIL(w, w->b.acks > 0);
    hf_links_send(w->a.links, w->b.info.id, w->b.info.incarnation, &beat);
    WAIT_UNTIL(w, w->b.heartbeats > 0);
    assert_true(w->b.acks < ACKS);
    WAIT_UNTIL(w, w->b.acks == ACKS);
    assert_int_equal(w->b.disordered, 0);
    assert_in_range(w->acks_most, 1, HF_LINKS_TURN_US / ACK_US + 8);
    assert_int_equal(w->b.downs, 0);
}

/* The same when it ends in the middle of that. */
static void a_session_may_end_with_much_left(void **state)
{
    struct world *w = *state;
    link_both(w);
    w->b.ack_ns = 20000;
    for (uint64_t i = 1; i <= 20000; i++) {
        send_ack(&w->a, &w->b, i);
    }
    WAIT_UNTIL(w, w->b.acks > 0);
    end_stop(w, &w->b);
    assert_true(w->b.acks < 20000);
}

static void knows_how_much_is_queued_for_a_peer(void **state)
{
    struct world *w = *state;
    assert_int_equal(hf_links_queued(w->a.links, w->b.info.id), 0);
    link_both(w);
    assert_int_equal(hf_links_queued(w->a.links, w->b.info.id), 0);
    send_value(&w->a, &w->b, 1000); /* Under construction. */
    assert_in_range(hf_links_queued(w->a.links, w->b.info.id), 1000, 1500);
    /* As long as the kernel takes all, nothing waits. */
    uint64_t sent = 1;
    do {
        send_big(&w->a, &w->b);
        sent++;
        assert_true(sent < 100);
    } while (hf_links_queued(w->a.links, w->b.info.id) == 0);
    size_t before = hf_links_queued(w->a.links, w->b.info.id);
    send_big(&w->a, &w->b);
    send_value(&w->a, &w->b, 1000);
    assert_in_range(hf_links_queued(w->a.links, w->b.info.id),
                    before + BIG_BYTES + 1000, before + BIG_BYTES + 2000);
    assert_int_equal(hf_links_queued(w->b.links, w->a.info.id), 0);
    WAIT_UNTIL(w, w->b.forwards == sent + 2 &&
                      hf_links_queued(w->a.links, w->b.info.id) == 0);
}

static void a_message_that_just_fits_a_frame_gets_one_of_its_own(void **state)
{
    struct world *w = *state;
    link_both(w);
    send_value(&w->a, &w->b, 1000);
    send_value(&w->a, &w->b, HF_FRAME_PAYLOAD_MAX - 500);
    send_value(&w->a, &w->b, 1000);
    WAIT_UNTIL(w, w->b.forwards == 3);
    assert_int_equal(w->b.forward_bytes, HF_FRAME_PAYLOAD_MAX + 1500);
    assert_int_equal(w->a.downs, 0);
    assert_int_equal(w->a.warnings, 0);
}

/* Nothing may be missing from the middle of an ordered stream. */
static void a_message_that_fits_no_frame_ends_the_session(void **state)
{
    struct world *w = *state;
    link_both(w);
    send_value(&w->a, &w->b, 1000);
    send_value(&w->a, &w->b, HF_FRAME_PAYLOAD_MAX + 1);
    send_value(&w->a, &w->b, 2000);
    WAIT_UNTIL(w, w->a.downs > 0);
    assert_int_equal(w->a.warnings, 1);
    assert_non_null(strstr(w->a.last_warning, "larger than any frame"));
    link_both(w); /* It is dialled again. */
    assert_true(w->b.forward_bytes <= 1000);
    assert_int_equal(w->a.up[HF_CHANNEL_CONTROL][1], 1);
}

/* Two clusters on one machine: whoever looks finds a line about his own. */
static void each_reason_to_refuse_is_logged_once(void **state)
{
    static const char *const clusters[] = {"one", "two", "one", "two"};
    static const char *const named[] = {"'one'", "'two'", "'two'", "'two'"};
    static const int warnings[] = {1, 2, 2, 2};
    struct world *w = *state;
    for (size_t i = 0; i < HF_ARRAY_COUNT(clusters); i++) {
        struct raw raw;
        raw_connect(w, &raw, &w->a);
        raw_say_hello_as(&raw, clusters[i], 77);
        WAIT_UNTIL(w, raw.bytes_in > HF_FRAME_HEADER_BYTES); /* REFUSAL. */
        assert_int_equal(w->a.warnings, warnings[i]);
        assert_non_null(strstr(w->a.last_warning, named[i]));
        raw_release(w, &raw);
    }
}

static void a_stranger_with_many_names_fills_no_log(void **state)
{
    struct world *w = *state;
    for (int i = 0; i < 60; i++) {
        struct raw raw;
        char name[16];
        snprintf(name, sizeof(name), "name%d", i);
        raw_connect(w, &raw, &w->a);
        raw_say_hello_as(&raw, name, 77);
        WAIT_UNTIL(w, raw.bytes_in > HF_FRAME_HEADER_BYTES);
        raw_release(w, &raw);
    }
    assert_in_range(w->a.warnings, 2, 45);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(closes_who_announces_too_much),
        TEST(closes_who_goes_silent),
        TEST(a_flood_of_strangers_keeps_no_peer_out),
        TEST(closes_a_session_with_too_much_waiting),
        TEST(a_turn_takes_in_what_it_has_time_for),
        TEST(a_session_may_end_with_much_left),
        TEST(knows_how_much_is_queued_for_a_peer),
        TEST(a_message_that_just_fits_a_frame_gets_one_of_its_own),
        TEST(a_message_that_fits_no_frame_ends_the_session),
        TEST(each_reason_to_refuse_is_logged_once),
        TEST(a_stranger_with_many_names_fills_no_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
