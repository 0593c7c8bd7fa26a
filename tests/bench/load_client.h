/* load_client.h - One connection of the load program.
 *
 * Operations are written into `output` and remembered in a ring; answers are
 * taken in order, checked, and counted with the time since the operation was
 * due. A SET followed by WAIT is one operation with two answers. Only Linux
 * sockets; no server is assumed but one that speaks RESP2. */
#ifndef HF_BENCH_LOAD_CLIENT_H
#define HF_BENCH_LOAD_CLIENT_H

#include "bench/histogram.h"
#include "bench/load_options.h"

enum load_type {
    LOAD_GET,
    LOAD_SET,
    LOAD_TOUCH,
    LOAD_TYPES,
};

struct load_results {
    uint64_t answered; /* Operations. */
    uint64_t missing;  /* GET that found nothing, EXPIRE likewise. */
    uint64_t errors;   /* Error replies. */
    uint64_t wrong;    /* Another type, length or value than was due. */
    struct histogram times[LOAD_TYPES]; /* Nanoseconds. */
};

struct load_operation {
    uint64_t due_ns;
    uint32_t session;
    uint8_t type;
    uint8_t replies; /* Still to come. */
};

struct load_client {
    int socket;
    bool writable_wanted; /* The kernel took less than there was. */
    const struct load_options *options;
    struct load_results *results;
    char *output;
    size_t output_size;
    size_t output_sent;
    size_t output_capacity;
    char *input;
    size_t input_size;
    size_t input_capacity;
    struct load_operation *ring; /* Of ring_capacity, a power of two. */
    size_t ring_capacity;
    size_t ring_first; /* Both only grow. */
    size_t ring_next;
};

/* Connects. False: errno says why. */
bool load_client_open(struct load_client *client,
                      const struct load_options *options, uint16_t port,
                      struct load_results *results);
void load_client_close(struct load_client *client);

/* Appends an operation, due at @due_ns, without sending it. */
void load_client_ask(struct load_client *client, enum load_type type,
                     uint32_t session, uint64_t due_ns);
/* Sends as much as the kernel takes. False: the connection broke. */
bool load_client_send(struct load_client *client);
/* Reads what is there and counts it, answered at what load_now_ns says after
 * the read. False: the connection broke, or did not speak RESP. */
bool load_client_receive(struct load_client *client);
/* Operations without their last answer. */
size_t load_client_pending(const struct load_client *client);

uint64_t load_now_ns(void);

#endif
