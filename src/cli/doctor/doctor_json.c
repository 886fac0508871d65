/* The doctor's findings as JSON; docs/doctor.md describes every member. */
#include "cli/doctor/doctor.h"

#include "cli/json.h"

/* A number that is not known is null. */
static void known(yajl_gen gen, const char *name, int64_t value)
{
    if (value >= 0) {
        vrs_json_integer(gen, name, value);
        return;
    }
    vrs_json_key(gen, name);
    (void)yajl_gen_null(gen);
}

static void truth(yajl_gen gen, const char *name, bool value)
{
    vrs_json_key(gen, name);
    (void)yajl_gen_bool(gen, value);
}

/* INT64_MAX is no limit: null. */
static void limit(yajl_gen gen, const char *name, int64_t value)
{
    known(gen, name, value == INT64_MAX ? -1 : value);
}

static void write_system(yajl_gen gen, const vrs_system_info *s)
{
    vrs_json_key(gen, "system");
    (void)yajl_gen_map_open(gen);
    vrs_json_text(gen, "os", s->os);
    vrs_json_text(gen, "kernel", s->kernel);
    vrs_json_text(gen, "container", s->container);
    vrs_json_text(gen, "hypervisor", s->hypervisor);
    vrs_json_text(gen, "cpu", s->cpu_name);
    vrs_json_text(gen, "isa", s->cpu_isa);
    vrs_json_text(gen, "governor", s->governor);
    vrs_json_text(gen, "clock_source", s->clock_source);
    known(gen, "cpus_online", s->cpus_online);
    known(gen, "cpus_usable", s->cpus_usable);
    known(gen, "cpu_quota", s->cpu_quota > 0 ? s->cpu_quota : -1);
    known(gen, "sockets", s->sockets);
    known(gen, "cores", s->cores);
    known(gen, "memory_total_bytes", s->memory_total);
    known(gen, "memory_available_bytes", s->memory_available);
    known(gen, "memory_limit_bytes", s->memory_limit > 0 ? s->memory_limit : -1);
    known(gen, "swap_total_bytes", s->swap_total);
    known(gen, "swap_free_bytes", s->swap_free);
    limit(gen, "open_files", s->open_files);
    limit(gen, "file_bytes", s->file_bytes);
    vrs_json_text(gen, "nvidia_module", s->nvidia_module);
    vrs_json_key(gen, "numa");
    (void)yajl_gen_array_open(gen);
    for (int32_t i = 0; i < s->numa_count; i++) {
        (void)yajl_gen_map_open(gen);
        vrs_json_integer(gen, "node", s->numa[i].number);
        vrs_json_integer(gen, "cpus", s->numa[i].cpus);
        vrs_json_text(gen, "cpu_list", s->numa[i].cpu_list);
        known(gen, "memory_total_bytes", s->numa[i].memory_total);
        known(gen, "memory_free_bytes", s->numa[i].memory_free);
        (void)yajl_gen_map_close(gen);
    }
    (void)yajl_gen_array_close(gen);
    (void)yajl_gen_map_close(gen);
}

static void write_gpus(yajl_gen gen, const vrs_doctor *d)
{
    vrs_json_text(gen, "no_gpu", d->no_gpu);
    vrs_json_key(gen, "gpus");
    (void)yajl_gen_array_open(gen);
    for (int32_t i = 0; i < d->gpu_count; i++) {
        const vrs_gpu_info *g = &d->gpus[i];
        (void)yajl_gen_map_open(gen);
        vrs_json_integer(gen, "number", g->number);
        truth(gen, "usable", g->usable);
        vrs_json_text(gen, "reason", g->reason);
        vrs_json_text(gen, "name", g->name);
        vrs_json_text(gen, "pci", g->pci);
        vrs_json_text(gen, "driver", g->driver);
        known(gen, "cuda_version", g->cuda_version);
        known(gen, "compute_major", g->major);
        known(gen, "compute_minor", g->minor);
        known(gen, "multiprocessors", g->multiprocessors);
        known(gen, "copy_engines", g->copy_engines);
        known(gen, "numa_node", g->numa_node);
        known(gen, "memory_total_bytes", g->memory_total);
        known(gen, "memory_free_bytes", g->memory_free);
        (void)yajl_gen_map_close(gen);
    }
    (void)yajl_gen_array_close(gen);
}

static void write_rest(yajl_gen gen, const vrs_doctor *d)
{
    vrs_json_key(gen, "media");
    (void)yajl_gen_map_open(gen);
    vrs_json_text(gen, "libavcodec", d->media.codec);
    vrs_json_text(gen, "libavformat", d->media.format);
    vrs_json_text(gen, "libavutil", d->media.util);
    vrs_json_text(gen, "libswscale", d->media.scale);
    vrs_json_text(gen, "licence", d->media.licence);
    vrs_json_text(gen, "decoders", d->media.decoders);
    vrs_json_text(gen, "encoders", d->media.encoders);
    vrs_json_text(gen, "hardware", d->media.hardware);
    (void)yajl_gen_map_close(gen);
    vrs_json_key(gen, "models");
    (void)yajl_gen_map_open(gen);
    vrs_json_text(gen, "folder", d->models_folder);
    known(gen, "installed", d->models_known < 0 ? -1 : d->models_installed);
    known(gen, "known", d->models_known);
    (void)yajl_gen_map_close(gen);
    vrs_json_key(gen, "disk");
    (void)yajl_gen_map_open(gen);
    vrs_json_text(gen, "filesystem", d->disk.filesystem);
    truth(gen, "writable", d->disk.writable);
    known(gen, "total_bytes", d->disk.total);
    known(gen, "available_bytes", d->disk.available);
    known(gen, "write_bytes_per_second", d->write_rate > 0 ? (int64_t)d->write_rate : -1);
    known(gen, "read_bytes_per_second", d->read_rate > 0 ? (int64_t)d->read_rate : -1);
    (void)yajl_gen_map_close(gen);
}

static void write_checks(yajl_gen gen, const char *name, const vrs_doctor_list *list)
{
    static const char *const states[] = {"ok", "warning", "failed", "skipped"};
    vrs_json_key(gen, name);
    (void)yajl_gen_array_open(gen);
    for (size_t i = 0; i < list->count; i++) {
        const vrs_check *check = &list->checks[i];
        (void)yajl_gen_map_open(gen);
        vrs_json_text(gen, "name", check->name);
        vrs_json_text(gen, "state", states[check->state]);
        truth(gen, "required", check->required);
        vrs_json_text(gen, "found", check->found);
        vrs_json_text(gen, "wanted", check->wanted);
        vrs_json_text(gen, "gives", check->gives);
        vrs_json_text(gen, "remedy", check->remedy);
        (void)yajl_gen_map_close(gen);
    }
    (void)yajl_gen_array_close(gen);
}

void vrs_doctor_print_json(const vrs_doctor *d)
{
    yajl_gen gen = yajl_gen_alloc(NULL);
    if (gen == NULL)
        return;
    (void)yajl_gen_config(gen, yajl_gen_beautify, 1);
    (void)yajl_gen_config(gen, yajl_gen_validate_utf8, 1);
    (void)yajl_gen_map_open(gen);
    vrs_json_text(gen, "schema", "vrseg-doctor");
    vrs_json_integer(gen, "schema_version", VRS_DOCTOR_SCHEMA_VERSION);
    vrs_json_text(gen, "version", d->system.version);
    truth(gen, "can_run", d->failed == 0);
    write_system(gen, &d->system);
    write_gpus(gen, d);
    write_rest(gen, d);
    write_checks(gen, "requirements", &d->lists[VRS_DOCTOR_REQUIREMENTS]);
    if (d->deploy != NULL)
        write_checks(gen, "deployment", &d->lists[VRS_DOCTOR_DEPLOYMENT]);
    if (d->self_test)
        write_checks(gen, "self_test", &d->lists[VRS_DOCTOR_SELF_TEST]);
    (void)yajl_gen_map_close(gen);
    const unsigned char *json;
    size_t length;
    if (yajl_gen_get_buf(gen, &json, &length) == yajl_gen_status_ok)
        (void)fwrite(json, 1, length, stdout);
    yajl_gen_free(gen);
}
