/* A node that runs short of memory, at every point where it could: each answer
 * is right or says OOM, what was refused did not happen, what was acknowledged
 * stays, and later everything works again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "core/node_state.h"
#include "support/failing_mem.h"
#include "support/lone_node.h"

#define SCRIPT_LENGTH 100
#define KEY_COUNT 6
#define VALUE_BYTES_MAX 64

/* Several keys in each of few partitions, so that they meet. */
static const char *const keys[KEY_COUNT] = {"{a}1", "{a}2", "{a}3",
                                            "{b}1", "{b}2", "{c}1"};

/* What one session should be. */
struct entry {
    char value[VALUE_BYTES_MAX]; /* Empty: there is none. */
    hf_time deadline;
};

struct fixture {
    struct failing_mem failing;
    struct hf_node_config config;
    struct lone_node lone;
    struct entry model[KEY_COUNT];
    struct hf_rng rng;
    unsigned refused;
    unsigned written; /* Values given out; each is new. */
};

static struct fixture f; /* Too large for a stack. */

static void open_node(void)
{
    memset(&f.model, 0, sizeof(f.model));
    failing_mem_init(&f.failing);
    lone_node_config(&f.config);
    assert_int_equal(lone_node_open(&f.lone, &f.config, &f.failing.mem), 0);
    hf_rng_init(&f.rng, 1);
    f.refused = 0;
    f.written = 0;
}

static void close_node(void)
{
    lone_node_close(&f.lone);
    failing_mem_close(&f.failing);
}

/* After a test that failed half-way. */
static int close_leftover(void **state)
{
    (void)state;
    if (f.lone.node != NULL) {
        lone_node_close(&f.lone);
    }
    return 0;
}

static struct entry *model_at(size_t key)
{
    struct entry *entry = &f.model[key];
    if (entry->deadline <= f.lone.now) {
        entry->value[0] = '\0';
    }
    return entry;
}

static void model_set(size_t key, const char *value, hf_time deadline)
{
    struct entry *entry = &f.model[key];
    (void)snprintf(entry->value, sizeof(entry->value), "%s", value);
    entry->deadline = deadline;
}

static const char *value_or_nil(size_t key)
{
    const struct entry *entry = model_at(key);
    return entry->value[0] == '\0' ? "(nil)" : entry->value;
}

static bool exists(size_t key)
{
    return model_at(key)->value[0] != '\0';
}

/* With somebody else's command held, none is carried out without a request, a
 * record and an operation, as one is that goes to copies. */
static const char *ask_the_long_way(const char *line)
{
    f.lone.node->held_count++;
    const char *answer = lone_node_ask(&f.lone, line);
    f.lone.node->held_count--;
    return answer;
}

/* Nothing waits on a lone node: there must be an answer at once. */
static bool ask(const char *line, const char *expected)
{
    const char *answer = hf_rng_chance(&f.rng, 1, 2)
                             ? ask_the_long_way(line)
                             : lone_node_ask(&f.lone, line);
    if (strncmp(answer, "(error) OOM ", 12) == 0) {
        assert_true(f.failing.failed);
        f.refused++;
        return false;
    }
    if (strcmp(answer, expected) != 0) {
        print_error("%s: '%s' instead of '%s'\n", line, answer, expected);
    }
    assert_string_equal(answer, expected);
    return true;
}

/* Asks with memory for once. */
static const char *ask_surely(const char *line)
{
    struct failing_mem failing = f.failing;
    failing_mem_fail_nth(&f.failing, 0);
    const char *answer = lone_node_ask(&f.lone, line);
    if (failing.failed && failing.fail_always) {
        failing_mem_fail_from(&f.failing, 1);
    }
    f.failing.failed = failing.failed;
    return answer;
}

/* A command on several keys was refused: each may have been carried out. */
static void resolve(size_t key, const char *value)
{
    char line[64];
    (void)snprintf(line, sizeof(line), "GET %s", keys[key]);
    const char *answer = ask_surely(line);
    if (strcmp(answer, value_or_nil(key)) != 0) {
        assert_string_equal(answer, value[0] == '\0' ? "(nil)" : value);
        model_set(key, value, HF_NEVER);
    }
}

/* Commands. */

static const char *new_value(void)
{
    static char value[VALUE_BYTES_MAX];
    unsigned length = (unsigned)hf_rng_below(&f.rng, 40);
    (void)snprintf(value, sizeof(value), "v%u-%.*s", f.written++, (int)length,
                   "........................................");
    return value;
}

static void do_set(size_t key)
{
    char line[160];
    const char *value = new_value();
    int64_t ttl = 5 + (int64_t)hf_rng_below(&f.rng, 60);
    bool expires = hf_rng_chance(&f.rng, 1, 2);
    int length = snprintf(line, sizeof(line), "SET %s %s", keys[key], value);
    if (expires) {
        (void)snprintf(line + length, sizeof(line) - (size_t)length, " PX %d",
                       (int)ttl);
    }
    if (ask(line, "OK")) {
        model_set(key, value, expires ? f.lone.now + ttl : HF_NEVER);
    }
}

static void do_setnx(size_t key)
{
    char line[160];
    const char *value = new_value();
    bool there = exists(key);
    (void)snprintf(line, sizeof(line), "SETNX %s %s", keys[key], value);
    if (ask(line, there ? "0" : "1") && !there) {
        model_set(key, value, HF_NEVER);
    }
}

static void do_append(size_t key)
{
    char line[160];
    char expected[16];
    char value[VALUE_BYTES_MAX + 1];
    struct entry *entry = model_at(key);
    if (strlen(entry->value) + 2 > sizeof(entry->value)) {
        return;
    }
    hf_time deadline = exists(key) ? entry->deadline : HF_NEVER;
    (void)snprintf(value, sizeof(value), "%sx", entry->value);
    (void)snprintf(line, sizeof(line), "APPEND %s x", keys[key]);
    (void)snprintf(expected, sizeof(expected), "%zu", strlen(value));
    if (ask(line, expected)) {
        model_set(key, value, deadline);
    }
}

static void do_get(size_t key)
{
    char line[64];
    (void)snprintf(line, sizeof(line), "GET %s", keys[key]);
    (void)ask(line, value_or_nil(key));
}

static void do_getdel(size_t key)
{
    char line[64];
    (void)snprintf(line, sizeof(line), "GETDEL %s", keys[key]);
    if (ask(line, value_or_nil(key))) {
        model_set(key, "", 0);
    }
}

static void do_del(size_t key)
{
    char line[64];
    (void)snprintf(line, sizeof(line), "DEL %s", keys[key]);
    if (ask(line, exists(key) ? "1" : "0")) {
        model_set(key, "", 0);
    }
}

static void do_del_two(size_t one, size_t two)
{
    char line[64];
    const char *expected = exists(one) && exists(two)   ? "2"
                           : exists(one) || exists(two) ? "1"
                                                        : "0";
    (void)snprintf(line, sizeof(line), "DEL %s %s", keys[one], keys[two]);
    if (ask(line, expected)) {
        model_set(one, "", 0);
        model_set(two, "", 0);
    } else {
        resolve(one, "");
        resolve(two, "");
    }
}

static void do_mset(size_t one, size_t two)
{
    char line[160];
    char first[VALUE_BYTES_MAX];
    (void)snprintf(first, sizeof(first), "%s", new_value());
    const char *second = new_value();
    (void)snprintf(line, sizeof(line), "MSET %s %s %s %s", keys[one], first,
                   keys[two], second);
    if (ask(line, "OK")) {
        model_set(one, first, HF_NEVER);
        model_set(two, second, HF_NEVER);
    } else {
        resolve(one, first);
        resolve(two, second);
    }
}

static void do_mget(size_t one, size_t two)
{
    char line[64];
    char expected[2 * VALUE_BYTES_MAX + 8];
    (void)snprintf(line, sizeof(line), "MGET %s %s", keys[one], keys[two]);
    (void)snprintf(expected, sizeof(expected), "[%s %s]", value_or_nil(one),
                   value_or_nil(two));
    (void)ask(line, expected);
}

static void do_flush(void)
{
    if (ask("FLUSHALL", "OK")) {
        memset(&f.model, 0, sizeof(f.model));
        return;
    }
    for (size_t key = 0; key < KEY_COUNT; key++) {
        resolve(key, "");
    }
}

/* Those count what expired and was not cleared away yet, too. */
static void do_count(void)
{
    const char *answer = lone_node_ask(&f.lone, "DBSIZE");
    if (strncmp(answer, "(error) OOM ", 12) == 0) {
        f.refused++;
        return;
    }
    unsigned live = 0;
    for (size_t key = 0; key < KEY_COUNT; key++) {
        live += exists(key) ? 1 : 0;
    }
    assert_in_range(strtoul(answer, NULL, 10), live, KEY_COUNT);
}

static void do_scan(void)
{
    const char *answer = lone_node_ask(&f.lone, "SCAN 0 COUNT 5000");
    if (strncmp(answer, "(error) OOM ", 12) == 0) {
        f.refused++;
        return;
    }
    for (size_t key = 0; key < KEY_COUNT; key++) {
        assert_int_equal(strstr(answer, keys[key]) != NULL, exists(key));
    }
}

static void do_any(void)
{
    size_t one = hf_rng_below(&f.rng, KEY_COUNT);
    size_t two = (one + 1 + hf_rng_below(&f.rng, KEY_COUNT - 1)) % KEY_COUNT;
    switch (hf_rng_below(&f.rng, 20)) {
    case 0:
        do_flush();
        break;
    case 1:
        do_count();
        break;
    case 2:
        do_scan();
        break;
    case 3:
    case 4:
        do_mset(one, two);
        break;
    case 5:
        do_mget(one, two);
        break;
    case 6:
        do_del_two(one, two);
        break;
    case 7:
        do_del(one);
        break;
    case 8:
        do_getdel(one);
        break;
    case 9:
    case 10:
        do_append(one);
        break;
    case 11:
    case 12:
        do_setnx(one);
        break;
    case 13:
    case 14:
        do_get(one);
        break;
    default:
        do_set(one);
        break;
    }
}

static void run_script(void)
{
    for (unsigned i = 0; i < SCRIPT_LENGTH; i++) {
        f.lone.now += (hf_time)hf_rng_below(&f.rng, 15);
        if (hf_rng_chance(&f.rng, 1, 4)) {
            lone_node_tick(&f.lone, 0);
        }
        do_any();
        if (f.lone.answered == f.lone.asked) {
            lone_node_forget(&f.lone);
        }
    }
}

/* There is memory again: all is as it was acknowledged. */
static void expect_recovered(void)
{
    failing_mem_fail_nth(&f.failing, 0);
    for (size_t key = 0; key < KEY_COUNT; key++) {
        do_get(key);
        do_set(key);
        do_get(key);
        do_del(key);
        do_get(key);
    }
    assert_string_equal(lone_node_ask(&f.lone, "DBSIZE"), "0");
    assert_string_equal(lone_node_ask(&f.lone, "SCAN 0 COUNT 5000"), "[0 []]");
    assert_string_equal(lone_node_ask(&f.lone, "FLUSHALL"), "OK");
}

/* FLUSHALL takes a thousand steps that are alike: some of them will do. */
#define MANY 400
#define ALIKE 211

static void any_one_allocation_may_fail(void **state)
{
    (void)state;
    unsigned refused = 0;
    unsigned runs = 0;
    bool failed;
    uint64_t nth = 0;
    do {
        open_node();
        nth += nth < MANY ? 1 : ALIKE;
        failing_mem_fail_nth(&f.failing, nth);
        lone_node_start(&f.lone);
        run_script();
        failed = f.failing.failed;
        expect_recovered();
        refused += f.refused;
        runs++;
        close_node();
    } while (failed);
    assert_true(nth > 3 * SCRIPT_LENGTH);
    assert_true(refused > runs / 2);
}

static void all_allocations_from_one_on_may_fail(void **state)
{
    (void)state;
    bool failed;
    uint64_t nth = 1;
    do {
        open_node();
        failing_mem_fail_from(&f.failing, nth);
        lone_node_start(&f.lone);
        run_script();
        failed = f.failing.failed;
        expect_recovered();
        close_node();
        nth += nth < MANY ? 3 : 2 * ALIKE;
    } while (failed);
    assert_true(nth > 3 * SCRIPT_LENGTH);
}

static void without_failures_nothing_is_refused(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        open_node();
        hf_rng_init(&f.rng, seed);
        lone_node_start(&f.lone);
        for (unsigned i = 0; i < 10; i++) {
            run_script();
        }
        assert_int_equal(f.refused, 0);
        expect_recovered();
        close_node();
    }
}

/* Its client was told that it did not happen. If it were remembered, a
 * repetition would be told that it did. */
static void a_refused_write_is_not_remembered_as_done(void **state)
{
    (void)state;
    bool failed;
    uint64_t nth = 0;
    do {
        open_node();
        lone_node_start(&f.lone);
        failing_mem_fail_nth(&f.failing, ++nth);
        failed = strcmp(ask_the_long_way("SET {a}1 v"), "OK") != 0;
        struct hf_operation_id id = {f.config.self.incarnation,
                                     f.lone.node->request_next - 1};
        bool remembered =
            hf_operations_find(&f.lone.node->operations, id) != NULL;
        assert_int_equal(remembered, !failed);
        close_node();
    } while (failed);
    assert_true(nth > 5);
}

/* The same for a write that changes nothing but has a long answer: whoever
 * repeats it must get that answer. */
static void a_remembered_answer_is_whole(void **state)
{
    (void)state;
    static const char value[] =
        "........................................................"
        "........................................................";
    char line[160];
    (void)snprintf(line, sizeof(line), "SET {a}1 %s", value);
    bool failed;
    uint64_t nth = 0;
    do {
        open_node();
        lone_node_start(&f.lone);
        assert_true(ask(line, "OK"));
        failing_mem_fail_nth(&f.failing, ++nth);
        (void)ask_the_long_way("GETEX {a}1");
        failed = f.failing.failed;
        struct hf_operation_id id = {f.config.self.incarnation,
                                     f.lone.node->request_next - 1};
        const struct hf_operation *known =
            hf_operations_find(&f.lone.node->operations, id);
        struct hf_reply reply;
        assert_true(known == NULL || hf_reply_decode(known->reply, &reply));
        close_node();
    } while (failed);
    assert_true(nth > 2);
}

/* A write found its session expired: that is a write of its own. It must not
 * stay half done when there is no memory for the second. */
static void an_expiry_before_a_refused_write_is_finished(void **state)
{
    (void)state;
    static const char *const lines[] = {"SET {a}1 w", "SETNX {a}1 w",
                                        "GETDEL {a}1", "GET {a}1",
                                        "APPEND {a}1 w"};
    for (size_t i = 0; i < HF_ARRAY_COUNT(lines); i++) {
        uint64_t nth = 0;
        do {
            open_node();
            lone_node_start(&f.lone);
            (void)lone_node_ask(&f.lone, "SET {a}1 v PX 10");
            f.lone.now += 10;
            failing_mem_fail_nth(&f.failing, ++nth);
            (void)lone_node_ask(&f.lone, lines[i]);
            bool failed = f.failing.failed;
            failing_mem_fail_nth(&f.failing, 0);
            assert_string_equal(lone_node_ask(&f.lone, "GET {a}2"), "(nil)");
            assert_string_equal(lone_node_ask(&f.lone, "SET {a}2 v"), "OK");
            close_node();
            if (!failed) {
                break;
            }
        } while (nth < 100);
        assert_in_range(nth, 2, 99);
    }
}

int main(void)
{
#define CASE(name) cmocka_unit_test_teardown(name, close_leftover)
    const struct CMUnitTest tests[] = {
        CASE(without_failures_nothing_is_refused),
        CASE(any_one_allocation_may_fail),
        CASE(all_allocations_from_one_on_may_fail),
        CASE(a_refused_write_is_not_remembered_as_done),
        CASE(a_remembered_answer_is_whole),
        CASE(an_expiry_before_a_refused_write_is_finished),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
