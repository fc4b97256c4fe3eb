/* SPDX-License-Identifier: MIT */
/*
 * test_park_shared: the _shared forms, between two processes that have nothing in common but a
 * mapped file: the second is not forked into its part but executed, from this same program. One
 * has registered for barriers and the other has not, or neither, or both.
 *
 * Also: a process killed between its store and its unpark, and one killed while it waits.
 * Exit 0 or 1.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>

#include "park_test.h"

#define HANDOVERS 20000

struct line {
    volatile uint64_t word;
    struct xsc_event event;
} __attribute__((aligned(128)));

struct page {
    struct line line[2];
    uint64_t n;
};

enum kind { WORD8, WORD16, WORD32, WORD64, HIGH64, EVENT, KINDS };

static const char *const kind_name[] = {"u8", "u16", "u32", "u64", "u64, high half", "event"};

static uint64_t as_word(enum kind kind, uint64_t i)
{
    return kind == WORD8    ? (uint8_t)i
           : kind == WORD16 ? (uint16_t)i
           : kind == WORD32 ? (uint32_t)i
           : kind == HIGH64 ? i << 32
                            : i;
}

static int receive(struct line *l, enum kind kind, uint64_t i)
{
    const uint64_t old = as_word(kind, i - 1);
    volatile void *word = &l->word;
    int end = 0;

    switch (kind) {
    case WORD8:
        return xsc_park_u8_shared(word, (uint8_t)old, LOST_NS);
    case WORD16:
        return xsc_park_u16_shared(word, (uint16_t)old, LOST_NS);
    case WORD32:
        return xsc_park_u32_shared(word, (uint32_t)old, LOST_NS);
    case EVENT:
        while (!end && __atomic_load_n(&l->word, __ATOMIC_ACQUIRE) == old) {
            const uint32_t key = xsc_event_prepare_shared(&l->event);

            if (__atomic_load_n(&l->word, __ATOMIC_ACQUIRE) != old) {
                xsc_event_cancel_shared(&l->event, key);
            } else {
                end = xsc_event_wait_shared(&l->event, key, LOST_NS);
            }
        }
        return end;
    default:
        return xsc_park_u64_shared(&l->word, old, LOST_NS);
    }
}

static void hand_over(struct line *l, enum kind kind, uint64_t i)
{
    const uint64_t v = as_word(kind, i);
    volatile void *word = &l->word;

    switch (kind) {
    case WORD8:
        __atomic_store_n((volatile uint8_t *)word, (uint8_t)v, __ATOMIC_RELEASE);
        break;
    case WORD16:
        __atomic_store_n((volatile uint16_t *)word, (uint16_t)v, __ATOMIC_RELEASE);
        break;
    case WORD32:
        __atomic_store_n((volatile uint32_t *)word, (uint32_t)v, __ATOMIC_RELEASE);
        break;
    default:
        __atomic_store_n(&l->word, v, __ATOMIC_RELEASE);
    }
    if (kind == EVENT) {
        xsc_event_signal_shared(&l->event);
    } else if (i % 2) {
        xsc_unpark_one_shared(word);
    } else {
        xsc_unpark_all_shared(word);
    }
}

/* Side 0 serves. Only one side dawdles, so that either side parks and either is watched for. */
static void take_part(struct page *p, unsigned me, enum kind kind)
{
    uint64_t random = 88172645463325252ull + me;

    for (uint64_t i = 1; i <= p->n; i++) {
        if (me == 0) {
            hand_over(&p->line[1], kind, i);
        }
        const int end = receive(&p->line[me], kind, i);

        CHECK(!end, "side %u, hand-over %llu: %d", me, (unsigned long long)i, end);
        if (end) {
            return;
        }
        if (me == 1) {
            if (next_random(&random) % 32 == 0) {
                spin_for(16000 + (random >> 32) % 16000);
            }
            hand_over(&p->line[0], kind, i);
        }
    }
}

static struct page *map(const char *path)
{
    const int fd = open(path, O_RDWR | O_CLOEXEC);
    struct page *p = fd < 0 ? MAP_FAILED
                            : mmap(NULL, sizeof(*p), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (p == MAP_FAILED) {
        perror(path);
        exit(1);
    }
    close(fd);
    return p;
}

/* What the executed program does: argv is "peer", the file, the kind, the part. */
static int peer(char **argv)
{
    struct page *p = map(argv[2]);
    const enum kind kind = (enum kind)atoi(argv[3]);

    if (!strcmp(argv[4], "play")) {
        take_part(p, 1, kind);
    } else if (!strcmp(argv[4], "die")) { /* after the store, before the unpark */
        spin_for(50 * MS);
        __atomic_store_n(&p->line[0].word, 1, __ATOMIC_RELEASE);
        raise(SIGKILL);
    } else { /* "wait": to be killed */
        receive(&p->line[1], kind, 1);
    }
    return failures ? 1 : 0;
}

static pid_t execute(const char *path, enum kind kind, const char *part, const char *seq_cst)
{
    char number[16];

    fflush(stdout);
    const pid_t pid = fork();

    if (pid == 0) {
        snprintf(number, sizeof(number), "%d", (int)kind);
        if (seq_cst) {
            setenv("XSC_PARK", seq_cst, 1);
        } else {
            unsetenv("XSC_PARK");
        }
        execl("/proc/self/exe", "test_park_shared", "peer", path, number, part, (char *)NULL);
        perror("exec");
        _exit(1);
    }
    return pid;
}

static int end_of(pid_t pid)
{
    int status = -1;

    waitpid(pid, &status, 0);
    return status;
}

int main(int argc, char **argv)
{
    if (argc == 5 && !strcmp(argv[1], "peer")) {
        return peer(argv);
    }
    char path[] = "/tmp/xsc-park-XXXXXX";
    const int fd = mkstemp(path);

    if (fd < 0 || ftruncate(fd, sizeof(struct page))) {
        perror(path);
        return 1;
    }
    close(fd);
    struct page *p = map(path);
    const uint64_t n = HANDOVERS / 2;

    for (int round = 0; round < 2 * KINDS; round++) {
        const enum kind kind = (enum kind)(round % KINDS);
        const char *other = round < KINDS ? NULL : "seqcst"; /* which never registers */
        const struct xsc_stats before = stats_now();

        memset(p, 0, sizeof(*p));
        p->n = n;
        const pid_t pid = execute(path, kind, "play", other);

        take_part(p, 0, kind);
        CHECK(!end_of(pid), "the other side of %s", kind_name[kind]);
        const struct xsc_stats s = stats_now();

        printf("%s - %s, other side %s: %llu hand-overs, %llu parked, %llu wakes\n",
               failures ? "not ok" : "ok", kind_name[kind], other ? other : "as it likes",
               (unsigned long long)(2 * n), (unsigned long long)(s.parks - before.parks),
               (unsigned long long)(s.wakes - before.wakes));
        CHECK(s.parks > before.parks, "no thread parked");
        CHECK(!p->line[0].event.waiters && !p->line[1].event.waiters, "a waiter left");
    }

    for (enum kind kind = WORD8; kind <= EVENT; kind++) {
        if (kind == HIGH64) {
            continue; /* the dying side stores 1 */
        }
        memset(p, 0, sizeof(*p));
        const pid_t pid = execute(path, kind, "die", NULL);
        const int end = receive(&p->line[0], kind, 1);

        CHECK(!end, "%s: killed between store and unpark: %d", kind_name[kind], end);
        end_of(pid);
    }

    memset(p, 0, sizeof(*p)); /* killed while it waits: still counted, and of no harm */
    const pid_t pid = execute(path, EVENT, "wait", NULL);

    for (const uint64_t until = now_ns() + LOST_NS;
         !(__atomic_load_n(&p->line[1].event.waiters, __ATOMIC_ACQUIRE) & XSC_EVENT_PARKED);) {
        if (now_ns() > until) {
            CHECK(false, "the waiter never parks");
            break;
        }
    }
    kill(pid, SIGKILL);
    end_of(pid);
    CHECK(p->line[1].event.waiters >= XSC_EVENT_WAITER, "it is still counted");
    memset(&p->line[0], 0, sizeof(p->line[0]));
    p->line[1].word = 0;
    p->n = 1000;
    const pid_t after = execute(path, EVENT, "play", NULL);

    take_part(p, 0, EVENT);
    CHECK(!end_of(after), "after a waiter was killed");
    unlink(path);
    printf("%s - processes killed on either side\n", failures ? "not ok" : "ok");
    return failures ? 1 : 0;
}
