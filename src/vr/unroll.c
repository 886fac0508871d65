#include "vr/unroll.h"

#include <math.h>

#define PI 3.14159265358979323846
#define ONE 256.0 /* 2^VRS_UNROLL_BITS */
/* From these sizes on positions bend little within a cell of 4, and of 8 pixels. */
#define MIDDLE 768
#define LARGE 3072

bool vrs_can_unroll(const vrs_layout *layout)
{
    return layout->projection == VRS_PROJECTION_EQUIRECT ||
           layout->projection == VRS_PROJECTION_HALF_EQUIRECT;
}

int32_t vrs_unroll_cell(int32_t width, int32_t height)
{
    const int32_t least = width < height ? width : height;
    return least >= LARGE ? 3 : least >= MIDDLE ? 2 : 0;
}

int64_t vrs_unroll_nodes(int32_t width, int32_t height)
{
    const int32_t cell = vrs_unroll_cell(width, height);
    return ((int64_t)(width >> cell) + 2) * ((height >> cell) + 2);
}

/* The place in an equirectangular picture of what a fisheye's point shows; x to the right and y up,
 * in units of its radius. Nodes outside of the circle go on by the same formula, half around. */
static void place_of(const vrs_layout *layout, double x, double y, double *u, double *v)
{
    const double r = hypot(x, y), theta = fmin(r * VRS_UNROLL_FOV * PI / 360, PI * 0.75);
    const double share = r > 0 ? sin(theta) / r : 0;
    const double lon = atan2(share * x, cos(theta));
    const double lat = asin(fmax(-1, fmin(1, share * y)));
    *u = (lon / (2 * PI) + 0.5 - layout->cut_left) / (1 - layout->cut_left - layout->cut_right);
    *v = (0.5 - lat / PI - layout->cut_top) / (1 - layout->cut_top - layout->cut_bottom);
}

void vrs_unroll_fill(const vrs_layout *layout, int32_t width, int32_t height, int32_t *grid)
{
    const int32_t cell = vrs_unroll_cell(width, height);
    const int32_t columns = (width >> cell) + 2, rows = (height >> cell) + 2;
    const double radius = (width < height ? width : height) / 2.0, most = VRS_MAX_SIDE;
    for (int32_t j = 0; j < rows; j++)
        for (int32_t i = 0; i < columns; i++) {
            double u, v;
            place_of(layout, ((i << cell) + 0.5 - width / 2.0) / radius,
                     (height / 2.0 - (j << cell) - 0.5) / radius, &u, &v);
            u = fmax(-most, fmin(2 * most, u * width - 0.5));
            v = fmax(-most, fmin(2 * most, v * height - 0.5));
            grid[2 * (j * columns + i)] = (int32_t)floor(u * ONE + 0.5);
            grid[2 * (j * columns + i) + 1] = (int32_t)floor(v * ONE + 0.5);
        }
}
