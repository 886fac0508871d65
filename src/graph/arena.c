#include "graph/arena.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "graph/own.h"

void vrs_graph_arena_wish(const vrs_graph *graph, vrs_arena_request *requests)
{
    for (int32_t i = 0; i < graph->value_count; i++) {
        const vrs_value *value = &graph->values[i];
        requests[i] = (vrs_arena_request){.bytes = value->data ? 0 : vrs_value_bytes(value),
                                          .inside = VRS_NO_VALUE};
    }
    for (int32_t i = 0; i < graph->node_count; i++) {
        const vrs_node *node = &graph->nodes[i];
        if (node->op == VRS_OP_RESHAPE && requests[node->inputs[0]].bytes > 0)
            requests[node->outputs[0]].inside = node->inputs[0];
    }
    for (int32_t i = 0; i < graph->node_count; i++) {
        const vrs_node *node = &graph->nodes[i];
        const vrs_value *y = node->op == VRS_OP_CONCAT ? &graph->values[node->outputs[0]] : NULL;
        size_t offset = 0;
        bool dense = y != NULL;
        for (int32_t k = 0; dense && k < node->as.axis.axis; k++)
            dense = y->dims[k] == 1;
        for (int32_t k = 0; dense && k < node->input_count; k++) {
            int32_t x = node->inputs[k];
            vrs_arena_request *request = &requests[x];
            if (request->bytes > 0 && request->inside == VRS_NO_VALUE &&
                graph->values[x].producer != VRS_NO_VALUE) {
                request->inside = node->outputs[0];
                request->offset = offset;
            }
            offset += vrs_value_bytes(&graph->values[x]);
        }
    }
}

/* A block to be placed: a value with what lies inside it, or a node's workspace. */
typedef struct block {
    size_t bytes, offset;
    int32_t first, last; /* nodes */
    int32_t index;       /* of the value or the node */
    bool workspace;
} block;

/* A part of the memory that is taken while a block is alive. */
typedef struct part {
    size_t offset, end;
} part;

/* What a plan is made with. */
typedef struct planner {
    const vrs_graph *graph;
    const vrs_arena_request *requests;
    vrs_graph_arena *arena;
    int32_t *roots;  /* of each value: the one whose block it lies in */
    size_t *offsets; /* of each value in that block */
    block *blocks;
    int32_t count;
} planner;

static vrs_status fail_request(const planner *p, int32_t value, const char *what)
{
    return vrs_fail(VRS_INVALID, "%s: no place for \"%.100s\" can be planned: %s", p->graph->name,
                    p->graph->values[value].name, what);
}

/* Follows a value to the block that it lies in. */
static vrs_status find_root(planner *p, int32_t value)
{
    int32_t root = value;
    size_t offset = 0;
    for (int32_t steps = 0; p->requests[root].inside != VRS_NO_VALUE; steps++) {
        const vrs_arena_request *request = &p->requests[root];
        int32_t outer = request->inside;
        if (outer < 0 || outer >= p->graph->value_count || steps > p->graph->value_count)
            return fail_request(p, value, "it lies inside itself or inside no value");
        if (request->offset > p->requests[outer].bytes ||
            request->bytes > p->requests[outer].bytes - request->offset)
            return fail_request(p, value, "it lies inside a value that has no room for it");
        offset += request->offset;
        root = outer;
    }
    p->roots[value] = root;
    p->offsets[value] = offset;
    return VRS_OK;
}

static void live(planner *p, int32_t value, int32_t node)
{
    vrs_graph_arena *arena = p->arena;
    int32_t root = value != VRS_NO_VALUE ? p->roots[value] : VRS_NO_VALUE;
    if (root == VRS_NO_VALUE)
        return;
    arena->first[root] = node < arena->first[root] ? node : arena->first[root];
    arena->last[root] = node > arena->last[root] ? node : arena->last[root];
}

/* Lifetimes of blocks, which all values in them share. */
static void find_lifetimes(planner *p)
{
    const vrs_graph *graph = p->graph;
    for (int32_t i = 0; i < graph->value_count; i++) {
        p->arena->first[i] = graph->node_count;
        p->arena->last[i] = -1;
    }
    for (int32_t i = 0; i < graph->input_count; i++)
        live(p, graph->inputs[i], -1);
    for (int32_t i = 0; i < graph->node_count; i++) {
        const vrs_node *node = &graph->nodes[i];
        for (int32_t k = 0; k < node->input_count; k++)
            live(p, node->inputs[k], i);
        for (int32_t k = 0; k < node->output_count; k++)
            live(p, node->outputs[k], i);
    }
    for (int32_t i = 0; i < graph->output_count; i++)
        live(p, graph->outputs[i], graph->node_count);
    for (int32_t i = 0; i < graph->value_count; i++) {
        p->arena->first[i] = p->arena->first[p->roots[i]];
        p->arena->last[i] = p->arena->last[p->roots[i]];
    }
}

static size_t align(size_t bytes)
{
    return (bytes + VRS_ARENA_ALIGNMENT - 1) / VRS_ARENA_ALIGNMENT * VRS_ARENA_ALIGNMENT;
}

static void list_blocks(planner *p, const size_t *workspace)
{
    for (int32_t i = 0; i < p->graph->value_count; i++) {
        if (p->requests[i].bytes > 0 && p->roots[i] == i &&
            p->arena->last[i] >= p->arena->first[i]) {
            p->blocks[p->count++] = (block){.bytes = align(p->requests[i].bytes),
                                            .first = p->arena->first[i],
                                            .last = p->arena->last[i],
                                            .index = i};
        }
    }
    for (int32_t i = 0; workspace && i < p->graph->node_count; i++) {
        if (workspace[i] > 0) {
            p->blocks[p->count++] = (block){
                .bytes = align(workspace[i]), .first = i, .last = i, .index = i, .workspace = true};
        }
    }
}

static int larger_first(const void *a, const void *b)
{
    const block *x = a, *y = b;
    if (x->bytes != y->bytes)
        return x->bytes > y->bytes ? -1 : 1;
    if (x->workspace != y->workspace)
        return x->workspace ? 1 : -1;
    return (x->index > y->index) - (x->index < y->index);
}

static int lower_first(const void *a, const void *b)
{
    const part *x = a, *y = b;
    return (x->offset > y->offset) - (x->offset < y->offset);
}

/* Places the blocks from the largest on, each into the lowest gap between those that are alive at
 * the same time. */
static void place(planner *p, part *beside)
{
    qsort(p->blocks, (size_t)p->count, sizeof(*p->blocks), larger_first);
    for (int32_t i = 0; i < p->count; i++) {
        block *b = &p->blocks[i];
        int32_t count = 0;
        for (int32_t k = 0; k < i; k++) {
            if (p->blocks[k].first <= b->last && b->first <= p->blocks[k].last) {
                size_t offset = p->blocks[k].offset;
                beside[count++] = (part){offset, offset + p->blocks[k].bytes};
            }
        }
        qsort(beside, (size_t)count, sizeof(*beside), lower_first);
        for (int32_t k = 0; k < count; k++) {
            if (beside[k].offset >= b->offset + b->bytes)
                break;
            b->offset = beside[k].end > b->offset ? beside[k].end : b->offset;
        }
        size_t end = b->offset + b->bytes;
        p->arena->bytes = end > p->arena->bytes ? end : p->arena->bytes;
    }
}

static void fill_arena(planner *p)
{
    vrs_graph_arena *arena = p->arena;
    for (int32_t i = 0; i < arena->value_count; i++)
        arena->offsets[i] = VRS_NO_PLACE;
    for (int32_t i = 0; i < arena->node_count; i++)
        arena->workspace[i] = VRS_NO_PLACE;
    for (int32_t i = 0; i < p->count; i++) {
        const block *b = &p->blocks[i];
        (b->workspace ? arena->workspace : arena->offsets)[b->index] = b->offset;
    }
    for (int32_t i = 0; i < arena->value_count; i++) {
        int32_t root = p->roots[i];
        if (root != i && p->requests[i].bytes > 0 && arena->offsets[root] != VRS_NO_PLACE)
            arena->offsets[i] = arena->offsets[root] + p->offsets[i];
    }
    for (int32_t node = -1; node <= arena->node_count; node++) {
        size_t alive = 0;
        for (int32_t i = 0; i < p->count; i++) {
            bool here = p->blocks[i].first <= node && node <= p->blocks[i].last;
            alive += here ? p->blocks[i].bytes : 0;
        }
        arena->live_bytes = alive > arena->live_bytes ? alive : arena->live_bytes;
    }
}

static vrs_status new_arena(const vrs_graph *graph, vrs_graph_arena **arena)
{
    vrs_graph_arena *made = vrs_alloc(sizeof(*made));
    *arena = made;
    if (!made)
        return VRS_NO_MEMORY;
    size_t values = (size_t)graph->value_count;
    made->value_count = graph->value_count;
    made->node_count = graph->node_count;
    made->offsets = vrs_alloc_array(values, sizeof(*made->offsets));
    made->workspace = vrs_alloc_array((size_t)graph->node_count, sizeof(*made->workspace));
    made->first = vrs_alloc_array(values, sizeof(*made->first));
    made->last = vrs_alloc_array(values, sizeof(*made->last));
    return made->offsets && made->workspace && made->first && made->last ? VRS_OK : VRS_NO_MEMORY;
}

static vrs_status plan(planner *p, const size_t *workspace, part *beside)
{
    for (int32_t i = 0; i < p->graph->value_count; i++) {
        vrs_status status = find_root(p, i);
        if (status != VRS_OK)
            return status;
    }
    find_lifetimes(p);
    list_blocks(p, workspace);
    place(p, beside);
    fill_arena(p);
    return VRS_OK;
}

vrs_status vrs_graph_arena_plan(const vrs_graph *graph, const vrs_arena_request *requests,
                                const size_t *workspace, vrs_graph_arena **arena)
{
    planner p = {.graph = graph, .requests = requests};
    size_t values = (size_t)graph->value_count, blocks = values + (size_t)graph->node_count;
    vrs_status status = new_arena(graph, arena);
    p.arena = *arena;
    p.roots = vrs_alloc_array(values, sizeof(*p.roots));
    p.offsets = vrs_alloc_array(values, sizeof(*p.offsets));
    p.blocks = vrs_alloc_array(blocks, sizeof(*p.blocks));
    part *beside = vrs_alloc_array(blocks, sizeof(*beside));
    if (status == VRS_OK) {
        status = p.roots && p.offsets && p.blocks && beside ? plan(&p, workspace, beside)
                                                            : VRS_NO_MEMORY;
    }
    vrs_free(p.roots);
    vrs_free(p.offsets);
    vrs_free(p.blocks);
    vrs_free(beside);
    if (status != VRS_OK) {
        vrs_graph_arena_destroy(*arena);
        *arena = NULL;
    }
    return status;
}

void vrs_graph_arena_destroy(vrs_graph_arena *arena)
{
    if (!arena)
        return;
    vrs_free(arena->offsets);
    vrs_free(arena->workspace);
    vrs_free(arena->first);
    vrs_free(arena->last);
    vrs_free(arena);
}
