/* engine.h - Scripts in Lua 5.1, in a box.
 *
 * A script sees the values of KEYS and ARGV, the functions of Lua that only
 * compute, and redis.call. It has no clock but the command TIME, no files, no
 * other way out, and nothing it does to Lua outlives it:
 *
 *   - what all scripts share cannot be changed: tables of functions are seen
 *     through empty ones whose metatables refuse (script/sandbox.h)
 *   - memory: HF_SCRIPT_MEMORY_BYTES, by an allocator of its own
 *   - work: HF_SCRIPT_STEPS_MAX instructions, and HF_SCRIPT_TIME_US, looked at
 *     every HF_SCRIPT_STEPS_LOOK instructions (up to each one, where a text or
 *     table is large), as memory is asked for, also while it is compiled, and
 *     before each function that may take long; pcall does not catch that. Who
 *     only waited for a busy machine is not stopped: HF_SCRIPT_WORK_US of that
 *     time have to be its own
 *
 * A script that breaks one of the last two is given up: nothing of it is done.
 * One that ends in an error of its own keeps what it did until then, as in
 * Redis.
 *
 * What was compiled is kept, up to HF_SCRIPT_KEPT_MAX scripts; then, and after
 * a script was given up, everything begins anew.
 *
 * The texts of errors are those of Redis 7.0.15. */
#ifndef HF_SCRIPT_ENGINE_H
#define HF_SCRIPT_ENGINE_H

#include "core/unit.h"

#define HF_SCRIPT_MEMORY_BYTES ((size_t)32 << 20)
#define HF_SCRIPT_STEPS_MAX 10000000
#define HF_SCRIPT_STEPS_LOOK 100
#define HF_SCRIPT_TIME_US 100000
#define HF_SCRIPT_WORK_US 20000
#define HF_SCRIPT_KEPT_MAX 500
#define HF_SCRIPT_KEPT_BYTES ((size_t)4 << 20)

#define HF_SCRIPT_STOPPED_STEPS                                                \
    "ERR the script was stopped after 10 million instructions, and nothing "   \
    "of it was done"
#define HF_SCRIPT_STOPPED_TIME                                                 \
    "ERR the script was stopped after 100 ms, and nothing of it was done"
#define HF_SCRIPT_STOPPED_MEMORY                                               \
    "ERR the script was stopped because it used more than 32 MiB, and "        \
    "nothing of it was done"

struct hf_lua;

struct hf_lua_config {
    struct hf_mem *mem; /* Outlives the engine. */
    /* No argument of a command may be larger. */
    size_t value_bytes_max;
    /* Microseconds of any clock; NULL: only steps and memory are limited. */
    uint64_t (*now_us)(void *user);
    /* How many of them this thread had the processor. NULL: all. */
    uint64_t (*worked_us)(void *user);
    void *user;
};

/* What a script can do outside of its box. */
struct hf_lua_world {
    void *user;
    /* A command on keys; see hf_unit_call. Not for a script without
     * keys: it uses no sessions, and this may be NULL. */
    void (*call)(void *user, const struct hf_command *command,
                 struct hf_reply *reply);
    int64_t wall_ms;
};

/* Returns 0 or HF_ENOMEM. */
HF_NODISCARD int hf_lua_create(struct hf_lua **created,
                               const struct hf_lua_config *config);
/* @lua may be NULL. */
void hf_lua_destroy(struct hf_lua *lua);

/* Whether @body can be compiled; else the reply is the error, valid until the
 * next call on @lua. */
HF_NODISCARD bool hf_lua_compiles(struct hf_lua *lua, struct hf_slice body,
                                  struct hf_reply *reply);

/* The script whose SHA-1 is @sha1, in either case of letters, if it is kept.
 * @body is valid until the next call on @lua but this one. */
HF_NODISCARD bool hf_lua_find(const struct hf_lua *lua, struct hf_slice sha1,
                              struct hf_slice *body);

/* Forgets what was compiled. Not while a script runs. */
void hf_lua_forget(struct hf_lua *lua);

/* Checks the number of keys of "EVAL script numkeys key ... argument ...".
 * False leaves an error in @reply. */
HF_NODISCARD bool hf_lua_key_count(const struct hf_command *command,
                                   uint32_t *count, struct hf_reply *reply);

/* Runs "EVAL script numkeys key ... argument ...", or EVAL_RO, which may not
 * write. The reply is valid until the next call on @lua. NULL, or why the
 * script was given up: static text, which is also the reply. */
const char *hf_lua_run(struct hf_lua *lua, const struct hf_lua_world *world,
                       const struct hf_command *command,
                       struct hf_reply *reply);

/* For the node: runs scripts as units. @lua has to outlive it. */
struct hf_script_engine hf_lua_engine(struct hf_lua *lua);

/* How many bytes all of Lua holds now. */
size_t hf_lua_bytes(const struct hf_lua *lua);

#endif
