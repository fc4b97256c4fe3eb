/* SPDX-License-Identifier: MIT */
/*
 * test_refused: waits where the kernel refuses to let a thread sleep. Memory that it makes no
 * shared futex of, and filters under which futex, nanosleep, epoll_pwait2 or a bell's write fail.
 * Each wait must end as it should, and must leave its CPU meanwhile: the CPU time is held against
 * the time of the same wait. Exit 0 or 1.
 */
#define _GNU_SOURCE
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/perf_event.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <xsc/nap.h>
#include <xsc/park.h>
#include <xsc/shard.h>

#include "park_test.h"

#define WAIT_NS (200 * MS)

#if !defined(SYS_epoll_pwait2)
#define SYS_epoll_pwait2 441
#endif
#if !defined(SYS_futex)
#define SYS_futex SYS_futex_time64
#endif
#if !defined(SYS_nanosleep)
#define SYS_nanosleep SYS_clock_nanosleep
#endif

static uint64_t cpu_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ------------------------------------------------------------------------------- filters ---- */

/* The calls of this thread with these numbers fail; 0 ends the list. */
static void refuse(int error, const int *calls)
{
    struct sock_filter code[16] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))};
    unsigned short n = 1;

    for (; *calls && n < 13; calls++) {
        code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)*calls, 0, 1);
        code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
                                                 SECCOMP_RET_ERRNO | (uint32_t)error);
    }
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    const struct sock_fprog program = {n, code};

    CHECK(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
              !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program),
          "no filter: %s", strerror(errno));
}

/* --------------------------------------------------------------------------------- waits ---- */

static uint64_t cpu_before, from_ns;

static void begin(void)
{
    cpu_before = cpu_ns();
    from_ns = now_ns();
}

/* It lasted as long as it should, and mostly off the CPU. */
static void end(const char *what, int result)
{
    const uint64_t took = now_ns() - from_ns, cpu = cpu_ns() - cpu_before;

    CHECK(result == -ETIMEDOUT && took >= WAIT_NS, "%s: %d after %llu us", what, result,
          (unsigned long long)took / 1000);
    CHECK(cpu < took / 8, "%s: %llu of %llu us on the CPU", what, (unsigned long long)cpu / 1000,
          (unsigned long long)took / 1000);
}

static void at(const char *what, const volatile void *word)
{
    char name[80];

#define PARK(bits, form)                                                                           \
    do {                                                                                           \
        const volatile uint##bits##_t *w = word;                                                   \
        snprintf(name, sizeof(name), "%s, u" #bits #form, what);                                   \
        begin();                                                                                   \
        end(name, xsc_park_u##bits##form(w, *w, WAIT_NS));                                         \
    } while (0)
    PARK(8, _shared);
    PARK(16, _shared);
    PARK(32, _shared);
    PARK(64, _shared);
    PARK(32, );
    PARK(64, );
#undef PARK
}

static void mappings(void *arg)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    struct perf_event_attr attr = {
        .type = PERF_TYPE_SOFTWARE, .size = sizeof(attr), .config = PERF_COUNT_SW_DUMMY};
    void *zero = mmap(NULL, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const int fd = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
    char *ring = fd >= 0 ? mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)
                         : MAP_FAILED;

    (void)arg;
    CHECK(zero != MAP_FAILED, "mmap: %s", strerror(errno));
    at("private, read-only", zero);
    if (ring == MAP_FAILED) {
        printf("# no perf events here (%s): perf's mapping is left out\n", strerror(errno));
    } else {
        at("perf's ring", ring + page);
    }
}

static void no_futex(void *arg)
{
    const int error = *(const int *)arg, calls[] = {SYS_futex, 449 /* futex_waitv */, 0};
    static uint64_t word;
    static uint32_t plain;
    static struct xsc_event event, shared;
    static struct xsc_nap_word nap;
    static struct xsc_site site;
    const struct xsc_watch watch = XSC_WATCH(&plain, 0);

    refuse(error, calls);
    at("no futex", &word);
    begin();
    end("event", xsc_event_wait(&event, xsc_event_prepare(&event), WAIT_NS));
    begin();
    end("event, shared",
        xsc_event_wait_shared(&shared, xsc_event_prepare_shared(&shared), WAIT_NS));
    begin();
    end("nap", xsc_nap(&nap, WAIT_NS));
    for (int i = 0; i < 3; i++) { /* it has learned by then to leave the CPU */
        begin();
        const int result = xsc_wait_site(&site, &watch, WAIT_NS);

        if (i == 2) {
            end("doze", result);
        }
    }
}

static void no_naps(void *arg)
{
    const int calls[] = {SYS_futex, 449, SYS_nanosleep, SYS_clock_nanosleep, 0};
    static uint64_t word;

    (void)arg;
    refuse(EPERM, calls);
    at("no futex, no nanosleep", &word);
}

/* -------------------------------------------------------------------------------- shards ---- */

static struct xsc_shard *shard_of(void)
{
    const struct xsc_shard_config config = {
        .size = sizeof(config), .message_size = 8, .capacity = 16, .devices = 1};
    struct xsc_shard *shard = NULL;
    const int err = xsc_shard_create(&config, &shard);

    CHECK(!err, "create: %d", err);
    return shard;
}

static int sleeps_only(struct xsc_shard *shard, void *arg)
{
    uint64_t message;
    int fd;

    (void)arg;
    begin();
    const int why = xsc_shard_yield(shard, &message, &fd, WAIT_NS);

    end("shard", why == XSC_SHARD_TIMEOUT ? -ETIMEDOUT : why);
    return 0;
}

static void no_epoll(void *arg)
{
    const int calls[] = {SYS_epoll_pwait2, SYS_epoll_pwait, 0};
    struct xsc_shard *shard = shard_of();

    refuse(*(const int *)arg, calls);
    CHECK(!xsc_shard_run(shard, -1, sleeps_only, NULL), "run");
}

#define MESSAGES 20

static int receives(struct xsc_shard *shard, void *arg)
{
    uint64_t message;
    int fd, why, n = 0;

    (void)arg;
    while ((why = xsc_shard_yield(shard, &message, &fd, LOST_NS)) == XSC_SHARD_MESSAGE) {
        n++;
    }
    CHECK(why == XSC_SHARD_STOP && n == MESSAGES, "%d messages, then %d", n, why);
    return 0;
}

static void *sends(void *arg)
{
    const int calls[] = {SYS_write, 0};
    struct xsc_shard *shard = arg;
    struct xsc_shard_stats s = {0};

    refuse(EPERM, calls);
    for (uint64_t i = 0; i < MESSAGES; i++) {
        const uint64_t parks = s.parks, until = now_ns() + LOST_NS;

        do { /* it sleeps, or is about to */
            xsc_shard_stats_read(shard, &s, sizeof(s));
        } while (s.parks == parks && now_ns() < until);
        CHECK(!xsc_shard_send(shard, &i), "send");
    }
    xsc_shard_stop(shard);
    return NULL;
}

static void no_write(void *arg)
{
    struct xsc_shard *shard = shard_of();
    pthread_t thread;

    (void)arg;
    CHECK(!pthread_create(&thread, NULL, sends, shard), "thread");
    CHECK(!xsc_shard_run(shard, -1, receives, NULL), "run");
    pthread_join(thread, NULL);
}

int main(void)
{
    static int errors[] = {EPERM, ENOSYS, EACCES, EINVAL, ENOMEM};
    int failed = in_child("memory without futexes", mappings, NULL);

    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        printf("# %s\n", strerror(errors[i]));
        failed |= in_child("futex refused", no_futex, &errors[i]);
        failed |= in_child("epoll_pwait refused", no_epoll, &errors[i]);
    }
    failed |= in_child("futex and nanosleep refused", no_naps, NULL);
    failed |= in_child("a bell's write refused", no_write, NULL);
    return failed ? 1 : 0;
}
