/* The tour: six parts, each of which shows in a few lines what a part of vrseg does, measured on
 * the machine that it runs on. They end the program where a call fails. */
#ifndef VRS_EXAMPLES_TOUR_H
#define VRS_EXAMPLES_TOUR_H

#include <stdint.h>

#include "vrseg/vrseg.h"

typedef struct tour {
    const char *video;  /* for the parts that take one */
    const char *model;  /* name or path */
    const char *folder; /* that exists: for what is written */
} tour;

void tour_kernels(const tour *t);
void tour_engine(const tour *t);
void tour_memory(const tour *t);
void tour_batching(const tour *t);
void tour_pipeline(const tour *t);
void tour_profiler(const tour *t);

/* Ends the program with the last error unless `status` is VRS_OK. */
void tour_require(vrs_status status);

/* A config of the job's options with "name=value" pairs set, which end with NULL. Returns owned. */
vrs_config *tour_config(const char *const *settings);

/* Prints lines of the library's under a part's title. */
void tour_print(const char *lines);

/* A drawn picture of the size asked for: frame `number` of a scene that moves. Returns owned. */
vrs_image tour_picture(vrs_pixel_format format, int32_t width, int32_t height, int64_t number);

#endif
