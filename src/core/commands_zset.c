#include <math.h>

#include "base/number.h"
#include "core/commands.h"
#include "core/members.h"

#define EACH (HF_SESSION_FIELD_OVERHEAD + HF_SCORE_BYTES)

bool hf_apply_sorted_set(struct hf_apply *apply,
                         const struct hf_members **members)
{
    return hf_apply_members(apply, HF_SESSION_SORTED_SET, members);
}

static bool score_of(const struct hf_members *members, struct hf_slice member,
                     double *score)
{
    uint32_t number;
    if (members == NULL || !hf_members_find(members, member, &number)) {
        return false;
    }
    *score = hf_members_score(members, number);
    return true;
}

static void reply_double(struct hf_apply *apply, double value)
{
    hf_buffer_clear(apply->scratch);
    hf_reply_put_double(apply->scratch, value);
    if (apply->scratch->failed && apply->effects->size > 0) {
        apply->effects->failed = true;
    }
    hf_apply_nested(apply);
}

/* ---- Adding ------------------------------------------------------------- */

struct zadd_options {
    bool if_new;     /* NX */
    bool if_there;   /* XX */
    bool if_greater; /* GT */
    bool if_less;    /* LT */
    bool changed;    /* CH: the answer counts those, too. */
    bool increment;  /* INCR */
    uint32_t first;  /* The argument with the first score. */
};

/* A ZADD under way. */
struct zadd {
    struct hf_apply *apply;
    const struct hf_command *command;
    const struct hf_members *members;
    struct zadd_options options;
    struct hf_names seen;
    double *scores; /* By argument, of those that were met before. */
    size_t size;    /* Of the session, when all is done. */
    int64_t added;
    int64_t updated;
    bool any;    /* Something was not left as it was. */
    double last; /* Of the last one. */
};

static void read_zadd_options(const struct hf_command *command,
                              struct zadd_options *options)
{
    uint32_t i = 2;
    for (; i < command->argc; i++) {
        struct hf_slice option = command->argv[i];
        if (hf_slice_equal_nocase(option, "nx")) {
            options->if_new = true;
        } else if (hf_slice_equal_nocase(option, "xx")) {
            options->if_there = true;
        } else if (hf_slice_equal_nocase(option, "gt")) {
            options->if_greater = true;
        } else if (hf_slice_equal_nocase(option, "lt")) {
            options->if_less = true;
        } else if (hf_slice_equal_nocase(option, "ch")) {
            options->changed = true;
        } else if (hf_slice_equal_nocase(option, "incr")) {
            options->increment = true;
        } else {
            break;
        }
    }
    options->first = i;
}

/* The error of options that do not go together; NULL when they do. */
static const char *zadd_refusal(const struct zadd_options *options,
                                uint32_t argc)
{
    uint32_t left = argc - options->first;
    if (left == 0 || left % 2 != 0) {
        return HF_TEXT_SYNTAX;
    }
    if (options->if_new && options->if_there) {
        return "ERR XX and NX options at the same time are not compatible";
    }
    if ((options->if_greater && options->if_new) ||
        (options->if_less && options->if_new) ||
        (options->if_greater && options->if_less)) {
        return "ERR GT, LT, and/or NX options at the same time are not "
               "compatible";
    }
    if (options->increment && left > 2) {
        return "ERR INCR option supports a single increment-element pair";
    }
    return NULL;
}

/* Whether @score is to become the score of a member that has @old. */
static bool is_wanted(const struct zadd_options *options, double score,
                      double old)
{
    return !options->if_new && !(options->if_less && score >= old) &&
           !(options->if_greater && score <= old);
}

/* Where the score of argv[@at] by now is; not a number when it is no member. */
static double *score_by_now(struct zadd *zadd, uint32_t at)
{
    uint32_t before = hf_names_met(&zadd->seen, at);
    if (before != 0) {
        return &zadd->scores[before];
    }
    double *score = &zadd->scores[at];
    if (!score_of(zadd->members, zadd->command->argv[at], score)) {
        *score = NAN;
    }
    return score;
}

/* One score and member. False: the error is the reply. */
static bool zadd_one(struct zadd *zadd, uint32_t at)
{
    const struct zadd_options *options = &zadd->options;
    struct hf_slice member = zadd->command->argv[at + 1];
    double *now = score_by_now(zadd, at + 1);
    bool there = !isnan(*now);
    double score;
    if (!hf_slice_to_double(zadd->command->argv[at], &score)) {
        zadd->apply->reply = hf_reply_error(HF_TEXT_NOT_FLOAT);
        return false;
    }
    if (there ? options->if_new : options->if_there) {
        return true;
    }
    if (there && options->increment) {
        score += *now;
        if (isnan(score)) {
            zadd->apply->reply =
                hf_reply_error("ERR resulting score is not a number (NaN)");
            return false;
        }
    }
    if (there && !is_wanted(options, score, *now)) {
        return true;
    }
    zadd->any = true;
    zadd->last = score;
    score += 0.0; /* -0 becomes 0. */
    if (there && score == *now) {
        return true;
    }
    hf_effects_score(zadd->apply->effects, member, score);
    zadd->size += there ? 0 : EACH + member.size;
    zadd->added += there ? 0 : 1;
    zadd->updated += there ? 1 : 0;
    *now = score;
    return true;
}

static void zadd_all(struct zadd *zadd)
{
    const struct hf_command *command = zadd->command;
    struct hf_apply *apply = zadd->apply;
    for (uint32_t i = zadd->options.first; i < command->argc; i += 2) {
        if (!zadd_one(zadd, i)) {
            hf_buffer_clear(apply->effects);
            return;
        }
    }
    if (zadd->added > 0 && !hf_apply_size_fits(apply, zadd->size)) {
        hf_buffer_clear(apply->effects);
        return;
    }
    if (zadd->added + zadd->updated > 0) {
        hf_apply_notice(apply, zadd->options.increment ? HF_NOTICE_ZINCR
                                                       : HF_NOTICE_ZADD);
    }
    if (!zadd->options.increment) {
        apply->reply = hf_reply_integer(
            zadd->added + (zadd->options.changed ? zadd->updated : 0));
    } else if (zadd->any) {
        reply_double(apply, zadd->last);
    }
}

/* All scores are looked at before anything else. */
static bool scores_are_sound(struct zadd *zadd)
{
    double score;
    for (uint32_t i = zadd->options.first; i < zadd->command->argc; i += 2) {
        if (!hf_slice_to_double(zadd->command->argv[i], &score)) {
            zadd->apply->reply = hf_reply_error(HF_TEXT_NOT_FLOAT);
            return false;
        }
    }
    return true;
}

static void zadd_run(struct zadd *zadd)
{
    struct hf_apply *apply = zadd->apply;
    uint32_t argc = zadd->command->argc;
    if (!scores_are_sound(zadd) ||
        !hf_apply_sorted_set(apply, &zadd->members) ||
        !hf_names_init(&zadd->seen, apply, zadd->command, argc)) {
        return;
    }
    struct hf_mem *mem = apply->scratch->mem;
    zadd->scores = hf_mem_alloc(mem, argc * sizeof(*zadd->scores));
    if (zadd->scores == NULL) {
        apply->effects->failed = true;
        return;
    }
    zadd->size = hf_apply_value_bytes(apply);
    zadd_all(zadd);
    hf_mem_free(mem, zadd->scores, argc * sizeof(*zadd->scores));
}

void hf_apply_zadd(struct hf_apply *apply, const struct hf_command *command)
{
    struct zadd zadd = {.apply = apply, .command = command};
    read_zadd_options(command, &zadd.options);
    const char *refusal = zadd_refusal(&zadd.options, command->argc);
    if (refusal != NULL) {
        apply->reply = hf_reply_error(refusal);
        return;
    }
    zadd_run(&zadd);
}

void hf_apply_zincrby(struct hf_apply *apply, const struct hf_command *command)
{
    struct zadd zadd = {.apply = apply,
                        .command = command,
                        .options = {.increment = true, .first = 2}};
    zadd_run(&zadd);
}

/* ---- One by one --------------------------------------------------------- */

void hf_apply_zrem(struct hf_apply *apply, const struct hf_command *command)
{
    const struct hf_members *members;
    struct hf_names seen;
    if (!hf_apply_sorted_set(apply, &members) ||
        !hf_names_init(&seen, apply, command, command->argc)) {
        return;
    }
    int64_t removed = 0;
    for (uint32_t i = 2; i < command->argc; i++) {
        double score;
        if (score_of(members, command->argv[i], &score) &&
            hf_names_met(&seen, i) == 0) {
            hf_effects_unscore(apply->effects, command->argv[i]);
            removed++;
        }
    }
    if (removed > 0) {
        hf_apply_notice_removal(apply, HF_NOTICE_ZREM,
                                removed == members->count);
    }
    apply->reply = hf_reply_integer(removed);
}

void hf_apply_zcard(struct hf_apply *apply, const struct hf_command *command)
{
    (void)command;
    const struct hf_members *members;
    if (hf_apply_sorted_set(apply, &members)) {
        apply->reply = hf_reply_integer(members == NULL ? 0 : members->count);
    }
}

void hf_apply_zscore(struct hf_apply *apply, const struct hf_command *command)
{
    const struct hf_members *members;
    double score;
    if (hf_apply_sorted_set(apply, &members) &&
        score_of(members, command->argv[2], &score)) {
        reply_double(apply, score);
    }
}

void hf_apply_zmscore(struct hf_apply *apply, const struct hf_command *command)
{
    const struct hf_members *members;
    if (!hf_apply_sorted_set(apply, &members)) {
        return;
    }
    hf_reply_put_array(apply->scratch, command->argc - 2);
    for (uint32_t i = 2; i < command->argc; i++) {
        double score;
        if (score_of(members, command->argv[i], &score)) {
            hf_reply_put_double(apply->scratch, score);
        } else {
            hf_reply_put_nil(apply->scratch);
        }
    }
    hf_apply_nested(apply);
}

static void reply_rank(struct hf_apply *apply, struct hf_slice member,
                       bool reverse)
{
    const struct hf_members *members;
    uint32_t number;
    if (!hf_apply_sorted_set(apply, &members) || members == NULL ||
        !hf_members_find(members, member, &number)) {
        return;
    }
    uint32_t rank = hf_members_rank(members, number);
    apply->reply = hf_reply_integer(reverse ? members->count - 1 - rank : rank);
}

void hf_apply_zrank(struct hf_apply *apply, const struct hf_command *command)
{
    reply_rank(apply, command->argv[2], false);
}

void hf_apply_zrevrank(struct hf_apply *apply, const struct hf_command *command)
{
    reply_rank(apply, command->argv[2], true);
}

/* ---- By pages ----------------------------------------------------------- */

static void put_scored(struct hf_buffer *scratch, struct hf_slice member,
                       double score)
{
    hf_reply_put_bulk(scratch, member);
    char text[HF_DOUBLE_TEXT_BYTES];
    hf_reply_put_bulk(scratch, hf_double_text(score, text));
}

/* All that there are, in their order. */
static void put_ranked(struct hf_apply *apply,
                       const struct hf_page_options *options,
                       const struct hf_members *members)
{
    struct hf_ranking_place place = hf_ranking_at(&members->ranking, 0);
    const struct hf_item *item;
    double score;
    while ((item = hf_ranking_item(place, &score)) != NULL) {
        if (hf_page_has(options, hf_ranking_member(item))) {
            put_scored(apply->scratch, hf_ranking_member(item), score);
        }
        hf_ranking_next(&place);
    }
}

/* As hf_apply_sscan. */
void hf_apply_zscan(struct hf_apply *apply, const struct hf_command *command)
{
    const struct hf_members *members;
    struct hf_page_options options;
    if (!hf_apply_page(apply, command, HF_SESSION_SORTED_SET, &options) ||
        !hf_apply_sorted_set(apply, &members)) {
        return;
    }
    uint32_t from;
    uint32_t to;
    uint32_t count = members == NULL ? 0 : members->count;
    hf_page_bounds(&options, count, &from, &to);
    uint32_t matching = 0;
    for (uint32_t i = from; i < to; i++) {
        matching += hf_page_has(&options, hf_members_at(members, i)) ? 2 : 0;
    }
    hf_apply_put_page(apply, from, matching);
    if (to - from == count && members != NULL) {
        put_ranked(apply, &options, members);
        hf_apply_nested(apply);
        return;
    }
    for (uint32_t i = from; i < to; i++) {
        struct hf_slice member = hf_members_at(members, i);
        if (hf_page_has(&options, member)) {
            put_scored(apply->scratch, member, hf_members_score(members, i));
        }
    }
    hf_apply_nested(apply);
}
