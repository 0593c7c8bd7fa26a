/* reply_bounds_test.c - A small command must not cost a node its memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/failing_mem.h"
#include "support/lone_node.h"

#define VALUE_BYTES ((size_t)3 << 20)
#define TIMES 15 /* Over 32 MiB in all. */
#define TOO_LARGE "(error) ERR the answer would be larger than 32 MiB"

static struct failing_mem failing;
static struct lone_node lone;

static int open_lone(void **state)
{
    (void)state;
    struct hf_node_config config;
    failing_mem_init(&failing);
    lone_node_config(&config);
    assert_int_equal(lone_node_open(&lone, &config, &failing.mem), 0);
    lone_node_start(&lone);
    return 0;
}

static int close_lone(void **state)
{
    (void)state;
    lone_node_close(&lone);
    failing_mem_close(&failing);
    return 0;
}

/* Asks "@before" and then a value of VALUE_BYTES. */
static void ask_with_value(const char *before)
{
    size_t size = strlen(before);
    char *line = malloc(size + VALUE_BYTES + 1);
    assert_non_null(line);
    memcpy(line, before, size);
    memset(line + size, 'v', VALUE_BYTES);
    line[size + VALUE_BYTES] = '\0';
    (void)lone_node_ask(&lone, line);
    free(line);
}

/* Asks @command and then @word TIMES times. */
static const char *ask_repeated(const char *command, const char *word)
{
    char line[256];
    strcpy(line, command);
    for (unsigned i = 0; i < TIMES - 1; i++) {
        strcat(line, " ");
        strcat(line, word);
    }
    return lone_node_ask(&lone, line);
}

/* What is kept while the answer is made may not grow with what is asked. */
static void expect_refused(const char *command, const char *word)
{
    size_t before = failing.mem.used_bytes;
    assert_string_equal(ask_repeated(command, word), TOO_LARGE);
    lone_node_forget(&lone);
    assert_true(failing.mem.used_bytes < before + ((size_t)70 << 20));
    assert_string_equal(lone_node_ask(&lone, "PTTL k"), "-1");
}

static void mget_of_too_much_is_an_error(void **state)
{
    (void)state;
    ask_with_value("SET k ");
    assert_string_equal(lone_node_ask(&lone, "STRLEN k"), "3145728");
    expect_refused("MGET", "k");
}

static void hmget_of_too_much_is_an_error(void **state)
{
    (void)state;
    ask_with_value("HSET h f ");
    ask_with_value("SET k ");
    expect_refused("HMGET h", "f");
}

/* All keys that there are take more than an answer may. */
static void pages_of_too_much_are_an_error(void **state)
{
    enum { KEYS = 4300, NAME_BYTES = 8000 };
    static char line[NAME_BYTES + 32];
    (void)state;
    for (unsigned i = 0; i < KEYS; i++) {
        int size = snprintf(line, sizeof(line), "SET %u:", i);
        memset(line + size, 'k', NAME_BYTES);
        strcpy(line + size + NAME_BYTES, " v");
        assert_string_equal(lone_node_ask(&lone, line), "OK");
        lone_node_forget(&lone);
    }
    size_t before = failing.mem.used_bytes;
    assert_string_equal(lone_node_ask(&lone, "SCAN 0 COUNT 1000000"),
                        TOO_LARGE);
    assert_int_equal(
        strlen(lone_node_ask(&lone, "SCAN 0 COUNT 1000000 MATCH 7:*")),
        strlen("[0 [7:]]") + NAME_BYTES);
    lone_node_forget(&lone);
    assert_true(failing.mem.used_bytes < before + ((size_t)40 << 20));
    const char *page = lone_node_ask(&lone, "SCAN 0 COUNT 100");
    assert_true(strlen(page) > 10 * NAME_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(mget_of_too_much_is_an_error, open_lone,
                                        close_lone),
        cmocka_unit_test_setup_teardown(hmget_of_too_much_is_an_error,
                                        open_lone, close_lone),
        cmocka_unit_test_setup_teardown(pages_of_too_much_are_an_error,
                                        open_lone, close_lone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
