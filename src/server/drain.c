/* drain.c - Leaving in good order.
 *
 *   HAND_OVER ---> CLIENTS ---> LEAVE ---> the loop ends
 *    others take    each client   the next view
 *    what we held   gets its      is without us
 *                   answers
 *
 * Past drain-timeout the loop ends wherever it was in all this. */
#include <stdio.h>
#include <string.h>

#include "io/clock.h"
#include "server/server_private.h"

#define WATCH_MS 20
/* A client is closed when it was answered and asks nothing more. One that has
 * been idle for so long is closed, too: its next command was not under way. */
#define IDLE_MS 100
/* Besides the time that commands may be held: then no more are taken, and the
 * node leaves whether or not clients took their answers. */
#define REFUSE_MS 1500
#define GIVE_UP_MS 2000

#define TEXT_BYTES_MAX 512

static void answer_waiters(struct hf_server *server,
                           const struct hf_reply *reply)
{
    struct hf_drain *drain = &server->drain;
    for (size_t i = 0; i < drain->waiter_count; i++) {
        hf_clients_reply(server->clients, drain->waiters[i].client,
                         drain->waiters[i].tag, reply);
    }
    drain->waiter_count = 0;
    (void)hf_clients_flush(server->clients); /* The loop ends now. */
}

static void drain_succeed(struct hf_server *server, const char *how)
{
    const struct hf_reply reply = hf_reply_ok();
    hf_log(&server->log, HF_LOG_INFO, "drained: %s", how);
    answer_waiters(server, &reply);
    uv_stop(&server->loop);
}

/* @text begins with what went wrong. */
static void drain_fail(struct hf_server *server, const char *text)
{
    char error[TEXT_BYTES_MAX + 16];
    snprintf(error, sizeof(error), "ERR %s", text);
    const struct hf_reply reply = hf_reply_error(error);
    hf_log(&server->log, HF_LOG_ERROR, "%s", text);
    answer_waiters(server, &reply);
    uv_stop(&server->loop);
}

/* The names of members that are not heard of, as many as fit. */
static void append_silent(const struct hf_node_status *status, char *text,
                          size_t size)
{
    const char *before = "; silent members: ";
    for (size_t i = 0; i < status->member_count; i++) {
        const struct hf_member_status *member = &status->members[i];
        size_t used = strlen(text);
        if (!member->alive && used + 1 < size) {
            snprintf(text + used, size - used, "%s%s", before,
                     member->info->name);
            before = ", ";
        }
    }
}

static void drain_give_up(struct hf_server *server)
{
    const struct hf_node_status *status = &server->status;
    char text[TEXT_BYTES_MAX];
    if (status->kept) {
        snprintf(text, sizeof(text),
                 "not drained within %u s (drain-timeout), stopping anyway: "
                 "the others, who have not taken this node back, know of no "
                 "copies but its own of some sessions",
                 (unsigned)server->config.drain_timeout_s);
    } else if (status->drained || status->state != HF_STATE_ACTIVE) {
        snprintf(text, sizeof(text),
                 "not drained within %u s (drain-timeout), stopping anyway: "
                 "all is handed over, but the others have not agreed to go on "
                 "without this node",
                 (unsigned)server->config.drain_timeout_s);
    } else {
        snprintf(text, sizeof(text),
                 "not drained within %u s (drain-timeout), stopping anyway: "
                 "primary of %u partition%s with %llu session%s and backup of "
                 "%u partition%s are not handed over; %llu session%s a copy "
                 "elsewhere",
                 (unsigned)server->config.drain_timeout_s,
                 (unsigned)status->partitions_primary,
                 HF_PLURAL(status->partitions_primary),
                 (unsigned long long)status->local_sessions,
                 HF_PLURAL(status->local_sessions),
                 (unsigned)status->partitions_backup,
                 HF_PLURAL(status->partitions_backup),
                 (unsigned long long)status->local_alone,
                 status->local_alone == 1 ? " lacks" : "s lack");
    }
    append_silent(status, text, sizeof(text));
    drain_fail(server, text);
}

static void drain_abandon(struct hf_server *server)
{
    char text[TEXT_BYTES_MAX];
    if (server->status.local_sessions == 0) {
        drain_succeed(server, "there is no other node that stays");
        return;
    }
    snprintf(text, sizeof(text),
             "not drained: there is no other node that stays, and %llu "
             "session%s with this one",
             (unsigned long long)server->status.local_sessions,
             server->status.local_sessions == 1 ? " ends" : "s end");
    drain_fail(server, text);
}

/* Who asked for the drain waits for its end, and is not waited for. */
static uint32_t waiters_connected(const struct hf_server *server)
{
    const struct hf_drain *drain = &server->drain;
    uint32_t count = 0;
    for (size_t i = 0; i < drain->waiter_count; i++) {
        bool seen = false;
        for (size_t k = 0; k < i; k++) {
            seen = seen || drain->waiters[k].client == drain->waiters[i].client;
        }
        if (!seen && hf_clients_is_connected(server->clients,
                                             drain->waiters[i].client)) {
            count++;
        }
    }
    return count;
}

static void drain_clients(struct hf_server *server, hf_time now)
{
    struct hf_drain *drain = &server->drain;
    hf_time spent = now - drain->clients_at;
    hf_time hold = (hf_time)server->config.hold_ms;
    if (spent >= IDLE_MS) {
        hf_clients_drain(server->clients, spent < REFUSE_MS + hold
                                              ? HF_CLIENTS_DRAIN_IDLE
                                              : HF_CLIENTS_DRAIN_REFUSE);
    }
    if (hf_clients_get_stats(server->clients)->connected <=
            waiters_connected(server) ||
        spent >= GIVE_UP_MS + hold) {
        drain->stage = HF_DRAIN_LEAVE;
        hf_node_leave(server->node);
    }
}

static void on_watch(uv_timer_t *watch)
{
    struct hf_server *server = watch->data;
    struct hf_drain *drain = &server->drain;
    hf_time now = hf_clock_now();
    hf_node_get_status(server->node, &server->status);
    if (server->status.state == HF_STATE_LEFT) {
        drain_succeed(server, "the cluster goes on without this node");
    } else if (server->status.abandoned) {
        drain_abandon(server);
    } else if (now >= drain->until) {
        drain_give_up(server);
    } else if (drain->stage == HF_DRAIN_HAND_OVER && server->status.drained) {
        drain->stage = HF_DRAIN_CLIENTS;
        drain->clients_at = now;
        hf_clients_drain(server->clients, HF_CLIENTS_DRAIN_ANSWERED);
    } else if (drain->stage == HF_DRAIN_CLIENTS) {
        drain_clients(server, now);
    }
}

void hf_server_drain_begin(struct hf_server *server)
{
    struct hf_drain *drain = &server->drain;
    if (drain->stage != HF_DRAIN_NONE || server->closing) {
        return;
    }
    drain->stage = HF_DRAIN_HAND_OVER;
    hf_node_get_status(server->node, &server->status);
    if (server->status.state != HF_STATE_ACTIVE && !server->status.kept) {
        drain_succeed(server, "this node held nothing");
        return;
    }
    if (server->config.drain_timeout_s == 0) {
        drain_fail(server, "not drained: drain-timeout is 0, stopping without "
                           "handing over");
        return;
    }
    hf_log(&server->log, HF_LOG_INFO,
           "draining: %u partition%s to hand over, for at most %u s",
           (unsigned)server->status.partitions_primary,
           HF_PLURAL(server->status.partitions_primary),
           (unsigned)server->config.drain_timeout_s);
    drain->until =
        hf_clock_now() + (hf_time)server->config.drain_timeout_s * 1000;
    hf_node_drain(server->node);
    uv_update_time(&server->loop);
    uv_timer_start(&drain->watch, on_watch, 0, WATCH_MS);
}

void hf_server_drain_for(struct hf_server *server, uint64_t client,
                         uint64_t tag)
{
    struct hf_drain *drain = &server->drain;
    if (drain->waiter_count == HF_DRAIN_WAITERS_MAX) {
        const struct hf_reply reply =
            hf_reply_error("ERR too many clients wait for this drain");
        hf_clients_reply(server->clients, client, tag, &reply);
        return;
    }
    drain->waiters[drain->waiter_count++] =
        (struct hf_drain_waiter){client, tag};
    uv_async_send(&drain->asked); /* Not in the middle of a turn. */
}
