/* connection_multi_pack.c - What the parts of a transaction are asked, as
 * bytes: see core/transaction.h. */
#include "core/placement.h"
#include "core/transaction.h"
#include "wire/connection_multi_private.h"

/* Appends to what @part is asked the share that it has in @command, on keys of
 * several partitions. */
static void pack_share(struct hf_multi *multi, const struct hf_command *command,
                       struct hf_multi_part *part)
{
    struct hf_buffer *share = &multi->share;
    struct hf_slice key;
    uint32_t argc = 1;
    uint32_t step = command->row->key_step;
    hf_buffer_clear(share);
    hf_buffer_append(share, command->argv, sizeof(struct hf_slice));
    for (uint32_t i = 0; hf_command_key(command, i, &key); i++) {
        if (hf_partition_of_key(key) == part->partition) {
            hf_buffer_append(share, &command->argv[1 + i * step],
                             step * sizeof(struct hf_slice));
            argc += step;
        }
    }
    if (share->failed) {
        part->packed.failed = true;
        return;
    }
    struct hf_command some = {.row = command->row,
                              .argc = argc,
                              .argv = (const void *)share->data,
                              .database = command->database};
    hf_transaction_command(&part->packed, &some);
}

static void pack_shares(struct hf_multi *multi,
                        const struct hf_command *command)
{
    struct hf_slice key;
    for (uint32_t i = 0; i < multi->part_count; i++) {
        multi->parts[i].answered = false; /* Here: has its share. */
    }
    for (uint32_t i = 0; hf_command_key(command, i, &key); i++) {
        struct hf_multi_part *part =
            hf_multi_part_of(multi, hf_partition_of_key(key));
        if (!part->answered) {
            part->answered = true;
            part->key = part->key.data == NULL ? key : part->key;
            pack_share(multi, command, part);
        }
    }
    for (uint32_t i = 0; i < multi->part_count; i++) {
        multi->parts[i].answered = false;
    }
}

void hf_multi_pack_command(struct hf_multi *multi,
                           const struct hf_command *command)
{
    if (command->row->route == HF_ROUTE_KEYS &&
        !hf_command_is_of_one_partition(command)) {
        pack_shares(multi, command);
        return;
    }
    struct hf_multi_part *part =
        hf_multi_part_of(multi, hf_command_partition(command));
    if (part->key.data == NULL && !hf_command_key(command, 0, &part->key)) {
        part->key = command->argv[1]; /* A script without keys. */
    }
    hf_transaction_command(&part->packed, command);
}

void hf_multi_pack_watches(struct hf_multi *multi)
{
    uint32_t counts[HF_PARTITION_COUNT] = {0};
    for (uint32_t i = 0; i < multi->part_count; i++) {
        hf_transaction_begin(&multi->parts[i].packed, 0);
    }
    struct hf_reader reader = hf_reader_of(hf_buffer_slice(&multi->watches));
    while (hf_reader_left(&reader) > 0) {
        struct hf_slice key = hf_reader_slice(&reader);
        struct hf_slice state = hf_reader_slice(&reader);
        uint16_t partition = hf_partition_of_key(key);
        struct hf_multi_part *part = hf_multi_part_of(multi, partition);
        if (part != NULL) {
            part->key = part->key.data == NULL ? key : part->key;
            hf_transaction_watch(&part->packed, key, state);
            counts[partition]++;
        }
    }
    for (uint32_t i = 0; i < multi->part_count; i++) {
        struct hf_multi_part *part = &multi->parts[i];
        uint32_t count = counts[part->partition];
        for (size_t j = 0; !part->packed.failed && j < sizeof(count); j++) {
            part->packed.data[j] = (uint8_t)(count >> 8 * j);
        }
    }
}
