/* Text in buffers of fixed size. */
#ifndef VRS_BASE_TEXT_H
#define VRS_BASE_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vrseg/status.h"

/* Formats into `text`; what does not fit is cut at a character's border (UTF-8), the rest of the
 * buffer is zeroed. `size` is at least 1. Returns false when something was cut. */
VRS_API bool vrs_text_vformat(char *text, size_t size, const char *format, va_list args);

/* Length of the longest prefix of `text`, at most `limit` bytes, that does not end inside a UTF-8
 * character. Bytes that are no UTF-8 count as characters of their own. */
VRS_API size_t vrs_text_cut(const char *text, size_t length, size_t limit);

/* Decodes the UTF-8 character at the start of `text`. Returns its bytes, or 0 when there is none:
 * not the shortest form, a surrogate, above U+10FFFF, or cut off. */
VRS_API size_t vrs_text_decode(const char *text, size_t length, uint32_t *code);

#endif
