/* MP4 boxes and meshes put together byte by byte. */
#ifndef TESTS_VR_BYTES_H
#define TESTS_VR_BYTES_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <zlib.h>

#include "vr/boxes.h"

#define BYTES_ROOM (1 << 17)

typedef struct bytes {
    uint8_t data[BYTES_ROOM];
    size_t size;
    int bits; /* of the last byte that are still free */
} bytes;

static inline void put_bits(bytes *b, uint32_t value, int count)
{
    for (int i = count - 1; i >= 0; i--) {
        if (b->bits == 0) {
            b->data[b->size++] = 0;
            b->bits = 8;
        }
        b->bits--;
        b->data[b->size - 1] |= (uint8_t)((value >> i & 1) << b->bits);
    }
}

static inline void put_word(bytes *b, uint32_t value)
{
    b->bits = 0;
    put_bits(b, value, 32);
}

static inline void put_zeros(bytes *b, size_t count)
{
    b->bits = 0;
    memset(b->data + b->size, 0, count);
    b->size += count;
}

/* Begins a box; end_box() with what this returned writes its size. */
static inline size_t begin_box(bytes *b, const char *type)
{
    size_t place = b->size;
    put_word(b, 0);
    memcpy(b->data + b->size, type, 4);
    b->size += 4;
    return place;
}

static inline void put_size(uint8_t *place, uint32_t size)
{
    for (int i = 0; i < 4; i++)
        place[i] = (uint8_t)(size >> (24 - 8 * i));
}

static inline void end_box(bytes *b, size_t place)
{
    b->bits = 0;
    put_size(b->data + place, (uint32_t)(b->size - place));
}

static inline void put_float(bytes *b, float value)
{
    uint32_t word;
    memcpy(&word, &value, sizeof(word));
    put_word(b, word);
}

static inline int bits_for(uint32_t count)
{
    int bits = 0;
    while ((UINT64_C(1) << bits) < 2 * (uint64_t)count)
        bits++;
    return bits;
}

static inline void put_delta(bytes *b, int32_t delta, int bits)
{
    put_bits(b, delta >= 0 ? (uint32_t)delta * 2 : (uint32_t)-delta * 2 - 1, bits);
}

/* Where the corner of a grid looks, as in the file: x right, y up, -z ahead; and its u, v (v up).
 */
typedef void (*grid_fn)(double u, double v, float xyzuv[5]);

/* A mesh box of (side + 1)^2 vertices over the whole picture, as triangles. */
static inline void put_mesh(bytes *b, int side, grid_fn fn)
{
    const int32_t vertices = (side + 1) * (side + 1), coordinates = 5 * vertices;
    size_t box = begin_box(b, "mesh");
    put_word(b, (uint32_t)coordinates);
    for (int i = 0; i < vertices; i++) {
        float xyzuv[5];
        fn((double)(i % (side + 1)) / side, (double)(i / (side + 1)) / side, xyzuv);
        for (int k = 0; k < 5; k++)
            put_float(b, xyzuv[k]);
    }
    put_word(b, (uint32_t)vertices);
    int32_t last[5] = {0};
    for (int i = 0; i < vertices; i++)
        for (int k = 0; k < 5; k++) {
            put_delta(b, 5 * i + k - last[k], bits_for((uint32_t)coordinates));
            last[k] = 5 * i + k;
        }
    put_word(b, 1);
    b->data[b->size++] = 0; /* texture */
    b->data[b->size++] = 0; /* triangles */
    put_word(b, (uint32_t)(6 * side * side));
    int32_t before = 0;
    for (int y = 0; y < side; y++)
        for (int x = 0; x < side; x++) {
            const int32_t a = y * (side + 1) + x, below = a + side + 1;
            const int32_t corners[6] = {a, a + 1, below, below, a + 1, below + 1};
            for (int k = 0; k < 6; k++) {
                put_delta(b, corners[k] - before, bits_for((uint32_t)vertices));
                before = corners[k];
            }
        }
    end_box(b, box);
}

/* Contents of an mshp box around mesh boxes, raw or packed. */
static inline void put_mshp(bytes *b, const bytes *meshes, bool packed)
{
    put_word(b, 0);
    size_t crc = b->size;
    put_word(b, 0);
    memcpy(b->data + b->size, packed ? "dfl8" : "raw ", 4);
    b->size += 4;
    if (packed) {
        z_stream z = {.next_in = (Bytef *)(uintptr_t)meshes->data,
                      .avail_in = (uInt)meshes->size,
                      .next_out = b->data + b->size,
                      .avail_out = (uInt)(BYTES_ROOM - b->size)};
        if (deflateInit2(&z, 9, Z_DEFLATED, -MAX_WBITS, 9, Z_DEFAULT_STRATEGY) == Z_OK)
            (void)deflate(&z, Z_FINISH);
        b->size += z.total_out;
        (void)deflateEnd(&z);
    } else {
        memcpy(b->data + b->size, meshes->data, meshes->size);
        b->size += meshes->size;
    }
    put_size(b->data + crc, (uint32_t)crc32(0, b->data + crc + 4, (uInt)(b->size - crc - 4)));
}

/* The boxes of an MP4 down to its sample entry; `places` of those that are open. */
#define OPEN_BOXES 8

static inline void begin_entry(bytes *b, const char *entry, size_t places[OPEN_BOXES])
{
    static const char *const parents[] = {"moov", "trak", "mdia", "minf", "stbl", "stsd"};
    size_t ftyp = begin_box(b, "ftyp");
    put_zeros(b, 8);
    end_box(b, ftyp);
    for (int i = 0; i < 6; i++)
        places[i] = begin_box(b, parents[i]);
    put_zeros(b, 8);
    places[6] = begin_box(b, entry);
    put_zeros(b, 78);
}

static inline void end_entry(bytes *b, const size_t places[OPEN_BOXES])
{
    for (int i = 6; i >= 0; i--)
        end_box(b, places[i]);
}

static inline void put_st3d(bytes *b, uint8_t mode)
{
    size_t box = begin_box(b, "st3d");
    put_word(b, 0);
    b->data[b->size++] = mode;
    end_box(b, box);
}

/* sv3d with a projection box of `type` and its contents. */
static inline void put_sv3d(bytes *b, const char *type, const uint8_t *contents, size_t size)
{
    size_t sv3d = begin_box(b, "sv3d"), svhd = begin_box(b, "svhd");
    put_zeros(b, 5);
    end_box(b, svhd);
    size_t proj = begin_box(b, "proj"), prhd = begin_box(b, "prhd");
    put_word(b, 0);
    put_word(b, 90 << 16);
    put_word(b, (uint32_t)(-45 * 65536));
    put_word(b, 1 << 15);
    end_box(b, prhd);
    size_t box = begin_box(b, type);
    memcpy(b->data + b->size, contents, size);
    b->size += size;
    end_box(b, box);
    end_box(b, proj);
    end_box(b, sv3d);
}

static inline bool read_bytes(void *opaque, uint64_t place, uint8_t *out, size_t count)
{
    const bytes *b = opaque;
    if (place > b->size || count > b->size - place)
        return false;
    memcpy(out, b->data + place, count);
    return true;
}

static inline vrs_boxes boxes_of(bytes *b)
{
    const vrs_bytes file = {read_bytes, b, b->size};
    return vrs_boxes_read(&file);
}

#endif
