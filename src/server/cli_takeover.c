/* cli_takeover.c - holdfast takeover: a node goes on without those it does not
 * hear. */
#include <stdio.h>
#include <string.h>

#include "server/cli.h"

static const char warning[] =
    "Takeover makes this node, and those it hears, go on without all other\n"
    "members of the cluster. Sessions that only the others have are lost to\n"
    "clients here. If the others still run, both sides go on apart; once they\n"
    "meet they are merged, and of a session that both changed one version is\n"
    "lost. Make sure that the others are dead, or cut off for good.\n"
    "Say --yes to do it.\n";

/* Sends the order. */
static int order(redisContext *context, const struct hf_cli_options *options)
{
    int rv = HF_CLI_UNREACHABLE;
    redisReply *reply = redisCommand(context, "HOLDFAST TAKEOVER");
    if (reply == NULL) {
        fprintf(stderr, "holdfast: no answer from %s:%d\n", options->host,
                options->port);
        return rv;
    }
    if (reply->type == REDIS_REPLY_ERROR) {
        fprintf(stderr, "holdfast: %s\n",
                strncmp(reply->str, "ERR ", 4) == 0 ? reply->str + 4
                                                    : reply->str);
        rv = HF_CLI_NOT_YET;
    } else {
        puts("takeover has begun: see holdfast status");
        rv = HF_CLI_OK;
    }
    freeReplyObject(reply);
    return rv;
}

int hf_cli_takeover(const struct hf_cli_options *options)
{
    if (!options->yes) {
        fputs(warning, stderr);
        return HF_CLI_NOT_YET;
    }
    redisContext *context = hf_cli_connect(options->host, options->port);
    redisReply *status =
        hf_cli_status_or_say(context, options->host, options->port);
    int rv = HF_CLI_UNREACHABLE;
    if (status != NULL) {
        freeReplyObject(status);
        rv = order(context, options);
    }
    hf_cli_disconnect(context);
    return fflush(stdout) == 0 ? rv : HF_CLI_UNREACHABLE;
}
