/* SPDX-License-Identifier: MIT */
/*
 * Self test, part 5: processes that may not do everything. A trial wants a helper on another
 * CPU and a child in which an instruction may fault; where neither can be had the library
 * still works, with what needs no trial.
 */
#define _GNU_SOURCE
#include "selftest.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <xsc/stats.h>
#include <xsc/wait.h>

#if defined(__x86_64__)
#define XSC_AUDIT_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define XSC_AUDIT_ARCH AUDIT_ARCH_AARCH64
#elif defined(__arm__)
#define XSC_AUDIT_ARCH AUDIT_ARCH_ARM
#elif defined(__riscv)
#define XSC_AUDIT_ARCH AUDIT_ARCH_RISCV64
#endif

#define REFUSE(number)                                                                             \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (number), 0, 1),                                           \
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)

static bool refuse_clone(void)
{
#if defined(XSC_AUDIT_ARCH)
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, XSC_AUDIT_ARCH, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        REFUSE(SYS_clone),
#if defined(SYS_clone3)
        REFUSE(SYS_clone3),
#endif
#if defined(SYS_fork)
        REFUSE(SYS_fork),
        REFUSE(SYS_vfork),
#endif
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};

    return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
           !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
#else
    errno = ENOSYS; /* the filter below would need this architecture's audit number */
    return false;
#endif
}

/* As for a user that already has all the processes allowed. Root is exempt: change. */
static bool no_more_processes(void)
{
    const struct rlimit none = {0, 0};

    return !setrlimit(RLIMIT_NPROC, &none) && (getuid() || !setuid(65534)) && fork() < 0;
}

/* ------------------------------------------------------------------------ work all the same ---- */

struct job {
    const char *how;
    bool (*confine)(void);
};

static struct line lines[2];
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static void *partner(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
    for (uint32_t i = 1; i <= 1000 && !xsc_wait_u32(&lines[0].word, i - 1, LOST_NS); i++) {
        __atomic_store_n(&lines[1].word, i, __ATOMIC_RELEASE);
    }
    return NULL;
}

static void work(void *arg)
{
    const struct job *job = arg;
    volatile uint32_t word = 0;
    pthread_t thread;
    uint32_t done = 0;

    pthread_mutex_lock(&gate); /* the partner exists already, and does not choose before us */
    check(!pthread_create(&thread, NULL, partner, NULL), "a partner");
    if (!job->confine()) {
        skipped("%s: not available here: %s", job->how, strerror(errno));
        _exit(0);
    }
    errno = 1234; /* what is refused below sets it, and no code but ours may see that */
    check(xsc_wait_u32(&word, 0, 300000) == -ETIMEDOUT, "a timeout");
    check(errno == 1234, "errno afterwards: %d", errno);
    check(!xsc_init(NULL), "a choice can be made, %s", job->how);
    pthread_mutex_unlock(&gate);
    for (uint32_t i = 1; i <= 1000; i++) {
        __atomic_store_n(&lines[0].word, i, __ATOMIC_RELEASE);
        if (xsc_wait_u32(&lines[1].word, i - 1, LOST_NS)) {
            break;
        }
        done = i;
    }
    pthread_join(thread, NULL);
    check(done == 1000, "%u hand-overs by %s, %s", done, mechanism_in_use(), job->how);
    check_stats(job->how);
    for (unsigned i = 0; i < xsc_mechanism_count(); i++) {
        struct xsc_mechanism_info info;

        xsc_mechanism_read(i, &info, sizeof(info));
        expect(!info.monitor || strcmp(info.name, mechanism_in_use()),
               "%s is not used without a whole trial: state %u, %s", info.name, info.state,
               info.reason);
    }
}

void selftest_confined(void)
{
    struct job seccomp = {"with clone refused", refuse_clone};
    struct job limit = {"with no process left", no_more_processes};

    in_child("clone refused", NULL, 120, work, &seccomp);
    in_child("no process left", NULL, 120, work, &limit);
}
