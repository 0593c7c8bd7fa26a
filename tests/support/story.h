/* story.h - Cluster stories as cmocka tests.
 *
 * A story makes its cluster with one of the functions below; it is destroyed
 * when the story ends, also when it fails. A failure prints the trace. */
#ifndef HF_TESTS_STORY_H
#define HF_TESTS_STORY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/cluster.h"
#include "support/workload.h"

#define STORY(name)                                                            \
    cmocka_unit_test_setup_teardown(name, story_setup, story_teardown)

int story_setup(void **state);
int story_teardown(void **state);

/* A settled cluster with one backup. */
struct cluster *story_start(void **state, unsigned node_count, uint64_t seed);
/* The same with other options: set node_count, backups and so on, but not
 * fail. */
struct cluster *story_start_with(void **state,
                                 const struct cluster_options *options);
/* The same, but only made, not waited for. */
struct cluster *story_create(void **state,
                             const struct cluster_options *options);
/* Ends the cluster of a story that goes on with another. */
void story_end(void **state);

/* Fills the cluster with "fill:0" ... to compare by story_expect_filled. */
void story_fill(struct cluster *c, unsigned key_count);
void story_expect_filled(struct cluster *c, unsigned key_count);

/* How fast the nodes that run fill copies: hardly at all, or as usual. */
void story_fill_copies(struct cluster *c, bool fast);

/* Heals all cuts. Sides that had gone on apart (invariants.two_sides) become
 * one, and all copies the same. */
void story_bring_together(struct cluster *c);

/* Two that agree on a view: members of the same one. */
struct story_pair {
    unsigned proposer;
    unsigned voter;
};

/* For cluster_wait. @user is a struct story_pair: whether the voter has
 * accepted what the proposer still tries. */
bool story_has_accepted(struct cluster *c, void *user);
/* @user is the number of a node, an unsigned: whether two members, or one, have
 * a vote in its view. */
bool story_is_of_two(struct cluster *c, void *user);
bool story_is_of_one(struct cluster *c, void *user);
bool story_is_of_three(struct cluster *c, void *user);
/* The same: whether its view is of a fork, and what it is in. */
bool story_has_forked(struct cluster *c, void *user);
bool story_is_out(struct cluster *c, void *user);
bool story_is_active(struct cluster *c, void *user);
bool story_is_merging(struct cluster *c, void *user);

/* Whether @node serves a partition. */
bool story_serves_anything(const struct cluster *c, unsigned node);
/* The first @count members of the view, by rank. */
void story_by_rank(struct cluster *c, unsigned *node, uint8_t count);
/* Both ways. */
void story_uncut(struct cluster *c, unsigned one, unsigned other);
/* @from says @message to @to, whatever cuts there are. */
void story_tell(struct cluster *c, unsigned from, unsigned to,
                const struct hf_message *message);
/* @to hears where @from is, and cannot say yet where it is itself. */
void story_show_view_of(struct cluster *c, unsigned from, unsigned to);

#endif
