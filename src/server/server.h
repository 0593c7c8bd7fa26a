/* server.h - The loop of a node: events in, actions out.
 *
 *   sockets, timers --> event --> hf_node_step --> actions --> sockets
 *
 * One turn of the loop is one batch: everything that was read is stepped, then
 * HF_EVENT_TURN_END, then one frame per peer and one write per client. The
 * public face is holdfast/server.h; this header is for tests. */
#ifndef HF_SERVER_SERVER_H
#define HF_SERVER_SERVER_H

#include "holdfast/server.h"

/* Closing everything takes milliseconds; a name server that hangs may take
 * longer than this. */
#define HF_SERVER_STOP_MS 2000

#endif
