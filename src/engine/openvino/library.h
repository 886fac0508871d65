/* OpenVINO's library, opened at run time, and what its failures mean. */
#ifndef VRS_ENGINE_OPENVINO_LIBRARY_H
#define VRS_ENGINE_OPENVINO_LIBRARY_H

#include "base/alloc.h"
#include "base/file.h"
#include "engine/openvino/api.h"
#include "vrseg/status.h"

typedef struct vrs_ov_library {
    vrs_ov_api api;
    char version[32];
    char folder[VRS_PATH_MAX];
} vrs_ov_library;

/* Opens the library at the first call and keeps it for the life of the process: its thread pool
 * does not survive being unloaded. Looked for in $VRSEG_OPENVINO_DIR alone where that is set, else
 * in ../lib/vrseg from the program and in the private folder of the set-up. Static. Any thread.
 * VRS_MISSING: names the folders, and how to get it. VRS_UNSUPPORTED: another version. Test
 * injection: "library" where it is opened, "openvino" for calls. */
vrs_status vrs_ov_open(const vrs_ov_library **library) VRS_MUST_USE;

/* The result of a call that a test's failure injection refused. */
#define VRS_OV_INJECTED (-1000)

/* `call` (a call through the api), unless the test's failure injection refuses it. */
#define VRS_OV_TRY(call) (vrs_inject("openvino") ? (call) : VRS_OV_INJECTED)

/* VRS_OK for code 0, else vrs_fail(status) with `what` was tried and OpenVINO's own words. */
vrs_status vrs_ov_check(const vrs_ov_library *library, vrs_ov_code code, vrs_status status,
                        const char *what) VRS_MUST_USE;

#endif
