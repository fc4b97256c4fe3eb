/* SPDX-License-Identifier: MIT */
/*
 * The owner of each lock, and where it was taken: for programs compiled with XSC_LOCK_DEBUG. The
 * public side is at the end of xsc/lock.h.
 *
 * The locks themselves have no room for it, so it is in a table, found by the lock's address. The
 * owner writes its entry while it owns the lock, and takes it out before it gives the lock up.
 * A thread that reads the entry of a lock that it does not own (to find that it is not the owner)
 * is in error already, or finds another thread's entry: either way under the table's own lock, so
 * nothing is half-written.
 *
 * A fork copies the entries, and the table's lock as a thread of the parent may have it: the child
 * takes that over. A lock that such a thread owns is owned in the child, too, for ever.
 *
 * A lock with no entry was taken by code compiled without XSC_LOCK_DEBUG, or when the table was
 * full: nothing is known of it, and nothing is reported, unless no thread holds it at all.
 */
#include <xsc/lock.h>

#include <stdlib.h>

#include <xsc/cas.h>

#include "core/port.h"
#include "core/text.h"
#include "user/library.h"

#define ENTRIES 256u /* locks held at one time; a power of two */
#define PROBES 16u   /* places where an entry may be */

static struct entry {
    const volatile void *lock; /* NULL: free */
    const void *owner;
    const char *site;
} entries[ENTRIES];

static uint64_t table; /* xsc_port_process() of the thread that has the entries; 0: free */

/* Differs between living threads. */
static const void *this_thread(void)
{
    static _Thread_local char mine;

    return &mine;
}

static void lock_table(void)
{
    const uint64_t me = xsc_port_process();
    uint64_t owner = 0;

    while (!__atomic_compare_exchange_n(&table, &owner, me, false, XSC_CAS_SEQ_CST)) {
        if (owner == me) {
            xsc_port_yield();
            owner = 0;
        }
    }
}

static void unlock_table(void)
{
    __atomic_store_n(&table, 0, __ATOMIC_RELEASE);
}

static struct entry *place(const volatile void *lock, uint32_t probe)
{
    const uintptr_t a = (uintptr_t)lock;

    return &entries[((a >> 2) * 2654435761u + probe) & (ENTRIES - 1)];
}

/* The lock's entry (or, lock NULL, a free place for `at`); NULL where there is none. */
static struct entry *find(const volatile void *at, const volatile void *lock)
{
    for (uint32_t i = 0; i < PROBES; i++) {
        if (place(at, i)->lock == lock) {
            return place(at, i);
        }
    }
    return NULL;
}

static void put_address(struct xsc_text *t, const volatile void *p)
{
    static const char hex[] = "0123456789abcdef";
    char text[2 * sizeof(uintptr_t) + 3] = "0x";
    char *at = text + 2;

    for (int shift = 8 * (int)sizeof(uintptr_t) - 4; shift >= 0; shift -= 4) {
        const uint32_t digit = (uint32_t)((uintptr_t)p >> shift) & 15;

        if (digit || at > text + 2 || !shift) {
            *at++ = hex[digit];
        }
    }
    *at = '\0';
    xsc_text_put(t, text);
}

/* "xsc mutex 0x7ffc...: locked at b.c:7, by its owner, who locked it at a.c:3" */
static _Noreturn void misused(const char *kind, const volatile void *lock, const char *done,
                              const char *site, const char *wrong, const char *other_site)
{
    char text[320];
    struct xsc_text t = xsc_text_in(text, sizeof(text));

    xsc_text_put(&t, "xsc ");
    xsc_text_put(&t, kind);
    xsc_text_put(&t, " ");
    put_address(&t, lock);
    xsc_text_put(&t, done);
    xsc_text_put(&t, site);
    xsc_text_put(&t, wrong);
    xsc_text_put(&t, other_site);
    xsc_port_say(text);
    abort();
}

void xsc_lock_debug(enum xsc_lock_step step, const char *kind, const volatile void *lock, int held,
                    const char *site)
{
    struct entry known = {NULL, NULL, ""}, *e;

    lock_table();
    e = find(lock, lock);
    if (e) {
        known = *e;
    }
    if (step == XSC_LOCK_TAKEN && (e || (e = find(lock, NULL)))) {
        *e = (struct entry){lock, this_thread(), site};
    } else if (step == XSC_LOCK_GIVEN && e && known.owner == this_thread()) {
        e->lock = NULL;
    }
    unlock_table();

    const int mine = known.owner == this_thread();

    if (step == XSC_LOCK_WANTED && mine) {
        misused(kind, lock, ": locked at ", site, ", by its owner, who locked it at ", known.site);
    }
    if (step == XSC_LOCK_GIVEN && !held) {
        misused(kind, lock, ": unlocked at ", site, ", and not locked", "");
    }
    if (step == XSC_LOCK_GIVEN && known.lock && !mine) {
        misused(kind, lock, ": unlocked at ", site,
                ", by a thread that has not locked it; locked at ", known.site);
    }
    if (step == XSC_LOCK_DESTROYED && held) {
        misused(kind, lock, ": destroyed at ", site, ", while held, locked at ",
                known.lock ? known.site : "a place that was not compiled with XSC_LOCK_DEBUG");
    }
}
