#include "wire/subscriptions.h"

#include <string.h>

#include "base/assert.h"
#include "base/hash.h"
#include "core/glob.h"

#define CAPACITY_MIN 16

/* What both tables hold comes first in each item. */
struct item {
    struct hf_list link; /* In its bucket. */
    uint64_t hash;
};

struct hf_topic {
    struct item item;
    struct hf_list of_kind;
    struct hf_list subscriptions;
    uint32_t count; /* Of those. */
    enum hf_subscription_kind kind;
    size_t size; /* Of the name, which follows. */
};

struct subscription {
    struct item item;
    struct hf_list of_topic;
    struct hf_list of_subscriber;
    struct hf_topic *topic;
    struct hf_subscriber *subscriber;
};

/* Tables. */

static struct item *item_of(struct hf_list *link)
{
    return HF_CONTAINER_OF(link, struct item, link);
}

static struct hf_list *bucket_of(const struct hf_subscription_table *table,
                                 uint64_t hash)
{
    return &table->buckets[hash & (table->capacity - 1)];
}

static bool table_resize(struct hf_subscription_table *table,
                         struct hf_mem *mem, uint32_t capacity)
{
    struct hf_subscription_table larger = {
        .buckets = hf_mem_alloc(mem, capacity * sizeof(struct hf_list)),
        .capacity = capacity,
        .count = table->count,
    };
    if (larger.buckets == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < capacity; i++) {
        hf_list_init(&larger.buckets[i]);
    }
    for (uint32_t i = 0; i < table->capacity; i++) {
        while (!hf_list_is_empty(&table->buckets[i])) {
            struct item *item = item_of(table->buckets[i].next);
            hf_list_remove(&item->link);
            hf_list_push_back(bucket_of(&larger, item->hash), &item->link);
        }
    }
    hf_mem_free(mem, table->buckets, table->capacity * sizeof(struct hf_list));
    *table = larger;
    return true;
}

/* Room for one more. */
static bool table_reserve(struct hf_subscription_table *table,
                          struct hf_mem *mem)
{
    if (table->count < table->capacity) {
        return true;
    }
    uint32_t capacity =
        table->capacity == 0 ? CAPACITY_MIN : 2 * table->capacity;
    return table_resize(table, mem, capacity) || table->capacity > 0;
}

static void table_add(struct hf_subscription_table *table, struct item *item)
{
    hf_list_init(&item->link);
    hf_list_push_back(bucket_of(table, item->hash), &item->link);
    table->count++;
}

static void table_remove(struct hf_subscription_table *table,
                         struct hf_mem *mem, struct item *item)
{
    hf_list_remove(&item->link);
    table->count--;
    if (table->capacity > CAPACITY_MIN && table->count < table->capacity / 8) {
        (void)table_resize(table, mem, table->capacity / 2);
    }
}

/* Topics. */

static size_t topic_size(size_t name_size)
{
    return sizeof(struct hf_topic) + name_size;
}

static struct hf_slice topic_name(const struct hf_topic *topic)
{
    return (struct hf_slice){(const uint8_t *)(topic + 1), topic->size};
}

static struct hf_topic *topic_find(const struct hf_subscriptions *subscriptions,
                                   enum hf_subscription_kind kind,
                                   struct hf_slice name, uint64_t hash)
{
    if (subscriptions->topics.capacity == 0) {
        return NULL;
    }
    struct hf_list *bucket = bucket_of(&subscriptions->topics, hash);
    for (struct hf_list *at = bucket->next; at != bucket; at = at->next) {
        struct hf_topic *topic =
            HF_CONTAINER_OF(item_of(at), struct hf_topic, item);
        if (topic->item.hash == hash && topic->kind == kind &&
            hf_slice_equal(topic_name(topic), name)) {
            return topic;
        }
    }
    return NULL;
}

static struct hf_topic *topic_add(struct hf_subscriptions *subscriptions,
                                  enum hf_subscription_kind kind,
                                  struct hf_slice name, uint64_t hash)
{
    if (!table_reserve(&subscriptions->topics, subscriptions->mem)) {
        return NULL;
    }
    struct hf_topic *topic =
        hf_mem_alloc(subscriptions->mem, topic_size(name.size));
    if (topic == NULL) {
        return NULL;
    }
    *topic = (struct hf_topic){
        .item = {.hash = hash}, .kind = kind, .size = name.size};
    if (name.size > 0) {
        memcpy(topic + 1, name.data, name.size);
    }
    hf_list_init(&topic->subscriptions);
    hf_list_init(&topic->of_kind);
    hf_list_push_back(&subscriptions->kinds[kind], &topic->of_kind);
    subscriptions->counts[kind]++;
    table_add(&subscriptions->topics, &topic->item);
    return topic;
}

static void topic_drop_unused(struct hf_subscriptions *subscriptions,
                              struct hf_topic *topic)
{
    if (topic->count > 0) {
        return;
    }
    hf_list_remove(&topic->of_kind);
    subscriptions->counts[topic->kind]--;
    table_remove(&subscriptions->topics, subscriptions->mem, &topic->item);
    hf_mem_free(subscriptions->mem, topic, topic_size(topic->size));
}

static uint64_t topic_hash(enum hf_subscription_kind kind, struct hf_slice name)
{
    return hf_hash_seeded(name, (uint64_t)kind);
}

/* Subscriptions. */

static uint64_t subscription_hash(const struct hf_topic *topic,
                                  const struct hf_subscriber *subscriber)
{
    const uintptr_t pair[] = {(uintptr_t)topic, (uintptr_t)subscriber};
    return hf_hash((struct hf_slice){(const uint8_t *)pair, sizeof(pair)});
}

static struct subscription *
subscription_find(const struct hf_subscriptions *subscriptions,
                  const struct hf_topic *topic,
                  const struct hf_subscriber *subscriber)
{
    if (topic == NULL || subscriptions->subscriptions.capacity == 0) {
        return NULL;
    }
    struct hf_list *bucket = bucket_of(&subscriptions->subscriptions,
                                       subscription_hash(topic, subscriber));
    for (struct hf_list *at = bucket->next; at != bucket; at = at->next) {
        struct subscription *subscription =
            HF_CONTAINER_OF(item_of(at), struct subscription, item);
        if (subscription->topic == topic &&
            subscription->subscriber == subscriber) {
            return subscription;
        }
    }
    return NULL;
}

static bool subscription_add(struct hf_subscriptions *subscriptions,
                             struct hf_topic *topic,
                             struct hf_subscriber *subscriber)
{
    size_t bytes = sizeof(struct subscription) + topic_size(topic->size);
    if (subscriber->bytes + bytes > HF_SUBSCRIBER_BYTES_MAX ||
        !table_reserve(&subscriptions->subscriptions, subscriptions->mem)) {
        return false;
    }
    struct subscription *subscription =
        hf_mem_alloc(subscriptions->mem, sizeof(*subscription));
    if (subscription == NULL) {
        return false;
    }
    *subscription = (struct subscription){
        .item = {.hash = subscription_hash(topic, subscriber)},
        .topic = topic,
        .subscriber = subscriber};
    table_add(&subscriptions->subscriptions, &subscription->item);
    hf_list_init(&subscription->of_topic);
    hf_list_init(&subscription->of_subscriber);
    hf_list_push_back(&topic->subscriptions, &subscription->of_topic);
    hf_list_push_back(&subscriber->all[topic->kind],
                      &subscription->of_subscriber);
    topic->count++;
    subscriber->counts[topic->kind]++;
    subscriber->count++;
    subscriber->bytes += bytes;
    return true;
}

static void subscription_remove(struct hf_subscriptions *subscriptions,
                                struct subscription *subscription)
{
    struct hf_topic *topic = subscription->topic;
    struct hf_subscriber *subscriber = subscription->subscriber;
    hf_list_remove(&subscription->of_topic);
    hf_list_remove(&subscription->of_subscriber);
    topic->count--;
    subscriber->counts[topic->kind]--;
    subscriber->count--;
    subscriber->bytes -= sizeof(*subscription) + topic_size(topic->size);
    table_remove(&subscriptions->subscriptions, subscriptions->mem,
                 &subscription->item);
    hf_mem_free(subscriptions->mem, subscription, sizeof(*subscription));
    topic_drop_unused(subscriptions, topic);
}

void hf_subscriptions_init(struct hf_subscriptions *subscriptions,
                           struct hf_mem *mem)
{
    *subscriptions = (struct hf_subscriptions){.mem = mem};
    for (size_t i = 0; i < HF_SUBSCRIPTION_KINDS; i++) {
        hf_list_init(&subscriptions->kinds[i]);
    }
}

void hf_subscriptions_close(struct hf_subscriptions *subscriptions)
{
    HF_ASSERT(subscriptions->topics.count == 0);
    hf_mem_free(subscriptions->mem, subscriptions->topics.buckets,
                subscriptions->topics.capacity * sizeof(struct hf_list));
    hf_mem_free(subscriptions->mem, subscriptions->subscriptions.buckets,
                subscriptions->subscriptions.capacity * sizeof(struct hf_list));
    hf_subscriptions_init(subscriptions, subscriptions->mem);
}

void hf_subscriber_init(struct hf_subscriber *subscriber)
{
    *subscriber = (struct hf_subscriber){.count = 0};
    for (size_t i = 0; i < HF_SUBSCRIPTION_KINDS; i++) {
        hf_list_init(&subscriber->all[i]);
    }
}

enum hf_subscribed hf_subscriptions_add(struct hf_subscriptions *subscriptions,
                                        struct hf_subscriber *subscriber,
                                        enum hf_subscription_kind kind,
                                        struct hf_slice name)
{
    uint64_t hash = topic_hash(kind, name);
    struct hf_topic *topic = topic_find(subscriptions, kind, name, hash);
    if (subscription_find(subscriptions, topic, subscriber) != NULL) {
        return HF_SUBSCRIBED_BEFORE;
    }
    if (topic == NULL) {
        topic = topic_add(subscriptions, kind, name, hash);
    }
    if (topic == NULL) {
        return HF_SUBSCRIBED_NOT;
    }
    if (!subscription_add(subscriptions, topic, subscriber)) {
        topic_drop_unused(subscriptions, topic);
        return HF_SUBSCRIBED_NOT;
    }
    return HF_SUBSCRIBED;
}

void hf_subscriptions_remove(struct hf_subscriptions *subscriptions,
                             struct hf_subscriber *subscriber,
                             enum hf_subscription_kind kind,
                             struct hf_slice name)
{
    struct subscription *subscription = subscription_find(
        subscriptions,
        topic_find(subscriptions, kind, name, topic_hash(kind, name)),
        subscriber);
    if (subscription != NULL) {
        subscription_remove(subscriptions, subscription);
    }
}

void hf_subscriptions_remove_all(struct hf_subscriptions *subscriptions,
                                 struct hf_subscriber *subscriber)
{
    for (size_t i = 0; i < HF_SUBSCRIPTION_KINDS; i++) {
        while (!hf_list_is_empty(&subscriber->all[i])) {
            subscription_remove(subscriptions,
                                HF_CONTAINER_OF(subscriber->all[i].next,
                                                struct subscription,
                                                of_subscriber));
        }
    }
}

bool hf_subscriber_first(const struct hf_subscriber *subscriber,
                         enum hf_subscription_kind kind, struct hf_slice *name)
{
    if (hf_list_is_empty(&subscriber->all[kind])) {
        return false;
    }
    const struct subscription *first = HF_CONTAINER_OF(
        subscriber->all[kind].next, struct subscription, of_subscriber);
    *name = topic_name(first->topic);
    return true;
}

static int64_t topic_deliver(struct hf_topic *topic, struct hf_slice pattern,
                             bool (*deliver)(void *user,
                                             struct hf_subscriber *subscriber,
                                             struct hf_slice pattern),
                             void *user)
{
    int64_t count = 0;
    struct hf_list *all = &topic->subscriptions;
    for (struct hf_list *at = all->next; at != all; at = at->next) {
        const struct subscription *subscription =
            HF_CONTAINER_OF(at, struct subscription, of_topic);
        count += deliver(user, subscription->subscriber, pattern) ? 1 : 0;
    }
    return count;
}

int64_t hf_subscriptions_publish(
    const struct hf_subscriptions *subscriptions,
    enum hf_subscription_kind kind, struct hf_slice channel,
    bool (*deliver)(void *user, struct hf_subscriber *subscriber,
                    struct hf_slice pattern),
    void *user)
{
    int64_t count = 0;
    struct hf_topic *topic =
        topic_find(subscriptions, kind, channel, topic_hash(kind, channel));
    if (topic != NULL) {
        count +=
            topic_deliver(topic, (struct hf_slice){NULL, 0}, deliver, user);
    }
    const struct hf_list *patterns =
        &subscriptions->kinds[HF_SUBSCRIPTION_PATTERN];
    if (kind != HF_SUBSCRIPTION_CHANNEL) {
        return count;
    }
    for (struct hf_list *at = patterns->next; at != patterns; at = at->next) {
        struct hf_topic *pattern =
            HF_CONTAINER_OF(at, struct hf_topic, of_kind);
        if (hf_glob_matches(topic_name(pattern), channel)) {
            count += topic_deliver(pattern, topic_name(pattern), deliver, user);
        }
    }
    return count;
}

uint32_t hf_subscriptions_count(const struct hf_subscriptions *subscriptions,
                                enum hf_subscription_kind kind,
                                struct hf_slice name)
{
    const struct hf_topic *topic =
        topic_find(subscriptions, kind, name, topic_hash(kind, name));
    return topic == NULL ? 0 : topic->count;
}

void hf_subscriptions_list(const struct hf_subscriptions *subscriptions,
                           enum hf_subscription_kind kind,
                           struct hf_slice pattern,
                           void (*tell)(void *user, struct hf_slice name),
                           void *user)
{
    const struct hf_list *all = &subscriptions->kinds[kind];
    for (struct hf_list *at = all->next; at != all; at = at->next) {
        struct hf_slice name =
            topic_name(HF_CONTAINER_OF(at, struct hf_topic, of_kind));
        if (pattern.data == NULL || hf_glob_matches(pattern, name)) {
            tell(user, name);
        }
    }
}
