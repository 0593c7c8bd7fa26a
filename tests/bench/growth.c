/* growth.c - What an operation costs the network, as a formula, and whether
 * simulated clusters agree with it.
 *
 * n nodes, b backups; every node asks for every key, one operation at a time,
 * so that nothing shares a frame and every message is seen; k and v are the
 * bytes of the key and of the value:
 *
 *   message     how many                            bytes of one
 *   FORWARD     (n - 1 - b) / n for each GET: its   60 + k
 *               node has no copy
 *               (n - 1) / n for each SET: its       78 + k + v
 *               node is not the primary
 *   RESULT      (n - 1 - b) / n for each command:   GET: 26 + v, SET: 28
 *               a copy knows the answer
 *   RECORD      b for each write                    84 + k + v
 *   ACK         b for each write                    17
 *   COMMITTED   b for each write, at most: it       17
 *               waits 1 ms for what goes there
 *   HEARTBEAT   10 (n - 1) a second from each node  212, and 8 for a database
 *                                                   with sessions
 *
 * and a header of 48 bytes for each frame. Under load many messages share one,
 * and an ACK or COMMITTED stands for many records. Nothing else may be sent.
 * Prints a table; exits 1 when a cluster does not fit, saying where. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "support/cluster.h"

#define OPERATIONS 500 /* At most, of each kind. */
#define KEY_BYTES 13
#define VALUE_BYTES 1024
#define SETTLE_MS 300000
#define REST_MS 3000
#define IDLE_MS 2000
#define AFTER_MS 100
#define SEED 1

enum kind { IDLE, GET, SET };

/* The formula. */

struct cost {
    enum hf_message_type type;
    uint64_t messages;
    uint64_t bytes; /* Of one. */
};

#define COSTS 6

/* Of @operations, evenly from all nodes. */
static void formula(struct cost costs[COSTS], enum kind kind, unsigned nodes,
                    unsigned backups, uint64_t operations)
{
    uint64_t elsewhere = operations * (nodes - 1 - backups) / nodes;
    uint64_t forwarded =
        kind == SET ? operations * (nodes - 1) / nodes : elsewhere;
    uint64_t copied = kind == SET ? operations * backups : 0;
    uint64_t beats = (uint64_t)10 * nodes * (nodes - 1) * IDLE_MS / 1000;
    uint64_t both = KEY_BYTES + VALUE_BYTES;
    const struct cost all[COSTS] = {
        {HF_MESSAGE_FORWARD, forwarded,
         kind == SET ? 78 + both : 60 + KEY_BYTES},
        {HF_MESSAGE_RESULT, elsewhere, kind == SET ? 28 : 26 + VALUE_BYTES},
        {HF_MESSAGE_RECORD, copied, 84 + both},
        {HF_MESSAGE_ACK, copied, 17},
        {HF_MESSAGE_COMMITTED, copied, 17},
        {HF_MESSAGE_HEARTBEAT, kind == IDLE ? beats : 0, 212},
    };
    memcpy(costs, all, sizeof(all));
}

/* The counters. */

struct sums {
    uint64_t messages[NETWORK_MESSAGE_TYPES];
    uint64_t bytes[NETWORK_MESSAGE_TYPES];
    uint64_t frames;
};

struct growth {
    struct cluster *c;
    unsigned nodes;
    unsigned backups;
    char value[VALUE_BYTES + 1];
    bool failed;
};

static struct sums sums_of(const struct growth *g)
{
    struct sums sums;
    memset(&sums, 0, sizeof(sums));
    for (unsigned i = 0; i < g->nodes * g->nodes * HF_CHANNEL_COUNT; i++) {
        const struct network_link *link =
            network_link_of(&g->c->network, i / HF_CHANNEL_COUNT / g->nodes,
                            i / HF_CHANNEL_COUNT % g->nodes,
                            (enum hf_channel)(i % HF_CHANNEL_COUNT));
        for (unsigned type = 0; type < NETWORK_MESSAGE_TYPES; type++) {
            sums.messages[type] += link->messages[type];
            sums.bytes[type] += link->bytes[type];
        }
        sums.frames += link->frames;
    }
    return sums;
}

static struct sums sums_since(const struct growth *g, const struct sums *before)
{
    struct sums sums = sums_of(g);
    for (unsigned type = 0; type < NETWORK_MESSAGE_TYPES; type++) {
        sums.messages[type] -= before->messages[type];
        sums.bytes[type] -= before->bytes[type];
    }
    sums.frames -= before->frames;
    return sums;
}

static const char *kind_name(enum kind kind)
{
    return kind == IDLE ? "idle" : kind == GET ? "GET" : "SET";
}

static void differs(struct growth *g, enum kind kind, unsigned type,
                    const char *what, uint64_t got, uint64_t wanted)
{
    printf("growth: %u nodes, %u backups, %s: %" PRIu64
           " %s of %s, not %" PRIu64 "\n",
           g->nodes, g->backups, kind_name(kind), got, what,
           hf_message_name((enum hf_message_type)type), wanted);
    g->failed = true;
}

/* Heartbeats are due by the clock of each node: one may be a little outside of
 * the time that was looked at. While commands run nobody counts them. */
static void compare_heartbeats(struct growth *g, enum kind kind,
                               const struct sums *sums, uint64_t wanted)
{
    uint64_t got = sums->messages[HF_MESSAGE_HEARTBEAT];
    uint64_t slack = (uint64_t)g->nodes * (g->nodes - 1);
    if (kind == IDLE && (got + slack < wanted || got > wanted + slack)) {
        differs(g, kind, HF_MESSAGE_HEARTBEAT, "messages", got, wanted);
    }
}

static void compare(struct growth *g, enum kind kind, const struct sums *sums,
                    const struct cost costs[COSTS])
{
    uint64_t wanted[NETWORK_MESSAGE_TYPES] = {0};
    for (unsigned i = 0; i < COSTS; i++) {
        unsigned type = (unsigned)costs[i].type;
        wanted[type] = costs[i].messages;
        uint64_t least = sums->messages[type] * costs[i].bytes;
        /* One database is in use, but not all nodes have sessions. */
        uint64_t more = type == (unsigned)HF_MESSAGE_HEARTBEAT
                            ? 8 * sums->messages[type]
                            : 0;
        if (sums->bytes[type] < least || sums->bytes[type] > least + more) {
            differs(g, kind, type, "bytes", sums->bytes[type], least);
        }
    }
    for (unsigned type = 0; type < NETWORK_MESSAGE_TYPES; type++) {
        if (type == (unsigned)HF_MESSAGE_HEARTBEAT) {
            compare_heartbeats(g, kind, sums, wanted[type]);
        } else if (type == (unsigned)HF_MESSAGE_COMMITTED &&
                   sums->messages[type] <= wanted[type]) {
            continue;
        } else if (sums->messages[type] != wanted[type]) {
            differs(g, kind, type, "messages", sums->messages[type],
                    wanted[type]);
        }
    }
}

static void ask(struct growth *g, enum kind kind, unsigned number,
                unsigned node)
{
    char key[KEY_BYTES + 1];
    (void)snprintf(key, sizeof(key), "sess:%08u", number);
    const char *answer = kind == SET
                             ? cluster_command(g->c, node, "SET", key, g->value,
                                               "EX", "3600", NULL)
                             : cluster_command(g->c, node, "GET", key, NULL);
    if (strcmp(answer, kind == SET ? "OK" : g->value) != 0) {
        printf("growth: %s: %.40s\n", kind_name(kind), answer);
        g->failed = true;
    }
}

/* Every key from every node. */
static uint64_t ask_all(struct growth *g, enum kind kind)
{
    unsigned keys = OPERATIONS / g->nodes;
    for (unsigned number = 0; number < keys; number++) {
        for (unsigned node = 0; node < g->nodes; node++) {
            ask(g, kind, number, node);
        }
    }
    cluster_run(g->c, AFTER_MS); /* What comes after the answer. */
    return (uint64_t)keys * g->nodes;
}

static void measure_idle(struct growth *g)
{
    struct cost costs[COSTS];
    struct sums before = sums_of(g);
    cluster_run(g->c, IDLE_MS);
    struct sums sums = sums_since(g, &before);
    formula(costs, IDLE, g->nodes, g->backups, 0);
    compare(g, IDLE, &sums, costs);
    double per = (double)g->nodes * IDLE_MS / 1000;
    uint64_t bytes =
        sums.bytes[HF_MESSAGE_HEARTBEAT] + sums.frames * HF_FRAME_HEADER_BYTES;
    printf("| %u | %u | idle, a second and node | %.1f | %.0f | %.0f |\n",
           g->nodes, g->backups,
           (double)sums.messages[HF_MESSAGE_HEARTBEAT] / per,
           (double)sums.bytes[HF_MESSAGE_HEARTBEAT] / per, (double)bytes / per);
}

static void measure(struct growth *g, enum kind kind)
{
    struct cost costs[COSTS];
    struct sums before = sums_of(g);
    double operations = (double)ask_all(g, kind);
    struct sums sums = sums_since(g, &before);
    formula(costs, kind, g->nodes, g->backups, (uint64_t)operations);
    compare(g, kind, &sums, costs);
    uint64_t messages = 0;
    uint64_t bytes = 0;
    for (unsigned i = 0; i < COSTS; i++) {
        if (costs[i].type != HF_MESSAGE_HEARTBEAT) {
            messages += sums.messages[costs[i].type];
            bytes += sums.bytes[costs[i].type];
        }
    }
    uint64_t frames = sums.frames - sums.messages[HF_MESSAGE_HEARTBEAT];
    printf("| %u | %u | %s | %.2f | %.0f | %.0f |\n", g->nodes, g->backups,
           kind_name(kind), (double)messages / operations,
           (double)bytes / operations,
           (double)(bytes + frames * HF_FRAME_HEADER_BYTES) / operations);
}

/* The invariants have stories of their own; with 50 nodes they would take most
 * of the time. */
static void on_turned(void *user, struct process *process)
{
    struct cluster *c = user;
    if (c->network.violation != NULL || process->violation != NULL) {
        cluster_fail(c, "n%u: %s", process->number + 1,
                     process->violation != NULL ? process->violation
                                                : c->network.violation);
    }
}

static bool run(unsigned nodes, unsigned backups)
{
    static struct growth g;
    g = (struct growth){.nodes = nodes, .backups = backups};
    memset(g.value, 'v', VALUE_BYTES);
    struct cluster_options options;
    cluster_options_init(&options, SEED);
    options.node_count = nodes;
    options.backups = backups;
    options.trace = false;
    g.c = cluster_create(&options);
    for (unsigned i = 0; i < nodes; i++) {
        g.c->processes[i].turned = on_turned;
    }
    cluster_settle(g.c, SETTLE_MS);
    cluster_run(g.c, REST_MS);
    (void)ask_all(&g, SET); /* So that they are there. */
    cluster_run(g.c, REST_MS);
    measure_idle(&g);
    measure(&g, GET);
    measure(&g, SET);
    if (g.c->failed) {
        printf("growth: %s\n", g.c->failure);
        g.failed = true;
    }
    cluster_destroy(g.c);
    return !g.failed;
}

int main(void)
{
    static const unsigned sizes[][2] = {{2, 1},  {3, 1},  {10, 1},
                                        {50, 1}, {50, 2}, {50, 3}};
    bool fits = true;
    printf("| nodes | backups | | messages | bytes | with frame headers |\n"
           "|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < HF_ARRAY_COUNT(sizes); i++) {
        fits = run(sizes[i][0], sizes[i][1]) && fits;
    }
    return fits ? 0 : 1;
}
