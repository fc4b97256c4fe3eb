/* SPDX-License-Identifier: MIT */
/*
 * ivshmem_server SOCKET BYTES VECTORS: what QEMU's ivshmem-doorbell devices find each other by
 * (QEMU's docs/specs/ivshmem-spec): memory that they share, and an eventfd for each vector of each
 * of them. The first that connects gets the ID 0, each further one the next, and an ID that was
 * given back is not given again. Serves until it is killed; says "ready" once it listens.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { MAX_PEERS = 16, MAX_VECTORS = 8 };

static struct peer {
    int socket; /* -1: gone */
    int bell[MAX_VECTORS];
} peers[MAX_PEERS];

static int n_peers, n_vectors;

static void die(const char *what)
{
    fprintf(stderr, "ivshmem_server: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* A message is a little-endian number of 8 bytes, as is this machine's, and perhaps a descriptor. */
static void tell(int to, int64_t number, int descriptor)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {.header = {.cmsg_len = CMSG_LEN(sizeof(int)),
                            .cmsg_level = SOL_SOCKET,
                            .cmsg_type = SCM_RIGHTS}};
    struct iovec text = {&number, sizeof(number)};
    struct msghdr message = {.msg_iov = &text, .msg_iovlen = 1};

    if (descriptor >= 0) {
        memcpy(CMSG_DATA(&control.header), &descriptor, sizeof(descriptor));
        message.msg_control = &control;
        message.msg_controllen = sizeof(control);
    }
    /* A client that has gone meanwhile is found out by poll(). */
    if (sendmsg(to, &message, MSG_NOSIGNAL) < 0 && errno != EPIPE && errno != ECONNRESET) {
        die("sendmsg");
    }
}

static void tell_of(int to, int id)
{
    for (int v = 0; v < n_vectors; v++) {
        tell(to, id, peers[id].bell[v]);
    }
}

static void welcome(int socket, int memory)
{
    const int id = n_peers;

    if (id == MAX_PEERS) {
        close(socket);
        return;
    }
    n_peers++;
    peers[id].socket = socket;
    for (int v = 0; v < n_vectors; v++) {
        peers[id].bell[v] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        if (peers[id].bell[v] < 0) {
            die("eventfd");
        }
    }
    tell(socket, 0, -1); /* the protocol's version */
    tell(socket, id, -1);
    tell(socket, -1, memory);
    for (int other = 0; other < id; other++) {
        if (peers[other].socket >= 0) {
            tell_of(peers[other].socket, id);
            tell_of(socket, other);
        }
    }
    tell_of(socket, id);
}

static void farewell(int id)
{
    close(peers[id].socket);
    peers[id].socket = -1;
    for (int v = 0; v < n_vectors; v++) {
        close(peers[id].bell[v]);
    }
    for (int other = 0; other < n_peers; other++) {
        if (peers[other].socket >= 0) {
            tell(peers[other].socket, id, -1);
        }
    }
}

int main(int argc, char **argv)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const long bytes = argc == 4 ? strtol(argv[2], NULL, 10) : 0;

    n_vectors = argc == 4 ? (int)strtol(argv[3], NULL, 10) : 0;
    if (bytes < 1 || n_vectors < 1 || n_vectors > MAX_VECTORS ||
        strlen(argv[1]) >= sizeof(address.sun_path)) {
        fprintf(stderr, "usage: ivshmem_server SOCKET BYTES VECTORS, of which 1 to %d\n",
                MAX_VECTORS);
        return 2;
    }
    memcpy(address.sun_path, argv[1], strlen(argv[1]));
    const int memory = memfd_create("ivshmem", MFD_CLOEXEC);
    const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (memory < 0 || ftruncate(memory, bytes)) {
        die("the memory");
    }
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof(address)) ||
        listen(listener, MAX_PEERS)) {
        die(argv[1]);
    }
    puts("ready");
    fflush(stdout);
    for (;;) {
        struct pollfd wanted[1 + MAX_PEERS] = {{listener, POLLIN, 0}};
        const int known = n_peers;

        for (int id = 0; id < known; id++) {
            wanted[1 + id] = (struct pollfd){peers[id].socket, POLLIN, 0}; /* -1 is passed over */
        }
        if (poll(wanted, (nfds_t)(1 + known), -1) < 0) {
            die("poll");
        }
        /* A client never says anything: what can be read of it is its end. */
        for (int id = 0; id < known; id++) {
            if (wanted[1 + id].revents) {
                farewell(id);
            }
        }
        if (wanted[0].revents) {
            const int socket = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

            if (socket < 0) {
                die("accept");
            }
            welcome(socket, memory);
        }
    }
}
