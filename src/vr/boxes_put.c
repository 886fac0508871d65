/* Puts boxes of a layout into a video track's sample entry. */
#include <string.h>

#include "base/alloc.h"
#include "vr/boxes.h"

#define HEADER 8
/* Before the boxes within: as in boxes.c. */
#define STSD_FIELDS 8
#define VISUAL_FIELDS 78
/* stsd's contents begin with version, flags and a count; hdlr's handler stands behind two words. */
#define HANDLER 8

/* ---- bytes that grow; `data` NULL: they are counted alone ---- */

typedef struct writer {
    uint8_t *data;
    size_t size;
} writer;

static void put(writer *w, const void *bytes, size_t count)
{
    if (w->data != NULL && count > 0)
        memcpy(w->data + w->size, bytes, count);
    w->size += count;
}

static void put_word(writer *w, uint32_t value)
{
    const uint8_t bytes[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8),
                              (uint8_t)value};
    put(w, bytes, sizeof(bytes));
}

static size_t begin_box(writer *w, const char *type)
{
    const size_t place = w->size;
    put_word(w, 0);
    put(w, type, 4);
    return place;
}

static void end_box(writer *w, size_t place)
{
    writer head = {w->data == NULL ? NULL : w->data + place, 0};
    put_word(&head, (uint32_t)(w->size - place));
}

static void put_stereo(writer *w, int mode)
{
    const uint8_t byte = (uint8_t)mode;
    const size_t box = begin_box(w, "st3d");
    put_word(w, 0);
    put(w, &byte, 1);
    end_box(w, box);
}

static void put_projection(writer *w, const vrs_boxes *say, const uint8_t *mesh)
{
    static const char *const types[] = {"", "equi", "cbmp", "mshp"};
    const size_t box = begin_box(w, types[say->sphere]);
    if (say->sphere == VRS_SPHERE_MESH) {
        put(w, mesh, (size_t)say->mesh_size);
    } else {
        put_word(w, 0);
        if (say->sphere == VRS_SPHERE_EQUI) {
            put_word(w, say->top);
            put_word(w, say->bottom);
            put_word(w, say->left);
            put_word(w, say->right);
        } else { /* layout and padding */
            put_word(w, 0);
            put_word(w, 0);
        }
    }
    end_box(w, box);
}

static void put_sphere(writer *w, const vrs_boxes *say, const uint8_t *mesh)
{
    static const char maker[] = "vrseg";
    const size_t sphere = begin_box(w, "sv3d");
    size_t box = begin_box(w, "svhd");
    put_word(w, 0);
    put(w, maker, sizeof(maker));
    end_box(w, box);
    const size_t projection = begin_box(w, "proj");
    box = begin_box(w, "prhd");
    put_word(w, 0);
    put_word(w, (uint32_t)say->yaw);
    put_word(w, (uint32_t)say->pitch);
    put_word(w, (uint32_t)say->roll);
    end_box(w, box);
    put_projection(w, say, mesh);
    end_box(w, projection);
    end_box(w, sphere);
}

static void put_layout(writer *w, const vrs_boxes *say, const uint8_t *mesh)
{
    if (say->stereo >= 0)
        put_stereo(w, say->stereo);
    if (say->sphere != VRS_SPHERE_NONE)
        put_sphere(w, say, mesh);
}

/* ---- the place ---- */

/* Boxes on the way to the sample entry, whose sizes change with it. */
enum { MOOV, TRAK, MDIA, MINF, STBL, STSD, ENTRY, LEVELS };

typedef struct span {
    size_t begin, end; /* the whole box */
} span;

static uint32_t word_at(const uint8_t *data)
{
    return (uint32_t)data[0] << 24 | (uint32_t)data[1] << 16 | (uint32_t)data[2] << 8 | data[3];
}

/* The box that begins at `at`; false: none of 32 bits that ends by `end`. */
static bool box_at(const uint8_t *data, size_t at, size_t end, span *box)
{
    if (at > end || end - at < HEADER)
        return false;
    const uint32_t size = word_at(data + at);
    if (size < HEADER || size > end - at)
        return false;
    *box = (span){at, at + size};
    return true;
}

/* The first box of a type within another, behind `fields` bytes and from `from` on (0: from its
 * beginning). */
static bool find(const uint8_t *data, span parent, const char *type, size_t from, span *box)
{
    size_t at = from > 0 ? from : parent.begin + HEADER;
    while (box_at(data, at, parent.end, box)) {
        if (memcmp(data + box->begin + 4, type, 4) == 0)
            return true;
        at = box->end;
    }
    return false;
}

static bool is_video(const uint8_t *data, span mdia)
{
    span hdlr;
    return find(data, mdia, "hdlr", 0, &hdlr) && hdlr.end - hdlr.begin >= HEADER + HANDLER + 4 &&
           memcmp(data + hdlr.begin + HEADER + HANDLER, "vide", 4) == 0;
}

static bool find_entry(const uint8_t *data, size_t size, span way[LEVELS])
{
    if (!box_at(data, 0, size, &way[MOOV]) || way[MOOV].end != size ||
        memcmp(data + 4, "moov", 4) != 0)
        return false;
    size_t from = 0;
    while (find(data, way[MOOV], "trak", from, &way[TRAK])) {
        from = way[TRAK].end;
        if (!find(data, way[TRAK], "mdia", 0, &way[MDIA]) || !is_video(data, way[MDIA]))
            continue;
        return find(data, way[MDIA], "minf", 0, &way[MINF]) &&
               find(data, way[MINF], "stbl", 0, &way[STBL]) &&
               find(data, way[STBL], "stsd", 0, &way[STSD]) &&
               box_at(data, way[STSD].begin + HEADER + STSD_FIELDS, way[STSD].end, &way[ENTRY]) &&
               way[ENTRY].end - way[ENTRY].begin >= HEADER + VISUAL_FIELDS;
    }
    return false;
}

static bool is_layout(const uint8_t *box)
{
    return memcmp(box + 4, "st3d", 4) == 0 || memcmp(box + 4, "sv3d", 4) == 0;
}

/* The entry with its other boxes, then those of the layout; behind its last box there may be a few
 * bytes, which QuickTime ends lists with. */
static void put_entry(writer *w, const uint8_t *data, span entry, const vrs_boxes *say,
                      const uint8_t *mesh)
{
    size_t at = entry.begin + HEADER + VISUAL_FIELDS;
    const size_t place = w->size;
    span box;
    put(w, data + entry.begin, at - entry.begin);
    while (box_at(data, at, entry.end, &box)) {
        if (!is_layout(data + box.begin))
            put(w, data + box.begin, box.end - box.begin);
        at = box.end;
    }
    put_layout(w, say, mesh);
    put(w, data + at, entry.end - at);
    end_box(w, place);
}

static void put_all(writer *w, const uint8_t *data, size_t size, const span way[LEVELS],
                    const vrs_boxes *say, const uint8_t *mesh)
{
    const span entry = way[ENTRY];
    put(w, data, entry.begin);
    put_entry(w, data, entry, say, mesh);
    put(w, data + entry.end, size - entry.end);
    for (int level = MOOV; level < ENTRY && w->data != NULL; level++) {
        writer head = {w->data + way[level].begin, 0};
        put_word(&head, (uint32_t)(way[level].end - way[level].begin + w->size - size));
    }
}

vrs_status vrs_boxes_put(const uint8_t *moov, size_t size, const vrs_boxes *say,
                         const uint8_t *mesh, uint8_t **out, size_t *out_size)
{
    span way[LEVELS];
    writer w = {NULL, 0};
    *out = NULL;
    if (!find_entry(moov, size, way))
        return vrs_fail(
            VRS_UNSUPPORTED,
            "tags of the layout: the file has no video track that they can be put into");
    put_all(&w, moov, size, way, say, mesh);
    if (w.size > UINT32_MAX)
        return vrs_fail(VRS_UNSUPPORTED, "tags of the layout: a moov box of more than 4 GB");
    const size_t made = w.size;
    w = (writer){vrs_alloc(made), 0};
    if (w.data == NULL)
        return VRS_NO_MEMORY;
    put_all(&w, moov, size, way, say, mesh);
    *out = w.data;
    *out_size = made;
    return VRS_OK;
}
