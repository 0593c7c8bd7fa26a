#include "core/placement.h"

#include <string.h>

#include "base/assert.h"
#include "base/hash.h"
#include "core/key.h"

/* How far above its fair share a member may go, in percent. With 1,024
 * partitions the numbers are small: at 32 members a fair share is 32 primaries
 * and 10 percent are 3 of them. */
#define LOAD_PERCENT_MAX 110

/* A bid is a rank in the high bits and some of the draw in the low ones. */
#define BID_DRAW_BITS 6
#define BID_DRAW_MASK ((1u << BID_DRAW_BITS) - 1)
_Static_assert(HF_PARTITION_COUNT << BID_DRAW_BITS <= 1 << 16,
               "a bid fits 16 bits");

/* As many buckets as partitions. */
#define DRAW_BUCKET_SIZE (UINT64_MAX / HF_PARTITION_COUNT + 1)
_Static_assert((HF_PARTITION_COUNT & (HF_PARTITION_COUNT - 1)) == 0,
               "a bucket is found by a shift");

#define NOBODY HF_MEMBERS_MAX

/* CRC16/XMODEM: polynomial 0x1021, start 0, one byte at a time. */
static const uint16_t crc16_table[256] = {
    0x0000, 0x1021, 0x2042, 0x3063, 0x4084, 0x50a5, 0x60c6, 0x70e7, 0x8108,
    0x9129, 0xa14a, 0xb16b, 0xc18c, 0xd1ad, 0xe1ce, 0xf1ef, 0x1231, 0x0210,
    0x3273, 0x2252, 0x52b5, 0x4294, 0x72f7, 0x62d6, 0x9339, 0x8318, 0xb37b,
    0xa35a, 0xd3bd, 0xc39c, 0xf3ff, 0xe3de, 0x2462, 0x3443, 0x0420, 0x1401,
    0x64e6, 0x74c7, 0x44a4, 0x5485, 0xa56a, 0xb54b, 0x8528, 0x9509, 0xe5ee,
    0xf5cf, 0xc5ac, 0xd58d, 0x3653, 0x2672, 0x1611, 0x0630, 0x76d7, 0x66f6,
    0x5695, 0x46b4, 0xb75b, 0xa77a, 0x9719, 0x8738, 0xf7df, 0xe7fe, 0xd79d,
    0xc7bc, 0x48c4, 0x58e5, 0x6886, 0x78a7, 0x0840, 0x1861, 0x2802, 0x3823,
    0xc9cc, 0xd9ed, 0xe98e, 0xf9af, 0x8948, 0x9969, 0xa90a, 0xb92b, 0x5af5,
    0x4ad4, 0x7ab7, 0x6a96, 0x1a71, 0x0a50, 0x3a33, 0x2a12, 0xdbfd, 0xcbdc,
    0xfbbf, 0xeb9e, 0x9b79, 0x8b58, 0xbb3b, 0xab1a, 0x6ca6, 0x7c87, 0x4ce4,
    0x5cc5, 0x2c22, 0x3c03, 0x0c60, 0x1c41, 0xedae, 0xfd8f, 0xcdec, 0xddcd,
    0xad2a, 0xbd0b, 0x8d68, 0x9d49, 0x7e97, 0x6eb6, 0x5ed5, 0x4ef4, 0x3e13,
    0x2e32, 0x1e51, 0x0e70, 0xff9f, 0xefbe, 0xdfdd, 0xcffc, 0xbf1b, 0xaf3a,
    0x9f59, 0x8f78, 0x9188, 0x81a9, 0xb1ca, 0xa1eb, 0xd10c, 0xc12d, 0xf14e,
    0xe16f, 0x1080, 0x00a1, 0x30c2, 0x20e3, 0x5004, 0x4025, 0x7046, 0x6067,
    0x83b9, 0x9398, 0xa3fb, 0xb3da, 0xc33d, 0xd31c, 0xe37f, 0xf35e, 0x02b1,
    0x1290, 0x22f3, 0x32d2, 0x4235, 0x5214, 0x6277, 0x7256, 0xb5ea, 0xa5cb,
    0x95a8, 0x8589, 0xf56e, 0xe54f, 0xd52c, 0xc50d, 0x34e2, 0x24c3, 0x14a0,
    0x0481, 0x7466, 0x6447, 0x5424, 0x4405, 0xa7db, 0xb7fa, 0x8799, 0x97b8,
    0xe75f, 0xf77e, 0xc71d, 0xd73c, 0x26d3, 0x36f2, 0x0691, 0x16b0, 0x6657,
    0x7676, 0x4615, 0x5634, 0xd94c, 0xc96d, 0xf90e, 0xe92f, 0x99c8, 0x89e9,
    0xb98a, 0xa9ab, 0x5844, 0x4865, 0x7806, 0x6827, 0x18c0, 0x08e1, 0x3882,
    0x28a3, 0xcb7d, 0xdb5c, 0xeb3f, 0xfb1e, 0x8bf9, 0x9bd8, 0xabbb, 0xbb9a,
    0x4a75, 0x5a54, 0x6a37, 0x7a16, 0x0af1, 0x1ad0, 0x2ab3, 0x3a92, 0xfd2e,
    0xed0f, 0xdd6c, 0xcd4d, 0xbdaa, 0xad8b, 0x9de8, 0x8dc9, 0x7c26, 0x6c07,
    0x5c64, 0x4c45, 0x3ca2, 0x2c83, 0x1ce0, 0x0cc1, 0xef1f, 0xff3e, 0xcf5d,
    0xdf7c, 0xaf9b, 0xbfba, 0x8fd9, 0x9ff8, 0x6e17, 0x7e36, 0x4e55, 0x5e74,
    0x2e93, 0x3eb2, 0x0ed1, 0x1ef0,
};

static uint16_t crc16(struct hf_slice bytes)
{
    uint16_t crc = 0;
    for (size_t i = 0; i < bytes.size; i++) {
        uint8_t index = (uint8_t)((crc >> 8) ^ bytes.data[i]);
        crc = (uint16_t)((crc << 8) ^ crc16_table[index]);
    }
    return crc;
}

/* What is between the first '{' and the next '}', if there is anything;
 * otherwise the whole key. */
static struct hf_slice tag_of_key(struct hf_slice key)
{
    if (key.size == 0) {
        return key;
    }
    const uint8_t *open = memchr(key.data, '{', key.size);
    if (open == NULL) {
        return key;
    }
    const uint8_t *tag = open + 1;
    size_t left = key.size - (size_t)(tag - key.data);
    const uint8_t *close = memchr(tag, '}', left);
    if (close == NULL || close == tag) {
        return key;
    }
    return (struct hf_slice){tag, (size_t)(close - tag)};
}

uint16_t hf_slot_of_key(struct hf_slice key)
{
    return crc16(tag_of_key(key)) % HF_SLOT_COUNT;
}

uint16_t hf_partition_of_key(struct hf_slice key)
{
    return hf_slot_of_key(hf_key_text(key)) / HF_SLOTS_PER_PARTITION;
}

/* The table being made. About 140 KiB, kept on the stack of the caller. */
struct placing {
    const struct hf_placement_member *members;
    size_t count;
    size_t copy_count; /* Of each partition. */
    struct hf_owners *owners;
    uint16_t bids[HF_PARTITION_COUNT][HF_MEMBERS_MAX];
    uint32_t primaries[HF_MEMBERS_MAX];
    uint32_t copies[HF_MEMBERS_MAX];
    uint32_t primaries_max;
    uint32_t copies_max[HF_MEMBERS_MAX];
};

static uint64_t draw(hf_node_id id, size_t partition)
{
    uint8_t bytes[16];
    for (size_t i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)(partition >> (8 * i));
        bytes[8 + i] = (uint8_t)(id >> (8 * i));
    }
    return hf_hash((struct hf_slice){bytes, sizeof(bytes)});
}

/* Sorts the partitions by their draws: first into buckets by the high bits,
 * where even draws land almost in order, then by insertion. */
static void sort_by_draw(const uint64_t draws[HF_PARTITION_COUNT],
                         uint16_t sorted[HF_PARTITION_COUNT])
{
    uint16_t starts[HF_PARTITION_COUNT] = {0};
    for (size_t p = 0; p < HF_PARTITION_COUNT; p++) {
        starts[draws[p] / DRAW_BUCKET_SIZE]++;
    }
    uint16_t start = 0;
    for (size_t b = 0; b < HF_PARTITION_COUNT; b++) {
        uint16_t size = starts[b];
        starts[b] = start;
        start = (uint16_t)(start + size);
    }
    for (size_t p = 0; p < HF_PARTITION_COUNT; p++) {
        sorted[starts[draws[p] / DRAW_BUCKET_SIZE]++] = (uint16_t)p;
    }
    for (size_t i = 1; i < HF_PARTITION_COUNT; i++) {
        uint16_t moving = sorted[i];
        size_t to = i;
        for (; to > 0 && draws[sorted[to - 1]] > draws[moving]; to--) {
            sorted[to] = sorted[to - 1];
        }
        sorted[to] = moving;
    }
}

/* A member's bid for a partition is the rank of that draw among all its own
 * draws. So each member makes every bid once, from lowest to highest, which
 * takes most of the chance out of its load that bare draws would leave in it.
 * The low bits settle ties between members without favour. */
static void make_bids(struct placing *placing, size_t member)
{
    uint64_t draws[HF_PARTITION_COUNT];
    uint16_t sorted[HF_PARTITION_COUNT];
    for (size_t p = 0; p < HF_PARTITION_COUNT; p++) {
        draws[p] = draw(placing->members[member].id, p);
    }
    sort_by_draw(draws, sorted);
    for (size_t rank = 0; rank < HF_PARTITION_COUNT; rank++) {
        size_t p = sorted[rank];
        placing->bids[p][member] =
            (uint16_t)(rank << BID_DRAW_BITS | (draws[p] & BID_DRAW_MASK));
    }
}

/* At least the even share rounded up, or there would not be room for all. */
static uint32_t load_max(uint64_t share_of, uint64_t share_among)
{
    uint64_t even = (share_of + share_among - 1) / share_among;
    uint64_t most = share_of * LOAD_PERCENT_MAX / (share_among * 100);
    return (uint32_t)(most > even ? most : even);
}

static size_t label_size(const struct placing *placing, size_t member)
{
    size_t size = 0;
    for (size_t i = 0; i < placing->count; i++) {
        size += placing->members[i].label == placing->members[member].label;
    }
    return size;
}

static size_t label_count(const struct placing *placing)
{
    size_t count = 0;
    for (size_t i = 0; i < placing->count; i++) {
        size_t first = 0;
        while (placing->members[first].label != placing->members[i].label) {
            first++;
        }
        count += first == i;
    }
    return count;
}

/* What is still to be shared out: so many copies of each partition among so
 * many members. */
struct pool {
    size_t copies;
    size_t members;
    bool fewer_labels; /* Than copies: some label has to take two. */
    bool gone[HF_MEMBERS_MAX];
};

/* A member whose label cannot take its even share of the pool: either it would
 * be more than one copy of a partition while other labels have none, or less
 * than one where every label has to take one. NOBODY if there is none. */
static size_t find_uneven_label(const struct placing *placing,
                                const struct pool *pool)
{
    for (size_t m = 0; m < placing->count; m++) {
        size_t share = label_size(placing, m) * pool->copies;
        if (!pool->gone[m] && (pool->fewer_labels ? share < pool->members
                                                  : share > pool->members)) {
            return m;
        }
    }
    return NOBODY;
}

/* How many copies each member may hold. All the same, unless labels get in the
 * way: then such a label holds one copy of each partition, and the others share
 * the rest. */
static void limit_copies(struct placing *placing)
{
    struct pool pool = {.copies = placing->copy_count,
                        .members = placing->count};
    pool.fewer_labels = label_count(placing) < placing->copy_count;

    size_t uneven;
    while ((uneven = find_uneven_label(placing, &pool)) != NOBODY) {
        size_t size = label_size(placing, uneven);
        for (size_t m = 0; m < placing->count; m++) {
            if (placing->members[m].label == placing->members[uneven].label) {
                placing->copies_max[m] = load_max(HF_PARTITION_COUNT, size);
                pool.gone[m] = true;
            }
        }
        pool.copies--;
        pool.members -= size;
    }
    for (size_t m = 0; m < placing->count; m++) {
        if (!pool.gone[m]) {
            placing->copies_max[m] =
                load_max(HF_PARTITION_COUNT * pool.copies, pool.members);
        }
    }
}

/* Ties end here, where the order of the members does not matter. */
static bool bids_more(const struct placing *placing, size_t partition, size_t a,
                      size_t b)
{
    uint16_t bid_a = placing->bids[partition][a];
    uint16_t bid_b = placing->bids[partition][b];
    return bid_a != bid_b ? bid_a > bid_b
                          : placing->members[a].id > placing->members[b].id;
}

/* How suitable @member is as the next owner: first of all an unused label,
 * then room, and only then the bid. -1 if it owns a copy already. */
static int suitability(const struct placing *placing,
                       const struct hf_owners *owners, size_t member)
{
    bool label_used = false;
    for (size_t i = 0; i < owners->count; i++) {
        size_t owner = owners->members[i];
        if (owner == member) {
            return -1;
        }
        label_used |=
            placing->members[owner].label == placing->members[member].label;
    }
    bool room = placing->copies[member] < placing->copies_max[member];
    return (label_used ? 0 : 2) + (room ? 1 : 0);
}

static void add_owner(struct placing *placing, size_t partition)
{
    struct hf_owners *owners = &placing->owners[partition];
    size_t best = NOBODY;
    int best_suits = -1;
    for (size_t m = 0; m < placing->count; m++) {
        int suits = suitability(placing, owners, m);
        if (suits > best_suits || (suits >= 0 && suits == best_suits &&
                                   bids_more(placing, partition, m, best))) {
            best = m;
            best_suits = suits;
        }
    }
    HF_ASSERT(best != NOBODY);
    owners->members[owners->count++] = (uint8_t)best;
    placing->copies[best]++;
}

/* The backup that would rather be primary of @partition and has room for it,
 * as an index into the owners. 0 if there is none. */
static size_t find_stand_in(const struct placing *placing, size_t partition)
{
    const struct hf_owners *owners = &placing->owners[partition];
    size_t best = 0;
    for (size_t i = 1; i < owners->count; i++) {
        size_t member = owners->members[i];
        if (placing->primaries[member] < placing->primaries_max &&
            (best == 0 ||
             bids_more(placing, partition, member, owners->members[best]))) {
            best = i;
        }
    }
    return best;
}

/* Members with too many primaries change roles with a backup, which moves no
 * data. First where the backup's bid is highest: if the primary or the backup
 * is lost, the bid of the next one in line is lower and another partition is
 * chosen for the change, so that the heir of this one is who has the data. */
static void even_out_primaries(struct placing *placing)
{
    for (;;) {
        struct hf_owners *best = NULL;
        size_t best_index = 0;
        uint16_t best_bid = 0;
        for (size_t p = 0; p < HF_PARTITION_COUNT; p++) {
            struct hf_owners *owners = &placing->owners[p];
            if (placing->primaries[owners->members[0]] <=
                placing->primaries_max) {
                continue;
            }
            size_t i = find_stand_in(placing, p);
            uint16_t bid = placing->bids[p][owners->members[i]];
            if (i > 0 && (best == NULL || bid > best_bid)) {
                best = owners;
                best_index = i;
                best_bid = bid;
            }
        }
        if (best == NULL) {
            return;
        }
        uint8_t primary = best->members[0];
        best->members[0] = best->members[best_index];
        best->members[best_index] = primary;
        placing->primaries[primary]--;
        placing->primaries[best->members[0]]++;
    }
}

void hf_placement_compute(const struct hf_placement_member *members,
                          size_t count, unsigned backups,
                          struct hf_owners owners[HF_PARTITION_COUNT])
{
    HF_ASSERT(count >= 1 && count <= HF_MEMBERS_MAX);
    HF_ASSERT(backups <= HF_BACKUPS_MAX);

    struct placing placing;
    placing.members = members;
    placing.count = count;
    placing.copy_count = backups + 1 < count ? backups + 1 : count;
    placing.owners = owners;
    memset(placing.primaries, 0, sizeof(placing.primaries));
    memset(placing.copies, 0, sizeof(placing.copies));
    placing.primaries_max = load_max(HF_PARTITION_COUNT, count);
    limit_copies(&placing);
    for (size_t m = 0; m < count; m++) {
        make_bids(&placing, m);
    }

    /* All first choices before any second one: a member's room goes first to
     * the partitions that it is to be primary of. */
    memset(owners, 0, sizeof(owners[0]) * HF_PARTITION_COUNT);
    for (size_t level = 0; level < placing.copy_count; level++) {
        for (size_t p = 0; p < HF_PARTITION_COUNT; p++) {
            add_owner(&placing, p);
        }
    }
    for (size_t p = 0; p < HF_PARTITION_COUNT; p++) {
        placing.primaries[owners[p].members[0]]++;
    }
    even_out_primaries(&placing);
}
