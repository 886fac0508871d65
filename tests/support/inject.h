/* Failing every resource in turn.
 *
 *     static vrs_status make_and_drop(void *opaque) { ... create, use, destroy ... }
 *     inject_all(make_and_drop, NULL);
 *
 * Runs the function again and again, its n-th allocation, thread, mutex, condition or marked
 * library call failing in the n-th run, until one run meets no failure. Each run must end in a
 * status that says so, with a detail, and leave as many live resources as there were before. */
#ifndef TESTS_SUPPORT_INJECT_H
#define TESTS_SUPPORT_INJECT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "vrseg/status.h"

/* The whole life of what is tested: also destroys it. */
typedef vrs_status (*inject_case_fn)(void *opaque);

typedef struct inject_plan {
    atomic_uint asked;
    unsigned fails;             /* index of the resource that fails */
    const char *_Atomic failed; /* what it was; NULL: not reached */
} inject_plan;

static inline bool inject_decide(void *opaque, const char *what)
{
    inject_plan *plan = opaque;
    if (atomic_fetch_add(&plan->asked, 1) != plan->fails)
        return true;
    atomic_store(&plan->failed, what);
    return false;
}

/* Failures that `also` (of `count`) lists are right too, e.g. VRS_ENGINE, or VRS_OK where a failure
 * has a way round. Returns how many resources were failed. */
static inline unsigned inject_all_allowing(inject_case_fn fn, void *opaque, const vrs_status *also,
                                           size_t count)
{
    for (unsigned n = 0;; n++) {
        inject_plan plan = {.fails = n};
        size_t live = vrs_resources_live();
        vrs_inject_set(inject_decide, &plan);
        vrs_status status = fn(opaque);
        vrs_inject_set(NULL, NULL);
        const char *failed = atomic_load(&plan.failed);
        if (vrs_resources_live() != live) {
            fail_msg("%zu resources more are alive after number %u (%s) failed",
                     vrs_resources_live() - live, n, failed != NULL ? failed : "none");
        }
        if (failed == NULL) {
            if (status != VRS_OK)
                fail_msg("%s without a failure: %s", vrs_status_name(status), vrs_last_error());
            return n;
        }
        bool right = status == VRS_NO_MEMORY || status == VRS_SYSTEM;
        for (size_t i = 0; i < count; i++)
            right = right || status == also[i];
        if (!right) {
            fail_msg("%s after number %u (%s) failed: %s", vrs_status_name(status), n, failed,
                     vrs_last_error());
        }
        if (status != VRS_OK && vrs_last_error()[0] == '\0')
            fail_msg("no detail after number %u (%s) failed", n, failed);
    }
}

static inline unsigned inject_all(inject_case_fn fn, void *opaque)
{
    return inject_all_allowing(fn, opaque, NULL, 0);
}

#endif
