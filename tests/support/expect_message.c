#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "support/expect_message.h"

static void expect_slice(struct hf_slice a, struct hf_slice b)
{
    assert_int_equal(a.size, b.size);
    if (a.size > 0) {
        assert_memory_equal(a.data, b.data, a.size);
    }
}

static void expect_info(const struct hf_peer_info *a,
                        const struct hf_peer_info *b)
{
    assert_int_equal(a->id, b->id);
    assert_int_equal(a->incarnation, b->incarnation);
    assert_int_equal(a->peer_port, b->peer_port);
    assert_int_equal(a->client_port, b->client_port);
    assert_int_equal(a->cluster_port, b->cluster_port);
    assert_string_equal(a->name, b->name);
    assert_string_equal(a->label, b->label);
    assert_string_equal(a->host, b->host);
}

static void expect_view(const struct hf_view *a, const struct hf_view *b)
{
    if (b == NULL) {
        assert_null(a);
        return;
    }
    assert_non_null(a);
    assert_int_equal(a->epoch, b->epoch);
    assert_int_equal(a->base, b->base);
    assert_int_equal(a->cluster, b->cluster);
    assert_int_equal(a->backups, b->backups);
    assert_int_equal(a->policy, b->policy);
    assert_int_equal(a->lineage_count, b->lineage_count);
    assert_memory_equal(a->lineages, b->lineages, sizeof(a->lineages));
    assert_int_equal(a->member_count, b->member_count);
    for (size_t i = 0; i < b->member_count; i++) {
        expect_info(&a->members[i], &b->members[i]);
    }
    assert_memory_equal(a->acting, b->acting, sizeof(a->acting));
}

static void expect_record(const struct hf_record_view *a,
                          const struct hf_record_view *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->partition, b->partition);
    assert_int_equal(a->version.epoch, b->version.epoch);
    assert_int_equal(a->version.sequence, b->version.sequence);
    assert_int_equal(a->operation.origin, b->operation.origin);
    assert_int_equal(a->operation.number, b->operation.number);
    expect_slice(a->key, b->key);
    expect_slice(a->effects, b->effects);
    expect_slice(a->reply, b->reply);
}

static void expect_heartbeat(const struct hf_heartbeat *a,
                             const struct hf_heartbeat *b)
{
    assert_int_equal(a->epoch, b->epoch);
    assert_int_equal(a->sent_at, b->sent_at);
    assert_int_equal(a->echo, b->echo);
    assert_int_equal(a->state, b->state);
    assert_int_equal(a->cluster, b->cluster);
    assert_int_equal(a->lineage, b->lineage);
    assert_int_equal(a->follows, b->follows);
    assert_int_equal(a->refusal_count, b->refusal_count);
    for (uint8_t i = 0; i < b->refusal_count; i++) {
        assert_int_equal(a->refusals[i].lineage, b->refusals[i].lineage);
        assert_int_equal(a->refusals[i].before, b->refusals[i].before);
    }
    assert_int_equal(a->reach, b->reach);
    assert_int_equal(a->suspects, b->suspects);
    assert_int_equal(a->ops_finished, b->ops_finished);
    assert_int_equal(a->sessions, b->sessions);
    assert_int_equal(a->under_replicated, b->under_replicated);
    assert_int_equal(a->bytes, b->bytes);
    assert_int_equal(a->fences, b->fences);
    assert_int_equal(a->fences_lifted, b->fences_lifted);
    assert_int_equal(a->writes_degraded, b->writes_degraded);
    assert_int_equal(a->partitions_lost, b->partitions_lost);
    assert_int_equal(a->sessions_lost, b->sessions_lost);
    assert_memory_equal(a->databases, b->databases, sizeof(a->databases));
    assert_int_equal(a->listens, b->listens);
    assert_int_equal(a->news, b->news);
    assert_int_equal(a->news_heard, b->news_heard);
    assert_int_equal(a->events, b->events);
    assert_int_equal(a->events_set_ms, b->events_set_ms);
}

static void expect_command(const struct hf_command *a,
                           const struct hf_command *b)
{
    assert_ptr_equal(a->row, b->row);
    assert_int_equal(a->database, b->database);
    assert_int_equal(a->argc, b->argc);
    for (size_t i = 0; i < b->argc; i++) {
        expect_slice(a->argv[i], b->argv[i]);
    }
}

static void expect_reply(const struct hf_reply *a, const struct hf_reply *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->integer, b->integer);
    expect_slice(a->bytes, b->bytes);
}

static void expect_forward(const struct hf_forward *a,
                           const struct hf_forward *b)
{
    assert_int_equal(a->epoch, b->epoch);
    assert_int_equal(a->number, b->number);
    assert_int_equal(a->ops_finished, b->ops_finished);
    assert_int_equal(a->partition, b->partition);
    assert_int_equal(a->partition_end, b->partition_end);
    assert_int_equal(a->scan_position, b->scan_position);
    assert_int_equal(a->scan_count, b->scan_count);
    if (b->command.row == NULL) {
        expect_slice(a->unknown, b->unknown);
    }
    expect_command(&a->command, &b->command);
}

static void expect_nominate(const struct hf_nominate *a,
                            const struct hf_nominate *b)
{
    assert_int_equal(a->epoch, b->epoch);
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < b->count; i++) {
        assert_int_equal(a->nominations[i].partition,
                         b->nominations[i].partition);
        assert_int_equal(a->nominations[i].member, b->nominations[i].member);
    }
}

static void expect_positions(const struct hf_positions *a,
                             const struct hf_positions *b)
{
    assert_int_equal(a->epoch, b->epoch);
    assert_int_equal(a->last, b->last);
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < b->count; i++) {
        const struct hf_position *p = &a->positions[i];
        const struct hf_position *q = &b->positions[i];
        assert_int_equal(p->partition, q->partition);
        assert_int_equal(p->version.epoch, q->version.epoch);
        assert_int_equal(p->version.sequence, q->version.sequence);
        assert_int_equal(p->learnt, q->learnt);
    }
}

static void expect_merge(const struct hf_merge *a, const struct hf_merge *b)
{
    assert_int_equal(a->epoch, b->epoch);
    assert_int_equal(a->lineage, b->lineage);
    assert_int_equal(a->held, b->held);
    assert_int_equal(a->forked, b->forked);
    assert_int_equal(a->partition, b->partition);
    expect_slice(a->knowledge, b->knowledge);
    assert_int_equal(a->from, b->from);
    assert_int_equal(a->to, b->to);
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < b->count; i++) {
        const struct hf_merge_entry *p = &a->entries[i];
        const struct hf_merge_entry *q = &b->entries[i];
        expect_slice(p->key, q->key);
        assert_int_equal(p->version.epoch, q->version.epoch);
        assert_int_equal(p->version.sequence, q->version.sequence);
        expect_slice(p->effects, q->effects);
    }
}

static void expect_control(const struct hf_message *a,
                           const struct hf_message *b)
{
    switch (b->type) {
    case HF_MESSAGE_HEARTBEAT:
        expect_heartbeat(&a->heartbeat, &b->heartbeat);
        return;
    case HF_MESSAGE_PREPARE:
        assert_int_equal(a->prepare.ballot, b->prepare.ballot);
        assert_int_equal(a->prepare.base, b->prepare.base);
        assert_int_equal(a->prepare.excluded, b->prepare.excluded);
        assert_int_equal(a->prepare.dead, b->prepare.dead);
        assert_int_equal(a->prepare.fork, b->prepare.fork);
        return;
    case HF_MESSAGE_PROMISE:
        assert_int_equal(a->promise.ballot, b->promise.ballot);
        assert_int_equal(a->promise.base, b->promise.base);
        assert_int_equal(a->promise.fresh, b->promise.fresh);
        assert_int_equal(a->promise.accepted_ballot,
                         b->promise.accepted_ballot);
        expect_view(a->promise.accepted, b->promise.accepted);
        return;
    case HF_MESSAGE_ACCEPT:
        assert_int_equal(a->accept.ballot, b->accept.ballot);
        assert_int_equal(a->accept.base, b->accept.base);
        expect_view(a->accept.view, b->accept.view);
        return;
    case HF_MESSAGE_ACCEPTED:
        assert_int_equal(a->accepted.ballot, b->accepted.ballot);
        assert_int_equal(a->accepted.base, b->accepted.base);
        return;
    case HF_MESSAGE_VIEW:
        expect_view(a->view, b->view);
        return;
    case HF_MESSAGE_NOMINATE:
        expect_nominate(&a->nominate, &b->nominate);
        return;
    default:
        fail_msg("message type %d", (int)b->type);
    }
}

static void expect_data(const struct hf_message *a, const struct hf_message *b)
{
    switch (b->type) {
    case HF_MESSAGE_FORWARD:
        expect_forward(&a->forward, &b->forward);
        return;
    case HF_MESSAGE_RESULT:
        assert_int_equal(a->result.number, b->result.number);
        assert_int_equal(a->result.scan_next, b->result.scan_next);
        expect_reply(&a->result.reply, &b->result.reply);
        return;
    case HF_MESSAGE_BOUNCE:
        assert_int_equal(a->bounce.epoch, b->bounce.epoch);
        assert_int_equal(a->bounce.number, b->bounce.number);
        return;
    case HF_MESSAGE_RECORD:
        assert_int_equal(a->record.epoch, b->record.epoch);
        assert_int_equal(a->record.number, b->record.number);
        expect_record(&a->record.record, &b->record.record);
        return;
    case HF_MESSAGE_ACK:
        assert_int_equal(a->ack.epoch, b->ack.epoch);
        assert_int_equal(a->ack.number, b->ack.number);
        return;
    case HF_MESSAGE_COMMITTED:
        assert_int_equal(a->committed.epoch, b->committed.epoch);
        assert_int_equal(a->committed.number, b->committed.number);
        return;
    case HF_MESSAGE_POSITIONS:
        expect_positions(&a->positions, &b->positions);
        return;
    case HF_MESSAGE_PULL:
        assert_int_equal(a->pull.epoch, b->pull.epoch);
        assert_int_equal(a->pull.partition, b->pull.partition);
        assert_int_equal(a->pull.sequence, b->pull.sequence);
        return;
    case HF_MESSAGE_SUFFIX:
        assert_int_equal(a->suffix.epoch, b->suffix.epoch);
        expect_record(&a->suffix.record, &b->suffix.record);
        return;
    case HF_MESSAGE_MERGE:
        expect_merge(&a->merge, &b->merge);
        return;
    case HF_MESSAGE_MERGED:
        assert_int_equal(a->merged.epoch, b->merged.epoch);
        assert_int_equal(a->merged.lineage, b->merged.lineage);
        assert_int_equal(a->merged.held, b->merged.held);
        assert_int_equal(a->merged.partition, b->merged.partition);
        assert_int_equal(a->merged.to, b->merged.to);
        expect_slice(a->merged.knowledge, b->merged.knowledge);
        return;
    case HF_MESSAGE_TELL:
        assert_int_equal(a->tell.number, b->tell.number);
        expect_command(&a->tell.command, &b->tell.command);
        return;
    case HF_MESSAGE_TOLD:
        assert_int_equal(a->told.number, b->told.number);
        expect_reply(&a->told.reply, &b->told.reply);
        return;
    default:
        fail_msg("message type %d", (int)b->type);
    }
}

void messages_expect_equal(const struct hf_message *a,
                           const struct hf_message *b)
{
    assert_int_equal(a->type, b->type);
    if (hf_message_channel(b->type) == HF_CHANNEL_CONTROL) {
        expect_control(a, b);
    } else {
        expect_data(a, b);
    }
}
