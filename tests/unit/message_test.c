#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/message.h"

static void every_type_has_its_own_name(void **state)
{
    (void)state;
    assert_string_equal(hf_message_name(HF_MESSAGE_HEARTBEAT), "heartbeat");
    assert_string_equal(hf_message_name(HF_MESSAGE_SUFFIX), "suffix");
    for (int a = HF_MESSAGE_HEARTBEAT; a <= HF_MESSAGE_SUFFIX; a++) {
        bool known = a <= HF_MESSAGE_NOMINATE || a >= HF_MESSAGE_FORWARD;
        const char *name = hf_message_name((enum hf_message_type)a);
        struct hf_slice slice = hf_slice_text(name);
        assert_int_equal(!hf_slice_equal_nocase(slice, "unknown"), known);
        for (int b = HF_MESSAGE_HEARTBEAT; known && b < a; b++) {
            assert_string_not_equal(name,
                                    hf_message_name((enum hf_message_type)b));
        }
    }
}

static void an_unknown_type_has_a_name_too(void **state)
{
    (void)state;
    assert_string_equal(hf_message_name((enum hf_message_type)0), "unknown");
    assert_string_equal(hf_message_name((enum hf_message_type)255), "unknown");
}

static void control_messages_go_over_the_control_channel(void **state)
{
    (void)state;
    for (int type = HF_MESSAGE_HEARTBEAT; type <= HF_MESSAGE_NOMINATE; type++) {
        assert_int_equal(hf_message_channel((enum hf_message_type)type),
                         HF_CHANNEL_CONTROL);
    }
    for (int type = HF_MESSAGE_FORWARD; type <= HF_MESSAGE_SUFFIX; type++) {
        assert_int_equal(hf_message_channel((enum hf_message_type)type),
                         HF_CHANNEL_DATA);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_has_its_own_name),
        cmocka_unit_test(an_unknown_type_has_a_name_too),
        cmocka_unit_test(control_messages_go_over_the_control_channel),
    };
    return cmocka_run_group_tests_name("message", tests, NULL, NULL);
}
