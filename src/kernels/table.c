#include "kernels/kernels.h"

#include <pthread.h>

#include "vrseg/system.h"

#if defined(__x86_64__)

#include <cpuid.h>

/* __builtin_cpu_supports() looks at what the operating system saves (XGETBV), too. It does not know
 * f16c in every compiler: that one is read from CPUID leaf 1, and needs the state that AVX needs.
 */
static int have_f16c(void)
{
    unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
    return __get_cpuid(1, &eax, &ebx, &ecx, &edx) && (ecx & bit_F16C) != 0;
}

vrs_isa vrs_isa_detect(void)
{
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") || !have_f16c())
        return VRS_ISA_REFERENCE;
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
        !__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512vl"))
        return VRS_ISA_AVX2;
    return VRS_ISA_AVX512;
}

static void fill_avx2(vrs_kernels *table)
{
    vrs_kernels_fill_avx2_preprocess(table);
    vrs_kernels_fill_avx2_postprocess(table);
    vrs_kernels_fill_avx2_warp(table);
}

static void fill_avx512(vrs_kernels *table)
{
    vrs_kernels_fill_avx512_preprocess(table);
    vrs_kernels_fill_avx512_postprocess(table);
}

#else

vrs_isa vrs_isa_detect(void)
{
    return VRS_ISA_REFERENCE;
}

static void fill_avx2(vrs_kernels *table)
{
    (void)table;
}

static void fill_avx512(vrs_kernels *table)
{
    (void)table;
}

#endif

/* A table for each vrs_isa; those above what the CPU has are copies of the best that it has. */
static vrs_kernels tables[VRS_ISA_AVX512 + 1];
static pthread_once_t tables_once = PTHREAD_ONCE_INIT;

static void build_tables(void)
{
    const vrs_isa best = vrs_isa_detect();
    for (int isa = VRS_ISA_REFERENCE; isa <= VRS_ISA_AVX512; isa++) {
        vrs_kernels *table = &tables[isa];
        vrs_kernels_fill_reference_preprocess(table);
        vrs_kernels_fill_reference_postprocess(table);
        vrs_kernels_fill_reference_warp(table);
        if (isa >= VRS_ISA_AVX2 && best >= VRS_ISA_AVX2)
            fill_avx2(table);
        if (isa >= VRS_ISA_AVX512 && best >= VRS_ISA_AVX512)
            fill_avx512(table);
    }
}

const vrs_kernels *vrs_kernels_get(vrs_isa isa)
{
    const int wanted = (int)isa < 0 ? 0 : (int)isa;
    (void)pthread_once(&tables_once, build_tables);
    return &tables[wanted > VRS_ISA_AVX512 ? VRS_ISA_AVX512 : wanted];
}

const char *vrs_cpu_isa(void)
{
    switch (vrs_isa_detect()) {
    case VRS_ISA_AVX512:
        return "AVX-512";
    case VRS_ISA_AVX2:
        return "AVX2";
    case VRS_ISA_REFERENCE:
        break;
    }
    return "none: plain C";
}
