/* What a test sets and reads of the stand-in for NVDEC: tests link libnvcuvid.so.1 of this folder,
 * and libav, which looks for a library of that name, finds it loaded. Any thread; what is set holds
 * for decoders that are made or used afterwards. */
#ifndef FAKE_NVDEC_H
#define FAKE_NVDEC_H

#include <stdbool.h>
#include <stdint.h>

typedef struct fake_nvdec_counts {
    int decoders;    /* alive */
    int mapped;      /* output surfaces that libav's caller holds */
    int most_mapped; /* at the same time */
    int decoded;     /* pictures */
    int released;    /* surfaces, each poisoned at once */
} fake_nvdec_counts;

/* Everything as at the start; no decoder may be alive. */
void fake_nvdec_reset(void);
fake_nvdec_counts fake_nvdec_read(void);

/* The hardware decodes pictures of at most this width; 0: none at all. At the start 8192. */
void fake_nvdec_set_max_width(unsigned width);

/* The n-th picture from now fails with `error` (the driver's number), and so do all after it if
 * `forever`. 0: none. */
void fake_nvdec_fail_picture(int n, int error, bool forever);

/* What the stand-in draws: the byte of row y, column x (bytes) of plane 0 or 1 of the picture whose
 * order of display is `order`. H.264 counts two
 * for a frame, HEVC one. */
uint8_t fake_nvdec_byte(int order, int plane, int x, int y);

/* What a released surface is filled with. */
#define FAKE_NVDEC_POISON 0xdb

#endif
