/* What a report keeps of a trace. Its size does not depend on the trace's length: time is cut into
 * at most VRS_BINS bins, which grow twice as wide when they run out, and lengths are counted in
 * buckets whose width is 1/32 of their value. */
#ifndef VRS_PROFILE_FIGURES_H
#define VRS_PROFILE_FIGURES_H

#include "profile/reader.h"
#include "vrseg/profile.h"

#define VRS_BINS 512
#define VRS_FIRST_BIN_NS INT64_C(100000000)
#define VRS_BUCKETS 1888

#define VRS_REPORT_KINDS 32
#define VRS_REPORT_SERIES 160
#define VRS_REPORT_NOTES 64
#define VRS_REPORT_TRACKS 1024
#define VRS_REPORT_NODES 512
#define VRS_REPORT_KERNELS 1024
#define VRS_REPORT_LEFT 64
#define VRS_REPORT_EXITS 8
#define VRS_REPORT_BARS 800
#define VRS_REPORT_KERNEL_BARS 1000

/* Spans of a kind. */
typedef struct vrs_kind_figures {
    char name[24];
    uint64_t count;
    double sum_ns;
    int64_t max_ns;
    uint64_t buckets[VRS_BUCKETS]; /* of their lengths */
    uint32_t bin_count[VRS_BINS];  /* by the time of their end */
    double bin_sum_ns[VRS_BINS];
} vrs_kind_figures;

/* A counter over time. */
typedef struct vrs_series {
    char name[64];
    uint32_t count[VRS_BINS];
    double sum[VRS_BINS], max[VRS_BINS];
    double last, most;
} vrs_series;

typedef struct vrs_report_note {
    char name[48], text[VRS_DETAIL_SIZE];
} vrs_report_note;

typedef struct vrs_report_node {
    int32_t batch;
    char name[96], does[128], plan[64];
    double micros, flops, bytes;
    double counted_bytes, tensor_percent; /* by the GPU's counters; -1: not known */
} vrs_report_node;

/* A kernel of a node, over all its runs. */
typedef struct vrs_report_kernel {
    int32_t batch; /* 0: of no node */
    char node[96], kernel[160];
    uint64_t runs;
    double total_us, least_us, most_us;
} vrs_report_kernel;

/* A kernel whose runs are in the trace, by its number. */
typedef struct vrs_report_kernel_id {
    int32_t batch;
    char node[96], kernel[160];
} vrs_report_kernel_id;

/* The kernels of a node together. */
typedef struct vrs_report_node_time {
    const vrs_report_kernel *first; /* names it; of no node: the kernel itself */
    const vrs_report_node *node;    /* what it is; NULL: not known */
    uint64_t runs;                  /* of the node */
    double total_us;
} vrs_report_node_time;

typedef struct vrs_report_left {
    char place[24], owner[56];
    uint64_t bytes, blocks;
} vrs_report_left;

/* A span in the window that the Gantt chart shows, or a kernel, whose number is its kind. */
typedef struct vrs_bar {
    int32_t kind;
    int64_t frame, begin_ns, end_ns;
} vrs_bar;

typedef struct vrs_growth {
    const char *owner;
    double per_thousand; /* bytes or blocks a thousand frames; with its standard error */
    double error;
    double level; /* at the end */
    bool leaks;
} vrs_growth;

struct vrs_profile_report {
    char *path;
    int64_t bin_ns, end_ns; /* end: the latest time in the trace */
    int64_t first_frame_ns, last_frame_ns;
    vrs_kind_figures *kinds;
    vrs_series *series;
    vrs_report_note *notes;
    char (*tracks)[32];
    bool gpu_tracks; /* there are some */
    vrs_report_node *nodes;
    vrs_report_kernel *kernels;
    vrs_report_left left[VRS_REPORT_LEFT];
    char exits[VRS_REPORT_EXITS][24];
    vrs_report_kernel_id *kernel_ids; /* number i at i - 1 */
    vrs_bar *bars, *kernel_bars;
    int32_t kind_count, series_count, note_count, node_count, left_count, exit_count, bar_count;
    int32_t kernel_count, kernel_bar_count;
    uint64_t kernel_runs;  /* in the trace */
    uint64_t nodes_beyond; /* that were not kept */
    uint64_t spans, lost;
    int64_t window_begin_ns, window_end_ns; /* of the bars */
    bool bars_beyond, kernel_bars_beyond;
    bool counted; /* of some node */
    bool cut_short;
    int64_t written_s; /* when the file was last written, in seconds since 1970 */
};

/* Adds what a trace holds; `opaque` is the report. */
vrs_status vrs_figures_add(void *opaque, const vrs_event *event);

/* NULL: there is none of that name. */
const vrs_kind_figures *vrs_report_kind(const vrs_profile_report *report, const char *name);
const vrs_series *vrs_report_series(const vrs_profile_report *report, const char *name);
/* Text of a note, else `otherwise`. */
const char *vrs_report_note_of(const vrs_profile_report *report, const char *name,
                               const char *otherwise);

/* The length that a share (0..1) of a kind's spans does not exceed, within 2 %; 0: no spans. */
double vrs_kind_percentile_ns(const vrs_kind_figures *kind, double share);
/* The bucket of a length, and its middle. */
int32_t vrs_bucket_of(int64_t length_ns);
double vrs_bucket_middle_ns(int32_t bucket);

/* Mean of a series over the whole run; negative: no values. */
double vrs_series_mean(const vrs_series *series);
/* Bins that are in use: the last one's number, plus one. */
int32_t vrs_report_bins(const vrs_profile_report *report);

/* Share of the time between the first frame and the last result in which a stage's threads were
 * busy, 0..1; 0 where that is not known. */
double vrs_report_busy(const vrs_profile_report *report, const char *stage);
/* What limits the run: the sentence of the run itself, else one from the busy shares. */
void vrs_report_bottleneck(const vrs_profile_report *report, char *text, size_t size);

/* kernels.c: times by node, the longest first, at most `room`; returns how many. `all_us`: of all
 * kernels together. */
int32_t vrs_report_node_times(const vrs_profile_report *report, vrs_report_node_time *times,
                              int32_t room, double *all_us);
/* What a run of a kernel is called: the node of the network, else the kernel; "kernel" where its
 * number is not known. */
const char *vrs_report_kernel_name(const vrs_profile_report *report, uint64_t id);
/* NULL: its number is not known. */
const vrs_report_kernel_id *vrs_report_kernel_of(const vrs_profile_report *report, uint64_t id);
/* A note that is a number; 0: there is none. */
double vrs_report_number(const vrs_profile_report *report, const char *name);

/* leak.c: growth of each owner of memory; at most VRS_REPORT_SERIES. Returns how many. */
int32_t vrs_report_growth(const vrs_profile_report *report, vrs_growth *growth);

/* gantt.c: the spans of the stages in the middle of the run, by reading the trace again. */
vrs_status vrs_report_window(vrs_profile_report *report) VRS_MUST_USE;

/* compare.c. Mean of a figure over blocks of time, and the standard error of that mean. */
typedef struct vrs_blocks {
    double mean, error;
    int32_t count;
} vrs_blocks;

typedef struct vrs_change {
    char what[64];
    const char *unit;
    double old_value, new_value;
    double noise;    /* what a difference must exceed; negative: the runs are too short to tell */
    int32_t verdict; /* 1: better, -1: worse, 0: within noise, or not judged */
} vrs_change;

#define VRS_REPORT_CHANGES 48
/* Changes from `old` to `report`, at most VRS_REPORT_CHANGES. Returns how many. */
int32_t vrs_report_compare(const vrs_profile_report *report, const vrs_profile_report *old,
                           vrs_change *changes);
/* How noise is judged, in a sentence. */
extern const char vrs_noise_text[];

#endif
