/* SPDX-License-Identifier: MIT */
/*
 * peer_guest: one of two guests that ring each other through ivshmem; root, xsc_doorbell.ko in /, and
 * memory that both share. The words of that memory are those of struct shared: each but `turn` and
 * `sum` is written by one guest only, and those by whose turn it is, so that nothing need be atomic
 * between CPUs of two kinds. Prints a line a check and ends with 1 when one failed.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <poll.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include "kernel/xsc_doorbell.h"
#include "tests/guest/kernel_guest.h"

#define BELL "/dev/xsc-doorbell0"
#define DRIVER "/sys/bus/pci/drivers/xsc_doorbell"
#define TURNS 500
#define STORM 3000
#define OTHER_BOOTS_S 200

enum { HELLO_HEARD = 1, HELLO_TO_NOBODY };

struct shared {
    uint32_t hello; /* by peer 1: it is there, and how it said so */
    uint32_t turn;  /* of the peer with this ID */
    uint32_t sum;
    uint32_t stormed[2];
    uint32_t left[2];
    char machine[2][64];
};

static volatile struct shared *shared;
static int bell;
static unsigned me, other;

static uint32_t look(const volatile uint32_t *word)
{
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static void put_down(volatile uint32_t *word, uint32_t value)
{
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

static int ring_peer(unsigned long id)
{
    return ioctl(bell, XSC_DOORBELL_RING_PEER, id) ? -errno : 0;
}

/* Sleeps until the bell is heard; how often it rang, 0 where it did not. */
static unsigned heard(int patience_s)
{
    struct pollfd p = {bell, POLLIN, 0};
    unsigned long long n = 0;

    if (poll(&p, 1, patience_s * 1000) <= 0 || read(bell, &n, sizeof(n)) != sizeof(n)) {
        return 0;
    }
    return (unsigned)n;
}

/* The device's memory. The driver leaves it to programs. */
static bool map_shared(void)
{
    char path[512] = "";
    struct stat st;
    DIR *dir = opendir(DRIVER);

    for (struct dirent *e; dir && (e = readdir(dir));) {
        if (strchr(e->d_name, ':')) {
            snprintf(path, sizeof(path), DRIVER "/%.64s/resource2", e->d_name);
        }
    }
    if (dir) {
        closedir(dir);
    }
    const int fd = open(path, O_RDWR | O_SYNC | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &st)) {
        return false;
    }
    void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    close(fd);
    shared = at;
    return at != MAP_FAILED;
}

/*
 * Peer 1 says that it is there; if peer 0 is not on the roll yet it will look before it sleeps. Returns
 * what peer 0 has heard, and peer 1 is told.
 */
static unsigned meet(void)
{
    unsigned n = 0;

    if (me == 1) {
        const int err = ring_peer(0);

        check(err == 0 || err == -ENXIO, "peer 0 is rung, or not there yet: %d", err);
        put_down(&shared->hello, err ? HELLO_TO_NOBODY : HELLO_HEARD);
        return 0;
    }
    for (int i = 0; i < OTHER_BOOTS_S && !look(&shared->hello); i++) {
        n += heard(1);
    }
    check(look(&shared->hello) != 0, "peer 1 has come");
    if (look(&shared->hello) == HELLO_HEARD && !n) {
        n = heard(PATIENCE_S);
    }
    check(n == (look(&shared->hello) == HELLO_HEARD), "its ring was heard, once, if there was one");
    return n;
}

/*
 * Each waits to be rung, and only then looks, adds one and rings. So every ring is heard before the
 * next one: none may merge, and one that is lost ends the game.
 */
static void take_turns(void)
{
    unsigned rung = 0, n = 1, alone = 0;
    int err = 0;

    for (unsigned i = 0; i < TURNS && n && !err; i++) {
        if (me == 1 || i) {
            n = heard(i ? PATIENCE_S : OTHER_BOOTS_S);
            rung += n;
            alone += n == 1;
            if (!n || look(&shared->turn) != me || look(&shared->sum) != 2 * i + me) {
                break;
            }
        }
        put_down(&shared->sum, look(&shared->sum) + 1);
        put_down(&shared->turn, other);
        err = ring_peer(other);
    }
    if (me == 0) {
        n = heard(PATIENCE_S); /* peer 1's last */
        rung += n;
        alone += n == 1;
    }
    check(!err && rung == TURNS && alone == TURNS, "%u rings from peer %u, one by one", rung,
          other);
    check(me == 1 || look(&shared->sum) == 2 * TURNS, "the sum is %u", look(&shared->sum));
}

/* Both ring as fast as they can. Rings merge; the last, that comes after the word, is heard. */
static void storm(void)
{
    unsigned n = 1, rung = me ? heard(PATIENCE_S) : 0; /* peer 0 has heard the last of the turns */
    int err = 0;

    for (int i = 0; i < STORM && !err; i++) {
        err = ring_peer(other);
    }
    put_down(&shared->stormed[me], 1);
    err = err ? err : ring_peer(other);
    while (n && !look(&shared->stormed[other])) {
        n = heard(PATIENCE_S);
        rung += n;
    }
    check(!err && look(&shared->stormed[other]), "a storm of %d rings each: %u interrupts", STORM,
          rung);
}

/* Polled: a peer that has gone rings no doorbell. */
static bool comes_to(const volatile uint32_t *word, uint32_t value)
{
    for (int i = 0; i < PATIENCE_S * 50 && look(word) != value; i++) {
        usleep(20000);
    }
    return look(word) == value;
}

static void leave(void)
{
    put_down(&shared->left[me], 1);
    if (me == 1) {
        check(comes_to(&shared->left[0], 1), "peer 0 is there to see this one go");
    } else {
        check(comes_to(&shared->left[1], 2) && ring_peer(1) == -ENXIO, "peer 1 has gone: ENXIO");
    }
    close(bell);
    check(take_out("xsc_doorbell") == 0, "unloaded");
    put_down(&shared->left[me], 2);
}

static void peers(void)
{
    struct xsc_doorbell_info info = {0};
    struct utsname machine;
    char others[64] = "";

    check(insert("xsc_doorbell", "roll=1") == 0, "loads");
    bell = open(BELL, O_RDWR | O_CLOEXEC);
    const int id = bell < 0 ? -1 : ioctl(bell, XSC_DOORBELL_ID, 0);

    check(id == 0 || id == 1, "its ID is %d", id);
    check(ioctl(bell, XSC_DOORBELL_INFO, &info) == 0, "it tells of itself");
    check(info.state == XSC_DOORBELL_STEADY && info.trial_rings == 100 && !info.trial_lost,
          "STEADY: %u rings to itself, %u lost, %llu to %llu ns", info.trial_rings, info.trial_lost,
          (unsigned long long)info.min_ns, (unsigned long long)info.max_ns);
    check(map_shared(), "the shared memory can be mapped");
    check(ring_peer(7) == -ENXIO, "a peer that never was is ENXIO");
    check(ring_peer(65536) == -ENXIO && ring_peer(~0ul) == -ENXIO, "so is one that can't be");
    if (failures) {
        return;
    }
    me = (unsigned)id;
    other = 1 - me;
    uname(&machine);
    for (size_t i = 0; i < sizeof(shared->machine[0]) - 1; i++) {
        shared->machine[me][i] = machine.machine[i];
    }
    meet();
    take_turns();
    /* Byte by byte: a device's memory need not bear what a library does to be fast. */
    for (size_t i = 0; i < sizeof(others) - 1; i++) {
        others[i] = shared->machine[other][i];
    }
    check(others[0], "the other is a %s, this one a %s", others, machine.machine);
    storm();
    leave();
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    peers();
    log_is_clean();
    return failures ? 1 : 0;
}
