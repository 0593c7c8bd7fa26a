#include "script/engine.h"

static void unit_call(void *user, const struct hf_command *command,
                      struct hf_reply *reply)
{
    hf_unit_call(user, command, reply);
}

static void unit_run(void *user, struct hf_unit *unit,
                     const struct hf_command *command, struct hf_reply *reply)
{
    const struct hf_lua_world world = {
        .user = unit, .call = unit_call, .wall_ms = hf_unit_wall_ms(unit)};
    const char *stopped = hf_lua_run(user, &world, command, reply);
    if (stopped != NULL) {
        hf_unit_fail(unit, stopped);
    }
}

struct hf_script_engine hf_lua_engine(struct hf_lua *lua)
{
    return (struct hf_script_engine){.user = lua, .run = unit_run};
}
