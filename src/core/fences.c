#include "core/fences.h"

#include <string.h>

#include "core/key.h"

#define LIFETIME_MS INT64_C(600000)

void hf_fence_rules_init(struct hf_fence_rules *rules)
{
    *rules = (struct hf_fence_rules){.lifetime_ms = LIFETIME_MS};
}

bool hf_fence_rules_add(struct hf_fence_rules *rules, struct hf_slice prefix)
{
    if (rules->prefix_count == HF_FENCE_PREFIXES_MAX || prefix.size == 0 ||
        prefix.size > HF_FENCE_PREFIX_BYTES_MAX) {
        return false;
    }
    struct hf_fence_prefix *added = &rules->prefixes[rules->prefix_count++];
    added->size = (uint8_t)prefix.size;
    memcpy(added->bytes, prefix.data, prefix.size);
    return true;
}

bool hf_fence_rules_match(const struct hf_fence_rules *rules,
                          struct hf_slice key)
{
    struct hf_slice text = hf_key_text(key);
    for (size_t i = 0; i < rules->prefix_count; i++) {
        const struct hf_fence_prefix *prefix = &rules->prefixes[i];
        if (text.size >= prefix->size &&
            memcmp(text.data, prefix->bytes, prefix->size) == 0) {
            return true;
        }
    }
    return false;
}
