/* subscriptions.h - Which connections of this node subscribed to what.
 *
 *   channel --> its subscribers       looked up by hash
 *   pattern --> its subscribers       each is tried with each message
 *   shard channel --> subscribers     names of their own
 *
 * Pure. Memory is bounded for each subscriber, by the sum of its names. */
#ifndef HF_WIRE_SUBSCRIPTIONS_H
#define HF_WIRE_SUBSCRIPTIONS_H

#include "base/bytes.h"
#include "base/list.h"

/* Names of one subscriber, with what is around them. */
#define HF_SUBSCRIBER_BYTES_MAX ((size_t)32 << 20)

enum hf_subscription_kind {
    HF_SUBSCRIPTION_CHANNEL,
    HF_SUBSCRIPTION_PATTERN,
    HF_SUBSCRIPTION_SHARD,
};
#define HF_SUBSCRIPTION_KINDS 3

/* Of a connection; inside of it. */
struct hf_subscriber {
    struct hf_list all[HF_SUBSCRIPTION_KINDS]; /* In the order they came. */
    uint32_t counts[HF_SUBSCRIPTION_KINDS];
    uint32_t count; /* Of all kinds. */
    size_t bytes;
};

/* What one or more have subscribed to. */
struct hf_topic;

struct hf_subscription_table {
    struct hf_list *buckets;
    uint32_t capacity; /* 0 or a power of two. */
    uint32_t count;
};

struct hf_subscriptions {
    struct hf_mem *mem;
    struct hf_subscription_table topics;         /* By kind and name. */
    struct hf_subscription_table subscriptions;  /* By topic and subscriber. */
    struct hf_list kinds[HF_SUBSCRIPTION_KINDS]; /* Topics, oldest first. */
    uint32_t counts[HF_SUBSCRIPTION_KINDS];      /* Of topics. */
};

void hf_subscriptions_init(struct hf_subscriptions *subscriptions,
                           struct hf_mem *mem);
/* All subscribers are gone. */
void hf_subscriptions_close(struct hf_subscriptions *subscriptions);

void hf_subscriber_init(struct hf_subscriber *subscriber);

enum hf_subscribed {
    HF_SUBSCRIBED,
    HF_SUBSCRIBED_BEFORE,
    HF_SUBSCRIBED_NOT, /* No memory, or too much of it. */
};

enum hf_subscribed hf_subscriptions_add(struct hf_subscriptions *subscriptions,
                                        struct hf_subscriber *subscriber,
                                        enum hf_subscription_kind kind,
                                        struct hf_slice name);
/* Ends a subscription, if there is one. */
void hf_subscriptions_remove(struct hf_subscriptions *subscriptions,
                             struct hf_subscriber *subscriber,
                             enum hf_subscription_kind kind,
                             struct hf_slice name);
void hf_subscriptions_remove_all(struct hf_subscriptions *subscriptions,
                                 struct hf_subscriber *subscriber);
/* The name of the oldest subscription; false when there is none. Valid until
 * it is removed. */
HF_NODISCARD bool hf_subscriber_first(const struct hf_subscriber *subscriber,
                                      enum hf_subscription_kind kind,
                                      struct hf_slice *name);

/* Calls @deliver for each subscriber of @channel, then, for a channel of kind
 * CHANNEL, for each of a pattern that matches. It may not change any
 * subscription. @pattern: data NULL for those of the channel itself. Returns
 * how many calls said true. */
int64_t hf_subscriptions_publish(
    const struct hf_subscriptions *subscriptions,
    enum hf_subscription_kind kind, struct hf_slice channel,
    bool (*deliver)(void *user, struct hf_subscriber *subscriber,
                    struct hf_slice pattern),
    void *user);

/* How many subscribed to this very name. */
uint32_t hf_subscriptions_count(const struct hf_subscriptions *subscriptions,
                                enum hf_subscription_kind kind,
                                struct hf_slice name);

/* Calls @tell with each name, oldest first, that matches @pattern; data NULL:
 * all. */
void hf_subscriptions_list(const struct hf_subscriptions *subscriptions,
                           enum hf_subscription_kind kind,
                           struct hf_slice pattern,
                           void (*tell)(void *user, struct hf_slice name),
                           void *user);

#endif
