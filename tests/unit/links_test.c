/* Sessions between two nodes: they come up, deliver, and come back. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <unistd.h>

#include <cmocka.h>

#include "support/links_world.h"

static void connects_both_channels_both_ways(void **state)
{
    struct world *w = *state;
    link_both(w);
    assert_int_equal(w->a.ups, 4);
    assert_int_equal(w->b.ups, 4);
    assert_int_equal(hf_links_count(w->a.links), 1);
}

static void delivers_many_messages_in_order(void **state)
{
    struct world *w = *state;
    link_both(w);
    for (uint64_t i = 1; i <= 100000; i++) {
        send_ack(&w->a, &w->b, i);
        if (i % 1000 == 0) {
            turn(w);
        }
    }
    WAIT_UNTIL(w, w->b.acks == 100000);
    assert_int_equal(w->b.disordered, 0);
    assert_int_equal(w->a.acks, 0);
}

static void delivers_messages_larger_than_any_buffer(void **state)
{
    struct world *w = *state;
    link_both(w);
    for (int i = 0; i < 20; i++) {
        send_big(&w->b, &w->a);
    }
    send_ack(&w->b, &w->a, 1);
    WAIT_UNTIL(w, w->a.acks == 1);
    assert_int_equal(w->a.forwards, 20);
    assert_int_equal(w->a.forward_bytes, 20 * BIG_BYTES);
    assert_int_equal(w->a.downs, 0);
}

static void drops_messages_for_another_incarnation(void **state)
{
    struct world *w = *state;
    link_both(w);
    struct end other = w->b;
    other.info.incarnation++;
    send_ack(&w->a, &other, 5);
    send_ack(&w->a, &w->b, 1);
    WAIT_UNTIL(w, w->b.acks == 1);
    assert_int_equal(w->b.disordered, 0);
}

static void keeps_an_idle_session(void **state)
{
    struct world *w = *state;
    link_both(w);
    let_pass(w, HF_LINK_SILENCE_MS + 500);
    assert_int_equal(w->a.downs, 0);
    assert_int_equal(w->b.downs, 0);
}

static void says_abrupt_when_the_other_end_goes(void **state)
{
    struct world *w = *state;
    link_both(w);
    end_stop(w, &w->b);
    WAIT_UNTIL(w, w->a.downs == 4);
    assert_int_equal(w->a.abrupt_downs, 4);
    assert_int_equal(hf_links_count(w->a.links), 0);
}

static void finds_a_restarted_peer_at_the_same_address(void **state)
{
    struct world *w = *state;
    link_both(w);
    uint16_t port = w->b.info.peer_port;
    end_stop(w, &w->b);
    WAIT_UNTIL(w, w->a.downs == 4);
    end_start(w, &w->b, "b", "test", port, 23);
    link_both(w);
    send_ack(&w->a, &w->b, 1);
    WAIT_UNTIL(w, w->b.acks == 1);
    assert_int_equal(w->b.disordered, 0);
}

static void refuses_another_cluster_and_both_sides_say_why(void **state)
{
    struct world *w = *state;
    end_stop(w, &w->b);
    end_start(w, &w->b, "b", "other", 0, 22);
    connect_to(&w->a, &w->b);
    WAIT_UNTIL(w, w->a.warnings > 0 && w->b.warnings > 0);
    assert_non_null(strstr(w->a.last_warning, "'other'"));
    assert_non_null(strstr(w->b.last_warning, "'test'"));
    let_pass(w, 2500); /* It tries again, and says no more of it. */
    assert_int_equal(w->a.ups + w->b.ups, 0);
    assert_int_equal(w->a.warnings, 1);
    assert_int_equal(w->b.warnings, 1);
}

static void refuses_a_second_node_of_the_same_name(void **state)
{
    struct world *w = *state;
    end_stop(w, &w->b);
    end_start(w, &w->b, "a", "test", 0, 22);
    connect_to(&w->a, &w->b);
    WAIT_UNTIL(w, w->a.warnings > 0 && w->b.warnings > 0);
}

static void leaves_its_own_address_alone(void **state)
{
    struct world *w = *state;
    connect_to(&w->a, &w->a);
    link_both(w);
    let_pass(w, 1000);
    assert_int_equal(w->a.ups, 4);
    assert_int_equal(w->a.downs, 0);
    assert_int_equal(w->a.warnings, 0);
}

static void two_addresses_of_a_peer_end_as_one_session(void **state)
{
    struct world *w = *state;
    struct hf_address alias = address_of(&w->b);
    strcpy(alias.host, "127.0.0.2"); /* Loopback, too. */
    end_stop(w, &w->b);
    const struct hf_links_config config = {
        .bind = "0.0.0.0",
        .cluster_name = "test",
        .random_seed = 1,
        .log = {.write = on_log, .user = &w->b, .level = HF_LOG_INFO},
    };
    const struct hf_links_handler handler = handler_of(&w->b);
    struct hf_peer_info info = w->b.info;
    w->b = (struct end){.info = info};
    assert_int_equal(
        hf_links_create(&w->b.links, &w->loop, &w->mem, &config, &handler), 0);
    w->b.info.peer_port = hf_links_port(w->b.links);
    alias.port = w->b.info.peer_port;
    hf_links_start(w->b.links, &w->b.info);

    hf_links_connect(w->a.links, &alias);
    link_both(w);
    let_pass(w, 500);
    int ups = w->a.ups;
    let_pass(w, 2000); /* No session pushes the other out for ever. */
    assert_int_equal(w->a.ups, ups);
    assert_int_equal(w->a.downs + w->b.downs, 0);
    assert_int_equal(hf_links_count(w->a.links), 1);
    send_ack(&w->a, &w->b, 1);
    WAIT_UNTIL(w, w->b.acks == 1);
}

/* Both ends must keep the same one, or each closes what the other keeps: the
 * later one, in whatever order they arrive. The dialler closes the other. */
static void of_two_sessions_the_later_one_stays(void **state)
{
    struct world *w = *state;
    static const uint64_t numbers[2][2] = {{1, 2}, {2, 1}};
    for (unsigned i = 0; i < 2; i++) {
        static struct raw raws[2];
        int downs = w->a.downs;
        for (unsigned k = 0; k < 2; k++) {
            raw_connect(w, &raws[k], &w->a);
            raw_say_hello_as(&raws[k], "test", numbers[i][k]);
            WAIT_UNTIL(w, raws[k].bytes_in > HF_FRAME_HEADER_BYTES);
        }
        assert_int_equal(raws[1].in[5], HF_FRAME_WELCOME);
        struct raw *later = &raws[numbers[i][0] == 2 ? 0 : 1];
        struct raw *earlier = &raws[numbers[i][0] == 2 ? 1 : 0];
        WAIT_UNTIL(w, earlier->closed); /* The raw one does not do it. */
        assert_false(later->closed);
        assert_int_equal(w->a.downs, downs);
        raw_release(w, earlier);
        raw_release(w, later);
        WAIT_UNTIL(w, w->a.downs == downs + 1);
    }
}

/* The dialler has not hung up yet when the later one breaks: the earlier one is
 * of no use then, and would pass for a session that is there. */
static void with_the_later_session_the_earlier_one_ends(void **state)
{
    struct world *w = *state;
    static struct raw raws[2];
    for (unsigned k = 0; k < 2; k++) {
        raw_connect(w, &raws[k], &w->a);
        raw_say_hello_as(&raws[k], "test", k + 1);
        WAIT_UNTIL(w, raws[k].bytes_in > HF_FRAME_HEADER_BYTES);
    }
    hf_time since = hf_clock_now();
    raw_release(w, &raws[1]);
    WAIT_UNTIL(w, raws[0].closed);
    assert_true(hf_clock_now() - since < 600); /* Else it takes 1,000. */
    raw_release(w, &raws[0]);
}

static void forgets_an_address(void **state)
{
    struct world *w = *state;
    link_both(w);
    struct hf_address address = address_of(&w->b);
    hf_links_forget(w->a.links, &address);
    WAIT_UNTIL(w, w->a.downs == 2 && w->b.downs == 2);
    assert_int_equal(w->a.abrupt_downs, 0);
    let_pass(w, 700);
    assert_int_equal(w->b.up[0][0] + w->b.up[1][0], 0);
    assert_int_equal(w->b.up[0][1] + w->b.up[1][1], 2);
}

static void closes_what_speaks_another_protocol(void **state)
{
    struct world *w = *state;
    struct raw raw[3];
    for (size_t i = 0; i < 3; i++) {
        raw_connect(w, &raw[i], &w->a);
        hf_buffer_append_text(
            &raw[i].out, "GET / HTTP/1.1\r\nHost: somebody.example\r\n"
                         "User-Agent: curious\r\nAccept: everything\r\n\r\n");
        raw_send(&raw[i]);
        WAIT_UNTIL(w, raw[i].closed);
    }
    assert_int_equal(w->a.warnings, 1); /* Not once each. */
    for (size_t i = 0; i < 3; i++) {
        raw_release(w, &raw[i]);
    }
    link_both(w);
}

static void a_lost_frame_breaks_the_session(void **state)
{
    struct world *w = *state;
    struct raw raw;
    raw_connect(w, &raw, &w->a);
    raw_say_hello(&raw);
    WAIT_UNTIL(w, w->a.up[HF_CHANNEL_DATA][0]);
    WAIT_UNTIL(w, raw.bytes_in > HF_FRAME_HEADER_BYTES); /* WELCOME. */

    hf_buffer_clear(&raw.out);
    hf_frame_begin(&raw.out);
    hf_frame_seal(&raw.out, 77, 2, w->a.info.incarnation); /* 1 is missing. */
    raw_send(&raw);
    WAIT_UNTIL(w, raw.closed);
    assert_int_equal(w->a.downs, 1);
    assert_int_equal(w->a.abrupt_downs, 0);
    raw_release(w, &raw);
}

static void a_malformed_message_breaks_the_session(void **state)
{
    struct world *w = *state;
    struct raw raw;
    raw_connect(w, &raw, &w->a);
    raw_say_hello(&raw);
    WAIT_UNTIL(w, w->a.up[HF_CHANNEL_DATA][0]);

    hf_buffer_clear(&raw.out);
    hf_frame_begin(&raw.out);
    hf_buffer_append_text(&raw.out, "\xff\xff\xff\xff");
    hf_frame_seal(&raw.out, 77, 1, w->a.info.incarnation);
    raw_send(&raw);
    WAIT_UNTIL(w, raw.closed);
    raw_release(w, &raw);
}

static void probes_a_port_that_listens_and_one_that_does_not(void **state)
{
    struct world *w = *state;
    struct hf_address address = address_of(&w->b);
    hf_links_probe(w->a.links, &address, 1);
    assert_int_equal(w->a.probe_token, 0); /* Never at once. */
    WAIT_UNTIL(w, w->a.probe_token == 1);
    assert_int_equal(w->a.probe_result, HF_PROBE_CONNECTED);

    end_stop(w, &w->b);
    hf_links_probe(w->a.links, &address, 2);
    WAIT_UNTIL(w, w->a.probe_token == 2);
    assert_int_equal(w->a.probe_result, HF_PROBE_REFUSED);
    assert_int_equal(w->a.warnings, 0);
}

static void a_probe_of_an_unknown_name_proves_nothing(void **state)
{
    struct world *w = *state;
    struct hf_address address = {.host = "no-such-host.invalid", .port = 1};
    hf_links_probe(w->a.links, &address, 3);
    WAIT_UNTIL(w, w->a.probe_token == 3);
    assert_int_equal(w->a.probe_result, HF_PROBE_UNKNOWN);
}

static void says_when_a_port_is_taken(void **state)
{
    struct world *w = *state;
    const struct hf_links_config config = {
        .bind = "127.0.0.1",
        .port = w->a.info.peer_port,
        .cluster_name = "test",
    };
    const struct hf_links_handler handler = handler_of(NULL);
    struct hf_links *links;
    assert_int_equal(
        hf_links_create(&links, &w->loop, &w->mem, &config, &handler),
        HF_EINUSE);
}

static void survives_many_restarts_of_a_busy_peer(void **state)
{
    struct world *w = *state;
    uint16_t port = w->b.info.peer_port;
    for (hf_incarnation i = 100; i < 130; i++) {
        link_both(w);
        for (uint64_t n = 1; n <= 2000; n++) {
            send_ack(&w->a, &w->b, n);
            send_ack(&w->b, &w->a, n);
        }
        send_big(&w->a, &w->b);
        turn(w);
        end_stop(w, &w->b); /* With much under way. */
        WAIT_UNTIL(w, hf_links_count(w->a.links) == 0);
        end_start(w, &w->b, "b", "test", port, i);
    }
    link_both(w);
}

/* How often threads but this one began to wait, that is: were woken. */
static unsigned long wakeups_of_other_threads(void)
{
    unsigned long wakeups = 0;
    DIR *tasks = opendir("/proc/self/task");
    assert_non_null(tasks);
    const struct dirent *task;
    while ((task = readdir(tasks)) != NULL) {
        char path[300];
        char line[256];
        snprintf(path, sizeof(path), "/proc/self/task/%s/status", task->d_name);
        long thread = strtol(task->d_name, NULL, 10); /* 0: . and .. */
        FILE *file =
            thread == 0 || thread == getpid() ? NULL : fopen(path, "r");
        while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
            unsigned long count = 0;
            if (sscanf(line, "voluntary_ctxt_switches: %lu", &count) == 1) {
                wakeups += count;
            }
        }
        if (file != NULL) {
            fclose(file);
        }
    }
    closedir(tasks);
    return wakeups;
}

/* A hundred messages before a flush take one header. */
static void what_is_ready_in_one_turn_is_one_frame(void **state)
{
    struct world *w = *state;
    link_both(w);
    WAIT_UNTIL(w, hf_links_queued(w->a.links, w->b.info.id) == 0);
    send_ack(&w->a, &w->b, 1);
    size_t one = hf_links_queued(w->a.links, w->b.info.id);
    assert_true(one > HF_FRAME_HEADER_BYTES);
    for (uint64_t i = 2; i <= 100; i++) {
        send_ack(&w->a, &w->b, i);
    }
    assert_int_equal(hf_links_queued(w->a.links, w->b.info.id),
                     one + 99 * (one - HF_FRAME_HEADER_BYTES));
    WAIT_UNTIL(w, w->b.acks == 100);
}

/* Each wake-up of a thread costs more than all else a small frame does. */
static void a_frame_wakes_no_other_thread(void **state)
{
    struct world *w = *state;
    link_both(w);
    let_pass(w, 200);
    unsigned long before = wakeups_of_other_threads();
    for (uint64_t i = 1; i <= 1000; i++) {
        send_ack(&w->a, &w->b, i);
        WAIT_UNTIL(w, w->b.acks == i);
    }
    /* By threads it would be two for each. Some wake up by the clock. */
    assert_in_range(wakeups_of_other_threads() - before, 0, 250);
}

/* Where descriptors are not listed, the same by NNG's threads. */
static void works_by_threads_alone(void **state)
{
    struct world *w = *state;
    link_both(w);
    for (uint64_t i = 1; i <= 1000; i++) {
        send_ack(&w->a, &w->b, i);
        if (i % 10 == 0) {
            WAIT_UNTIL(w, w->b.acks == i);
        }
    }
    for (int i = 0; i < 20; i++) {
        send_big(&w->b, &w->a);
    }
    WAIT_UNTIL(w, w->a.forwards == 20);
    assert_int_equal(w->b.disordered, 0);
    end_stop(w, &w->b);
    WAIT_UNTIL(w, w->a.downs == 4);
    assert_int_equal(w->a.abrupt_downs, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(connects_both_channels_both_ways),
        TEST(delivers_many_messages_in_order),
        TEST(delivers_messages_larger_than_any_buffer),
        TEST(drops_messages_for_another_incarnation),
        TEST(keeps_an_idle_session),
        TEST(says_abrupt_when_the_other_end_goes),
        TEST(finds_a_restarted_peer_at_the_same_address),
        TEST(refuses_another_cluster_and_both_sides_say_why),
        TEST(refuses_a_second_node_of_the_same_name),
        TEST(leaves_its_own_address_alone),
        TEST(two_addresses_of_a_peer_end_as_one_session),
        TEST(of_two_sessions_the_later_one_stays),
        TEST(with_the_later_session_the_earlier_one_ends),
        TEST(forgets_an_address),
        TEST(closes_what_speaks_another_protocol),
        TEST(a_lost_frame_breaks_the_session),
        TEST(a_malformed_message_breaks_the_session),
        TEST(probes_a_port_that_listens_and_one_that_does_not),
        TEST(a_probe_of_an_unknown_name_proves_nothing),
        TEST(says_when_a_port_is_taken),
        TEST(survives_many_restarts_of_a_busy_peer),
        TEST(what_is_ready_in_one_turn_is_one_frame),
        TEST(a_frame_wakes_no_other_thread),
        cmocka_unit_test_setup_teardown(works_by_threads_alone,
                                        set_up_by_threads, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
