/* SPDX-License-Identifier: MIT
 *
 * What the wait instructions of this CPU, real or emulated, do when simply executed: no library, no
 * policy, so that an emulator can be judged apart from the code that is tested in it.
 *
 *   facts                 print what was seen; 0, or 1 when a store was not seen in the end
 *   facts exit N          end with N                facts raise N    die of signal N
 *   facts illegal         execute UD2 or its like   facts hang       never end
 *   facts say TEXT...     print each, then $FACTS   facts umwait     execute just UMONITOR (amd64)
 *
 * cc -std=c11 -O2 -static -pthread facts.c
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <time.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <cpuid.h>
#include <x86intrin.h>
#elif defined(__riscv)
#include <sys/syscall.h>
#endif

enum { TIMES = 101, WAKES = 8 };

static _Alignas(4096) _Atomic uint32_t word[1024];

static sigjmp_buf out;

static void caught(int sig)
{
    siglongjmp(out, sig);
}

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec * 1e-3;
}

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

#if defined(__aarch64__) || defined(__arm__) || defined(__riscv)
/* Runs a wait TIMES times; prints median and extremes, or the signal it raised. */
static bool time_it(const char *name, void (*wait)(void))
{
    static double us[TIMES];
    const int sig = sigsetjmp(out, 1);
    if (sig != 0) {
        printf("%-28s signal %d\n", name, sig);
        return false;
    }
    for (int i = 0; i < TIMES; i++) {
        const double start = now_us();
        wait();
        us[i] = now_us() - start;
    }
    qsort(us, TIMES, sizeof us[0], by_size);
    printf("%-28s median %.2f us, %.2f to %.2f\n", name, us[TIMES / 2], us[0], us[TIMES - 1]);
    return true;
}
#endif

static void pin(int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0) {
        perror("sched_setaffinity");
    }
}

/* The other CPU: after each go it lets the waiter fall asleep, then stores. */
static atomic_bool go;
static _Atomic double stored_at;
static bool with_event;

static void *writer(void *unused)
{
    (void)unused;
    pin(1);
    for (int i = 0; i < WAKES; i++) {
        while (!atomic_load(&go)) {
        }
        const double until = now_us() + 700;
        while (now_us() < until) {
        }
        atomic_store(&stored_at, now_us());
        atomic_fetch_add(&word[0], 1);
#if defined(__aarch64__) || defined(__arm__)
        if (with_event) {
            __asm__ volatile("dsb ish\n\tsev" : : : "memory");
        }
#endif
        atomic_store(&go, false);
    }
    return NULL;
}

/* Waits for WAKES stores of the other CPU with one wait after another. */
static bool wake_it(const char *name, void (*wait)(void), bool event)
{
    pthread_t thread;
    double us[WAKES];
    int waits = 0;
    if (sysconf(_SC_NPROCESSORS_ONLN) < 2) {
        printf("%-28s needs two CPUs\n", name);
        return true;
    }
    with_event = event;
    pin(0);
    if (pthread_create(&thread, NULL, writer, NULL) != 0) {
        return false;
    }
    for (int i = 0; i < WAKES; i++) {
        const uint32_t old = atomic_load(&word[0]);
        atomic_store(&go, true);
        while (atomic_load(&word[0]) == old) {
            wait();
            waits++;
        }
        us[i] = now_us() - atomic_load(&stored_at);
        while (atomic_load(&go)) {
        }
    }
    pthread_join(thread, NULL);
    qsort(us, WAKES, sizeof us[0], by_size);
    printf("%-28s seen after median %.2f us, at most %.2f, %d waits for %d stores\n", name,
           us[WAKES / 2], us[WAKES - 1], waits, WAKES);
    return true;
}

#if defined(__x86_64__)

static void umonitor(void)
{
    __asm__ volatile(".byte 0xf3, 0x0f, 0xae, 0xf1" : : "c"(word) : "memory");
}

static bool umwait(uint64_t deadline)
{
    bool carry;
    __asm__ volatile(".byte 0xf2, 0x0f, 0xae, 0xf1"
                     : "=@ccc"(carry)
                     : "c"(0), "a"((uint32_t)deadline), "d"((uint32_t)(deadline >> 32))
                     : "memory");
    return carry;
}

static bool tpause(uint64_t deadline)
{
    bool carry;
    __asm__ volatile(".byte 0x66, 0x0f, 0xae, 0xf1"
                     : "=@ccc"(carry)
                     : "c"(0), "a"((uint32_t)deadline), "d"((uint32_t)(deadline >> 32))
                     : "memory");
    return carry;
}

static void monitorx_mwaitx(uint32_t ticks)
{
    __asm__ volatile(".byte 0x0f, 0x01, 0xfa" : : "a"(word), "c"(0), "d"(0) : "memory");
    __asm__ volatile(".byte 0x0f, 0x01, 0xfb" : : "a"(0), "b"(ticks), "c"(2) : "memory");
}

enum { UMWAIT, TPAUSE, MWAITX };

/* Waits of a length in TSC ticks: how many were as long, and how many say the OS limit cut them. */
static void wait_ticks(const char *name, int kind, uint32_t ticks)
{
    int early = 0;
    int carries = 0;
    uint64_t shortest = UINT64_MAX;
    uint64_t longest = 0;
    for (int i = 0; i < TIMES; i++) {
        if (kind == UMWAIT) {
            umonitor();
        }
        const uint64_t start = __rdtsc();
        if (kind == UMWAIT) {
            carries += umwait(start + ticks);
        } else if (kind == TPAUSE) {
            carries += tpause(start + ticks);
        } else {
            monitorx_mwaitx(ticks);
        }
        const uint64_t took = __rdtsc() - start;
        early += took < ticks;
        shortest = took < shortest ? took : shortest;
        longest = took > longest ? took : longest;
    }
    printf("%-28s %d of %d ended early, %d with CF, %llu to %llu ticks\n", name, early, TIMES,
           carries, (unsigned long long)shortest, (unsigned long long)longest);
}

static void deadline_it(const char *name, int kind, uint32_t ticks)
{
    const int sig = sigsetjmp(out, 1);
    if (sig != 0) {
        printf("%-28s signal %d\n", name, sig);
        return;
    }
    wait_ticks(name, kind, ticks);
}

static void wait_umwait(void)
{
    const uint32_t old = atomic_load(&word[0]);
    umonitor();
    if (atomic_load(&word[0]) == old && atomic_load(&go)) {
        (void)umwait(__rdtsc() + 1000000);
    }
}

static void wait_mwaitx(void)
{
    monitorx_mwaitx(1000000);
}

static bool facts(void)
{
    unsigned a;
    unsigned b;
    unsigned c = 0;
    unsigned d;
    char limit[32] = "none";
    const bool waitpkg = __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (c >> 5 & 1) != 0;
    const bool mwaitx = __get_cpuid(0x80000001, &a, &b, &c, &d) != 0 && (c >> 29 & 1) != 0;
    FILE *f = fopen("/sys/devices/system/cpu/umwait_control/max_time", "re");
    if (f != NULL) {
        if (fgets(limit, sizeof limit, f) != NULL) {
            limit[strcspn(limit, "\n")] = '\0';
        }
        fclose(f);
    }
    printf("waitpkg %d mwaitx %d max_time %s\n", waitpkg, mwaitx, limit);
    deadline_it("umwait +20000", UMWAIT, 20000);
    deadline_it("tpause +20000", TPAUSE, 20000);
    deadline_it("mwaitx +20000", MWAITX, 20000);
    deadline_it("umwait +1000000", UMWAIT, 1000000);
    return (!waitpkg || wake_it("umwait, other CPU stores", wait_umwait, false)) &&
           (!mwaitx || wake_it("mwaitx, other CPU stores", wait_mwaitx, false));
}

#elif defined(__aarch64__)

static void wfe(void)
{
    __asm__ volatile("wfe" : : : "memory");
}

static void sevl_wfe(void)
{
    __asm__ volatile("sevl\n\twfe" : : : "memory");
}

static void ldaxr_wfe(void)
{
    uint32_t v;
    __asm__ volatile("ldaxr %w0, [%1]\n\twfe" : "=&r"(v) : "r"(word) : "memory");
}

static uint64_t hertz(void)
{
    uint64_t f;
    __asm__ volatile("mrs %0, cntfrq_el0" : "=r"(f));
    return f;
}

static void wfet_10ms(void)
{
    uint64_t t;
    __asm__ volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(t) : : "memory");
    register uint64_t deadline __asm__("x0") = t + hertz() / 100;
    __asm__ volatile(".inst 0xd5031000" : : "r"(deadline) : "memory"); /* wfet x0 */
}

static bool facts(void)
{
    printf("cntfrq %llu evtstrm %lu wfxt %lu\n", (unsigned long long)hertz(),
           getauxval(AT_HWCAP) >> 2 & 1, getauxval(AT_HWCAP2) >> 31 & 1);
    (void)time_it("wfe", wfe);
    (void)time_it("sevl; wfe", sevl_wfe);
    (void)time_it("ldaxr; wfe", ldaxr_wfe);
    (void)time_it("wfet +10 ms", wfet_10ms);
    return wake_it("wfe, other CPU stores", wfe, false) &&
           wake_it("wfe, other CPU stores + SEV", wfe, true) &&
           wake_it("ldaxr; wfe, other CPU stores", ldaxr_wfe, false);
}

#elif defined(__riscv)

static void rv_pause(void)
{
    __asm__ volatile(".4byte 0x0100000f" : : : "memory");
}

static void wrs_sto(void)
{
    uint32_t v;
    __asm__ volatile("lr.w %0, (%1)\n\t.4byte 0x01d00073" : "=&r"(v) : "r"(word) : "memory");
}

static void wrs_nto(void)
{
    uint32_t v;
    __asm__ volatile("lr.w %0, (%1)\n\t.4byte 0x00d00073" : "=&r"(v) : "r"(word) : "memory");
}

static bool facts(void)
{
    struct {
        int64_t key;
        uint64_t value;
    } pair = {4, 0}; /* RISCV_HWPROBE_KEY_IMA_EXT_0 */
    if (syscall(258, &pair, 1UL, 0UL, NULL, 0U) != 0) {
        puts("no hwprobe");
    } else {
        printf("zawrs %d zihintpause %d\n", (int)(pair.value >> 48 & 1),
               (int)(pair.value >> 36 & 1));
    }
    (void)time_it("pause", rv_pause);
    const bool wrs = time_it("lr; wrs.sto", wrs_sto);
    (void)time_it("lr; wrs.nto", wrs_nto);
    return wake_it("pause, other CPU stores", rv_pause, false) &&
           (!wrs || wake_it("lr; wrs.sto, other CPU stores", wrs_sto, false));
}

#elif defined(__arm__)

static void wfe(void)
{
    __asm__ volatile("wfe" : : : "memory");
}

static void ldrex_wfe(void)
{
    uint32_t v;
    __asm__ volatile("ldrex %0, [%1]" : "=&r"(v) : "r"(word) : "memory");
    wfe();
}

static bool facts(void)
{
    (void)time_it("wfe", wfe);
    (void)time_it("ldrex; wfe", ldrex_wfe);
    return wake_it("ldrex; wfe, other CPU stores", ldrex_wfe, true);
}

#else

static void look_again(void)
{
}

static bool facts(void)
{
    puts("nothing is known of this CPU");
    return wake_it("other CPU stores", look_again, false);
}

#endif

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (strcmp(what, "exit") == 0 && argc > 2) {
        return atoi(argv[2]);
    }
    if (strcmp(what, "raise") == 0 && argc > 2) {
        (void)raise(atoi(argv[2]));
    } else if (strcmp(what, "illegal") == 0) {
#if defined(__x86_64__)
        __asm__ volatile("ud2");
#elif defined(__aarch64__)
        __asm__ volatile(".inst 0x00000000"); /* udf */
#elif defined(__riscv)
        __asm__ volatile(".4byte 0x00000000");
#elif defined(__arm__)
        __asm__ volatile("udf #0");
#elif defined(__s390x__)
        __asm__ volatile(".short 0");
#endif
    } else if (strcmp(what, "hang") == 0) {
        puts("hanging");
        for (;;) {
            pause();
        }
    } else if (strcmp(what, "say") == 0) {
        for (int i = 2; i < argc; i++) {
            puts(argv[i]);
        }
        printf("%s", getenv("FACTS") != NULL ? getenv("FACTS") : "no FACTS");
        return 0;
#if defined(__x86_64__)
    } else if (strcmp(what, "umwait") == 0) {
        umonitor();
        return 0;
#endif
    } else if (argc == 1) {
        signal(SIGILL, caught);
        signal(SIGSEGV, caught);
        printf("%ld CPUs\n", sysconf(_SC_NPROCESSORS_ONLN));
        return facts() ? 0 : 1;
    }
    fprintf(stderr, "facts: bad arguments\n");
    return 2;
}
