#include "server/server.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/assert.h"
#include "base/hash.h"
#include "io/clock.h"
#include "io/resolve.h"
#include "server/logger.h"
#include "server/server_private.h"
#include "wire/link.h"

#define OUTPUT_BYTES_SOFT ((size_t)1 << 20)
#define OUTPUT_BYTES_HARD ((size_t)64 << 20)
#define INLINE_BYTES_MAX ((size_t)64 << 10)
/* A command and what is around it must fit into one frame to a peer. */
#define COMMAND_BYTES_MAX ((size_t)60 << 20)
/* What a node says to another with the name of one that lives. */
#define NAME_IS_USED "another node is alive under this name"
#define PARTING_MS 500 /* Until clients that stay are closed anyway. */
#define NAME_WAIT_MS 1500
/* File descriptors kept for peers, probes, libuv and NNG. */
#define FILES_RESERVED 384

/* Before the first step there may have been other work. libuv knows when it
 * woke up, of which it rounds down to a millisecond twice. */
static void server_turn_begin(struct hf_server *server)
{
    if (server->turns.began_ns != 0) {
        return; /* The clock is not read for nothing. */
    }
    uint64_t now_ns = uv_hrtime();
    uint64_t awake_ms = now_ns / 1000000 - uv_now(&server->loop);
    uint64_t before_ms = awake_ms > 2 ? awake_ms - 2 : 0;
    hf_turns_begin(&server->turns, now_ns - before_ms * 1000000);
}

/* @now: of the clock, after whatever caused the event was received. */
static void server_step_at(struct hf_server *server, struct hf_event *event,
                           hf_time now)
{
    if (now > server->now) {
        server->now = now;
        server->wall_ms = hf_clock_wall_ms();
    }
    event->now = server->now;
    event->wall_ms = server->wall_ms;
    server_turn_begin(server);
    server->stepped = true;
    hf_node_step(server->node, event, &server->outbox);
    hf_library_run(server->library, server->now, server->wall_ms);
}

void hf_server_step(struct hf_server *server, struct hf_event *event)
{
    server_step_at(server, event, hf_clock_now());
}

/* Events. */

void hf_server_request(struct hf_server *server, uint64_t client, uint64_t tag,
                       const struct hf_command *command)
{
    struct hf_event event = {.type = HF_EVENT_REQUEST};
    event.request.client = client;
    event.request.tag = tag;
    event.request.command = command;
    server_step_at(server, &event, hf_clients_now(server->clients));
}

static void on_request(void *user, uint64_t client, uint64_t tag,
                       const struct hf_command *command)
{
    struct hf_server *server = user;
    if (hf_library_wants(server->library, client, command)) {
        hf_server_script(server, client, tag, command);
    } else {
        hf_server_request(server, client, tag, command);
    }
}

static void on_expect(void *user, struct hf_command *commands, size_t count)
{
    const struct hf_server *server = user;
    hf_node_expect(server->node, commands, count);
}

static void on_message(void *user, hf_node_id from, hf_incarnation incarnation,
                       const struct hf_message *message)
{
    struct hf_event event = {.type = HF_EVENT_MESSAGE};
    event.message.from = from;
    event.message.incarnation = incarnation;
    event.message.message = message;
    hf_server_step(user, &event);
}

static void on_expect_messages(void *user, struct hf_message *messages,
                               size_t count)
{
    const struct hf_server *server = user;
    hf_node_expect_messages(server->node, messages, count);
}

static void on_link(void *user, const struct hf_link_event *link)
{
    struct hf_event event = {.type = HF_EVENT_LINK};
    event.link = *link;
    hf_server_step(user, &event);
}

static void on_probed(void *user, uint64_t token, enum hf_probe_result result)
{
    struct hf_event event = {.type = HF_EVENT_PROBED};
    event.probed.token = token;
    event.probed.result = result;
    hf_server_step(user, &event);
}

static void on_listen(void *user, bool listens)
{
    struct hf_event event = {.type = HF_EVENT_LISTEN};
    event.listens = listens;
    hf_server_step(user, &event);
}

static uint32_t on_events(void *user)
{
    const struct hf_server *server = user;
    return hf_node_get_events(server->node);
}

static void on_deadline(uv_timer_t *timer)
{
    struct hf_server *server = timer->data;
    struct hf_event event = {.type = HF_EVENT_TICK};
    server->deadline_at = HF_NEVER;
    if (hf_node_deadline(server->node) <= hf_clock_now()) {
        hf_server_step(server, &event);
    } /* Else clients only have to be flushed, or it was early. */
}

/* Actions. */

static const char *on_refuses(void *user, const struct hf_peer_info *peer)
{
    const struct hf_server *server = user;
    hf_time now = hf_clock_now();
    if (hf_node_name_is_used(server->node, peer, now)) {
        return NAME_IS_USED;
    }
    return hf_node_takes(server->node, peer, now)
               ? NULL
               : "another process of this name is heard";
}

/* Not at once: the others may be about to notice that the one before us, which
 * ran elsewhere, is dead. But before we would start a cluster of our own. */
static void on_refused(void *user, const char *reason)
{
    struct hf_server *server = user;
    bool used =
        strcmp(reason, NAME_IS_USED) == 0 ||
        strncmp(reason, HF_REFUSAL_OUR_NAME, strlen(HF_REFUSAL_OUR_NAME)) == 0;
    if (!used || server->name_is_used || server->closing ||
        hf_clock_now() - server->started_at < NAME_WAIT_MS) {
        return;
    }
    hf_node_get_status(server->node, &server->status);
    if (server->status.state == HF_STATE_STARTING) {
        hf_log(&server->log, HF_LOG_ERROR,
               "another node of cluster '%s' is alive under the name '%s' "
               "(setting name): this one does not start",
               server->config.cluster_name, server->config.name);
        server->name_is_used = true;
        uv_stop(&server->loop);
    }
}

static void on_self(void *user, const struct hf_address *address)
{
    struct hf_event event = {.type = HF_EVENT_SELF};
    event.self = address;
    hf_server_step(user, &event);
}

static void do_send(void *user, hf_node_id to, hf_incarnation incarnation,
                    const struct hf_message *message)
{
    struct hf_server *server = user;
    hf_links_send(server->links, to, incarnation, message);
}

static void do_reply(void *user, uint64_t client, uint64_t tag,
                     const struct hf_reply *reply)
{
    struct hf_server *server = user;
    if (client == HF_LIBRARY_CLIENT) {
        hf_library_answer(server->library, tag, reply);
        return;
    }
    hf_clients_reply(server->clients, client, tag, reply);
}

static void do_connect(void *user, const struct hf_address *address)
{
    struct hf_server *server = user;
    hf_links_connect(server->links, address);
}

static void do_forget(void *user, const struct hf_address *address)
{
    struct hf_server *server = user;
    hf_links_forget(server->links, address);
}

static void do_probe(void *user, const struct hf_address *address,
                     uint64_t token)
{
    struct hf_server *server = user;
    hf_links_probe(server->links, address, token);
}

static size_t do_queued(void *user, hf_node_id to)
{
    const struct hf_server *server = user;
    return hf_links_queued(server->links, to);
}

static void do_subscribers(void *user, const struct hf_command *command,
                           struct hf_buffer *tokens)
{
    struct hf_server *server = user;
    hf_clients_ask_subscribers(server->clients, command, tokens);
}

static void do_listened(void *user)
{
    struct hf_server *server = user;
    hf_clients_listened(server->clients);
}

/* The turn. */

static void server_arm_deadline(struct hf_server *server)
{
    hf_time at = hf_node_deadline(server->node);
    hf_time clients_at = hf_clients_deadline(server->clients);
    at = clients_at < at ? clients_at : at;
    if (at == server->deadline_at) {
        return;
    }
    server->deadline_at = at;
    if (at == HF_NEVER) {
        uv_timer_stop(&server->deadline);
        return;
    }
    hf_time wait_ms = at - hf_clock_now();
    uv_update_time(&server->loop); /* The timer counts from there. */
    uv_timer_start(&server->deadline, on_deadline,
                   wait_ms < 0 ? 0 : (uint64_t)wait_ms, 0);
}

static void on_again(uv_idle_t *again)
{
    (void)again; /* That it is active keeps the loop from waiting. */
}

static void server_end_turn(struct hf_server *server, bool more)
{
    struct hf_event event = {.type = HF_EVENT_TURN_END};
    if (server->stepped) {
        hf_server_step(server, &event);
        server->stepped = false;
    }
    hf_links_flush(server->links);
    more = hf_clients_flush(server->clients) || more;
    if (more) {
        uv_idle_start(&server->again, on_again);
    } else {
        uv_idle_stop(&server->again);
    }
    server_arm_deadline(server);
}

static void on_prepare(uv_prepare_t *prepare)
{
    struct hf_server *server = prepare->data;
    bool more = uv_is_active((const uv_handle_t *)&server->again);
    hf_links_poll(server->links);
    server_end_turn(server, more); /* What timers did, before we wait. */
    if (hf_turns_end(&server->turns, uv_hrtime())) {
        hf_turns_cpu(&server->turns, hf_clock_thread_cpu_ns());
    }
}

/* Peers first: a client's answer waits for them, seldom the other way. Both
 * have so much time in each turn, so that neither holds up the other, nor the
 * timers: who has more to say gets another turn at once. */
static void on_check(uv_check_t *check)
{
    struct hf_server *server = check->data;
    server_turn_begin(server); /* If nothing stepped the node yet. */
    hf_links_poll(server->links);
    bool more = hf_links_run(server->links);
    hf_clients_run(server->clients);
    server_end_turn(server, more);
}

/* Once closing, the loop has to run until everything is closed. */
static void on_stop(uv_async_t *stop)
{
    const struct hf_server *server = stop->data;
    if (!server->closing) {
        uv_stop(stop->loop);
    }
}

static void on_drain(uv_async_t *asked)
{
    hf_server_drain_begin(asked->data);
}

/* Starting. */

static uint64_t random_number(void)
{
    uint64_t number = 0;
    HF_ASSERT(uv_random(NULL, NULL, &number, sizeof(number), 0, NULL) == 0);
    return number;
}

static void run_id_draw(char *text)
{
    uint8_t bytes[HF_INFO_RUN_ID_BYTES / 2];
    HF_ASSERT(uv_random(NULL, NULL, bytes, sizeof(bytes), 0, NULL) == 0);
    for (size_t i = 0; i < sizeof(bytes); i++) {
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    }
}

/* Peers must find descriptors even when clients take all they can get. */
static void clients_max_lower(struct hf_server *server)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 ||
        limit.rlim_cur == RLIM_INFINITY) {
        return;
    }
    uint64_t files = limit.rlim_cur;
    uint64_t reserved = files / 2 < FILES_RESERVED ? files / 2 : FILES_RESERVED;
    uint64_t room = files - reserved;
    if (room == 0) {
        room = 1;
    }
    if (server->config.clients_max > room) {
        hf_log(&server->log, HF_LOG_WARNING,
               "max-clients lowered from %u to %llu: the limit of open files "
               "is %llu",
               (unsigned)server->config.clients_max, (unsigned long long)room,
               (unsigned long long)files);
        server->config.clients_max = (uint32_t)room;
    }
}

static int server_open_clients(struct hf_server *server, char *error,
                               size_t error_size)
{
    const struct hf_config *config = &server->config;
    size_t value_max = config->value_bytes_max;
    size_t command_max = 2 * value_max + ((size_t)1 << 20);
    const struct hf_clients_config clients_config = {
        .bind = config->bind,
        .port = config->port,
        .shared_port = config->nodes > 1,
        .clients_max = config->clients_max,
        .limits =
            {
                .argument_count_max = HF_ARGUMENT_COUNT_MAX,
                .bulk_bytes_max = value_max,
                .command_bytes_max = command_max < COMMAND_BYTES_MAX
                                         ? command_max
                                         : COMMAND_BYTES_MAX,
                .inline_bytes_max = INLINE_BYTES_MAX,
            },
        .cluster_name = config->cluster_name,
        .sentinel_name = config->sentinel_name,
        .output_bytes_soft = OUTPUT_BYTES_SOFT,
        .output_bytes_hard = OUTPUT_BYTES_HARD,
        .log = server->log,
    };
    const struct hf_clients_handler handler = {
        .user = server,
        .request = on_request,
        .expect = on_expect,
        .info = hf_server_info,
        .status = hf_server_status,
        .topology = hf_server_topology,
        .keys_in_slot = hf_server_keys_in_slot,
        .listen = on_listen,
        .events = on_events,
        .manage = hf_server_manage,
    };
    int rv = hf_clients_create(&server->clients, &server->loop, &server->mem,
                               &clients_config, &handler);
    if (rv != 0) {
        return hf_config_fail_listen(config, rv, "port", config->port, error,
                                     error_size);
    }
    server->config.port = hf_clients_port(server->clients);
    return hf_server_listen_more(server, error, error_size);
}

static int server_open_links(struct hf_server *server, char *error,
                             size_t error_size)
{
    const struct hf_config *config = &server->config;
    const struct hf_links_config links_config = {
        .bind = config->bind,
        .port = config->peer_port,
        .cluster_name = config->cluster_name,
        .random_seed = random_number(),
        .log = server->log,
    };
    const struct hf_links_handler handler = {
        .user = server,
        .link = on_link,
        .message = on_message,
        .expect = on_expect_messages,
        .probed = on_probed,
        .refuses = on_refuses,
        .refused = on_refused,
        .self = on_self,
    };
    int rv = hf_links_create(&server->links, &server->loop, &server->mem,
                             &links_config, &handler);
    if (rv != 0) {
        return hf_config_fail_listen(config, rv, "peer-port", config->peer_port,
                                     error, error_size);
    }
    server->config.peer_port = hf_links_port(server->links);
    return 0;
}

static void server_introduce(struct hf_server *server)
{
    const struct hf_config *config = &server->config;
    struct hf_peer_info *self = &server->self;
    memset(self, 0, sizeof(*self));
    hf_config_copy_text(self->name, sizeof(self->name), config->name);
    hf_config_copy_text(self->label, sizeof(self->label), config->host_label);
    hf_config_copy_text(self->host, sizeof(self->host), config->advertise);
    self->id = hf_hash(hf_slice_text(self->name));
    self->peer_port = config->peer_port;
    self->client_port = config->port;
    self->cluster_port = config->cluster_port;
    self->started_ms = (uint64_t)hf_clock_wall_ms();
    do {
        self->incarnation = random_number();
    } while (self->incarnation == 0); /* 0 means none. */
}

static int server_open_node(struct hf_server *server, char *error,
                            size_t error_size)
{
    const struct hf_config *config = &server->config;
    struct hf_node_config *node_config =
        hf_mem_alloc_zero(&server->mem, sizeof(*node_config));
    int rv = HF_ENOMEM;
    if (node_config != NULL && hf_server_open_scripts(server) == 0) {
        hf_node_config_init(node_config);
        node_config->scripts = &server->scripts;
        node_config->self = server->self;
        node_config->seed_count = config->seed_count;
        for (size_t i = 0; i < config->seed_count; i++) {
            struct hf_address *seed = &node_config->seeds[i];
            hf_config_copy_text(seed->host, sizeof(seed->host),
                                config->seeds[i].host);
            seed->port = config->seeds[i].port;
        }
        node_config->backups = config->backups;
        node_config->policy =
            (enum hf_partition_policy)config->partition_policy;
        node_config->hold_ms = config->hold_ms;
        node_config->touch_delay_ms = config->touch_delay_ms;
        hf_config_fences(config, &node_config->fences);
        node_config->value_bytes_max = config->value_bytes_max;
        node_config->events = hf_config_events(config);
        node_config->random_seed = random_number();
        node_config->log = server->log;
        rv = hf_node_create(&server->node, node_config, &server->mem,
                            hf_clock_now());
    }
    if (node_config != NULL) {
        hf_mem_free(&server->mem, node_config, sizeof(*node_config));
    }
    if (rv != 0) {
        snprintf(error, error_size, "cannot create the node: %s",
                 hf_strerror(rv));
    }
    return rv;
}

static void server_start(struct hf_server *server)
{
    struct hf_event event = {.type = HF_EVENT_TICK};
    server->outbox = (struct hf_outbox){
        .user = server,
        .send = do_send,
        .reply = do_reply,
        .connect = do_connect,
        .forget = do_forget,
        .probe = do_probe,
        .queued = do_queued,
        .subscribers = do_subscribers,
        .listened = do_listened,
    };
    uv_prepare_init(&server->loop, &server->prepare);
    uv_check_init(&server->loop, &server->check);
    uv_idle_init(&server->loop, &server->again);
    HF_ASSERT(uv_timer_init(&server->loop, &server->deadline) == 0);
    HF_ASSERT(uv_timer_init(&server->loop, &server->drain.watch) == 0);
    server->prepare.data = server;
    server->check.data = server;
    server->deadline.data = server;
    server->drain.watch.data = server;
    server->deadline_at = HF_NEVER;
    server->started_at = hf_clock_now();
    server->started = true;
    uv_prepare_start(&server->prepare, on_prepare);
    uv_check_start(&server->check, on_check);
    hf_links_start(server->links, &server->self);
    hf_server_step(server, &event); /* It looks for its seeds. */
}

static void server_say_ready(struct hf_server *server)
{
    const struct hf_config *config = &server->config;
    char clients[HF_CONFIG_HOST_MAX + 16];
    char peers[HF_CONFIG_HOST_MAX + 16];
    hf_host_port_text(config->bind, config->port, clients, sizeof(clients));
    hf_host_port_text(config->bind, config->peer_port, peers, sizeof(peers));
    hf_log(&server->log, HF_LOG_INFO,
           "holdfast " HF_VERSION ", node '%s' of cluster '%s', host label "
           "'%s', backups %u",
           config->name, config->cluster_name, config->host_label,
           config->backups);
    if (!hf_config_is_loopback(config->bind)) {
        hf_log(&server->log, HF_LOG_WARNING,
               "bound to %s, beyond this machine: there is no authentication "
               "yet, so anybody who can connect can read and write sessions",
               config->bind);
    }
    hf_log(&server->log, HF_LOG_INFO, "ready: clients on %s, peers on %s",
           clients, peers);
}

/* Stopping. */

static void on_handle_closed(uv_handle_t *handle)
{
    (void)handle;
}

static void on_part_stopped(void *user)
{
    struct hf_server *server = user;
    server->parts_stopping--;
}

static void on_guard(uv_timer_t *guard)
{
    struct hf_server *server = guard->data;
    server->gave_up = true;
    uv_stop(&server->loop);
}

static void on_parted(uv_timer_t *timer)
{
    struct hf_server *server = timer->data;
    server->parted = true;
}

/* Clients get the answers that are ready, or get ready just now, before they
 * are closed; also those that the kernel did not take at once. */
static void server_part(struct hf_server *server)
{
    uv_timer_t *timer = &server->drain.watch; /* There is no drain any more. */
    server->closing = true;
    hf_clients_drain(server->clients, HF_CLIENTS_DRAIN_REFUSE);
    uv_update_time(&server->loop);
    uv_timer_start(timer, on_parted, PARTING_MS, 0);
    while (!server->parted &&
           hf_clients_get_stats(server->clients)->connected > 0) {
        uv_run(&server->loop, UV_RUN_ONCE);
    }
}

static void server_close_turn(struct hf_server *server)
{
    if (server->started) {
        uv_close((uv_handle_t *)&server->prepare, on_handle_closed);
        uv_close((uv_handle_t *)&server->check, on_handle_closed);
        uv_close((uv_handle_t *)&server->again, on_handle_closed);
        uv_close((uv_handle_t *)&server->deadline, on_handle_closed);
        uv_close((uv_handle_t *)&server->drain.watch, on_handle_closed);
        server->started = false;
    }
}

/* Closes all but the stop handle, which others may still use. What does not
 * close in time stays, and gave_up says so. The sessions stay until the server
 * is freed: nobody reaches them any more. */
static void server_close_parts(struct hf_server *server)
{
    server->closing = true;
    server_close_turn(server);
    server->parts_stopping =
        (server->links != NULL ? 1u : 0u) + (server->clients != NULL ? 1u : 0u);
    if (server->links != NULL) {
        hf_links_stop(server->links, on_part_stopped, server);
    }
    if (server->clients != NULL) {
        hf_clients_stop(server->clients, on_part_stopped, server);
    }
    HF_ASSERT(uv_timer_init(&server->loop, &server->guard) == 0);
    server->guard.data = server;
    uv_update_time(&server->loop);
    uv_timer_start(&server->guard, on_guard, HF_SERVER_STOP_MS, 0);
    uv_unref((uv_handle_t *)&server->guard);
    uv_unref((uv_handle_t *)&server->stop);
    uv_unref((uv_handle_t *)&server->drain.asked);
    while (uv_run(&server->loop, UV_RUN_DEFAULT) != 0 && !server->gave_up) {
        /* Stopped before all was closed, by an earlier wish: go on. */
    }
    if (server->gave_up) {
        return;
    }
    HF_ASSERT(server->parts_stopping == 0);
    if (server->links != NULL) {
        hf_links_destroy(server->links);
        server->links = NULL;
    }
    if (server->clients != NULL) {
        hf_clients_destroy(server->clients);
        server->clients = NULL;
    }
    uv_close((uv_handle_t *)&server->guard, on_handle_closed);
    uv_run(&server->loop, UV_RUN_DEFAULT);
}

static int server_open(struct hf_server *server, char *error, size_t error_size)
{
    int rv = hf_config_check(&server->config, error, error_size);
    if (rv != 0) {
        return rv;
    }
    clients_max_lower(server);
    rv = server_open_clients(server, error, error_size);
    if (rv == 0) {
        rv = server_open_links(server, error, error_size);
    }
    if (rv == 0) {
        rv = hf_config_complete(&server->config, error, error_size);
    }
    if (rv == 0) {
        server_introduce(server);
        rv = server_open_node(server, error, error_size);
    }
    return rv;
}

static void server_free(struct hf_server *server)
{
    struct hf_mem system;
    uv_close((uv_handle_t *)&server->stop, on_handle_closed);
    uv_close((uv_handle_t *)&server->drain.asked, on_handle_closed);
    uv_run(&server->loop, UV_RUN_DEFAULT);
    HF_ASSERT(uv_loop_close(&server->loop) == 0);
    if (server->node != NULL) {
        hf_node_destroy(server->node);
    }
    hf_server_close_scripts(server);
    hf_pool_close(&server->pool);
    hf_mem_init_system(&system);
    system.used_bytes = sizeof(*server);
    hf_mem_free(&system, server, sizeof(*server));
}

int hf_server_create(struct hf_server **server, const struct hf_config *config,
                     char *error, size_t error_size)
{
    struct hf_mem system;
    hf_mem_init_system(&system);
    struct hf_server *made = hf_mem_alloc_zero(&system, sizeof(*made));
    if (made == NULL) {
        snprintf(error, error_size, "%s", hf_strerror(HF_ENOMEM));
        return HF_ENOMEM;
    }
    made->config = *config;
    made->log = (struct hf_log){
        .write = hf_logger_write,
        .user = &made->config,
        .level = (enum hf_log_level)config->log_level,
    };
    hf_pool_init(&made->pool);
    hf_mem_init_pool(&made->mem, &made->pool);
    run_id_draw(made->run_id);
    int rv = uv_loop_init(&made->loop);
    if (rv == 0) {
        made->stop.data = made;
        rv = uv_async_init(&made->loop, &made->stop, on_stop);
    }
    if (rv == 0) {
        made->drain.asked.data = made;
        rv = uv_async_init(&made->loop, &made->drain.asked, on_drain);
    }
    if (rv != 0) {
        snprintf(error, error_size, "cannot create a loop: %s",
                 uv_strerror(rv));
        hf_mem_free(&system, made, sizeof(*made));
        return HF_EIO;
    }
    rv = server_open(made, error, error_size);
    if (rv != 0) {
        server_close_parts(made);
        if (!made->gave_up) {
            server_free(made);
        }
        return rv;
    }
    server_start(made);
    *server = made;
    return 0;
}

uint16_t hf_server_port(const struct hf_server *server)
{
    return server->config.port;
}

uint16_t hf_server_peer_port(const struct hf_server *server)
{
    return server->config.peer_port;
}

int hf_server_run(struct hf_server *server)
{
    server_say_ready(server);
    uv_run(&server->loop, UV_RUN_DEFAULT);
    hf_log(&server->log, HF_LOG_INFO, "stopping");
    server_part(server);
    server_close_parts(server);
    hf_log(&server->log, HF_LOG_INFO, "stopped");
    if (server->gave_up) {
        return HF_EIO;
    }
    return server->name_is_used ? HF_EINUSE : 0;
}

bool hf_server_served(const struct hf_server *server)
{
    return hf_node_get_counters(server->node)->views > 0;
}

void hf_server_drain(struct hf_server *server)
{
    uv_async_send(&server->drain.asked);
}

void hf_server_stop(struct hf_server *server)
{
    uv_async_send(&server->stop);
}

void hf_server_destroy(struct hf_server *server)
{
    if (server->links != NULL && !server->gave_up) {
        server_close_parts(server); /* It never ran. */
    }
    if (!server->gave_up) {
        server_free(server);
    }
}
