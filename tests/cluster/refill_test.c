/* refill_test.c - Filling copies: paced, visible, not begun anew without need,
 * and of no concern to clients. */
#include <stdio.h>
#include <string.h>

#include "core/node_state.h"
#include "support/story.h"

#define KEYS 400
#define VALUE_BYTES 2000
#define SLOW_RATE 40000 /* Bytes per second. */
#define BURST_BYTES 8000
#define GAP_MS 400

/* @count running nodes of @options.node_count with KEYS sessions, which fill
 * copies slowly. */
static struct cluster *start_slowly(void **state, unsigned node_count,
                                    unsigned count, uint64_t seed, size_t rate)
{
    struct cluster_options options;
    cluster_options_init(&options, seed);
    options.node_count = node_count;
    options.boot_none = true;
    struct cluster *c = story_create(state, &options);
    for (unsigned i = 0; i < node_count; i++) {
        c->processes[i].config.learn_bytes_per_second = rate;
    }
    cluster_boot_first(c, count);
    char value[VALUE_BYTES + 1];
    memset(value, 'v', VALUE_BYTES);
    value[VALUE_BYTES] = '\0';
    for (unsigned i = 0; i < KEYS; i++) {
        char key[16];
        (void)snprintf(key, sizeof(key), "s:%u", i);
        cluster_set(c, key, value);
    }
    cluster_settle(c, CLUSTER_SETTLE_MS);
    return c;
}

static const struct hf_node_counters *counters_of(struct cluster *c,
                                                  unsigned node)
{
    return hf_node_get_counters(c->processes[node].node);
}

static void status_of(struct cluster *c, unsigned node,
                      struct hf_node_status *status)
{
    hf_node_get_status(c->processes[node].node, status);
}

/* No node sends more than its rate in any second, and what is left to fill,
 * as every node tells it, only becomes less. */
static void filling_is_paced_and_its_progress_can_be_seen(void **state)
{
    struct cluster *c = start_slowly(state, 4, 3, 1, SLOW_RATE);
    static struct hf_node_status status; /* Large. */
    cluster_boot(c, 3);
    uint64_t before[3] = {0};
    uint64_t left = UINT64_MAX;
    unsigned steps = 0;
    bool filling = false;
    for (unsigned i = 0; i < 3; i++) {
        before[i] = counters_of(c, i)->fill_bytes;
    }
    for (unsigned second = 0; second < 30; second++) {
        cluster_run(c, 1000);
        for (unsigned i = 0; i < 3; i++) {
            uint64_t sent = counters_of(c, i)->fill_bytes;
            cluster_check(c, sent - before[i] <= SLOW_RATE + BURST_BYTES,
                          "more than the rate was sent in a second");
            before[i] = sent;
        }
        status_of(c, 1, &status);
        if (status.refill_bytes > 0) {
            cluster_check(c, status.refill_bytes <= left, "less was done");
            steps += status.refill_bytes < left ? 1 : 0;
            left = status.refill_bytes;
            filling = filling || status.members[3].filling > 0;
        }
    }
    cluster_check(c, steps >= 2, "nobody could see how it goes on");
    cluster_check(c, filling, "nobody could see who is filled");
    cluster_check(c, status.refill_partitions == 0, "there is more to fill");
    cluster_settle_and_check(c);
}

/* Copies of the fourth node that its primaries nominated, or are about to. */
static unsigned filled_count(struct cluster *c, unsigned primary)
{
    const struct hf_node *node = c->processes[primary].node;
    unsigned count = 0;
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        const struct hf_partition *partition = &node->partitions[p];
        for (uint8_t i = 0; i < partition->copy_count; i++) {
            count += partition->copies[i].state == HF_COPY_NOMINATED ? 1 : 0;
        }
    }
    return count;
}

/* While a node is filled, one of those that fill it dies. Whoever is primary
 * after it goes on where that one was, instead of sending all of it again. */
static void what_was_filled_is_not_filled_again(void **state)
{
    struct cluster *c = start_slowly(state, 4, 3, 2, SLOW_RATE);
    cluster_boot(c, 3);
    cluster_run(c, 4000);
    unsigned filled = filled_count(c, 1);
    cluster_check(c, filled > 20, "nothing was filled yet");
    uint64_t resumed =
        counters_of(c, 0)->fills_resumed + counters_of(c, 2)->fills_resumed;
    cluster_kill(c, 1);
    cluster_run(c, 2000);
    resumed = counters_of(c, 0)->fills_resumed +
              counters_of(c, 2)->fills_resumed - resumed;
    cluster_check(c, resumed >= filled * 9 / 10,
                  "what was filled is filled once more");
    cluster_settle_and_check(c);
}

/* A node dies while it is filled. Clients of the others notice nothing but the
 * moment in which the view changes. */
static void a_node_that_dies_while_it_is_filled_changes_nothing(void **state)
{
    struct cluster *c = start_slowly(state, 4, 3, 3, SLOW_RATE);
    struct workload_options options;
    workload_options_init(&options);
    struct workload w;
    options.clients = 3; /* Of the first three nodes. */
    workload_start(&w, c, &options, 3);
    cluster_boot(c, 3);
    cluster_run(c, 2500);
    static struct hf_node_status status; /* Large. */
    status_of(c, 0, &status);
    cluster_check(c, status.refill_partitions > 0, "it was filled already");
    cluster_kill(c, 3);
    cluster_run(c, 3000);
    workload_stop(&w);
    cluster_check(c, w.down == 0 && w.lost == 0, "a client was refused");
    cluster_check(c, w.wait_us_max < GAP_MS * SCHEDULE_US_PER_MS,
                  "a client waited too long");
    cluster_settle_and_check(c);
    workload_read_all(&w);
    workload_check(&w);
    workload_close(&w);
}

/* Whether the copy of a partition that the first node fills was begun. */
static bool is_begun(struct cluster *c, uint16_t p)
{
    const struct hf_partition *partition = &c->processes[0].node->partitions[p];
    for (uint8_t i = 0; i < partition->copy_count; i++) {
        if (partition->copies[i].state > HF_COPY_WANTED &&
            partition->copies[i].state < HF_COPY_UNKNOWN) {
            return true;
        }
    }
    return false;
}

static bool any_begun(struct cluster *c, void *user)
{
    (void)user;
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        if (is_begun(c, p)) {
            return true;
        }
    }
    return false;
}

/* Of all sessions that have one copy left, the one in use gets another one
 * first. */
static void what_was_touched_last_is_filled_first(void **state)
{
    struct cluster *c = start_slowly(state, 2, 2, 4, 10 * SLOW_RATE);
    cluster_kill(c, 1);
    cluster_settle(c, CLUSTER_SETTLE_MS);
    cluster_run(c, 100);
    cluster_set(c, "in use", "now");
    cluster_boot(c, 1);
    cluster_check(c, cluster_wait(c, 5000, any_begun, NULL), "nothing filled");
    cluster_check(c, is_begun(c, hf_partition_of_key(hf_slice_text("in use"))),
                  "another one was filled first");
    cluster_settle_and_check(c);
}

#define CROWD 300
#define OOM_CHANCE 2000 /* Of 10,000. */

/* Fills a copy of one partition with the sessions "{crowd}N" for all @count
 * @numbers, from memory that fails time and again, while all are deleted: also
 * those that were sent in a step that failed. */
static void delete_while_filling(void **state, const unsigned *numbers,
                                 unsigned count, uint64_t seed)
{
    struct cluster_options options;
    cluster_options_init(&options, seed);
    options.node_count = 2;
    options.boot_none = true;
    options.memory_fails = true;
    struct cluster *c = story_create(state, &options);
    c->processes[0].config.learn_bytes_per_second = 10 * SLOW_RATE;
    cluster_boot_first(c, 1);
    char key[32];
    for (unsigned i = 0; i < count; i++) {
        (void)snprintf(key, sizeof(key), "{crowd}%u", numbers[i]);
        cluster_set(c, key, "here");
    }
    cluster_boot(c, 1);
    failing_mem_fail_often(&c->processes[0].failing, OOM_CHANCE, seed);
    cluster_check(c, cluster_wait(c, 5000, any_begun, NULL), "nothing filled");
    for (unsigned i = 0; i < count; i++) {
        (void)snprintf(key, sizeof(key), "{crowd}%u", numbers[i * 7 % count]);
        cluster_forget(cluster_ask(c, 0, "DEL", key, NULL));
        cluster_run(c, 1);
    }
    failing_mem_fail_often(&c->processes[0].failing, 0, 0);
    cluster_settle_and_check(c);
}

static void a_failed_step_leaves_nothing_behind_that_is_deleted(void **state)
{
    unsigned numbers[CROWD];
    for (unsigned i = 0; i < CROWD; i++) {
        numbers[i] = i;
    }
    delete_while_filling(state, numbers, CROWD, 5);
}

/* A step may also fail between two sessions of one hash, as these pairs are. */
static void a_failed_step_does_not_tear_twins_apart(void **state)
{
    static const unsigned twins[] = {
        287895, 393981, 23822,  166466, 44797,  284913, 161650, 311998,
        171416, 226466, 37636,  380148, 36443,  289736, 81686,  252929,
        226581, 323643, 23475,  173288, 14862,  204227, 281423, 308053,
        239512, 284035, 208579, 375577, 17533,  336092, 130603, 178374,
        46764,  392599, 10702,  108188, 165827, 290409,
    };
    char keys[2][32];
    (void)snprintf(keys[0], sizeof(keys[0]), "{crowd}%u", twins[0]);
    (void)snprintf(keys[1], sizeof(keys[1]), "{crowd}%u", twins[1]);
    assert_int_equal(hf_sessions_hash(hf_slice_text(keys[0])),
                     hf_sessions_hash(hf_slice_text(keys[1])));
    for (uint64_t seed = 0; seed < 20; seed++) {
        delete_while_filling(state, twins, HF_ARRAY_COUNT(twins), seed);
        story_end(state);
    }
}

static bool is_filled_but_for_one(struct cluster *c, void *user)
{
    struct hf_node_status status;
    status_of(c, *(const unsigned *)user, &status);
    return status.member_count == 2 && status.refill_partitions == 1;
}

/* @node has what it held of @partition in the view of @held, in another
 * lineage, still to hand over. */
static void keep_aside(struct cluster *c, unsigned node, uint16_t partition,
                       hf_epoch held)
{
    c->processes[node].node->merge_deferred = 1;
    c->processes[node].node->partitions[partition].merge =
        (struct hf_merge_out){
            .wanted = true, .lineage = 99, .held = held, .deferred = true};
}

/* A node that joins may keep a partition aside, until somebody takes over what
 * it has to hand over of it. Here nobody does for a while. That partition is
 * not filled until then; all others are, and clients notice nothing. */
static void who_keeps_something_aside_is_filled_with_the_rest(void **state)
{
    struct cluster *c = story_start(state, 3, 17);
    story_fill(c, KEYS);
    unsigned primary = cluster_primary_of(c, "k");
    unsigned stranger = cluster_stranger_to(c, "k");
    uint16_t p = hf_partition_of_key(HF_SLICE_LITERAL("k"));
    keep_aside(c, stranger, p, UINT64_MAX);
    cluster_kill(c, cluster_backup_of(c, "k"));
    cluster_check(c, cluster_wait(c, 5000, is_filled_but_for_one, &primary),
                  "other partitions are not filled");
    for (unsigned i = 0; i < KEYS; i++) {
        char key[16];
        (void)snprintf(key, sizeof(key), "s:%u", i);
        int64_t before = cluster_now_us(c);
        cluster_set(c, key, "v");
        cluster_check(c, cluster_now_us(c) - before < (int64_t)GAP_MS * 1000,
                      "a client has to wait");
    }
    cluster_check(c, is_filled_but_for_one(c, &primary), "it is filled");

    /* Now it is taken. */
    c->processes[stranger].node->partitions[p].merge.held = 1;
    cluster_settle_and_check(c);
    story_expect_filled(c, KEYS);
}

static bool has_handed_over(struct cluster *c, void *user)
{
    return c->processes[*(const unsigned *)user].node->merge_deferred == 0;
}

static bool has_copies_of_two(struct cluster *c, void *user)
{
    const struct hf_view *view =
        c->processes[*(const unsigned *)user].node->view;
    unsigned copies = 0;
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        copies += view->acting[p].count;
    }
    return view->member_count == 2 && copies >= HF_PARTITION_COUNT * 19 / 10;
}

/* The same, but all of it was taken before, and the answer is lost. When it
 * asks in the new view that is said at once, and what it sent before it heard
 * that comes after: it keeps it aside. */
static void who_has_handed_over_is_filled(void **state)
{
    struct cluster *c = story_start(state, 3, 19);
    story_fill(c, KEYS);
    unsigned primary = cluster_primary_of(c, "k");
    unsigned stranger = cluster_stranger_to(c, "k");
    uint16_t p = hf_partition_of_key(HF_SLICE_LITERAL("k"));
    keep_aside(c, stranger, p, 1);
    cluster_check(c, cluster_wait(c, 1000, has_handed_over, &stranger),
                  "it is not taken");
    struct network_faults slow = c->options.faults;
    slow.delay_us += 60000;
    network_link_of(&c->network, primary, stranger, HF_CHANNEL_CONTROL)
        ->path.faults = slow;
    slow.delay_us += 100000;
    network_link_of(&c->network, primary, stranger, HF_CHANNEL_DATA)
        ->path.faults = slow;
    cluster_kill(c, cluster_backup_of(c, "k"));
    keep_aside(c, stranger, p, 1);
    cluster_check(c, cluster_wait(c, 5000, has_copies_of_two, &primary),
                  "nothing is filled");
    const struct hf_view *view = c->processes[primary].node->view;
    cluster_check(c, view->acting[p].count == 2, "it is not filled");
    cluster_settle_and_check(c);
    story_expect_filled(c, KEYS);
}

/* That a copy has everything is sent at once, whatever the pace. It counts all
 * the same, also after a pause that was long enough for a whole burst: counted
 * once more from outside, after each turn. */
static void what_is_sent_at_once_is_part_of_a_burst(void **state)
{
    struct cluster *c = start_slowly(state, 2, 1, 18, SLOW_RATE);
    struct hf_node *node = c->processes[0].node;
    const int64_t burst = SLOW_RATE * HF_FILL_BURST_MS / 1000;
    /* One session takes longer on its way than until it is paid for. */
    struct network_faults faults = {.delay_us = 90000};
    network_set_faults(&c->network, 0, 1, &faults);
    node->config.learn_bytes_max = 16 * VALUE_BYTES;
    cluster_boot(c, 1);

    uint64_t sent = 0;
    int64_t left = burst;
    hf_time at = node->now;
    int64_t end_us = cluster_now_us(c) + 10000000;
    while (cluster_step(c, end_us)) {
        uint64_t now_sent = counters_of(c, 0)->fill_bytes;
        if (now_sent == sent) {
            continue;
        }
        left += SLOW_RATE * (node->now - at) / 1000;
        left = left > burst ? burst : left;
        left -= (int64_t)(now_sent - sent);
        cluster_check(c, node->fill_bytes <= left,
                      "it may send more than its rate and a burst");
        sent = now_sent;
        at = node->now;
    }
    cluster_check(c, sent > 10 * VALUE_BYTES, "hardly anything was filled");
    cluster_heal(c);
    node->config.learn_bytes_per_second = 100 * SLOW_RATE;
    cluster_settle_and_check(c);
}

#define SMALL_SESSIONS 6000
/* Small sessions are no bytes to speak of, but each takes its time: clients of
 * the node that fills a copy have their turn after every few hundred. */
static void filling_takes_little_of_a_turn(void **state)
{
    struct cluster_options options;
    cluster_options_init(&options, 1);
    options.node_count = 2;
    options.boot_none = true;
    struct cluster *c = story_create(state, &options);
    /* By their bytes, all of them could be sent at once. */
    c->processes[0].config.learn_bytes_max = (size_t)16 << 20;
    c->processes[0].config.learn_bytes_per_second = (size_t)1 << 30;
    cluster_boot_first(c, 1);
    for (unsigned i = 0; i < SMALL_SESSIONS; i++) {
        char key[16];
        (void)snprintf(key, sizeof(key), "s:%u", i);
        cluster_set(c, key, "v");
    }
    cluster_boot(c, 1);

    const struct hf_node *node = c->processes[0].node;
    uint64_t pushed = 0;
    uint64_t most = 0;
    hf_epoch epoch = 0;
    while (counters_of(c, 0)->fills < HF_PARTITION_COUNT ||
           !cluster_is_settled(c)) {
        cluster_check(c, cluster_step(c, INT64_MAX), "nothing happens");
        uint64_t now = hf_stream_next(&node->members[1].stream);
        if (node->view->epoch == epoch && now - pushed > most) {
            most = now - pushed;
        }
        epoch = node->view->epoch;
        pushed = now;
    }
    /* And what tells that partitions begin and are done. */
    cluster_check(c, most > 0 && most <= 2 * HF_FILL_ENTRIES_MAX,
                  "too much was sent in one turn");
    cluster_settle_and_check(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(filling_takes_little_of_a_turn),
        STORY(filling_is_paced_and_its_progress_can_be_seen),
        STORY(what_is_sent_at_once_is_part_of_a_burst),
        STORY(what_was_filled_is_not_filled_again),
        STORY(a_node_that_dies_while_it_is_filled_changes_nothing),
        STORY(what_was_touched_last_is_filled_first),
        STORY(who_keeps_something_aside_is_filled_with_the_rest),
        STORY(who_has_handed_over_is_filled),
        STORY(a_failed_step_leaves_nothing_behind_that_is_deleted),
        STORY(a_failed_step_does_not_tear_twins_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
