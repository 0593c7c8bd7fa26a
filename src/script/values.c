/* values.c - From replies to values of Lua and back.
 *
 *   reply          Lua                      Lua            reply
 *   nil            false                    nil, false     nil
 *   status         { ok = "text" }          true           1
 *   error          { err = "CODE text" }    number         integer, cut
 *   integer        number                   string         bulk
 *   bulk           string                   { ok = s }     status
 *   double         string                   { err = s }    error
 *   array, set     table                    table          array up to nil
 *   map, pairs     table: key, value ...
 */
#include <string.h>

#include "script/engine_private.h"

/* A bit below the limit of replies, so that whoever wraps one may. */
#define DEPTH_MAX (HF_REPLY_DEPTH_MAX - 1)
/* A few tables that hold each other many times are a very large answer. */
#define VALUES_MAX 1000000
#define VALUES_LOOK 1000

static void push_slice(lua_State *state, struct hf_slice slice)
{
    lua_pushlstring(state, (const char *)slice.data, slice.size);
}

static void push_field(lua_State *state, const char *name,
                       struct hf_slice value)
{
    lua_createtable(state, 0, 1);
    push_slice(state, value);
    lua_setfield(state, -2, name);
}

static void push_tokens(lua_State *state, struct hf_reader *reader);

/* As RESP2 has them: one array without pairs in it. */
static void push_pairs(lua_State *state, struct hf_reader *reader,
                       uint32_t count)
{
    lua_createtable(state, count < 32768 ? (int)count * 2 : 65536, 0);
    for (uint32_t i = 0; i < 2 * count; i++) {
        struct hf_token pair;
        if (i % 2 == 0 && !hf_token_next(reader, &pair)) {
            luaL_error(state, "a reply could not be read");
            return;
        }
        push_tokens(state, reader);
        lua_rawseti(state, -2, (int)i + 1);
    }
}

/* The next complete value of @reader. */
static void push_tokens(lua_State *state, struct hf_reader *reader)
{
    struct hf_token token;
    luaL_checkstack(state, 4, "a reply is nested too deep");
    if (!hf_token_next(reader, &token)) {
        luaL_error(state, "a reply could not be read");
        return;
    }
    uint32_t count = token.count;
    switch (token.kind) {
    case HF_TOKEN_NIL:
    case HF_TOKEN_NIL_ARRAY:
        lua_pushboolean(state, 0);
        return;
    case HF_TOKEN_STATUS:
        push_field(state, "ok", token.bytes);
        return;
    case HF_TOKEN_ERROR:
        push_field(state, "err", token.bytes);
        return;
    case HF_TOKEN_INTEGER:
        lua_pushnumber(state, (lua_Number)token.integer);
        return;
    case HF_TOKEN_BULK:
    case HF_TOKEN_VERBATIM:
    case HF_TOKEN_DOUBLE:
        push_slice(state, token.bytes);
        return;
    case HF_TOKEN_MAP:
        count *= 2;
        break;
    case HF_TOKEN_PAIRS:
        push_pairs(state, reader, count);
        return;
    case HF_TOKEN_ARRAY:
    case HF_TOKEN_SET:
    case HF_TOKEN_PAIR:
    case HF_TOKEN_PUSH:
        break;
    }
    lua_createtable(state, count < 65536 ? (int)count : 65536, 0);
    for (uint32_t i = 0; i < count; i++) {
        push_tokens(state, reader);
        lua_rawseti(state, -2, (int)i + 1);
    }
}

void hf_lua_push_reply(lua_State *state, const struct hf_reply *reply)
{
    switch (reply->kind) {
    case HF_REPLY_NIL:
        lua_pushboolean(state, 0);
        return;
    case HF_REPLY_STATUS:
        push_field(state, "ok", reply->bytes);
        return;
    case HF_REPLY_ERROR:
        push_field(state, "err", reply->bytes);
        return;
    case HF_REPLY_INTEGER:
        lua_pushnumber(state, (lua_Number)reply->integer);
        return;
    case HF_REPLY_BULK:
        push_slice(state, reply->bytes);
        return;
    case HF_REPLY_NESTED: {
        struct hf_reader reader = hf_reader_of(reply->bytes);
        push_tokens(state, &reader);
        return;
    }
    }
}

void hf_lua_push_error(lua_State *state, const char *text, size_t size)
{
    if (size > 0 && text[0] == '-') {
        text++;
        size--;
    }
    bool coded = size > 0 && memchr(text, ' ', size) != NULL;
    lua_createtable(state, 0, 1);
    lua_pushstring(state, coded ? "" : "ERR ");
    lua_pushlstring(state, text, size);
    lua_concat(state, 2);
    lua_setfield(state, -2, "err");
}

/* Cut to an integer as a conversion in C does it on our machines, but defined
 * for all numbers. */
static int64_t integer_of(lua_Number number)
{
    if (number >= -0x1p63 && number < 0x1p63) {
        return (int64_t)number;
    }
    return INT64_MIN;
}

/* A status or an error is one line. */
static void write_line(lua_State *state, struct hf_buffer *out, bool error)
{
    size_t size;
    const char *text = lua_tolstring(state, -1, &size);
    const struct hf_slice slice = {(const uint8_t *)text, size};
    size_t at = out->size;
    if (error) {
        hf_reply_put_error(out, slice);
    } else {
        hf_reply_put_status(out, slice);
    }
    for (size_t i = out->size - size; i > at && i < out->size; i++) {
        if (out->data[i] == '\r' || out->data[i] == '\n') {
            out->data[i] = ' ';
        }
    }
}

/* Whether the table on top has the field @name, a string, which is then on top
 * of it. */
static bool get_field(lua_State *state, const char *name)
{
    lua_pushstring(state, name);
    lua_rawget(state, -2);
    if (lua_type(state, -1) == LUA_TSTRING) {
        return true;
    }
    lua_pop(state, 1);
    return false;
}

static void write_value(lua_State *state, struct hf_buffer *out, int depth);

static void write_table(lua_State *state, struct hf_buffer *out, int depth)
{
    bool error = get_field(state, "err");
    if (error || get_field(state, "ok")) {
        write_line(state, out, error);
        lua_pop(state, 1);
        return;
    }
    if (depth >= DEPTH_MAX) {
        luaL_error(state, "the script's answer is nested too deep");
    }
    uint32_t count = 0;
    for (bool more = true; more;) {
        lua_rawgeti(state, -1, (int)count + 1);
        more = !lua_isnil(state, -1);
        count += more ? 1 : 0;
        lua_pop(state, 1);
    }
    hf_reply_put_array(out, count);
    for (uint32_t i = 1; i <= count; i++) {
        lua_rawgeti(state, -1, (int)i);
        write_value(state, out, depth + 1);
        lua_pop(state, 1);
    }
}

static void count_value(lua_State *state)
{
    struct hf_lua *lua = hf_lua_of(state);
    if (++lua->values > VALUES_MAX) {
        luaL_error(state, "the script's answer has more than %d values",
                   VALUES_MAX);
    }
    if (lua->values % VALUES_LOOK == 0) {
        hf_lua_look_at_time(state);
    }
}

static void write_value(lua_State *state, struct hf_buffer *out, int depth)
{
    size_t size;
    count_value(state);
    luaL_checkstack(state, 4, "the script's answer is nested too deep");
    switch (lua_type(state, -1)) {
    case LUA_TSTRING: {
        const char *text = lua_tolstring(state, -1, &size);
        hf_reply_put_bulk(out, (struct hf_slice){(const uint8_t *)text, size});
        break;
    }
    case LUA_TNUMBER:
        hf_reply_put_integer(out, integer_of(lua_tonumber(state, -1)));
        break;
    case LUA_TBOOLEAN:
        if (lua_toboolean(state, -1)) {
            hf_reply_put_integer(out, 1);
        } else {
            hf_reply_put_nil(out);
        }
        break;
    case LUA_TTABLE:
        write_table(state, out, depth);
        break;
    default:
        hf_reply_put_nil(out);
        break;
    }
    if (out->size > HF_REPLY_BYTES_MAX) {
        luaL_error(state, "the script's answer would be larger than 32 MiB");
    }
}

void hf_lua_write_value(lua_State *state, struct hf_buffer *out)
{
    hf_lua_of(state)->values = 0;
    write_value(state, out, 0);
}
