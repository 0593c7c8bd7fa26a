#include "wire/fields.h"

#include <string.h>

#include "base/assert.h"
#include "base/hash.h"

#define ACTING_EMPTY 0x80u /* In the count of copies; and this: */
#define ACTING_AWAITED 0x40u
#define BEAT_LISTENS 1u /* Flags of a heartbeat. */
#define BEAT_OTHERS 2u

bool hf_field_text_is_sound(const char *text, size_t capacity)
{
    for (size_t i = 0; i < capacity; i++) {
        uint8_t byte = (uint8_t)text[i];
        if (byte == 0) {
            return true;
        }
        if (byte < ' ' || byte == 127) {
            return false;
        }
    }
    return false;
}

void hf_field_put_text(struct hf_buffer *out, const char *text)
{
    size_t size = strlen(text);
    HF_ASSERT(size <= UINT8_MAX);
    hf_buffer_put_u8(out, (uint8_t)size);
    hf_buffer_append(out, text, size);
}

bool hf_field_read_text(struct hf_reader *reader, char *text, size_t capacity)
{
    size_t size = hf_reader_u8(reader);
    if (size >= capacity) {
        return false;
    }
    struct hf_slice bytes = hf_reader_bytes(reader, size);
    if (reader->failed) {
        return false;
    }
    memset(text, 0, capacity);
    if (size > 0) {
        memcpy(text, bytes.data, size);
    }
    /* A zero byte inside would make it end before its length says. */
    return hf_field_text_is_sound(text, capacity) && strlen(text) == size;
}

bool hf_field_info_is_sound(const struct hf_peer_info *info)
{
    return hf_field_text_is_sound(info->name, sizeof(info->name)) &&
           hf_field_text_is_sound(info->label, sizeof(info->label)) &&
           hf_field_text_is_sound(info->host, sizeof(info->host)) &&
           info->name[0] != '\0' &&
           info->id == hf_hash(hf_slice_text(info->name)) &&
           info->incarnation != 0 && info->peer_port != 0 &&
           info->client_port != 0;
}

void hf_field_put_info(struct hf_buffer *out, const struct hf_peer_info *info)
{
    hf_buffer_put_u64(out, info->id);
    hf_buffer_put_u64(out, info->incarnation);
    hf_buffer_put_u64(out, info->started_ms);
    hf_buffer_put_u16(out, info->peer_port);
    hf_buffer_put_u16(out, info->client_port);
    hf_buffer_put_u16(out, info->cluster_port);
    hf_field_put_text(out, info->name);
    hf_field_put_text(out, info->label);
    hf_field_put_text(out, info->host);
}

bool hf_field_read_info(struct hf_reader *reader, struct hf_peer_info *info)
{
    memset(info, 0, sizeof(*info));
    info->id = hf_reader_u64(reader);
    info->incarnation = hf_reader_u64(reader);
    info->started_ms = hf_reader_u64(reader);
    info->peer_port = hf_reader_u16(reader);
    info->client_port = hf_reader_u16(reader);
    info->cluster_port = hf_reader_u16(reader);
    return hf_field_read_text(reader, info->name, sizeof(info->name)) &&
           hf_field_read_text(reader, info->label, sizeof(info->label)) &&
           hf_field_read_text(reader, info->host, sizeof(info->host)) &&
           hf_field_info_is_sound(info);
}

void hf_field_put_view(struct hf_buffer *out, const struct hf_view *view)
{
    HF_ASSERT(view->member_count <= HF_MEMBERS_MAX);
    hf_buffer_put_u64(out, view->epoch);
    hf_buffer_put_u64(out, view->base);
    hf_buffer_put_u64(out, view->cluster);
    hf_buffer_put_u64(out, view->founded_ms);
    hf_buffer_put_u8(out, view->backups);
    hf_buffer_put_u8(out, view->policy);
    hf_buffer_put_u8(out, view->lineage_count);
    for (size_t i = 0; i < view->lineage_count; i++) {
        hf_buffer_put_u64(out, view->lineages[i].id);
        hf_buffer_put_u64(out, view->lineages[i].forked);
        hf_buffer_put_u64(out, view->lineages[i].base);
    }
    hf_buffer_put_u8(out, view->member_count);
    hf_buffer_put_u64(out, view->absent);
    hf_buffer_put_u64(out, view->leaving);
    for (size_t i = 0; i < view->member_count; i++) {
        hf_field_put_info(out, &view->members[i]);
    }
    for (size_t i = 0; i < HF_PARTITION_COUNT; i++) {
        const struct hf_acting *acting = &view->acting[i];
        HF_ASSERT(acting->count <= HF_COPIES_MAX);
        hf_buffer_put_u8(
            out, (uint8_t)(acting->count | (acting->empty ? ACTING_EMPTY : 0) |
                           (acting->awaited ? ACTING_AWAITED : 0)));
        hf_buffer_append(out, acting->members, acting->count);
    }
}

static bool read_members(struct hf_reader *reader, struct hf_view *view)
{
    for (size_t i = 0; i < view->member_count; i++) {
        if (!hf_field_read_info(reader, &view->members[i])) {
            return false;
        }
        for (size_t j = 0; j < i; j++) {
            if (view->members[j].id == view->members[i].id) {
                return false;
            }
        }
    }
    return true;
}

static bool read_acting(struct hf_reader *reader, uint8_t member_count,
                        struct hf_acting *acting)
{
    uint8_t count = hf_reader_u8(reader);
    acting->empty = (count & ACTING_EMPTY) != 0;
    acting->awaited = (count & ACTING_AWAITED) != 0;
    count &= (uint8_t) ~(ACTING_EMPTY | ACTING_AWAITED);
    if (count == 0 || count > HF_COPIES_MAX) {
        return false;
    }
    hf_member_set seen = 0;
    for (uint8_t i = 0; i < count; i++) {
        uint8_t member = hf_reader_u8(reader);
        if (member >= member_count || (seen & hf_member_set_of(member)) != 0) {
            return false;
        }
        seen |= hf_member_set_of(member);
        acting->members[i] = member;
    }
    acting->count = count;
    return true;
}

static bool read_lineages(struct hf_reader *reader, struct hf_view *view)
{
    view->lineage_count = hf_reader_u8(reader);
    if (view->lineage_count == 0 || view->lineage_count > HF_LINEAGES_MAX) {
        return false;
    }
    for (size_t i = 0; i < view->lineage_count; i++) {
        view->lineages[i].id = hf_reader_u64(reader);
        view->lineages[i].forked = hf_reader_u64(reader);
        view->lineages[i].base = hf_reader_u64(reader);
    }
    return true;
}

bool hf_field_read_view(struct hf_reader *reader, struct hf_view *view)
{
    memset(view, 0, sizeof(*view));
    view->epoch = hf_reader_u64(reader);
    view->base = hf_reader_u64(reader);
    view->cluster = hf_reader_u64(reader);
    view->founded_ms = hf_reader_u64(reader);
    view->backups = hf_reader_u8(reader);
    view->policy = hf_reader_u8(reader);
    if (view->policy > HF_POLICY_AVAILABLE || !read_lineages(reader, view)) {
        return false;
    }
    view->member_count = hf_reader_u8(reader);
    view->absent = hf_reader_u64(reader);
    view->leaving = hf_reader_u64(reader);
    if (view->backups > HF_BACKUPS_MAX || view->member_count == 0 ||
        view->member_count > HF_MEMBERS_MAX || !read_members(reader, view)) {
        return false;
    }
    hf_member_set all = hf_view_all(view);
    if ((view->absent & ~all) != 0 || (view->leaving & ~all) != 0 ||
        view->absent == all) {
        return false;
    }
    for (size_t i = 0; i < HF_PARTITION_COUNT; i++) {
        if (!read_acting(reader, view->member_count, &view->acting[i])) {
            return false;
        }
    }
    return !reader->failed;
}

/* Most are empty: which are not, and then how many each of those has. */
static void put_databases(struct hf_buffer *out,
                          const uint64_t databases[HF_DATABASE_COUNT])
{
    uint16_t used = 0;
    for (unsigned i = 0; i < HF_DATABASE_COUNT; i++) {
        used |= (uint16_t)((databases[i] > 0 ? 1u : 0u) << i);
    }
    hf_buffer_put_u16(out, used);
    for (unsigned i = 0; i < HF_DATABASE_COUNT; i++) {
        if (databases[i] > 0) {
            hf_buffer_put_u64(out, databases[i]);
        }
    }
}

static bool read_databases(struct hf_reader *reader,
                           uint64_t databases[HF_DATABASE_COUNT])
{
    uint16_t used = hf_reader_u16(reader);
    for (unsigned i = 0; i < HF_DATABASE_COUNT; i++) {
        databases[i] = 0;
        if ((used >> i & 1) != 0) {
            databases[i] = hf_reader_u64(reader);
            if (databases[i] == 0) {
                return false; /* A message has one encoding. */
            }
        }
    }
    return true;
}

void hf_field_put_heartbeat(struct hf_buffer *out,
                            const struct hf_heartbeat *heartbeat)
{
    hf_buffer_put_u64(out, heartbeat->epoch);
    hf_buffer_put_u64(out, (uint64_t)heartbeat->sent_at);
    hf_buffer_put_u64(out, (uint64_t)heartbeat->echo);
    hf_buffer_put_u8(out, heartbeat->state);
    hf_buffer_put_u8(out, heartbeat->leaving);
    HF_ASSERT(heartbeat->guest_count <= HF_GUESTS_MAX);
    hf_buffer_put_u8(out, heartbeat->guest_count);
    for (uint8_t i = 0; i < heartbeat->guest_count; i++) {
        hf_buffer_put_u64(out, heartbeat->guests[i]);
    }
    HF_ASSERT(heartbeat->refusal_count <= HF_REFUSALS_MAX);
    hf_buffer_put_u8(out, heartbeat->refusal_count);
    for (uint8_t i = 0; i < heartbeat->refusal_count; i++) {
        hf_buffer_put_u64(out, heartbeat->refusals[i].lineage);
        hf_buffer_put_u64(out, heartbeat->refusals[i].before);
    }
    hf_buffer_put_u64(out, heartbeat->cluster);
    hf_buffer_put_u64(out, heartbeat->lineage);
    hf_buffer_put_u64(out, heartbeat->follows);
    hf_buffer_put_u64(out, heartbeat->reach);
    hf_buffer_put_u64(out, heartbeat->suspects);
    hf_buffer_put_u64(out, heartbeat->ops_finished);
    hf_buffer_put_u64(out, heartbeat->sessions);
    hf_buffer_put_u64(out, heartbeat->under_replicated);
    hf_buffer_put_u64(out, heartbeat->bytes);
    hf_buffer_put_u64(out, heartbeat->fences);
    hf_buffer_put_u64(out, heartbeat->fences_lifted);
    hf_buffer_put_u64(out, heartbeat->writes_degraded);
    hf_buffer_put_u64(out, heartbeat->partitions_lost);
    hf_buffer_put_u64(out, heartbeat->sessions_lost);
    hf_buffer_put_u64(out, heartbeat->slow);
    hf_buffer_put_u64(out, heartbeat->put_off);
    hf_buffer_put_u64(out, heartbeat->refill_partitions);
    hf_buffer_put_u64(out, heartbeat->refill_sessions);
    hf_buffer_put_u64(out, heartbeat->refill_bytes);
    put_databases(out, heartbeat->databases);
    hf_buffer_put_u8(out, (uint8_t)((heartbeat->listens ? BEAT_LISTENS : 0) |
                                    (heartbeat->others ? BEAT_OTHERS : 0)));
    hf_buffer_put_u64(out, heartbeat->news);
    hf_buffer_put_u64(out, heartbeat->news_heard);
    hf_buffer_put_u32(out, heartbeat->events);
    hf_buffer_put_u64(out, heartbeat->events_set_ms);
}

bool hf_field_read_heartbeat(struct hf_reader *reader,
                             struct hf_heartbeat *heartbeat)
{
    heartbeat->epoch = hf_reader_u64(reader);
    heartbeat->sent_at = (hf_time)hf_reader_u64(reader);
    heartbeat->echo = (hf_time)hf_reader_u64(reader);
    heartbeat->state = hf_reader_u8(reader);
    heartbeat->leaving = hf_reader_u8(reader);
    heartbeat->guest_count = hf_reader_u8(reader);
    if (heartbeat->guest_count > HF_GUESTS_MAX) {
        return false;
    }
    for (uint8_t i = 0; i < heartbeat->guest_count; i++) {
        heartbeat->guests[i] = hf_reader_u64(reader);
    }
    heartbeat->refusal_count = hf_reader_u8(reader);
    if (heartbeat->refusal_count > HF_REFUSALS_MAX) {
        return false;
    }
    for (uint8_t i = 0; i < heartbeat->refusal_count; i++) {
        heartbeat->refusals[i].lineage = hf_reader_u64(reader);
        heartbeat->refusals[i].before = hf_reader_u64(reader);
    }
    heartbeat->cluster = hf_reader_u64(reader);
    heartbeat->lineage = hf_reader_u64(reader);
    heartbeat->follows = hf_reader_u64(reader);
    heartbeat->reach = hf_reader_u64(reader);
    heartbeat->suspects = hf_reader_u64(reader);
    heartbeat->ops_finished = hf_reader_u64(reader);
    heartbeat->sessions = hf_reader_u64(reader);
    heartbeat->under_replicated = hf_reader_u64(reader);
    heartbeat->bytes = hf_reader_u64(reader);
    heartbeat->fences = hf_reader_u64(reader);
    heartbeat->fences_lifted = hf_reader_u64(reader);
    heartbeat->writes_degraded = hf_reader_u64(reader);
    heartbeat->partitions_lost = hf_reader_u64(reader);
    heartbeat->sessions_lost = hf_reader_u64(reader);
    heartbeat->slow = hf_reader_u64(reader);
    heartbeat->put_off = hf_reader_u64(reader);
    heartbeat->refill_partitions = hf_reader_u64(reader);
    heartbeat->refill_sessions = hf_reader_u64(reader);
    heartbeat->refill_bytes = hf_reader_u64(reader);
    bool fits = read_databases(reader, heartbeat->databases);
    uint8_t flags = hf_reader_u8(reader);
    heartbeat->listens = (flags & BEAT_LISTENS) != 0;
    heartbeat->others = (flags & BEAT_OTHERS) != 0;
    heartbeat->news = hf_reader_u64(reader);
    heartbeat->news_heard = hf_reader_u64(reader);
    heartbeat->events = hf_reader_u32(reader);
    heartbeat->events_set_ms = hf_reader_u64(reader);
    return fits && flags <= (BEAT_LISTENS | BEAT_OTHERS) &&
           heartbeat->events <= HF_NOTICES_EVERY &&
           heartbeat->state <= HF_STATE_MERGING &&
           heartbeat->leaving <= HF_LEAVING_READY;
}
