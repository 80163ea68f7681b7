// Makes calls of the C library fail, for programs that are told to load it: see README.md.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

static char wanted[32];        // the call that fails; empty: none
static long number;            // which one, from 1
static int onwards;            // and all after it
static int error = EIO;        // what it fails with
static const char *under;      // only files in this folder
static const char *fired_file; // made when a call fails
static size_t least = 65536;   // only allocations of this many bytes
static atomic_long calls;

static const struct { const char *name; int number; } errors[] = {
    {"EIO", EIO},       {"ENOSPC", ENOSPC}, {"EDQUOT", EDQUOT}, {"EFBIG", EFBIG},
    {"ENOMEM", ENOMEM}, {"EACCES", EACCES}, {"EROFS", EROFS},   {"EMFILE", EMFILE},
    {"EAGAIN", EAGAIN}, {"EXDEV", EXDEV},   {"ENOENT", ENOENT}, {"EINTR", EINTR},
};

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

// STEMSEG_FAULT=CALL:NUMBER[+][:ERRNO]
__attribute__((constructor)) static void prepare(void) {
    const char *spec = getenv("STEMSEG_FAULT");
    const char *size = getenv("STEMSEG_FAULT_SIZE");
    under = getenv("STEMSEG_FAULT_UNDER");
    fired_file = getenv("STEMSEG_FAULT_FIRED");
    if (size) least = strtoul(size, NULL, 10);
    const char *colon = spec ? strchr(spec, ':') : NULL;
    if (!colon || (size_t)(colon - spec) >= sizeof wanted) return;
    char *end;
    number = strtol(colon + 1, &end, 10);
    if (*end == '+') onwards = 1, end++;
    for (size_t i = 0; *end == ':' && i < sizeof errors / sizeof *errors; i++)
        if (!strcmp(end + 1, errors[i].name)) error = errors[i].number;
    memcpy(wanted, spec, colon - spec);
}

static void say_fired(void) {
    if (!fired_file) return;
    int fd = REAL(open)(fired_file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    if (fd >= 0) close(fd);
}

// Counts a call of the kind `name`; whether it is to fail.
static int due(const char *name) {
    if (!wanted[0] || strcmp(name, wanted)) return 0;
    long now = atomic_fetch_add(&calls, 1) + 1;
    if (now != number && !(onwards && now > number)) return 0;
    say_fired();
    errno = error;
    return 1;
}

static int is_under(const char *path) {
    if (!under) return 1;
    char whole[8192];
    if (path[0] != '/') {
        char cwd[4096];
        if (!getcwd(cwd, sizeof cwd)) return 0;
        snprintf(whole, sizeof whole, "%s/%s", cwd, path);
        path = whole;
    }
    return !strncmp(path, under, strlen(under));
}

static int path_of(int fd, char *path, size_t size) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, size - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return path[0] == '/'; // no pipe
}

static int fd_due(const char *name, int fd) {
    if (!wanted[0] || strcmp(name, wanted)) return 0;
    char path[4096];
    return path_of(fd, path, sizeof path) && is_under(path) && due(name);
}

static int path_due(const char *name, const char *path) {
    if (!wanted[0] || strcmp(name, wanted)) return 0;
    return is_under(path) && due(name);
}

// Files

#define MODE(flags)                                        \
    mode_t mode = 0;                                       \
    if ((flags) & (O_CREAT | O_TMPFILE)) {                 \
        va_list more;                                      \
        va_start(more, flags);                             \
        mode = va_arg(more, mode_t);                       \
        va_end(more);                                      \
    }

int open(const char *path, int flags, ...) {
    MODE(flags)
    return path_due("open", path) ? -1 : REAL(open)(path, flags, mode);
}
int open64(const char *path, int flags, ...) {
    MODE(flags)
    return path_due("open", path) ? -1 : REAL(open64)(path, flags, mode);
}
int openat(int dir, const char *path, int flags, ...) {
    MODE(flags)
    return path_due("open", path) ? -1 : REAL(openat)(dir, path, flags, mode);
}
int openat64(int dir, const char *path, int flags, ...) {
    MODE(flags)
    return path_due("open", path) ? -1 : REAL(openat64)(dir, path, flags, mode);
}
int mkdir(const char *path, mode_t mode) {
    return path_due("mkdir", path) ? -1 : REAL(mkdir)(path, mode);
}
int rename(const char *from, const char *to) {
    return path_due("rename", to) ? -1 : REAL(rename)(from, to);
}
int renameat(int a, const char *from, int b, const char *to) {
    return path_due("rename", to) ? -1 : REAL(renameat)(a, from, b, to);
}
int renameat2(int a, const char *from, int b, const char *to, unsigned flags) {
    return path_due("rename", to) ? -1 : REAL(renameat2)(a, from, b, to, flags);
}
int fsync(int fd) { return fd_due("fsync", fd) ? -1 : REAL(fsync)(fd); }
int fdatasync(int fd) { return fd_due("fsync", fd) ? -1 : REAL(fdatasync)(fd); }
ssize_t write(int fd, const void *bytes, size_t count) {
    return fd_due("write", fd) ? -1 : REAL(write)(fd, bytes, count);
}
ssize_t writev(int fd, const struct iovec *parts, int count) {
    return fd_due("write", fd) ? -1 : REAL(writev)(fd, parts, count);
}
ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) {
    return fd_due("write", fd) ? -1 : REAL(pwrite64)(fd, bytes, count, at);
}

// `change` appends a byte to the file that is about to be read.
static int read_due(int fd) {
    if (fd_due("change", fd)) {
        char path[4096];
        int to = path_of(fd, path, sizeof path) ? REAL(open)(path, O_WRONLY | O_APPEND) : -1;
        if (to >= 0) {
            ssize_t written = REAL(write)(to, "x", 1);
            (void)written;
            close(to);
        }
        return 0;
    }
    return fd_due("read", fd);
}
ssize_t read(int fd, void *to, size_t count) {
    return read_due(fd) ? -1 : REAL(read)(fd, to, count);
}
ssize_t pread64(int fd, void *to, size_t count, off64_t at) {
    return read_due(fd) ? -1 : REAL(pread64)(fd, to, count, at);
}

// Threads and memory

int pthread_create(pthread_t *thread, const pthread_attr_t *with, void *(*run)(void *), void *of) {
    return due("thread") ? error : REAL(pthread_create)(thread, with, run, of);
}
static int refused(size_t size) { return size >= least && due("memory"); }

void *malloc(size_t size) { return refused(size) ? NULL : __libc_malloc(size); }
void *calloc(size_t count, size_t size) {
    return refused(count * size) ? NULL : __libc_calloc(count, size);
}
void *realloc(void *old, size_t size) { return refused(size) ? NULL : __libc_realloc(old, size); }
void *aligned_alloc(size_t align, size_t size) {
    return refused(size) ? NULL : __libc_memalign(align, size);
}
int posix_memalign(void **to, size_t align, size_t size) {
    if (refused(size)) return ENOMEM;
    *to = __libc_memalign(align, size);
    return *to ? 0 : ENOMEM;
}
