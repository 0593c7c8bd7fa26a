/* process.h - One simulated process: a node, its clock, its inbox, its turns.
 *
 * Stands in for src/server: it takes what has arrived, steps the node with it,
 * ends the turn and sends what the node asked to send. Its clock starts
 * anywhere and may run fast or slow, as real ones do. What comes first in a
 * turn (time, clients or peers) is drawn anew each time, because nothing
 * promises an order.
 *
 *   start --> running <--> paused
 *     ^          |           |
 *     +--- down <+-----------+   kill: memory and sockets are gone */
#ifndef HF_TESTS_PROCESS_H
#define HF_TESTS_PROCESS_H

#include "base/list.h"
#include "support/failing_mem.h"
#include "support/network.h"

#define REQUEST_ARGUMENTS_MAX 40

enum request_outcome {
    REQUEST_WAITING,
    REQUEST_ANSWERED,
    REQUEST_LOST,    /* The process died first: done or not, who knows. */
    REQUEST_REFUSED, /* Nobody listened: not done. */
};

/* A command of a client, on its way. */
struct request {
    struct hf_list place;  /* In the process's queue or among the unanswered. */
    struct hf_list member; /* For whoever created it. */
    uint64_t number;
    unsigned node;
    struct hf_command command;
    struct hf_slice argv[REQUEST_ARGUMENTS_MAX];
    char *bytes; /* What argv points to. */
    int64_t started_us;
    int64_t ended_us;
    enum request_outcome outcome;
    enum hf_reply_kind kind;
    int64_t integer;
    struct hf_buffer text; /* The reply by describe_reply, zero-terminated. */
    /* Called once when the outcome is known; may be NULL. Must not step. */
    void (*done)(void *user, struct request *request);
    void *user;
};

struct process_clock {
    int64_t offset_ms;
    int64_t drift_ppm; /* Fast when positive. */
    int64_t wall_ms;   /* Unix time it shows when the world begins. */
};

#define PROCESS_TOLD_BYTES 1024

struct process {
    unsigned number;
    bool running;
    bool paused;
    struct schedule *schedule;
    struct network *network;
    struct trace *trace;
    struct hf_mem mem;
    struct failing_mem failing; /* Used instead of mem when memory_fails. */
    bool memory_fails;          /* May be set while it is not running. */
    struct hf_rng rng;
    struct hf_node_config config;
    struct process_clock clock;
    struct hf_node *node;
    struct hf_outbox outbox; /* For its actions. */
    struct task turn;
    struct hf_list queue;      /* Requests not yet given to the node. */
    struct hf_list unanswered; /* Requests that the node has. */
    hf_epoch epoch_max;        /* Highest this incarnation was seen in. */
    hf_epoch promised_max;     /* The same of ballots it has promised. */
    /* Its one subscriber, to everything. */
    bool listens;
    bool listen_due; /* The node is to hear of it. */
    bool listened;   /* All others know. */
    bool notify_due; /* Events are to be set, */
    bool notified;   /* and all others know. */
    uint32_t events;
    unsigned told_count;
    char told[PROCESS_TOLD_BYTES]; /* "channel=message " of each. */
    const char *violation;         /* A promise of core/node.h that it broke. */
    void (*turned)(void *user, struct process *process);
    void *user;
};

/* Prepares a process that is not running. config.self and clock may be changed
 * until it starts. @turned is called after every turn. */
void process_init(struct process *process, unsigned number,
                  struct network *network, uint64_t seed,
                  void (*turned)(void *user, struct process *process),
                  void *user);

/* Starts with empty memory and a new incarnation. */
void process_start(struct process *process);
/* kill -9. Requests end as REQUEST_LOST. */
void process_kill(struct process *process);
/* The same, and its host is gone with it: the network is silent about it. */
void process_lose(struct process *process);
void process_pause(struct process *process);
void process_resume(struct process *process);

hf_time process_now(const struct process *process);
/* What its wall clock shows: Unix time in milliseconds. */
int64_t process_wall_ms(const struct process *process);

/* Hands over @request, which the caller keeps alive until it is done. */
void process_ask(struct process *process, struct request *request);

/* A client subscribes to everything. */
void process_subscribe(struct process *process);
/* A client chooses the keyspace events of the cluster: enum hf_notice_flag. */
void process_set_events(struct process *process, uint32_t events);

/* For struct network_host. */
void process_on_arrived(struct process *process);
void process_on_link(struct process *process,
                     const struct hf_link_event *event);
void process_on_message(struct process *process, hf_node_id from,
                        hf_incarnation incarnation,
                        const struct hf_message *message);
void process_on_probed(struct process *process, uint64_t token,
                       enum hf_probe_result result);

#endif
