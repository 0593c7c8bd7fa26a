#include "support/lone_node.h"

#include <string.h>

#include "base/assert.h"
#include "base/hash.h"
#include "support/describe.h"

#define CLIENT 42
#define LISTEN_MS 600

static void on_send(void *user, hf_node_id to, hf_incarnation incarnation,
                    const struct hf_message *message)
{
    struct lone_node *lone = user;
    (void)to;
    (void)incarnation;
    lone->sent++;
    if (lone->hear != NULL) {
        lone->hear(message);
    }
}

static void on_reply(void *user, uint64_t client, uint64_t tag,
                     const struct hf_reply *reply)
{
    struct lone_node *lone = user;
    HF_ASSERT(client == CLIENT);
    HF_ASSERT(tag > 0 && tag <= lone->asked);
    struct hf_buffer *answer = &lone->answers[tag - 1];
    HF_ASSERT(answer->size == 0); /* One answer for each. */
    describe_reply(reply, answer);
    hf_buffer_put_u8(answer, 0);
    HF_ASSERT(!answer->failed);
    lone->order[lone->answered++] = tag;
}

static void on_connect(void *user, const struct hf_address *address)
{
    struct lone_node *lone = user;
    (void)address;
    lone->connected++;
}

static void on_forget(void *user, const struct hf_address *address)
{
    (void)user;
    (void)address;
}

static void on_probe(void *user, const struct hf_address *address,
                     uint64_t token)
{
    struct lone_node *lone = user;
    (void)address;
    lone->probed++;
    lone->probe = token;
}

void lone_node_config(struct hf_node_config *config)
{
    hf_node_config_init(config);
    memcpy(config->self.name, "lone", 5);
    memcpy(config->self.label, "rack", 5);
    memcpy(config->self.host, "host", 5);
    config->self.id = hf_hash(HF_SLICE_LITERAL("lone"));
    config->self.incarnation = 77;
    config->self.peer_port = 17379;
    config->self.client_port = 7379;
    config->random_seed = 1;
}

int lone_node_open(struct lone_node *lone, const struct hf_node_config *config,
                   struct hf_mem *mem)
{
    memset(lone, 0, sizeof(*lone));
    lone->now = LONE_START;
    hf_mem_init_system(&lone->system);
    for (size_t i = 0; i < LONE_ASKED_MAX; i++) {
        hf_buffer_init(&lone->answers[i], &lone->system);
    }
    return hf_node_create(&lone->node, config, mem, lone->now);
}

void lone_node_close(struct lone_node *lone)
{
    hf_node_destroy(lone->node);
    lone->node = NULL;
    for (size_t i = 0; i < LONE_ASKED_MAX; i++) {
        hf_buffer_close(&lone->answers[i]);
    }
    HF_ASSERT(lone->system.used_bytes == 0);
}

void lone_node_step(struct lone_node *lone, struct hf_event *event)
{
    const struct hf_outbox outbox = {.user = lone,
                                     .send = on_send,
                                     .reply = on_reply,
                                     .connect = on_connect,
                                     .forget = on_forget,
                                     .probe = on_probe};
    event->now = lone->now;
    event->wall_ms = LONE_WALL_MS + lone->now;
    hf_node_step(lone->node, event, &outbox);
}

static struct hf_peer_info peer_info(unsigned who)
{
    struct hf_peer_info info = {.id = 1000u + who,
                                .incarnation = 2000u + who,
                                .started_ms = 1,
                                .peer_port = (uint16_t)(3000u + who)};
    memcpy(info.name, "peer", 5);
    memcpy(info.host, "host", 5);
    return info;
}

void lone_node_meet(struct lone_node *lone, unsigned who)
{
    struct hf_peer_info info = peer_info(who);
    for (unsigned i = 0; i < 4; i++) {
        struct hf_event event = {
            .type = HF_EVENT_LINK,
            .link = {.peer = &info,
                     .channel = i < 2 ? HF_CHANNEL_CONTROL : HF_CHANNEL_DATA,
                     .out = i % 2 == 0,
                     .up = true}};
        lone_node_step(lone, &event);
    }
}

void lone_node_tell(struct lone_node *lone, unsigned who,
                    const struct hf_message *message)
{
    struct hf_peer_info info = peer_info(who);
    struct hf_event event = {.type = HF_EVENT_MESSAGE,
                             .message = {.from = info.id,
                                         .incarnation = info.incarnation,
                                         .message = message}};
    lone_node_step(lone, &event);
}

void lone_node_tick(struct lone_node *lone, hf_time ms)
{
    struct hf_event tick = {.type = HF_EVENT_TICK};
    lone->now += ms;
    lone_node_step(lone, &tick);
}

void lone_node_wait(struct lone_node *lone, hf_time ms)
{
    hf_time until = lone->now + ms;
    hf_time deadline;
    while ((deadline = hf_node_deadline(lone->node)) <= until) {
        lone_node_tick(lone, deadline > lone->now ? deadline - lone->now : 0);
    }
    lone->now = until;
}

void lone_node_start(struct lone_node *lone)
{
    lone_node_tick(lone, 0);
    lone_node_tick(lone, LISTEN_MS);
    HF_ASSERT(hf_node_get_view(lone->node) != NULL);
}

uint64_t lone_node_send(struct lone_node *lone, const char *line)
{
    struct hf_slice argv[LONE_WORDS_MAX];
    uint32_t argc = 0;
    while (argc == 0 || *line != '\0') {
        HF_ASSERT(argc < LONE_WORDS_MAX);
        size_t size = strcspn(line, " ");
        argv[argc++] = (struct hf_slice){(const uint8_t *)line, size};
        line += size + (line[size] == ' ' ? 1 : 0);
    }
    struct hf_command command = {
        .row = hf_command_find(argv[0]), .argc = argc, .argv = argv};
    HF_ASSERT(command.row != NULL);
    HF_ASSERT(hf_command_arity_fits(command.row, argc));
    HF_ASSERT(lone->asked < LONE_ASKED_MAX);
    struct hf_event event = {.type = HF_EVENT_REQUEST};
    event.request.client = CLIENT;
    event.request.tag = ++lone->asked;
    event.request.command = &command;
    lone_node_step(lone, &event);
    return event.request.tag;
}

const char *lone_node_answer(const struct lone_node *lone, uint64_t tag)
{
    HF_ASSERT(tag > 0 && tag <= lone->asked);
    const struct hf_buffer *answer = &lone->answers[tag - 1];
    return answer->size == 0 ? "(waiting)" : (const char *)answer->data;
}

const char *lone_node_ask(struct lone_node *lone, const char *line)
{
    return lone_node_answer(lone, lone_node_send(lone, line));
}

void lone_node_forget(struct lone_node *lone)
{
    HF_ASSERT(lone->answered == lone->asked);
    for (uint64_t i = 0; i < lone->asked; i++) {
        hf_buffer_clear(&lone->answers[i]);
    }
    lone->asked = 0;
    lone->answered = 0;
}
