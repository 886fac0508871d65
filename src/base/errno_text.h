/* Thread-safe text of an errno value, and the status that it means. */
#ifndef VRS_BASE_ERRNO_TEXT_H
#define VRS_BASE_ERRNO_TEXT_H

#include "vrseg/status.h"

/* Text of `error` ("No such file or directory"), in a buffer of this thread that the next call
 * overwrites. */
VRS_API const char *vrs_errno_text(int error);

/* VRS_NOT_FOUND, VRS_PERMISSION, VRS_NO_SPACE, VRS_NO_MEMORY, else VRS_IO. */
VRS_API vrs_status vrs_errno_status(int error);

#endif
