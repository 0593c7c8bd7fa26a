/* command.h - What clients ask: one table row and one apply function each.
 *
 * To add a command: write its apply function in the file of its data type
 * (commands_string.c, commands_zset.c and their like), and its row in
 * command_table.def; docs/COMMANDS.md is made from that. Nothing else knows
 * command names, but for those of the connection itself (route
 * HF_ROUTE_CONNECTION), which wire/connection_commands.c runs.
 *
 * An apply function runs on the primary of its key. It reads the session,
 * writes its reply, and says what should change as effects; the node stamps
 * those with a version, applies them by hf_sessions_apply, replicates them and
 * holds the reply back until the copies have them. An apply function never
 * sees an expired session: the node deletes it first. Nor does it see fences
 * (core/fences.h): where one stands there is no session, and hf_command_apply
 * looks after it that none is made. With its effects it says by hf_apply_notice
 * what subscribers are told (core/notices.h), as Redis does. */
#ifndef HF_CORE_COMMAND_H
#define HF_CORE_COMMAND_H

#include "base/assert.h"
#include "base/bytes.h"
#include "base/rng.h"
#include "core/effects.h"
#include "core/fences.h"
#include "core/notices.h"
#include "core/reply.h"
#include "core/sessions.h"

enum hf_route {
    HF_ROUTE_CONNECTION,  /* Answered by the connection: PING, HELLO, INFO. */
    HF_ROUTE_KEY,         /* argv[1] is the one key. */
    HF_ROUTE_KEYS,        /* Each key on its own, then gathered. */
    HF_ROUTE_PARTITIONS,  /* Each partition on its own, then gathered: FLUSHALL.
                           */
    HF_ROUTE_EVERYWHERE,  /* Every partition in one view, then gathered: DBSIZE.
                           * Only reads, for it is begun anew in the next. */
    HF_ROUTE_SCAN,        /* SCAN: some partitions at a time. */
    HF_ROUTE_NODE,        /* Answered by the node that was asked: TIME. */
    HF_ROUTE_WALK,        /* As many pages of SCAN as it takes: KEYS. */
    HF_ROUTE_SUBSCRIBERS, /* By every node for its subscribers: PUBLISH. */
    HF_ROUTE_UNIT,        /* Several keys, as one write: core/unit.h. */
    HF_ROUTE_SCRIPT, /* The same, run by the script engine: EVAL. argv[2] is
                      * how many keys follow. */
};

/* How the replies of the parts become one (all routes but KEY and SCAN). An
 * error of any part is the answer of all. */
enum hf_gather {
    HF_GATHER_NONE,
    HF_GATHER_SUM,   /* Integers: DEL, EXISTS, DBSIZE. */
    HF_GATHER_ARRAY, /* In the order of the keys: MGET. */
    HF_GATHER_OK,    /* +OK: MSET, FLUSHALL. */
    HF_GATHER_EVERY, /* Of the pages of a walk, every key: KEYS. */
    HF_GATHER_ANY,   /* Any one key: RANDOMKEY. */
};

enum hf_command_flag {
    HF_COMMAND_WRITE = 1,  /* May have effects. */
    HF_COMMAND_FAST = 2,   /* O(1); only told to clients by COMMAND. */
    HF_COMMAND_TIME = 4,   /* Shows the time left, by the primary's clock. */
    HF_COMMAND_ALONE = 8,  /* Runs once all before it are answered: SUBSCRIBE */
    HF_COMMAND_QUIET = 16, /* That nothing is there is no event: OBJECT. */
};

#define HF_FENCED_TEXT "ERR the session was deleted"

/* What a command that would make a session answers when the key is fenced, and
 * nothing is stored: what its clients take in silence if there is such a
 * thing, and an error if every answer would be a lie. */
enum hf_fenced {
    HF_FENCED_ERROR, /* HF_FENCED_TEXT: INCR. */
    HF_FENCED_NIL,   /* SET, as if its condition failed. */
    HF_FENCED_ZERO,  /* HSET: no field is new. */
    HF_FENCED_OK,    /* MSET, which has no other answer. */
};

/* Of docs/COMMANDS.md. */
enum hf_section {
    HF_SECTION_STRING,
    HF_SECTION_HASH,
    HF_SECTION_SET,
    HF_SECTION_SORTED_SET,
    HF_SECTION_LIST,
    HF_SECTION_KEYSPACE,
    HF_SECTION_TRANSACTION,
    HF_SECTION_SCRIPT,
    HF_SECTION_CLUSTER,
    HF_SECTION_PUBSUB,
    HF_SECTION_SERVER,
};

struct hf_apply;
struct hf_command;
struct hf_unit;

struct hf_command_row {
    const char *name; /* Upper case. */
    size_t name_size;
    int arity; /* With the name; negative: at least that many. */
    uint32_t flags;
    enum hf_route route;
    enum hf_gather gather;
    /* Where its keys are among the arguments, as COMMAND tells it: the first
     * (0: it has none), the last (-1: the last argument), and how far from one
     * to the next: 1 for DEL k k, 2 for MSET k v k v. A command of route KEY
     * has one, which hf_command_encode_keys makes argv[1]. */
    int8_t key_first;
    int8_t key_last;
    uint8_t key_step;
    /* KEYS: called with one key's share: argv = name, key [, value]. */
    void (*apply)(struct hf_apply *apply, const struct hf_command *command);
    enum hf_fenced fenced;
    enum hf_section section;
    const char *usage; /* Its arguments, for people. */
    const char *note;  /* What differs from Redis, for people; or "". */
};

struct hf_command {
    const struct hf_command_row *row;
    uint32_t argc;               /* With the name. */
    const struct hf_slice *argv; /* Borrowed; keys as core/key.h has them. */
    uint8_t database;            /* What the client selected. */
    bool own; /* Of a command on many partitions: only those whose front is
               * the node that was asked (core/topology.h). */
    /* Where argv[1] is; only when `located`, else whoever wants to know
     * computes it. */
    bool located;
    uint16_t partition;
    uint32_t hash;
};

#define HF_APPLY_NOTICES_MAX 4

/* What an apply function works on. */
struct hf_apply {
    const struct hf_sessions *sessions; /* The partition's table. */
    uint32_t hash;                      /* Of argv[1], and what is there: a */
    const struct hf_session *entry;     /* session, a fence or NULL. Both for
                                         * commands on one key only. */
    hf_time now;                        /* Clock of the deadlines. */
    int64_t wall_ms;        /* Unix time in ms, only for EXAT and its like. */
    size_t value_bytes_max; /* A value may not grow beyond this. */
    const struct hf_fence_rules *fences; /* Who leaves one. */
    hf_epoch epoch;                      /* Of the view. */
    uint64_t last_delete; /* Sequence of the partition's last removal. */
    struct hf_unit *unit; /* That it is part of, if any. Route UNIT: where keys
                           * are looked up and changed (core/units.h). */
    struct hf_buffer *effects; /* Out; empty at the start. When it is `failed`
                                * in the end, there was no memory: nothing
                                * may be applied, whatever the reply says. */
    struct hf_buffer *scratch; /* For replies that need bytes; empty. */
    struct hf_rng *rng;        /* For what is to be random. */
    uint32_t notice_count;
    uint8_t notices[HF_APPLY_NOTICES_MAX]; /* Out, by hf_apply_notice. */
    struct hf_reply reply; /* Out. May borrow from the session, scratch or
                            * argv; when there are effects it must not
                            * borrow from the session. */
};

/* Says that @notice happens to argv[1] with the effects: to subscribers, if
 * any want it. */
static inline void hf_apply_notice(struct hf_apply *apply,
                                   enum hf_notice notice)
{
    HF_ASSERT(apply->notice_count < HF_APPLY_NOTICES_MAX);
    apply->notices[apply->notice_count++] = (uint8_t)notice;
}

/* The same of @notice, which takes something out; the session with it if that
 * was @all. */
static inline void hf_apply_notice_removal(struct hf_apply *apply,
                                           enum hf_notice notice, bool all)
{
    hf_apply_notice(apply, notice);
    if (all) {
        hf_apply_notice(apply, HF_NOTICE_DEL);
    }
}

/* NULL when there is no such command. Any case of letters. */
const struct hf_command_row *hf_command_find(struct hf_slice name);

/* Row by index, NULL past the end: for COMMAND and for docs. */
const struct hf_command_row *hf_command_at(size_t index);

/* The place of a row in the table: its number when commands are forwarded. */
size_t hf_command_index(const struct hf_command_row *row);

/* The arguments of @command that are keys, of which there may be none. It has
 * as many arguments as its row wants. */
struct hf_key_places {
    uint32_t first;
    uint32_t end; /* One past the last. */
    uint32_t step;
};
struct hf_key_places hf_command_key_places(const struct hf_command *command);

/* Makes the keys of @command, which a client wrote, keys of @database; of route
 * KEY, the key becomes argv[1]. What it then borrows is in @arena, which is
 * cleared, and lasts until that changes. Does nothing when all keys are what
 * they are inside. False: no memory. */
HF_NODISCARD bool hf_command_encode_keys(struct hf_command *command,
                                         uint8_t database,
                                         struct hf_buffer *arena);

/* Whether @argc fits the row, key_step included (MSET wants pairs). */
bool hf_command_arity_fits(const struct hf_command_row *row, uint32_t argc);

/* Whether all keys of @command, which has a row and fits it, are short enough;
 * before they are encoded. */
bool hf_command_keys_fit(const struct hf_command *command);

/* The key number @index of @command, which has been encoded. False: there are
 * not so many. */
bool hf_command_key(const struct hf_command *command, uint32_t index,
                    struct hf_slice *key);

/* Where a command on keys is carried out: the partition of its first key, or
 * that of argv[1] when it has none. */
uint16_t hf_command_partition(const struct hf_command *command);

/* Route KEYS: the command on key number @index alone, made in @argv, which has
 * @room. */
struct hf_command hf_command_share(const struct hf_command *command,
                                   uint32_t index, struct hf_slice *argv,
                                   size_t room);

/* Whether it is a packed transaction (core/transaction.h), or a step of a
 * command on keys of several partitions (core/transfers.h). Both are about the
 * key that is argv[1], and no client can send them. */
bool hf_command_is_transaction(const struct hf_command *command);
bool hf_command_is_step(const struct hf_command *command);

/* Whether all its keys are in one partition. */
bool hf_command_is_of_one_partition(const struct hf_command *command);

/* Whether @command, which may have no row, can be part of a unit. */
bool hf_command_fits_unit(const struct hf_command *command);

/* How much room a copy of @command's arguments takes. */
size_t hf_command_copy_size(const struct hf_command *command);
/* Copies the arguments to @place, which is that large and aligned as from
 * hf_mem_alloc; the result points there. */
struct hf_command hf_command_copy(const struct hf_command *command,
                                  void *place);

/* Fills in where argv[1] is, which there must be. */
void hf_command_locate(struct hf_command *command);

/* Looks argv[1] up in apply->sessions, for `hash` and `entry`. */
void hf_apply_find(struct hf_apply *apply, const struct hf_command *command);

/* Carries out a command on one key, which was looked up: its apply function,
 * unless that would make a session where a fence stands. Then there are no
 * effects. */
void hf_command_apply(struct hf_apply *apply, const struct hf_command *command);

/* "string", as TYPE and the TYPE of SCAN have it. */
const char *hf_session_type_name(enum hf_session_type type);

/* Reads the cursor of SCAN and its like. */
HF_NODISCARD bool hf_parse_cursor(struct hf_slice slice, uint64_t *cursor);

/* The options of SCAN. */
struct hf_scan_options {
    uint64_t cursor;
    uint8_t database;
    int64_t count;             /* 10 unless given. */
    struct hf_slice match;     /* data NULL: everything. */
    enum hf_session_type type; /* 0: every type. */
    bool type_unknown;         /* A TYPE nobody has: nothing matches. */
};

/* Reads SCAN's arguments; false leaves an error in @error. */
HF_NODISCARD bool hf_scan_parse(const struct hf_command *command,
                                struct hf_scan_options *options,
                                struct hf_reply *error);
/* Whether SCAN with @options reports @session at @now. */
bool hf_scan_matches(const struct hf_scan_options *options,
                     const struct hf_session *session, hf_time now);

#endif
