// A disk that forgets what was not synced, as a library to be preloaded into the process under test.
//
// Below POWER_CUT_FROM, what a file holds and which names a folder has reach POWER_CUT_TO only by fsync or fdatasync
// of that file or folder: "file-<inode>" has a file's bytes, "folder-<inode>" a line "<inode> <f or d> <name>" for
// each name. After a kill, what is in POWER_CUT_TO is what a power cut would have left at the worst. While the file
// DISK_FULL_FLAG exists, every write below POWER_CUT_FROM fails with ENOSPC.
//
// Removed and replaced files keep a second name in POWER_CUT_TO, so that no new file gets an inode that is in use.
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int is_below(const char *path, const char *dir) {
  size_t length = dir == NULL ? 0 : strlen(dir);
  return length > 0 && strncmp(path, dir, length) == 0 && (path[length] == '/' || path[length] == 0);
}

static int path_of(int fd, char *path) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, PATH_MAX - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return 1;
}

static void must(int ok, const char *what) {
  if (ok) return;
  perror(what);
  abort();
}

/* Copies what the file holds now, whole or not at all. */
static void mirror_file(int fd, const struct stat *status, const char *to) {
  char draft[PATH_MAX], name[PATH_MAX], path[PATH_MAX], bytes[65536];
  snprintf(draft, sizeof draft, "%s/draft", to);
  snprintf(name, sizeof name, "%s/file-%lu", to, (unsigned long)status->st_ino);
  must(path_of(fd, path), "the path of a file that is synced");
  int in = open(path, O_RDONLY);
  if (in < 0 && errno == ENOENT) return; // Removed and still open: nobody will find it again.
  must(in >= 0, path);
  int out = open(draft, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  must(out >= 0, draft);
  for (ssize_t n; (n = read(in, bytes, sizeof bytes)) != 0;) must(n > 0 && write(out, bytes, n) == n, draft);
  close(in);
  close(out);
  must(rename(draft, name) == 0, name);
}

static void mirror_folder(const char *path, const struct stat *status, const char *to) {
  char draft[PATH_MAX], name[PATH_MAX];
  snprintf(draft, sizeof draft, "%s/draft", to);
  snprintf(name, sizeof name, "%s/folder-%lu", to, (unsigned long)status->st_ino);
  DIR *folder = opendir(path);
  FILE *out = fopen(draft, "w");
  must(folder != NULL && out != NULL, draft);
  for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
      fprintf(out, "%lu %c %s\n", (unsigned long)entry->d_ino, entry->d_type == DT_DIR ? 'd' : 'f', entry->d_name);
  closedir(folder);
  must(fclose(out) == 0, draft);
  must(rename(draft, name) == 0, name);
}

static int sync_to_shadow(int fd) {
  const char *from = getenv("POWER_CUT_FROM"), *to = getenv("POWER_CUT_TO");
  char path[PATH_MAX];
  struct stat status;
  if (from == NULL || to == NULL || !path_of(fd, path) || !is_below(path, from)) return 0;
  must(fstat(fd, &status) == 0, path);
  if (S_ISDIR(status.st_mode)) mirror_folder(path, &status, to);
  else mirror_file(fd, &status, to);
  return 0;
}

int fsync(int fd) { return sync_to_shadow(fd); }
int fdatasync(int fd) { return sync_to_shadow(fd); }

static void keep_inode(int at, const char *path) {
  static int kept = 0;
  const char *from = getenv("POWER_CUT_FROM"), *to = getenv("POWER_CUT_TO");
  char name[PATH_MAX];
  if (from == NULL || to == NULL || (path[0] == '/' && !is_below(path, from))) return;
  snprintf(name, sizeof name, "%s/kept-%d-%d", to, (int)getpid(), kept++);
  linkat(at, path, AT_FDCWD, name, 0);
}

int unlink(const char *path) {
  static int (*next)(const char *);
  if (next == NULL) next = dlsym(RTLD_NEXT, "unlink");
  keep_inode(AT_FDCWD, path);
  return next(path);
}

int unlinkat(int at, const char *path, int flags) {
  static int (*next)(int, const char *, int);
  if (next == NULL) next = dlsym(RTLD_NEXT, "unlinkat");
  if ((flags & AT_REMOVEDIR) == 0) keep_inode(at, path);
  return next(at, path, flags);
}

int remove(const char *path) {
  static int (*next)(const char *);
  if (next == NULL) next = dlsym(RTLD_NEXT, "remove");
  keep_inode(AT_FDCWD, path);
  return next(path);
}

int rename(const char *old, const char *path) {
  static int (*next)(const char *, const char *);
  if (next == NULL) next = dlsym(RTLD_NEXT, "rename");
  const char *to = getenv("POWER_CUT_TO");
  if (to == NULL || !is_below(path, to)) keep_inode(AT_FDCWD, path);
  return next(old, path);
}

static int is_full(int fd) {
  const char *flag = getenv("DISK_FULL_FLAG"), *from = getenv("POWER_CUT_FROM");
  char path[PATH_MAX];
  return flag != NULL && access(flag, F_OK) == 0 && path_of(fd, path) && is_below(path, from);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) {
  static ssize_t (*next)(int, const void *, size_t, off64_t);
  if (next == NULL) next = dlsym(RTLD_NEXT, "pwrite64");
  if (is_full(fd)) {
    errno = ENOSPC;
    return -1;
  }
  return next(fd, bytes, count, offset);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) { return pwrite64(fd, bytes, count, offset); }
