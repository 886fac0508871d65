#include "engine/openvino/cpu.h"

#if defined(__x86_64__)

#include <cpuid.h>

/* Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2A, CPUID leaf 7: subleaf 0
 * EDX bit 22 is AMX-BF16, subleaf 1 EAX bit 5 is AVX512_BF16. */
bool vrs_cpu_has_bf16(void)
{
    unsigned eax, ebx, ecx, edx;
    if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)) {
        return false;
    }
    bool amx = edx >> 22 & 1;
    unsigned subleaves = eax;
    if (subleaves < 1 || !__get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx)) {
        return amx;
    }
    return amx || (eax >> 5 & 1);
}

#else

bool vrs_cpu_has_bf16(void)
{
    return false;
}

#endif
