#include "tune/tables.h"

#include <math.h>
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
