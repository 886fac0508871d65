/* Fused preprocessing on the GPU; the definition is kernels/reference/preprocess.c.
 *
 * A block makes a few strips of rows. All that a strip reads of the source comes to shared memory
 * first, in copies that need no registers, asked for while the strip before is made.
 *
 * A thread makes two columns. Across, the weights of an area or bilinear resize are fractions of
 * one small denominator (15ths from 1920 to 512), so a row's window is summed exactly in integers:
 * the four bytes of a word times four weights in one instruction (dp4a; dp2a for 16-bit samples),
 * with no conversion of each sample. Down, row sums are weighted as floats; the row that two
 * outputs share is summed once. The number of instructions decides: at the speed of memory, from
 * 1080p to 512x512, there is time for some 170 for a pixel if every slot is used. */
#include <cuda_pipeline.h>

#include "preprocess_resize.cuh"

/* A plane's part of a strip: rows top .. top + rows - 1, of them the words from `left` on. */
struct vrs_part {
    int top, rows, left;
};

/* Asks for the words begin .. end - 1 of `rows` rows, WORDS at a time. Strides in words. */
template <int WORDS>
__device__ __forceinline__ void vrs_fetch_words(const uint32_t *from, int from_stride, uint32_t *to,
                                                int to_stride, int rows, int begin, int end)
{
    constexpr int warps = VRS_PREPROCESS_THREADS / 32, step = 32 * WORDS;
    const int warp = threadIdx.x / 32, at = begin + threadIdx.x % 32 * WORDS;
    const bool one = at < end, two = at + step < end;
    from += (int64_t)warp * from_stride + at;
    to += warp * to_stride + at;
#pragma unroll 1
    for (int row = warp; row < rows; row += warps) {
        if (one)
            __pipeline_memcpy_async(to, from, 4 * WORDS);
        if (two)
            __pipeline_memcpy_async(to + step, from + step, 4 * WORDS);
#pragma unroll 1
        for (int more = 2 * step; at + more < end; more += step)
            __pipeline_memcpy_async(to + more, from + more, 4 * WORDS);
        from += warps * (int64_t)from_stride;
        to += warps * to_stride;
    }
}

/* Asks for a part; what lies behind the row's end is left out. */
__device__ __forceinline__ void vrs_fetch(const vrs_preprocess_view &view, int plane, int kind,
                                          const vrs_part &part, uint32_t *to)
{
    const int stride = view.stride[plane], pitch = 4 * view.pitch[kind];
    const uint64_t first = view.plane[plane] + (int64_t)part.top * stride + 4 * part.left;
    const uint32_t *from = reinterpret_cast<const uint32_t *>(first);
    const int end = min(view.source_words[kind] - part.left, pitch);
    const int whole = (((int)first | stride) & 15) == 0 ? end & ~3 : 0;
    vrs_fetch_words<4>(from, stride / 4, to, pitch, part.rows, 0, whole);
    if (whole < end)
        vrs_fetch_words<1>(from, stride / 4, to, pitch, part.rows, whole, end);
}

/* A block's place: columns from `left` on, rows begin .. end - 1 of the network's picture. */
struct vrs_place {
    int left, begin, end;
    bool whole; /* there are no bars */
};

__device__ __forceinline__ vrs_place vrs_place_of(const vrs_preprocess_params &p,
                                                  const vrs_preprocess_view &view)
{
    constexpr int columns = VRS_PREPROCESS_THREADS * VRS_PREPROCESS_COLUMNS;
    const int rows = p.rows * p.strips;
    vrs_place place;
    place.left = blockIdx.x * columns;
    place.begin = blockIdx.y * rows;
    place.end = min(place.begin + rows, p.height);
    place.whole = place.begin >= view.y && place.end <= view.y + view.height &&
                  place.left >= view.x && min(place.left + columns, p.width) <= view.x + view.width;
    return place;
}

/* Where a block's things lie in shared memory, in words. */
struct vrs_room {
    uint32_t *spans; /* y taps of the rows first_row .. of the content */
    int first_row;
    uint32_t *strip;         /* of two, the first */
    int chroma, other, size; /* from a strip's luma to its chroma and V; to the next strip */
    int left[2];             /* first word of the source's rows */
};

__device__ __forceinline__ int vrs_content_row(const vrs_preprocess_view &view, int y)
{
    return min(max(y - view.y, 0), view.height - 1);
}

/* Rows of the source that the outputs 0 .. last of `spans` (y taps, in the tables) are made of. The
 * row above the first belongs to them: where rows are enlarged, the second output begins with it
 * again. */
__device__ __forceinline__ void vrs_set_rows(const uint32_t *spans, int row_words, int last,
                                             vrs_part &part)
{
    const uint32_t *end = spans + last * row_words;
    part.top = (int)__ldg(spans) - (__ldg(spans + 2) != 0 ? 1 : 0);
    part.rows = (int)(__ldg(end) + __ldg(end + 1)) - part.top;
}

/* Asks for what the outputs 0 .. last of `spans` need, into the strip that begins `to` words behind
 * the first. `origin`: where that makes the source's row 0 lie for luma and chroma, in bytes. */
template <class SOURCE>
__device__ __forceinline__ void vrs_fetch_strip(const vrs_preprocess_view &view,
                                                const vrs_room &room, const uint32_t *spans,
                                                int last, int to, int origin[2])
{
    vrs_part part;
    vrs_set_rows(spans, view.row_words, last, part);
    part.left = room.left[0];
    vrs_fetch(view, 0, 0, part, room.strip + to);
    origin[0] = 4 * (to - part.top * 4 * view.pitch[0]);
    if (!SOURCE::packed) {
        vrs_set_rows(spans + view.luma_words, view.row_words, last, part);
        part.left = room.left[1];
        vrs_fetch(view, 1, 1, part, room.strip + to + room.chroma);
        if (SOURCE::apart)
            vrs_fetch(view, 2, 1, part, room.strip + to + room.other);
        origin[1] = 4 * (to - part.top * 4 * view.pitch[1]);
    }
}

/* What a block reads of the parameters again and again: in shared memory, for the cache of
 * constants is too small for blocks of several views on one multiprocessor. Read from there, at
 * eight views, they were two thirds of all waiting. */
struct alignas(16) vrs_block {
    vrs_preprocess_view view;
    float scale[3], bias[3];
};

static_assert(sizeof(vrs_block) == VRS_PREPROCESS_BLOCK_BYTES, "as the host reckons");

__device__ __forceinline__ void vrs_block_copy(const vrs_preprocess_params &p, vrs_block *block)
{
    constexpr int words = sizeof(vrs_preprocess_view) / 4;
    const uint32_t *view = reinterpret_cast<const uint32_t *>(&p.view[blockIdx.z]);
    if (threadIdx.x < words)
        reinterpret_cast<uint32_t *>(&block->view)[threadIdx.x] = view[threadIdx.x];
    else if (threadIdx.x < words + 3) {
        block->scale[threadIdx.x - words] = p.scale[threadIdx.x - words];
        block->bias[threadIdx.x - words] = p.bias[threadIdx.x - words];
    }
    __syncthreads();
}

/* R, G, B as 0..1. */
__device__ __forceinline__ void vrs_codes(const float matrix[3][4], const float component[3],
                                          float code[3])
{
#pragma unroll
    for (int c = 0; c < 3; c++)
        code[c] = __saturatef(vrs_dot(matrix[c], component));
}

/* Rows of a block without bars, FP16 and no tone: of 8 channels, or space-to-depth of 16. */
template <int STORE> struct vrs_rows_fast {
    static constexpr bool s2d = STORE == VRS_PREPROCESS_STORE_S2D16;
    const vrs_block &block;
    float matrix[3][4], scale[3], bias[3];
    int x, width;
    uint4 *to;
    uint8_t *guide;
    bool guided;

    __device__ __forceinline__ vrs_rows_fast(const vrs_preprocess_params &p,
                                             const vrs_block &of_block, const vrs_place &place)
        : block(of_block)
    {
#pragma unroll
        for (int c = 0; c < 3; c++) {
#pragma unroll
            for (int i = 0; i < 4; i++)
                matrix[c][i] = block.view.matrix[c][i];
            scale[c] = block.scale[c];
            bias[c] = block.bias[c];
        }
        /* Of the parameters themselves, so that the compiler knows what memory they name. */
        const vrs_preprocess_view &given = p.view[blockIdx.z];
        x = place.left + threadIdx.x;
        width = p.width;
        /* A place of 2x2 pixels is two words of 16 bytes: as many as its upper pixels. */
        to = reinterpret_cast<uint4 *>(given.tensor) +
             ((s2d ? place.begin / 2 : place.begin) * width + x);
        guide = reinterpret_cast<uint8_t *>(given.luma) + (place.begin * width + x);
        guided = given.luma != 0;
    }

    /* Rows y .. end - 1; both are even where it matters. */
    template <class WIDE, class HALF>
    __device__ __forceinline__ void run(int y, int end, const uint32_t *&span, WIDE &wide,
                                        HALF &half)
    {
        constexpr int columns = VRS_PREPROCESS_COLUMNS;
        uint2 upper[columns];
#pragma unroll 1
        for (; y < end; y++) {
            float component[columns][3];
            wide.resize(span, 0, component);
            half.resize(span + block.view.luma_words, 1, component);
            span += block.view.row_words;
#pragma unroll
            for (int i = 0; i < columns; i++) {
                const bool there = x + i * VRS_PREPROCESS_THREADS < width;
                float value[3];
                if (guided && there)
                    guide[i * VRS_PREPROCESS_THREADS] =
                        vrs_guide(vrs_dot(block.view.guide, component[i]));
                vrs_codes(matrix, component[i], value);
#pragma unroll
                for (int c = 0; c < 3; c++)
                    value[c] = fmaf(value[c], scale[c], bias[c]);
                const uint2 pixel =
                    make_uint2(vrs_half2(value[0], value[1]), vrs_half2(value[2], 0.0f));
                uint4 words = make_uint4(pixel.x, pixel.y, 0, 0);
                if (s2d && (y & 1) != 0)
                    words = vrs_pack_s2d(x, upper[i], pixel);
                if (there && (!s2d || (y & 1) != 0))
                    to[i * VRS_PREPROCESS_THREADS] = words;
                upper[i] = pixel;
            }
            guide += width;
            if (!s2d || (y & 1) != 0)
                to += width;
        }
    }
};

/* Rows of any block. */
struct vrs_rows_any {
    const vrs_preprocess_params &p;
    const vrs_block &block;
    int left;

    __device__ __forceinline__ vrs_rows_any(const vrs_preprocess_params &of_p,
                                            const vrs_block &of_block, const vrs_place &place)
        : p(of_p), block(of_block), left(place.left)
    {
    }

    template <class WIDE, class HALF>
    __device__ __forceinline__ void run(int y, int end, const uint32_t *&span, WIDE &wide,
                                        HALF &half)
    {
        constexpr int columns = VRS_PREPROCESS_COLUMNS;
        const vrs_preprocess_view &view = block.view;
#pragma unroll 1
        for (; y < end; y++) {
            float component[columns][3];
            wide.resize(span, 0, component);
            half.resize(span + view.luma_words, 1, component);
            const bool inside_y = (unsigned)(y - view.y) < (unsigned)view.height;
            if (inside_y && y + 1 < view.y + view.height)
                span += view.row_words;
#pragma unroll
            for (int i = 0; i < columns; i++) {
                const int x = left + i * VRS_PREPROCESS_THREADS + threadIdx.x;
                const bool inside = inside_y && (unsigned)(x - view.x) < (unsigned)view.width;
                float value[3];
                vrs_codes(view.matrix, component[i], value);
#pragma unroll
                for (int c = 0; c < 3; c++) {
                    if (view.tone != 0)
                        value[c] = vrs_tone(vrs_table<float>(view, view.tone), value[c]);
                    value[c] = inside ? fmaf(value[c], block.scale[c], block.bias[c]) : p.pad[c];
                }
                if (x < p.width) {
                    if (view.luma != 0)
                        vrs_store_guide(p, view, inside, vrs_dot(view.guide, component[i]), x, y);
                    vrs_store_pixel(p, view.tensor, x, y, value);
                }
            }
        }
    }
};

/* A block's strips: the next one is asked for before this one is made. */
template <class SOURCE, class ROWS, class WIDE, class HALF>
__device__ __forceinline__ void vrs_strips(const vrs_preprocess_params &p, const vrs_block &block,
                                           const vrs_place &place, const vrs_room &room, WIDE &wide,
                                           HALF &half)
{
    const vrs_preprocess_view &view = block.view;
    const uint32_t *table = vrs_table<uint32_t>(view, view.rows) + room.first_row * view.row_words;
    const uint32_t *span = room.spans;
    ROWS rows(p, block, place);
    int origin[2] = {0, 0}, to = 0;
#pragma unroll 1
    for (int y = place.begin - p.rows; y < place.end; y += p.rows) {
        const int next = y + p.rows;
        const bool first = y < place.begin;
        wide.origin = origin[0];
        half.origin = origin[1];
        if (next < place.end) {
            const int row = vrs_content_row(view, next) - room.first_row;
            const int last =
                vrs_content_row(view, min(next + p.rows, place.end) - 1) - room.first_row - row;
            /* From the table itself: its copy in shared memory comes with the first strip. */
            vrs_fetch_strip<SOURCE>(view, room, table + row * view.row_words, last, to, origin);
            to = room.size - to;
        }
        __pipeline_commit();
        if (first)
            continue;
        __pipeline_wait_prior(1);
        __syncthreads();
        if (y == place.begin) {
            wide.begin(span);
            half.begin(span + view.luma_words);
        }
        rows.run(y, min(next, place.end), span, wide, half);
        __syncthreads();
    }
}

/* What has to be known before the first strip is asked for. */
template <class SOURCE>
__device__ __forceinline__ vrs_room vrs_room_of(const vrs_preprocess_params &p,
                                                const vrs_preprocess_view &view,
                                                const vrs_place &place, uint32_t *shared)
{
    const int column = min(max(place.left - view.x, 0), view.width - 1);
    vrs_room room;
    room.spans = shared;
    room.strip = shared + p.rows * p.strips * view.row_words;
    room.first_row = vrs_content_row(view, place.begin);
    room.chroma = view.tile_rows[0][p.tile] * view.pitch[0] * 4;
    room.other = room.chroma + view.tile_rows[1][p.tile] * view.pitch[1] * 4;
    room.size = room.other + (SOURCE::apart ? room.other - room.chroma : 0);
    for (int kind = 0; kind < (SOURCE::packed ? 1 : 2); kind++)
        room.left[kind] = __ldg(vrs_table<int>(view, view.integer[kind]) + column) & ~3;
    const uint32_t *table = vrs_table<uint32_t>(view, view.rows) + room.first_row * view.row_words;
    const int words = (vrs_content_row(view, place.end - 1) - room.first_row + 1) * view.row_words;
#pragma unroll 1
    for (int i = threadIdx.x; i < words; i += VRS_PREPROCESS_THREADS)
        __pipeline_memcpy_async(room.spans + i, table + i, 4);
    return room;
}

template <class SOURCE, bool FINE, class WIDE, class HALF>
__device__ __forceinline__ void vrs_make(const vrs_preprocess_params &p, const vrs_block &block,
                                         const vrs_place &place, const vrs_room &room, WIDE &wide,
                                         HALF &half)
{
    const bool fast = !FINE && place.whole && block.view.tone == 0;
    if (fast && p.store == VRS_PREPROCESS_STORE_NHWC8)
        vrs_strips<SOURCE, vrs_rows_fast<VRS_PREPROCESS_STORE_NHWC8>>(p, block, place, room, wide,
                                                                      half);
    else if (fast && p.store == VRS_PREPROCESS_STORE_S2D16)
        vrs_strips<SOURCE, vrs_rows_fast<VRS_PREPROCESS_STORE_S2D16>>(p, block, place, room, wide,
                                                                      half);
    else
        vrs_strips<SOURCE, vrs_rows_any>(p, block, place, room, wide, half);
}

template <class SOURCE, int WORDS, bool FINE>
__device__ __forceinline__ void vrs_run(const vrs_preprocess_params &p, const vrs_block &block,
                                        uint32_t *shared)
{
    const vrs_preprocess_view &view = block.view;
    const vrs_place place = vrs_place_of(p, view);
    const vrs_room room = vrs_room_of<SOURCE>(p, view, place, shared);
    vrs_lane<SOURCE, WORDS, FINE, SOURCE::packed ? 3 : 1> wide;
    vrs_lane<SOURCE, WORDS, FINE, 2> half;
    vrs_nothing nothing;
#pragma unroll
    for (int i = 0; i < VRS_PREPROCESS_COLUMNS; i++) {
        const int x = place.left + i * VRS_PREPROCESS_THREADS + threadIdx.x;
        const int column = min(max(x - view.x, 0), view.width - 1);
        wide.window[i].load(view, 0, column);
        if (!SOURCE::packed)
            half.window[i].load(view, 1, column);
    }
    wide.place(room.strip, room.left[0], 16 * view.pitch[0], 0);
    if (SOURCE::packed) {
        vrs_make<SOURCE, FINE>(p, block, place, room, wide, nothing);
    } else {
        half.place(room.strip + room.chroma, room.left[1], 16 * view.pitch[1],
                   4 * (room.other - room.chroma));
        vrs_make<SOURCE, FINE>(p, block, place, room, wide, half);
    }
}

/* Words of a window: params_preprocess.h. */
template <class SOURCE>
__device__ __forceinline__ void vrs_preprocess_of(const vrs_preprocess_params &p)
{
    extern __shared__ uint4 vrs_shared[];
    constexpr int narrow = SOURCE::packed ? 5 : SOURCE::bytes == 1 ? 2 : 3;
    constexpr int wide = SOURCE::packed ? 9 : SOURCE::bytes == 1 ? 3 : 5;
    vrs_block *block = reinterpret_cast<vrs_block *>(vrs_shared);
    uint32_t *rest = reinterpret_cast<uint32_t *>(block + 1);
    vrs_block_copy(p, block);
    if (block->view.shape == VRS_PREPROCESS_NARROW)
        vrs_run<SOURCE, narrow, false>(p, *block, rest);
    else if (SOURCE::packed || block->view.shape == VRS_PREPROCESS_WIDE)
        vrs_run<SOURCE, wide, false>(p, *block, rest);
    else
        vrs_run<SOURCE, wide, true>(p, *block, rest);
}

/* Five blocks a multiprocessor: 96 registers, which the usual windows fit in without spills. */
#define VRS_PREPROCESS_KERNEL(name, source)                                 \
    extern "C" __global__ void __launch_bounds__(VRS_PREPROCESS_THREADS, 5) \
        name(const __grid_constant__ vrs_preprocess_params p)               \
    {                                                                       \
        vrs_preprocess_of<source>(p);                                       \
    }

VRS_PREPROCESS_KERNEL(vrs_preprocess_yuv420p, vrs_yuv420p)
VRS_PREPROCESS_KERNEL(vrs_preprocess_nv12, vrs_nv12)
VRS_PREPROCESS_KERNEL(vrs_preprocess_yuv420p10, vrs_yuv420p10)
VRS_PREPROCESS_KERNEL(vrs_preprocess_p010, vrs_p010)
VRS_PREPROCESS_KERNEL(vrs_preprocess_rgb24, vrs_rgb24)
VRS_PREPROCESS_KERNEL(vrs_preprocess_bgra, vrs_bgra)
