/* SPDX-License-Identifier: MIT */
/*
 * xsc-pipeline [--pinned] IN OUT: a file goes through three shards, block by block.
 *
 *     read  --->  sum and mark  --->  check and write
 *       ^                                |
 *       +----------- free blocks --------+
 *
 * The blocks stay where they are; messages say whose turn it is. The first shard reads into a free
 * block and sends its number on, the second adds up its bytes, the third adds them up again, compares,
 * writes them to their place in OUT and gives the block back. Mailboxes are smaller than
 * the number of blocks, so that a fast stage meets a full one and waits.
 *
 * At the end each stage closes the next one's mailbox: stop lets it finish what it was sent. Prints
 * what came through each, and the kernel entries that it took to wait and to wake. Exit 0, or 1 if
 * anything was lost or changed, or 2.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <xsc/shard.h>

#define BLOCKS 16u
#define BLOCK_BYTES 4096u
#define ROOM 4u /* messages in the mailboxes on the way; that of free blocks holds all */

enum { READ, SUM, WRITE, STAGES };

struct block_message {
    uint32_t block, bytes;
    uint64_t offset, sum;
};

static unsigned char blocks[BLOCKS][BLOCK_BYTES];
static struct xsc_shard *stage[STAGES];
static int in, out;
static uint64_t read_bytes, written_bytes;

static uint64_t sum_of(const unsigned char *bytes, uint32_t n)
{
    uint64_t sum = 0xcbf29ce484222325u; /* FNV-1a */

    for (uint32_t i = 0; i < n; i++) {
        sum = (sum ^ bytes[i]) * 0x100000001b3u;
    }
    return sum;
}

/* Free blocks arrive here. */
static int read_stage(struct xsc_shard *self, void *arg)
{
    struct block_message m;
    uint32_t away = 0;
    ssize_t n = 1;
    int err = 0;

    (void)arg;
    for (uint32_t i = 0; i < BLOCKS && !err; i++) {
        m = (struct block_message){.block = i};
        err = xsc_shard_send(self, &m);
    }
    for (;;) {
        if (n > 0 && !err) {
            if (xsc_shard_yield(self, &m, NULL, XSC_FOREVER) != XSC_SHARD_MESSAGE) {
                err = -EIO;
                break;
            }
            away -= m.bytes != 0; /* it has been somewhere */
            n = read(in, blocks[m.block], BLOCK_BYTES);
            if (n > 0) {
                m.bytes = (uint32_t)n;
                m.offset = read_bytes;
                read_bytes += (uint64_t)n;
                err = xsc_shard_send_for(stage[SUM], &m, XSC_FOREVER);
                away += !err;
            } else if (n < 0) {
                err = -errno;
            }
        } else if (away && xsc_shard_yield(self, &m, NULL, XSC_FOREVER) == XSC_SHARD_MESSAGE) {
            away -= m.bytes != 0;
        } else {
            break;
        }
    }
    xsc_shard_stop(stage[SUM]);
    xsc_shard_stop(self);
    while (xsc_shard_yield(self, &m, NULL, XSC_FOREVER) == XSC_SHARD_MESSAGE) {
    }
    return err;
}

static int sum_stage(struct xsc_shard *self, void *arg)
{
    struct block_message m;
    int why, err = 0;

    (void)arg;
    while ((why = xsc_shard_yield(self, &m, NULL, XSC_FOREVER)) == XSC_SHARD_MESSAGE) {
        m.sum = sum_of(blocks[m.block], m.bytes);
        const int sent = xsc_shard_send_for(stage[WRITE], &m, XSC_FOREVER);

        err = err ? err : sent;
    }
    xsc_shard_stop(stage[WRITE]);
    return err ? err : why == XSC_SHARD_STOP ? 0 : -EIO;
}

/* Goes on after an error, so that every block comes home. */
static int write_stage(struct xsc_shard *self, void *arg)
{
    struct block_message m;
    int why, err = 0;

    (void)arg;
    while ((why = xsc_shard_yield(self, &m, NULL, XSC_FOREVER)) == XSC_SHARD_MESSAGE) {
        if (sum_of(blocks[m.block], m.bytes) != m.sum || m.offset != written_bytes) {
            fprintf(stderr, "xsc-pipeline: the block at %llu was changed on its way\n",
                    (unsigned long long)m.offset);
            err = -EILSEQ;
        } else if (pwrite(out, blocks[m.block], m.bytes, (off_t)m.offset) != (ssize_t)m.bytes) {
            err = errno ? -errno : -EIO;
        }
        written_bytes += m.bytes;
        const int sent = xsc_shard_send(stage[READ], &m); /* has room for all of them */

        err = err ? err : sent;
    }
    return err ? err : why == XSC_SHARD_STOP ? 0 : -EIO;
}

struct run {
    int number, cpu, end;
    int (*body)(struct xsc_shard *self, void *arg);
};

static void *run_stage(void *arg)
{
    struct run *r = arg;

    r->end = xsc_shard_run(stage[r->number], r->cpu, r->body, NULL);
    for (int i = 0; i < STAGES && r->end; i++) { /* a failed stage is not waited for */
        xsc_shard_stop(stage[i]);
    }
    return NULL;
}

/* The number-th CPU that this process may use, as often round as need be. */
static int cpu_for(int number)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof(set), &set)) {
        return -1;
    }
    number %= CPU_COUNT(&set);
    for (int cpu = 0;; cpu++) {
        if (CPU_ISSET((size_t)cpu, &set) && !number--) {
            return cpu;
        }
    }
}

static bool tell(void)
{
    static const char *const names[STAGES] = {"read", "sum", "write"};
    bool good = read_bytes == written_bytes;

    for (int i = 0; i < STAGES; i++) {
        struct xsc_shard_stats n;

        xsc_shard_stats_read(stage[i], &n, sizeof(n));
        printf("%-5s  %llu accepted, %llu delivered, %llu full, %llu parks, %llu wakes: "
               "%.3f kernel entries a message\n",
               names[i], (unsigned long long)n.accepted, (unsigned long long)n.delivered,
               (unsigned long long)n.full, (unsigned long long)n.parks, (unsigned long long)n.wakes,
               n.delivered ? (double)(n.parks + n.wakes + n.looks) / (double)n.delivered : 0.0);
        good &= n.accepted == n.delivered;
        good &= xsc_shard_destroy(stage[i]) == 0;
    }
    printf("%llu bytes read, %llu written\n", (unsigned long long)read_bytes,
           (unsigned long long)written_bytes);
    return good;
}

int main(int argc, char **argv)
{
    const bool pinned = argc == 4 && !strcmp(argv[1], "--pinned");
    struct run runs[STAGES] = {{.body = read_stage}, {.body = sum_stage}, {.body = write_stage}};
    pthread_t threads[STAGES];
    bool good = true;

    if (argc != 3 && !pinned) {
        fprintf(stderr, "usage: xsc-pipeline [--pinned] IN OUT\n");
        return 2;
    }
    in = open(argv[argc - 2], O_RDONLY | O_CLOEXEC);
    out = open(argv[argc - 1], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (in < 0 || out < 0) {
        fprintf(stderr, "xsc-pipeline: %s: %s\n", argv[argc - (in < 0 ? 2 : 1)], strerror(errno));
        return 2;
    }
    for (int i = 0; i < STAGES; i++) {
        const struct xsc_shard_config config = {.size = sizeof(config),
                                                .message_size = sizeof(struct block_message),
                                                .capacity = i == READ ? BLOCKS : ROOM};
        const int err = xsc_shard_create(&config, &stage[i]);

        if (err) {
            fprintf(stderr, "xsc-pipeline: no shard: %s\n", strerror(-err));
            return 2;
        }
    }
    for (int i = 0; i < STAGES; i++) {
        runs[i].number = i;
        runs[i].cpu = pinned ? cpu_for(i) : -1;
        if (pthread_create(&threads[i], NULL, run_stage, &runs[i])) {
            fprintf(stderr, "xsc-pipeline: no thread\n");
            return 2;
        }
    }
    for (int i = 0; i < STAGES; i++) {
        pthread_join(threads[i], NULL);
        if (runs[i].end) {
            fprintf(stderr, "xsc-pipeline: stage %d: %s\n", i, strerror(-runs[i].end));
            good = false;
        }
    }
    good &= tell();
    return close(out) || !good;
}
