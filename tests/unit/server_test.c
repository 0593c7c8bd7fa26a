/* A whole node in this process: stopping it, in every order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <netinet/in.h>

#include "base/sanitized.h"
#include "holdfast/server.h"

#define STALL_US 30000
#define VALUE_BYTES 16000000u
#define SESSIONS 1000u
#define SESSION_BYTES 20000u
#define LAST_FIELD "loop_cpu_over_100ms:"

enum wish { WISH_NONE, WISH_STOP, WISH_DRAIN };

/* A node on a thread of its own. */
struct subject {
    struct hf_server *server;
    pthread_t thread;
    int rv;
    enum wish when_stopping; /* Asked for again once it stops. */
    unsigned connections;    /* Of clients at a time; 0: the default. */
    atomic_int stopping;
    atomic_int stopped;
};

static void ask(struct subject *subject, enum wish wish)
{
    if (wish == WISH_STOP) {
        hf_server_stop(subject->server);
    } else if (wish == WISH_DRAIN) {
        hf_server_drain(subject->server);
    }
}

static void on_line(void *user, enum hf_config_log_level level,
                    const char *line)
{
    struct subject *subject = user;
    (void)level;
    if (strcmp(line, "stopping") == 0) {
        atomic_fetch_add(&subject->stopping, 1);
        ask(subject, subject->when_stopping);
    } else if (strcmp(line, "stopped") == 0) {
        atomic_fetch_add(&subject->stopped, 1);
    } else if (strstr(line, "turned a client away") != NULL) {
        const struct timespec stall = {.tv_nsec = STALL_US * 1000L};
        nanosleep(&stall, NULL); /* The loop stands still. */
    }
}

static void subject_create(struct subject *subject)
{
    struct hf_config config;
    char error[512];
    hf_config_init(&config);
    config.port = 0;
    config.log_write = on_line;
    config.log_user = subject;
    if (subject->connections > 0) {
        config.clients_max = subject->connections;
    }
    assert_int_equal(
        hf_server_create(&subject->server, &config, error, sizeof(error)), 0);
}

static void *subject_main(void *arg)
{
    struct subject *subject = arg;
    subject->rv = hf_server_run(subject->server);
    return NULL;
}

/* Connected to @port, or -1. */
static int dial_port(uint16_t port)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)},
    };
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* To the port for clients. */
static int dial(const struct subject *subject)
{
    return dial_port(hf_server_port(subject->server));
}

/* Runs in a thread of its own; returns a client of it. */
static int subject_start(struct subject *subject)
{
    subject_create(subject);
    assert_int_equal(
        pthread_create(&subject->thread, NULL, subject_main, subject), 0);
    int client = dial(subject);
    assert_true(client >= 0);
    return client;
}

static void stops_once_however_often_it_is_asked(void **state)
{
    static const enum wish wishes[] = {WISH_NONE, WISH_STOP, WISH_DRAIN};
    (void)state;
    for (size_t first = 1; first < 3; first++) {
        for (size_t again = 0; again < 3; again++) {
            struct subject subject = {.when_stopping = wishes[again]};
            int client = subject_start(&subject);
            ask(&subject, wishes[first]);
            assert_int_equal(pthread_join(subject.thread, NULL), 0);
            assert_int_equal(subject.rv, 0);
            assert_int_equal(atomic_load(&subject.stopping), 1);
            assert_int_equal(atomic_load(&subject.stopped), 1);
            assert_int_equal(dial(&subject), -1);
            ask(&subject, wishes[again]); /* After its end, too. */
            hf_server_destroy(subject.server);
            close(client);
        }
    }
}

/* Whoever starts nodes in one process tells them of each other by these. */
static void the_kernel_chose_ports_that_can_be_asked_for(void **state)
{
    (void)state;
    struct subject subject = {0};
    subject_create(&subject);
    uint16_t peers = hf_server_peer_port(subject.server);
    assert_int_not_equal(peers, 0);
    assert_int_not_equal(peers, hf_server_port(subject.server));
    int peer = dial_port(peers);
    int client = dial(&subject);
    assert_true(peer >= 0 && client >= 0);
    close(peer);
    close(client);
    hf_server_destroy(subject.server);
}

static void can_be_destroyed_without_having_run(void **state)
{
    struct subject subject = {.when_stopping = WISH_STOP};
    (void)state;
    subject_create(&subject);
    hf_server_stop(subject.server);
    hf_server_drain(subject.server);
    hf_server_destroy(subject.server);
}

static void a_wish_before_it_runs_counts(void **state)
{
    struct subject subject = {.when_stopping = WISH_STOP};
    (void)state;
    subject_create(&subject);
    hf_server_stop(subject.server);
    assert_int_equal(hf_server_run(subject.server), 0);
    hf_server_destroy(subject.server);
}

/* What INFO says of @field. */
static unsigned long long info_number(int client, const char *field)
{
    static const char ask_info[] = "INFO holdfast\r\n";
    char text[16384];
    size_t size = 0;
    const char *at = NULL;
    assert_int_equal(write(client, ask_info, sizeof(ask_info) - 1),
                     sizeof(ask_info) - 1);
    do {
        ssize_t got = read(client, text + size, sizeof(text) - 1 - size);
        assert_true(got > 0);
        size += (size_t)got;
        text[size] = 0;
    } while (strstr(text, LAST_FIELD) == NULL ||
             strcmp(text + size - 4, "\r\n\r\n") != 0);
    at = strstr(text, field);
    assert_non_null(at);
    return strtoull(at + strlen(field), NULL, 10);
}

static void a_loop_that_stands_still_is_counted(void **state)
{
    struct subject subject = {.connections = 1};
    (void)state;
    int client = subject_start(&subject);
    unsigned long long turns = info_number(client, "loop_turns:");
    unsigned long long stalls = info_number(client, "loop_lag_over_25ms:");
    int refused = dial(&subject); /* Is logged. */
    char byte;
    while (read(refused, &byte, 1) > 0) {
    }
    assert_true(info_number(client, "loop_lag_over_25ms:") > stalls);
    assert_true(info_number(client, "loop_lag_max_us:") >= STALL_US - 3000);
    assert_true(info_number(client, "loop_turns:") > turns);
    hf_server_stop(subject.server);
    assert_int_equal(pthread_join(subject.thread, NULL), 0);
    hf_server_destroy(subject.server);
    close(refused);
    close(client);
}

static void send_text(int client, const char *text)
{
    size_t size = strlen(text);
    assert_int_equal(write(client, text, size), (ssize_t)size);
}

/* A client asks for so much that the kernel does not take all of it at once;
 * it had to be told of the rest, too, when the node stops without a drain. */
static void what_is_ready_is_written_before_it_stops(void **state)
{
    struct subject subject = {.when_stopping = WISH_NONE};
    (void)state;
    int client = subject_start(&subject);
    static char value[VALUE_BYTES + 1];
    memset(value, 'v', VALUE_BYTES);
    char head[64];
    char bytes[4096];
    (void)snprintf(head, sizeof(head), "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%u\r\n",
                   VALUE_BYTES);
    ssize_t size;
    do { /* Until it has found that it is alone. */
        send_text(client, head);
        send_text(client, value);
        send_text(client, "\r\n");
        size = read(client, bytes, sizeof(bytes));
        assert_true(size > 0);
    } while (bytes[0] != '+');
    send_text(client, "GET k\r\n");
    int other = dial(&subject);
    (void)info_number(other, "loop_turns:"); /* It was carried out. */
    close(other);
    hf_server_stop(subject.server);
    size_t got = 0;
    while ((size = read(client, bytes, sizeof(bytes))) > 0) {
        got += (size_t)size;
    }
    assert_true(got >= VALUE_BYTES);
    close(client);
    assert_int_equal(pthread_join(subject.thread, NULL), 0);
    assert_int_equal(subject.rv, 0);
    hf_server_destroy(subject.server);
}

/* Of malloc(3), in all arenas, whatever is mapped for it included. */
static size_t held_bytes(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

/* Who has ten million sessions does not wait for each to be freed. */
static void sessions_are_not_freed_before_the_end(void **state)
{
    struct subject subject = {.when_stopping = WISH_NONE};
    (void)state;
    int client = subject_start(&subject);
    size_t before = held_bytes();
    for (unsigned i = 0; i < SESSIONS;) {
        char command[64];
        char answer[64];
        (void)snprintf(command, sizeof(command), "SETRANGE k%u %u v\r\n", i,
                       SESSION_BYTES - 1);
        send_text(client, command);
        assert_true(read(client, answer, sizeof(answer)) > 0);
        i += answer[0] == ':' ? 1 : 0; /* It has found that it is alone. */
    }
    hf_server_stop(subject.server);
    assert_int_equal(pthread_join(subject.thread, NULL), 0);
    close(client);
    if (!HF_IS_SANITIZED) { /* It has a malloc(3) that counts nothing. */
        assert_true(held_bytes() >= before + SESSIONS * SESSION_BYTES);
    }
    hf_server_destroy(subject.server);
    if (!HF_IS_SANITIZED) {
        assert_true(held_bytes() < before + SESSIONS * SESSION_BYTES / 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stops_once_however_often_it_is_asked),
        cmocka_unit_test(the_kernel_chose_ports_that_can_be_asked_for),
        cmocka_unit_test(can_be_destroyed_without_having_run),
        cmocka_unit_test(a_wish_before_it_runs_counts),
        cmocka_unit_test(a_loop_that_stands_still_is_counted),
        cmocka_unit_test(what_is_ready_is_written_before_it_stops),
        cmocka_unit_test(sessions_are_not_freed_before_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
