/* SPDX-License-Identifier: MIT */
/*
 * test_park_confined: what becomes of parking where the kernel refuses something, and that a
 * writer asks nothing of it while no thread is parked. Both by seccomp filters:
 *
 * - membarrier refused from the start: both sides fence in the end, nothing is lost;
 * - membarrier refused after the first park: waiters look for themselves, nothing is lost;
 * - futex_waitv refused: 8-byte shared words, the same;
 * - every system call trapped and counted: none by unpark and signal with no thread parked. The
 *   control makes one now and then, and those must be counted to the last.
 *
 * Exit 0, 1, or 77.
 */
#define _GNU_SOURCE
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "park_test.h"

#if !defined(SYS_futex_waitv)
#define SYS_futex_waitv 449
#endif

#define HANDOVERS 20000
#define UNPARKS 1000000

/* Every call gets `rest`, the two given ones `them`. Inherited by threads made later. */
static bool filter(unsigned them, unsigned one, unsigned two, unsigned rest)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, one, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, two, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, rest),
        BPF_STMT(BPF_RET | BPF_K, them),
    };
    const struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};

    return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
           !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}

static void refuse(unsigned call)
{
    if (!filter(SECCOMP_RET_ERRNO | ENOSYS, call, call, SECCOMP_RET_ALLOW)) {
        printf("no seccomp filters here: %s\n", strerror(errno));
        _exit(SKIP);
    }
}

/* --------------------------------------------------------------------- hand-overs ---- */

struct line {
    volatile uint64_t word;
    struct xsc_event event;
} __attribute__((aligned(128)));

static struct line line[2];
static enum { WORD, WORD_SHARED, EVENT, EVENT_SHARED } kind;

static int receive(struct line *l, uint64_t old)
{
    if (kind == WORD) {
        return xsc_park_u64(&l->word, old, LOST_NS);
    }
    if (kind == WORD_SHARED) {
        return xsc_park_u64_shared(&l->word, old, LOST_NS);
    }
    int end = 0;

    while (!end && __atomic_load_n(&l->word, __ATOMIC_ACQUIRE) == old) {
        const bool shared = kind == EVENT_SHARED;
        const uint32_t key = (shared ? xsc_event_prepare_shared : xsc_event_prepare)(&l->event);

        if (__atomic_load_n(&l->word, __ATOMIC_ACQUIRE) != old) {
            xsc_event_cancel(&l->event, key);
        } else {
            end = (shared ? xsc_event_wait_shared : xsc_event_wait)(&l->event, key, LOST_NS);
        }
    }
    return end;
}

static void hand_over(struct line *l, uint64_t value)
{
    __atomic_store_n(&l->word, value, __ATOMIC_RELEASE);
    if (kind == WORD) {
        xsc_unpark_one(&l->word);
    } else if (kind == WORD_SHARED) {
        xsc_unpark_one_shared(&l->word);
    } else if (kind == EVENT) {
        xsc_event_signal(&l->event);
    } else {
        xsc_event_signal_shared(&l->event);
    }
}

static void *take_part(void *arg)
{
    const bool second = arg != NULL;
    uint64_t random = 88172645463325252ull + second;

    for (uint64_t i = 1; i <= HANDOVERS / 2; i++) {
        /*
         * Once in a while one side takes far longer than any policy watches, also where the machine
         * is so busy that a park has been seen to cost milliseconds: the other parks.
         */
        if (i % 2500 == (second ? 0 : 1250)) {
            spin_for(60 * MS);
        } else if (next_random(&random) % 16 == 0) {
            spin_for(18000 + (random >> 32) % 10000);
        }
        if (!second) {
            hand_over(&line[1], i << 32);
        }
        const int end = receive(&line[second], (i - 1) << 32);

        CHECK(!end, "side %d, hand-over %llu: %d", second, (unsigned long long)i, end);
        if (end) {
            _exit(1);
        }
        if (second) {
            hand_over(&line[0], i << 32);
        }
    }
    return NULL;
}

static void exchange(const char *what)
{
    for (kind = WORD; kind <= EVENT_SHARED; kind++) {
        const struct xsc_stats before = stats_now();
        pthread_t other;

        memset(line, 0, sizeof(line));
        CHECK(!pthread_create(&other, NULL, take_part, line), "no thread");
        take_part(NULL);
        pthread_join(other, NULL);
        const uint64_t parks = stats_now().parks - before.parks;

        printf("# %s, kind %d: %llu parked\n", what, (int)kind, (unsigned long long)parks);
        CHECK(parks > 0, "no thread parked");
    }
}

static void no_membarrier(void *arg)
{
    (void)arg;
    refuse(SYS_membarrier);
    exchange("membarrier refused");
    CHECK(xsc_park_in_force() == XSC_PARK_SEQ_CST, "barrier %d", (int)xsc_park_in_force());
    CHECK(xsc_park_init(XSC_PARK_ASYMMETRIC) == -EALREADY, "decided");
    CHECK(xsc_event_join_shared() == -ENOTSUP, "can't join");
}

static void no_membarrier_later(void *arg)
{
    (void)arg;
    if (xsc_park_init(XSC_PARK_ASYMMETRIC) == -ENOTSUP) {
        printf("no membarrier in this kernel\n");
        _exit(SKIP);
    }
    refuse(SYS_membarrier);
    exchange("membarrier refused later");
    CHECK(xsc_park_in_force() == XSC_PARK_ASYMMETRIC, "decided once");
}

static void no_waitv(void *arg)
{
    (void)arg;
    refuse(SYS_futex_waitv);
    exchange("futex_waitv refused");
}

/* The library says nothing else than it is told: XSC_PARK in the environment. */
static void by_environment(void *arg)
{
    uint32_t word = 0;

    (void)arg;
    setenv("XSC_PARK", "seqcst", 1);
    xsc_park_u32(&word, 0, 100 * MS);
    CHECK(xsc_park_in_force() == XSC_PARK_SEQ_CST, "barrier %d", (int)xsc_park_in_force());
}

/* ------------------------------------------------------------------- calls, counted ---- */

static volatile uint64_t calls;

static void trapped(int sig)
{
    (void)sig;
    calls++;
}

static void quiet_writer(void *arg)
{
    const struct sigaction act = {.sa_handler = trapped};
    const enum xsc_park_barrier barrier = *(const enum xsc_park_barrier *)arg;
    static uint32_t narrow;
    static uint64_t wide;
    static struct xsc_event event, shared;
    const uint64_t n = UNPARKS;

#if defined(XSC_PARK_SANITIZED)
    printf("the sanitizers make system calls of their own: build without them\n");
    _exit(SKIP);
#endif
    if (barrier && xsc_park_init(barrier) == -ENOTSUP) {
        printf("no membarrier in this kernel\n");
        _exit(SKIP);
    }
    if (barrier == XSC_PARK_ASYMMETRIC) {
        CHECK(!xsc_event_join_shared(), "joins");
    }
    sigaction(SIGSYS, &act, NULL);
    if (!filter(SECCOMP_RET_ALLOW, SYS_rt_sigreturn, SYS_exit_group, SECCOMP_RET_TRAP)) {
        printf("no seccomp filters here: %s\n", strerror(errno));
        _exit(SKIP);
    }
    for (uint64_t i = 0; i < n; i++) {
        __atomic_store_n(&narrow, (uint32_t)i, __ATOMIC_RELEASE);
        xsc_unpark_one(&narrow);
        __atomic_store_n(&wide, i, __ATOMIC_RELEASE);
        xsc_unpark_all(&wide);
        xsc_event_signal(&event);
        xsc_event_broadcast(&event);
        xsc_event_signal_shared(&shared);
    }
    const uint64_t quiet = calls;

    for (uint64_t i = 0; i < n; i++) {
        if (i % 1000 == 0) {
            syscall(SYS_getppid);
        }
        xsc_unpark_one(&narrow);
    }
    /* Nothing can be printed from here on: the exit status is the only report. */
    _exit(failures || quiet || event.seq || shared.seq || event.waiters ||
          calls != (n + 999) / 1000);
}

int main(void)
{
    enum xsc_park_barrier barrier[] = {XSC_PARK_AUTO, XSC_PARK_ASYMMETRIC, XSC_PARK_SEQ_CST};
    int worst = 0;

    const int ends[] = {
        in_child("membarrier refused from the start", no_membarrier, NULL),
        in_child("membarrier refused later", no_membarrier_later, NULL),
        in_child("futex_waitv refused", no_waitv, NULL),
        in_child("XSC_PARK=seqcst", by_environment, NULL),
        in_child("no system call by a writer, undecided", quiet_writer, &barrier[0]),
        in_child("no system call by a writer, asymmetric", quiet_writer, &barrier[1]),
        in_child("no system call by a writer, seq_cst", quiet_writer, &barrier[2]),
    };

    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        worst = worst && worst != SKIP ? 1 : ends[i] ? ends[i] : worst;
    }
    return worst == SKIP ? SKIP : worst != 0;
}
