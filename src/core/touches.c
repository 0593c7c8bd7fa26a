/* touches.c - New times to live that copies need not hear of.
 *
 * The most frequent write there is moves the deadline of a session a little:
 * somebody was there again. Copies are told a deadline that is later than the
 * primary's own by a grace, a 20th of the time to live, but at most
 * touch_delay_ms. Until touches have used that up, they change nothing that a
 * copy has to know, and are answered without a record:
 *
 *   primary    ------D1--D2---D3--|            D4: a record again
 *   copies     -------------------D1+grace
 *
 * So a copy that becomes primary never ends a session before the time that was
 * promised last, and at most the grace later. Nothing is ever owed to a copy,
 * so nothing has to be flushed when a partition changes hands: what a new copy
 * is told is the later deadline, too (core/effects.c), and on a primary that
 * became a copy, and primary again, what is left of the grace is still right,
 * for only records can make the deadlines of others earlier. */
#include "base/assert.h"
#include "core/node_state.h"

#define GRACE_PART 20
#define GRACE_MS_MAX 60000

/* The time to live, if the effects are nothing else; else HF_TTL_NONE. */
static int64_t only_ttl(const struct hf_node *node)
{
    struct hf_reader reader = hf_reader_of(hf_buffer_slice(&node->effects));
    struct hf_effect effect;
    bool only = !node->effects.failed && hf_effects_next(&reader, &effect) &&
                effect.kind == HF_EFFECT_EXPIRE && hf_reader_left(&reader) == 0;
    return only ? effect.ttl_ms : HF_TTL_NONE;
}

bool hf_node_touch(struct hf_node *node, uint16_t p, struct hf_slice key,
                   uint32_t hash)
{
    int64_t ttl_ms = only_ttl(node);
    if (ttl_ms == HF_TTL_NONE) {
        return false;
    }
    struct hf_sessions *sessions = &node->partitions[p].sessions;
    const struct hf_session *session = hf_sessions_find(sessions, key, hash);
    if (session == NULL || hf_session_deadline(session) == HF_NEVER) {
        return false;
    }
    hf_time last = hf_session_deadline_told(session);
    if (last == hf_session_deadline(session) || node->now > last - ttl_ms ||
        node->now < hf_session_deadline(session) - ttl_ms) {
        return false;
    }
    hf_time deadline = node->now + ttl_ms;
    hf_sessions_touch(sessions, key, hash, deadline,
                      (uint16_t)(last - deadline));
    hf_buffer_clear(&node->effects);
    node->counters.touches++;
    return true;
}

hf_time hf_node_touch_begin(struct hf_node *node)
{
    int64_t ttl_ms = only_ttl(node);
    hf_time grace = ttl_ms / GRACE_PART;
    if (grace > (hf_time)node->config.touch_delay_ms) {
        grace = (hf_time)node->config.touch_delay_ms;
    }
    HF_ASSERT(grace <= GRACE_MS_MAX);
    if (ttl_ms == HF_TTL_NONE || grace == 0 || ttl_ms > INT64_MAX - grace) {
        return 0;
    }
    hf_buffer_clear(&node->effects);
    hf_effects_expire(&node->effects,
                      ttl_ms + (HF_MUTATED(TOUCH_WITHOUT_GRACE) ? 0 : grace));
    return grace;
}

void hf_node_touch_end(struct hf_node *node, uint16_t p, struct hf_slice key,
                       uint32_t hash, hf_time grace)
{
    if (grace == 0) {
        return;
    }
    struct hf_sessions *sessions = &node->partitions[p].sessions;
    const struct hf_session *session = hf_sessions_find(sessions, key, hash);
    if (session == NULL || hf_session_deadline(session) == HF_NEVER) {
        return;
    }
    hf_time taken = HF_MUTATED(TOUCH_WITHOUT_GRACE) ? 0 : grace;
    hf_sessions_touch(sessions, key, hash, hf_session_deadline(session) - taken,
                      (uint16_t)grace);
}
