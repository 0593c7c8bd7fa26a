/* Two ends of io/links in one process, over loopback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "holdfast/error.h"
#include "io/clock.h"
#include "io/links.h"
#include "wire/link.h"
#include "wire/peer.h"

#define DEADLINE_MS 20000
#define BIG_BYTES ((size_t)1 << 20)

/* One node's links, and what was heard of them. */
struct end {
    struct hf_links *links; /* NULL: not there (any more). */
    struct hf_peer_info info;
    /* Sessions that are up now, [channel][out]. */
    int up[HF_CHANNEL_COUNT][2];
    int ups;
    int downs;
    int abrupt_downs;
    uint64_t acks;       /* Received, ... */
    uint64_t disordered; /* ... of those not in order. */
    uint64_t forwards;
    size_t forward_bytes;
    enum hf_probe_result probe_result;
    uint64_t probe_token; /* 0: no answer yet. */
    int warnings;
    char last_warning[1024];
    bool stopped;
};

struct world {
    uv_loop_t loop;
    uv_timer_t pulse; /* So that the loop never waits for long. */
    struct hf_mem mem;
    struct end a;
    struct end b;
};

struct raw {
    uv_tcp_t tcp;
    uv_connect_t connect;
    uv_write_t write;
    struct hf_buffer out;
    size_t bytes_in;
    uint8_t in[8192];
    bool reads_nothing;
    bool connected;
    bool closed; /* By the other end. */
    bool released;
};

static void on_link(void *user, const struct hf_link_event *event)
{
    struct end *end = user;
    end->up[event->channel][event->out ? 1 : 0] = event->up ? 1 : 0;
    if (event->up) {
        end->ups++;
    } else {
        end->downs++;
        end->abrupt_downs += event->abrupt ? 1 : 0;
    }
}

static void on_message(void *user, hf_node_id from, hf_incarnation incarnation,
                       const struct hf_message *message)
{
    struct end *end = user;
    (void)from;
    (void)incarnation;
    if (message->type == HF_MESSAGE_ACK) {
        end->acks++;
        end->disordered += message->ack.number != end->acks ? 1 : 0;
    } else if (message->type == HF_MESSAGE_FORWARD) {
        end->forwards++;
        end->forward_bytes += message->forward.command.argv[2].size;
    }
}

static void on_probed(void *user, uint64_t token, enum hf_probe_result result)
{
    struct end *end = user;
    end->probe_token = token;
    end->probe_result = result;
}

static void on_log(void *user, enum hf_log_level level, const char *text)
{
    struct end *end = user;
    if (level >= HF_LOG_WARNING) {
        end->warnings++;
        snprintf(end->last_warning, sizeof(end->last_warning), "%s", text);
    }
}

static void turn(struct world *w)
{
    struct end *ends[] = {&w->a, &w->b};
    uv_run(&w->loop, UV_RUN_ONCE);
    for (size_t i = 0; i < 2; i++) {
        if (ends[i]->links != NULL && !ends[i]->stopped) {
            hf_links_poll(ends[i]->links);
            hf_links_flush(ends[i]->links);
        }
    }
}

#define WAIT_UNTIL(world, condition)                                           \
    do {                                                                       \
        hf_time give_up_at = hf_clock_now() + DEADLINE_MS;                     \
        while (!(condition)) {                                                 \
            assert_true(hf_clock_now() < give_up_at);                          \
            turn(world);                                                       \
        }                                                                      \
    } while (0)

/* Whatever would go wrong has had that long to do so. */
static void let_pass(struct world *w, hf_time ms)
{
    hf_time until = hf_clock_now() + ms;
    while (hf_clock_now() < until) {
        turn(w);
    }
}

static struct hf_links_handler handler_of(struct end *end)
{
    return (struct hf_links_handler){
        .user = end,
        .link = on_link,
        .message = on_message,
        .probed = on_probed,
    };
}

static void end_start(struct world *w, struct end *end, const char *name,
                      const char *cluster, uint16_t port,
                      hf_incarnation incarnation)
{
    const struct hf_links_config config = {
        .bind = "127.0.0.1",
        .port = port,
        .cluster_name = cluster,
        .random_seed = incarnation,
        .log = {.write = on_log, .user = end, .level = HF_LOG_INFO},
    };
    const struct hf_links_handler handler = handler_of(end);
    *end = (struct end){.ups = 0};
    assert_int_equal(
        hf_links_create(&end->links, &w->loop, &w->mem, &config, &handler), 0);
    end->info.incarnation = incarnation;
    end->info.peer_port = hf_links_port(end->links);
    end->info.client_port = 1;
    end->info.id = hf_hash(hf_slice_text(name));
    strcpy(end->info.name, name);
    strcpy(end->info.label, "here");
    strcpy(end->info.host, "127.0.0.1");
    hf_links_start(end->links, &end->info);
}

static void on_stopped(void *user)
{
    struct end *end = user;
    end->stopped = true;
}

static void end_stop(struct world *w, struct end *end)
{
    if (end->links == NULL) {
        return;
    }
    hf_links_stop(end->links, on_stopped, end);
    WAIT_UNTIL(w, end->stopped);
    hf_links_destroy(end->links);
    end->links = NULL;
}

static struct hf_address address_of(const struct end *end)
{
    struct hf_address address = {.port = end->info.peer_port};
    strcpy(address.host, end->info.host);
    return address;
}

static void connect_to(struct end *from, const struct end *to)
{
    struct hf_address address = address_of(to);
    hf_links_connect(from->links, &address);
}

/* All that is to be up once two nodes know each other. */
static bool is_linked(const struct end *end)
{
    return end->up[0][0] && end->up[0][1] && end->up[1][0] && end->up[1][1];
}

static void link_both(struct world *w)
{
    connect_to(&w->a, &w->b);
    connect_to(&w->b, &w->a);
    WAIT_UNTIL(w, is_linked(&w->a) && is_linked(&w->b));
}

static void send_ack(struct end *from, const struct end *to, uint64_t number)
{
    struct hf_message message = {.type = HF_MESSAGE_ACK};
    message.ack.epoch = 1;
    message.ack.number = number;
    hf_links_send(from->links, to->info.id, to->info.incarnation, &message);
}

static void send_big(struct end *from, const struct end *to)
{
    static uint8_t value[BIG_BYTES];
    const struct hf_slice argv[] = {
        HF_SLICE_LITERAL("SET"),
        HF_SLICE_LITERAL("key"),
        {value, sizeof(value)},
    };
    struct hf_message message = {.type = HF_MESSAGE_FORWARD};
    message.forward.epoch = 1;
    message.forward.number = 1;
    message.forward.partition_end = 1;
    message.forward.command = (struct hf_command){
        .row = hf_command_find(argv[0]),
        .argc = 3,
        .argv = argv,
    };
    hf_links_send(from->links, to->info.id, to->info.incarnation, &message);
}

static void on_pulse(uv_timer_t *pulse)
{
    (void)pulse;
}

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    assert_non_null(w);
    assert_int_equal(uv_loop_init(&w->loop), 0);
    uv_timer_init(&w->loop, &w->pulse);
    uv_timer_start(&w->pulse, on_pulse, 5, 5);
    hf_mem_init_system(&w->mem);
    end_start(w, &w->a, "a", "test", 0, 11);
    end_start(w, &w->b, "b", "test", 0, 22);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    end_stop(w, &w->a);
    end_stop(w, &w->b);
    uv_close((uv_handle_t *)&w->pulse, NULL);
    uv_run(&w->loop, UV_RUN_NOWAIT);
    assert_int_equal(uv_loop_close(&w->loop), 0); /* Nothing is left open. */
    assert_int_equal(w->mem.used_bytes, 0);
    free(w);
    return 0;
}

static void raw_on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct raw *raw = handle->data;
    (void)suggested;
    size_t room = sizeof(raw->in) - raw->bytes_in;
    *buf = uv_buf_init((char *)raw->in + raw->bytes_in, (unsigned)room);
}

static void raw_on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf)
{
    struct raw *raw = stream->data;
    (void)buf;
    if (size < 0) {
        raw->closed = true;
        uv_read_stop(stream);
    } else {
        raw->bytes_in += (size_t)size;
    }
}

static void raw_on_connect(uv_connect_t *connect, int status)
{
    struct raw *raw = connect->data;
    assert_int_equal(status, 0);
    raw->connected = true;
    uv_read_start((uv_stream_t *)&raw->tcp, raw_on_alloc, raw_on_read);
}

static void raw_on_released(uv_handle_t *handle)
{
    struct raw *raw = handle->data;
    hf_buffer_close(&raw->out);
    raw->released = true;
}

static void raw_init(struct world *w, struct raw *raw)
{
    memset(raw, 0, sizeof(*raw));
    hf_buffer_init(&raw->out, &w->mem);
    uv_tcp_init(&w->loop, &raw->tcp);
    raw->tcp.data = raw;
    raw->connect.data = raw;
}

static void raw_connect(struct world *w, struct raw *raw, const struct end *to)
{
    struct sockaddr_in address;
    raw_init(w, raw);
    uv_ip4_addr("127.0.0.1", to->info.peer_port, &address);
    assert_int_equal(uv_tcp_connect(&raw->connect, &raw->tcp,
                                    (struct sockaddr *)&address,
                                    raw_on_connect),
                     0);
    WAIT_UNTIL(w, raw->connected);
}

/* Sends what is in raw->out. */
static void raw_send(struct raw *raw)
{
    uv_buf_t buf = uv_buf_init((char *)raw->out.data, (unsigned)raw->out.size);
    uv_write(&raw->write, (uv_stream_t *)&raw->tcp, &buf, 1, NULL);
}

static void raw_release(struct world *w, struct raw *raw)
{
    uv_close((uv_handle_t *)&raw->tcp, raw_on_released);
    WAIT_UNTIL(w, raw->released);
}

/* A stranger that knows the protocol: node c. */
static void raw_say_hello(struct raw *raw)
{
    struct hf_hello hello = {
        .version = HF_PROTOCOL_VERSION,
        .channel = HF_CHANNEL_DATA,
        .session = 77,
        .cluster_name = "test",
        .info =
            {
                .id = hf_hash(HF_SLICE_LITERAL("c")),
                .incarnation = 33,
                .peer_port = 1,
                .client_port = 2,
                .name = "c",
                .label = "here",
                .host = "127.0.0.1",
            },
    };
    hf_frame_write_hello(&raw->out, HF_FRAME_HELLO, &hello, 0);
    raw_send(raw);
}

static void connects_both_channels_both_ways(void **state)
{
    struct world *w = *state;
    link_both(w);
    assert_int_equal(w->a.ups, 4);
    assert_int_equal(w->b.ups, 4);
    assert_int_equal(hf_links_count(w->a.links), 1);
}

static void delivers_many_messages_in_order(void **state)
{
    struct world *w = *state;
    link_both(w);
    for (uint64_t i = 1; i <= 100000; i++) {
        send_ack(&w->a, &w->b, i);
        if (i % 1000 == 0) {
            turn(w);
        }
    }
    WAIT_UNTIL(w, w->b.acks == 100000);
    assert_int_equal(w->b.disordered, 0);
    assert_int_equal(w->a.acks, 0);
}

static void delivers_messages_larger_than_any_buffer(void **state)
{
    struct world *w = *state;
    link_both(w);
    for (int i = 0; i < 20; i++) {
        send_big(&w->b, &w->a);
    }
    send_ack(&w->b, &w->a, 1);
    WAIT_UNTIL(w, w->a.acks == 1);
    assert_int_equal(w->a.forwards, 20);
    assert_int_equal(w->a.forward_bytes, 20 * BIG_BYTES);
    assert_int_equal(w->a.downs, 0);
}

static void drops_messages_for_another_incarnation(void **state)
{
    struct world *w = *state;
    link_both(w);
    struct end other = w->b;
    other.info.incarnation++;
    send_ack(&w->a, &other, 5);
    send_ack(&w->a, &w->b, 1);
    WAIT_UNTIL(w, w->b.acks == 1);
    assert_int_equal(w->b.disordered, 0);
}

static void keeps_an_idle_session(void **state)
{
    struct world *w = *state;
    link_both(w);
    let_pass(w, HF_LINK_SILENCE_MS + 500);
    assert_int_equal(w->a.downs, 0);
    assert_int_equal(w->b.downs, 0);
}

static void says_abrupt_when_the_other_end_goes(void **state)
{
    struct world *w = *state;
    link_both(w);
    end_stop(w, &w->b);
    WAIT_UNTIL(w, w->a.downs == 4);
    assert_int_equal(w->a.abrupt_downs, 4);
    assert_int_equal(hf_links_count(w->a.links), 0);
}

static void finds_a_restarted_peer_at_the_same_address(void **state)
{
    struct world *w = *state;
    link_both(w);
    uint16_t port = w->b.info.peer_port;
    end_stop(w, &w->b);
    WAIT_UNTIL(w, w->a.downs == 4);
    end_start(w, &w->b, "b", "test", port, 23);
    link_both(w);
    send_ack(&w->a, &w->b, 1);
    WAIT_UNTIL(w, w->b.acks == 1);
    assert_int_equal(w->b.disordered, 0);
}

static void refuses_another_cluster_and_both_sides_say_why(void **state)
{
    struct world *w = *state;
    end_stop(w, &w->b);
    end_start(w, &w->b, "b", "other", 0, 22);
    connect_to(&w->a, &w->b);
    WAIT_UNTIL(w, w->a.warnings > 0 && w->b.warnings > 0);
    assert_non_null(strstr(w->a.last_warning, "'other'"));
    assert_non_null(strstr(w->b.last_warning, "'test'"));
    let_pass(w, 2500); /* It tries again, and says no more of it. */
    assert_int_equal(w->a.ups + w->b.ups, 0);
    assert_int_equal(w->a.warnings, 1);
    assert_int_equal(w->b.warnings, 1);
}

static void refuses_a_second_node_of_the_same_name(void **state)
{
    struct world *w = *state;
    end_stop(w, &w->b);
    end_start(w, &w->b, "a", "test", 0, 22);
    connect_to(&w->a, &w->b);
    WAIT_UNTIL(w, w->a.warnings > 0 && w->b.warnings > 0);
}

static void leaves_its_own_address_alone(void **state)
{
    struct world *w = *state;
    connect_to(&w->a, &w->a);
    link_both(w);
    let_pass(w, 1000);
    assert_int_equal(w->a.ups, 4);
    assert_int_equal(w->a.downs, 0);
    assert_int_equal(w->a.warnings, 0);
}

static void two_addresses_of_a_peer_end_as_one_session(void **state)
{
    struct world *w = *state;
    struct hf_address alias = address_of(&w->b);
    strcpy(alias.host, "127.0.0.2"); /* Loopback, too. */
    end_stop(w, &w->b);
    const struct hf_links_config config = {
        .bind = "0.0.0.0",
        .cluster_name = "test",
        .random_seed = 1,
        .log = {.write = on_log, .user = &w->b, .level = HF_LOG_INFO},
    };
    const struct hf_links_handler handler = handler_of(&w->b);
    struct hf_peer_info info = w->b.info;
    w->b = (struct end){.info = info};
    assert_int_equal(
        hf_links_create(&w->b.links, &w->loop, &w->mem, &config, &handler), 0);
    w->b.info.peer_port = hf_links_port(w->b.links);
    alias.port = w->b.info.peer_port;
    hf_links_start(w->b.links, &w->b.info);

    hf_links_connect(w->a.links, &alias);
    link_both(w);
    let_pass(w, 500);
    int ups = w->a.ups;
    let_pass(w, 2000); /* No session pushes the other out for ever. */
    assert_int_equal(w->a.ups, ups);
    assert_int_equal(w->a.downs, 0);
    assert_int_equal(hf_links_count(w->a.links), 1);
    send_ack(&w->a, &w->b, 1);
    WAIT_UNTIL(w, w->b.acks == 1);
}

static void forgets_an_address(void **state)
{
    struct world *w = *state;
    link_both(w);
    struct hf_address address = address_of(&w->b);
    hf_links_forget(w->a.links, &address);
    WAIT_UNTIL(w, w->a.downs == 2 && w->b.downs == 2);
    assert_int_equal(w->a.abrupt_downs, 0);
    let_pass(w, 700);
    assert_int_equal(w->b.up[0][0] + w->b.up[1][0], 0);
    assert_int_equal(w->b.up[0][1] + w->b.up[1][1], 2);
}

static void closes_what_speaks_another_protocol(void **state)
{
    struct world *w = *state;
    struct raw raw[3];
    for (size_t i = 0; i < 3; i++) {
        raw_connect(w, &raw[i], &w->a);
        hf_buffer_append_text(
            &raw[i].out, "GET / HTTP/1.1\r\nHost: somebody.example\r\n"
                         "User-Agent: curious\r\nAccept: everything\r\n\r\n");
        raw_send(&raw[i]);
        WAIT_UNTIL(w, raw[i].closed);
    }
    assert_int_equal(w->a.warnings, 1); /* Not once each. */
    for (size_t i = 0; i < 3; i++) {
        raw_release(w, &raw[i]);
    }
    link_both(w);
}

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

static void a_lost_frame_breaks_the_session(void **state)
{
    struct world *w = *state;
    struct raw raw;
    raw_connect(w, &raw, &w->a);
    raw_say_hello(&raw);
    WAIT_UNTIL(w, w->a.up[HF_CHANNEL_DATA][0]);
    WAIT_UNTIL(w, raw.bytes_in > HF_FRAME_HEADER_BYTES); /* WELCOME. */

    hf_buffer_clear(&raw.out);
    hf_frame_begin(&raw.out);
    hf_frame_seal(&raw.out, 77, 2, w->a.info.incarnation); /* 1 is missing. */
    raw_send(&raw);
    WAIT_UNTIL(w, raw.closed);
    assert_int_equal(w->a.downs, 1);
    assert_int_equal(w->a.abrupt_downs, 0);
    raw_release(w, &raw);
}

static void a_malformed_message_breaks_the_session(void **state)
{
    struct world *w = *state;
    struct raw raw;
    raw_connect(w, &raw, &w->a);
    raw_say_hello(&raw);
    WAIT_UNTIL(w, w->a.up[HF_CHANNEL_DATA][0]);

    hf_buffer_clear(&raw.out);
    hf_frame_begin(&raw.out);
    hf_buffer_append_text(&raw.out, "\xff\xff\xff\xff");
    hf_frame_seal(&raw.out, 77, 1, w->a.info.incarnation);
    raw_send(&raw);
    WAIT_UNTIL(w, raw.closed);
    raw_release(w, &raw);
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
    for (size_t i = 0; i < 4 * most; i++) {
        send_big(&w->a, &peer); /* In a single turn. */
    }
    /* A frame's memory is up to twice its size. */
    assert_true(w->mem.used_bytes - used_bytes < 2 * most * BIG_BYTES);
    WAIT_UNTIL(w, w->a.downs > 0);
    assert_int_equal(w->a.up[HF_CHANNEL_DATA][1], 0);
    assert_int_equal(w->a.up[HF_CHANNEL_CONTROL][1], 1);
    raw_release(w, &listener);
    raw_release(w, &accepted[0]);
    raw_release(w, &accepted[1]);
}

static void probes_a_port_that_listens_and_one_that_does_not(void **state)
{
    struct world *w = *state;
    struct hf_address address = address_of(&w->b);
    hf_links_probe(w->a.links, &address, 1);
    assert_int_equal(w->a.probe_token, 0); /* Never at once. */
    WAIT_UNTIL(w, w->a.probe_token == 1);
    assert_int_equal(w->a.probe_result, HF_PROBE_CONNECTED);

    end_stop(w, &w->b);
    hf_links_probe(w->a.links, &address, 2);
    WAIT_UNTIL(w, w->a.probe_token == 2);
    assert_int_equal(w->a.probe_result, HF_PROBE_REFUSED);
    assert_int_equal(w->a.warnings, 0);
}

static void a_probe_of_an_unknown_name_proves_nothing(void **state)
{
    struct world *w = *state;
    struct hf_address address = {.host = "no-such-host.invalid", .port = 1};
    hf_links_probe(w->a.links, &address, 3);
    WAIT_UNTIL(w, w->a.probe_token == 3);
    assert_int_equal(w->a.probe_result, HF_PROBE_UNKNOWN);
}

static void says_when_a_port_is_taken(void **state)
{
    struct world *w = *state;
    const struct hf_links_config config = {
        .bind = "127.0.0.1",
        .port = w->a.info.peer_port,
        .cluster_name = "test",
    };
    const struct hf_links_handler handler = handler_of(NULL);
    struct hf_links *links;
    assert_int_equal(
        hf_links_create(&links, &w->loop, &w->mem, &config, &handler),
        HF_EINUSE);
}

static void survives_many_restarts_of_a_busy_peer(void **state)
{
    struct world *w = *state;
    uint16_t port = w->b.info.peer_port;
    for (hf_incarnation i = 100; i < 130; i++) {
        link_both(w);
        for (uint64_t n = 1; n <= 2000; n++) {
            send_ack(&w->a, &w->b, n);
            send_ack(&w->b, &w->a, n);
        }
        send_big(&w->a, &w->b);
        turn(w);
        end_stop(w, &w->b); /* With much under way. */
        WAIT_UNTIL(w, hf_links_count(w->a.links) == 0);
        end_start(w, &w->b, "b", "test", port, i);
    }
    link_both(w);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(connects_both_channels_both_ways),
        TEST(delivers_many_messages_in_order),
        TEST(delivers_messages_larger_than_any_buffer),
        TEST(drops_messages_for_another_incarnation),
        TEST(keeps_an_idle_session),
        TEST(says_abrupt_when_the_other_end_goes),
        TEST(finds_a_restarted_peer_at_the_same_address),
        TEST(refuses_another_cluster_and_both_sides_say_why),
        TEST(refuses_a_second_node_of_the_same_name),
        TEST(leaves_its_own_address_alone),
        TEST(two_addresses_of_a_peer_end_as_one_session),
        TEST(forgets_an_address),
        TEST(closes_what_speaks_another_protocol),
        TEST(closes_who_announces_too_much),
        TEST(a_lost_frame_breaks_the_session),
        TEST(a_malformed_message_breaks_the_session),
        TEST(closes_who_goes_silent),
        TEST(a_flood_of_strangers_keeps_no_peer_out),
        TEST(closes_a_session_with_too_much_waiting),
        TEST(probes_a_port_that_listens_and_one_that_does_not),
        TEST(a_probe_of_an_unknown_name_proves_nothing),
        TEST(says_when_a_port_is_taken),
        TEST(survives_many_restarts_of_a_busy_peer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
