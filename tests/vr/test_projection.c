/* Projections and tiles: round trips on ugly sizes, and FFmpeg's v360 filter beside them: a picture
 * whose samples are their own columns and rows comes out of it as a map of positions. */
#define _XOPEN_SOURCE 700
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/temp.h"
#include "vr/tiles.h"

#define PI 3.14159265358979323846
#define MOST_SIDE 256

static vrs_layout layout_of(vrs_projection projection, double fov)
{
    vrs_layout layout = vrs_layout_flat();
    layout.projection = projection;
    layout.fov = fov;
    if (projection == VRS_PROJECTION_HALF_EQUIRECT)
        layout.cut_left = layout.cut_right = 0.25;
    return layout;
}

static vrs_eye eye_of(vrs_layout layout, vrs_rect rect)
{
    return (vrs_eye){layout, rect, vrs_eye_aspect(&layout, rect), NULL};
}

static const struct {
    vrs_projection projection;
    double fov;
    int32_t width, height;
} pictures[] = {
    {VRS_PROJECTION_EQUIRECT, 0, 255, 127},      {VRS_PROJECTION_HALF_EQUIRECT, 0, 131, 129},
    {VRS_PROJECTION_FISHEYE, 180, 127, 127},     {VRS_PROJECTION_FISHEYE, 200, 101, 101},
    {VRS_PROJECTION_FISHEYE, 220, 160, 120},     {VRS_PROJECTION_FISHEYE, 190, 97, 143},
    {VRS_PROJECTION_HALF_EQUIRECT, 0, 200, 100},
};
#define PICTURES (sizeof(pictures) / sizeof(pictures[0]))

static vrs_eye picture(size_t i)
{
    return eye_of(layout_of(pictures[i].projection, pictures[i].fov),
                  (vrs_rect){0, 0, pictures[i].width, pictures[i].height});
}

static void known_places(void **state)
{
    (void)state;
    const double h = sqrt(0.5);
    const struct {
        size_t picture;
        vrs_direction d;
        double u, v;
    } cases[] = {
        {0, {0, 0, 1}, 0.5, 0.5},  {0, {1, 0, 0}, 0.75, 0.5},      {0, {0, h, h}, 0.5, 0.25},
        {1, {1, 0, 0}, 1.0, 0.5},  {1, {-h, 0, h}, 0.25, 0.5},     {1, {0, -1, 0}, 0.5, 1.0},
        {2, {h, 0, h}, 0.75, 0.5}, {2, {0, 1, 0}, 0.5, 0.0},       {3, {0, -h, h}, 0.5, 0.725},
        {4, {0, 0, 3}, 0.5, 0.5},  {4, {0, h, h}, 0.5, 0.2954545}, {4, {h, 0, h}, 0.6534091, 0.5},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const vrs_eye eye = picture(cases[i].picture);
        vrs_uv place;
        assert_true(vrs_place_of(&eye.layout, eye.aspect, cases[i].d, &place));
        assert_true(fabs(place.u - cases[i].u) < 1e-6 && fabs(place.v - cases[i].v) < 1e-6);
    }
    const vrs_eye fisheye = picture(2), half = picture(1);
    vrs_uv place;
    assert_false(vrs_place_of(&fisheye.layout, 1.0, (vrs_direction){1, 0, -0.1}, &place));
    assert_false(vrs_place_of(&half.layout, 1.0, (vrs_direction){1, 0, -0.1}, &place));
    assert_true(place.u > 1.0);
    assert_false(vrs_place_of(&fisheye.layout, 1.0, (vrs_direction){0, 0, -1}, &place));
    assert_true(place.u > 1.0);
    assert_true(vrs_goes_around(&(vrs_layout){.projection = VRS_PROJECTION_EQUIRECT}));
    assert_false(vrs_goes_around(&half.layout));
    assert_false(vrs_is_spherical(&(vrs_layout){.projection = VRS_PROJECTION_FLAT}));
}

static void round_trips(void **state)
{
    (void)state;
    for (size_t i = 0; i < PICTURES; i++) {
        const vrs_eye eye = picture(i);
        size_t shown = 0;
        for (int32_t y = 0; y < eye.rect.height; y++) {
            for (int32_t x = 0; x < eye.rect.width; x++) {
                const vrs_uv place = {(x + 0.5) / eye.rect.width, (y + 0.5) / eye.rect.height};
                vrs_direction d;
                vrs_uv back;
                if (!vrs_direction_of(&eye.layout, eye.aspect, place, &d))
                    continue;
                shown++;
                assert_true(fabs(d.x * d.x + d.y * d.y + d.z * d.z - 1.0) < 1e-12);
                assert_true(vrs_place_of(&eye.layout, eye.aspect, d, &back));
                assert_true(fabs(back.u - place.u) < 1e-9 && fabs(back.v - place.v) < 1e-9);
            }
        }
        assert_true(shown > (size_t)(eye.rect.width * eye.rect.height) / 2);
    }
}

static vrs_tile camera(double yaw, double pitch, double across, double down)
{
    return (vrs_tile){.yaw = yaw * PI / 180,
                      .pitch = pitch * PI / 180,
                      .tan_x = tan(across * PI / 360),
                      .tan_y = tan(down * PI / 360)};
}

static void tiles_round_trip(void **state)
{
    (void)state;
    const vrs_tile tiles[] = {camera(0, 0, 75, 75), camera(50, -20, 60, 90),
                              camera(-35, 10, 40, 40)};
    for (size_t i = 0; i < PICTURES; i++) {
        const vrs_eye eye = picture(i);
        for (size_t j = 0; j < 3; j++) {
            for (double s = 0.01; s < 1.0; s += 0.07) {
                for (double t = 0.01; t < 1.0; t += 0.07) {
                    vrs_uv place;
                    double s2 = 0, t2 = 0;
                    (void)vrs_tile_place(&eye, &tiles[j], s, t, &place);
                    assert_true(vrs_tile_find(&eye, &tiles[j], place, &s2, &t2));
                    assert_true(fabs(s - s2) < 1e-9 && fabs(t - t2) < 1e-9);
                }
            }
        }
    }
    double s, t;
    const vrs_eye around = picture(0);
    assert_false(vrs_tile_find(&around, &tiles[0], (vrs_uv){0.01, 0.5}, &s, &t));
    const vrs_eye flat = eye_of(vrs_layout_flat(), (vrs_rect){10, 4, 640, 360});
    const vrs_tile part = {.left = 0.25, .top = 0.5, .width = 0.5, .height = 0.25};
    vrs_uv place;
    assert_true(vrs_tile_place(&flat, &part, 0.5, 1.0, &place));
    assert_true(place.u == 0.5 && place.v == 0.75);
    assert_true(vrs_tile_find(&flat, &part, place, &s, &t));
    assert_true(s == 0.5 && t == 1.0);
}

/* Whatever is in a tile lies in its patch's rectangle, and the grid says where. */
static void patches_cover_tiles(void **state)
{
    (void)state;
    const vrs_rect rects[] = {{0, 0, 640, 320}, {333, 17, 417, 421}};
    const int32_t frame_w = 800, frame_h = 450, target_w = 1237, target_h = 703;
    for (size_t i = 0; i < PICTURES; i++) {
        for (size_t r = 0; r < 2; r++) {
            const vrs_eye eye = eye_of(picture(i).layout, rects[r]);
            vrs_tile tiles[VRS_MAX_TILES];
            const int32_t count = vrs_tiles_ring(&eye, 70, tiles);
            assert_in_range(count, 1, VRS_MAX_TILES);
            for (int32_t k = 0; k < count; k++) {
                const vrs_rect p =
                    vrs_patch_rect(&eye, &tiles[k], frame_w, frame_h, target_w, target_h);
                int32_t *grid = calloc(2 * vrs_patch_pairs(p), sizeof(*grid));
                assert_non_null(grid);
                vrs_patch_fill(&eye, &tiles[k], p, frame_w, frame_h, target_w, target_h, 256, 144,
                               grid);
                const size_t columns = (size_t)(p.width + 7) / 8 + 1;
                for (double s = 0.0; s <= 1.0; s += 0.11) {
                    for (double t = 0.0; t <= 1.0; t += 0.11) {
                        vrs_uv place;
                        if (!vrs_tile_place(&eye, &tiles[k], s, t, &place))
                            continue;
                        const double x =
                            (eye.rect.x + place.u * eye.rect.width) * target_w / frame_w;
                        const double y =
                            (eye.rect.y + place.v * eye.rect.height) * target_h / frame_h;
                        assert_true(x >= p.x - 0.51 && x <= p.x + p.width + 0.51);
                        assert_true(y >= p.y - 0.51 && y <= p.y + p.height + 0.51);
                        const size_t cx = (size_t)fmin(fmax(x - p.x, 0), p.width - 1) / 8;
                        const size_t cy = (size_t)fmin(fmax(y - p.y, 0), p.height - 1) / 8;
                        const int32_t *corner = grid + 2 * (cy * columns + cx);
                        const int32_t *last = corner + 2 * columns + 2;
                        assert_true(corner[0] != VRS_PATCH_NONE && last[0] != VRS_PATCH_NONE);
                        /* The seam and the poles bend more than a cell. */
                        if (eye.layout.projection == VRS_PROJECTION_FISHEYE) {
                            const double a = (x - p.x) / 8 - (double)cx;
                            const double b = (y - p.y) / 8 - (double)cy;
                            const double at[2] = {s * 256, t * 144};
                            for (int axis = 0; axis < 2; axis++) {
                                const int32_t *c = corner + axis, *d = c + 2 * columns;
                                const double upper = c[0] + a * (c[2] - c[0]);
                                const double lower = d[0] + a * (d[2] - d[0]);
                                const double here = (upper + b * (lower - upper)) / 1024;
                                assert_true(fabs(here - at[axis]) < 0.7);
                            }
                        }
                    }
                }
                free(grid);
            }
        }
    }
}

static void rings_cover_the_horizon(void **state)
{
    (void)state;
    for (size_t i = 0; i < PICTURES; i++) {
        for (double fov = 40; fov <= 110; fov += 7.3) {
            const vrs_eye eye = picture(i);
            vrs_tile tiles[VRS_MAX_TILES];
            const int32_t count = vrs_tiles_ring(&eye, fov, tiles);
            assert_in_range(count, 1, VRS_MAX_TILES);
            /* Tiles look a little down: their edges cross the horizon a little further in. */
            const double to = pictures[i].projection == VRS_PROJECTION_EQUIRECT ? 180 : 88;
            for (double lon = -to; lon <= to; lon += 1.0) {
                const vrs_direction d = {sin(lon * PI / 180), 0, cos(lon * PI / 180)};
                vrs_uv place;
                bool covered = false;
                (void)vrs_place_of(&eye.layout, eye.aspect, d, &place);
                for (int32_t k = 0; k < count; k++) {
                    double s = -1, t = -1;
                    covered = covered || (vrs_tile_find(&eye, &tiles[k], place, &s, &t) &&
                                          s >= -1e-9 && s <= 1.000000001 && t >= 0 && t <= 1);
                }
                assert_true(covered);
            }
        }
    }
    const vrs_eye flat = eye_of(vrs_layout_flat(), (vrs_rect){0, 0, 64, 64});
    vrs_tile tiles[VRS_MAX_TILES];
    assert_int_equal(vrs_tiles_ring(&flat, 75, tiles), 0);
}

static void warps(void **state)
{
    (void)state;
    const vrs_eye eye =
        eye_of(layout_of(VRS_PROJECTION_HALF_EQUIRECT, 0), (vrs_rect){2048, 0, 2048, 2048});
    const vrs_tile tile = camera(10, -5, 75, 75);
    int32_t *grid = calloc(2 * 258 * 146, sizeof(*grid));
    assert_non_null(grid);
    vrs_warp_fill(&eye, &tile, 257, 145, grid);
    for (int32_t y = 0; y <= 145; y += 29) {
        for (int32_t x = 0; x <= 257; x++) {
            vrs_uv place;
            (void)vrs_tile_place(&eye, &tile, x / 257.0, y / 145.0, &place);
            const int32_t *p = grid + 2 * (y * 258 + x);
            assert_true(fabs(p[0] / 4096.0 - 2048 - place.u * 2048) <= 1.0 / 8192 + 1e-9);
            assert_true(fabs(p[1] / 4096.0 - place.v * 2048) <= 1.0 / 8192 + 1e-9);
        }
    }
    free(grid);
    /* 2048 pixels are half a turn: 652 a radian; the tile's 257 columns are 167 a radian. */
    assert_int_equal(vrs_warp_samples(&eye, &tile, 257, 257), 2);
    assert_int_equal(vrs_warp_samples(&eye, &tile, 2000, 2000), 0);
    assert_int_equal(vrs_warp_samples(&eye, &tile, 20, 20), 3);
}

/* ---- v360 ---- */

/* What v360 is told of a picture, either way. */
static void v360_words(size_t i, const char *way, char *text, size_t size)
{
    const double w = pictures[i].width, h = pictures[i].height, fov = pictures[i].fov;
    const double least = fmin(w, h);
    if (pictures[i].projection == VRS_PROJECTION_FISHEYE) {
        snprintf(text, size, "%sh_fov=%.6f:%sv_fov=%.6f", way, fov * w / least, way,
                 fov * h / least);
    } else {
        snprintf(text, size, "%sh_fov=%d:%sv_fov=180", way,
                 pictures[i].projection == VRS_PROJECTION_EQUIRECT ? 360 : 180, way);
    }
}

static const char *v360_name(size_t i)
{
    return pictures[i].projection == VRS_PROJECTION_EQUIRECT        ? "e"
           : pictures[i].projection == VRS_PROJECTION_HALF_EQUIRECT ? "hequirect"
                                                                    : "fisheye";
}

#define STEP 250 /* of a sample's value from one column or row to the next */

/* Columns and rows as two planes of 16 bits, through the filter. */
static void run_v360(const char *folder, size_t from, const char *filter, int32_t width,
                     int32_t height, uint16_t *out)
{
    static uint16_t in[3 * MOST_SIDE * MOST_SIDE];
    const int32_t w = pictures[from].width, h = pictures[from].height;
    char path[512], command[2048];
    for (int32_t y = 0; y < h; y++) {
        for (int32_t x = 0; x < w; x++) {
            in[y * w + x] = (uint16_t)(x * STEP);
            in[(h + y) * w + x] = (uint16_t)(y * STEP);
            in[(2 * h + y) * w + x] = 0;
        }
    }
    snprintf(path, sizeof(path), "%s/in", folder);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(in, 6, (size_t)(w * h), file), (size_t)(w * h));
    assert_int_equal(fclose(file), 0);
    snprintf(command, sizeof(command),
             "ffmpeg -v error -nostdin -y -f rawvideo -pix_fmt gbrp16le -s %dx%d -i %s/in -vf "
             "'%s,format=gbrp16le' -f rawvideo %s/out",
             w, h, folder, filter, folder);
    assert_int_equal(system(command), 0);
    snprintf(path, sizeof(path), "%s/out", folder);
    file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fread(out, 6, (size_t)(width * height), file), (size_t)(width * height));
    assert_int_equal(fclose(file), 0);
}

/* Whether the four samples around a place are in the picture. The filter has the picture begin and
 * end at the centres of its outermost samples, where ours ends at their edges. */
static bool inside(size_t i, vrs_uv place, double *x, double *y)
{
    *x = place.u * (pictures[i].width - 1);
    *y = place.v * (pictures[i].height - 1);
    return *x >= 1 && *y >= 1 && *x <= pictures[i].width - 2 && *y <= pictures[i].height - 2;
}

#define PIXEL_TOLERANCE 0.05 /* of the filter: floats, weights of 14 bits */

static void compare(size_t from, const uint16_t *out, int32_t width, int32_t height, const char *of,
                    bool (*place_at)(size_t from, double s, double t, const void *what,
                                     vrs_uv *place),
                    const void *what)
{
    int32_t compared = 0;
    for (int32_t y = 0; y < height; y++) {
        for (int32_t x = 0; x < width; x++) {
            vrs_uv place;
            double column, row;
            if (!place_at(from, (x + 0.5) / width, (y + 0.5) / height, what, &place) ||
                !inside(from, place, &column, &row))
                continue;
            const double got_x = out[y * width + x] / (double)STEP;
            const double got_y = out[(height + y) * width + x] / (double)STEP;
            compared++;
            if (!(fabs(got_x - column) < PIXEL_TOLERANCE && fabs(got_y - row) < PIXEL_TOLERANCE)) {
                fail_msg("%s: (%d, %d) is (%.3f, %.3f) in v360, here (%.3f, %.3f)", of, x, y, got_x,
                         got_y, column, row);
            }
        }
    }
    assert_true(compared > width * height / 4);
}

static bool place_in_tile(size_t from, double s, double t, const void *what, vrs_uv *place)
{
    const vrs_eye eye = picture(from);
    return vrs_tile_place(&eye, what, s, t, place);
}

static bool place_in_picture(size_t from, double s, double t, const void *what, vrs_uv *place)
{
    const size_t to = *(const size_t *)what;
    const vrs_eye eye = picture(from), other = picture(to);
    vrs_direction d;
    return vrs_direction_of(&other.layout, other.aspect, (vrs_uv){s, t}, &d) &&
           vrs_place_of(&eye.layout, eye.aspect, d, place);
}

static void beside_v360(void **state)
{
    (void)state;
    static uint16_t out[3 * MOST_SIDE * MOST_SIDE];
    if (system("command -v ffmpeg >/dev/null 2>&1") != 0) {
        print_message("skipped: there is no ffmpeg\n");
        skip();
    }
    char folder[256], in[128], to[128], filter[512];
    temp_make(folder, sizeof(folder));
    const double yaw[] = {0, 35, -50}, pitch[] = {0, -20, 15}, fov[] = {70, 60, 40};
    for (size_t i = 0; i < PICTURES; i++) {
        v360_words(i, "i", in, sizeof(in));
        for (size_t k = 0; k < 3; k++) {
            const vrs_tile tile = camera(yaw[k], pitch[k], fov[k] + 10, fov[k]);
            snprintf(filter, sizeof(filter),
                     "v360=%s:flat:%s:h_fov=%.1f:v_fov=%.1f:yaw=%.1f:pitch=%.1f:w=83:h=61",
                     v360_name(i), in, fov[k] + 10, fov[k], yaw[k], pitch[k]);
            run_v360(folder, i, filter, 83, 61, out);
            compare(i, out, 83, 61, filter, place_in_tile, &tile);
        }
        for (size_t other = 1; other <= 3; other += 2) {
            const size_t k = (i + other) % PICTURES;
            v360_words(k, "", to, sizeof(to));
            snprintf(filter, sizeof(filter), "v360=%s:%s:%s:%s:w=%d:h=%d", v360_name(i),
                     v360_name(k), in, to, pictures[k].width, pictures[k].height);
            run_v360(folder, i, filter, pictures[k].width, pictures[k].height, out);
            compare(i, out, pictures[k].width, pictures[k].height, filter, place_in_picture, &k);
        }
    }
    temp_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_places),
        cmocka_unit_test(round_trips),
        cmocka_unit_test(tiles_round_trip),
        cmocka_unit_test(patches_cover_tiles),
        cmocka_unit_test(rings_cover_the_horizon),
        cmocka_unit_test(warps),
        cmocka_unit_test(beside_v360),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
