/* SPDX-License-Identifier: MIT */
/*
 * The kernel's clocks, read from the kernel.
 *
 * A deadline is computed here and ends in the kernel (futex(2), futex_waitv(2): absolute times of
 * CLOCK_MONOTONIC), so both must be times of one clock. A program may run with a clock_gettime() that
 * is not the kernel's: libfaketime, a checkpointed process's shim, a test's. Then a deadline made of
 * that is decades off, or, where that clock stands still, never comes. So the C library is not asked.
 * What it calls itself is called: the function in the vDSO, which makes no system call, and where there
 * is none the system call. Timeouts are the kernel's time also under such a shim.
 *
 * The vDSO is an ELF image that the kernel maps (vdso(7), AT_SYSINFO_EHDR). Its symbol is looked for
 * once, in some microseconds. Not on architectures where that function is no C function (powerpc tells
 * of errors in a flag), nor where its time has 32 bits: there the C library is asked.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <limits.h>
#include <link.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "core/port.h"
#include "user/library.h"

#define NS_PER_S 1000000000u

/* The kernel's own type, 64 bits also on the architectures of 32. */
struct kernel_time {
    int64_t s, ns;
};

typedef int clock_fn(clockid_t id, struct kernel_time *t);

#if defined(__x86_64__) || (defined(__riscv) && __riscv_xlen == 64) || defined(__loongarch64)
#define VDSO_NAME "__vdso_clock_gettime"
#elif defined(__aarch64__) || defined(__s390x__)
#define VDSO_NAME "__kernel_clock_gettime"
#elif defined(__arm__) || defined(__i386__)
#define VDSO_NAME "__vdso_clock_gettime64" /* Linux 5.6 */
#endif

#if defined(VDSO_NAME) && !defined(__ILP32__) && defined(__LP64__)
#define KERNEL_CALL SYS_clock_gettime
#elif defined(VDSO_NAME) && defined(SYS_clock_gettime64)
#define KERNEL_CALL SYS_clock_gettime64
#endif

/* ------------------------------------------------------------------------------- the vDSO ---- */

#if defined(KERNEL_CALL)

struct image {
    uintptr_t load; /* what an address in it is relative to */
    const ElfW(Sym) * symbols;
    const char *names;
    const uint32_t *hash, *gnu_hash;
};

static bool find_tables(uintptr_t base, struct image *v)
{
    const ElfW(Ehdr) *header = (const void *)base;
    const ElfW(Phdr) *part = (const void *)(base + header->e_phoff);
    const ElfW(Dyn) *entry = NULL;
    bool loaded = false;

    for (unsigned i = 0; i < header->e_phnum; i++) {
        if (part[i].p_type == PT_LOAD && !loaded) {
            v->load = base + part[i].p_offset - part[i].p_vaddr;
            loaded = true;
        } else if (part[i].p_type == PT_DYNAMIC) {
            entry = (const void *)(base + part[i].p_offset);
        }
    }
    for (; loaded && entry && entry->d_tag != DT_NULL; entry++) {
        const void *at = (const void *)(v->load + entry->d_un.d_ptr);

        if (entry->d_tag == DT_STRTAB) {
            v->names = at;
        } else if (entry->d_tag == DT_SYMTAB) {
            v->symbols = at;
        } else if (entry->d_tag == DT_HASH) {
            v->hash = at;
        } else if (entry->d_tag == DT_GNU_HASH) {
            v->gnu_hash = at;
        }
    }
    return v->names && v->symbols;
}

/* How many symbols there are, which only a hash table tells. 0: none that can be read. */
static uint32_t count_symbols(const struct image *v)
{
    if (v->gnu_hash) {
        const uint32_t buckets = v->gnu_hash[0], first = v->gnu_hash[1], bloom = v->gnu_hash[2];
        const uint32_t *bucket = v->gnu_hash + 4 + bloom * (sizeof(uintptr_t) / sizeof(uint32_t));
        const uint32_t *chain = bucket + buckets;
        uint32_t last = 0;

        for (uint32_t i = 0; i < buckets; i++) {
            last = bucket[i] > last ? bucket[i] : last;
        }
        if (last < first) {
            return 0;
        }
        while (!(chain[last - first] & 1)) {
            last++;
        }
        return last + 1;
    }
#if !defined(__s390x__) /* whose entries have 64 bits */
    if (v->hash) {
        return v->hash[1];
    }
#endif
    return 0;
}

static clock_fn *find_clock(void)
{
    const int saved = errno;
    const uintptr_t base = getauxval(AT_SYSINFO_EHDR);
    struct image v = {0};

    errno = saved; /* ENOENT where the kernel, or an emulator, gives no vDSO */

    if (!base || !find_tables(base, &v)) {
        return NULL;
    }
    for (uint32_t i = count_symbols(&v); i--;) {
        const ElfW(Sym) *s = &v.symbols[i];

        if (s->st_shndx != SHN_UNDEF && !strcmp(v.names + s->st_name, VDSO_NAME)) {
            return (clock_fn *)(v.load + s->st_value);
        }
    }
    return NULL;
}

/* What the vDSO's function does without a vDSO. */
static int by_system_call(clockid_t id, struct kernel_time *t)
{
    const int saved = errno;
    const int err = syscall(KERNEL_CALL, id, t) ? -errno : 0;

    errno = saved;
    return err;
}

/* Two threads that come here first find the same. */
static clock_fn *kernel_clock(void)
{
    static clock_fn *known;
    clock_fn *fn = __atomic_load_n(&known, __ATOMIC_RELAXED);

    if (!fn) {
        fn = find_clock();
        fn = fn ? fn : by_system_call;
        __atomic_store_n(&known, fn, __ATOMIC_RELAXED);
    }
    return fn;
}

#else

static int by_library(clockid_t id, struct kernel_time *t)
{
    struct timespec now;

    if (clock_gettime(id, &now)) {
        return -1;
    }
    *t = (struct kernel_time){now.tv_sec, now.tv_nsec};
    return 0;
}

static clock_fn *kernel_clock(void)
{
    return by_library;
}

#endif

static uint64_t read_ns(clockid_t id)
{
    struct kernel_time t = {0, 0};

    return kernel_clock()(id, &t) ? 0 : (uint64_t)t.s * NS_PER_S + (uint64_t)t.ns;
}

uint64_t xsc_port_now_ns(void)
{
    return read_ns(CLOCK_MONOTONIC);
}

uint64_t xsc_port_cpu_ns(void)
{
    return read_ns(CLOCK_THREAD_CPUTIME_ID);
}

/* By the system call, which no such shim lengthens, and which is no cancellation point. */
void xsc_port_nap(uint64_t ns)
{
    const int saved = errno;
#if defined(KERNEL_CALL) && defined(SYS_clock_nanosleep_time64) && !defined(__LP64__)
    const struct kernel_time t = {(int64_t)(ns / NS_PER_S), (int64_t)(ns % NS_PER_S)};

    const long err = syscall(SYS_clock_nanosleep_time64, CLOCK_MONOTONIC, 0, &t, NULL);
#else
    const struct timespec t = {(time_t)(ns / NS_PER_S), (long)(ns % NS_PER_S)};

    const long err = syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &t, NULL);
#endif
    if (err && errno != EINTR) { /* refused, by a seccomp filter */
        const int cancel = xsc_no_cancel();

        poll(NULL, 0, (int)(ns / 1000000u < INT_MAX ? (ns + 999999u) / 1000000u : INT_MAX));
        xsc_cancel_as(cancel);
    }
    errno = saved;
}
