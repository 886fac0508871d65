/* vrseg doctor: versions, and what is missing with how to get it. */
#include <string.h>

#include "cli/cli.h"

static bool count_installed(void *opaque, const vrs_model_info *info)
{
    int *counts = opaque;
    counts[0] += info->installed ? 1 : 0;
    counts[1]++;
    return true;
}

static int check_engine(void)
{
    char version[128], folder[4096];
    if (vrs_openvino_info(version, sizeof(version), folder, sizeof(folder)) == VRS_OK) {
        (void)printf("OpenVINO     %s in %s\n", version, folder);
        return 0;
    }
    (void)printf("OpenVINO     missing: %s\n", vrs_last_error());
    return 1;
}

/* The second engine: no must. */
static void check_onnxruntime(void)
{
    char version[256], folder[4096];
    if (vrs_onnxruntime_info(version, sizeof(version), folder, sizeof(folder)) == VRS_OK)
        (void)printf("ONNX Runtime %s in %s\n", version, folder);
    else
        (void)printf("ONNX Runtime missing: %s\n", vrs_last_error());
}

/* GPUs are no must: a run takes the CPU where there is none. */
static void check_gpus(void)
{
    int32_t count;
    if (vrs_gpu_count(&count) != VRS_OK) {
        (void)printf("GPU          none: %s\n", vrs_last_error());
        return;
    }
    for (int32_t i = 0; i < count; i++) {
        char text[256];
        bool usable = vrs_gpu_describe(i, text, sizeof(text)) == VRS_OK;
        (void)printf("GPU          cuda:%d %s%s\n", i,
                     usable ? "" : "cannot be used: ", usable ? text : vrs_last_error());
    }
}

/* For the engine cuda, where there is a GPU. */
static void check_cudnn(void)
{
    int32_t count;
    char version[64];
    if (vrs_gpu_count(&count) != VRS_OK)
        return;
    if (vrs_cudnn_info(version, sizeof(version)) == VRS_OK)
        (void)printf("cuDNN        %s\n", version);
    else
        (void)printf("cuDNN        missing: %s\n", vrs_last_error());
}

static int check_models(void)
{
    int counts[2] = {0, 0};
    char folder[4096];
    if (vrs_models_dir(folder, sizeof(folder)) != VRS_OK ||
        vrs_models_list(count_installed, counts) != VRS_OK) {
        (void)printf("models       %s\n", vrs_last_error());
        return 1;
    }
    (void)printf("models       %d of %d installed in %s\n", counts[0], counts[1], folder);
    if (counts[0] > 0)
        return 0;
    (void)puts("             none: run `vrseg models fetch selfie-landscape`");
    return 1;
}

int vrs_command_doctor(int argc, char **argv)
{
    if (argc > 1) {
        bool help = strcmp(argv[1], "--help") == 0;
        (void)fputs("Usage: vrseg doctor\n\nShows what this machine has and what is missing; exit "
                    "status 1 if something is.\n",
                    help ? stdout : stderr);
        return help ? VRS_EXIT_DONE : VRS_EXIT_USAGE;
    }
    (void)printf("vrseg        %s\n", vrs_version());
    (void)printf("processor    %s, %d core%s to be used, kernels for %s\n", vrs_cpu_name(),
                 vrs_cpu_count(), vrs_cpu_count() == 1 ? "" : "s", vrs_cpu_isa());
    char media[256];
    vrs_media_info(media, sizeof(media));
    (void)printf("libav        %s\n", media);
    check_gpus();
    int missing = check_engine();
    check_onnxruntime();
    check_cudnn();
    missing += check_models();
    (void)puts(missing == 0 ? "Everything that a run needs is here."
                            : "Something that a run needs is missing.");
    return missing == 0 ? VRS_EXIT_DONE : VRS_EXIT_FAILED;
}
