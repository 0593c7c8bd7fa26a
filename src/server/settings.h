/* settings.h - Flags and the config file: texts to struct hf_config.
 *
 * Every setting is one row of a table in settings.c; flags, the file and
 * --help all read it.
 *
 *   holdfastd [FILE] [--setting value]... [--setting=value]...
 *
 * A line of the file is "setting value" or "setting = value", perhaps with the
 * value in double quotes, as in a shell; what follows a '#' is a comment. One
 * line of each setting: a second one is an error. Flags win over the file,
 * whatever their order, and a later one over an earlier one, so that whoever
 * wraps a command can add to it. Errors are one line that names the setting,
 * the value and what is allowed. */
#ifndef HF_SERVER_SETTINGS_H
#define HF_SERVER_SETTINGS_H

#include "base/bytes.h"
#include "holdfast/config.h"

/* A larger file is not a config file. */
#define HF_SETTINGS_FILE_BYTES_MAX ((size_t)64 << 10)

enum hf_settings_wish {
    HF_SETTINGS_RUN,
    HF_SETTINGS_HELP,
    HF_SETTINGS_VERSION,
};

/* Sets one setting. Returns 0, or HF_EINVAL with the reason in @error. */
HF_NODISCARD int hf_settings_set(struct hf_config *config, const char *name,
                                 const char *value, char *error,
                                 size_t error_size);

/* Reads the text of a file; @path is for errors. As hf_settings_set. */
HF_NODISCARD int hf_settings_read_text(struct hf_config *config,
                                       const char *path, struct hf_slice text,
                                       char *error, size_t error_size);

/* Reads the file, if one is named, and the flags; @arguments without the name
 * of the program. --help and --version are found first, wherever they stand.
 * As hf_settings_set. */
HF_NODISCARD int hf_settings_read_arguments(struct hf_config *config, int count,
                                            char *const arguments[],
                                            enum hf_settings_wish *wish,
                                            char *error, size_t error_size);

/* Appends the text of --help. */
void hf_settings_help(struct hf_buffer *out);

#endif
