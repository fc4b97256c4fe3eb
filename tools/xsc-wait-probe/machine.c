/* SPDX-License-Identifier: MIT */
/* What makes a report worth keeping: which CPU and which kernel it is about. */
#include "probe.h"

#include <string.h>
#include <sys/utsname.h>

/* "model name" is x86's; other architectures' kernels mostly print numbers, or nothing. */
static void read_model(char *to, size_t size)
{
    char line[256];
    FILE *f = fopen("/proc/cpuinfo", "r");

    while (f && fgets(line, sizeof(line), f)) {
        const char *colon = strchr(line, ':');

        if (colon && !strncmp(line, "model name", 10)) {
            const char *name = colon + 1 + strspn(colon + 1, " \t");

            snprintf(to, size, "%.*s", (int)strcspn(name, "\n"), name);
            break;
        }
    }
    if (f) {
        fclose(f);
    }
}

void machine_describe(struct findings *f)
{
    struct utsname u;

    f->cpu_model[0] = f->os[0] = '\0';
    read_model(f->cpu_model, sizeof(f->cpu_model));
    make_printable(f->cpu_model);
    if (!uname(&u)) {
        snprintf(f->os, sizeof(f->os), "%.40s %.54s", u.sysname, u.release);
        make_printable(f->os);
    }
}
