/* share.h - What a partition is to a node, by which what it holds is counted:
 * once for all partitions of a kind, as sessions change (core/sessions.h). */
#ifndef HF_CORE_SHARE_H
#define HF_CORE_SHARE_H

enum hf_share {
    HF_SHARE_OTHER, /* Of which it is not the primary. */
    HF_SHARE_ALONE, /* With fewer copies in sync than there could be. */
    HF_SHARE_SAFE,
    HF_SHARE_COUNT,
};

#endif
