/* SPDX-License-Identifier: MIT */
/* user/linux_cpu.h - the CPUs of this process, as the facts about the machine were read */
#ifndef XSC_USER_LINUX_CPU_H
#define XSC_USER_LINUX_CPU_H

#include <sched.h>

/* Those that any of its threads may run on. Valid after xsc_port_cpu(). Needs _GNU_SOURCE. */
const cpu_set_t *xsc_process_cpus(void);

#endif /* XSC_USER_LINUX_CPU_H */
