/* SPDX-License-Identifier: MIT */
/*
 * kernel_guest PART: what xsc_wait.ko does in a booted kernel; root, modules in /. Prints a line a
 * check and ends with 1 when one failed. The parts: load, waits, faults, claim, hotplug, ring.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <pthread.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>

#include "tests/guest/kernel_guest.h"

#define WAIT_DIR "/sys/kernel/xsc/wait/"
#define FAULT "/sys/kernel/debug/xsc_wait/fault"
#define MECHANISMS "/sys/kernel/debug/xsc_wait/mechanisms"
#define MADE "/sys/module/xsc_wait_selftest/parameters/made"

static const char *value(const char *file)
{
    char path[128];

    snprintf(path, sizeof(path), WAIT_DIR "%s", file);
    char *text = (char *)slurp(path);

    text[strcspn(text, "\n")] = '\0';
    return text;
}

static unsigned long long number(const char *file)
{
    return strtoull(value(file), NULL, 10);
}

/* Whether the file comes to hold a text with `part` in it. Polled: sysfs notifies no reader. */
static bool comes(const char *file, const char *part)
{
    const struct timespec nap = {0, 50000000};

    for (int i = 0; i < PATIENCE_S * 20; i++) {
        if (strstr(value(file), part)) {
            return true;
        }
        nanosleep(&nap, NULL);
    }
    return false;
}

/* ----------------------------------------------------------------------------- load ---- */

static const char *const files[] = {"type",           "state",          "primary",
                                    "fallback",       "total_waits",    "successful_waits",
                                    "timeouts",       "spurious_wakes", "min_latency_ns",
                                    "max_latency_ns", "avg_latency_ns", "success_rate_pct",
                                    "deep_sleeps",    "shallow_spins",  "fail_reason"};

#define N_FILES (sizeof(files) / sizeof(files[0]))

static void one_line_each(void)
{
    for (size_t i = 0; i < N_FILES; i++) {
        char path[128];
        struct stat st = {0};

        snprintf(path, sizeof(path), WAIT_DIR "%s", files[i]);
        const char *text = slurp(path);
        const size_t length = strlen(text);
        const int wrote = put(path, "1");

        check(length > 1 && strcspn(text, "\n") == length - 1, "%s: %.*s", files[i],
              (int)strcspn(text, "\n"), text);
        check(!stat(path, &st) && (st.st_mode & 0777) == 0444, "%s has mode 0444", files[i]);
        check(wrote == -EIO || wrote == -EACCES || wrote == -EPERM, "%s can't be written: %d",
              files[i], wrote);
    }
}

static void nothing_else(void)
{
    DIR *dir = opendir(WAIT_DIR);
    unsigned n = 0;

    for (struct dirent *e; dir && (e = readdir(dir));) {
        n += e->d_name[0] != '.';
    }
    if (dir) {
        closedir(dir);
    }
    check(n == N_FILES, "%u files, of %zu", n, N_FILES);
}

static void odd_reads(void)
{
    char byte, far;
    const int fd = open(WAIT_DIR "state", O_RDONLY);

    check(read(fd, &byte, 1) == 1 && byte >= 'A' && byte <= 'Z', "a byte can be read alone");
    check(syscall(SYS_read, fd, 8, 1) == -1 && errno == EFAULT, "a bad pointer is EFAULT");
    check(pread(fd, &far, 1, 4000) == 0, "past the end there is nothing");
    close(fd);
}

/* The log says which name, and which there are; a long one does it no harm. */
static void refused_by_name(void)
{
    char longer[600] = "mechanism=";

    check(insert("xsc_wait", "mechanism=nonesuch") == -EINVAL, "an unknown mechanism is EINVAL");
    check(strstr(kernel_log(),
                 "xsc_wait: not loaded: mechanism \"nonesuch\" is not known here; known "
                 "are "),
          "the log says so, and which are known");
    memset(longer + 10, 'x', sizeof(longer) - 11);
    check(insert("xsc_wait", longer) == -EINVAL, "so is one with a long name");
    check(!strstr(kernel_log(), longer + 10), "of which the log has a part");
}

static void load(void)
{
    refused_by_name();
    check(insert("xsc_wait", "") == 0, "the module loads");
    one_line_each();
    nothing_else();
    odd_reads();
    check(!strcmp(value("type"), "PAUSE"), "type is PAUSE here");
    check(!strcmp(value("state"), "ACTIVE"), "state is ACTIVE");
    check(!strcmp(value("fail_reason"), "none"), "nothing has failed");
    printf("%s", slurp(MECHANISMS));
    check(take_out("xsc_wait") == 0, "and is unloaded");
    check(access("/sys/kernel/xsc", F_OK) && errno == ENOENT, "its directory is gone");
    check(insert("xsc_wait", "mechanism=pause") == 0 || insert("xsc_wait", "mechanism=isb") == 0,
          "a mechanism can be asked for");
    check(take_out("xsc_wait") == 0, "unloaded again");
}

/* ---------------------------------------------------------------------------- waits ---- */

static volatile bool reading_ends;

/* Reads every file for as long as the waits run: each line whole, each count never falling. */
static void *reads(void *arg)
{
    unsigned long long last = 0, rounds = 0;

    (void)arg;
    while (!__atomic_load_n(&reading_ends, __ATOMIC_ACQUIRE)) {
        for (size_t i = 0; i < N_FILES; i++) {
            char path[128];

            snprintf(path, sizeof(path), WAIT_DIR "%s", files[i]);
            const char *text = slurp(path);

            if (!*text || text[strlen(text) - 1] != '\n') {
                check(false, "%s while waits run: \"%s\"", files[i], text);
            }
        }
        const unsigned long long total = number("timeouts");

        if (total < last) {
            check(false, "timeouts fell from %llu to %llu", last, total);
        }
        last = total;
        rounds++;
    }
    check(rounds > 0, "all files were read %llu times meanwhile", rounds);
    return NULL;
}

static void waits(void)
{
    pthread_t reader;

    check(insert("xsc_wait", "patient=1") == 0, "the module loads");
    pthread_create(&reader, NULL, reads, NULL);
    check(insert("xsc_wait_selftest", "waits=500000 handovers=2000") == 0,
          "10^6 waits on two CPUs, and 4,000 hand-overs: none was wrong");
    __atomic_store_n(&reading_ends, true, __ATOMIC_RELEASE);
    pthread_join(reader, NULL);

    const unsigned long long total = number("total_waits");

    check(total >= 108, "total_waits %llu: those that were not over at the first look", total);
    check(number("successful_waits") + number("timeouts") == total, "all ended somehow");
    check(number("timeouts") >= 104, "timeouts %llu", number("timeouts"));
    check(number("deep_sleeps") + number("shallow_spins") == total, "deep or shallow, all");
    check(number("success_rate_pct") == number("successful_waits") * 100 / total,
          "success rate %llu", number("success_rate_pct"));
    check(number("min_latency_ns") <= number("avg_latency_ns") &&
              number("avg_latency_ns") <= number("max_latency_ns"),
          "latency %llu <= %llu <= %llu", number("min_latency_ns"), number("avg_latency_ns"),
          number("max_latency_ns"));
    check(take_out("xsc_wait") == -EWOULDBLOCK, "a module in use is not unloaded");
    check(take_out("xsc_wait_selftest") == 0, "the user goes first");
    check(take_out("xsc_wait") == 0, "then it is");
}

/* --------------------------------------------------------------------------- faults ---- */

static unsigned long long made(void)
{
    return strtoull(slurp(MADE), NULL, 10);
}

/*
 * A host that takes the guest's CPU away in mid-trial makes any monitor look as if it missed a
 * store. The trial is right to refuse it then: so it is loaded until one was left in peace. It is
 * asked for by name, so that a trial which the host kept from proving anything is good enough.
 */
static bool load_emulated(const char *name)
{
    int err = -EOPNOTSUPP;

    for (int i = 0; i < 60 && err == -EOPNOTSUPP; i++) {
        err = insert("xsc_wait", "emulate=1 patient=1 interval_ms=300 mechanism=emulated");
    }
    check(!err && !strcmp(value("type"), "EMULATED"), "%s: loading: %d, %s", name, err,
          value("type"));
    return !err;
}

/* `reason` is what a person reads in fail_reason; `traffic` how the waits are, meanwhile. */
static void fault(const char *name, const char *traffic, const char *reason)
{
    if (!load_emulated(name)) {
        return;
    }
    check(insert("xsc_wait_selftest", traffic) == 0, "%s: traffic", name);
    check(put(FAULT, name) == 0, "%s: injected", name);
    const bool seen = comes("fail_reason", reason);
    check(seen, "%s: a bad interval shows its reason", name);
    const bool rolled_back = comes("type", "PAUSE");
    check(rolled_back, "%s: rolled back to %s", name, value("type"));
    check(!strcmp(value("primary"), "PAUSE") && !strcmp(value("state"), "ACTIVE"),
          "%s: the primary, which is %s", name, value("state"));
    check(strstr(value("fail_reason"), reason), "%s: %s", name, value("fail_reason"));
    check(strstr(slurp(MECHANISMS), "EMULATED FAILED"), "%s: EMULATED is FAILED", name);

    const unsigned long long before = made();
    const struct timespec nap = {0, 20000000};

    for (int i = 0; i < PATIENCE_S * 50 && made() < before + 200; i++) {
        nanosleep(&nap, NULL);
    }
    check(made() >= before + 200, "%s: waits go on", name);
    check(take_out("xsc_wait_selftest") == 0 && take_out("xsc_wait") == 0, "%s: unloaded", name);
}

static void faults(void)
{
    fault("stuck", "waits=100 handovers=10 traffic=1", "noticed only when the slice ended");
    fault("storm", "waits=100 handovers=10 traffic=2", "spurious wakes a second");
    fault("drift", "waits=100 handovers=10 traffic=2", "slices ended late");
    check(insert("xsc_wait", "emulate=1 patient=1") == 0, "loads");
    check(put(FAULT, "nonesuch") == -EINVAL, "an unknown fault is EINVAL");
    check(put(FAULT, "none of these, and far too long") == -EINVAL, "so is a long one");
    check(take_out("xsc_wait") == 0, "unloaded");
}

/* A CPU that promises instructions and has none: found out in the trial, and the kernel lives. */
static void claim(void)
{
    check(insert("xsc_wait", "claim=waitpkg") == 0, "loads all the same");
    const char *text = slurp(MECHANISMS);

    printf("%s", text);
    check(strstr(text, "UMWAIT FAILED executing it raised signal 4 (illegal instruction)"),
          "UMWAIT is FAILED, with the reason");
    check(!strcmp(value("type"), "PAUSE"), "PAUSE is used");
    check(take_out("xsc_wait") == 0, "unloaded");
    check(insert("xsc_wait", "claim=waitpkg mechanism=umwait") == -EOPNOTSUPP,
          "asked for by name it is EOPNOTSUPP");
}

/* -------------------------------------------------------------------------- hotplug ---- */

static void hotplug(void)
{
    const char *online = "/sys/devices/system/cpu/cpu1/online";

    check(insert("xsc_wait", "patient=1 interval_ms=300") == 0, "loads");
    check(insert("xsc_wait_selftest", "waits=100 handovers=10 traffic=1") == 0, "traffic");
    for (int i = 0; i < 5; i++) {
        const unsigned long long before = made();

        check(put(online, "0") == 0, "CPU 1 goes");
        for (int n = 0; n < PATIENCE_S * 100 && made() < before + 20; n++) {
            usleep(10000);
        }
        check(made() >= before + 20, "waits go on without it");
        check(put(online, "1") == 0, "CPU 1 comes");
    }
    check(take_out("xsc_wait_selftest") == 0 && take_out("xsc_wait") == 0, "unloaded");
    check(put(online, "0") == 0, "CPU 1 goes");
    check(insert("xsc_wait", "") == 0, "loads on a single CPU");
    check(insert("xsc_wait_selftest", "waits=1000 handovers=10") == 0, "and waits there");
    check(!strcmp(value("type"), "PAUSE"), "with %s", value("type"));
    check(take_out("xsc_wait_selftest") == 0 && take_out("xsc_wait") == 0, "unloaded");
    check(put(online, "1") == 0, "CPU 1 comes");
}

/* --------------------------------------------------------------------------- example ---- */

#define RING "/sys/module/xsc_ring_example/parameters/"

static void ring(void)
{
    check(insert("xsc_wait", "patient=1") == 0, "loads");
    check(insert("xsc_ring_example", "calls=0") == -EINVAL, "no calls: EINVAL");
    check(insert("xsc_ring_example", "") == 0, "all calls were answered rightly");
    const unsigned long long xsc_ns = strtoull(slurp(RING "xsc_ns"), NULL, 10);
    const unsigned long long event_ns = strtoull(slurp(RING "event_ns"), NULL, 10);

    check(xsc_ns && event_ns, "a call by xsc_wait %llu ns, by wait_event %llu ns: ratio %.2f",
          xsc_ns, event_ns, (double)event_ns / (double)(xsc_ns ? xsc_ns : 1));
    check(take_out("xsc_ring_example") == 0 && take_out("xsc_wait") == 0, "unloaded");
}

/* ----------------------------------------------------------------------------- main ---- */

static const struct {
    const char *name;
    void (*run)(void);
} parts[] = {
    {"load", load},   {"waits", waits},     {"faults", faults},
    {"claim", claim}, {"hotplug", hotplug}, {"ring", ring},
};

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL) && errno != EBUSY) {
        perror("debugfs");
        return 1;
    }
    for (int i = 1; i < argc; i++) {
        const int before = failures;
        bool known = false;

        for (size_t p = 0; p < sizeof(parts) / sizeof(parts[0]); p++) {
            if (!strcmp(argv[i], parts[p].name)) {
                struct timespec from, to;

                known = true;
                clock_gettime(CLOCK_MONOTONIC, &from);
                parts[p].run();
                clock_gettime(CLOCK_MONOTONIC, &to);
                printf("---- %s: %d failed, %ld s\n", argv[i], failures - before,
                       (long)(to.tv_sec - from.tv_sec));
            }
        }
        check(known, "%s is a part", argv[i]);
    }
    log_is_clean();
    return failures ? 1 : 0;
}
