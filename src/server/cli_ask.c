/* cli_ask.c - Connections to nodes, and reading what they answer. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "server/cli.h"

const redisReply *hf_cli_field(const redisReply *map, const char *key)
{
    if (map == NULL || map->type != REDIS_REPLY_ARRAY) {
        return NULL;
    }
    for (size_t i = 0; i + 1 < map->elements; i += 2) {
        const redisReply *name = map->element[i];
        if (name->type == REDIS_REPLY_STRING && strcmp(name->str, key) == 0) {
            return map->element[i + 1];
        }
    }
    return NULL;
}

int64_t hf_cli_number(const redisReply *map, const char *key)
{
    const redisReply *value = hf_cli_field(map, key);
    return value != NULL && value->type == REDIS_REPLY_INTEGER ? value->integer
                                                               : 0;
}

const char *hf_cli_text(const redisReply *map, const char *key)
{
    const redisReply *value = hf_cli_field(map, key);
    return value != NULL && value->type == REDIS_REPLY_STRING ? value->str : "";
}

const redisReply *hf_cli_member_find(const redisReply *members,
                                     const char *name)
{
    for (size_t i = 0; members != NULL && i < members->elements; i++) {
        if (strcmp(hf_cli_text(members->element[i], "name"), name) == 0) {
            return members->element[i];
        }
    }
    return NULL;
}

redisContext *hf_cli_connect(const char *host, int port)
{
    const struct timeval timeout = {.tv_sec = HF_CLI_TIMEOUT_SECONDS};
    redisContext *context = redisConnectWithTimeout(host, port, timeout);
    if (context != NULL && context->err == 0) {
        redisSetTimeout(context, timeout);
    }
    return context;
}

void hf_cli_disconnect(redisContext *context)
{
    if (context != NULL) {
        redisFree(context);
    }
}

redisReply *hf_cli_ask_status(redisContext *context)
{
    if (context == NULL || context->err != 0) {
        return NULL;
    }
    redisReply *reply = redisCommand(context, "HOLDFAST STATUS");
    if (reply != NULL && reply->type != REDIS_REPLY_ARRAY &&
        reply->type != REDIS_REPLY_ERROR) {
        freeReplyObject(reply);
        return NULL;
    }
    return reply;
}

redisReply *hf_cli_status_or_say(redisContext *context, const char *host,
                                 int port)
{
    redisReply *reply = hf_cli_ask_status(context);
    if (reply != NULL && reply->type == REDIS_REPLY_ERROR) {
        fprintf(stderr, "holdfast: %s:%d is no Holdfast node: %s\n", host, port,
                reply->str);
        freeReplyObject(reply);
        return NULL;
    }
    if (reply != NULL) {
        return reply;
    }
    const char *why = "out of memory";
    if (context != NULL && context->err == 0) {
        why = "it is no Holdfast node";
    } else if (context != NULL) {
        why = context->err == REDIS_ERR_IO &&
                      (errno == EAGAIN || errno == EWOULDBLOCK)
                  ? "no answer within 2 s"
                  : context->errstr;
    }
    fprintf(stderr, "holdfast: cannot reach %s:%d: %s\n", host, port, why);
    return NULL;
}
