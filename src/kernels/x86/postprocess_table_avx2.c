/* The postprocess entries that AVX2 (with FMA) makes faster. */
#include "kernels/x86/postprocess_x86.h"
#include "kernels/x86/steady_x86.h"

void vrs_kernels_fill_avx2_postprocess(vrs_kernels *table)
{
    table->person = vrs_avx2_person;
    table->smooth = vrs_avx2_smooth;
    table->pyramid = vrs_avx2_pyramid;
    table->match = vrs_avx2_match;
    table->follow = vrs_avx2_follow;
    table->upsample = vrs_avx2_upsample;
    table->guided = vrs_avx2_guided;
    table->refine = vrs_avx2_refine;
    table->threshold = vrs_avx2_threshold;
    table->feather = vrs_avx2_feather;
    table->store8 = vrs_avx2_store8;
    table->store10 = vrs_avx2_store10;
    table->blend8 = vrs_avx2_blend8;
    table->blend10 = vrs_avx2_blend10;
    table->chroma_alpha = vrs_avx2_chroma_alpha;
    table->blend_uv8 = vrs_avx2_blend_uv8;
    table->blend_uv10 = vrs_avx2_blend_uv10;
    table->classes = vrs_avx2_classes;
    table->pack = vrs_avx2_pack;
    table->unroll = vrs_avx2_unroll;
}
