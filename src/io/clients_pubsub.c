/* clients_pubsub.c - Messages to the clients that subscribed. */
#include <string.h>

#include "io/clients_private.h"
#include "io/clock.h"
#include "wire/publication.h"

/* What a message keeps of its memory for the next one. */
#define MESSAGE_KEEP_BYTES ((size_t)64 << 10)

void hf_clients_pubsub_init(struct hf_clients *clients)
{
    hf_subscriptions_init(&clients->subscriptions, clients->mem);
    hf_list_init(&clients->heavy);
    hf_buffer_init(&clients->messages[0], clients->mem);
    hf_buffer_init(&clients->messages[1], clients->mem);
    clients->heavy_logged_at = hf_clock_now() - LOG_EVERY_MS;
}

void hf_clients_pubsub_close(struct hf_clients *clients)
{
    hf_subscriptions_close(&clients->subscriptions);
    hf_buffer_close(&clients->messages[0]);
    hf_buffer_close(&clients->messages[1]);
}

/* What other nodes know. */

bool hf_clients_listen(void *user)
{
    struct hf_clients *clients = user;
    clients->unused_since = 0;
    if (clients->heard == HF_CLIENTS_HEARD || clients->handler.listen == NULL) {
        return true;
    }
    if (clients->heard == HF_CLIENTS_UNHEARD) {
        clients->heard = HF_CLIENTS_HEARING;
        clients->handler.listen(clients->handler.user, true);
    }
    return clients->heard == HF_CLIENTS_HEARD; /* It may be alone. */
}

void hf_clients_listened(struct hf_clients *clients)
{
    if (clients->heard != HF_CLIENTS_HEARING) {
        return;
    }
    clients->heard = HF_CLIENTS_HEARD;
    for (struct hf_list *at = clients->all.next; at != &clients->all;
         at = at->next) {
        struct client *client = HF_CONTAINER_OF(at, struct client, link);
        if (client->number != 0 && !client->closing) {
            hf_connection_listened(&client->connection);
            hf_client_dirty(client);
        }
    }
}

/* Messages. */

/* A client that does not take what it is sent. */
static void client_drop(struct client *client)
{
    struct hf_clients *clients = client->clients;
    hf_time now = hf_clock_now();
    client->connection.broken = true;
    hf_list_remove(&client->heavy);
    hf_client_dirty(client);
    clients->stats.slow_dropped++;
    if (now - clients->heavy_logged_at >= LOG_EVERY_MS) {
        clients->heavy_logged_at = now;
        hf_log(&clients->log, HF_LOG_WARNING,
               "closed a subscriber, %s, that is too far behind: %llu so far",
               client->connection.address,
               (unsigned long long)clients->stats.slow_dropped);
    }
}

/* How much of what it was sent it did not take. */
static size_t client_behind(const struct client *client)
{
    return client->connection.output.size +
           (client->write_busy ? client->writing.size : 0);
}

static void client_weigh(struct client *client)
{
    size_t behind = client_behind(client);
    if (behind > HF_CLIENTS_HEAVY_BYTES_MAX) {
        client_drop(client);
    } else if (behind > HF_CLIENTS_HEAVY_BYTES &&
               hf_list_is_empty(&client->heavy)) {
        client->heavy_since = hf_clock_now();
        hf_list_push_back(&client->clients->heavy, &client->heavy);
    }
}

static void drop_heavy(struct hf_clients *clients, hf_time now)
{
    struct hf_list *at = clients->heavy.next;
    while (at != &clients->heavy) {
        struct client *client = HF_CONTAINER_OF(at, struct client, heavy);
        at = at->next;
        if (client_behind(client) <= HF_CLIENTS_HEAVY_BYTES) {
            hf_list_remove(&client->heavy);
        } else if (now - client->heavy_since >= HF_CLIENTS_HEAVY_MS) {
            client_drop(client);
        }
    }
}

void hf_clients_pubsub_tick(struct hf_clients *clients, hf_time now)
{
    if (clients->heard != HF_CLIENTS_HEARD) {
        return;
    }
    drop_heavy(clients, now);
    if (clients->subscriptions.topics.count > 0) {
        clients->unused_since = 0;
    } else if (clients->unused_since == 0) {
        clients->unused_since = now;
    } else if (now - clients->unused_since >= HF_CLIENTS_UNUSED_MS &&
               clients->handler.listen != NULL) {
        clients->heard = HF_CLIENTS_UNHEARD;
        clients->handler.listen(clients->handler.user, false);
    }
}

/* Something that is being published. */
struct delivery {
    struct hf_clients *clients;
    struct hf_publication publication;
    struct hf_slice pattern; /* Of what `messages` hold. */
};

/* As RESP of @version. */
static void message_write(const struct delivery *delivery,
                          struct hf_buffer *out, int version)
{
    struct hf_buffer tokens;
    hf_buffer_init(&tokens, delivery->clients->mem);
    hf_publication_put(&delivery->publication, delivery->pattern, &tokens);
    if (tokens.failed) {
        out->failed = true;
    } else {
        struct hf_reply reply = hf_reply_nested(&tokens);
        hf_resp_write(out, &reply, version);
    }
    hf_buffer_close(&tokens);
}

static void messages_clear(struct hf_clients *clients)
{
    for (size_t i = 0; i < HF_ARRAY_COUNT(clients->messages); i++) {
        hf_buffer_clear(&clients->messages[i]);
        hf_buffer_trim(&clients->messages[i], MESSAGE_KEEP_BYTES);
    }
}

static bool deliver(void *user, struct hf_subscriber *subscriber,
                    struct hf_slice pattern)
{
    struct delivery *delivery = user;
    struct hf_connection *connection =
        HF_CONTAINER_OF(subscriber, struct hf_connection, subscriber);
    struct client *client = connection->user;
    if (client->closing || client->lingers || connection->closing ||
        connection->broken) {
        return false;
    }
    if (pattern.data != delivery->pattern.data) {
        messages_clear(delivery->clients);
        delivery->pattern = pattern;
    }
    int version = hf_connection_push_version(connection);
    struct hf_buffer *message =
        &delivery->clients->messages[version == 3 ? 1 : 0];
    if (message->size == 0 && !message->failed) {
        message_write(delivery, message, version);
    }
    if (message->failed) {
        connection->broken = true; /* A gap would not be seen. */
        hf_client_dirty(client);
        return false;
    }
    hf_client_lend(client);
    hf_connection_push_bytes(connection, hf_buffer_slice(message));
    hf_client_dirty(client);
    client_weigh(client);
    return true;
}

void hf_clients_ask_subscribers(struct hf_clients *clients,
                                const struct hf_command *command,
                                struct hf_buffer *tokens)
{
    enum hf_tally_kind tally;
    if (!hf_tally_kind_of(command, &tally)) {
        return;
    }
    if (tally != HF_TALLY_SUM) {
        hf_subscriptions_answer(&clients->subscriptions, command, tally,
                                tokens);
        return;
    }
    struct delivery delivery = {.clients = clients,
                                .publication = hf_publication_of(command)};
    messages_clear(clients);
    int64_t count = hf_subscriptions_publish(
        &clients->subscriptions, delivery.publication.kind,
        delivery.publication.channel, deliver, &delivery);
    hf_reply_put_integer(tokens, count);
}

uint32_t hf_clients_topics(const struct hf_clients *clients,
                           enum hf_subscription_kind kind)
{
    return clients->subscriptions.counts[kind];
}
