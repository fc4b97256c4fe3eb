/* SPDX-License-Identifier: MIT */
/*
 * A doorbell, beside the mechanisms: it is none of them, because a plain store rings nothing, and
 * programs get it by waiting on it (xsc/doorbell.h).
 */
#include "probe.h"

#include <errno.h>
#include <string.h>

#define DEFAULT_PATH "/dev/xsc-doorbell0"
#define SOFTWARE "eventfd" /* no path: those here have a slash in them */

static void say_why(struct doorbell *d, int err)
{
    if (d->present) {
        snprintf(d->why, sizeof(d->why), "%s", d->report.reason);
    } else if (err == -ENOENT) {
        snprintf(d->why, sizeof(d->why), "no %s: no module xsc_doorbell, or no device for it",
                 d->path);
    } else if (err == -ENOTSUP) {
        snprintf(d->why, sizeof(d->why), "doorbells are Linux's");
    } else {
        snprintf(d->why, sizeof(d->why), "%s: %s", d->path, strerror(-err));
    }
}

enum exit_status doorbell_try(const struct options *o, struct findings *f)
{
    struct doorbell *d = &f->doorbell;
    const char *path = o->doorbell ? o->doorbell : DEFAULT_PATH;
    struct xsc_doorbell bell;

    d->named = d->asked || o->doorbell;
    snprintf(d->path, sizeof(d->path), "%s", path);
    make_printable(d->path);
    if (o->n_mechanism && !d->named) {
        snprintf(d->why, sizeof(d->why), "not tried yet");
        return STATUS_VALIDATED;
    }
    int err = xsc_doorbell_open(&bell, strcmp(path, SOFTWARE) ? path : NULL);

    if (d->named && (err == -EACCES || err == -EPERM)) {
        return complain(STATUS_DENIED, "--doorbell %s: %s", d->path, strerror(-err));
    }
    d->probed = true;
    d->present = !err;
    if (!err) {
        err = xsc_doorbell_try(&bell, XSC_BELL_TRIAL_RINGS);
    }
    xsc_doorbell_read(&bell, &d->report, sizeof(d->report));
    xsc_doorbell_close(&bell);
    say_why(d, err);
    return STATUS_VALIDATED;
}

bool doorbell_steady(const struct doorbell *d)
{
    return d->probed && d->report.state == XSC_BELL_STEADY;
}

const char *doorbell_word(const struct doorbell *d)
{
    return !d->probed           ? "not tried"
           : !d->present        ? "absent"
           : doorbell_steady(d) ? "passed"
                                : "broken";
}

const char *doorbell_state(const struct doorbell *d)
{
    return !d->probed ? "-" : doorbell_steady(d) ? "STEADY" : "FAILED";
}
