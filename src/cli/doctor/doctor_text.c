/* The doctor's lines for people. */
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/doctor/doctor.h"

#define NAME_WIDTH 17
#define KERNEL_WIDTH 30 /* "cuda:0 preprocess, whole rows" */
#define STATE_WIDTH 8

/* Columns of the terminal; 0: no terminal, lines are as long as they are. */
static int columns(void)
{
    struct winsize size;
    if (!isatty(STDOUT_FILENO))
        return 0;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 40 ? size.ws_col : 80;
}

/* Prints a text whose line has `used` columns already, broken between words, each further line
 * behind `indent` blanks. */
static void print_wrapped(const char *text, int indent)
{
    int width = columns(), at = indent;
    for (const char *word = text; *word != 0;) {
        size_t length = strcspn(word, " ");
        if (width > 0 && at > indent && at + 1 + (int)length > width) {
            (void)printf("\n%*s", indent, "");
            at = indent;
        } else if (at > indent) {
            (void)putchar(' ');
            at++;
        }
        (void)printf("%.*s", (int)length, word);
        at += (int)length;
        word += length;
        word += *word == ' ';
    }
    (void)putchar('\n');
}

static void print_fact(const char *name, const char *text)
{
    (void)printf("%-*s ", NAME_WIDTH, name);
    print_wrapped(text, NAME_WIDTH + 1);
}

static const char *gigabytes(int64_t bytes, char text[32])
{
    if (bytes < 0)
        (void)snprintf(text, 32, "unknown");
    else
        (void)snprintf(text, 32, "%.1f GB", (double)bytes / 1e9);
    return text;
}

static void print_system(const vrs_system_info *s)
{
    char text[1024];
    (void)snprintf(text, sizeof(text), "%s, kernel %s%s%s%s%s",
                   s->os[0] != 0 ? s->os : "unknown system", s->kernel,
                   s->container[0] != 0 ? ", in a container: " : "", s->container,
                   s->hypervisor[0] != 0 ? ", in a virtual machine: " : "", s->hypervisor);
    print_fact("system", text);
    (void)snprintf(text, sizeof(text), "%s, %d of %d cores to be used, kernels for %s", s->cpu_name,
                   s->cpus_usable, s->cpus_online, s->cpu_isa);
    print_fact("processor", text);
    if (s->clock_source[0] != 0) {
        (void)snprintf(text, sizeof(text), "%s%s%s", s->clock_source,
                       s->governor[0] != 0 ? ", governor " : "", s->governor);
        print_fact("clock", text);
    }
    char total[32], available[32], limit[32];
    (void)snprintf(text, sizeof(text), "%s, %s available%s%s, %s of swap",
                   gigabytes(s->memory_total, total), gigabytes(s->memory_available, available),
                   s->memory_limit > 0 ? ", limited to " : "",
                   s->memory_limit > 0 ? gigabytes(s->memory_limit, limit) : "",
                   gigabytes(s->swap_total, (char[32]){0}));
    print_fact("memory", text);
    for (int32_t i = 0; i < s->numa_count && s->numa_count > 1; i++) {
        const vrs_numa_node *n = &s->numa[i];
        (void)snprintf(text, sizeof(text), "node %d: %d processors (%s), %s", n->number, n->cpus,
                       n->cpu_list, gigabytes(n->memory_total, total));
        print_fact(i == 0 ? "NUMA" : "", text);
    }
}

static void print_gpus(const vrs_doctor *d)
{
    char text[1024], total[32], free_memory[32];
    if (d->gpu_count == 0)
        print_fact("GPU", d->no_gpu);
    for (int32_t i = 0; i < d->gpu_count; i++) {
        const vrs_gpu_info *g = &d->gpus[i];
        if (g->usable)
            (void)snprintf(text, sizeof(text),
                           "cuda:%d %s, compute capability %d.%d, %d multiprocessors, %s, %s "
                           "free, driver %s, CUDA %d.%d",
                           g->number, g->name, g->major, g->minor, g->multiprocessors,
                           gigabytes(g->memory_total, total),
                           gigabytes(g->memory_free, free_memory),
                           g->driver[0] != 0 ? g->driver : "unknown", g->cuda_version / 1000,
                           g->cuda_version % 1000 / 10);
        else
            (void)snprintf(text, sizeof(text), "cuda:%d %s cannot be used: %s", g->number, g->name,
                           g->reason);
        print_fact("GPU", text);
    }
}

void vrs_doctor_print_machine(const vrs_doctor *d)
{
    char text[5000], room[32], total[32];
    print_fact("vrseg", d->system.version);
    print_system(&d->system);
    print_gpus(d);
    (void)snprintf(text, sizeof(text), "libavcodec %s, libavformat %s; hardware: %s",
                   d->media.codec, d->media.format, d->media.hardware);
    print_fact("libav", text);
    if (d->models_known < 0)
        (void)snprintf(text, sizeof(text), "none can be listed");
    else
        (void)snprintf(text, sizeof(text), "%d of %d installed in %s", d->models_installed,
                       d->models_known, d->models_folder);
    print_fact("models", text);
    if (d->disk.available >= 0) {
        int used = snprintf(text, sizeof(text), "%s free of %s in the working folder (%s)",
                            gigabytes(d->disk.available, room), gigabytes(d->disk.total, total),
                            d->disk.filesystem);
        if (d->write_rate > 0)
            (void)snprintf(text + used, sizeof(text) - (size_t)used, ", %.0f MB/s written%s",
                           d->write_rate / 1e6, d->read_rate > 0 ? "" : " (not read back)");
        print_fact("disk", text);
    }
}

void vrs_doctor_print_heading(const char *heading)
{
    (void)printf("\n%s\n", heading);
}

void vrs_doctor_print_check(const vrs_check *check, vrs_doctor_section section)
{
    const char *failed = section == VRS_DOCTOR_REQUIREMENTS ? "missing" : "failed";
    const char *const states[] = {"ok", "warn", failed, "-"};
    int width = section == VRS_DOCTOR_SELF_TEST ? KERNEL_WIDTH : NAME_WIDTH;
    (void)printf("%-*s %-*s ", STATE_WIDTH, states[check->state], width, check->name);
    print_wrapped(check->found, STATE_WIDTH + width + 2);
    if (check->state != VRS_CHECK_WARNING && check->state != VRS_CHECK_FAILED)
        return;
    static const char *const labels[] = {"wanted:", "for:", "do:"};
    const char *const texts[] = {check->wanted, check->gives, check->remedy};
    for (int i = 0; i < 3; i++) {
        if (texts[i][0] == 0)
            continue;
        (void)printf("%*s%-8s", STATE_WIDTH + 1, "", labels[i]);
        print_wrapped(texts[i], STATE_WIDTH + 9);
    }
    (void)fflush(stdout);
}
