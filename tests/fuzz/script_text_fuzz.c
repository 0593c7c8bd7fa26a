/* script_text_fuzz.c - Any text as a script: it never gets out of its box,
 * never takes more than it may, and leaves nothing to the next one. */
#include <stdlib.h>
#include <string.h>

#include "script/engine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void on_call(void *user, const struct hf_command *command,
                    struct hf_reply *reply)
{
    uint8_t *calls = user;
    check(command->argc >= 1);
    switch (++*calls % 4) {
    case 0:
        *reply = hf_reply_nil();
        break;
    case 1:
        *reply = hf_reply_integer(*calls);
        break;
    case 2:
        *reply = hf_reply_error("WRONGTYPE no");
        break;
    default:
        *reply = hf_reply_bulk(command->argv[0]);
        break;
    }
}

static struct hf_reply run(struct hf_lua *lua, struct hf_slice script)
{
    uint8_t calls = 0;
    const struct hf_slice argv[] = {
        HF_SLICE_LITERAL("EVAL"), script, HF_SLICE_LITERAL("1"),
        HF_SLICE_LITERAL("k"), HF_SLICE_LITERAL("a")};
    const struct hf_command command = {
        .row = hf_command_find(argv[0]), .argc = 5, .argv = argv};
    const struct hf_lua_world world = {.user = &calls, .call = on_call};
    struct hf_reply reply;
    (void)hf_lua_run(lua, &world, &command, &reply);
    return reply;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char probe[] =
        "local n = 0 for _ in pairs(_G) do n = n + 1 end "
        "return tostring(n == 0 and rawget(_G, 'x') == nil and "
        "math[1] == nil and string.x == nil and #KEYS == 1 and "
        "('a'):upper() == 'A' and type(redis.call) == 'function')";
    struct hf_mem mem;
    struct hf_lua *lua = NULL;
    hf_mem_init_system(&mem);
    const struct hf_lua_config config = {.mem = &mem,
                                         .value_bytes_max = 1 << 16};
    check(hf_lua_create(&lua, &config) == 0);
    (void)run(lua, (struct hf_slice){data, size});
    check(hf_lua_bytes(lua) <= HF_SCRIPT_MEMORY_BYTES);
    struct hf_reply reply = run(lua, hf_slice_text(probe));
    check(reply.kind == HF_REPLY_BULK);
    check(hf_slice_equal(reply.bytes, HF_SLICE_LITERAL("true")));
    hf_lua_destroy(lua);
    check(mem.used_bytes == 0);
    return 0;
}
