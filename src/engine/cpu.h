/* What this CPU can do that an engine is asked for. */
#ifndef VRS_ENGINE_CPU_H
#define VRS_ENGINE_CPU_H

#include <stdbool.h>

/* Whether it multiplies bfloat16 in hardware (AVX-512 BF16 or AMX BF16). */
bool vrs_cpu_has_bf16(void);

/* Whether it sums products of bytes in 32 bits (AVX-512 VNNI, AVX-VNNI or AMX INT8). Without it
 * they saturate in 16 bits, which changes results. */
bool vrs_cpu_has_int8(void);

#endif
