#include "core/notices.h"

#include "base/assert.h"

/* In the order in which they are shown. */
static const struct {
    char letter;
    uint32_t flag;
} letters[] = {
    {'g', HF_NOTICES_GENERIC},  {'$', HF_NOTICES_STRING},
    {'l', HF_NOTICES_LIST},     {'s', HF_NOTICES_SET},
    {'h', HF_NOTICES_HASH},     {'z', HF_NOTICES_ZSET},
    {'x', HF_NOTICES_EXPIRED},  {'e', HF_NOTICES_EVICTED},
    {'t', HF_NOTICES_STREAM},   {'d', HF_NOTICES_MODULE},
    {'n', HF_NOTICES_NEW},      {'K', HF_NOTICES_KEYSPACE},
    {'E', HF_NOTICES_KEYEVENT}, {'m', HF_NOTICES_MISS},
};

struct hf_slice hf_notice_name(enum hf_notice notice)
{
    static const struct hf_slice names[] = {
#define NOTICE_NAME(name, of, text)                                            \
    [HF_NOTICE_##name] = {(const uint8_t *)(text), sizeof(text) - 1},
        HF_NOTICES(NOTICE_NAME)
#undef NOTICE_NAME
    };
    HF_ASSERT(notice < HF_NOTICE_COUNT);
    return names[notice];
}

uint32_t hf_notice_class(enum hf_notice notice)
{
    static const uint32_t classes[] = {
#define NOTICE_CLASS(name, of, text) [HF_NOTICE_##name] = HF_NOTICES_##of,
        HF_NOTICES(NOTICE_CLASS)
#undef NOTICE_CLASS
    };
    HF_ASSERT(notice < HF_NOTICE_COUNT);
    return classes[notice];
}

bool hf_notice_is_wanted(enum hf_notice notice, uint32_t flags)
{
    return (flags & (HF_NOTICES_KEYSPACE | HF_NOTICES_KEYEVENT)) != 0 &&
           (flags & hf_notice_class(notice)) != 0;
}

bool hf_notice_flags_read(struct hf_slice text, uint32_t *flags)
{
    *flags = 0;
    for (size_t i = 0; i < text.size; i++) {
        uint32_t flag = text.data[i] == 'A' ? HF_NOTICES_ALL : 0;
        for (size_t j = 0; j < HF_ARRAY_COUNT(letters); j++) {
            if (text.data[i] == (uint8_t)letters[j].letter) {
                flag = letters[j].flag;
            }
        }
        if (flag == 0) {
            return false;
        }
        *flags |= flag;
    }
    return true;
}

/* With A, n is not shown: so does Redis. */
void hf_notice_flags_write(struct hf_buffer *out, uint32_t flags)
{
    if ((flags & HF_NOTICES_ALL) == HF_NOTICES_ALL) {
        hf_buffer_append_text(out, "A");
        flags &= ~(uint32_t)(HF_NOTICES_ALL | HF_NOTICES_NEW);
    }
    for (size_t i = 0; i < HF_ARRAY_COUNT(letters); i++) {
        if ((flags & letters[i].flag) != 0) {
            hf_buffer_append(out, &letters[i].letter, 1);
        }
    }
}
