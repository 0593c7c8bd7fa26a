/* successor_test.c - Of two processes of one name only one lives, and clocks do
 * not tell which: it is who gives back what it was sent since both are known.
 * While one is heard no greeting of another is taken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "core/node_state.h"
#include "support/lone_node.h"

struct fixture {
    struct hf_mem system;
    struct lone_node lone;
    struct hf_peer_info earlier;
    struct hf_peer_info later;
};

static struct fixture f; /* Too large for a stack. */

/* The process of one name that started when the clock there said @at. */
static struct hf_peer_info process_of(uint64_t at)
{
    struct hf_peer_info info = {
        .id = 77, .incarnation = at, .started_ms = at, .peer_port = 7777};
    (void)snprintf(info.name, sizeof(info.name), "other");
    (void)snprintf(info.host, sizeof(info.host), "127.0.0.1");
    return info;
}

static int open_lone(void **state)
{
    (void)state;
    struct hf_node_config config;
    lone_node_config(&config);
    hf_mem_init_system(&f.system);
    assert_int_equal(lone_node_open(&f.lone, &config, &f.system), 0);
    lone_node_start(&f.lone);
    lone_node_wait(&f.lone, 10000);
    f.earlier = process_of(1000);
    f.later = process_of(9000);
    return 0;
}

static int close_lone(void **state)
{
    (void)state;
    lone_node_close(&f.lone);
    return 0;
}

/* A session that @info dialled came, or ended. */
static void dialled(const struct hf_peer_info *info, bool up)
{
    struct hf_event event = {
        .type = HF_EVENT_LINK,
        .link = {
            .peer = info, .channel = HF_CHANNEL_DATA, .out = false, .up = up}};
    lone_node_step(&f.lone, &event);
}

/* Both ends of the control channel to @info are up: it is heard. */
static void is_linked(const struct hf_peer_info *info)
{
    for (unsigned out = 0; out < 2; out++) {
        struct hf_event event = {.type = HF_EVENT_LINK,
                                 .link = {.peer = info,
                                          .channel = HF_CHANNEL_CONTROL,
                                          .out = out == 1,
                                          .up = true}};
        lone_node_step(&f.lone, &event);
    }
}

static bool takes(const struct hf_peer_info *info)
{
    return hf_node_takes(f.lone.node, info, f.lone.now);
}

/* A view with @info as a member comes, by way of somebody else. */
static void told_of_a_view_with(const struct hf_peer_info *info)
{
    static struct hf_view view; /* Too large for a stack. */
    const struct hf_message message = {.type = HF_MESSAGE_VIEW, .view = &view};
    lone_node_meet(&f.lone, 0);
    view = *hf_node_get_view(f.lone.node);
    view.base = view.epoch;
    view.epoch += (hf_epoch)1 << 32;
    view.members[view.member_count++] = *info;
    lone_node_tell(&f.lone, 0, &message);
    assert_true(hf_node_get_view(f.lone.node)->epoch == view.epoch);
}

/* @info gives back what was sent at @echo. */
static void gives_back(const struct hf_peer_info *info, hf_time echo)
{
    const struct hf_message message = {
        .type = HF_MESSAGE_HEARTBEAT,
        .heartbeat = {.echo = echo, .sent_at = 1, .state = HF_STATE_STARTING}};
    struct hf_event event = {.type = HF_EVENT_MESSAGE,
                             .message = {.from = info->id,
                                         .incarnation = info->incarnation,
                                         .message = &message}};
    lone_node_step(&f.lone, &event);
}

/* Then the view goes on without it at once, for it is the only other one. */
static bool is_dead(const struct hf_peer_info *info)
{
    const struct hf_view *view = hf_node_get_view(f.lone.node);
    return hf_view_find(view, info->id, info->incarnation) == HF_MEMBER_NONE;
}

/* Whichever is the later one by its clock. */
static void a_greeting_is_no_proof(void **state)
{
    (void)state;
    const struct hf_peer_info *member = &f.earlier;
    const struct hf_peer_info *other = &f.later;
    hf_time before = f.lone.now;
    lone_node_wait(&f.lone, 50);
    if (*state == &f) {
        member = &f.later;
        other = &f.earlier;
    }
    told_of_a_view_with(member);
    dialled(member, true);
    dialled(member, false);
    assert_true(takes(other));
    dialled(other, true);
    assert_false(is_dead(member));
    gives_back(other, before);
    assert_false(is_dead(member));
    lone_node_wait(&f.lone, 50);
    gives_back(other, f.lone.now - 50);
    assert_true(is_dead(member));
}

static void a_greeting_is_no_proof_whatever_the_clock_says(void **state)
{
    *state = &f;
    a_greeting_is_no_proof(state);
}

/* What we sent before we met it proves nothing: it may be of an earlier time of
 * its, and the member have started since. */
static void what_was_given_back_before_is_no_proof(void **state)
{
    (void)state;
    told_of_a_view_with(&f.earlier);
    lone_node_wait(&f.lone, 50);
    hf_time before = f.lone.now;
    lone_node_wait(&f.lone, 50);
    dialled(&f.later, true);
    gives_back(&f.later, before);
    assert_false(is_dead(&f.earlier));
    gives_back(&f.later, f.lone.now + 1); /* Of another process of ours. */
    assert_false(is_dead(&f.earlier));
    gives_back(&f.later, f.lone.now);
    assert_true(is_dead(&f.earlier));
}

/* A refusal proves it for both, as long as nobody is at their address. */
static void who_greeted_does_not_hide_that_all_are_dead(void **state)
{
    (void)state;
    told_of_a_view_with(&f.earlier);
    dialled(&f.later, true);
    assert_false(is_dead(&f.earlier));
    f.lone.probe = 0;
    dialled(&f.later, false);
    assert_int_not_equal(f.lone.probe, 0);
    struct hf_event event = {
        .type = HF_EVENT_PROBED,
        .probed = {.token = f.lone.probe, .result = HF_PROBE_REFUSED}};
    lone_node_step(&f.lone, &event);
    assert_true(is_dead(&f.earlier));
}

/* What it was granted before still binds us: it may live. */
static void who_is_hidden_by_a_greeting_keeps_what_it_was_granted(void **state)
{
    (void)state;
    told_of_a_view_with(&f.earlier);
    is_linked(&f.earlier);
    gives_back(&f.earlier, f.lone.now);
    lone_node_wait(&f.lone, HF_HEARTBEAT_MS);
    struct hf_node *node = f.lone.node;
    uint8_t member = hf_view_find_id(node->view, f.earlier.id);
    hf_time given = hf_node_given(node, member);
    assert_true(given > 0);
    node->members[member].peer->in_up[HF_CHANNEL_CONTROL] = false;
    assert_true(takes(&f.later));
    dialled(&f.later, true);
    assert_true(node->members[member].peer == NULL);
    assert_int_equal(hf_node_given(node, member), given);
    dialled(&f.earlier, true);
    assert_int_equal(hf_node_given(node, member), given);
}

/* The one that is dead may say that it is the later one. */
static void who_is_heard_is_not_replaced(void **state)
{
    (void)state;
    is_linked(&f.earlier);
    assert_false(takes(&f.later));
    lone_node_wait(&f.lone, HF_SUSPECT_MS);
    assert_true(takes(&f.later));
    dialled(&f.later, true);
    assert_true(takes(&f.earlier)); /* It lives, and dials again. */
}

/* All links to @info end, the one that it dialled as when a process ends. */
static void is_cut(const struct hf_peer_info *info, bool abrupt)
{
    for (unsigned i = 0; i < 2 * HF_CHANNEL_COUNT; i++) {
        struct hf_event event = {.type = HF_EVENT_LINK,
                                 .link = {.peer = info,
                                          .channel = (enum hf_channel)(i / 2),
                                          .out = i % 2 == 1,
                                          .abrupt = abrupt}};
        lone_node_step(&f.lone, &event);
    }
}

static void is_refused(void)
{
    struct hf_event event = {
        .type = HF_EVENT_PROBED,
        .probed = {.token = f.lone.probe, .result = HF_PROBE_REFUSED}};
    lone_node_step(&f.lone, &event);
}

/* A view comes of the first peer, whom we know, and of @also, if any, without
 * us. */
static void left_out_of(const struct hf_peer_info *first,
                        const struct hf_peer_info *also)
{
    static struct hf_view view; /* Too large for a stack. */
    const struct hf_message message = {.type = HF_MESSAGE_VIEW, .view = &view};
    view = *f.lone.node->view;
    view.base = view.epoch;
    view.epoch += (hf_epoch)1 << 32;
    view.members[0] = *first;
    view.member_count = 1;
    if (also != NULL) {
        view.members[view.member_count++] = *also;
    }
    lone_node_tell(&f.lone, 0, &message);
    assert_int_equal(f.lone.node->state, HF_STATE_OUT);
    assert_true(f.lone.node->view->epoch == view.epoch);
}

/* It gave back what we sent before the later one had started, which we do not
 * reach. That one lives, and takes part in a cluster: we start no other. */
static void
who_gave_back_before_a_view_is_no_proof_against_who_is_in_it(void **state)
{
    (void)state;
    lone_node_meet(&f.lone, 0);
    struct hf_peer_info first = f.lone.node->peers[0].info;
    left_out_of(&first, NULL);
    lone_node_wait(&f.lone, 100);
    is_linked(&f.earlier);
    lone_node_wait(&f.lone, 100);
    gives_back(&f.earlier, f.lone.now);
    if (*state != &f) { /* Else its end is not noticed yet. */
        is_cut(&f.earlier, true);
        is_refused();
        lone_node_wait(&f.lone, 100);
    }
    left_out_of(&first, &f.later);
    lone_node_wait(&f.lone, 100);
    uint64_t cluster = f.lone.node->view->cluster;
    if (*state == &f) {
        is_cut(&f.earlier, true);
        is_refused();
    }
    is_cut(&first, true);
    is_refused();
    assert_non_null(hf_node_waits_for(f.lone.node));
    lone_node_wait(&f.lone, 20000);
    assert_non_null(hf_node_waits_for(f.lone.node));
    assert_true(f.lone.node->view->cluster == cluster);
}

static void the_same_of_who_still_has_links(void **state)
{
    *state = &f;
    who_gave_back_before_a_view_is_no_proof_against_who_is_in_it(state);
}

/* Nor is a refusal where the later one does not run, though the view came while
 * the earlier one had links. */
static void a_refusal_elsewhere_is_no_proof_when_out(void **state)
{
    (void)state;
    lone_node_meet(&f.lone, 0);
    struct hf_peer_info first = f.lone.node->peers[0].info;
    struct hf_peer_info moved = f.earlier;
    moved.peer_port = 8888;
    left_out_of(&first, NULL);
    is_linked(&moved);
    left_out_of(&first, &f.later);
    is_cut(&first, true);
    is_refused();
    is_cut(&moved, true);
    is_refused();
    lone_node_wait(&f.lone, HF_PROBE_MS);
    assert_string_equal(hf_node_waits_for(f.lone.node), f.later.name);
    is_refused(); /* Of its own address. */
    assert_null(hf_node_waits_for(f.lone.node));
}

/* What the refused one says of the member is nothing, for it ran elsewhere. */
static void who_is_hidden_by_the_dead_is_found_again(void **state)
{
    (void)state;
    struct hf_node *node = f.lone.node;
    struct hf_peer_info moved = f.later;
    moved.peer_port = 8888;
    told_of_a_view_with(&f.earlier);
    uint8_t member = hf_view_find_id(node->view, f.earlier.id);
    is_linked(&f.earlier);
    lone_node_wait(&f.lone, HF_HEARTBEAT_MS);
    assert_non_null(node->members[member].peer);
    is_cut(&f.earlier, false);
    assert_true(takes(&moved));
    dialled(&moved, true);
    assert_null(node->members[member].peer);
    is_cut(&moved, true);
    unsigned dialled_before = f.lone.connected;
    is_refused();
    lone_node_wait(&f.lone, HF_PROBE_MS);
    assert_non_null(node->members[member].peer);
    assert_true(f.lone.connected > dialled_before);
    assert_false(is_dead(&f.earlier));
    is_refused(); /* Of its own address. */
    assert_true(is_dead(&f.earlier));
}

/* Where a host name leads, another one may have lived. */
static void who_is_refused_by_name_says_nothing_of_the_other(void **state)
{
    (void)state;
    (void)snprintf(f.earlier.host, sizeof(f.earlier.host), "a.example");
    (void)snprintf(f.later.host, sizeof(f.later.host), "a.example");
    told_of_a_view_with(&f.earlier);
    dialled(&f.later, true);
    f.lone.probe = 0;
    is_cut(&f.later, false);
    is_refused();
    assert_false(is_dead(&f.earlier));
    lone_node_wait(&f.lone, HF_PROBE_MS);
    assert_non_null(hf_node_peer_by_id(f.lone.node, f.earlier.id));
    is_refused();
    assert_false(is_dead(&f.earlier));
}

/* @view of another cluster that goes on instead, of the first peer alone. */
static void told_of_an_older_cluster(void)
{
    static struct hf_view view; /* Too large for a stack. */
    const struct hf_message message = {.type = HF_MESSAGE_VIEW, .view = &view};
    view = *f.lone.node->view;
    view.cluster = 3;
    view.founded_ms = 1;
    view.lineages[0].id = 3;
    view.members[0] = f.lone.node->peers[0].info;
    view.member_count = 1;
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        view.acting[p] = (struct hf_acting){.count = 1};
    }
    lone_node_tell(&f.lone, 0, &message);
    assert_int_equal(f.lone.node->state, HF_STATE_MERGING);
}

/* Nobody is attached to a member then, but what was granted binds us when we
 * take up our view again. */
static void what_was_granted_while_merging_is_kept(void **state)
{
    (void)state;
    struct hf_node *node = f.lone.node;
    told_of_a_view_with(&f.earlier);
    is_linked(&f.earlier);
    gives_back(&f.earlier, f.lone.now);
    told_of_an_older_cluster();
    lone_node_wait(&f.lone, HF_MERGE_LOST_MS - 250);
    gives_back(&f.earlier, f.lone.now); /* Its last heartbeat. */
    lone_node_wait(&f.lone, HF_HEARTBEAT_MS + 10);
    hf_time given = hf_node_peer_by_id(node, f.earlier.id)->given;
    assert_true(given > f.lone.now - HF_HEARTBEAT_MS * 2);
    is_cut(&f.earlier, false);
    assert_true(takes(&f.later));
    dialled(&f.later, true);
    dialled(&f.later, false);
    lone_node_wait(&f.lone, 250);
    assert_int_equal(node->state, HF_STATE_ACTIVE);
    uint8_t member = hf_view_find_id(node->view, f.earlier.id);
    assert_true(hf_node_given(node, member) >= given);
}

int main(void)
{
#define LONE(name) cmocka_unit_test_setup_teardown(name, open_lone, close_lone)
    const struct CMUnitTest tests[] = {
        LONE(a_greeting_is_no_proof),
        LONE(a_greeting_is_no_proof_whatever_the_clock_says),
        LONE(what_was_given_back_before_is_no_proof),
        LONE(who_greeted_does_not_hide_that_all_are_dead),
        LONE(who_is_hidden_by_a_greeting_keeps_what_it_was_granted),
        LONE(who_is_heard_is_not_replaced),
        LONE(who_gave_back_before_a_view_is_no_proof_against_who_is_in_it),
        LONE(the_same_of_who_still_has_links),
        LONE(a_refusal_elsewhere_is_no_proof_when_out),
        LONE(who_is_hidden_by_the_dead_is_found_again),
        LONE(who_is_refused_by_name_says_nothing_of_the_other),
        LONE(what_was_granted_while_merging_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
