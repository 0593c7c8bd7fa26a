#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "holdfast/error.h"
#include "server/config.h"
#include "server/logger.h"
#include "server/settings.h"

struct result {
    int rv;
    enum hf_settings_wish wish;
    struct hf_config config;
    char error[2048];
};

static struct result read_list(int count, char *const arguments[])
{
    struct result r;
    memset(&r, 0, sizeof(r));
    hf_config_init(&r.config);
    r.rv = hf_settings_read_arguments(&r.config, count, arguments, &r.wish,
                                      r.error, sizeof(r.error));
    return r;
}

#define READ(...)                                                              \
    read_list((int)(sizeof((char *[]){__VA_ARGS__}) / sizeof(char *)),         \
              (char *[]){__VA_ARGS__})

static struct result read_text(const char *text)
{
    struct result r;
    memset(&r, 0, sizeof(r));
    hf_config_init(&r.config);
    r.rv = hf_settings_read_text(&r.config, "node.conf", hf_slice_text(text),
                                 r.error, sizeof(r.error));
    return r;
}

/* Every error is one line. */
static void assert_error(const struct result *r, const char *text)
{
    assert_int_equal(r->rv, HF_EINVAL);
    assert_string_equal(r->error, text);
    assert_null(strchr(r->error, '\n'));
}

static void no_arguments_give_the_defaults(void **state)
{
    (void)state;
    struct result r = read_list(0, NULL);
    assert_int_equal(r.rv, 0);
    assert_int_equal(r.wish, HF_SETTINGS_RUN);
    assert_int_equal(r.config.port, 7379);
    assert_int_equal(r.config.peer_port, 0);
    assert_string_equal(r.config.bind, "127.0.0.1");
    assert_string_equal(r.config.cluster_name, "holdfast");
    assert_int_equal(r.config.cluster_port, 0);
    assert_string_equal(r.config.unix_socket, "");
    assert_string_equal(r.config.sentinel_name, "");
    assert_int_equal(r.config.nodes, 1);
    assert_int_equal(r.config.backups, 1);
    assert_int_equal(r.config.hold_ms, 400);
    assert_int_equal(r.config.touch_delay_ms, 1000);
    assert_int_equal(r.config.fence_prefix_count, 1);
    assert_string_equal(r.config.fence_prefixes[0], "sess:");
    assert_int_equal(r.config.fence_lifetime_s, 600);
    assert_int_equal(r.config.clients_max, 10000);
    assert_int_equal(r.config.value_bytes_max, 16 * 1024 * 1024);
    assert_int_equal(r.config.log_level, HF_CONFIG_LOG_INFO);
    assert_int_equal(r.config.log_format, HF_CONFIG_LOG_TEXT);
}

static void every_setting_is_a_flag(void **state)
{
    (void)state;
    struct result r = READ(
        "--port", "1", "--peer-port=2", "--bind", "::1", "--advertise=node-1",
        "--seeds", "a:1,[::1]:2", "--name", "n:1", "--host-label", "rack_1",
        "--cluster-name", "shop", "--backups", "3", "--hold", "0", "--nodes",
        "16", "--cluster-port", "3", "--unix-socket", "/run/h f",
        "--sentinel-name", "mymaster", "--touch-delay", "60000",
        "--fence-prefix", "sess:,x/:", "--fence-lifetime", "86400",
        "--notify-keyspace-events", "KEA", "--max-clients", "5", "--max-value",
        "1024", "--log-level", "error", "--log-format", "json");
    assert_string_equal(r.error, "");
    assert_int_equal(r.rv, 0);
    assert_int_equal(r.config.port, 1);
    assert_int_equal(r.config.peer_port, 2);
    assert_string_equal(r.config.bind, "::1");
    assert_string_equal(r.config.advertise, "node-1");
    assert_int_equal(r.config.seed_count, 2);
    assert_string_equal(r.config.seeds[0].host, "a");
    assert_int_equal(r.config.seeds[0].port, 1);
    assert_string_equal(r.config.seeds[1].host, "::1");
    assert_int_equal(r.config.seeds[1].port, 2);
    assert_string_equal(r.config.name, "n:1");
    assert_string_equal(r.config.host_label, "rack_1");
    assert_string_equal(r.config.cluster_name, "shop");
    assert_int_equal(r.config.cluster_port, 3);
    assert_string_equal(r.config.unix_socket, "/run/h f");
    assert_string_equal(r.config.sentinel_name, "mymaster");
    assert_int_equal(r.config.nodes, 16);
    assert_int_equal(r.config.backups, 3);
    assert_int_equal(r.config.hold_ms, 0);
    assert_int_equal(r.config.touch_delay_ms, 60000);
    assert_int_equal(r.config.fence_prefix_count, 2);
    assert_string_equal(r.config.fence_prefixes[0], "sess:");
    assert_string_equal(r.config.fence_prefixes[1], "x/:");
    assert_int_equal(r.config.fence_lifetime_s, 86400);
    assert_string_equal(r.config.events, "KEA");
    assert_int_equal(r.config.clients_max, 5);
    assert_int_equal(r.config.value_bytes_max, 1024);
    assert_int_equal(r.config.log_level, HF_CONFIG_LOG_ERROR);
    assert_int_equal(r.config.log_format, HF_CONFIG_LOG_JSON);
}

static void a_file_has_lines_comments_and_equal_signs(void **state)
{
    (void)state;
    struct result r = read_text("# a node\n"
                                "\n"
                                "port 8000\r\n"
                                "  peer-port = 8001   # with a comment\n"
                                "name=n1\n"
                                "\tseeds\ta:1, b:2\n"
                                "bind 0.0.0.0");
    assert_string_equal(r.error, "");
    assert_int_equal(r.rv, 0);
    assert_int_equal(r.config.port, 8000);
    assert_int_equal(r.config.peer_port, 8001);
    assert_string_equal(r.config.name, "n1");
    assert_int_equal(r.config.seed_count, 2);
    assert_string_equal(r.config.seeds[1].host, "b");
    assert_string_equal(r.config.bind, "0.0.0.0");
}

static void errors_of_a_file_name_the_line(void **state)
{
    (void)state;
    struct result r = read_text("port 1\n\nbackups 9\n");
    assert_error(&r, "node.conf:3: setting backups: '9' is not allowed: a "
                     "number from 0 to 3");
    r = read_text("port\n");
    assert_error(&r, "node.conf:1: setting port: '' is not allowed: a number "
                     "from 0 to 65535");
    r = read_text("port = = 5\n");
    assert_error(&r, "node.conf:1: setting port: '= 5' is not allowed: a "
                     "number from 0 to 65535");
    r = read_text("\xff\xfe\x01\n");
    assert_int_equal(r.rv, HF_EINVAL);
    assert_null(strchr(r.error, '\x01'));
}

static void a_file_has_one_line_of_each_setting(void **state)
{
    (void)state;
    struct result r = read_text("port 1\n# port 2\nname n1\n\nport = 1\n");
    assert_error(&r, "node.conf:5: setting port: line 1 has it already; "
                     "allowed is one line of each");
    r = read_text("log-format json\nlog-format loud\n");
    assert_error(&r, "node.conf:2: setting log-format: line 1 has it already; "
                     "allowed is one line of each");
    r = read_text("seeds a:1\nport 1\nseeds b:1\n");
    assert_error(&r, "node.conf:3: setting seeds: line 1 has it already; "
                     "allowed is one line of each");
}

static void a_line_that_is_too_long_is_refused(void **state)
{
    (void)state;
    char text[6000];
    memset(text, 'a', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    struct result r = read_text(text);
    assert_error(&r, "node.conf:1: not a line of settings; allowed is "
                     "'setting value' in at most 4095 bytes");
}

static void flags_win_over_the_file(void **state)
{
    (void)state;
    char path[] = "/tmp/holdfast-settings-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    static const char text[] = "port 1000\nbackups 2\n";
    assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
    close(fd);
    struct result before = READ("--port", "2000", path);
    struct result after = READ(path, "--port", "2000");
    unlink(path);
    assert_int_equal(before.rv, 0);
    assert_int_equal(before.config.port, 2000);
    assert_int_equal(before.config.backups, 2);
    assert_int_equal(after.rv, 0);
    assert_int_equal(after.config.port, 2000);
    struct result twice = READ("--port", "2000", "--port", "3000");
    assert_int_equal(twice.rv, 0);
    assert_int_equal(twice.config.port, 3000);
    struct result gone = READ(path);
    assert_int_equal(gone.rv, HF_EINVAL);
    assert_non_null(strstr(gone.error, "cannot read the config file /tmp/"));
    assert_non_null(strstr(gone.error, "No such file"));
}

static void a_directory_is_no_config_file(void **state)
{
    (void)state;
    struct result r = READ("/tmp");
    assert_error(&r, "cannot read the config file /tmp: Is a directory");
}

static void unknown_settings_are_named_with_their_value(void **state)
{
    (void)state;
    static const char all[] =
        "port, peer-port, cluster-port, unix-socket, nodes, bind, advertise, "
        "seeds, name, host-label, "
        "cluster-name, sentinel-name, backups, partition-policy, hold, "
        "touch-delay, "
        "fence-prefix, "
        "fence-lifetime, notify-keyspace-events, "
        "drain-timeout, max-clients, max-value, log-level, log-format";
    char text[600];
    struct result r = READ("--prot", "5");
    snprintf(text, sizeof(text),
             "setting prot: unknown, with value '5'; allowed are %s", all);
    assert_error(&r, text);
    r = READ("--prot");
    snprintf(text, sizeof(text),
             "setting prot: unknown, with value ''; allowed are %s", all);
    assert_error(&r, text);
    r = read_text("Port 5");
    snprintf(text, sizeof(text),
             "node.conf:1: setting Port: unknown, with value '5'; allowed are "
             "%s",
             all);
    assert_error(&r, text);
}

static void a_flag_without_a_value_is_refused(void **state)
{
    (void)state;
    struct result r = READ("--port", "1", "--bind");
    assert_error(&r, "setting bind: no value is given; allowed: a host name or "
                     "an IP address");
    r = READ("--name", "--port", "1");
    assert_error(&r, "setting name: no value is given; allowed: 1 to 64 "
                     "letters, digits and any of . _ : -");
    r = READ("--name=--port", "--log-level", "debug");
    assert_int_equal(r.rv, 0);
    assert_string_equal(r.config.name, "--port");
    r = READ("--backups=");
    assert_error(&r, "setting backups: '' is not allowed: a number from 0 to "
                     "3");
}

static void numbers_out_of_bounds_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *setting;
        const char *value;
        const char *allowed;
    } rows[] = {
        {"port", "65536", "a number from 0 to 65535"},
        {"port", "-1", "a number from 0 to 65535"},
        {"port", "12x", "a number from 0 to 65535"},
        {"port", " 1", "a number from 0 to 65535"},
        {"peer-port", "99999999999999999999", "a number from 0 to 65535"},
        {"cluster-port", "65536", "a number from 0 to 65535"},
        {"unix-socket", "", "a path of 1 to 107 bytes"},
        {"nodes", "0", "a number from 1 to 16"},
        {"nodes", "17", "a number from 1 to 16"},
        {"sentinel-name", "a b", "1 to 64 letters, digits and any of . _ : -"},
        {"backups", "4", "a number from 0 to 3"},
        {"hold", "60001", "a number from 0 to 60000"},
        {"touch-delay", "60001", "a number from 0 to 60000"},
        {"fence-lifetime", "0", "a number from 1 to 86400"},
        {"fence-lifetime", "86401", "a number from 1 to 86400"},
        {"max-clients", "0", "a number from 1 to 1000000"},
        {"max-value", "1023", "a number from 1024 to 25165824"},
        {"log-level", "loud", "debug, info, warning or error"},
        {"log-format", "xml", "text or json"},
        {"partition-policy", "quorum", "half, majority or available"},
        {"bind", "a b", "a host name or an IP address"},
        {"bind", "[::1]", "a host name or an IP address"},
        {"advertise", "", "a host name or an IP address"},
        {"name", "a/b", "1 to 64 letters, digits and any of . _ : -"},
        {"host-label", "", "1 to 64 letters, digits and any of . _ : -"},
        {"cluster-name", "caf\xc3\xa9",
         "1 to 64 letters, digits and any of . _ : -"},
    };
    for (size_t i = 0; i < HF_ARRAY_COUNT(rows); i++) {
        char text[512];
        struct result r;
        memset(&r, 0, sizeof(r));
        hf_config_init(&r.config);
        r.rv = hf_settings_set(&r.config, rows[i].setting, rows[i].value,
                               r.error, sizeof(r.error));
        snprintf(text, sizeof(text), "setting %s: '%s' is not allowed: %s",
                 rows[i].setting, rows[i].value, rows[i].allowed);
        assert_error(&r, text);
    }
}

static void texts_have_a_longest_length(void **state)
{
    (void)state;
    char name[HF_CONFIG_NAME_MAX + 2];
    char host[HF_CONFIG_HOST_MAX + 2];
    char path[HF_CONFIG_PATH_MAX + 2];
    struct hf_config config;
    char error[1024];
    hf_config_init(&config);
    memset(name, 'n', sizeof(name));
    memset(host, 'h', sizeof(host));
    memset(path, '/', sizeof(path));
    path[HF_CONFIG_PATH_MAX + 1] = '\0';
    assert_int_equal(
        hf_settings_set(&config, "unix-socket", path, error, sizeof(error)),
        HF_EINVAL);
    path[HF_CONFIG_PATH_MAX] = '\0';
    assert_int_equal(
        hf_settings_set(&config, "unix-socket", path, error, sizeof(error)), 0);
    name[HF_CONFIG_NAME_MAX + 1] = '\0';
    host[HF_CONFIG_HOST_MAX + 1] = '\0';
    assert_int_equal(
        hf_settings_set(&config, "name", name, error, sizeof(error)),
        HF_EINVAL);
    assert_int_equal(
        hf_settings_set(&config, "bind", host, error, sizeof(error)),
        HF_EINVAL);
    name[HF_CONFIG_NAME_MAX] = '\0';
    host[HF_CONFIG_HOST_MAX] = '\0';
    assert_int_equal(
        hf_settings_set(&config, "name", name, error, sizeof(error)), 0);
    assert_int_equal(
        hf_settings_set(&config, "bind", host, error, sizeof(error)), 0);
    assert_string_equal(config.name, name);
    assert_string_equal(config.bind, host);
}

static void seeds_that_are_none_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "a",       "a:",      ":1",       "a:0",   "a:65536",
        "a:1,",    ",a:1",    "::1:5",    "[::1]", "[::1]5",
        "a:1;b:2", "a:1 b:2", "a:1,,b:2", "[a:1",  "a b:1",
    };
    for (size_t i = 0; i < HF_ARRAY_COUNT(wrong); i++) {
        char text[512];
        struct result r;
        memset(&r, 0, sizeof(r));
        hf_config_init(&r.config);
        r.rv = hf_settings_set(&r.config, "seeds", wrong[i], r.error,
                               sizeof(r.error));
        snprintf(text, sizeof(text),
                 "setting seeds: '%s' is not allowed: up to 64 of "
                 "HOST:PEERPORT or [IPV6]:PEERPORT with commas",
                 wrong[i]);
        assert_error(&r, text);
    }
}

static void an_empty_prefix_switches_fences_off(void **state)
{
    (void)state;
    struct result flag = READ("--fence-prefix", "");
    assert_int_equal(flag.rv, 0);
    assert_int_equal(flag.config.fence_prefix_count, 0);
    struct result file = read_text("fence-prefix\n");
    struct result quoted = read_text("fence-prefix \"\"  # None.\n");
    assert_string_equal(quoted.error, "");
    assert_int_equal(quoted.config.fence_prefix_count, 0);
    quoted = read_text("fence-prefix = \"a:, b:\"\nname \"n1\"\n");
    assert_string_equal(quoted.error, "");
    assert_int_equal(quoted.config.fence_prefix_count, 2);
    assert_string_equal(quoted.config.fence_prefixes[0], "a:");
    assert_string_equal(quoted.config.fence_prefixes[1], "b:");
    assert_string_equal(quoted.config.name, "n1");
    quoted = read_text("fence-prefix \"a#\" # A comment, \"b\".\n");
    assert_string_equal(quoted.error, "");
    assert_int_equal(quoted.config.fence_prefix_count, 1);
    assert_string_equal(quoted.config.fence_prefixes[0], "a#");
    quoted = read_text("name # \"n1\"\nname n2\n");
    assert_int_equal(quoted.rv, HF_EINVAL);
    /* A byte like any where it does not enclose the value. */
    quoted = read_text("fence-prefix \"a,b\"c\n");
    assert_string_equal(quoted.error, "");
    assert_string_equal(quoted.config.fence_prefixes[0], "\"a");
    assert_string_equal(quoted.config.fence_prefixes[1], "b\"c");
    assert_int_equal(file.rv, 0);
    assert_int_equal(file.config.fence_prefix_count, 0);
}

static void a_node_gets_the_fences_that_were_set(void **state)
{
    (void)state;
    struct result r = READ("--fence-prefix", "a:,b:", "--fence-lifetime", "7");
    struct hf_fence_rules fences;
    hf_config_fences(&r.config, &fences);
    assert_int_equal(fences.lifetime_ms, 7000);
    assert_true(hf_fence_rules_match(&fences, HF_SLICE_LITERAL("a:1")));
    assert_true(hf_fence_rules_match(&fences, HF_SLICE_LITERAL("b:1")));
    assert_false(hf_fence_rules_match(&fences, HF_SLICE_LITERAL("sess:1")));
}

static void prefixes_that_are_none_are_refused(void **state)
{
    (void)state;
    static const char many[] = "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q";
    static const char long_one[] =
        "12345678901234567890123456789012345678901234567890123456789012345";
    static const char *const wrong[] = {
        ",", "a,", "a,,b", "a b", "a\x01", "a\x7f", " ", many, long_one,
    };
    for (size_t i = 0; i < HF_ARRAY_COUNT(wrong); i++) {
        struct hf_config config;
        char error[1024];
        hf_config_init(&config);
        assert_int_equal(hf_settings_set(&config, "fence-prefix", wrong[i],
                                         error, sizeof(error)),
                         HF_EINVAL);
        assert_non_null(strstr(error, "up to 16 of 1 to 64 bytes"));
    }
    struct hf_config config;
    char error[1024];
    hf_config_init(&config);
    assert_int_equal(hf_settings_set(&config, "fence-prefix", long_one + 1,
                                     error, sizeof(error)),
                     0);
    assert_string_equal(config.fence_prefixes[0], long_one + 1);
}

static void there_are_at_most_64_seeds(void **state)
{
    (void)state;
    char seeds[65 * 4 + 1];
    struct hf_config config;
    char error[1024];
    hf_config_init(&config);
    for (size_t i = 0; i < 65; i++) {
        memcpy(seeds + 4 * i, "a:1,", 4);
    }
    seeds[65 * 4 - 1] = '\0';
    assert_int_equal(
        hf_settings_set(&config, "seeds", seeds, error, sizeof(error)),
        HF_EINVAL);
    seeds[64 * 4 - 1] = '\0';
    assert_int_equal(
        hf_settings_set(&config, "seeds", seeds, error, sizeof(error)), 0);
    assert_int_equal(config.seed_count, 64);
    assert_int_equal(
        hf_settings_set(&config, "seeds", "", error, sizeof(error)), 0);
    assert_int_equal(config.seed_count, 0);
}

static void other_arguments_are_refused(void **state)
{
    (void)state;
    struct result r = READ("a.conf", "b.conf");
    assert_error(&r, "argument 'b.conf' is not allowed: one config FILE and "
                     "--setting value");
    r = READ("-p", "5");
    assert_error(&r, "argument '-p' is not allowed: one config FILE and "
                     "--setting value");
}

static void an_error_stays_one_line(void **state)
{
    (void)state;
    struct result r = READ("--port", "1\n2");
    assert_error(&r, "setting port: '1?2' is not allowed: a number from 0 to "
                     "65535");
    r = READ("no\nfile");
    assert_error(&r, "cannot read the config file no?file: No such file or "
                     "directory");
}

static void help_and_version_win_over_everything(void **state)
{
    (void)state;
    struct result r = READ("--nonsense", "--help");
    assert_int_equal(r.rv, 0);
    assert_int_equal(r.wish, HF_SETTINGS_HELP);
    r = READ("--version");
    assert_int_equal(r.wish, HF_SETTINGS_VERSION);
}

static void help_names_every_setting(void **state)
{
    (void)state;
    static const char *const names[] = {
        "--port ",        "--peer-port ",         "--cluster-port ",
        "--unix-socket ", "--sentinel-name ",     "--notify-keyspace-events\n",
        "--bind ",        "--advertise ",         "--seeds ",
        "--name ",        "--host-label ",        "--cluster-name ",
        "--backups ",     "--partition-policy\n", "--hold ",
        "--touch-delay ", "--max-clients ",       "--max-value ",
        "--log-level ",   "--log-format ",
    };
    struct hf_mem mem;
    struct hf_buffer out;
    hf_mem_init_system(&mem);
    hf_buffer_init(&out, &mem);
    hf_settings_help(&out);
    hf_buffer_put_u8(&out, 0);
    assert_false(out.failed);
    for (size_t i = 0; i < HF_ARRAY_COUNT(names); i++) {
        assert_non_null(strstr((const char *)out.data, names[i]));
    }
    hf_buffer_close(&out);
}

static void help_fits_80_columns(void **state)
{
    (void)state;
    struct hf_mem mem;
    struct hf_buffer out;
    hf_mem_init_system(&mem);
    hf_buffer_init(&out, &mem);
    hf_settings_help(&out);
    hf_buffer_put_u8(&out, 0);
    assert_false(out.failed);
    const char *line = (const char *)out.data;
    while (*line != '\0') {
        size_t size = strcspn(line, "\n");
        assert_in_range(size, 0, 80);
        line += size + 1; /* The last one ends so, too. */
    }
    hf_buffer_close(&out);
}

static void the_peer_port_follows_the_port(void **state)
{
    (void)state;
    struct hf_config config;
    char error[1024];
    hf_config_init(&config);
    assert_int_equal(hf_config_check(&config, error, sizeof(error)), 0);
    assert_int_equal(config.peer_port, 17379);
    assert_string_equal(config.advertise, "127.0.0.1");
    assert_int_equal(hf_config_complete(&config, error, sizeof(error)), 0);
    assert_string_equal(config.name, "127.0.0.1:17379");

    hf_config_init(&config);
    config.port = 60000;
    assert_int_equal(hf_config_check(&config, error, sizeof(error)), HF_EINVAL);
    assert_string_equal(error, "setting peer-port: its default, port 60000 + "
                               "10000, is not allowed: a number from 0 to "
                               "65535");
    config.peer_port = 60000;
    assert_int_equal(hf_config_check(&config, error, sizeof(error)), HF_EINVAL);
    assert_string_equal(error, "setting peer-port: '60000' is not allowed: "
                               "another number than that of port");
}

static void every_address_is_advertised_as_the_host_name(void **state)
{
    (void)state;
    static const char *const everywhere[] = {"0.0.0.0", "::", "0::0"};
    for (size_t i = 0; i < HF_ARRAY_COUNT(everywhere); i++) {
        struct hf_config config;
        char error[1024];
        hf_config_init(&config);
        strcpy(config.bind, everywhere[i]);
        assert_int_equal(hf_config_check(&config, error, sizeof(error)), 0);
        assert_string_not_equal(config.advertise, config.bind);
        assert_true(hf_config_is_host(config.advertise));
        assert_true(hf_config_is_name(config.host_label));
        assert_false(hf_config_is_loopback(config.bind));
        /* Who is told it would reach himself. */
        strcpy(config.advertise, everywhere[i]);
        assert_int_equal(hf_config_check(&config, error, sizeof(error)),
                         HF_EINVAL);
        assert_non_null(strstr(error, "is not allowed: an address that others "
                                      "can reach"));
    }
}

static void only_this_machine_reaches_a_loopback_address(void **state)
{
    (void)state;
    static const char *const here[] = {"127.0.0.1", "127.255.3.4", "::1",
                                       "localhost"};
    static const char *const beyond[] = {
        "127.example.com", "127.0.0.1.example.com", "127.1",   "126.0.0.1",
        "128.0.0.1",       "localhost.example.com", "0.0.0.0", "::"};
    for (size_t i = 0; i < HF_ARRAY_COUNT(here); i++) {
        assert_true(hf_config_is_loopback(here[i]));
    }
    for (size_t i = 0; i < HF_ARRAY_COUNT(beyond); i++) {
        assert_false(hf_config_is_loopback(beyond[i]));
    }
}

static void a_default_name_that_is_too_long_is_refused(void **state)
{
    (void)state;
    struct hf_config config;
    char error[1024];
    hf_config_init(&config);
    memset(config.advertise, 'a', 100);
    assert_int_equal(hf_config_check(&config, error, sizeof(error)), 0);
    assert_int_equal(hf_config_complete(&config, error, sizeof(error)),
                     HF_EINVAL);
    assert_non_null(strstr(error, "setting name: its default 'aaaa"));
}

static void log_lines_are_text_or_json(void **state)
{
    (void)state;
    char line[HF_LOGGER_LINE_BYTES];
    size_t size = hf_logger_format(HF_CONFIG_LOG_TEXT, 1767322985678,
                                   HF_LOG_INFO, NULL, "hello \"you\"", line);
    assert_string_equal(line,
                        "2026-01-02T03:03:05.678Z info     hello \"you\"\n");
    assert_int_equal(size, strlen(line));
    size = hf_logger_format(HF_CONFIG_LOG_TEXT, 1767322985678, HF_LOG_ERROR,
                            "app1-2", "no", line);
    assert_string_equal(line,
                        "2026-01-02T03:03:05.678Z error    [app1-2] no\n");
    assert_int_equal(size, strlen(line));
    size = hf_logger_format(HF_CONFIG_LOG_JSON, 1767322985678, HF_LOG_ERROR,
                            "app1-2", "no", line);
    line[size] = '\0';
    assert_string_equal(line,
                        "{\"time\":\"2026-01-02T03:03:05.678Z\",\"level\":"
                        "\"error\",\"node\":\"app1-2\",\"message\":\"no\"}\n");
    size = hf_logger_format(HF_CONFIG_LOG_JSON, 1767322985078, HF_LOG_WARNING,
                            NULL, "a \"b\" \\ \n \xff", line);
    line[size] = '\0';
    assert_string_equal(line,
                        "{\"time\":\"2026-01-02T03:03:05.078Z\",\"level\":"
                        "\"warning\",\"message\":\"a \\\"b\\\" \\\\ \\u000a "
                        "\\u00ff\"}\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_arguments_give_the_defaults),
        cmocka_unit_test(every_setting_is_a_flag),
        cmocka_unit_test(a_file_has_lines_comments_and_equal_signs),
        cmocka_unit_test(errors_of_a_file_name_the_line),
        cmocka_unit_test(a_file_has_one_line_of_each_setting),
        cmocka_unit_test(a_line_that_is_too_long_is_refused),
        cmocka_unit_test(flags_win_over_the_file),
        cmocka_unit_test(a_directory_is_no_config_file),
        cmocka_unit_test(unknown_settings_are_named_with_their_value),
        cmocka_unit_test(a_flag_without_a_value_is_refused),
        cmocka_unit_test(numbers_out_of_bounds_are_refused),
        cmocka_unit_test(texts_have_a_longest_length),
        cmocka_unit_test(seeds_that_are_none_are_refused),
        cmocka_unit_test(there_are_at_most_64_seeds),
        cmocka_unit_test(an_empty_prefix_switches_fences_off),
        cmocka_unit_test(a_node_gets_the_fences_that_were_set),
        cmocka_unit_test(prefixes_that_are_none_are_refused),
        cmocka_unit_test(other_arguments_are_refused),
        cmocka_unit_test(an_error_stays_one_line),
        cmocka_unit_test(help_and_version_win_over_everything),
        cmocka_unit_test(help_names_every_setting),
        cmocka_unit_test(help_fits_80_columns),
        cmocka_unit_test(the_peer_port_follows_the_port),
        cmocka_unit_test(every_address_is_advertised_as_the_host_name),
        cmocka_unit_test(only_this_machine_reaches_a_loopback_address),
        cmocka_unit_test(a_default_name_that_is_too_long_is_refused),
        cmocka_unit_test(log_lines_are_text_or_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
