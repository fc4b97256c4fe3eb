/* SPDX-License-Identifier: MIT */
/* bench/shards/device.h - how late a shard notices a device */
#ifndef XSC_BENCH_SHARDS_DEVICE_H
#define XSC_BENCH_SHARDS_DEVICE_H

#include <stdbool.h>

struct bench_options;

/* ring: io_uring can be had. */
void device_run(const struct bench_options *o, unsigned rounds, bool ring);

#endif /* XSC_BENCH_SHARDS_DEVICE_H */
