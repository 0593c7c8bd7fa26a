#include "script/engine.h"

#include <string.h>

#include "base/assert.h"
#include "base/hash.h"
#include "core/key.h"
#include "holdfast/error.h"
#include "script/engine_private.h"

/* What Lua may hold between runs: more is collected, and if that does not help
 * everything is thrown away. */
#define IDLE_BYTES ((size_t)4 << 20)
#define REPLY_KEEP_BYTES ((size_t)64 << 10)
/* Collecting begins early and is fast: all garbage counts as used. */
#define COLLECT_PAUSE 120
#define COLLECT_STEPS 400

static const char no_memory_text[] =
    "OOM command not allowed: this node is out of memory";

/* Memory. */

static void *allocate(void *user, void *old, size_t old_size, size_t size)
{
    struct hf_lua *lua = user;
    if (size == 0) {
        hf_mem_free(lua->config.mem, old, old_size);
        lua->bytes -= old_size;
        return NULL;
    }
    if (size > old_size &&
        lua->bytes - old_size + size > HF_SCRIPT_MEMORY_BYTES) {
        lua->stopped = HF_SCRIPT_STOPPED_MEMORY;
        return NULL;
    }
    if (size > old_size && !hf_lua_watch_piece(lua, size)) {
        return NULL;
    }
    void *piece = hf_mem_resize(lua->config.mem, old, old_size, size);
    if (piece != NULL) {
        lua->bytes = lua->bytes - old_size + size;
    } else if (lua->stopped == NULL) {
        lua->stopped = no_memory_text;
    }
    return piece;
}

static int on_panic(lua_State *state)
{
    (void)state;
    HF_ASSERT(false); /* Something ran without protection. */
    return 0;
}

/* Life. */

static int open_protected(lua_State *state)
{
    lua_gc(state, LUA_GCSETPAUSE, COLLECT_PAUSE);
    lua_gc(state, LUA_GCSETSTEPMUL, COLLECT_STEPS);
    hf_lua_open_sandbox(state);
    return 0;
}

/* What was compiled has to be compiled again then. */
static void state_close(struct hf_lua *lua)
{
    if (lua->state != NULL) {
        lua_close(lua->state);
        lua->state = NULL;
    }
    for (size_t i = 0; i < lua->kept_count; i++) {
        lua->kept[i].function = LUA_NOREF;
    }
}

void hf_lua_forget(struct hf_lua *lua)
{
    HF_ASSERT(lua->world == NULL);
    state_close(lua);
    for (size_t i = 0; i < lua->kept_count; i++) {
        hf_mem_free(lua->config.mem, (void *)(uintptr_t)lua->kept[i].body.data,
                    lua->kept[i].body.size);
    }
    lua->kept_count = 0;
    lua->kept_bytes = 0;
}

/* Makes sure that there is one. 0 or HF_ENOMEM. */
static int state_open(struct hf_lua *lua)
{
    if (lua->state != NULL) {
        return 0;
    }
    lua->state = lua_newstate(allocate, lua);
    if (lua->state == NULL) {
        return HF_ENOMEM;
    }
    (void)lua_atpanic(lua->state, on_panic);
    if (lua_cpcall(lua->state, open_protected, NULL) != 0) {
        state_close(lua);
        return HF_ENOMEM;
    }
    return 0;
}

int hf_lua_create(struct hf_lua **created, const struct hf_lua_config *config)
{
    struct hf_lua *lua = hf_mem_alloc_zero(config->mem, sizeof(*lua));
    if (lua == NULL) {
        return HF_ENOMEM;
    }
    lua->config = *config;
    hf_buffer_init(&lua->out, config->mem);
    hf_buffer_init(&lua->text, config->mem);
    hf_buffer_init(&lua->keys, config->mem);
    *created = lua;
    return 0;
}

void hf_lua_destroy(struct hf_lua *lua)
{
    if (lua == NULL) {
        return;
    }
    hf_lua_forget(lua);
    hf_buffer_close(&lua->out);
    hf_buffer_close(&lua->text);
    hf_buffer_close(&lua->keys);
    hf_mem_free(lua->config.mem, lua, sizeof(*lua));
}

size_t hf_lua_bytes(const struct hf_lua *lua)
{
    return lua->bytes;
}

/* Errors. */

static bool is_out_of_memory(const struct hf_lua *lua)
{
    return lua->out.failed || lua->text.failed;
}

/* What is in `text`, on one line. */
static void reply_text(struct hf_lua *lua, struct hf_reply *reply)
{
    for (size_t i = 0; i < lua->text.size; i++) {
        if (lua->text.data[i] == '\r' || lua->text.data[i] == '\n') {
            lua->text.data[i] = ' ';
        }
    }
    *reply = (struct hf_reply){.kind = HF_REPLY_ERROR,
                               .bytes = hf_buffer_slice(&lua->text)};
    if (is_out_of_memory(lua)) {
        *reply = hf_reply_error(no_memory_text);
    }
}

/* Fields of the table at the index @table, from and to the top. They ask no
 * metatable, which would run more of the script while nobody counts. */
static void get_raw(lua_State *state, int table, const char *name)
{
    lua_pushstring(state, name);
    lua_rawget(state, table);
}

static void set_raw(lua_State *state, int table, const char *name)
{
    lua_pushstring(state, name);
    lua_insert(state, -2);
    lua_rawset(state, table);
}

/* Makes a table of an error: its text and, level by level, the first place that
 * is in the script. A new one, as that of the script may be locked. */
static int on_error(lua_State *state)
{
    lua_Debug at;
    lua_settop(state, 1);
    lua_createtable(state, 0, 3);
    if (lua_istable(state, 1)) {
        get_raw(state, 1, "err");
    } else {
        lua_pushliteral(state, "ERR ");
        if (lua_isstring(state, 1)) {
            lua_pushvalue(state, 1);
        } else {
            lua_pushstring(state, luaL_typename(state, 1));
        }
        lua_concat(state, 2);
    }
    set_raw(state, 2, "err");
    for (int level = 1; level <= 2 && lua_getstack(state, level, &at);
         level++) {
        if (lua_getinfo(state, "Sl", &at) == 0 || at.what[0] == 'C') {
            continue;
        }
        lua_pushstring(state, at.source);
        set_raw(state, 2, "source");
        lua_pushinteger(state, at.currentline);
        set_raw(state, 2, "line");
        break;
    }
    return 1;
}

/* Puts the error on top of the stack into `text`. */
static void write_error(struct hf_lua *lua, lua_State *state)
{
    struct hf_buffer *text = &lua->text;
    size_t size = 0;
    int table = lua_gettop(state);
    hf_buffer_clear(text);
    if (!lua_istable(state, table)) { /* In the handler itself. */
        const char *what = lua_tolstring(state, table, &size);
        hf_buffer_append_text(text, "ERR ");
        hf_buffer_append(text, what == NULL ? "?" : what,
                         what == NULL ? 1 : size);
        return;
    }
    get_raw(state, table, "err");
    const char *what = lua_tolstring(state, -1, &size);
    if (what == NULL || size == 0) {
        hf_buffer_append_text(text, "ERR unknown error");
    } else {
        hf_buffer_append(text, what, size);
    }
    get_raw(state, table, "source");
    get_raw(state, table, "line");
    if (lua_isstring(state, -2) && lua_isnumber(state, -1)) {
        hf_buffer_append_text(text, " script: ");
        hf_buffer_append(text, lua->script->sha1, HF_SHA1_TEXT_BYTES);
        hf_buffer_append_text(text, ", on ");
        hf_buffer_append_text(text, lua_tostring(state, -2));
        hf_buffer_append_text(text, ":");
        hf_buffer_append_int64(text, (int64_t)lua_tointeger(state, -1));
        hf_buffer_append_text(text, ".");
    }
    lua_pop(state, 3);
}

/* Compiling. */

struct compiling {
    struct hf_lua *lua;
    struct hf_slice body;
    int function; /* Out: a reference; LUA_NOREF: the error is in `text`. */
};

static int compile_protected(lua_State *state)
{
    struct compiling *compiling = lua_touserdata(state, 1);
    struct hf_lua *lua = compiling->lua;
    if (luaL_loadbuffer(state, (const char *)compiling->body.data,
                        compiling->body.size, "@user_script") != 0) {
        hf_buffer_clear(&lua->text);
        hf_buffer_append_text(&lua->text,
                              "ERR Error compiling script (new function): ");
        hf_buffer_append_text(&lua->text, lua_tostring(state, -1));
        return 0;
    }
    lua_rawgeti(state, LUA_REGISTRYINDEX, lua->environment);
    (void)lua_setfenv(state, -2);
    compiling->function = luaL_ref(state, LUA_REGISTRYINDEX);
    return 0;
}

/* NULL: it is not there yet. */
static struct hf_kept *kept_find(struct hf_lua *lua, struct hf_slice body,
                                 uint64_t hash)
{
    for (size_t i = 0; i < lua->kept_count; i++) {
        if (lua->kept_hashes[i] == hash &&
            hf_slice_equal(lua->kept[i].body, body)) {
            return &lua->kept[i];
        }
    }
    return NULL;
}

bool hf_lua_find(const struct hf_lua *lua, struct hf_slice sha1,
                 struct hf_slice *body)
{
    for (size_t i = 0; i < lua->kept_count; i++) {
        if (hf_slice_equal_nocase(sha1, lua->kept[i].sha1)) {
            *body = lua->kept[i].body;
            return true;
        }
    }
    return false;
}

/* A copy of @body, without its function. NULL: no memory. */
static struct hf_kept *kept_add(struct hf_lua *lua, struct hf_slice body,
                                uint64_t hash)
{
    if (lua->kept_count == HF_SCRIPT_KEPT_MAX ||
        lua->kept_bytes + body.size > HF_SCRIPT_KEPT_BYTES) {
        hf_lua_forget(lua); /* To make room, by beginning anew. */
    }
    uint8_t *copy = hf_mem_alloc(lua->config.mem, body.size);
    if (copy == NULL) {
        return NULL;
    }
    if (body.size > 0) {
        memcpy(copy, body.data, body.size);
    }
    struct hf_kept *kept = &lua->kept[lua->kept_count];
    *kept = (struct hf_kept){.body = {copy, body.size}, .function = LUA_NOREF};
    hf_sha1_text(body, kept->sha1);
    lua->kept_hashes[lua->kept_count++] = hash;
    lua->kept_bytes += body.size;
    return kept;
}

static void kept_drop_last(struct hf_lua *lua)
{
    struct hf_kept *last = &lua->kept[--lua->kept_count];
    lua->kept_bytes -= last->body.size;
    hf_mem_free(lua->config.mem, (void *)(uintptr_t)last->body.data,
                last->body.size);
}

/* Makes the function of @kept. False: @reply says why. */
static bool compile(struct hf_lua *lua, struct hf_kept *kept,
                    struct hf_reply *reply)
{
    struct compiling compiling = {lua, kept->body, LUA_NOREF};
    *reply = hf_reply_error(no_memory_text);
    if (kept->body.size > 0 && kept->body.data[0] == LUA_SIGNATURE[0]) {
        *reply = hf_reply_error("ERR Error compiling script (new function): "
                                "compiled code is not accepted");
        return false;
    }
    if (state_open(lua) != 0) {
        return false;
    }
    hf_lua_watch_begin(lua);
    int failed = lua_cpcall(lua->state, compile_protected, &compiling);
    hf_lua_watch_end(lua);
    lua_settop(lua->state, 0);
    if (lua->stopped != NULL) {
        *reply = hf_reply_error(lua->stopped);
        return false;
    }
    if (failed != 0) {
        return false;
    }
    if (compiling.function == LUA_NOREF) {
        reply_text(lua, reply);
        return false;
    }
    kept->function = compiling.function;
    return true;
}

/* The script @body, compiled. NULL: @reply says why it is not. */
static const struct hf_kept *kept_get(struct hf_lua *lua, struct hf_slice body,
                                      struct hf_reply *reply)
{
    uint64_t hash = hf_hash(body);
    struct hf_kept *kept = kept_find(lua, body, hash);
    bool added = kept == NULL;
    if (added) {
        kept = kept_add(lua, body, hash);
    }
    if (kept == NULL) {
        *reply = hf_reply_error(no_memory_text);
        return NULL;
    }
    if (kept->function == LUA_NOREF && !compile(lua, kept, reply)) {
        if (added) {
            kept_drop_last(lua);
        }
        return NULL;
    }
    return kept;
}

/* Running. */

bool hf_lua_key_count(const struct hf_command *command, uint32_t *count,
                      struct hf_reply *reply)
{
    int64_t value;
    HF_ASSERT(command->argc >= 3);
    if (!hf_slice_to_int64(command->argv[2], &value)) {
        *reply = hf_reply_error("ERR value is not an integer or out of range");
        return false;
    }
    if (value > (int64_t)command->argc - 3) {
        *reply = hf_reply_error(
            "ERR Number of keys can't be greater than number of args");
        return false;
    }
    if (value < 0) {
        *reply = hf_reply_error("ERR Number of keys can't be negative");
        return false;
    }
    *count = (uint32_t)value;
    return true;
}

/* Sets the global @name, in the table on top, to a table of arguments; keys as
 * the client calls them. */
static void set_arguments(lua_State *state, const char *name,
                          const struct hf_slice *argv, uint32_t count,
                          bool keys)
{
    lua_createtable(state, (int)count, 0);
    for (uint32_t i = 0; i < count; i++) {
        struct hf_slice text = keys ? hf_key_text(argv[i]) : argv[i];
        lua_pushlstring(state, (const char *)text.data, text.size);
        lua_rawseti(state, -2, (int)i + 1);
    }
    lua_setfield(state, -2, name);
}

static int write_protected(lua_State *state)
{
    struct hf_lua *lua = hf_lua_of(state);
    hf_lua_write_value(state, &lua->out);
    return 0;
}

struct running {
    uint32_t key_count;
    bool failed; /* The error is in `text`; else the answer is in `out`. */
};

static void run_script(lua_State *state, struct hf_lua *lua,
                       struct running *running)
{
    lua_pushcfunction(state, on_error);
    lua_rawgeti(state, LUA_REGISTRYINDEX, lua->script->function);
    hf_lua_watch_begin(lua);
    running->failed = lua_pcall(state, 0, 1, -2) != 0;
    hf_lua_watch_end(lua);
    if (running->failed) {
        write_error(lua, state);
        return;
    }
    lua_pushcfunction(state, write_protected);
    lua_insert(state, -2);
    if (lua_pcall(state, 1, 0, 0) != 0) {
        running->failed = true;
        hf_buffer_clear(&lua->text);
        hf_buffer_append_text(&lua->text, "ERR ");
        hf_buffer_append_text(&lua->text, lua_tostring(state, -1));
    }
}

static int run_protected(lua_State *state)
{
    struct running *running = lua_touserdata(state, 1);
    struct hf_lua *lua = hf_lua_of(state);
    const struct hf_command *command = lua->command;
    const struct hf_slice *keys = command->argv + 3;
    lua_rawgeti(state, LUA_REGISTRYINDEX, lua->globals);
    set_arguments(state, "KEYS", keys, running->key_count, true);
    set_arguments(state, "ARGV", keys + running->key_count,
                  command->argc - 3 - running->key_count, false);
    run_script(state, lua, running);
    lua_settop(state, 2);
    set_arguments(state, "KEYS", NULL, 0, true);
    set_arguments(state, "ARGV", NULL, 0, false);
    return 0;
}

static int collect_protected(lua_State *state)
{
    lua_gc(state, LUA_GCCOLLECT, 0);
    return 0;
}

/* Leaves little behind. */
static void tidy_up(struct hf_lua *lua)
{
    if (lua->stopped == NULL && lua->bytes > IDLE_BYTES) {
        (void)lua_cpcall(lua->state, collect_protected, NULL);
        lua_settop(lua->state, 0);
    }
    if (lua->stopped != NULL || lua->bytes > 2 * IDLE_BYTES) {
        state_close(lua);
    }
    lua->world = NULL;
    lua->command = NULL;
    lua->script = NULL;
}

static void begin(struct hf_lua *lua)
{
    lua->stopped = NULL;
    hf_buffer_clear(&lua->out);
    hf_buffer_clear(&lua->text);
    hf_buffer_trim(&lua->out, REPLY_KEEP_BYTES);
    hf_buffer_trim(&lua->text, REPLY_KEEP_BYTES);
    hf_buffer_trim(&lua->keys, REPLY_KEEP_BYTES);
}

bool hf_lua_compiles(struct hf_lua *lua, struct hf_slice body,
                     struct hf_reply *reply)
{
    begin(lua);
    bool compiles = kept_get(lua, body, reply) != NULL;
    if (lua->stopped != NULL) {
        state_close(lua);
    }
    return compiles;
}

/* As part of a transaction, EVALSHA comes here as the client sent it. */
static const struct hf_kept *script_of(struct hf_lua *lua,
                                       const struct hf_command *command,
                                       struct hf_reply *reply)
{
    struct hf_slice body = command->argv[1];
    if (strncmp(command->row->name, "EVALSHA", 7) == 0 &&
        !hf_lua_find(lua, command->argv[1], &body)) {
        *reply =
            hf_reply_error("NOSCRIPT No matching script. Please use EVAL.");
        return NULL;
    }
    return kept_get(lua, body, reply);
}

const char *hf_lua_run(struct hf_lua *lua, const struct hf_lua_world *world,
                       const struct hf_command *command, struct hf_reply *reply)
{
    struct running running = {.failed = false};
    HF_ASSERT(lua->world == NULL); /* No script runs another one. */
    begin(lua);
    if (!hf_lua_key_count(command, &running.key_count, reply)) {
        return NULL;
    }
    lua->script = script_of(lua, command, reply);
    if (lua->script != NULL) {
        lua->world = world;
        lua->command = command;
        lua->read_only = (command->row->flags & HF_COMMAND_WRITE) == 0;
        lua->has_keys = running.key_count > 0;
        lua->database = lua->has_keys ? hf_key_database(command->argv[3]) : 0;
        lua->random = 0;
        lua->largest = lua->script->body.size; /* It may be one text. */
        int broken = lua_cpcall(lua->state, run_protected, &running);
        lua_settop(lua->state, 0);
        if (broken != 0 && lua->stopped == NULL) {
            lua->stopped = no_memory_text;
        }
        if (running.failed) {
            reply_text(lua, reply);
        } else if (is_out_of_memory(lua) ||
                   !hf_reply_decode(hf_buffer_slice(&lua->out), reply)) {
            *reply = hf_reply_error(no_memory_text);
        }
    }
    const char *stopped = lua->stopped;
    if (stopped != NULL) {
        *reply = hf_reply_error(stopped);
    }
    tidy_up(lua);
    return stopped;
}
