/* logger.h - Log lines on stderr, as text or as one JSON object per line.
 *
 *   2026-01-02T03:04:05.678Z info     ready: clients on ...
 *   {"time":"2026-01-02T03:04:05.678Z","level":"info","message":"ready: ..."}
 *
 * Where holdfastd starts several nodes, lines name the one they are of:
 *
 *   2026-01-02T03:04:05.678Z info     [app1-2] ready: clients on ...
 *   {"time":"...","level":"info","node":"app1-2","message":"ready: ..."}
 */
#ifndef HF_SERVER_LOGGER_H
#define HF_SERVER_LOGGER_H

#include "base/log.h"
#include "holdfast/config.h"

/* Formats one line, with its end, into @line and returns its size: at most
 * HF_LOGGER_LINE_BYTES for texts as hf_log makes them. @node: a name, or
 * NULL. */
#define HF_LOGGER_LINE_BYTES 8192
size_t hf_logger_format(enum hf_config_log_format format, int64_t wall_ms,
                        enum hf_log_level level, const char *node,
                        const char *text, char *line);

/* For struct hf_log: writes to stderr, or hands the line to what the config
 * names. @user is a struct hf_config, which must outlive the log. */
void hf_logger_write(void *user, enum hf_log_level level, const char *text);

#endif
