/* commands_zset_range.c - Sorted sets by rank, score or member: every such
 * range is one of ranks in the end. */
#include "base/number.h"
#include "core/commands.h"
#include "core/members.h"

enum range_by {
    BY_RANK,
    BY_SCORE,
    BY_MEMBER,
};

struct range_query {
    enum range_by by;
    bool reverse;
    bool scores; /* WITHSCORES */
    bool limited;
    int64_t offset;
    int64_t limit; /* Below 0: no limit. */
    /* Of BY_RANK. */
    int64_t start;
    int64_t stop;
    /* Of the others: what is before `low` is not in it, nor what is not before
     * `high`. */
    struct hf_bound low;
    struct hf_bound high;
    bool from_first; /* BY_MEMBER: "-". */
    bool to_first;
    bool from_last; /* "+" */
    bool to_last;
};

/* ---- What is asked ------------------------------------------------------ */

/* "(1.5" is without 1.5 itself. */
static bool read_score(struct hf_slice text, bool is_low,
                       struct hf_bound *bound)
{
    bool without = text.size > 0 && text.data[0] == '(';
    if (without) {
        text.data++;
        text.size--;
    }
    *bound = (struct hf_bound){.by_score = true, .after = without == is_low};
    return hf_slice_to_bound(text, &bound->score);
}

/* "[a" is with a, "(a" without; "-" and "+" are the ends. */
static bool read_member(struct hf_slice text, bool is_low,
                        struct hf_bound *bound, bool *first, bool *last)
{
    char sign = text.size > 0 ? (char)text.data[0] : '\0';
    *first = text.size == 1 && sign == '-';
    *last = text.size == 1 && sign == '+';
    if (*first || *last) {
        return true;
    }
    if (sign != '(' && sign != '[') {
        return false;
    }
    *bound = (struct hf_bound){.by_member = true,
                               .after = (sign == '(') == is_low,
                               .member = {text.data + 1, text.size - 1}};
    return true;
}

/* Reads both ends. False: the error is the reply. */
static bool read_ends(struct hf_apply *apply, struct hf_slice from,
                      struct hf_slice to, struct range_query *query)
{
    bool swap = query->reverse && query->by != BY_RANK;
    struct hf_slice low = swap ? to : from;
    struct hf_slice high = swap ? from : to;
    if (query->by == BY_RANK) {
        return hf_apply_integer(apply, from, &query->start) &&
               hf_apply_integer(apply, to, &query->stop);
    }
    if (query->by == BY_SCORE) {
        if (!read_score(low, true, &query->low) ||
            !read_score(high, false, &query->high)) {
            apply->reply = hf_reply_error("ERR min or max is not a float");
            return false;
        }
        return true;
    }
    if (!read_member(low, true, &query->low, &query->from_first,
                     &query->from_last) ||
        !read_member(high, false, &query->high, &query->to_first,
                     &query->to_last)) {
        apply->reply =
            hf_reply_error("ERR min or max not valid string range item");
        return false;
    }
    return true;
}

/* Reads options from argv[4] on; of ZRANGE, @any. False: the error is the
 * reply. */
static bool read_options(struct hf_apply *apply,
                         const struct hf_command *command, bool any,
                         struct range_query *query)
{
    for (uint32_t i = 4; i < command->argc; i++) {
        struct hf_slice option = command->argv[i];
        if (hf_slice_equal_nocase(option, "withscores")) {
            query->scores = true;
        } else if (hf_slice_equal_nocase(option, "limit") &&
                   i + 2 < command->argc) {
            if (!hf_apply_integer(apply, command->argv[i + 1],
                                  &query->offset) ||
                !hf_apply_integer(apply, command->argv[i + 2], &query->limit)) {
                return false;
            }
            query->limited = true;
            i += 2;
        } else if (any && hf_slice_equal_nocase(option, "rev")) {
            query->reverse = true;
        } else if (any && hf_slice_equal_nocase(option, "byscore")) {
            query->by = BY_SCORE;
        } else if (any && hf_slice_equal_nocase(option, "bylex")) {
            query->by = BY_MEMBER;
        } else {
            apply->reply = hf_reply_error(HF_TEXT_SYNTAX);
            return false;
        }
    }
    return true;
}

static bool options_go_together(struct hf_apply *apply,
                                const struct range_query *query)
{
    if (query->limited && query->limit != -1 && query->by == BY_RANK) {
        apply->reply = hf_reply_error(
            "ERR syntax error, LIMIT is only supported in combination with "
            "either BYSCORE or BYLEX");
        return false;
    }
    if (query->scores && query->by == BY_MEMBER) {
        apply->reply = hf_reply_error(
            "ERR syntax error, WITHSCORES not supported in combination with "
            "BYLEX");
        return false;
    }
    return true;
}

/* ---- Which it is -------------------------------------------------------- */

/* The ranks [*from, *to), before any limit. */
static void find_ranks(const struct hf_members *members,
                       const struct range_query *query, uint32_t *from,
                       uint32_t *to)
{
    const struct hf_ranking *ranking = &members->ranking;
    uint32_t count = members->count;
    if (query->by == BY_RANK) {
        hf_apply_places(query->start, query->stop, count, from, to);
        if (query->reverse) {
            uint32_t first = *from;
            *from = count - *to;
            *to = count - first;
        }
        return;
    }
    *from = query->from_first  ? 0
            : query->from_last ? count
                               : hf_ranking_rank(ranking, &query->low);
    *to = query->to_first  ? 0
          : query->to_last ? count
                           : hf_ranking_rank(ranking, &query->high);
    *to = *to < *from ? *from : *to;
}

/* Leaves of [*from, *to) what LIMIT says, from the end if it is reversed. */
static void cut_ranks(const struct range_query *query, uint32_t *from,
                      uint32_t *to)
{
    if (!query->limited || query->by == BY_RANK) {
        return;
    }
    int64_t count = (int64_t)*to - *from;
    int64_t skipped = query->offset;
    int64_t kept = count - skipped;
    if (skipped < 0 || kept <= 0) {
        *to = *from;
        return;
    }
    kept = query->limit >= 0 && query->limit < kept ? query->limit : kept;
    if (query->reverse) {
        *to -= (uint32_t)skipped;
        *from = *to - (uint32_t)kept;
    } else {
        *from += (uint32_t)skipped;
        *to = *from + (uint32_t)kept;
    }
}

/* ---- Answers ------------------------------------------------------------ */

/* Replies with the ranks [@from, @to), highest first if @reverse. */
static void reply_ranks(struct hf_apply *apply,
                        const struct hf_members *members, uint32_t from,
                        uint32_t to, const struct range_query *query)
{
    struct hf_buffer *scratch = apply->scratch;
    if (query->scores) {
        hf_reply_put_pairs(scratch, to - from);
    } else {
        hf_reply_put_array(scratch, to - from);
    }
    struct hf_ranking_place place = {NULL, 0};
    if (to > from) {
        place =
            hf_ranking_at(&members->ranking, query->reverse ? to - 1 : from);
    }
    for (uint32_t left = to - from; left > 0; left--) {
        double score;
        const struct hf_item *item = hf_ranking_item(place, &score);
        if (query->scores) {
            hf_reply_put_pair(scratch);
        }
        hf_reply_put_bulk(scratch, hf_ranking_member(item));
        if (query->scores) {
            hf_reply_put_double(scratch, score);
        }
        if (hf_apply_is_too_large(apply)) {
            return;
        }
        if (query->reverse) {
            hf_ranking_previous(&place);
        } else {
            hf_ranking_next(&place);
        }
    }
    hf_apply_nested(apply);
}

static void range(struct hf_apply *apply, const struct hf_command *command,
                  bool any, struct range_query query)
{
    const struct hf_members *members;
    query.limit = -1;
    if (!read_options(apply, command, any, &query) ||
        !options_go_together(apply, &query) ||
        !read_ends(apply, command->argv[2], command->argv[3], &query) ||
        !hf_apply_sorted_set(apply, &members)) {
        return;
    }
    uint32_t from = 0;
    uint32_t to = 0;
    if (members != NULL) {
        find_ranks(members, &query, &from, &to);
        cut_ranks(&query, &from, &to);
    } else {
        query.scores = false;
    }
    reply_ranks(apply, members, from, to, &query);
}

void hf_apply_zrange(struct hf_apply *apply, const struct hf_command *command)
{
    range(apply, command, true, (struct range_query){.by = BY_RANK});
}

void hf_apply_zrevrange(struct hf_apply *apply,
                        const struct hf_command *command)
{
    range(apply, command, false,
          (struct range_query){.by = BY_RANK, .reverse = true});
}

void hf_apply_zrangebyscore(struct hf_apply *apply,
                            const struct hf_command *command)
{
    range(apply, command, false, (struct range_query){.by = BY_SCORE});
}

void hf_apply_zrevrangebyscore(struct hf_apply *apply,
                               const struct hf_command *command)
{
    range(apply, command, false,
          (struct range_query){.by = BY_SCORE, .reverse = true});
}

void hf_apply_zrangebylex(struct hf_apply *apply,
                          const struct hf_command *command)
{
    range(apply, command, false, (struct range_query){.by = BY_MEMBER});
}

void hf_apply_zrevrangebylex(struct hf_apply *apply,
                             const struct hf_command *command)
{
    range(apply, command, false,
          (struct range_query){.by = BY_MEMBER, .reverse = true});
}

/* ---- Counting and removing ---------------------------------------------- */

static void count_range(struct hf_apply *apply,
                        const struct hf_command *command, enum range_by by)
{
    const struct hf_members *members;
    struct range_query query = {.by = by};
    uint32_t from = 0;
    uint32_t to = 0;
    if (!read_ends(apply, command->argv[2], command->argv[3], &query) ||
        !hf_apply_sorted_set(apply, &members)) {
        return;
    }
    if (members != NULL) {
        find_ranks(members, &query, &from, &to);
    }
    apply->reply = hf_reply_integer(to - from);
}

void hf_apply_zcount(struct hf_apply *apply, const struct hf_command *command)
{
    count_range(apply, command, BY_SCORE);
}

void hf_apply_zlexcount(struct hf_apply *apply,
                        const struct hf_command *command)
{
    count_range(apply, command, BY_MEMBER);
}

/* Effects of taking the ranks [@from, @to) out, known as @notice. */
static void drop_ranks(struct hf_apply *apply, const struct hf_members *members,
                       uint32_t from, uint32_t to, enum hf_notice notice)
{
    if (from == to) {
        return;
    }
    hf_apply_notice_removal(apply, notice, to - from == members->count);
    if (to - from == members->count) {
        hf_effects_delete(apply->effects);
        return;
    }
    struct hf_ranking_place place = hf_ranking_at(&members->ranking, from);
    for (uint32_t left = to - from; left > 0; left--) {
        double score;
        const struct hf_item *item = hf_ranking_item(place, &score);
        hf_effects_unscore(apply->effects, hf_ranking_member(item));
        hf_ranking_next(&place);
    }
}

static void drop_range(struct hf_apply *apply, const struct hf_command *command,
                       enum range_by by, enum hf_notice notice)
{
    const struct hf_members *members;
    struct range_query query = {.by = by};
    uint32_t from = 0;
    uint32_t to = 0;
    if (!read_ends(apply, command->argv[2], command->argv[3], &query) ||
        !hf_apply_sorted_set(apply, &members)) {
        return;
    }
    if (members != NULL) {
        find_ranks(members, &query, &from, &to);
        drop_ranks(apply, members, from, to, notice);
    }
    apply->reply = hf_reply_integer(to - from);
}

void hf_apply_zremrangebyrank(struct hf_apply *apply,
                              const struct hf_command *command)
{
    drop_range(apply, command, BY_RANK, HF_NOTICE_ZREMRANGEBYRANK);
}

void hf_apply_zremrangebyscore(struct hf_apply *apply,
                               const struct hf_command *command)
{
    drop_range(apply, command, BY_SCORE, HF_NOTICE_ZREMRANGEBYSCORE);
}

void hf_apply_zremrangebylex(struct hf_apply *apply,
                             const struct hf_command *command)
{
    drop_range(apply, command, BY_MEMBER, HF_NOTICE_ZREMRANGEBYLEX);
}

/* @counted: a count was given, and pairs are the answer. */
static void pop_ranks(struct hf_apply *apply, const struct hf_members *members,
                      bool highest, uint32_t count, bool counted)
{
    uint32_t from = highest ? members->count - count : 0;
    struct range_query query = {.reverse = highest, .scores = true};
    if (counted) {
        reply_ranks(apply, members, from, from + count, &query);
    } else {
        double score;
        const struct hf_item *item =
            hf_ranking_item(hf_ranking_at(&members->ranking, from), &score);
        hf_reply_put_array(apply->scratch, 2);
        hf_reply_put_bulk(apply->scratch, hf_ranking_member(item));
        hf_reply_put_double(apply->scratch, score);
        hf_apply_nested(apply);
    }
    if (apply->reply.kind != HF_REPLY_ERROR) {
        drop_ranks(apply, members, from, from + count,
                   highest ? HF_NOTICE_ZPOPMAX : HF_NOTICE_ZPOPMIN);
    }
}

static void pop(struct hf_apply *apply, const struct hf_command *command,
                bool highest)
{
    const struct hf_members *members;
    int64_t count = 1;
    bool counted = command->argc > 2;
    if (command->argc > 3) {
        apply->reply = hf_reply_error(HF_TEXT_SYNTAX);
        return;
    }
    if ((counted && !hf_apply_positive(apply, command->argv[2], &count)) ||
        !hf_apply_sorted_set(apply, &members)) {
        return;
    }
    if (members == NULL || count == 0) {
        hf_reply_put_array(apply->scratch, 0);
        hf_apply_nested(apply);
        return;
    }
    count = count < members->count ? count : members->count;
    pop_ranks(apply, members, highest, (uint32_t)count, counted);
}

void hf_apply_zpopmin(struct hf_apply *apply, const struct hf_command *command)
{
    pop(apply, command, false);
}

void hf_apply_zpopmax(struct hf_apply *apply, const struct hf_command *command)
{
    pop(apply, command, true);
}
