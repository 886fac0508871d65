/* The postprocess entries of the reference table: all of them. */
#include "kernels/reference/postprocess.h"
#include "kernels/reference/steady.h"

void vrs_kernels_fill_reference_postprocess(vrs_kernels *table)
{
    table->person = vrs_reference_person;
    table->smooth = vrs_reference_smooth;
    table->pyramid = vrs_reference_pyramid;
    table->match = vrs_reference_match;
    table->follow = vrs_reference_follow;
    table->upsample = vrs_reference_upsample;
    table->guided = vrs_reference_guided;
    table->refine = vrs_reference_refine;
    table->threshold = vrs_reference_threshold;
    table->feather = vrs_reference_feather;
    table->store8 = vrs_reference_store8;
    table->store10 = vrs_reference_store10;
    table->blend8 = vrs_reference_blend8;
    table->blend10 = vrs_reference_blend10;
    table->chroma_alpha = vrs_reference_chroma_alpha;
    table->blend_uv8 = vrs_reference_blend_uv8;
    table->blend_uv10 = vrs_reference_blend_uv10;
    table->classes = vrs_reference_classes;
    table->pack = vrs_reference_pack;
    table->unroll = vrs_reference_unroll;
}
