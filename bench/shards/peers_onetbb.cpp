/* SPDX-License-Identifier: MIT */
/* oneTBB's bounded queue. */
#include <oneapi/tbb/concurrent_queue.h>

#include "bench/shards/shards.h"

namespace
{

using queue = oneapi::tbb::concurrent_bounded_queue<shards_message>;

void *make(uint32_t room)
{
    queue *q = new queue;

    q->set_capacity(room ? static_cast<queue::size_type>(room) : 1);
    return q;
}

void destroy(void *q)
{
    delete static_cast<queue *>(q);
}

void send(void *q, const shards_message *m)
{
    static_cast<queue *>(q)->push(*m);
}

void receive(void *q, shards_message *m)
{
    static_cast<queue *>(q)->pop(*m);
}

} // namespace

extern "C" const shards_peer shards_tbb = {
    "tbb bounded queue", SHARDS_PARKS, false, make, destroy, nullptr, send, receive};
