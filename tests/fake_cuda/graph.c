/* Stream capture and graphs. A node is an operation that never runs itself; a launch makes a copy
 * of each. Nodes stand in the order of their capture, so what one depends on stands before it; its
 * place is kept in `time`. */
#include <stdlib.h>
#include <string.h>

#include "fake_cuda/internal.h"

void fake_heads_set(fake_op ***heads, size_t *count, fake_op *const *from, size_t from_count)
{
    fake_op **made = from_count > 0 ? fake_take(from_count, sizeof(*made)) : NULL;
    for (size_t i = 0; i < from_count; i++)
        made[i] = fake_op_keep(from[i]);
    for (size_t i = 0; i < *count; i++)
        fake_op_drop((*heads)[i]);
    free(*heads);
    *heads = made;
    *count = from_count;
}

void fake_graph_drop(struct fake_graph *graph)
{
    if (--graph->refs > 0)
        return;
    for (size_t i = 0; i < graph->node_count; i++)
        fake_op_drop(graph->nodes[i]);
    free(graph->nodes);
    free(graph);
}

void fake_capture(struct fake_stream *stream, fake_op *op)
{
    struct fake_graph *graph = stream->capture;
    fake_op **nodes = realloc(graph->nodes, (graph->node_count + 1) * sizeof(fake_op *));
    if (nodes == NULL)
        fake_die("no memory left for the stand-in itself");
    graph->nodes = nodes;
    op->time = graph->node_count;
    graph->nodes[graph->node_count++] = op;
    for (size_t i = 0; i < stream->head_count; i++)
        fake_op_after(op, stream->heads[i]);
    fake_heads_set(&stream->heads, &stream->head_count, &op, 1);
}

/* The stream joins the capture, or follows one more branch of it. */
void fake_capture_wait(struct fake_stream *stream, struct fake_event *event)
{
    const size_t count = stream->head_count + event->head_count;
    fake_op **both = fake_take(count, sizeof(*both));
    stream->capture = event->capture;
    if (stream->head_count > 0)
        memcpy(both, stream->heads, stream->head_count * sizeof(fake_op *));
    if (event->head_count > 0)
        memcpy(both + stream->head_count, event->heads, event->head_count * sizeof(fake_op *));
    fake_heads_set(&stream->heads, &stream->head_count, both, count);
    free(both);
}

DRIVER(cuStreamBeginCapture_v2, cu_stream handle, int mode)
{
    ENTER(NEEDS_CONTEXT);
    struct fake_stream *stream = fake_stream_find(handle);
    if (stream == NULL || mode < 0 || mode > 2)
        return fake_leave(stream == NULL ? CU_INVALID_HANDLE : CU_INVALID_VALUE);
    if (stream->capture != NULL || handle == NULL)
        return fake_leave(CU_CAPTURE_UNSUPPORTED);
    stream->capture = fake_take(1, sizeof(*stream->capture));
    stream->capture->refs = 1;
    stream->capture_origin = true;
    return fake_leave(CU_SUCCESS);
}

DRIVER(cuStreamIsCapturing, cu_stream handle, int *status)
{
    ENTER(NEEDS_CONTEXT);
    const struct fake_stream *stream = fake_stream_find(handle);
    if (stream == NULL || status == NULL)
        return fake_leave(stream == NULL ? CU_INVALID_HANDLE : CU_INVALID_VALUE);
    *status = stream->capture == NULL ? 0 : stream->capture->broken ? 2 : 1;
    return fake_leave(CU_SUCCESS);
}

/* Whether every branch of the capture has come back to the stream that it began on. */
static bool joined(const struct fake_stream *origin)
{
    const struct fake_graph *graph = origin->capture;
    bool *reached = fake_take(graph->node_count, sizeof(*reached)), all = true;
    for (size_t i = 0; i < origin->head_count; i++)
        reached[origin->heads[i]->time] = true;
    for (size_t i = graph->node_count; i-- > 0;)
        for (size_t d = 0; reached[i] && d < graph->nodes[i]->dep_count; d++)
            reached[graph->nodes[i]->deps[d]->time] = true;
    for (size_t i = 0; i < graph->node_count; i++)
        all = all && reached[i];
    free(reached);
    return all;
}

static void leave_capture(const struct fake_graph *graph)
{
    for (struct fake_stream *s = fake.streams; s != NULL; s = s->next) {
        if (s->capture != graph)
            continue;
        s->capture = NULL;
        s->capture_origin = false;
        fake_heads_set(&s->heads, &s->head_count, NULL, 0);
    }
    for (struct fake_event *e = fake.events; e != NULL; e = e->next) {
        if (e->capture != graph)
            continue;
        e->capture = NULL;
        fake_heads_set(&e->heads, &e->head_count, NULL, 0);
    }
}

DRIVER(cuStreamEndCapture, cu_stream handle, cu_graph *graph)
{
    const cu_result error = fake_enter_release(__func__);
    struct fake_stream *stream = fake_stream_find(handle);
    if (stream == NULL || stream->capture == NULL || !stream->capture_origin)
        return fake_leave(error != CU_SUCCESS ? error : CU_CAPTURE_UNMATCHED);
    struct fake_graph *made = stream->capture;
    cu_result result = error;
    if (result == CU_SUCCESS && made->broken)
        result = CU_CAPTURE_INVALIDATED;
    if (result == CU_SUCCESS && !joined(stream))
        result = CU_CAPTURE_UNJOINED;
    leave_capture(made);
    if (result != CU_SUCCESS) {
        fake_graph_drop(made);
        *graph = NULL;
        return fake_leave(result);
    }
    made->next = fake.graphs;
    fake.graphs = made;
    *graph = made;
    return fake_leave(CU_SUCCESS);
}

static struct fake_graph **find_graph(cu_graph graph)
{
    struct fake_graph **at = &fake.graphs;
    while (*at != NULL && *at != graph)
        at = &(*at)->next;
    return at;
}

static struct fake_exec **find_exec(cu_exec exec)
{
    struct fake_exec **at = &fake.execs;
    while (*at != NULL && *at != exec)
        at = &(*at)->next;
    return at;
}

static void unlink_graph(struct fake_graph **at)
{
    struct fake_graph *graph = *at;
    *at = graph->next;
    fake_graph_drop(graph);
}

static void unlink_exec(struct fake_exec **at)
{
    struct fake_exec *exec = *at;
    *at = exec->next;
    fake_op_drop(exec->last);
    fake_graph_drop(exec->graph);
    free(exec);
}

DRIVER(cuGraphDestroy, cu_graph graph)
{
    const cu_result error = fake_enter_release(__func__);
    struct fake_graph **at = find_graph(graph);
    if (*at == NULL)
        return fake_leave(error != CU_SUCCESS ? error : CU_INVALID_HANDLE);
    unlink_graph(at);
    return fake_leave(error);
}

DRIVER(cuGraphGetNodes, cu_graph graph, void **nodes, size_t *count)
{
    ENTER(NEEDS_CONTEXT);
    if (*find_graph(graph) == NULL || count == NULL || nodes != NULL)
        return fake_leave(nodes != NULL ? CU_NOT_SUPPORTED : CU_INVALID_VALUE);
    *count = graph->node_count;
    return fake_leave(CU_SUCCESS);
}

DRIVER(cuGraphInstantiateWithFlags, cu_exec *exec, cu_graph graph, unsigned long long flags)
{
    ENTER(NEEDS_CONTEXT);
    if (exec == NULL || *find_graph(graph) == NULL || flags != 0)
        return fake_leave(CU_INVALID_VALUE);
    struct fake_exec *made = fake_take(1, sizeof(*made));
    graph->refs++;
    made->graph = graph;
    made->next = fake.execs;
    fake.execs = made;
    *exec = made;
    return fake_leave(CU_SUCCESS);
}

DRIVER(cuGraphExecDestroy, cu_exec exec)
{
    const cu_result error = fake_enter_release(__func__);
    struct fake_exec **at = find_exec(exec);
    if (*at == NULL)
        return fake_leave(error != CU_SUCCESS ? error : CU_INVALID_HANDLE);
    unlink_exec(at);
    return fake_leave(error);
}

static fake_op *copy_node(const fake_op *node)
{
    fake_op *op = fake_op_new(node->kind);
    const fake_op made = *op;
    *op = *node;
    op->refs = made.refs;
    op->deps = NULL;
    op->dep_count = 0;
    op->staged = NULL;
    op->time = 0;
    if (node->params != NULL) {
        op->params = fake_take(node->function->params_bytes, 1);
        memcpy(op->params, node->params, node->function->params_bytes);
    }
    return op;
}

/* Launches of one graph follow each other; its branches run in any order. */
static void launch(struct fake_exec *exec, struct fake_stream *stream)
{
    const struct fake_graph *graph = exec->graph;
    fake_op *gate = fake_op_new(OP_MARK), *end = fake_op_new(OP_MARK);
    fake_op **ops = fake_take(graph->node_count, sizeof(*ops));
    fake_op_after(gate, exec->last);
    fake_follow(stream, gate);
    for (size_t i = 0; i < graph->node_count; i++) {
        const fake_op *node = graph->nodes[i];
        ops[i] = copy_node(node);
        fake_op_after(ops[i], gate);
        for (size_t d = 0; d < node->dep_count; d++)
            fake_op_after(ops[i], ops[node->deps[d]->time]);
        fake_op_after(end, ops[i]);
    }
    fake_follow(stream, end);
    fake_op_drop(exec->last);
    exec->last = fake_op_keep(end);
    fake_submit(gate);
    for (size_t i = 0; i < graph->node_count; i++) {
        fake_submit(ops[i]);
        fake_op_drop(ops[i]);
    }
    fake_submit(end);
    fake_op_drop(gate);
    fake_op_drop(end);
    free(ops);
}

DRIVER(cuGraphLaunch, cu_exec exec, cu_stream handle)
{
    ENTER(NEEDS_CONTEXT);
    struct fake_stream *stream = fake_stream_find(handle);
    if (stream == NULL || *find_exec(exec) == NULL)
        return fake_leave(CU_INVALID_HANDLE);
    if (stream->capture != NULL)
        return fake_leave(CU_NOT_SUPPORTED);
    launch(exec, stream);
    return fake_leave(CU_SUCCESS);
}

DRIVER(cuGraphUpload, cu_exec exec, cu_stream handle)
{
    ENTER(NEEDS_CONTEXT);
    const bool known = *find_exec(exec) != NULL && fake_stream_find(handle) != NULL;
    return fake_leave(known ? CU_SUCCESS : CU_INVALID_HANDLE);
}

size_t fake_graphs_live(void)
{
    size_t live = 0;
    for (const struct fake_graph *g = fake.graphs; g != NULL; g = g->next)
        live++;
    for (const struct fake_exec *e = fake.execs; e != NULL; e = e->next)
        live++;
    return live;
}

void fake_drop_graphs(void)
{
    while (fake.execs != NULL)
        unlink_exec(&fake.execs);
    while (fake.graphs != NULL)
        unlink_graph(&fake.graphs);
}
