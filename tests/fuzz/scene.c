#include "fuzz/scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/hash.h"

#define START 5000
#define WALL_MS INT64_C(1700000000000)
#define LINEAGE 77
#define CLUSTER 4242
#define EPOCH (((hf_epoch)1 << 32) | 1)
/* Of one node. Without sessions it has two megabytes; a script of a kilobyte
 * may not make it have much more. */
#define MEMORY_MAX ((size_t)12 << 20)
#define CLIENT 42
#define FENCE_MS 5000
/* A transaction of a script has no more steps than bytes. */
#define CLIENTS_ROUNDS_MAX 4096

static void heard(struct scene_node *node, unsigned who,
                  const struct hf_message *message);

/* What a node does. */

static unsigned who_is(const struct scene *scene, hf_node_id id,
                       hf_incarnation incarnation)
{
    for (unsigned i = 0; i < SCENE_PEOPLE; i++) {
        if (scene->people[i].id == id &&
            scene->people[i].incarnation == incarnation) {
            return i;
        }
    }
    return SCENE_PEOPLE;
}

static void packet_push(struct scene_node *node, unsigned from,
                        struct hf_slice bytes)
{
    if (node->packet_count == SCENE_PACKETS_MAX) {
        scene_drop(node, 0);
    }
    struct scene_packet *packet = &node->packets[node->packet_count++];
    *packet = (struct scene_packet){
        .from = from,
        .incarnation = node->scene->people[from].incarnation,
        .size = bytes.size,
        .bytes = malloc(bytes.size),
    };
    HF_ASSERT(packet->bytes != NULL);
    memcpy(packet->bytes, bytes.data, bytes.size);
}

/* What is sent can be read, and says the same. */
static void on_send(void *user, hf_node_id to, hf_incarnation incarnation,
                    const struct hf_message *message)
{
    struct scene_node *node = user;
    struct scene *scene = node->scene;
    hf_buffer_clear(&scene->bytes);
    hf_buffer_clear(&scene->again);
    hf_peer_encode(&scene->bytes, message);
    HF_ASSERT(!scene->bytes.failed);
    struct hf_slice bytes = hf_buffer_slice(&scene->bytes);
    struct hf_reader reader = hf_reader_of(bytes);
    struct hf_message decoded;
    HF_ASSERT(hf_peer_decode(&reader, &scene->scratch, &decoded) == 1);
    HF_ASSERT(hf_reader_left(&reader) == 0);
    hf_peer_encode(&scene->again, &decoded);
    HF_ASSERT(hf_slice_equal(bytes, hf_buffer_slice(&scene->again)));

    unsigned who = who_is(scene, to, incarnation);
    if (who < scene->real_count) {
        packet_push(&scene->nodes[who], node->number, bytes);
    } else if (who < SCENE_PEOPLE) {
        heard(node, who, &decoded);
    }
}

static void on_reply(void *user, uint64_t client, uint64_t tag,
                     const struct hf_reply *reply)
{
    struct scene_node *node = user;
    struct scene *scene = node->scene;
    if (client == CLIENT) {
        HF_ASSERT(tag < SCENE_REQUESTS_MAX);
        HF_ASSERT(node->asked[tag]);
        node->asked[tag] = false;
    } else {
        clients_reply(&node->clients, client, tag, reply);
    }
    hf_buffer_clear(&scene->bytes);
    hf_reply_encode(reply, &scene->bytes);
    struct hf_reply decoded;
    HF_ASSERT(hf_reply_decode(hf_buffer_slice(&scene->bytes), &decoded));
}

static void on_address(void *user, const struct hf_address *address)
{
    (void)user;
    HF_ASSERT(memchr(address->host, '\0', sizeof(address->host)) != NULL);
}

static void on_probe(void *user, const struct hf_address *address,
                     uint64_t token)
{
    (void)token;
    on_address(user, address);
}

static void on_subscribers(void *user, const struct hf_command *command,
                           struct hf_buffer *tokens)
{
    struct scene_node *node = user;
    clients_subscribers(&node->clients, command, tokens);
}

static void on_listened(void *user)
{
    struct scene_node *node = user;
    clients_listened(&node->clients);
}

static size_t on_queued(void *user, hf_node_id to)
{
    (void)user;
    return (size_t)(to & 0xffff);
}

void scene_step(struct scene_node *node, struct hf_event *event)
{
    const struct hf_outbox outbox = {.user = node,
                                     .send = on_send,
                                     .reply = on_reply,
                                     .connect = on_address,
                                     .forget = on_address,
                                     .queued = on_queued,
                                     .subscribers = on_subscribers,
                                     .listened = on_listened,
                                     .probe = on_probe};
    if (node->node == NULL) {
        return;
    }
    event->now = node->scene->now;
    event->wall_ms = WALL_MS + event->now + node->scene->wall_offset_ms;
    hf_node_step(node->node, event, &outbox);
    HF_ASSERT(node->failing.mem.used_bytes <= MEMORY_MAX);
}

/* What puppets do. */

/* A puppet is wherever a real node is: it has the copies it should have. */
static void answer_positions(struct scene_node *node, unsigned who)
{
    static struct hf_position positions[HF_PARTITION_COUNT];
    const struct hf_view *view = node->node->view;
    struct hf_message message = {.type = HF_MESSAGE_POSITIONS,
                                 .positions = {.epoch = view->epoch,
                                               .last = true,
                                               .positions = positions}};
    uint8_t member = hf_view_find_id(view, node->scene->people[who].id);
    for (uint16_t p = 0; member != HF_MEMBER_NONE && p < HF_PARTITION_COUNT;
         p++) {
        if ((hf_view_copies(view, p) & hf_member_set_of(member)) != 0) {
            positions[message.positions.count++] = (struct hf_position){
                p, node->node->partitions[p].version, HF_SESSIONS_END};
        }
    }
    scene_send(node, who, &message);
}

static void answer_heartbeat(struct scene_node *node, unsigned who,
                             const struct hf_heartbeat *beat)
{
    struct hf_message message = {
        .type = HF_MESSAGE_HEARTBEAT,
        .heartbeat = *beat,
    };
    message.heartbeat.sent_at = node->scene->now;
    message.heartbeat.echo = beat->sent_at;
    message.heartbeat.reach = ~(hf_member_set)0;
    message.heartbeat.leaving = HF_LEAVING_NO;
    message.heartbeat.ops_finished = 0;
    scene_send(node, who, &message);
}

static void answer(struct scene_node *node, unsigned who,
                   const struct hf_message *message)
{
    struct hf_message back;
    memset(&back, 0, sizeof(back));
    switch (message->type) {
    case HF_MESSAGE_HEARTBEAT:
        answer_heartbeat(node, who, &message->heartbeat);
        return;
    case HF_MESSAGE_POSITIONS:
        if (message->positions.last) {
            answer_positions(node, who);
        }
        return;
    case HF_MESSAGE_PREPARE:
        back.type = HF_MESSAGE_PROMISE;
        back.promise.ballot = message->prepare.ballot;
        back.promise.base = message->prepare.base;
        back.promise.fresh = message->prepare.dead;
        break;
    case HF_MESSAGE_ACCEPT:
        back.type = HF_MESSAGE_ACCEPTED;
        back.accepted.ballot = message->accept.ballot;
        back.accepted.base = message->accept.base;
        break;
    case HF_MESSAGE_FORWARD:
        back.type = HF_MESSAGE_RESULT;
        back.result.number = message->forward.number;
        back.result.reply = hf_reply_integer(1);
        break;
    case HF_MESSAGE_RECORD:
        back.type = HF_MESSAGE_ACK;
        back.ack.epoch = message->record.epoch;
        back.ack.number = message->record.number;
        break;
    case HF_MESSAGE_MERGE:
        back.type = HF_MESSAGE_MERGED;
        back.merged.epoch = message->merge.epoch;
        back.merged.lineage = message->merge.lineage;
        back.merged.held = message->merge.held;
        back.merged.partition = message->merge.partition;
        back.merged.to = message->merge.to;
        break;
    default:
        return;
    }
    scene_send(node, who, &back);
}

static void heard(struct scene_node *node, unsigned who,
                  const struct hf_message *message)
{
    struct scene_heard *last = &node->heard[who];
    switch (message->type) {
    case HF_MESSAGE_HEARTBEAT:
        last->sent_at = message->heartbeat.sent_at;
        break;
    case HF_MESSAGE_RECORD:
        last->record = message->record.number;
        break;
    case HF_MESSAGE_FORWARD:
        last->forward = message->forward.number;
        break;
    case HF_MESSAGE_PREPARE:
        last->ballot = message->prepare.ballot;
        break;
    case HF_MESSAGE_ACCEPT:
        last->ballot = message->accept.ballot;
        break;
    case HF_MESSAGE_PULL:
        last->pull = message->pull;
        break;
    default:
        break;
    }
    if ((node->scene->obedient & (1u << who)) != 0) {
        answer(node, who, message);
    }
}

/* Life and death. */

static void person_init(struct hf_peer_info *person, const char *name,
                        hf_incarnation incarnation)
{
    *person = (struct hf_peer_info){.incarnation = incarnation,
                                    .started_ms = (uint64_t)WALL_MS,
                                    .peer_port = 17379,
                                    .client_port = 7379,
                                    .cluster_port = 7380};
    (void)snprintf(person->name, sizeof(person->name), "%s", name);
    (void)snprintf(person->label, sizeof(person->label), "rack-%s", name);
    (void)snprintf(person->host, sizeof(person->host), "host-%s", name);
    person->id = hf_hash(hf_slice_text(person->name));
}

static void people_init(struct scene *scene)
{
    static const char *const names[SCENE_PEOPLE] = {"a", "b", "c", "p",
                                                    "q", "r", "p", "s"};
    for (unsigned i = 0; i < SCENE_PEOPLE; i++) {
        person_init(&scene->people[i], names[i], 100 + i);
    }
    scene->people[SCENE_RESTARTED].started_ms++;
    scene->people[SCENE_PUPPET + 1].cluster_port = 0; /* Others stand in. */
}

static void node_start(struct scene_node *node)
{
    clients_init(&node->clients, node);
    node->config.self = node->scene->people[node->number];
    node->config.random_seed = node->config.self.incarnation;
    int error = hf_node_create(&node->node, &node->config, &node->failing.mem,
                               node->scene->now);
    if (error != 0) {
        HF_ASSERT(node->failing.failed);
        node->node = NULL;
    }
}

static void node_init(struct scene *scene, unsigned number)
{
    struct scene_node *node = &scene->nodes[number];
    node->scene = scene;
    node->number = number;
    failing_mem_init(&node->failing);
    hf_node_config_init(&node->config);
    node->config.backups = scene->view.backups;
    node->config.policy = (enum hf_partition_policy)scene->view.policy;
    node->config.value_bytes_max = 2048;
    node->config.held_bytes_max = (size_t)32 << 10;
    node->config.stream_bytes_max = (size_t)64 << 10;
    node->config.learn_bytes_max = (size_t)8 << 10;
    node->config.fences.lifetime_ms = FENCE_MS;
    node->config.scripts = &clients_engine;
    bool added =
        hf_fence_rules_add(&node->config.fences, HF_SLICE_LITERAL("k1"));
    HF_ASSERT(added);
    for (unsigned i = 0; i < scene->real_count; i++) {
        struct hf_address *seed = &node->config.seeds[i];
        memcpy(seed->host, scene->people[i].host, sizeof(seed->host));
        seed->port = scene->people[i].peer_port;
    }
    node->config.seed_count = scene->real_count;
    node_start(node);
}

struct scene *scene_open(unsigned real_count, unsigned puppet_count,
                         uint8_t backups, enum hf_partition_policy policy)
{
    HF_ASSERT(real_count >= 1 && real_count <= SCENE_REAL_MAX);
    HF_ASSERT(puppet_count <= SCENE_RESTARTED - SCENE_PUPPET);
    struct scene *scene = calloc(1, sizeof(*scene));
    HF_ASSERT(scene != NULL);
    scene->now = START;
    scene->real_count = real_count;
    scene->puppet_count = puppet_count;
    hf_mem_init_system(&scene->mem);
    hf_peer_scratch_init(&scene->scratch, &scene->mem);
    hf_buffer_init(&scene->bytes, &scene->mem);
    hf_buffer_init(&scene->again, &scene->mem);
    people_init(scene);
    scene->view = (struct hf_view){.epoch = EPOCH,
                                   .founded_ms = (uint64_t)WALL_MS,
                                   .cluster = CLUSTER,
                                   .backups = backups,
                                   .policy = (uint8_t)policy,
                                   .lineage_count = 1,
                                   .lineages = {{.id = LINEAGE}}};
    for (unsigned i = 0; i < real_count; i++) {
        node_init(scene, i);
        scene->view.members[scene->view.member_count++] = scene->people[i];
    }
    for (unsigned i = 0; i < puppet_count; i++) {
        scene->view.members[scene->view.member_count++] =
            scene->people[SCENE_PUPPET + i];
    }
    return scene;
}

static void node_stop(struct scene_node *node)
{
    while (node->packet_count > 0) {
        scene_drop(node, 0);
    }
    clients_close(&node->clients);
    hf_node_destroy(node->node);
    node->node = NULL;
    failing_mem_close(&node->failing);
    memset(node->asked, 0, sizeof(node->asked));
    memset(node->heard, 0, sizeof(node->heard));
}

void scene_close(struct scene *scene)
{
    for (unsigned i = 0; i < scene->real_count; i++) {
        node_stop(&scene->nodes[i]);
    }
    hf_peer_scratch_close(&scene->scratch);
    hf_buffer_close(&scene->bytes);
    hf_buffer_close(&scene->again);
    HF_ASSERT(scene->mem.used_bytes == 0);
    free(scene);
}

static void link_all(struct scene_node *node, unsigned who, bool up)
{
    for (unsigned i = 0; i < 4; i++) {
        scene_link(node, who,
                   (i & 1) != 0 ? HF_CHANNEL_DATA : HF_CHANNEL_CONTROL,
                   (i & 2) != 0, up, !up);
    }
}

void scene_restart(struct scene_node *node)
{
    struct scene *scene = node->scene;
    node_stop(node);
    for (unsigned i = 0; i < scene->real_count; i++) {
        if (i != node->number) {
            link_all(&scene->nodes[i], node->number, false);
        }
    }
    scene->people[node->number].incarnation += SCENE_PEOPLE;
    scene->people[node->number].started_ms++;
    node_start(node);
}

/* What happens. */

struct scene_node *scene_node(struct scene *scene, unsigned number)
{
    return &scene->nodes[number % scene->real_count];
}

void scene_link(struct scene_node *node, unsigned who, enum hf_channel channel,
                bool out, bool up, bool abrupt)
{
    const struct hf_peer_info *info = &node->scene->people[who];
    if (node->node == NULL || who == node->number ||
        (up && (!hf_node_takes(node->node, info, node->scene->now) ||
                hf_node_name_is_used(node->node, info, node->scene->now)))) {
        return;
    }
    struct hf_event event = {
        .type = HF_EVENT_LINK,
        .link = {.peer = info,
                 .channel = channel,
                 .out = out,
                 .up = up,
                 .abrupt = abrupt},
    };
    scene_step(node, &event);
}

void scene_send(struct scene_node *node, unsigned from,
                const struct hf_message *message)
{
    struct hf_buffer bytes;
    hf_buffer_init(&bytes, &node->scene->mem);
    hf_peer_encode(&bytes, message);
    HF_ASSERT(!bytes.failed);
    packet_push(node, from, hf_buffer_slice(&bytes));
    hf_buffer_close(&bytes);
}

void scene_drop(struct scene_node *node, size_t index)
{
    HF_ASSERT(index < node->packet_count);
    free(node->packets[index].bytes);
    node->packet_count--;
    memmove(&node->packets[index], &node->packets[index + 1],
            (node->packet_count - index) * sizeof(node->packets[0]));
}

/* Sending from within a step uses the scratch of the scene, so this has one
 * of its own. */
void scene_deliver(struct scene_node *node, size_t index, bool keep)
{
    struct scene *scene = node->scene;
    struct scene_packet packet = node->packets[index];
    struct hf_peer_scratch scratch;
    hf_peer_scratch_init(&scratch, &scene->mem);
    uint8_t *bytes = malloc(packet.size);
    HF_ASSERT(bytes != NULL);
    memcpy(bytes, packet.bytes, packet.size);
    struct hf_reader reader = {.data = bytes, .size = packet.size};
    if (!keep) {
        scene_drop(node, index);
    }
    struct hf_message message;
    int status;
    while ((status = hf_peer_decode(&reader, &scratch, &message)) == 1) {
        struct hf_event event = {.type = HF_EVENT_MESSAGE,
                                 .message = {scene->people[packet.from].id,
                                             packet.incarnation, &message}};
        scene_step(node, &event);
    }
    if (status != 0) {
        scene_link(node, packet.from, HF_CHANNEL_DATA, false, false, false);
    }
    hf_peer_scratch_close(&scratch);
    free(bytes);
}

static void node_turn(struct scene_node *node)
{
    for (size_t count = node->packet_count; count > 0; count--) {
        if (node->packet_count > 0) {
            scene_deliver(node, 0, false);
        }
    }
    if (node->node != NULL &&
        hf_node_deadline(node->node) <= node->scene->now) {
        struct hf_event tick = {.type = HF_EVENT_TICK};
        scene_step(node, &tick);
    }
    struct hf_event end = {.type = HF_EVENT_TURN_END};
    scene_step(node, &end);
    clients_turn(&node->clients);
}

void scene_run(struct scene *scene, unsigned rounds, hf_time ms)
{
    for (unsigned round = 0; round < rounds; round++) {
        scene->now += ms;
        for (unsigned i = 0; i < scene->real_count; i++) {
            node_turn(&scene->nodes[i]);
        }
    }
}

void scene_join(struct scene *scene)
{
    struct hf_owners owners[HF_PARTITION_COUNT];
    hf_view_targets(&scene->view, owners);
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        struct hf_acting *acting = &scene->view.acting[p];
        acting->count = owners[p].count;
        acting->empty = true;
        memcpy(acting->members, owners[p].members, owners[p].count);
    }
    struct hf_message message = {.type = HF_MESSAGE_VIEW, .view = &scene->view};
    for (unsigned i = 0; i < scene->real_count; i++) {
        for (unsigned who = 0; who < SCENE_PEOPLE; who++) {
            if (who < scene->real_count ||
                (who >= SCENE_PUPPET &&
                 who < SCENE_PUPPET + scene->puppet_count) ||
                who == SCENE_STRANGER) {
                link_all(&scene->nodes[i], who, true);
            }
        }
        scene_send(&scene->nodes[i], SCENE_STRANGER, &message);
    }
}

void scene_ask(struct scene_node *node, const struct hf_command *command)
{
    struct scene *scene = node->scene;
    if (node->node == NULL || scene->tags == SCENE_REQUESTS_MAX) {
        return;
    }
    struct hf_event event = {.type = HF_EVENT_REQUEST};
    event.request.client = CLIENT;
    event.request.tag = scene->tags++;
    event.request.command = command;
    node->asked[event.request.tag] = true;
    scene_step(node, &event);
}

static void all_answered(const struct scene *scene)
{
    for (unsigned i = 0; i < scene->real_count; i++) {
        for (uint64_t tag = 0; tag < scene->tags; tag++) {
            HF_ASSERT(!scene->nodes[i].asked[tag]);
        }
    }
}

/* Transactions take many steps, each of which may wait. */
static void clients_end(struct scene *scene)
{
    unsigned rounds = 0;
    for (unsigned i = 0; i < scene->real_count; i++) {
        struct scene_node *node = &scene->nodes[i];
        while (node->node != NULL && !clients_finish(&node->clients)) {
            HF_ASSERT(rounds++ < CLIENTS_ROUNDS_MAX);
            scene_run(scene, 1, 100);
        }
    }
}

void scene_end(struct scene *scene)
{
    static const struct hf_slice argv[] = {{(const uint8_t *)"SET", 3},
                                           {(const uint8_t *)"k1", 2},
                                           {(const uint8_t *)"v", 1}};
    const struct hf_command command = {
        .row = hf_command_find(argv[0]), .argc = 3, .argv = argv};
    scene->obedient = 0;
    for (unsigned i = 0; i < scene->real_count; i++) {
        struct scene_node *node = &scene->nodes[i];
        failing_mem_fail_nth(&node->failing, 0);
        for (unsigned who = SCENE_PUPPET; who < SCENE_PEOPLE; who++) {
            link_all(node, who, false);
        }
    }
    scene_run(scene, 8, 100);
    all_answered(scene);
    clients_end(scene);
    for (unsigned i = 0; i < scene->real_count; i++) {
        scene_ask(&scene->nodes[i], &command);
    }
    scene_run(scene, 8, 100);
    all_answered(scene);
    for (unsigned i = 0; i < scene->real_count; i++) {
        struct hf_node_status status;
        const struct hf_node *node = scene->nodes[i].node;
        if (node != NULL) {
            hf_node_get_status(node, &status);
            (void)hf_node_serves(node, 0, scene->now);
        }
    }
}
