/* SPDX-License-Identifier: MIT */
/*
 * arch/arch.h - what differs by instruction set and is needed by all
 *
 * Each header gives
 *   XSC_ARCH_NAME            for people
 *   XSC_ARCH_X86, ..._ARM64, ..._ARM, ..._RISCV64, ..._GENERIC   one of them, defined
 *   xsc_arch_counter()       a cheap monotonic counter, or 0 where there is none
 *   xsc_arch_relax()         the usual "I am spinning" hint
 *   xsc_arch_features()      the features that the CPU tells by itself, into xsc_cpu
 * and the instructions of its mechanisms. Nothing here needs an OS or a C library.
 */
#ifndef XSC_ARCH_H
#define XSC_ARCH_H

#include "core/cpu.h"

#if defined(XSC_FORCE_GENERIC) /* -DXSC_FORCE_GENERIC: build as for an unknown CPU */
#include "arch/generic/arch.h"
#elif defined(__x86_64__)
#include "arch/x86/arch.h"
#elif defined(__aarch64__)
#include "arch/arm64/arch.h"
#elif defined(__arm__) && __ARM_ARCH >= 7 &&                                                       \
    (!defined(__ARM_ARCH_PROFILE) || __ARM_ARCH_PROFILE == 'A')
#include "arch/arm/arch.h"
#elif defined(__riscv) && __riscv_xlen == 64
#include "arch/riscv64/arch.h"
#else
#include "arch/generic/arch.h"
#endif

#endif /* XSC_ARCH_H */
