/* SPDX-License-Identifier: MIT */
/* mail.c - shards: every accepted message once, whole and in its sender's order, up to the stop */
#include "chaos.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <xsc/shard.h>

struct mail {
    uint32_t from, n;
    uint64_t check[3];
};

struct post {
    struct xsc_shard *shard;
    int fd; /* of an eventfd that is attached; -1: none */
    uint32_t
        sending;    /* senders that have not come to their end: the last of them stops the shard */
    uint64_t rings; /* written to fd, and read from it */
    uint64_t heard;
    uint32_t next[MAX_WORKERS]; /* the shard's: what each sender's next message is */
    uint64_t delivered;
};

static struct post *post_of(const struct round *r)
{
    return (struct post *)(void *)(uintptr_t)r->object;
}

static struct mail mail_of(uint32_t from, uint32_t n)
{
    struct mail m = {.from = from, .n = n};

    for (uint64_t i = 0; i < 3; i++) {
        m.check[i] = ((uint64_t)from << 32 | n) * (2 * i + 3);
    }
    return m;
}

static void start(struct round *r)
{
    struct post *o = post_of(r);
    const bool devices = one_in(&r->random, 2);
    const struct xsc_shard_config config = {.size = sizeof(config),
                                            .message_size = sizeof(struct mail),
                                            .capacity = 2u << below(&r->random, 5),
                                            .devices = devices};

    memset(o, 0, sizeof(*o));
    o->sending = r->workers - 1;
    o->fd = -1;
    int err = xsc_shard_create(&config, &o->shard);

    if (err == -ENOTSUP) { /* a port without descriptors */
        const struct xsc_shard_config plain = {.size = sizeof(plain),
                                               .message_size = sizeof(struct mail),
                                               .capacity = config.capacity};

        err = xsc_shard_create(&plain, &o->shard);
    } else if (!err && devices) {
        o->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        err = xsc_shard_attach(o->shard, o->fd, POLLIN);
    }
    if (err) {
        failed(r, "no shard: %d", err);
    }
}

static void receive(struct worker *w, const struct mail *m)
{
    struct post *o = post_of(w->round);
    const struct mail wanted = mail_of(m->from, m->from < MAX_WORKERS ? o->next[m->from] : 0);

    if (m->from >= MAX_WORKERS || memcmp(m, &wanted, sizeof(wanted))) {
        failed(w->round, "message %u of worker %u, not %u", m->n, m->from, wanted.n);
        return;
    }
    o->next[m->from]++;
    o->delivered++;
    add_to(&w->ops, 1);
}

static bool sent(const struct worker *w)
{
    struct xsc_shard_stats n;

    return !xsc_shard_stats_read(post_of(w->round)->shard, &n, sizeof(n)) &&
           n.accepted != n.delivered;
}

static int body(struct xsc_shard *shard, void *arg)
{
    struct worker *w = arg;
    struct post *o = post_of(w->round);

    for (;;) {
        struct mail m;
        int fd;
        const uint64_t ns = timeout_of(w), since = ns == XSC_FOREVER ? 0 : now_ns();
        uint64_t rings;

        waits_for(w, "a shard's messages", NULL, 0, 0, sent);
        const int why = xsc_shard_yield(shard, &m, &fd, ns);

        timed_out(w, why == XSC_SHARD_TIMEOUT ? -ETIMEDOUT : 0, since, ns);
        switch (why) {
        case XSC_SHARD_MESSAGE:
            receive(w, &m);
            break;
        case XSC_SHARD_DEVICE:
            if (fd != o->fd) {
                failed(w->round, "descriptor %d is ready, not %d", fd, o->fd);
            } else if (read(fd, &rings, sizeof(rings)) == (ssize_t)sizeof(rings)) {
                o->heard += rings;
                add_to(&w->turns, 1);
            }
            break;
        case XSC_SHARD_TIMEOUT:
            break;
        case XSC_SHARD_STOP:
            return 0;
        default:
            failed(w->round, "yield: %d", why);
            return 0;
        }
    }
}

static void send_mail(struct worker *w)
{
    struct post *o = post_of(w->round);

    for (uint32_t n = 0; n < (uint32_t)w->quota;) {
        const struct mail m = mail_of(w->me, n);
        const uint64_t ns = timeout_of(w), since = now_ns();

        if (one_in(&w->random, 8)) {
            const int err = xsc_shard_send(o->shard, &m);

            add_to(&w->turns, 1);
            if (err && err != -EAGAIN) {
                failed(w->round, "send: %d", err);
                return;
            }
            n += !err;
        } else {
            waits_for(w, "a mailbox's room", NULL, 0, 0, NULL);
            n += !timed_out(w, xsc_shard_send_for(o->shard, &m, ns), since, ns);
        }
        if (o->fd >= 0 && one_in(&w->random, 64)) {
            const uint64_t one = 1;

            if (write(o->fd, &one, sizeof(one)) == (ssize_t)sizeof(one)) {
                __atomic_fetch_add(&o->rings, 1, __ATOMIC_RELAXED);
            }
        }
    }
}

static void work(struct worker *w)
{
    struct post *o = post_of(w->round);

    if (w->me == 0) {
        const int err = xsc_shard_run(o->shard, -1, body, w);

        MUST_GIVE(0, w->round, err);
        return;
    }
    send_mail(w);
    if (__atomic_sub_fetch(&o->sending, 1, __ATOMIC_ACQ_REL) == 0) {
        MUST_GIVE(0, w->round, xsc_shard_stop(o->shard));
    }
}

static void settle(struct round *r)
{
    struct post *o = post_of(r);
    const uint64_t wanted = r->worker[1].quota * (r->workers - 1);

    if (o->delivered != wanted) {
        failed(r, "%llu messages delivered of %llu", (unsigned long long)o->delivered,
               (unsigned long long)wanted);
    }
    const int left = xsc_shard_destroy(o->shard);

    if (left) {
        failed(r, "destroy: %d", left);
    }
    if (o->fd >= 0) {
        close(o->fd);
    }
}

const struct kind chaos_shard = {.name = "shard",
                                 .weight = 80,
                                 .burst = 4000,
                                 .least = 2,
                                 .start = start,
                                 .work = work,
                                 .settle = settle};
