/* SHA-256 (FIPS 180-4, 2015), for telling whether a weights file is the one that is meant. */
#ifndef VRS_MODEL_SHA256_H
#define VRS_MODEL_SHA256_H

#include <stddef.h>
#include <stdint.h>

/* Characters of a digest in lower-case hexadecimal, with its closing zero. */
#define VRS_SHA256_TEXT 65

void vrs_sha256_text(const void *data, size_t size, char text[VRS_SHA256_TEXT]);

#endif
