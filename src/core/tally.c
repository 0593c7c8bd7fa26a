#include "core/tally.h"

#include <string.h>

#include "base/assert.h"
#include "base/hash.h"

static const char no_memory_text[] =
    "OOM command not allowed: this node is out of memory";

bool hf_tally_kind_of(const struct hf_command *command,
                      enum hf_tally_kind *kind)
{
    static const struct {
        const char *name;
        enum hf_tally_kind kind;
    } words[] = {
        {"channels", HF_TALLY_NAMES},     {"shardchannels", HF_TALLY_NAMES},
        {"numpat", HF_TALLY_DIFFERENT},   {"numsub", HF_TALLY_COUNTS},
        {"shardnumsub", HF_TALLY_COUNTS},
    };
    if (strcmp(command->row->name, "PUBSUB") != 0) {
        *kind = HF_TALLY_SUM;
        return true;
    }
    for (size_t i = 0; i < HF_ARRAY_COUNT(words); i++) {
        if (hf_slice_equal_nocase(command->argv[1], words[i].name)) {
            *kind = words[i].kind;
            return true;
        }
    }
    return false;
}

bool hf_tally_init(struct hf_tally *tally, struct hf_mem *mem,
                   const struct hf_command *command)
{
    *tally = (struct hf_tally){.mem = mem};
    if (!hf_tally_kind_of(command, &tally->kind)) {
        return false;
    }
    hf_buffer_init(&tally->names, mem);
    if (tally->kind != HF_TALLY_COUNTS || command->argc == 2) {
        return true;
    }
    tally->count = command->argc - 2;
    tally->counts =
        hf_mem_alloc_zero(mem, tally->count * sizeof(tally->counts[0]));
    for (uint32_t i = 2; i < command->argc; i++) {
        hf_buffer_put_slice(&tally->names, command->argv[i]);
    }
    if (tally->counts == NULL || tally->names.failed) {
        hf_tally_close(tally);
        return false;
    }
    return true;
}

void hf_tally_close(struct hf_tally *tally)
{
    if (tally->counts != NULL) {
        hf_mem_free(tally->mem, tally->counts,
                    tally->count * sizeof(tally->counts[0]));
        tally->counts = NULL;
    }
    hf_buffer_close(&tally->names);
}

size_t hf_tally_bytes(const struct hf_tally *tally)
{
    size_t counts =
        tally->counts == NULL ? 0 : tally->count * sizeof(tally->counts[0]);
    return tally->names.capacity + counts;
}

void hf_tally_refuse(struct hf_tally *tally, const char *error)
{
    if (tally->error == NULL) {
        tally->error = error;
        hf_tally_close(tally);
    }
}

static void add_name(struct hf_tally *tally, struct hf_slice name)
{
    if (tally->names.size + name.size > HF_REPLY_BYTES_MAX) {
        hf_tally_refuse(tally, HF_REPLY_TOO_LARGE);
        return;
    }
    hf_buffer_put_slice(&tally->names, name);
    if (tally->names.failed) {
        hf_tally_refuse(tally, no_memory_text);
        return;
    }
    tally->count++;
}

static void add_nested(struct hf_tally *tally, struct hf_slice tokens)
{
    struct hf_reader reader = hf_reader_of(tokens);
    struct hf_token token;
    uint32_t at = 0; /* Of the names asked for. */
    if (!hf_token_next(&reader, &token) || token.kind != HF_TOKEN_ARRAY) {
        return;
    }
    while (tally->error == NULL && hf_token_next(&reader, &token)) {
        if (token.kind == HF_TOKEN_BULK && tally->kind != HF_TALLY_COUNTS) {
            add_name(tally, token.bytes);
        } else if (token.kind == HF_TOKEN_INTEGER && at < tally->count &&
                   tally->kind == HF_TALLY_COUNTS) {
            tally->counts[at++] += token.integer;
        }
    }
}

void hf_tally_add(struct hf_tally *tally, const struct hf_reply *reply)
{
    if (tally->error != NULL) {
        /* Keep nothing. */
    } else if (reply->kind == HF_REPLY_NESTED && tally->kind != HF_TALLY_SUM) {
        add_nested(tally, reply->bytes);
    } else if (reply->kind == HF_REPLY_INTEGER && tally->kind == HF_TALLY_SUM) {
        tally->sum += reply->integer;
    } else if (reply->kind == HF_REPLY_ERROR) {
        hf_tally_refuse(tally, HF_REPLY_TOO_LARGE); /* The only one. */
    }
}

static struct hf_slice name_at(const struct hf_tally *tally, uint32_t offset)
{
    struct hf_slice from = hf_buffer_slice(&tally->names);
    struct hf_reader reader =
        hf_reader_of((struct hf_slice){from.data + offset, from.size - offset});
    return hf_reader_slice(&reader);
}

/* Puts the name at @offset into @table, of a power of two of places of which
 * half are free: one more than the offset, or 0. Returns whether it was not
 * there. */
static bool table_add(const struct hf_tally *tally, uint32_t *table,
                      uint32_t capacity, uint32_t offset)
{
    struct hf_slice name = name_at(tally, offset);
    uint32_t at = (uint32_t)hf_hash(name) & (capacity - 1);
    while (table[at] != 0) {
        if (hf_slice_equal(name_at(tally, table[at] - 1), name)) {
            return false;
        }
        at = (at + 1) & (capacity - 1);
    }
    table[at] = offset + 1;
    return true;
}

/* Each name once, in no order. */
static struct hf_reply names_reply(const struct hf_tally *tally,
                                   struct hf_buffer *tokens)
{
    uint32_t capacity = 2;
    while (capacity < 2 * tally->count) {
        capacity *= 2;
    }
    uint32_t *table = hf_mem_alloc_zero(tally->mem, capacity * sizeof(*table));
    if (table == NULL) {
        return hf_reply_error(no_memory_text);
    }
    uint32_t different = 0;
    for (uint32_t i = 0, offset = 0; i < tally->count; i++) {
        different += table_add(tally, table, capacity, offset) ? 1 : 0;
        offset += (uint32_t)(sizeof(uint32_t) + name_at(tally, offset).size);
    }
    struct hf_reply reply = hf_reply_integer(different);
    if (tally->kind == HF_TALLY_NAMES) {
        hf_reply_put_array(tokens, different);
        for (uint32_t i = 0; i < capacity; i++) {
            if (table[i] != 0) {
                hf_reply_put_bulk(tokens, name_at(tally, table[i] - 1));
            }
        }
        reply = hf_reply_nested(tokens);
    }
    hf_mem_free(tally->mem, table, capacity * sizeof(*table));
    return reply;
}

static struct hf_reply counts_reply(const struct hf_tally *tally,
                                    struct hf_buffer *tokens)
{
    struct hf_reader reader = hf_reader_of(hf_buffer_slice(&tally->names));
    hf_reply_put_array(tokens, 2 * tally->count);
    for (uint32_t i = 0; i < tally->count; i++) {
        hf_reply_put_bulk(tokens, hf_reader_slice(&reader));
        hf_reply_put_integer(tokens, tally->counts[i]);
    }
    return hf_reply_nested(tokens);
}

struct hf_reply hf_tally_reply(struct hf_tally *tally, struct hf_buffer *tokens)
{
    struct hf_reply reply = hf_reply_integer(tally->sum);
    if (tally->error != NULL) {
        return hf_reply_error(tally->error);
    }
    if (tally->kind == HF_TALLY_COUNTS) {
        reply = counts_reply(tally, tokens);
    } else if (tally->kind != HF_TALLY_SUM) {
        reply = names_reply(tally, tokens);
    }
    return tokens->failed ? hf_reply_error(no_memory_text) : reply;
}
