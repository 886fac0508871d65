/* What libav says through its log. */
#include <pthread.h>
#include <string.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/log.h>

#include "media/libav/av.h"
#include "vrseg/log.h"

/* The watches in use. Errors are rare and watches few, so a list under a lock is enough. */
static pthread_mutex_t watch_lock = PTHREAD_MUTEX_INITIALIZER;
static vrs_av_watch *watches;

/* The pointer that the owner of a codec or container put into it. The program may use libav beside
 * us with pointers of its own there, so it is only compared, never followed. */
static const void *owner_of(void *context)
{
    const AVClass *class = context ? *(AVClass **)context : NULL;
    if (class && class == avcodec_get_class())
        return ((const AVCodecContext *)context)->opaque;
    if (class && class == avformat_get_class())
        return ((const AVFormatContext *)context)->opaque;
    return NULL;
}

static void count_error(void *context)
{
    const void *owner = owner_of(context);
    if (!owner)
        return;
    pthread_mutex_lock(&watch_lock);
    for (vrs_av_watch *watch = watches; watch; watch = watch->next)
        if (watch == owner)
            watch->errors++;
    pthread_mutex_unlock(&watch_lock);
}

static void log_line(void *context, int level, const char *format, va_list args)
{
    char line[512];
    int prefix = 1;
    if ((level & 0xff) > AV_LOG_WARNING)
        return;
    if ((level & 0xff) <= AV_LOG_ERROR)
        count_error(context);
    av_log_format_line2(context, level, format, args, line, (int)sizeof line, &prefix);
    size_t length = strlen(line);
    while (length > 0 && (line[length - 1] == '\n' || line[length - 1] == '\r'))
        line[--length] = '\0';
    if (length > 0)
        vrs_log(VRS_LOG_DEBUG, "libav: %s", line);
}

static void init_once(void)
{
    av_log_set_callback(log_line);
}

void vrs_av_init(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init_once);
}

void vrs_av_watch_start(vrs_av_watch *watch)
{
    pthread_mutex_lock(&watch_lock);
    watch->errors = 0;
    watch->next = watches;
    watches = watch;
    pthread_mutex_unlock(&watch_lock);
}

uint64_t vrs_av_watch_errors(const vrs_av_watch *watch)
{
    pthread_mutex_lock(&watch_lock);
    uint64_t errors = watch->errors;
    pthread_mutex_unlock(&watch_lock);
    return errors;
}

void vrs_av_watch_stop(vrs_av_watch *watch)
{
    pthread_mutex_lock(&watch_lock);
    vrs_av_watch **link = &watches;
    while (*link && *link != watch)
        link = &(*link)->next;
    if (*link)
        *link = watch->next;
    pthread_mutex_unlock(&watch_lock);
}
