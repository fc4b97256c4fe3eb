/* SPDX-License-Identifier: MIT */
/*
 * xsc_port_process(): a number for this process, unlike those of the processes that it was forked
 * from.
 *
 * Not its pid: parent and child have the same one, 1, where each is the first of a pid namespace,
 * and a pid may be used again. And getpid() is a system call. The number is in a page that the
 * kernel empties in a forked child (MADV_WIPEONFORK), so a child finds 0 there and takes the next:
 *
 *     N1  n = taken += 1        (atomic; copied by a fork)
 *     N2  page: 0 -> n          (compare-and-swap; emptied by a fork). Failed: the number there
 *
 * What is in the page has been counted in `taken` before, at whatever moment a fork copies the two:
 * so the child's N1 gives a larger number than its parent ever had. Threads of one process that
 * come here at once agree by N2; the number that the loser took is left unused. A child made by
 * vfork(), or by clone() with CLONE_VM, shares the page, the number, and all that it stands for.
 *
 * Siblings may have the same number. They do not share what it marks, which is private memory.
 *
 * WITHOUT SUCH A PAGE (Linux before 4.14, another OS, or no memory): the pid, by a system call at
 * each time, tells a child from its parent, but for those of nested namespaces; and a child made by
 * vfork() that waits takes its parent's counts for inherited ones.
 */
#define _GNU_SOURCE
#include "user/process.h"

#include <stddef.h>
#include <unistd.h>

#include <xsc/cas.h>

static uint32_t no_page; /* what stands for a page where there is none */
static uint32_t *page;   /* NULL: not asked for yet */
static uint32_t taken;   /* numbers, by this process and its ancestors */
static uint64_t by_pid;  /* pid << 32 | its number, where there is no page */

static uint32_t take_number(void)
{
    return __atomic_add_fetch(&taken, 1, __ATOMIC_SEQ_CST);
}

/* Decided once: a process must not have a number of each kind. */
static uint32_t *get_page(void)
{
    uint32_t *mine = xsc_wiped_page_map(), *none = NULL;

    if (!__atomic_compare_exchange_n(&page, &none, mine ? mine : &no_page, false,
                                     XSC_CAS_SEQ_CST)) {
        if (mine) {
            xsc_wiped_page_unmap(mine);
        }
        return none;
    }
    return mine ? mine : &no_page;
}

static uint64_t number_by_pid(void)
{
    const uint64_t pid = (uint64_t)(uint32_t)getpid() << 32;
    uint64_t was = __atomic_load_n(&by_pid, __ATOMIC_ACQUIRE);

    while ((was ^ pid) >> 32) {
        const uint32_t mine = take_number();

        if (__atomic_compare_exchange_n(&by_pid, &was, pid | mine, false, XSC_CAS_SEQ_CST)) {
            return mine;
        }
    }
    return (uint32_t)was;
}

uint64_t xsc_port_process(void)
{
    uint32_t *at = __atomic_load_n(&page, __ATOMIC_ACQUIRE);

    if (!at) {
        at = get_page();
    }
    if (at == &no_page) {
        return number_by_pid();
    }
    uint32_t number = __atomic_load_n(at, __ATOMIC_ACQUIRE);

    if (!number) {
        const uint32_t mine = take_number(); /* N1 */

        if (__atomic_compare_exchange_n(at, &number, mine, false, XSC_CAS_SEQ_CST)) { /* N2 */
            return mine;
        }
    }
    return number;
}
