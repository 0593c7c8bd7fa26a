/* clients_test.c - Clients that share a loop, and clients of a node that is
 * about to stop, over loopback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "holdfast/error.h"
#include "io/clients.h"
#include "io/clock.h"

#define DEADLINE_MS 20000

/* More than wait for their answers at once. */
#define TAGS_MAX 4096

struct world {
    uv_loop_t loop;
    uv_timer_t pulse; /* So that the loop never waits for long. */
    struct hf_mem mem;
    struct hf_clients *clients;
    int requests;
    uint64_t client; /* Of the last request. */
    uint64_t tag;
    uint64_t tags[TAGS_MAX]; /* Of the last ones. */
    bool stopped;
    /* Requests are answered at once, and take long. */
    bool busy;
    hf_time told_first; /* What hf_clients_now said. */
    hf_time told_last;
    bool told_ahead;   /* It was ahead of the clock, or went back. */
    uint64_t others;   /* The client of the first request, */
    int others_before; /* and its requests until another's came. */
    size_t together;   /* The most commands that were looked at together. */
};

/* One client of the node. */
struct caller {
    uv_tcp_t tcp;
    uv_connect_t connect;
    uv_write_t write;
    int status; /* Of the connect; 1: not known yet. */
    char in[256];
    size_t in_size;
    bool ended; /* By the node. */
    bool closed;
};

#define BUSY_NS ((uint64_t)100000)
#define BUSY_REQUESTS 2000

static void request_busy(struct world *w, uint64_t client, uint64_t tag)
{
    const struct hf_reply reply = hf_reply_nil();
    hf_time told = hf_clients_now(w->clients);
    w->told_ahead |= told > hf_clock_now() || told < w->told_last;
    w->told_first = w->told_first == 0 ? told : w->told_first;
    w->told_last = told;
    w->others = w->others == 0 ? client : w->others;
    if (client == w->others) {
        w->others_before++;
        uint64_t until_ns = hf_clock_now_ns() + BUSY_NS;
        while (hf_clock_now_ns() < until_ns) {
        }
    }
    hf_clients_reply(w->clients, client, tag, &reply);
}

static void on_request(void *user, uint64_t client, uint64_t tag,
                       const struct hf_command *command)
{
    struct world *w = user;
    (void)command;
    w->tags[w->requests++ % TAGS_MAX] = tag;
    w->client = client;
    w->tag = tag;
    if (w->busy) {
        request_busy(w, client, tag);
    }
}

static void on_expect(void *user, struct hf_command *commands, size_t count)
{
    struct world *w = user;
    (void)commands;
    w->together = count > w->together ? count : w->together;
}

static void on_info(void *user, struct hf_slice section, bool cluster,
                    struct hf_buffer *out)
{
    (void)user;
    (void)cluster;
    (void)section;
    (void)out;
}

static void on_status(void *user, struct hf_buffer *out)
{
    (void)user;
    (void)out;
}

static void on_stopped(void *user)
{
    struct world *w = user;
    w->stopped = true;
}

static void on_pulse(uv_timer_t *pulse)
{
    (void)pulse;
}

static void turn(struct world *w)
{
    uv_run(&w->loop, UV_RUN_ONCE);
    if (w->clients != NULL) {
        hf_clients_run(w->clients);
        hf_clients_flush(w->clients);
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

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    assert_non_null(w);
    const struct hf_clients_config config = {
        .bind = "127.0.0.1",
        .clients_max = 40,
        .limits = {.argument_count_max = 100,
                   .bulk_bytes_max = 1000,
                   .command_bytes_max = 10000,
                   .inline_bytes_max = 1000},
        .output_bytes_soft = (size_t)1 << 20,
        .output_bytes_hard = (size_t)2 << 20,
    };
    const struct hf_clients_handler handler = {
        .user = w,
        .request = on_request,
        .expect = on_expect,
        .info = on_info,
        .status = on_status,
    };
    assert_int_equal(uv_loop_init(&w->loop), 0);
    uv_timer_init(&w->loop, &w->pulse);
    uv_timer_start(&w->pulse, on_pulse, 5, 5);
    hf_mem_init_system(&w->mem);
    assert_int_equal(
        hf_clients_create(&w->clients, &w->loop, &w->mem, &config, &handler),
        0);
    *state = w;
    return 0;
}

static void world_stop(struct world *w)
{
    hf_clients_stop(w->clients, on_stopped, w);
    WAIT_UNTIL(w, w->stopped);
    hf_clients_destroy(w->clients);
    w->clients = NULL;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    if (w->clients != NULL) {
        world_stop(w);
    }
    uv_close((uv_handle_t *)&w->pulse, NULL);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&w->loop), 0); /* Nothing is left open. */
    assert_int_equal(w->mem.used_bytes, 0);
    free(w);
    return 0;
}

static void caller_on_alloc(uv_handle_t *handle, size_t suggested,
                            uv_buf_t *buf)
{
    struct caller *caller = handle->data;
    (void)suggested;
    *buf = uv_buf_init(caller->in + caller->in_size,
                       (unsigned)(sizeof(caller->in) - caller->in_size));
}

static void caller_on_read(uv_stream_t *stream, ssize_t size,
                           const uv_buf_t *buf)
{
    struct caller *caller = stream->data;
    (void)buf;
    if (size < 0) {
        caller->ended = true;
        uv_read_stop(stream);
    } else {
        caller->in_size += (size_t)size;
    }
}

static void caller_on_connect(uv_connect_t *connect, int status)
{
    struct caller *caller = connect->data;
    caller->status = status;
    if (status == 0) {
        uv_read_start((uv_stream_t *)&caller->tcp, caller_on_alloc,
                      caller_on_read);
    }
}

static void caller_connect(struct world *w, struct caller *caller)
{
    struct sockaddr_in address;
    memset(caller, 0, sizeof(*caller));
    caller->status = 1;
    uv_tcp_init(&w->loop, &caller->tcp);
    caller->tcp.data = caller;
    caller->connect.data = caller;
    uv_ip4_addr("127.0.0.1", hf_clients_port(w->clients), &address);
    uv_tcp_connect(&caller->connect, &caller->tcp, (struct sockaddr *)&address,
                   caller_on_connect);
    WAIT_UNTIL(w, caller->status != 1);
}

static void caller_send(struct caller *caller, const char *text)
{
    uv_buf_t buf = uv_buf_init((char *)text, (unsigned)strlen(text));
    uv_write(&caller->write, (uv_stream_t *)&caller->tcp, &buf, 1, NULL);
}

static void caller_on_closed(uv_handle_t *handle)
{
    struct caller *caller = handle->data;
    caller->closed = true;
}

static void caller_close(struct world *w, struct caller *caller)
{
    uv_close((uv_handle_t *)&caller->tcp, caller_on_closed);
    WAIT_UNTIL(w, caller->closed);
}

static void caller_drop_input(struct caller *caller)
{
    caller->in_size = 0;
}

/* Two tenths of a second of work are on their way from one of them. */
static void who_asks_for_much_does_not_hold_up_others(void **state)
{
    struct world *w = *state;
    static char much[BUSY_REQUESTS * sizeof("*2\r\n$3\r\nGET\r\n$1\r\na\r\n")];
    struct caller greedy;
    struct caller modest;
    for (int i = 0; i < BUSY_REQUESTS; i++) {
        strcat(much + 20 * (size_t)i, "*2\r\n$3\r\nGET\r\n$1\r\na\r\n");
    }
    caller_connect(w, &greedy);
    caller_connect(w, &modest);
    w->busy = true;
    hf_time began = hf_clock_now();
    caller_send(&greedy, much);
    WAIT_UNTIL(w, w->requests > 0);
    caller_send(&modest, "GET a\r\n");
    int before = 0;
    WAIT_UNTIL(w, (caller_drop_input(&greedy), before = w->others_before,
                   modest.in_size == 5));
    assert_in_range(before, 1, BUSY_REQUESTS / 2);
    WAIT_UNTIL(w,
               (caller_drop_input(&greedy), w->requests == BUSY_REQUESTS + 1));
    /* The handler knew how late it was. */
    assert_false(w->told_ahead);
    assert_true(w->told_first >= began);
    assert_true(w->told_last - w->told_first >=
                (hf_time)(BUSY_REQUESTS * BUSY_NS / 1000000 / 2));
    caller_close(w, &greedy);
    caller_close(w, &modest);
}

/* So that what the commands need is fetched while others run. */
static void commands_of_several_clients_are_looked_at_together(void **state)
{
    struct world *w = *state;
    struct caller callers[HF_CONNECTION_BATCH_MAX + 4];
    int count = (int)HF_ARRAY_COUNT(callers);
    for (int i = 0; i < count; i++) {
        caller_connect(w, &callers[i]);
    }
    for (int i = 0; i < count; i++) {
        caller_send(&callers[i], "*2\r\n$3\r\nGET\r\n$1\r\na\r\n");
    }
    WAIT_UNTIL(w, w->requests == count);
    assert_int_equal(w->together, HF_CONNECTION_BATCH_MAX);
    for (int i = 0; i < count; i++) {
        caller_close(w, &callers[i]);
    }
}

/* Its end is read together with its command, which waits for others. */
static void what_came_before_a_reset_is_run(void **state)
{
    struct world *w = *state;
    struct caller caller;
    caller_connect(w, &caller);
    WAIT_UNTIL(w, hf_clients_get_stats(w->clients)->connected == 1);
    caller_send(&caller, "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\nb\r\n");
    uv_tcp_close_reset(&caller.tcp, caller_on_closed);
    WAIT_UNTIL(w, w->requests == 1 && caller.closed);
    const struct hf_reply reply = hf_reply_nil();
    hf_clients_reply(w->clients, w->client, w->tag, &reply);
    WAIT_UNTIL(w, hf_clients_get_stats(w->clients)->connected == 0);
}

/* What was lent for output is given back when it is written. */
static void an_idle_client_holds_no_output(void **state)
{
    struct world *w = *state;
    struct caller callers[5];
    const struct hf_reply reply = hf_reply_nil();
    for (size_t i = 0; i < HF_ARRAY_COUNT(callers); i++) {
        caller_connect(w, &callers[i]);
        int requests = w->requests;
        caller_send(&callers[i], "GET a\r\n");
        WAIT_UNTIL(w, w->requests > requests);
        size_t used = w->mem.used_bytes;
        hf_clients_reply(w->clients, w->client, w->tag, &reply);
        WAIT_UNTIL(w, callers[i].in_size == 5);
        if (i > 0) { /* The buffer of the first did for all. */
            assert_int_equal(w->mem.used_bytes, used);
        }
    }
    for (size_t i = 0; i < HF_ARRAY_COUNT(callers); i++) {
        caller_close(w, &callers[i]);
    }
}

/* The first answer to a pipeline waits for the second, but not for long. */
static void answers_go_together_or_soon(void **state)
{
    struct world *w = *state;
    struct caller caller;
    const struct hf_reply reply = hf_reply_nil();
    const struct hf_clients_stats *stats = hf_clients_get_stats(w->clients);
    caller_connect(w, &caller);
    caller_send(&caller, "GET a\r\nGET b\r\n");
    WAIT_UNTIL(w, w->requests == 2);
    hf_clients_reply(w->clients, w->client, w->tag - 1, &reply);
    assert_false(hf_clients_flush(w->clients));
    assert_int_equal(stats->bytes_out, 0);
    assert_in_range(hf_clients_deadline(w->clients), 1, hf_clock_now() + 2);
    hf_clients_reply(w->clients, w->client, w->tag, &reply);
    assert_false(hf_clients_flush(w->clients));
    assert_int_equal(stats->bytes_out, 10);
    assert_true(hf_clients_deadline(w->clients) == HF_NEVER);
    WAIT_UNTIL(w, caller.in_size == 10);

    caller_send(&caller, "GET a\r\nGET b\r\n");
    WAIT_UNTIL(w, w->requests == 4);
    hf_clients_reply(w->clients, w->client, w->tag - 1, &reply);
    WAIT_UNTIL(w, caller.in_size == 15);
    assert_true(hf_clients_deadline(w->clients) == HF_NEVER);
    caller_close(w, &caller);
}

static void a_drain_refuses_connects_and_waits_for_answers(void **state)
{
    struct world *w = *state;
    struct caller served;
    struct caller idle;
    struct caller late;
    caller_connect(w, &served);
    caller_connect(w, &idle);
    caller_send(&served, "GET a\r\n");
    WAIT_UNTIL(w, w->requests == 1);

    hf_clients_drain(w->clients, HF_CLIENTS_DRAIN_ANSWERED);
    caller_connect(w, &late);
    assert_int_equal(late.status, UV_ECONNREFUSED);
    assert_false(idle.ended);
    hf_clients_drain(w->clients, HF_CLIENTS_DRAIN_IDLE);
    WAIT_UNTIL(w, idle.ended);
    assert_false(served.ended);

    const struct hf_reply reply = hf_reply_nil();
    hf_clients_reply(w->clients, w->client, w->tag, &reply);
    WAIT_UNTIL(w, served.ended);
    assert_int_equal(served.in_size, 5);
    assert_memory_equal(served.in, "$-1\r\n", 5);
    caller_close(w, &served);
    caller_close(w, &idle);
    caller_close(w, &late);
    /* All is closed by now: stopping has nothing to wait for. */
    WAIT_UNTIL(w, hf_clients_get_stats(w->clients)->connected == 0);
    world_stop(w);
}

/* Commands that were under way when the drain began, and those sent before the
 * node said that it takes no more, are answered; then it says so. What comes
 * later is dropped, and no reset takes the answers away. */
static void a_drain_serves_until_all_is_answered(void **state)
{
    struct world *w = *state;
    struct caller caller;
    uint64_t tags[2];
    const struct hf_reply reply = hf_reply_nil();
    caller_connect(w, &caller);
    caller_send(&caller, "GET a\r\n");
    WAIT_UNTIL(w, w->requests == 1);
    tags[0] = w->tag;
    uint64_t client = w->client;
    hf_clients_drain(w->clients, HF_CLIENTS_DRAIN_IDLE);
    caller_send(&caller, "GET b\r\n");
    WAIT_UNTIL(w, w->requests == 2);
    tags[1] = w->tag;
    assert_true(hf_clients_is_connected(w->clients, client));
    hf_clients_reply(w->clients, client, tags[0], &reply);
    WAIT_UNTIL(w, caller.in_size == 5);
    assert_false(caller.ended);
    hf_clients_reply(w->clients, client, tags[1], &reply);
    WAIT_UNTIL(w, caller.ended);
    assert_int_equal(caller.in_size, 10);
    assert_false(hf_clients_is_connected(w->clients, client));
    assert_int_equal(hf_clients_get_stats(w->clients)->connected, 0);

    uv_buf_t late = uv_buf_init("GET c\r\n", 7);
    for (int i = 0; i < 20; i++) { /* A reset would make these fail. */
        turn(w);
        assert_int_equal(uv_try_write((uv_stream_t *)&caller.tcp, &late, 1), 7);
    }
    assert_int_equal(w->requests, 2);
    caller_close(w, &caller);
}

/* One that never stops asking is cut off in the end, with its answers. */
static void a_drain_ends_though_a_client_goes_on_asking(void **state)
{
    struct world *w = *state;
    struct caller caller;
    const struct hf_reply reply = hf_reply_nil();
    caller_connect(w, &caller);
    caller_send(&caller, "GET a\r\nGE");
    WAIT_UNTIL(w, w->requests == 1);
    hf_clients_drain(w->clients, HF_CLIENTS_DRAIN_IDLE);
    hf_clients_reply(w->clients, w->client, w->tag, &reply);
    WAIT_UNTIL(w, caller.in_size == 5);
    assert_false(caller.ended);
    hf_clients_drain(w->clients, HF_CLIENTS_DRAIN_REFUSE);
    WAIT_UNTIL(w, caller.ended);
    caller_close(w, &caller);
}

static void stops_in_the_middle_of_a_drain(void **state)
{
    struct world *w = *state;
    struct caller served;
    caller_connect(w, &served);
    caller_send(&served, "GET a\r\n");
    WAIT_UNTIL(w, w->requests == 1);
    hf_clients_drain(w->clients, HF_CLIENTS_DRAIN_IDLE);
    world_stop(w);
    WAIT_UNTIL(w, served.ended);
    caller_close(w, &served);
}

/* A directory of its own, and a path in it. */
struct place {
    char directory[40];
    char path[64];
};

static void place_open(struct place *place)
{
    strcpy(place->directory, "/tmp/holdfast-clients-XXXXXX");
    assert_non_null(mkdtemp(place->directory));
    snprintf(place->path, sizeof(place->path), "%s/s", place->directory);
}

static void place_close(struct place *place)
{
    assert_int_equal(rmdir(place->directory), 0); /* It is empty. */
}

static int raw_connect(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)),
                     0);
    return fd;
}

/* What a process leaves that was killed. */
static void leave_socket(const char *path, bool listens, int *fd)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, path);
    *fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(*fd, (struct sockaddr *)&address, sizeof(address)),
                     0);
    if (listens) {
        assert_int_equal(listen(*fd, 8), 0);
    } else {
        close(*fd);
    }
}

static void serves_on_a_unix_socket(void **state)
{
    struct world *w = *state;
    struct place place;
    struct stat there;
    int left;
    place_open(&place);
    leave_socket(place.path, false, &left);
    assert_int_equal(hf_clients_listen_unix(w->clients, place.path), 0);
    assert_int_equal(stat(place.path, &there), 0);
    assert_int_equal(there.st_mode & 0777, 0600);
    int fd = raw_connect(place.path);
    assert_int_equal(write(fd, "CLIENT INFO\r\n", 13), 13);
    char answer[512] = "";
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    WAIT_UNTIL(w, read(fd, answer, sizeof(answer) - 1) > 0);
    char expected[128];
    snprintf(expected, sizeof(expected), "addr=%s:0 ", place.path);
    assert_non_null(strstr(answer, expected));
    assert_int_equal(write(fd, "GET a\r\n", 7), 7);
    WAIT_UNTIL(w, w->requests == 1);
    const struct hf_reply reply = hf_reply_nil();
    hf_clients_reply(w->clients, w->client, w->tag, &reply);
    WAIT_UNTIL(w, read(fd, answer, sizeof(answer)) > 0);
    close(fd);
    WAIT_UNTIL(w, hf_clients_get_stats(w->clients)->connected == 0);
    world_stop(w);
    place_close(&place);
}

static void a_unix_socket_that_is_used_stays(void **state)
{
    struct world *w = *state;
    struct place place;
    int live;
    place_open(&place);
    leave_socket(place.path, true, &live);
    assert_int_equal(hf_clients_listen_unix(w->clients, place.path), HF_EINUSE);
    close(raw_connect(place.path)); /* It is still there. */
    world_stop(w);
    close(raw_connect(place.path));
    close(live);
    assert_int_equal(unlink(place.path), 0);
    place_close(&place);
}

static void a_file_at_the_path_of_a_unix_socket_stays(void **state)
{
    struct world *w = *state;
    struct place place;
    place_open(&place);
    int fd = open(place.path, O_CREAT | O_WRONLY, 0600);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(hf_clients_listen_unix(w->clients, place.path), HF_EINVAL);
    world_stop(w);
    assert_int_equal(unlink(place.path), 0);
    place_close(&place);
}

static void a_unix_socket_needs_its_directory(void **state)
{
    struct world *w = *state;
    assert_int_equal(hf_clients_listen_unix(w->clients, "/nonexistent/s"),
                     HF_EIO);
}

static int raw_connect_tcp(uint16_t port)
{
    struct sockaddr_in address;
    uv_ip4_addr("127.0.0.1", port, &address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)),
                     0);
    return fd;
}

/* Sends @text in pieces of @piece bytes, says that there is no more, and gets
 * all the answers. */
static void expect_all_answers(struct world *w, int fd, size_t piece,
                               const char *text, const char *expected)
{
    static char answers[1 << 18];
    size_t size = 0;
    ssize_t got = 1;
    int answered = 0;
    struct hf_buffer seven;
    hf_buffer_init(&seven, &w->mem);
    hf_reply_put_array(&seven, 1);
    hf_reply_put_integer(&seven, 7);
    const struct hf_reply reply = hf_reply_nested(&seven);
    w->requests = 0;
    for (size_t at = 0; at < strlen(text); at += piece) {
        size_t left = strlen(text) - at;
        size_t now = left < piece ? left : piece;
        assert_int_equal(write(fd, text + at, now), now);
        turn(w);
    }
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    hf_time give_up_at = hf_clock_now() + DEADLINE_MS;
    for (int turns = 0; got != 0; turns++) {
        assert_true(hf_clock_now() < give_up_at);
        turn(w);
        while (turns % 4 == 3 && answered < w->requests) { /* It takes time. */
            hf_clients_reply(w->clients, w->client,
                             w->tags[answered++ % TAGS_MAX], &reply);
        }
        got = read(fd, answers + size, sizeof(answers) - 1 - size);
        size += got > 0 ? (size_t)got : 0;
    }
    answers[size] = '\0';
    assert_string_equal(answers, expected);
    hf_buffer_close(&seven);
    close(fd);
}

#define SEVEN "*1\r\n:7\r\n"

/* Most of it is held back when the end comes. */
static void expect_deep_pipeline(struct world *w, int fd)
{
    struct hf_buffer sent;
    struct hf_buffer expected;
    hf_buffer_init(&sent, &w->mem);
    hf_buffer_init(&expected, &w->mem);
    for (int i = 0; i < 12000; i++) {
        hf_buffer_append_text(&sent, "GET a\r\n");
        hf_buffer_append_text(&expected, SEVEN);
    }
    hf_buffer_append(&sent, "", 1);
    hf_buffer_append(&expected, "", 1);
    expect_all_answers(w, fd, sent.size, (const char *)sent.data,
                       (const char *)expected.data);
    hf_buffer_close(&sent);
    hf_buffer_close(&expected);
}

static void the_last_commands_of_a_client_are_answered(void **state)
{
    static const char text[] = "GET a\r\nMULTI\r\nGET b\r\nEXEC\r\n"
                               "MULTI\r\nGET b\r\nEXEC\r\nGET c\r\nPING\r\n";
    static const char expected[] = SEVEN "+OK\r\n+QUEUED\r\n" SEVEN "+OK\r\n"
                                         "+QUEUED\r\n" SEVEN SEVEN "+PONG\r\n";
    struct world *w = *state;
    struct place place;
    place_open(&place);
    assert_int_equal(hf_clients_listen_unix(w->clients, place.path), 0);
    for (size_t piece = 1; piece < sizeof(text); piece++) {
        int fd = raw_connect(place.path);
        expect_all_answers(w, fd, piece, text, expected);
        fd = raw_connect_tcp(hf_clients_port(w->clients));
        expect_all_answers(w, fd, piece, text, expected);
    }
    expect_deep_pipeline(w, raw_connect(place.path));
    expect_deep_pipeline(w, raw_connect_tcp(hf_clients_port(w->clients)));
    world_stop(w);
    place_close(&place);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_asks_for_much_does_not_hold_up_others),
        TEST(commands_of_several_clients_are_looked_at_together),
        TEST(what_came_before_a_reset_is_run),
        TEST(an_idle_client_holds_no_output),
        TEST(answers_go_together_or_soon),
        TEST(a_drain_refuses_connects_and_waits_for_answers),
        TEST(a_drain_serves_until_all_is_answered),
        TEST(a_drain_ends_though_a_client_goes_on_asking),
        TEST(stops_in_the_middle_of_a_drain),
        TEST(serves_on_a_unix_socket),
        TEST(a_unix_socket_that_is_used_stays),
        TEST(a_file_at_the_path_of_a_unix_socket_stays),
        TEST(a_unix_socket_needs_its_directory),
        TEST(the_last_commands_of_a_client_are_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
