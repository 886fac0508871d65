/* Checks and grids of the CUDA postprocess kernels. */
#include "kernels/cuda/postprocess_launch.h"

#include <math.h>
#include <stdbool.h>

#include "kernels/cuda/postprocess_grid.h"
#include "kernels/kernels.h"

#define COLUMNS 4 /* of a thread, in most kernels */
#define PERSON_THREADS 128
#define ENLARGE_ROWS 4 /* of a thread of what enlarges, which has COLUMNS columns */
#define FEW_CLASSES 6  /* that vrs_person_enlarge takes */
#define MOST_STRIDE (INT32_MAX / VRS_MAX_SIDE)
#define PLANES_COLUMNS 8 /* of a thread of vrs_person_planes */
#define PIXELS_COUNT 256 /* of a block of vrs_person_pixels */
#define GUIDED_THREADS 128
#define GUIDED_GROUPS 120 /* of a block, of COLUMNS */
#define GUIDED_ROWS 8
#define GUIDED_MANY_ROWS 12
#define GUIDED_NEAR_ROWS 12      /* of a strip: it begins with the rows of a window */
#define GUIDED_NEAR_LEAST_ROWS 4 /* where few strips leave a GPU idle */
#define GUIDED_NEAR_WARPS 4
#define IDLE_PIXELS 4096 /* a multiprocessor: less does not fill it with rows of those strips */
#define BOX_THREADS 256
#define BOX_ROWS 8
#define FEATHER_THREADS 288
#define FEATHER_UNIT 16  /* columns */
#define FEATHER_STEP 8   /* rows */
#define FEATHER_BLOCKS 2 /* that a multiprocessor runs at once */
#define FEATHER_LEAST_ROWS 24
#define NEAR_WARPS 4  /* of a block of vrs_box_near */
#define NEAR_BLOCKS 6 /* that a multiprocessor runs at once */
#define NEAR_STEP 4
#define NEAR_MOST_ROWS 16
#define NEAR_LEAST_ROWS 8
#define CLASSES_THREADS 256
#define CLASSES_COLUMNS 128 /* of the source, a block */
#define CLASSES_ROWS 8

vrs_status vrs_cuda_postprocess_open(vrs_device *device, vrs_cuda_postprocess *kernels)
{
    const struct {
        const char *name;
        vrs_kernel **kernel;
    } wanted[] = {
        {"vrs_person", &kernels->person},
        {"vrs_person_planes", &kernels->person_planes},
        {"vrs_person_softmax", &kernels->person_softmax},
        {"vrs_person_pixels", &kernels->person_pixels},
        {"vrs_person_enlarge", &kernels->person_enlarge},
        {"vrs_person_enlarge_many", &kernels->person_enlarge_many},
        {"vrs_enlarge", &kernels->enlarge},
        {"vrs_mask_resize", &kernels->mask_resize},
        {"vrs_guided", &kernels->guided},
        {"vrs_guided_solve", &kernels->guided_solve},
        {"vrs_guided_mean", &kernels->guided_mean},
        {"vrs_guided_solve_near", &kernels->guided_solve_near},
        {"vrs_guided_mean_near", &kernels->guided_mean_near},
        {"vrs_render", &kernels->render},
        {"vrs_render_mask", &kernels->render_mask},
        {"vrs_render_mask_refined", &kernels->render_mask_refined},
        {"vrs_render_picture", &kernels->render_picture},
        {"vrs_render_picture_refined", &kernels->render_picture_refined},
        {"vrs_box", &kernels->box},
        {"vrs_box_near", &kernels->box_near},
        {"vrs_classes", &kernels->classes},
    };
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        vrs_status status = vrs_device_kernel(device, wanted[i].name, wanted[i].kernel);
        if (status != VRS_OK)
            return status;
    }
    return VRS_OK;
}

static bool is_side(int32_t side)
{
    return side >= 1 && side <= VRS_MAX_SIDE;
}

vrs_status vrs_post_check(const char *kernel, int32_t count, int32_t width, int32_t height)
{
    if (count < 1 || count > VRS_POST_VIEWS)
        return vrs_fail(VRS_INVALID, "%s: %d views in a batch: 1 to %d are possible", kernel, count,
                        VRS_POST_VIEWS);
    if (!is_side(width) || !is_side(height))
        return vrs_fail(VRS_INVALID, "%s: a mask of %dx%d: sides are 1 to %d", kernel, width,
                        height, VRS_MAX_SIDE);
    return VRS_OK;
}

/* With 2^shift <= by < 2^(shift + 1), factor = ceil(2^(32 + shift) / by) is too large by less than
 * one, which times x is less than 2^(32 + shift) (Granlund and Montgomery, Division by Invariant
 * Integers, 1994). A power of 2 would need 33 bits of a factor and gets half of it. */
void vrs_post_divide(uint32_t by, uint32_t *factor, int32_t *shift)
{
    int32_t bits = 0;
    while (by >> (bits + 1) != 0)
        bits++;
    if (by == UINT32_C(1) << bits)
        bits--;
    *shift = bits;
    *factor = (uint32_t)(((UINT64_C(1) << (32 + bits)) + by - 1) / by);
}

/* Lists the first views of chains; returns how many there are, 0 where `next` makes no chains: a
 * view follows one before it, and no two follow the same. */
static uint32_t find_chains(const vrs_post_smooth *const *smooth, int32_t count, int32_t *chain)
{
    uint32_t followers = 0, chains = 0;
    for (int32_t v = 0; v < count; v++) {
        const int32_t next = smooth[v]->next;
        if (next == -1)
            continue;
        if (next <= v || next >= count || (followers >> next & 1) != 0)
            return 0;
        followers |= 1U << next;
    }
    for (int32_t v = 0; v < count; v++)
        if ((followers >> v & 1) == 0)
            chain[chains++] = v;
    return chains;
}

/* Masks and states can be written in words of 8 pixels. */
static bool is_aligned(const vrs_person_params *p, int32_t count)
{
    uint64_t addresses = 0;
    for (int32_t v = 0; v < count; v++)
        addresses |= p->view[v].scores | p->view[v].mask | p->view[v].smooth.state_in |
                     p->view[v].smooth.state_out;
    return addresses % 16 == 0;
}

/* The rows of a class come in vectors of 8 scores. */
static bool is_planes(const vrs_person_params *p, int32_t count)
{
    return p->column_stride == 1 && p->width % PLANES_COLUMNS == 0 &&
           p->width >= 2 * PLANES_COLUMNS && p->row_stride % PLANES_COLUMNS == 0 &&
           (p->classes == 1 || p->class_stride % PLANES_COLUMNS == 0) && is_aligned(p, count);
}

/* All scores of a view lie without gaps, those of a pixel together. */
static bool is_pixels(const vrs_person_params *p, int32_t count)
{
    return p->classes > 1 && p->class_stride == 1 && p->column_stride == p->classes &&
           p->row_stride == (int64_t)p->width * p->classes && p->width > 1 && is_aligned(p, count);
}

static vrs_status launch_person(const vrs_cuda_postprocess *kernels, vrs_device_stream *stream,
                                vrs_person_params *params, int32_t count, uint32_t chains)
{
    const uint32_t block[3] = {PERSON_THREADS, 1, 1};
    uint32_t grid[3] = {vrs_post_parts(params->width, PERSON_THREADS * COLUMNS),
                        (uint32_t)params->height, chains};
    uint32_t shared = 0;
    vrs_kernel *kernel = kernels->person;
    if (is_planes(params, count)) {
        const int32_t groups = params->width / PLANES_COLUMNS;
        vrs_post_divide((uint32_t)groups, &params->row_factor, &params->row_shift);
        grid[0] = vrs_post_parts(groups * params->height, PERSON_THREADS);
        grid[1] = 1;
        kernel = params->activation == VRS_ACTIVATION_SOFTMAX ? kernels->person_softmax
                                                              : kernels->person_planes;
    } else if (is_pixels(params, count)) {
        vrs_post_divide((uint32_t)params->width, &params->row_factor, &params->row_shift);
        grid[0] = vrs_post_parts(params->width * params->height, PIXELS_COUNT);
        grid[1] = 1;
        shared = PIXELS_COUNT * (uint32_t)params->classes * (params->half != 0 ? 2 : 4);
        kernel = kernels->person_pixels;
    }
    return vrs_device_launch(stream, kernel, grid, block, shared, params, sizeof(*params));
}

static vrs_status check_classes(const char *kernel, int32_t classes)
{
    return classes >= 1 && classes <= VRS_POST_CLASSES
               ? VRS_OK
               : vrs_fail(VRS_INVALID, "%s: %d classes: 1 to %d are possible", kernel, classes,
                          VRS_POST_CLASSES);
}

/* Checks what both kernels ask, and finds the chains. */
static vrs_status check_person(const char *kernel, vrs_person_params *params, int32_t count,
                               uint32_t *chains)
{
    vrs_status status = vrs_post_check(kernel, count, params->width, params->height);
    if (status == VRS_OK)
        status = check_classes(kernel, params->classes);
    if (status != VRS_OK)
        return status;
    const vrs_post_smooth *smooth[VRS_POST_VIEWS];
    for (int32_t v = 0; v < count; v++)
        smooth[v] = &params->view[v].smooth;
    *chains = find_chains(smooth, count, params->chain);
    if (*chains == 0)
        return vrs_fail(VRS_INVALID, "%s: the views of a stream do not form chains", kernel);
    return VRS_OK;
}

vrs_status vrs_cuda_person(const vrs_cuda_postprocess *kernels, vrs_device_stream *stream,
                           vrs_person_params *params, int32_t count)
{
    uint32_t chains;
    vrs_status status = check_person("vrs_person", params, count, &chains);
    return status == VRS_OK ? launch_person(kernels, stream, params, count, chains) : status;
}

/* Places in a row fit 32 bits. */
static vrs_status check_columns(const char *kernel, int64_t stride)
{
    return stride >= -MOST_STRIDE && stride <= MOST_STRIDE
               ? VRS_OK
               : vrs_fail(VRS_UNSUPPORTED,
                          "%s: columns of scores are %lld elements apart: %d are the limit", kernel,
                          (long long)stride, MOST_STRIDE);
}

static void set_division(int32_t width, int32_t height, vrs_enlarge_division *division)
{
    vrs_post_divide(2 * (uint32_t)width, &division->column_factor, &division->column_shift);
    vrs_post_divide(2 * (uint32_t)height, &division->row_factor, &division->row_shift);
}

/* Grid and divisions of a kernel that enlarges to width x height, COLUMNS columns a thread. */
static void plan_enlarging(vrs_device_stream *stream, int32_t width, int32_t height, uint32_t views,
                           uint32_t grid[3], vrs_enlarge_division *division)
{
    const vrs_device *device = vrs_device_stream_device(stream);
    const uint32_t wanted = 4 * (uint32_t)vrs_device_get_properties(device)->multiprocessors;
    grid[0] = vrs_post_parts(width, PERSON_THREADS * COLUMNS);
    division->rows = ENLARGE_ROWS; /* fewer where a GPU has too little to do */
    while (division->rows > 1 && grid[0] * vrs_post_parts(height, division->rows) * views < wanted)
        division->rows /= 2;
    grid[1] = vrs_post_parts(height, division->rows);
    grid[2] = views;
    set_division(width, height, division);
}

/* The same where a block takes the rows between one of the source and the next, `columns` a thread.
 */
static void plan_between(int32_t width, int32_t columns, int32_t height, int32_t source_height,
                         uint32_t chains, uint32_t grid[3], vrs_enlarge_division *division)
{
    grid[0] = vrs_post_parts(width, PERSON_THREADS * columns);
    grid[1] = (uint32_t)source_height;
    grid[2] = chains;
    set_division(width, height, division);
    vrs_post_divide(2 * (uint32_t)source_height, &division->source_factor, &division->source_shift);
}

/* Whether vrs_person_enlarge_many is faster: more classes come in than its beginnings cost. */
static bool takes_many(const vrs_person_params *params)
{
    return params->classes > FEW_CLASSES && (params->activation == VRS_ACTIVATION_SOFTMAX ||
                                             params->activation == VRS_ACTIVATION_ARGMAX);
}

vrs_status vrs_cuda_person_enlarge(const vrs_cuda_postprocess *kernels, vrs_device_stream *stream,
                                   vrs_person_enlarge_params *params, int32_t count)
{
    static const char name[] = "vrs_person_enlarge";
    uint32_t chains;
    vrs_status status = check_person(name, &params->person, count, &chains);
    if (status == VRS_OK)
        status = vrs_post_check(name, count, params->source_width, params->source_height);
    if (status == VRS_OK)
        status = check_columns(name, params->person.column_stride);
    if (status != VRS_OK)
        return status;
    uint32_t grid[3];
    vrs_kernel *kernel = kernels->person_enlarge;
    if (takes_many(&params->person)) {
        kernel = kernels->person_enlarge_many;
        plan_between(params->person.width, 1, params->person.height, params->source_height, chains,
                     grid, &params->division);
    } else {
        plan_enlarging(stream, params->person.width, params->person.height, chains, grid,
                       &params->division);
    }
    const uint32_t block[3] = {PERSON_THREADS, 1, 1};
    return vrs_device_launch(stream, kernel, grid, block, 0, params, sizeof(*params));
}

vrs_status vrs_cuda_enlarge(const vrs_cuda_postprocess *kernels, vrs_device_stream *stream,
                            vrs_enlarge_params *params, int32_t count)
{
    vrs_status status = vrs_post_check("vrs_enlarge", count, params->width, params->height);
    if (status == VRS_OK)
        status = vrs_post_check("vrs_enlarge", count, params->source_width, params->source_height);
    if (status == VRS_OK)
        status = check_classes("vrs_enlarge", params->classes);
    if (status == VRS_OK)
        status = check_columns("vrs_enlarge", params->column_stride);
    if (status != VRS_OK)
        return status;
    uint32_t grid[3];
    plan_enlarging(stream, params->width, params->height, (uint32_t)count, grid, &params->division);
    const uint32_t block[3] = {PERSON_THREADS, 1, 1};
    return vrs_device_launch(stream, kernels->enlarge, grid, block, 0, params, sizeof(*params));
}

vrs_status vrs_cuda_mask_resize(const vrs_cuda_postprocess *kernels, vrs_device_stream *stream,
                                vrs_mask_resize_params *params, int32_t count)
{
    vrs_status status = vrs_post_check("vrs_mask_resize", count, params->width, params->height);
    if (status == VRS_OK)
        status =
            vrs_post_check("vrs_mask_resize", count, params->source_width, params->source_height);
    if (status != VRS_OK)
        return status;
    const vrs_post_smooth *smooth[VRS_POST_VIEWS];
    for (int32_t v = 0; v < count; v++)
        smooth[v] = &params->view[v].smooth;
    const uint32_t chains = find_chains(smooth, count, params->chain);
    if (chains == 0)
        return vrs_fail(VRS_INVALID, "vrs_mask_resize: the views of a stream do not form chains");
    uint32_t grid[3];
    plan_between(params->width, COLUMNS, params->height, params->source_height, chains, grid,
                 &params->division);
    const uint32_t block[3] = {PERSON_THREADS, 1, 1};
    return vrs_device_launch(stream, kernels->mask_resize, grid, block, 0, params, sizeof(*params));
}

/* Threads of a block that marches down `width` columns, of which a multiple of `unit` comes out,
 * with `radius` more on both sides: one block where that is enough, else blocks of even width.
 * `threads`: the most of a block in, those of each out. Returns the blocks. */
static uint32_t box_blocks(int32_t width, int32_t radius, int32_t unit, uint32_t *threads)
{
    const uint32_t limit = *threads;
    const int32_t most = ((int32_t)limit * COLUMNS - 2 * radius) / unit * unit;
    const uint32_t blocks = vrs_post_parts(width, most);
    const int32_t each = (int32_t)vrs_post_parts(width, (int32_t)blocks) + unit - 1;
    *threads = (vrs_post_parts(each + 2 * radius, COLUMNS) + 31) / 32 * 32;
    if (*threads > limit)
        *threads = limit;
    const int32_t outs = ((int32_t)*threads * COLUMNS - 2 * radius) / unit * unit;
    return vrs_post_parts(width, outs);
}

/* Groups of columns of all strips, one more at each strip's end. */
static uint32_t guided_blocks(const vrs_guided_params *params, int32_t rows)
{
    const uint32_t strips = vrs_post_parts(params->height, rows);
    const uint32_t groups = (vrs_post_parts(params->width, COLUMNS) + 1) * strips;
    return vrs_post_parts((int32_t)groups, GUIDED_GROUPS);
}

/* Low strips while all blocks run at once, else higher ones, which do less again. */
static int32_t guided_rows(vrs_device_stream *stream, const vrs_guided_params *params,
                           int32_t count)
{
    const vrs_device *device = vrs_device_stream_device(stream);
    const int32_t processors = vrs_device_get_properties(device)->multiprocessors;
    const uint32_t blocks = guided_blocks(params, GUIDED_ROWS) * (uint32_t)count;
    return blocks <= 4 * (uint32_t)processors ? GUIDED_ROWS : GUIDED_MANY_ROWS;
}

/* Units of the coefficients between the two steps: as fine as 32 bits of a window's sum allow. A
 * slope is at most 0.25 / sqrt(epsilon) in size, an offset at most that plus 1. */
static float guided_unit(const vrs_guided_params *params)
{
    const double side = 2.0 * params->radius + 1;
    const double most = side * side * (1.01 + 0.2525 / sqrt((double)params->epsilon));
    int exponent;
    (void)frexp(most, &exponent); /* most < 2^exponent */
    return (float)ldexp(1, 31 - exponent);
}

static vrs_status launch_near(const vrs_cuda_postprocess *kernels, vrs_device_stream *stream,
                              vrs_guided_params *params, int32_t count)
{
    const int32_t groups = 32 - 2 * (int32_t)vrs_post_parts(params->radius, COLUMNS);
    const uint32_t grid[3] = {vrs_post_parts(params->width, groups * COLUMNS),
                              vrs_post_parts(params->height, GUIDED_NEAR_WARPS * params->rows),
                              (uint32_t)count};
    const uint32_t block[3] = {32 * GUIDED_NEAR_WARPS, 1, 1};
    params->unit = guided_unit(params);
    vrs_status status = vrs_device_launch(stream, kernels->guided_solve_near, grid, block, 0,
                                          params, sizeof(*params));
    if (status != VRS_OK)
        return status;
    return vrs_device_launch(stream, kernels->guided_mean_near, grid, block, 0, params,
                             sizeof(*params));
}

static vrs_status launch_wide(const vrs_cuda_postprocess *kernels, vrs_device_stream *stream,
                              const vrs_guided_params *params, int32_t count)
{
    uint32_t threads = BOX_THREADS;
    const uint32_t blocks = box_blocks(params->width, params->radius, COLUMNS, &threads);
    const uint32_t grid[3] = {blocks, vrs_post_parts(params->height, params->rows),
                              (uint32_t)count};
    const uint32_t block[3] = {threads, 1, 1};
    vrs_status status =
        vrs_device_launch(stream, kernels->guided_solve, grid, block, 0, params, sizeof(*params));
    if (status != VRS_OK)
        return status;
    return vrs_device_launch(stream, kernels->guided_mean, grid, block, 0, params, sizeof(*params));
}

/* Radii other than 1. */
static vrs_status launch_steps(const vrs_cuda_postprocess *kernels, vrs_device_stream *stream,
                               vrs_guided_params *params, int32_t count)
{
    for (int32_t v = 0; v < count; v++)
        if (params->view[v].once == 0)
            return vrs_fail(VRS_INVALID, "vrs_guided: radius %d needs scratch memory",
                            params->radius);
    return params->radius <= VRS_POST_GUIDED_RADIUS ? launch_near(kernels, stream, params, count)
                                                    : launch_wide(kernels, stream, params, count);
}

static int32_t default_rows(vrs_device_stream *stream, const vrs_guided_params *params,
                            int32_t count)
{
    if (params->radius == 1)
        return guided_rows(stream, params, count);
    if (params->radius > VRS_POST_GUIDED_RADIUS)
        return BOX_ROWS;
    const vrs_device *device = vrs_device_stream_device(stream);
    const int64_t pixels = (int64_t)params->width * params->height * count;
    const int64_t idle = (int64_t)vrs_device_get_properties(device)->multiprocessors * IDLE_PIXELS;
    return pixels <= idle ? GUIDED_NEAR_LEAST_ROWS : GUIDED_NEAR_ROWS;
}

vrs_status vrs_cuda_guided(const vrs_cuda_postprocess *kernels, vrs_device_stream *stream,
                           vrs_guided_params *params, int32_t count)
{
    vrs_status status = vrs_post_check("vrs_guided", count, params->width, params->height);
    if (status != VRS_OK)
        return status;
    if (params->radius < 0 || params->radius > VRS_BOX_MAX_RADIUS || !(params->epsilon >= 1e-6f))
        return vrs_fail(VRS_INVALID,
                        "vrs_guided: radius %d, epsilon %g: 0 to %d and at least 1e-6 are possible",
                        params->radius, (double)params->epsilon, VRS_BOX_MAX_RADIUS);
    if (params->rows <= 0)
        params->rows = default_rows(stream, params, count);
    if (params->radius != 1)
        return launch_steps(kernels, stream, params, count);
    const uint32_t grid[3] = {guided_blocks(params, params->rows), 1, (uint32_t)count};
    const uint32_t block[3] = {GUIDED_THREADS, 1, 1};
    return vrs_device_launch(stream, kernels->guided, grid, block, 0, params, sizeof(*params));
}

/* Rows of a strip of vrs_box: so many that all blocks run at once, as each begins with all rows of
 * a window. */
static int32_t feather_rows(vrs_device_stream *stream, int32_t height, uint32_t columns)
{
    const vrs_device *device = vrs_device_stream_device(stream);
    const int32_t slots =
        FEATHER_BLOCKS * vrs_device_get_properties(device)->multiprocessors / (int32_t)columns;
    const int32_t rows = (int32_t)vrs_post_parts(height, slots > 1 ? slots : 1);
    const int32_t whole = (rows + FEATHER_STEP - 1) / FEATHER_STEP * FEATHER_STEP;
    return whole < FEATHER_LEAST_ROWS ? FEATHER_LEAST_ROWS : whole;
}

/* Blocks of vrs_box_near: a warp has 32 groups of COLUMNS, of which those within the radius of its
 * ends do not come out. */
static uint32_t near_blocks(int32_t width, int32_t radius)
{
    const int32_t groups = 32 - 2 * (int32_t)vrs_post_parts(radius, COLUMNS);
    return vrs_post_parts(width, groups * COLUMNS * NEAR_WARPS);
}

/* Rows of its strips, as each begins with the rows of a window: so many that all run at once,
 * within limits. */
static int32_t near_rows(vrs_device_stream *stream, int32_t height, uint32_t columns)
{
    const vrs_device *device = vrs_device_stream_device(stream);
    const int32_t slots =
        NEAR_BLOCKS * vrs_device_get_properties(device)->multiprocessors / (int32_t)columns;
    const int32_t rows = (int32_t)vrs_post_parts(height, slots > 1 ? slots : 1);
    const int32_t whole = (rows + NEAR_STEP - 1) / NEAR_STEP * NEAR_STEP;
    return whole < NEAR_LEAST_ROWS  ? NEAR_LEAST_ROWS
           : whole > NEAR_MOST_ROWS ? NEAR_MOST_ROWS
                                    : whole;
}

vrs_status vrs_cuda_feather(const vrs_cuda_postprocess *kernels, vrs_device_stream *stream,
                            vrs_box_params *params, int32_t count)
{
    int32_t width = 1, height = 1;
    vrs_status status = vrs_post_check("vrs_box", count, width, height);
    for (int32_t v = 0; v < count && status == VRS_OK; v++) {
        status = vrs_post_check("vrs_box", count, params->view[v].width, params->view[v].height);
        width = params->view[v].width > width ? params->view[v].width : width;
        height = params->view[v].height > height ? params->view[v].height : height;
    }
    if (status != VRS_OK)
        return status;
    if (params->radius < 1 || params->radius > VRS_BOX_MAX_RADIUS)
        return vrs_fail(VRS_INVALID, "vrs_box: radius %d: 1 to %d are possible", params->radius,
                        VRS_BOX_MAX_RADIUS);
    const uint32_t side = 2 * (uint32_t)params->radius + 1;
    vrs_post_divide(side * side, &params->factor, &params->shift);
    uint32_t grid[3] = {0, 0, (uint32_t)count}, block[3] = {0, 1, 1};
    vrs_kernel *kernel = kernels->box;
    if (params->radius <= VRS_POST_NEAR_RADIUS) {
        kernel = kernels->box_near;
        block[0] = 32 * NEAR_WARPS;
        grid[0] = near_blocks(width, params->radius);
        if (params->rows <= 0)
            params->rows = near_rows(stream, height, grid[0] * (uint32_t)count);
    } else {
        block[0] = FEATHER_THREADS;
        const int32_t edge = (int32_t)vrs_post_parts(params->radius, COLUMNS) * COLUMNS;
        grid[0] = box_blocks(width, edge, FEATHER_UNIT, &block[0]);
        if (params->rows <= 0)
            params->rows = feather_rows(stream, height, grid[0] * (uint32_t)count);
    }
    grid[1] = vrs_post_parts(height, params->rows);
    status = vrs_device_launch(stream, kernel, grid, block, 0, params, sizeof(*params));
    if (status != VRS_OK)
        return status;
    vrs_box_params back = *params;
    for (int32_t v = 0; v < count; v++) {
        back.view[v].src = params->view[v].dst;
        back.view[v].src_stride = params->view[v].dst_stride;
        back.view[v].dst = params->view[v].src;
        back.view[v].dst_stride = params->view[v].src_stride;
    }
    return vrs_device_launch(stream, kernel, grid, block, 0, &back, sizeof(back));
}

vrs_status vrs_cuda_classes(const vrs_cuda_postprocess *kernels, vrs_device_stream *stream,
                            vrs_classes_params *params, int32_t count)
{
    int32_t width = 1, height = 1;
    vrs_status status = vrs_post_check("vrs_classes", count, width, height);
    for (int32_t v = 0; v < count && status == VRS_OK; v++) {
        vrs_classes_view *view = &params->view[v];
        status = vrs_post_check("vrs_classes", count, view->width, view->height);
        if (status == VRS_OK)
            status = vrs_post_check("vrs_classes", count, view->region_width, view->region_height);
        if (status == VRS_OK)
            set_division(view->width, view->height, &view->division);
        width = view->region_width > width ? view->region_width : width;
        height = view->region_height > height ? view->region_height : height;
    }
    if (status != VRS_OK)
        return status;
    if (params->classes < 1 || params->classes > VRS_POST_CLASSES)
        return vrs_fail(VRS_INVALID, "vrs_classes: %d classes: 1 to %d are possible",
                        params->classes, VRS_POST_CLASSES);
    const uint32_t grid[3] = {vrs_post_parts(width, CLASSES_COLUMNS),
                              vrs_post_parts(height, CLASSES_ROWS), (uint32_t)count};
    const uint32_t block[3] = {CLASSES_THREADS, 1, 1};
    return vrs_device_launch(stream, kernels->classes, grid, block, 0, params, sizeof(*params));
}
