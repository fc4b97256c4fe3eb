/* SPDX-License-Identifier: MIT */
/*
 * tests/fuzz/fuzz.h - what the fuzz targets share
 *
 * A target is LLVMFuzzerTestOneInput(): it makes something of the bytes that it is given, and stops
 * the program where the result is not what a reference says. tests/fuzz/run.sh runs it, so many
 * times, from its corpus on; each input that once stopped one lies there.
 */
#ifndef XSC_FUZZ_H
#define XSC_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            printf("%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                         \
            fflush(stdout);                                                                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* The input as a row of choices; 0 for ever after its end. */
struct bytes {
    const uint8_t *at;
    size_t left;
};

static inline uint8_t next_byte(struct bytes *b)
{
    if (!b->left) {
        return 0;
    }
    b->left--;
    return *b->at++;
}

static inline uint64_t next_number(struct bytes *b, unsigned bytes)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < bytes; i++) {
        n = n << 8 | next_byte(b);
    }
    return n;
}

/* Numbers of all magnitudes are as likely: a byte says how many bits, the others which. */
static inline uint64_t next_magnitude(struct bytes *b)
{
    const unsigned bits = next_byte(b) % 65;
    const uint64_t n = next_number(b, (bits + 7) / 8);

    return bits == 64 ? n : n & ((1ull << bits) - 1);
}

/* The input as the words of a command line, one a line; argv[0] is the program's. Frees the last. */
static inline char **command_line(const uint8_t *data, size_t size, int *argc)
{
    static char *text, **argv;

    free(text);
    free((void *)argv);
    text = malloc(size + 1);
    argv = malloc((size + 3) * sizeof(*argv));
    if (!text || !argv) {
        abort();
    }
    memcpy(text, data, size);
    text[size] = '\0';
    *argc = 0;
    argv[(*argc)++] = (char *)(uintptr_t) "program";
    for (char *word = text; size && word; (*argc)++) {
        char *end = memchr(word, '\n', (size_t)(text + size - word));

        argv[*argc] = word;
        if (end) {
            *end++ = '\0';
        }
        word = end && end < text + size ? end : NULL;
    }
    argv[*argc] = NULL;
    return argv;
}

#endif /* XSC_FUZZ_H */
