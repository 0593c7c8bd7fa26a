#include "bench/load_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define INPUT_BYTES_MIN 65536
#define COMMAND_BYTES 192 /* Of an operation, without its value. */
#define DIGITS 8

uint64_t load_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void *must_resize(void *memory, size_t bytes)
{
    memory = realloc(memory, bytes);
    if (memory == NULL) {
        fprintf(stderr, "load: out of memory\n");
        exit(1);
    }
    return memory;
}

static bool socket_connect(int fd, uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int on = 1;
    return connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
           setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0 &&
           fcntl(fd, F_SETFL, O_NONBLOCK) == 0;
}

bool load_client_open(struct load_client *client,
                      const struct load_options *options, uint16_t port,
                      struct load_results *results)
{
    *client = (struct load_client){.options = options, .results = results};
    client->socket = socket(AF_INET, SOCK_STREAM, 0);
    if (client->socket < 0) {
        return false;
    }
    if (!socket_connect(client->socket, port)) {
        int reason = errno;
        close(client->socket);
        errno = reason;
        return false;
    }
    client->input_capacity = INPUT_BYTES_MIN + 2 * options->value_bytes;
    client->input = must_resize(NULL, client->input_capacity);
    return true;
}

void load_client_close(struct load_client *client)
{
    close(client->socket);
    free(client->output);
    free(client->input);
    free(client->ring);
}

size_t load_client_pending(const struct load_client *client)
{
    return client->ring_next - client->ring_first;
}

static void ring_grow(struct load_client *client)
{
    size_t capacity = client->ring_capacity;
    size_t grown = capacity == 0 ? 16 : 2 * capacity;
    struct load_operation *ring = must_resize(NULL, grown * sizeof(*ring));
    for (size_t i = client->ring_first; i < client->ring_next; i++) {
        ring[i & (grown - 1)] = client->ring[i & (capacity - 1)];
    }
    free(client->ring);
    client->ring = ring;
    client->ring_capacity = grown;
}

static void output_reserve(struct load_client *client, size_t bytes)
{
    if (client->output_sent == client->output_size) {
        client->output_sent = 0;
        client->output_size = 0;
    }
    if (client->output_size + bytes > client->output_capacity) {
        client->output_capacity = 2 * (client->output_size + bytes);
        client->output = must_resize(client->output, client->output_capacity);
    }
}

static void put_digits(char *at, uint32_t number)
{
    for (size_t i = DIGITS; i-- > 0;) {
        at[i] = (char)('0' + number % 10);
        number /= 10;
    }
}

static char *put_text(char *at, const char *text)
{
    size_t size = strlen(text);
    memcpy(at, text, size);
    return at + size;
}

static char *put_key(char *at, uint32_t session)
{
    at = put_text(at, "$13\r\nsess:");
    put_digits(at, session);
    return put_text(at + DIGITS, "\r\n");
}

/* "$4\r\n3600\r\n" */
static char *put_number(char *at, unsigned number)
{
    char digits[16];
    int size = snprintf(digits, sizeof(digits), "%u", number);
    return at + snprintf(at, 32, "$%d\r\n%s\r\n", size, digits);
}

static char *put_set(const struct load_client *client, char *at,
                     uint32_t session)
{
    const struct load_options *options = client->options;
    at = put_key(put_text(at, "*5\r\n$3\r\nSET\r\n"), session);
    at += snprintf(at, 16, "$%u\r\n", options->value_bytes);
    memset(at, 'v', options->value_bytes);
    put_digits(at, session);
    at = put_text(at + options->value_bytes, options->expire_at > 0
                                                 ? "\r\n$4\r\nEXAT\r\n"
                                                 : "\r\n$2\r\nEX\r\n");
    at = put_number(at, options->expire_at > 0 ? options->expire_at
                                               : options->ttl_seconds);
    if (options->wait > 0) {
        at = put_text(at, "*3\r\n$4\r\nWAIT\r\n");
        at = put_text(put_number(at, options->wait), "$4\r\n1000\r\n");
    }
    return at;
}

void load_client_ask(struct load_client *client, enum load_type type,
                     uint32_t session, uint64_t due_ns)
{
    if (load_client_pending(client) == client->ring_capacity) {
        ring_grow(client);
    }
    bool waits = type == LOAD_SET && client->options->wait > 0;
    size_t place = client->ring_next++ & (client->ring_capacity - 1);
    client->ring[place] = (struct load_operation){
        due_ns, session, (uint8_t)type, (uint8_t)(waits ? 2 : 1)};
    output_reserve(client, COMMAND_BYTES + client->options->value_bytes);
    char *at = client->output + client->output_size;
    switch (type) {
    case LOAD_SET:
        at = put_set(client, at, session);
        break;
    case LOAD_TOUCH:
        at = put_key(put_text(at, "*3\r\n$6\r\nEXPIRE\r\n"), session);
        at = put_number(at, client->options->ttl_seconds);
        break;
    case LOAD_GET:
    case LOAD_TYPES:
        at = put_key(put_text(at, "*2\r\n$3\r\nGET\r\n"), session);
        break;
    }
    client->output_size = (size_t)(at - client->output);
}

bool load_client_send(struct load_client *client)
{
    while (client->output_sent < client->output_size) {
        ssize_t sent =
            send(client->socket, client->output + client->output_sent,
                 client->output_size - client->output_sent, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent < 0) {
            client->writable_wanted = errno == EAGAIN;
            return client->writable_wanted;
        }
        client->output_sent += (size_t)sent;
    }
    client->writable_wanted = false;
    return true;
}

/* One answer: its first byte, the number in its first line, and the bulk that
 * followed. */
struct answer {
    char type;
    long long number;
    const char *bulk; /* NULL: none. */
};

/* Returns the bytes of the first answer in @input, 0 when it is not complete,
 * -1 when this is not an answer that we could have asked for. */
static ssize_t answer_read(const char *input, size_t size,
                           struct answer *answer)
{
    const char *end = memchr(input, '\n', size < 512 ? size : 512);
    if (end == NULL) {
        return size < 512 ? 0 : -1;
    }
    size_t line = (size_t)(end - input) + 1;
    *answer = (struct answer){.type = input[0]};
    if (strchr("+-:$", input[0]) == NULL || line < 3) {
        return -1;
    }
    if (input[0] == '+' || input[0] == '-') {
        return (ssize_t)line;
    }
    answer->number = strtoll(input + 1, NULL, 10);
    if (input[0] == ':' || answer->number < 0) {
        return (ssize_t)line;
    }
    if (answer->number > (1 << 20)) {
        return -1;
    }
    answer->bulk = input + line;
    line += (size_t)answer->number + 2;
    return line <= size ? (ssize_t)line : 0;
}

static bool bulk_fits(const struct load_client *client,
                      const struct load_operation *operation,
                      const struct answer *answer)
{
    char digits[DIGITS];
    put_digits(digits, operation->session);
    return answer->type == '$' && answer->bulk != NULL &&
           answer->number == (long long)client->options->value_bytes &&
           memcmp(answer->bulk, digits, DIGITS) == 0;
}

static void answer_check(const struct load_client *client,
                         const struct load_operation *operation,
                         const struct answer *answer)
{
    struct load_results *results = client->results;
    bool fits = false;
    switch ((enum load_type)operation->type) {
    case LOAD_GET:
        if (answer->type == '$' && answer->number < 0) {
            results->missing++;
            return;
        }
        fits = bulk_fits(client, operation, answer);
        break;
    case LOAD_SET:
        fits = answer->type == '+';
        if (client->options->wait > 0 && operation->replies == 1) {
            fits = answer->type == ':' &&
                   answer->number >= (long long)client->options->wait;
        }
        break;
    case LOAD_TOUCH:
    case LOAD_TYPES:
        fits = answer->type == ':' && answer->number == 1;
        if (answer->type == ':' && answer->number == 0) {
            results->missing++;
            return;
        }
        break;
    }
    if (answer->type == '-') {
        results->errors++;
    } else if (!fits) {
        results->wrong++;
    }
}

static bool answer_take(struct load_client *client, const struct answer *answer,
                        uint64_t now)
{
    if (load_client_pending(client) == 0) {
        return false;
    }
    struct load_results *results = client->results;
    size_t place = client->ring_first & (client->ring_capacity - 1);
    struct load_operation *operation = &client->ring[place];
    answer_check(client, operation, answer);
    if (--operation->replies == 0) {
        histogram_add(&results->times[operation->type],
                      now > operation->due_ns ? now - operation->due_ns : 0);
        results->answered++;
        client->ring_first++;
    }
    return true;
}

static bool input_take(struct load_client *client, uint64_t now)
{
    size_t done = 0;
    while (done < client->input_size) {
        struct answer answer;
        ssize_t bytes = answer_read(client->input + done,
                                    client->input_size - done, &answer);
        if (bytes == 0) {
            break;
        }
        if (bytes < 0 || !answer_take(client, &answer, now)) {
            fprintf(stderr, "load: an answer that nothing asked for\n");
            return false;
        }
        done += (size_t)bytes;
    }
    client->input_size -= done;
    memmove(client->input, client->input + done, client->input_size);
    return true;
}

bool load_client_receive(struct load_client *client)
{
    for (;;) {
        size_t room = client->input_capacity - client->input_size;
        ssize_t got =
            recv(client->socket, client->input + client->input_size, room, 0);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return got < 0 && errno == EAGAIN;
        }
        client->input_size += (size_t)got;
        if (!input_take(client, load_now_ns())) {
            return false;
        }
        if ((size_t)got < room) {
            return true;
        }
    }
}
