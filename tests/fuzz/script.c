#include "fuzz/script.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/hash.h"
#include "core/tally.h"

static const char *const words[] = {
    "k1",   "k2",
    "k3",   "{k1}b",
    "1",    "100",
    "-1",   "9223372036854775807",
    "EX",   "PX",
    "PXAT", "NX",
    "XX",   "KEEPTTL",
    "GET",  "COUNT",
    "0",    "MATCH",
    "*",    "PERSIST",
    "",     "1700000010000",
};
#define KEY_COUNT 4

static struct hf_slice word(size_t index)
{
    return hf_slice_text(words[index % HF_ARRAY_COUNT(words)]);
}

uint8_t script_take(struct script *s)
{
    return hf_reader_u8(&s->in);
}

uint64_t script_take_number(struct script *s)
{
    uint8_t shape = script_take(s);
    switch (shape & 7) {
    case 0:
        return UINT64_MAX - (shape >> 3);
    case 1:
        return (uint64_t)INT64_MAX - (shape >> 3);
    case 2:
        return hf_reader_u64(&s->in);
    case 3:
        return hf_reader_u32(&s->in);
    case 4:
        return (uint64_t)1 << (shape >> 3);
    default:
        return shape >> 3;
    }
}

/* @value, or a few more or less. */
uint64_t script_near(struct script *s, uint64_t value)
{
    uint8_t how = script_take(s);
    if (how < 160) {
        return value;
    }
    return how == 255 ? script_take_number(s) : value + how - 200;
}

struct hf_slice script_take_bytes(struct script *s, size_t max)
{
    size_t size = script_take(s) % (max + 1);
    size_t left = hf_reader_left(&s->in);
    return hf_reader_bytes(&s->in, size < left ? size : left);
}

hf_epoch script_take_epoch(struct script *s)
{
    const struct hf_node *node = s->node->node;
    switch (script_take(s) % 16) {
    case 0:
        return node->view->base;
    case 1:
        return node->promised;
    case 2:
        return node->highest_ballot;
    case 3:
        return node->highest_ballot + ((hf_epoch)1 << 32);
    case 4:
        return node->view->epoch + ((hf_epoch)1 << 32);
    case 5:
        return s->node->heard[s->who].ballot;
    case 6:
        return script_take_number(s);
    case 7:
        return node->target->epoch;
    case 8:
        return node->forked;
    default:
        return node->view->epoch;
    }
}

uint64_t script_take_lineage(struct script *s)
{
    const struct hf_node *node = s->node->node;
    uint8_t how = script_take(s);
    switch (how % 8) {
    case 0:
        return hf_lineage_of(node->target);
    case 1:
        return node->view->lineages[0].id;
    case 2:
        return node->view->lineages[(how >> 3) % HF_LINEAGES_MAX].id;
    case 3:
        return 1u + (how >> 3) % 4u; /* One that a script made. */
    case 4:
        return script_take_number(s);
    default:
        return hf_lineage_of(node->view);
    }
}

hf_epoch script_take_ballot(struct script *s)
{
    const struct hf_node *node = s->node->node;
    switch (script_take(s) % 8) {
    case 0:
        return node->ballot.number;
    case 1:
        return s->node->heard[s->who].ballot;
    case 2:
        return node->promised;
    case 3:
        return node->accepted_ballot;
    case 4:
        return script_take_epoch(s);
    default:
        return node->highest_ballot + script_take(s) % 3;
    }
}

uint16_t script_take_partition(struct script *s)
{
    uint8_t how = script_take(s);
    if (how < 192) {
        return hf_partition_of_key(word(how % KEY_COUNT));
    }
    return (uint16_t)((unsigned)(how - 192) * 256 + script_take(s)) %
           HF_PARTITION_COUNT;
}

struct hf_slice script_take_key(struct script *s, uint16_t partition)
{
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (hf_partition_of_key(word(i)) == partition && script_take(s) < 240) {
            return word(i);
        }
    }
    return script_take(s) < 128 ? word(20) : script_take_bytes(s, 40);
}

struct hf_version script_take_version(struct script *s, uint16_t partition)
{
    const struct hf_version *now =
        &s->node->node->partitions[partition].version;
    struct hf_version version;
    version.epoch = script_take(s) < 200 ? s->node->node->view->epoch
                                         : script_take_epoch(s);
    version.sequence = script_near(s, now->sequence + 1);
    return version;
}

struct hf_operation_id script_take_operation(struct script *s)
{
    uint8_t how = script_take(s);
    struct hf_operation_id id = {0, 0};
    if (how < 64) {
        return id;
    }
    id.origin = s->scene->people[how % SCENE_PEOPLE].incarnation;
    id.number = how < 128 ? s->node->node->request_next - how % 4
                          : script_near(s, how % 8);
    return id;
}

hf_member_set script_take_set(struct script *s)
{
    uint8_t how = script_take(s);
    return how == 255   ? script_take_number(s)
           : how == 254 ? ~(hf_member_set)0
                        : how;
}

/* An effect on a member of a set or an element of a list. */
static void take_structured(struct script *s, struct hf_buffer *effects)
{
    uint8_t how = script_take(s);
    bool left = how >= 128;
    uint32_t count = how / 8 % 4;
    struct hf_slice bytes = script_take_bytes(s, 3);
    switch (how % 8) {
    case 0:
        hf_effects_member(effects, bytes);
        break;
    case 1:
        hf_effects_unmember(effects, bytes);
        break;
    case 2:
        hf_effects_score(effects, bytes, (double)count);
        break;
    case 3:
        hf_effects_unscore(effects, bytes);
        break;
    case 4:
        hf_effects_push(effects, left, bytes);
        break;
    case 5:
        hf_effects_pop(effects, left, count);
        break;
    case 6:
        hf_effects_item(effects, count, bytes);
        break;
    default:
        hf_effects_unitem(effects, left, count, bytes);
        break;
    }
}

struct hf_slice script_take_effects(struct script *s)
{
    struct hf_buffer *effects = &s->effects;
    hf_buffer_clear(effects);
    for (unsigned count = script_take(s) % 4; count > 0; count--) {
        uint8_t how = script_take(s);
        uint8_t kind = how % 8;
        if (kind == 7 && how >= 64) {
            kind = how >= 128 ? 8 : 9;
        }
        struct hf_slice field = {NULL, 0};
        int64_t ttl_ms = HF_TTL_NONE;
        if (kind == 0 || kind == 4 || kind == 8) {
            ttl_ms = (int64_t)script_take_number(s);
        } else if (kind == 2 || kind == 3) {
            field = script_take_bytes(s, 3);
        }
        switch (kind) {
        case 0:
        case 1:
            hf_effects_put(effects, script_take_bytes(s, 60), ttl_ms);
            break;
        case 2:
            hf_effects_field(effects, field, script_take_bytes(s, 60));
            break;
        case 3:
            hf_effects_unfield(effects, field);
            break;
        case 4:
            hf_effects_expire(effects, ttl_ms);
            break;
        case 5:
            hf_effects_delete(effects);
            break;
        case 6:
            hf_effects_clear(effects, HF_DATABASE_ALL);
            break;
        case 8:
            hf_effects_fence(effects, ttl_ms);
            break;
        case 9:
            take_structured(s, effects);
            break;
        default:
            hf_buffer_append_slice(effects, script_take_bytes(s, 40));
            break;
        }
    }
    HF_ASSERT(!effects->failed);
    return hf_buffer_slice(effects);
}

struct hf_reply script_take_reply(struct script *s)
{
    hf_buffer_clear(&s->tokens);
    switch (script_take(s) % 8) {
    case 0:
        return hf_reply_integer((int64_t)script_take_number(s));
    case 1:
        return hf_reply_bulk(script_take_bytes(s, 40));
    case 2:
        return hf_reply_nil();
    case 3:
        return hf_reply_error("ERR no");
    case 4:
        hf_reply_put_array(&s->tokens, 2);
        hf_reply_put_bulk(&s->tokens, script_take_bytes(s, 9));
        hf_reply_put_array(&s->tokens, 1);
        hf_reply_put_bulk(&s->tokens, script_take_bytes(s, 9));
        return hf_reply_nested(&s->tokens);
    case 5:
        hf_reply_put_set(&s->tokens, 0);
        return hf_reply_nested(&s->tokens);
    default:
        return hf_reply_ok();
    }
}

/* False when it has too many arguments. */
static bool take_any_command(struct script *s, struct hf_command *command)
{
    size_t row_count = 0;
    while (hf_command_at(row_count) != NULL) {
        row_count++;
    }
    *command =
        (struct hf_command){.row = hf_command_at(script_take(s) % row_count)};
    uint8_t how = script_take(s);
    int least = abs(command->row->arity);
    command->argc = (uint32_t)least;
    if (command->row->arity < 0) {
        command->argc += how % 5;
    }
    if (command->argc > SCRIPT_ARGUMENTS_MAX) {
        return false;
    }
    s->argv[0] = hf_slice_text(command->row->name);
    for (uint32_t i = 1; i < command->argc; i++) {
        uint8_t which = script_take(s);
        s->argv[i] = which < 220 ? word(which) : script_take_bytes(s, 250);
        if (i == 1 && which < 220 && command->row->route != HF_ROUTE_SCAN) {
            s->argv[i] = word(which % KEY_COUNT);
        }
    }
    command->argv = s->argv;
    return true;
}

/* False when the bytes say no command that a connection would let through. */
bool script_take_command(struct script *s, struct hf_command *command)
{
    enum hf_tally_kind kind;
    return take_any_command(s, command) &&
           command->row->route != HF_ROUTE_CONNECTION &&
           hf_tally_kind_of(command, &kind) &&
           hf_command_arity_fits(command->row, command->argc);
}

/* What takes more than one word to get anywhere. */
static const char *const phrases[] = {
    "CLUSTER SLOTS",
    "CLUSTER SHARDS",
    "CLUSTER NODES",
    "CLUSTER INFO",
    "CLUSTER MYID",
    "CLUSTER GETKEYSINSLOT 12706 10", /* The one of k1. */
    "CLUSTER COUNTKEYSINSLOT 449",    /* The one of k2. */
    "CLUSTER RESET",
    "HELLO 2",
    "HELLO 3",
    "COMMAND GETKEYS MSET k1 1 k2 2",
    "READONLY",
    "READWRITE",
    "ASKING",
    "MULTI",
    "EXEC",
    "WATCH k1",
    "SET k1 1",
    "GET k1",
    "SET k2 2 PX 100",
    "GET k2",
    "INCR k3",
    "MGET k1 {k1}b",
    "MGET k1 k2 k3",
    "RENAME k1 {k1}b",
    "EVAL SET,k1,1;GET,k1 1 k1",
    "EVAL INCR,k2;!;GET,k2 1 k2",
    "EVAL_RO GET,k1;SET,k1,2 1 k1",
    "EVALSHA DEL,k1 1 k1",
    "SCRIPT FLUSH",
    "CLIENT TRACKING ON",
    "CLIENT TRACKING ON OPTIN",
    "CLIENT CACHING YES",
    "CLIENT REPLY OFF",
    "CLIENT REPLY SKIP",
    "CLIENT LIST",
    "CLIENT KILL TYPE normal SKIPME no",
    "SUBSCRIBE c",
    "SSUBSCRIBE c",
    "PSUBSCRIBE *",
    "UNSUBSCRIBE",
    "PUNSUBSCRIBE",
    "PUBLISH c m",
    "SPUBLISH c m",
    "PUBSUB NUMSUB c",
    "PUBSUB CHANNELS",
    "CONFIG SET notify-keyspace-events KEA",
    "SELECT 1",
    "HOLDFAST STATUS",
    "HOLDFAST TAKEOVER",
    "HOLDFAST DRAIN",
    "INFO",
    "RESET",
    "QUIT",
};

static void put_bulk(struct hf_buffer *out, struct hf_slice bytes)
{
    hf_buffer_append_format(out, "$%u\r\n", (unsigned)bytes.size);
    hf_buffer_append_slice(out, bytes);
    hf_buffer_append_text(out, "\r\n");
}

void script_take_line(struct script *s, struct hf_buffer *out)
{
    uint8_t which = script_take(s);
    if (which < HF_ARRAY_COUNT(phrases)) {
        hf_buffer_append_text(out, phrases[which]);
        hf_buffer_append_text(out, "\r\n");
        return;
    }
    struct hf_command command;
    if (!take_any_command(s, &command)) {
        return;
    }
    hf_buffer_append_format(out, "*%u\r\n", (unsigned)command.argc);
    for (uint32_t i = 0; i < command.argc; i++) {
        put_bulk(out, command.argv[i]);
    }
}

/* Views. */

static void member_add(struct script *s, struct hf_view *view)
{
    unsigned who = script_take(s) % SCENE_PEOPLE;
    if (view->member_count < HF_MEMBERS_MAX &&
        hf_view_find_id(view, s->scene->people[who].id) == HF_MEMBER_NONE) {
        view->members[view->member_count++] = s->scene->people[who];
    }
}

/* As many as there may be. */
static void member_add_many(struct script *s, struct hf_view *view)
{
    unsigned count = script_take(s) % HF_MEMBERS_MAX;
    for (unsigned i = 0; i < count && view->member_count < HF_MEMBERS_MAX;
         i++) {
        struct hf_peer_info *info = &view->members[view->member_count];
        *info = s->scene->people[SCENE_STRANGER];
        info->name[0] = (char)('0' + i);
        info->id = hf_hash(hf_slice_text(info->name));
        if (hf_view_find_id(view, info->id) == HF_MEMBER_NONE) {
            view->member_count++;
        }
    }
}

static void member_remove(struct script *s, struct hf_view *view)
{
    uint8_t index = script_take(s) % HF_MEMBERS_MAX;
    if (index >= view->member_count || view->member_count == 1) {
        return;
    }
    view->member_count--;
    memmove(&view->members[index], &view->members[index + 1],
            (view->member_count - index) * sizeof(view->members[0]));
}

static void acting_set(struct script *s, struct hf_view *view)
{
    uint16_t first = script_take_partition(s);
    unsigned count = 1u + 8u * script_take(s);
    struct hf_acting acting = {.count = 1 + script_take(s) % HF_COPIES_MAX};
    uint8_t gone = script_take(s);
    acting.empty = gone % 4 == 0;
    acting.awaited = gone % 8 >= 6;
    for (uint8_t i = 0; i < acting.count; i++) {
        acting.members[i] = script_take(s) % HF_MEMBERS_MAX;
    }
    for (unsigned i = 0; i < count && first + i < HF_PARTITION_COUNT; i++) {
        view->acting[first + i] = acting;
    }
}

/* What wire/peer.c would refuse is left out. */
static void view_repair(struct hf_view *view)
{
    hf_member_set all = hf_view_all(view);
    view->absent &= all;
    view->leaving &= all;
    view->absent = view->absent == all ? 0 : view->absent;
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        struct hf_acting *acting = &view->acting[p];
        hf_member_set seen = 0;
        uint8_t count = 0;
        for (uint8_t i = 0; i < acting->count; i++) {
            uint8_t member = acting->members[i] % view->member_count;
            if ((seen & hf_member_set_of(member)) == 0) {
                acting->members[count++] = member;
                seen |= hf_member_set_of(member);
            }
        }
        if (count == 0) {
            acting->members[count++] = 0;
        }
        acting->count = count;
    }
}

static void lineages_change(struct script *s, struct hf_view *view)
{
    uint8_t how = script_take(s);
    switch (how % 4) {
    case 0: /* The lineage that this one was forked from goes on. */
        if (view->lineage_count > 1) {
            view->lineage_count--;
        }
        return;
    case 1:
        view->lineages[view->lineage_count - 1].forked = script_take_epoch(s);
        return;
    case 2:
        view->lineages[view->lineage_count - 1].id = script_take_lineage(s);
        return;
    default:
        for (unsigned count = how / 64;; count--) {
            hf_lineage_fork(view, 1u + (how >> 2) % 4u, script_take_epoch(s),
                            view->base);
            if (count == 0) {
                return;
            }
        }
    }
}

static void view_change(struct script *s, struct hf_view *view)
{
    switch (script_take(s) % 16) {
    case 0:
        view->epoch = script_take_epoch(s);
        return;
    case 1:
        view->base = script_take_epoch(s);
        return;
    case 2:
        member_add(s, view);
        return;
    case 3:
        member_add_many(s, view);
        return;
    case 4:
        member_remove(s, view);
        return;
    case 5:
        view->absent ^= script_take_set(s);
        return;
    case 6:
        view->leaving ^= script_take_set(s);
        return;
    case 7:
        view->backups = script_take(s) % (HF_BACKUPS_MAX + 1);
        return;
    case 8:
        view->cluster = script_take_number(s);
        view->founded_ms = script_take_number(s);
        return;
    case 9:
        view->policy = script_take(s) % (HF_POLICY_AVAILABLE + 1);
        return;
    case 10:
    case 11:
    case 12:
        lineages_change(s, view);
        return;
    case 13:
        view->members[script_take(s) % view->member_count].incarnation =
            script_near(s, 101) | 1;
        return;
    default:
        acting_set(s, view);
        return;
    }
}

const struct hf_view *script_take_view(struct script *s)
{
    const struct hf_node *node = s->node->node;
    struct hf_view *view = &s->view;
    *view = node->view->epoch != 0 ? *node->view : s->scene->view;
    view->base = view->epoch;
    view->epoch += (hf_epoch)1 << 32;
    for (unsigned count = script_take(s) % 6; count > 0; count--) {
        view_change(s, view);
    }
    view_repair(view);
    return view;
}
