#include "wire/connection_pubsub.h"

#include <string.h>

#include "base/assert.h"
#include "core/tally.h"

#define NAME_CUT 128 /* Of words that error texts repeat. */

/* What a command of the family does. */
struct family {
    const char *name; /* Of the command. */
    const char *word; /* In its answer. */
    enum hf_subscription_kind kind;
    bool ends;
};

static const struct family *family_of(const struct hf_command *command)
{
    static const struct family families[] = {
        {"PSUBSCRIBE", "psubscribe", HF_SUBSCRIPTION_PATTERN, false},
        {"PUNSUBSCRIBE", "punsubscribe", HF_SUBSCRIPTION_PATTERN, true},
        {"SSUBSCRIBE", "ssubscribe", HF_SUBSCRIPTION_SHARD, false},
        {"SUBSCRIBE", "subscribe", HF_SUBSCRIPTION_CHANNEL, false},
        {"SUNSUBSCRIBE", "sunsubscribe", HF_SUBSCRIPTION_SHARD, true},
        {"UNSUBSCRIBE", "unsubscribe", HF_SUBSCRIPTION_CHANNEL, true},
    };
    size_t i = 0;
    while (strcmp(families[i].name, command->row->name) != 0) {
        i++;
        HF_ASSERT(i < HF_ARRAY_COUNT(families)); /* A row nobody runs. */
    }
    return &families[i];
}

/* Redis counts channels and patterns together, shard channels apart. */
static int64_t count_told(const struct hf_subscriber *subscriber,
                          enum hf_subscription_kind kind)
{
    uint32_t shards = subscriber->counts[HF_SUBSCRIPTION_SHARD];
    return kind == HF_SUBSCRIPTION_SHARD ? shards : subscriber->count - shards;
}

/* One line of the answer; @name NULL: there was nothing to end. */
static void tell(struct hf_connection *connection, const struct family *family,
                 const struct hf_slice *name)
{
    struct hf_buffer *tokens = &connection->tokens;
    hf_buffer_clear(tokens);
    hf_reply_put_push(tokens, 3);
    hf_reply_put_bulk(tokens, hf_slice_text(family->word));
    if (name == NULL) {
        hf_reply_put_nil(tokens);
    } else {
        hf_reply_put_bulk(tokens, *name);
    }
    hf_reply_put_integer(tokens,
                         count_told(&connection->subscriber, family->kind));
    if (tokens->failed) {
        connection->broken = true;
        return;
    }
    struct hf_reply reply = hf_reply_nested(tokens);
    hf_connection_push(connection, &reply);
    hf_buffer_clear(tokens);
}

static void subscribe(struct hf_connection *connection,
                      const struct family *family, struct hf_slice name)
{
    if (hf_subscriptions_add(connection->host->subscriptions,
                             &connection->subscriber, family->kind,
                             name) == HF_SUBSCRIBED_NOT) {
        const struct hf_reply error =
            hf_reply_error("ERR too many subscriptions for the memory of one "
                           "client");
        hf_connection_push(connection, &error);
        return;
    }
    tell(connection, family, &name);
}

static void unsubscribe(struct hf_connection *connection,
                        const struct family *family, struct hf_slice name)
{
    /* The name may be the subscription's own: it is told last. */
    hf_buffer_clear(&connection->text);
    hf_buffer_append_slice(&connection->text, name);
    name = hf_buffer_slice(&connection->text);
    if (connection->text.failed) {
        connection->broken = true;
        return;
    }
    hf_subscriptions_remove(connection->host->subscriptions,
                            &connection->subscriber, family->kind, name);
    tell(connection, family, &name);
    hf_buffer_clear(&connection->text);
}

static void unsubscribe_kind(struct hf_connection *connection,
                             const struct family *family)
{
    struct hf_slice name;
    if (connection->subscriber.counts[family->kind] == 0) {
        tell(connection, family, NULL);
    }
    while (!connection->broken &&
           hf_subscriber_first(&connection->subscriber, family->kind, &name)) {
        unsubscribe(connection, family, name);
    }
}

bool hf_connection_waits_for_others(struct hf_connection *connection,
                                    const struct hf_command *command)
{
    const struct hf_connection_host *host = connection->host;
    return !family_of(command)->ends && host->listen != NULL &&
           !host->listen(host->user);
}

void hf_connection_subscribe(struct hf_connection *connection,
                             const struct hf_command *command)
{
    const struct family *family = family_of(command);
    if (command->argc == 1) {
        unsubscribe_kind(connection, family);
    }
    for (uint32_t i = 1; i < command->argc && !connection->broken; i++) {
        if (family->ends) {
            unsubscribe(connection, family, command->argv[i]);
        } else {
            subscribe(connection, family, command->argv[i]);
        }
    }
}

bool hf_connection_is_subscribed_away(const struct hf_connection *connection,
                                      const struct hf_command *command)
{
    static const char *const allowed[] = {"PING", "QUIT", "RESET"};
    if (connection->subscriber.count == 0 || connection->version != 2 ||
        (command->row->flags & HF_COMMAND_ALONE) != 0) {
        return false;
    }
    for (size_t i = 0; i < HF_ARRAY_COUNT(allowed); i++) {
        if (strcmp(command->row->name, allowed[i]) == 0) {
            return false;
        }
    }
    return true;
}

static void append_lower(struct hf_buffer *out, struct hf_slice text)
{
    for (size_t i = 0; i < text.size && i < NAME_CUT; i++) {
        uint8_t c = text.data[i];
        hf_buffer_put_u8(out, c >= 'A' && c <= 'Z' ? c | 0x20 : c);
    }
}

static struct hf_reply text_error(const struct hf_connection *connection)
{
    return (struct hf_reply){.kind = HF_REPLY_ERROR,
                             .bytes = hf_buffer_slice(&connection->text)};
}

struct hf_reply
hf_connection_refuse_subscribed(struct hf_connection *connection,
                                const struct hf_command *command)
{
    struct hf_buffer *text = &connection->text;
    hf_buffer_append_text(text, "ERR Can't execute '");
    append_lower(text, hf_slice_text(command->row->name));
    hf_buffer_append_text(text, "': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / "
                                "PING / QUIT / RESET are allowed in this "
                                "context");
    return text_error(connection);
}

static struct hf_reply help_reply(struct hf_connection *connection)
{
    static const char *const lines[] = {
        "PUBSUB <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "CHANNELS [<pattern>]",
        "    Channels with subscribers, on any node (default: '*').",
        "NUMPAT",
        "    How many different patterns have subscribers.",
        "NUMSUB [<channel> ...]",
        "    How many subscribed to each channel, without patterns.",
        "SHARDCHANNELS [<pattern>]",
        "    As CHANNELS, of shard channels.",
        "SHARDNUMSUB [<shardchannel> ...]",
        "    As NUMSUB, of shard channels.",
        "HELP",
        "    Prints this help.",
    };
    hf_reply_put_array(&connection->tokens, HF_ARRAY_COUNT(lines));
    for (size_t i = 0; i < HF_ARRAY_COUNT(lines); i++) {
        hf_reply_put_status(&connection->tokens, hf_slice_text(lines[i]));
    }
    return hf_reply_nested(&connection->tokens);
}

/* "ERR @before'word'@after". */
static struct hf_reply error_about(struct hf_connection *connection,
                                   const char *before, struct hf_slice word,
                                   const char *after)
{
    struct hf_buffer *text = &connection->text;
    hf_buffer_append_text(text, before);
    word.size = word.size < NAME_CUT ? word.size : NAME_CUT;
    hf_buffer_append_slice(text, word);
    hf_buffer_append_text(text, after);
    return text_error(connection);
}

bool hf_connection_answers_pubsub(struct hf_connection *connection,
                                  const struct hf_command *command,
                                  struct hf_reply *reply)
{
    enum hf_tally_kind kind;
    struct hf_slice word = command->argv[1];
    if (command->row->arity > 0) {
        return false; /* PUBLISH. */
    }
    if (hf_slice_equal_nocase(word, "HELP")) {
        *reply = help_reply(connection);
        return true;
    }
    if (!hf_tally_kind_of(command, &kind)) {
        *reply = error_about(connection, "ERR unknown subcommand '", word,
                             "'. Try PUBSUB HELP.");
        return true;
    }
    if (kind == HF_TALLY_DIFFERENT && command->argc != 2) {
        *reply = hf_reply_error(
            "ERR wrong number of arguments for 'pubsub|numpat' command");
        return true;
    }
    if (kind == HF_TALLY_NAMES && command->argc > 3) {
        *reply = error_about(
            connection,
            "ERR unknown subcommand or wrong number of arguments for '", word,
            "'. Try PUBSUB HELP.");
        return true;
    }
    return false;
}

void hf_connection_unsubscribe_all(struct hf_connection *connection)
{
    if (connection->subscriber.count > 0) {
        hf_subscriptions_remove_all(connection->host->subscriptions,
                                    &connection->subscriber);
    }
}
