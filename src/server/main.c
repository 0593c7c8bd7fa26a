/* main.c - holdfastd: settings, signals, exit codes.
 *
 *   0  stopped by SIGTERM or SIGINT     2  a setting is wrong
 *   1  could not start                  3  had to end after it had served
 *
 * With --nodes above 1 each node is a process, and this one their supervisor;
 * see supervisor.h. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/sanitized.h"
#include "holdfast/server.h"
#include "server/settings.h"
#include "server/supervisor.h"

static int print_help(void)
{
    struct hf_mem mem;
    struct hf_buffer text;
    hf_mem_init_system(&mem);
    hf_buffer_init(&text, &mem);
    hf_settings_help(&text);
    bool written = fwrite(text.data, 1, text.size, stdout) == text.size;
    hf_buffer_close(&text);
    return written && fflush(stdout) == 0 ? 0 : 1;
}

/* Every client is a file descriptor. */
static void raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit); /* The server looks at what it is. */
    }
}

static void signals_of_stop(sigset_t *set, bool supervised)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    if (supervised) {
        sigaddset(set, HF_SUPERVISOR_STOP);
    }
}

struct waiter {
    pthread_t thread;
    struct hf_server *server;
    bool supervised;  /* It is the supervisor that counts. */
    atomic_bool done; /* The node has stopped: the next signal is ours. */
};

/* Waits for signals on a thread of its own: all others, those of libraries
 * included, have them blocked. The first asks the node to drain and
 * stop, the second to stop at once; whoever asks thrice does not wait. */
static void *wait_for_signals(void *arg)
{
    struct waiter *waiter = arg;
    sigset_t set;
    int number;
    int asked = 0;
    signals_of_stop(&set, waiter->supervised);
    while (sigwait(&set, &number) == 0) {
        if (atomic_load(&waiter->done)) {
            break;
        }
        asked++;
        if (waiter->supervised) {
            asked = number == HF_SUPERVISOR_STOP ? 2 : 1;
        }
        if (asked == 1) {
            hf_server_drain(waiter->server);
        } else if (asked == 2) {
            hf_server_stop(waiter->server);
        } else {
            _exit(1);
        }
    }
    return NULL;
}

static int run(struct hf_server *server, bool supervised)
{
    struct waiter waiter = {.server = server, .supervised = supervised};
    atomic_init(&waiter.done, false);
    if (pthread_create(&waiter.thread, NULL, wait_for_signals, &waiter) != 0) {
        fprintf(stderr, "holdfastd: cannot start a thread\n");
        hf_server_destroy(server);
        return 1;
    }
    int rv = hf_server_run(server);
    atomic_store(&waiter.done, true);
    pthread_kill(waiter.thread, SIGTERM);
    pthread_join(waiter.thread, NULL);
    if (rv == HF_EIO) {
        _exit(0); /* Threads may be stuck: do not wait for them at exit. */
    }
    bool served = hf_server_served(server);
#if HF_IS_SANITIZED
    hf_server_destroy(server); /* What is left is a leak. */
#endif
    /* Else the kernel takes all memory at once: to free ten million sessions
     * one by one takes seconds, for which a restart would wait. */
    if (rv == 0) {
        return 0;
    }
    return served ? HF_EXIT_SERVED : 1;
}

static int run_node(const struct hf_config *config)
{
    struct hf_server *server;
    char error[2048];
    int rv = hf_server_create(&server, config, error, sizeof(error));
    if (rv != 0) {
        fprintf(stderr, "holdfastd: %s\n", error);
        return rv == HF_EINVAL ? HF_EXIT_SETTINGS : 1;
    }
    return run(server, config->nodes > 1);
}

int main(int argc, char *argv[])
{
    struct hf_config config;
    enum hf_settings_wish wish;
    char error[2048];

    hf_config_init(&config);
    if (hf_settings_read_arguments(&config, argc - 1, argv + 1, &wish, error,
                                   sizeof(error)) != 0) {
        fprintf(stderr, "holdfastd: %s\n", error);
        return HF_EXIT_SETTINGS;
    }
    if (wish == HF_SETTINGS_HELP) {
        return print_help();
    }
    if (wish == HF_SETTINGS_VERSION) {
        puts("holdfastd " HF_VERSION);
        return 0;
    }

    sigset_t set;
    signals_of_stop(&set, config.nodes > 1);
    pthread_sigmask(SIG_BLOCK, &set, NULL); /* Before any thread starts. */
    sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    raise_file_limit();
    hf_mem_free_evenly();

    return config.nodes > 1 ? hf_supervise(&config, run_node)
                            : run_node(&config);
}
