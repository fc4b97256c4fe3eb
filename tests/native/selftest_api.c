/* SPDX-License-Identifier: MIT */
/* Self test, part 1: what a call returns. Sizes, conditions, arguments, deadlines, errno. */
#define _GNU_SOURCE
#include "selftest.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xsc/stats.h>
#include <xsc/wait.h>

#define SOON_NS (2 * NS_PER_MS)

/* ------------------------------------------------------- sizes and conditions, at rest ---- */

/* A value that the word can't hold is refused; a negative one is the word's own bits. */
static void values_that_fit(void)
{
    uint8_t byte = 0xff;
    int16_t pair = -2;
    volatile uint64_t all = UINT64_MAX;
    int large = 300;

    expect(xsc_wait(&byte, 300, 0) == -EINVAL, "300 is no byte");
    expect(xsc_wait(&byte, large, XSC_FOREVER) == -EINVAL, "nor is it as a variable");
    expect(xsc_wait(&byte, -1, 0) == -ETIMEDOUT, "-1 is 0xff");
    expect(xsc_wait(&byte, -129, 0) == -EINVAL, "-129 is no byte");
    expect(xsc_wait(&byte, 0xff, 0) == -ETIMEDOUT, "0xff is 0xff");
    expect(xsc_wait_mask(&byte, 0x1ff, 1, 0) == -EINVAL, "a mask of nine bits");
    expect(xsc_wait_mask(&byte, ~1, 0xfe, 0) == 0, "a mask of all bits but one");
    expect(xsc_wait_reached(&byte, 256, 0) == -EINVAL, "256 is no byte");
    expect(xsc_wait(&pair, -2, 0) == -ETIMEDOUT, "-2 is -2");
    expect(xsc_wait(&pair, 0xfffe, 0) == -ETIMEDOUT, "and 0xfffe");
    expect(xsc_wait(&pair, 0x1fffe, 0) == -EINVAL, "0x1fffe is no pair");
    expect(xsc_wait(&all, -1, 0) == -ETIMEDOUT, "64 ones");
    expect(xsc_wait(&all, UINT64_MAX, 0) == -ETIMEDOUT, "64 ones, unsigned");
}

/* The conditions where no wait is needed, and where none helps: 0 looks once. */
#define TRY_SIZE(bits, type, signed_type)                                                          \
    static void at_rest_u##bits(void)                                                              \
    {                                                                                              \
        const type top = (type)((type)1 << (bits - 1)), all = (type) ~(type)0;                     \
        volatile type w = 5;                                                                       \
                                                                                                   \
        expect(xsc_wait_u##bits(&w, 4, 0) == 0, "u" #bits " changed");                             \
        expect(xsc_wait_u##bits(&w, 5, 0) == -ETIMEDOUT, "u" #bits " unchanged");                  \
        w = all;                                                                                   \
        expect(xsc_wait_u##bits(&w, all, 0) == -ETIMEDOUT, "u" #bits " all ones unchanged");       \
        w = (type)(all ^ top);                                                                     \
        expect(xsc_wait_u##bits(&w, all, 0) == 0, "u" #bits " top bit changed");                   \
        w = (type)(top | 6);                                                                       \
        expect(xsc_wait_mask(&w, top, top, 0) == 0, "u" #bits " mask, top bit");                   \
        expect(xsc_wait_mask(&w, 3, 2, 0) == 0, "u" #bits " mask, two bits");                      \
        expect(xsc_wait_mask(&w, 3, 1, 0) == -ETIMEDOUT, "u" #bits " mask unmet");                 \
        expect(xsc_wait_mask(&w, 1, 0, 0) == 0, "u" #bits " mask, bit clear");                     \
        expect(xsc_wait_mask(&w, 0, 0, 0) == 0, "u" #bits " mask 0 wants nothing");                \
        expect(xsc_wait_mask(&w, 3, 4, 0) == -EINVAL, "u" #bits " want outside mask");             \
        expect(xsc_wait_mask(&w, 3, top, XSC_FOREVER) == -EINVAL,                                  \
               "u" #bits " want outside mask, forever");                                           \
        w = 5;                                                                                     \
        expect(xsc_wait_reached(&w, 5, 0) == 0, "u" #bits " reached just so");                     \
        expect(xsc_wait_reached(&w, 4, 0) == 0, "u" #bits " passed");                              \
        expect(xsc_wait_reached(&w, 6, 0) == -ETIMEDOUT, "u" #bits " not reached");                \
        expect(xsc_wait_reached(&w, (type)(all - 2), 0) == 0, "u" #bits " wrapped past");          \
        w = (type)(all - 2);                                                                       \
        expect(xsc_wait_reached(&w, 1, 0) == -ETIMEDOUT, "u" #bits " wraps before");               \
        w = 0;                                                                                     \
        expect(xsc_wait_reached(&w, (type)(top - 1), 0) == -ETIMEDOUT,                             \
               "u" #bits " nearly half the range ahead");                                          \
        expect(xsc_wait_reached(&w, (type)(top + 1), 0) == 0,                                      \
               "u" #bits " nearly half the range behind");                                         \
        expect(xsc_wait_u##bits(NULL, 0, 0) == -EINVAL, "u" #bits " NULL");                        \
        expect(xsc_wait_mask((const type *)NULL, 1, 1, 0) == -EINVAL, "u" #bits " NULL, mask");    \
        expect(xsc_wait_reached((const type *)NULL, 1, 0) == -EINVAL, "u" #bits " NULL, reached"); \
        for (uintptr_t off = 1; off < sizeof(type); off++) {                                       \
            volatile type *odd = (volatile type *)((uintptr_t)&w + off);                           \
            expect(xsc_wait_u##bits(odd, 0, XSC_FOREVER) == -EINVAL, "u" #bits " misaligned");     \
            expect(xsc_wait_mask(odd, 1, 1, XSC_FOREVER) == -EINVAL,                               \
                   "u" #bits " misaligned, mask");                                                 \
            expect(xsc_wait_reached(odd, 1, XSC_FOREVER) == -EINVAL,                               \
                   "u" #bits " misaligned, reached");                                              \
        }                                                                                          \
    }
TRY_SIZE(8, uint8_t, int8_t)
TRY_SIZE(16, uint16_t, int16_t)
TRY_SIZE(32, uint32_t, int32_t)
TRY_SIZE(64, uint64_t, int64_t)

static void at_rest(void *arg)
{
    (void)arg;
    at_rest_u8();
    at_rest_u16();
    at_rest_u32();
    at_rest_u64();
    values_that_fit();
    check(true, "all sizes and conditions tried");
}

/* ---------------------------------------------------------------------- bad watches ---- */

static void bad_watches(void *arg)
{
    uint64_t w = 0;
    const struct xsc_watch good = {&w, 0, UINT64_MAX, 8, XSC_UNTIL_NOT};
    struct xsc_watch bad;

    (void)arg;
    check(xsc_wait_slow(NULL, 0) == -EINVAL, "NULL watch");
    check(xsc_wait_slow(&good, 0) == -ETIMEDOUT, "a good watch times out");
    for (uint32_t size = 0; size < 40; size++) {
        if (size == 1 || size == 2 || size == 4 || size == 8) {
            continue;
        }
        bad = good;
        bad.size = size;
        expect(xsc_wait_slow(&bad, XSC_FOREVER) == -EINVAL, "size %u", size);
    }
    bad = good;
    bad.until = 3;
    check(xsc_wait_slow(&bad, XSC_FOREVER) == -EINVAL, "unknown condition");
    bad = good;
    bad.mask = 0;
    check(xsc_wait_slow(&bad, XSC_FOREVER) == -EINVAL, "until not 0 under mask 0: never");
    bad = (struct xsc_watch){&w, 0x100, UINT64_MAX, 1, XSC_UNTIL_EQUAL};
    check(xsc_wait_slow(&bad, XSC_FOREVER) == -EINVAL, "a byte that equals 256: never");
}

/* ---------------------------------------------------------------------- type-generic ---- */

#define GENERIC(type)                                                                              \
    do {                                                                                           \
        type plain = (type)1;                                                                      \
        volatile type vol = (type)1;                                                               \
        const type constant = (type)1;                                                             \
        _Atomic(type) atom;                                                                        \
        volatile _Atomic(type) both;                                                               \
        atomic_init(&atom, (type)1);                                                               \
        atomic_init(&both, (type)1);                                                               \
        expect(!xsc_wait(&plain, (type)0, 0), #type " changed");                                   \
        expect(!xsc_wait(&vol, (type)0, 0), "volatile " #type " changed");                         \
        expect(!xsc_wait(&constant, (type)0, 0), "const " #type " changed");                       \
        expect(!xsc_wait(&atom, (type)0, 0), "_Atomic " #type " changed");                         \
        expect(!xsc_wait(&both, (type)0, 0), "volatile _Atomic " #type " changed");                \
        expect(xsc_wait(&plain, (type)1, 0) == -ETIMEDOUT, #type " unchanged");                    \
        expect(xsc_wait(&atom, (type)1, 0) == -ETIMEDOUT, "_Atomic " #type " unchanged");          \
        plain = (type)-1; /* also where the sign would be extended past the word */                \
        expect(xsc_wait(&plain, (type)-1, 0) == -ETIMEDOUT, #type " -1 unchanged");                \
    } while (0)

enum colour { RED, GREEN };

static void generic(void *arg)
{
    enum colour colour = GREEN;
    struct {
        char before;
        atomic_uint_least16_t word;
        char after;
    } inside = {0};

    (void)arg;
    GENERIC(_Bool);
    GENERIC(char);
    GENERIC(signed char);
    GENERIC(unsigned char);
    GENERIC(short);
    GENERIC(unsigned short);
    GENERIC(int);
    GENERIC(unsigned int);
    GENERIC(long);
    GENERIC(unsigned long);
    GENERIC(long long);
    GENERIC(unsigned long long);
    GENERIC(int8_t);
    GENERIC(uint64_t);
    GENERIC(size_t);
    expect(!xsc_wait(&colour, RED, 0), "an enumeration");
    expect(xsc_wait(&inside.word, 0, 0) == -ETIMEDOUT, "a member");
    check(true, "every integer type, plain, const, volatile and _Atomic, tried");
}

/* ---------------------------------------------------- every condition, ended by a store ---- */

struct delayed {
    volatile void *word;
    uint32_t size;
    uint64_t value;
    uint64_t after_ns;
};

static void store(volatile void *word, uint32_t size, uint64_t value)
{
    switch (size) {
    case 1:
        __atomic_store_n((volatile uint8_t *)word, (uint8_t)value, __ATOMIC_RELEASE);
        break;
    case 2:
        __atomic_store_n((volatile uint16_t *)word, (uint16_t)value, __ATOMIC_RELEASE);
        break;
    case 4:
        __atomic_store_n((volatile uint32_t *)word, (uint32_t)value, __ATOMIC_RELEASE);
        break;
    default:
        __atomic_store_n((volatile uint64_t *)word, value, __ATOMIC_RELEASE);
    }
}

static void *store_later(void *arg)
{
    const struct delayed *d = arg;

    sleep_ns(d->after_ns);
    store(d->word, d->size, d->value);
    return NULL;
}

static void one_stored(uint32_t size, uint32_t until)
{
    static union {
        uint8_t bytes[64];
        uint64_t align;
    } line __attribute__((aligned(64)));
    /* At the end of its line, where the monitored line and the word's address differ most. */
    const uint32_t offset = 64 - size;
    const uint64_t range = size == 8 ? UINT64_MAX : (1ull << (8 * size)) - 1;
    const uint64_t start = range - 1;
    const struct {
        uint64_t value, mask, stored;
    } by[] = {
        {start, range, start ^ 1},                             /* not start */
        {range & ~(range >> 1), range & ~(range >> 1), range}, /* top bit becomes set */
        {2, 0, 3},                                             /* reached over the wrap */
    };
    struct delayed later = {&line.bytes[offset], size, by[until].stored, SOON_NS};
    const struct xsc_watch watch = {&line.bytes[offset], by[until].value, by[until].mask, size,
                                    until};
    pthread_t thread;

    store(&line.bytes[offset], size, until == XSC_UNTIL_EQUAL ? 0 : start);
    pthread_create(&thread, NULL, store_later, &later);
    const int got = xsc_wait_slow(&watch, LOST_NS);

    pthread_join(thread, NULL);
    expect(!got, "size %u, condition %u, ended by a store: %d", size, until, got);
}

static void stored(void *arg)
{
    (void)arg;
    for (uint32_t size = 1; size <= 8; size *= 2) {
        for (uint32_t until = 0; until < 3; until++) {
            one_stored(size, until);
        }
    }
    check(true, "every size and condition ended by another thread's store");
    check_stats("after stores");
}

/* ------------------------------------------------------------------------ several words ---- */

static void any_of(struct line *words, uint32_t n)
{
    struct xsc_watch watches[5];

    for (uint32_t i = 0; i < n; i++) {
        watches[i] = XSC_WATCH(&words[i].word, words[i].word);
    }
    for (uint32_t i = 0; i < n; i++) {
        struct delayed later = {&words[i].word, 4, words[i].word + 1, SOON_NS};
        pthread_t thread;

        pthread_create(&thread, NULL, store_later, &later);
        const int got = xsc_wait_any(watches, n, LOST_NS);

        pthread_join(thread, NULL);
        expect(got == (int)i, "of %u words, number %u was stored to: %d", n, i, got);
        expect(xsc_wait_any(watches, n, 0) == (int)i, "and is so still");
        watches[i].value = words[i].word;
        expect(xsc_wait_any(watches, n, 0) == -ETIMEDOUT, "until it is awaited again");
    }
}

static void any(void *arg)
{
    static struct line apart[5];
    const volatile int8_t small = -1;
    const volatile int64_t large = -1;
    const struct xsc_watch both[] = {XSC_WATCH(&small, -1), XSC_WATCH(&large, -1)};
    struct xsc_watch bad[] = {both[0], {NULL, 0, 1, 4, XSC_UNTIL_NOT}};

    (void)arg;
    for (uint32_t n = 1; n <= 5; n++) {
        any_of(apart, n);
    }
    check(true, "any of several words ended a wait, by its own number");
    check(xsc_wait_any(both, 2, 1000000) == -ETIMEDOUT, "signed words, unchanged");
    check(xsc_wait_any(NULL, 1, 0) == -EINVAL && xsc_wait_any(both, 0, 0) == -EINVAL &&
              xsc_wait_any(both, (size_t)INT32_MAX + 1, 0) == -EINVAL &&
              xsc_wait_any(bad, 2, 0) == -EINVAL && xsc_wait_any(bad, 1, 0) == -ETIMEDOUT,
          "none, too many, or one that is no watch");
    check_stats("after waits for any");
}

/* -------------------------------------------------------------------------- deadlines ---- */

static void deadlines(void *arg)
{
    static const uint64_t lengths[] = {1,     300,    1000,   3999,    4000,
                                       50000, 100000, 350000, 1000000, 7000000};
    volatile uint32_t word = 0;

    (void)arg;
    for (int round = 0; round < 5; round++) { /* the first one includes the choice */
        for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
            const uint64_t start = now_ns();
            const int got = xsc_wait_u32(&word, 0, lengths[i]);
            const uint64_t took = now_ns() - start;

            expect(got == -ETIMEDOUT, "%llu ns: got %d", (unsigned long long)lengths[i], got);
            expect(took >= lengths[i], "%llu ns: returned after %llu",
                   (unsigned long long)lengths[i], (unsigned long long)took);
        }
    }
    check(true, "no deadline was early, by %s", mechanism_in_use());

    struct xsc_stats s;

    xsc_stats_read(&s, sizeof(s));
    check(s.timeouts == 50 && s.total_waits == 50, "50 timeouts counted: %llu of %llu",
          (unsigned long long)s.timeouts, (unsigned long long)s.total_waits);
    check_stats("after timeouts");
}

/* Timeouts so long that adding them to the clock would overflow. */
static void endless(void *arg)
{
    static const uint64_t lengths[] = {XSC_FOREVER, XSC_FOREVER - 1, XSC_FOREVER / 2 + 1,
                                       INT64_MAX};
    struct line line = {0};

    (void)arg;
    for (uint32_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        struct delayed later = {&line.word, 4, i + 1, SOON_NS};
        pthread_t thread;

        pthread_create(&thread, NULL, store_later, &later);
        const int got = xsc_wait_u32(&line.word, i, lengths[i]);

        check(!got, "timeout %#llx: %d", (unsigned long long)lengths[i], got);
        pthread_join(thread, NULL);
    }
}

/* Stores to other words of the same line wake the hardware but end no wait. */
static void *store_beside(void *arg)
{
    volatile uint8_t *line = arg;

    while (!__atomic_load_n(&line[63], __ATOMIC_RELAXED)) {
        __atomic_store_n(&line[9], (uint8_t)(line[9] + 1), __ATOMIC_RELEASE);
    }
    return NULL;
}

static void neighbours(void *arg)
{
    static uint8_t line[64] __attribute__((aligned(64)));
    pthread_t thread;

    (void)arg;
    pthread_create(&thread, NULL, store_beside, line);
    for (int i = 0; i < 5; i++) {
        const uint64_t start = now_ns();
        const int got = xsc_wait_u8(&line[8], 0, SOON_NS);

        expect(got == -ETIMEDOUT && now_ns() - start >= SOON_NS, "a neighbour's store: %d", got);
    }
    __atomic_store_n(&line[63], 1, __ATOMIC_RELAXED);
    pthread_join(thread, NULL);
    check(line[9] || line[8] == 0, "stores to neighbours end no wait, by %s", mechanism_in_use());
}

static void errno_alone(void *arg)
{
    volatile uint32_t word = 0;

    (void)arg;
    errno = 1234;
    xsc_wait_u32(&word, 0, 1000);
    check(errno == 1234, "errno after the wait that chose: %d", errno);
    xsc_wait_u32(&word, 0, 300000);
    check(errno == 1234, "errno after a timeout: %d", errno);
    xsc_wait_u32(&word, 1, 300000);
    xsc_wait_u32(NULL, 1, 300000);
    check(errno == 1234, "errno after a success and an -EINVAL: %d", errno);
}

/* ------------------------------------------------------------------------ config, info ---- */

static void configuration(void *arg)
{
    struct xsc_config config = {sizeof(config), NULL};
    struct xsc_mechanism_info info;
    struct xsc_stats stats;

    (void)arg;
    check(!xsc_stats_read(&stats, sizeof(stats)) && !stats.primary[0] && !stats.total_waits,
          "nothing chosen and nothing counted before the first call");
    config.size = 3;
    check(xsc_init(&config) == -EINVAL, "a configuration of unknown size");
    config.size = sizeof(config);
    check(!xsc_init(&config), "a choice");
    check(!xsc_init(NULL), "once more, and nothing asked");
    config.mechanism = "no-such-thing";
    check(xsc_init(&config) == -EINVAL, "an unknown mechanism name");
    config.mechanism = mechanism_in_use();
    check(!xsc_init(&config), "the one that was chosen: %s", config.mechanism);
    for (unsigned i = 0; i < xsc_mechanism_count(); i++) {
        expect(!xsc_mechanism_read(i, &info, sizeof(info)), "mechanism %u", i);
        expect(info.name[0] && info.reason[0], "mechanism %u has a name and a reason", i);
        if (strcmp(info.name, mechanism_in_use())) {
            config.mechanism = info.name;
            expect(xsc_init(&config) == (info.state == XSC_FAILED ? -ENOTSUP : -EALREADY),
                   "%s (%s), after the choice of another", info.name, info.reason);
        }
    }
    check(xsc_mechanism_read(xsc_mechanism_count(), &info, sizeof(info)) == -ENOENT,
          "one past the last");
    check(xsc_mechanism_read(0, NULL, sizeof(info)) == -EINVAL &&
              xsc_mechanism_read(0, &info, sizeof(info) + 1) == -EINVAL &&
              xsc_stats_read(NULL, sizeof(stats)) == -EINVAL &&
              xsc_stats_read(&stats, sizeof(stats) + 1) == -EINVAL,
          "nowhere to write to, or too much asked");
    memset(&stats, 'Z', sizeof(stats));
    check(!xsc_stats_read(&stats, 16) && !strcmp(stats.type, mechanism_in_use()) &&
              stats.primary[0] == 'Z',
          "an older caller gets what it knows and no more");
    check(!strcmp(xsc_version(), XSC_VERSION), "version %s", xsc_version());
}

void selftest_api(void)
{
    in_child("at rest", NULL, 60, at_rest, NULL);
    in_child("bad watches", NULL, 60, bad_watches, NULL);
    in_child("generic", NULL, 60, generic, NULL);
    in_child("stored", NULL, 120, stored, NULL);
    in_child("several words", NULL, 120, any, NULL);
    in_child("deadlines", NULL, 60, deadlines, NULL);
    in_child("endless", NULL, 120, endless, NULL);
    in_child("neighbours", NULL, 60, neighbours, NULL);
    in_child("errno", NULL, 60, errno_alone, NULL);
    in_child("configuration", NULL, 60, configuration, NULL);
}
