/* The machine and the time, as vrseg sees them, and whether a configuration can run here. */
#ifndef VRSEG_SYSTEM_H
#define VRSEG_SYSTEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

#define VRS_VERSION_MAJOR 0
#define VRS_VERSION_MINOR 1
#define VRS_VERSION_PATCH 0
#define VRS_VERSION_TEXT "0.1.0"

/* Version of the library that is running, "0.1.0". */
VRS_API const char *vrs_version(void);

/* Nanoseconds of the clock by which vrseg stamps frames; never goes back. */
VRS_API int64_t vrs_now_ns(void);

/* Processors that this process may use: its affinity mask, cut by the cgroup's CPU quota (rounded
 * up); at least 1. */
VRS_API int32_t vrs_cpu_count(void);

/* CPU model and the instruction sets that vrseg uses on it, e.g. "AVX-512". Static text. */
VRS_API const char *vrs_cpu_name(void);
VRS_API const char *vrs_cpu_isa(void);

/* The OpenVINO that would be opened: version and folder. VRS_MISSING: none (the detail says how to
 * get it). */
VRS_API vrs_status vrs_openvino_info(char *version, size_t version_size, char *folder,
                                     size_t folder_size) VRS_MUST_USE;

/* The same of ONNX Runtime; the version names the providers that it was built with: "1.32.0 (cpu)".
 * VRS_MISSING also where vrseg was built without it, VRS_UNSUPPORTED: it is too old. */
VRS_API vrs_status vrs_onnxruntime_info(char *version, size_t version_size, char *folder,
                                        size_t folder_size) VRS_MUST_USE;

/* cuDNN, for the engine cuda: its version, "9.14.0". VRS_MISSING: how to get it. VRS_UNSUPPORTED:
 * too old. */
VRS_API vrs_status vrs_cudnn_info(char *version, size_t size) VRS_MUST_USE;

/* NVIDIA GPUs that the driver shows; at least 1 on success. VRS_MISSING: no driver, one without a
 * function that is needed, or no GPU; VRS_UNSUPPORTED: the driver is too old; VRS_DEVICE: it does
 * not start. The detail says how to get what is missing. */
VRS_API vrs_status vrs_gpu_count(int32_t *count) VRS_MUST_USE;

/* Tries whether GPU `number` can be used and says what it is: "NVIDIA H200, compute capability 9.0,
 * 132 multiprocessors, 143771 MB, CUDA 13.0". Where it cannot, the errors of opening it, whose
 * detail says why. */
VRS_API vrs_status vrs_gpu_describe(int32_t number, char *text, size_t size) VRS_MUST_USE;

/* ---- what this machine is ----
 * Text that does not fit is cut at a character's border; "" is unknown. Numbers that the system
 * does not give are -1 unless a comment says more. */

#define VRS_MAX_NUMA_NODES 64

typedef struct vrs_numa_node {
    int32_t number;
    int32_t cpus;         /* logical processors of the node */
    int64_t memory_total; /* bytes */
    int64_t memory_free;  /* bytes, without what the page cache would give back */
    char cpu_list[128];   /* "0-15,32-47" */
} vrs_numa_node;

typedef struct vrs_system_info {
    char version[32];         /* vrseg's */
    char os[128];             /* "Debian GNU/Linux 12 (bookworm)" */
    char kernel[128];         /* "6.1.0-18-amd64" */
    char container[32];       /* "docker", "podman", ..., "yes" where only that is known */
    char hypervisor[32];      /* "wsl2", or "yes" in another virtual machine */
    char cpu_name[128];       /* as vrs_cpu_name() */
    char cpu_isa[32];         /* as vrs_cpu_isa() */
    char governor[32];        /* of the first processor's clock: "performance" */
    char clock_source[32];    /* the kernel's: "tsc" */
    int32_t cpus_online;      /* logical processors */
    int32_t cpus_usable;      /* as vrs_cpu_count() */
    int32_t cpu_quota;        /* of the control groups, rounded up; 0: none */
    int32_t sockets, cores;   /* cores: of all sockets together */
    int64_t memory_total;     /* bytes */
    int64_t memory_available; /* bytes: free, or given back by caches when it is asked for */
    int64_t memory_limit;     /* bytes: the least limit of the control groups; 0: none */
    int64_t swap_total, swap_free;
    int64_t open_files;     /* the most that this process may have open; INT64_MAX: no limit */
    int64_t file_bytes;     /* the largest file that it may write; INT64_MAX: no limit */
    char nvidia_module[64]; /* version of NVIDIA's kernel module; "": it is not loaded */
    int32_t numa_count;     /* of `numa`; more nodes are left out */
    vrs_numa_node numa[VRS_MAX_NUMA_NODES];
} vrs_system_info;

/* Reads /proc, /sys and the limits of this process. What cannot be read is absent, so it never
 * fails. Any thread. */
VRS_API void vrs_system_read(vrs_system_info *info);

typedef struct vrs_gpu_info {
    int32_t number;               /* as the driver counts: of "cuda:N" */
    bool usable;                  /* it was opened and vrseg's kernels were loaded */
    char reason[VRS_DETAIL_SIZE]; /* why it is not usable; "" if it is */
    char name[96];                /* "NVIDIA H200" */
    char pci[24];                 /* "0000:3b:00.0" */
    char driver[80];              /* "580.95.05", by NVML */
    int32_t major, minor;         /* compute capability */
    int32_t cuda_version;         /* of the driver: 13000 is 13.0 */
    int32_t multiprocessors;
    int32_t copy_engines;
    int32_t numa_node;    /* that it is nearest to */
    int64_t memory_total; /* bytes */
    int64_t memory_free;  /* bytes, by NVML */
} vrs_gpu_info;

/* Tries GPU `number` and says what it is. A GPU that cannot be used is no failure: `usable` is
 * false and `reason` says why. VRS_INVALID: `number` is negative. Any thread. */
VRS_API vrs_status vrs_gpu_read(int32_t number, vrs_gpu_info *info) VRS_MUST_USE;

/* The most operations a second that a device's arithmetic could do, by its data sheet: on a GPU
 * those of its multiprocessors at the fastest clock that the driver names (dense products by the
 * tensor cores, sums in the precision that is fastest there; in "f32" by the plain units), on the
 * CPU those of the vector or matrix units of the cores that may be used, at the fastest clock that
 * the system names. A multiplication with its addition is two. `device` is "cpu" or "cuda:N",
 * `precision` a value of the option of that name. `text` says how it is counted, cut to `size`.
 * VRS_INVALID: no such device or precision. VRS_UNSUPPORTED: the device has no such arithmetic, or
 * it is not known how much. Else the errors of opening a GPU. Any thread. */
VRS_API vrs_status vrs_peak_read(const char *device, const char *precision, double *operations,
                                 char *text, size_t size) VRS_MUST_USE;

typedef struct vrs_disk_info {
    char folder[1024];        /* that was asked for, or the nearest one above it that exists */
    char filesystem[32];      /* "ext4", "overlay"; "0x..." where its number has no name here */
    bool writable;            /* by this process */
    int64_t total, available; /* bytes; available: to this process */
} vrs_disk_info;

/* Room in the file system of a folder, which need not exist yet. VRS_INVALID: the path is too long.
 * Else what the system says of the nearest folder that exists. Any thread. */
VRS_API vrs_status vrs_disk_read(const char *folder, vrs_disk_info *info) VRS_MUST_USE;

/* Writes a file without a name of at most `bytes` bytes into a folder, syncs it, and reads it back
 * past the page cache where the system lets it; stops early after `seconds`. Rates are in bytes a
 * second; `read_rate` 0: nothing was read. VRS_INVALID: fewer than 1 MiB; VRS_NO_SPACE,
 * VRS_PERMISSION, VRS_IO, VRS_NO_MEMORY. Any thread. */
VRS_API vrs_status vrs_disk_measure(const char *folder, uint64_t bytes, double seconds,
                                    double *write_rate, double *read_rate) VRS_MUST_USE;

/* ---- whether it is enough ---- */

typedef enum vrs_check_state {
    VRS_CHECK_OK = 0,
    VRS_CHECK_WARNING = 1, /* it works, but less well than it could */
    VRS_CHECK_FAILED = 2,  /* missing, too old, or wrong */
    VRS_CHECK_SKIPPED = 3, /* not looked at; `found` says why */
} vrs_check_state;

/* One thing that was looked at. */
typedef struct vrs_check {
    char name[64];
    vrs_check_state state;
    bool required;                /* without it the chosen configuration cannot run */
    char found[VRS_DETAIL_SIZE];  /* what there is, or why there is nothing */
    char wanted[128];             /* "580 or newer" */
    char gives[160];              /* what it is for */
    char remedy[VRS_DETAIL_SIZE]; /* a command or a sentence; "" where nothing is to be done */
} vrs_check;

/* Called by the calling thread for each check; `check` is valid during the call. */
typedef void (*vrs_check_fn)(void *opaque, const vrs_check *check);

/* Looks at all that vrseg opens at run time: instruction sets, engines, the GPU's driver, NVML,
 * cuDNN, the model of the config (its option "model"; none: the default model). Which are required
 * follows from the config's device and engine. Opens libraries and GPUs, runs nothing, and never
 * waits for a device. The configuration can run where no required check has failed. Any thread.
 * VRS_NO_MEMORY. */
VRS_API vrs_status vrs_requirements_check(const vrs_config *config, vrs_check_fn visit,
                                          void *opaque) VRS_MUST_USE;

typedef struct vrs_deploy_options {
    const char *output;    /* folder that outputs go to; NULL: the working folder */
    uint64_t output_bytes; /* room that they need; 0: 10 GB */
    int32_t width, height; /* of the frames; 0: 3840 x 2160 */
    bool run;              /* also run one frame through the pipeline */
} vrs_deploy_options;

/* The checklist before a configuration goes into service: output and cache folders, disk room and
 * speed, memory for the frames in flight, the GPU's memory, limits of the process, processors,
 * clocks, and one frame through the pipeline. Each check has its remedy. The trial frame takes as
 * long as opening the engine and compiling the model do, and gives up after two minutes. Reads the
 * options by the names of vrs_config; "model" as above. VRS_NO_MEMORY, VRS_INVALID: sizes outside
 * 1..VRS_MAX_SIDE. */
VRS_API vrs_status vrs_deploy_check(const vrs_config *config, const vrs_deploy_options *options,
                                    vrs_check_fn visit, void *opaque) VRS_MUST_USE;

/* Runs every kernel of every instruction set that the processor has, and of every GPU, on a few
 * ugly sizes beside the plain C reference, and a tiny network on every engine and device beside the
 * plain C interpreter. Seconds; a GPU that cannot be used is a skipped check. A difference is a
 * failed check, never an error of the call. VRS_NO_MEMORY, VRS_IO: no folder for temporary files.
 */
VRS_API vrs_status vrs_self_test(vrs_check_fn visit, void *opaque) VRS_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
