/* The definition of preprocessing: each output pixel by itself, straight from the tables. */
#include <assert.h>
#include <math.h>

#include "kernels/kernels.h"
#include "kernels/preprocess_plan.h"

/* A component of the resized view at column x, row y of the content, in code values. */
static double resized(const vrs_preprocess_plan *plan, const vrs_image *image,
                      const vrs_component *component, int32_t x, int32_t y)
{
    const vrs_axis *across = &plan->x[component->axis];
    const vrs_axis *down = &plan->y[component->axis];
    const float *weight_x = across->weight + (size_t)x * (size_t)across->stride;
    const float *weight_y = down->weight + (size_t)y * (size_t)down->stride;
    double sum = 0.0;
    for (int32_t i = 0; i < down->taps[y]; i++) {
        const uint8_t *row = image->planes[component->plane] +
                             image->strides[component->plane] * (down->first[y] + i);
        double row_sum = 0.0;
        for (int32_t j = 0; j < across->taps[x]; j++) {
            const int32_t column = across->first[x] + j;
            row_sum +=
                (double)weight_x[j] *
                vrs_preprocess_sample(plan, row, column * component->step + component->offset);
        }
        sum += weight_y[i] * row_sum;
    }
    return sum;
}

static double dot(const float weights[4], const double component[3])
{
    return weights[0] * component[0] + weights[1] * component[1] + weights[2] * component[2] +
           weights[3];
}

static double clip(double value, double most)
{
    return value < 0.0 ? 0.0 : (value > most ? most : value);
}

static double tone(const vrs_preprocess_plan *plan, double code)
{
    const double place = code * VRS_TONE_STEPS;
    const int32_t index = place >= VRS_TONE_STEPS ? VRS_TONE_STEPS - 1 : (int32_t)place;
    const float *table = plan->tone_table + index;
    return table[0] + (place - index) * ((double)table[1] - table[0]);
}

void vrs_preprocess_finish(const vrs_preprocess_plan *plan, const double component[3], void *tensor,
                           uint8_t *luma, int32_t x, int32_t y)
{
    double value[3];
    for (int channel = 0; channel < 3; channel++) {
        const double code = clip(dot(plan->matrix[channel], component), 1.0);
        const double rgb = 255.0 * (plan->tone ? tone(plan, code) : code);
        value[channel] = plan->type == VRS_TENSOR_U8
                             ? rgb
                             : (rgb - plan->desc.mean[channel]) * plan->desc.scale[channel];
    }
    vrs_preprocess_store(plan, tensor, x, y, value);
    if (luma != NULL) {
        luma[(size_t)y * (size_t)plan->desc.width + (size_t)x] =
            (uint8_t)(clip(dot(plan->luma, component), 255.0) + 0.5);
    }
}

void vrs_preprocess_reference(const vrs_preprocess_plan *plan, const vrs_image *image, void *tensor,
                              uint8_t *luma, void *scratch)
{
    (void)scratch;
    assert(image->width == plan->desc.image_width && image->height == plan->desc.image_height);
    vrs_preprocess_fill_bars(plan, tensor, luma);
    for (int32_t y = 0; y < plan->content.height; y++) {
        for (int32_t x = 0; x < plan->content.width; x++) {
            double component[3] = {0.0};
            for (int i = 0; i < plan->components; i++)
                component[i] = resized(plan, image, &plan->component[i], x, y);
            vrs_preprocess_finish(plan, component, tensor, luma, plan->content.x + x,
                                  plan->content.y + y);
        }
    }
}

void vrs_kernels_fill_reference_preprocess(vrs_kernels *table)
{
    table->name = "reference";
    table->preprocess = vrs_preprocess_reference;
}
