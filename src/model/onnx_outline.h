/* The outermost structure of an ONNX file. */
#ifndef VRS_MODEL_ONNX_OUTLINE_H
#define VRS_MODEL_ONNX_OUTLINE_H

#include <stdbool.h>

#include "vrseg/status.h"

/* Walks the fields of the outermost message and reads nothing inside them: enough to tell a file
 * that is no ONNX file, or is cut short, from one that an engine refuses for what is in it. A cut
 * file would otherwise end in an engine's own words. VRS_FORMAT: what is wrong, at which byte.
 * VRS_NOT_FOUND, VRS_PERMISSION, VRS_IO. */
vrs_status vrs_onnx_outline_check(const char *path) VRS_MUST_USE;

/* Whether the graph has an operator that quantises (QuantizeLinear; with dequantised weights alone
 * nothing is computed in bytes). Looks at each node's operator and at nothing else of it, so a file
 * of any size and with any other operators will do. Errors as above. */
vrs_status vrs_onnx_find_quantised(const char *path, bool *quantised) VRS_MUST_USE;

#endif
