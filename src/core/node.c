/* node.c - The dispatcher: one call per kind of event, and what is told about
 * a node to people and tests. */
#include "core/node.h"

#include <string.h>

#include "base/assert.h"
#include "core/node_state.h"
#include "holdfast/error.h"

void hf_node_config_init(struct hf_node_config *config)
{
    *config = (struct hf_node_config){
        .backups = 1,
        .hold_ms = 400,
        .touch_delay_ms = 1000,
        .value_bytes_max = (size_t)16 << 20,
        .held_bytes_max = (size_t)64 << 20,
        .stream_bytes_max = (size_t)48 << 20,
        .learn_bytes_max = (size_t)256 << 10,
        .learn_bytes_per_second = (size_t)64 << 20,
    };
    hf_fence_rules_init(&config->fences);
    bool added = hf_fence_rules_add(&config->fences, HF_SLICE_LITERAL("sess:"));
    HF_ASSERT(added);
}

static bool config_is_valid(const struct hf_node_config *config)
{
    return config->self.incarnation != 0 && config->backups <= HF_BACKUPS_MAX &&
           config->seed_count <= HF_SEEDS_MAX && config->self.name[0] != '\0' &&
           config->fences.lifetime_ms > 0 &&
           config->policy <= HF_POLICY_AVAILABLE;
}

/* The large pieces of a node, allocated once. */
static int node_allocate(struct hf_node *node)
{
    struct hf_mem *mem = node->mem;
    node->peers = hf_mem_alloc_zero(mem, HF_PEERS_MAX * sizeof(*node->peers));
    node->members =
        hf_mem_alloc_zero(mem, HF_MEMBERS_MAX * sizeof(*node->members));
    node->previous =
        hf_mem_alloc_zero(mem, HF_MEMBERS_MAX * sizeof(*node->previous));
    node->view = hf_mem_alloc_zero(mem, sizeof(*node->view));
    node->accepted = hf_mem_alloc_zero(mem, sizeof(*node->accepted));
    node->proposal = hf_mem_alloc_zero(mem, sizeof(*node->proposal));
    node->best = hf_mem_alloc_zero(mem, sizeof(*node->best));
    node->target = hf_mem_alloc_zero(mem, sizeof(*node->target));
    node->targets =
        hf_mem_alloc_zero(mem, HF_PARTITION_COUNT * sizeof(*node->targets));
    node->nominations =
        hf_mem_alloc(mem, HF_NOMINATIONS_MAX * sizeof(*node->nominations));
    node->partitions =
        hf_mem_alloc_zero(mem, HF_PARTITION_COUNT * sizeof(*node->partitions));
    bool complete = node->peers != NULL && node->members != NULL &&
                    node->previous != NULL && node->view != NULL &&
                    node->accepted != NULL && node->proposal != NULL &&
                    node->best != NULL && node->target != NULL &&
                    node->targets != NULL && node->nominations != NULL &&
                    node->partitions != NULL;
    return complete ? 0 : HF_ENOMEM;
}

static void node_free(struct hf_node *node)
{
    struct hf_mem *mem = node->mem;
    hf_mem_free(mem, node->peers, HF_PEERS_MAX * sizeof(*node->peers));
    hf_mem_free(mem, node->members, HF_MEMBERS_MAX * sizeof(*node->members));
    hf_mem_free(mem, node->previous, HF_MEMBERS_MAX * sizeof(*node->previous));
    hf_mem_free(mem, node->view, sizeof(*node->view));
    hf_mem_free(mem, node->accepted, sizeof(*node->accepted));
    hf_mem_free(mem, node->proposal, sizeof(*node->proposal));
    hf_mem_free(mem, node->best, sizeof(*node->best));
    hf_mem_free(mem, node->target, sizeof(*node->target));
    hf_mem_free(mem, node->targets,
                HF_PARTITION_COUNT * sizeof(*node->targets));
    hf_mem_free(mem, node->nominations,
                HF_NOMINATIONS_MAX * sizeof(*node->nominations));
    hf_mem_free(mem, node->partitions,
                HF_PARTITION_COUNT * sizeof(*node->partitions));
    hf_mem_free(mem, node, sizeof(*node));
}

static void node_init_data(struct hf_node *node)
{
    hf_operations_init(&node->operations, node->mem);
    hf_buffer_init(&node->effects, node->mem);
    hf_buffer_init(&node->scratch, node->mem);
    hf_buffer_init(&node->tokens, node->mem);
    hf_node_publishing_init(node);
    hf_list_init(&node->waiting_partitions);
    hf_list_init(&node->discarding);
    hf_list_init(&node->ranges);
    hf_list_init(&node->requests);
    hf_list_init(&node->gathers);
    hf_list_init(&node->transfers);
    hf_list_init(&node->transfers_ready);
    node->request_next = 1;
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        struct hf_partition *partition = &node->partitions[p];
        hf_sessions_init(&partition->sessions, node->mem, &node->expiry, p);
        hf_node_count_share(node, p);
        hf_list_init(&partition->waiting);
        hf_list_init(&partition->waiting_link);
    }
    for (uint8_t i = 0; i < HF_MEMBERS_MAX; i++) {
        hf_stream_init(&node->members[i].stream);
        hf_stream_init(&node->previous[i].stream);
    }
}

int hf_node_create(struct hf_node **created,
                   const struct hf_node_config *config, struct hf_mem *mem,
                   hf_time now)
{
    if (!config_is_valid(config)) {
        return HF_EINVAL;
    }
    struct hf_node *node = hf_mem_alloc_zero(mem, sizeof(*node));
    if (node == NULL) {
        return HF_ENOMEM;
    }
    node->mem = mem;
    node->config = *config;
    if (node_allocate(node) != 0 || hf_expiry_init(&node->expiry, mem) != 0) {
        node_free(node);
        return HF_ENOMEM;
    }
    node_init_data(node);
    hf_rng_init(&node->rng, config->random_seed);
    if (HF_MUTATED(DRAWN_FROM_MEMORY)) {
        hf_rng_init(&node->rng, (uintptr_t)node);
    }
    node->now = now;
    node->started_at = now;
    node->stepped_at = now;
    node->awake_since = now;
    node->ticked_at = HF_TIME_PAST;
    node->tell_at = HF_NEVER;
    node->fences_warned_at = HF_TIME_PAST;
    node->merge_refused_at = HF_TIME_PAST;
    node->state = HF_STATE_STARTING;
    node->self = HF_MEMBER_NONE;
    *created = node;
    return 0;
}

void hf_node_destroy(struct hf_node *node)
{
    if (node == NULL) {
        return;
    }
    hf_node_requests_close(node);
    hf_node_publishing_close(node);
    hf_node_drop_ranges(node);
    for (uint8_t i = 0; i < HF_MEMBERS_MAX; i++) {
        hf_stream_close(&node->members[i].stream, node->mem);
        hf_record_queue_close(&node->members[i].in_log, node->mem);
        hf_stream_close(&node->previous[i].stream, node->mem);
        hf_record_queue_close(&node->previous[i].in_log, node->mem);
    }
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        hf_node_drop_waiting(node, p);
        hf_node_partition_clear(node, p);
    }
    hf_node_discard_close(node);
    hf_operations_close(&node->operations);
    hf_buffer_close(&node->effects);
    hf_buffer_close(&node->scratch);
    hf_buffer_close(&node->tokens);
    hf_expiry_close(&node->expiry);
    node_free(node);
}

/* Events. */

static void node_tick(struct hf_node *node)
{
    node->ticked_at = node->now;
    hf_node_peers_tick(node);
    hf_node_agreement_tick(node);
    hf_node_merge_tick(node);
    hf_node_merge_await_tick(node);
    hf_node_sync_tick(node);
    hf_node_streams_tick(node);
    hf_node_slow_tick(node);
    hf_node_refill_tick(node);
    hf_node_waiting_tick(node);
    hf_node_run_ranges(node);
    hf_node_requests_tick(node);
    hf_node_walks_tick(node);
    hf_node_publishing_tick(node);
    hf_node_expire_due(node);
    hf_node_forget_operations(node);
    hf_node_discard_step(node, HF_DISCARD_SLOTS_MAX);
}

/* Messages that make sense only between members of one view. */
static void member_message(struct hf_node *node, uint8_t member,
                           const struct hf_message *message)
{
    switch (message->type) {
    case HF_MESSAGE_FORWARD:
        hf_node_forwarded(node, member, &message->forward);
        return;
    case HF_MESSAGE_BOUNCE:
        hf_node_bounced(node, &message->bounce);
        return;
    case HF_MESSAGE_RECORD:
        hf_node_record(node, member, &message->record);
        return;
    case HF_MESSAGE_ACK:
        hf_node_acked(node, member, &message->ack);
        return;
    case HF_MESSAGE_COMMITTED:
        hf_node_committed(node, member, &message->committed);
        return;
    case HF_MESSAGE_POSITIONS:
        hf_node_positions(node, member, &message->positions);
        return;
    case HF_MESSAGE_PULL:
        hf_node_pulled(node, member, &message->pull);
        return;
    case HF_MESSAGE_SUFFIX:
        if (message->suffix.epoch == node->view->epoch) {
            hf_node_suffix(node, member, &message->suffix.record);
        }
        return;
    case HF_MESSAGE_NOMINATE:
        hf_node_nominated(node, &message->nominate);
        return;
    default:
        return;
    }
}

static void node_message(struct hf_node *node, struct hf_peer *from,
                         const struct hf_message *message)
{
    if (hf_message_channel(message->type) == HF_CHANNEL_CONTROL ||
        HF_MUTATED(DATA_IS_HEARD)) {
        hf_node_heard(node, from); /* Without that there are no leases. */
    }
    switch (message->type) {
    case HF_MESSAGE_HEARTBEAT:
        hf_node_heartbeat(node, from, &message->heartbeat);
        return;
    case HF_MESSAGE_PREPARE:
        hf_node_prepared(node, from, &message->prepare);
        return;
    case HF_MESSAGE_PROMISE:
        hf_node_promised(node, from, &message->promise);
        return;
    case HF_MESSAGE_ACCEPT:
        hf_node_accept_asked(node, from, &message->accept);
        return;
    case HF_MESSAGE_ACCEPTED:
        hf_node_accepted(node, from, &message->accepted);
        return;
    case HF_MESSAGE_VIEW:
        hf_node_view_heard(node, message->view);
        return;
    case HF_MESSAGE_RESULT:
        hf_node_request_done(node, message->result.number,
                             &message->result.reply, message->result.scan_next);
        return;
    case HF_MESSAGE_MERGE:
        hf_node_merge(node, from, &message->merge);
        return;
    case HF_MESSAGE_MERGED:
        hf_node_merged(node, &message->merged);
        return;
    case HF_MESSAGE_TELL:
        hf_node_tell_heard(node, from, &message->tell);
        return;
    case HF_MESSAGE_TOLD:
        hf_node_told(node, from, &message->told);
        return;
    default:
        break;
    }
    if (node->state == HF_STATE_ACTIVE && from->member != HF_MEMBER_NONE &&
        (node->view->absent & hf_member_set_of(from->member)) == 0) {
        member_message(node, from->member, message);
    }
}

static hf_time later(hf_time time, hf_time by, hf_time most)
{
    return time + by < most ? time + by : most;
}

/* We were held up for @late ms, and what others said meanwhile may still be
 * unread: that long is not counted as silence, or slowness, of theirs. */
static void lend_patience(struct hf_node *node, hf_time late)
{
    for (uint8_t i = 0; i < node->view->member_count; i++) {
        struct hf_member *member = &node->members[i];
        member->heard = later(member->heard, late, node->now);
        member->stream.progress_at =
            later(member->stream.progress_at, late, node->now);
        if (member->unheard_since != 0) {
            member->unheard_since =
                later(member->unheard_since, late, node->now);
        }
        if (member->ahead_since != 0) {
            member->ahead_since = later(member->ahead_since, late, node->now);
        }
        if (member->late_since != 0) {
            member->late_since = later(member->late_since, late, node->now);
        }
    }
}

/* A gap this long means that we were paused. Others may have gone on without
 * us: hold no lease, and accuse nobody of the silence that was ours. */
static void notice_pause(struct hf_node *node)
{
    hf_time gap =
        HF_MUTATED(PAUSE_NOT_NOTICED) ? 0 : node->now - node->stepped_at;
    if (gap > HF_LATE_MS && node->state == HF_STATE_ACTIVE) {
        lend_patience(node, gap - HF_LATE_MS);
    }
    if (gap > HF_SUSPECT_MS && node->state == HF_STATE_ACTIVE) {
        hf_log(&node->config.log, HF_LOG_WARNING,
               "this node stood still for %lld ms", (long long)gap);
        for (uint8_t i = 0; i < node->view->member_count; i++) {
            node->members[i].heard = node->now;
            node->members[i].grant = HF_TIME_PAST;
            node->members[i].late_since = 0;
        }
        node->awake_since = node->now;
        node->unsafe_since = 0; /* No fork before others had time to answer. */
        hf_node_lease_changed(node);
    }
    if (node->now - node->stepped_at > HF_SUSPECT_MS) {
        node->merge_heard = node->now;
    }
    node->stepped_at = node->now;
}

static hf_time tick_at(const struct hf_node *node)
{
    if (node->ticked_at == HF_TIME_PAST || node->expiry_waits ||
        node->sends_wait || node->walks_waiting > 0) {
        return node->now;
    }
    bool busy =
        node->state != HF_STATE_ACTIVE || node->need_since != 0 ||
        node->unsynced > 0 || !node->settled_map || node->merge_deferred > 0 ||
        node->promised > node->view->epoch ||
        !hf_list_is_empty(&node->requests) ||
        !hf_list_is_empty(&node->waiting_partitions) ||
        !hf_list_is_empty(&node->discarding) ||
        hf_node_publishing_waits(node) || !hf_list_is_empty(&node->ranges) ||
        !hf_list_is_empty(&node->gathers);
    return node->ticked_at + (busy ? HF_TICK_BUSY_MS : HF_TICK_IDLE_MS);
}

void hf_node_step(struct hf_node *node, const struct hf_event *event,
                  const struct hf_outbox *out)
{
    HF_ASSERT(event->now >= node->now);
    HF_ASSERT(node->out == NULL); /* Actions must not call the node. */
    bool first = node->ticked_at == HF_TIME_PAST;
    node->now = event->now;
    node->wall_ms = event->wall_ms;
    node->out = out;
    notice_pause(node);
    if (first) {
        node->ticked_at = node->now;
        hf_node_peers_start(node);
    }
    switch (event->type) {
    case HF_EVENT_TICK:
        if (node->now < node->tell_at || node->now >= tick_at(node)) {
            node_tick(node);
        } /* Else there are only commits to tell, when the turn ends. */
        break;
    case HF_EVENT_REQUEST:
        hf_node_request(node, event->request.client, event->request.tag,
                        event->request.command);
        break;
    case HF_EVENT_MESSAGE: {
        struct hf_peer *from = hf_node_peer_find(node, event->message.from,
                                                 event->message.incarnation);
        if (from != NULL) {
            node_message(node, from, event->message.message);
        }
        break;
    }
    case HF_EVENT_LINK:
        hf_node_link_changed(node, &event->link);
        break;
    case HF_EVENT_PROBED:
        hf_node_probed(node, event->probed.token, event->probed.result);
        break;
    case HF_EVENT_SELF:
        hf_node_seed_is_self(node, event->self);
        break;
    case HF_EVENT_LISTEN:
        hf_node_listen(node, event->listens);
        break;
    case HF_EVENT_NOTIFY:
        hf_node_set_events(node, event->notify.client, event->notify.tag,
                           event->notify.events);
        break;
    case HF_EVENT_TURN_END:
        hf_node_send_acks(node);
        hf_node_forget_operations(node);
        break;
    }
    hf_node_transfers_run(node);
    node->out = NULL;
}

void hf_node_drain(struct hf_node *node)
{
    if (node->leaving == HF_LEAVING_NO) {
        node->leaving = HF_LEAVING_DRAIN;
        node->beat_at = node->now;
    }
}

void hf_node_leave(struct hf_node *node)
{
    node->leaving = HF_LEAVING_READY;
    node->beat_at = node->now;
    if (node->state == HF_STATE_STARTING) {
        node->state = HF_STATE_LEFT; /* It holds nothing. */
    }
}

hf_time hf_node_deadline(const struct hf_node *node)
{
    hf_time at = tick_at(node);
    return at < node->tell_at ? at : node->tell_at;
}

/* What tests and tools ask. */

uint32_t hf_node_get_events(const struct hf_node *node)
{
    return node->publishing.events.flags;
}

const struct hf_node_counters *hf_node_get_counters(const struct hf_node *node)
{
    return &node->counters;
}

const struct hf_view *hf_node_get_view(const struct hf_node *node)
{
    return node->state == HF_STATE_ACTIVE ? node->view : NULL;
}

const struct hf_sessions *hf_node_get_sessions(const struct hf_node *node,
                                               uint16_t partition)
{
    HF_ASSERT(partition < HF_PARTITION_COUNT);
    return &node->partitions[partition].sessions;
}

bool hf_node_serves(const struct hf_node *node, uint16_t p, hf_time now)
{
    const struct hf_partition *partition = &node->partitions[p];
    if (node->state != HF_STATE_ACTIVE || !partition->primary ||
        !partition->synced ||
        (node->promised > node->view->epoch &&
         !HF_MUTATED(SERVES_AFTER_PROMISE))) {
        return false;
    }
    hf_member_set lease = 0;
    for (uint8_t i = 0; i < node->view->member_count; i++) {
        if (i != node->self && (node->members[i].grant + HF_LEASE_MS > now ||
                                HF_MUTATED(NO_LEASE))) {
            lease |= hf_member_set_of(i);
        }
    }
    hf_member_set self = hf_member_set_of(node->self);
    hf_member_set others = hf_view_copies(node->view, p) & ~self;
    bool safe = hf_view_is_safe(hf_view_voters(node->view), node->fresh,
                                (lease | self) & ~node->fresh);
    return (safe || HF_MUTATED(NO_SAFE_SET)) &&
           ((others & ~lease) == 0 || HF_MUTATED(NO_LEASE_OF_COPIES));
}
