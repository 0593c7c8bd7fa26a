/* agreement_test.c - Agreeing on who goes on: it ends, also where messages take
 * long, and never with two sides that both decide. */
#include <stdio.h>
#include <string.h>

#include "core/node_state.h"
#include "support/story.h"

#define REPLACE_MS 2000
#define SILENCE_MS 3000
#define KEYS 20

static bool is_out(struct cluster *c, void *user)
{
    const unsigned *node = user;
    return c->processes[*node].node->state == HF_STATE_OUT;
}

static bool is_without_one(struct cluster *c, void *user)
{
    (void)user;
    return c->processes[0].node->view->member_count ==
           c->options.node_count - 1;
}

static uint64_t ballot_count(const struct cluster *c)
{
    return c->processes[0].node->highest_ballot >> 32;
}

/* A stopped node is replaced in the promised time, in whatever network. Two
 * that propose at once must not outbid each other for as long as a message
 * takes longer than their patience. */
static void proposers_do_not_outbid_each_other(void **state)
{
    static const int64_t delays_us[] = {6000, 20000, 60000};
    for (unsigned i = 0; i < HF_ARRAY_COUNT(delays_us); i++) {
        for (unsigned node_count = 3; node_count <= 5; node_count += 2) {
            struct cluster_options options;
            cluster_options_init(&options, 1 + i);
            options.node_count = node_count;
            options.faults.delay_us = delays_us[i];
            struct cluster *c = story_start_with(state, &options);
            uint64_t before = ballot_count(c);
            cluster_pause(c, node_count - 1);
            cluster_check(c, cluster_wait(c, REPLACE_MS, is_without_one, NULL),
                          "a stopped node is not replaced");
            cluster_check(c, ballot_count(c) - before <= 2,
                          "proposers outbid each other");
        }
    }
}

static bool is_not_of_all(struct cluster *c, void *user)
{
    const unsigned *node = user;
    const struct hf_view *view = c->processes[*node].node->view;
    return hf_member_set_count(hf_view_voters(view)) != c->options.node_count;
}

/* @to hears of a ballot of @from above the next one of anybody else. */
static void outbid(struct cluster *c, unsigned from, unsigned to)
{
    const struct hf_node *node = c->processes[to].node;
    const struct hf_peer_info *info = &c->processes[from].node->config.self;
    hf_epoch number = ((node->highest_ballot >> 32) + 2) << 32;
    const struct hf_message message = {
        .type = HF_MESSAGE_PREPARE,
        .prepare = {.ballot = number | (info->incarnation & UINT32_MAX),
                    .base = node->view->epoch}};
    process_on_message(&c->processes[to], info->id, info->incarnation,
                       &message);
}

/* What B says does not reach A, who begins a ballot, and so waits for B until
 * it can go on without. Just before, B proposes, too, for that ballot led
 * nowhere, and C and D promise more than A offers then. They say so, and A does
 * not wait until somebody else proposes, or its own ballot is given up. */
static void who_is_outbid_by_one_unheard_bids_again(void **state)
{
    struct cluster *c = story_start(state, 4, 1);
    const struct hf_view *view = cluster_view(c);
    unsigned a = cluster_node_of(c, view, 0);
    unsigned b = cluster_node_of(c, view, 1);
    cluster_clog(c, b, a, HF_CHANNEL_CONTROL);
    hf_node_drain(c->processes[cluster_node_of(c, view, 3)].node);
    cluster_run(c, HF_GUARD_MS - 100);
    outbid(c, b, cluster_node_of(c, view, 2));
    outbid(c, b, cluster_node_of(c, view, 3));
    cluster_check(
        c, cluster_wait(c, 100 + 4 * HF_BALLOT_RETRY_MS, is_not_of_all, &a),
        "A does not go on without B");
    cluster_heal(c);
    cluster_settle(c, CLUSTER_SETTLE_MS);
}

/* B was cut off and knows only the first view; the two others have gone on, and
 * parted in turn, so that only Y serves. When X, which is out, reaches B, what
 * it says is of a later view: it promises B nothing, and its death is no reason
 * for B to go on with what it has. Else B and Y both would serve. */
static void who_is_in_a_later_view_does_not_bind(void **state)
{
    struct cluster *c = story_start(state, 3, 12);
    const struct hf_view *view = cluster_view(c);
    unsigned b = cluster_node_of(c, view, 0);
    unsigned y = cluster_node_of(c, view, 1);
    unsigned x = cluster_node_of(c, view, 2);
    cluster_set(c, "k", "old");
    cluster_isolate(c, b);
    cluster_run(c, SILENCE_MS);
    cluster_cut(c, x, y);
    cluster_run(c, SILENCE_MS);
    const struct hf_node *node = c->processes[y].node;
    cluster_check(c, node->view->member_count == 1, "Y does not go on alone");
    cluster_expect_reply(c, "OK", y, "SET", "k", "new", NULL);

    network_cut(&c->network, x, y, false);
    network_cut(&c->network, y, x, false);
    cluster_check(c, cluster_wait(c, SILENCE_MS, is_out, &x),
                  "X does not hear that Y went on");
    cluster_cut(c, x, y);
    network_cut(&c->network, b, x, false);
    network_cut(&c->network, x, b, false);
    cluster_run(c, 1500);
    cluster_kill(c, x);
    cluster_run(c, 2 * SILENCE_MS);
    cluster_check(c, c->processes[b].node->view->member_count == 3,
                  "B went on without Y");

    cluster_heal(c);
    cluster_settle_and_check(c);
    cluster_expect(c, "k", "new");
}

/* With time to look between two messages. */
static struct cluster *start_slow(void **state, unsigned node_count,
                                  uint64_t seed)
{
    struct cluster_options options;
    cluster_options_init(&options, seed);
    options.node_count = node_count;
    options.faults.delay_us = 20000;
    options.policy = HF_POLICY_MAJORITY; /* A fork would be none of it. */
    return story_start_with(state, &options);
}

/* X is cut off, and A and B agree to go on without it. A learns that they
 * agreed, B does not, and then A is cut off as well, serving what only it has.
 * X and B together are enough to decide, but what B has accepted may be the
 * view of somebody: they must decide the same, and not a view without A. */
static void what_was_accepted_is_decided(void **state)
{
    struct cluster *c = start_slow(state, 3, 7);
    const struct hf_view *view = cluster_view(c);
    struct story_pair pair = {cluster_node_of(c, view, 0),
                              cluster_node_of(c, view, 1)};
    unsigned a = pair.proposer;
    unsigned b = pair.voter;
    unsigned x = cluster_node_of(c, view, 2);
    hf_node_id first = view->members[0].id;
    cluster_isolate(c, x);
    cluster_check(c, cluster_wait(c, SILENCE_MS, story_has_accepted, &pair),
                  "B does not accept what A proposes");
    network_cut(&c->network, a, b, true);
    cluster_check(c, cluster_wait(c, 100, story_is_of_two, &a),
                  "A does not hear that B has accepted");
    network_cut(&c->network, b, a, true);
    network_cut(&c->network, b, x, false);
    network_cut(&c->network, x, b, false);
    cluster_run(c, 2 * SILENCE_MS);
    const struct hf_view *decided = c->processes[b].node->view;
    cluster_check(c, story_is_of_two(c, &b) && decided->members[0].id == first,
                  "B and X decide something else");
    cluster_heal(c);
    cluster_settle_and_check(c);
}

/* A and B of @pair agree on a view without X, and A, who is the only one to
 * know, goes on alone; B and X agree on the same view once more. */
static void a_goes_on_alone(struct cluster *c, struct story_pair *pair,
                            unsigned x)
{
    unsigned a = pair->proposer;
    unsigned b = pair->voter;
    cluster_isolate(c, x);
    cluster_check(c, cluster_wait(c, SILENCE_MS, story_has_accepted, pair),
                  "B does not accept what A proposes");
    network_cut(&c->network, a, b, true);
    cluster_check(c, cluster_wait(c, 100, story_is_of_two, &a),
                  "A does not hear that B has accepted");
    network_cut(&c->network, b, a, true);
    cluster_check(c, cluster_wait(c, SILENCE_MS, story_is_of_one, &a),
                  "A does not go on alone");
    const struct hf_node *alone = c->processes[a].node;
    hf_epoch ahead = alone->view->epoch;
    cluster_run(c, SILENCE_MS); /* B tries. */
    network_cut(&c->network, b, x, false);
    network_cut(&c->network, x, b, false);
    cluster_run(c, 2 * SILENCE_MS);
    cluster_check(c,
                  c->processes[b].node->view->epoch > ahead &&
                      alone->view->epoch == ahead,
                  "B and X agree under no later epoch");
}

/* Of k0, k1 ..., those that @node serves; the others are elsewhere. */
static void set_some(struct cluster *c, unsigned node, bool done[KEYS])
{
    unsigned count = 0;
    for (unsigned i = 0; i < KEYS; i++) {
        char key[16];
        (void)snprintf(key, sizeof(key), "k%u", i);
        const char *answer = cluster_command(c, node, "SET", key, "new", NULL);
        done[i] = strcmp(answer, "OK") == 0;
        count += done[i] ? 1 : 0;
    }
    cluster_check(c, count > 0, "it serves nothing");
}

static void expect_some(struct cluster *c, const bool done[KEYS])
{
    for (unsigned i = 0; i < KEYS; i++) {
        char key[16];
        (void)snprintf(key, sizeof(key), "k%u", i);
        if (done[i]) {
            cluster_expect(c, key, "new");
        }
    }
}

/* The same, and A goes on alone: it is further on than B and X, who agree once
 * more on the view that A has left, under a later epoch. That must not lead A
 * back to where B has a part in what A has changed since. */
static void who_is_further_on_is_not_led_back(void **state)
{
    struct cluster *c = start_slow(state, 3, 7);
    const struct hf_view *view = cluster_view(c);
    struct story_pair pair = {cluster_node_of(c, view, 0),
                              cluster_node_of(c, view, 1)};
    unsigned a = pair.proposer;
    unsigned x = cluster_node_of(c, view, 2);
    a_goes_on_alone(c, &pair, x);
    const struct hf_node *alone = c->processes[a].node;
    hf_epoch ahead = alone->view->epoch;
    bool done[KEYS];
    set_some(c, a, done);
    cluster_heal(c);
    for (unsigned i = 0; i < SILENCE_MS; i++) {
        cluster_run(c, 1);
        cluster_check(c,
                      alone->view->base >= ahead ||
                          alone->view->epoch == ahead || story_is_of_one(c, &a),
                      "A is led back");
    }
    cluster_settle_and_check(c);
    expect_some(c, done);
}

/* A and B agree on a view, and A goes on alone in it. B and X, who have not
 * heard that, agree on it again, under a later epoch; then B forks. What A
 * decided has an earlier epoch than what the fork began at, but is not part of
 * it: A follows nobody, and what it acknowledged since is there in the end. */
static void who_went_on_is_not_drawn_into_a_fork(void **state)
{
    struct cluster_options options;
    cluster_options_init(&options, 7);
    options.node_count = 3;
    options.faults.delay_us = 20000;
    struct cluster *c = story_start_with(state, &options);
    const struct hf_view *view = cluster_view(c);
    struct story_pair pair = {cluster_node_of(c, view, 0),
                              cluster_node_of(c, view, 1)};
    unsigned a = pair.proposer;
    unsigned b = pair.voter;
    unsigned x = cluster_node_of(c, view, 2);
    c->invariants.two_sides = true;
    a_goes_on_alone(c, &pair, x);
    const struct hf_node *alone = c->processes[a].node;
    const struct hf_node *fork = c->processes[b].node;
    hf_epoch ahead = alone->view->epoch;
    cluster_isolate(c, b);
    cluster_check(c, cluster_wait(c, 3 * SILENCE_MS, story_has_forked, &b),
                  "B does not fork");
    cluster_check(c,
                  alone->view->epoch == ahead &&
                      fork->view->lineages[1].forked > ahead,
                  "B forks from no later epoch");
    bool done[KEYS];
    set_some(c, a, done);
    story_bring_together(c);
    expect_some(c, done);
}

/* Not a step longer than until @node enters another view. */
static bool enters(struct cluster *c, unsigned node)
{
    hf_epoch before = c->processes[node].node->view->epoch;
    int64_t until_us = cluster_now_us(c) + SILENCE_MS * SCHEDULE_US_PER_MS;
    while (c->processes[node].node->view->epoch == before &&
           cluster_step(c, until_us)) {
    }
    return c->processes[node].node->view->epoch != before;
}

static bool has_member(struct cluster *c, unsigned in, unsigned node)
{
    const struct hf_peer_info *info = &c->processes[node].config.self;
    return hf_view_find(c->processes[in].node->view, info->id,
                        info->incarnation) != HF_MEMBER_NONE;
}

/* The first of all but @node to enter a view without it. */
static unsigned first_without(struct cluster *c, unsigned node)
{
    int64_t until_us = cluster_now_us(c) + SILENCE_MS * SCHEDULE_US_PER_MS;
    do {
        for (unsigned i = 0; i < c->options.node_count; i++) {
            const struct hf_view *view = c->processes[i].node->view;
            if (i != node && hf_member_set_count(hf_view_all(view)) == 3 &&
                !has_member(c, i, node)) {
                return i;
            }
        }
    } while (cluster_step(c, until_us));
    cluster_fail(c, "nobody goes on without n%u", node + 1);
    return node;
}

/* Far from each other; the last of @node_count has not been started. */
static struct cluster *all_but_the_last(void **state, uint64_t seed,
                                        unsigned node_count)
{
    struct cluster_options options;
    cluster_options_init(&options, seed);
    options.node_count = node_count;
    options.boot_none = true;
    options.faults.delay_us = 20000;
    options.policy = HF_POLICY_MAJORITY;
    struct cluster *c = story_create(state, &options);
    cluster_boot_first(c, node_count - 1);
    return c;
}

/* A, B and X agree to take D in, and only A hears that they did. B and X agree
 * on the same again, under a later epoch, and only B hears of that. Now A, X
 * and D agree to go on without B, and only one of them hears that they did.
 * When B then meets the two others, these follow it to the later epoch; what
 * they agreed to under the earlier one they must not forget, or two views of
 * one lineage go on. */
static void what_was_accepted_holds_under_a_later_epoch(void **state)
{
    struct cluster *c = all_but_the_last(state, 5, 4);
    const struct hf_view *view = cluster_view(c);
    unsigned a = cluster_node_of(c, view, 0);
    unsigned b = cluster_node_of(c, view, 1);
    unsigned x = cluster_node_of(c, view, 2);
    unsigned d = 3;
    hf_epoch before = view->epoch;
    cluster_boot(c, d);
    cluster_check(c, enters(c, a) && has_member(c, a, d), "D is not taken in");
    cluster_isolate(c, a);
    cluster_check(c,
                  enters(c, b) && has_member(c, b, d) &&
                      c->processes[x].node->view->epoch == before,
                  "B and X do not agree again");
    cluster_isolate(c, b);
    story_uncut(c, a, x);
    story_uncut(c, a, d);
    story_uncut(c, x, d);
    unsigned first = first_without(c, b);
    cluster_isolate(c, first);
    unsigned rest[] = {first == a ? x : a, first == d ? x : d};
    story_uncut(c, b, rest[0]);
    story_uncut(c, b, rest[1]);
    cluster_check(c, cluster_wait(c, 2 * SILENCE_MS, is_not_of_all, &rest[0]),
                  "B and the others decide nothing");
    cluster_check(c,
                  has_member(c, rest[0], first) && !has_member(c, rest[0], b),
                  "B and the others decide something else");
    cluster_heal(c);
    cluster_settle_and_check(c);
}

#define NEWCOMER 4

/* Whether @user asks the others, the newcomer among them, for a view that gives
 * copies to it, and waits for promises. */
static bool waits_for_promises(struct cluster *c, void *user)
{
    const unsigned *asker = user;
    const struct hf_node *node = c->processes[*asker].node;
    return node->ballot.active && !node->ballot.accepting &&
           node->ballot.excluded == 0 && node->nomination_count > 0 &&
           has_member(c, *asker, NEWCOMER);
}

/* Whether @voter has promised what @proposer asks for, who knows it. */
static bool has_promised(const struct cluster *c, unsigned voter,
                         unsigned proposer)
{
    const struct hf_node *node = c->processes[proposer].node;
    const struct hf_peer_info *info = &c->processes[voter].node->config.self;
    uint8_t rank = hf_view_find(node->view, info->id, info->incarnation);
    return node->ballot.active &&
           (node->ballot.answered & hf_member_set_of(rank)) != 0;
}

/* The newcomer has been filled, and all promise to decide on a view in which it
 * has copies in place of others; but X stands still, and so does A for a while,
 * so that B asks them all, and A promises to B. Before B may go on without X,
 * the newcomer dies, and A as well.
 * When X promises, too, B must not agree to that view: nobody can decide it any
 * more, and of what A was primary of it names no living copy, though there is
 * one. */
static void what_counts_on_the_dead_is_not_proposed(void **state)
{
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct cluster *c = all_but_the_last(state, seed, NEWCOMER + 1);
        story_fill(c, 100);
        const struct hf_view *view = cluster_view(c);
        unsigned a = cluster_node_of(c, view, 0);
        unsigned b = cluster_node_of(c, view, 1);
        unsigned x = cluster_node_of(c, view, 2);
        cluster_boot(c, NEWCOMER);
        cluster_check(c, cluster_wait(c, SILENCE_MS, waits_for_promises, &a),
                      "A proposes no view with copies of the newcomer");
        cluster_pause(c, x);
        cluster_pause(c, a);
        cluster_run(c, HF_SUSPECT_MS - 100);
        cluster_check(c, waits_for_promises(c, &b), "B does not step in");
        cluster_resume(c, a);
        cluster_run(c, 120);
        cluster_check(c, has_promised(c, a, b), "A does not promise");
        cluster_kill(c, NEWCOMER);
        cluster_kill(c, a);
        cluster_run(c, 100);
        cluster_check(
            c, waits_for_promises(c, &b) && c->processes[b].node->dead != 0,
            "B goes on without X, or knows of no death");
        cluster_resume(c, x);
        cluster_settle_and_check(c);
        story_expect_filled(c, 100);
        story_end(state);
    }
}

/* @to is asked by @from to accept a fork of the two, as when a takeover was
 * ordered there. */
static void offer_fork(struct cluster *c, unsigned from, unsigned to)
{
    const struct hf_node *node = c->processes[from].node;
    const struct hf_peer_info *info = &node->config.self;
    struct hf_view fork = *node->view;
    fork.epoch = c->processes[to].node->promised + (UINT64_C(1) << 32);
    fork.base = node->view->epoch;
    hf_lineage_fork(&fork, 77, fork.base, 0);
    const struct hf_message message = {
        .type = HF_MESSAGE_ACCEPT,
        .accept = {fork.epoch, fork.base, &fork},
    };
    process_on_message(&c->processes[to], info->id, info->incarnation,
                       &message);
}

/* A and B agree to go on, and only A hears that they did. Then B, which hears
 * nobody but C, accepts a fork that comes to nothing. That binds nobody, but
 * what B accepted before still does: B, C and D are enough to decide, and they
 * must decide what A has decided, or two views of one lineage go on. */
static void a_fork_that_failed_hides_no_decision(void **state)
{
    struct cluster *c = start_slow(state, 4, 1);
    const struct hf_view *view = cluster_view(c);
    struct story_pair pair = {cluster_node_of(c, view, 0),
                              cluster_node_of(c, view, 1)};
    unsigned a = pair.proposer;
    unsigned b = pair.voter;
    unsigned others[] = {cluster_node_of(c, view, 2),
                         cluster_node_of(c, view, 3)};
    hf_node_id first = view->members[0].id;
    cluster_isolate(c, others[0]);
    cluster_isolate(c, others[1]);
    cluster_check(c, cluster_wait(c, SILENCE_MS, story_has_accepted, &pair),
                  "B does not accept what A proposes");
    network_cut(&c->network, a, b, true);
    cluster_check(c, cluster_wait(c, 100, story_is_of_two, &a),
                  "A does not hear that B has accepted");
    cluster_heal(c);
    cluster_isolate(c, a);
    offer_fork(c, others[0], b);
    cluster_check(c, cluster_wait(c, 2 * SILENCE_MS, is_not_of_all, &b),
                  "B, C and D decide nothing");
    const struct hf_view *decided = c->processes[b].node->view;
    cluster_check(c, story_is_of_two(c, &b) && decided->members[0].id == first,
                  "B, C and D decide something else than A");
    cluster_heal(c);
    cluster_settle_and_check(c);
}

static bool all_are_in_it(struct cluster *c, void *user)
{
    (void)user;
    for (unsigned i = 0; i < c->options.node_count; i++) {
        const struct hf_node *node = c->processes[i].node;
        if (!c->processes[i].running || node->state != HF_STATE_ACTIVE ||
            node->view->member_count != c->options.node_count ||
            node->promised != node->view->epoch) {
            return false;
        }
    }
    return true;
}

/* A gives B copies of what it has. It is the only one to know that this was
 * decided, and dies long after B has heard of it last. B may not decide to go
 * on, and by its view it has nothing: but it accepted that it has, so it may be
 * the only one with a copy. It waits for an order, and starts no new cluster.
 */
static void who_may_be_the_last_copy_waits_for_an_order(void **state)
{
    struct cluster *c = all_but_the_last(state, 2, 2);
    cluster_set(c, "k", "v");
    uint16_t p = hf_partition_of_key(hf_slice_text("k"));
    cluster_boot(c, 1);
    const struct hf_node *a = c->processes[0].node;
    while (hf_member_set_count(hf_view_copies(a->view, p)) == 1) {
        cluster_check(c, enters(c, 0), "B gets no copy");
    }
    cluster_isolate(c, 0);
    cluster_run(c, SILENCE_MS);
    cluster_kill(c, 0);
    cluster_heal(c);
    cluster_run(c, SILENCE_MS);
    cluster_check(c, strcmp(cluster_command(c, 1, "GET", "k", NULL), "(nil)"),
                  "B starts a new cluster");
    /* The first order brings the view that B accepted, and A is in that. */
    for (unsigned i = 0; i < 2; i++) {
        cluster_check(c, hf_node_takeover(c->processes[1].node) == NULL,
                      "a takeover is refused");
        cluster_run(c, 2 * SILENCE_MS);
    }
    cluster_settle_and_check(c);
    cluster_expect(c, "k", "v");
}

/* @node hears of a cluster that is older than its own, and of which nobody can
 * be reached. */
static void tell_of_another_cluster(struct cluster *c, unsigned node,
                                    unsigned from)
{
    const struct hf_peer_info *info = &c->processes[from].node->config.self;
    struct hf_view other = *c->processes[node].node->view;
    other.cluster++;
    other.epoch += (hf_epoch)1 << 32; /* They have taken us over. */
    other.founded_ms = 0;
    other.member_count = 1;
    other.members[0] = *info;
    other.members[0].incarnation++;
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        other.acting[p] = (struct hf_acting){.count = 1};
    }
    const struct hf_message message = {.type = HF_MESSAGE_VIEW, .view = &other};
    process_on_message(&c->processes[node], info->id, info->incarnation,
                       &message);
}

/* A and M, which has no copies yet, go on without B and C. M then gives its
 * cluster up for another one, finds nobody there, and hears of the view that it
 * agreed to leave. With M there B and C were enough to decide; but not by what
 * M has forgotten that it agreed to. */
static void nobody_comes_back_to_a_view_it_has_left(void **state)
{
    struct cluster *c = all_but_the_last(state, 3, 4);
    cluster_boot(c, 3);
    cluster_check(c, cluster_wait(c, SILENCE_MS, all_are_in_it, NULL),
                  "the last one does not join");
    const struct hf_view *view = cluster_view(c);
    struct story_pair pair = {cluster_node_of(c, view, 0), 3};
    unsigned a = pair.proposer;
    unsigned m = pair.voter;
    unsigned b = cluster_node_of(c, view, 1);
    unsigned x = cluster_node_of(c, view, 2);
    cluster_isolate(c, b);
    cluster_isolate(c, x);
    cluster_check(c, cluster_wait(c, SILENCE_MS, story_has_accepted, &pair),
                  "M does not accept what A proposes");
    network_cut(&c->network, a, m, true);
    cluster_check(c, cluster_wait(c, 100, story_is_of_two, &a),
                  "A does not hear that M has accepted");
    cluster_isolate(c, a);
    tell_of_another_cluster(c, m, a);
    cluster_check(c, cluster_wait(c, 2 * SILENCE_MS, is_out, &m),
                  "M does not give its cluster up");
    cluster_heal(c);
    cluster_isolate(c, a);
    cluster_run(c, 2 * SILENCE_MS);
    cluster_check(c, !is_not_of_all(c, &b),
                  "B, C and M decide something else than A");
    cluster_heal(c);
    cluster_settle_and_check(c);
}

/* A and M agree to go on without B. Then M gives its cluster up for another
 * one, and while it looks for somebody there it hears B again. What it promised
 * A holds: it must give B no reason to take its death for one that leaves B
 * alone with A, for A may go on without B. */
static void who_promised_binds_itself_to_nobody_while_it_merges(void **state)
{
    struct cluster *c = start_slow(state, 3, 7);
    story_fill(c, 20); /* So that there is something to hand over. */
    const struct hf_view *view = cluster_view(c);
    struct story_pair pair = {cluster_node_of(c, view, 0),
                              cluster_node_of(c, view, 1)};
    unsigned a = pair.proposer;
    unsigned m = pair.voter;
    unsigned b = cluster_node_of(c, view, 2);
    const struct hf_peer_info info = view->members[1];
    cluster_isolate(c, b);
    cluster_check(c, cluster_wait(c, SILENCE_MS, story_has_accepted, &pair),
                  "M does not accept what A proposes");
    cluster_isolate(c, a);
    tell_of_another_cluster(c, m, a);
    network_cut(&c->network, b, m, false);
    network_cut(&c->network, m, b, false);
    cluster_run(c, HF_WITHHOLD_MS + 2 * HF_LEASE_MS);
    cluster_check(c, c->processes[m].node->state == HF_STATE_MERGING,
                  "M does not merge any more");
    const struct hf_node *node = c->processes[b].node;
    const struct hf_peer *peer =
        hf_node_peer_find(node, info.id, info.incarnation);
    cluster_check(c, node->now - peer->heard < HF_SUSPECT_MS,
                  "B does not hear M");
    cluster_check(c, peer->bound + HF_LEASE_MS <= node->now, "M is bound to B");
}

/* A and B agree to go on, only A hears that they did, and is lost with its
 * host. Meanwhile C and D fork. B could wait for what A has decided for ever:
 * it takes part in the fork, where the only copies that it has are missed. */
static void who_accepted_what_is_lost_follows_a_fork(void **state)
{
    struct cluster_options options;
    cluster_options_init(&options, 1);
    options.node_count = 4;
    options.faults.delay_us = 20000;
    struct cluster *c = story_start_with(state, &options);
    c->invariants.two_sides = true;
    story_fill(c, 50);
    const struct hf_view *view = cluster_view(c);
    struct story_pair pair = {cluster_node_of(c, view, 0),
                              cluster_node_of(c, view, 1)};
    unsigned a = pair.proposer;
    unsigned b = pair.voter;
    unsigned x = cluster_node_of(c, view, 2);
    unsigned y = cluster_node_of(c, view, 3);
    unsigned here[] = {a, b};
    unsigned there[] = {x, y};
    for (unsigned i = 0; i < 4; i++) {
        cluster_cut(c, here[i / 2], there[i % 2]);
    }
    cluster_check(c, cluster_wait(c, SILENCE_MS, story_has_accepted, &pair),
                  "B does not accept what A proposes");
    network_cut(&c->network, a, b, true);
    cluster_check(c, cluster_wait(c, 100, story_is_of_two, &a),
                  "A does not hear that B has accepted");
    cluster_lose(c, a);
    cluster_check(c, cluster_wait(c, 2 * SILENCE_MS, story_has_forked, &x),
                  "C and D do not fork");
    for (unsigned i = 0; i < 2; i++) {
        network_cut(&c->network, b, there[i], false);
        network_cut(&c->network, there[i], b, false);
    }
    cluster_settle(c, CLUSTER_SETTLE_MS);
    c->invariants.two_sides = false;
    cluster_settle_and_check(c);
    story_expect_filled(c, 50);
}

/* @node hears of an earlier view that was agreed on again, and so gives its own
 * a later number. */
static void tell_of_an_earlier_view(struct cluster *c, unsigned node,
                                    unsigned from)
{
    const struct hf_peer_info *info = &c->processes[from].node->config.self;
    struct hf_view other = *c->processes[node].node->view;
    other.epoch++;
    other.base--;
    const struct hf_message message = {.type = HF_MESSAGE_VIEW, .view = &other};
    process_on_message(&c->processes[node], info->id, info->incarnation,
                       &message);
}

/* A and B are cut off, and A has the view in which all were under a later
 * number; X and Y have forked from it under the earlier one, and gone further.
 * Then Y goes on without X, and X meets A and B, to whom the fork gives way.
 * But in that view X has agreed to what came after: it does not go back there,
 * it asks to be taken in. */
static void who_leaves_a_fork_does_not_go_back(void **state)
{
    struct cluster_options options;
    cluster_options_init(&options, 3);
    options.node_count = 4;
    struct cluster *c = story_start_with(state, &options);
    c->invariants.two_sides = true;
    story_fill(c, 50);
    const struct hf_view *view = cluster_view(c);
    unsigned a = cluster_node_of(c, view, 0);
    unsigned b = cluster_node_of(c, view, 1);
    unsigned y = cluster_node_of(c, view, 2);
    unsigned x = cluster_node_of(c, view, 3);
    const struct hf_node *first = c->processes[a].node;
    const struct hf_node *last = c->processes[x].node;
    hf_epoch base = view->base;
    cluster_isolate(c, a);
    cluster_isolate(c, b);
    tell_of_an_earlier_view(c, a, b);
    cluster_run(c, 4 * SILENCE_MS);
    cluster_check(c,
                  first->view->base == base &&
                      first->view->epoch < last->view->epoch &&
                      story_has_forked(c, &x) && !story_has_forked(c, &a),
                  "X and Y do not fork");
    cluster_cut(c, x, y);
    cluster_run(c, SILENCE_MS);
    story_uncut(c, x, y);
    cluster_check(c, cluster_wait(c, SILENCE_MS, is_out, &x),
                  "Y does not go on without X");
    cluster_cut(c, x, y);
    story_uncut(c, x, a);
    cluster_run(c, SILENCE_MS);
    cluster_check(c, is_out(c, &x) && !story_has_forked(c, &x),
                  "X does not wait for A");
    cluster_heal(c);
    cluster_isolate(c, y);
    cluster_check(c, cluster_wait(c, 4 * SILENCE_MS, is_not_of_all, &x),
                  "A, B and X do not go on");
    story_bring_together(c);
    story_expect_filled(c, 50);
}

/* Of two, the one of lower rank could go on alone. When it stood still itself,
 * the silence it finds is its own. */
static void who_stood_still_accuses_nobody(void **state)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct cluster *c = story_start(state, 2, seed);
        const struct hf_view *view = cluster_view(c);
        unsigned first = cluster_node_of(c, view, 0);
        hf_epoch before = view->epoch;
        cluster_pause(c, first);
        cluster_run(c, 1300 + 50 * (int64_t)seed);
        cluster_resume(c, first);
        cluster_settle_and_check(c);
        cluster_check(c, cluster_view(c)->epoch == before,
                      "the other one was left out");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(proposers_do_not_outbid_each_other),
        STORY(who_is_outbid_by_one_unheard_bids_again),
        STORY(who_is_in_a_later_view_does_not_bind),
        STORY(what_was_accepted_is_decided),
        STORY(who_is_further_on_is_not_led_back),
        STORY(who_went_on_is_not_drawn_into_a_fork),
        STORY(what_was_accepted_holds_under_a_later_epoch),
        STORY(what_counts_on_the_dead_is_not_proposed),
        STORY(who_may_be_the_last_copy_waits_for_an_order),
        STORY(a_fork_that_failed_hides_no_decision),
        STORY(nobody_comes_back_to_a_view_it_has_left),
        STORY(who_promised_binds_itself_to_nobody_while_it_merges),
        STORY(who_accepted_what_is_lost_follows_a_fork),
        STORY(who_leaves_a_fork_does_not_go_back),
        STORY(who_stood_still_accuses_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
