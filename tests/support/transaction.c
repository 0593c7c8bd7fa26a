#include "support/transaction.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "core/transaction.h"

#define PAIR_LINE_BYTES 64

void transaction_begin(struct transaction *transaction, const char *key)
{
    *transaction = (struct transaction){.key = key};
    hf_mem_init_system(&transaction->mem);
    hf_buffer_init(&transaction->watches, &transaction->mem);
    hf_buffer_init(&transaction->commands, &transaction->mem);
    hf_buffer_init(&transaction->packed, &transaction->mem);
}

void transaction_end(struct transaction *transaction)
{
    hf_buffer_close(&transaction->watches);
    hf_buffer_close(&transaction->commands);
    hf_buffer_close(&transaction->packed);
}

void transaction_watch(struct transaction *transaction, const char *key,
                       struct hf_slice state)
{
    hf_transaction_watch(&transaction->watches, hf_slice_text(key), state);
    transaction->watch_count++;
}

void transaction_add(struct transaction *transaction, const char *line)
{
    struct hf_slice argv[TRANSACTION_WORDS_MAX];
    uint32_t argc = 0;
    for (const char *word = line; word != NULL;) {
        const char *end = strchr(word, ' ');
        size_t size = end == NULL ? strlen(word) : (size_t)(end - word);
        HF_ASSERT(argc < TRANSACTION_WORDS_MAX);
        argv[argc++] = (struct hf_slice){(const uint8_t *)word, size};
        word = end == NULL ? NULL : end + 1;
    }
    struct hf_command command = {
        .row = hf_command_find(argv[0]), .argc = argc, .argv = argv};
    HF_ASSERT(command.row != NULL);
    hf_transaction_command(&transaction->commands, &command);
}

void transaction_words(struct transaction *transaction, struct hf_slice argv[3])
{
    struct hf_buffer *packed = &transaction->packed;
    hf_buffer_clear(packed);
    hf_transaction_begin(packed, transaction->watch_count);
    hf_buffer_append_slice(packed, hf_buffer_slice(&transaction->watches));
    hf_buffer_append_slice(packed, hf_buffer_slice(&transaction->commands));
    HF_ASSERT(!packed->failed);
    argv[0] = HF_SLICE_LITERAL("EXEC");
    argv[1] = hf_slice_text(transaction->key);
    argv[2] = hf_buffer_slice(packed);
}

struct request *transaction_ask(struct transaction *transaction,
                                struct cluster *c, unsigned node)
{
    struct hf_slice argv[3];
    transaction_words(transaction, argv);
    return cluster_ask_argv(c, node, 3, argv);
}

struct request *transaction_send(struct cluster *c, unsigned node,
                                 const char *key, const char *const *lines)
{
    struct transaction transaction;
    transaction_begin(&transaction, key);
    for (; *lines != NULL; lines++) {
        transaction_add(&transaction, *lines);
    }
    struct request *request = transaction_ask(&transaction, c, node);
    transaction_end(&transaction);
    return request;
}

struct request *transaction_send_pair(struct cluster *c, unsigned node,
                                      const char *key, int64_t value,
                                      unsigned other)
{
    char set[PAIR_LINE_BYTES];
    char change[PAIR_LINE_BYTES];
    (void)snprintf(set, sizeof(set), "SET %s %" PRId64, key, value);
    (void)snprintf(change, sizeof(change), "%s {crowd}unit%u f%s",
                   value % 4 == 0 ? "HDEL" : "HINCRBY", other,
                   value % 4 == 0 ? "" : " 1");
    const char *const lines[] = {set, change, NULL};
    return transaction_send(c, node, key, lines);
}
