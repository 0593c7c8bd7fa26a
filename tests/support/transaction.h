/* transaction.h - A transaction on keys of one partition, as a node gets it.
 *
 * Commands are texts, their words separated by one space each:
 *
 *   transaction_begin(&t, key);
 *   transaction_watch(&t, key, state);       as WATCH answered it
 *   transaction_add(&t, "SET k v");
 *   transaction_ask(&t, c, node)             a request like any other
 *   transaction_end(&t); */
#ifndef HF_TESTS_TRANSACTION_H
#define HF_TESTS_TRANSACTION_H

#include "support/cluster.h"

#define TRANSACTION_WORDS_MAX 8

struct transaction {
    struct hf_mem mem;
    const char *key; /* Borrowed. */
    uint32_t watch_count;
    struct hf_buffer watches;
    struct hf_buffer commands;
    struct hf_buffer packed;
};

/* @key: any of the partition. */
void transaction_begin(struct transaction *transaction, const char *key);
void transaction_end(struct transaction *transaction);
void transaction_watch(struct transaction *transaction, const char *key,
                       struct hf_slice state);
void transaction_add(struct transaction *transaction, const char *line);
/* The words of the one command that it is; they last as long as it. */
void transaction_words(struct transaction *transaction,
                       struct hf_slice argv[3]);
struct request *transaction_ask(struct transaction *transaction,
                                struct cluster *c, unsigned node);

/* All at once, without watches: @lines end by NULL. */
struct request *transaction_send(struct cluster *c, unsigned node,
                                 const char *key, const char *const *lines);
/* SET @key to @value, and a change of one of the hashes "{crowd}unit<@other>",
 * which are of the same partition; each is at times the last of its hash. */
struct request *transaction_send_pair(struct cluster *c, unsigned node,
                                      const char *key, int64_t value,
                                      unsigned other);

#endif
