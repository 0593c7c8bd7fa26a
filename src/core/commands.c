#include "core/commands.h"

#include <string.h>

#include "base/hash.h"
#include "base/mutation.h"
#include "core/glob.h"

#define TEXT_WRONG_TYPE                                                        \
    "WRONGTYPE Operation against a key holding the wrong kind of value"
#define PAGE_MIN 128 /* So few members are one page, as in Redis. */
#define TEXT_NO_MEMORY "OOM out of memory"

const struct hf_session *hf_apply_session(const struct hf_apply *apply)
{
    const struct hf_session *entry = apply->entry;
    return entry != NULL && hf_session_type(entry) == HF_SESSION_FENCE ? NULL
                                                                       : entry;
}

bool hf_apply_typed(struct hf_apply *apply, enum hf_session_type type,
                    const struct hf_session **session)
{
    *session = hf_apply_session(apply);
    if (*session != NULL && hf_session_type(*session) != type) {
        apply->reply = hf_reply_error(TEXT_WRONG_TYPE);
        return false;
    }
    return true;
}

bool hf_apply_members(struct hf_apply *apply, enum hf_session_type type,
                      const struct hf_members **members)
{
    const struct hf_session *session;
    if (!hf_apply_typed(apply, type, &session)) {
        return false;
    }
    *members = session == NULL ? NULL : hf_session_members(session);
    return true;
}

bool hf_apply_list(struct hf_apply *apply, const struct hf_deque **list)
{
    const struct hf_session *session;
    if (!hf_apply_typed(apply, HF_SESSION_LIST, &session)) {
        return false;
    }
    *list = session == NULL ? NULL : hf_session_list(session);
    return true;
}

size_t hf_apply_value_bytes(const struct hf_apply *apply)
{
    const struct hf_session *session = hf_apply_session(apply);
    return session == NULL ? 0 : hf_session_value_bytes(session);
}

int64_t hf_apply_time_left(const struct hf_apply *apply,
                           const struct hf_session *session)
{
    if (session == NULL || hf_session_deadline(session) == HF_NEVER) {
        return HF_TTL_NONE;
    }
    int64_t left = hf_session_deadline(session) - apply->now;
    return left > 0 ? left : 1;
}

bool hf_apply_integer(struct hf_apply *apply, struct hf_slice argument,
                      int64_t *value)
{
    if (!hf_slice_to_int64(argument, value)) {
        apply->reply = hf_reply_error(HF_TEXT_NOT_INTEGER);
        return false;
    }
    return true;
}

bool hf_apply_positive(struct hf_apply *apply, struct hf_slice argument,
                       int64_t *count)
{
    if (!hf_slice_to_int64(argument, count) || *count < 0) {
        apply->reply = hf_reply_error(HF_TEXT_NOT_POSITIVE);
        return false;
    }
    return true;
}

bool hf_apply_count_either_way(struct hf_apply *apply, struct hf_slice argument,
                               int64_t *count)
{
    if (!hf_slice_to_int64(argument, count)) {
        apply->reply = hf_reply_error(HF_TEXT_NOT_INTEGER);
        return false;
    }
    if (*count == INT64_MIN) {
        apply->reply = hf_reply_error(HF_TEXT_OUT_OF_RANGE);
        return false;
    }
    return true;
}

void hf_apply_delete(struct hf_apply *apply, const struct hf_command *command)
{
    hf_apply_notice(apply, HF_NOTICE_DEL);
    if (hf_fence_rules_match(apply->fences, command->argv[1])) {
        hf_effects_fence(apply->effects,
                         apply->fences->lifetime_ms /
                             (HF_MUTATED(FENCE_ENDS_EARLY) ? 4 : 1));
    } else {
        hf_effects_delete(apply->effects);
    }
}

bool hf_apply_size_fits(struct hf_apply *apply, size_t size)
{
    if (size <= apply->value_bytes_max) {
        return true;
    }
    struct hf_buffer *text = apply->scratch;
    hf_buffer_clear(text);
    hf_buffer_append_text(text, "ERR string exceeds maximum allowed size (");
    hf_buffer_append_int64(text, (int64_t)apply->value_bytes_max);
    hf_buffer_append_text(text, " bytes)");
    apply->reply = (struct hf_reply){.kind = HF_REPLY_ERROR,
                                     .bytes = hf_buffer_slice(text)};
    return false;
}

bool hf_apply_add(int64_t a, int64_t b, int64_t *sum)
{
    if (b > 0 ? a > INT64_MAX - b : a < INT64_MIN - b) {
        return false;
    }
    *sum = a + b;
    return true;
}

void hf_apply_refuse(struct hf_apply *apply, const struct hf_command *command,
                     const char *before, const char *after)
{
    struct hf_buffer *text = apply->scratch;
    hf_buffer_clear(text);
    hf_buffer_append_text(text, "ERR ");
    hf_buffer_append_text(text, before);
    hf_buffer_append_text(text, " '");
    for (const char *c = command->row->name; *c != '\0'; c++) {
        bool upper = *c >= 'A' && *c <= 'Z';
        hf_buffer_put_u8(text, (uint8_t)(upper ? *c - 'A' + 'a' : *c));
    }
    hf_buffer_append_text(text, "' ");
    hf_buffer_append_text(text, after);
    apply->reply = (struct hf_reply){.kind = HF_REPLY_ERROR,
                                     .bytes = hf_buffer_slice(text)};
}

void hf_apply_nested(struct hf_apply *apply)
{
    if (apply->scratch->failed) {
        apply->reply = hf_reply_error(TEXT_NO_MEMORY);
        return;
    }
    apply->reply = hf_reply_nested(apply->scratch);
}

void hf_apply_bulk_copy(struct hf_apply *apply, struct hf_slice bytes)
{
    hf_buffer_clear(apply->scratch);
    hf_buffer_append_slice(apply->scratch, bytes);
    if (apply->scratch->failed) {
        /* No effects without the reply that tells of them. */
        apply->effects->failed = true;
        apply->reply = hf_reply_error(TEXT_NO_MEMORY);
        return;
    }
    apply->reply = hf_reply_bulk(hf_buffer_slice(apply->scratch));
}

/* ---- Names met before --------------------------------------------------- */

bool hf_names_init(struct hf_names *seen, struct hf_apply *apply,
                   const struct hf_command *command, uint32_t count)
{
    uint32_t capacity = 8;
    while (capacity / 2 < count) {
        capacity *= 2;
    }
    size_t size = sizeof(*seen->index) * (size_t)capacity;
    uint8_t *piece = hf_buffer_reserve(apply->scratch, size);
    if (piece == NULL) {
        apply->effects->failed = true;
        return false;
    }
    memset(piece, 0, size);
    *seen = (struct hf_names){.argv = command->argv,
                              .index = (uint32_t *)(void *)piece,
                              .capacity = capacity};
    return true;
}

uint32_t hf_names_met(struct hf_names *seen, uint32_t number)
{
    struct hf_slice name = seen->argv[number];
    uint32_t mask = seen->capacity - 1;
    uint32_t i = (uint32_t)hf_hash(name) & mask;
    for (; seen->index[i] != 0; i = (i + 1) & mask) {
        if (hf_slice_equal(seen->argv[seen->index[i]], name)) {
            return seen->index[i];
        }
    }
    seen->index[i] = number;
    return 0;
}

/* ---- Some of many ------------------------------------------------------- */

static bool page_option(struct hf_apply *apply, struct hf_slice name,
                        struct hf_slice value, struct hf_page_options *options)
{
    if (hf_slice_equal_nocase(name, "match")) {
        options->match = value.size > 0 ? value : HF_SLICE_LITERAL("");
        return true;
    }
    if (hf_slice_equal_nocase(name, "count")) {
        if (!hf_apply_integer(apply, value, &options->count)) {
            return false;
        }
        if (options->count >= 1) {
            return true;
        }
    }
    apply->reply = hf_reply_error(HF_TEXT_SYNTAX);
    return false;
}

bool hf_apply_page(struct hf_apply *apply, const struct hf_command *command,
                   enum hf_session_type type, struct hf_page_options *options)
{
    const struct hf_session *session;
    *options = (struct hf_page_options){.count = 10};
    if (!hf_parse_cursor(command->argv[2], &options->cursor)) {
        apply->reply = hf_reply_error("ERR invalid cursor");
        return false;
    }
    if (!hf_apply_typed(apply, type, &session)) {
        return false;
    }
    for (uint32_t i = 3; session != NULL && i < command->argc; i += 2) {
        if (i + 1 == command->argc) {
            apply->reply = hf_reply_error(HF_TEXT_SYNTAX);
            return false;
        }
        if (!page_option(apply, command->argv[i], command->argv[i + 1],
                         options)) {
            return false;
        }
    }
    return true;
}

void hf_page_bounds(const struct hf_page_options *options, uint32_t count,
                    uint32_t *from, uint32_t *to)
{
    bool first = options->cursor == 0 || options->cursor > count;
    *to = first ? count : (uint32_t)options->cursor;
    uint64_t shown = (uint64_t)options->count;
    shown = first && count <= PAGE_MIN ? count : shown;
    *from = shown < *to ? *to - (uint32_t)shown : 0;
}

bool hf_page_has(const struct hf_page_options *options, struct hf_slice name)
{
    return options->match.data == NULL || hf_glob_matches(options->match, name);
}

void hf_apply_put_page(struct hf_apply *apply, uint32_t cursor, uint32_t count)
{
    char text[16];
    size_t at = sizeof(text);
    do {
        text[--at] = (char)('0' + cursor % 10);
        cursor /= 10;
    } while (cursor > 0);
    hf_reply_put_array(apply->scratch, 2);
    hf_reply_put_bulk(apply->scratch, (struct hf_slice){(uint8_t *)text + at,
                                                        sizeof(text) - at});
    hf_reply_put_array(apply->scratch, count);
}

uint32_t *hf_apply_draw(struct hf_apply *apply, uint32_t bound, uint32_t count)
{
    struct hf_mem *mem = apply->scratch->mem;
    uint32_t *drawn = hf_mem_alloc(mem, count * sizeof(*drawn));
    size_t bits_size = (size_t)bound / 8 + 1;
    uint8_t *bits = hf_mem_alloc_zero(mem, bits_size);
    if (drawn == NULL || bits == NULL) {
        hf_mem_free(mem, drawn, count * sizeof(*drawn));
        hf_mem_free(mem, bits, bits_size);
        apply->effects->failed = true;
        return NULL;
    }
    /* Each of the last @count numbers stands for one up to itself; when that
     * was drawn before, it is drawn itself. */
    for (uint32_t i = 0; i < count; i++) {
        uint32_t top = bound - count + i;
        uint32_t number = (uint32_t)hf_rng_below(apply->rng, top + UINT64_C(1));
        if ((bits[number / 8] & 1U << number % 8) != 0) {
            number = top;
        }
        bits[number / 8] |= (uint8_t)(1U << number % 8);
        drawn[i] = number;
    }
    hf_mem_free(mem, bits, bits_size);
    return drawn;
}

void hf_apply_drawn_free(struct hf_apply *apply, uint32_t *drawn,
                         uint32_t count)
{
    hf_mem_free(apply->scratch->mem, drawn, count * sizeof(*drawn));
}

void hf_apply_places(int64_t start, int64_t stop, uint32_t count,
                     uint32_t *from, uint32_t *to)
{
    int64_t first = start < 0 ? start + (int64_t)count : start;
    int64_t last = stop < 0 ? stop + (int64_t)count : stop;
    first = first < 0 ? 0 : first;
    last = last >= (int64_t)count ? (int64_t)count - 1 : last;
    bool none = first > last || first >= (int64_t)count;
    *from = none ? 0 : (uint32_t)first;
    *to = none ? 0 : (uint32_t)(last + 1);
}

bool hf_apply_is_too_large(struct hf_apply *apply)
{
    if (apply->scratch->size <= HF_REPLY_BYTES_MAX) {
        return false;
    }
    apply->reply = hf_reply_error(HF_REPLY_TOO_LARGE);
    return true;
}
