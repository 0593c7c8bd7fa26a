/* What each of several nodes of one host is set to, and the port they share. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "holdfast/error.h"
#include "io/listen.h"
#include "server/config.h"
#include "server/nodes.h"
#include "server/supervisor.h"

static void config_init(struct hf_config *config, unsigned nodes)
{
    hf_config_init(config);
    config->nodes = nodes;
}

static void add_seed(struct hf_config *config, const char *host, uint16_t port)
{
    struct hf_config_seed *seed = &config->seeds[config->seed_count++];
    hf_config_copy_text(seed->host, sizeof(seed->host), host);
    seed->port = port;
}

static struct hf_config node_of(const struct hf_config *config, unsigned index)
{
    struct hf_config node;
    char error[512] = "";
    int rv = hf_nodes_config(config, index, &node, error, sizeof(error));
    assert_string_equal(error, "");
    assert_int_equal(rv, 0);
    return node;
}

/* For every node alike. */
static void assert_refused(const struct hf_config *config, const char *text)
{
    for (unsigned i = 0; i < config->nodes; i++) {
        struct hf_config node;
        char error[512] = "";
        assert_int_equal(
            hf_nodes_config(config, i, &node, error, sizeof(error)), HF_EINVAL);
        assert_string_equal(error, text);
    }
}

static void one_node_is_set_to_what_was_given(void **state)
{
    (void)state;
    struct hf_config config;
    config_init(&config, 1);
    hf_config_copy_text(config.name, sizeof(config.name), "app1");
    struct hf_config node = node_of(&config, 0);
    assert_memory_equal(&node, &config, sizeof(config));
}

static void what_belongs_to_one_node_is_counted_up(void **state)
{
    (void)state;
    struct hf_config config;
    config_init(&config, 3);
    config.cluster_port = 8000;
    hf_config_copy_text(config.name, sizeof(config.name), "app1");
    hf_config_copy_text(config.unix_socket, sizeof(config.unix_socket),
                        "/run/hf");
    hf_config_copy_text(config.host_label, sizeof(config.host_label), "rack");
    struct hf_config first = node_of(&config, 0);
    struct hf_config third = node_of(&config, 2);
    assert_int_equal(first.port, 7379);
    assert_int_equal(first.peer_port, 17379);
    assert_int_equal(first.cluster_port, 8000);
    assert_string_equal(first.name, "app1-1");
    assert_string_equal(first.unix_socket, "/run/hf-1");
    assert_int_equal(third.port, 7379);
    assert_int_equal(third.peer_port, 17381);
    assert_int_equal(third.cluster_port, 8002);
    assert_string_equal(third.name, "app1-3");
    assert_string_equal(third.unix_socket, "/run/hf-3");
    assert_string_equal(third.host_label, "rack");
    assert_int_equal(third.nodes, 3);
}

static void what_was_not_given_stays_so_or_differs(void **state)
{
    (void)state;
    struct hf_config config;
    config_init(&config, 2);
    struct hf_config first = node_of(&config, 0);
    struct hf_config second = node_of(&config, 1);
    assert_string_equal(first.name, "127.0.0.1:17379");
    assert_string_equal(second.name, "127.0.0.1:17380");
    assert_string_equal(first.host_label, second.host_label);
    assert_int_not_equal(strlen(first.host_label), 0);
    assert_int_equal(second.cluster_port, 0);
    assert_string_equal(second.unix_socket, "");
}

static void nodes_without_seeds_are_seeds_of_each_other(void **state)
{
    (void)state;
    struct hf_config config;
    config_init(&config, 3);
    struct hf_config second = node_of(&config, 1);
    assert_int_equal(second.seed_count, 3);
    for (uint16_t i = 0; i < 3; i++) {
        assert_string_equal(second.seeds[i].host, "127.0.0.1");
        assert_int_equal(second.seeds[i].port, 17379 + i);
    }
}

static void where_one_node_is_a_seed_all_of_the_host_are(void **state)
{
    (void)state;
    struct hf_config config;
    config_init(&config, 3);
    hf_config_copy_text(config.advertise, sizeof(config.advertise), "app1");
    add_seed(&config, "app2", 17379);
    add_seed(&config, "app1", 17380);
    struct hf_config node = node_of(&config, 0);
    assert_int_equal(node.seed_count, 4);
    assert_string_equal(node.seeds[0].host, "app2");
    assert_int_equal(node.seeds[1].port, 17380);
    assert_string_equal(node.seeds[2].host, "app1");
    assert_int_equal(node.seeds[2].port, 17379);
    assert_int_equal(node.seeds[3].port, 17381);

    config_init(&config, 2);
    add_seed(&config, "localhost", 17379);
    node = node_of(&config, 1);
    assert_int_equal(node.seed_count, 2);
    assert_string_equal(node.seeds[0].host, "localhost");
    assert_int_equal(node.seeds[1].port, 17380);
}

/* Or two nodes that find only each other would start a cluster of their own. */
static void seeds_elsewhere_are_all_the_seeds_there_are(void **state)
{
    (void)state;
    struct hf_config config;
    config_init(&config, 2);
    hf_config_copy_text(config.advertise, sizeof(config.advertise), "app4");
    add_seed(&config, "app1", 17379);
    add_seed(&config, "app2", 17379);
    add_seed(&config, "app4", 17381); /* Another program's. */
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(node_of(&config, i).seed_count, 3);
    }
}

static void there_are_no_more_than_64_seeds(void **state)
{
    (void)state;
    struct hf_config config;
    config_init(&config, 4);
    for (uint16_t i = 0; i < HF_CONFIG_SEEDS_MAX - 1; i++) {
        add_seed(&config, "127.0.0.1", (uint16_t)(17380 + i));
    }
    struct hf_config node = node_of(&config, 0);
    assert_int_equal(node.seed_count, HF_CONFIG_SEEDS_MAX);
    assert_int_equal(node.seeds[HF_CONFIG_SEEDS_MAX - 1].port, 17379);
}

static void ports_that_cannot_be_counted_up_are_refused(void **state)
{
    (void)state;
    struct hf_config config;
    config_init(&config, 2);
    config.port = 0;
    assert_refused(&config,
                   "setting port: '0' is not allowed with nodes 2: a number "
                   "from 1 to 65535, unless peer-port is given");
    config.peer_port = 17379; /* Any free one for clients will do. */
    assert_int_equal(node_of(&config, 1).peer_port, 17380);
    config.peer_port = 65535;
    assert_refused(&config,
                   "setting peer-port: '65535' is not allowed with nodes 2: "
                   "each node counts up, to at most 65535");
    config.peer_port = 65534;
    assert_int_equal(node_of(&config, 1).peer_port, 65535);
    config.cluster_port = 65535;
    config.peer_port = 17379;
    assert_refused(&config,
                   "setting cluster-port: '65535' is not allowed with nodes 2: "
                   "each node counts up, to at most 65535");
}

static void ports_that_meet_are_refused(void **state)
{
    (void)state;
    struct hf_config config;
    config_init(&config, 3);
    config.peer_port = 7377;
    assert_refused(&config,
                   "setting peer-port: '7377' is not allowed with nodes 3: "
                   "each node counts up, and comes to that of port");
    config.peer_port = 7376;
    assert_int_equal(node_of(&config, 2).peer_port, 7378);
    static const uint16_t wrong[] = {7374, 7377, 7378};
    for (size_t i = 0; i < HF_ARRAY_COUNT(wrong); i++) {
        char text[256];
        config.cluster_port = wrong[i];
        snprintf(text, sizeof(text),
                 "setting cluster-port: '%u' is not allowed with nodes 3: each "
                 "node counts up, and comes to those of port or peer-port",
                 (unsigned)wrong[i]);
        assert_refused(&config, text);
    }
    config.cluster_port = 7373;
    assert_int_equal(node_of(&config, 2).cluster_port, 7375);
}

static void texts_that_cannot_be_counted_up_are_refused(void **state)
{
    (void)state;
    struct hf_config config;
    char error[512];
    struct hf_config node;
    config_init(&config, 2);
    memset(config.name, 'a', HF_CONFIG_NAME_MAX - 1);
    assert_int_equal(hf_nodes_config(&config, 0, &node, error, sizeof(error)),
                     HF_EINVAL);
    assert_non_null(strstr(error, "setting name: 'aaaa"));
    assert_non_null(strstr(error, "at most 64 bytes"));
    config.name[HF_CONFIG_NAME_MAX - 2] = '\0';
    assert_int_equal(strlen(node_of(&config, 1).name), HF_CONFIG_NAME_MAX);
    memset(config.unix_socket, '/', HF_CONFIG_PATH_MAX - 1);
    assert_int_equal(hf_nodes_config(&config, 0, &node, error, sizeof(error)),
                     HF_EINVAL);
    assert_non_null(strstr(error, "setting unix-socket: '//"));
    assert_non_null(strstr(error, "at most 107 bytes"));
}

static void what_is_wrong_for_one_node_is_wrong_for_several(void **state)
{
    (void)state;
    struct hf_config config;
    config_init(&config, 2);
    config.backups = 4;
    assert_refused(&config,
                   "setting backups: 4 is not allowed: a number from 0 to 3");
    config_init(&config, HF_CONFIG_NODES_MAX + 1);
    assert_refused(&config,
                   "setting nodes: 17 is not allowed: a number from 1 to 16");
}

/* The shared port. */

static void on_connection(uv_stream_t *listener, int status)
{
    (void)listener;
    (void)status;
}

static int listen_on(uv_loop_t *loop, uv_tcp_t *listener, uint16_t *port,
                     bool shared)
{
    assert_int_equal(uv_tcp_init(loop, listener), 0);
    return hf_listen(loop, listener, "127.0.0.1", port, shared, 16,
                     on_connection);
}

/* Nobody listens on @port, and nobody can who does not share it. */
static void assert_only_kept(uv_loop_t *loop, uint16_t port)
{
    uv_tcp_t stranger;
    int another;
    assert_int_equal(listen_on(loop, &stranger, &port, false), HF_EINUSE);
    assert_int_equal(hf_listen_keep_port("127.0.0.1", &port, &another),
                     HF_EINUSE);
    uv_close((uv_handle_t *)&stranger, NULL);
    uv_run(loop, UV_RUN_DEFAULT);
}

static void a_kept_port_is_for_those_who_share_it(void **state)
{
    (void)state;
    uv_loop_t loop;
    uv_tcp_t first;
    uv_tcp_t second;
    uv_tcp_t stranger;
    uint16_t port = 0;
    int guard;
    int another;
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(hf_listen_keep_port("127.0.0.1", &port, &guard), 0);
    assert_int_not_equal(port, 0);
    assert_only_kept(&loop, port);
    assert_int_equal(listen_on(&loop, &first, &port, true), 0);
    assert_int_equal(listen_on(&loop, &second, &port, true), 0);
    assert_int_equal(listen_on(&loop, &stranger, &port, false), HF_EINUSE);
    assert_int_equal(hf_listen_keep_port("127.0.0.1", &port, &another),
                     HF_EINUSE);
    uv_close((uv_handle_t *)&first, NULL);
    uv_close((uv_handle_t *)&second, NULL);
    uv_close((uv_handle_t *)&stranger, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_only_kept(&loop, port); /* All have crashed. */
    close(guard);
    assert_int_equal(hf_listen_keep_port("127.0.0.1", &port, &guard), 0);
    close(guard);
    assert_int_equal(uv_loop_close(&loop), 0);
}

static void a_port_that_is_in_use_cannot_be_kept(void **state)
{
    (void)state;
    uv_loop_t loop;
    uv_tcp_t owner;
    uint16_t port = 0;
    int guard;
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(listen_on(&loop, &owner, &port, false), 0);
    assert_int_equal(hf_listen_keep_port("127.0.0.1", &port, &guard),
                     HF_EINUSE);
    uv_close((uv_handle_t *)&owner, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    port = 0;
    assert_int_equal(hf_listen_keep_port("203.0.113.1", &port, &guard), HF_EIO);
}

#define PEER_PORT 17379 /* Which nobody listens on here. */

/* The exit code of a supervisor of two nodes that are just @run. */
static int supervise(int (*run)(const struct hf_config *node), bool ignores)
{
    int status;
    pid_t supervisor = fork();
    assert_true(supervisor >= 0);
    if (supervisor == 0) {
        struct hf_config config;
        config_init(&config, 2);
        config.port = 0;
        config.peer_port = PEER_PORT;
        config.log_level = HF_CONFIG_LOG_ERROR;
        signal(SIGCHLD, ignores ? SIG_IGN : SIG_DFL);
        alarm(20); /* It would wait for ever. */
        _exit(hf_supervise(&config, run));
    }
    assert_int_equal(waitpid(supervisor, &status, 0), supervisor);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int leave_at_once(const struct hf_config *node)
{
    (void)node;
    return 0;
}

/* As of a process whose parent did not want to know how its own end. */
static void ends_are_seen_also_where_they_were_ignored(void **state)
{
    (void)state;
    assert_int_equal(supervise(leave_at_once, true), 0);
}

static int *starts; /* Of the first of two nodes; shared by all processes. */

/* What the first node returns when it was started first; later on 0. The other
 * one leaves when it did, or when all are stopped. */
static int run_node(const struct hf_config *node, int first)
{
    if (node->peer_port == PEER_PORT) {
        int number = __atomic_fetch_add(starts, 1, __ATOMIC_SEQ_CST);
        return number == 0 ? first : 0;
    }
    const struct timespec wait = {.tv_nsec = 10000000};
    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    while (__atomic_load_n(starts, __ATOMIC_SEQ_CST) < 2 &&
           sigtimedwait(&stop, NULL, &wait) != SIGTERM) {
    }
    return 0;
}

static int end_after_service(const struct hf_config *node)
{
    return run_node(node, HF_EXIT_SERVED);
}

static int fail_to_start(const struct hf_config *node)
{
    return run_node(node, HF_EXIT_SETTINGS);
}

static void starts_reset(void)
{
    FILE *file = tmpfile();
    assert_non_null(file);
    assert_int_equal(ftruncate(fileno(file), sizeof(*starts)), 0);
    starts = mmap(NULL, sizeof(*starts), PROT_READ | PROT_WRITE, MAP_SHARED,
                  fileno(file), 0);
    assert_true(starts != MAP_FAILED);
    fclose(file);
}

static void who_served_and_ended_is_started_again(void **state)
{
    (void)state;
    starts_reset();
    assert_int_equal(supervise(end_after_service, false), 0);
    assert_int_equal(*starts, 2);
    munmap(starts, sizeof(*starts));
}

static void who_cannot_start_ends_all(void **state)
{
    (void)state;
    starts_reset();
    assert_int_equal(supervise(fail_to_start, false), HF_EXIT_SETTINGS);
    assert_int_equal(*starts, 1);
    munmap(starts, sizeof(*starts));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_node_is_set_to_what_was_given),
        cmocka_unit_test(what_belongs_to_one_node_is_counted_up),
        cmocka_unit_test(what_was_not_given_stays_so_or_differs),
        cmocka_unit_test(nodes_without_seeds_are_seeds_of_each_other),
        cmocka_unit_test(where_one_node_is_a_seed_all_of_the_host_are),
        cmocka_unit_test(seeds_elsewhere_are_all_the_seeds_there_are),
        cmocka_unit_test(there_are_no_more_than_64_seeds),
        cmocka_unit_test(ports_that_cannot_be_counted_up_are_refused),
        cmocka_unit_test(ports_that_meet_are_refused),
        cmocka_unit_test(texts_that_cannot_be_counted_up_are_refused),
        cmocka_unit_test(what_is_wrong_for_one_node_is_wrong_for_several),
        cmocka_unit_test(a_kept_port_is_for_those_who_share_it),
        cmocka_unit_test(a_port_that_is_in_use_cannot_be_kept),
        cmocka_unit_test(ends_are_seen_also_where_they_were_ignored),
        cmocka_unit_test(who_served_and_ended_is_started_again),
        cmocka_unit_test(who_cannot_start_ends_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
