/* library.h - The scripts that all nodes know.
 *
 * Clients send a script once and then only its SHA-1 (EVALSHA), to whatever
 * node. So scripts are stored as sessions of the node's own database, which
 * replicate and move like any other:
 *
 *   {scripts}loaded    a hash, sum to text: what SCRIPT LOAD brought
 *   {scripts}seen      the same, of EVAL; emptied when it is full, or has
 *                      more than HF_SCRIPT_KEPT_MAX
 *   {scripts}flushes   how many times SCRIPT FLUSH emptied both
 *
 * A hash is as large as a session may be (--max-value), and that bounds what is
 * stored. What this library does with those sessions are scripts, too.
 *
 * A node that is asked turns EVALSHA into EVAL, from what it keeps (script/
 * engine.h) or by asking who stores it. Before it uses what it keeps it wants
 * to know that nobody flushed: it asks after half a second, and after a second
 * (nobody used a script for a while) waits for the answer. When that is not to
 * be had, what it keeps is good enough.
 *
 *   EVAL, EVALSHA --> take --> waits for a look? --> node, as EVAL
 *   SCRIPT ...        |               |
 *   later commands ---+---------------+ (those of a client keep their order)
 *
 * Pure: no clock, no socket. */
#ifndef HF_SCRIPT_LIBRARY_H
#define HF_SCRIPT_LIBRARY_H

#include "script/engine.h"

/* The client of its own requests to the node. */
#define HF_LIBRARY_CLIENT UINT64_MAX
/* Commands that wait for a look, in bytes. */
#define HF_LIBRARY_BYTES_MAX ((size_t)16 << 20)
#define HF_LIBRARY_ASK_MS 500
#define HF_LIBRARY_WAIT_MS 1000

struct hf_library;

struct hf_library_host {
    void *user;
    /* A command for the node; its answer goes to @client, or, when that is
     * HF_LIBRARY_CLIENT, to hf_library_answer. */
    void (*request)(void *user, uint64_t client, uint64_t tag,
                    const struct hf_command *command);
    /* The answer to a command that was taken. */
    void (*reply)(void *user, uint64_t client, uint64_t tag,
                  const struct hf_reply *reply);
};

/* @lua and @mem outlive it. Returns 0 or HF_ENOMEM. */
HF_NODISCARD int hf_library_create(struct hf_library **created,
                                   const struct hf_library_host *host,
                                   struct hf_lua *lua, struct hf_mem *mem);
/* @library may be NULL. */
void hf_library_destroy(struct hf_library *library);

/* Whether a command on keys of @client is to be taken by hf_library_take: it
 * runs a script, or comes after a command of that client that waits. Others are
 * for the node. */
bool hf_library_wants(struct hf_library *library, uint64_t client,
                      const struct hf_command *command);

/* Takes a command whose number of arguments fits its row, or, of SCRIPT, its
 * subcommand: LOAD, EXISTS and FLUSH. Not within a step of the node. */
void hf_library_take(struct hf_library *library, uint64_t client, uint64_t tag,
                     const struct hf_command *command, hf_time now,
                     int64_t wall_ms);

/* The node's answer to a request of HF_LIBRARY_CLIENT; may be within a step. */
void hf_library_answer(struct hf_library *library, uint64_t tag,
                       const struct hf_reply *reply);

/* Goes on after answers. Not within a step of the node. */
void hf_library_run(struct hf_library *library, hf_time now, int64_t wall_ms);

#endif
