/* A disk as a test wants it, preloaded into a process: every change below SANDUAN_DISK is written down in SANDUAN_TRACE
 * (read by tests/peers/disk.py); with SANDUAN_ROOM the folder is a file system of so many bytes that gets full, with
 * SANDUAN_READONLY one that refuses every change, with SANDUAN_FLAKY one where every so many writes and syncs one fails.
 *
 * A record: op, file (u32), offset (u64), length (u32), data. Ops: O open (data: path; offset: 1 when emptied), W write,
 * T truncate, S sync, R rename (data: new path), U unlink. Files are numbered by path. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define FILES 64
#define HANDLES 4096
#define PAGE 4096

static struct { char path[512]; int64_t size; } files[FILES];
static int count, handles[HANDLES], trace = -1, readonly, flaky, changes;
static int64_t capacity = -1;
static const char *folder;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("SANDUAN_TRACE"), *bytes = getenv("SANDUAN_ROOM");
    folder = getenv("SANDUAN_DISK");
    if (bytes) capacity = atoll(bytes);
    readonly = getenv("SANDUAN_READONLY") != NULL;
    if (getenv("SANDUAN_FLAKY")) flaky = atoi(getenv("SANDUAN_FLAKY"));
    if (path) trace = REAL(open)(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static void note(char op, int file, uint64_t offset, const void *data, uint32_t length) {
    if (trace < 0) return;
    char head[17];
    uint32_t number = file;
    head[0] = op;
    memcpy(head + 1, &number, 4), memcpy(head + 5, &offset, 8), memcpy(head + 13, &length, 4);
    if (REAL(write)(trace, head, sizeof head) != sizeof head) abort();
    if (length && REAL(write)(trace, data, length) != (ssize_t)length) abort();
}

static int64_t rounded(int64_t size) { return (size + PAGE - 1) / PAGE * PAGE; }

static int64_t spare(void) {
    int64_t used = 0;
    for (int at = 0; at < count; at++) used += rounded(files[at].size);
    return capacity - used;
}

static int file_of(const char *path) {
    if (!folder || strncmp(path, folder, strlen(folder)) || strlen(path) >= sizeof files[0].path) return -1;
    for (int at = 0; at < count; at++)
        if (!strcmp(files[at].path, path)) return at;
    if (count == FILES) abort();
    struct stat status;
    strcpy(files[count].path, path);
    files[count].size = stat(path, &status) ? 0 : status.st_size;
    return count++;
}

static int file_at(int handle) { return handle < 0 || handle >= HANDLES ? -1 : handles[handle] - 1; }

/* Whether the file may become so large; errno is set when not. */
static int fits(int file, int64_t size) {
    if (capacity < 0 || rounded(size) - rounded(files[file].size) <= spare()) return 1;
    errno = ENOSPC;
    return 0;
}

static int opened(int handle, const char *path, int flags) {
    if (handle < 0 || handle >= HANDLES) return handle;
    pthread_mutex_lock(&lock);
    int file = file_of(path);
    handles[handle] = file + 1;
    if (file >= 0) {
        if (flags & O_TRUNC) files[file].size = 0;
        note('O', file, !!(flags & O_TRUNC), path, strlen(path));
    }
    pthread_mutex_unlock(&lock);
    return handle;
}

/* Whether a change below the folder must be refused; errno is set then. */
static int refused(const char *path) {
    if (!readonly || !folder || strncmp(path, folder, strlen(folder))) return 0;
    errno = EROFS;
    return 1;
}

#define CHANGES (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC)
#define MODE \
    if (flags & CHANGES && refused(path)) return -1; \
    va_list list; \
    va_start(list, flags); \
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(list, mode_t) : 0; \
    va_end(list);

int open(const char *path, int flags, ...) { MODE return opened(REAL(open)(path, flags, mode), path, flags); }
int open64(const char *path, int flags, ...) { MODE return opened(REAL(open64)(path, flags, mode), path, flags); }
int openat(int at, const char *path, int flags, ...) {
    MODE return opened(REAL(openat)(at, path, flags, mode), path, flags);
}
int openat64(int at, const char *path, int flags, ...) {
    MODE return opened(REAL(openat64)(at, path, flags, mode), path, flags);
}

int close(int handle) {
    if (handle >= 0 && handle < HANDLES) handles[handle] = 0;
    return REAL(close)(handle);
}

/* Whether this write or sync is the one that fails; errno is set then. */
static int fails(void) {
    if (!flaky || ++changes % flaky) return 0;
    errno = EIO;
    return 1;
}

static ssize_t put(int file, int handle, const void *data, size_t length, int64_t offset) {
    pthread_mutex_lock(&lock);
    ssize_t done = -1;
    int64_t end = offset + (int64_t)length;
    if (!fails() && fits(file, end)) done = REAL(pwrite64)(handle, data, length, offset);
    if (done >= 0) {
        if (end > files[file].size) files[file].size = end;
        note('W', file, offset, data, done);
    }
    pthread_mutex_unlock(&lock);
    return done;
}

ssize_t pwrite64(int handle, const void *data, size_t length, off64_t offset) {
    int file = file_at(handle);
    return file < 0 ? REAL(pwrite64)(handle, data, length, offset) : put(file, handle, data, length, offset);
}
ssize_t pwrite(int handle, const void *data, size_t length, off_t offset) {
    return pwrite64(handle, data, length, offset);
}
ssize_t write(int handle, const void *data, size_t length) {
    int file = file_at(handle);
    if (file < 0) return REAL(write)(handle, data, length);
    int64_t offset = lseek(handle, 0, fcntl(handle, F_GETFL) & O_APPEND ? SEEK_END : SEEK_CUR);
    ssize_t done = put(file, handle, data, length, offset);
    if (done > 0) lseek(handle, offset + done, SEEK_SET);
    return done;
}

int ftruncate64(int handle, off64_t size) {
    int file = file_at(handle), done = -1;
    if (file < 0) return REAL(ftruncate64)(handle, size);
    pthread_mutex_lock(&lock);
    if (fits(file, size)) done = REAL(ftruncate64)(handle, size);
    if (!done) files[file].size = size, note('T', file, size, 0, 0);
    pthread_mutex_unlock(&lock);
    return done;
}
int ftruncate(int handle, off_t size) { return ftruncate64(handle, size); }

int posix_fallocate64(int handle, off64_t offset, off64_t length) {
    int file = file_at(handle), done = ENOSPC;
    if (file < 0) return REAL(posix_fallocate64)(handle, offset, length);
    pthread_mutex_lock(&lock);
    if (fits(file, offset + length)) done = REAL(posix_fallocate64)(handle, offset, length);
    if (!done && offset + length > files[file].size) files[file].size = offset + length;
    pthread_mutex_unlock(&lock);
    return done;
}
int posix_fallocate(int handle, off_t offset, off_t length) { return posix_fallocate64(handle, offset, length); }

static int synced(int handle, int (*sync)(int)) {
    int file = file_at(handle), done = -1;
    if (file < 0) return sync(handle);
    pthread_mutex_lock(&lock);
    if (!fails()) done = sync(handle);
    if (!done) note('S', file, 0, 0, 0);
    pthread_mutex_unlock(&lock);
    return done;
}
int fsync(int handle) { return synced(handle, REAL(fsync)); }
int fdatasync(int handle) { return synced(handle, REAL(fdatasync)); }

int rename(const char *from, const char *to) {
    if (refused(from)) return -1;
    pthread_mutex_lock(&lock);
    int old = file_of(from), new = file_of(to), done = REAL(rename)(from, to);
    if (!done && old >= 0 && new >= 0) {
        files[new].size = files[old].size, files[old].size = 0;
        note('R', old, 0, to, strlen(to));
    }
    pthread_mutex_unlock(&lock);
    return done;
}
int unlink(const char *path) {
    if (refused(path)) return -1;
    pthread_mutex_lock(&lock);
    int file = file_of(path), done = REAL(unlink)(path);
    if (!done && file >= 0) files[file].size = 0, note('U', file, 0, 0, 0);
    pthread_mutex_unlock(&lock);
    return done;
}

static int told(int done, struct statvfs *status) {
    if (!done && capacity >= 0) {
        pthread_mutex_lock(&lock);
        status->f_frsize = status->f_bsize = PAGE;
        status->f_blocks = capacity / PAGE;
        status->f_bfree = status->f_bavail = spare() / PAGE;
        pthread_mutex_unlock(&lock);
    }
    return done;
}
int statvfs(const char *path, struct statvfs *status) { return told(REAL(statvfs)(path, status), status); }
int statvfs64(const char *path, struct statvfs64 *status) {
    return told(REAL(statvfs64)(path, status), (struct statvfs *)status);
}
