/* script_time_test.c - No script holds up its node for long, whatever it does:
 * those that try hardest, and how much of the processor each of them got. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/sanitized.h"
#include "script/engine.h"

/* It is stopped after 100 ms; and one step of it may have begun before. A slow
 * machine, or a build with sanitizers, takes several times as long. */
#define LIMIT_MS (HF_IS_SANITIZED ? 3000 : 400)

static uint64_t worked_us(void *user)
{
    struct timespec time;
    (void)user;
    assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time), 0);
    return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}

static void on_call(void *user, const struct hf_command *command,
                    struct hf_reply *reply)
{
    (void)user;
    (void)command;
    *reply = hf_reply_ok();
}

struct example {
    const char *name;
    const char *before;
    const char *repeated; /* So many times: more than a look apart. */
    int times;
    const char *after;
};

static const struct example examples[] = {
    {"compare", "local a = ('a'):rep(8e6) local b = a .. 'b' while true do ",
     "if a < b then end ", 200, "end"},
    {"compare zeros",
     "local a = ('\\0'):rep(8e6) local b = a .. 'b' while true do ",
     "if a < b then end ", 200, "end"},
    {"compare zeros of a megabyte",
     "local a = ('\\0'):rep(1e6) local b = a .. 'b' while true do ",
     "if a < b then end ", 200, "end"},
    {"compare zeros of 64 KiB",
     "local a = ('\\0'):rep(65000) local b = a .. 'b' while true do ",
     "if a < b then end ", 200, "end"},
    {"concatenate", "local a = ('a'):rep(7e6) local b while true do ",
     "b = a .. 'b' ", 200, "end"},
    {"concatenate among many",
     "local t = {} for i = 1, 2e5 do t[i] = {} end "
     "local a = ('a'):rep(3e6) local b while true do ",
     "b = a .. 'b' ", 200, "end"},
    {"sums", "local a = ('a'):rep(12e6) while true do ", "redis.sha1hex(a) ",
     100, "end"},
    {"numbers of text", "local a = ('1'):rep(12e6) local b while true do ",
     "b = a + 1 ", 200, "end"},
    {"blanks", "local a = (' '):rep(12e6) local b while true do ",
     "b = tonumber(a) ", 200, "end"},
    {"repeat", "while true do ", "('x'):rep(1.5e7) ", 20, "end"},
    {"replace with nothing", "local a = ('x'):rep(12e6) while true do ",
     "a:gsub('.', '') ", 20, "end"},
    {"replace by a table",
     "local a, t = ('x'):rep(10e6), {x = ''} "
     "while true do ",
     "a:gsub('.', t) ", 20, "end"},
    {"replace by a table, just allowed",
     "local a, t = ('x'):rep(4.9e6), {x = ''} "
     "while true do ",
     "a:gsub('.', t) ", 20, "end"},
    {"replace by a function of C", "local a = ('x'):rep(10e6) while true do ",
     "a:gsub('.', type) ", 20, "end"},
    {"find at each place", "local a = ('x'):rep(12e6) while true do ",
     "a:find('[^x]') ", 20, "end"},
    {"find slowly", "local a = ('x'):rep(5400) while true do ",
     "a:find('.-y') ", 20, "end"},
    {"find slowly with a set", "local a = ('x'):rep(5400) while true do ",
     "a:find('[%a%d%s%p%c]*y') ", 20, "end"},
    {"find slowly with two", "local a = ('x'):rep(500) while true do ",
     "a:find('.-.-y') ", 20, "end"},
    {"find slowly without anchor", "local a = ('x'):rep(500) while true do ",
     "a:find('x*x*y') ", 20, "end"},
    {"find a little", "local a = ('a'):rep(12e6) while true do ",
     "a:find('ab', 1, true) ", 20, "end"},
    {"find much",
     "local a = ('a'):rep(2e6) local b = ('a'):rep(200) .. 'b' "
     "while true do ",
     "a:find(b, 1, true) ", 20, "end"},
    {"gmatch", "local a = ('a'):rep(12e6) while true do ",
     "for x in a:gmatch('b') do end ", 20, "end"},
    {"gmatch slowly", "local a = ('a'):rep(5400) while true do ",
     "for x in a:gmatch('.-b') do end ", 20, "end"},
    {"upper", "local a = ('a'):rep(10e6) while true do ", "a:upper() ", 20,
     "end"},
    {"quote", "local a = ('\\n'):rep(5e6) while true do ", "('%q'):format(a) ",
     20, "end"},
    {"many globals of a table",
     "local t = {} for i = 1, 2^17 do t['k' .. i] = i end "
     "local n = 2^17 while true do ",
     "t['k' .. (n - 2^17 + 1)] = nil n = n + 1 t['k' .. n] = n ", 50, "end"},
    {"next of nothing",
     "local t = {} for i = 1, 2^17 do t['k' .. i] = i end "
     "for i = 1, 2^17 do t['k' .. i] = nil end while true do ",
     "next(t) ", 200, "end"},
    {"foreach", "local t = {} for i = 1, 2^20 do t[i] = i end while true do ",
     "table.foreach(t, rawequal) ", 50, "end"},
    {"foreachi", "local t = {} for i = 1, 2^20 do t[i] = i end while true do ",
     "table.foreachi(t, rawequal) ", 50, "end"},
    {"insert in front",
     "local t = {} for i = 1, 2^20 do t[i] = i end while true do ",
     "table.insert(t, 1, 1) table.remove(t, 1) ", 50, "end"},
    {"concat of empty",
     "local t = {} for i = 1, 2^20 do t[i] = '' end "
     "while true do ",
     "table.concat(t) ", 50, "end"},
    {"garbage", "local t = {} while true do ", "t = {t, {}, {}} t[1] = nil ",
     50, "end"},
    {"large and small garbage",
     "local t = {} for i = 1, 3e5 do t[i] = {} end while true do ",
     "t[#t] = ('x'):rep(1e6) .. #t ", 50, "end"},
    {"compile much", "local a = 1 ", "a = {1, {2}, 'x' .. a} ", 500000, ""},
    {"compile nothing", "", "                                        ", 400000,
     ""},
    {"calls", "local a = ('x'):rep(3e6) while true do ",
     "redis.call('set', 'k', a) ", 100, "end"},
    {"texts of errors", "local a = ('x'):rep(3e6) while true do ",
     "redis.error_reply(a) ", 100, "end"},
};

static void write_script(const struct example *example,
                         struct hf_buffer *script)
{
    hf_buffer_clear(script);
    hf_buffer_append_text(script, example->before);
    for (int i = 0; i < example->times; i++) {
        hf_buffer_append_text(script, example->repeated);
    }
    hf_buffer_append_text(script, example->after);
    assert_false(script->failed);
}

/* How many milliseconds the script took of the processor. */
static uint64_t run(struct hf_lua *lua, struct hf_slice script,
                    struct hf_buffer *answer)
{
    const struct hf_slice argv[] = {HF_SLICE_LITERAL("EVAL"), script,
                                    HF_SLICE_LITERAL("1"),
                                    HF_SLICE_LITERAL("k")};
    const struct hf_command command = {
        .row = hf_command_find(argv[0]), .argc = 4, .argv = argv};
    const struct hf_lua_world world = {.call = on_call};
    struct hf_reply reply;
    uint64_t began = worked_us(NULL);
    (void)hf_lua_run(lua, &world, &command, &reply);
    uint64_t took = worked_us(NULL) - began;
    hf_buffer_clear(answer);
    hf_reply_encode(&reply, answer);
    return took / 1000;
}

static void nothing_takes_long(void **state)
{
    struct hf_mem mem;
    struct hf_lua *lua = NULL;
    struct hf_buffer script;
    struct hf_buffer answer;
    int slow = 0;
    (void)state;
    hf_mem_init_system(&mem);
    const struct hf_lua_config config = {.mem = &mem,
                                         .value_bytes_max = 16 << 20,
                                         .now_us = worked_us,
                                         .worked_us = worked_us};
    assert_int_equal(hf_lua_create(&lua, &config), 0);
    hf_buffer_init(&script, &mem);
    hf_buffer_init(&answer, &mem);
    for (size_t i = 0; i < HF_ARRAY_COUNT(examples); i++) {
        write_script(&examples[i], &script);
        uint64_t ms = run(lua, hf_buffer_slice(&script), &answer);
        bool is_slow = ms > LIMIT_MS;
        slow += is_slow ? 1 : 0;
        print_message("%s%6u ms  %s: %.*s\n", is_slow ? "SLOW " : "",
                      (unsigned)ms, examples[i].name,
                      (int)(answer.size < 90 ? answer.size : 90),
                      (const char *)answer.data + 5);
    }
    hf_buffer_close(&script);
    hf_buffer_close(&answer);
    hf_lua_destroy(lua);
    assert_int_equal(slow, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_takes_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
