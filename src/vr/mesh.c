#include "vr/mesh.h"

#include <math.h>
#include <string.h>

#define ZLIB_CONST /* what is unpacked is not written to */
#include <zlib.h>

#include "base/alloc.h"

#define FOURCC(a, b, c, d) \
    ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))
/* Bytes of a mesh that is unpacked: of the most vertices and indices that are taken, and what other
 * boxes may lie beside. */
#define MOST_BYTES (16 << 20)
#define MOST_LISTS 64

/* What is left of the box, bit by bit. */
typedef struct bits {
    const uint8_t *data;
    uint64_t at, end; /* in bits */
    bool over;        /* something was read behind the end: all else is 0 */
} bits;

static uint32_t take(bits *b, int count)
{
    uint32_t value = 0;
    if (b->over || b->end - b->at < (uint64_t)count) {
        b->over = true;
        return 0;
    }
    for (int i = 0; i < count; i++, b->at++)
        value = value << 1 | (b->data[b->at / 8] >> (7 - b->at % 8) & 1);
    return value;
}

static void align(bits *b)
{
    b->at = (b->at + 7) / 8 * 8;
    if (b->at > b->end)
        b->over = true;
}

static int32_t take_delta(bits *b, int count)
{
    uint32_t value = take(b, count);
    return (int32_t)(value >> 1) ^ -(int32_t)(value & 1);
}

/* ceil(log2(2 n)) */
static int delta_bits(int32_t n)
{
    int count = 0;
    while (((uint64_t)1 << count) < 2 * (uint64_t)n)
        count++;
    return count;
}

static vrs_status broken(const char *what)
{
    return vrs_fail(VRS_CORRUPT, "mesh of the projection (mshp): %s; the file is damaged", what);
}

static vrs_status take_count(bits *b, const char *what, uint32_t least, uint32_t most,
                             int32_t *count)
{
    uint32_t value = take(b, 32);
    if (b->over || value < least)
        return broken(b->over ? "it ends too early" : "it is empty");
    if (value > most)
        return vrs_fail(VRS_UNSUPPORTED,
                        "mesh of the projection (mshp): %u %s; at most %u are taken", value, what,
                        most);
    *count = (int32_t)value;
    return VRS_OK;
}

static vrs_status read_coordinates(bits *b, float *values, int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        uint32_t word = take(b, 32);
        memcpy(&values[i], &word, sizeof(word));
        if (!isfinite(values[i]))
            return broken("a coordinate is no number");
    }
    return b->over ? broken("it ends within its coordinates") : VRS_OK;
}

static vrs_status read_vertices(bits *b, const float *values, int32_t count, vrs_mesh_eye *eye)
{
    int size = delta_bits(count);
    int64_t index[5] = {0};
    float c[5];
    for (int32_t i = 0; i < eye->vertex_count; i++) {
        for (int k = 0; k < 5; k++) {
            index[k] += take_delta(b, size);
            if (index[k] < 0 || index[k] >= count)
                return broken("a vertex has a coordinate that there is not");
            c[k] = values[index[k]];
        }
        float length = sqrtf(c[0] * c[0] + c[1] * c[1] + c[2] * c[2]);
        if (!(length > 0) || !isfinite(length))
            return broken("a vertex lies in the middle of the sphere, or outside of all numbers");
        eye->vertices[i] =
            (vrs_mesh_vertex){c[0] / length, c[1] / length, -c[2] / length, c[3], 1 - c[4]};
    }
    align(b);
    return VRS_OK;
}

/* Room for the triangles of a list of `count` corners. */
static vrs_status make_room(vrs_mesh_eye *eye, uint32_t type, int32_t count)
{
    int32_t more = type == 0 ? count / 3 : count > 2 ? count - 2 : 0;
    if (more > VRS_MESH_MOST_TRIANGLES - eye->triangle_count)
        return vrs_fail(VRS_UNSUPPORTED, "mesh of the projection (mshp): more than %d triangles",
                        VRS_MESH_MOST_TRIANGLES);
    size_t all = (size_t)eye->triangle_count + (size_t)more;
    void *triangles = vrs_realloc(eye->triangles, (all + 1) * sizeof(*eye->triangles));
    if (triangles == NULL)
        return VRS_NO_MEMORY;
    eye->triangles = triangles;
    return VRS_OK;
}

static void add_triangle(vrs_mesh_eye *eye, int32_t a, int32_t b, int32_t c)
{
    eye->triangles[eye->triangle_count][0] = a;
    eye->triangles[eye->triangle_count][1] = b;
    eye->triangles[eye->triangle_count++][2] = c;
}

static vrs_status read_list(bits *b, vrs_mesh_eye *eye)
{
    int size = delta_bits(eye->vertex_count);
    uint32_t texture = take(b, 8), type = take(b, 8);
    int32_t count = 0, last[2] = {0, 0}, first = 0;
    int64_t index = 0;
    vrs_status status = take_count(b, "corners of triangles", 0, VRS_MESH_MOST_TRIANGLES, &count);
    if (status != VRS_OK)
        return status;
    if (type > 2)
        return broken("its triangles are of an unknown kind");
    if ((uint64_t)count * (uint64_t)size > b->end - b->at)
        return broken("it ends within its triangles");
    bool counts = texture == 0; /* the others show pictures beside the video */
    status = counts ? make_room(eye, type, count) : VRS_OK;
    if (status != VRS_OK)
        return status;
    for (int32_t i = 0; i < count; i++) {
        index += take_delta(b, size);
        if (index < 0 || index >= eye->vertex_count)
            return broken("a triangle has a corner that there is not");
        bool whole = type == 0 ? i % 3 == 2 : i >= 2;
        if (counts && whole)
            add_triangle(eye, type == 2 ? first : last[0], last[1], (int32_t)index);
        first = i == 0 ? (int32_t)index : first;
        last[0] = last[1];
        last[1] = (int32_t)index;
    }
    align(b);
    return VRS_OK;
}

static vrs_status read_lists(bits *b, vrs_mesh_eye *eye)
{
    int32_t lists = 0;
    vrs_status status = take_count(b, "lists of triangles", 1, MOST_LISTS, &lists);
    for (int32_t i = 0; i < lists && status == VRS_OK; i++)
        status = read_list(b, eye);
    if (status == VRS_OK && eye->triangle_count == 0)
        status = broken("it has no triangle");
    return status;
}

static vrs_status read_eye(const uint8_t *data, size_t size, vrs_mesh_eye *eye)
{
    bits b = {.data = data, .end = (uint64_t)size * 8};
    int32_t count = 0;
    vrs_status status = take_count(&b, "coordinates", 1, VRS_MESH_MOST_COORDINATES, &count);
    if (status != VRS_OK)
        return status;
    if ((uint64_t)count * 32 > b.end - b.at)
        return broken("it ends within its coordinates");
    float *values = vrs_alloc_array((size_t)count, sizeof(*values));
    if (values == NULL)
        return VRS_NO_MEMORY;
    status = read_coordinates(&b, values, count);
    if (status == VRS_OK)
        status = take_count(&b, "vertices", 3, VRS_MESH_MOST_VERTICES, &eye->vertex_count);
    if (status == VRS_OK &&
        5 * (uint64_t)eye->vertex_count * (uint64_t)delta_bits(count) > b.end - b.at)
        status = broken("it ends within its vertices");
    if (status == VRS_OK) {
        eye->vertices = vrs_alloc_array((size_t)eye->vertex_count, sizeof(*eye->vertices));
        status = eye->vertices == NULL ? VRS_NO_MEMORY : VRS_OK;
    }
    if (status == VRS_OK)
        status = read_vertices(&b, values, count, eye);
    if (status == VRS_OK)
        status = read_lists(&b, eye);
    vrs_free(values);
    return status;
}

/* ---- the box ---- */

static uint32_t word_at(const uint8_t *data)
{
    return (uint32_t)data[0] << 24 | (uint32_t)data[1] << 16 | (uint32_t)data[2] << 8 | data[3];
}

/* Raw deflate. Returns owned. */
static vrs_status unpack(const uint8_t *data, size_t size, uint8_t **out, size_t *out_size)
{
    z_stream z = {.next_in = data, .avail_in = (uInt)size};
    uint8_t *bytes = NULL;
    size_t room = 0;
    if (!vrs_inject("zlib") || inflateInit2(&z, -MAX_WBITS) != Z_OK)
        return vrs_fail(VRS_NO_MEMORY, "mesh of the projection: no memory to unpack it");
    int result = Z_OK;
    vrs_status status = VRS_OK;
    while (result == Z_OK && status == VRS_OK) {
        room = room == 0 ? (size_t)1 << 18 : room * 2;
        uint8_t *more = room <= MOST_BYTES ? vrs_realloc(bytes, room) : NULL;
        if (more == NULL) {
            status = room <= MOST_BYTES
                         ? VRS_NO_MEMORY
                         : vrs_fail(VRS_UNSUPPORTED,
                                    "mesh of the projection (mshp): it unpacks to more than %d MB",
                                    MOST_BYTES >> 20);
            break;
        }
        bytes = more;
        z.next_out = bytes + z.total_out;
        z.avail_out = (uInt)(room - z.total_out);
        result = inflate(&z, Z_NO_FLUSH);
    }
    *out_size = z.total_out;
    (void)inflateEnd(&z);
    if (status == VRS_OK && result != Z_STREAM_END)
        status = broken("it cannot be unpacked");
    if (status != VRS_OK)
        vrs_free(bytes);
    *out = status == VRS_OK ? bytes : NULL;
    return status;
}

/* u and v of the whole frame to those of the half that each eye's lie in. */
static vrs_status split(vrs_mesh *mesh)
{
    float least[2][2], most[2][2]; /* [eye][u, v] */
    if (mesh->eye_count != 2)
        return broken("the stereo mode is custom, and there are not two meshes");
    for (int e = 0; e < 2; e++) {
        least[e][0] = least[e][1] = INFINITY;
        most[e][0] = most[e][1] = -INFINITY;
        for (int32_t i = 0; i < mesh->eyes[e].vertex_count; i++) {
            const vrs_mesh_vertex *p = &mesh->eyes[e].vertices[i];
            const float place[2] = {p->u, p->v};
            for (int k = 0; k < 2; k++) {
                least[e][k] = fminf(least[e][k], place[k]);
                most[e][k] = fmaxf(most[e][k], place[k]);
            }
        }
    }
    const float slack = 0.01f;
    for (int k = 0; k < 2; k++)
        for (int e = 0; e < 2; e++)
            if (most[e][k] <= 0.5f + slack && least[1 - e][k] >= 0.5f - slack) {
                mesh->halves = true;
                mesh->place.stereo = k == 0 ? VRS_STEREO_SBS : VRS_STEREO_TB;
                mesh->place.swapped = e == 1;
                for (int o = 0; o < 2; o++)
                    for (int32_t i = 0; i < mesh->eyes[o].vertex_count; i++) {
                        vrs_mesh_vertex *p = &mesh->eyes[o].vertices[i];
                        float *place = k == 0 ? &p->u : &p->v;
                        *place = 2 * *place - (o == e ? 0 : 1);
                    }
                return VRS_OK;
            }
    return vrs_fail(VRS_UNSUPPORTED,
                    "mesh of the projection (mshp): the stereo mode is custom, and "
                    "its eyes do not lie in two halves of the frame");
}

static vrs_status read_boxes(const uint8_t *data, size_t size, vrs_mesh *mesh)
{
    size_t at = 0;
    vrs_status status = VRS_OK;
    while (size - at >= 8 && mesh->eye_count < 2 && status == VRS_OK) {
        uint32_t length = word_at(data + at);
        if (length < 8 || length > size - at)
            return broken("a box within has a wrong size");
        if (word_at(data + at + 4) == FOURCC('m', 'e', 's', 'h'))
            status = read_eye(data + at + 8, length - 8, &mesh->eyes[mesh->eye_count++]);
        at += length;
    }
    return status == VRS_OK && mesh->eye_count == 0 ? broken("there is no mesh in it") : status;
}

vrs_status vrs_mesh_read(const uint8_t *data, size_t size, bool custom, vrs_mesh **out)
{
    *out = NULL;
    if (size < 12)
        return broken("it ends before it begins");
    uint32_t wanted = word_at(data + 4), code = word_at(data + 8);
    if (size > INT32_MAX || (uint32_t)crc32(0, data + 8, (uInt)(size - 8)) != wanted)
        return broken("its checksum is wrong");
    bool packed = code == FOURCC('d', 'f', 'l', '8');
    if (!packed && code != FOURCC('r', 'a', 'w', ' '))
        return vrs_fail(VRS_UNSUPPORTED,
                        "mesh of the projection (mshp): it is packed as \"%.4s\"; \"raw \" and "
                        "\"dfl8\" are known",
                        (const char *)data + 8);
    uint8_t *bytes = NULL;
    size_t count = size - 12;
    vrs_status status = packed ? unpack(data + 12, size - 12, &bytes, &count) : VRS_OK;
    if (status != VRS_OK)
        return status;
    vrs_mesh *mesh = vrs_alloc(sizeof(*mesh));
    status = mesh == NULL ? VRS_NO_MEMORY : read_boxes(packed ? bytes : data + 12, count, mesh);
    if (status == VRS_OK && custom)
        status = split(mesh);
    vrs_free(bytes);
    if (status != VRS_OK) {
        vrs_mesh_destroy(mesh);
        return status;
    }
    *out = mesh;
    return VRS_OK;
}

void vrs_mesh_destroy(vrs_mesh *mesh)
{
    if (mesh == NULL)
        return;
    for (int e = 0; e < 2; e++) {
        vrs_free(mesh->eyes[e].vertices);
        vrs_free(mesh->eyes[e].triangles);
    }
    vrs_free(mesh);
}

const vrs_mesh_eye *vrs_mesh_of_eye(const vrs_mesh *mesh, int eye)
{
    return &mesh->eyes[eye < mesh->eye_count ? eye : 0];
}

bool vrs_mesh_halves(const vrs_mesh *mesh, vrs_layout *layout)
{
    if (!mesh->halves)
        return false;
    layout->stereo = mesh->place.stereo;
    layout->swapped = mesh->place.swapped;
    return true;
}
