#include "fake_cuda/kernels_pack.h"

#include "kernels/cuda/params_pack.h"
#include "kernels/reference/postprocess.h"

void fake_vrs_pack(const void *params, const uint32_t grid[3], const uint32_t block[3])
{
    const vrs_pack_params *p = params;
    (void)block;
    for (uint32_t i = 0; i < grid[2]; i++) {
        const vrs_pack_view *v = &p->view[i];
        const vrs_pack pack = {.width = v->width,
                               .height = v->height,
                               .mask = (const int16_t *)(uintptr_t)v->mask,
                               .stride = v->mask_stride / 2,
                               .codes = v->codes};
        vrs_image picture = {.format =
                                 v->sample_bytes == 2 ? VRS_FORMAT_YUV420P10 : VRS_FORMAT_YUV420P,
                             .width = v->width,
                             .height = v->height};
        for (int k = 0; k < 3; k++) {
            picture.planes[k] = (uint8_t *)(uintptr_t)v->dst[k];
            picture.strides[k] = v->dst_stride[k];
        }
        vrs_reference_pack(&pack, 0, v->height, &picture, NULL);
    }
}

void fake_vrs_unroll(const void *params, const uint32_t grid[3], const uint32_t block[3])
{
    const vrs_unroll_params *p = params;
    for (uint32_t i = 0; i < grid[2]; i++) {
        const vrs_unroll_view *v = &p->view[i];
        /* What no thread makes is not there. */
        const int64_t columns = (int64_t)grid[0] * block[0];
        const int64_t rows = (int64_t)grid[1] * block[1] * VRS_UNROLL_SAMPLES;
        if (columns < v->size.width || rows < v->size.height)
            continue;
        const vrs_unroll unroll = {.size = v->size,
                                   .grid = (const int32_t *)(uintptr_t)v->grid,
                                   .src = (const void *)(uintptr_t)v->src,
                                   .dst = (void *)(uintptr_t)v->dst,
                                   .src_stride = v->src_stride,
                                   .dst_stride = v->dst_stride,
                                   .sample_bytes = v->sample_bytes,
                                   .src_step = v->src_step,
                                   .src_shift = v->src_shift,
                                   .outside = v->outside};
        vrs_reference_unroll(&unroll, 0, v->size.height);
    }
}
