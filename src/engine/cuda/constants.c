/* Weights and other constants in device memory: each arrangement of each once, whatever asks for
 * it.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/cuda/network.h"
#include "kernels/cuda/net_ops.h"

/* Kinds of arrangements. */
enum {
    AS_OPERAND = 0,
    AS_FLOATS = 1,
    AS_WEIGHTS = 2,
    AS_HEAD = 3,
    AS_BIAS = 4,
    AS_FACTORS = 5,
    AS_TABLE = 6,
};

static bool matches(const vrs_net_constant *a, const vrs_net_constant *b)
{
    return a->value == b->value && a->quantum == b->quantum && a->kind == b->kind &&
           a->packer == b->packer && a->channels == b->channels && a->fill == b->fill &&
           strcmp(a->packing, b->packing) == 0;
}

static vrs_net_constant *find(vrs_net *net, const vrs_net_constant *key)
{
    for (int32_t i = 0; i < net->constant_count; i++) {
        if (matches(&net->constants[i], key)) {
            net->constants[i].used = true;
            return &net->constants[i];
        }
    }
    return NULL;
}

/* Blocks that constants lie in, one behind the other. Each by itself was rounded up to what memory
 * is given out in, which for a large network came to half of its weights. */
#define SLAB_BYTES ((size_t)8 << 20)

/* Behind the others. */
static vrs_status append_slab(vrs_net *net, size_t bytes)
{
    vrs_net_slab *grown =
        vrs_realloc(net->slabs, (size_t)(net->slab_count + 1) * sizeof *net->slabs);
    if (!grown)
        return VRS_NO_MEMORY;
    net->slabs = grown;
    vrs_net_slab slab = {.bytes = bytes};
    vrs_status status = vrs_memory_alloc(net->memory, VRS_MEMORY_PLACE_DEVICE, VRS_MEMORY_WEIGHTS,
                                         slab.bytes, &slab.block);
    if (status == VRS_OK)
        net->slabs[net->slab_count++] = slab;
    return status;
}

/* One with room for `bytes`, and usually more: 256 KB, 1 MB, 4 MB, then 8. */
static vrs_status add_slab(vrs_net *net, size_t bytes, int32_t *index)
{
    size_t usual = net->slab_count < 3 ? SLAB_BYTES >> (5 - 2 * net->slab_count) : SLAB_BYTES;
    *index = net->slab_count;
    return append_slab(net, bytes > usual ? bytes : usual);
}

/* A place for `bytes`, in the first block that has room. */
static vrs_status find_room(vrs_net *net, size_t bytes, vrs_net_constant *made)
{
    size_t room = (bytes + VRS_NET_ALIGN - 1) / VRS_NET_ALIGN * VRS_NET_ALIGN;
    int32_t index = 0;
    while (index < net->slab_count &&
           (!net->slabs[index].block || net->slabs[index].bytes - net->slabs[index].taken < room))
        index++;
    vrs_status status = index < net->slab_count ? VRS_OK : add_slab(net, room, &index);
    if (status == VRS_OK) {
        vrs_net_slab *slab = &net->slabs[index];
        made->slab = index;
        made->at = slab->block->address + slab->taken;
        slab->taken += room;
        slab->constants++;
    }
    return status;
}

/* Keeps `bytes` of `data` on the device under the key. */
static vrs_status keep(vrs_net *net, const vrs_net_constant *key, const void *data, size_t bytes,
                       vrs_device_ptr *at)
{
    if (net->constant_count == net->constant_room) {
        int32_t room = net->constant_room ? net->constant_room * 2 : 64;
        vrs_net_constant *grown =
            vrs_realloc(net->constants, (size_t)room * sizeof *net->constants);
        if (!grown)
            return VRS_NO_MEMORY;
        net->constants = grown;
        net->constant_room = room;
    }
    vrs_net_constant made = *key;
    made.used = true;
    /* Kernels read whole vectors: up to 16 bytes behind the end. */
    vrs_status status = find_room(net, bytes + 16, &made);
    if (status != VRS_OK)
        return status;
    made.bytes = bytes;
    net->constants[net->constant_count++] = made;
    status = vrs_device_fill(net->stream, made.at, 0, bytes + 16);
    if (status == VRS_OK)
        status = vrs_device_upload(net->stream, made.at, data, bytes);
    if (status == VRS_OK)
        status = vrs_net_settle(net); /* `data` is the caller's */
    *at = made.at;
    return status;
}

vrs_status vrs_net_operand(vrs_net *net, int32_t value, vrs_device_ptr *at)
{
    const vrs_net_constant key = {.value = value, .kind = AS_OPERAND};
    const vrs_net_constant *found = find(net, &key);
    if (found) {
        *at = found->at;
        return VRS_OK;
    }
    const vrs_value *v = &net->graph->values[value];
    return keep(net, &key, v->data, vrs_value_bytes(v), at);
}

vrs_status vrs_net_floats(vrs_net *net, int32_t value, int32_t count, vrs_device_ptr *at)
{
    const vrs_net_constant key = {.value = value, .kind = AS_FLOATS, .fill = count};
    const vrs_net_constant *found = find(net, &key);
    if (found) {
        *at = found->at;
        return VRS_OK;
    }
    const vrs_value *v = &net->graph->values[value];
    size_t own = vrs_value_elements(v);
    const float *from = v->data;
    float *floats = vrs_alloc_array((size_t)count, sizeof *floats);
    if (!floats)
        return VRS_NO_MEMORY;
    for (size_t i = 0; i < (size_t)count; i++)
        floats[i] = own == 1 ? from[0] : i < own ? from[i] : 0.0f;
    vrs_status status = keep(net, &key, floats, (size_t)count * sizeof *floats, at);
    vrs_free(floats);
    return status;
}

/* Floats of a node that `make` computes, under a key of its own. */
static vrs_status keep_floats(vrs_net *net, const vrs_net_constant *key, int32_t count,
                              float (*make)(const vrs_net *net, const vrs_net_constant *key,
                                            int32_t channel),
                              vrs_device_ptr *at)
{
    const vrs_net_constant *found = find(net, key);
    if (found) {
        *at = found->at;
        return VRS_OK;
    }
    float *floats = vrs_alloc_array((size_t)count, sizeof *floats);
    if (!floats)
        return VRS_NO_MEMORY;
    for (int32_t i = 0; i < count; i++)
        floats[i] = make(net, key, i);
    vrs_status status = keep(net, key, floats, (size_t)count * sizeof *floats, at);
    vrs_free(floats);
    return status;
}

static float bias_at(const vrs_net *net, const vrs_net_constant *key, int32_t channel)
{
    const vrs_node *node = &net->graph->nodes[key->value];
    if (node->input_count < 3 || node->inputs[2] == VRS_NO_VALUE)
        return 0.0f;
    const vrs_value *v = &net->graph->values[node->inputs[2]];
    size_t count = vrs_value_elements(v);
    return (size_t)channel < count ? ((const float *)v->data)[channel] / key->quantum : 0.0f;
}

vrs_status vrs_net_bias(vrs_net *net, int32_t node, int32_t count, float quantum,
                        vrs_device_ptr *at)
{
    const vrs_net_constant key = {
        .value = node, .kind = AS_BIAS, .fill = count, .quantum = quantum};
    return keep_floats(net, &key, count, bias_at, at);
}

/* Of sums of 8-bit products: step of x times that of the channel's weights. */
static float factor_at(const vrs_net *net, const vrs_net_constant *key, int32_t channel)
{
    const vrs_node *node = &net->graph->nodes[key->value];
    const vrs_net_form *x = &net->forms[node->inputs[0]];
    bool bits = x->type == VRS_NET_I8;
    float step = bits ? x->quantum * vrs_net_weight_scale(net, node, channel) : 1.0f;
    return step / key->quantum;
}

vrs_status vrs_net_factors(vrs_net *net, int32_t node, int32_t count, float quantum,
                           vrs_device_ptr *at)
{
    const vrs_net_constant key = {
        .value = node, .kind = AS_FACTORS, .fill = count, .quantum = quantum};
    return keep_floats(net, &key, count, factor_at, at);
}

/* --- weights --- */

/* Where the file's weight of output channel o, input channel c (of the group) and tap y, x lies. */
static size_t file_place(const vrs_node *node, const vrs_value *w, int32_t o, int32_t c, int32_t y,
                         int32_t x)
{
    size_t rows = (size_t)w->dims[2], columns = (size_t)w->dims[3];
    size_t first = (size_t)o, second = (size_t)c, inner = (size_t)w->dims[1];
    if (node->op == VRS_OP_CONV_TRANSPOSED) {
        /* I (O / groups) H W: the input channel comes first, counted over all groups. */
        size_t group = (size_t)o / inner, depth = (size_t)w->dims[0] / (size_t)node->as.conv.groups;
        first = group * depth + (size_t)c;
        second = (size_t)o % inner;
    }
    return ((first * inner + second) * rows + (size_t)y) * columns + (size_t)x;
}

/* A stem's tap in space-to-depth: which of the file's taps, or none. Tap t of the new kernel reads
 * rows 2 * (o + t - pad) + d of the picture; the file's reads 2 * o + k - p. */
static int32_t stem_tap(int32_t t, int32_t d, int32_t new_pad, int32_t pad)
{
    return 2 * (t - new_pad) + d + pad;
}

/* An element of the file's weights: a float, or 8 bits behind a DEQUANTIZE. */
static float element(const vrs_graph *g, const vrs_value *w, size_t place)
{
    if (w->data)
        return ((const float *)w->data)[place];
    const vrs_node *node = &g->nodes[w->producer];
    const vrs_value *bits = &g->values[node->inputs[0]], *scale = &g->values[node->inputs[1]];
    const vrs_value *zero = node->input_count > 2 && node->inputs[2] != VRS_NO_VALUE
                                ? &g->values[node->inputs[2]]
                                : NULL;
    size_t inner = 1, at = 0;
    for (int32_t axis = node->as.quantize.axis + 1; axis < w->rank; axis++)
        inner *= (size_t)w->dims[axis];
    if (vrs_value_elements(scale) > 1)
        at = place / inner % (size_t)w->dims[node->as.quantize.axis];
    bool sign = bits->dtype == VRS_DTYPE_I8;
    int32_t v = sign ? ((const int8_t *)bits->data)[place] : ((const uint8_t *)bits->data)[place];
    if (zero) {
        size_t z = vrs_value_elements(zero) > 1 ? at : 0;
        v -= sign ? ((const int8_t *)zero->data)[z] : ((const uint8_t *)zero->data)[z];
    }
    return (float)v * ((const float *)scale->data)[at];
}

/* The weight at output channel o, tap (y, x), input channel c as the convolution counts them. */
static float weight_at(const vrs_net *net, const vrs_node *node, const vrs_conv *conv, int32_t o,
                       int32_t y, int32_t x, int32_t c)
{
    const vrs_value *w = &net->graph->values[node->inputs[1]];
    bool transposed = node->op == VRS_OP_CONV_TRANSPOSED;
    int32_t outs = (int32_t)(transposed ? w->dims[1] * node->as.conv.groups : w->dims[0]);
    int32_t depth = (int32_t)(transposed ? w->dims[0] / node->as.conv.groups : w->dims[1]);
    if (net->forms[node->inputs[0]].s2d) {
        const vrs_conv_attributes *a = &node->as.conv;
        int32_t part = c / 3;
        y = stem_tap(y, part / 2, conv->pad_before[0], a->pad_before[0]);
        x = stem_tap(x, part % 2, conv->pad_before[1], a->pad_before[1]);
        c = part < 4 ? c % 3 : depth;
    }
    bool there = o < outs && c < depth && y >= 0 && x >= 0 && y < w->dims[2] && x < w->dims[3];
    return there ? element(net->graph, w, file_place(node, w, o, c, y, x)) : 0.0f;
}

/* The same for all input channels of a tap, for weights that lie as the file has them: most of a
 * large network, and most of the time of opening it. `row` has `depth` elements. */
static void arrange_row(const vrs_value *w, int32_t type, const float *from, size_t step,
                        int32_t depth, void *row)
{
    int32_t own = depth < (int32_t)w->dims[1] ? depth : (int32_t)w->dims[1];
    if (type == VRS_NET_F16) {
        uint16_t *to = row;
        for (int32_t c = 0; c < own; c++)
            to[c] = vrs_net_half_from_float(from[(size_t)c * step]);
    } else {
        float *to = row;
        for (int32_t c = 0; c < own; c++)
            to[c] = from[(size_t)c * step];
    }
}

/* Whether arrange_row() can: floats, and neither turned round nor of a stem. */
static bool is_plain(const vrs_net *net, const vrs_node *node, const vrs_conv *conv)
{
    return node->op == VRS_OP_CONV && net->graph->values[node->inputs[1]].data &&
           !net->forms[node->inputs[0]].s2d &&
           (conv->in_type == VRS_NET_F16 || conv->in_type == VRS_NET_F32);
}

/* The same for weights that the file has in 8 bits, and that are read so; NULL: element by element.
 */
static const int8_t *plain_bits(const vrs_net *net, const vrs_node *node, const vrs_conv *conv)
{
    const vrs_value *w = &net->graph->values[node->inputs[1]];
    if (conv->in_type != VRS_NET_I8 || node->op != VRS_OP_CONV || w->data)
        return NULL;
    return net->graph->values[net->graph->nodes[w->producer].inputs[0]].data;
}

static void arrange_bits(const vrs_value *w, const int8_t *from, size_t step, int32_t depth,
                         void *row)
{
    int32_t own = depth < (int32_t)w->dims[1] ? depth : (int32_t)w->dims[1];
    int8_t *to = row;
    for (int32_t c = 0; c < own; c++)
        to[c] = from[(size_t)c * step];
}

/* One tap of an output channel, element by element. */
static void arrange_tap(const vrs_net *net, const vrs_node *node, const vrs_conv *conv, int32_t o,
                        int32_t y, int32_t x, void *row)
{
    for (int32_t c = 0; c < conv->in_channels / conv->groups; c++) {
        float w = weight_at(net, node, conv, o, y, x, c);
        vrs_net_store((uint64_t)(uintptr_t)row, conv->in_type, c, w);
    }
}

/* [out_channels][kernel][in_channels / groups] of in_type. Returns owned. */
static void *arrange(const vrs_net *net, const vrs_node *node, const vrs_conv *conv, size_t *bytes)
{
    const vrs_value *w = &net->graph->values[node->inputs[1]];
    int32_t depth = conv->in_channels / conv->groups, taps = conv->kernel[0] * conv->kernel[1];
    size_t row = (size_t)depth * vrs_net_type_bytes(conv->in_type);
    *bytes = (size_t)conv->out_channels * (size_t)taps * row;
    unsigned char *data = vrs_alloc(*bytes);
    bool plain = is_plain(net, node, conv);
    const int8_t *bits = plain_bits(net, node, conv);
    for (int32_t i = 0; data && i < conv->out_channels * taps; i++) {
        int32_t o = i / taps, tap = i % taps;
        int32_t y = tap / conv->kernel[1], x = tap % conv->kernel[1];
        if (bits && o < w->dims[0]) {
            arrange_bits(w, bits + file_place(node, w, o, 0, y, x), (size_t)taps, depth,
                         data + (size_t)i * row);
        } else if (!plain && !bits) {
            arrange_tap(net, node, conv, o, y, x, data + (size_t)i * row);
        } else if (plain && o < w->dims[0]) { /* those behind are of padding: zero */
            arrange_row(w, conv->in_type, (const float *)w->data + file_place(node, w, o, 0, y, x),
                        (size_t)taps, depth, data + (size_t)i * row);
        }
    }
    return data;
}

static vrs_status keep_packed(vrs_net *net, const vrs_net_constant *key, const vrs_conv_plan *plan,
                              const void *data, vrs_device_ptr *at)
{
    size_t bytes = plan->provider->packed_bytes(plan);
    void *packed = vrs_alloc(bytes);
    if (!packed)
        return VRS_NO_MEMORY;
    plan->provider->pack(plan, data, packed);
    vrs_status status = keep(net, key, packed, bytes, at);
    vrs_free(packed);
    return status;
}

vrs_status vrs_net_weights(vrs_net *net, int32_t index, const vrs_conv *conv,
                           const vrs_conv_plan *plan, vrs_device_ptr *at)
{
    const vrs_node *node = &net->graph->nodes[index];
    bool packs = plan->packing[0] != 0;
    vrs_net_constant key = {.value = node->inputs[1],
                            .kind = AS_WEIGHTS,
                            .packer = packs ? plan->provider : NULL,
                            .channels = conv->in_channels,
                            .fill = conv->out_channels,
                            .quantum = (float)conv->in_type};
    if (packs)
        memcpy(key.packing, plan->packing, sizeof key.packing);
    const vrs_net_constant *found = find(net, &key);
    if (found) {
        *at = found->at;
        return VRS_OK;
    }
    size_t bytes;
    void *data = arrange(net, node, conv, &bytes);
    if (!data)
        return VRS_NO_MEMORY;
    vrs_status status =
        packs ? keep_packed(net, &key, plan, data, at) : keep(net, &key, data, bytes, at);
    vrs_free(data);
    return status;
}

vrs_status vrs_net_table(vrs_net *net, int32_t index, const vrs_conv_plan *plan, int32_t batch,
                         vrs_device_ptr *at)
{
    const vrs_conv_provider *by = plan->provider;
    size_t bytes = by->table_bytes ? by->table_bytes(plan) : 0;
    const vrs_net_constant key = {
        .value = net->graph->nodes[index].inputs[1], .kind = AS_TABLE, .packer = by, .fill = batch};
    const vrs_net_constant *found = bytes > 0 ? find(net, &key) : NULL;
    *at = found ? found->at : 0;
    if (found || bytes == 0)
        return VRS_OK;
    void *table = vrs_alloc(bytes);
    if (!table)
        return VRS_NO_MEMORY;
    by->make_table(plan, table);
    vrs_status status = keep(net, &key, table, bytes, at);
    vrs_free(table);
    return status;
}

vrs_status vrs_net_head_weights(vrs_net *net, int32_t head, const vrs_conv *conv,
                                vrs_device_ptr *at)
{
    const vrs_node *node = &net->graph->nodes[head];
    const vrs_net_constant key = {.value = node->inputs[1],
                                  .kind = AS_HEAD,
                                  .channels = conv->out_channels,
                                  .fill = conv->head_channels};
    const vrs_net_constant *found = find(net, &key);
    if (found) {
        *at = found->at;
        return VRS_OK;
    }
    vrs_conv one = {.in_channels = conv->out_channels,
                    .out_channels = conv->head_channels,
                    .groups = 1,
                    .kernel = {1, 1},
                    .in_type = conv->in_type};
    size_t bytes;
    void *data = arrange(net, node, &one, &bytes);
    if (!data)
        return VRS_NO_MEMORY;
    vrs_status status = keep(net, &key, data, bytes, at);
    vrs_free(data);
    return status;
}

static void free_if_empty(vrs_net *net, vrs_net_slab *slab)
{
    if (slab->constants == 0) {
        vrs_memory_free(net->memory, slab->block);
        slab->block = NULL;
    }
}

void vrs_net_forget_constants(vrs_net *net, bool unused)
{
    int32_t kept = 0;
    for (int32_t i = 0; i < net->constant_count; i++) {
        vrs_net_constant *c = &net->constants[i];
        if (unused && !c->used) {
            net->slabs[c->slab].constants--;
            continue;
        }
        c->used = false;
        net->constants[kept++] = *c;
    }
    net->constant_count = kept;
    for (int32_t i = 0; i < net->slab_count; i++)
        free_if_empty(net, &net->slabs[i]);
}

/* Bytes that are moved together: slabs are as large, but for one that is larger by itself. What
 * memory is given out in is lost once for each. */
#define MOVED_BYTES ((size_t)64 << 20)

static size_t room_of(const vrs_net_constant *c)
{
    return (c->bytes + 16 + VRS_NET_ALIGN - 1) / VRS_NET_ALIGN * VRS_NET_ALIGN;
}

/* Orders constants by where they lie, so that old slabs become empty one after the other. */
static int by_place(const void *a, const void *b)
{
    const vrs_net_constant *x = a, *y = b;
    if (x->slab != y->slab)
        return x->slab < y->slab ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

/* Moves the constants [first, last) into a slab of their size. */
static vrs_status move(vrs_net *net, int32_t first, int32_t last, size_t bytes)
{
    int32_t index = net->slab_count;
    vrs_status status = append_slab(net, bytes);
    size_t taken = 0;
    for (int32_t i = first; i < last && status == VRS_OK; i++) {
        vrs_net_constant *c = &net->constants[i];
        status = vrs_device_copy(net->stream, net->slabs[index].block->address + taken, c->at,
                                 c->bytes + 16);
        taken += room_of(c);
    }
    if (status == VRS_OK)
        status = vrs_net_settle(net);
    if (status != VRS_OK)
        return status;
    vrs_net_slab *slab = &net->slabs[index];
    for (int32_t i = first; i < last; i++) {
        vrs_net_constant *c = &net->constants[i];
        vrs_net_slab *old = &net->slabs[c->slab];
        c->at = slab->block->address + slab->taken;
        c->slab = index;
        slab->taken += room_of(c);
        slab->constants++;
        old->constants--;
        free_if_empty(net, old);
    }
    return VRS_OK;
}

vrs_status vrs_net_move_constants(vrs_net *net)
{
    size_t held = 0, wanted = 0;
    for (int32_t i = 0; i < net->slab_count; i++)
        held += net->slabs[i].block ? net->slabs[i].bytes : 0;
    for (int32_t i = 0; i < net->constant_count; i++)
        wanted += room_of(&net->constants[i]);
    if (held - wanted <= held / 32)
        return VRS_OK;
    qsort(net->constants, (size_t)net->constant_count, sizeof *net->constants, by_place);
    vrs_status status = VRS_OK;
    for (int32_t first = 0, last; first < net->constant_count && status == VRS_OK; first = last) {
        size_t bytes = 0;
        for (last = first; last < net->constant_count; last++) {
            size_t more = room_of(&net->constants[last]);
            if (last > first && bytes + more > MOVED_BYTES)
                break;
            bytes += more;
        }
        status = move(net, first, last, bytes);
    }
    return status == VRS_NO_MEMORY ? VRS_OK : status; /* they lie well where they are */
}

void vrs_net_free_constants(vrs_net *net)
{
    for (int32_t i = 0; i < net->slab_count; i++)
        vrs_memory_free(net->memory, net->slabs[i].block);
    vrs_free(net->slabs);
    vrs_free(net->constants);
    net->slabs = NULL;
    net->slab_count = 0;
    net->constants = NULL;
    net->constant_count = net->constant_room = 0;
}
