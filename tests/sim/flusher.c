#include "sim/flusher.h"

#include <string.h>

#include "base/assert.h"

static void flusher_run(struct task *task);

static void flusher_plan(struct flusher *flusher, int64_t wait_ms)
{
    struct schedule *schedule = &flusher->workload->c->schedule;
    schedule_at(schedule, &flusher->task,
                schedule->now_us + wait_ms * SCHEDULE_US_PER_MS);
}

static void flusher_rest(struct flusher *flusher)
{
    if (!flusher->stopping) {
        flusher_plan(flusher,
                     1 + (int64_t)hf_rng_below(&flusher->rng,
                                               (uint64_t)flusher->gap_ms_max));
    }
}

void flusher_start(struct flusher *flusher, struct workload *workload,
                   int64_t gap_ms_max, uint64_t seed)
{
    *flusher = (struct flusher){.workload = workload, .gap_ms_max = gap_ms_max};
    flusher->task.run = flusher_run;
    hf_rng_init(&flusher->rng, seed);
    if (gap_ms_max > 0) {
        flusher_rest(flusher);
    }
}

static void flusher_end(struct flusher *flusher)
{
    struct request *request = flusher->request;
    struct cluster *c = flusher->workload->c;
    bool done =
        request->outcome == REQUEST_ANSWERED && request->kind != HF_REPLY_ERROR;
    const char *text = cluster_answer(request);
    if (request->outcome == REQUEST_ANSWERED && !done &&
        strncmp(text, "(error) CLUSTERDOWN ", 20) != 0 &&
        !(c->options.memory_fails && strncmp(text, "(error) OOM ", 12) == 0)) {
        cluster_fail(c, "a client was told: %s", text);
    }
    workload_flush_ends(flusher->workload, request, done);
    flusher->request = NULL;
    request->done = NULL;
    cluster_forget(request);
}

static void on_done(void *user, struct request *request)
{
    struct flusher *flusher = user;
    (void)request; /* The next flusher_run looks at it. */
    flusher_plan(flusher, 0);
}

static void flusher_run(struct task *task)
{
    struct flusher *flusher = HF_CONTAINER_OF(task, struct flusher, task);
    struct workload *workload = flusher->workload;
    struct cluster *c = workload->c;
    if (flusher->request != NULL) {
        flusher_end(flusher);
        flusher_rest(flusher);
        return;
    }
    unsigned node =
        (unsigned)hf_rng_below(&flusher->rng, c->options.node_count);
    const struct hf_slice argv[] = {hf_slice_text("FLUSHALL")};
    workload_flush_begins(workload, node);
    struct request *request = cluster_ask_argv(c, node, 1, argv);
    flusher->request = request;
    if (request->outcome == REQUEST_WAITING) {
        request->user = flusher;
        request->done = on_done;
        flusher_plan(flusher, workload->options.patience_ms);
    } else {
        flusher_plan(flusher, 0);
    }
}

static bool is_idle(struct cluster *c, void *user)
{
    (void)c;
    const struct flusher *flusher = user;
    return flusher->request == NULL;
}

void flusher_stop(struct flusher *flusher)
{
    struct cluster *c = flusher->workload->c;
    flusher->stopping = true;
    if (flusher->request == NULL) {
        schedule_cancel(&c->schedule, &flusher->task);
    } else if (!cluster_wait(c, 2 * flusher->workload->options.patience_ms,
                             is_idle, flusher)) {
        cluster_fail(c, "FLUSHALL never ends");
    }
}

void flusher_close(struct flusher *flusher)
{
    schedule_cancel(&flusher->workload->c->schedule, &flusher->task);
    if (flusher->request != NULL) {
        flusher->request->done = NULL;
        cluster_forget(flusher->request);
        flusher->request = NULL;
    }
}
