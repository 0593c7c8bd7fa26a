/* transfer_steps.c - What a primary does for a command on keys of several
 * partitions (core/transfers.h). Each step is a unit about one key. */
#include "core/commands.h"
#include "core/node_state.h"
#include "core/transaction.h"
#include "core/transfers.h"
#include "core/units.h"

static const char damaged_text[] = "ERR the step of the command is damaged";
static const char too_large_text[] =
    "ERR the session is larger than 25 MiB: it cannot go to another partition";
static const char replaced_large_text[] =
    "ERR the session under the new key is larger than 25 MiB: it could not be "
    "put back";

void hf_transfer_put_write(struct hf_buffer *out, enum hf_transfer_mode mode,
                           enum hf_notice notice, struct hf_slice version,
                           int64_t ttl_ms, struct hf_slice effects)
{
    hf_buffer_put_u8(out, (uint8_t)mode);
    hf_buffer_put_u8(out, (uint8_t)notice);
    hf_buffer_put_slice(out, version);
    hf_buffer_put_u64(out, (uint64_t)ttl_ms);
    hf_buffer_put_slice(out, effects);
}

void hf_transfer_put_drop(struct hf_buffer *out, struct hf_slice state,
                          struct hf_slice new_key)
{
    hf_buffer_put_slice(out, state);
    hf_buffer_put_slice(out, new_key);
}

void hf_transfer_put_undo(struct hf_buffer *out, struct hf_slice version,
                          int64_t ttl_ms, struct hf_slice effects)
{
    hf_buffer_put_slice(out, version);
    hf_buffer_put_u64(out, (uint64_t)ttl_ms);
    hf_buffer_put_slice(out, effects);
}

/* A step under way. */
struct step {
    struct hf_unit *unit;
    struct hf_apply apply;
    struct hf_slice key;
    uint32_t hash;
    const struct hf_session *entry; /* What is there: a session or NULL. */
    bool fenced;
};

static void change(struct step *step)
{
    if (step->apply.effects->failed) {
        hf_unit_fail(step->unit, hf_no_memory_text);
        return;
    }
    hf_unit_change(step->unit, step->key, step->hash,
                   hf_buffer_slice(step->apply.effects));
}

static void note(struct step *step, enum hf_notice notice, struct hf_slice key)
{
    if (hf_publishing_is_on(&step->unit->node->publishing)) {
        hf_node_note_event(step->unit->node, notice, key);
    }
}

/* The version that a write of the unit gets. */
static struct hf_version next_version(const struct hf_unit *unit)
{
    const struct hf_partition *partition =
        &unit->node->partitions[unit->partition];
    return (struct hf_version){unit->node->view->epoch,
                               partition->version.sequence + 1};
}

static struct hf_slice put_version(struct hf_buffer *out,
                                   struct hf_version version)
{
    hf_buffer_clear(out);
    hf_buffer_put_u64(out, version.epoch);
    hf_buffer_put_u64(out, version.sequence);
    return hf_buffer_slice(out);
}

/* Whether what is there is of the version that these bytes are. It needs no
 * memory: that there is none must not pass for something else being there. */
static bool is_of_version(const struct step *step, struct hf_slice version)
{
    struct hf_reader reader = hf_reader_of(version);
    uint64_t epoch = hf_reader_u64(&reader);
    uint64_t sequence = hf_reader_u64(&reader);
    if (step->entry == NULL || reader.failed) {
        return false;
    }
    struct hf_version is = hf_session_version(step->entry);
    return is.epoch == epoch && is.sequence == sequence;
}

static void run_read(struct step *step)
{
    struct hf_buffer *out = step->apply.scratch;
    struct hf_buffer *state = &step->unit->gathered;
    if (step->entry == NULL) {
        return;
    }
    hf_effects_of_session(step->apply.effects, step->entry, step->apply.now);
    if (step->apply.effects->size > HF_TRANSACTION_BYTES_MAX) {
        step->apply.reply = hf_reply_error(too_large_text);
        return;
    }
    hf_buffer_clear(state);
    hf_transaction_state(state, step->apply.epoch, step->apply.last_delete,
                         step->entry);
    hf_reply_put_array(out, 3);
    hf_reply_put_bulk(out, hf_buffer_slice(state));
    hf_reply_put_integer(out, hf_apply_time_left(&step->apply, step->entry));
    hf_reply_put_bulk(out, hf_buffer_slice(step->apply.effects));
    if (out->failed || state->failed || step->apply.effects->failed) {
        hf_unit_fail(step->unit, hf_no_memory_text);
    }
    step->apply.reply = hf_reply_nested(out);
}

/* The version that a write gets, and what it replaces. */
static void answer_replaced(struct step *step)
{
    struct hf_buffer *out = step->apply.scratch;
    struct hf_buffer effects;
    hf_buffer_init(&effects, step->unit->node->mem);
    hf_reply_put_array(out, step->entry == NULL ? 1 : 3);
    hf_reply_put_bulk(
        out, put_version(&step->unit->gathered, next_version(step->unit)));
    if (step->entry != NULL) {
        hf_effects_of_session(&effects, step->entry, step->apply.now);
        hf_reply_put_integer(out,
                             hf_apply_time_left(&step->apply, step->entry));
        hf_reply_put_bulk(out, hf_buffer_slice(&effects));
    }
    step->apply.reply = hf_reply_nested(out);
    if (effects.failed || out->failed) {
        hf_unit_fail(step->unit, hf_no_memory_text);
    } else if (effects.size > HF_TRANSACTION_BYTES_MAX) {
        hf_unit_fail(step->unit, replaced_large_text);
    }
    hf_buffer_close(&effects);
}

/* Whether they make a session. */
static bool effects_fit(int64_t ttl_ms, struct hf_slice effects)
{
    return effects.size > 0 && !hf_effects_of_partition(effects) &&
           !hf_effects_of_unit(effects) &&
           (ttl_ms > 0 || ttl_ms == HF_TTL_NONE);
}

static void put_session(struct step *step, int64_t ttl_ms,
                        struct hf_slice effects)
{
    hf_buffer_append_slice(step->apply.effects, effects);
    if (ttl_ms != HF_TTL_NONE) {
        hf_effects_expire(step->apply.effects, ttl_ms);
    }
}

static void run_write(struct step *step, struct hf_reader *reader)
{
    uint8_t mode = hf_reader_u8(reader);
    uint8_t notice = hf_reader_u8(reader);
    struct hf_slice mine = hf_reader_slice(reader);
    int64_t ttl_ms = (int64_t)hf_reader_u64(reader);
    struct hf_slice effects = hf_reader_slice(reader);
    if (reader->failed || !effects_fit(ttl_ms, effects) ||
        mode > HF_TRANSFER_KEEP || notice > HF_NOTICE_COUNT) {
        hf_unit_fail(step->unit, damaged_text);
        return;
    }
    if (step->fenced) {
        step->apply.reply = hf_reply_error(HF_FENCED_TEXT);
        return;
    }
    bool is_mine = mine.size > 0 && is_of_version(step, mine);
    if (mode == HF_TRANSFER_ONLY_NEW && step->entry != NULL && !is_mine) {
        return;
    }
    if (mode == HF_TRANSFER_KEEP && !is_mine) {
        answer_replaced(step);
    } else {
        step->apply.reply = hf_reply_bulk(
            put_version(&step->unit->gathered, next_version(step->unit)));
    }
    put_session(step, ttl_ms, effects);
    if (step->entry == NULL) {
        note(step, HF_NOTICE_NEW, step->key);
    }
    if (notice < HF_NOTICE_COUNT) {
        note(step, (enum hf_notice)notice, step->key);
    }
    change(step);
    if (step->unit->gathered.failed) {
        hf_unit_fail(step->unit, hf_no_memory_text);
    }
}

static void run_drop(struct step *step, struct hf_reader *reader)
{
    struct hf_slice state = hf_reader_slice(reader);
    struct hf_slice new_key = hf_reader_slice(reader);
    struct hf_buffer *now = &step->unit->gathered;
    hf_buffer_clear(now);
    hf_transaction_state(now, step->apply.epoch, step->apply.last_delete,
                         step->entry);
    step->apply.reply = hf_reply_integer(0);
    if (reader->failed || now->failed) {
        hf_unit_fail(step->unit,
                     now->failed ? hf_no_memory_text : damaged_text);
        return;
    }
    if (step->entry == NULL || (!hf_slice_equal(state, hf_buffer_slice(now)) &&
                                !HF_MUTATED(RENAME_DROPS_WHAT_CHANGED))) {
        return;
    }
    note(step, HF_NOTICE_RENAME_FROM, step->key);
    note(step, HF_NOTICE_RENAME_TO, new_key);
    if (hf_fence_rules_match(step->apply.fences, step->key)) {
        hf_effects_fence(step->apply.effects, step->apply.fences->lifetime_ms);
    } else {
        hf_effects_delete(step->apply.effects);
    }
    change(step);
    step->apply.reply = hf_reply_integer(1);
}

/* Without a fence: nobody knew the session by this key. */
static void run_undo(struct step *step, struct hf_reader *reader)
{
    struct hf_slice version = hf_reader_slice(reader);
    int64_t ttl_ms = (int64_t)hf_reader_u64(reader);
    struct hf_slice effects = hf_reader_slice(reader);
    step->apply.reply = hf_reply_integer(0);
    if (reader->failed || (effects.size > 0 && !effects_fit(ttl_ms, effects))) {
        hf_unit_fail(step->unit, damaged_text);
        return;
    }
    if (!is_of_version(step, version)) {
        return;
    }
    if (effects.size > 0) {
        put_session(step, ttl_ms, effects);
    } else {
        note(step, HF_NOTICE_DEL, step->key);
        hf_effects_delete(step->apply.effects);
    }
    change(step);
    step->apply.reply = hf_reply_integer(1);
}

void hf_transfer_run(struct hf_unit *unit, const struct hf_command *command,
                     struct hf_reply *reply)
{
    struct step step = {.unit = unit, .key = command->argv[1]};
    *reply = hf_reply_nil();
    if (step.key.size > HF_KEY_BYTES_MAX ||
        hf_partition_of_key(step.key) != unit->partition ||
        command->argv[2].size != 1) {
        hf_unit_fail(unit, damaged_text);
        return;
    }
    struct hf_reader reader = hf_reader_of(command->argv[3]);
    step.hash = hf_sessions_hash(step.key);
    step.entry = hf_unit_find(unit, step.key, step.hash, true);
    step.apply = hf_node_apply_context(unit->node, unit->partition);
    if (step.entry != NULL && hf_session_type(step.entry) == HF_SESSION_FENCE) {
        step.fenced = true;
        step.entry = NULL;
    }
    switch (command->argv[2].data[0]) {
    case HF_TRANSFER_LOOK:
        step.apply.reply =
            hf_reply_integer(step.entry != NULL || step.fenced ? 1 : 0);
        break;
    case HF_TRANSFER_READ:
        run_read(&step);
        break;
    case HF_TRANSFER_WRITE:
        run_write(&step, &reader);
        break;
    case HF_TRANSFER_DROP:
        run_drop(&step, &reader);
        break;
    case HF_TRANSFER_UNDO:
        run_undo(&step, &reader);
        break;
    default:
        hf_unit_fail(unit, damaged_text);
        break;
    }
    *reply = step.apply.reply;
}
