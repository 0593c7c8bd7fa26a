#include "support/steps.h"

#include <stdlib.h>
#include <string.h>

#define WALL_MS INT64_C(1700000000000) /* The Unix time at STEPS_NOW. */

int steps_open(void **state)
{
    static struct steps f;
    f = (struct steps){.now = STEPS_NOW};
    hf_rng_init(&f.rng, 1);
    failing_mem_init(&f.failing);
    assert_int_equal(hf_expiry_init(&f.expiry, &f.failing.mem), 0);
    hf_sessions_init(&f.sessions, &f.failing.mem, &f.expiry, 0);
    hf_buffer_init(&f.effects, &f.failing.mem);
    hf_buffer_init(&f.scratch, &f.failing.mem);
    hf_buffer_init(&f.tokens, &f.failing.mem);
    hf_buffer_init(&f.text, &f.failing.mem);
    hf_fence_rules_init(&f.fences);
    assert_true(hf_fence_rules_add(&f.fences, HF_SLICE_LITERAL("sess:")));
    *state = &f;
    return 0;
}

int steps_close(void **state)
{
    struct steps *f = *state;
    hf_sessions_clear(&f->sessions);
    hf_expiry_close(&f->expiry);
    hf_buffer_close(&f->effects);
    hf_buffer_close(&f->scratch);
    hf_buffer_close(&f->tokens);
    hf_buffer_close(&f->text);
    failing_mem_close(&f->failing);
    return 0;
}

uint32_t steps_split(const char *line, struct hf_slice *argv)
{
    uint32_t argc = 0;
    while (*line != '\0') {
        size_t size = strcspn(line, " ");
        assert_true(argc < STEPS_ARGUMENTS_MAX);
        argv[argc] = (struct hf_slice){(const uint8_t *)line, size};
        if (size == 2 && memcmp(line, "''", 2) == 0) {
            argv[argc].size = 0;
        }
        argc++;
        line += size;
        line += *line == ' ' ? 1 : 0;
    }
    return argc;
}

static void write_value(struct hf_buffer *text, struct hf_reader *reader);

static void write_values(struct hf_buffer *text, struct hf_reader *reader,
                         uint64_t count, const char *brackets)
{
    hf_buffer_append(text, &brackets[0], 1);
    for (uint64_t i = 0; i < count; i++) {
        if (i > 0) {
            hf_buffer_append_text(text, " ");
        }
        write_value(text, reader);
    }
    hf_buffer_append(text, &brackets[1], 1);
}

static void write_value(struct hf_buffer *text, struct hf_reader *reader)
{
    struct hf_token token;
    assert_true(hf_token_next(reader, &token));
    switch (token.kind) {
    case HF_TOKEN_NIL:
        hf_buffer_append_text(text, "nil");
        break;
    case HF_TOKEN_STATUS:
        hf_buffer_append_text(text, "+");
        break;
    case HF_TOKEN_ERROR:
        hf_buffer_append_text(text, "-");
        break;
    case HF_TOKEN_BULK:
        hf_buffer_append_text(text, "$");
        break;
    case HF_TOKEN_INTEGER:
        hf_buffer_append_text(text, ":");
        hf_buffer_append_int64(text, token.integer);
        break;
    case HF_TOKEN_ARRAY:
        write_values(text, reader, token.count, "[]");
        break;
    case HF_TOKEN_MAP:
        write_values(text, reader, 2 * (uint64_t)token.count, "{}");
        break;
    case HF_TOKEN_SET:
        write_values(text, reader, token.count, "<>");
        break;
    case HF_TOKEN_DOUBLE:
        hf_buffer_append_text(text, ",");
        break;
    case HF_TOKEN_PAIRS:
        write_values(text, reader, token.count, "[]");
        break;
    case HF_TOKEN_PAIR:
        write_values(text, reader, 2, "()");
        break;
    case HF_TOKEN_NIL_ARRAY:
        hf_buffer_append_text(text, "nil array");
        break;
    case HF_TOKEN_VERBATIM:
    case HF_TOKEN_PUSH:
        fail_msg("no command replies this");
    }
    hf_buffer_append_slice(text, token.bytes);
}

static bool has_key(const struct hf_command *command)
{
    return command->row->route == HF_ROUTE_KEY ||
           command->row->route == HF_ROUTE_KEYS;
}

/* Applies the effects as a node would, before the reply is looked at: a reply
 * that borrows from the old session is then found by the sanitizers. */
static void apply_effects(struct steps *f, const struct hf_command *command)
{
    struct hf_slice key = {NULL, 0};
    if (has_key(command)) {
        key = command->argv[1];
    }
    int rv = hf_sessions_apply(&f->sessions, key, hf_sessions_hash(key),
                               (struct hf_version){1, 1},
                               hf_buffer_slice(&f->effects), f->now);
    assert_int_equal(rv, 0);
}

/* No apply function ever sees an expired session. */
static void drop_expired(struct steps *f, const struct hf_command *command)
{
    if (!has_key(command)) {
        return;
    }
    struct hf_slice key = command->argv[1];
    uint32_t hash = hf_sessions_hash(key);
    struct hf_session *session =
        hf_sessions_find_entry(&f->sessions, key, hash);
    if (session != NULL && hf_session_deadline(session) <= f->now) {
        hf_effects_delete(&f->effects);
        apply_effects(f, command);
        hf_buffer_clear(&f->effects);
    }
}

struct hf_apply steps_apply(struct steps *f)
{
    hf_buffer_clear(&f->effects);
    hf_buffer_clear(&f->scratch);
    return (struct hf_apply){.sessions = &f->sessions,
                             .now = f->now,
                             .wall_ms = WALL_MS + f->now - STEPS_NOW,
                             .value_bytes_max = STEPS_VALUE_BYTES_MAX,
                             .fences = &f->fences,
                             .effects = &f->effects,
                             .scratch = &f->scratch,
                             .rng = &f->rng};
}

void steps_ask(struct steps *f, const char *line, int *effects)
{
    struct hf_slice argv[STEPS_ARGUMENTS_MAX];
    struct hf_command command = {.argc = steps_split(line, argv), .argv = argv};
    command.row = hf_command_find(argv[0]);
    assert_non_null(command.row);
    assert_true(hf_command_arity_fits(command.row, command.argc));
    struct hf_apply apply = steps_apply(f);
    drop_expired(f, &command);
    if (!has_key(&command)) {
        command.row->apply(&apply, &command);
    } else {
        hf_apply_find(&apply, &command);
        hf_command_apply(&apply, &command);
    }
    assert_false(f->effects.failed);
    *effects = f->effects.size > 0 ? WRITES : READS;
    if (*effects == WRITES) {
        assert_true((command.row->flags & HF_COMMAND_WRITE) != 0);
        if (has_key(&command) && apply.notice_count == 0) {
            fail_msg("subscribers are not told: hf_apply_notice");
        }
        apply_effects(f, &command);
    }
    hf_buffer_clear(&f->tokens);
    hf_buffer_clear(&f->text);
    hf_reply_encode(&apply.reply, &f->tokens);
    struct hf_reader reader = hf_reader_of(hf_buffer_slice(&f->tokens));
    write_value(&f->text, &reader);
    assert_int_equal(hf_reader_left(&reader), 0);
    hf_buffer_put_u8(&f->text, 0);
}

void steps_run(struct steps *f, const struct step *steps, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int effects;
        if (strncmp(steps[i].command, "WAIT ", 5) == 0) {
            f->now += strtol(steps[i].command + 5, NULL, 10);
            continue;
        }
        steps_ask(f, steps[i].command, &effects);
        if (strcmp((const char *)f->text.data, steps[i].reply) != 0 ||
            effects != steps[i].effects) {
            fail_msg("step %u, %s: replied %s%s", (unsigned)i, steps[i].command,
                     (const char *)f->text.data,
                     effects == WRITES ? ", with effects" : "");
        }
    }
}
