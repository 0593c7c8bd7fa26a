/* cli.c - holdfast: what a person asks a cluster.
 *
 *   holdfast status [--host H] [--port P] [--json]
 *
 *   0  every partition has all its copies and is where it should be
 *   1  not yet
 *   2  the node cannot be reached, or bad usage
 *
 *   holdfast status --safe-to-stop NODE [--host H] [--port P]
 *
 *   0  the node named NODE may stop now: others have copies of all it holds
 *   1  not now
 *   2  no such member, the node cannot be reached, or bad usage */
#include <errno.h>
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"

#define EXIT_SETTLED 0
#define EXIT_UNSETTLED 1
#define EXIT_UNREACHABLE 2
#define TIMEOUT_SECONDS 2

struct options {
    const char *host;
    int port;
    bool json;
    const char *safe_to_stop; /* NULL: tell the status. */
};

/* A map in RESP2: keys and values in turn. NULL when there is no such key. */
static const redisReply *field(const redisReply *map, const char *key)
{
    if (map == NULL || map->type != REDIS_REPLY_ARRAY) {
        return NULL;
    }
    for (size_t i = 0; i + 1 < map->elements; i += 2) {
        const redisReply *name = map->element[i];
        if (name->type == REDIS_REPLY_STRING && strcmp(name->str, key) == 0) {
            return map->element[i + 1];
        }
    }
    return NULL;
}

static int64_t number(const redisReply *map, const char *key)
{
    const redisReply *value = field(map, key);
    return value != NULL && value->type == REDIS_REPLY_INTEGER ? value->integer
                                                               : 0;
}

static const char *text(const redisReply *map, const char *key)
{
    const redisReply *value = field(map, key);
    return value != NULL && value->type == REDIS_REPLY_STRING ? value->str : "";
}

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
    print_json_text(text(map, key));
}

static void print_json_number(const char *key, const redisReply *map)
{
    printf("\"%s\":%" PRId64, key, number(map, key));
}

static void print_json_member(const redisReply *member)
{
    static const char *const texts[] = {"name", "address", "peer_address",
                                        "label", "state"};
    static const char *const numbers[] = {"sessions", "bytes", "primaries",
                                          "backups"};
    putchar('{');
    for (size_t i = 0; i < HF_ARRAY_COUNT(texts); i++) {
        print_json_pair(texts[i], member);
        putchar(',');
    }
    for (size_t i = 0; i < HF_ARRAY_COUNT(numbers); i++) {
        print_json_number(numbers[i], member);
        putchar(',');
    }
    printf("\"self\":%s}", number(member, "self") != 0 ? "true" : "false");
}

static void print_json(const redisReply *status)
{
    const redisReply *members = field(status, "members");
    putchar('{');
    print_json_number("view", status);
    putchar(',');
    print_json_pair("name", status);
    putchar(',');
    print_json_pair("state", status);
    printf(",\"settled\":%s,",
           number(status, "settled") != 0 ? "true" : "false");
    print_json_number("sessions", status);
    putchar(',');
    print_json_number("under_replicated", status);
    putchar(',');
    print_json_number("fences", status);
    putchar(',');
    print_json_number("fences_lifted_early", status);
    putchar(',');
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
        size_t size = strlen(text(members->element[i], key));
        width = size > width ? size : width;
    }
    return (int)width;
}

static void print_fences(const redisReply *status)
{
    int64_t fences = number(status, "fences");
    int64_t lifted = number(status, "fences_lifted_early");
    if (fences != 0 || lifted != 0) {
        printf("%" PRId64 " fences where sessions were deleted, %" PRId64
               " lifted early\n",
               fences, lifted);
    }
}

static void print_table(const redisReply *status)
{
    const redisReply *members = field(status, "members");
    int name_width = width_of(members, "name", 4);
    int address_width = width_of(members, "address", 7);
    int label_width = width_of(members, "label", 5);
    printf("view %" PRId64 ", %zu members, %" PRId64 " sessions, %" PRId64
           " under-replicated, %s\n",
           number(status, "view"), members == NULL ? 0 : members->elements,
           number(status, "sessions"), number(status, "under_replicated"),
           number(status, "settled") != 0 ? "settled" : "not settled");
    print_fences(status);
    if (strcmp(text(status, "state"), "active") != 0) {
        printf("node '%s' is %s: it serves nothing yet\n", text(status, "name"),
               text(status, "state"));
    }
    printf("\n  %-*s  %-*s  %-*s  %-6s %10s %10s %9s %7s\n", name_width, "NAME",
           address_width, "ADDRESS", label_width, "LABEL", "STATE", "SESSIONS",
           "MEMORY", "PRIMARIES", "BACKUPS");
    for (size_t i = 0; members != NULL && i < members->elements; i++) {
        const redisReply *member = members->element[i];
        printf("%c %-*s  %-*s  %-*s  %-6s %10" PRId64,
               number(member, "self") != 0 ? '*' : ' ', name_width,
               text(member, "name"), address_width, text(member, "address"),
               label_width, text(member, "label"), text(member, "state"),
               number(member, "sessions"));
        print_bytes(number(member, "bytes"));
        printf(" %9" PRId64 " %7" PRId64 "\n", number(member, "primaries"),
               number(member, "backups"));
    }
    printf("\n* the node that was asked\n");
}

static const redisReply *member_find(const redisReply *members,
                                     const char *name)
{
    for (size_t i = 0; members != NULL && i < members->elements; i++) {
        if (strcmp(text(members->element[i], "name"), name) == 0) {
            return members->element[i];
        }
    }
    return NULL;
}

/* Why it is not safe to stop a member now, or NULL. */
static const char *why_unsafe(const redisReply *status)
{
    const redisReply *members = field(status, "members");
    int64_t backups = 0;
    if (strcmp(text(status, "state"), "active") != 0) {
        return "the node that was asked serves nothing yet";
    }
    if (members->elements < 2) {
        return "it is the only member";
    }
    for (size_t i = 0; i < members->elements; i++) {
        if (strcmp(text(members->element[i], "state"), "alive") != 0) {
            return "a member is not alive";
        }
        backups += number(members->element[i], "backups");
    }
    if (number(status, "settled") == 0 ||
        number(status, "under_replicated") != 0) {
        return "copies are still being made or moved";
    }
    if (backups < number(status, "partitions")) {
        return "there are no backups (setting backups)";
    }
    return NULL;
}

static int say_safe_to_stop(const redisReply *status, const char *name)
{
    if (member_find(field(status, "members"), name) == NULL) {
        fprintf(stderr, "holdfast: there is no member '%s'\n", name);
        return EXIT_UNREACHABLE;
    }
    const char *why = why_unsafe(status);
    if (why != NULL) {
        printf("not safe to stop '%s': %s\n", name, why);
        return EXIT_UNSETTLED;
    }
    printf("safe to stop '%s'\n", name);
    return EXIT_SETTLED;
}

static int say_status(const redisReply *status, const struct options *options)
{
    if (options->json) {
        print_json(status);
    } else {
        print_table(status);
    }
    return number(status, "settled") != 0 ? EXIT_SETTLED : EXIT_UNSETTLED;
}

/* The reply, or NULL and a line on stderr. */
static redisReply *ask(redisContext *context, const struct options *options)
{
    const struct timeval timeout = {.tv_sec = TIMEOUT_SECONDS};
    const char *why = "out of memory";
    if (context != NULL && context->err == 0) {
        redisSetTimeout(context, timeout);
        redisReply *reply = redisCommand(context, "HOLDFAST STATUS");
        if (reply != NULL && reply->type == REDIS_REPLY_ARRAY) {
            return reply;
        }
        if (reply != NULL) {
            fprintf(stderr, "holdfast: %s:%d is no Holdfast node: %s\n",
                    options->host, options->port,
                    reply->type == REDIS_REPLY_ERROR ? reply->str
                                                     : "unexpected answer");
            freeReplyObject(reply);
            return NULL;
        }
    }
    if (context != NULL) {
        why = context->err == REDIS_ERR_IO &&
                      (errno == EAGAIN || errno == EWOULDBLOCK)
                  ? "no answer within 2 s"
                  : context->errstr;
    }
    fprintf(stderr, "holdfast: cannot reach %s:%d: %s\n", options->host,
            options->port, why);
    return NULL;
}

static int status_run(const struct options *options)
{
    const struct timeval timeout = {.tv_sec = TIMEOUT_SECONDS};
    redisContext *context =
        redisConnectWithTimeout(options->host, options->port, timeout);
    redisReply *status = ask(context, options);
    int rv = EXIT_UNREACHABLE;
    if (status != NULL) {
        rv = options->safe_to_stop != NULL
                 ? say_safe_to_stop(status, options->safe_to_stop)
                 : say_status(status, options);
        freeReplyObject(status);
    }
    if (context != NULL) {
        redisFree(context);
    }
    return fflush(stdout) == 0 ? rv : EXIT_UNREACHABLE;
}

static void print_help(FILE *to)
{
    fprintf(to, "usage: holdfast status [--host HOST] [--port PORT] [--json]\n"
                "       holdfast status --safe-to-stop NODE [--host HOST] "
                "[--port PORT]\n"
                "\n"
                "Asks any node for the state of its cluster.\n"
                "\n"
                "  --host HOST  a node [127.0.0.1]\n"
                "  --port PORT  its port for clients (1 to 65535) [7379]\n"
                "  --json       one JSON object instead of a table\n"
                "  --safe-to-stop NODE\n"
                "               whether the member NODE may stop now and "
                "nothing is lost\n"
                "  --help       this text\n"
                "  --version    the version\n"
                "\n"
                "exit code: 0 all partitions have their copies and are where "
                "they should be,\n"
                "1 not yet, 2 the node cannot be reached or bad usage; with "
                "--safe-to-stop:\n"
                "0 it may stop, 1 not now, 2 no such member, or as above\n");
}

static int fail_usage(const char *what, const char *value, const char *allowed)
{
    fprintf(stderr, "holdfast: %s '%s' is not allowed: %s\n", what, value,
            allowed);
    return EXIT_UNREACHABLE;
}

/* The value of option @name at @arguments, or NULL: it is another option.
 * *@used says how many arguments it took; 0: the value is missing. */
static const char *option_value(const char *name, int count, char **arguments,
                                int *used)
{
    size_t size = strlen(name);
    if (strncmp(arguments[0], name, size) != 0) {
        return NULL;
    }
    if (arguments[0][size] == '=') {
        *used = 1;
        return arguments[0] + size + 1;
    }
    if (arguments[0][size] != '\0') {
        return NULL;
    }
    *used = count > 1 ? 2 : 0;
    return count > 1 ? arguments[1] : "";
}

static int read_options(struct options *options, int count, char **arguments)
{
    int used = 1;
    for (int i = 0; i < count; i += used) {
        const char *value;
        used = 1;
        if (strcmp(arguments[i], "--json") == 0) {
            options->json = true;
        } else if ((value = option_value("--host", count - i, arguments + i,
                                         &used)) != NULL) {
            if (value[0] == '\0') {
                return fail_usage("--host", value, "a host name or address");
            }
            options->host = value;
        } else if ((value = option_value("--safe-to-stop", count - i,
                                         arguments + i, &used)) != NULL) {
            if (value[0] == '\0') {
                return fail_usage("--safe-to-stop", value,
                                  "the name of a member");
            }
            options->safe_to_stop = value;
        } else if ((value = option_value("--port", count - i, arguments + i,
                                         &used)) != NULL) {
            int64_t port;
            if (!hf_slice_to_int64(hf_slice_text(value), &port) || port < 1 ||
                port > 65535) {
                return fail_usage("--port", value, "a number from 1 to 65535");
            }
            options->port = (int)port;
        } else {
            return fail_usage("argument", arguments[i],
                              "--host, --port, --json, --safe-to-stop (see "
                              "--help)");
        }
    }
    if (options->json && options->safe_to_stop != NULL) {
        return fail_usage("argument", "--json", "not with --safe-to-stop");
    }
    return 0;
}

int main(int argc, char *argv[])
{
    struct options options = {.host = "127.0.0.1", .port = 7379};

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            print_help(stdout);
            return 0;
        }
        if (strcmp(argv[i], "--version") == 0) {
            puts("holdfast " HF_VERSION);
            return 0;
        }
    }
    if (argc < 2) {
        print_help(stderr);
        return EXIT_UNREACHABLE;
    }
    if (strcmp(argv[1], "status") != 0) {
        return fail_usage("command", argv[1], "status (see --help)");
    }
    if (read_options(&options, argc - 2, argv + 2) != 0) {
        return EXIT_UNREACHABLE;
    }
    sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    return status_run(&options);
}
