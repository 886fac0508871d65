#include "vr/mesh_map.h"

#include <math.h>

#include "base/alloc.h"

#define PI 3.14159265358979323846
/* Entries over the sphere: a third of a degree; and nodes over the picture, both edges included. */
#define COLUMNS 1024
#define ROWS 512
#define NODES 513
/* Neighbours that differ by more than this part of the picture lie on both sides of a seam. */
#define SEAM 0.125F
/* Nodes of a picture that triangles may cover in all: as often as vrs_mesh_table() lets them. */
#define MOST_COVERS 64
/* How far beyond an edge the directions go on. */
#define BEYOND 0.125
/* Latitudes that count as the horizon, of PI. */
#define HORIZON (1.0 / 6)

#define ENTRIES ((size_t)COLUMNS * ROWS)

struct vrs_mesh_map {
    float (*uv)[2];  /* of each entry; where nothing is shown the nearest that is */
    uint8_t *shown;  /* whether it is shown */
    float (*xyz)[3]; /* of each node; 0, 0, 0: no triangle */
    double first, last;
};

/* ---- from directions to places ---- */

/* Has every entry that shows nothing take over the place of the nearest ones that do, ring by ring.
 * `queue`: ENTRIES. */
static void spread(vrs_mesh_map *map, int32_t *queue)
{
    size_t first = 0, last = 0;
    for (size_t i = 0; i < ENTRIES; i++) {
        map->shown[i] = map->uv[i][0] >= 0;
        if (map->shown[i] == 0)
            continue;
        queue[last++] = (int32_t)i;
        for (int k = 0; k < 2; k++) /* a file may say anything */
            map->uv[i][k] = fminf(fmaxf(map->uv[i][k], 0), 1);
    }
    while (first < last) {
        const int32_t at = queue[first++], row = at / COLUMNS, column = at % COLUMNS;
        static const int32_t steps[4][2] = {{0, 1}, {0, COLUMNS - 1}, {1, 0}, {-1, 0}};
        for (int k = 0; k < 4; k++) {
            const int32_t y = row + steps[k][0], x = (column + steps[k][1]) % COLUMNS;
            const size_t to = (size_t)y * COLUMNS + (size_t)x;
            if (y < 0 || y >= ROWS || map->uv[to][0] >= 0)
                continue;
            map->uv[to][0] = map->uv[at][0];
            map->uv[to][1] = map->uv[at][1];
            queue[last++] = (int32_t)to;
        }
    }
}

static vrs_status find_shown(vrs_mesh_map *map)
{
    const int32_t top = (int32_t)(ROWS * (0.5 - HORIZON)), bottom = ROWS - top;
    int32_t first = COLUMNS, last = -1;
    for (int32_t y = top; y < bottom; y++)
        for (int32_t x = 0; x < COLUMNS; x++)
            if (map->shown[(size_t)y * COLUMNS + (size_t)x] != 0) {
                first = x < first ? x : first;
                last = x > last ? x : last;
            }
    if (last < 0)
        return vrs_fail(VRS_UNSUPPORTED,
                        "mesh of the projection (mshp): it shows nothing around the horizon");
    map->first = 2 * PI * ((double)first / COLUMNS - 0.5);
    map->last = 2 * PI * ((last + 1.0) / COLUMNS - 0.5);
    return VRS_OK;
}

static int32_t hold(int32_t value, int32_t most)
{
    return value < 0 ? 0 : (value > most ? most : value);
}

bool vrs_mesh_place_of(const vrs_mesh_map *map, vrs_direction d, vrs_uv *place)
{
    const double x = COLUMNS * (atan2(d.x, d.z) / (2 * PI) + 0.5) - 0.5;
    const double y = ROWS * (0.5 - atan2(d.y, hypot(d.x, d.z)) / PI) - 0.5;
    const int32_t left = (int32_t)floor(x), upper = (int32_t)floor(y);
    const double across = x - left, down = y - upper;
    const size_t rows[2] = {(size_t)hold(upper, ROWS - 1) * COLUMNS,
                            (size_t)hold(upper + 1, ROWS - 1) * COLUMNS};
    const size_t columns[2] = {(size_t)((left + COLUMNS) % COLUMNS),
                               (size_t)((left + 1) % COLUMNS)};
    const float *corners[4] = {map->uv[rows[0] + columns[0]], map->uv[rows[0] + columns[1]],
                               map->uv[rows[1] + columns[0]], map->uv[rows[1] + columns[1]]};
    const int near = (down >= 0.5 ? 2 : 0) + (across >= 0.5 ? 1 : 0);
    const size_t nearest = rows[near / 2] + columns[near % 2];
    *place = (vrs_uv){corners[near][0], corners[near][1]};
    bool seam = false;
    for (int k = 0; k < 4; k++)
        seam = seam || fabsf(corners[k][0] - corners[near][0]) > SEAM ||
               fabsf(corners[k][1] - corners[near][1]) > SEAM;
    if (!seam) {
        double *const to[2] = {&place->u, &place->v};
        for (int i = 0; i < 2; i++) {
            const double above = corners[0][i] * (1 - across) + corners[1][i] * across;
            const double below = corners[2][i] * (1 - across) + corners[3][i] * across;
            *to[i] = above * (1 - down) + below * down;
        }
    }
    return map->shown[nearest] != 0;
}

/* ---- and back ---- */

static double cross(double ax, double ay, double bx, double by)
{
    return ax * by - ay * bx;
}

/* All nodes in a triangle of the picture; counts those that are looked at off `left`. */
static void cover(vrs_mesh_map *map, const vrs_mesh_vertex *const p[3], int64_t *left)
{
    const double ax = p[1]->u - p[0]->u, ay = p[1]->v - p[0]->v;
    const double bx = p[2]->u - p[0]->u, by = p[2]->v - p[0]->v;
    const double whole = cross(ax, ay, bx, by), slack = 1e-6;
    const double edge = NODES - 1;
    const double least_u = (double)fminf(p[0]->u, fminf(p[1]->u, p[2]->u));
    const double most_u = (double)fmaxf(p[0]->u, fmaxf(p[1]->u, p[2]->u));
    const double least_v = (double)fminf(p[0]->v, fminf(p[1]->v, p[2]->v));
    const double most_v = (double)fmaxf(p[0]->v, fmaxf(p[1]->v, p[2]->v));
    if (!(fabs(whole) > 1e-15) || most_u < 0 || most_v < 0 || least_u > 1 || least_v > 1)
        return;
    const int32_t x0 = (int32_t)ceil(fmax(0, least_u) * edge - 1e-3);
    const int32_t x1 = (int32_t)floor(fmin(1, most_u) * edge + 1e-3);
    const int32_t y0 = (int32_t)ceil(fmax(0, least_v) * edge - 1e-3);
    const int32_t y1 = (int32_t)floor(fmin(1, most_v) * edge + 1e-3);
    for (int32_t y = y0; y <= y1 && *left >= 0; y++)
        for (int32_t x = x0; x <= x1; x++, --*left) {
            const double dx = x / edge - p[0]->u, dy = y / edge - p[0]->v;
            const double b = cross(dx, dy, bx, by) / whole, c = cross(ax, ay, dx, dy) / whole;
            const double a = 1 - b - c;
            if (a < -slack || b < -slack || c < -slack)
                continue;
            const double d[3] = {a * p[0]->x + b * p[1]->x + c * p[2]->x,
                                 a * p[0]->y + b * p[1]->y + c * p[2]->y,
                                 a * p[0]->z + b * p[1]->z + c * p[2]->z};
            const double length = sqrt(d[0] * d[0] + d[1] * d[1] + d[2] * d[2]);
            float *node = map->xyz[(size_t)y * NODES + (size_t)x];
            for (int i = 0; i < 3 && length > 1e-9; i++)
                node[i] = (float)(d[i] / length);
        }
}

static const float *node_at(const vrs_mesh_map *map, int32_t x, int32_t y)
{
    return map->xyz[(size_t)y * NODES + (size_t)x];
}

static bool is_there(const float *node)
{
    return node[0] != 0 || node[1] != 0 || node[2] != 0;
}

bool vrs_mesh_direction_of(const vrs_mesh_map *map, vrs_uv place, vrs_direction *direction)
{
    const double u = fmax(-BEYOND, fmin(1 + BEYOND, place.u)) * (NODES - 1);
    const double v = fmax(-BEYOND, fmin(1 + BEYOND, place.v)) * (NODES - 1);
    const int32_t x = hold((int32_t)floor(u), NODES - 2), y = hold((int32_t)floor(v), NODES - 2);
    const float *corners[4] = {node_at(map, x, y), node_at(map, x + 1, y), node_at(map, x, y + 1),
                               node_at(map, x + 1, y + 1)};
    const double across = u - x, down = v - y;
    double d[3];
    for (int k = 0; k < 4; k++)
        if (!is_there(corners[k]))
            return false;
    for (int i = 0; i < 3; i++) {
        const double above = corners[0][i] * (1 - across) + corners[1][i] * across;
        const double below = corners[2][i] * (1 - across) + corners[3][i] * across;
        d[i] = above * (1 - down) + below * down;
    }
    const double length = sqrt(d[0] * d[0] + d[1] * d[1] + d[2] * d[2]);
    if (!(length > 1e-6))
        return false;
    *direction = (vrs_direction){d[0] / length, d[1] / length, d[2] / length};
    return true;
}

/* ---- made ---- */

static vrs_status fill(const vrs_mesh_eye *eye, vrs_mesh_map *map)
{
    int64_t left = (int64_t)NODES * NODES * MOST_COVERS;
    int32_t *queue = vrs_alloc_array(ENTRIES, sizeof(*queue));
    map->uv = vrs_alloc_array(ENTRIES, sizeof(*map->uv));
    map->shown = vrs_alloc(ENTRIES);
    map->xyz = vrs_alloc_array((size_t)NODES * NODES, sizeof(*map->xyz));
    if (queue == NULL || map->uv == NULL || map->shown == NULL || map->xyz == NULL) {
        vrs_free(queue);
        return VRS_NO_MEMORY;
    }
    vrs_mesh_table(eye, COLUMNS, ROWS, map->uv);
    spread(map, queue);
    vrs_free(queue);
    for (int32_t i = 0; i < eye->triangle_count && left >= 0; i++) {
        const vrs_mesh_vertex *const corners[3] = {&eye->vertices[eye->triangles[i][0]],
                                                   &eye->vertices[eye->triangles[i][1]],
                                                   &eye->vertices[eye->triangles[i][2]]};
        cover(map, corners, &left);
    }
    return find_shown(map);
}

vrs_status vrs_mesh_map_create(const vrs_mesh_eye *eye, vrs_mesh_map **map)
{
    vrs_mesh_map *made = vrs_alloc(sizeof(*made));
    vrs_status status = made == NULL ? VRS_NO_MEMORY : fill(eye, made);
    if (status != VRS_OK) {
        vrs_mesh_map_destroy(made);
        return status;
    }
    *map = made;
    return VRS_OK;
}

void vrs_mesh_map_destroy(vrs_mesh_map *map)
{
    if (map == NULL)
        return;
    vrs_free(map->uv);
    vrs_free(map->shown);
    vrs_free(map->xyz);
    vrs_free(map);
}

void vrs_mesh_shown(const vrs_mesh_map *map, double *first, double *last)
{
    *first = map->first;
    *last = map->last;
}
