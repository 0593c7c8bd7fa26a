/* script.h - What a fuzzed script says next: numbers, times, views, commands.
 *
 * Every value is read from the script's bytes, and is most often near what the
 * node at hand expects: its epoch, the next position of a stream, the key of
 * the command before. Where the bytes end, zeros go on. What is read is read in
 * an order that C says, or another compiler would make another script of it. */
#ifndef HF_TESTS_FUZZ_SCRIPT_H
#define HF_TESTS_FUZZ_SCRIPT_H

#include "fuzz/scene.h"

#define SCRIPT_ARGUMENTS_MAX 12
#define SCRIPT_EFFECTS_MAX 256 /* Bytes that three effects take at most. */

struct script {
    struct hf_reader in;
    struct scene *scene;
    struct scene_node *node; /* Of the step. */
    unsigned who;            /* The same: whose words. */
    struct hf_mem mem;
    /* What values borrow from, until the next of their kind. */
    struct hf_buffer effects;
    struct hf_buffer tokens;
    struct hf_buffer line;
    struct hf_view view;
    struct hf_slice argv[SCRIPT_ARGUMENTS_MAX];
    struct hf_position positions[32];
    struct hf_merge_entry entries[8];
    uint8_t entry_bytes[8 * SCRIPT_EFFECTS_MAX];
    struct hf_nomination nominations[32];
};

/* One byte. */
uint8_t script_take(struct script *s);
/* Any number; extremes are likely. */
uint64_t script_take_number(struct script *s);
/* @value, or a few more or less, or any. */
uint64_t script_near(struct script *s, uint64_t value);
/* Up to @max bytes of the script itself. */
struct hf_slice script_take_bytes(struct script *s, size_t max);
hf_epoch script_take_epoch(struct script *s);
hf_epoch script_take_ballot(struct script *s);
/* Of the node's view, or of one that it came through or hands over to. */
uint64_t script_take_lineage(struct script *s);
uint16_t script_take_partition(struct script *s);
struct hf_slice script_take_key(struct script *s, uint16_t partition);
struct hf_version script_take_version(struct script *s, uint16_t partition);
struct hf_operation_id script_take_operation(struct script *s);
hf_member_set script_take_set(struct script *s);
struct hf_slice script_take_effects(struct script *s);
struct hf_reply script_take_reply(struct script *s);
/* False when it is none that a connection would let through. */
bool script_take_command(struct script *s, struct hf_command *command);
/* Any command as a client writes it, appended to @out: of the cluster protocol,
 * of transactions, of subscribers and of sessions. */
void script_take_line(struct script *s, struct hf_buffer *out);
/* The node's view, or the first one, changed; such as wire/peer.c lets through
 * but for what is wrong with single members. */
const struct hf_view *script_take_view(struct script *s);

#endif
