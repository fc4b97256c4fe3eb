/* SPDX-License-Identifier: MIT */
/*
 * What one writes with the C library: a ring under a mutex, with a condition variable or with an
 * eventfd that is written for every message and waited for by epoll; and a pipe.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "bench/harness.h"
#include "bench/shards/shards.h"

/* --------------------------------------------------------------------- a ring and a mutex ---- */

struct ring {
    pthread_mutex_t mutex;
    pthread_cond_t filled, freed;
    uint64_t room, head, tail;
    unsigned readers, writers; /* waiting */
    struct shards_message *messages;
    int event, set;
};

static void *make(uint32_t room)
{
    struct ring *r = bench_alloc(sizeof(*r));

    r->room = room ? room : 1;
    r->messages = bench_alloc(r->room * sizeof(*r->messages));
    r->event = r->set = -1;
    pthread_mutex_init(&r->mutex, NULL);
    pthread_cond_init(&r->filled, NULL);
    pthread_cond_init(&r->freed, NULL);
    return r;
}

static void destroy(void *queue)
{
    struct ring *r = queue;

    pthread_mutex_destroy(&r->mutex);
    pthread_cond_destroy(&r->filled);
    pthread_cond_destroy(&r->freed);
    if (r->set >= 0) {
        close(r->set);
        close(r->event);
    }
    free(r->messages);
    free(r);
}

/* Under the mutex. */
static void put(struct ring *r, const struct shards_message *m)
{
    while (r->tail - r->head == r->room) {
        r->writers++;
        pthread_cond_wait(&r->freed, &r->mutex);
        r->writers--;
    }
    r->messages[r->tail++ % r->room] = *m;
}

static void get(struct ring *r, struct shards_message *m)
{
    *m = r->messages[r->head++ % r->room];
    if (r->writers) {
        pthread_cond_signal(&r->freed);
    }
}

static void cond_send(void *queue, const struct shards_message *m)
{
    struct ring *r = queue;

    pthread_mutex_lock(&r->mutex);
    put(r, m);
    if (r->readers) {
        pthread_cond_signal(&r->filled);
    }
    pthread_mutex_unlock(&r->mutex);
}

static void cond_receive(void *queue, struct shards_message *m)
{
    struct ring *r = queue;

    pthread_mutex_lock(&r->mutex);
    while (r->tail == r->head) {
        r->readers++;
        pthread_cond_wait(&r->filled, &r->mutex);
        r->readers--;
    }
    get(r, m);
    pthread_mutex_unlock(&r->mutex);
}

const struct shards_peer shards_cond = {
    .name = "mutex + cond",
    .kind = SHARDS_PARKS,
    .rival = true,
    .open = make,
    .close = destroy,
    .send = cond_send,
    .receive = cond_receive,
};

/* ------------------------------------------------------------------------- eventfd, epoll ---- */

static void *event_make(uint32_t room)
{
    struct epoll_event event = {.events = EPOLLIN};
    struct ring *r = make(room);

    r->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    r->set = epoll_create1(EPOLL_CLOEXEC);
    if (r->event < 0 || r->set < 0 || epoll_ctl(r->set, EPOLL_CTL_ADD, r->event, &event)) {
        bench_die("no eventfd or no epoll: %s", strerror(errno));
    }
    return r;
}

static void event_send(void *queue, const struct shards_message *m)
{
    const uint64_t one = 1;
    struct ring *r = queue;

    pthread_mutex_lock(&r->mutex);
    put(r, m);
    pthread_mutex_unlock(&r->mutex);
    if (write(r->event, &one, sizeof(one)) != sizeof(one)) {
        bench_die("eventfd: %s", strerror(errno));
    }
}

static void event_receive(void *queue, struct shards_message *m)
{
    struct ring *r = queue;
    struct epoll_event event;
    uint64_t n;

    for (;;) {
        pthread_mutex_lock(&r->mutex);
        const bool any = r->tail != r->head;

        if (any) {
            get(r, m);
        }
        pthread_mutex_unlock(&r->mutex);
        if (any) {
            return;
        }
        if (epoll_wait(r->set, &event, 1, -1) == 1 && read(r->event, &n, sizeof(n)) < 0 &&
            errno != EAGAIN) {
            bench_die("eventfd: %s", strerror(errno));
        }
    }
}

const struct shards_peer shards_eventfd = {
    .name = "eventfd + epoll",
    .kind = SHARDS_PARKS,
    .rival = true,
    .open = event_make,
    .close = destroy,
    .send = event_send,
    .receive = event_receive,
};

/* ----------------------------------------------------------------------------------- pipe ---- */

struct ends {
    int in, out;
};

/* A pipe has whole pages: room for 256 messages at least. */
static void *pipe_make(uint32_t room)
{
    struct ends *e = bench_alloc(sizeof(*e));
    int fds[2];

    if (pipe2(fds, O_CLOEXEC)) {
        bench_die("no pipe: %s", strerror(errno));
    }
    *e = (struct ends){fds[0], fds[1]};
    fcntl(e->out, F_SETPIPE_SZ, (int)((room ? room : 1) * sizeof(struct shards_message)));
    return e;
}

static void pipe_destroy(void *queue)
{
    struct ends *e = queue;

    close(e->in);
    close(e->out);
    free(e);
}

static void pipe_send(void *queue, const struct shards_message *m)
{
    const struct ends *e = queue;

    if (write(e->out, m, sizeof(*m)) != sizeof(*m)) { /* whole or not at all: below PIPE_BUF */
        bench_die("a pipe: %s", strerror(errno));
    }
}

static void pipe_receive(void *queue, struct shards_message *m)
{
    const struct ends *e = queue;

    if (read(e->in, m, sizeof(*m)) != sizeof(*m)) {
        bench_die("a pipe: %s", strerror(errno));
    }
}

const struct shards_peer shards_pipe = {
    .name = "pipe",
    .kind = SHARDS_PARKS,
    .open = pipe_make,
    .close = pipe_destroy,
    .send = pipe_send,
    .receive = pipe_receive,
};
