#include "core/visits.h"

static const struct hf_visit *find(const struct hf_visits *visits,
                                   const struct hf_view *view)
{
    uint64_t lineage = hf_lineage_of(view);
    for (uint16_t i = 0; i < visits->count; i++) {
        if (visits->of[i].lineage == lineage) {
            return &visits->of[i];
        }
    }
    return NULL;
}

static hf_epoch later(hf_epoch a, hf_epoch b)
{
    return a > b ? a : b;
}

static hf_epoch last_of(const struct hf_visit *visit)
{
    return later(visit->from, visit->given_up);
}

/* Gives away the place of the one that was left earliest. */
static struct hf_visit *forget_one(struct hf_visits *visits)
{
    struct hf_visit *first = &visits->of[0];
    for (uint16_t i = 1; i < visits->count; i++) {
        if (last_of(&visits->of[i]) < last_of(first)) {
            first = &visits->of[i];
        }
    }
    visits->forgotten = later(visits->forgotten, last_of(first));
    return first;
}

/* What is remembered of the lineage of @view from now on. */
static struct hf_visit *visit_of(struct hf_visits *visits,
                                 const struct hf_view *view)
{
    const struct hf_visit *known = find(visits, view);
    if (known != NULL) {
        return &visits->of[known - visits->of];
    }
    struct hf_visit *visit = visits->count < HF_VISITS_MAX
                                 ? &visits->of[visits->count++]
                                 : forget_one(visits);
    *visit = (struct hf_visit){.lineage = hf_lineage_of(view)};
    return visit;
}

void hf_visits_enter(struct hf_visits *visits, const struct hf_view *view)
{
    struct hf_visit *visit = visit_of(visits, view);
    visit->from = later(visit->from, view->base);
}

void hf_visits_vote(struct hf_visits *visits, const struct hf_view *view)
{
    struct hf_visit *visit = visit_of(visits, view);
    visit->from = later(visit->from, view->base + 1);
}

void hf_visits_give_up(struct hf_visits *visits, const struct hf_view *view,
                       const struct hf_peer_info *self)
{
    uint8_t member = hf_view_find(view, self->id, self->incarnation);
    if (member != HF_MEMBER_NONE &&
        (hf_view_voters(view) & hf_member_set_of(member)) != 0) {
        struct hf_visit *visit = visit_of(visits, view);
        visit->given_up = later(visit->given_up, view->base + 1);
    }
}

bool hf_visits_given_up(const struct hf_visits *visits,
                        const struct hf_view *view)
{
    const struct hf_visit *visit = find(visits, view);
    return view->base < (visit != NULL ? visit->given_up : visits->forgotten);
}

hf_epoch hf_visits_past(const struct hf_visits *visits,
                        const struct hf_view *view)
{
    const struct hf_visit *visit = find(visits, view);
    return visit != NULL ? visit->from : visits->forgotten;
}

bool hf_visits_passed(const struct hf_visits *visits,
                      const struct hf_view *view)
{
    return view->base < hf_visits_past(visits, view);
}
