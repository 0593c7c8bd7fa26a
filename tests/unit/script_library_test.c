/* How a node comes to know scripts, with a stand-in for the node: what it is
 * asked for is noted, and answered when the test says so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "script/library.h"
#include "support/describe.h"
#include "support/failing_mem.h"

#define BODY "return redis.call('get', KEYS[1])"
#define SUM "4e6d8fc8bb01276962cce5371fa795a7763657ae"
#define NOSCRIPT "(error) NOSCRIPT No matching script. Please use EVAL."
#define EVAL_BODY "EVAL " BODY " 1 k"

struct world {
    struct failing_mem mem;
    struct hf_mem *system;
    struct hf_lua *lua;
    struct hf_library *library;
    struct hf_buffer asked;   /* Of the node, for clients: one line each. */
    struct hf_buffer own;     /* The same, of the library itself. */
    struct hf_buffer answers; /* To clients. */
    struct hf_buffer text;
    struct hf_buffer own_script; /* Of the last one of these. */
    uint64_t own_tag;            /* Of the last one of these. */
    unsigned own_count;
    hf_time now;
    /* Where scripts are stored: the commands, and what it answers. */
    struct hf_buffer stored;
    struct hf_reply to_hset; /* Once. */
    int64_t fields;
};

static void on_request(void *user, uint64_t client, uint64_t tag,
                       const struct hf_command *command)
{
    struct world *world = user;
    bool own = client == HF_LIBRARY_CLIENT;
    struct hf_buffer *out = own ? &world->own : &world->asked;
    for (uint32_t i = 0; i < command->argc; i++) {
        hf_buffer_append_text(out, i == 0 ? "" : " ");
        hf_buffer_append_slice(out, command->argv[i]);
    }
    hf_buffer_append_text(out, ";");
    if (own) {
        world->own_tag = tag;
        world->own_count++;
        hf_buffer_clear(&world->own_script);
        hf_buffer_append_slice(&world->own_script, command->argv[1]);
    }
}

static void on_reply(void *user, uint64_t client, uint64_t tag,
                     const struct hf_reply *reply)
{
    struct world *world = user;
    hf_buffer_append_format(&world->answers, "%u.%u ", (unsigned)client,
                            (unsigned)tag);
    describe_reply(reply, &world->answers);
    hf_buffer_append_text(&world->answers, ";");
}

static int set_up(void **state)
{
    static struct world world;
    static struct hf_mem system;
    hf_mem_init_system(&system);
    world = (struct world){.system = &system, .now = 1000000};
    failing_mem_init(&world.mem);
    hf_buffer_init(&world.asked, &system);
    hf_buffer_init(&world.own, &system);
    hf_buffer_init(&world.own_script, &system);
    hf_buffer_init(&world.stored, &system);
    hf_buffer_init(&world.answers, &system);
    hf_buffer_init(&world.text, &system);
    const struct hf_lua_config config = {.mem = &world.mem.mem,
                                         .value_bytes_max = 1 << 20};
    const struct hf_library_host host = {
        .user = &world, .request = on_request, .reply = on_reply};
    assert_int_equal(hf_lua_create(&world.lua, &config), 0);
    assert_int_equal(
        hf_library_create(&world.library, &host, world.lua, &world.mem.mem), 0);
    *state = &world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    hf_library_destroy(world->library);
    hf_lua_destroy(world->lua);
    failing_mem_close(&world->mem);
    hf_buffer_close(&world->asked);
    hf_buffer_close(&world->own);
    hf_buffer_close(&world->own_script);
    hf_buffer_close(&world->stored);
    hf_buffer_close(&world->answers);
    hf_buffer_close(&world->text);
    return 0;
}

/* Client @client sends @words, apart by '|'. */
static void send(struct world *world, uint64_t client, uint64_t tag,
                 const char *words)
{
    struct hf_slice argv[8];
    struct hf_command command = {.argv = argv};
    while (*words != '\0') {
        size_t size = strcspn(words, "|");
        argv[command.argc++] = (struct hf_slice){(const uint8_t *)words, size};
        words += size + (words[size] == '|' ? 1 : 0);
    }
    command.row = hf_command_find(argv[0]);
    assert_non_null(command.row);
    bool script = command.row->route == HF_ROUTE_CONNECTION;
    if (script || hf_library_wants(world->library, client, &command)) {
        hf_library_take(world->library, client, tag, &command, world->now, 0);
    } else {
        on_request(world, client, tag, &command);
    }
}

static void answer(struct world *world, const struct hf_reply *reply)
{
    hf_library_answer(world->library, world->own_tag, reply);
    hf_library_run(world->library, world->now, 0);
}

/* The answer to a look: how often it was flushed, and the text. */
static void answer_look(struct world *world, const char *flushes,
                        const char *body)
{
    hf_buffer_clear(&world->text);
    hf_reply_put_array(&world->text, 2);
    hf_reply_put_bulk(&world->text, hf_slice_text(flushes));
    if (body == NULL) {
        hf_reply_put_nil(&world->text);
    } else {
        hf_reply_put_bulk(&world->text, hf_slice_text(body));
    }
    struct hf_reply reply = hf_reply_nested(&world->text);
    answer(world, &reply);
}

/* What there is since the last time. */
static void expect(struct hf_buffer *lines, const char *wanted)
{
    hf_buffer_append(lines, "", 1);
    assert_string_equal((const char *)lines->data, wanted);
    hf_buffer_clear(lines);
}

static void known_script_runs_at_once(void **state)
{
    struct world *world = *state;
    send(world, 1, 1, "EVAL|" BODY "|1|k");
    expect(&world->asked, EVAL_BODY ";");
    assert_int_equal(world->own_count, 1); /* It is stored. */
    send(world, 1, 2, "EVAL|" BODY "|1|k");
    expect(&world->asked, EVAL_BODY ";");
    assert_int_equal(world->own_count, 1);
    expect(&world->answers, "");
}

static void unknown_script_is_looked_for(void **state)
{
    struct world *world = *state;
    send(world, 1, 1, "EVALSHA|" SUM "|1|k");
    expect(&world->asked, "");
    assert_int_equal(world->own_count, 1);
    answer_look(world, "", BODY);
    expect(&world->asked, EVAL_BODY ";");
    send(world, 1, 2, "EVALSHA|" SUM "|1|k");
    expect(&world->asked, EVAL_BODY ";");
    send(world, 1, 3, "EVALSHA_RO|" SUM "|1|k");
    expect(&world->asked, "EVAL_RO " BODY " 1 k;");
    assert_int_equal(world->own_count, 1);
}

static void script_that_nobody_knows(void **state)
{
    struct world *world = *state;
    send(world, 1, 1, "EVALSHA|" SUM "|1|k");
    answer_look(world, "", NULL);
    send(world, 1, 2, "EVALSHA|short|1|k");
    expect(&world->answers, "1.1 " NOSCRIPT ";1.2 " NOSCRIPT ";");
}

/* NOSCRIPT would make clients send it again, or give up for good. */
static void trouble_is_not_a_missing_script(void **state)
{
    struct world *world = *state;
    struct hf_reply down = hf_reply_error("CLUSTERDOWN nobody");
    send(world, 1, 1, "EVALSHA|" SUM "|1|k");
    answer(world, &down);
    expect(&world->answers, "1.1 (error) CLUSTERDOWN nobody;");
    send(world, 1, 2, "SCRIPT|LOAD|" BODY);
    answer(world, &down);
    expect(&world->answers, "1.2 (error) CLUSTERDOWN nobody;");
    /* What is kept here is good enough. */
    send(world, 1, 3, "EVAL|" BODY "|1|k");
    expect(&world->asked, EVAL_BODY ";");
    world->now += HF_LIBRARY_WAIT_MS + 1;
    send(world, 1, 4, "EVALSHA|" SUM "|1|k");
    expect(&world->asked, "");
    answer(world, &down);
    expect(&world->asked, EVAL_BODY ";");
}

static void commands_of_a_client_keep_their_order(void **state)
{
    struct world *world = *state;
    send(world, 1, 1, "EVALSHA|" SUM "|1|k");
    send(world, 1, 2, "GET|k");
    send(world, 1, 3, "EVALSHA|" SUM "|1|k");
    send(world, 1, 4, "GET|k2");
    send(world, 2, 1, "GET|other");
    expect(&world->asked, "GET other;");
    answer_look(world, "", BODY);
    expect(&world->asked, EVAL_BODY ";GET k;" EVAL_BODY ";GET k2;");
    send(world, 1, 5, "GET|k3");
    expect(&world->asked, "GET k3;");
    /* One that has to ask again, in the middle; and a client beside it. */
    world->now += HF_LIBRARY_WAIT_MS + 1;
    send(world, 1, 6, "EVALSHA|" SUM "|1|k");
    send(world, 2, 2, "SCRIPT|EXISTS|" SUM);
    uint64_t exists = world->own_tag;
    send(world, 1, 7, "GET|k7");
    send(world, 1, 8, "SCRIPT|EXISTS|" SUM);
    send(world, 1, 9, "GET|k9");
    send(world, 2, 3, "GET|other");
    expect(&world->asked, "");
    world->own_tag = exists - 1;
    answer_look(world, "", BODY);
    expect(&world->asked, EVAL_BODY ";GET k7;");
    uint64_t second = world->own_tag;
    assert_true(second > exists);
    world->own_tag = exists;
    struct hf_reply one = hf_reply_integer(1);
    answer(world, &one);
    expect(&world->asked, "GET other;");
    world->own_tag = second;
    answer(world, &one);
    expect(&world->asked, "GET k9;");
    expect(&world->answers, "2.2 1;1.8 1;");
}

static void what_others_flushed_is_forgotten(void **state)
{
    struct world *world = *state;
    send(world, 1, 1, "EVALSHA|" SUM "|1|k");
    answer_look(world, "1", BODY);
    expect(&world->asked, EVAL_BODY ";");
    /* In use: it asks without making anybody wait. */
    world->now += HF_LIBRARY_ASK_MS + 1;
    send(world, 1, 2, "EVALSHA|" SUM "|1|k");
    send(world, 1, 3, "EVALSHA|" SUM "|1|k");
    expect(&world->asked, EVAL_BODY ";" EVAL_BODY ";");
    assert_int_equal(world->own_count, 2);
    answer_look(world, "2", NULL);
    send(world, 1, 4, "EVALSHA|" SUM "|1|k");
    answer_look(world, "2", NULL);
    expect(&world->answers, "1.4 " NOSCRIPT ";");
    /* Not used for long: who comes first waits. */
    send(world, 1, 5, "EVALSHA|" SUM "|1|k");
    answer_look(world, "2", BODY);
    expect(&world->asked, EVAL_BODY ";");
    world->now += HF_LIBRARY_WAIT_MS + 1;
    send(world, 1, 6, "EVALSHA|" SUM "|1|k");
    answer_look(world, "3", NULL);
    expect(&world->answers, "1.6 " NOSCRIPT ";");
    expect(&world->asked, "");
}

static void on_stored(void *user, const struct hf_command *command,
                      struct hf_reply *reply)
{
    struct world *world = user;
    hf_buffer_append_slice(&world->stored, command->argv[0]);
    hf_buffer_append_text(&world->stored, ";");
    *reply = hf_reply_integer(1);
    if (hf_slice_equal_nocase(command->argv[0], "HLEN")) {
        *reply = hf_reply_integer(world->fields);
    } else if (hf_slice_equal_nocase(command->argv[0], "HSET")) {
        *reply = world->to_hset;
        world->to_hset = hf_reply_integer(1);
    }
}

static void see_stored(struct world *world, int64_t fields)
{
    const struct hf_slice argv[] = {
        HF_SLICE_LITERAL("EVAL"),   hf_buffer_slice(&world->own_script),
        HF_SLICE_LITERAL("3"),      HF_SLICE_LITERAL("flushes"),
        HF_SLICE_LITERAL("loaded"), HF_SLICE_LITERAL("seen"),
        HF_SLICE_LITERAL(SUM),      HF_SLICE_LITERAL(BODY)};
    const struct hf_command command = {.row = hf_command_find(argv[0]),
                                       .argc = HF_ARRAY_COUNT(argv),
                                       .argv = argv};
    const struct hf_lua_world outside = {.user = world, .call = on_stored};
    struct hf_reply reply;
    world->fields = fields;
    (void)hf_lua_run(world->lua, &outside, &command, &reply);
    assert_int_equal(reply.kind, HF_REPLY_NIL);
}

/* By its bytes, which HSET refuses, and by the number of scripts. */
static void what_was_seen_is_bounded(void **state)
{
    struct world *world = *state;
    send(world, 1, 1, "EVAL|" BODY "|1|k");
    world->to_hset = hf_reply_integer(1);
    see_stored(world, HF_SCRIPT_KEPT_MAX);
    expect(&world->stored, "hset;hlen;");
    see_stored(world, HF_SCRIPT_KEPT_MAX + 1);
    expect(&world->stored, "hset;hlen;del;hset;");
    world->to_hset = hf_reply_error("ERR string exceeds maximum allowed size");
    see_stored(world, 1);
    expect(&world->stored, "hset;del;hset;");
}

static void scripts_without_keys_run_here(void **state)
{
    struct world *world = *state;
    send(world, 1, 1, "EVAL|return {1, ARGV[1]}|0|a");
    send(world, 1, 2, "EVAL|return redis.call('get', 'k')|0");
    expect(&world->answers,
           "1.1 [1 a];1.2 (error) ERR a script without keys cannot use "
           "sessions script: 2845dc5d9bfb60b33a15b681dee13ea33da18095, on "
           "@user_script:1.;");
    expect(&world->asked, "");
}

static void what_is_wrong_is_said_at_once(void **state)
{
    struct world *world = *state;
    send(world, 1, 1, "EVAL|return 1|x");
    send(world, 1, 2, "EVALSHA|" SUM "|-1");
    send(world, 1, 3, "EVAL|return|2|k");
    expect(&world->answers,
           "1.1 (error) ERR value is not an integer or out of range;"
           "1.2 (error) ERR Number of keys can't be negative;"
           "1.3 (error) ERR Number of keys can't be greater than number of "
           "args;");
    unsigned before = world->own_count;
    send(world, 1, 4, "EVAL|return =|1|k");
    send(world, 1, 5, "SCRIPT|LOAD|return =");
    expect(&world->answers,
           "1.4 (error) ERR Error compiling script (new function): "
           "user_script:1: unexpected symbol near '=';"
           "1.5 (error) ERR Error compiling script (new function): "
           "user_script:1: unexpected symbol near '=';");
    assert_int_equal(world->own_count, before);
}

static void what_waits_is_bounded(void **state)
{
    static char text[1 << 20];
    struct world *world = *state;
    memset(text, 'x', sizeof(text) - 1);
    memcpy(text, "SET|k|", 6);
    send(world, 1, 1, "EVALSHA|" SUM "|1|k");
    for (uint64_t tag = 2; tag < 20; tag++) {
        send(world, 1, tag, text);
    }
    expect(&world->answers,
           "1.17 (error) CLUSTERDOWN too many commands wait at this node;"
           "1.18 (error) CLUSTERDOWN too many commands wait at this node;"
           "1.19 (error) CLUSTERDOWN too many commands wait at this node;");
}

/* With a walk through all that wait for each command, this would take more
 * than ten times as long. */
static void many_clients_may_wait(void **state)
{
    enum { CLIENTS = 30000 };
    struct world *world = *state;
    const struct hf_slice argv[] = {HF_SLICE_LITERAL("GET"),
                                    HF_SLICE_LITERAL("k")};
    const struct hf_command get = {
        .row = hf_command_find(argv[0]), .argc = 2, .argv = argv};
    clock_t began = clock();
    for (uint64_t client = 1; client <= CLIENTS; client++) {
        send(world, client, 1, "EVALSHA|" SUM "|1|k");
        assert_true(hf_library_wants(world->library, client, &get));
        assert_false(hf_library_wants(world->library, CLIENTS + 1, &get));
    }
    assert_int_equal(world->own_count, CLIENTS);
    struct hf_reply error = hf_reply_error("CLUSTERDOWN nobody");
    for (uint64_t tag = CLIENTS; tag > 0; tag--) { /* The last one first. */
        world->own_tag = tag;
        answer(world, &error);
    }
    double seconds = (double)(clock() - began) / CLOCKS_PER_SEC;
    for (uint64_t client = 1; client <= CLIENTS; client++) {
        assert_false(hf_library_wants(world->library, client, &get));
    }
    if (seconds > 1) {
        fail_msg("took %.1f s", seconds);
    }
}

static void each_failed_allocation_is_answered(void **state)
{
    for (uint64_t nth = 1; nth < 400; nth++) {
        assert_int_equal(set_up(state), 0);
        struct world *world = *state;
        failing_mem_fail_nth(&world->mem, nth);
        send(world, 1, 1, "EVALSHA|" SUM "|1|k");
        if (world->own_count > 0) {
            answer_look(world, "1", BODY);
        }
        unsigned before = world->own_count;
        send(world, 1, 2, "SCRIPT|LOAD|" BODY);
        if (world->own_count > before) {
            struct hf_reply reply = hf_reply_ok();
            answer(world, &reply);
        }
        hf_buffer_append_slice(&world->answers, hf_buffer_slice(&world->asked));
        hf_buffer_append(&world->answers, "", 1);
        const char *said = (const char *)world->answers.data;
        assert_true(strstr(said, "1.1 ") != NULL ||
                    strstr(said, EVAL_BODY) != NULL);
        assert_non_null(strstr(said, "1.2 "));
        assert_int_equal(tear_down(state), 0);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(known_script_runs_at_once),
        TEST(unknown_script_is_looked_for),
        TEST(script_that_nobody_knows),
        TEST(trouble_is_not_a_missing_script),
        TEST(commands_of_a_client_keep_their_order),
        TEST(what_others_flushed_is_forgotten),
        TEST(what_was_seen_is_bounded),
        TEST(scripts_without_keys_run_here),
        TEST(what_is_wrong_is_said_at_once),
        TEST(what_waits_is_bounded),
        TEST(many_clients_may_wait),
        cmocka_unit_test(each_failed_allocation_is_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
