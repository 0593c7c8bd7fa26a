/* connection.h - One client connection, without its socket.
 *
 * Bytes in, commands out to the node; replies in, bytes out to the client.
 * Keeps the order of replies: the node may answer out of order, the client
 * sees answers in the order of its commands.
 *
 *   receive --> parse --+-- PING, HELLO, INFO ...: answered here
 *                       +-- GET, SET ...: host->request(tag) ... reply(tag)
 *                                                                   |
 *   output <-- RESP2/3, in order <----------------------------------+
 *
 * Bounds: at most HF_CONNECTION_PENDING_MAX commands without an answer, no
 * more than one while they are larger than 16 MiB together, and
 * no more commands are taken while more than output_bytes_soft wait to be
 * sent; past output_bytes_hard the connection is closed. Input that is not
 * RESP is answered with a protocol error and the connection closes after it.
 * Answers that wait for older ones count as output.
 *
 * Bytes are parsed where the socket put them; only what is left over is kept.
 * The commands of the connection itself are in connection_commands.c, those of
 * subscribers in connection_pubsub.c, the cluster protocol in
 * connection_cluster.c.
 *
 * Pure: no socket, no clock. Used by io/clients.c, by the fuzzer and by tests.
 */
#ifndef HF_WIRE_CONNECTION_H
#define HF_WIRE_CONNECTION_H

#include "base/bytes.h"
#include "core/command.h"
#include "core/reply.h"
#include "core/topology.h"
#include "wire/resp.h"
#include "wire/subscriptions.h"

#define HF_CONNECTION_PENDING_MAX 1024
#define HF_CONNECTION_MULTI_BYTES_MAX ((size_t)64 << 20)
#define HF_CONNECTION_BATCH_MAX 16
#define HF_CONNECTION_BATCH_ARGUMENTS_MAX 8

struct hf_connection;

/* Of CLIENT LIST and CLIENT KILL. */
enum hf_client_type {
    HF_CLIENTS_ALL,
    HF_CLIENTS_NORMAL,
    HF_CLIENTS_SUBSCRIBED,
    HF_CLIENTS_NONE,
};

/* Those that are all of it; see hf_connection_fits. */
struct hf_client_filter {
    enum hf_client_type type;
    uint64_t id;             /* 0: any. */
    uint64_t but;            /* Not the one with this id. */
    struct hf_slice address; /* data NULL: any. */
};

/* CLIENT REPLY: which answers are not written. */
enum hf_connection_mute {
    HF_MUTE_NOT,
    HF_MUTE_ALL,
    HF_MUTE_NEXT, /* That to this command and to the next. */
    HF_MUTE_THIS,
};

/* CLIENT TRACKING: which answers the client may keep. */
enum hf_connection_tracking {
    HF_TRACKING_OFF,
    HF_TRACKING_ALL,
    HF_TRACKING_OPTIN,  /* Those after CLIENT CACHING YES. */
    HF_TRACKING_OPTOUT, /* All but those after CLIENT CACHING NO. */
};

/* What a connection needs of the world around it. All calls are synchronous;
 * request may call hf_connection_reply before it returns, but none may close
 * the connection. */
struct hf_connection_host {
    void *user;
    /* A command for the node. Borrowed for the call. */
    void (*request)(void *user, struct hf_connection *connection, uint64_t tag,
                    const struct hf_command *command);
    /* Appends the text of INFO, CRLF lines; @section as the client wrote it,
     * empty for the default ones. Called once for each section asked for.
     * @cluster: the client speaks the cluster protocol. */
    void (*info)(void *user, struct hf_slice section, bool cluster,
                 struct hf_buffer *out);
    /* For CLUSTER and SENTINEL, and where a client of the cluster protocol
     * goes: see core/topology.h. */
    void (*topology)(void *user, struct hf_topology *topology);
    uint32_t (*keys_in_slot)(void *user, uint16_t slot, uint32_t limit,
                             struct hf_buffer *tokens);
    const char *cluster_name;
    const char *sentinel_name; /* Of the one master there is; "": any. */
    /* Appends one line per connected client, each ended by '\n', made by
     * hf_connection_describe. */
    void (*client_list)(void *user, const struct hf_client_filter *filter,
                        struct hf_buffer *out);
    /* Closes clients, not before this returns. How many. */
    uint32_t (*client_kill)(void *user, const struct hf_client_filter *filter);
    /* HOLDFAST STATUS: appends one nested reply (tokens). */
    void (*status)(void *user, struct hf_buffer *out);
    /* A HOLDFAST command that does something to the node, and CONFIG SET: as
     * request. */
    void (*manage)(void *user, struct hf_connection *connection, uint64_t tag,
                   const struct hf_command *command);
    /* Several commands have come at once and will be asked for by `request`,
     * unless something ends that; their rows may be NULL, and those without
     * arguments are to be passed over. May fill in where they are. May be
     * NULL. */
    void (*expect)(void *user, struct hf_command *commands, size_t count);
    /* Asked before each command; false: enough for now, what is left waits for
     * hf_connection_resume. NULL: as many as there are. */
    bool (*may_go_on)(void *user);
    /* Where subscriptions of all connections are kept. */
    struct hf_subscriptions *subscriptions;
    /* A connection wants to subscribe: whether the other nodes know that this
     * one has subscribers. If not, the host tells them and then calls
     * hf_connection_listened. NULL: there are no others. */
    bool (*listen)(void *user);
    /* Which keyspace events are published: enum hf_notice_flag. */
    uint32_t (*events)(void *user);
    struct hf_resp_limits limits;
    size_t output_bytes_soft;
    size_t output_bytes_hard;
    /* What answers to parts of transactions hold, of all connections: past
     * HF_CONNECTION_MULTI_BYTES_MAX of others, there are errors instead. NULL:
     * it is not counted. */
    size_t *multi_bytes;
};

struct hf_connection_slot;
struct hf_multi;

struct hf_connection {
    const struct hf_connection_host *host;
    struct hf_mem *mem;
    uint64_t id;  /* CLIENT ID, rises from 1. */
    void *user;   /* For the owner. */
    int version;  /* RESP 2 or 3. */
    bool cluster; /* Speaks the cluster protocol; set by the owner. */
    bool closing; /* Takes no more commands; see hf_connection_is_done. */
    bool broken;  /* Close now: over the hard limit or out of memory. */
    struct hf_buffer output; /* What is to be sent; consumed by the owner. */
    /* Answers that wait for older ones. While it is empty, the owner may take
     * its memory, or lend it some. */
    struct hf_buffer held;
    struct hf_subscriber subscriber; /* Only to be read. */
    /* Private from here on. */
    struct hf_buffer input; /* What was received, and of that ... */
    size_t input_offset;    /* ... the first byte that is not parsed, and */
    size_t input_wanted;    /* ... how many it takes to parse any further. */
    struct hf_resp_command parsed;
    /* A ring of the unanswered commands and of answers that wait for their
     * turn. A tag's place is its low bits. */
    struct hf_connection_slot *slots;
    uint32_t slot_capacity;
    uint64_t tag_at_once; /* Being handed over, with nothing before it: what is
                           * answered now needs no place. 0: none. */
    uint64_t tag_first;   /* The oldest tag whose answer is not in output. */
    uint64_t tag_next;
    size_t held_bytes;      /* Of `held`, without those whose turn has come. */
    size_t asked_bytes;     /* Commands without an answer. */
    bool receiving;         /* Inside hf_connection_receive: no recursion. */
    bool alone;             /* The next command waits for all answers. */
    bool unheard;           /* It waits for hf_connection_listened. */
    bool asks;              /* It has asked about nodes: MOVED tells it news. */
    struct hf_multi *multi; /* What is queued and watched; NULL: nothing. */
    /* Room for the answers of connection_commands.c, empty in between. */
    struct hf_buffer tokens;
    struct hf_buffer text;
    uint8_t database; /* What SELECT said. */
    enum hf_connection_mute mute;
    enum hf_connection_tracking tracking;
    bool caching;          /* CLIENT CACHING was said for the next command. */
    bool noloop;           /* Only repeated by CLIENT TRACKINGINFO. */
    struct hf_buffer keys; /* Of the command that runs, as they are inside. */
    char name[65];
    char lib_name[65];
    char lib_version[65];
    char address[280];
};

/* @host and @mem must outlive the connection; @address is the client's
 * "host:port" for CLIENT LIST. Cannot fail: allocates when first needed. */
void hf_connection_init(struct hf_connection *connection,
                        const struct hf_connection_host *host,
                        struct hf_mem *mem, uint64_t id, const char *address);
/* Frees everything. Replies for it must not be delivered afterwards. */
void hf_connection_close(struct hf_connection *connection);

/* Takes bytes from the socket. Runs as many commands as the bounds and the host
 * allow and keeps the rest, of any size, until hf_connection_resume: do not
 * call while hf_connection_wants_input says no. Once closing, bytes are
 * dropped. */
void hf_connection_receive(struct hf_connection *connection,
                           struct hf_slice bytes);

/* Small pieces that came for connections of one host at about the same time.
 * Each is nearly always one command. The owner fills in the first three. */
struct hf_connection_batch {
    size_t count;
    struct hf_connection *connections[HF_CONNECTION_BATCH_MAX];
    struct hf_slice bytes[HF_CONNECTION_BATCH_MAX];
    /* Private: the command that the bytes are, when they are just one that
     * is plain; without arguments otherwise. */
    struct hf_command commands[HF_CONNECTION_BATCH_MAX];
    struct hf_slice argv[HF_CONNECTION_BATCH_MAX]
                        [HF_CONNECTION_BATCH_ARGUMENTS_MAX];
};

/* Looks at what is about to be received, so that the memory that commands of
 * one connection will read is fetched while those of others run. Changes
 * nothing but @batch. */
void hf_connection_batch_look(struct hf_connection_batch *batch);

/* After that, for each @index in turn: hf_connection_receive of its bytes by
 * its connection. */
void hf_connection_batch_receive(const struct hf_connection_batch *batch,
                                 size_t index);

/* Runs commands that wait in `input`, after output was sent or replies came.
 * Call when hf_connection_can_resume says so. */
void hf_connection_resume(struct hf_connection *connection);
bool hf_connection_can_resume(const struct hf_connection *connection);

/* Whether to read from the socket: false while a bound holds it back, and
 * once it is closing. */
bool hf_connection_wants_input(const struct hf_connection *connection);

/* Whether to close: broken, or closing with every command answered and all
 * output taken. */
bool hf_connection_is_done(const struct hf_connection *connection);

/* Whether it has every answer, all output was taken, and no part of a further
 * command has come. */
bool hf_connection_is_quiet(const struct hf_connection *connection);

/* Whether there are commands without an answer. */
bool hf_connection_awaits(const struct hf_connection *connection);

/* The node's answer to the command with @tag. Borrowed for the call. Ignored
 * when no such command waits for one. Does not take further commands: see
 * hf_connection_can_resume. */
void hf_connection_reply(struct hf_connection *connection, uint64_t tag,
                         const struct hf_reply *reply);

/* Writes @reply, which answers no command, between answers. Borrowed for the
 * call. */
void hf_connection_push(struct hf_connection *connection,
                        const struct hf_reply *reply);
/* The version of RESP that is in force where a push would be written now. */
int hf_connection_push_version(const struct hf_connection *connection);
/* The same, of bytes that are RESP of that version. */
void hf_connection_push_bytes(struct hf_connection *connection,
                              struct hf_slice bytes);

/* The other nodes know that this one has subscribers. Does not take further
 * commands: see hf_connection_can_resume. */
void hf_connection_listened(struct hf_connection *connection);

/* Whether it is one that @filter is about. */
bool hf_connection_fits(const struct hf_connection *connection,
                        const struct hf_client_filter *filter);

/* Appends the CLIENT LIST line of this connection, without the line end. */
void hf_connection_describe(const struct hf_connection *connection,
                            struct hf_buffer *out);

#endif
