#include "support/story.h"

#include <stdio.h>

#include "core/node_state.h"

#define FILL_BYTES 24

int story_setup(void **state)
{
    *state = NULL;
    return 0;
}

void story_end(void **state)
{
    struct cluster *c = *state;
    *state = NULL;
    if (c != NULL) {
        cluster_destroy(c);
    }
}

int story_teardown(void **state)
{
    story_end(state);
    return 0;
}

static void on_failure(const char *text)
{
    print_error("%s\n", text);
    fail();
}

struct cluster *story_create(void **state,
                             const struct cluster_options *options)
{
    story_end(state);
    struct cluster_options with = *options;
    with.fail = on_failure;
    struct cluster *c = cluster_create(&with);
    *state = c;
    return c;
}

struct cluster *story_start_with(void **state,
                                 const struct cluster_options *options)
{
    struct cluster *c = story_create(state, options);
    cluster_settle(c, CLUSTER_SETTLE_MS);
    return c;
}

struct cluster *story_start(void **state, unsigned node_count, uint64_t seed)
{
    struct cluster_options options;
    cluster_options_init(&options, seed);
    options.node_count = node_count;
    return story_start_with(state, &options);
}

static void fill_words(unsigned i, char *key, char *value)
{
    (void)snprintf(key, FILL_BYTES, "fill:%u", i);
    (void)snprintf(value, FILL_BYTES, "value %u", i);
}

void story_fill(struct cluster *c, unsigned key_count)
{
    for (unsigned i = 0; i < key_count; i++) {
        char key[FILL_BYTES], value[FILL_BYTES];
        fill_words(i, key, value);
        cluster_set(c, key, value);
    }
}

void story_expect_filled(struct cluster *c, unsigned key_count)
{
    for (unsigned i = 0; i < key_count; i++) {
        char key[FILL_BYTES], value[FILL_BYTES];
        fill_words(i, key, value);
        cluster_expect(c, key, value);
    }
}

void story_fill_copies(struct cluster *c, bool fast)
{
    for (unsigned i = 0; i < c->options.node_count; i++) {
        struct process *process = &c->processes[i];
        size_t rate = fast ? process->config.learn_bytes_per_second : 1;
        if (process->running) {
            process->node->config.learn_bytes_per_second = rate;
        }
    }
}

void story_bring_together(struct cluster *c)
{
    cluster_heal(c);
    cluster_settle(c, CLUSTER_SETTLE_MS);
    c->invariants.two_sides = false;
    cluster_settle_and_check(c);
}

bool story_has_accepted(struct cluster *c, void *user)
{
    const struct story_pair *pair = user;
    const struct hf_node *proposer = c->processes[pair->proposer].node;
    const struct hf_node *voter = c->processes[pair->voter].node;
    return proposer->ballot.active &&
           proposer->ballot.number == voter->accepted_ballot;
}

bool story_is_of_two(struct cluster *c, void *user)
{
    const unsigned *node = user;
    const struct hf_view *view = c->processes[*node].node->view;
    return hf_member_set_count(hf_view_voters(view)) == 2;
}

bool story_is_of_one(struct cluster *c, void *user)
{
    const unsigned *node = user;
    const struct hf_view *view = c->processes[*node].node->view;
    return hf_member_set_count(hf_view_voters(view)) == 1;
}

bool story_is_of_three(struct cluster *c, void *user)
{
    const unsigned *node = user;
    const struct hf_view *view = c->processes[*node].node->view;
    return hf_member_set_count(hf_view_voters(view)) == 3;
}

bool story_has_forked(struct cluster *c, void *user)
{
    const unsigned *node = user;
    return c->processes[*node].node->view->lineage_count > 1;
}

static bool is_in_state(struct cluster *c, void *user,
                        enum hf_member_state state)
{
    const unsigned *node = user;
    return c->processes[*node].node->state == state;
}

bool story_is_out(struct cluster *c, void *user)
{
    return is_in_state(c, user, HF_STATE_OUT);
}

bool story_is_active(struct cluster *c, void *user)
{
    return is_in_state(c, user, HF_STATE_ACTIVE);
}

bool story_is_merging(struct cluster *c, void *user)
{
    return is_in_state(c, user, HF_STATE_MERGING);
}

bool story_serves_anything(const struct cluster *c, unsigned node)
{
    const struct process *process = &c->processes[node];
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        if (hf_node_serves(process->node, p, process_now(process))) {
            return true;
        }
    }
    return false;
}

void story_by_rank(struct cluster *c, unsigned *node, uint8_t count)
{
    for (uint8_t i = 0; i < count; i++) {
        node[i] = cluster_node_of(c, cluster_view(c), i);
    }
}

void story_uncut(struct cluster *c, unsigned one, unsigned other)
{
    network_cut(&c->network, one, other, false);
    network_cut(&c->network, other, one, false);
}

void story_tell(struct cluster *c, unsigned from, unsigned to,
                const struct hf_message *message)
{
    const struct hf_peer_info *info = &c->processes[from].node->config.self;
    process_on_message(&c->processes[to], info->id, info->incarnation, message);
}

void story_show_view_of(struct cluster *c, unsigned from, unsigned to)
{
    const struct hf_node *node = c->processes[from].node;
    const struct hf_message beat = {
        .type = HF_MESSAGE_HEARTBEAT,
        .heartbeat = {.epoch = node->view->epoch,
                      .sent_at = node->now,
                      .state = (uint8_t)node->state,
                      .cluster = node->view->cluster,
                      .lineage = hf_lineage_of(node->view)}};
    const struct hf_message view = {.type = HF_MESSAGE_VIEW,
                                    .view = node->view};
    story_tell(c, from, to, &beat);
    story_tell(c, from, to, &view);
}
