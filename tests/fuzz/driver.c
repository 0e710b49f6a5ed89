/* Runs a fuzz target without libFuzzer: TARGET RUNS SEED FILE... mutates the files, the same way each time.
 *
 * A failure says which execution it was; the same RUNS and SEED come there again.
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_BYTES 33000u
#define MAX_FILES 4096u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct file {
    uint8_t *bytes;
    uint32_t count;
};

static struct file files[MAX_FILES];
static uint32_t file_count;
static uint64_t state;
static unsigned long execution;

/* xorshift64*: Vigna, "An experimental exploration of Marsaglia's xorshift generators, scrambled", 2016. */
static uint32_t draw(uint32_t below) {
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (uint32_t)((state * 2685821657736338717u) >> 33) % below;
}

static void tell(void) {
    fprintf(stderr, "execution %lu failed\n", execution);
}

void __asan_on_error(void);
void __asan_on_error(void) {
    tell();
}

static void aborted(int number) {
    (void)number;
    tell();
    _exit(1);
}

static uint32_t interesting(void) {
    static const uint32_t values[] = {0,      1,          2,          3,          4,          7,
                                      8,      16,         127,        128,        255,        256,
                                      511,    512,        1023,       1024,       0x7fff,     0x8000,
                                      0xffff, 0x7fffffff, 0x80000000, 0xfffffffc, 0xfffffffe, 0xffffffff};
    return values[draw(sizeof values / sizeof *values)];
}

static void mutate(uint8_t *bytes, uint32_t *count) {
    for (uint32_t left = 1 + draw(4); left > 0 && *count > 4; left--) {
        const uint32_t at = draw(*count);
        const uint32_t word = draw(*count / 4) * 4;
        uint32_t value;
        switch (draw(8)) {
        case 0:
            bytes[at] ^= (uint8_t)(1u << draw(8));
            break;
        case 1:
            bytes[at] = (uint8_t)draw(256);
            break;
        case 2:
            value = interesting();
            memcpy(bytes + word, &value, 4);
            break;
        case 3:
            value = interesting();
            memcpy(bytes + (at & ~1u), &value, *count - (at & ~1u) < 2 ? 1 : 2);
            break;
        case 4:
            memcpy(&value, bytes + word, 4);
            value += draw(33) - 16;
            memcpy(bytes + word, &value, 4);
            break;
        case 5:
            *count = draw(4) == 0 ? at : *count;
            break;
        case 6: {
            const uint32_t other = draw(*count), length = draw(64);
            const uint32_t room = *count - (other > at ? other : at);
            memmove(bytes + at, bytes + other, length < room ? length : room);
            break;
        }
        default: {
            const struct file *file = &files[draw(file_count)];
            const uint32_t room = *count < file->count ? *count : file->count;
            const uint32_t from = draw(room), length = draw(room - from + 1);
            memcpy(bytes + from, file->bytes + from, length);
        }
        }
    }
}

static void load(const char *path) {
    FILE *file = fopen(path, "rb");
    if (file == NULL || file_count == MAX_FILES) exit(2);
    uint8_t *bytes = malloc(MAX_BYTES);
    const size_t count = fread(bytes, 1, MAX_BYTES, file);
    fclose(file);
    files[file_count++] = (struct file){bytes, (uint32_t)count};
}

int main(int argc, char **argv) {
    if (argc < 4) return 2;
    const unsigned long runs = strtoul(argv[1], NULL, 10);
    state = strtoul(argv[2], NULL, 10) * 2 + 1;
    for (int i = 3; i < argc; i++) load(argv[i]);
    signal(SIGABRT, aborted);
    static uint8_t bytes[MAX_BYTES];
    for (execution = 0; execution < runs; execution++) {
        const struct file *file = &files[draw(file_count)];
        uint32_t count = file->count;
        memcpy(bytes, file->bytes, count);
        if (execution >= file_count) mutate(bytes, &count);
        uint8_t *exact = malloc(count > 0 ? count : 1);
        memcpy(exact, bytes, count);
        LLVMFuzzerTestOneInput(exact, count);
        free(exact);
    }
    printf("%lu executions\n", execution);
    return 0;
}
