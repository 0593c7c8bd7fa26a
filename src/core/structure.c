#include "core/structure.h"

#include "base/assert.h"
#include "core/deque.h"
#include "core/members.h"
#include "holdfast/error.h"

bool hf_structure_has(enum hf_session_type type)
{
    return type == HF_SESSION_SET || type == HF_SESSION_SORTED_SET ||
           type == HF_SESSION_LIST;
}

enum hf_session_type hf_structure_type_of(enum hf_effect_kind kind)
{
    switch (kind) {
    case HF_EFFECT_MEMBER:
    case HF_EFFECT_UNMEMBER:
        return HF_SESSION_SET;
    case HF_EFFECT_SCORE:
    case HF_EFFECT_UNSCORE:
        return HF_SESSION_SORTED_SET;
    case HF_EFFECT_PUSH:
    case HF_EFFECT_POP:
    case HF_EFFECT_ITEM:
    case HF_EFFECT_UNITEM:
        return HF_SESSION_LIST;
    case HF_EFFECT_PUT:
    case HF_EFFECT_FIELD:
    case HF_EFFECT_UNFIELD:
    case HF_EFFECT_EXPIRE:
    case HF_EFFECT_DELETE:
    case HF_EFFECT_CLEAR:
    case HF_EFFECT_FENCE:
    case HF_EFFECT_TAKEN:
    case HF_EFFECT_SEEN:
    case HF_EFFECT_KEY:
        break;
    }
    return (enum hf_session_type)0;
}

static bool is_list(const struct hf_structure *structure)
{
    return structure->type == HF_SESSION_LIST;
}

bool hf_structure_create(struct hf_structure *structure, struct hf_mem *mem,
                         enum hf_session_type type)
{
    HF_ASSERT(hf_structure_has(type));
    structure->type = type;
    if (type == HF_SESSION_LIST) {
        structure->list = hf_deque_create(mem);
    } else {
        structure->members =
            hf_members_create(mem, type == HF_SESSION_SORTED_SET);
    }
    return structure->any != NULL;
}

void hf_structure_destroy(const struct hf_structure *structure)
{
    if (is_list(structure)) {
        hf_deque_destroy(structure->list);
    } else {
        hf_members_destroy(structure->members);
    }
}

size_t hf_structure_held(const struct hf_structure *structure)
{
    return is_list(structure) ? hf_deque_held(structure->list)
                              : hf_members_held(structure->members);
}

uint32_t hf_structure_count(const struct hf_structure *structure)
{
    return is_list(structure) ? structure->list->count
                              : structure->members->count;
}

size_t hf_structure_value_bytes(const struct hf_structure *structure)
{
    size_t each = HF_SESSION_FIELD_OVERHEAD;
    each += structure->type == HF_SESSION_SORTED_SET ? HF_SCORE_BYTES : 0;
    size_t content = is_list(structure) ? structure->list->content
                                        : structure->members->content;
    return content + each * hf_structure_count(structure);
}

int hf_structure_apply(const struct hf_structure *structure,
                       const struct hf_effect *effect,
                       struct hf_journal *journal)
{
    HF_ASSERT(hf_structure_type_of(effect->kind) == structure->type);
    switch (effect->kind) {
    case HF_EFFECT_MEMBER:
    case HF_EFFECT_SCORE:
        return hf_members_add(structure->members, effect->field, effect->score,
                              journal);
    case HF_EFFECT_UNMEMBER:
    case HF_EFFECT_UNSCORE:
        return hf_members_remove(structure->members, effect->field, journal);
    case HF_EFFECT_PUSH:
        return hf_deque_push(structure->list, effect->left, effect->value,
                             journal);
    case HF_EFFECT_POP:
        return hf_deque_pop(structure->list, effect->left, effect->count,
                            journal);
    case HF_EFFECT_ITEM:
        return hf_deque_replace(structure->list, effect->count, effect->value,
                                journal);
    case HF_EFFECT_UNITEM:
        return hf_deque_remove(structure->list, effect->left, effect->count,
                               effect->value, journal);
    default:
        return HF_EPROTO;
    }
}

void hf_structure_commit(const struct hf_structure *structure,
                         const struct hf_journal *journal)
{
    if (is_list(structure)) {
        hf_deque_commit(structure->list, journal);
    } else {
        hf_members_commit(structure->members, journal);
    }
}

void hf_structure_undo(const struct hf_structure *structure,
                       const struct hf_journal *journal)
{
    if (is_list(structure)) {
        hf_deque_undo(structure->list, journal);
    } else {
        hf_members_undo(structure->members, journal);
    }
}
