#include "core/commands.h"
#include "core/members.h"

#define EACH HF_SESSION_FIELD_OVERHEAD

static bool apply_set(struct hf_apply *apply, const struct hf_members **members)
{
    return hf_apply_members(apply, HF_SESSION_SET, members);
}

static bool has_member(const struct hf_members *members, struct hf_slice member)
{
    uint32_t number;
    return members != NULL && hf_members_find(members, member, &number);
}

static uint32_t count_of(const struct hf_members *members)
{
    return members == NULL ? 0 : members->count;
}

void hf_apply_sadd(struct hf_apply *apply, const struct hf_command *command)
{
    const struct hf_members *members;
    struct hf_names seen;
    if (!apply_set(apply, &members) ||
        !hf_names_init(&seen, apply, command, command->argc)) {
        return;
    }
    size_t size = hf_apply_value_bytes(apply);
    int64_t added = 0;
    for (uint32_t i = 2; i < command->argc; i++) {
        struct hf_slice member = command->argv[i];
        if (!has_member(members, member) && hf_names_met(&seen, i) == 0) {
            hf_effects_member(apply->effects, member);
            size += EACH + member.size;
            added++;
        }
    }
    if (added > 0 && !hf_apply_size_fits(apply, size)) {
        hf_buffer_clear(apply->effects);
        return;
    }
    if (added > 0) {
        hf_apply_notice(apply, HF_NOTICE_SADD);
    }
    apply->reply = hf_reply_integer(added);
}

void hf_apply_srem(struct hf_apply *apply, const struct hf_command *command)
{
    const struct hf_members *members;
    struct hf_names seen;
    if (!apply_set(apply, &members) ||
        !hf_names_init(&seen, apply, command, command->argc)) {
        return;
    }
    int64_t removed = 0;
    for (uint32_t i = 2; i < command->argc; i++) {
        if (has_member(members, command->argv[i]) &&
            hf_names_met(&seen, i) == 0) {
            hf_effects_unmember(apply->effects, command->argv[i]);
            removed++;
        }
    }
    if (removed > 0) {
        hf_apply_notice_removal(apply, HF_NOTICE_SREM,
                                removed == members->count);
    }
    apply->reply = hf_reply_integer(removed);
}

void hf_apply_scard(struct hf_apply *apply, const struct hf_command *command)
{
    (void)command;
    const struct hf_members *members;
    if (apply_set(apply, &members)) {
        apply->reply = hf_reply_integer(count_of(members));
    }
}

void hf_apply_sismember(struct hf_apply *apply,
                        const struct hf_command *command)
{
    const struct hf_members *members;
    if (apply_set(apply, &members)) {
        bool has = has_member(members, command->argv[2]);
        apply->reply = hf_reply_integer(has ? 1 : 0);
    }
}

void hf_apply_smismember(struct hf_apply *apply,
                         const struct hf_command *command)
{
    const struct hf_members *members;
    if (!apply_set(apply, &members)) {
        return;
    }
    hf_reply_put_array(apply->scratch, command->argc - 2);
    for (uint32_t i = 2; i < command->argc; i++) {
        bool has = has_member(members, command->argv[i]);
        hf_reply_put_integer(apply->scratch, has ? 1 : 0);
    }
    hf_apply_nested(apply);
}

/* Replies with all members. */
static void reply_all(struct hf_apply *apply, const struct hf_members *members)
{
    hf_reply_put_set(apply->scratch, count_of(members));
    for (uint32_t i = 0; i < count_of(members); i++) {
        hf_reply_put_bulk(apply->scratch, hf_members_at(members, i));
    }
    hf_apply_nested(apply);
}

void hf_apply_smembers(struct hf_apply *apply, const struct hf_command *command)
{
    (void)command;
    const struct hf_members *members;
    if (apply_set(apply, &members)) {
        reply_all(apply, members);
    }
}

/* ---- At random ---------------------------------------------------------- */

static struct hf_slice random_member(struct hf_apply *apply,
                                     const struct hf_members *members)
{
    uint64_t number = hf_rng_below(apply->rng, members->count);
    return hf_members_at(members, (uint32_t)number);
}

static void pop_some(struct hf_apply *apply, const struct hf_members *members,
                     uint32_t count)
{
    uint32_t *drawn = hf_apply_draw(apply, members->count, count);
    if (drawn == NULL) {
        return;
    }
    hf_reply_put_set(apply->scratch, count);
    for (uint32_t i = 0; i < count; i++) {
        struct hf_slice member = hf_members_at(members, drawn[i]);
        hf_reply_put_bulk(apply->scratch, member);
        hf_effects_unmember(apply->effects, member);
    }
    hf_apply_drawn_free(apply, drawn, count);
    hf_apply_nested(apply);
}

static void pop_counted(struct hf_apply *apply,
                        const struct hf_command *command)
{
    const struct hf_members *members;
    int64_t count;
    if (!hf_apply_positive(apply, command->argv[2], &count) ||
        !apply_set(apply, &members)) {
        return;
    }
    if (members == NULL || count == 0) {
        reply_all(apply, NULL);
    } else if (count >= members->count) {
        reply_all(apply, members);
        hf_effects_delete(apply->effects);
        hf_apply_notice_removal(apply, HF_NOTICE_SPOP, true);
    } else {
        pop_some(apply, members, (uint32_t)count);
        hf_apply_notice_removal(apply, HF_NOTICE_SPOP, false);
    }
}

void hf_apply_spop(struct hf_apply *apply, const struct hf_command *command)
{
    const struct hf_members *members;
    if (command->argc > 3) {
        apply->reply = hf_reply_error(HF_TEXT_SYNTAX);
    } else if (command->argc == 3) {
        pop_counted(apply, command);
    } else if (apply_set(apply, &members) && members != NULL) {
        struct hf_slice member = random_member(apply, members);
        hf_effects_unmember(apply->effects, member);
        hf_apply_notice_removal(apply, HF_NOTICE_SPOP, members->count == 1);
        hf_apply_bulk_copy(apply, member);
    }
}

static void random_repeated(struct hf_apply *apply,
                            const struct hf_members *members, int64_t count)
{
    hf_reply_put_array(apply->scratch, (uint32_t)count);
    for (int64_t i = 0; i < count; i++) {
        hf_reply_put_bulk(apply->scratch, random_member(apply, members));
        if (hf_apply_is_too_large(apply)) {
            return;
        }
    }
    hf_apply_nested(apply);
}

static void random_distinct(struct hf_apply *apply,
                            const struct hf_members *members, uint32_t count)
{
    uint32_t *drawn = hf_apply_draw(apply, members->count, count);
    if (drawn == NULL) {
        return;
    }
    hf_reply_put_array(apply->scratch, count);
    for (uint32_t i = 0; i < count; i++) {
        hf_reply_put_bulk(apply->scratch, hf_members_at(members, drawn[i]));
    }
    hf_apply_drawn_free(apply, drawn, count);
    hf_apply_nested(apply);
}

static void random_counted(struct hf_apply *apply,
                           const struct hf_command *command)
{
    const struct hf_members *members;
    int64_t count;
    if (!hf_apply_count_either_way(apply, command->argv[2], &count) ||
        !apply_set(apply, &members)) {
        return;
    }
    if (members == NULL || count == 0) {
        hf_reply_put_array(apply->scratch, 0);
        hf_apply_nested(apply);
    } else if (count < 0) {
        random_repeated(apply, members, -count);
    } else {
        uint32_t most = members->count;
        random_distinct(apply, members, count < most ? (uint32_t)count : most);
    }
}

void hf_apply_srandmember(struct hf_apply *apply,
                          const struct hf_command *command)
{
    const struct hf_members *members;
    if (command->argc > 3) {
        apply->reply = hf_reply_error(HF_TEXT_SYNTAX);
    } else if (command->argc == 3) {
        random_counted(apply, command);
    } else if (apply_set(apply, &members) && members != NULL) {
        apply->reply = hf_reply_bulk(random_member(apply, members));
    }
}

/* ---- By pages ----------------------------------------------------------- */

/* From the last number down: who is taken out moves the last one down, never
 * up, so nobody that is there throughout is left out. */
void hf_apply_sscan(struct hf_apply *apply, const struct hf_command *command)
{
    const struct hf_members *members;
    struct hf_page_options options;
    if (!hf_apply_page(apply, command, HF_SESSION_SET, &options) ||
        !apply_set(apply, &members)) {
        return;
    }
    uint32_t from;
    uint32_t to;
    hf_page_bounds(&options, count_of(members), &from, &to);
    uint32_t matching = 0;
    for (uint32_t i = from; i < to; i++) {
        matching += hf_page_has(&options, hf_members_at(members, i)) ? 1 : 0;
    }
    hf_apply_put_page(apply, from, matching);
    for (uint32_t i = from; i < to; i++) {
        struct hf_slice member = hf_members_at(members, i);
        if (hf_page_has(&options, member)) {
            hf_reply_put_bulk(apply->scratch, member);
        }
    }
    hf_apply_nested(apply);
}
