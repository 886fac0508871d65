/* How much room outputs will take on their disks, before anything is written. */
#ifndef VRS_MEDIA_ROOM_H
#define VRS_MEDIA_ROOM_H

#include "media/sink/sink.h"
#include "vrseg/status.h"

/* Bytes. `least`: fewer it will hardly be; `likely`: what such pictures mostly take. Raw pictures
 * and a given bit rate are known, and both are the same. */
typedef struct vrs_room {
    uint64_t least, likely;
} vrs_room;

/* Of a frame of an output, codec chosen; segments are joined one by one, so it is there once. */
VRS_API vrs_room vrs_room_of_frame(const vrs_sink_params *params);
/* For so many frames; as much as there is in numbers where that is more. */
VRS_API vrs_room vrs_room_times(vrs_room frame, uint64_t frames);

#define VRS_ROOM_DISKS 64

/* A file system and what is to be written to it. */
typedef struct vrs_room_disk {
    uint64_t device; /* the system's number */
    uint64_t available;
    char folder[256]; /* one that lies there */
    vrs_room need;
    int32_t outputs;
} vrs_room_disk;

/* The sum for each; zeroed: nothing yet. */
typedef struct vrs_room_sum {
    vrs_room_disk disks[VRS_ROOM_DISKS];
    int32_t count;
} vrs_room_sum;

/* Adds an output on a known disk. Of more than VRS_ROOM_DISKS the others are left out. */
VRS_API void vrs_room_add_to(vrs_room_sum *sum, uint64_t device, uint64_t available,
                             const char *folder, vrs_room need);
/* Adds an output by its path, whose folder need not exist yet. Where the system tells nothing of it
 * nothing is added: the writing will say what is wrong. */
VRS_API void vrs_room_add(vrs_room_sum *sum, const char *path, vrs_room need);
/* Adds the disk of a path alone: an output that goes there is of unknown size. */
VRS_API void vrs_room_see(vrs_room_sum *sum, const char *path);
/* VRS_NO_SPACE: a disk has less than the outputs there take at least; names all figures. VRS_OK
 * with a text in `warning` (else ""): one has less than what is likely. */
VRS_API vrs_status vrs_room_judge(const vrs_room_sum *sum, char *warning, size_t size) VRS_MUST_USE;

#endif
