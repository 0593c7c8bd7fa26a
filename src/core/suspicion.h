/* suspicion.h - Which members are of no use for now: silent, deaf to us, in no
 * view with us, or too late with their answers. */
#ifndef HF_CORE_SUSPICION_H
#define HF_CORE_SUSPICION_H

#include "core/view.h"

struct hf_node;
struct hf_member;

/* Those we do not hear, or not in our lineage, and those that are dead. */
hf_member_set hf_node_unreached(const struct hf_node *node);
/* Members that are silent for too long, do not hear us, answer too late, or are
 * dead. */
hf_member_set hf_node_suspects_itself(const struct hf_node *node);
/* These, and whoever cannot go on because so many suspect it, where we can go
 * on without it. */
hf_member_set hf_node_suspects(const struct hf_node *node);
/* Of these, those of whom it is only that they answer too late. */
hf_member_set hf_node_only_late(const struct hf_node *node);
/* agreement.c: of these, those who get no grants, so that the guard can run
 * out. As long as we may not go on without them, who is only late gets some:
 * else two would not see that they answer each other in time again. */
hf_member_set hf_node_ungranted(const struct hf_node *node);
/* Of @suspects, those that another member hears and does not suspect, and that
 * can go on: only our link to them, or theirs to us, is cut. */
hf_member_set hf_node_disputed(const struct hf_node *node,
                               hf_member_set suspects);
/* Whether one of @suspects may just have been forked from our view: who went on
 * elsewhere shows that view when it hears where we are, so that we follow, or
 * gives way. A view without it would be in the way of the first. */
bool hf_node_awaits_view(const struct hf_node *node, hf_member_set suspects);
/* @member gave back a heartbeat that we sent at @sent_at. */
void hf_node_note_answer(struct hf_node *node, struct hf_member *member,
                         hf_time sent_at);
/* Counts and logs those that are suspected since the last time. */
void hf_node_count_suspicions(struct hf_node *node);

#endif
