/* SPDX-License-Identifier: MIT
 *
 * /init of a test guest: set the machine up, run one program, say how it ended, power off.
 *
 * The initial RAM disk holds, beside this program and the one to run:
 *   /xsc/argv   the program and its arguments, each ended by a NUL byte
 *   /xsc/env    its environment, NAME=VALUE, each ended by a NUL byte
 *   /xsc/tty    the serial port for its output, such as ttyS1, NUL-terminated; or "pci", the one
 *               that is a PCI device, whose number depends on which was found first
 *   /xsc/set    what to write before it starts: path, NUL, text, NUL, and so on
 *
 * The program's stdout and stderr are that port, raw, and nothing but "\n@@EXIT n\n" is added at
 * the end (n as a shell would say: 128 + signal, 126/127 when it could not be started). Messages of
 * the kernel go to another port, so they can't mix. Trouble of this program is told there too; the
 * host then misses the last line and knows that the guest failed, not the program.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <sys/io.h>
#endif

enum { MAX_WORDS = 256 };

static _Noreturn void power_off(void)
{
    sync();
#if defined(__x86_64__)
    /* Bochs ends when this word is written to this port. Elsewhere it is ignored. */
    if (ioperm(0x8900, 1, 1) == 0) {
        for (const char *s = "Shutdown"; *s != '\0'; s++) {
            outb((unsigned char)*s, 0x8900);
        }
    }
#endif
    reboot(RB_POWER_OFF);
    for (;;) {
        pause();
    }
}

static _Noreturn void give_up(const char *what)
{
    fprintf(stderr, "init: %s: %s\n", what, strerror(errno));
    fflush(stderr);
    tcdrain(STDERR_FILENO);
    power_off();
}

/* Reads a file of NUL-terminated words; words[] ends with NULL. The text lives until the end. */
static size_t read_words(const char *path, char **words)
{
    size_t n = 0;
    words[0] = NULL;
    FILE *f = fopen(path, "re");
    if (f == NULL) {
        return 0;
    }
    char *word = NULL;
    size_t size = 0;
    while (n + 1 < MAX_WORDS && getdelim(&word, &size, '\0', f) > 0) {
        words[n++] = word;
        word = NULL;
        size = 0;
    }
    free(word);
    fclose(f);
    words[n] = NULL;
    return n;
}

static void mount_at(const char *type, const char *where)
{
    (void)mkdir(where, 0755);
    if (mount(type, where, type, 0, NULL) != 0 && errno != EBUSY) {
        give_up(where);
    }
}

/* Finds the serial port behind a bridge: in sysfs its path leads through there. */
static void name_on_pci(char *path, size_t size)
{
    for (int i = 0; i < 8; i++) {
        snprintf(path, size, "/sys/class/tty/ttyS%d", i);
        char *real = realpath(path, NULL);
        int found = real != NULL && strstr(real, "/pci") != NULL;
        free(real);
        if (found) {
            snprintf(path, size, "/dev/ttyS%d", i);
            return;
        }
    }
}

static int open_port(const char *name)
{
    char path[64];
    snprintf(path, sizeof path, "/dev/%s", name);
    if (strcmp(name, "pci") == 0) {
        name_on_pci(path, sizeof path);
    }
    int fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
    struct termios t;
    if (fd < 0 || tcgetattr(fd, &t) != 0) {
        give_up(path);
    }
    cfmakeraw(&t); /* no CR before LF: the host wants the bytes the program wrote */
    cfsetspeed(&t, B115200);
    t.c_cflag |= CLOCAL;
    if (tcsetattr(fd, TCSANOW, &t) != 0) {
        give_up(path);
    }
    return fd;
}

static void write_setting(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, text, strlen(text)) < 0) {
        give_up(path);
    }
    close(fd);
}

static int run(char **argv, char **env, int port)
{
    pid_t pid = fork();
    if (pid < 0) {
        give_up("fork");
    }
    if (pid == 0) {
        int null = open("/dev/null", O_RDONLY);
        if (null < 0 || dup2(null, 0) < 0 || dup2(port, 1) < 0 || dup2(port, 2) < 0) {
            _exit(125);
        }
        setsid();
        execve(argv[0], argv, env);
        int error = errno;
        dprintf(2, "%s: %s\n", argv[0], strerror(error));
        _exit(error == ENOENT ? 127 : 126);
    }
    for (;;) { /* as PID 1 also the parent of whatever the program leaves behind */
        int status = 0;
        pid_t ended = waitpid(-1, &status, 0);
        if (ended < 0 && errno != EINTR) {
            give_up("waitpid");
        }
        if (ended == pid) {
            return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
        }
    }
}

int main(void)
{
    static char *argv[MAX_WORDS];
    static char *env[MAX_WORDS];
    static char *tty[MAX_WORDS];
    static char *set[MAX_WORDS];

    mount_at("devtmpfs", "/dev");
    /* /dev/console of the RAM disk has gone out of sight; this is the same device. */
    int console = open("/dev/console", O_RDWR | O_NOCTTY);
    if (console >= 0) {
        for (int fd = 0; fd < 3; fd++) {
            dup2(console, fd);
        }
        if (console > 2) {
            close(console);
        }
    }
    mount_at("proc", "/proc");
    mount_at("sysfs", "/sys");
    mount_at("tmpfs", "/tmp");
    mount_at("tmpfs", "/dev/shm");

    if (read_words("/xsc/argv", argv) == 0 || read_words("/xsc/tty", tty) == 0) {
        errno = ENOENT;
        give_up("/xsc/argv or /xsc/tty");
    }
    read_words("/xsc/env", env);
    size_t n = read_words("/xsc/set", set);
    for (size_t i = 0; i + 1 < n; i += 2) {
        write_setting(set[i], set[i + 1]);
    }

    int port = open_port(tty[0]);
    int status = run(argv, env, port);
    kill(-1, SIGKILL); /* leftovers may still write */
    dprintf(port, "\n@@EXIT %d\n", status);
    tcdrain(port);
    power_off();
}
