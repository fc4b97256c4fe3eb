// SPDX-License-Identifier: MIT
// The locks as C++ uses them: Lockable, in std::lock_guard, std::unique_lock and std::lock.
#include <cstdio>
#include <mutex>
#include <thread>
#include <vector>

#include <xsc/lock.h>

static int failures;

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            std::printf("not ok - %s:%d: %s\n", __FILE__, __LINE__, #condition);                   \
            failures++;                                                                            \
        }                                                                                          \
    } while (0)

template <typename Lock> static void lockable(Lock &lock)
{
    {
        std::unique_lock<Lock> held(lock, std::try_to_lock);
        CHECK(held.owns_lock());
    }
    std::lock_guard<Lock> held(lock);
    std::thread([&lock] {
        std::unique_lock<Lock> other(lock, std::try_to_lock);
        CHECK(!other.owns_lock());
    }).join();
}

template <typename Guarded> static void counts(Guarded increment)
{
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; i++) {
        threads.emplace_back([increment] {
            for (int n = 0; n < 10000; n++) {
                increment();
            }
        });
    }
    for (std::thread &t : threads) {
        t.join();
    }
}

static xsc_mutex mutex; // zero-initialised, as any static
static xsc_ticket ticket;
static xsc_queue queue;

int main()
{
    static long count[3];

    static_assert(sizeof(xsc_mutex) == 4 && sizeof(xsc_ticket) == 4, "4 bytes in C++, too");
    lockable(mutex);
    lockable(ticket);
    {
        xsc_queue_turn turn(queue), other(queue);
        std::lock_guard<xsc_queue_turn> held(turn);
        CHECK(!other.try_lock());
    }
    {
        xsc_mutex local = {};
        xsc_ticket also = {};
        std::lock(local, also);
        CHECK(!local.try_lock() && !also.try_lock());
        local.unlock();
        also.unlock();
    }
    counts([] {
        std::lock_guard<xsc_mutex> held(mutex);
        count[0]++;
    });
    counts([] {
        std::lock_guard<xsc_ticket> held(ticket);
        count[1]++;
    });
    counts([] {
        xsc_queue_turn turn(queue);
        std::lock_guard<xsc_queue_turn> held(turn);
        count[2]++;
    });
    for (long c : count) {
        CHECK(c == 40000);
    }
    return failures ? 1 : 0;
}
