/* sandbox.c - What of Lua a script sees, and the limits of its work.
 *
 * What is there: functions that compute. What is not, and why:
 *
 *   io, os, package, debug, print, dofile, require   the world outside
 *   load, loadstring, string.dump    compiled code is not checked by Lua
 *   setfenv, getfenv                 would open what is locked
 *   coroutine                        each would have a count of its own
 *   collectgarbage, newproxy         work behind the script's back
 *
 * Tables that all scripts share are locked: a script gets an empty table whose
 * metatable, hidden itself, reads from the real one. So functions that write to
 * tables without asking the metatable have to look for that (refuse_locked).
 *
 * A hook of Lua counts instructions, and looks at the time more often where one
 * of them may be slow because something is large. Work that makes something
 * large asks for memory, and the time is looked at then, too. But while a
 * function in C runs there may be neither. So those that may take long look at
 * the time before, and those that could take very long with few arguments are
 * held to a bound (the patterns of `string`, `string.rep`, the lengths of
 * tables) or look at the time in between (table.sort). */
#include <limits.h>
#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "script/engine_private.h"

/* Bytes that Lua asks for between two looks at the time; and how large pieces
 * are when all is looked at as usual. */
#define LOOK_BYTES ((size_t)64 << 10)
/* Steps of matching that a pattern may need at worst; and what it costs to find
 * the replacement of one match without instructions. */
#define PATTERN_STEPS_MAX 3e7
#define REPLACE_STEPS 5
#define PATTERN_BYTES_MAX 1024
/* No table needs less for a value. */
#define VALUE_BYTES_MIN 16
/* In the metatables of locked tables. */
#define LOCKED "locked"

struct hf_lua *hf_lua_of(lua_State *state)
{
    void *user = NULL;
    (void)lua_getallocf(state, &user);
    return user;
}

/* Work. */

static int give_up(lua_State *state, struct hf_lua *lua, const char *why)
{
    if (lua->stopped == NULL) {
        lua->stopped = why;
    }
    return luaL_error(state, "%s", lua->stopped);
}

static uint64_t read_clock(const struct hf_lua *lua,
                           uint64_t (*clock)(void *user))
{
    return clock == NULL ? 0 : clock(lua->config.user);
}

/* The second clock costs more. */
static bool is_too_late(const struct hf_lua *lua)
{
    const struct hf_lua_config *config = &lua->config;
    return read_clock(lua, config->now_us) - lua->began_us >
               HF_SCRIPT_TIME_US &&
           (config->worked_us == NULL ||
            config->worked_us(config->user) - lua->worked_us >
                HF_SCRIPT_WORK_US);
}

static void look_at_time(lua_State *state, struct hf_lua *lua)
{
    if (lua->stopped != NULL || is_too_late(lua)) {
        give_up(state, lua, HF_SCRIPT_STOPPED_TIME);
    }
}

void hf_lua_look_at_time(lua_State *state)
{
    look_at_time(state, hf_lua_of(state));
}

/* One instruction may compare or join texts of any size, or walk through a
 * table: where there is something large, so many instructions are too many. */
static uint32_t steps_to_look(const struct hf_lua *lua)
{
    if (lua->largest <= LOOK_BYTES) {
        return HF_SCRIPT_STEPS_LOOK;
    }
    size_t steps = HF_SCRIPT_STEPS_LOOK * LOOK_BYTES / lua->largest;
    return steps == 0 ? 1 : (uint32_t)steps;
}

static void on_count(lua_State *state, lua_Debug *at)
{
    (void)at;
    struct hf_lua *lua = hf_lua_of(state);
    lua->steps += steps_to_look(lua);
    if (lua->steps > HF_SCRIPT_STEPS_MAX) {
        give_up(state, lua, HF_SCRIPT_STOPPED_STEPS);
    }
    look_at_time(state, lua);
}

static void set_hook(struct hf_lua *lua)
{
    (void)lua_sethook(lua->state, on_count, LUA_MASKCOUNT,
                      (int)steps_to_look(lua));
}

bool hf_lua_watch_piece(struct hf_lua *lua, size_t size)
{
    if (size > lua->largest) {
        lua->largest = size;
        if (lua->watched && size > LOOK_BYTES) {
            set_hook(lua);
        }
    }
    lua->asked_bytes += size;
    if (!lua->watched || lua->asked_bytes < LOOK_BYTES) {
        return true;
    }
    lua->asked_bytes = 0;
    if (!is_too_late(lua)) {
        return true;
    }
    lua->stopped = HF_SCRIPT_STOPPED_TIME;
    return false;
}

void hf_lua_watch_begin(struct hf_lua *lua)
{
    lua->steps = 0;
    lua->asked_bytes = 0;
    lua->began_us = read_clock(lua, lua->config.now_us);
    lua->worked_us = read_clock(lua, lua->config.worked_us);
    lua->watched = true;
    set_hook(lua);
}

void hf_lua_watch_end(struct hf_lua *lua)
{
    lua->watched = false;
    (void)lua_sethook(lua->state, NULL, 0, 0);
}

/* Locks. */

static bool is_locked(lua_State *state, int index)
{
    if (!lua_istable(state, index) || !lua_getmetatable(state, index)) {
        return false;
    }
    lua_pushliteral(state, LOCKED);
    lua_rawget(state, -2);
    bool locked = lua_toboolean(state, -1);
    lua_pop(state, 2);
    return locked;
}

static int refuse_write(lua_State *state)
{
    return luaL_error(state, "Attempt to modify a readonly table");
}

static void refuse_locked(lua_State *state)
{
    if (is_locked(state, 1)) {
        refuse_write(state);
    }
}

/* Upvalue: the real table. */
static int missing_global(lua_State *state)
{
    lua_pushvalue(state, 2);
    lua_rawget(state, lua_upvalueindex(1));
    if (lua_isnil(state, -1)) {
        const char *name = lua_tostring(state, 2);
        return luaL_error(state,
                          "Script attempted to access nonexistent global "
                          "variable '%s'",
                          name == NULL ? "?" : name);
    }
    return 1;
}

void hf_lua_lock(lua_State *state, lua_CFunction missing)
{
    lua_newtable(state);
    lua_createtable(state, 0, 4);
    lua_pushvalue(state, -3);
    if (missing != NULL) {
        lua_pushcclosure(state, missing, 1);
    }
    lua_setfield(state, -2, "__index");
    lua_pushcfunction(state, refuse_write);
    lua_setfield(state, -2, "__newindex");
    lua_pushboolean(state, 0);
    lua_setfield(state, -2, "__metatable");
    lua_pushboolean(state, 1);
    lua_setfield(state, -2, LOCKED);
    lua_setmetatable(state, -2);
    lua_replace(state, -2);
}

/* Bounds of functions that could take very long. */

static bool is_special(char c)
{
    return c != '\0' && strchr("^$*+?.([%-", c) != NULL;
}

/* How many ways there may be to match, at worst: each item that may take more
 * or less of the text has a choice wherever those before it ended. */
static double steps_at_worst(const char *pattern, size_t size, double text_size,
                             bool anchored)
{
    double steps = 1;
    double choices = 0;
    size_t i = 0;
    for (i = anchored ? 1 : 0; i < size; i++) {
        if (pattern[i] == '%') {
            i++;
            bool balances = i < size && pattern[i] == 'b';
            bool repeats = i < size && pattern[i] >= '0' && pattern[i] <= '9';
            steps *= balances || repeats ? text_size + 1 : 1;
        } else if (strchr("*+-", pattern[i]) != NULL && pattern[i] != '\0') {
            choices += 1;
            steps *= (text_size + choices) / choices;
        } else if (pattern[i] == '?') {
            steps *= 2;
        }
    }
    return (anchored ? steps : steps * (text_size + 1)) +
           (double)size * text_size / 16;
}

/* Arguments: text, pattern. Wrong ones are for the function itself. @steps: for
 * each match there may be. */
static void bound_matching(lua_State *state, bool may_anchor, double steps)
{
    size_t text_size = 0;
    size_t size = 0;
    if (!lua_isstring(state, 1) || !lua_isstring(state, 2)) {
        return;
    }
    (void)lua_tolstring(state, 1, &text_size);
    const char *pattern = lua_tolstring(state, 2, &size);
    if (size > PATTERN_BYTES_MAX && size <= text_size) {
        luaL_error(state, "a pattern may have %d bytes at most",
                   PATTERN_BYTES_MAX);
    }
    bool anchored = may_anchor && size > 0 && pattern[0] == '^';
    if (steps_at_worst(pattern, size, (double)text_size, anchored) +
            steps * (double)text_size >
        PATTERN_STEPS_MAX) {
        luaL_error(state,
                   "the pattern could take too long on a text of %d bytes",
                   (int)text_size);
    }
}

static void bound_pattern(lua_State *state)
{
    bound_matching(state, true, 0);
}

/* Functions of Lua count for themselves. */
static void bound_gsub(lua_State *state)
{
    bool quiet = lua_istable(state, 3) || lua_iscfunction(state, 3);
    bound_matching(state, true, quiet ? REPLACE_STEPS : 0);
}

/* There '^' stands for itself. */
static void bound_gmatch(lua_State *state)
{
    bound_matching(state, false, 0);
}

/* Without patterns, `find` compares the bytes at each place. */
static void bound_find(lua_State *state)
{
    size_t text_size = 0;
    size_t size = 0;
    bool plain = lua_toboolean(state, 4) != 0;
    if (!lua_isstring(state, 1) || !lua_isstring(state, 2)) {
        return;
    }
    (void)lua_tolstring(state, 1, &text_size);
    const char *pattern = lua_tolstring(state, 2, &size);
    for (size_t i = 0; !plain && i < size; i++) {
        if (is_special(pattern[i])) {
            bound_pattern(state);
            return;
        }
    }
    if ((double)size * (double)text_size / 16 > PATTERN_STEPS_MAX) {
        luaL_error(state,
                   "the search could take too long on a text of %d "
                   "bytes",
                   (int)text_size);
    }
}

/* What would not fit is not begun; nothing a billion times is nothing. */
static void bound_rep(lua_State *state)
{
    size_t size = 0;
    if (!lua_isstring(state, 1) || !lua_isnumber(state, 2)) {
        return;
    }
    (void)lua_tolstring(state, 1, &size);
    lua_Number count = lua_tonumber(state, 2);
    if (size == 0) {
        lua_pushinteger(state, 0);
        lua_replace(state, 2);
    } else if (count * (double)size > (double)HF_SCRIPT_MEMORY_BYTES) {
        give_up(state, hf_lua_of(state), HF_SCRIPT_STOPPED_MEMORY);
    }
}

/* The length of a table with holes may be far more than what it holds. */
static void bound_length(lua_State *state)
{
    if (lua_istable(state, 1) &&
        lua_objlen(state, 1) > HF_SCRIPT_MEMORY_BYTES / VALUE_BYTES_MIN) {
        luaL_error(state, "the table has too many holes");
    }
}

static void bound_remove(lua_State *state)
{
    refuse_locked(state);
    bound_length(state);
}

/* What is at the place and behind it is moved, from wherever that is. */
static void bound_insert(lua_State *state)
{
    refuse_locked(state);
    bound_length(state);
    if (lua_gettop(state) == 3 && lua_isnumber(state, 2)) {
        lua_Number place = lua_tonumber(state, 2);
        luaL_argcheck(state, place >= 1 && place <= INT_MAX, 2,
                      "the position must be 1 or more");
    }
}

static int compare(lua_State *state)
{
    look_at_time(state, hf_lua_of(state));
    lua_pushboolean(state, lua_lessthan(state, 1, 2));
    return 1;
}

/* Upvalue: the function of C that compares. */
static int compare_by(lua_State *state)
{
    look_at_time(state, hf_lua_of(state));
    lua_pushvalue(state, lua_upvalueindex(1));
    lua_insert(state, 1);
    lua_call(state, lua_gettop(state) - 1, 1);
    return 1;
}

static void bound_sort(lua_State *state)
{
    refuse_locked(state);
    bound_length(state);
    lua_settop(state, 2);
    if (lua_isnil(state, 2)) {
        lua_pushcfunction(state, compare);
        lua_replace(state, 2);
    } else if (lua_iscfunction(state, 2)) {
        lua_pushcclosure(state, compare_by, 1);
    }
}

/* Functions of Lua that are looked after. They run as themselves, so that their
 * errors name them and the line. */
static const struct {
    const char *library; /* NULL: a global. */
    const char *name;
    void (*before)(lua_State *state); /* May be NULL. */
} guards[] = {
    {NULL, "rawset", refuse_locked},
    {NULL, "unpack", NULL},
    {"string", "byte", NULL},
    {"string", "char", NULL},
    {"string", "find", bound_find},
    {"string", "format", NULL},
    {"string", "gmatch", bound_gmatch},
    {"string", "gsub", bound_gsub},
    {"string", "len", NULL},
    {"string", "lower", NULL},
    {"string", "match", bound_pattern},
    {"string", "rep", bound_rep},
    {"string", "reverse", NULL},
    {"string", "sub", NULL},
    {"string", "upper", NULL},
    {"table", "concat", NULL},
    {"table", "foreachi", bound_length},
    {"table", "insert", bound_insert},
    {"table", "maxn", NULL},
    {"table", "remove", bound_remove},
    {"table", "sort", bound_sort},
};

_Static_assert(HF_ARRAY_COUNT(guards) <= HF_GUARDED_MAX, "there is room");

static int run_guarded(lua_State *state)
{
    struct hf_lua *lua = hf_lua_of(state);
    size_t i = (size_t)lua_tointeger(state, lua_upvalueindex(1));
    look_at_time(state, lua);
    if (guards[i].before != NULL) {
        guards[i].before(state);
    }
    return lua->guarded[i](state);
}

/* Functions in place of those of Lua. */

/* After a function called by pcall or xpcall failed: no one catches that the
 * script was given up. */
static int caught(lua_State *state)
{
    struct hf_lua *lua = hf_lua_of(state);
    if (lua->stopped != NULL) {
        return luaL_error(state, "%s", lua->stopped);
    }
    if (lua_istable(state, -1)) { /* An error of redis.call. */
        lua_pushliteral(state, "err");
        lua_rawget(state, -2);
        if (lua_isstring(state, -1)) {
            lua_replace(state, -2);
        } else {
            lua_pop(state, 1);
        }
    }
    lua_pushboolean(state, 0);
    lua_insert(state, -2);
    return 2;
}

static int safe_pcall(lua_State *state)
{
    luaL_checkany(state, 1);
    if (lua_pcall(state, lua_gettop(state) - 1, LUA_MULTRET, 0) != 0) {
        return caught(state);
    }
    lua_pushboolean(state, 1);
    lua_insert(state, 1);
    return lua_gettop(state);
}

/* The handler runs after the stack was unwound, not before, as that of Lua
 * does: there no instructions are counted, when the error is that of the hook.
 */
static int safe_xpcall(lua_State *state)
{
    luaL_checkany(state, 2);
    lua_settop(state, 2);
    lua_insert(state, 1); /* The handler goes below. */
    if (lua_pcall(state, 0, LUA_MULTRET, 0) == 0) {
        lua_pushboolean(state, 1);
        lua_replace(state, 1);
        return lua_gettop(state);
    }
    if (hf_lua_of(state)->stopped != NULL) {
        return caught(state);
    }
    if (lua_pcall(state, 1, 1, 0) != 0) {
        return caught(state);
    }
    lua_pushboolean(state, 0);
    lua_insert(state, -2);
    return 2;
}

/* Without addresses, which are nobody's business and never the same. */
static int plain_tostring(lua_State *state)
{
    luaL_checkany(state, 1);
    if (luaL_callmeta(state, 1, "__tostring")) {
        return 1;
    }
    switch (lua_type(state, 1)) {
    case LUA_TNUMBER:
    case LUA_TSTRING:
        (void)lua_tostring(state, 1); /* In its place. */
        lua_settop(state, 1);
        return 1;
    case LUA_TBOOLEAN:
        lua_pushstring(state, lua_toboolean(state, 1) ? "true" : "false");
        return 1;
    default:
        lua_pushstring(state, luaL_typename(state, 1));
        return 1;
    }
}

/* Numbers that look random, and are the same in each run of a script. */
static uint32_t next_random(struct hf_lua *lua)
{
    lua->random = lua->random * UINT64_C(6364136223846793005) +
                  UINT64_C(1442695040888963407);
    return (uint32_t)(lua->random >> 33);
}

static int math_random(lua_State *state)
{
    lua_Number fraction =
        (lua_Number)next_random(hf_lua_of(state)) / 2147483648.0;
    int given = lua_gettop(state);
    if (given == 0) {
        lua_pushnumber(state, fraction);
        return 1;
    }
    if (given > 2) {
        return luaL_error(state, "wrong number of arguments");
    }
    lua_Number low = given == 2 ? luaL_checknumber(state, 1) : 1;
    lua_Number high = luaL_checknumber(state, given);
    luaL_argcheck(state, low <= high, given, "interval is empty");
    lua_pushnumber(state, floor(low + fraction * (high - low + 1)));
    return 1;
}

static int math_randomseed(lua_State *state)
{
    hf_lua_of(state)->random = (uint64_t)luaL_checkinteger(state, 1);
    return 0;
}

/* The environment. */

/* Takes the functions @names over from the table below the top to the top. */
static void copy_fields(lua_State *state, const char *const *names)
{
    for (; *names != NULL; names++) {
        lua_getfield(state, -2, *names);
        HF_ASSERT(!lua_isnil(state, -1));
        lua_setfield(state, -2, *names);
    }
}

/* Puts those of @library (NULL: globals), as they are in the table below the
 * top, into the table on top. */
static void add_guarded(lua_State *state, const char *library)
{
    struct hf_lua *lua = hf_lua_of(state);
    for (size_t i = 0; i < HF_ARRAY_COUNT(guards); i++) {
        bool same = library == NULL
                        ? guards[i].library == NULL
                        : guards[i].library != NULL &&
                              strcmp(guards[i].library, library) == 0;
        if (!same) {
            continue;
        }
        lua_getfield(state, -2, guards[i].name);
        lua->guarded[i] = lua_tocfunction(state, -1);
        HF_ASSERT(lua->guarded[i] != NULL);
        lua_pop(state, 1);
        lua_pushinteger(state, (lua_Integer)i);
        lua_pushcclosure(state, run_guarded, 1);
        lua_setfield(state, -2, guards[i].name);
    }
}

/* Adds the locked library @name to the table on top. */
static void add_library(lua_State *state, const char *name,
                        const char *const *names, const luaL_Reg *own)
{
    lua_getglobal(state, name);
    lua_newtable(state);
    add_guarded(state, name);
    copy_fields(state, names);
    for (; own != NULL && own->name != NULL; own++) {
        lua_pushcfunction(state, own->func);
        lua_setfield(state, -2, own->name);
    }
    lua_replace(state, -2);
    hf_lua_lock(state, NULL);
    lua_setfield(state, -2, name);
}

/* The methods of strings are those of the locked library. */
static void lock_strings(lua_State *state)
{
    lua_pushliteral(state, "");
    lua_getmetatable(state, -1);
    lua_getfield(state, -3, "string");
    lua_setfield(state, -2, "__index");
    lua_pushboolean(state, 0);
    lua_setfield(state, -2, "__metatable");
    lua_pop(state, 2);
}

static void open_libraries(lua_State *state)
{
    static const luaL_Reg libraries[] = {
        {"", luaopen_base},
        {LUA_TABLIBNAME, luaopen_table},
        {LUA_STRLIBNAME, luaopen_string},
        {LUA_MATHLIBNAME, luaopen_math},
    };
    for (size_t i = 0; i < HF_ARRAY_COUNT(libraries); i++) {
        lua_pushcfunction(state, libraries[i].func);
        lua_pushstring(state, libraries[i].name);
        lua_call(state, 1, 0);
    }
}

void hf_lua_open_sandbox(lua_State *state)
{
    static const char *const globals[] = {
        "assert", "error",    "getmetatable", "ipairs", "next",
        "pairs",  "rawget",   "rawequal",     "select", "setmetatable",
        "type",   "_VERSION", "tonumber",     NULL};
    static const char *const none[] = {NULL};
    static const char *const table[] = {"foreach", "getn", NULL};
    static const char *const math[] = {
        "abs",   "acos", "asin",  "atan", "atan2", "ceil", "cos",   "cosh",
        "deg",   "exp",  "floor", "fmod", "frexp", "huge", "ldexp", "log",
        "log10", "max",  "min",   "modf", "pi",    "pow",  "rad",   "sin",
        "sinh",  "sqrt", "tan",   "tanh", NULL};
    static const luaL_Reg own_math[] = {
        {"random", math_random}, {"randomseed", math_randomseed}, {NULL, NULL}};
    static const luaL_Reg own[] = {{"pcall", safe_pcall},
                                   {"xpcall", safe_xpcall},
                                   {"tostring", plain_tostring}};
    struct hf_lua *lua = hf_lua_of(state);
    open_libraries(state);
    lua_pushvalue(state, LUA_GLOBALSINDEX);
    lua_newtable(state);
    copy_fields(state, globals);
    add_guarded(state, NULL);
    for (size_t i = 0; i < HF_ARRAY_COUNT(own); i++) {
        lua_pushcfunction(state, own[i].func);
        lua_setfield(state, -2, own[i].name);
    }
    add_library(state, LUA_STRLIBNAME, none, NULL);
    add_library(state, LUA_TABLIBNAME, table, NULL);
    add_library(state, LUA_MATHLIBNAME, math, own_math);
    lock_strings(state);
    hf_lua_push_redis(state);
    hf_lua_lock(state, NULL);
    lua_setfield(state, -2, "redis");
    lua_pushvalue(state, -1);
    lua->globals = luaL_ref(state, LUA_REGISTRYINDEX);
    lua_pushvalue(state, -1);
    hf_lua_lock(state, missing_global);
    lua_pushvalue(state, -1);
    lua_setfield(state, -3, "_G");
    lua->environment = luaL_ref(state, LUA_REGISTRYINDEX);
    lua_settop(state, 0);
}
