/* INT8 wants a file with quantised layers, and on the CPU the arithmetic for it. */
#ifndef VRS_ENGINE_QUANTISED_H
#define VRS_ENGINE_QUANTISED_H

#include "engine/engine.h"

/* VRS_OK for other precisions than INT8. VRS_INVALID: the file has no quantised layer; how to make
 * one. VRS_FORMAT, VRS_NOT_FOUND, VRS_PERMISSION, VRS_IO: it cannot be looked through. */
vrs_status vrs_check_quantised(const vrs_model *model, vrs_precision precision) VRS_MUST_USE;

/* The same for engines of the CPU. VRS_UNSUPPORTED: also a CPU without such arithmetic. */
vrs_status vrs_check_int8(const vrs_model *model, vrs_precision precision) VRS_MUST_USE;

#endif
