#include "core/command.h"

#include <string.h>

#include "base/assert.h"
#include "base/mutation.h"
#include "core/commands.h"
#include "core/glob.h"
#include "core/key.h"
#include "core/placement.h"

#define W HF_COMMAND_WRITE
#define F HF_COMMAND_FAST
#define T HF_COMMAND_TIME
#define Q HF_COMMAND_QUIET

#define ROW(name, arity, flags, route, gather, first, last, step, apply,       \
            fenced, section, usage, note)                                      \
    {#name,                                                                    \
     sizeof(#name) - 1,                                                        \
     arity,                                                                    \
     flags,                                                                    \
     HF_ROUTE_##route,                                                         \
     HF_GATHER_##gather,                                                       \
     first,                                                                    \
     last,                                                                     \
     step,                                                                     \
     apply,                                                                    \
     HF_FENCED_##fenced,                                                       \
     HF_SECTION_##section,                                                     \
     usage,                                                                    \
     note},
#define CONNECTION(name, arity, section, usage, note)                          \
    ROW(name, arity, F, CONNECTION, NONE, 0, 0, 0, NULL, ERROR, section,       \
        usage, note)
#define SUBSCRIPTION(name, arity, usage, note)                                 \
    ROW(name, arity, HF_COMMAND_ALONE, CONNECTION, NONE, 0, 0, 0, NULL, ERROR, \
        PUBSUB, usage, note)
#define SUBSCRIBERS(name, arity, flags, usage, note)                           \
    ROW(name, arity, flags, SUBSCRIBERS, NONE, 0, 0, 0, NULL, ERROR, PUBSUB,   \
        usage, note)
#define KEY_FENCED(name, arity, flags, apply, fenced, section, usage, note)    \
    ROW(name, arity, flags, KEY, NONE, 1, 1, 1, hf_apply_##apply, fenced,      \
        section, usage, note)
#define KEY(name, arity, flags, apply, section, usage, note)                   \
    KEY_FENCED(name, arity, flags, apply, ERROR, section, usage, note)
#define KEYS_FENCED(name, arity, flags, gather, step, apply, fenced, section,  \
                    usage, note)                                               \
    ROW(name, arity, flags, KEYS, gather, 1, -1, step, hf_apply_##apply,       \
        fenced, section, usage, note)
#define KEYS(name, arity, flags, gather, step, apply, section, usage, note)    \
    KEYS_FENCED(name, arity, flags, gather, step, apply, ERROR, section,       \
                usage, note)
#define PARTITIONS(name, arity, flags, gather, apply, section, usage, note)    \
    ROW(name, arity, flags, PARTITIONS, gather, 0, 0, 0, hf_apply_##apply,     \
        ERROR, section, usage, note)
#define EVERYWHERE(name, arity, flags, gather, apply, section, usage, note)    \
    ROW(name, arity, flags, EVERYWHERE, gather, 0, 0, 0, hf_apply_##apply,     \
        ERROR, section, usage, note)
#define PAGES(name, arity, flags, section, usage, note)                        \
    ROW(name, arity, flags, SCAN, NONE, 0, 0, 0, NULL, ERROR, section, usage,  \
        note)
#define NODE(name, arity, section, usage, note)                                \
    ROW(name, arity, F, NODE, NONE, 0, 0, 0, NULL, ERROR, section, usage, note)
#define SUBKEY(name, arity, flags, apply, section, usage, note)                \
    ROW(name, arity, flags, KEY, NONE, 2, 2, 1, hf_apply_##apply, ERROR,       \
        section, usage, note)
#define WALK(name, arity, gather, section, usage, note)                        \
    ROW(name, arity, 0, WALK, gather, 0, 0, 0, NULL, ERROR, section, usage,    \
        note)
#define UNIT(name, arity, flags, first, last, step, apply, section, usage,     \
             note)                                                             \
    ROW(name, arity, flags, UNIT, NONE, first, last, step, hf_apply_##apply,   \
        ERROR, section, usage, note)
#define SCRIPT(name, arity, flags, section, usage, note)                       \
    ROW(name, arity, flags, SCRIPT, NONE, 0, 0, 0, NULL, ERROR, section,       \
        usage, note)

static const struct hf_command_row rows[] = {
#include "core/command_table.def"
};

#undef ROW
#undef W
#undef F
#undef T

/* The first eight letters of each name as a number that sorts like them; zeros
 * follow a shorter one. Apart from the rows, so that a search stays in a few
 * cache lines. The unused places are in front, as they sort before all names:
 * so a search always takes the same steps. */
#define PLACES 256
#define ROW_FIRST (PLACES - HF_ARRAY_COUNT(rows))
_Static_assert(HF_ARRAY_COUNT(rows) < PLACES, "there is a place before all");
#define LETTER(name, i)                                                        \
    ((uint64_t)(uint8_t)(name)[(i) < sizeof(name) ? (i) : sizeof(name) - 1]    \
     << (56 - 8 * (i)))
#define ROW(name, arity, flags, route, gather, first, last, step, apply,       \
            fenced, section, usage, note)                                      \
    LETTER(#name, 0) | LETTER(#name, 1) | LETTER(#name, 2) |                   \
        LETTER(#name, 3) | LETTER(#name, 4) | LETTER(#name, 5) |               \
        LETTER(#name, 6) | LETTER(#name, 7),

static const uint64_t row_letters[PLACES] = {[ROW_FIRST] =
#include "core/command_table.def"
};

#undef ROW
#undef LETTER

/* As row_letters has them, in upper case. */
static uint64_t letters_of(struct hf_slice name)
{
    const uint64_t each = UINT64_C(0x0101010101010101);
    size_t size = name.size < 8 ? name.size : 8;
    uint64_t letters = 0;
    for (size_t i = 0; i < size; i++) {
        letters = letters << 8 | name.data[i];
    }
    letters <<= 8 * (8 - size) & 63;
    /* In each byte that is from 'a' to 'z', and only there, the highest bit of
     * one sum is set and that of the other is not. */
    uint64_t low = letters & each * 0x7f;
    uint64_t lower = (low + each * (0x80 - 'a')) &
                     ~(low + each * (0x7f - 'z')) & ~letters & each * 0x80;
    return letters ^ lower >> 2;
}

const struct hf_command_row *hf_command_find(struct hf_slice name)
{
    uint64_t letters = letters_of(name);
    size_t at = 0; /* The last place whose letters are not behind. */
    for (size_t step = PLACES / 2; step > 0; step /= 2) {
        at += row_letters[at + step] <= letters ? step : 0;
    }
    /* Of long names several may begin alike. */
    for (; at >= ROW_FIRST && row_letters[at] == letters; at--) {
        const struct hf_command_row *row = &rows[at - ROW_FIRST];
        if (row->name_size == name.size &&
            (name.size <= 8 || hf_slice_equal_nocase(name, row->name))) {
            return row;
        }
    }
    return NULL;
}

const struct hf_command_row *hf_command_at(size_t index)
{
    return index < HF_ARRAY_COUNT(rows) ? &rows[index] : NULL;
}

size_t hf_command_index(const struct hf_command_row *row)
{
    HF_ASSERT(row >= rows && row < rows + HF_ARRAY_COUNT(rows));
    return (size_t)(row - rows);
}

/* Of a script: as many as it says. When that is no number that can be, there
 * are none, and the engine says what is wrong. */
static struct hf_key_places script_key_places(const struct hf_command *command)
{
    int64_t count = 0;
    if (command->argc < 3 || !hf_slice_to_int64(command->argv[2], &count) ||
        count < 0 || count > (int64_t)command->argc - 3) {
        count = 0;
    }
    return (struct hf_key_places){
        .first = 3, .end = 3 + (uint32_t)count, .step = 1};
}

struct hf_key_places hf_command_key_places(const struct hf_command *command)
{
    const struct hf_command_row *row = command->row;
    if (row->route == HF_ROUTE_SCRIPT) {
        return script_key_places(command);
    }
    if (row->key_first == 0) {
        return (struct hf_key_places){.first = 1, .end = 1, .step = 1};
    }
    int64_t last = row->key_last;
    int64_t end = (last < 0 ? command->argc + last : last) + 1;
    HF_ASSERT(end <= command->argc);
    return (struct hf_key_places){.first = (uint32_t)row->key_first,
                                  .end = (uint32_t)end,
                                  .step = row->key_step};
}

/* How many bytes more @command takes with its keys encoded; 0: it stays. */
static size_t encoded_room(const struct hf_command *command, uint8_t database,
                           const struct hf_key_places *keys)
{
    size_t room = 0;
    for (uint32_t i = keys->first; i < keys->end; i += keys->step) {
        if (!hf_key_is_plain(database, command->argv[i])) {
            room += command->argv[i].size + 1;
        }
    }
    return room;
}

/* The key of a command on one key, behind which is what was before it: OBJECT
 * ENCODING key. */
static void bring_forward(struct hf_slice *argv, uint32_t at)
{
    struct hf_slice key = argv[at];
    memmove(argv + 2, argv + 1, (at - 1) * sizeof(*argv));
    argv[1] = key;
}

bool hf_command_encode_keys(struct hf_command *command, uint8_t database,
                            struct hf_buffer *arena)
{
    const struct hf_command_row *row = command->row;
    struct hf_key_places keys = hf_command_key_places(command);
    bool moves = row->route == HF_ROUTE_KEY && row->key_first > 1;
    size_t room = encoded_room(command, database, &keys);
    command->database = database;
    if (room == 0 && !moves) {
        return true;
    }
    size_t size = command->argc * sizeof(struct hf_slice);
    hf_buffer_clear(arena);
    struct hf_slice *argv =
        (struct hf_slice *)(void *)hf_buffer_reserve(arena, size + room);
    if (argv == NULL) {
        return false;
    }
    memcpy(argv, command->argv, size);
    uint8_t *place = (uint8_t *)argv + size;
    for (uint32_t i = keys.first; i < keys.end; i += keys.step) {
        argv[i] = hf_key_encode(database, argv[i], place);
        place += argv[i].data == place ? argv[i].size : 0;
    }
    if (moves) {
        bring_forward(argv, keys.first);
    }
    command->argv = argv;
    command->located = false;
    return true;
}

bool hf_command_arity_fits(const struct hf_command_row *row, uint32_t argc)
{
    uint32_t wanted = (uint32_t)(row->arity < 0 ? -row->arity : row->arity);
    if (argc < wanted || (row->arity > 0 && argc != wanted)) {
        return false;
    }
    if (row->key_last > 0 && argc <= (uint32_t)row->key_last) {
        return false;
    }
    return row->key_step < 2 || (argc - 1) % row->key_step == 0;
}

bool hf_command_keys_fit(const struct hf_command *command)
{
    if (command->row->key_last == 1) { /* What nearly all commands have. */
        return command->argv[1].size <= HF_KEY_TEXT_BYTES_MAX;
    }
    struct hf_key_places keys = hf_command_key_places(command);
    for (uint32_t i = keys.first; i < keys.end; i += keys.step) {
        if (command->argv[i].size > HF_KEY_TEXT_BYTES_MAX) {
            return false;
        }
    }
    return true;
}

bool hf_command_is_transaction(const struct hf_command *command)
{
    return command->row->apply == hf_apply_exec && command->argc == 3;
}

bool hf_command_is_step(const struct hf_command *command)
{
    return command->row->apply == hf_apply_exec && command->argc == 4;
}

bool hf_command_key(const struct hf_command *command, uint32_t index,
                    struct hf_slice *key)
{
    struct hf_key_places keys = hf_command_key_places(command);
    if (command->row->route == HF_ROUTE_KEY ||
        hf_command_is_transaction(command) || hf_command_is_step(command)) {
        keys = (struct hf_key_places){.first = 1, .end = 2, .step = 1};
    }
    uint32_t place = keys.first + index * keys.step;
    if (place >= keys.end) {
        return false;
    }
    *key = command->argv[place];
    return true;
}

uint16_t hf_command_partition(const struct hf_command *command)
{
    struct hf_slice key;
    if (command->located) {
        return command->partition;
    }
    if (!hf_command_key(command, 0, &key)) {
        key = command->argv[1];
    }
    return hf_partition_of_key(key);
}

bool hf_command_is_of_one_partition(const struct hf_command *command)
{
    struct hf_slice key;
    uint16_t p = hf_command_partition(command);
    for (uint32_t i = 1; hf_command_key(command, i, &key); i++) {
        if (hf_partition_of_key(key) != p) {
            return false;
        }
    }
    return true;
}

struct hf_command hf_command_share(const struct hf_command *command,
                                   uint32_t index, struct hf_slice *argv,
                                   size_t room)
{
    uint32_t step = command->row->key_step;
    HF_ASSERT(step > 0 && step < room);
    argv[0] = command->argv[0];
    for (uint32_t i = 0; i < step; i++) {
        argv[1 + i] = command->argv[1 + index * step + i];
    }
    return (struct hf_command){.row = command->row,
                               .argc = 1 + step,
                               .argv = argv,
                               .database = command->database};
}

bool hf_command_fits_unit(const struct hf_command *command)
{
    const struct hf_command_row *row = command->row;
    if (row == NULL || !hf_command_arity_fits(row, command->argc) ||
        row->apply == hf_apply_exec || row->apply == hf_apply_watch) {
        return false;
    }
    return row->route == HF_ROUTE_KEY || row->route == HF_ROUTE_KEYS ||
           row->route == HF_ROUTE_UNIT || row->route == HF_ROUTE_SCRIPT;
}

/* An unsigned decimal number, as big as it gets. Redis reads it with strtoul,
 * for which -1 is the largest of them. */
bool hf_parse_cursor(struct hf_slice slice, uint64_t *cursor)
{
    uint64_t sum = 0;
    bool negative = slice.size > 1 && slice.data[0] == '-';
    for (size_t i = negative ? 1 : 0; i < slice.size; i++) {
        if (slice.data[i] < '0' || slice.data[i] > '9') {
            return false;
        }
        uint64_t digit = (uint64_t)(slice.data[i] - '0');
        if (sum > (UINT64_MAX - digit) / 10) {
            return false;
        }
        sum = sum * 10 + digit;
    }
    *cursor = negative ? 0 - sum : sum;
    return slice.size > 0;
}

/* What TYPE says of each. */
static const char *const type_names[] = {
    [HF_SESSION_STRING] = "string",   [HF_SESSION_HASH] = "hash",
    [HF_SESSION_FENCE] = "none",      [HF_SESSION_SET] = "set",
    [HF_SESSION_SORTED_SET] = "zset", [HF_SESSION_LIST] = "list",
};

const char *hf_session_type_name(enum hf_session_type type)
{
    return type_names[type];
}

/* 0 for a type that nothing has. */
static enum hf_session_type type_of_name(struct hf_slice name)
{
    for (size_t i = HF_SESSION_STRING; i < HF_ARRAY_COUNT(type_names); i++) {
        if (i != HF_SESSION_FENCE &&
            hf_slice_equal_nocase(name, type_names[i])) {
            return (enum hf_session_type)i;
        }
    }
    return (enum hf_session_type)0;
}

static bool scan_option(struct hf_scan_options *options, struct hf_slice name,
                        struct hf_slice value, struct hf_reply *error)
{
    if (hf_slice_equal_nocase(name, "count")) {
        if (!hf_slice_to_int64(value, &options->count)) {
            *error = hf_reply_error(HF_TEXT_NOT_INTEGER);
            return false;
        }
        if (options->count >= 1) {
            return true;
        }
    } else if (hf_slice_equal_nocase(name, "match")) {
        options->match = value.size > 0 ? value : HF_SLICE_LITERAL("");
        return true;
    } else if (hf_slice_equal_nocase(name, "type")) {
        options->type = type_of_name(value);
        options->type_unknown = options->type == 0;
        return true;
    }
    *error = hf_reply_error(HF_TEXT_SYNTAX);
    return false;
}

size_t hf_command_copy_size(const struct hf_command *command)
{
    size_t size = command->argc * sizeof(struct hf_slice);
    for (uint32_t i = 0; i < command->argc; i++) {
        size += command->argv[i].size;
    }
    return size;
}

struct hf_command hf_command_copy(const struct hf_command *command, void *place)
{
    struct hf_slice *argv = place;
    uint8_t *bytes = (uint8_t *)(argv + command->argc);
    for (uint32_t i = 0; i < command->argc; i++) {
        argv[i] = (struct hf_slice){bytes, command->argv[i].size};
        if (argv[i].size > 0) {
            memcpy(bytes, command->argv[i].data, argv[i].size);
        }
        bytes += argv[i].size;
    }
    struct hf_command copy = *command;
    copy.argv = argv;
    return copy;
}

static struct hf_reply fenced_reply(const struct hf_command_row *row)
{
    switch (row->fenced) {
    case HF_FENCED_NIL:
        return hf_reply_nil();
    case HF_FENCED_ZERO:
        return hf_reply_integer(0);
    case HF_FENCED_OK:
        return hf_reply_ok();
    case HF_FENCED_ERROR:
        break;
    }
    return hf_reply_error(HF_FENCED_TEXT);
}

void hf_command_locate(struct hf_command *command)
{
    command->partition = hf_partition_of_key(command->argv[1]);
    command->hash = hf_sessions_hash(command->argv[1]);
    command->located = true;
}

void hf_apply_find(struct hf_apply *apply, const struct hf_command *command)
{
    struct hf_slice key = command->argv[1];
    apply->hash = command->located ? command->hash : hf_sessions_hash(key);
    apply->entry = hf_sessions_find_entry(apply->sessions, key, apply->hash);
}

void hf_command_apply(struct hf_apply *apply, const struct hf_command *command)
{
    command->row->apply(apply, command);
    if (apply->effects->size > 0 && !apply->effects->failed &&
        apply->entry != NULL &&
        hf_session_type(apply->entry) == HF_SESSION_FENCE &&
        hf_session_deadline(apply->entry) > apply->now &&
        !HF_MUTATED(WRITE_LIFTS_FENCE)) {
        hf_buffer_clear(apply->effects);
        apply->notice_count = 0;
        apply->reply = fenced_reply(command->row);
    }
}

bool hf_scan_parse(const struct hf_command *command,
                   struct hf_scan_options *options, struct hf_reply *error)
{
    *options =
        (struct hf_scan_options){.count = 10, .database = command->database};
    if (!hf_parse_cursor(command->argv[1], &options->cursor)) {
        *error = hf_reply_error("ERR invalid cursor");
        return false;
    }
    for (uint32_t i = 2; i < command->argc; i += 2) {
        if (i + 1 == command->argc) {
            *error = hf_reply_error(HF_TEXT_SYNTAX);
            return false;
        }
        if (!scan_option(options, command->argv[i], command->argv[i + 1],
                         error)) {
            return false;
        }
    }
    return true;
}

bool hf_scan_matches(const struct hf_scan_options *options,
                     const struct hf_session *session, hf_time now)
{
    struct hf_slice key = hf_session_key(session);
    if (options->type_unknown || hf_session_deadline(session) <= now ||
        hf_session_type(session) == HF_SESSION_FENCE ||
        hf_key_database(key) != options->database) {
        return false;
    }
    if (options->type != 0 && hf_session_type(session) != options->type) {
        return false;
    }
    return options->match.data == NULL ||
           hf_glob_matches(options->match, hf_key_text(key));
}
