#include "sim/asker.h"

#include <stdlib.h>
#include <string.h>

#include "support/model.h"

#define PATIENCE_US INT64_C(3000000)
#define RETRY_US INT64_C(20000)

static bool is_error_of_any(const struct cluster *c,
                            const struct request *request)
{
    const char *text = cluster_answer(request);
    return strncmp(text, "(error) CLUSTERDOWN ", 20) == 0 ||
           (c->options.memory_fails && strncmp(text, "(error) OOM ", 12) == 0);
}

static enum asker_outcome outcome_of(const struct cluster *c,
                                     const struct request *request)
{
    switch (request->outcome) {
    case REQUEST_REFUSED:
        return ASKER_NEVER;
    case REQUEST_ANSWERED:
        if (request->kind != HF_REPLY_ERROR) {
            return ASKER_DONE;
        }
        return is_error_of_any(c, request) ? ASKER_UNSURE : ASKER_ERROR;
    default:
        return ASKER_UNSURE;
    }
}

static void asker_plan(struct asker *asker, int64_t wait_us)
{
    struct schedule *schedule = &asker->c->schedule;
    schedule_at(schedule, &asker->task, schedule->now_us + wait_us);
}

static void on_done(void *user, struct request *request)
{
    struct asker *asker = user;
    (void)request; /* The next asker_run looks at it. */
    asker_plan(asker, 0);
}

static void choose_node(struct asker *asker, bool another)
{
    const struct cluster *c = asker->c;
    if (another || !c->processes[asker->node].running ||
        hf_rng_chance(asker->rng, 1, 20)) {
        asker->node = (unsigned)hf_rng_below(asker->rng, c->options.node_count);
    }
}

static void take_answer(struct asker *asker)
{
    struct request *request = asker->request;
    enum asker_outcome outcome = outcome_of(asker->c, request);
    asker->request = NULL;
    asker->hurry = false;
    if (!asker->c->failed) {
        asker->heard(asker, request, outcome);
    }
    choose_node(asker, request->outcome == REQUEST_WAITING);
    request->done = NULL;
    cluster_forget(request);
    int64_t think_us = 0;
    if (!asker->hurry) {
        think_us = RETRY_US + (int64_t)hf_rng_below(
                                  asker->rng, (uint64_t)asker->think_us_max);
    }
    if (!asker->stopping) {
        asker_plan(asker, think_us);
    }
}

static void asker_run(struct task *task)
{
    struct asker *asker = HF_CONTAINER_OF(task, struct asker, task);
    if (asker->request != NULL) {
        take_answer(asker);
    } else if (!asker->stopping) {
        asker->ask(asker);
    }
}

void asker_start(struct asker *asker)
{
    asker->task.run = asker_run;
    asker->node =
        (unsigned)hf_rng_below(asker->rng, asker->c->options.node_count);
    asker_plan(asker, (int64_t)hf_rng_below(asker->rng, (uint64_t)RETRY_US));
}

void asker_send(struct asker *asker, size_t argc, const struct hf_slice *argv)
{
    struct request *request =
        cluster_ask_argv(asker->c, asker->node, argc, argv);
    asker->request = request;
    request->user = asker;
    request->done = on_done;
    asker_plan(asker, request->outcome == REQUEST_WAITING ? PATIENCE_US : 0);
}

bool asker_stop(struct asker *asker)
{
    asker->stopping = true;
    if (asker->request == NULL) {
        schedule_cancel(&asker->c->schedule, &asker->task);
    }
    return asker->request == NULL;
}

void asker_close(struct asker *asker)
{
    if (asker->c == NULL) {
        return;
    }
    schedule_cancel(&asker->c->schedule, &asker->task);
    if (asker->request != NULL) {
        asker->request->done = NULL;
        cluster_forget(asker->request);
        asker->request = NULL;
    }
}

int64_t asker_read_last(struct cluster *c, unsigned node, const char *key)
{
    const char *text = cluster_command(c, node, "GET", key, NULL);
    char *end;
    int64_t value = strtoll(text, &end, 10);
    if (strcmp(text, "(nil)") == 0) {
        return MODEL_NIL;
    }
    if (end == text || *end != '\0') {
        cluster_fail(c, "n%u says of %s in the end: %s", node + 1, key, text);
    }
    return value;
}
