#include "script/sha1.h"

#include <string.h>

#define BLOCK_BYTES 64
#define LENGTH_BYTES 8

static uint32_t rotate(uint32_t value, unsigned by)
{
    return value << by | value >> (32 - by);
}

static uint32_t word_at(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 |
           (uint32_t)bytes[2] << 8 | (uint32_t)bytes[3];
}

/* The function and the constant of a step. */
static uint32_t mix(unsigned step, uint32_t b, uint32_t c, uint32_t d)
{
    if (step < 20) {
        return ((b & c) | (~b & d)) + 0x5a827999;
    }
    if (step < 40) {
        return (b ^ c ^ d) + 0x6ed9eba1;
    }
    if (step < 60) {
        return ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc;
    }
    return (b ^ c ^ d) + 0xca62c1d6;
}

static void add_block(uint32_t state[5], const uint8_t *block)
{
    uint32_t words[80];
    for (unsigned i = 0; i < 16; i++) {
        words[i] = word_at(block + (size_t)4 * i);
    }
    for (unsigned i = 16; i < 80; i++) {
        words[i] = rotate(
            words[i - 3] ^ words[i - 8] ^ words[i - 14] ^ words[i - 16], 1);
    }
    uint32_t a = state[0];
    uint32_t b = state[1];
    uint32_t c = state[2];
    uint32_t d = state[3];
    uint32_t e = state[4];
    for (unsigned i = 0; i < 80; i++) {
        uint32_t next = rotate(a, 5) + mix(i, b, c, d) + e + words[i];
        e = d;
        d = c;
        c = rotate(b, 30);
        b = a;
        a = next;
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
}

void hf_sha1_text(struct hf_slice bytes, char text[HF_SHA1_TEXT_BYTES + 1])
{
    static const char digits[] = "0123456789abcdef";
    uint32_t state[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476,
                         0xc3d2e1f0};
    size_t whole = bytes.size - bytes.size % BLOCK_BYTES;
    for (size_t at = 0; at < whole; at += BLOCK_BYTES) {
        add_block(state, bytes.data + at);
    }
    /* What is left, a bit, zeros, and the length in bits. */
    uint8_t last[2 * BLOCK_BYTES] = {0};
    size_t left = bytes.size - whole;
    if (left > 0) {
        memcpy(last, bytes.data + whole, left);
    }
    last[left] = 0x80;
    size_t end =
        left + 1 + LENGTH_BYTES <= BLOCK_BYTES ? BLOCK_BYTES : 2 * BLOCK_BYTES;
    uint64_t bits = (uint64_t)bytes.size * 8;
    for (unsigned i = 0; i < LENGTH_BYTES; i++) {
        last[end - 1 - i] = (uint8_t)(bits >> (8 * i));
    }
    for (size_t at = 0; at < end; at += BLOCK_BYTES) {
        add_block(state, last + at);
    }
    for (unsigned i = 0; i < HF_SHA1_TEXT_BYTES; i++) {
        text[i] = digits[state[i / 8] >> (28 - 4 * (i % 8)) & 15];
    }
    text[HF_SHA1_TEXT_BYTES] = '\0';
}
