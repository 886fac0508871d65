/* The self-test: it passes where the kernels are right, and each kernel that is not is named. With
 * the argument "gpu" those of the GPU that is there, or of the stand-in driver. */
#define _XOPEN_SOURCE 700

#include "doctor/self_test.h"

#include <stdlib.h>

#include "device/device.h"
#include "doctor/checks.h"
#include "support/inject.h"
#include "support/temp.h"

static void test_whole(void **state)
{
    (void)state;
    gathered.count = 0;
    if (vrs_self_test(gather, NULL) != VRS_OK)
        fail_msg("%s", vrs_last_error());
    print_checks();
    assert_int_equal(count_state(VRS_CHECK_FAILED), 0);
    assert_int_equal(find_check("plain C network")->state, VRS_CHECK_OK);
    int tables = (int)vrs_isa_detect(); /* each has 16 entries */
    assert_true(count_state(VRS_CHECK_OK) >= 1 + 19 * tables);
}

/* ---- kernels that are wrong ---- */

static const vrs_kernels *right;

static void wrong_preprocess(const vrs_preprocess_plan *plan, const vrs_image *image, void *tensor,
                             uint8_t *luma, void *scratch)
{
    right->preprocess(plan, image, tensor, luma, scratch);
    luma[0] = (uint8_t)(luma[0] + 2);
}

static void wrong_person(const vrs_scores *scores, int16_t *q15, ptrdiff_t stride)
{
    right->person(scores, q15, stride);
    q15[scores->width - 1] = (int16_t)(q15[scores->width - 1] > 16000 ? 0 : 32767);
}

static void wrong_pyramid(const vrs_pyramid *pyramid, const uint8_t *guide, ptrdiff_t stride)
{
    right->pyramid(pyramid, guide, stride);
    pyramid->level[2][0] ^= 1;
}

static void wrong_match(const vrs_match *match)
{
    right->match(match);
    match->motion[0].x ^= 1;
}

static void wrong_follow(const vrs_follow *follow, void *scratch)
{
    right->follow(follow, scratch);
    follow->result[0] ^= 1;
}

static void wrong_smooth(int16_t *before, int16_t *mask, size_t n, int16_t weight)
{
    right->smooth(before, mask, n, weight);
    before[n - 1] ^= 1;
}

static void wrong_upsample(const vrs_upsample *up, const int16_t *src, ptrdiff_t src_stride,
                           int32_t begin, int32_t end, int16_t *dst, ptrdiff_t stride,
                           int16_t *scratch)
{
    right->upsample(up, src, src_stride, begin, end, dst, stride, scratch);
    dst[up->width] = 7; /* a column too many */
}

static void wrong_guided(const vrs_guided *guided, void *scratch)
{
    right->guided(guided, scratch);
    guided->offset[guided->width * guided->height - 1] += 1e-3F;
}

static void wrong_refine(const vrs_upsample *up, const float *slope, const float *offset,
                         ptrdiff_t src_stride, const vrs_luma *luma, int32_t begin, int32_t end,
                         int16_t *dst, ptrdiff_t stride, float *scratch)
{
    right->refine(up, slope, offset, src_stride, luma, begin, end, dst, stride, scratch);
    dst[0] = (int16_t)(dst[0] > 100 ? dst[0] - 3 : dst[0] + 3);
}

static void wrong_threshold(int16_t *q15, size_t n, int16_t threshold)
{
    right->threshold(q15, n, (int16_t)(threshold > 0 ? threshold - 1 : 1));
    q15[n / 2] = 5;
}

static void wrong_feather(int16_t *q15, ptrdiff_t stride, int32_t width, int32_t height,
                          int32_t radius, void *scratch)
{
    right->feather(q15, stride, width, height, radius, scratch);
    q15[width] = 0; /* what lies between two rows */
}

static void wrong_store8(const int16_t *q15, uint8_t *dst, size_t n)
{
    right->store8(q15, dst, n);
    dst[n] = 0;
}

static void wrong_store10(const int16_t *q15, uint16_t *dst, size_t n)
{
    right->store10(q15, dst, n);
    dst[n - 1] ^= 1;
}

static void wrong_blend8(const uint8_t *src, const int16_t *alpha, uint8_t *dst, size_t n,
                         uint8_t background)
{
    right->blend8(src, alpha, dst, n, background);
    dst[0] ^= 1;
}

static void wrong_blend10(const uint16_t *src, const int16_t *alpha, uint16_t *dst, size_t n,
                          uint16_t background, int32_t shift)
{
    right->blend10(src, alpha, dst, n, background, shift == 6 ? 5 : shift); /* of P010 alone */
}

static void wrong_chroma_alpha(const int16_t *row0, const int16_t *row1, int16_t *dst,
                               int32_t width)
{
    right->chroma_alpha(row0, row1, dst, width);
    if (width % 2 == 1)
        dst[width / 2] ^= 2; /* an odd last column */
}

static void wrong_uv8(const uint8_t *uv, const int16_t *alpha, uint8_t *u, uint8_t *v, size_t n,
                      uint8_t background_u, uint8_t background_v)
{
    right->blend_uv8(uv, alpha, v, u, n, background_v, background_u);
}

static void wrong_uv10(const uint16_t *uv, const int16_t *alpha, uint16_t *u, uint16_t *v, size_t n,
                       uint16_t background_u, uint16_t background_v, int32_t shift)
{
    right->blend_uv10(uv, alpha, u, v, n, background_u, background_v, shift);
    v[n - 1] ^= 1;
}

static void wrong_classes(const vrs_upsample *up, const vrs_scores *scores, int32_t begin,
                          int32_t end, uint8_t *dst, ptrdiff_t stride, float *scratch)
{
    right->classes(up, scores, begin, end, dst, stride, scratch);
    dst[0] ^= 1;
}

static void test_each_wrong_kernel(void **state)
{
    (void)state;
    right = vrs_kernels_get(VRS_ISA_REFERENCE);
    vrs_kernels table[19];
    for (int i = 0; i < 19; i++)
        table[i] = *right;
    int n = 0;
    const char *names[19];
#define WRONG(member, function) \
    table[n].member = function; \
    names[n++] = #member;
    WRONG(preprocess, wrong_preprocess)
    WRONG(person, wrong_person)
    WRONG(smooth, wrong_smooth)
    WRONG(pyramid, wrong_pyramid)
    WRONG(match, wrong_match)
    WRONG(follow, wrong_follow)
    WRONG(upsample, wrong_upsample)
    WRONG(guided, wrong_guided)
    WRONG(refine, wrong_refine)
    WRONG(threshold, wrong_threshold)
    WRONG(feather, wrong_feather)
    WRONG(store8, wrong_store8)
    WRONG(store10, wrong_store10)
    WRONG(blend8, wrong_blend8)
    WRONG(blend10, wrong_blend10)
    WRONG(chroma_alpha, wrong_chroma_alpha)
    WRONG(blend_uv8, wrong_uv8)
    WRONG(blend_uv10, wrong_uv10)
    WRONG(classes, wrong_classes)
#undef WRONG
    for (int i = 0; i < n; i++) {
        gathered.count = 0;
        assert_int_equal(vrs_self_test_table(&to_gather, &table[i], "wrong"), VRS_OK);
        assert_int_equal(gathered.count, 19);
        char name[64];
        snprintf(name, sizeof(name), "wrong %s", names[i]);
        if (find_check(name)->state != VRS_CHECK_FAILED || count_state(VRS_CHECK_FAILED) != 1) {
            print_checks();
            fail_msg("%s alone is wrong", names[i]);
        }
        assert_true(find_check(name)->required);
    }
}

static void ignore_check(void *opaque, const vrs_check *check)
{
    (void)opaque;
    (void)check;
}

static vrs_status test_table(void *opaque)
{
    const vrs_checker to = {ignore_check, opaque};
    return vrs_self_test_table(&to, vrs_kernels_get(VRS_ISA_AVX512), "x");
}

static void test_refused_memory(void **state)
{
    (void)state;
    static const vrs_status told = VRS_OK; /* a plan that cannot be made is a failed check */
    assert_true(inject_all_allowing(test_table, NULL, &told, 1) > 2);
}

/* Nothing of a self-test stays in the folder of temporary files, and it says where it cannot. */
static void test_temporary_folder(void **state)
{
    (void)state;
    char folder[256];
    temp_make(folder, sizeof(folder));
    assert_int_equal(vrs_tiny_network_write(folder), VRS_OK);
    assert_int_equal(temp_count(folder), 2);
    temp_remove(folder);
    assert_int_equal(setenv("TMPDIR", folder, 1), 0); /* gone */
    assert_int_equal(vrs_self_test(ignore_check, NULL), VRS_IO);
    assert_non_null(strstr(vrs_last_error(), "TMPDIR"));
    assert_int_equal(unsetenv("TMPDIR"), 0);
}

/* ---- a GPU ---- */

static int open_gpu(void **state)
{
    (void)state;
    return vrs_gpu_count(&(int32_t){0}) == VRS_OK ? 0 : -1;
}

static void test_gpu(void **state)
{
    (void)state;
    gathered.count = 0;
    if (vrs_self_test(gather, NULL) != VRS_OK)
        fail_msg("%s", vrs_last_error());
    print_checks();
    assert_int_equal(count_state(VRS_CHECK_FAILED), 0);
    static const char *const names[] = {"preprocess, any rows",
                                        "preprocess, whole rows",
                                        "person",
                                        "mask_resize",
                                        "guided",
                                        "feather",
                                        "classes",
                                        "render mask",
                                        "render refined mask",
                                        "render composite",
                                        "network in f32",
                                        "network in f16"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char name[64];
        snprintf(name, sizeof(name), "cuda:0 %s", names[i]);
        assert_int_equal(find_check(name)->state, VRS_CHECK_OK);
    }
}

/* Resources that a GPU's tests want are refused, the first ones in turn and then ever fewer of the
 * thousands: told as a failed check or returned, but where there is another way (limits of memory
 * that cannot be read), and nothing stays behind. */
static void test_gpu_refused(void **state)
{
    (void)state;
    int met = 0, told = 0;
    for (unsigned n = 0;; n += 1 + n / 6) {
        inject_plan plan = {.fails = n};
        size_t live = vrs_resources_live();
        gathered.count = 0;
        vrs_inject_set(inject_decide, &plan);
        vrs_status status = vrs_self_test_gpu(&to_gather, 0, NULL);
        vrs_inject_set(NULL, NULL);
        assert_int_equal(vrs_resources_live(), live);
        if (atomic_load(&plan.failed) == NULL) {
            assert_int_equal(status, VRS_OK);
            assert_int_equal(count_state(VRS_CHECK_OK), gathered.count);
            assert_true(n > 100 && told > met / 2);
            return;
        }
        met++;
        told += status == VRS_NO_MEMORY || count_state(VRS_CHECK_OK) < gathered.count;
    }
}

int main(int argc, char **argv)
{
    (void)argv;
    const struct CMUnitTest on_cpu[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_each_wrong_kernel),
        cmocka_unit_test(test_refused_memory),
        cmocka_unit_test(test_temporary_folder),
    };
    const struct CMUnitTest on_gpu[] = {
        cmocka_unit_test(test_gpu),
        cmocka_unit_test(test_gpu_refused),
    };
    if (argc < 2)
        return cmocka_run_group_tests(on_cpu, NULL, NULL);
    if (open_gpu(NULL) != 0) {
        fprintf(stderr, "skipped: %s\n", vrs_last_error());
        return getenv("VRSEG_REQUIRE_CUDA") != NULL ? EXIT_FAILURE : 77;
    }
    return cmocka_run_group_tests(on_gpu, NULL, NULL);
}
