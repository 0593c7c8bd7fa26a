/* votes_test.c - Whose votes a new view does without: of those who died, and of
 * those who gave way. What they had granted, or agreed to, may still hold. */
#include "core/node_state.h"
#include "support/story.h"

#define SILENCE_MS 3000

static bool serves_anything(const struct cluster *c, unsigned node)
{
    const struct process *process = &c->processes[node];
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        if (hf_node_serves(process->node, p, process_now(process))) {
            return true;
        }
    }
    return false;
}

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
        cluster_check(c, serves_anything(c, x), "X serves nothing any more");
        cluster_cut(c, d, x);
        cluster_kill(c, d);
        cluster_check(c, cluster_wait(c, SILENCE_MS, story_is_of_one, &a),
                      "A does not go on");
        cluster_check(c, !serves_anything(c, x),
                      "A goes on beside X, who has grants of D");
        cluster_heal(c);
        cluster_settle(c, CLUSTER_SETTLE_MS);
        story_end(state);
    }
}

static bool is_of_three(struct cluster *c, void *user)
{
    const unsigned *node = user;
    const struct hf_view *view = c->processes[*node].node->view;
    return hf_member_set_count(hf_view_voters(view)) == 3;
}

static bool has_forked(struct cluster *c, void *user)
{
    const unsigned *node = user;
    return c->processes[*node].node->view->lineage_count > 1;
}

static void uncut(struct cluster *c, unsigned one, unsigned other)
{
    network_cut(&c->network, one, other, false);
    network_cut(&c->network, other, one, false);
}

/* @node hears of a ballot above all that @later has heard of, which came to
 * nothing. */
static void tell_of_a_ballot(struct cluster *c, unsigned node, unsigned from,
                             unsigned later)
{
    const struct hf_peer_info *info = &c->processes[from].node->config.self;
    hf_epoch ballot = c->processes[later].node->highest_ballot + (1ull << 32);
    const struct hf_message message = {
        .type = HF_MESSAGE_PREPARE, .prepare = {.ballot = ballot, .base = 1}};
    process_on_message(&c->processes[node], info->id, info->incarnation,
                       &message);
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
    cluster_check(c, cluster_wait(c, 200, is_of_three, &a),
                  "A does not hear that B has accepted");
    cluster_isolate(c, b);
    cluster_check(c, cluster_wait(c, SILENCE_MS, story_is_of_two, &a),
                  "A and Y do not go on");
    cluster_run(c, 200);
    cluster_cut(c, a, y);
    cluster_check(c, cluster_wait(c, 3 * SILENCE_MS, has_forked, &y),
                  "Y does not fork");
    cluster_check(c, story_is_of_one(c, &a) && !has_forked(c, &a),
                  "A does not go on alone");
}

/* Y forks from a view that it has agreed to with A, who has gone on from there.
 * B knows only the view before that, and agrees on it with X and Z once more,
 * under a number that is later than that of the fork. When Y meets B it does
 * not give way: it would pass for one who has no vote in that view, and B, who
 * ranks first, would go on beside A, in the same lineage. */
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
    uncut(c, b, x);
    uncut(c, b, z);
    cluster_check(c, cluster_wait(c, 3 * SILENCE_MS, is_of_three, &b),
                  "B, X and Z do not agree");
    cluster_isolate(c, b);
    uncut(c, b, y);
    cluster_run(c, 4 * SILENCE_MS);
    cluster_heal(c);
    cluster_settle(c, CLUSTER_SETTLE_MS);
    c->invariants.two_sides = false;
    cluster_settle_and_check(c);
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
    cluster_run(c, 200);
    cluster_check(c, is_of_three(c, &a), "A hears that B has accepted");
    uncut(c, b, x);
    cluster_check(c, cluster_wait(c, SILENCE_MS, story_has_accepted, &again),
                  "X does not accept what B proposes");
    network_cut(&c->network, b, x, true);
    cluster_check(c, cluster_wait(c, 100, story_is_of_two, &b),
                  "B does not hear that X has accepted");
    cluster_isolate(c, b);
    tell_of_a_ballot(c, a, x, b);
    uncut(c, a, x);
    cluster_check(c, cluster_wait(c, 2 * SILENCE_MS, story_is_of_two, &a),
                  "A and X decide nothing");
    cluster_check(c, c->processes[a].node->view->members[1].id == second,
                  "A and X decide something else than B");
    cluster_heal(c);
    cluster_settle_and_check(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(what_the_dead_granted_is_waited_for),
        STORY(who_agreed_to_what_came_next_does_not_give_way),
        STORY(what_another_took_up_binds_who_chose_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
