/* repeat_test.c - Commands that are sent twice, because a link broke before
 * the answer: carried out once, and answered with what is sure. */
#include <stdio.h>

#include "core/node_state.h"
#include "support/story.h"

#define REDIAL_US 60000
#define REDIAL_MS 1000
#define KEYS 300

static unsigned remembered(const struct cluster *c, unsigned node)
{
    return c->processes[node].node->operations.count;
}

static void set_and_forget(struct cluster *c, unsigned node, unsigned number)
{
    char key[16];
    (void)snprintf(key, sizeof(key), "k%u", number);
    cluster_forget(cluster_ask(c, node, "SET", key, "v", NULL));
}

/* What was carried out for others is remembered until they have the answer. A
 * node that died in the middle of many never says so; that must not keep what
 * is remembered for the others, or memory grows without end. */
static void a_dead_node_keeps_nothing_of_others_remembered(void **state)
{
    struct cluster *c = story_start(state, 3, 1);
    for (unsigned i = 0; i < KEYS; i++) {
        set_and_forget(c, i % 3, i);
        if (i % 10 == 0) {
            cluster_run(c, 1);
        }
    }
    for (unsigned i = 0; i < 50; i++) {
        set_and_forget(c, 2, i);
    }
    cluster_run(c, 5);
    cluster_kill(c, 2);
    cluster_run(c, 500);
    for (unsigned i = 0; i < 2000; i++) {
        set_and_forget(c, i % 2, i % KEYS);
        if (i % 4 == 0) {
            cluster_run(c, 1);
        }
    }
    cluster_run(c, 500);
    cluster_check(c, remembered(c, 0) < 100 && remembered(c, 1) < 100,
                  "operations that are over are still remembered");
}

static bool is_link_up(struct cluster *c, void *user)
{
    (void)c;
    const struct network_link *link = user;
    return link->out.up;
}

/* Until it is up again, and what was under way was sent again. */
static void break_link(struct cluster *c, unsigned from, unsigned to)
{
    c->network.redial_us_max = REDIAL_US; /* Well within the hold. */
    network_break(&c->network, from, to, HF_CHANNEL_DATA);
    cluster_run(c, 2);
    cluster_check(
        c,
        cluster_wait(c, REDIAL_MS, is_link_up,
                     network_link_of(&c->network, from, to, HF_CHANNEL_DATA)),
        "the link does not come up again");
    cluster_run(c, 20);
}

/* A write that no backup has yet, and a read of it that was asked again. */
struct repeated {
    struct cluster *c;
    unsigned primary;
    unsigned backup;
    struct request *set;
    struct request *get;
};

static struct repeated read_again(void **state, uint64_t seed)
{
    struct cluster *c = story_start(state, 3, seed);
    struct repeated r = {.c = c};
    cluster_set(c, "k", "old");
    r.primary = cluster_primary_of(c, "k");
    r.backup = cluster_backup_of(c, "k");
    unsigned other = cluster_stranger_to(c, "k");
    cluster_clog(c, r.primary, r.backup, HF_CHANNEL_DATA);
    r.set = cluster_ask(c, r.primary, "SET", "k", "new", NULL);
    cluster_run(c, 5);
    r.get = cluster_ask(c, other, "GETEX", "k", NULL);
    cluster_run(c, 5);
    break_link(c, other, r.primary);
    return r;
}

/* GETEX without an option changes nothing, but may show a write that no backup
 * has yet. Asked again after its link broke it still has to wait for that
 * write: the primary may die, and then nobody ever wrote what was shown. */
static void a_repeated_read_waits_for_what_it_shows(void **state)
{
    struct repeated r = read_again(state, 9);
    struct cluster *c = r.c;
    cluster_expect_answer(c, "(waiting)", r.set);
    cluster_expect_answer(c, "(waiting)", r.get);

    cluster_kill(c, r.primary);
    cluster_settle_and_check(c);
    cluster_expect_answer(c, "old", r.get);
    cluster_expect(c, "k", "old");
}

/* The same, and the write arrives after all: then so does the answer. */
static void a_repeated_read_is_answered_with_what_it_shows(void **state)
{
    struct repeated r = read_again(state, 10);
    struct cluster *c = r.c;
    cluster_unclog(c, r.primary, r.backup, HF_CHANNEL_DATA);
    cluster_run(c, 20);
    cluster_expect_answer(c, "OK", r.set);
    cluster_expect_answer(c, "new", r.get);
    cluster_settle_and_check(c);
}

static void hold_long(struct cluster *c)
{
    for (unsigned i = 0; i < c->options.node_count; i++) {
        c->processes[i].config.hold_ms = 8000;
        cluster_boot(c, i);
    }
    cluster_settle(c, CLUSTER_SETTLE_MS);
}

static bool is_copy(struct cluster *c, void *user)
{
    const unsigned *node = user;
    const struct hf_view *view = cluster_view(c);
    const struct hf_acting *acting =
        &view->acting[hf_partition_of_key(hf_slice_text("n"))];
    return acting->count == 2 &&
           cluster_node_of(c, view, acting->members[1]) == *node;
}

/* The answer of an increment does not get through, and then the one that
 * carried it out dies. Whoever takes over was no copy when it happened, but was
 * filled since: with what was carried out, not only with what came of it. */
static void a_copy_filled_since_knows_what_was_carried_out(void **state)
{
    struct cluster_options options;
    cluster_options_init(&options, 3);
    options.boot_none = true;
    struct cluster *c = story_create(state, &options);
    hold_long(c);
    unsigned primary = cluster_primary_of(c, "n");
    unsigned backup = cluster_backup_of(c, "n");
    unsigned origin = cluster_stranger_to(c, "n");
    cluster_clog(c, primary, origin, HF_CHANNEL_DATA);
    struct request *request = cluster_ask(c, origin, "INCR", "n", NULL);
    cluster_run(c, 10);
    cluster_restart(c, backup);
    cluster_check(c, cluster_wait(c, 1900, is_copy, &backup),
                  "the one that was restarted is not filled");
    cluster_kill(c, primary);
    cluster_check(c, cluster_await(c, request, CLUSTER_COMMAND_MS),
                  "the increment is not answered");
    cluster_expect_answer(c, "1", request);
    cluster_forget(request);
    cluster_expect_reply(c, "1", origin, "GET", "n", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(a_dead_node_keeps_nothing_of_others_remembered),
        STORY(a_copy_filled_since_knows_what_was_carried_out),
        STORY(a_repeated_read_waits_for_what_it_shows),
        STORY(a_repeated_read_is_answered_with_what_it_shows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
