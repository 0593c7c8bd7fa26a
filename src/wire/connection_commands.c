#include "wire/connection_commands.h"

#include <string.h>

#include "base/assert.h"
#include "wire/connection_cluster.h"
#include "wire/connection_config.h"
#include "wire/connection_pubsub.h"
#include "wire/connection_sentinel.h"
#include "wire/connection_topics.h"

/* What we say we are: clients choose their features by it. */
#define SERVER_VERSION "7.2.4"

#define NAME_CUT 128         /* Of names that error texts repeat. */
#define INFO_SECTIONS_MAX 16 /* More of them are answered as "everything". */
#define ROW_FLAGS_MAX 3

#define ERROR_SYNTAX "ERR syntax error"
#define ERROR_INTEGER "ERR value is not an integer or out of range"
#define ERROR_WRONGPASS                                                        \
    "WRONGPASS invalid username-password pair or user is disabled."
#define ERROR_NO_PASSWORD                                                      \
    "ERR AUTH <password> called without any password configured for the "      \
    "default user. Are you sure your configuration is correct?"

static struct hf_reply status_reply(const char *text)
{
    return (struct hf_reply){.kind = HF_REPLY_STATUS,
                             .bytes = hf_slice_text(text)};
}

struct hf_reply hf_connection_error_about(struct hf_connection *connection,
                                          const char *before,
                                          struct hf_slice sent,
                                          const char *after)
{
    if (sent.size > NAME_CUT) {
        sent.size = NAME_CUT;
    }
    hf_buffer_append_text(&connection->text, before);
    hf_buffer_append_slice(&connection->text, sent);
    hf_buffer_append_text(&connection->text, after);
    return (struct hf_reply){.kind = HF_REPLY_ERROR,
                             .bytes = hf_buffer_slice(&connection->text)};
}

struct hf_reply hf_connection_text_reply(struct hf_connection *connection)
{
    hf_reply_put_verbatim(&connection->tokens,
                          hf_buffer_slice(&connection->text));
    return hf_reply_nested(&connection->tokens);
}

/* Empties the text, but remembers when an earlier one did not fit, which
 * hf_buffer_clear would not. */
static void text_restart(struct hf_connection *connection)
{
    connection->text.size = 0;
}

static void append_lower(struct hf_buffer *out, const char *text)
{
    for (; *text != '\0'; text++) {
        char c = *text;
        if (c >= 'A' && c <= 'Z') {
            c = (char)(c + ('a' - 'A'));
        }
        hf_buffer_append(out, &c, 1);
    }
}

/* The bytes up to a zero, at most @size of them. Redis handles arguments as C
 * strings where it repeats them. */
static struct hf_slice slice_cut(struct hf_slice slice, size_t size)
{
    if (slice.size > size) {
        slice.size = size;
    }
    const uint8_t *zero =
        slice.size == 0 ? NULL : memchr(slice.data, 0, slice.size);
    if (zero != NULL) {
        slice.size = (size_t)(zero - slice.data);
    }
    return slice;
}

struct hf_reply hf_connection_unknown(struct hf_connection *connection,
                                      uint32_t argc,
                                      const struct hf_slice *argv)
{
    struct hf_buffer *text = &connection->text;
    hf_buffer_append_text(text, "ERR unknown command '");
    hf_buffer_append_slice(text, slice_cut(argv[0], NAME_CUT));
    hf_buffer_append_text(text, "', with args beginning with: ");
    size_t used = 0;
    for (uint32_t i = 1; i < argc && used < NAME_CUT; i++) {
        struct hf_slice argument = slice_cut(argv[i], NAME_CUT - used);
        hf_buffer_append(text, "'", 1);
        hf_buffer_append_slice(text, argument);
        hf_buffer_append(text, "' ", 2);
        used += argument.size + 3;
    }
    return (struct hf_reply){.kind = HF_REPLY_ERROR,
                             .bytes = hf_buffer_slice(text)};
}

static struct hf_reply wrong_arity(struct hf_connection *connection,
                                   const char *name, const char *subcommand)
{
    struct hf_buffer *text = &connection->text;
    hf_buffer_append_text(text, "ERR wrong number of arguments for '");
    append_lower(text, name);
    if (subcommand != NULL) {
        hf_buffer_append(text, "|", 1);
        append_lower(text, subcommand);
    }
    hf_buffer_append_text(text, "' command");
    return (struct hf_reply){.kind = HF_REPLY_ERROR,
                             .bytes = hf_buffer_slice(text)};
}

struct hf_reply hf_connection_wrong_arity(struct hf_connection *connection,
                                          const struct hf_command_row *row)
{
    return wrong_arity(connection, row->name, NULL);
}

static struct hf_reply help_reply(struct hf_connection *connection,
                                  const struct hf_subcommand_table *table)
{
    struct hf_buffer *tokens = &connection->tokens;
    struct hf_buffer *line = &connection->text;
    hf_reply_put_array(tokens, (uint32_t)table->count + 1);
    hf_buffer_append_format(line,
                            "%s <subcommand> [<arg> [value] [opt] ...]. "
                            "Subcommands are:",
                            table->name);
    hf_reply_put_status(tokens, hf_buffer_slice(line));
    for (size_t i = 0; i < table->count; i++) {
        text_restart(connection);
        hf_buffer_append_format(line, "%s%s", table->rows[i].name,
                                table->rows[i].usage);
        hf_reply_put_status(tokens, hf_buffer_slice(line));
    }
    return hf_reply_nested(tokens);
}

static struct hf_reply unknown_subcommand(struct hf_connection *connection,
                                          const char *command,
                                          struct hf_slice name)
{
    struct hf_reply reply = hf_connection_error_about(
        connection, "ERR unknown subcommand '", name, "'. Try ");
    hf_buffer_append_text(&connection->text, command);
    hf_buffer_append_text(&connection->text, " HELP.");
    reply.bytes = hf_buffer_slice(&connection->text);
    return reply;
}

static bool subcommand_arity_fits(const struct hf_subcommand *row,
                                  const struct hf_command *command)
{
    int64_t argc = command->argc;
    return row->arity < 0 ? argc >= -row->arity : argc == row->arity;
}

bool hf_subcommand_is_elsewhere(const struct hf_command *command,
                                const struct hf_subcommand_table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct hf_subcommand *row = &table->rows[i];
        if (row->run == NULL &&
            hf_slice_equal_nocase(command->argv[1], row->name)) {
            return subcommand_arity_fits(row, command);
        }
    }
    return false;
}

struct hf_reply hf_subcommand_run(struct hf_connection *connection,
                                  const struct hf_command *command,
                                  const struct hf_subcommand_table *table)
{
    struct hf_slice name = command->argv[1];
    if (hf_slice_equal_nocase(name, "HELP")) {
        return help_reply(connection, table);
    }
    for (size_t i = 0; i < table->count; i++) {
        const struct hf_subcommand *row = &table->rows[i];
        if (!hf_slice_equal_nocase(name, row->name)) {
            continue;
        }
        if (!subcommand_arity_fits(row, command)) {
            return wrong_arity(connection, table->name, row->name);
        }
        HF_ASSERT(row->run != NULL); /* Else the host has it. */
        return row->run(connection, command);
    }
    return unknown_subcommand(connection, table->name, name);
}

static struct hf_reply ping_run(struct hf_connection *connection,
                                const struct hf_command *command)
{
    if (command->argc > 2) {
        return hf_connection_wrong_arity(connection, command->row);
    }
    if (connection->subscriber.count > 0 && connection->version == 2) {
        struct hf_buffer *tokens = &connection->tokens;
        hf_reply_put_array(tokens, 2);
        hf_reply_put_bulk(tokens, HF_SLICE_LITERAL("pong"));
        hf_reply_put_bulk(tokens, command->argc == 2 ? command->argv[1]
                                                     : HF_SLICE_LITERAL(""));
        return hf_reply_nested(tokens);
    }
    return command->argc == 2 ? hf_reply_bulk(command->argv[1])
                              : status_reply("PONG");
}

static struct hf_reply echo_run(struct hf_connection *connection,
                                const struct hf_command *command)
{
    (void)connection;
    return hf_reply_bulk(command->argv[1]);
}

static struct hf_reply quit_run(struct hf_connection *connection,
                                const struct hf_command *command)
{
    (void)command;
    connection->closing = true;
    return hf_reply_ok();
}

static struct hf_reply reset_run(struct hf_connection *connection,
                                 const struct hf_command *command)
{
    (void)command;
    hf_connection_unsubscribe_all(connection);
    connection->version = 2;
    connection->database = 0;
    connection->name[0] = '\0';
    connection->mute = HF_MUTE_NOT;
    connection->tracking = HF_TRACKING_OFF;
    return status_reply("RESET");
}

static struct hf_reply select_run(struct hf_connection *connection,
                                  const struct hf_command *command)
{
    int64_t index;
    if (!hf_slice_to_int64(command->argv[1], &index)) {
        return hf_reply_error(ERROR_INTEGER);
    }
    if (index < INT32_MIN || index > INT32_MAX) {
        return hf_reply_error("ERR value is out of range, value must between "
                              "-2147483648 and 2147483647");
    }
    if (index < 0 || index >= HF_DATABASE_COUNT) {
        return hf_reply_error("ERR DB index is out of range");
    }
    if (index != 0 && connection->cluster) {
        return hf_reply_error("ERR SELECT is not allowed in cluster mode");
    }
    connection->database = (uint8_t)index;
    return hf_reply_ok();
}

static bool user_is_known(struct hf_slice user)
{
    return hf_slice_equal(user, HF_SLICE_LITERAL("default"));
}

static struct hf_reply auth_run(struct hf_connection *connection,
                                const struct hf_command *command)
{
    (void)connection;
    if (command->argc > 3) {
        return hf_reply_error(ERROR_SYNTAX);
    }
    if (command->argc == 2) {
        return hf_reply_error(ERROR_NO_PASSWORD);
    }
    if (!user_is_known(command->argv[1])) {
        return hf_reply_error(ERROR_WRONGPASS);
    }
    return hf_reply_ok();
}

static struct hf_reply hello_reply(struct hf_connection *connection)
{
    struct hf_buffer *out = &connection->tokens;
    hf_reply_put_map(out, 7);
    hf_reply_put_bulk(out, HF_SLICE_LITERAL("server"));
    hf_reply_put_bulk(out, HF_SLICE_LITERAL("redis"));
    hf_reply_put_bulk(out, HF_SLICE_LITERAL("version"));
    hf_reply_put_bulk(out, HF_SLICE_LITERAL(SERVER_VERSION));
    hf_reply_put_bulk(out, HF_SLICE_LITERAL("proto"));
    hf_reply_put_integer(out, connection->version);
    hf_reply_put_bulk(out, HF_SLICE_LITERAL("id"));
    hf_reply_put_integer(out, (int64_t)connection->id);
    hf_reply_put_bulk(out, HF_SLICE_LITERAL("mode"));
    hf_reply_put_bulk(
        out, hf_slice_text(connection->cluster ? "cluster" : "standalone"));
    hf_reply_put_bulk(out, HF_SLICE_LITERAL("role"));
    hf_reply_put_bulk(out, HF_SLICE_LITERAL("master"));
    hf_reply_put_bulk(out, HF_SLICE_LITERAL("modules"));
    hf_reply_put_array(out, 0);
    return hf_reply_nested(out);
}

/* HELLO [2|3 [AUTH user password] [SETNAME name]]: all or nothing. */
static struct hf_reply hello_run(struct hf_connection *connection,
                                 const struct hf_command *command)
{
    const struct hf_slice *argv = command->argv;
    int64_t version = connection->version;
    if (command->argc > 1 && !hf_slice_to_int64(argv[1], &version)) {
        return hf_reply_error(
            "ERR Protocol version is not an integer or out of range");
    }
    if (version != 2 && version != 3) {
        return hf_reply_error("NOPROTO unsupported protocol version");
    }
    const struct hf_slice *name = NULL;
    for (uint32_t i = 2; i < command->argc; i++) {
        uint32_t left = command->argc - i - 1;
        if (left >= 2 && hf_slice_equal_nocase(argv[i], "AUTH")) {
            if (!user_is_known(argv[i + 1])) {
                return hf_reply_error(ERROR_WRONGPASS);
            }
            i += 2;
        } else if (left >= 1 && hf_slice_equal_nocase(argv[i], "SETNAME")) {
            name = &argv[i + 1];
            if (!hf_connection_name_is_clean(*name)) {
                return hf_reply_error(HF_CONNECTION_ERROR_NAME);
            }
            i += 1;
        } else {
            return hf_connection_error_about(
                connection, "ERR Syntax error in HELLO option '", argv[i], "'");
        }
    }
    if (name != NULL) {
        hf_connection_name_store(connection->name, sizeof(connection->name),
                                 *name);
    }
    connection->version = (int)version;
    return hello_reply(connection);
}

static struct hf_reply info_run(struct hf_connection *connection,
                                const struct hf_command *command)
{
    const struct hf_connection_host *host = connection->host;
    struct hf_buffer *out = &connection->text;
    bool cluster = connection->cluster;
    if (command->argc == 1) {
        host->info(host->user, HF_SLICE_LITERAL(""), cluster, out);
    } else if (command->argc - 1 > INFO_SECTIONS_MAX) {
        host->info(host->user, HF_SLICE_LITERAL("everything"), cluster, out);
    }
    for (uint32_t i = 1;
         i < command->argc && command->argc - 1 <= INFO_SECTIONS_MAX; i++) {
        host->info(host->user, command->argv[i], cluster, out);
    }
    return hf_connection_text_reply(connection);
}

/* Those by which clients decide where to send a command. */
static uint32_t row_flags(const struct hf_command_row *row,
                          const char *flags[ROW_FLAGS_MAX])
{
    uint32_t count = 0;
    if (row->section == HF_SECTION_PUBSUB) {
        flags[count++] = "pubsub";
    } else if (row->route != HF_ROUTE_CONNECTION &&
               row->route != HF_ROUTE_NODE) {
        flags[count++] =
            (row->flags & HF_COMMAND_WRITE) != 0 ? "write" : "readonly";
    }
    if ((row->flags & HF_COMMAND_FAST) != 0) {
        flags[count++] = "fast";
    }
    if (row->route == HF_ROUTE_SCRIPT) {
        flags[count++] = "movablekeys";
    }
    return count;
}

/* The ten elements of Redis 7, the last four without content. */
static void row_describe(struct hf_connection *connection,
                         const struct hf_command_row *row)
{
    struct hf_buffer *out = &connection->tokens;
    const char *flags[ROW_FLAGS_MAX];
    uint32_t flag_count = row_flags(row, flags);
    hf_reply_put_array(out, 10);
    text_restart(connection);
    append_lower(&connection->text, row->name);
    hf_reply_put_bulk(out, hf_buffer_slice(&connection->text));
    hf_reply_put_integer(out, row->arity);
    hf_reply_put_set(out, flag_count);
    for (uint32_t i = 0; i < flag_count; i++) {
        hf_reply_put_status(out, hf_slice_text(flags[i]));
    }
    hf_reply_put_integer(out, row->key_first);
    hf_reply_put_integer(out, row->key_last);
    hf_reply_put_integer(out, row->key_step);
    hf_reply_put_set(out, 0);   /* ACL categories. */
    hf_reply_put_array(out, 0); /* Tips. */
    hf_reply_put_array(out, 0); /* Key specifications. */
    hf_reply_put_array(out, 0); /* Subcommands. */
}

static uint32_t row_count(void)
{
    uint32_t count = 0;
    while (hf_command_at(count) != NULL) {
        count++;
    }
    return count;
}

static struct hf_reply rows_reply(struct hf_connection *connection)
{
    uint32_t count = row_count();
    hf_reply_put_array(&connection->tokens, count);
    for (uint32_t i = 0; i < count; i++) {
        row_describe(connection, hf_command_at(i));
    }
    return hf_reply_nested(&connection->tokens);
}

static struct hf_reply command_count_run(struct hf_connection *connection,
                                         const struct hf_command *command)
{
    (void)connection;
    (void)command;
    return hf_reply_integer(row_count());
}

static struct hf_reply command_docs_run(struct hf_connection *connection,
                                        const struct hf_command *command)
{
    (void)command;
    hf_reply_put_map(&connection->tokens, 0);
    return hf_reply_nested(&connection->tokens);
}

static struct hf_reply command_info_run(struct hf_connection *connection,
                                        const struct hf_command *command)
{
    if (command->argc == 2) {
        return rows_reply(connection);
    }
    hf_reply_put_array(&connection->tokens, command->argc - 2);
    for (uint32_t i = 2; i < command->argc; i++) {
        const struct hf_command_row *row = hf_command_find(command->argv[i]);
        if (row == NULL) {
            hf_reply_put_nil_array(&connection->tokens);
        } else {
            row_describe(connection, row);
        }
    }
    return hf_reply_nested(&connection->tokens);
}

static struct hf_reply command_list_run(struct hf_connection *connection,
                                        const struct hf_command *command)
{
    (void)command;
    uint32_t count = row_count();
    hf_reply_put_array(&connection->tokens, count);
    for (uint32_t i = 0; i < count; i++) {
        text_restart(connection);
        append_lower(&connection->text, hf_command_at(i)->name);
        hf_reply_put_bulk(&connection->tokens,
                          hf_buffer_slice(&connection->text));
    }
    return hf_reply_nested(&connection->tokens);
}

static struct hf_reply command_getkeys_run(struct hf_connection *connection,
                                           const struct hf_command *command)
{
    struct hf_command asked = {.row = hf_command_find(command->argv[2]),
                               .argc = command->argc - 2,
                               .argv = command->argv + 2};
    if (asked.row == NULL) {
        return hf_reply_error("ERR Invalid command specified");
    }
    if (!hf_command_arity_fits(asked.row, asked.argc)) {
        return hf_reply_error(
            "ERR Invalid number of arguments specified for command");
    }
    struct hf_key_places keys = hf_command_key_places(&asked);
    if (keys.first >= keys.end) {
        return hf_reply_error("ERR The command has no key arguments");
    }
    uint32_t count = (keys.end - keys.first + keys.step - 1) / keys.step;
    hf_reply_put_array(&connection->tokens, count);
    for (uint32_t i = keys.first; i < keys.end; i += keys.step) {
        hf_reply_put_bulk(&connection->tokens, asked.argv[i]);
    }
    return hf_reply_nested(&connection->tokens);
}

static struct hf_reply command_run(struct hf_connection *connection,
                                   const struct hf_command *command)
{
    static const struct hf_subcommand rows[] = {
        {"COUNT", "", 2, command_count_run},
        {"DOCS", " [<command-name> ...]", -2, command_docs_run},
        {"GETKEYS", " <full-command>", -3, command_getkeys_run},
        {"INFO", " [<command-name> ...]", -2, command_info_run},
        {"LIST", "", 2, command_list_run},
    };
    static const struct hf_subcommand_table table = {"COMMAND", rows,
                                                     HF_ARRAY_COUNT(rows)};
    if (command->argc == 1) {
        return rows_reply(connection);
    }
    return hf_subcommand_run(connection, command, &table);
}

static struct hf_reply status_run(struct hf_connection *connection,
                                  const struct hf_command *command)
{
    (void)command;
    connection->host->status(connection->host->user, &connection->tokens);
    return hf_reply_nested(&connection->tokens);
}

static const struct hf_subcommand holdfast_rows[] = {
    {"DRAIN", " [<node>]", -2, NULL},
    {"STATUS", "", 2, status_run},
    {"TAKEOVER", "", 2, NULL},
};

static const struct hf_subcommand_table holdfast_table = {
    "HOLDFAST", holdfast_rows, HF_ARRAY_COUNT(holdfast_rows)};

bool hf_connection_is_managed(const struct hf_command *command)
{
    if (strcmp(command->row->name, "HOLDFAST") != 0) {
        return hf_connection_config_is_set(command) ||
               hf_connection_script_is_managed(command);
    }
    return hf_subcommand_is_elsewhere(command, &holdfast_table);
}

static struct hf_reply holdfast_run(struct hf_connection *connection,
                                    const struct hf_command *command)
{
    return hf_subcommand_run(connection, command, &holdfast_table);
}

bool hf_connection_answers_itself(struct hf_connection *connection,
                                  const struct hf_command *command,
                                  struct hf_reply *reply)
{
    const struct hf_subcommand_table *table =
        hf_connection_key_subcommands(command->row);
    if (table == NULL || command->argc < 2 ||
        hf_subcommand_is_elsewhere(command, table)) {
        return false;
    }
    *reply = hf_subcommand_run(connection, command, table);
    return true;
}

struct hf_reply hf_connection_run(struct hf_connection *connection,
                                  const struct hf_command *command)
{
    static const struct {
        const char *name;
        uint32_t argc_min; /* Less would be read beyond the arguments. */
        hf_run_function *run;
        bool asks; /* Who says it wants to know whom it talks to. */
    } rows[] = {
        {"PING", 1, ping_run, false},
        {"ECHO", 2, echo_run, false},
        {"QUIT", 1, quit_run, false},
        {"RESET", 1, reset_run, false},
        {"SELECT", 2, select_run, false},
        {"AUTH", 2, auth_run, false},
        {"HELLO", 1, hello_run, true},
        {"CLIENT", 2, hf_connection_client, true},
        {"INFO", 1, info_run, true},
        {"COMMAND", 1, command_run, true},
        {"CLUSTER", 2, hf_connection_cluster, true},
        {"HOLDFAST", 2, holdfast_run, false},
        {"ASKING", 1, hf_connection_agree, false},
        {"CONFIG", 2, hf_connection_config, false},
        {"DEBUG", 2, hf_connection_debug, false},
        {"FUNCTION", 2, hf_connection_function, false},
        {"READONLY", 1, hf_connection_agree, false},
        {"READWRITE", 1, hf_connection_agree, false},
        {"SCRIPT", 2, hf_connection_script, false},
        {"SENTINEL", 2, hf_connection_sentinel, false},
    };
    size_t i = 0;
    while (strcmp(rows[i].name, command->row->name) != 0) {
        i++;
        HF_ASSERT(i < HF_ARRAY_COUNT(rows)); /* A row nobody runs. */
    }
    HF_ASSERT(command->argc >= rows[i].argc_min);
    connection->asks = connection->asks || rows[i].asks;
    return rows[i].run(connection, command);
}
