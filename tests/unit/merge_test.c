#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "core/effects.h"
#include "core/node_state.h"
#include "support/failing_mem.h"
#include "support/lone_node.h"

/* Nodes of another lineage hand over one partition to a node that is alone,
 * message by message. */

#define LINEAGE 99
#define KEYS 5000
#define MIDDLE ((uint64_t)1 << 31)

struct fixture {
    struct failing_mem failing;
    struct hf_mem system;
    struct hf_node_config config;
    struct lone_node lone;
    uint16_t partition;
    struct hf_buffer knowledge;
    struct hf_buffer effects;
    struct hf_merged told; /* The last answer, but for what it knows. */
    unsigned answers;
    unsigned refused_lines;
};

static struct fixture f; /* Too large for a stack. */

static void on_sent(const struct hf_message *message)
{
    if (message->type == HF_MESSAGE_MERGED) {
        f.told = message->merged;
        f.answers++;
    }
}

static void on_line(void *user, enum hf_log_level level, const char *text)
{
    (void)user;
    (void)level;
    f.refused_lines += strstr(text, "hands over") != NULL ? 1 : 0;
}

static int open_fixture(void **state)
{
    (void)state;
    memset(&f, 0, sizeof(f));
    failing_mem_init(&f.failing);
    hf_mem_init_system(&f.system);
    hf_buffer_init(&f.knowledge, &f.system);
    hf_buffer_init(&f.effects, &f.system);
    lone_node_config(&f.config);
    f.config.log = (struct hf_log){.write = on_line};
    assert_int_equal(lone_node_open(&f.lone, &f.config, &f.failing.mem), 0);
    f.lone.hear = on_sent;
    lone_node_start(&f.lone);
    for (unsigned who = 0; who < 2 * HF_MERGES_IN_MAX; who++) {
        lone_node_meet(&f.lone, who);
    }
    f.partition = hf_partition_of_key(HF_SLICE_LITERAL("{t}"));
    return 0;
}

static int close_fixture(void **state)
{
    (void)state;
    lone_node_close(&f.lone);
    hf_buffer_close(&f.knowledge);
    hf_buffer_close(&f.effects);
    failing_mem_close(&f.failing);
    return 0;
}

/* Their views are numbered upwards from 1, and all before ours. */
static hf_epoch view_number(unsigned number)
{
    hf_epoch held = 100u + number;
    assert_true(held < f.lone.node->view->epoch);
    return held;
}

/* What node @who, which held it in view @number, hands over. */
static struct hf_message piece_of(unsigned number, uint64_t from, uint64_t to)
{
    struct hf_knowledge knowledge = {0};
    hf_knowledge_advance(&knowledge,
                         (struct hf_version){view_number(number), 10});
    hf_buffer_clear(&f.knowledge);
    hf_knowledge_put(&f.knowledge, &knowledge);
    return (struct hf_message){
        .type = HF_MESSAGE_MERGE,
        .merge = {.epoch = f.lone.node->view->epoch,
                  .lineage = LINEAGE,
                  .held = view_number(number),
                  .partition = f.partition,
                  .from = from,
                  .to = to,
                  .knowledge = hf_buffer_slice(&f.knowledge)}};
}

static void hand_over(unsigned who, unsigned number, uint64_t from, uint64_t to)
{
    struct hf_message message = piece_of(number, from, to);
    lone_node_tell(&f.lone, who, &message);
}

/* How far the holders of view @number got, as they are told. */
static uint64_t position_of(unsigned who, unsigned number)
{
    unsigned before = f.answers;
    hand_over(who, number, 0, 0);
    assert_int_equal(f.answers, before + 1);
    assert_true(f.told.held == view_number(number));
    return f.told.to;
}

/* One half of it came from a view of that lineage when all that had it died. A
 * node that had fallen out of that view before has what it had then. */
static void who_held_it_in_an_earlier_view_is_answered(void **state)
{
    (void)state;
    hand_over(0, 2, 0, MIDDLE);
    assert_true(position_of(0, 2) == MIDDLE);

    assert_true(position_of(1, 1) == 0);
    hand_over(1, 1, 0, HF_SESSIONS_END);
    assert_true(position_of(1, 1) == HF_SESSIONS_END);

    assert_true(position_of(0, 2) == MIDDLE); /* And was not set back. */
}

static void what_a_later_view_handed_over_is_not_asked_for(void **state)
{
    (void)state;
    hand_over(0, 2, 0, HF_SESSIONS_END);
    assert_true(position_of(1, 1) == HF_SESSIONS_END);
    assert_true(position_of(2, 3) == 0);
}

/* More at a time than are remembered: those who have begun are not set back,
 * the others get their turn. */
static void many_views_hand_over_one_after_the_other(void **state)
{
    (void)state;
    bool done[2 * HF_MERGES_IN_MAX] = {false};
    uint64_t position[2 * HF_MERGES_IN_MAX] = {0};
    unsigned left = HF_ARRAY_COUNT(done);
    for (unsigned round = 0; round < 50 && left > 0; round++) {
        for (unsigned who = 0; who < HF_ARRAY_COUNT(done); who++) {
            /* Of lineages of their own: none stands for another. */
            uint64_t to = position[who] + MIDDLE / 4;
            struct hf_message message =
                piece_of(who, position[who],
                         to > HF_SESSIONS_END ? HF_SESSIONS_END : to);
            unsigned before = f.answers;
            message.merge.lineage += who;
            if (done[who]) {
                continue;
            }
            lone_node_tell(&f.lone, who, &message);
            if (f.answers == before) {
                continue;
            }
            assert_true(f.told.to > position[who]);
            position[who] = f.told.to;
            done[who] = position[who] == HF_SESSIONS_END;
            left -= done[who] ? 1 : 0;
        }
        lone_node_wait(&f.lone, HF_MERGE_RESEND_MS);
    }
    assert_int_equal(left, 0);
}

/* Who died in the midst of it keeps no other from it. */
static void who_stopped_halfway_gives_room(void **state)
{
    (void)state;
    for (unsigned i = 0; i < HF_MERGES_IN_MAX; i++) {
        hand_over(0, 1 + i, 0, MIDDLE);
    }
    unsigned before = f.answers;
    hand_over(1, 1 + HF_MERGES_IN_MAX, 0, 0);
    assert_int_equal(f.answers, before);
    lone_node_wait(&f.lone, HF_MERGE_LOST_MS + 1);
    assert_true(position_of(1, 1 + HF_MERGES_IN_MAX) == 0);
}

/* It comes again every 200 ms, for as long as the two run. */
static void what_makes_no_sense_is_logged_once_a_second(void **state)
{
    (void)state;
    struct hf_merge_entry entry = {.key = HF_SLICE_LITERAL("elsewhere"),
                                   .version = {1, 1}};
    assert_true(hf_partition_of_key(entry.key) != f.partition);
    hf_effects_put(&f.effects, HF_SLICE_LITERAL("v"), HF_TTL_NONE);
    entry.effects = hf_buffer_slice(&f.effects);
    const unsigned seconds = 10;
    for (unsigned i = 0; i < seconds * 1000 / HF_MERGE_RESEND_MS; i++) {
        struct hf_message message = piece_of(1, 0, HF_SESSIONS_END);
        message.merge.count = 1;
        message.merge.entries = &entry;
        lone_node_tell(&f.lone, 0, &message);
        lone_node_wait(&f.lone, HF_MERGE_RESEND_MS);
    }
    assert_int_equal(f.answers, 0);
    assert_in_range(f.refused_lines, 1, seconds);
    assert_int_equal(f.lone.node->counters.records_refused,
                     seconds * 1000 / HF_MERGE_RESEND_MS);
}

static unsigned sessions_left(void)
{
    return hf_node_get_sessions(f.lone.node, f.partition)->count;
}

/* They had seen all that is here, and have none of it any more. Each removal is
 * a write to all copies, so it takes many pieces. */
static void what_they_removed_goes_in_pieces(void **state)
{
    (void)state;
    for (unsigned i = 0; i < KEYS; i++) {
        char line[32];
        (void)snprintf(line, sizeof(line), "SET {t}%u v", i);
        assert_string_equal(lone_node_ask(&f.lone, line), "OK");
        lone_node_forget(&f.lone);
    }
    assert_string_equal(lone_node_ask(&f.lone, "SET {t}new v"), "OK");
    uint64_t position = 0;
    unsigned left = sessions_left();
    struct hf_version last = f.lone.node->partitions[f.partition].version;
    unsigned pieces = 0;
    while (position != HF_SESSIONS_END) {
        struct hf_message message = piece_of(1, position, HF_SESSIONS_END);
        struct hf_knowledge knowledge = {0};
        hf_knowledge_advance(&knowledge, (struct hf_version){last.epoch, KEYS});
        hf_buffer_clear(&f.knowledge);
        hf_knowledge_put(&f.knowledge, &knowledge);
        message.merge.knowledge = hf_buffer_slice(&f.knowledge);
        lone_node_tell(&f.lone, 0, &message);
        assert_true(f.told.to > position);
        position = f.told.to;
        assert_true(left - sessions_left() <= 600);
        left = sessions_left();
        pieces++;
    }
    assert_in_range(pieces, KEYS / 600, KEYS / 100);
    assert_int_equal(left, 1); /* What they had not seen. */
    assert_string_equal(lone_node_ask(&f.lone, "GET {t}new"), "v");
}

/* A view made this node primary of what it handed over to LINEAGE before, up to
 * record @sequence of view 1. */
static void await_up_to(uint64_t sequence)
{
    struct hf_partition *partition = &f.lone.node->partitions[f.partition];
    partition->given = (struct hf_merge_given){
        .lineage = LINEAGE, .last = {view_number(1), sequence}};
    hf_node_merge_awaited(f.lone.node, f.partition);
}

/* Nobody is told that there is nothing, until that lineage has brought it. */
static void what_is_awaited_is_served_when_it_came(void **state)
{
    (void)state;
    uint64_t write = lone_node_send(&f.lone, "SET {t}here 1");
    assert_string_equal(lone_node_answer(&f.lone, write), "OK");
    await_up_to(10);
    uint64_t read = lone_node_send(&f.lone, "GET {t}brought");
    uint64_t count = lone_node_send(&f.lone, "DBSIZE");
    struct hf_merge_entry entry = {.key = HF_SLICE_LITERAL("{t}brought"),
                                   .version = {view_number(1), 5}};
    hf_effects_put(&f.effects, HF_SLICE_LITERAL("v"), HF_TTL_NONE);
    entry.effects = hf_buffer_slice(&f.effects);
    uint32_t hash = hf_sessions_hash(entry.key);
    struct hf_message message = piece_of(1, 0, (uint64_t)hash + 1);
    message.merge.count = 1;
    message.merge.entries = &entry;
    lone_node_tell(&f.lone, 0, &message);
    lone_node_wait(&f.lone, HF_MERGE_RESEND_MS);
    assert_string_equal(lone_node_answer(&f.lone, read), "(waiting)");
    assert_string_equal(lone_node_answer(&f.lone, count), "(waiting)");

    hand_over(0, 1, (uint64_t)hash + 1, HF_SESSIONS_END);
    lone_node_wait(&f.lone, HF_MERGE_RESEND_MS);
    assert_string_equal(lone_node_answer(&f.lone, read), "v");
    assert_string_equal(lone_node_answer(&f.lone, count), "2");
    lone_node_wait(&f.lone, HF_MERGE_LOST_MS);
    assert_int_equal(f.lone.node->counters.partitions_lost, 0);
    lone_node_forget(&f.lone);
}

/* Who left the lineage before all was handed over to it brings less, and what
 * came by way of another one may be older than what is there. */
static void what_is_awaited_is_not_served_with_less(void **state)
{
    (void)state;
    await_up_to(11);
    hand_over(0, 1, 0, HF_SESSIONS_END); /* Up to the tenth. */
    assert_int_equal(f.told.to, HF_SESSIONS_END);
    assert_int_equal(f.lone.node->merge_awaited, 1);

    struct hf_knowledge knowledge = {0};
    struct hf_message message = piece_of(2, 0, HF_SESSIONS_END);
    hf_knowledge_advance(&knowledge, (struct hf_version){view_number(1), 11});
    hf_buffer_clear(&f.knowledge);
    hf_knowledge_put(&f.knowledge, &knowledge);
    message.merge.knowledge = hf_buffer_slice(&f.knowledge);
    message.merge.lineage++;
    lone_node_tell(&f.lone, 0, &message);
    assert_int_equal(f.told.lineage, LINEAGE + 1);
    assert_int_equal(f.told.to, HF_SESSIONS_END);
    uint64_t read = lone_node_send(&f.lone, "GET {t}brought");
    lone_node_wait(&f.lone, HF_MERGE_RESEND_MS);
    assert_string_equal(lone_node_answer(&f.lone, read), "(waiting)");

    message.merge.lineage--;
    lone_node_tell(&f.lone, 0, &message);
    lone_node_wait(&f.lone, HF_MERGE_RESEND_MS);
    assert_string_equal(lone_node_answer(&f.lone, read), "(nil)");
    assert_int_equal(f.lone.node->counters.partitions_lost, 0);
    lone_node_forget(&f.lone);
}

/* Of what never had a record nothing can be missing. */
static void what_had_nothing_is_served_when_anything_came(void **state)
{
    (void)state;
    await_up_to(1);
    f.lone.node->partitions[f.partition].given.last.epoch = 0;
    uint64_t read = lone_node_send(&f.lone, "GET {t}brought");
    lone_node_wait(&f.lone, HF_MERGE_RESEND_MS);
    assert_string_equal(lone_node_answer(&f.lone, read), "(waiting)");
    hand_over(0, 2, 0, HF_SESSIONS_END);
    lone_node_wait(&f.lone, HF_MERGE_RESEND_MS);
    assert_string_equal(lone_node_answer(&f.lone, read), "(nil)");
    lone_node_forget(&f.lone);
}

static void all_others_are_dead(void)
{
    struct hf_node *node = f.lone.node;
    for (size_t i = 0; i < node->peer_count; i++) {
        node->peers[i].refused = true;
        node->peers[i].refused_at = node->now + 2 * HF_MERGE_LOST_MS;
    }
}

static void what_nobody_can_bring_is_lost(void **state)
{
    (void)state;
    await_up_to(10);
    lone_node_wait(&f.lone, 3 * HF_MERGE_LOST_MS); /* Others live. */
    all_others_are_dead();
    lone_node_wait(&f.lone, HF_MERGE_LOST_MS - 100);
    uint64_t read = lone_node_send(&f.lone, "GET {t}gone");
    assert_string_equal(lone_node_answer(&f.lone, read), "(waiting)");
    assert_int_equal(f.lone.node->counters.partitions_lost, 0);
    lone_node_wait(&f.lone, 200);
    assert_string_equal(lone_node_answer(&f.lone, read), "(nil)");
    assert_int_equal(f.lone.node->counters.partitions_lost, 1);
    lone_node_forget(&f.lone);
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_held_it_in_an_earlier_view_is_answered),
        TEST(what_a_later_view_handed_over_is_not_asked_for),
        TEST(many_views_hand_over_one_after_the_other),
        TEST(who_stopped_halfway_gives_room),
        TEST(what_they_removed_goes_in_pieces),
        TEST(what_makes_no_sense_is_logged_once_a_second),
        TEST(what_is_awaited_is_served_when_it_came),
        TEST(what_is_awaited_is_not_served_with_less),
        TEST(what_had_nothing_is_served_when_anything_came),
        TEST(what_nobody_can_bring_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
