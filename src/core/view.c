#include "core/view.h"

#include <string.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/mutation.h"

uint8_t hf_view_find(const struct hf_view *view, hf_node_id id,
                     hf_incarnation incarnation)
{
    uint8_t index = hf_view_find_id(view, id);
    if (index == HF_MEMBER_NONE ||
        (view->members[index].incarnation != incarnation &&
         !HF_MUTATED(ANY_INCARNATION))) {
        return HF_MEMBER_NONE;
    }
    return index;
}

uint8_t hf_view_find_id(const struct hf_view *view, hf_node_id id)
{
    for (uint8_t i = 0; i < view->member_count; i++) {
        if (view->members[i].id == id) {
            return i;
        }
    }
    return HF_MEMBER_NONE;
}

hf_member_set hf_view_all(const struct hf_view *view)
{
    return view->member_count == 0
               ? 0
               : ~(hf_member_set)0 >> (64 - view->member_count);
}

hf_member_set hf_view_voters(const struct hf_view *view)
{
    return hf_view_all(view) & ~view->absent;
}

hf_member_set hf_view_copies(const struct hf_view *view, uint16_t partition)
{
    const struct hf_acting *acting = &view->acting[partition];
    hf_member_set set = 0;
    for (uint8_t i = 0; i < acting->count; i++) {
        set |= hf_member_set_of(acting->members[i]);
    }
    return set;
}

bool hf_view_is_safe(hf_member_set all, hf_member_set dead, hf_member_set rest)
{
    hf_member_set base = all & ~dead;
    if (rest == 0 || (rest & ~base) != 0) {
        return false;
    }
    unsigned have = 2 * hf_member_set_count(rest);
    unsigned of = hf_member_set_count(base);
    if (have != of) {
        return have > of;
    }
    return (rest & hf_member_set_of(hf_member_set_first(base))) != 0;
}

bool hf_view_is_half(hf_member_set all, hf_member_set dead, hf_member_set rest)
{
    hf_member_set base = all & ~dead;
    return rest != 0 && (rest & ~base) == 0 &&
           2 * hf_member_set_count(rest) >= hf_member_set_count(base);
}

void hf_view_targets(const struct hf_view *view,
                     struct hf_owners targets[HF_PARTITION_COUNT])
{
    struct hf_placement_member members[HF_MEMBERS_MAX];
    uint8_t indexes[HF_MEMBERS_MAX];
    size_t count = 0;
    hf_member_set owners = hf_view_voters(view) & ~view->leaving;
    if (owners == 0) {
        owners = hf_view_voters(view);
    }
    HF_ASSERT(owners != 0);
    for (uint8_t i = 0; i < view->member_count; i++) {
        if ((owners & hf_member_set_of(i)) != 0) {
            const struct hf_peer_info *info = &view->members[i];
            members[count].id = info->id;
            members[count].label = hf_hash(hf_slice_text(info->label));
            indexes[count++] = i;
        }
    }
    hf_placement_compute(members, count, view->backups, targets);
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        for (uint8_t i = 0; i < targets[p].count; i++) {
            targets[p].members[i] = indexes[targets[p].members[i]];
        }
    }
}

bool hf_view_is_settled(const struct hf_view *view,
                        const struct hf_owners targets[HF_PARTITION_COUNT])
{
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        hf_member_set wanted = 0;
        for (uint8_t i = 0; i < targets[p].count; i++) {
            wanted |= hf_member_set_of(targets[p].members[i]);
        }
        if (hf_view_copies(view, p) != wanted ||
            view->acting[p].members[0] != targets[p].members[0]) {
            return false;
        }
    }
    return true;
}

unsigned hf_member_set_count(hf_member_set set)
{
    return (unsigned)__builtin_popcountll(set);
}

uint8_t hf_member_set_first(hf_member_set set)
{
    HF_ASSERT(set != 0);
    return (uint8_t)__builtin_ctzll(set);
}
