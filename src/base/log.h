/* log.h - One hook for what a person may want to read. No globals. */
#ifndef HF_BASE_LOG_H
#define HF_BASE_LOG_H

#include "base/types.h"

enum hf_log_level { HF_LOG_DEBUG, HF_LOG_INFO, HF_LOG_WARNING, HF_LOG_ERROR };

struct hf_log {
    /* @text is one line without its end, valid during the call. May be NULL:
     * then nothing is written. */
    void (*write)(void *user, enum hf_log_level level, const char *text);
    void *user;
    enum hf_log_level level; /* Less than this is not formatted at all. */
};

/* Lines are cut at 1,023 bytes. */
void hf_log(const struct hf_log *log, enum hf_log_level level,
            const char *format, ...) HF_PRINTF(3, 4);

const char *hf_log_level_name(enum hf_log_level level);

#endif
