/* transaction.h - The commands of an EXEC, as bytes.
 *
 * A client's transaction, as far as it is about one partition, travels as one
 * command: EXEC, a key of the partition, and all that is to be done, packed:
 *
 *   watches    count, and for each: key, state as WATCH reported it
 *   commands   up to the end: number of arguments, database, arguments
 *
 * If a watched key has another state by then, nothing is done and the answer is
 * a nil array; else it is an array with the answer to each command. */
#ifndef HF_CORE_TRANSACTION_H
#define HF_CORE_TRANSACTION_H

#include "core/command.h"

/* What the packed commands may take. */
#define HF_TRANSACTION_BYTES_MAX ((size_t)25 << 20)

/* Begins with the number of watches, each of which is then put. */
void hf_transaction_begin(struct hf_buffer *packed, uint32_t watches);
void hf_transaction_watch(struct hf_buffer *packed, struct hf_slice key,
                          struct hf_slice state);
/* Then come the commands, which have a row, with their keys encoded. */
void hf_transaction_command(struct hf_buffer *packed,
                            const struct hf_command *command);

/* Reads the next of them, borrowing from what @reader reads and from @arena.
 * False at the end; with reader->failed when it is malformed, and without when
 * arena->failed says that there was no memory. It may be any command, or
 * none that there is: then it has no row. */
HF_NODISCARD bool hf_transaction_next(struct hf_reader *reader,
                                      struct hf_buffer *arena,
                                      struct hf_command *command);

/* The state of a key: what is there, and what happened last to it or, when
 * nothing is there, in its partition. It is never the same again, but it may be
 * another one though nothing happened: in another view, or for a key that is
 * not there. @entry may be NULL or a fence. */
void hf_transaction_state(struct hf_buffer *state, hf_epoch epoch,
                          uint64_t last_delete, const struct hf_session *entry);

#endif
