/* clients_private.h - What the parts of io/clients.h share.
 *
 *   clients.c         sockets: read, write, back-pressure
 *   clients_accept.c  listening, and taking clients
 *   clients_pubsub.c  messages to those that subscribed */
#ifndef HF_IO_CLIENTS_PRIVATE_H
#define HF_IO_CLIENTS_PRIVATE_H

#include "base/list.h"
#include "io/clients.h"
#include "io/listen.h"
#include "io/spares.h"
#include "io/time_slice.h"

#define READ_BYTES ((size_t)64 << 10)
/* What is read and no larger waits for others, to be looked at with them. */
#define SMALL_READ_BYTES ((size_t)2 << 10)
#define KEPT_BYTES (HF_CONNECTION_BATCH_MAX * SMALL_READ_BYTES)
#define LOG_EVERY_MS 1000

/* Whether the other nodes know that clients of this one have subscribed. */
enum hf_clients_heard {
    HF_CLIENTS_UNHEARD,
    HF_CLIENTS_HEARING, /* They are being told. */
    HF_CLIENTS_HEARD,
};

union hf_client_socket {
    uv_handle_t handle;
    uv_stream_t stream;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
};

enum hf_clients_listener_kind {
    HF_CLIENTS_PLAIN,
    HF_CLIENTS_CLUSTER, /* Clients of the cluster protocol. */
    HF_CLIENTS_UNIX,    /* Clients on this machine. */
    HF_CLIENTS_LISTENERS,
};

struct hf_clients_listener {
    struct hf_clients *clients;
    enum hf_clients_listener_kind kind;
    union hf_client_socket socket;
    bool open;    /* From its initialisation until it is to be closed. */
    bool offered; /* There was no spare; take it when there is. */
};

struct client {
    union hf_client_socket socket;
    struct hf_list link; /* In all. */
    struct hf_list work; /* In dirty, when there may be output. */
    struct hf_list wait; /* In waiting, when it has commands to run. */
    struct hf_list late; /* In late, when its output waits for more, ... */
    hf_time late_at;     /* ... until then. */
    struct hf_clients *clients;
    uint64_t number; /* 0: turned away, has no connection. */
    struct hf_connection connection;
    uv_write_t write;
    struct hf_buffer writing; /* Handed to libuv. */
    bool write_busy;
    uv_shutdown_t shutdown;
    bool reading;
    bool answered; /* Since a drain began. */
    bool lingers;  /* Nothing more is sent; waits for its end of input. */
    bool closing;
    struct hf_list heavy; /* In heavy, while it does not take messages, ... */
    hf_time heavy_since;  /* ... since then. */
};

struct hf_clients {
    uv_loop_t *loop;
    struct hf_mem *mem;
    struct hf_log log;
    struct hf_clients_handler handler;
    struct hf_connection_host host;
    struct hf_clients_listener listeners[HF_CLIENTS_LISTENERS];
    uint16_t port;
    char unix_path[HF_LISTEN_PATH_MAX + 1];
    int unix_lock; /* Of hf_listen_unix. */
    uint32_t clients_max;
    struct hf_list all;
    struct hf_list dirty;
    struct hf_list waiting; /* Oldest first. */
    uint64_t turn_end_ns;   /* Of what is read; 0: none yet, in this turn. */
    struct hf_time_slice slice; /* Of the client that runs. */
    struct hf_list late;        /* Output that waits, oldest first. */
    struct hf_spares spares;    /* Output buffers. */
    struct client **places;     /* By the low bits of a client's number. */
    uint32_t *free_places;      /* A stack. */
    uint32_t free_count;
    uint64_t next_id;
    /* Always one in reserve: a connection that libuv has accepted must be
     * taken, or it never offers another. */
    struct client *spare;
    size_t multi_bytes; /* Answers that transactions hold. */
    struct hf_subscriptions subscriptions;
    enum hf_clients_heard heard;  /* What others know of them. */
    hf_time unused_since;         /* Of the subscriptions; 0: in use. */
    struct hf_list heavy;         /* Oldest first. */
    struct hf_buffer messages[2]; /* What is published, in RESP2 and RESP3. */
    hf_time heavy_logged_at;
    struct hf_clients_stats stats;
    hf_time logged_at;
    uint32_t open_handles;
    enum hf_clients_drain draining;
    bool stopping;
    void (*stopped)(void *user);
    void *stopped_user;
    struct hf_connection_batch batch; /* Read in this turn, did not run yet. */
    bool batch_runs;
    size_t kept_bytes; /* In front of `bytes`, of the batch. */
    uint8_t bytes[KEPT_BYTES + READ_BYTES];
};

/* clients.c: there may be output, or something to run. */
void hf_client_dirty(struct client *client);
/* Room for output, from those who have none. */
void hf_client_lend(struct client *client);

/* Reads from the socket exactly when the connection can take something, has
 * nothing left to run, and the client takes what it is sent. */
void hf_client_update_reading(struct client *client);
void hf_client_close(struct client *client);
/* One handle that was in open_handles is closed. */
void hf_clients_handle_closed(struct hf_clients *clients);

/* clients_accept.c */
/* Listens on the plain port, or says why not as hf_clients_create; nothing
 * else may be on the loop that belongs to clients. */
int hf_clients_listen_plain(struct hf_clients *clients, const char *bind,
                            uint16_t port, bool shared);
/* A client has gone: takes one that was left waiting. */
void hf_clients_accept_left(struct hf_clients *clients);
void hf_clients_stop_listening(struct hf_clients *clients);

/* clients_pubsub.c */
void hf_clients_pubsub_init(struct hf_clients *clients);
void hf_clients_pubsub_close(struct hf_clients *clients);
/* As `listen` of struct hf_connection_host. */
bool hf_clients_listen(void *user);
/* Drops those that were too far behind for too long, and tells when nobody has
 * been subscribed for a while. */
void hf_clients_pubsub_tick(struct hf_clients *clients, hf_time now);

#endif
