/* ONNX Runtime's library, opened at run time, and what its failures mean. */
#ifndef VRS_ENGINE_ONNXRUNTIME_LIBRARY_H
#define VRS_ENGINE_ONNXRUNTIME_LIBRARY_H

#include "base/alloc.h"
#include "base/file.h"
#include "engine/onnxruntime/api.h"
#include "vrseg/status.h"

typedef struct vrs_ort_library {
    const OrtApi *api;
    const vrs_ort_plugin_api *plugin; /* NULL: the library is older than plug-in providers */
    OrtEnv *env;                      /* one for the process; its messages go to our log */
    OrtAllocator *allocator;          /* of the names that it hands out */
    char version[32];
    char folder[VRS_PATH_MAX];
} vrs_ort_library;

/* Opens the library at the first call and keeps it for the life of the process. Looked for in
 * $VRSEG_ONNXRUNTIME_DIR alone where that is set, else in ../lib/vrseg from the program and in the
 * private folders of the set-up, that with GPU providers first. Static. Any thread.
 * VRS_MISSING: names the folders, and how to get it. VRS_UNSUPPORTED: too old. VRS_ENGINE. */
vrs_status vrs_ort_open(const vrs_ort_library **library) VRS_MUST_USE;

/* The result of a call that a test's failure injection refused. */
OrtStatus *vrs_ort_injected(void);

/* `call` (a call through the api), unless the test's failure injection refuses it. */
#define VRS_ORT_TRY(call) (vrs_inject("onnxruntime") ? (call) : vrs_ort_injected())

/* VRS_OK for NULL, else vrs_fail() with `what` was tried and ONNX Runtime's own words. `status`
 * says what it means unless that is plain from the result: VRS_NO_MEMORY, VRS_FORMAT (no network
 * that it can read). Releases `result`. */
vrs_status vrs_ort_check(const vrs_ort_library *library, OrtStatus *result, vrs_status status,
                         const char *what) VRS_MUST_USE;

/* Releases the result of a call whose failure does not matter. */
void vrs_ort_ignore(const vrs_ort_library *library, OrtStatus *result);

#endif
