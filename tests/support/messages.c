#include "support/messages.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/hash.h"

/* A different number for every field. */
static uint64_t unlike(struct messages *m)
{
    return UINT64_C(0x9e3779b97f4a7c15) * ++m->numbers;
}

static void fill_text(char *text, const char *prefix, unsigned number,
                      size_t size)
{
    size_t length = strlen(prefix);
    memset(text, 0, size);
    memcpy(text, prefix, length);
    text[length++] = (char)('a' + number / 26);
    text[length++] = (char)('a' + number % 26);
}

static void pad_text(char *text, size_t size)
{
    size_t length = strlen(text);
    memset(text + length, 'x', size - 1 - length);
}

void messages_fill_view(struct hf_view *view, uint8_t member_count,
                        uint8_t copies, bool pad)
{
    memset(view, 0, sizeof(*view));
    view->epoch = ((uint64_t)7 << 32) + member_count;
    view->base = ((uint64_t)6 << 32) + copies;
    view->cluster = UINT64_C(0xfedcba9876543210);
    view->founded_ms = UINT64_C(1700000000000) + member_count;
    view->backups =
        copies > HF_BACKUPS_MAX ? HF_BACKUPS_MAX : (uint8_t)(copies - 1);
    view->policy = (uint8_t)(member_count % 3);
    view->lineage_count = (uint8_t)(1 + (member_count - 1) % HF_LINEAGES_MAX);
    for (unsigned i = 0; i < view->lineage_count; i++) {
        view->lineages[i] =
            (struct hf_lineage){view->cluster + i, (uint64_t)i << 32, i};
    }
    view->member_count = member_count;
    for (unsigned i = 0; i < member_count; i++) {
        struct hf_peer_info *info = &view->members[i];
        fill_text(info->name, "node-", i, sizeof(info->name));
        fill_text(info->label, "rack-", i / 2, sizeof(info->label));
        fill_text(info->host, "host-", i, sizeof(info->host));
        if (pad) {
            pad_text(info->name, sizeof(info->name));
            pad_text(info->label, sizeof(info->label));
            pad_text(info->host, sizeof(info->host));
        }
        info->id = hf_hash(hf_slice_text(info->name));
        info->incarnation = info->id ^ 0x5555;
        info->started_ms = UINT64_C(1700000000123) + i;
        info->peer_port = (uint16_t)(7000 + i);
        info->client_port = (uint16_t)(6000 + i);
        info->cluster_port = (uint16_t)(i % 3 == 2 ? 0 : 5000 + i);
    }
    for (unsigned i = 0; i < HF_PARTITION_COUNT; i++) {
        view->acting[i].count = copies;
        view->acting[i].empty = i % 7 == 0;
        view->acting[i].awaited = i % 5 == 0;
        for (unsigned j = 0; j < copies; j++) {
            view->acting[i].members[j] = (uint8_t)((i + j) % member_count);
        }
    }
}

static struct hf_message *add(struct messages *m, enum hf_message_type type)
{
    HF_ASSERT(m->count < MESSAGES_MAX);
    struct hf_message *message = &m->items[m->count++];
    memset(message, 0, sizeof(*message));
    message->type = type;
    return message;
}

static void add_heartbeats(struct messages *m)
{
    add(m, HF_MESSAGE_HEARTBEAT)->heartbeat = (struct hf_heartbeat){
        .epoch = unlike(m),
        .sent_at = (hf_time)(unlike(m) >> 1),
        .echo = (hf_time)(unlike(m) >> 1),
        .state = HF_STATE_ACTIVE,
        .cluster = unlike(m),
        .lineage = unlike(m),
        .follows = unlike(m),
        .reach = unlike(m),
        .suspects = unlike(m),
        .ops_finished = unlike(m),
        .sessions = unlike(m),
        .under_replicated = unlike(m),
        .bytes = unlike(m),
        .fences = unlike(m),
        .fences_lifted = unlike(m),
        .writes_degraded = unlike(m),
        .partitions_lost = unlike(m),
        .sessions_lost = unlike(m),
        .slow = unlike(m),
        .put_off = unlike(m),
        .refill_partitions = unlike(m),
        .refill_sessions = unlike(m),
        .refill_bytes = unlike(m),
        .databases = {unlike(m), 0, unlike(m), [15] = unlike(m)},
        .listens = true,
        .others = true,
        .news = unlike(m),
        .news_heard = unlike(m),
        .events = HF_NOTICES_KEYEVENT | HF_NOTICES_EXPIRED,
        .events_set_ms = unlike(m),
        .refusal_count = HF_REFUSALS_MAX,
        .refusals = {{unlike(m), unlike(m)}, [3] = {unlike(m), 1}},
    };
    add(m, HF_MESSAGE_HEARTBEAT);
    add(m, HF_MESSAGE_HEARTBEAT)->heartbeat = (struct hf_heartbeat){
        .epoch = UINT64_MAX,
        .sent_at = INT64_MAX,
        .echo = INT64_MIN,
        .state = HF_STATE_OUT,
        .cluster = UINT64_MAX,
        .reach = UINT64_MAX,
        .suspects = UINT64_MAX,
        .ops_finished = UINT64_MAX,
        .sessions = UINT64_MAX,
        .under_replicated = UINT64_MAX,
        .bytes = UINT64_MAX,
        .fences = UINT64_MAX,
        .fences_lifted = UINT64_MAX,
        .writes_degraded = UINT64_MAX,
        .partitions_lost = UINT64_MAX,
        .sessions_lost = UINT64_MAX,
        .slow = UINT64_MAX,
        .put_off = UINT64_MAX,
        .refill_partitions = UINT64_MAX,
        .refill_sessions = UINT64_MAX,
        .refill_bytes = UINT64_MAX,
        .databases = {[1] = UINT64_MAX, [14] = UINT64_MAX},
        .news = UINT64_MAX,
        .news_heard = UINT64_MAX,
        .events = HF_NOTICES_EVERY,
        .events_set_ms = UINT64_MAX,
    };
}

static void add_views(struct messages *m)
{
    add(m, HF_MESSAGE_PREPARE)->prepare = (struct hf_prepare){
        unlike(m), unlike(m), unlike(m), unlike(m), HF_FORK_TAKEOVER};
    add(m, HF_MESSAGE_PROMISE)->promise =
        (struct hf_promise){unlike(m), unlike(m), unlike(m), 0, NULL};
    add(m, HF_MESSAGE_PROMISE)->promise = (struct hf_promise){
        unlike(m), unlike(m), unlike(m), unlike(m), &m->middle};
    add(m, HF_MESSAGE_ACCEPT)->accept =
        (struct hf_accept){unlike(m), unlike(m), &m->middle};
    add(m, HF_MESSAGE_ACCEPTED)->accepted =
        (struct hf_accepted){unlike(m), unlike(m)};
    add(m, HF_MESSAGE_VIEW)->view = &m->small;
    add(m, HF_MESSAGE_VIEW)->view = &m->full;
    add(m, HF_MESSAGE_NOMINATE)->nominate =
        (struct hf_nominate){unlike(m), 0, NULL};
    add(m, HF_MESSAGE_NOMINATE)->nominate =
        (struct hf_nominate){unlike(m), 5, m->nominations};
    add(m, HF_MESSAGE_NOMINATE)->nominate =
        (struct hf_nominate){unlike(m), HF_PARTITION_COUNT, m->nominations};
}

static void add_forward(struct messages *m, uint16_t partition, uint16_t end,
                        uint32_t argc, const struct hf_slice *argv)
{
    add(m, HF_MESSAGE_FORWARD)->forward = (struct hf_forward){
        .epoch = unlike(m),
        .number = unlike(m),
        .ops_finished = unlike(m),
        .partition = partition,
        .partition_end = end,
        .scan_position = (uint32_t)unlike(m),
        .scan_count = (uint32_t)unlike(m),
        .command = {.row = hf_command_find(argv[0]),
                    .argc = argc,
                    .argv = argv,
                    .database = argc % HF_DATABASE_COUNT},
    };
}

static void add_forwards(struct messages *m)
{
    struct hf_slice big = hf_buffer_slice(&m->big);
    struct hf_slice long_key = {big.data, HF_KEY_BYTES_MAX};
    static const struct hf_slice unknown[] = {{(const uint8_t *)"LATER", 5},
                                              {(const uint8_t *)"k", 1}};
    const struct {
        uint16_t partition;
        uint16_t end;
        uint32_t argc;
        struct hf_slice argv[4];
    } forwards[] = {
        {0, 1, 2, {HF_SLICE_LITERAL("GET"), HF_SLICE_LITERAL("cart:7")}},
        {1023, 1024, 2, {HF_SLICE_LITERAL("get"), long_key}},
        {5,
         6,
         3,
         {HF_SLICE_LITERAL("SeT"), HF_SLICE_LITERAL("a\0b"), {NULL, 0}}},
        {6, 7, 3, {HF_SLICE_LITERAL("SET"), {NULL, 0}, big}},
        {7,
         8,
         3,
         {HF_SLICE_LITERAL("MSET"), HF_SLICE_LITERAL("k"),
          HF_SLICE_LITERAL("v")}},
        {8, 9, 2, {HF_SLICE_LITERAL("DEL"), HF_SLICE_LITERAL("k")}},
        {0, HF_PARTITION_COUNT, 1, {HF_SLICE_LITERAL("DBSIZE")}},
        {40, 41, 1, {HF_SLICE_LITERAL("FLUSHALL")}},
        {70,
         71,
         4,
         {HF_SLICE_LITERAL("SCAN"), HF_SLICE_LITERAL("0"),
          HF_SLICE_LITERAL("COUNT"), HF_SLICE_LITERAL("100")}},
    };
    for (size_t i = 0; i < HF_ARRAY_COUNT(forwards); i++) {
        memcpy(m->arguments[i], forwards[i].argv, sizeof(forwards[i].argv));
        add_forward(m, forwards[i].partition, forwards[i].end, forwards[i].argc,
                    m->arguments[i]);
    }
    add_forward(m, 4, 9, 2, unknown);
    m->items[m->count - 1].forward.unknown = unknown[0];
    m->many_arguments[0] = HF_SLICE_LITERAL("HMSET");
    for (size_t i = 1; i < MESSAGES_ARGUMENTS; i++) {
        m->many_arguments[i] = (struct hf_slice){big.data + i, i % 7};
    }
    add_forward(m, 9, 10, MESSAGES_ARGUMENTS, m->many_arguments);
}

static void add_results(struct messages *m)
{
    hf_reply_put_nil_array(&m->nested);
    struct hf_slice nil_array = hf_buffer_slice(&m->nested);
    hf_reply_put_map(&m->nested, 2);
    hf_reply_put_bulk(&m->nested, HF_SLICE_LITERAL("names"));
    hf_reply_put_set(&m->nested, 2);
    hf_reply_put_status(&m->nested, HF_SLICE_LITERAL("yes"));
    hf_reply_put_error(&m->nested, HF_SLICE_LITERAL("ERR no"));
    hf_reply_put_verbatim(&m->nested, HF_SLICE_LITERAL("text"));
    hf_reply_put_array(&m->nested, 3);
    hf_reply_put_integer(&m->nested, INT64_MIN);
    hf_reply_put_nil(&m->nested);
    hf_reply_put_array(&m->nested, 0);
    struct hf_slice map = {m->nested.data + nil_array.size,
                           m->nested.size - nil_array.size};
    const struct hf_reply replies[] = {
        hf_reply_nil(),
        hf_reply_ok(),
        hf_reply_error("ERR no such thing"),
        hf_reply_integer(INT64_MIN),
        hf_reply_integer(INT64_MAX),
        hf_reply_bulk((struct hf_slice){NULL, 0}),
        hf_reply_bulk(HF_SLICE_LITERAL("2 apples")),
        hf_reply_bulk(hf_buffer_slice(&m->big)),
        {.kind = HF_REPLY_NESTED, .bytes = nil_array},
        {.kind = HF_REPLY_NESTED, .bytes = map},
    };
    for (size_t i = 0; i < HF_ARRAY_COUNT(replies); i++) {
        add(m, HF_MESSAGE_RESULT)->result =
            (struct hf_result){unlike(m), unlike(m), replies[i]};
    }
}

static struct hf_record_view
record_of(struct messages *m, enum hf_record_kind kind, uint16_t partition)
{
    return (struct hf_record_view){
        .kind = kind,
        .partition = partition,
        .version = {unlike(m), unlike(m)},
        .operation = {unlike(m), unlike(m)},
    };
}

static void add_record(struct messages *m, const struct hf_record_view *record)
{
    add(m, HF_MESSAGE_RECORD)->record =
        (struct hf_record_message){unlike(m), unlike(m), *record};
    add(m, HF_MESSAGE_SUFFIX)->suffix = (struct hf_suffix){unlike(m), *record};
}

static void add_records(struct messages *m)
{
    static const uint8_t ok_tokens[] = {HF_TOKEN_STATUS, 2, 0, 0, 0, 'O', 'K'};
    for (int kind = HF_RECORD_WRITE; kind <= HF_RECORD_PAIRED; kind++) {
        struct hf_record_view record =
            record_of(m, (enum hf_record_kind)kind, (uint16_t)kind);
        record.key = HF_SLICE_LITERAL("cart:7");
        record.effects = HF_SLICE_LITERAL("anything\0at all");
        record.reply = (struct hf_slice){ok_tokens, sizeof(ok_tokens)};
        add_record(m, &record);
    }
    struct hf_record_view empty = record_of(m, HF_RECORD_SYNCED, 0);
    add_record(m, &empty);
    struct hf_record_view big =
        record_of(m, HF_RECORD_ENTRY, HF_PARTITION_COUNT - 1);
    big.key = (struct hf_slice){m->big.data, HF_KEY_BYTES_MAX};
    big.effects = hf_buffer_slice(&m->big);
    add_record(m, &big);
}

static void add_rest(struct messages *m)
{
    add(m, HF_MESSAGE_BOUNCE)->bounce =
        (struct hf_bounce){unlike(m), unlike(m)};
    add(m, HF_MESSAGE_ACK)->ack = (struct hf_ack){unlike(m), unlike(m)};
    add(m, HF_MESSAGE_ACK)->ack = (struct hf_ack){UINT64_MAX, 0};
    add(m, HF_MESSAGE_COMMITTED)->committed =
        (struct hf_committed){unlike(m), unlike(m)};
    add(m, HF_MESSAGE_POSITIONS)->positions =
        (struct hf_positions){.epoch = unlike(m), .last = true};
    add(m, HF_MESSAGE_POSITIONS)->positions =
        (struct hf_positions){unlike(m), true, 7, m->positions};
    add(m, HF_MESSAGE_POSITIONS)->positions = (struct hf_positions){
        unlike(m), false, HF_PARTITION_COUNT, m->positions};
    add(m, HF_MESSAGE_PULL)->pull =
        (struct hf_pull){unlike(m), HF_PARTITION_COUNT - 1, unlike(m)};
}

static void add_merges(struct messages *m)
{
    struct hf_merge merge = {.epoch = unlike(m),
                             .lineage = unlike(m),
                             .held = unlike(m),
                             .forked = unlike(m),
                             .partition = 17,
                             .to = HF_SESSIONS_END};
    add(m, HF_MESSAGE_MERGE)->merge = merge;
    m->entries[0].key = HF_SLICE_LITERAL("cart:7");
    m->entries[1].key = (struct hf_slice){m->big.data, HF_KEY_BYTES_MAX};
    m->entries[2].key = HF_SLICE_LITERAL("");
    m->entries[2].effects = hf_buffer_slice(&m->big);
    for (size_t i = 0; i < MESSAGES_ENTRIES; i++) {
        m->entries[i].version = (struct hf_version){unlike(m), unlike(m)};
    }
    merge.from = 5;
    merge.knowledge = HF_SLICE_LITERAL("a slice of bytes");
    merge.count = MESSAGES_ENTRIES;
    merge.entries = m->entries;
    add(m, HF_MESSAGE_MERGE)->merge = merge;
    add(m, HF_MESSAGE_MERGED)->merged =
        (struct hf_merged){unlike(m),       unlike(m),
                           unlike(m),       HF_PARTITION_COUNT - 1,
                           HF_SESSIONS_END, HF_SLICE_LITERAL("what is known")};
}

static void add_tells(struct messages *m)
{
    struct hf_slice big = hf_buffer_slice(&m->big);
    const struct {
        uint32_t argc;
        struct hf_slice argv[4];
    } tells[] = {
        {3,
         {HF_SLICE_LITERAL("publish"), HF_SLICE_LITERAL("news"),
          HF_SLICE_LITERAL("a\0b")}},
        {3, {HF_SLICE_LITERAL("SPUBLISH"), {NULL, 0}, big}},
        {2, {HF_SLICE_LITERAL("PUBSUB"), HF_SLICE_LITERAL("NumPat")}},
        {4,
         {HF_SLICE_LITERAL("PUBSUB"), HF_SLICE_LITERAL("SHARDNUMSUB"),
          HF_SLICE_LITERAL("a"), HF_SLICE_LITERAL("b")}},
    };
    for (size_t i = 0; i < HF_ARRAY_COUNT(tells); i++) {
        memcpy(m->told[i], tells[i].argv, sizeof(tells[i].argv));
        add(m, HF_MESSAGE_TELL)->tell =
            (struct hf_tell){unlike(m),
                             {.row = hf_command_find(m->told[i][0]),
                              .argc = tells[i].argc,
                              .argv = m->told[i]}};
    }
    add(m, HF_MESSAGE_TOLD)->told =
        (struct hf_told){unlike(m), hf_reply_integer(7)};
    add(m, HF_MESSAGE_TOLD)->told = (struct hf_told){unlike(m), hf_reply_nil()};
}

static bool fill_pools(struct messages *m)
{
    hf_buffer_init(&m->big, &m->mem);
    hf_buffer_init(&m->nested, &m->mem);
    uint8_t *bytes = hf_buffer_reserve(&m->big, MESSAGES_BIG_BYTES);
    if (bytes == NULL || hf_buffer_reserve(&m->nested, 4096) == NULL) {
        return false;
    }
    struct hf_rng rng;
    hf_rng_init(&rng, 1);
    for (size_t i = 0; i < MESSAGES_BIG_BYTES; i++) {
        bytes[i] = (uint8_t)hf_rng_next(&rng);
    }
    hf_buffer_commit(&m->big, MESSAGES_BIG_BYTES);
    messages_fill_view(&m->small, 1, 1, false);
    messages_fill_view(&m->middle, 3, 2, false);
    messages_fill_view(&m->full, HF_MEMBERS_MAX, HF_COPIES_MAX, true);
    for (uint16_t i = 0; i < HF_PARTITION_COUNT; i++) {
        m->nominations[i] =
            (struct hf_nomination){i, (uint8_t)(i % HF_MEMBERS_MAX)};
        m->positions[i] = (struct hf_position){
            i,
            {hf_rng_next(&rng), hf_rng_next(&rng)},
            i % 2 == 0 ? HF_SESSIONS_END : hf_rng_below(&rng, HF_SESSIONS_END)};
    }
    return true;
}

struct messages *messages_create(void)
{
    struct messages *m = calloc(1, sizeof(*m));
    if (m == NULL) {
        return NULL;
    }
    hf_mem_init_system(&m->mem);
    if (!fill_pools(m)) {
        messages_destroy(m);
        return NULL;
    }
    add_heartbeats(m);
    add_views(m);
    add_forwards(m);
    add_results(m);
    add_records(m);
    add_rest(m);
    add_merges(m);
    add_tells(m);
    return m;
}

void messages_destroy(struct messages *messages)
{
    if (messages != NULL) {
        hf_buffer_close(&messages->big);
        hf_buffer_close(&messages->nested);
        free(messages);
    }
}
