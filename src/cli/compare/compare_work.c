/* What is measured of one model, in a process of its own: masks of the user's frames beside given
 * ones and beside each other, then the rate of a full pipeline. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "cli/compare/compare.h"
#include "vrseg/input.h"

/* Frames are kept decoded: at most so many bytes of them. */
#define MOST_BYTES (INT64_C(768) << 20)
/* A pixel stands still where its luma changes by less than this, of 255. */
#define STILL 3
/* A given mask has a person where a colour is above this, of 255: what compression leaves is not.
 */
#define NOTHING 10
#define MOST_SECONDS 1800.0
#define FETCH_US 1000

typedef struct comparing {
    vrs_config *config;
    const vrs_compare_work *work;
    vrs_compare_result *result;
    vrs_bench_watch watch;
    vrs_model *model;
    vrs_pipeline *pipeline;
    vrs_frame *frames; /* with their pixels */
    int64_t count, submitted, fetched;
    bool still; /* pictures: each by itself */
    vrs_input *truths;
    uint8_t *truth, *truth_before, *mask_before; /* of a frame's pixels; the last two of a video */
    uint8_t *codes;                              /* scratch for reading a truth */
    FILE *cells;
    double coverage, iou, flicker, dtssd;
    int64_t coverages, ious, flickers, dtssds; /* how many were added up */
    int64_t first_ns, last_ns;
} comparing;

int64_t vrs_compare_frame(int64_t count, int32_t index)
{
    int64_t cells = count < VRS_COMPARE_CELLS ? count : VRS_COMPARE_CELLS;
    return cells > 1 ? (count - 1) * index / (cells - 1) : 0;
}

void vrs_compare_shrink(const uint8_t *mask, ptrdiff_t stride, int32_t width, int32_t height,
                        uint8_t *cell)
{
    const int32_t full_width = VRS_COMPARE_CELL_WIDTH, full_height = VRS_COMPARE_CELL_HEIGHT;
    double scale = fmin((double)full_width / width, (double)full_height / height);
    int32_t w = (int32_t)fmax(1, rint(width * scale)), h = (int32_t)fmax(1, rint(height * scale));
    int32_t left = (full_width - w) / 2, top = (full_height - h) / 2;
    memset(cell, 0, VRS_COMPARE_CELL_BYTES);
    for (int32_t y = 0; y < h; y++)
        for (int32_t x = 0; x < w; x++) {
            int64_t from_x = (int64_t)x * width / w, to_x = (int64_t)(x + 1) * width / w;
            int64_t from_y = (int64_t)y * height / h, to_y = (int64_t)(y + 1) * height / h;
            int64_t sum = 0, pixels = 0;
            to_x = to_x > from_x ? to_x : from_x + 1;
            to_y = to_y > from_y ? to_y : from_y + 1;
            for (int64_t v = from_y; v < to_y; v++)
                for (int64_t u = from_x; u < to_x; u++, pixels++)
                    sum += mask[v * stride + u];
            cell[(top + y) * full_width + left + x] = (uint8_t)(pixels > 0 ? sum / pixels : 0);
        }
}

/* ---- frames ---- */

static vrs_status read_frames(comparing *c)
{
    vrs_input *input;
    vrs_input_info info;
    int64_t bytes = 0;
    vrs_status status = vrs_input_open(c->config, c->work->input, &input);
    if (status != VRS_OK)
        return status;
    vrs_input_get_info(input, &info);
    c->still = info.still;
    c->frames = calloc((size_t)c->work->frames, sizeof(*c->frames));
    status = c->frames == NULL ? vrs_fail(VRS_NO_MEMORY, "no memory for frames") : VRS_OK;
    while (status == VRS_OK && c->count < c->work->frames && bytes < MOST_BYTES) {
        status = vrs_input_read(input, &c->frames[c->count]);
        if (status != VRS_OK)
            break;
        const vrs_image *image = &c->frames[c->count++].image;
        bytes += (int64_t)image->width * image->height * 3;
    }
    vrs_input_close(input);
    status = status == VRS_END ? VRS_OK : status;
    if (status == VRS_OK && c->count == 0)
        status = vrs_fail(VRS_INVALID, "%s: there is no frame in it", c->work->input);
    return status;
}

static size_t most_pixels(const comparing *c)
{
    size_t most = 1;
    for (int64_t i = 0; i < c->count; i++) {
        size_t pixels = (size_t)c->frames[i].image.width * (size_t)c->frames[i].image.height;
        most = pixels > most ? pixels : most;
    }
    return most;
}

static vrs_status make_room(comparing *c)
{
    size_t pixels = most_pixels(c);
    c->mask_before = calloc(pixels, 1);
    if (c->work->masks != NULL) {
        c->truth = calloc(pixels, 1);
        c->truth_before = calloc(pixels, 1);
        c->codes = calloc(pixels, 3);
    }
    bool good = c->mask_before != NULL &&
                (c->work->masks == NULL ||
                 (c->truth != NULL && c->truth_before != NULL && c->codes != NULL));
    if (!good)
        return vrs_fail(VRS_NO_MEMORY, "no memory for masks");
    c->cells = fopen(c->work->cells, "we");
    if (c->cells == NULL)
        return vrs_fail(VRS_PERMISSION, "%s: cannot be made", c->work->cells);
    return c->work->masks != NULL ? vrs_input_open(c->config, c->work->masks, &c->truths) : VRS_OK;
}

/* ---- judging ---- */

/* Luma, or what comes near it, of a pixel in 8 bits. */
static int luma_at(const vrs_image *image, int32_t x, int32_t y)
{
    const uint8_t *row = image->planes[0] + y * image->strides[0];
    switch (image->format) {
    case VRS_FORMAT_RGB24:
        return row[3 * x + 1];
    case VRS_FORMAT_BGRA:
        return row[4 * x + 1];
    case VRS_FORMAT_P010:
        return row[2 * x + 1];
    case VRS_FORMAT_YUV420P10:
    case VRS_FORMAT_GRAY10:
    case VRS_FORMAT_YUVA420P10:
        return (row[2 * x] | row[2 * x + 1] << 8) >> 2;
    default:
        return row[x];
    }
}

/* Mean change of the mask over the pixels whose picture stands still; frames of one size. */
static void add_flicker(comparing *c, int64_t frame, const vrs_image *mask)
{
    const vrs_image *now = &c->frames[frame].image, *before = &c->frames[frame - 1].image;
    int64_t change = 0, still = 0;
    for (int32_t y = 0; y < mask->height; y++) {
        const uint8_t *row = mask->planes[0] + y * mask->strides[0];
        const uint8_t *old = c->mask_before + (size_t)y * (size_t)mask->width;
        for (int32_t x = 0; x < mask->width; x++) {
            if (abs(luma_at(now, x, y) - luma_at(before, x, y)) >= STILL)
                continue;
            change += abs(row[x] - old[x]);
            still++;
        }
    }
    if (still > 0) {
        c->flicker += 100.0 * (double)change / (255.0 * (double)still);
        c->flickers++;
    }
}

/* Erofeev et al., "Perceptually Motivated Benchmark for Video Matting", BMVC 2015, with the mean in
 * place of the sum over pixels, as bench/metrics.py has it. */
static void add_dtssd(comparing *c, const vrs_image *mask)
{
    double sum = 0;
    for (int32_t y = 0; y < mask->height; y++) {
        const uint8_t *row = mask->planes[0] + y * mask->strides[0];
        size_t at = (size_t)y * (size_t)mask->width;
        for (int32_t x = 0; x < mask->width; x++, at++) {
            double off = (row[x] - c->mask_before[at]) - (c->truth[at] - c->truth_before[at]);
            sum += off * off;
        }
    }
    c->dtssd += 100 * sqrt(sum / (double)mask->width / (double)mask->height) / 255;
    c->dtssds++;
}

/* IoU of the person at half of full, 1 where neither has one. */
static void add_iou(comparing *c, const vrs_image *mask)
{
    int64_t both = 0, either = 0;
    for (int32_t y = 0; y < mask->height; y++) {
        const uint8_t *row = mask->planes[0] + y * mask->strides[0];
        const uint8_t *truth = c->truth + (size_t)y * (size_t)mask->width;
        for (int32_t x = 0; x < mask->width; x++) {
            both += row[x] >= 128 && truth[x] != 0;
            either += row[x] >= 128 || truth[x] != 0;
        }
    }
    c->iou += either > 0 ? (double)both / (double)either : 1;
    c->ious++;
}

/* The next of the given masks, at the frame's size. */
static vrs_status read_truth(comparing *c, const vrs_image *mask)
{
    const vrs_input_tensor tensor = {
        .width = mask->width, .height = mask->height, .bytes = true, .scale = {1, 1, 1}};
    size_t pixels = (size_t)mask->width * (size_t)mask->height;
    vrs_status status = vrs_input_read_tensor(c->truths, &tensor, c->codes, NULL);
    if (status == VRS_END)
        return vrs_fail(VRS_INVALID, "%s: there are fewer masks than frames", c->work->masks);
    int most = 0;
    for (size_t i = 0; status == VRS_OK && i < 3 * pixels; i++)
        most = c->codes[i] > most ? c->codes[i] : most;
    int nothing = most > NOTHING ? NOTHING : 0;
    for (size_t i = 0; status == VRS_OK && i < pixels; i++) {
        const uint8_t *code = c->codes + 3 * i;
        bool person = code[0] > nothing || code[1] > nothing || code[2] > nothing;
        c->truth[i] = person ? 255 : 0;
    }
    return status;
}

static void keep(comparing *c, const vrs_image *mask)
{
    for (int32_t y = 0; y < mask->height; y++)
        memcpy(c->mask_before + (size_t)y * (size_t)mask->width,
               mask->planes[0] + y * mask->strides[0], (size_t)mask->width);
    uint8_t *truth = c->truth;
    c->truth = c->truth_before;
    c->truth_before = truth;
}

static vrs_status write_cell(comparing *c, int64_t frame, const vrs_image *mask)
{
    static uint8_t cell[VRS_COMPARE_CELL_BYTES];
    for (int32_t i = 0; i < VRS_COMPARE_CELLS && i < c->count; i++) {
        if (vrs_compare_frame(c->count, i) != frame)
            continue;
        vrs_compare_shrink(mask->planes[0], mask->strides[0], mask->width, mask->height, cell);
        if (fwrite(cell, 1, sizeof(cell), c->cells) != sizeof(cell))
            return vrs_fail(VRS_NO_SPACE, "%s: cannot be written", c->work->cells);
    }
    return VRS_OK;
}

static vrs_status judge(comparing *c, int64_t frame, const vrs_result *r)
{
    const vrs_image *mask = &r->outputs[0];
    vrs_status status = VRS_OK;
    c->coverage += r->coverage;
    c->coverages++;
    if (c->truths != NULL)
        status = read_truth(c, mask);
    if (status == VRS_OK && c->truths != NULL)
        add_iou(c, mask);
    if (status == VRS_OK && frame > 0 && !c->still) {
        add_flicker(c, frame, mask);
        if (c->truths != NULL)
            add_dtssd(c, mask);
    }
    if (status == VRS_OK) {
        keep(c, mask);
        status = write_cell(c, frame, mask);
    }
    return status;
}

/* ---- the pipeline ---- */

static vrs_status fetch(comparing *c, int64_t timeout_us, bool judged)
{
    vrs_result *r;
    vrs_status status = vrs_pipeline_get_result(c->pipeline, &r, timeout_us);
    if (status != VRS_OK)
        return status;
    if (r->status != VRS_OK)
        status = vrs_fail(r->status, "%s", r->detail);
    else if (judged)
        status = judge(c, c->fetched, r);
    c->first_ns = c->fetched == 0 ? r->done_ns : c->first_ns;
    c->last_ns = r->done_ns;
    c->fetched++;
    vrs_result_release(r);
    return status;
}

static bool same_size(const vrs_image *a, const vrs_image *b)
{
    return a->width == b->width && a->height == b->height && a->format == b->format;
}

/* Submits a frame, whose pixels stay ours; fetches meanwhile. */
static vrs_status submit(comparing *c, int64_t number, bool judged)
{
    vrs_frame frame = c->frames[number % c->count];
    vrs_status status = VRS_TIMEOUT;
    frame.image.release = NULL;
    frame.capture_ns = 0;
    while (status == VRS_TIMEOUT || status == VRS_FULL) {
        status = vrs_pipeline_submit(c->pipeline, &frame, 0);
        if (status != VRS_TIMEOUT && status != VRS_FULL)
            break;
        vrs_status got = fetch(c, FETCH_US, judged);
        if (got != VRS_OK && got != VRS_TIMEOUT)
            return got;
    }
    c->submitted += status == VRS_OK ? 1 : 0;
    return status;
}

static vrs_status empty(comparing *c, bool judged)
{
    vrs_status status = VRS_OK;
    while (status == VRS_OK && c->fetched < c->submitted)
        status = fetch(c, -1, judged);
    return status;
}

/* Every frame once, in order. */
static vrs_status see_all(comparing *c)
{
    vrs_status status = VRS_OK;
    for (int64_t i = 0; i < c->count && status == VRS_OK; i++) {
        bool another = i > 0 && !same_size(&c->frames[i].image, &c->frames[i - 1].image);
        if (another || (c->still && i > 0)) {
            status = empty(c, true); /* each picture stands for itself */
            vrs_pipeline_reset_stream(c->pipeline, 0);
        }
        if (status == VRS_OK)
            status = submit(c, i, true);
    }
    return status == VRS_OK ? empty(c, true) : status;
}

/* The first picture over and over, or the video again and again. */
static vrs_status measure_rate(comparing *c)
{
    vrs_status status = VRS_OK;
    int64_t end_ns = vrs_now_ns() + (int64_t)(c->work->seconds * 1e9), number = 0;
    vrs_pipeline_reset_stream(c->pipeline, 0);
    c->submitted = c->fetched = 0;
    while (status == VRS_OK && (vrs_now_ns() < end_ns || c->submitted < 2)) {
        status = submit(c, number, false);
        number += c->still ? 0 : 1;
        vrs_bench_watch_look(&c->watch);
    }
    if (status == VRS_OK)
        status = empty(c, false);
    double seconds = (double)(c->last_ns - c->first_ns) / 1e9;
    c->result->fps = seconds > 0 ? (double)(c->fetched - 1) / seconds : -1;
    return status;
}

static vrs_status open_pipeline(comparing *c)
{
    const vrs_output_desc mask = {.kind = VRS_OUTPUT_MASK, .format = VRS_FORMAT_GRAY8};
    vrs_status status = vrs_model_load(vrs_config_get(c->config, "model"), &c->model);
    if (status == VRS_OK)
        status = vrs_pipeline_create(c->config, c->model, &c->pipeline);
    if (status == VRS_OK)
        status = vrs_pipeline_add_output(c->pipeline, &mask);
    return status == VRS_OK ? vrs_pipeline_start(c->pipeline) : status;
}

static double mean(double sum, int64_t count)
{
    return count > 0 ? sum / (double)count : -1;
}

static vrs_status compare(comparing *c)
{
    vrs_compare_result *r = c->result;
    vrs_bench_use use;
    struct rusage usage;
    vrs_status status = read_frames(c);
    if (status == VRS_OK)
        status = make_room(c);
    if (status == VRS_OK)
        status = open_pipeline(c);
    if (status != VRS_OK)
        return status;
    (void)snprintf(r->device, sizeof(r->device), "%s", vrs_pipeline_get_device(c->pipeline));
    (void)snprintf(r->engine, sizeof(r->engine), "%s", vrs_pipeline_get_engine(c->pipeline));
    vrs_bench_watch_begin(&c->watch);
    status = see_all(c);
    if (status == VRS_OK)
        status = measure_rate(c);
    if (status != VRS_OK)
        return status;
    vrs_bench_watch_end(&c->watch, &use);
    (void)getrusage(RUSAGE_SELF, &usage);
    r->rss = (double)usage.ru_maxrss * 1024;
    r->gpu_memory = use.gpu_memory;
    r->frames = c->coverages;
    r->coverage = mean(c->coverage, c->coverages);
    r->iou = mean(c->iou, c->ious);
    r->flicker = mean(c->flicker, c->flickers);
    r->dtssd = mean(c->dtssd, c->dtssds);
    if (c->cells != NULL && fclose(c->cells) != 0 && status == VRS_OK)
        status = vrs_fail(VRS_NO_SPACE, "%s: cannot be written", c->work->cells);
    return status;
}

/* ---- the process ---- */

typedef struct trial {
    vrs_config *config;
    const vrs_compare_work *work;
} trial;

/* What is left of its memory the system takes back. */
static void measure(void *opaque, void *report)
{
    const trial *t = opaque;
    vrs_compare_result *r = report;
    comparing c = {.config = t->config, .work = t->work, .result = r};
    r->fps = r->rss = r->gpu_memory = r->coverage = r->iou = r->flicker = r->dtssd = -1;
    vrs_bench_watch_open(&c.watch, t->work->pci);
    r->end.status = compare(&c);
    if (r->end.status != VRS_OK)
        (void)snprintf(r->end.detail, sizeof(r->end.detail), "%s", vrs_last_error());
    vrs_bench_watch_close(&c.watch);
}

vrs_status vrs_compare_measure(vrs_config *config, const vrs_compare_work *work,
                               const volatile sig_atomic_t *stop, vrs_compare_result *result)
{
    trial t = {config, work};
    return vrs_trial_run(measure, &t, result, sizeof(*result), MOST_SECONDS, stop);
}
