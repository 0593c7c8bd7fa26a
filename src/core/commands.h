/* commands.h - The apply functions of the command table, and what they share.
 *
 * Private to command.c and the commands_*.c files. What an apply function may
 * do is told in core/command.h; what each command means is what Redis 7 does
 * with it. An apply function that changes nothing leaves no effects. */
#ifndef HF_CORE_COMMANDS_H
#define HF_CORE_COMMANDS_H

#include "core/command.h"

#define HF_TEXT_SYNTAX "ERR syntax error"
#define HF_TEXT_NOT_INTEGER "ERR value is not an integer or out of range"
#define HF_TEXT_INCREMENT_OVERFLOW "ERR increment or decrement would overflow"

/* How a time in an argument is meant. */
struct hf_time_unit {
    bool seconds;  /* Otherwise milliseconds. */
    bool absolute; /* A Unix time; otherwise from now. */
};

/* The session of argv[1], NULL when there is none. */
const struct hf_session *hf_apply_session(const struct hf_apply *apply);

/* The same, when it may only be of @type. False: the error is the reply. */
HF_NODISCARD bool hf_apply_typed(struct hf_apply *apply,
                                 enum hf_session_type type,
                                 const struct hf_session **session);

/* Milliseconds that @session has left, or HF_TTL_NONE (also for NULL). */
int64_t hf_apply_time_left(const struct hf_apply *apply,
                           const struct hf_session *session);

/* Reads an integer argument. False: the error is the reply. */
HF_NODISCARD bool hf_apply_integer(struct hf_apply *apply,
                                   struct hf_slice argument, int64_t *value);

/* Effects of deleting the session of argv[1], which there is: a fence is left
 * where the rules want one. */
void hf_apply_delete(struct hf_apply *apply, const struct hf_command *command);

/* Whether a value of @size bytes is allowed. False: the error is the reply. */
HF_NODISCARD bool hf_apply_size_fits(struct hf_apply *apply, size_t size);

/* @a + @b; false when it is outside of int64_t. */
HF_NODISCARD bool hf_apply_add(int64_t a, int64_t b, int64_t *sum);

/* Replies "ERR @before 'name' @after" with the name of the command in lower
 * case. */
void hf_apply_refuse(struct hf_apply *apply, const struct hf_command *command,
                     const char *before, const char *after);

/* Replies with the tokens in scratch. */
void hf_apply_nested(struct hf_apply *apply);

/* Replies with a copy of @bytes, for when the session is about to change. */
void hf_apply_bulk_copy(struct hf_apply *apply, struct hf_slice bytes);

/* The apply functions, as the table names them. */
#define HF_APPLY(name)                                                         \
    void hf_apply_##name(struct hf_apply *apply,                               \
                         const struct hf_command *command);
#define CONNECTION(name, arity, section, usage, note)
#define KEY_FENCED(name, arity, flags, apply, fenced, section, usage, note)    \
    HF_APPLY(apply)
#define KEY(name, arity, flags, apply, section, usage, note) HF_APPLY(apply)
#define KEYS_FENCED(name, arity, flags, gather, step, apply, fenced, section,  \
                    usage, note)                                               \
    HF_APPLY(apply)
#define KEYS(name, arity, flags, gather, step, apply, section, usage, note)    \
    HF_APPLY(apply)
#define PARTITIONS(name, arity, flags, gather, apply, section, usage, note)    \
    HF_APPLY(apply)
#define EVERYWHERE(name, arity, flags, gather, apply, section, usage, note)    \
    HF_APPLY(apply)
#define PAGES(name, arity, flags, section, usage, note)
#define WALK(name, arity, gather, section, usage, note)

#include "core/command_table.def"

#undef HF_APPLY
#undef CONNECTION
#undef KEY_FENCED
#undef KEY
#undef KEYS_FENCED
#undef KEYS
#undef PARTITIONS
#undef EVERYWHERE
#undef PAGES
#undef WALK

#endif
