#include "bench/load_options.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct option_row {
    const char *name;
    size_t offset; /* Of an unsigned in struct load_options. */
    unsigned min;
    unsigned max;
    const char *help;
};

#define AT(member) offsetof(struct load_options, member)

static const struct option_row rows[] = {
    {"connections", AT(connections), 1, 10000, "clients [50]"},
    {"pipeline", AT(pipeline), 1, 1024,
     "operations sent together, then all answers awaited [1]"},
    {"get", AT(get), 0, 100, "percent of GET [80]"},
    {"set", AT(set), 0, 100, "percent of SET ... EX [20]"},
    {"touch", AT(touch), 0, 100, "percent of EXPIRE [0]"},
    {"sessions", AT(sessions), 1, 99999999, "keys sess:<number> [100000]"},
    {"value", AT(value_bytes), LOAD_VALUE_MIN, 1 << 20,
     "bytes of a value [1024]"},
    {"ttl", AT(ttl_seconds), 1, 1000000, "seconds to live [3600]"},
    {"expire-at", AT(expire_at), 0, UINT_MAX,
     "Unix time at which what is set ends, instead of a time to live"},
    {"from", AT(from), 0, 99999998, "the first session that --fill writes [0]"},
    {"wait", AT(wait), 0, 16,
     "after each SET, WAIT for so many replicas, as part of it [0]"},
    {"rate", AT(rate), 0, 10000000,
     "operations per second, sent when due whatever was answered (open "
     "loop); 0: as fast as they are answered [0]"},
    {"seconds", AT(seconds), 0, 86400, "length of the run [5]"},
    {"requests", AT(requests), 0, 1000000000,
     "operations of the run, instead of seconds"},
    {"seed", AT(seed), 0, 1000000000, "of the keys and the mix [1]"},
};
#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

static void help(void)
{
    printf(
        "load --port PORT[,PORT...] [--fill] [--option N]...\n\n"
        "Loads a Redis-like server on 127.0.0.1 and prints one line of JSON;\n"
        "times in microseconds. Latency counts from the moment when an\n"
        "operation was due, so a server that stalls is not forgiven. Exit "
        "code\n1 when a connection broke or stayed silent for 10 s; wrong "
        "answers\nare counted.\n\n"
        "  --port          clients are spread over these, in turn\n"
        "  --fill          first write all sessions, not counted\n");
    for (size_t i = 0; i < ROW_COUNT; i++) {
        printf("  --%-13s %s\n", rows[i].name, rows[i].help);
    }
}

static bool read_number(const char *text, unsigned min, unsigned max,
                        unsigned *number)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || value < (long long)min ||
        value > (long long)max) {
        return false;
    }
    *number = (unsigned)value;
    return true;
}

static bool read_ports(struct load_options *options, char *text)
{
    char *rest = text;
    while (rest != NULL) {
        char *comma = strchr(rest, ',');
        if (comma != NULL) {
            *comma++ = '\0';
        }
        unsigned port;
        if (options->port_count == LOAD_PORTS_MAX ||
            !read_number(rest, 1, 65535, &port)) {
            return false;
        }
        options->ports[options->port_count++] = (uint16_t)port;
        rest = comma;
    }
    return true;
}

static const struct option_row *row_find(const char *name)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (strncmp(name, "--", 2) == 0 &&
            strcmp(rows[i].name, name + 2) == 0) {
            return &rows[i];
        }
    }
    return NULL;
}

static int read_one(struct load_options *options, const char *name, char *text)
{
    if (strcmp(name, "--port") == 0) {
        if (text == NULL || !read_ports(options, text)) {
            fprintf(stderr,
                    "load: --port takes 1 to %d ports, commas "
                    "between\n",
                    LOAD_PORTS_MAX);
            return 2;
        }
        return -1;
    }
    const struct option_row *row = row_find(name);
    if (row == NULL) {
        fprintf(stderr, "load: no option %s; see --help\n", name);
        return 2;
    }
    unsigned *number = (unsigned *)(void *)((char *)options + row->offset);
    if (text == NULL || !read_number(text, row->min, row->max, number)) {
        fprintf(stderr, "load: %s takes a number from %u to %u\n", name,
                row->min, row->max);
        return 2;
    }
    options->requests_given |= row->offset == AT(requests);
    return -1;
}

int load_options_read(struct load_options *options, int argc, char **argv)
{
    *options = (struct load_options){
        .connections = 50,
        .pipeline = 1,
        .get = 80,
        .set = 20,
        .sessions = 100000,
        .value_bytes = 1024,
        .ttl_seconds = 3600,
        .seconds = 5,
        .seed = 1,
    };
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            help();
            return 0;
        }
        if (strcmp(argv[i], "--fill") == 0) {
            options->fill = true;
            continue;
        }
        int code = read_one(options, argv[i], argv[i + 1]);
        if (code >= 0) {
            return code;
        }
        i++;
    }
    if (options->port_count == 0) {
        fprintf(stderr, "load: --port is missing; see --help\n");
        return 2;
    }
    if (options->get + options->set + options->touch != 100) {
        fprintf(stderr, "load: get, set and touch must be 100 together\n");
        return 2;
    }
    return -1;
}
