/* SPDX-License-Identifier: MIT */
/* In place of engine_unicorn.c where the library is not installed, or not for that target. */
#include "examples/vmm/vmm.h"

#include <errno.h>
#include <stdio.h>

static struct vmm_guest *absent_open(struct vmm_page **page, char *why, size_t size)
{
    (void)page;
    snprintf(why, size, "built without Unicorn (Debian: apt-get install libunicorn-dev)");
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

const struct vmm_engine vmm_unicorn = {"unicorn", absent_open, absent_run, absent_close};
