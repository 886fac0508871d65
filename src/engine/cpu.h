/* What this CPU can do that an engine is asked for. */
#ifndef VRS_ENGINE_CPU_H
#define VRS_ENGINE_CPU_H

#include <stdbool.h>

#include "engine/engine.h"

/* Whether it multiplies bfloat16 in hardware (AVX-512 BF16 or AMX BF16). */
bool vrs_cpu_has_bf16(void);

/* Whether it sums products of bytes in 32 bits (AVX-512 VNNI, AVX-VNNI or AMX INT8). Without it
 * they saturate in 16 bits, which changes results. */
bool vrs_cpu_has_int8(void);

/* Operations a clock that a core's vector or matrix units could do, where the processor has two
 * units for products as servers have; `units` becomes their name, static text. 0: it has no such
 * arithmetic. */
double vrs_cpu_operations(vrs_precision precision, const char **units);

#endif
