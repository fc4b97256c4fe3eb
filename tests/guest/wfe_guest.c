/* SPDX-License-Identifier: MIT */
/*
 * wfe_guest stream|no-stream: WFE in the kernel of a booted arm64 guest whose WFE blocks, with the
 * event stream and without; root, modules in /. Prints a line a check and ends with 1 when one failed.
 */
#define _GNU_SOURCE
#include <sys/mount.h>

#include "tests/guest/kernel_guest.h"

#define WAIT_DIR "/sys/kernel/xsc/wait/"
#define FACTS "/sys/module/xsc_wfe_facts/parameters/"
#define MECHANISMS "/sys/kernel/debug/xsc_wait/mechanisms"
#define ROUNDS 200

static unsigned long long number(const char *path)
{
    return strtoull(slurp(path), NULL, 10);
}

/* What ends a bare WFE. That this comes to its end is the proof; see kernel/wfe_facts.c. */
static void facts(bool stream)
{
    check(insert("xsc_wfe_facts", "rounds=200") == 0, "all waits ended");
    check((slurp(FACTS "has_stream")[0] == 'Y') == stream, "%s event stream",
          stream ? "there is an" : "there is no");
    if (stream) {
        check(number(FACTS "stream") == ROUNDS,
              "it ended %llu waits that nothing else could end: "
              "mean %llu ns, at most %llu ns",
              number(FACTS "stream"), number(FACTS "stream_mean_ns"),
              number(FACTS "stream_max_ns"));
    } else if (number(FACTS "slept") == 0) {
        printf("skipped: WFE does not sleep on this emulator; QEMU 11.1's does, of "
               "trixie-backports\n");
        exit(77);
    } else {
        check(number(FACTS "slept") > ROUNDS / 2, "a store alone left %llu of %d asleep",
              number(FACTS "slept"), ROUNDS);
        check(number(FACTS "sent") == ROUNDS, "SEV ended %llu", number(FACTS "sent"));
    }
    check(take_out("xsc_wfe_facts") == 0, "unloaded");
}

/* By name, as its trial finds that it does not sleep after a live reservation: a store ends it. */
static void used(void)
{
    int err = -EOPNOTSUPP;

    /* A busy host makes a store look missed, and the trial is right to refuse it then. */
    for (int i = 0; i < 60 && err == -EOPNOTSUPP; i++) {
        err = insert("xsc_wait", "patient=1 mechanism=wfe");
    }
    check(err == 0, "WFE can be asked for: %d", err);
    check(!strcmp(slurp(WAIT_DIR "type"), "WFE\n"), "and is used");
    check(insert("xsc_wait_selftest", "waits=1000 handovers=1000") == 0,
          "the other CPU's stores end waits, deadlines are kept");
    check(number(WAIT_DIR "deep_sleeps") > 0, "%llu waits with WFE",
          number(WAIT_DIR "deep_sleeps"));
    check(take_out("xsc_wait_selftest") == 0 && take_out("xsc_wait") == 0, "unloaded");
}

/* A WFE that nothing bounds is not made: so deadlines are kept. */
static void refused(void)
{
    check(insert("xsc_wait", "patient=1 mechanism=wfe") == -EOPNOTSUPP,
          "WFE can't be asked for: EOPNOTSUPP");
    check(insert("xsc_wait", "patient=1") == 0, "loads");
    const char *text = slurp(MECHANISMS);

    printf("%s", text);
    check(strstr(text, "\nWFE FAILED no event stream"), "WFE is FAILED, with the reason");
    check(!strcmp(slurp(WAIT_DIR "type"), "PAUSE\n"), "and not used");
    check(insert("xsc_wait_selftest", "waits=1000 handovers=1000") == 0,
          "the other CPU's stores end waits, deadlines are kept");
    check(number(WAIT_DIR "deep_sleeps") == 0 && number(WAIT_DIR "timeouts") >= 100,
          "%llu deadlines, none waited for with WFE", number(WAIT_DIR "timeouts"));
    check(take_out("xsc_wait_selftest") == 0 && take_out("xsc_wait") == 0, "unloaded");
}

int main(int argc, char **argv)
{
    const bool stream = argc == 2 && !strcmp(argv[1], "stream");

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (!stream && (argc != 2 || strcmp(argv[1], "no-stream"))) {
        fprintf(stderr, "usage: wfe_guest stream|no-stream\n");
        return 2;
    }
    if (mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL) && errno != EBUSY) {
        perror("debugfs");
        return 1;
    }
    facts(stream);
    if (stream) {
        used();
    } else {
        refused();
    }
    log_is_clean();
    return failures ? 1 : 0;
}
