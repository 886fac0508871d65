/* The boxes of MP4 files: what they say, and what broken ones do not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/inject.h"
#include "vr/bytes.h"

static bytes file; /* static: large */

static void begin(size_t places[OPEN_BOXES])
{
    memset(&file, 0, sizeof(file));
    begin_entry(&file, "hvc1", places);
}

static vrs_layout_claim claim_of(const vrs_boxes *boxes)
{
    vrs_layout_claim claim;
    vrs_boxes_claim(boxes, NULL, 4096, 2048, &claim);
    return claim;
}

static vrs_boxes with_stereo(uint8_t mode)
{
    size_t places[OPEN_BOXES];
    begin(places);
    put_st3d(&file, mode);
    end_entry(&file, places);
    return boxes_of(&file);
}

static vrs_boxes with_equi(uint32_t top, uint32_t bottom, uint32_t left, uint32_t right)
{
    size_t places[OPEN_BOXES];
    bytes equi = {.size = 0};
    put_word(&equi, 0);
    put_word(&equi, top);
    put_word(&equi, bottom);
    put_word(&equi, left);
    put_word(&equi, right);
    begin(places);
    put_st3d(&file, VRS_ST3D_LR);
    put_sv3d(&file, "equi", equi.data, equi.size);
    end_entry(&file, places);
    return boxes_of(&file);
}

static void stereo_modes_are_read(void **state)
{
    (void)state;
    static const struct {
        uint8_t mode;
        vrs_stereo stereo;
        bool swapped;
    } cases[] = {{VRS_ST3D_MONO, VRS_STEREO_MONO, false},
                 {VRS_ST3D_TB, VRS_STEREO_TB, false},
                 {VRS_ST3D_LR, VRS_STEREO_SBS, false},
                 {VRS_ST3D_RL, VRS_STEREO_SBS, true}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        vrs_boxes boxes = with_stereo(cases[i].mode);
        assert_true(boxes.is_mp4);
        assert_int_equal(boxes.stereo, cases[i].mode);
        vrs_layout_claim claim = claim_of(&boxes);
        assert_int_equal(claim.layout.stereo, cases[i].stereo);
        assert_int_equal(claim.layout.swapped, cases[i].swapped);
        assert_true(claim.stereo == 1 && claim.projection == 0);
    }
    vrs_boxes boxes = with_stereo(VRS_ST3D_RL);
    assert_string_equal(claim_of(&boxes).why, "st3d: right eye on the left");
    boxes = with_stereo(VRS_ST3D_CUSTOM); /* without meshes it says nothing */
    assert_true(claim_of(&boxes).stereo == 0);
    boxes = with_stereo(9);
    assert_int_equal(boxes.stereo, -1);
    assert_string_equal(boxes.trouble,
                        "its box st3d of 5 bytes is broken (modes are 0 to 4) and is "
                        "not believed");
}

static void equirectangular_bounds_are_read(void **state)
{
    (void)state;
    vrs_boxes boxes = with_equi(0, 0, 0, 0);
    vrs_layout_claim claim = claim_of(&boxes);
    assert_int_equal(claim.layout.projection, VRS_PROJECTION_EQUIRECT);
    assert_true(claim.layout.cut_left == 0 && claim.layout.cut_bottom == 0);
    assert_true(claim.layout.yaw == 90 && claim.layout.pitch == -45 && claim.layout.roll == 0.5);
    assert_string_equal(claim.why, "st3d: left eye on the left; sv3d: equirect 360 degrees");
    boxes = with_equi(0, 0, 0x40000000, 0x3ff00000);
    claim = claim_of(&boxes);
    assert_int_equal(claim.layout.projection, VRS_PROJECTION_HALF_EQUIRECT);
    assert_true(claim.layout.cut_left == 0.25);
    boxes = with_equi(0x20000000, 0x10000000, 0x20000000, 0);
    claim = claim_of(&boxes);
    assert_int_equal(claim.layout.projection, VRS_PROJECTION_EQUIRECT);
    assert_true(claim.layout.cut_top == 0.125 && claim.layout.cut_bottom == 0.0625);
    assert_true(claim.layout.cut_left == 0.125 && claim.layout.cut_right == 0);
    boxes = with_equi(0x80000000, 0x80000000, 0, 0);
    assert_int_equal(boxes.sphere, VRS_SPHERE_NONE);
    assert_non_null(strstr(boxes.trouble, "its bounds leave nothing of the picture"));
}

static void other_projections_are_read(void **state)
{
    (void)state;
    size_t places[OPEN_BOXES];
    static const uint8_t contents[12] = {0};
    begin(places);
    put_sv3d(&file, "cbmp", contents, 12);
    end_entry(&file, places);
    vrs_boxes boxes = boxes_of(&file);
    assert_int_equal(claim_of(&boxes).layout.projection, VRS_PROJECTION_CUBEMAP);
    assert_int_equal(boxes.stereo, -1);
    begin(places);
    put_sv3d(&file, "mshp", contents, 12);
    end_entry(&file, places);
    boxes = boxes_of(&file);
    assert_int_equal(boxes.sphere, VRS_SPHERE_MESH);
    assert_int_equal(boxes.mesh_size, 12);
    assert_memory_equal(file.data + boxes.mesh_place - 4, "mshp", 4);
    vrs_layout_claim claim = claim_of(&boxes);
    assert_int_equal(claim.layout.projection, VRS_PROJECTION_MESH);
    assert_string_equal(claim.why, "sv3d: a mesh");
}

static void a_huge_mesh_is_not_read(void **state)
{
    (void)state;
    size_t places[OPEN_BOXES];
    static const uint8_t contents[12] = {0};
    begin(places);
    put_sv3d(&file, "mshp", contents, 12);
    end_entry(&file, places);
    /* Each size grows by 8 MiB, and so does the file, which says 0 there. */
    const uint32_t more = 8 << 20;
    for (size_t at = 0; at + 8 <= file.size; at++) {
        static const char *const grown[] = {"moov", "trak", "mdia", "minf", "stbl",
                                            "stsd", "hvc1", "sv3d", "proj", "mshp"};
        for (size_t i = 0; i < sizeof(grown) / sizeof(grown[0]); i++)
            if (memcmp(file.data + at + 4, grown[i], 4) == 0)
                put_size(file.data + at,
                         ((uint32_t)file.data[at + 2] << 8 | file.data[at + 3]) + more);
    }
    const vrs_bytes longer = {read_bytes, &file, file.size + more};
    vrs_boxes boxes = vrs_boxes_read(&longer);
    assert_int_equal(boxes.sphere, VRS_SPHERE_MESH);
    assert_int_equal(boxes.mesh_size, 0);
    assert_non_null(strstr(boxes.trouble, "a mesh takes 4 MiB at most"));
}

static void other_files_have_no_boxes(void **state)
{
    (void)state;
    memset(&file, 0, sizeof(file));
    assert_false(boxes_of(&file).is_mp4);
    memcpy(file.data, "\x1a\x45\xdf\xa3 matroska", 13);
    file.size = 13;
    assert_false(boxes_of(&file).is_mp4);
    assert_int_equal(boxes_of(&file).stereo, -1);
}

/* Every cut and every changed byte ends the looking, and nothing else. */
static void broken_boxes_end(void **state)
{
    (void)state;
    (void)with_equi(1, 2, 3, 4);
    const size_t size = file.size;
    for (size_t cut = 0; cut <= size; cut++) {
        file.size = cut;
        (void)boxes_of(&file);
    }
    file.size = size;
    for (size_t at = 0; at < size; at++) {
        const uint8_t kept = file.data[at];
        static const uint8_t values[] = {0, 1, 0x7f, 0xff};
        for (size_t v = 0; v < sizeof(values); v++) {
            file.data[at] = values[v];
            vrs_boxes boxes = boxes_of(&file);
            assert_true(boxes.stereo >= -1 && boxes.stereo <= VRS_ST3D_RL);
            assert_true(boxes.sphere <= VRS_SPHERE_MESH);
        }
        file.data[at] = kept;
    }
}

/* ---- written ---- */

/* A moov box with a track of text before that of the video, whose entry has boxes: `before` of the
 * layout, then pasp and the zeros that QuickTime ends with. */
static void make_moov(bool before, const char *handler)
{
    memset(&file, 0, sizeof(file));
    const size_t moov = begin_box(&file, "moov");
    for (int track = 0; track < 2; track++) {
        const size_t trak = begin_box(&file, "trak"), mdia = begin_box(&file, "mdia");
        const size_t hdlr = begin_box(&file, "hdlr");
        put_zeros(&file, 8);
        memcpy(file.data + file.size, track == 0 ? "text" : handler, 4);
        file.size += 4;
        put_zeros(&file, 13);
        end_box(&file, hdlr);
        const size_t minf = begin_box(&file, "minf"), stbl = begin_box(&file, "stbl");
        const size_t stsd = begin_box(&file, "stsd");
        put_zeros(&file, 8);
        const size_t entry = begin_box(&file, track == 0 ? "text" : "avc1");
        put_zeros(&file, 78);
        if (before && track == 1) {
            static const uint8_t equi[20] = {0};
            put_st3d(&file, VRS_ST3D_LR);
            put_sv3d(&file, "equi", equi, sizeof(equi));
        }
        const size_t pasp = begin_box(&file, "pasp");
        put_zeros(&file, 8);
        end_box(&file, pasp);
        put_zeros(&file, 4);
        end_box(&file, entry);
        end_box(&file, stsd);
        const size_t stts = begin_box(&file, "stts");
        put_zeros(&file, 8);
        end_box(&file, stts);
        end_box(&file, stbl);
        end_box(&file, minf);
        end_box(&file, mdia);
        end_box(&file, trak);
    }
    const size_t udta = begin_box(&file, "udta");
    end_box(&file, udta);
    end_box(&file, moov);
}

static vrs_boxes put_and_read(const vrs_boxes *say, const uint8_t *mesh, size_t *size)
{
    static bytes made;
    uint8_t *put = NULL;
    assert_int_equal(vrs_boxes_put(file.data, file.size, say, mesh, &put, size), VRS_OK);
    assert_true(*size <= BYTES_ROOM);
    memcpy(made.data, put, *size);
    made.size = *size;
    vrs_free(put);
    /* What is behind the entry is still there, and ends where moov does. */
    assert_memory_equal(made.data + *size - 8, "\0\0\0\10udta", 8);
    assert_int_equal(made.data[2] << 8 | made.data[3], *size);
    const vrs_boxes read = boxes_of(&made);
    if (read.mesh_size > 0)
        assert_memory_equal(made.data + read.mesh_place, mesh, read.mesh_size);
    return read;
}

static void assert_says(const vrs_boxes *read, const vrs_boxes *say)
{
    assert_true(read->is_mp4);
    assert_int_equal(read->stereo, say->stereo);
    assert_int_equal(read->sphere, say->sphere);
    assert_int_equal(read->yaw, say->yaw);
    assert_int_equal(read->pitch, say->pitch);
    assert_int_equal(read->roll, say->roll);
    assert_true(read->top == say->top && read->bottom == say->bottom);
    assert_true(read->left == say->left && read->right == say->right);
    assert_int_equal(read->mesh_size, say->mesh_size);
    assert_string_equal(read->trouble, "");
}

static void what_is_put_is_read(void **state)
{
    (void)state;
    static const uint8_t mesh[300] = {0, 0, 0, 0, 1, 2, 3, 4, 'r', 'a', 'w', ' '};
    const vrs_boxes all[] = {
        {.stereo = VRS_ST3D_RL},
        {.stereo = -1, .sphere = VRS_SPHERE_CUBE, .pitch = -(5 << 16)},
        {.stereo = VRS_ST3D_TB,
         .sphere = VRS_SPHERE_EQUI,
         .yaw = 30 << 16,
         .roll = -1,
         .top = 1,
         .bottom = 2,
         .left = 0x40000000,
         .right = 0x3fffffff},
        {.stereo = VRS_ST3D_CUSTOM, .sphere = VRS_SPHERE_MESH, .mesh_size = sizeof(mesh)},
        {.stereo = -1},
    };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        for (int before = 0; before < 2; before++) {
            size_t size = 0, again = 0;
            make_moov(before == 1, "vide");
            const vrs_boxes read = put_and_read(&all[i], mesh, &size);
            assert_says(&read, &all[i]);
            make_moov(before == 0, "vide"); /* what was there before changes nothing */
            (void)put_and_read(&all[i], mesh, &again);
            assert_int_equal(again, size);
        }
}

static vrs_status put_and_drop(void *opaque)
{
    const vrs_boxes say = {.stereo = VRS_ST3D_RL};
    uint8_t *put = NULL;
    size_t size = 0;
    (void)opaque;
    vrs_status status = vrs_boxes_put(file.data, file.size, &say, NULL, &put, &size);
    vrs_free(put);
    return status;
}

static void what_is_no_video_is_refused(void **state)
{
    (void)state;
    const vrs_boxes say = {.stereo = VRS_ST3D_RL};
    uint8_t *put = NULL;
    size_t size = 0;
    make_moov(false, "soun");
    assert_int_equal(vrs_boxes_put(file.data, file.size, &say, NULL, &put, &size), VRS_UNSUPPORTED);
    assert_non_null(strstr(vrs_last_error(), "no video track"));
    make_moov(true, "vide");
    const size_t whole = file.size;
    for (size_t cut = 0; cut < whole; cut++) /* the box is larger than the bytes */
        assert_int_equal(vrs_boxes_put(file.data, cut, &say, NULL, &put, &size), VRS_UNSUPPORTED);
    for (size_t at = 0; at + 4 <= whole; at++) { /* no size can lead out of them */
        static const uint8_t sizes[][4] = {{0, 0, 0, 0}, {0, 0, 0, 1}, {0x7f, 0xff, 0xff, 0xff}};
        for (int i = 0; i < 3; i++) {
            make_moov(true, "vide");
            memcpy(file.data + at, sizes[i], 4);
            if (vrs_boxes_put(file.data, whole, &say, NULL, &put, &size) == VRS_OK)
                vrs_free(put);
        }
    }
    make_moov(true, "vide");
    (void)inject_all(put_and_drop, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stereo_modes_are_read),
        cmocka_unit_test(equirectangular_bounds_are_read),
        cmocka_unit_test(other_projections_are_read),
        cmocka_unit_test(a_huge_mesh_is_not_read),
        cmocka_unit_test(other_files_have_no_boxes),
        cmocka_unit_test(broken_boxes_end),
        cmocka_unit_test(what_is_put_is_read),
        cmocka_unit_test(what_is_no_video_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
