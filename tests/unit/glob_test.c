#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "core/glob.h"

struct example {
    const char *pattern;
    const char *text;
    bool matches;
};

static void check(const struct example *examples, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bool matches = hf_glob_matches(hf_slice_text(examples[i].pattern),
                                       hf_slice_text(examples[i].text));
        if (matches != examples[i].matches) {
            fail_msg("'%s' against '%s'", examples[i].pattern,
                     examples[i].text);
        }
    }
}

static void plain_bytes_match_themselves(void **state)
{
    (void)state;
    const struct example examples[] = {
        {"", "", true},       {"", "a", false},      {"a", "", false},
        {"abc", "abc", true}, {"abc", "abd", false}, {"abc", "ab", false},
        {"ab", "abc", false}, {"A", "a", false},     {"]", "]", true},
        {"a-z", "a-z", true},
    };
    check(examples, HF_ARRAY_COUNT(examples));
}

static void stars_and_question_marks_match_anything(void **state)
{
    (void)state;
    const struct example examples[] = {
        {"*", "", true},
        {"*", "abc", true},
        {"**", "", true},
        {"a*", "a", true},
        {"a*", "ba", false},
        {"*a", "ba", true},
        {"*a", "ab", false},
        {"a*b*c", "aXbYc", true},
        {"a*b*c", "aXcYb", false},
        {"*ab", "aab", true},
        {"*aab", "aaab", true},
        {"a*a", "a", false},
        {"sess:*", "sess:1", true},
        {"?", "", false},
        {"?", "a", true},
        {"?", "ab", false},
        {"h?llo", "hello", true},
        {"*?", "", false},
        {"*?", "a", true},
        {"?*?", "a", false},
        {"?*?", "ab", true},
    };
    check(examples, HF_ARRAY_COUNT(examples));
}

static void classes_match_one_of_their_bytes(void **state)
{
    (void)state;
    const struct example examples[] = {
        {"[abc]", "b", true},     {"[abc]", "d", false},
        {"[abc]", "", false},     {"[a-c]x", "bx", true},
        {"[a-c]x", "dx", false},  {"[c-a]", "b", true},
        {"[^a]", "b", true},      {"[^a]", "a", false},
        {"[^a-c]", "b", false},   {"[^a-c]", "d", true},
        {"[]", "a", false},       {"[^]", "a", true},
        {"[a", "a", true},        {"[a", "b", false},
        {"[", "a", false},        {"[a-", "-", true},
        {"[\\]]", "]", true},     {"[\\^a]", "^", true},
        {"[a\\-c]", "b", false},  {"[a\\-c]", "-", true},
        {"[a-]", "-", false},     {"*[0-9]", "key7", true},
        {"*[0-9]", "key", false}, {"[\\", "\\", true},
    };
    check(examples, HF_ARRAY_COUNT(examples));
}

static void a_backslash_takes_the_meaning_away(void **state)
{
    (void)state;
    const struct example examples[] = {
        {"\\*", "*", true},     {"\\*", "a", false},    {"\\?", "?", true},
        {"\\?", "a", false},    {"\\[a]", "[a]", true}, {"\\\\", "\\", true},
        {"\\", "\\", true},     {"a\\", "a\\", true},   {"*\\**", "a*b", true},
        {"*\\**", "ab", false},
    };
    check(examples, HF_ARRAY_COUNT(examples));
}

static void zeros_are_bytes_like_any_other(void **state)
{
    (void)state;
    struct hf_slice text = HF_SLICE_LITERAL("a\0b");
    assert_true(hf_glob_matches(HF_SLICE_LITERAL("a?b"), text));
    assert_true(hf_glob_matches(HF_SLICE_LITERAL("a\0b"), text));
    assert_false(hf_glob_matches(HF_SLICE_LITERAL("a"), text));
}

/* With 40 stars, trying every way would take longer than the sun has. */
static void many_stars_do_not_take_for_ever(void **state)
{
    (void)state;
    uint8_t text[8192];
    uint8_t pattern[81];
    memset(text, 'a', sizeof(text));
    for (size_t i = 0; i < 80; i += 2) {
        pattern[i] = '*';
        pattern[i + 1] = 'a';
    }
    pattern[80] = 'b';
    struct hf_slice long_text = {text, sizeof(text)};
    assert_false(hf_glob_matches((struct hf_slice){pattern, 81}, long_text));
    assert_true(hf_glob_matches((struct hf_slice){pattern, 80}, long_text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_bytes_match_themselves),
        cmocka_unit_test(stars_and_question_marks_match_anything),
        cmocka_unit_test(classes_match_one_of_their_bytes),
        cmocka_unit_test(a_backslash_takes_the_meaning_away),
        cmocka_unit_test(zeros_are_bytes_like_any_other),
        cmocka_unit_test(many_stars_do_not_take_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
