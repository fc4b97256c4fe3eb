/* SPDX-License-Identifier: MIT */
/*
 * test_nap: xsc/nap.h. A kick that is lost lasts until the watchdog ends the test; nothing here
 * depends on how fast something is. Exit 0 or 1.
 */
#define _GNU_SOURCE
#include <pthread.h>

#include <xsc/nap.h>

#include "park_test.h"

#if defined(XSC_TEST_OTHER_PORT)
#define KICKS 2000u /* that port sees a kick a millisecond later */
#else
#define KICKS 100000u
#endif

static struct xsc_nap_word nap;
static uint32_t sent, seen; /* plain: what a kick publishes, and the answer to it */

/* ------------------------------------------------------------------------------- naps ---- */

static void alone(void)
{
    const uint64_t start = now_ns();

    errno = 1234;
    CHECK(xsc_nap(&nap, MS) == -ETIMEDOUT, "no thread kicked");
    CHECK(now_ns() - start >= MS, "a nap of 1 ms ended early");
    CHECK(xsc_nap(&nap, 0) == -ETIMEDOUT, "no time is no nap");
    xsc_nap_kick(&nap);
    xsc_nap_kick(&nap);
    CHECK(xsc_nap(&nap, XSC_FOREVER) == 0, "a kick before the nap is kept");
    CHECK(xsc_nap(&nap, 1000) == -ETIMEDOUT, "two kicks before one nap are one");
    CHECK(errno == 1234, "errno is %d", errno);
}

static void *kicker(void *arg)
{
    uint64_t random = 1;

    (void)arg;
    for (uint32_t i = 1; i <= KICKS; i++) {
        spin_for(next_random(&random) % 20000); /* before, while and after the other lies down */
        sent = i;
        xsc_nap_kick(&nap);
        while (__atomic_load_n(&seen, __ATOMIC_ACQUIRE) != i) {
        }
    }
    return NULL;
}

/* Each nap ends by its own kick, and what was written before the kick is there. */
static void every_kick_ends_a_nap(void)
{
    pthread_t thread;

    CHECK(!pthread_create(&thread, NULL, kicker, NULL), "no thread");
    for (uint32_t i = 1; i <= KICKS; i++) {
        CHECK(xsc_nap(&nap, XSC_FOREVER) == 0, "a nap for ever timed out");
        CHECK(sent == i, "kick %u brought %u", i, sent);
        __atomic_store_n(&seen, i, __ATOMIC_RELEASE);
    }
    pthread_join(thread, NULL);
}

/* -------------------------------------------------------------------- the environment ---- */

/* What xsc_idle_asked() gives, and what it and two naps say, in a process of its own. */
static int asked(const char *value, uint64_t *ns, char *said, size_t size)
{
    struct {
        uint64_t ns;
        int err;
    } got = {.ns = 12345};
    int lines[2] = {-1, -1}, answer[2] = {-1, -1}, status;
    size_t n = 0;
    ssize_t part;

    CHECK(!pipe(lines) && !pipe(answer), "pipe");
    const pid_t child = fork();

    if (!child) {
        if (value) {
            setenv("XSC_IDLE_SLEEP", value, 1);
        } else {
            unsetenv("XSC_IDLE_SLEEP");
        }
        dup2(lines[1], STDERR_FILENO);
        got.err = xsc_idle_asked(&got.ns);
        for (int i = 0; i < 2; i++) {
            uint64_t again;

            xsc_nap(&nap, 1000);
            if (!got.err && (xsc_idle_asked(&again) || again != got.ns)) {
                _exit(2);
            }
        }
        _exit(write(answer[1], &got, sizeof(got)) != sizeof(got));
    }
    close(lines[1]);
    close(answer[1]);
    while (n < size - 1 && (part = read(lines[0], said + n, size - 1 - n)) > 0) {
        n += (size_t)part;
    }
    said[n] = '\0';
    CHECK(read(answer[0], &got, sizeof(got)) == sizeof(got), "no answer");
    CHECK(waitpid(child, &status, 0) == child && !status, "status %d", status);
    close(lines[0]);
    close(answer[0]);
    *ns = got.ns;
    return got.err;
}

static void environment(void)
{
    static const struct {
        const char *value;
        uint64_t ns;
        int err;
    } cases[] = {
        {NULL, 0, 0},
        {"", 0, 0},
        {"0", 0, 0},
        {"50", 50000, 0},
        {"100", 100000, 0},
        {"200", 200000, 0},
        {"abc", 0, -EINVAL},
        {"-1", 0, -EINVAL},
        {"75", 0, -EINVAL},
        {"1000000", 0, -EINVAL},
        {"100us", 0, -EINVAL},
        {" 100", 0, -EINVAL},
        {"00", 0, -EINVAL},
        {"+50", 0, -EINVAL},
        {"18446744073709551716", 0, -EINVAL}, /* 100 modulo 2^64 */
    };
    static const char refusal[] =
        "idle governor: off: XSC_IDLE_SLEEP is 0 (off), 50, 100 or 200 us, nothing else\n";

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char said[1024], wanted[256] = "";
        const char *name = cases[i].value ? cases[i].value : "(unset)";
        uint64_t ns;
        const int err = asked(cases[i].value, &ns, said, sizeof(said));

        CHECK(err == cases[i].err && ns == cases[i].ns, "%s: %d, %llu", name, err,
              (unsigned long long)ns);
        if (ns) {
            snprintf(wanted, sizeof(wanted),
                     "idle governor: on, naps of at most %s us (XSC_IDLE_SLEEP)\n"
                     "idle governor: active, this is its first nap\n",
                     name);
        }
        CHECK(!strcmp(said, err ? refusal : wanted), "%s: said \"%s\"", name, said);
    }
    CHECK(xsc_idle_asked(NULL) == -EINVAL, "nowhere to put the answer");
}

int main(void)
{
    environment(); /* first: it forks, and there is one thread yet */
    alone();
    every_kick_ends_a_nap();
    puts(failures ? "failed" : "ok");
    return failures != 0;
}
