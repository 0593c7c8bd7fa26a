/* publication.h - What is published, and questions about who would get it. */
#ifndef HF_WIRE_PUBLICATION_H
#define HF_WIRE_PUBLICATION_H

#include "core/command.h"
#include "core/tally.h"
#include "wire/subscriptions.h"

struct hf_publication {
    enum hf_subscription_kind kind; /* CHANNEL or SHARD. */
    struct hf_slice channel;
    struct hf_slice message;
};

/* Of @command, PUBLISH or SPUBLISH, whose words it borrows. */
struct hf_publication hf_publication_of(const struct hf_command *command);

/* Appends it as a push, of tokens, to a subscriber of @pattern; data NULL: to
 * one of the channel itself. */
void hf_publication_put(const struct hf_publication *publication,
                        struct hf_slice pattern, struct hf_buffer *tokens);

/* Appends what @subscriptions answer to @command, PUBSUB, of kind @tally; to
 * @tokens that are empty. */
void hf_subscriptions_answer(const struct hf_subscriptions *subscriptions,
                             const struct hf_command *command,
                             enum hf_tally_kind tally,
                             struct hf_buffer *tokens);

#endif
