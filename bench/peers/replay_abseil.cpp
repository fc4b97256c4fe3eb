/* SPDX-License-Identifier: MIT */
/* Abseil's Mutex and CondVar. */
#include <cstdint>

#include "absl/synchronization/mutex.h"
#include "bench/replay.h"

namespace
{

absl::Mutex mutex(absl::kConstInit);
absl::CondVar cond;
std::uint32_t guarded;

void wait(std::uint32_t seen)
{
    const absl::MutexLock lock(&mutex);

    while (guarded == seen) {
        cond.Wait(&mutex);
    }
}

void post(std::uint32_t news)
{
    {
        const absl::MutexLock lock(&mutex);

        guarded = news;
    }
    cond.Signal();
}

} // namespace

extern "C" const replay_peer replay_abseil = {nullptr, nullptr, wait, post};
