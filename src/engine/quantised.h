/* INT8 on the CPU: wants a file with quantised layers, and a CPU for it. */
#ifndef VRS_ENGINE_QUANTISED_H
#define VRS_ENGINE_QUANTISED_H

#include "engine/engine.h"

/* VRS_OK for other precisions than INT8. VRS_UNSUPPORTED: the CPU has no such arithmetic, or the
 * file has what vrs_graph_load() does not know. VRS_INVALID: the file has no quantised layer; how
 * to make one. Other errors of vrs_graph_load(). */
vrs_status vrs_check_int8(const vrs_model *model, vrs_precision precision) VRS_MUST_USE;

#endif
