/* supervisor.h - One process that starts several nodes and looks after them.
 *
 *                   SIGTERM, SIGINT
 *                         |
 *                    supervisor ---- keeps the client port
 *      SIGTERM: drain  /  |  \  SIGUSR1: stop at once
 *                   node node node
 *
 * It holds no session, and starts no thread, so it may fork at any time. A
 * node that crashes is started again, after 1 s, then 2 s, up to a minute, and
 * after 1 s again once it has run for a minute. One that ends by itself with 0
 * was drained, and is left alone. When one cannot start to begin with, which
 * exit codes 1 and 2 say, none stays. Nodes do not outlive the supervisor: the
 * kernel kills them.
 *
 * A drain is asked for of all nodes at once, so that they hand over to other
 * hosts and not to each other. It does not matter how often it is: who ends
 * this program by a signal to all its processes, as terminals and systemd do,
 * asks each node a second time. To stop at once is another signal, which only
 * the supervisor sends. */
#ifndef HF_SERVER_SUPERVISOR_H
#define HF_SERVER_SUPERVISOR_H

#include "holdfast/config.h"

/* What a node under a supervisor is told to stop at once by. */
#define HF_SUPERVISOR_STOP SIGUSR1

/* Exit codes of a node, besides 0, and 1 when it could not start: a setting is
 * wrong; it was in the cluster and had to end. */
#define HF_EXIT_SETTINGS 2
#define HF_EXIT_SERVED 3

/* Starts config->nodes processes that call @run with what each is set to, and
 * exit with what it returns; it is called with SIGTERM, SIGINT and
 * HF_SUPERVISOR_STOP blocked, as they must be now. Returns the exit code of
 * this process, when none is left: 0, 1 if one could not start or did not end
 * well, 2 if a setting is wrong. */
int hf_supervise(const struct hf_config *config,
                 int (*run)(const struct hf_config *node));

#endif
