/* cli_drain.c - holdfast drain: a node hands over, leaves and stops.
 *
 * The command is answered when the node has left, so a connection of its own
 * waits for that; a second one asks for the status, to tell how far it is. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "server/cli.h"

#define POLL_MS 500
/* The node gives up by itself after its drain-timeout; then it has stopped. */
#define GRACE_SECONDS 10
/* Nodes of one host may share an address, and the kernel chooses among them for
 * each connection. With 16, one is missed so often once in 10^11 times. */
#define CONNECTS_MAX 400

struct drained {
    char name[128];
    char host[512];
    int port;
    int64_t timeout_s; /* Its drain-timeout. */
};

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* "host:port" or "[host]:port". */
static bool split_address(struct drained *node, const char *address)
{
    const char *colon = strrchr(address, ':');
    int64_t port;
    if (colon == NULL || !hf_slice_to_int64(hf_slice_text(colon + 1), &port) ||
        port < 1 || port > 65535) {
        return false;
    }
    size_t size = (size_t)(colon - address);
    if (size >= 2 && address[0] == '[' && address[size - 1] == ']') {
        address++;
        size -= 2;
    }
    if (size == 0 || size >= sizeof(node->host)) {
        return false;
    }
    memcpy(node->host, address, size);
    node->host[size] = '\0';
    node->port = (int)port;
    return true;
}

/* Another member at the address of @name, or NULL. */
static const char *find_twin(const redisReply *members, const char *name)
{
    const redisReply *member = hf_cli_member_find(members, name);
    const char *address = hf_cli_text(member, "address");
    for (size_t i = 0; member != NULL && i < members->elements; i++) {
        const redisReply *other = members->element[i];
        if (other != member &&
            strcmp(hf_cli_text(other, "address"), address) == 0) {
            return hf_cli_text(other, "name");
        }
    }
    return NULL;
}

/* Fills in @node from what the node at options->host says. */
static int find_node(const struct hf_cli_options *options, struct drained *node)
{
    redisContext *context = hf_cli_connect(options->host, options->port);
    redisReply *status =
        hf_cli_status_or_say(context, options->host, options->port);
    int rv = status == NULL ? HF_CLI_UNREACHABLE : HF_CLI_OK;
    memset(node, 0, sizeof(*node));
    if (status != NULL) {
        const char *self = hf_cli_text(status, "name");
        const char *name = options->node != NULL ? options->node : self;
        snprintf(node->name, sizeof(node->name), "%s", name);
        snprintf(node->host, sizeof(node->host), "%s", options->host);
        node->port = options->port;
        node->timeout_s = hf_cli_number(status, "drain_timeout");
        const redisReply *members = hf_cli_field(status, "members");
        const char *twin =
            options->node == NULL ? find_twin(members, self) : NULL;
        if (twin != NULL) {
            fprintf(stderr,
                    "holdfast: several nodes share that port, '%s' and '%s' "
                    "among them: name the one to drain\n",
                    self, twin);
            rv = HF_CLI_UNREACHABLE;
        } else if (strcmp(name, self) != 0) {
            const redisReply *member = hf_cli_member_find(members, name);
            if (member == NULL ||
                !split_address(node, hf_cli_text(member, "address"))) {
                fprintf(stderr, "holdfast: there is no member '%s'\n", name);
                rv = HF_CLI_UNREACHABLE;
            }
        }
        freeReplyObject(status);
    }
    hf_cli_disconnect(context);
    return rv;
}

/* A connection to @node itself, whose timeout it fills in. NULL: there is none,
 * and why was said. */
static redisContext *connect_to(struct drained *node)
{
    for (int i = 0; i < CONNECTS_MAX; i++) {
        redisContext *context = hf_cli_connect(node->host, node->port);
        redisReply *status =
            hf_cli_status_or_say(context, node->host, node->port);
        if (status == NULL) {
            hf_cli_disconnect(context);
            return NULL;
        }
        bool found = strcmp(hf_cli_text(status, "name"), node->name) == 0;
        node->timeout_s = hf_cli_number(status, "drain_timeout");
        freeReplyObject(status);
        if (found) {
            return context;
        }
        hf_cli_disconnect(context);
    }
    fprintf(stderr, "holdfast: it is not '%s' that answers at %s:%d\n",
            node->name, node->host, node->port);
    return NULL;
}

/* One line, when it differs from the last. */
static void say_progress(redisContext *context, const struct drained *node,
                         char *last, size_t last_size)
{
    char line[256];
    redisReply *status = hf_cli_ask_status(context);
    const redisReply *member =
        hf_cli_member_find(hf_cli_field(status, "members"), node->name);
    if (member == NULL) {
        freeReplyObject(status);
        return; /* It has handed over and takes leave of its clients. */
    }
    int64_t primaries = hf_cli_number(member, "primaries");
    int64_t sessions = hf_cli_number(member, "sessions");
    snprintf(line, sizeof(line),
             "primary of %" PRId64 " partition%s, backup of %" PRId64
             ", %" PRId64 " session%s to hand over",
             primaries, HF_PLURAL(primaries), hf_cli_number(member, "backups"),
             sessions, HF_PLURAL(sessions));
    freeReplyObject(status);
    if (strcmp(line, last) != 0) {
        snprintf(last, last_size, "%s", line);
        printf("%s: %s\n", node->name, line);
        fflush(stdout);
    }
}

/* Waits for the answer to DRAIN; NULL: broken, or it took too long. */
static redisReply *await(redisContext *context, redisContext *second,
                         const struct drained *node)
{
    int64_t until = now_ms() + (node->timeout_s + GRACE_SECONDS) * 1000;
    char last[256] = "";
    void *reply = NULL;
    int done = 0;
    redisAppendCommand(context, "HOLDFAST DRAIN %s", node->name);
    while (done == 0) {
        if (redisBufferWrite(context, &done) != REDIS_OK) {
            return NULL;
        }
    }
    while (now_ms() < until) {
        struct pollfd fd = {.fd = context->fd, .events = POLLIN};
        if (poll(&fd, 1, POLL_MS) > 0) {
            if (redisBufferRead(context) != REDIS_OK ||
                redisGetReplyFromReader(context, &reply) != REDIS_OK) {
                return NULL;
            }
            if (reply != NULL) {
                return reply;
            }
        }
        say_progress(second, node, last, sizeof(last));
    }
    return NULL;
}

static int say_end(const redisReply *reply, const redisContext *context,
                   const struct drained *node)
{
    if (reply == NULL) {
        fprintf(stderr, "holdfast: not known whether '%s' left: %s\n",
                node->name,
                context->err != 0 ? context->errstr : "no answer in time");
        return HF_CLI_NOT_YET;
    }
    if (reply->type == REDIS_REPLY_ERROR) {
        fprintf(stderr, "holdfast: '%s': %s\n", node->name,
                strncmp(reply->str, "ERR ", 4) == 0 ? reply->str + 4
                                                    : reply->str);
        return HF_CLI_NOT_YET;
    }
    printf("'%s' has left: others hold all that it held\n", node->name);
    return HF_CLI_OK;
}

int hf_cli_drain(const struct hf_cli_options *options)
{
    struct drained node;
    int rv = find_node(options, &node);
    if (rv != HF_CLI_OK) {
        return rv;
    }
    redisContext *context = connect_to(&node);
    if (context == NULL) {
        return HF_CLI_UNREACHABLE;
    }
    redisContext *second = hf_cli_connect(node.host, node.port);
    redisReply *reply = await(context, second, &node);
    rv = say_end(reply, context, &node);
    freeReplyObject(reply);
    hf_cli_disconnect(second);
    hf_cli_disconnect(context);
    return fflush(stdout) == 0 ? rv : HF_CLI_NOT_YET;
}
