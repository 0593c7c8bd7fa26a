#include "support/cluster.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/hash.h"
#include "core/lineage.h"
#include "core/node_state.h"

#define CLUSTER_WAIT_STEP_US INT64_C(2000)
#define CLUSTER_REST_MS 1500
#define CLUSTER_TRACE_LINES 250
#define WALL_MS INT64_C(1700000000000)

/* Node logs go to the trace. */
static void on_log(void *user, enum hf_log_level level, const char *text)
{
    struct process *process = user;
    trace_add(process->trace, process->schedule->now_us, "%u # %s: %s",
              process->number + 1, hf_log_level_name(level), text);
}

static void on_arrived(void *user, unsigned node)
{
    struct cluster *c = user;
    process_on_arrived(&c->processes[node]);
}

static void on_link(void *user, unsigned node,
                    const struct hf_link_event *event)
{
    struct cluster *c = user;
    process_on_link(&c->processes[node], event);
}

static void on_message(void *user, unsigned node, hf_node_id from,
                       hf_incarnation incarnation,
                       const struct hf_message *message)
{
    struct cluster *c = user;
    process_on_message(&c->processes[node], from, incarnation, message);
}

static void on_probed(void *user, unsigned node, uint64_t token,
                      enum hf_probe_result result)
{
    struct cluster *c = user;
    process_on_probed(&c->processes[node], token, result);
}

static bool on_takes(void *user, unsigned node, const struct hf_peer_info *peer)
{
    struct cluster *c = user;
    const struct process *process = &c->processes[node];
    return hf_node_takes(process->node, peer, process_now(process));
}

static void on_turned(void *user, struct process *process)
{
    struct cluster *c = user;
    invariants_after_turn(c, process);
}

void cluster_options_init(struct cluster_options *options, uint64_t seed)
{
    *options = (struct cluster_options){
        .node_count = 3,
        .backups = 1,
        .seed = seed,
        .trace = true,
        .faults = {.delay_us = 80, .jitter_us = 120},
    };
}

static void info_init(struct hf_peer_info *info, unsigned node)
{
    *info = (struct hf_peer_info){.peer_port = 17379, .client_port = 7379};
    (void)snprintf(info->name, sizeof(info->name), "n%u", node + 1);
    (void)snprintf(info->label, sizeof(info->label), "rack%u", node + 1);
    (void)snprintf(info->host, sizeof(info->host), "10.0.0.%u", node + 1);
    info->id = hf_hash(hf_slice_text(info->name));
}

static void seed_init(struct hf_node_config *config, const struct process *of)
{
    struct hf_address *seed = &config->seeds[config->seed_count++];
    (void)snprintf(seed->host, sizeof(seed->host), "%s", of->config.self.host);
    seed->port = of->config.self.peer_port;
}

static void processes_init(struct cluster *c, struct hf_rng *rng)
{
    const struct cluster_options *options = &c->options;
    for (unsigned i = 0; i < options->node_count; i++) {
        struct process *process = &c->processes[i];
        process_init(process, i, &c->network, hf_rng_next(rng), on_turned, c);
        info_init(&process->config.self, i);
        network_node_place(&c->network, i, &process->config.self);
        process->config.backups = options->backups;
        process->config.policy = options->policy;
        process->config.log = (struct hf_log){
            .write = on_log,
            .user = process,
            .level = c->trace.enabled ? HF_LOG_DEBUG : HF_LOG_ERROR};
        process->clock.offset_ms = (int64_t)hf_rng_below(rng, 1000000000);
        process->clock.wall_ms = WALL_MS;
        process->memory_fails = options->memory_fails;
        if (options->wall_skew_ms > 0) {
            process->clock.wall_ms +=
                (int64_t)hf_rng_below(rng, (uint64_t)options->wall_skew_ms);
        }
        if (options->drift_ppm > 0) {
            uint64_t range = 2 * (uint64_t)options->drift_ppm + 1;
            process->clock.drift_ppm =
                (int64_t)hf_rng_below(rng, range) - options->drift_ppm;
        }
    }
    for (unsigned i = 0; i < options->node_count; i++) {
        unsigned seeds = options->one_seed ? 1 : options->node_count;
        for (unsigned k = 0; k < seeds; k++) {
            seed_init(&c->processes[i].config, &c->processes[k]);
        }
    }
}

struct cluster *cluster_create(const struct cluster_options *options)
{
    HF_ASSERT(options->node_count > 0);
    HF_ASSERT(options->node_count <= CLUSTER_NODES_MAX);
    struct cluster *c = calloc(1, sizeof(*c));
    HF_ASSERT(c != NULL);
    struct hf_rng rng;
    hf_rng_init(&rng, options->seed);
    c->options = *options;
    hf_mem_init_system(&c->mem);
    hf_list_init(&c->requests);
    schedule_init(&c->schedule, &c->mem);
    trace_init(&c->trace, options->trace, options->loud);
    invariants_init(&c->invariants);
    const struct network_host host = {
        .user = c,
        .arrived = on_arrived,
        .link = on_link,
        .message = on_message,
        .probed = on_probed,
        .takes = on_takes,
    };
    network_init(&c->network, options->node_count, &c->schedule, &c->trace,
                 &host, hf_rng_next(&rng));
    network_set_faults_all(&c->network, &options->faults);
    processes_init(c, &rng);
    for (unsigned i = 0; !options->boot_none && i < options->node_count; i++) {
        cluster_boot(c, i);
    }
    return c;
}

void cluster_destroy(struct cluster *c)
{
    for (unsigned i = 0; i < c->options.node_count; i++) {
        if (c->processes[i].running) {
            process_kill(&c->processes[i]);
        }
        if (c->processes[i].violation != NULL) {
            cluster_fail(c, "n%u: %s", i + 1, c->processes[i].violation);
        }
    }
    while (!hf_list_is_empty(&c->requests)) {
        cluster_forget(
            HF_CONTAINER_OF(c->requests.next, struct request, member));
    }
    network_close(&c->network);
    schedule_close(&c->schedule);
    invariants_close(&c->invariants);
    trace_close(&c->trace);
    free(c);
}

static void cluster_report(struct cluster *c)
{
    if (!c->failed || c->reported || c->stepping) {
        return;
    }
    c->reported = true;
    trace_print(&c->trace, stderr, CLUSTER_TRACE_LINES);
    if (c->options.fail != NULL) {
        c->options.fail(c->failure);
    }
}

void cluster_fail(struct cluster *c, const char *format, ...)
{
    if (c->failed) {
        return;
    }
    c->failed = true;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(c->failure, sizeof(c->failure), format, arguments);
    va_end(arguments);
    trace_add(&c->trace, c->schedule.now_us, "FAILED: %s", c->failure);
    cluster_report(c);
}

/* Time. */

int64_t cluster_now_us(const struct cluster *c)
{
    return c->schedule.now_us;
}

bool cluster_step(struct cluster *c, int64_t until_us)
{
    if (c->failed) {
        return false;
    }
    c->stepping = true;
    bool stepped = schedule_step(&c->schedule, until_us);
    c->stepping = false;
    cluster_report(c);
    return stepped;
}

/* As so many steps, until one fails. */
static void cluster_run_until(struct cluster *c, int64_t until_us)
{
    c->stepping = true;
    while (!c->failed && schedule_step(&c->schedule, until_us)) {
    }
    c->stepping = false;
    cluster_report(c);
}

void cluster_run(struct cluster *c, int64_t ms)
{
    cluster_run_until(c, c->schedule.now_us + ms * SCHEDULE_US_PER_MS);
}

bool cluster_wait(struct cluster *c, int64_t ms,
                  bool (*is)(struct cluster *c, void *user), void *user)
{
    int64_t until_us = c->schedule.now_us + ms * SCHEDULE_US_PER_MS;
    while (!is(c, user)) {
        if (c->failed || c->schedule.now_us >= until_us) {
            return false;
        }
        cluster_run_until(c, c->schedule.now_us + CLUSTER_WAIT_STEP_US);
    }
    return true;
}

bool cluster_is_settled(struct cluster *c)
{
    hf_epoch epoch = 0;
    unsigned up_count = cluster_up_count(c);
    for (unsigned i = 0; i < c->options.node_count; i++) {
        if (!cluster_is_up(c, i)) {
            continue;
        }
        const struct hf_view *view = hf_node_get_view(c->processes[i].node);
        if (view == NULL || view->member_count != up_count ||
            (epoch != 0 && view->epoch != epoch)) {
            return false;
        }
        epoch = view->epoch;
    }
    for (unsigned i = 0; i < c->options.node_count; i++) {
        struct hf_node_status status;
        if (cluster_is_up(c, i)) {
            hf_node_get_status(c->processes[i].node, &status);
            if (status.state != HF_STATE_ACTIVE || !status.settled) {
                return false;
            }
        }
    }
    return up_count > 0;
}

static bool is_settled(struct cluster *c, void *user)
{
    (void)user;
    return cluster_is_settled(c);
}

static void settle_fail(struct cluster *c, int64_t ms)
{
    char text[1800] = "";
    size_t used = 0;
    for (unsigned i = 0; i < c->options.node_count; i++) {
        const struct process *process = &c->processes[i];
        if (!process->running || used >= sizeof(text)) {
            continue;
        }
        struct hf_node_status status;
        hf_node_get_status(process->node, &status);
        used += (size_t)snprintf(
            text + used, sizeof(text) - used,
            "\n  n%u: %sstate %d view %" PRIu64 " of %u, settled %d, "
            "serving %d, primary of %u, backup of %u",
            i + 1, process->paused ? "paused, " : "", (int)status.state,
            status.epoch >> 32, status.member_count, status.settled,
            status.serving, status.partitions_primary,
            status.partitions_backup);
    }
    cluster_fail(c, "not settled after %" PRId64 " ms:%s", ms, text);
}

void cluster_settle(struct cluster *c, int64_t ms)
{
    if (!cluster_wait(c, ms, is_settled, NULL)) {
        settle_fail(c, ms);
    }
}

void cluster_settle_and_check(struct cluster *c)
{
    cluster_settle(c, CLUSTER_SETTLE_MS);
    cluster_run(c, CLUSTER_REST_MS);
    cluster_settle(c, CLUSTER_SETTLE_MS);
    if (!c->failed) {
        invariants_after_rest(c);
    }
}

/* Faults. */

void cluster_boot(struct cluster *c, unsigned node)
{
    invariants_forget_counts(&c->invariants, node);
    process_start(&c->processes[node]);
}

void cluster_boot_first(struct cluster *c, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        cluster_boot(c, i);
    }
    cluster_settle(c, CLUSTER_SETTLE_MS);
}

static void check_end(struct cluster *c, unsigned node)
{
    if (c->processes[node].violation != NULL) {
        cluster_fail(c, "n%u: %s", node + 1, c->processes[node].violation);
    }
}

void cluster_kill(struct cluster *c, unsigned node)
{
    process_kill(&c->processes[node]);
    check_end(c, node);
}

void cluster_lose(struct cluster *c, unsigned node)
{
    process_lose(&c->processes[node]);
    check_end(c, node);
}

void cluster_restart(struct cluster *c, unsigned node)
{
    if (c->processes[node].running) {
        cluster_kill(c, node);
    }
    cluster_boot(c, node);
}

void cluster_pause(struct cluster *c, unsigned node)
{
    process_pause(&c->processes[node]);
}

void cluster_resume(struct cluster *c, unsigned node)
{
    process_resume(&c->processes[node]);
}

void cluster_cut_one_way(struct cluster *c, unsigned from, unsigned to)
{
    trace_add(&c->trace, c->schedule.now_us, "net: cut %u > %u", from + 1,
              to + 1);
    network_cut(&c->network, from, to, true);
}

void cluster_cut(struct cluster *c, unsigned a, unsigned b)
{
    cluster_cut_one_way(c, a, b);
    cluster_cut_one_way(c, b, a);
}

void cluster_isolate(struct cluster *c, unsigned node)
{
    for (unsigned i = 0; i < c->options.node_count; i++) {
        if (i != node) {
            cluster_cut(c, i, node);
        }
    }
}

void cluster_clog(struct cluster *c, unsigned from, unsigned to,
                  enum hf_channel channel)
{
    network_clog(&c->network, from, to, channel, true);
}

void cluster_unclog(struct cluster *c, unsigned from, unsigned to,
                    enum hf_channel channel)
{
    network_clog(&c->network, from, to, channel, false);
}

void cluster_heal(struct cluster *c)
{
    trace_add(&c->trace, c->schedule.now_us, "net: healed");
    network_set_faults_all(&c->network, &c->options.faults);
    for (unsigned i = 0; i < c->options.node_count; i++) {
        for (unsigned k = 0; k < c->options.node_count; k++) {
            network_cut(&c->network, i, k, false);
            cluster_unclog(c, i, k, HF_CHANNEL_CONTROL);
            cluster_unclog(c, i, k, HF_CHANNEL_DATA);
        }
        if (c->processes[i].running && c->processes[i].paused) {
            cluster_resume(c, i);
        }
    }
}

/* Who is who. */

bool cluster_is_up(const struct cluster *c, unsigned node)
{
    return c->processes[node].running && !c->processes[node].paused;
}

unsigned cluster_up_count(const struct cluster *c)
{
    unsigned count = 0;
    for (unsigned i = 0; i < c->options.node_count; i++) {
        count += cluster_is_up(c, i) ? 1 : 0;
    }
    return count;
}

unsigned cluster_discarding(const struct cluster *c, unsigned node)
{
    const struct hf_list *all = &c->processes[node].node->discarding;
    unsigned count = 0;
    for (const struct hf_list *link = all->next; link != all;
         link = link->next) {
        count +=
            HF_CONTAINER_OF(link, struct hf_discarded, link)->sessions.count;
    }
    return count;
}

unsigned cluster_first_up(const struct cluster *c)
{
    for (unsigned i = 0; i < c->options.node_count; i++) {
        if (cluster_is_up(c, i)) {
            return i;
        }
    }
    HF_ASSERT(cluster_up_count(c) > 0);
    return 0;
}

/* One that was agreed on again has a later epoch than some that came after it,
 * but an earlier base. */
bool cluster_is_newer(const struct hf_view *a, const struct hf_view *b)
{
    bool one = hf_lineage_of(a) == hf_lineage_of(b);
    return one && a->base != b->base ? a->base > b->base : a->epoch > b->epoch;
}

const struct hf_view *cluster_view(const struct cluster *c)
{
    const struct hf_view *newest = NULL;
    for (unsigned i = 0; i < c->options.node_count; i++) {
        if (!c->processes[i].running) {
            continue;
        }
        const struct hf_view *view = hf_node_get_view(c->processes[i].node);
        if (view != NULL &&
            (newest == NULL || cluster_is_newer(view, newest))) {
            newest = view;
        }
    }
    return newest;
}

unsigned cluster_node_of(const struct cluster *c, const struct hf_view *view,
                         uint8_t member)
{
    const struct hf_peer_info *info = &view->members[member];
    for (unsigned i = 0; i < c->options.node_count; i++) {
        const struct process *process = &c->processes[i];
        if (process->running &&
            process->config.self.incarnation == info->incarnation) {
            return i;
        }
    }
    return CLUSTER_NODES_MAX;
}

static const struct hf_acting *acting_of(const struct hf_view *view,
                                         const char *key)
{
    HF_ASSERT(view != NULL);
    return &view->acting[hf_partition_of_key(hf_slice_text(key))];
}

unsigned cluster_primary_of(const struct cluster *c, const char *key)
{
    const struct hf_view *view = cluster_view(c);
    return cluster_node_of(c, view, acting_of(view, key)->members[0]);
}

unsigned cluster_backup_of(const struct cluster *c, const char *key)
{
    const struct hf_view *view = cluster_view(c);
    const struct hf_acting *acting = acting_of(view, key);
    return acting->count < 2 ? CLUSTER_NODES_MAX
                             : cluster_node_of(c, view, acting->members[1]);
}

unsigned cluster_stranger_to(const struct cluster *c, const char *key)
{
    const struct hf_view *view = cluster_view(c);
    const struct hf_acting *acting = acting_of(view, key);
    for (unsigned i = 0; i < c->options.node_count; i++) {
        bool owns = !c->processes[i].running;
        for (uint8_t k = 0; k < acting->count; k++) {
            owns = owns || cluster_node_of(c, view, acting->members[k]) == i;
        }
        if (!owns) {
            return i;
        }
    }
    return CLUSTER_NODES_MAX;
}

void cluster_key_on(struct cluster *c, unsigned node, char key[16])
{
    for (unsigned i = 0; i < 10000; i++) {
        (void)snprintf(key, 16, "k:%u", i);
        if (cluster_primary_of(c, key) == node) {
            return;
        }
    }
    cluster_fail(c, "n%u is the primary of nothing", node + 1);
}
