/* A binary min-heap, as base/heap.h, but with the times beside each other and
 * compared at once with the order of planning: to find what comes next is a
 * good part of what a simulation does. */
#include "support/schedule.h"

#include "base/assert.h"

#define CAPACITY_MIN ((size_t)64)
#define ORDER_BITS 27 /* The other 37 are a time, of up to a day. */

struct schedule_slot {
    uint64_t key; /* When, and then by order of planning. */
    struct task *task;
};

static int64_t key_time(uint64_t key)
{
    return (int64_t)(key >> ORDER_BITS);
}

static uint64_t key_next(struct schedule *schedule, int64_t at_us)
{
    uint64_t order = schedule->order_next++;
    HF_ASSERT(order >> ORDER_BITS == 0);
    HF_ASSERT(at_us >= 0 && at_us >> (64 - ORDER_BITS) == 0);
    return (uint64_t)at_us << ORDER_BITS | order;
}

void schedule_init(struct schedule *schedule, struct hf_mem *mem)
{
    *schedule = (struct schedule){.mem = mem};
}

void schedule_close(struct schedule *schedule)
{
    for (size_t i = 0; i < schedule->count; i++) {
        schedule->slots[i].task->place = 0;
    }
    hf_mem_free(schedule->mem, schedule->slots,
                schedule->capacity * sizeof(*schedule->slots));
    *schedule = (struct schedule){.mem = schedule->mem};
}

static void put(struct schedule *schedule, size_t index,
                const struct schedule_slot *slot)
{
    schedule->slots[index] = *slot;
    slot->task->place = index + 1;
}

/* Puts @slot at @index or, with what is after it moved down, above. */
static void rise(struct schedule *schedule, size_t index,
                 struct schedule_slot slot)
{
    while (index > 0) {
        size_t parent = (index - 1) / 2;
        if (schedule->slots[parent].key < slot.key) {
            break;
        }
        put(schedule, index, &schedule->slots[parent]);
        index = parent;
    }
    put(schedule, index, &slot);
}

/* Puts @slot where it belongs, now that @index is free: mostly far down, so it
 * rises from there. */
static void fill(struct schedule *schedule, size_t index,
                 struct schedule_slot slot)
{
    const struct schedule_slot *slots = schedule->slots;
    size_t count = schedule->count;
    for (;;) {
        size_t child = 2 * index + 1;
        if (child >= count) {
            break;
        }
        if (child + 1 < count) {
            child += slots[child + 1].key < slots[child].key;
        }
        put(schedule, index, &slots[child]);
        index = child;
    }
    rise(schedule, index, slot);
}

static void grow(struct schedule *schedule)
{
    size_t size = schedule->capacity * sizeof(*schedule->slots);
    schedule->capacity = 2 * schedule->capacity + CAPACITY_MIN;
    schedule->slots =
        hf_mem_resize(schedule->mem, schedule->slots, size,
                      schedule->capacity * sizeof(*schedule->slots));
    HF_ASSERT(schedule->slots != NULL);
}

void schedule_at(struct schedule *schedule, struct task *task, int64_t at_us)
{
    HF_ASSERT(task->run != NULL);
    if (at_us < schedule->now_us) {
        at_us = schedule->now_us;
    }
    const struct schedule_slot slot = {key_next(schedule, at_us), task};
    if (task->place == 0) {
        if (schedule->count == schedule->capacity) {
            grow(schedule);
        }
        rise(schedule, schedule->count++, slot);
        return;
    }
    size_t index = task->place - 1;
    HF_ASSERT(schedule->slots[index].task == task);
    if (slot.key < schedule->slots[index].key) {
        rise(schedule, index, slot);
    } else {
        fill(schedule, index, slot);
    }
}

void schedule_by(struct schedule *schedule, struct task *task, int64_t at_us)
{
    if (task->place == 0 ||
        key_time(schedule->slots[task->place - 1].key) > at_us) {
        schedule_at(schedule, task, at_us);
    }
}

void schedule_cancel(struct schedule *schedule, struct task *task)
{
    if (task->place == 0) {
        return;
    }
    size_t index = task->place - 1;
    HF_ASSERT(index < schedule->count);
    HF_ASSERT(schedule->slots[index].task == task);
    task->place = 0;
    if (index != --schedule->count) {
        fill(schedule, index, schedule->slots[schedule->count]);
    }
}

bool schedule_has(const struct task *task)
{
    return task->place != 0;
}

bool schedule_step(struct schedule *schedule, int64_t until_us)
{
    if (schedule->count == 0 || key_time(schedule->slots[0].key) > until_us) {
        if (until_us > schedule->now_us) {
            schedule->now_us = until_us;
        }
        return false;
    }
    const struct schedule_slot first = schedule->slots[0];
    HF_ASSERT(key_time(first.key) >= schedule->now_us);
    schedule->now_us = key_time(first.key);
    schedule_cancel(schedule, first.task);
    schedule->steps++;
    first.task->run(first.task);
    return true;
}
