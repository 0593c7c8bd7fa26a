/* turn_test.c - However much there is to send again, a turn sends a part of it:
 * who waits for the node meanwhile does not wait for all. */
#include <stdio.h>
#include <string.h>

#include "core/node_state.h"
#include "support/story.h"

#define KEYS 12000
#define TAGGED_KEYS 2000
#define ANSWER_MS 1000
#define STEPS_MAX 100000
#define SENDS_MAX (HF_SEND_BYTES_MAX / HF_SEND_RECORD_BYTES)
#define PULLS_MAX (HF_PULL_BYTES_MAX / HF_SEND_RECORD_BYTES)

/* Runs until @from has sent @to @count messages of @type, or for long. The most
 * that were sent in one turn. */
static uint64_t most_in_a_turn(struct cluster *c, unsigned from, unsigned to,
                               enum hf_message_type type, uint64_t count)
{
    const uint64_t *sent =
        &network_link_of(&c->network, from, to, HF_CHANNEL_DATA)
             ->messages[type];
    uint64_t before = *sent;
    uint64_t most = 0;
    for (unsigned steps = 0; *sent - before < count && steps < STEPS_MAX;
         steps++) {
        uint64_t last = *sent;
        cluster_step(c, INT64_MAX);
        most = *sent - last > most ? *sent - last : most;
    }
    cluster_check(c, *sent - before >= count, "it was never sent");
    return most;
}

static void ask_to_set(struct cluster *c, unsigned node, const char *format,
                       unsigned number)
{
    char key[24];
    (void)snprintf(key, sizeof(key), format, number);
    cluster_forget(cluster_ask(c, node, "SET", key, "v", NULL));
}

static bool nothing_is_asked(struct cluster *c, void *user)
{
    (void)user;
    return hf_list_is_empty(&c->processes[0].node->requests);
}

/* A link breaks with thousands of records under way. None is lost, none comes
 * twice or out of turn, which a copy would refuse. */
static void a_stream_is_sent_again_a_part_at_a_time(void **state)
{
    struct cluster *c = story_start(state, 2, 1);
    c->network.redial_us_max = 20000;
    cluster_clog(c, 0, 1, HF_CHANNEL_DATA);
    for (unsigned i = 0; i < KEYS; i++) {
        ask_to_set(c, 0, "k%u", i);
    }
    cluster_run(c, 20);
    const struct hf_node *node = c->processes[0].node;
    const struct hf_stream *stream = &node->members[1 - node->self].stream;
    uint64_t waiting = hf_stream_next(stream) - stream->acked;
    cluster_check(c, waiting > 2 * SENDS_MAX, "too few to tell");
    network_break(&c->network, 0, 1, HF_CHANNEL_DATA);
    cluster_run(c, 2);
    cluster_unclog(c, 0, 1, HF_CHANNEL_DATA);
    cluster_check(
        c, most_in_a_turn(c, 0, 1, HF_MESSAGE_RECORD, waiting / 2) <= SENDS_MAX,
        "too much in one turn");
    cluster_check(c, cluster_wait(c, ANSWER_MS, nothing_is_asked, NULL),
                  "not all is answered");
    cluster_settle_and_check(c);
    cluster_check(c, c->processes[1].node->counters.records_refused == 0,
                  "a copy refused a record");
    char all[16];
    (void)snprintf(all, sizeof(all), "%d", KEYS);
    cluster_expect_reply(c, all, 1, "DBSIZE", NULL);
}

struct heirs {
    unsigned primary;
    unsigned heir; /* It is primary next, and gets nothing until then. */
    unsigned other;
};

/* Three nodes, each with all copies. */
static struct cluster *start_with_an_heir(void **state, struct heirs *heirs)
{
    struct cluster_options options;
    cluster_options_init(&options, 2);
    options.backups = 2;
    struct cluster *c = story_start_with(state, &options);
    heirs->primary = cluster_primary_of(c, "{cart}");
    heirs->other = cluster_backup_of(c, "{cart}");
    heirs->heir = 3 - heirs->primary - heirs->other;
    cluster_clog(c, heirs->primary, heirs->heir, HF_CHANNEL_DATA);
    return c;
}

/* Of two copies the first has none of what the second has when their primary
 * dies: it asks for it, part by part. */
static void a_primary_pulls_a_part_at_a_time(void **state)
{
    struct heirs at;
    struct cluster *c = start_with_an_heir(state, &at);
    for (unsigned i = 0; i < TAGGED_KEYS; i++) {
        ask_to_set(c, at.primary, "{cart}:%u", i);
    }
    cluster_run(c, 20);
    cluster_kill(c, at.primary);
    cluster_check(c,
                  most_in_a_turn(c, at.other, at.heir, HF_MESSAGE_SUFFIX,
                                 TAGGED_KEYS) <= PULLS_MAX,
                  "too much in one turn");
    cluster_check(c, cluster_primary_of(c, "{cart}") == at.heir,
                  "the heir is another one");
    cluster_settle_and_check(c);
    cluster_expect(c, "{cart}:0", "v");
    cluster_expect(c, "{cart}:1999", "v");
}

/* It takes a while until a part has come: nothing of it is asked for twice. */
static void a_primary_pulls_nothing_twice(void **state)
{
    struct heirs at;
    struct cluster *c = start_with_an_heir(state, &at);
    struct network_link *link =
        network_link_of(&c->network, at.other, at.heir, HF_CHANNEL_DATA);
    char value[401];
    memset(value, 'v', 400);
    value[400] = '\0';
    for (unsigned i = 0; i < TAGGED_KEYS; i++) {
        char key[24];
        (void)snprintf(key, sizeof(key), "{cart}:%u", i);
        cluster_forget(cluster_ask(c, at.primary, "SET", key, value, NULL));
    }
    cluster_run(c, 20);
    link->path.faults.bytes_per_ms = 1000;
    cluster_kill(c, at.primary);
    cluster_settle_and_check(c);
    cluster_expect(c, "{cart}:1999", value);
    cluster_check(c, link->messages[HF_MESSAGE_SUFFIX] <= TAGGED_KEYS,
                  "something was sent twice");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(a_stream_is_sent_again_a_part_at_a_time),
        STORY(a_primary_pulls_a_part_at_a_time),
        STORY(a_primary_pulls_nothing_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
