/* SPDX-License-Identifier: MIT */
/* What litmus/compiled.sh must find wrong: the order that bad_steps asks for is not there. */
#include <stdint.h>

/* Meant to acquire, and to release: what GCC before 14 makes nothing of on RISC-V. */
int bad_old_acquire(uint32_t *word)
{
    uint32_t was = 0;

    return __atomic_compare_exchange_n(word, &was, 1, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

int bad_old_release(uint32_t *word)
{
    uint32_t was = 1;

    return __atomic_compare_exchange_n(word, &was, 0, 0, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
}

int bad_old_both(uint32_t *word)
{
    uint32_t was = 1;

    return __atomic_compare_exchange_n(word, &was, 2, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

/* With no order at all. */
int bad_relaxed(uint32_t *word)
{
    uint32_t was = 0;

    return __atomic_compare_exchange_n(word, &was, 1, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

uint32_t bad_add(uint32_t *word)
{
    return __atomic_fetch_add(word, 1, __ATOMIC_ACQUIRE);
}

uint32_t bad_load(const uint32_t *word)
{
    return __atomic_load_n(word, __ATOMIC_RELAXED);
}

void bad_store(uint32_t *word)
{
    __atomic_store_n(word, 1, __ATOMIC_RELAXED);
}

/* Store-buffer, and no fence between. */
uint32_t bad_unfenced(uint32_t *mine, const uint32_t *theirs)
{
    __atomic_store_n(mine, 1, __ATOMIC_RELEASE);
    return __atomic_load_n(theirs, __ATOMIC_ACQUIRE);
}
