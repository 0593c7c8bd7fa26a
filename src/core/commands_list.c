#include "core/commands.h"
#include "core/deque.h"

#define EACH HF_SESSION_FIELD_OVERHEAD

static uint32_t count_of(const struct hf_deque *list)
{
    return list == NULL ? 0 : list->count;
}

static void push(struct hf_apply *apply, const struct hf_command *command,
                 bool left, bool if_there)
{
    const struct hf_deque *list;
    if (!hf_apply_list(apply, &list)) {
        return;
    }
    if (if_there && list == NULL) {
        apply->reply = hf_reply_integer(0);
        return;
    }
    size_t size = hf_apply_value_bytes(apply);
    for (uint32_t i = 2; i < command->argc; i++) {
        hf_effects_push(apply->effects, left, command->argv[i]);
        size += EACH + command->argv[i].size;
    }
    if (!hf_apply_size_fits(apply, size)) {
        hf_buffer_clear(apply->effects);
        return;
    }
    hf_apply_notice(apply, left ? HF_NOTICE_LPUSH : HF_NOTICE_RPUSH);
    apply->reply =
        hf_reply_integer((int64_t)count_of(list) + command->argc - 2);
}

void hf_apply_lpush(struct hf_apply *apply, const struct hf_command *command)
{
    push(apply, command, true, false);
}

void hf_apply_rpush(struct hf_apply *apply, const struct hf_command *command)
{
    push(apply, command, false, false);
}

void hf_apply_lpushx(struct hf_apply *apply, const struct hf_command *command)
{
    push(apply, command, true, true);
}

void hf_apply_rpushx(struct hf_apply *apply, const struct hf_command *command)
{
    push(apply, command, false, true);
}

/* Effects of dropping @count elements at one end. */
static void drop(struct hf_apply *apply, const struct hf_deque *list, bool left,
                 uint32_t count)
{
    if (count == list->count) {
        hf_effects_delete(apply->effects);
    } else if (count > 0) {
        hf_effects_pop(apply->effects, left, count);
    }
}

/* The same of a command that takes them for its client. */
static void take(struct hf_apply *apply, const struct hf_deque *list, bool left,
                 uint32_t count)
{
    drop(apply, list, left, count);
    if (count > 0) {
        hf_apply_notice_removal(apply, left ? HF_NOTICE_LPOP : HF_NOTICE_RPOP,
                                count == list->count);
    }
}

static void pop_counted(struct hf_apply *apply,
                        const struct hf_command *command, bool left)
{
    const struct hf_deque *list;
    int64_t wanted;
    if (!hf_apply_positive(apply, command->argv[2], &wanted) ||
        !hf_apply_list(apply, &list)) {
        return;
    }
    if (list == NULL) {
        hf_reply_put_nil_array(apply->scratch);
        hf_apply_nested(apply);
        return;
    }
    uint32_t count = wanted < list->count ? (uint32_t)wanted : list->count;
    hf_reply_put_array(apply->scratch, count);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = left ? i : list->count - 1 - i;
        hf_reply_put_bulk(apply->scratch, hf_deque_at(list, at));
        if (hf_apply_is_too_large(apply)) {
            return;
        }
    }
    hf_apply_nested(apply);
    take(apply, list, left, count);
}

static void pop(struct hf_apply *apply, const struct hf_command *command,
                bool left)
{
    const struct hf_deque *list;
    if (command->argc > 3) {
        hf_apply_refuse(apply, command, "wrong number of arguments for",
                        "command");
    } else if (command->argc == 3) {
        pop_counted(apply, command, left);
    } else if (hf_apply_list(apply, &list) && list != NULL) {
        hf_apply_bulk_copy(apply,
                           hf_deque_at(list, left ? 0 : list->count - 1));
        take(apply, list, left, 1);
    }
}

void hf_apply_lpop(struct hf_apply *apply, const struct hf_command *command)
{
    pop(apply, command, true);
}

void hf_apply_rpop(struct hf_apply *apply, const struct hf_command *command)
{
    pop(apply, command, false);
}

void hf_apply_llen(struct hf_apply *apply, const struct hf_command *command)
{
    (void)command;
    const struct hf_deque *list;
    if (hf_apply_list(apply, &list)) {
        apply->reply = hf_reply_integer(count_of(list));
    }
}

/* The list, and the places of it that "key start stop" are, up to *@to. False:
 * the answer is an error. */
static bool find_places(struct hf_apply *apply,
                        const struct hf_command *command,
                        const struct hf_deque **list, uint32_t *from,
                        uint32_t *to)
{
    int64_t start;
    int64_t stop;
    if (!hf_apply_integer(apply, command->argv[2], &start) ||
        !hf_apply_integer(apply, command->argv[3], &stop) ||
        !hf_apply_list(apply, list)) {
        return false;
    }
    hf_apply_places(start, stop, count_of(*list), from, to);
    return true;
}

void hf_apply_lrange(struct hf_apply *apply, const struct hf_command *command)
{
    const struct hf_deque *list;
    uint32_t from;
    uint32_t to;
    if (!find_places(apply, command, &list, &from, &to)) {
        return;
    }
    hf_reply_put_array(apply->scratch, to - from);
    for (uint32_t i = from; i < to; i++) {
        hf_reply_put_bulk(apply->scratch, hf_deque_at(list, i));
        if (hf_apply_is_too_large(apply)) {
            return;
        }
    }
    hf_apply_nested(apply);
}

/* The place @index from the left or, below 0, from the right. */
static bool find_place(const struct hf_deque *list, int64_t index, uint32_t *at)
{
    int64_t place = index < 0 ? index + (int64_t)count_of(list) : index;
    *at = (uint32_t)place;
    return place >= 0 && place < (int64_t)count_of(list);
}

void hf_apply_lindex(struct hf_apply *apply, const struct hf_command *command)
{
    const struct hf_deque *list;
    int64_t index;
    uint32_t at;
    if (!hf_apply_list(apply, &list)) {
        return;
    }
    if (list != NULL && hf_apply_integer(apply, command->argv[2], &index) &&
        find_place(list, index, &at)) {
        apply->reply = hf_reply_bulk(hf_deque_at(list, at));
    }
}

void hf_apply_lset(struct hf_apply *apply, const struct hf_command *command)
{
    const struct hf_deque *list;
    int64_t index;
    uint32_t at;
    if (hf_apply_session(apply) == NULL) {
        apply->reply = hf_reply_error("ERR no such key");
        return;
    }
    if (!hf_apply_list(apply, &list) ||
        !hf_apply_integer(apply, command->argv[2], &index)) {
        return;
    }
    if (!find_place(list, index, &at)) {
        apply->reply = hf_reply_error("ERR index out of range");
        return;
    }
    size_t size = hf_apply_value_bytes(apply) - hf_deque_at(list, at).size +
                  command->argv[3].size;
    if (hf_apply_size_fits(apply, size)) {
        hf_effects_item(apply->effects, at, command->argv[3]);
        hf_apply_notice(apply, HF_NOTICE_LSET);
        apply->reply = hf_reply_ok();
    }
}

void hf_apply_ltrim(struct hf_apply *apply, const struct hf_command *command)
{
    const struct hf_deque *list;
    uint32_t from;
    uint32_t to;
    if (!find_places(apply, command, &list, &from, &to)) {
        return;
    }
    apply->reply = hf_reply_ok();
    if (list == NULL) {
        return;
    }
    hf_apply_notice_removal(apply, HF_NOTICE_LTRIM, from == to);
    if (from == to) {
        hf_effects_delete(apply->effects);
        return;
    }
    drop(apply, list, true, from);
    drop(apply, list, false, list->count - to);
}

void hf_apply_lrem(struct hf_apply *apply, const struct hf_command *command)
{
    const struct hf_deque *list;
    int64_t wanted;
    if (!hf_apply_integer(apply, command->argv[2], &wanted) ||
        !hf_apply_list(apply, &list)) {
        return;
    }
    struct hf_slice element = command->argv[3];
    uint64_t most = wanted == 0  ? UINT64_MAX
                    : wanted < 0 ? 0 - (uint64_t)wanted
                                 : (uint64_t)wanted;
    uint32_t found = 0;
    for (uint32_t i = 0; i < count_of(list) && found < most; i++) {
        found += hf_slice_equal(hf_deque_at(list, i), element) ? 1 : 0;
    }
    if (found > 0) {
        hf_effects_unitem(apply->effects, wanted >= 0, found, element);
        hf_apply_notice_removal(apply, HF_NOTICE_LREM, found == list->count);
    }
    apply->reply = hf_reply_integer(found);
}

/* ---- Where is it? ------------------------------------------------------- */

struct lpos_options {
    int64_t rank;
    int64_t count; /* 0: all. */
    bool counted;
    int64_t most; /* Elements looked at; 0: all. */
};

static bool read_lpos_option(struct hf_apply *apply, struct hf_slice name,
                             struct hf_slice value,
                             struct lpos_options *options)
{
    const char *refusal = NULL;
    if (hf_slice_equal_nocase(name, "rank")) {
        if (!hf_apply_integer(apply, value, &options->rank)) {
            return false;
        }
        if (options->rank == 0) {
            refusal = "ERR RANK can't be zero: use 1 to start from the first "
                      "match, 2 from the second ... or use negative to start "
                      "from the end of the list";
        }
    } else if (hf_slice_equal_nocase(name, "count")) {
        options->counted = true;
        bool sound =
            hf_slice_to_int64(value, &options->count) && options->count >= 0;
        refusal = sound ? NULL : "ERR COUNT can't be negative";
    } else if (hf_slice_equal_nocase(name, "maxlen")) {
        bool sound =
            hf_slice_to_int64(value, &options->most) && options->most >= 0;
        refusal = sound ? NULL : "ERR MAXLEN can't be negative";
    } else {
        refusal = HF_TEXT_SYNTAX;
    }
    if (refusal != NULL) {
        apply->reply = hf_reply_error(refusal);
    }
    return refusal == NULL;
}

/* Walks over what matches, from the end that the rank says: the places go to
 * scratch if @put. Returns how many there are. */
static uint32_t find_all(struct hf_apply *apply, const struct hf_deque *list,
                         struct hf_slice element,
                         const struct lpos_options *options, bool put)
{
    bool left = options->rank > 0;
    int64_t skipped = left ? options->rank - 1 : -(options->rank + 1);
    int64_t limit = options->counted ? options->count : 1;
    uint32_t most = count_of(list);
    if (options->most > 0 && options->most < most) {
        most = (uint32_t)options->most;
    }
    uint32_t found = 0;
    for (uint32_t i = 0; i < most && (limit == 0 || found < limit); i++) {
        uint32_t at = left ? i : list->count - 1 - i;
        if (!hf_slice_equal(hf_deque_at(list, at), element) || skipped-- > 0) {
            continue;
        }
        found++;
        if (put) {
            hf_reply_put_integer(apply->scratch, at);
        }
    }
    return found;
}

void hf_apply_lpos(struct hf_apply *apply, const struct hf_command *command)
{
    const struct hf_deque *list;
    struct lpos_options options = {.rank = 1};
    for (uint32_t i = 3; i < command->argc; i += 2) {
        if (i + 1 == command->argc) {
            apply->reply = hf_reply_error(HF_TEXT_SYNTAX);
            return;
        }
        if (!read_lpos_option(apply, command->argv[i], command->argv[i + 1],
                              &options)) {
            return;
        }
    }
    if (!hf_apply_list(apply, &list)) {
        return;
    }
    uint32_t found = find_all(apply, list, command->argv[2], &options, false);
    if (!options.counted && found == 0) {
        return;
    }
    if (options.counted) {
        hf_reply_put_array(apply->scratch, found);
    }
    (void)find_all(apply, list, command->argv[2], &options, true);
    hf_apply_nested(apply);
}
