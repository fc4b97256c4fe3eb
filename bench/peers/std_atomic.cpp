/* SPDX-License-Identifier: MIT */
/*
 * A store and std::atomic::notify_one(), as the C++ library at hand has it: with the store
 * that one gets by default, and with the release store that the other contenders make.
 */
#include <atomic>
#include <cstdint>

#include "bench/notify.h"

namespace
{

alignas(64) std::atomic<std::uint32_t> word;

template <std::memory_order order> BENCH_NOTIFY_LOOP void loop(std::uint32_t n)
{
    std::atomic<std::uint32_t> *w = &word;

    for (std::uint32_t i = 0; i < n; i++) {
        BENCH_LAUNDER(w);
        w->store(i, order);
        w->notify_one();
    }
}

} // namespace

bench_notify_loop *bench_notify_std_atomic(int release)
{
    return release ? loop<std::memory_order_release> : loop<std::memory_order_seq_cst>;
}
