/* SPDX-License-Identifier: MIT */
/* Every inline function of the public headers, as users compile it: with -fgnu89-inline all are emitted. */
#include <xsc/doorbell.h>
#include <xsc/event.h>
#include <xsc/idle.h>
#include <xsc/lock.h>
#include <xsc/nap.h>
#include <xsc/park.h>
#include <xsc/probe.h>
#include <xsc/shard.h>
#include <xsc/stats.h>
#include <xsc/wait.h>
