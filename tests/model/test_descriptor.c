/* Descriptors: what each key means, and every way to write it wrong. */
#define _XOPEN_SOURCE 700

#include "model/support.h"

#include "base/alloc.h"

static const char *const full =
    "# a comment\n"
    "title: A title\n"
    "licence: Apache-2.0\n"
    "source: somewhere\n"
    "sha256: 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n"
    "fetchable: on\n"
    "test_only: yes\n"
    "weights: w.onnx\n"
    "batch: fixed\n"
    "input:\n"
    "  name: in\n"
    "  width: 320\n"
    "  height: 240\n"
    "  layout: nhwc\n"
    "  order: bgr\n"
    "  mean: [1, 2.5, -3]\n"
    "  scale: 1/255\n"
    "  resize: bilinear\n"
    "  fit: letterbox\n"
    "  pad: 114\n"
    "output:\n"
    "  name: out\n"
    "  width: 80\n"
    "  height: 60\n"
    "  layout: nhwc\n"
    "  activation: softmax\n"
    "  classes: [background, hair, clothes, dog]\n"
    "  person: [hair, 2]\n"
    "  refine: off\n"
    "states:\n"
    "  - {input: a, output: b, channels: 16, divisor: 2}\n"
    "  - {input: c, output: d, channels: 20, divisor: 4}\n";

#define HEAD "title: t\nlicence: l\nsource: s\n"
#define INPUT "input: {width: 6, height: 4}\n"
#define OUTPUT "output: {activation: none, classes: 1}\n"

static vrs_status load(const char *text, vrs_model **model)
{
    write_text(in_folder("x.yaml"), text);
    return vrs_model_load(in_folder("x.yaml"), model);
}

static void test_full(void **state)
{
    (void)state;
    vrs_model *model;
    assert_int_equal(load(full, &model), VRS_OK);
    vrs_model_info info = vrs_model_get_info(model);
    assert_string_equal(info.name, "x");
    assert_string_equal(info.title, "A title");
    assert_string_equal(info.licence, "Apache-2.0");
    assert_string_equal(info.source, "somewhere");
    assert_true(info.fetchable && info.test_only && info.recurrent && !info.installed);
    assert_int_equal(info.input_width, 320);
    assert_int_equal(info.input_height, 240);
    assert_int_equal(info.class_count, 4);
    assert_string_equal(info.descriptor_path, in_folder("x.yaml"));
    assert_string_equal(info.weights_path, in_folder("w.onnx"));
    assert_string_equal(vrs_model_class_name(model, 3), "dog");
    const vrs_model_spec *s = vrs_model_get_spec(model);
    assert_string_equal(s->input, "in");
    assert_string_equal(s->output, "out");
    assert_true(s->nhwc_input && s->nhwc_output && s->bgr && s->fixed_batch && s->unrefined);
    assert_true(s->mean[0] == 1 && s->mean[1] == 2.5F && s->mean[2] == -3);
    assert_true(s->scale[0] == (float)(1.0 / 255) && s->scale[2] == s->scale[0]);
    assert_int_equal(s->resize, VRS_RESIZE_BILINEAR);
    assert_int_equal(s->fit, VRS_FIT_LETTERBOX);
    assert_true(s->pad == 114);
    assert_int_equal(s->activation, VRS_ACTIVATION_SOFTMAX);
    assert_int_equal(s->classes, 4);
    assert_int_equal(s->person_classes, 6);
    assert_int_equal(s->output_width, 80);
    assert_int_equal(s->output_height, 60);
    assert_int_equal(s->state_count, 2);
    assert_string_equal(s->states[1].input, "c");
    assert_string_equal(s->states[1].output, "d");
    assert_int_equal(s->states[1].channels, 20);
    assert_int_equal(s->states[1].divisor, 4);
    vrs_model_destroy(model);
}

static void test_defaults(void **state)
{
    (void)state;
    vrs_model *model;
    assert_int_equal(load(HEAD INPUT OUTPUT, &model), VRS_OK);
    vrs_model_info info = vrs_model_get_info(model);
    assert_false(info.fetchable || info.test_only || info.recurrent);
    const vrs_model_spec *s = vrs_model_get_spec(model);
    assert_string_equal(s->input, "");
    assert_string_equal(s->output, "");
    assert_false(s->nhwc_input || s->nhwc_output || s->bgr || s->fixed_batch || s->unrefined);
    assert_true(s->mean[1] == 0 && s->scale[1] == 1 && s->pad == 0);
    assert_int_equal(s->resize, VRS_RESIZE_AREA);
    assert_int_equal(s->fit, VRS_FIT_STRETCH);
    assert_int_equal(s->activation, VRS_ACTIVATION_NONE);
    assert_int_equal(s->person_classes, 1);
    assert_int_equal(s->output_width, 0);
    assert_string_equal(vrs_model_class_name(model, 0), "person");
    vrs_model_destroy(model);
    assert_int_equal(
        load(HEAD INPUT "output: {activation: sigmoid, classes: 2, person: [1]}\n", &model),
        VRS_OK);
    assert_string_equal(vrs_model_class_name(model, 1), "class 1");
    vrs_model_destroy(model);
}

typedef struct wrong {
    const char *text;
    int line;
    const char *part;
} wrong;

static void refuse(const wrong *w)
{
    char place[600];
    vrs_model *model;
    vrs_status status = load(w->text, &model);
    if (status != VRS_INVALID)
        fail_msg("%s for:\n%s", vrs_status_name(status), w->text);
    assert_null(model);
    snprintf(place, sizeof(place), "%s:%d:", in_folder("x.yaml"), w->line);
    expect_detail(place);
    expect_detail(w->part);
}

static void test_wrong_root(void **state)
{
    (void)state;
    static const wrong cases[] = {
        {"- a\n- b\n", 1, "must be a map"},
        {"licence: l\nsource: s\n" INPUT OUTPUT, 1, "\"title\" is missing"},
        {"title: t\nsource: s\n" INPUT OUTPUT, 1, "\"licence\" is missing"},
        {"title: t\nlicence: l\n" INPUT OUTPUT, 1, "\"source\" is missing"},
        {HEAD OUTPUT, 1, "\"input\" is missing"},
        {HEAD INPUT, 1, "\"output\" is missing"},
        {"titl: t\nlicence: l\nsource: s\n" INPUT OUTPUT, 1, "\"title\""},
        {HEAD INPUT OUTPUT "license: l\n", 6, "\"licence\""},
        {HEAD INPUT OUTPUT "zzzzzzzz: l\n", 6, "zzzzzzzz"},
        {"title: [t]\nlicence: l\nsource: s\n" INPUT OUTPUT, 1, "title must be a text"},
        {"title: \"\"\nlicence: l\nsource: s\n" INPUT OUTPUT, 1, "title must be a text"},
        {"title: \"a\\nb\"\nlicence: l\nsource: s\n" INPUT OUTPUT, 1, "one line"},
        {HEAD INPUT OUTPUT "sha256: 12ab\n", 6, "64 digits"},
        {HEAD INPUT OUTPUT
         "sha256: 0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef\n",
         6, "64 digits"},
        {HEAD INPUT OUTPUT "fetchable: perhaps\n", 6, "fetchable must be on or off"},
        {HEAD INPUT OUTPUT "test_only: [on]\n", 6, "test_only must be on or off"},
        {HEAD INPUT OUTPUT "batch: fixd\n", 6, "did you mean \"fixed\"?"},
        {HEAD "input: 3\n" OUTPUT, 4, "input must be a map"},
        {HEAD INPUT "output: []\n", 5, "output must be a map"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        refuse(&cases[i]);
}

#define IN(text) HEAD "input:\n  width: 6\n  height: 4\n  " text "\n" OUTPUT

static void test_wrong_input(void **state)
{
    (void)state;
    static const wrong cases[] = {
        {HEAD "input: {width: 6}\n" OUTPUT, 4, "\"input.height\" is missing"},
        {HEAD "input: {height: 6}\n" OUTPUT, 4, "\"input.width\" is missing"},
        {IN("resise: area"), 7, "\"resize\""},
        {HEAD "input: {width: 0, height: 4}\n" OUTPUT, 4, "from 1 to 4096"},
        {HEAD "input: {width: 4097, height: 4}\n" OUTPUT, 4, "from 1 to 4096"},
        {HEAD "input: {width: 99999999999999999999, height: 4}\n" OUTPUT, 4, "from 1 to 4096"},
        {HEAD "input: {width: -5, height: 4}\n" OUTPUT, 4, "from 1 to 4096"},
        {HEAD "input: {width: 6.5, height: 4}\n" OUTPUT, 4, "whole number"},
        {HEAD "input: {width: [6], height: 4}\n" OUTPUT, 4, "whole number"},
        {IN("layout: nhw"), 7, "did you mean \"nchw\"?"},
        {IN("order: grb"), 7, "rgb or bgr"},
        {IN("order: {a: b}"), 7, "rgb or bgr"},
        {IN("mean: [1, 2]"), 7, "list of three"},
        {IN("mean: [1, 2, 3, 4]"), 7, "list of three"},
        {IN("mean: [1, 2, x]"), 7, "127.5 or 1/255"},
        {IN("mean: 65537"), 7, "between 0 and 65536"},
        {IN("mean: nan"), 7, "must be a number"},
        {IN("mean: {}"), 7, "must be a number"},
        {IN("scale: 0"), 7, "by its magnitude"},
        {IN("scale: 1/0"), 7, "must be a number"},
        {IN("scale: /5"), 7, "must be a number"},
        {IN("scale: 1/2/3"), 7, "must be a number"},
        {IN("scale: 1e300"), 7, "by its magnitude"},
        {IN("scale: 1e-300"), 7, "by its magnitude"},
        {IN("scale: 1/1e-300"), 7, "by its magnitude"},
        {IN("resize: cubic"), 7, "area or bilinear"},
        {IN("fit: letter-box"), 7, "did you mean \"letterbox\"?"},
        {IN("pad: 256"), 7, "between 0 and 255"},
        {IN("pad: -1"), 7, "0 to 255"},
        {IN("name: []"), 7, "input.name must be a text"},
        {IN("name: n123456789012345678901234567890123456789012345678901234567890123"), 7,
         "longer than 63 bytes"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        refuse(&cases[i]);
}

#define OUT(text) HEAD INPUT "output:\n  activation: none\n  " text "\n"

static void test_wrong_output(void **state)
{
    (void)state;
    static const wrong cases[] = {
        {HEAD INPUT "output: {classes: 1}\n", 5, "\"output.activation\" is missing"},
        {HEAD INPUT "output: {activation: none}\n", 5, "\"output.classes\" is missing"},
        {HEAD INPUT "output: {activation: softmx, classes: 1}\n", 5, "did you mean \"softmax\"?"},
        {HEAD INPUT "output: {activation: softmax, classes: 1}\n", 5, "did you mean \"sigmoid\"?"},
        {OUT("clases: 1"), 7, "\"classes\""},
        {OUT("classes: 0"), 7, "from 1 to 32"},
        {OUT("classes: 33"), 7, "from 1 to 32"},
        {OUT("classes: []"), 7, "1 to 32 names"},
        {OUT("classes: {a: 1}"), 7, "from 1 to 32"},
        {OUT("classes: [a, [b]]"), 7, "a class name must be a text"},
        {OUT("classes: [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x, y,"
             " z, 1, 2, 3, 4, 5, 6, 7]"),
         7, "1 to 32 names"},
        {OUT("classes: 2"), 6, "\"output.person\" is missing"},
        {OUT("classes: 2\n  person: 1"), 8, "must be a list"},
        {OUT("classes: 2\n  person: []"), 8, "must be a list"},
        {OUT("classes: 2\n  person: [0, 1, 1]"), 8, "list of 1 to 2"},
        {OUT("classes: 2\n  person: [1, 1]"), 8, "twice"},
        {OUT("classes: 2\n  person: [2]"), 8, "from 0 to 1"},
        {OUT("classes: 2\n  person: [-1]"), 8, "from 0 to 1"},
        {OUT("classes: [sky, person]\n  person: [persn]"), 8, "did you mean \"person\"?"},
        {OUT("classes: [sky, person]\n  person: [[1]]"), 8, "by a name"},
        {OUT("classes: 1\n  width: 0"), 8, "from 1 to 4096"},
        {OUT("classes: 1\n  height: 5000"), 8, "from 1 to 4096"},
        {OUT("classes: 1\n  layout: nc"), 8, "nchw or nhwc"},
        {OUT("classes: 1\n  refine: on"), 8, "auto or off"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        refuse(&cases[i]);
}

#define STATE(text)                                                                             \
    HEAD "input: {name: a, width: 6, height: 4}\noutput: {name: b, activation: none, classes: " \
         "1}\nstates:\n" text "\n"

static void test_wrong_states(void **state)
{
    (void)state;
    static const wrong cases[] = {
        {HEAD INPUT OUTPUT "states: []\n", 6, "list of 1 to 8"},
        {HEAD INPUT OUTPUT "states: 3\n", 6, "list of 1 to 8"},
        {HEAD INPUT OUTPUT "states: [{}]\n", 6, "needs input.name"},
        {STATE("  - 3"), 7, "must be a map"},
        {STATE("  - {input: a, output: b, channels: 1}"), 7, "\"states.divisor\" is missing"},
        {STATE("  - {input: a, output: b, divisor: 1}"), 7, "\"states.channels\" is missing"},
        {STATE("  - {input: a, channels: 1, divisor: 1}"), 7, "\"states.output\" is missing"},
        {STATE("  - {output: a, channels: 1, divisor: 1}"), 7, "\"states.input\" is missing"},
        {STATE("  - {input: a, output: b, channels: 0, divisor: 1}"), 7, "from 1 to 1024"},
        {STATE("  - {input: a, output: b, channels: 1, divisor: 65}"), 7, "from 1 to 64"},
        {STATE("  - {input: a, output: b, channels: 1, divsor: 65}"), 7, "\"divisor\""},
        {STATE("  - {input: a, output: b, channels: 1, divisor: 1}\n  - {}\n  - {}\n  - {}\n"
               "  - {}\n  - {}\n  - {}\n  - {}\n  - {}"),
         7, "list of 1 to 8"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        refuse(&cases[i]);
}

/* Cut at every byte: read or refused with a sentence, never a crash, nothing leaked. */
static void test_cut(void **state)
{
    (void)state;
    char text[2048];
    size_t size = strlen(full), read = 0, live = vrs_resources_live();
    for (size_t length = 0; length <= size; length++) {
        vrs_model *model;
        memcpy(text, full, length);
        text[length] = '\0';
        vrs_status status = load(text, &model);
        assert_true(status == VRS_OK || status == VRS_INVALID);
        if (status == VRS_OK)
            read++;
        else
            expect_detail("x.yaml");
        vrs_model_destroy(model);
    }
    assert_int_equal(vrs_resources_live(), live);
    assert_in_range(read, 3, 60); /* whole but for states, or for a state */
}

/* A deterministic storm of changed, removed and doubled bytes. */
static void test_noise(void **state)
{
    (void)state;
    uint32_t seed = 1;
    char text[4096];
    size_t size = strlen(full), live = vrs_resources_live();
    for (int round = 0; round < 3000; round++) {
        vrs_model *model;
        size_t length = size;
        memcpy(text, full, size + 1);
        for (int edit = 0; edit < 1 + round % 4; edit++) {
            seed = seed * 1664525U + 1013904223U;
            size_t at = seed % length, count = 1 + (seed >> 16) % 40;
            if (seed >> 30 == 0 && at + count < length) {
                memmove(text + at, text + at + count, length - at - count + 1);
                length -= count;
            } else if (seed >> 30 == 1 && length + count < sizeof(text) - 1 &&
                       at + count < length) {
                memmove(text + at + count, text + at, length - at + 1);
                length += count;
            } else {
                text[at] = (char)(1 + (seed >> 8) % 127);
            }
        }
        vrs_status status = load(text, &model);
        assert_true(status == VRS_OK || status == VRS_INVALID);
        vrs_model_destroy(model);
    }
    assert_int_equal(vrs_resources_live(), live);
}

int main(void)
{
    temp_make(folder, sizeof(folder));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full),         cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_wrong_root),   cmocka_unit_test(test_wrong_input),
        cmocka_unit_test(test_wrong_output), cmocka_unit_test(test_wrong_states),
        cmocka_unit_test(test_cut),          cmocka_unit_test(test_noise),
    };
    int failed = cmocka_run_group_tests_name("descriptor", tests, NULL, NULL);
    temp_remove(folder);
    return failed;
}
