/* follow_test.c - Whoever stood still while others went on as a fork hears of
 * that before it is shown the view, and waits for it. Then it follows. */
#include "core/node_state.h"
#include "support/story.h"

#define FORKED_MS 6000 /* Guard, delay, agreement, and some to spare. */
#define KEYS 50

struct two {
    struct cluster *c;
    unsigned first;  /* It could go on alone, and stands still. */
    unsigned second; /* A fork, meanwhile. */
};

static struct two start(void **state, uint64_t seed)
{
    struct cluster *c = story_start(state, 2, seed);
    struct two two = {.c = c, .first = cluster_node_of(c, cluster_view(c), 0)};
    two.second = 1 - two.first;
    story_fill(c, KEYS);
    c->invariants.two_sides = true;
    cluster_pause(c, two.first);
    cluster_run(c, FORKED_MS);
    cluster_expect_reply(c, "OK", two.second, "SET", "new", "one", NULL);
    return two;
}

static const struct hf_node *node_of(const struct two *two, unsigned node)
{
    return two->c->processes[node].node;
}

static uint64_t lineage_of(const struct two *two, unsigned node)
{
    return hf_lineage_of(node_of(two, node)->view);
}

static void delay(const struct two *two, int64_t ms)
{
    struct network_faults faults = two->c->options.faults;
    faults.delay_us += ms * SCHEDULE_US_PER_MS;
    faults.jitter_us += ms * SCHEDULE_US_PER_MS;
    network_set_faults_all(&two->c->network, &faults);
}

/* They become one again, in @lineage. */
static void end(const struct two *two, uint64_t lineage)
{
    struct cluster *c = two->c;
    cluster_heal(c);
    cluster_settle(c, CLUSTER_SETTLE_MS);
    cluster_check(c, lineage_of(two, two->first) == lineage,
                  "the other one should go on");
    c->invariants.two_sides = false;
    cluster_settle_and_check(c);
    cluster_expect(c, "new", "one");
    story_expect_filled(c, KEYS);
}

/* A heartbeat tells of the fork, and the view is an answer to one: it comes
 * a way there and back later. */
static void who_stood_still_follows_a_fork(void **state)
{
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct two two = start(state, seed);
        uint64_t fork = lineage_of(&two, two.second);
        delay(&two, 5 * (int64_t)seed);
        cluster_resume(two.c, two.first);
        cluster_run(two.c, 2000);
        end(&two, fork);
        story_end(state);
    }
}

static bool hears_of_fork(struct cluster *c, void *user)
{
    const struct two *two = user;
    const struct hf_node *node = node_of(two, two->first);
    const struct hf_peer *peer = hf_node_peer_by_id(
        node, c->processes[two->second].node->config.self.id);
    return peer != NULL && peer->has_beat &&
           peer->beat.lineage == lineage_of(two, two->second);
}

static bool is_alone(struct cluster *c, void *user)
{
    const struct two *two = user;
    (void)c;
    return node_of(two, two->first)->view->member_count == 1;
}

/* What it finds when it wakes is old: that it was not heard while it stood
 * still says nothing. */
static void who_reads_old_heartbeats_accuses_nobody(void **state)
{
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct two two = start(state, 40 + seed);
        uint64_t fork = lineage_of(&two, two.second);
        cluster_cut(two.c, two.first, two.second);
        cluster_resume(two.c, two.first);
        cluster_run(two.c, HF_UNHEARD_MS + 100);
        cluster_check(two.c, !is_alone(two.c, &two), "it goes on alone");
        end(&two, fork);
        story_end(state);
    }
}

/* But not for ever: its heartbeats are lost, so nobody shows it the view. */
static void who_is_shown_nothing_goes_on(void **state)
{
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct two two = start(state, 20 + seed);
        network_link_of(&two.c->network, two.first, two.second,
                        HF_CHANNEL_CONTROL)
            ->path.faults.loss = 10000;
        cluster_resume(two.c, two.first);
        cluster_check(two.c,
                      cluster_wait(two.c, HF_SUSPECT_MS, hears_of_fork, &two),
                      "it does not hear of the fork");
        cluster_run(two.c, HF_SUSPECT_MS / 2);
        cluster_check(two.c, !is_alone(two.c, &two), "it waits for nothing");
        cluster_check(two.c, cluster_wait(two.c, HF_SUSPECT_MS, is_alone, &two),
                      "it waits for ever");
        end(&two, lineage_of(&two, two.first));
        story_end(state);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(who_stood_still_follows_a_fork),
        STORY(who_reads_old_heartbeats_accuses_nobody),
        STORY(who_is_shown_nothing_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
