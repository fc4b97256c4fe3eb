/* SPDX-License-Identifier: MIT */
/*
 * bench/peers/peer.h - one way to wait for a word, behind function pointers
 *
 * Every contender is called through the same pointers, so that the calls cost all of them
 * the same. To add one: a file here with its struct bench_peer, a line below.
 */
#ifndef XSC_BENCH_PEER_H
#define XSC_BENCH_PEER_H

#include <stdint.h>

enum bench_kind {
    BENCH_WATCHES, /* burns its CPU, and wakes in the time that a cache line takes to travel */
    BENCH_PARKS,   /* leaves the CPU, and pays for it with system calls */
};

/* Word sizes of 1 << index bytes. */
#define BENCH_SIZES 4u
#define BENCH_U32 2u

struct bench_peer {
    const char *name;
    enum bench_kind kind;

    /* Returns once *word != old. NULL where it can't wait for a word of that size. */
    void (*wait[BENCH_SIZES])(const volatile void *word, uint64_t old);

    /* What the writer owes after its store; NULL: nothing. */
    void (*notify)(volatile void *word);
};

extern const struct bench_peer bench_peer_xsc;    /* the library */
extern const struct bench_peer bench_peer_pause;  /* look, one relax hint, look */
extern const struct bench_peer bench_peer_pauses; /* look, several hints, look */
extern const struct bench_peer bench_peer_park;   /* the library, leaving the CPU */
extern const struct bench_peer bench_peer_cond;   /* a POSIX condition variable */
#if defined(__linux__)
extern const struct bench_peer bench_peer_futex; /* FUTEX_WAIT at once, FUTEX_WAKE always */
#endif

/* Relax hints between two looks of bench_peer_pauses; before its threads start. */
void bench_pauses_set(unsigned n);

#endif /* XSC_BENCH_PEER_H */
