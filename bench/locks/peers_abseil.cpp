/* SPDX-License-Identifier: MIT */
/* Abseil's. */
#include "absl/synchronization/mutex.h"
#include "bench/locks/locks.h"

namespace
{

struct alignas(128) line {
    absl::Mutex mutex;
} lock[LOCKS_SLOTS];

LOCKS_WORKER(run, absl::Mutex &m = lock[r->slot].mutex, m.Lock(), m.Unlock())

} // namespace

extern "C" const locks_peer locks_abseil = {"absl::Mutex", LOCKS_PARKS, false, nullptr, run};
