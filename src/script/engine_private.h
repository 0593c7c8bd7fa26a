/* engine_private.h - The inside of the engine, shared by its files:
 *
 *   engine.c    its life, what was compiled, running
 *   sandbox.c   what of Lua a script sees, and the limits of its work
 *   calls.c     the functions of `redis`
 *   values.c    from replies to values of Lua and back
 *
 * Whatever of this may raise an error of Lua has to be called below lua_cpcall
 * or lua_pcall. Such an error unwinds the stack without cleaning up, so
 * nothing is held by local variables while one may be raised. */
#ifndef HF_SCRIPT_ENGINE_PRIVATE_H
#define HF_SCRIPT_ENGINE_PRIVATE_H

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "script/engine.h"
#include "script/sha1.h"

/* At least as many as sandbox.c has functions that are looked after. */
#define HF_GUARDED_MAX 40

/* A script that was compiled. */
struct hf_kept {
    struct hf_slice body; /* Its memory is ours. */
    int function;         /* Reference to it. */
    char sha1[HF_SHA1_TEXT_BYTES + 1];
};

struct hf_lua {
    struct hf_lua_config config;
    lua_State *state; /* NULL: none yet, or the last one was thrown away. */
    size_t bytes;     /* That it holds. */
    int environment;  /* References: what a script sees as globals, */
    int globals;      /* and what is behind that. */
    lua_CFunction guarded[HF_GUARDED_MAX];

    uint64_t kept_hashes[HF_SCRIPT_KEPT_MAX];
    struct hf_kept kept[HF_SCRIPT_KEPT_MAX];
    size_t kept_count;
    size_t kept_bytes;

    struct hf_buffer out;  /* Tokens of the answer. */
    struct hf_buffer text; /* Of an error. */
    struct hf_buffer keys; /* Of a command, as they are inside. */

    /* The run there is. */
    const struct hf_lua_world *world;
    const struct hf_command *command;
    const struct hf_kept *script;
    const char *stopped; /* Why it was given up. */
    bool read_only;
    bool has_keys;
    uint8_t database;
    bool watched;   /* Its work is: */
    uint32_t steps; /* instructions, and bytes since the last look. */
    size_t asked_bytes;
    size_t largest;    /* What it may have in one piece. */
    uint32_t values;   /* Of its answer. */
    uint64_t began_us; /* By both clocks. */
    uint64_t worked_us;
    uint64_t random;
};

/* The engine of a state. */
struct hf_lua *hf_lua_of(lua_State *state);

/* sandbox.c: makes the environment; raises errors. */
void hf_lua_open_sandbox(lua_State *state);
/* Counts the work of the run that begins, until hf_lua_watch_end. */
void hf_lua_watch_begin(struct hf_lua *lua);
void hf_lua_watch_end(struct hf_lua *lua);
/* Lua wants a piece of @size for the run. False: it took too long, and has been
 * given up. */
bool hf_lua_watch_piece(struct hf_lua *lua, size_t size);
/* For work that is not counted: raises an error when the run took too long. */
void hf_lua_look_at_time(lua_State *state);
/* Makes an empty table that shows the one on top of the stack, and replaces it:
 * reading what is not there calls @missing, or gives nil; writing is an error.
 */
void hf_lua_lock(lua_State *state, lua_CFunction missing);

/* calls.c: pushes the table `redis`. */
void hf_lua_push_redis(lua_State *state);

/* values.c: pushes what @reply is to Lua; an error is a table then. */
void hf_lua_push_reply(lua_State *state, const struct hf_reply *reply);
/* Pushes { err = "CODE text" }, from a text with or without code and '-'. */
void hf_lua_push_error(lua_State *state, const char *text, size_t size);
/* Appends what is on top of the stack to @out, as one complete value. */
void hf_lua_write_value(lua_State *state, struct hf_buffer *out);

#endif
