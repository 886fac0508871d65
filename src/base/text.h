/* Text in buffers of fixed size. */
#ifndef VRS_BASE_TEXT_H
#define VRS_BASE_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "vrseg/status.h"

/* Formats into `text`; what does not fit is cut at a character's border (UTF-8), the rest of the
 * buffer is zeroed. `size` is at least 1. Returns false when something was cut. */
VRS_API bool vrs_text_vformat(char *text, size_t size, const char *format, va_list args);

/* Length of the longest prefix of `text`, at most `limit` bytes, that does not end inside a UTF-8
 * character. Bytes that are no UTF-8 count as characters of their own. */
VRS_API size_t vrs_text_cut(const char *text, size_t length, size_t limit);

#endif
