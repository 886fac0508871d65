/* Checks in a process of their own, where limits and users can be changed. The including file
 * defines _GNU_SOURCE or _DEFAULT_SOURCE first, for setgroups(), and includes cmocka. */
#ifndef TESTS_SUPPORT_CHILD_H
#define TESTS_SUPPORT_CHILD_H

#include <grp.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs `fn` in a child; its result, 0..255, is the child's exit status. A child that a signal ends
 * fails the test. */
static inline int in_child(int (*fn)(void))
{
    int result = 0;
    (void)fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(fn());
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_true(WIFEXITED(result));
    return WEXITSTATUS(result);
}

/* In a child: gives up root's rights, which nothing is forbidden to; who is not root has none. */
static inline bool become_nobody(void)
{
    return geteuid() != 0 || (setgroups(0, NULL) == 0 && setgid(65534) == 0 && setuid(65534) == 0);
}

#endif
