/* Parameters of the CUDA preprocess kernels: one struct by value, valid in C and CUDA.
 *
 * A launch fills the tensors of up to VRS_PREPROCESS_VIEWS views, of any frames, sizes and places,
 * for one network. Addresses are device addresses, strides bytes (may be negative). What is only
 * looked up lies in each plan's tables (preprocess_launch.h): 4-byte words, named by their place.
 */
#ifndef VRS_KERNELS_CUDA_PARAMS_PREPROCESS_H
#define VRS_KERNELS_CUDA_PARAMS_PREPROCESS_H

#include <stdint.h>

#define VRS_PREPROCESS_VIEWS 16

#ifdef __cplusplus
#define VRS_PREPROCESS_ASSERT(condition, text) static_assert(condition, text)
#else
#define VRS_PREPROCESS_ASSERT(condition, text) _Static_assert(condition, text)
#endif

/* A vrs_axis in the tables: places of first[], taps[] and weight[]. Output i's tap t weighs
 * weight[t * count + i] on x axes (neighbours side by side), weight[i * stride + t] on y axes. */
typedef struct vrs_preprocess_taps {
    uint32_t first, taps, weight;
    int32_t stride; /* most taps */
} vrs_preprocess_taps;

/* Shapes of integer taps: words of a window, by the source's sample, and bytes of a weight. */
enum {
    VRS_PREPROCESS_ANY = 0,         /* none: floats alone */
    VRS_PREPROCESS_NARROW = 1,      /* 2 words of bytes, 3 of 16-bit samples; weights up to 255 */
    VRS_PREPROCESS_NARROW_FINE = 2, /* weights up to 65535 */
    VRS_PREPROCESS_WIDE = 3,        /* 3 and 5 words */
    VRS_PREPROCESS_WIDE_FINE = 4,
};

typedef struct vrs_preprocess_view {
    uint64_t plane[3];
    uint64_t tables;
    uint64_t tensor; /* 16-byte aligned */
    uint64_t luma;   /* uint8, dense rows of the network's width; 0: not wanted */
    int32_t stride[3];
    int32_t x, y, width, height; /* the content in the network's picture; the rest are bars */
    int32_t shape;               /* VRS_PREPROCESS_ANY ... */
    vrs_preprocess_taps across[2], down[2]; /* of luma (or R, G, B) and chroma */
    /* Integer x taps of luma and chroma: word base[width] of a row where the window begins, then
     * the weights as bytes under the samples of the window's words, [word][width], high bytes of
     * bytes' weights behind them likewise; 16-bit samples have low bytes in the lower half of a
     * word and high ones in the upper. Of pairs (UV) the weights stand under U. unit: what a sum of
     * integers is multiplied by. */
    uint32_t integer[2];
    float unit[2];
    float matrix[3][4], guide[4];
    uint32_t tone; /* place of the table of VRS_TONE_STEPS + 1; 0: none */
    uint16_t peak;
    uint8_t shift, components; /* of a 16-bit word; 1 (gray) or 3 */
    uint8_t component_plane[3], component_step[3], component_offset[3], component_axis[3];
    uint8_t sample_bytes, padding[3];
} vrs_preprocess_view;
VRS_PREPROCESS_ASSERT(sizeof(vrs_preprocess_view) == 248, "vrs_preprocess_view has no hidden gaps");

/* Grid: x: blocks of VRS_PREPROCESS_THREADS columns, y: strips of `rows` rows, z: views. */
#define VRS_PREPROCESS_THREADS 128
typedef struct vrs_preprocess_params {
    vrs_preprocess_view view[VRS_PREPROCESS_VIEWS];
    int32_t width, height;           /* of the network's picture */
    int32_t type, layout;            /* vrs_tensor_type, vrs_tensor_layout */
    int32_t channels;                /* that a pixel takes */
    int32_t rows;                    /* of a thread, even */
    float scale[3], bias[3], pad[3]; /* value = rgb * scale + bias, before rounding */
    int32_t pad_code;                /* of the guide's bars */
} vrs_preprocess_params;
VRS_PREPROCESS_ASSERT(sizeof(vrs_preprocess_params) <= 4096, "kernel parameters are at most 4 KB");

#endif
