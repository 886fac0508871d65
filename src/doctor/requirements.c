/* What vrseg opens at run time: found, wanted, what it is for, how to get it. */
#include <stdio.h>
#include <string.h>

#include "device/cuda/api.h"
#include "doctor/check.h"
#include "kernels/kernels.h"
#include "vrseg/model.h"
#include "vrseg/monitor.h"

static void check_isa(const vrs_checker *to)
{
    static const vrs_check_words words = {
        .name = "processor",
        .wanted = "AVX2 with FMA and F16C, or AVX-512",
        .gives = "fast kernels for preprocessing and masks; plain C runs everywhere",
        .remedy = "use a processor with AVX2 (x86-64-v3), or let the virtual machine show it "
                  "(CPU type \"host\")"};
    bool fast = vrs_isa_detect() != VRS_ISA_REFERENCE;
    vrs_check_tell(to, &words, fast ? VRS_CHECK_OK : VRS_CHECK_WARNING, false, "%s", vrs_cpu_isa());
}

static void check_openvino(const vrs_checker *to, const vrs_check_wishes *wishes)
{
    static const vrs_check_words words = {
        .name = "OpenVINO",
        .wanted = "the version that vrseg was built for",
        .gives = "the network on the CPU (engine openvino, the default there)",
        .remedy = "run `make setup` in vrseg's source folder, or set VRSEG_OPENVINO_DIR to the "
                  "folder of its libraries"};
    char version[128], folder[1024];
    if (vrs_openvino_info(version, sizeof(version), folder, sizeof(folder)) == VRS_OK)
        vrs_check_tell(to, &words, VRS_CHECK_OK, wishes->openvino, "%s in %s", version, folder);
    else
        vrs_check_tell(to, &words, VRS_CHECK_FAILED, wishes->openvino, "%s", vrs_last_error());
}

static void check_onnxruntime(const vrs_checker *to, const vrs_check_wishes *wishes)
{
    static const vrs_check_words words = {
        .name = "ONNX Runtime",
        .wanted = "1.21 or newer",
        .gives = "a second engine on the CPU and, with its providers, on a GPU",
        .remedy = "run `make setup` in vrseg's source folder, or set VRSEG_ONNXRUNTIME_DIR to the "
                  "folder of its library"};
    char version[256], folder[1024];
    if (vrs_onnxruntime_info(version, sizeof(version), folder, sizeof(folder)) == VRS_OK) {
        vrs_check_tell(to, &words, VRS_CHECK_OK, wishes->onnxruntime, "%s in %s", version, folder);
    } else {
        vrs_check_tell(to, &words, wishes->onnxruntime ? VRS_CHECK_FAILED : VRS_CHECK_WARNING,
                       wishes->onnxruntime, "%s", vrs_last_error());
    }
}

/* The driver, and where it is there each GPU. A GPU that is named must be usable; one that may be
 * taken is replaced by the CPU. Returns how many GPUs the driver shows. */
static int32_t check_gpus(const vrs_checker *to, const vrs_check_wishes *wishes)
{
    static const vrs_check_words driver = {
        .name = "NVIDIA driver",
        .wanted = VRS_CUDA_DRIVER_MIN " or newer, and a GPU that it shows",
        .gives = "decoding, preprocessing, network and masks on the GPU",
        .remedy =
            "install NVIDIA's driver, version " VRS_CUDA_DRIVER_MIN
            " or newer (Debian: `apt-get install nvidia-driver` of NVIDIA's repository); in a "
            "container start it with `--gpus all`"};
    int32_t count = 0;
    if (vrs_gpu_count(&count) != VRS_OK) {
        vrs_check_tell(to, &driver, wishes->gpu ? VRS_CHECK_FAILED : VRS_CHECK_SKIPPED, wishes->gpu,
                       "%s", vrs_last_error());
        return 0;
    }
    for (int32_t i = 0; i < count; i++) {
        char name[32];
        vrs_gpu_info gpu;
        (void)snprintf(name, sizeof(name), "GPU cuda:%d", i);
        const vrs_check_words words = {
            .name = name, .wanted = driver.wanted, .gives = driver.gives, .remedy = driver.remedy};
        bool required = wishes->gpu && wishes->number == i;
        if (vrs_gpu_read(i, &gpu) != VRS_OK || !gpu.usable) {
            vrs_check_tell(to, &words, required ? VRS_CHECK_FAILED : VRS_CHECK_WARNING, required,
                           "%s", gpu.reason);
            continue;
        }
        char total[32];
        vrs_check_tell(to, &words, VRS_CHECK_OK, required,
                       "%s, %s, compute capability %d.%d, driver %s, CUDA %d.%d", gpu.name,
                       vrs_check_bytes(gpu.memory_total, total), gpu.major, gpu.minor,
                       gpu.driver[0] != '\0' ? gpu.driver : "unknown", gpu.cuda_version / 1000,
                       gpu.cuda_version % 1000 / 10);
    }
    if (wishes->gpu && wishes->number >= count) {
        vrs_check_tell(to, &driver, VRS_CHECK_FAILED, true,
                       "there is no cuda:%d: the driver shows %d", wishes->number, count);
    }
    return count;
}

static void check_gpu_libraries(const vrs_checker *to, const vrs_check_wishes *wishes)
{
    static const vrs_check_words cudnn = {
        .name = "cuDNN",
        .wanted = "9 for CUDA 13",
        .gives = "fast convolutions for the engine cuda",
        .remedy =
            "run `make setup` in vrseg's source folder, or install cudnn9-cuda-13 of NVIDIA's "
            "repository, or set VRSEG_CUDNN_LIBRARY to its libcudnn.so.9"};
    static const vrs_check_words nvml = {.name = "NVML",
                                         .wanted = "the driver's own",
                                         .gives = "`vrseg monitor`, and what other programs take "
                                                  "of the GPU's memory",
                                         .remedy = "install libnvidia-ml1 of the driver's version"};
    char version[64];
    int32_t count;
    if (vrs_cudnn_info(version, sizeof(version)) == VRS_OK) {
        vrs_check_tell(to, &cudnn, VRS_CHECK_OK, wishes->own_engine, "%s", version);
    } else {
        vrs_check_tell(to, &cudnn, wishes->own_engine ? VRS_CHECK_FAILED : VRS_CHECK_WARNING,
                       wishes->own_engine, "%s", vrs_last_error());
    }
    if (vrs_monitor_count(&count) == VRS_OK) {
        vrs_check_tell(to, &nvml, VRS_CHECK_OK, false, "it sees %d GPU%s", count,
                       count == 1 ? "" : "s");
    } else {
        vrs_check_tell(to, &nvml, VRS_CHECK_WARNING, false, "%s", vrs_last_error());
    }
}

static void check_model(const vrs_checker *to, const vrs_config *config)
{
    const char *name = vrs_check_model_name(config);
    char remedy[VRS_DETAIL_SIZE];
    vrs_check_words words = {.name = "model",
                             .wanted = "a descriptor and its ONNX file",
                             .gives = "the network that finds the people",
                             .remedy = "`vrseg models` lists those that there are"};
    vrs_model *model;
    if (vrs_model_load(name, &model) != VRS_OK) {
        vrs_check_tell(to, &words, VRS_CHECK_FAILED, true, "%s", vrs_last_error());
        return;
    }
    vrs_model_info info = vrs_model_get_info(model);
    if (info.installed) {
        vrs_check_tell(to, &words, VRS_CHECK_OK, true, "%s, %dx%d, in %s", info.name,
                       info.input_width, info.input_height, info.weights_path);
    } else {
        (void)snprintf(remedy, sizeof(remedy),
                       info.fetchable ? "vrseg models fetch %s" : "bring %s",
                       info.fetchable ? info.name : info.weights_path);
        words.remedy = remedy;
        vrs_check_tell(to, &words, VRS_CHECK_FAILED, true, "%s: its weights are not at %s",
                       info.name, info.weights_path);
    }
    vrs_model_destroy(model);
}

vrs_status vrs_requirements_check(const vrs_config *config, vrs_check_fn visit, void *opaque)
{
    const vrs_checker to = {visit, opaque};
    int32_t count = 0;
    bool here = vrs_gpu_count(&count) == VRS_OK;
    vrs_check_wishes wishes = vrs_check_read_wishes(config, here);
    check_isa(&to);
    check_openvino(&to, &wishes);
    check_onnxruntime(&to, &wishes);
    if (check_gpus(&to, &wishes) > 0 || wishes.own_engine)
        check_gpu_libraries(&to, &wishes);
    check_model(&to, config);
    return VRS_OK;
}
