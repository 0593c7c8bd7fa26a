/* publish.c - Messages to subscribers on every node (core/publish.h). */
#include "core/publish.h"

#include <string.h>

#include "base/assert.h"
#include "core/key.h"
#include "core/node_state.h"

static const char too_many_text[] =
    "CLUSTERDOWN too many messages wait for other nodes";

#define PEER_WORDS ((HF_PEERS_MAX + 63) / 64)

/* Something published here whose answer waits for other nodes. */
struct hf_telling {
    uint64_t client;
    uint64_t tag;
    hf_time deadline;
    uint64_t awaited[PEER_WORDS]; /* By their place in node->peers. */
    struct hf_tally tally;
    size_t held_bytes; /* By it, as counted in node->answer_bytes. */
};

static bool awaits(const struct hf_telling *telling, size_t peer)
{
    return (telling->awaited[peer / 64] >> (peer % 64) & 1) != 0;
}

static void set_awaited(struct hf_telling *telling, size_t peer, bool awaited)
{
    uint64_t bit = UINT64_C(1) << (peer % 64);
    if (awaited) {
        telling->awaited[peer / 64] |= bit;
    } else {
        telling->awaited[peer / 64] &= ~bit;
    }
}

static bool awaits_any(const struct hf_telling *telling)
{
    for (size_t i = 0; i < PEER_WORDS; i++) {
        if (telling->awaited[i] != 0) {
            return true;
        }
    }
    return false;
}

static struct hf_telling **place_of(const struct hf_publishing *publishing,
                                    uint64_t number)
{
    return &publishing->tellings[number & (HF_TELLINGS_MAX - 1)];
}

static void set_held(struct hf_node *node, struct hf_telling *telling,
                     size_t bytes)
{
    node->answer_bytes = node->answer_bytes - telling->held_bytes + bytes;
    telling->held_bytes = bytes;
}

static void tally_close(struct hf_node *node, struct hf_telling *telling)
{
    hf_tally_close(&telling->tally);
    set_held(node, telling, 0);
}

/* After an answer was taken in. Others that wait may be too much; one alone is
 * not. */
static void tally_count(struct hf_node *node, struct hf_telling *telling)
{
    set_held(node, telling, hf_tally_bytes(&telling->tally));
    if (telling->held_bytes > 0 && node->answer_bytes - telling->held_bytes >
                                       node->config.held_bytes_max) {
        hf_tally_refuse(&telling->tally, hf_many_answers_text);
        set_held(node, telling, 0);
    }
}

static void telling_free(struct hf_node *node, uint64_t number)
{
    struct hf_publishing *publishing = &node->publishing;
    struct hf_telling **place = place_of(publishing, number);
    tally_close(node, *place);
    hf_mem_free(node->mem, *place, sizeof(**place));
    *place = NULL;
    while (publishing->tell_first < publishing->tell_next &&
           *place_of(publishing, publishing->tell_first) == NULL) {
        publishing->tell_first++;
    }
}

void hf_node_publishing_close(struct hf_node *node)
{
    struct hf_publishing *publishing = &node->publishing;
    hf_node_announcements_close(node);
    while (publishing->tell_first < publishing->tell_next) {
        telling_free(node, publishing->tell_first);
    }
    hf_mem_free(node->mem, publishing->tellings,
                HF_TELLINGS_MAX * sizeof(struct hf_telling *));
    hf_buffer_close(&publishing->notices);
    hf_buffer_close(&publishing->channel);
    hf_buffer_close(&publishing->answer);
}

/* What subscribers of our own clients answer, in publishing->answer. False:
 * there are none. */
static bool ask_here(struct hf_node *node, const struct hf_command *command,
                     struct hf_reply *reply)
{
    struct hf_buffer *answer = &node->publishing.answer;
    hf_buffer_clear(answer);
    if (node->out->subscribers == NULL) {
        return false;
    }
    node->out->subscribers(node->out->user, command, answer);
    return !answer->failed && hf_reply_decode(hf_buffer_slice(answer), reply);
}

/* Whoever we have not heard of yet may have subscribers. */
static bool listens(const struct hf_peer *peer)
{
    return peer->out_up[HF_CHANNEL_DATA] &&
           (peer->news.listens || peer->news.number == 0) && !peer->refused;
}

/* Sends @message to all that listen; notes in @telling who will answer. */
static void tell_others(struct hf_node *node, const struct hf_message *message,
                        struct hf_telling *telling)
{
    for (size_t i = 0; i < node->peer_count; i++) {
        const struct hf_peer *peer = &node->peers[i];
        if (!listens(peer)) {
            continue;
        }
        if (node->out->queued != NULL &&
            node->out->queued(node->out->user, peer->info.id) >
                HF_TELL_QUEUE_BYTES_MAX) {
            node->counters.messages_dropped++;
            continue;
        }
        if (hf_node_send(node, peer, message) && telling != NULL) {
            set_awaited(telling, i, true);
        }
    }
}

static bool somebody_listens(const struct hf_node *node)
{
    for (size_t i = 0; i < node->peer_count; i++) {
        if (listens(&node->peers[i])) {
            return true;
        }
    }
    return false;
}

static void telling_answer(struct hf_node *node, struct hf_telling *telling)
{
    struct hf_buffer *answer = &node->publishing.answer;
    hf_buffer_clear(answer);
    struct hf_reply reply = hf_tally_reply(&telling->tally, answer);
    hf_node_answer_client(node, telling->client, telling->tag, &reply);
}

/* Takes a place for @telling, whose number is then tell_next. NULL, or why
 * there is none. */
static const char *telling_keep(struct hf_node *node,
                                const struct hf_telling *telling)
{
    struct hf_publishing *publishing = &node->publishing;
    if (publishing->tell_next - publishing->tell_first >= HF_TELLINGS_MAX) {
        return too_many_text;
    }
    if (publishing->tellings == NULL) {
        publishing->tellings = hf_mem_alloc_zero(
            node->mem, HF_TELLINGS_MAX * sizeof(struct hf_telling *));
    }
    struct hf_telling *kept = publishing->tellings == NULL
                                  ? NULL
                                  : hf_mem_alloc(node->mem, sizeof(*kept));
    if (kept == NULL) {
        return hf_no_memory_text;
    }
    *kept = *telling;
    *place_of(publishing, publishing->tell_next++) = kept;
    return NULL;
}

void hf_node_publish(struct hf_node *node, uint64_t client, uint64_t tag,
                     const struct hf_command *command)
{
    struct hf_publishing *publishing = &node->publishing;
    struct hf_telling telling = {
        .client = client,
        .tag = tag,
        .deadline = node->now + HF_TELL_WAIT_MS,
    };
    struct hf_reply here;
    if (!hf_tally_init(&telling.tally, node->mem, command)) {
        hf_node_refuse_client(node, client, tag, hf_no_memory_text);
        return;
    }
    if (ask_here(node, command, &here)) {
        hf_tally_add(&telling.tally, &here);
    }
    tally_count(node, &telling);
    node->counters.messages_published++;
    const char *why = NULL;
    if (telling.tally.error != NULL || !somebody_listens(node)) {
        telling_answer(node, &telling);
        tally_close(node, &telling);
        return;
    }
    uint64_t number = publishing->tell_next;
    why = telling_keep(node, &telling);
    if (why != NULL) {
        tally_close(node, &telling);
        hf_node_refuse_client(node, client, tag, why);
        return;
    }
    const struct hf_message message = {.type = HF_MESSAGE_TELL,
                                       .tell = {number, *command}};
    struct hf_telling *kept = *place_of(publishing, number);
    tell_others(node, &message, kept);
    if (!awaits_any(kept)) {
        telling_answer(node, kept);
        telling_free(node, number);
    }
}

void hf_node_tell_heard(struct hf_node *node, struct hf_peer *from,
                        const struct hf_tell *tell)
{
    struct hf_message message = {
        .type = HF_MESSAGE_TOLD,
        .told = {.number = tell->number, .reply = hf_reply_nil()}};
    (void)ask_here(node, &tell->command, &message.told.reply);
    if (tell->number != 0) {
        hf_node_send(node, from, &message);
    }
}

void hf_node_told(struct hf_node *node, const struct hf_peer *from,
                  const struct hf_told *told)
{
    const struct hf_publishing *publishing = &node->publishing;
    if (told->number < publishing->tell_first ||
        told->number >= publishing->tell_next) {
        return;
    }
    struct hf_telling *telling = *place_of(publishing, told->number);
    size_t peer = (size_t)(from - node->peers);
    if (telling == NULL || !awaits(telling, peer)) {
        return; /* It was answered, or this is not the one that we told. */
    }
    set_awaited(telling, peer, false);
    hf_tally_add(&telling->tally, &told->reply);
    tally_count(node, telling);
    if (!awaits_any(telling)) {
        telling_answer(node, telling);
        telling_free(node, told->number);
    }
}

/* Those that cannot answer any more are not waited for. */
static void forget_lost(const struct hf_node *node, struct hf_telling *telling)
{
    for (size_t i = 0; i < node->peer_count; i++) {
        const struct hf_peer *peer = &node->peers[i];
        if (awaits(telling, i) &&
            (!peer->out_up[HF_CHANNEL_DATA] || !peer->in_up[HF_CHANNEL_DATA])) {
            set_awaited(telling, i, false);
        }
    }
}

void hf_node_publishing_tick(struct hf_node *node)
{
    const struct hf_publishing *publishing = &node->publishing;
    hf_node_news_tick(node);
    uint64_t number = publishing->tell_first;
    for (; number < publishing->tell_next; number++) {
        struct hf_telling *telling = *place_of(publishing, number);
        if (telling == NULL) {
            continue;
        }
        forget_lost(node, telling);
        if (!awaits_any(telling) || node->now >= telling->deadline) {
            telling_answer(node, telling);
            telling_free(node, number);
        }
    }
}

bool hf_node_publishing_waits(const struct hf_node *node)
{
    const struct hf_publishing *publishing = &node->publishing;
    return publishing->tell_first < publishing->tell_next ||
           !hf_list_is_empty(&publishing->announcements);
}

/* Events. */

void hf_node_note_event(struct hf_node *node, enum hf_notice notice,
                        struct hf_slice key)
{
    struct hf_publishing *publishing = &node->publishing;
    if (hf_key_database(key) != HF_DATABASE_OWN &&
        hf_notice_is_wanted(notice, publishing->events.flags)) {
        struct hf_buffer *notices = &publishing->notices;
        size_t size = notices->size;
        hf_buffer_put_u8(notices, (uint8_t)notice);
        hf_buffer_put_slice(notices, key);
        notices->size = notices->failed ? size : notices->size;
    }
}

static bool is_there(const struct hf_apply *apply)
{
    return apply->entry != NULL &&
           hf_session_type(apply->entry) != HF_SESSION_FENCE;
}

void hf_node_note(struct hf_node *node, const struct hf_apply *apply,
                  struct hf_slice key)
{
    bool made = !is_there(apply);
    for (uint32_t i = 0; i < apply->notice_count; i++) {
        enum hf_notice notice = (enum hf_notice)apply->notices[i];
        if (made && notice != HF_NOTICE_KEYMISS) {
            hf_node_note_event(node, HF_NOTICE_NEW, key);
            made = false;
        }
        hf_node_note_event(node, notice, key);
    }
}

/* Publishes @message on "__<space>@<database>__:<name>". */
static void publish_event(struct hf_node *node, const char *space,
                          uint8_t database, struct hf_slice name,
                          struct hf_slice message)
{
    struct hf_buffer *channel = &node->publishing.channel;
    hf_buffer_clear(channel);
    hf_buffer_append_text(channel, "__");
    hf_buffer_append_text(channel, space);
    hf_buffer_append_text(channel, "@");
    hf_buffer_append_int64(channel, database);
    hf_buffer_append_text(channel, "__:");
    hf_buffer_append_slice(channel, name);
    if (channel->failed) {
        return;
    }
    struct hf_slice argv[] = {HF_SLICE_LITERAL("PUBLISH"),
                              hf_buffer_slice(channel), message};
    const struct hf_message tell = {
        .type = HF_MESSAGE_TELL,
        .tell = {0,
                 {.row = hf_command_find(argv[0]), .argc = 3, .argv = argv}}};
    struct hf_reply here;
    (void)ask_here(node, &tell.tell.command, &here);
    tell_others(node, &tell, NULL);
}

void hf_node_publish_notices(struct hf_node *node, struct hf_slice notices)
{
    uint32_t flags = node->publishing.events.flags;
    struct hf_reader reader = hf_reader_of(notices);
    while (hf_reader_left(&reader) > 0) {
        enum hf_notice notice = (enum hf_notice)hf_reader_u8(&reader);
        struct hf_slice key = hf_reader_slice(&reader);
        uint8_t database = hf_key_database(key);
        struct hf_slice text = hf_key_text(key);
        struct hf_slice name = hf_notice_name(notice);
        node->counters.events_published++;
        if ((flags & HF_NOTICES_KEYSPACE) != 0) {
            publish_event(node, "keyspace", database, text, name);
        }
        if ((flags & HF_NOTICES_KEYEVENT) != 0) {
            publish_event(node, "keyevent", database, name, text);
        }
    }
}

void hf_node_publish_noted(struct hf_node *node)
{
    struct hf_buffer *notices = &node->publishing.notices;
    if (notices->size > 0) {
        hf_node_publish_notices(node, hf_buffer_slice(notices));
        hf_buffer_clear(notices);
    }
}

void hf_node_note_unchanged(struct hf_node *node, const struct hf_apply *apply,
                            const struct hf_command *command)
{
    const uint32_t silent = HF_COMMAND_WRITE | HF_COMMAND_QUIET;
    struct hf_slice key = command->argv[1];
    for (uint32_t i = 0; i < apply->notice_count; i++) {
        hf_node_note_event(node, (enum hf_notice)apply->notices[i], key);
    }
    if ((command->row->flags & silent) == 0 && !is_there(apply)) {
        hf_node_note_event(node, HF_NOTICE_KEYMISS, key);
    }
}
