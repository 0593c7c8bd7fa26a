#include <string.h>

#include "base/assert.h"
#include "holdfast/error.h"
#include "io/clients_private.h"
#include "io/clock.h"
#include "io/resolve.h"

#define KEEPALIVE_SECONDS 300
#define REFUSAL "-ERR max number of clients reached\r\n"
#define PLACE_BITS 20
_Static_assert((1u << PLACE_BITS) == HF_CLIENTS_MAX, "places fit the number");

/* Turned away: says why when that costs nothing. */
static void client_refuse(struct client *client)
{
    struct hf_clients *clients = client->clients;
    hf_time now = hf_clock_now();
    uv_buf_t text = uv_buf_init(REFUSAL, sizeof(REFUSAL) - 1);
    uv_try_write(&client->socket.stream, &text, 1);
    clients->stats.rejected++;
    if (now - clients->logged_at >= LOG_EVERY_MS) {
        clients->logged_at = now;
        hf_log(&clients->log, HF_LOG_WARNING,
               "turned a client away: %u are connected (setting max-clients)",
               (unsigned)clients->stats.connected);
    }
    hf_client_close(client);
}

/* As Redis has them; @size at least HF_LISTEN_PATH_MAX + 3. */
static void client_address(struct client *client, bool local, char *text,
                           size_t size)
{
    struct sockaddr_storage peer;
    int peer_size = sizeof(peer);
    if (local) {
        hf_host_port_text(client->clients->unix_path, 0, text, size);
        return;
    }
    memset(&peer, 0, sizeof(peer));
    uv_tcp_getpeername(&client->socket.tcp, (struct sockaddr *)&peer,
                       &peer_size);
    hf_address_text(&peer, text, size);
}

static void client_start(struct client *client,
                         enum hf_clients_listener_kind kind)
{
    struct hf_clients *clients = client->clients;
    char address[HF_LISTEN_PATH_MAX + 64];
    client_address(client, kind == HF_CLIENTS_UNIX, address, sizeof(address));

    uint32_t place = clients->free_places[--clients->free_count];
    uint64_t id = clients->next_id++;
    client->number = id << PLACE_BITS | place;
    clients->places[place] = client;
    clients->stats.connected++;
    clients->stats.accepted++;
    hf_connection_init(&client->connection, &clients->host, clients->mem, id,
                       address);
    client->connection.user = client;
    client->connection.cluster = kind == HF_CLIENTS_CLUSTER;
    hf_buffer_init(&client->writing, clients->mem);
    if (kind != HF_CLIENTS_UNIX) {
        uv_tcp_nodelay(&client->socket.tcp, 1);
        uv_tcp_keepalive(&client->socket.tcp, 1, KEEPALIVE_SECONDS);
    }
    hf_client_update_reading(client);
}

static void socket_init(uv_loop_t *loop, union hf_client_socket *socket,
                        enum hf_clients_listener_kind kind)
{
    int rv = kind == HF_CLIENTS_UNIX ? uv_pipe_init(loop, &socket->pipe, 0)
                                     : uv_tcp_init(loop, &socket->tcp);
    HF_ASSERT(rv == 0);
}

static void accept_one(struct hf_clients_listener *listener)
{
    struct hf_clients *clients = listener->clients;
    struct client *client = clients->spare;
    if (client == NULL) {
        listener->offered = true;
        return;
    }
    clients->spare = hf_mem_alloc(clients->mem, sizeof(*client));
    memset(client, 0, sizeof(*client));
    client->clients = clients;
    hf_list_init(&client->work);
    hf_list_init(&client->wait);
    hf_list_init(&client->late);
    hf_list_init(&client->heavy);
    hf_list_init(&client->link);
    hf_list_push_back(&clients->all, &client->link);
    socket_init(clients->loop, &client->socket, listener->kind);
    client->socket.handle.data = client;
    clients->open_handles++;
    if (uv_accept(&listener->socket.stream, &client->socket.stream) != 0) {
        hf_client_close(client);
    } else if (clients->free_count == 0 || clients->spare == NULL) {
        client_refuse(client);
    } else {
        client_start(client, listener->kind);
    }
}

static void on_connection(uv_stream_t *stream, int status)
{
    struct hf_clients_listener *listener = stream->data;
    struct hf_clients *clients = listener->clients;
    if (status == 0) {
        accept_one(listener);
        return;
    }
    hf_time now = hf_clock_now();
    if (now - clients->logged_at >= LOG_EVERY_MS) {
        clients->logged_at = now;
        hf_log(&clients->log, HF_LOG_WARNING, "cannot accept a client: %s",
               uv_strerror(status));
    }
}

void hf_clients_accept_left(struct hf_clients *clients)
{
    for (size_t i = 0; i < HF_CLIENTS_LISTENERS; i++) {
        struct hf_clients_listener *listener = &clients->listeners[i];
        if (listener->open && listener->offered) {
            listener->offered = false;
            accept_one(listener);
        }
    }
}

static struct hf_clients_listener *
listener_open(struct hf_clients *clients, enum hf_clients_listener_kind kind)
{
    struct hf_clients_listener *listener = &clients->listeners[kind];
    HF_ASSERT(!listener->open);
    *listener = (struct hf_clients_listener){
        .clients = clients, .kind = kind, .open = true};
    socket_init(clients->loop, &listener->socket, kind);
    listener->socket.handle.data = listener;
    clients->open_handles++;
    return listener;
}

static void on_listener_closed(uv_handle_t *handle)
{
    struct hf_clients_listener *listener = handle->data;
    struct hf_clients *clients = listener->clients;
    if (listener->kind == HF_CLIENTS_UNIX) {
        hf_listen_unlock(clients->unix_path, clients->unix_lock);
        clients->unix_lock = -1;
    }
    hf_clients_handle_closed(clients);
}

static void listener_close(struct hf_clients_listener *listener)
{
    if (listener->open) {
        listener->open = false;
        uv_close(&listener->socket.handle, on_listener_closed);
    }
}

void hf_clients_stop_listening(struct hf_clients *clients)
{
    for (size_t i = 0; i < HF_CLIENTS_LISTENERS; i++) {
        listener_close(&clients->listeners[i]);
    }
}

static int listen_on_port(struct hf_clients *clients,
                          enum hf_clients_listener_kind kind, const char *bind,
                          uint16_t *port, bool shared)
{
    struct hf_clients_listener *listener = listener_open(clients, kind);
    return hf_listen(clients->loop, &listener->socket.tcp, bind, port, shared,
                     HF_CLIENTS_BACKLOG, on_connection);
}

int hf_clients_listen_plain(struct hf_clients *clients, const char *bind,
                            uint16_t port, bool shared)
{
    clients->port = port;
    int rv =
        listen_on_port(clients, HF_CLIENTS_PLAIN, bind, &clients->port, shared);
    if (rv != 0) {
        hf_clients_stop_listening(clients);
        while (clients->open_handles > 0) { /* Closed at once. */
            uv_run(clients->loop, UV_RUN_NOWAIT);
        }
    }
    return rv;
}

int hf_clients_listen_cluster(struct hf_clients *clients, const char *bind,
                              uint16_t port)
{
    return listen_on_port(clients, HF_CLIENTS_CLUSTER, bind, &port, false);
}

int hf_clients_listen_unix(struct hf_clients *clients, const char *path)
{
    struct hf_clients_listener *listener =
        listener_open(clients, HF_CLIENTS_UNIX);
    HF_ASSERT(strlen(path) <= HF_LISTEN_PATH_MAX);
    memcpy(clients->unix_path, path, strlen(path) + 1);
    return hf_listen_unix(&listener->socket.pipe, path, HF_CLIENTS_BACKLOG,
                          on_connection, &clients->unix_lock);
}
