/* SPDX-License-Identifier: MIT */
/*
 * xsc/cas.h - the two orders of a compare-and-swap, success and failure, as one argument
 *
 *     __atomic_compare_exchange_n(&word, &was, to, 0, XSC_CAS_ACQUIRE)
 *
 * GCC before version 14 derives the instructions of a compare-and-swap on RISC-V from the failure
 * order, where C11 asks for both orders together: (ACQUIRE, RELAXED) becomes lr.w, sc.w.aq, whose .aq
 * orders nothing after the load that decided; (RELEASE, RELAXED) becomes lr.w, sc.w, with no ordering
 * at all. A failure order may not be RELEASE or ACQ_REL, so the one way to a release there is SEQ_CST
 * for both: fence rw,w, lr.w.aq, sc.w.aq. Every other compiler gets the orders that are meant.
 *
 * ACQUIRE and ACQ_REL acquire on failure, too: on every CPU this is for, the load acquires before
 * the comparison, so the instructions are the same.
 *
 * litmus/compiled.sh holds what compilers emit against the order that each step needs, and refuses a
 * compare-and-swap in this library that orders anything and does not use one of these.
 *
 * Included by the headers and sources that need it; needs nothing itself.
 */
#ifndef XSC_CAS_H
#define XSC_CAS_H

#define XSC_CAS_ACQUIRE __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE
#define XSC_CAS_SEQ_CST __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST
#if defined(__riscv) && defined(__GNUC__) && !defined(__clang__) && __GNUC__ < 14
#define XSC_CAS_RELEASE XSC_CAS_SEQ_CST
#define XSC_CAS_ACQ_REL XSC_CAS_SEQ_CST
#else
#define XSC_CAS_RELEASE __ATOMIC_RELEASE, __ATOMIC_RELAXED
#define XSC_CAS_ACQ_REL __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE
#endif

#endif /* XSC_CAS_H */
