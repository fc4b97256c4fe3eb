/* SPDX-License-Identifier: MIT */
/* oneTBB's: one that spins and yields, and one that is first come, first served. */
#include <oneapi/tbb/queuing_mutex.h>
#include <oneapi/tbb/spin_mutex.h>

#include "bench/locks/locks.h"

namespace
{

struct alignas(128) spin_line {
    oneapi::tbb::spin_mutex mutex;
} spin[LOCKS_SLOTS];

struct alignas(128) queuing_line {
    oneapi::tbb::queuing_mutex mutex;
} queuing[LOCKS_SLOTS];

LOCKS_WORKER(run_spin, oneapi::tbb::spin_mutex &m = spin[r->slot].mutex, m.lock(), m.unlock())
LOCKS_WORKER(run_queuing, oneapi::tbb::queuing_mutex &m = queuing[r->slot].mutex;
             oneapi::tbb::queuing_mutex::scoped_lock node, node.acquire(m), node.release())

} // namespace

extern "C" const locks_peer locks_tbb_spin = {"tbb::spin_mutex", LOCKS_SPINS, false, nullptr,
                                              run_spin};
extern "C" const locks_peer locks_tbb_queuing = {"tbb::queuing_mutex", LOCKS_FIFO, false, nullptr,
                                                 run_queuing};
