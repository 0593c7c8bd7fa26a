/* expect_message.h - Two messages are equal, or the cmocka test fails. */
#ifndef HF_TESTS_SUPPORT_EXPECT_MESSAGE_H
#define HF_TESTS_SUPPORT_EXPECT_MESSAGE_H

#include "core/message.h"

void messages_expect_equal(const struct hf_message *a,
                           const struct hf_message *b);

#endif
