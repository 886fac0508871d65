/* Text that grows. A failed allocation is remembered, and what is added after it is dropped; who is
 * done asks once. Numbers are the same in every locale. */
#ifndef VRS_PROFILE_BUFFER_H
#define VRS_PROFILE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vrseg/status.h"

/* Zeroed: empty. `text` is NULL or ends with a zero. */
typedef struct vrs_buffer {
    char *text;
    size_t length, room;
    bool failed;
} vrs_buffer;

VRS_API void vrs_buffer_free(vrs_buffer *buffer);

/* VRS_NO_MEMORY where something was dropped. */
VRS_API vrs_status vrs_buffer_status(const vrs_buffer *buffer) VRS_MUST_USE;

VRS_API void vrs_buffer_add(vrs_buffer *buffer, const char *text);
/* At most 1,023 bytes at a time; no floating-point formats, which follow the locale. */
VRS_API void vrs_buffer_format(vrs_buffer *buffer, const char *format, ...) VRS_PRINTF(2, 3);
/* With 0 to 9 decimals; what is not finite, or beyond 10^15, is "-". */
VRS_API void vrs_buffer_number(vrs_buffer *buffer, double value, int decimals);

/* Text from anywhere. What is not UTF-8, and control characters, become U+FFFD. */
VRS_API void vrs_buffer_html(vrs_buffer *buffer, const char *text); /* also in attributes */
VRS_API void vrs_buffer_json(vrs_buffer *buffer, const char *text); /* a string with its quotes */

/* Copies into `text`, cut to `size` at the end of a line; returns the whole length. */
VRS_API size_t vrs_buffer_copy(const vrs_buffer *buffer, char *text, size_t size);

#endif
