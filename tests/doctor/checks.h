/* Checks gathered into a list, for tests. */
#ifndef TESTS_DOCTOR_CHECKS_H
#define TESTS_DOCTOR_CHECKS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "doctor/check.h"

typedef struct checks {
    vrs_check list[200];
    int count;
} checks;

static checks gathered;

static inline void gather(void *opaque, const vrs_check *check)
{
    (void)opaque;
    assert_in_range(gathered.count, 0, 199);
    gathered.list[gathered.count++] = *check;
    bool to_do = check->state == VRS_CHECK_WARNING || check->state == VRS_CHECK_FAILED;
    assert_true(check->name[0] != '\0' && check->found[0] != '\0');
    assert_int_equal(check->remedy[0] != '\0', to_do); /* a remedy exactly where there is one */
}

static const vrs_checker to_gather = {gather, NULL};

static inline const vrs_check *find_check(const char *name)
{
    for (int i = 0; i < gathered.count; i++)
        if (strcmp(gathered.list[i].name, name) == 0)
            return &gathered.list[i];
    fail_msg("there is no check \"%s\"", name);
    return NULL;
}

static inline int count_state(vrs_check_state state)
{
    int count = 0;
    for (int i = 0; i < gathered.count; i++)
        count += gathered.list[i].state == state;
    return count;
}

static inline void print_checks(void)
{
    static const char *const states[] = {"ok", "warning", "FAILED", "skipped"};
    for (int i = 0; i < gathered.count; i++)
        printf("%-8s %-28s %s\n", states[gathered.list[i].state], gathered.list[i].name,
               gathered.list[i].found);
}

#endif
