#include "doctor/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/machine.h"
#include "base/parse.h"
#include "base/text.h"

#define DEFAULT_MODEL "selfie-landscape"

VRS_PRINTF(3, 4) static void put(char *text, size_t size, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vrs_text_vformat(text, size, format, args);
    va_end(args);
}

void vrs_check_tell(const vrs_checker *checker, const vrs_check_words *words, vrs_check_state state,
                    bool required, const char *found, ...)
{
    vrs_check check = {.state = state, .required = required};
    va_list args;
    va_start(args, found);
    (void)vrs_text_vformat(check.found, sizeof(check.found), found, args);
    va_end(args);
    bool to_do = state == VRS_CHECK_WARNING || state == VRS_CHECK_FAILED;
    put(check.name, sizeof(check.name), "%s", words->name);
    put(check.wanted, sizeof(check.wanted), "%s", words->wanted != NULL ? words->wanted : "");
    put(check.gives, sizeof(check.gives), "%s", words->gives != NULL ? words->gives : "");
    put(check.remedy, sizeof(check.remedy), "%s", to_do ? words->remedy : "");
    checker->visit(checker->opaque, &check);
}

const char *vrs_check_option(const vrs_config *config, const char *name, const char *otherwise)
{
    const char *value = vrs_config_get(config, name);
    return value != NULL ? value : otherwise;
}

const char *vrs_check_model_name(const vrs_config *config)
{
    return vrs_check_option(config, "model", DEFAULT_MODEL);
}

const char *vrs_check_bytes(int64_t bytes, char text[32])
{
    if (bytes < 0)
        put(text, 32, "unknown");
    else if (bytes >= 100 * INT64_C(1000000000))
        put(text, 32, "%.0f GB", (double)bytes / 1e9);
    else if (bytes >= 1000000000)
        put(text, 32, "%.1f GB", (double)bytes / 1e9);
    else
        put(text, 32, "%.0f MB", (double)bytes / 1e6);
    return text;
}

vrs_check_wishes vrs_check_read_wishes(const vrs_config *config, bool gpu_here)
{
    const char *device = vrs_check_option(config, "device", "auto");
    const char *engine = vrs_check_option(config, "engine", "auto");
    vrs_check_wishes w = {.gpu = strncmp(device, "cuda", 4) == 0,
                          .own_engine = strcmp(engine, "cuda") == 0,
                          .onnxruntime = strcmp(engine, "onnxruntime") == 0};
    int64_t number = 0;
    if (w.gpu && device[4] == ':' && vrs_parse_int(device + 5, &number) && number >= 0 &&
        number < 1024)
        w.number = (int32_t)number;
    w.may_gpu = w.gpu || strcmp(device, "auto") == 0;
    bool on_gpu = w.may_gpu && gpu_here;
    w.openvino = strcmp(engine, "openvino") == 0 || (strcmp(engine, "auto") == 0 && !on_gpu);
    w.gpu = w.gpu || w.own_engine;
    return w;
}

void vrs_system_read(vrs_system_info *info)
{
    vrs_machine_read("", info);
    put(info->cpu_isa, sizeof(info->cpu_isa), "%s", vrs_cpu_isa());
}
