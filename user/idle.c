/* SPDX-License-Identifier: MIT */
/*
 * Naps, and whether they were asked for. The public side is xsc/nap.h.
 *
 * WHY NOT A PARK. A park (user/park.c) is for many waiters of a word that a writer stores to
 * often: its waiter watches for 20 us first and then has a barrier run on every CPU of the process.
 * A vCPU naps thousands of times a second and is kicked seldom: the watch would cost more than
 * the shortest naps save, and the barrier would throw the other vCPUs out of their guests. So
 * the kick carries the fence, and a nap goes straight to what a park ends in: user/sleep.h.
 *
 * NO KICK IS LOST. Everything is an atomic read-modify-write of one word, and those have one order.
 *
 *     nap   N1  AWAKE -> NAPPING, or KICKED -> AWAKE and out      kick  K1  anything -> KICKED
 *           N2  while it is NAPPING: xsc_sleep(word, NAPPING)           K2  was NAPPING: xsc_wake()
 *           N3  -> AWAKE; it was KICKED: say so
 *
 * K1 before N1: N1 finds KICKED. K1 between N1 and N3: it replaced NAPPING, so K2 wakes; and
 * xsc_sleep()'s comparison and sleep are atomic with respect to a kicker that stores and then
 * wakes, so it has seen KICKED or is woken. N3 finds KICKED as well. K1 after N3: the next N1 finds
 * it. models/nap.pml searches all of it, and shows what each step is for.
 */
#define _GNU_SOURCE
#include <errno.h>

#include <xsc/cas.h>
#include <xsc/nap.h>

#include "core/port.h"
#include "user/config.h"
#include "user/sleep.h"

enum { AWAKE, NAPPING, KICKED };

#define NAP_BIT 1u /* the word has its futex to itself */

/* Governor of this process: 0, ARMED, or ACTIVE after the first nap. For its two lines only. */
enum { ARMED = 1, ACTIVE = 2 };
static uint32_t told;

static void tell_once(uint32_t from, uint32_t to, const char *line)
{
    if (__atomic_load_n(&told, __ATOMIC_RELAXED) == from &&
        __atomic_compare_exchange_n(&told, &from, to, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
        xsc_port_say(line);
    }
}

int xsc_nap(struct xsc_nap_word *word, uint64_t ns)
{
    const uint64_t now_ns = xsc_port_now_ns();
    const uint64_t until_ns = ns < XSC_FOREVER - now_ns ? now_ns + ns : XSC_FOREVER;
    uint64_t refused_ns = 0;
    uint32_t was = AWAKE;

    if (!__atomic_compare_exchange_n(&word->state, &was, NAPPING, 0, XSC_CAS_ACQ_REL)) {
        __atomic_exchange_n(&word->state, AWAKE, __ATOMIC_ACQ_REL);
        return 0;
    }
    tell_once(ARMED, ACTIVE, "idle governor: active, this is its first nap");
    while (__atomic_load_n(&word->state, __ATOMIC_ACQUIRE) == NAPPING &&
           (until_ns == XSC_FOREVER || xsc_port_now_ns() < until_ns)) {
        xsc_nap_if_refused(xsc_sleep(&word->state, NAPPING, NAP_BIT, until_ns, false), &refused_ns,
                           until_ns);
    }
    return __atomic_exchange_n(&word->state, AWAKE, __ATOMIC_ACQ_REL) == KICKED ? 0 : -ETIMEDOUT;
}

void xsc_nap_kick(struct xsc_nap_word *word)
{
    if (__atomic_exchange_n(&word->state, KICKED, __ATOMIC_ACQ_REL) == NAPPING) {
        xsc_wake(&word->state, NAP_BIT, 1, false);
    }
}

int xsc_idle_asked(uint64_t *max_sleep_ns)
{
    uint32_t us;

    if (!max_sleep_ns) {
        return -EINVAL;
    }
    *max_sleep_ns = 0;
    if (!xsc_config_idle_us(&us)) {
        return -EINVAL;
    }
    if (us) {
        tell_once(0, ARMED,
                  us == 50    ? "idle governor: on, naps of at most 50 us (XSC_IDLE_SLEEP)"
                  : us == 100 ? "idle governor: on, naps of at most 100 us (XSC_IDLE_SLEEP)"
                              : "idle governor: on, naps of at most 200 us (XSC_IDLE_SLEEP)");
    }
    *max_sleep_ns = (uint64_t)us * 1000u;
    return 0;
}
