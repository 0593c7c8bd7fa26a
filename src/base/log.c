#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

#define LINE_BYTES_MAX 1024

void hf_log(const struct hf_log *log, enum hf_log_level level,
            const char *format, ...)
{
    if (log->write == NULL || level < log->level) {
        return;
    }
    char line[LINE_BYTES_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    log->write(log->user, level, line);
}

const char *hf_log_level_name(enum hf_log_level level)
{
    static const char *const names[] = {"debug", "info", "warning", "error"};
    return (size_t)level < HF_ARRAY_COUNT(names) ? names[level] : "unknown";
}
