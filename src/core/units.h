/* units.h - The inside of a unit, for the files that carry units out. */
#ifndef HF_CORE_UNITS_H
#define HF_CORE_UNITS_H

#include "core/overlay.h"
#include "core/unit.h"

struct hf_node;

struct hf_unit {
    struct hf_node *node;
    uint16_t partition;
    struct hf_overlay overlay; /* What it changed so far. */
    struct hf_buffer effects;  /* How, with KEY before those on each key. */
    uint32_t changes;          /* How many of these there are. */
    uint64_t shows;            /* Sequence of the last write it saw. */
    const char *failed;        /* The answer, then; or NULL. */
    uint32_t scripts;          /* One inside of the other. */
    struct hf_buffer gathered; /* A reply made of several. */
    struct hf_buffer replies;  /* Those of a transaction. */
    struct hf_buffer arguments;
};

/* Allocates nothing yet. */
void hf_unit_open(struct hf_unit *unit, struct hf_node *node,
                  uint16_t partition);
/* Forgets what was not committed. */
void hf_unit_close(struct hf_unit *unit);

/* Carries out what a client asked for, once. The reply is valid until the unit
 * is closed or anything else is carried out. */
void hf_unit_run(struct hf_unit *unit, const struct hf_command *command,
                 struct hf_reply *reply);

/* What is under @key by now: a session that has not expired, a fence or NULL.
 * A fence may be over unless the caller @writes. */
const struct hf_session *hf_unit_find(struct hf_unit *unit, struct hf_slice key,
                                      uint32_t hash, bool writes);

/* Changes a key of the unit's partition by @effects, which fit what
 * hf_unit_find says of it. Fails the unit when that takes too much. */
void hf_unit_change(struct hf_unit *unit, struct hf_slice key, uint32_t hash,
                    struct hf_slice effects);

/* Says that @notice happens to @key: to subscribers, when the unit commits. */
void hf_unit_note(struct hf_unit *unit, enum hf_notice notice,
                  struct hf_slice key);

/* What its record is to say. A single change is a write like any other; else
 * @key is empty and the effects are those of a unit, which are applied in the
 * same steps everywhere. */
struct hf_slice hf_unit_effects(const struct hf_unit *unit,
                                struct hf_slice *key);

#endif
