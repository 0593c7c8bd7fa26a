/* scripts.c - What runs scripts, and what this node knows of them. */
#include <time.h>

#include "base/assert.h"
#include "io/clock.h"
#include "server/server_private.h"

static uint64_t clock_us(void *user)
{
    (void)user;
    return uv_hrtime() / 1000;
}

static uint64_t worked_us(void *user)
{
    struct timespec time;
    (void)user;
    HF_ASSERT(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time) == 0);
    return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}

static void on_request(void *user, uint64_t client, uint64_t tag,
                       const struct hf_command *command)
{
    hf_server_request(user, client, tag, command);
}

static void on_reply(void *user, uint64_t client, uint64_t tag,
                     const struct hf_reply *reply)
{
    struct hf_server *server = user;
    hf_clients_reply(server->clients, client, tag, reply);
}

int hf_server_open_scripts(struct hf_server *server)
{
    const struct hf_lua_config config = {.mem = &server->mem,
                                         .value_bytes_max =
                                             server->config.value_bytes_max,
                                         .now_us = clock_us,
                                         .worked_us = worked_us};
    const struct hf_library_host host = {
        .user = server, .request = on_request, .reply = on_reply};
    int rv = hf_lua_create(&server->lua, &config);
    if (rv == 0) {
        server->scripts = hf_lua_engine(server->lua);
        rv = hf_library_create(&server->library, &host, server->lua,
                               &server->mem);
    }
    return rv;
}

void hf_server_close_scripts(struct hf_server *server)
{
    hf_library_destroy(server->library);
    hf_lua_destroy(server->lua);
    server->library = NULL;
    server->lua = NULL;
}

void hf_server_script(struct hf_server *server, uint64_t client, uint64_t tag,
                      const struct hf_command *command)
{
    hf_library_take(server->library, client, tag, command, hf_clock_now(),
                    hf_clock_wall_ms());
}
