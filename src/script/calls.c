/* calls.c - The table `redis`: what a script can do to sessions. */
#include <stdio.h>
#include <string.h>

#include "script/engine_private.h"

#define ARGUMENTS_NEAR 16
/* Digits enough for any number of Lua. */
#define NUMBER_BYTES 40

static const char not_allowed_text[] =
    "ERR This Redis command is not allowed from script";

static const char no_memory_text[] =
    "OOM command not allowed: this node is out of memory";

/* What redis.call and redis.pcall share: a command and what becomes of it. */
struct call {
    const char *error; /* It was not carried out. */
    struct hf_reply reply;
};

/* Arguments as strings, on the stack where they were. */
static bool arguments_to_strings(lua_State *state, int count)
{
    for (int i = 1; i <= count; i++) {
        int type = lua_type(state, i);
        if (type == LUA_TNUMBER) {
            char text[NUMBER_BYTES];
            int size = snprintf(text, sizeof(text), "%.17g",
                                (double)lua_tonumber(state, i));
            lua_pushlstring(state, text, (size_t)size);
            lua_replace(state, i);
        } else if (type != LUA_TSTRING) {
            return false;
        }
    }
    return true;
}

/* Commands of the connection and of a node that make sense here too. */
static bool run_here(struct hf_lua *lua, const struct hf_command *command,
                     struct hf_reply *reply)
{
    struct hf_slice name = command->argv[0];
    if (hf_slice_equal_nocase(name, "PING")) {
        *reply = command->argc > 1
                     ? hf_reply_bulk(command->argv[1])
                     : (struct hf_reply){.kind = HF_REPLY_STATUS,
                                         .bytes = HF_SLICE_LITERAL("PONG")};
        return true;
    }
    if (hf_slice_equal_nocase(name, "ECHO")) {
        *reply = hf_reply_bulk(command->argv[1]);
        return true;
    }
    if (hf_slice_equal_nocase(name, "TIME")) {
        int64_t us = lua->world->wall_ms % 1000 * 1000;
        char text[NUMBER_BYTES];
        hf_buffer_clear(&lua->text);
        hf_reply_put_array(&lua->text, 2);
        int size = snprintf(text, sizeof(text), "%lld",
                            (long long)(lua->world->wall_ms / 1000));
        hf_reply_put_bulk(
            &lua->text, (struct hf_slice){(const uint8_t *)text, (size_t)size});
        size = snprintf(text, sizeof(text), "%lld", (long long)us);
        hf_reply_put_bulk(
            &lua->text, (struct hf_slice){(const uint8_t *)text, (size_t)size});
        *reply = hf_reply_nested(&lua->text);
        return true;
    }
    return false;
}

static bool arguments_fit(const struct hf_lua *lua,
                          const struct hf_command *command)
{
    for (uint32_t i = 0; i < command->argc; i++) {
        if (command->argv[i].size > lua->config.value_bytes_max) {
            return false;
        }
    }
    return true;
}

static void carry_out(struct hf_lua *lua, struct hf_command *command,
                      struct call *call)
{
    command->row = hf_command_find(command->argv[0]);
    const struct hf_command_row *row = command->row;
    if (row == NULL) {
        call->error = "ERR Unknown Redis command called from script";
    } else if (!hf_command_arity_fits(row, command->argc)) {
        call->error =
            "ERR Wrong number of args calling Redis command from script";
    } else if (row->route == HF_ROUTE_CONNECTION ||
               row->route == HF_ROUTE_NODE) {
        if (!run_here(lua, command, &call->reply)) {
            call->error = not_allowed_text;
        }
    } else if (row->route == HF_ROUTE_SCRIPT ||
               !hf_command_fits_unit(command)) {
        call->error = not_allowed_text;
    } else if (lua->read_only && (row->flags & HF_COMMAND_WRITE) != 0) {
        call->error =
            "ERR Write commands are not allowed from read-only scripts.";
    } else if (!arguments_fit(lua, command)) {
        call->error = "ERR string exceeds maximum allowed size";
    } else if (lua->world->call == NULL || !lua->has_keys) {
        call->error = "ERR a script without keys cannot use sessions";
    } else if (!hf_command_encode_keys(command, lua->database, &lua->keys)) {
        call->error = no_memory_text;
    } else {
        lua->world->call(lua->world->user, command, &call->reply);
    }
}

/* The command on the stack. */
static void call_run(lua_State *state, struct call *call)
{
    struct hf_lua *lua = hf_lua_of(state);
    struct hf_slice near[ARGUMENTS_NEAR];
    struct hf_slice *argv = near;
    int count = lua_gettop(state);
    hf_lua_look_at_time(state);
    if (count == 0) {
        call->error =
            "ERR Please specify at least one argument for this redis lib call";
        return;
    }
    if (count > ARGUMENTS_NEAR) { /* Freed with the call's stack. */
        argv = lua_newuserdata(state, (size_t)count * sizeof(argv[0]));
    }
    if (!arguments_to_strings(state, count)) {
        call->error =
            "ERR Lua redis lib command arguments must be strings or integers";
        return;
    }
    for (int i = 0; i < count; i++) {
        argv[i].data =
            (const uint8_t *)lua_tolstring(state, i + 1, &argv[i].size);
    }
    struct hf_command command = {.argc = (uint32_t)count, .argv = argv};
    carry_out(lua, &command, call);
}

static bool push_result(lua_State *state, const struct call *call)
{
    if (call->error != NULL) {
        hf_lua_push_error(state, call->error, strlen(call->error));
        return false;
    }
    hf_lua_push_reply(state, &call->reply);
    return call->reply.kind != HF_REPLY_ERROR;
}

static int redis_call(lua_State *state)
{
    struct call call = {.error = NULL};
    call_run(state, &call);
    return push_result(state, &call) ? 1 : lua_error(state);
}

static int redis_pcall(lua_State *state)
{
    struct call call = {.error = NULL};
    call_run(state, &call);
    (void)push_result(state, &call);
    return 1;
}

/* Errors of the functions of `redis` have no place in the script in front. */
static int raise(lua_State *state, const char *text)
{
    hf_lua_push_error(state, text, strlen(text));
    return lua_error(state);
}

static bool is_one_string(lua_State *state)
{
    return lua_gettop(state) == 1 && lua_type(state, 1) == LUA_TSTRING;
}

static int redis_error_reply(lua_State *state)
{
    size_t size = 0;
    if (!is_one_string(state)) {
        static const char wrong[] = "ERR wrong number or type of arguments";
        hf_lua_push_error(state, wrong, sizeof(wrong) - 1);
        return 1;
    }
    const char *text = lua_tolstring(state, 1, &size);
    hf_lua_push_error(state, text, size);
    return 1;
}

static int redis_status_reply(lua_State *state)
{
    if (!is_one_string(state)) {
        return redis_error_reply(state);
    }
    lua_createtable(state, 0, 1);
    lua_pushvalue(state, 1);
    lua_setfield(state, -2, "ok");
    return 1;
}

static int redis_sha1hex(lua_State *state)
{
    char text[HF_SHA1_TEXT_BYTES + 1];
    size_t size = 0;
    if (lua_gettop(state) != 1) {
        return raise(state, "ERR wrong number of arguments");
    }
    hf_lua_look_at_time(state);
    const char *bytes = lua_tolstring(state, 1, &size);
    hf_sha1_text((struct hf_slice){(const uint8_t *)bytes, size}, text);
    lua_pushlstring(state, text, HF_SHA1_TEXT_BYTES);
    return 1;
}

/* Taken, checked and not written anywhere: a log that each request of each
 * client writes to is of no use to who runs the node. */
static int redis_log(lua_State *state)
{
    if (lua_gettop(state) < 2) {
        return raise(state, "ERR redis.log() requires two arguments or more.");
    }
    if (lua_type(state, 1) != LUA_TNUMBER) {
        return raise(state, "ERR First argument must be a number (log level).");
    }
    lua_Number level = lua_tonumber(state, 1);
    if (!(level >= 0 && level <= 3)) {
        return raise(state, "ERR Invalid debug level.");
    }
    return 0;
}

/* Effects are what replicates, always. */
static int redis_replicate_commands(lua_State *state)
{
    lua_pushboolean(state, 1);
    return 1;
}

static int redis_setresp(lua_State *state)
{
    if (lua_gettop(state) != 1) {
        return raise(state, "ERR redis.setresp() requires one argument.");
    }
    if (lua_tonumber(state, 1) != 2) {
        return raise(state, "ERR RESP version must be 2.");
    }
    return 0;
}

void hf_lua_push_redis(lua_State *state)
{
    static const luaL_Reg functions[] = {
        {"call", redis_call},
        {"pcall", redis_pcall},
        {"error_reply", redis_error_reply},
        {"status_reply", redis_status_reply},
        {"sha1hex", redis_sha1hex},
        {"log", redis_log},
        {"replicate_commands", redis_replicate_commands},
        {"setresp", redis_setresp},
    };
    static const struct {
        const char *name;
        int value;
    } numbers[] = {
        {"LOG_DEBUG", 0},
        {"LOG_VERBOSE", 1},
        {"LOG_NOTICE", 2},
        {"LOG_WARNING", 3},
    };
    lua_newtable(state);
    for (size_t i = 0; i < HF_ARRAY_COUNT(functions); i++) {
        lua_pushcfunction(state, functions[i].func);
        lua_setfield(state, -2, functions[i].name);
    }
    for (size_t i = 0; i < HF_ARRAY_COUNT(numbers); i++) {
        lua_pushinteger(state, numbers[i].value);
        lua_setfield(state, -2, numbers[i].name);
    }
}
