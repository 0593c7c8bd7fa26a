/* schedule.h - Virtual time: what happens when, in a simulated world.
 *
 * Nothing waits for a real clock: the time jumps from one task to the next.
 * Times are microseconds since the start of the world, so that two things
 * within one millisecond of a node's clock still have an order. Tasks of the
 * same time run in the order in which they were planned. */
#ifndef HF_TESTS_SCHEDULE_H
#define HF_TESTS_SCHEDULE_H

#include "base/mem.h"

#define SCHEDULE_US_PER_MS INT64_C(1000)

/* Embedded in what it is for; zero it, then set run. */
struct task {
    size_t place; /* Among those that are planned, plus one; 0: it is not. */
    void (*run)(struct task *task);
};

struct schedule {
    struct hf_mem *mem;
    struct schedule_slot *slots; /* A heap of those that are planned. */
    size_t count;
    size_t capacity;
    uint64_t order_next;
    int64_t now_us;
    uint64_t steps; /* Tasks run so far. */
};

/* @mem must outlive the schedule. */
void schedule_init(struct schedule *schedule, struct hf_mem *mem);
/* Forgets all tasks. */
void schedule_close(struct schedule *schedule);

/* Plans @task for @at_us, or for now when that is past. A task that is already
 * planned moves. */
void schedule_at(struct schedule *schedule, struct task *task, int64_t at_us);
/* The same, but a task that is planned earlier stays where it is. */
void schedule_by(struct schedule *schedule, struct task *task, int64_t at_us);
void schedule_cancel(struct schedule *schedule, struct task *task);
bool schedule_has(const struct task *task);

/* Runs the next task if its time is at most @until_us. Otherwise the time
 * becomes @until_us and the answer is false. */
bool schedule_step(struct schedule *schedule, int64_t until_us);

#endif
