/* SPDX-License-Identifier: MIT */
/*
 * test_lock_debug: each mistake with a lock ends the program, and says which lock, and both places.
 * What is no mistake does not.
 */
#define _GNU_SOURCE
#define XSC_LOCK_DEBUG
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

#include <xsc/lock.h>

#include "park_test.h"

static struct xsc_mutex mutex;
static struct xsc_ticket ticket;
static struct xsc_queue queue;
static struct xsc_queue_node node, other_node;

static void in_thread(void *(*fn)(void *))
{
    pthread_t t;

    CHECK(!pthread_create(&t, NULL, fn, NULL), "%s", strerror(errno));
    pthread_join(t, NULL);
}

static void relock_mutex(void)
{
    xsc_mutex_lock(&mutex);
    xsc_mutex_lock(&mutex);
}

static void relock_timed(void)
{
    CHECK(!xsc_mutex_trylock(&mutex), "free");
    (void)xsc_mutex_lock_for(&mutex, 1);
}

static void relock_ticket(void)
{
    xsc_ticket_lock(&ticket);
    xsc_ticket_lock(&ticket);
}

static void relock_queue(void)
{
    xsc_queue_lock(&queue, &node);
    xsc_queue_lock(&queue, &other_node);
}

static void *unlock_mutex(void *arg)
{
    xsc_mutex_unlock(&mutex);
    return arg;
}

static void *unlock_ticket(void *arg)
{
    xsc_ticket_unlock(&ticket);
    return arg;
}

static void *unlock_queue(void *arg)
{
    xsc_queue_unlock(&queue, &node);
    return arg;
}

static void unlock_of_another(void)
{
    xsc_mutex_lock(&mutex);
    in_thread(unlock_mutex);
}

static void unlock_of_another_ticket(void)
{
    xsc_ticket_lock(&ticket);
    in_thread(unlock_ticket);
}

static void unlock_of_another_queue(void)
{
    xsc_queue_lock(&queue, &node);
    in_thread(unlock_queue);
}

static void unlock_of_free(void)
{
    xsc_mutex_lock(&mutex);
    xsc_mutex_unlock(&mutex);
    xsc_mutex_unlock(&mutex);
}

static void unlock_of_free_ticket(void)
{
    xsc_ticket_unlock(&ticket);
}

static void unlock_of_free_queue(void)
{
    xsc_queue_lock(&queue, &node);
    xsc_queue_unlock(&queue, &node);
    xsc_queue_unlock(&queue, &node);
}

static void destroy_held(void)
{
    xsc_mutex_lock(&mutex);
    xsc_mutex_destroy(&mutex);
}

static void destroy_held_ticket(void)
{
    CHECK(!xsc_ticket_trylock(&ticket), "free");
    xsc_ticket_destroy(&ticket);
}

static void destroy_held_queue(void)
{
    CHECK(!xsc_queue_trylock(&queue, &node), "free");
    xsc_queue_destroy(&queue);
}

static void destroy_unchecked(void)
{
    (xsc_mutex_lock)(&mutex);
    xsc_mutex_destroy(&mutex);
}

static void *contend(void *arg)
{
    for (int i = 0; i < 2000; i++) {
        struct xsc_queue_node mine;

        xsc_mutex_lock(&mutex);
        xsc_ticket_lock(&ticket);
        xsc_queue_lock(&queue, &mine);
        xsc_queue_unlock(&queue, &mine);
        xsc_ticket_unlock(&ticket);
        xsc_mutex_unlock(&mutex);
        if (!xsc_mutex_lock_for(&mutex, 1000)) {
            xsc_mutex_unlock(&mutex);
        }
    }
    return arg;
}

/* More locks than the table has room for: unchecked, not refused. */
static void no_mistake(void)
{
    static struct xsc_mutex many[3000];
    pthread_t t[4];

    for (size_t i = 0; i < 3000; i++) {
        xsc_mutex_lock(&many[i]);
    }
    for (size_t i = 0; i < 3000; i++) {
        xsc_mutex_unlock(&many[i]);
        xsc_mutex_destroy(&many[i]);
    }
    for (int i = 0; i < 4; i++) {
        CHECK(!pthread_create(&t[i], NULL, contend, NULL), "%s", strerror(errno));
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(t[i], NULL);
    }
    (xsc_mutex_lock)(&mutex); /* by code that is not checked */
    xsc_mutex_unlock(&mutex);
    xsc_mutex_destroy(&mutex);
    xsc_ticket_destroy(&ticket);
    xsc_queue_destroy(&queue);
}

/* Which lock it is about, what it says of the mistake, and how many places it names. */
static const struct mistake {
    const char *name;
    void (*make)(void);
    const volatile void *lock;
    const char *kind, *says;
    int places;
} mistakes[] = {
    {"relock", relock_mutex, &mutex, "mutex", ", by its owner, who locked it at ", 2},
    {"relock, timed", relock_timed, &mutex, "mutex", ", by its owner, who locked it at ", 2},
    {"relock, ticket", relock_ticket, &ticket, "ticket", ", by its owner, who locked it at ", 2},
    {"relock, queue", relock_queue, &queue, "queue", ", by its owner, who locked it at ", 2},
    {"unlock of another's", unlock_of_another, &mutex, "mutex",
     ", by a thread that has not locked it; locked at ", 2},
    {"unlock of another's, ticket", unlock_of_another_ticket, &ticket, "ticket",
     ", by a thread that has not locked it; locked at ", 2},
    {"unlock of another's, queue", unlock_of_another_queue, &queue, "queue",
     ", by a thread that has not locked it; locked at ", 2},
    {"unlock of a free one", unlock_of_free, &mutex, "mutex", ", and not locked", 1},
    {"unlock of a free one, ticket", unlock_of_free_ticket, &ticket, "ticket", ", and not locked",
     1},
    {"unlock of a free one, queue", unlock_of_free_queue, &queue, "queue", ", and not locked", 1},
    {"destroyed while held", destroy_held, &mutex, "mutex", ", while held, locked at ", 2},
    {"destroyed while held, ticket", destroy_held_ticket, &ticket, "ticket",
     ", while held, locked at ", 2},
    {"destroyed while held, queue", destroy_held_queue, &queue, "queue", ", while held, locked at ",
     2},
    {"destroyed while held by others", destroy_unchecked, &mutex, "mutex",
     "a place that was not compiled with XSC_LOCK_DEBUG", 1},
    {"no mistake", no_mistake, NULL, NULL, NULL, 0},
};

static void try(const struct mistake *m)
{
    const struct rlimit no_core = {0, 0};
    char said[1024] = "", start[64];
    int out[2], status = 0, places = 0;
    size_t n = 0;
    ssize_t got;

    fflush(stdout);
    CHECK(!pipe(out), "%s", strerror(errno));
    const pid_t pid = fork();

    if (pid == 0) {
        setrlimit(RLIMIT_CORE, &no_core);
        dup2(out[1], STDERR_FILENO);
        m->make();
        _exit(failures ? 1 : 0);
    }
    close(out[1]);
    while (n < sizeof(said) - 1 && (got = read(out[0], said + n, sizeof(said) - 1 - n)) > 0) {
        n += (size_t)got;
    }
    close(out[0]);
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid, "%s", strerror(errno));
    if (!m->says) {
        CHECK(status == 0 && !*said, "%s: status %#x, \"%s\"", m->name, (unsigned)status, said);
        return;
    }
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "%s: status %#x", m->name,
          (unsigned)status);
    snprintf(start, sizeof(start), "xsc %s %p: ", m->kind, (void *)(uintptr_t)m->lock);
    CHECK(!strncmp(said, start, strlen(start)), "%s: \"%s\", not \"%s\"", m->name, said, start);
    CHECK(strstr(said, m->says), "%s: \"%s\"", m->name, said);
    for (const char *p = said; (p = strstr(p, "test_lock_debug.c:")); p++) {
        places++;
    }
    CHECK(places == m->places, "%s: %d places: \"%s\"", m->name, places, said);
    printf("# %s", said);
}

int main(void)
{
    for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
        try(&mistakes[i]);
    }
    return failures ? 1 : 0;
}
