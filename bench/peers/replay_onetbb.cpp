/* SPDX-License-Identifier: MIT */
/* oneTBB's bounded queue: its event count is not public, and this is the wait that is. */
#include <cstdint>

#include <oneapi/tbb/concurrent_queue.h>

#include "bench/replay.h"

namespace
{

oneapi::tbb::concurrent_bounded_queue<std::uint32_t> &queue()
{
    static oneapi::tbb::concurrent_bounded_queue<std::uint32_t> q;

    return q;
}

void wait(std::uint32_t)
{
    std::uint32_t news;

    queue().pop(news);
}

void post(std::uint32_t news)
{
    queue().push(news);
}

} // namespace

extern "C" const replay_peer replay_onetbb = {nullptr, nullptr, wait, post};
