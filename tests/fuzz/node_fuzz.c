/* node_fuzz.c - Any message in any state, against real nodes.
 *
 *   input: how many real nodes, puppets and backups, then steps: a kind and
 *          what that kind takes
 *
 * A script for tests/fuzz/scene.h. Its steps deliver what real nodes sent
 * each other, in any order, changed or repeated; make up messages of every
 * type, with fields near what the node expects or far off; and let time pass,
 * links break, memory run out, nodes stop and clients ask, on connections of
 * the plain port and of that for the cluster protocol, or without one.
 *
 * Peers that lie break promises about data. What is judged here is what even
 * they must not get: a crash, undefined behaviour, a leak, memory without
 * bound, a client that waits forever. */
#include <string.h>

#include "base/assert.h"
#include "fuzz/script.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUT_MAX 4096
#define STEPS_MAX 400
#define JUMP_MAX INT64_C(100000000000)

/* Messages. */

static void make_heartbeat(struct script *s, struct hf_heartbeat *beat)
{
    beat->epoch = script_take_epoch(s);
    beat->sent_at = (hf_time)script_near(s, (uint64_t)s->scene->now);
    beat->echo =
        (hf_time)script_near(s, (uint64_t)s->node->heard[s->who].sent_at);
    beat->state = script_take(s) % (HF_STATE_LEFT + 1);
    beat->leaving = script_take(s) % (HF_LEAVING_READY + 1);
    beat->cluster = script_near(s, s->node->node->view->cluster);
    beat->lineage = script_take_lineage(s);
    beat->follows = script_take(s) < 192 ? 0 : script_take_epoch(s);
    beat->refusal_count = 1;
    beat->refusals[0] = (struct hf_refusal){
        hf_lineage_of(s->node->node->target), beat->follows};
    beat->reach = script_take_set(s);
    beat->suspects = script_take_set(s);
    beat->ops_finished = script_near(s, 0);
    beat->sessions = script_near(s, 3);
    beat->under_replicated = script_near(s, 0);
    beat->bytes = script_near(s, 0);
    beat->fences = beat->bytes;
    beat->fences_lifted = beat->sessions;
    beat->writes_degraded = beat->bytes;
    beat->partitions_lost = beat->bytes;
    beat->sessions_lost = beat->bytes;
    beat->refill_partitions = beat->bytes;
    beat->refill_sessions = beat->bytes;
    beat->refill_bytes = beat->bytes;
    beat->slow = script_take_set(s);
    beat->put_off = script_take_set(s);
    beat->guest_count = script_take(s) % (HF_GUESTS_MAX + 1);
    for (uint8_t i = 0; i < beat->guest_count; i++) {
        beat->guests[i] =
            s->scene->people[script_take(s) % SCENE_PEOPLE].incarnation;
    }
}

static void make_record(struct script *s, struct hf_record_view *record)
{
    record->kind = (enum hf_record_kind)(1 + script_take(s) % HF_RECORD_PAIRED);
    record->partition = script_take_partition(s);
    record->version = script_take_version(s, record->partition);
    record->operation = script_take_operation(s);
    record->key = script_take_key(s, record->partition);
    record->effects = script_take_effects(s);
    if (script_take(s) % 2 == 0) {
        struct hf_reply reply = script_take_reply(s);
        struct hf_buffer bytes;
        hf_buffer_init(&bytes, &s->mem);
        hf_reply_encode(&reply, &bytes);
        hf_buffer_clear(&s->tokens);
        hf_buffer_append_slice(&s->tokens, hf_buffer_slice(&bytes));
        hf_buffer_close(&bytes);
        record->reply = hf_buffer_slice(&s->tokens);
    }
}

static uint8_t member_of(const struct script *s)
{
    uint8_t member =
        hf_view_find_id(s->node->node->view, s->scene->people[s->who].id);
    return member == HF_MEMBER_NONE ? 0 : member;
}

static void make_positions(struct script *s, struct hf_positions *positions)
{
    positions->epoch = script_take_epoch(s);
    positions->last = script_take(s) % 2 == 0;
    positions->positions = s->positions;
    positions->count = script_take(s) % HF_ARRAY_COUNT(s->positions);
    for (size_t i = 0; i < positions->count; i++) {
        uint16_t p = script_take_partition(s);
        struct hf_position *position = &s->positions[i];
        position->partition = p;
        position->version = script_take_version(s, p);
        position->learnt = script_take(s) < 200
                               ? HF_SESSIONS_END
                               : script_take_number(s) % (HF_SESSIONS_END + 1);
    }
}

static void make_nominate(struct script *s, struct hf_nominate *nominate)
{
    nominate->epoch = script_take_epoch(s);
    nominate->nominations = s->nominations;
    nominate->count = script_take(s) % HF_ARRAY_COUNT(s->nominations);
    for (size_t i = 0; i < nominate->count; i++) {
        s->nominations[i].partition = script_take_partition(s);
        s->nominations[i].member = script_take(s) % HF_MEMBERS_MAX;
    }
}

static bool make_forward(struct script *s, struct hf_forward *forward)
{
    forward->epoch = script_take_epoch(s);
    forward->number = script_near(s, 1 + script_take(s));
    forward->ops_finished = script_near(s, 0);
    forward->partition = script_take_partition(s);
    forward->partition_end = (uint16_t)(forward->partition + 1);
    if (!script_take_command(s, &forward->command)) {
        return false;
    }
    enum hf_route route = forward->command.row->route;
    if (route == HF_ROUTE_SUBSCRIBERS) {
        return false;
    }
    if (route != HF_ROUTE_EVERYWHERE && route != HF_ROUTE_SCAN) {
        if (route != HF_ROUTE_PARTITIONS && script_take(s) < 200) {
            forward->partition = hf_partition_of_key(forward->command.argv[1]);
            forward->partition_end = (uint16_t)(forward->partition + 1);
        }
        return true;
    }
    unsigned end = forward->partition + 1u + 4u * script_take(s);
    forward->partition_end =
        (uint16_t)(end < HF_PARTITION_COUNT ? end : HF_PARTITION_COUNT);
    forward->scan_position = (uint32_t)script_take_number(s);
    forward->scan_count = (uint32_t)script_take_number(s);
    return true;
}

/* Where the other lineage @merge->lineage got with its hand-over. */
static uint64_t merge_position(const struct script *s,
                               const struct hf_merge *merge)
{
    const struct hf_partition *partition =
        &s->node->node->partitions[merge->partition];
    for (unsigned i = 0; i < HF_MERGES_IN_MAX; i++) {
        if (partition->merges[i].lineage == merge->lineage &&
            partition->merges[i].epoch == merge->held) {
            return partition->merges[i].position;
        }
    }
    return 0;
}

static uint64_t key_hash(const struct hf_merge_entry *entry)
{
    return hf_sessions_hash(entry->key);
}

/* Entries are sent in the order of their hashes. */
static void entry_put(struct script *s, size_t count,
                      struct hf_merge_entry entry)
{
    while (count > 0 && key_hash(&s->entries[count - 1]) > key_hash(&entry)) {
        s->entries[count] = s->entries[count - 1];
        count--;
    }
    s->entries[count] = entry;
}

/* What a node of another lineage says that it has seen: what this one has, a
 * little of something else, or bytes as they come. Lies in s->tokens. */
static struct hf_slice take_knowledge(struct script *s, uint16_t partition)
{
    struct hf_knowledge knowledge = {0};
    uint8_t kind = script_take(s);
    hf_buffer_clear(&s->tokens);
    if (kind >= 240) {
        hf_buffer_append_slice(&s->tokens, script_take_bytes(s, 64));
        return hf_buffer_slice(&s->tokens);
    }
    if (kind % 2 == 0) {
        knowledge = s->node->node->partitions[partition].knowledge;
    }
    if (kind % 4 == 1) {
        hf_knowledge_advance(&knowledge, script_take_version(s, partition));
    }
    hf_knowledge_put(&s->tokens, &knowledge);
    return hf_buffer_slice(&s->tokens);
}

static void make_merge(struct script *s, struct hf_merge *merge)
{
    merge->epoch = script_take_epoch(s);
    merge->lineage = script_take_lineage(s);
    merge->held = script_near(s, merge->epoch - ((hf_epoch)1 << 32));
    merge->forked = script_take_epoch(s);
    merge->partition = script_take_partition(s);
    merge->knowledge = take_knowledge(s, merge->partition);
    merge->from = script_near(s, merge_position(s, merge));
    merge->to = script_take(s) < 192 ? HF_SESSIONS_END : script_near(s, 0);
    merge->to = merge->to > HF_SESSIONS_END ? HF_SESSIONS_END : merge->to;
    merge->from = merge->from > merge->to ? merge->to : merge->from;
    merge->count = script_take(s) % HF_ARRAY_COUNT(s->entries);
    merge->entries = s->entries;
    for (size_t i = 0; i < merge->count; i++) {
        struct hf_slice effects = script_take_effects(s);
        uint8_t *bytes = s->entry_bytes + i * SCRIPT_EFFECTS_MAX;
        HF_ASSERT(effects.size <= SCRIPT_EFFECTS_MAX);
        if (effects.size > 0) {
            memcpy(bytes, effects.data, effects.size);
        }
        struct hf_merge_entry entry = {.effects = {bytes, effects.size}};
        entry.key = script_take_key(s, merge->partition);
        entry.version = script_take_version(s, merge->partition);
        entry_put(s, i, entry);
    }
}

/* An answer to what the node hands over. */
static void make_merged(struct script *s, struct hf_merged *merged)
{
    const struct hf_node *node = s->node->node;
    merged->partition = script_take_partition(s);
    const struct hf_merge_out *out = &node->partitions[merged->partition].merge;
    merged->epoch = node->state == HF_STATE_MERGING && script_take(s) < 192
                        ? node->target->epoch
                        : script_take_epoch(s);
    merged->lineage = script_near(s, out->lineage);
    merged->held = script_near(s, out->held);
    merged->to = script_take(s) < 128 ? HF_SESSIONS_END : script_near(s, 0);
    merged->to = merged->to > HF_SESSIONS_END ? HF_SESSIONS_END : merged->to;
    merged->knowledge = take_knowledge(s, merged->partition);
}

static bool make_control(struct script *s, struct hf_message *message)
{
    switch (message->type) {
    case HF_MESSAGE_HEARTBEAT:
        make_heartbeat(s, &message->heartbeat);
        return true;
    case HF_MESSAGE_PREPARE:
        message->prepare.ballot = script_take_ballot(s);
        message->prepare.base = script_take_epoch(s);
        message->prepare.excluded = script_take_set(s);
        message->prepare.dead = script_take_set(s);
        message->prepare.fork = script_take(s) % (HF_FORK_TAKEOVER + 1);
        return true;
    case HF_MESSAGE_PROMISE:
        message->promise.ballot = script_take_ballot(s);
        message->promise.base = script_take_epoch(s);
        message->promise.fresh = script_take_set(s);
        if (script_take(s) % 2 == 0) {
            message->promise.accepted_ballot = script_take_ballot(s) | 1;
            message->promise.accepted = script_take_view(s);
        }
        return true;
    case HF_MESSAGE_ACCEPT:
        message->accept.ballot = script_take_ballot(s);
        message->accept.base = script_take_epoch(s);
        message->accept.view = script_take_view(s);
        return true;
    case HF_MESSAGE_ACCEPTED:
        message->accepted.ballot = script_take_ballot(s);
        message->accepted.base = script_take_epoch(s);
        return true;
    case HF_MESSAGE_VIEW:
        message->view = script_take_view(s);
        return true;
    case HF_MESSAGE_NOMINATE:
        make_nominate(s, &message->nominate);
        return true;
    default:
        return false;
    }
}

static bool make_tell(struct script *s, struct hf_tell *tell)
{
    tell->number = script_take(s);
    return script_take_command(s, &tell->command) &&
           tell->command.row->route == HF_ROUTE_SUBSCRIBERS;
}

static bool make_data(struct script *s, struct hf_message *message)
{
    const struct hf_node *node = s->node->node;
    const struct scene_heard *heard = &s->node->heard[s->who];
    switch (message->type) {
    case HF_MESSAGE_FORWARD:
        return make_forward(s, &message->forward);
    case HF_MESSAGE_RESULT:
        message->result.number = script_near(s, node->request_next - 1);
        message->result.scan_next = script_near(s, 0);
        message->result.reply = script_take_reply(s);
        return true;
    case HF_MESSAGE_BOUNCE:
        message->bounce.epoch = script_take_epoch(s);
        message->bounce.number = script_near(s, node->request_next - 1);
        return true;
    case HF_MESSAGE_RECORD:
        message->record.epoch = script_take_epoch(s);
        message->record.number =
            script_near(s, node->members[member_of(s)].in_number + 1);
        make_record(s, &message->record.record);
        return true;
    case HF_MESSAGE_ACK:
        message->ack.epoch = script_take_epoch(s);
        message->ack.number = script_near(s, heard->record);
        return true;
    case HF_MESSAGE_COMMITTED:
        message->committed.epoch = script_take_epoch(s);
        message->committed.number =
            script_near(s, node->members[member_of(s)].in_number);
        return true;
    case HF_MESSAGE_POSITIONS:
        make_positions(s, &message->positions);
        return true;
    case HF_MESSAGE_PULL:
        message->pull.epoch = script_take_epoch(s);
        message->pull.partition = script_take_partition(s);
        message->pull.sequence = script_near(s, 0);
        return true;
    case HF_MESSAGE_SUFFIX:
        message->suffix.epoch = script_take_epoch(s);
        make_record(s, &message->suffix.record);
        return true;
    case HF_MESSAGE_MERGE:
        make_merge(s, &message->merge);
        return true;
    case HF_MESSAGE_MERGED:
        make_merged(s, &message->merged);
        return true;
    case HF_MESSAGE_TELL:
        return make_tell(s, &message->tell);
    case HF_MESSAGE_TOLD:
        message->told.number = script_near(s, node->publishing.tell_next - 1);
        message->told.reply = script_take_reply(s);
        return true;
    default:
        return false;
    }
}

static const enum hf_message_type types[] = {
    HF_MESSAGE_HEARTBEAT, HF_MESSAGE_PREPARE,   HF_MESSAGE_PROMISE,
    HF_MESSAGE_ACCEPT,    HF_MESSAGE_ACCEPTED,  HF_MESSAGE_VIEW,
    HF_MESSAGE_NOMINATE,  HF_MESSAGE_FORWARD,   HF_MESSAGE_RESULT,
    HF_MESSAGE_BOUNCE,    HF_MESSAGE_RECORD,    HF_MESSAGE_ACK,
    HF_MESSAGE_COMMITTED, HF_MESSAGE_POSITIONS, HF_MESSAGE_PULL,
    HF_MESSAGE_SUFFIX,    HF_MESSAGE_MERGE,     HF_MESSAGE_MERGED,
    HF_MESSAGE_TELL,      HF_MESSAGE_TOLD,
};

static void step_message(struct script *s)
{
    struct hf_message message;
    memset(&message, 0, sizeof(message));
    message.type = types[script_take(s) % HF_ARRAY_COUNT(types)];
    s->who = script_take(s) % SCENE_PEOPLE;
    bool made = hf_message_channel(message.type) == HF_CHANNEL_CONTROL
                    ? make_control(s, &message)
                    : make_data(s, &message);
    if (made) {
        scene_send(s->node, s->who, &message);
        scene_deliver(s->node, s->node->packet_count - 1, false);
    }
}

/* Steps. */

static void step_packet(struct script *s)
{
    struct scene_node *node = s->node;
    uint8_t how = script_take(s);
    if (node->packet_count == 0) {
        return;
    }
    size_t index = how % node->packet_count;
    if (how >= 192) {
        struct scene_packet *packet = &node->packets[index];
        size_t offset = hf_reader_u16(&s->in) % packet->size;
        packet->bytes[offset < 64 || how < 224 ? offset : offset % 64] ^=
            script_take(s);
        scene_deliver(node, index, false);
    } else if (how >= 160) {
        scene_drop(node, index);
    } else {
        scene_deliver(node, index, how >= 128);
    }
}

static void step_link(struct script *s)
{
    uint8_t how = script_take(s);
    s->who = how % SCENE_PEOPLE;
    for (unsigned i = 0; i < 4; i++) {
        if ((script_take(s) & 1) != 0) {
            scene_link(s->node, s->who,
                       (i & 1) != 0 ? HF_CHANNEL_DATA : HF_CHANNEL_CONTROL,
                       (i & 2) != 0, (how & 64) != 0, (how & 128) != 0);
        }
    }
}

static void step_event(struct script *s)
{
    struct hf_event event = {.type = HF_EVENT_TICK};
    struct hf_address address = {.port = 17379};
    uint8_t how = script_take(s);
    switch (how % 4) {
    case 0:
        break;
    case 1:
        event.type = HF_EVENT_TURN_END;
        break;
    case 2:
        event.type = HF_EVENT_PROBED;
        event.probed.token =
            script_near(s, s->node->node->probe_token - (how >> 2) % 8);
        event.probed.result = (enum hf_probe_result)(script_take(s) % 3);
        break;
    default:
        event.type = HF_EVENT_SELF;
        memcpy(address.host, s->scene->people[how % SCENE_PEOPLE].host,
               sizeof(address.host));
        event.self = &address;
        break;
    }
    scene_step(s->node, &event);
}

static void step_memory(struct script *s)
{
    uint8_t how = script_take(s);
    if (how < 64) {
        failing_mem_fail_nth(&s->node->failing, 0);
    } else if (how < 224) {
        failing_mem_fail_nth(&s->node->failing, how - 63u);
    } else {
        failing_mem_fail_from(&s->node->failing, how - 223u);
    }
}

static void step_time(struct script *s)
{
    uint64_t jump = script_take_number(s);
    if (jump <= JUMP_MAX && s->scene->now < JUMP_MAX) {
        s->scene->now += (hf_time)jump;
    }
    s->scene->wall_offset_ms = (int64_t)script_take(s) * 1000 - 128000;
}

static void step_life(struct script *s)
{
    uint8_t how = script_take(s);
    if (how < 16) {
        (void)hf_node_takeover(s->node->node);
    } else if (how < 64) {
        hf_node_drain(s->node->node);
    } else if (how < 128) {
        hf_node_leave(s->node->node);
    } else if (how < 192) {
        s->scene->obedient = script_take(s);
    } else {
        scene_restart(s->node);
    }
}

static void step_ask(struct script *s)
{
    struct hf_command command;
    if (script_take_command(s, &command)) {
        scene_ask(s->node, &command);
    }
}

/* Several commands may come at once, or bytes that are none. */
static void step_client(struct script *s)
{
    struct scene_clients *clients = &s->node->clients;
    uint8_t how = script_take(s);
    unsigned which = how % CLIENTS_COUNT;
    hf_buffer_clear(&s->line);
    if (how >= 248) {
        clients_leave(clients, which);
    } else if (how >= 240) {
        clients_deafen(clients, which, how % 4 < 2);
    } else if (how >= 224) {
        clients_receive(clients, which, script_take_bytes(s, 64));
    } else {
        for (unsigned count = 1u + how / 2 % 4; count > 0; count--) {
            script_take_line(s, &s->line);
        }
        HF_ASSERT(!s->line.failed);
        clients_receive(clients, which, hf_buffer_slice(&s->line));
    }
}

static void script_step(struct script *s)
{
    static const hf_time pauses[] = {0, 1, 10, 10, 50, 100, 250, 1000};
    uint8_t kind = script_take(s);
    s->node = scene_node(s->scene, kind >> 4);
    if (s->node->node == NULL) {
        failing_mem_fail_nth(&s->node->failing, 0);
        scene_restart(s->node);
    }
    uint8_t rounds;
    switch (kind & 15) {
    case 0:
    case 1:
        rounds = script_take(s);
        scene_run(s->scene, 1 + (rounds & 15), pauses[rounds >> 5]);
        return;
    case 2:
    case 3:
    case 4:
        step_ask(s);
        return;
    case 5:
        step_packet(s);
        return;
    case 6:
        step_link(s);
        return;
    case 7:
        step_event(s);
        return;
    case 8:
        step_memory(s);
        return;
    case 9:
        step_time(s);
        return;
    case 10:
        step_life(s);
        return;
    case 15:
        step_client(s);
        return;
    default:
        step_message(s);
        return;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct script s;
    if (size < 4 || size > INPUT_MAX) {
        return 0;
    }
    memset(&s, 0, sizeof(s));
    s.in = hf_reader_of((struct hf_slice){data, size});
    hf_mem_init_system(&s.mem);
    hf_buffer_init(&s.effects, &s.mem);
    hf_buffer_init(&s.tokens, &s.mem);
    hf_buffer_init(&s.line, &s.mem);
    uint8_t shape = script_take(&s);
    unsigned real_count = shape % 8 < 5 ? 1 : shape % 8 < 7 ? 2 : 3;
    s.scene = scene_open(real_count, (shape >> 3) % 4, (shape >> 5) % 4,
                         (enum hf_partition_policy)(shape % 3));
    s.scene->obedient = script_take(&s);
    if (shape < 128 || script_take(&s) % 2 == 0) {
        scene_join(s.scene);
    }
    for (unsigned i = 0; i < STEPS_MAX && hf_reader_left(&s.in) > 0; i++) {
        script_step(&s);
    }
    scene_end(s.scene);
    scene_close(s.scene);
    hf_buffer_close(&s.effects);
    hf_buffer_close(&s.tokens);
    hf_buffer_close(&s.line);
    HF_ASSERT(s.mem.used_bytes == 0);
    return 0;
}
