/* Any bytes as an MP4 file: its boxes say something or nothing, and its mesh is read or refused
 * with a sentence; as an mshp box behind a checksum that is right, too. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "fuzz/target.h"
#include "vr/boxes.h"
#include "vr/mesh.h"

#define HEAD 8 /* version, flags and checksum of an mshp box */
#define COLUMNS 32
#define ROWS 16

typedef struct input {
    const uint8_t *data;
    size_t size;
} input;

static bool read_input(void *opaque, uint64_t place, uint8_t *bytes, size_t count)
{
    const input *in = opaque;
    if (place > in->size || count > in->size - place)
        return false;
    memcpy(bytes, in->data + place, count);
    return true;
}

static void stop(const char *what)
{
    fprintf(stderr, "%s\n", what);
    abort();
}

static void check_table(const vrs_mesh *mesh)
{
    static float uv[COLUMNS * ROWS][2];
    for (int e = 0; e < 2; e++)
        vrs_mesh_table(vrs_mesh_of_eye(mesh, e), COLUMNS, ROWS, uv);
}

static void read_mesh(const uint8_t *data, size_t size, const vrs_boxes *boxes)
{
    vrs_mesh *mesh = NULL;
    vrs_layout_claim claim;
    bool custom = boxes->stereo == VRS_ST3D_CUSTOM;
    if (vrs_mesh_read(data, size, custom, &mesh) != VRS_OK && vrs_last_error()[0] == '\0')
        stop("a refusal without a sentence");
    vrs_boxes_claim(boxes, mesh, 4096, 2048, &claim);
    if (mesh != NULL)
        check_table(mesh);
    vrs_mesh_destroy(mesh);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    input in = {data, size};
    const vrs_bytes bytes = {read_input, &in, size};
    vrs_boxes boxes = vrs_boxes_read(&bytes);
    if (boxes.mesh_size > size || boxes.mesh_place > size - boxes.mesh_size)
        stop("a mesh lies outside of the file");
    read_mesh(data + boxes.mesh_place, boxes.mesh_size, &boxes);
    if (size < HEAD)
        return 0;
    uint8_t *right = malloc(size);
    if (!right)
        return 0;
    memcpy(right, data, size);
    uLong crc = crc32(0, right + HEAD, (uInt)(size - HEAD));
    for (int i = 0; i < 4; i++)
        right[4 + i] = (uint8_t)(crc >> (24 - 8 * i));
    boxes.stereo = data[0] % 5;
    boxes.sphere = VRS_SPHERE_MESH;
    read_mesh(right, size, &boxes);
    free(right);
    return 0;
}
