/* expect.h - Having the memory fetched that a node is about to need.
 *
 * What is announced by hf_node_expect and hf_node_expect_messages (core/node.h)
 * is what arrives; this is about what was kept meanwhile. Nothing here changes
 * anything but how soon things are carried out.
 *
 * Private to the files that make up a node. */
#ifndef HF_CORE_EXPECT_H
#define HF_CORE_EXPECT_H

#include "core/node_state.h"

/* @records, HF_EXPECT_MAX at most, are about to be committed, or forgotten
 * because they were. */
void hf_node_expect_done(const struct hf_node *node,
                         const struct hf_record *const *records, size_t count);

/* requests.c: the request of @number, if there is one, is about to be answered.
 */
void hf_node_request_expect(const struct hf_node *node, uint64_t number);

#endif
