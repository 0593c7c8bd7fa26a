#include "core/placement.h"

#include <string.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/mutation.h"
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

/* CRC16/XMODEM: polynomial 0x1021, start 0. Row t of the table has the sums of
 * each byte with t zero bytes behind it; the sum of several bytes is that of
 * each of them, added. Here are those of the bytes with a single bit. */
#define CRC16_BITS_0                                                           \
    0x1021, 0x2042, 0x4084, 0x8108, 0x1231, 0x2462, 0x48c4, 0x9188
#define CRC16_BITS_1                                                           \
    0x3331, 0x6662, 0xccc4, 0x89a9, 0x0373, 0x06e6, 0x0dcc, 0x1b98
#define CRC16_BITS_2                                                           \
    0x3730, 0x6e60, 0xdcc0, 0xa9a1, 0x4363, 0x86c6, 0x1dad, 0x3b5a
#define CRC16_BITS_3                                                           \
    0x76b4, 0xed68, 0xcaf1, 0x85c3, 0x1ba7, 0x374e, 0x6e9c, 0xdd38

#define BIT(byte, bit, sum) (((byte) >> (bit)&1) != 0 ? (sum) : 0)
#define SUM(byte, b0, b1, b2, b3, b4, b5, b6, b7)                              \
    BIT(byte, 0, b0) ^ BIT(byte, 1, b1) ^ BIT(byte, 2, b2) ^                   \
        BIT(byte, 3, b3) ^ BIT(byte, 4, b4) ^ BIT(byte, 5, b5) ^               \
        BIT(byte, 6, b6) ^ BIT(byte, 7, b7)
#define SUMS_1(byte, ...) SUM(byte, __VA_ARGS__)
#define SUMS_4(byte, ...)                                                      \
    SUMS_1(byte, __VA_ARGS__), SUMS_1((byte) + 1, __VA_ARGS__),                \
        SUMS_1((byte) + 2, __VA_ARGS__), SUMS_1((byte) + 3, __VA_ARGS__)
#define SUMS_16(byte, ...)                                                     \
    SUMS_4(byte, __VA_ARGS__), SUMS_4((byte) + 4, __VA_ARGS__),                \
        SUMS_4((byte) + 8, __VA_ARGS__), SUMS_4((byte) + 12, __VA_ARGS__)
#define SUMS_64(byte, ...)                                                     \
    SUMS_16(byte, __VA_ARGS__), SUMS_16((byte) + 16, __VA_ARGS__),             \
        SUMS_16((byte) + 32, __VA_ARGS__), SUMS_16((byte) + 48, __VA_ARGS__)
#define SUMS_256(...)                                                          \
    SUMS_64(0, __VA_ARGS__), SUMS_64(64, __VA_ARGS__),                         \
        SUMS_64(128, __VA_ARGS__), SUMS_64(192, __VA_ARGS__)

static const uint16_t crc16_table[4][256] = {
    {SUMS_256(CRC16_BITS_0)},
    {SUMS_256(CRC16_BITS_1)},
    {SUMS_256(CRC16_BITS_2)},
    {SUMS_256(CRC16_BITS_3)},
};

/* Four bytes at a time, so that one lookup need not wait for another. */
static uint16_t crc16(struct hf_slice bytes)
{
    unsigned crc = 0;
    size_t i = 0;
    for (; i + 4 <= bytes.size; i += 4) {
        const uint8_t *at = bytes.data + i;
        crc = crc16_table[3][crc >> 8 ^ at[0]] ^
              crc16_table[2][(crc & 0xff) ^ at[1]] ^ crc16_table[1][at[2]] ^
              crc16_table[0][at[3]];
    }
    for (; i < bytes.size; i++) {
        uint8_t index = (uint8_t)((crc >> 8) ^ bytes.data[i]);
        crc = (crc << 8 & 0xffff) ^ crc16_table[0][index];
    }
    return (uint16_t)crc;
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
        if (HF_MUTATED(PLACED_ANEW)) {
            draws[p] = draw(draws[p], placing->count);
        }
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
    if (HF_MUTATED(LOAD_UNSEEN)) {
        return HF_PARTITION_COUNT;
    }
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
    label_used &= !HF_MUTATED(LABELS_UNSEEN);
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
