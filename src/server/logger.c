#include "server/logger.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/assert.h"
#include "io/clock.h"

/* What hf_log makes is at most this long; each byte may take six in JSON. */
#define TEXT_BYTES_MAX 1024
_Static_assert(TEXT_BYTES_MAX * 6 + 256 <= HF_LOGGER_LINE_BYTES,
               "the longest text fits");

static void format_time(int64_t wall_ms, char *text, size_t size)
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm tm;
    char date[32];
    gmtime_r(&seconds, &tm);
    strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(text, size, "%s.%03dZ", date, (int)(wall_ms % 1000));
}

/* Bytes beyond ASCII may not be UTF-8: they are written as their numbers. */
static size_t escape(const char *text, char *to)
{
    size_t size = 0;
    for (size_t i = 0; text[i] != '\0' && i < TEXT_BYTES_MAX; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\') {
            to[size++] = '\\';
            to[size++] = (char)c;
        } else if (c < ' ' || c > '~') {
            size += (size_t)snprintf(to + size, 7, "\\u%04x", c);
        } else {
            to[size++] = (char)c;
        }
    }
    return size;
}

size_t hf_logger_format(enum hf_config_log_format format, int64_t wall_ms,
                        enum hf_log_level level, const char *node,
                        const char *text, char *line)
{
    char at[48];
    const char *name = hf_log_level_name(level);
    format_time(wall_ms, at, sizeof(at));
    if (format == HF_CONFIG_LOG_TEXT) {
        return (size_t)snprintf(
            line, HF_LOGGER_LINE_BYTES, "%s %-7s  %s%s%s%.*s\n", at, name,
            node == NULL ? "" : "[", node == NULL ? "" : node,
            node == NULL ? "" : "] ", TEXT_BYTES_MAX, text);
    }
    size_t size = (size_t)snprintf(
        line, HF_LOGGER_LINE_BYTES,
        "{\"time\":\"%s\",\"level\":\"%s\",%s%s%s\"message\":\"", at, name,
        node == NULL ? "" : "\"node\":\"", node == NULL ? "" : node,
        node == NULL ? "" : "\",");
    size += escape(text, line + size);
    memcpy(line + size, "\"}\n", 3);
    return size + 3;
}

void hf_logger_write(void *user, enum hf_log_level level, const char *text)
{
    const struct hf_config *config = user;
    if (config->log_write != NULL) {
        config->log_write(config->log_user, (enum hf_config_log_level)level,
                          text);
        return;
    }
    char line[HF_LOGGER_LINE_BYTES];
    const char *node = config->nodes > 1 ? config->name : NULL;
    size_t size = hf_logger_format(config->log_format, hf_clock_wall_ms(),
                                   level, node, text, line);
    /* Where else could a failure be told? */
    size_t written = fwrite(line, 1, size, stderr);
    (void)written;
}
