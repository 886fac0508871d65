/* What the measurements so far say of settings that were not measured: a Gaussian process over the
 * points of a space (Rasmussen and Williams, "Gaussian Processes for Machine Learning", 2006,
 * algorithm 2.1). It knows how sure it is, and that measurements are noisy. */
#ifndef VRS_TUNE_MODEL_H
#define VRS_TUNE_MODEL_H

#include "tune/space.h"

typedef struct vrs_tune_model vrs_tune_model;

/* `room` is the most measurements. Borrows the space, which must live on. Returns owned.
 * VRS_NO_MEMORY. */
vrs_status vrs_tune_model_create(const vrs_tune_space *space, int32_t room,
                                 vrs_tune_model **model) VRS_MUST_USE;
void vrs_tune_model_destroy(vrs_tune_model *model);

/* Fits `values` (finite) that were measured at `points` (count x dims, 1..room of each; a point may
 * come several times). How far each parameter reaches, how much is noise, and how much comes of the
 * parameters one by one is chosen by the likelihood of the values. Copies. */
void vrs_tune_model_fit(vrs_tune_model *model, const int32_t *points, const double *values,
                        int32_t count);

/* The value at a point that is expected, without noise, and its standard deviation. After a fit. */
void vrs_tune_model_predict(vrs_tune_model *model, const int32_t *point, double *mean,
                            double *deviation);

/* Standard deviation of one measurement, in the units of the values. After a fit. */
double vrs_tune_model_noise(const vrs_tune_model *model);

#endif
