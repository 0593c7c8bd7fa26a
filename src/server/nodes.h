/* nodes.h - What each of several nodes of one host is set to.
 *
 *   holdfastd --name app1 --port 7379 --peer-port 17379 --nodes 3
 *
 *     app1-1  7379, peers on 17379 \
 *     app1-2  7379, peers on 17380  } the same host label
 *     app1-3  7379, peers on 17381 /
 *
 * Clients come to one port. What belongs to one node alone is counted up: the
 * peer port and the cluster port by numbers, the name and the path of the Unix
 * socket by what is behind them. All else is the same. */
#ifndef HF_SERVER_NODES_H
#define HF_SERVER_NODES_H

#include "base/types.h"
#include "holdfast/config.h"

/* Sets *@node to what node @index, from 0, of config->nodes is started with:
 * checked and complete. With one node it is @config itself, unchecked. Returns
 * 0, or HF_EINVAL and one line in @error. */
HF_NODISCARD int hf_nodes_config(const struct hf_config *config, unsigned index,
                                 struct hf_config *node, char *error,
                                 size_t error_size);

#endif
