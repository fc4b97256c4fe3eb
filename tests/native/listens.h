/* SPDX-License-Identifier: MIT */
/* tests/native/listens.h - seen from outside: does a thread of this process listen to a doorbell? */
#ifndef XSC_LISTENS_H
#define XSC_LISTENS_H

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Whether a thread listens: it has an epoll set then, and no other thread here has one. */
static inline bool a_thread_listens(void)
{
    char path[300], link[64];
    bool found = false;
    DIR *dir = opendir("/proc/self/fd");

    for (struct dirent *e; dir && !found && (e = readdir(dir));) {
        snprintf(path, sizeof(path), "/proc/self/fd/%s", e->d_name);
        const ssize_t n = readlink(path, link, sizeof(link) - 1);

        link[n > 0 ? n : 0] = '\0';
        found = strstr(link, "eventpoll");
    }
    if (dir) {
        closedir(dir);
    }
    return found;
}

#endif /* XSC_LISTENS_H */
