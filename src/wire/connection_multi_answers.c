/* connection_multi_answers.c - One array out of what the parts of a transaction
 * were answered. */
#include "core/placement.h"
#include "wire/connection_commands.h"
#include "wire/connection_multi_private.h"

static const char changed_text[] =
    "ERR a watched key changed after other parts of the transaction were "
    "carried out; this part was not";

/* The next whole value of @reader. */
static struct hf_slice value_next(struct hf_reader *reader)
{
    size_t start = reader->offset;
    struct hf_token token;
    uint64_t left = 1;
    while (left > 0 && hf_token_next(reader, &token)) {
        left += hf_token_elements(&token) - 1;
    }
    return (struct hf_slice){reader->data + start, reader->offset - start};
}

static void put_error(struct hf_buffer *out, const char *text)
{
    hf_reply_put_error(out, hf_slice_text(text));
}

/* The part's answer to the next command it has a share in. */
static struct hf_slice part_next(struct hf_multi_part *part)
{
    return part->error.data != NULL ? part->error : value_next(&part->reader);
}

/* What one of several parts says of a command on many keys. */
static bool join_value(struct hf_multi *multi, struct hf_slice value,
                       int64_t *sum)
{
    struct hf_reader reader = hf_reader_of(value);
    struct hf_token token = {.kind = HF_TOKEN_NIL};
    if (!hf_token_next(&reader, &token)) {
        put_error(&multi->joined, "ERR the stored answer is damaged");
        return false;
    }
    if (token.kind == HF_TOKEN_ERROR) {
        hf_buffer_append_slice(&multi->joined, value);
        return false;
    }
    *sum += token.kind == HF_TOKEN_INTEGER ? token.integer : 0;
    return true;
}

/* The answer to a command on keys of several partitions: an error of any of
 * them, or all of them together. */
static void join_parts(struct hf_multi *multi, const struct hf_command *command)
{
    int64_t sum = 0;
    uint32_t keys = 0;
    struct hf_slice key;
    struct hf_buffer *joined = &multi->joined;
    bool good = true;
    hf_buffer_clear(joined);
    for (uint32_t i = 0; i < multi->part_count; i++) {
        multi->parts[i].answered = false; /* None has its share here yet. */
    }
    while (hf_command_key(command, keys, &key)) {
        keys++;
    }
    struct hf_buffer *places = &multi->share; /* Of each part: its answer. */
    hf_buffer_clear(places);
    size_t size = multi->part_count * sizeof(struct hf_reader);
    void *place = hf_buffer_reserve(places, size);
    if (place == NULL) {
        joined->failed = true;
        return;
    }
    struct hf_reader *readers = place;
    for (uint32_t i = 0; hf_command_key(command, i, &key); i++) {
        struct hf_multi_part *part =
            hf_multi_part_of(multi, hf_partition_of_key(key));
        if (part->answered) {
            continue;
        }
        part->answered = true;
        struct hf_slice value = part_next(part);
        readers[part - multi->parts] = hf_reader_of(value);
        good = good && join_value(multi, value, &sum);
    }
    if (!good) {
        return;
    }
    if (command->row->gather == HF_GATHER_SUM) {
        hf_reply_put_integer(joined, sum);
    } else if (command->row->gather == HF_GATHER_OK) {
        hf_reply_put_status(joined, HF_SLICE_LITERAL("OK"));
    } else {
        hf_reply_put_array(joined, keys);
        for (uint32_t i = 0; i < multi->part_count; i++) {
            struct hf_token header;
            if (multi->parts[i].answered &&
                !hf_token_next(&readers[i], &header)) {
                joined->failed = true;
            }
        }
        for (uint32_t i = 0; hf_command_key(command, i, &key); i++) {
            struct hf_multi_part *part =
                hf_multi_part_of(multi, hf_partition_of_key(key));
            hf_buffer_append_slice(joined,
                                   value_next(&readers[part - multi->parts]));
        }
    }
}

/* Appends the answer to @command, of the step that has ended. */
void hf_multi_answer_command(struct hf_connection *connection,
                             const struct hf_command *command)
{
    struct hf_multi *multi = connection->multi;
    if (hf_multi_is_local(command)) {
        struct hf_reply reply = command->row->section == HF_SECTION_TRANSACTION
                                    ? hf_reply_ok() /* UNWATCH */
                                    : hf_connection_run(connection, command);
        connection->broken |=
            connection->tokens.failed || connection->text.failed;
        hf_reply_encode(&reply, &multi->answers);
        hf_buffer_clear(&connection->tokens);
        hf_buffer_clear(&connection->text);
    } else if (!hf_multi_is_of_units(command)) {
        hf_buffer_append_slice(&multi->answers,
                               hf_buffer_slice(&multi->parts[0].tokens));
    } else if (command->row->route == HF_ROUTE_KEYS &&
               !hf_command_is_of_one_partition(command)) {
        join_parts(multi, command);
        hf_buffer_append_slice(&multi->answers,
                               hf_buffer_slice(&multi->joined));
        multi->answers.failed |= multi->joined.failed;
    } else {
        struct hf_multi_part *part =
            hf_multi_part_of(multi, hf_command_partition(command));
        hf_buffer_append_slice(&multi->answers, part_next(part));
    }
}

/* Reads what the node said to @part. */
void hf_multi_part_open(struct hf_multi *multi, struct hf_multi_part *part)
{
    part->reader = hf_reader_of(hf_buffer_slice(&part->tokens));
    struct hf_token token = {.kind = HF_TOKEN_NIL_ARRAY};
    if (!hf_token_next(&part->reader, &token) || token.kind != HF_TOKEN_ARRAY) {
        if (token.kind != HF_TOKEN_ERROR) {
            hf_buffer_clear(&part->tokens);
            put_error(&part->tokens, changed_text);
            multi->answers.failed |= part->tokens.failed;
        }
        part->error = hf_buffer_slice(&part->tokens);
    }
}
