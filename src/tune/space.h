/* Points of the space that is searched: an index of a value for each parameter. */
#ifndef VRS_TUNE_SPACE_H
#define VRS_TUNE_SPACE_H

#include <stdbool.h>
#include <stdint.h>

#include "vrseg/tune.h"

typedef struct vrs_tune_space {
    const vrs_tune_parameter *parameters; /* borrowed */
    int32_t dims;
    int64_t size; /* combinations; INT64_MAX: that or more */
} vrs_tune_space;

/* VRS_INVALID names the parameter. */
vrs_status vrs_tune_space_make(const vrs_tune_parameter *parameters, int32_t count,
                               vrs_tune_space *space) VRS_MUST_USE;

/* The point of a number 0..size - 1: the first parameter changes slowest. */
void vrs_tune_space_point(const vrs_tune_space *space, int64_t number, int32_t *point);

bool vrs_tune_space_equal(const vrs_tune_space *space, const int32_t *a, const int32_t *b);

/* Distance of two values of a parameter: of their positions, or 1 between two names. */
double vrs_tune_space_distance(const vrs_tune_space *space, int32_t dim, int32_t a, int32_t b);

/* Numbers that look random and are the same for the same seed (SplitMix64: Steele, Lea, Flood,
 * "Fast splittable pseudorandom number generators", 2014). */
uint64_t vrs_tune_random(uint64_t *state);

/* A point drawn evenly. */
void vrs_tune_space_draw(const vrs_tune_space *space, uint64_t *state, int32_t *point);

#endif
