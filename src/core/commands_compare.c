/* What is done only when the value is, or is not, what the client saw. */
#include "base/hash.h"
#include "core/commands.h"

#define TEXT_DIGEST "ERR must be exactly 16 hexadecimal characters"
#define TEXT_NOT_STRING                                                        \
    "ERR Key should be of string type if conditions are specified"
#define TEXT_CONDITION "ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE"

#define DIGEST_CHARS 16

enum hf_compare hf_compare_parse(struct hf_slice word)
{
    static const struct {
        const char *name;
        enum hf_compare compare;
    } words[] = {
        {"ifeq", HF_COMPARE_EQUAL},
        {"ifne", HF_COMPARE_UNEQUAL},
        {"ifdeq", HF_COMPARE_DIGEST_EQUAL},
        {"ifdne", HF_COMPARE_DIGEST_UNEQUAL},
    };
    for (size_t i = 0; i < HF_ARRAY_COUNT(words); i++) {
        if (hf_slice_equal_nocase(word, words[i].name)) {
            return words[i].compare;
        }
    }
    return HF_COMPARE_NONE;
}

static void digest_of(struct hf_slice value, char text[DIGEST_CHARS + 1])
{
    uint64_t digest = hf_hash(value);
    for (size_t i = DIGEST_CHARS; i-- > 0; digest >>= 4) {
        text[i] = "0123456789abcdef"[digest & 15];
    }
    text[DIGEST_CHARS] = '\0';
}

bool hf_compare_holds(struct hf_apply *apply, enum hf_compare compare,
                      struct hf_slice value, struct hf_slice operand,
                      bool *holds)
{
    bool equal;
    if (compare == HF_COMPARE_EQUAL || compare == HF_COMPARE_UNEQUAL) {
        equal = hf_slice_equal(value, operand);
    } else if (operand.size == DIGEST_CHARS) {
        char text[DIGEST_CHARS + 1];
        digest_of(value, text);
        equal = hf_slice_equal_nocase(operand, text);
    } else {
        apply->reply = hf_reply_error(TEXT_DIGEST);
        return false;
    }
    *holds = equal == (compare == HF_COMPARE_EQUAL ||
                       compare == HF_COMPARE_DIGEST_EQUAL);
    return true;
}

void hf_apply_digest(struct hf_apply *apply, const struct hf_command *command)
{
    (void)command;
    const struct hf_session *session;
    if (!hf_apply_typed(apply, HF_SESSION_STRING, &session)) {
        return;
    }
    if (session == NULL) {
        apply->reply = hf_reply_nil();
        return;
    }
    char text[DIGEST_CHARS + 1];
    digest_of(hf_session_value(session), text);
    hf_apply_bulk_copy(apply, hf_slice_text(text));
}

/* Deletes @session if its value compares. */
static void delete_if(struct hf_apply *apply, const struct hf_command *command,
                      enum hf_compare compare, struct hf_slice operand,
                      const struct hf_session *session)
{
    bool holds = false;
    if (session != NULL &&
        !hf_compare_holds(apply, compare, hf_session_value(session), operand,
                          &holds)) {
        return;
    }
    if (holds) {
        hf_apply_delete(apply, command);
    }
    apply->reply = hf_reply_integer(holds ? 1 : 0);
}

void hf_apply_delifeq(struct hf_apply *apply, const struct hf_command *command)
{
    const struct hf_session *session;
    if (hf_apply_typed(apply, HF_SESSION_STRING, &session)) {
        delete_if(apply, command, HF_COMPARE_EQUAL, command->argv[2], session);
    }
}

void hf_apply_delex(struct hf_apply *apply, const struct hf_command *command)
{
    const struct hf_session *session = hf_apply_session(apply);
    if (command->argc == 2) {
        hf_apply_del(apply, command);
        return;
    }
    if (command->argc != 4) {
        hf_apply_refuse(apply, command, "wrong number of arguments for",
                        "command");
        return;
    }
    enum hf_compare compare = hf_compare_parse(command->argv[2]);
    if (session != NULL && hf_session_type(session) != HF_SESSION_STRING) {
        apply->reply = hf_reply_error(TEXT_NOT_STRING);
    } else if (session != NULL && compare == HF_COMPARE_NONE) {
        apply->reply = hf_reply_error(TEXT_CONDITION);
    } else {
        delete_if(apply, command, compare, command->argv[3], session);
    }
}
