/* partition_test.c - Some nodes cannot reach others. What nobody can serve is
 * unavailable, never absent, and is there again when the network is. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "core/node_state.h"
#include "support/story.h"

#define KEYS 200
#define SILENCE_MS 3000
#define PAIR_MS 5000
#define LEFT_OUT_MS 2800

#define STORY(name)                                                            \
    cmocka_unit_test_setup_teardown(name, story_setup, story_teardown)

static void fill_key(char key[16], unsigned i)
{
    (void)snprintf(key, 16, "fill:%u", i);
}

/* Asks @node for every key; returns for how many it had no answer. */
static unsigned count_unavailable(struct cluster *c, unsigned node)
{
    unsigned count = 0;
    for (unsigned i = 0; i < KEYS; i++) {
        char key[16];
        fill_key(key, i);
        const char *answer = cluster_command(c, node, "GET", key, NULL);
        cluster_check(c, strcmp(answer, "(nil)") != 0,
                      "a session that exists was answered with nil");
        if (strstr(answer, "CLUSTERDOWN") != NULL) {
            count++;
        }
    }
    return count;
}

static void cut_off_two_of_five(struct cluster *c)
{
    for (unsigned a = 0; a < 3; a++) {
        cluster_cut(c, a, 3);
        cluster_cut(c, a, 4);
    }
    cluster_run(c, SILENCE_MS);
}

/* Three of five go on. Some sessions have both copies on the other two: they
 * are nobody's to answer for, until the two come back with them. */
static void what_only_the_cut_off_hold_is_unavailable_not_absent(void **state)
{
    struct cluster *c = story_start(state, 5, 21);
    story_fill(c, KEYS);
    cut_off_two_of_five(c);
    unsigned unavailable = count_unavailable(c, 0);
    cluster_check(c, unavailable > 0 && unavailable < KEYS / 2,
                  "some sessions, and not most, are unavailable");
    cluster_check(c, count_unavailable(c, 3) == KEYS,
                  "a side without a safe set serves nothing");
    cluster_heal(c);
    cluster_settle_and_check(c);
    story_expect_filled(c, KEYS);
}

/* One of the two that hold a session alone comes back before the other. */
static void one_copy_that_comes_back_is_enough(void **state)
{
    struct cluster *c = story_start(state, 5, 22);
    story_fill(c, KEYS);
    cut_off_two_of_five(c);
    cluster_kill(c, 4);
    cluster_heal(c);
    cluster_settle_and_check(c);
    story_expect_filled(c, KEYS);
}

static bool is_out(struct cluster *c, void *user)
{
    const unsigned *node = user;
    return c->processes[*node].node->state == HF_STATE_OUT;
}

/* It has left at once when the other came back first and has the same. */
static bool may_go(struct cluster *c, void *user)
{
    const unsigned *node = user;
    struct hf_node_status status;
    hf_node_get_status(c->processes[*node].node, &status);
    return status.drained || status.state == HF_STATE_LEFT;
}

/* The two are told to leave before they are members again. They say that they
 * are not to go yet, come back, and hand over what nobody else has. */
static void the_cut_off_do_not_leave_with_what_only_they_hold(void **state)
{
    struct cluster *c = story_start(state, 5, 25);
    story_fill(c, KEYS);
    cut_off_two_of_five(c);
    cluster_heal(c);
    for (unsigned node = 3; node < 5; node++) {
        struct hf_node_status status;
        cluster_check(c, cluster_wait(c, SILENCE_MS, is_out, &node),
                      "it hears that the others went on");
        hf_node_get_status(c->processes[node].node, &status);
        cluster_check(c, status.kept, "it says that it holds nothing");
        hf_node_drain(c->processes[node].node);
    }
    for (unsigned node = 3; node < 5; node++) {
        cluster_check(c, cluster_wait(c, CLUSTER_SETTLE_MS, may_go, &node),
                      "others take over what it held");
        cluster_kill(c, node);
    }
    cluster_settle_and_check(c);
    story_expect_filled(c, KEYS);
}

/* Whoever was left out alone holds nothing that others do not have. */
static void who_was_cut_off_alone_may_leave(void **state)
{
    struct cluster *c = story_start(state, 3, 26);
    unsigned node = 2;
    struct hf_node_status status;
    story_fill(c, KEYS);
    cluster_isolate(c, node);
    cluster_run(c, SILENCE_MS);
    cluster_heal(c);
    cluster_check(c, cluster_wait(c, SILENCE_MS, is_out, &node),
                  "it hears that the others went on");
    hf_node_get_status(c->processes[node].node, &status);
    cluster_check(c, !status.kept, "it says that it is needed");
}

/* Both are dead for good: their sessions are lost, which is said, and new ones
 * can be made in their place. */
static void what_died_with_both_copies_is_counted_and_starts_empty(void **state)
{
    struct cluster *c = story_start(state, 5, 23);
    story_fill(c, KEYS);
    cut_off_two_of_five(c);
    cluster_kill(c, 3);
    cluster_kill(c, 4);
    cluster_heal(c);
    cluster_settle(c, CLUSTER_SETTLE_MS);
    uint64_t lost = 0;
    for (unsigned node = 0; node < 3; node++) {
        lost += hf_node_get_counters(c->processes[node].node)->partitions_lost;
    }
    cluster_check(c, lost > 0, "lost partitions are counted");
    cluster_set(c, "fill:0", "new");
    cluster_expect(c, "fill:0", "new");
}

/* Only two of three cannot reach each other. One of them stays with the third,
 * nobody is logged out, and when the link is back all three are members. */
static void cut_pair(void **state, unsigned a, unsigned b, bool both_ways)
{
    struct cluster *c = story_start(state, 3, 24 + a * 3 + b);
    story_fill(c, KEYS);
    if (both_ways) {
        cluster_cut(c, a, b);
    } else {
        cluster_cut_one_way(c, a, b);
    }
    cluster_run(c, PAIR_MS);
    const struct hf_view *view = cluster_view(c);
    cluster_check(c, view != NULL && view->member_count == 2,
                  "two of the three go on");
    unsigned node = cluster_node_of(c, view, 0);
    cluster_check(c, count_unavailable(c, node) == 0,
                  "those that go on have every session");
    cluster_expect_reply(c, "OK", node, "SET", "fill:0", "after", NULL);
    cluster_expect_reply(c, "OK", node, "SET", "fill:0", "0", NULL);
    cluster_heal(c);
    cluster_settle_and_check(c);
}

static void a_cut_between_two_of_three_leaves_two(void **state)
{
    for (unsigned a = 0; a < 3; a++) {
        for (unsigned b = 0; b < 3; b++) {
            if (a < b) {
                cut_pair(state, a, b, true);
            }
            if (a != b) {
                cut_pair(state, a, b, false);
            }
        }
    }
}

/* One of three is heard by the others and hears nobody, whatever it dials. The
 * others go on without it, also when it ranks first. */
static void who_hears_nobody_is_left_out(void **state)
{
    for (unsigned deaf = 0; deaf < 3; deaf++) {
        struct cluster *c = story_start(state, 3, 90 + deaf);
        story_fill(c, KEYS);
        for (unsigned other = 0; other < 3; other++) {
            if (other != deaf) {
                cluster_cut_one_way(c, other, deaf);
            }
        }
        cluster_run(c, PAIR_MS);
        const struct hf_view *view = cluster_view(c);
        cluster_check(c, view != NULL && view->member_count == 2,
                      "the two that hear each other go on");
        cluster_check(c, count_unavailable(c, (deaf + 1) % 3) == 0,
                      "those that go on have every session");
        cluster_heal(c);
        cluster_settle_and_check(c);
    }
}

/* All that goes on here is that of @user, which is left out. */
static bool is_left_out(struct cluster *c, void *user)
{
    const unsigned *out = user;
    const struct hf_view *view = cluster_view(c);
    for (uint8_t i = 0; view != NULL && i < view->member_count; i++) {
        if (cluster_node_of(c, view, i) == *out) {
            return false;
        }
    }
    return view != NULL;
}

/* One of five, of any rank, and one other hear each other, or all are heard by
 * it and it hears one only. The three, and who hears all, are more than half:
 * they need not wait for the two, who cannot go on. */
static void who_hears_only_one_of_five_is_left_out(void **state)
{
    for (unsigned i = 0; i < 10; i++) {
        struct cluster *c = story_start(state, 5, 110 + i);
        unsigned out = cluster_node_of(c, cluster_view(c), (uint8_t)(i / 2));
        unsigned friend = (out + 1) % 5;
        story_fill(c, KEYS);
        for (unsigned other = 0; other < 5; other++) {
            if (other != out && other != friend && i % 2 == 0) {
                cluster_cut(c, other, out);
            } else if (other != out && other != friend) {
                cluster_cut_one_way(c, other, out);
            }
        }
        cluster_check(c, cluster_wait(c, LEFT_OUT_MS, is_left_out, &out),
                      "the four go on");
        cluster_run(c, 100);
        cluster_check(c, count_unavailable(c, friend) == 0,
                      "those that go on have every session");
        cluster_heal(c);
        cluster_settle_and_check(c);
        story_end(state);
    }
}

/* The control links of one of three to the others are stuck, while its clients
 * keep those for data busy: nobody has a lease from it. */
static void a_stuck_control_link_is_silence(void **state)
{
    struct cluster *c = story_start(state, 3, 120);
    unsigned out = cluster_node_of(c, cluster_view(c), 0);
    story_fill(c, KEYS);
    for (unsigned other = 0; other < 3; other++) {
        if (other != out) {
            cluster_clog(c, out, other, HF_CHANNEL_CONTROL);
        }
    }
    int64_t until_us = cluster_now_us(c) + (int64_t)LEFT_OUT_MS * 1000;
    for (unsigned i = 0; cluster_now_us(c) < until_us; i++) {
        char key[16];
        fill_key(key, i % KEYS);
        cluster_forget(cluster_ask(c, out, "GET", key, NULL));
        cluster_run(c, 20);
    }
    cluster_check(c, is_left_out(c, &out), "the two go on");
    cluster_heal(c);
    cluster_settle_and_check(c);
}

/* The last line of a log with a duration in it, for each node. */
static char said[3][256];

static void on_line(void *user, enum hf_log_level level, const char *text)
{
    (void)level;
    if (strstr(text, "is suspected: ") != NULL) {
        (void)snprintf(user, sizeof(said[0]), "%s", text);
    }
}

/* Only the way from n1 to n2 is cut: n2 hears nothing of n1, which hears n2 as
 * before. Each says of the other what is true, and for how long. */
static void a_suspicion_tells_what_is_true(void **state)
{
    struct cluster_options options;
    cluster_options_init(&options, 60);
    options.boot_none = true;
    struct cluster *c = story_create(state, &options);
    for (unsigned i = 0; i < 3; i++) {
        said[i][0] = '\0';
        c->processes[i].config.log =
            (struct hf_log){on_line, said[i], HF_LOG_WARNING};
        cluster_boot(c, i);
    }
    cluster_settle(c, CLUSTER_SETTLE_MS);
    cluster_cut_one_way(c, 0, 1);
    cluster_run(c, PAIR_MS);
    static const char *const forms[2] = {
        "n2 is suspected: it is heard, but has not heard this node for %d ms",
        "n1 is suspected: silent for %d ms"};
    for (unsigned i = 0; i < 2; i++) {
        int ms = 0;
        cluster_check(c, sscanf(said[i], forms[i], &ms) == 1, said[i]);
        cluster_check(c, ms > HF_UNHEARD_MS && ms < HF_GUARD_MS, said[i]);
    }
    cluster_check(c, said[2][0] == '\0', "n3 hears everybody");
    cluster_heal(c);
    cluster_settle_and_check(c);
}

/* What status says adds up: members that are away do not count twice. */
static void status_counts_what_is_served(void **state)
{
    struct cluster *c = story_start(state, 5, 61);
    story_fill(c, KEYS);
    cut_off_two_of_five(c);
    cluster_run(c, SILENCE_MS);
    unsigned unavailable = count_unavailable(c, 0);
    struct hf_node_status status;
    hf_node_get_status(c->processes[0].node, &status);
    cluster_check(c, status.serving && status.unsafe_ms == 0, "it serves");
    cluster_check(c, status.sessions + unavailable == KEYS,
                  "sessions are counted that nobody serves, or twice");
    cluster_check(c, status.partitions_unavailable > 0, "nothing is missing");
    uint64_t filling = 0;
    for (uint8_t i = 0; i < status.member_count; i++) {
        filling += status.members[i].filling;
    }
    cluster_check(c, status.refill_partitions == filling,
                  "what is still to be filled does not add up");
    hf_node_get_status(c->processes[3].node, &status);
    cluster_check(c,
                  !status.serving && status.unsafe_ms > 0 &&
                      !status.fork_allowed && status.no_takeover == NULL,
                  "the others do not say that they stopped");
    cluster_heal(c);
    cluster_settle_and_check(c);
    hf_node_get_status(c->processes[3].node, &status);
    cluster_check(c,
                  status.serving && status.sessions == KEYS &&
                      status.partitions_unavailable == 0 &&
                      status.refill_partitions == 0,
                  "all is well again");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(what_only_the_cut_off_hold_is_unavailable_not_absent),
        STORY(one_copy_that_comes_back_is_enough),
        STORY(the_cut_off_do_not_leave_with_what_only_they_hold),
        STORY(who_was_cut_off_alone_may_leave),
        STORY(a_cut_between_two_of_three_leaves_two),
        STORY(who_hears_nobody_is_left_out),
        STORY(who_hears_only_one_of_five_is_left_out),
        STORY(a_stuck_control_link_is_silence),
        STORY(a_suspicion_tells_what_is_true),
        STORY(status_counts_what_is_served),
        STORY(what_died_with_both_copies_is_counted_and_starts_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
