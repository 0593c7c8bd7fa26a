/* What scripts see and answer. Sessions are a stand-in here: what it is given
 * and what it answers is fixed, so that only the engine is tested. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "script/engine.h"
#include "support/describe.h"
#include "support/failing_mem.h"

#define ARGUMENTS_MAX 64

struct world {
    struct hf_mem mem;
    struct hf_lua *lua;
    struct hf_buffer commands; /* Those that were carried out. */
    struct hf_buffer tokens;
    struct hf_buffer answer;
    uint64_t now_us;
    uint64_t tick_us; /* How much later it is at each look. */
    const char *stopped;
};

static const struct hf_command_row eval_row = {
    .name = "EVAL", .arity = -3, .flags = HF_COMMAND_WRITE};
static const struct hf_command_row eval_ro_row = {.name = "EVAL_RO",
                                                  .arity = -3};

static uint64_t clock_us(void *user)
{
    struct world *world = user;
    world->now_us += world->tick_us;
    return world->now_us;
}

static struct hf_reply nested(struct world *world)
{
    hf_buffer_clear(&world->tokens);
    hf_reply_put_array(&world->tokens, 4);
    hf_reply_put_bulk(&world->tokens, HF_SLICE_LITERAL("a"));
    hf_reply_put_nil(&world->tokens);
    hf_reply_put_map(&world->tokens, 1);
    hf_reply_put_bulk(&world->tokens, HF_SLICE_LITERAL("f"));
    hf_reply_put_integer(&world->tokens, -5);
    hf_reply_put_status(&world->tokens, HF_SLICE_LITERAL("fine"));
    return hf_reply_nested(&world->tokens);
}

static void on_call(void *user, const struct hf_command *command,
                    struct hf_reply *reply)
{
    static const char wrong[] = "WRONGTYPE Operation against a key holding "
                                "the wrong kind of value";
    struct world *world = user;
    for (uint32_t i = 0; i < command->argc; i++) {
        hf_buffer_append_text(&world->commands, i == 0 ? "" : " ");
        hf_buffer_append_slice(&world->commands, command->argv[i]);
    }
    hf_buffer_append_text(&world->commands, ";");
    struct hf_slice name = command->argv[0];
    *reply = hf_reply_nil();
    if (hf_slice_equal_nocase(name, "SET")) {
        *reply = hf_reply_ok();
    } else if (hf_slice_equal_nocase(name, "INCR")) {
        *reply = hf_reply_integer(8);
    } else if (hf_slice_equal_nocase(name, "GET") &&
               hf_slice_equal_nocase(command->argv[1], "k")) {
        *reply = hf_reply_bulk(HF_SLICE_LITERAL("v"));
    } else if (hf_slice_equal_nocase(name, "HGET")) {
        *reply = hf_reply_error(wrong);
    } else if (hf_slice_equal_nocase(name, "HGETALL")) {
        *reply = nested(world);
    }
}

static int set_up(void **state)
{
    static struct world world;
    world = (struct world){.tick_us = 0};
    hf_mem_init_system(&world.mem);
    hf_buffer_init(&world.commands, &world.mem);
    hf_buffer_init(&world.tokens, &world.mem);
    hf_buffer_init(&world.answer, &world.mem);
    const struct hf_lua_config config = {.mem = &world.mem,
                                         .value_bytes_max = 1 << 20,
                                         .now_us = clock_us,
                                         .user = &world};
    assert_int_equal(hf_lua_create(&world.lua, &config), 0);
    *state = &world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    hf_lua_destroy(world->lua);
    hf_buffer_close(&world->commands);
    hf_buffer_close(&world->tokens);
    hf_buffer_close(&world->answer);
    assert_int_equal(world->mem.used_bytes, 0);
    return 0;
}

/* Runs "EVAL @script @rest", where @rest is words. */
static const char *run(struct world *world, const struct hf_command_row *row,
                       struct hf_slice script, const char *rest)
{
    struct hf_slice argv[ARGUMENTS_MAX] = {HF_SLICE_LITERAL("EVAL"), script};
    struct hf_command command = {.row = row, .argc = 2, .argv = argv};
    while (*rest != '\0') {
        size_t size = strcspn(rest, " ");
        argv[command.argc++] = (struct hf_slice){(const uint8_t *)rest, size};
        rest += size + strspn(rest + size, " ");
    }
    const struct hf_lua_world outside = {
        .user = world, .call = on_call, .wall_ms = 1700000000123};
    struct hf_reply reply;
    hf_buffer_clear(&world->commands);
    world->stopped = hf_lua_run(world->lua, &outside, &command, &reply);
    hf_buffer_clear(&world->answer);
    describe_reply(&reply, &world->answer);
    hf_buffer_append(&world->answer, "", 1);
    hf_buffer_append(&world->commands, "", 1);
    return (const char *)world->answer.data;
}

static const char *eval(struct world *world, const char *script)
{
    return run(world, &eval_row, hf_slice_text(script), "1 k a b");
}

struct example {
    const char *script;
    const char *answer;
};

static void check(struct world *world, const struct example *examples,
                  size_t count)
{
    bool failed = false;
    for (size_t i = 0; i < count; i++) {
        const char *answer = eval(world, examples[i].script);
        if (strcmp(answer, examples[i].answer) != 0) {
            print_error("%s\n  answers  %s\n  not      %s\n",
                        examples[i].script, answer, examples[i].answer);
            failed = true;
        }
    }
    assert_false(failed);
}

static void values_become_replies(void **state)
{
    static const struct example examples[] = {
        {"return 3.99", "3"},
        {"return -3.99", "-3"},
        {"return 1e30", "-9223372036854775808"},
        {"return 0/0", "-9223372036854775808"},
        {"return true", "1"},
        {"return false", "(nil)"},
        {"return nil", "(nil)"},
        {"return", "(nil)"},
        {"return function() end", "(nil)"},
        {"return ''", ""},
        {"return 'x', 'y'", "x"},
        {"return {}", "[]"},
        {"return {1,2,nil,4}", "[1 2]"},
        {"return {1,{'a',false,{true}}}", "[1 [a (nil) [1]]]"},
        {"return {ok='fine', 1}", "fine"},
        {"return {ok='fi\\r\\nne'}", "fi  ne"},
        {"return {err='FOO bar'}", "(error) FOO bar"},
        {"return {err='foo'}", "(error) foo"},
        {"return {{err='x y'}, 2}", "[(error) x y 2]"},
        {"return {ok=1, 7}", "[7]"},
        {"return setmetatable({}, {__index=function() return 1 end})", "[]"},
        {"local t={} t[1]=t return t",
         "(error) ERR the script's answer is nested too deep"},
        {"return redis.status_reply('fine')", "fine"},
        {"return redis.error_reply('foo')", "(error) ERR foo"},
        {"return redis.error_reply('-FOO bar')", "(error) FOO bar"},
        {"return redis.error_reply('ERR')", "(error) ERR ERR"},
        {"return redis.error_reply(1)",
         "(error) ERR wrong number or type of arguments"},
        {"return redis.status_reply('a','b')",
         "(error) ERR wrong number or type of arguments"},
    };
    check(*state, examples, HF_ARRAY_COUNT(examples));
}

static void replies_become_values(void **state)
{
    static const struct example examples[] = {
        {"return redis.call('get', KEYS[1])", "v"},
        {"return redis.call('get', 'other') == false", "1"},
        {"return redis.call('incr', 'k') + 1", "9"},
        {"return redis.call('set', 'k', 'x').ok", "OK"},
        {"return redis.call('set', 'k', 'x')", "OK"},
        {"return redis.call('hgetall', 'k')", "[a (nil) [f -5] fine]"},
        {"return redis.pcall('hget', 'k', 'f').err",
         "WRONGTYPE Operation against a key holding the wrong kind of "
         "value"},
        {"return redis.pcall('hget', 'k', 'f')",
         "(error) WRONGTYPE Operation against a key holding the wrong kind of "
         "value"},
        {"return redis.call('ping')", "PONG"},
        {"return redis.call('echo', 'x')", "x"},
        {"return redis.call('time')", "[1700000000 123000]"},
        {"return {KEYS[1], #KEYS, ARGV[2], #ARGV}", "[k 1 b 2]"},
    };
    check(*state, examples, HF_ARRAY_COUNT(examples));
}

static void arguments_are_written_as_redis_does(void **state)
{
    struct world *world = *state;
    (void)eval(world, "redis.call('set', 'n', 3.5) redis.call('set', 'n', 3) "
                      "redis.call('set', 'n', 1e15) "
                      "redis.call('set', 'n', 1e17) "
                      "redis.call('set', 'n', 0.1)");
    assert_string_equal((const char *)world->commands.data,
                        "set n 3.5;set n 3;set n 1000000000000000;"
                        "set n 1e+17;set n 0.10000000000000001;");
}

#define AT_1(sha) " script: " sha ", on @user_script:1."

/* The texts and sums are those of redis-server 7.0.15. */
static const struct example error_examples[] = {
    {"x=1",
     "(error) ERR user_script:1: Attempt to modify a readonly table" AT_1(
         "7caf6056913504f0508c65faf2dc3f94ff65bcfd")},
    {"return y",
     "(error) ERR user_script:1: Script attempted to access nonexistent "
     "global variable 'y'" AT_1("e278681ed961e2fb52881313e5c90fdd93749940")},
    {"return redis.call('hget','str','a')",
     "(error) WRONGTYPE Operation against a key holding the wrong kind of "
     "value" AT_1("c24fc895117518f55c6989ccc363a49e6e0eefc4")},
    {"return redis.call('nosuch')",
     "(error) ERR Unknown Redis command called from script" AT_1(
         "206396248e12c6e742fd7296250433c8d7343b74")},
    {"return redis.call('get')",
     "(error) ERR Wrong number of args calling Redis command from "
     "script" AT_1("f187dee77f607f7cff00bbabc9df38507582c78d")},
    {"return redis.call()",
     "(error) ERR Please specify at least one argument for this redis lib "
     "call" AT_1("0a907e1429221a4d85516cab7fd219a82a9439d8")},
    {"return redis.call({})",
     "(error) ERR Lua redis lib command arguments must be strings or "
     "integers" AT_1("80747816df1f4411f7c442b928fce6a814214839")},
    {"error('foo')", "(error) ERR user_script:1: foo" AT_1(
                         "3636b3c71d6a755d5b3f0a4d22850f935598f38d")},
    {"error({err='foo bar'})",
     "(error) foo bar" AT_1("d0bec0d3186f4893ce7cc1b344ef470981b6c683")},
    {"error(nil)",
     "(error) ERR nil" AT_1("c402aa49952c86c38f35fb311d54977d08f3bf01")},
    {"local a={} a.b.c=1",
     "(error) ERR user_script:1: attempt to index field 'b' (a nil "
     "value)" AT_1("583b597595985a6a9c6fa9856263afe543995df1")},
    {"local x = ",
     "(error) ERR Error compiling script (new function): user_script:1: "
     "unexpected symbol near '<eof>'"},
    {"string.x=1",
     "(error) ERR user_script:1: Attempt to modify a readonly table" AT_1(
         "0200261db1e7771c266e77366576961c8f228af1")},
    {"redis.x = 1",
     "(error) ERR user_script:1: Attempt to modify a readonly table" AT_1(
         "0e3b052f72a1147275fd3ab2c8c15d4453b9010f")},
    {"return print",
     "(error) ERR user_script:1: Script attempted to access nonexistent "
     "global variable 'print'" AT_1(
         "df4c752a7558004676bbee87e38b92e0b9056d68")},
    {"local function f() return f() + 1 end return f()",
     "(error) ERR user_script:1: stack overflow" AT_1(
         "6ab18391d60e7e7bcbf4a881fd9b0c865dade0c6")},
    {"\nlocal a = 1\nredis.call('get')\n",
     "(error) ERR Wrong number of args calling Redis command from script "
     "script: ee2a33542b41da500e5007db3240bbe03f0154f4, on "
     "@user_script:3."},
    {"redis.log('x')",
     "(error) ERR redis.log() requires two arguments or more." AT_1(
         "4365d697bcf18447f1a1b2cbfc70a188fabcdcff")},
    {"redis.log(9,'x')", "(error) ERR Invalid debug level." AT_1(
                             "89269ca5b1155c17a5032237a932c3af8cc29ac9")},
    {"return redis.sha1hex()", "(error) ERR wrong number of arguments" AT_1(
                                   "3c7ce947ae74a835cc575b6ee87fb27503cb7ba4")},
    /* Inside of pcall they are text, without the script. */
    {"local ok, e = pcall(redis.call, 'get') return e",
     "ERR Wrong number of args calling Redis command from script"},
    {"local ok, e = pcall(function() error('boo') end) return e",
     "user_script:1: boo"},
};

static void errors_are_those_of_redis(void **state)
{
    check(*state, error_examples, HF_ARRAY_COUNT(error_examples));
    /* This one makes redis-server 7.0.15 end. */
    assert_non_null(strstr(eval(*state, "error({})"), "ERR unknown error"));
}

/* Nobody counts instructions any more when the error is written. */
static void errors_run_nothing(void **state)
{
    static const struct example examples[] = {
        {"error(setmetatable({}, {__index = function() "
         "while true do end end}))",
         "(error) ERR unknown error script: "},
        {"error(setmetatable({}, {__index = function() error('x') end}))",
         "(error) ERR unknown error script: "},
        {"error(setmetatable({err = 'E x'}, {__newindex = function() "
         "while true do end end}))",
         "(error) E x script: "},
        {"error(setmetatable({err = 'E x'}, {__newindex = function() "
         "error('y') end}))",
         "(error) E x script: "},
        {"error(string)", "(error) ERR unknown error script: "},
    };
    for (size_t i = 0; i < HF_ARRAY_COUNT(examples); i++) {
        const char *answer = eval(*state, examples[i].script);
        if (strstr(answer, examples[i].answer) != answer) {
            fail_msg("%s answers %s", examples[i].script, answer);
        }
    }
    /* Nothing was written to what all scripts share. */
    assert_string_equal(eval(*state, "return {rawget(string, 'err') == nil, "
                                     "rawget(string, 'line') == nil}"),
                        "[1 1]");
}

static void a_reader_may_not_write(void **state)
{
    static const char script[] = "return redis.call('set','x',1)";
    struct world *world = *state;
    const char *answer = run(world, &eval_ro_row, hf_slice_text(script), "1 k");
    assert_string_equal(
        answer, "(error) ERR Write commands are not allowed from read-only "
                "scripts." AT_1("4cb91861d207e5689edc816618ab68f9d6de3b44"));
    assert_string_equal((const char *)world->commands.data, "");
    answer = run(world, &eval_ro_row,
                 hf_slice_text("return redis.call('get', KEYS[1])"), "1 k");
    assert_string_equal(answer, "v");
}

static void the_number_of_keys_is_checked(void **state)
{
    static const struct {
        const char *rest;
        const char *answer;
    } examples[] = {
        {"a", "(error) ERR value is not an integer or out of range"},
        {"-1", "(error) ERR Number of keys can't be negative"},
        {"2 a", "(error) ERR Number of keys can't be greater than number of "
                "args"},
        {"99999999999 a",
         "(error) ERR Number of keys can't be greater than number of args"},
        {"0 a b", "[0 2]"},
        {"2 a b", "[2 0]"},
    };
    for (size_t i = 0; i < HF_ARRAY_COUNT(examples); i++) {
        assert_string_equal(run(*state, &eval_row,
                                HF_SLICE_LITERAL("return {#KEYS, #ARGV}"),
                                examples[i].rest),
                            examples[i].answer);
    }
}

/* Even within MULTI, where there is somebody to ask. */
static void without_keys_there_are_no_sessions(void **state)
{
    struct world *world = *state;
    const char *answer =
        run(world, &eval_row,
            HF_SLICE_LITERAL("return redis.pcall('get', 'k')"), "0 k");
    assert_string_equal(
        answer, "(error) ERR a script without keys cannot use sessions");
    assert_string_equal((const char *)world->commands.data, "");
}

/* Each tries to leave something for the next script. */
static void nothing_is_left_behind(void **state)
{
    static const char *const tries[] = {
        "x = 1",
        "rawset(_G, 'x', 1)",
        "table.insert(_G, 1, 'x')",
        "_G[1] = 'x'",
        "string.x = 1",
        "string.rep = nil",
        "rawset(string, 'x', 1)",
        "rawset(redis, 'call', 1)",
        "table.insert(math, 1, 1)",
        "table.insert(math, 1)",
        "table.remove(string)",
        "table.sort(table)",
        "table.sort(redis, function() return true end)",
        "setmetatable(_G, nil)",
        "setmetatable(string, {})",
        "getmetatable(_G).__index = 1",
        "getmetatable('').__index = 1",
        "getmetatable('').__add = function() return 1 end",
        "(''):gsub('x', 'y').x = 1",
        "_VERSION = 1",
        "KEYS = {}",
        "_G._G = 1",
    };
    struct world *world = *state;
    for (size_t i = 0; i < HF_ARRAY_COUNT(tries); i++) {
        const char *answer = eval(world, tries[i]);
        if (strncmp(answer, "(error) ", 8) != 0) {
            fail_msg("%s answers %s", tries[i], answer);
        }
        assert_null(world->stopped);
    }
    (void)eval(world, "KEYS.x = 1 ARGV[7] = 2 KEYS[1] = 'z'");
    const char *answer =
        eval(world, "local n = 0 for k in pairs(_G) do n = n + 1 end "
                    "return {KEYS[1], KEYS.x == nil, ARGV[7] == nil, n, "
                    "rawget(_G, 'x') == nil, string.x == nil, math[1] == nil, "
                    "('a'):rep(3), type(redis.call), #table.concat({1, 2})}");
    assert_string_equal(answer, "[k 1 1 0 1 1 1 aaa function 2]");
}

static void there_is_no_way_out(void **state)
{
    static const char *const names[] = {
        "io",      "os",       "debug",     "package",        "require",
        "dofile",  "loadfile", "load",      "loadstring",     "setfenv",
        "getfenv", "newproxy", "coroutine", "collectgarbage", "gcinfo",
        "module",  "print",    "cjson",     "nosuch"};
    for (size_t i = 0; i < HF_ARRAY_COUNT(names); i++) {
        char script[100];
        snprintf(script, sizeof(script), "return %s", names[i]);
        assert_non_null(
            strstr(eval(*state, script),
                   "Script attempted to access nonexistent global variable"));
    }
    assert_string_equal(eval(*state, "return string.dump"), "(nil)");
    assert_string_equal(eval(*state, "return tostring({}) .. "
                                     "tostring(print == nil)"),
                        eval(*state, "return tostring({}) .. "
                                     "tostring(print == nil)"));
    assert_string_equal(eval(*state, "return tostring({})"), "table");
    assert_string_equal(
        run(*state, &eval_row, HF_SLICE_LITERAL("\033Lua"), "0"),
        "(error) ERR Error compiling script (new function): compiled code is "
        "not accepted");
}

static void a_script_is_the_same_each_time(void **state)
{
    char first[100];
    static const char script[] =
        "return tostring(math.random()) .. ' ' .. math.random(10) .. ' ' .. "
        "math.random(5, 6)";
    snprintf(first, sizeof(first), "%s", eval(*state, script));
    (void)eval(*state, "math.randomseed(7) return math.random()");
    assert_string_equal(eval(*state, script), first);
    assert_string_equal(eval(*state, "for i = 1, 1000 do "
                                     "local x = math.random(3) "
                                     "if x < 1 or x > 3 then return x end "
                                     "end return 'fine'"),
                        "fine");
}

/* All begin with one write, so that something is to be undone. */
static void expect_stopped(struct world *world, const char *script,
                           const char *why)
{
    char text[400];
    snprintf(text, sizeof(text), "redis.call('set', 'k', 'v'); %s", script);
    const char *answer = eval(world, text);
    if (world->stopped == NULL || strcmp(world->stopped, why) != 0 ||
        strstr(answer, why) == NULL) {
        fail_msg("%s: stopped: %s, answer %s", script,
                 world->stopped == NULL ? "no" : world->stopped, answer);
    }
    assert_string_equal(eval(world, "return 1"), "1"); /* And goes on. */
}

static void who_runs_too_long_is_stopped(void **state)
{
    static const char *const scripts[] = {
        "while true do end",
        "repeat pcall(function() while true do end end) until false",
        "xpcall(function() while true do end end, "
        "function() while true do end end)",
        "local function f() return f() end f()",
        "while true do pcall(error) end",
        "local t = setmetatable({}, {__index = function(t, k) "
        "return t[k + 1] end}) while true do pcall(function() "
        "return t[1] end) end",
        "for i = 1, 1e9 do redis.call('get', 'k') end",
        "table.sort({1,2,3,4}, function() while true do end end)",
        "(''):gsub('', function() while true do end end)",
    };
    for (size_t i = 0; i < HF_ARRAY_COUNT(scripts); i++) {
        expect_stopped(*state, scripts[i], HF_SCRIPT_STOPPED_STEPS);
    }
}

/* Little to hold, and @n to the power of 6 values to answer with. */
#define ANSWER_OF(n)                                                           \
    "local t = 1 for d = 1, 6 do local u = {} "                                \
    "for i = 1, " n " do u[i] = t end t = u end return t"

static void large_answers_are_refused(void **state)
{
    assert_string_equal(
        eval(*state, ANSWER_OF("11")),
        "(error) ERR the script's answer has more than 1000000 values");
    assert_null(strstr(eval(*state, ANSWER_OF("9")), "(error)"));
}

static void who_takes_too_long_is_stopped(void **state)
{
    struct world *world = *state;
    world->tick_us = 1000; /* At each look. */
    expect_stopped(world, "for i = 1, 1e6 do end", HF_SCRIPT_STOPPED_TIME);
    expect_stopped(world, "for i = 1, 300 do ('x'):rep(10) end",
                   HF_SCRIPT_STOPPED_TIME);
    expect_stopped(world,
                   "local t = {} for i = 1, 500 do t[i] = i % 7 end "
                   "table.sort(t)",
                   HF_SCRIPT_STOPPED_TIME);
    expect_stopped(world,
                   "local t = {} for i = 1, 500 do t[i] = i end "
                   "table.sort(t, rawequal)",
                   HF_SCRIPT_STOPPED_TIME);
    expect_stopped(world, "for i = 1, 110 do redis.call('get', 'k') end",
                   HF_SCRIPT_STOPPED_TIME);
    expect_stopped(world, ANSWER_OF("7"), HF_SCRIPT_STOPPED_TIME);
    assert_string_equal(eval(world, "return 1"), "1");
}

static void who_needs_too_much_is_stopped(void **state)
{
    static const char *const scripts[] = {
        "local t = {} for i = 1, 1e9 do t[i] = i end",
        "local s = 'x' while true do s = s .. s end",
        "local s = 'x' pcall(function() while true do s = s .. s end end) "
        "return 'caught'",
        "return ('x'):rep(1e9)",
        "return ('x'):rep(2^31)",
        "local t = {} for i = 1, 1e6 do t[i] = ('x'):rep(100) .. i end",
        "local t = {} for i = 1, 40 do t[i] = ('x'):rep(1e6) .. i end "
        "return table.concat(t)",
    };
    struct world *world = *state;
    for (size_t i = 0; i < HF_ARRAY_COUNT(scripts); i++) {
        expect_stopped(world, scripts[i], HF_SCRIPT_STOPPED_MEMORY);
        assert_true(hf_lua_bytes(world->lua) < 1 << 20);
    }
}

/* Its length is 2^29. */
#define HOLES                                                                  \
    "local t = {[1]=1,[2]=1,[4]=1,[8]=1,[16]=1,[32]=1,[64]=1,[128]=1,"         \
    "[256]=1,[512]=1,[1024]=1,[2048]=1,[4096]=1,[8192]=1,[16384]=1,"           \
    "[32768]=1,[65536]=1,[131072]=1,[262144]=1,[524288]=1,[1048576]=1,"        \
    "[2097152]=1,[4194304]=1,[8388608]=1,[16777216]=1,[33554432]=1,"           \
    "[67108864]=1,[134217728]=1,[268435456]=1,[536870912]=1,} "

/* In one function of C no instructions are counted. */
static void functions_that_would_take_long_refuse(void **state)
{
    static const struct example examples[] = {
        {"return ('a'):rep(30):find(('a?'):rep(30) .. ('a'):rep(30))",
         "the pattern could take too long"},
        {"return ('a'):rep(10000):match('.-.-.-.-b')",
         "the pattern could take too long"},
        {"return ('a'):rep(10000):gsub('(.*)(.*)(.*)b', '')",
         "the pattern could take too long"},
        {"for x in ('('):rep(100000):gmatch('%b()') do end",
         "the pattern could take too long"},
        {"return ('a'):rep(200000):find(('a?'):rep(100000))",
         "a pattern may have 1024 bytes"},
        {"return ('a'):rep(1e6):find(('a'):rep(5e5) .. 'b', 1, true)",
         "the search could take too long"},
        {"for x in ('^a'):rep(1e4):gmatch('^.-.-b') do end",
         "the pattern could take too long"},
        {"return ('a'):rep(5e6):gsub('.', {})",
         "the pattern could take too long"},
        {"return ('a'):rep(5e6):gsub('.', type)",
         "the pattern could take too long"},
        {"table.insert({1}, -2^31 + 5, 2)", "the position must be 1 or more"},
        {"table.insert({1}, 2^31, 2)", "the position must be 1 or more"},
        {"table.insert({1}, 0, 2)", "the position must be 1 or more"},
        {HOLES "table.insert(t, 1, 2)", "the table has too many holes"},
        {HOLES "table.remove(t, 1)", "the table has too many holes"},
        {HOLES "table.sort(t, rawequal)", "the table has too many holes"},
        {HOLES "table.foreachi(t, select)", "the table has too many holes"},
    };
    for (size_t i = 0; i < HF_ARRAY_COUNT(examples); i++) {
        const char *answer = eval(*state, examples[i].script);
        if (strstr(answer, examples[i].answer) == NULL) {
            fail_msg("%s answers %s", examples[i].script, answer);
        }
    }
    assert_string_equal(eval(*state, "return #('').rep('', 1e15)"), "0");
}

static void patterns_of_common_sizes_work(void **state)
{
    static const struct example examples[] = {
        {"return {('user:17:x'):match('^(%a+):(%d+):(.*)$')}", "[user 17 x]"},
        {"return (('a,b,c'):gsub(',', ';'))", "a;b;c"},
        {"local n = 0 for w in ('one two  three'):gmatch('%S+') do n = n + 1 "
         "end return n",
         "3"},
        {"return ('x'):rep(3000):find('y+')", "(nil)"},
        {"return ('x=1;'):rep(1000):find('x=2', 1, true)", "(nil)"},
        {"return {('key'):find('e')}", "[2 2]"},
        {"local t = {3, 1, 2} table.sort(t) return t", "[1 2 3]"},
        {"local t = {3, 1, 2} table.sort(t, function(a, b) return a > b end) "
         "return t",
         "[3 2 1]"},
        {"local t = {'k', 'a', 'b'} table.sort(t, rawequal) return #t", "3"},
        {"local t = {1, 3} table.insert(t, 2, 2) table.insert(t, 1, 0) "
         "table.insert(t, 9) table.insert(t, 6, 10) return t",
         "[0 1 2 3 9 10]"},
        {"local n = 0 table.foreachi({4, 5}, function(i, v) n = n + i * v end) "
         "return n",
         "14"},
        {"for w in ('a^b'):gmatch('^b') do return w end", "^b"},
        {"return table.getn({1, 2})", "2"},
        {"return {tostring(1), tostring('x'), tostring(nil), tostring(true)}",
         "[1 x nil true]"},
        {"return {unpack({1, 2, 3})}", "[1 2 3]"},
        {"return select('#', unpack({1, 2, 3}))", "3"},
        {"return {xpcall(function() error('x', 0) end, function(e) return e "
         ".. '!' end)}",
         "[(nil) x!]"},
        {"return {pcall(function(a, b) return b, a end, 1, 2)}", "[1 2 1]"},
    };
    check(*state, examples, HF_ARRAY_COUNT(examples));
}

static void what_is_kept_is_bounded(void **state)
{
    struct world *world = *state;
    static char script[HF_SCRIPT_KEPT_BYTES / 16];
    (void)eval(world, "return 1");
    size_t least = world->mem.used_bytes;
    size_t most = 0;
    for (int i = 0; i < 5 * HF_SCRIPT_KEPT_MAX; i++) {
        snprintf(script, 100, "return %d", i);
        (void)eval(world, script);
        most = world->mem.used_bytes > most ? world->mem.used_bytes : most;
    }
    assert_true(most - least < (size_t)4 << 20);
    memset(script, ' ', sizeof(script) - 1);
    for (int i = 0; i < 100; i++) {
        int size = snprintf(script, 100, "return %d", i);
        script[size] = ' ';
        (void)eval(world, script);
        assert_true(world->mem.used_bytes - least < (size_t)10 << 20);
    }
}

static void each_failed_allocation_is_survived(void **state)
{
    (void)state;
    static const char script[] =
        "local t = {} for i = 1, 20 do t[i] = redis.call('get', KEYS[1]) .. i "
        "end return t";
    bool complete = false;
    for (uint64_t nth = 1; !complete; nth++) {
        struct world world = {.tick_us = 0};
        struct failing_mem failing;
        hf_mem_init_system(&world.mem);
        hf_buffer_init(&world.commands, &world.mem);
        hf_buffer_init(&world.tokens, &world.mem);
        hf_buffer_init(&world.answer, &world.mem);
        failing_mem_init(&failing);
        failing_mem_fail_from(&failing, nth);
        const struct hf_lua_config config = {.mem = &failing.mem,
                                             .value_bytes_max = 1 << 20};
        if (hf_lua_create(&world.lua, &config) != 0) {
            continue;
        }
        const char *answer =
            run(&world, &eval_row, hf_slice_text(script), "1 k");
        complete = strstr(answer, "v20") != NULL;
        assert_true(complete || strstr(answer, "OOM ") != NULL);
        hf_lua_destroy(world.lua);
        failing_mem_close(&failing);
        hf_buffer_close(&world.commands);
        hf_buffer_close(&world.tokens);
        hf_buffer_close(&world.answer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(values_become_replies, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(replies_become_values, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(arguments_are_written_as_redis_does,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(errors_are_those_of_redis, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(errors_run_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_reader_may_not_write, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_number_of_keys_is_checked, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(without_keys_there_are_no_sessions,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(large_answers_are_refused, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(nothing_is_left_behind, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(there_is_no_way_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_script_is_the_same_each_time, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(who_runs_too_long_is_stopped, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(who_takes_too_long_is_stopped, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(who_needs_too_much_is_stopped, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(functions_that_would_take_long_refuse,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(patterns_of_common_sizes_work, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_is_kept_is_bounded, set_up,
                                        tear_down),
        cmocka_unit_test(each_failed_allocation_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
