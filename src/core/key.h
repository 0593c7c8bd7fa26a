/* key.h - Sixteen key spaces in one.
 *
 * Clients have databases 0 to 15. Inside a node there is one space of keys: a
 * key there is what the client calls it, with its database in front unless that
 * is 0.
 *
 *   database 0, first byte above 0x1f    as it is, and so is the empty key
 *   otherwise                            one byte 0x00-0x10, then the key
 *
 * So what nearly all clients use costs nothing. Database 16 is the node's own:
 * what is stored there replicates and moves like any session, and no client
 * sees it.
 *
 * The connection encodes the keys of a command (hf_command_encode_keys), and
 * whoever shows a key to a client or compares it with what people wrote takes
 * hf_key_text. All other code handles inner keys and need not know. */
#ifndef HF_CORE_KEY_H
#define HF_CORE_KEY_H

#include "base/bytes.h"

#define HF_DATABASE_COUNT 16 /* Of clients: 0 to 15. */
#define HF_DATABASE_OWN 16   /* The node's own. */
#define HF_DATABASE_ALL 0xff /* Of clients, in what means several. */

#define HF_KEY_PLAIN_MIN 0x20 /* First bytes of keys without a database. */

/* The database of an inner key. */
static inline uint8_t hf_key_database(struct hf_slice key)
{
    return key.size > 0 && key.data[0] <= HF_DATABASE_OWN ? key.data[0] : 0;
}

/* What the client calls it. */
static inline struct hf_slice hf_key_text(struct hf_slice key)
{
    if (key.size > 0 && key.data[0] <= HF_DATABASE_OWN) {
        key.data++;
        key.size--;
    }
    return key;
}

/* Whether the key @text of @database is the same inside. */
static inline bool hf_key_is_plain(uint8_t database, struct hf_slice text)
{
    return database == 0 &&
           (text.size == 0 || text.data[0] >= HF_KEY_PLAIN_MIN);
}

/* Writes the inner key to @place, which has room for one byte more than @text,
 * and returns it; or just @text, when that is the same. */
struct hf_slice hf_key_encode(uint8_t database, struct hf_slice text,
                              uint8_t *place);

#endif
