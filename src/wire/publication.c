#include "wire/publication.h"

#include "core/reply.h"

struct hf_publication hf_publication_of(const struct hf_command *command)
{
    bool shard = command->row->name[0] == 'S';
    return (struct hf_publication){
        .kind = shard ? HF_SUBSCRIPTION_SHARD : HF_SUBSCRIPTION_CHANNEL,
        .channel = command->argv[1],
        .message = command->argv[2],
    };
}

void hf_publication_put(const struct hf_publication *publication,
                        struct hf_slice pattern, struct hf_buffer *tokens)
{
    bool by_pattern = pattern.data != NULL;
    hf_reply_put_push(tokens, by_pattern ? 4 : 3);
    if (by_pattern) {
        hf_reply_put_bulk(tokens, HF_SLICE_LITERAL("pmessage"));
        hf_reply_put_bulk(tokens, pattern);
    } else {
        hf_reply_put_bulk(tokens, publication->kind == HF_SUBSCRIPTION_SHARD
                                      ? HF_SLICE_LITERAL("smessage")
                                      : HF_SLICE_LITERAL("message"));
    }
    hf_reply_put_bulk(tokens, publication->channel);
    hf_reply_put_bulk(tokens, publication->message);
}

static void put_name(void *user, struct hf_slice name)
{
    hf_reply_put_bulk(user, name);
}

static void count_name(void *user, struct hf_slice name)
{
    uint32_t *count = user;
    (void)name;
    (*count)++;
}

static void put_names(const struct hf_subscriptions *subscriptions,
                      enum hf_subscription_kind kind, struct hf_slice pattern,
                      struct hf_buffer *tokens)
{
    uint32_t count = 0;
    hf_subscriptions_list(subscriptions, kind, pattern, count_name, &count);
    hf_reply_put_array(tokens, count);
    hf_subscriptions_list(subscriptions, kind, pattern, put_name, tokens);
}

void hf_subscriptions_answer(const struct hf_subscriptions *subscriptions,
                             const struct hf_command *command,
                             enum hf_tally_kind tally, struct hf_buffer *tokens)
{
    const bool shard =
        command->argv[1].size > 5 && (command->argv[1].data[0] | 0x20) == 's';
    const enum hf_subscription_kind kind =
        shard ? HF_SUBSCRIPTION_SHARD : HF_SUBSCRIPTION_CHANNEL;
    const struct hf_slice every = {NULL, 0};
    if (tally == HF_TALLY_COUNTS) {
        hf_reply_put_array(tokens, 2 * (command->argc - 2));
        for (uint32_t i = 2; i < command->argc; i++) {
            hf_reply_put_bulk(tokens, command->argv[i]);
            hf_reply_put_integer(
                tokens,
                hf_subscriptions_count(subscriptions, kind, command->argv[i]));
        }
    } else if (tally == HF_TALLY_DIFFERENT) {
        put_names(subscriptions, HF_SUBSCRIPTION_PATTERN, every, tokens);
    } else {
        put_names(subscriptions, kind,
                  command->argc > 2 ? command->argv[2] : every, tokens);
    }
    if (tokens->size > HF_REPLY_BYTES_MAX) {
        hf_buffer_clear(tokens);
        hf_reply_put_error(tokens, HF_SLICE_LITERAL(HF_REPLY_TOO_LARGE));
    }
}
