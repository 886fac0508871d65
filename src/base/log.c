/* Log lines: level test without a lock, one call of the receiver at a time. */
#include "vrseg/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/text.h"

#define LINE_SIZE 1001

static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_int log_limit = VRS_LOG_WARNING;
static vrs_log_fn log_fn; /* under log_lock, as its opaque */
static void *log_opaque;

/* True while this thread is inside the receiver: it holds log_lock already. */
static _Thread_local bool inside_receiver;

static void write_to_stderr(const char *line)
{
    fprintf(stderr, "vrseg: %s\n", line);
}

void vrs_log_set(vrs_log_fn fn, void *opaque, vrs_log_level level)
{
    if (!inside_receiver)
        pthread_mutex_lock(&log_lock);
    log_fn = fn;
    log_opaque = opaque;
    atomic_store_explicit(&log_limit, (int)level, memory_order_relaxed);
    if (!inside_receiver)
        pthread_mutex_unlock(&log_lock);
}

/* Libraries' messages come with line ends in and behind them. */
static void make_one_line(char *line)
{
    char *end = line;
    for (char *c = line; *c != '\0'; c++) {
        if (*c == '\n' || *c == '\r')
            *c = ' ';
        if (*c != ' ')
            end = c + 1;
    }
    *end = '\0';
}

void vrs_log(vrs_log_level level, const char *format, ...)
{
    if ((int)level > atomic_load_explicit(&log_limit, memory_order_relaxed) || inside_receiver)
        return;
    int saved = errno;
    char line[LINE_SIZE];
    va_list args;
    va_start(args, format);
    vrs_text_vformat(line, sizeof(line), format, args);
    va_end(args);
    make_one_line(line);

    pthread_mutex_lock(&log_lock);
    inside_receiver = true;
    if (log_fn != NULL)
        log_fn(log_opaque, level, line);
    else
        write_to_stderr(line);
    inside_receiver = false;
    pthread_mutex_unlock(&log_lock);
    errno = saved;
}
