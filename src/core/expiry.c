#include "core/expiry.h"

#include "base/assert.h"
#include "core/session.h"
#include "holdfast/error.h"

#define RETRY_MS 1000 /* When whoever was due could not be deleted yet. */
#define VISIT_BYTES 4096
#define TABLES_SIZE (HF_PARTITION_COUNT * sizeof(struct hf_expiry_table))

struct hf_expiry_table {
    struct hf_sessions *sessions; /* NULL: there was never a deadline. */
    hf_time due;                  /* Nobody in it is due before. */
};

int hf_expiry_init(struct hf_expiry *expiry, struct hf_mem *mem)
{
    *expiry = (struct hf_expiry){.mem = mem};
    expiry->tables = hf_mem_alloc_zero(mem, TABLES_SIZE);
    if (expiry->tables == NULL) {
        return HF_ENOMEM;
    }
    for (size_t p = 0; p < HF_PARTITION_COUNT; p++) {
        expiry->tables[p].due = HF_NEVER;
    }
    return 0;
}

void hf_expiry_close(struct hf_expiry *expiry)
{
    hf_mem_free(expiry->mem, expiry->tables, TABLES_SIZE);
    expiry->tables = NULL;
}

void hf_expiry_expect(struct hf_expiry *expiry, struct hf_sessions *sessions,
                      hf_time deadline)
{
    struct hf_expiry_table *table = &expiry->tables[sessions->partition];
    if (deadline < table->due) {
        HF_ASSERT(table->sessions == NULL || table->sessions == sessions);
        table->sessions = sessions;
        table->due = deadline;
    }
}

/* As many as it takes to free it: to free 4 KiB of members takes about as long
 * as to free a session. */
static uint32_t visits_of(const struct hf_session *session)
{
    bool many = hf_structure_has(hf_session_type(session));
    size_t more = many ? hf_session_held(session) / VISIT_BYTES : 0;
    return more < UINT32_MAX ? 1 + (uint32_t)more : UINT32_MAX;
}

struct run {
    hf_time now;
    uint32_t visits_left;
    hf_expiry_due *due;
    void *user;
};

/* When somebody in slots @from to @to is due, or is to be asked again. */
static hf_time due_within(const struct hf_table *table, uint32_t from,
                          uint32_t to, hf_time now)
{
    hf_time first = HF_NEVER;
    for (uint32_t slot = from; slot < to; slot++) {
        if (table->entries[slot] == NULL) {
            continue;
        }
        hf_time deadline = hf_session_deadline(table->entries[slot]);
        deadline = deadline <= now ? now + RETRY_MS : deadline;
        first = deadline < first ? deadline : first;
    }
    return first;
}

/* Asks everybody in the group. False when the table moved meanwhile, or when
 * there was enough to do: the run of entries that move up here may be long. */
static bool run_group(struct run *run, struct hf_sessions *sessions,
                      uint32_t group)
{
    struct hf_table *table = &sessions->table;
    uint32_t from = group * HF_TABLE_GROUP;
    uint32_t to = from + HF_TABLE_GROUP;
    to = to < table->capacity ? to : table->capacity;
    uint32_t moves = table->moves;
    run->visits_left--;
    for (uint32_t slot = from; slot < to;) {
        struct hf_session *session = table->entries[slot];
        if (session == NULL || hf_session_deadline(session) > run->now) {
            slot++;
            continue;
        }
        uint32_t visits = visits_of(session);
        run->visits_left -=
            visits < run->visits_left ? visits : run->visits_left;
        run->due(run->user, sessions, session);
        if (table->moves != moves) {
            return false;
        }
        if (table->entries[slot] == session) {
            slot++;
        } else if (run->visits_left == 0) {
            return false;
        }
    }
    table->due[group] = due_within(table, from, to, run->now);
    return true;
}

/* False when there is more to do than visits are left. */
static bool run_table(struct run *run, struct hf_sessions *sessions)
{
    const struct hf_table *table = &sessions->table;
    for (uint32_t group = 0; group < hf_table_group_count(table);) {
        if (table->due[group] > run->now) {
            group++;
        } else if (run->visits_left == 0) {
            return false;
        } else {
            group = run_group(run, sessions, group) ? group + 1 : 0;
        }
    }
    return true;
}

/* False when there is more to do: at the cursor. */
static bool run_tables(struct run *run, struct hf_expiry *expiry, size_t from,
                       size_t to)
{
    struct hf_expiry_table *tables = expiry->tables;
    hf_time now = run->now;
    for (size_t at = from; at < to; at++) {
        struct hf_expiry_table *table = &tables[at];
        if (table->due > now) {
            continue;
        }
        if (!run_table(run, table->sessions)) {
            expiry->cursor = (uint16_t)at;
            return false;
        }
        table->due = hf_table_first_due(&table->sessions->table);
    }
    return true;
}

bool hf_expiry_run(struct hf_expiry *expiry, hf_time now, uint32_t visits_max,
                   hf_expiry_due *due, void *user)
{
    struct run run = {
        .now = now, .visits_left = visits_max, .due = due, .user = user};
    size_t first = expiry->cursor;
    return !run_tables(&run, expiry, first, HF_PARTITION_COUNT) ||
           !run_tables(&run, expiry, 0, first);
}
