/* cluster.h - A whole cluster in one process, on virtual time.
 *
 * The fixture of the cluster stories and of the simulator. Nodes are numbered
 * from 0 (traces and names count from 1: node 0 is "n1"). Verbs that wait run
 * the world until what they wait for has happened, or fail the story. After
 * every turn of every node the invariants are checked (support/invariants.h).
 *
 * The first failure is kept in `failure`; from then on the world stands still.
 * options.fail hears of it once no node is in the middle of a step, so that it
 * may leave by a jump. */
#ifndef HF_TESTS_CLUSTER_H
#define HF_TESTS_CLUSTER_H

#include "base/list.h"
#include "support/invariants.h"
#include "support/process.h"

#define CLUSTER_NODES_MAX NETWORK_NODES_MAX
#define CLUSTER_COMMAND_MS 10000 /* How long a command is waited for. */
#define CLUSTER_SETTLE_MS 30000
#define CLUSTER_FAILURE_BYTES 2048

struct cluster_options {
    unsigned node_count; /* Those that ever run. */
    unsigned backups;
    uint64_t seed;
    bool trace; /* Keep a trace, printed when something fails. */
    bool loud;  /* Print it as it comes. */
    enum hf_partition_policy policy; /* Default: half, as for users. */
    bool one_seed;        /* The first node is the only seed, else all are. */
    bool boot_none;       /* cluster_create starts no node. */
    int64_t drift_ppm;    /* Clocks run up to that much fast or slow. */
    int64_t wall_skew_ms; /* Wall clocks are up to that much ahead. */
    bool memory_fails;    /* Nodes live on memory that can be made to fail. */
    struct network_faults faults; /* Of all paths; default: a fast LAN. */
    /* Called with the text of the first failure; may jump. May be NULL. */
    void (*fail)(const char *text);
};

struct cluster {
    struct cluster_options options;
    struct hf_mem mem;
    struct schedule schedule;
    struct trace trace;
    struct network network;
    struct process processes[CLUSTER_NODES_MAX];
    struct invariants invariants;
    struct hf_list requests; /* All not yet freed. */
    uint64_t request_last;
    struct request *command; /* The last of cluster_command. */
    bool stepping;           /* Inside of a task: no time to jump. */
    bool failed;
    bool reported;
    char failure[CLUSTER_FAILURE_BYTES];
};

/* Defaults: three nodes, one backup, a trace, and this seed. */
void cluster_options_init(struct cluster_options *options, uint64_t seed);

/* Makes the nodes and starts them, all at once, unless boot_none. Does not
 * wait. */
struct cluster *cluster_create(const struct cluster_options *options);
void cluster_destroy(struct cluster *c);

/* Records a failure, with the trace when there is one. */
void cluster_fail(struct cluster *c, const char *format, ...) HF_PRINTF(2, 3);

/* Time. */
/* The next task, if its time is at most @until_us; as schedule_step. */
bool cluster_step(struct cluster *c, int64_t until_us);
void cluster_run(struct cluster *c, int64_t ms);
int64_t cluster_now_us(const struct cluster *c);
/* Runs until @is says so. Returns whether it did within @ms. */
bool cluster_wait(struct cluster *c, int64_t ms,
                  bool (*is)(struct cluster *c, void *user), void *user);

/* Every running, unpaused node is in one view of just those nodes, and finds
 * everything in place. */
bool cluster_is_settled(struct cluster *c);
/* Waits for that; fails when it takes longer than @ms. */
void cluster_settle(struct cluster *c, int64_t ms);
/* The same in the default time. Then checks that every copy is equal and that
 * nobody else has one; expects that no writes are under way. */
void cluster_settle_and_check(struct cluster *c);

/* Commands. Arguments are texts, ended by NULL. */

/* Sends one and does not wait. The request lives until cluster_forget. */
struct request *cluster_ask(struct cluster *c, unsigned node, ...);
struct request *cluster_ask_argv(struct cluster *c, unsigned node, size_t argc,
                                 const struct hf_slice *argv);
/* Frees it, at once or when it is done. */
void cluster_forget(struct request *request);
/* Waits until @request is done; false when it is not within @ms. */
bool cluster_await(struct cluster *c, struct request *request, int64_t ms);

/* Sends one and waits. The text lives until the next cluster_command:
 * "OK", "(nil)", "3", "[a (nil)]", "(error) ...", "(lost)", "(refused)", or
 * "(timeout)" after CLUSTER_COMMAND_MS. */
const char *cluster_command(struct cluster *c, unsigned node, ...);
/* What is known of @request in the same words, or "(waiting)". */
const char *cluster_answer(const struct request *request);

/* Fails unless the answer is @wanted. */
void cluster_expect_answer(struct cluster *c, const char *wanted,
                           const struct request *request);
void cluster_expect_reply(struct cluster *c, const char *wanted, unsigned node,
                          ...);
/* SET by way of the first running node; GET from every running node. NULL:
 * expect nil. */
void cluster_set(struct cluster *c, const char *key, const char *value);
void cluster_expect(struct cluster *c, const char *key, const char *value);
/* Fails with @text unless @holds. */
void cluster_check(struct cluster *c, bool holds, const char *text);

/* Faults. */
void cluster_boot(struct cluster *c, unsigned node);
/* The first @count of a cluster with boot_none, and waits until it settled. */
void cluster_boot_first(struct cluster *c, unsigned count);
void cluster_kill(struct cluster *c, unsigned node);
/* Its host goes as well: silence, and no refused connections. */
void cluster_lose(struct cluster *c, unsigned node);
void cluster_restart(struct cluster *c, unsigned node); /* Kills if needed. */
void cluster_pause(struct cluster *c, unsigned node);
void cluster_resume(struct cluster *c, unsigned node);
void cluster_cut(struct cluster *c, unsigned a, unsigned b); /* Both ways. */
void cluster_cut_one_way(struct cluster *c, unsigned from, unsigned to);
void cluster_isolate(struct cluster *c, unsigned node);
void cluster_clog(struct cluster *c, unsigned from, unsigned to,
                  enum hf_channel channel);
void cluster_unclog(struct cluster *c, unsigned from, unsigned to,
                    enum hf_channel channel);
/* Ends all cuts, clogs and other faults; wakes paused nodes. */
void cluster_heal(struct cluster *c);

/* What the newest view of a running node says. */
const struct hf_view *cluster_view(const struct cluster *c);
bool cluster_is_newer(const struct hf_view *a, const struct hf_view *b);
bool cluster_is_up(const struct cluster *c, unsigned node); /* Not paused. */
unsigned cluster_up_count(const struct cluster *c);
/* How many sessions that it dropped @node has yet to free. */
unsigned cluster_discarding(const struct cluster *c, unsigned node);
unsigned cluster_first_up(const struct cluster *c);
/* The node a member of @view is; CLUSTER_NODES_MAX when it is gone. */
unsigned cluster_node_of(const struct cluster *c, const struct hf_view *view,
                         uint8_t member);
unsigned cluster_primary_of(const struct cluster *c, const char *key);
unsigned cluster_backup_of(const struct cluster *c, const char *key);
/* A running node that is no owner of @key; CLUSTER_NODES_MAX: none. */
unsigned cluster_stranger_to(const struct cluster *c, const char *key);
/* Writes a key to @key ("k:17") that @node is the primary of. */
void cluster_key_on(struct cluster *c, unsigned node, char key[16]);

#endif
