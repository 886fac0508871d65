/* Numbers from text, the same in every locale. */
#ifndef VRS_BASE_PARSE_H
#define VRS_BASE_PARSE_H

#include <stdbool.h>
#include <stdint.h>

#include "vrseg/status.h"

/* The whole text must be one decimal number: no blanks around it, no other bases, no "inf" and
 * "nan", nothing that does not fit. False leaves `value` as it was. */
VRS_API bool vrs_parse_int(const char *text, int64_t *value) VRS_MUST_USE;
VRS_API bool vrs_parse_float(const char *text, double *value) VRS_MUST_USE;

/* Shortest text that vrs_parse_float() turns into the same finite number; without an exponent where
 * 12 decimals do. */
#define VRS_FLOAT_TEXT_SIZE 32
VRS_API void vrs_format_float(char text[VRS_FLOAT_TEXT_SIZE], double value);

#endif
