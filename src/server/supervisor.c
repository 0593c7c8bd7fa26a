#include "server/supervisor.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/log.h"
#include "holdfast/error.h"
#include "io/clock.h"
#include "io/listen.h"
#include "server/config.h"
#include "server/logger.h"
#include "server/nodes.h"

#define AGAIN_MS 1000      /* From a crash to the next start, at first; */
#define AGAIN_MS_MAX 60000 /* then twice as long, up to this. */
#define WELL_MS 60000      /* Who ran for so long is well. */

struct child {
    pid_t pid; /* 0: it does not run. */
    char name[HF_CONFIG_NAME_MAX + 1];
    bool again; /* It was started before. */
    hf_time started_at;
    hf_time start_at; /* HF_NEVER: it runs, or has ended for good. */
    hf_time wait_ms;
};

struct supervisor {
    struct hf_config config;  /* With the port that was found. */
    struct hf_config for_log; /* The same, without a node to name. */
    struct hf_log log;
    int (*run)(const struct hf_config *node);
    int guard; /* Of the port. */
    pid_t pid;
    sigset_t signals;
    struct child children[HF_CONFIG_NODES_MAX];
    int asked; /* How often to stop. */
    int worst; /* Exit code. */
};

/* In the new process. */
static void child_run(const struct supervisor *supervisor, unsigned index)
{
    struct hf_config node;
    char error[1024];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != supervisor->pid) {
        _exit(1); /* The supervisor died before the kernel knew. */
    }
    close(supervisor->guard);
    int rv = hf_nodes_config(&supervisor->config, index, &node, error,
                             sizeof(error));
    HF_ASSERT(rv == 0); /* It was before. */
    exit(supervisor->run(&node));
}

static void start_later(struct child *child, hf_time now)
{
    if (child->again && now - child->started_at < WELL_MS) {
        child->wait_ms *= 2;
    } else {
        child->wait_ms = AGAIN_MS;
    }
    if (child->wait_ms > AGAIN_MS_MAX) {
        child->wait_ms = AGAIN_MS_MAX;
    }
    child->again = true;
    child->start_at = now + child->wait_ms;
}

/* Asks all nodes for what is asked of the supervisor. */
static void tell_all(const struct supervisor *supervisor)
{
    int number = supervisor->asked == 1   ? SIGTERM
                 : supervisor->asked == 2 ? HF_SUPERVISOR_STOP
                                          : SIGKILL;
    for (unsigned i = 0; i < supervisor->config.nodes; i++) {
        if (supervisor->children[i].pid != 0) {
            kill(supervisor->children[i].pid, number);
        }
    }
}

static void stop_all(struct supervisor *supervisor)
{
    supervisor->asked++;
    for (unsigned i = 0; i < supervisor->config.nodes; i++) {
        supervisor->children[i].start_at = HF_NEVER;
    }
    tell_all(supervisor);
}

static void start(struct supervisor *supervisor, unsigned index)
{
    struct child *child = &supervisor->children[index];
    hf_time now = hf_clock_now();
    pid_t pid = fork();
    if (pid == 0) {
        child_run(supervisor, index);
    }
    child->start_at = HF_NEVER;
    if (pid > 0) {
        child->pid = pid;
        child->started_at = now;
        hf_log(&supervisor->log, HF_LOG_INFO, "node '%s' is process %ld",
               child->name, (long)pid);
        return;
    }
    hf_log(&supervisor->log, HF_LOG_ERROR,
           "cannot start a process for node '%s': %s", child->name,
           strerror(errno));
    if (child->again) {
        start_later(child, now);
    } else {
        supervisor->worst = 1;
        stop_all(supervisor);
    }
}

/* @child ended by itself: by a signal if @number is not 0, else with @code. */
static void on_end(struct supervisor *supervisor, struct child *child,
                   int number, int code)
{
    if (number == 0 && code == 0) {
        hf_log(&supervisor->log, HF_LOG_INFO,
               "node '%s' has left, and is not started again", child->name);
        return;
    }
    if (number == 0 && code <= HF_EXIT_SETTINGS && !child->again) {
        supervisor->worst = code; /* It said why. */
        hf_log(&supervisor->log, HF_LOG_ERROR,
               "node '%s' could not start: stopping all", child->name);
        stop_all(supervisor);
        return;
    }
    start_later(child, hf_clock_now());
    hf_log(&supervisor->log, HF_LOG_ERROR,
           "node '%s' ended by %s %d: it is started again in %d s", child->name,
           number != 0 ? "signal" : "exit code", number != 0 ? number : code,
           (int)(child->wait_ms / 1000));
}

static struct child *child_find(struct supervisor *supervisor, pid_t pid)
{
    for (unsigned i = 0; i < supervisor->config.nodes; i++) {
        if (supervisor->children[i].pid == pid) {
            return &supervisor->children[i];
        }
    }
    return NULL; /* As the first process of a container, we get others'. */
}

static void reap(struct supervisor *supervisor)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        struct child *child = child_find(supervisor, pid);
        if (child == NULL) {
            continue;
        }
        int number = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
        int code = number != 0 ? 1 : WEXITSTATUS(status);
        child->pid = 0;
        if (supervisor->asked == 0) {
            on_end(supervisor, child, number, code);
        } else if (code > supervisor->worst) {
            supervisor->worst = code;
        }
    }
}

static bool any_left(const struct supervisor *supervisor)
{
    for (unsigned i = 0; i < supervisor->config.nodes; i++) {
        const struct child *child = &supervisor->children[i];
        if (child->pid != 0 || child->start_at != HF_NEVER) {
            return true;
        }
    }
    return false;
}

/* Starts who is due; when the next one is, or HF_NEVER. */
static hf_time start_due(struct supervisor *supervisor)
{
    hf_time next = HF_NEVER;
    for (unsigned i = 0; i < supervisor->config.nodes; i++) {
        if (supervisor->children[i].start_at <= hf_clock_now()) {
            start(supervisor, i);
        }
    }
    for (unsigned i = 0; i < supervisor->config.nodes; i++) {
        hf_time at = supervisor->children[i].start_at;
        next = at < next ? at : next;
    }
    return next;
}

/* The next signal, or none by @until. */
static int next_signal(const struct supervisor *supervisor, hf_time until)
{
    hf_time wait_ms = until - hf_clock_now();
    if (until == HF_NEVER) {
        return sigwaitinfo(&supervisor->signals, NULL);
    }
    wait_ms = wait_ms < 0 ? 0 : wait_ms;
    struct timespec wait = {.tv_sec = (time_t)(wait_ms / 1000),
                            .tv_nsec = (long)(wait_ms % 1000) * 1000000};
    return sigtimedwait(&supervisor->signals, NULL, &wait);
}

static int look_after(struct supervisor *supervisor)
{
    for (;;) {
        hf_time next = start_due(supervisor);
        if (!any_left(supervisor)) {
            return supervisor->worst;
        }
        int number = next_signal(supervisor, next);
        reap(supervisor); /* Who ended before we were asked to. */
        if (number == SIGTERM || number == SIGINT) {
            stop_all(supervisor);
        }
        if (supervisor->asked > 2) {
            return 1;
        }
    }
}

/* The names of all, if all of their settings are good. */
static int check_all(struct supervisor *supervisor, char *error,
                     size_t error_size)
{
    int rv = 0;
    for (unsigned i = 0; rv == 0 && i < supervisor->config.nodes; i++) {
        struct hf_config node;
        rv = hf_nodes_config(&supervisor->config, i, &node, error, error_size);
        if (rv == 0) {
            hf_config_copy_text(supervisor->children[i].name,
                                sizeof(supervisor->children[i].name),
                                node.name);
        }
    }
    return rv;
}

static int prepare(struct supervisor *supervisor, char *error,
                   size_t error_size)
{
    struct hf_config *config = &supervisor->config;
    int rv = check_all(supervisor, error, error_size);
    if (rv != 0) {
        return rv;
    }
    rv = hf_listen_keep_port(config->bind, &config->port, &supervisor->guard);
    if (rv != 0) {
        return hf_config_fail_listen(config, rv, "port", config->port, error,
                                     error_size);
    }
    return check_all(supervisor, error, error_size); /* With that port. */
}

int hf_supervise(const struct hf_config *config,
                 int (*run)(const struct hf_config *node))
{
    struct supervisor supervisor = {
        .config = *config, .for_log = *config, .run = run, .pid = getpid()};
    char error[1024];
    supervisor.for_log.nodes = 1;
    supervisor.log = (struct hf_log){
        .write = hf_logger_write,
        .user = &supervisor.for_log,
        .level = (enum hf_log_level)config->log_level,
    };
    sigemptyset(&supervisor.signals);
    sigaddset(&supervisor.signals, SIGTERM);
    sigaddset(&supervisor.signals, SIGINT);
    sigaddset(&supervisor.signals, SIGCHLD);
    pthread_sigmask(SIG_BLOCK, &supervisor.signals, NULL);
    /* Who started us may not have wanted to know how its processes end. */
    sigaction(SIGCHLD, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
    int rv = prepare(&supervisor, error, sizeof(error));
    if (rv != 0) {
        fprintf(stderr, "holdfastd: %s\n", error);
        return rv == HF_EINVAL ? HF_EXIT_SETTINGS : 1;
    }
    hf_log(&supervisor.log, HF_LOG_INFO, "starting %u nodes behind port %u",
           config->nodes, (unsigned)supervisor.config.port);
    rv = look_after(&supervisor);
    close(supervisor.guard);
    return rv;
}
