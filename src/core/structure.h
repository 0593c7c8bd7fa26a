/* structure.h - Sessions whose value is a structure of its own, changed where
 * it is: sets and sorted sets (core/members.h), lists (core/deque.h).
 *
 * What those who keep sessions need of it, whichever it is. */
#ifndef HF_CORE_STRUCTURE_H
#define HF_CORE_STRUCTURE_H

#include "core/effects.h"
#include "core/journal.h"
#include "core/sessions.h"

struct hf_structure {
    enum hf_session_type type;
    union {
        void *any;
        struct hf_members *members;
        struct hf_deque *list;
    };
};

/* Whether a session of @type has one. */
bool hf_structure_has(enum hf_session_type type);
/* The type that effects of @kind are about; 0 for those that are not about
 * members or elements. */
enum hf_session_type hf_structure_type_of(enum hf_effect_kind kind);

/* An empty one of @type. False without memory. */
HF_NODISCARD bool hf_structure_create(struct hf_structure *structure,
                                      struct hf_mem *mem,
                                      enum hf_session_type type);
void hf_structure_destroy(const struct hf_structure *structure);

/* All that it holds of its mem. */
size_t hf_structure_held(const struct hf_structure *structure);
/* How many members or elements it has. */
uint32_t hf_structure_count(const struct hf_structure *structure);
/* See hf_session_value_bytes. */
size_t hf_structure_value_bytes(const struct hf_structure *structure);

/* Changes it by an effect of its type. 0, or HF_ENOMEM, or HF_EPROTO when it
 * does not fit: nothing changed. With a @journal it can be undone until it is
 * committed; without one it is done. */
HF_NODISCARD int hf_structure_apply(const struct hf_structure *structure,
                                    const struct hf_effect *effect,
                                    struct hf_journal *journal);
void hf_structure_commit(const struct hf_structure *structure,
                         const struct hf_journal *journal);
void hf_structure_undo(const struct hf_structure *structure,
                       const struct hf_journal *journal);

#endif
