/* SPDX-License-Identifier: MIT */
/* The C++ library's. */
#include <mutex>

#include "bench/locks/locks.h"

namespace
{

struct alignas(128) line {
    std::mutex mutex;
} lock[LOCKS_SLOTS];

LOCKS_WORKER(run, std::mutex &m = lock[r->slot].mutex, m.lock(), m.unlock())

} // namespace

extern "C" const locks_peer locks_std = {"std::mutex", LOCKS_PARKS, false, nullptr, run};
