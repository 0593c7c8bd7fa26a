/* Commands about the server as a whole, as far as clients need an answer. */
#include <string.h>

#include "core/glob.h"
#include "wire/connection_topics.h"

#define ERROR_SYNTAX "ERR syntax error"
#define ERROR_DEBUG                                                            \
    "ERR DEBUG command not allowed. If the enable-debug-command option is "    \
    "set to \"local\", you can run it from a local connection, otherwise "     \
    "you need to set this option in the configuration file, and then "         \
    "restart the server."
#define ERROR_TRACKING                                                         \
    "ERR this server does not tell clients what became stale, so that they "   \
    "must not cache by CLIENT TRACKING"

#define NAME_BYTES_MAX 64

struct hf_reply hf_connection_agree(struct hf_connection *connection,
                                    const struct hf_command *command)
{
    (void)connection;
    (void)command;
    return hf_reply_ok();
}

struct hf_reply hf_connection_debug(struct hf_connection *connection,
                                    const struct hf_command *command)
{
    (void)connection;
    (void)command;
    return hf_reply_error(ERROR_DEBUG);
}

/* A client that believes it is told of changes would serve old sessions. */
struct hf_reply hf_connection_tracking(struct hf_connection *connection,
                                       const struct hf_command *command)
{
    (void)connection;
    return hf_slice_equal_nocase(command->argv[2], "OFF")
               ? hf_reply_ok()
               : hf_reply_error(ERROR_TRACKING);
}

/* ---- FUNCTION ----------------------------------------------------------- */

static struct hf_reply function_flush_run(struct hf_connection *connection,
                                          const struct hf_command *command)
{
    (void)connection;
    bool known = command->argc == 2 ||
                 (command->argc == 3 &&
                  (hf_slice_equal_nocase(command->argv[2], "ASYNC") ||
                   hf_slice_equal_nocase(command->argv[2], "SYNC")));
    return known ? hf_reply_ok()
                 : hf_reply_error("ERR FUNCTION FLUSH only supports SYNC|ASYNC "
                                  "option");
}

static struct hf_reply function_list_run(struct hf_connection *connection,
                                         const struct hf_command *command)
{
    (void)command;
    hf_reply_put_array(&connection->tokens, 0);
    return hf_reply_nested(&connection->tokens);
}

struct hf_reply hf_connection_function(struct hf_connection *connection,
                                       const struct hf_command *command)
{
    static const struct hf_subcommand rows[] = {
        {"FLUSH", " [ASYNC|SYNC]", -2, function_flush_run},
        {"LIST", "", -2, function_list_run},
    };
    static const struct hf_subcommand_table table = {"FUNCTION", rows,
                                                     HF_ARRAY_COUNT(rows)};
    return hf_subcommand_run(connection, command, &table);
}

/* ---- CONFIG ------------------------------------------------------------- */

/* What clients ask for, by the names and values of Redis. */
static const struct {
    const char *name;
    const char *value;
} parameters[] = {
    {"appendfsync", "everysec"},
    {"appendonly", "no"},
    {"databases", "16"},
    {"io-threads", "1"},
    {"maxmemory", "0"},
    {"maxmemory-policy", "noeviction"},
    {"replica-read-only", "yes"},
    {"requirepass", ""},
    {"save", ""},
    {"slave-read-only", "yes"},
    {"timeout", "0"},
};

/* Cut to what parameters have, and in lower case. */
static struct hf_slice lower_name(struct hf_slice name,
                                  uint8_t place[NAME_BYTES_MAX])
{
    size_t size = name.size < NAME_BYTES_MAX ? name.size : NAME_BYTES_MAX;
    for (size_t i = 0; i < size; i++) {
        uint8_t c = name.data[i];
        place[i] = c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
    }
    return (struct hf_slice){place, size};
}

static bool is_asked_for(const struct hf_command *command, const char *name)
{
    uint8_t place[NAME_BYTES_MAX];
    for (uint32_t i = 2; i < command->argc; i++) {
        if (hf_glob_matches(lower_name(command->argv[i], place),
                            hf_slice_text(name))) {
            return true;
        }
    }
    return false;
}

static struct hf_reply config_get_run(struct hf_connection *connection,
                                      const struct hf_command *command)
{
    bool asked[HF_ARRAY_COUNT(parameters)];
    uint32_t count = 0;
    for (size_t i = 0; i < HF_ARRAY_COUNT(parameters); i++) {
        asked[i] = is_asked_for(command, parameters[i].name);
        count += asked[i] ? 1 : 0;
    }
    struct hf_buffer *out = &connection->tokens;
    hf_reply_put_map(out, count);
    for (size_t i = 0; i < HF_ARRAY_COUNT(parameters); i++) {
        if (asked[i]) {
            hf_reply_put_bulk(out, hf_slice_text(parameters[i].name));
            hf_reply_put_bulk(out, hf_slice_text(parameters[i].value));
        }
    }
    return hf_reply_nested(out);
}

static const char *parameter_value(struct hf_slice name)
{
    for (size_t i = 0; i < HF_ARRAY_COUNT(parameters); i++) {
        if (hf_slice_equal_nocase(name, parameters[i].name)) {
            return parameters[i].value;
        }
    }
    return NULL;
}

/* Setting what is already so is fine; nothing can be changed. */
static struct hf_reply config_set_run(struct hf_connection *connection,
                                      const struct hf_command *command)
{
    const struct hf_slice *argv = command->argv;
    if (command->argc % 2 != 0) {
        return hf_reply_error(ERROR_SYNTAX);
    }
    for (uint32_t i = 2; i < command->argc; i += 2) {
        if (parameter_value(argv[i]) == NULL) {
            return hf_connection_error_about(
                connection,
                "ERR Unknown option or number of arguments for CONFIG SET - '",
                argv[i], "'");
        }
    }
    for (uint32_t i = 2; i < command->argc; i += 2) {
        const char *value = parameter_value(argv[i]);
        if (!hf_slice_equal_nocase(argv[i + 1], value)) {
            return hf_connection_error_about(
                connection,
                "ERR CONFIG SET failed (possibly related to argument '",
                argv[i], "') - can't set immutable config");
        }
    }
    return hf_reply_ok();
}

static struct hf_reply config_rewrite_run(struct hf_connection *connection,
                                          const struct hf_command *command)
{
    (void)connection;
    (void)command;
    return hf_reply_error("ERR The server is running without a config file");
}

struct hf_reply hf_connection_config(struct hf_connection *connection,
                                     const struct hf_command *command)
{
    static const struct hf_subcommand rows[] = {
        {"GET", " <pattern>", -3, config_get_run},
        {"RESETSTAT", "", 2, hf_connection_agree},
        {"REWRITE", "", 2, config_rewrite_run},
        {"SET", " <directive> <value>", -4, config_set_run},
    };
    static const struct hf_subcommand_table table = {"CONFIG", rows,
                                                     HF_ARRAY_COUNT(rows)};
    return hf_subcommand_run(connection, command, &table);
}

/* ---- OBJECT and MEMORY -------------------------------------------------- */

const struct hf_subcommand_table *
hf_connection_key_subcommands(const struct hf_command_row *row)
{
    static const struct hf_subcommand object_rows[] = {
        {"ENCODING", " <key>", 3, NULL},
        {"FREQ", " <key>", 3, NULL},
        {"IDLETIME", " <key>", 3, NULL},
        {"REFCOUNT", " <key>", 3, NULL},
    };
    static const struct hf_subcommand memory_rows[] = {
        {"USAGE", " <key> [SAMPLES <count>]", -3, NULL},
    };
    static const struct hf_subcommand_table tables[] = {
        {"OBJECT", object_rows, HF_ARRAY_COUNT(object_rows)},
        {"MEMORY", memory_rows, HF_ARRAY_COUNT(memory_rows)},
    };
    for (size_t i = 0; row->key_first == 2 && i < HF_ARRAY_COUNT(tables); i++) {
        if (strcmp(row->name, tables[i].name) == 0) {
            return &tables[i];
        }
    }
    return NULL;
}
