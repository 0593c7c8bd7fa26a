/* cli.h - What the parts of the program `holdfast` share.
 *
 *   cli.c         commands and options
 *   cli_ask.c     connections to nodes, and reading what they answer
 *   cli_status.c  holdfast status
 *   cli_drain.c   holdfast drain
 *   cli_takeover.c holdfast takeover */
#ifndef HF_SERVER_CLI_H
#define HF_SERVER_CLI_H

#include <hiredis/hiredis.h>

#include "base/bytes.h"

#define HF_CLI_TIMEOUT_SECONDS 2

/* Exit codes. */
#define HF_CLI_OK 0
#define HF_CLI_NOT_YET 1     /* Not settled; not safe; did not leave cleanly. */
#define HF_CLI_UNREACHABLE 2 /* Or no such member, or bad usage. */

struct hf_cli_options {
    const char *host;
    int port;
    bool json;
    const char *safe_to_stop; /* NULL: tell the status. */
    const char *node;         /* The word after the command, or NULL. */
    bool yes;                 /* --yes. */
};

/* Each command returns the exit code and has said why. */
int hf_cli_status(const struct hf_cli_options *options);
int hf_cli_drain(const struct hf_cli_options *options);
int hf_cli_takeover(const struct hf_cli_options *options);

/* A map in RESP2: keys and values in turn. NULL when there is no such key; 0
 * or "" when it is not of that type. */
const redisReply *hf_cli_field(const redisReply *map, const char *key);
int64_t hf_cli_number(const redisReply *map, const char *key);
const char *hf_cli_text(const redisReply *map, const char *key);
/* Of the array @members in a status; NULL: none has that name. */
const redisReply *hf_cli_member_find(const redisReply *members,
                                     const char *name);

/* A connection whose commands wait 2 s for an answer. NULL or ->err set when
 * there is none; hf_cli_disconnect takes both. */
redisContext *hf_cli_connect(const char *host, int port);
void hf_cli_disconnect(redisContext *context);

/* The answer to HOLDFAST STATUS, an array or an error, or NULL. The caller
 * frees it. @context may be NULL or broken. */
redisReply *hf_cli_ask_status(redisContext *context);
/* The same: an array, or NULL and a line on stderr. */
redisReply *hf_cli_status_or_say(redisContext *context, const char *host,
                                 int port);

#endif
