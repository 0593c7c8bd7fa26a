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
#define HF_TEXT_NOT_FLOAT "ERR value is not a valid float"
#define HF_TEXT_NOT_POSITIVE "ERR value is out of range, must be positive"
#define HF_TEXT_OUT_OF_RANGE "ERR value is out of range"
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

/* The members of argv[1], NULL when there is none, when it may only be of @type
 * (SET or SORTED_SET); the elements of a list. False: the error is the reply.
 */
HF_NODISCARD bool hf_apply_members(struct hf_apply *apply,
                                   enum hf_session_type type,
                                   const struct hf_members **members);
HF_NODISCARD bool hf_apply_list(struct hf_apply *apply,
                                const struct hf_deque **list);
HF_NODISCARD bool hf_apply_sorted_set(struct hf_apply *apply,
                                      const struct hf_members **members);
/* hf_session_value_bytes of argv[1], 0 when there is none. */
size_t hf_apply_value_bytes(const struct hf_apply *apply);

/* Milliseconds that @session has left, or HF_TTL_NONE (also for NULL). */
int64_t hf_apply_time_left(const struct hf_apply *apply,
                           const struct hf_session *session);

/* Reads a count that may not be negative. False: the error is the reply. */
HF_NODISCARD bool hf_apply_positive(struct hf_apply *apply,
                                    struct hf_slice argument, int64_t *count);

/* Reads a count that may be, and whose opposite is a number, too. */
HF_NODISCARD bool hf_apply_count_either_way(struct hf_apply *apply,
                                            struct hf_slice argument,
                                            int64_t *count);

/* Reads an integer argument. False: the error is the reply. */
HF_NODISCARD bool hf_apply_integer(struct hf_apply *apply,
                                   struct hf_slice argument, int64_t *value);

/* Effects of deleting the session of argv[1], which there is: a fence is left
 * where the rules want one. */
void hf_apply_delete(struct hf_apply *apply, const struct hf_command *command);

/* Whether a value of @size bytes is allowed. False: the error is the reply. */
HF_NODISCARD bool hf_apply_size_fits(struct hf_apply *apply, size_t size);

/* Which arguments were met before, so that a field that is named twice counts
 * once. A hash index, because a client may name very many. */
struct hf_names {
    const struct hf_slice *argv;
    uint32_t *index; /* In scratch: number of the argument, 0 is free. */
    uint32_t capacity;
};

/* Makes room for @count names; until the last was asked for, scratch must not
 * be used. False, with effects failed, without memory. */
HF_NODISCARD bool hf_names_init(struct hf_names *seen, struct hf_apply *apply,
                                const struct hf_command *command,
                                uint32_t count);
/* The argument of the same name as argv[@number] that was there before; 0 when
 * there was none: now there was. */
uint32_t hf_names_met(struct hf_names *seen, uint32_t number);

/* @a + @b; false when it is outside of int64_t. */
HF_NODISCARD bool hf_apply_add(int64_t a, int64_t b, int64_t *sum);

/* Replies "ERR @before 'name' @after" with the name of the command in lower
 * case. */
void hf_apply_refuse(struct hf_apply *apply, const struct hf_command *command,
                     const char *before, const char *after);

/* What SSCAN and its like were asked. */
struct hf_page_options {
    uint64_t cursor;
    int64_t count;         /* 10 unless given. */
    struct hf_slice match; /* data NULL: everything. */
};

/* Reads argv[2] on, for a session that may only be of @type; the options only
 * if there is one. False: the error is the reply. */
HF_NODISCARD bool hf_apply_page(struct hf_apply *apply,
                                const struct hf_command *command,
                                enum hf_session_type type,
                                struct hf_page_options *options);

/* Which of @count members, by number, a page shows: [*from, *to). *from is the
 * next cursor. Few are one page. */
void hf_page_bounds(const struct hf_page_options *options, uint32_t count,
                    uint32_t *from, uint32_t *to);
bool hf_page_has(const struct hf_page_options *options, struct hf_slice name);
/* The start of a page: the next cursor, and that @count elements follow. */
void hf_apply_put_page(struct hf_apply *apply, uint32_t cursor, uint32_t count);

/* Draws @count different numbers below @bound, in no order, at most all there
 * are. NULL without memory, with effects failed; else give it back by
 * hf_apply_drawn_free. */
HF_NODISCARD uint32_t *hf_apply_draw(struct hf_apply *apply, uint32_t bound,
                                     uint32_t count);
void hf_apply_drawn_free(struct hf_apply *apply, uint32_t *drawn,
                         uint32_t count);

/* Places @start to @stop of @count, where -1 is the last, as [*from, *to). */
void hf_apply_places(int64_t start, int64_t stop, uint32_t count,
                     uint32_t *from, uint32_t *to);

/* Whether the answer in scratch is already too large: then that is the reply.
 */
bool hf_apply_is_too_large(struct hf_apply *apply);

/* Replies with the tokens in scratch. */
void hf_apply_nested(struct hf_apply *apply);

/* Replies with a copy of @bytes, for when the session is about to change. */
void hf_apply_bulk_copy(struct hf_apply *apply, struct hf_slice bytes);

/* A condition on the value that a command finds. */
enum hf_compare {
    HF_COMPARE_NONE,
    HF_COMPARE_EQUAL,
    HF_COMPARE_UNEQUAL,
    HF_COMPARE_DIGEST_EQUAL,
    HF_COMPARE_DIGEST_UNEQUAL,
};

/* IFEQ, IFNE, IFDEQ or IFDNE; HF_COMPARE_NONE when it is none of them. */
enum hf_compare hf_compare_parse(struct hf_slice word);

/* Whether @value compares to @operand as @compare says, in *@holds. False: the
 * error is the reply. */
HF_NODISCARD bool hf_compare_holds(struct hf_apply *apply,
                                   enum hf_compare compare,
                                   struct hf_slice value,
                                   struct hf_slice operand, bool *holds);

/* The apply functions, as the table names them. */
#define HF_APPLY(name)                                                         \
    void hf_apply_##name(struct hf_apply *apply,                               \
                         const struct hf_command *command);
#define CONNECTION(name, arity, section, usage, note)
#define SUBSCRIPTION(name, arity, usage, note)
#define SUBSCRIBERS(name, arity, flags, usage, note)
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
#define NODE(name, arity, section, usage, note)
#define SUBKEY(name, arity, flags, apply, section, usage, note) HF_APPLY(apply)
#define UNIT(name, arity, flags, first, last, step, apply, section, usage,     \
             note)                                                             \
    HF_APPLY(apply)
#define SCRIPT(name, arity, flags, section, usage, note)

#include "core/command_table.def"

#undef HF_APPLY
#undef CONNECTION
#undef SUBSCRIPTION
#undef SUBSCRIBERS
#undef KEY_FENCED
#undef KEY
#undef KEYS_FENCED
#undef KEYS
#undef PARTITIONS
#undef EVERYWHERE
#undef PAGES
#undef WALK
#undef NODE
#undef SUBKEY
#undef UNIT
#undef SCRIPT

#endif
