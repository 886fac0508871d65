/* How a check is told, for the files of this folder and libvrseg-media's. */
#ifndef VRS_DOCTOR_CHECK_H
#define VRS_DOCTOR_CHECK_H

#include <stdbool.h>

#include "vrseg/system.h"

/* Who is told. */
typedef struct vrs_checker {
    vrs_check_fn visit;
    void *opaque;
} vrs_checker;

/* The part of a check that does not depend on what is found. `wanted` and `gives` may be NULL, and
 * `remedy` too where there is never anything to be done. */
typedef struct vrs_check_words {
    const char *name, *wanted, *gives, *remedy;
} vrs_check_words;

/* Tells one check; `found` is a format. The remedy is told only where something is to be done. Any
 * text that does not fit is cut. */
VRS_API void vrs_check_tell(const vrs_checker *checker, const vrs_check_words *words,
                            vrs_check_state state, bool required, const char *found, ...)
    VRS_PRINTF(5, 6);

/* The config's option `name`, or `otherwise` where it has no such option. */
VRS_API const char *vrs_check_option(const vrs_config *config, const char *name,
                                     const char *otherwise);

/* The name of the config's model, or of the default one. */
VRS_API const char *vrs_check_model_name(const vrs_config *config);

/* 1.5 GB, 12 MB: in decimal units, as disks and the options have it. */
VRS_API const char *vrs_check_bytes(int64_t bytes, char text[32]);

/* What a config asks of the GPU. */
typedef struct vrs_check_wishes {
    bool gpu;         /* a GPU is named as the device */
    bool may_gpu;     /* or may be taken where there is one */
    int32_t number;   /* which: "cuda:1" is 1 */
    bool own_engine;  /* engine cuda by name */
    bool onnxruntime; /* by name */
    bool openvino;    /* by name, or as what is left where there is no GPU to be used */
} vrs_check_wishes;

/* `gpu_here`: the driver shows one. */
VRS_API vrs_check_wishes vrs_check_read_wishes(const vrs_config *config, bool gpu_here);

#endif
