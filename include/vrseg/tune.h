/* The best settings, found by measuring; and those that were found before. */
#ifndef VRSEG_TUNE_H
#define VRSEG_TUNE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

#define VRS_TUNE_MAX_PARAMETERS 16
#define VRS_TUNE_MAX_VALUES 32

/* One thing that can be set, and what it may be set to. */
typedef struct vrs_tune_parameter {
    const char *name;
    const char *const *values;
    int32_t count; /* of values, 1..VRS_TUNE_MAX_VALUES */
    int32_t start; /* index of the value that the search begins with */
    /* Where each value lies, so that near ones behave alike: a number of threads at its base-2
     * logarithm. Finite. NULL: names without an order. */
    const double *positions;
} vrs_tune_parameter;

typedef enum vrs_tune_goal {
    VRS_TUNE_THROUGHPUT = 0, /* most frames a second */
    VRS_TUNE_LATENCY = 1,    /* least latency where at least `bound` frames a second are done */
    VRS_TUNE_BOUNDED = 2,    /* most frames a second where latency is at most `bound` ms */
} vrs_tune_goal;

typedef struct vrs_tune_measurement {
    double fps;        /* above 0 */
    double latency_ms; /* above 0; not looked at for VRS_TUNE_THROUGHPUT */
} vrs_tune_measurement;

typedef struct vrs_tune_trial {
    int32_t number;        /* from 1 */
    const int32_t *choice; /* index of the value of each parameter */
    bool again;            /* these settings were measured before */
    /* The best settings so far and what was measured of them; NULL before there are any. A trial
     * that is plainly worse may end early with what it has. */
    const int32_t *best_choice;
    vrs_tune_measurement best;
} vrs_tune_trial;

/* Measures once. VRS_OK: `measurement` is filled. VRS_CANCELLED: the search ends with the best so
 * far. Anything else: these settings cannot be used (out of memory, refused, too slow), and the
 * search goes on. */
typedef vrs_status (*vrs_tune_measure_fn)(void *opaque, const vrs_tune_trial *trial,
                                          vrs_tune_measurement *measurement);

typedef struct vrs_tune_params {
    const vrs_tune_parameter *parameters;
    int32_t count; /* 1..VRS_TUNE_MAX_PARAMETERS */
    vrs_tune_goal goal;
    double bound;    /* above 0, by the goal; not looked at for VRS_TUNE_THROUGHPUT */
    int32_t trials;  /* at most, 1..VRS_TUNE_MAX_TRIALS; 0: a tenth of all combinations, 12..96 */
    bool exhaustive; /* every combination once, whatever `trials` says */
    uint32_t seed;   /* the same seed and the same measurements give the same search */
} vrs_tune_params;

#define VRS_TUNE_MAX_TRIALS 256

typedef enum vrs_tune_end {
    VRS_TUNE_SPENT = 0,     /* all trials are used */
    VRS_TUNE_CONVERGED = 1, /* no other settings promise enough to be tried */
    VRS_TUNE_STOPPED = 2,   /* VRS_CANCELLED came */
} vrs_tune_end;

typedef struct vrs_tune_result {
    int32_t choice[VRS_TUNE_MAX_PARAMETERS];
    vrs_tune_measurement best;  /* mean of what was measured of `choice` */
    vrs_tune_measurement start; /* the same of the settings at the start; 0, 0: they cannot be used
                                 */
    double noise;               /* standard deviation of one measurement of the goal, as a share */
    bool met;                   /* the goal's bound is kept; true for VRS_TUNE_THROUGHPUT */
    int32_t trials, failed;     /* measurements made; those that failed */
    vrs_tune_end end;
} vrs_tune_result;

/* How many combinations there are; INT64_MAX: that or more. Parameters as vrs_tune_search() takes
 * them. */
VRS_API int64_t vrs_tune_combinations(const vrs_tune_parameter *parameters, int32_t count);

/* The most trials that a search makes: `trials`, or what stands for 0, or all combinations. For
 * params that vrs_tune_search() takes. */
VRS_API int64_t vrs_tune_most_trials(const vrs_tune_params *params);

/* Searches. Borrows everything; calls `measure` from the calling thread, one call at a time. The
 * settings at the start are measured first, and are kept where nothing better by a hundredth is
 * found. What is best is measured again before it is believed. Where no settings keep the bound,
 * those that come nearest.
 * VRS_INVALID: a parameter or a bound that makes no sense. VRS_NO_MEMORY. VRS_CANCELLED: stopped
 * before anything was measured. When all trials failed, the status of the first, with its detail.
 */
VRS_API vrs_status vrs_tune_search(const vrs_tune_params *params, vrs_tune_measure_fn measure,
                                   void *opaque, vrs_tune_result *result) VRS_MUST_USE;

/* What settings were found for. Texts of at most 200 bytes, none empty. */
typedef struct vrs_tuned_key {
    const char *model;     /* a name */
    const char *precision; /* "f16" */
    const char *device;    /* "NVIDIA H200", or the processor and how many cores may be used */
} vrs_tuned_key;

#define VRS_TUNED_NOTE_SIZE 160

/* Remembers the values that `config` has for `names` (`count` of them, each one that
 * vrs_tuned_option() allows), in place of what was remembered for this key: a file in
 * vrs_tuned_folder(), written at once. `note` (one line, shorter than VRS_TUNED_NOTE_SIZE) says
 * what they were found for and when. The oldest go where there would be more than 64. VRS_INVALID,
 * VRS_IO, VRS_NO_SPACE, VRS_PERMISSION, VRS_NO_MEMORY. */
VRS_API vrs_status vrs_tuned_store(const vrs_tuned_key *key, const vrs_config *config,
                                   const char *const *names, int32_t count,
                                   const char *note) VRS_MUST_USE;

/* Sets what was remembered, where nothing else has set the option: neither a file, nor the
 * environment, nor vrs_config_set(). All or nothing. The file is not
 * trusted: it can set nothing but what vrs_tuned_option() allows, in its range. `note` (of
 * VRS_TUNED_NOTE_SIZE) becomes that of the file.
 * VRS_NOT_FOUND: nothing is remembered for this key. VRS_CORRUPT: the file is none of ours; the
 * detail names it. VRS_PERMISSION, VRS_IO, VRS_INVALID, VRS_NO_MEMORY. */
VRS_API vrs_status vrs_tuned_load(const vrs_tuned_key *key, vrs_config *config,
                                  char *note) VRS_MUST_USE;

/* Whether an option is one of speed, which may be remembered: none that changes what comes out,
 * names a file or loads a library. */
VRS_API bool vrs_tuned_option(const char *name);

/* $XDG_CACHE_HOME/vrseg/tuned, else ~/.cache/vrseg/tuned. VRS_INVALID: neither is set, or the path
 * does not fit. */
VRS_API vrs_status vrs_tuned_folder(char *path, size_t size) VRS_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
