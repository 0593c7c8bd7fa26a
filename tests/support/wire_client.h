/* wire_client.h - A client connection without socket, for tests of src/wire.
 *
 * Behind the connection is a node that runs nothing: it notes what it is asked
 * and answers when the test says so. Failed expectations fail the test. */
#ifndef HF_TESTS_WIRE_CLIENT_H
#define HF_TESTS_WIRE_CLIENT_H

#include "wire/connection.h"

#define CLIENT_REQUESTS_MAX 4096

struct client {
    struct hf_mem system;
    struct hf_mem own;  /* What the test notes. */
    struct hf_mem *mem; /* What the connection uses. */
    struct hf_connection_host host;
    struct hf_subscriptions subscriptions;
    bool unheard; /* Other nodes do not know of subscribers here. */
    struct hf_topology topology;     /* Of no view unless the test has one. */
    struct hf_connection connection; /* Its id is 42. */
    struct hf_buffer asked;          /* "GET k\n" for each command. */
    uint64_t tags[CLIENT_REQUESTS_MAX];
    size_t count;
    bool at_once;   /* Answer with the last argument before returning. */
    size_t allowed; /* Commands that may run; many unless the test says so. */
    struct hf_buffer expected; /* "GET - GET\n" for what came together. */
};

/* What a client sends and what it should get, for tables of them. */
struct exchange {
    const char *sent;
    const char *expected;
};

void client_open(struct client *c);
/* With memory of the test's choice, which must outlive @c. */
void client_open_with(struct client *c, struct hf_mem *mem);
/* Also checks that all memory was given back. */
void client_close(struct client *c);

/* The client sends @text. */
void client_send(struct client *c, const char *text);

/* What waits to be sent to the client is @expected; it is sent. */
void client_expect(struct client *c, const char *expected);

/* The node was asked for @expected since the last call. */
void client_expect_asked(struct client *c, const char *expected);

/* The node answers the command number @index with a bulk string. */
void client_answer(struct client *c, size_t index, const char *text);

#endif
