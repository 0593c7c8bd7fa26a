/* store_bench.c - What the session store costs, without a node around it.
 *
 *   store_bench SESSIONS [VALUE_BYTES [OPERATIONS]]
 *
 * Fills the tables of all partitions with sessions that have a time to live,
 * then reads, overwrites, touches, replaces and at last expires them. Prints
 * memory per session (resident, and as counted), and for each operation the
 * mean and the worst time of one. Under callgrind, each operation is a
 * function of its own:
 *
 *   valgrind --tool=callgrind --collect-atstart=no \
 *       --toggle-collect=bench_get store_bench 20000 1024 100000 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/rng.h"
#include "core/effects.h"
#include "core/expiry.h"
#include "core/sessions.h"

#define NOW 1000
#define TTL_MS 1800000
#define KEY_BYTES 37 /* A prefix and 32 digits, as frameworks name them. */
#define VALUE_BYTES_MAX (1 << 20)
#define VISITS_MAX 500 /* As a node does between looking at its links. */
#define SLOW_NS 1000000
#define NOINLINE __attribute__((noinline))

struct bench {
    struct hf_mem mem;
    struct hf_expiry expiry;
    struct hf_sessions tables[HF_PARTITION_COUNT];
    struct hf_buffer effects;
    struct hf_rng rng;
    uint64_t sessions;
    uint64_t operations;
    size_t value_bytes;
    hf_time now;
    uint64_t sequence;
    uint64_t expired;
    uint8_t value[VALUE_BYTES_MAX];
    char key[KEY_BYTES + 1];
};

struct target {
    struct hf_slice key;
    uint32_t hash;
    struct hf_sessions *table;
};

static struct bench bench;

static uint64_t now_ns(void)
{
    struct timespec at;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &at); /* Others run here too. */
    return (uint64_t)at.tv_sec * 1000000000 + (uint64_t)at.tv_nsec;
}

static uint64_t resident_bytes(void)
{
    char text[128] = "";
    int file = open("/proc/self/statm", O_RDONLY);
    HF_ASSERT(file >= 0 && read(file, text, sizeof(text) - 1) > 0);
    close(file);
    char *end;
    (void)strtoull(text, &end, 10);
    return strtoull(end, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Session @number, found by a cheap permutation of its digits. */
static struct target target_of(uint64_t number)
{
    uint64_t mixed = number * UINT64_C(0x9e3779b97f4a7c15);
    (void)memcpy(bench.key, "sess:", 5);
    for (int i = 0; i < 32; i++) {
        bench.key[5 + i] = "0123456789abcdef"[mixed >> (i * 4 % 64) & 15];
    }
    struct hf_slice key = {(const uint8_t *)bench.key, KEY_BYTES};
    return (struct target){
        .key = key,
        .hash = hf_sessions_hash(key),
        .table = &bench.tables[hf_hash(key) % HF_PARTITION_COUNT]};
}

static struct target random_target(void)
{
    return target_of(hf_rng_below(&bench.rng, bench.sessions));
}

static void apply(const struct target *target)
{
    struct hf_version version = {(uint64_t)1 << 32, ++bench.sequence};
    HF_ASSERT(hf_sessions_apply(target->table, target->key, target->hash,
                                version, hf_buffer_slice(&bench.effects),
                                bench.now) == 0);
}

static void put(const struct target *target, size_t value_bytes, int64_t ttl_ms)
{
    hf_buffer_clear(&bench.effects);
    hf_effects_put(&bench.effects, (struct hf_slice){bench.value, value_bytes},
                   ttl_ms);
    apply(target);
}

/* ---- The operations, one function each ---------------------------------- */

/* Spread over half an hour, as those of real users are. */
NOINLINE static void bench_insert(uint64_t number)
{
    struct target target = target_of(number);
    put(&target, bench.value_bytes, TTL_MS + (int64_t)(number % TTL_MS));
}

NOINLINE static void bench_get(uint64_t number)
{
    (void)number;
    struct target target = random_target();
    struct hf_session *session =
        hf_sessions_find(target.table, target.key, target.hash);
    HF_ASSERT(hf_session_value(session).size == bench.value_bytes);
}

NOINLINE static void bench_miss(uint64_t number)
{
    struct target target = target_of(bench.sessions + number);
    HF_ASSERT(hf_sessions_find(target.table, target.key, target.hash) == NULL);
}

NOINLINE static void bench_set(uint64_t number)
{
    (void)number;
    struct target target = random_target();
    put(&target, bench.value_bytes, 2 * TTL_MS);
}

NOINLINE static void bench_touch(uint64_t number)
{
    (void)number;
    struct target target = random_target();
    hf_buffer_clear(&bench.effects);
    hf_effects_expire(&bench.effects, 2 * TTL_MS);
    apply(&target);
}

/* Of another size, there and back. */
NOINLINE static void bench_replace(uint64_t number)
{
    struct target target = target_of(number / 2 % bench.sessions);
    put(&target, bench.value_bytes + (number % 2 == 0 ? 64 : 0), 2 * TTL_MS);
}

static void on_due(void *user, struct hf_sessions *sessions,
                   struct hf_session *session)
{
    (void)user;
    HF_ASSERT(hf_session_deadline(session) <= bench.now);
    struct hf_slice key = hf_session_key(session);
    struct target target = {
        .key = key, .hash = hf_session_hash(session), .table = sessions};
    hf_buffer_clear(&bench.effects);
    hf_effects_delete(&bench.effects);
    apply(&target);
    bench.expired++;
}

/* One piece of work of the wheel: what a loop does without a look around. */
NOINLINE static void bench_expire(uint64_t number)
{
    (void)number;
    if (!hf_expiry_run(&bench.expiry, bench.now, VISITS_MAX, on_due, NULL)) {
        bench.now += 100;
    }
}

/* ---- Measuring ---------------------------------------------------------- */

static void measure(const char *name, void (*operation)(uint64_t number),
                    uint64_t count)
{
    uint64_t worst = 0;
    uint64_t began = now_ns();
    uint64_t before = began;
    for (uint64_t i = 0; i < count; i++) {
        operation(i);
        uint64_t after = now_ns();
        worst = after - before > worst ? after - before : worst;
        before = after;
    }
    printf("%-8s %10llu times %8llu ns each, worst %9.1f us\n", name,
           (unsigned long long)count,
           (unsigned long long)((before - began) / count),
           (double)worst / 1000);
}

/* Inserts that make a table grow, apart from the others: what is slow among
 * the others is the machine, or the kernel giving memory. */
static void measure_inserts(void)
{
    uint64_t grown = 0;
    uint64_t grown_ns = 0;
    uint64_t grown_slow = 0;
    uint64_t slow = 0;
    for (uint64_t i = 0; i < bench.sessions; i++) {
        const struct hf_sessions *table = target_of(i).table;
        uint32_t moves = table->table.moves;
        uint64_t before = now_ns();
        bench_insert(i);
        uint64_t took = now_ns() - before;
        bool grew = table->table.moves != moves;
        slow += took > SLOW_NS ? 1 : 0;
        grown_slow += grew && took > SLOW_NS ? 1 : 0;
        grown += grew ? 1 : 0;
        grown_ns += grew ? took : 0;
    }
    printf("insert   %10llu times, %llu over 1 ms; %llu that grew a table: "
           "%.1f us each, %llu over 1 ms\n",
           (unsigned long long)bench.sessions, (unsigned long long)slow,
           (unsigned long long)grown, (double)grown_ns / (double)grown / 1000,
           (unsigned long long)grown_slow);
}

static void measure_fill(void)
{
    uint64_t before = resident_bytes();
    size_t counted = bench.mem.used_bytes;
    measure_inserts();
    double sessions = (double)bench.sessions;
    double payload = (double)(KEY_BYTES + bench.value_bytes);
    double resident = (double)(resident_bytes() - before) / sessions;
    counted = bench.mem.used_bytes - counted;
    printf("memory   %.1f bytes a session resident, %.1f over key and value; "
           "%.1f counted\n",
           resident, resident - payload, (double)counted / sessions);
}

/* Lets time pass until nobody is left: no deadline is further than twice the
 * time to live. */
static void measure_expiry(void)
{
    uint64_t worst = 0;
    uint64_t spent = 0;
    uint64_t calls = 0;
    hf_time end = NOW + 2 * TTL_MS + 1000;
    while (bench.now <= end) {
        uint64_t before = now_ns();
        bench_expire(0);
        uint64_t took = now_ns() - before;
        worst = took > worst ? took : worst;
        spent += took;
        calls++;
    }
    HF_ASSERT(bench.expired == bench.sessions);
    printf("expire   %10llu times %8llu ns each, worst %9.1f us a call, "
           "%llu calls\n",
           (unsigned long long)bench.expired,
           (unsigned long long)(spent / bench.expired), (double)worst / 1000,
           (unsigned long long)calls);
}

int main(int argc, char **argv)
{
    bench.sessions = argc > 1 ? strtoull(argv[1], NULL, 10) : 0;
    bench.value_bytes = argc > 2 ? strtoull(argv[2], NULL, 10) : 1024;
    bench.operations = argc > 3 ? strtoull(argv[3], NULL, 10) : 1000000;
    if (bench.sessions == 0 || bench.operations == 0 ||
        bench.value_bytes + 64 > VALUE_BYTES_MAX) {
        fprintf(stderr, "usage: store_bench SESSIONS [VALUE_BYTES "
                        "[OPERATIONS]], value up to 1,048,512 bytes\n");
        return 2;
    }
    hf_mem_free_evenly();
    bench.now = NOW;
    memset(bench.value, 'v', sizeof(bench.value));
    hf_rng_init(&bench.rng, 1);
    hf_mem_init_system(&bench.mem);
    HF_ASSERT(hf_expiry_init(&bench.expiry, &bench.mem) == 0);
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        hf_sessions_init(&bench.tables[p], &bench.mem, &bench.expiry, p);
    }
    hf_buffer_init(&bench.effects, &bench.mem);
    measure_fill();
    measure("get", bench_get, bench.operations);
    measure("miss", bench_miss, bench.operations);
    measure("set", bench_set, bench.operations);
    measure("touch", bench_touch, bench.operations);
    measure("replace", bench_replace, bench.operations);
    measure_expiry();
    hf_buffer_close(&bench.effects);
    hf_expiry_close(&bench.expiry);
    HF_ASSERT(bench.mem.used_bytes == 0);
    return 0;
}
