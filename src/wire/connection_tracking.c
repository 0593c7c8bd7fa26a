/* CLIENT TRACKING: a client keeps what it reads until it is told to forget.
 *
 * Here it is told at once, behind each answer that it may keep, as Redis tells
 * those whose keys its table has no room for. So it never reads what is stale,
 * and saves nothing; but drivers that insist on tracking work. */
#include <string.h>

#include "wire/connection_multi.h"
#include "wire/connection_topics.h"

#define ERROR_SYNTAX "ERR syntax error"
#define ERROR_BOTH "ERR You can't specify both OPTIN mode and OPTOUT mode"
#define ERROR_SWITCH                                                           \
    "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for "    \
    "this client, and then re-enabling it with a different mode."
#define ERROR_REFUSED                                                          \
    "ERR this server tells clients to forget only what they asked for, on "    \
    "their own connection: without BCAST, PREFIX and REDIRECT"
#define ERROR_CACHING                                                          \
    "ERR CLIENT CACHING can be called only when the client is in tracking "    \
    "mode with OPTIN or OPTOUT mode enabled"
#define ERROR_YES                                                              \
    "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN "  \
    "mode."
#define ERROR_NO                                                               \
    "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT "  \
    "mode."

/* Reads the options of CLIENT TRACKING. Returns what is wrong with them. */
static const char *options_read(const struct hf_command *command,
                                enum hf_connection_tracking *mode, bool *noloop)
{
    static const char *const refused[] = {"BCAST", "PREFIX", "REDIRECT"};
    *mode = HF_TRACKING_ALL;
    *noloop = false;
    for (uint32_t i = 3; i < command->argc; i++) {
        struct hf_slice option = command->argv[i];
        bool optin = hf_slice_equal_nocase(option, "OPTIN");
        for (size_t j = 0; j < HF_ARRAY_COUNT(refused); j++) {
            if (hf_slice_equal_nocase(option, refused[j])) {
                return ERROR_REFUSED;
            }
        }
        if (hf_slice_equal_nocase(option, "NOLOOP")) {
            *noloop = true;
        } else if (optin || hf_slice_equal_nocase(option, "OPTOUT")) {
            enum hf_connection_tracking wanted =
                optin ? HF_TRACKING_OPTIN : HF_TRACKING_OPTOUT;
            if (*mode != HF_TRACKING_ALL && *mode != wanted) {
                return ERROR_BOTH;
            }
            *mode = wanted;
        } else {
            return ERROR_SYNTAX;
        }
    }
    return NULL;
}

struct hf_reply hf_connection_tracking(struct hf_connection *connection,
                                       const struct hf_command *command)
{
    enum hf_connection_tracking mode;
    bool noloop;
    const char *wrong = options_read(command, &mode, &noloop);
    if (wrong != NULL) {
        return hf_reply_error(wrong);
    }
    if (hf_slice_equal_nocase(command->argv[2], "OFF")) {
        mode = HF_TRACKING_OFF;
    } else if (!hf_slice_equal_nocase(command->argv[2], "ON")) {
        return hf_reply_error(ERROR_SYNTAX);
    } else if (connection->tracking != HF_TRACKING_OFF &&
               connection->tracking != mode) {
        return hf_reply_error(ERROR_SWITCH);
    }
    connection->tracking = mode;
    connection->noloop = noloop;
    connection->caching = false;
    return hf_reply_ok();
}

struct hf_reply hf_connection_caching(struct hf_connection *connection,
                                      const struct hf_command *command)
{
    enum hf_connection_tracking mode = connection->tracking;
    bool yes = hf_slice_equal_nocase(command->argv[2], "YES");
    if (mode != HF_TRACKING_OPTIN && mode != HF_TRACKING_OPTOUT) {
        return hf_reply_error(ERROR_CACHING);
    }
    if (!yes && !hf_slice_equal_nocase(command->argv[2], "NO")) {
        return hf_reply_error(ERROR_SYNTAX);
    }
    if (yes != (mode == HF_TRACKING_OPTIN)) {
        return hf_reply_error(yes ? ERROR_YES : ERROR_NO);
    }
    connection->caching = true;
    return hf_reply_ok();
}

struct hf_reply hf_connection_getredir(struct hf_connection *connection,
                                       const struct hf_command *command)
{
    (void)command;
    return hf_reply_integer(connection->tracking == HF_TRACKING_OFF ? -1 : 0);
}

struct hf_reply hf_connection_tracking_info(struct hf_connection *connection,
                                            const struct hf_command *command)
{
    const char *flags[4];
    uint32_t count = 0;
    enum hf_connection_tracking mode = connection->tracking;
    struct hf_buffer *out = &connection->tokens;
    (void)command;
    flags[count++] = mode == HF_TRACKING_OFF ? "off" : "on";
    if (mode == HF_TRACKING_OPTIN || mode == HF_TRACKING_OPTOUT) {
        bool optin = mode == HF_TRACKING_OPTIN;
        flags[count++] = optin ? "optin" : "optout";
        if (connection->caching) {
            flags[count++] = optin ? "caching-yes" : "caching-no";
        }
    }
    if (mode != HF_TRACKING_OFF && connection->noloop) {
        flags[count++] = "noloop";
    }
    hf_reply_put_map(out, 3);
    hf_reply_put_bulk(out, HF_SLICE_LITERAL("flags"));
    hf_reply_put_set(out, count);
    for (uint32_t i = 0; i < count; i++) {
        hf_reply_put_bulk(out, hf_slice_text(flags[i]));
    }
    hf_reply_put_bulk(out, HF_SLICE_LITERAL("redirect"));
    hf_reply_put_integer(out, mode == HF_TRACKING_OFF ? -1 : 0);
    hf_reply_put_bulk(out, HF_SLICE_LITERAL("prefixes"));
    hf_reply_put_array(out, 0);
    return hf_reply_nested(out);
}

/* Of an EXEC it may keep whatever it read: nil says all keys. */
static void put_forget(struct hf_buffer *out, const struct hf_command *command,
                       bool all)
{
    hf_reply_put_push(out, 2);
    hf_reply_put_bulk(out, HF_SLICE_LITERAL("invalidate"));
    if (all) {
        hf_reply_put_nil(out);
        return;
    }
    struct hf_key_places keys = hf_command_key_places(command);
    hf_reply_put_array(out,
                       (keys.end - keys.first + keys.step - 1) / keys.step);
    for (uint32_t i = keys.first; i < keys.end; i += keys.step) {
        hf_reply_put_bulk(out, command->argv[i]);
    }
}

/* CLIENT CACHING is said for the next command, also if that one is refused. */
bool hf_connection_forgets(struct hf_connection *connection,
                           const struct hf_command *command, bool refused,
                           struct hf_reply *push)
{
    const struct hf_command_row *row = command->row;
    const char *name = row == NULL ? "" : row->name;
    bool caching = connection->caching;
    bool exec = strcmp(name, "EXEC") == 0;
    if (strcmp(name, "CLIENT") == 0) {
        return false;
    }
    if ((!exec || refused) && hf_connection_multi_queues(connection)) {
        return false; /* What was said for it holds until EXEC. */
    }
    connection->caching = false;
    if (refused || connection->version != 3 ||
        (connection->tracking == HF_TRACKING_OPTIN && !caching) ||
        (connection->tracking == HF_TRACKING_OPTOUT && caching)) {
        return false;
    }
    if (!exec) {
        struct hf_key_places keys = hf_command_key_places(command);
        if ((row->flags & HF_COMMAND_WRITE) != 0 || keys.first >= keys.end) {
            return false;
        }
    }
    put_forget(&connection->tokens, command, exec);
    *push = hf_reply_nested(&connection->tokens);
    return true;
}
