/* SPDX-License-Identifier: MIT */
/*
 * xsc-vmm unicorn|kvm [SECONDS]: an idle guest, as if booted long ago, for so long (1), and what
 * it did to its vCPU thread. XSC_IDLE_SLEEP sets the governor. Exit 0; 1 trouble; 2 bad arguments;
 * 77 no such engine here.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xsc/nap.h>

#include "examples/vmm/vmm.h"

#define NS_PER_S 1000000000u
#define MAX_SECONDS 3600ul

int main(int argc, char *argv[])
{
    const struct vmm_engine *engine = NULL;
    struct vmm_load idle = {.run_ns = NS_PER_S};
    struct vmm_result r = {0};
    struct vmm_guest *guest;
    struct vmm_page *page;
    uint64_t max_sleep_ns;
    char why[200], *end = "";
    int err;

    if (argc == 2 || argc == 3) {
        engine = !strcmp(argv[1], "unicorn") ? &vmm_unicorn
                 : !strcmp(argv[1], "kvm")   ? &vmm_kvm
                                             : NULL;
    }
    if (argc == 3) {
        const unsigned long seconds = strtoul(argv[2], &end, 10);

        idle.run_ns = seconds <= MAX_SECONDS ? seconds * (uint64_t)NS_PER_S : 0;
    }
    if (!engine || *end || !idle.run_ns) {
        fputs("usage: xsc-vmm unicorn|kvm [SECONDS, 1 to 3600]\n", stderr);
        return 2;
    }
    guest = engine->open(&page, why, sizeof(why));
    if (!guest) {
        fprintf(stderr, "xsc-vmm: %s: %s\n", engine->name, why);
        return 77;
    }
    if (xsc_idle_asked(&max_sleep_ns)) {
        max_sleep_ns = 0; /* it has said why, and what could be asked for */
    }
    err = vmm_run(engine, guest, page, VMM_GOVERNOR, max_sleep_ns, &idle, &r);
    engine->close(guest);
    if (err) {
        fprintf(stderr, "xsc-vmm: %s: %s\n", engine->name, strerror(-err));
        return 1;
    }
    printf("%s: %llu halts in %.3f s, slept after %llu of them; the vCPU thread used %.1f%% of a "
           "CPU\n",
           engine->name, (unsigned long long)r.halts, (double)r.wall_ns / NS_PER_S,
           (unsigned long long)r.sleeps, 100 * (double)r.cpu_ns / (double)r.wall_ns);
    return 0;
}
