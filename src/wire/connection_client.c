/* CLIENT: what a connection is called, what it is told, who else there is. */
#include <string.h>

#include "wire/connection_multi.h"
#include "wire/connection_topics.h"

#define LIST_IDS_MAX 64 /* Each is looked for among all clients. */
#define TEXT(macro) #macro
#define TEXT_OF(macro) TEXT(macro)

#define ERROR_SYNTAX "ERR syntax error"
#define ERROR_TRANSACTION "ERR Command not allowed inside a transaction"

bool hf_connection_name_is_clean(struct hf_slice name)
{
    for (size_t i = 0; i < name.size; i++) {
        if (name.data[i] < '!' || name.data[i] > '~') {
            return false;
        }
    }
    return true;
}

void hf_connection_name_store(char *to, size_t capacity, struct hf_slice name)
{
    size_t size = name.size < capacity ? name.size : capacity - 1;
    if (size > 0) {
        memcpy(to, name.data, size);
    }
    to[size] = '\0';
}

static struct hf_reply client_id_run(struct hf_connection *connection,
                                     const struct hf_command *command)
{
    (void)command;
    return hf_reply_integer((int64_t)connection->id);
}

static struct hf_reply client_setname_run(struct hf_connection *connection,
                                          const struct hf_command *command)
{
    if (!hf_connection_name_is_clean(command->argv[2])) {
        return hf_reply_error(HF_CONNECTION_ERROR_NAME);
    }
    hf_connection_name_store(connection->name, sizeof(connection->name),
                             command->argv[2]);
    return hf_reply_ok();
}

static struct hf_reply client_getname_run(struct hf_connection *connection,
                                          const struct hf_command *command)
{
    (void)command;
    if (connection->name[0] == '\0') {
        return hf_reply_nil();
    }
    return hf_reply_bulk(hf_slice_text(connection->name));
}

static struct hf_reply client_setinfo_run(struct hf_connection *connection,
                                          const struct hf_command *command)
{
    struct hf_slice option = command->argv[2];
    struct hf_slice value = command->argv[3];
    bool is_name = hf_slice_equal_nocase(option, "LIB-NAME");
    if (!is_name && !hf_slice_equal_nocase(option, "LIB-VER")) {
        return hf_connection_error_about(
            connection, "ERR Unrecognized option '", option, "'");
    }
    if (!hf_connection_name_is_clean(value)) {
        return hf_connection_error_about(
            connection, "ERR ", option,
            " cannot contain spaces, newlines or special "
            "characters.");
    }
    if (is_name) {
        hf_connection_name_store(connection->lib_name,
                                 sizeof(connection->lib_name), value);
    } else {
        hf_connection_name_store(connection->lib_version,
                                 sizeof(connection->lib_version), value);
    }
    return hf_reply_ok();
}

void hf_connection_describe(const struct hf_connection *connection,
                            struct hf_buffer *out)
{
    hf_buffer_append_text(out, "id=");
    hf_buffer_append_int64(out, (int64_t)connection->id);
    const uint32_t *counts = connection->subscriber.counts;
    hf_buffer_append_format(
        out, " addr=%s name=%s flags=%s db=%u sub=%u psub=%u ssub=%u",
        connection->address, connection->name,
        connection->subscriber.count > 0 ? "P" : "N",
        (unsigned)connection->database,
        (unsigned)counts[HF_SUBSCRIPTION_CHANNEL],
        (unsigned)counts[HF_SUBSCRIPTION_PATTERN],
        (unsigned)counts[HF_SUBSCRIPTION_SHARD]);
    hf_buffer_append_text(out, " oll=");
    hf_buffer_append_int64(
        out, (int64_t)(connection->tag_next - connection->tag_first));
    hf_buffer_append_text(out, " omem=");
    hf_buffer_append_int64(
        out, (int64_t)(connection->output.size + connection->held_bytes));
    hf_buffer_append_format(out, " user=default resp=%d lib-name=%s lib-ver=%s",
                            connection->version, connection->lib_name,
                            connection->lib_version);
}

/* Which clients are normal and which only receive; nobody replicates. False:
 * there is no such type. */
static bool type_read(struct hf_slice text, enum hf_client_type *type)
{
    static const struct {
        const char *name;
        enum hf_client_type type;
    } types[] = {
        {"master", HF_CLIENTS_NONE},       {"normal", HF_CLIENTS_NORMAL},
        {"pubsub", HF_CLIENTS_SUBSCRIBED}, {"replica", HF_CLIENTS_NONE},
        {"slave", HF_CLIENTS_NONE},
    };
    for (size_t i = 0; i < HF_ARRAY_COUNT(types); i++) {
        if (hf_slice_equal_nocase(text, types[i].name)) {
            *type = types[i].type;
            return true;
        }
    }
    return false;
}

static bool id_read(struct hf_slice text, uint64_t *id)
{
    int64_t number;
    bool good = hf_slice_to_int64(text, &number) && number > 0;
    *id = good ? (uint64_t)number : 0;
    return good;
}

bool hf_connection_fits(const struct hf_connection *connection,
                        const struct hf_client_filter *filter)
{
    bool subscribed = connection->subscriber.count > 0;
    return filter->type != HF_CLIENTS_NONE &&
           (filter->type == HF_CLIENTS_ALL ||
            (filter->type == HF_CLIENTS_SUBSCRIBED) == subscribed) &&
           (filter->id == 0 || filter->id == connection->id) &&
           filter->but != connection->id &&
           (filter->address.data == NULL ||
            hf_slice_equal(filter->address,
                           hf_slice_text(connection->address)));
}

/* CLIENT LIST [TYPE type | ID id ...] */
static struct hf_reply client_list_run(struct hf_connection *connection,
                                       const struct hf_command *command)
{
    const struct hf_connection_host *host = connection->host;
    const struct hf_slice *argv = command->argv;
    struct hf_client_filter filter = {.type = HF_CLIENTS_ALL};
    uint32_t first = 2;
    if (command->argc > 3 && hf_slice_equal_nocase(argv[2], "ID")) {
        first = 3;
    } else if (command->argc == 4 && hf_slice_equal_nocase(argv[2], "TYPE")) {
        if (!type_read(argv[3], &filter.type)) {
            return hf_connection_error_about(
                connection, "ERR Unknown client type '", argv[3], "'");
        }
    } else if (command->argc != 2) {
        return hf_reply_error(ERROR_SYNTAX);
    }
    if (first == 3 && command->argc - first > LIST_IDS_MAX) {
        return hf_reply_error("ERR at most " TEXT_OF(
            LIST_IDS_MAX) " client IDs can be listed at once");
    }
    for (uint32_t i = first; first == 3 && i < command->argc; i++) {
        if (!id_read(argv[i], &filter.id)) {
            return hf_reply_error("ERR Invalid client ID");
        }
        host->client_list(host->user, &filter, &connection->text);
    }
    if (first == 2) {
        host->client_list(host->user, &filter, &connection->text);
    }
    return hf_connection_text_reply(connection);
}

static struct hf_reply client_info_run(struct hf_connection *connection,
                                       const struct hf_command *command)
{
    (void)command;
    hf_connection_describe(connection, &connection->text);
    hf_buffer_append(&connection->text, "\n", 1);
    return hf_connection_text_reply(connection);
}

/* CLIENT NO-EVICT and NO-TOUCH: nothing here evicts or counts touches. */
static struct hf_reply client_switch_run(struct hf_connection *connection,
                                         const struct hf_command *command)
{
    (void)connection;
    if (!hf_slice_equal_nocase(command->argv[2], "ON") &&
        !hf_slice_equal_nocase(command->argv[2], "OFF")) {
        return hf_reply_error(ERROR_SYNTAX);
    }
    return hf_reply_ok();
}

static struct hf_reply client_reply_run(struct hf_connection *connection,
                                        const struct hf_command *command)
{
    static const struct {
        const char *name;
        enum hf_connection_mute mute;
    } modes[] = {
        {"ON", HF_MUTE_NOT}, {"OFF", HF_MUTE_ALL}, {"SKIP", HF_MUTE_NEXT}};
    for (size_t i = 0; i < HF_ARRAY_COUNT(modes); i++) {
        if (!hf_slice_equal_nocase(command->argv[2], modes[i].name)) {
            continue;
        }
        if (hf_connection_multi_runs(connection)) {
            return hf_reply_error(ERROR_TRANSACTION);
        }
        if (modes[i].mute != HF_MUTE_NEXT || connection->mute != HF_MUTE_ALL) {
            connection->mute = modes[i].mute;
        }
        return hf_reply_ok(); /* Which is seen only when that is so. */
    }
    return hf_reply_error(ERROR_SYNTAX);
}

/* Reads one option of CLIENT KILL. False: *wrong says what is. */
static bool kill_option(struct hf_connection *connection,
                        const struct hf_slice *option,
                        struct hf_client_filter *filter, struct hf_reply *wrong)
{
    struct hf_slice name = option[0];
    struct hf_slice value = option[1];
    if (hf_slice_equal_nocase(name, "ID")) {
        *wrong = hf_reply_error("ERR client-id should be greater than 0");
        return id_read(value, &filter->id);
    }
    if (hf_slice_equal_nocase(name, "ADDR")) {
        filter->address = value;
        return true;
    }
    if (hf_slice_equal_nocase(name, "TYPE")) {
        *wrong = hf_connection_error_about(
            connection, "ERR Unknown client type '", value, "'");
        return type_read(value, &filter->type);
    }
    if (hf_slice_equal_nocase(name, "USER")) {
        *wrong = hf_connection_error_about(connection, "ERR No such user '",
                                           value, "'");
        return hf_slice_equal(value, HF_SLICE_LITERAL("default"));
    }
    bool yes = hf_slice_equal_nocase(value, "YES");
    *wrong = hf_reply_error(ERROR_SYNTAX);
    filter->but = yes ? connection->id : 0;
    return hf_slice_equal_nocase(name, "SKIPME") &&
           (yes || hf_slice_equal_nocase(value, "NO"));
}

/* CLIENT KILL address, or with filters: then it spares its own client unless
 * told otherwise, and answers how many there were. */
static struct hf_reply client_kill_run(struct hf_connection *connection,
                                       const struct hf_command *command)
{
    const struct hf_connection_host *host = connection->host;
    const struct hf_slice *argv = command->argv;
    struct hf_client_filter filter = {.type = HF_CLIENTS_ALL};
    bool old = command->argc == 3;
    if (old) {
        filter.address = argv[2];
    } else if (command->argc % 2 != 0) {
        return hf_reply_error(ERROR_SYNTAX);
    } else {
        filter.but = connection->id;
    }
    for (uint32_t i = 2; !old && i < command->argc; i += 2) {
        struct hf_reply wrong;
        if (!kill_option(connection, argv + i, &filter, &wrong)) {
            return wrong;
        }
    }
    uint32_t count = hf_connection_fits(connection, &filter) ? 1 : 0;
    connection->closing |= count > 0; /* Behind its answer. */
    filter.but = connection->id;
    count += host->client_kill(host->user, &filter);
    if (!old) {
        return hf_reply_integer(count);
    }
    return count > 0 ? hf_reply_ok() : hf_reply_error("ERR No such client");
}

struct hf_reply hf_connection_client(struct hf_connection *connection,
                                     const struct hf_command *command)
{
    static const struct hf_subcommand rows[] = {
        {"CACHING", " (YES|NO)", 3, hf_connection_caching},
        {"CAPA", " <option> ...", -3, hf_connection_agree},
        {"GETNAME", "", 2, client_getname_run},
        {"GETREDIR", "", 2, hf_connection_getredir},
        {"ID", "", 2, client_id_run},
        {"INFO", "", 2, client_info_run},
        {"KILL", " <address>|<option> <value> ...", -3, client_kill_run},
        {"LIST", " [TYPE <type>|ID <id> ...]", -2, client_list_run},
        {"NO-EVICT", " (ON|OFF)", 3, client_switch_run},
        {"NO-TOUCH", " (ON|OFF)", 3, client_switch_run},
        {"REPLY", " (ON|OFF|SKIP)", 3, client_reply_run},
        {"SETINFO", " (LIB-NAME|LIB-VER) <value>", 4, client_setinfo_run},
        {"SETNAME", " <name>", 3, client_setname_run},
        {"TRACKING", " (ON|OFF) [OPTIN|OPTOUT] [NOLOOP]", -3,
         hf_connection_tracking},
        {"TRACKINGINFO", "", 2, hf_connection_tracking_info},
    };
    static const struct hf_subcommand_table table = {"CLIENT", rows,
                                                     HF_ARRAY_COUNT(rows)};
    return hf_subcommand_run(connection, command, &table);
}
