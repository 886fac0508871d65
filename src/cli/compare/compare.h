/* Inside of `vrseg models compare`: models on the user's own frames. */
#ifndef VRS_CLI_COMPARE_H
#define VRS_CLI_COMPARE_H

#include "cli/bench/bench.h"

#define VRS_COMPARE_MAX_MODELS 64
/* Frames of the contact sheet, and the size of a cell in it. */
#define VRS_COMPARE_CELLS 4
#define VRS_COMPARE_CELL_WIDTH 256
#define VRS_COMPARE_CELL_HEIGHT 144
#define VRS_COMPARE_CELL_BYTES (VRS_COMPARE_CELL_WIDTH * VRS_COMPARE_CELL_HEIGHT)

/* What is asked of each model. */
typedef struct vrs_compare_work {
    const char *input, *masks; /* masks: NULL: there are none */
    int64_t frames;            /* at most */
    double seconds;            /* of measuring the rate */
    char pci[24];
    char cells[VRS_BENCH_PATH]; /* file that gets the masks of the sheet's frames, a byte a pixel */
} vrs_compare_work;

/* What came of it. Numbers that are not known are negative. */
typedef struct vrs_compare_result {
    vrs_trial_end end;
    int64_t frames; /* that were judged */
    double fps;
    double rss, gpu_memory; /* bytes */
    double coverage;        /* share of the pixels that is person, mean */
    double iou;             /* with the given masks, mean over the frames */
    double flicker;         /* how much the mask changes where the picture does not, of 100 */
    double dtssd;           /* flicker that is not in the given masks; bench/metrics.py */
    char device[VRS_DETAIL_SIZE], engine[VRS_DETAIL_SIZE];
} vrs_compare_result;

typedef struct vrs_compared {
    char name[512], title[256], licence[128];
    bool test_only;
    bool measured;
    char reason[VRS_DETAIL_SIZE];
    vrs_compare_result result;
    double agreement; /* IoU of its cells with what most models say; negative: unknown */
    uint8_t *cells;   /* VRS_COMPARE_CELLS of VRS_COMPARE_CELL_BYTES */
} vrs_compared;

typedef struct vrs_comparison {
    const char *input;
    double rate; /* frames a second of the input; 0: pictures */
    int32_t width, height;
    bool masks, stopped;
    vrs_compared *models;
    int32_t count;
    uint8_t *pictures; /* the sheet's frames in RGB, of three times a cell's bytes */
    int32_t picture_count;
    int64_t picture_frames[VRS_COMPARE_CELLS]; /* their numbers */
    vrs_bench_device device;
    int32_t best; /* index of the recommended model; -1: none */
    char why[1024];
} vrs_comparison;

/* Which of `count` frames the sheet's picture `index` shows. */
int64_t vrs_compare_frame(int64_t count, int32_t index);

/* compare_work.c: runs the config's model on the work's frames, in a process of its own. The errors
 * of reading the input and the masks, of making a pipeline, and of vrs_trial_run(). */
vrs_status vrs_compare_measure(vrs_config *config, const vrs_compare_work *work,
                               const volatile sig_atomic_t *stop,
                               vrs_compare_result *result) VRS_MUST_USE;

/* A mask of 8 bits, made as large as a cell without changing its shape, black around it. */
void vrs_compare_shrink(const uint8_t *mask, ptrdiff_t stride, int32_t width, int32_t height,
                        uint8_t *cell);

/* compare_show.c */
void vrs_compare_recommend(vrs_comparison *c);
void vrs_compare_print(const vrs_comparison *c, FILE *out);
/* VRS_NO_MEMORY, VRS_NOT_FOUND, VRS_IO. */
vrs_status vrs_compare_json(const vrs_comparison *c, const char *path) VRS_MUST_USE;

/* compare_sheet.c: a PNG with a row a model: its people over green in each of the frames. The
 * errors of vrs_image_write_png(). */
vrs_status vrs_compare_sheet(const vrs_comparison *c, const char *path) VRS_MUST_USE;

#endif
