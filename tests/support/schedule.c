#include "support/schedule.h"

#include "base/assert.h"

void schedule_init(struct schedule *schedule, struct hf_mem *mem)
{
    *schedule = (struct schedule){0};
    hf_heap_init(&schedule->heap, mem);
}

void schedule_close(struct schedule *schedule)
{
    hf_heap_close(&schedule->heap);
}

void schedule_at(struct schedule *schedule, struct task *task, int64_t at_us)
{
    HF_ASSERT(task->run != NULL);
    hf_heap_remove(&schedule->heap, &task->item);
    int64_t key = at_us < schedule->now_us ? schedule->now_us : at_us;
    int error = hf_heap_push(&schedule->heap, &task->item, key);
    HF_ASSERT(error == 0);
}

void schedule_by(struct schedule *schedule, struct task *task, int64_t at_us)
{
    if (!schedule_has(task) || task->item.key > at_us) {
        schedule_at(schedule, task, at_us);
    }
}

void schedule_cancel(struct schedule *schedule, struct task *task)
{
    hf_heap_remove(&schedule->heap, &task->item);
}

bool schedule_has(const struct task *task)
{
    return hf_heap_item_is_in(&task->item);
}

bool schedule_step(struct schedule *schedule, int64_t until_us)
{
    struct hf_heap_item *item = hf_heap_peek(&schedule->heap);
    if (item == NULL || item->key > until_us) {
        if (until_us > schedule->now_us) {
            schedule->now_us = until_us;
        }
        return false;
    }
    hf_heap_remove(&schedule->heap, item);
    HF_ASSERT(item->key >= schedule->now_us);
    schedule->now_us = item->key;
    schedule->steps++;
    struct task *task = HF_CONTAINER_OF(item, struct task, item);
    task->run(task);
    return true;
}
