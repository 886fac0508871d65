/* The table of kernels. Those of src/kernels/cuda/ have their C in kernels_*.c. */
#include <string.h>

#include "fake_cuda/internal.h"
#include "fake_cuda/kernels_conv.h"
#include "fake_cuda/kernels_net.h"
#include "fake_cuda/kernels_pack.h"
#include "fake_cuda/kernels_postprocess.h"
#include "fake_cuda/kernels_preprocess.h"
#include "fake_cuda/kernels_steady.h"
#include "fake_cuda/kernels_warp.h"
#include "kernels/cuda/params_conv.h"
#include "kernels/cuda/params_pack.h"
#include "kernels/cuda/params_postprocess.h"
#include "kernels/cuda/params_steady.h"

#define MAX_KERNELS 96

static struct fake_function kernels[MAX_KERNELS];
static size_t kernel_count;

/* In code of compute capability 9.0 alone. */
static bool is_specific(const char *name)
{
    const size_t length = strlen(name);
    return length > 5 && strcmp(name + length - 5, "_sm90") == 0;
}

static void add(const char *name, fake_cuda_kernel_fn fn, size_t params_bytes)
{
    size_t i = 0;
    while (i < kernel_count && strcmp(kernels[i].name, name) != 0)
        i++;
    if (i == MAX_KERNELS)
        fake_die("more kernels than the table holds");
    /* A parameter of stricter alignment does not begin where parameters do, on compute capability
     * 9.0 for one of 64 bytes. */
    kernels[i] = (struct fake_function){name, fn, params_bytes, is_specific(name) ? 48 : 0};
    kernel_count += i == kernel_count;
}

void fake_cuda_kernel(const char *name, fake_cuda_kernel_fn fn, size_t params_bytes)
{
    pthread_mutex_lock(&fake.lock);
    add(name, fn, params_bytes);
    pthread_mutex_unlock(&fake.lock);
}

void fake_cuda_fault(void)
{
    pthread_mutex_lock(&fake.lock);
    fake.faulted = true;
    pthread_mutex_unlock(&fake.lock);
}

const struct fake_function *fake_find_kernel(const char *name)
{
    for (size_t i = 0; i < kernel_count; i++)
        if (strcmp(kernels[i].name, name) == 0)
            return fake.by_ptx && is_specific(name) ? NULL : &kernels[i];
    return NULL;
}

static void affine(const void *params, const uint32_t grid[3], const uint32_t block[3])
{
    const fake_affine_params *p = params;
    uint32_t *dst = (uint32_t *)(uintptr_t)p->dst;
    (void)grid;
    (void)block;
    for (uint64_t i = 0; i < p->count; i++)
        dst[i] = dst[i] * p->factor + p->term;
}

static void sum(const void *params, const uint32_t grid[3], const uint32_t block[3])
{
    const fake_sum_params *p = params;
    const uint32_t *src = (const uint32_t *)(uintptr_t)p->src;
    uint32_t all = 0;
    (void)grid;
    (void)block;
    for (uint64_t i = 0; i < p->count; i++)
        all += src[i];
    *(uint32_t *)(uintptr_t)p->dst = all;
}

/* A kernel that touches what is not there. */
static void fault(const void *params, const uint32_t grid[3], const uint32_t block[3])
{
    (void)params;
    (void)grid;
    (void)block;
    fake_cuda_fault();
}

void fake_kernels_init(void)
{
    add("fake_fault", fault, sizeof(fake_affine_params));
    add("fake_affine", affine, sizeof(fake_affine_params));
    add("fake_sum", sum, sizeof(fake_sum_params));
    add("vrs_person", fake_vrs_person, sizeof(vrs_person_params));
    add("vrs_person_planes", fake_vrs_person_planes, sizeof(vrs_person_params));
    add("vrs_person_softmax", fake_vrs_person_softmax, sizeof(vrs_person_params));
    add("vrs_person_pixels", fake_vrs_person_pixels, sizeof(vrs_person_params));
    add("vrs_enlarge", fake_vrs_enlarge, sizeof(vrs_enlarge_params));
    add("vrs_person_enlarge", fake_vrs_person_enlarge, sizeof(vrs_person_enlarge_params));
    add("vrs_person_enlarge_many", fake_vrs_person_enlarge_many, sizeof(vrs_person_enlarge_params));
    add("vrs_mask_resize", fake_vrs_mask_resize, sizeof(vrs_mask_resize_params));
    add("vrs_guided", fake_vrs_guided, sizeof(vrs_guided_params));
    add("vrs_guided_solve", fake_vrs_guided_solve, sizeof(vrs_guided_params));
    add("vrs_guided_mean", fake_vrs_guided_mean, sizeof(vrs_guided_params));
    add("vrs_guided_solve_near", fake_vrs_guided_solve_near, sizeof(vrs_guided_params));
    add("vrs_guided_mean_near", fake_vrs_guided_mean_near, sizeof(vrs_guided_params));
    add("vrs_render", fake_vrs_render, sizeof(vrs_render_params));
    add("vrs_render_mask", fake_vrs_render_mask, sizeof(vrs_render_params));
    add("vrs_render_mask_refined", fake_vrs_render_mask_refined, sizeof(vrs_render_params));
    add("vrs_render_picture", fake_vrs_render_picture, sizeof(vrs_render_params));
    add("vrs_render_picture_refined", fake_vrs_render_picture_refined, sizeof(vrs_render_params));
    add("vrs_box", fake_vrs_box, sizeof(vrs_box_params));
    add("vrs_pack_alpha", fake_vrs_pack, sizeof(vrs_pack_params));
    add("vrs_unroll_planes", fake_vrs_unroll, sizeof(vrs_unroll_params));
    add("vrs_box_near", fake_vrs_box_near, sizeof(vrs_box_params));
    add("vrs_classes", fake_vrs_classes, sizeof(vrs_classes_params));
    add("vrs_preprocess_warp", fake_vrs_preprocess_warp, sizeof(vrs_warp_params));
    add("vrs_patches", fake_vrs_patches, sizeof(vrs_patches_params));
    add("vrs_class_patches", fake_vrs_class_patches, sizeof(vrs_class_patches_params));
    add("vrs_conv_mma", fake_vrs_conv_mma, sizeof(vrs_conv_params));
    add("vrs_conv_f32", fake_vrs_conv_f32, sizeof(vrs_conv_params));
    add("vrs_conv_f32_small", fake_vrs_conv_f32, sizeof(vrs_conv_params));
    add("vrs_stem", fake_vrs_stem, sizeof(vrs_stem_params));
    add("vrs_conv_taps_sm90", fake_vrs_conv_taps, sizeof(vrs_taps_params));
    add("vrs_conv_taps_sum_sm90", fake_vrs_conv_taps_sum, sizeof(vrs_taps_params));
    add("vrs_conv_taps_i8_sm90", fake_vrs_conv_taps, sizeof(vrs_taps_params));
    add("vrs_conv_taps_i8_sum_sm90", fake_vrs_conv_taps_sum, sizeof(vrs_taps_params));
#define ADD_STEADY(name) add(#name, fake_##name, sizeof(vrs_steady_params));
    FAKE_STEADY_KERNELS(ADD_STEADY)
#undef ADD_STEADY
#define ADD_POINT(name) add(#name, fake_vrs_conv_point, sizeof(vrs_conv_point_params));
    FAKE_CONV_POINT_KERNELS(ADD_POINT)
#undef ADD_POINT
    add("vrs_preprocess", fake_vrs_preprocess, sizeof(vrs_preprocess_params));
#define ADD_PREPROCESS(format, fast, whole)                              \
    add(#fast, fake_vrs_preprocess_fast, sizeof(vrs_preprocess_params)); \
    add(#whole, fake_vrs_preprocess_whole, sizeof(vrs_preprocess_params));
    VRS_PREPROCESS_FORMATS(ADD_PREPROCESS)
#undef ADD_PREPROCESS
#define ADD_NET(name) add("vrs_net_" #name, fake_vrs_net_##name, sizeof(vrs_net_##name##_params));
    VRS_NET_KERNELS(ADD_NET)
#undef ADD_NET
#define ADD_NET(name, twin) \
    add("vrs_net_" #name, fake_vrs_net_##twin, sizeof(vrs_net_##twin##_params));
    VRS_NET_FAST_KERNELS(ADD_NET)
#undef ADD_NET
}
