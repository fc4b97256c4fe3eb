/* SPDX-License-Identifier: MIT */
/*
 * secure_env: what user/config.c makes of this process's environment, as secure_env.sh compiles and
 * runs it, with different C libraries and as a set-user-ID program. Prints "obeyed" or "ignored".
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/costs.h"
#include "core/port.h"
#include "user/config.h"

void xsc_port_say(const char *line)
{
    fprintf(stderr, "%s\n", line);
}

int main(void)
{
    uint32_t us;
    const char *mechanism = xsc_config_mechanism();
    const int obeyed = (mechanism != NULL) + (xsc_config_weight() == XSC_WEIGHT_CPU) +
                       (xsc_config_park() == XSC_PARK_SEQ_CST) +
                       (!xsc_config_idle_us(&us) || us != 0);

    if (obeyed != 0 && obeyed != 4) {
        printf("%d of 4 variables obeyed\n", obeyed);
        return 1;
    }
    puts(obeyed ? "obeyed" : "ignored");
    return 0;
}
