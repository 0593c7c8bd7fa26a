/* sha1.h - SHA-1 (FIPS 180-4), by which clients name scripts.
 *
 * Nothing here depends on it being hard to find two texts with one sum: a
 * script is looked up by its sum only among those that clients of this cluster
 * stored. That is why no library of cryptography is linked for it. */
#ifndef HF_SCRIPT_SHA1_H
#define HF_SCRIPT_SHA1_H

#include "base/bytes.h"

#define HF_SHA1_TEXT_BYTES 40

/* Writes the sum of @bytes as lower case hexadecimal digits and a zero. */
void hf_sha1_text(struct hf_slice bytes, char text[HF_SHA1_TEXT_BYTES + 1]);

#endif
