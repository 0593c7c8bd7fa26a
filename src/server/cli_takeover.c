/* cli_takeover.c - holdfast takeover: a node goes on without those it does not
 * hear. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "server/cli.h"

#define TEXT_BYTES 512

static const char warning[] =
    "Takeover makes this node, and those it hears, go on without all other\n"
    "members of the cluster. Sessions that only the others have are lost to\n"
    "clients here. If the others still run, both sides go on apart; once they\n"
    "meet they are merged, and of a session that both changed one version is\n"
    "lost. Make sure that the others are dead, or cut off for good.\n"
    "Say --yes to do it.\n";

/* Appends the names of the members that are, or are not, heard. */
static void append_names(const redisReply *members, bool heard, char *text)
{
    const char *before = "";
    for (size_t i = 0; members != NULL && i < members->elements; i++) {
        const redisReply *member = members->element[i];
        bool silent = strcmp(hf_cli_text(member, "state"), "silent") == 0;
        size_t used = strlen(text);
        if (silent != heard) {
            snprintf(text + used, TEXT_BYTES - used, "%s%s", before,
                     hf_cli_text(member, "name"));
            before = ", ";
        }
    }
}

/* What it would do now. True: it would be refused, as was said. */
static bool say_what(const redisReply *status)
{
    const redisReply *members = hf_cli_field(status, "members");
    const char *refusal = hf_cli_text(status, "no_takeover");
    char heard[TEXT_BYTES] = "", silent[TEXT_BYTES] = "";
    if (refusal[0] != '\0') {
        fprintf(stderr, "holdfast: no takeover: %s\n", refusal);
        return true;
    }
    append_names(members, true, heard);
    append_names(members, false, silent);
    fprintf(stderr,
            "Node '%s' would go on with: %s. Without: %s.\n"
            "%" PRId64 " of %" PRId64 " partitions have copies only on those: "
            "these would start empty here.\n\n",
            hf_cli_text(status, "name"), heard, silent,
            hf_cli_number(status, "partitions_unavailable"),
            hf_cli_number(status, "partitions"));
    return false;
}

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

static int warn(const redisReply *status)
{
    if (!say_what(status)) {
        fputs(warning, stderr);
    }
    return HF_CLI_NOT_YET;
}

int hf_cli_takeover(const struct hf_cli_options *options)
{
    redisContext *context = hf_cli_connect(options->host, options->port);
    redisReply *status =
        hf_cli_status_or_say(context, options->host, options->port);
    int rv = HF_CLI_UNREACHABLE;
    if (status != NULL) {
        rv = options->yes ? order(context, options) : warn(status);
    }
    freeReplyObject(status);
    hf_cli_disconnect(context);
    return fflush(stdout) == 0 ? rv : HF_CLI_UNREACHABLE;
}
