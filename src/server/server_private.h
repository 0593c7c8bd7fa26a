/* server_private.h - What the parts of the server share.
 *
 *   server.c  the loop: events in, actions out; starting and stopping
 *   drain.c   leaving in good order
 *   listeners.c  the other ways in for clients
 *   manage.c  HOLDFAST commands that do something to this node, CONFIG SET
 *   scripts.c what runs scripts, and what this node knows of them */
#ifndef HF_SERVER_SERVER_PRIVATE_H
#define HF_SERVER_SERVER_PRIVATE_H

#include "base/pool.h"
#include "core/node.h"
#include "io/clients.h"
#include "io/links.h"
#include "script/library.h"
#include "server/config.h"
#include "server/info.h"
#include "server/server.h"
#include "server/turns.h"

/* Clients that may wait for the end of a drain at the same time. */
#define HF_DRAIN_WAITERS_MAX 16

/* A node that leaves goes through these in turn. */
enum hf_drain_stage {
    HF_DRAIN_NONE,
    HF_DRAIN_HAND_OVER, /* Others take what it holds. */
    HF_DRAIN_CLIENTS,   /* Clients get the answers they wait for. */
    HF_DRAIN_LEAVE,     /* The others go on without it. */
};

/* A client that sent HOLDFAST DRAIN and waits for its answer. */
struct hf_drain_waiter {
    uint64_t client;
    uint64_t tag;
};

struct hf_drain {
    uv_async_t asked;
    uv_timer_t watch;
    enum hf_drain_stage stage;
    hf_time until;      /* The whole of it. */
    hf_time clients_at; /* When clients began to be closed. */
    struct hf_drain_waiter waiters[HF_DRAIN_WAITERS_MAX];
    size_t waiter_count;
};

struct hf_server {
    struct hf_config config;
    struct hf_log log;
    struct hf_mem mem;
    struct hf_pool pool; /* Behind mem. */
    uv_loop_t loop;
    struct hf_clients *clients;
    struct hf_links *links;
    struct hf_node *node;
    struct hf_lua *lua;
    struct hf_library *library;
    struct hf_script_engine scripts;
    struct hf_outbox outbox;
    struct hf_peer_info self;
    uv_async_t stop;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_idle_t again; /* Active while there is more to do without waiting. */
    uv_timer_t deadline;
    struct hf_drain drain;
    bool parted;      /* Clients had time enough to take what was ready. */
    uv_timer_t guard; /* Of stopping. */
    hf_time deadline_at;
    struct hf_turns turns;
    hf_time now; /* Of the last step, on both clocks. */
    int64_t wall_ms;
    bool stepped; /* Since the last TURN_END. */
    bool started; /* prepare, check, again and the timers are open. */
    bool closing; /* Nothing may end the loop early any more. */
    unsigned parts_stopping; /* Of clients and links. */
    bool gave_up;
    bool name_is_used; /* By a node that lives: this one must not go on. */
    hf_time started_at;
    char run_id[HF_INFO_RUN_ID_BYTES + 1];
    struct hf_node_status status; /* Large: filled when asked for. */
};

/* server.c */

/* Feeds the node one event, now. */
void hf_server_step(struct hf_server *server, struct hf_event *event);

/* A command for the node. Not within a step of it. */
void hf_server_request(struct hf_server *server, uint64_t client, uint64_t tag,
                       const struct hf_command *command);

/* asked.c */

/* As hf_clients_handler.info and .status. */
void hf_server_info(void *user, struct hf_slice section, bool cluster,
                    struct hf_buffer *out);
void hf_server_status(void *user, struct hf_buffer *out);

/* scripts.c */

/* Before the node is created. 0 or HF_ENOMEM. */
HF_NODISCARD int hf_server_open_scripts(struct hf_server *server);
/* After the node is gone. Does nothing when they are not open. */
void hf_server_close_scripts(struct hf_server *server);

/* A command about scripts, or of a client that waits for one. */
void hf_server_script(struct hf_server *server, uint64_t client, uint64_t tag,
                      const struct hf_command *command);

/* listeners.c */

/* Listens on the cluster port and the Unix socket, as far as they are wanted.
 * Returns 0, or what the functions of io/clients.h do. */
int hf_server_listen_more(struct hf_server *server, char *error,
                          size_t error_size);
/* As in struct hf_clients_handler. */
void hf_server_topology(void *user, struct hf_topology *topology);
uint32_t hf_server_keys_in_slot(void *user, uint16_t slot, uint32_t limit,
                                struct hf_buffer *tokens);

/* drain.c */

/* Begins to leave, unless it has begun before. Ends the loop when the node has
 * left, or at once when there is nothing to hand over. */
void hf_server_drain_begin(struct hf_server *server);

/* Begins to leave, too, and answers command @tag of @client at the end: OK
 * when others have all that this node held, else an error that says what is
 * missing. */
void hf_server_drain_for(struct hf_server *server, uint64_t client,
                         uint64_t tag);

/* manage.c */

/* As hf_clients_handler.manage. */
void hf_server_manage(void *user, uint64_t client, uint64_t tag,
                      const struct hf_command *command);

#endif
