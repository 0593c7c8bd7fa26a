/* news.c - What all nodes have to know before something is confirmed: that one
 * has subscribers, and which events are published (core/publish.h). */
#include "base/assert.h"
#include "core/node_state.h"

/* Somebody who waits until all others heard of news. */
struct announcement {
    struct hf_list link;
    uint64_t news;
    hf_time deadline;
    bool listens; /* Else a client waits for OK. */
    uint64_t client;
    uint64_t tag;
};

void hf_node_publishing_init(struct hf_node *node)
{
    struct hf_publishing *publishing = &node->publishing;
    publishing->events.flags = node->config.events;
    publishing->news = 1;
    publishing->tell_first = 1;
    publishing->tell_next = 1;
    hf_list_init(&publishing->announcements);
    hf_buffer_init(&publishing->notices, node->mem);
    hf_buffer_init(&publishing->channel, node->mem);
    hf_buffer_init(&publishing->answer, node->mem);
}

static struct announcement *announcement_of(struct hf_list *link)
{
    return HF_CONTAINER_OF(link, struct announcement, link);
}

static void announcement_free(struct hf_node *node,
                              struct announcement *announcement)
{
    hf_list_remove(&announcement->link);
    hf_mem_free(node->mem, announcement, sizeof(*announcement));
}

void hf_node_announcements_close(struct hf_node *node)
{
    struct hf_list *all = &node->publishing.announcements;
    while (!hf_list_is_empty(all)) {
        announcement_free(node, announcement_of(all->next));
    }
}

/* Whoever is silent knows nothing yet, but is asked when it comes back. */
static bool is_alive(const struct hf_node *node, const struct hf_peer *peer)
{
    return peer->in_up[HF_CHANNEL_CONTROL] &&
           peer->out_up[HF_CHANNEL_CONTROL] &&
           node->now - peer->heard <= HF_SUSPECT_MS;
}

static bool all_know(const struct hf_node *node, uint64_t news)
{
    for (size_t i = 0; i < node->peer_count; i++) {
        const struct hf_peer *peer = &node->peers[i];
        if (is_alive(node, peer) && peer->news.known < news) {
            return false;
        }
    }
    return true;
}

static void confirm(struct hf_node *node,
                    const struct announcement *announcement)
{
    if (announcement->listens) {
        if (node->out->listened != NULL) {
            node->out->listened(node->out->user);
        }
        return;
    }
    const struct hf_reply ok = hf_reply_ok();
    hf_node_answer_client(node, announcement->client, announcement->tag, &ok);
}

/* They are in the order of their numbers, and so of their deadlines. */
static void confirm_known(struct hf_node *node)
{
    struct hf_list *all = &node->publishing.announcements;
    while (!hf_list_is_empty(all)) {
        struct announcement *first = announcement_of(all->next);
        if (node->now < first->deadline && !all_know(node, first->news)) {
            return;
        }
        confirm(node, first);
        announcement_free(node, first);
    }
}

/* Something changed: tells it at once, and confirms it when all know. */
static void announce(struct hf_node *node, struct announcement what)
{
    struct hf_publishing *publishing = &node->publishing;
    publishing->news++;
    hf_node_send_heartbeats(node);
    struct announcement *announcement =
        hf_mem_alloc(node->mem, sizeof(*announcement));
    if (announcement == NULL) {
        confirm(node, &what); /* They are told all the same. */
        return;
    }
    *announcement = what;
    announcement->news = publishing->news;
    announcement->deadline =
        node->now + (HF_MUTATED(NEWS_UNHEARD) ? 0 : HF_NEWS_WAIT_MS);
    hf_list_init(&announcement->link);
    hf_list_push_back(&publishing->announcements, &announcement->link);
    confirm_known(node);
}

void hf_node_listen(struct hf_node *node, bool listens)
{
    struct hf_publishing *publishing = &node->publishing;
    if (publishing->listens == listens) {
        return;
    }
    publishing->listens = listens;
    if (listens) {
        announce(node, (struct announcement){.listens = true});
    } else {
        publishing->news++; /* The next heartbeat is soon enough. */
    }
}

void hf_node_set_events(struct hf_node *node, uint64_t client, uint64_t tag,
                        uint32_t flags)
{
    struct hf_events_register *events = &node->publishing.events;
    uint64_t now_ms = node->wall_ms > 0 ? (uint64_t)node->wall_ms : 0;
    events->flags = flags;
    events->set_ms = now_ms > events->set_ms ? now_ms : events->set_ms + 1;
    announce(node, (struct announcement){.client = client, .tag = tag});
}

void hf_node_tell_news(const struct hf_node *node, struct hf_heartbeat *beat)
{
    const struct hf_publishing *publishing = &node->publishing;
    beat->listens = publishing->listens;
    beat->news = publishing->news;
    beat->events = publishing->events.flags;
    beat->events_set_ms = publishing->events.set_ms;
}

static void take_events(struct hf_node *node, const struct hf_heartbeat *beat)
{
    struct hf_events_register *ours = &node->publishing.events;
    bool later =
        beat->events_set_ms > ours->set_ms ||
        (beat->events_set_ms == ours->set_ms && beat->events > ours->flags);
    if (later) {
        ours->flags = beat->events;
        ours->set_ms = beat->events_set_ms;
    }
}

bool hf_node_take_news(struct hf_node *node, struct hf_peer *peer,
                       const struct hf_heartbeat *beat)
{
    /* A number of ours that we had not reached is of one before us. */
    if (beat->news_heard > peer->news.known &&
        beat->news_heard <= node->publishing.news) {
        peer->news.known = beat->news_heard;
        confirm_known(node);
    }
    take_events(node, beat);
    if (beat->news <= peer->news.number) {
        return false; /* Heartbeats may overtake each other. */
    }
    bool waits = peer->news.number != 0;
    peer->news.number = beat->news;
    peer->news.listens = beat->listens;
    return waits;
}

void hf_node_news_tick(struct hf_node *node)
{
    confirm_known(node);
}
