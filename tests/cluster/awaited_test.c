/* awaited_test.c - Unavailable is not absent, where several sides go on: what
 * somebody may have who is not heard is neither answered with nil, nor with
 * something older, until he has brought it, or an operator gives it up. */
#include <stdio.h>
#include <string.h>

#include "core/node_state.h"
#include "support/story.h"

#define SIDES_MS 6000 /* Guard, delay, agreement, and some to spare. */
#define SEEN_MS 2000
#define KEYS 120

static void fill(struct cluster *c)
{
    for (unsigned i = 0; i < KEYS; i++) {
        char key[24];
        (void)snprintf(key, sizeof(key), "old:%u", i);
        cluster_set(c, key, "old");
    }
}

static struct cluster *start(void **state, uint64_t seed)
{
    struct cluster_options options;
    cluster_options_init(&options, seed);
    options.node_count = 3;
    options.backups = 0;
    options.policy = HF_POLICY_AVAILABLE;
    struct cluster *c = story_start_with(state, &options);
    fill(c);
    return c;
}

static void link_between(struct cluster *c, unsigned a, unsigned b, bool cut)
{
    network_cut(&c->network, a, b, cut);
    network_cut(&c->network, b, a, cut);
}

/* Dies, and @witness sees that, whom it was cut off from. */
static void see_dead(struct cluster *c, unsigned dead, unsigned witness)
{
    cluster_kill(c, dead);
    link_between(c, dead, witness, false);
    cluster_run(c, SEEN_MS);
    link_between(c, dead, witness, true);
}

/* How many sessions are refused at @node; all others are what they were. */
static unsigned count_refused(struct cluster *c, unsigned node)
{
    unsigned refused = 0;
    for (unsigned i = 0; i < KEYS; i++) {
        char key[24];
        (void)snprintf(key, sizeof(key), "old:%u", i);
        const char *answer = cluster_command(c, node, "GET", key, NULL);
        bool is_refused = strncmp(answer, "(error) CLUSTERDOWN", 19) == 0;
        cluster_check(c, is_refused || strcmp(answer, "old") == 0,
                      "what others have passes for lost");
        refused += is_refused ? 1 : 0;
    }
    return refused;
}

static void go_together(struct cluster *c)
{
    cluster_heal(c);
    cluster_settle(c, 2 * CLUSTER_SETTLE_MS);
    c->invariants.two_sides = false;
    cluster_settle_and_check(c);
    for (unsigned i = 0; i < c->options.node_count; i++) {
        cluster_check(c, !cluster_is_up(c, i) || count_refused(c, i) == 0,
                      "not all is back");
    }
}

static bool is_drained(struct cluster *c, void *user)
{
    struct hf_node_status status;
    const unsigned *node = user;
    hf_node_get_status(c->processes[*node].node, &status);
    return status.drained;
}

static bool drains(struct cluster *c, unsigned node)
{
    hf_node_drain(c->processes[node].node);
    return cluster_wait(c, SIDES_MS, is_drained, &node);
}

/* There are no backups. The third node goes on as a fork; of the two others the
 * first leaves, so that the second has what it had. It ends, and comes back to
 * the fork alone. There nobody is waited for by its name any more, but the
 * second has all of it. */
static struct cluster *a_name_is_back_in_a_fork(void **state, uint64_t seed)
{
    struct cluster *c = start(state, seed);
    c->invariants.two_sides = true;
    cluster_isolate(c, 2);
    cluster_run(c, SIDES_MS);
    cluster_check(c, drains(c, 0), "it hands over what it has");
    see_dead(c, 0, 2);
    link_between(c, 0, 1, true);
    link_between(c, 0, 2, false);
    cluster_boot(c, 0);
    cluster_run(c, SIDES_MS);
    const struct hf_node *fork = c->processes[2].node;
    cluster_check(c,
                  hf_lineage_of(c->processes[0].node->view) ==
                          hf_lineage_of(fork->view) &&
                      hf_member_set_count(hf_view_voters(fork->view)) == 2,
                  "who comes back is taken in");
    unsigned refused = count_refused(c, 2);
    cluster_check(c, refused > 0 && refused < KEYS,
                  "some sessions, and not all, are unavailable");
    cluster_check(c, count_refused(c, 0) == refused, "on whatever node");
    return c;
}

static void what_the_dead_passed_on_stays_unavailable(void **state)
{
    for (uint64_t seed = 400; seed < 403; seed++) {
        struct cluster *c = a_name_is_back_in_a_fork(state, seed);
        cluster_run(c, 4 * SIDES_MS);
        cluster_check(c, count_refused(c, 2) > 0, "time alone changes nothing");
        go_together(c);
        story_end(state);
    }
}

static void an_operator_gives_up_what_is_awaited(void **state)
{
    for (uint64_t seed = 410; seed < 413; seed++) {
        struct cluster *c = a_name_is_back_in_a_fork(state, seed);
        struct hf_node *fork = c->processes[2].node;
        struct hf_node_status status;
        hf_node_get_status(fork, &status);
        cluster_check(c,
                      status.partitions_unavailable > 0 && !status.settled &&
                          status.no_takeover == NULL,
                      "the status does not say so");
        cluster_check(c, hf_node_takeover(fork) == NULL, "it is refused");
        cluster_run(c, SIDES_MS);
        hf_node_get_status(fork, &status);
        cluster_check(
            c, status.partitions_unavailable == 0 && status.partitions_lost > 0,
            "some is unavailable, or no loss is counted");
        for (unsigned i = 0; i < KEYS; i++) {
            char key[24];
            (void)snprintf(key, sizeof(key), "new:%u", i);
            cluster_expect_reply(c, "OK", 2, "SET", key, "new", NULL);
        }
        go_together(c); /* It is merged, and not dropped. */
        story_end(state);
    }
}

/* The same, but the second dies as well, and comes back with nothing: nobody is
 * left who could have it. It is lost, and counted. */
static void what_nobody_can_bring_is_lost(void **state)
{
    for (uint64_t seed = 420; seed < 423; seed++) {
        struct cluster *c = a_name_is_back_in_a_fork(state, seed);
        cluster_kill(c, 1);
        cluster_heal(c);
        cluster_boot(c, 1);
        cluster_settle(c, CLUSTER_SETTLE_MS);
        c->invariants.two_sides = false;
        struct hf_node_status status;
        hf_node_get_status(c->processes[2].node, &status);
        cluster_check(c, status.partitions_lost > 0, "a loss is not counted");
        unsigned lost = 0;
        for (unsigned i = 0; i < KEYS; i++) {
            char key[24];
            (void)snprintf(key, sizeof(key), "old:%u", i);
            const char *answer = cluster_command(c, 2, "GET", key, NULL);
            lost += strcmp(answer, "(nil)") == 0 ? 1 : 0;
        }
        cluster_check(c, lost > 0 && lost < KEYS, "some is lost, and not all");
        story_end(state);
    }
}

/* Three nodes, and a fourth that the third sees start before it goes on alone.
 * The two others take the fourth in, hand over to it all that they have, and
 * end. They come back to the fork as if new: then only the third knows of
 * somebody who may live, and who has what is missing. */
static void what_one_member_knows_counts_for_all(void **state)
{
    struct cluster_options options;
    cluster_options_init(&options, 430);
    options.node_count = 4;
    options.backups = 0;
    options.boot_none = true;
    options.policy = HF_POLICY_AVAILABLE;
    struct cluster *c = story_create(state, &options);
    c->invariants.two_sides = true;
    cluster_boot_first(c, 3);
    fill(c);
    link_between(c, 3, 0, true);
    link_between(c, 3, 1, true);
    cluster_boot(c, 3);
    cluster_run(c, SEEN_MS);
    cluster_isolate(c, 2);
    link_between(c, 3, 0, false);
    link_between(c, 3, 1, false);
    cluster_run(c, SIDES_MS);
    for (unsigned i = 0; i < 2; i++) {
        cluster_check(c, drains(c, i), "it hands over what it has");
        see_dead(c, i, 2);
    }
    for (unsigned i = 0; i < 2; i++) {
        link_between(c, i, 3, true);
        link_between(c, i, 2, false);
        cluster_boot(c, i);
    }
    link_between(c, 0, 1, false);
    cluster_run(c, 4 * SIDES_MS);
    const struct hf_node *fork = c->processes[2].node;
    cluster_check(c, hf_member_set_count(hf_view_voters(fork->view)) == 3,
                  "who comes back is taken in");
    unsigned refused = count_refused(c, 2);
    cluster_check(c, refused > 0 && refused < KEYS,
                  "some sessions, and not all, are unavailable");
    go_together(c);
}

/* The same of five with a backup: the last two go on as a fork; of the others
 * the first and the second hand over to the third, end, and come back to the
 * fork. What only these two had gets no backup there while it is awaited, for a
 * backup answers reads. */
static void what_is_awaited_has_no_copy_that_answers(void **state)
{
    struct cluster_options options;
    cluster_options_init(&options, 450);
    options.node_count = 5;
    options.policy = HF_POLICY_AVAILABLE;
    struct cluster *c = story_start_with(state, &options);
    c->invariants.two_sides = true;
    fill(c);
    for (unsigned i = 0; i < 6; i++) {
        cluster_cut(c, i % 3, 3 + i / 3);
    }
    cluster_run(c, SIDES_MS);
    for (unsigned i = 0; i < 2; i++) {
        cluster_check(c, drains(c, i), "it hands over what it has");
        cluster_run(c, SEEN_MS); /* The rest has a view without it. */
        cluster_kill(c, i);
        link_between(c, i, 3, false);
        link_between(c, i, 4, false);
        cluster_run(c, SEEN_MS);
        cluster_boot(c, i);
        cluster_cut(c, i, 2);
    }
    cluster_run(c, 4 * SIDES_MS);
    cluster_check(
        c, hf_member_set_count(hf_view_voters(c->processes[3].node->view)) == 4,
        "who comes back is taken in");
    for (unsigned i = 0; i < c->options.node_count; i++) {
        cluster_check(c, i == 2 || count_refused(c, i) > 0,
                      "nothing is unavailable");
    }
    go_together(c);
}

/* There are no backups. The last two of five go on as a fork, of the same view
 * as the three others, who are in no fork. The fourth hands over to the fifth,
 * ends, and comes back to the three: they wait for it by its name no more, and
 * not for the fifth either, which had none of it when they parted. */
static void a_root_awaits_what_a_fork_may_have(void **state)
{
    for (uint64_t seed = 440; seed < 443; seed++) {
        struct cluster_options options;
        cluster_options_init(&options, seed);
        options.node_count = 5;
        options.backups = 0;
        options.policy = HF_POLICY_AVAILABLE;
        struct cluster *c = story_start_with(state, &options);
        fill(c);
        c->invariants.two_sides = true;
        for (unsigned i = 0; i < 6; i++) {
            cluster_cut(c, i % 3, 3 + i / 3);
        }
        cluster_run(c, SIDES_MS);
        cluster_check(c, drains(c, 3), "it hands over what it has");
        see_dead(c, 3, 0);
        link_between(c, 3, 4, true);
        for (unsigned i = 0; i < 3; i++) {
            link_between(c, 3, i, false);
        }
        cluster_boot(c, 3);
        cluster_run(c, SIDES_MS);
        const struct hf_view *root = c->processes[0].node->view;
        cluster_check(c,
                      root->lineage_count == 1 &&
                          hf_member_set_count(hf_view_voters(root)) == 4,
                      "who comes back is taken in, and nobody forked");
        for (unsigned i = 0; i < 4; i++) {
            cluster_check(c, count_refused(c, i) > 0, "nothing is unavailable");
        }
        go_together(c);
        story_end(state);
    }
}

/* There are no backups. X cannot reach B, and is out of the view of A and B,
 * which waits for what only X has. D goes on as a fork. When X hears D alone
 * for a moment, that is no reason to hand over to it; nor is another such
 * moment later: it has heard A in between. When nobody else is heard for ten
 * seconds, perhaps nobody is left. */
static void who_hears_its_lineage_again_waits_anew(void **state)
{
    struct cluster_options options;
    cluster_options_init(&options, 460);
    options.node_count = 4;
    options.backups = 0;
    options.policy = HF_POLICY_AVAILABLE;
    struct cluster *c = story_start_with(state, &options);
    const struct hf_view *view = cluster_view(c);
    unsigned a = cluster_node_of(c, view, 0);
    unsigned b = cluster_node_of(c, view, 1);
    unsigned d = cluster_node_of(c, view, 2);
    unsigned x = cluster_node_of(c, view, 3);
    const struct hf_node *waiting = c->processes[x].node;
    fill(c);
    c->invariants.two_sides = true;
    link_between(c, x, b, true);
    cluster_run(c, SIDES_MS);
    cluster_isolate(c, d);
    cluster_run(c, SIDES_MS);
    for (unsigned i = 0; i < 2; i++) {
        cluster_check(c, waiting->state == HF_STATE_OUT, "X is not out");
        link_between(c, x, a, true);
        cluster_run(c, SEEN_MS);
        link_between(c, x, d, false);
        cluster_run(c, 2 * SEEN_MS);
        cluster_check(c, waiting->state == HF_STATE_OUT,
                      "X hands over to a fork that gives way");
        if (i == 0) {
            link_between(c, x, d, true);
            link_between(c, x, a, false);
            cluster_run(c, HF_DESERTED_MS);
        }
    }
    cluster_run(c, HF_DESERTED_MS);
    cluster_check(c,
                  waiting->state != HF_STATE_OUT ||
                      hf_lineage_of(waiting->view) ==
                          hf_lineage_of(c->processes[d].node->view),
                  "X waits for ever");
    go_together(c);
}

/* Of new:0, new:1 ..., those that @node and its side serve. */
static void set_new(struct cluster *c, unsigned node, bool done[KEYS])
{
    unsigned count = 0;
    for (unsigned i = 0; i < KEYS; i++) {
        char key[24];
        (void)snprintf(key, sizeof(key), "new:%u", i);
        const char *answer = cluster_command(c, node, "SET", key, "new", NULL);
        done[i] = strcmp(answer, "OK") == 0;
        count += done[i] ? 1 : 0;
    }
    cluster_check(c, count > 0, "it serves nothing");
}

static void expect_new(struct cluster *c, const bool done[KEYS])
{
    for (unsigned i = 0; i < KEYS; i++) {
        char key[24];
        (void)snprintf(key, sizeof(key), "new:%u", i);
        if (done[i]) {
            cluster_expect(c, key, "new");
        }
    }
}

/* Whether @node is in a fork, of so many that vote. */
static bool is_one_of(struct cluster *c, unsigned node, unsigned voters)
{
    const struct hf_node *in = c->processes[node].node;
    return in->state == HF_STATE_ACTIVE && in->view->lineage_count > 1 &&
           hf_member_set_count(hf_view_voters(in->view)) == voters;
}

/* There are no backups. The second goes on as a fork, and so does the third,
 * which has seen the first die. That is started again beside the third, which
 * so forgets the dead process, leaves and ends for good. The lineage of the
 * second waits for the dead one; that it is dead only the third can tell, by
 * the address where somebody else was since, and nobody is now. */
static void who_was_replaced_is_not_waited_for(void **state)
{
    for (uint64_t seed = 440; seed < 443; seed++) {
        bool done[KEYS];
        struct cluster *c = start(state, seed);
        const struct hf_view *view = cluster_view(c);
        unsigned first = cluster_node_of(c, view, 0);
        unsigned second = cluster_node_of(c, view, 1);
        unsigned third = cluster_node_of(c, view, 2);
        c->invariants.two_sides = true;
        cluster_isolate(c, second);
        cluster_kill(c, first);
        cluster_run(c, SIDES_MS);
        cluster_check(c, is_one_of(c, second, 1) && is_one_of(c, third, 1),
                      "not both go on");
        cluster_boot(c, first);
        cluster_run(c, SIDES_MS);
        cluster_check(c, is_one_of(c, third, 2), "who is back is not taken in");
        set_new(c, third, done);
        cluster_check(c, drains(c, first), "it hands over what it has");
        cluster_kill(c, first);
        cluster_run(c, SEEN_MS);
        story_bring_together(c);
        cluster_check(c, c->processes[third].node->counters.merges == 1,
                      "the third does not give way"); /* Try other seeds. */
        expect_new(c, done);
        story_end(state);
    }
}

/* Nodes by the lineages they are in, each alone: who all give way to first. */
static void order_by_lineage(struct cluster *c, unsigned order[3])
{
    for (unsigned i = 0; i < 3; i++) {
        uint64_t mine = hf_lineage_of(c->processes[i].node->view);
        unsigned before = 0;
        for (unsigned j = 0; j < 3; j++) {
            before += hf_lineage_of(c->processes[j].node->view) < mine ? 1 : 0;
        }
        order[before] = i;
    }
}

struct place {
    unsigned node;
    enum hf_member_state state;
    unsigned beside; /* In the lineage of this one. */
};

static bool is_in_place(struct cluster *c, void *user)
{
    const struct place *place = user;
    const struct hf_node *node = c->processes[place->node].node;
    return node->state == place->state &&
           hf_lineage_of(node->view) ==
               hf_lineage_of(c->processes[place->beside].node->view);
}

static bool awaits(struct cluster *c, void *user)
{
    const struct hf_node *node = c->processes[*(unsigned *)user].node;
    return node->merge_awaited > 0;
}

static bool awaits_no_more(struct cluster *c, void *user)
{
    return !awaits(c, user);
}

/* There are no backups, and each goes on alone. The second is ordered to give
 * up what the others have, so the third hands over to it all it has, and waits
 * to be taken in. The second gives way to the first, which waits for the third:
 * that comes back with nothing, and has all of it again as soon as the second
 * has handed it over. Nothing is lost then. */
static void what_was_handed_over_is_served_when_it_is_back(void **state)
{
    for (uint64_t seed = 470; seed < 473; seed++) {
        unsigned order[3];
        struct cluster *c = start(state, seed);
        c->invariants.two_sides = true;
        cluster_isolate(c, 0);
        cluster_isolate(c, 1);
        cluster_run(c, SIDES_MS);
        order_by_lineage(c, order);
        unsigned first = order[0];
        unsigned second = order[1];
        unsigned third = order[2];
        cluster_check(c, hf_node_takeover(c->processes[second].node) == NULL,
                      "it is refused");
        cluster_run(c, SIDES_MS);
        link_between(c, second, third, false);
        struct place out = {third, HF_STATE_OUT, second};
        cluster_check(c, cluster_wait(c, SIDES_MS, is_in_place, &out),
                      "the third does not hand over");
        link_between(c, second, third, true);
        link_between(c, first, second, false);
        struct place in = {second, HF_STATE_ACTIVE, first};
        cluster_check(c, cluster_wait(c, 2 * SIDES_MS, is_in_place, &in),
                      "the second does not give way");
        cluster_heal(c);
        cluster_check(c, cluster_wait(c, 2 * SIDES_MS, awaits, &third),
                      "the third comes back with something");
        cluster_check(c, cluster_wait(c, SEEN_MS, awaits_no_more, &third),
                      "what came is waited for");
        go_together(c);
        cluster_check(c,
                      c->processes[third].node->counters.partitions_lost == 0,
                      "what is there is counted as lost");
        story_end(state);
    }
}

/* What a node has handed over, and is to serve again, it awaits as well. Who
 * waits at it for that is answered when an operator gives it up. The state is
 * made here: to get there takes three lineages. */
static void an_order_answers_who_waits_for_what_was_handed_over(void **state)
{
    struct cluster *c = story_start(state, 1, 440);
    struct hf_node *node = c->processes[0].node;
    cluster_set(c, "old:0", "v");
    hf_node_merge_awaited(node, hf_partition_of_key(HF_SLICE_LITERAL("old:0")));
    struct request *waiting = cluster_ask(c, 0, "GET", "old:0", NULL);
    cluster_run(c, 50);
    cluster_expect_answer(c, "(waiting)", waiting);
    cluster_check(c, hf_node_takeover(node) == NULL, "it is refused");
    cluster_check(c, cluster_await(c, waiting, 200), "it waits on");
    cluster_expect_answer(c, "v", waiting);
    cluster_forget(waiting);
}

/* There are no backups. Of two nodes one goes on as a fork, where nothing is
 * served that the other one has. A third joins that one, is given all, and that
 * one ends. It comes back to the fork, which has never met the third, but it
 * has, by a link on which nothing is said. */
static void what_a_joiner_knows_counts_for_all(void **state)
{
    for (uint64_t seed = 440; seed < 443; seed++) {
        struct cluster_options options;
        cluster_options_init(&options, seed);
        options.node_count = 3;
        options.backups = 0;
        options.policy = HF_POLICY_AVAILABLE;
        options.boot_none = true;
        struct cluster *c = story_create(state, &options);
        cluster_boot_first(c, 2);
        cluster_settle(c, CLUSTER_SETTLE_MS);
        fill(c);
        unsigned back = cluster_node_of(c, cluster_view(c), 0);
        unsigned fork = 1 - back;
        c->invariants.two_sides = true;
        cluster_isolate(c, fork);
        cluster_run(c, SIDES_MS);
        cluster_boot(c, 2);
        cluster_run(c, SIDES_MS);
        cluster_check(c, drains(c, back), "it hands over what it has");
        see_dead(c, back, fork);
        link_between(c, back, fork, false);
        cluster_clog(c, back, 2, HF_CHANNEL_CONTROL);
        cluster_clog(c, 2, back, HF_CHANNEL_CONTROL);
        cluster_boot(c, back);
        unsigned refused = 0;
        for (unsigned i = 0; i < 50; i++) {
            cluster_run(c, 20);
            refused = count_refused(c, fork);
        }
        cluster_check(c, c->processes[fork].node->view->member_count == 2,
                      "who comes back is not taken in");
        cluster_check(c, refused > 0 && refused < KEYS,
                      "some sessions, and not all, are unavailable");
        cluster_check(c, count_refused(c, back) == refused, "on whatever node");
        cluster_unclog(c, back, 2, HF_CHANNEL_CONTROL);
        cluster_unclog(c, 2, back, HF_CHANNEL_CONTROL);
        go_together(c);
        story_end(state);
    }
}

/* One backup. The fourth goes on as a fork, takes in the third, which is
 * started again, and waits for the second with what these two had. The first
 * and the second go on together, and each has all by then. */
static void part_from_two(struct cluster *c, const unsigned node[4])
{
    cluster_isolate(c, node[3]);
    cluster_kill(c, node[2]);
    cluster_run(c, SIDES_MS);
    link_between(c, node[2], node[0], true);
    link_between(c, node[2], node[1], true);
    link_between(c, node[2], node[3], false);
    cluster_boot(c, node[2]);
    cluster_run(c, SIDES_MS);
    cluster_check(c, is_one_of(c, node[3], 2), "no fork takes the third in");
}

/* The second goes on alone, too, hands over to the first, whose lineage goes
 * on, and is cut off before it is taken in. By order the first forks, too. */
static void hand_over_to_the_first(struct cluster *c, const unsigned node[4])
{
    cluster_cut(c, node[0], node[1]);
    cluster_run(c, SIDES_MS);
    cluster_check(c, is_one_of(c, node[1], 1), "the second does not go on");
    link_between(c, node[0], node[1], false);
    struct place out = {node[1], HF_STATE_OUT, node[0]};
    cluster_check(c, cluster_wait(c, SIDES_MS, is_in_place, &out),
                  "the second does not hand over");
    link_between(c, node[0], node[1], true);
    cluster_run(c, SEEN_MS);
    cluster_check(c, hf_node_takeover(c->processes[node[0]].node) == NULL,
                  "it is refused");
    cluster_run(c, SIDES_MS);
    cluster_check(c, is_one_of(c, node[0], 1), "an order makes no fork");
}

/* That fork gives way to that of the fourth, with what is waited for there kept
 * aside: nobody is left in the lineage that the second is out of, and waits
 * for, as that of the fourth gives way to it. It comes to that with nothing. */
static void who_handed_over_to_a_lineage_that_all_left_comes_back(void **state)
{
    for (uint64_t seed = 483; seed < 486; seed++) {
        bool done[KEYS];
        unsigned node[4];
        struct cluster_options options;
        cluster_options_init(&options, seed);
        options.node_count = 4;
        options.policy = HF_POLICY_AVAILABLE;
        struct cluster *c = story_start_with(state, &options);
        for (uint8_t i = 0; i < 4; i++) {
            node[i] = cluster_node_of(c, cluster_view(c), i);
        }
        fill(c);
        c->invariants.two_sides = true;
        part_from_two(c, node);
        set_new(c, node[1], done);
        hand_over_to_the_first(c, node);
        link_between(c, node[0], node[2], false);
        link_between(c, node[0], node[3], false);
        struct place in = {node[0], HF_STATE_ACTIVE, node[3]};
        cluster_check(c,
                      cluster_wait(c, 2 * SIDES_MS, is_in_place, &in) &&
                          c->processes[node[0]].node->merge_deferred > 0,
                      "the first does not give way"); /* Try other seeds. */
        cluster_check(c, count_refused(c, node[3]) > 0,
                      "nothing is unavailable");
        cluster_heal(c);
        for (unsigned i = 0; i < 20; i++) {
            (void)count_refused(c, node[2 + i % 2]);
            cluster_run(c, 100);
        }
        go_together(c);
        expect_new(c, done);
        story_end(state);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(what_the_dead_passed_on_stays_unavailable),
        STORY(an_operator_gives_up_what_is_awaited),
        STORY(what_nobody_can_bring_is_lost),
        STORY(what_one_member_knows_counts_for_all),
        STORY(what_is_awaited_has_no_copy_that_answers),
        STORY(what_a_joiner_knows_counts_for_all),
        STORY(a_root_awaits_what_a_fork_may_have),
        STORY(who_hears_its_lineage_again_waits_anew),
        STORY(who_was_replaced_is_not_waited_for),
        STORY(what_was_handed_over_is_served_when_it_is_back),
        STORY(who_handed_over_to_a_lineage_that_all_left_comes_back),
        STORY(an_order_answers_who_waits_for_what_was_handed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
