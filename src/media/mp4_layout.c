#include "media/mp4_layout.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

/* Boxes that are looked at in all: no real file has so many on the way to its sample entries. */
#define MOST_BOXES 4096
#define MOST_DEPTH 12
/* Bytes before the boxes within: version and flags with a count; a visual sample entry's fields. */
#define STSD_FIELDS 8
#define VISUAL_FIELDS 78

typedef struct walk {
    int fd;
    int boxes;
    vrs_mp4_layout found;
} walk;

/* Where a box's contents lie in the file. */
typedef struct box {
    char type[5];
    uint64_t begin, end;
} box;

static bool read_at(const walk *w, uint64_t place, uint8_t *bytes, size_t count)
{
    if (place > INT64_MAX - count) {
        return false;
    }
    ssize_t got;
    do {
        got = pread(w->fd, bytes, count, (off_t)place);
    } while (got < 0 && errno == EINTR);
    return got == (ssize_t)count;
}

static uint64_t big_endian(const uint8_t *bytes, int count)
{
    uint64_t value = 0;
    for (int i = 0; i < count; i++) {
        value = value << 8 | bytes[i];
    }
    return value;
}

/* The box at `place`; false: none that ends by `end`. */
static bool read_box(walk *w, uint64_t place, uint64_t end, box *out)
{
    uint8_t head[16];
    if (place > end || end - place < 8 || ++w->boxes > MOST_BOXES || !read_at(w, place, head, 8)) {
        return false;
    }
    uint64_t size = big_endian(head, 4);
    uint64_t header = 8;
    if (size == 1) { /* 64 bits behind the type */
        header = 16;
        if (end - place < header || !read_at(w, place, head, header)) {
            return false;
        }
        size = big_endian(head + 8, 8);
    } else if (size == 0) { /* to the end */
        size = end - place;
    }
    if (size < header || size > end - place) {
        return false;
    }
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
    };
    for (size_t i = 0; i < sizeof parents / sizeof parents[0]; i++) {
        if (strcmp(parents[i].type, type) == 0) {
            return parents[i].fields;
        }
    }
    return -1;
}

static void look_at(walk *w, const box *found)
{
    uint8_t bytes[5];
    if (strcmp(found->type, "mshp") == 0) {
        w->found.mesh = true;
    } else if (strcmp(found->type, "st3d") == 0 && found->end - found->begin >= sizeof bytes &&
               read_at(w, found->begin, bytes, sizeof bytes) && bytes[4] >= 3) {
        w->found.stereo_lost = bytes[4];
    }
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

vrs_mp4_layout vrs_mp4_layout_read(const char *path)
{
    walk w = {.fd = open(path, O_RDONLY | O_CLOEXEC)};
    if (w.fd < 0) {
        return w.found;
    }
    off_t end = lseek(w.fd, 0, SEEK_END);
    uint8_t head[8];
    /* Every MP4 and MOV begins with a box of a known type. */
    if (end > 0 && read_at(&w, 0, head, sizeof head) &&
        (memcmp(head + 4, "ftyp", 4) == 0 || memcmp(head + 4, "moov", 4) == 0 ||
         memcmp(head + 4, "mdat", 4) == 0 || memcmp(head + 4, "wide", 4) == 0 ||
         memcmp(head + 4, "free", 4) == 0)) {
        walk_boxes(&w, (uint64_t)end);
    }
    (void)close(w.fd);
    return w.found;
}
