/* Of the processes of one name the one that started last is believed, by its
 * wall clock. That may have been set back, so an earlier one is taken when the
 * later one has been silent for long, and none while another is heard. */
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
    lone_node_wait(&f.lone, 10 * HF_SUCCESSOR_MS);
    f.earlier = process_of(1000);
    f.later = process_of(2000);
    return 0;
}

static int close_lone(void **state)
{
    (void)state;
    lone_node_close(&f.lone);
    return 0;
}

/* A session that @info dialled came, or ended. */
static void dialled(struct hf_peer_info *info, bool up)
{
    struct hf_event event = {
        .type = HF_EVENT_LINK,
        .link = {
            .peer = info, .channel = HF_CHANNEL_DATA, .out = false, .up = up}};
    lone_node_step(&f.lone, &event);
}

/* Both ends of the control channel to @info are up: it is heard. */
static void is_linked(struct hf_peer_info *info)
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

/* Of the later one there may be nothing but a greeting that came when it was
 * dead. More of these may be on their way: each would pass for the news that
 * the earlier one is dead, which is then a member. */
static void who_only_greeted_was_not_silent(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        dialled(&f.later, true);
        dialled(&f.later, false);
        assert_true(takes(&f.later));
        assert_false(takes(&f.earlier));
        lone_node_wait(&f.lone, HF_SUCCESSOR_MS - 1000);
        assert_false(takes(&f.earlier));
    }
    lone_node_wait(&f.lone, 2000);
    assert_true(takes(&f.earlier));
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

/* Of a member that a view names there may be nothing but that yet, when one
 * that was dead before it began has its greeting arrive. */
static void who_was_only_told_of_was_not_silent(void **state)
{
    (void)state;
    told_of_a_view_with(&f.later);
    assert_true(takes(&f.later));
    assert_false(takes(&f.earlier));
    lone_node_wait(&f.lone, HF_SUCCESSOR_MS - 1000);
    assert_false(takes(&f.earlier));
    assert_true(f.lone.node->dead == 0);
    lone_node_wait(&f.lone, 2000);
    assert_true(takes(&f.earlier));
}

static void the_later_one_is_taken_at_once(void **state)
{
    (void)state;
    dialled(&f.earlier, true);
    assert_true(takes(&f.later));
    dialled(&f.later, true);
    assert_false(takes(&f.earlier));
}

/* The one that is dead says that it is the later one: the clock was set back
 * before the one that lives was started. */
static void who_is_heard_is_not_replaced(void **state)
{
    (void)state;
    is_linked(&f.earlier);
    assert_false(takes(&f.later));
    lone_node_wait(&f.lone, HF_SUSPECT_MS);
    assert_true(takes(&f.later));
}

int main(void)
{
#define LONE(name) cmocka_unit_test_setup_teardown(name, open_lone, close_lone)
    const struct CMUnitTest tests[] = {
        LONE(who_only_greeted_was_not_silent),
        LONE(who_was_only_told_of_was_not_silent),
        LONE(who_is_heard_is_not_replaced),
        LONE(the_later_one_is_taken_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
