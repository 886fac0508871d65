/* Inside of `vrseg bench`: configurations, what is measured of each, how it is shown. */
#ifndef VRS_CLI_BENCH_H
#define VRS_CLI_BENCH_H

#include <signal.h>

#include <yajl/yajl_gen.h>

#include "cli/cli.h"
#include "cli/run/targets.h"
#include "cli/trial.h"
#include "vrseg/monitor.h"

#define VRS_BENCH_PATH 4096
#define VRS_BENCH_MAX_ROWS 16
#define VRS_BENCH_MAX_RUNS 10

/* Where the frames come from. */
typedef enum vrs_bench_source {
    VRS_BENCH_MEMORY = 0, /* decoded, in host memory, through a pipeline */
    VRS_BENCH_VIDEO = 1,  /* a file, through a job, into a file */
    VRS_BENCH_SOURCES = 2,
} vrs_bench_source;

/* "memory", "video" */
const char *vrs_bench_source_name(vrs_bench_source source);

/* ---- bench_network.c ---- */

typedef struct vrs_bench_network {
    int32_t side; /* of its picture, a multiple of 16 */
    double width; /* share of the channels: 1 is ResNet-50 */
    bool quantised;
} vrs_bench_network;

/* Writes FOLDER/NAME.onnx and its descriptor FOLDER/NAME.yaml; the same bytes each time.
 * VRS_NO_MEMORY, VRS_NO_SPACE, VRS_PERMISSION, VRS_INVALID: the name is too long. */
vrs_status vrs_bench_network_write(const vrs_bench_network *params, const char *folder,
                                   const char *name) VRS_MUST_USE;

/* ---- bench_watch.c: what a device does while something is measured ---- */

/* Numbers that are not known are negative. */
typedef struct vrs_bench_use {
    double gpu_percent; /* as NVML counts: some kernel ran; mean of the readings */
    double sm_percent;  /* multiprocessors with work */
    double tensor_percent, dram_percent;
    double sm_mhz, watts; /* means */
    double joules;        /* of the GPU, in the time */
    double gpu_memory;    /* bytes, most, beyond what was in use at the start */
    int32_t throttle;     /* bits of vrs_throttle, at any time */
    double cpu_percent;   /* this process, of the processors that may be used */
    double other_percent; /* other processes, of the same */
} vrs_bench_use;

/* Whose GPU: an open monitor, or NULL on the CPU. */
typedef struct vrs_bench_watch {
    vrs_monitor *monitor;
    int64_t memory_used; /* before the work; -1: unknown */
    int32_t readings;
    vrs_bench_use sum; /* since the start */
    int32_t counts[6];
    double joules; /* at the start */
    int64_t begin_ns, next_ns;
    double cpu_seconds, busy_seconds; /* at the start: of this process, of its processors */
} vrs_bench_watch;

/* Opens the monitor of a GPU ("" or NULL: none), as it is before the work. Without NVML there are
 * no readings. */
void vrs_bench_watch_open(vrs_bench_watch *watch, const char *pci);
void vrs_bench_watch_close(vrs_bench_watch *watch);
/* Begins to count; reads where the last reading is a quarter of a second old; ends. */
void vrs_bench_watch_begin(vrs_bench_watch *watch);
void vrs_bench_watch_look(vrs_bench_watch *watch);
void vrs_bench_watch_end(vrs_bench_watch *watch, vrs_bench_use *use);

/* ---- bench_work.c: measuring, in a process of its own ---- */

typedef struct vrs_bench_work {
    vrs_bench_source source;
    const char *input; /* of VRS_BENCH_VIDEO */
    vrs_job_output kind;
    char output[VRS_BENCH_PATH];
    int32_t width, height; /* of frames in memory */
    int32_t batch;
    int32_t runs;
    double seconds;      /* that a run measures, about */
    int64_t frames;      /* that a run measures at most; 0: by time alone */
    char pci[24];        /* of the GPU; "": the CPU */
    double most_seconds; /* of the process */
    bool open_only;      /* measures nothing: plans are made and kept */
} vrs_bench_work;

typedef struct vrs_bench_latency {
    int64_t frames;
    double p50_ms, p95_ms, p99_ms, most_ms;
} vrs_bench_latency;

typedef struct vrs_bench_run {
    int64_t frames;
    double seconds, fps;
    vrs_bench_latency loaded; /* while as many frames are in flight as may be */
    vrs_bench_use use;
} vrs_bench_run;

/* What it came to; passed from one process to another. */
typedef struct vrs_bench_result {
    vrs_trial_end end;
    char device[VRS_DETAIL_SIZE], engine[VRS_DETAIL_SIZE], decoder[64], bottleneck[VRS_DETAIL_SIZE];
    vrs_bench_latency alone; /* a batch at a time, nothing else in flight; of memory alone */
    int32_t runs;
    vrs_bench_run run[VRS_BENCH_MAX_RUNS];
    double start_seconds; /* until the pipeline could take a frame, the first time */
    double rss;           /* bytes, most of the process */
} vrs_bench_result;

/* Measures `work` with the config's settings. `stop` as of vrs_trial_run(). The errors of making a
 * pipeline or of a job, and of vrs_trial_run(). */
vrs_status vrs_bench_measure(vrs_config *config, const vrs_bench_work *work,
                             const volatile sig_atomic_t *stop,
                             vrs_bench_result *result) VRS_MUST_USE;

/* ---- bench_device.c: which device, and what it could do ---- */

typedef struct vrs_bench_device {
    vrs_trial_end end;
    char id[32]; /* "cpu", "cuda:0" */
    char name[200];
    char note[VRS_DETAIL_SIZE]; /* why it is the CPU, where that was not asked for */
    char driver[80], pci[24];
    bool gpu;
    int32_t cuda_version, multiprocessors;
    double memory_total, gpu_percent; /* bytes; before anything is measured, -1: unknown */
    struct {
        char precision[8];
        double operations; /* a second; 0: unknown */
        char how[160];
    } peaks[5];
} vrs_bench_device;

/* Looks at the config's device, in a process of its own. VRS_INVALID: several devices, or none that
 * there is; else the errors of opening it. */
vrs_status vrs_bench_device_find(const vrs_config *config, const volatile sig_atomic_t *stop,
                                 vrs_bench_device *device) VRS_MUST_USE;
/* 0: unknown */
double vrs_bench_peak(const vrs_bench_device *device, const char *precision);

/* ---- what is measured ---- */

typedef struct vrs_bench_row {
    char name[24];     /* "FP16 B8" */
    char precision[8]; /* "f16" */
    int32_t batch;
    vrs_status status[VRS_BENCH_SOURCES];
    bool opened;                                     /* once, for the plans of its network */
    bool measured[VRS_BENCH_SOURCES];                /* the result is there */
    char reason[VRS_BENCH_SOURCES][VRS_DETAIL_SIZE]; /* why it is not */
    vrs_bench_result result[VRS_BENCH_SOURCES];
} vrs_bench_row;

/* Figures that somebody else's program gave for the same work. */
typedef struct vrs_bench_peer {
    char name[64], what[96]; /* "torch.compile", "network alone, FP16 B8" */
    double fps, latency_ms;  /* negative: unknown */
} vrs_bench_peer;

#define VRS_BENCH_MAX_PEERS 48

typedef struct vrs_bench_table {
    vrs_bench_device device;
    char model[VRS_DETAIL_SIZE]; /* what it is, in words */
    char source_text[VRS_BENCH_SOURCES][VRS_DETAIL_SIZE];
    double flops; /* of a frame; 0: unknown */
    int32_t input_width, input_height, mask_width, mask_height;
    bool standard; /* the network and the sizes are the reference system's */
    bool sources[VRS_BENCH_SOURCES];
    vrs_bench_row *rows; /* `row_count` */
    int32_t row_count, runs;
    vrs_bench_peer *peers;
    int32_t peer_count;
    char peers_note[VRS_DETAIL_SIZE]; /* why there are none */
    const vrs_config *config;         /* for its targets */
    bool stopped;
} vrs_bench_table;

/* A row of the reference system, an RTX 3090: DeepLabV3+ ResNet-50, 1080p to 512x512. */
typedef struct vrs_bench_reference {
    const char *name, *precision;
    int32_t batch;
    double latency_ms, fps, gpu_percent, cpu_percent, peak; /* operations a second */
} vrs_bench_reference;

/* NULL: the reference has no such row. */
const vrs_bench_reference *vrs_bench_reference_find(const char *precision, int32_t batch);
const vrs_bench_reference *vrs_bench_reference_row(int32_t index); /* NULL: no more */

/* ---- bench_report.c: how it is shown ---- */

/* The targets of the table's config beside a row that was measured; returns how many. `targets`: of
 * VRS_MAX_TARGETS. */
int vrs_bench_targets(const vrs_bench_table *table, const vrs_bench_row *row, int source,
                      vrs_target *targets);
/* Whether every row that was measured meets them all, and any was. */
bool vrs_bench_targets_met(const vrs_bench_table *table);

/* The run of the median rate. */
const vrs_bench_run *vrs_bench_median(const vrs_bench_result *result);
/* Largest less smallest rate over the median, of the runs; 0 of a single one. */
double vrs_bench_spread(const vrs_bench_result *result);
/* Calls `say` with each sentence on why the figures may be off: a noisy machine. */
void vrs_bench_warnings(const vrs_bench_table *table,
                        void (*say)(void *opaque, const char *sentence), void *opaque);
void vrs_bench_markdown(const vrs_bench_table *table, FILE *out);
/* bench_json.c. VRS_NO_MEMORY, VRS_NOT_FOUND, VRS_IO. */
vrs_status vrs_bench_json(const vrs_bench_table *table, const char *path) VRS_MUST_USE;

/* ---- bench_peers.c ---- */

/* Runs the programs of bench/peers/ that do the same work on this device, and adds what they print.
 * `model` is the ONNX file of the default network, NULL: another one is measured. VRS_CANCELLED. */
vrs_status vrs_bench_peers_run(vrs_bench_table *table, const char *model, const char *video,
                               int64_t frames, const volatile sig_atomic_t *stop) VRS_MUST_USE;

#endif
