/* connection_multi.h - MULTI, EXEC, DISCARD, WATCH and UNWATCH.
 *
 * Part of wire/connection.c; nobody else includes this. Commands are queued
 * here, packed as the node wants them (core/transaction.h). EXEC carries them
 * out in steps, one after the other: as many commands on keys as there are in
 * a row, or one command of another kind. Those on keys are one unit for each
 * partition, all at once:
 *
 *   SET {a}1  SET {b}1  GET {a}1  |  DBSIZE  |  SET {a}2
 *   unit of a: SET, GET              request    unit of a
 *   unit of b: SET
 *
 * Commands of the connection itself end no step. While anything of it is under
 * way no further command is taken. */
#ifndef HF_WIRE_CONNECTION_MULTI_H
#define HF_WIRE_CONNECTION_MULTI_H

#include "wire/connection.h"

/* Set in the tags of what a transaction asks of the node. */
#define HF_CONNECTION_MULTI_TAG ((uint64_t)1 << 63)

enum hf_multi_result {
    HF_MULTI_NOT_MINE, /* Nothing happened: run it as usual. */
    HF_MULTI_REPLY,    /* *reply is the answer. */
    HF_MULTI_TAKEN,    /* It is answered, or will be. */
};

/* Looks at @command, which could be run. The reply may borrow from
 * connection->text. */
enum hf_multi_result hf_connection_multi(struct hf_connection *connection,
                                         const struct hf_command *command,
                                         struct hf_reply *reply);

/* Whether a command on keys of @slot may be queued for a client of the cluster
 * protocol: a transaction is about one slot. True when nothing is queued. */
bool hf_connection_multi_fits_slot(struct hf_connection *connection,
                                   uint16_t slot);
/* Whether commands are queued, not carried out. */
bool hf_connection_multi_queues(const struct hf_connection *connection);

/* A command was refused: what is being queued will not be carried out. */
void hf_connection_multi_spoil(struct hf_connection *connection);

/* The node's answer to a tag with HF_CONNECTION_MULTI_TAG. Asks for nothing: it
 * may come from within the node. */
void hf_connection_multi_reply(struct hf_connection *connection, uint64_t tag,
                               const struct hf_reply *reply);

/* Whether all that was asked for has been answered, so that it can go on. */
bool hf_connection_multi_is_ready(const struct hf_connection *connection);
/* Does so. */
void hf_connection_multi_go_on(struct hf_connection *connection);

/* Whether anything is under way. */
bool hf_connection_multi_runs(const struct hf_connection *connection);

/* Forgets queue and watches. Nothing may be under way unless the connection
 * closes. */
void hf_connection_multi_reset(struct hf_connection *connection);

/* connection.c: a place in the order of answers, to be filled by
 * hf_connection_reply. 0: no memory, the connection is broken. */
uint64_t hf_connection_defer(struct hf_connection *connection);

/* Also connection.c: whether one more command may run before others have their
 * turn. */
bool hf_connection_may_go_on(const struct hf_connection *connection);

#endif
