/* The postprocess kernels for AVX2 (with FMA) and AVX-512 (F, BW, DQ, VL); contracts in
 * kernels/kernels.h. A set lacks what it does not make faster. */
#ifndef VRS_KERNELS_X86_POSTPROCESS_H
#define VRS_KERNELS_X86_POSTPROCESS_H

#include "kernels/kernels.h"

void vrs_avx2_person(const vrs_scores *scores, int16_t *q15, ptrdiff_t stride);
void vrs_avx2_classes(const vrs_upsample *upsample, const vrs_scores *scores, int32_t row_begin,
                      int32_t row_end, uint8_t *dst, ptrdiff_t dst_stride, float *scratch);
void vrs_avx2_smooth(int16_t *state, int16_t *mask, size_t n, int16_t weight);
void vrs_avx2_upsample(const vrs_upsample *upsample, const int16_t *src, ptrdiff_t src_stride,
                       int32_t row_begin, int32_t row_end, int16_t *dst, ptrdiff_t dst_stride,
                       int16_t *scratch);
void vrs_avx2_threshold(int16_t *q15, size_t n, int16_t threshold);
void vrs_avx2_feather(int16_t *q15, ptrdiff_t stride, int32_t width, int32_t height, int32_t radius,
                      void *scratch);
void vrs_avx2_store8(const int16_t *q15, uint8_t *dst, size_t n);
void vrs_avx2_store10(const int16_t *q15, uint16_t *dst, size_t n);
void vrs_avx2_guided(const vrs_guided *guided, void *scratch);
void vrs_avx2_refine(const vrs_upsample *upsample, const float *slope, const float *offset,
                     ptrdiff_t src_stride, const vrs_luma *luma, int32_t row_begin, int32_t row_end,
                     int16_t *dst, ptrdiff_t dst_stride, float *scratch);
void vrs_avx2_blend8(const uint8_t *src, const int16_t *alpha, uint8_t *dst, size_t n,
                     uint8_t background);
void vrs_avx2_blend10(const uint16_t *src, const int16_t *alpha, uint16_t *dst, size_t n,
                      uint16_t background, int32_t src_shift);
void vrs_avx2_chroma_alpha(const int16_t *row0, const int16_t *row1, int16_t *dst, int32_t width);
void vrs_avx2_blend_uv8(const uint8_t *uv, const int16_t *alpha, uint8_t *u, uint8_t *v, size_t n,
                        uint8_t background_u, uint8_t background_v);
void vrs_avx2_blend_uv10(const uint16_t *uv, const int16_t *alpha, uint16_t *u, uint16_t *v,
                         size_t n, uint16_t background_u, uint16_t background_v, int32_t src_shift);
void vrs_avx2_patches(const vrs_patch *patches, int32_t count, const vrs_luma *luma,
                      int32_t row_begin, int32_t row_end, int32_t width, int16_t *dst,
                      ptrdiff_t dst_stride, float *scratch);

void vrs_avx2_pack(const vrs_pack *pack, int32_t row_begin, int32_t row_end, vrs_image *picture,
                   void *scratch);
void vrs_avx2_unroll(const vrs_unroll *unroll, int32_t row_begin, int32_t row_end);

void vrs_avx512_person(const vrs_scores *scores, int16_t *q15, ptrdiff_t stride);
void vrs_avx512_upsample(const vrs_upsample *upsample, const int16_t *src, ptrdiff_t src_stride,
                         int32_t row_begin, int32_t row_end, int16_t *dst, ptrdiff_t dst_stride,
                         int16_t *scratch);
void vrs_avx512_refine(const vrs_upsample *upsample, const float *slope, const float *offset,
                       ptrdiff_t src_stride, const vrs_luma *luma, int32_t row_begin,
                       int32_t row_end, int16_t *dst, ptrdiff_t dst_stride, float *scratch);
void vrs_avx512_store8(const int16_t *q15, uint8_t *dst, size_t n);
void vrs_avx512_blend8(const uint8_t *src, const int16_t *alpha, uint8_t *dst, size_t n,
                       uint8_t background);
void vrs_avx512_blend10(const uint16_t *src, const int16_t *alpha, uint16_t *dst, size_t n,
                        uint16_t background, int32_t src_shift);
void vrs_avx512_chroma_alpha(const int16_t *row0, const int16_t *row1, int16_t *dst, int32_t width);

#endif
