/* SPDX-License-Identifier: MIT */
/*
 * moodycamel's BlockingConcurrentQueue. It has no bound: where one is asked for, its own semaphore
 * counts the places that are left.
 */
#include <memory>

#include <blockingconcurrentqueue.h>

#include "bench/shards/shards.h"

namespace
{

struct queue {
    explicit queue(uint32_t room)
        : messages(room ? room : 1),
          places(room ? new moodycamel::LightweightSemaphore(room) : nullptr)
    {
    }

    moodycamel::BlockingConcurrentQueue<shards_message> messages;
    std::unique_ptr<moodycamel::LightweightSemaphore> places;
};

void *make(uint32_t room)
{
    return new queue(room);
}

void destroy(void *q)
{
    delete static_cast<queue *>(q);
}

void send(void *q, const shards_message *m)
{
    queue *to = static_cast<queue *>(q);

    if (to->places) {
        while (!to->places->wait()) {
        }
    }
    to->messages.enqueue(*m);
}

void receive(void *q, shards_message *m)
{
    queue *from = static_cast<queue *>(q);

    from->messages.wait_dequeue(*m);
    if (from->places) {
        from->places->signal();
    }
}

} // namespace

extern "C" const shards_peer shards_moodycamel = {
    "moodycamel blocking", SHARDS_PARKS, true, make, destroy, nullptr, send, receive};
