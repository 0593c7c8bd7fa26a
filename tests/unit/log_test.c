#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/log.h"

struct lines {
    unsigned count;
    enum hf_log_level level; /* Of the last line. */
    char text[2000];
};

static void on_line(void *user, enum hf_log_level level, const char *text)
{
    struct lines *lines = user;
    assert_true(strlen(text) < sizeof(lines->text));
    lines->count++;
    lines->level = level;
    memcpy(lines->text, text, strlen(text) + 1);
}

static void a_line_is_formatted_and_handed_over(void **state)
{
    (void)state;
    struct lines lines = {0};
    struct hf_log log = {on_line, &lines, HF_LOG_INFO};

    hf_log(&log, HF_LOG_WARNING, "%s died after %d ms", "n2", 1200);

    assert_int_equal(lines.count, 1);
    assert_int_equal(lines.level, HF_LOG_WARNING);
    assert_string_equal(lines.text, "n2 died after 1200 ms");
}

static void lines_below_the_level_are_left_out(void **state)
{
    (void)state;
    for (int wanted = HF_LOG_DEBUG; wanted <= HF_LOG_ERROR; wanted++) {
        struct lines lines = {0};
        struct hf_log log = {on_line, &lines, (enum hf_log_level)wanted};
        for (int level = HF_LOG_DEBUG; level <= HF_LOG_ERROR; level++) {
            hf_log(&log, (enum hf_log_level)level, "line");
        }
        assert_int_equal(lines.count, HF_LOG_ERROR - wanted + 1);
    }
}

static void without_a_writer_nothing_is_written(void **state)
{
    (void)state;
    struct hf_log log = {0};
    hf_log(&log, HF_LOG_ERROR, "nobody reads %s", "this");
}

static void a_long_line_is_cut(void **state)
{
    (void)state;
    struct lines lines = {0};
    struct hf_log log = {on_line, &lines, HF_LOG_DEBUG};
    char text[1500];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';

    hf_log(&log, HF_LOG_INFO, "%s", text);
    assert_int_equal(strlen(lines.text), 1023);
    assert_memory_equal(lines.text, text, 1023);

    text[1023] = '\0';
    hf_log(&log, HF_LOG_INFO, "%s", text);
    assert_string_equal(lines.text, text);
}

static void every_level_has_a_name(void **state)
{
    (void)state;
    assert_string_equal(hf_log_level_name(HF_LOG_DEBUG), "debug");
    assert_string_equal(hf_log_level_name(HF_LOG_INFO), "info");
    assert_string_equal(hf_log_level_name(HF_LOG_WARNING), "warning");
    assert_string_equal(hf_log_level_name(HF_LOG_ERROR), "error");
    assert_string_equal(
        hf_log_level_name((enum hf_log_level)(HF_LOG_ERROR + 1)), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_formatted_and_handed_over),
        cmocka_unit_test(lines_below_the_level_are_left_out),
        cmocka_unit_test(without_a_writer_nothing_is_written),
        cmocka_unit_test(a_long_line_is_cut),
        cmocka_unit_test(every_level_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
