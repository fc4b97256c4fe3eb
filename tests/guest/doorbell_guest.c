/* SPDX-License-Identifier: MIT */
/*
 * doorbell_guest: what xsc_doorbell.ko does in a booted kernel with an edu or ivshmem-doorbell
 * device; root, the module in /. Prints a line a check and ends with 1 when one failed.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "kernel/xsc_doorbell.h"
#include "tests/guest/kernel_guest.h"

#define BELL "/dev/xsc-doorbell0"
#define DRIVER "/sys/bus/pci/drivers/xsc_doorbell"
#define STORM 5000

static int bell_open(int flags)
{
    const int fd = open(BELL, O_RDWR | O_CLOEXEC | flags);

    if (fd < 0) {
        check(false, BELL ": %s", strerror(errno));
    }
    return fd;
}

static int ring_bell(int fd, unsigned long peer)
{
    return ioctl(fd, XSC_DOORBELL_RING, peer) ? -errno : 0;
}

/* What came since the last read; -errno. */
static long long heard(int fd)
{
    unsigned long long n;
    const ssize_t size = read(fd, &n, sizeof(n));

    return size < 0 ? -errno : size != sizeof(n) ? -EBADMSG : (long long)n;
}

static short events(int fd, int timeout_ms)
{
    struct pollfd p = {fd, POLLIN, 0};

    return poll(&p, 1, timeout_ms) < 0 ? -1 : p.revents;
}

static void *storm(void *arg)
{
    const int fd = *(const int *)arg;

    for (int i = 0; i < STORM; i++) {
        if (ring_bell(fd, 0)) {
            return (void *)1;
        }
    }
    return NULL;
}

/* The last ring is heard, whatever merged before it: a reader that drains ends with silence. */
static void storms(int a, int b)
{
    pthread_t thread[2];
    void *failed = NULL;
    long long total = 0;

    for (int i = 0; i < 2; i++) {
        pthread_create(&thread[i], NULL, storm, &a);
    }
    while (total < 2) {
        const long long n = heard(b);

        if (n < 0) {
            break;
        }
        total += n;
    }
    for (int i = 0; i < 2; i++) {
        void *result;

        pthread_join(thread[i], &result);
        failed = result ? result : failed;
    }
    while (events(b, 500) & POLLIN) {
        total += heard(b);
    }
    check(!failed && total >= 2 && total <= 2 * STORM, "%d rings by two threads: %lld interrupts",
          2 * STORM, total);
    check(ring_bell(a, 0) == 0 && heard(b) == 1, "and the next one is heard, alone");
}

static void *sleeper(void *arg)
{
    static long long got;

    got = heard(*(const int *)arg);
    return &got;
}

/* The device goes while a reader sleeps; comes back when it is looked for. */
static void removed(int fd)
{
    char path[512] = "";
    pthread_t thread;
    void *got;
    DIR *dir = opendir(DRIVER);

    for (struct dirent *e; dir && (e = readdir(dir));) {
        if (strchr(e->d_name, ':')) {
            snprintf(path, sizeof(path), DRIVER "/%.64s/remove", e->d_name);
        }
    }
    if (dir) {
        closedir(dir);
    }
    while (events(fd, 0) & POLLIN) {
        heard(fd);
    }
    pthread_create(&thread, NULL, sleeper, &fd);
    check(put(path, "1") == 0, "the device is removed: %s", path);
    pthread_join(thread, &got);
    check(*(long long *)got == -ENODEV, "a sleeper on it gets ENODEV: %lld", *(long long *)got);
    check(events(fd, 0) & POLLHUP, "poll says POLLHUP");
    check(ring_bell(fd, 0) == -ENODEV, "a ring is ENODEV");
    check(access(BELL, F_OK) && errno == ENOENT, "the file is gone");
}

static void doorbell(void)
{
    struct xsc_doorbell_info info = {0};
    struct stat st = {0};
    char seven[7];

    check(insert("xsc_doorbell", "") == 0, "loads");
    check(!stat(BELL, &st) && (st.st_mode & 0777) == 0600, BELL " has mode 0600");
    const int a = bell_open(0), b = bell_open(O_NONBLOCK);

    check(ioctl(a, XSC_DOORBELL_INFO, &info) == 0, "it tells of itself");
    check(info.state == XSC_DOORBELL_STEADY && info.trial_rings == 100 && !info.trial_lost &&
              info.interrupts == 100,
          "STEADY: %u rings, %u lost, %llu to %llu ns", info.trial_rings, info.trial_lost,
          (unsigned long long)info.min_ns, (unsigned long long)info.max_ns);
    check(heard(b) == -EAGAIN && events(b, 0) == 0, "silence: EAGAIN, and poll shows nothing");
    check(ring_bell(a, 0) == 0, "rung");
    check(heard(a) == 1, "heard by the ringing descriptor");
    check(events(b, PATIENCE_S * 1000) == POLLIN && heard(b) == 1, "and by the other opener");
    check(read(b, seven, sizeof(seven)) == -1 && errno == EINVAL, "7 bytes are too few: EINVAL");
    check(ring_bell(a, 0) == 0 && events(b, PATIENCE_S * 1000) == POLLIN, "rung");
    check(syscall(SYS_read, b, 8, 8) == -1 && errno == EFAULT, "a bad pointer is EFAULT");
    check(syscall(SYS_ioctl, a, XSC_DOORBELL_INFO, 8) == -1 && errno == EFAULT, "there, too");
    check(ring_bell(a, 1) == -ENXIO, "an absent peer is ENXIO");
    check(ioctl(a, XSC_DOORBELL_RING_PEER, 65536ul) == -1 && errno == ENXIO &&
              ioctl(a, XSC_DOORBELL_RING_PEER, ~0ul) == -1 && errno == ENXIO,
          "so is an ID that can't be");
    check(ioctl(a, XSC_DOORBELL_RING_PEER, (unsigned long)ioctl(a, XSC_DOORBELL_ID)) == 0 &&
              events(b, PATIENCE_S * 1000) == POLLIN && heard(b) == 1,
          "by its own ID it rings itself");
    check(ioctl(a, _IO('X', 0xff)) == -1 && errno == ENOTTY, "an unknown request is ENOTTY");
    check(write(a, seven, 1) == -1 && errno == EINVAL, "it can't be written to");
    check(take_out("xsc_doorbell") == -EWOULDBLOCK, "open, the module stays");
    const int c = bell_open(0);

    storms(a, c);
    removed(a);
    close(a);
    close(b);
    close(c);
    check(put("/sys/bus/pci/rescan", "1") == 0 && access(BELL, F_OK) == 0,
          "looked for, it is back");
    check(take_out("xsc_doorbell") == 0, "unloaded");
    check(insert("xsc_doorbell", "lose=100") == 0, "loads, with a ring of the trial lost");
    const int d = bell_open(0);

    check(ioctl(d, XSC_DOORBELL_INFO, &info) == 0, "it tells of itself");
    check(info.state == XSC_DOORBELL_FAILED && info.trial_lost == 1, "FAILED: %u of %u rings lost",
          info.trial_lost, info.trial_rings);
    check(ring_bell(d, 0) == -EIO, "it rings no more: EIO");
    close(d);
    check(take_out("xsc_doorbell") == 0, "unloaded");
}

/* An argument: a second program to run, with checks of its own. */
int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    doorbell();
    if (argc > 1) {
        also(argv[1]);
    }
    log_is_clean();
    return failures ? 1 : 0;
}
