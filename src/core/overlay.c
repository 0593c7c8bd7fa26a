#include "core/overlay.h"

#include "base/assert.h"
#include "base/mutation.h"
#include "core/effects.h"
#include "core/placement.h"
#include "core/session.h"
#include "holdfast/error.h"

void hf_overlay_init(struct hf_overlay *overlay, struct hf_sessions *under)
{
    overlay->under = under;
    hf_sessions_init(&overlay->touched, under->mem, NULL, under->partition);
    hf_sessions_init(&overlay->after, under->mem, NULL, under->partition);
}

void hf_overlay_close(struct hf_overlay *overlay)
{
    hf_sessions_clear(&overlay->touched);
    hf_sessions_clear(&overlay->after);
}

bool hf_overlay_has_touched(const struct hf_overlay *overlay,
                            struct hf_slice key, uint32_t hash)
{
    return hf_sessions_find(&overlay->touched, key, hash) != NULL;
}

const struct hf_session *hf_overlay_find(const struct hf_overlay *overlay,
                                         struct hf_slice key, uint32_t hash)
{
    return hf_sessions_find_entry(hf_overlay_has_touched(overlay, key, hash)
                                      ? &overlay->after
                                      : overlay->under,
                                  key, hash);
}

/* Drops whatever @sessions have under @key. */
static void drop(struct hf_sessions *sessions, struct hf_slice key,
                 uint32_t hash)
{
    static const uint8_t effects[] = {HF_EFFECT_DELETE};
    int error =
        hf_sessions_apply(sessions, key, hash, (struct hf_version){0, 0},
                          (struct hf_slice){effects, sizeof(effects)}, 0);
    HF_ASSERT(error == 0); /* It takes no memory. */
}

static int mark(struct hf_overlay *overlay, struct hf_slice key, uint32_t hash)
{
    /* PUT without a time to live, of nothing. */
    static const uint8_t effects[1 + 8 + 4] = {
        HF_EFFECT_PUT, 255, 255, 255, 255, 255, 255, 255, 255};
    return hf_sessions_apply(&overlay->touched, key, hash,
                             (struct hf_version){0, 0},
                             (struct hf_slice){effects, sizeof(effects)}, 0);
}

/* Whether it does not matter what was there before. */
static bool replaces(struct hf_slice effects)
{
    return effects.data[0] == HF_EFFECT_PUT ||
           effects.data[0] == HF_EFFECT_DELETE ||
           effects.data[0] == HF_EFFECT_FENCE;
}

/* Makes an equal session, to be changed. */
static int load(struct hf_overlay *overlay, const struct hf_session *old,
                uint32_t hash)
{
    struct hf_buffer effects;
    hf_buffer_init(&effects, overlay->under->mem);
    hf_effects_of_session(&effects, old, 0);
    struct hf_slice key = hf_session_key(old);
    int error = HF_ENOMEM;
    if (!effects.failed) {
        error = hf_sessions_apply(&overlay->after, key, hash,
                                  hf_session_version(old),
                                  hf_buffer_slice(&effects), 0);
    }
    hf_buffer_close(&effects);
    if (error == 0 && hf_session_deadline(old) != HF_NEVER) {
        hf_sessions_touch(&overlay->after, key, hash, hf_session_deadline(old),
                          (uint16_t)(hf_session_deadline_told(old) -
                                     hf_session_deadline(old)));
    }
    return error;
}

static int touch(struct hf_overlay *overlay, struct hf_slice key, uint32_t hash,
                 bool replaced)
{
    const struct hf_session *old =
        hf_sessions_find_entry(overlay->under, key, hash);
    int error = mark(overlay, key, hash);
    if (error == 0 && old != NULL && !replaced) {
        error = load(overlay, old, hash);
    }
    return error;
}

int hf_overlay_apply(struct hf_overlay *overlay, struct hf_slice key,
                     uint32_t hash, struct hf_version version,
                     struct hf_slice effects, hf_time now)
{
    if (effects.size == 0 || hf_effects_of_partition(effects)) {
        return HF_EPROTO;
    }
    bool touched = hf_overlay_has_touched(overlay, key, hash);
    int error = touched ? 0 : touch(overlay, key, hash, replaces(effects));
    if (error == 0) {
        error = hf_sessions_apply(&overlay->after, key, hash, version, effects,
                                  now);
    }
    if (error != 0 && !touched) {
        drop(&overlay->after, key, hash);
        drop(&overlay->touched, key, hash);
    }
    return error;
}

int hf_overlay_apply_unit(struct hf_overlay *overlay, struct hf_version version,
                          struct hf_slice effects, hf_time now)
{
    struct hf_reader reader = hf_reader_of(effects);
    struct hf_slice key;
    struct hf_slice part;
    while (hf_effects_next_key(&reader, &key, &part)) {
        if (key.size > HF_KEY_BYTES_MAX ||
            hf_partition_of_key(key) != overlay->under->partition) {
            return HF_EPROTO;
        }
        if (hf_reader_left(&reader) == 0 && HF_MUTATED(UNIT_WITHOUT_ITS_LAST)) {
            break;
        }
        int error = hf_overlay_apply(overlay, key, hf_sessions_hash(key),
                                     version, part, now);
        if (error != 0) {
            return error;
        }
    }
    return reader.failed ? HF_EPROTO : 0;
}

int hf_overlay_commit(struct hf_overlay *overlay, struct hf_version version)
{
    return hf_sessions_replace(overlay->under, &overlay->touched,
                               &overlay->after, version);
}
