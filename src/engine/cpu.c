#include "engine/cpu.h"

#if defined(__x86_64__)

#include <cpuid.h>

/* Bit `bit` of a register of CPUID leaf 7 (Intel 64 and IA-32 Architectures Software Developer's
 * Manual, volume 2A): subleaf 0 ECX 11 is AVX512_VNNI, EDX 22 AMX-BF16, EDX 25 AMX-INT8; subleaf 1
 * EAX 4 is AVX-VNNI, EAX 5 AVX512_BF16. False where there is no such subleaf. */
typedef enum leaf_register { EAX, EBX, ECX, EDX } leaf_register;

static bool leaf7(unsigned subleaf, leaf_register which, unsigned bit)
{
    unsigned r[4];
    if (!__get_cpuid_count(7, 0, &r[EAX], &r[EBX], &r[ECX], &r[EDX]) || r[EAX] < subleaf ||
        !__get_cpuid_count(7, subleaf, &r[EAX], &r[EBX], &r[ECX], &r[EDX])) {
        return false;
    }
    return r[which] >> bit & 1;
}

bool vrs_cpu_has_bf16(void)
{
    return leaf7(0, EDX, 22) || leaf7(1, EAX, 5);
}

bool vrs_cpu_has_int8(void)
{
    return leaf7(0, ECX, 11) || leaf7(0, EDX, 25) || leaf7(1, EAX, 4);
}

#else

bool vrs_cpu_has_bf16(void)
{
    return false;
}

bool vrs_cpu_has_int8(void)
{
    return false;
}

#endif
