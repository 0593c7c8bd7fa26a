#include "wire/resp.h"

#include <string.h>

#include "base/assert.h"

#define CAPACITY_MIN 8
/* What a connection keeps between commands for arguments and inline lines. */
#define CAPACITY_KEEP 256
#define LINE_KEEP_BYTES 4096
/* Of a length that is read at first sight: "$16777216". */
#define PLAIN_DIGITS_MAX 8

#define ERROR_MULTIBULK "ERR Protocol error: invalid multibulk length"
#define ERROR_MULTIBULK_LINE "ERR Protocol error: too big mbulk count string"
#define ERROR_BULK "ERR Protocol error: invalid bulk length"
#define ERROR_BULK_LINE "ERR Protocol error: too big bulk count string"
#define ERROR_INLINE "ERR Protocol error: too big inline request"
#define ERROR_QUOTES "ERR Protocol error: unbalanced quotes in request"
#define ERROR_DOLLAR "ERR Protocol error: expected '$', got '?'"

static void command_free(struct hf_resp_command *command)
{
    hf_mem_free(command->mem, command->argv,
                command->capacity * sizeof(command->argv[0]));
    hf_mem_free(command->mem, command->starts,
                command->capacity * sizeof(command->starts[0]));
    command->argv = NULL;
    command->starts = NULL;
    command->capacity = 0;
    command->argc = 0;
}

void hf_resp_command_init(struct hf_resp_command *command, struct hf_mem *mem)
{
    *command = (struct hf_resp_command){.mem = mem};
    hf_buffer_init(&command->line, mem);
}

void hf_resp_command_close(struct hf_resp_command *command)
{
    command_free(command);
    hf_buffer_close(&command->line);
}

void hf_resp_command_trim(struct hf_resp_command *command)
{
    if (command->capacity > CAPACITY_KEEP) {
        command_free(command);
    }
    if (command->line.capacity > 0) {
        hf_buffer_clear(&command->line);
        hf_buffer_trim(&command->line, LINE_KEEP_BYTES);
    }
    command->argc = 0;
}

static void command_restart(struct hf_resp_command *command)
{
    hf_resp_command_trim(command);
    command->consumed = 0;
    command->wanted = 0;
    command->expected = 0;
    command->offset = 0;
    command->error_text = NULL;
}

static enum hf_resp_status command_refuse(struct hf_resp_command *command,
                                          const char *text)
{
    command->error_text = text;
    return HF_RESP_ERROR;
}

/* Names the limit and who sets it; begins as Redis does, for clients that look
 * at the text. Nothing of the command is needed any more. */
static enum hf_resp_status refuse_size(struct hf_resp_command *command,
                                       const char *before, size_t limit)
{
    struct hf_buffer *text = &command->line;
    hf_buffer_clear(text);
    hf_buffer_append_text(text, ERROR_BULK);
    hf_buffer_append_text(text, before);
    hf_buffer_append_int64(text, (int64_t)limit);
    hf_buffer_append_text(text, " bytes: setting max-value)");
    hf_buffer_append(text, "", 1); /* Its end. */
    return command_refuse(command,
                          text->failed ? ERROR_BULK : (const char *)text->data);
}

static enum hf_resp_status command_wait(struct hf_resp_command *command,
                                        size_t wanted)
{
    command->wanted = wanted;
    return HF_RESP_PARTIAL;
}

/* Room for one more argument. Grows with what arrived, not with what was
 * announced: an announcement is free for the client. */
static bool command_reserve(struct hf_resp_command *command)
{
    if (command->argc < command->capacity) {
        return true;
    }
    uint32_t old = command->capacity;
    uint32_t capacity = old == 0 ? CAPACITY_MIN : old * 2;
    size_t *starts =
        hf_mem_alloc(command->mem, capacity * sizeof(command->starts[0]));
    if (starts == NULL) {
        return false;
    }
    struct hf_slice *argv =
        hf_mem_resize(command->mem, command->argv, old * sizeof(argv[0]),
                      capacity * sizeof(argv[0]));
    if (argv == NULL) {
        hf_mem_free(command->mem, starts, capacity * sizeof(starts[0]));
        return false;
    }
    if (old > 0) {
        memcpy(starts, command->starts, old * sizeof(starts[0]));
    }
    hf_mem_free(command->mem, command->starts, old * sizeof(starts[0]));
    command->argv = argv;
    command->starts = starts;
    command->capacity = capacity;
    return true;
}

/* The number in a line "*3\r\n" or "$5\r\n" whose sign is at @offset. */
struct length_line {
    int64_t value;
    size_t end; /* First offset after the line. */
    bool too_long;
    bool malformed;
};

/* False while the line has not ended. */
static bool length_read(struct hf_slice input, size_t offset,
                        struct length_line *line)
{
    *line = (struct length_line){0};
    size_t from = offset + 1;
    size_t size = input.size - from;
    if (size > HF_RESP_LENGTH_BYTES_MAX) {
        size = HF_RESP_LENGTH_BYTES_MAX;
    }
    const uint8_t *digits = input.data + from;
    const uint8_t *end = size == 0 ? NULL : memchr(digits, '\r', size);
    if (end == NULL) {
        line->too_long = size == HF_RESP_LENGTH_BYTES_MAX;
        return line->too_long;
    }
    struct hf_slice number = {digits, (size_t)(end - digits)};
    line->malformed = !hf_slice_to_int64(number, &line->value);
    line->end = from + number.size + 2;
    return line->malformed || line->end <= input.size;
}

static enum hf_resp_status multibulk_finish(struct hf_resp_command *command,
                                            struct hf_slice input)
{
    for (uint32_t i = 0; i < command->argc; i++) {
        command->argv[i].data = input.data + command->starts[i];
    }
    command->consumed = command->offset;
    return HF_RESP_OK;
}

static enum hf_resp_status argument_expected(struct hf_resp_command *command,
                                             uint8_t got)
{
    static const char text[] = ERROR_DOLLAR;
    _Static_assert(sizeof(text) <= sizeof(command->error_bytes), "fits");
    memcpy(command->error_bytes, text, sizeof(text));
    /* Line ends as Redis shows them; other control bytes would end the text or
     * upset a terminal. */
    if (got == '\r' || got == '\n') {
        got = ' ';
    }
    if (got >= ' ' && got <= '~') {
        command->error_bytes[sizeof(text) - sizeof("?'")] = (char)got;
    }
    return command_refuse(command, command->error_bytes);
}

/* Reads the argument at command->offset; OK moves on to the next. */
static enum hf_resp_status argument_read(struct hf_resp_command *command,
                                         struct hf_slice input,
                                         const struct hf_resp_limits *limits)
{
    size_t offset = command->offset;
    if (offset == input.size) {
        return command_wait(command, input.size + 1);
    }
    if (input.data[offset] != '$') {
        return argument_expected(command, input.data[offset]);
    }
    struct length_line line;
    if (!length_read(input, offset, &line)) {
        return command_wait(command, input.size + 1);
    }
    if (line.too_long) {
        return command_refuse(command, ERROR_BULK_LINE);
    }
    if (line.malformed || line.value < 0) {
        return command_refuse(command, ERROR_BULK);
    }
    if ((uint64_t)line.value > limits->bulk_bytes_max) {
        return refuse_size(command, " (at most ", limits->bulk_bytes_max);
    }
    size_t size = (size_t)line.value;
    size_t end = line.end + 2;
    if (end > limits->command_bytes_max ||
        size > limits->command_bytes_max - end) {
        return refuse_size(command, " (at most, for a whole command, ",
                           limits->command_bytes_max);
    }
    end += size;
    if (end > input.size) {
        return command_wait(command, end);
    }
    if (!command_reserve(command)) {
        return command_refuse(command, NULL);
    }
    command->starts[command->argc] = line.end;
    command->argv[command->argc].size = size;
    command->argc++;
    command->offset = end;
    return HF_RESP_OK;
}

static enum hf_resp_status multibulk_parse(struct hf_resp_command *command,
                                           struct hf_slice input,
                                           const struct hf_resp_limits *limits)
{
    if (command->expected == 0) {
        struct length_line line;
        if (!length_read(input, 0, &line)) {
            return command_wait(command, input.size + 1);
        }
        if (line.too_long) {
            return command_refuse(command, ERROR_MULTIBULK_LINE);
        }
        if (line.malformed || line.value > limits->argument_count_max) {
            return command_refuse(command, ERROR_MULTIBULK);
        }
        command->offset = line.end;
        if (line.value <= 0) {
            return multibulk_finish(command, input);
        }
        command->expected = (uint32_t)line.value;
    }
    while (command->argc < command->expected) {
        enum hf_resp_status status = argument_read(command, input, limits);
        if (status != HF_RESP_OK) {
            return status;
        }
    }
    return multibulk_finish(command, input);
}

/* Reads "$5\r\n" at @from. Returns the byte behind it; NULL for anything that
 * is not plain and complete. */
static const uint8_t *plain_length_read(const uint8_t *from, const uint8_t *end,
                                        uint8_t sign, size_t *value)
{
    size_t left = (size_t)(end - from);
    if (left < sizeof("$1\r\n") - 1 || from[0] != sign) {
        return NULL;
    }
    size_t sum = (size_t)from[1] - '0';
    if (sum > 9) {
        return NULL;
    }
    size_t last =
        left - 2 < PLAIN_DIGITS_MAX + 1 ? left - 2 : PLAIN_DIGITS_MAX + 1;
    size_t at = 2;
    for (; from[at] != '\r'; at++) {
        size_t digit = (size_t)from[at] - '0';
        if (digit > 9 || sum == 0 || at == last) {
            return NULL;
        }
        sum = sum * 10 + digit;
    }
    *value = sum;
    return from + at + 2;
}

size_t hf_resp_parse_plain(struct hf_slice input,
                           const struct hf_resp_limits *limits,
                           struct hf_slice *argv, uint32_t argc_max,
                           uint32_t *argc)
{
    const uint8_t *end = input.data + (input.size < limits->command_bytes_max
                                           ? input.size
                                           : limits->command_bytes_max);
    size_t count;
    const uint8_t *at = plain_length_read(input.data, end, '*', &count);
    if (at == NULL || count == 0 || count > limits->argument_count_max ||
        count > argc_max) {
        return 0;
    }
    for (uint32_t i = 0; i < count; i++) {
        size_t size;
        at = plain_length_read(at, end, '$', &size);
        if (at == NULL || size > limits->bulk_bytes_max ||
            (size_t)(end - at) < size + 2) {
            return 0;
        }
        argv[i] = (struct hf_slice){at, size};
        at += size + 2;
    }
    *argc = (uint32_t)count;
    return (size_t)(at - input.data);
}

/* The line of an inline command while it is taken apart. */
struct inline_line {
    const uint8_t *at;
    const uint8_t *end;
    uint8_t *to; /* Has room for the rest of the line. */
};

/* What isspace(3) says in the C locale. */
static bool is_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* -1 when @c is no hexadecimal digit. */
static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    uint8_t lower = c | 0x20;
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

static uint8_t escaped(uint8_t c)
{
    switch (c) {
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case 'b':
        return '\b';
    case 'a':
        return '\a';
    default:
        return c;
    }
}

/* Reads one byte inside of @quote, which is not the closing one. */
static void quoted_byte_read(struct inline_line *line, uint8_t quote)
{
    const uint8_t *at = line->at;
    size_t left = (size_t)(line->end - at);
    if (*at != '\\' || left < 2) {
        *line->to++ = *at;
        line->at += 1;
        return;
    }
    if (quote == '\'') {
        bool is_quote = at[1] == '\'';
        *line->to++ = is_quote ? '\'' : '\\';
        line->at += is_quote ? 2 : 1;
        return;
    }
    if (left >= 4 && at[1] == 'x' && hex_digit(at[2]) >= 0 &&
        hex_digit(at[3]) >= 0) {
        *line->to++ = (uint8_t)(hex_digit(at[2]) * 16 + hex_digit(at[3]));
        line->at += 4;
        return;
    }
    *line->to++ = escaped(at[1]);
    line->at += 2;
}

/* False when quotes do not match, or close in the middle of a word. */
static bool quoted_read(struct inline_line *line)
{
    uint8_t quote = *line->at++;
    while (line->at < line->end) {
        if (*line->at == quote) {
            line->at++;
            return line->at == line->end || is_space(*line->at);
        }
        quoted_byte_read(line, quote);
    }
    return false;
}

/* Reads a word up to the space after it; false as for quoted_read. */
static bool word_read(struct inline_line *line)
{
    while (line->at < line->end) {
        uint8_t c = *line->at;
        if (c == '"' || c == '\'') {
            return quoted_read(line);
        }
        /* A vertical tab or form feed separates words only where one could
         * start; sdssplitargs() of Redis has it so. */
        if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
            return true;
        }
        *line->to++ = c;
        line->at++;
    }
    return true;
}

static enum hf_resp_status inline_split(struct hf_resp_command *command,
                                        struct hf_slice text,
                                        const struct hf_resp_limits *limits)
{
    struct inline_line line = {text.data, text.data + text.size, NULL};
    line.to = hf_buffer_reserve(&command->line, text.size);
    if (line.to == NULL) {
        return command_refuse(command, NULL);
    }
    for (;;) {
        while (line.at < line.end && is_space(*line.at)) {
            line.at++;
        }
        if (line.at == line.end) {
            return HF_RESP_OK;
        }
        const uint8_t *start = line.to;
        if (!word_read(&line)) {
            return command_refuse(command, ERROR_QUOTES);
        }
        size_t size = (size_t)(line.to - start);
        if (command->argc == limits->argument_count_max) {
            return command_refuse(command, ERROR_MULTIBULK);
        }
        if (size > limits->bulk_bytes_max) {
            return refuse_size(command, " (at most ", limits->bulk_bytes_max);
        }
        if (!command_reserve(command)) {
            return command_refuse(command, NULL);
        }
        command->argv[command->argc++] = (struct hf_slice){start, size};
    }
}

static enum hf_resp_status inline_parse(struct hf_resp_command *command,
                                        struct hf_slice input,
                                        const struct hf_resp_limits *limits)
{
    size_t limit = limits->inline_bytes_max < input.size
                       ? limits->inline_bytes_max + 1
                       : input.size;
    const uint8_t *end =
        memchr(input.data + command->offset, '\n', limit - command->offset);
    if (end == NULL && input.size > limits->inline_bytes_max) {
        return command_refuse(command, ERROR_INLINE);
    }
    if (end == NULL) {
        command->offset = input.size;
        return command_wait(command, input.size + 1);
    }
    struct hf_slice text = {input.data, (size_t)(end - input.data)};
    command->consumed = text.size + 1;
    return inline_split(command, text, limits);
}

enum hf_resp_status hf_resp_parse(struct hf_resp_command *command,
                                  struct hf_slice input,
                                  const struct hf_resp_limits *limits)
{
    enum hf_resp_status status;
    if (!command->partial) {
        command_restart(command);
    }
    HF_ASSERT(command->offset <= input.size);
    if (input.size == 0) {
        status = command_wait(command, 1);
    } else if (input.data[0] == '*') {
        status = multibulk_parse(command, input, limits);
    } else {
        status = inline_parse(command, input, limits);
    }
    command->partial = status == HF_RESP_PARTIAL;
    return status;
}

#define HEAD_BYTES_MAX 24 /* A sign, an int64_t and a line end. */

/* Writes "$5\r\n" and its like to @to, which has room for HEAD_BYTES_MAX.
 * Returns the byte behind it. */
static uint8_t *head_put(uint8_t *to, char sign, int64_t value)
{
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    *to++ = (uint8_t)sign;
    if (value < 0) {
        *to++ = '-';
    }
    uint64_t beyond = 10; /* The power of ten with one digit more. */
    size_t count = 1;
    for (; count < 20 && rest >= beyond; count++) {
        beyond = count < 19 ? beyond * 10 : UINT64_MAX;
    }
    for (size_t i = count; i-- > 0; rest /= 10) {
        to[i] = (uint8_t)('0' + rest % 10);
    }
    to += count;
    *to++ = '\r';
    *to++ = '\n';
    return to;
}

static void head_write(struct hf_buffer *out, char sign, int64_t value)
{
    uint8_t *to = hf_buffer_reserve(out, HEAD_BYTES_MAX);
    if (to != NULL) {
        hf_buffer_commit(out, (size_t)(head_put(to, sign, value) - to));
    }
}

static void bulk_write(struct hf_buffer *out, struct hf_slice bytes)
{
    uint8_t *start = hf_buffer_reserve(out, HEAD_BYTES_MAX + bytes.size + 2);
    if (start == NULL) {
        return;
    }
    uint8_t *to = head_put(start, '$', (int64_t)bytes.size);
    if (bytes.size > 0) {
        memcpy(to, bytes.data, bytes.size);
    }
    to += bytes.size;
    *to++ = '\r';
    *to++ = '\n';
    hf_buffer_commit(out, (size_t)(to - start));
}

static void line_write(struct hf_buffer *out, char sign, struct hf_slice text)
{
    uint8_t *to = hf_buffer_reserve(out, text.size + 3);
    if (to == NULL) {
        return;
    }
    *to++ = (uint8_t)sign;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        *to++ = c == '\r' || c == '\n' ? ' ' : c;
    }
    memcpy(to, "\r\n", 2);
    hf_buffer_commit(out, text.size + 3);
}

static void token_write(struct hf_buffer *out, const struct hf_token *token,
                        int version)
{
    bool flat = version < 3;
    switch (token->kind) {
    case HF_TOKEN_NIL:
        hf_buffer_append_text(out, flat ? "$-1\r\n" : "_\r\n");
        break;
    case HF_TOKEN_NIL_ARRAY:
        hf_buffer_append_text(out, flat ? "*-1\r\n" : "_\r\n");
        break;
    case HF_TOKEN_STATUS:
        line_write(out, '+', token->bytes);
        break;
    case HF_TOKEN_ERROR:
        line_write(out, '-', token->bytes);
        break;
    case HF_TOKEN_INTEGER:
        head_write(out, ':', token->integer);
        break;
    case HF_TOKEN_VERBATIM:
        if (!flat) {
            head_write(out, '=', (int64_t)token->bytes.size + 4);
            hf_buffer_append(out, "txt:", 4);
            hf_buffer_append_slice(out, token->bytes);
            hf_buffer_append(out, "\r\n", 2);
            break;
        }
        bulk_write(out, token->bytes);
        break;
    case HF_TOKEN_BULK:
        bulk_write(out, token->bytes);
        break;
    case HF_TOKEN_ARRAY:
        head_write(out, '*', token->count);
        break;
    case HF_TOKEN_MAP:
        head_write(out, flat ? '*' : '%',
                   flat ? 2 * (int64_t)token->count : token->count);
        break;
    case HF_TOKEN_SET:
        head_write(out, flat ? '*' : '~', token->count);
        break;
    case HF_TOKEN_DOUBLE:
        if (!flat) {
            line_write(out, ',', token->bytes);
            break;
        }
        bulk_write(out, token->bytes);
        break;
    case HF_TOKEN_PAIRS:
        head_write(out, '*', flat ? 2 * (int64_t)token->count : token->count);
        break;
    case HF_TOKEN_PAIR:
        if (!flat) {
            head_write(out, '*', 2);
        }
        break;
    case HF_TOKEN_PUSH:
        head_write(out, flat ? '*' : '>', token->count);
        break;
    }
}

static void nested_write(struct hf_buffer *out, struct hf_slice tokens,
                         int version)
{
    size_t start = out->size;
    struct hf_reader reader = hf_reader_of(tokens);
    struct hf_token token;
    uint64_t open = 1; /* Values still to come. */
    while (open > 0 && hf_token_next(&reader, &token)) {
        open--;
        open += hf_token_elements(&token);
        token_write(out, &token, version);
    }
    if (open > 0 || hf_reader_left(&reader) > 0) {
        out->failed = true;
    }
    if (out->failed) {
        out->size = start;
    }
}

void hf_resp_write(struct hf_buffer *out, const struct hf_reply *reply,
                   int version)
{
    if (reply->kind == HF_REPLY_BULK) { /* Most of them. */
        bulk_write(out, reply->bytes);
        return;
    }
    if (reply->kind == HF_REPLY_NESTED) {
        nested_write(out, reply->bytes, version);
        return;
    }
    static const enum hf_token_kind kinds[] = {
        [HF_REPLY_NIL] = HF_TOKEN_NIL,
        [HF_REPLY_STATUS] = HF_TOKEN_STATUS,
        [HF_REPLY_ERROR] = HF_TOKEN_ERROR,
        [HF_REPLY_INTEGER] = HF_TOKEN_INTEGER,
    };
    struct hf_token token = {.kind = kinds[reply->kind],
                             .integer = reply->integer,
                             .bytes = reply->bytes};
    size_t start = out->size;
    token_write(out, &token, version);
    if (out->failed) {
        out->size = start;
    }
}
