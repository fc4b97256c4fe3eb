/* SPDX-License-Identifier: MIT */
/* std::atomic's wait() and notify_one(), as the C++ library at hand has them. */
#include <atomic>
#include <cstdint>

#include "bench/replay.h"

namespace
{

alignas(128) std::atomic<std::uint32_t> word;

void wait(std::uint32_t seen)
{
    word.wait(seen, std::memory_order_acquire);
}

void post(std::uint32_t news)
{
    word.store(news, std::memory_order_release);
    word.notify_one();
}

} // namespace

extern "C" const replay_peer replay_std_atomic = {nullptr, nullptr, wait, post};
