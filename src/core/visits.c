#include "core/visits.h"

static struct hf_visit *find(struct hf_visits *visits, uint64_t lineage)
{
    for (uint16_t i = 0; i < visits->count; i++) {
        if (visits->of[i].lineage == lineage) {
            return &visits->of[i];
        }
    }
    return NULL;
}

/* Gives away the place of the one that was left earliest. */
static struct hf_visit *forget_one(struct hf_visits *visits)
{
    struct hf_visit *first = &visits->of[0];
    for (uint16_t i = 1; i < visits->count; i++) {
        if (visits->of[i].from < first->from) {
            first = &visits->of[i];
        }
    }
    if (first->from > visits->forgotten) {
        visits->forgotten = first->from;
    }
    return first;
}

static void note(struct hf_visits *visits, uint64_t lineage, hf_epoch from)
{
    struct hf_visit *visit = find(visits, lineage);
    if (visit != NULL) {
        visit->from = from > visit->from ? from : visit->from;
        return;
    }
    visit = visits->count < HF_VISITS_MAX ? &visits->of[visits->count++]
                                          : forget_one(visits);
    *visit = (struct hf_visit){.lineage = lineage, .from = from};
}

void hf_visits_enter(struct hf_visits *visits, const struct hf_view *view)
{
    note(visits, hf_lineage_of(view), view->base);
}

void hf_visits_vote(struct hf_visits *visits, const struct hf_view *view)
{
    note(visits, hf_lineage_of(view), view->base + 1);
}

bool hf_visits_passed(const struct hf_visits *visits,
                      const struct hf_view *view)
{
    uint64_t lineage = hf_lineage_of(view);
    for (uint16_t i = 0; i < visits->count; i++) {
        if (visits->of[i].lineage == lineage) {
            return view->base < visits->of[i].from;
        }
    }
    return view->base < visits->forgotten;
}
