/* What a run is expected to take, for people and as JSON: said before it works, but for its time,
 * which the first frames tell. */
#ifndef VRS_CLI_EXPECT_H
#define VRS_CLI_EXPECT_H

#include <stdbool.h>
#include <stdio.h>

#include <yajl/yajl_gen.h>

#include "vrseg/job.h"

/* How long the whole run will take; zeroed: no frame yet. */
typedef struct vrs_expect_time {
    bool begun, known;
    double first_seconds; /* when frames were seen first, and how many there were */
    uint64_t first_frames;
    double seconds;  /* since the start; while `known` */
    double fps;      /* of the frames since then */
    uint64_t frames; /* that it is judged by */
} vrs_expect_time;

/* Looks at the figures of a run; true once: when the time has become known. It does not where the
 * length is not known, nor for a run that is over before. */
bool vrs_expect_look(vrs_expect_time *time, const vrs_job_stats *stats);

/* Lines, each with its end: of the outputs' disks; of the memory, none while it is not known; and
 * of the time. */
void vrs_expect_print_disks(FILE *out, const vrs_job_expected *expected);
void vrs_expect_print_memory(FILE *out, const vrs_job_expected *expected);
void vrs_expect_print_time(FILE *out, const vrs_expect_time *time, const vrs_job_stats *stats);

/* The member "expected" of the open object; what is not known is null. */
void vrs_expect_json(yajl_gen gen, const vrs_job_expected *expected, const vrs_expect_time *time);

/* Bytes of all outputs; -1: not known. */
int64_t vrs_expect_output_bytes(const vrs_job_expected *expected);

#endif
