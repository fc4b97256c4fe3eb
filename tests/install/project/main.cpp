// SPDX-License-Identifier: MIT
// The same from C++: no _Generic there, so the functions by name.
#include <cerrno>
#include <cstdint>
#include <cstdio>

#include <xsc/probe.h>
#include <xsc/stats.h>
#include <xsc/wait.h>

int main()
{
    static std::uint32_t flag = 0;
    xsc_stats stats;

    if (xsc_wait_u32(&flag, 1, XSC_FOREVER) != 0 ||
        xsc_wait_mask(&flag, 1, 1, 100000) != -ETIMEDOUT ||
        xsc_wait_reached(&flag, 0, 0) != 0 ||
        xsc_stats_read(&stats, sizeof(stats)) != 0 || stats.timeouts != 1) {
        std::fputs("a wait went wrong\n", stderr);
        return 1;
    }
    std::printf("xsc-wait %s\n", xsc_version());
    return 0;
}
