#include "kernels/cuda/preprocess_batch.h"

#include "kernels/cuda/params_preprocess.h"

vrs_status vrs_preprocess_batch_count(const char *way, int32_t count)
{
    return count >= 1 && count <= VRS_PREPROCESS_VIEWS
               ? VRS_OK
               : vrs_fail(VRS_INVALID, "%s: %d views in a batch; 1 to %d are possible", way, count,
                          VRS_PREPROCESS_VIEWS);
}

static bool same_network(const vrs_preprocess_plan *a, const vrs_preprocess_plan *b)
{
    bool same = a->desc.width == b->desc.width && a->desc.height == b->desc.height &&
                a->desc.tensor == b->desc.tensor && a->channels == b->channels &&
                a->pad_code == b->pad_code &&
                (a->type != VRS_TENSOR_I8 || a->desc.quantum == b->desc.quantum);
    for (int c = 0; c < 3; c++) {
        same = same && a->scale[c] == b->scale[c] && a->bias[c] == b->bias[c] &&
               a->pad[c] == b->pad[c];
    }
    return same;
}

vrs_status vrs_preprocess_batch_view(const char *way, int32_t index,
                                     const vrs_preprocess_plan *first,
                                     const vrs_preprocess_plan *plan, const vrs_image *image)
{
    const vrs_preprocess_desc *desc = &plan->desc;
    if (image->format != desc->format || image->width != desc->image_width ||
        image->height != desc->image_height) {
        return vrs_fail(VRS_INVALID,
                        "%s: view %d: a %s image of %dx%d, the plan is for %s of %dx%d", way, index,
                        vrs_pixel_format_name(image->format), image->width, image->height,
                        vrs_pixel_format_name(desc->format), desc->image_width, desc->image_height);
    }
    for (int32_t plane = 0; plane < plan->info->planes; plane++) {
        if (!in_reach(image, plane)) {
            return vrs_fail(VRS_INVALID,
                            "%s: view %d: plane %d has no address or too large a stride", way,
                            index, plane);
        }
    }
    return same_network(first, plan)
               ? VRS_OK
               : vrs_fail(VRS_INVALID, "%s: views 0 and %d of a batch are for different networks",
                          way, index);
}

void vrs_preprocess_batch_planes(const vrs_preprocess_plan *plan, const vrs_image *image,
                                 uint64_t plane[3], int32_t stride[3])
{
    for (int32_t p = 0; p < plan->info->planes && p < 3; p++) {
        plane[p] = (uint64_t)(uintptr_t)image->planes[p];
        stride[p] = (int32_t)image->strides[p];
    }
}

void vrs_preprocess_batch_scale(const vrs_preprocess_plan *plan, float scale[3], float bias[3])
{
    const float quantum = plan->type == VRS_TENSOR_I8 ? plan->desc.quantum : 1.0F;
    const bool codes = plan->type == VRS_TENSOR_U8;
    for (int c = 0; c < 3; c++) {
        scale[c] = codes ? 255.0F : plan->scale[c] / quantum;
        bias[c] = codes ? 0.0F : plan->bias[c] / quantum;
    }
}
