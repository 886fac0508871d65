/* The postprocess entries that AVX-512 makes faster than AVX2. */
#include "kernels/x86/postprocess_x86.h"

void vrs_kernels_fill_avx512_postprocess(vrs_kernels *table)
{
    table->person = vrs_avx512_person;
    table->upsample = vrs_avx512_upsample;
    table->refine = vrs_avx512_refine;
    table->store8 = vrs_avx512_store8;
    table->blend8 = vrs_avx512_blend8;
    table->blend10 = vrs_avx512_blend10;
    table->chroma_alpha = vrs_avx512_chroma_alpha;
}
