/* The targets of a configuration beside what a run has reached. */
#ifndef VRS_CLI_TARGETS_H
#define VRS_CLI_TARGETS_H

#include <stdio.h>

#include <yajl/yajl_gen.h>

#include "vrseg/job.h"

typedef enum vrs_target_state {
    VRS_TARGET_MET = 0,
    VRS_TARGET_MISSED = 1,
    VRS_TARGET_UNKNOWN = 2, /* could not be measured here */
} vrs_target_state;

typedef struct vrs_target {
    const vrs_option_info *option; /* of the section "targets" */
    double wanted, measured;       /* in the option's unit */
    bool most;                     /* `wanted` is the most that is good, else the least */
    vrs_target_state state;
} vrs_target;

#define VRS_MAX_TARGETS 8

/* Fills `targets` with those that the configuration sets; returns how many. Borrows the config,
 * which must outlive them. */
int vrs_targets_check(const vrs_config *config, const vrs_job_stats *stats,
                      vrs_target targets[VRS_MAX_TARGETS]);

/* Whether each of them is met; one that could not be measured is not. */
bool vrs_targets_all_met(const vrs_target *targets, int count);

/* A line for each. */
void vrs_targets_print(FILE *out, const vrs_target *targets, int count);
/* A list "targets" with an object for each, where there are any. */
void vrs_targets_json(yajl_gen gen, const vrs_target *targets, int count);

#endif
