/* rng.h - Seeded random integers: xoshiro256** (Blackman and Vigna, "Scrambled
 * linear pseudorandom number generators", 2018), seeded by splitmix64. The
 * same seed gives the same numbers everywhere. Not for secrets. */
#ifndef HF_BASE_RNG_H
#define HF_BASE_RNG_H

#include "base/types.h"

struct hf_rng {
    uint64_t state[4];
};

void hf_rng_init(struct hf_rng *rng, uint64_t seed);
uint64_t hf_rng_next(struct hf_rng *rng);
/* From 0 to @bound - 1; @bound must not be 0. */
uint64_t hf_rng_below(struct hf_rng *rng, uint64_t bound);
/* True @numerator times in @denominator. */
bool hf_rng_chance(struct hf_rng *rng, uint64_t numerator,
                   uint64_t denominator);

#endif
