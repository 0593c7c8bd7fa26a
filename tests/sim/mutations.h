/* mutations.h - The mechanisms that sim_mutable can break (base/mutation.h).
 *
 * One line each: the name, the first seed that is tried, how many seeds it may
 * take until the simulator notices, and what a broken node does. The first seed
 * is one that notices today; when the simulator changes it may be another one,
 * so the check goes on from there up to the bound (tests/sim/mutations.sh). */
#ifndef HF_TESTS_SIM_MUTATIONS_H
#define HF_TESTS_SIM_MUTATIONS_H

#include <stdbool.h>

/* clang-format off */
#define MUTATIONS(X)                                                           \
    X(NO_LEASE, 1, 2000, "",                                                   \
      "the primary serves without any lease")                                  \
    X(NO_LEASE_OF_COPIES, 1, 2000, "",                                         \
      "the primary serves without a grant from every copy")                    \
    X(NO_SAFE_SET, 1, 2000, "",                                                \
      "the primary serves though it and its grants are no safe set")           \
    X(SERVES_AFTER_PROMISE, 1, 2000, "",                                       \
      "the primary serves on when it has promised a later view")               \
    X(LATE_ANSWER, 1, 2000, "",                                                \
      "the lease is not looked at again when the answer of a write leaves")    \
    X(LEASE_FROM_ARRIVAL, 1, 2000, "",                                         \
      "a lease is counted from the arrival of the echo")                       \
    X(PAUSE_NOT_NOTICED, 1, 2000, "",                                          \
      "a node that stood still trusts its leases and accuses others")          \
    X(NO_GUARD, 1, 2000, "",                                                   \
      "a view is agreed on before the leases it ends are over")                \
    X(GRANTS_AFTER_PROMISE, 1, 2000, "",                                       \
      "grants are given after the promise of a later view")                    \
    X(ACKS_AFTER_PROMISE, 1, 2000, "",                                         \
      "records are applied and acknowledged after such a promise")             \
    X(LOWER_BALLOT, 1, 2000, "",                                               \
      "a view is accepted whose ballot is lower than the promised one")        \
    X(ACCEPTED_FORGOTTEN, 1, 2000, "",                                         \
      "a proposer ignores what others have accepted")                          \
    X(ANY_SET_DECIDES, 1, 2000, "",                                            \
      "a view is agreed on by a set that is not safe")                         \
    X(STALE_CERTIFICATE, 1, 2000, "",                                          \
      "every proof of a death counts as fresh")                                \
    X(SILENCE_IS_DEATH, 1, 2000, "",                                           \
      "a member that is suspected passes for dead")                            \
    X(ANY_PROBE_IS_DEATH, 1, 2000, "",                                         \
      "a probe without an answer proves a death")                              \
    X(OLDER_VIEW, 1, 2000, "",                                                 \
      "a view is entered that is older than the one held")                     \
    X(ANY_INCARNATION, 1, 2000, "",                                            \
      "a node that was started again passes for the one before")               \
    X(LATE_GREETING, 1, 2000, "",                                              \
      "a greeting of an older process counts as of a newer one")               \
    X(ABSENT_IS_EMPTY, 1, 2000, "",                                            \
      "what only silent nodes have starts empty")                              \
    X(LEAVES_WITH_COPIES, 1, 2000, "",                                         \
      "a leaving node is let go before it has handed over")                    \
    X(EARLY_OK, 1, 2000, "",                                                   \
      "a write is answered before the copies have it")                         \
    X(DIRTY_READ, 1, 2000, "",                                                 \
      "a read shows a write that not all copies have")                         \
    X(EARLY_NIL, 1, 2000, "",                                                  \
      "a read shows a removal that not all copies have")                       \
    X(LEARNER_NOT_AWAITED, 1, 2000, "",                                        \
      "writes do not wait for a learner that was sent everything")             \
    X(LEARNER_MISSES_WRITES, 1, 2000, "",                                      \
      "a learner gets no writes to sessions it already has")                   \
    X(EARLY_NOMINATION, 1, 2000, "",                                           \
      "a learner is nominated before it confirmed that it has everything")     \
    X(NO_PULL, 1, 2000, "",                                                    \
      "a new primary does not ask for what other copies have and it lacks")    \
    X(NO_LEVELLING, 1, 2000, "",                                               \
      "a copy that lags counts as full in a new view")                         \
    X(SEQUENCE_ALONE, 1, 2000, "",                                             \
      "copies that diverged pass for level")                                   \
    X(OLD_RECORDS, 1, 2000, "",                                                \
      "records of another epoch are applied")                                  \
    X(OLD_ACKS, 1, 2000, "",                                                   \
      "acknowledgements of another epoch count")                               \
    X(OLD_FORWARD, 1, 2000, "",                                                \
      "commands forwarded in another epoch are carried out")                   \
    X(REPEATED_RECORDS, 1, 2000, "",                                           \
      "records that come twice are applied twice")                             \
    X(RECORD_GAPS, 1, 2000, "",                                                \
      "a record is applied though some before it are missing")                 \
    X(REPEATED_FRAMES, 1, 2000, "",                                            \
      "a frame that comes twice is taken twice")                               \
    X(LOST_FRAMES, 1, 2000, "",                                                \
      "a session goes on though frames are missing")                           \
    X(NO_DEDUP, 1, 2000, "",                                                   \
      "a command that is sent twice is carried out twice")                     \
    X(OPERATIONS_NOT_COPIED, 1, 2000, "",                                      \
      "backups do not remember operations")                                    \
    X(OPERATIONS_NOT_REFILLED, 1, 2000, "",                                    \
      "a learner does not get the operations that are remembered")             \
    X(REPEATED_AFTER_THE_END, 1, 2000, "",                                     \
      "a command whose origin gave it up is carried out all the same")         \
    X(COPY_EXPIRES, 1, 2000, "",                                               \
      "a copy drops expired sessions by itself")                               \
    X(EXPIRED_IS_SERVED, 1, 2000, "",                                          \
      "an expired session is answered until it is dropped")                    \
    X(WALL_CLOCK, 1, 2000, "",                                                 \
      "the time to live of sessions follows the wall clock")                   \
    X(NO_FENCE, 1, 2000, "",                                                   \
      "a deleted session leaves no fence")                                     \
    X(WRITE_LIFTS_FENCE, 1, 2000, "",                                          \
      "a write where there is a fence is carried out")                         \
    X(FENCE_NOT_REFILLED, 1, 2000, "",                                         \
      "a learner does not get the fences")
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
