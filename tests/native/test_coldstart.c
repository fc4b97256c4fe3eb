/* SPDX-License-Identifier: MIT */
/*
 * test_coldstart: what the first slow wait, the one that chooses, leaves behind: nothing.
 *
 * It may try out mechanisms, which takes a thread on another CPU and a child that may fault.
 * Afterwards the process has as many threads, children and open files as before, no signal
 * has come, none is handled or blocked differently, and nothing was allocated: this program
 * counts its calls of the allocator, its own in place of the C library's, and of mmap().
 * With the x86 waits emulated (XSC_TEST_EMULATE) the trial has all of its parts.
 *
 * test_coldstart LIBRARY also does so through a library loaded by dlopen(), whose thread-local
 * variables could be allocated at their first use.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <xsc/stats.h>
#include <xsc/wait.h>

#include "harness.h"

/* ------------------------------------------------------------------------ the allocator ---- */

/* Enough for a C library's start and some threads; never given back. */
static char heap[1 << 22] __attribute__((aligned(64)));
static size_t heap_used;
static _Thread_local unsigned allocations, mappings; /* each thread counts its own */

static void *take(size_t size, size_t align)
{
    const size_t need = ((size + 15) & ~(size_t)15) + align + 16;
    const size_t at = __atomic_fetch_add(&heap_used, need, __ATOMIC_RELAXED);

    allocations++;
    if (at + need > sizeof(heap)) {
        errno = ENOMEM;
        return NULL;
    }
    char *p = heap + ((at + 16 + align - 1) & ~(align - 1));

    memcpy(p - sizeof(size), &size, sizeof(size));
    return p;
}

void *malloc(size_t size)
{
    return take(size, 16);
}

void *calloc(size_t n, size_t size)
{
    return size && n > sizeof(heap) / size ? NULL : take(n * size, 16); /* static memory is zero */
}

void *realloc(void *old, size_t size)
{
    void *p = take(size, 16);
    size_t had;

    if (old && p) {
        memcpy(&had, (char *)old - sizeof(had), sizeof(had));
        memcpy(p, old, had < size ? had : size);
    }
    return p;
}

void *memalign(size_t align, size_t size)
{
    return take(size, align < 16 ? 16 : align);
}

void *aligned_alloc(size_t align, size_t size)
{
    return memalign(align, size);
}

int posix_memalign(void **p, size_t align, size_t size)
{
    *p = memalign(align, size);
    return *p ? 0 : ENOMEM;
}

void free(void *p)
{
    (void)p;
}

void *mmap(void *where, size_t length, int prot, int flags, int fd, off_t offset)
{
    mappings++;
    return (void *)syscall(SYS_mmap, where, length, prot, flags, fd, offset);
}

/* --------------------------------------------------------------------- what there is to see ---- */

/* The entries of a directory in /proc, without an allocation that would be counted in between. */
static int entries(const char *path)
{
    DIR *d = opendir(path);
    int n = 0;

    if (!d) {
        return -1;
    }
    while (readdir(d)) {
        n++;
    }
    closedir(d);
    return n;
}

static volatile sig_atomic_t signals;

static void count_signal(int sig)
{
    (void)sig;
    signals = signals + 1;
}

struct view {
    int threads, files;
    sigset_t mask;
    struct sigaction handled[65];
};

static void look(struct view *v)
{
    memset(v, 0, sizeof(*v));
    v->threads = entries("/proc/self/task");
    v->files = entries("/proc/self/fd");
    pthread_sigmask(SIG_SETMASK, NULL, &v->mask);
    for (int sig = 1; sig < 65; sig++) {
        sigaction(sig, NULL, &v->handled[sig]);
    }
}

static void compare(const struct view *a, const struct view *b)
{
    check(a->threads == b->threads && a->threads > 0, "threads: %d, then %d", a->threads,
          b->threads);
    check(a->files == b->files && a->files > 0, "open files: %d, then %d", a->files, b->files);
    for (int sig = 1; sig < 65; sig++) {
        if (sig == SIGILL && getenv("XSC_TEST_EMULATE")) {
            continue; /* the emulation shows a handler of its own making in place of this one */
        }
        expect(sigismember(&a->mask, sig) == sigismember(&b->mask, sig), "mask of signal %d", sig);
        expect(a->handled[sig].sa_handler == b->handled[sig].sa_handler &&
                   a->handled[sig].sa_flags == b->handled[sig].sa_flags,
               "handling of signal %d", sig);
    }
    check(!signals, "%d signals came", (int)signals);
    check(waitpid(-1, NULL, WNOHANG | (int)__WALL) == -1 && errno == ECHILD, "no child is left");
}

/* ----------------------------------------------------------------------------- first waits ---- */

typedef int wait_u32(const struct xsc_watch *, uint64_t);

static uint32_t word;
static const struct xsc_watch watch = {&word, 0, UINT32_MAX, 4, XSC_UNTIL_NOT};

/* The process's first wait maps one page, for the process's number (user/process.c); no other maps any. */
static unsigned may_map;

static void *first_wait(void *arg)
{
    const unsigned allocated = allocations, mapped = mappings;
    const int got = (*(wait_u32 **)arg)(&watch, NS_PER_MS);

    check(got == -ETIMEDOUT, "a first wait: %d", got);
    check(allocations == allocated && mappings - mapped <= may_map,
          "%u allocations and %u mappings by it", allocations - allocated, mappings - mapped);
    return NULL;
}

static void cold(void *arg)
{
    struct view before, after;
    struct sigaction act;
    pthread_t thread;

    memset(&act, 0, sizeof(act));
    act.sa_handler = count_signal;
    sigaction(SIGCHLD, &act, NULL);
    sigaction(SIGUSR1, &act, NULL);
    look(&before);
    may_map = 1;
    first_wait(arg);
    may_map = 0;
    look(&after);
    compare(&before, &after);
    pthread_create(&thread, NULL, first_wait, arg); /* the first of another thread */
    pthread_join(thread, NULL);
}

static void chosen(void *arg)
{
    struct xsc_stats s;

    cold(arg);
    xsc_stats_read(&s, sizeof(s));
    printf("# %s: %s\n", s.primary, s.choice_reason);
    fflush(stdout);
}

#define AT_ONCE 8

static void at_once(void *arg)
{
    struct view before, after;
    pthread_t thread[AT_ONCE];

    look(&before);
    may_map = 1;
    for (int i = 0; i < AT_ONCE; i++) {
        pthread_create(&thread[i], NULL, first_wait, arg);
    }
    for (int i = 0; i < AT_ONCE; i++) {
        pthread_join(thread[i], NULL);
    }
    look(&after);
    compare(&before, &after);
}

static void loaded(void *arg)
{
    void *library = dlopen(arg, RTLD_NOW | RTLD_LOCAL);
    wait_u32 *wait = NULL;

    if (check(library != NULL, "loaded: %s", library ? (char *)arg : dlerror())) {
        *(void **)&wait = dlsym(library, "xsc_wait_slow");
        if (check(wait != NULL, "it has xsc_wait_slow")) {
            cold(&wait);
        }
    }
}

static void counting(void *arg)
{
    const unsigned allocated = allocations;

    (void)arg;
    free(malloc(1));
    free(strdup("counted in the C library, too"));
    check(allocations == allocated + 2, "the allocator counts: %u", allocations - allocated);
}

int main(int argc, char **argv)
{
    wait_u32 *linked = xsc_wait_slow;

    harness_begin("test_coldstart");
    in_child("counting", NULL, 60, counting, NULL);
    in_child("first wait", getenv("XSC_MECHANISM"), 60, chosen, &linked);
    in_child("all at once", NULL, 60, at_once, &linked);
    if (argc > 1) {
        in_child("loaded", NULL, 60, loaded, argv[1]);
    }
    return harness_end();
}
