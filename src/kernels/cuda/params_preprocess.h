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

/* A vrs_axis of `count` outputs in the tables: at `place` first[count], then taps[count] and
 * weight[count * stride]. Output i's tap t weighs weight[t * count + i] on x axes (neighbours side
 * by side), weight[i * stride + t] on y axes. */
typedef struct vrs_preprocess_taps {
    uint32_t place;
    int32_t stride; /* most taps */
} vrs_preprocess_taps;

/* Shapes of integer taps: words of a window, by the source's sample, and bytes of a weight. */
enum {
    VRS_PREPROCESS_ANY = 0,    /* none: floats alone */
    VRS_PREPROCESS_NARROW = 1, /* 2 words of bytes, 3 of 16-bit samples; weights up to 255 */
    VRS_PREPROCESS_WIDE = 2,   /* 3 and 5 words */
    VRS_PREPROCESS_FINE = 3,   /* likewise, weights up to 65535 */
};

/* A block of the fast kernels makes THREADS * COLUMNS columns by strips of 2 << i rows, with i
 * below VRS_PREPROCESS_TILES; what a strip reads of the source comes to shared memory first, while
 * the strip before is made. A thread's columns are THREADS apart. */
#define VRS_PREPROCESS_THREADS 128
#define VRS_PREPROCESS_COLUMNS 2
#define VRS_PREPROCESS_TILES 4
#define VRS_PREPROCESS_BLOCK_BYTES 272  /* of shared memory, for the view's parameters */
#define VRS_PREPROCESS_TILE_BYTES 63488 /* for a strip, at most */

typedef struct vrs_preprocess_view {
    uint64_t plane[3];
    uint64_t tables;
    uint64_t tensor;              /* 16-byte aligned */
    uint64_t luma;                /* uint8, dense rows of the network's width; 0: not wanted */
    float matrix[3][4], guide[4]; /* at a multiple of 16 bytes */
    int32_t stride[3];
    uint16_t x, y, width, height; /* the content in the network's picture; the rest are bars */
    vrs_preprocess_taps across[2], down[2]; /* of luma (or R, G, B) and chroma */
    /* Of the fast kernels. Integer x taps of luma and chroma: word base[width] of a row where the
     * window begins, then the weights as bytes under the samples of the window's words,
     * [word][width], high bytes of bytes' weights behind them likewise; 16-bit samples have low
     * bytes in the lower half of a word and high ones in the upper. Of pairs (UV) the weights stand
     * under U.
     * Y taps, [height][row_words]: luma's, from luma_words on chroma's. Each: the first row,
     * number of rows, weight of the row above the first, then of the rows; these weights turn sums
     * of integers into code values. The row above counts where the output before ends with it, and
     * is none of its own then. */
    uint32_t integer[2], rows;
    uint32_t tone;                  /* place of the table of VRS_TONE_STEPS + 1; 0: none */
    uint16_t row_words, luma_words; /* multiples of 4 */
    uint16_t pitch[2];              /* of a tile's rows of luma and chroma, 16-byte units */
    uint16_t source_words[2];       /* of the source's rows */
    uint16_t peak;
    uint8_t shape;             /* VRS_PREPROCESS_ANY ... */
    uint8_t shift, components; /* of a 16-bit word; 1 (gray) or 3 */
    uint8_t component_plane[3], component_step[3], component_offset[3], component_axis[3];
    uint8_t sample_bytes;
    uint8_t tile_rows[2][VRS_PREPROCESS_TILES]; /* most source rows of a strip; 0: too many */
    /* Of the kernels for whole pictures. Words 4 * left .. 4 * (left + units) - 1 of a row of luma
     * and chroma hold all windows. What the outputs 0 .. y - 1 need of the source ends before row
     * origin + y * step / 4096 + (reach >> 4), what the outputs from y on need begins at
     * origin + y * step / 4096 - (reach & 15) or later, both within rows 0 .. lines - 1.
     * X taps of columns 2i and 2i + 1, where WORDS is the shape's: [1 + 2 * WORDS][width / 2], at
     * `pairs` luma's, behind them chroma's: the word of the row where both windows begin, 4 * left
     * - 1 at least; the weights of the first column under the words from there on, those of the
     * second under the words from WORDS - 1 further on, laid out as above. */
    uint8_t reach[2];
    uint16_t step[2], origin[2], left[2], units[2], lines[2];
    uint32_t pairs; /* 0: none */
} vrs_preprocess_view;
VRS_PREPROCESS_ASSERT(sizeof(vrs_preprocess_view) == 248, "vrs_preprocess_view has no hidden gaps");

/* How the fast kernels store pixels. */
enum {
    VRS_PREPROCESS_STORE_ANY = 0,
    VRS_PREPROCESS_STORE_NHWC8 = 1, /* FP16, 8 channels */
    VRS_PREPROCESS_STORE_S2D16 = 2, /* FP16, space-to-depth, 16 channels */
    VRS_PREPROCESS_STORE_NCHW = 3,  /* FP16 */
    VRS_PREPROCESS_STORE_I8 = 4,    /* INT8, space-to-depth, 16 channels */
};

/* A block of the kernels for whole pictures makes all columns, two a thread, of `rows` rows, two
 * at a time; all that it reads of the source is asked for at its beginning. */
#define VRS_PREPROCESS_WHOLE_ROWS 16     /* of a block, at most */
#define VRS_PREPROCESS_WHOLE_THREADS 512 /* likewise */
#define VRS_PREPROCESS_WHOLE_HEAD 128    /* bytes of its shared memory before the rows' taps */

/* Grid: x: blocks of columns (of the kernel for any source THREADS), y: blocks of rows, z: views.
 */
typedef struct vrs_preprocess_params {
    vrs_preprocess_view view[VRS_PREPROCESS_VIEWS];
    int32_t width, height; /* of the network's picture */
    int32_t type, layout;  /* vrs_tensor_type, vrs_tensor_layout */
    int32_t channels;      /* that a pixel takes */
    int32_t store;         /* VRS_PREPROCESS_STORE_ANY ... */
    int32_t rows, strips;  /* of a strip, even: 2 << tile; and strips of a block */
    int32_t tile;
    int32_t slots[2]; /* rows of luma and chroma that a block of a whole picture has room for */
    float scale[3], bias[3], pad[3]; /* value = rgb * scale + bias, before rounding */
    int32_t pad_code;                /* of the guide's bars */
} vrs_preprocess_params;
VRS_PREPROCESS_ASSERT(sizeof(vrs_preprocess_params) <= 4096, "kernel parameters are at most 4 KB");

#endif
