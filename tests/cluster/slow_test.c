/* slow_test.c - Members that are alive but do not keep up. They cost the
 * partitions they hold up a bounded time, and others nothing. */
#include <stdio.h>
#include <string.h>

#include "core/node_state.h"
#include "support/story.h"

#define ASK_MS 10     /* Between two commands of a client. */
#define QUICK_US 5000 /* An answer that waited for nobody. */
#define CURED_MS 3000 /* From a stuck link to OK again. */
#define HOLD_MS 400
#define PROBES_MAX 2000

/* A client that writes to one session over and over, and does not wait. */
struct prober {
    char key[16];
    unsigned node; /* Whom it asks. */
    unsigned count;
    struct request *asked[PROBES_MAX];
};

static void probers_run(struct cluster *c, struct prober *probers,
                        unsigned count, int64_t ms)
{
    for (int64_t at = 0; at < ms; at += ASK_MS) {
        for (unsigned i = 0; i < count; i++) {
            struct prober *prober = &probers[i];
            cluster_check(c, prober->count < PROBES_MAX, "too many probes");
            prober->asked[prober->count++] =
                cluster_ask(c, prober->node, "SET", prober->key, "x", NULL);
        }
        cluster_run(c, ASK_MS);
    }
}

/* Virtual time of the first command of the last unbroken row of OKs; 0 when
 * even the last was not answered so. */
static int64_t ok_since_us(struct cluster *c, const struct prober *prober)
{
    int64_t since_us = 0;
    for (unsigned i = prober->count; i > 0; i--) {
        const struct request *request = prober->asked[i - 1];
        const char *answer = cluster_answer(request);
        bool down = strncmp(answer, "(error) CLUSTERDOWN ", 20) == 0;
        cluster_check(c, down || strcmp(answer, "OK") == 0,
                      "neither OK nor CLUSTERDOWN");
        if (down) {
            break;
        }
        since_us = request->started_us;
    }
    return since_us;
}

static unsigned down_count(const struct prober *prober)
{
    unsigned count = 0;
    for (unsigned i = 0; i < prober->count; i++) {
        count += strcmp(cluster_answer(prober->asked[i]), "OK") != 0 ? 1 : 0;
    }
    return count;
}

/* Answered OK at once, always. */
static void expect_undisturbed(struct cluster *c, const struct prober *prober)
{
    for (unsigned i = 0; i < prober->count; i++) {
        const struct request *request = prober->asked[i];
        cluster_expect_answer(c, "OK", request);
        cluster_check(c, request->ended_us - request->started_us < QUICK_US,
                      "a client of another partition waited");
    }
}

static void expect_cured(struct cluster *c, const struct prober *prober,
                         int64_t stuck_us)
{
    int64_t since_us = ok_since_us(c, prober);
    cluster_check(c, since_us != 0, "not OK again");
    cluster_check(c, since_us - stuck_us <= CURED_MS * SCHEDULE_US_PER_MS,
                  "it took too long until it was OK again");
}

static struct hf_node *node_of(struct cluster *c, unsigned node)
{
    return c->processes[node].node;
}

static uint64_t demoted(struct cluster *c)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < c->options.node_count; i++) {
        sum += c->processes[i].running
                   ? hf_node_get_counters(node_of(c, i))->copies_demoted
                   : 0;
    }
    return sum;
}

/* Writes a key on @primary with its copy on @backup. */
static void key_with(struct cluster *c, unsigned primary, unsigned backup,
                     char key[16])
{
    for (unsigned i = 0; i < 10000; i++) {
        (void)snprintf(key, 16, "k:%u", i);
        if (cluster_primary_of(c, key) == primary &&
            cluster_backup_of(c, key) == backup) {
            return;
        }
    }
    cluster_fail(c, "no key on n%u and n%u", primary + 1, backup + 1);
}

static void prober_init(struct cluster *c, struct prober *prober,
                        unsigned primary, unsigned backup, unsigned node)
{
    memset(prober, 0, sizeof(*prober));
    prober->node = node;
    key_with(c, primary, backup, prober->key);
}

/* Records from n1 to n2 do not get through, though heartbeats do. What lives
 * on the two is down until the copy on n2 is given up, within three seconds;
 * whatever lives elsewhere notices nothing, not even a view change. */
static void a_stuck_data_link_costs_only_what_lives_on_it(void **state)
{
    static struct prober probers[3]; /* Large. */
    struct cluster *c = story_start(state, 3, 1);
    prober_init(c, &probers[0], 0, 1, 0);
    prober_init(c, &probers[1], 0, 2, 0);
    prober_init(c, &probers[2], 1, 2, 2);
    probers_run(c, probers, 3, 200);
    int64_t stuck_us = cluster_now_us(c);
    cluster_clog(c, 0, 1, HF_CHANNEL_DATA);
    probers_run(c, probers, 3, 1900);
    expect_undisturbed(c, &probers[1]);
    expect_undisturbed(c, &probers[2]);
    probers_run(c, probers, 3, 4000);
    cluster_run(c, HOLD_MS + ASK_MS);
    expect_cured(c, &probers[0], stuck_us);
    cluster_check(c, down_count(&probers[0]) > 50,
                  "the link was not stuck at all");
    /* A view change takes a few round trips; nobody is refused. */
    cluster_check(c, down_count(&probers[1]) + down_count(&probers[2]) == 0,
                  "a client of another partition was refused");
    cluster_check(c, demoted(c) > 0, "nothing was demoted");
    cluster_heal(c);
    cluster_settle_and_check(c);
}

/* As long as the link is stuck the third node has the copies instead. */
static void somebody_else_has_the_copy_meanwhile(void **state)
{
    struct cluster *c = story_start(state, 3, 2);
    char key[16];
    key_with(c, 0, 1, key);
    cluster_set(c, key, "2 apples");
    cluster_clog(c, 0, 1, HF_CHANNEL_DATA);
    for (unsigned i = 0; i < 50; i++) {
        (void)cluster_ask(c, 0, "SET", key, "3 apples", NULL);
        cluster_run(c, 200);
    }
    cluster_check(c, cluster_backup_of(c, key) == 2, "it has no copy");
    cluster_kill(c, 0);
    cluster_run(c, 1000);
    cluster_expect_reply(c, "3 apples", 2, "GET", key, NULL);
    cluster_heal(c);
    cluster_settle_and_check(c);
}

/* Nothing that n2 says on its data links arrives: others lose it as a copy,
 * and what it is the primary of moves to who can answer. */
static void a_node_that_gets_nothing_through_is_primary_of_nothing(void **state)
{
    static struct prober probers[3]; /* Large. */
    struct cluster *c = story_start(state, 3, 3);
    prober_init(c, &probers[0], 0, 1, 0);
    prober_init(c, &probers[1], 2, 1, 2);
    prober_init(c, &probers[2], 1, 0, 2);
    int64_t stuck_us = cluster_now_us(c);
    cluster_clog(c, 1, 0, HF_CHANNEL_DATA);
    cluster_clog(c, 1, 2, HF_CHANNEL_DATA);
    probers_run(c, probers, 3, 6000);
    cluster_run(c, HOLD_MS + ASK_MS);
    for (unsigned i = 0; i < 3; i++) {
        expect_cured(c, &probers[i], stuck_us);
    }
    cluster_check(c, cluster_primary_of(c, probers[2].key) != 1,
                  "nobody took over what it is the primary of");
    cluster_heal(c);
    cluster_settle_and_check(c);
}

/* Of two, the primary goes on alone, and says so. */
static void of_two_the_primary_goes_on_alone(void **state)
{
    static struct prober prober; /* Large. */
    struct cluster *c = story_start(state, 2, 4);
    prober_init(c, &prober, 1, 0, 1);
    int64_t stuck_us = cluster_now_us(c);
    cluster_clog(c, 1, 0, HF_CHANNEL_DATA);
    probers_run(c, &prober, 1, 5000);
    cluster_run(c, HOLD_MS + ASK_MS);
    expect_cured(c, &prober, stuck_us);
    const struct hf_node_counters *counters =
        hf_node_get_counters(node_of(c, 1));
    cluster_check(c, counters->writes_alone > 0, "nobody counted");
    cluster_check(c, counters->slow_reported > 0, "nobody noticed");
    cluster_heal(c);
    cluster_settle_and_check(c);
}

static void *no_memory(void *user, void *old, size_t old_size, size_t size)
{
    (void)user;
    (void)old;
    (void)old_size;
    (void)size;
    return NULL;
}

/* A copy without memory applies nothing and so acknowledges nothing. */
static void a_copy_without_memory_is_not_waited_for(void **state)
{
    static struct prober prober; /* Large. */
    struct cluster *c = story_start(state, 3, 5);
    prober_init(c, &prober, 0, 1, 0);
    struct hf_mem *mem = &c->processes[1].mem;
    void *(*resize)(void *, void *, size_t, size_t) = mem->resize;
    int64_t stuck_us = cluster_now_us(c);
    mem->resize = no_memory;
    probers_run(c, &prober, 1, 5000);
    cluster_run(c, HOLD_MS + ASK_MS);
    expect_cured(c, &prober, stuck_us);
    mem->resize = resize;
    cluster_settle_and_check(c);
}

/* A quarter of a second late, but every record arrives: the copy stays, and
 * clients wait for it, for that is what OK means. */
static void a_copy_that_is_late_but_goes_on_is_waited_for(void **state)
{
    static struct prober prober; /* Large. */
    struct cluster *c = story_start(state, 3, 6);
    prober_init(c, &prober, 0, 1, 0);
    hf_epoch epoch = cluster_view(c)->epoch;
    network_link_of(&c->network, 0, 1, HF_CHANNEL_DATA)->path.faults.delay_us =
        250000;
    probers_run(c, &prober, 1, 8000);
    cluster_run(c, HOLD_MS + ASK_MS);
    for (unsigned i = 0; i < prober.count; i++) {
        cluster_expect_answer(c, "OK", prober.asked[i]);
    }
    cluster_check(c, cluster_view(c)->epoch == epoch, "the view changed");
    cluster_heal(c);
    cluster_settle_and_check(c);
}

/* The link is stuck when a new view is entered: without a word about where its
 * copy stands, nothing could be served. */
static void a_link_that_is_stuck_at_a_view_change_is_given_up(void **state)
{
    static struct prober prober; /* Large. */
    struct cluster *c = story_start(state, 4, 7);
    prober_init(c, &prober, 0, 1, 0);
    cluster_clog(c, 1, 0, HF_CHANNEL_DATA);
    cluster_kill(c, 3);
    int64_t stuck_us = cluster_now_us(c);
    probers_run(c, &prober, 1, 6000);
    cluster_run(c, HOLD_MS + ASK_MS);
    expect_cured(c, &prober, stuck_us);
    cluster_heal(c);
    cluster_settle_and_check(c);
}

static bool waits_for_positions(struct cluster *c, void *user)
{
    const struct hf_node *node = node_of(c, 0);
    (void)user;
    return node->view->member_count == 3 && node->unsynced > 0 &&
           node->now - node->installed_at > 200;
}

/* While partitions of ours are not level, others may have something to send to
 * the rest, or not: each acknowledgement must not look through them all. */
static void
acknowledgements_are_cheap_while_something_is_not_level(void **state)
{
    struct cluster *c = story_start(state, 4, 7);
    cluster_clog(c, 1, 0, HF_CHANNEL_DATA);
    cluster_kill(c, 3);
    cluster_check(c, cluster_wait(c, 5000, waits_for_positions, NULL),
                  "everything is level");
    const struct hf_node *node = node_of(c, 0);
    unsigned idle = 0;
    for (uint8_t i = 0; i < node->view->member_count; i++) {
        const struct hf_member *member = &node->members[i];
        bool has_room = member->stream.learn_bytes < member->learn_window;
        if (member->positions_known && member->learning < 0 && has_room) {
            idle++;
            cluster_check(c, !member->refill_wanted,
                          "each acknowledgement looks for something to send");
        }
    }
    cluster_check(c, idle > 0, "somebody is filled");
    cluster_heal(c);
    cluster_settle_and_check(c);
}

/* A partition of the first node with a learner that counts for commit, or
 * HF_PARTITION_COUNT. */
static uint16_t learnt_partition(struct cluster *c)
{
    const struct hf_node *node = node_of(c, 0);
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        const struct hf_partition *partition = &node->partitions[p];
        for (uint8_t i = 0; partition->synced && i < partition->copy_count;
             i++) {
            if (partition->copies[i].state == HF_COPY_LEARNT) {
                return p;
            }
        }
    }
    return HF_PARTITION_COUNT;
}

static bool has_learnt(struct cluster *c, void *user)
{
    (void)user;
    return learnt_partition(c) != HF_PARTITION_COUNT;
}

/* A node that joins stops acknowledging just when nothing is acknowledged
 * without it any more. No client is refused anything for it. */
static void a_learner_that_stops_costs_no_client_its_answer(void **state)
{
    static struct prober prober; /* Large. */
    struct cluster_options options;
    cluster_options_init(&options, 8);
    options.node_count = 4;
    options.boot_none = true;
    struct cluster *c = story_create(state, &options);
    cluster_boot_first(c, 3);
    story_fill(c, 300);
    for (unsigned i = 0; i < 3; i++) {
        network_link_of(&c->network, i, 3, HF_CHANNEL_DATA)
            ->path.faults.delay_us = 20000;
    }
    cluster_boot(c, 3);
    cluster_check(c, cluster_wait(c, 10000, has_learnt, NULL), "no learner");
    for (unsigned i = 0; i < 3; i++) {
        cluster_clog(c, 3, i, HF_CHANNEL_DATA);
    }
    uint16_t partition = learnt_partition(c);
    memset(&prober, 0, sizeof(prober));
    for (unsigned i = 0; i < 100000; i++) {
        (void)snprintf(prober.key, sizeof(prober.key), "k:%u", i);
        if (hf_partition_of_key(hf_slice_text(prober.key)) == partition) {
            break;
        }
    }
    probers_run(c, &prober, 1, 6000);
    cluster_run(c, HOLD_MS + ASK_MS);
    for (unsigned i = 0; i < prober.count; i++) {
        cluster_expect_answer(c, "OK", prober.asked[i]);
    }
    cluster_check(c, hf_node_get_counters(node_of(c, 0))->learners_put_off > 0,
                  "the learner was not in the way");
    cluster_heal(c);
    cluster_settle_and_check(c);
    story_expect_filled(c, 300);
}

/* A node joins over links that carry 40 bytes in a millisecond. Filling it
 * takes long, but clients do not wait behind what it is sent. */
static void a_learner_with_a_slow_link_costs_no_client_its_answer(void **state)
{
    static struct prober probers[3]; /* Large. */
    struct cluster_options options;
    cluster_options_init(&options, 12);
    options.node_count = 4;
    options.boot_none = true;
    struct cluster *c = story_create(state, &options);
    cluster_boot_first(c, 3);
    char value[401];
    memset(value, 'v', 400);
    value[400] = '\0';
    for (unsigned i = 0; i < 1500; i++) {
        char key[16];
        (void)snprintf(key, sizeof(key), "s:%u", i);
        cluster_set(c, key, value);
    }
    for (unsigned i = 0; i < 3; i++) {
        prober_init(c, &probers[i], i, (i + 1) % 3, i);
        network_link_of(&c->network, i, 3, HF_CHANNEL_DATA)
            ->path.faults.bytes_per_ms = 40;
    }
    cluster_boot(c, 3);
    probers_run(c, probers, 3, 4500);
    cluster_run(c, HOLD_MS + ASK_MS);
    for (unsigned i = 0; i < 3; i++) {
        cluster_check(c, cluster_backup_of(c, probers[i].key) != 3,
                      "it is no learner any more");
        cluster_check(c, down_count(&probers[i]) == 0, "a client was refused");
    }
    cluster_check(c, hf_node_get_counters(node_of(c, 0))->fill_bytes > 20000,
                  "hardly anything was filled");
    cluster_heal(c);
    cluster_settle_and_check(c);
}

/* What is sent to n2 stays within its bound; whoever cannot write is told so in
 * time, and others write on. */
static void at_the_bound_of_a_stream_clients_are_told(void **state)
{
    enum { BOUND = 20000, VALUE = 2000, HELD_MAX = 60 };
    struct cluster_options options;
    cluster_options_init(&options, 11);
    options.boot_none = true;
    struct cluster *c = story_create(state, &options);
    for (unsigned i = 0; i < 3; i++) {
        c->processes[i].config.stream_bytes_max = BOUND;
        cluster_boot(c, i);
    }
    cluster_settle(c, CLUSTER_SETTLE_MS);
    char stuck[16];
    char other[16];
    key_with(c, 0, 1, stuck);
    key_with(c, 0, 2, other);
    char value[VALUE + 1];
    memset(value, 'v', VALUE);
    value[VALUE] = '\0';
    cluster_clog(c, 0, 1, HF_CHANNEL_DATA);
    struct request *asked[HELD_MAX];
    for (unsigned i = 0; i < HELD_MAX; i++) {
        asked[i] = cluster_ask(c, 0, "SET", stuck, value, NULL);
        cluster_expect_reply(c, "OK", 0, "SET", other, value, NULL);
        cluster_run(c, ASK_MS);
    }
    const struct hf_node *node = node_of(c, 0);
    for (uint8_t i = 0; i < node->view->member_count; i++) {
        cluster_check(c, node->members[i].stream.bytes < BOUND + 2 * VALUE,
                      "more is kept for a stream than its bound");
    }
    cluster_run(c, HOLD_MS + ASK_MS);
    for (unsigned i = 0; i < HELD_MAX; i++) {
        const char *answer = cluster_answer(asked[i]);
        cluster_check(c, strncmp(answer, "(error) CLUSTERDOWN ", 20) == 0,
                      "a client was not told");
    }
    cluster_heal(c);
    cluster_settle_and_check(c);
}

/* Three nodes, each of which holds at most @bytes that wait. */
static struct cluster *three_that_hold(void **state, uint64_t seed,
                                       size_t bytes)
{
    struct cluster_options options;
    cluster_options_init(&options, seed);
    options.boot_none = true;
    struct cluster *c = story_create(state, &options);
    for (unsigned i = 0; i < 3; i++) {
        c->processes[i].config.held_bytes_max = bytes;
        cluster_boot(c, i);
    }
    cluster_settle(c, CLUSTER_SETTLE_MS);
    return c;
}

/* Answers to SCAN wait for what they show, too, but not in any number. */
static void pages_that_wait_cost_bounded_memory(void **state)
{
    enum { BOUND = 200000, ASKED = 300, KEYS = 3000 };
    static struct request *asked[ASKED];
    struct cluster *c = three_that_hold(state, 12, BOUND);
    story_fill(c, KEYS);
    char stuck[16];
    key_with(c, 0, 1, stuck);
    cluster_clog(c, 0, 1, HF_CHANNEL_DATA);
    cluster_forget(cluster_ask(c, 0, "SET", stuck, "x", NULL));
    cluster_run(c, ASK_MS);
    size_t before = c->processes[0].mem.used_bytes;
    for (unsigned i = 0; i < ASKED; i++) {
        asked[i] = cluster_ask(c, i % 3, "SCAN", "0", "COUNT", "100000", NULL);
        cluster_run(c, 1);
    }
    cluster_check(c, c->processes[0].mem.used_bytes < before + 5 * BOUND,
                  "pages pile up");
    cluster_check(c, strcmp(cluster_answer(asked[0]), "(waiting)") == 0,
                  "a page does not wait");
    /* By the third node, which hears the first one. */
    cluster_check(c, cluster_await(c, asked[ASKED - 1], 50), "not told");
    cluster_expect_answer(
        c, "(error) CLUSTERDOWN too many answers wait for other nodes",
        asked[ASKED - 1]);
    cluster_heal(c);
    cluster_settle_and_check(c);
    for (unsigned i = 0; i < 3; i++) {
        cluster_check(c, node_of(c, i)->answer_bytes == 0, "counted for good");
        struct request *page =
            cluster_ask(c, i, "SCAN", "0", "COUNT", "100000", NULL);
        cluster_check(c, cluster_await(c, page, 50), "no page");
        cluster_check(c, strncmp(cluster_answer(page), "[0 [", 4) == 0,
                      "pages are refused for good");
    }
}

/* Asks @asked times by @node, and expects that the answers wait for the stuck
 * primary, but not all of them, nor in the memory of @holder. */
static void expect_bounded_waiting(struct cluster *c, unsigned holder,
                                   unsigned node, size_t bound,
                                   const char *const argv[5])
{
    enum { ASKED = 300 };
    static struct request *asked[ASKED];
    size_t before = c->processes[holder].mem.used_bytes;
    for (unsigned i = 0; i < ASKED; i++) {
        asked[i] = cluster_ask(c, node, argv[0], argv[1], argv[2], argv[3],
                               argv[4], NULL);
        cluster_run(c, 1);
    }
    cluster_check(c, c->processes[holder].mem.used_bytes < before + 5 * bound,
                  "answers pile up");
    cluster_expect_answer(c, "(waiting)", asked[0]);
    cluster_check(c, cluster_await(c, asked[ASKED - 1], 50), "not told");
    cluster_expect_answer(
        c, "(error) CLUSTERDOWN too many answers wait for other nodes",
        asked[ASKED - 1]);
    for (unsigned i = 0; i < ASKED; i++) {
        cluster_forget(asked[i]);
    }
}

/* So do the parts of MGET that came, and reads of what is being written. */
static void answers_that_wait_cost_bounded_memory(void **state)
{
    enum { BOUND = 200000, VALUE = 20000 };
    struct cluster *c = three_that_hold(state, 13, BOUND);
    char stuck[16], big[16], value[VALUE + 1];
    key_with(c, 0, 1, stuck);
    key_with(c, 2, 1, big);
    memset(value, 'v', VALUE);
    value[VALUE] = '\0';
    cluster_set(c, big, value);
    cluster_clog(c, 0, 1, HF_CHANNEL_DATA);
    cluster_forget(cluster_ask(c, 0, "SET", stuck, value, NULL));
    cluster_run(c, ASK_MS);
    expect_bounded_waiting(c, 2, 2, BOUND,
                           (const char *const[5]){"MGET", big, stuck});
    expect_bounded_waiting(c, 0, 0, BOUND,
                           (const char *const[5]){"GET", stuck});
    cluster_heal(c);
    cluster_settle_and_check(c);
    for (unsigned i = 0; i < 3; i++) {
        cluster_check(c, node_of(c, i)->answer_bytes == 0, "counted for good");
    }
    cluster_expect(c, stuck, value);
}

/* And commands that take several steps. */
static void steps_that_wait_cost_bounded_memory(void **state)
{
    enum { BOUND = 200000, VALUE = 20000 };
    struct cluster *c = three_that_hold(state, 15, BOUND);
    char stuck[16], other[16], value[VALUE + 1];
    key_with(c, 1, 2, stuck);
    key_with(c, 0, 2, other);
    memset(value, 'v', VALUE);
    value[VALUE] = '\0';
    cluster_clog(c, 0, 1, HF_CHANNEL_DATA);
    expect_bounded_waiting(
        c, 0, 0, BOUND,
        (const char *const[5]){"MSETNX", stuck, value, other, "x"});
    cluster_heal(c);
    cluster_settle_and_check(c);
    cluster_check(c, node_of(c, 0)->answer_bytes == 0, "counted for good");
}

/* And the names of channels whose subscribers are counted. */
static void counts_that_wait_cost_bounded_memory(void **state)
{
    enum { BOUND = 200000, NAME = 20000, ASKED = 100 };
    static struct request *asked[ASKED];
    struct cluster *c = three_that_hold(state, 14, BOUND);
    process_subscribe(&c->processes[1]);
    cluster_run(c, 100);
    cluster_clog(c, 1, 0, HF_CHANNEL_DATA);
    char name[NAME + 1];
    memset(name, 'c', NAME);
    name[NAME] = '\0';
    size_t before = c->processes[0].mem.used_bytes;
    for (unsigned i = 0; i < ASKED; i++) {
        asked[i] = cluster_ask(c, 0, "PUBSUB", "NUMSUB", name, NULL);
        cluster_run(c, 1);
    }
    cluster_check(c, c->processes[0].mem.used_bytes < before + 5 * BOUND,
                  "names pile up");
    cluster_expect_answer(c, "(waiting)", asked[0]);
    cluster_expect_answer(
        c, "(error) CLUSTERDOWN too many answers wait for other nodes",
        asked[ASKED - 1]);
    cluster_check(c, node_of(c, 0)->answer_bytes > 0, "not counted");
    cluster_heal(c);
    cluster_settle_and_check(c);
    cluster_check(c, node_of(c, 0)->answer_bytes == 0, "counted for good");
    for (unsigned i = 0; i < ASKED; i++) {
        cluster_forget(asked[i]);
    }
}

static bool has_promised(struct cluster *c, void *user)
{
    const struct hf_node *node = node_of(c, *(const unsigned *)user);
    return node->promised > node->view->epoch;
}

/* All are in a view after that of @user. */
static bool is_later(struct cluster *c, void *user)
{
    const hf_epoch *epoch = user;
    for (unsigned i = 0; i < c->options.node_count; i++) {
        if (node_of(c, i)->view->epoch <= *epoch) {
            return false;
        }
    }
    return true;
}

/* Of five each reaches only A. The first, P, would go on with A alone, and has
 * promised that; but A hears all, and does not. So P acknowledges nothing of
 * what A writes to @key, of which it has a copy. */
static struct cluster *start_stalemate(void **state, unsigned *a, char key[16])
{
    struct cluster_options options;
    cluster_options_init(&options, 13);
    options.node_count = 5;
    options.policy = HF_POLICY_AVAILABLE;
    struct cluster *c = story_start_with(state, &options);
    const struct hf_view *view = cluster_view(c);
    unsigned p = cluster_node_of(c, view, 0);
    *a = cluster_node_of(c, view, 1);
    key_with(c, *a, p, key);
    cluster_expect_reply(c, "OK", *a, "SET", key, "2 apples", NULL);
    for (unsigned i = 0; i < 25; i++) {
        if (i / 5 < i % 5 && i / 5 != *a && i % 5 != *a) {
            cluster_cut(c, i / 5, i % 5);
        }
    }
    cluster_check(c, cluster_wait(c, 6000, has_promised, &p), "no ballot");
    for (unsigned i = 0; i < 20; i++) {
        cluster_forget(cluster_ask(c, *a, "SET", key, "3 apples", NULL));
        cluster_run(c, 200);
    }
    cluster_check(c, demoted(c) == 0, "a copy was demoted");
    cluster_check(c, has_promised(c, &p) && !has_promised(c, a), "decided");
    return c;
}

/* A ballot took longer than what is slow. The copy that waited for it is as
 * level as ever, and the next view keeps it: A may die at once. */
static void a_copy_that_has_promised_is_not_slow(void **state)
{
    unsigned a;
    char key[16];
    struct cluster *c = start_stalemate(state, &a, key);
    hf_epoch epoch = node_of(c, a)->view->epoch;
    cluster_heal(c);
    cluster_check(c, cluster_wait(c, 3000, is_later, &epoch), "no view");
    cluster_check(c, demoted(c) == 0, "a copy was demoted after all");
    cluster_kill(c, a);
    cluster_settle_and_check(c);
    cluster_expect(c, key, "3 apples");
}

/* As long as the links are cut no ballot ends: A goes on without that copy. */
static void a_promise_that_leads_nowhere_is_not_waited_for(void **state)
{
    unsigned a;
    char key[16];
    struct cluster *c = start_stalemate(state, &a, key);
    cluster_run(c, CURED_MS);
    cluster_check(c, demoted(c) > 0, "it waits for good");
    cluster_expect_reply(c, "OK", a, "SET", key, "4 apples", NULL);
    cluster_heal(c);
    cluster_settle_and_check(c);
    cluster_expect(c, key, "4 apples");
}

/* Links stick and come loose at random under load: nothing is lost. */
static void links_that_stick_now_and_then_lose_nothing(void **state)
{
    struct cluster *c = story_start(state, 4, 9);
    struct workload_options options;
    workload_options_init(&options);
    options.think_us_max = 5000;
    struct workload w;
    workload_start(&w, c, &options, 9);
    struct hf_rng rng;
    hf_rng_init(&rng, 9);
    for (unsigned i = 0; i < 20; i++) {
        unsigned from = (unsigned)hf_rng_below(&rng, 4);
        unsigned to = (from + 1 + (unsigned)hf_rng_below(&rng, 3)) % 4;
        cluster_clog(c, from, to, HF_CHANNEL_DATA);
        cluster_run(c, 200 + (int64_t)hf_rng_below(&rng, 4000));
        cluster_unclog(c, from, to, HF_CHANNEL_DATA);
        cluster_run(c, (int64_t)hf_rng_below(&rng, 1500));
    }
    cluster_check(c, demoted(c) > 0, "nothing was demoted");
    cluster_heal(c);
    workload_end(&w);
    workload_close(&w);
}

/* A node is held up, again and again, for a little less than it takes to call
 * others silent. What they said meanwhile waits to be read, so it accuses
 * nobody. */
static void a_node_that_was_held_up_is_patient(void **state)
{
    struct cluster *c = story_start(state, 3, 10);
    for (unsigned i = 0; i < 30; i++) {
        cluster_pause(c, 0);
        cluster_run(c, 745);
        cluster_resume(c, 0);
        cluster_run(c, 700 + 7 * i);
    }
    const struct hf_node_counters *counters =
        hf_node_get_counters(node_of(c, 0));
    cluster_check(c, counters->heartbeats > 100, "no heartbeats came");
    cluster_check(c, counters->suspicions == 0, "it suspected somebody");
    cluster_settle_and_check(c);
}

/* The same of commands that other nodes send to a primary that cannot write:
 * those that find no room there are refused at once, not when the hold ends. */
static void commands_that_wait_at_a_primary_cost_bounded_memory(void **state)
{
    enum { BOUND = 20000, VALUE = 2000, ASKED = 60 };
    struct cluster_options options;
    cluster_options_init(&options, 12);
    options.boot_none = true;
    struct cluster *c = story_create(state, &options);
    c->processes[0].config.held_bytes_max = BOUND; /* Not who asks it. */
    for (unsigned i = 0; i < 3; i++) {
        c->processes[i].config.stream_bytes_max = BOUND;
        cluster_boot(c, i);
    }
    cluster_settle(c, CLUSTER_SETTLE_MS);
    char stuck[16];
    key_with(c, 0, 1, stuck);
    char value[VALUE + 1];
    memset(value, 'v', VALUE);
    value[VALUE] = '\0';
    cluster_clog(c, 0, 1, HF_CHANNEL_DATA);
    struct request *asked[ASKED];
    unsigned refused = 0;
    for (unsigned i = 0; i < ASKED; i++) {
        asked[i] = cluster_ask(c, 2, "SET", stuck, value, NULL);
        cluster_run(c, 1);
        cluster_check(c, node_of(c, 0)->waiting_bytes <= BOUND,
                      "more waits than the bound");
    }
    for (unsigned i = 0; i < ASKED; i++) {
        refused += strcmp(cluster_answer(asked[i]),
                          "(error) CLUSTERDOWN too many commands wait for "
                          "this session's primary") == 0;
    }
    cluster_check(c, refused > ASKED / 2 && refused < ASKED - 10,
                  "another number is refused");
    cluster_heal(c);
    cluster_settle_and_check(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(a_stuck_data_link_costs_only_what_lives_on_it),
        STORY(somebody_else_has_the_copy_meanwhile),
        STORY(a_node_that_gets_nothing_through_is_primary_of_nothing),
        STORY(of_two_the_primary_goes_on_alone),
        STORY(a_copy_without_memory_is_not_waited_for),
        STORY(a_copy_that_is_late_but_goes_on_is_waited_for),
        STORY(a_link_that_is_stuck_at_a_view_change_is_given_up),
        STORY(acknowledgements_are_cheap_while_something_is_not_level),
        STORY(a_learner_that_stops_costs_no_client_its_answer),
        STORY(pages_that_wait_cost_bounded_memory),
        STORY(answers_that_wait_cost_bounded_memory),
        STORY(steps_that_wait_cost_bounded_memory),
        STORY(counts_that_wait_cost_bounded_memory),
        STORY(a_copy_that_has_promised_is_not_slow),
        STORY(a_promise_that_leads_nowhere_is_not_waited_for),
        STORY(links_that_stick_now_and_then_lose_nothing),
        STORY(a_node_that_was_held_up_is_patient),
        STORY(at_the_bound_of_a_stream_clients_are_told),
        STORY(commands_that_wait_at_a_primary_cost_bounded_memory),
        STORY(a_learner_with_a_slow_link_costs_no_client_its_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
