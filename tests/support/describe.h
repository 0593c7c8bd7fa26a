/* describe.h - Messages and replies as short text, for traces and stories. */
#ifndef HF_TESTS_DESCRIBE_H
#define HF_TESTS_DESCRIBE_H

#include "core/message.h"

/* Writes one line of at most @size - 1 bytes. */
void describe_message(const struct hf_message *message, char *text,
                      size_t size);

/* Appends a reply as a person would write it: "OK", "(nil)", "3", "[a (nil)]",
 * "(error) ERR syntax error". */
void describe_reply(const struct hf_reply *reply, struct hf_buffer *out);

#endif
