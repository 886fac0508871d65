/* The checklist of a deployment, with what it looks at given: tests bring other machines. */
#ifndef VRS_DOCTOR_DEPLOY_H
#define VRS_DOCTOR_DEPLOY_H

#include "doctor/check.h"

/* Judges limits, processors and clocks of a machine. `clock_driver` as
 * vrs_machine_clock_driver(). */
VRS_API void vrs_deploy_judge_machine(const vrs_checker *to, const vrs_system_info *info,
                                      const char *clock_driver);

/* Whether memory for `tickets` frames of a size is there. */
VRS_API void vrs_deploy_judge_memory(const vrs_checker *to, const vrs_system_info *info,
                                     int32_t tickets, int32_t width, int32_t height);

/* Room and speed of a folder for outputs of `bytes`. */
VRS_API void vrs_deploy_judge_disk(const vrs_checker *to, const vrs_disk_info *disk,
                                   uint64_t bytes);

#endif
