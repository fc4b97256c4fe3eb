/* SPDX-License-Identifier: MIT */
/* The VMM's loop: a vCPU, its device, its timer, and what happens when it halts. */
#define _GNU_SOURCE
#include "examples/vmm/vmm.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <time.h>

#include <xsc/idle.h>
#include <xsc/nap.h>
#include <xsc/park.h>
#include <xsc/wait.h>

#define NS_PER_S 1000000000u

/*
 * The governor's first 15 s. It is begun by the clock (and what the load says of the boot), then
 * asked by a clock so far ahead: no run need last for 15 s. A quicker clock would do that
 * too, but would also shorten the millisecond within which waits must follow each other.
 */
#define BOOT_NS ((uint64_t)XSC_IDLE_BOOT_S * NS_PER_S)

/* How much later than asked a nap may end: 50 us of timer slack, and the way back to the CPU. */
#define LATE_NS 100000u

/* A parked vCPU comes back so often, to see whether its run is over. */
#define LOOK_NS 10000000u

struct vcpu {
    struct vmm_page *page;
    const struct vmm_load *load;
    struct vmm_result *r;
    struct xsc_idle idle;
    struct xsc_nap_word nap;
    struct xsc_nap_word sender; /* kicked when a request is served, or the run ends */
    uint64_t start_ns;
    uint64_t due_ns;   /* chained: the VMM's timer; UINT64_MAX: a request is under way */
    uint64_t asked_ns; /* when the request under way was due; written before status */
    uint32_t served;   /* page->done, as last seen */
    uint32_t stop;
};

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static void sleep_ns(uint64_t ns)
{
    const struct timespec t = {(time_t)(ns / NS_PER_S), (long)(ns % NS_PER_S)};

    nanosleep(&t, NULL);
}

/* A device on another thread: sleeps, makes its request, kicks the vCPU, awaits the answer. */
static void *sender(void *arg)
{
    struct vcpu *v = arg;

    while (!__atomic_load_n(&v->stop, __ATOMIC_ACQUIRE)) {
        sleep_ns(v->load->every_ns);
        v->asked_ns = clock_ns(CLOCK_MONOTONIC);
        __atomic_store_n(&v->page->status, 1, __ATOMIC_RELEASE);
        xsc_nap_kick(&v->nap);
        xsc_unpark_one(&v->page->status);
        xsc_nap(&v->sender, XSC_FOREVER);
    }
    return NULL;
}

static bool over(const struct vcpu *v, uint64_t ran_ns)
{
    return v->load->requests ? v->r->served >= v->load->requests : ran_ns >= v->load->run_ns;
}

/* The guest has served a request: note how long it took, and when the next is due. */
static void served(struct vcpu *v, uint64_t now_ns)
{
    struct vmm_result *r = v->r;

    if (r->max_latencies) {
        r->latency_ns[r->served % r->max_latencies] = now_ns - v->asked_ns;
    }
    r->served++;
    v->served++;
    xsc_idle_on_activity(&v->idle);
    if (v->load->every_ns) {
        xsc_nap_kick(&v->sender);
        return;
    }
    const bool pause = v->load->burst && r->served % v->load->burst == 0 && !over(v, 0);

    v->due_ns = now_ns + (pause ? v->load->pause_ns : v->load->device_ns);
    r->pause_ns += pause ? v->load->pause_ns : 0;
}

/* The timer: what it is set to interrupts now, if it is time. */
static void tick(struct vcpu *v, uint64_t now_ns)
{
    if (v->due_ns <= now_ns) {
        v->asked_ns = v->due_ns;
        v->due_ns = UINT64_MAX;
        __atomic_store_n(&v->page->status, 1, __ATOMIC_RELEASE);
    }
}

/*
 * For how long a guest that waits for an interrupt is kept from its CPU; 0: not at all. This is
 * what a VMM's exit handler would hold.
 */
static uint64_t sleep_wanted(struct vcpu *v, uint64_t now_ns)
{
    const bool has_work = __atomic_load_n(&v->page->status, __ATOMIC_ACQUIRE);
    const uint64_t ns = xsc_idle_on_wait(&v->idle, now_ns + BOOT_NS, has_work);

    /* No kick comes for the VMM's own timer: a nap that might outlast it is left out. */
    return v->due_ns != UINT64_MAX && ns + LATE_NS > v->due_ns - now_ns ? 0 : ns;
}

/*
 * What the library does where every event can be watched: interrupts by their word, the VMM's
 * timer by the timeout, the last of it without leaving the CPU.
 */
static void park(struct vcpu *v, uint64_t now_ns)
{
    const uint64_t left_ns = v->due_ns == UINT64_MAX ? LOOK_NS + LATE_NS : v->due_ns - now_ns;

    if (left_ns > LATE_NS) {
        xsc_park_u32(&v->page->status, 0, left_ns - LATE_NS);
    } else {
        xsc_wait_u32(&v->page->status, 0, left_ns);
    }
}

static void halted(struct vcpu *v, enum vmm_halt halt, uint64_t max_sleep_ns, uint64_t now_ns)
{
    uint64_t ns = 0;

    if (halt == VMM_PARK) {
        park(v, now_ns);
    } else if (halt == VMM_NAIVE) {
        ns = max_sleep_ns;
    } else if (halt == VMM_GOVERNOR) {
        ns = sleep_wanted(v, now_ns);
    }
    if (!ns) {
        return;
    }
    if (!v->r->sleeps++) {
        v->r->first_sleep_ns = now_ns - v->start_ns;
    }
    if (halt == VMM_NAIVE) {
        sleep_ns(ns);
    } else {
        v->r->kicked += !xsc_nap(&v->nap, ns);
    }
}

int vmm_run(const struct vmm_engine *engine, struct vmm_guest *guest, struct vmm_page *page,
            enum vmm_halt halt, uint64_t max_sleep_ns, const struct vmm_load *load,
            struct vmm_result *r)
{
    const uint64_t start_ns = clock_ns(CLOCK_MONOTONIC);
    const uint64_t cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    struct vcpu v = {.page = page,
                     .load = load,
                     .r = r,
                     .start_ns = start_ns,
                     .due_ns = UINT64_MAX,
                     .served = page->done};
    uint64_t now_ns = start_ns;
    pthread_t device;
    int err = 0;

    page->work = load->work;
    r->pause_ns = r->halts = r->sleeps = r->kicked = r->served = 0;
    r->first_sleep_ns = UINT64_MAX;
    xsc_idle_init(&v.idle, max_sleep_ns, start_ns + load->boot_ns);
    if (load->every_ns) {
        if (pthread_create(&device, NULL, sender, &v)) {
            return -EAGAIN;
        }
    } else if (load->requests) {
        v.due_ns = start_ns + load->device_ns;
    }
    while (!over(&v, now_ns - start_ns)) {
        err = engine->run(guest, __atomic_load_n(&page->status, __ATOMIC_ACQUIRE));
        if (err) {
            break;
        }
        r->halts++;
        now_ns = clock_ns(CLOCK_MONOTONIC);
        if (__atomic_load_n(&page->done, __ATOMIC_ACQUIRE) != v.served) {
            served(&v, now_ns);
        }
        tick(&v, now_ns);
        halted(&v, halt, max_sleep_ns, now_ns);
    }
    r->wall_ns = clock_ns(CLOCK_MONOTONIC) - start_ns;
    r->cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_ns;
    if (load->every_ns) {
        __atomic_store_n(&v.stop, 1, __ATOMIC_RELEASE);
        xsc_nap_kick(&v.sender);
        pthread_join(device, NULL);
    }
    page->status = 0;
    return err;
}
