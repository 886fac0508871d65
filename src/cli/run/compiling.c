/* What a network's compiling shows: a line that is overwritten on a terminal, else a line at the
 * ends of each step and every few seconds between. */
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/json.h"

#define PLAIN_NS INT64_C(5000000000)
#define JSON_NS INT64_C(1000000000)

void vrs_compiling_start(vrs_compiling *c, vrs_progress_kind kind)
{
    *c = (vrs_compiling){.kind = kind, .terminal = isatty(STDERR_FILENO)};
}

/* Whether it is time for a line; the ends of a step always are. */
static bool is_due(vrs_compiling *c, const vrs_compile_progress *p, int64_t every_ns)
{
    int64_t now_ns = vrs_now_ns();
    if (p->done != 0 && p->done != p->all && now_ns < c->next_ns)
        return false;
    c->next_ns = now_ns + every_ns;
    return true;
}

static void show_json(const vrs_compile_progress *p)
{
    yajl_gen gen = yajl_gen_alloc(NULL);
    if (gen == NULL)
        return; /* a line less */
    (void)yajl_gen_map_open(gen);
    vrs_json_integer(gen, "compiling", p->batch);
    vrs_json_integer(gen, "size", p->size);
    vrs_json_integer(gen, "sizes", p->sizes);
    vrs_json_text(gen, "step", p->step);
    vrs_json_integer(gen, "done", p->done);
    vrs_json_integer(gen, "of", p->all);
    vrs_json_text(gen, "node", p->node);
    (void)yajl_gen_map_close(gen);
    vrs_json_line(gen, stderr);
    yajl_gen_free(gen);
}

void vrs_compiling_show(void *opaque, const vrs_compile_progress *p)
{
    vrs_compiling *c = opaque;
    if (c->kind == VRS_PROGRESS_NONE)
        return;
    if (c->kind == VRS_PROGRESS_JSON) {
        if (is_due(c, p, JSON_NS))
            show_json(p);
        return;
    }
    if (!c->terminal && !is_due(c, p, PLAIN_NS))
        return;
    bool compared = strcmp(p->step, "compared") == 0;
    (void)fprintf(stderr, "%svrseg: %s of %d (%d of %d): %s %d of %d%s",
                  c->terminal ? VRS_LINE_BEGIN : "",
                  compared ? "comparing batches" : "compiling for batches", p->batch, p->size,
                  p->sizes, p->step, p->done, p->all, c->terminal ? VRS_LINE_END : "\n");
    (void)fflush(stderr);
    c->shown = true;
    if (c->terminal && p->size == p->sizes && p->done == p->all && strcmp(p->step, "nodes") == 0)
        vrs_compiling_end(c);
}

void vrs_compiling_end(vrs_compiling *c)
{
    if (c->shown && c->terminal)
        (void)fputs(VRS_LINE_CLEAR, stderr);
    c->shown = false;
}
