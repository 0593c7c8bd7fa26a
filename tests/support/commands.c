/* The part of cluster.h about clients. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "support/cluster.h"

static size_t collect(va_list arguments,
                      struct hf_slice argv[REQUEST_ARGUMENTS_MAX])
{
    size_t argc = 0;
    const char *text;
    while ((text = va_arg(arguments, const char *)) != NULL) {
        HF_ASSERT(argc < REQUEST_ARGUMENTS_MAX);
        argv[argc++] = hf_slice_text(text);
    }
    return argc;
}

static void request_copy_arguments(struct request *request, size_t argc,
                                   const struct hf_slice *argv)
{
    size_t total = 0;
    for (size_t i = 0; i < argc; i++) {
        total += argv[i].size;
    }
    request->bytes = malloc(total + 1);
    HF_ASSERT(request->bytes != NULL);
    char *at = request->bytes;
    for (size_t i = 0; i < argc; i++) {
        memcpy(at, argv[i].data, argv[i].size);
        request->argv[i] = (struct hf_slice){(const uint8_t *)at, argv[i].size};
        at += argv[i].size;
    }
}

struct request *cluster_ask_argv(struct cluster *c, unsigned node, size_t argc,
                                 const struct hf_slice *argv)
{
    HF_ASSERT(argc > 0 && argc <= REQUEST_ARGUMENTS_MAX);
    struct request *request = calloc(1, sizeof(*request));
    HF_ASSERT(request != NULL);
    hf_list_init(&request->place);
    hf_list_push_back(&c->requests, &request->member);
    hf_buffer_init(&request->text, &c->mem);
    request->number = ++c->request_last;
    request->node = node;
    request_copy_arguments(request, argc, argv);
    request->command = (struct hf_command){
        .row = hf_command_find(argv[0]),
        .argc = (uint32_t)argc,
        .argv = request->argv,
    };
    HF_ASSERT(request->command.row != NULL);
    HF_ASSERT(hf_command_arity_fits(request->command.row, (uint32_t)argc));
    HF_ASSERT(request->command.row->route != HF_ROUTE_CONNECTION);
    if (request->command.row->route == HF_ROUTE_KEY) {
        invariants_watch(&c->invariants, request->argv[1]);
    }
    process_ask(&c->processes[node], request);
    return request;
}

static void on_late_answer(void *user, struct request *request)
{
    (void)user;
    cluster_forget(request);
}

void cluster_forget(struct request *request)
{
    if (request->outcome == REQUEST_WAITING) {
        request->done = on_late_answer; /* The node still has its number. */
        return;
    }
    hf_list_remove(&request->place);
    hf_list_remove(&request->member);
    hf_buffer_close(&request->text);
    free(request->bytes);
    free(request);
}

struct request *cluster_ask(struct cluster *c, unsigned node, ...)
{
    struct hf_slice argv[REQUEST_ARGUMENTS_MAX];
    va_list arguments;
    va_start(arguments, node);
    size_t argc = collect(arguments, argv);
    va_end(arguments);
    return cluster_ask_argv(c, node, argc, argv);
}

bool cluster_await(struct cluster *c, struct request *request, int64_t ms)
{
    int64_t until_us = c->schedule.now_us + ms * SCHEDULE_US_PER_MS;
    while (request->outcome == REQUEST_WAITING && cluster_step(c, until_us)) {
    }
    return request->outcome != REQUEST_WAITING;
}

const char *cluster_answer(const struct request *request)
{
    switch (request->outcome) {
    case REQUEST_WAITING:
        return "(waiting)";
    case REQUEST_LOST:
        return "(lost)";
    case REQUEST_REFUSED:
        return "(refused)";
    case REQUEST_ANSWERED:
        break;
    }
    return (const char *)request->text.data;
}

static const char *command_run(struct cluster *c, unsigned node, size_t argc,
                               const struct hf_slice *argv)
{
    struct request *request = cluster_ask_argv(c, node, argc, argv);
    if (c->command != NULL) {
        cluster_forget(c->command);
    }
    c->command = request;
    if (!cluster_await(c, request, CLUSTER_COMMAND_MS)) {
        return "(timeout)";
    }
    return cluster_answer(request);
}

const char *cluster_command(struct cluster *c, unsigned node, ...)
{
    struct hf_slice argv[REQUEST_ARGUMENTS_MAX];
    va_list arguments;
    va_start(arguments, node);
    size_t argc = collect(arguments, argv);
    va_end(arguments);
    return command_run(c, node, argc, argv);
}

/* Expectations. */

static void expect_text(struct cluster *c, const char *wanted, const char *got,
                        unsigned node, size_t argc, const struct hf_slice *argv)
{
    if (strcmp(wanted, got) == 0) {
        return;
    }
    char text[256] = "";
    size_t used = 0;
    for (size_t i = 0; i < argc && used < sizeof(text); i++) {
        used += (size_t)snprintf(text + used, sizeof(text) - used, " %.*s",
                                 (int)argv[i].size, (const char *)argv[i].data);
    }
    cluster_fail(c, "n%u:%s: expected '%s', got '%s'", node + 1, text, wanted,
                 got);
}

void cluster_expect_answer(struct cluster *c, const char *wanted,
                           const struct request *request)
{
    expect_text(c, wanted, cluster_answer(request), request->node,
                request->command.argc, request->argv);
}

void cluster_expect_reply(struct cluster *c, const char *wanted, unsigned node,
                          ...)
{
    struct hf_slice argv[REQUEST_ARGUMENTS_MAX];
    va_list arguments;
    va_start(arguments, node);
    size_t argc = collect(arguments, argv);
    va_end(arguments);
    expect_text(c, wanted, command_run(c, node, argc, argv), node, argc, argv);
}

void cluster_set(struct cluster *c, const char *key, const char *value)
{
    cluster_expect_reply(c, "OK", cluster_first_up(c), "SET", key, value, NULL);
}

void cluster_expect(struct cluster *c, const char *key, const char *value)
{
    for (unsigned i = 0; i < c->options.node_count; i++) {
        if (cluster_is_up(c, i)) {
            cluster_expect_reply(c, value == NULL ? "(nil)" : value, i, "GET",
                                 key, NULL);
        }
    }
}

void cluster_check(struct cluster *c, bool holds, const char *text)
{
    if (!holds) {
        cluster_fail(c, "%s", text);
    }
}
