/* Plans that were kept: taken again, and collected. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/cuda/choose.h"

static int32_t provider_of(const vrs_net *net, const char *name)
{
    for (int32_t p = 0; p < net->provider_count; p++)
        if (net->states[p] && strcmp(net->providers[p]->name, name) == 0)
            return p;
    return -1;
}

static vrs_status make_kept(const vrs_net *net, const vrs_plan_entry *entry, const vrs_conv *conv,
                            vrs_conv_plan **plan)
{
    int32_t p = provider_of(net, entry->provider);
    if (p < 0)
        return VRS_UNSUPPORTED;
    const vrs_conv_provider *by = net->providers[p];
    if (by->restore && entry->bytes > 0)
        return by->restore(net->states[p], conv, entry->data, entry->bytes, plan);
    bool known = entry->candidate >= 0 && entry->candidate < by->candidates(net->states[p], conv);
    return known ? by->prepare(net->states[p], conv, entry->candidate, plan) : VRS_UNSUPPORTED;
}

/* Takes the plan that was kept for a node, if there is one and it is still what it was. */
static vrs_status restore(const vrs_net_chooser *c, bool *done)
{
    vrs_net *net = c->net;
    const vrs_plan_entry *entry =
        net->cached ? vrs_plans_find(net->cached, c->program->batch, c->index) : NULL;
    *done = false;
    if (!entry || entry->kind < VRS_NET_WHOLE || entry->kind > VRS_NET_JOINED)
        return VRS_OK;
    int32_t next = vrs_net_only_reader(net, net->graph->nodes[c->index].outputs[0]);
    bool follow = entry->kind == VRS_NET_MORE;
    if (follow && (next < 0 || net->roles[next] != VRS_NET_FOLLOW))
        return VRS_OK;
    vrs_net_finding kept = {.candidate = entry->candidate, .kind = (vrs_net_kind)entry->kind};
    kept.conv = vrs_net_describe_conv(net, c->index, follow);
    if (entry->kind == VRS_NET_LESS && !vrs_net_leave_out(&kept.conv, false))
        return VRS_OK;
    vrs_status status = make_kept(net, entry, &kept.conv, &kept.plan);
    if (status != VRS_OK || strcmp(kept.plan->name, entry->name) != 0 ||
        kept.plan->workspace > VRS_NET_WORKSPACE_MAX) {
        vrs_conv_plan_free(status == VRS_OK ? kept.plan : NULL);
        return vrs_net_is_serious(status) ? status : VRS_OK;
    }
    status = vrs_net_grow_workspace(net, kept.plan->workspace);
    vrs_net_keep_choice(net, c->program, c->index, &kept);
    net->restored++;
    *done = status == VRS_OK;
    return status;
}

/* Plans that were kept, for all nodes that have one. `all`: nothing is left to choose. */
vrs_status vrs_net_restore_all(vrs_net_chooser *c, bool *all)
{
    const vrs_net *net = c->net;
    vrs_status status = VRS_OK;
    *all = net->cached != NULL;
    for (c->index = 0; c->index < net->graph->node_count && status == VRS_OK && net->cached;
         c->index++) {
        if (vrs_net_is_conv(&net->graph->nodes[c->index]) && net->roles[c->index] != VRS_NET_GONE &&
            !vrs_net_copy_choice(net, c->program, c->index)) {
            bool done;
            status = restore(c, &done);
            *all = *all && done;
        }
    }
    return status;
}

static vrs_status collect_program(const vrs_net_program *program, int32_t nodes, vrs_plans *plans)
{
    vrs_status status = VRS_OK;
    for (int32_t n = 0; n < nodes && status == VRS_OK; n++) {
        const vrs_net_conv_choice *choice = &program->convs[n];
        if (!choice->plan || !choice->owned)
            continue;
        const vrs_conv_provider *by = choice->plan->provider;
        vrs_plan_entry entry = {.batch = program->batch,
                                .node = n,
                                .kind = choice->joined ? VRS_NET_JOINED : (int32_t)choice->kind,
                                .candidate = choice->candidate};
        (void)snprintf(entry.provider, sizeof entry.provider, "%s", by->name);
        (void)snprintf(entry.name, sizeof entry.name, "%s", choice->plan->name);
        void *data = NULL;
        /* A plan that cannot be saved is made from its number again. */
        if (by->save && by->save(choice->plan, &data, &entry.bytes) != VRS_OK) {
            entry.bytes = 0;
            data = NULL;
        }
        entry.data = data;
        status = vrs_plans_add(plans, &entry);
        vrs_free(data);
    }
    return status;
}

/* Plans of sizes that were kept before and are not in use now stay. */
static vrs_status collect_kept(const vrs_net *net, vrs_plans *plans)
{
    vrs_status status = VRS_OK;
    for (int32_t i = 0; net->cached && i < vrs_plans_count(net->cached) && status == VRS_OK; i++) {
        const vrs_plan_entry *entry = vrs_plans_at(net->cached, i);
        bool used = false;
        for (int32_t p = 0; p < net->program_count; p++)
            used = used || net->programs[p].batch == entry->batch;
        status = used ? VRS_OK : vrs_plans_add(plans, entry);
    }
    return status;
}

vrs_status vrs_net_collect(const vrs_net *net, const char *key, vrs_plans **result)
{
    vrs_plans *plans;
    vrs_status status = vrs_plans_create(key, &plans);
    if (status != VRS_OK)
        return status;
    for (int32_t p = 0; p < net->program_count && status == VRS_OK; p++)
        status = collect_program(&net->programs[p], net->graph->node_count, plans);
    if (status == VRS_OK)
        status = collect_kept(net, plans);
    if (status != VRS_OK) {
        vrs_plans_destroy(plans);
        return status;
    }
    *result = plans;
    return VRS_OK;
}
