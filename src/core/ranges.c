/* ranges.c - Reads of all partitions of this node at once: DBSIZE, and SCAN
 * over a run of partitions.
 *
 * Whoever was asked sends one such command to every primary, stamped with the
 * epoch, and gathers the answers: in one epoch every partition has one
 * primary, so together they cover each partition once. A range waits until all
 * its partitions here are served; at a view change it is dropped, and sent
 * anew by whoever was asked. Like any read, it is answered when all that it
 * shows is on every copy. */
#include <string.h>

#include "base/assert.h"
#include "core/node_state.h"
#include "holdfast/error.h"

/* All its partitions here are served, and when it is a SCAN, what it finds to
 * be over can be deleted. */
static bool range_is_ready(struct hf_node *node,
                           const struct hf_forward *forward)
{
    bool scan = forward->command.row->route == HF_ROUTE_SCAN;
    for (uint16_t p = forward->partition; p < forward->partition_end; p++) {
        if (node->partitions[p].primary &&
            (!hf_node_may_serve(node, p) ||
             (scan && !hf_node_streams_have_room(node, p)))) {
            return false;
        }
    }
    return true;
}

static void range_free(struct hf_node *node, struct hf_range *range)
{
    hf_list_remove(&range->link);
    node->answer_bytes -= range->held_bytes;
    hf_buffer_close(&range->held);
    hf_mem_free(node->mem, range, range->size);
}

void hf_node_range_committed(struct hf_node *node, struct hf_range *range)
{
    HF_ASSERT(range->pending > 0);
    range->pending--;
    if (range->pending == 0) {
        struct hf_operation_id operation = range->operation;
        struct hf_reply reply = range->reply;
        struct hf_buffer held = range->held;
        uint64_t scan_next = range->scan_next;
        hf_buffer_init(&range->held, node->mem);
        range_free(node, range);
        hf_node_answer(node, operation, &reply, scan_next);
        hf_buffer_close(&held);
    }
}

enum page_result {
    PAGE_MADE,
    PAGE_WAITS, /* It would leave out what cannot be deleted now. */
    PAGE_NO_MEMORY,
    PAGE_TOO_LARGE,
};

struct page {
    struct hf_node *node;
    const struct hf_scan_options *options;
    uint32_t count;
    uint64_t next;         /* Where the last partition goes on. */
    struct hf_buffer keys; /* Of the sessions there are. */
    struct hf_buffer due;  /* Keys of sessions whose time is over. */
};

static void on_session(void *user, const struct hf_session *session)
{
    struct page *page = user;
    if (hf_session_deadline(session) <= page->node->now) {
        hf_reply_put_bulk(&page->due, hf_session_key(session));
    } else if (hf_scan_matches(page->options, session, page->node->now)) {
        hf_reply_put_bulk(&page->node->effects,
                          hf_key_text(hf_session_key(session)));
        page->count++;
    }
}

/* What a client saw as over must stay so, whoever is primary next. */
static enum page_result expire_page(struct page *page, uint16_t p)
{
    struct hf_node *node = page->node;
    struct hf_reader reader = hf_reader_of(hf_buffer_slice(&page->due));
    struct hf_token token;
    while (hf_token_next(&reader, &token)) {
        if (!hf_node_streams_have_room(node, p)) {
            return PAGE_WAITS;
        }
        if (hf_node_expire_key(node, p, token.bytes) != 0) {
            return PAGE_NO_MEMORY;
        }
    }
    return page->due.failed ? PAGE_NO_MEMORY : PAGE_MADE;
}

static enum page_result
scan_partition(struct page *page, const struct hf_forward *forward, uint16_t p)
{
    bool single = forward->partition_end == forward->partition + 1;
    struct hf_buffer *effects = &page->node->effects;
    hf_buffer_clear(effects);
    hf_buffer_clear(&page->due);
    page->next = hf_sessions_scan(&page->node->partitions[p].sessions,
                                  single ? forward->scan_position : 0,
                                  single ? forward->scan_count : UINT32_MAX,
                                  on_session, page);
    hf_buffer_append_slice(&page->keys, hf_buffer_slice(effects));
    if (effects->failed || page->keys.failed) {
        return PAGE_NO_MEMORY;
    }
    return expire_page(page, p); /* It uses node->effects, too. */
}

static enum page_result make_page(struct page *page, struct hf_range *range)
{
    const struct hf_forward *forward = &range->forward;
    enum page_result result = PAGE_MADE;
    for (uint16_t p = forward->partition;
         result == PAGE_MADE && p < forward->partition_end; p++) {
        if (page->node->partitions[p].primary) {
            result = scan_partition(page, forward, p);
        }
        if (result == PAGE_MADE && page->keys.size > HF_REPLY_BYTES_MAX) {
            return PAGE_TOO_LARGE;
        }
    }
    if (result == PAGE_MADE) {
        hf_reply_put_array(&range->held, page->count);
        hf_buffer_append_slice(&range->held, hf_buffer_slice(&page->keys));
        range->scan_next = page->next;
    }
    return range->held.failed ? PAGE_NO_MEMORY : result;
}

/* Puts the answer into range->held. False: it has to wait. */
static bool start_scan(struct hf_node *node, struct hf_range *range)
{
    struct hf_scan_options options;
    if (!hf_scan_parse(&range->forward.command, &options, &range->reply)) {
        return true;
    }
    if (node->answer_bytes > node->config.held_bytes_max) {
        range->reply = hf_reply_error(hf_many_answers_text);
        return true;
    }
    struct page page = {
        .node = node, .options = &options, .next = HF_SESSIONS_END};
    hf_buffer_init(&page.keys, node->mem);
    hf_buffer_init(&page.due, node->mem);
    enum page_result result = make_page(&page, range);
    hf_buffer_close(&page.keys);
    hf_buffer_close(&page.due);
    range->held_bytes = range->held.size;
    node->answer_bytes += range->held_bytes;
    range->reply = result == PAGE_NO_MEMORY ? hf_reply_error(hf_no_memory_text)
                   : result == PAGE_TOO_LARGE
                       ? hf_reply_error(HF_REPLY_TOO_LARGE)
                       : hf_reply_nested(&range->held);
    return result != PAGE_WAITS;
}

/* What @range shows may still be lost: it waits for the last write. */
static void wait_for_writes(struct hf_node *node, struct hf_range *range)
{
    for (uint16_t p = range->forward.partition;
         p < range->forward.partition_end; p++) {
        struct hf_partition *partition = &node->partitions[p];
        uint32_t count = partition->log.count;
        if (!partition->primary || count == 0 ||
            partition->version.sequence <= partition->committed) {
            continue;
        }
        struct hf_record *last = hf_record_queue_at(&partition->log, count - 1);
        if (hf_record_wait_range(node->mem, last, range) != 0) {
            range->reply = hf_reply_error(hf_no_memory_text);
            return;
        }
        range->pending++;
    }
}

/* Adds what one partition says to the answer. */
static void run_one(struct hf_node *node, struct hf_range *range, uint16_t p)
{
    struct hf_apply apply = hf_node_apply_context(node, p);
    range->forward.command.row->apply(&apply, &range->forward.command);
    HF_ASSERT(node->effects.size == 0);              /* It is a read, */
    HF_ASSERT(apply.reply.kind == HF_REPLY_INTEGER); /* and a sum. */
    range->reply.integer += apply.reply.integer;
}

static void run_range(struct hf_node *node, struct hf_range *range)
{
    range->started = true;
    range->pending = 1; /* Ours, until all are under way. */
    if (range->forward.command.row->route == HF_ROUTE_SCAN) {
        if (!start_scan(node, range)) {
            range->started = false;
            return;
        }
    } else {
        range->reply = hf_reply_integer(0);
        for (uint16_t p = range->forward.partition;
             p < range->forward.partition_end; p++) {
            if (node->partitions[p].primary) {
                run_one(node, range, p);
            }
        }
    }
    if (range->reply.kind != HF_REPLY_ERROR) {
        wait_for_writes(node, range);
    }
    hf_node_range_committed(node, range);
}

static struct hf_range *range_new(struct hf_node *node,
                                  struct hf_operation_id operation,
                                  const struct hf_forward *forward)
{
    const struct hf_command *command = &forward->command;
    size_t size = sizeof(struct hf_range) + hf_command_copy_size(command);
    struct hf_range *range =
        size > UINT32_MAX ? NULL : hf_mem_alloc(node->mem, size);
    if (range == NULL) {
        return NULL;
    }
    *range = (struct hf_range){.operation = operation,
                               .size = (uint32_t)size,
                               .since = node->now,
                               .forward = *forward};
    hf_buffer_init(&range->held, node->mem);
    range->forward.command = hf_command_copy(command, range + 1);
    hf_list_push_back(&node->ranges, &range->link);
    return range;
}

static bool range_is_known(const struct hf_node *node,
                           struct hf_operation_id operation)
{
    for (struct hf_list *link = node->ranges.next; link != &node->ranges;
         link = link->next) {
        const struct hf_range *range =
            HF_CONTAINER_OF(link, struct hf_range, link);
        if (range->operation.origin == operation.origin &&
            range->operation.number == operation.number) {
            return true;
        }
    }
    return false;
}

void hf_node_execute_range(struct hf_node *node,
                           struct hf_operation_id operation,
                           const struct hf_forward *forward)
{
    if (hf_node_is_over(node, operation) || range_is_known(node, operation)) {
        return;
    }
    struct hf_range *range = range_new(node, operation, forward);
    if (range == NULL) {
        struct hf_reply reply = hf_reply_error(hf_no_memory_text);
        hf_node_answer(node, operation, &reply, 0);
        return;
    }
    if (range_is_ready(node, &range->forward)) {
        run_range(node, range);
    }
}

void hf_node_run_ranges(struct hf_node *node)
{
    struct hf_list *link = node->ranges.next;
    while (link != &node->ranges) {
        struct hf_range *range = HF_CONTAINER_OF(link, struct hf_range, link);
        link = link->next;
        if (range->started) {
            continue;
        }
        if (node->now - range->since > (hf_time)node->config.hold_ms) {
            range_free(node, range); /* Who asked has given up. */
        } else if (range_is_ready(node, &range->forward)) {
            run_range(node, range);
            link = node->ranges.next; /* Others may have ended with it. */
        }
    }
}

void hf_node_drop_ranges(struct hf_node *node)
{
    while (!hf_list_is_empty(&node->ranges)) {
        range_free(node,
                   HF_CONTAINER_OF(node->ranges.next, struct hf_range, link));
    }
}
