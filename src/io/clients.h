/* clients.h - RESP clients on libuv: accept, read, write, back-pressure.
 *
 *   socket --> 64 KiB buffer --> hf_connection --> handler->request
 *                                      ^                  |
 *   socket <-- once per turn <---------+--- hf_clients_reply
 *
 * Commands are run where the socket put them; one that is answered at once is
 * copied nowhere but into its effects. Buffers for output are lent to a client
 * while it has some, so an idle one holds nothing.
 *
 * Bounds: so many clients; a client is not read from while its connection is
 * held back, while what was read from it waits to run, or while it does not
 * take what was written; past the hard limit of output it is closed. Out of
 * file descriptors, libuv turns new clients away.
 *
 * A subscriber that does not take its messages is closed as Redis does it: past
 * HF_CLIENTS_HEAVY_BYTES_MAX of them, or for HF_CLIENTS_HEAVY_MS past
 * HF_CLIENTS_HEAVY_BYTES.
 *
 * What clients ask for takes a bounded part of each turn of the loop. Input
 * that is beyond it waits, and clients take turns by their time, not by how
 * much they sent:
 *
 *   read --> a batch of 16 --> run at once, while nobody waits and the turn
 *     |      looked at together               has time left
 *     |
 *     +--> waiting (a queue) --> hf_clients_run: a slice each, round robin
 */
#ifndef HF_IO_CLIENTS_H
#define HF_IO_CLIENTS_H

#include <uv.h>

#include "base/log.h"
#include "wire/connection.h"

#define HF_CLIENTS_BACKLOG 511
#define HF_CLIENTS_HEAVY_BYTES_MAX ((size_t)32 << 20)
#define HF_CLIENTS_HEAVY_BYTES ((size_t)8 << 20)
#define HF_CLIENTS_HEAVY_MS 60000
/* After the last subscription, other nodes still send messages here. */
#define HF_CLIENTS_UNUSED_MS 10000
/* How long clients may be served before peers and timers have their turn; one
 * of them, see io/time_slice.h. Microseconds. */
#define HF_CLIENTS_TURN_US 2000
/* The number of a client has its place in the low bits. */
#define HF_CLIENTS_MAX (1u << 20)

struct hf_clients;

struct hf_clients_handler {
    void *user;
    /* A command for the node; answer by hf_clients_reply, now or later. */
    void (*request)(void *user, uint64_t client, uint64_t tag,
                    const struct hf_command *command);
    /* As in struct hf_connection_host. */
    void (*expect)(void *user, struct hf_command *commands, size_t count);
    void (*info)(void *user, struct hf_slice section, bool cluster,
                 struct hf_buffer *out);
    void (*topology)(void *user, struct hf_topology *topology);
    uint32_t (*keys_in_slot)(void *user, uint16_t slot, uint32_t limit,
                             struct hf_buffer *tokens);
    void (*status)(void *user, struct hf_buffer *out);
    /* Clients have subscribed, or none has any more: other nodes are to know.
     * hf_clients_listened is called when they know of the first. NULL: there
     * are none. */
    void (*listen)(void *user, bool listens);
    uint32_t (*events)(void *user);
    /* A HOLDFAST command that does something to the node, and CONFIG SET, as
     * `request`. */
    void (*manage)(void *user, uint64_t client, uint64_t tag,
                   const struct hf_command *command);
};

struct hf_clients_config {
    const char *bind;     /* Host or literal to listen on. */
    uint16_t port;        /* 0: chosen by the kernel. */
    bool shared_port;     /* As of hf_listen. */
    uint32_t clients_max; /* 1 to HF_CLIENTS_MAX. */
    struct hf_resp_limits limits;
    const char *cluster_name;  /* As in struct hf_connection_host; must last */
    const char *sentinel_name; /* as long as the clients. */
    size_t output_bytes_soft;  /* Then no more commands are taken; */
    size_t output_bytes_hard;  /* then the client is closed. */
    struct hf_log log;
};

/* Numbers for INFO. */
struct hf_clients_stats {
    uint32_t connected;
    uint64_t accepted;     /* All that ever connected and were taken. */
    uint64_t rejected;     /* Turned away: too many clients. */
    uint64_t slow_dropped; /* Did not take what they subscribed to. */
    uint64_t bytes_in;
    uint64_t bytes_out;
};

/* Listens. Returns 0, HF_EINUSE when the port is taken, HF_EIO when it cannot
 * be listened on otherwise, HF_ENOMEM. @config and @handler are copied. */
HF_NODISCARD int hf_clients_create(struct hf_clients **clients, uv_loop_t *loop,
                                   struct hf_mem *mem,
                                   const struct hf_clients_config *config,
                                   const struct hf_clients_handler *handler);

/* Also listens for clients of the cluster protocol, on another port. Returns as
 * hf_clients_create. */
HF_NODISCARD int hf_clients_listen_cluster(struct hf_clients *clients,
                                           const char *bind, uint16_t port);

/* Also listens on a Unix socket: see hf_listen_unix. */
HF_NODISCARD int hf_clients_listen_unix(struct hf_clients *clients,
                                        const char *path);

/* The port listened on. */
uint16_t hf_clients_port(const struct hf_clients *clients);

/* When the command that runs now had been received: for the handler, within
 * `request`. Not read anew for each of them. */
hf_time hf_clients_now(const struct hf_clients *clients);

/* Answers; ignored when the client has gone. Borrowed for the call. */
void hf_clients_reply(struct hf_clients *clients, uint64_t client, uint64_t tag,
                      const struct hf_reply *reply);

/* The other nodes know that clients of this one have subscribed. */
void hf_clients_listened(struct hf_clients *clients);

/* Carries out a command of route SUBSCRIBERS for those of our clients, and
 * appends the answer: see struct hf_outbox. */
void hf_clients_ask_subscribers(struct hf_clients *clients,
                                const struct hf_command *command,
                                struct hf_buffer *tokens);
/* How many channels, patterns and shard channels have subscribers here. */
uint32_t hf_clients_topics(const struct hf_clients *clients,
                           enum hf_subscription_kind kind);

/* Runs commands that wait, until about HF_CLIENTS_TURN_US after the first
 * command of the turn. */
void hf_clients_run(struct hf_clients *clients);

/* Writes what there is and need not wait, once per client. True when commands
 * wait that may run: then come back to hf_clients_run without waiting for
 * anything. */
bool hf_clients_flush(struct hf_clients *clients);

/* When hf_clients_flush has to be called at the latest: answers to a pipeline
 * wait a little for those behind them. HF_NEVER: when something happens. */
hf_time hf_clients_deadline(const struct hf_clients *clients);

const struct hf_clients_stats *
hf_clients_get_stats(const struct hf_clients *clients);

bool hf_clients_is_connected(const struct hf_clients *clients, uint64_t client);

/* How far a drain has got. Each step includes those before it. */
enum hf_clients_drain {
    HF_CLIENTS_DRAIN_NOT,
    HF_CLIENTS_DRAIN_ANSWERED, /* Close who was answered since and asks nothing
                                * more: its next command is not under way. */
    HF_CLIENTS_DRAIN_IDLE,     /* Close who asks nothing. */
    HF_CLIENTS_DRAIN_REFUSE,   /* Take no more commands. */
};

/* Takes no more clients, whose connects are refused from now on, and closes
 * those there are when they have all the answers they wait for. What they
 * still send after that is dropped until they have closed their end, too, so
 * that no reset takes away answers under way to them; they do not count as
 * connected then. Call again to take a further step. */
void hf_clients_drain(struct hf_clients *clients, enum hf_clients_drain how);

/* Takes no more clients and closes those there are; @stopped is called from
 * the loop, or at once when nothing is open any more after a drain. */
void hf_clients_stop(struct hf_clients *clients, void (*stopped)(void *user),
                     void *user);

/* Frees the clients, after `stopped`. */
void hf_clients_destroy(struct hf_clients *clients);

#endif
