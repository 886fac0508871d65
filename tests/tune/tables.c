#include "tune/tables.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const powers[] = {"1", "2", "4", "8", "16", "32"};
static const double exponents[] = {0, 1, 2, 3, 4, 5};
static const char *const counts[] = {"1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12"};
static const double steps[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

static double power(int32_t index)
{
    return (double)(1 << index);
}

/* ---- sixteen cores: stages that share them; 5 x 5 x 4 x 5 x 4 x 4 x 5 = 40,000 ---- */

static const vrs_tune_parameter cores_parameters[] = {
    {"max_batch_size", powers, 5, 0, exponents},
    {"requests", powers, 5, 4, exponents},
    {"tickets", powers + 2, 4, 2, exponents + 2},
    {"decoder_threads", powers, 5, 2, exponents},
    {"preprocess_threads", powers, 4, 2, exponents},
    {"postprocess_threads", powers, 4, 3, exponents},
    {"encoder_threads", powers, 5, 4, exponents}};

/* A stage of `threads` threads that needs `ms` of a core for a frame; Amdahl's law. */
static double stage_rate(double threads, double ms, double serial)
{
    return 1000 / (ms * (serial + (1 - serial) / threads));
}

static bool cores(const int32_t *c, vrs_tune_measurement *m)
{
    double batch = power(c[0]), requests = power(c[1]), tickets = 4 * power(c[2]);
    double decode = power(c[3]), pre = power(c[4]), post = power(c[5]), encode = power(c[6]);
    double in_flight = fmin(requests * batch, tickets * 0.7);
    double rate = in_flight * 1000 / (45 * (1 + 0.9 * (batch - 1)));
    rate = fmin(rate, stage_rate(decode, 9, 0.1));
    rate = fmin(rate, stage_rate(pre, 2.2, 0.02));
    rate = fmin(rate, stage_rate(post, 4.5, 0.02));
    rate = fmin(rate, stage_rate(encode, 14, 0.12));
    double work = 45 * (0.9 + 0.1 / batch) + 9 + 2.2 + 4.5 + 14;
    double threads = requests + decode + pre + post + encode;
    double lost = threads > 20 ? 0.011 * (threads - 20) : 0; /* switching and caches */
    m->fps = fmin(rate, 16 * 1000 / work * (1 - fmin(lost, 0.6)));
    m->latency_ms = 1000 * tickets / m->fps;
    return true;
}

/* ---- a GPU: batch, lanes, tickets, delay, decoder; 5 x 4 x 4 x 3 x 2 = 480 ---- */

static const char *const delays[] = {"0", "2000", "10000"};
static const double delay_steps[] = {0, 1, 2};
static const char *const decoders[] = {"auto", "cpu"};
static const vrs_tune_parameter gpu_parameters[] = {
    {"max_batch_size", powers, 5, 0, exponents},
    {"lanes", powers, 4, 2, exponents},
    {"tickets", powers + 2, 4, 1, exponents + 2},
    {"max_queue_delay_us", delays, 3, 1, delay_steps},
    {"decoder", decoders, 2, 0, NULL}};

static bool gpu(const int32_t *c, vrs_tune_measurement *m)
{
    double batch = power(c[0]), lanes = power(c[1]), tickets = 4 * power(c[2]);
    if (batch * lanes > 64)
        return false; /* out of memory */
    double filled = fmin(batch, tickets / (lanes + 1));
    filled = fmax(filled, 1) * (c[3] == 0 ? 0.8 : 1);
    double busy = fmin(1, lanes * 0.42); /* copies beside computing */
    double rate = busy * 1000 * filled / (0.9 + 0.62 * filled);
    rate = fmin(rate, c[4] == 0 ? 1150 : 540);
    m->fps = rate * (lanes > 4 ? 0.96 : 1);
    m->latency_ms = 1000 * fmin(tickets, batch * lanes) / m->fps + (c[3] == 2 ? 6 : c[3]) + 1.5;
    return true;
}

/* ---- a ridge: two settings must grow together; 12 x 12 x 4 = 576 ---- */

static const vrs_tune_parameter ridge_parameters[] = {
    {"a", counts, 12, 0, steps}, {"b", counts, 12, 1, steps}, {"c", powers, 4, 0, exponents}};

static bool ridge(const int32_t *c, vrs_tune_measurement *m)
{
    double across = c[0] - c[1], along = c[0] + c[1];
    m->fps = 100 * exp(-0.12 * across * across) * (0.3 + along / 22) * (1 - 0.04 * abs(c[2] - 2));
    m->latency_ms = 5 + along;
    return true;
}

/* ---- two hills, the higher one far from the start; 12 x 12 x 5 = 720 ---- */

static const vrs_tune_parameter hills_parameters[] = {
    {"a", counts, 12, 1, steps}, {"b", counts, 12, 2, steps}, {"c", powers, 5, 0, exponents}};

static double hill(double x, double y, double width)
{
    return exp(-(x * x + y * y) / (2 * width * width));
}

static bool hills(const int32_t *c, vrs_tune_measurement *m)
{
    m->fps = 40 + 60 * hill(c[0] - 2, c[1] - 2, 2.2) + 90 * hill(c[0] - 8, c[1] - 9, 2.4);
    m->fps *= 1 - 0.05 * abs(c[2] - 3);
    m->latency_ms = 1000 / m->fps;
    return true;
}

/* ---- names without an order that decide together; 6 x 6 x 6 = 216 ---- */

static const char *const names[] = {"a", "b", "c", "d", "e", "f"};
static const vrs_tune_parameter names_parameters[] = {
    {"x", names, 6, 0, NULL}, {"y", names, 6, 3, NULL}, {"z", powers, 6, 1, exponents}};

static bool by_name(const int32_t *c, vrs_tune_measurement *m)
{
    static const double x[] = {0.7, 1, 0.9, 0.5, 0.8, 0.6}, y[] = {0.8, 0.6, 0.95, 0.7, 1, 0.5};
    double together = c[0] == 2 && c[1] == 4 ? 1.15 : 1;
    m->fps = 200 * x[c[0]] * y[c[1]] * together * (0.7 + 0.3 * (1 - fabs(c[2] - 3.0) / 4));
    m->latency_ms = 1000 / m->fps;
    return true;
}

/* ---- nothing matters; 6 x 6 x 6 = 216 ---- */

static const vrs_tune_parameter flat_parameters[] = {
    {"a", powers, 6, 2, exponents}, {"b", powers, 6, 2, exponents}, {"c", powers, 6, 2, exponents}};

static bool flat(const int32_t *c, vrs_tune_measurement *m)
{
    (void)c;
    *m = (vrs_tune_measurement){120, 20};
    return true;
}

#define TABLE(name, yields)                                                                        \
    {                                                                                              \
#name, name##_parameters, sizeof(name##_parameters) / sizeof(name##_parameters[0]), yields \
    }

const tune_table tune_tables[] = {TABLE(cores, cores),
                                  TABLE(gpu, gpu),
                                  TABLE(ridge, ridge),
                                  TABLE(hills, hills),
                                  TABLE(names, by_name),
                                  TABLE(flat, flat),
                                  {0}};

const tune_table *tune_table_find(const char *name)
{
    const tune_table *t = tune_tables;
    while (t->name != NULL && strcmp(t->name, name) != 0)
        t++;
    return t->name != NULL ? t : NULL;
}

/* ---- machines that are drawn ---- */

/* A video's way through a machine: what each stage needs of a core for a frame and how much of that
 * no second thread takes over, what batches save, what switching costs. The rate is the least that
 * any of these allows: threads of a stage, the cores together, frames in flight. */
typedef struct drawn_machine {
    double cores, gpu;                       /* the network runs on a GPU: 0 or 1 */
    double decode, pre, infer, post, encode; /* ms of a core for a frame */
    double decode_serial, infer_serial, encode_serial;
    double batch_gain; /* share of the network's time that a large batch saves */
    double switching;  /* lost for each thread of a core beyond two */
    double room;       /* views that fit into memory at once */
    double uneven;     /* what nobody can explain, as a share */
    uint64_t seed;
} drawn_machine;

static drawn_machine drawn;
static vrs_tune_parameter drawn_parameters[8];
static tune_table drawn_table = {"drawn", drawn_parameters, 8, NULL};

/* 0 to below 1; the same for the same seed. */
static double draw_even(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (double)(*seed >> 40) * 0x1p-24;
}

/* Between the two, each doubling as likely. */
static double draw_between(uint64_t *seed, double low, double high)
{
    return low * exp(draw_even(seed) * log(high / low));
}

/* Of these settings alone, and the same each time: -1 to 1. */
static double unevenness(const int32_t *c)
{
    uint64_t hash = drawn.seed * 977 + 13;
    for (int32_t i = 0; i < drawn_table.count; i++)
        hash = (hash ^ (uint64_t)c[i]) * UINT64_C(1099511628211);
    (void)draw_even(&hash);
    return 2 * draw_even(&hash) - 1;
}

static bool drawn_yield(const int32_t *c, vrs_tune_measurement *m)
{
    const drawn_machine *d = &drawn;
    double batch = power(c[0]), requests = power(c[1]), tickets = 4 * power(c[2]);
    double pre = power(c[3]), post = power(c[4]), decode = power(c[5]), encode = power(c[6]);
    if (batch * requests > d->room)
        return false;
    /* With no delay a batch goes as it is, with one it fills as far as there are frames. */
    double filled = fmin(batch, fmax(1, tickets / (requests + 1)));
    filled = c[7] == 0 ? 0.5 + 0.5 * filled : filled;
    double view = d->infer * (1 - d->batch_gain * (1 - 1 / filled));
    double rate = d->gpu > 0 ? fmin(requests * 0.45, 1) * 1000 / view
                             : stage_rate(fmin(requests, d->cores), view, d->infer_serial);
    rate = fmin(rate, stage_rate(fmin(decode, d->cores), d->decode, d->decode_serial));
    rate = fmin(rate, stage_rate(fmin(pre, d->cores), d->pre, 0.02));
    rate = fmin(rate, stage_rate(fmin(post, d->cores), d->post, 0.02));
    rate = fmin(rate, stage_rate(fmin(encode, d->cores), d->encode, d->encode_serial));
    double alone = d->decode + d->pre + view * filled + d->post + d->encode;
    rate = fmin(rate, 0.8 * tickets * 1000 / (alone + (double)c[7]));
    double threads = decode + pre + post + encode + (d->gpu > 0 ? 1 : requests);
    double over = fmax(0, threads / d->cores - 2);
    double work = d->decode + d->pre + d->post + d->encode + (d->gpu > 0 ? 0.4 : view);
    rate = fmin(rate, d->cores * 1000 / work * (1 - fmin(d->switching * over, 0.5)));
    m->fps = rate * (1 + d->uneven * unevenness(c));
    m->latency_ms = alone + (double)c[7] + 1000 * 0.7 * tickets / m->fps;
    return true;
}

static drawn_machine draw_machine(uint32_t number)
{
    static const double sizes[] = {2, 4, 8, 16};
    uint64_t seed = number * UINT64_C(0x9e3779b97f4a7c15);
    for (int i = 0; i < 4; i++)
        (void)draw_even(&seed);
    drawn_machine d = {.seed = number};
    d.cores = sizes[(int)(4 * draw_even(&seed))];
    d.gpu = draw_even(&seed) < 0.4 ? 1 : 0;
    d.decode = draw_between(&seed, 1, 20);
    d.pre = draw_between(&seed, 0.3, 6);
    d.infer = draw_between(&seed, 1.5, d.gpu > 0 ? 12 : 60);
    d.post = draw_between(&seed, 0.3, 8);
    d.encode = draw_between(&seed, 1, 25);
    d.decode_serial = draw_between(&seed, 0.02, 0.3);
    d.infer_serial = draw_between(&seed, 0.005, 0.1);
    d.encode_serial = draw_between(&seed, 0.05, 0.4);
    d.batch_gain = draw_between(&seed, 0.02, 0.8);
    d.switching = draw_between(&seed, 0.005, 0.1);
    d.room = draw_between(&seed, 8, 512);
    d.uneven = draw_between(&seed, 0.002, 0.02);
    return d;
}

const tune_table *tune_table_draw(uint32_t number)
{
    drawn = draw_machine(number);
    int32_t threads = drawn.cores > 8 ? 5 : drawn.cores > 4 ? 4 : drawn.cores > 2 ? 3 : 2;
    const vrs_tune_parameter made[] = {{"max_batch_size", powers, 5, 0, exponents},
                                       {"requests", powers, 4, 1, exponents},
                                       {"tickets", powers, 4, 1, exponents},
                                       {"preprocess_threads", powers, threads, 0, exponents},
                                       {"postprocess_threads", powers, threads, 1, exponents},
                                       {"decoder_threads", powers, threads, 1, exponents},
                                       {"encoder_threads", powers, threads, threads - 1, exponents},
                                       {"max_queue_delay_us", delays, 3, 1, delay_steps}};
    memcpy(drawn_parameters, made, sizeof(made));
    drawn_table.yield = drawn_yield;
    return &drawn_table;
}

/* ---- measured ones ---- */

#define MOST_ROWS 4096
#define MOST_LINE 512

static struct {
    tune_table table;
    vrs_tune_parameter parameters[VRS_TUNE_MAX_PARAMETERS];
    char names[VRS_TUNE_MAX_PARAMETERS][64];
    const char *values[VRS_TUNE_MAX_PARAMETERS][VRS_TUNE_MAX_VALUES];
    char texts[VRS_TUNE_MAX_PARAMETERS][VRS_TUNE_MAX_VALUES][24];
    double positions[VRS_TUNE_MAX_PARAMETERS][VRS_TUNE_MAX_VALUES];
    double fps[MOST_ROWS]; /* sum over the rows of a combination; 0: none, or it failed */
    int32_t rows[MOST_ROWS];
} loaded;

static void wrong(const char *path, int line, const char *what)
{
    fprintf(stderr, "%s:%d: %s\n", path, line, what);
    exit(1);
}

static int32_t row_of(const int32_t *choice)
{
    int32_t row = 0;
    for (int32_t i = 0; i < loaded.table.count; i++)
        row = row * loaded.parameters[i].count + choice[i];
    return row;
}

static bool loaded_yield(const int32_t *choice, vrs_tune_measurement *m)
{
    int32_t row = row_of(choice);
    m->fps = loaded.rows[row] > 0 ? loaded.fps[row] / loaded.rows[row] : 0;
    m->latency_ms = 1;
    return m->fps > 0;
}

/* The index of a value of parameter i, new ones in the order in which they come. */
static int32_t value_of(int32_t i, const char *text)
{
    vrs_tune_parameter *p = &loaded.parameters[i];
    for (int32_t v = 0; v < p->count; v++)
        if (strcmp(p->values[v], text) == 0)
            return v;
    if (p->count == VRS_TUNE_MAX_VALUES)
        return -1;
    snprintf(loaded.texts[i][p->count], sizeof(loaded.texts[i][0]), "%s", text);
    loaded.values[i][p->count] = loaded.texts[i][p->count];
    double number = strtod(text, NULL);
    loaded.positions[i][p->count] = number > 0 ? log2(number) : -1;
    return p->count++;
}

/* Names but for the last two columns. */
static void read_names(char *line)
{
    char *rest = NULL;
    for (char *name = strtok_r(line, ",\n", &rest); name != NULL && strcmp(name, "fps") != 0;
         name = strtok_r(NULL, ",\n", &rest)) {
        int32_t i = loaded.table.count++;
        snprintf(loaded.names[i], sizeof(loaded.names[i]), "%s", name);
        loaded.parameters[i] =
            (vrs_tune_parameter){loaded.names[i], loaded.values[i], 0, 0, loaded.positions[i]};
    }
}

/* One row; in the first pass the values are found, in the second the figures are kept. */
static bool read_row(char *line, bool keep)
{
    int32_t choice[VRS_TUNE_MAX_PARAMETERS];
    char *rest = NULL, *word = strtok_r(line, ",\n", &rest);
    for (int32_t i = 0; i < loaded.table.count; i++, word = strtok_r(NULL, ",\n", &rest)) {
        choice[i] = word != NULL ? value_of(i, word) : -1;
        if (choice[i] < 0)
            return false;
    }
    if (!keep || word == NULL)
        return word != NULL;
    int32_t row = row_of(choice);
    loaded.fps[row] += strcmp(word, "failed") == 0 ? 0 : strtod(word, NULL);
    loaded.rows[row]++;
    return true;
}

const tune_table *tune_table_load(const char *path)
{
    memset(&loaded, 0, sizeof(loaded));
    loaded.table.name = path;
    loaded.table.parameters = loaded.parameters;
    loaded.table.yield = loaded_yield;
    for (int pass = 0; pass < 2; pass++) {
        FILE *file = fopen(path, "r");
        char line[MOST_LINE];
        bool named = false;
        if (file == NULL)
            wrong(path, 0, "cannot be read");
        for (int number = 1; fgets(line, sizeof(line), file) != NULL; number++) {
            if (line[0] == '#')
                continue;
            if (named && !read_row(line, pass == 1))
                wrong(path, number, "values and figures were expected");
            if (!named && pass == 0)
                read_names(line);
            named = true;
        }
        fclose(file);
        if (vrs_tune_combinations(loaded.parameters, loaded.table.count) > MOST_ROWS)
            wrong(path, 0, "too many combinations");
    }
    int64_t size = vrs_tune_combinations(loaded.parameters, loaded.table.count);
    for (int64_t i = 0; i < size; i++)
        if (loaded.rows[i] == 0)
            wrong(path, 0, "a combination is missing");
    return &loaded.table;
}
