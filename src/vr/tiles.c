#include "vr/tiles.h"

#include <math.h>

#define PI 3.14159265358979323846
#define EDGE_POINTS 256 /* on each edge of a tile, to find what it covers */
#define MESH_POINTS 64  /* a side within it, where a mesh does the projection */

bool vrs_eye_is_spherical(const vrs_eye *eye)
{
    return eye->map != NULL || vrs_is_spherical(&eye->layout);
}

/* As of projection.h. */
static bool place_of(const vrs_eye *eye, vrs_direction d, vrs_uv *place)
{
    return eye->map != NULL ? vrs_mesh_place_of(eye->map, d, place)
                            : vrs_place_of(&eye->layout, eye->aspect, d, place);
}

/* What a place looks at; beyond a picture's edges the formula goes on, a mesh a little: cells at an
 * edge have corners there. False: nobody knows. */
static bool direction_of(const vrs_eye *eye, vrs_uv place, vrs_direction *d)
{
    if (eye->map != NULL)
        return vrs_mesh_direction_of(eye->map, place, d);
    (void)vrs_direction_of(&eye->layout, eye->aspect, place, d);
    return true;
}

double vrs_eye_aspect(const vrs_layout *layout, vrs_rect rect)
{
    const bool sbs = layout->stereo == VRS_STEREO_SBS, tb = layout->stereo == VRS_STEREO_TB;
    const double width = layout->squeezed && sbs ? 2.0 * rect.width : rect.width;
    const double height = layout->squeezed && tb ? 2.0 * rect.height : rect.height;
    return width / height;
}

static vrs_direction turned(const vrs_tile *tile, double x, double y)
{
    const double up = y * cos(tile->pitch) + sin(tile->pitch);
    const double ahead = cos(tile->pitch) - y * sin(tile->pitch);
    return (vrs_direction){x * cos(tile->yaw) + ahead * sin(tile->yaw), up,
                           ahead * cos(tile->yaw) - x * sin(tile->yaw)};
}

bool vrs_tile_place(const vrs_eye *eye, const vrs_tile *tile, double s, double t, vrs_uv *place)
{
    if (!vrs_eye_is_spherical(eye)) {
        *place = (vrs_uv){tile->left + s * tile->width, tile->top + t * tile->height};
        return place->u >= 0.0 && place->u <= 1.0 && place->v >= 0.0 && place->v <= 1.0;
    }
    const vrs_direction d =
        turned(tile, (2.0 * s - 1.0) * tile->tan_x, (1.0 - 2.0 * t) * tile->tan_y);
    return place_of(eye, d, place);
}

/* Of a direction. */
static bool find_direction(const vrs_tile *tile, vrs_direction d, double *s, double *t)
{
    const double x = d.x * cos(tile->yaw) - d.z * sin(tile->yaw);
    const double level = d.x * sin(tile->yaw) + d.z * cos(tile->yaw);
    const double y = d.y * cos(tile->pitch) - level * sin(tile->pitch);
    const double z = d.y * sin(tile->pitch) + level * cos(tile->pitch);
    if (z <= 1e-9)
        return false;
    *s = 0.5 + 0.5 * x / (z * tile->tan_x);
    *t = 0.5 - 0.5 * y / (z * tile->tan_y);
    return true;
}

bool vrs_tile_find(const vrs_eye *eye, const vrs_tile *tile, vrs_uv place, double *s, double *t)
{
    if (!vrs_eye_is_spherical(eye)) {
        *s = (place.u - tile->left) / tile->width;
        *t = (place.v - tile->top) / tile->height;
        return true;
    }
    vrs_direction d;
    return direction_of(eye, place, &d) && find_direction(tile, d, s, t);
}

static double hold(double value, double low, double high)
{
    return value < low ? low : (value > high ? high : value);
}

void vrs_warp_fill(const vrs_eye *eye, const vrs_tile *tile, int32_t width, int32_t height,
                   int32_t *positions)
{
    const double one = (double)(1 << VRS_WARP_BITS);
    const vrs_rect *r = &eye->rect;
    for (int32_t y = 0; y <= height; y++) {
        for (int32_t x = 0; x <= width; x++) {
            vrs_uv place;
            (void)vrs_tile_place(eye, tile, (double)x / width, (double)y / height, &place);
            positions[0] = (int32_t)lrint(one * (r->x + r->width * hold(place.u, -1.0, 2.0)));
            positions[1] = (int32_t)lrint(one * (r->y + r->height * hold(place.v, -1.0, 2.0)));
            positions += 2;
        }
    }
}

/* The longer way in pixels of the frame from one place to another, across or down. */
static double way(const vrs_eye *eye, vrs_uv a, vrs_uv b)
{
    double across = fabs(a.u - b.u);
    if (vrs_goes_around(&eye->layout))
        across = fmin(across, 1.0 - across);
    return fmax(across * eye->rect.width, fabs(a.v - b.v) * eye->rect.height);
}

int32_t vrs_warp_samples(const vrs_eye *eye, const vrs_tile *tile, int32_t width, int32_t height)
{
    vrs_uv left, right, up, down;
    const double s = 0.5 / width, t = 0.5 / height;
    (void)vrs_tile_place(eye, tile, 0.5 - s, 0.5, &left);
    (void)vrs_tile_place(eye, tile, 0.5 + s, 0.5, &right);
    (void)vrs_tile_place(eye, tile, 0.5, 0.5 - t, &up);
    (void)vrs_tile_place(eye, tile, 0.5, 0.5 + t, &down);
    const double most = fmax(way(eye, left, right), way(eye, up, down));
    int32_t bits = 0;
    while (bits < 3 && (double)(1 << bits) < most - 0.25)
        bits++;
    return bits;
}

/* Where an edge of the frame's scale lies in the target's. */
static double scaled(double edge, int32_t from, int32_t to)
{
    return edge * to / from;
}

static void include(const vrs_eye *eye, const vrs_tile *tile, double s, double t, vrs_uv least[2])
{
    vrs_uv place;
    (void)vrs_tile_place(eye, tile, s, t, &place);
    least[0].u = fmin(least[0].u, place.u);
    least[0].v = fmin(least[0].v, place.v);
    least[1].u = fmax(least[1].u, place.u);
    least[1].v = fmax(least[1].v, place.v);
}

/* Least and greatest u and v that the tile's edges reach; what they surround lies between, but for
 * a pole and for the seam of a whole turn. */
static void find_bounds(const vrs_eye *eye, const vrs_tile *tile, vrs_uv bound[2])
{
    bound[0] = (vrs_uv){1.0, 1.0};
    bound[1] = (vrs_uv){0.0, 0.0};
    for (int i = 0; i <= EDGE_POINTS; i++) {
        const double at = (double)i / EDGE_POINTS;
        include(eye, tile, at, 0.0, bound);
        include(eye, tile, at, 1.0, bound);
        include(eye, tile, 0.0, at, bound);
        include(eye, tile, 1.0, at, bound);
    }
    /* A mesh ends anywhere: what is inside may reach further than what is at the edges. */
    for (int row = 1; row < MESH_POINTS && eye->map != NULL; row++)
        for (int column = 1; column < MESH_POINTS; column++)
            include(eye, tile, (double)column / MESH_POINTS, (double)row / MESH_POINTS, bound);
    if (eye->map != NULL || eye->layout.projection == VRS_PROJECTION_FISHEYE ||
        !vrs_is_spherical(&eye->layout))
        return;
    for (int pole = -1; pole <= 1; pole += 2) {
        double s = 0.0, t = 0.0;
        if (find_direction(tile, (vrs_direction){0.0, pole, 0.0}, &s, &t) && s >= 0.0 && s <= 1.0 &&
            t >= 0.0 && t <= 1.0) {
            bound[pole < 0 ? 1 : 0].v = pole < 0 ? 1.0 : 0.0;
            bound[0].u = 0.0;
            bound[1].u = 1.0;
        }
    }
    /* A tile is narrower than half a turn. */
    if (bound[1].u - bound[0].u > 0.5 && vrs_goes_around(&eye->layout)) {
        bound[0].u = 0.0;
        bound[1].u = 1.0;
    }
}

/* Edges are widened: by what an edge bends between two of its points, and by a pixel. */
static void cut_span(double low, double high, int32_t begin, int32_t size, int32_t from, int32_t to,
                     int32_t *first, int32_t *count)
{
    const double slack = (high - low) / EDGE_POINTS;
    const int32_t least = (int32_t)lrint(scaled(begin, from, to));
    const int32_t most = (int32_t)lrint(scaled((double)begin + size, from, to));
    const double a = scaled(begin + size * hold(low - slack, 0.0, 1.0), from, to);
    const double b = scaled(begin + size * hold(high + slack, 0.0, 1.0), from, to);
    int32_t x0 = (int32_t)floor(a) - 1, x1 = (int32_t)ceil(b) + 1;
    x0 = x0 < least ? least : x0;
    x1 = x1 > most ? most : x1;
    *first = x0;
    *count = x1 > x0 ? x1 - x0 : 0;
}

vrs_rect vrs_patch_rect(const vrs_eye *eye, const vrs_tile *tile, int32_t frame_width,
                        int32_t frame_height, int32_t target_width, int32_t target_height)
{
    vrs_uv bound[2];
    vrs_rect rect;
    find_bounds(eye, tile, bound);
    cut_span(bound[0].u, bound[1].u, eye->rect.x, eye->rect.width, frame_width, target_width,
             &rect.x, &rect.width);
    cut_span(bound[0].v, bound[1].v, eye->rect.y, eye->rect.height, frame_height, target_height,
             &rect.y, &rect.height);
    if (rect.width == 0 || rect.height == 0)
        rect.width = rect.height = 0;
    return rect;
}

static size_t corners(int32_t side)
{
    return ((size_t)side + VRS_PATCH_CELL - 1) / VRS_PATCH_CELL + 1;
}

size_t vrs_patch_pairs(vrs_rect rect)
{
    return corners(rect.width) * corners(rect.height);
}

void vrs_patch_fill(const vrs_eye *eye, const vrs_tile *tile, vrs_rect rect, int32_t frame_width,
                    int32_t frame_height, int32_t target_width, int32_t target_height,
                    int32_t width, int32_t height, int32_t *positions)
{
    const size_t columns = corners(rect.width), rows = corners(rect.height);
    for (size_t j = 0; j < rows; j++) {
        const double y = rect.y + (double)(j * VRS_PATCH_CELL);
        const double v = (scaled(y, target_height, frame_height) - eye->rect.y) / eye->rect.height;
        for (size_t i = 0; i < columns; i++) {
            const double x = rect.x + (double)(i * VRS_PATCH_CELL);
            const vrs_uv place = {
                (scaled(x, target_width, frame_width) - eye->rect.x) / eye->rect.width, v};
            double s = 0.0, t = 0.0;
            const bool found = vrs_tile_find(eye, tile, place, &s, &t);
            const bool near =
                fabs(s * width) <= VRS_PATCH_MOST && fabs(t * height) <= VRS_PATCH_MOST;
            const double one = (double)(1 << VRS_PATCH_BITS);
            positions[0] = found && near ? (int32_t)lrint(s * width * one) : VRS_PATCH_NONE;
            positions[1] = found && near ? (int32_t)lrint(t * height * one) : VRS_PATCH_NONE;
            positions += 2;
        }
    }
}

/* How wide the picture is around the horizon, and its middle to the right of ahead; degrees. */
static double shown_across(const vrs_eye *eye, double *middle)
{
    const vrs_layout *layout = &eye->layout;
    *middle = 0.0;
    if (eye->map != NULL) {
        double first, last;
        vrs_mesh_shown(eye->map, &first, &last);
        *middle = (first + last) * 90.0 / PI;
        return (last - first) * 180.0 / PI;
    }
    if (layout->projection == VRS_PROJECTION_FISHEYE)
        return fmin(layout->fov, 200.0);
    *middle = 180.0 * (layout->cut_left - layout->cut_right);
    return 360.0 * (1.0 - layout->cut_left - layout->cut_right);
}

/* A picture that goes around has no ends, whatever its projection: a mesh always has. */
static bool goes_around(const vrs_eye *eye)
{
    return eye->map == NULL && vrs_goes_around(&eye->layout);
}

/* The horizon is at eye level; feet are further below it than heads above. */
#define RING_PITCH (-10.0)
/* Of a tile's angle, from one tile to the next. */
#define RING_STEP 0.75
#define WIDEST 110.0

int32_t vrs_tiles_ring(const vrs_eye *eye, double fov, vrs_tile tiles[VRS_MAX_TILES])
{
    if (!vrs_eye_is_spherical(eye))
        return 0;
    double middle;
    const bool around = goes_around(eye);
    const double all = shown_across(eye, &middle);
    /* Tiles that stand open at both ends cover a step less. */
    const double steps = around ? all / RING_STEP : (all - fov) / RING_STEP;
    int32_t count = (int32_t)ceil(steps / fov - 1e-9) + (around ? 0 : 1);
    count = count < 1 ? 1 : (count > VRS_MAX_TILES ? VRS_MAX_TILES : count);
    const double least = around ? all / (RING_STEP * count) : all / (1.0 + RING_STEP * (count - 1));
    const double wide = fmin(fmax(fov, least), WIDEST);
    const double step = around ? all / count : (count > 1 ? (all - wide) / (count - 1) : 0.0);
    for (int32_t i = 0; i < count; i++) {
        const double yaw = middle + step * (i - 0.5 * (count - 1));
        const double half = tan(wide * PI / 360.0);
        tiles[i] = (vrs_tile){.yaw = yaw * PI / 180.0,
                              .pitch = RING_PITCH * PI / 180.0,
                              .tan_x = half,
                              .tan_y = half};
    }
    return count;
}

#define FLAT_SIDE 0.4
#define FLAT_STEPS 4
#define LOWEST (-45.0)
#define HIGHEST 20.0

static int32_t flat_places(vrs_tile tiles[VRS_TILE_PLACES])
{
    const double step = (1.0 - FLAT_SIDE) / (FLAT_STEPS - 1);
    for (int32_t i = 0; i < FLAT_STEPS * FLAT_STEPS; i++) {
        const int32_t row = i / FLAT_STEPS;
        tiles[i] = (vrs_tile){.left = step * (i % FLAT_STEPS),
                              .top = step * row,
                              .width = FLAT_SIDE,
                              .height = FLAT_SIDE};
    }
    return FLAT_STEPS * FLAT_STEPS;
}

/* Steps of at most `step` from one end to the other. */
static int32_t steps_between(double span, double step)
{
    return span <= 0.0 ? 0 : (int32_t)ceil(span / step - 1e-9);
}

int32_t vrs_tiles_places(const vrs_eye *eye, double fov, vrs_tile tiles[VRS_TILE_PLACES])
{
    if (!vrs_eye_is_spherical(eye))
        return flat_places(tiles);
    double middle;
    const bool around = goes_around(eye);
    const double all = shown_across(eye, &middle);
    int32_t columns, rows;
    for (;;) {
        const double span = around ? all : all - fov;
        columns = steps_between(span, fov / 2.0) + (around ? 0 : 1);
        rows = steps_between(HIGHEST - LOWEST - fov / 2.0, fov / 2.0) + 1;
        if (columns * rows <= VRS_TILE_PLACES || fov >= WIDEST)
            break;
        fov += 1.0;
    }
    columns = columns * rows > VRS_TILE_PLACES ? VRS_TILE_PLACES / rows : columns;
    const double across =
        around ? all / columns : (columns > 1 ? (all - fov) / (columns - 1) : 0.0);
    const double low = LOWEST + fov / 4.0, high = HIGHEST - fov / 4.0;
    const double half = tan(fov * PI / 360.0);
    for (int32_t i = 0; i < columns * rows; i++) {
        const int32_t row = i / columns;
        const double up = rows > 1 ? low + (high - low) * row / (rows - 1) : RING_PITCH;
        const double yaw = middle + across * (i % columns - 0.5 * (columns - 1));
        tiles[i] = (vrs_tile){
            .yaw = yaw * PI / 180.0, .pitch = up * PI / 180.0, .tan_x = half, .tan_y = half};
    }
    return columns * rows;
}
