/* The trials of a search: its work in a process of its own. */
#include "cli/trial.h"
#include "cli/tune/tune.h"

_Static_assert(offsetof(vrs_tune_report, status) == offsetof(vrs_trial_end, status) &&
                   offsetof(vrs_tune_report, detail) == offsetof(vrs_trial_end, detail),
               "a report begins with a trial's end");

typedef struct trial {
    vrs_config *config;
    const vrs_tune_work *work;
} trial;

static void work_fn(void *opaque, void *report)
{
    const trial *t = opaque;
    vrs_tune_work_do(t->config, t->work, report);
}

static void clip_fn(void *opaque, void *report)
{
    const trial *t = opaque;
    vrs_tune_clip_do(t->config, t->work, report);
}

vrs_status vrs_tune_trial_run(vrs_config *config, const vrs_tune_work *work,
                              const volatile sig_atomic_t *stop, vrs_tune_report *report)
{
    trial t = {config, work};
    return vrs_trial_run(work_fn, &t, report, sizeof(*report), work->most_seconds, stop);
}

vrs_status vrs_tune_clip_make(vrs_config *config, const vrs_tune_work *work,
                              const volatile sig_atomic_t *stop, vrs_tune_report *report)
{
    trial t = {config, work};
    return vrs_trial_run(clip_fn, &t, report, sizeof(*report), work->most_seconds, stop);
}
