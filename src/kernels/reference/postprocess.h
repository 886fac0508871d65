/* The plain C definitions of the postprocess kernels; contracts in kernels/kernels.h. */
#ifndef VRS_KERNELS_REFERENCE_POSTPROCESS_H
#define VRS_KERNELS_REFERENCE_POSTPROCESS_H

#include "kernels/kernels.h"

void vrs_reference_person(const vrs_scores *scores, int16_t *q15, ptrdiff_t stride);
/* Of the GPU alone: the scores of all classes bilinearly at the size that `upsample` leads to, in
 * dense planes one after the other: what a network does that ends in an enlarging by a whole factor
 * with the rule "half_pixel" and repeated edges. Factors up to 16384 have exact weights. */
void vrs_reference_enlarge(const vrs_upsample *upsample, const vrs_scores *scores, float *dst);
void vrs_reference_classes(const vrs_upsample *upsample, const vrs_scores *scores,
                           int32_t row_begin, int32_t row_end, uint8_t *dst, ptrdiff_t dst_stride,
                           float *scratch);

void vrs_reference_smooth(int16_t *state, int16_t *mask, size_t n, int16_t weight);
void vrs_reference_upsample(const vrs_upsample *upsample, const int16_t *src, ptrdiff_t src_stride,
                            int32_t row_begin, int32_t row_end, int16_t *dst, ptrdiff_t dst_stride,
                            int16_t *scratch);
void vrs_reference_threshold(int16_t *q15, size_t n, int16_t threshold);
void vrs_reference_feather(int16_t *q15, ptrdiff_t stride, int32_t width, int32_t height,
                           int32_t radius, void *scratch);
void vrs_reference_store8(const int16_t *q15, uint8_t *dst, size_t n);
void vrs_reference_store10(const int16_t *q15, uint16_t *dst, size_t n);

void vrs_reference_guided(const vrs_guided *guided, void *scratch);
void vrs_reference_refine(const vrs_upsample *upsample, const float *slope, const float *offset,
                          ptrdiff_t src_stride, const vrs_luma *luma, int32_t row_begin,
                          int32_t row_end, int16_t *dst, ptrdiff_t dst_stride, float *scratch);

void vrs_reference_blend8(const uint8_t *src, const int16_t *alpha, uint8_t *dst, size_t n,
                          uint8_t background);
void vrs_reference_blend10(const uint16_t *src, const int16_t *alpha, uint16_t *dst, size_t n,
                           uint16_t background, int32_t src_shift);
void vrs_reference_pack(const vrs_pack *pack, int32_t row_begin, int32_t row_end,
                        vrs_image *picture, void *scratch);
void vrs_reference_unroll(const vrs_unroll *unroll, int32_t row_begin, int32_t row_end);
/* Of one row, columns begin..end-1. */
void vrs_reference_unroll_columns(const vrs_unroll *unroll, int32_t y, int32_t begin, int32_t end);
void vrs_reference_chroma_alpha(const int16_t *row0, const int16_t *row1, int16_t *dst,
                                int32_t width);
void vrs_reference_blend_uv8(const uint8_t *uv, const int16_t *alpha, uint8_t *u, uint8_t *v,
                             size_t n, uint8_t background_u, uint8_t background_v);
void vrs_reference_blend_uv10(const uint16_t *uv, const int16_t *alpha, uint16_t *u, uint16_t *v,
                              size_t n, uint16_t background_u, uint16_t background_v,
                              int32_t src_shift);

#endif
