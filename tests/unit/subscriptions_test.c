/* subscriptions_test.c - Who subscribed to what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/rng.h"
#include "support/failing_mem.h"
#include "wire/subscriptions.h"

#define PEOPLE 8
#define NAMES 40

struct fixture {
    struct hf_mem mem;
    struct hf_subscriptions all;
    struct hf_subscriber people[PEOPLE];
    char seen[4096]; /* "2:pattern " of each delivery. */
};

static void open_fixture(struct fixture *f)
{
    memset(f, 0, sizeof(*f));
    hf_mem_init_system(&f->mem);
    hf_subscriptions_init(&f->all, &f->mem);
    for (size_t i = 0; i < PEOPLE; i++) {
        hf_subscriber_init(&f->people[i]);
    }
}

static void close_fixture(struct fixture *f)
{
    for (size_t i = 0; i < PEOPLE; i++) {
        hf_subscriptions_remove_all(&f->all, &f->people[i]);
        assert_int_equal(f->people[i].count, 0);
        assert_int_equal(f->people[i].bytes, 0);
    }
    hf_subscriptions_close(&f->all);
    assert_int_equal(f->mem.used_bytes, 0);
}

static bool note(void *user, struct hf_subscriber *subscriber,
                 struct hf_slice pattern)
{
    struct fixture *f = user;
    size_t used = strlen(f->seen);
    (void)snprintf(f->seen + used, sizeof(f->seen) - used, "%d:%.*s ",
                   (int)(subscriber - f->people), (int)pattern.size,
                   pattern.data == NULL ? "" : (const char *)pattern.data);
    return subscriber != &f->people[PEOPLE - 1]; /* The last one is gone. */
}

static int64_t publish(struct fixture *f, enum hf_subscription_kind kind,
                       const char *channel)
{
    f->seen[0] = '\0';
    return hf_subscriptions_publish(&f->all, kind, hf_slice_text(channel), note,
                                    f);
}

static void add(struct fixture *f, size_t who, enum hf_subscription_kind kind,
                const char *name)
{
    assert_int_equal(hf_subscriptions_add(&f->all, &f->people[who], kind,
                                          hf_slice_text(name)),
                     HF_SUBSCRIBED);
}

static void channels_come_before_patterns(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f);
    add(&f, 1, HF_SUBSCRIPTION_PATTERN, "n*");
    add(&f, 0, HF_SUBSCRIPTION_CHANNEL, "news");
    add(&f, 1, HF_SUBSCRIPTION_CHANNEL, "news");
    add(&f, 2, HF_SUBSCRIPTION_PATTERN, "*s");
    add(&f, 2, HF_SUBSCRIPTION_SHARD, "news");
    assert_int_equal(publish(&f, HF_SUBSCRIPTION_CHANNEL, "news"), 4);
    assert_string_equal(f.seen, "0: 1: 1:n* 2:*s ");
    assert_int_equal(publish(&f, HF_SUBSCRIPTION_SHARD, "news"), 1);
    assert_string_equal(f.seen, "2: ");
    assert_int_equal(publish(&f, HF_SUBSCRIPTION_CHANNEL, "other"), 0);
    close_fixture(&f);
}

static void who_did_not_get_it_does_not_count(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f);
    add(&f, PEOPLE - 1, HF_SUBSCRIPTION_CHANNEL, "a");
    add(&f, 0, HF_SUBSCRIPTION_CHANNEL, "a");
    assert_int_equal(publish(&f, HF_SUBSCRIPTION_CHANNEL, "a"), 1);
    close_fixture(&f);
}

static void twice_is_once(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f);
    add(&f, 0, HF_SUBSCRIPTION_CHANNEL, "a");
    assert_int_equal(hf_subscriptions_add(&f.all, &f.people[0],
                                          HF_SUBSCRIPTION_CHANNEL,
                                          HF_SLICE_LITERAL("a")),
                     HF_SUBSCRIBED_BEFORE);
    assert_int_equal(publish(&f, HF_SUBSCRIPTION_CHANNEL, "a"), 1);
    hf_subscriptions_remove(&f.all, &f.people[0], HF_SUBSCRIPTION_CHANNEL,
                            HF_SLICE_LITERAL("a"));
    assert_int_equal(publish(&f, HF_SUBSCRIPTION_CHANNEL, "a"), 0);
    close_fixture(&f);
}

/* Against a matrix of what each subscribed to. */
static void many_come_and_go(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f);
    struct hf_rng rng;
    hf_rng_init(&rng, 1);
    bool wanted[PEOPLE][NAMES] = {{false}};
    for (unsigned step = 0; step < 20000; step++) {
        size_t who = (size_t)hf_rng_below(&rng, PEOPLE);
        size_t name = (size_t)hf_rng_below(&rng, NAMES);
        char text[16];
        (void)snprintf(text, sizeof(text), "c%zu", name);
        if (hf_rng_below(&rng, 2) == 0) {
            enum hf_subscribed how = hf_subscriptions_add(
                &f.all, &f.people[who], HF_SUBSCRIPTION_CHANNEL,
                hf_slice_text(text));
            assert_int_equal(how, wanted[who][name] ? HF_SUBSCRIBED_BEFORE
                                                    : HF_SUBSCRIBED);
            wanted[who][name] = true;
        } else {
            hf_subscriptions_remove(&f.all, &f.people[who],
                                    HF_SUBSCRIPTION_CHANNEL,
                                    hf_slice_text(text));
            wanted[who][name] = false;
        }
        unsigned count = 0;
        for (size_t i = 0; i < PEOPLE; i++) {
            count += wanted[i][name] ? 1 : 0;
        }
        assert_int_equal(hf_subscriptions_count(&f.all, HF_SUBSCRIPTION_CHANNEL,
                                                hf_slice_text(text)),
                         count);
    }
    close_fixture(&f);
}

static void names_of_one_subscriber_are_bounded(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f);
    static char name[1 << 20];
    memset(name, 'x', sizeof(name));
    unsigned count = 0;
    enum hf_subscribed how = HF_SUBSCRIBED;
    for (; count < 100; count++) {
        name[0] = (char)('0' + count);
        how = hf_subscriptions_add(
            &f.all, &f.people[0], HF_SUBSCRIPTION_CHANNEL,
            (struct hf_slice){(const uint8_t *)name, sizeof(name)});
        if (how != HF_SUBSCRIBED) {
            break;
        }
    }
    assert_int_equal(how, HF_SUBSCRIBED_NOT);
    assert_int_equal(count, HF_SUBSCRIBER_BYTES_MAX / sizeof(name) - 1);
    assert_int_equal(f.all.counts[HF_SUBSCRIPTION_CHANNEL], count);
    add(&f, 1, HF_SUBSCRIPTION_CHANNEL, "another's");
    close_fixture(&f);
}

static void no_memory_leaves_nothing_half_done(void **state)
{
    (void)state;
    for (uint64_t at = 1; at < 12; at++) {
        struct failing_mem failing;
        failing_mem_init(&failing);
        struct fixture f;
        open_fixture(&f);
        f.all.mem = &failing.mem;
        failing_mem_fail_nth(&failing, at);
        for (unsigned i = 0; i < 3; i++) {
            char text[8];
            (void)snprintf(text, sizeof(text), "c%u", i);
            bool added = hf_subscriptions_add(
                             &f.all, &f.people[0], HF_SUBSCRIPTION_CHANNEL,
                             hf_slice_text(text)) == HF_SUBSCRIBED;
            assert_int_equal(publish(&f, HF_SUBSCRIPTION_CHANNEL, text),
                             added ? 1 : 0);
        }
        close_fixture(&f);
        failing_mem_close(&failing);
    }
}

#define TEST(name) cmocka_unit_test(name)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(channels_come_before_patterns),
        TEST(who_did_not_get_it_does_not_count),
        TEST(twice_is_once),
        TEST(many_come_and_go),
        TEST(names_of_one_subscriber_are_bounded),
        TEST(no_memory_leaves_nothing_half_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
