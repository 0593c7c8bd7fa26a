/* mutations.h - The mechanisms that sim_mutable can break (base/mutation.h).
 *
 * For each: the name, the first seed that is tried, how many seeds it may take
 * from there until the simulator notices, whose stories notice, and what a
 * broken node does. The first seed notices today; when the simulator changes it
 * may be another one, so the check goes on up to the bound (mutations.sh).
 *
 * With a name, the stories of tests/cluster/<name>_test.c must notice as well
 * (-: none); a second word is the policy of the seeds, if that is not majority,
 * and more options of the simulator may follow.
 * Bound 0: the simulator meets it too rarely, and only they do. Without a name
 * it is harmless then, for another mechanism does the same, and is here for the
 * day that one goes. */
#ifndef HF_TESTS_SIM_MUTATIONS_H
#define HF_TESTS_SIM_MUTATIONS_H

#include <stdbool.h>

/* clang-format off */
#define MUTATIONS(X)                                                           \
    X(NO_LEASE, 7, 200, "",                                                    \
      "the primary serves without any lease")                                  \
    X(NO_LEASE_OF_COPIES, 1, 0, "",                                            \
      "the primary serves without a grant from every copy; harmless: "         \
      "who goes on without it waits for all its leases")                       \
    X(NO_SAFE_SET, 81, 2000, "",                                               \
      "the primary serves though it and its grants are no safe set")           \
    X(SERVES_AFTER_PROMISE, 1, 0, "",                                          \
      "the primary serves on when it has promised a later view; "              \
      "harmless: the next primary waits until all copies are in its view")     \
    X(LATE_ANSWER, 1, 200, "",                                                 \
      "the lease is not looked at again when the answer of a write leaves")    \
    X(LEASE_FROM_ARRIVAL, 14, 200, "",                                         \
      "a lease is counted from the arrival of the echo")                       \
    X(PAUSE_NOT_NOTICED, 1180, 2000, "agreement",                              \
      "a node that stood still trusts its leases and accuses others")          \
    X(NO_GUARD, 1, 200, "",                                                    \
      "a view is agreed on before the leases it ends are over")                \
    X(DEAD_GRANTED_NOTHING, 1, 0, "votes",                                     \
      "a view is agreed on while what a dead member granted still holds")      \
    X(GRANTS_AFTER_PROMISE, 1, 0, "votes",                                     \
      "grants are given after the promise of a later view")                    \
    X(ACKS_AFTER_PROMISE, 1, 0, "",                                            \
      "records are applied and acknowledged after such a promise; "            \
      "harmless: the next primary levels all copies as they are then")         \
    X(LOWER_BALLOT, 52, 200, "",                                               \
      "a view is accepted whose ballot is lower than the promised one")        \
    X(ACCEPTED_FORGOTTEN, 82, 2000, "agreement",                               \
      "a proposer ignores what others have accepted")                          \
    X(LEAVER_STAYS, 1, 0, "leave",                                             \
      "who looks for a cluster anew while it leaves never leaves")             \
    X(LEAVER_IS_NOT_TAKEN_IN, 1, 0, "adopt",                                   \
      "who starts over while it leaves says so, though it keeps what others "  \
      "lack")                                                                  \
    X(STARTS_WITHOUT_PROMISE, 1, 0, "adopt",                                   \
      "who starts over joins views below what it has promised")                \
    X(OWN_CHOICE_BINDS, 1, 0, "leave",                                         \
      "what a proposer chose and nobody decided binds its next ballot")        \
    X(COUNTS_ON_THE_DEAD, 1, 0, "agreement",                                   \
      "what counts on somebody who died meanwhile is proposed")                \
    X(ANY_CHOICE_IS_FREE, 1, 0, "votes",                                       \
      "who chose once is bound neither by that nor by who took it up")         \
    X(ACCEPTED_LEFT_BEHIND, 348, 2000, "agreement",                            \
      "what was accepted is forgotten when a view comes under another epoch")  \
    X(BACK_TO_THE_PAST, 120070126, 2000, "votes available",                    \
      "who voted for what came after a view enters that again, or gives way "  \
      "to it, when it has been in another lineage")                            \
    X(VOTE_FORGOTTEN, 1, 0, "refusal",                                         \
      "the same, when it voted in that view and entered none that followed")   \
    X(VOTE_TAKEN_BACK, 1, 0, "votes",                                          \
      "who is out of a view, where nobody waits for its vote any more, votes " \
      "in it when it hears of it under a later number")                        \
    X(VOTE_TAKEN_BACK_LATER, 1, 0, "votes",                                    \
      "the same, when it has been out of another lineage meanwhile")           \
    X(OUT_COMES_BACK, 1, 0, "votes",                                           \
      "who was out of a view votes in it when it has handed over in vain")     \
    X(REFUSES_ONE_VIEW, 1, 0, "refusal",                                       \
      "who does not give way says so of one view, not of all that are past")   \
    X(REFUSES_ONE_LINEAGE, 1, 0, "refusal",                                    \
      "who does not give way says so of one lineage, the last that it heard")  \
    X(GIVES_UP_ONE_LINEAGE, 1, 0, "refusal",                                   \
      "who waited for two lineages in vain waits for the first one again")     \
    X(REFUSAL_UNTOLD, 1, 0, "refusal",                                         \
      "who does not give way to what is past for it does not tell the rest")   \
    X(LED_BACK, 2003, 2000, "agreement",                                       \
      "a view that was agreed on again is followed by who is further on")      \
    X(DRAWN_INTO_FORK, 5007, 2000, "agreement half --behead",                  \
      "who went on in a view that was agreed on again follows its fork")       \
    X(GIVES_WAY_TO_EARLIER, 1, 0, "votes",                                     \
      "a fork gives way to a view before what it began at, under a later "     \
      "epoch, or, where it may not, both wait for ever")                       \
    X(ACCEPTED_IS_NOTHING, 696, 2000, "agreement takeover",                    \
      "who has nothing by its view starts over, whatever it accepted")         \
    X(ANY_SET_DECIDES, 4, 200, "",                                             \
      "a view is agreed on by a set that is not safe")                         \
    X(STALE_CERTIFICATE, 896, 2000, "agreement",                               \
      "every proof of a death counts as fresh")                                \
    X(GONE_STILL_VOTE, 928, 2000, "fork half --behead",                        \
      "members that gave way for good are still counted as voters")            \
    X(FORK_AGAINST_POLICY, 1, 200, "fork",                                     \
      "a side that is no safe set goes on whatever the policy")                \
    X(TAKEOVER_WITHOUT_NEED, 1, 200, "",                                       \
      "an order to take over is taken though a safe set goes on")              \
    X(SILENCE_IS_DEATH, 1, 200, "",                                            \
      "a member that is suspected passes for dead")                            \
    X(ANY_PROBE_IS_DEATH, 1, 200, "",                                          \
      "a probe without an answer proves a death")                              \
    X(OLDER_VIEW, 2656, 2000, "",                                              \
      "a view is entered that is older than the one held")                     \
    X(GREETING_IS_DEATH, 1, 0, "restart",                                      \
      "of two processes of a name the one whose greeting came last is alive")  \
    X(ANY_INCARNATION, 1, 200, "",                                             \
      "a node that was started again passes for the one before")               \
    X(ALONE_THOUGH_AHEAD, 1, 0, "follow",                                      \
      "who hears of a fork goes on alone before the fork can show its view")   \
    X(OLD_COMPLAINTS, 1, 0, "follow",                                          \
      "who stood still suspects others of not hearing it meanwhile")           \
    X(OLD_ANSWERS, 1, 0, "late",                                               \
      "who stood still suspects others of giving back what it sent before")    \
    X(BALLOTS_IN_VAIN, 1, 0, "late",                                           \
      "who may not decide alone tries again and again")                        \
    X(HEIR_UNTOLD, 1, 0, "adopt",                                              \
      "who has kept aside what the dead had promises before it has said so")   \
    X(BALLOT_IN_A_HURRY, 1, 0, "late",                                         \
      "a ballot is given up when both its halves together take too long")      \
    X(ASKING_IS_STUCK, 1, 0, "late",                                           \
      "who has promised bids higher though the proposer goes on asking")       \
    X(ANSWERED_IS_DONE, 1, 0, "late",                                          \
      "who has answered is not asked again while others have not")             \
    X(OUTBIDS_AT_ONCE, 1, 0, "late",                                           \
      "who is told of a higher ballot bids at once though its PREPARE comes")  \
    X(BACK_IN_VAIN, 1, 0, "slow",                                              \
      "a ballot goes on without who is back")                                  \
    X(OUTBID_WAITS, 1, 0, "agreement",                                         \
      "who is told of a higher ballot waits until its own is given up")        \
    X(LATE_GREETING, 1, 0, "restart",                                          \
      "a greeting is taken though another process of the name is heard")       \
    X(STALE_IS_LOST, 1, 0, "fork half",                                        \
      "what only dead members had is lost, though they may have passed it on") \
    X(AWAITED_IS_SERVED, 1, 0, "awaited half",                                 \
      "what a fork lacks is served though somebody may live who has it")       \
    X(OTHERS_UNTOLD, 1, 0, "awaited",                                          \
      "only who proposes a view has to know of who may bring what it lacks")   \
    X(JOINERS_KNOW_NOBODY, 1, 0, "awaited",                                    \
      "who joins with a view is not asked whom it knows that is not in it")    \
    X(STAYS_AWAY, 1, 0, "awaited",                                             \
      "who has handed over to a lineage that is gone waits for it for good")   \
    X(ABSENT_IS_EMPTY, 24, 200, "",                                            \
      "what only silent nodes have starts empty")                              \
    X(LEAVES_WITH_COPIES, 6222, 2000, "",                                      \
      "a leaving node is let go before it has handed over")                    \
    X(ALONE_THOUGH_COPIED, 1, 200, "",                                         \
      "a write is carried out as if there were no copies")                     \
    X(EARLY_OK, 1, 200, "",                                                    \
      "a write is answered before the copies have it")                         \
    X(DIRTY_READ, 127, 2000, "",                                               \
      "a read shows a write that not all copies have")                         \
    X(EARLY_NIL, 337, 2000, "",                                                \
      "a read shows a removal that not all copies have")                       \
    X(LEARNER_NOT_AWAITED, 32, 2000, "",                                       \
      "writes do not wait for a learner that was sent everything")             \
    X(LEARNER_MISSES_WRITES, 948, 2000, "",                                    \
      "a learner gets no writes to sessions it already has")                   \
    X(EARLY_NOMINATION, 504, 2000, "",                                         \
      "a learner is nominated before it confirmed that it has everything")     \
    X(NO_PULL, 1, 0, "",                                                       \
      "a new primary does not ask for what other copies have and it lacks; "   \
      "harmless: nobody saw it; a copy that has more is filled anew")          \
    X(NO_LEVELLING, 1, 200, "",                                                \
      "a copy that lags counts as full in a new view")                         \
    X(SEQUENCE_ALONE, 152, 2000, "",                                           \
      "copies that diverged pass for level")                                   \
    X(OLD_RECORDS, 1, 0, "",                                                   \
      "records of another epoch are applied; "                                 \
      "harmless: only the next one of a partition, from its primary, fits")    \
    X(OLD_ACKS, 1, 0, "",                                                      \
      "acknowledgements of another epoch count; "                              \
      "harmless: nothing is sent before the positions, which come later")      \
    X(OLD_FORWARD, 1, 0, "",                                                   \
      "commands forwarded in another epoch are carried out; "                  \
      "harmless: it is known when it is sent again")                           \
    X(REPEATED_RECORDS, 1, 0, "",                                              \
      "records that come twice are applied twice; "                            \
      "harmless: a write that is not the next of its partition is refused")    \
    X(RECORD_GAPS, 131, 200, "",                                               \
      "a record is applied though some before it are missing")                 \
    X(REPEATED_FRAMES, 1, 0, "",                                               \
      "a frame that comes twice is taken twice; "                              \
      "harmless: all that a frame may hold can be heard twice")                \
    X(LOST_FRAMES, 4575, 6000, "",                                             \
      "a session goes on though frames are missing")                           \
    X(NO_DEDUP, 1, 200, "",                                                    \
      "a command that is sent twice is carried out twice")                     \
    X(OPERATIONS_NOT_COPIED, 25, 200, "",                                      \
      "backups do not remember operations")                                    \
    X(OPERATIONS_NOT_REFILLED, 194, 2000, "repeat",                            \
      "a learner does not get the operations that are remembered")             \
    X(REPEATED_AFTER_THE_END, 132, 2000, "",                                   \
      "a command whose origin gave it up is carried out all the same")         \
    X(OPERATIONS_KEPT, 1, 200, "repeat",                                       \
      "operations are remembered though nobody can ask for them again")        \
    X(COPY_DIRTY_READ, 1216, 2000, "",                                         \
      "a copy shows what it does not know to be on all copies")                \
    X(COPY_WITHOUT_LEASE, 15, 200, "",                                         \
      "a copy answers reads without a lease")                                  \
    X(COPY_READ_AFTER_PROMISE, 780, 2000, "copy",                              \
      "a copy answers reads after the promise of a view that may drop it")     \
    X(COPY_NOT_LEVEL, 1, 200, "",                                              \
      "a copy answers reads before it is level in this epoch")                 \
    X(COPY_DECIDES_EXPIRY, 2, 200, "copy",                                     \
      "a copy calls a session expired that its primary did not")               \
    X(COPY_READ_OVERTAKES, 2, 200, "copy",                                     \
      "a read at a copy overtakes a write of the same client")                 \
    X(PAIRED_IN_A_CROWD, 2, 200, "copy",                                       \
      "the one backup answers a write that a learner still has to have")       \
    X(TOUCH_WITHOUT_GRACE, 17, 200, "touch",                                   \
      "copies are told the deadline of the primary, who counts on a later one")\
    X(FILLED_WITHOUT_GRACE, 1189, 4000, "touch",                               \
      "the same of a copy that is filled")                                     \
    X(FLUSH_MISSES_COPIES, 1, 200, "",                                         \
      "a copy keeps what FLUSHALL dropped on its primary")                     \
    X(COPY_EXPIRES, 163, 200, "",                                              \
      "a copy drops expired sessions by itself")                               \
    X(EXPIRED_IS_SERVED, 2, 200, "expiry",                                     \
      "an expired session is answered until it is dropped")                    \
    X(WALL_CLOCK, 4, 200, "",                                                  \
      "the time to live of sessions follows the wall clock")                   \
    X(NO_FENCE, 1, 200, "",                                                    \
      "a deleted session leaves no fence")                                     \
    X(WRITE_LIFTS_FENCE, 1, 200, "",                                           \
      "a write where there is a fence is carried out")                         \
    X(FENCE_NOT_REFILLED, 1, 200, "",                                          \
      "a learner does not get the fences")                                     \
    X(LEFT_TO_NOBODY, 1, 0, "merge",                                           \
      "who hears that its lineage went on without it drops what it had there, "\
      "though others left that to it")                                         \
    X(RESUMES_WHERE_IT_WAS, 1, 0, "merge half",                                \
      "who hands over and is cut off goes on in the view that it handed over") \
    X(MERGE_TAKES_ALL, 33, 200, "fork half",                                   \
      "what another lineage hands over replaces whatever is there")            \
    X(MERGE_LOSES_FENCE, 1, 200, "fork half",                                  \
      "a session that the other side changed later wins over its fence")       \
    X(MERGE_FORGETS_TOUCHES, 21, 200, "fork half",                             \
      "the other side's new time to live of what it did not change is dropped")\
    X(KEPT_FOR_GOOD, 1, 0, "refill",                                           \
      "who handed over before its positions came is not filled")               \
    X(FILLED_UNPACED, 3, 200, "refill",                                        \
      "copies are filled as fast as they can be sent")                         \
    X(FILLED_UNBOUNDED, 43, 200, "",                                           \
      "what is under way to a copy that is filled has no bound")               \
    X(SLOW_IS_AWAITED, 11, 2000, "slow",                                       \
      "a copy that acknowledges nothing is waited for as long as it lives")    \
    X(DEGRADED_UNCOUNTED, 1, 200, "lost",                                      \
      "writes with too few copies are not counted")                            \
    X(MEMBERS_BACKWARDS, 1, 200, "",                                           \
      "a learner gets the members of a set in another order")                  \
    X(UNIT_WITHOUT_ITS_LAST, 1, 200, "",                                       \
      "a copy applies a unit without the effects on its last key")             \
    X(UNIT_WHOLE_TO_LEARNER, 384, 2000, "unit",                                \
      "a learner gets what a unit did to sessions that it has not yet")        \
    X(GUARD_TOO_SHORT, 22, 200, "",                                            \
      "the guard ends a little before a lease that is counted on a slow clock")\
    X(NO_CERTIFICATE, 1, 0, "failover",                                        \
      "no proof of a death counts as fresh")                                   \
    X(FORK_AT_ONCE, 1, 0, "fork",                                              \
      "a side goes on as a fork without a delay")                              \
    X(NOT_WITHHELD, 1, 0, "partition",                                         \
      "who is to be left out gets grants all the same")                        \
    X(DATA_IS_HEARD, 1, 0, "partition",                                        \
      "who sends no heartbeats is not suspected while its data comes")         \
    X(HEARD_BY_ONE_IS_WELL, 1, 0, "partition",                                 \
      "who is heard by too few to go on is waited for")                        \
    X(NIL_IN_THE_GAP, 1, 0, "failover",                                        \
      "past the hold the answer is nil")                                       \
    X(HELD_UNBOUNDED, 1, 0, "slow",                                            \
      "what waits at a primary has no bound")                                  \
    X(FENCES_UNBOUNDED, 1, 0, "fence",                                         \
      "fences are kept past the bound of their memory")                        \
    X(FENCE_ENDS_EARLY, 1, 0, "fence",                                         \
      "a fence ends after a quarter of its lifetime")                          \
    X(CONFLICT_UNCOUNTED, 1, 0, "fork",                                        \
      "what loses in a merge is not counted")                                  \
    X(LOSS_UNCOUNTED, 1, 0, "lost",                                            \
      "sessions that are lost are not counted")                                \
    X(FILLED_IN_ORDER, 1, 0, "refill",                                         \
      "copies are not filled by when they were touched last")                  \
    X(FILLED_ANEW, 1, 0, "refill",                                             \
      "what a copy has already is sent to it again")                           \
    X(NEWS_UNHEARD, 1, 0, "publish",                                           \
      "a subscription is confirmed though others do not know")                 \
    X(WATCH_UNSEEN, 8, 2000, "unit",                                           \
      "a transaction is carried out though a watched key has changed")         \
    X(RENAME_DROPS_WHAT_CHANGED, 5, 2000, "transfer",                          \
      "a session that changed while it was renamed is dropped all the same")   \
    X(ONLY_ITS_OWN, 1, 200, "forwarding",                                      \
      "a command over all partitions reaches only those of the asked node")    \
    X(ANYBODY_FOUNDS, 289, 2000, "join",                                       \
      "who finds nobody starts a cluster, though it is no seed")               \
    X(ACKED_ONE_BY_ONE, 1, 0, "write",                                         \
      "each record is acknowledged by itself")                                 \
    X(SCAN_SKIPS, 1, 0, "forwarding",                                          \
      "a page of SCAN that ends within a partition is followed by the next "   \
      "partition")                                                             \
    X(ANY_CHECKSUM, 16, 200, "",                                               \
      "a frame is taken whatever its checksum")                                \
    X(LABELS_UNSEEN, 1, 0, "join",                                             \
      "copies are placed without a look at labels")                            \
    X(LOAD_UNSEEN, 1, 0, "join",                                               \
      "copies are placed without a bound of the load of a node")               \
    X(PLACED_ANEW, 1, 0, "join",                                               \
      "where copies belong is drawn anew when the number of members changes")  \
    X(DRAWN_FROM_MEMORY, 20, 200, "",                                          \
      "a node draws its random numbers from where it is in memory")            \
    X(EVENT_AT_ONCE, 1, 0, "publish",                                          \
      "an event is told before its write is on all copies, and again then")
/* clang-format on */

enum hf_mutation {
    HF_MUTATION_NONE,
#define MUTATION_ENUM(name, seed, limit, story, text) HF_MUTATION_##name,
    MUTATIONS(MUTATION_ENUM)
#undef MUTATION_ENUM
};

/* The one that is on, for the whole program. */
extern enum hf_mutation hf_mutation;

#define HF_MUTATED(name) (hf_mutation == HF_MUTATION_##name)

/* Switches @name on. False when there is none of that name. */
bool mutation_choose(const char *name);
/* A line for each: name, first seed, limit, what it does; tabs between. */
void mutations_print(void);

#endif
