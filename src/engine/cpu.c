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
        !__get_cpuid_count(7, subleaf, &r[EAX], &r[EBX], &r[ECX], &r[EDX]))
        return false;
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

typedef struct unit {
    bool there;
    double operations;
    const char *name;
} unit;

/* The fastest that is there. Two units of 512 or 256 bits; a tile product of AMX (16 x 16 sums of
 * 64 bytes) takes 16 clocks (Intel 64 and IA-32 Architectures Optimization Reference Manual). */
double vrs_cpu_operations(vrs_precision precision, const char **units)
{
    bool wide = __builtin_cpu_supports("avx512f"), avx2 = __builtin_cpu_supports("avx2");
    const unit f32[] = {{wide, 64, "AVX-512"}, {avx2, 32, "AVX2"}, {true, 8, "SSE2"}};
    const unit bf16[] = {{leaf7(0, EDX, 22), 1024, "AMX"}, {leaf7(1, EAX, 5), 128, "AVX-512"}};
    const unit int8[] = {{leaf7(0, EDX, 25), 2048, "AMX"},
                         {leaf7(0, ECX, 11), 256, "AVX-512 VNNI"},
                         {leaf7(1, EAX, 4), 128, "AVX-VNNI"}};
    const unit *list = precision == VRS_PRECISION_BF16   ? bf16
                       : precision == VRS_PRECISION_INT8 ? int8
                                                         : f32;
    int count = precision == VRS_PRECISION_BF16 ? 2 : 3;
    count = precision == VRS_PRECISION_TF32 || precision == VRS_PRECISION_F16 ? 0 : count;
    *units = "";
    for (int i = 0; i < count; i++) {
        if (list[i].there) {
            *units = list[i].name;
            return list[i].operations;
        }
    }
    return 0;
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

double vrs_cpu_operations(vrs_precision precision, const char **units)
{
    (void)precision;
    *units = "";
    return 0;
}

#endif
