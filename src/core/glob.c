#include "core/glob.h"

static bool in_range(uint8_t byte, uint8_t a, uint8_t b)
{
    return a <= b ? byte >= a && byte <= b : byte >= b && byte <= a;
}

/* Matches @byte against the class whose first byte after '[' is at *at, and
 * moves *at past the class. */
static bool class_matches(struct hf_slice pattern, size_t *at, uint8_t byte)
{
    const uint8_t *p = pattern.data;
    size_t i = *at;
    bool found = false;
    bool negated = i < pattern.size && p[i] == '^';
    if (negated) {
        i++;
    }
    while (i < pattern.size && p[i] != ']') {
        size_t left = pattern.size - i;
        if (p[i] == '\\' && left >= 2) {
            found |= p[i + 1] == byte;
            i += 2;
        } else if (left >= 3 && p[i + 1] == '-') {
            found |= in_range(byte, p[i], p[i + 2]);
            i += 3;
        } else {
            found |= p[i] == byte;
            i++;
        }
    }
    *at = i < pattern.size ? i + 1 : i;
    return found != negated;
}

/* Matches one byte against whatever is at *at, which is not a star, and moves
 * *at past it. */
static bool byte_matches(struct hf_slice pattern, size_t *at, uint8_t byte)
{
    uint8_t p = pattern.data[(*at)++];
    if (p == '?') {
        return true;
    }
    if (p == '[') {
        return class_matches(pattern, at, byte);
    }
    if (p == '\\' && *at < pattern.size) {
        p = pattern.data[(*at)++];
    }
    return p == byte;
}

/* Only the last star ever needs to take more: what came before it already
 * matches with the least, and everything but a star takes exactly one byte. */
bool hf_glob_matches(struct hf_slice pattern, struct hf_slice text)
{
    size_t p = 0;
    size_t t = 0;
    size_t after_star = 0; /* 0: no star yet. */
    size_t star_end = 0;   /* Where in the text the last star ends for now. */
    while (t < text.size) {
        if (p < pattern.size && pattern.data[p] == '*') {
            p++;
            after_star = p;
            star_end = t;
        } else if (p < pattern.size &&
                   byte_matches(pattern, &p, text.data[t])) {
            t++;
        } else if (after_star > 0) {
            p = after_star;
            star_end++;
            t = star_end;
        } else {
            return false;
        }
    }
    while (p < pattern.size && pattern.data[p] == '*') {
        p++;
    }
    return p == pattern.size;
}
