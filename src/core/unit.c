#include "core/unit.h"

#include "core/node_state.h"
#include "core/transaction.h"
#include "core/transfers.h"
#include "core/units.h"
#include "holdfast/error.h"

#define TEXT_OF(text) #text
#define TEXT_NUMBER(number) TEXT_OF(number)

static const char crossslot_text[] =
    "CROSSSLOT Keys in request don't hash to the same slot";
static const char too_large_text[] =
    "ERR a transaction or script may change at most 25 MiB";
static const char damaged_text[] = "ERR the transaction is damaged";

void hf_unit_open(struct hf_unit *unit, struct hf_node *node, uint16_t p)
{
    struct hf_partition *partition = &node->partitions[p];
    *unit = (struct hf_unit){.node = node, .partition = p};
    hf_overlay_init(&unit->overlay, &partition->sessions);
    hf_buffer_init(&unit->effects, node->mem);
    hf_buffer_init(&unit->gathered, node->mem);
    hf_buffer_init(&unit->replies, node->mem);
    hf_buffer_init(&unit->arguments, node->mem);
}

void hf_unit_close(struct hf_unit *unit)
{
    hf_overlay_close(&unit->overlay);
    hf_buffer_close(&unit->effects);
    hf_buffer_close(&unit->gathered);
    hf_buffer_close(&unit->replies);
    hf_buffer_close(&unit->arguments);
}

void hf_unit_fail(struct hf_unit *unit, const char *text)
{
    if (unit->failed == NULL) {
        unit->failed = text;
    }
}

bool hf_unit_has_effects(const struct hf_unit *unit)
{
    return unit->effects.size > 0;
}

int64_t hf_unit_wall_ms(const struct hf_unit *unit)
{
    return unit->node->wall_ms;
}

/* Sessions. */

/* Drops @entry by a write of its own, whatever becomes of the unit. What the
 * unit did so far is told when the unit commits, not with that. */
static void expire(struct hf_unit *unit, const struct hf_session *entry)
{
    struct hf_node *node = unit->node;
    struct hf_buffer noted = node->publishing.notices;
    hf_buffer_init(&node->publishing.notices, node->mem);
    if (hf_node_expire_entry(node, unit->partition, entry) != 0) {
        hf_unit_fail(unit, hf_no_memory_text);
    }
    hf_buffer_close(&node->publishing.notices);
    node->publishing.notices = noted;
}

const struct hf_session *hf_unit_find(struct hf_unit *unit, struct hf_slice key,
                                      uint32_t hash, bool writes)
{
    struct hf_node *node = unit->node;
    struct hf_partition *partition = &node->partitions[unit->partition];
    const struct hf_session *entry = hf_overlay_find(&unit->overlay, key, hash);
    if (entry != NULL && hf_session_deadline(entry) <= node->now &&
        (writes || hf_session_type(entry) != HF_SESSION_FENCE) &&
        !hf_overlay_has_touched(&unit->overlay, key, hash)) {
        expire(unit, entry);
        entry = NULL;
    }
    uint64_t shown = hf_node_shown(partition, entry);
    if (!hf_overlay_has_touched(&unit->overlay, key, hash) &&
        shown > unit->shows) {
        unit->shows = shown;
    }
    return entry;
}

void hf_unit_change(struct hf_unit *unit, struct hf_slice key, uint32_t hash,
                    struct hf_slice effects)
{
    if (unit->failed != NULL || effects.size == 0) {
        return;
    }
    if (unit->effects.size + key.size + effects.size > HF_UNIT_EFFECTS_MAX) {
        hf_unit_fail(unit, too_large_text);
        return;
    }
    hf_effects_key(&unit->effects, key);
    unit->changes++;
    hf_buffer_append_slice(&unit->effects, effects);
    /* The version is given to all of them in the end. */
    int error =
        hf_overlay_apply(&unit->overlay, key, hash, (struct hf_version){0, 0},
                         effects, unit->node->now);
    if (error != 0 || unit->effects.failed) {
        hf_unit_fail(unit, hf_no_memory_text);
    }
}

void hf_unit_note(struct hf_unit *unit, enum hf_notice notice,
                  struct hf_slice key)
{
    if (hf_publishing_is_on(&unit->node->publishing)) {
        hf_node_note_event(unit->node, notice, key);
    }
}

/* Commands. */

static void call_key(struct hf_unit *unit, const struct hf_command *command,
                     struct hf_reply *reply)
{
    struct hf_node *node = unit->node;
    struct hf_slice key = command->argv[1];
    uint32_t hash = hf_sessions_hash(key);
    bool writes = (command->row->flags & HF_COMMAND_WRITE) != 0;
    const struct hf_session *entry = hf_unit_find(unit, key, hash, writes);
    struct hf_apply apply = hf_node_apply_context(node, unit->partition);
    apply.unit = unit;
    apply.hash = hash;
    apply.entry = entry;
    hf_command_apply(&apply, command);
    if (node->scratch.failed || node->effects.failed) {
        hf_unit_fail(unit, hf_no_memory_text);
        return;
    }
    if (hf_publishing_is_on(&node->publishing)) {
        if (node->effects.size > 0) {
            hf_node_note(node, &apply, key);
        } else {
            hf_node_note_unchanged(node, &apply, command);
        }
    }
    hf_unit_change(unit, key, hash, hf_buffer_slice(&node->effects));
    *reply = apply.reply;
}

static void call_keys(struct hf_unit *unit, const struct hf_command *command,
                      struct hf_reply *reply)
{
    uint32_t step = command->row->key_step;
    uint32_t count = (command->argc - 1) / step;
    int64_t sum = 0;
    hf_buffer_clear(&unit->gathered);
    hf_reply_put_array(&unit->gathered, count);
    for (uint32_t i = 0; i < count; i++) {
        struct hf_slice argv[1 + 2];
        struct hf_command share =
            hf_command_share(command, i, argv, HF_ARRAY_COUNT(argv));
        struct hf_reply part = hf_reply_nil();
        call_key(unit, &share, &part);
        sum += part.kind == HF_REPLY_INTEGER ? part.integer : 0;
        if (part.kind == HF_REPLY_ERROR) {
            hf_buffer_clear(&unit->gathered);
            hf_reply_encode(&part, &unit->gathered);
            if (!hf_reply_decode(hf_buffer_slice(&unit->gathered), reply)) {
                hf_unit_fail(unit, hf_no_memory_text);
            }
            return;
        }
        if (command->row->gather == HF_GATHER_ARRAY) {
            hf_reply_encode(&part, &unit->gathered);
        }
        if (unit->gathered.size > HF_REPLY_BYTES_MAX) {
            hf_buffer_clear(&unit->gathered);
            hf_buffer_trim(&unit->gathered, 0);
            *reply = hf_reply_error(HF_REPLY_TOO_LARGE);
            return;
        }
    }
    if (unit->gathered.failed) {
        hf_unit_fail(unit, hf_no_memory_text);
    } else if (command->row->gather == HF_GATHER_SUM) {
        *reply = hf_reply_integer(sum);
    } else if (command->row->gather == HF_GATHER_ARRAY) {
        *reply = hf_reply_nested(&unit->gathered);
    } else {
        *reply = hf_reply_ok();
    }
}

/* One that knows of the unit: it looks up and changes what it likes. */
static void call_unit(struct hf_unit *unit, const struct hf_command *command,
                      struct hf_reply *reply)
{
    struct hf_node *node = unit->node;
    struct hf_apply apply = hf_node_apply_context(node, unit->partition);
    apply.unit = unit;
    command->row->apply(&apply, command);
    if (node->scratch.failed || node->effects.failed) {
        hf_unit_fail(unit, hf_no_memory_text);
    }
    *reply = apply.reply;
}

static void call_script(struct hf_unit *unit, const struct hf_command *command,
                        struct hf_reply *reply)
{
    const struct hf_script_engine *engine = unit->node->config.scripts;
    if (engine == NULL) {
        *reply = hf_reply_error("ERR this node runs no scripts");
    } else if (unit->scripts > 0) {
        *reply =
            hf_reply_error("ERR This Redis command is not allowed from script");
    } else {
        unit->scripts++;
        engine->run(engine->user, unit, command, reply);
        unit->scripts--;
    }
}

/* Whether each key can be one of this unit's. */
static const char *refusal(const struct hf_unit *unit,
                           const struct hf_command *command)
{
    struct hf_slice key;
    for (uint32_t i = 0; hf_command_key(command, i, &key); i++) {
        if (key.size > HF_KEY_BYTES_MAX) {
            return "ERR key is longer than " TEXT_NUMBER(
                HF_KEY_BYTES_MAX) " bytes";
        }
        if (hf_partition_of_key(key) != unit->partition) {
            return crossslot_text;
        }
    }
    return NULL;
}

void hf_unit_call(struct hf_unit *unit, const struct hf_command *command,
                  struct hf_reply *reply)
{
    const char *text = unit->failed;
    *reply = hf_reply_nil();
    if (text == NULL && !hf_command_fits_unit(command)) {
        text = "ERR the command cannot be part of a transaction or script";
    }
    if (text == NULL) {
        text = refusal(unit, command);
    }
    if (text != NULL) {
        *reply = hf_reply_error(text);
        return;
    }
    switch (command->row->route) {
    case HF_ROUTE_KEY:
        call_key(unit, command, reply);
        break;
    case HF_ROUTE_KEYS:
        call_keys(unit, command, reply);
        break;
    case HF_ROUTE_SCRIPT:
        call_script(unit, command, reply);
        break;
    default:
        call_unit(unit, command, reply);
        break;
    }
    if (unit->failed != NULL) {
        *reply = hf_reply_error(unit->failed);
    }
}

/* Transactions. */

/* Whether all watched keys are as they were. */
static bool watches_hold(struct hf_unit *unit, struct hf_reader *reader)
{
    struct hf_node *node = unit->node;
    const struct hf_partition *partition = &node->partitions[unit->partition];
    bool hold = true;
    uint32_t count = hf_reader_u32(reader);
    for (uint32_t i = 0; i < count && !reader->failed; i++) {
        struct hf_slice key = hf_reader_slice(reader);
        struct hf_slice state = hf_reader_slice(reader);
        if (hf_partition_of_key(key) != unit->partition) {
            reader->failed = true;
            break;
        }
        const struct hf_session *entry =
            hf_unit_find(unit, key, hf_sessions_hash(key), false);
        hf_buffer_clear(&unit->gathered);
        hf_transaction_state(&unit->gathered, node->view->epoch,
                             partition->last_delete, entry);
        if (unit->gathered.failed) {
            hf_unit_fail(unit, hf_no_memory_text);
        }
        hold &= hf_slice_equal(state, hf_buffer_slice(&unit->gathered)) ||
                HF_MUTATED(WATCH_UNSEEN);
    }
    return hold;
}

static void run_transaction(struct hf_unit *unit,
                            const struct hf_command *command,
                            struct hf_reply *reply)
{
    struct hf_reader reader = hf_reader_of(command->argv[2]);
    bool hold = watches_hold(unit, &reader);
    uint32_t count = 0;
    struct hf_command part;
    while (hold && unit->failed == NULL &&
           hf_transaction_next(&reader, &unit->arguments, &part)) {
        struct hf_reply one;
        hf_unit_call(unit, &part, &one);
        hf_reply_encode(&one, &unit->replies);
        count++;
        if (unit->replies.size > HF_REPLY_BYTES_MAX) {
            hf_unit_fail(unit, HF_REPLY_TOO_LARGE);
        }
    }
    if (reader.failed) {
        hf_unit_fail(unit, damaged_text);
    }
    hf_buffer_clear(&unit->gathered);
    if (hold) {
        hf_reply_put_array(&unit->gathered, count);
        hf_buffer_append_slice(&unit->gathered,
                               hf_buffer_slice(&unit->replies));
    } else {
        hf_reply_put_nil_array(&unit->gathered);
    }
    if (unit->replies.failed || unit->gathered.failed ||
        unit->arguments.failed) {
        hf_unit_fail(unit, hf_no_memory_text);
    }
    *reply = hf_reply_nested(&unit->gathered);
}

void hf_unit_run(struct hf_unit *unit, const struct hf_command *command,
                 struct hf_reply *reply)
{
    if (hf_command_is_transaction(command)) {
        run_transaction(unit, command, reply);
    } else if (hf_command_is_step(command)) {
        hf_transfer_run(unit, command, reply);
    } else {
        hf_unit_call(unit, command, reply);
    }
    if (unit->failed != NULL) {
        *reply = hf_reply_error(unit->failed);
    }
}

struct hf_slice hf_unit_effects(const struct hf_unit *unit,
                                struct hf_slice *key)
{
    struct hf_slice all = hf_buffer_slice(&unit->effects);
    *key = (struct hf_slice){NULL, 0};
    if (unit->changes != 1) {
        return all;
    }
    struct hf_reader reader = hf_reader_of(all);
    struct hf_slice effects = {NULL, 0};
    if (!hf_effects_next_key(&reader, key, &effects)) {
        return all;
    }
    return effects;
}
