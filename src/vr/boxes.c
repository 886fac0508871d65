#include "vr/boxes.h"

#include <stdio.h>
#include <string.h>

#include "vr/layout_words.h"
#include "vr/mesh.h"

/* Boxes that are looked at in all: no real file has so many on the way to its sample entries. */
#define MOST_BOXES 4096
#define MOST_DEPTH 12
/* Bytes before the boxes within: version and flags with a count; a visual sample entry's fields. */
#define STSD_FIELDS 8
#define VISUAL_FIELDS 78
#define FIXED_32 4294967296.0
#define FIXED_16 65536.0

typedef struct walk {
    const vrs_bytes *bytes;
    int boxes;
    vrs_boxes found;
} walk;

/* Where a box's contents lie in the file. */
typedef struct box {
    char type[5];
    uint64_t begin, end;
} box;

static bool read_at(const walk *w, uint64_t place, uint8_t *bytes, size_t count)
{
    return place <= w->bytes->size && count <= w->bytes->size - place &&
           w->bytes->read(w->bytes->opaque, place, bytes, count);
}

static uint64_t big_endian(const uint8_t *bytes, int count)
{
    uint64_t value = 0;
    for (int i = 0; i < count; i++)
        value = value << 8 | bytes[i];
    return value;
}

/* The box at `place`; false: none that ends by `end`. */
static bool read_box(walk *w, uint64_t place, uint64_t end, box *out)
{
    uint8_t head[16];
    if (place > end || end - place < 8 || ++w->boxes > MOST_BOXES || !read_at(w, place, head, 8))
        return false;
    uint64_t size = big_endian(head, 4);
    uint64_t header = 8;
    if (size == 1) { /* 64 bits behind the type */
        header = 16;
        if (end - place < header || !read_at(w, place, head, header))
            return false;
        size = big_endian(head + 8, 8);
    } else if (size == 0) { /* to the end */
        size = end - place;
    }
    if (size < header || size > end - place)
        return false;
    memcpy(out->type, head + 4, 4);
    out->type[4] = '\0';
    out->begin = place + header;
    out->end = place + size;
    return true;
}

/* Bytes before the boxes that a box holds; -1: it holds none that matter. */
static int fields_of(const char *type)
{
    static const struct {
        const char *type;
        int fields;
    } parents[] = {
        {"moov", 0},
        {"trak", 0},
        {"mdia", 0},
        {"minf", 0},
        {"stbl", 0},
        {"stsd", STSD_FIELDS},
        {"sv3d", 0},
        {"proj", 0},
        {"avc1", VISUAL_FIELDS},
        {"avc3", VISUAL_FIELDS},
        {"hvc1", VISUAL_FIELDS},
        {"hev1", VISUAL_FIELDS},
        {"av01", VISUAL_FIELDS},
        {"vp08", VISUAL_FIELDS},
        {"vp09", VISUAL_FIELDS},
        {"mp4v", VISUAL_FIELDS},
        {"apch", VISUAL_FIELDS},
        {"apcn", VISUAL_FIELDS},
        {"ap4h", VISUAL_FIELDS},
    };
    for (size_t i = 0; i < sizeof parents / sizeof parents[0]; i++)
        if (strcmp(parents[i].type, type) == 0)
            return parents[i].fields;
    return -1;
}

static void complain(walk *w, const box *found, const char *what)
{
    if (w->found.trouble[0] == '\0')
        (void)snprintf(w->found.trouble, sizeof(w->found.trouble),
                       "its box %s of %llu bytes is broken (%s) and is not believed", found->type,
                       (unsigned long long)(found->end - found->begin), what);
}

static void take_stereo(walk *w, const box *found)
{
    uint8_t bytes[5];
    if (w->found.stereo >= 0)
        return;
    if (found->end - found->begin < sizeof bytes || !read_at(w, found->begin, bytes, sizeof bytes))
        complain(w, found, "a mode is missing");
    else if (bytes[4] > VRS_ST3D_RL)
        complain(w, found, "modes are 0 to 4");
    else
        w->found.stereo = bytes[4];
}

static void take_equi(walk *w, const box *found)
{
    uint8_t bytes[20];
    if (found->end - found->begin < sizeof bytes ||
        !read_at(w, found->begin, bytes, sizeof bytes)) {
        complain(w, found, "four bounds are missing");
        return;
    }
    uint32_t bounds[4];
    for (int i = 0; i < 4; i++)
        bounds[i] = (uint32_t)big_endian(bytes + 4 + 4 * i, 4);
    if (bounds[0] >= UINT32_MAX - bounds[1] || bounds[2] >= UINT32_MAX - bounds[3]) {
        complain(w, found, "its bounds leave nothing of the picture");
        return;
    }
    w->found.sphere = VRS_SPHERE_EQUI;
    w->found.top = bounds[0];
    w->found.bottom = bounds[1];
    w->found.left = bounds[2];
    w->found.right = bounds[3];
}

static void take_pose(walk *w, const box *found)
{
    uint8_t bytes[16];
    if (found->end - found->begin < sizeof bytes || !read_at(w, found->begin, bytes, sizeof bytes))
        return;
    w->found.yaw = (int32_t)(uint32_t)big_endian(bytes + 4, 4);
    w->found.pitch = (int32_t)(uint32_t)big_endian(bytes + 8, 4);
    w->found.roll = (int32_t)(uint32_t)big_endian(bytes + 12, 4);
}

static void take_mesh(walk *w, const box *found)
{
    uint64_t size = found->end - found->begin;
    w->found.sphere = VRS_SPHERE_MESH;
    if (size > VRS_MESH_BOX_MOST) {
        complain(w, found, "a mesh takes 4 MiB at most");
        return;
    }
    w->found.mesh_place = found->begin;
    w->found.mesh_size = size;
}

static void look_at(walk *w, const box *found)
{
    bool first = w->found.sphere == VRS_SPHERE_NONE;
    if (strcmp(found->type, "st3d") == 0)
        take_stereo(w, found);
    else if (strcmp(found->type, "prhd") == 0 && first)
        take_pose(w, found);
    else if (strcmp(found->type, "equi") == 0 && first)
        take_equi(w, found);
    else if (strcmp(found->type, "cbmp") == 0 && first)
        w->found.sphere = VRS_SPHERE_CUBE;
    else if (strcmp(found->type, "mshp") == 0 && first)
        take_mesh(w, found);
}

static void walk_boxes(walk *w, uint64_t end)
{
    uint64_t places[MOST_DEPTH] = {0};
    uint64_t ends[MOST_DEPTH] = {end};
    int depth = 0;
    while (depth >= 0) {
        box found;
        if (!read_box(w, places[depth], ends[depth], &found)) {
            depth--;
            continue;
        }
        places[depth] = found.end;
        look_at(w, &found);
        int fields = fields_of(found.type);
        if (fields >= 0 && depth + 1 < MOST_DEPTH && found.end - found.begin >= (uint64_t)fields) {
            depth++;
            places[depth] = found.begin + (uint64_t)fields;
            ends[depth] = found.end;
        }
    }
}

vrs_boxes vrs_boxes_read(const vrs_bytes *bytes)
{
    /* Every MP4 and MOV begins with a box of a known type. */
    static const char *const first[] = {"ftyp", "moov", "mdat", "wide", "free", "skip"};
    walk w = {.bytes = bytes, .found = {.stereo = -1}};
    uint8_t head[8];
    for (size_t i = 0; i < sizeof first / sizeof first[0]; i++)
        w.found.is_mp4 = w.found.is_mp4 ||
                         (read_at(&w, 0, head, sizeof head) && memcmp(head + 4, first[i], 4) == 0);
    if (w.found.is_mp4)
        walk_boxes(&w, bytes->size);
    return w.found;
}

/* ---- as a layout ---- */

static const char *const stereo_words[] = {"mono", "left eye above", "left eye on the left",
                                           "custom", "right eye on the left"};

static void claim_stereo(const vrs_boxes *boxes, const vrs_mesh *mesh, vrs_layout_claim *claim)
{
    switch (boxes->stereo) {
    case VRS_ST3D_MONO:
        claim->layout.stereo = VRS_STEREO_MONO;
        break;
    case VRS_ST3D_TB:
        claim->layout.stereo = VRS_STEREO_TB;
        break;
    case VRS_ST3D_RL:
        claim->layout.swapped = true;
        claim->layout.stereo = VRS_STEREO_SBS;
        break;
    case VRS_ST3D_LR:
        claim->layout.stereo = VRS_STEREO_SBS;
        break;
    case VRS_ST3D_CUSTOM: /* the meshes say where their eyes lie */
        if (mesh == NULL || !vrs_mesh_halves(mesh, &claim->layout))
            return;
        break;
    default:
        return;
    }
    claim->stereo = 1;
}

static void claim_equi(const vrs_boxes *boxes, vrs_layout *layout)
{
    double left = boxes->left / FIXED_32, right = boxes->right / FIXED_32;
    bool half = left + right > 0.49 && left + right < 0.51;
    vrs_layout_put_projection(layout, half ? VRS_PROJECTION_HALF_EQUIRECT : VRS_PROJECTION_EQUIRECT,
                              0, VRS_LENS_NONE);
    layout->cut_left = left;
    layout->cut_right = right;
    layout->cut_top = boxes->top / FIXED_32;
    layout->cut_bottom = boxes->bottom / FIXED_32;
}

void vrs_boxes_claim(const vrs_boxes *boxes, const vrs_mesh *mesh, int32_t width, int32_t height,
                     vrs_layout_claim *claim)
{
    char projection[112] = "", text[64];
    *claim = (vrs_layout_claim){.layout = vrs_layout_flat()};
    claim_stereo(boxes, mesh, claim);
    if (boxes->sphere == VRS_SPHERE_EQUI) {
        claim_equi(boxes, &claim->layout);
    } else if (boxes->sphere == VRS_SPHERE_CUBE) {
        vrs_layout_put_projection(&claim->layout, VRS_PROJECTION_CUBEMAP, 0, VRS_LENS_NONE);
    } else if (boxes->sphere == VRS_SPHERE_MESH) {
        vrs_layout_put_projection(&claim->layout, VRS_PROJECTION_MESH, 0, VRS_LENS_NONE);
        claim->layout.mesh = mesh;
        vrs_mesh_simplify(mesh, width, height, &claim->layout);
    }
    claim->projection = boxes->sphere != VRS_SPHERE_NONE ? 1 : 0;
    claim->layout.yaw = boxes->yaw / FIXED_16;
    claim->layout.pitch = boxes->pitch / FIXED_16;
    claim->layout.roll = boxes->roll / FIXED_16;
    if (claim->projection > 0) {
        vrs_layout eye = claim->layout;
        bool mesh_there = boxes->sphere == VRS_SPHERE_MESH;
        bool simple = mesh_there && eye.projection != VRS_PROJECTION_MESH;
        eye.stereo = VRS_STEREO_MONO;
        vrs_layout_text(&eye, text, sizeof(text));
        (void)snprintf(projection, sizeof(projection), "%ssv3d: %s%s",
                       boxes->stereo >= 0 ? "; " : "", simple ? "a mesh that is " : "",
                       mesh_there && !simple ? "a mesh" : text);
    }
    (void)snprintf(claim->why, sizeof(claim->why), "%s%s%s", boxes->stereo >= 0 ? "st3d: " : "",
                   boxes->stereo >= 0 ? stereo_words[boxes->stereo] : "", projection);
}
