/* unit.h - Several commands as one write.
 *
 * MULTI/EXEC, commands about two keys and scripts are units: commands on keys
 * of one partition that its primary carries out one after the other, each
 * seeing what those before it did, while nobody else sees anything. In the end
 * what they did becomes one record with one version, which every copy applies
 * as a whole or not at all, and one answer, which is remembered for retries.
 *
 *   begin --> call --> call --> ... --> end: nothing, or one record
 *               |
 *           fail --------------------> end: nothing, an error
 *
 * Until the end the sessions that the unit changed are in a table of their own
 * beside the partition's (core/overlay.h). A command that ends in an error has
 * no effects, and the unit goes on.
 *
 * All here is for whoever carries out a unit while it is open, which is within
 * one call of hf_node_step. */
#ifndef HF_CORE_UNIT_H
#define HF_CORE_UNIT_H

#include "core/command.h"

/* What the effects of one unit may take. */
#define HF_UNIT_EFFECTS_MAX ((size_t)32 << 20)

struct hf_unit;

/* Carries out one command of the unit: of a route on keys (KEY, KEYS), or one
 * that the script engine runs. @command and what it borrows must last for this
 * call only. The reply, never a request to wait, is valid until the next call
 * on this unit. An error reply, and no effects, when a key is not of the unit's
 * partition ("CROSSSLOT ..."), is too long, when the number of arguments or the
 * route does not fit, or the unit has failed. */
void hf_unit_call(struct hf_unit *unit, const struct hf_command *command,
                  struct hf_reply *reply);

/* Gives the unit up: nothing of it is applied, and its answer is the error
 * @text, static text with its code. The first such call decides. */
void hf_unit_fail(struct hf_unit *unit, const char *text);

/* Whether some command of it had effects so far. */
bool hf_unit_has_effects(const struct hf_unit *unit);

/* Unix time in ms when it began; it does not move while the unit is open. */
int64_t hf_unit_wall_ms(const struct hf_unit *unit);

/* What runs the commands of route HF_ROUTE_SCRIPT, each as a unit of its own or
 * as part of one. A node without an engine answers them by an error. */
struct hf_script_engine {
    void *user;
    /* Carries out @command by hf_unit_call on @unit, whose partition is that of
     * its keys. The reply may borrow from @command and from whatever stays as
     * it is until the next call of `run`. Must not keep anything of either. */
    void (*run)(void *user, struct hf_unit *unit,
                const struct hf_command *command, struct hf_reply *reply);
};

#endif
