#include "sim/keepers.h"

#include <stdlib.h>

/* So long after a keeper gave a command up, or was told an error, it may still
 * be carried out: a node holds it for less, and tries again no longer. */
#define RESOLVED_US INT64_C(4000000)

/* A read takes less when all is well. */
#define ANSWERED_US INT64_C(20000)

static bool is_ordered(const struct keeper *keeper,
                       const struct keeper_question *question)
{
    return keeper->ordered && sides_covers(&question->at, &keeper->last);
}

/* Something was or may be changed at @us: whatever is not behind that. */
static void unorder(struct keeper *keeper, int64_t us)
{
    if (keeper->unordered_us < us) {
        keeper->unordered_us = us;
    }
}

bool keeper_may_order(const struct keeper *keeper)
{
    const struct sides *sides = keeper->keepers->sides;
    return sides != NULL && !keeper->ordered &&
           sides->settled_us > keeper->unordered_us;
}

static void judge_over(struct keeper *keeper,
                       const struct keeper_question *question)
{
    const struct request *request = question->request;
    keeper->over = true;
    if (!is_ordered(keeper, question)) {
        return;
    }
    keeper->keepers->judged++;
    if (request->ended_us < keeper->promised_us && !keeper->gone) {
        keeper_fail(keeper, request, "ended early");
    }
    if (!keeper->gone && sides_is_placed(&question->at)) {
        keeper->gone = true;
        keeper->last = question->at;
    }
}

static void judge_alive(struct keeper *keeper,
                        const struct keeper_question *question)
{
    const struct request *request = question->request;
    keeper->over = false;
    if (!is_ordered(keeper, question)) {
        return;
    }
    keeper->keepers->judged++;
    if (keeper->gone) {
        keeper_fail(keeper, request, "was over and is back");
    } else if (request->kind != HF_REPLY_INTEGER &&
               strtoll((const char *)request->text.data, NULL, 10) !=
                   keeper->value) {
        keeper_fail(keeper, request, "is not what was written last");
    }
}

/* A SET or a touch was acknowledged. */
static void changed(struct keeper *keeper,
                    const struct keeper_question *question, bool ordered)
{
    keeper->ordered = ordered && sides_is_placed(&question->at);
    keeper->last = question->at;
    unorder(keeper, question->request->ended_us);
    keeper_promise(keeper, question);
}

void keepers_read_last(struct keepers *keepers)
{
    const struct cluster *c = keepers->c;
    for (unsigned i = 0; keepers->sides != NULL && i < keepers->count; i++) {
        struct keeper *keeper = &keepers->list[i];
        while (!c->processes[keeper->node].running) {
            keeper->node = (keeper->node + 1) % c->options.node_count;
        }
        if (keeper->ordered && !keeper->gone &&
            keeper->promised_us > cluster_now_us(c)) {
            keeper->reads_last = true;
            keeper_plan(keeper, keeper->promised_us - ANSWERED_US);
        }
    }
}

void keeper_judge_sides(struct keeper *keeper,
                        const struct keeper_question *asked)
{
    const struct request *request = asked->request;
    struct keeper_question question = *asked;
    question.at.operation.started = request->started_us;
    question.at.operation.ended = request->ended_us;
    enum keeper_fate fate = keeper_fate(keeper, request);
    if (fate == KEEPER_UNKNOWN && question.kind != KEEPER_READ) {
        keeper->ordered = false;
        unorder(keeper, cluster_now_us(keeper->keepers->c) + RESOLVED_US);
    }
    if (fate != KEEPER_DONE) {
        return;
    }
    if (question.kind == KEEPER_SET) {
        bool anew = keeper->unordered_us == 0 ||
                    question.at.begin.settled_us > keeper->unordered_us;
        keeper->value = question.value;
        keeper->over = false;
        keeper->gone = false;
        changed(keeper, &question, anew || is_ordered(keeper, &question));
    } else if (keeper_says_over(request)) {
        judge_over(keeper, &question);
    } else {
        bool ordered = is_ordered(keeper, &question);
        judge_alive(keeper, &question);
        if (question.kind == KEEPER_TOUCH) {
            changed(keeper, &question, ordered);
        }
    }
}
