#include "core/commands.h"

/* The options of SET and GETEX. */
struct set_options {
    bool if_missing; /* NX */
    bool if_exists;  /* XX */
    bool get;
    bool keep_ttl;
    bool persist;
    bool timed; /* EX, PX, EXAT or PXAT. */
    struct hf_time_unit unit;
    struct hf_slice time;
    enum hf_compare compare; /* IFEQ and its like, with what. */
    struct hf_slice operand;
};

static bool time_option(struct hf_slice name, struct hf_time_unit *unit)
{
    static const struct {
        const char *name;
        struct hf_time_unit unit;
    } options[] = {
        {"ex", {.seconds = true, .absolute = false}},
        {"px", {.seconds = false, .absolute = false}},
        {"exat", {.seconds = true, .absolute = true}},
        {"pxat", {.seconds = false, .absolute = true}},
    };
    for (size_t i = 0; i < HF_ARRAY_COUNT(options); i++) {
        if (hf_slice_equal_nocase(name, options[i].name)) {
            *unit = options[i].unit;
            return true;
        }
    }
    return false;
}

/* An option without an argument. False when it is none, or does not go with
 * those before it. */
static bool set_flag_option(struct set_options *options, struct hf_slice name)
{
    bool *flag = NULL;
    bool refused = false;
    if (hf_slice_equal_nocase(name, "nx")) {
        flag = &options->if_missing;
        refused = options->if_exists || options->compare != HF_COMPARE_NONE;
    } else if (hf_slice_equal_nocase(name, "xx")) {
        flag = &options->if_exists;
        refused = options->if_missing || options->compare != HF_COMPARE_NONE;
    } else if (hf_slice_equal_nocase(name, "get")) {
        flag = &options->get;
    } else if (hf_slice_equal_nocase(name, "keepttl")) {
        flag = &options->keep_ttl;
        refused = options->timed;
    }
    if (flag == NULL || refused) {
        return false;
    }
    *flag = true;
    return true;
}

/* IFEQ or its like. False when it does not go with those before it. */
static bool set_compare(struct set_options *options, enum hf_compare compare,
                        struct hf_slice operand)
{
    if (options->if_missing || options->if_exists ||
        options->compare != HF_COMPARE_NONE) {
        return false;
    }
    options->compare = compare;
    options->operand = operand;
    return true;
}

static bool getex_flag_option(struct set_options *options, struct hf_slice name)
{
    if (!hf_slice_equal_nocase(name, "persist") || options->timed) {
        return false;
    }
    options->persist = true;
    return true;
}

/* Reads the options from argv[@first] on; @flag_option knows those without an
 * argument. False: the error is the reply. */
static bool parse_options(struct hf_apply *apply,
                          const struct hf_command *command, uint32_t first,
                          bool (*flag_option)(struct set_options *options,
                                              struct hf_slice name),
                          struct set_options *options)
{
    *options = (struct set_options){.timed = false};
    for (uint32_t i = first; i < command->argc; i++) {
        struct hf_time_unit unit;
        bool fits;
        enum hf_compare compare = flag_option == set_flag_option
                                      ? hf_compare_parse(command->argv[i])
                                      : HF_COMPARE_NONE;
        if (time_option(command->argv[i], &unit)) {
            /* The same one twice is allowed, the last one counts. */
            fits =
                i + 1 < command->argc && !options->keep_ttl &&
                !options->persist &&
                (!options->timed || (options->unit.seconds == unit.seconds &&
                                     options->unit.absolute == unit.absolute));
            if (fits) {
                options->timed = true;
                options->unit = unit;
                options->time = command->argv[++i];
            }
        } else if (compare != HF_COMPARE_NONE) {
            fits = i + 1 < command->argc &&
                   set_compare(options, compare, command->argv[i + 1]);
            i++;
        } else {
            fits = flag_option(options, command->argv[i]);
        }
        if (!fits) {
            apply->reply = hf_reply_error(HF_TEXT_SYNTAX);
            return false;
        }
    }
    return true;
}

/* Reads a time that must be more than 0. The time left may still be in the
 * past, for an absolute one. False: the error is the reply. */
static bool parse_time(struct hf_apply *apply, const struct hf_command *command,
                       struct hf_slice argument, struct hf_time_unit unit,
                       int64_t *ttl_ms)
{
    int64_t value;
    if (!hf_apply_integer(apply, argument, &value)) {
        return false;
    }
    int64_t when = value;
    bool fits = value > 0 && (!unit.seconds || value <= INT64_MAX / 1000);
    if (fits && unit.seconds) {
        value *= 1000;
        when = value;
    }
    if (!fits ||
        (!unit.absolute && !hf_apply_add(value, apply->wall_ms, &when))) {
        hf_apply_refuse(apply, command, "invalid expire time in", "command");
        return false;
    }
    *ttl_ms = when - apply->wall_ms;
    return true;
}

static void put(struct hf_apply *apply, struct hf_slice value, int64_t ttl_ms,
                bool timed)
{
    hf_effects_put(apply->effects, value, ttl_ms);
    hf_apply_notice(apply, HF_NOTICE_SET);
    if (timed) {
        hf_apply_notice(apply, HF_NOTICE_EXPIRE);
    }
}

/* What was there was looked for by a command that also writes. */
static void note_miss(struct hf_apply *apply, const struct hf_session *session)
{
    if (session == NULL) {
        hf_apply_notice(apply, HF_NOTICE_KEYMISS);
    }
}

/* Effects of storing argv[2] for @ttl_ms; a time that is already over leaves
 * nothing there. */
static void put_for(struct hf_apply *apply, const struct hf_command *command,
                    const struct hf_session *old, int64_t ttl_ms, bool timed)
{
    if (!timed || ttl_ms > 0) {
        put(apply, command->argv[2], ttl_ms, timed);
    } else if (old != NULL) {
        hf_apply_delete(apply, command);
    }
}

/* Effects of storing what is in scratch, to be known as @notice. */
static void put_scratch(struct hf_apply *apply, int64_t ttl_ms,
                        enum hf_notice notice)
{
    if (apply->scratch->failed) {
        apply->effects->failed = true;
        return;
    }
    hf_effects_put(apply->effects, hf_buffer_slice(apply->scratch), ttl_ms);
    hf_apply_notice(apply, notice);
}

static void reply_value(struct hf_apply *apply,
                        const struct hf_session *session)
{
    apply->reply = session == NULL ? hf_reply_nil()
                                   : hf_reply_bulk(hf_session_value(session));
}

static void reply_value_copy(struct hf_apply *apply,
                             const struct hf_session *session)
{
    if (session == NULL) {
        apply->reply = hf_reply_nil();
    } else {
        hf_apply_bulk_copy(apply, hf_session_value(session));
    }
}

void hf_apply_get(struct hf_apply *apply, const struct hf_command *command)
{
    (void)command;
    const struct hf_session *session;
    if (hf_apply_typed(apply, HF_SESSION_STRING, &session)) {
        reply_value(apply, session);
    }
}

void hf_apply_mget(struct hf_apply *apply, const struct hf_command *command)
{
    (void)command;
    const struct hf_session *session = hf_apply_session(apply);
    bool string =
        session != NULL && hf_session_type(session) == HF_SESSION_STRING;
    reply_value(apply, string ? session : NULL);
}

void hf_apply_mset(struct hf_apply *apply, const struct hf_command *command)
{
    put(apply, command->argv[2], HF_TTL_NONE, false);
    apply->reply = hf_reply_ok();
}

/* Whether the conditions hold, in *@wanted. False: the error is the reply. */
static bool set_is_wanted(struct hf_apply *apply,
                          const struct set_options *options,
                          const struct hf_session *old, bool *wanted)
{
    if (options->compare == HF_COMPARE_NONE) {
        *wanted = old == NULL ? !options->if_exists : !options->if_missing;
        return true;
    }
    if (old == NULL) {
        *wanted = options->compare == HF_COMPARE_UNEQUAL ||
                  options->compare == HF_COMPARE_DIGEST_UNEQUAL;
        return true;
    }
    return hf_compare_holds(apply, options->compare, hf_session_value(old),
                            options->operand, wanted);
}

void hf_apply_set(struct hf_apply *apply, const struct hf_command *command)
{
    struct set_options options;
    int64_t ttl_ms = HF_TTL_NONE;
    if (!parse_options(apply, command, 3, set_flag_option, &options)) {
        return;
    }
    if (options.timed &&
        !parse_time(apply, command, options.time, options.unit, &ttl_ms)) {
        return;
    }
    const struct hf_session *old = hf_apply_session(apply);
    bool typed = options.get || options.compare != HF_COMPARE_NONE;
    bool wanted;
    if ((typed && !hf_apply_typed(apply, HF_SESSION_STRING, &old)) ||
        !set_is_wanted(apply, &options, old, &wanted)) {
        return;
    }
    if (options.get) {
        note_miss(apply, old);
    }
    if (!wanted) {
        reply_value(apply, options.get ? old : NULL);
        return;
    }
    if (options.keep_ttl) {
        ttl_ms = hf_apply_time_left(apply, old);
    }
    put_for(apply, command, old, ttl_ms, options.timed);
    if (options.get) {
        reply_value_copy(apply, old);
    } else {
        apply->reply = hf_reply_ok();
    }
}

static void set_for(struct hf_apply *apply, const struct hf_command *command,
                    struct hf_time_unit unit)
{
    int64_t ttl_ms;
    if (parse_time(apply, command, command->argv[2], unit, &ttl_ms)) {
        put(apply, command->argv[3], ttl_ms, true);
        apply->reply = hf_reply_ok();
    }
}

void hf_apply_setex(struct hf_apply *apply, const struct hf_command *command)
{
    set_for(apply, command, (struct hf_time_unit){.seconds = true});
}

void hf_apply_psetex(struct hf_apply *apply, const struct hf_command *command)
{
    set_for(apply, command, (struct hf_time_unit){.seconds = false});
}

void hf_apply_setnx(struct hf_apply *apply, const struct hf_command *command)
{
    bool missing = hf_apply_session(apply) == NULL;
    if (missing) {
        put(apply, command->argv[2], HF_TTL_NONE, false);
    }
    apply->reply = hf_reply_integer(missing ? 1 : 0);
}

void hf_apply_getset(struct hf_apply *apply, const struct hf_command *command)
{
    const struct hf_session *old;
    if (hf_apply_typed(apply, HF_SESSION_STRING, &old)) {
        note_miss(apply, old);
        put(apply, command->argv[2], HF_TTL_NONE, false);
        reply_value_copy(apply, old);
    }
}

void hf_apply_getdel(struct hf_apply *apply, const struct hf_command *command)
{
    const struct hf_session *old;
    if (!hf_apply_typed(apply, HF_SESSION_STRING, &old)) {
        return;
    }
    note_miss(apply, old);
    if (old != NULL) {
        hf_apply_delete(apply, command);
    }
    reply_value_copy(apply, old);
}

void hf_apply_getex(struct hf_apply *apply, const struct hf_command *command)
{
    struct set_options options;
    const struct hf_session *session;
    int64_t ttl_ms = HF_TTL_NONE;
    if (!parse_options(apply, command, 2, getex_flag_option, &options) ||
        !hf_apply_typed(apply, HF_SESSION_STRING, &session)) {
        return;
    }
    if (session == NULL) {
        note_miss(apply, session);
        apply->reply = hf_reply_nil();
        return;
    }
    if (options.timed &&
        !parse_time(apply, command, options.time, options.unit, &ttl_ms)) {
        return;
    }
    bool had_ttl = hf_apply_time_left(apply, session) != HF_TTL_NONE;
    if (options.timed && ttl_ms <= 0) {
        hf_apply_delete(apply, command);
    } else if (options.timed || (options.persist && had_ttl)) {
        hf_effects_expire(apply->effects, ttl_ms);
        hf_apply_notice(apply,
                        options.timed ? HF_NOTICE_EXPIRE : HF_NOTICE_PERSIST);
    } else {
        reply_value(apply, session);
        return;
    }
    reply_value_copy(apply, session);
}

void hf_apply_strlen(struct hf_apply *apply, const struct hf_command *command)
{
    (void)command;
    const struct hf_session *session;
    if (hf_apply_typed(apply, HF_SESSION_STRING, &session)) {
        size_t size = session == NULL ? 0 : hf_session_value(session).size;
        apply->reply = hf_reply_integer((int64_t)size);
    }
}

void hf_apply_append(struct hf_apply *apply, const struct hf_command *command)
{
    const struct hf_session *session;
    if (!hf_apply_typed(apply, HF_SESSION_STRING, &session)) {
        return;
    }
    struct hf_slice more = command->argv[2];
    struct hf_slice old = {NULL, 0};
    if (session != NULL) {
        old = hf_session_value(session);
    }
    size_t size = old.size + more.size;
    if (!hf_apply_size_fits(apply, size)) {
        return;
    }
    if (session == NULL || more.size > 0) {
        hf_buffer_append_slice(apply->scratch, old);
        hf_buffer_append_slice(apply->scratch, more);
        put_scratch(apply, hf_apply_time_left(apply, session),
                    HF_NOTICE_APPEND);
    } else {
        hf_apply_notice(apply, HF_NOTICE_APPEND);
    }
    apply->reply = hf_reply_integer((int64_t)size);
}

static void increment(struct hf_apply *apply, const struct hf_command *command,
                      int64_t delta)
{
    (void)command;
    const struct hf_session *session;
    if (!hf_apply_typed(apply, HF_SESSION_STRING, &session)) {
        return;
    }
    int64_t value = 0;
    if (session != NULL &&
        !hf_apply_integer(apply, hf_session_value(session), &value)) {
        return;
    }
    if (!hf_apply_add(value, delta, &value)) {
        apply->reply = hf_reply_error(HF_TEXT_INCREMENT_OVERFLOW);
        return;
    }
    hf_buffer_append_int64(apply->scratch, value);
    put_scratch(apply, hf_apply_time_left(apply, session), HF_NOTICE_INCRBY);
    apply->reply = hf_reply_integer(value);
}

void hf_apply_incr(struct hf_apply *apply, const struct hf_command *command)
{
    increment(apply, command, 1);
}

void hf_apply_decr(struct hf_apply *apply, const struct hf_command *command)
{
    increment(apply, command, -1);
}

void hf_apply_incrby(struct hf_apply *apply, const struct hf_command *command)
{
    int64_t delta;
    if (hf_apply_integer(apply, command->argv[2], &delta)) {
        increment(apply, command, delta);
    }
}

void hf_apply_decrby(struct hf_apply *apply, const struct hf_command *command)
{
    int64_t delta;
    if (!hf_apply_integer(apply, command->argv[2], &delta)) {
        return;
    }
    if (delta == INT64_MIN) { /* It has no opposite. */
        apply->reply = hf_reply_error("ERR decrement would overflow");
        return;
    }
    increment(apply, command, -delta);
}
