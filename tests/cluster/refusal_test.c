/* refusal_test.c - Who has voted past a view does not give way to it, also when
 * others do who were in one lineage with it. */
#include "core/node_state.h"
#include "support/story.h"

#define SILENCE_MS 3000

/* What D does before it meets B. */
enum {
    MISSES_A_VIEW = 1, /* It does not hear that what it agreed to is decided. */
    IS_TAKEN_IN = 2,   /* It is not only out of the fork. */
};

static void part_from_the_first_two(struct cluster *c, const unsigned *node,
                                    unsigned count)
{
    for (unsigned i = 2; i < count; i++) {
        cluster_cut(c, node[0], node[i]);
        cluster_cut(c, node[1], node[i]);
    }
}

/* C and D agree to go on without B. */
static void agree_without_b(struct cluster *c, unsigned of_c, unsigned d,
                            unsigned what)
{
    struct story_pair pair = {of_c, d};
    cluster_check(c, cluster_wait(c, SILENCE_MS, story_has_accepted, &pair),
                  "D does not accept what C proposes");
    network_cut(&c->network, of_c, d, (what & MISSES_A_VIEW) != 0);
    cluster_check(c, cluster_wait(c, SILENCE_MS, story_is_of_two, &of_c),
                  "C does not hear that D has accepted");
    cluster_run(c, 100);
    cluster_check(c, story_is_of_three(c, &d) == ((what & MISSES_A_VIEW) != 0),
                  "D is not in the view that it should be in");
}

/* C is alone in its lineage and D, the fifth, out of it. Then the first two
 * fork, by order where policies do not allow that. */
static void end_apart(struct cluster *c, unsigned *node)
{
    unsigned of_c = node[3];
    unsigned d = node[4];
    cluster_isolate(c, of_c);
    cluster_check(c, cluster_wait(c, SILENCE_MS, story_is_of_one, &of_c),
                  "C does not go on alone");
    story_show_view_of(c, of_c, d);
    cluster_check(c, story_is_out(c, &d), "D is not left out");
    if (c->options.policy != HF_POLICY_AVAILABLE) {
        cluster_check(c, hf_node_takeover(c->processes[node[0]].node) == NULL,
                      "the order is refused");
    }
    cluster_check(c,
                  cluster_wait(c, 2 * SILENCE_MS, story_has_forked, &node[0]),
                  "the first two do not fork");
}

/* Of five, three go on without the first two, who cannot hear them. B sleeps
 * then, C and D go on without it, and C without D, which C does not hear any
 * more. In the end C is alone in the lineage of the three, D is out of it, and
 * the first two have forked, by order where policies do not allow that. */
static void leave_out_one_by_one(struct cluster *c, unsigned node[5],
                                 unsigned what)
{
    unsigned b = node[2];
    part_from_the_first_two(c, node, 5);
    cluster_check(c, cluster_wait(c, SILENCE_MS, story_is_of_three, &b),
                  "B, C and D do not go on");
    cluster_run(c, 1000);
    cluster_isolate(c, b);
    cluster_pause(c, b);
    agree_without_b(c, node[3], node[4], what);
    end_apart(c, node);
}

/* D has agreed with C to what came after the last view that B knows, and was
 * left out later. Then it goes with a fork that began before, and is still out
 * of that, or is taken in, when it meets B. It does not give way: it would pass
 * for one who has no vote in that view, and B would go on beside C. */
static void who_was_left_out_gives_way_to_nothing_before(void **state)
{
    for (unsigned what = 0; what <= (MISSES_A_VIEW | IS_TAKEN_IN); what++) {
        struct cluster_options options;
        cluster_options_init(&options, 11);
        options.policy = HF_POLICY_AVAILABLE;
        options.node_count = 5;
        options.faults.delay_us = 20000;
        options.backups = 2; /* So B, C and D have all that they go on with. */
        struct cluster *c = story_start_with(state, &options);
        c->invariants.two_sides = true;
        story_fill(c, 50);
        unsigned node[5];
        story_by_rank(c, node, 5);
        unsigned b = node[2];
        unsigned d = node[4];
        leave_out_one_by_one(c, node, what);
        cluster_run(c, HF_SUSPECT_MS + 100); /* D does not hear C any more. */
        story_show_view_of(c, node[0], d);
        cluster_check(c, story_has_forked(c, &d),
                      "D does not go with the fork");
        if ((what & IS_TAKEN_IN) != 0) {
            story_uncut(c, node[0], d);
            story_uncut(c, node[1], d);
            cluster_check(c, cluster_wait(c, SILENCE_MS, story_is_active, &d),
                          "the fork does not take D in");
        }
        story_uncut(c, b, d);
        cluster_resume(c, b);
        cluster_run(c, 4 * SILENCE_MS);
        story_bring_together(c);
        story_expect_filled(c, 50);
        story_end(state);
    }
}

static bool serve_again(struct cluster *c, void *user)
{
    const unsigned *node = user;
    return story_is_active(c, user) && story_serves_anything(c, *node) &&
           story_serves_anything(c, node[1]) &&
           story_serves_anything(c, node[4]);
}

static void take_d_in(struct cluster *c, unsigned *node)
{
    cluster_run(c, HF_SUSPECT_MS + 100);
    story_show_view_of(c, node[0], node[4]);
    story_uncut(c, node[0], node[4]);
    story_uncut(c, node[1], node[4]);
    cluster_check(c, cluster_wait(c, 2 * SILENCE_MS, serve_again, node),
                  "the fork does not take D in");
}

static struct cluster *start(void **state, unsigned *node, uint8_t count,
                             enum hf_partition_policy policy, uint64_t seed)
{
    struct cluster_options options;
    cluster_options_init(&options, seed);
    options.policy = policy;
    options.node_count = count;
    options.faults.delay_us = 20000;
    options.backups = 2;
    struct cluster *c = story_start_with(state, &options);
    c->invariants.two_sides = true;
    story_fill(c, 50);
    story_by_rank(c, node, count);
    return c;
}

/* The same, and D is in the fork, with the first two. Then they meet B. */
static struct cluster *meet_in_the_fork(void **state, unsigned node[5],
                                        enum hf_partition_policy policy)
{
    struct cluster *c = start(state, node, 5, policy, 11);
    leave_out_one_by_one(c, node, 0);
    take_d_in(c, node);
    story_uncut(c, node[2], node[0]);
    story_uncut(c, node[2], node[1]);
    story_uncut(c, node[2], node[4]);
    cluster_resume(c, node[2]);
    return c;
}

static bool serve_with_b(struct cluster *c, void *user)
{
    const unsigned *node = user;
    return serve_again(c, user) && story_serves_anything(c, node[2]);
}

/* The first two give way to B, who is too few to go on, and D does not, for it
 * has voted past what B knows. So it says so, and the others come back to it:
 * else all of them would wait for each other. They do not go to and fro after
 * that. When C is back, or B is ordered to go on, all become one. */
static void who_does_not_give_way_tells_the_others(void **state)
{
    const enum hf_partition_policy policies[] = {HF_POLICY_MAJORITY,
                                                 HF_POLICY_HALF};
    for (unsigned i = 0; i < 4; i++) {
        unsigned node[5];
        struct cluster *c = meet_in_the_fork(state, node, policies[i % 2]);
        cluster_run(c, SILENCE_MS);
        cluster_check(
            c, story_is_merging(c, &node[0]) && story_is_merging(c, &node[1]),
            "the first two do not give way to B");
        cluster_check(c, cluster_wait(c, HF_MERGE_ALONE_MS, serve_again, node),
                      "they wait for D, and D for them");
        for (unsigned k = 0; k < 200; k++) {
            cluster_run(c, 100);
            cluster_check(c, serve_again(c, node), "they give way once more");
        }
        cluster_check(c, !story_serves_anything(c, node[2]),
                      "B goes on beside C");
        if (i >= 2) {
            cluster_check(c,
                          hf_node_takeover(c->processes[node[2]].node) == NULL,
                          "the order is refused");
            cluster_check(c,
                          cluster_wait(c, 4 * SILENCE_MS, serve_with_b, node),
                          "an order changes nothing");
        }
        story_bring_together(c);
        story_expect_filled(c, 50);
        story_end(state);
    }
}

static bool is_of_four(struct cluster *c, void *user)
{
    const unsigned *node = user;
    const struct hf_view *view = c->processes[*node].node->view;
    return hf_member_set_count(hf_view_voters(view)) == 4;
}

/* B, @other and two more go on, and leave out B, which sleeps. */
static void four_leave_out_b(struct cluster *c, unsigned b, unsigned other)
{
    cluster_check(c, cluster_wait(c, SILENCE_MS, is_of_four, &b),
                  "the four do not go on");
    cluster_run(c, 1000);
    cluster_isolate(c, b);
    cluster_pause(c, b);
    cluster_check(c, cluster_wait(c, SILENCE_MS, story_is_of_three, &other),
                  "they do not go on without B");
    cluster_run(c, 1000);
}

/* Of six, four go on without the first two, and leave out B, then E, who both
 * sleep. The rest is as above: D is in the fork when it meets B and E. */
static struct cluster *meet_two_in_the_fork(void **state, unsigned node[6])
{
    struct cluster *c = start(state, node, 6, HF_POLICY_MAJORITY, 11);
    unsigned b = node[2];
    unsigned e = node[5];
    part_from_the_first_two(c, node, 6);
    four_leave_out_b(c, b, e);
    cluster_isolate(c, e);
    cluster_pause(c, e);
    agree_without_b(c, node[3], node[4], 0);
    end_apart(c, node);
    take_d_in(c, node);
    const unsigned in_fork[] = {node[0], node[1], node[4]};
    for (unsigned i = 0; i < 3; i++) {
        story_uncut(c, b, in_fork[i]);
        story_uncut(c, e, in_fork[i]);
    }
    cluster_resume(c, b);
    cluster_resume(c, e);
    return c;
}

/* B and E do not hear each other, and are where D has voted past, at two views.
 * D says of both that it does not give way to them, so the others come back to
 * it once and for all. */
static void who_does_not_give_way_says_so_of_all_that_is_past(void **state)
{
    unsigned node[6];
    struct cluster *c = meet_two_in_the_fork(state, node);
    cluster_check(c, cluster_wait(c, SILENCE_MS, story_is_merging, &node[0]),
                  "the first two give way to nobody");
    cluster_run(c, 2 * (HF_MERGE_ALONE_MS + SILENCE_MS));
    for (unsigned i = 0; i < 300; i++) {
        cluster_run(c, 100);
        cluster_check(c, serve_again(c, node), "they give way once more");
    }
    story_bring_together(c);
    story_expect_filled(c, 50);
}

/* D leaves the lineage of @left, the last of those that have gone on there
 * without it, and is taken in by @next, which has forked by order. */
static void go_over(struct cluster *c, unsigned left, unsigned d, unsigned next)
{
    story_show_view_of(c, left, d);
    cluster_check(c, story_is_out(c, &d), "D is not left out");
    if (!story_has_forked(c, &next)) {
        cluster_check(c, hf_node_takeover(c->processes[next].node) == NULL,
                      "the order is refused");
        cluster_check(c,
                      cluster_wait(c, 2 * SILENCE_MS, story_has_forked, &next),
                      "an order makes no fork");
    }
    cluster_run(c, HF_SUSPECT_MS + 100);
    story_show_view_of(c, next, d);
}

/* Of seven, four go on without the others, and leave out B, which sleeps. C and
 * X go on without D, which has agreed to leave B out. D goes to the fork of the
 * first two, agrees with the second to leave out the first, which sleeps as
 * well, and is left out by the second. Then it goes to the fork of the last
 * one, G. */
static void leave_two_lineages(struct cluster *c, unsigned node[7])
{
    unsigned b = node[2];
    unsigned of_c = node[3];
    unsigned d = node[4];
    unsigned x = node[5];
    unsigned g = node[6];
    part_from_the_first_two(c, node, 7);
    cluster_isolate(c, g);
    four_leave_out_b(c, b, d);
    cluster_cut(c, of_c, d);
    cluster_cut(c, x, d);
    cluster_check(c, cluster_wait(c, SILENCE_MS, story_is_of_two, &of_c),
                  "C and X do not go on");
    go_over(c, of_c, d, node[0]);
    story_uncut(c, node[0], d);
    story_uncut(c, node[1], d);
    cluster_check(c, cluster_wait(c, 2 * SILENCE_MS, story_is_active, &d),
                  "the fork does not take D in");
    cluster_run(c, 2 * SILENCE_MS);
    cluster_isolate(c, node[0]);
    cluster_pause(c, node[0]);
    cluster_check(c, cluster_wait(c, SILENCE_MS, story_is_of_two, &d),
                  "D does not go on with the second");
    cluster_run(c, 1000);
    cluster_isolate(c, node[1]);
    cluster_check(c, cluster_wait(c, SILENCE_MS, story_is_of_one, &node[1]),
                  "the second does not go on alone");
    go_over(c, node[1], d, g);
    story_uncut(c, d, g);
    cluster_check(c, cluster_wait(c, 2 * SILENCE_MS, story_is_active, &d),
                  "the other fork does not take D in");
    cluster_run(c, 2 * SILENCE_MS);
}

static bool serve_both(struct cluster *c, void *user)
{
    const unsigned *node = user;
    return story_serves_anything(c, node[4]) &&
           story_serves_anything(c, node[6]);
}

/* The first and B are in two lineages, at views that D has voted past, and do
 * not hear each other. G gives way to one, then to the other, and in vain: D
 * says of both that it does not. Then D and G go on, once and for all. */
static void who_does_not_give_way_says_so_of_each_lineage(void **state)
{
    unsigned node[7];
    struct cluster *c = start(state, node, 7, HF_POLICY_MAJORITY, 13);
    leave_two_lineages(c, node);
    cluster_check(c,
                  hf_lineage_of(c->processes[node[0]].node->view) <
                      hf_lineage_of(c->processes[node[6]].node->view),
                  "G does not give way to the first"); /* Try other seeds. */
    const unsigned meet[] = {node[0], node[2]};
    for (unsigned i = 0; i < 2; i++) {
        story_uncut(c, meet[i], node[4]);
        story_uncut(c, meet[i], node[6]);
        cluster_resume(c, meet[i]);
    }
    cluster_check(c, cluster_wait(c, SILENCE_MS, story_is_merging, &node[6]),
                  "G gives way to nobody");
    cluster_check(c, cluster_wait(c, 3 * HF_MERGE_ALONE_MS, serve_both, node),
                  "they wait for D, and D for them");
    for (unsigned k = 0; k < 300; k++) {
        cluster_run(c, 100);
        cluster_check(c, serve_both(c, node), "G gives way once more");
    }
    story_bring_together(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(who_was_left_out_gives_way_to_nothing_before),
        STORY(who_does_not_give_way_tells_the_others),
        STORY(who_does_not_give_way_says_so_of_all_that_is_past),
        STORY(who_does_not_give_way_says_so_of_each_lineage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
