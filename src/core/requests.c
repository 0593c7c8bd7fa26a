/* requests.c - The node that a client asked.
 *
 *   HELD  --- a primary can be reached ---> SENT or LOCAL --- answer ---> gone
 *    ^                                        |
 *    +---- the view changed, or bounced ------+
 *
 *   any state --- the hold time is over ---> CLUSTERDOWN, gone
 *
 * Requests are numbered and kept in order, and are always sent in that order,
 * so that a client that sends several commands at once on one session sees
 * them carried out in order even through a failover. A repetition is
 * recognised where it was carried out (core/operations.h). */
#include <string.h>

#include "base/assert.h"
#include "core/expect.h"
#include "core/node_state.h"
#include "holdfast/error.h"

#define RING_CAPACITY_MIN 256

static const char too_many_text[] =
    "CLUSTERDOWN too many commands wait at this node";

/* The table. */

static struct hf_request *request_first(const struct hf_node *node)
{
    return HF_CONTAINER_OF(node->requests.next, struct hf_request, link);
}

uint64_t hf_node_requests_finished(const struct hf_node *node)
{
    if (hf_list_is_empty(&node->requests)) {
        return node->request_next;
    }
    return request_first(node)->number;
}

static struct hf_request **request_place(const struct hf_node *node,
                                         uint64_t number)
{
    return &node->request_ring[number & (node->request_capacity - 1)];
}

static struct hf_request *request_find(const struct hf_node *node,
                                       uint64_t number)
{
    if (number < hf_node_requests_finished(node) ||
        number >= node->request_next) {
        return NULL;
    }
    return *request_place(node, number);
}

void hf_node_request_expect(const struct hf_node *node, uint64_t number)
{
    const struct hf_request *request = request_find(node, number);
    if (request != NULL) {
        hf_mem_prefetch(request);
        hf_mem_prefetch(&request->state);
        hf_mem_prefetch(&request->command);
    }
}

static int ring_grow(struct hf_node *node)
{
    uint32_t capacity = node->request_capacity == 0
                            ? RING_CAPACITY_MIN
                            : node->request_capacity * 2;
    struct hf_request **ring =
        hf_mem_alloc_zero(node->mem, capacity * sizeof(*ring));
    if (ring == NULL) {
        return HF_ENOMEM;
    }
    hf_mem_free(node->mem, node->request_ring,
                node->request_capacity * sizeof(*ring));
    node->request_ring = ring;
    node->request_capacity = capacity;
    for (struct hf_list *link = node->requests.next; link != &node->requests;
         link = link->next) {
        struct hf_request *request =
            HF_CONTAINER_OF(link, struct hf_request, link);
        *request_place(node, request->number) = request;
    }
    return 0;
}

/* Where a request counts in node->asked. */
static uint16_t asked_place(const struct hf_command *command)
{
    switch (command->row->route) {
    case HF_ROUTE_KEY:
    case HF_ROUTE_KEYS:
        return (command->located ? command->hash
                                 : hf_sessions_hash(command->argv[1])) &
               (HF_ASKED_PLACES - 1);
    default:
        return (command->row->flags & HF_COMMAND_WRITE) != 0
                   ? HF_ASKED_PLACES
                   : HF_ASKED_PLACES + 1;
    }
}

static size_t request_size(const struct hf_command *command)
{
    return sizeof(struct hf_request) + hf_command_copy_size(command);
}

/* A request outside of the table, with a copy of @command. */
struct hf_request *hf_node_request_copy(struct hf_node *node,
                                        const struct hf_command *command)
{
    size_t size = request_size(command);
    struct hf_request *request = hf_mem_alloc(node->mem, size);
    if (request == NULL) {
        return NULL;
    }
    *request = (struct hf_request){.size = size, .state = HF_REQUEST_HELD};
    hf_list_init(&request->link);
    request->command = hf_command_copy(command, request + 1);
    return request;
}

/* NULL: no memory, or too much is held; *@why says which. */
struct hf_request *hf_node_request_new(struct hf_node *node,
                                       const struct hf_command *command,
                                       hf_time deadline, const char **why)
{
    *why = too_many_text;
    if (node->request_bytes + request_size(command) >
        node->config.held_bytes_max) {
        return NULL;
    }
    *why = hf_no_memory_text;
    uint64_t window = node->request_next - hf_node_requests_finished(node);
    if (window >= node->request_capacity && ring_grow(node) != 0) {
        return NULL;
    }
    struct hf_request *request = hf_node_request_copy(node, command);
    if (request == NULL) {
        return NULL;
    }
    request->number = node->request_next++;
    request->deadline = deadline;
    *request_place(node, request->number) = request;
    hf_list_push_back(&node->requests, &request->link);
    node->request_bytes += request->size;
    node->held_count++;
    request->place = asked_place(command);
    node->asked[request->place]++;
    return request;
}

static void request_set_state(struct hf_node *node, struct hf_request *request,
                              enum hf_request_state state)
{
    if (request->state == HF_REQUEST_HELD) {
        node->held_count--;
    }
    if (state == HF_REQUEST_HELD) {
        node->held_count++;
    }
    request->state = state;
}

static void request_free(struct hf_node *node, struct hf_request *request)
{
    if (request->state == HF_REQUEST_HELD) {
        node->held_count--;
    }
    *request_place(node, request->number) = NULL;
    node->asked[request->place]--;
    hf_list_remove(&request->link);
    node->request_bytes -= request->size;
    hf_mem_free(node->mem, request, request->size);
}

void hf_node_answer_client(struct hf_node *node, uint64_t client, uint64_t tag,
                           const struct hf_reply *reply)
{
    node->out->reply(node->out->user, client, tag, reply);
}

void hf_node_refuse_client(struct hf_node *node, uint64_t client, uint64_t tag,
                           const char *text)
{
    struct hf_reply reply = hf_reply_error(text);
    node->counters.refused++;
    hf_node_answer_client(node, client, tag, &reply);
}

void hf_node_request_done(struct hf_node *node, uint64_t number,
                          const struct hf_reply *reply, uint64_t scan_next)
{
    struct hf_request *request = request_find(node, number);
    if (request == NULL) {
        return; /* It was given up, or answered before. */
    }
    if (request->transfer != NULL) {
        hf_node_transfer_answered(node, request->transfer, reply);
        request_free(node, request);
        return;
    }
    if (request->gather == NULL) {
        hf_node_answer_client(node, request->client, request->tag, reply);
        request_free(node, request);
        return;
    }
    struct hf_gathering *gather = request->gather;
    struct hf_request part = *request;
    request_free(node, request);
    hf_node_gather_part(node, gather, &part, reply, scan_next);
}

/* A read, without looking whether we may. */
static struct hf_reply read_here(struct hf_node *node, uint16_t p,
                                 const struct hf_command *command)
{
    struct hf_apply apply = hf_node_apply_context(node, p);
    hf_apply_find(&apply, command);
    command->row->apply(&apply, command);
    HF_ASSERT(node->effects.size == 0); /* It is a read. */
    if (hf_publishing_is_on(&node->publishing)) {
        hf_node_note_unchanged(node, &apply, command);
        hf_node_publish_noted(node);
    }
    return node->scratch.failed ? hf_reply_error(hf_no_memory_text)
                                : apply.reply;
}

/* Routing. */

static void send_forward(struct hf_node *node, struct hf_request *request)
{
    struct hf_message message = {
        .type = HF_MESSAGE_FORWARD,
        .forward = {.epoch = node->view->epoch,
                    .number = request->number,
                    .ops_finished = hf_node_requests_finished(node),
                    .partition = request->partition,
                    .partition_end = request->partition_end,
                    .scan_position = request->scan_position,
                    .scan_count = request->scan_count,
                    .command = request->command}};
    hf_node_send_member(node, request->target, &message);
}

static bool can_send(const struct hf_node *node, uint8_t member)
{
    const struct hf_member *to = &node->members[member];
    return to->ready && to->peer != NULL && to->peer->out_up[HF_CHANNEL_DATA];
}

/* Answers a read by the copy that we have. */
static bool answer_as_copy(struct hf_node *node, struct hf_request *request)
{
    uint16_t p = request->partition;
    const struct hf_command *command = &request->command;
    if (request->ranged || request->place >= HF_ASKED_PLACES ||
        !hf_node_copy_answers(node, p, command,
                              hf_sessions_hash(command->argv[1]), 1)) {
        return false;
    }
    struct hf_reply reply = read_here(node, p, command);
    hf_node_request_done(node, request->number, &reply, 0);
    return true;
}

/* May answer, and thereby free, the request. */
void hf_node_request_route(struct hf_node *node, struct hf_request *request)
{
    if (node->state != HF_STATE_ACTIVE || request->bounced) {
        return;
    }
    uint8_t target = request->ranged
                         ? request->target
                         : node->view->acting[request->partition].members[0];
    struct hf_operation_id operation = {node->config.self.incarnation,
                                        request->number};
    if (target != node->self) {
        if (!answer_as_copy(node, request) && can_send(node, target)) {
            request->target = target;
            request_set_state(node, request, HF_REQUEST_SENT);
            node->counters.forwarded++;
            send_forward(node, request);
        }
        return;
    }
    request_set_state(node, request, HF_REQUEST_LOCAL);
    if (!request->ranged) {
        hf_node_execute(node, request->partition, operation, &request->command);
        return;
    }
    struct hf_forward forward = {.epoch = node->view->epoch,
                                 .number = request->number,
                                 .partition = request->partition,
                                 .partition_end = request->partition_end,
                                 .scan_position = request->scan_position,
                                 .scan_count = request->scan_count,
                                 .command = request->command};
    hf_node_execute_range(node, operation, &forward);
}

void hf_node_route_held(struct hf_node *node)
{
    if (node->held_count == 0) {
        return;
    }
    /* By number: routing one may end others, but never adds any. */
    uint64_t number = hf_node_requests_finished(node);
    uint64_t end = node->request_next;
    for (; number < end && node->held_count > 0; number++) {
        struct hf_request *request = request_find(node, number);
        if (request != NULL && request->state == HF_REQUEST_HELD) {
            hf_node_request_route(node, request);
        }
    }
}

void hf_node_requests_resend(struct hf_node *node, uint8_t member)
{
    if (!can_send(node, member)) {
        return;
    }
    for (struct hf_list *link = node->requests.next; link != &node->requests;
         link = link->next) {
        struct hf_request *request =
            HF_CONTAINER_OF(link, struct hf_request, link);
        if (request->state == HF_REQUEST_SENT && request->target == member) {
            send_forward(node, request);
        }
    }
}

void hf_node_bounced(struct hf_node *node, const struct hf_bounce *bounce)
{
    if (bounce->epoch <= node->view->epoch) {
        return; /* To what was sent before this view; it was sent again. */
    }
    struct hf_request *request = request_find(node, bounce->number);
    if (request != NULL && request->state == HF_REQUEST_SENT) {
        request->bounced = true;
        request_set_state(node, request, HF_REQUEST_HELD);
    }
}

/* One client's command on one key. */

/* Whether nothing has to be waited for before a command on @p is carried out,
 * here and now. */
static bool is_ready(struct hf_node *node, uint16_t p)
{
    return node->held_count == 0 &&
           hf_list_is_empty(&node->partitions[p].waiting) &&
           hf_node_may_serve(node, p);
}

static bool answer_as_copy_at_once(struct hf_node *node, uint64_t client,
                                   uint64_t tag, uint16_t p,
                                   const struct hf_command *command)
{
    if (!hf_node_copy_answers(node, p, command, command->hash, 0)) {
        return false;
    }
    struct hf_reply reply = read_here(node, p, command);
    hf_node_answer_client(node, client, tag, &reply);
    return true;
}

/* A read that shows nothing that is under way needs no request, and neither
 * does a write that no copy has to acknowledge. False: nothing happened. */
static bool answer_at_once(struct hf_node *node, uint64_t client, uint64_t tag,
                           uint16_t p, const struct hf_command *command)
{
    const struct hf_partition *partition = &node->partitions[p];
    bool writes = (command->row->flags & HF_COMMAND_WRITE) != 0;
    if (partition->level) {
        return answer_as_copy_at_once(node, client, tag, p, command);
    }
    if (!is_ready(node, p) || (writes && !hf_node_writes_alone(node, p))) {
        return false;
    }
    struct hf_apply apply = hf_node_apply_context(node, p);
    hf_apply_find(&apply, command);
    if (apply.entry != NULL && hf_session_deadline(apply.entry) <= node->now) {
        return false; /* It has to be removed first. */
    }
    if (writes) {
        hf_node_write_alone(node, p, &apply, command);
    } else if (hf_node_shown(partition, apply.entry) > partition->committed) {
        return false;
    } else {
        command->row->apply(&apply, command);
        HF_ASSERT(node->effects.size == 0);
        if (hf_publishing_is_on(&node->publishing)) {
            hf_node_note_unchanged(node, &apply, command);
            hf_node_publish_noted(node);
        }
    }
    if (node->scratch.failed) {
        apply.reply = hf_reply_error(hf_no_memory_text);
    }
    hf_node_answer_client(node, client, tag, &apply.reply);
    return true;
}

/* As a request to the primary of @p. */
static void submit_to(struct hf_node *node, uint64_t client, uint64_t tag,
                      uint16_t p, const struct hf_command *command)
{
    const char *why = NULL;
    struct hf_request *request = hf_node_request_new(
        node, command, node->now + (hf_time)node->config.hold_ms, &why);
    if (request == NULL) {
        hf_node_refuse_client(node, client, tag, why);
        return;
    }
    request->client = client;
    request->tag = tag;
    request->partition = p;
    request->partition_end = (uint16_t)(p + 1);
    if (node->state != HF_STATE_ACTIVE) {
        node->counters.held++;
    }
    hf_node_request_route(node, request);
}

void hf_node_submit(struct hf_node *node, uint64_t client, uint64_t tag,
                    const struct hf_command *command)
{
    struct hf_command located = *command;
    if (!located.located) {
        hf_command_locate(&located);
    }
    uint16_t p = located.partition;
    if (!answer_at_once(node, client, tag, p, &located)) {
        submit_to(node, client, tag, p, &located);
    }
}

/* Several keys. */
static void submit_unit(struct hf_node *node, uint64_t client, uint64_t tag,
                        const struct hf_command *command)
{
    if (command->argc < 3) { /* EXEC, of which a client has no other. */
        struct hf_reply error = hf_reply_error("ERR EXEC without MULTI");
        hf_node_answer_client(node, client, tag, &error);
        return;
    }
    if (!hf_command_is_of_one_partition(command) &&
        hf_node_transfer(node, client, tag, command)) {
        return;
    }
    submit_to(node, client, tag, hf_command_partition(command), command);
}

void hf_node_request(struct hf_node *node, uint64_t client, uint64_t tag,
                     const struct hf_command *command)
{
    node->counters.operations++;
    switch (command->row->route) {
    case HF_ROUTE_KEY:
        hf_node_submit(node, client, tag, command);
        return;
    case HF_ROUTE_KEYS:
    case HF_ROUTE_PARTITIONS:
        hf_node_scatter(node, client, tag, command);
        return;
    case HF_ROUTE_EVERYWHERE:
    case HF_ROUTE_SCAN:
        hf_node_spread(node, client, tag, command);
        return;
    case HF_ROUTE_NODE:
        hf_node_answer_itself(node, client, tag, command);
        return;
    case HF_ROUTE_WALK:
        hf_node_walk(node, client, tag, command);
        return;
    case HF_ROUTE_SUBSCRIBERS:
        hf_node_publish(node, client, tag, command);
        return;
    case HF_ROUTE_UNIT:
    case HF_ROUTE_SCRIPT:
        submit_unit(node, client, tag, command);
        return;
    case HF_ROUTE_CONNECTION:
        break;
    }
    HF_ASSERT(false); /* The connection answers its own commands. */
}

/* View changes and time. */

void hf_node_requests_reset(struct hf_node *node)
{
    struct hf_list *link = node->requests.next;
    while (link != &node->requests) {
        struct hf_request *request =
            HF_CONTAINER_OF(link, struct hf_request, link);
        link = link->next;
        request->bounced = false;
        if (request->ranged) {
            request->gather->waits = true;
            request_free(node, request);
        } else {
            request_set_state(node, request, HF_REQUEST_HELD);
        }
    }
}

void hf_node_requests_entered(struct hf_node *node)
{
    hf_node_route_held(node);
    hf_node_gathers_entered(node);
}

/* @sent: somebody may be carrying it out. */
static const char *down_text(const struct hf_node *node, bool sent)
{
    if (node->state == HF_STATE_STARTING) {
        return "CLUSTERDOWN this node has not found its cluster yet";
    }
    if (node->state == HF_STATE_LEFT) {
        return "CLUSTERDOWN this node has left its cluster";
    }
    if (node->state == HF_STATE_OUT) {
        return "CLUSTERDOWN the cluster went on without this node, which is "
               "joining again";
    }
    return sent
               ? "CLUSTERDOWN no answer within the hold time; a write may have "
                 "been carried out"
               : "CLUSTERDOWN no primary serves this session, and none did "
                 "within the hold time";
}

void hf_node_requests_tick(struct hf_node *node)
{
    while (!hf_list_is_empty(&node->requests)) {
        struct hf_request *request = request_first(node);
        if (request->deadline > node->now) {
            break;
        }
        bool sent = request->state != HF_REQUEST_HELD;
        struct hf_reply reply = hf_reply_error(down_text(node, sent));
        if (HF_MUTATED(NIL_IN_THE_GAP)) {
            reply = (struct hf_reply){.kind = HF_REPLY_NIL};
        }
        node->counters.refused++;
        hf_node_request_done(node, request->number, &reply, 0);
    }
    struct hf_reply reply = hf_reply_error(down_text(node, false));
    hf_node_gathers_tick(node, &reply);
}

void hf_node_requests_close(struct hf_node *node)
{
    while (!hf_list_is_empty(&node->requests)) {
        request_free(node, request_first(node));
    }
    hf_node_gathers_close(node);
    hf_node_transfers_close(node);
    hf_mem_free(node->mem, node->request_ring,
                node->request_capacity * sizeof(*node->request_ring));
}

/* At the node that it was forwarded to. */

/* A newer node sent a command that we do not have. Its client may do without;
 * all others need the link. */
static void answer_unknown(struct hf_node *node,
                           struct hf_operation_id operation,
                           struct hf_slice name)
{
    struct hf_buffer *text = &node->scratch;
    hf_buffer_clear(text);
    hf_buffer_append_text(text, "ERR unknown command '");
    hf_buffer_append_slice(text, name);
    hf_buffer_append_text(text, "' on the node that owns the session");
    struct hf_reply reply = {.kind = HF_REPLY_ERROR,
                             .bytes = hf_buffer_slice(text)};
    if (text->failed) {
        reply = hf_reply_error(hf_no_memory_text);
    }
    hf_node_answer(node, operation, &reply, 0);
}

void hf_node_forwarded(struct hf_node *node, uint8_t member,
                       const struct hf_forward *forward)
{
    struct hf_operation_id operation = {node->view->members[member].incarnation,
                                        forward->number};
    if (forward->command.row == NULL) {
        answer_unknown(node, operation, forward->unknown);
        return;
    }
    enum hf_route route = forward->command.row->route;
    bool ranged = route == HF_ROUTE_EVERYWHERE || route == HF_ROUTE_SCAN;
    bool here = forward->epoch == node->view->epoch || HF_MUTATED(OLD_FORWARD);
    if (here && !ranged) {
        here = node->partitions[forward->partition].primary;
    }
    if (!here) {
        struct hf_message message = {
            .type = HF_MESSAGE_BOUNCE,
            .bounce = {node->view->epoch, forward->number}};
        hf_node_send_member(node, member, &message);
        return;
    }
    if (ranged) {
        hf_node_execute_range(node, operation, forward);
        return;
    }
    if (route != HF_ROUTE_PARTITIONS &&
        hf_command_partition(&forward->command) != forward->partition) {
        hf_node_answer_error(node, operation,
                             "ERR the key is not of its partition");
        return;
    }
    hf_node_execute(node, forward->partition, operation, &forward->command);
}
