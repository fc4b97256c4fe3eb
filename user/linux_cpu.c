/* SPDX-License-Identifier: MIT */
/* The part of the port that is Linux's: what the kernel tells about the CPU. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "arch/arch.h"
#include "core/port.h"
#include "user/cpus.h"
#include "user/library.h"
#include "user/linux_cpu.h"

/* ------------------------------------------------------------------------ sets of CPUs ---- */

bool xsc_cpus_of(int tid, struct xsc_cpu_set *set)
{
    const int saved = errno;

    *set = (struct xsc_cpu_set){{0}};
    const bool known = syscall(SYS_sched_getaffinity, tid, sizeof(*set), set) > 0;

    errno = saved;
    return known;
}

int xsc_cpus_move(int tid, const struct xsc_cpu_set *set)
{
    const int saved = errno;
    const int err = syscall(SYS_sched_setaffinity, tid, sizeof(*set), set) ? -errno : 0;

    errno = saved;
    return err;
}

bool xsc_cpus_only(int cpu, struct xsc_cpu_set *set)
{
    *set = (struct xsc_cpu_set){{0}};
    if (cpu < 0 || (unsigned)cpu >= XSC_CPUS_MAX) {
        return false;
    }
    set->word[(unsigned)cpu / XSC_CPUS_A_WORD] = 1ul << (unsigned)cpu % XSC_CPUS_A_WORD;
    return true;
}

void xsc_cpus_without(int cpu, struct xsc_cpu_set *set)
{
    if (cpu >= 0 && (unsigned)cpu < XSC_CPUS_MAX) {
        set->word[(unsigned)cpu / XSC_CPUS_A_WORD] &= ~(1ul << (unsigned)cpu % XSC_CPUS_A_WORD);
    }
}

uint32_t xsc_cpus_in(const struct xsc_cpu_set *set)
{
    uint32_t n = 0;

    for (unsigned i = 0; i < XSC_CPUS_MAX / XSC_CPUS_A_WORD; i++) {
        n += (uint32_t)__builtin_popcountl(set->word[i]);
    }
    return n;
}

/* As the kernel lays out a directory entry: getdents64(2). No opendir(): it allocates. */
struct entry {
    uint64_t inode;
    int64_t next;
    uint16_t size;
    uint8_t type;
    char name[];
};

/* A task's number, or 0 for "." and "..". */
static int task_of(const char *name)
{
    int tid = 0;

    while (*name >= '0' && *name <= '9') {
        tid = tid * 10 + (*name++ - '0');
    }
    return tid;
}

/* Adds the CPUs of every thread of this process. */
static void add_threads(struct xsc_cpu_set *all, struct xsc_cpu_set *one)
{
    char buf[256] __attribute__((aligned(8))); /* some ten tasks: the stack may be a handler's */
    const int fd = open("/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    long n;

    if (fd < 0) {
        return;
    }
    while ((n = syscall(SYS_getdents64, fd, buf, sizeof(buf))) > 0) {
        for (long at = 0; at < n;) {
            const struct entry *e = (const struct entry *)(const void *)(buf + at);
            const int tid = task_of(e->name);

            if (tid && xsc_cpus_of(tid, one)) {
                for (unsigned i = 0; i < XSC_CPUS_MAX / XSC_CPUS_A_WORD; i++) {
                    all->word[i] |= one->word[i];
                }
            }
            at += e->size;
        }
    }
    close(fd);
}

bool xsc_cpus_of_process(struct xsc_cpu_set *all, struct xsc_cpu_set *scratch)
{
    const int saved = errno, cancel = xsc_no_cancel();
    const bool known = xsc_cpus_of(0, all);

    if (known && xsc_cpus_in(all) == 1) {
        add_threads(all, scratch);
    }
    xsc_cancel_as(cancel);
    errno = saved;
    return known;
}

uint32_t xsc_count_cpus(void)
{
    static struct xsc_cpu_set all, one; /* too large for the stack of a signal handler */

    return xsc_cpus_of_process(&all, &one) ? xsc_cpus_in(&all) : 0;
}

#if defined(XSC_ARCH_X86)

/* The file's first line without its newline; false where it can't be read. No stdio: see K5. */
static bool read_line(const char *path, char *buf, size_t size)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        return false;
    }
    const ssize_t n = read(fd, buf, size - 1);

    close(fd);
    if (n <= 0) {
        return false;
    }
    buf[n] = '\0';
    buf[strcspn(buf, "\n")] = '\0';
    return true;
}

static bool read_number(const char *path, uint32_t *value)
{
    char line[32];
    uint64_t v = 0;

    if (!read_line(path, line, sizeof(line)) || !*line) {
        return false;
    }
    for (const char *p = line; *p; p++) {
        if (*p < '0' || *p > '9' || v > UINT32_MAX) {
            return false;
        }
        v = v * 10 + (uint64_t)(*p - '0');
    }
    *value = (uint32_t)v;
    return v <= UINT32_MAX;
}

#define UMWAIT_CONTROL "/sys/devices/system/cpu/umwait_control/"
#define MSR_IA32_UMWAIT_CONTROL 0xe1

/*
 * Linux shows the MSR in sysfs (Documentation/ABI/testing/sysfs-devices-system-cpu:
 * enable_c02 is the inverse of the MSR's bit 0; max_time is bits 31:2 with bits 1:0 zero).
 * Where that is hidden, root may read the MSR itself. Neither: CF tells of the limit.
 */
static void read_umwait_control(struct xsc_cpu *cpu)
{
    uint32_t c02, max;
    uint64_t msr;

    if (read_number(UMWAIT_CONTROL "enable_c02", &c02) &&
        read_number(UMWAIT_CONTROL "max_time", &max)) {
        cpu->umwait_known = true;
        cpu->umwait_c02 = c02 != 0;
        cpu->umwait_max_ticks = max;
        cpu->umwait_source = UMWAIT_CONTROL;
        return;
    }
    const int fd = open("/dev/cpu/0/msr", O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        cpu->umwait_source = "neither " UMWAIT_CONTROL " nor /dev/cpu/0/msr is readable";
        return;
    }
    if (pread(fd, &msr, sizeof(msr), MSR_IA32_UMWAIT_CONTROL) == (ssize_t)sizeof(msr)) {
        cpu->umwait_known = true;
        cpu->umwait_c02 = !(msr & 1);
        cpu->umwait_max_ticks = (uint32_t)msr & ~3u;
        cpu->umwait_source = "MSR 0xE1 (/dev/cpu/0/msr)";
    } else {
        cpu->umwait_source = "/dev/cpu/0/msr does not give MSR 0xE1";
    }
    close(fd);
}

/* The kernel watches the TSC for longer than we could: what it gave up, we don't trust. */
static const char *kernel_distrusts_tsc(void)
{
    char source[32];
    int tsc = PR_TSC_ENABLE;

    if (!prctl(PR_GET_TSC, &tsc) && tsc == PR_TSC_SIGSEGV) {
        return "the TSC is forbidden to this process (PR_SET_TSC)";
    }
    if (!read_line("/sys/devices/system/clocksource/clocksource0/current_clocksource", source,
                   sizeof(source))) {
        return NULL;
    }
    if (!strcmp(source, "hpet") || !strcmp(source, "acpi_pm") || !strcmp(source, "pit") ||
        strstr(source, "jiffies")) {
        return "the kernel does not use the TSC as its clock (unstable?)";
    }
    return NULL;
}

static void ask_os(struct xsc_cpu *cpu)
{
    const char *distrust = kernel_distrusts_tsc();

    if (distrust) {
        cpu->counter_trusted = false;
        cpu->counter_reason = distrust;
    }
    if (cpu->has & XSC_HAS_WAITPKG) {
        read_umwait_control(cpu);
    }
}

#elif defined(XSC_ARCH_ARM64) || defined(XSC_ARCH_ARM)

/* Linux uapi asm/hwcap.h. EVTSTRM is bit 2 on arm64 and bit 21 on arm; WFXT is arm64's only. */
#if defined(XSC_ARCH_ARM64)
#define HWCAP_BIT_EVTSTRM 2
#define HWCAP2_BIT_WFXT 31
#else
#define HWCAP_BIT_EVTSTRM 21
#endif

static void ask_os(struct xsc_cpu *cpu)
{
    if (getauxval(AT_HWCAP) >> HWCAP_BIT_EVTSTRM & 1) {
        cpu->has |= XSC_HAS_EVTSTRM;
    }
#if defined(HWCAP2_BIT_WFXT)
    if (getauxval(AT_HWCAP2) >> HWCAP2_BIT_WFXT & 1) {
        cpu->has |= XSC_HAS_WFXT;
    }
#endif
}

#elif defined(XSC_ARCH_RISCV64)

/* Linux uapi asm/hwprobe.h: the call is 6.4's, the Zawrs bit 6.11's. */
#define SYS_RISCV_HWPROBE 258
#define KEY_IMA_EXT_0 4
#define EXT_ZIHINTPAUSE 36
#define EXT_ZAWRS 48

static void ask_os(struct xsc_cpu *cpu)
{
    struct {
        int64_t key;
        uint64_t value;
    } pair = {KEY_IMA_EXT_0, 0};
    const int saved = errno;

    if (syscall(SYS_RISCV_HWPROBE, &pair, 1, 0, NULL, 0) || pair.key != KEY_IMA_EXT_0) {
        cpu->unknown |= XSC_HAS_ZAWRS | XSC_HAS_ZIHINTPAUSE;
        errno = saved;
        return;
    }
    cpu->has |= (pair.value >> EXT_ZAWRS & 1 ? XSC_HAS_ZAWRS : 0) |
                (pair.value >> EXT_ZIHINTPAUSE & 1 ? XSC_HAS_ZIHINTPAUSE : 0);
}

#else

static void ask_os(struct xsc_cpu *cpu)
{
    (void)cpu;
}

#endif

void xsc_port_cpu(struct xsc_cpu *cpu)
{
    const int saved = errno, cancel = xsc_no_cancel();

    xsc_arch_features(cpu);
    ask_os(cpu);
#if defined(XSC_TESTING)
    xsc_test_features(cpu);
#endif
    cpu->cpus = xsc_count_cpus();
    xsc_cancel_as(cancel);
    errno = saved;
}
