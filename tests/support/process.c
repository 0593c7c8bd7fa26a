#include "support/process.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "support/describe.h"

#define TURN_US_MIN 5
#define TURN_US_MAX 60
#define PPM INT64_C(1000000)

static void process_turn(struct task *task);
static void on_send(void *user, hf_node_id to, hf_incarnation incarnation,
                    const struct hf_message *message);
static void on_reply(void *user, uint64_t client, uint64_t tag,
                     const struct hf_reply *reply);
static void on_connect(void *user, const struct hf_address *address);
static void on_forget(void *user, const struct hf_address *address);
static void on_probe(void *user, const struct hf_address *address,
                     uint64_t token);

static void on_subscribers(void *user, const struct hf_command *command,
                           struct hf_buffer *tokens);
static void on_listened(void *user);

void process_init(struct process *process, unsigned number,
                  struct network *network, uint64_t seed,
                  void (*turned)(void *user, struct process *process),
                  void *user)
{
    *process = (struct process){
        .number = number,
        .schedule = network->schedule,
        .network = network,
        .trace = network->trace,
        .turn = {.run = process_turn},
        .turned = turned,
        .user = user,
    };
    process->outbox = (struct hf_outbox){
        .user = process,
        .send = on_send,
        .reply = on_reply,
        .connect = on_connect,
        .forget = on_forget,
        .probe = on_probe,
        .subscribers = on_subscribers,
        .listened = on_listened,
    };
    hf_mem_init_system(&process->mem);
    failing_mem_init(&process->failing);
    hf_rng_init(&process->rng, seed);
    hf_node_config_init(&process->config);
    hf_list_init(&process->queue);
    hf_list_init(&process->unanswered);
}

static int64_t clock_at(const struct process_clock *clock, int64_t us)
{
    int64_t own_us = us + us * clock->drift_ppm / PPM;
    return clock->offset_ms + own_us / SCHEDULE_US_PER_MS;
}

hf_time process_now(const struct process *process)
{
    return clock_at(&process->clock, process->schedule->now_us);
}

static int64_t wall_at(const struct process *process, hf_time now)
{
    return process->clock.wall_ms + now - process->clock.offset_ms;
}

int64_t process_wall_ms(const struct process *process)
{
    return wall_at(process, process_now(process));
}

/* When the clock of @process first shows @time. */
static int64_t process_when(const struct process *process, hf_time time)
{
    const struct process_clock *clock = &process->clock;
    if (time <= process_now(process)) {
        return process->schedule->now_us;
    }
    int64_t own_us = (time - clock->offset_ms) * SCHEDULE_US_PER_MS;
    int64_t us = own_us - own_us * clock->drift_ppm / (PPM + clock->drift_ppm);
    while (clock_at(clock, us) < time) {
        us++;
    }
    return us;
}

static void process_step(struct process *process, struct hf_event *event)
{
    event->now = process_now(process);
    event->wall_ms = wall_at(process, event->now);
    hf_node_step(process->node, event, &process->outbox);
}

static void process_wake(struct process *process, int64_t at_us)
{
    if (process->running && !process->paused) {
        schedule_by(process->schedule, &process->turn, at_us);
    }
}

void process_on_arrived(struct process *process)
{
    int64_t wait_us =
        TURN_US_MIN +
        (int64_t)hf_rng_below(&process->rng, TURN_US_MAX - TURN_US_MIN);
    process_wake(process, process->schedule->now_us + wait_us);
}

/* Life and death. */

void process_start(struct process *process)
{
    HF_ASSERT(!process->running);
    do {
        process->config.self.incarnation = hf_rng_next(&process->rng);
    } while (process->config.self.incarnation == 0);
    process->config.self.started_ms = (uint64_t)process_wall_ms(process);
    process->config.random_seed = hf_rng_next(&process->rng);
    process->epoch_max = 0;
    process->promised_max = 0;
    struct hf_mem *mem =
        process->memory_fails ? &process->failing.mem : &process->mem;
    failing_mem_fail_often(&process->failing, 0, 0);
    int error = hf_node_create(&process->node, &process->config, mem,
                               process_now(process));
    HF_ASSERT(error == 0);
    process->running = true;
    process->listens = false;
    process->listened = false;
    process->paused = false;
    trace_add(process->trace, process->schedule->now_us, "%u ! started",
              process->number + 1);
    network_node_up(process->network, process->number, &process->config.self);
    process_wake(process, process->schedule->now_us);
}

static void request_end(struct process *process, struct request *request,
                        enum request_outcome outcome)
{
    hf_list_remove(&request->place);
    request->outcome = outcome;
    request->ended_us = process->schedule->now_us;
    if (request->done != NULL) {
        request->done(request->user, request);
    }
}

static void requests_end(struct process *process, struct hf_list *list)
{
    while (!hf_list_is_empty(list)) {
        request_end(process, HF_CONTAINER_OF(list->next, struct request, place),
                    REQUEST_LOST);
    }
}

static void process_end(struct process *process)
{
    schedule_cancel(process->schedule, &process->turn);
    process->running = false;
    hf_node_destroy(process->node);
    process->node = NULL;
    if (process->mem.used_bytes != 0 || process->failing.piece_count != 0) {
        process->violation = "a destroyed node leaves memory behind";
    }
    requests_end(process, &process->queue);
    requests_end(process, &process->unanswered);
}

void process_kill(struct process *process)
{
    HF_ASSERT(process->running);
    trace_add(process->trace, process->schedule->now_us, "%u ! killed",
              process->number + 1);
    network_node_down(process->network, process->number);
    process_end(process);
}

void process_lose(struct process *process)
{
    HF_ASSERT(process->running);
    trace_add(process->trace, process->schedule->now_us, "%u ! host lost",
              process->number + 1);
    network_node_lose(process->network, process->number);
    process_end(process);
}

void process_pause(struct process *process)
{
    HF_ASSERT(process->running && !process->paused);
    trace_add(process->trace, process->schedule->now_us, "%u ! paused",
              process->number + 1);
    process->paused = true;
    network_node_pause(process->network, process->number, true);
    schedule_cancel(process->schedule, &process->turn);
}

void process_resume(struct process *process)
{
    HF_ASSERT(process->running && process->paused);
    trace_add(process->trace, process->schedule->now_us, "%u ! resumed",
              process->number + 1);
    process->paused = false;
    network_node_pause(process->network, process->number, false);
    process_on_arrived(process);
}

/* Clients. */

void process_ask(struct process *process, struct request *request)
{
    request->started_us = process->schedule->now_us;
    if (!process->running) {
        request_end(process, request, REQUEST_REFUSED);
        return;
    }
    hf_list_push_back(&process->queue, &request->place);
    process_on_arrived(process);
}

static struct request *process_find(struct process *process, uint64_t number)
{
    struct hf_list *list = &process->unanswered;
    for (struct hf_list *at = list->next; at != list; at = at->next) {
        struct request *request = HF_CONTAINER_OF(at, struct request, place);
        if (request->number == number) {
            return request;
        }
    }
    return NULL;
}

static void on_reply(void *user, uint64_t client, uint64_t tag,
                     const struct hf_reply *reply)
{
    struct process *process = user;
    if (client == 0) {
        process->notified = true;
        return;
    }
    struct request *request = process_find(process, client);
    if (request == NULL || tag != ~client) {
        process->violation = "a reply to nobody, or a second one";
        return;
    }
    request->kind = reply->kind;
    request->integer = reply->integer;
    describe_reply(reply, &request->text);
    struct hf_slice text = hf_buffer_slice(&request->text);
    trace_mix_number(process->trace, (uint64_t)process->schedule->now_us);
    trace_mix(process->trace, text);
    hf_buffer_append(&request->text, "", 1);
    HF_ASSERT(!request->text.failed);
    trace_add(process->trace, process->schedule->now_us,
              "%u < answers c%u %s %.*s: %s", process->number + 1,
              (unsigned)client, request->command.row->name,
              request->command.argc > 1 ? (int)request->argv[1].size : 0,
              request->command.argc > 1 ? (const char *)request->argv[1].data
                                        : "",
              (const char *)request->text.data);
    request_end(process, request, REQUEST_ANSWERED);
}

/* What the node asks for. */

static void on_send(void *user, hf_node_id to, hf_incarnation incarnation,
                    const struct hf_message *message)
{
    struct process *process = user;
    network_send(process->network, process->number, to, incarnation, message);
}

static void on_connect(void *user, const struct hf_address *address)
{
    struct process *process = user;
    network_connect(process->network, process->number, address);
}

static void on_forget(void *user, const struct hf_address *address)
{
    struct process *process = user;
    network_forget(process->network, process->number, address);
}

static void on_probe(void *user, const struct hf_address *address,
                     uint64_t token)
{
    struct process *process = user;
    network_probe(process->network, process->number, address, token);
}

/* PUBLISH is all that the subscriber understands. */
static void on_subscribers(void *user, const struct hf_command *command,
                           struct hf_buffer *tokens)
{
    struct process *process = user;
    bool hears = process->listens && command->argc == 3;
    hf_reply_put_integer(tokens, hears ? 1 : 0);
    if (hears) {
        size_t used = strlen(process->told);
        process->told_count++;
        (void)snprintf(
            process->told + used, sizeof(process->told) - used, "%.*s=%.*s ",
            (int)command->argv[1].size, (const char *)command->argv[1].data,
            (int)command->argv[2].size, (const char *)command->argv[2].data);
    }
}

static void on_listened(void *user)
{
    struct process *process = user;
    process->listened = true;
}

/* What happens to the node. */

void process_on_link(struct process *process, const struct hf_link_event *event)
{
    struct hf_event step = {.type = HF_EVENT_LINK, .link = *event};
    process_step(process, &step);
}

void process_on_message(struct process *process, hf_node_id from,
                        hf_incarnation incarnation,
                        const struct hf_message *message)
{
    struct hf_message noted = *message;
    hf_node_expect_messages(process->node, &noted, 1);
    struct hf_event step = {.type = HF_EVENT_MESSAGE,
                            .message = {from, incarnation, &noted}};
    process_step(process, &step);
}

void process_on_probed(struct process *process, uint64_t token,
                       enum hf_probe_result result)
{
    struct hf_event step = {.type = HF_EVENT_PROBED, .probed = {token, result}};
    process_step(process, &step);
}

void process_subscribe(struct process *process)
{
    process->listens = true;
    process->listen_due = true;
    process_on_arrived(process);
}

void process_set_events(struct process *process, uint32_t events)
{
    process->events = events;
    process->notified = false;
    process->notify_due = true;
    process_on_arrived(process);
}

static void process_take_wishes(struct process *process)
{
    if (process->listen_due) {
        struct hf_event step = {.type = HF_EVENT_LISTEN, .listens = true};
        process->listen_due = false;
        process_step(process, &step);
    }
    if (process->notify_due) {
        struct hf_event step = {.type = HF_EVENT_NOTIFY};
        step.notify.events = process->events;
        process->notify_due = false;
        process_step(process, &step);
    }
}

static void process_take_requests(struct process *process)
{
    process_take_wishes(process);
    while (!hf_list_is_empty(&process->queue)) {
        struct request *request =
            HF_CONTAINER_OF(process->queue.next, struct request, place);
        hf_list_remove(&request->place);
        hf_list_push_back(&process->unanswered, &request->place);
        trace_add(process->trace, process->schedule->now_us,
                  "%u < c%u asks %s %.*s", process->number + 1,
                  (unsigned)request->number, request->command.row->name,
                  request->command.argc > 1 ? (int)request->argv[1].size : 0,
                  request->command.argc > 1
                      ? (const char *)request->argv[1].data
                      : "");
        struct hf_event step = {
            .type = HF_EVENT_REQUEST,
            .request = {request->number, ~request->number, &request->command}};
        process_step(process, &step);
    }
}

static void process_tick(struct process *process)
{
    if (process_now(process) >= hf_node_deadline(process->node)) {
        struct hf_event step = {.type = HF_EVENT_TICK};
        process_step(process, &step);
    }
}

static void process_take_packets(struct process *process)
{
    while (network_take(process->network, process->number)) {
    }
}

static void process_turn(struct task *task)
{
    struct process *process = HF_CONTAINER_OF(task, struct process, turn);
    switch (hf_rng_below(&process->rng, 3)) {
    case 0:
        process_tick(process);
        process_take_packets(process);
        process_take_requests(process);
        break;
    case 1:
        process_take_requests(process);
        process_take_packets(process);
        process_tick(process);
        break;
    default:
        process_take_packets(process);
        process_tick(process);
        process_take_requests(process);
        break;
    }
    struct hf_event end = {.type = HF_EVENT_TURN_END};
    process_step(process, &end);
    network_flush(process->network, process->number);
    hf_time deadline = hf_node_deadline(process->node);
    if (deadline != HF_NEVER) {
        int64_t at_us = process_when(process, deadline);
        int64_t soon_us = process->schedule->now_us + TURN_US_MIN;
        process_wake(process, at_us > soon_us ? at_us : soon_us);
    }
    process->turned(process->user, process);
}
