/* error.h - The errors that functions of Holdfast return.
 *
 * Functions that can fail return 0 or one of these negative numbers. Ordinary
 * outcomes (no such key, not the owner, input incomplete) are not errors and
 * have enums of their own. */
#ifndef HOLDFAST_ERROR_H
#define HOLDFAST_ERROR_H

#define HF_ERROR_MAP(X)                                                        \
    X(HF_ENOMEM, -1, "out of memory")                                          \
    X(HF_EINVAL, -2, "a value is outside of what is allowed")                  \
    X(HF_EIO, -3, "the network or the file system refused")                    \
    X(HF_EINUSE, -4, "the address is in use")                                  \
    X(HF_EPROTO, -5, "the peer does not speak this protocol")                  \
    X(HF_ELIMIT, -6, "a configured limit was reached")

enum hf_error {
#define HF_ERROR_ENUM(name, value, text) name = value,
    HF_ERROR_MAP(HF_ERROR_ENUM)
#undef HF_ERROR_ENUM
};

/* The text of an error number, never NULL. Thread-safe; the text is static. */
const char *hf_strerror(int error);

#endif
