/* Meshes: read as they were written, simplified where they are a formula, looked up as a table;
 * broken ones are refused with a sentence. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/inject.h"
#include "support/shared.h"
#include "vr/bytes.h"
#include "vr/mesh.h"
#include "vr/mesh_map.h"

#define PI 3.14159265358979323846
#define SIDE 12

static bytes meshes, box; /* static: large */

/* ---- grids, as in files: -z ahead, v upwards ---- */

static void put_direction(double lon, double lat, double u, double v, float xyzuv[5])
{
    xyzuv[0] = (float)(2 * cos(lat) * sin(lon)); /* any length */
    xyzuv[1] = (float)(2 * sin(lat));
    xyzuv[2] = (float)(-2 * cos(lat) * cos(lon));
    xyzuv[3] = (float)u;
    xyzuv[4] = (float)v;
}

static void half_equirect(double u, double v, float xyzuv[5])
{
    put_direction((u - 0.5) * PI, (v - 0.5) * PI, u, v, xyzuv);
}

static void cut_equirect(double u, double v, float xyzuv[5])
{
    put_direction((u - 0.25) * PI, (v - 0.5) * PI * 0.5, u, v, xyzuv);
}

static void fisheye(double u, double v, float xyzuv[5])
{
    const double x = 2 * u - 1, y = 2 * v - 1, r = hypot(x, y), theta = 100 * PI / 180 * r;
    const double share = r > 0 ? sin(theta) / r : 0;
    xyzuv[0] = (float)(share * x);
    xyzuv[1] = (float)(share * y);
    xyzuv[2] = (float)-cos(theta);
    xyzuv[3] = (float)u;
    xyzuv[4] = (float)v;
}

/* As a lens draws: no formula of ours. */
static void bent(double u, double v, float xyzuv[5])
{
    const double x = 2 * u - 1, y = 2 * v - 1, r = hypot(x, y);
    const double theta = 1.2 * r - 0.15 * r * r * r, share = r > 0 ? sin(theta) / r : 0;
    xyzuv[0] = (float)(share * x);
    xyzuv[1] = (float)(share * y);
    xyzuv[2] = (float)-cos(theta);
    xyzuv[3] = (float)u;
    xyzuv[4] = (float)v;
}

static void left_half(double u, double v, float xyzuv[5])
{
    half_equirect(u, v, xyzuv);
    xyzuv[3] = (float)(u / 2);
}

static void right_half(double u, double v, float xyzuv[5])
{
    half_equirect(u, v, xyzuv);
    xyzuv[3] = (float)(u / 2 + 0.5);
}

static void lower_half(double u, double v, float xyzuv[5])
{
    half_equirect(u, v, xyzuv);
    xyzuv[4] = (float)(v / 2);
}

static void upper_half(double u, double v, float xyzuv[5])
{
    half_equirect(u, v, xyzuv);
    xyzuv[4] = (float)(v / 2 + 0.5);
}

static vrs_status read_two(grid_fn left, grid_fn right, bool packed, bool custom, vrs_mesh **mesh)
{
    memset(&meshes, 0, sizeof(meshes));
    memset(&box, 0, sizeof(box));
    put_mesh(&meshes, SIDE, left);
    if (right != NULL)
        put_mesh(&meshes, SIDE, right);
    put_mshp(&box, &meshes, packed);
    return vrs_mesh_read(box.data, box.size, custom, mesh);
}

static void assert_grid(const vrs_mesh_eye *eye, grid_fn fn)
{
    assert_int_equal(eye->vertex_count, (SIDE + 1) * (SIDE + 1));
    assert_int_equal(eye->triangle_count, 2 * SIDE * SIDE);
    for (int i = 0; i < eye->vertex_count; i++) {
        float c[5];
        fn((double)(i % (SIDE + 1)) / SIDE, (double)(i / (SIDE + 1)) / SIDE, c);
        const float length = sqrtf(c[0] * c[0] + c[1] * c[1] + c[2] * c[2]);
        const vrs_mesh_vertex *p = &eye->vertices[i];
        assert_true(fabsf(p->x - c[0] / length) < 1e-6f && fabsf(p->y - c[1] / length) < 1e-6f);
        assert_true(fabsf(p->z + c[2] / length) < 1e-6f);
        assert_true(fabsf(p->u - c[3]) < 1e-6f && fabsf(p->v - (1 - c[4])) < 1e-6f);
    }
}

static void meshes_are_read(void **state)
{
    (void)state;
    for (int packed = 0; packed < 2; packed++) {
        vrs_mesh *mesh = NULL;
        assert_int_equal(read_two(bent, fisheye, packed == 1, false, &mesh), VRS_OK);
        assert_int_equal(mesh->eye_count, 2);
        assert_grid(vrs_mesh_of_eye(mesh, 0), bent);
        assert_grid(vrs_mesh_of_eye(mesh, 1), fisheye);
        assert_false(vrs_mesh_halves(mesh, &(vrs_layout){0}));
        vrs_mesh_destroy(mesh);
        assert_int_equal(read_two(bent, NULL, packed == 1, false, &mesh), VRS_OK);
        assert_ptr_equal(vrs_mesh_of_eye(mesh, 1), vrs_mesh_of_eye(mesh, 0));
        vrs_mesh_destroy(mesh);
    }
    vrs_mesh_destroy(NULL);
}

/* st3d 3: the meshes are of the whole frame. */
static void meshes_of_the_whole_frame_become_the_eyes(void **state)
{
    (void)state;
    static const struct {
        grid_fn left, right;
        vrs_stereo stereo;
        bool swapped;
    } cases[] = {{left_half, right_half, VRS_STEREO_SBS, false},
                 {right_half, left_half, VRS_STEREO_SBS, true},
                 {upper_half, lower_half, VRS_STEREO_TB, false},
                 {lower_half, upper_half, VRS_STEREO_TB, true}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        vrs_mesh *mesh = NULL;
        vrs_layout layout = vrs_layout_flat();
        assert_int_equal(read_two(cases[i].left, cases[i].right, true, true, &mesh), VRS_OK);
        assert_true(vrs_mesh_halves(mesh, &layout));
        assert_int_equal(layout.stereo, cases[i].stereo);
        assert_int_equal(layout.swapped, cases[i].swapped);
        assert_grid(vrs_mesh_of_eye(mesh, 0), half_equirect);
        assert_grid(vrs_mesh_of_eye(mesh, 1), half_equirect);
        vrs_mesh_destroy(mesh);
    }
    vrs_mesh *mesh = NULL;
    assert_int_equal(read_two(bent, NULL, true, true, &mesh), VRS_CORRUPT);
    assert_non_null(strstr(vrs_last_error(), "custom, and there are not two meshes"));
    assert_int_equal(read_two(bent, bent, true, true, &mesh), VRS_UNSUPPORTED);
    assert_non_null(strstr(vrs_last_error(), "do not lie in two halves of the frame"));
    assert_null(mesh);
}

static vrs_layout simplified(grid_fn fn, int32_t width, int32_t height)
{
    vrs_mesh *mesh = NULL;
    vrs_layout layout = {.stereo = VRS_STEREO_SBS, .projection = VRS_PROJECTION_MESH};
    assert_int_equal(read_two(fn, fn, true, false, &mesh), VRS_OK);
    vrs_mesh_simplify(mesh, width, height, &layout);
    vrs_mesh_destroy(mesh);
    return layout;
}

static void meshes_of_a_formula_are_that_formula(void **state)
{
    (void)state;
    vrs_layout layout = simplified(half_equirect, 4096, 2048);
    assert_int_equal(layout.projection, VRS_PROJECTION_HALF_EQUIRECT);
    assert_true(fabs(layout.cut_left - 0.25) < 1e-5 && fabs(layout.cut_right - 0.25) < 1e-5);
    assert_true(layout.cut_top < 1e-5 && layout.cut_bottom < 1e-5);
    layout = simplified(cut_equirect, 4096, 2048);
    assert_int_equal(layout.projection, VRS_PROJECTION_HALF_EQUIRECT); /* 180 degrees, turned */
    assert_true(fabs(layout.cut_left - 0.375) < 1e-5 && fabs(layout.cut_right - 0.125) < 1e-5);
    assert_true(fabs(layout.cut_top - 0.25) < 1e-5 && fabs(layout.cut_bottom - 0.25) < 1e-5);
    layout = simplified(fisheye, 4096, 2048);
    assert_int_equal(layout.projection, VRS_PROJECTION_FISHEYE);
    assert_true(fabs(layout.fov - 200) < 0.01);
    /* The same mesh over eyes that are not square is no fisheye. */
    assert_int_equal(simplified(fisheye, 4096, 1024).projection, VRS_PROJECTION_MESH);
    assert_int_equal(simplified(bent, 4096, 2048).projection, VRS_PROJECTION_MESH);
    vrs_layout untouched = {.projection = VRS_PROJECTION_MESH};
    vrs_mesh_simplify(NULL, 4096, 2048, &untouched);
    assert_int_equal(untouched.projection, VRS_PROJECTION_MESH);
}

/* What the table says of a direction is what the mesh's formula says, as near as its triangles. */
static void tables_say_what_meshes_say(void **state)
{
    (void)state;
    enum { COLUMNS = 90, ROWS = 45 };
    static float uv[COLUMNS * ROWS][2];
    vrs_mesh *mesh = NULL;
    assert_int_equal(read_two(half_equirect, NULL, true, false, &mesh), VRS_OK);
    vrs_mesh_table(vrs_mesh_of_eye(mesh, 0), COLUMNS, ROWS, uv);
    int found = 0;
    for (int y = 0; y < ROWS; y++)
        for (int x = 0; x < COLUMNS; x++) {
            const double lon = 2 * PI * ((x + 0.5) / COLUMNS - 0.5);
            const double lat = PI * (0.5 - (y + 0.5) / ROWS);
            const float *entry = uv[y * COLUMNS + x];
            if (fabs(lon) > PI / 2 + 0.01) {
                assert_true(entry[0] == -1 && entry[1] == -1); /* behind */
                continue;
            }
            if (fabs(lon) > PI / 2 - 0.05)
                continue;
            found++;
            assert_true(entry[0] >= 0 && entry[1] >= 0);
            assert_true(fabs(entry[1] - (0.5 - lat / PI)) < 0.01);
            if (fabs(lat) < 1.3) /* near the poles a triangle's u bends */
                assert_true(fabs(entry[0] - (lon / PI + 0.5)) < 0.02);
        }
    assert_true(found > COLUMNS * ROWS / 3);
    vrs_mesh_destroy(mesh);
}

static void the_real_mesh_is_read(void **state)
{
    (void)state;
    FILE *in = fopen(shared_path("media/vr/google_vr180_video-sample-inject_tb_mesh.mp4"), "rb");
    static bytes head;
    static float uv[64 * 32][2];
    assert_non_null(in);
    head.size = fread(head.data, 1, sizeof(head.data), in);
    (void)fclose(in);
    vrs_boxes boxes = boxes_of(&head);
    assert_int_equal(boxes.stereo, VRS_ST3D_TB);
    assert_int_equal(boxes.sphere, VRS_SPHERE_MESH);
    vrs_mesh *mesh = NULL;
    assert_int_equal(vrs_mesh_read(head.data + boxes.mesh_place, boxes.mesh_size, false, &mesh),
                     VRS_OK);
    assert_int_equal(mesh->eye_count, 2);
    assert_int_equal(mesh->eyes[1].vertex_count, 1600);
    vrs_layout_claim claim;
    vrs_boxes_claim(&boxes, mesh, 1920, 1080, &claim);
    assert_int_equal(claim.layout.projection, VRS_PROJECTION_MESH); /* a real lens bends */
    assert_ptr_equal(claim.layout.mesh, mesh);
    vrs_mesh_table(vrs_mesh_of_eye(mesh, 0), 64, 32, uv);
    /* Ahead lies near the middle, up above it. */
    assert_true(fabsf(uv[16 * 64 + 32][0] - 0.5f) < 0.05f);
    assert_true(fabsf(uv[16 * 64 + 32][1] - 0.5f) < 0.05f);
    assert_true(uv[12 * 64 + 32][1] < uv[16 * 64 + 32][1]);
    assert_true(uv[16 * 64 + 36][0] > uv[16 * 64 + 32][0]);
    vrs_mesh_destroy(mesh);
}

/* ---- both ways ---- */

/* A picture's place by the formula of half_equirect(). */
static vrs_uv half_place(vrs_direction d)
{
    return (vrs_uv){atan2(d.x, d.z) / PI + 0.5, 0.5 - atan2(d.y, hypot(d.x, d.z)) / PI};
}

static vrs_direction looking(double lon, double lat)
{
    return (vrs_direction){cos(lat) * sin(lon), sin(lat), cos(lat) * cos(lon)};
}

static vrs_mesh_map *map_of(grid_fn fn)
{
    vrs_mesh *mesh = NULL;
    vrs_mesh_map *map = NULL;
    memset(&meshes, 0, sizeof(meshes));
    memset(&box, 0, sizeof(box));
    put_mesh(&meshes, 48, fn);
    put_mshp(&box, &meshes, false);
    assert_int_equal(vrs_mesh_read(box.data, box.size, false, &mesh), VRS_OK);
    assert_int_equal(vrs_mesh_map_create(vrs_mesh_of_eye(mesh, 1), &map), VRS_OK);
    vrs_mesh_destroy(mesh); /* is not needed any more */
    return map;
}

static void maps_go_both_ways(void **state)
{
    (void)state;
    static const grid_fn grids[] = {half_equirect, bent};
    for (int g = 0; g < 2; g++) {
        vrs_mesh_map *map = map_of(grids[g]);
        const double reach = g == 0 ? 0.48 : 0.32; /* of PI; bent() ends at 60 degrees */
        for (double lon = -reach; lon <= reach; lon += 0.02)
            for (double lat = -0.4; lat <= 0.4; lat += 0.02) {
                const vrs_direction d = looking(lon * PI, lat * PI * (g == 0 ? 1 : 0.3));
                vrs_uv place;
                vrs_direction back;
                if (g == 1 && acos(d.z) > 0.99)
                    continue;
                assert_true(vrs_mesh_place_of(map, d, &place));
                if (g == 0) {
                    assert_true(fabs(place.u - half_place(d).u) < 2e-3);
                    assert_true(fabs(place.v - half_place(d).v) < 2e-3);
                }
                assert_true(vrs_mesh_direction_of(map, place, &back));
                assert_true(back.x * d.x + back.y * d.y + back.z * d.z > cos(0.003));
            }
        vrs_mesh_map_destroy(map);
    }
    vrs_mesh_map_destroy(NULL);
}

static void maps_end_where_meshes_do(void **state)
{
    (void)state;
    vrs_mesh_map *map = map_of(half_equirect);
    vrs_uv place;
    vrs_direction d;
    double first = 0, last = 0;
    /* What is not shown is at the edge nearest to it. */
    assert_false(vrs_mesh_place_of(map, looking(0.6 * PI, 0.1), &place));
    assert_true(place.u > 0.99 && fabs(place.v - (0.5 - 0.1 / PI)) < 0.02);
    assert_false(vrs_mesh_place_of(map, looking(-0.7 * PI, 0), &place));
    assert_true(place.u < 0.01);
    vrs_mesh_shown(map, &first, &last);
    assert_true(fabs(first + PI / 2) < 0.02 && fabs(last - PI / 2) < 0.02);
    /* Beyond its edges a picture goes on for a little. */
    assert_true(vrs_mesh_direction_of(map, (vrs_uv){1.02, 0.5}, &d));
    assert_true(d.x > 0.99 && d.z < 0);
    vrs_mesh_map_destroy(map);
    map = map_of(left_half); /* the right half of the picture belongs to nobody */
    assert_false(vrs_mesh_direction_of(map, (vrs_uv){0.75, 0.5}, &d));
    assert_true(vrs_mesh_direction_of(map, (vrs_uv){0.25, 0.5}, &d));
    assert_true(d.z > 0.99);
    vrs_mesh_map_destroy(map);
}

static void up_alone(double u, double v, float xyzuv[5])
{
    put_direction((u - 0.5) * 0.2, 1.4 + v * 0.1, u, v, xyzuv);
}

static vrs_status map_and_drop(void *opaque)
{
    vrs_mesh_map *map = NULL;
    vrs_status status = vrs_mesh_map_create(opaque, &map);
    vrs_mesh_map_destroy(map);
    return status;
}

static void maps_that_cannot_be_made(void **state)
{
    (void)state;
    vrs_mesh *mesh = NULL;
    assert_int_equal(read_two(up_alone, NULL, false, false, &mesh), VRS_OK);
    assert_int_equal(map_and_drop(&mesh->eyes[0]), VRS_UNSUPPORTED);
    assert_non_null(strstr(vrs_last_error(), "it shows nothing around the horizon"));
    vrs_mesh_destroy(mesh);
    assert_int_equal(read_two(bent, NULL, false, false, &mesh), VRS_OK);
    (void)inject_all(map_and_drop, &mesh->eyes[0]);
    vrs_mesh_destroy(mesh);
}

/* ---- broken ones ---- */

static vrs_status read_again(void)
{
    vrs_mesh *mesh = NULL;
    put_size(box.data + 4, (uint32_t)crc32(0, box.data + 8, (uInt)(box.size - 8)));
    vrs_status status = vrs_mesh_read(box.data, box.size, false, &mesh);
    vrs_mesh_destroy(mesh);
    return status;
}

static void assert_refused(vrs_status status, const char *part)
{
    assert_int_equal(read_again(), status);
    assert_non_null(strstr(vrs_last_error(), part));
}

static void broken_meshes_are_refused(void **state)
{
    (void)state;
    vrs_mesh *mesh = NULL;
    assert_int_equal(read_two(bent, NULL, false, false, &mesh), VRS_OK);
    vrs_mesh_destroy(mesh);
    box.data[40] ^= 1;
    assert_int_equal(vrs_mesh_read(box.data, box.size, false, &mesh), VRS_CORRUPT);
    assert_non_null(strstr(vrs_last_error(), "its checksum is wrong"));
    assert_null(mesh);
    box.data[40] ^= 1;
    assert_int_equal(vrs_mesh_read(box.data, 11, false, &mesh), VRS_CORRUPT);
    /* 12: the mesh's size; 20: how many coordinates; 24: the first one. */
    put_size(box.data + 24, 0x7fc00000);
    assert_refused(VRS_CORRUPT, "a coordinate is no number");
    put_size(box.data + 24, 0);
    put_size(box.data + 20, 0);
    assert_refused(VRS_CORRUPT, "it is empty");
    put_size(box.data + 20, 0x7fffffff);
    assert_refused(VRS_UNSUPPORTED, "2147483647 coordinates; at most 100000 are taken");
    put_size(box.data + 20, 90000);
    assert_refused(VRS_CORRUPT, "it ends within its coordinates");
    put_size(box.data + 12, 4);
    assert_refused(VRS_CORRUPT, "a box within has a wrong size");
    put_size(box.data + 12, (uint32_t)box.size);
    assert_refused(VRS_CORRUPT, "a box within has a wrong size");
    memcpy(box.data + 8, "zstd", 4);
    assert_refused(VRS_UNSUPPORTED, "it is packed as \"zstd\"");
    memcpy(box.data + 8, "dfl8", 4);
    assert_refused(VRS_CORRUPT, "it cannot be unpacked");
    box.size = 12;
    memcpy(box.data + 8, "raw ", 4);
    assert_refused(VRS_CORRUPT, "there is no mesh in it");
}

/* A kilobyte that unpacks to more than is taken. */
static void a_bomb_is_refused(void **state)
{
    (void)state;
    static uint8_t zeros[1 << 16];
    memset(&box, 0, sizeof(box));
    memcpy(box.data + 8, "dfl8", 4);
    z_stream z = {.next_out = box.data + 12, .avail_out = sizeof(box.data) - 12};
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, -MAX_WBITS, 9, Z_DEFAULT_STRATEGY), Z_OK);
    for (int i = 0; i < (32 << 20) / (1 << 16); i++) {
        z.next_in = zeros;
        z.avail_in = sizeof(zeros);
        assert_int_equal(deflate(&z, Z_NO_FLUSH), Z_OK);
    }
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    box.size = 12 + z.total_out;
    (void)deflateEnd(&z);
    assert_refused(VRS_UNSUPPORTED, "it unpacks to more than 16 MB");
}

/* Whatever byte is changed or cut, the answer is a mesh or a sentence. */
static void changed_bytes_are_refused_or_read(void **state)
{
    (void)state;
    vrs_mesh *mesh = NULL;
    assert_int_equal(read_two(bent, NULL, false, false, &mesh), VRS_OK);
    vrs_mesh_destroy(mesh);
    const size_t size = box.size;
    for (size_t at = 8; at < size; at += at < 64 ? 1 : 7) {
        static const uint8_t values[] = {0, 0x7f, 0xff};
        const uint8_t kept = box.data[at];
        for (size_t v = 0; v < sizeof(values); v++) {
            box.data[at] = values[v];
            vrs_status status = read_again();
            assert_true(status == VRS_OK || status == VRS_CORRUPT || status == VRS_UNSUPPORTED);
        }
        box.data[at] = kept;
    }
    for (size_t cut = 12; cut < size; cut += 5) {
        box.size = cut;
        put_size(box.data + 12, (uint32_t)(cut > 20 ? cut - 12 : 8));
        assert_int_equal(read_again(), VRS_CORRUPT);
    }
}

static vrs_status read_and_drop(void *opaque)
{
    (void)opaque;
    vrs_mesh *mesh = NULL;
    vrs_status status = vrs_mesh_read(box.data, box.size, true, &mesh);
    vrs_mesh_destroy(mesh);
    return status;
}

static void failures_free_everything(void **state)
{
    (void)state;
    vrs_mesh *mesh = NULL;
    assert_int_equal(read_two(left_half, right_half, true, true, &mesh), VRS_OK);
    vrs_mesh_destroy(mesh);
    (void)inject_all(read_and_drop, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(meshes_are_read),
        cmocka_unit_test(meshes_of_the_whole_frame_become_the_eyes),
        cmocka_unit_test(meshes_of_a_formula_are_that_formula),
        cmocka_unit_test(tables_say_what_meshes_say),
        cmocka_unit_test(maps_go_both_ways),
        cmocka_unit_test(maps_end_where_meshes_do),
        cmocka_unit_test(maps_that_cannot_be_made),
        cmocka_unit_test(broken_meshes_are_refused),
        cmocka_unit_test(a_bomb_is_refused),
        cmocka_unit_test(changed_bytes_are_refused_or_read),
        cmocka_unit_test(failures_free_everything),
        cmocka_unit_test(the_real_mesh_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
