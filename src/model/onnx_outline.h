/* The outermost structure of an ONNX file. */
#ifndef VRS_MODEL_ONNX_OUTLINE_H
#define VRS_MODEL_ONNX_OUTLINE_H

#include "vrseg/status.h"

/* Walks the fields of the outermost message and reads nothing inside them: enough to tell a file
 * that is no ONNX file, or is cut short, from one that an engine refuses for what is in it. A cut
 * file would otherwise end in an engine's own words. VRS_FORMAT: what is wrong, at which byte.
 * VRS_NOT_FOUND, VRS_PERMISSION, VRS_IO. */
vrs_status vrs_onnx_outline_check(const char *path) VRS_MUST_USE;

#endif
