#include "server/config.h"

#include <stdio.h>
#include <string.h>
#include <uv.h>

#include "base/assert.h"
#include "core/notices.h"
#include "holdfast/error.h"
#include "io/resolve.h"

#define PEER_PORT_OFFSET 10000

void hf_config_init(struct hf_config *config)
{
    *config = (struct hf_config){
        .port = 7379,
        .nodes = 1,
        .bind = "127.0.0.1",
        .cluster_name = "holdfast",
        .backups = 1,
        .hold_ms = 400,
        .touch_delay_ms = 1000,
        .fence_prefixes = {"sess:"},
        .fence_prefix_count = 1,
        .fence_lifetime_s = 600,
        .drain_timeout_s = 60,
        .clients_max = 10000,
        .value_bytes_max = 16 * 1024 * 1024,
        .log_level = HF_CONFIG_LOG_INFO,
        .log_format = HF_CONFIG_LOG_TEXT,
    };
}

void hf_config_copy_text(char *to, size_t size, const char *from)
{
    size_t from_size = strlen(from) + 1;
    HF_ASSERT(from_size <= size);
    memcpy(to, from, from_size);
}

static bool is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '.' || c == '_' || c == ':' ||
           c == '-';
}

bool hf_config_is_name(const char *text)
{
    size_t size = strlen(text);
    for (size_t i = 0; i < size; i++) {
        if (!is_name_byte(text[i])) {
            return false;
        }
    }
    return size > 0 && size <= HF_CONFIG_NAME_MAX;
}

bool hf_config_is_host(const char *host)
{
    size_t size = strlen(host);
    for (size_t i = 0; i < size; i++) {
        if (host[i] != '%' && !is_name_byte(host[i])) {
            return false;
        }
    }
    return size > 0 && size <= HF_CONFIG_HOST_MAX;
}

bool hf_config_is_events(const char *text)
{
    uint32_t flags;
    return strlen(text) <= HF_CONFIG_EVENTS_MAX &&
           hf_notice_flags_read(hf_slice_text(text), &flags);
}

bool hf_config_is_path(const char *path)
{
    size_t size = strlen(path);
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)path[i];
        if (c < ' ' || c == 127) {
            return false;
        }
    }
    return size > 0 && size <= HF_CONFIG_PATH_MAX;
}

bool hf_config_is_fence_prefix(const char *text)
{
    size_t size = strlen(text);
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c <= ' ' || c == 127 || c == ',') {
            return false;
        }
    }
    return size > 0 && size <= HF_CONFIG_FENCE_PREFIX_MAX;
}

bool hf_config_is_loopback(const char *host)
{
    struct sockaddr_in in;
    if (uv_ip4_addr(host, 0, &in) == 0) {
        return ntohl(in.sin_addr.s_addr) >> 24 == 127;
    }
    return strcmp(host, "::1") == 0 || strcmp(host, "localhost") == 0;
}

static bool is_everywhere(const char *host)
{
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    static const struct in6_addr any = IN6ADDR_ANY_INIT;
    if (uv_ip4_addr(host, 0, &in) == 0) {
        return in.sin_addr.s_addr == 0;
    }
    return uv_ip6_addr(host, 0, &in6) == 0 &&
           memcmp(&in6.sin6_addr, &any, sizeof(any)) == 0;
}

/* Machine names may hold what names of ours may not. */
static void host_name_get(char *text, size_t size)
{
    char name[UV_MAXHOSTNAMESIZE];
    size_t name_size = sizeof(name);
    if (uv_os_gethostname(name, &name_size) != 0 || name[0] == '\0') {
        hf_config_copy_text(name, sizeof(name), "localhost");
        name_size = strlen(name);
    }
    if (name_size >= size) {
        name_size = size - 1;
    }
    for (size_t i = 0; i < name_size; i++) {
        text[i] = is_name_byte(name[i]) ? name[i] : '-';
    }
    text[name_size] = '\0';
}

static int fail(char *error, size_t error_size, const char *setting,
                const char *value, const char *allowed)
{
    snprintf(error, error_size, "setting %s: '%s' is not allowed: %s", setting,
             value, allowed);
    return HF_EINVAL;
}

static int check_numbers(const struct hf_config *config, char *error,
                         size_t error_size)
{
    const struct {
        const char *name;
        uint64_t value;
        uint64_t min;
        uint64_t max;
    } rows[] = {
        {"nodes", config->nodes, 1, HF_CONFIG_NODES_MAX},
        {"backups", config->backups, 0, HF_CONFIG_BACKUPS_MAX},
        {"hold", config->hold_ms, 0, HF_CONFIG_HOLD_MS_MAX},
        {"touch-delay", config->touch_delay_ms, 0,
         HF_CONFIG_TOUCH_DELAY_MS_MAX},
        {"fence-prefix", config->fence_prefix_count, 0,
         HF_CONFIG_FENCE_PREFIXES_MAX},
        {"fence-lifetime", config->fence_lifetime_s, 1,
         HF_CONFIG_FENCE_LIFETIME_S_MAX},
        {"drain-timeout", config->drain_timeout_s, 0,
         HF_CONFIG_DRAIN_TIMEOUT_S_MAX},
        {"max-clients", config->clients_max, 1, HF_CONFIG_CLIENTS_MAX},
        {"max-value", config->value_bytes_max, HF_CONFIG_VALUE_BYTES_MIN,
         HF_CONFIG_VALUE_BYTES_MAX},
        {"seeds", config->seed_count, 0, HF_CONFIG_SEEDS_MAX},
    };
    for (size_t i = 0; i < HF_ARRAY_COUNT(rows); i++) {
        if (rows[i].value < rows[i].min || rows[i].value > rows[i].max) {
            snprintf(error, error_size,
                     "setting %s: %llu is not allowed: a number from %llu to "
                     "%llu",
                     rows[i].name, (unsigned long long)rows[i].value,
                     (unsigned long long)rows[i].min,
                     (unsigned long long)rows[i].max);
            return HF_EINVAL;
        }
    }
    return 0;
}

static int check_texts(const struct hf_config *config, char *error,
                       size_t error_size)
{
    static const char name_rule[] =
        "1 to 64 letters, digits and any of . _ : -";
    static const char host_rule[] = "a host name or an IP address";
    if (!hf_config_is_host(config->bind)) {
        return fail(error, error_size, "bind", config->bind, host_rule);
    }
    if (config->advertise[0] != '\0' && !hf_config_is_host(config->advertise)) {
        return fail(error, error_size, "advertise", config->advertise,
                    host_rule);
    }
    if (is_everywhere(config->advertise)) {
        return fail(error, error_size, "advertise", config->advertise,
                    "an address that others can reach");
    }
    if (config->name[0] != '\0' && !hf_config_is_name(config->name)) {
        return fail(error, error_size, "name", config->name, name_rule);
    }
    if (config->host_label[0] != '\0' &&
        !hf_config_is_name(config->host_label)) {
        return fail(error, error_size, "host-label", config->host_label,
                    name_rule);
    }
    if (!hf_config_is_name(config->cluster_name)) {
        return fail(error, error_size, "cluster-name", config->cluster_name,
                    name_rule);
    }
    if (!hf_config_is_events(config->events)) {
        return fail(error, error_size, "notify-keyspace-events", config->events,
                    "letters of KEg$lshzxetmdnA, or nothing");
    }
    if (config->sentinel_name[0] != '\0' &&
        !hf_config_is_name(config->sentinel_name)) {
        return fail(error, error_size, "sentinel-name", config->sentinel_name,
                    name_rule);
    }
    if (config->unix_socket[0] != '\0' &&
        !hf_config_is_path(config->unix_socket)) {
        return fail(error, error_size, "unix-socket", config->unix_socket,
                    "a path of 1 to 107 bytes");
    }
    for (size_t i = 0; i < config->fence_prefix_count; i++) {
        if (!hf_config_is_fence_prefix(config->fence_prefixes[i])) {
            return fail(error, error_size, "fence-prefix",
                        config->fence_prefixes[i],
                        "1 to 64 bytes without commas and spaces");
        }
    }
    return 0;
}

int hf_config_check(struct hf_config *config, char *error, size_t error_size)
{
    int rv = check_numbers(config, error, error_size);
    if (rv == 0) {
        rv = check_texts(config, error, error_size);
    }
    if (rv != 0) {
        return rv;
    }
    if (config->peer_port == 0 && config->port != 0) {
        unsigned peer_port = config->port + PEER_PORT_OFFSET;
        if (peer_port > UINT16_MAX) {
            snprintf(error, error_size,
                     "setting peer-port: its default, port %u + %u, is not "
                     "allowed: a number from 0 to 65535",
                     (unsigned)config->port, PEER_PORT_OFFSET);
            return HF_EINVAL;
        }
        config->peer_port = (uint16_t)peer_port;
    } else if (config->port != 0 && config->port == config->peer_port) {
        snprintf(error, error_size,
                 "setting peer-port: '%u' is not allowed: another number than "
                 "that of port",
                 (unsigned)config->peer_port);
        return HF_EINVAL;
    }
    if (config->cluster_port != 0 &&
        (config->cluster_port == config->port ||
         config->cluster_port == config->peer_port)) {
        snprintf(error, error_size,
                 "setting cluster-port: '%u' is not allowed: another number "
                 "than those of port and peer-port",
                 (unsigned)config->cluster_port);
        return HF_EINVAL;
    }
    if (config->advertise[0] == '\0') {
        if (is_everywhere(config->bind)) {
            host_name_get(config->advertise, sizeof(config->advertise));
        } else {
            hf_config_copy_text(config->advertise, sizeof(config->advertise),
                                config->bind);
        }
    }
    if (config->host_label[0] == '\0') {
        host_name_get(config->host_label, sizeof(config->host_label));
    }
    return 0;
}

int hf_config_complete(struct hf_config *config, char *error, size_t error_size)
{
    char name[HF_CONFIG_HOST_MAX + 16];
    if (config->name[0] != '\0') {
        return 0;
    }
    snprintf(name, sizeof(name), "%s:%u", config->advertise,
             (unsigned)config->peer_port);
    if (!hf_config_is_name(name)) {
        snprintf(error, error_size,
                 "setting name: its default '%s' is not allowed: 1 to 64 "
                 "letters, digits and any of . _ : -",
                 name);
        return HF_EINVAL;
    }
    hf_config_copy_text(config->name, sizeof(config->name), name);
    return 0;
}

int hf_config_fail_listen(const struct hf_config *config, int rv,
                          const char *setting, uint16_t port, char *error,
                          size_t error_size)
{
    char address[HF_CONFIG_HOST_MAX + 16];
    hf_host_port_text(config->bind, port, address, sizeof(address));
    if (rv == HF_EINUSE) {
        snprintf(error, error_size,
                 "cannot listen on %s: port %u is in use (setting %s)", address,
                 (unsigned)port, setting);
    } else {
        snprintf(error, error_size,
                 "cannot listen on %s: no such address on this machine, or no "
                 "permission (settings bind and %s)",
                 address, setting);
    }
    return rv;
}

void hf_config_fences(const struct hf_config *config,
                      struct hf_fence_rules *fences)
{
    hf_fence_rules_init(fences);
    fences->lifetime_ms = (int64_t)config->fence_lifetime_s * 1000;
    for (size_t i = 0; i < config->fence_prefix_count; i++) {
        bool added = hf_fence_rules_add(
            fences, hf_slice_text(config->fence_prefixes[i]));
        HF_ASSERT(added); /* It was checked. */
    }
}

uint32_t hf_config_events(const struct hf_config *config)
{
    uint32_t flags;
    return hf_notice_flags_read(hf_slice_text(config->events), &flags) ? flags
                                                                       : 0;
}
