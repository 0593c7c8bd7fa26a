#include "bench/pair.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/hash.h"
#include "core/placement.h"

#define PEER_PORT 17379
#define WALL_MS INT64_C(1700000000000)
#define SETTLE_MS 60000
#define TURNS_MAX 100

static void node_step(struct pair_node *self, struct hf_event *event);

static struct pair_node *other_of(struct pair_node *self)
{
    return &self->pair->nodes[self == &self->pair->nodes[0] ? 1 : 0];
}

/* What the node asks for. */

static void on_send(void *user, hf_node_id to, hf_incarnation incarnation,
                    const struct hf_message *message)
{
    struct pair_node *self = user;
    (void)to;
    (void)incarnation;
    if (!self->linked) {
        return;
    }
    struct hf_buffer *frame = &self->frames[hf_message_channel(message->type)];
    if (frame->size == 0) {
        hf_frame_begin(frame);
    }
    hf_peer_encode(frame, message);
}

static void on_reply(void *user, uint64_t client, uint64_t tag,
                     const struct hf_reply *reply)
{
    struct pair_node *self = user;
    (void)client;
    hf_connection_reply(&self->connection, tag, reply);
}

static void on_connect(void *user, const struct hf_address *address)
{
    struct pair_node *self = user;
    if (address->port == self->config.self.peer_port) {
        self->dials_itself = true;
    } else {
        self->dials_other = true;
    }
}

static void on_forget(void *user, const struct hf_address *address)
{
    (void)user;
    (void)address;
}

static void on_probe(void *user, const struct hf_address *address,
                     uint64_t token)
{
    struct pair_node *self = user;
    (void)address;
    self->probe = token;
}

static void on_request(void *user, struct hf_connection *connection,
                       uint64_t tag, const struct hf_command *command)
{
    struct hf_event event = {.type = HF_EVENT_REQUEST};
    event.request.client = connection->id;
    event.request.tag = tag;
    event.request.command = command;
    node_step(user, &event);
}

static void node_step(struct pair_node *self, struct hf_event *event)
{
    const struct hf_outbox outbox = {.user = self,
                                     .send = on_send,
                                     .reply = on_reply,
                                     .connect = on_connect,
                                     .forget = on_forget,
                                     .probe = on_probe};
    event->now = self->pair->now;
    event->wall_ms = WALL_MS + self->pair->now;
    hf_node_step(self->node, event, &outbox);
}

/* Links. */

static void link_up(struct pair_node *self, struct pair_node *peer, bool out)
{
    for (int i = 0; i < HF_CHANNEL_COUNT; i++) {
        struct hf_event event = {.type = HF_EVENT_LINK};
        event.link.peer = &peer->config.self;
        event.link.channel = (enum hf_channel)i;
        event.link.out = out;
        event.link.up = true;
        node_step(self, &event);
    }
}

static void node_dial(struct pair_node *self)
{
    if (self->dials_itself) {
        struct hf_address address = {.port = self->config.self.peer_port};
        memcpy(address.host, self->config.self.host, sizeof(address.host));
        struct hf_event event = {.type = HF_EVENT_SELF, .self = &address};
        self->dials_itself = false;
        node_step(self, &event);
    }
    if (self->dials_other && !self->linked) {
        self->linked = true;
        link_up(self, other_of(self), true);
        link_up(other_of(self), self, false);
    }
}

static void frame_take(struct pair_node *self, int channel,
                       const struct hf_buffer *frame)
{
    struct pair_node *peer = other_of(self);
    struct hf_frame_header header;
    const char *reason;
    struct hf_slice payload = {frame->data + HF_FRAME_HEADER_BYTES,
                               frame->size - HF_FRAME_HEADER_BYTES};
    HF_ASSERT(hf_frame_read_header(frame->data, &header, &reason) == 0);
    HF_ASSERT(hf_frame_is_intact(frame->data, payload));
    HF_ASSERT(hf_link_judge(&self->receivers[channel], &header) ==
              HF_LINK_DELIVER);
    struct hf_reader reader = hf_reader_of(payload);
    struct hf_message message;
    int result;
    while ((result = hf_peer_decode(&reader, &self->scratch, &message)) == 1) {
        struct hf_event event = {.type = HF_EVENT_MESSAGE};
        event.message.from = peer->config.self.id;
        event.message.incarnation = peer->config.self.incarnation;
        event.message.message = &message;
        node_step(self, &event);
    }
    HF_ASSERT(result == 0);
}

/* Takes what the other sent in its last turn. */
static void node_poll(struct pair_node *self)
{
    if (self->pair->count == 1) {
        return;
    }
    struct pair_node *peer = other_of(self);
    for (int i = 0; i < HF_CHANNEL_COUNT; i++) {
        struct hf_buffer *frame = &peer->frames[i];
        if (frame->size > 0) {
            hf_frame_seal(frame, 1 + (uint64_t)i, ++peer->sequences[i],
                          self->config.self.incarnation);
            HF_ASSERT(!frame->failed);
            frame_take(self, i, frame);
            hf_buffer_clear(frame);
        }
    }
}

static void node_end_turn(struct pair_node *self)
{
    struct hf_event event = {.type = HF_EVENT_TURN_END};
    node_step(self, &event);
    node_dial(self);
    if (self->probe != 0) { /* Nobody dies here. */
        struct hf_event probed = {.type = HF_EVENT_PROBED};
        probed.probed.token = self->probe;
        probed.probed.result = HF_PROBE_CONNECTED;
        self->probe = 0;
        node_step(self, &probed);
    }
}

static void tick(struct pair *pair)
{
    struct hf_event event = {.type = HF_EVENT_TICK};
    pair->now++;
    for (unsigned i = 0; i < pair->count; i++) {
        if (pair->now >= hf_node_deadline(pair->nodes[i].node)) {
            node_step(&pair->nodes[i], &event);
        }
    }
}

static void turn(struct pair *pair)
{
    if (++pair->turns % PAIR_TURNS_PER_MS == 0) {
        tick(pair);
    }
    for (unsigned i = 0; i < pair->count; i++) {
        node_poll(&pair->nodes[i]);
        node_end_turn(&pair->nodes[i]);
    }
}

/* Life. */

static void config_init(struct hf_node_config *config, unsigned number)
{
    hf_node_config_init(config);
    struct hf_peer_info *self = &config->self;
    (void)snprintf(self->name, sizeof(self->name), "n%u", number + 1);
    (void)snprintf(self->label, sizeof(self->label), "rack%u", number + 1);
    (void)snprintf(self->host, sizeof(self->host), "10.0.0.%u", number + 1);
    self->id = hf_hash(hf_slice_text(self->name));
    self->incarnation = 77 + number;
    self->started_ms = (uint64_t)WALL_MS;
    self->peer_port = (uint16_t)(PEER_PORT + number);
    self->client_port = (uint16_t)(7379 + number);
    config->backups = 1;
    config->random_seed = 1 + number;
}

static void node_open(struct pair *pair, unsigned number)
{
    struct pair_node *self = &pair->nodes[number];
    self->pair = pair;
    hf_pool_init(&self->pool);
    hf_mem_init_pool(&self->mem, &self->pool);
    config_init(&self->config, number);
    self->config.seed_count = pair->count;
    for (unsigned i = 0; i < pair->count; i++) {
        struct hf_address *seed = &self->config.seeds[i];
        (void)snprintf(seed->host, sizeof(seed->host), "10.0.0.%u", i + 1);
        seed->port = (uint16_t)(PEER_PORT + i);
    }
    pair->host[number] = (struct hf_connection_host){
        .user = self,
        .request = on_request,
        .limits = {HF_ARGUMENT_COUNT_MAX, (size_t)1 << 24, (size_t)1 << 25,
                   (size_t)1 << 16},
        .output_bytes_soft = (size_t)1 << 20,
        .output_bytes_hard = (size_t)64 << 20,
    };
    hf_connection_init(&self->connection, &pair->host[number], &self->mem, 1,
                       "10.0.0.9:50000");
    for (int i = 0; i < HF_CHANNEL_COUNT; i++) {
        hf_buffer_init(&self->frames[i], &self->mem);
        self->receivers[i] = (struct hf_link_receiver){
            .session = 1 + (uint64_t)i, .self = self->config.self.incarnation};
    }
    hf_peer_scratch_init(&self->scratch, &self->mem);
    HF_ASSERT(
        hf_node_create(&self->node, &self->config, &self->mem, pair->now) == 0);
}

static bool pair_is_settled(const struct pair *pair)
{
    for (unsigned i = 0; i < pair->count; i++) {
        static struct hf_node_status status;
        hf_node_get_status(pair->nodes[i].node, &status);
        if (!status.settled || status.member_count != pair->count) {
            return false;
        }
    }
    return true;
}

void pair_open(struct pair *pair, unsigned count)
{
    HF_ASSERT(count >= 1 && count <= PAIR_NODES_MAX);
    memset(pair, 0, sizeof(*pair));
    pair->count = count;
    pair->now = 5000;
    for (unsigned i = 0; i < count; i++) {
        node_open(pair, i);
    }
    struct hf_event event = {.type = HF_EVENT_TICK};
    for (unsigned i = 0; i < count; i++) {
        node_step(&pair->nodes[i], &event);
    }
    while (!pair_is_settled(pair)) {
        HF_ASSERT(pair->now < SETTLE_MS);
        tick(pair);
        turn(pair);
    }
}

void pair_close(struct pair *pair)
{
    for (unsigned n = 0; n < pair->count; n++) {
        struct pair_node *self = &pair->nodes[n];
        hf_node_destroy(self->node);
        hf_connection_close(&self->connection);
        hf_peer_scratch_close(&self->scratch);
        for (int i = 0; i < HF_CHANNEL_COUNT; i++) {
            hf_buffer_close(&self->frames[i]);
        }
        HF_ASSERT(self->mem.used_bytes == 0);
        hf_pool_close(&self->pool);
    }
}

bool pair_is_primary(const struct pair *pair, unsigned node,
                     struct hf_slice key)
{
    return hf_node_serves(pair->nodes[node].node, hf_partition_of_key(key),
                          pair->now);
}

void pair_ask(struct pair *pair, unsigned node, struct hf_slice commands,
              size_t answer_bytes)
{
    struct hf_connection *connection = &pair->nodes[node].connection;
    hf_connection_receive(connection, commands);
    for (unsigned turns = 0; connection->output.size < answer_bytes; turns++) {
        HF_ASSERT(turns < TURNS_MAX);
        turn(pair);
    }
    HF_ASSERT(connection->output.size == answer_bytes);
    hf_buffer_clear(&connection->output);
}
