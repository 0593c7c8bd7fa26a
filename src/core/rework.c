#include "core/rework.h"

#include "core/draft.h"
#include "core/effects.h"
#include "core/session.h"
#include "holdfast/error.h"

#define VALUE_SIZE_SPARE 64 /* More than a member takes besides its bytes. */

struct hf_rework hf_rework_read(struct hf_slice effects)
{
    struct hf_rework rework = {.effects = effects, .fits = true};
    struct hf_reader reader = hf_reader_of(effects);
    struct hf_effect effect;
    bool other = false; /* Something else is made or changed. */
    bool any = false;
    for (size_t at = 0; hf_effects_next(&reader, &effect); at = reader.offset) {
        enum hf_session_type type = hf_structure_type_of(effect.kind);
        rework.count++;
        if (effect.kind == HF_EFFECT_DELETE || effect.kind == HF_EFFECT_PUT ||
            effect.kind == HF_EFFECT_FENCE) {
            rework = (struct hf_rework){
                .effects = {effects.data + at, effects.size - at},
                .anew = true,
                .fits = true};
            other = effect.kind != HF_EFFECT_DELETE;
        } else if (type != 0) {
            rework.fits &= rework.type == 0 || rework.type == type;
            rework.type = type;
            any = true;
        } else if (effect.kind != HF_EFFECT_EXPIRE) {
            other = true;
        }
    }
    rework.fits &= !reader.failed && (rework.type == 0 || !other);
    if (!any) {
        rework.effects = effects; /* As they are, if they are. */
    }
    return rework;
}

int hf_rework_apply(const struct hf_rework *rework,
                    const struct hf_structure *structure,
                    struct hf_journal *journal, hf_time now, hf_time *deadline)
{
    struct hf_reader reader = hf_reader_of(rework->effects);
    struct hf_effect effect;
    while (hf_effects_next(&reader, &effect)) {
        if (effect.kind == HF_EFFECT_DELETE) {
            continue;
        }
        if (effect.kind == HF_EFFECT_EXPIRE) {
            if (hf_structure_count(structure) == 0) {
                return HF_EPROTO;
            }
            *deadline = hf_draft_deadline(effect.ttl_ms, now);
            continue;
        }
        size_t size = hf_structure_value_bytes(structure) + effect.field.size +
                      effect.value.size;
        if (size > HF_SESSION_VALUE_SIZE_MAX - VALUE_SIZE_SPARE) {
            return HF_EPROTO;
        }
        int error = hf_structure_apply(structure, &effect, journal);
        if (error != 0) {
            return error;
        }
        if (hf_structure_count(structure) == 0) {
            *deadline = HF_NEVER; /* It is gone, and so is that. */
        }
    }
    return 0;
}
