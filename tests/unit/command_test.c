#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "core/command.h"
#include "core/effects.h"
#include "core/expiry.h"
#include "support/steps.h"

/* ---- The table of commands ---------------------------------------------- */

static void every_row_is_found_by_its_name(void **state)
{
    (void)state;
    size_t count = 0;
    const struct hf_command_row *row;
    for (; (row = hf_command_at(count)) != NULL; count++) {
        char lower[32];
        size_t size = strlen(row->name);
        for (size_t i = 0; i <= size; i++) {
            char c = row->name[i];
            lower[i] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
        }
        assert_ptr_equal(hf_command_find(hf_slice_text(row->name)), row);
        assert_ptr_equal(hf_command_find(hf_slice_text(lower)), row);
        assert_int_equal(hf_command_index(row), count);
        bool applied =
            row->route != HF_ROUTE_CONNECTION && row->route != HF_ROUTE_NODE &&
            row->route != HF_ROUTE_SCAN && row->route != HF_ROUTE_WALK &&
            row->route != HF_ROUTE_SUBSCRIBERS && row->route != HF_ROUTE_SCRIPT;
        assert_int_equal(row->apply != NULL, applied);
        assert_int_equal(row->key_step != 0, row->key_first != 0);
        bool keys = row->route == HF_ROUTE_KEY || row->route == HF_ROUTE_KEYS;
        assert_true(!keys || row->key_first > 0);
        assert_true(row->route != HF_ROUTE_KEY ||
                    row->key_last == row->key_first);
    }
    assert_int_equal(count, 153);
}

static void other_names_are_not_found(void **state)
{
    (void)state;
    const char *names[] = {"",      "GE",   "GETT", "A",  "ZAD",
                           "HSETX", "SE T", "get ", "{}", "~"};
    for (size_t i = 0; i < HF_ARRAY_COUNT(names); i++) {
        assert_null(hf_command_find(hf_slice_text(names[i])));
    }
    assert_null(hf_command_find(HF_SLICE_LITERAL("GET\0")));
    assert_null(hf_command_find(HF_SLICE_LITERAL("\xff")));
}

static bool arity_fits(const char *name, uint32_t argc)
{
    return hf_command_arity_fits(hf_command_find(hf_slice_text(name)), argc);
}

static void arity_is_checked(void **state)
{
    (void)state;
    assert_true(arity_fits("GET", 2));
    assert_false(arity_fits("GET", 1));
    assert_false(arity_fits("GET", 3));
    assert_true(arity_fits("DEL", 2));
    assert_true(arity_fits("DEL", 5));
    assert_false(arity_fits("DEL", 1));
    assert_true(arity_fits("MSET", 5));
    assert_false(arity_fits("MSET", 4));
    assert_false(arity_fits("MSET", 1));
    assert_true(arity_fits("PING", 1));
    assert_true(arity_fits("HSET", 5)); /* Its apply function says why not. */
}

/* ---- SCAN --------------------------------------------------------------- */

static bool parse_scan(const char *line, struct hf_scan_options *options,
                       struct hf_reply *error)
{
    struct hf_slice argv[STEPS_ARGUMENTS_MAX];
    struct hf_command command = {.argc = steps_split(line, argv), .argv = argv};
    return hf_scan_parse(&command, options, error);
}

static void scan_options_are_read(void **state)
{
    (void)state;
    struct hf_scan_options options;
    struct hf_reply error;
    assert_true(parse_scan("SCAN 0", &options, &error));
    assert_int_equal(options.cursor, 0);
    assert_int_equal(options.count, 10);
    assert_null(options.match.data);
    assert_int_equal(options.type, 0);

    assert_true(parse_scan("SCAN 18446744073709551615 count 7 match s:* "
                           "TYPE hash",
                           &options, &error));
    assert_true(options.cursor == UINT64_MAX);
    assert_int_equal(options.count, 7);
    assert_true(hf_slice_equal(options.match, HF_SLICE_LITERAL("s:*")));
    assert_int_equal(options.type, HF_SESSION_HASH);
    assert_false(options.type_unknown);

    assert_true(parse_scan("SCAN 1 TYPE stream", &options, &error));
    assert_true(options.type_unknown);
    assert_true(parse_scan("SCAN 1 TYPE stream TYPE string", &options, &error));
    assert_false(options.type_unknown);
}

static void wrong_scan_options_are_refused(void **state)
{
    (void)state;
    const struct {
        const char *line;
        const char *error;
    } examples[] = {
        {"SCAN x", "ERR invalid cursor"},
        {"SCAN ''", "ERR invalid cursor"},
        {"SCAN -", "ERR invalid cursor"},
        {"SCAN --1", "ERR invalid cursor"},
        {"SCAN 18446744073709551616", "ERR invalid cursor"},
        {"SCAN 0 COUNT", "ERR syntax error"},
        {"SCAN 0 COUNT 0", "ERR syntax error"},
        {"SCAN 0 COUNT -1", "ERR syntax error"},
        {"SCAN 0 COUNT x", "ERR value is not an integer or out of range"},
        {"SCAN 0 FOO x", "ERR syntax error"},
        {"SCAN 0 MATCH", "ERR syntax error"},
    };
    for (size_t i = 0; i < HF_ARRAY_COUNT(examples); i++) {
        struct hf_scan_options options;
        struct hf_reply error;
        assert_false(parse_scan(examples[i].line, &options, &error));
        assert_int_equal(error.kind, HF_REPLY_ERROR);
        assert_true(
            hf_slice_equal(error.bytes, hf_slice_text(examples[i].error)));
    }
}

static const struct hf_session *make(struct hf_sessions *sessions,
                                     struct hf_slice key, bool hash)
{
    struct hf_buffer effects;
    hf_buffer_init(&effects, sessions->mem);
    if (hash) {
        hf_effects_field(&effects, key, key);
    } else {
        hf_effects_put(&effects, key, 1000);
    }
    uint32_t key_hash = hf_sessions_hash(key);
    assert_int_equal(hf_sessions_apply(sessions, key, key_hash,
                                       (struct hf_version){1, 1},
                                       hf_buffer_slice(&effects), 0),
                     0);
    hf_buffer_close(&effects);
    return hf_sessions_find(sessions, key, key_hash);
}

static bool reports(const char *line, const struct hf_session *session,
                    hf_time now)
{
    struct hf_scan_options options;
    struct hf_reply error;
    assert_true(parse_scan(line, &options, &error));
    return hf_scan_matches(&options, session, now);
}

static void scan_reports_what_was_asked_for(void **state)
{
    (void)state;
    struct hf_mem mem;
    struct hf_expiry expiry;
    struct hf_sessions sessions;
    hf_mem_init_system(&mem);
    assert_int_equal(hf_expiry_init(&expiry, &mem), 0);
    hf_sessions_init(&sessions, &mem, &expiry, 0);
    const struct hf_session *string =
        make(&sessions, HF_SLICE_LITERAL("string"), false);
    const struct hf_session *hash =
        make(&sessions, HF_SLICE_LITERAL("hash"), true);

    assert_true(reports("SCAN 0", string, 999));
    assert_false(reports("SCAN 0", string, 1000));
    assert_true(reports("SCAN 0", hash, 1000));
    assert_true(reports("SCAN 0 MATCH s*", string, 0));
    assert_false(reports("SCAN 0 MATCH s*", hash, 0));
    assert_false(reports("SCAN 0 MATCH ''", hash, 0));
    assert_true(reports("SCAN 0 TYPE Hash", hash, 0));
    assert_false(reports("SCAN 0 TYPE hash", string, 0));
    assert_false(reports("SCAN 0 TYPE list", string, 0));

    hf_sessions_clear(&sessions);
    hf_expiry_close(&expiry);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_found_by_its_name),
        cmocka_unit_test(other_names_are_not_found),
        cmocka_unit_test(arity_is_checked),
        cmocka_unit_test(scan_options_are_read),
        cmocka_unit_test(wrong_scan_options_are_refused),
        cmocka_unit_test(scan_reports_what_was_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
