#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "core/knowledge.h"
#include "core/session.h"

#define SLACK_MAX 60000 /* What a touch may be late, at most. */
#define TYPE_MAX ((enum hf_session_type)15)

/* What a header says; every number at its limit shows a bit that is lost, and
 * one that gets into a neighbour. */
struct header {
    struct hf_version version;
    hf_time deadline;
    uint16_t slack_ms;
    enum hf_session_type type;
};

static const struct header lowest = {.type = (enum hf_session_type)0};
static const struct header highest = {
    .version = {UINT64_MAX, HF_SEQUENCE_MAX | HF_SEQUENCE_TAKEN},
    .deadline = HF_DEADLINE_MAX,
    .slack_ms = SLACK_MAX,
    .type = TYPE_MAX};

static void write_header(struct hf_session *session,
                         const struct header *header)
{
    hf_session_set_version(session, header->version);
    hf_session_set_deadline(session, header->deadline, header->slack_ms);
    hf_session_set_type(session, header->type);
}

static void expect_header(const struct hf_session *session,
                          const struct header *header)
{
    struct hf_version version = hf_session_version(session);
    assert_true(version.epoch == header->version.epoch);
    assert_true(version.sequence == header->version.sequence);
    assert_true(hf_session_deadline(session) == header->deadline);
    assert_true(hf_session_deadline_told(session) ==
                header->deadline + header->slack_ms / HF_SESSION_SLACK_STEP *
                                       HF_SESSION_SLACK_STEP);
    assert_int_equal(hf_session_type(session), header->type);
}

static struct hf_session *create(struct hf_mem *mem, size_t key_size)
{
    static uint8_t bytes[HF_KEY_BYTES_MAX];
    memset(bytes, 0xa5, sizeof(bytes));
    struct hf_session *session =
        hf_session_create(mem, (struct hf_slice){bytes, key_size}, 0);
    assert_non_null(session);
    assert_true(hf_slice_equal(hf_session_key(session),
                               (struct hf_slice){bytes, key_size}));
    return session;
}

static void expect_one_changed(struct hf_mem *mem, size_t key_size,
                               size_t value_size, const struct header *others)
{
    for (int field = 0; field < 4; field++) {
        struct hf_session *session = create(mem, key_size);
        write_header(session, others);
        hf_session_set_value_size(session, value_size);
        const struct header *from = others == &lowest ? &highest : &lowest;
        struct header header = *others;
        switch (field) {
        case 0:
            header.version.epoch = from->version.epoch;
            break;
        case 1:
            header.version.sequence = from->version.sequence;
            break;
        case 2:
            header.deadline = from->deadline;
            break;
        default:
            header.type = from->type;
            break;
        }
        write_header(session, &header);
        expect_header(session, &header);
        assert_int_equal(hf_session_key(session).size, key_size);
        assert_int_equal(hf_session_size(session),
                         hf_session_alloc_size(key_size, value_size));
        hf_session_set_type(session, HF_SESSION_STRING);
        assert_int_equal(hf_session_value(session).size, value_size);
        hf_session_set_value_size(session, 0);
        hf_session_destroy(mem, session);
    }
}

static void a_header_keeps_what_it_was_given(void **state)
{
    (void)state;
    struct hf_mem mem;
    hf_mem_init_system(&mem);
    const struct header *both[] = {&lowest, &highest};
    for (size_t i = 0; i < 2; i++) {
        expect_one_changed(&mem, 0, 0, both[i]);
        expect_one_changed(&mem, HF_KEY_BYTES_MAX, 0, both[i]);
        expect_one_changed(&mem, 0, HF_SESSION_VALUE_SIZE_MAX, both[i]);
    }
}

static void no_deadline_is_one_of_its_own(void **state)
{
    (void)state;
    struct hf_mem mem;
    hf_mem_init_system(&mem);
    struct hf_session *session = create(&mem, 1);
    hf_session_set_deadline(session, HF_NEVER, 0);
    assert_true(hf_session_deadline(session) == HF_NEVER);
    assert_true(hf_session_deadline_told(session) == HF_NEVER);
    hf_session_set_deadline(session, HF_DEADLINE_MAX, 0);
    assert_true(hf_session_deadline(session) == HF_DEADLINE_MAX);
    hf_session_destroy(&mem, session);
}

/* The next smaller piece of malloc: what a header that grows costs. */
static void a_session_of_a_kibibyte_costs_what_it_should(void **state)
{
    (void)state;
    const size_t malloc_own = 8;
    assert_int_equal(hf_session_alloc_size(strlen("sess:00000000"), 1024) +
                         malloc_own,
                     1072);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_header_keeps_what_it_was_given),
        cmocka_unit_test(no_deadline_is_one_of_its_own),
        cmocka_unit_test(a_session_of_a_kibibyte_costs_what_it_should),
    };
    return cmocka_run_group_tests_name("session", tests, NULL, NULL);
}
