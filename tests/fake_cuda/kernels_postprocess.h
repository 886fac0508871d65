/* The postprocess kernels as fake_cuda runs them: by name, on parameters whose addresses this
 * process can read. Also the reference that tests compare the real kernels with. */
#ifndef VRS_TESTS_FAKE_CUDA_KERNELS_POSTPROCESS_H
#define VRS_TESTS_FAKE_CUDA_KERNELS_POSTPROCESS_H

#include <stdint.h>

#define FAKE_POSTPROCESS_KERNELS(X) \
    X(vrs_person)                   \
    X(vrs_person_planes)            \
    X(vrs_person_softmax)           \
    X(vrs_person_pixels)            \
    X(vrs_person_enlarge)           \
    X(vrs_person_enlarge_many)      \
    X(vrs_enlarge)                  \
    X(vrs_mask_resize)              \
    X(vrs_guided)                   \
    X(vrs_guided_solve)             \
    X(vrs_guided_mean)              \
    X(vrs_guided_solve_near)        \
    X(vrs_guided_mean_near)         \
    X(vrs_render)                   \
    X(vrs_render_mask)              \
    X(vrs_render_mask_refined)      \
    X(vrs_render_picture)           \
    X(vrs_render_picture_refined)   \
    X(vrs_box)                      \
    X(vrs_box_near)                 \
    X(vrs_classes)

#define FAKE_POSTPROCESS_DECLARE(name) \
    void fake_##name(const void *params, const uint32_t grid[3], const uint32_t block[3]);
FAKE_POSTPROCESS_KERNELS(FAKE_POSTPROCESS_DECLARE)
#undef FAKE_POSTPROCESS_DECLARE

#endif
