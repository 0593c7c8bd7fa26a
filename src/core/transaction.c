#include "core/transaction.h"

void hf_transaction_begin(struct hf_buffer *packed, uint32_t watches)
{
    hf_buffer_put_u32(packed, watches);
}

void hf_transaction_watch(struct hf_buffer *packed, struct hf_slice key,
                          struct hf_slice state)
{
    hf_buffer_put_slice(packed, key);
    hf_buffer_put_slice(packed, state);
}

void hf_transaction_command(struct hf_buffer *packed,
                            const struct hf_command *command)
{
    hf_buffer_put_u32(packed, command->argc);
    hf_buffer_put_u8(packed, command->database);
    hf_buffer_put_slice(packed, hf_slice_text(command->row->name));
    for (uint32_t i = 1; i < command->argc; i++) {
        hf_buffer_put_slice(packed, command->argv[i]);
    }
}

bool hf_transaction_next(struct hf_reader *reader, struct hf_buffer *arena,
                         struct hf_command *command)
{
    if (reader->failed || hf_reader_left(reader) == 0) {
        return false;
    }
    uint32_t argc = hf_reader_u32(reader);
    uint8_t database = hf_reader_u8(reader);
    if (argc == 0 || argc > hf_reader_left(reader) / sizeof(uint32_t)) {
        reader->failed = true;
        return false;
    }
    hf_buffer_clear(arena);
    struct hf_slice *argv = (struct hf_slice *)(void *)hf_buffer_reserve(
        arena, argc * sizeof(struct hf_slice));
    if (argv == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < argc; i++) {
        argv[i] = hf_reader_slice(reader);
    }
    *command = (struct hf_command){.row = hf_command_find(argv[0]),
                                   .argc = argc,
                                   .argv = argv,
                                   .database = database};
    return !reader->failed;
}

/* A deadline may move without a write (core/touches.c), by the clock of the
 * primary; and a removal leaves no version. Both are told apart within one view
 * only. */
void hf_transaction_state(struct hf_buffer *state, hf_epoch epoch,
                          uint64_t last_delete, const struct hf_session *entry)
{
    struct hf_version version = {0, last_delete};
    hf_time deadline = 0;
    if (entry != NULL && hf_session_type(entry) != HF_SESSION_FENCE) {
        version = hf_session_version(entry);
        deadline = hf_session_deadline(entry);
    }
    hf_buffer_put_u64(state, epoch);
    hf_buffer_put_u64(state, version.epoch);
    hf_buffer_put_u64(state, version.sequence);
    hf_buffer_put_u64(state, (uint64_t)deadline);
}
