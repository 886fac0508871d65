/* Tables and scratch sizes that all implementations of the postprocess kernels share. */
#include "kernels/postprocess.h"

#include "kernels/kernels.h"

static size_t round_up(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

static size_t axis_entries(int32_t count)
{
    return (size_t)count + VRS_UPSAMPLE_PAD;
}

size_t vrs_upsample_storage(int32_t width, int32_t height)
{
    const size_t columns = axis_entries(width);
    const size_t rows = axis_entries(height);
    return round_up(columns * sizeof(int32_t)) + round_up(columns * sizeof(int16_t)) +
           round_up(rows * sizeof(int32_t)) + round_up(rows * sizeof(int16_t));
}

/* One axis in exact integers: the position of sample x is ((2x + 1) source - count) / (2 count). */
static void init_axis(int32_t source, int32_t count, int32_t *index, int16_t *weight)
{
    const int64_t step = 2 * (int64_t)count;
    const int64_t last = step * (source - 1);
    for (int32_t x = 0; x < count; x++) {
        int64_t position = (2 * (int64_t)x + 1) * source - count;
        position = position < 0 ? 0 : position > last ? last : position;
        int64_t left = position / step;
        int64_t fraction = ((position - left * step) * 32768 + count) / step;
        if (fraction == 32768) {
            left++;
            fraction = 0;
        }
        index[x] = (int32_t)left;
        weight[x] = (int16_t)fraction;
    }
    for (int32_t x = count; x < count + VRS_UPSAMPLE_PAD; x++) {
        index[x] = index[count - 1];
        weight[x] = 0;
    }
}

void vrs_upsample_init(vrs_upsample *upsample, int32_t source_width, int32_t source_height,
                       int32_t width, int32_t height, void *storage)
{
    const size_t columns = axis_entries(width);
    const size_t rows = axis_entries(height);
    char *place = storage;
    int32_t *column_index = (int32_t *)(void *)place;
    place += round_up(columns * sizeof(int32_t));
    int16_t *column_weight = (int16_t *)(void *)place;
    place += round_up(columns * sizeof(int16_t));
    int32_t *row_index = (int32_t *)(void *)place;
    place += round_up(rows * sizeof(int32_t));
    int16_t *row_weight = (int16_t *)(void *)place;
    init_axis(source_width, width, column_index, column_weight);
    init_axis(source_height, height, row_index, row_weight);
    *upsample = (vrs_upsample){
        .source_width = source_width,
        .source_height = source_height,
        .width = width,
        .height = height,
        .column_index = column_index,
        .column_weight = column_weight,
        .row_index = row_index,
        .row_weight = row_weight,
    };
}

size_t vrs_guided_scratch(int32_t width, int32_t height)
{
    const size_t pixels = (size_t)width * (size_t)height;
    return vrs_guided_planes(pixels) + 8 * vrs_box_row(width) * sizeof(double);
}

size_t vrs_feather_scratch(int32_t width, int32_t height)
{
    const size_t pixels = (size_t)width * (size_t)height;
    return round_up(pixels * sizeof(int16_t)) + 2 * vrs_box_row(width) * sizeof(int32_t);
}
