/* replay.c - Runs a fuzz target on files, without a fuzzer.
 *
 *   resp_replay corpus/resp [more directories ...]
 *
 * Linked with one *_fuzz.c: what fuzzing has found stays found, also where
 * there is no libFuzzer. Fails when there is nothing to run, so that a wrong
 * path is not taken for success. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* 0, or -1 when @path cannot be read. */
static int file_run(const char *path, size_t size)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return -1;
    }
    uint8_t *data = malloc(size == 0 ? 1 : size);
    int result = -1;
    if (data != NULL && fread(data, 1, size, file) == size) {
        (void)LLVMFuzzerTestOneInput(data, size);
        result = 0;
    } else {
        fprintf(stderr, "%s: cannot be read\n", path);
    }
    free(data);
    fclose(file);
    return result;
}

/* How many files of @path were run; -1 when something could not be read. */
static long directory_run(const char *path)
{
    DIR *directory = opendir(path);
    if (directory == NULL) {
        perror(path);
        return -1;
    }
    long count = 0;
    const struct dirent *entry;
    while (count >= 0 && (entry = readdir(directory)) != NULL) {
        char name[4096];
        struct stat status;
        int length = snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
        if (length < 0 || (size_t)length >= sizeof(name) ||
            stat(name, &status) != 0) {
            fprintf(stderr, "%s/%s: cannot be read\n", path, entry->d_name);
            count = -1;
        } else if (S_ISREG(status.st_mode)) {
            int result = file_run(name, (size_t)status.st_size);
            count = result == 0 ? count + 1 : -1;
        }
    }
    closedir(directory);
    return count;
}

int main(int argc, char **argv)
{
    long total = 0;
    for (int i = 1; i < argc; i++) {
        long count = directory_run(argv[i]);
        if (count < 0) {
            return EXIT_FAILURE;
        }
        total += count;
    }
    printf("%ld inputs replayed\n", total);
    return total > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
