/* load_options.h - What the load program is asked to do. */
#ifndef HF_BENCH_LOAD_OPTIONS_H
#define HF_BENCH_LOAD_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOAD_PORTS_MAX 64
#define LOAD_VALUE_MIN 8 /* A value begins with its session's number. */

struct load_options {
    uint16_t ports[LOAD_PORTS_MAX];
    unsigned port_count;
    unsigned connections;
    unsigned pipeline;
    unsigned get; /* Percent. */
    unsigned set;
    unsigned touch;
    unsigned sessions;
    unsigned value_bytes;
    unsigned ttl_seconds;
    unsigned expire_at; /* 0: ttl_seconds counts. */
    unsigned from;
    unsigned wait;     /* Replicas to wait for after each SET; 0: no WAIT. */
    unsigned rate;     /* Operations per second; 0: closed loop. */
    unsigned seconds;  /* 0: until `requests` are done. */
    unsigned requests; /* 0: until `seconds` are over. */
    unsigned seed;
    bool requests_given;
    bool fill;
};

/* Reads the arguments of the program. Prints what is wrong to stderr, or the
 * help to stdout, and returns the exit code to leave with; -1: go on. */
int load_options_read(struct load_options *options, int argc, char **argv);

#endif
