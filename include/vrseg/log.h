/* Messages of the library: a level, a callback. */
#ifndef VRSEG_LOG_H
#define VRSEG_LOG_H

#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum vrs_log_level {
    VRS_LOG_ERROR = 0,
    VRS_LOG_WARNING = 1,
    VRS_LOG_INFO = 2,
    VRS_LOG_DEBUG = 3,
} vrs_log_level;

/* Called with one line without its line end. May be called from any thread, one call at a time. */
typedef void (*vrs_log_fn)(void *opaque, vrs_log_level level, const char *line);

/* Sets where lines go and which are made. NULL restores the default: standard error, with
 * "vrseg: " in front. Shares `opaque`, which must live until the next call. Any thread. */
VRS_API void vrs_log_set(vrs_log_fn fn, void *opaque, vrs_log_level level);

/* Writes a line if `level` is wanted; lines over 1,000 bytes are cut. Any thread. */
VRS_API void vrs_log(vrs_log_level level, const char *format, ...) VRS_PRINTF(2, 3);

#ifdef __cplusplus
}
#endif
#endif
