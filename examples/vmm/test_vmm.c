/* SPDX-License-Identifier: MIT */
/*
 * test_vmm unicorn|kvm: guests that halt, under each way of treating a halt. Counts only: how long
 * something takes is xsc-wait-bench's. Exit 0, 1, or 77 where the engine is missing.
 */
#include <stdio.h>
#include <string.h>

#include "examples/vmm/vmm.h"

#define MS ((uint64_t)1000000)
#define MAX_SLEEP_NS 200000u

static const struct vmm_engine *engine;
static struct vmm_guest *guest;
static struct vmm_page *page;
static int failures;

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            printf("not ok - line %d: %s\n", __LINE__, #condition);                                \
            failures++;                                                                            \
        }                                                                                          \
    } while (0)

static struct vmm_result run(enum vmm_halt halt, uint64_t max_sleep_ns, const struct vmm_load *load)
{
    struct vmm_result r = {0};
    const uint32_t before = page->done;

    CHECK(vmm_run(engine, guest, page, halt, max_sleep_ns, load, &r) == 0);
    CHECK(page->done - before == r.served);
    CHECK(r.halts > 0);
    return r;
}

int main(int argc, char *argv[])
{
    const struct vmm_load idle = {.run_ns = 300 * MS};
    const struct vmm_load booting = {.run_ns = 300 * MS, .boot_ns = 15000 * MS};
    const struct vmm_load booted = {.run_ns = 400 * MS, .boot_ns = 100 * MS};
    const struct vmm_load timer = {.requests = 20, .device_ns = 5 * MS, .work = 10};
    const struct vmm_load soon = {.requests = 200, .device_ns = MS / 10, .work = 10};
    const struct vmm_load io = {.requests = 100, .device_ns = 1000, .work = 100};
    const struct vmm_load kicks = {.requests = 20, .every_ns = 100 * MS, .work = 10};
    struct vmm_result r;
    char why[200];

    if (argc != 2 || (strcmp(argv[1], "unicorn") && strcmp(argv[1], "kvm"))) {
        fputs("usage: test_vmm unicorn|kvm\n", stderr);
        return 2;
    }
    engine = strcmp(argv[1], "kvm") ? &vmm_unicorn : &vmm_kvm;
    guest = engine->open(&page, why, sizeof(why));
    if (!guest) {
        printf("skipped: %s: %s\n", engine->name, why);
        return 77;
    }

    for (enum vmm_halt halt = VMM_OFF; halt <= VMM_PARK; halt++) {
        r = run(halt, MAX_SLEEP_NS, &io);
        CHECK(r.served == 100);
        CHECK((halt != VMM_OFF && halt != VMM_PARK) || !r.sleeps);
        CHECK(halt != VMM_NAIVE || r.sleeps == r.halts);
    }
    r = run(VMM_OFF, MAX_SLEEP_NS, &idle);
    CHECK(!r.sleeps);
    r = run(VMM_GOVERNOR, MAX_SLEEP_NS, &idle);
    CHECK(r.sleeps > 0 && r.sleeps + 50 <= r.halts && !r.served);
    r = run(VMM_GOVERNOR, MAX_SLEEP_NS, &booting);
    CHECK(!r.sleeps && r.first_sleep_ns == UINT64_MAX);
    r = run(VMM_GOVERNOR, MAX_SLEEP_NS, &booted);
    CHECK(r.sleeps > 0 && r.first_sleep_ns >= booted.boot_ns);
    r = run(VMM_GOVERNOR, 0, &idle);
    CHECK(!r.sleeps);

    /* The VMM's own timer: slept until it is near, and not at all where it always is. */
    r = run(VMM_GOVERNOR, MAX_SLEEP_NS, &timer);
    CHECK(r.served == 20 && r.sleeps > 0 && !r.kicked);
    r = run(VMM_GOVERNOR, 60000 * MS, &timer);
    CHECK(r.served == 20 && !r.sleeps);
    r = run(VMM_GOVERNOR, MAX_SLEEP_NS, &soon);
    CHECK(r.served == 200 && !r.sleeps);

    /* Naps that would last a minute: the run ends only because kicks end them. */
    r = run(VMM_GOVERNOR, 60000 * MS, &kicks);
    CHECK(r.served == 20 && r.kicked > 0 && r.kicked <= r.sleeps);

    r = run(VMM_PARK, 0, &kicks);
    CHECK(r.served == 20);
    r = run(VMM_PARK, 0, &timer);
    CHECK(r.served == 20);

    engine->close(guest);
    puts(failures ? "failed" : "ok");
    return failures != 0;
}
