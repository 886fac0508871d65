/* What a mesh looks like: a projection by formula, or a table. */
#include <math.h>

#include "vr/layout_words.h"
#include "vr/mesh.h"

#define PI 3.14159265358979323846
/* A quarter of a degree. */
#define NEAR_ENOUGH (PI / 720)
/* Near the poles a longitude says little of a direction. */
#define MOST_LATITUDE (80 * PI / 180)
/* Triangles of a real mesh cover the sphere about once: of one that does it more often than so,
 * the rest is left out. */
#define MOST_COVERS 64

typedef struct direction {
    double x, y, z;
} direction;

/* A straight line through points: sums of them. */
typedef struct line {
    double n, x, y, xx, xy;
} line;

static void add_point(line *l, double x, double y)
{
    l->n += 1;
    l->x += x;
    l->y += y;
    l->xx += x * x;
    l->xy += x * y;
}

/* y = slope x + offset with the least squares; false: all points have one x. */
static bool fit(const line *l, double *slope, double *offset)
{
    double det = l->n * l->xx - l->x * l->x;
    if (!(det > 1e-9))
        return false;
    *slope = (l->n * l->xy - l->x * l->y) / det;
    *offset = (l->y - *slope * l->x) / l->n;
    return true;
}

/* The angle between where a vertex looks and a direction. */
static double angle(const vrs_mesh_vertex *p, direction d)
{
    double x = p->x - d.x, y = p->y - d.y, z = p->z - d.z;
    return 2 * asin(fmin(1, sqrt(x * x + y * y + z * z) / 2));
}

static direction at_place(double lon, double lat)
{
    return (direction){cos(lat) * sin(lon), sin(lat), cos(lat) * cos(lon)};
}

static double held(double share)
{
    return share > 0 ? share : 0;
}

static bool is_equirect(const vrs_mesh *mesh, vrs_layout *layout)
{
    line across = {0}, down = {0};
    double lon1, lon0, lat1, lat0;
    for (int e = 0; e < mesh->eye_count; e++)
        for (int32_t i = 0; i < mesh->eyes[e].vertex_count; i++) {
            const vrs_mesh_vertex *p = &mesh->eyes[e].vertices[i];
            double lat = asin(fmax(-1, fmin(1, p->y)));
            if (fabs(lat) < MOST_LATITUDE)
                add_point(&across, p->u, atan2((double)p->x, (double)p->z));
            add_point(&down, p->v, lat);
        }
    if (!fit(&across, &lon1, &lon0) || !fit(&down, &lat1, &lat0) || lon1 <= 0 || lat1 >= 0)
        return false;
    for (int e = 0; e < mesh->eye_count; e++)
        for (int32_t i = 0; i < mesh->eyes[e].vertex_count; i++) {
            const vrs_mesh_vertex *p = &mesh->eyes[e].vertices[i];
            if (!(angle(p, at_place(lon0 + lon1 * p->u, lat0 + lat1 * p->v)) <= NEAR_ENOUGH))
                return false;
        }
    const double left = lon0 / (2 * PI) + 0.5, right = 0.5 - (lon0 + lon1) / (2 * PI);
    const double top = 0.5 - lat0 / PI, bottom = 0.5 + (lat0 + lat1) / PI;
    if (left < -0.001 || right < -0.001 || top < -0.001 || bottom < -0.001)
        return false;
    bool half = fabs(left + right - 0.5) < 0.01;
    vrs_layout_put_projection(layout, half ? VRS_PROJECTION_HALF_EQUIRECT : VRS_PROJECTION_EQUIRECT,
                              0, VRS_LENS_NONE);
    layout->cut_left = held(left);
    layout->cut_right = held(right);
    layout->cut_top = held(top);
    layout->cut_bottom = held(bottom);
    return true;
}

static bool is_fisheye(const vrs_mesh *mesh, double width, double height, vrs_layout *layout)
{
    const double radius = fmin(width, height) / 2;
    double sum = 0, squares = 0;
    for (int e = 0; e < mesh->eye_count; e++)
        for (int32_t i = 0; i < mesh->eyes[e].vertex_count; i++) {
            const vrs_mesh_vertex *p = &mesh->eyes[e].vertices[i];
            double r = hypot((p->u - 0.5) * width, (p->v - 0.5) * height) / radius;
            sum += acos(fmax(-1, fmin(1, p->z))) * r;
            squares += r * r;
        }
    const double half = squares > 0 ? sum / squares : 0, fov = half * 360 / PI;
    if (!(fov >= VRS_MIN_FOV && fov <= VRS_MAX_FOV))
        return false;
    for (int e = 0; e < mesh->eye_count; e++)
        for (int32_t i = 0; i < mesh->eyes[e].vertex_count; i++) {
            const vrs_mesh_vertex *p = &mesh->eyes[e].vertices[i];
            double x = (p->u - 0.5) * width / radius, y = (0.5 - p->v) * height / radius;
            double r = hypot(x, y), theta = half * r, share = r > 0 ? sin(theta) / r : 0;
            if (!(angle(p, (direction){share * x, share * y, cos(theta)}) <= NEAR_ENOUGH))
                return false;
        }
    vrs_layout_put_projection(layout, VRS_PROJECTION_FISHEYE, fov, VRS_LENS_NONE);
    return true;
}

void vrs_mesh_simplify(const vrs_mesh *mesh, int32_t width, int32_t height, vrs_layout *layout)
{
    if (mesh == NULL || is_equirect(mesh, layout))
        return;
    (void)is_fisheye(mesh, layout->stereo == VRS_STEREO_SBS ? width / 2.0 : width,
                     layout->stereo == VRS_STEREO_TB ? height / 2.0 : height, layout);
}

/* ---- the table ---- */

typedef struct table {
    int32_t columns, rows;
    float (*uv)[2];
    int64_t left; /* entries that may still be looked at */
} table;

static double det(const double a[3], const double b[3], const double c[3])
{
    return a[0] * (b[1] * c[2] - b[2] * c[1]) - a[1] * (b[0] * c[2] - b[2] * c[0]) +
           a[2] * (b[0] * c[1] - b[1] * c[0]);
}

/* The entry's place, if its direction goes through the triangle. */
static void look(table *t, const vrs_mesh_vertex *const p[3], const double c[3][3], double whole,
                 int32_t row, int32_t column)
{
    const double slack = -1e-9;
    direction d =
        at_place(2 * PI * ((column + 0.5) / t->columns - 0.5), PI * (0.5 - (row + 0.5) / t->rows));
    const double ray[3] = {d.x, d.y, d.z};
    const double w[3] = {det(ray, c[1], c[2]) / whole, det(c[0], ray, c[2]) / whole,
                         det(c[0], c[1], ray) / whole};
    if (w[0] < slack || w[1] < slack || w[2] < slack)
        return;
    const double sum = w[0] + w[1] + w[2];
    float *entry = t->uv[(size_t)row * (size_t)t->columns + (size_t)column];
    entry[0] = (float)((w[0] * p[0]->u + w[1] * p[1]->u + w[2] * p[2]->u) / sum);
    entry[1] = (float)((w[0] * p[0]->v + w[1] * p[1]->v + w[2] * p[2]->v) / sum);
}

/* All entries within the circle around a triangle. */
static void cover(table *t, const vrs_mesh_vertex *const p[3])
{
    double c[3][3], middle[3] = {0}, least = 1;
    for (int k = 0; k < 3; k++) {
        c[k][0] = p[k]->x;
        c[k][1] = p[k]->y;
        c[k][2] = p[k]->z;
        for (int i = 0; i < 3; i++)
            middle[i] += c[k][i];
    }
    const double whole = det(c[0], c[1], c[2]);
    const double length =
        sqrt(middle[0] * middle[0] + middle[1] * middle[1] + middle[2] * middle[2]);
    if (fabs(whole) < 1e-15 || length < 1e-6)
        return;
    for (int k = 0; k < 3; k++)
        least =
            fmin(least, (c[k][0] * middle[0] + c[k][1] * middle[1] + c[k][2] * middle[2]) / length);
    const double reach = acos(fmax(-1, least)), lat = asin(fmax(-1, fmin(1, middle[1] / length)));
    const double lon = atan2(middle[0], middle[2]);
    const double turn = fabs(lat) + reach >= PI / 2 ? PI : asin(fmin(1, sin(reach) / cos(lat)));
    int32_t top = (int32_t)floor((0.5 - (lat + reach) / PI) * t->rows - 1);
    int32_t bottom = (int32_t)ceil((0.5 - (lat - reach) / PI) * t->rows + 1);
    int32_t begin = (int32_t)floor(((lon - turn) / (2 * PI) + 0.5) * t->columns - 1);
    int32_t end = (int32_t)ceil(((lon + turn) / (2 * PI) + 0.5) * t->columns + 1);
    top = top > 0 ? top : 0;
    bottom = bottom < t->rows ? bottom : t->rows;
    end = end - begin > t->columns ? begin + t->columns : end;
    t->left -= (int64_t)(bottom - top) * (end - begin);
    for (int32_t row = top; row < bottom && t->left >= 0; row++)
        for (int32_t column = begin; column < end; column++)
            look(t, p, c, whole, row, (column % t->columns + t->columns) % t->columns);
}

void vrs_mesh_table(const vrs_mesh_eye *eye, int32_t columns, int32_t rows, float (*uv)[2])
{
    table t = {columns, rows, uv, (int64_t)columns * rows * MOST_COVERS};
    for (size_t i = 0; i < (size_t)columns * (size_t)rows; i++)
        uv[i][0] = uv[i][1] = -1;
    for (int32_t i = 0; i < eye->triangle_count && t.left >= 0; i++) {
        const vrs_mesh_vertex *const corners[3] = {&eye->vertices[eye->triangles[i][0]],
                                                   &eye->vertices[eye->triangles[i][1]],
                                                   &eye->vertices[eye->triangles[i][2]]};
        cover(&t, corners);
    }
}
