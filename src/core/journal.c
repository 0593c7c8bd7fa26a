#include "core/journal.h"

#include <string.h>

#include "base/assert.h"

void hf_journal_init(struct hf_journal *journal, struct hf_mem *mem)
{
    journal->mem = mem;
    journal->steps = journal->own;
    journal->count = 0;
    journal->capacity = HF_JOURNAL_OWN;
}

void hf_journal_close(struct hf_journal *journal)
{
    if (journal->steps != journal->own) {
        hf_mem_free(journal->mem, journal->steps,
                    journal->capacity * sizeof(*journal->steps));
    }
    hf_journal_init(journal, journal->mem);
}

bool hf_journal_reserve(struct hf_journal *journal, size_t count)
{
    if (journal->capacity - journal->count >= count) {
        return true;
    }
    size_t capacity = 2 * journal->capacity;
    while (capacity - journal->count < count) {
        capacity *= 2;
    }
    struct hf_step *steps =
        hf_mem_alloc(journal->mem, capacity * sizeof(*steps));
    if (steps == NULL) {
        return false;
    }
    memcpy(steps, journal->steps, journal->count * sizeof(*steps));
    size_t used = journal->count;
    hf_journal_close(journal);
    journal->steps = steps;
    journal->count = used;
    journal->capacity = capacity;
    return true;
}

void hf_journal_note(struct hf_journal *journal, const struct hf_step *step)
{
    HF_ASSERT(journal->count < journal->capacity);
    journal->steps[journal->count++] = *step;
}
