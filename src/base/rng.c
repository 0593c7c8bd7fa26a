#include "base/rng.h"

#include "base/assert.h"

static uint64_t splitmix(uint64_t *state)
{
    *state += 0x9e3779b97f4a7c15u;
    uint64_t z = *state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static uint64_t rotate(uint64_t value, int bits)
{
    return (value << bits) | (value >> (64 - bits));
}

void hf_rng_init(struct hf_rng *rng, uint64_t seed)
{
    for (size_t i = 0; i < HF_ARRAY_COUNT(rng->state); i++) {
        rng->state[i] = splitmix(&seed);
    }
}

uint64_t hf_rng_next(struct hf_rng *rng)
{
    uint64_t *s = rng->state;
    uint64_t result = rotate(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

uint64_t hf_rng_below(struct hf_rng *rng, uint64_t bound)
{
    HF_ASSERT(bound > 0);
    return hf_rng_next(rng) % bound;
}

bool hf_rng_chance(struct hf_rng *rng, uint64_t numerator, uint64_t denominator)
{
    return hf_rng_below(rng, denominator) < numerator;
}
