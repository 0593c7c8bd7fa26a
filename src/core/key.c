#include "core/key.h"

#include <string.h>

#include "base/assert.h"

struct hf_slice hf_key_encode(uint8_t database, struct hf_slice text,
                              uint8_t *place)
{
    HF_ASSERT(database <= HF_DATABASE_OWN);
    if (hf_key_is_plain(database, text)) {
        return text;
    }
    place[0] = database;
    if (text.size > 0) {
        memcpy(place + 1, text.data, text.size);
    }
    return (struct hf_slice){place, text.size + 1};
}
