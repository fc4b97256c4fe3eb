/* SPDX-License-Identifier: MIT */
/*
 * Progress on stderr: a line that is redrawn on a terminal, a few lines anywhere else. The
 * library calls between two measured waits, so writing here delays none that counts.
 */
#include "probe.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#define CLEAR "\r\033[K"

static bool shown, terminal;
static volatile sig_atomic_t drawn; /* there is a line to clear */
static unsigned steps, step, last_percent;
static const char *name = "";

static void put(const char *text, size_t n)
{
    if (write(STDERR_FILENO, text, n) < 0) {
        shown = false; /* no terminal to tell */
    }
}

static void draw(unsigned percent)
{
    char line[96];
    const int n = snprintf(line, sizeof(line),
                           terminal ? CLEAR "[%u/%u] trying %s, %u %%"
                                    : "[%u/%u] trying %s, %u %%\n",
                           step, steps, name, percent);

    last_percent = percent;
    drawn = terminal;
    put(line, (size_t)n);
}

void progress_begin(bool wanted, unsigned n_steps)
{
    terminal = isatty(STDERR_FILENO);
    shown = wanted;
    steps = n_steps;
}

void progress_step(unsigned number, const char *mechanism)
{
    step = number;
    name = mechanism;
    if (shown) {
        draw(0);
    }
}

/* permille may go back: a disturbed trial is repeated. */
void progress_within(void *unused, unsigned permille)
{
    const unsigned percent = permille / 10, every = terminal ? 5 : 25;

    (void)unused;
    if (shown && percent / every != last_percent / every) {
        draw(percent);
    }
}

void progress_end(void)
{
    if (drawn) {
        drawn = 0;
        put(CLEAR, sizeof(CLEAR) - 1);
    }
}
