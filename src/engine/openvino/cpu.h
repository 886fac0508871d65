/* What this CPU can do that an engine is asked for. */
#ifndef VRS_ENGINE_OPENVINO_CPU_H
#define VRS_ENGINE_OPENVINO_CPU_H

#include <stdbool.h>

/* Whether it multiplies bfloat16 in hardware (AVX-512 BF16 or AMX BF16). */
bool vrs_cpu_has_bf16(void);

#endif
