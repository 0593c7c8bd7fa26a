#include "sim/plan.h"

#include <inttypes.h>
#include <string.h>

#define HOUR_MS INT64_C(3600000)
#define TOUCH_DELAY_MS 1000 /* The default of servers. */

static const struct {
    const char *name;
    uint32_t rate_max;
} faults[FAULT_COUNT] = {
    [FAULT_CUT] = {"cuts", 500},
    [FAULT_SPLIT] = {"splits", 200},
    [FAULT_SWIZZLE] = {"swizzles", 100},
    [FAULT_CLOG] = {"clogs", 500},
    [FAULT_SLOW] = {"slow links", 400},
    [FAULT_BREAK] = {"breaks", 500},
    [FAULT_PAUSE] = {"pauses", 300},
    [FAULT_CRASH] = {"crashes", 600},
    [FAULT_LOSE] = {"lost hosts", 300},
    [FAULT_FLAP] = {"flaps", 200},
    [FAULT_LEAVE] = {"leaves", 200},
    [FAULT_JOIN] = {"joins", 600},
    [FAULT_WALL_JUMP] = {"wall jumps", 200},
    [FAULT_MEMORY] = {"memory faults", 300},
    [FAULT_DELETES] = {"delete bursts", 100},
    [FAULT_EXPIRIES] = {"expiry bursts", 100},
};

const char *fault_name(enum fault fault)
{
    return faults[fault].name;
}

static const char *const policies[POLICY_COUNT] = {
    [POLICY_MAJORITY] = "majority",
    [POLICY_TAKEOVER] = "takeover",
    [POLICY_HALF] = "half",
    [POLICY_AVAILABLE] = "available",
};

const char *policy_name(enum policy policy)
{
    return policies[policy];
}

bool policy_read(const char *name, enum policy *policy)
{
    *policy = POLICY_COUNT;
    for (unsigned i = 0; i < POLICY_COUNT; i++) {
        if (strcmp(name, policies[i]) == 0) {
            *policy = (enum policy)i;
        }
    }
    return *policy != POLICY_COUNT || strcmp(name, "drawn") == 0;
}

bool plan_has_sides(const struct plan *plan)
{
    return plan->policy == POLICY_HALF || plan->policy == POLICY_AVAILABLE;
}

/* 0 half of the time, else 1 to @most, small ones as likely as large ones. */
static uint32_t maybe(struct hf_rng *rng, uint32_t most)
{
    uint64_t scale = UINT64_C(1) << hf_rng_below(rng, 5);
    uint64_t value = 1 + hf_rng_below(rng, (most + scale - 1) / scale);
    return hf_rng_chance(rng, 1, 2) ? (uint32_t)value : 0;
}

/* 1 to @most, small ones as likely as large ones. */
static int64_t scaled(struct hf_rng *rng, int64_t most)
{
    int64_t top = most >> hf_rng_below(rng, 6);
    return 1 + (int64_t)hf_rng_below(rng, (uint64_t)top);
}

static void draw_network(struct plan *plan, struct hf_rng *rng)
{
    plan->network = (struct network_faults){
        .delay_us = 50 + (int64_t)hf_rng_below(rng, 2000),
        .jitter_us = (int64_t)hf_rng_below(rng, 3000),
        .loss = maybe(rng, 200),
        .duplicate = maybe(rng, 300),
        .reorder = maybe(rng, 200),
        .corrupt = maybe(rng, 20),
        .burst = maybe(rng, 50),
        .burst_us = scaled(rng, 200000),
    };
}

static void draw_workload(struct plan *plan, struct hf_rng *rng)
{
    struct workload_options *workload = &plan->workload;
    workload_options_init(workload);
    workload->clients = 2 + (unsigned)hf_rng_below(rng, 5);
    workload->hot_keys = 1 + (unsigned)hf_rng_below(rng, 4);
    workload->cold_keys = 10 + (unsigned)hf_rng_below(rng, 60);
    workload->once_keys = (unsigned)hf_rng_below(rng, 40);
    workload->fleeting_keys = 1 + (unsigned)hf_rng_below(rng, 10);
    workload->ttl_ms_max = scaled(rng, 3000);
    workload->think_us_max = 100000 + scaled(rng, 400000);
}

static void draw_nodes(struct plan *plan, const struct options *options,
                       struct hf_rng *rng)
{
    /* Two to five are what people run; more are for shapes. */
    plan->nodes =
        2 + (unsigned)hf_rng_below(rng, hf_rng_chance(rng, 1, 4) ? 8 : 4);
    plan->booted = plan->nodes - (unsigned)hf_rng_below(rng, plan->nodes - 1);
    if (options->nodes != 0) {
        plan->nodes = options->nodes;
        plan->booted = options->nodes;
    }
    plan->backups = 1;
    if (hf_rng_chance(rng, 1, 3)) {
        plan->backups += 1 + (unsigned)hf_rng_below(rng, 2);
    }
}

/* What some races need and most seeds do not have: partitions that take many
 * steps to fill, writes that meet every change of a view, and commands that
 * are held long enough to be repeated after one. */
static void draw_rarely(struct plan *plan, struct hf_rng *rng)
{
    plan->workload.crowded = hf_rng_chance(rng, 1, 4);
    if (hf_rng_chance(rng, 1, 8)) {
        plan->workload.think_us_max = 5000 + scaled(rng, 30000);
    }
    plan->hold_ms = 400;
    if (hf_rng_chance(rng, 1, 4)) {
        plan->hold_ms = 100 + (uint32_t)scaled(rng, 2500);
    }
}

/* From draws of its own: what else a seed does is the same with any policy,
 * but for what is needed so that there are sides. */
static void draw_policy(struct plan *plan, const struct options *options,
                        uint64_t seed)
{
    struct hf_rng rng;
    hf_rng_init(&rng, seed ^ UINT64_C(0x7369646573));
    uint64_t draw = hf_rng_below(&rng, 8);
    plan->policy = options->policy != POLICY_COUNT ? options->policy
                   : draw <= POLICY_AVAILABLE      ? (enum policy)draw
                                                   : POLICY_MAJORITY;
    if (!plan_has_sides(plan)) {
        return;
    }
    plan->workload.sides = true;
    if (options->nodes == 0) {
        plan->nodes = 2 + (unsigned)hf_rng_below(&rng, 5);
        plan->booted = plan->nodes - (unsigned)hf_rng_below(&rng, 2);
    }
    plan->booted = plan->booted < 2 ? 2 : plan->booted;
    plan->rates[FAULT_SPLIT] = 20 + (uint32_t)hf_rng_below(&rng, 80);
    plan->away_ms_max += 4000 + scaled(&rng, 12000);
}

static void draw_keepers(struct plan *plan, struct hf_rng *rng)
{
    plan->keepers = 1 + (unsigned)hf_rng_below(rng, KEEPERS_MAX);
    plan->keeper_ttl_ms_max = scaled(rng, 6000);
    if (hf_rng_chance(rng, 1, 2)) {
        plan->touch_delay_ms = (uint32_t)scaled(rng, 500);
    }
}

/* Where sides go on, with lives that are longer than these are apart. By this
 * number none of those that seeds.txt has for them is another run than it was
 * before there were any. */
static void draw_keepers_of_sides(struct plan *plan, uint64_t seed)
{
    struct hf_rng rng;
    hf_rng_init(&rng, seed ^ UINT64_C(0x6b6565700003043e));
    if (plan->flush_gap_ms_max == 0 && hf_rng_chance(&rng, 1, 4)) {
        draw_keepers(plan, &rng);
        plan->keeper_ttl_ms_max += 4000 + scaled(&rng, 12000);
    }
}

/* What only some seeds have, from draws of its own, so that the others are what
 * they were before there was any of it. */
static void draw_extras(struct plan *plan, uint64_t seed)
{
    struct hf_rng rng;
    hf_rng_init(&rng, seed ^ UINT64_C(0x657874726173));
    uint64_t draw = hf_rng_below(&rng, 4);
    if (plan_has_sides(plan)) { /* What sides.h can judge. */
        plan->flush_gap_ms_max = draw == 1 ? 500 + scaled(&rng, 8000) : 0;
        draw_keepers_of_sides(plan, seed);
        return;
    }
    if (draw == 0) {
        draw_keepers(plan, &rng);
    } else if (draw == 1) {
        plan->flush_gap_ms_max = 500 + scaled(&rng, 8000);
    }
    if (hf_rng_chance(&rng, 1, 4)) {
        plan->order_rate = (uint32_t)scaled(&rng, 200);
    }
}

/* Restarts in a row, and greetings that arrive when the next process of that
 * name has made itself known. */
static void draw_late_greetings(struct plan *plan, struct hf_rng *rng)
{
    plan->network.late_hello = 2000 + (uint32_t)hf_rng_below(rng, 8000);
    plan->network.late_us_max = 1000000 + scaled(rng, 8000000);
    plan->rates[FAULT_CRASH] += 100 + (uint32_t)hf_rng_below(rng, 200);
    plan->rates[FAULT_BREAK] += 100 + (uint32_t)hf_rng_below(rng, 400);
    plan->down_ms_max = 1 + plan->down_ms_max / 8;
}

/* Units on both sides of where a slow refill is. */
static void draw_slow_refills(struct plan *plan, struct hf_rng *rng)
{
    plan->workload.crowded = true;
    plan->workload.units = true;
    plan->learn_bytes_per_second = 4000 + (size_t)scaled(rng, 40000);
}

/* What takes long is in the midst of more. */
static void draw_behead(struct plan *plan, struct hf_rng *rng)
{
    plan->behead_percent = 20 + (uint32_t)hf_rng_below(rng, 80);
    plan->network.delay_us += 3000 + scaled(rng, 60000);
    plan->rates[FAULT_SPLIT] += 20 + (uint32_t)hf_rng_below(rng, 80);
    plan->away_ms_max += 2000 + scaled(rng, 6000);
}

/* Copies that live but do not keep up for seconds, and little else. */
static void draw_stuck_streams(struct plan *plan, struct hf_rng *rng)
{
    for (unsigned i = 0; i <= FAULT_JOIN; i++) {
        plan->rates[i] /= 8;
    }
    plan->stick_rate = 10 + (uint32_t)hf_rng_below(rng, 50);
    plan->stick_ms_max = 1000 + scaled(rng, 9000);
}

/* Where sides go on; from a draw of its own, so that `--behead` is the same in
 * a seed that has it anyway. */
static bool is_beheaded(uint64_t seed)
{
    struct hf_rng rng;
    hf_rng_init(&rng, seed ^ UINT64_C(0x626568656164));
    return hf_rng_chance(&rng, 1, 16);
}

/* More of the same kind, from other draws for the same reason. */
static void draw_more(struct plan *plan, const struct options *options,
                      uint64_t seed)
{
    struct hf_rng rng;
    hf_rng_init(&rng, seed ^ UINT64_C(0x6d6f7265));
    if (plan_has_sides(plan)) {
        if (options->behead || is_beheaded(seed)) {
            draw_behead(plan, &rng);
        }
        return;
    }
    plan->asker_think_us_max = 1000 + scaled(&rng, 200000);
    uint64_t draw = hf_rng_below(&rng, 16);
    if (draw == 0 && plan->flush_gap_ms_max == 0) {
        plan->racers = 2 + (unsigned)hf_rng_below(&rng, RACERS_MAX - 1);
    } else if (draw == 1 && plan->flush_gap_ms_max == 0) {
        plan->renamed = 1 + (uint32_t)hf_rng_below(&rng, RENAMED_SOURCES_MAX);
    } else if (draw == 2) {
        draw_slow_refills(plan, &rng);
    } else if (draw == 3) {
        draw_late_greetings(plan, &rng);
    } else if (draw == 4 || options->behead) {
        draw_behead(plan, &rng);
    } else if (draw == 5) {
        draw_stuck_streams(plan, &rng);
    }
    if (hf_rng_chance(&rng, 1, 8)) {
        plan->last_pause_ms = 800 + scaled(&rng, 3000);
    }
}

void plan_draw(struct plan *plan, const struct options *options, uint64_t seed)
{
    struct hf_rng rng;
    hf_rng_init(&rng, seed ^ UINT64_C(0x706c616e));
    *plan = (struct plan){
        .ms = options->ms,
        .drift_ppm = hf_rng_chance(&rng, 1, 2) ? 10000 : 0,
        .wall_skew_ms =
            hf_rng_chance(&rng, 1, 2) ? scaled(&rng, 3 * HOUR_MS) : 0,
        .away_ms_max = scaled(&rng, 8000),
        .down_ms_max = scaled(&rng, 12000),
        .pause_ms_max = 100 + scaled(&rng, 12000),
        .memory_chance = 1 + (uint32_t)scaled(&rng, 1000),
        .small_queues = hf_rng_chance(&rng, 1, 4),
        .touch_delay_ms = TOUCH_DELAY_MS,
    };
    draw_nodes(plan, options, &rng);
    draw_network(plan, &rng);
    draw_workload(plan, &rng);
    for (unsigned i = 0; i < FAULT_COUNT; i++) {
        plan->rates[i] = maybe(&rng, faults[i].rate_max);
    }
    draw_rarely(plan, &rng);
    draw_policy(plan, options, seed);
    draw_extras(plan, seed);
    draw_more(plan, options, seed);
}

void plan_print(const struct plan *plan, FILE *file)
{
    const struct network_faults *network = &plan->network;
    (void)fprintf(file,
                  "%s, %u nodes, %u from the start, %u backups%s; of 10,000 "
                  "frames: loss %u, duplicates %u, reordered %u, corrupt %u, "
                  "bursts %u; of 10,000 steps:",
                  policy_name(plan->policy), plan->nodes, plan->booted,
                  plan->backups, plan->small_queues ? ", small queues" : "",
                  network->loss, network->duplicate, network->reorder,
                  network->corrupt, network->burst);
    for (unsigned i = 0; i < FAULT_COUNT; i++) {
        if (plan->rates[i] != 0) {
            (void)fprintf(file, " %s %" PRIu32, faults[i].name, plan->rates[i]);
        }
    }
    (void)fputc('\n', file);
}
