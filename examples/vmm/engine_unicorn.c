/* SPDX-License-Identifier: MIT */
/* An arm64 guest in the Unicorn emulator, which returns at every WFI, without having waited. */
#include "examples/vmm/vmm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unicorn/unicorn.h>

#define CODE_AT 0x10000u
#define PAGE_AT 0x20000u
#define PAGE_SIZE 4096u
#define NOWHERE UINT64_MAX /* an address that the guest never reaches */

/* x0 is the page's address. */
static const uint32_t program[] = {
    0xd503207f, /* loop: wfi                Arm ARM C6.2, WFI: may complete for no reason */
    0xb9400001, /*       ldr w1, [x0]       status */
    0x34ffffc1, /*       cbz w1, loop */
    0xb900001f, /*       str wzr, [x0] */
    0xb9400402, /*       ldr w2, [x0, #4]   work */
    0x71000442, /* work: subs w2, w2, #1 */
    0x54ffffec, /*       b.gt work */
    0xb9400803, /*       ldr w3, [x0, #8]   done */
    0x11000463, /*       add w3, w3, #1 */
    0xb9000803, /*       str w3, [x0, #8] */
    0x17fffff6, /*       b loop */
};

struct vmm_guest {
    uc_engine *engine;
    void *page;
};

static void unicorn_close(struct vmm_guest *g)
{
    if (g->engine) {
        uc_close(g->engine);
    }
    free(g->page);
    free(g);
}

static uc_err set_up(struct vmm_guest *g)
{
    const uint64_t code = CODE_AT, page = PAGE_AT;
    uc_err err = uc_open(UC_ARCH_ARM64, UC_MODE_ARM, &g->engine);

    err = err ? err : uc_mem_map(g->engine, CODE_AT, PAGE_SIZE, UC_PROT_READ | UC_PROT_EXEC);
    err = err ? err : uc_mem_write(g->engine, CODE_AT, program, sizeof(program));
    err = err ? err
              : uc_mem_map_ptr(g->engine, PAGE_AT, PAGE_SIZE, UC_PROT_READ | UC_PROT_WRITE,
                               g->page);
    err = err ? err : uc_reg_write(g->engine, UC_ARM64_REG_PC, &code);
    return err ? err : uc_reg_write(g->engine, UC_ARM64_REG_X0, &page);
}

static struct vmm_guest *unicorn_open(struct vmm_page **page, char *why, size_t size)
{
    struct vmm_guest *g = calloc(1, sizeof(*g));
    uc_err err = UC_ERR_NOMEM;

    if (g) {
        g->page = aligned_alloc(PAGE_SIZE, PAGE_SIZE);
    }
    if (g && g->page) {
        *page = g->page;
        **page = (struct vmm_page){0};
        err = set_up(g);
    }
    if (err) {
        snprintf(why, size, "Unicorn: %s", uc_strerror(err));
        if (g) {
            unicorn_close(g);
        }
        return NULL;
    }
    return g;
}

static int unicorn_run(struct vmm_guest *g, bool interrupt)
{
    uint64_t pc;

    (void)interrupt; /* masked: it ends WFI, which has ended already, and the guest looks */
    if (uc_reg_read(g->engine, UC_ARM64_REG_PC, &pc) ||
        uc_emu_start(g->engine, pc, NOWHERE, 0, 0)) {
        return -EIO;
    }
    return 0;
}

const struct vmm_engine vmm_unicorn = {"unicorn", unicorn_open, unicorn_run, unicorn_close};
