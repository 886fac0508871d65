/* Models made of a descriptor's text and the tiny networks of tests/data. */
#ifndef TESTS_ENGINE_SUPPORT_H
#define TESTS_ENGINE_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/engine.h"
#include "support/shared.h"
#include "support/temp.h"
#include "vrseg/system.h"

static char folder[256]; /* of this test program */

/* What descriptors of the tiny networks have in common. */
#define HEAD "title: t\nlicence: l\nsource: s\n"
#define INPUT "input: {width: 6, height: 4}\n"
#define OUTPUT "output: {activation: none, classes: 2, person: [1]}\n"

static inline const char *data_path(const char *name)
{
    static char path[4096];
    const char *source = getenv("VRSEG_SOURCE_DIR");
    snprintf(path, sizeof(path), "%s/tests/data/%s", source != NULL ? source : ".", name);
    return path;
}

/* What the tests run on; the same program runs for each. */
static const char *engine_name = "openvino";

static inline bool with_openvino(void)
{
    return strcmp(engine_name, "openvino") == 0;
}

/* Ends the program as skipped where the engine's library is not installed, or vrseg was built
 * without the engine. */
static inline void need_engine(const char *name)
{
    char version[256], where[4096];
    engine_name = name;
    vrs_status status = with_openvino()
                            ? vrs_openvino_info(version, sizeof(version), where, sizeof(where))
                            : vrs_onnxruntime_info(version, sizeof(version), where, sizeof(where));
    if (status == VRS_MISSING) {
        fprintf(stderr, "skipped: %s\n", vrs_last_error());
        exit(SHARED_SKIP);
    }
    if (status != VRS_OK) {
        fprintf(stderr, "%s cannot be used: %s\n", name, vrs_last_error());
        exit(1);
    }
}

static inline void write_file(const char *path, const void *data, size_t size)
{
    remove(path); /* writing over a file waits for the disk on some file systems */
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* A model of `descriptor` and an ONNX file (a path, or a name in tests/data). */
static inline vrs_model *load_model(const char *descriptor, const char *onnx)
{
    char path[512], text[8192];
    vrs_model *model = NULL;
    snprintf(path, sizeof(path), "%s/model.yaml", folder);
    int length = snprintf(text, sizeof(text), "%sweights: %s\n", descriptor,
                          onnx[0] == '/' ? onnx : data_path(onnx));
    write_file(path, text, (size_t)length);
    if (vrs_model_load(path, &model) != VRS_OK)
        fail_msg("%s", vrs_last_error());
    return model;
}

static inline vrs_engine *make_engine(const vrs_model *model, vrs_engine_params params)
{
    vrs_engine *engine = NULL;
    if (vrs_engine_create(engine_name, model, &params, &engine) != VRS_OK)
        fail_msg("%s", vrs_last_error());
    return engine;
}

static const vrs_engine_params plain = {.requests = 1, .threads = 1, .max_batch = 1};

static inline void expect_detail(const char *part)
{
    if (strstr(vrs_last_error(), part) == NULL)
        fail_msg("\"%s\" is not in: %s", part, vrs_last_error());
}

#endif
