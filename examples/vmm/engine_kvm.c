/* SPDX-License-Identifier: MIT */
/*
 * A real-mode x86 guest under /dev/kvm. Without an interrupt controller in the kernel every HLT
 * is an exit to user space (Linux, Documentation/virt/kvm/api.rst, KVM_EXIT_HLT), and
 * KVM_RUN then goes on behind it, or in the handler after KVM_INTERRUPT.
 */
#define _GNU_SOURCE
#include "examples/vmm/vmm.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define VECTOR 32u
#define VECTOR_AT (VECTOR * 4) /* real mode's table is at 0: offset, segment */
#define HANDLER_AT 0x800u
#define CODE_AT 0x1000u /* and its stack ends there */
#define PAGE_AT 0x2000u
#define MEMORY 0x3000u

static const uint8_t program[] = {
    0xfb,       /* loop: sti */
    0xf4,       /*       hlt */
    0xeb, 0xfc, /*       jmp loop */
};

static const uint8_t handler[] = {
    0x66, 0xc7, 0x06, 0x00, 0x20, 0x00, 0x00, 0x00, 0x00, /* mov dword [status], 0 */
    0x66, 0x8b, 0x0e, 0x04, 0x20,                         /* mov ecx, [work] */
    0x66, 0x41,                                           /* inc ecx */
    0x66, 0x49,                                           /* work: dec ecx */
    0x75, 0xfc,                                           /* jnz work */
    0x66, 0xff, 0x06, 0x08, 0x20,                         /* inc dword [done] */
    0xcf,                                                 /* iret */
};

struct vmm_guest {
    int kvm, vm, vcpu;
    uint8_t *memory;
    struct kvm_run *run;
    size_t run_size;
};

static void kvm_close(struct vmm_guest *g)
{
    if (g->run) {
        munmap(g->run, g->run_size);
    }
    if (g->memory) {
        munmap(g->memory, MEMORY);
    }
    for (int i = 0; i < 3; i++) {
        const int fd = i == 0 ? g->vcpu : i == 1 ? g->vm : g->kvm;

        if (fd >= 0) {
            close(fd);
        }
    }
    free(g);
}

static void *map(size_t size, int flags, int fd)
{
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, 0);

    return at == MAP_FAILED ? NULL : at;
}

/* What failed, or NULL. */
static const char *set_up(struct vmm_guest *g)
{
    struct kvm_userspace_memory_region region = {.memory_size = MEMORY};
    struct kvm_regs regs = {.rip = CODE_AT, .rsp = CODE_AT, .rflags = 2};
    const uint16_t vector[2] = {HANDLER_AT, 0};
    struct kvm_sregs sregs;
    int size;

    g->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    if (g->kvm < 0) {
        return "/dev/kvm";
    }
    g->vm = ioctl(g->kvm, KVM_CREATE_VM, 0);
    if (g->vm < 0) {
        return "KVM_CREATE_VM";
    }
    g->memory = map(MEMORY, MAP_SHARED | MAP_ANONYMOUS, -1);
    if (!g->memory) {
        return "memory";
    }
    memcpy(g->memory + CODE_AT, program, sizeof(program));
    memcpy(g->memory + HANDLER_AT, handler, sizeof(handler));
    memcpy(g->memory + VECTOR_AT, vector, sizeof(vector));
    region.userspace_addr = (uintptr_t)g->memory;
    if (ioctl(g->vm, KVM_SET_USER_MEMORY_REGION, &region) < 0) {
        return "KVM_SET_USER_MEMORY_REGION";
    }
    g->vcpu = ioctl(g->vm, KVM_CREATE_VCPU, 0);
    if (g->vcpu < 0) {
        return "KVM_CREATE_VCPU";
    }
    size = ioctl(g->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
    g->run_size = size > 0 ? (size_t)size : sizeof(*g->run);
    g->run = map(g->run_size, MAP_SHARED, g->vcpu);
    if (!g->run) {
        return "the vCPU's memory";
    }
    if (ioctl(g->vcpu, KVM_GET_SREGS, &sregs) < 0) {
        return "KVM_GET_SREGS";
    }
    sregs.cs.base = sregs.cs.selector = 0;
    sregs.ds.base = sregs.ds.selector = 0;
    sregs.ss.base = sregs.ss.selector = 0;
    if (ioctl(g->vcpu, KVM_SET_SREGS, &sregs) < 0 || ioctl(g->vcpu, KVM_SET_REGS, &regs) < 0) {
        return "KVM_SET_REGS";
    }
    return NULL;
}

static struct vmm_guest *kvm_open(struct vmm_page **page, char *why, size_t size)
{
    struct vmm_guest *g = calloc(1, sizeof(*g));
    const char *failed;

    if (!g) {
        snprintf(why, size, "no memory");
        return NULL;
    }
    g->kvm = g->vm = g->vcpu = -1;
    failed = set_up(g);
    if (failed) {
        snprintf(why, size, "%s: %s (needs KVM, and leave to open /dev/kvm)", failed,
                 strerror(errno));
        kvm_close(g);
        return NULL;
    }
    *page = (struct vmm_page *)(void *)(g->memory + PAGE_AT);
    return g;
}

static int kvm_run(struct vmm_guest *g, bool interrupt)
{
    const struct kvm_interrupt vector = {.irq = VECTOR};

    /* The guest halts with interrupts on, so that it can be interrupted at once. */
    if (interrupt && ioctl(g->vcpu, KVM_INTERRUPT, &vector) < 0) {
        return -errno;
    }
    while (ioctl(g->vcpu, KVM_RUN, 0) < 0) {
        if (errno != EINTR) {
            return -errno;
        }
    }
    return g->run->exit_reason == KVM_EXIT_HLT ? 0 : -EIO;
}

const struct vmm_engine vmm_kvm = {"kvm", kvm_open, kvm_run, kvm_close};
