/* SPDX-License-Identifier: MIT */
/* In place of engine_kvm.c where this is not Linux on x86-64. */
#include "examples/vmm/vmm.h"

#include <errno.h>
#include <stdio.h>

static struct vmm_guest *absent_open(struct vmm_page **page, char *why, size_t size)
{
    (void)page;
    snprintf(why, size, "the KVM guest is x86 code: it needs Linux on x86-64");
    return NULL;
}

static int absent_run(struct vmm_guest *guest, bool interrupt)
{
    (void)guest;
    (void)interrupt;
    return -ENOSYS;
}

static void absent_close(struct vmm_guest *guest)
{
    (void)guest;
}

const struct vmm_engine vmm_kvm = {"kvm", absent_open, absent_run, absent_close};
