#include "vr/projection.h"

#include <math.h>

#define PI 3.14159265358979323846

bool vrs_is_spherical(const vrs_layout *layout)
{
    return layout->projection == VRS_PROJECTION_EQUIRECT ||
           layout->projection == VRS_PROJECTION_HALF_EQUIRECT ||
           layout->projection == VRS_PROJECTION_FISHEYE;
}

bool vrs_goes_around(const vrs_layout *layout)
{
    return layout->projection == VRS_PROJECTION_EQUIRECT && layout->cut_left == 0.0 &&
           layout->cut_right == 0.0;
}

static bool within(double value)
{
    return value >= 0.0 && value <= 1.0;
}

/* R over the width and over the height of the eye's picture. */
static vrs_uv fisheye_radius(double aspect)
{
    return aspect >= 1.0 ? (vrs_uv){0.5 / aspect, 0.5} : (vrs_uv){0.5, 0.5 * aspect};
}

static bool fisheye_place(const vrs_layout *layout, double aspect, vrs_direction d, vrs_uv *place)
{
    const vrs_uv radius = fisheye_radius(aspect);
    const double across = hypot(d.x, d.y);
    const double r = atan2(across, d.z) / (layout->fov * PI / 360.0);
    /* Straight behind, every way is as far. */
    const double scale = across > 0.0 ? r / across : 0.0;
    place->u = 0.5 + radius.u * scale * d.x + (across > 0.0 || d.z > 0.0 ? 0.0 : radius.u * r);
    place->v = 0.5 - radius.v * scale * d.y;
    return r <= 1.0;
}

bool vrs_place_of(const vrs_layout *layout, double aspect, vrs_direction d, vrs_uv *place)
{
    if (layout->projection == VRS_PROJECTION_FISHEYE)
        return fisheye_place(layout, aspect, d, place);
    const double lon = atan2(d.x, d.z), lat = atan2(d.y, hypot(d.x, d.z));
    place->u =
        (lon / (2.0 * PI) + 0.5 - layout->cut_left) / (1.0 - layout->cut_left - layout->cut_right);
    place->v = (0.5 - lat / PI - layout->cut_top) / (1.0 - layout->cut_top - layout->cut_bottom);
    return within(place->u) && within(place->v);
}

bool vrs_direction_of(const vrs_layout *layout, double aspect, vrs_uv place,
                      vrs_direction *direction)
{
    if (layout->projection == VRS_PROJECTION_FISHEYE) {
        const vrs_uv radius = fisheye_radius(aspect);
        const double x = (place.u - 0.5) / radius.u, y = (0.5 - place.v) / radius.v;
        const double r = hypot(x, y), theta = r * layout->fov * PI / 360.0;
        const double scale = r > 0.0 ? sin(theta) / r : 0.0;
        *direction = (vrs_direction){scale * x, scale * y, cos(theta)};
        return r <= 1.0;
    }
    const double turn =
        layout->cut_left + place.u * (1.0 - layout->cut_left - layout->cut_right) - 0.5;
    const double down = layout->cut_top + place.v * (1.0 - layout->cut_top - layout->cut_bottom);
    const double lon = 2.0 * PI * turn, lat = PI * (0.5 - down);
    *direction = (vrs_direction){cos(lat) * sin(lon), sin(lat), cos(lat) * cos(lon)};
    return within(turn + 0.5) && within(down);
}
