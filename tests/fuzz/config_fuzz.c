/* config_fuzz.c - Any bytes as a config file and a command line.
 *
 *   input: room for the error, the text of the file, a line "--", and
 *          arguments that end with a zero byte each
 *
 * The argument "@" stands for the path of a real file with that text; it is
 * put there because inputs must not open files of their own choice.
 *
 * Whatever is refused is refused with one line. What is accepted keeps to the
 * bounds of holdfast/config.h, and saying it twice changes nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "holdfast/error.h"
#include "server/config.h"
#include "server/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ARGUMENTS_MAX 24

struct input {
    struct hf_slice text;
    char *copy; /* Of the arguments; ends with a zero byte. */
    size_t copy_size;
    char *arguments[ARGUMENTS_MAX];
    int count;
};

/* Ends exactly where its text has to end. */
struct error {
    char *text;
    size_t size;
};

static void error_clear(struct error *error)
{
    memset(error->text, 'x', error->size);
}

/* One line, ended within the room that was given. */
static void error_check(const struct error *error)
{
    size_t size = strnlen(error->text, error->size);
    HF_ASSERT(size < error->size);
    HF_ASSERT(size > 0 || error->size == 1);
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = (unsigned char)error->text[i];
        HF_ASSERT(byte >= ' ' && byte != 127);
    }
}

static void text_check(const char *text, size_t size)
{
    HF_ASSERT(memchr(text, '\0', size) != NULL);
}

static void config_check(const struct hf_config *config)
{
    text_check(config->bind, sizeof(config->bind));
    text_check(config->advertise, sizeof(config->advertise));
    text_check(config->name, sizeof(config->name));
    text_check(config->host_label, sizeof(config->host_label));
    text_check(config->cluster_name, sizeof(config->cluster_name));
    HF_ASSERT(hf_config_is_host(config->bind));
    HF_ASSERT(hf_config_is_name(config->cluster_name));
    HF_ASSERT(config->name[0] == '\0' || hf_config_is_name(config->name));
    HF_ASSERT(config->seed_count <= HF_CONFIG_SEEDS_MAX);
    for (size_t i = 0; i < config->seed_count; i++) {
        text_check(config->seeds[i].host, sizeof(config->seeds[i].host));
        HF_ASSERT(hf_config_is_host(config->seeds[i].host));
        HF_ASSERT(config->seeds[i].port != 0);
    }
    HF_ASSERT(config->fence_prefix_count <= HF_CONFIG_FENCE_PREFIXES_MAX);
    for (size_t i = 0; i < config->fence_prefix_count; i++) {
        text_check(config->fence_prefixes[i],
                   sizeof(config->fence_prefixes[i]));
        HF_ASSERT(hf_config_is_fence_prefix(config->fence_prefixes[i]));
    }
    HF_ASSERT(config->fence_lifetime_s >= 1);
    HF_ASSERT(config->fence_lifetime_s <= HF_CONFIG_FENCE_LIFETIME_S_MAX);
    HF_ASSERT(config->backups <= HF_CONFIG_BACKUPS_MAX);
    HF_ASSERT(config->hold_ms <= HF_CONFIG_HOLD_MS_MAX);
    HF_ASSERT(config->touch_delay_ms <= HF_CONFIG_TOUCH_DELAY_MS_MAX);
    HF_ASSERT(config->drain_timeout_s <= HF_CONFIG_DRAIN_TIMEOUT_S_MAX);
    HF_ASSERT(config->clients_max >= 1);
    HF_ASSERT(config->clients_max <= HF_CONFIG_CLIENTS_MAX);
    HF_ASSERT(config->value_bytes_max >= HF_CONFIG_VALUE_BYTES_MIN);
    HF_ASSERT(config->value_bytes_max <= HF_CONFIG_VALUE_BYTES_MAX);
    HF_ASSERT(config->log_level <= HF_CONFIG_LOG_ERROR);
    HF_ASSERT(config->log_format <= HF_CONFIG_LOG_JSON);
}

/* What is left open is filled in, or refused. */
static void config_finish(struct hf_config *config, struct error *error)
{
    error_clear(error);
    int rv = hf_config_check(config, error->text, error->size);
    if (rv == 0) {
        rv = hf_config_complete(config, error->text, error->size);
    }
    if (rv != 0) {
        HF_ASSERT(rv == HF_EINVAL);
        error_check(error);
        return;
    }
    config_check(config);
    struct hf_fence_rules fences;
    hf_config_fences(config, &fences);
    HF_ASSERT(hf_config_is_host(config->advertise));
    HF_ASSERT(hf_config_is_name(config->host_label));
    HF_ASSERT(hf_config_is_name(config->name));
}

static void file_run(const struct input *input, struct error *error)
{
    struct hf_config config;
    struct hf_config again;
    hf_config_init(&config);
    error_clear(error);
    int rv = hf_settings_read_text(&config, "file", input->text, error->text,
                                   error->size);
    if (rv != 0) {
        HF_ASSERT(rv == HF_EINVAL);
        error_check(error);
        return;
    }
    config_check(&config);
    memcpy(&again, &config, sizeof(again));
    rv = hf_settings_read_text(&again, "file", input->text, error->text,
                               error->size);
    HF_ASSERT(rv == 0);
    HF_ASSERT(memcmp(&again, &config, sizeof(again)) == 0);
    config_finish(&config, error);
}

static void arguments_run(const struct input *input, struct error *error)
{
    struct hf_config config;
    enum hf_settings_wish wish;
    hf_config_init(&config);
    error_clear(error);
    int rv = hf_settings_read_arguments(&config, input->count, input->arguments,
                                        &wish, error->text, error->size);
    if (rv != 0) {
        HF_ASSERT(rv == HF_EINVAL);
        error_check(error);
        return;
    }
    HF_ASSERT(wish <= HF_SETTINGS_VERSION);
    config_check(&config);
    config_finish(&config, error);
}

/* Splits the arguments; puts @path in the place of "@". Returns whether they
 * can be run, and whether @uses_file. */
static bool arguments_split(struct input *input, char *path, bool *uses_file)
{
    char *end = input->copy + input->copy_size;
    for (char *at = input->copy; at < end; at += strlen(at) + 1) {
        if (input->count == ARGUMENTS_MAX) {
            return false;
        }
        bool is_file = strcmp(at, "@") == 0;
        *uses_file = *uses_file || is_file;
        /* A file that is not there, or a directory, is as good as any. */
        if (at[0] != '-' && strchr(at, '/') != NULL) {
            return false;
        }
        input->arguments[input->count++] = is_file ? path : at;
    }
    return true;
}

/* Where the text of the file ends: at a line "--" or at the end. */
static size_t text_end(const uint8_t *data, size_t size)
{
    for (size_t i = 0; i + 4 <= size; i++) {
        if (memcmp(data + i, "\n--\n", 4) == 0) {
            return i;
        }
    }
    return size;
}

/* An unnamed file, made when it is first needed and kept. */
static void file_fill(char *path, size_t size, struct hf_slice text)
{
    static FILE *file = NULL;
    if (file == NULL) {
        file = tmpfile();
        HF_ASSERT(file != NULL);
    }
    int number = fileno(file);
    HF_ASSERT(ftruncate(number, 0) == 0);
    HF_ASSERT(pwrite(number, text.data, text.size, 0) == (ssize_t)text.size);
    (void)snprintf(path, size, "/dev/fd/%d", number);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > 2 * HF_SETTINGS_FILE_BYTES_MAX) {
        return 0;
    }
    struct error error = {.size = 1 + (size_t)data[0] * 4};
    data++;
    size--;
    struct input input = {.text = {data, text_end(data, size)}};
    size_t start = input.text.size + 4 < size ? input.text.size + 4 : size;
    input.copy_size = size - start + 1;
    input.copy = malloc(input.copy_size);
    error.text = malloc(error.size);
    HF_ASSERT(input.copy != NULL && error.text != NULL);
    memcpy(input.copy, data + start, size - start);
    input.copy[size - start] = '\0';

    char path[32] = "";
    bool uses_file = false;
    file_run(&input, &error);
    if (start < size && arguments_split(&input, path, &uses_file)) {
        if (uses_file) {
            file_fill(path, sizeof(path), input.text);
        }
        arguments_run(&input, &error);
    }
    free(input.copy);
    free(error.text);
    return 0;
}
