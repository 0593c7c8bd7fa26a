/* config.h - Every setting of a node, with its unit, default and bounds.
 *
 * The same names are flags of holdfastd (--peer-port) and lines of its file
 * (peer-port 17379); see src/server/settings.h. */
#ifndef HOLDFAST_CONFIG_H
#define HOLDFAST_CONFIG_H

#include <stddef.h>
#include <stdint.h>

#define HF_CONFIG_HOST_MAX 255 /* Bytes of a host name or literal. */
#define HF_CONFIG_NAME_MAX 64  /* Bytes of a name or label. */
#define HF_CONFIG_PATH_MAX 107 /* Bytes of the path of a Unix socket. */
#define HF_CONFIG_SEEDS_MAX 64
#define HF_CONFIG_NODES_MAX 16
#define HF_CONFIG_BACKUPS_MAX 3
#define HF_CONFIG_HOLD_MS_MAX 60000
#define HF_CONFIG_TOUCH_DELAY_MS_MAX 60000
#define HF_CONFIG_FENCE_PREFIXES_MAX 16
#define HF_CONFIG_FENCE_PREFIX_MAX 64 /* Bytes. */
#define HF_CONFIG_FENCE_LIFETIME_S_MAX 86400
#define HF_CONFIG_DRAIN_TIMEOUT_S_MAX 3600
#define HF_CONFIG_EVENTS_MAX 32 /* Letters. */
#define HF_CONFIG_CLIENTS_MAX 1000000
#define HF_CONFIG_VALUE_BYTES_MIN 1024
/* What one command changes, before and after, fits a frame to a peer. */
#define HF_CONFIG_VALUE_BYTES_MAX (24 * 1024 * 1024)

enum hf_config_log_level {
    HF_CONFIG_LOG_DEBUG,
    HF_CONFIG_LOG_INFO,
    HF_CONFIG_LOG_WARNING,
    HF_CONFIG_LOG_ERROR,
};

enum hf_config_partition_policy {
    HF_CONFIG_POLICY_HALF,
    HF_CONFIG_POLICY_MAJORITY,
    HF_CONFIG_POLICY_AVAILABLE,
};

enum hf_config_log_format { HF_CONFIG_LOG_TEXT, HF_CONFIG_LOG_JSON };

struct hf_config_seed {
    char host[HF_CONFIG_HOST_MAX + 1];
    uint16_t port; /* Where its peers connect. */
};

/* Texts end with a zero byte; an empty one stands for its default. */
struct hf_config {
    /* port: for RESP clients. Default 7379; 0 to 65535, 0: the kernel's
     * choice. */
    uint16_t port;
    /* peer-port: for other nodes. Default 0: port + 10000 (the kernel's choice
     * when port is 0). 0 to 65535. */
    uint16_t peer_port;
    /* cluster-port: for clients that speak the cluster protocol. Default 0:
     * none; to 65535. */
    uint16_t cluster_port;
    /* unix-socket: path of a socket for clients on this machine, for the user
     * of this process alone. Default none. */
    char unix_socket[HF_CONFIG_PATH_MAX + 1];
    /* nodes: how many nodes holdfastd starts, each in a process of its own that
     * takes clients on the same port. Default 1; 1 to HF_CONFIG_NODES_MAX. A
     * server is one of them: above 1, it shares port, which must not be 0, with
     * others that say the same, and its log lines name it. */
    unsigned nodes;
    /* bind: address all ports listen on. Default 127.0.0.1. */
    char bind[HF_CONFIG_HOST_MAX + 1];
    /* advertise: host that peers and clients are told. Default: bind, or the
     * machine's host name when bind is every address (0.0.0.0 or ::). */
    char advertise[HF_CONFIG_HOST_MAX + 1];
    /* seeds: nodes to look for at start; may hold this node. Default none. */
    struct hf_config_seed seeds[HF_CONFIG_SEEDS_MAX];
    size_t seed_count;
    /* name: the node's identity, unique in the cluster, kept over restarts.
     * Default advertise:peer-port. Letters, digits and . _ : - only. */
    char name[HF_CONFIG_NAME_MAX + 1];
    /* host-label: failure domain; copies go to different ones. Default: the
     * machine's host name. As name. */
    char host_label[HF_CONFIG_NAME_MAX + 1];
    /* cluster-name: nodes of other clusters are refused. Default holdfast. As
     * name. */
    char cluster_name[HF_CONFIG_NAME_MAX + 1];
    /* sentinel-name: what SENTINEL calls the master. Default none: any name is
     * right. As name. */
    char sentinel_name[HF_CONFIG_NAME_MAX + 1];
    /* backups: copies besides the primary. Default 1; 0 to 3. */
    unsigned backups;
    /* partition-policy: which side of a cut goes on when it is no majority and
     * has no tie-break, as a fork that is merged later: exactly half of the
     * members (default), none, or any. Of the node that starts a cluster. */
    enum hf_config_partition_policy partition_policy;
    /* hold: how long a command waits for a primary, in ms. Default 400; 0 to
     * 60000. */
    uint32_t hold_ms;
    /* touch-delay: a new time to live is told to copies with a grace of a 20th
     * of it, but at most so many ms; those that follow and are within that are
     * not told. Default 1000; 0 (no grace) to 60000. */
    uint32_t touch_delay_ms;
    /* fence-prefix: a session whose key begins with one of these, once it is
     * deleted, cannot be made again while fence-lifetime lasts. Default
     * "sess:"; up to HF_CONFIG_FENCE_PREFIXES_MAX of 1 to
     * HF_CONFIG_FENCE_PREFIX_MAX bytes, none of them a comma, a space or a
     * control character. None: nothing is fenced. */
    char fence_prefixes[HF_CONFIG_FENCE_PREFIXES_MAX]
                       [HF_CONFIG_FENCE_PREFIX_MAX + 1];
    size_t fence_prefix_count;
    /* fence-lifetime: in seconds. Default 600; 1 to
     * HF_CONFIG_FENCE_LIFETIME_S_MAX. */
    uint32_t fence_lifetime_s;
    /* notify-keyspace-events: which keyspace events a cluster publishes that
     * starts with this node: letters of KEg$lshzxetmdnA. Default none. What is
     * set by CONFIG SET while the cluster runs counts more. */
    char events[HF_CONFIG_EVENTS_MAX + 1];
    /* drain-timeout: how long a node that is asked to stop hands over, in
     * seconds, before it stops anyway. Default 60; 0: at once; up to
     * HF_CONFIG_DRAIN_TIMEOUT_S_MAX. */
    uint32_t drain_timeout_s;
    /* max-clients: connections. Default 10000; 1 to 1000000. Lowered at start
     * when there are not enough file descriptors. */
    uint32_t clients_max;
    /* max-value: bytes of one argument of a command, and so of a value.
     * Default 16777216; 1024 to 25165824. */
    size_t value_bytes_max;
    /* log-level: less than this is not written. Default info. */
    enum hf_config_log_level log_level;
    /* log-format: of the lines on stderr. Default text. */
    enum hf_config_log_format log_format;

    /* For programs that embed a node: where log lines go instead of stderr.
     * Called on the thread that runs the node; @line is valid for the call. */
    void (*log_write)(void *user, enum hf_config_log_level level,
                      const char *line);
    void *log_user;
};

/* Fills in all defaults; those that depend on other settings stay empty or 0
 * until hf_server_create. */
void hf_config_init(struct hf_config *config);

#endif
