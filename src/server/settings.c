#include "server/settings.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "holdfast/error.h"
#include "server/config.h"

#define NAME_RULE "1 to 64 letters, digits and any of . _ : -"
#define PATH_RULE "a path of 1 to 107 bytes"
#define HOST_RULE "a host name or an IP address"
#define SEEDS_RULE "up to 64 of HOST:PEERPORT or [IPV6]:PEERPORT with commas"
#define EVENTS_RULE "letters of KEg$lshzxetmdnA, or nothing"
#define PREFIXES_RULE                                                          \
    "up to 16 of 1 to 64 bytes without spaces, with commas, or nothing"
/* A longer value is cut in errors. */
#define VALUE_SHOWN_MAX 200
#define PATH_SHOWN_MAX 1024
#define HELP_NAME_MAX 14 /* Two columns from the text. */
#define HELP_TEXT_MAX 60
#define HELP_NEW_LINE "\n                    "

enum kind {
    KIND_PORT,     /* uint16_t. */
    KIND_UNSIGNED, /* unsigned. */
    KIND_UINT32,
    KIND_SIZE,
    KIND_HOST, /* char[HF_CONFIG_HOST_MAX + 1]. */
    KIND_NAME, /* char[HF_CONFIG_NAME_MAX + 1]. */
    KIND_PATH, /* char[HF_CONFIG_PATH_MAX + 1]. */
    KIND_SEEDS,
    KIND_PREFIXES,
    KIND_EVENTS, /* char[HF_CONFIG_EVENTS_MAX + 1]. */
    KIND_LEVEL,
    KIND_FORMAT,
    KIND_POLICY,
};

struct row {
    const char *name;
    enum kind kind;
    size_t offset; /* Of the member of struct hf_config. */
    int64_t min;
    int64_t max;
    const char *default_text;
    const char *help;
};

#define AT(member) offsetof(struct hf_config, member)

static const struct row rows[] = {
    {"port", KIND_PORT, AT(port), 0, 65535, "7379",
     "port for RESP clients; 0: any free one"},
    {"peer-port", KIND_PORT, AT(peer_port), 0, 65535, "port + 10000",
     "port for other nodes"},
    {"cluster-port", KIND_PORT, AT(cluster_port), 0, 65535, "0",
     "port for clients of the cluster protocol; 0: none"},
    {"unix-socket", KIND_PATH, AT(unix_socket), 0, 0, "none",
     "path of a socket for clients on this machine, mode 0600"},
    {"nodes", KIND_UNSIGNED, AT(nodes), 1, HF_CONFIG_NODES_MAX, "1",
     "nodes on this machine, a process each, behind one port"},
    {"bind", KIND_HOST, AT(bind), 0, 0, "127.0.0.1",
     "address all ports listen on"},
    {"advertise", KIND_HOST, AT(advertise), 0, 0, "that of bind",
     "host that peers and clients are told"},
    {"seeds", KIND_SEEDS, AT(seeds), 0, 0, "none",
     "nodes to look for: HOST:PEERPORT,..."},
    {"name", KIND_NAME, AT(name), 0, 0, "advertise:peer-port",
     "name of this node, kept over restarts"},
    {"host-label", KIND_NAME, AT(host_label), 0, 0, "the host name",
     "failure domain: copies go to different ones"},
    {"cluster-name", KIND_NAME, AT(cluster_name), 0, 0, "holdfast",
     "nodes of other clusters are refused"},
    {"sentinel-name", KIND_NAME, AT(sentinel_name), 0, 0, "any",
     "what SENTINEL calls the master"},
    {"backups", KIND_UNSIGNED, AT(backups), 0, HF_CONFIG_BACKUPS_MAX, "1",
     "copies besides the primary"},
    {"partition-policy", KIND_POLICY, AT(partition_policy), 0, 0, "half",
     "half, majority or available"},
    {"hold", KIND_UINT32, AT(hold_ms), 0, HF_CONFIG_HOLD_MS_MAX, "400",
     "ms that a command waits while no node serves its key"},
    {"touch-delay", KIND_UINT32, AT(touch_delay_ms), 0,
     HF_CONFIG_TOUCH_DELAY_MS_MAX, "1000",
     "ms, at most 5 %, that a touched session may outlive its time"},
    {"fence-prefix", KIND_PREFIXES, AT(fence_prefixes), 0, 0,
     "sess:", "keys not to be used again once deleted: PREFIX,...; \"\": none"},
    {"fence-lifetime", KIND_UINT32, AT(fence_lifetime_s), 1,
     HF_CONFIG_FENCE_LIFETIME_S_MAX, "600", "s that they cannot be used"},
    {"notify-keyspace-events", KIND_EVENTS, AT(events), 0, 0, "none",
     "keyspace events that are published: letters as in Redis"},
    {"drain-timeout", KIND_UINT32, AT(drain_timeout_s), 0,
     HF_CONFIG_DRAIN_TIMEOUT_S_MAX, "60",
     "s that stopping may take to hand over to others"},
    {"max-clients", KIND_UINT32, AT(clients_max), 1, HF_CONFIG_CLIENTS_MAX,
     "10000", "client connections"},
    {"max-value", KIND_SIZE, AT(value_bytes_max), HF_CONFIG_VALUE_BYTES_MIN,
     HF_CONFIG_VALUE_BYTES_MAX, "16777216", "bytes of one value"},
    {"log-level", KIND_LEVEL, AT(log_level), 0, 0, "info",
     "debug, info, warning or error"},
    {"log-format", KIND_FORMAT, AT(log_format), 0, 0, "text", "text or json"},
};

static const char *const policy_names[] = {"half", "majority", "available"};
static const char *const level_names[] = {"debug", "info", "warning", "error"};
static const char *const format_names[] = {"text", "json"};

static const struct row *row_find(const char *name)
{
    for (size_t i = 0; i < HF_ARRAY_COUNT(rows); i++) {
        if (strcmp(rows[i].name, name) == 0) {
            return &rows[i];
        }
    }
    return NULL;
}

static void say_allowed(const struct row *row, char *text, size_t size)
{
    switch (row->kind) {
    case KIND_PORT:
    case KIND_UNSIGNED:
    case KIND_UINT32:
    case KIND_SIZE:
        snprintf(text, size, "a number from %lld to %lld", (long long)row->min,
                 (long long)row->max);
        return;
    case KIND_HOST:
        snprintf(text, size, HOST_RULE);
        return;
    case KIND_NAME:
        snprintf(text, size, NAME_RULE);
        return;
    case KIND_PATH:
        snprintf(text, size, PATH_RULE);
        return;
    case KIND_SEEDS:
        snprintf(text, size, SEEDS_RULE);
        return;
    case KIND_PREFIXES:
        snprintf(text, size, PREFIXES_RULE);
        return;
    case KIND_EVENTS:
        snprintf(text, size, EVENTS_RULE);
        return;
    case KIND_LEVEL:
    case KIND_FORMAT:
    case KIND_POLICY:
        snprintf(text, size, "%s", row->help);
        return;
    }
}

/* Errors are one line, whatever a value holds. */
static void show_value(const char *value, char *text, size_t size)
{
    size_t i = 0;
    for (; value[i] != '\0' && i + 1 < size; i++) {
        unsigned char c = (unsigned char)value[i];
        text[i] = c < ' ' || c == 127 ? '?' : value[i];
    }
    text[i] = '\0';
}

static int fail_value(const struct row *row, const char *value, char *error,
                      size_t error_size)
{
    char shown[VALUE_SHOWN_MAX];
    char allowed[128];
    show_value(value, shown, sizeof(shown));
    say_allowed(row, allowed, sizeof(allowed));
    snprintf(error, error_size, "setting %s: '%s' is not allowed: %s",
             row->name, shown, allowed);
    return HF_EINVAL;
}

static int fail_unknown(const char *name, const char *value, char *error,
                        size_t error_size)
{
    char shown_name[VALUE_SHOWN_MAX];
    char shown[VALUE_SHOWN_MAX];
    show_value(name, shown_name, sizeof(shown_name));
    show_value(value, shown, sizeof(shown));
    int size = snprintf(error, error_size,
                        "setting %s: unknown, with value '%s'; allowed are",
                        shown_name, shown);
    for (size_t i = 0; i < HF_ARRAY_COUNT(rows); i++) {
        if (size < 0 || (size_t)size >= error_size) {
            break;
        }
        size += snprintf(error + size, error_size - (size_t)size, "%s %s",
                         i == 0 ? "" : ",", rows[i].name);
    }
    return HF_EINVAL;
}

static bool read_number(const struct row *row, const char *value,
                        int64_t *number)
{
    return hf_slice_to_int64(hf_slice_text(value), number) &&
           *number >= row->min && *number <= row->max;
}

static bool read_choice(const char *const names[], size_t count,
                        const char *value, int *choice)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i], value) == 0) {
            *choice = (int)i;
            return true;
        }
    }
    return false;
}

/* Reads "host:port" or "[host]:port" of @size bytes. */
static bool read_seed(const char *text, size_t size,
                      struct hf_config_seed *seed)
{
    const char *host = text;
    const char *colon = NULL;
    for (size_t i = 0; i < size; i++) {
        if (text[i] == ':') {
            colon = &text[i];
        }
    }
    if (colon == NULL) {
        return false;
    }
    size_t host_size = (size_t)(colon - host);
    bool bracketed = host_size >= 2 && host[0] == '[' && colon[-1] == ']';
    if (bracketed) {
        host++;
        host_size -= 2;
    } else if (memchr(host, ':', host_size) != NULL) {
        return false; /* Which of the colons precedes the port? */
    }
    if (host_size > HF_CONFIG_HOST_MAX) {
        return false;
    }
    memcpy(seed->host, host, host_size);
    seed->host[host_size] = '\0';
    struct hf_slice digits = {(const uint8_t *)colon + 1,
                              size - (size_t)(colon + 1 - text)};
    int64_t port;
    if (!hf_config_is_host(seed->host) || !hf_slice_to_int64(digits, &port) ||
        port < 1 || port > 65535) {
        return false;
    }
    seed->port = (uint16_t)port;
    return true;
}

static bool read_seeds(struct hf_config *config, const char *value)
{
    config->seed_count = 0;
    const char *at = value;
    while (*at != '\0') {
        while (*at == ' ') {
            at++;
        }
        size_t size = strcspn(at, ", ");
        if (config->seed_count == HF_CONFIG_SEEDS_MAX ||
            !read_seed(at, size, &config->seeds[config->seed_count])) {
            return false;
        }
        config->seed_count++;
        at += size;
        at += strspn(at, " ");
        if (*at == '\0') {
            return true;
        }
        if (*at != ',' || at[1] == '\0') {
            return false;
        }
        at++;
    }
    return true;
}

/* Of @size bytes. */
static bool read_prefix(struct hf_config *config, const char *text, size_t size)
{
    if (config->fence_prefix_count == HF_CONFIG_FENCE_PREFIXES_MAX ||
        size > HF_CONFIG_FENCE_PREFIX_MAX) {
        return false;
    }
    char *prefix = config->fence_prefixes[config->fence_prefix_count++];
    memcpy(prefix, text, size);
    prefix[size] = '\0';
    return hf_config_is_fence_prefix(prefix);
}

static bool read_prefixes(struct hf_config *config, const char *value)
{
    config->fence_prefix_count = 0;
    if (*value == '\0') {
        return true;
    }
    for (;;) {
        value += strspn(value, " ");
        size_t size = strcspn(value, ", ");
        if (!read_prefix(config, value, size)) {
            return false;
        }
        value += size;
        value += strspn(value, " ");
        if (*value == '\0') {
            return true;
        }
        if (*value != ',') {
            return false;
        }
        value++;
    }
}

static bool set_number(const struct row *row, void *member, const char *value)
{
    int64_t number;
    if (!read_number(row, value, &number)) {
        return false;
    }
    if (row->kind == KIND_PORT) {
        *(uint16_t *)member = (uint16_t)number;
    } else if (row->kind == KIND_UNSIGNED) {
        *(unsigned *)member = (unsigned)number;
    } else if (row->kind == KIND_UINT32) {
        *(uint32_t *)member = (uint32_t)number;
    } else {
        *(size_t *)member = (size_t)number;
    }
    return true;
}

static bool set_row(const struct row *row, struct hf_config *config,
                    const char *value)
{
    void *member = (char *)config + row->offset;
    int choice;
    switch (row->kind) {
    case KIND_PORT:
    case KIND_UNSIGNED:
    case KIND_UINT32:
    case KIND_SIZE:
        return set_number(row, member, value);
    case KIND_HOST:
        if (!hf_config_is_host(value)) {
            return false;
        }
        hf_config_copy_text(member, HF_CONFIG_HOST_MAX + 1, value);
        return true;
    case KIND_NAME:
        if (!hf_config_is_name(value)) {
            return false;
        }
        hf_config_copy_text(member, HF_CONFIG_NAME_MAX + 1, value);
        return true;
    case KIND_PATH:
        if (!hf_config_is_path(value)) {
            return false;
        }
        hf_config_copy_text(member, HF_CONFIG_PATH_MAX + 1, value);
        return true;
    case KIND_SEEDS:
        return read_seeds(config, value);
    case KIND_PREFIXES:
        return read_prefixes(config, value);
    case KIND_EVENTS:
        if (!hf_config_is_events(value)) {
            return false;
        }
        hf_config_copy_text(member, HF_CONFIG_EVENTS_MAX + 1, value);
        return true;
    case KIND_LEVEL:
        if (!read_choice(level_names, HF_ARRAY_COUNT(level_names), value,
                         &choice)) {
            return false;
        }
        config->log_level = (enum hf_config_log_level)choice;
        return true;
    case KIND_FORMAT:
        if (!read_choice(format_names, HF_ARRAY_COUNT(format_names), value,
                         &choice)) {
            return false;
        }
        config->log_format = (enum hf_config_log_format)choice;
        return true;
    case KIND_POLICY:
        if (!read_choice(policy_names, HF_ARRAY_COUNT(policy_names), value,
                         &choice)) {
            return false;
        }
        config->partition_policy = (enum hf_config_partition_policy)choice;
        return true;
    }
    return false;
}

int hf_settings_set(struct hf_config *config, const char *name,
                    const char *value, char *error, size_t error_size)
{
    const struct row *row = row_find(name);
    if (row == NULL) {
        return fail_unknown(name, value, error, error_size);
    }
    if (!set_row(row, config, value)) {
        return fail_value(row, value, error, error_size);
    }
    return 0;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* The value as in a shell: "" is empty. */
static char *unquote(char *value)
{
    size_t size = strlen(value);
    if (size < 2 || strchr(value + 1, '"') != value + size - 1 ||
        value[0] != '"') {
        return value;
    }
    value[size - 1] = '\0';
    return value + 1;
}

/* Of @line without its comment, which does not begin within quotes at the begin
 * of a value. */
static size_t content_size(const char *line)
{
    size_t before = strcspn(line, "#\"");
    const char *quoted = line + before;
    bool begins = before > 0 && (is_blank(quoted[-1]) || quoted[-1] == '=');
    const char *end = *quoted == '"' && begins ? strchr(quoted + 1, '"') : NULL;
    size_t from = end == NULL ? 0 : (size_t)(end - line);
    return from + strcspn(line + from, "#");
}

/* Where a file says each setting; 0: not yet. */
struct said {
    unsigned lines[HF_ARRAY_COUNT(rows)];
};

/* A second value would win over the first without a word. */
static int fail_twice(const char *name, unsigned line, char *error,
                      size_t error_size)
{
    snprintf(error, error_size,
             "setting %s: line %u has it already; allowed is one line of each",
             name, line);
    return HF_EINVAL;
}

/* Sets what @line, which is changed, says; it is the line @number. */
static int read_line(struct hf_config *config, char *line, unsigned number,
                     struct said *said, char *error, size_t error_size)
{
    line[content_size(line)] = '\0';
    size_t size = strlen(line);
    while (size > 0 && is_blank(line[size - 1])) {
        line[--size] = '\0';
    }
    while (is_blank(*line)) {
        line++;
    }
    if (*line == '\0') {
        return 0;
    }
    char *value = line + strcspn(line, " \t=");
    char *end = value;
    bool equals = false;
    while (is_blank(*value) || (*value == '=' && !equals)) {
        equals = equals || *value == '=';
        value++;
    }
    *end = '\0'; /* The value starts later, or both are empty. */
    const struct row *row = row_find(line);
    if (row != NULL && said->lines[row - rows] != 0) {
        return fail_twice(line, said->lines[row - rows], error, error_size);
    }
    if (row != NULL) {
        said->lines[row - rows] = number;
    }
    return hf_settings_set(config, line, unquote(value), error, error_size);
}

int hf_settings_read_text(struct hf_config *config, const char *path,
                          struct hf_slice text, char *error, size_t error_size)
{
    char line[4096];
    char reason[1024];
    struct said said = {{0}};
    size_t offset = 0;
    for (unsigned number = 1; offset < text.size; number++) {
        const uint8_t *from = text.data + offset;
        const uint8_t *end = memchr(from, '\n', text.size - offset);
        size_t size = end == NULL ? text.size - offset : (size_t)(end - from);
        offset += size + 1;
        if (size >= sizeof(line) || memchr(from, '\0', size) != NULL) {
            snprintf(error, error_size,
                     "%s:%u: not a line of settings; allowed is 'setting "
                     "value' in at most %zu bytes",
                     path, number, sizeof(line) - 1);
            return HF_EINVAL;
        }
        memcpy(line, from, size);
        line[size] = '\0';
        if (read_line(config, line, number, &said, reason, sizeof(reason)) !=
            0) {
            snprintf(error, error_size, "%s:%u: %s", path, number, reason);
            return HF_EINVAL;
        }
    }
    return 0;
}

static int read_file(struct hf_config *config, const char *path, char *error,
                     size_t error_size)
{
    uint8_t text[HF_SETTINGS_FILE_BYTES_MAX];
    char shown[PATH_SHOWN_MAX];
    show_value(path, shown, sizeof(shown));
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        snprintf(error, error_size, "cannot read the config file %s: %s", shown,
                 strerror(errno));
        return HF_EINVAL;
    }
    size_t size = fread(text, 1, sizeof(text), file);
    int failed = ferror(file) ? errno : 0;
    bool too_large = size == sizeof(text);
    fclose(file);
    if (failed != 0 || too_large) {
        snprintf(error, error_size, "cannot read the config file %s: %s", shown,
                 too_large ? "larger than 64 KiB" : strerror(failed));
        return HF_EINVAL;
    }
    return hf_settings_read_text(config, shown, (struct hf_slice){text, size},
                                 error, error_size);
}

/* What one argument is: the name of a setting, its value behind '=' or in the
 * next argument. */
struct flag {
    char name[VALUE_SHOWN_MAX];
    const char *value; /* NULL: there is none. */
    int used;          /* Arguments. */
};

static bool is_flag(const char *argument)
{
    return argument[0] == '-' && argument[1] == '-' && argument[2] != '\0';
}

/* What looks like a flag is no value of the one before it: that value was
 * forgotten. Behind '=' it is one. */
static struct flag flag_read(int count, char *const arguments[])
{
    struct flag flag = {.used = 1};
    const char *text = arguments[0] + 2;
    size_t size = strcspn(text, "=");
    snprintf(flag.name, sizeof(flag.name), "%.*s",
             (int)(size < sizeof(flag.name) ? size : sizeof(flag.name) - 1),
             text);
    if (text[size] == '=') {
        flag.value = text + size + 1;
    } else if (count > 1 && !is_flag(arguments[1])) {
        flag.value = arguments[1];
        flag.used = 2;
    }
    return flag;
}

static int flag_set(struct hf_config *config, const struct flag *flag,
                    char *error, size_t error_size)
{
    const struct row *row = row_find(flag->name);
    if (flag->value != NULL || row == NULL) {
        return hf_settings_set(config, flag->name,
                               flag->value == NULL ? "" : flag->value, error,
                               error_size);
    }
    char allowed[128];
    say_allowed(row, allowed, sizeof(allowed));
    snprintf(error, error_size, "setting %s: no value is given; allowed: %s",
             row->name, allowed);
    return HF_EINVAL;
}

static enum hf_settings_wish wish_of(int count, char *const arguments[])
{
    for (int i = 0; i < count; i++) {
        if (strcmp(arguments[i], "--help") == 0 ||
            strcmp(arguments[i], "-h") == 0) {
            return HF_SETTINGS_HELP;
        }
        if (strcmp(arguments[i], "--version") == 0) {
            return HF_SETTINGS_VERSION;
        }
    }
    return HF_SETTINGS_RUN;
}

/* The one argument that is no flag: the file. NULL when there is none. */
static int find_file(int count, char *const arguments[], const char **path,
                     char *error, size_t error_size)
{
    *path = NULL;
    for (int i = 0; i < count;) {
        if (is_flag(arguments[i])) {
            i += flag_read(count - i, arguments + i).used;
            continue;
        }
        char shown[VALUE_SHOWN_MAX];
        show_value(arguments[i], shown, sizeof(shown));
        if (arguments[i][0] == '-' || *path != NULL) {
            snprintf(error, error_size,
                     "argument '%s' is not allowed: one config FILE and "
                     "--setting value",
                     shown);
            return HF_EINVAL;
        }
        *path = arguments[i];
        i++;
    }
    return 0;
}

int hf_settings_read_arguments(struct hf_config *config, int count,
                               char *const arguments[],
                               enum hf_settings_wish *wish, char *error,
                               size_t error_size)
{
    const char *path;
    *wish = wish_of(count, arguments);
    if (*wish != HF_SETTINGS_RUN) {
        return 0;
    }
    int rv = find_file(count, arguments, &path, error, error_size);
    if (rv == 0 && path != NULL) {
        rv = read_file(config, path, error, error_size);
    }
    for (int i = 0; rv == 0 && i < count;) {
        if (!is_flag(arguments[i])) {
            i++;
            continue;
        }
        struct flag flag = flag_read(count - i, arguments + i);
        rv = flag_set(config, &flag, error, error_size);
        i += flag.used;
    }
    return rv;
}

/* 80 columns: what does not fit is on a line of its own. */
static void help_row(struct hf_buffer *out, const struct row *row)
{
    char range[64] = "";
    if (row->kind <= KIND_SIZE) {
        snprintf(range, sizeof(range), "(%lld to %lld) ", (long long)row->min,
                 (long long)row->max);
    }
    size_t width = strlen(row->help) + strlen(" []") + strlen(range) +
                   strlen(row->default_text);
    hf_buffer_append_format(
        out, "  --%-16s%s%s%s%s[%s]\n", row->name,
        strlen(row->name) > HELP_NAME_MAX ? HELP_NEW_LINE : "", row->help,
        width > HELP_TEXT_MAX ? HELP_NEW_LINE : " ", range, row->default_text);
}

void hf_settings_help(struct hf_buffer *out)
{
    hf_buffer_append_text(
        out, "usage: holdfastd [FILE] [--setting value]...\n"
             "\n"
             "Runs a node of a Holdfast session cluster. FILE holds lines "
             "'setting value',\n"
             "one of each; flags win over it. A value may stand in double "
             "quotes: \"\" is empty.\n"
             "\n");
    for (size_t i = 0; i < HF_ARRAY_COUNT(rows); i++) {
        help_row(out, &rows[i]);
    }
    hf_buffer_append_text(out, "  --help            this text\n"
                               "  --version         the version\n");
}
