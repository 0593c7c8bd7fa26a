#include "wire/connection_config.h"

#include <string.h>

#include "core/glob.h"
#include "core/notices.h"
#include "wire/connection_topics.h"

#define ERROR_SYNTAX "ERR syntax error"
#define NAME_BYTES_MAX 64

/* What clients ask for, by the names and values of Redis. NULL: which events
 * are published, the one that can be set. */
static const struct parameter {
    const char *name;
    const char *value;
} parameters[] = {
    {"appendfsync", "everysec"},
    {"appendonly", "no"},
    {"databases", "16"},
    {"io-threads", "1"},
    {"maxmemory", "0"},
    {"maxmemory-policy", "noeviction"},
    {"notify-keyspace-events", NULL},
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

static void put_value(struct hf_connection *connection,
                      const struct parameter *parameter)
{
    const struct hf_connection_host *host = connection->host;
    struct hf_slice value = {NULL, 0};
    if (parameter->value != NULL) {
        value = hf_slice_text(parameter->value);
    } else {
        hf_buffer_clear(&connection->text);
        hf_notice_flags_write(&connection->text, host->events(host->user));
        value = hf_buffer_slice(&connection->text);
    }
    hf_reply_put_bulk(&connection->tokens, value);
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
            put_value(connection, &parameters[i]);
        }
    }
    return hf_reply_nested(out);
}

static const struct parameter *parameter_find(struct hf_slice name)
{
    for (size_t i = 0; i < HF_ARRAY_COUNT(parameters); i++) {
        if (hf_slice_equal_nocase(name, parameters[i].name)) {
            return &parameters[i];
        }
    }
    return NULL;
}

/* Why @value cannot be set, or NULL. Setting what is already so is fine. */
static const char *refusal(const struct parameter *parameter,
                           struct hf_slice value)
{
    uint32_t flags;
    if (parameter->value == NULL) {
        return hf_notice_flags_read(value, &flags)
                   ? NULL
                   : "') - Invalid event class character. Use "
                     "'Ag$lshzxeKEtmdn'.";
    }
    return hf_slice_equal_nocase(value, parameter->value)
               ? NULL
               : "') - can't set immutable config";
}

bool hf_connection_config_is_set(const struct hf_command *command)
{
    bool changes = false;
    if (strcmp(command->row->name, "CONFIG") != 0 || command->argc < 4 ||
        command->argc % 2 != 0 ||
        !hf_slice_equal_nocase(command->argv[1], "set")) {
        return false;
    }
    for (uint32_t i = 2; i < command->argc; i += 2) {
        const struct parameter *parameter = parameter_find(command->argv[i]);
        if (parameter == NULL ||
            refusal(parameter, command->argv[i + 1]) != NULL) {
            return false;
        }
        changes = changes || parameter->value == NULL;
    }
    return changes;
}

/* Whatever is left of CONFIG SET when the host does not carry it out. */
static struct hf_reply config_set_run(struct hf_connection *connection,
                                      const struct hf_command *command)
{
    const struct hf_slice *argv = command->argv;
    if (command->argc % 2 != 0) {
        return hf_reply_error(ERROR_SYNTAX);
    }
    for (uint32_t i = 2; i < command->argc; i += 2) {
        if (parameter_find(argv[i]) == NULL) {
            return hf_connection_error_about(
                connection,
                "ERR Unknown option or number of arguments for CONFIG SET - '",
                argv[i], "'");
        }
    }
    for (uint32_t i = 2; i < command->argc; i += 2) {
        const char *why = refusal(parameter_find(argv[i]), argv[i + 1]);
        if (why != NULL) {
            return hf_connection_error_about(
                connection,
                "ERR CONFIG SET failed (possibly related to argument '",
                argv[i], why);
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
