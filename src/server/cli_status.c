/* cli_status.c - holdfast status: a table, JSON, or whether a node may stop. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "server/cli.h"

static void print_json_text(const char *value)
{
    putchar('"');
    for (; *value != '\0'; value++) {
        unsigned char c = (unsigned char)*value;
        if (c == '"' || c == '\\') {
            printf("\\%c", c);
        } else if (c < ' ' || c > '~') {
            printf("\\u%04x", c);
        } else {
            putchar(c);
        }
    }
    putchar('"');
}

static void print_json_pair(const char *key, const redisReply *map)
{
    printf("\"%s\":", key);
    print_json_text(hf_cli_text(map, key));
}

static void print_json_number(const char *key, const redisReply *map)
{
    printf("\"%s\":%" PRId64, key, hf_cli_number(map, key));
}

static void print_json_flag(const char *key, const redisReply *map)
{
    printf("\"%s\":%s", key, hf_cli_number(map, key) != 0 ? "true" : "false");
}

static void print_json_member(const redisReply *member)
{
    static const char *const texts[] = {"name", "address", "peer_address",
                                        "label", "state"};
    static const char *const numbers[] = {"sessions", "bytes", "primaries",
                                          "backups", "filling"};
    putchar('{');
    for (size_t i = 0; i < HF_ARRAY_COUNT(texts); i++) {
        print_json_pair(texts[i], member);
        putchar(',');
    }
    for (size_t i = 0; i < HF_ARRAY_COUNT(numbers); i++) {
        print_json_number(numbers[i], member);
        putchar(',');
    }
    print_json_flag("self", member);
    putchar('}');
}

static void print_json(const redisReply *status)
{
    const redisReply *members = hf_cli_field(status, "members");
    putchar('{');
    print_json_number("view", status);
    putchar(',');
    print_json_pair("name", status);
    putchar(',');
    print_json_pair("state", status);
    putchar(',');
    print_json_pair("waits_for", status);
    putchar(',');
    print_json_pair("partition_policy", status);
    putchar(',');
    print_json_pair("lineage", status);
    putchar(',');
    print_json_number("lineage_forks", status);
    putchar(',');
    print_json_flag("serving", status);
    putchar(',');
    print_json_pair("reason", status);
    putchar(',');
    print_json_pair("no_takeover", status);
    putchar(',');
    print_json_flag("settled", status);
    putchar(',');
    print_json_number("sessions", status);
    putchar(',');
    static const char *const numbers[] = {
        "unsafe_ms",           "partitions_unavailable",
        "merging_done",        "merging_all",
        "under_replicated",    "fences",
        "fences_lifted_early", "backups",
        "writes_degraded",     "partitions_lost",
        "sessions_lost",       "refill_partitions",
        "refill_sessions",     "refill_bytes"};
    for (size_t i = 0; i < HF_ARRAY_COUNT(numbers); i++) {
        print_json_number(numbers[i], status);
        putchar(',');
    }
    print_json_number("partitions", status);
    printf(",\"members\":[");
    for (size_t i = 0; members != NULL && i < members->elements; i++) {
        printf("%s", i == 0 ? "" : ",");
        print_json_member(members->element[i]);
    }
    printf("]}\n");
}

static void print_bytes(int64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    size_t unit = 0;
    int64_t tenths = bytes * 10;
    while (tenths >= 10240 && unit + 1 < HF_ARRAY_COUNT(units)) {
        tenths /= 1024;
        unit++;
    }
    char value[32];
    if (unit == 0) {
        snprintf(value, sizeof(value), "%" PRId64 " B", bytes);
    } else {
        snprintf(value, sizeof(value), "%" PRId64 ".%" PRId64 " %s",
                 tenths / 10, tenths % 10, units[unit]);
    }
    printf(" %10s", value);
}

static int width_of(const redisReply *members, const char *key, size_t least)
{
    size_t width = least;
    for (size_t i = 0; members != NULL && i < members->elements; i++) {
        size_t size = strlen(hf_cli_text(members->element[i], key));
        width = size > width ? size : width;
    }
    return (int)width;
}

static void print_fences(const redisReply *status)
{
    int64_t fences = hf_cli_number(status, "fences");
    int64_t lifted = hf_cli_number(status, "fences_lifted_early");
    if (fences != 0 || lifted != 0) {
        printf("%" PRId64 " fence%s where sessions were deleted, %" PRId64
               " lifted early\n",
               fences, HF_PLURAL(fences), lifted);
    }
}

/* Lines that begin with "degraded: " or "lost: ", for scripts, too. */
static void print_losses(const redisReply *status)
{
    const redisReply *members = hf_cli_field(status, "members");
    int64_t copies = hf_cli_number(status, "backups") + 1;
    int64_t degraded = hf_cli_number(status, "writes_degraded");
    int64_t partitions = hf_cli_number(status, "partitions_lost");
    int64_t sessions = hf_cli_number(status, "sessions_lost");
    if (members != NULL && members->elements > 0 &&
        (int64_t)members->elements < copies) {
        printf("degraded: %zu member%s cannot hold the %" PRId64
               " copies that are wanted of each session (setting backups)\n",
               members->elements, HF_PLURAL(members->elements), copies);
    }
    if (degraded > 0) {
        printf("degraded: %" PRId64 " write%s acknowledged with fewer copies "
               "than wanted\n",
               degraded, degraded == 1 ? " was" : "s were");
    }
    if (partitions > 0 || sessions > 0) {
        printf("lost: about %" PRId64 " session%s, with %" PRId64
               " partition%s whose last copy was gone\n",
               sessions, HF_PLURAL(sessions), partitions,
               HF_PLURAL(partitions));
    }
}

static void print_refill(const redisReply *status)
{
    int64_t copies = hf_cli_number(status, "refill_partitions");
    int64_t sessions = hf_cli_number(status, "refill_sessions");
    if (copies == 0) {
        return;
    }
    printf("still to fill: %" PRId64 " %s, %" PRId64 " session%s,", copies,
           copies == 1 ? "copy of a partition" : "copies of partitions",
           sessions, HF_PLURAL(sessions));
    print_bytes(hf_cli_number(status, "refill_bytes"));
    printf("\n");
}

static void print_lineage(const redisReply *status)
{
    int64_t forks = hf_cli_number(status, "lineage_forks");
    printf("partition policy %s, lineage %s, %" PRId64 " fork%s\n",
           hf_cli_text(status, "partition_policy"),
           hf_cli_text(status, "lineage"), forks, HF_PLURAL(forks));
}

static bool is_silent(const redisReply *member)
{
    return strcmp(hf_cli_text(member, "state"), "silent") == 0;
}

static void print_names(const redisReply *members, bool heard)
{
    const char *before = heard ? "heard: " : "not heard: ";
    for (size_t i = 0; members != NULL && i < members->elements; i++) {
        const redisReply *member = members->element[i];
        if (is_silent(member) != heard) {
            printf("%s%s", before, hf_cli_text(member, "name"));
            before = ", ";
        }
    }
    putchar('\n');
}

/* Lines that begin with "not serving: " or "unavailable: ", who is heard and
 * who is not, and what to do. */
static void print_serving(const redisReply *status)
{
    const redisReply *members = hf_cli_field(status, "members");
    const char *reason = hf_cli_text(status, "reason");
    int64_t unsafe_ms = hf_cli_number(status, "unsafe_ms");
    int64_t away = hf_cli_number(status, "partitions_unavailable");
    if (reason[0] != '\0') {
        printf("not serving: %s\n", reason);
        if (unsafe_ms > 0) {
            printf("for %" PRId64 ".%" PRId64 " s\n", unsafe_ms / 1000,
                   unsafe_ms % 1000 / 100);
            print_names(members, true);
            print_names(members, false);
        }
    } else if (away > 0) {
        printf("unavailable: %" PRId64 " of %" PRId64
               " partitions: their only copies are, or may be, on nodes that "
               "are away\n",
               away, hf_cli_number(status, "partitions"));
        print_names(members, false);
    }
    if (strcmp(hf_cli_text(status, "state"), "starting") == 0) {
        puts("to do: if it stays so, look at its setting seeds: one of those "
             "nodes has to run and to be reached");
    } else if (hf_cli_field(status, "no_takeover") != NULL &&
               hf_cli_text(status, "no_takeover")[0] == '\0') {
        puts("to do: bring back those that are not heard; when they are gone "
             "for good, holdfast takeover");
    }
}

static void print_waits_for(const redisReply *status)
{
    const char *name = hf_cli_text(status, "waits_for");
    if (name[0] != '\0') {
        printf("it waits for '%s', which may be in the cluster that it was "
               "left out of; when that is gone for good, restart this node\n",
               name);
    }
}

static void print_table(const redisReply *status)
{
    const redisReply *members = hf_cli_field(status, "members");
    int name_width = width_of(members, "name", 4);
    int address_width = width_of(members, "address", 7);
    int label_width = width_of(members, "label", 5);
    size_t count = members == NULL ? 0 : members->elements;
    bool silent = false;
    int64_t sessions = hf_cli_number(status, "sessions");
    printf("view %" PRId64 ", %zu member%s, %" PRId64 " session%s, %" PRId64
           " under-replicated, %s\n",
           hf_cli_number(status, "view"), count, HF_PLURAL(count), sessions,
           HF_PLURAL(sessions), hf_cli_number(status, "under_replicated"),
           hf_cli_number(status, "settled") != 0 ? "settled" : "not settled");
    print_fences(status);
    print_refill(status);
    print_lineage(status);
    print_serving(status);
    print_waits_for(status);
    printf("\n  %-*s  %-*s  %-*s  %-7s %10s %10s %9s %7s %7s\n", name_width,
           "NAME", address_width, "ADDRESS", label_width, "LABEL", "STATE",
           "SESSIONS", "MEMORY", "PRIMARIES", "BACKUPS", "FILLING");
    for (size_t i = 0; members != NULL && i < members->elements; i++) {
        const redisReply *member = members->element[i];
        silent = silent || is_silent(member);
        printf("%c %-*s  %-*s  %-*s  %-7s %10" PRId64,
               hf_cli_number(member, "self") != 0 ? '*' : ' ', name_width,
               hf_cli_text(member, "name"), address_width,
               hf_cli_text(member, "address"), label_width,
               hf_cli_text(member, "label"), hf_cli_text(member, "state"),
               hf_cli_number(member, "sessions"));
        print_bytes(hf_cli_number(member, "bytes"));
        printf(" %9" PRId64 " %7" PRId64 " %7" PRId64 "\n",
               hf_cli_number(member, "primaries"),
               hf_cli_number(member, "backups"),
               hf_cli_number(member, "filling"));
    }
    printf("\n* the node that was asked%s\n",
           silent ? "; of silent ones, what they said last" : "");
    print_losses(status);
}

/* Why it is not safe to stop a member now, or NULL. */
static const char *why_unsafe(const redisReply *status)
{
    const redisReply *members = hf_cli_field(status, "members");
    int64_t backups = 0;
    if (strcmp(hf_cli_text(status, "state"), "active") != 0) {
        return "the node that was asked serves nothing yet";
    }
    if (members->elements < 2) {
        return "it is the only member";
    }
    for (size_t i = 0; i < members->elements; i++) {
        const char *state = hf_cli_text(members->element[i], "state");
        if (strcmp(state, "leaving") == 0) {
            return "a member is leaving, and has yet to hand over";
        }
        if (strcmp(state, "slow") == 0) {
            return "a member does not keep up";
        }
        if (strcmp(state, "alive") != 0) {
            return "a member is not alive";
        }
        backups += hf_cli_number(members->element[i], "backups");
    }
    if (hf_cli_number(status, "settled") == 0 ||
        hf_cli_number(status, "under_replicated") != 0) {
        return "copies are still being made or moved";
    }
    if (backups < hf_cli_number(status, "partitions")) {
        return "there are no backups (setting backups)";
    }
    return NULL;
}

static int say_safe_to_stop(const redisReply *status, const char *name)
{
    if (hf_cli_member_find(hf_cli_field(status, "members"), name) == NULL) {
        fprintf(stderr, "holdfast: there is no member '%s'\n", name);
        return HF_CLI_UNREACHABLE;
    }
    const char *why = why_unsafe(status);
    if (why != NULL) {
        printf("not safe to stop '%s': %s\n", name, why);
        return HF_CLI_NOT_YET;
    }
    printf("safe to stop '%s'\n", name);
    return HF_CLI_OK;
}

static int say_status(const redisReply *status,
                      const struct hf_cli_options *options)
{
    if (options->json) {
        print_json(status);
    } else {
        print_table(status);
    }
    return hf_cli_number(status, "settled") != 0 ? HF_CLI_OK : HF_CLI_NOT_YET;
}

int hf_cli_status(const struct hf_cli_options *options)
{
    redisContext *context = hf_cli_connect(options->host, options->port);
    redisReply *status =
        hf_cli_status_or_say(context, options->host, options->port);
    int rv = HF_CLI_UNREACHABLE;
    if (status != NULL) {
        rv = options->safe_to_stop != NULL
                 ? say_safe_to_stop(status, options->safe_to_stop)
                 : say_status(status, options);
        freeReplyObject(status);
    }
    hf_cli_disconnect(context);
    return fflush(stdout) == 0 ? rv : HF_CLI_UNREACHABLE;
}
