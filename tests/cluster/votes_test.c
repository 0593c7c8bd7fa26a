/* votes_test.c - What a vote binds, and whose a new view does without: of those
 * who died, and of those who gave way. What they had granted, or agreed to, may
 * still hold. */
#include "core/node_state.h"
#include "support/story.h"

#define SILENCE_MS 3000

/* A and X do not hear each other, D hears both. D dies when A has just waited
 * for what it granted to X itself: A could go on alone, but X still has what D
 * granted, and does not know of its death. */
static void what_the_dead_granted_is_waited_for(void **state)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct cluster_options options;
        cluster_options_init(&options, seed);
        options.policy = HF_POLICY_MAJORITY;
        struct cluster *c = story_start_with(state, &options);
        story_fill(c, 20);
        const struct hf_view *view = cluster_view(c);
        unsigned a = cluster_node_of(c, view, 0);
        unsigned d = cluster_node_of(c, view, 1);
        unsigned x = cluster_node_of(c, view, 2);
        cluster_cut(c, a, x);
        cluster_run(c, HF_GUARD_MS - 50 * (int64_t)(seed - 1));
        cluster_check(c, story_serves_anything(c, x),
                      "X serves nothing any more");
        cluster_cut(c, d, x);
        cluster_kill(c, d);
        cluster_check(c, cluster_wait(c, SILENCE_MS, story_is_of_one, &a),
                      "A does not go on");
        cluster_check(c, !story_serves_anything(c, x),
                      "A goes on beside X, who has grants of D");
        cluster_heal(c);
        cluster_settle(c, CLUSTER_SETTLE_MS);
        story_end(state);
    }
}

static bool has_promised(struct cluster *c, struct story_pair pair)
{
    const struct hf_node *a = c->processes[pair.proposer].node;
    const struct hf_node *b = c->processes[pair.voter].node;
    return a->ballot.active && !a->ballot.accepting &&
           b->promised == a->ballot.number;
}

/* Whether one of the two has promised what the other one proposes. Who of them
 * does so first is chance. */
static bool one_has_promised(struct cluster *c, void *user)
{
    struct story_pair *pair = user;
    if (!has_promised(c, *pair)) {
        *pair = (struct story_pair){pair->voter, pair->proposer};
    }
    return has_promised(c, *pair);
}

/* X, who ranks first, stands still, and B promises A to go on without it. Then
 * X reads again, before that is decided, and only B hears it, who has a copy of
 * what X is primary of: with a grant of B it would serve that. But then it
 * serves on when B has taken over, for it does not hear of the new view. */
static void who_has_promised_grants_nothing(void **state)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct cluster_options options;
        cluster_options_init(&options, 100 + seed);
        options.policy = HF_POLICY_MAJORITY;
        options.faults.delay_us = 20000; /* Time to look in between. */
        struct cluster *c = story_start_with(state, &options);
        story_fill(c, 20);
        const struct hf_view *view = cluster_view(c);
        unsigned x = cluster_node_of(c, view, 0);
        struct story_pair pair = {cluster_node_of(c, view, 1),
                                  cluster_node_of(c, view, 2)};
        cluster_pause(c, x);
        cluster_check(c, cluster_wait(c, SILENCE_MS, one_has_promised, &pair),
                      "nobody promises to go on without X");
        unsigned a = pair.proposer;
        unsigned b = pair.voter;
        cluster_cut(c, a, x);
        cluster_clog(c, a, b, HF_CHANNEL_CONTROL);
        cluster_resume(c, x);
        cluster_run(c, 2 * HF_HEARTBEAT_MS + 50);
        cluster_check(c, story_is_of_three(c, &a) && story_is_of_three(c, &b),
                      "it is decided already");
        cluster_cut(c, b, x);
        cluster_unclog(c, a, b, HF_CHANNEL_CONTROL);
        cluster_check(c, cluster_wait(c, SILENCE_MS, story_is_of_two, &b),
                      "A and B do not go on");
        cluster_run(c, HF_LEASE_MS);
        cluster_check(c, story_serves_anything(c, b), "B serves nothing");
        cluster_heal(c);
        cluster_settle_and_check(c);
        story_expect_filled(c, 20);
        story_end(state);
    }
}

/* @node hears of a ballot above all that @later has heard of, which came to
 * nothing. */
static void tell_of_a_ballot(struct cluster *c, unsigned node, unsigned from,
                             unsigned later)
{
    hf_epoch ballot = c->processes[later].node->highest_ballot + (1ull << 32);
    const struct hf_message message = {
        .type = HF_MESSAGE_PREPARE, .prepare = {.ballot = ballot, .base = 1}};
    story_tell(c, from, node, &message);
}

/* A, who proposes, Y and B agree to go on without X and Z, and B does not hear
 * that they did. A and Y go on without B; then they are parted, and A goes on
 * alone, while Y forks. */
static void go_on_without(struct cluster *c, struct story_pair pair, unsigned y,
                          unsigned x, unsigned z)
{
    unsigned a = pair.proposer;
    unsigned b = pair.voter;
    cluster_isolate(c, x);
    cluster_isolate(c, z);
    cluster_run(c, HF_SUSPECT_MS + 100);
    cluster_pause(c, b); /* So that A proposes. */
    cluster_run(c, 600);
    cluster_resume(c, b);
    cluster_check(c, cluster_wait(c, 3 * SILENCE_MS, story_has_accepted, &pair),
                  "B does not accept what A proposes");
    network_cut(&c->network, a, b, true);
    network_cut(&c->network, y, b, true);
    cluster_check(c, cluster_wait(c, 200, story_is_of_three, &a),
                  "A does not hear that B has accepted");
    cluster_isolate(c, b);
    cluster_check(c, cluster_wait(c, SILENCE_MS, story_is_of_two, &a),
                  "A and Y do not go on");
    cluster_run(c, 200);
    cluster_cut(c, a, y);
    cluster_check(c, cluster_wait(c, 3 * SILENCE_MS, story_has_forked, &y),
                  "Y does not fork");
    cluster_check(c, story_is_of_one(c, &a) && !story_has_forked(c, &a),
                  "A does not go on alone");
}

/* Whether the voter takes part in the lineage of the proposer. */
static bool is_of_fork(struct cluster *c, void *user)
{
    const struct story_pair *pair = user;
    const struct hf_node *b = c->processes[pair->voter].node;
    const struct hf_node *y = c->processes[pair->proposer].node;
    return b->state == HF_STATE_ACTIVE &&
           hf_lineage_of(b->view) == hf_lineage_of(y->view);
}

/* Y forks from a view that it has agreed to with A, who has gone on from there.
 * B knows only the view before that, and agrees on it with X and Z once more,
 * under a number that is later than that of the fork. When Y meets B it does
 * not give way: it would pass for one who has no vote in that view, and B, who
 * ranks first, would go on beside A, in the same lineage. Nor do they wait for
 * each other: Y takes a later number, and B follows. */
static void who_agreed_to_what_came_next_does_not_give_way(void **state)
{
    struct cluster_options options;
    cluster_options_init(&options, 7);
    options.node_count = 5;
    options.faults.delay_us = 20000;
    struct cluster *c = story_start_with(state, &options);
    c->invariants.two_sides = true;
    story_fill(c, 50);
    const struct hf_view *view = cluster_view(c);
    unsigned b = cluster_node_of(c, view, 0);
    unsigned a = cluster_node_of(c, view, 1);
    unsigned y = cluster_node_of(c, view, 2);
    unsigned x = cluster_node_of(c, view, 3);
    unsigned z = cluster_node_of(c, view, 4);
    go_on_without(c, (struct story_pair){a, b}, y, x, z);
    tell_of_a_ballot(c, b, x, y);
    story_uncut(c, b, x);
    story_uncut(c, b, z);
    cluster_check(c, cluster_wait(c, 3 * SILENCE_MS, story_is_of_three, &b),
                  "B, X and Z do not agree");
    cluster_isolate(c, b);
    struct story_pair forked = {y, b};
    story_uncut(c, b, y);
    cluster_check(c, cluster_wait(c, 4 * SILENCE_MS, is_of_fork, &forked),
                  "B does not follow the fork");
    story_bring_together(c);
    story_expect_filled(c, 50);
}

/* A chooses to go on with B and without X, and B accepts, but A does not hear
 * that. B takes that up, and goes on so; only it knows that X has accepted. A
 * and X are enough to decide, but now what A has chosen itself binds it. */
static void what_another_took_up_binds_who_chose_it(void **state)
{
    struct cluster_options options;
    cluster_options_init(&options, 7);
    options.faults.delay_us = 20000;
    options.policy = HF_POLICY_MAJORITY;
    struct cluster *c = story_start_with(state, &options);
    const struct hf_view *view = cluster_view(c);
    unsigned a = cluster_node_of(c, view, 0);
    unsigned b = cluster_node_of(c, view, 1);
    unsigned x = cluster_node_of(c, view, 2);
    hf_node_id second = view->members[1].id;
    struct story_pair first = {a, b};
    struct story_pair again = {b, x};
    cluster_isolate(c, x);
    cluster_check(c, cluster_wait(c, SILENCE_MS, story_has_accepted, &first),
                  "B does not accept what A proposes");
    cluster_isolate(c, a);
    cluster_run(c, HF_GUARD_MS); /* B is the first who may go on without A. */
    cluster_check(c, story_is_of_three(c, &a), "A hears that B has accepted");
    story_uncut(c, b, x);
    cluster_check(c, cluster_wait(c, SILENCE_MS, story_has_accepted, &again),
                  "X does not accept what B proposes");
    network_cut(&c->network, b, x, true);
    cluster_check(c, cluster_wait(c, 100, story_is_of_two, &b),
                  "B does not hear that X has accepted");
    cluster_isolate(c, b);
    tell_of_a_ballot(c, a, x, b);
    story_uncut(c, a, x);
    cluster_check(c, cluster_wait(c, 2 * SILENCE_MS, story_is_of_two, &a),
                  "A and X decide nothing");
    cluster_check(c, c->processes[a].node->view->members[1].id == second,
                  "A and X decide something else than B");
    cluster_heal(c);
    cluster_settle_and_check(c);
}

static uint64_t lineage_of(const struct cluster *c, unsigned node)
{
    return hf_lineage_of(c->processes[node].node->view);
}

/* The third of @user, by the first two, who have not forked. */
static bool is_taken_in(struct cluster *c, void *user)
{
    const unsigned *node = user;
    return lineage_of(c, node[2]) == lineage_of(c, node[0]) &&
           c->processes[node[2]].node->state == HF_STATE_ACTIVE;
}

/* Of four, the first two go on, and B and D fork. D stands still then, B goes
 * on alone, changes what it has, and gives way to the first two. */
static void fork_and_go_over(struct cluster *c, unsigned node[4],
                             uint64_t *fork)
{
    unsigned b = node[2];
    unsigned d = node[3];
    for (unsigned i = 0; i < 2; i++) {
        cluster_cut(c, node[i], b);
        cluster_cut(c, node[i], d);
    }
    cluster_check(c, cluster_wait(c, 3 * SILENCE_MS, story_has_forked, &d),
                  "B and D do not fork");
    cluster_run(c, 1000);
    cluster_isolate(c, d);
    cluster_pause(c, d);
    cluster_check(c, cluster_wait(c, SILENCE_MS, story_is_of_one, &b),
                  "B does not go on alone");
    *fork = lineage_of(c, b);
    cluster_check(c, lineage_of(c, d) == *fork, "D has another lineage");
    cluster_expect_reply(c, "OK", b, "SET", "late", "two", NULL);
    story_uncut(c, node[0], b);
    story_uncut(c, node[1], b);
    cluster_check(c, cluster_wait(c, 3 * SILENCE_MS, is_taken_in, node),
                  "B is not taken in by the first two");
}

/* B and D were one fork, and B has gone on there without D, handed that over,
 * and forked from where it was taken in. Then it meets D, who knows only what
 * both were in. It is D's lineage that B gives way to, but not where D is: D
 * would go on beside what B has acknowledged there. So D forks. */
static void who_handed_over_gives_way_to_nothing_before(void **state)
{
    unsigned gives_way = 0; /* In how many the later fork of B does. */
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct cluster_options options;
        cluster_options_init(&options, 20 + seed);
        options.policy = HF_POLICY_AVAILABLE;
        options.node_count = 4;
        options.backups = 3; /* So B and D have all that they go on with. */
        struct cluster *c = story_start_with(state, &options);
        c->invariants.two_sides = true;
        story_fill(c, 50);
        cluster_set(c, "late", "one");
        unsigned node[4];
        story_by_rank(c, node, 4);
        unsigned b = node[2];
        unsigned d = node[3];
        uint64_t fork;
        fork_and_go_over(c, node, &fork);
        cluster_isolate(c, b);
        cluster_check(c, cluster_wait(c, 3 * SILENCE_MS, story_has_forked, &b),
                      "B does not fork again");
        gives_way += lineage_of(c, b) > fork ? 1 : 0;
        story_uncut(c, b, d);
        cluster_resume(c, d);
        for (unsigned i = 0; i < 40; i++) {
            cluster_run(c, 100);
            cluster_check(
                c, !story_serves_anything(c, d) || lineage_of(c, d) != fork,
                "D goes on beside what was acknowledged without it");
        }
        story_bring_together(c);
        cluster_expect(c, "late", "two");
        story_expect_filled(c, 50);
        story_end(state);
    }
    assert_true(gives_way > 0);
}

static bool is_out_of(struct cluster *c, void *user)
{
    const unsigned *node = user;
    return story_is_out(c, user) &&
           lineage_of(c, node[0]) == lineage_of(c, node[1]);
}

/* X, A and Q go on without B, and are parted. X and B go on alone, by order. If
 * X is to give way, it hands over to B, and is out of its lineage then. */
static bool give_way_by_order(struct cluster *c, const unsigned node[4])
{
    unsigned x = node[0];
    unsigned b = node[3];
    cluster_isolate(c, b);
    cluster_check(c, cluster_wait(c, 2 * SILENCE_MS, story_is_of_three, &x),
                  "X, A and Q do not go on");
    cluster_run(c, 1000);
    for (unsigned i = 0; i < 3; i++) {
        cluster_isolate(c, node[i]);
    }
    cluster_run(c, SILENCE_MS);
    for (unsigned i = 0; i < 4; i += 3) {
        cluster_check(c, hf_node_takeover(c->processes[node[i]].node) == NULL,
                      "the order is refused");
    }
    cluster_run(c, 2 * SILENCE_MS);
    if (lineage_of(c, x) < lineage_of(c, b)) {
        return false;
    }
    cluster_expect_reply(c, "OK", x, "SET", "late", "two", NULL);
    story_uncut(c, x, b);
    unsigned out[] = {x, b};
    cluster_check(c, cluster_wait(c, 2 * SILENCE_MS, is_out_of, out),
                  "X does not hand over");
    story_uncut(c, x, node[1]);
    cluster_isolate(c, b);
    return true;
}

/* The second of @user goes on alone, where the first is waited for, or not. */
static bool is_alone_beside(struct cluster *c, void *user)
{
    unsigned *node = user;
    return story_is_of_one(c, &node[1]) && !story_has_forked(c, &node[1]) &&
           !story_is_active(c, &node[0]);
}

/* X has agreed to nothing that follows the view in which it was with A, though
 * it has promised later numbers elsewhere; nor has it any more what that counts
 * on. So it is out of that view, and A, who hears nobody else, does not wait
 * for its vote. What X had B brings. */
static void who_handed_over_elsewhere_is_not_waited_for(void **state)
{
    unsigned gives_way = 0; /* In how many X does. */
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct cluster_options options;
        cluster_options_init(&options, 60 + seed);
        options.policy = HF_POLICY_MAJORITY;
        options.node_count = 4;
        options.backups = 3; /* So B goes on with all there is. */
        struct cluster *c = story_start_with(state, &options);
        c->invariants.two_sides = true;
        story_fill(c, 50);
        cluster_set(c, "late", "one");
        unsigned node[4];
        story_by_rank(c, node, 4);
        if (give_way_by_order(c, node)) {
            gives_way++;
            cluster_check(c, cluster_wait(c, SILENCE_MS, is_alone_beside, node),
                          "A waits for the vote of X");
            story_bring_together(c);
            cluster_expect(c, "late", "two");
            story_expect_filled(c, 50);
        }
        story_end(state);
    }
    assert_true(gives_way > 0);
}

/* @node hears of an earlier view that was agreed on again, and so gives its own
 * a later number. */
static void renumber(struct cluster *c, unsigned node, unsigned from)
{
    struct hf_view other = *c->processes[node].node->view;
    other.epoch = c->processes[from].node->highest_ballot + (1ull << 32);
    other.base--;
    const struct hf_message message = {.type = HF_MESSAGE_VIEW, .view = &other};
    story_tell(c, from, node, &message);
}

static struct cluster *start_four(void **state, uint64_t seed, unsigned node[4])
{
    struct cluster_options options;
    cluster_options_init(&options, 60 + seed);
    options.policy = HF_POLICY_MAJORITY;
    options.node_count = 4;
    options.backups = 3;
    struct cluster *c = story_start_with(state, &options);
    c->invariants.two_sides = true;
    story_fill(c, 50);
    story_by_rank(c, node, 4);
    return c;
}

/* The same, and X does not hear that A has gone on without it. Then it meets Q,
 * in the view that it is out of, under a later number. Did it take part there,
 * the two were enough to go on beside A. */
static void who_gave_up_its_vote_does_not_get_it_back(void **state)
{
    unsigned gives_way = 0;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        unsigned node[4];
        struct cluster *c = start_four(state, seed, node);
        if (give_way_by_order(c, node)) {
            gives_way++;
            unsigned x = node[0];
            cluster_check(c, cluster_wait(c, SILENCE_MS, is_out_of, node),
                          "X does not wait for A");
            network_cut(&c->network, node[1], x, true);
            cluster_check(c, cluster_wait(c, SILENCE_MS, is_alone_beside, node),
                          "A waits for the vote of X");
            cluster_isolate(c, x);
            cluster_check(c, story_is_of_three(c, &x),
                          "X hears that A has gone on");
            renumber(c, node[2], x);
            story_uncut(c, x, node[2]);
            for (unsigned i = 0; i < 40; i++) {
                cluster_run(c, 100);
                cluster_check(c, !story_is_active(c, &x), "X votes once more");
            }
            story_bring_together(c);
            story_expect_filled(c, 50);
        }
        story_end(state);
    }
    assert_true(gives_way > 0);
}

/* X is out of its view, and hears nobody who is in that, but somebody of a fork
 * that would give way to it: after ten seconds it hands over to that one. */
static void hand_over_to_a_fork(struct cluster *c, unsigned x, unsigned b)
{
    cluster_isolate(c, x);
    cluster_run(c, SILENCE_MS);
    story_uncut(c, x, b);
    cluster_check(c, cluster_wait(c, 2 * HF_DESERTED_MS, story_is_merging, &x),
                  "X waits for ever");
}

/* The same again: X takes over the later number, and is still out. Then it
 * begins to hand over to B, who gives way to A but is the only one whom X
 * hears, and in vain: it does not take part in the view that it was out of. */
static void who_was_out_stays_out_when_it_hands_over_in_vain(void **state)
{
    unsigned gives_way = 0;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        unsigned node[4];
        struct cluster *c = start_four(state, seed, node);
        if (give_way_by_order(c, node)) {
            gives_way++;
            unsigned x = node[0];
            cluster_check(c, cluster_wait(c, SILENCE_MS, is_out_of, node),
                          "X does not wait for A");
            network_cut(&c->network, node[1], x, true);
            cluster_check(c, cluster_wait(c, SILENCE_MS, is_alone_beside, node),
                          "A waits for the vote of X");
            cluster_isolate(c, x);
            renumber(c, node[2], x);
            story_show_view_of(c, node[2], x);
            hand_over_to_a_fork(c, x, node[3]);
            cluster_isolate(c, x);
            for (unsigned i = 0; i < 60; i++) {
                cluster_run(c, 100);
                cluster_check(c, !story_is_active(c, &x), "X votes once more");
            }
            cluster_check(c, story_is_out(c, &x), "X hands over to nobody");
            story_bring_together(c);
            story_expect_filled(c, 50);
        }
        story_end(state);
    }
    assert_true(gives_way > 0);
}

/* Of three, X has no copy of anything yet. */
static struct cluster *start_with_one_to_fill(void **state, uint64_t seed,
                                              unsigned node[4])
{
    struct cluster_options options;
    cluster_options_init(&options, seed);
    options.policy = HF_POLICY_MAJORITY;
    options.node_count = 4;
    options.backups = 2;
    options.boot_none = true;
    struct cluster *c = story_create(state, &options);
    c->invariants.two_sides = true;
    cluster_boot_first(c, 3);
    story_fill(c, 50);
    unsigned others[3];
    story_by_rank(c, others, 3);
    cluster_boot(c, 3);
    story_fill_copies(c, false);
    node[0] = 3;
    node[1] = others[0];
    node[2] = others[1];
    node[3] = others[2];
    cluster_check(c, cluster_wait(c, 2 * SILENCE_MS, story_is_active, &node[0]),
                  "X is not taken in");
    return c;
}

/* X has no copies, so no view counts on any that it has handed over. It is out
 * of the view that it was in with A, who goes on without its vote, and then out
 * of a fork. It does not vote in that view when it meets Q there, later. */
static void who_gave_up_its_vote_has_none_when_it_comes_back(void **state)
{
    unsigned gives_way = 0;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        unsigned node[4];
        struct cluster *c = start_with_one_to_fill(state, 80 + seed, node);
        if (give_way_by_order(c, node)) {
            gives_way++;
            unsigned x = node[0];
            unsigned in_fork[] = {x, node[3]};
            cluster_check(c, cluster_wait(c, SILENCE_MS, is_out_of, node),
                          "X does not wait for A");
            network_cut(&c->network, node[1], x, true);
            cluster_check(c, cluster_wait(c, SILENCE_MS, is_alone_beside, node),
                          "A waits for the vote of X");
            hand_over_to_a_fork(c, x, node[3]);
            cluster_check(c, cluster_wait(c, SILENCE_MS, is_out_of, in_fork),
                          "X does not go with the fork");
            cluster_isolate(c, x);
            renumber(c, node[2], x);
            story_uncut(c, x, node[2]);
            for (unsigned i = 0; i < 40; i++) {
                cluster_run(c, 100);
                cluster_check(c, !story_is_active(c, &x), "X votes once more");
            }
            cluster_check(c, is_out_of(c, node), "X does not meet Q");
            story_fill_copies(c, true);
            story_bring_together(c);
            story_expect_filled(c, 50);
        }
        story_end(state);
    }
    assert_true(gives_way > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(what_the_dead_granted_is_waited_for),
        STORY(who_has_promised_grants_nothing),
        STORY(who_agreed_to_what_came_next_does_not_give_way),
        STORY(what_another_took_up_binds_who_chose_it),
        STORY(who_handed_over_gives_way_to_nothing_before),
        STORY(who_handed_over_elsewhere_is_not_waited_for),
        STORY(who_gave_up_its_vote_does_not_get_it_back),
        STORY(who_was_out_stays_out_when_it_hands_over_in_vain),
        STORY(who_gave_up_its_vote_has_none_when_it_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
