/* Preprocessing of what the fast kernels (preprocess.cu) leave: packed RGB, odd sizes and strides,
 * enlarged or very small pictures, batches of different formats. Each sample by itself. */
#include "preprocess.cuh"

#define TERMS 32 /* of a sum in floats, before it goes to a double */

__device__ __forceinline__ float vrs_sample(const vrs_preprocess_view &view, const uint8_t *row,
                                            int index)
{
    if (view.sample_bytes == 1)
        return (float)__ldg(row + index);
    const int code = __ldg(reinterpret_cast<const uint16_t *>(row) + index) >> view.shift;
    return (float)min(code, (int)view.peak);
}

__device__ float vrs_resized(const vrs_preprocess_view &view, int component, int x, int y)
{
    const int kind = view.component_axis[component];
    const int plane = view.component_plane[component];
    const int step = view.component_step[component], offset = view.component_offset[component];
    const vrs_preprocess_taps &across = view.across[kind], &down = view.down[kind];
    const int *across_table = vrs_table<int>(view, across.place);
    const int *down_table = vrs_table<int>(view, down.place);
    const int left = __ldg(across_table + x), columns = __ldg(across_table + view.width + x);
    const int top = __ldg(down_table + y), rows = __ldg(down_table + view.height + y);
    const float *weight_x = vrs_table<float>(view, across.place) + 2 * view.width + x;
    const float *weight_y =
        vrs_table<float>(view, down.place) + 2 * view.height + (size_t)y * down.stride;
    double sum = 0.0;
    for (int i = 0; i < rows; i++) {
        const uint8_t *row = reinterpret_cast<const uint8_t *>(
            view.plane[plane] + (int64_t)(top + i) * view.stride[plane]);
        double total = 0.0;
        for (int begin = 0; begin < columns; begin += TERMS) {
            const int end = min(begin + TERMS, columns);
            float part = 0.0f;
            for (int j = begin; j < end; j++)
                part = fmaf(__ldg(weight_x + (size_t)j * view.width),
                            vrs_sample(view, row, (left + j) * step + offset), part);
            total += part;
        }
        sum += __ldg(weight_y + i) * total;
    }
    return (float)sum;
}

extern "C" __global__ void __launch_bounds__(VRS_PREPROCESS_THREADS)
    vrs_preprocess(const __grid_constant__ vrs_preprocess_params p)
{
    const vrs_preprocess_view &view = p.view[blockIdx.z];
    const int x = blockIdx.x * VRS_PREPROCESS_THREADS + threadIdx.x;
    const int begin = blockIdx.y * p.rows, end = min(begin + p.rows, p.height);
    if (x >= p.width)
        return;
    for (int y = begin; y < end; y++) {
        const int column = x - view.x, row = y - view.y;
        const bool inside =
            (unsigned)column < (unsigned)view.width && (unsigned)row < (unsigned)view.height;
        float component[3] = {0.0f, 0.0f, 0.0f}, value[3];
        if (inside) {
            component[0] = vrs_resized(view, 0, column, row);
            if (view.components == 3) {
                component[1] = vrs_resized(view, 1, column, row);
                component[2] = vrs_resized(view, 2, column, row);
            }
        }
        for (int c = 0; c < 3; c++) {
            value[c] = __saturatef(vrs_dot(view.matrix[c], component));
            if (view.tone != 0)
                value[c] = vrs_tone(vrs_table<float>(view, view.tone), value[c]);
            value[c] = inside ? fmaf(value[c], p.scale[c], p.bias[c]) : p.pad[c];
        }
        if (view.luma != 0)
            vrs_store_guide(p, view, inside, vrs_dot(view.guide, component), x, y);
        vrs_store_pixel(p, view.tensor, x, y, value);
    }
}
