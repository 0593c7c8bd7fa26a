#include "core/sessions_totals.h"

static void totals_add(struct hf_sessions_totals *totals,
                       const struct hf_sessions *sessions)
{
    totals->bytes += sessions->bytes;
    totals->fences += sessions->fences.count;
    totals->fence_bytes += sessions->fence_bytes;
    for (size_t i = 0; i < HF_ARRAY_COUNT(totals->counts); i++) {
        totals->counts[i] += sessions->counts[i];
    }
}

static void totals_subtract(struct hf_sessions_totals *totals,
                            const struct hf_sessions *sessions)
{
    totals->bytes -= sessions->bytes;
    totals->fences -= sessions->fences.count;
    totals->fence_bytes -= sessions->fence_bytes;
    for (size_t i = 0; i < HF_ARRAY_COUNT(totals->counts); i++) {
        totals->counts[i] -= sessions->counts[i];
    }
}

void hf_sessions_count_in(struct hf_sessions *sessions,
                          struct hf_sessions_totals *totals)
{
    if (sessions->totals == totals) {
        return;
    }
    if (sessions->totals != NULL) {
        totals_subtract(sessions->totals, sessions);
    }
    if (totals != NULL) {
        totals_add(totals, sessions);
    }
    sessions->totals = totals;
}
