/* The parts of the self-test: cases that run a kernel and its reference on the same data.
 *
 * Data comes in twins: two equal blocks between guard bands, one for the reference and one for the
 * kernel. All of them lie in one arena that is emptied before each case, so that cases allocate
 * nothing. */
#ifndef VRS_DOCTOR_SELF_TEST_H
#define VRS_DOCTOR_SELF_TEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "doctor/check.h"
#include "kernels/kernels.h"

/* Bytes before and behind each block. */
#define VRS_SELF_BAND 256
#define VRS_SELF_ARENA ((size_t)4 << 20)

typedef enum vrs_self_fill {
    VRS_SELF_POISON = 0, /* bytes that no result is made of by accident */
    VRS_SELF_BYTES = 1,  /* any */
    VRS_SELF_Q15 = 2,    /* int16 in 0..VRS_Q15_ONE, both ends among them */
    VRS_SELF_TEN = 3,    /* uint16 in 0..1023 */
    VRS_SELF_FLOATS = 4, /* float in -8..8 */
} vrs_self_fill;

typedef enum vrs_self_type {
    VRS_SELF_U8 = 0,
    VRS_SELF_I8 = 1,
    VRS_SELF_U16 = 2,
    VRS_SELF_I16 = 3,
    VRS_SELF_F16 = 4, /* `within` counts after a unit in the last place */
    VRS_SELF_F32 = 5,
} vrs_self_type;

typedef struct vrs_self_twin {
    void *reference, *tested; /* aligned to their element alone */
    size_t bytes;
} vrs_self_twin;

struct vrs_self_gpu;

/* A case on its way. */
typedef struct vrs_self_case {
    const vrs_kernels *reference, *tested; /* tested: NULL on a GPU */
    struct vrs_self_gpu *gpu;              /* self_test_cuda.c's; NULL on the CPU */
    int which;                             /* of the kernel's cases */
    uint8_t *arena;
    size_t used;
    uint64_t random;
    bool differs;
    char text[VRS_DETAIL_SIZE]; /* the first difference, or the first error */
} vrs_self_case;

/* A kernel and how many cases it has. */
typedef struct vrs_self_kernel {
    const char *name;
    void (*run)(vrs_self_case *c);
    int cases;
} vrs_self_kernel;

/* Two equal blocks, `bytes` long, filled anew; on a GPU aligned to 64 bytes. */
vrs_self_twin vrs_self_make(vrs_self_case *c, size_t bytes, vrs_self_fill fill);
/* Aligned to VRS_ALIGNMENT, content poisoned. */
void *vrs_self_scratch(vrs_self_case *c, size_t bytes);
uint64_t vrs_self_next(vrs_self_case *c);
/* A number from `low` to `high`. */
int32_t vrs_self_range(vrs_self_case *c, int32_t low, int32_t high);

/* Notes the first element of the tested block that is further than `within` from the reference's,
 * and any change of a guard band. */
void vrs_self_compare(vrs_self_case *c, const char *what, const vrs_self_twin *twin,
                      vrs_self_type type, double within);
/* Notes a failed call; its detail is the thread's last error. */
void vrs_self_failed(vrs_self_case *c, const char *what);

/* Runs all cases of each kernel on `tested`, or where that is NULL on `gpu`, and tells a check a
 * kernel, named "DEVICE KERNEL". VRS_NO_MEMORY. */
vrs_status vrs_self_run(const vrs_checker *to, const char *device, const vrs_kernels *tested,
                        struct vrs_self_gpu *gpu, const vrs_self_kernel *kernels,
                        size_t count) VRS_MUST_USE;

/* self_test_masks.c and self_test_pictures.c: all entries of a table. */
extern const vrs_self_kernel vrs_self_masks[], vrs_self_pictures[];
extern const size_t vrs_self_mask_count, vrs_self_picture_count;

/* self_test_masks.c, for self_test_cuda.c too. From width and height to width and height; its
 * tables are scratch memory of the case. */
vrs_upsample vrs_self_make_upsample(vrs_self_case *c, const int32_t size[4]);

/* self_test_pictures.c, for self_test_cuda.c too. Pictures of the same random content; rows are
 * `align` bytes apart or, with 1, by an ugly number. */
void vrs_self_make_picture(vrs_self_case *c, vrs_pixel_format format, int32_t width, int32_t height,
                           int32_t align, vrs_image images[2]);
/* Scores by the number of the case: five sizes, NCHW or NHWC, four activations. Sets all of
 * `scores` but `data`. */
#define VRS_SELF_SCORES 40
vrs_self_twin vrs_self_make_scores(vrs_self_case *c, vrs_scores *scores);
/* A job of preprocessing by the number of the case, for a picture of 67x35. */
#define VRS_SELF_FORMATS 7
#define VRS_SELF_TENSORS 4
vrs_preprocess_desc vrs_self_preprocess(const vrs_self_case *c, const vrs_image *image);
void vrs_self_compare_tensor(vrs_self_case *c, const vrs_preprocess_desc *desc,
                             const vrs_self_twin *tensor);
extern const vrs_pixel_format vrs_self_formats[VRS_SELF_FORMATS];

/* All entries of a table of kernels beside the reference; `device` is its name in the checks.
 * VRS_NO_MEMORY. */
VRS_API vrs_status vrs_self_test_table(const vrs_checker *to, const vrs_kernels *table,
                                       const char *device) VRS_MUST_USE;

/* self_test_cuda.c: the kernels of GPU `number`, and the tiny network on our own engine there
 * (`descriptor` NULL: not that). VRS_NO_MEMORY of the host, and what loading the descriptor
 * returns. */
VRS_API vrs_status vrs_self_test_gpu(const vrs_checker *to, int32_t number,
                                     const char *descriptor) VRS_MUST_USE;

/* self_test_engine.c: the tiny network, whose descriptor is the file `descriptor`, on the engines
 * of the CPU. VRS_NO_MEMORY. */
VRS_API vrs_status vrs_self_test_engines(const vrs_checker *to,
                                         const char *descriptor) VRS_MUST_USE;

/* tiny_network.c: writes tiny.onnx and tiny.yaml into a folder. Convolutions (dense, depthwise,
 * 1x1), a residual addition, a pool, a bilinear enlarging and a sigmoid; weights by a formula.
 * VRS_NO_MEMORY, and the errors of writing. */
#define VRS_TINY_WIDTH 24
#define VRS_TINY_HEIGHT 16
VRS_API vrs_status vrs_tiny_network_write(const char *folder) VRS_MUST_USE;

#endif
