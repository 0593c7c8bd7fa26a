/* load.c - Loads a Redis-like server and says how it did, in one line of JSON.
 *
 * Closed loop: every client sends a batch, waits for all its answers, and
 * sends the next. Open loop (--rate): operations are due at fixed times, are
 * sent then whatever was answered, and their latency counts from the time they
 * were due, so that a server that stalls pays for everything that it held up.
 * One thread: what it costs is reported, too. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "bench/load_client.h"
#include "bench/load_options.h"

#define EVENTS_MAX 256
#define SILENCE_MS 10000
#define FILL_PIPELINE 16
#define SECOND_NS UINT64_C(1000000000)

/* Either of them ends it. */
struct work {
    bool filling; /* Each session once, in order. */
    uint64_t operations;
    uint64_t end_ns;
    unsigned pipeline;
    unsigned rate;
};

struct load {
    struct load_options options;
    struct load_client *clients;
    struct load_results results;
    int poll;
    int timer;
    uint64_t random;
    struct work work;
    uint64_t began_ns;
    uint64_t asked;
};

static void fail(const char *what)
{
    fprintf(stderr, "load: %s\n", what);
    exit(1);
}

/* SplitMix64, by Sebastiano Vigna (public domain). */
static uint64_t draw(struct load *load)
{
    uint64_t z = load->random += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static enum load_type draw_type(struct load *load)
{
    unsigned percent = (unsigned)(draw(load) % 100);
    if (percent < load->options.get) {
        return LOAD_GET;
    }
    return percent < load->options.get + load->options.set ? LOAD_SET
                                                           : LOAD_TOUCH;
}

static void ask(struct load *load, struct load_client *client, uint64_t due_ns)
{
    if (load->work.filling) {
        uint32_t session = load->options.from + (uint32_t)load->asked;
        load_client_ask(client, LOAD_SET, session, due_ns);
    } else {
        enum load_type type = draw_type(load);
        uint32_t session = (uint32_t)(draw(load) % load->options.sessions);
        load_client_ask(client, type, session, due_ns);
    }
    load->asked++;
}

static void send_all(struct load *load, struct load_client *client)
{
    bool wanted = client->writable_wanted;
    if (!load_client_send(client)) {
        fail("a connection broke while sending");
    }
    if (wanted != client->writable_wanted) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
        event.events |= client->writable_wanted ? (uint32_t)EPOLLOUT : 0U;
        epoll_ctl(load->poll, EPOLL_CTL_MOD, client->socket, &event);
    }
}

static void ask_batch(struct load *load, struct load_client *client)
{
    uint64_t now = load_now_ns();
    for (unsigned i = 0; i < load->work.pipeline; i++) {
        if (load->asked == load->work.operations || now >= load->work.end_ns) {
            break;
        }
        ask(load, client, now);
    }
    send_all(load, client);
}

/* When the next operation of the open loop is due. */
static uint64_t next_due(const struct load *load)
{
    uint64_t seconds = load->asked / load->work.rate;
    uint64_t rest = load->asked % load->work.rate;
    return load->began_ns + seconds * SECOND_NS +
           rest * SECOND_NS / load->work.rate;
}

static bool asked_all(const struct load *load)
{
    if (load->asked >= load->work.operations) {
        return true;
    }
    uint64_t when = load->work.rate > 0 ? next_due(load) : load_now_ns();
    return when >= load->work.end_ns;
}

static void ask_due(struct load *load)
{
    uint64_t now = load_now_ns();
    uint64_t due;
    while (!asked_all(load) && (due = next_due(load)) <= now) {
        struct load_client *client =
            &load->clients[load->asked % load->options.connections];
        ask(load, client, due);
        send_all(load, client);
    }
    struct itimerspec when = {0};
    if (!asked_all(load)) {
        due = next_due(load);
        when.it_value.tv_sec = (time_t)(due / SECOND_NS);
        when.it_value.tv_nsec = (long)(due % SECOND_NS);
    }
    timerfd_settime(load->timer, TFD_TIMER_ABSTIME, &when, NULL);
}

static void on_event(struct load *load, const struct epoll_event *event)
{
    struct load_client *client = event->data.ptr;
    if (client == NULL) {
        uint64_t times;
        if (read(load->timer, &times, sizeof(times)) > 0) {
            ask_due(load);
        }
        return;
    }
    if ((event->events & EPOLLOUT) != 0) {
        send_all(load, client);
    }
    if ((event->events & ~(uint32_t)EPOLLOUT) == 0) {
        return;
    }
    if (!load_client_receive(client)) {
        fail("a connection broke");
    }
    if (load->work.rate == 0 && load_client_pending(client) == 0) {
        ask_batch(load, client);
    }
}

/* Does all of @work and waits for its answers. */
static void run(struct load *load, const struct work *work)
{
    struct epoll_event events[EVENTS_MAX];
    uint64_t heard_ns = load_now_ns();
    load->work = *work;
    load->asked = 0;
    load->began_ns = heard_ns;
    memset(&load->results, 0, sizeof(load->results));
    if (work->rate > 0) {
        ask_due(load);
    } else {
        for (unsigned i = 0; i < load->options.connections; i++) {
            ask_batch(load, &load->clients[i]);
        }
    }
    while (load->results.answered < load->asked || !asked_all(load)) {
        uint64_t before = load->results.answered;
        int count = epoll_wait(load->poll, events, EVENTS_MAX, SILENCE_MS);
        if (count < 0 && errno != EINTR) {
            fail("epoll_wait failed");
        }
        for (int i = 0; i < count; i++) {
            on_event(load, &events[i]);
        }
        uint64_t now = load_now_ns();
        if (load->results.answered > before) {
            heard_ns = now;
        }
        if (now - heard_ns > SILENCE_MS * (SECOND_NS / 1000) &&
            load->results.answered < load->asked) {
            fail("no answer for 10 s");
        }
    }
}

static void open_all(struct load *load)
{
    const struct load_options *options = &load->options;
    /* The default slack of 50 us would be part of every latency. */
    prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
    load->poll = epoll_create1(0);
    load->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    load->clients = calloc(options->connections, sizeof(*load->clients));
    if (load->poll < 0 || load->timer < 0 || load->clients == NULL) {
        fail("out of memory or file descriptors");
    }
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(load->poll, EPOLL_CTL_ADD, load->timer, &event);
    for (unsigned i = 0; i < options->connections; i++) {
        struct load_client *client = &load->clients[i];
        uint16_t port = options->ports[i % options->port_count];
        if (!load_client_open(client, options, port, &load->results)) {
            fprintf(stderr, "load: port %u: %s\n", port, strerror(errno));
            exit(1);
        }
        event.data.ptr = client;
        epoll_ctl(load->poll, EPOLL_CTL_ADD, client->socket, &event);
    }
}

static void close_all(struct load *load)
{
    for (unsigned i = 0; i < load->options.connections; i++) {
        load_client_close(&load->clients[i]);
    }
    free(load->clients);
    close(load->timer);
    close(load->poll);
}

static double cpu_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void print_times(const char *name, const struct histogram *times)
{
    printf("\"%s\": {\"count\": %" PRIu64 ", \"p50\": %.1f, \"p99\": %.1f, "
           "\"p99.9\": %.1f, \"max\": %.1f}, ",
           name, times->count, (double)histogram_permille(times, 500) / 1e3,
           (double)histogram_permille(times, 990) / 1e3,
           (double)histogram_permille(times, 999) / 1e3,
           (double)times->max / 1e3);
}

static void print_results(const struct load *load, double seconds, double cpu)
{
    const struct load_results *results = &load->results;
    printf("{\"ops\": %" PRIu64 ", \"seconds\": %.4f, \"throughput\": %.1f, ",
           results->answered, seconds, (double)results->answered / seconds);
    print_times("get", &results->times[LOAD_GET]);
    print_times("set", &results->times[LOAD_SET]);
    print_times("touch", &results->times[LOAD_TOUCH]);
    printf("\"missing\": %" PRIu64 ", \"errors\": %" PRIu64
           ", \"wrong\": %" PRIu64 ", \"client_cpu\": %.3f}\n",
           results->missing, results->errors, results->wrong, cpu);
}

static void fill(struct load *load)
{
    const struct load_options *options = &load->options;
    uint64_t count = options->from < options->sessions
                         ? options->sessions - options->from
                         : 0;
    struct work work = {.filling = true,
                        .operations = count,
                        .end_ns = UINT64_MAX,
                        .pipeline = FILL_PIPELINE};
    run(load, &work);
    if (load->results.errors + load->results.wrong > 0) {
        fail("not all sessions could be written");
    }
}

int main(int argc, char **argv)
{
    static struct load load;
    struct load_options *options = &load.options;
    int code = load_options_read(options, argc, argv);
    if (code >= 0) {
        return code;
    }
    load.random = options->seed;
    open_all(&load);
    if (options->fill) {
        fill(&load);
    }
    uint64_t began_ns = load_now_ns();
    double cpu = cpu_seconds();
    struct work work = {.operations = UINT64_MAX,
                        .end_ns = began_ns + options->seconds * SECOND_NS,
                        .pipeline = options->pipeline,
                        .rate = options->rate};
    if (options->requests_given) {
        work.operations = options->requests;
        work.end_ns = UINT64_MAX;
    }
    run(&load, &work);
    double seconds = (double)(load_now_ns() - began_ns) / 1e9;
    print_results(&load, seconds, cpu_seconds() - cpu);
    close_all(&load);
    return 0;
}
