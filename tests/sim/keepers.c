#include "sim/keepers.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "core/node_state.h"

#define DOUBT_US INT64_C(60000000) /* Longer than any pause. */
#define PATIENCE_US INT64_C(3000000)
#define RETRY_US INT64_C(20000)
#define TTL_MS_MIN 400
#define TOUCHES_MAX 8
#define GRACE_PART 20 /* Of a time to live, as in core/touches.c. */
#define TICK_US SCHEDULE_US_PER_MS /* Clocks tick in those. */
#define PPM INT64_C(1000000)
#define SIDES_STAYS 16 /* Commands on one side of a cut. */
#define TEXT_BYTES 24
#define WORDS_MAX 5

static void keeper_run(struct task *task);

/* Whether the primary in @view serves the session now. */
static bool is_served(const struct keeper *keeper, const struct hf_view *view)
{
    const struct cluster *c = keeper->keepers->c;
    uint16_t p = hf_partition_of_key(hf_slice_text(keeper->key));
    unsigned at = cluster_node_of(c, view, view->acting[p].members[0]);
    if (at == CLUSTER_NODES_MAX) {
        return false;
    }
    const struct process *primary = &c->processes[at];
    const struct hf_view *own = hf_node_get_view(primary->node);
    return own != NULL && own->epoch == view->epoch &&
           hf_node_serves(primary->node, p, process_now(primary));
}

/* The newest view, if its primary serves the session now; else 0. */
static hf_epoch serving_view(const struct keeper *keeper)
{
    const struct hf_view *view = cluster_view(keeper->keepers->c);
    return view != NULL && is_served(keeper, view) ? view->epoch : 0;
}

/* Whether it will do to change something. With sides, not while they part: what
 * may have been done ends the order of changes. */
static bool may_change(const struct keeper *keeper)
{
    const struct process *process =
        &keeper->keepers->c->processes[keeper->node];
    if (keeper->keepers->sides == NULL) {
        return true;
    }
    const struct hf_view *view =
        process->running ? hf_node_get_view(process->node) : NULL;
    return view != NULL && !process->paused && is_served(keeper, view);
}

static hf_epoch newest_epoch(const struct cluster *c)
{
    const struct hf_view *view = cluster_view(c);
    return view == NULL ? 0 : view->epoch;
}

/* What answers say. */

void keeper_fail(const struct keeper *keeper, const struct request *request,
                 const char *what)
{
    cluster_fail(keeper->keepers->c,
                 "%s %s: asked of n%u at %" PRId64 " us, answered at %" PRId64
                 " us: %s; promised until %" PRId64 " us, over at %" PRId64
                 " us, written last: %" PRId64,
                 keeper->key, what, request->node + 1, request->started_us,
                 request->ended_us, cluster_answer(request),
                 keeper->promised_us, keeper->latest_us, keeper->value);
}

static bool is_doubtful(const struct keeper *keeper)
{
    return keeper->doubt_us > keeper->keepers->c->schedule.now_us;
}

static void doubt(struct keeper *keeper, const struct keeper_question *question)
{
    if (!is_doubtful(keeper)) {
        keeper->unsure_count = 0;
    }
    keeper->doubt_us = keeper->keepers->c->schedule.now_us + DOUBT_US;
    keeper->exact = 0;
    if (question->kind == KEEPER_SET &&
        keeper->unsure_count < KEEPER_UNSURE_MAX) {
        keeper->unsure[keeper->unsure_count++] = question->value;
    }
}

void keeper_promise(struct keeper *keeper,
                    const struct keeper_question *question)
{
    const struct request *request = question->request;
    int64_t ttl_us = keeper->ttl_ms * SCHEDULE_US_PER_MS;
    /* Both clocks may be off, and one of them by that much of the other. */
    int64_t drift_us =
        ttl_us * 2 * (keeper->keepers->c->options.drift_ppm + 100) / PPM;
    keeper->promised_us = request->started_us + ttl_us - drift_us - TICK_US;
    keeper->latest_us = request->ended_us + ttl_us + drift_us + 2 * TICK_US;
    bool known = question->begin != 0 && question->begin == question->end &&
                 !is_doubtful(keeper);
    if (question->kind == KEEPER_SET) {
        keeper->exact = known ? question->begin : 0;
    } else if (!known || keeper->exact != question->begin) {
        keeper->exact = 0;
    }
}

static void seen_over(struct keeper *keeper, const struct request *request)
{
    if (request->ended_us < keeper->promised_us && !keeper->over) {
        keeper_fail(keeper, request, "ended early");
    }
    keeper->over = true;
}

static void seen_alive(struct keeper *keeper,
                       const struct keeper_question *question)
{
    const struct request *request = question->request;
    if (keeper->over && !is_doubtful(keeper)) {
        keeper_fail(keeper, request, "was over and is back");
    }
    keeper->over = false;
    if (keeper->exact != 0 && keeper->exact == question->begin &&
        keeper->exact == question->end &&
        request->started_us > keeper->latest_us) {
        keeper_fail(keeper, request, "does not end");
    }
}

static void seen_value(struct keeper *keeper, const struct request *request)
{
    int64_t value = strtoll((const char *)request->text.data, NULL, 10);
    unsigned unsure = is_doubtful(keeper) ? keeper->unsure_count : 0;
    bool right = value == keeper->value || unsure == KEEPER_UNSURE_MAX;
    for (unsigned i = 0; i < unsure; i++) {
        right = right || value == keeper->unsure[i];
    }
    if (!right) {
        keeper_fail(keeper, request, "is not what was written last");
    }
}

static void judge_error(const struct keeper *keeper,
                        const struct request *request)
{
    struct cluster *c = keeper->keepers->c;
    const char *text = cluster_answer(request);
    bool memory =
        c->options.memory_fails && strncmp(text, "(error) OOM ", 12) == 0;
    if (!memory && strncmp(text, "(error) CLUSTERDOWN ", 20) != 0) {
        cluster_fail(c, "a keeper was told: %s", text);
    }
}

enum keeper_fate keeper_fate(const struct keeper *keeper,
                             const struct request *request)
{
    if (request->outcome == REQUEST_REFUSED) {
        return KEEPER_NEVER;
    }
    if (request->outcome != REQUEST_ANSWERED) {
        return KEEPER_UNKNOWN;
    }
    if (request->kind == HF_REPLY_ERROR) {
        judge_error(keeper, request);
        return KEEPER_UNKNOWN;
    }
    return KEEPER_DONE;
}

bool keeper_says_over(const struct request *request)
{
    bool number = request->kind == HF_REPLY_INTEGER; /* PEXPIRE. */
    return number ? request->integer == 0 : request->kind == HF_REPLY_NIL;
}

static void judge(struct keeper *keeper, const struct keeper_question *question)
{
    const struct request *request = question->request;
    enum keeper_fate fate = keeper_fate(keeper, request);
    if (fate == KEEPER_UNKNOWN && question->kind != KEEPER_READ) {
        doubt(keeper, question);
    }
    if (fate != KEEPER_DONE) {
        return;
    }
    if (question->kind == KEEPER_SET) {
        keeper->value = question->value;
        keeper->over = false;
        keeper_promise(keeper, question);
        return;
    }
    keeper->keepers->judged++;
    if (keeper_says_over(request)) {
        seen_over(keeper, request);
        return;
    }
    seen_alive(keeper, question);
    if (request->kind != HF_REPLY_INTEGER) {
        seen_value(keeper, request);
    }
    if (question->kind == KEEPER_TOUCH) {
        keeper_promise(keeper, question);
    }
}

/* What is asked. */

static void keeper_place(const struct keeper *keeper,
                         struct keeper_question *question, bool ends)
{
    const struct sides *sides = keeper->keepers->sides;
    struct sides_operation *at = &question->at;
    if (sides != NULL) {
        sides_place(sides, keeper->keepers->c, keeper->node, ends,
                    ends ? &at->end : &at->begin);
    }
}

static void on_done(void *user, struct request *request)
{
    struct keeper *keeper = user;
    struct cluster *c = keeper->keepers->c;
    bool all = true;
    for (unsigned i = 0; i < HF_ARRAY_COUNT(keeper->questions); i++) {
        struct keeper_question *question = &keeper->questions[i];
        if (question->request == request) {
            question->end = newest_epoch(c);
            keeper_place(keeper, question, true);
        }
        all = all && (question->request == NULL ||
                      question->request->outcome != REQUEST_WAITING);
    }
    if (all) { /* Judged by the next keeper_run: others look at it still. */
        schedule_at(&c->schedule, &keeper->task, c->schedule.now_us);
    }
}

void keeper_ask(struct keeper *keeper, struct keeper_question *question,
                enum keeper_kind kind)
{
    struct keepers *keepers = keeper->keepers;
    *question =
        (struct keeper_question){.kind = kind, .begin = serving_view(keeper)};
    keeper_place(keeper, question, false);
    char ttl[TEXT_BYTES];
    char value[TEXT_BYTES] = "";
    (void)snprintf(ttl, sizeof(ttl), "%" PRId64, keeper->ttl_ms);
    struct hf_slice argv[WORDS_MAX] = {{NULL, 0}, hf_slice_text(keeper->key)};
    size_t argc = 2;
    if (kind == KEEPER_SET) {
        question->value = ++keepers->value_last;
        (void)snprintf(value, sizeof(value), "%" PRId64, question->value);
        argv[0] = hf_slice_text("SET");
        argv[argc++] = hf_slice_text(value);
        argv[argc++] = hf_slice_text("PX");
        argv[argc++] = hf_slice_text(ttl);
    } else if (kind == KEEPER_READ) {
        argv[0] = hf_slice_text("GET");
    } else if (hf_rng_chance(&keepers->rng, 1, 4)) {
        argv[0] = hf_slice_text("GETEX");
        argv[argc++] = hf_slice_text("PX");
        argv[argc++] = hf_slice_text(ttl);
    } else {
        argv[0] = hf_slice_text("PEXPIRE");
        argv[argc++] = hf_slice_text(ttl);
    }
    question->request = cluster_ask_argv(keepers->c, keeper->node, argc, argv);
    question->request->user = keeper;
    question->request->done = on_done;
}

void keeper_plan(struct keeper *keeper, int64_t at_us)
{
    struct schedule *schedule = &keeper->keepers->c->schedule;
    schedule_at(schedule, &keeper->task,
                at_us > schedule->now_us ? at_us : schedule->now_us + 1);
}

static void keeper_choose_node(struct keeper *keeper)
{
    struct keepers *keepers = keeper->keepers;
    const struct cluster *c = keepers->c;
    uint64_t stays = keepers->sides == NULL ? 4 : SIDES_STAYS;
    if (!c->processes[keeper->node].running ||
        hf_rng_chance(&keepers->rng, 1, stays)) {
        keeper->node =
            (unsigned)hf_rng_below(&keepers->rng, c->options.node_count);
    }
}

static void keeper_choose(struct keeper *keeper)
{
    struct keepers *keepers = keeper->keepers;
    struct schedule *schedule = &keepers->c->schedule;
    struct hf_rng *rng = &keepers->rng;
    keeper_choose_node(keeper);
    bool changes = may_change(keeper);
    bool set =
        keeper->over || hf_rng_chance(rng, 1, 20) || keeper_may_order(keeper);
    bool touch = changes && !set && keeper->touches > 0;
    set = changes && set;
    keeper_ask(keeper, &keeper->questions[0],
               set     ? KEEPER_SET
               : touch ? KEEPER_TOUCH
                       : KEEPER_READ);
    if (set && hf_rng_chance(rng, 1, 2)) {
        keeper_ask(keeper, &keeper->questions[1], KEEPER_READ);
    }
    if (touch) {
        keeper->touches--;
    } else if (set || hf_rng_chance(rng, 1, 3)) {
        keeper->touches = (unsigned)hf_rng_below(rng, TOUCHES_MAX + 1);
    }
    if (keeper->questions[0].request->outcome == REQUEST_WAITING) {
        keeper_plan(keeper, schedule->now_us + PATIENCE_US);
    } else {
        keeper_plan(keeper, schedule->now_us + RETRY_US);
    }
}

/* When to come back: touches are close together; then the end is awaited, and
 * asked for before and after. */
static int64_t keeper_next_us(struct keeper *keeper)
{
    int64_t now_us = keeper->keepers->c->schedule.now_us;
    int64_t grace_us = keeper->ttl_ms * SCHEDULE_US_PER_MS / GRACE_PART;
    int64_t apart_us = grace_us;
    if (keeper->keepers->sides != NULL && keeper->touches > 0) {
        apart_us *= GRACE_PART / 2; /* Few are lost while sides part. */
    }
    int64_t wait_us =
        (int64_t)hf_rng_below(&keeper->keepers->rng, (uint64_t)apart_us);
    if (keeper->over || keeper->touches > 0 || now_us >= keeper->latest_us) {
        return now_us + RETRY_US + wait_us;
    }
    return now_us < keeper->promised_us - grace_us
               ? keeper->promised_us - wait_us
               : keeper->latest_us + wait_us;
}

static void keeper_take_answers(struct keeper *keeper)
{
    for (unsigned i = 0; i < HF_ARRAY_COUNT(keeper->questions); i++) {
        struct keeper_question *question = &keeper->questions[i];
        struct request *request = question->request;
        if (request == NULL) {
            continue;
        }
        if (keeper->keepers->c->failed) {
            /* One is enough. */
        } else if (keeper->keepers->sides != NULL) {
            keeper_judge_sides(keeper, question);
        } else {
            judge(keeper, question);
        }
        question->request = NULL;
        request->done = NULL;
        cluster_forget(request);
    }
}

static void keeper_run(struct task *task)
{
    struct keeper *keeper = HF_CONTAINER_OF(task, struct keeper, task);
    if (keeper->questions[0].request != NULL) {
        keeper_take_answers(keeper);
        if (!keeper->keepers->stopping) {
            keeper_plan(keeper, keeper_next_us(keeper));
        }
        return;
    }
    if (keeper->reads_last) {
        keeper->reads_last = false;
        keeper_ask(keeper, &keeper->questions[0], KEEPER_READ);
        keeper->questions[0].at.last = true;
    } else if (!keeper->keepers->stopping) {
        keeper_choose(keeper);
    }
}

void keepers_start(struct keepers *keepers, struct cluster *c,
                   const struct sides *sides, unsigned count,
                   int64_t ttl_ms_max, uint64_t seed)
{
    HF_ASSERT(count <= KEEPERS_MAX);
    *keepers = (struct keepers){.c = c, .sides = sides, .count = count};
    hf_rng_init(&keepers->rng, seed);
    for (unsigned i = 0; i < count; i++) {
        struct keeper *keeper = &keepers->list[i];
        keeper->keepers = keepers;
        keeper->over = true;
        keeper->node = i % c->options.node_count;
        keeper->ttl_ms = TTL_MS_MIN + (int64_t)hf_rng_below(
                                          &keepers->rng, (uint64_t)ttl_ms_max);
        (void)snprintf(keeper->key, sizeof(keeper->key), "kept:%u", i);
        keeper->task.run = keeper_run;
        keeper_plan(keeper, c->schedule.now_us + (int64_t)i);
    }
}

static bool is_idle(struct cluster *c, void *user)
{
    (void)c;
    const struct keepers *keepers = user;
    for (unsigned i = 0; i < keepers->count; i++) {
        if (keepers->list[i].questions[0].request != NULL) {
            return false;
        }
    }
    return true;
}

void keepers_stop(struct keepers *keepers)
{
    keepers->stopping = true;
    if (!cluster_wait(keepers->c, 2 * PATIENCE_US / SCHEDULE_US_PER_MS, is_idle,
                      keepers)) {
        cluster_fail(keepers->c, "a keeper never ends");
    }
}

void keepers_close(struct keepers *keepers)
{
    for (unsigned i = 0; i < keepers->count; i++) {
        struct keeper *keeper = &keepers->list[i];
        schedule_cancel(&keepers->c->schedule, &keeper->task);
        for (unsigned k = 0; k < HF_ARRAY_COUNT(keeper->questions); k++) {
            struct request *request = keeper->questions[k].request;
            if (request != NULL) {
                request->done = NULL;
                cluster_forget(request);
            }
        }
    }
    keepers->count = 0;
}
