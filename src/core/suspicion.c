/* suspicion.c - Who is late is heard, and hears us, but what it gives back of
 * ours is older than a lease. So it is of no more use than a silent one: no
 * partition of which both have a copy is served (core/suspicion.h).
 *
 * Where some hear a member and others do not, heartbeats say who suspects whom.
 * If those who do not suspect it are no safe set, nothing comes of waiting for
 * it, and the others suspect it, too. */
#include "core/suspicion.h"

#include "core/node_state.h"

static bool is_unreached(const struct hf_node *node, uint8_t i)
{
    const struct hf_member *member = &node->members[i];
    return i != node->self &&
           (member->astray || node->now - member->heard > HF_SUSPECT_MS);
}

hf_member_set hf_node_unreached(const struct hf_node *node)
{
    hf_member_set set = node->dead;
    for (uint8_t i = 0; i < node->view->member_count; i++) {
        set |= is_unreached(node, i) ? hf_member_set_of(i) : 0;
    }
    return set & hf_view_voters(node->view);
}

void hf_node_note_answer(struct hf_node *node, struct hf_member *member,
                         hf_time sent_at)
{
    if (node->now - sent_at <= HF_LEASE_MS) {
        member->late_since = 0;
        return;
    }
    if (sent_at < node->awake_since && !HF_MUTATED(OLD_ANSWERS)) {
        return; /* It is late by the time that we stood still. */
    }
    if (member->late_since == 0 ||
        node->now - member->late_at > HF_LATE_LASTS_MS) {
        member->late_since = node->now;
    }
    member->late_at = node->now;
}

/* When we stood still, or had no link to it, it has nothing later of ours: what
 * we send then comes back within a lease, or is late. Who suspects the other
 * gives nothing back any more, so that has to end by itself. */
static bool is_late(const struct hf_node *node, const struct hf_member *member)
{
    return member->late_since != 0 &&
           node->now - member->late_since > HF_LEASE_MS &&
           node->now - member->late_at <= HF_LATE_LASTS_MS;
}

/* It goes on saying so: what it said while we stood still comes all at once
 * when we read again, and may be over. */
static bool is_deaf(const struct hf_node *node, const struct hf_member *member)
{
    hf_time since = member->unheard_since;
    return since != 0 && node->now - since > HF_UNHEARD_MS &&
           (member->unheard_at - since > HF_UNHEARD_MS / 2 ||
            HF_MUTATED(OLD_COMPLAINTS));
}

/* Those we do not reach, or who say that they do not hear us. */
static hf_member_set cut_off(const struct hf_node *node)
{
    hf_member_set set = hf_node_unreached(node);
    hf_member_set voters = hf_view_voters(node->view);
    for (uint8_t i = 0; i < node->view->member_count; i++) {
        if (is_deaf(node, &node->members[i])) {
            set |= hf_member_set_of(i) & voters;
        }
    }
    return set;
}

static hf_member_set late(const struct hf_node *node)
{
    hf_member_set set = 0;
    for (uint8_t i = 0; i < node->view->member_count; i++) {
        if (is_late(node, &node->members[i])) {
            set |= hf_member_set_of(i);
        }
    }
    return set & hf_view_voters(node->view);
}

/* In one walk: this is asked several times in each tick. */
hf_member_set hf_node_suspects_itself(const struct hf_node *node)
{
    hf_member_set set = node->dead;
    for (uint8_t i = 0; i < node->view->member_count; i++) {
        const struct hf_member *member = &node->members[i];
        if (is_unreached(node, i) || is_deaf(node, member) ||
            is_late(node, member)) {
            set |= hf_member_set_of(i);
        }
    }
    return set & hf_view_voters(node->view);
}

/* What @peer said last of the view that we are in; NULL: nothing. */
static const struct hf_heartbeat *word_of(const struct hf_node *node,
                                          const struct hf_peer *peer)
{
    bool said =
        peer != NULL && peer->has_beat && peer->beat.epoch == node->view->epoch;
    return said ? &peer->beat : NULL;
}

/* Whom @member suspects; @own is what we do ourselves. Those of whom we do that
 * have no say. */
static hf_member_set suspects_of(const struct hf_node *node, uint8_t member,
                                 hf_member_set own)
{
    if (member == node->self) {
        return own;
    }
    if ((own & hf_member_set_of(member)) != 0) {
        return 0;
    }
    const struct hf_heartbeat *said = word_of(node, node->members[member].peer);
    return said != NULL ? said->suspects : 0;
}

/* Who suspects @member. */
static hf_member_set suspected_by(const struct hf_node *node, uint8_t member,
                                  hf_member_set own)
{
    hf_member_set by = 0;
    for (uint8_t k = 0; k < node->view->member_count; k++) {
        bool is = (suspects_of(node, k, own) & hf_member_set_of(member)) != 0;
        by |= is ? hf_member_set_of(k) : 0;
    }
    return by;
}

/* Those that so many suspect that the rest, themselves included, is no safe
 * set: they cannot go on, whoever still hears them. */
static hf_member_set helpless(const struct hf_node *node, hf_member_set own)
{
    hf_member_set all = hf_view_voters(node->view);
    hf_member_set any = 0;
    for (uint8_t k = 0; k < node->view->member_count; k++) {
        any |= suspects_of(node, k, own);
    }
    any &= all & ~hf_member_set_of(node->self);
    if (any == 0 || HF_MUTATED(HEARD_BY_ONE_IS_WELL)) {
        return 0;
    }
    hf_member_set voteless = hf_node_voteless(node);
    for (hf_member_set rest = any; rest != 0; rest &= rest - 1) {
        uint8_t i = hf_member_set_first(rest);
        hf_member_set by = suspected_by(node, i, own);
        if (hf_view_is_safe(all, voteless, all & ~voteless & ~by)) {
            any &= ~hf_member_set_of(i);
        }
    }
    return any;
}

hf_member_set hf_node_suspects(const struct hf_node *node)
{
    hf_member_set own = hf_node_suspects_itself(node);
    hf_member_set more = helpless(node, own) & ~own;
    hf_member_set all = hf_view_voters(node->view);
    bool safe = more != 0 && hf_view_is_safe(all, hf_node_voteless(node),
                                             all & ~own & ~more);
    return safe ? own | more : own;
}

hf_member_set hf_node_only_late(const struct hf_node *node)
{
    return late(node) & ~cut_off(node);
}

hf_member_set hf_node_disputed(const struct hf_node *node,
                               hf_member_set suspects)
{
    hf_member_set heard = 0;
    for (uint8_t i = 0; i < node->view->member_count; i++) {
        const struct hf_peer *peer = node->members[i].peer;
        if (node->members[i].gone_over) {
            suspects &= ~hf_member_set_of(i);
            continue;
        }
        const struct hf_heartbeat *said = word_of(node, peer);
        if ((suspects & hf_member_set_of(i)) == 0 && said != NULL) {
            heard |= said->reach & ~said->suspects;
        }
    }
    hf_member_set own = hf_node_suspects_itself(node);
    return suspects & heard & ~helpless(node, own) & ~node->dead;
}

bool hf_node_awaits_view(const struct hf_node *node, hf_member_set suspects)
{
    suspects &= ~node->dead;
    for (uint8_t i = 0; i < node->view->member_count; i++) {
        hf_time since = node->members[i].ahead_since;
        if ((suspects & hf_member_set_of(i)) != 0 && since != 0 &&
            node->now - since <= HF_SUSPECT_MS) {
            return !HF_MUTATED(ALONE_THOUGH_AHEAD);
        }
    }
    return false;
}

static void log_suspicion(const struct hf_node *node, uint8_t member)
{
    const struct hf_member *of = &node->members[member];
    const char *name = node->view->members[member].name;
    long long silent = (long long)(node->now - of->heard);
    if (of->astray) {
        hf_log(&node->config.log, HF_LOG_WARNING,
               "%s is suspected: it is heard, but not in this view", name);
    } else if (silent > HF_SUSPECT_MS) {
        hf_log(&node->config.log, HF_LOG_WARNING,
               "%s is suspected: silent for %lld ms", name, silent);
    } else if (is_late(node, of)) {
        hf_log(&node->config.log, HF_LOG_WARNING,
               "%s is suspected: it is heard, but answers later than after "
               "%d ms",
               name, HF_LEASE_MS);
    } else if (!is_deaf(node, of)) {
        hf_log(&node->config.log, HF_LOG_WARNING,
               "%s is suspected: it is heard, but so many others suspect it "
               "that it cannot go on",
               name);
    } else {
        hf_log(&node->config.log, HF_LOG_WARNING,
               "%s is suspected: it is heard, but has not heard this node for "
               "%lld ms",
               name, (long long)(node->now - of->unheard_since));
    }
}

void hf_node_count_suspicions(struct hf_node *node)
{
    if (node->state != HF_STATE_ACTIVE) {
        return;
    }
    hf_member_set suspected = hf_node_suspects(node) & ~node->dead;
    hf_member_set begun = suspected & ~node->suspected;
    node->suspected = suspected;
    node->counters.suspicions += hf_member_set_count(begun);
    for (uint8_t i = 0; i < node->view->member_count; i++) {
        if ((begun & hf_member_set_of(i)) != 0) {
            log_suspicion(node, i);
        }
    }
}
