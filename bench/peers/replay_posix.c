/* SPDX-License-Identifier: MIT */
/* What POSIX and Linux have: a condition variable, a semaphore, an eventfd. */
#define _GNU_SOURCE
#include "bench/replay.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/eventfd.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static uint32_t guarded;

static void cond_wait(uint32_t seen)
{
    pthread_mutex_lock(&mutex);
    while (guarded == seen) {
        pthread_cond_wait(&cond, &mutex);
    }
    pthread_mutex_unlock(&mutex);
}

static void cond_post(uint32_t news)
{
    pthread_mutex_lock(&mutex);
    guarded = news;
    pthread_mutex_unlock(&mutex);
    pthread_cond_signal(&cond);
}

static sem_t sem;

static int sem_start(void)
{
    return sem_init(&sem, 0, 0) ? errno : 0;
}

static void wait_sem(uint32_t seen)
{
    (void)seen;
    while (sem_wait(&sem)) {
    }
}

static void post_sem(uint32_t news)
{
    (void)news;
    sem_post(&sem);
}

static int fd = -1;

static int eventfd_start(void)
{
    fd = eventfd(0, EFD_CLOEXEC);
    return fd < 0 ? errno : 0;
}

static void eventfd_wait(uint32_t seen)
{
    uint64_t posted;

    (void)seen;
    while (read(fd, &posted, sizeof(posted)) != (ssize_t)sizeof(posted)) {
    }
}

static void eventfd_post(uint32_t news)
{
    const uint64_t one = 1;

    (void)news;
    while (write(fd, &one, sizeof(one)) != (ssize_t)sizeof(one)) {
    }
}

const struct replay_peer replay_cond = {NULL, NULL, cond_wait, cond_post};
const struct replay_peer replay_sem = {sem_start, NULL, wait_sem, post_sem};
const struct replay_peer replay_eventfd = {eventfd_start, NULL, eventfd_wait, eventfd_post};
