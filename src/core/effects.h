/* effects.h - What a command did to one session, as bytes.
 *
 * Commands do not replicate, their effects do: small, deterministic, and with
 * the time left instead of a clock's time. One command gives one sequence of
 * effects on one key, which is applied all or nothing; so are those of a unit
 * (core/unit.h), on several keys.
 *
 *   PUT     ttl value      the session is this string
 *   FIELD   field value    set a field, making a hash when there is nothing
 *   UNFIELD field          drop a field; the last one drops the session
 *   EXPIRE  ttl            new time to live
 *   DELETE                 drop the session
 *   CLEAR   database       drop all sessions of the partition (key is empty)
 *                          that are in this database, or in any of clients
 *   FENCE   ttl            drop the session, and let none be made for so long
 *   TAKEN   version        first of all: the session gets this version, for it
 *                          was written in another lineage
 *   SEEN    knowledge      nothing else: what was taken over of the partition
 *                          (core/knowledge.h; key is empty)
 *   KEY     key            those that follow, up to the next KEY, are on this
 *                          key. The first of a unit; its record has no key
 *
 *   MEMBER   member        of a set, making one when there is nothing
 *   UNMEMBER member        take it out; the last one drops the session
 *   SCORE    member score  the same for a sorted set
 *   UNSCORE  member
 *   PUSH     side element  the same for a list: add it at one side
 *   POP      side count    drop so many there
 *   ITEM     place element another one in that place
 *   UNITEM   side count element   drop so many that are equal, from one side
 *
 * A time to live is in milliseconds, more than 0, or HF_TTL_NONE (but not of a
 * fence). PUT replaces whatever was there; FIELD keeps the deadline. CLEAR
 * leaves fences as they are; only DELETE lifts one.
 *
 * One sequence makes or changes a session of one type: after effects on members
 * or elements, others need a PUT, FENCE or DELETE in between. */
#ifndef HF_CORE_EFFECTS_H
#define HF_CORE_EFFECTS_H

#include "core/knowledge.h"

#define HF_TTL_NONE INT64_C(-1)

enum hf_effect_kind {
    HF_EFFECT_PUT = 1,
    HF_EFFECT_FIELD = 2,
    HF_EFFECT_UNFIELD = 3,
    HF_EFFECT_EXPIRE = 4,
    HF_EFFECT_DELETE = 5,
    HF_EFFECT_CLEAR = 6,
    HF_EFFECT_FENCE = 7,
    HF_EFFECT_TAKEN = 8,
    HF_EFFECT_SEEN = 9,
    HF_EFFECT_KEY = 10,
    HF_EFFECT_MEMBER = 11,
    HF_EFFECT_UNMEMBER = 12,
    HF_EFFECT_SCORE = 13,
    HF_EFFECT_UNSCORE = 14,
    HF_EFFECT_PUSH = 15,
    HF_EFFECT_POP = 16,
    HF_EFFECT_ITEM = 17,
    HF_EFFECT_UNITEM = 18,
};

struct hf_effect {
    enum hf_effect_kind kind;
    int64_t ttl_ms;        /* PUT, EXPIRE, FENCE. */
    uint8_t database;      /* CLEAR; or HF_DATABASE_ALL. */
    struct hf_slice field; /* FIELD, UNFIELD; of members, the member. */
    struct hf_slice value; /* PUT, FIELD; of lists, the element. */
    double score;          /* SCORE. */
    uint32_t count;        /* POP, UNITEM; of ITEM, the place. */
    bool left;             /* PUSH, POP, UNITEM. */
};

void hf_effects_put(struct hf_buffer *effects, struct hf_slice value,
                    int64_t ttl_ms);
void hf_effects_field(struct hf_buffer *effects, struct hf_slice field,
                      struct hf_slice value);
void hf_effects_unfield(struct hf_buffer *effects, struct hf_slice field);
void hf_effects_member(struct hf_buffer *effects, struct hf_slice member);
void hf_effects_unmember(struct hf_buffer *effects, struct hf_slice member);
void hf_effects_score(struct hf_buffer *effects, struct hf_slice member,
                      double score);
void hf_effects_unscore(struct hf_buffer *effects, struct hf_slice member);
void hf_effects_push(struct hf_buffer *effects, bool left,
                     struct hf_slice element);
void hf_effects_pop(struct hf_buffer *effects, bool left, uint32_t count);
void hf_effects_item(struct hf_buffer *effects, uint32_t place,
                     struct hf_slice element);
void hf_effects_unitem(struct hf_buffer *effects, bool left, uint32_t count,
                       struct hf_slice element);
void hf_effects_expire(struct hf_buffer *effects, int64_t ttl_ms);
void hf_effects_delete(struct hf_buffer *effects);
void hf_effects_clear(struct hf_buffer *effects, uint8_t database);
void hf_effects_fence(struct hf_buffer *effects, int64_t ttl_ms);
void hf_effects_taken(struct hf_buffer *effects, struct hf_version version);
void hf_effects_seen(struct hf_buffer *effects,
                     const struct hf_knowledge *knowledge);
void hf_effects_key(struct hf_buffer *effects, struct hf_slice key);

/* Reads the next effect, borrowing from what @reader reads. False at the end,
 * or, with reader->failed set, when it is malformed; TAKEN, SEEN and KEY are,
 * here. */
HF_NODISCARD bool hf_effects_next(struct hf_reader *reader,
                                  struct hf_effect *effect);

/* Whether they concern a partition as a whole: CLEAR or SEEN. */
bool hf_effects_of_partition(struct hf_slice effects);
/* Whether they are CLEAR and nothing else, and of which database. */
bool hf_effects_are_clear(struct hf_slice effects, uint8_t *database);

/* Takes TAKEN from the front of @effects, and sets *@version to what it says.
 * False when there is none. */
bool hf_effects_take_version(struct hf_slice *effects,
                             struct hf_version *version);
/* Whether they are SEEN; then *@reader reads what was taken over. */
bool hf_effects_read_seen(struct hf_slice effects, struct hf_reader *reader);

/* Whether they are those of a unit: on several keys. */
bool hf_effects_of_unit(struct hf_slice effects);
/* The next key of a unit and the effects on it, without KEY. False at the end,
 * or, with reader->failed set, when they are malformed. A key may come again.
 */
HF_NODISCARD bool hf_effects_next_key(struct hf_reader *reader,
                                      struct hf_slice *key,
                                      struct hf_slice *effects);

/* Effects that make an equal session or fence, out of nothing or out of
 * whatever was there; what hand-off sends. */
void hf_effects_of_session(struct hf_buffer *effects,
                           const struct hf_session *session, hf_time now);

#endif
