/* SPDX-License-Identifier: MIT */
/*
 * Which CPU waits and which one stores.
 *
 * Only CPUs of the set that this process was given count: one that the administrator took
 * away (taskset, a cgroup's cpuset) is not taken back, not even where the OS would let us.
 */
#define _GNU_SOURCE
#include "probe.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#if defined(__linux__)

#include <sched.h>

#define CPU_DIR "/sys/devices/system/cpu/cpu"

/* The first line of /sys/devices/system/cpu/cpu<cpu>/<file>; false where there is none. */
static bool read_cpu_file(int cpu, const char *file, char *line, int size)
{
    char path[96];

    snprintf(path, sizeof(path), CPU_DIR "%d/%s", cpu, file);
    FILE *f = fopen(path, "re");
    const bool ok = f && fgets(line, size, f);

    if (f) {
        fclose(f);
    }
    return ok;
}

/* Whether a list of CPUs such as "0,4-6" holds cpu. */
static bool list_holds(const char *list, int cpu)
{
    while (*list >= '0' && *list <= '9') {
        const int64_t first = parse_number(list, INT32_MAX, &list);
        int64_t last = first;

        if (*list == '-') {
            last = parse_number(list + 1, INT32_MAX, &list);
        }
        if (first <= cpu && cpu <= last) {
            return true;
        }
        list += *list == ',';
    }
    return false;
}

static bool share_a_core(int a, int b)
{
    char line[4096];

    return read_cpu_file(a, "topology/thread_siblings_list", line, sizeof(line)) &&
           list_holds(line, b);
}

static bool share_a_package(int a, int b)
{
    char line[4096];

    return !read_cpu_file(a, "topology/package_cpus_list", line, sizeof(line)) ||
           list_holds(line, b);
}

static const char *relation(int a, int b)
{
    return share_a_core(a, b)      ? "two threads of one core"
           : share_a_package(a, b) ? "two cores"
                                   : "two sockets";
}

static bool exists(int64_t cpu)
{
    char path[64];

    snprintf(path, sizeof(path), CPU_DIR "%" PRId64, cpu);
    return !access(path, F_OK);
}

static enum exit_status check(int64_t cpu, const char *list, const cpu_set_t *allowed)
{
    char line[8];

    if (cpu < CPU_SETSIZE && CPU_ISSET((size_t)cpu, allowed)) {
        return STATUS_VALIDATED;
    }
    const long configured = sysconf(_SC_NPROCESSORS_CONF);

    if (cpu >= configured && !exists(cpu)) {
        return complain(STATUS_BAD_ARGUMENT, "--cpus %s: no such CPU; there are 0 to %ld", list,
                        configured - 1);
    }
    if (read_cpu_file((int)cpu, "online", line, sizeof(line)) && line[0] == '0') {
        return complain(STATUS_BAD_ARGUMENT, "--cpus %s: CPU %" PRId64 " is offline", list, cpu);
    }
    return complain(STATUS_BAD_ARGUMENT,
                    "--cpus %s: this process may not run on CPU %" PRId64 " (taskset, cpuset)",
                    list, cpu);
}

static enum exit_status pick_given(const char *list, const cpu_set_t *allowed, struct findings *f)
{
    const char *end;
    const int64_t waiter = parse_number(list, INT32_MAX, &end);
    const int64_t storer = waiter >= 0 && *end == ',' ? parse_number(end + 1, INT32_MAX, &end) : -1;
    enum exit_status status;

    if (storer < 0 || *end) {
        return complain(STATUS_BAD_ARGUMENT,
                        "--cpus: \"%s\" is not two CPUs: A waits and B stores in \"A,B\"", list);
    }
    if ((status = check(waiter, list, allowed)) || (status = check(storer, list, allowed))) {
        return status;
    }
    if (waiter == storer) {
        return complain(STATUS_BAD_ARGUMENT, "--cpus %s: the two must differ", list);
    }
    f->waiter = (int)waiter;
    f->storer = (int)storer;
    return STATUS_VALIDATED;
}

/* The first allowed CPU, and the next that is not the same core seen twice, if any is. */
static void pick_two(const cpu_set_t *allowed, struct findings *f)
{
    int next = -1, other_core = -1;

    for (int cpu = 0; cpu < CPU_SETSIZE && other_core < 0; cpu++) {
        if (!CPU_ISSET((size_t)cpu, allowed)) {
            continue;
        }
        if (f->waiter < 0) {
            f->waiter = cpu;
        } else if (!share_a_core(f->waiter, cpu)) {
            other_core = cpu;
        } else if (next < 0) {
            next = cpu;
        }
    }
    f->storer = other_core >= 0 ? other_core : next;
    if (f->storer < 0) {
        f->waiter = -1;
    }
}

enum exit_status cpus_pick(const char *list, struct findings *f)
{
    cpu_set_t allowed;

    f->waiter = f->storer = -1;
    f->cpus_relation = "";
    /* Fails where there are more CPUs than a cpu_set_t holds. */
    if (sched_getaffinity(0, sizeof(allowed), &allowed)) {
        return list ? complain(STATUS_BAD_ARGUMENT, "--cpus: more CPUs than can be chosen from")
                    : STATUS_VALIDATED;
    }
    if (list) {
        const enum exit_status status = pick_given(list, &allowed, f);

        if (status != STATUS_VALIDATED) {
            return status;
        }
    } else {
        pick_two(&allowed, f);
    }
    if (f->storer >= 0) {
        f->cpus_relation = relation(f->waiter, f->storer);
    }
    return STATUS_VALIDATED;
}

#else /* some other POSIX system */

enum exit_status cpus_pick(const char *list, struct findings *f)
{
    f->waiter = f->storer = -1;
    f->cpus_relation = "";
    return list ? complain(STATUS_BAD_ARGUMENT, "--cpus: CPUs can't be chosen on this system")
                : STATUS_VALIDATED;
}

#endif
