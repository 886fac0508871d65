/* The journal of a run: what is finished, one JSON object a line, each line synced before the next
 * segment begins. The first line says of what and how the run makes its output: a run that is to go
 * on with it must do the same. */
#ifndef VRS_MEDIA_JOURNAL_H
#define VRS_MEDIA_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/file.h"
#include "vrseg/status.h"

#define VRS_JOURNAL_NAME "journal.jsonl"
/* Longer than any line, and than any file. */
#define VRS_JOURNAL_LINE (64 << 10)
#define VRS_JOURNAL_MAX_BYTES (64 << 20)
#define VRS_LAYOUT_TAGS_SIZE 256

typedef struct vrs_journal_header {
    const char *kind;     /* "mask" */
    const char *source;   /* path of the input; NULL: none */
    int64_t source_bytes; /* its size; -1: not a file */
    const char *settings; /* what else decides about the pixels, "name=value" by line feeds */
    const char *encoder;  /* "libx264" */
    const char *preset, *options;
    double crf;
    int64_t bitrate;
    int32_t threads, width, height, segment_frames;
    int32_t time_base_num, time_base_den, rate_num, rate_den;
    int32_t shard, shards;        /* 0: all of it */
    bool keep_streams, same_size; /* and rotation: as of vrs_carry_params */
    int32_t rotation;
    const char *layout; /* vrs_carry_layout_text() */
} vrs_journal_header;

typedef struct vrs_journal_entry {
    char file[32]; /* in the journal's folder */
    int64_t first_frame, frames;
    int64_t first_pts, end_pts; /* of the first frame; after the last one */
    int64_t last_pts, last_dts; /* of the last frame, and of the last packet */
    int64_t shift;              /* that these times have in them beside the source's */
    int64_t bytes;
    uint32_t crc;
    int32_t part;      /* of several journals, the one that it comes from */
    bool source_times; /* the last frame has the source's own time, by which it can be found */
} vrs_journal_entry;

typedef struct vrs_journal {
    int fd; /* -1: closed */
    int64_t size;
    vrs_journal_entry *entries;
    int64_t *places; /* of the entries' lines in the file */
    size_t count, capacity;
    char path[VRS_PATH_MAX];
} vrs_journal;

/* Makes the journal of a run. VRS_NO_SPACE, VRS_IO, VRS_PERMISSION; nothing stays on failure. */
vrs_status vrs_journal_create(vrs_journal *journal, const char *folder,
                              const vrs_journal_header *header) VRS_MUST_USE;

/* Opens the journal that a run has left in a folder, to go on with it. What a crash has left of a
 * last line is cut off, as are the entries from the first one on whose segment is not as it was
 * written. `has` is false, and the journal closed, where there is none or nothing of it is whole.
 * VRS_INVALID: that run was another one (says in what); VRS_CORRUPT: this is no journal; VRS_IO,
 * VRS_PERMISSION, VRS_NO_MEMORY. */
vrs_status vrs_journal_resume(vrs_journal *journal, const char *folder,
                              const vrs_journal_header *header, bool *has) VRS_MUST_USE;

/* Forgets all entries but the first `count`, also on the disk; their segments stay. VRS_IO. */
vrs_status vrs_journal_cut(vrs_journal *journal, size_t count) VRS_MUST_USE;

/* Adds a finished segment, on the disk when it returns. On failure the journal is as before.
 * VRS_NO_SPACE, VRS_IO, VRS_NO_MEMORY. */
vrs_status vrs_journal_add(vrs_journal *journal, const vrs_journal_entry *entry) VRS_MUST_USE;

/* Says that no segment follows, on the disk when it returns: a shard is whole. VRS_NO_SPACE,
 * VRS_IO. */
vrs_status vrs_journal_end(vrs_journal *journal) VRS_MUST_USE;

/* Closes; the file stays. */
void vrs_journal_close(vrs_journal *journal);

/* Whether the journal of a folder, if it has one, is that of a whole shard. The segments are read
 * only where it says that none follows. VRS_IO, VRS_PERMISSION, VRS_NO_MEMORY. */
vrs_status vrs_journal_ended(const char *folder, bool *ended) VRS_MUST_USE;

/* What two first lines differ in. */
#define VRS_JOURNAL_VALUE 160
typedef struct vrs_journal_difference {
    char was[VRS_JOURNAL_VALUE], is[VRS_JOURNAL_VALUE]; /* "crf 20", "threshold=0" */
} vrs_journal_difference;

/* A parsed first line, of YAJL's tree; freed with yajl_tree_free(). */
struct yajl_val_s;

/* Reads a whole shard's journal to be joined; it is not opened for writing. `header` is owned.
 * VRS_NOT_FOUND: there is none; VRS_INVALID: it is not whole, or a segment is not as it was
 * written; VRS_CORRUPT: it is no journal; VRS_IO, VRS_PERMISSION, VRS_NO_MEMORY. */
vrs_status vrs_journal_read_shard(vrs_journal *journal, const char *folder,
                                  struct yajl_val_s **header) VRS_MUST_USE;

/* Whether two runs did the same, but for the path of their source and which shard they made. */
bool vrs_journal_same(const struct yajl_val_s *before, const struct yajl_val_s *now,
                      vrs_journal_difference *difference);

/* The first line for a header, owned (vrs_free). VRS_NO_MEMORY. */
vrs_status vrs_journal_header_line(const vrs_journal_header *header, char **line) VRS_MUST_USE;
/* Room for one entry more. VRS_NO_MEMORY. */
vrs_status vrs_journal_make_room(vrs_journal *journal) VRS_MUST_USE;

/* Number of finished segments that the journal of a folder names, 0 without one. VRS_IO,
 * VRS_PERMISSION, VRS_NO_MEMORY, VRS_INVALID. */
vrs_status vrs_journal_count(const char *folder, int64_t *segments) VRS_MUST_USE;

#endif
