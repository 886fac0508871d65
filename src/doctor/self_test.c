/* mkdtemp() */
#define _XOPEN_SOURCE 700

#include "doctor/self_test.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/text.h"
#include "kernels/half.h"

#define POISON 0xA5

/* ---- data ---- */

uint64_t vrs_self_next(vrs_self_case *c)
{
    c->random ^= c->random << 13;
    c->random ^= c->random >> 7;
    c->random ^= c->random << 17;
    return c->random >> 11;
}

int32_t vrs_self_range(vrs_self_case *c, int32_t low, int32_t high)
{
    return low + (int32_t)(vrs_self_next(c) % (uint64_t)((int64_t)high - low + 1));
}

/* The arena is larger than what any case takes; one that asks for more is a mistake here. */
static uint8_t *take(vrs_self_case *c, size_t bytes)
{
    size_t whole = (bytes + 63) / 64 * 64;
    assert(c->used + whole <= VRS_SELF_ARENA);
    uint8_t *block = c->arena + c->used;
    c->used += whole;
    memset(block, POISON, whole);
    return block;
}

void *vrs_self_scratch(vrs_self_case *c, size_t bytes)
{
    return take(c, bytes);
}

static void fill_q15(vrs_self_case *c, int16_t *data, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t r = vrs_self_next(c);
        data[i] = (int16_t)(r % 8 == 0 ? 0 : r % 8 == 1 ? VRS_Q15_ONE : (r >> 8) % 32768);
    }
}

static void fill_block(vrs_self_case *c, uint8_t *data, size_t bytes, vrs_self_fill fill)
{
    switch (fill) {
    case VRS_SELF_POISON:
        return;
    case VRS_SELF_BYTES:
        for (size_t i = 0; i < bytes; i++)
            data[i] = (uint8_t)vrs_self_next(c);
        return;
    case VRS_SELF_Q15:
        fill_q15(c, (int16_t *)(void *)data, bytes / 2);
        return;
    case VRS_SELF_TEN:
        for (size_t i = 0; i < bytes / 2; i++)
            ((uint16_t *)(void *)data)[i] = (uint16_t)(vrs_self_next(c) & 1023);
        return;
    case VRS_SELF_FLOATS:
        for (size_t i = 0; i < bytes / 4; i++)
            ((float *)(void *)data)[i] = (float)vrs_self_range(c, -8000000, 8000000) * 1e-6F;
        return;
    }
}

/* On the CPU the tested block lies four bytes beside what vectors like. */
vrs_self_twin vrs_self_make(vrs_self_case *c, size_t bytes, vrs_self_fill fill)
{
    size_t beside = c->gpu != NULL ? 0 : 4;
    uint8_t *reference = take(c, bytes + 2 * VRS_SELF_BAND);
    uint8_t *tested = take(c, bytes + 2 * VRS_SELF_BAND + beside) + beside;
    vrs_self_twin twin = {reference + VRS_SELF_BAND, tested + VRS_SELF_BAND, bytes};
    fill_block(c, twin.reference, bytes, fill);
    memcpy(twin.tested, twin.reference, bytes);
    return twin;
}

/* ---- comparing ---- */

VRS_PRINTF(2, 3) static void note(vrs_self_case *c, const char *format, ...)
{
    if (c->differs)
        return;
    va_list args;
    va_start(args, format);
    (void)vrs_text_vformat(c->text, sizeof(c->text), format, args);
    va_end(args);
    c->differs = true;
}

void vrs_self_failed(vrs_self_case *c, const char *what)
{
    note(c, "%s: %s", what, vrs_last_error());
}

static const size_t sizes_of[] = {1, 1, 2, 2, 2, 4};

static double element(const void *data, size_t i, vrs_self_type type)
{
    switch (type) {
    case VRS_SELF_U8:
        return ((const uint8_t *)data)[i];
    case VRS_SELF_I8:
        return ((const int8_t *)data)[i];
    case VRS_SELF_U16:
        return ((const uint16_t *)data)[i];
    case VRS_SELF_I16:
        return ((const int16_t *)data)[i];
    case VRS_SELF_F16:
        return (double)vrs_half_to_float(((const uint16_t *)data)[i]);
    case VRS_SELF_F32:
        break;
    }
    return (double)((const float *)data)[i];
}

/* A unit in the last place of a half. */
static double half_unit(double value)
{
    int exponent = 0;
    (void)frexp(value, &exponent);
    return ldexp(1, exponent < -13 ? -24 : exponent - 11);
}

static void compare_data(vrs_self_case *c, const char *what, const vrs_self_twin *twin,
                         vrs_self_type type, double within)
{
    for (size_t i = 0; i < twin->bytes / sizes_of[type] && !c->differs; i++) {
        double a = element(twin->reference, i, type), b = element(twin->tested, i, type);
        double limit = type == VRS_SELF_F16 ? within + half_unit(fmax(fabs(a), fabs(b))) : within;
        if (!(fabs(a - b) <= limit))
            note(c, "case %d, %s %zu: %.9g, the reference has %.9g", c->which, what, i, b, a);
    }
}

void vrs_self_compare(vrs_self_case *c, const char *what, const vrs_self_twin *twin,
                      vrs_self_type type, double within)
{
    compare_data(c, what, twin, type, within);
    const uint8_t *tested = twin->tested;
    for (size_t i = 0; i < VRS_SELF_BAND; i++)
        if (tested[twin->bytes + i] != POISON || (tested - VRS_SELF_BAND)[i] != POISON)
            note(c, "case %d, %s: something was written outside of it", c->which, what);
}

/* ---- running ---- */

vrs_status vrs_self_run(const vrs_checker *to, const char *device, const vrs_kernels *tested,
                        struct vrs_self_gpu *gpu, const vrs_self_kernel *kernels, size_t count)
{
    vrs_self_case c = {
        .reference = vrs_kernels_get(VRS_ISA_REFERENCE), .tested = tested, .gpu = gpu};
    c.arena = vrs_alloc_aligned(VRS_SELF_ARENA);
    if (c.arena == NULL)
        return VRS_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        char name[64];
        (void)snprintf(name, sizeof(name), "%s %s", device, kernels[i].name);
        const vrs_check_words words = {
            .name = name,
            .wanted = "the results of plain C",
            .gives = "right masks",
            .remedy = "report it with this line and `vrseg doctor --json`; meanwhile --kernels "
                      "reference, or --device cpu, avoids it"};
        c.differs = false;
        c.text[0] = '\0';
        for (c.which = 0; c.which < kernels[i].cases && !c.differs; c.which++) {
            c.used = 0;
            c.random = 0x9E3779B97F4A7C15U + (uint64_t)c.which;
            kernels[i].run(&c);
        }
        if (c.differs) {
            vrs_check_tell(to, &words, VRS_CHECK_FAILED, true, "%s", c.text);
        } else {
            vrs_check_tell(to, &words, VRS_CHECK_OK, true, "%d case%s agree%s", kernels[i].cases,
                           kernels[i].cases == 1 ? "" : "s", kernels[i].cases == 1 ? "s" : "");
        }
    }
    vrs_free(c.arena);
    return VRS_OK;
}

vrs_status vrs_self_test_table(const vrs_checker *to, const vrs_kernels *table, const char *device)
{
    vrs_status status =
        vrs_self_run(to, device, table, NULL, vrs_self_pictures, vrs_self_picture_count);
    if (status == VRS_OK)
        status = vrs_self_run(to, device, table, NULL, vrs_self_masks, vrs_self_mask_count);
    return status;
}

static vrs_status test_tables(const vrs_checker *to)
{
    static const char *const names[VRS_ISA_AVX512 + 1] = {"reference", "avx2", "avx512"};
    vrs_status status = VRS_OK;
    int best = (int)vrs_isa_detect();
    for (int isa = VRS_ISA_AVX2; isa <= VRS_ISA_AVX512 && isa <= best && status == VRS_OK; isa++)
        status = vrs_self_test_table(to, vrs_kernels_get((vrs_isa)isa), names[isa]);
    if (best == VRS_ISA_REFERENCE) {
        static const vrs_check_words words = {.name = "kernels of the CPU"};
        vrs_check_tell(to, &words, VRS_CHECK_SKIPPED, false,
                       "this processor has none but the reference's");
    }
    return status;
}

static vrs_status test_gpus(const vrs_checker *to, const char *descriptor)
{
    static const vrs_check_words words = {.name = "GPU"};
    int32_t count = 0;
    if (vrs_gpu_count(&count) != VRS_OK) {
        vrs_check_tell(to, &words, VRS_CHECK_SKIPPED, false, "%s", vrs_last_error());
        return VRS_OK;
    }
    vrs_status status = VRS_OK;
    for (int32_t i = 0; i < count && status == VRS_OK; i++)
        status = vrs_self_test_gpu(to, i, descriptor);
    return status;
}

/* What was made in the folder, and it. */
static void remove_folder(const char *folder)
{
    static const char *const names[] = {"tiny.onnx", "tiny.yaml"};
    char path[VRS_PATH_MAX];
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (vrs_path_format(path, sizeof(path), "%s/%s", folder, names[i]) == VRS_OK)
            (void)unlink(path);
    (void)rmdir(folder);
}

vrs_status vrs_self_test(vrs_check_fn visit, void *opaque)
{
    const vrs_checker to = {visit, opaque};
    char folder[1024], descriptor[VRS_PATH_MAX];
    const char *temporary = getenv("TMPDIR");
    vrs_status status =
        vrs_path_format(folder, sizeof(folder), "%s/vrseg-self-test-XXXXXX",
                        temporary != NULL && temporary[0] != '\0' ? temporary : "/tmp");
    if (status != VRS_OK)
        return status;
    if (mkdtemp(folder) == NULL) {
        return vrs_fail(VRS_IO,
                        "%s: cannot make a folder for the self-test: set TMPDIR to one "
                        "that can be written to",
                        folder);
    }
    status = vrs_tiny_network_write(folder);
    if (status == VRS_OK)
        status = vrs_path_format(descriptor, sizeof(descriptor), "%s/tiny.yaml", folder);
    if (status == VRS_OK)
        status = test_tables(&to);
    if (status == VRS_OK)
        status = vrs_self_test_engines(&to, descriptor);
    if (status == VRS_OK)
        status = test_gpus(&to, descriptor);
    remove_folder(folder);
    return status;
}
