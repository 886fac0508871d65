#include <math.h>

#include "image/format.h"

/* Lines from which an untagged picture is taken for high definition. */
#define HD_LINES 720

static vrs_matrix resolve_matrix(const vrs_image *image)
{
    const vrs_format_info *info = vrs_format_get(image->format);
    if (info == NULL || !info->is_yuv)
        return VRS_MATRIX_RGB;
    switch ((int)image->color.matrix) {
    case VRS_MATRIX_BT709:
        return VRS_MATRIX_BT709;
    case 5: /* BT.470BG: the coefficients of BT.601 */
    case VRS_MATRIX_BT601:
        return VRS_MATRIX_BT601;
    case VRS_MATRIX_BT2020:
        return VRS_MATRIX_BT2020;
    default:
        return image->height >= HD_LINES ? VRS_MATRIX_BT709 : VRS_MATRIX_BT601;
    }
}

vrs_color vrs_color_resolve(const vrs_image *image)
{
    const vrs_format_info *info = vrs_format_get(image->format);
    vrs_color color = image->color;
    color.matrix = resolve_matrix(image);
    if (color.range != VRS_RANGE_LIMITED && color.range != VRS_RANGE_FULL)
        color.range = info != NULL && info->is_yuv ? VRS_RANGE_LIMITED : VRS_RANGE_FULL;
    if (color.transfer != VRS_TRANSFER_PQ && color.transfer != VRS_TRANSFER_HLG)
        color.transfer = VRS_TRANSFER_BT709;
    if (color.chroma_site != VRS_CHROMA_CENTER && color.chroma_site != VRS_CHROMA_TOP_LEFT)
        color.chroma_site = VRS_CHROMA_LEFT;
    return color;
}

/* Kr, Kg, Kb: weights of R', G', B' in Y' (H.273, table 4). */
static void luma_weights(vrs_matrix matrix, double k[3])
{
    k[0] = 0.2126;
    k[2] = 0.0722;
    if (matrix == VRS_MATRIX_BT601) {
        k[0] = 0.299;
        k[2] = 0.114;
    } else if (matrix == VRS_MATRIX_BT2020) {
        k[0] = 0.2627;
        k[2] = 0.0593;
    }
    k[1] = 1.0 - k[0] - k[2];
}

/* Code values of black and the span to white; of neutral chroma and the span of 1.0 of it. */
typedef struct code_range {
    double black, luma_span, neutral, chroma_span;
} code_range;

static code_range get_code_range(vrs_color color, int32_t depth)
{
    const double unit = ldexp(1.0, depth - 8);
    const double peak = ldexp(1.0, depth) - 1.0;
    code_range range = {0.0, peak, 128.0 * unit, peak};
    if (color.range == VRS_RANGE_LIMITED)
        range = (code_range){16.0 * unit, 219.0 * unit, 128.0 * unit, 224.0 * unit};
    return range;
}

vrs_color_matrix vrs_color_to_rgb(vrs_color resolved, int32_t depth)
{
    const code_range range = get_code_range(resolved, depth);
    double ycc[3][3] = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}};
    double zero[3] = {range.black, range.black, range.black};
    double span[3] = {range.luma_span, range.luma_span, range.luma_span};
    if (resolved.matrix != VRS_MATRIX_RGB) {
        double k[3];
        luma_weights(resolved.matrix, k);
        const double cb = 2.0 * (1.0 - k[2]);
        const double cr = 2.0 * (1.0 - k[0]);
        const double rows[3][3] = {
            {1.0, 0.0, cr}, {1.0, -cb * k[2] / k[1], -cr * k[0] / k[1]}, {1.0, cb, 0.0}};
        for (int i = 0; i < 9; i++)
            ycc[i / 3][i % 3] = rows[i / 3][i % 3];
        zero[1] = zero[2] = range.neutral;
        span[1] = span[2] = range.chroma_span;
    }
    vrs_color_matrix matrix;
    for (int row = 0; row < 3; row++) {
        double offset = 0.0;
        for (int column = 0; column < 3; column++) {
            const double weight = ycc[row][column] / span[column];
            matrix.m[row][column] = (float)weight;
            offset -= weight * zero[column];
        }
        matrix.m[row][3] = (float)offset;
    }
    return matrix;
}

static int32_t to_code(double value, int32_t depth)
{
    const double peak = ldexp(1.0, depth) - 1.0;
    return (int32_t)floor(fmin(fmax(value, 0.0), peak) + 0.5);
}

void vrs_color_from_rgb8(vrs_color resolved, int32_t depth, const uint8_t rgb[3], int32_t ycc[3])
{
    const code_range range = get_code_range(resolved, depth);
    const double unit[3] = {rgb[0] / 255.0, rgb[1] / 255.0, rgb[2] / 255.0};
    if (resolved.matrix == VRS_MATRIX_RGB) {
        for (int i = 0; i < 3; i++)
            ycc[i] = to_code(range.black + unit[i] * range.luma_span, depth);
        return;
    }
    double k[3];
    luma_weights(resolved.matrix, k);
    const double luma = k[0] * unit[0] + k[1] * unit[1] + k[2] * unit[2];
    const double cb = (unit[2] - luma) / (2.0 * (1.0 - k[2]));
    const double cr = (unit[0] - luma) / (2.0 * (1.0 - k[0]));
    ycc[0] = to_code(range.black + luma * range.luma_span, depth);
    ycc[1] = to_code(range.neutral + cb * range.chroma_span, depth);
    ycc[2] = to_code(range.neutral + cr * range.chroma_span, depth);
}
