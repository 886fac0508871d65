/* The options that `vrseg tune` searches over, and the values that it tries. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/tune/tune.h"

/* Beyond so many threads or requests more are never tried. */
#define MOST_THREADS 64

static vrs_tune_parameter *add(vrs_tune_choices *c, const char *name)
{
    int32_t i = c->count++;
    c->parameters[i] =
        (vrs_tune_parameter){.name = name, .values = c->values[i], .positions = c->positions[i]};
    return &c->parameters[i];
}

static void add_value(vrs_tune_choices *c, const char *text, double position)
{
    int32_t i = c->count - 1;
    vrs_tune_parameter *p = &c->parameters[i];
    (void)snprintf(c->texts[i][p->count], sizeof(c->texts[i][0]), "%s", text);
    c->values[i][p->count] = c->texts[i][p->count];
    c->positions[i][p->count] = position;
    p->count++;
}

static void add_number(vrs_tune_choices *c, int32_t number)
{
    char text[24];
    (void)snprintf(text, sizeof(text), "%d", number);
    add_value(c, text, log2(number > 0 ? number : 0.5));
}

/* Set by a flag, a file or the environment. */
static bool is_fixed(const vrs_config *config, const char *name)
{
    return vrs_config_get_layer(config, name) != VRS_LAYER_DEFAULT;
}

/* "auto", which stands for `automatic` (0: not known), and the powers of two from `low` on, with
 * `high` at the end. */
static void add_powers(vrs_tune_choices *c, const vrs_config *config, const char *name, int32_t low,
                       int32_t high, int32_t automatic)
{
    if (is_fixed(config, name) || high < low)
        return;
    (void)add(c, name);
    add_value(c, "auto", automatic > 0 ? log2(automatic) : log2(high) + 0.5);
    for (int32_t n = low; n < high; n *= 2)
        if (n != automatic)
            add_number(c, n);
    if (high != automatic)
        add_number(c, high);
}

static void add_delay(vrs_tune_choices *c, const vrs_config *config)
{
    static const char *const delays[] = {"2000", "0", "10000"};
    static const double positions[] = {1, 0, 2};
    if (is_fixed(config, "max_queue_delay_us"))
        return;
    (void)add(c, "max_queue_delay_us");
    for (int i = 0; i < 3; i++)
        add_value(c, delays[i], positions[i]);
}

static void add_decoder(vrs_tune_choices *c, const vrs_config *config)
{
    if (is_fixed(config, "decoder"))
        return;
    add(c, "decoder")->positions = NULL;
    add_value(c, "auto", 0);
    add_value(c, "cpu", 0);
}

void vrs_tune_choices_make(vrs_tune_choices *c, const vrs_config *config,
                           const vrs_tune_report *first, bool decodes, bool encodes)
{
    int32_t cores = vrs_cpu_count() < MOST_THREADS ? vrs_cpu_count() : MOST_THREADS;
    int32_t requests = 2 * cores < MOST_THREADS ? 2 * cores : MOST_THREADS;
    bool gpu = strncmp(first->device, "cuda", 4) == 0;
    c->count = 0;
    add_powers(c, config, "max_batch_size", 1, gpu ? 16 : 8, 1);
    if (gpu)
        add_powers(c, config, "lanes", 1, 8, 4);
    if (!gpu || !first->network_on_gpu) {
        add_powers(c, config, "requests", 1, requests, first->requests);
        add_powers(c, config, "engine_threads", 1, cores, cores);
    }
    add_powers(c, config, "tickets", 4, gpu ? 128 : 64, first->tickets);
    if (!gpu) {
        add_powers(c, config, "preprocess_threads", 1, cores, first->preprocess_threads);
        add_powers(c, config, "postprocess_threads", 1, cores, first->postprocess_threads);
    }
    if (decodes && gpu)
        add_decoder(c, config);
    if (decodes)
        add_powers(c, config, "decoder_threads", 1, cores, 0);
    if (encodes)
        add_powers(c, config, "encoder_threads", 1, cores, 0);
    add_delay(c, config);
}

static const vrs_option_info *find_option(const vrs_config *config, const char *name)
{
    for (size_t i = 0; i < vrs_config_count(config); i++)
        if (strcmp(vrs_config_option(config, i)->name, name) == 0)
            return vrs_config_option(config, i);
    return NULL;
}

/* Takes "V,V,V" apart; each must be a value of the option. The config stays as it was. */
static vrs_status add_values(vrs_tune_choices *c, vrs_config *config, const vrs_option_info *o,
                             const char *values)
{
    char before[64];
    (void)snprintf(before, sizeof(before), "%s", vrs_config_get(config, o->name));
    bool number = o->type == VRS_OPTION_INT;
    vrs_tune_parameter *p = add(c, o->name);
    vrs_status status = VRS_OK;
    for (const char *v = values; status == VRS_OK; v += strcspn(v, ",") + 1) {
        char text[24];
        size_t length = strcspn(v, ",");
        if (p->count == VRS_TUNE_MAX_VALUES)
            return vrs_fail(VRS_INVALID, "--search %s: more than %d values", o->name,
                            VRS_TUNE_MAX_VALUES);
        (void)snprintf(text, sizeof(text), "%.*s", (int)length, v);
        status = vrs_config_set(config, o->name, text);
        if (status != VRS_OK)
            break;
        double n = strtod(text, NULL);
        add_value(c, text, n > 0 ? log2(n) : -1);
        if (v[length] == 0)
            break;
    }
    p->positions = number ? p->positions : NULL;
    vrs_status back = vrs_config_set(config, o->name, before);
    return status != VRS_OK ? vrs_fail_in(status, "--search") : back;
}

vrs_status vrs_tune_choices_add(vrs_tune_choices *c, vrs_config *config, const char *text)
{
    char name[64];
    const char *equal = strchr(text, '=');
    (void)snprintf(name, sizeof(name), "%.*s", equal != NULL ? (int)(equal - text) : 63, text);
    for (char *l = name; *l != 0; l++)
        *l = *l == '-' ? '_' : *l;
    const vrs_option_info *o = find_option(config, name);
    if (equal == NULL || equal[1] == 0)
        return vrs_fail(VRS_INVALID, "--search %s: expected NAME=VALUE,VALUE,...", text);
    if (o == NULL || !vrs_tuned_option(name))
        return vrs_fail(VRS_INVALID, "--search %s: this is no option of speed", name);
    for (int32_t i = 0; i < c->count; i++)
        if (strcmp(c->parameters[i].name, name) == 0)
            return vrs_fail(VRS_INVALID, "--search %s: named twice", name);
    return add_values(c, config, o, equal + 1);
}

vrs_status vrs_tune_choices_set(const vrs_tune_choices *c, const int32_t *choice,
                                vrs_config *config)
{
    vrs_status status = VRS_OK;
    for (int32_t i = 0; i < c->count && status == VRS_OK; i++)
        status = vrs_config_set(config, c->parameters[i].name, c->values[i][choice[i]]);
    return status;
}

void vrs_tune_choices_text(const vrs_tune_choices *c, const int32_t *choice, char *text,
                           size_t size)
{
    size_t used = 0;
    text[0] = 0;
    for (int32_t i = 0; i < c->count && used < size; i++)
        if (choice[i] != c->parameters[i].start)
            used += (size_t)snprintf(text + used, size - used, "%s%s %s", used > 0 ? ", " : "",
                                     c->parameters[i].name, c->values[i][choice[i]]);
    if (used == 0)
        (void)snprintf(text, size, "all as it is");
}
