/* config.h - Filling in and checking what settings leave open.
 *
 * The public part is holdfast/config.h. */
#ifndef HF_SERVER_CONFIG_H
#define HF_SERVER_CONFIG_H

#include "base/types.h"
#include "core/fences.h"
#include "holdfast/config.h"

/* Copies @from, which must fit into @size bytes with its end, to @to. */
void hf_config_copy_text(char *to, size_t size, const char *from);

/* Whether @text is 1 to HF_CONFIG_NAME_MAX bytes of letters, digits and
 * . _ : - */
bool hf_config_is_name(const char *text);

/* Whether @host can be a host name or a literal: not empty, no spaces, no
 * brackets, no commas, not over HF_CONFIG_HOST_MAX bytes. */
bool hf_config_is_host(const char *host);

/* Whether @path can be that of a Unix socket. */
bool hf_config_is_path(const char *path);

/* Whether @text is a prefix of keys as fence-prefix takes it. */
bool hf_config_is_fence_prefix(const char *text);

/* Whether @text is what notify-keyspace-events takes. */
bool hf_config_is_events(const char *text);

/* Whether only this machine can reach what listens on @host. */
bool hf_config_is_loopback(const char *host);

/* Checks what can be checked before listening, and fills in peer_port,
 * advertise and host_label. 0, or HF_EINVAL and one line in @error. */
HF_NODISCARD int hf_config_check(struct hf_config *config, char *error,
                                 size_t error_size);

/* Fills in the name, now that the ports are known. As hf_config_check. */
HF_NODISCARD int hf_config_complete(struct hf_config *config, char *error,
                                    size_t error_size);

/* Says why nothing can be listened to on @port, and returns @rv. */
int hf_config_fail_listen(const struct hf_config *config, int rv,
                          const char *setting, uint16_t port, char *error,
                          size_t error_size);

/* What a checked @config says of fences, as a node takes it. */
void hf_config_fences(const struct hf_config *config,
                      struct hf_fence_rules *fences);

/* And of events: enum hf_notice_flag. */
uint32_t hf_config_events(const struct hf_config *config);

#endif
