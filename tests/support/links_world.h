/* links_world.h - Two ends of io/links in one process, over loopback, and raw
 * connections that speak as a test wants them to.
 *
 *   a <--- hf_links ---> b        raw ---> a
 *
 * Everything runs on one loop that a test turns by WAIT_UNTIL and let_pass.
 * Each test gets a fresh world by set_up; tear_down checks that nothing is
 * left open or allocated. For cmocka programs; include it once. */
#ifndef HF_TESTS_LINKS_WORLD_H
#define HF_TESTS_LINKS_WORLD_H

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
#define VALUE_BYTES_MAX (HF_FRAME_PAYLOAD_MAX + 4096)

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
    uint64_t heartbeats;
    uint64_t ack_ns; /* So long it takes to carry out each. */
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
    bool by_threads;    /* Both ends receive by NNG's threads. */
    uint64_t acks_most; /* That b received in one turn. */
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
    bool connected;
    bool closed; /* By the other end. */
    bool released;
};

static inline void on_link(void *user, const struct hf_link_event *event)
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

static inline void on_message(void *user, hf_node_id from,
                              hf_incarnation incarnation,
                              const struct hf_message *message)
{
    struct end *end = user;
    (void)from;
    (void)incarnation;
    if (message->type == HF_MESSAGE_ACK) {
        end->acks++;
        end->disordered += message->ack.number != end->acks ? 1 : 0;
        uint64_t until_ns = hf_clock_now_ns() + end->ack_ns;
        while (end->ack_ns > 0 && hf_clock_now_ns() < until_ns) {
        }
    } else if (message->type == HF_MESSAGE_HEARTBEAT) {
        end->heartbeats++;
    } else if (message->type == HF_MESSAGE_FORWARD) {
        end->forwards++;
        end->forward_bytes += message->forward.command.argv[2].size;
    }
}

static inline void on_probed(void *user, uint64_t token,
                             enum hf_probe_result result)
{
    struct end *end = user;
    end->probe_token = token;
    end->probe_result = result;
}

static inline void on_log(void *user, enum hf_log_level level, const char *text)
{
    struct end *end = user;
    if (level >= HF_LOG_WARNING) {
        end->warnings++;
        snprintf(end->last_warning, sizeof(end->last_warning), "%s", text);
    }
}

static inline void turn(struct world *w)
{
    struct end *ends[] = {&w->a, &w->b};
    uint64_t acks = w->b.acks;
    uv_run(&w->loop, UV_RUN_ONCE);
    for (size_t i = 0; i < 2; i++) {
        if (ends[i]->links != NULL && !ends[i]->stopped) {
            hf_links_poll(ends[i]->links);
            hf_links_run(ends[i]->links);
            hf_links_flush(ends[i]->links);
        }
    }
    if (w->b.acks - acks > w->acks_most) {
        w->acks_most = w->b.acks - acks;
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
static inline void let_pass(struct world *w, hf_time ms)
{
    hf_time until = hf_clock_now() + ms;
    while (hf_clock_now() < until) {
        turn(w);
    }
}

static inline struct hf_links_handler handler_of(struct end *end)
{
    return (struct hf_links_handler){
        .user = end,
        .link = on_link,
        .message = on_message,
        .probed = on_probed,
    };
}

static inline void end_start(struct world *w, struct end *end, const char *name,
                             const char *cluster, uint16_t port,
                             hf_incarnation incarnation)
{
    const struct hf_links_config config = {
        .bind = "127.0.0.1",
        .port = port,
        .cluster_name = cluster,
        .random_seed = incarnation,
        .by_threads = w->by_threads,
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

static inline void on_stopped(void *user)
{
    struct end *end = user;
    end->stopped = true;
}

static inline void end_stop(struct world *w, struct end *end)
{
    if (end->links == NULL) {
        return;
    }
    hf_links_stop(end->links, on_stopped, end);
    WAIT_UNTIL(w, end->stopped);
    hf_links_destroy(end->links);
    end->links = NULL;
}

static inline struct hf_address address_of(const struct end *end)
{
    struct hf_address address = {.port = end->info.peer_port};
    strcpy(address.host, end->info.host);
    return address;
}

static inline void connect_to(struct end *from, const struct end *to)
{
    struct hf_address address = address_of(to);
    hf_links_connect(from->links, &address);
}

/* All that is to be up once two nodes know each other. */
static inline bool is_linked(const struct end *end)
{
    return end->up[0][0] && end->up[0][1] && end->up[1][0] && end->up[1][1];
}

static inline void link_both(struct world *w)
{
    connect_to(&w->a, &w->b);
    connect_to(&w->b, &w->a);
    WAIT_UNTIL(w, is_linked(&w->a) && is_linked(&w->b));
}

static inline void send_ack(struct end *from, const struct end *to,
                            uint64_t number)
{
    struct hf_message message = {.type = HF_MESSAGE_ACK};
    message.ack.epoch = 1;
    message.ack.number = number;
    hf_links_send(from->links, to->info.id, to->info.incarnation, &message);
}

/* A message with a value of @size bytes, on the data channel. */
static inline void send_value(struct end *from, const struct end *to,
                              size_t size)
{
    static uint8_t value[VALUE_BYTES_MAX];
    assert_true(size <= sizeof(value));
    const struct hf_slice argv[] = {
        HF_SLICE_LITERAL("SET"),
        HF_SLICE_LITERAL("key"),
        {value, size},
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

static inline void send_big(struct end *from, const struct end *to)
{
    send_value(from, to, BIG_BYTES);
}

static inline void on_pulse(uv_timer_t *pulse)
{
    (void)pulse;
}

static inline int set_up_as(void **state, bool by_threads)
{
    struct world *w = calloc(1, sizeof(*w));
    assert_non_null(w);
    w->by_threads = by_threads;
    assert_int_equal(uv_loop_init(&w->loop), 0);
    uv_timer_init(&w->loop, &w->pulse);
    uv_timer_start(&w->pulse, on_pulse, 5, 5);
    hf_mem_init_system(&w->mem);
    end_start(w, &w->a, "a", "test", 0, 11);
    end_start(w, &w->b, "b", "test", 0, 22);
    *state = w;
    return 0;
}

static inline int set_up(void **state)
{
    return set_up_as(state, false);
}

static inline int set_up_by_threads(void **state)
{
    return set_up_as(state, true);
}

static inline int tear_down(void **state)
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

static inline void raw_on_alloc(uv_handle_t *handle, size_t suggested,
                                uv_buf_t *buf)
{
    struct raw *raw = handle->data;
    (void)suggested;
    size_t room = sizeof(raw->in) - raw->bytes_in;
    *buf = uv_buf_init((char *)raw->in + raw->bytes_in, (unsigned)room);
}

static inline void raw_on_read(uv_stream_t *stream, ssize_t size,
                               const uv_buf_t *buf)
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

static inline void raw_on_connect(uv_connect_t *connect, int status)
{
    struct raw *raw = connect->data;
    assert_int_equal(status, 0);
    raw->connected = true;
    uv_read_start((uv_stream_t *)&raw->tcp, raw_on_alloc, raw_on_read);
}

static inline void raw_on_released(uv_handle_t *handle)
{
    struct raw *raw = handle->data;
    hf_buffer_close(&raw->out);
    raw->released = true;
}

static inline void raw_init(struct world *w, struct raw *raw)
{
    memset(raw, 0, sizeof(*raw));
    hf_buffer_init(&raw->out, &w->mem);
    uv_tcp_init(&w->loop, &raw->tcp);
    raw->tcp.data = raw;
    raw->connect.data = raw;
}

static inline void raw_connect(struct world *w, struct raw *raw,
                               const struct end *to)
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
static inline void raw_send(struct raw *raw)
{
    uv_buf_t buf = uv_buf_init((char *)raw->out.data, (unsigned)raw->out.size);
    uv_write(&raw->write, (uv_stream_t *)&raw->tcp, &buf, 1, NULL);
}

static inline void raw_release(struct world *w, struct raw *raw)
{
    uv_close((uv_handle_t *)&raw->tcp, raw_on_released);
    WAIT_UNTIL(w, raw->released);
}

/* A stranger that knows the protocol: node c. */
static inline void raw_say_hello_as(struct raw *raw, const char *cluster,
                                    uint64_t session)
{
    struct hf_hello hello = {
        .version = HF_PROTOCOL_VERSION,
        .channel = HF_CHANNEL_DATA,
        .session = session,
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
    strcpy(hello.cluster_name, cluster);
    hf_frame_write_hello(&raw->out, HF_FRAME_HELLO, &hello, 0);
    raw_send(raw);
}

static inline void raw_say_hello(struct raw *raw)
{
    raw_say_hello_as(raw, "test", 77);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
