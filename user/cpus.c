/* SPDX-License-Identifier: MIT */
#include "user/cpus.h"

#include <stdbool.h>

#include <xsc/cas.h>

#include "core/port.h"

#define LOOK_NS 10000000u /* at most once in so long, */
#define LOOK_PART 256u    /* and for one part in so many of the time */

static uint64_t next_ns; /* the next look's time; relaxed */
static uint64_t looking; /* xsc_port_process() of the thread that looks; 0: none */

static void look(uint64_t now_ns)
{
    const uint32_t cpus = xsc_count_cpus();
    const uint64_t end_ns = xsc_port_now_ns();
    const uint64_t took_ns = end_ns > now_ns ? end_ns - now_ns : 0;
    const uint64_t pause_ns = took_ns > LOOK_NS / LOOK_PART ? took_ns * LOOK_PART : LOOK_NS;

    __atomic_store_n(&next_ns, end_ns + pause_ns, __ATOMIC_RELAXED);
    if (cpus) {
        xsc_engine_cpus(&xsc_library, cpus);
    }
}

/* A thread that finds another looking goes on without; so does a signal handler. */
void xsc_port_recheck(uint64_t now_ns)
{
    if (now_ns < __atomic_load_n(&next_ns, __ATOMIC_RELAXED) ||
        !__atomic_load_n(&xsc_library.chosen, __ATOMIC_ACQUIRE)) {
        return;
    }
    const uint64_t me = xsc_port_process();
    uint64_t owner = __atomic_load_n(&looking, __ATOMIC_RELAXED);

    if (owner != me && __atomic_compare_exchange_n(&looking, &owner, me, false, XSC_CAS_SEQ_CST)) {
        look(now_ns);
        __atomic_store_n(&looking, 0, __ATOMIC_RELEASE);
    }
}
