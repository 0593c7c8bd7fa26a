#include "io/clients.h"

#include <string.h>

#include "base/assert.h"
#include "holdfast/error.h"
#include "io/clients_private.h"
#include "io/clock.h"

/* So long, and so much of it, output waits for the answers behind it. */
#define LATE_MS 2
#define LATE_BYTES ((size_t)32 << 10)

static struct client *client_of(struct hf_list *link)
{
    return HF_CONTAINER_OF(link, struct client, link);
}

void hf_client_dirty(struct client *client)
{
    if (!client->closing && hf_list_is_empty(&client->work)) {
        hf_list_push_back(&client->clients->dirty, &client->work);
    }
}

/* Whether there is something to run, and nothing holds it back. */
static bool client_can_run(const struct client *client)
{
    return !client->closing && !client->write_busy &&
           hf_connection_can_resume(&client->connection);
}

static bool on_may_go_on(void *user)
{
    struct hf_clients *clients = user;
    return hf_time_slice_may_go_on(&clients->slice);
}

hf_time hf_clients_now(const struct hf_clients *clients)
{
    return (hf_time)(clients->slice.looked_ns / 1000000);
}

/* Room for answers, from those who have none to give. */
void hf_client_lend(struct client *client)
{
    hf_spares_lend(&client->clients->spares, &client->connection.output);
    hf_spares_lend(&client->clients->spares, &client->connection.held);
}

static void on_request(void *user, struct hf_connection *connection,
                       uint64_t tag, const struct hf_command *command)
{
    struct hf_clients *clients = user;
    struct client *client = connection->user;
    clients->handler.request(clients->handler.user, client->number, tag,
                             command);
}

static void on_expect(void *user, struct hf_command *commands, size_t count)
{
    struct hf_clients *clients = user;
    if (clients->handler.expect != NULL) {
        clients->handler.expect(clients->handler.user, commands, count);
    }
}

static void on_info(void *user, struct hf_slice section, bool cluster,
                    struct hf_buffer *out)
{
    struct hf_clients *clients = user;
    clients->handler.info(clients->handler.user, section, cluster, out);
}

static void on_topology(void *user, struct hf_topology *topology)
{
    struct hf_clients *clients = user;
    clients->handler.topology(clients->handler.user, topology);
}

static uint32_t on_keys_in_slot(void *user, uint16_t slot, uint32_t limit,
                                struct hf_buffer *tokens)
{
    struct hf_clients *clients = user;
    return clients->handler.keys_in_slot(clients->handler.user, slot, limit,
                                         tokens);
}

static void on_status(void *user, struct hf_buffer *out)
{
    struct hf_clients *clients = user;
    clients->handler.status(clients->handler.user, out);
}

static uint32_t on_events(void *user)
{
    struct hf_clients *clients = user;
    return clients->handler.events(clients->handler.user);
}

static void on_manage(void *user, struct hf_connection *connection,
                      uint64_t tag, const struct hf_command *command)
{
    struct hf_clients *clients = user;
    struct client *client = connection->user;
    clients->handler.manage(clients->handler.user, client->number, tag,
                            command);
}

static bool client_fits(const struct client *client,
                        const struct hf_client_filter *filter)
{
    return client->number != 0 &&
           hf_connection_fits(&client->connection, filter);
}

static uint32_t on_client_kill(void *user,
                               const struct hf_client_filter *filter)
{
    struct hf_clients *clients = user;
    uint32_t count = 0;
    for (struct hf_list *at = clients->all.next; at != &clients->all;
         at = at->next) {
        if (client_fits(client_of(at), filter)) {
            client_of(at)->connection.broken = true;
            hf_client_dirty(client_of(at));
            count++;
        }
    }
    return count;
}

static void on_client_list(void *user, const struct hf_client_filter *filter,
                           struct hf_buffer *out)
{
    struct hf_clients *clients = user;
    for (struct hf_list *at = clients->all.next; at != &clients->all;
         at = at->next) {
        if (client_fits(client_of(at), filter)) {
            hf_connection_describe(&client_of(at)->connection, out);
            hf_buffer_append_text(out, "\n");
        }
    }
}

static void batch_run(struct hf_clients *clients);
void hf_clients_handle_closed(struct hf_clients *clients)
{
    clients->open_handles--;
    if (clients->stopping && clients->open_handles == 0) {
        clients->stopped(clients->stopped_user);
    }
}

static void on_client_closed(uv_handle_t *handle)
{
    struct client *client = handle->data;
    struct hf_clients *clients = client->clients;
    batch_run(clients); /* Before it goes: the batch may point to it. */
    if (client->number != 0) {
        hf_connection_close(&client->connection);
        hf_buffer_close(&client->writing);
    }
    hf_list_remove(&client->link);
    if (clients->spare == NULL) {
        clients->spare = client;
    } else {
        hf_mem_free(clients->mem, client, sizeof(*client));
    }
    hf_clients_accept_left(clients);
    hf_clients_handle_closed(clients);
}

/* From here on it gets no answers and is not counted. */
static void client_leave_place(struct client *client)
{
    struct hf_clients *clients = client->clients;
    if (client->number == 0 || client->lingers) {
        return;
    }
    uint32_t place = (uint32_t)(client->number & (HF_CLIENTS_MAX - 1));
    clients->places[place] = NULL;
    clients->free_places[clients->free_count++] = place;
    clients->stats.connected--;
}

void hf_client_close(struct client *client)
{
    if (client->closing) {
        return;
    }
    client->closing = true;
    hf_list_remove(&client->work);
    hf_list_remove(&client->wait);
    hf_list_remove(&client->late);
    hf_list_remove(&client->heavy);
    client_leave_place(client);
    uv_close(&client->socket.handle, on_client_closed);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    const struct client *client = handle->data;
    struct hf_clients *clients = client->clients;
    (void)suggested;
    *buf =
        uv_buf_init((char *)clients->bytes + clients->kept_bytes, READ_BYTES);
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf);

void hf_client_update_reading(struct client *client)
{
    bool wanted =
        client->lingers || (!client->write_busy &&
                            hf_connection_wants_input(&client->connection) &&
                            !hf_connection_can_resume(&client->connection));
    wanted = wanted && !client->closing;
    if (wanted == client->reading) {
        return;
    }
    client->reading = wanted;
    if (!wanted) {
        uv_read_stop(&client->socket.stream);
    } else if (uv_read_start(&client->socket.stream, on_alloc, on_read) != 0) {
        hf_client_close(client);
    }
}

static void client_begin(struct client *client)
{
    struct hf_clients *clients = client->clients;
    uint64_t now_ns = hf_clock_now_ns();
    if (clients->turn_end_ns == 0) {
        clients->turn_end_ns = now_ns + (uint64_t)HF_CLIENTS_TURN_US * 1000;
    }
    bool wait = !hf_list_is_empty(&clients->waiting);
    hf_time_slice_begin(&clients->slice, now_ns,
                        wait ? now_ns : clients->turn_end_ns);
    hf_client_lend(client);
}

static void client_end(struct client *client)
{
    hf_client_dirty(client);
    hf_client_update_reading(client);
}

static void batch_run(struct hf_clients *clients)
{
    struct hf_connection_batch *batch = &clients->batch;
    if (clients->batch_runs || batch->count == 0) {
        return;
    }
    clients->batch_runs = true;
    hf_connection_batch_look(batch);
    for (size_t i = 0; i < batch->count; i++) {
        struct client *client = batch->connections[i]->user;
        if (!client->closing && !client->lingers) {
            client_begin(client);
            hf_connection_batch_receive(batch, i);
            client_end(client);
        }
    }
    clients->batch_runs = false;
    batch->count = 0;
    clients->kept_bytes = 0;
}

/* What can be run now is, what cannot the connection keeps. Small pieces run
 * together: when there are many, or in hf_clients_run. */
static void client_take(struct client *client, struct hf_slice bytes)
{
    struct hf_clients *clients = client->clients;
    struct hf_connection_batch *batch = &clients->batch;
    if (bytes.size <= SMALL_READ_BYTES) {
        batch->connections[batch->count] = &client->connection;
        batch->bytes[batch->count++] = bytes;
        clients->kept_bytes += bytes.size;
        if (batch->count == HF_CONNECTION_BATCH_MAX) {
            batch_run(clients);
        }
        return;
    }
    batch_run(clients);
    if (!client->closing) {
        client_begin(client);
        hf_connection_receive(&client->connection, bytes);
        client_end(client);
    }
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf)
{
    struct client *client = stream->data;
    if (size == 0) {
        return;
    }
    if (size < 0) { /* It may have commands in the batch. */
        batch_run(client->clients);
        if (client->closing) {
            return;
        }
    }
    if (size == UV_EOF && client_can_run(client)) {
        hf_client_update_reading(client); /* What came before it runs first. */
        return;
    }
    if (client->lingers) {
        if (size < 0) {
            hf_client_close(client);
        }
        return;
    }
    if (size == UV_EOF) { /* It may still wait for answers. */
        client->connection.closing = true;
        hf_client_dirty(client);
        hf_client_update_reading(client);
        return;
    }
    if (size < 0) {
        hf_client_close(client);
        return;
    }
    client->clients->stats.bytes_in += (uint64_t)size;
    client_take(client,
                (struct hf_slice){(const uint8_t *)buf->base, (size_t)size});
}

static void clients_free(struct hf_clients *clients)
{
    struct hf_mem *mem = clients->mem;
    size_t max = clients->clients_max;
    hf_clients_pubsub_close(clients);
    hf_spares_close(&clients->spares);
    hf_mem_free(mem, clients->spare, sizeof(*clients->spare));
    hf_mem_free(mem, clients->places, max * sizeof(clients->places[0]));
    hf_mem_free(mem, clients->free_places, max * sizeof(uint32_t));
    hf_mem_free(mem, clients, sizeof(*clients));
}

static struct hf_clients *clients_new(uv_loop_t *loop, struct hf_mem *mem,
                                      const struct hf_clients_config *config,
                                      const struct hf_clients_handler *handler)
{
    size_t max = config->clients_max;
    HF_ASSERT(max > 0 && max <= HF_CLIENTS_MAX);
    struct hf_clients *clients = hf_mem_alloc_zero(mem, sizeof(*clients));
    if (clients == NULL) {
        return NULL;
    }
    clients->loop = loop;
    clients->mem = mem;
    clients->log = config->log;
    clients->handler = *handler;
    clients->clients_max = config->clients_max;
    clients->unix_lock = -1;
    clients->next_id = 1;
    clients->logged_at = hf_clock_now() - LOG_EVERY_MS;
    hf_list_init(&clients->all);
    hf_list_init(&clients->dirty);
    hf_list_init(&clients->waiting);
    hf_list_init(&clients->late);
    hf_clients_pubsub_init(clients);
    clients->host = (struct hf_connection_host){
        .user = clients,
        .request = on_request,
        .expect = on_expect,
        .info = on_info,
        .topology = on_topology,
        .keys_in_slot = on_keys_in_slot,
        .cluster_name = config->cluster_name,
        .sentinel_name = config->sentinel_name,
        .client_list = on_client_list,
        .client_kill = on_client_kill,
        .status = on_status,
        .manage = on_manage,
        .may_go_on = on_may_go_on,
        .subscriptions = &clients->subscriptions,
        .listen = hf_clients_listen,
        .events = on_events,
        .limits = config->limits,
        .output_bytes_soft = config->output_bytes_soft,
        .output_bytes_hard = config->output_bytes_hard,
        .multi_bytes = &clients->multi_bytes,
    };
    clients->places = hf_mem_alloc_zero(mem, max * sizeof(clients->places[0]));
    clients->free_places =
        hf_mem_alloc(mem, max * sizeof(clients->free_places[0]));
    clients->spare = hf_mem_alloc(mem, sizeof(*clients->spare));
    if (clients->places == NULL || clients->free_places == NULL ||
        clients->spare == NULL) {
        clients_free(clients);
        return NULL;
    }
    for (size_t i = 0; i < max; i++) { /* Low places first. */
        clients->free_places[i] = (uint32_t)(max - 1 - i);
    }
    clients->free_count = config->clients_max;
    return clients;
}

int hf_clients_create(struct hf_clients **clients, uv_loop_t *loop,
                      struct hf_mem *mem,
                      const struct hf_clients_config *config,
                      const struct hf_clients_handler *handler)
{
    struct hf_clients *made = clients_new(loop, mem, config, handler);
    if (made == NULL) {
        return HF_ENOMEM;
    }
    int rv = hf_clients_listen_plain(made, config->bind, config->port,
                                     config->shared_port);
    if (rv != 0) {
        clients_free(made);
        return rv;
    }
    *clients = made;
    return 0;
}

uint16_t hf_clients_port(const struct hf_clients *clients)
{
    return clients->port;
}

const struct hf_clients_stats *
hf_clients_get_stats(const struct hf_clients *clients)
{
    return &clients->stats;
}

void hf_clients_reply(struct hf_clients *clients, uint64_t client, uint64_t tag,
                      const struct hf_reply *reply)
{
    uint32_t place = (uint32_t)(client & (HF_CLIENTS_MAX - 1));
    HF_ASSERT(place < clients->clients_max);
    struct client *to = clients->places[place];
    if (to != NULL && to->number == client) {
        hf_client_lend(to);
        hf_connection_reply(&to->connection, tag, reply);
        hf_client_dirty(to);
    }
}

bool hf_clients_is_connected(const struct hf_clients *clients, uint64_t client)
{
    uint32_t place = (uint32_t)(client & (HF_CLIENTS_MAX - 1));
    HF_ASSERT(place < clients->clients_max);
    const struct client *there = clients->places[place];
    return there != NULL && there->number == client;
}

static void on_written(uv_write_t *write, int status)
{
    struct client *client = write->data;
    client->write_busy = false;
    hf_spares_take_back(&client->clients->spares, &client->writing);
    if (client->closing) {
        return;
    }
    if (status != 0) {
        hf_client_close(client);
        return;
    }
    hf_client_dirty(client); /* More may wait, and commands may go on. */
}

/* What the kernel does not take at once is handed to libuv, which wants it to
 * stay in its place: the two buffers change roles. */
static void client_write_rest(struct client *client, size_t written)
{
    struct hf_buffer rest = client->connection.output;
    client->connection.output = client->writing;
    client->writing = rest;
    uv_buf_t buf = uv_buf_init((char *)rest.data + written,
                               (unsigned)(rest.size - written));
    client->write.data = client;
    client->write_busy = true;
    if (uv_write(&client->write, &client->socket.stream, &buf, 1, on_written) !=
        0) {
        client->write_busy = false;
        hf_client_close(client);
    }
}

/* Whether what there is to send waits for what has to come behind it: sent
 * together, it costs both ends half. */
static bool client_is_late(struct client *client)
{
    struct hf_clients *clients = client->clients;
    if (!hf_connection_awaits(&client->connection) ||
        clients->draining != HF_CLIENTS_DRAIN_NOT ||
        client->connection.output.size > LATE_BYTES) {
        return false;
    }
    hf_time now = hf_clock_now();
    if (hf_list_is_empty(&client->late)) {
        client->late_at = now + LATE_MS;
        hf_list_push_back(&clients->late, &client->late);
    }
    return now < client->late_at;
}

static void client_write(struct client *client)
{
    struct hf_buffer *output = &client->connection.output;
    struct hf_spares *spares = &client->clients->spares;
    if (client->connection.held.size == 0) { /* Perhaps lent for nothing. */
        hf_spares_take_back(spares, &client->connection.held);
    }
    if (output->size == 0) {
        hf_spares_take_back(spares, output);
        return;
    }
    if (client->write_busy || client_is_late(client)) {
        return;
    }
    hf_list_remove(&client->late);
    uv_buf_t buf = uv_buf_init((char *)output->data, (unsigned)output->size);
    int rv = uv_try_write(&client->socket.stream, &buf, 1);
    if (rv < 0 && rv != UV_EAGAIN) {
        hf_client_close(client);
        return;
    }
    size_t written = rv < 0 ? 0 : (size_t)rv;
    client->clients->stats.bytes_out += output->size;
    client->answered = client->clients->draining != HF_CLIENTS_DRAIN_NOT;
    if (written < output->size) {
        client_write_rest(client, written);
    } else {
        hf_spares_take_back(spares, output);
    }
}

/* Says that no more is to come, and waits for the client to say so, too. */
static void client_linger(struct client *client)
{
    uv_stream_t *stream = &client->socket.stream;
    if (uv_shutdown(&client->shutdown, stream, NULL) != 0) {
        hf_client_close(client);
        return;
    }
    client_leave_place(client);
    client->lingers = true;
    hf_list_remove(&client->wait);
    hf_client_update_reading(client);
}

/* Whether a drain is to close it now. */
static bool client_is_drained(const struct client *client)
{
    enum hf_clients_drain how = client->clients->draining;
    return how != HF_CLIENTS_DRAIN_NOT && !client->write_busy &&
           hf_connection_is_quiet(&client->connection) &&
           (client->answered || how != HF_CLIENTS_DRAIN_ANSWERED);
}

static void client_flush(struct client *client)
{
    struct hf_connection *connection = &client->connection;
    if (!connection->broken) {
        client_write(client);
    }
    if (client->closing || client->lingers) {
        return;
    }
    if (client_is_drained(client)) {
        connection->closing = true;
        client_linger(client);
        return;
    }
    if (connection->broken ||
        (!client->write_busy && hf_connection_is_done(connection))) {
        hf_client_close(client);
        return;
    }
    hf_client_update_reading(client);
    if (hf_list_is_empty(&client->wait) && client_can_run(client)) {
        hf_list_push_back(&client->clients->waiting, &client->wait);
    }
}

/* A client that has more goes to the end of the queue when it is flushed. */
void hf_clients_run(struct hf_clients *clients)
{
    batch_run(clients);
    uint64_t end_ns = clients->turn_end_ns;
    clients->turn_end_ns = 0; /* What is read next is of the next turn. */
    if (hf_list_is_empty(&clients->waiting)) {
        return;
    }
    uint64_t now_ns = hf_clock_now_ns();
    if (end_ns == 0) {
        end_ns = now_ns + (uint64_t)HF_CLIENTS_TURN_US * 1000;
    }
    while (!hf_list_is_empty(&clients->waiting) && now_ns < end_ns) {
        struct hf_list *wait = clients->waiting.next;
        struct client *client = HF_CONTAINER_OF(wait, struct client, wait);
        hf_list_remove(wait);
        if (client_can_run(client)) {
            hf_time_slice_begin(&clients->slice, now_ns, end_ns);
            hf_client_lend(client);
            hf_connection_resume(&client->connection);
        }
        hf_client_dirty(client);
        now_ns = hf_clock_now_ns();
    }
}

hf_time hf_clients_deadline(const struct hf_clients *clients)
{
    struct client *first =
        HF_CONTAINER_OF(clients->late.next, struct client, late);
    return hf_list_is_empty(&clients->late) ? HF_NEVER : first->late_at;
}

bool hf_clients_flush(struct hf_clients *clients)
{
    bool timed = !hf_list_is_empty(&clients->late) ||
                 clients->heard != HF_CLIENTS_UNHEARD;
    hf_time now = timed ? hf_clock_now() : 0;
    hf_clients_pubsub_tick(clients, now);
    struct hf_list *at = clients->late.next;
    for (; at != &clients->late; at = at->next) {
        struct client *client = HF_CONTAINER_OF(at, struct client, late);
        if (client->late_at > now) {
            break;
        }
        hf_client_dirty(client);
    }
    while (!hf_list_is_empty(&clients->dirty)) {
        struct hf_list *work = clients->dirty.next;
        hf_list_remove(work);
        client_flush(HF_CONTAINER_OF(work, struct client, work));
    }
    return !hf_list_is_empty(&clients->waiting);
}

void hf_clients_drain(struct hf_clients *clients, enum hf_clients_drain how)
{
    if (how <= clients->draining) {
        return;
    }
    batch_run(clients);
    clients->draining = how;
    hf_clients_stop_listening(clients);
    for (struct hf_list *at = clients->all.next; at != &clients->all;
         at = at->next) {
        struct client *client = client_of(at);
        if (client->number == 0 || client->closing || client->lingers) {
            continue;
        }
        if (how == HF_CLIENTS_DRAIN_REFUSE) {
            client->connection.closing = true;
            hf_client_update_reading(client);
        }
        hf_client_dirty(client);
    }
}

void hf_clients_stop(struct hf_clients *clients, void (*stopped)(void *user),
                     void *user)
{
    clients->stopping = true;
    clients->batch.count = 0;
    clients->stopped = stopped;
    clients->stopped_user = user;
    for (struct hf_list *at = clients->all.next; at != &clients->all;
         at = at->next) {
        hf_client_close(client_of(at));
    }
    hf_clients_stop_listening(clients);
    if (clients->open_handles == 0) { /* Drained before. */
        stopped(user);
    }
}

void hf_clients_destroy(struct hf_clients *clients)
{
    HF_ASSERT(clients->open_handles == 0);
    clients_free(clients);
}
