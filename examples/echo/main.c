/* SPDX-License-Identifier: MIT */
/*
 * xsc-echo [--shards N] [--connections N] [--bytes N] [--pinned]: a TCP echo over loopback, on shards.
 *
 *     connections --accept--> acceptor --message: a descriptor--> server 0, 1, ... --bytes--> back
 *
 * One shard accepts and deals the connections out, in turn. Each server waits for both at once: for
 * descriptors that it is sent, and for bytes on those that it has. Which comes first it can't know.
 *
 * The clients are threads of this program, one a connection: they send so many bytes in pieces of awkward
 * lengths, and check what comes back. When all are done the acceptor is stopped; it stops the servers, which
 * first take what was sent to them. Prints what went through each. Exit 0, 1 if anything was lost or
 * changed, 2 for bad arguments, 77 where there is no epoll.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <xsc/shard.h>

#define SHARDS_MAX 16u
#define CONNECTIONS_MAX 1000u
#define BYTES_MAX 100000000u
#define PIECE 1500u
#define PATIENCE_S 60 /* a client that hears nothing for so long has failed */

struct served {
    struct xsc_shard *shard;
    uint64_t connections, bytes; /* the shard's own until it has ended */
    int cpu, end;
};

static struct served servers[SHARDS_MAX], acceptor;
static uint32_t n_servers = 2, n_connections = 32, n_bytes = 20000;
static bool pinned;

/* ------------------------------------------------------------------------------- the shards ---- */

static int accept_all(int listener)
{
    for (;;) {
        const int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd < 0) {
            return errno == EAGAIN || errno == ECONNABORTED || errno == EINTR ? 0 : -errno;
        }
        struct xsc_shard *to = servers[acceptor.connections % n_servers].shard;
        const int err = xsc_shard_send_for(to, &fd, XSC_FOREVER);

        if (err) {
            close(fd);
            return err;
        }
        acceptor.connections++;
    }
}

static int accept_body(struct xsc_shard *self, void *arg)
{
    int listener, why, err = 0, message;

    (void)arg;
    while (!err) {
        why = xsc_shard_yield(self, &message, &listener, XSC_FOREVER);
        if (why == XSC_SHARD_DEVICE) {
            err = accept_all(listener);
        } else {
            err = why == XSC_SHARD_STOP ? 0 : -EIO;
            break;
        }
    }
    for (uint32_t i = 0; i < n_servers; i++) {
        xsc_shard_stop(servers[i].shard);
    }
    return err;
}

static void drop(struct xsc_shard *self, int fd)
{
    xsc_shard_detach(self, fd);
    close(fd);
}

/* A client that does not take its bytes holds up its server: there is room for them all in a socket. */
static int write_all(int fd, const char *bytes, size_t n)
{
    while (n) {
        const ssize_t done = send(fd, bytes, n, MSG_NOSIGNAL);

        if (done > 0) {
            bytes += done;
            n -= (size_t)done;
        } else if (errno == EAGAIN) {
            sched_yield();
        } else if (errno != EINTR) {
            return -errno;
        }
    }
    return 0;
}

static void echo(struct served *s, struct xsc_shard *self, int fd)
{
    char bytes[4096];
    const ssize_t n = recv(fd, bytes, sizeof(bytes), 0);

    if (n > 0 && !write_all(fd, bytes, (size_t)n)) {
        s->bytes += (uint64_t)n;
    } else if (n >= 0 || (errno != EAGAIN && errno != EINTR)) {
        drop(self, fd); /* the client has gone, or failed: it tells */
    }
}

static int serve_body(struct xsc_shard *self, void *arg)
{
    struct served *s = arg;
    int message, fd, why;

    for (;;) {
        why = xsc_shard_yield(self, &message, &fd, XSC_FOREVER);
        if (why == XSC_SHARD_MESSAGE) {
            const int err = xsc_shard_attach(self, message, EPOLLIN);

            s->connections++;
            if (err) {
                close(message);
                return err;
            }
        } else if (why == XSC_SHARD_DEVICE) {
            echo(s, self, fd);
        } else {
            return why == XSC_SHARD_STOP ? 0 : -EIO;
        }
    }
}

static void *run_server(void *arg)
{
    struct served *s = arg;

    s->end = xsc_shard_run(s->shard, s->cpu, s == &acceptor ? accept_body : serve_body, s);
    return NULL;
}

/* ------------------------------------------------------------------------------ the clients ---- */

struct client {
    struct sockaddr_in to;
    uint32_t number;
    bool good;
    pthread_t thread;
};

static unsigned char byte_of(uint32_t client, uint32_t i)
{
    return (unsigned char)((client * 2654435761u + i * 40503u) >> 7);
}

static bool ask(int fd, uint32_t client, uint32_t from, uint32_t n)
{
    unsigned char out[PIECE], in[PIECE];

    for (uint32_t i = 0; i < n; i++) {
        out[i] = byte_of(client, from + i);
    }
    if (write_all(fd, (const char *)out, n)) {
        return false;
    }
    for (uint32_t got = 0; got < n;) {
        const ssize_t more = recv(fd, in + got, n - got, 0);

        if (more <= 0) {
            return false;
        }
        got += (uint32_t)more;
    }
    return !memcmp(in, out, n);
}

static void *be_client(void *arg)
{
    struct client *c = arg;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    uint32_t sent = 0;

    c->good = fd >= 0 && !setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) &&
              !connect(fd, (const struct sockaddr *)&c->to, sizeof(c->to));
    while (c->good && sent < n_bytes) {
        const uint32_t wanted = 1 + (sent * 7 + c->number * 131) % PIECE;
        const uint32_t n = wanted < n_bytes - sent ? wanted : n_bytes - sent;

        c->good = ask(fd, c->number, sent, n);
        sent += n;
    }
    if (fd >= 0) {
        close(fd);
    }
    return NULL;
}

/* ---------------------------------------------------------------------------------- the rest ---- */

/* The number-th CPU that this process may use, as often round as need be. */
static int cpu_for(uint32_t number)
{
    cpu_set_t set;

    if (!pinned || sched_getaffinity(0, sizeof(set), &set)) {
        return -1;
    }
    number %= (uint32_t)CPU_COUNT(&set);
    for (int cpu = 0;; cpu++) {
        if (CPU_ISSET((size_t)cpu, &set) && !number--) {
            return cpu;
        }
    }
}

static int listen_on_loopback(struct sockaddr_in *at)
{
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    socklen_t size = sizeof(*at);

    *at = (struct sockaddr_in){.sin_family = AF_INET};
    at->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || bind(fd, (const struct sockaddr *)at, sizeof(*at)) ||
        listen(fd, (int)CONNECTIONS_MAX) || getsockname(fd, (struct sockaddr *)at, &size)) {
        fprintf(stderr, "xsc-echo: no socket on loopback: %s\n", strerror(errno));
        exit(1);
    }
    return fd;
}

static void make(struct served *s, uint32_t number)
{
    const struct xsc_shard_config config = {
        .size = sizeof(config), .message_size = sizeof(int), .capacity = 8, .devices = 1};
    const int err = xsc_shard_create(&config, &s->shard);

    if (err) {
        fprintf(stderr, "xsc-echo: no shard: %s\n", strerror(-err));
        exit(err == -ENOTSUP ? 77 : 1);
    }
    s->cpu = cpu_for(number);
}

static bool finish(struct served *s, const char *name, uint32_t number)
{
    struct xsc_shard_stats n;

    xsc_shard_stats_read(s->shard, &n, sizeof(n));
    printf(
        "%s %u: %llu connections, %llu bytes; %llu messages, %llu devices, %llu parks, %llu wakes, "
        "%llu looks\n",
        name, number, (unsigned long long)s->connections, (unsigned long long)s->bytes,
        (unsigned long long)n.delivered, (unsigned long long)n.devices, (unsigned long long)n.parks,
        (unsigned long long)n.wakes, (unsigned long long)n.looks);
    if (s->end) {
        fprintf(stderr, "xsc-echo: %s %u: %s\n", name, number, strerror(-s->end));
    }
    return !xsc_shard_destroy(s->shard) && !s->end;
}

static bool number_of(const char *text, uint32_t max, uint32_t *value)
{
    char *end;
    const unsigned long v = strtoul(text, &end, 10);

    *value = (uint32_t)v;
    return *text >= '0' && *text <= '9' && !*end && v && v <= max;
}

static bool arguments(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const bool last = i + 1 == argc;

        if (!strcmp(argv[i], "--pinned")) {
            pinned = true;
        } else if (last || !((!strcmp(argv[i], "--shards") &&
                              number_of(argv[i + 1], SHARDS_MAX, &n_servers)) ||
                             (!strcmp(argv[i], "--connections") &&
                              number_of(argv[i + 1], CONNECTIONS_MAX, &n_connections)) ||
                             (!strcmp(argv[i], "--bytes") &&
                              number_of(argv[i + 1], BYTES_MAX, &n_bytes)))) {
            return false;
        } else {
            i++;
        }
    }
    return true;
}

/* Runs all clients to their end. */
static uint32_t ask_all(const struct sockaddr_in *at)
{
    struct client *clients = calloc(n_connections, sizeof(*clients));
    uint32_t begun = 0, good = 0;

    for (; clients && begun < n_connections; begun++) {
        clients[begun] = (struct client){.to = *at, .number = begun};
        if (pthread_create(&clients[begun].thread, NULL, be_client, &clients[begun])) {
            break;
        }
    }
    for (uint32_t i = 0; i < begun; i++) {
        pthread_join(clients[i].thread, NULL);
        good += clients[i].good;
    }
    free(clients);
    return good;
}

int main(int argc, char **argv)
{
    pthread_t threads[SHARDS_MAX + 1];
    struct sockaddr_in at;
    uint64_t bytes = 0, connections = 0;

    if (!arguments(argc, argv)) {
        fprintf(stderr,
                "usage: xsc-echo [--shards 1-%u] [--connections 1-%u] [--bytes 1-%u] "
                "[--pinned]\n",
                SHARDS_MAX, CONNECTIONS_MAX, BYTES_MAX);
        return 2;
    }
    const int listener = listen_on_loopback(&at);

    make(&acceptor, 0);
    for (uint32_t i = 0; i < n_servers; i++) {
        make(&servers[i], i + 1);
    }
    const int err = xsc_shard_attach(acceptor.shard, listener, EPOLLIN);

    if (err) {
        fprintf(stderr, "xsc-echo: attach: %s\n", strerror(-err));
        return 1;
    }
    for (uint32_t i = 0; i <= n_servers; i++) {
        if (pthread_create(&threads[i], NULL, run_server, i ? &servers[i - 1] : &acceptor)) {
            fprintf(stderr, "xsc-echo: no thread\n");
            return 1;
        }
    }
    const uint32_t good = ask_all(&at);

    xsc_shard_stop(acceptor.shard);
    for (uint32_t i = 0; i <= n_servers; i++) {
        pthread_join(threads[i], NULL);
    }
    bool all = finish(&acceptor, "acceptor", 0);

    for (uint32_t i = 0; i < n_servers; i++) {
        bytes += servers[i].bytes;
        connections += servers[i].connections;
        all &= finish(&servers[i], "server", i);
    }
    close(listener);
    printf("%u of %u connections had all of their bytes back: %llu accepted, %llu served, %llu "
           "bytes\n",
           good, n_connections, (unsigned long long)acceptor.connections,
           (unsigned long long)connections, (unsigned long long)bytes);
    all &= good == n_connections && connections == n_connections &&
           bytes == (uint64_t)n_connections * n_bytes;
    return !all;
}
